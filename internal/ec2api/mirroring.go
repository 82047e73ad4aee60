package ec2api

import (
	"errors"
	"slices"
	"strconv"

	"mirador/internal/mirror"
)

func mirrorActions() []action {
	const (
		target  = mirror.CodeTargetNotFound
		filter  = mirror.CodeFilterNotFound
		rule    = mirror.CodeFilterRuleNotFound
		session = mirror.CodeSessionNotFound
		again   = mirror.CodeIdempotentMismatch
		tags    = mirror.CodeTagLimit
		pages   = "InvalidPaginationToken"
	)
	return []action{
		write("CreateTrafficMirrorTarget", (*call).createTarget, mirror.CodeInvalidTarget, mirror.CodeInterfaceMalformed,
			mirror.CodeNLBMalformed, mirror.CodeNLBNotFound, mirror.CodeEndpointMalformed, mirror.CodeEndpointNotFound, mirror.CodeTargetLimit, tags, again),
		write("DeleteTrafficMirrorTarget", (*call).deleteTarget, target, mirror.CodeTargetInUse),
		read("DescribeTrafficMirrorTargets", (*call).describeTargets, target, pages),
		write("CreateTrafficMirrorFilter", (*call).createFilter, mirror.CodeFilterLimit, tags, again),
		write("DeleteTrafficMirrorFilter", (*call).deleteFilter, filter, mirror.CodeFilterInUse),
		read("DescribeTrafficMirrorFilters", (*call).describeFilters, filter, pages),
		write("ModifyTrafficMirrorFilterNetworkServices", (*call).modifyServices, filter),
		write("CreateTrafficMirrorFilterRule", (*call).createRule, filter, mirror.CodeFilterRuleExists, mirror.CodeFilterRuleLimit, tags, again),
		write("ModifyTrafficMirrorFilterRule", (*call).modifyRule, rule, mirror.CodeFilterRuleExists),
		write("DeleteTrafficMirrorFilterRule", (*call).deleteRule, rule),
		read("DescribeTrafficMirrorFilterRules", (*call).describeRules, rule, filter, pages),
		write("CreateTrafficMirrorSession", (*call).createSession, mirror.CodeInterfaceNotFound, mirror.CodeInterfaceMalformed, mirror.CodeInterfaceNotSupported,
			target, filter, mirror.CodeSessionsPerInterface, mirror.CodeSourcesPerTarget, mirror.CodeSessionsPerTarget, mirror.CodeSessionLimit, tags, again),
		write("ModifyTrafficMirrorSession", (*call).modifySession, session, target, filter, mirror.CodeSourcesPerTarget, mirror.CodeSessionsPerTarget),
		write("DeleteTrafficMirrorSession", (*call).deleteSession, session),
		read("DescribeTrafficMirrorSessions", (*call).describeSessions, session, pages),
	}
}

// bookError gives a refusal of the book its form here.
func bookError(err error) *Error {
	var m *mirror.Error
	if errors.As(err, &m) {
		return fromMirror(m)
	}
	return &Error{Code: "InternalError", Message: "An internal error has occurred", Status: 500}
}

// booked ends a mutating call of the book.
func (c *call) booked(err error) *Error {
	if err != nil {
		return bookError(err)
	}
	c.s.touchBook()
	return nil
}

// network is the state as the book sees it: mirror.World.
type network struct {
	v *Server
	s *state
}

func (n network) Interface(id string) (mirror.Interface, bool) {
	s, e := n.s, n.s.enis.get(id)
	for _, a := range n.v.accounts { // that of a shared target may be another account's
		if e == nil {
			s, e = a.s, a.s.enis.get(id)
		}
	}
	if e == nil {
		return mirror.Interface{}, false
	}
	m := e.mirror()
	if v := s.vpcs.get(e.VPC); v != nil {
		m.VPCCIDRs = v.prefixes()
	}
	if i := s.instances.get(m.InstanceID); i != nil {
		m.InstanceType = i.Type
	}
	return m, true
}

func (n network) NetworkLoadBalancer(arn string) bool {
	b := n.s.balancers.get(arn)
	return b != nil && b.Type == BalancerNetwork
}

