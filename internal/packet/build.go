package packet

import "encoding/binary"

// AppendEthernet appends an Ethernet II header to b and returns it.
func AppendEthernet(b []byte, dst, src [6]byte, etherType uint16) []byte {
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	return binary.BigEndian.AppendUint16(b, etherType)
}

// EtherTypes for AppendEthernet, AppendVLAN and AppendGENEVE (IEEE 802 numbers).
const (
	EtherTypeIPv4   = etIPv4
	EtherTypeARP    = etARP
	EtherTypeVLAN   = etVLAN
	EtherTypeQinQ   = etQinQ
	EtherTypeIPv6   = etIPv6
	EtherTypeMPLS   = etMPLS
	EtherTypeBridge = etBridge
)

// AppendVLAN appends the 4 bytes after the EtherType 0x8100: tag control information,
// and the type of what follows.
func AppendVLAN(b []byte, tci, etherType uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, tci)
	return binary.BigEndian.AppendUint16(b, etherType)
}

// IPv4 are the fields of an IPv4 header to build; length and checksum are computed.
type IPv4 struct {
	Src, Dst [4]byte
	TOS      uint8
	ID       uint16
	// Frag has the flags and the fragment offset in units of 8 bytes, as in the header.
	Frag    uint16
	TTL     uint8 // 0 means 64
	Proto   uint8
	Options []byte // padded to 4 bytes with EOL; at most 40 bytes
}

// AppendIPv4 appends the header h of a packet with payload bytes after it. It panics
// when the packet would be longer than 65535 bytes or the options than 40.
func AppendIPv4(b []byte, h IPv4, payload int) []byte {
	opts := (len(h.Options) + 3) &^ 3
	total := lenIPv4 + opts + payload
	if total > 0xffff || opts > 40 {
		panic("packet: IPv4 packet too long")
	}
	if h.TTL == 0 {
		h.TTL = 64
	}
	at := len(b)
	b = append(b, 0x40|byte((lenIPv4+opts)/4), h.TOS)
	b = binary.BigEndian.AppendUint16(b, uint16(total))
	b = binary.BigEndian.AppendUint16(b, h.ID)
	b = binary.BigEndian.AppendUint16(b, h.Frag)
	b = append(b, h.TTL, h.Proto, 0, 0)
	b = append(b, h.Src[:]...)
	b = append(b, h.Dst[:]...)
	b = append(b, h.Options...)
	for range opts - len(h.Options) {
		b = append(b, IPOptEOL)
	}
	binary.BigEndian.PutUint16(b[at+10:], InternetChecksum(b[at:]))
	return b
}

// IPv6 are the fields of an IPv6 header to build.
type IPv6 struct {
	Src, Dst  [16]byte
	Class     uint8
	FlowLabel uint32 // 20 bits
	Next      uint8
	HopLimit  uint8 // 0 means 64
}

// AppendIPv6 appends the header h of a packet with payload bytes after it (extension
// headers count as payload). It panics when payload is more than 65535.
func AppendIPv6(b []byte, h IPv6, payload int) []byte {
	if payload > 0xffff {
		panic("packet: IPv6 payload too long")
	}
	if h.HopLimit == 0 {
		h.HopLimit = 64
	}
	b = binary.BigEndian.AppendUint32(b, 6<<28|uint32(h.Class)<<20|h.FlowLabel&0xf_ffff)
	b = binary.BigEndian.AppendUint16(b, uint16(payload))
	b = append(b, h.Next, h.HopLimit)
	b = append(b, h.Src[:]...)
	return append(b, h.Dst[:]...)
}

// TCP are the fields of a TCP header to build.
type TCP struct {
	SrcPort, DstPort uint16
	Seq, Ack         uint32
	Flags            uint8
	Window, Urgent   uint16
	Options          []byte // padded to 4 bytes with EOL; at most 40 bytes
}

// AppendTCP appends the header h with a checksum of 0; SetChecksums fills it in. It
// panics when the options are longer than 40 bytes.
func AppendTCP(b []byte, h TCP) []byte {
	opts := (len(h.Options) + 3) &^ 3
	if opts > 40 {
		panic("packet: TCP options too long")
	}
	b = binary.BigEndian.AppendUint16(b, h.SrcPort)
	b = binary.BigEndian.AppendUint16(b, h.DstPort)
	b = binary.BigEndian.AppendUint32(b, h.Seq)
	b = binary.BigEndian.AppendUint32(b, h.Ack)
	b = append(b, byte((lenTCP+opts)/4)<<4, h.Flags)
	b = binary.BigEndian.AppendUint16(b, h.Window)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, h.Urgent)
	b = append(b, h.Options...)
	for range opts - len(h.Options) {
		b = append(b, TCPOptEOL)
	}
	return b
}

// AppendUDP appends a UDP header for payload bytes, with a checksum of 0 (none, over
// IPv4); SetChecksums fills it in. It panics when payload does not fit.
func AppendUDP(b []byte, src, dst uint16, payload int) []byte {
	if payload > 0xffff-lenUDP {
		panic("packet: UDP payload too long")
	}
	b = binary.BigEndian.AppendUint16(b, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(lenUDP+payload))
	return append(b, 0, 0)
}

