package vpc

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
)

// live holds the halves that outlive plans. The assembly owns it; the fabric reaches its
// members through a plan.
type live struct {
	vpcs     map[string]*vpcLive
	enis     map[string]*eniLive
	nodes    map[string]*nodeLive   // by interface
	targets  map[string]*targetLive // by group and target
	open     map[string]*atomic.Bool
	sessions map[string]*sessionLive
}

func newLive() *live {
	return &live{map[string]*vpcLive{}, map[string]*eniLive{}, map[string]*nodeLive{}, map[string]*targetLive{}, map[string]*atomic.Bool{}, map[string]*sessionLive{}}
}

// keep returns m[id], made if need be.
func keep[T any](m map[string]*T, id string, fresh func() *T) *T {
	v := m[id]
	if v == nil {
		v = fresh()
		m[id] = v
	}
	return v
}

// compileOptions are what a plan needs beyond a snapshot.
type compileOptions struct {
	switches  mirror.Switches
	wide      bool                    // wide source port hash
	names     map[string][]netip.Addr // more names that resolvers know
	mirrorBps int64                   // bits per second that one interface mirrors at most; 0: no limit
}

// compiler is one run of compile.
type compiler struct {
	snap *ec2api.Snapshot
	live *live
	o    compileOptions
	p    *plan

	subnets  map[string]*subnet
	groups   map[string]*group
	tunnels  []netip.Addr
	sessions map[string][]mirror.Session // by source interface
	problems []error
}

// compile makes a plan of a snapshot. What cannot be compiled is left out and reported.
func compile(snap *ec2api.Snapshot, l *live, o compileOptions) (*plan, []error) {
	c := &compiler{
		snap: snap, live: l, o: o,
		p:       &plan{version: snap.Generation, enis: map[string]*eni{}, vpcs: map[string]*vpc{}},
		subnets: map[string]*subnet{}, groups: map[string]*group{}, sessions: map[string][]mirror.Session{},
	}
	c.vpcs()
	c.allGroups()
	c.allSubnets()
	c.interfaces()
	c.balancers()
	c.endpoints()
	c.mirroring()
	c.forget()
	return c.p, c.problems
}

func (c *compiler) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *compiler) vpcs() {
	for id, v := range c.snap.VPCs {
		x := &vpc{id: id, byAddr: map[netip.Addr]*eni{}, zone: &zone{}}
		x.live = keep(c.live.vpcs, id, func() *vpcLive { return &vpcLive{id} })
		if v.DNSSupport {
			for _, a := range v.CIDRs {
				x.resolver = append(x.resolver, nth(a.CIDR, 2))
			}
			x.resolver = append(x.resolver, netip.AddrFrom4([4]byte{169, 254, 169, 253}))
			if len(v.IPv6) > 0 {
				x.resolver = append(x.resolver, netip.MustParseAddr("fd00:ec2::253"))
			}
		}
		for name, addrs := range c.o.names {
			x.zone.add(name, addrs...)
		}
		c.p.vpcs[id] = x
	}
}

// nth returns the nth address of p.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}

func (c *compiler) allGroups() {
	for id, g := range c.snap.SecurityGroups {
		m := g.Mirror()
		c.groups[id] = &group{id: id, ingress: c.groupRules(m.Ingress), egress: c.groupRules(m.Egress)}
	}
}

func (c *compiler) groupRules(rs []mirror.GroupRule) []groupRule {
	var out []groupRule
	for _, r := range rs {
		x := groupRule{proto: r.Protocol, from: r.From, to: r.To}
		switch {
		case r.GroupID != "":
			x.groups = []string{r.GroupID}
		case r.PrefixListID != "":
			x.prefixes = c.snap.PrefixLists[r.PrefixListID]
		case r.CIDR.IsValid():
			x.prefixes = []netip.Prefix{r.CIDR}
		}
		out = append(out, x)
	}
	return out
}

func (c *compiler) allSubnets() {
	for id, s := range c.snap.Subnets {
		x := &subnet{id: id, az: s.Zone, mac: routerMAC(id)}
		if s.CIDR.IsValid() {
			x.cidrs = append(x.cidrs, s.CIDR)
			x.router = append(x.router, nth(s.CIDR, 1))
		}
		for _, a := range s.IPv6 {
			x.cidrs = append(x.cidrs, a.CIDR)
		}
		x.router = append(x.router, linkLocal(x.mac))
		if a := c.snap.ACLOf(id); a != nil {
			x.acl = compileACL(a.Mirror())
		}
		if t := c.snap.RouteTableOf(id); t != nil {
			x.routes = c.routes(t, c.p.vpcs[s.VPC])
		}
		c.subnets[id] = x
	}
}

