// Package mpm finds many byte strings in a buffer at once, and single ones.
//
// A Matcher is built once from patterns and is immutable; Scan reports the id of
// every pattern that occurs, each once per buffer. It knows nothing of rules, keeps
// no state between buffers and allocates nothing while scanning. detect uses it to
// choose the rules worth a closer look.
//
// How it works: of each pattern the four bytes that are rarest in traffic are its
// window. Every position of the data hashes its four bytes, case folded, into a
// bitmap of the windows; the few positions that hit are looked up in a table and
// compared with the patterns there. Patterns of two and three bytes have windows of
// two bytes and a pass of their own, single bytes are searched one by one, and a
// matcher of very few patterns searches each of them alone. So the cost is one cheap
// step per byte, and per candidate a number of steps that the patterns bound.
package mpm

import (
	"encoding/binary"
)

// Matcher finds a fixed set of patterns. It is immutable and safe for concurrent
// use with different Hits. The zero value finds nothing.
type Matcher struct {
	count  int // patterns
	ids    int // largest id + 1
	minLen int // shortest literal
	engine engine
	maxEnd int    // largest end limit of any pattern, MaxData when one has none
	text   []byte // bytes of all literals, with 8 bytes of padding in front and behind
	lits   []lit
	keys   []key // of lits, without those of single bytes
	uses   []use

	long  table // windows of four bytes
	short table // windows of two bytes
	few   []alone
	ones  []one

	oneSet [4]uint64 // the bytes of ones
}

// lit is one different byte string (and case rule).
type lit struct {
	at     uint32 // offset of its bytes in Matcher.text
	use    uint32 // first of its uses
	uses   uint32 // number of uses
	n      uint16 // length
	k      uint16 // offset of the window
	nocase bool   // bytes are in lower case
	simple bool   // one use without limits
}

// key is what a position must look like before a literal is compared: the folded
// bytes from the window on, eight or as many as the literal has. Keys lie beside each
// other, so that a bucket is one cache line.
type key struct {
	chk, mask uint64
}

// use is one pattern: an id and where the string may be.
type use struct {
	id       uint32
	off, end int32 // start >= off and end of match <= end
}

// alone is a literal of a small matcher, searched by itself.
type alone struct {
	Literal
	lit uint32
}

// one is a literal of a single byte.
type one struct {
	bytes [2]byte // both cases; the same twice when there is only one
	lit   uint32
}

// table finds the literals for a position.
type table struct {
	filter filter
	heads  []uint32 // per bucket of the hash: first literal; one more at the end
	hbits  uint8    // log2 of the number of buckets
	shift  uint8    // 32 less the bits of an index of filter
	mult   uint32   // multiplier of the hash
	mask   uint32   // the bytes of a window
	width  int      // their number
	vec    vector
}

const (
	fold4 = 0x20202020
	fold8 = 0x2020202020202020
)

// Len returns the number of patterns.
func (m *Matcher) Len() int { return m.count }

// IDs returns the largest id plus one: a Hits of that size never grows.
func (m *Matcher) IDs() int { return m.ids }

// MinLen returns the length of the shortest pattern; shorter data has no match.
func (m *Matcher) MinLen() int { return m.minLen }

// Memory returns the size of the matcher in bytes.
func (m *Matcher) Memory() int {
	const litSize, keySize, useSize, aloneSize, self = 24, 16, 12, 64, 376 + 2*vectorSize
	n := self + cap(m.text) + litSize*cap(m.lits) + keySize*cap(m.keys) + useSize*cap(m.uses) + aloneSize*cap(m.few) + 8*cap(m.ones)
	for _, t := range [...]*table{&m.long, &m.short} {
		n += t.filter.size() + 4*cap(t.heads)
	}
	return n
}

