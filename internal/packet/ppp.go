package packet

// PPP protocol numbers (IANA ppp-numbers).
const (
	pppIPv4   = 0x0021
	pppIPv6   = 0x0057
	pppVJComp = 0x002d
	pppVJUn   = 0x002f
)

// ppp decodes a PPP header (RFC 1661, 1662) at off: address and control bytes may be
// left out, and a protocol number below 256 may be one byte.
func (d *Decoder) ppp(p *Parsed, off int, in *inner) {
	p.Seen |= SeenPPP
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b, off = b[2:], off+2
	}
	if len(b) > 0 && b[0]&1 != 0 { // compressed protocol field: its last byte is odd
		p.Depth = max(p.Depth, DepthLink)
		d.pppProto(p, off+1, uint16(b[0]), in)
		return
	}
	if len(b) < 2 {
		p.fail(PPPPktTooSmall)
		return
	}
	p.Depth = max(p.Depth, DepthLink)
	d.pppProto(p, off+2, be16(b), in)
}

// pppProto decodes what follows a PPP header.
func (d *Decoder) pppProto(p *Parsed, off int, proto uint16, in *inner) {
	n := len(p.Data) - off
	switch proto {
	case pppIPv4:
		if n < lenIPv4 {
			p.fail(PPPIPv4PktTooSmall)
			return
		}
		p.EtherType = etIPv4
		d.ipv4(p, off, in)
		return
	case pppVJUn:
		// The IP header is whole but for its protocol field, which has the
		// connection number (RFC 1144); read as such it is no known protocol.
		if n < lenIPv4 {
			p.fail(PPPVJUPktTooSmall)
			return
		}
		if p.Data[off]>>4 == 4 {
			p.EtherType = etIPv4
			d.ipv4(p, off, in)
			return
		}
	case pppIPv6:
		if n < lenIPv6 {
			p.fail(PPPIPv6PktTooSmall)
			return
		}
		p.EtherType = etIPv6
		d.ipv6(p, off, in)
		return
	}
	switch {
	case proto >= 0x8000 && proto <= 0xcfff && proto&0x0101 == 1:
		// Link and network control protocols: valid, with nothing to decode.
	case pppAssigned(proto):
		p.fail(PPPUnsupProto)
	default:
		p.fail(PPPWrongType)
	}
}

// pppAssigned tells whether proto is a network protocol that PPP knows and we do not
// decode.
func pppAssigned(proto uint16) bool {
	switch proto {
	case 0x0023, 0x0025, 0x0027, 0x0029, 0x002b, pppVJComp, 0x0031, 0x0033, 0x0035,
		0x003d, 0x004b, 0x004d, 0x00fb, 0x00fd, 0x0201, 0x0231, 0x0281, 0x0283:
		return true
	}
	return false
}

// pppoe decodes a PPPoE session header (RFC 2516) at off.
func (d *Decoder) pppoe(p *Parsed, off int, in *inner) {
	p.Seen |= SeenPPPoE
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) < lenPPPoE+2 {
		p.fail(PPPoEPktTooSmall)
		return
	}
	if b[0] != 0x11 || b[1] != 0 {
		p.fail(PPPoEWrongCode)
		return
	}
	if be16(b[4:6]) == 0 {
		return
	}
	if b[lenPPPoE]&1 != 0 {
		d.pppProto(p, off+lenPPPoE+1, uint16(b[lenPPPoE]), in)
		return
	}
	d.pppProto(p, off+lenPPPoE+2, be16(b[lenPPPoE:]), in)
}

// pppoeDiscovery checks a PPPoE discovery packet (RFC 2516 section 5).
func (d *Decoder) pppoeDiscovery(p *Parsed, off int) {
	p.Seen |= SeenPPPoE
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) < lenPPPoE {
		p.fail(PPPoEPktTooSmall)
		return
	}
	switch b[1] {
	case 0x09, 0x07, 0x19, 0x65, 0xa7: // PADI PADO PADR PADS PADT
	default:
		p.fail(PPPoEWrongCode)
		return
	}
	n := int(be16(b[4:6]))
	tags := b[lenPPPoE:]
	if n > len(tags) {
		p.fail(PPPoEMalformedTags)
		return
	}
	tags = tags[:n]
	for len(tags) > 0 {
		if len(tags) < 4 || int(be16(tags[2:4])) > len(tags)-4 {
			p.fail(PPPoEMalformedTags)
			return
		}
		tags = tags[4+int(be16(tags[2:4])):]
	}
}
