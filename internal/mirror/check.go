package mirror

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func checkDescription(s string) error {
	if n := utf8.RuneCountInString(s); n > MaxDescription {
		return invalid("Description", fmt.Sprintf("%.20s...", s), fmt.Sprintf("It has %d characters, at most %d are possible.", n, MaxDescription))
	}
	return nil
}

func checkTags(tags []Tag) error {
	if len(tags) > MaxTags {
		return refuse(CodeTagLimit, "The maximum number of Tags for a resource is %d", MaxTags)
	}
	for i, t := range tags {
		switch n := utf8.RuneCountInString(t.Key); {
		case n == 0:
			return refuse(CodeInvalidValue, "Tag keys cannot be empty")
		case n > MaxTagKey:
			return refuse(CodeInvalidValue, "Tag keys have at most %d characters", MaxTagKey)
		case utf8.RuneCountInString(t.Value) > MaxTagValue:
			return refuse(CodeInvalidValue, "Tag values have at most %d characters", MaxTagValue)
		case len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:"):
			return refuse(CodeInvalidValue, "Tag keys starting with 'aws:' are reserved for internal use")
		}
		if slices.ContainsFunc(tags[:i], func(o Tag) bool { return o.Key == t.Key }) {
			return refuse(CodeInvalidValue, "Duplicate tag key '%s' specified.", t.Key)
		}
	}
	return nil
}

// parseDirection reads a TrafficDirection.
func parseDirection(s string) (Direction, error) {
	switch s {
	case "ingress":
		return Ingress, nil
	case "egress":
		return Egress, nil
	case "":
		return 0, missing("TrafficDirection")
	}
	return 0, invalid("TrafficDirection", s, "Allowed values are ingress and egress.")
}

func parseAction(s string) (Action, error) {
	switch a := Action(s); a {
	case Accept, Reject:
		return a, nil
	case "":
		return "", missing("RuleAction")
	}
	return "", invalid("RuleAction", s, "Allowed values are accept and reject.")
}

// parseCIDR reads a CIDR block that is a network address.
func parseCIDR(parameter, s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, missing(parameter)
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, invalid(parameter, s, "This is not a valid CIDR block.")
	}
	if p != p.Masked() {
		return netip.Prefix{}, invalid(parameter, s, fmt.Sprintf("This is not a network address; did you mean %v?", p.Masked()))
	}
	return p, nil
}

func checkRuleNumber(n int) error {
	if n < 1 || n > MaxRuleNumber {
		return invalid("RuleNumber", n, "It must be 1 or more.")
	}
	return nil
}

// protocol reads a Protocol.
func (b *Book) protocol(n int) (int, error) {
	if n == AnyProtocol && b.o.Switches.ProtocolMinusOne {
		return AnyProtocol, nil
	}
	if n < 0 || n > 255 {
		return 0, invalid("Protocol", n, "It must be an IANA protocol number, 0 to 255; leave it out for all protocols.")
	}
	return n, nil
}

func parsePorts(parameter string, p *PortRangeParams) (*PortRange, error) {
	switch {
	case p == nil:
		return nil, nil
	case p.From == nil:
		return nil, missing(parameter + ".FromPort")
	case p.To == nil:
		return nil, missing(parameter + ".ToPort")
	}
	r := &PortRange{*p.From, *p.To}
	return r, checkPorts(parameter, r)
}

func checkPorts(parameter string, r *PortRange) error {
	switch {
	case r == nil:
	case r.From < 0 || r.From > 65535:
		return invalid(parameter+".FromPort", r.From, "It must be 0 to 65535.")
	case r.To < 0 || r.To > 65535:
		return invalid(parameter+".ToPort", r.To, "It must be 0 to 65535.")
	case r.From > r.To:
		return invalid(parameter, fmt.Sprintf("%d-%d", r.From, r.To), "FromPort is greater than ToPort.")
	}
	return nil
}

