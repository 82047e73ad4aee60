package vpc

import (
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// Stats are what a run has counted and what it does. Counters only grow, as long as what
// they count is there.
type Stats struct {
	Generation uint64          `json:"generation"` // of the endpoint's state that frames are forwarded by
	Interfaces []ENIStats      `json:"interfaces"`
	Sessions   []SessionStats  `json:"sessions"`
	Balancers  []BalancerStats `json:"loadBalancers,omitempty"`
}

// ENIStats are those of an interface. Bytes are of whole frames.
type ENIStats struct {
	ID                          string            `json:"id"`
	Instance                    string            `json:"instance,omitempty"`
	Addresses                   []string          `json:"addresses"`
	Device                      string            `json:"device,omitempty"`
	SentPackets                 uint64            `json:"sentPackets"`
	SentBytes                   uint64            `json:"sentBytes"`
	ReceivedPackets             uint64            `json:"receivedPackets"`
	ReceivedBytes               uint64            `json:"receivedBytes"`
	NetworkMirrorIn             uint64            `json:"NetworkMirrorIn"`
	NetworkMirrorOut            uint64            `json:"NetworkMirrorOut"`
	NetworkPacketsMirrorIn      uint64            `json:"NetworkPacketsMirrorIn"`
	NetworkPacketsMirrorOut     uint64            `json:"NetworkPacketsMirrorOut"`
	NetworkSkipMirrorIn         uint64            `json:"NetworkSkipMirrorIn"`
	NetworkSkipMirrorOut        uint64            `json:"NetworkSkipMirrorOut"`
	NetworkPacketsSkipMirrorIn  uint64            `json:"NetworkPacketsSkipMirrorIn"`
	NetworkPacketsSkipMirrorOut uint64            `json:"NetworkPacketsSkipMirrorOut"`
	KernelDrops                 uint64            `json:"kernelDrops"` // frames the device's socket had no room for
	Dropped                     map[string]uint64 `json:"dropped"`     // not delivered, by reason
}

// SessionStats are those of a mirror session.
type SessionStats struct {
	ID             string            `json:"id"`
	Source         string            `json:"source"`
	Target         string            `json:"target"`
	Number         int               `json:"number"`
	VNI            uint32            `json:"vni"`
	Active         bool              `json:"active"`
	Path           string            `json:"path"` // "ok", or why nothing arrives
	Packets        uint64            `json:"packets"`
	Bytes          uint64            `json:"bytes"`
	CutByMTU       uint64            `json:"cutByMtu"`
	CutByLength    uint64            `json:"cutByLength"`
	SkippedPackets uint64            `json:"skippedPackets"`
	SkippedBytes   uint64            `json:"skippedBytes"`
	Dropped        map[string]uint64 `json:"dropped"`
}

// BalancerStats are those of a load balancer's node.
type BalancerStats struct {
	Name      string        `json:"name"`
	Zone      string        `json:"zone"`
	Address   string        `json:"address"`
	Moved     uint64        `json:"flowsMoved"`
	Untracked uint64        `json:"packetsUntracked"`
	Targets   []TargetStats `json:"targets"`
}

// TargetStats are those of a target, over all nodes.
type TargetStats struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	Healthy bool   `json:"healthy"`
	Packets uint64 `json:"packets"`
	Flows   uint64 `json:"flows"`
}

