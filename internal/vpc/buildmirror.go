package vpc

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
)

// balancing makes target groups, load balancers, endpoint services and endpoints.
func (b *builder) balancing() {
	for i := range b.t.TargetGroups {
		b.targetGroup(&b.t.TargetGroups[i], fmt.Sprintf("target-groups[%d]", i))
	}
	for i := range b.t.LoadBalancers {
		b.balancer(&b.t.LoadBalancers[i], fmt.Sprintf("load-balancers[%d]", i))
	}
	for i := range b.t.Services {
		s := &b.t.Services[i]
		at := fmt.Sprintf("endpoint-services[%d]", i)
		x := &ec2api.EndpointService{Resource: b.resource("endpoint service", "vpce-svc-", at, &s.Topo), Type: "GatewayLoadBalancer"}
		x.Name = "com.amazonaws.vpce." + b.o.Region + "." + x.ID
		for k, lb := range s.LoadBalancers {
			x.LoadBalancers = append(x.LoadBalancers, b.ref("load balancer", fmt.Sprintf("%s.load-balancers[%d]", at, k), lb))
		}
		b.out.EndpointServices[x.ID] = x
	}
	for i := range b.t.Endpoints {
		b.endpoint(&b.t.Endpoints[i], fmt.Sprintf("endpoints[%d]", i))
	}
}

func (b *builder) arn(service, rest string) string {
	return "arn:aws:" + service + ":" + b.o.Region + ":" + b.o.AccountID + ":" + rest
}

func (b *builder) targetGroup(g *TopoTargetGroup, path string) {
	t := g.Topo
	if t.ID == "" && t.Name != "" {
		t.ID = b.arn("elasticloadbalancing", "targetgroup/"+t.Name+"/"+b.digest(16, "target group", t.Name))
	}
	x := &ec2api.TargetGroup{
		Resource: b.resource("target group", "arn:", path, &t), Name: g.Name, Protocol: strings.ToUpper(g.Protocol), Port: g.Port,
		TargetType: "ip", AddrType: "ipv4", Attributes: map[string]string{},
	}
	x.Tags = slices.DeleteFunc(x.Tags, func(t mirror.Tag) bool { return t.Key == "Name" })
	switch x.Protocol {
	case "UDP", "TCP", "TCP_UDP", "GENEVE":
	default:
		b.bad(path+".protocol", "%q: want UDP, TCP, TCP_UDP or GENEVE", g.Protocol)
	}
	if g.Port < 1 || g.Port > 65535 {
		b.bad(path+".port", "%d: want 1 to 65535", g.Port)
	}
	switch {
	case g.VPC != "":
		x.VPC = b.ref("vpc", path+".vpc", g.VPC)
	case len(b.t.VPCs) == 1:
		x.VPC = b.ids[&b.t.VPCs[0].Topo]
	default:
		b.bad(path, "a vpc is needed, there are several")
	}
	x.Check = b.health(&g.Health, x.Protocol == "GENEVE", path+".health")
	for i, name := range g.Targets {
		at := fmt.Sprintf("%s.targets[%d]", path, i)
		a, err := netip.ParseAddr(name)
		if err != nil {
			e := b.out.Interfaces[b.iface(at, name)]
			if e == nil || len(e.Addrs) == 0 {
				continue
			}
			a = e.Addrs[0]
		}
		x.Targets = append(x.Targets, ec2api.RegisteredTarget{TargetID: ec2api.TargetID{ID: a.String(), Port: g.Port}, At: made()})
	}
	b.out.TargetGroups[x.ID] = x
}

// health fills in the defaults of AWS. AWS: "Health checks for Network Load Balancer
// target groups" and "... for Gateway Load Balancer target groups".
func (b *builder) health(h *TopoHealth, gateway bool, path string) ec2api.HealthCheck {
	x := ec2api.HealthCheck{Enabled: true, Protocol: "TCP", Port: "traffic-port", Interval: 30 * time.Second, Timeout: 10 * time.Second, Healthy: 5, Unhealthy: 2}
	if gateway {
		x.Port, x.Interval, x.Timeout = "80", 10*time.Second, 5*time.Second
	}
	if h.Protocol != "" {
		x.Protocol = strings.ToUpper(h.Protocol)
	}
	switch x.Protocol {
	case "TCP":
	case "HTTP", "HTTPS":
		x.Path, x.Matcher = "/", "200-399"
		if !gateway {
			x.Timeout = 6 * time.Second
		}
	default:
		b.bad(path+".protocol", "%q: want HTTP, HTTPS or TCP", h.Protocol)
	}
	if h.Port != "" {
		if n, err := strconv.Atoi(h.Port); h.Port != "traffic-port" && (err != nil || n < 1 || n > 65535) {
			b.bad(path+".port", "%q: want a port or traffic-port", h.Port)
		}
		x.Port = h.Port
	}
	if h.Path != "" {
		x.Path = h.Path
		if !strings.HasPrefix(h.Path, "/") {
			b.bad(path+".path", "%q does not begin with /", h.Path)
		}
	}
	for _, d := range []struct {
		key, text string
		to        *time.Duration
	}{{"interval", h.Interval, &x.Interval}, {"timeout", h.Timeout, &x.Timeout}} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil || v < time.Millisecond || v > 300*time.Second {
			b.bad(path+"."+d.key, "%q: want a time such as 10s, up to 300s", d.text)
			continue
		}
		*d.to = v
	}
	for _, n := range []struct {
		key  string
		from int
		to   *int
	}{{"healthy", h.Healthy, &x.Healthy}, {"unhealthy", h.Unhealthy, &x.Unhealthy}} {
		switch {
		case n.from == 0:
		case n.from < 1 || n.from > 10:
			b.bad(path+"."+n.key, "%d: want 1 to 10", n.from)
		default:
			*n.to = n.from
		}
	}
	if h.Matcher != "" {
		x.Matcher = h.Matcher
	}
	return x
}

