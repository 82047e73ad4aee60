package ec2api

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func targetGroupActions() []action {
	const group = "TargetGroupNotFound"
	return []action{
		write("CreateTargetGroup", (*call).createTargetGroup, "DuplicateTargetGroupName", "InvalidConfigurationRequest"),
		write("DeleteTargetGroup", (*call).deleteTargetGroup, "ResourceInUse"),
		write("ModifyTargetGroup", (*call).modifyTargetGroup, group, "InvalidConfigurationRequest"),
		read("DescribeTargetGroups", (*call).describeTargetGroups, group, "LoadBalancerNotFound"),
		read("DescribeTargetGroupAttributes", (*call).targetGroupAttributes, group),
		write("ModifyTargetGroupAttributes", (*call).modifyTargetGroupAttributes, group, "InvalidConfigurationRequest"),
		write("RegisterTargets", (*call).registerTargets, group, "InvalidTarget", "TooManyTargets"),
		write("DeregisterTargets", (*call).deregisterTargets, group, "InvalidTarget"),
		read("DescribeTargetHealth", (*call).describeTargetHealth, group, "InvalidTarget"),
	}
}

// maxTargets is AWS's quota of targets of a group.
const maxTargets = 1000

func (c *call) targetGroup(arn string) (*TargetGroup, *Error) {
	if g := c.s.targetGroups.get(arn); g != nil {
		return g, nil
	}
	if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":targetgroup/") {
		return nil, errorf("ValidationError", "'%s' is not a valid target group ARN", clip(arn))
	}
	return nil, errorf("TargetGroupNotFound", "One or more target groups not found")
}

func (c *call) createTargetGroup() *Error {
	tags, err := c.elbSpecTags()
	if err != nil {
		return err
	}
	in := c.in
	g := &TargetGroup{Name: in.str("Name"), Protocol: in.str("Protocol"), Port: in.num("Port", 0), VPC: in.str("VpcId"), TargetType: in.or("TargetType", "instance"), AddrType: in.or("IpAddressType", "ipv4")}
	switch {
	case !elbName.MatchString(g.Name):
		return errorf("ValidationError", "The target group name '%s' must have at most 32 letters, digits and hyphens and must not begin or end with a hyphen", clip(g.Name))
	case g.TargetType != "instance" && g.TargetType != "ip":
		return errorf("OperationNotPermitted", "This endpoint has target groups of type instance and ip only")
	case g.Protocol == "" || g.Port == 0:
		return errorf("ValidationError", "A protocol and a port must be specified")
	case g.VPC == "":
		return errorf("ValidationError", "A VPC ID must be specified")
	case g.Protocol == "GENEVE" && g.Port != 6081:
		return errorf("ValidationError", "Port for GENEVE protocol must be 6081")
	}
	if c.s.vpcs.get(g.VPC) == nil {
		return errorf("ValidationError", "The VPC ID '%s' is not found", clip(g.VPC))
	}
	g.Check = checkDefaults(g.Protocol)
	if err := c.readCheck(&g.Check); err != nil {
		return err
	}
	for _, o := range c.s.targetGroups.all() {
		if o.Name != g.Name {
			continue
		}
		if o.Protocol != g.Protocol || o.Port != g.Port || o.VPC != g.VPC || o.TargetType != g.TargetType || o.Check != g.Check {
			return errorf("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", g.Name)
		}
		c.writeTargetGroups([]*TargetGroup{o})
		return nil
	}
	g.Resource = c.s.res(c.elbARN("targetgroup/"+g.Name+"/"+c.s.hex(16)), c.now, tags)
	c.s.targetGroups.put(g)
	c.writeTargetGroups([]*TargetGroup{g})
	return nil
}

// checkDefaults are ELB's settings of health checks.
func checkDefaults(protocol string) HealthCheck {
	if protocol == "GENEVE" {
		return HealthCheck{Enabled: true, Protocol: "TCP", Port: "80", Interval: 10 * time.Second, Timeout: 5 * time.Second, Healthy: 5, Unhealthy: 2}
	}
	h := HealthCheck{Enabled: true, Protocol: "TCP", Port: "traffic-port", Interval: 30 * time.Second, Timeout: 10 * time.Second, Healthy: 5, Unhealthy: 2}
	if protocol == "HTTP" || protocol == "HTTPS" {
		h.Protocol, h.Timeout = protocol, 5*time.Second
	}
	return h
}