// AppendICMP appends the first 8 bytes of an ICMP or ICMPv6 message with a checksum of
// 0; rest are the 4 bytes after the checksum.
func AppendICMP(b []byte, kind, code uint8, rest uint32) []byte {
	b = append(b, kind, code, 0, 0)
	return binary.BigEndian.AppendUint32(b, rest)
}

// SetChecksums computes the checksums of the packet that begins with the IP header
// at ip[0], of the IPv4 header and of TCP, UDP, ICMP or ICMPv6, and stores them. It
// does nothing to headers that it cannot find; fragments keep their transport's.
func SetChecksums(ip []byte) {
	var d Decoder
	d.maxLayers = MaxLayers
	p := Parsed{Data: ip}
	d.rawIP(&p, 0, new(inner))
	if h := p.IPv4Header(); h != nil {
		h[10], h[11] = 0, 0
		binary.BigEndian.PutUint16(h[10:], InternetChecksum(h))
	}
	if p.Depth < DepthTransport || p.Truncated {
		return
	}
	at, end := 0, p.IPEnd
	s := pseudo(p.IPVersion, &p.Src, &p.Dst, p.Proto, 0)
	switch p.Proto {
	case ProtoTCP:
		at = 16
	case ProtoUDP:
		at, end = 6, p.PayloadEnd
	case ProtoICMPv6:
		at = 2
	case ProtoICMP:
		at, s = 2, 0
	default:
		return
	}
	b := ip[p.L4:end]
	b[at], b[at+1] = 0, 0
	if p.Proto != ProtoICMP {
		s += uint64(len(b))
	}
	c := ^fold(sum(b, s))
	if c == 0 && p.Proto == ProtoUDP {
		c = 0xffff // 0 would mean none
	}
	binary.BigEndian.PutUint16(b[at:], c)
}

// AppendVXLAN appends the 8-byte VXLAN header for vni to b and returns it. It panics
// when vni does not fit 24 bits. RFC 7348 section 5.
func AppendVXLAN(b []byte, vni uint32) []byte {
	if vni > 0xff_ffff {
		panic("packet: VNI has more than 24 bits")
	}
	b = append(b, 0x08, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, vni<<8)
}

// AppendGENEVE appends a GENEVE header with options, which must be whole options. It
// panics when vni does not fit 24 bits, or options are longer than 252 bytes or not a
// multiple of 4. RFC 8926 section 3.4.
func AppendGENEVE(b []byte, vni uint32, proto uint16, options []byte) []byte {
	if vni > 0xff_ffff || len(options) > 252 || len(options)%4 != 0 {
		panic("packet: GENEVE header does not fit")
	}
	b = append(b, byte(len(options)/4), 0)
	b = binary.BigEndian.AppendUint16(b, proto)
	b = binary.BigEndian.AppendUint32(b, vni<<8)
	return append(b, options...)
}

// AppendAWSOptions appends the three GENEVE options, 32 bytes, that an AWS Gateway
// Load Balancer puts before a packet.
func AppendAWSOptions(b []byte, endpoint, attachment uint64, cookie uint32) []byte {
	b = append(b, ClassAWS>>8, ClassAWS&0xff, 1, 2)
	b = binary.BigEndian.AppendUint64(b, endpoint)
	b = append(b, ClassAWS>>8, ClassAWS&0xff, 2, 2)
	b = binary.BigEndian.AppendUint64(b, attachment)
	b = append(b, ClassAWS>>8, ClassAWS&0xff, 3, 1)
	return binary.BigEndian.AppendUint32(b, cookie)
}

// MirrorPort returns the source port AWS gives the outer header of the mirrored
// packet p: 7 bits of a hash that is the same in both directions, in the range
// 65408-65535.
func MirrorPort(p *Parsed) uint16 {
	return 0xff80 | uint16(p.SymmetricHash(0)>>25)&0x7f
}

// MirrorOverhead is the length of what AppendMirror appends, in bytes.
const MirrorOverhead = lenIPv4 + lenUDP + lenVXLAN

// AppendMirror appends the outer headers, IPv4, UDP and VXLAN, of a mirrored frame of
// frameLen bytes, in the form AWS gives them: TOS 0, id 0, may be fragmented, TTL 255,
// no UDP checksum. It panics as AppendIPv4 and AppendVXLAN do.
func AppendMirror(b []byte, src, dst [4]byte, srcPort uint16, vni uint32, frameLen int) []byte {
	b = AppendIPv4(b, IPv4{Src: src, Dst: dst, TTL: 255, Proto: ProtoUDP}, lenUDP+lenVXLAN+frameLen)
	b = AppendUDP(b, srcPort, PortVXLAN, lenVXLAN+frameLen)
	return AppendVXLAN(b, vni)
}

// AppendMirror6 is AppendMirror with IPv6 outside. Its UDP checksum is 0 too, which
// RFC 6935 allows for tunnels.
func AppendMirror6(b []byte, src, dst [16]byte, srcPort uint16, vni uint32, frameLen int) []byte {
	b = AppendIPv6(b, IPv6{Src: src, Dst: dst, HopLimit: 255, Next: ProtoUDP}, lenUDP+lenVXLAN+frameLen)
	b = AppendUDP(b, srcPort, PortVXLAN, lenVXLAN+frameLen)
	return AppendVXLAN(b, vni)
}
