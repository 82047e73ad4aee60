package rule

import (
	"fmt"
	"slices"
)

// Set is a collection of rules from many files in which every gid:sid exists once.
// The zero value is an empty set. It is not safe for concurrent use.
type Set struct {
	rules    []*Rule
	index    map[uint64]int
	problems []Problem
}

// Add takes the result of Parse. Of two enabled rules with the same gid and sid the
// one with the higher rev stays; with the same rev the first one. The loser gives a
// Problem, with Warning when a newer revision took its place. A disabled rule gives
// way to an enabled one without a word.
func (s *Set) Add(rules []*Rule, problems []Problem) {
	s.problems = append(s.problems, problems...)
	if s.index == nil {
		s.index = make(map[uint64]int, len(rules))
	}
	s.rules = slices.Grow(s.rules, len(rules))
	for _, r := range rules {
		i, twice := s.index[r.ID()]
		if !twice {
			s.index[r.ID()] = len(s.rules)
			s.rules = append(s.rules, r)
			continue
		}
		old := s.rules[i]
		switch {
		case old.Disabled && (!r.Disabled || r.Rev > old.Rev):
			s.rules[i] = r
		case r.Disabled:
		case r.Rev > old.Rev:
			s.rules[i] = r
			p := old.Problem(0, KindDuplicate, fmt.Sprintf("rev %d is replaced by rev %d at %s:%d", old.Rev, r.Rev, r.File, r.Line), "")
			p.Warning = true
			s.problems = append(s.problems, p)
		default:
			s.problems = append(s.problems, r.Problem(0, KindDuplicate,
				fmt.Sprintf("gid %d sid %d is already at %s:%d with rev %d", r.GID, r.SID, old.File, old.Line, old.Rev), "give it another sid or a higher rev"))
		}
	}
}

// Rules returns all rules, the disabled ones too. The slice belongs to the set.
func (s *Set) Rules() []*Rule { return s.rules }

// Enabled returns the rules to load, in the order they were added.
func (s *Set) Enabled() []*Rule {
	out := make([]*Rule, 0, len(s.rules))
	for _, r := range s.rules {
		if !r.Disabled {
			out = append(out, r)
		}
	}
	return out
}

// Problems returns everything found so far. The slice belongs to the set.
func (s *Set) Problems() []Problem { return s.problems }

// Find returns the rule with this gid and sid, or nil.
func (s *Set) Find(gid, sid uint32) *Rule {
	i, ok := s.index[uint64(gid)<<32|uint64(sid)]
	if !ok {
		return nil
	}
	return s.rules[i]
}

// Filters are the lists of suricata-update, applied in this order: Disable, Enable,
// Modify, Drop.
type Filters struct {
	Disable, Enable []Matcher
	Modify          []Modifier
	Drop            []Matcher
}

// Applied counts the rules that filters changed.
type Applied struct {
	Disabled, Enabled, Modified, Dropped int
}

// Apply runs the filters over all rules. A rule that does not parse any more after
// a modification stays as it was and gives a Problem.
func (s *Set) Apply(f Filters) Applied {
	var n Applied
	for i := range s.rules {
		if r := s.rules[i]; !r.Disabled && matchAny(f.Disable, r) {
			s.replace(i, func(r *Rule) { r.Disabled = true })
			n.Disabled++
		}
		if r := s.rules[i]; r.Disabled && matchAny(f.Enable, r) {
			s.replace(i, func(r *Rule) { r.Disabled = false })
			n.Enabled++
		}
		changed := false
		for j := range f.Modify {
			if m := &f.Modify[j]; m.Match(s.rules[i]) && s.modify(i, m) {
				changed = true
			}
		}
		if changed {
			n.Modified++
		}
		if r := s.rules[i]; r.Action == ActionAlert && !r.NoAlert && matchAny(f.Drop, r) {
			s.replace(i, func(r *Rule) {
				r.Text = "drop" + r.Text[len("alert"):]
				r.shift(-1)
				r.Action = ActionDrop
			})
			n.Dropped++
		}
	}
	return n
}

