package vpc

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	"mirador/internal/packet"
)

// balancer is a Network or Gateway Load Balancer.
type balancer struct {
	arn       string
	name      string
	gateway   bool
	crossZone bool
	groups    []*group // security groups; none: everything comes in
	groupIDs  []string
	listeners []listener
	nodes     []*balancerNode
}

// listener is a listener of a load balancer.
type listener struct {
	tcp, udp bool
	port     uint16 // 0: gateway load balancer, takes all
	forward  []forward
	weights  int
}

// forward is a target group of a listener.
type forward struct {
	group  *targetGroup
	weight int
}

// targetGroup are the targets of one target group.
type targetGroup struct {
	arn      string
	sourceIP bool // stickiness.type is source_ip, or flows of gateways are of fewer fields
	proto    bool // of those fields, the protocol is one
	targets  []*target
	byLive   map[*targetLive]*target
	open     *atomic.Bool // no target passes its checks: all of them are used
}

// target is one registered target.
type target struct {
	live     *targetLive
	addr     netip.Addr
	port     uint16
	eni      string
	zone     string
	draining bool
	seed     uint64
}

// targetLive is what stays of a target from plan to plan.
type targetLive struct {
	key     string // group and target
	healthy atomic.Bool
	Packets atomic.Uint64 // given to it
	Flows   atomic.Uint64 // that began at it, or moved to it
}

// balancerNode is a load balancer's presence in one zone.
type balancerNode struct {
	lb   *balancer
	eni  string
	addr netip.Addr
	zone string
	live *nodeLive
}

// nodeLive is what stays of a node from plan to plan: its flows.
type nodeLive struct {
	arn, zone string
	flows     map[flowKey]*flow
	Untracked atomic.Uint64 // packets balanced by their hash alone, because the table was full
	Moved     atomic.Uint64 // flows that were given to another target
}

type flowKey struct {
	client     netip.Addr
	clientPort uint16
	port       uint16
	proto      uint8
}

type flow struct {
	to   *targetLive
	last int64
}

// answer is where the answers of a target to one client have to seem to come from.
type answer struct {
	node netip.Addr
	port uint16
	last int64
}

// listener finds the listener that takes h.
func (b *balancer) listener(h *head) *listener {
	for i := range b.listeners {
		l := &b.listeners[i]
		if l.port == 0 || l.port == h.dport && (l.udp && h.proto == packet.ProtoUDP || l.tcp && h.proto == packet.ProtoTCP) {
			return l
		}
	}
	return nil
}

// hash is the hash by which h is given to a target: of addresses, ports and protocol, or
// of less where the target group says so.
func (g *targetGroup) hash(h *head) uint64 {
	s, d := h.src.As16(), h.dst.As16()
	x := binary.BigEndian.Uint64(s[:8])*0x9e3779b97f4a7c15 ^ binary.BigEndian.Uint64(s[8:])
	if !g.sourceIP {
		x = mix64(x) ^ uint64(h.sport)<<32 ^ uint64(h.dport)<<16 ^ uint64(h.proto)
		x = mix64(x) ^ binary.BigEndian.Uint64(d[8:])
	} else if g.proto {
		x = mix64(x) ^ uint64(h.proto)
	}
	return mix64(x)
}

