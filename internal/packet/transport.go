package packet

const (
	lenTCP  = 20
	lenUDP  = 8
	lenICMP = 8
	lenSCTP = 12
	lenESP  = 8
)

// tcp decodes a TCP header (RFC 9293) at p.Payload.
func (d *Decoder) tcp(p *Parsed) {
	p.Seen |= SeenTCP
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < lenTCP {
		p.short(TCPPktTooSmall)
		return
	}
	h := b[:lenTCP:lenTCP]
	hlen := int(h[12]>>4) * 4
	if hlen > len(b) {
		p.short(TCPHLenTooSmall)
		return
	}
	if hlen < lenTCP {
		p.fail(TCPInvalidOptLen)
		return
	}
	p.SrcPort, p.DstPort = be16(h[0:2]), be16(h[2:4])
	p.Seq, p.Ack = be32(h[4:8]), be32(h[8:12])
	p.Flags = h[13]
	p.Window = be16(h[14:16])
	p.Urgent = be16(h[18:20])
	p.transport(hlen)
	if hlen > lenTCP {
		tcpOptions(p, b[lenTCP:hlen])
	}
}

// transport notes a transport header of n bytes at p.Payload.
func (p *Parsed) transport(n int) {
	p.L4, p.L4Len = p.Payload, n
	p.Payload += n
	p.Depth = DepthTransport
}

// short records that a transport header does not fit. In a truncated packet that is
// nobody's fault and no event.
func (p *Parsed) short(e Event) {
	if !p.Truncated {
		p.fail(e)
	}
}

// TCP option kinds (IANA TCP parameters).
const (
	TCPOptEOL       = 0
	TCPOptNOP       = 1
	TCPOptMSS       = 2
	TCPOptWScale    = 3
	TCPOptSACKOK    = 4
	TCPOptSACK      = 5
	TCPOptTimestamp = 8
	TCPOptMD5       = 19
	TCPOptAO        = 29
	TCPOptTFO       = 34
	TCPOptExp1      = 253
	TCPOptExp2      = 254
)

// tfoMagic begins an experimental option that is TCP Fast Open (RFC 7413).
const tfoMagic = 0xf989

