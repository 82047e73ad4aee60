package dcerpc

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Iface is the argument of keyword dcerpc.iface:
// UUID[,[<|>|=|!...]version][,any_frag].
type Iface struct {
	UUID    UUID
	AnyFrag bool
	version uintTest
}

// ParseIface reads the argument of dcerpc.iface.
func ParseIface(arg string) (f Iface, err error) {
	parts := strings.Split(arg, ",")
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(parts[0]), "-", ""))
	if err != nil || len(raw) != 16 {
		return f, fmt.Errorf("%q is not a UUID", parts[0])
	}
	copy(f.UUID[:], raw)
	rest := parts[1:]
	if n := len(rest); n > 0 && strings.TrimSpace(rest[n-1]) == "any_frag" {
		f.AnyFrag, rest = true, rest[:n-1]
	}
	switch len(rest) {
	case 0:
		return f, nil
	case 1:
		f.version, err = parseUint(strings.TrimSpace(rest[0]))
		return f, err
	}
	return f, fmt.Errorf("too many parts in %q", arg)
}

// Is tells whether c is the interface that f means.
func (f *Iface) Is(c *Context) bool { return c.UUID == f.UUID && f.version.match(uint64(c.Major)) }

// uintTest is a condition on a 16-bit number; the zero value holds for all.
type uintTest struct {
	op   byte // 0 none, '=', '!', '<', '>', 'l' (<=), 'g' (>=), '-' (between)
	a, b uint64
}

func (t uintTest) match(v uint64) bool {
	switch t.op {
	case '=':
		return v == t.a
	case '!':
		return v != t.a
	case '<':
		return v < t.a
	case '>':
		return v > t.a
	case 'l':
		return v <= t.a
	case 'g':
		return v >= t.a
	case '-':
		return v > t.a && v < t.b
	}
	return true
}

func parseUint(s string) (t uintTest, err error) {
	if from, to, ok := strings.Cut(s, "-"); ok {
		t.op = '-'
		if t.a, err = strconv.ParseUint(strings.TrimSpace(from), 0, 16); err == nil {
			t.b, err = strconv.ParseUint(strings.TrimSpace(to), 0, 16)
		}
		if err != nil || t.a >= t.b {
			return t, fmt.Errorf("%q is not a range of versions", s)
		}
		return t, nil
	}
	t.op = '='
	for _, p := range []struct {
		text string
		op   byte
	}{{"<=", 'l'}, {">=", 'g'}, {"!=", '!'}, {"<", '<'}, {">", '>'}, {"=", '='}, {"!", '!'}} {
		if rest, ok := strings.CutPrefix(s, p.text); ok {
			t.op, s = p.op, strings.TrimSpace(rest)
			break
		}
	}
	if t.a, err = strconv.ParseUint(s, 0, 16); err != nil {
		return t, fmt.Errorf("%q is not a version", s)
	}
	return t, nil
}

// Opnums is the argument of keyword dcerpc.opnum: numbers and ranges, such as
// "15-20,23". Bounds are part of a range.
type Opnums [][2]uint32

// maxOpnum is the largest number dcerpc.opnum takes (Suricata: 100000).
const maxOpnum = 99999

// ParseOpnums reads the argument of dcerpc.opnum.
func ParseOpnums(arg string) (Opnums, error) {
	var list Opnums
	for _, part := range strings.Split(strings.TrimSpace(arg), ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		a, err1 := strconv.ParseUint(from, 10, 32)
		b, err2 := strconv.ParseUint(to, 10, 32)
		if err1 != nil || err2 != nil || a > b || b > maxOpnum {
			return nil, fmt.Errorf("%q is neither a number nor a range", part)
		}
		list = append(list, [2]uint32{uint32(a), uint32(b)})
	}
	return list, nil
}

// Has tells whether n is in the list.
func (o Opnums) Has(n uint16) bool {
	for _, r := range o {
		if uint32(n) >= r[0] && uint32(n) <= r[1] {
			return true
		}
	}
	return false
}