var matcherForm = regexp.MustCompile(`^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$`)

// readCheck changes h as the parameters of the call say.
func (c *call) readCheck(h *HealthCheck) *Error {
	in := c.in
	h.Enabled = in.yesOr("HealthCheckEnabled", h.Enabled)
	if p := in.str("HealthCheckProtocol"); p != "" {
		if p != "TCP" && p != "HTTP" && p != "HTTPS" {
			return errorf("ValidationError", "Health check protocol '%s' is not supported", p)
		}
		if p != "TCP" && h.Protocol == "TCP" {
			if h.Timeout == 10*time.Second {
				h.Timeout = 6 * time.Second
			}
		}
		h.Protocol = p
	}
	if h.Protocol != "TCP" {
		if h.Path == "" {
			h.Path = "/"
		}
		if h.Matcher == "" {
			h.Matcher = "200-399"
		}
	}
	if p := in.str("HealthCheckPort"); p != "" {
		if n, err := strconv.Atoi(p); p != "traffic-port" && (err != nil || n < 1 || n > 65535) {
			return errorf("ValidationError", "Health check port '%s' must be 'traffic-port' or in the range of 1 to 65535", clip(p))
		}
		h.Port = p
	}
	if p := in.str("HealthCheckPath"); p != "" {
		if h.Protocol == "TCP" {
			return errorf("ValidationError", "Health check path is not supported for health checks with protocol 'TCP'")
		}
		if p[0] != '/' || len(p) > 1024 {
			return errorf("ValidationError", "Health check path '%s' must begin with a '/' character, and have at most 1024 characters", clip(p))
		}
		h.Path = p
	}
	if m := in.str("Matcher.HttpCode"); m != "" {
		if h.Protocol == "TCP" {
			return errorf("ValidationError", "Health check matcher HTTP code is not supported for health checks with protocol 'TCP'")
		}
		if !matcherForm.MatchString(m) {
			return errorf("ValidationError", "Health check matcher HTTP code '%s' must be within '200-599' inclusive", clip(m))
		}
		h.Matcher = m
	}
	h.Interval = time.Duration(in.num("HealthCheckIntervalSeconds", int(h.Interval/time.Second))) * time.Second
	h.Timeout = time.Duration(in.num("HealthCheckTimeoutSeconds", int(h.Timeout/time.Second))) * time.Second
	h.Healthy = in.num("HealthyThresholdCount", h.Healthy)
	h.Unhealthy = in.num("UnhealthyThresholdCount", h.Unhealthy)
	if h.Timeout > h.Interval {
		return errorf("ValidationError", "Health check timeout '%d' must be smaller than or equal to the interval '%d'", int(h.Timeout/time.Second), int(h.Interval/time.Second))
	}
	return nil
}

// balancersOf are the load balancers that forward to a group.
func (s *state) balancersOf(group string) []string {
	var out []string
	for _, l := range s.listeners.all() {
		if l.forwardsTo(group) && !slices.Contains(out, l.LoadBalancer) {
			out = append(out, l.LoadBalancer)
		}
	}
	return out
}

func (l *Listener) forwardsTo(group string) bool {
	return slices.ContainsFunc(l.Forward, func(f Forward) bool { return f.TargetGroup == group })
}

func (c *call) writeTargetGroups(list []*TargetGroup) {
	x := c.x
	eachXML(x, "TargetGroups", list, func(g *TargetGroup) {
		x.str("TargetGroupArn", g.ID)
		x.str("TargetGroupName", g.Name)
		x.str("Protocol", g.Protocol)
		x.num("Port", g.Port)
		x.str("VpcId", g.VPC)
		x.str("HealthCheckProtocol", g.Check.Protocol)
		x.str("HealthCheckPort", g.Check.Port)
		x.yes("HealthCheckEnabled", g.Check.Enabled)
		x.num("HealthCheckIntervalSeconds", int(g.Check.Interval/time.Second))
		x.num("HealthCheckTimeoutSeconds", int(g.Check.Timeout/time.Second))
		x.num("HealthyThresholdCount", g.Check.Healthy)
		x.num("UnhealthyThresholdCount", g.Check.Unhealthy)
		x.opt("HealthCheckPath", g.Check.Path)
		if g.Check.Matcher != "" {
			x.group("Matcher", func() { x.str("HttpCode", g.Check.Matcher) })
		}
		x.strs("LoadBalancerArns", c.s.balancersOf(g.ID))
		x.str("TargetType", g.TargetType)
		x.str("IpAddressType", g.AddrType)
	})
}

