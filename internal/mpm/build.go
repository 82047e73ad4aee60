package mpm

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
)

// Pattern is one string to find.
type Pattern struct {
	Bytes  []byte
	NoCase bool   // ASCII letters match both cases
	Offset int    // the match must not begin before this position
	End    int    // the match must not end after this position; 0 = anywhere
	ID     uint32 // at most MaxID; the same id may be added for several strings
}

// Builder collects patterns. The zero value is ready. It may be built several times.
type Builder struct {
	list []Pattern
	text []byte
}

// Add adds a copy of p and tells whether it was taken: a pattern that is empty or
// longer than MaxPatternLen, an id above MaxID, a place where the pattern cannot be, or
// one pattern more than MaxPatterns is refused.
func (b *Builder) Add(p Pattern) bool {
	n := len(p.Bytes)
	p.Offset = max(p.Offset, 0)
	if p.End <= 0 || p.End > MaxData {
		p.End = MaxData
	}
	if n == 0 || n >= MaxPatternLen || p.ID > MaxID || p.Offset+n > p.End || len(b.list) == MaxPatterns {
		return false
	}
	at := len(b.text)
	b.text = append(b.text, p.Bytes...)
	p.Bytes = b.text[at : at+n : at+n]
	letters := false
	for i, c := range p.Bytes {
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			letters = true
			if p.NoCase {
				p.Bytes[i] |= 0x20
			}
		}
	}
	p.NoCase = p.NoCase && letters
	b.list = append(b.list, p)
	return true
}

// fewPatterns is the number of patterns up to which each is searched by itself.
const fewPatterns = 3

// Build returns a matcher for the patterns added so far.
func (b *Builder) Build() *Matcher {
	m := &Matcher{count: len(b.list)}
	if len(b.list) == 0 {
		return m
	}
	m.collect(b.list)
	if m.useFew() {
		return m
	}
	var long, short []entry
	var ones []lit
	for _, l := range m.lits {
		switch {
		case l.n == 1:
			ones = append(ones, l)
		case l.n < 4:
			short = append(short, entry{lit: l})
		default:
			long = append(long, entry{lit: l})
		}
	}
	if len(short)+len(long) > 0 {
		r := newRarity()
		m.choose(short, 2, r)
		m.choose(long, 4, r)
	}
	m.lits = m.lits[:0]
	m.keys = make([]key, 0, len(short)+len(long))
	m.short = m.newTable(short, 0xffff)
	m.long = m.newTable(long, 0xffffffff)
	m.engine = bestEngine()
	for _, l := range ones {
		m.addOne(l)
	}
	return m
}

// entry is a literal with its key, while the tables are made.
type entry struct {
	lit
	key
}

// collect makes the literals and their uses: patterns with the same bytes and case
// rule become one literal.
func (m *Matcher) collect(list []Pattern) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &list[i], &list[j]
		if c := bytes.Compare(a.Bytes, b.Bytes); c != 0 {
			return c
		}
		if a.NoCase != b.NoCase {
			if a.NoCase {
				return 1
			}
			return -1
		}
		if a.Offset != b.Offset {
			return a.Offset - b.Offset
		}
		if a.End != b.End {
			return b.End - a.End
		}
		return int(a.ID) - int(b.ID)
	})
	m.minLen = MaxPatternLen
	m.uses = make([]use, 0, len(list))
	var prev *Pattern
	for _, i := range order {
		p := &list[i]
		if prev == nil || prev.NoCase != p.NoCase || !bytes.Equal(prev.Bytes, p.Bytes) {
			m.lits = append(m.lits, lit{at: uint32(len(m.text)), use: uint32(len(m.uses)), n: uint16(len(p.Bytes)), nocase: p.NoCase})
			m.text = append(m.text, p.Bytes...)
			m.minLen = min(m.minLen, len(p.Bytes))
		} else if prev.ID == p.ID && prev.Offset == p.Offset && prev.End == p.End {
			continue
		}
		prev = p
		m.uses = append(m.uses, use{p.ID, int32(p.Offset), int32(p.End)})
		l := &m.lits[len(m.lits)-1]
		l.uses++
		l.simple = l.uses == 1 && p.Offset == 0 && p.End == MaxData
		m.ids = max(m.ids, int(p.ID)+1)
		m.maxEnd = max(m.maxEnd, p.End)
	}
	m.text, m.lits, m.uses = slices.Clip(m.text), slices.Clip(m.lits), slices.Clip(m.uses)
}

// useFew chooses the search one by one when that is faster than a filter.
func (m *Matcher) useFew() bool {
	if len(m.uses) > fewPatterns {
		return false
	}
	for i := range m.lits {
		l := &m.lits[i]
		m.few = append(m.few, alone{NewLiteral(m.bytes(l), l.nocase), uint32(i)})
	}
	return true
}

func (m *Matcher) bytes(l *lit) []byte { return m.text[l.at : l.at+uint32(l.n)] }

