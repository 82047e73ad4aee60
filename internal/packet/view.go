package packet

// IPHeader returns the IP header with its options or extension headers; nil when
// there is none.
func (p *Parsed) IPHeader() []byte {
	if p.IPVersion == 0 || p.Depth < DepthNet {
		return nil
	}
	return p.Data[p.L3 : p.L3+p.L3Len : p.L3+p.L3Len]
}

// IPv4Header returns the IPv4 header with its options (keyword ipv4.hdr); nil when
// p is not IPv4.
func (p *Parsed) IPv4Header() []byte {
	if p.IPVersion != 4 {
		return nil
	}
	return p.IPHeader()
}

// IPv6Header returns the IPv6 header with its extension headers (keyword ipv6.hdr);
// nil when p is not IPv6.
func (p *Parsed) IPv6Header() []byte {
	if p.IPVersion != 6 {
		return nil
	}
	return p.IPHeader()
}

// L4Header returns the transport header with its options: keywords tcp.hdr, udp.hdr,
// icmpv4.hdr, icmpv6.hdr, sctp.hdr; nil when Depth does not reach it.
func (p *Parsed) L4Header() []byte {
	if p.Depth < DepthTransport {
		return nil
	}
	return p.Data[p.L4 : p.L4+p.L4Len : p.L4+p.L4Len]
}

// IsTCP, IsUDP, IsICMPv4 and IsICMPv6 tell whether p has this header whole.
func (p *Parsed) IsTCP() bool    { return p.Depth == DepthTransport && p.Proto == ProtoTCP }
func (p *Parsed) IsUDP() bool    { return p.Depth == DepthTransport && p.Proto == ProtoUDP }
func (p *Parsed) IsICMPv4() bool { return p.Depth == DepthTransport && p.Proto == ProtoICMP }
func (p *Parsed) IsICMPv6() bool { return p.Depth == DepthTransport && p.Proto == ProtoICMPv6 }

// IsSCTP tells whether p has an SCTP common header.
func (p *Parsed) IsSCTP() bool { return p.Depth == DepthTransport && p.Proto == ProtoSCTP }

// WantsFlow tells whether Suricata keeps a flow for such a packet: TCP, UDP, SCTP,
// ICMP, ESP, and IP in IP (the outer packet); not fragments, not GRE, nor other
// protocols.
func (p *Parsed) WantsFlow() bool {
	switch p.Depth {
	case DepthTransport:
		return true
	case DepthNet:
		return p.Seen&(SeenIPv4InIPv4|SeenIPv6InIPv4|SeenIPv4InIPv6|SeenIPv6InIPv6) != 0
	}
	return false
}

// TCPOption is one option of a TCP header.
type TCPOption struct {
	Kind byte
	Data []byte // after the length byte; nil for EOL and NOP
}

// TCPOptions walks the options of a TCP header. It stops after the end of the list
// (which it yields), or where the list is malformed.
type TCPOptions struct {
	Option TCPOption
	rest   []byte
}

// TCPOptions returns an iterator over p's TCP options; empty when p is not TCP.
func (p *Parsed) TCPOptions() TCPOptions {
	if !p.IsTCP() || p.L4Len <= lenTCP {
		return TCPOptions{}
	}
	return TCPOptions{rest: p.Data[p.L4+lenTCP : p.L4+p.L4Len]}
}

// Next goes to the next option; false when there is none.
func (o *TCPOptions) Next() bool {
	if len(o.rest) == 0 {
		return false
	}
	kind := o.rest[0]
	switch kind {
	case TCPOptEOL:
		o.Option, o.rest = TCPOption{Kind: kind}, nil
		return true
	case TCPOptNOP:
		o.Option, o.rest = TCPOption{Kind: kind}, o.rest[1:]
		return true
	}
	if len(o.rest) < 2 || o.rest[1] < 2 || int(o.rest[1]) > len(o.rest) {
		o.rest = nil
		return false
	}
	n := o.rest[1]
	o.Option = TCPOption{Kind: kind, Data: o.rest[2:n:n]}
	o.rest = o.rest[n:]
	return true
}