// mix64 is the finaliser of SplitMix64.
func mix64(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// takes tells whether t may be given packets by n; fresh means that they begin a flow.
func (t *target) takes(n *balancerNode, g *targetGroup, fresh bool) bool {
	if fresh && t.draining {
		return false
	}
	if !t.live.healthy.Load() && !g.open.Load() {
		return false
	}
	return n.lb.crossZone || t.zone == n.zone || t.zone == "all"
}

// choose finds the target for a new flow: the one with the highest score of those that
// may be used, so that flows of the others stay when one goes (rendezvous hashing).
func (g *targetGroup) choose(n *balancerNode, hash uint64) *target {
	var best *target
	var most uint64
	for _, t := range g.targets {
		if !t.takes(n, g, true) {
			continue
		}
		if score := mix64(hash ^ t.seed); best == nil || score > most {
			best, most = t, score
		}
	}
	return best
}

// group chooses one of the target groups of l by their weights.
func (l *listener) group(h *head) *targetGroup {
	if len(l.forward) == 1 {
		return l.forward[0].group
	}
	if l.weights == 0 {
		return nil
	}
	n := int(l.forward[0].group.hash(h) >> 8 % uint64(l.weights))
	for _, f := range l.forward {
		if n -= f.weight; n < 0 {
			return f.group
		}
	}
	return nil
}

// pick finds the target for h: the one its flow is with, or a new one.
func (n *balancerNode) pick(l *listener, h *head, now int64) *target {
	g := l.group(h)
	if g == nil {
		return nil
	}
	k := flowKey{h.src, h.sport, h.dport, h.proto}
	if g.sourceIP {
		k.clientPort, k.port = 0, 0
	}
	idle := int64(idleFlowUDP)
	if h.proto == packet.ProtoTCP {
		idle = int64(idleFlowTCP)
	}
	fl := n.live.flows[k]
	if fl != nil && now-fl.last < idle {
		if t := g.byLive[fl.to]; t != nil && t.takes(n, g, false) {
			fl.last = now
			return t
		}
	}
	t := g.choose(n, g.hash(h))
	if t == nil {
		return nil
	}
	if fl != nil {
		if fl.to != t.live {
			n.live.Moved.Add(1)
			t.live.Flows.Add(1)
		}
		fl.to, fl.last = t.live, now
		return t
	}
	if len(n.live.flows) >= maxFlows {
		n.live.sweep(now)
		if len(n.live.flows) >= maxFlows {
			n.live.Untracked.Add(1)
			return t
		}
	}
	if n.live.flows == nil {
		n.live.flows = map[flowKey]*flow{}
	}
	n.live.flows[k] = &flow{t.live, now}
	t.live.Flows.Add(1)
	return t
}

// sweep forgets idle flows among at most maxSweep of them.
func (n *nodeLive) sweep(now int64) {
	seen := 0
	for k, fl := range n.flows {
		if seen++; seen > maxSweep {
			return
		}
		idle := idleFlowUDP
		if k.proto == packet.ProtoTCP {
			idle = idleFlowTCP
		}
		if time.Duration(now-fl.last) >= idle {
			delete(n.flows, k)
		}
	}
}

// balance takes h, which is addressed to the load balancer node at, to one of its targets.
func (f *Fabric) balance(from, at *eni, h *head, now int64) Reason {
	n := at.node
	if !h.mirrored && at.live.tracker.known(h, false, now) {
		f.hand(at, h, at.subnet.mac, now) // answers the node itself: a health check
		return passed
	}
	l := n.lb.listener(h)
	if l == nil {
		return DropListener
	}
	if len(n.lb.groups) > 0 && !groupsAdmit(n.lb.groups, h, h.src, false, from, nil) {
		return DropIngressGroup
	}
	t := n.pick(l, h, now)
	if t == nil {
		return DropNoTarget
	}
	if n.lb.gateway {
		return f.encapsulate(from, at, t, h, now)
	}
	to, r := f.hop(at.subnet, t.addr)
	if r != passed {
		return r
	}
	if !h.mirrored {
		if r := to.expect(h, t, now); r != passed {
			return r
		}
	}
	h.setDestination(t.addr, t.port)
	if r := crossing(at.subnet, to.subnet, h); r != passed {
		return r
	}
	if to.check && !to.own(h.dst) {
		return DropDestCheck
	}
	mac := to.subnet.mac
	if at.subnet == to.subnet {
		mac = at.mac
	}
	if r := f.receive(from, to, h, mac, n.lb.groupIDs, now); r != passed {
		return r
	}
	t.live.Packets.Add(1)
	return passed
}

// expect remembers that answers of e to h, on its way to t, are the load balancer's.
func (e *eni) expect(h *head, t *target, now int64) Reason {
	k := trackKey{t.addr, h.src, t.port, h.sport, h.proto}
	if e.live.answers[k] == nil && len(e.live.answers) >= maxTracked {
		seen := 0
		for k, a := range e.live.answers {
			if seen++; seen > maxSweep {
				break
			}
			if now-a.last >= int64(idleFlowTCP) {
				delete(e.live.answers, k)
			}
		}
		if len(e.live.answers) >= maxTracked {
			return DropTracked
		}
	}
	if e.live.answers == nil {
		e.live.answers = map[trackKey]*answer{}
	}
	e.live.answers[k] = &answer{h.dst, h.dport, now}
	return passed
}

// untranslate makes h, if it answers a client of a load balancer, an answer of the load
// balancer's node.
func (f *Fabric) untranslate(from *eni, h *head, now int64) bool {
	a := from.live.answers[keyOf(h, true)]
	if a == nil {
		return false
	}
	a.last = now
	h.setSource(a.node, a.port)
	return true
}

// encapsulate wraps h, which the endpoint's or load balancer's node at took, for the
// appliance t. AWS: "Gateway Load Balancers", GENEVE.
func (f *Fabric) encapsulate(from, at *eni, t *target, h *head, now int64) Reason {
	to, r := f.hop(at.subnet, t.addr)
	if r != passed {
		return r
	}
	ip := h.frame[lenEthernet:]
	proto := uint16(packet.EtherTypeIPv4)
	if h.version == 6 {
		proto = packet.EtherTypeIPv6
	}
	b := f.room(lenEthernet + lenIPv4 + lenUDP + 8 + 32 + len(ip))
	if b == nil || !at.node.addr.Is4() || !t.addr.Is4() {
		return DropSend
	}
	k := flowHash(h)
	opts := packet.AppendAWSOptions(make([]byte, 0, 32), h.endpoint, uint64(k), uint32(k))
	b = packet.AppendEthernet(b, to.mac, to.subnet.mac, packet.EtherTypeIPv4)
	b = packet.AppendIPv4(b, packet.IPv4{Src: at.node.addr.As4(), Dst: t.addr.As4(), Proto: packet.ProtoUDP}, lenUDP+8+len(opts)+len(ip))
	b = packet.AppendUDP(b, 49152|uint16(k)&0x3fff, t.port, 8+len(opts)+len(ip))
	b = packet.AppendGENEVE(b, 0, proto, opts)
	b = append(b, ip...)
	var outer head
	if r := outer.parse(b); r != passed {
		return r
	}
	outer.mirrored = h.mirrored
	if r := crossing(at.subnet, to.subnet, &outer); r != passed {
		return r
	}
	if r := f.receive(at, to, &outer, to.subnet.mac, nil, now); r != passed {
		return r
	}
	t.live.Packets.Add(1)
	return passed
}

// flowHash is the cookie of h's flow.
func flowHash(h *head) uint64 { return (&targetGroup{}).hash(h) }

// setDestination and setSource change an address and port of h, in the frame too.
func (h *head) setDestination(a netip.Addr, port uint16) { h.translate(a, port, true) }
func (h *head) setSource(a netip.Addr, port uint16)      { h.translate(a, port, false) }

func (h *head) translate(a netip.Addr, port uint16, destination bool) {
	ip := h.frame[lenEthernet:]
	at, size := 12, 4
	if h.version == 6 {
		at, size = 8, 16
	}
	if destination {
		at += size
	}
	var sum uint16 // of what changes
	field := ip[at : at+size]
	raw := a.As16()
	fresh := raw[16-size:]
	sum = difference(field, fresh)
	copy(field, fresh)
	if h.version == 4 {
		patch(ip[10:12], sum)
	}
	if destination {
		h.dst = a
	} else {
		h.src = a
	}
	if h.l4 == 0 {
		h.sport, h.dport = pickPort(destination, h.sport, port), pickPort(!destination, h.dport, port)
		return // not the first fragment: no ports in it
	}
	off := 0
	if destination {
		off = 2
	}
	l4 := h.frame[h.l4:]
	var p [2]byte
	binary.BigEndian.PutUint16(p[:], port)
	sum = plus(sum, difference(l4[off:off+2], p[:]))
	copy(l4[off:], p[:])
	switch h.proto {
	case packet.ProtoTCP:
		patch(l4[16:18], sum)
	case packet.ProtoUDP:
		if l4[6]|l4[7] != 0 { // 0 is no checksum
			patch(l4[6:8], sum)
			if l4[6]|l4[7] == 0 {
				l4[6], l4[7] = 0xff, 0xff
			}
		}
	}
	if destination {
		h.dport = port
	} else {
		h.sport = port
	}
}

func pickPort(keep bool, old, fresh uint16) uint16 {
	if keep {
		return old
	}
	return fresh
}

// difference returns what the sum over new is more than that over old, in ones'
// complement (RFC 1624). Both have the same even length.
func difference(old, fresh []byte) uint16 {
	var s uint32
	for i := 0; i < len(old); i += 2 {
		s += uint32(^binary.BigEndian.Uint16(old[i:])) + uint32(binary.BigEndian.Uint16(fresh[i:]))
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

func plus(a, b uint16) uint16 {
	s := uint32(a) + uint32(b)
	return uint16(s&0xffff + s>>16)
}

// patch changes the checksum in b by d (RFC 1624 equation 3).
func patch(b []byte, d uint16) {
	binary.BigEndian.PutUint16(b, ^plus(^binary.BigEndian.Uint16(b), d))
}