// Scan adds to h the id of every pattern that occurs in data within its limits. It
// does not reset h, so that a buffer may be scanned with several matchers (each id is
// still reported once). Data beyond MaxData is not looked at.
// Cost: O(len(data)) steps, no allocation once h is large enough.
func (m *Matcher) Scan(data []byte, h *Hits) {
	if len(data) > m.maxEnd {
		data = data[:m.maxEnd]
	}
	if len(data) < m.minLen || m.count == 0 {
		return
	}
	if len(h.seen)*64 < m.ids || len(h.done)*64 < len(m.lits) {
		h.grow(m.ids, len(m.lits))
	}
	if m.few != nil {
		m.scanFew(data, h)
	}
	if m.ones != nil {
		m.scanOnes(data, h)
	}
	if m.short.heads != nil && len(data) >= 2 {
		m.scan(&m.short, data, h)
	}
	if m.long.heads != nil && len(data) >= 4 {
		m.scan(&m.long, data, h)
	}
	if len(h.list) > 0 {
		h.clearDone()
	}
}

// vectorFrom is the length of data from which on a vector engine is worth setting up.
const vectorFrom = 48

// scan looks at the windows of t in data, which has at least as many bytes as one.
func (m *Matcher) scan(t *table, data []byte, h *Hits) {
	i := 0
	if m.engine != engineGo && len(data) >= vectorFrom {
		i = m.scanBatches(t, data, h)
	}
	for len(data)-i >= 8 {
		if t.mask == 0xffff {
			i = t.filter.nextShort(data, i, t.mult)
		} else {
			i = t.filter.next(data, i, t.mult)
		}
		if len(data)-i < 8 {
			break
		}
		i = m.candidate(t, data, i, h)
	}
	m.scanTail(t, data, i, h)
}

// scanBatches is scan with a vector engine, but for the last bytes. It returns the
// position to go on from.
func (m *Matcher) scanBatches(t *table, data []byte, h *Hits) int {
	i := 0
	for {
		n, next := t.vec.candidates(data, i, &h.batch)
		if next == i {
			return i
		}
		for _, at := range h.batch[:n] {
			if int(at) >= i { // else it is inside of a run
				i = m.candidate(t, data, int(at), h)
			}
		}
		i = max(i, next)
	}
}

// scanTail looks at the positions from i on, which have less than eight bytes.
func (m *Matcher) scanTail(t *table, data []byte, i int, h *Hits) {
	var y uint64 // the bytes from i on, the first one lowest, zeros behind
	if len(data) >= 8 {
		y = binary.LittleEndian.Uint64(data[len(data)-8:]) >> (8 * (i - len(data) + 8) & 63)
	} else {
		for j := len(data) - 1; j >= i; j-- {
			y = y<<8 | uint64(data[j])
		}
	}
	table, shift := t.filter.slice(), t.shift&31
	mult, mask := t.mult, t.mask
	for last := len(data) - t.width; i <= last; i++ {
		x := y | fold8
		if e := uint32(x) & mask * mult >> shift; int(e) < len(table) && table[e] != 0 {
			m.bucket(t, data, i, x, h)
		}
		y >>= 8
	}
}

// candidate looks at position i, which passed the filter and has eight bytes, and
// returns the position to go on from.
func (m *Matcher) candidate(t *table, data []byte, i int, h *Hits) int {
	x := binary.LittleEndian.Uint64(data[i:])
	m.bucket(t, data, i, x|fold8, h)
	i++
	if x == x&0xff*ones8 {
		i = m.skipRun(t, data, i, x, h)
	}
	return i
}

// skipRun looks at the rest of a run of equal bytes, of which i is the second
// position, and returns the position to go on from. Far from both ends of a run
// nothing new can be found: a literal fits either at its end or its beginning, or
// everywhere inside.
func (m *Matcher) skipRun(t *table, data []byte, i int, x uint64, h *Hits) int {
	end := i + 7
	for end+8 <= len(data) && binary.LittleEndian.Uint64(data[end:]) == x {
		end += 8
	}
	for end < len(data) && data[end] == byte(x) {
		end++
	}
	b := (uint32(x) | fold4) & t.mask * t.mult >> (32 - t.hbits)
	reach := 8
	for l := t.heads[b]; l < t.heads[b+1]; l++ {
		reach = max(reach, int(m.lits[l].n))
	}
	stop := min(i+reach, end-7)
	for ; i < stop; i++ {
		m.bucket(t, data, i, x|fold8, h)
	}
	// Except for a literal that must not begin too early. Its uses are in the order of
	// their offsets, so that it still sees places in rising order.
	for l := t.heads[b]; l < t.heads[b+1] && i < end-reach; l++ {
		p := &m.lits[l]
		if p.simple || (x|fold8)&m.keys[l].mask != m.keys[l].chk {
			continue
		}
		for u := p.use; u < p.use+p.uses; u++ {
			if at := int(m.uses[u].off) + int(p.k); at >= i && at < end-reach {
				m.try(data, at, l, h)
			}
		}
	}
	return max(i, end-reach)
}