// stats reads the counters of what p has.
func (p *plan) stats() Stats {
	s := Stats{Generation: p.version, Interfaces: []ENIStats{}, Sessions: []SessionStats{}}
	for _, e := range p.enis {
		c, in, out := &e.live.count, &e.live.mirrorIn, &e.live.mirrorOut
		x := ENIStats{
			ID: e.id, Instance: e.instance, SentPackets: c.SentPackets.Load(), SentBytes: c.SentBytes.Load(),
			ReceivedPackets: c.ReceivedPackets.Load(), ReceivedBytes: c.ReceivedBytes.Load(),
			NetworkMirrorIn: in.Bytes.Load(), NetworkMirrorOut: out.Bytes.Load(),
			NetworkPacketsMirrorIn: in.Packets.Load(), NetworkPacketsMirrorOut: out.Packets.Load(),
			NetworkSkipMirrorIn: in.SkippedBytes.Load(), NetworkSkipMirrorOut: out.SkippedBytes.Load(),
			NetworkPacketsSkipMirrorIn: in.SkippedPackets.Load(), NetworkPacketsSkipMirrorOut: out.SkippedPackets.Load(),
			Dropped: map[string]uint64{},
		}
		for _, a := range e.addrs {
			x.Addresses = append(x.Addresses, a.String())
		}
		for r := range dropKinds {
			if n := c.Drops[r].Load(); n > 0 {
				x.Dropped[r.String()] = n
			}
		}
		s.Interfaces = append(s.Interfaces, x)
		if e.program == nil {
			continue
		}
		for i := range e.program.Sessions() {
			s.Sessions = append(s.Sessions, p.session(e, i))
		}
	}
	slices.SortFunc(s.Interfaces, func(a, b ENIStats) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Sessions, func(a, b SessionStats) int {
		if a.Source != b.Source {
			return strings.Compare(a.Source, b.Source)
		}
		return a.Number - b.Number
	})
	for _, n := range p.nodes {
		s.Balancers = append(s.Balancers, n.stats())
	}
	return s
}

func (p *plan) session(e *eni, i int) SessionStats {
	ps := &e.program.Sessions()[i]
	t := &e.tunnels[i]
	c := &t.live.count
	x := SessionStats{
		ID: ps.Session.ID, Source: e.id, Target: ps.Session.TargetID, Number: ps.Session.Number, VNI: ps.Session.VNI, Active: !ps.Inactive,
		Packets: c.Packets.Load(), Bytes: c.Bytes.Load(), CutByMTU: c.CutByMTU.Load(), CutByLength: c.CutByLength.Load(),
		SkippedPackets: c.SkippedPackets.Load(), SkippedBytes: c.SkippedBytes.Load(), Dropped: map[string]uint64{},
	}
	for r := range dropKinds {
		if n := c.Drops[r].Load(); n > 0 {
			x.Dropped[r.String()] = n
		}
	}
	switch r := p.path(e, t); {
	case ps.Inactive:
		x.Path = "target-gone"
	case r == passed:
		x.Path = "ok"
	default:
		x.Path = r.String()
	}
	return x
}

// path follows a mirrored packet from e to where t leads, as the fabric would, without
// sending one: up to the target's interface, or the load balancer's listener.
func (p *plan) path(e *eni, t *tunnel) Reason {
	if t.gone != passed {
		return t.gone
	}
	m := mirror.MirrorProbe(e.addrs[0], t.dst)
	h := head{version: 4, proto: uint8(m.Protocol), src: m.Src, dst: m.Dst, sport: uint16(m.SrcPort), dport: uint16(m.DstPort), mirrored: true}
	f := Fabric{plan: p}
	to, r := f.hop(e.subnet, t.dst)
	if r != passed {
		return r
	}
	if r := crossing(e.subnet, to.subnet, &h); r != passed {
		return r
	}
	switch {
	case to.endpoint != nil:
		if p.enis[to.endpoint.node] == nil {
			return DropNoTarget
		}
		return passed
	case to.node != nil:
		l := to.node.lb.listener(&h)
		if l == nil {
			return DropListener
		}
		if len(to.node.lb.groups) > 0 && !groupsAdmit(to.node.lb.groups, &h, h.src, false, e, nil) {
			return DropIngressGroup
		}
		g := l.group(&h)
		if g == nil || g.choose(to.node, g.hash(&h)) == nil {
			return DropNoTarget
		}
		return passed
	case to.managed:
		return DropBalancer
	case to.check && !to.own(h.dst):
		return DropDestCheck
	}
	if r := to.admit(&h, false, e, nil, 0); r != passed {
		return r
	}
	if !to.hasPort {
		return DropNoDevice
	}
	return passed
}

func (n *balancerNode) stats() BalancerStats {
	x := BalancerStats{Name: n.lb.name, Zone: n.zone, Address: n.addr.String(), Moved: n.live.Moved.Load(), Untracked: n.live.Untracked.Load()}
	for _, l := range n.lb.listeners {
		for _, fw := range l.forward {
			for _, t := range fw.group.targets {
				x.Targets = append(x.Targets, TargetStats{
					Address: t.addr.String(), Port: t.port, Healthy: t.live.healthy.Load(), Packets: t.live.Packets.Load(), Flows: t.live.Flows.Load(),
				})
			}
		}
	}
	return x
}