// checkRule tells whether the parts of a rule go together.
func checkRule(r *FilterRule) error {
	if r.SourceCIDR.Addr().Is4() != r.DestinationCIDR.Addr().Is4() {
		return refuse(CodeInvalidCombination,
			"SourceCidrBlock %v and DestinationCidrBlock %v must be of the same address family", r.SourceCIDR, r.DestinationCIDR)
	}
	if (r.SourcePorts != nil || r.DestinationPorts != nil) && r.Protocol != 6 && r.Protocol != 17 {
		return refuse(CodeInvalidCombination, "Port ranges can be given for the protocols 6 (TCP) and 17 (UDP) only")
	}
	return nil
}

func checkSessionNumber(n int) error {
	if n < MinSessionNumber || n > MaxSessionNumber {
		return invalid("SessionNumber", n, fmt.Sprintf("It must be %d to %d.", MinSessionNumber, MaxSessionNumber))
	}
	return nil
}

func (b *Book) checkPacketLength(n int, lb bool) error {
	most := MaxPacketLength
	if b.o.Switches.LongPacketLength && !lb {
		most = 65535
	}
	if n < 1 || n > most {
		return invalid("PacketLength", n, fmt.Sprintf("It must be 1 to %d.", most))
	}
	return nil
}

func (b *Book) checkVNI(n int) error {
	least := 0
	if b.o.Switches.VNIZeroRefused {
		least = 1
	}
	if n < least || n > MaxVNI {
		return invalid("VirtualNetworkId", n, fmt.Sprintf("It must be %d to %d.", least, MaxVNI))
	}
	return nil
}

// removals checks the values of RemoveField: each is one of allowed, and set, which
// tells what else the request gives, does not name it too.
func removals(fields, allowed []string, set map[string]bool) error {
	for _, f := range fields {
		if !slices.Contains(allowed, f) {
			return invalid("RemoveField", f, "Allowed values are "+strings.Join(allowed, ", ")+".")
		}
		if set[f] {
			return refuse(CodeInvalidCombination, "%s can be given or removed, not both", f)
		}
	}
	return nil
}

// nlbARN is the form of the ARN of a Network Load Balancer.
var nlbARN = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/net/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}$`)

// visible tells whether an interface is one that the account may mirror: it owns the
// interface or its subnet.
func (b *Book) visible(i *Interface) bool {
	return i.OwnerID == "" || i.OwnerID == b.o.AccountID || i.SubnetOwnerID == b.o.AccountID
}

// source looks up the interface of a mirror source.
func (b *Book) source(w World, id string) (Interface, error) {
	i, ok := w.Interface(id)
	if !ok || !b.visible(&i) {
		if !ok && !WellFormedID("eni-", id) {
			return i, refuse(CodeInterfaceMalformed, "Invalid id: %q (expecting \"eni-...\")", id)
		}
		return i, refuse(CodeInterfaceNotFound, "The networkInterface ID '%s' does not exist", id)
	}
	if why := b.unsupported(&i); why != "" {
		return i, refuse(CodeInterfaceNotSupported, "%s must be attached to a supported instance: %s", id, why)
	}
	return i, nil
}

// sourceKinds are the interface types that can be sources: those of instances.
var sourceKinds = []string{"", "interface", "efa", "branch", "trunk"}

// unsupported tells why i cannot be a mirror source; "" when it can.
func (b *Book) unsupported(i *Interface) string {
	sw := &b.o.Switches
	if !slices.Contains(sourceKinds, i.Kind) {
		return "it is of type " + i.Kind
	}
	if len(i.Addrs) > 0 && !slices.ContainsFunc(i.Addrs, netip.Addr.Is4) {
		return "it has no IPv4 address, and IPv6-only subnets are not supported"
	}
	if i.RequesterID != "" {
		if sw.ManagedSourcesAsDocumented && i.RequesterID != "amazon-rds" && i.RequesterID != "amazon-elasticache" {
			return "it is managed by " + i.RequesterID
		}
		return ""
	}
	if i.InstanceID == "" && i.InstanceType == "" {
		if sw.DetachedSourcesAllowed {
			return ""
		}
		return "it is not attached"
	}
	if i.InstanceType == "" || sw.AnySourceType {
		return ""
	}
	if s, why := SourceSupport(i.InstanceType); s == Unsupported {
		return why
	}
	return ""
}
