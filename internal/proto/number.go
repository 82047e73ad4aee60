package proto

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseNumber reads a rule's condition on a number of bits bits: N, =N, !N, !=N, <N,
// >N, <=N, >=N, A-B (between, without the ends), &MASK=N, &MASK!=N. ok is false when it
// is none.
func ParseNumber(arg string, bits int) (match func(v uint64) bool, ok bool) {
	s := strings.TrimSpace(arg)
	read := func(s string) (uint64, bool) {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 0, bits)
		return n, err == nil
	}
	if from, to, ok := strings.Cut(s, "-"); ok {
		a, ok1 := read(from)
		z, ok2 := read(to)
		return func(v uint64) bool { return v > a && v < z }, ok1 && ok2 && a < z
	}
	mask := ^uint64(0)
	if rest, masked := strings.CutPrefix(s, "&"); masked {
		i := strings.IndexAny(rest, "!=")
		if i < 0 {
			return nil, false
		}
		if mask, ok = read(rest[:i]); !ok {
			return nil, false
		}
		s = rest[i:]
	}
	op := "="
	for _, o := range [...]string{"<=", ">=", "!=", "<", ">", "=", "!"} {
		if rest, ok := strings.CutPrefix(s, o); ok {
			op, s = o, rest
			break
		}
	}
	n, ok := read(s)
	return func(v uint64) bool {
		v &= mask
		switch op {
		case "<=":
			return v <= n
		case ">=":
			return v >= n
		case "<":
			return v < n
		case ">":
			return v > n
		case "!=", "!":
			return v != n
		}
		return v == n
	}, ok
}

// ParseFlags reads a rule's condition on a byte of flags: names of bits, with commas
// or spaces between them, each of which may be negated ("dup,!retain"), or a condition
// on the number that they make up (ParseNumber).
func ParseFlags(arg string, names map[string]uint8) (match func(v uint8) bool, err error) {
	if number, ok := ParseNumber(arg, 8); ok {
		return func(v uint8) bool { return number(uint64(v)) }, nil
	}
	words := strings.FieldsFunc(arg, func(r rune) bool { return r == ',' || r == ' ' })
	if len(words) == 0 {
		return nil, fmt.Errorf("needs an argument")
	}
	var mask, want uint8
	for _, word := range words {
		name, not := strings.CutPrefix(word, "!")
		bit, ok := names[name]
		if !ok {
			return nil, fmt.Errorf("%q is not a flag", word)
		}
		if mask&bit != 0 {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		mask |= bit
		if !not {
			want |= bit
		}
	}
	return func(v uint8) bool { return v&mask == want }, nil
}