func (b *builder) balancer(l *TopoBalancer, path string) {
	short, kind := "net", ec2api.BalancerNetwork
	switch l.Type {
	case "", "network":
	case "gateway":
		short, kind = "gwy", ec2api.BalancerGateway
	default:
		b.bad(path+".type", "%q: want network or gateway", l.Type)
	}
	t := l.Topo
	full := short + "/" + l.Name + "/" + b.digest(16, "load balancer", l.Name)
	if t.ID == "" && t.Name != "" {
		t.ID = b.arn("elasticloadbalancing", "loadbalancer/"+full)
	} else if _, rest, ok := strings.Cut(t.ID, ":loadbalancer/"); ok {
		full = rest
	}
	x := &ec2api.LoadBalancer{Resource: b.resource("load balancer", "arn:", path, &t), Name: l.Name, Type: kind, AddrType: "ipv4", Attributes: map[string]string{}}
	x.Tags = slices.DeleteFunc(x.Tags, func(t mirror.Tag) bool { return t.Key == "Name" })
	if kind == ec2api.BalancerNetwork {
		x.Scheme = "internal"
		_, last, _ := strings.Cut(strings.TrimPrefix(full, "net/"), "/")
		x.DNSName = l.Name + "-" + last + ".elb." + b.o.Region + ".amazonaws.com"
	}
	if l.CrossZone {
		x.Attributes["load_balancing.cross_zone.enabled"] = "true"
	}
	for i, g := range l.Groups {
		x.Groups = append(x.Groups, b.ref("security group", fmt.Sprintf("%s.groups[%d]", path, i), g))
	}
	x.NoGroups = len(x.Groups) == 0
	if len(l.Subnets) == 0 {
		b.bad(path, "no subnets")
	}
	for i, name := range l.Subnets {
		at := fmt.Sprintf("%s.subnets[%d]", path, i)
		sub := b.out.Subnets[b.ref("subnet", at, name)]
		if sub == nil {
			continue
		}
		if slices.ContainsFunc(x.Subnets, func(s ec2api.BalancerSubnet) bool { return s.Zone == sub.Zone }) {
			b.bad(at, "%q: a load balancer has one subnet of a zone", name)
			continue
		}
		x.VPC = sub.VPC
		k := ec2api.KindNLB
		if kind == ec2api.BalancerGateway {
			k = ec2api.KindGWLB
		}
		e := b.managed(sub, k, "ELB "+full, x.ID, "amazon-elb", b.node(l.Nodes, sub.ID), path)
		e.Groups = x.Groups
		x.Subnets = append(x.Subnets, ec2api.BalancerSubnet{Subnet: sub.ID, Zone: sub.Zone, Interface: e.ID, Addr: e.Addrs[0]})
	}
	b.out.LoadBalancers[x.ID] = x
	for i := range l.Listeners {
		li := &l.Listeners[i]
		at := fmt.Sprintf("%s.listeners[%d]", path, i)
		id := li.ID
		if id == "" {
			id = b.arn("elasticloadbalancing", "listener/"+full+"/"+b.digest(16, x.ID, strings.ToUpper(li.Protocol), strconv.Itoa(li.Port)))
		}
		y := &ec2api.Listener{Resource: b.resource("listener", "arn:", at, &Topo{ID: id}), LoadBalancer: x.ID, Protocol: strings.ToUpper(li.Protocol), Port: li.Port}
		if kind == ec2api.BalancerNetwork && (li.Port < 1 || li.Port > 65535 || !slices.Contains([]string{"UDP", "TCP", "TCP_UDP", "TLS"}, y.Protocol)) {
			b.bad(at, "a listener needs a protocol, UDP, TCP or TCP_UDP, and a port")
		}
		y.Forward = []ec2api.Forward{{TargetGroup: b.ref("target group", at+".targets", li.Targets), Weight: 1}}
		b.out.Listeners[y.ID] = y
	}
}