// routerMAC makes the hardware address of a subnet's router from the subnet's id.
func routerMAC(id string) [6]byte {
	h := fnv.New64a()
	h.Write([]byte(id))
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], h.Sum64())
	return [6]byte{0x02, 0x52, b[1], b[2], b[3], b[4]}
}

// linkLocal is the IPv6 link-local address of a hardware address (RFC 4291 appendix A).
func linkLocal(m [6]byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}

func compileACL(a mirror.NetworkACL) *acl {
	x := &acl{id: a.ID}
	entries := slices.Clone(a.Entries)
	slices.SortStableFunc(entries, func(a, b mirror.ACLRule) int { return cmp.Compare(a.Number, b.Number) })
	for _, e := range entries {
		r := aclRule{number: e.Number, allow: e.Allow, proto: e.Protocol, from: -1, to: -1, prefix: e.CIDR}
		switch {
		case e.Protocol == 1 || e.Protocol == 58:
			r.from, r.to = e.ICMPType, e.ICMPCode
		case e.Ports != nil:
			r.from, r.to = e.Ports.From, e.Ports.To
		}
		if e.Egress {
			x.egress = append(x.egress, r)
		} else {
			x.ingress = append(x.ingress, r)
		}
	}
	return x
}

func (c *compiler) routes(t *ec2api.RouteTable, own *vpc) []route {
	var out []route
	for _, r := range t.Routes {
		x := route{rank: 1}
		if r.Origin == "EnableVgwRoutePropagation" {
			x.rank = 2
		}
		kind, _, _ := strings.Cut(r.Target, "-")
		switch {
		case r.Gone:
			x.hop = hopBlackhole
		case r.Target == "local":
			x.hop, x.vpc, x.rank = hopLocal, own, 0
		case r.InstanceID != "" || kind == "eni":
			x.hop, x.eni = hopENI, r.Target
			if c.snap.Interfaces[r.Target] == nil {
				x.hop = hopBlackhole
			}
		case kind == "vpce":
			x.hop = hopBlackhole
			if e := c.snap.VPCEndpoints[r.Target]; e != nil && len(e.Interfaces) > 0 {
				x.hop, x.eni = hopENI, e.Interfaces[0]
			}
		case kind == "pcx" && c.snap.Peerings[r.Target] != nil:
			x.hop = hopBlackhole
			if v := c.p.vpcs[c.snap.Peerings[r.Target].Other(t.VPC)]; v != nil {
				x.hop, x.vpc = hopLocal, v
			}
		default:
			x.hop = hopOutside
		}
		prefixes := []netip.Prefix{r.CIDR}
		if r.PrefixListID != "" {
			prefixes = c.snap.PrefixLists[r.PrefixListID]
		}
		for _, p := range prefixes {
			if p.IsValid() {
				x.prefix = p
				out = append(out, x)
			}
		}
	}
	// Of routes with the same prefix, local ones go first, propagated ones last.
	slices.SortStableFunc(out, func(a, b route) int { return cmp.Compare(a.rank, b.rank) })
	sortRoutes(out)
	return out
}

func (c *compiler) interfaces() {
	for id, n := range c.snap.Interfaces {
		v, s := c.p.vpcs[n.VPC], c.subnets[n.Subnet]
		if v == nil || s == nil || len(n.Addrs)+len(n.IPv6) == 0 {
			continue
		}
		e := &eni{
			id: id, mac: n.MAC, addrs: append(slices.Clone(n.Addrs), n.IPv6...), subnet: s, vpc: v,
			check: n.SourceDestCheck, guarded: true, mtu: n.MTU,
			managed: n.Kind != ec2api.KindInterface,
		}
		if e.mtu <= 0 || e.mtu > 9001 {
			e.mtu = 9001
		}
		e.live = keep(c.live.enis, id, func() *eniLive { return &eniLive{id: id} })
		for _, g := range n.Groups {
			if x := c.groups[g]; x != nil {
				e.groups = append(e.groups, x)
			}
		}
		if a := n.Attachment; a != nil {
			e.instance = a.InstanceID
		}
		if i := c.snap.Instances[e.instance]; i != nil {
			e.hasPort = i.State == ec2api.Running || i.State == ec2api.Pending
			c.name(v, e, i)
		}
		c.p.enis[id] = e
		for _, a := range e.addrs {
			v.byAddr[a] = e
		}
	}
}