func (m *Matcher) addOne(l lit) {
	c := m.text[l.at]
	o := one{bytes: [2]byte{c, c}, lit: uint32(len(m.lits))}
	if l.nocase {
		o.bytes[1] = c &^ 0x20
	}
	for _, c := range o.bytes {
		m.oneSet[c/64] |= 1 << (c % 64)
	}
	m.ones = append(m.ones, o)
	m.lits = append(m.lits, l)
}

// windowTries bounds how many places of a long pattern are looked at.
const windowTries = 1024

// choose picks the window of each literal: the rarest one, and of equals the one
// with fewer literals already. Short literals go first, because they have no choice.
func (m *Matcher) choose(list []entry, width int, r *rarity) {
	slices.SortStableFunc(list, func(a, b entry) int { return int(a.n) - int(b.n) })
	load := make(map[uint32]int, len(list))
	for i := range list {
		l := &list[i]
		p := m.bytes(&l.lit)
		best, bestWindow := -1<<30, uint32(0)
		for k := 0; k+width <= len(p) && k < windowTries; k++ {
			w, score := r.window(p, k, width)
			if n := load[w]; n > 0 {
				score -= 8 * bits.Len(uint(n))
			}
			if score > best && overlaps(p, k, width) {
				// A window that comes again within its own pattern lets periodic data
				// cause long comparisons.
				score -= 60
			}
			if score > best {
				best, bestWindow = score, w
				l.k = uint16(k)
			}
		}
		load[bestWindow]++
		for j := 0; j < 8 && int(l.k)+j < len(p); j++ {
			l.chk |= uint64(p[int(l.k)+j]|0x20) << (8 * j)
			l.mask |= 0xff << (8 * j)
		}
	}
}

// window returns the folded window of p at k and its score.
func (r *rarity) window(p []byte, k, width int) (uint32, int) {
	if width == 2 {
		w := uint32(p[k]) | uint32(p[k+1])<<8 | fold4&0xffff
		return w, r.score2(w)
	}
	w := foldWindow(p[k], p[k+1], p[k+2], p[k+3])
	score := r.score4(w)
	if k+5 <= len(p) {
		score += 20 // the byte behind it chooses one bit of eight
	}
	return w, score
}

// overlaps tells whether the window of p at k occurs at another place of p.
func overlaps(p []byte, k, width int) bool {
	w := p[k : k+width]
	return bytes.Contains(p[k+1:], w) || bytes.Contains(p[:k+width-1], w)
}

// newTable makes the filter and the buckets for list and appends it to m.lits in the
// order of the buckets. mask covers a window.
func (m *Matcher) newTable(list []entry, mask uint32) table {
	if len(list) == 0 {
		return table{}
	}
	t := table{hbits: uint8(bits.Len(uint(len(list)))), mask: mask, width: bits.OnesCount32(mask) / 8, mult: chooseMult(list, mask)}
	slices.SortStableFunc(list, func(a, b entry) int {
		return cmp.Compare(uint32(a.chk)&mask*t.mult, uint32(b.chk)&mask*t.mult)
	})
	t.filter = newFilter(len(list))
	entries := t.filter.slice()
	t.shift = uint8(bits.LeadingZeros32(uint32(len(entries) - 1)))
	t.heads = make([]uint32, 1<<t.hbits+1)
	b := uint32(0)
	for i := range list {
		l := &list[i]
		product := uint32(l.chk) & mask * t.mult
		entries[product>>t.shift] |= l.filterBits(mask)
		for ; b <= product>>(32-t.hbits); b++ {
			t.heads[b] = uint32(len(m.lits) + i)
		}
	}
	for ; int(b) < len(t.heads); b++ {
		t.heads[b] = uint32(len(m.lits) + len(list))
	}
	for i := range list {
		m.lits = append(m.lits, list[i].lit)
		m.keys = append(m.keys, list[i].key)
	}
	t.vec = newVector(entries, t.shift, t.mult, mask)
	return t
}

// filterBits returns the bits of l in its filter entry.
func (l *entry) filterBits(mask uint32) uint8 {
	width := bits.OnesCount32(mask) / 8
	if int(l.n-l.k) > width {
		return 1 << (l.chk >> (8 * width) & 7)
	}
	return 0xff
}

// chooseMult takes the multiplier of the hash under which the windows of list collide
// least with those of common text.
func chooseMult(list []entry, mask uint32) uint32 {
	best, bestCost := uint32(0), 1<<30
	for _, mult := range [...]uint32{0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1, 0x2c1b3c6d, 0x297a2d39, 0xd3a2646d} {
		f := newFilter(len(list))
		entries := f.slice()
		shift := bits.LeadingZeros32(uint32(len(entries) - 1))
		for i := range list {
			entries[uint32(list[i].chk)&mask*mult>>shift] |= list[i].filterBits(mask)
		}
		cost := 0
		width := bits.OnesCount32(mask) / 8
		for i := 0; i+8 <= len(commonText); i++ {
			w := foldWindow(commonText[i], commonText[i+1], commonText[i+2], commonText[i+3]) & mask
			if entries[w*mult>>shift]>>(commonText[i+width]&7)&1 != 0 {
				cost++
			}
		}
		if cost < bestCost {
			best, bestCost = mult, cost
		}
	}
	return best
}
