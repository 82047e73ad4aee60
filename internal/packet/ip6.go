package packet

// ipv6 decodes an IPv6 header (RFC 8200) at off and what it carries.
func (d *Decoder) ipv6(p *Parsed, off int, in *inner) {
	p.Seen |= SeenIPv6
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) < lenIPv6 {
		p.fail(IPv6PktTooSmall)
		return
	}
	h := b[:lenIPv6:lenIPv6]
	if h[0]>>4 != 6 {
		p.fail(IPv6WrongIPVersion)
		return
	}
	total := lenIPv6 + int(be16(h[4:6]))
	end := off + total
	if total > len(b) {
		p.AddEvent(IPv6TruncPkt)
		p.Truncated = true
		end = len(p.Data)
		if d.opts.StopTruncated && p.Recursion == 0 {
			p.Invalid = true
			return
		}
	}
	p.IPVersion = 6
	p.TOS = byte(be16(h[0:2]) >> 4)
	p.TTL = h[7]
	p.Proto = h[6]
	p.Src = Addr(h[8:24])
	p.Dst = Addr(h[24:40])
	p.L3, p.L3Len, p.IPEnd, p.IPTotal = off, lenIPv6, end, total
	p.Payload, p.PayloadEnd = off+lenIPv6, end
	p.Depth = DepthNet
	if !d.upper6(p, in) {
		d.extHdrs(p, in)
	}
}

// upper6 decodes what p.Proto says at p.Payload. done is false when p.Proto is an
// extension header, or is not known.
func (d *Decoder) upper6(p *Parsed, in *inner) (done bool) {
	switch p.Proto {
	case ProtoTCP:
		d.tcp(p)
	case ProtoUDP:
		d.udp(p, in)
	case ProtoICMPv6:
		d.icmp6(p)
	case ProtoSCTP:
		d.sctp(p)
	case ProtoGRE:
		d.gre(p, in)
	case ProtoESP:
		d.esp(p)
	case ProtoIPIP:
		d.ip4in6(p, in)
	case ProtoIPv6:
		d.ip6in6(p, in)
	case ProtoICMP:
		p.AddEvent(IPv6WithICMPv4)
	default:
		return false
	}
	return true
}

func (d *Decoder) ip4in6(p *Parsed, in *inner) {
	b := p.Data[p.Payload:p.IPEnd]
	if len(b) < lenIPv4 {
		p.fail(IPv6IPv4InIPv6TooSmall)
		return
	}
	if b[0]>>4 != 4 {
		p.fail(IPv6IPv4InIPv6WrongVersion)
		return
	}
	p.Seen |= SeenIPv4InIPv6
	in.set(innerIPv4, p.Payload, p.IPEnd, FromTunnelIPv4)
}

func (d *Decoder) ip6in6(p *Parsed, in *inner) {
	b := p.Data[p.Payload:p.IPEnd]
	if len(b) < lenIPv6 {
		p.fail(IPv6IPv6InIPv6TooSmall)
		return
	}
	if b[0]>>4 != 6 {
		p.fail(IPv6IPv6InIPv6WrongVersion)
		return
	}
	p.Seen |= SeenIPv6InIPv6
	in.set(innerIPv6, p.Payload, p.IPEnd, FromTunnelIPv6)
}

// extSeen are the extension headers that one packet has had, to find duplicates.
type extSeen struct {
	hop, route, frag, ah bool
	dst                  uint8
}

// extHdrs walks the chain of extension headers. It is linear: every header is at
// least 8 bytes, and the chain ends at the end of the packet.
func (d *Decoder) extHdrs(p *Parsed, in *inner) {
	var seen extSeen
	nextAt := p.L3 + 6 // where the type of the header at p.Payload is announced
	last := uint8(ProtoHopOpts)
	for {
		b := p.Data[p.Payload:p.IPEnd]
		if p.Proto == ProtoNone {
			if len(b) > 0 {
				p.AddEvent(IPv6DataAfterNoneHeader)
			}
			p.Proto = last
			return
		}
		if len(b) < 2 {
			p.short(IPv6TruncExtHdr)
			return
		}
		var n int
		switch p.Proto {
		case ProtoHopOpts, ProtoDstOpts, ProtoRouting, ProtoMobility, ProtoHIP, ProtoShim6:
			n = (int(b[1]) + 1) * 8
		case ProtoFragment:
			n = 8
		case ProtoAH:
			n = max((int(b[1])+2)*4, 12) // RFC 4302 section 2.2
		default:
			if !d.upper6(p, in) {
				p.AddEvent(IPv6UnknownNextHeader)
			}
			return
		}
		if n > len(b) {
			p.short(IPv6TruncExtHdr)
			return
		}
		kind, at := p.Proto, p.Payload
		last = kind
		first := kind == ProtoFragment && !seen.frag
		extEvents(p, &seen, kind, b[:n])
		p.Proto = b[0]
		p.L3Len += n
		p.Payload += n
		// Suricata skips a second fragment header, whatever is in it.
		if first {
			p.FragHdr, p.FragNext = at, nextAt
			if fragment6(p, b[:n]) {
				return
			}
		}
		nextAt = at
	}
}

