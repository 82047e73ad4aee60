package detect

import (
	"cmp"
	"slices"

	"mirador/internal/rule"
)

// order sorts the rules as they are to be looked at: by action, then those that set
// flowbits before those that test them, the same for flowints, variables, hostbits and
// xbits, then by priority and sid. Suricata 8 rules/rules-internals.
func (c *compiler) order() {
	type key struct {
		s *sig
		k [9]int64
	}
	keys := make([]key, len(c.sigs))
	for i, s := range c.sigs {
		keys[i] = key{s, [9]int64{
			c.actionRank(s.action), s.rank(isFlowbit), s.rank(isFlowint), s.rank(isFlowvar), s.rank(isPktvar),
			s.rank(isHostbit), s.rank(isXbit), int64(s.rule.Severity), int64(s.rule.SID),
		}}
	}
	slices.SortStableFunc(keys, func(a, b key) int { return slices.CompareFunc(a.k[:], b.k[:], cmp.Compare[int64]) })
	for i := range keys {
		c.sigs[i] = keys[i].s
	}
}

// actionRank is the place of a in action-order: pass, drop, reject, alert.
func (c *compiler) actionRank(a rule.Action) int64 {
	if len(c.opt.ActionOrder) > 0 {
		if a == rule.ActionRejectSrc || a == rule.ActionRejectDst || a == rule.ActionRejectBoth {
			a = rule.ActionReject
		}
		if i := slices.Index(c.opt.ActionOrder, a); i >= 0 {
			return int64(i)
		}
		return int64(len(c.opt.ActionOrder))
	}
	switch a {
	case rule.ActionPass:
		return 0
	case rule.ActionDrop:
		return 1
	case rule.ActionReject, rule.ActionRejectSrc, rule.ActionRejectDst, rule.ActionRejectBoth:
		return 2
	case rule.ActionAlert:
		return 3
	}
	return 4
}

// rank puts setters first, then those that set and test, then testers, then the rest.
func (s *sig) rank(mine func(any) bool) int64 {
	set, test := false, false
	for _, a := range s.post {
		set = set || mine(a)
	}
	for _, k := range s.checks {
		test = test || mine(k)
	}
	if mine == nil {
		return 3
	}
	for _, ops := range s.chains() {
		for i := range ops {
			if x, ok := ops[i].ext.(*pcreOp); ok {
				set = set || mine(x)
			}
		}
	}
	switch {
	case set && !test:
		return 0
	case set:
		return 1
	case test:
		return 2
	}
	return 3
}

// chains returns all chains of s.
func (s *sig) chains() [][]op {
	out := [][]op{s.payload}
	for i := range s.pktBufs {
		out = append(out, s.pktBufs[i].ops)
	}
	for i := range s.frames {
		out = append(out, s.frames[i].ops)
	}
	for d := range s.tx {
		for i := range s.tx[d] {
			out = append(out, s.tx[d][i].ops)
		}
	}
	return out
}

func isFlowbit(x any) bool {
	switch x.(type) {
	case *flowbitAction, *flowbitCheck:
		return true
	}
	return false
}

func isFlowint(x any) bool {
	_, ok := x.(*flowintOp)
	return ok
}

func isFlowvar(x any) bool {
	switch x := x.(type) {
	case *varCheck:
		return !x.pkt
	case *pcreOp:
		return slices.ContainsFunc(x.caps, func(c capture) bool { return c.scope == capFlow })
	}
	return false
}

func isPktvar(x any) bool {
	switch x := x.(type) {
	case *varCheck:
		return x.pkt
	case *pcreOp:
		return slices.ContainsFunc(x.caps, func(c capture) bool { return c.scope == capPkt })
	}
	return false
}

func isHostbit(x any) bool {
	b, ok := x.(*xbit)
	return ok && b.host
}

func isXbit(x any) bool {
	b, ok := x.(*xbit)
	return ok && !b.host
}