// name tells the resolver of v the names of an instance: those of EC2, and the tag
// Name.
func (c *compiler) name(v *vpc, e *eni, i *ec2api.Instance) {
	domain := internalDomain(c.snap.Region)
	for _, a := range e.addrs {
		if a.Is4() {
			v.zone.add("ip-"+strings.ReplaceAll(a.String(), ".", "-")+"."+domain, a)
		}
	}
	n := c.snap.Interfaces[e.id]
	if n.Attachment.DeviceIndex != 0 {
		return
	}
	for _, name := range []string{i.ID, hostName(i)} {
		if name != "" {
			v.zone.add(name+"."+domain, e.addrs...)
		}
	}
}

// internalDomain is the domain of private names in a region. AWS: "Amazon EC2 instance
// hostnames and domains".
func internalDomain(region string) string {
	if region == "us-east-1" {
		return "ec2.internal"
	}
	return region + ".compute.internal"
}

// hostName makes a host name of an instance's tag Name; empty when it has none.
func hostName(i *ec2api.Instance) string {
	name, _ := i.Tag("Name")
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0:
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-")
	return s[:min(len(s), 63)]
}

// everything are the rules of a group that lets everything pass.
func everything() []groupRule {
	return []groupRule{{proto: anyProtocol, from: -1, to: -1, prefixes: []netip.Prefix{
		netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0),
	}}}
}

func (c *compiler) balancers() {
	for arn, lb := range c.snap.LoadBalancers {
		b := &balancer{arn: arn, name: lb.Name, gateway: lb.Type == ec2api.BalancerGateway, crossZone: lb.CrossZone(), groupIDs: lb.Groups}
		for _, id := range lb.Groups {
			if g := c.groups[id]; g != nil {
				b.groups = append(b.groups, g)
			}
		}
		for _, l := range c.listenersOf(arn) {
			b.listeners = append(b.listeners, c.listener(l))
		}
		for _, s := range lb.Subnets {
			e := c.p.enis[s.Interface]
			if e == nil {
				continue
			}
			n := &balancerNode{lb: b, eni: e.id, addr: s.Addr, zone: s.Zone}
			n.live = keep(c.live.nodes, e.id, func() *nodeLive { return &nodeLive{arn: arn, zone: s.Zone} })
			e.node, e.managed, e.check, e.hasPort = n, false, true, true
			// What the node itself sends are health checks; they pass the balancer's groups
			// on their way out, and only their answers come in.
			own := &group{id: arn, egress: everything()}
			if len(b.groups) > 0 {
				own.egress = nil
				for _, g := range b.groups {
					own.egress = append(own.egress, g.egress...)
				}
			}
			e.groups, e.track = []*group{own}, true
			for _, id := range lb.Groups { // a target's group may name the balancer's
				e.groups = append(e.groups, &group{id: id})
			}
			b.nodes = append(b.nodes, n)
			c.p.nodes = append(c.p.nodes, n)
			if lb.DNSName != "" {
				for _, v := range c.p.vpcs {
					v.zone.add(lb.DNSName, s.Addr)
					v.zone.add(s.Zone+"."+lb.DNSName, s.Addr)
				}
			}
		}
		slices.SortFunc(b.nodes, func(x, y *balancerNode) int { return strings.Compare(x.zone, y.zone) })
	}
	slices.SortFunc(c.p.nodes, func(x, y *balancerNode) int { return strings.Compare(x.eni, y.eni) })
}

