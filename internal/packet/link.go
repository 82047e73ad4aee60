package packet

import "encoding/binary"

// EtherTypes decoded (IEEE 802 numbers).
const (
	etIPv4     = 0x0800
	etARP      = 0x0806
	etBridge   = 0x6558 // transparent Ethernet bridging, inside GRE and GENEVE
	etVLAN     = 0x8100
	etIPv6     = 0x86dd
	etMPLS     = 0x8847
	etMPLSMult = 0x8848
	etPPPoEDis = 0x8863
	etPPPoESes = 0x8864
	etPPP      = 0x880b
	etQinQ     = 0x88a8 // 802.1ad
	etERSPAN   = 0x88be
	etBackbone = 0x88e7 // 802.1ah
	etDCE      = 0x8903 // Cisco FabricPath
	etVNTag    = 0x8926
	etNSH      = 0x894f
	etOldQinQ  = 0x9100
)

// Lengths of the fixed headers, in bytes.
const (
	lenEthernet = 14
	lenVLAN     = 4
	lenVNTag    = 6
	lenBackbone = 18 // I-TAG, customer addresses, EtherType
	lenDCE      = 2  // FTAG and TTL, after the EtherType
	lenMPLS     = 4
	lenPWCtl    = 4 // pseudo-wire control word, RFC 4385
	lenSLL      = 16
	lenSLL2     = 20
	lenNull     = 4
	lenPPP      = 4
	lenCHDLC    = 4
	lenPPPoE    = 6
)

// unknownKind says which event an unknown EtherType is, by the header that has it.
type unknownKind uint8

const (
	unknownQuiet unknownKind = iota
	unknownEthernet
	unknownVLAN
	unknownVNTag
)

// link decodes from the link header on.
func (d *Decoder) link(p *Parsed, link Link, in *inner) {
	switch link {
	case LinkEthernet:
		d.ethernet(p, 0, in)
	case LinkVXLAN:
		d.bareVXLAN(p, in)
	case LinkGENEVE:
		d.bareGENEVE(p, in)
	case LinkRaw, LinkRaw12, LinkIPv4, LinkIPv6:
		p.Seen |= SeenRaw
		d.rawIP(p, 0, in)
	case LinkNull, LinkLoop:
		d.null(p, in)
	case LinkSLL:
		d.sll(p, in)
	case LinkSLL2:
		d.sll2(p, in)
	case LinkPPP:
		d.ppp(p, 0, in)
	case LinkCHDLC:
		d.chdlc(p, in)
	}
}

// ethernet decodes an Ethernet II header at off.
func (d *Decoder) ethernet(p *Parsed, off int, in *inner) {
	p.Seen |= SeenEthernet
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) < lenEthernet {
		p.fail(EthernetPktTooSmall)
		return
	}
	p.EtherDst = [6]byte(b[0:6])
	p.EtherSrc = [6]byte(b[6:12])
	p.HasEther = true
	p.Ether = off
	et := be16(b[12:14])
	p.EtherHdrType = et
	p.Depth = DepthLink
	d.payload(p, off+lenEthernet, et, unknownEthernet, in)
}

// payload decodes what follows a header whose EtherType field says et.
func (d *Decoder) payload(p *Parsed, off int, et uint16, unknown unknownKind, in *inner) {
	for {
		p.EtherType = et
		switch et {
		case etIPv4:
			d.ipv4(p, off, in)
			return
		case etIPv6:
			d.ipv6(p, off, in)
			return
		case etARP:
			d.arp(p, off, in)
			return
		case etVLAN, etQinQ, etOldQinQ:
			next, ok := d.vlan(p, off)
			if !ok {
				return
			}
			off, et, unknown = off+lenVLAN, next, unknownVLAN
		case etVNTag:
			if d.opts.NoVNTag {
				return
			}
			next, ok := d.vntag(p, off)
			if !ok {
				return
			}
			off, et, unknown = off+lenVNTag, next, unknownVNTag
		case etBackbone:
			next, ok := d.backbone(p, off)
			if !ok {
				return
			}
			off, et, unknown = off+lenBackbone, next, unknownQuiet
		case etMPLS, etMPLSMult:
			d.mpls(p, off, in)
			return
		case etPPPoESes:
			d.pppoe(p, off, in)
			return
		case etPPPoEDis:
			d.pppoeDiscovery(p, off)
			return
		case etDCE:
			p.Seen |= SeenDCE
			if len(p.Data)-off < lenDCE {
				p.fail(DCEPktTooSmall)
				return
			}
			d.ethernet(p, off+lenDCE, in)
			return
		case etNSH:
			d.nsh(p, off, in)
			return
		default:
			d.unknownType(p, unknown)
			return
		}
	}
}

