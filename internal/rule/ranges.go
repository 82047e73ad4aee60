package rule

// Range4 is a range of IPv4 addresses as numbers, both ends included.
type Range4 struct{ Lo, Hi uint32 }

// AppendRanges4 appends the IPv4 ranges of the set in order; they do not touch each
// other.
func (s *AddrSet) AppendRanges4(dst []Range4) []Range4 {
	for _, r := range s.v4 {
		dst = append(dst, Range4{r.lo, r.hi})
	}
	return dst
}

// Has6 tells whether the set has any IPv6 address.
func (s *AddrSet) Has6() bool { return len(s.v6) > 0 }
