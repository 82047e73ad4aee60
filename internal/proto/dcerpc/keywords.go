package dcerpc

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// Iface is the argument of keyword dcerpc.iface:
// UUID[,[<|>|=|!...]version][,any_frag].
type Iface struct {
	UUID    UUID
	AnyFrag bool
	version func(uint64) bool // nil: any
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
		var ok bool
		if f.version, ok = proto.ParseNumber(rest[0], 16); !ok {
			return f, fmt.Errorf("%q is not a version", rest[0])
		}
		return f, nil
	}
	return f, fmt.Errorf("too many parts in %q", arg)
}

// Is tells whether c is the interface that f means.
func (f *Iface) Is(c *Context) bool {
	return c.UUID == f.UUID && (f.version == nil || f.version(uint64(c.Major)))
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
