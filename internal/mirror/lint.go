package mirror

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Severity is how bad a Finding is.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // AWS refuses it, or nothing is mirrored
	SeverityWarning Severity = "warning" // it does not do what it seems to
	SeverityAdvice  Severity = "advice"  // it could be better
)

// Finding is something to know about a filter or session. Codes are only ever added.
type Finding struct {
	Code     string       `json:"code"`
	Severity Severity     `json:"severity"`
	Filter   string       `json:"filter,omitempty"`
	Source   string       `json:"source,omitempty"`
	Rule     string       `json:"rule,omitempty"` // "egress 200"
	Session  int          `json:"session,omitempty"`
	What     string       `json:"what"`
	Fix      string       `json:"fix,omitempty"`
	Proposal []FilterRule `json:"proposal,omitempty"` // all rules of the filter as they could be
}

// LintFilter looks for rules that never decide, for what AWS refuses, and for what is
// forgotten most. name stands for the filter in findings.
func LintFilter(f *Filter, name string) []Finding {
	l := linter{f: *copyFilter(f), name: name}
	sortRules(l.f.Rules)
	if len(l.f.Rules) == 0 {
		l.empty()
		return l.out
	}
	for _, d := range []Direction{Ingress, Egress} {
		l.direction(d)
	}
	if !slices.Contains(l.f.NetworkServices, AmazonDNS) {
		l.add(Finding{Code: "no-amazon-dns", Severity: SeverityWarning,
			What: "DNS with the Amazon resolver is not mirrored, whatever the rules say",
			Fix:  "add the network service amazon-dns"})
	}
	l.budget()
	return l.out
}

type linter struct {
	f    Filter
	name string
	out  []Finding
}

func (l *linter) add(f Finding) {
	f.Filter = l.name
	l.out = append(l.out, f)
}

func (l *linter) empty() {
	if slices.Contains(l.f.NetworkServices, AmazonDNS) {
		l.add(Finding{Code: "no-rules", Severity: SeverityAdvice, What: "the filter has no rules and mirrors DNS with the Amazon resolver only"})
		return
	}
	l.add(Finding{Code: "no-rules", Severity: SeverityError, What: "the filter has no rules and no network services, and mirrors nothing",
		Fix: "add rules for both directions, and the network service amazon-dns"})
}

// rulesOf returns the rules of one direction, which are a part of rules.
func rulesOf(rules []FilterRule, d Direction) []FilterRule {
	i := slices.IndexFunc(rules, func(r FilterRule) bool { return r.Direction == d })
	if i < 0 {
		return nil
	}
	n := i
	for n < len(rules) && rules[n].Direction == d {
		n++
	}
	return rules[i:n:n]
}

func (l *linter) direction(d Direction) {
	rules := rulesOf(l.f.Rules, d)
	verb := map[Direction]string{Ingress: "received", Egress: "sent"}[d]
	if !slices.ContainsFunc(rules, func(r FilterRule) bool { return r.Action == Accept }) {
		what := fmt.Sprintf("there are no %v rules: nothing that sources have %s is mirrored", d, verb)
		if len(rules) > 0 {
			what = fmt.Sprintf("no %v rule accepts: nothing that sources have %s is mirrored", d, verb)
		}
		l.add(Finding{Code: "one-way", Severity: SeverityWarning, Rule: d.String(), What: what, Fix: fmt.Sprintf("add %v rules that accept", d)})
		return
	}
	if len(rules) <= maxJudged {
		idle := make([]bool, len(rules)) // never decides
		for i := range rules {
			var before []box
			for n := range rules[:i] {
				before = append(before, boxOf(&rules[n]))
			}
			idle[i] = regionOf(boxOf(&rules[i])).minusAll(before).empty()
		}
		for i := range rules {
			l.rule(rules, idle, i)
		}
	}
	l.twin(d, rules)
}