func (n network) GatewayEndpoint(id string) bool {
	e := n.s.endpoints.get(id)
	return e != nil && e.Type == "GatewayLoadBalancer"
}

func (n network) SharedTarget(id string) (mirror.SharedTarget, bool) {
	for _, a := range n.v.accounts {
		t, ok := a.s.book.Target(id)
		if !ok || a.s == n.s || !a.s.shares(id, n.s.meta.AccountID) {
			continue
		}
		sources := map[string]bool{}
		for _, b := range n.v.accounts {
			for _, x := range b.s.book.Sessions() {
				if b.s != n.s && x.TargetID == id {
					sources[x.NetworkInterfaceID] = true
				}
			}
		}
		return mirror.SharedTarget{Target: t, OtherSources: len(sources)}, true
	}
	return mirror.SharedTarget{}, false
}

// optional returns the text at path, or nil when it was not sent.
func (c *call) optional(path string) *string {
	if !c.in.has(path) {
		return nil
	}
	s := c.in.str(path)
	return &s
}

func (c *call) portRange(path string) *mirror.PortRangeParams {
	n := c.in.get(path)
	if n == nil {
		return nil
	}
	return &mirror.PortRangeParams{From: n.numPtr("FromPort"), To: n.numPtr("ToPort")}
}

// token writes the client token that made something.
func (c *call) token() { c.x.opt("clientToken", c.in.str("ClientToken")) }

func (c *call) createTarget() *Error {
	tags, fault := c.specTags("traffic-mirror-target")
	if fault != nil {
		return fault
	}
	t, err := c.s.book.CreateTarget(network{c.v, c.s}, mirror.CreateTargetParams{
		NetworkInterfaceID: c.in.str("NetworkInterfaceId"), NetworkLoadBalancerARN: c.in.str("NetworkLoadBalancerArn"),
		GatewayLoadBalancerEndpointID: c.in.str("GatewayLoadBalancerEndpointId"), Description: c.in.str("Description"),
		Tags: tags, ClientToken: c.in.str("ClientToken"),
	})
	if fault := c.booked(err); fault != nil {
		return fault
	}
	c.x.group("trafficMirrorTarget", func() { c.writeTarget(&t) })
	c.token()
	return nil
}

func (c *call) writeTarget(t *mirror.Target) {
	x := c.x
	x.str("trafficMirrorTargetId", t.ID)
	x.opt("networkInterfaceId", t.NetworkInterfaceID)
	x.opt("networkLoadBalancerArn", t.NetworkLoadBalancerARN)
	x.opt("gatewayLoadBalancerEndpointId", t.GatewayLoadBalancerEndpointID)
	x.str("type", string(t.Type()))
	x.opt("description", t.Description)
	x.str("ownerId", t.OwnerID)
	c.writeTags(t.Tags)
}

func (c *call) deleteTarget() *Error {
	id := c.in.str("TrafficMirrorTargetId")
	c.x.str("trafficMirrorTargetId", id)
	return c.booked(c.s.book.DeleteTarget(id))
}

// chosen returns the objects of the book with the wanted ids, or all. seen gives each its
// place for pages.
func chosen[T any](want []string, all []T, id func(*T) string, missing string, what string) ([]*row[T], *Error) {
	rows := make([]*row[T], 0, len(all))
	for i := range all {
		rows = append(rows, &row[T]{seq: uint64(i + 1), o: &all[i]})
	}
	if len(want) == 0 {
		return rows, nil
	}
	byID := make(map[string]*row[T], len(rows))
	for _, r := range rows {
		byID[id(r.o)] = r
	}
	var out []*row[T]
	seen := map[*row[T]]bool{}
	for _, w := range want {
		r := byID[w]
		if r == nil {
			return nil, notFound(missing, what, w)
		}
		if !seen[r] {
			seen[r], out = true, append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *row[T]) int { return int(a.seq) - int(b.seq) })
	return out, nil
}

// row is an object of the book with its place among the others.
type row[T any] struct {
	seq uint64
	o   *T
}

