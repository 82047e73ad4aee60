package vpc

import "mirador/internal/mirror"

// overGWLB is the MTU of a Gateway Load Balancer and its endpoints. AWS: "Quotas for
// your Gateway Load Balancers".
const overGWLB = 8500

// mirroring compiles the program of each source interface, and where its sessions lead.
func (c *compiler) mirroring() {
	b := &c.snap.Mirroring
	mtu := map[string]int{}
	dead := map[string]bool{} // targets without their resource
	targets := map[string]*mirror.Target{}
	for i := range b.Targets {
		t := &b.Targets[i]
		targets[t.ID] = t
		e, ok := c.targetOf(t, "")
		switch {
		case !ok:
			dead[t.ID] = true
		case t.Type() == mirror.TargetInterface:
			mtu[t.ID] = e.mtu
			c.tunnels = append(c.tunnels, e.addrs...)
		case t.Type() == mirror.TargetGWLB:
			mtu[t.ID] = overGWLB
			c.tunnels = append(c.tunnels, e.addrs...)
		}
	}
	for _, n := range c.p.nodes {
		c.tunnels = append(c.tunnels, n.addr)
	}
	for _, g := range c.snap.TargetGroups { // appliances get GENEVE, sensors behind an NLB VXLAN
		for _, t := range g.Targets {
			if id, a, _ := c.place(g, t.TargetID); id != "" {
				c.tunnels = append(c.tunnels, a)
			}
		}
	}
	for _, s := range b.Sessions {
		c.sessions[s.NetworkInterfaceID] = append(c.sessions[s.NetworkInterfaceID], s)
	}
	for id, sessions := range c.sessions {
		c.source(id, sessions, targets, dead, mtu)
	}
}

// source compiles the sessions of the interface id.
func (c *compiler) source(id string, sessions []mirror.Session, targets map[string]*mirror.Target, dead map[string]bool, mtu map[string]int) {
	e := c.p.enis[id]
	iface, ok := c.snap.MirrorInterface(id)
	if e == nil || !ok || !e.hasPort || !e.addrs[0].Is4() {
		return // detached, or its instance is stopped
	}
	o := mirror.CompileOptions{Switches: c.o.switches, Tunnels: c.tunnels, TargetMTU: mtu}
	if c.o.wide {
		o.Port = mirror.PortWide
	}
	for _, s := range sessions {
		if targets[s.TargetID] == nil || dead[s.TargetID] {
			o.Inactive = append(o.Inactive, s.ID)
		}
	}
	prog, err := mirror.Compile(iface, sessions, c.snap.Mirroring.Filters, o)
	if err != nil {
		c.problem("mirror %s: %w", id, err)
		return
	}
	e.program = prog
	for i := range prog.Sessions() {
		s := &prog.Sessions()[i].Session
		t := tunnel{live: keep(c.live.sessions, s.ID, func() *sessionLive { return &sessionLive{id: s.ID} })}
		if to, ok := c.targetOf(targets[s.TargetID], e.subnet.az); ok {
			t.dst = to.addrs[0]
		}
		if !t.dst.Is4() {
			t.gone = DropNoRoute
		}
		e.tunnels = append(e.tunnels, t)
	}
	e.live.limit.Store(c.o.mirrorBps / 8)
}

// targetOf finds the interface that packets for a target are addressed to, for a source
// in the zone az: an interface itself, the node of a load balancer (that of the zone
// first), or that of an endpoint.
func (c *compiler) targetOf(t *mirror.Target, az string) (*eni, bool) {
	if t == nil {
		return nil, false
	}
	switch t.Type() {
	case mirror.TargetInterface:
		e := c.p.enis[t.NetworkInterfaceID]
		return e, e != nil
	case mirror.TargetNLB:
		var found *eni
		for _, n := range c.p.nodes {
			if n.lb.arn == t.NetworkLoadBalancerARN && !n.lb.gateway && (found == nil || n.zone == az) {
				found = c.p.enis[n.eni]
			}
		}
		return found, found != nil
	case mirror.TargetGWLB:
		ep := c.snap.VPCEndpoints[t.GatewayLoadBalancerEndpointID]
		if ep == nil || ep.Type != "GatewayLoadBalancer" {
			return nil, false
		}
		var found *eni
		for _, id := range ep.Interfaces {
			if e := c.p.enis[id]; e != nil && (found == nil || e.subnet.az == az) {
				found = e
			}
		}
		return found, found != nil
	}
	return nil, false
}
