package stream

// piece is a run of stored bytes [off, off+n) that one segment supplied. Overlap
// policies go by the edges of that whole segment, also when only a part of it was
// kept: it began ds bytes before off and ended de bytes after off. No segment and no
// fragment is longer than 65535 bytes.
type piece struct {
	off       uint64 // stream offset
	n, ds, de uint16
}

// mkPiece returns the piece [off, stop) of the segment [start, end).
func mkPiece(off, stop, start, end uint64) piece {
	return piece{off, uint16(stop - off), uint16(off - start), uint16(end - off)}
}

func (p *piece) start() uint64 { return p.off - uint64(p.ds) }
func (p *piece) end() uint64   { return p.off + uint64(p.de) }

// cut drops what lies before off.
func (p *piece) cut(off uint64) {
	*p = mkPiece(off, p.off+uint64(p.n), p.start(), p.end())
}

const (
	partLen   = 63
	partBytes = partLen*16 + 16
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

// prev returns the place before c, which is not the first.
func (l *pieceList) prev(c cursor) cursor {
	if c.i > l.parts[c.part].lo {
		return cursor{c.part, c.i - 1}
	}
	return cursor{c.part - 1, l.parts[c.part-1].hi - 1}
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
	case p.lo > 0 && (c.i-p.lo <= p.hi-c.i || p.hi == partLen):
		l.steps += uint64(c.i - p.lo)
		copy(p.p[p.lo-1:], p.p[p.lo:c.i])
		p.lo--
		c.i--
	case c.i == p.lo && c.part == l.head: // before all others
		q := pl.getPart()
		if q == nil {
			return c, false
		}
		q.lo, q.hi = partLen-1, partLen
		l.openFront()
		c = cursor{l.head, partLen - 1}
		l.parts[l.head] = q
		p = q
	case p.hi < partLen:
		l.steps += uint64(p.hi - c.i)
		copy(p.p[c.i+1:p.hi+1], p.p[c.i:p.hi])
		p.hi++
	default: // full: move the upper half to a new block
		q := pl.getPart()
		if q == nil {
			return c, false
		}
		const half = partLen / 2
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

// openFront makes room for one block before the others.
func (l *pieceList) openFront() {
	if l.head == 0 {
		n := len(l.parts)
		l.parts = append(l.parts, make([]*part, n+4)...)
		copy(l.parts[n+4:], l.parts[:n])
		clear(l.parts[:n+4])
		l.head = n + 4
		l.steps += uint64(n)
	}
	l.head--
}

// own makes [at, stop), a part of the piece at c, belong to the segment [start,
// end), and returns the place of that part. Without memory the old owner stays.
func (l *pieceList) own(pl *pool, c cursor, at, stop, start, end uint64) cursor {
	old := *l.at(c)
	oldStop := old.off + uint64(old.n)
	if at > old.off { // keep a left part
		l.at(c).n = uint16(at - old.off)
		mid, ok := l.insert(pl, l.next(c), mkPiece(at, stop, start, end))
		if !ok {
			l.at(c).n = old.n
			return c
		}
		c = mid
	} else {
		*l.at(c) = mkPiece(at, stop, start, end)
	}
	if stop < oldStop { // keep a right part
		right := mkPiece(stop, oldStop, old.start(), old.end())
		if mid, ok := l.insert(pl, l.next(c), right); ok {
			// The insertion may have moved the part before it to another block.
			c = l.prev(mid)
		} else {
			*l.at(c) = mkPiece(at, oldStop, old.start(), old.end())
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