// listBook is a describe of objects of the book.
func listBook[T any](c *call, rows []*row[T], attr attributes[T], set string, write func(*T)) *Error {
	rows, err := filter(c, rows, func(r *row[T], name string) ([]string, bool) { return attr(r.o, name) })
	if err != nil {
		return err
	}
	rows, next, err := page(c, rows, func(r *row[T]) uint64 { return r.seq })
	if err != nil {
		return err
	}
	eachXML(c.x, set, rows, func(r *row[T]) { write(r.o) })
	c.x.opt("nextToken", next)
	return nil
}

func (c *call) describeTargets() *Error {
	rows, err := chosen(c.in.strs("TrafficMirrorTargetId"), append(c.s.book.Targets(), c.v.sharedTargets(c.s)...), func(t *mirror.Target) string { return t.ID }, mirror.CodeTargetNotFound, "TrafficMirrorTarget")
	if err != nil {
		return err
	}
	return listBook(c, rows, func(t *mirror.Target, name string) ([]string, bool) {
		switch name {
		case "description":
			return []string{t.Description}, true
		case "network-interface-id":
			return one(t.NetworkInterfaceID), true
		case "network-load-balancer-arn":
			return one(t.NetworkLoadBalancerARN), true
		case "owner-id":
			return one(t.OwnerID), true
		case "traffic-mirror-target-id":
			return one(t.ID), true
		}
		return filterTags(t.Tags, name)
	}, "trafficMirrorTargetSet", c.writeTarget)
}

func (c *call) createFilter() *Error {
	tags, fault := c.specTags("traffic-mirror-filter")
	if fault != nil {
		return fault
	}
	f, err := c.s.book.CreateFilter(mirror.CreateFilterParams{Description: c.in.str("Description"), Tags: tags, ClientToken: c.in.str("ClientToken")})
	if fault := c.booked(err); fault != nil {
		return fault
	}
	c.x.group("trafficMirrorFilter", func() { c.writeFilter(&f) })
	c.token()
	return nil
}

func (c *call) writeFilter(f *mirror.Filter) {
	x := c.x
	x.str("trafficMirrorFilterId", f.ID)
	for _, d := range []struct {
		set string
		dir mirror.Direction
	}{{"ingressFilterRuleSet", mirror.Ingress}, {"egressFilterRuleSet", mirror.Egress}} {
		x.open(d.set)
		for i := range f.Rules {
			if f.Rules[i].Direction == d.dir {
				x.group("item", func() { c.writeRule(&f.Rules[i], true) })
			}
		}
		x.close(d.set)
	}
	x.strs("networkServiceSet", f.NetworkServices)
	x.opt("description", f.Description)
	c.writeTags(f.Tags)
}

func (c *call) writeRule(r *mirror.FilterRule, tags bool) {
	x := c.x
	x.str("trafficMirrorFilterRuleId", r.ID)
	x.str("trafficMirrorFilterId", r.FilterID)
	x.str("trafficDirection", r.Direction.String())
	x.num("ruleNumber", r.Number)
	x.str("ruleAction", string(r.Action))
	if r.Protocol != mirror.AnyProtocol {
		x.num("protocol", r.Protocol)
	}
	c.writePorts("destinationPortRange", r.DestinationPorts)
	c.writePorts("sourcePortRange", r.SourcePorts)
	x.str("destinationCidrBlock", r.DestinationCIDR.String())
	x.str("sourceCidrBlock", r.SourceCIDR.String())
	x.opt("description", r.Description)
	if tags {
		c.writeTags(r.Tags)
	}
}

func (c *call) writePorts(name string, p *mirror.PortRange) {
	if p != nil {
		c.x.group(name, func() {
			c.x.num("fromPort", p.From)
			c.x.num("toPort", p.To)
		})
	}
}

func (c *call) deleteFilter() *Error {
	id := c.in.str("TrafficMirrorFilterId")
	c.x.str("trafficMirrorFilterId", id)
	return c.booked(c.s.book.DeleteFilter(id))
}

func (c *call) describeFilters() *Error {
	rows, err := chosen(c.in.strs("TrafficMirrorFilterId"), c.s.book.Filters(), func(f *mirror.Filter) string { return f.ID }, mirror.CodeFilterNotFound, "TrafficMirrorFilter")
	if err != nil {
		return err
	}
	return listBook(c, rows, func(f *mirror.Filter, name string) ([]string, bool) {
		switch name {
		case "description":
			return []string{f.Description}, true
		case "traffic-mirror-filter-id":
			return one(f.ID), true
		}
		return filterTags(f.Tags, name)
	}, "trafficMirrorFilterSet", c.writeFilter)
}

