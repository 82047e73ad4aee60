package vpc

import (
	"encoding/binary"
	"net/netip"

	"mirador/internal/packet"
)

// arp answers who has an address of the subnet: the router for its own, interfaces of
// the subnet for theirs. Nobody else ever hears the question, as in a VPC.
func (f *Fabric) arp(from *eni, frame []byte) {
	const lenARP = 28
	if len(frame) < lenEthernet+lenARP {
		f.drop(from, DropShort)
		return
	}
	b := frame[lenEthernet:]
	// Ethernet, IPv4, request (RFC 826).
	if binary.BigEndian.Uint64(b)>>16 != 0x0001_0800_0604 || b[7] != 1 {
		return
	}
	asked := netip.AddrFrom4([4]byte(b[24:28]))
	sender := netip.AddrFrom4([4]byte(b[14:18]))
	mac, ok := from.hardware(asked)
	if !ok || sender == asked || !sender.IsUnspecified() && !from.own(sender) && from.check {
		return // nobody has it; or it is announced, not asked for
	}
	r := f.room(lenEthernet + lenARP)
	if r == nil {
		f.drop(from, DropSend)
		return
	}
	r = packet.AppendEthernet(r, from.mac, mac, packet.EtherTypeARP)
	r = append(r, 0, 1, 8, 0, 6, 4, 0, 2)
	r = append(r, mac[:]...)
	r = append(r, b[24:28]...)
	r = append(r, from.mac[:]...)
	r = append(r, b[14:18]...)
	f.deliver(from, r)
}

// hardware returns the hardware address that e's subnet has for the address a.
func (e *eni) hardware(a netip.Addr) ([6]byte, bool) {
	for _, r := range e.subnet.router {
		if r == a {
			return e.subnet.mac, true
		}
	}
	if e.vpc.isResolver(a) {
		return e.subnet.mac, e.subnet.contains(a)
	}
	if o := e.vpc.byAddr[a]; o != nil && o.subnet == e.subnet && o != e {
		return o.mac, true
	}
	return [6]byte{}, false
}

// neighbour answers IPv6 neighbour solicitations as arp does, and router solicitations
// with the subnet's router (RFC 4861). Everything else on a link stays on it.
func (f *Fabric) neighbour(from *eni, h *head) Reason {
	if h.fragment || h.l4 == 0 || h.frame[lenEthernet+7] != 255 {
		return DropMulticast // a hop limit below 255 means that it is from elsewhere
	}
	msg := h.frame[h.l4:]
	switch h.icmpType {
	case 135: // neighbour solicitation
		if len(msg) < 24 {
			return DropShort
		}
		asked := netip.AddrFrom16([16]byte(msg[8:24]))
		mac, ok := from.hardware(asked)
		if !ok || h.src.IsUnspecified() {
			return passed // nobody has it: duplicate address detection ends well
		}
		return f.advertise(from, h, asked, mac)
	case 133: // router solicitation
		return f.routerAdvert(from, h)
	}
	return DropMulticast
}

// advertise answers that mac has the address asked.
func (f *Fabric) advertise(from *eni, h *head, asked netip.Addr, mac [6]byte) Reason {
	const size = 32
	r := f.room(lenEthernet + lenIPv6 + size)
	if r == nil {
		return DropSend
	}
	r = packet.AppendEthernet(r, from.mac, mac, packet.EtherTypeIPv6)
	r = packet.AppendIPv6(r, packet.IPv6{Src: asked.As16(), Dst: h.src.As16(), Next: packet.ProtoICMPv6, HopLimit: 255}, size)
	flags := uint32(0x6000_0000) // solicited, override
	if mac == from.subnet.mac {
		flags |= 0x8000_0000 // router
	}
	r = packet.AppendICMP(r, 136, 0, flags)
	a := asked.As16()
	r = append(r, a[:]...)
	r = append(r, 2, 1) // target link-layer address
	r = append(r, mac[:]...)
	packet.SetChecksums(r[lenEthernet:])
	f.deliver(from, r)
	return passed
}

// routerAdvert names the subnet's router. Addresses are not to be made up from it: they
// come from the endpoint.
func (f *Fabric) routerAdvert(from *eni, h *head) Reason {
	var router netip.Addr
	for _, a := range from.subnet.router {
		if a.IsLinkLocalUnicast() && a.Is6() {
			router = a
		}
	}
	if !router.IsValid() || h.src.IsUnspecified() {
		return passed
	}
	const size = 24
	r := f.room(lenEthernet + lenIPv6 + size)
	if r == nil {
		return DropSend
	}
	mac := from.subnet.mac
	r = packet.AppendEthernet(r, from.mac, mac, packet.EtherTypeIPv6)
	r = packet.AppendIPv6(r, packet.IPv6{Src: router.As16(), Dst: h.src.As16(), Next: packet.ProtoICMPv6, HopLimit: 255}, size)
	r = packet.AppendICMP(r, 134, 0, 64<<24|0x80<<16|1800) // managed addresses, half an hour
	r = binary.BigEndian.AppendUint64(r, 0)
	r = append(r, 1, 1) // source link-layer address
	r = append(r, mac[:]...)
	packet.SetChecksums(r[lenEthernet:])
	f.deliver(from, r)
	return passed
}

// tooBig tells the sender of h that the receiver's MTU is less than its length, as the
// VPC's path MTU discovery does.
func (f *Fabric) tooBig(from, to *eni, h *head) Reason {
	if from == nil || !from.hasPort || h.icmpError() || h.fragment {
		return DropMTU
	}
	router := from.subnet.router[0]
	if h.version == 6 {
		return f.tooBig6(from, to, h, router)
	}
	if h.frame[lenEthernet+6]&0x40 == 0 || !router.Is4() {
		return DropMTU // it may be fragmented, which a VPC does not do for it
	}
	quote := h.frame[lenEthernet:min(len(h.frame), h.l4+8)]
	r := f.room(lenEthernet + lenIPv4 + 8 + len(quote))
	if r == nil {
		return DropMTU
	}
	r = packet.AppendEthernet(r, from.mac, from.subnet.mac, packet.EtherTypeIPv4)
	r = packet.AppendIPv4(r, packet.IPv4{Src: router.As4(), Dst: h.src.As4(), Proto: packet.ProtoICMP}, 8+len(quote))
	r = packet.AppendICMP(r, 3, 4, uint32(to.mtu))
	r = append(r, quote...)
	packet.SetChecksums(r[lenEthernet:])
	f.deliver(from, r)
	return DropMTU
}

func (f *Fabric) tooBig6(from, to *eni, h *head, router netip.Addr) Reason {
	for _, a := range from.subnet.router {
		if a.Is6() {
			router = a
		}
	}
	if !router.Is6() {
		return DropMTU
	}
	quote := h.frame[lenEthernet:min(len(h.frame), lenEthernet+1232)]
	r := f.room(lenEthernet + lenIPv6 + 8 + len(quote))
	if r == nil {
		return DropMTU
	}
	r = packet.AppendEthernet(r, from.mac, from.subnet.mac, packet.EtherTypeIPv6)
	r = packet.AppendIPv6(r, packet.IPv6{Src: router.As16(), Dst: h.src.As16(), Next: packet.ProtoICMPv6}, 8+len(quote))
	r = packet.AppendICMP(r, 2, 0, uint32(to.mtu))
	r = append(r, quote...)
	packet.SetChecksums(r[lenEthernet:])
	f.deliver(from, r)
	return DropMTU
}
