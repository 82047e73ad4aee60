package setup

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"mirador/internal/mirror"
)

// protocol returns the number of the protocol; none is all.
func (r *RuleSpec) protocol() (int, error) { return mirror.ParseProtocol(or(r.Protocol, "all")) }

const (
	anyWord = "any"
	vpcWord = "vpc"
)

// check notes what is wrong with r.
func (r *RuleSpec) check(p *problems, at string) {
	p.oneOf(at+".direction", r.Direction, "ingress", "egress", "both")
	p.oneOf(at+".action", r.Action, "accept", "reject")
	proto, err := r.protocol()
	if err != nil {
		p.add(at+".protocol", "%v", err)
	}
	for _, x := range []struct{ key, text string }{{"source_ports", r.SourcePorts}, {"destination_ports", r.DestinationPorts}} {
		if _, perr := mirror.ParsePortRange(x.text); perr != nil {
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
	proto, err := r.protocol()
	if err != nil {
		return nil, err
	}
	sp, err := mirror.ParsePortRange(r.SourcePorts)
	if err != nil {
		return nil, err
	}
	dp, err := mirror.ParsePortRange(r.DestinationPorts)
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