func (c *call) modifyServices() *Error {
	f, err := c.s.book.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{
		FilterID: c.in.str("TrafficMirrorFilterId"), Add: c.in.strs("AddNetworkService"), Remove: c.in.strs("RemoveNetworkService"),
	})
	if fault := c.booked(err); fault != nil {
		return fault
	}
	c.x.group("trafficMirrorFilter", func() { c.writeFilter(&f) })
	return nil
}

func (c *call) createRule() *Error {
	tags, fault := c.specTags("traffic-mirror-filter-rule")
	if fault != nil {
		return fault
	}
	r, err := c.s.book.CreateFilterRule(mirror.CreateFilterRuleParams{
		FilterID: c.in.str("TrafficMirrorFilterId"), Direction: c.in.str("TrafficDirection"), Number: c.in.numPtr("RuleNumber"),
		Action: c.in.str("RuleAction"), SourceCIDR: c.in.str("SourceCidrBlock"), DestinationCIDR: c.in.str("DestinationCidrBlock"),
		Protocol: c.in.numPtr("Protocol"), SourcePorts: c.portRange("SourcePortRange"), DestinationPorts: c.portRange("DestinationPortRange"),
		Description: c.in.str("Description"), Tags: tags, ClientToken: c.in.str("ClientToken"),
	})
	if fault := c.booked(err); fault != nil {
		return fault
	}
	c.x.group("trafficMirrorFilterRule", func() { c.writeRule(&r, true) })
	c.token()
	return nil
}

func (c *call) modifyRule() *Error {
	r, err := c.s.book.ModifyFilterRule(mirror.ModifyFilterRuleParams{
		RuleID: c.in.str("TrafficMirrorFilterRuleId"), Direction: c.optional("TrafficDirection"), Number: c.in.numPtr("RuleNumber"),
		Action: c.optional("RuleAction"), SourceCIDR: c.optional("SourceCidrBlock"), DestinationCIDR: c.optional("DestinationCidrBlock"),
		Protocol: c.in.numPtr("Protocol"), SourcePorts: c.portRange("SourcePortRange"), DestinationPorts: c.portRange("DestinationPortRange"),
		Description: c.optional("Description"), RemoveFields: c.in.strs("RemoveField"),
	})
	if fault := c.booked(err); fault != nil {
		return fault
	}
	// AWS answers without the tags here.
	c.x.group("trafficMirrorFilterRule", func() { c.writeRule(&r, false) })
	return nil
}

func (c *call) deleteRule() *Error {
	id := c.in.str("TrafficMirrorFilterRuleId")
	c.x.str("trafficMirrorFilterRuleId", id)
	return c.booked(c.s.book.DeleteFilterRule(id))
}

func (c *call) describeRules() *Error {
	var all []mirror.FilterRule
	in := c.in.str("TrafficMirrorFilterId")
	if in != "" {
		f, ok := c.s.book.Filter(in)
		if !ok {
			return notFound(mirror.CodeFilterNotFound, "TrafficMirrorFilter", in)
		}
		all = f.Rules
	} else {
		for _, f := range c.s.book.Filters() {
			all = append(all, f.Rules...)
		}
	}
	rows, err := chosen(c.in.strs("TrafficMirrorFilterRuleId"), all, func(r *mirror.FilterRule) string { return r.ID }, mirror.CodeFilterRuleNotFound, "TrafficMirrorFilterRule")
	if err != nil {
		return err
	}
	return listBook(c, rows, func(r *mirror.FilterRule, name string) ([]string, bool) {
		switch name {
		case "traffic-mirror-filter-rule-id":
			return one(r.ID), true
		case "traffic-mirror-filter-id":
			return one(r.FilterID), true
		case "rule-number":
			return number(r.Number), true
		case "rule-action":
			return one(string(r.Action)), true
		case "traffic-direction":
			return one(r.Direction.String()), true
		case "protocol":
			return number(r.Protocol), true
		case "source-cidr-block":
			return one(r.SourceCIDR.String()), true
		case "destination-cidr-block":
			return one(r.DestinationCIDR.String()), true
		case "description":
			return []string{r.Description}, true
		}
		return filterTags(r.Tags, name)
	}, "trafficMirrorFilterRuleSet", func(r *mirror.FilterRule) { c.writeRule(r, true) })
}

