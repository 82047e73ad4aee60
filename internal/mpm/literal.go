package mpm

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Literal finds one byte string. It is immutable. The zero value is the empty
// string, which is found everywhere.
type Literal struct {
	pat    []byte // in lower case when nocase
	nocase bool
	letter bool   // the rarest byte is a letter of either case
	r1, r2 uint32 // offsets of the rarest and the second rarest byte
	hash   uint32 // of pat, for the fallback
	power  uint32 // factor of the byte that leaves the window of the fallback
}

// NewLiteral returns a Literal for a copy of pattern; nocase lets ASCII letters
// match both cases.
func NewLiteral(pattern []byte, nocase bool) Literal {
	l := Literal{pat: bytes.Clone(pattern)}
	for i, c := range l.pat {
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			l.nocase = l.nocase || nocase
			if nocase {
				l.pat[i] |= 0x20
			}
		}
	}
	best1, best2 := -1, -1
	for i, c := range l.pat {
		score := int(rareBits[c|0x20])
		if !l.nocase && c >= 'A' && c <= 'Z' {
			score += 8 // capitals are rarer than the small letters they are counted with
		}
		switch {
		case score > best1:
			best2, l.r2 = best1, l.r1
			best1, l.r1 = score, uint32(i)
		case score > best2:
			best2, l.r2 = score, uint32(i)
		}
	}
	if len(l.pat) > 0 {
		c := l.pat[l.r1]
		l.letter = l.nocase && c >= 'a' && c <= 'z'
		l.power = 1
		for range l.pat {
			l.power *= primeRK
		}
		for _, c := range l.pat {
			l.hash = l.hash*primeRK + uint32(c)
		}
	}
	return l
}

// Len returns the length of the pattern.
func (l *Literal) Len() int { return len(l.pat) }

// Index returns the first position from which data has the pattern and that is at
// least from, or -1. A limit is set by slicing data. Cost: linear in len(data) also for
// data made to slow it down, no allocation.
func (l *Literal) Index(data []byte, from int) int {
	if from < 0 {
		from = 0
	}
	n := len(l.pat)
	if n == 0 {
		if from <= len(data) {
			return from
		}
		return -1
	}
	if len(data)-from < n {
		return -1
	}
	switch {
	case n == 1 && !l.nocase:
		return shifted(bytes.IndexByte(data[from:], l.pat[0]), from)
	case n == 1:
		return shifted(indexTwo(data[from:], l.pat[0], l.pat[0]&^0x20), from)
	case l.letter:
		return l.indexPair(data, from)
	}
	return l.indexRare(data, from)
}

// Match tells whether data has the pattern at position at.
func (l *Literal) Match(data []byte, at int) bool {
	return at >= 0 && len(data)-at >= len(l.pat) && l.equal(data[at:at+len(l.pat)])
}

func (l *Literal) equal(d []byte) bool {
	if l.nocase {
		return equalFold(d, l.pat)
	}
	return string(d) == string(l.pat)
}

func shifted(i, by int) int {
	if i < 0 {
		return -1
	}
	return i + by
}

// indexRare jumps from one rarest byte to the next. When that byte is not rare in
// this data it gives up and searches in another way.
func (l *Literal) indexRare(data []byte, from int) int {
	n, r, c := len(l.pat), int(l.r1), l.pat[l.r1]
	misses := 0
	last := len(data) - n
	for i := from; i <= last; {
		j := bytes.IndexByte(data[i+r:last+r+1], c)
		if j < 0 {
			return -1
		}
		i += j
		if l.equal(data[i : i+n]) {
			return i
		}
		i++
		misses++
		if misses > 4+(i-from)>>5 {
			if !l.nocase {
				return shifted(bytes.Index(data[i:], l.pat), i)
			}
			return l.indexPair(data, i)
		}
	}
	return -1
}

// indexPair looks at the two rarest bytes of eight positions at once, without regard
// to case.
func (l *Literal) indexPair(data []byte, from int) int {
	n, r1, r2 := len(l.pat), int(l.r1), int(l.r2)
	c1, c2 := uint64(l.pat[r1]|0x20)*ones8, uint64(l.pat[r2]|0x20)*ones8
	last := len(data) - n
	budget := 16 + len(data)/16 // compared words before the fallback
	i := from
	for ; i+7 <= last; i += 8 {
		x := (binary.LittleEndian.Uint64(data[i+r1:]) | fold8) ^ c1
		y := (binary.LittleEndian.Uint64(data[i+r2:]) | fold8) ^ c2
		for z := zeros8(x | y); z != 0; z &= z - 1 {
			p := i + bits.TrailingZeros64(z)/8
			if l.equal(data[p : p+n]) {
				return p
			}
			if budget -= 1 + n/8; budget < 0 {
				return l.indexHash(data, p+1)
			}
		}
	}
	for ; i <= last; i++ {
		if data[i+r1]|0x20 == byte(c1) && l.equal(data[i:i+n]) {
			return i
		}
	}
	return -1
}

const primeRK = 16777619

// indexHash is the search of Rabin and Karp over the data in lower case: slower,
// and not slowed down by anything in the data.
func (l *Literal) indexHash(data []byte, from int) int {
	n := len(l.pat)
	if len(data)-from < n {
		return -1
	}
	var h uint32
	for _, c := range data[from : from+n] {
		h = h*primeRK + uint32(lower1(c))
	}
	for i := from; ; i++ {
		if h == l.hash && l.equal(data[i:i+n]) {
			return i
		}
		if i+n >= len(data) {
			return -1
		}
		h = h*primeRK + uint32(lower1(data[i+n])) - l.power*uint32(lower1(data[i]))
	}
}
