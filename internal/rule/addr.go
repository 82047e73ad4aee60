package rule

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// AddrSet is an immutable set of IPv4 and IPv6 addresses as sorted ranges that do
// not touch each other. The zero value is empty.
type AddrSet struct {
	v4  []range4
	v6  []range6
	all bool // every address of both families
}

type range4 struct{ lo, hi uint32 }

type u128 struct{ hi, lo uint64 }

type range6 struct{ lo, hi u128 }

func (a u128) less(b u128) bool { return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo }

func (a u128) next() u128 {
	lo, c := bits.Add64(a.lo, 1, 0)
	return u128{a.hi + c, lo}
}

func (a u128) prev() u128 {
	lo, b := bits.Sub64(a.lo, 1, 0)
	return u128{a.hi - b, lo}
}

func (a u128) compare(b u128) int {
	switch {
	case a.less(b):
		return -1
	case b.less(a):
		return 1
	}
	return 0
}

var max128 = u128{^uint64(0), ^uint64(0)}

// Contains tells whether the set has addr: 16 bytes, for version 4 the last four of
// them. A version other than 4 and 6 is in no set but the one of all addresses.
// Cost: O(log ranges), no allocation.
func (s *AddrSet) Contains(addr *[16]byte, version uint8) bool {
	switch {
	case s.all:
		return true
	case version == 4:
		return s.contains4(binary.BigEndian.Uint32(addr[12:16]))
	case version == 6:
		return s.contains6(u128{binary.BigEndian.Uint64(addr[:8]), binary.BigEndian.Uint64(addr[8:])})
	}
	return false
}

func (s *AddrSet) contains4(x uint32) bool {
	lo, hi := 0, len(s.v4)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.v4[mid].hi < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s.v4) && s.v4[lo].lo <= x
}

func (s *AddrSet) contains6(x u128) bool {
	lo, hi := 0, len(s.v6)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.v6[mid].hi.less(x) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s.v6) && !x.less(s.v6[lo].lo)
}

// ContainsAddr is Contains for a netip.Addr; a mapped IPv4 address counts as IPv4.
func (s *AddrSet) ContainsAddr(a netip.Addr) bool {
	b := a.As16()
	if a.Is4() || a.Is4In6() {
		return s.Contains(&b, 4)
	}
	return s.Contains(&b, 6)
}

// All tells whether the set has every address.
func (s *AddrSet) All() bool { return s.all }

// Ranges returns the number of ranges of both families.
func (s *AddrSet) Ranges() int { return len(s.v4) + len(s.v6) }

// Overlaps tells whether s and t have an address in common.
func (s *AddrSet) Overlaps(t *AddrSet) bool {
	for i, j := 0, 0; i < len(s.v4) && j < len(t.v4); {
		a, b := s.v4[i], t.v4[j]
		if a.lo <= b.hi && b.lo <= a.hi {
			return true
		}
		if a.hi < b.hi {
			i++
		} else {
			j++
		}
	}
	for i, j := 0, 0; i < len(s.v6) && j < len(t.v6); {
		a, b := s.v6[i], t.v6[j]
		if !b.hi.less(a.lo) && !a.hi.less(b.lo) {
			return true
		}
		if a.hi.less(b.hi) {
			i++
		} else {
			j++
		}
	}
	return false
}

// String returns the set as an expression of the rule language.
func (s *AddrSet) String() string {
	if s.all {
		return "any"
	}
	var parts []string
	for _, r := range s.v4 {
		parts = append(parts, rangeText(addr4(r.lo), addr4(r.hi)))
	}
	for _, r := range s.v6 {
		parts = append(parts, rangeText(addr6(r.lo), addr6(r.hi)))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func addr4(x uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], x)
	return netip.AddrFrom4(b)
}

func addr6(x u128) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], x.hi)
	binary.BigEndian.PutUint64(b[8:], x.lo)
	return netip.AddrFrom16(b)
}