// unknownType records an EtherType that is not decoded.
func (d *Decoder) unknownType(p *Parsed, kind unknownKind) {
	switch kind {
	case unknownEthernet:
		p.Seen |= SeenUnknownEtherType
		p.AddEvent(EthernetUnknownEtherType)
	case unknownVLAN:
		p.fail(VLANUnknownType)
	case unknownVNTag:
		p.fail(VNTagUnknownType)
	}
}

// vlan decodes one 802.1Q or 802.1ad tag and returns the EtherType in it.
func (d *Decoder) vlan(p *Parsed, off int) (next uint16, ok bool) {
	switch p.NVLAN {
	case 0:
		p.Seen |= SeenVLAN
	case 1:
		p.Seen |= SeenQinQ
	case 2:
		p.Seen |= SeenQinQinQ
	}
	if !d.enter(p) {
		return 0, false
	}
	b := p.Data[off:]
	if len(b) < lenVLAN {
		p.fail(VLANHeaderTooSmall)
		return 0, false
	}
	if p.NVLAN >= MaxVLAN {
		p.fail(VLANTooManyLayers)
		return 0, false
	}
	p.VLAN[p.NVLAN] = be16(b) & 0x0fff
	p.NVLAN++
	return be16(b[2:4]), true
}

// vntag decodes the 6 bytes after EtherType 0x8926 (802.1Qbh).
func (d *Decoder) vntag(p *Parsed, off int) (next uint16, ok bool) {
	p.Seen |= SeenVNTag
	if !d.enter(p) {
		return 0, false
	}
	b := p.Data[off:]
	if len(b) < lenVNTag {
		p.fail(VNTagHeaderTooSmall)
		return 0, false
	}
	return be16(b[4:6]), true
}

// backbone decodes an 802.1ah I-TAG with the customer's addresses in it.
func (d *Decoder) backbone(p *Parsed, off int) (next uint16, ok bool) {
	p.Seen |= SeenIEEE8021AH
	if !d.enter(p) {
		return 0, false
	}
	b := p.Data[off:]
	if len(b) < lenBackbone {
		p.fail(IEEE8021AHHeaderTooSmall)
		return 0, false
	}
	return be16(b[16:18]), true
}

// mpls decodes a label stack (RFC 3032). What it carries is not said, but for
// labels 0 and 2: an IP version or the 0 of a pseudo-wire control word (RFC 4385)
// in the first four bits tells.
func (d *Decoder) mpls(p *Parsed, off int, in *inner) {
	p.Seen |= SeenMPLS
	if !d.enter(p) {
		return
	}
	var label uint32
	for {
		b := p.Data[off:]
		if len(b) < lenMPLS {
			p.fail(MPLSHeaderTooSmall)
			return
		}
		v := be32(b)
		off += lenMPLS
		label = v >> 12
		if v&0x100 != 0 { // bottom of stack
			break
		}
	}
	switch {
	case label == 0: // IPv4 explicit null
		p.EtherType = etIPv4
		d.ipv4(p, off, in)
		return
	case label == 1:
		p.fail(MPLSBadLabelRouterAlert)
		return
	case label == 2: // IPv6 explicit null
		p.EtherType = etIPv6
		d.ipv6(p, off, in)
		return
	case label == 3:
		p.fail(MPLSBadLabelImplicitNull)
		return
	case label < 16:
		p.fail(MPLSBadLabelReserved)
		return
	}
	b := p.Data[off:]
	if len(b) == 0 {
		p.fail(MPLSPktTooSmall)
		return
	}
	switch b[0] >> 4 {
	case 4:
		p.EtherType = etIPv4
		d.ipv4(p, off, in)
		return
	case 6:
		p.EtherType = etIPv6
		d.ipv6(p, off, in)
		return
	case 0:
		if len(b) < lenPWCtl {
			p.fail(MPLSPktTooSmall)
			return
		}
		d.ethernet(p, off+lenPWCtl, in)
		return
	}
	p.fail(MPLSUnknownPayloadType)
}

// rawIP decodes an IP packet by its version.
func (d *Decoder) rawIP(p *Parsed, off int, in *inner) {
	b := p.Data[off:]
	if len(b) == 0 {
		p.fail(IPv4PktTooSmall)
		return
	}
	switch b[0] >> 4 {
	case 4:
		p.EtherType = etIPv4
		d.ipv4(p, off, in)
		return
	case 6:
		p.EtherType = etIPv6
		d.ipv6(p, off, in)
		return
	}
	p.fail(IPRawInvalidIPVersion)
}

