package setup

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// balancerOf returns the load balancer behind a target, or nil.
func (v *verifier) balancerOf(t *mirror.Target) *Balancer {
	find := func(arn string) *Balancer {
		for i := range v.w.Balancers {
			if v.w.Balancers[i].ARN == arn {
				return &v.w.Balancers[i]
			}
		}
		return nil
	}
	if t.NetworkLoadBalancerARN != "" {
		return find(t.NetworkLoadBalancerARN)
	}
	e := v.endpoint(t.GatewayLoadBalancerEndpointID)
	if e == nil {
		return nil
	}
	for i := range v.w.Services {
		if s := &v.w.Services[i]; s.Name == e.Service && len(s.Balancers) > 0 {
			return find(s.Balancers[0])
		}
	}
	return nil
}

func (v *verifier) endpoint(id string) *Endpoint {
	for i := range v.w.Endpoints {
		if id != "" && v.w.Endpoints[i].ID == id {
			return &v.w.Endpoints[i]
		}
	}
	return nil
}

// way judges the way from the source to the sensors' interfaces.
func (v *verifier) way(r *Verdict) {
	e := v.w.Interface(r.Interface)
	if e == nil {
		return
	}
	t := v.target[r.session.TargetID]
	if t == nil {
		r.note(Error, HopTarget, "its target "+r.session.TargetID+" is not in this account or is gone", "mirador aws apply gives it one")
		return
	}
	if t.OwnerID != "" && v.w.Identity.Account != "" && t.OwnerID != v.w.Identity.Account {
		if v.s.kind() == TargetShared && slices.Contains(v.s.Target.Shared, t.ID) {
			r.note(OK, HopTarget, "the target "+t.ID+" is of account "+t.OwnerID+": the way behind it cannot be seen from here", "mirador aws probe on the source, and verify --probe-token where the sensor is")
			return
		}
		r.note(Error, HopTarget, "the target "+t.ID+" is of account "+t.OwnerID+", and the description does not name it", "mirador aws apply gives the session one of its own")
		return
	}
	switch t.Type() {
	case mirror.TargetInterface:
		v.toInterface(r, e, t.NetworkInterfaceID)
	case mirror.TargetNLB:
		v.toBalancer(r, e, t)
	case mirror.TargetGWLB:
		v.toEndpoint(r, e, t)
	}
}

// toInterface judges a traffic interface as target.
func (v *verifier) toInterface(r *Verdict, from *Interface, id string) {
	to := v.w.Interface(id)
	if !v.inUse(r, to, id, Error) {
		return
	}
	v.network(r, from, to.Subnet, to.Primary(), to.Groups, "target "+id, TargetENI)
}

// inUse tells whether an interface is attached to an instance that runs.
func (v *verifier) inUse(r *Verdict, e *Interface, id string, l Level) bool {
	if e == nil {
		// An interface target of another account is not ours to see.
		r.note(l, HopTarget, "the interface "+id+" that it leads to is not in this account or is gone", "mirador aws apply makes target and interface anew")
		return false
	}
	i := v.w.Instance(e.InstanceID)
	switch {
	case e.InstanceID == "":
		r.note(l, HopTarget, "the traffic interface "+id+" is attached to no instance", "mirador aws apply attaches it")
	case i == nil:
	case i.State != StateRunning:
		r.note(l, HopTarget, fmt.Sprintf("the sensor %s is %s", i.ID, i.State), "start it")
	default:
		return true
	}
	return i == nil && e.InstanceID != ""
}

// network judges routes, network ACLs and, when groups is not nil, security groups.
func (v *verifier) network(r *Verdict, from *Interface, subnet string, to netip.Addr, groups []string, name, kind string) {
	n := v.w.Subnet(from.Subnet)
	if n == nil || !from.Primary().IsValid() {
		return
	}
	f := &preflight{s: &Spec{Target: TargetSpec{Kind: kind}}, w: v.w}
	h := hop{name: name, subnet: subnet, addr: to, port: 4789}
	if groups != nil {
		h.groups = v.w.groupsOf(groups)
	}
	f.path(n, &Source{Interface: from}, &h)
	for _, x := range f.list {
		r.note(x.Level, Hop(x.Code), x.Text, x.Remedy)
	}
}

// groupsOf returns security groups in the form that mirror judges; never nil.
func (w *Observed) groupsOf(ids []string) []mirror.SecurityGroup {
	out := []mirror.SecurityGroup{}
	for i := range w.Groups {
		if g := &w.Groups[i]; slices.Contains(ids, g.ID) {
			out = append(out, groupOf(g.ID, g.Ingress, g.Egress))
		}
	}
	return out
}

