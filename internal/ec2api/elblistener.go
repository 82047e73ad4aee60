package ec2api

import (
	"slices"
	"strconv"
	"strings"
)

func listenerActions() []action {
	const listener, balancer, group = "ListenerNotFound", "LoadBalancerNotFound", "TargetGroupNotFound"
	return []action{
		write("CreateListener", (*call).createListener, balancer, group, "DuplicateListener", "IncompatibleProtocols", "TargetGroupAssociationLimit", "InvalidLoadBalancerAction"),
		write("DeleteListener", (*call).deleteListener, listener),
		write("ModifyListener", (*call).modifyListener, listener, group, "DuplicateListener", "IncompatibleProtocols", "TargetGroupAssociationLimit"),
		read("DescribeListeners", (*call).describeListeners, listener, balancer),
		read("DescribeListenerAttributes", (*call).listenerAttributes, listener),
		write("ModifyListenerAttributes", (*call).modifyListenerAttributes, listener),
		read("DescribeListenerCertificates", (*call).listenerCertificates, listener),
		read("DescribeRules", (*call).describeListenerRules, listener, "RuleNotFound"),
		write("CreateRule", func(c *call) *Error { return c.refuseRule(c.in.str("ListenerArn")) }, listener, "InvalidConfigurationRequest"),
		write("ModifyRule", func(c *call) *Error { return c.refuseRule("") }, "InvalidConfigurationRequest"),
		write("DeleteRule", func(c *call) *Error { return c.refuseRule("") }, "OperationNotPermitted", "InvalidConfigurationRequest"),
	}
}

func (c *call) listener(arn string) (*Listener, *Error) {
	if l := c.s.listeners.get(arn); l != nil {
		return l, nil
	}
	if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":listener/") {
		return nil, errorf("ValidationError", "'%s' is not a valid listener ARN", clip(arn))
	}
	return nil, errorf("ListenerNotFound", "One or more listeners not found")
}

// forwards reads the default actions of a listener.
func (c *call) forwards(b *LoadBalancer, protocol string) ([]Forward, *Error) {
	actions := c.in.list("DefaultActions")
	if len(actions) != 1 {
		return nil, errorf("ValidationError", "Exactly one default action is needed")
	}
	a := actions[0]
	if a.str("Type") != "forward" {
		return nil, errorf("InvalidLoadBalancerAction", "Load balancers of type '%s' support only actions of type 'forward'", b.Type)
	}
	var out []Forward
	if arn := a.str("TargetGroupArn"); arn != "" {
		out = append(out, Forward{TargetGroup: arn, Weight: 1})
	} else {
		for _, t := range a.list("ForwardConfig.TargetGroups") {
			out = append(out, Forward{TargetGroup: t.str("TargetGroupArn"), Weight: t.num("Weight", 1)})
		}
	}
	if len(out) == 0 {
		return nil, errorf("ValidationError", "A target group ARN must be specified")
	}
	for _, f := range out {
		g, err := c.targetGroup(f.TargetGroup)
		if err != nil {
			return nil, err
		}
		if !protocolsFit(protocol, g.Protocol) {
			return nil, errorf("IncompatibleProtocols", "The target group '%s' has protocol '%s', which the listener cannot forward to", g.ID, g.Protocol)
		}
		if g.VPC != b.VPC {
			return nil, errorf("InvalidConfigurationRequest", "The target group '%s' is of another VPC than the load balancer", g.ID)
		}
		for _, other := range c.s.balancersOf(g.ID) {
			if other != b.ID {
				return nil, errorf("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", g.ID)
			}
		}
	}
	return out, nil
}

// protocolsFit tells whether a listener can forward to a group. AWS: Network Load
// Balancers, routing configuration.
func protocolsFit(listener, group string) bool {
	switch listener {
	case "":
		return group == "GENEVE"
	case "TCP":
		return group == "TCP" || group == "TCP_UDP"
	case "UDP":
		return group == "UDP" || group == "TCP_UDP"
	case "TLS":
		return group == "TCP" || group == "TLS"
	}
	return listener == group
}