func (c *call) deleteTargetGroup() *Error {
	arn := c.in.str("TargetGroupArn")
	if c.s.targetGroups.get(arn) == nil {
		return nil
	}
	if len(c.s.balancersOf(arn)) > 0 {
		return errorf("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", arn)
	}
	c.s.targetGroups.del(arn)
	return nil
}

func (c *call) modifyTargetGroup() *Error {
	old, err := c.targetGroup(c.in.str("TargetGroupArn"))
	if err != nil {
		return err
	}
	g := *old
	if err := c.readCheck(&g.Check); err != nil {
		return err
	}
	c.s.targetGroups.put(&g)
	c.writeTargetGroups([]*TargetGroup{&g})
	return nil
}

func (c *call) describeTargetGroups() *Error {
	list := slices.Clone(c.s.targetGroups.all())
	if arn := c.in.str("LoadBalancerArn"); arn != "" {
		if _, err := c.balancer(arn); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(g *TargetGroup) bool { return !slices.Contains(c.s.balancersOf(g.ID), arn) })
	}
	if arns := c.in.strs("TargetGroupArns"); len(arns) > 0 {
		for _, a := range arns {
			if _, err := c.targetGroup(a); err != nil {
				return err
			}
		}
		list = slices.DeleteFunc(list, func(g *TargetGroup) bool { return !slices.Contains(arns, g.ID) })
	}
	if names := c.in.strs("Names"); len(names) > 0 {
		for _, n := range names {
			if !slices.ContainsFunc(list, func(g *TargetGroup) bool { return g.Name == n }) {
				return errorf("TargetGroupNotFound", "One or more target groups not found")
			}
		}
		list = slices.DeleteFunc(list, func(g *TargetGroup) bool { return !slices.Contains(names, g.Name) })
	}
	list, next, err := elbPage(c, list, func(g *TargetGroup) uint64 { return g.Seq })
	if err != nil {
		return err
	}
	c.writeTargetGroups(list)
	c.x.opt("NextMarker", next)
	return nil
}

// groupDefaults are the attributes that a target group has.
func groupDefaults(protocol string) map[string]string {
	if protocol == "GENEVE" {
		return map[string]string{
			"deregistration_delay.timeout_seconds": "300", "stickiness.enabled": "false", "stickiness.type": "source_ip_dest_ip",
			"target_failover.on_deregistration": "no_rebalance", "target_failover.on_unhealthy": "no_rebalance", "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
		}
	}
	m := map[string]string{
		"deregistration_delay.timeout_seconds": "300", "deregistration_delay.connection_termination.enabled": "false", "stickiness.enabled": "false", "stickiness.type": "source_ip",
		"preserve_client_ip.enabled": "true", "proxy_protocol_v2.enabled": "false", "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
		"target_group_health.dns_failover.minimum_healthy_targets.count": "1", "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1", "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
		"target_health_state.unhealthy.connection_termination.enabled": "true", "target_health_state.unhealthy.draining_interval_seconds": "0",
	}
	if protocol == "UDP" || protocol == "TCP_UDP" {
		m["deregistration_delay.connection_termination.enabled"] = "true"
	}
	return m
}

// Attribute returns the value that an attribute of the group has, set or not.
func (g *TargetGroup) Attribute(name string) string {
	if v, ok := g.Attributes[name]; ok {
		return v
	}
	return groupDefaults(g.Protocol)[name]
}

func (c *call) targetGroupAttributes() *Error {
	g, err := c.targetGroup(c.in.str("TargetGroupArn"))
	if err != nil {
		return err
	}
	c.writeAttributes(groupDefaults(g.Protocol), g.Attributes)
	return nil
}

func (c *call) modifyTargetGroupAttributes() *Error {
	old, err := c.targetGroup(c.in.str("TargetGroupArn"))
	if err != nil {
		return err
	}
	g := *old
	if g.Attributes, err = c.readAttributes("Target group", groupDefaults(g.Protocol), old.Attributes); err != nil {
		return err
	}
	if (g.Protocol == "UDP" || g.Protocol == "TCP_UDP") && g.Attributes["preserve_client_ip.enabled"] == "false" {
		return errorf("InvalidConfigurationRequest", "Client IP preservation cannot be disabled for target groups with protocol %s", g.Protocol)
	}
	c.s.targetGroups.put(&g)
	c.writeAttributes(groupDefaults(g.Protocol), g.Attributes)
	return nil
}

