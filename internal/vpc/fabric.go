package vpc

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// Fabric is the network between the interfaces of all VPCs: for each frame that an
// interface sends it finds out who receives it, by the plan of the moment. One goroutine
// owns a Fabric; Adopt and the counters may be used by others.
//
// Between interfaces of a subnet frames go straight; between subnets the router writes
// its own address as source. Nothing takes a hop off the TTL, because traceroute within
// a VPC shows none.
type Fabric struct {
	next atomic.Pointer[plan]
	plan *plan

	out     []delivery
	scratch []byte // frames that were made here, until the batch is flushed
	frags   fragments
	dec     *packet.Decoder
	layers  []packet.Parsed
	count   Counters // of what belongs to no interface
}

// delivery is a frame on its way to a port.
type delivery struct {
	to    *eni
	frame []byte
}

// scratchSize is the room for frames made in one batch: every frame may be mirrored
// at its sender and at its receiver, and wrapped.
const scratchSize = 2 * maxBatch * (maxFrame + maxTunnelHeaders)

// NewFabric makes a fabric without interfaces.
func NewFabric() *Fabric {
	f := &Fabric{scratch: make([]byte, 0, scratchSize), out: make([]delivery, 0, 4*maxBatch)}
	// Only the outermost packet is asked about: tunnels stay closed.
	f.dec = packet.NewDecoder(packet.Options{VXLANPorts: []uint16{}, GENEVEPorts: []uint16{}, TeredoPorts: []uint16{}})
	f.plan = &plan{}
	return f
}

// adopt makes p the plan from the next batch on.
func (f *Fabric) adopt(p *plan) { f.next.Store(p) }

// begin starts a batch: it takes over a new plan, if there is one.
func (f *Fabric) begin() {
	f.out = f.out[:0]
	f.scratch = f.scratch[:0]
	if p := f.next.Load(); p != nil && p != f.plan {
		f.plan = p
	}
}

// drop counts a frame of e that is not delivered.
func (f *Fabric) drop(e *eni, r Reason) {
	if e == nil {
		f.count.Drops[r].Add(1)
		return
	}
	e.live.count.Drops[r].Add(1)
}

// frame forwards a frame that the interface from has sent. The frame is valid until the
// next batch begins, and is changed on its way. now is in nanoseconds.
func (f *Fabric) frame(from *eni, frame []byte, now int64) {
	if len(frame) < lenEthernet {
		f.drop(from, DropShort)
		return
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case packet.EtherTypeARP:
		f.arp(from, frame)
		return
	case packet.EtherTypeVLAN, packet.EtherTypeQinQ:
		f.drop(from, DropVLAN)
		return
	}
	var h head
	if r := h.parse(frame); r != passed {
		f.drop(from, r)
		return
	}
	if r := f.send(from, &h, now); r != passed {
		f.drop(from, r)
	}
}

// send takes h from its sender into the network.
func (f *Fabric) send(from *eni, h *head, now int64) Reason {
	if h.proto == packet.ProtoICMPv6 && (h.dst.IsMulticast() || h.dst.IsLinkLocalUnicast() || 133 <= h.icmpType && h.icmpType <= 137) {
		return f.neighbour(from, h)
	}
	if [6]byte(h.frame[6:12]) != from.mac {
		return DropSourceCheck
	}
	if from.check && !from.own(h.src) {
		return DropSourceCheck
	}
	from.live.count.sent(len(h.frame))
	if r := f.frags.resolve(from.vpc.live, h, now); r != passed {
		return r
	}
	f.mirror(from, h, mirror.Egress, now)
	if from.vpc.isResolver(h.dst) {
		return f.resolve(from, h, now)
	}
	if r := unreachable(h.dst); r != passed {
		return r
	}
	if r := from.admit(h, true, from.vpc.byAddr[h.dst], nil, now); r != passed {
		return r
	}
	if from.target && f.untranslate(from, h, now) {
		// The answer goes on as one of the load balancer's node.
		return f.route(from, from.subnet, h, now)
	}
	if dst := [6]byte(h.frame[:6]); dst != from.subnet.mac {
		return f.neighbourly(from, dst, h, now)
	}
	return f.route(from, from.subnet, h, now)
}