func (c *call) createListener() *Error {
	tags, err := c.elbSpecTags()
	if err != nil {
		return err
	}
	b, err := c.balancer(c.in.str("LoadBalancerArn"))
	if err != nil {
		return err
	}
	protocol, port := c.in.str("Protocol"), c.in.num("Port", 0)
	if err := listenerPort(b, protocol, port); err != nil {
		return err
	}
	forward, err := c.forwards(b, protocol)
	if err != nil {
		return err
	}
	for _, l := range c.s.listeners.all() {
		if l.LoadBalancer != b.ID || !portsClash(l, protocol, port) {
			continue
		}
		if l.Protocol == protocol && slices.Equal(l.Forward, forward) {
			c.writeListeners([]*Listener{l})
			return nil
		}
		return errorf("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.ID)
	}
	l := &Listener{Resource: c.s.res(c.listenerARN(b), c.now, tags), LoadBalancer: b.ID, Protocol: protocol, Port: port, Forward: forward, SSLPolicy: c.in.str("SslPolicy")}
	for _, cert := range c.in.list("Certificates") {
		l.Certificates = append(l.Certificates, cert.str("CertificateArn"))
	}
	c.s.listeners.put(l)
	c.writeListeners([]*Listener{l})
	return nil
}

func listenerPort(b *LoadBalancer, protocol string, port int) *Error {
	if b.Type == BalancerGateway {
		if protocol != "" || port != 0 {
			return errorf("ValidationError", "A listener of a Gateway Load Balancer has neither protocol nor port")
		}
		return nil
	}
	switch protocol {
	case "TCP", "UDP", "TCP_UDP", "TLS":
	case "":
		return errorf("ValidationError", "A listener protocol must be specified")
	default:
		return errorf("ValidationError", "Listener protocol '%s' is not supported for load balancers with type '%s'", protocol, b.Type)
	}
	if port < 1 {
		return errorf("ValidationError", "A listener port must be specified")
	}
	return nil
}

// portsClash tells whether a listener has this port already. TCP and UDP are beside each
// other.
func portsClash(l *Listener, protocol string, port int) bool {
	if l.Port != port {
		return false
	}
	return l.Protocol != "UDP" && protocol != "UDP" || l.Protocol == protocol || l.Protocol == "TCP_UDP" || protocol == "TCP_UDP"
}

func (c *call) writeForward(l *Listener) {
	x := c.x
	x.str("Type", "forward")
	if len(l.Forward) == 1 {
		x.str("TargetGroupArn", l.Forward[0].TargetGroup)
	}
	x.num("Order", 1)
	x.group("ForwardConfig", func() {
		eachXML(x, "TargetGroups", l.Forward, func(f Forward) {
			x.str("TargetGroupArn", f.TargetGroup)
			if len(l.Forward) > 1 {
				x.num("Weight", f.Weight)
			}
		})
	})
}

func (c *call) writeListeners(list []*Listener) {
	x := c.x
	eachXML(x, "Listeners", list, func(l *Listener) {
		x.str("ListenerArn", l.ID)
		x.str("LoadBalancerArn", l.LoadBalancer)
		if l.Port != 0 {
			x.num("Port", l.Port)
		}
		x.opt("Protocol", l.Protocol)
		x.opt("SslPolicy", l.SSLPolicy)
		if len(l.Certificates) > 0 {
			eachXML(x, "Certificates", l.Certificates, func(arn string) { x.str("CertificateArn", arn) })
		}
		x.group("DefaultActions", func() { x.group("member", func() { c.writeForward(l) }) })
	})
}

func (c *call) deleteListener() *Error {
	l, err := c.listener(c.in.str("ListenerArn"))
	if err != nil {
		return err
	}
	c.s.listeners.del(l.ID)
	return nil
}

func (c *call) modifyListener() *Error {
	old, err := c.listener(c.in.str("ListenerArn"))
	if err != nil {
		return err
	}
	l := *old
	b := c.s.balancers.get(l.LoadBalancer)
	l.Protocol, l.Port = c.in.or("Protocol", l.Protocol), c.in.num("Port", l.Port)
	l.SSLPolicy = c.in.or("SslPolicy", l.SSLPolicy)
	if err := listenerPort(b, l.Protocol, l.Port); err != nil {
		return err
	}
	if len(c.in.list("DefaultActions")) > 0 {
		if l.Forward, err = c.forwards(b, l.Protocol); err != nil {
			return err
		}
	} else {
		for _, f := range l.Forward {
			if g := c.s.targetGroups.get(f.TargetGroup); g != nil && !protocolsFit(l.Protocol, g.Protocol) {
				return errorf("IncompatibleProtocols", "The target group '%s' has protocol '%s', which the listener cannot forward to", g.ID, g.Protocol)
			}
		}
	}
	for _, o := range c.s.listeners.all() {
		if o.ID != l.ID && o.LoadBalancer == l.LoadBalancer && portsClash(o, l.Protocol, l.Port) {
			return errorf("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", l.LoadBalancer)
		}
	}
	c.s.listeners.put(&l)
	c.writeListeners([]*Listener{&l})
	return nil
}

func (c *call) describeListeners() *Error {
	arns, balancer := c.in.strs("ListenerArns"), c.in.str("LoadBalancerArn")
	if len(arns) == 0 && balancer == "" {
		return errorf("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
	}
	list := slices.Clone(c.s.listeners.all())
	if balancer != "" {
		if _, err := c.balancer(balancer); err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(l *Listener) bool { return l.LoadBalancer != balancer })
	}
	if len(arns) > 0 {
		for _, a := range arns {
			if _, err := c.listener(a); err != nil {
				return err
			}
		}
		list = slices.DeleteFunc(list, func(l *Listener) bool { return !slices.Contains(arns, l.ID) })
	}
	list, next, err := elbPage(c, list, func(l *Listener) uint64 { return l.Seq })
	if err != nil {
		return err
	}
	c.writeListeners(list)
	c.x.opt("NextMarker", next)
	return nil
}

func listenerDefaults(protocol string) map[string]string {
	if protocol == "TCP" || protocol == "TLS" || protocol == "" {
		return map[string]string{"tcp.idle_timeout.seconds": "350"}
	}
	return map[string]string{}
}

func (c *call) listenerAttributes() *Error {
	l, err := c.listener(c.in.str("ListenerArn"))
	if err != nil {
		return err
	}
	c.writeAttributes(listenerDefaults(l.Protocol), l.Attributes)
	return nil
}

func (c *call) modifyListenerAttributes() *Error {
	old, err := c.listener(c.in.str("ListenerArn"))
	if err != nil {
		return err
	}
	l := *old
	if l.Attributes, err = c.readAttributes("Listener", listenerDefaults(l.Protocol), old.Attributes); err != nil {
		return err
	}
	c.s.listeners.put(&l)
	c.writeAttributes(listenerDefaults(l.Protocol), l.Attributes)
	return nil
}

func (c *call) listenerCertificates() *Error {
	l, err := c.listener(c.in.str("ListenerArn"))
	if err != nil {
		return err
	}
	eachXML(c.x, "Certificates", l.Certificates, func(arn string) {
		c.x.str("CertificateArn", arn)
		c.x.yes("IsDefault", true)
	})
	return nil
}

// describeListenerRules shows the default rule, which is all that these load balancers
// have.
func (c *call) describeListenerRules() *Error {
	var list []*Listener
	if arn := c.in.str("ListenerArn"); arn != "" {
		l, err := c.listener(arn)
		if err != nil {
			return err
		}
		list = append(list, l)
	}
	for _, arn := range c.in.strs("RuleArns") {
		i := slices.IndexFunc(c.s.listeners.all(), func(l *Listener) bool { return ruleARN(l) == arn })
		if i < 0 {
			return errorf("RuleNotFound", "One or more rules not found")
		}
		list = append(list, c.s.listeners.all()[i])
	}
	x := c.x
	eachXML(x, "Rules", list, func(l *Listener) {
		x.str("RuleArn", ruleARN(l))
		x.str("Priority", "default")
		x.strs("Conditions", nil)
		x.group("Actions", func() { x.group("member", func() { c.writeForward(l) }) })
		x.yes("IsDefault", true)
	})
	return nil
}

func ruleARN(l *Listener) string {
	n, _ := strconv.ParseUint(hexTail(l.ID), 16, 64)
	return strings.Replace(l.ID, ":listener/", ":listener-rule/", 1) + "/" + strconv.FormatUint(n^0x5555555555555555, 16)
}

// refuseRule refuses what only listeners of Application Load Balancers have: rules beside
// the default one, which follows its listener.
func (c *call) refuseRule(listener string) *Error {
	if listener != "" && c.s.listeners.get(listener) == nil {
		return errorf("ListenerNotFound", "One or more listeners not found")
	}
	arn := c.in.str("RuleArn")
	if c.act.name == "DeleteRule" && slices.ContainsFunc(c.s.listeners.all(), func(l *Listener) bool { return ruleARN(l) == arn }) {
		return errorf("OperationNotPermitted", "Default rule '%s' cannot be deleted", arn)
	}
	return errorf("InvalidConfigurationRequest", "Rules are not supported for listeners of Network and Gateway Load Balancers; modify the listener")
}
