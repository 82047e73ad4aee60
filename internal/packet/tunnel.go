package packet

// has tells whether port is in ports; they are a handful.
func has(ports []uint16, port uint16) bool {
	for _, x := range ports {
		if x == port {
			return true
		}
	}
	return false
}

// udpTunnel looks for a tunnel in the UDP payload of p.
func (d *Decoder) udpTunnel(p *Parsed, in *inner) {
	if has(d.opts.VXLANPorts, p.DstPort) {
		d.vxlan(p, in)
		return
	}
	if has(d.opts.GENEVEPorts, p.DstPort) {
		d.geneve(p, in)
		return
	}
	if has(d.opts.TeredoPorts, p.DstPort) || has(d.opts.TeredoPorts, p.SrcPort) {
		d.teredo(p, in)
		return
	}
}

// VXLAN is a VXLAN header.
//
//	 0                   1                   2                   3
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|R|R|R|R|I|R|R|R|            Reserved                           |
//	|                VXLAN Network Identifier       |   Reserved    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 7348 section 5.
type VXLAN struct {
	VNI      uint32 // 24 bits
	Reserved bool   // a reserved bit is set
	Inner    []byte // the inner frame, from its Ethernet header on
}

const lenVXLAN = 8

// ParseVXLAN reads the VXLAN header at the start of a datagram. ok is false when it
// is short or its I flag is not set. Inner may be empty.
func ParseVXLAN(b []byte) (v VXLAN, ok bool) {
	if len(b) < lenVXLAN || b[0]&0x08 == 0 {
		return VXLAN{}, false
	}
	first, second := be32(b[0:4]), be32(b[4:8])
	return VXLAN{
		VNI:      second >> 8,
		Reserved: first&^0x0800_0000 != 0 || second&0xff != 0,
		Inner:    b[lenVXLAN:],
	}, true
}

// vxlan looks for a VXLAN header in the UDP payload of p.
func (d *Decoder) vxlan(p *Parsed, in *inner) {
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < lenVXLAN+lenEthernet {
		return
	}
	v, ok := ParseVXLAN(b)
	if !ok || v.Reserved && d.opts.VXLANStrict {
		return
	}
	p.Seen |= SeenVXLAN
	if !d.opts.AnyInner && !etherTypeKnown(be16(v.Inner[12:14])) {
		p.fail(VXLANUnknownPayloadType)
		return
	}
	in.set(innerEthernet, p.Payload+lenVXLAN, p.PayloadEnd, FromTunnelVXLAN)
	in.vni = v.VNI
}

// etherTypeKnown tells whether an Ethernet header with this type has something to
// decode after it.
func etherTypeKnown(et uint16) bool {
	switch et {
	case etIPv4, etIPv6, etARP, etVLAN, etQinQ, etOldQinQ, etVNTag, etBackbone,
		etMPLS, etMPLSMult, etPPPoESes, etPPPoEDis, etDCE, etNSH:
		return true
	}
	return false
}

// bareVXLAN decodes a datagram that begins with a VXLAN header.
func (d *Decoder) bareVXLAN(p *Parsed, in *inner) {
	v, ok := ParseVXLAN(p.Data)
	if !ok || v.Reserved && d.opts.VXLANStrict {
		return
	}
	p.Seen |= SeenVXLAN
	p.skip(len(p.Data) - len(v.Inner))
	p.VNI, p.Source, p.Link = v.VNI, FromTunnelVXLAN, LinkEthernet
	d.ethernet(p, 0, in)
}

// skip cuts the first n bytes off the frame.
func (p *Parsed) skip(n int) {
	p.Data = p.Data[n:]
	p.WireLen = max(p.WireLen-n, len(p.Data))
}

// GENEVE is a GENEVE header.
//
//	 0                   1                   2                   3
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//	|        Virtual Network Identifier (VNI)       |    Reserved   |
//	~                    Variable-Length Options                    ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8926 section 3.4.
type GENEVE struct {
	VNI       uint32 // 24 bits
	Protocol  uint16 // EtherType of what is inside
	Control   bool   // O: a control packet
	Critical  bool   // C: critical options are present
	OptionLen int    // bytes of options
	Options   []byte // the options, checked for their lengths
	Inner     []byte
}