// tcpOptions reads the options of one TCP header into p. Of a kind that comes
// twice the first counts.
func tcpOptions(p *Parsed, opts []byte) {
	// The usual form of an established connection: two NOPs and a timestamp.
	if len(opts) == 12 && be32(opts) == 0x0101080a {
		p.HasTS = true
		p.TSVal, p.TSEcr = be32(opts[4:8]), be32(opts[8:12])
		return
	}
	var ao, md5, tfo bool
	for len(opts) > 0 {
		kind := opts[0]
		if kind == TCPOptEOL {
			return
		}
		if kind == TCPOptNOP {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 {
			return
		}
		n := int(opts[1])
		if n < 2 || n > len(opts) {
			p.AddEvent(TCPOptInvalidLen)
			return
		}
		o := opts[:n]
		opts = opts[n:]
		var valid, twice bool
		switch kind {
		case TCPOptMSS:
			if valid, twice = n == 4, p.HasMSS; valid && !twice {
				p.HasMSS, p.MSS = true, be16(o[2:4])
			}
		case TCPOptWScale:
			if valid, twice = n == 3, p.HasWScale; valid && !twice {
				p.HasWScale, p.WScale = true, o[2]
			}
		case TCPOptSACKOK:
			if valid, twice = n == 2, p.SACKOK; valid {
				p.SACKOK = true
			}
		case TCPOptSACK:
			// None to four blocks. Without blocks it means nothing, and is no fault.
			if valid, twice = n <= 34 && (n-2)%8 == 0, p.HasSACK; valid && n > 2 {
				p.HasSACK = true
			}
		case TCPOptTimestamp:
			if valid, twice = n == 10, p.HasTS; valid && !twice {
				p.HasTS, p.TSVal, p.TSEcr = true, be32(o[2:6]), be32(o[6:10])
			}
		case TCPOptTFO:
			valid, twice, tfo = n == 2 || n >= 6 && n <= 18 && n%2 == 0, tfo, true
		case TCPOptExp1, TCPOptExp2:
			valid = true
			if n >= 4 && be16(o[2:4]) == tfoMagic {
				valid, twice, tfo = n == 4 || n >= 8 && n <= 20 && n%2 == 0, tfo, true
			}
		case TCPOptMD5:
			valid, twice, md5 = n == 18, md5, true
		case TCPOptAO:
			valid, twice, ao = n >= 4, ao, true
		default:
			valid = true
		}
		switch {
		case !valid:
			p.AddEvent(TCPOptInvalidLen)
		case twice:
			p.AddEvent(TCPOptDuplicate)
		}
	}
}

// udp decodes a UDP header (RFC 768) at p.Payload, and the tunnels known by port.
func (d *Decoder) udp(p *Parsed, in *inner) {
	p.Seen |= SeenUDP
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < lenUDP {
		p.short(UDPHLenTooSmall)
		return
	}
	h := b[:lenUDP:lenUDP]
	n := int(be16(h[4:6]))
	if n > len(b) {
		if !p.Truncated {
			p.fail(UDPPktTooSmall)
			return
		}
		n = len(b)
	}
	if n < lenUDP {
		p.fail(UDPLenInvalid)
		return
	}
	p.SrcPort, p.DstPort = be16(h[0:2]), be16(h[2:4])
	p.PayloadEnd = p.Payload + n
	p.transport(lenUDP)
	d.udpTunnel(p, in)
}

// icmp4 decodes an ICMP header (RFC 792) at p.Payload.
func (d *Decoder) icmp4(p *Parsed) {
	p.Seen |= SeenICMPv4
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < lenICMP {
		p.short(ICMPv4PktTooSmall)
		return
	}
	p.ICMPType, p.ICMPCode = b[0], b[1]
	hlen := lenICMP
	maxCode := byte(0)
	quotes := false
	switch p.ICMPType {
	case 0, 8, 15, 16, 17, 18: // echo, information, address mask
		p.ICMPID, p.ICMPSeq = be16(b[4:6]), be16(b[6:8])
	case 13, 14: // timestamp: three of them belong to the header
		p.ICMPID, p.ICMPSeq = be16(b[4:6]), be16(b[6:8])
		hlen += 12
	case 3: // destination unreachable
		maxCode, quotes = 15, true
	case 4: // source quench
		quotes = true
	case 5: // redirect
		maxCode, quotes = 3, true
	case 9: // router advertisement with its list of addresses (RFC 1256); code 16: RFC 5944
		if p.ICMPCode == 16 {
			maxCode = 16
		}
		hlen += int(b[4]) * int(b[5]) * 4
	case 10: // router solicitation
	case 11: // time exceeded
		maxCode, quotes = 1, true
	case 12: // parameter problem
		maxCode, quotes = 2, true
	default:
		p.AddEvent(ICMPv4UnknownType)
		maxCode = 255
	}
	p.transport(lenICMP)
	if p.ICMPCode > maxCode {
		p.AddEvent(ICMPv4UnknownCode)
		return
	}
	if hlen > len(b) {
		p.short(ICMPv4PktTooSmall)
		return
	}
	p.L4Len = hlen // Payload stays right after the first 8 bytes, as with Suricata
	if !quotes || len(b) == lenICMP {
		return
	}
	q := b[lenICMP:]
	switch {
	case len(q) < lenIPv4:
		p.short2(ICMPv4IPv4TruncPkt)
	case q[0]>>4 != 4:
		p.AddEvent(ICMPv4IPv4UnknownVer)
	default:
		p.ICMPInner = p.Payload
	}
}

// short2 is short for headers quoted in another packet: the packet itself is valid.
func (p *Parsed) short2(e Event) {
	if !p.Truncated {
		p.AddEvent(e)
	}
}

// icmp6 decodes an ICMPv6 header (RFC 4443) at p.Payload.
func (d *Decoder) icmp6(p *Parsed) {
	p.Seen |= SeenICMPv6
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < lenICMP {
		p.short(ICMPv6PktTooSmall)
		return
	}
	p.ICMPType, p.ICMPCode = b[0], b[1]
	maxCode := byte(0)
	quotes := false
	switch t := p.ICMPType; {
	case t == 1: // destination unreachable
		maxCode, quotes = 8, true
	case t == 2: // packet too big
		quotes = true
	case t == 3: // time exceeded
		maxCode, quotes = 1, true
	case t == 4: // parameter problem
		maxCode, quotes = 10, true
	case t == 128 || t == 129: // echo
		p.ICMPID, p.ICMPSeq = be16(b[4:6]), be16(b[6:8])
	case t >= 130 && t <= 132: // multicast listener discovery (RFC 2710)
		if p.TTL != 1 {
			p.AddEvent(ICMPv6MLDInvalidHL)
		}
	case t == 143: // MLD version 2 (RFC 3810)
		if p.TTL != 1 {
			p.AddEvent(ICMPv6MLDInvalidHL)
		}
		maxCode = 255
	case t >= 133 && t <= 137, t == 141, t == 142, t >= 144 && t <= 147:
	case t == 138: // router renumbering: command, result, and 255 for a reset
		maxCode = 1
		if p.ICMPCode == 255 {
			maxCode = 255
		}
	case t == 139, t == 140: // node information (RFC 4620)
		maxCode = 2
	case t >= 148 && t <= 159: // SEND, router discovery, RPL, ILNP and such
		maxCode = 255
	default:
		maxCode = 255
		p.AddEvent(icmp6Range(t))
	}
	p.transport(lenICMP)
	if p.ICMPCode > maxCode {
		p.AddEvent(ICMPv6UnknownCode)
		return
	}
	if !quotes || len(b) == lenICMP {
		return
	}
	q := b[lenICMP:]
	switch {
	case len(q) < lenIPv6:
		p.short2(ICMPv6IPv6TruncPkt)
	case q[0]>>4 != 6:
		p.AddEvent(ICMPv6IPv6UnknownVersion)
	default:
		p.ICMPInner = p.Payload
	}
}

// icmp6Range says what a type that is not decoded is (IANA icmpv6-parameters).
func icmp6Range(t uint8) Event {
	switch {
	case t == 100, t == 101, t == 200, t == 201:
		return ICMPv6ExperimentationType
	case t > 4 && t < 127, t >= 160 && t < 255:
		return ICMPv6UnassignedType
	}
	return ICMPv6UnknownType
}

// sctp decodes an SCTP common header (RFC 9260) at p.Payload.
func (d *Decoder) sctp(p *Parsed) {
	p.Seen |= SeenSCTP
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < lenSCTP {
		p.short(SCTPPktTooSmall)
		return
	}
	p.SrcPort, p.DstPort = be16(b[0:2]), be16(b[2:4])
	p.transport(lenSCTP)
}

// esp decodes the readable part of an ESP header (RFC 4303) at p.Payload.
func (d *Decoder) esp(p *Parsed) {
	p.Seen |= SeenESP
	b := p.Data[p.Payload:p.PayloadEnd]
	if len(b) < lenESP {
		p.short(ESPPktTooSmall)
		return
	}
	p.SPI = be32(b[0:4])
	p.transport(lenESP)
}