// node finds what the file says of a load balancer's interface in a subnet.
func (b *builder) node(nodes []TopoNode, subnet string) TopoNode {
	for _, n := range nodes {
		if n.Subnet == subnet || b.names["subnet"][n.Subnet] == subnet {
			return n
		}
	}
	return TopoNode{}
}

// managed makes an interface that belongs to a load balancer or an endpoint.
func (b *builder) managed(sub *ec2api.Subnet, kind, description, by, owner string, n TopoNode, path string) *ec2api.NetworkInterface {
	if n.ID == "" {
		n.ID = "eni-" + b.digest(17, by, sub.ID)
	}
	r := b.resource("interface", "eni-", path, &Topo{ID: n.ID})
	var a netip.Addr
	if n.Address != "" {
		a, _ = b.addr(path, n.Address, sub.ID, sub.CIDR)
	} else {
		a = b.free(sub, path)
	}
	e := &ec2api.NetworkInterface{
		Resource: r, Kind: kind, VPC: sub.VPC, Subnet: sub.ID, Zone: sub.Zone, Description: description, MTU: 9001,
		RequesterManaged: true, RequesterID: owner, ManagedBy: by, Addrs: []netip.Addr{a},
		Attachment: &ec2api.Attachment{ID: "eni-attach-" + b.digest(17, r.ID), InstanceOwner: owner, DeviceIndex: 1, At: made()},
	}
	e.MAC = b.mac(path, e.ID, n.MAC)
	b.out.Interfaces[e.ID] = e
	return e
}

func (b *builder) endpoint(e *TopoEndpoint, path string) {
	x := &ec2api.VPCEndpoint{Resource: b.resource("endpoint", "vpce-", path, &e.Topo), Type: "GatewayLoadBalancer", State: "available", AddrType: "ipv4"}
	if s := b.out.EndpointServices[b.ref("endpoint service", path+".service", e.Service)]; s != nil {
		x.Service = s.Name
	}
	if sub := b.out.Subnets[b.ref("subnet", path+".subnet", e.Subnet)]; sub != nil {
		x.VPC, x.Subnets = sub.VPC, []string{sub.ID}
		n := b.managed(sub, ec2api.KindGWLBEndpoint, "VPC Endpoint Interface "+x.ID, x.ID, "amazon-aws", e.Node, path)
		n.SourceDestCheck = false
		x.Interfaces = []string{n.ID}
	}
	b.out.VPCEndpoints[x.ID] = x
}

// mirroring makes targets, filters and sessions.
func (b *builder) mirroring() {
	m := &b.t.Mirroring
	s := &b.out.Mirroring
	for i := range m.Targets {
		t := &m.Targets[i]
		at := fmt.Sprintf("mirroring.targets[%d]", i)
		r := b.resource("target", "tmt-", at, &t.Topo)
		x := mirror.Target{ID: r.ID, OwnerID: r.OwnerID, Description: t.Description, Tags: r.Tags}
		n := 0
		if t.Interface != "" {
			x.NetworkInterfaceID = b.iface(at+".interface", t.Interface)
			n++
		}
		if t.LoadBalancer != "" {
			x.NetworkLoadBalancerARN = b.ref("load balancer", at+".load-balancer", t.LoadBalancer)
			n++
		}
		if t.Endpoint != "" {
			x.GatewayLoadBalancerEndpointID = b.ref("endpoint", at+".endpoint", t.Endpoint)
			n++
		}
		if n != 1 {
			b.bad(at, "one of interface, load-balancer and endpoint is needed")
		}
		s.Targets = append(s.Targets, x)
	}
	for i := range m.Filters {
		b.filter(&m.Filters[i], fmt.Sprintf("mirroring.filters[%d]", i))
	}
	for i := range m.Sessions {
		b.session(&m.Sessions[i], fmt.Sprintf("mirroring.sessions[%d]", i))
	}
}

