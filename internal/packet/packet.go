// Package packet turns frames into headers and headers into frames: Ethernet,
// VLAN, MPLS, PPPoE, IPv4, IPv6, TCP, UDP, ICMP, SCTP, GRE, IP-in-IP, VXLAN and
// GENEVE.
//
// It keeps no state between packets, reassembles nothing and allocates nothing.
// A header is read only after its whole length was checked; what is cut or wrong
// sets an Event and a lower Depth, it is never guessed. Every station after
// capture uses it. Shape and limits follow the RFCs named at each header.
package packet

// Addr is an IPv4 or IPv6 address in 16 bytes, IPv4 as ::ffff:a.b.c.d. Which of
// the two it is says Parsed.IPVersion or Tuple.Version.
type Addr [16]byte

// Tuple names a conversation in one direction. For ICMP the ports are 0 unless
// the flow room says otherwise.
type Tuple struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
	Proto            uint8 // IP protocol number
	Version          uint8 // 4 or 6
}

// Reverse returns t seen from the other end.
func (t Tuple) Reverse() Tuple {
	t.Src, t.Dst = t.Dst, t.Src
	t.SrcPort, t.DstPort = t.DstPort, t.SrcPort
	return t
}

// IP protocol numbers used by the pipeline (IANA protocol numbers).
const (
	ProtoHopOpts  = 0 // IPv6 hop-by-hop options
	ProtoICMP     = 1
	ProtoIGMP     = 2
	ProtoIPIP     = 4
	ProtoTCP      = 6
	ProtoUDP      = 17
	ProtoIPv6     = 41
	ProtoRouting  = 43
	ProtoFragment = 44
	ProtoGRE      = 47
	ProtoESP      = 50
	ProtoAH       = 51
	ProtoICMPv6   = 58
	ProtoNone     = 59
	ProtoDstOpts  = 60
	ProtoSCTP     = 132
	ProtoMobility = 135
	ProtoHIP      = 139
	ProtoShim6    = 140
)

// Link is a pcap link type (LINKTYPE_ values of tcpdump.org/linktypes.html).
type Link uint16

// The link types a capture may have.
const (
	LinkNull     Link = 0
	LinkEthernet Link = 1
	LinkPPP      Link = 9
	LinkRaw12    Link = 12
	LinkRaw      Link = 101
	LinkCHDLC    Link = 104
	LinkLoop     Link = 108
	LinkSLL      Link = 113
	LinkIPv4     Link = 228
	LinkIPv6     Link = 229
	LinkSLL2     Link = 276
)

// Link types of our own, outside the range of LINKTYPE_ values in use: the payload
// of a datagram that a socket has received, which begins with the tunnel header.
const (
	LinkVXLAN  Link = 0xff01 // VXLAN header (RFC 7348), then Ethernet
	LinkGENEVE Link = 0xff02 // GENEVE header (RFC 8926), then what it says
)

// Source tells how a packet came to be; EVE's pkt_src shows it.
type Source uint8

// Where a packet is from.
const (
	FromWire Source = iota // the captured frame itself
	FromTunnelGRE
	FromTunnelIPv4 // IPv4 in IPv4 or in IPv6
	FromTunnelIPv6 // IPv6 in IPv4 or in IPv6
	FromTunnelTeredo
	FromTunnelVXLAN
	FromTunnelGENEVE
	FromTunnelERSPAN
	FromTunnelNSH
	FromDefrag    // put together from fragments
	FromFlowEnd   // pseudo packet made when a flow ends with data not yet inspected
	FromStreamEnd // pseudo packet made when a stream is given up
)

// Depth says how far decoding got. A stage looks only at the headers that Depth
// includes.
type Depth uint8

// The depths, from nothing to payload.
const (
	DepthNone      Depth = iota
	DepthLink            // link header read
	DepthNet             // IP (or ARP) header read
	DepthTransport       // TCP, UDP, ICMP, SCTP header read
)

// MaxVLAN is the number of VLAN tags decoded (Suricata decodes 3).
const MaxVLAN = 3

// MaxLayers bounds the number of layers of one packet: link, VLAN, MPLS, IP,
// tunnel headers each count one (Suricata: decoder.max-layers, 16).
const MaxLayers = 16

// MaxEvents is the number of events one packet keeps; later ones are counted but
// not kept (Suricata keeps 15).
const MaxEvents = 15