func (c *compiler) listenersOf(arn string) []*ec2api.Listener {
	var out []*ec2api.Listener
	for _, l := range c.snap.Listeners {
		if l.LoadBalancer == arn {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b *ec2api.Listener) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

func (c *compiler) listener(l *ec2api.Listener) listener {
	x := listener{port: uint16(l.Port)}
	switch l.Protocol {
	case "UDP":
		x.udp = true
	case "TCP", "TLS":
		x.tcp = true
	case "TCP_UDP":
		x.tcp, x.udp = true, true
	}
	for _, fw := range l.Forward {
		if g := c.targetGroup(fw.TargetGroup); g != nil {
			w := fw.Weight
			if len(l.Forward) == 1 || w < 0 {
				w = 1
			}
			x.forward = append(x.forward, forward{g, w})
			x.weights += w
		}
	}
	return x
}

// targetKey names a target across plans.
func targetKey(group string, t ec2api.TargetID) string {
	return group + " " + t.ID + " " + strconv.Itoa(t.Port)
}

func (c *compiler) targetGroup(arn string) *targetGroup {
	tg := c.snap.TargetGroups[arn]
	if tg == nil {
		return nil
	}
	g := &targetGroup{arn: arn, byLive: map[*targetLive]*target{}}
	switch kind := tg.Attributes["stickiness.type"]; {
	case tg.Attributes["stickiness.enabled"] != "true":
	case kind == "source_ip":
		g.sourceIP = true
	case kind == "source_ip_dest_ip":
		g.sourceIP = true
	case kind == "source_ip_dest_ip_proto":
		g.sourceIP, g.proto = true, true
	}
	g.open = keep(c.live.open, arn, func() *atomic.Bool {
		b := new(atomic.Bool)
		b.Store(true) // until a check has passed
		return b
	})
	for _, rt := range tg.Targets {
		x := &target{port: uint16(rt.Port), draining: !rt.Draining.IsZero()}
		x.eni, x.addr, x.zone = c.place(tg, rt.TargetID)
		if x.eni == "" {
			continue
		}
		key := targetKey(arn, rt.TargetID)
		x.live = keep(c.live.targets, key, func() *targetLive { return &targetLive{key: key} })
		h := fnv.New64a()
		h.Write([]byte(key))
		x.seed = h.Sum64()
		g.targets = append(g.targets, x)
		g.byLive[x.live] = x
		c.p.enis[x.eni].target = true
	}
	return g
}

// place finds the interface of a target; the id is empty when there is none.
func (c *compiler) place(tg *ec2api.TargetGroup, t ec2api.TargetID) (id string, addr netip.Addr, az string) {
	a, err := netip.ParseAddr(t.ID)
	if err != nil { // an instance: its first interface
		for _, n := range c.snap.Interfaces {
			if n.Attachment != nil && n.Attachment.InstanceID == t.ID && n.Attachment.DeviceIndex == 0 && c.p.enis[n.ID] != nil {
				return n.ID, c.p.enis[n.ID].addrs[0], n.Zone
			}
		}
		return "", a, ""
	}
	v := c.p.vpcs[tg.VPC]
	if v == nil || v.byAddr[a] == nil {
		return "", a, ""
	}
	e := v.byAddr[a]
	return e.id, a, e.subnet.az
}

// endpoints leads each Gateway Load Balancer endpoint to a node of its service's load
// balancer: the one in its zone, else the first.
func (c *compiler) endpoints() {
	for _, ep := range c.snap.VPCEndpoints {
		if ep.Type != "GatewayLoadBalancer" || ep.State != "available" {
			continue
		}
		nodes := c.nodesOf(ep.Service)
		for _, id := range ep.Interfaces {
			e := c.p.enis[id]
			if e == nil {
				continue
			}
			x := &endpoint{id: ep.ID, num: hexID(id)}
			for _, n := range nodes {
				if x.node == "" || n.zone == e.subnet.az {
					x.node = n.eni
				}
			}
			e.endpoint, e.guarded = x, false
		}
	}
}

func (c *compiler) nodesOf(service string) []*balancerNode {
	var out []*balancerNode
	for _, s := range c.snap.EndpointServices {
		if s.Name != service {
			continue
		}
		for _, n := range c.p.nodes {
			if slices.Contains(s.LoadBalancers, n.lb.arn) && n.lb.gateway {
				out = append(out, n)
			}
		}
	}
	return out
}

// hexID reads the last 16 hexadecimal digits of an id as GENEVE options carry it.
func hexID(id string) uint64 {
	_, s, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseUint(s[max(0, len(s)-16):], 16, 64)
	return n
}

// forget drops the live halves of what is gone.
func (c *compiler) forget() {
	drop(c.live.vpcs, func(id string) bool { return c.snap.VPCs[id] != nil })
	drop(c.live.enis, func(id string) bool { return c.snap.Interfaces[id] != nil })
	drop(c.live.nodes, func(id string) bool { return c.snap.Interfaces[id] != nil })
	drop(c.live.open, func(arn string) bool { return c.snap.TargetGroups[arn] != nil })
	targets := map[string]bool{}
	for arn, g := range c.snap.TargetGroups {
		for _, t := range g.Targets {
			targets[targetKey(arn, t.TargetID)] = true
		}
	}
	drop(c.live.targets, func(key string) bool { return targets[key] })
	sessions := map[string]bool{}
	for _, s := range c.snap.Mirroring.Sessions {
		sessions[s.ID] = true
	}
	drop(c.live.sessions, func(id string) bool { return sessions[id] })
}

func drop[T any](m map[string]*T, stays func(string) bool) {
	for id := range m {
		if !stays(id) {
			delete(m, id)
		}
	}
}