// fragment6 reads a fragment header (RFC 8200 section 4.5). It returns true when p is
// a fragment: what follows is read when it is put together. One with offset 0 and
// without more to come is not (RFC 6946).
func fragment6(p *Parsed, h []byte) bool {
	p.IPID = be32(h[4:8])
	v := be16(h[2:4])
	if v&0xfff9 == 0 {
		p.AddEvent(IPv6ExtHdrUselessFH)
		return false
	}
	p.Fragment = true
	p.MoreFrags = v&1 != 0
	p.FragOffset = v &^ 7
	if p.MoreFrags && !p.Truncated && (p.PayloadEnd-p.Payload)%8 != 0 {
		p.AddEvent(IPv6FragInvalidLength)
	}
	return true
}

// extEvents raises the events of one extension header h.
func extEvents(p *Parsed, seen *extSeen, kind uint8, h []byte) {
	switch kind {
	case ProtoHopOpts:
		if seen.hop {
			p.AddEvent(IPv6ExtHdrDuplHH)
			return
		}
		seen.hop = true
		checkOptions6(p, h[2:], IPv6HopOptsUnknownOpt, IPv6HopOptsOnlyPadding)
	case ProtoDstOpts:
		// Twice is right: before a routing header and before the payload.
		if seen.dst >= 2 {
			p.AddEvent(IPv6ExtHdrDuplDH)
			return
		}
		seen.dst++
		checkOptions6(p, h[2:], IPv6DstOptsUnknownOpt, IPv6DstOptsOnlyPadding)
	case ProtoRouting:
		if seen.route {
			p.AddEvent(IPv6ExtHdrDuplRH)
			return
		}
		seen.route = true
		if h[2] == 0 {
			p.AddEvent(IPv6RHType0)
		}
	case ProtoFragment:
		if h[1] != 0 {
			p.AddEvent(IPv6FHNonZeroReservedField)
		}
		if seen.frag {
			p.AddEvent(IPv6ExtHdrDuplFH)
			return
		}
		seen.frag = true
	case ProtoAH:
		p.Seen |= SeenAH
		if be16(h[2:4]) != 0 {
			p.AddEvent(IPv6ExtHdrAHResNotNull)
		}
		if seen.ah {
			p.AddEvent(IPv6ExtHdrDuplAH)
			return
		}
		seen.ah = true
	}
}

// IPv6 option types (RFC 8200 section 4.2, 2711, 2675, 6275).
const (
	opt6Pad1        = 0
	opt6PadN        = 1
	opt6RouterAlert = 5
	opt6Jumbo       = 0xc2
	opt6HomeAddr    = 0xc9
)

// checkOptions6 raises the events of the options of a hop-by-hop or destination
// options header.
func checkOptions6(p *Parsed, opts []byte, unknown, onlyPadding Event) {
	padding, other := 0, 0
	for len(opts) > 0 {
		if opts[0] == opt6Pad1 {
			padding++
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 {
			p.fail(IPv6ExtHdrInvalidOptLen)
			return
		}
		n := int(opts[1])
		if n+2 > len(opts) {
			p.fail(IPv6ExtHdrInvalidOptLen)
			return
		}
		want := -1
		switch opts[0] {
		case opt6PadN:
			padding++
			if n == 0 {
				p.AddEvent(IPv6ZeroLenPadN)
			}
		case opt6RouterAlert:
			other, want = other+1, 2
		case opt6Jumbo:
			other, want = other+1, 4
		case opt6HomeAddr:
			other, want = other+1, 16
		default:
			other++
			p.AddEvent(unknown)
		}
		if want >= 0 && n != want {
			p.fail(IPv6ExtHdrInvalidOptLen)
			return
		}
		opts = opts[n+2:]
	}
	if padding > 0 && other == 0 {
		p.AddEvent(onlyPadding)
	}
}

// ExtHdr is one IPv6 extension header.
type ExtHdr struct {
	Proto uint8  // its type
	Next  uint8  // the type of what follows
	Data  []byte // the header, next header byte included
}

// ExtHdrs walks the extension headers of an IPv6 packet, up to the fragment header
// of a fragment.
type ExtHdrs struct {
	Hdr  ExtHdr
	rest []byte
	next uint8
}

// ExtHdrs returns an iterator over p's extension headers; empty when p is not IPv6.
func (p *Parsed) ExtHdrs() ExtHdrs {
	if p.IPVersion != 6 || p.L3Len <= lenIPv6 {
		return ExtHdrs{}
	}
	return ExtHdrs{rest: p.Data[p.L3+lenIPv6 : p.L3+p.L3Len], next: p.Data[p.L3+6]}
}

// Next goes to the next header; false when there is none.
func (x *ExtHdrs) Next() bool {
	if len(x.rest) < 8 {
		return false
	}
	var n int
	switch x.next {
	case ProtoFragment:
		n = 8
	case ProtoAH:
		n = max((int(x.rest[1])+2)*4, 12)
	default:
		n = (int(x.rest[1]) + 1) * 8
	}
	if n > len(x.rest) {
		return false
	}
	x.Hdr = ExtHdr{Proto: x.next, Next: x.rest[0], Data: x.rest[:n:n]}
	x.next, x.rest = x.rest[0], x.rest[n:]
	return true
}