// null decodes the BSD loopback header: an address family in the byte order of the
// host that captured (LINKTYPE_NULL) or in network order (LINKTYPE_LOOP). The
// families of IPv6 are those of the BSDs, Darwin, Linux and Windows.
func (d *Decoder) null(p *Parsed, in *inner) {
	p.Seen |= SeenNull
	if !d.enter(p) {
		return
	}
	if len(p.Data) < lenNull {
		p.fail(LTNullPktTooSmall)
		return
	}
	family := binary.LittleEndian.Uint32(p.Data)
	if family > 0xffff {
		family = be32(p.Data)
	}
	p.Depth = DepthLink
	switch family {
	case 2:
		p.EtherType = etIPv4
		d.ipv4(p, lenNull, in)
		return
	case 10, 23, 24, 28, 30:
		p.EtherType = etIPv6
		d.ipv6(p, lenNull, in)
		return
	}
	p.fail(LTNullUnsupportedType)
}

// sll decodes a Linux cooked header, version 1.
func (d *Decoder) sll(p *Parsed, in *inner) {
	p.Seen |= SeenSLL
	if !d.enter(p) {
		return
	}
	if len(p.Data) < lenSLL {
		p.fail(SLLPktTooSmall)
		return
	}
	p.Depth = DepthLink
	d.payload(p, lenSLL, be16(p.Data[14:16]), unknownQuiet, in)
}

// sll2 decodes a Linux cooked header, version 2.
func (d *Decoder) sll2(p *Parsed, in *inner) {
	p.Seen |= SeenSLL2
	if !d.enter(p) {
		return
	}
	if len(p.Data) < lenSLL2 {
		p.fail(SLL2PktTooSmall)
		return
	}
	p.Depth = DepthLink
	d.payload(p, lenSLL2, be16(p.Data[0:2]), unknownQuiet, in)
}

// chdlc decodes a Cisco HDLC header: address, control, EtherType.
func (d *Decoder) chdlc(p *Parsed, in *inner) {
	p.Seen |= SeenCHDLC
	if !d.enter(p) {
		return
	}
	if len(p.Data) < lenCHDLC {
		p.fail(CHDLCPktTooSmall)
		return
	}
	p.Depth = DepthLink
	d.payload(p, lenCHDLC, be16(p.Data[2:4]), unknownQuiet, in)
}

// ARP is an ARP packet for IPv4 on Ethernet (RFC 826).
type ARP struct {
	HardwareType, ProtocolType uint16
	Opcode                     uint16
	SrcMAC, DstMAC             [6]byte
	SrcIP, DstIP               [4]byte
}

const lenARP = 28

// arp checks an ARP packet. Its fields are read by (*Parsed).ARP.
func (d *Decoder) arp(p *Parsed, off int, in *inner) {
	p.Seen |= SeenARP
	p.EtherType = etARP
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) < lenARP {
		p.fail(ARPPktTooSmall)
		return
	}
	switch {
	case be16(b[0:2]) != 1:
		p.fail(ARPUnsupportedHardware)
	case be16(b[2:4]) != etIPv4:
		p.fail(ARPUnsupportedProtocol)
	case b[4] != 6:
		p.fail(ARPInvalidHardwareSize)
	case b[5] != 4:
		p.fail(ARPInvalidProtocolSize)
	case !arpOpcodeKnown(be16(b[6:8])):
		p.fail(ARPUnsupportedOpcode)
	default:
		p.L3, p.L3Len, p.IPEnd = off, lenARP, off+lenARP
		p.Payload, p.PayloadEnd = off+lenARP, off+lenARP
		p.Depth = DepthNet
	}
}

// arpOpcodeKnown tells whether op is one of ARP, RARP (RFC 903) or InARP (RFC 2390).
func arpOpcodeKnown(op uint16) bool {
	return op >= 1 && op <= 4 || op == 8 || op == 9
}

// ARP returns the fields of an ARP packet; ok is false when p is not one, or is one
// that was refused with an event.
func (p *Parsed) ARP() (a ARP, ok bool) {
	if p.EtherType != etARP || p.Depth != DepthNet || len(p.Data)-p.L3 < lenARP {
		return ARP{}, false
	}
	b := p.Data[p.L3 : p.L3+lenARP]
	return ARP{
		HardwareType: be16(b[0:2]),
		ProtocolType: be16(b[2:4]),
		Opcode:       be16(b[6:8]),
		SrcMAC:       [6]byte(b[8:14]),
		SrcIP:        [4]byte(b[14:18]),
		DstMAC:       [6]byte(b[18:24]),
		DstIP:        [4]byte(b[24:28]),
	}, true
}