func (b *builder) filter(f *TopoFilter, path string) {
	r := b.resource("filter", "tmf-", path, &f.Topo)
	x := mirror.Filter{ID: r.ID, Description: f.Description, Tags: r.Tags, NetworkServices: f.NetworkServices}
	for i, n := range f.NetworkServices {
		if n != mirror.AmazonDNS {
			b.bad(fmt.Sprintf("%s.network-services[%d]", path, i), "%q: want %s", n, mirror.AmazonDNS)
		}
	}
	type slot struct {
		d mirror.Direction
		n int
	}
	seen := map[slot]bool{}
	for i := range f.Rules {
		at := fmt.Sprintf("%s.rules[%d]", path, i)
		for _, y := range b.filterRule(&f.Rules[i], x.ID, at) {
			if seen[slot{y.Direction, y.Number}] {
				b.bad(at+".number", "%d is there twice for %s", y.Number, y.Direction)
			}
			seen[slot{y.Direction, y.Number}] = true
			x.Rules = append(x.Rules, y)
		}
	}
	if len(x.Rules) > mirror.DefaultRulesPerFilter {
		b.bad(path+".rules", "%d rules, a filter has %d at most, both directions together", len(x.Rules), mirror.DefaultRulesPerFilter)
	}
	slices.SortStableFunc(x.Rules, func(a, b mirror.FilterRule) int {
		if a.Direction != b.Direction {
			return int(a.Direction) - int(b.Direction)
		}
		return a.Number - b.Number
	})
	b.out.Mirroring.Filters = append(b.out.Mirroring.Filters, x)
}

func (b *builder) filterRule(r *TopoFilterRule, filter, path string) []mirror.FilterRule {
	x := mirror.FilterRule{FilterID: filter, Number: r.Number, Action: mirror.Action(r.Action), Description: r.Description}
	if r.Number < 1 || r.Number > 32766 {
		b.bad(path+".number", "%d: want 1 to 32766", r.Number)
	}
	if x.Action != mirror.Accept && x.Action != mirror.Reject {
		b.bad(path+".action", "%q: want accept or reject", r.Action)
	}
	name, _, _ := b.protocol(path, r.Protocol, "")
	x.Protocol = ec2api.ProtocolNumber(name)
	src, dst := r.Source, r.Destination
	six := strings.Contains(src+dst, ":")
	for _, c := range []struct {
		key  string
		text string
		to   *netip.Prefix
	}{{"source", src, &x.SourceCIDR}, {"destination", dst, &x.DestinationCIDR}} {
		if c.text == "" {
			*c.to = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
			if six {
				*c.to = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
			}
			continue
		}
		*c.to = b.prefix(path+"."+c.key, c.text, six)
	}
	for _, p := range []struct {
		key, text string
		to        **mirror.PortRange
	}{{"source-ports", r.SourcePorts, &x.SourcePorts}, {"destination-ports", r.DestinationPorts, &x.DestinationPorts}} {
		if p.text == "" {
			continue
		}
		if x.Protocol != 6 && x.Protocol != 17 {
			b.bad(path+"."+p.key, "ports are of tcp and udp")
		}
		from, to := b.ports(path+"."+p.key, p.text)
		*p.to = &mirror.PortRange{From: from, To: to}
	}
	var out []mirror.FilterRule
	for _, d := range []mirror.Direction{mirror.Ingress, mirror.Egress} {
		if r.Direction != "both" && r.Direction != d.String() {
			continue
		}
		y := x
		y.Direction = d
		if y.ID = r.ID; y.ID == "" || r.Direction == "both" {
			y.ID = "tmfr-" + b.digest(17, filter, d.String(), strconv.Itoa(r.Number))
		}
		out = append(out, y)
	}
	if len(out) == 0 {
		b.bad(path+".direction", "%q: want ingress, egress or both", r.Direction)
	}
	return out
}

func (b *builder) session(s *TopoSession, path string) {
	topo := s.Topo
	if topo.Name == "" && topo.ID == "" {
		topo.Name = s.Source + "-" + strconv.Itoa(s.Number)
	}
	r := b.resource("session", "tms-", path, &topo)
	x := mirror.Session{
		ID: r.ID, OwnerID: r.OwnerID, Tags: r.Tags, Number: s.Number, VNI: uint32(s.VNI), PacketLength: s.Length, Description: s.Description,
		NetworkInterfaceID: b.iface(path+".source", s.Source), TargetID: b.ref("target", path+".target", s.Target), FilterID: b.ref("filter", path+".filter", s.Filter),
	}
	switch {
	case s.Number < 1 || s.Number > 32766:
		b.bad(path+".number", "%d: want 1 to 32766", s.Number)
	case s.VNI < 0 || s.VNI >= 1<<24:
		b.bad(path+".vni", "%d: want 24 bits", s.VNI)
	case s.Length < 0 || s.Length > mirror.MaxPacketLength:
		b.bad(path+".packet-length", "%d: want 1 to %d", s.Length, mirror.MaxPacketLength)
	}
	if s.VNI == 0 {
		n, _ := strconv.ParseUint(b.digest(6, x.ID, "vni"), 16, 32)
		x.VNI = uint32(n)
	}
	b.out.Mirroring.Sessions = append(b.out.Mirroring.Sessions, x)
}