// SCTPChunk is one chunk of an SCTP packet (RFC 9260 section 3.2).
type SCTPChunk struct {
	Type, Flags uint8
	Length      uint16 // as claimed, its 4 bytes of header included
	Data        []byte // the value, cut where the packet ends
}

// SCTPChunks walks the chunks of an SCTP packet.
type SCTPChunks struct {
	Chunk SCTPChunk
	rest  []byte
}

// SCTPChunks returns an iterator over p's chunks; empty when p is not SCTP.
func (p *Parsed) SCTPChunks() SCTPChunks {
	if !p.IsSCTP() {
		return SCTPChunks{}
	}
	return SCTPChunks{rest: p.PayloadBytes()}
}

// Next goes to the next chunk; false when there is none, or one with a length below 4.
func (s *SCTPChunks) Next() bool {
	if len(s.rest) < 4 {
		return false
	}
	n := int(be16(s.rest[2:4]))
	if n < 4 {
		s.rest = nil
		return false
	}
	end := min(n, len(s.rest))
	s.Chunk = SCTPChunk{Type: s.rest[0], Flags: s.rest[1], Length: uint16(n), Data: s.rest[4:end:end]}
	s.rest = s.rest[min((n+3)&^3, len(s.rest)):] // padded to 4 bytes
	return true
}

// SCTPVTag returns the verification tag of an SCTP packet.
func (p *Parsed) SCTPVTag() (uint32, bool) {
	if !p.IsSCTP() {
		return 0, false
	}
	return be32(p.Data[p.L4+4:]), true
}

// IGMPHeader returns an IGMP message (RFC 2236, 3376): type in its first byte. nil
// when p is not IGMP or has less than 8 bytes of it.
func (p *Parsed) IGMPHeader() []byte {
	if p.IPVersion != 4 || p.Depth < DepthNet || p.Proto != ProtoIGMP || p.Fragment {
		return nil
	}
	if b := p.PayloadBytes(); len(b) >= 8 {
		return b
	}
	return nil
}

// Quoted is the start of a packet that an ICMP error quotes.
type Quoted struct {
	Tuple    Tuple
	Fragment bool // not a first fragment: the ports are not there
	HasPorts bool // TCP, UDP or SCTP with both ports in the quote
}

// Quoted returns what an ICMP error is about: the tuple of the packet as it was
// sent. ok is false when p quotes none.
func (p *Parsed) Quoted() (q Quoted, ok bool) {
	if p.ICMPInner == 0 {
		return Quoted{}, false
	}
	b := p.Data[p.ICMPInner:p.PayloadEnd]
	t := &q.Tuple
	switch p.IPVersion {
	case 4:
		hlen := int(b[0]&0x0f) * 4
		if hlen < lenIPv4 || hlen > len(b) {
			return Quoted{}, false
		}
		t.Src, t.Dst = AddrFrom4([4]byte(b[12:16])), AddrFrom4([4]byte(b[16:20]))
		t.Proto = b[9]
		q.Fragment = be16(b[6:8])&0x1fff != 0
		b = b[hlen:]
	case 6:
		t.Src, t.Dst = Addr(b[8:24]), Addr(b[24:40])
		t.Proto = b[6]
		b = b[lenIPv6:]
	default:
		return Quoted{}, false
	}
	t.Version = p.IPVersion
	switch t.Proto {
	case ProtoTCP, ProtoUDP, ProtoSCTP:
		if !q.Fragment && len(b) >= 4 {
			t.SrcPort, t.DstPort = be16(b[0:2]), be16(b[2:4])
			q.HasPorts = true
		}
	}
	return q, true
}

// OwnProto returns the protocol that the packet itself carries: ProtoFragment for an
// IPv6 fragment, whatever it is a part of, else Proto.
func (p *Parsed) OwnProto() uint8 {
	if p.Fragment && p.IPVersion == 6 {
		return ProtoFragment
	}
	return p.Proto
}
