package pcre

import "math/bits"

// dfa is the part of a pattern's deterministic automaton that was needed so far. A
// state is a set of nodes and what stands before the next byte, as far as assertions
// look at it. What comes after is looked at when a byte is taken: that way $ and \b
// need no special states. When the tables are full they are emptied and begun again;
// the answer never depends on what is in them.
type dfa struct {
	n       *nfa
	class   [256]uint8 // bytes that no set and no assertion tells apart
	sample  []byte     // a byte of each class
	classes int        // number of columns: classes of bytes, then the two below
	lastNL  int        // column for a newline that is the last byte
	eof     int        // column for the end

	next  []int32  // states x classes
	nodes []uint64 // states x words
	ctx   []uint8  // by state
	table []int32  // hash table of states, -1 = free

	now, grown []uint64 // scratch sets
	size       int      // bytes accounted for at the Machine
}

// Entries of dfa.next below dsBase are no states.
const (
	dsUnknown int32 = iota
	dsDead
	dsMatch
	dsBase
)

// Contexts before the next byte.
const (
	ctxText uint8 = 1 << iota // start of the subject
	ctxFrom                   // start of the search
	ctxLine                   // after a newline
	ctxWord                   // after a word byte
)

// verdict is what a DFA says of a subject.
type verdict uint8

const (
	maybe verdict = iota
	never
	surely
)

func newDFA(n *nfa) *dfa {
	d := &dfa{n: n}
	d.split()
	d.now = make([]uint64, n.words)
	d.grown = make([]uint64, n.words)
	d.table = make([]int32, 64)
	d.empty()
	return d
}

// split finds the classes of bytes.
func (d *dfa) split() {
	sets := d.n.sets
	if d.n.uses&useWord != 0 {
		sets = append(sets[:len(sets):len(sets)], wordSet())
	}
	if d.n.uses&(useLine|useLast) != 0 {
		sets = append(sets[:len(sets):len(sets)], setOf('\n'))
	}
	count := 1
	for i := range sets {
		var renamed [256]int // class -> class of its members in the set, from 1
		for b := 0; b < 256; b++ {
			if !sets[i].has(byte(b)) {
				continue
			}
			c := int(d.class[b])
			if renamed[c] == 0 {
				renamed[c] = d.classFor(&sets[i], c, count) + 1
				if renamed[c]-1 == count {
					count++
				}
			}
			d.class[b] = uint8(renamed[c] - 1)
		}
	}
	d.sample = make([]byte, count)
	for b := 255; b >= 0; b-- {
		d.sample[d.class[b]] = byte(b)
	}
	d.lastNL, d.eof = count, count+1
	d.classes = count + 2
}

// classFor returns the class for those of class c that are in s: c itself when all are.
func (d *dfa) classFor(s *byteSet, c, fresh int) int {
	for b := 0; b < 256; b++ {
		if int(d.class[b]) == c && !s.has(byte(b)) {
			return fresh
		}
	}
	return c
}

func (d *dfa) empty() {
	d.next, d.nodes, d.ctx = d.next[:0], d.nodes[:0], d.ctx[:0]
	for i := range d.table {
		d.table[i] = -1
	}
}

func (d *dfa) memory() int {
	return 4*cap(d.next) + 8*cap(d.nodes) + cap(d.ctx) + 4*cap(d.table) + 8*d.n.words*len(d.n.nodes) + 512
}

// dfaMatch says whether re can match in data at or after at.
func (m *Machine) dfaMatch(re *Regexp, data []byte, at int) verdict {
	d := m.dfaOf(re)
	if d == nil {
		return maybe
	}
	m.Stats.DFA++
	ok := d.search(m, data, at)
	m.work += (len(data) - at) >> 3
	m.dfaMem -= d.size
	d.size = d.memory()
	if m.dfaMem += d.size; m.dfaMem > maxMachineDFA {
		m.Forget()
		m.Stats.DFARebuilt++
	}
	switch {
	case !ok:
		return never
	case d.n.exact:
		return surely
	}
	return maybe
}

// dfaOf returns the DFA of re, nil when there is none.
func (m *Machine) dfaOf(re *Regexp) *dfa {
	d, known := m.dfas[re]
	if !known {
		if n := newNFA(re); n != nil {
			d = newDFA(n)
		}
		m.dfas[re] = d
	}
	return d
}

// search tells whether the automaton matches data at or after at.
func (d *dfa) search(m *Machine, data []byte, at int) bool {
	var ctx uint8
	if at > 0 {
		ctx = d.context(data[at-1])
	} else if d.n.uses&(useStart|useLine) != 0 {
		ctx = ctxText
	}
	if d.n.uses&useStart != 0 && at == m.from {
		ctx |= ctxFrom
	}
	copy(d.grown, d.n.begin)
	s := d.state(m, ctx)
	last := len(data) - 1
	if d.n.uses&useLast == 0 || last < at || data[last] != '\n' {
		last = len(data)
	}
	for i := at; i < last; i++ {
		c := int(d.class[data[i]])
		t := d.next[int(s)*d.classes+c]
		if t < dsBase {
			if t == dsUnknown {
				t = d.step(m, s, c)
			}
			if t == dsDead {
				return false
			}
			if t == dsMatch {
				return true
			}
		}
		s = t - dsBase
	}
	for _, c := range [2]int{d.lastNL, d.eof} {
		if c == d.lastNL && last == len(data) {
			continue
		}
		t := d.next[int(s)*d.classes+c]
		if t == dsUnknown {
			t = d.step(m, s, c)
		}
		if t == dsMatch {
			return true
		}
		if t == dsDead {
			return false
		}
		s = t - dsBase
	}
	return false
}