// rangeText writes a range as an address, a network or "a-b".
func rangeText(lo, hi netip.Addr) string {
	if lo == hi {
		return lo.String()
	}
	for n := 0; n <= lo.BitLen(); n++ {
		p := netip.PrefixFrom(lo, n)
		if p.Masked() == p && lastOf(p) == hi {
			return p.String()
		}
	}
	return lo.String() + "-" + hi.String()
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// key returns the content of the set as bytes, for keeping one copy of each.
func (s *AddrSet) key() string {
	b := make([]byte, 0, 8*len(s.v4)+32*len(s.v6)+1)
	for _, r := range s.v4 {
		b = binary.BigEndian.AppendUint32(b, r.lo)
		b = binary.BigEndian.AppendUint32(b, r.hi)
	}
	b = append(b, '/')
	for _, r := range s.v6 {
		b = binary.BigEndian.AppendUint64(b, r.lo.hi)
		b = binary.BigEndian.AppendUint64(b, r.lo.lo)
		b = binary.BigEndian.AppendUint64(b, r.hi.hi)
		b = binary.BigEndian.AppendUint64(b, r.hi.lo)
	}
	return string(b)
}

// buildAddrSet returns pos without neg. With only negated members pos is everything.
func buildAddrSet(pos, neg []leaf) (*AddrSet, *fault) {
	p, f := addrRanges(pos)
	if f != nil {
		return nil, f
	}
	n, f := addrRanges(neg)
	if f != nil {
		return nil, f
	}
	if len(pos) == 0 {
		p = everyAddr()
	}
	s := &AddrSet{v4: subtract4(p.v4, n.v4), v6: subtract6(p.v6, n.v6)}
	if len(s.v4)+len(s.v6) == 0 {
		return nil, &fault{0, KindAddress, "no address is left after taking away the negated ones", ""}
	}
	s.all = len(s.v4) == 1 && s.v4[0] == range4{0, ^uint32(0)} && len(s.v6) == 1 && s.v6[0] == range6{u128{}, max128}
	return s, nil
}

func everyAddr() AddrSet {
	return AddrSet{v4: []range4{{0, ^uint32(0)}}, v6: []range6{{u128{}, max128}}, all: true}
}

// addrRanges parses the leaves and returns them sorted and merged.
func addrRanges(leaves []leaf) (AddrSet, *fault) {
	var s AddrSet
	for _, l := range leaves {
		if l.text == "" {
			e := everyAddr()
			s.v4, s.v6 = append(s.v4, e.v4...), append(s.v6, e.v6...)
			continue
		}
		lo, hi, what := parseAddrItem(l.text)
		if what != "" {
			return s, faultf(l.off, KindAddress, "%s: %s", quoteShort(l.text), what)
		}
		if lo.Is4() {
			a, b := lo.As4(), hi.As4()
			s.v4 = append(s.v4, range4{binary.BigEndian.Uint32(a[:]), binary.BigEndian.Uint32(b[:])})
			continue
		}
		s.v6 = append(s.v6, range6{to128(lo), to128(hi)})
	}
	s.v4, s.v6 = merge4(s.v4), merge6(s.v6)
	return s, nil
}

func to128(a netip.Addr) u128 {
	b := a.As16()
	return u128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// parseAddrItem reads an address, address/prefix, address/netmask or first-last.
func parseAddrItem(s string) (lo, hi netip.Addr, what string) {
	if a, b, ok := strings.Cut(s, "/"); ok {
		return parseNetwork(trimSpace(a), trimSpace(b))
	}
	if a, b, ok := strings.Cut(s, "-"); ok {
		lo, okLo := parseIP(trimSpace(a))
		hi, okHi := parseIP(trimSpace(b))
		if !okLo || !okHi || lo.Is4() != hi.Is4() {
			return lo, hi, "not a range of addresses"
		}
		if hi.Less(lo) {
			return lo, hi, "the range ends before it begins"
		}
		return lo, hi, ""
	}
	lo, ok := parseIP(s)
	if !ok {
		return lo, lo, "not an address"
	}
	return lo, lo, ""
}

func parseIP(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == ""
}

func parseNetwork(addr, mask string) (lo, hi netip.Addr, what string) {
	a, ok := parseIP(addr)
	if !ok {
		return lo, hi, "not an address"
	}
	n, ok := parseUint32(mask)
	if !ok {
		m, isIP := parseIP(mask)
		if !isIP || !m.Is4() || !a.Is4() {
			return lo, hi, "not a prefix length or netmask"
		}
		b := m.As4()
		x := binary.BigEndian.Uint32(b[:])
		n = uint32(bits.LeadingZeros32(^x))
		if x != ^uint32(0)<<(32-n) {
			return lo, hi, "netmask has holes"
		}
	}
	if int(n) > a.BitLen() {
		return lo, hi, "prefix is too long"
	}
	p := netip.PrefixFrom(a, int(n)).Masked()
	return p.Addr(), lastOf(p), ""
}

func merge4(in []range4) []range4 {
	slices.SortFunc(in, func(a, b range4) int {
		if a.lo < b.lo {
			return -1
		}
		return 1
	})
	var out []range4
	for _, r := range in {
		if n := len(out); n > 0 && (r.lo <= out[n-1].hi || r.lo == out[n-1].hi+1) {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return slices.Clip(out)
}

func merge6(in []range6) []range6 {
	slices.SortFunc(in, func(a, b range6) int { return a.lo.compare(b.lo) })
	var out []range6
	for _, r := range in {
		if n := len(out); n > 0 && (!out[n-1].hi.less(r.lo) || r.lo == out[n-1].hi.next()) {
			if out[n-1].hi.less(r.hi) {
				out[n-1].hi = r.hi
			}
			continue
		}
		out = append(out, r)
	}
	return slices.Clip(out)
}

// subtract4 returns a without b; both are sorted and merged.
func subtract4(a, b []range4) []range4 {
	var out []range4
	j := 0
	for _, r := range a {
		for j < len(b) && b[j].hi < r.lo {
			j++
		}
		gone := false
		for k := j; k < len(b) && b[k].lo <= r.hi; k++ {
			if b[k].lo > r.lo {
				out = append(out, range4{r.lo, b[k].lo - 1})
			}
			if b[k].hi >= r.hi {
				gone = true
				break
			}
			r.lo = b[k].hi + 1
		}
		if !gone {
			out = append(out, r)
		}
	}
	return slices.Clip(out)
}

// subtract6 is subtract4 for the other family: the types have no common operators.
func subtract6(a, b []range6) []range6 {
	var out []range6
	j := 0
	for _, r := range a {
		for j < len(b) && b[j].hi.less(r.lo) {
			j++
		}
		gone := false
		for k := j; k < len(b) && !r.hi.less(b[k].lo); k++ {
			if r.lo.less(b[k].lo) {
				out = append(out, range6{r.lo, b[k].lo.prev()})
			}
			if !b[k].hi.less(r.hi) {
				gone = true
				break
			}
			r.lo = b[k].hi.next()
		}
		if !gone {
			out = append(out, r)
		}
	}
	return slices.Clip(out)
}
