package stream

// piece is a run of stored bytes [off, off+n) that one segment supplied. start
// and end are the edges of that whole segment: overlap policies go by them, also
// when only a part of it was kept. All are stream offsets.
type piece struct {
	off        uint64
	start, end uint64
	n          uint32
}

const (
	partLen   = 31
	partBytes = partLen*32 + 32
)

// part is one block of a pieceList.
type part struct {
	lo, hi int // p[lo:hi] is in use
	p      [partLen]piece
}

// pieceList is a sorted list of pieces that do not overlap, in blocks: appending
// and dropping at the front cost O(1), inserting moves at most one block and, once
// in many inserts, the list of blocks.
type pieceList struct {
	parts []*part // parts[head:] is in use
	head  int
	n     int
	steps uint64 // pieces or blocks looked at or moved, for the complexity test
}

// cursor is a place in a pieceList.
type cursor struct{ part, i int }

func (l *pieceList) at(c cursor) *piece { return &l.parts[c.part].p[c.i] }

// ok tells whether c points to a piece.
func (l *pieceList) ok(c cursor) bool { return c.part < len(l.parts) }

func (l *pieceList) next(c cursor) cursor {
	c.i++
	if c.i >= l.parts[c.part].hi {
		c.part++
		c.i = 0
		if c.part < len(l.parts) {
			c.i = l.parts[c.part].lo
		}
	}
	return c
}

// last returns the last piece; the list must not be empty.
func (l *pieceList) last() *piece {
	p := l.parts[len(l.parts)-1]
	return &p.p[p.hi-1]
}

// first returns the first piece; the list must not be empty.
func (l *pieceList) first() *piece {
	p := l.parts[l.head]
	return &p.p[p.lo]
}

// find returns the first piece that ends after off.
func (l *pieceList) find(off uint64) cursor {
	lo, hi := l.head, len(l.parts)
	for lo < hi {
		m := (lo + hi) / 2
		l.steps++
		p := l.parts[m]
		if q := &p.p[p.hi-1]; q.off+uint64(q.n) > off {
			hi = m
		} else {
			lo = m + 1
		}
	}
	if lo == len(l.parts) {
		return cursor{lo, 0}
	}
	p := l.parts[lo]
	a, b := p.lo, p.hi
	for a < b {
		m := (a + b) / 2
		l.steps++
		if q := &p.p[m]; q.off+uint64(q.n) > off {
			b = m
		} else {
			a = m + 1
		}
	}
	return cursor{lo, a}
}

// push appends pc at the end. It is false when there is no memory.
func (l *pieceList) push(pl *pool, pc piece) bool {
	if k := len(l.parts); k > l.head && l.parts[k-1].hi < partLen {
		p := l.parts[k-1]
		p.p[p.hi] = pc
		p.hi++
		l.n++
		return true
	}
	p := pl.getPart()
	if p == nil {
		return false
	}
	p.lo, p.hi = 0, 1
	p.p[0] = pc
	l.parts = append(l.parts, p)
	l.n++
	return true
}

// insert puts pc before c and returns its place. It is false when there is no
// memory; then nothing changed.
func (l *pieceList) insert(pl *pool, c cursor, pc piece) (cursor, bool) {
	if !l.ok(c) {
		if !l.push(pl, pc) {
			return c, false
		}
		k := len(l.parts) - 1
		return cursor{k, l.parts[k].hi - 1}, true
	}
	p := l.parts[c.part]
	switch {
	case p.lo > 0 && c.i-p.lo <= p.hi-c.i || p.hi == partLen && p.lo > 0:
		l.steps += uint64(c.i - p.lo)
		copy(p.p[p.lo-1:], p.p[p.lo:c.i])
		p.lo--
		c.i--
	case p.hi < partLen:
		l.steps += uint64(p.hi - c.i)
		copy(p.p[c.i+1:p.hi+1], p.p[c.i:p.hi])
		p.hi++
	default: // full: move the upper half to a new block
		q := pl.getPart()
		if q == nil {
			return c, false
		}
		half := partLen / 2
		q.lo = (partLen - (partLen - half)) / 2
		q.hi = q.lo + copy(q.p[q.lo:], p.p[half:])
		p.hi = half
		l.parts = append(l.parts, nil)
		copy(l.parts[c.part+2:], l.parts[c.part+1:])
		l.parts[c.part+1] = q
		l.steps += uint64(len(l.parts) - c.part + partLen/2)
		if c.i > half {
			c = cursor{c.part + 1, q.lo + c.i - half}
		}
		return l.insert(pl, c, pc)
	}
	p.p[c.i] = pc
	l.n++
	return c, true
}

// own makes [at, stop), a part of the piece at c, belong to the segment [start,
// end), and returns the place of that part. Without memory the old owner stays.
func (l *pieceList) own(pl *pool, c cursor, at, stop, start, end uint64) cursor {
	old := *l.at(c)
	oldEnd := old.off + uint64(old.n)
	if at > old.off { // keep a left part
		l.at(c).n = uint32(at - old.off)
		mid, ok := l.insert(pl, l.next(c), piece{at, start, end, uint32(stop - at)})
		if !ok {
			l.at(c).n = old.n
			return c
		}
		c = mid
	} else {
		*l.at(c) = piece{at, start, end, uint32(stop - at)}
	}
	if stop < oldEnd { // keep a right part
		right := piece{stop, old.start, old.end, uint32(oldEnd - stop)}
		if _, ok := l.insert(pl, l.next(c), right); !ok {
			l.at(c).n = uint32(oldEnd - at)
		}
	}
	return c
}

// popFront drops the first piece.
func (l *pieceList) popFront(pl *pool) {
	p := l.parts[l.head]
	p.lo++
	l.n--
	if p.lo < p.hi {
		return
	}
	pl.putPart(p)
	l.parts[l.head] = nil
	l.head++
	if l.head*2 >= len(l.parts) {
		n := copy(l.parts, l.parts[l.head:])
		clear(l.parts[n:])
		l.parts, l.head = l.parts[:n], 0
	}
}

// clear drops all.
func (l *pieceList) clear(pl *pool) {
	for _, p := range l.parts[l.head:] {
		pl.putPart(p)
	}
	clear(l.parts)
	l.parts, l.head, l.n = l.parts[:0], 0, 0
}