// sharedSpace are the ranges in which targets outside the VPC may be. AWS: RegisterTargets.
func sharedSpace() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16")}
}

// targetID reads a target and checks that it can be one of g.
func (c *call) targetID(g *TargetGroup, n *node) (TargetID, *Error) {
	t := TargetID{ID: n.str("Id"), Port: n.num("Port", g.Port), Zone: n.str("AvailabilityZone")}
	if g.TargetType == "instance" {
		i := c.s.instances.get(t.ID)
		if i == nil || i.State == Terminated {
			return t, errorf("InvalidTarget", "The following targets are not valid instances: %s", clip(t.ID))
		}
		if i.State != Running {
			return t, errorf("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", t.ID)
		}
		if i.VPC != g.VPC {
			return t, errorf("InvalidTarget", "The following targets are not in the target group VPC '%s': '%s'", g.VPC, t.ID)
		}
		return t, nil
	}
	a, err := netip.ParseAddr(t.ID)
	if err != nil {
		return t, errorf("ValidationError", "The IP address '%s' is not a valid IPv4 address", clip(t.ID))
	}
	v := c.s.vpcs.get(g.VPC)
	inside := func(p netip.Prefix) bool { return p.Contains(a) }
	if v != nil && slices.ContainsFunc(v.prefixes(), inside) {
		return t, nil
	}
	if !slices.ContainsFunc(sharedSpace(), inside) {
		return t, errorf("ValidationError", "The IP address '%s' is not within the allowed ranges", a)
	}
	if t.Zone == "" {
		return t, errorf("ValidationError", "You must specify an Availability Zone of 'all' when the IP address '%s' is outside the VPC", a)
	}
	return t, nil
}

func (c *call) registerTargets() *Error {
	old, err := c.targetGroup(c.in.str("TargetGroupArn"))
	if err != nil {
		return err
	}
	g := *old
	g.Targets = slices.Clone(old.Targets)
	if len(c.in.list("Targets")) == 0 {
		return errorf("ValidationError", "At least one target is needed")
	}
	for _, n := range c.in.list("Targets") {
		t, err := c.targetID(&g, n)
		if err != nil {
			return err
		}
		g.Targets = slices.DeleteFunc(g.Targets, func(o RegisteredTarget) bool { return o.ID == t.ID && o.Port == t.Port && !o.Draining.IsZero() })
		if !slices.ContainsFunc(g.Targets, func(o RegisteredTarget) bool { return o.ID == t.ID && o.Port == t.Port }) {
			g.Targets = append(g.Targets, RegisteredTarget{TargetID: t, At: c.stamp()})
		}
	}
	if len(g.Targets) > maxTargets {
		return errorf("TooManyTargets", "The maximum number of targets per target group has been reached")
	}
	c.s.targetGroups.put(&g)
	return nil
}

// deregisterTargets lets targets drain. Those of a group that no load balancer uses go
// at once.
func (c *call) deregisterTargets() *Error {
	old, err := c.targetGroup(c.in.str("TargetGroupArn"))
	if err != nil {
		return err
	}
	g := *old
	g.Targets = slices.Clone(old.Targets)
	used := len(c.s.balancersOf(g.ID)) > 0
	for _, n := range c.in.list("Targets") {
		id, port := n.str("Id"), n.num("Port", 0)
		found := false
		for i := range g.Targets {
			if t := &g.Targets[i]; t.ID == id && (port == 0 || t.Port == port) {
				found = true
				if t.Draining.IsZero() {
					t.Draining = c.stamp()
				}
			}
		}
		if !found && g.TargetType == "instance" && c.s.instances.get(id) == nil {
			return errorf("InvalidTarget", "The following targets are not registered: %s", clip(id))
		}
	}
	if !used {
		g.Targets = slices.DeleteFunc(g.Targets, func(t RegisteredTarget) bool { return !t.Draining.IsZero() })
	}
	c.s.targetGroups.put(&g)
	return nil
}

// drainTime is how long targets of g drain.
func (g *TargetGroup) drainTime() time.Duration {
	n, err := strconv.Atoi(g.Attribute("deregistration_delay.timeout_seconds"))
	if err != nil {
		n = 300
	}
	return time.Duration(n) * time.Second
}

