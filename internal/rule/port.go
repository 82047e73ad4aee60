package rule

import (
	"fmt"
	"slices"
	"strings"
)

// PortSet is an immutable set of ports as sorted ranges that do not touch each
// other. The zero value is empty.
type PortSet struct {
	ranges []PortRange
	all    bool
}

// PortRange is a range of ports, both ends included.
type PortRange struct{ Lo, Hi uint16 }

// Contains tells whether the set has port. Cost: O(log ranges), no allocation.
func (s *PortSet) Contains(port uint16) bool {
	if s.all {
		return true
	}
	lo, hi := 0, len(s.ranges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.ranges[mid].Hi < port {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s.ranges) && s.ranges[lo].Lo <= port
}

// All tells whether the set has every port.
func (s *PortSet) All() bool { return s.all }

// Len returns the number of ports in the set.
func (s *PortSet) Len() int {
	n := 0
	for _, r := range s.ranges {
		n += int(r.Hi) - int(r.Lo) + 1
	}
	return n
}

// AppendRanges appends the ranges of the set in order.
func (s *PortSet) AppendRanges(dst []PortRange) []PortRange { return append(dst, s.ranges...) }

// Overlaps tells whether s and t have a port in common.
func (s *PortSet) Overlaps(t *PortSet) bool {
	for i, j := 0, 0; i < len(s.ranges) && j < len(t.ranges); {
		a, b := s.ranges[i], t.ranges[j]
		if a.Lo <= b.Hi && b.Lo <= a.Hi {
			return true
		}
		if a.Hi < b.Hi {
			i++
		} else {
			j++
		}
	}
	return false
}

// String returns the set as an expression of the rule language.
func (s *PortSet) String() string {
	if s.all {
		return "any"
	}
	var b strings.Builder
	for i, r := range s.ranges {
		if i > 0 {
			b.WriteByte(',')
		}
		if r.Lo == r.Hi {
			fmt.Fprint(&b, r.Lo)
		} else {
			fmt.Fprintf(&b, "%d:%d", r.Lo, r.Hi)
		}
	}
	if len(s.ranges) == 1 {
		return b.String()
	}
	return "[" + b.String() + "]"
}

func (s *PortSet) key() string {
	b := make([]byte, 0, 4*len(s.ranges))
	for _, r := range s.ranges {
		b = append(b, byte(r.Lo>>8), byte(r.Lo), byte(r.Hi>>8), byte(r.Hi))
	}
	return string(b)
}

// buildPortSet returns pos without neg. With only negated members pos is everything.
func buildPortSet(pos, neg []leaf) (*PortSet, *fault) {
	p, f := portRanges(pos)
	if f != nil {
		return nil, f
	}
	n, f := portRanges(neg)
	if f != nil {
		return nil, f
	}
	if len(pos) == 0 {
		p = []PortRange{{0, 65535}}
	}
	s := &PortSet{ranges: subtractPorts(p, n)}
	if len(s.ranges) == 0 {
		return nil, &fault{0, KindPort, "no port is left after taking away the negated ones", ""}
	}
	s.all = s.ranges[0] == PortRange{0, 65535}
	return s, nil
}

func portRanges(leaves []leaf) ([]PortRange, *fault) {
	var in []PortRange
	for _, l := range leaves {
		r, what := parsePortItem(l.text)
		if what != "" {
			return nil, faultf(l.off, KindPort, "%s: %s", quoteShort(l.text), what)
		}
		in = append(in, r)
	}
	slices.SortFunc(in, func(a, b PortRange) int { return int(a.Lo) - int(b.Lo) })
	var out []PortRange
	for _, r := range in {
		if n := len(out); n > 0 && int(r.Lo) <= int(out[n-1].Hi)+1 {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out, nil
}

// parsePortItem reads a port, lo:hi, lo: or :hi; "" is any.
func parsePortItem(s string) (PortRange, string) {
	if s == "" {
		return PortRange{0, 65535}, ""
	}
	a, b, isRange := strings.Cut(s, ":")
	a, b = trimSpace(a), trimSpace(b)
	if !isRange {
		b = a
	} else if a == "" && b == "" {
		return PortRange{}, "not a range of ports"
	}
	lo, hi := uint32(0), uint32(65535)
	var ok bool
	if a != "" {
		if lo, ok = parseUint32(a); !ok || lo > 65535 {
			return PortRange{}, "not a port"
		}
	}
	if b != "" {
		if hi, ok = parseUint32(b); !ok || hi > 65535 {
			return PortRange{}, "not a port"
		}
	}
	if hi < lo {
		return PortRange{}, "the range ends before it begins"
	}
	return PortRange{uint16(lo), uint16(hi)}, ""
}

// subtractPorts returns a without b; both are sorted and merged.
func subtractPorts(a, b []PortRange) []PortRange {
	var out []PortRange
	j := 0
	for _, r := range a {
		lo := int(r.Lo)
		for j < len(b) && int(b[j].Hi) < lo {
			j++
		}
		for k := j; k < len(b) && b[k].Lo <= r.Hi; k++ {
			if int(b[k].Lo) > lo {
				out = append(out, PortRange{uint16(lo), b[k].Lo - 1})
			}
			lo = int(b[k].Hi) + 1
		}
		if lo <= int(r.Hi) {
			out = append(out, PortRange{uint16(lo), r.Hi})
		}
	}
	return slices.Clip(out)
}