const lenGENEVE = 8

// ParseGENEVE reads the GENEVE header at the start of a datagram. ok is false when it
// is short, of a version other than 0, or has options that do not fit.
func ParseGENEVE(b []byte) (g GENEVE, ok bool) {
	if len(b) < lenGENEVE || b[0]>>6 != 0 {
		return GENEVE{}, false
	}
	n := int(b[0]&0x3f) * 4
	if len(b) < lenGENEVE+n {
		return GENEVE{}, false
	}
	opts := b[lenGENEVE : lenGENEVE+n : lenGENEVE+n]
	for rest := opts; len(rest) > 0; {
		if len(rest) < 4 {
			return GENEVE{}, false
		}
		size := 4 + int(rest[3]&0x1f)*4
		if size > len(rest) {
			return GENEVE{}, false
		}
		rest = rest[size:]
	}
	return GENEVE{
		VNI:       be32(b[4:8]) >> 8,
		Protocol:  be16(b[2:4]),
		Control:   b[1]&0x80 != 0,
		Critical:  b[1]&0x40 != 0,
		OptionLen: n,
		Options:   opts,
		Inner:     b[lenGENEVE+n:],
	}, true
}

// ClassAWS is the GENEVE option class of AWS; a Gateway Load Balancer adds three
// options of it.
const ClassAWS = 0x0108

// AWSGeneve are the options a Gateway Load Balancer adds. The Has fields tell which
// were there. AWS: "GENEVE encapsulation" of Gateway Load Balancers.
type AWSGeneve struct {
	Endpoint      uint64 // type 1: the last 16 hexadecimal digits of the id of the endpoint's network interface
	Attachment    uint64 // type 2
	Cookie        uint32 // type 3: the same for both directions of a flow
	HasEndpoint   bool
	HasAttachment bool
	HasCookie     bool
}

// AWS returns the options of class ClassAWS; of a type that comes twice the first
// counts, one with a wrong length is ignored.
func (g *GENEVE) AWS() AWSGeneve {
	var a AWSGeneve
	for it := g.Iter(); it.Next(); {
		o := it.Option
		if o.Class != ClassAWS {
			continue
		}
		switch {
		case o.Type == 1 && len(o.Data) == 8 && !a.HasEndpoint:
			a.Endpoint, a.HasEndpoint = uint64(be32(o.Data))<<32|uint64(be32(o.Data[4:])), true
		case o.Type == 2 && len(o.Data) == 8 && !a.HasAttachment:
			a.Attachment, a.HasAttachment = uint64(be32(o.Data))<<32|uint64(be32(o.Data[4:])), true
		case o.Type == 3 && len(o.Data) == 4 && !a.HasCookie:
			a.Cookie, a.HasCookie = be32(o.Data), true
		}
	}
	return a
}

// GENEVEOption is one option of a GENEVE header.
type GENEVEOption struct {
	Class    uint16
	Type     uint8 // without the critical bit
	Critical bool
	Data     []byte
}

// GENEVEOptions walks the options of a GENEVE header.
type GENEVEOptions struct {
	Option GENEVEOption
	rest   []byte
}

// Iter returns an iterator over the options.
func (g *GENEVE) Iter() GENEVEOptions { return GENEVEOptions{rest: g.Options} }

// Next goes to the next option; false when there is none.
func (o *GENEVEOptions) Next() bool {
	if len(o.rest) < 4 {
		return false
	}
	n := 4 + int(o.rest[3]&0x1f)*4
	if n > len(o.rest) {
		return false
	}
	o.Option = GENEVEOption{
		Class:    be16(o.rest),
		Type:     o.rest[2] & 0x7f,
		Critical: o.rest[2]&0x80 != 0,
		Data:     o.rest[4:n:n],
	}
	o.rest = o.rest[n:]
	return true
}