// rule looks at one rule among those of its direction, of which some are idle.
func (l *linter) rule(rules []FilterRule, idle []bool, i int) {
	r := &rules[i]
	name := RuleName(r)
	b := boxOf(r)
	if regionOf(b).minusAll(neverBoxes()).empty() {
		l.add(Finding{Code: "never-mirrored", Severity: SeverityWarning, Rule: name, Fix: "remove it",
			What: "it matches only traffic that is never mirrored (DHCP, instance metadata, Amazon Time Sync), for which rules are not asked"})
		return
	}
	if idle[i] {
		l.unreached(rules, i)
		return
	}
	reach := regionOf(b)
	for n := range rules[:i] {
		reach = reach.minus(boxOf(&rules[n]))
	}
	// What the rule decides, later rules or the default would decide alike. Idle ones that
	// do the same do not count: they are told to go themselves.
	for n := i + 1; n < len(rules); n++ {
		if idle[n] && rules[n].Action == r.Action {
			continue
		}
		c := boxOf(&rules[n])
		if part := reach.and(c); len(part.boxes) > 0 && rules[n].Action != r.Action {
			return
		}
		if reach = reach.minus(c); !reach.known {
			return
		}
	}
	if reach.known && (reach.empty() || r.Action == Reject) {
		what := "later rules decide the same for all it matches"
		if !reach.empty() {
			what = "it rejects what no later rule would accept"
		}
		l.add(Finding{Code: "redundant-rule", Severity: SeverityAdvice, Rule: name, What: what, Fix: "remove it; what is mirrored stays the same"})
	}
}

// Shadowed returns the rules that never decide because one earlier rule of their direction takes
// all that they match, each with that rule.
func Shadowed(rules []FilterRule) [][2]FilterRule {
	var out [][2]FilterRule
	for i := range rules {
		b := boxOf(&rules[i])
		for j := range rules {
			c := boxOf(&rules[j])
			if rules[j].Direction == rules[i].Direction && rules[j].Number < rules[i].Number && regionOf(b).minusAll([]box{c}).empty() {
				out = append(out, [2]FilterRule{rules[i], rules[j]})
				break
			}
		}
	}
	return out
}

// unreached tells of a rule that earlier ones leave nothing for.
func (l *linter) unreached(rules []FilterRule, i int) {
	r := &rules[i]
	var by []string
	opposite := false
	b := boxOf(r)
	for n := range rules[:i] {
		if c := boxOf(&rules[n]); b.meets(&c) {
			by = append(by, fmt.Sprint(rules[n].Number))
			opposite = opposite || rules[n].Action != r.Action
		}
	}
	f := Finding{Code: "shadowed-rule", Severity: SeverityAdvice, Rule: RuleName(r), Fix: "remove it",
		What: fmt.Sprintf("it never decides: all it matches is decided by %v %s", r.Direction, strings.Join(by, ", "))}
	if opposite {
		f.Severity = SeverityWarning
		f.Fix = "give it a lower number, or remove it"
	}
	l.add(f)
}

// twin looks for rules for any IPv4 address that have no like for IPv6.
func (l *linter) twin(d Direction, rules []FilterRule) {
	if slices.ContainsFunc(rules, func(r FilterRule) bool { return !r.SourceCIDR.Addr().Is4() && r.Action == Accept }) {
		return
	}
	for i := range rules {
		r := &rules[i]
		if r.Action == Accept && (r.SourceCIDR.Bits() == 0 || r.DestinationCIDR.Bits() == 0) {
			l.add(Finding{Code: "no-ipv6", Severity: SeverityWarning, Rule: RuleName(r),
				What: "it matches IPv4 only, and no rule accepts IPv6", Fix: "add a rule like it with ::/0"})
			return
		}
	}
}

// neverBoxes are the packets that rules are never asked for.
func neverBoxes() []box {
	any4, any6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	var out []box
	add := func(r FilterRule) { out = append(out, boxOf(&r)) }
	for _, s := range []string{"169.254.169.254/32", "169.254.169.123/32", "fd00:ec2::254/128", "fd00:ec2::123/128"} {
		p := netip.MustParsePrefix(s)
		all := any4
		if !p.Addr().Is4() {
			all = any6
		}
		add(FilterRule{Protocol: AnyProtocol, SourceCIDR: p, DestinationCIDR: all})
		add(FilterRule{Protocol: AnyProtocol, SourceCIDR: all, DestinationCIDR: p})
	}
	for _, x := range []struct {
		all   netip.Prefix
		ports PortRange
	}{{any4, PortRange{portDHCPServer, portDHCPClient}}, {any6, PortRange{portDHCP6C, portDHCP6S}}} {
		add(FilterRule{Protocol: 17, SourceCIDR: x.all, DestinationCIDR: x.all, SourcePorts: &x.ports})
		add(FilterRule{Protocol: 17, SourceCIDR: x.all, DestinationCIDR: x.all, DestinationPorts: &x.ports})
	}
	return out
}