// Parsed is one packet with its headers found. All offsets count from Data[0].
// It holds no bytes of its own: it is valid as long as Data is.
type Parsed struct {
	Data    []byte // from the first byte of this layer's link header (or IP header inside IP tunnels) to the end
	WireLen int    // length on the wire, >= len(Data); longer means the frame was cut
	Time    int64  // Unix nanoseconds
	Link    Link
	Source  Source
	Depth   Depth

	EtherSrc, EtherDst [6]byte
	HasEther           bool
	EtherType          uint16 // after VLAN tags, MPLS and PPPoE
	NVLAN              uint8
	VLAN               [MaxVLAN]uint16 // VLAN ids, outermost first

	IPVersion uint8 // 0, 4 or 6; set when Depth >= DepthNet
	// Proto is the upper-layer protocol, after IPv6 extension headers. Where no header
	// follows them (59), it is the last of them, and 0 if there is none, as for
	// Suricata.
	Proto    uint8
	TTL      uint8
	TOS      uint8
	Src, Dst Addr
	IPID     uint32 // IPv4 identification, or the id of the IPv6 fragment header
	L3       int    // offset of the IP header
	L3Len    int    // length of the IP header with options or extension headers
	IPEnd    int    // end of the IP packet by its own length field, at most len(Data)
	IPTotal  int    // the length the IP header claims, header included

	Fragment   bool   // part of a fragmented packet
	FragOffset uint16 // in bytes
	MoreFrags  bool
	DontFrag   bool

	L4               int // offset of the transport header
	L4Len            int // its length with options
	SrcPort, DstPort uint16
	Payload          int // offset of the payload; Payload == PayloadEnd when there is none
	PayloadEnd       int

	// TCP (RFC 9293)
	Seq, Ack  uint32
	Flags     uint8 // FIN SYN RST PSH ACK URG ECE CWR from bit 0
	Window    uint16
	Urgent    uint16
	WScale    uint8 // shift, valid when HasWScale
	MSS       uint16
	HasWScale bool
	HasMSS    bool
	HasTS     bool
	SACKOK    bool
	HasSACK   bool
	TSVal     uint32
	TSEcr     uint32
	ICMPType  uint8
	ICMPCode  uint8
	ICMPID    uint16 // echo id; 0 otherwise
	ICMPSeq   uint16
	// ICMPInner is the offset of the IP header quoted in an ICMP error, 0 when none.
	ICMPInner int

	// Truncated tells that the frame was cut before the end of the IP packet
	// (mirror session packet length, target MTU, or capture length). Checksums of
	// such a packet are not looked at and its payload is not taken as whole.
	Truncated bool

	VNI    uint32 // of the VXLAN or GENEVE header this packet came in, when Source says so
	Layers uint8  // layers decoded so far, over all tunnels (bounded by MaxLayers)

	// Seen is the set of headers met while decoding this packet, those of the
	// tunnels it carries included up to where the next Parsed begins.
	Seen LayerSet
	// Invalid tells that a header is wrong, not only odd (Suricata: counter
	// decoder.invalid). It says nothing of how far decoding went: that is Depth.
	Invalid bool
	// Recursion is the number of tunnels around this packet (Suricata:
	// recursion level); packets of different levels are different flows.
	Recursion uint8
	// Ether is the offset of the Ethernet header, valid when HasEther, and
	// EtherHdrType the type field in it (EVE ether.ether_type), before VLAN tags
	// and the like.
	Ether        int
	EtherHdrType uint16
	// SPI is the security parameters index of an ESP header.
	SPI uint32
	// FragHdr is the offset of the IPv6 fragment header and FragNext that of the
	// byte that announces it (a next header field with 44 in it); both 0 when
	// there is none. Of several fragment headers the first counts.
	FragHdr, FragNext int

	csum Checksum // of the transport, once looked at

	NEvents uint8
	Events  [MaxEvents]Event
}

// LayerSet is a set of header kinds; one bit each.
type LayerSet uint64

// The header kinds, named as Suricata's decoder counters are.
const (
	SeenEthernet LayerSet = 1 << iota
	SeenRaw
	SeenNull
	SeenSLL
	SeenSLL2
	SeenPPP
	SeenPPPoE
	SeenCHDLC
	SeenVLAN // one tag or more
	SeenQinQ // two or more
	SeenQinQinQ
	SeenVNTag
	SeenIEEE8021AH
	SeenMPLS
	SeenARP
	SeenUnknownEtherType
	SeenDCE
	SeenNSH
	SeenIPv4
	SeenIPv6
	SeenTCP
	SeenUDP
	SeenSCTP
	SeenESP
	SeenICMPv4
	SeenICMPv6
	SeenIGMP
	SeenGRE
	SeenERSPAN
	SeenTeredo
	SeenVXLAN
	SeenGENEVE
	SeenIPv4InIPv4
	SeenIPv6InIPv4
	SeenIPv4InIPv6
	SeenIPv6InIPv6
	SeenAH
)

// Has tells whether all kinds of x are in s.
func (s LayerSet) Has(x LayerSet) bool { return s&x == x }

// TCP flag bits.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// PayloadBytes returns the transport payload (or, without a transport header,
// what follows the IP header).
func (p *Parsed) PayloadBytes() []byte {
	if p.Payload > p.PayloadEnd || p.PayloadEnd > len(p.Data) {
		return nil
	}
	return p.Data[p.Payload:p.PayloadEnd:p.PayloadEnd]
}

// Tuple returns the addresses and ports of p as sent.
func (p *Parsed) Tuple() Tuple {
	return Tuple{Src: p.Src, Dst: p.Dst, SrcPort: p.SrcPort, DstPort: p.DstPort, Proto: p.Proto, Version: p.IPVersion}
}

// AddEvent records e; when the table is full the event is dropped.
func (p *Parsed) AddEvent(e Event) {
	if p.NEvents < MaxEvents {
		p.Events[p.NEvents] = e
		p.NEvents++
	}
}

// HasEvent tells whether e was recorded.
func (p *Parsed) HasEvent(e Event) bool {
	for _, x := range p.Events[:p.NEvents] {
		if x == e {
			return true
		}
	}
	return false
}

// fail records e and marks p invalid.
func (p *Parsed) fail(e Event) {
	p.AddEvent(e)
	p.Invalid = true
}