// shift moves all places of a copied rule by d bytes, after its action was changed.
func (r *Rule) shift(d int32) {
	r.Src.Off += d
	r.SrcPort.Off += d
	r.Dst.Off += d
	r.DstPort.Off += d
	r.protoOff += d
	r.col -= d
	r.Options = slices.Clone(r.Options)
	for i := range r.Options {
		r.Options[i].Off += d
	}
	r.joints = slices.Clone(r.joints)
	for i := range r.joints {
		r.joints[i].off += d
	}
}

func matchAny(list []Matcher, r *Rule) bool {
	for i := range list {
		if list[i].Match(r) {
			return true
		}
	}
	return false
}

// replace puts a changed copy of rule i in its place: rules are shared, so that they
// are never changed themselves.
func (s *Set) replace(i int, change func(*Rule)) {
	r := *s.rules[i]
	change(&r)
	s.rules[i] = &r
}

func (s *Set) modify(i int, m *Modifier) bool {
	old := s.rules[i]
	text := m.apply(old)
	if text == old.Text {
		return false
	}
	p := newParser(old.File)
	r, f := p.rule(text, old.Line, int(old.col), nil, old.Disabled)
	if f == nil && r.ID() != old.ID() && s.Find(r.GID, r.SID) != nil {
		f = faultf(0, KindDuplicate, "gid %d sid %d exists already", r.GID, r.SID)
	}
	if f != nil {
		s.problems = append(s.problems, old.Problem(0, f.kind, "after the change by "+m.String()+": "+f.what, "the rule stays as it was"))
		return false
	}
	delete(s.index, old.ID())
	s.index[r.ID()] = i
	s.rules[i] = r
	return true
}

// EnableFlowbitSetters enables disabled rules that set a flowbit which an enabled
// rule asks for, and so on until nothing changes, as suricata-update does; without it
// such an enabled rule could never match. It returns how many were enabled. Rules for
// which keep returns true stay disabled; keep may be nil.
func (s *Set) EnableFlowbitSetters(keep func(*Rule) bool) int {
	asked := map[string]bool{}
	type setter struct {
		i    int
		bits []string
	}
	var setters []setter
	for i, r := range s.rules {
		sets, asks := flowbits(r)
		if !r.Disabled {
			for _, b := range asks {
				asked[b] = true
			}
		} else if len(sets) > 0 && (keep == nil || !keep(r)) {
			setters = append(setters, setter{i, sets})
		}
	}
	n := 0
	for again := true; again; {
		again = false
		rest := setters[:0]
		for _, st := range setters {
			if !slices.ContainsFunc(st.bits, func(b string) bool { return asked[b] }) {
				rest = append(rest, st)
				continue
			}
			s.replace(st.i, func(r *Rule) { r.Disabled = false })
			n++
			_, asks := flowbits(s.rules[st.i])
			for _, b := range asks {
				again = again || !asked[b]
				asked[b] = true
			}
		}
		setters = rest
	}
	return n
}

// flowbits returns the names r sets (set, toggle) and asks for (isset).
func flowbits(r *Rule) (sets, asks []string) {
	for i := range r.Options {
		o := &r.Options[i]
		if o.Name != "flowbits" {
			continue
		}
		items := SplitList(o.Value)
		if len(items) != 2 {
			continue
		}
		names := splitBar(items[1].Text)
		switch items[0].Text {
		case "set", "toggle":
			sets = append(sets, names...)
		case "isset":
			asks = append(asks, names...)
		}
	}
	return sets, asks
}

// splitBar splits "a|b" and trims the parts.
func splitBar(s string) []string {
	var out []string
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == '|' {
			out = append(out, trimSpace(s[start:i]))
			start = i + 1
		}
	}
	return out
}
