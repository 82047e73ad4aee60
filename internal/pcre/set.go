package pcre

import "math/bits"

// byteSet is a set of bytes.
type byteSet [8]uint32

func (s *byteSet) has(c byte) bool { return s[c>>5]&(1<<(c&31)) != 0 }
func (s *byteSet) add(c byte)      { s[c>>5] |= 1 << (c & 31) }

func (s *byteSet) addRange(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s.add(byte(c))
	}
}

func (s *byteSet) union(t *byteSet) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

func (s *byteSet) meets(t *byteSet) bool {
	for i := range s {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}

func (s *byteSet) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount32(w)
	}
	return n
}

// lowest returns the smallest member; s must not be empty.
func (s *byteSet) lowest() byte {
	for i, w := range s {
		if w != 0 {
			return byte(i*32 + bits.TrailingZeros32(w))
		}
	}
	return 0
}

// addFolded adds the other case of every letter in s.
func (s *byteSet) addFolded() {
	for c := byte('a'); c <= 'z'; c++ {
		if s.has(c) || s.has(c-32) {
			s.add(c)
			s.add(c - 32)
		}
	}
}

func allBytes() byteSet {
	var s byteSet
	s.invert()
	return s
}

func setOf(cs ...byte) byteSet {
	var s byteSet
	for _, c := range cs {
		s.add(c)
	}
	return s
}

func rangeSet(pairs ...byte) byteSet {
	var s byteSet
	for i := 0; i+1 < len(pairs); i += 2 {
		s.addRange(pairs[i], pairs[i+1])
	}
	return s
}

func not(s byteSet) byteSet {
	s.invert()
	return s
}

func digitSet() byteSet  { return rangeSet('0', '9') }
func spaceSet() byteSet  { return rangeSet('\t', '\r', ' ', ' ') }
func wordSet() byteSet   { return rangeSet('0', '9', 'A', 'Z', 'a', 'z', '_', '_') }
func hspaceSet() byteSet { return setOf('\t', ' ', 0xa0) }
func vspaceSet() byteSet { return setOf('\n', '\v', '\f', '\r', 0x85) }

// posixSet returns the POSIX class of that name in the C locale.
func posixSet(name string) (byteSet, bool) {
	switch name {
	case "alpha":
		return rangeSet('A', 'Z', 'a', 'z'), true
	case "lower":
		return rangeSet('a', 'z'), true
	case "upper":
		return rangeSet('A', 'Z'), true
	case "alnum":
		return rangeSet('0', '9', 'A', 'Z', 'a', 'z'), true
	case "ascii":
		return rangeSet(0, 127), true
	case "blank":
		return setOf('\t', ' '), true
	case "cntrl":
		return rangeSet(0, 31, 127, 127), true
	case "digit":
		return digitSet(), true
	case "graph":
		return rangeSet('!', '~'), true
	case "print":
		return rangeSet(' ', '~'), true
	case "punct":
		return rangeSet('!', '/', ':', '@', '[', '`', '{', '~'), true
	case "space":
		return spaceSet(), true
	case "word":
		return wordSet(), true
	case "xdigit":
		return rangeSet('0', '9', 'A', 'F', 'a', 'f'), true
	}
	return byteSet{}, false
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func lower(c byte) byte {
	if c-'A' < 26 {
		return c + 32
	}
	return c
}

func hexVal(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
