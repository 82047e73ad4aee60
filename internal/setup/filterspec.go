package setup

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

// protocolNames are the names of protocols that a rule may use; others have a number.
// IANA: protocol numbers.
func protocolNames() []struct {
	Name   string
	Number int
} {
	return []struct {
		Name   string
		Number int
	}{
		{"all", mirror.AnyProtocol}, {"icmp", 1}, {"igmp", 2}, {"ipip", 4}, {"tcp", 6}, {"egp", 8}, {"udp", 17}, {"dccp", 33},
		{"ipv6", 41}, {"rsvp", 46}, {"gre", 47}, {"esp", 50}, {"ah", 51}, {"icmpv6", 58}, {"eigrp", 88}, {"ospf", 89},
		{"pim", 103}, {"vrrp", 112}, {"l2tp", 115}, {"sctp", 132}, {"udplite", 136},
	}
}

// ParseProtocol reads the name or number of a protocol; "" and "all" are
// mirror.AnyProtocol.
func ParseProtocol(s string) (int, error) {
	if s == "" {
		return mirror.AnyProtocol, nil
	}
	for _, p := range protocolNames() {
		if strings.EqualFold(s, p.Name) {
			return p.Number, nil
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < -1 || n > 255 {
		return 0, fmt.Errorf("%q is neither the name of a protocol nor a number from 0 to 255", s)
	}
	return n, nil
}

// protocolName returns the name of a protocol, or its number.
func protocolName(n int) string {
	for _, p := range protocolNames() {
		if p.Number == n {
			return p.Name
		}
	}
	return strconv.Itoa(n)
}

// parsePorts reads "80" or "1024-65535"; "" is nil: any port.
func parsePorts(s string) (*mirror.PortRange, error) {
	if s == "" {
		return nil, nil
	}
	a, b, many := strings.Cut(s, "-")
	if !many {
		b = a
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(a))
	to, err2 := strconv.Atoi(strings.TrimSpace(b))
	if err1 != nil || err2 != nil || from < 0 || to > 65535 || from > to {
		return nil, fmt.Errorf("%q is neither a port nor a range like 1024-65535", s)
	}
	return &mirror.PortRange{From: from, To: to}, nil
}

const (
	anyWord = "any"
	vpcWord = "vpc"
)

// check notes what is wrong with r.
func (r *RuleSpec) check(p *problems, at string) {
	p.oneOf(at+".direction", r.Direction, "ingress", "egress", "both")
	p.oneOf(at+".action", r.Action, "accept", "reject")
	proto, err := ParseProtocol(r.Protocol)
	if err != nil {
		p.add(at+".protocol", "%v", err)
	}
	for _, x := range []struct{ key, text string }{{"source_ports", r.SourcePorts}, {"destination_ports", r.DestinationPorts}} {
		if _, perr := parsePorts(x.text); perr != nil {
			p.add(at+"."+x.key, "%v", perr)
		} else if x.text != "" && err == nil && proto != 6 && proto != 17 {
			p.add(at+"."+x.key, "ports belong to protocol tcp or udp")
		}
	}
	if r.Number < 0 || r.Number > maxRuleNumber {
		p.add(at+".number", "%d is not between 1 and %d", r.Number, maxRuleNumber)
	}
	checkText(p, at+".description", r.Description)
	fam := [2][2]bool{}
	for i, x := range []struct {
		key  string
		list Strings
	}{{"source", r.Source}, {"destination", r.Destination}} {
		for _, c := range x.list {
			if c == anyWord || c == vpcWord {
				fam[i] = [2]bool{true, true}
				continue
			}
			n, err := netip.ParsePrefix(c)
			if err != nil || n != n.Masked() {
				p.add(at+"."+x.key, "%q is none of any, vpc and a CIDR with no bits set after its length", c)
				continue
			}
			fam[i][b2i(n.Addr().Is6())] = true
		}
		if len(x.list) == 0 {
			fam[i] = [2]bool{true, true}
		}
	}
	if !(fam[0][0] && fam[1][0]) && !(fam[0][1] && fam[1][1]) {
		p.add(at, "source and destination are of different address families: such a rule matches nothing")
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ipv6 tells whether rules get twins.
func (f *FilterSpec) ipv6() bool { return f.IPv6 == nil || *f.IPv6 }

// services returns the network services of the filter.
func (f *FilterSpec) services() []string {
	if f.Services == nil {
		return []string{mirror.AmazonDNS}
	}
	return *f.Services
}

// presetRules returns the rules of a preset, as they would be written.
func presetRules(name string) []RuleSpec {
	switch name {
	case PresetInternet:
		return []RuleSpec{
			{Action: "reject", Destination: Strings{vpcWord}, Description: "between addresses of the VPC"},
			{Description: "everything else"},
		}
	case PresetDNS:
		return []RuleSpec{
			{Protocol: "udp", DestinationPorts: "53", Description: "DNS over UDP"},
			{Protocol: "tcp", DestinationPorts: "53", Description: "DNS over TCP"},
		}
	case PresetNoBackup:
		four := Strings{"0.0.0.0/0"}
		return []RuleSpec{
			{Action: "reject", Protocol: "tcp", Source: four, Destination: four, DestinationPorts: "873", Description: "rsync"},
			{Action: "reject", Protocol: "tcp", Source: four, Destination: four, DestinationPorts: "2049", Description: "NFS"},
			{Action: "reject", Protocol: "tcp", Source: four, Destination: four, DestinationPorts: "3260", Description: "iSCSI"},
			{Description: "everything else"},
		}
	case PresetAll:
		return []RuleSpec{{Description: "everything"}}
	}
	return nil
}

// preset returns the preset of f with its default.
func (f *FilterSpec) preset() string {
	if f.Preset == "" && len(f.Rules) == 0 {
		return PresetAll
	}
	return f.Preset
}

// CompileFilter makes the filter rules of f: one for each direction, family and pair of
// CIDRs, numbered. vpcs are the CIDRs that "vpc" stands for. The rules are ordered by
// direction and number. A *LimitError tells that they are more than a filter takes.
func CompileFilter(f *FilterSpec, vpcs []netip.Prefix) ([]mirror.FilterRule, error) {
	specs := append(slices.Clone(f.Rules), presetRules(f.preset())...)
	vpcs = aggregate(vpcs)
	var out []mirror.FilterRule
	last := map[mirror.Direction]int{}
	used := map[mirror.Direction]map[int]bool{mirror.Ingress: {}, mirror.Egress: {}}
	for i, r := range specs {
		for _, dir := range r.directions() {
			rules, err := r.expand(dir, f.ipv6(), vpcs)
			if err != nil {
				return nil, fmt.Errorf("rule %d of the filter: %w", i+1, err)
			}
			for j, x := range rules {
				x.Number = r.Number + j
				if r.Number == 0 {
					x.Number = (last[dir]/10 + 1) * 10
				}
				if x.Number > maxRuleNumber {
					return nil, fmt.Errorf("rule %d of the filter: number %d is above %d", i+1, x.Number, maxRuleNumber)
				}
				if used[dir][x.Number] {
					return nil, fmt.Errorf("rule %d of the filter: number %d is taken in direction %s (a rule takes one number for each pair of CIDRs)", i+1, x.Number, dir)
				}
				used[dir][x.Number] = true
				last[dir] = max(last[dir], x.Number)
				out = append(out, x)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b mirror.FilterRule) int {
		return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Number, b.Number))
	})
	if len(out) > mirror.DefaultRulesPerFilter {
		return nil, &LimitError{What: "rules of a filter (both directions and address families together)", Need: len(out), Have: mirror.DefaultRulesPerFilter, Hint: ruleAdvice(f, vpcs)}
	}
	return out, nil
}

// ruleAdvice tells how to need fewer rules.
func ruleAdvice(f *FilterSpec, vpcs []netip.Prefix) string {
	if f.ipv6() {
		g := *f
		no := false
		g.IPv6 = &no
		if r, err := CompileFilter(&g, vpcs); err == nil {
			return fmt.Sprintf("with filter.ipv6: false it is %d, but then nothing of IPv6 is mirrored", len(r))
		}
	}
	return "name fewer CIDRs or wider ones, one direction only, or a preset"
}

func (r *RuleSpec) directions() []mirror.Direction {
	switch r.Direction {
	case "ingress":
		return []mirror.Direction{mirror.Ingress}
	case "egress":
		return []mirror.Direction{mirror.Egress}
	}
	return []mirror.Direction{mirror.Ingress, mirror.Egress}
}

// expand makes the rules of r in one direction. What is written for both directions is
// written as for egress: the answers, which come in, have it the other way round.
func (r *RuleSpec) expand(dir mirror.Direction, six bool, vpcs []netip.Prefix) ([]mirror.FilterRule, error) {
	proto, err := ParseProtocol(r.Protocol)
	if err != nil {
		return nil, err
	}
	sp, err := parsePorts(r.SourcePorts)
	if err != nil {
		return nil, err
	}
	dp, err := parsePorts(r.DestinationPorts)
	if err != nil {
		return nil, err
	}
	src, dst := r.Source, r.Destination
	if dir == mirror.Ingress && len(r.directions()) == 2 {
		sp, dp, src, dst = dp, sp, dst, src
	}
	var out []mirror.FilterRule
	for _, v6 := range []bool{false, true} {
		if v6 && !six && anyOnly(src) && anyOnly(dst) {
			continue
		}
		for _, a := range prefixes(src, v6, six, vpcs) {
			for _, b := range prefixes(dst, v6, six, vpcs) {
				out = append(out, mirror.FilterRule{
					Direction: dir, Action: mirror.Action(or(r.Action, "accept")), Protocol: protoOf(proto, v6),
					SourceCIDR: a, DestinationCIDR: b, SourcePorts: sp, DestinationPorts: dp, Description: r.Description,
				})
			}
		}
	}
	return out, nil
}

// protoOf gives the IPv6 twin of a rule for ICMP the protocol of ICMPv6.
func protoOf(proto int, v6 bool) int {
	if v6 && proto == 1 {
		return 58
	}
	return proto
}

// anyOnly tells that a list names no address family.
func anyOnly(list Strings) bool {
	for _, c := range list {
		if c != anyWord && c != vpcWord {
			return false
		}
	}
	return true
}

// prefixes returns the CIDRs of one family that list means.
func prefixes(list Strings, v6, six bool, vpcs []netip.Prefix) []netip.Prefix {
	if len(list) == 0 {
		list = Strings{anyWord}
	}
	var out []netip.Prefix
	for _, c := range list {
		switch c {
		case anyWord:
			if v6 {
				out = append(out, netip.PrefixFrom(netip.IPv6Unspecified(), 0))
			} else {
				out = append(out, netip.PrefixFrom(netip.IPv4Unspecified(), 0))
			}
		case vpcWord:
			for _, n := range vpcs {
				if n.Addr().Is6() == v6 && (!v6 || six) {
					out = append(out, n)
				}
			}
		default:
			if n, err := netip.ParsePrefix(c); err == nil && n.Addr().Is6() == v6 {
				out = append(out, n)
			}
		}
	}
	return aggregate(out)
}

// aggregate joins prefixes: those inside others go, and two halves become one.
func aggregate(list []netip.Prefix) []netip.Prefix {
	list = slices.Clone(list)
	for {
		slices.SortFunc(list, func(a, b netip.Prefix) int {
			return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
		})
		out := list[:0]
		joined := false
		for _, n := range list {
			if k := len(out); k > 0 {
				o := out[k-1]
				if o.Bits() <= n.Bits() && o.Contains(n.Addr()) {
					continue
				}
				if o.Bits() == n.Bits() && n.Bits() > 0 {
					if w, err := o.Addr().Prefix(o.Bits() - 1); err == nil && w.Contains(n.Addr()) {
						out[k-1], joined = w, true
						continue
					}
				}
			}
			out = append(out, n)
		}
		list = out
		if !joined {
			return list
		}
	}
}

// RuleText writes a rule as plan shows it.
func RuleText(r *mirror.FilterRule) string {
	ports := func(p *mirror.PortRange) string {
		switch {
		case p == nil:
			return ""
		case p.From == p.To:
			return ":" + itoa(p.From)
		}
		return fmt.Sprintf(":%d-%d", p.From, p.To)
	}
	return fmt.Sprintf("%s %d %s %s %s%s -> %s%s", r.Direction, r.Number, r.Action, protocolName(r.Protocol),
		r.SourceCIDR, ports(r.SourcePorts), r.DestinationCIDR, ports(r.DestinationPorts))
}

// Shadowed returns the rules that never match because an earlier rule of the direction takes
// all that they would, each with that rule.
func Shadowed(rules []mirror.FilterRule) [][2]mirror.FilterRule {
	var out [][2]mirror.FilterRule
	for i := range rules {
		for j := range rules {
			a, b := &rules[j], &rules[i]
			if a.Direction == b.Direction && a.Number < b.Number && covers(a, b) {
				out = append(out, [2]mirror.FilterRule{*b, *a})
				break
			}
		}
	}
	return out
}

func covers(a, b *mirror.FilterRule) bool {
	ports := func(x, y *mirror.PortRange) bool {
		return x == nil || y != nil && x.From <= y.From && y.To <= x.To
	}
	in := func(x, y netip.Prefix) bool { return x.Bits() <= y.Bits() && x.Contains(y.Addr()) }
	return (a.Protocol == mirror.AnyProtocol || a.Protocol == b.Protocol) && in(a.SourceCIDR, b.SourceCIDR) &&
		in(a.DestinationCIDR, b.DestinationCIDR) && ports(a.SourcePorts, b.SourcePorts) && ports(a.DestinationPorts, b.DestinationPorts)
}
