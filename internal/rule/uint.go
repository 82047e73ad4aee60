package rule

import (
	"fmt"
	"strings"
)

// UintOp is a comparison of an integer keyword.
type UintOp uint8

// The comparisons. Ranges are exclusive: 1-4 means 2 and 3.
const (
	UintEq UintOp = iota
	UintNe
	UintLt
	UintLe
	UintGt
	UintGe
	UintRange    // A < x < B
	UintNotRange // x <= A or x >= B
	UintMask     // x & A == B
	UintNotMask  // x & A != B
)

// Uint is the decoded value of an integer keyword such as bsize:>10.
type Uint struct {
	Op   UintOp
	A, B uint64
}

// Match tells whether x fulfils u.
func (u Uint) Match(x uint64) bool {
	switch u.Op {
	case UintEq:
		return x == u.A
	case UintNe:
		return x != u.A
	case UintLt:
		return x < u.A
	case UintLe:
		return x <= u.A
	case UintGt:
		return x > u.A
	case UintGe:
		return x >= u.A
	case UintRange:
		return x > u.A && x < u.B
	case UintNotRange:
		return x <= u.A || x >= u.B
	case UintMask:
		return x&u.A == u.B
	}
	return x&u.A != u.B
}

// String returns u in the form of the rule language.
func (u Uint) String() string {
	switch u.Op {
	case UintRange:
		return fmt.Sprintf("%d-%d", u.A, u.B)
	case UintNotRange:
		return fmt.Sprintf("!%d-%d", u.A, u.B)
	case UintMask:
		return fmt.Sprintf("&%#x=%#x", u.A, u.B)
	case UintNotMask:
		return fmt.Sprintf("&%#x!=%#x", u.A, u.B)
	}
	return [...]string{"", "!", "<", "<=", ">", ">="}[u.Op] + fmt.Sprint(u.A)
}

// Bounds returns the smallest and the largest value that can match. For negated
// forms and masks that is 0 and limit.
func (u Uint) Bounds(limit uint64) (lo, hi uint64) {
	lo, hi = 0, limit
	switch u.Op {
	case UintEq:
		lo, hi = u.A, u.A
	case UintLt:
		hi = u.A - 1 // ParseUint refuses <0
	case UintLe:
		hi = u.A
	case UintGt:
		lo = u.A + 1 // ParseUint refuses >limit
	case UintGe:
		lo = u.A
	case UintRange:
		lo, hi = u.A+1, u.B-1
	}
	return lo, min(hi, limit)
}

// ParseUint reads the value of an integer keyword of 8, 16, 32 or 64 bits: 19 =19 !20
// !=20 >21 >=21 <22 <=22 19-22 19<>22 !19-22 &0xc0=0x80 &0xc0!=0, decimal or 0x hex,
// with the units kb, mb, gb (kib, mib, gib; powers of 1024).
// names, which may be nil, are words taken as numbers. A comparison that can never
// or always be true is an error, as Suricata has it. Suricata 8 rules/integer-keywords.
func ParseUint(s string, width int, names func(string) (uint64, bool)) (Uint, error) {
	limit := ^uint64(0) >> (64 - width)
	s = trimSpace(s)
	if s == "" {
		return Uint{}, fmt.Errorf("value is missing")
	}
	if s[0] == '&' {
		return parseMask(s[1:], limit)
	}
	op, rest := cutUintOp(s)
	a, tail, err := parseNumber(rest, limit)
	if err != nil {
		if names != nil && (op == UintEq || op == UintNe) {
			if n, ok := names(rest); ok && n <= limit {
				return Uint{Op: op, A: n}, nil
			}
		}
		return Uint{}, err
	}
	if tail != "" {
		return parseSpan(s, op, a, tail, limit)
	}
	u := Uint{Op: op, A: a}
	switch {
	case op == UintLt && a == 0, op == UintGt && a == limit:
		return Uint{}, fmt.Errorf("%s can never match", s)
	case op == UintLe && a == limit, op == UintGe && a == 0:
		return Uint{}, fmt.Errorf("%s matches always", s)
	}
	return u, nil
}