// toBalancer judges a network load balancer as target.
func (v *verifier) toBalancer(r *Verdict, from *Interface, t *mirror.Target) {
	b := v.balancerOf(t)
	if b == nil {
		r.note(Error, HopTarget, "the load balancer "+t.NetworkLoadBalancerARN+" is not in this account or is gone", "mirador aws apply makes it anew")
		return
	}
	if !strings.HasPrefix(b.State, "active") && b.State != "" {
		r.note(Error, HopTarget, "the load balancer "+b.Name+" is "+b.State, "wait until it is active")
	}
	// AWS sends to the node of the zone, or of another zone when there is none.
	subnet := v.nodeSubnet(b, from)
	if subnet != "" {
		v.network(r, from, subnet, v.nodeAddr(b, subnet), nilIfNone(b.Groups), "load balancer "+b.Name, TargetNLB)
	}
	var l *Listener
	for i := range v.w.Listeners {
		x := &v.w.Listeners[i]
		if x.Balancer == b.ARN && x.Port == 4789 && (x.Protocol == "UDP" || x.Protocol == "TCP_UDP") {
			l = x
		}
	}
	if l == nil {
		r.note(Error, HopListener, "the load balancer "+b.Name+" has no listener for UDP 4789", "mirador aws apply makes it")
		return
	}
	v.behind(r, from, b, l.TargetGroup, subnet, 4789)
}

func nilIfNone(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// nodeSubnet returns the subnet of the load balancer that packets of e enter by.
func (v *verifier) nodeSubnet(b *Balancer, e *Interface) string {
	for _, id := range b.Subnets {
		if n := v.w.Subnet(id); n != nil && n.AZ == e.AZ {
			return id
		}
	}
	if len(b.Subnets) > 0 {
		return b.Subnets[0]
	}
	return ""
}

// nodeAddr returns the address of the load balancer in a subnet, or one that it may have.
func (v *verifier) nodeAddr(b *Balancer, subnet string) netip.Addr {
	for i := range v.w.Interfaces {
		e := &v.w.Interfaces[i]
		if e.Subnet == subnet && strings.Contains(e.Description, "/"+b.Name+"/") {
			return e.Primary()
		}
	}
	return (&preflight{w: v.w}).addressIn("", subnet)
}

// behind judges the targets behind a listener: their health, and the way from the load
// balancer to them. port is the one that sensors take mirrored packets at.
func (v *verifier) behind(r *Verdict, from *Interface, b *Balancer, group, subnet string, port int) {
	var g *TargetGroup
	for i := range v.w.TargetGroups {
		if v.w.TargetGroups[i].ARN == group {
			g = &v.w.TargetGroups[i]
		}
	}
	if g == nil {
		r.note(Error, HopListener, "the listener of "+b.Name+" leads to a target group that is gone or takes no UDP", "mirador aws apply")
		return
	}
	n := v.w.Subnet(subnet)
	zone := ""
	if n != nil {
		zone = n.AZ
	}
	cross := b.Attributes["load_balancing.cross_zone.enabled"] == "true"
	var good, inZone int
	var bad []string
	for _, h := range v.health[group] {
		if h.State == "draining" {
			continue
		}
		e := v.byAddress(h.ID, g.VPC)
		az := h.AZ
		if e != nil {
			az = e.AZ
		}
		if h.State == "healthy" || h.State == "unavailable" { // unavailable: nobody checks
			good++
			inZone += b2i(cross || zone == "" || az == zone)
			if e != nil {
				v.lastStep(r, from, e, b, g, subnet, port)
			}
			continue
		}
		text := fmt.Sprintf("%s is %s", h.ID, h.State)
		if h.Reason != "" {
			text += " (" + strings.TrimSpace(h.Reason+" "+h.Description) + ")"
		}
		bad = append(bad, text)
		if e != nil {
			v.inUse(r, e, e.ID, Warning)
			v.lastStep(r, from, e, b, g, subnet, port)
		}
	}
	check := fmt.Sprintf("does the sensor answer %s %s on port %s of its traffic interface? mirador status tells; mirador aws apply opens the group", g.Health.Protocol, g.Health.Path, g.Health.Port)
	switch {
	case good == 0 && len(bad) == 0:
		r.note(Error, HopHealth, "target group "+g.Name+" has no targets", "mirador aws apply registers the sensors")
	case good == 0:
		r.note(Error, HopHealth, "target group "+g.Name+" has no healthy target: "+strings.Join(bad, "; "), check)
	case inZone == 0:
		r.note(Error, HopHealth, fmt.Sprintf("the load balancer has no healthy target in %s, and target.cross_zone is off: %s", zone, or(strings.Join(bad, "; "), "none is registered there")),
			"put a sensor into "+zone+", or set target.cross_zone; "+check)
	case len(bad) > 0:
		r.note(Warning, HopHealth, strings.Join(bad, "; "), check)
	}
}

// byAddress returns the interface with an address in a VPC, or nil.
func (v *verifier) byAddress(text, vpc string) *Interface {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return nil
	}
	for i := range v.w.Interfaces {
		if e := &v.w.Interfaces[i]; e.VPC == vpc && slices.Contains(e.Private, a) {
			return e
		}
	}
	return nil
}