// unreachable tells why nobody in a VPC has the address a.
func unreachable(a netip.Addr) Reason {
	switch {
	case a.IsMulticast(), a == broadcast:
		return DropMulticast
	case a.IsLinkLocalUnicast():
		return DropLinkLocal
	}
	return passed
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// neighbourly delivers h to the neighbour in the subnet that has the hardware address
// mac. The packet may be for somebody behind it.
func (f *Fabric) neighbourly(from *eni, mac [6]byte, h *head, now int64) Reason {
	if mac[0]&1 != 0 {
		return DropMulticast
	}
	to := from.vpc.byAddr[h.dst]
	if to == nil || to.mac != mac {
		to = from.subnet.byMAC(f.plan, mac)
	}
	if to == nil || to.subnet != from.subnet {
		return DropNoHost
	}
	return f.arrive(from, to, h, from.mac, now)
}

// byMAC finds the interface of s that has the hardware address mac. It is for packets
// that a neighbour passes on, which are rare.
func (s *subnet) byMAC(p *plan, mac [6]byte) *eni {
	for _, e := range p.enis {
		if e.subnet == s && e.mac == mac {
			return e
		}
	}
	return nil
}

// route finds the receiver of h by the routes of the subnet s, and judges the network
// ACLs of both subnets.
func (f *Fabric) route(from *eni, s *subnet, h *head, now int64) Reason {
	to, r := f.hop(s, h.dst)
	if r != passed {
		return r
	}
	if r := crossing(s, to.subnet, h); r != passed {
		return r
	}
	mac := to.subnet.mac
	if s == to.subnet {
		mac = from.mac
	}
	return f.arrive(from, to, h, mac, now)
}

// hop finds the interface that a packet to dst from the subnet s goes to.
func (f *Fabric) hop(s *subnet, dst netip.Addr) (*eni, Reason) {
	rt := s.lookup(dst)
	if rt == nil {
		return nil, DropNoRoute
	}
	var to *eni
	switch rt.hop {
	case hopLocal:
		to = rt.vpc.byAddr[dst]
	case hopENI:
		to = f.plan.enis[rt.eni]
	case hopOutside:
		return nil, DropOutside
	default:
		return nil, DropNoRoute
	}
	if to == nil {
		return nil, DropNoHost
	}
	return to, passed
}

// crossing judges the network ACLs between two subnets; within one they do not apply.
func crossing(s, to *subnet, h *head) Reason {
	if s == to {
		return passed
	}
	if !s.acl.passes(h, true) {
		return DropEgressNACL
	}
	if !to.acl.passes(h, false) {
		return DropIngressNACL
	}
	return passed
}

// arrive gives h to the interface to, if it may have it. mac is the sender's hardware
// address that it sees.
func (f *Fabric) arrive(from, to *eni, h *head, mac [6]byte, now int64) Reason {
	if to.node != nil && to.own(h.dst) {
		return f.balance(from, to, h, now)
	}
	if to.endpoint != nil {
		return f.enter(from, to, h, now)
	}
	if to.managed {
		return DropBalancer
	}
	if to.check && !to.own(h.dst) {
		return DropDestCheck
	}
	return f.receive(from, to, h, mac, nil, now)
}

// enter takes h into the Gateway Load Balancer endpoint at.
func (f *Fabric) enter(from, at *eni, h *head, now int64) Reason {
	node := f.plan.enis[at.endpoint.node]
	if node == nil || node.node == nil {
		return DropNoTarget
	}
	h.endpoint = at.endpoint.num
	return f.balance(from, node, h, now)
}

// receive judges h by the groups of to and delivers it. extra is a group that the sender
// counts as having.
func (f *Fabric) receive(from, to *eni, h *head, mac [6]byte, extra []string, now int64) Reason {
	if r := to.admit(h, false, from, extra, now); r != passed {
		return r
	}
	if len(h.frame)-lenEthernet > to.mtu {
		return f.tooBig(from, to, h)
	}
	f.hand(to, h, mac, now)
	return passed
}

// hand writes the Ethernet header of h for to, mirrors it there, and puts it on its way.
func (f *Fabric) hand(to *eni, h *head, mac [6]byte, now int64) {
	copy(h.frame, to.mac[:])
	copy(h.frame[6:], mac[:])
	f.mirror(to, h, mirror.Ingress, now)
	f.deliver(to, h.frame)
}

// deliver puts a frame on its way to the port of to.
func (f *Fabric) deliver(to *eni, frame []byte) {
	if !to.hasPort || to.live.port == nil {
		f.drop(to, DropNoDevice)
		return
	}
	to.live.count.received(len(frame))
	f.out = append(f.out, delivery{to, frame})
}

// room returns an empty slice of scratch memory for a frame of at most n bytes, valid
// until the next batch begins; nil when the batch has used it up.
func (f *Fabric) room(n int) []byte {
	at := len(f.scratch)
	if at+n > cap(f.scratch) {
		return nil
	}
	f.scratch = f.scratch[:at+n]
	return f.scratch[at : at : at+n]
}

// tick forgets what has been idle. It is called about once a second.
func (f *Fabric) tick(now int64) {
	for _, e := range f.plan.enis {
		e.live.tracker.sweep(now)
	}
	for _, n := range f.plan.nodes {
		n.live.sweep(now)
	}
	f.frags.sweep(now)
}