// geneve looks for a GENEVE header in the UDP payload of p.
func (d *Decoder) geneve(p *Parsed, in *inner) {
	g, ok := ParseGENEVE(p.Data[p.Payload:p.PayloadEnd])
	if !ok {
		return
	}
	kind := geneveInner(g.Protocol)
	if len(g.Inner) == 0 {
		return
	}
	p.Seen |= SeenGENEVE
	if kind == innerNone {
		p.fail(GENEVEUnknownPayloadType)
		return
	}
	in.set(kind, p.PayloadEnd-len(g.Inner), p.PayloadEnd, FromTunnelGENEVE)
	in.vni = g.VNI
}

func geneveInner(proto uint16) innerKind {
	switch proto {
	case etBridge:
		return innerEthernet
	case etIPv4:
		return innerIPv4
	case etIPv6:
		return innerIPv6
	case etARP:
		return innerARP
	}
	return innerNone
}

// bareGENEVE decodes a datagram that begins with a GENEVE header.
func (d *Decoder) bareGENEVE(p *Parsed, in *inner) {
	g, ok := ParseGENEVE(p.Data)
	if !ok {
		return
	}
	p.Seen |= SeenGENEVE
	kind := geneveInner(g.Protocol)
	p.skip(len(p.Data) - len(g.Inner))
	p.VNI, p.Source = g.VNI, FromTunnelGENEVE
	if kind == innerNone {
		p.fail(GENEVEUnknownPayloadType)
		return
	}
	d.inner(p, kind, in)
}

// teredo looks for IPv6 in the UDP payload of p (RFC 4380 section 5.1.1): after an
// authentication and an origin header, either of which may be missing. The IPv6
// header must fit the datagram exactly; otherwise it is something else on that port.
func (d *Decoder) teredo(p *Parsed, in *inner) {
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 {
		n := 4 + int(b[2]) + int(b[3]) + 9 // ids, nonce and confirmation
		if n > len(b) {
			return
		}
		b = b[n:]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b = b[8:]
	}
	if len(b) < lenIPv6 || b[0]>>4 != 6 {
		return
	}
	if n := lenIPv6 + int(be16(b[4:6])); n != len(b) && !(p.Truncated && n > len(b)) {
		return
	}
	p.Seen |= SeenTeredo
	in.set(innerIPv6, p.PayloadEnd-len(b), p.PayloadEnd, FromTunnelTeredo)
}

// GRE flag bits (RFC 2784, 1701, 2637).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSeq      = 0x1000
	greSSR      = 0x0800
	greRecur    = 0x0700
	greAck      = 0x0080 // version 1
	greFlags0   = 0x00f8
	greFlags1   = 0x0078
	greVersion  = 0x0007
)

// gre decodes a GRE header at p.Payload. What it carries is a packet of its own.
func (d *Decoder) gre(p *Parsed, in *inner) {
	p.Seen |= SeenGRE
	if !d.enter(p) {
		return
	}
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < 4 {
		p.short(GREPktTooSmall)
		return
	}
	flags, proto := be16(b[0:2]), be16(b[2:4])
	var n int
	var e Event
	switch flags & greVersion {
	case 0:
		n, e = gre0(b, flags)
	case 1:
		n, e = gre1(b, flags, proto)
	default:
		e = GREWrongVersion
	}
	if e != EventNone {
		p.short(e)
		return
	}
	kind, src := innerNone, FromTunnelGRE
	switch proto {
	case etIPv4:
		kind = innerIPv4
	case etIPv6:
		kind = innerIPv6
	case etPPP:
		kind = innerPPP
	case etVLAN:
		kind = innerVLAN
	case etBridge:
		kind = innerEthernet
	case etERSPAN:
		src = FromTunnelERSPAN
		if flags&greSeq != 0 {
			kind = innerERSPAN2
		} else if !d.opts.NoERSPANI {
			kind = innerEthernet
		}
		if kind != innerNone {
			p.Seen |= SeenERSPAN
		}
	}
	in.set(kind, p.Payload+n, p.PayloadEnd, src)
}