// lastStep judges the way from the load balancer to a sensor: mirrored packets and health
// checks through network ACLs and the security groups of the traffic interface.
func (v *verifier) lastStep(r *Verdict, from, e *Interface, b *Balancer, g *TargetGroup, subnet string, port int) {
	groups := v.w.groupsOf(e.Groups)
	node := v.nodeAddr(b, subnet)
	p := mirror.MirrorProbe(from.Primary(), e.Primary()) // the address of the source is kept
	peers := from.Groups
	if port != 4789 {
		p.Src, p.DstPort, peers = node, port, nil
	}
	if !p.Src.IsValid() || !p.Dst.IsValid() {
		return
	}
	if x := mirror.GroupsAdmit(groups, mirror.Ingress, p, peers, v.w.PrefixLists); !x.Admitted {
		r.note(Error, HopGroup, fmt.Sprintf("%s (sensor interface %s)", x.Why, e.ID), fmt.Sprintf("let UDP %d in from %s: security_group.sources, and mirador aws apply", port, p.Src))
	}
	if e.Subnet != subnet {
		v.acls(r, p, subnet, e.Subnet)
	}
	hp := mirror.Probe{Protocol: 6, Src: node, Dst: e.Primary(), SrcPort: 32768, DstPort: port}
	if _, err := fmt.Sscan(g.Health.Port, &hp.DstPort); err != nil || !node.IsValid() { // traffic-port is no number: that of the traffic
		hp.DstPort = g.Port
	}
	if x := mirror.GroupsAdmit(groups, mirror.Ingress, hp, b.Groups, v.w.PrefixLists); node.IsValid() && !x.Admitted {
		r.note(Error, HopGroup, fmt.Sprintf("health checks do not get through: %s (sensor interface %s)", x.Why, e.ID),
			fmt.Sprintf("let TCP %d in from the subnets of the load balancer: security_group.health_sources, and mirador aws apply", hp.DstPort))
	}
}

// acls judges the network ACLs between two subnets.
func (v *verifier) acls(r *Verdict, p mirror.Probe, out, in string) {
	if a := v.w.aclOf(out); a != nil {
		if x := mirror.ACLAdmits(a, mirror.Egress, p); !x.Admitted {
			r.note(Error, HopACL, x.Why, fmt.Sprintf("allow UDP %d to %s in outbound rules of %s", p.DstPort, p.Dst, a.ID))
		}
	}
	if a := v.w.aclOf(in); a != nil {
		if x := mirror.ACLAdmits(a, mirror.Ingress, p); !x.Admitted {
			r.note(Error, HopACL, x.Why, fmt.Sprintf("allow UDP %d from %s in inbound rules of %s", p.DstPort, p.Src, a.ID))
		}
	}
}

// toEndpoint judges a gateway load balancer endpoint as target.
func (v *verifier) toEndpoint(r *Verdict, from *Interface, t *mirror.Target) {
	e := v.endpoint(t.GatewayLoadBalancerEndpointID)
	if e == nil {
		r.note(Error, HopTarget, "the endpoint "+t.GatewayLoadBalancerEndpointID+" is not in this account or is gone", "mirador aws apply makes it anew")
		return
	}
	if !strings.EqualFold(e.State, "available") {
		r.note(Error, HopTarget, "the endpoint "+e.ID+" is "+e.State, "accept the connection in the endpoint service, or wait until it is available")
	}
	at := from // the node of the endpoint's zone takes what the endpoint gets
	if len(e.Interfaces) > 0 {
		if x := v.w.Interface(e.Interfaces[0]); x != nil {
			at = x
		}
	}
	if len(e.Interfaces) > 0 && len(e.Subnets) > 0 {
		if a := v.w.addrOf(e.Interfaces[0]); a.IsValid() {
			v.network(r, from, e.Subnets[0], a, nil, "endpoint "+e.ID, TargetGWLB)
		}
	}
	b := v.balancerOf(t)
	if b == nil {
		r.note(OK, HopTarget, "the endpoint "+e.ID+" is one of "+e.Service+", which is not of this account: what is behind it cannot be seen from here", "")
		return
	}
	for i := range v.w.Listeners {
		if l := &v.w.Listeners[i]; l.Balancer == b.ARN && l.TargetGroup != "" {
			v.behind(r, from, b, l.TargetGroup, v.nodeSubnet(b, at), 6081)
			return
		}
	}
	r.note(Error, HopListener, "the gateway load balancer "+b.Name+" has no listener", "mirador aws apply makes it")
}
