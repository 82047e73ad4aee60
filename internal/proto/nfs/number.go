package nfs

import (
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// numbers is what the argument of nfs_procedure or nfs.version allows: low to high,
// with both ends, or all but those.
type numbers struct {
	low, high uint32
	not       bool
}

func (n numbers) has(v uint32) bool { return (v >= n.low && v <= n.high) != n.not }

// parseNumbers reads N, =N, !N, <N, <=N, >N, >=N, A-B, A<>B and !A-B. Ranges hold both
// their ends, unlike those of most keywords.
func parseNumbers(arg string) (n numbers, err error) {
	const most = 1<<32 - 1
	s := strings.TrimSpace(arg)
	bad := fmt.Errorf("%q is no number, comparison or range", arg)
	number := func(s string) uint32 {
		v, e := strconv.ParseUint(strings.TrimSpace(s), 0, 32)
		if e != nil {
			err = bad
		}
		return uint32(v)
	}
	op := func(prefix string) bool {
		rest, ok := strings.CutPrefix(s, prefix)
		if ok {
			s = rest
		}
		return ok
	}
	switch {
	case op("<="):
		n.high = number(s)
	case op("<"):
		if n.high = number(s); err == nil && n.high == 0 {
			return n, bad
		}
		n.high--
	case op(">="):
		n.low, n.high = number(s), most
	case op(">"):
		if n.low, n.high = number(s), most; err == nil && n.low == most {
			return n, bad
		}
		n.low++
	default:
		n.not = op("!")
		op("=")
		a, b, found := strings.Cut(s, "<>")
		if !found {
			a, b, found = strings.Cut(s, "-")
		}
		n.low = number(a)
		n.high = n.low
		if found {
			if n.high = number(b); err == nil && n.high <= n.low {
				return n, bad
			}
		}
	}
	return n, err
}

// compile makes a keyword of the number that get returns.
func compile(get func(*Tx) uint32) func(string) (proto.TxMatcher, error) {
	return func(arg string) (proto.TxMatcher, error) {
		n, err := parseNumbers(arg)
		if err != nil {
			return nil, err
		}
		return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) bool {
			t, ok := tx.(*Tx)
			return ok && n.has(get(t))
		}, nil
	}
}