func cutUintOp(s string) (UintOp, string) {
	for _, c := range [...]struct {
		text string
		op   UintOp
	}{{"<=", UintLe}, {">=", UintGe}, {"!=", UintNe}, {"<", UintLt}, {">", UintGt}, {"!", UintNe}, {"=", UintEq}} {
		if strings.HasPrefix(s, c.text) {
			return c.op, trimSpace(s[len(c.text):])
		}
	}
	return UintEq, s
}

// parseSpan reads the second half of a-b, a<>b and !a-b.
func parseSpan(s string, op UintOp, a uint64, tail string, limit uint64) (Uint, error) {
	rest, ok := strings.CutPrefix(tail, "<>")
	if !ok {
		rest, ok = strings.CutPrefix(tail, "-")
	}
	plain := op == UintEq && s[0] != '='
	negated := op == UintNe && !strings.HasPrefix(s, "!=")
	if !ok || !plain && !negated {
		return Uint{}, fmt.Errorf("%s after the number", quoteShort(tail))
	}
	b, tail, err := parseNumber(trimSpace(rest), limit)
	if err != nil {
		return Uint{}, err
	}
	if tail != "" {
		return Uint{}, fmt.Errorf("%s after the number", quoteShort(tail))
	}
	if b <= a || plain && b-a < 2 {
		return Uint{}, fmt.Errorf("range %d-%d is empty (ranges are exclusive)", a, b)
	}
	if plain {
		return Uint{UintRange, a, b}, nil
	}
	return Uint{UintNotRange, a, b}, nil
}

func parseMask(s string, limit uint64) (Uint, error) {
	mask, tail, err := parseNumber(trimSpace(s), limit)
	if err != nil {
		return Uint{}, err
	}
	u := Uint{Op: UintMask, A: mask}
	rest, ok := strings.CutPrefix(tail, "=")
	if !ok {
		if rest, ok = strings.CutPrefix(tail, "!="); !ok {
			return Uint{}, fmt.Errorf("mask needs =value or !=value")
		}
		u.Op = UintNotMask
	}
	if u.B, tail, err = parseNumber(trimSpace(rest), limit); err != nil {
		return Uint{}, err
	}
	if tail != "" {
		return Uint{}, fmt.Errorf("%s after the number", quoteShort(tail))
	}
	return u, nil
}

// parseNumber reads a number with an optional unit from the front of s and returns
// what is behind it and behind white space.
func parseNumber(s string, limit uint64) (n uint64, tail string, err error) {
	end := 0
	base := uint64(10)
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && hexDigit(s[2]) >= 0 {
		base, end = 16, 2
	}
	start := end
	for ; end < len(s); end++ {
		d := hexDigit(s[end])
		if d < 0 || uint64(d) >= base {
			break
		}
		if n > (^uint64(0)-uint64(d))/base {
			return 0, "", fmt.Errorf("number %s is too large", quoteShort(s))
		}
		n = n*base + uint64(d)
	}
	if end == start {
		return 0, "", fmt.Errorf("%s is not a number", quoteShort(s))
	}
	tail = s[end:]
	if len(tail) > 1 && tail[1]|0x20 == 'b' || len(tail) > 2 && tail[1]|0x20 == 'i' && tail[2]|0x20 == 'b' {
		shift := map[byte]uint{'k': 10, 'm': 20, 'g': 30}[tail[0]|0x20]
		if shift > 0 {
			if n > ^uint64(0)>>shift {
				return 0, "", fmt.Errorf("number %s is too large", quoteShort(s))
			}
			n <<= shift
			tail = tail[2:]
			if tail != "" && tail[0]|0x20 == 'b' {
				tail = tail[1:]
			}
		}
	}
	if n > limit {
		return 0, "", fmt.Errorf("number %d is larger than %d", n, limit)
	}
	return n, trimSpace(tail), nil
}