// gre0 returns the length of a version 0 header.
func gre0(b []byte, flags uint16) (int, Event) {
	if flags&greRecur != 0 {
		return 0, GREVersion0Recur
	}
	if flags&greFlags0 != 0 {
		return 0, GREVersion0Flags
	}
	n := 4
	if flags&(greChecksum|greRouting) != 0 {
		n += 4
	}
	if flags&greKey != 0 {
		n += 4
	}
	if flags&greSeq != 0 {
		n += 4
	}
	if n > len(b) {
		return 0, GREVersion0HdrTooBig
	}
	if flags&greRouting == 0 {
		return n, EventNone
	}
	for { // source route entries, ended by one of family 0 and length 0 (RFC 1701)
		if n+4 > len(b) {
			return 0, GREVersion0MalformedSREHdr
		}
		family, size := be16(b[n:n+2]), int(b[n+3])
		n += 4
		if family == 0 && size == 0 {
			return n, EventNone
		}
		if n += size; n > len(b) {
			return 0, GREVersion0MalformedSREHdr
		}
	}
}

// gre1 returns the length of a version 1 header, which PPTP uses.
func gre1(b []byte, flags, proto uint16) (int, Event) {
	switch {
	case flags&greChecksum != 0:
		return 0, GREVersion1Chksum
	case flags&greRouting != 0:
		return 0, GREVersion1Route
	case flags&greSSR != 0:
		return 0, GREVersion1SSR
	case flags&greRecur != 0:
		return 0, GREVersion1Recur
	case flags&greFlags1 != 0:
		return 0, GREVersion1Flags
	case proto != etPPP:
		return 0, GREVersion1WrongProtocol
	case flags&greKey == 0:
		return 0, GREVersion1NoKey
	}
	n := 8
	if flags&greSeq != 0 {
		n += 4
	}
	if flags&greAck != 0 {
		n += 4
	}
	if n > len(b) {
		return 0, GREVersion1HdrTooBig
	}
	return n, EventNone
}

const lenERSPAN2 = 8

// erspan2 decodes an ERSPAN type II header and the Ethernet frame after it.
func (d *Decoder) erspan2(p *Parsed, in *inner) {
	if !d.enter(p) {
		return
	}
	if len(p.Data) < lenERSPAN2 {
		p.fail(ERSPANHeaderTooSmall)
		return
	}
	v := be16(p.Data)
	if v>>12 != 1 {
		p.fail(ERSPANUnsupportedVersion)
		return
	}
	if id := v & 0x0fff; id != 0 {
		p.VLAN[0], p.NVLAN = id, 1
	}
	d.ethernet(p, lenERSPAN2, in)
}

// nsh decodes a network service header (RFC 8300) at off. What it carries is part of
// the same packet.
func (d *Decoder) nsh(p *Parsed, off int, in *inner) {
	p.Seen |= SeenNSH
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) < 8 {
		p.fail(NSHHeaderTooSmall)
		return
	}
	v := be16(b)
	if v>>14 != 0 {
		p.fail(NSHUnsupportedVersion)
		return
	}
	n := int(v&0x3f) * 4
	if n < 8 || n > len(b) {
		p.fail(NSHBadHeaderLength)
		return
	}
	switch mdType := b[2] & 0x0f; mdType {
	case 0, 15:
		p.fail(NSHReservedType)
		return
	case 1:
		if n != 24 {
			p.fail(NSHBadHeaderLength)
			return
		}
	case 2:
	default:
		p.fail(NSHUnsupportedType)
		return
	}
	switch b[3] {
	case 1:
		p.EtherType = etIPv4
		d.ipv4(p, off+n, in)
		return
	case 2:
		p.EtherType = etIPv6
		d.ipv6(p, off+n, in)
		return
	case 3:
		d.ethernet(p, off+n, in)
		return
	}
	p.fail(NSHUnknownPayload)
}