// budget compares the number of rules with what AWS takes, and proposes less.
func (l *linter) budget() {
	n := len(l.f.Rules)
	less := Compact(l.f.Rules)
	f := Finding{Code: "rule-budget", Severity: SeverityAdvice}
	switch {
	case n > DefaultRulesPerFilter:
		f.Severity = SeverityError
		f.What = fmt.Sprintf("it has %d rules, and AWS takes %d of both directions together", n, DefaultRulesPerFilter)
	case n >= DefaultRulesPerFilter-1:
		f.What = fmt.Sprintf("it has %d of the %d rules that AWS takes", n, DefaultRulesPerFilter)
	}
	if len(less) < n {
		if f.What == "" {
			f.What = fmt.Sprintf("its %d rules can be %d", n, len(less))
		}
		f.Fix = fmt.Sprintf("these %d rules mirror the same", len(less))
		f.Proposal = less
	}
	if f.What != "" {
		l.add(f)
	}
}

// Compact returns rules of both directions, sorted, that accept the same packets as rules
// and are fewer where it finds a way: without those that never decide or change nothing,
// and with CIDRs joined where together they are one. Numbers, ids and descriptions are
// those of the first rule of each that was joined.
func Compact(rules []FilterRule) []FilterRule {
	all := make([]FilterRule, len(rules))
	for i := range rules {
		all[i] = copyRule(&rules[i])
	}
	sortRules(all)
	var out []FilterRule
	for _, d := range []Direction{Ingress, Egress} {
		out = append(out, compact(rulesOf(all, d))...)
	}
	return out
}

// maxJudged and maxCompact bound the rules of a direction whose regions are computed: of
// each rule, and for compact for each pair of rules. AWS takes 10 in both directions.
const (
	maxJudged  = 100
	maxCompact = 20
)

func compact(rules []FilterRule) []FilterRule {
	if len(rules) > maxCompact {
		return rules
	}
	for again := true; again; {
		again = false
		for i := len(rules) - 1; i >= 0; i-- { // the later of two that are alike goes
			if less := slices.Delete(slices.Clone(rules), i, i+1); sameAccepted(rules, less) {
				rules, again = less, true
			}
		}
		for i := range rules {
			for n := i + 1; n < len(rules); n++ {
				if less, ok := joinTwo(rules, i, n); ok {
					rules, again = less, true
					break
				}
			}
		}
	}
	return rules
}

// joinTwo returns rules with rules i and n, i < n, as one, when they differ only in a CIDR
// of one side that together are one, and the same is accepted then.
func joinTwo(rules []FilterRule, i, n int) ([]FilterRule, bool) {
	a, b := &rules[i], &rules[n]
	if a.Action != b.Action || a.Protocol != b.Protocol || !samePorts(a.SourcePorts, b.SourcePorts) || !samePorts(a.DestinationPorts, b.DestinationPorts) {
		return nil, false
	}
	joined := copyRule(a)
	switch {
	case a.SourceCIDR == b.SourceCIDR:
		p, ok := joinCIDRs(a.DestinationCIDR, b.DestinationCIDR)
		if !ok {
			return nil, false
		}
		joined.DestinationCIDR = p
	case a.DestinationCIDR == b.DestinationCIDR:
		p, ok := joinCIDRs(a.SourceCIDR, b.SourceCIDR)
		if !ok {
			return nil, false
		}
		joined.SourceCIDR = p
	default:
		return nil, false
	}
	for _, at := range [...]int{i, n} {
		less := slices.Clone(rules)
		less[at] = joined
		less[at].Number = rules[at].Number
		less = slices.Delete(less, i+n-at, i+n-at+1)
		if sameAccepted(rules, less) {
			return less, true
		}
	}
	return nil, false
}

func samePorts(a, b *PortRange) bool { return a == b || a != nil && b != nil && *a == *b }

// joinCIDRs returns the CIDR that is exactly the two together.
func joinCIDRs(a, b netip.Prefix) (netip.Prefix, bool) {
	switch {
	case a.Addr().Is4() != b.Addr().Is4():
		return a, false
	case a.Overlaps(b):
		if a.Bits() <= b.Bits() {
			return a, true
		}
		return b, true
	case a.Bits() != b.Bits() || a.Bits() == 0:
		return a, false
	}
	p := netip.PrefixFrom(a.Addr(), a.Bits()-1).Masked()
	return p, p.Contains(b.Addr())
}