// context returns what assertions can see of a byte before them.
func (d *dfa) context(b byte) uint8 {
	ctx := uint8(0)
	if d.n.uses&useLine != 0 && b == '\n' {
		ctx |= ctxLine
	}
	if d.n.uses&useWord != 0 && isWord(b) {
		ctx |= ctxWord
	}
	return ctx
}

// step finds the state after state s and a byte of class c.
func (d *dfa) step(m *Machine, s int32, c int) int32 {
	n := d.n
	w := n.words
	m.work += 8 + w
	copy(d.now, d.nodes[int(s)*w:int(s+1)*w])
	ctx := d.ctx[s]
	d.assertions(ctx, c)
	if d.now[n.final>>6]&(1<<(n.final&63)) != 0 {
		d.next[int(s)*d.classes+c] = dsMatch
		return dsMatch
	}
	if c == d.eof {
		d.next[int(s)*d.classes+c] = dsDead
		return dsDead
	}
	b := byte('\n')
	if c != d.lastNL {
		b = d.sample[c]
	}
	clear(d.grown)
	if !n.single {
		copy(d.grown, n.begin)
	}
	any := !n.single
	for i, word := range d.now {
		for ; word != 0; word &= word - 1 {
			k := i<<6 + bits.TrailingZeros64(word)
			if nd := &n.nodes[k]; nd.kind == ndByte && n.sets[nd.set].has(b) {
				any = true
				for j, r := range n.reach[k] {
					d.grown[j] |= r
				}
			}
		}
	}
	t := dsDead
	if any {
		rows := len(d.ctx)
		t = d.state(m, d.context(b)) + dsBase
		if len(d.ctx) < rows { // emptied: s is gone
			return t
		}
	}
	d.next[int(s)*d.classes+c] = t
	return t
}

// assertions adds to now what lies behind assertions that hold between ctx and a byte
// of class c.
func (d *dfa) assertions(ctx uint8, c int) {
	n := d.n
	if !n.asserts {
		return
	}
	for again := true; again; {
		again = false
		for i := range d.now {
			for word := d.now[i]; word != 0; word &= word - 1 {
				k := i<<6 + bits.TrailingZeros64(word)
				nd := &n.nodes[k]
				if nd.kind != ndAssert || !d.holds(nd.assert, ctx, c) {
					continue
				}
				for j, r := range n.reach[k] {
					if r&^d.now[j] != 0 {
						d.now[j] |= r
						again = true
					}
				}
			}
		}
	}
}

// holds evaluates an assertion between ctx and a byte of class c.
func (d *dfa) holds(k assertKind, ctx uint8, c int) bool {
	switch k {
	case asBOT:
		return ctx&ctxText != 0
	case asStart:
		return ctx&ctxFrom != 0
	case asBOL:
		return ctx&ctxText != 0 || ctx&ctxLine != 0 && c != d.eof
	case asEOT:
		return c == d.eof
	case asEOTL:
		return c == d.eof || c == d.lastNL
	case asEOL:
		return c == d.eof || c == d.lastNL || d.sample[c] == '\n'
	}
	next := c < len(d.sample) && isWord(d.sample[c])
	return (ctx&ctxWord != 0) != next == (k == asWord)
}

// state returns the number of the state with the nodes grown and context ctx.
func (d *dfa) state(m *Machine, ctx uint8) int32 {
	w := d.n.words
	h := uint64(ctx) * 0x9e3779b97f4a7c15
	for _, x := range d.grown {
		h = (h ^ x) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	mask := uint64(len(d.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := d.table[i]
		if s < 0 {
			return d.addState(m, ctx, i)
		}
		if d.ctx[s] == ctx && sameWords(d.nodes[int(s)*w:int(s+1)*w], d.grown) {
			return s
		}
	}
}

func sameWords(a, b []uint64) bool {
	for i, x := range a {
		if b[i] != x {
			return false
		}
	}
	return true
}

func (d *dfa) addState(m *Machine, ctx uint8, slot uint64) int32 {
	if len(d.next)+d.classes > maxDFATable || len(d.nodes)+d.n.words > maxDFAWords {
		m.Stats.DFARebuilt++
		d.empty()
		return d.state(m, ctx)
	}
	s := int32(len(d.ctx))
	d.ctx = append(d.ctx, ctx)
	d.nodes = append(d.nodes, d.grown...)
	for i := 0; i < d.classes; i++ {
		d.next = append(d.next, dsUnknown)
	}
	d.table[slot] = s
	if 2*len(d.ctx) > len(d.table) {
		d.rehash(2 * len(d.table))
	}
	return s
}

func (d *dfa) rehash(size int) {
	d.table = make([]int32, size)
	for i := range d.table {
		d.table[i] = -1
	}
	w, mask := d.n.words, uint64(size-1)
	for s := range d.ctx {
		h := uint64(d.ctx[s]) * 0x9e3779b97f4a7c15
		for _, x := range d.nodes[s*w : (s+1)*w] {
			h = (h ^ x) * 0x9e3779b97f4a7c15
			h ^= h >> 29
		}
		i := h & mask
		for d.table[i] >= 0 {
			i = (i + 1) & mask
		}
		d.table[i] = int32(s)
	}
}