// bucket compares the literals of the bucket of x with data at i, where x is.
func (m *Matcher) bucket(t *table, data []byte, i int, x uint64, h *Hits) {
	b := uint32(x) & t.mask * t.mult >> (32 - t.hbits)
	first, last := t.heads[b], t.heads[b+1]
	if first >= last {
		return
	}
	h.Work += uint64(last - first)
	keys := m.keys[first:last]
	for j := range keys {
		if x&keys[j].mask == keys[j].chk {
			m.try(data, i, first+uint32(j), h)
		}
	}
}

// scanOnes looks for single bytes and stops when all of them were seen.
func (m *Matcher) scanOnes(data []byte, h *Hits) {
	if len(m.ones) <= 2 {
		for i := range m.ones {
			m.scanOne(data, &m.ones[i], h)
		}
		return
	}
	left := m.oneSet
	for _, c := range data {
		if left[c/64]>>(c%64)&1 == 0 {
			continue
		}
		left[c/64] &^= 1 << (c % 64)
		for i := range m.ones {
			o := &m.ones[i]
			if o.bytes[0] != c && o.bytes[1] != c {
				continue
			}
			if l := &m.lits[o.lit]; l.simple {
				h.Add(m.uses[l.use].id)
			} else {
				m.scanOne(data, o, h)
			}
		}
		if left == ([4]uint64{}) {
			return
		}
	}
}

func (m *Matcher) scanOne(data []byte, o *one, h *Hits) {
	l := &m.lits[o.lit]
	for u := l.use; u < l.use+l.uses; u++ {
		x := &m.uses[u]
		part := data[min(int(x.off), len(data)):min(int(x.end), len(data))]
		if indexTwo(part, o.bytes[0], o.bytes[1]) >= 0 {
			h.Add(x.id)
		}
	}
}

// scanFew searches each literal by itself within the limits of its uses.
func (m *Matcher) scanFew(data []byte, h *Hits) {
	for i := range m.few {
		f := &m.few[i]
		l := &m.lits[f.lit]
		for u := l.use; u < l.use+l.uses; u++ {
			x := &m.uses[u]
			if f.Index(data[:min(int(x.end), len(data))], int(x.off)) >= 0 {
				h.Add(x.id)
			}
		}
	}
}

// try compares literal number li with data, its window being at i, and reports its
// uses that allow this place.
func (m *Matcher) try(data []byte, i int, li uint32, h *Hits) {
	l := &m.lits[li]
	start := i - int(l.k)
	n := int(l.n)
	if start < 0 || start+n > len(data) {
		return
	}
	if l.simple {
		if id := m.uses[l.use].id; h.seen[id/64]>>(id%64)&1 == 0 && m.equal(data[start:start+n], l, h) {
			h.Add(id)
		}
		return
	}
	if h.done[li/64]>>(li%64)&1 != 0 || !m.equal(data[start:start+n], l, h) {
		return
	}
	open := false
	for u := l.use; u < l.use+l.uses; u++ {
		x := &m.uses[u]
		switch {
		case start+n > int(x.end):
		case start >= int(x.off):
			h.Add(x.id)
		default:
			open = true
		}
	}
	if !open {
		h.done[li/64] |= 1 << (li % 64)
		h.list = append(h.list, li)
	}
}

// equal tells whether d, which has the length of l, is l.
func (m *Matcher) equal(d []byte, l *lit, h *Hits) bool {
	p := m.text[l.at : l.at+uint32(l.n)]
	h.Work += uint64(len(d)/8 + 1)
	if !l.nocase {
		return string(d) == string(p)
	}
	return equalFold(d, p)
}
