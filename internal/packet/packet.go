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
	ProtoICMP   = 1
	ProtoIPIP   = 4
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoIPv6   = 41
	ProtoGRE    = 47
	ProtoESP    = 50
	ProtoAH     = 51
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
)

// Link is a pcap link type (LINKTYPE_ values of tcpdump.org/linktypes.html).
type Link uint16

// The link types a capture may have.
const (
	LinkNull     Link = 0
	LinkEthernet Link = 1
	LinkRaw12    Link = 12
	LinkRaw      Link = 101
	LinkLoop     Link = 108
	LinkSLL      Link = 113
	LinkIPv4     Link = 228
	LinkIPv6     Link = 229
	LinkSLL2     Link = 276
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
	DepthNone Depth = iota
	DepthLink       // link header read
	DepthNet        // IP (or ARP) header read
	DepthTransport  // TCP, UDP, ICMP, SCTP header read
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
	Proto     uint8 // upper-layer protocol, after IPv6 extension headers
	TTL       uint8
	TOS       uint8
	Src, Dst  Addr
	IPID      uint32 // IPv4 identification, or the id of the IPv6 fragment header
	L3        int    // offset of the IP header
	L3Len     int    // length of the IP header with options or extension headers
	IPEnd     int    // end of the IP packet by its own length field, at most len(Data)
	IPTotal   int    // the length the IP header claims, header included

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
	Seq, Ack   uint32
	Flags      uint8 // FIN SYN RST PSH ACK URG ECE CWR from bit 0
	Window     uint16
	Urgent     uint16
	WScale     uint8 // shift, valid when HasWScale
	MSS        uint16
	HasWScale  bool
	HasMSS     bool
	HasTS      bool
	SACKOK     bool
	HasSACK    bool
	TSVal      uint32
	TSEcr      uint32
	ICMPType   uint8
	ICMPCode   uint8
	ICMPID     uint16 // echo id; 0 otherwise
	ICMPSeq    uint16
	// ICMPInner is the offset of the IP header quoted in an ICMP error, 0 when none.
	ICMPInner int

	// Truncated tells that the frame was cut before the end of the IP packet
	// (mirror session packet length, target MTU, or capture length). Checksums of
	// such a packet are not looked at and its payload is not taken as whole.
	Truncated bool

	VNI    uint32 // of the VXLAN or GENEVE header this packet came in, when Source says so
	Layers uint8  // layers decoded so far, over all tunnels (bounded by MaxLayers)

	NEvents uint8
	Events  [MaxEvents]Event
}

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