func (c *call) createSession() *Error {
	tags, fault := c.specTags("traffic-mirror-session")
	if fault != nil {
		return fault
	}
	s, err := c.s.book.CreateSession(network{c.v, c.s}, mirror.CreateSessionParams{
		NetworkInterfaceID: c.in.str("NetworkInterfaceId"), TargetID: c.in.str("TrafficMirrorTargetId"), FilterID: c.in.str("TrafficMirrorFilterId"),
		Number: c.in.numPtr("SessionNumber"), PacketLength: c.in.numPtr("PacketLength"), VNI: c.in.numPtr("VirtualNetworkId"),
		Description: c.in.str("Description"), Tags: tags, ClientToken: c.in.str("ClientToken"),
	})
	if fault := c.booked(err); fault != nil {
		return fault
	}
	c.x.group("trafficMirrorSession", func() { c.writeSession(&s) })
	c.token()
	return nil
}

func (c *call) writeSession(s *mirror.Session) {
	x := c.x
	x.str("trafficMirrorSessionId", s.ID)
	x.str("trafficMirrorTargetId", s.TargetID)
	x.str("trafficMirrorFilterId", s.FilterID)
	x.str("networkInterfaceId", s.NetworkInterfaceID)
	x.str("ownerId", s.OwnerID)
	if s.PacketLength > 0 {
		x.num("packetLength", s.PacketLength)
	}
	x.num("sessionNumber", s.Number)
	x.num("virtualNetworkId", int(s.VNI))
	x.opt("description", s.Description)
	c.writeTags(s.Tags)
}

func (c *call) modifySession() *Error {
	s, err := c.s.book.ModifySession(network{c.v, c.s}, mirror.ModifySessionParams{
		SessionID: c.in.str("TrafficMirrorSessionId"), TargetID: c.optional("TrafficMirrorTargetId"), FilterID: c.optional("TrafficMirrorFilterId"),
		Number: c.in.numPtr("SessionNumber"), PacketLength: c.in.numPtr("PacketLength"), VNI: c.in.numPtr("VirtualNetworkId"),
		Description: c.optional("Description"), RemoveFields: c.in.strs("RemoveField"),
	})
	if fault := c.booked(err); fault != nil {
		return fault
	}
	c.x.group("trafficMirrorSession", func() { c.writeSession(&s) })
	return nil
}

func (c *call) deleteSession() *Error {
	id := c.in.str("TrafficMirrorSessionId")
	c.x.str("trafficMirrorSessionId", id)
	return c.booked(c.s.book.DeleteSession(id))
}

func (c *call) describeSessions() *Error {
	rows, err := chosen(c.in.strs("TrafficMirrorSessionId"), append(c.s.book.Sessions(), c.v.foreignSessions(c.s)...), func(s *mirror.Session) string { return s.ID }, mirror.CodeSessionNotFound, "TrafficMirrorSession")
	if err != nil {
		return err
	}
	return listBook(c, rows, func(s *mirror.Session, name string) ([]string, bool) {
		switch name {
		case "description":
			return []string{s.Description}, true
		case "network-interface-id":
			return one(s.NetworkInterfaceID), true
		case "owner-id":
			return one(s.OwnerID), true
		case "packet-length":
			if s.PacketLength == 0 {
				return nil, true
			}
			return number(s.PacketLength), true
		case "session-number":
			return number(s.Number), true
		case "traffic-mirror-filter-id":
			return one(s.FilterID), true
		case "traffic-mirror-session-id":
			return one(s.ID), true
		case "traffic-mirror-target-id":
			return one(s.TargetID), true
		case "virtual-network-id":
			return one(strconv.Itoa(int(s.VNI))), true
		}
		return filterTags(s.Tags, name)
	}, "trafficMirrorSessionSet", c.writeSession)
}
