package detect

import (
	"strconv"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// iprep. Suricata 8 rules/ip-reputation-rules.
func reputationKeywords() []keyword {
	return []keyword{
		{name: "iprep", arg: argNeed, setup: setIPRep, doc: "reputation of an address"},
	}
}

type repSide uint8

const (
	repAny repSide = iota
	repSrc
	repDst
	repBoth
)

type iprepCheck struct {
	side  repSide
	cat   uint8
	isSet bool // any value counts
	not   bool // isnotset
	u     rule.Uint
	rep   *Reputation
}

func (k *iprepCheck) one(a *packet.Addr, version uint8) bool {
	v, ok := k.rep.lookup(a, version, k.cat)
	switch {
	case k.not:
		return !ok
	case k.isSet:
		return ok
	}
	return ok && k.u.Match(uint64(v))
}

func (k *iprepCheck) match(w *Worker) bool {
	p := w.p.P
	if !hasIP(p) {
		return false
	}
	switch k.side {
	case repSrc:
		return k.one(&p.Src, p.IPVersion)
	case repDst:
		return k.one(&p.Dst, p.IPVersion)
	case repBoth:
		return k.one(&p.Src, p.IPVersion) && k.one(&p.Dst, p.IPVersion)
	}
	return k.one(&p.Src, p.IPVersion) || k.one(&p.Dst, p.IPVersion)
}

func setIPRep(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 3 {
		return refuse(0, "", "needs a side, a category and an operator")
	}
	k := &iprepCheck{rep: b.c.opt.Reputation}
	switch items[0].Text {
	case "any":
		k.side = repAny
	case "src":
		k.side = repSrc
	case "dst":
		k.side = repDst
	case "both":
		k.side = repBoth
	default:
		return refuse(items[0].Off, "use any, src, dst or both", "unknown side %s", quote(items[0].Text))
	}
	cat, ok := k.rep.category(items[1].Text)
	if !ok {
		return refuse(items[1].Off, "see reputation-categories-file", "unknown category %s", quote(items[1].Text))
	}
	k.cat = cat
	switch items[2].Text {
	case "isset":
		k.isSet = true
	case "isnotset":
		k.not = true
	case "<":
		k.u.Op = rule.UintLt
	case ">":
		k.u.Op = rule.UintGt
	case "=":
		k.u.Op = rule.UintEq
	case "<=":
		k.u.Op = rule.UintLe
	case ">=":
		k.u.Op = rule.UintGe
	default:
		return refuse(items[2].Off, "", "unknown operator %s", quote(items[2].Text))
	}
	if !k.isSet && !k.not {
		if len(items) != 4 {
			return refuse(0, "", "value is missing")
		}
		n, err := strconv.ParseUint(items[3].Text, 10, 8)
		if err != nil || n > 127 {
			return refuse(items[3].Off, "", "%s is not a number from 0 to 127", quote(items[3].Text))
		}
		k.u.A = n
	}
	b.check(k, true)
	return nil
}