// reapTargets forgets targets that have drained, and instances that are gone.
func (s *state) reapTargets(now time.Time) {
	for _, g := range s.targetGroups.all() {
		over := func(t RegisteredTarget) bool { return !t.Draining.IsZero() && now.Sub(t.Draining) >= g.drainTime() }
		if slices.ContainsFunc(g.Targets, over) {
			n := *g
			n.Targets = slices.DeleteFunc(slices.Clone(g.Targets), over)
			s.targetGroups.put(&n)
		}
	}
}

func (c *call) describeTargetHealth() *Error {
	g, err := c.targetGroup(c.in.str("TargetGroupArn"))
	if err != nil {
		return err
	}
	type told struct {
		t RegisteredTarget
		h TargetHealth
	}
	var list []told
	used := len(c.s.balancersOf(g.ID)) > 0
	live := slices.DeleteFunc(slices.Clone(g.Targets), func(t RegisteredTarget) bool {
		return !t.Draining.IsZero() && c.now.Sub(t.Draining) >= g.drainTime()
	})
	if want := c.in.list("Targets"); len(want) > 0 {
		for _, n := range want {
			id, port := n.str("Id"), n.num("Port", g.Port)
			i := slices.IndexFunc(live, func(t RegisteredTarget) bool { return t.ID == id && t.Port == port })
			if i < 0 {
				list = append(list, told{RegisteredTarget{TargetID: TargetID{ID: id, Port: port}}, TargetHealth{"unused", "Target.NotRegistered", "Target is not registered to the target group"}})
				continue
			}
			list = append(list, told{live[i], c.health(g, &live[i], used)})
		}
	} else {
		for i := range live {
			list = append(list, told{live[i], c.health(g, &live[i], used)})
		}
	}
	x := c.x
	eachXML(x, "TargetHealthDescriptions", list, func(o told) {
		x.group("Target", func() {
			x.str("Id", o.t.ID)
			x.num("Port", o.t.Port)
			x.opt("AvailabilityZone", o.t.Zone)
		})
		port := g.Check.Port
		if port == "traffic-port" {
			port = strconv.Itoa(o.t.Port)
		}
		x.str("HealthCheckPort", port)
		x.group("TargetHealth", func() {
			x.str("State", o.h.State)
			x.opt("Reason", o.h.Reason)
			x.opt("Description", o.h.Description)
		})
	})
	return nil
}

// health is what is told of a target. Without a data plane a model answers: a target is
// healthy when it is an address of, or is, an instance that runs.
func (c *call) health(g *TargetGroup, t *RegisteredTarget, used bool) TargetHealth {
	switch {
	case !t.Draining.IsZero():
		return TargetHealth{"draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"}
	case !used:
		return TargetHealth{"unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"}
	case g.TargetType == "instance" && !c.s.runs(t.ID):
		return TargetHealth{"unused", "Target.InvalidState", "Target is in the stopped or terminated state"}
	case !g.Check.Enabled:
		return TargetHealth{"unavailable", "Target.HealthCheckDisabled", "Health checks are disabled"}
	case c.v.o.Health != nil:
		if h, ok := c.v.o.Health.TargetHealth(g.ID, t.TargetID); ok {
			return h
		}
		return TargetHealth{"initial", "Elb.InitialHealthChecking", "Initial health checks in progress"}
	case g.TargetType == "ip" && !c.s.answers(g.VPC, t.ID):
		return TargetHealth{"unhealthy", "Target.Timeout", "Request timed out"}
	}
	return TargetHealth{State: "healthy"}
}

func (s *state) runs(instance string) bool {
	i := s.instances.get(instance)
	return i != nil && i.State == Running
}

// answers tells whether somebody can be behind an address of a VPC. Addresses outside it
// are taken to answer.
func (s *state) answers(vpc, text string) bool {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	for _, sub := range s.subnets.all() {
		if sub.VPC != vpc || !sub.CIDR.Contains(a) && !slices.ContainsFunc(sub.IPv6, func(b CIDRAssociation) bool { return b.CIDR.Contains(a) }) {
			continue
		}
		e := s.enis.get(s.addrs[sub.ID][a])
		return e != nil && e.Attachment != nil && s.runs(e.Attachment.InstanceID)
	}
	return true
}
