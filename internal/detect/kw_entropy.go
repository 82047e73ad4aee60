package detect

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/rule"
)

// entropy. Suricata 8 rules/payload-keywords.
func entropyKeywords() []keyword {
	return []keyword{
		{name: "entropy", arg: argNeed, setup: setEntropy, doc: "Shannon entropy of the buffer"},
	}
}

// entropyOp compares the entropy of a part of the buffer.
type entropyOp struct {
	buffer string
	from   int
	count  int // 0: to the end
	op     rule.UintOp
	a, b   float64
}

func (o *entropyOp) test(w *Worker, b *window) verdict {
	d := b.data
	if o.from > len(d) || o.count > len(d)-o.from {
		return chainNo
	}
	d = d[o.from:]
	if o.count > 0 {
		d = d[:o.count]
	}
	if len(d) == 0 {
		return chainNo // nothing to measure; what was measured before stays
	}
	v := entropyOf(d)
	if w.p.Flow != nil {
		w.p.Flow.setEntropy(o.buffer, v, &w.Counters)
	}
	if o.holds(v) {
		return chainYes
	}
	return chainNo
}

func (o *entropyOp) holds(v float64) bool {
	const eps = 1e-9
	switch o.op {
	case rule.UintEq:
		return math.Abs(v-o.a) < eps
	case rule.UintNe:
		return math.Abs(v-o.a) >= eps
	case rule.UintLt:
		return v < o.a
	case rule.UintLe:
		return v <= o.a
	case rule.UintGt:
		return v > o.a
	case rule.UintGe:
		return v >= o.a
	case rule.UintRange:
		return v > o.a && v < o.b
	}
	return v <= o.a || v >= o.b
}

// entropyOf is Shannon's entropy of d in bits per byte.
func entropyOf(d []byte) float64 {
	if len(d) == 0 {
		return 0
	}
	var count [256]int
	for _, c := range d {
		count[c]++
	}
	n := float64(len(d))
	v := 0.0
	for _, c := range count {
		if c > 0 {
			p := float64(c) / n
			v -= p * math.Log2(p)
		}
	}
	return v
}

func setEntropy(b *builder, o *rule.Option) error {
	x := &entropyOp{}
	var seen []string
	for _, it := range rule.SplitList(o.Value) {
		word, arg := words(it.Text)
		if slices.Contains(seen, word) {
			return refuse(it.Off, "", "%s is given twice", word)
		}
		seen = append(seen, word)
		switch word {
		case "bytes", "offset":
			n, err := strconv.ParseUint(arg, 10, 31)
			if err != nil {
				return refuse(it.Off, "", "%s is not a number", quote(arg))
			}
			if word == "bytes" {
				x.count = int(n)
			} else {
				x.from = int(n)
			}
		case "value":
			if err := x.value(arg); err != nil {
				return err
			}
		default:
			return refuse(it.Off, "write bytes N, offset N, value >= X", "unknown part %s", quote(it.Text))
		}
	}
	if !slices.Contains(seen, "value") {
		return refuse(0, "", "value is missing")
	}
	i := b.list()
	x.buffer = strings.ReplaceAll(b.lists[i].def.name, ".", "_")
	if b.lists[i].def.kind == bufPayload {
		x.buffer = "content"
	}
	b.lists[i].ops = append(b.lists[i].ops, op{kind: opCustom, ext: x})
	return nil
}

// value reads "> 4", "4.2-5", "!4-5".
func (x *entropyOp) value(s string) error {
	s = strings.TrimSpace(s)
	for _, c := range [...]struct {
		text string
		op   rule.UintOp
	}{{"<=", rule.UintLe}, {">=", rule.UintGe}, {"!=", rule.UintNe}, {"<", rule.UintLt}, {">", rule.UintGt}, {"=", rule.UintEq}} {
		if rest, ok := strings.CutPrefix(s, c.text); ok {
			x.op = c.op
			var err error
			x.a, err = entropyNumber(rest)
			return err
		}
	}
	rest, not := strings.CutPrefix(s, "!")
	from, to, span := strings.Cut(rest, "-")
	var err error
	if x.a, err = entropyNumber(from); err != nil {
		return err
	}
	x.op = rule.UintEq
	if not {
		x.op = rule.UintNe
	}
	if !span {
		return nil
	}
	if x.b, err = entropyNumber(to); err != nil {
		return err
	}
	if x.b <= x.a {
		return refuse(0, "", "range %s is empty", quote(s))
	}
	x.op = rule.UintRange
	if not {
		x.op = rule.UintNotRange
	}
	return nil
}

func entropyNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(v >= 0 && v <= 8) {
		return 0, refuse(0, "", "%s is not a number from 0 to 8", quote(s))
	}
	return v, nil
}
