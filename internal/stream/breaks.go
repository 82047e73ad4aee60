package stream

import "sort"

// brk is a hole in a run of stored bytes: n bytes at off are missing. Readers are
// told of it, unless it is urgent data, taken out of the stream: they read on as if
// it were not there.
type brk struct {
	off, n uint64
	before uint64 // bytes missing in all earlier holes of the stream
	oob    bool
}

// brkBytes is what a hole counts toward the memcap.
const brkBytes = 32

// breakList is the sorted list of the holes between the oldest byte kept and the
// edge.
type breakList struct {
	l    []brk
	head int    // l[head:] is in use
	gone uint64 // bytes missing before the oldest byte kept
}

func (b *breakList) len() int { return len(b.l) - b.head }

// find returns the index of the first hole that ends after off.
func (b *breakList) find(off uint64) int {
	if b.len() == 0 || b.l[b.head].off+b.l[b.head].n > off {
		return b.head
	}
	return b.head + sort.Search(b.len(), func(i int) bool { h := &b.l[b.head+i]; return h.off+h.n > off })
}

// in returns the hole that off lies in, nil when there is none.
func (b *breakList) in(off uint64) *brk {
	if i := b.find(off); i < len(b.l) && b.l[i].off <= off {
		return &b.l[i]
	}
	return nil
}

// missing returns how many bytes before off are missing.
func (b *breakList) missing(off uint64) uint64 {
	if b.len() == 0 {
		return b.gone
	}
	i := b.find(off)
	if i < len(b.l) {
		h := &b.l[i]
		if off > h.off {
			return h.before + off - h.off
		}
		return h.before
	}
	h := &b.l[i-1]
	return h.before + h.n
}

// add appends a hole, or makes the last one longer. It is false when there are too
// many or no memory is left.
func (b *breakList) add(pl *pool, off, n uint64, oob bool) bool {
	before := b.gone
	if b.len() > 0 {
		last := &b.l[len(b.l)-1]
		if last.off+last.n == off && last.oob == oob {
			last.n += n
			return true
		}
		before = last.before + last.n
	}
	if b.len() >= maxBreaks || !pl.take(brkBytes) {
		return false
	}
	b.l = append(b.l, brk{off, n, before, oob})
	return true
}

// prune forgets what lies before keep.
func (b *breakList) prune(pl *pool, keep uint64) {
	if b.len() == 0 {
		return
	}
	b.gone = b.missing(keep)
	i := b.find(keep)
	pl.mem -= uint64(i-b.head) * brkBytes
	b.head = i
	if i == len(b.l) {
		b.l, b.head = b.l[:0], 0
		return
	}
	if h := &b.l[i]; h.off < keep {
		h.n -= keep - h.off
		h.before = b.gone
		h.off = keep
	}
	if b.head*2 > len(b.l) {
		n := copy(b.l, b.l[b.head:])
		b.l, b.head = b.l[:n], 0
	}
}

func (b *breakList) clear(pl *pool) {
	pl.mem -= uint64(b.len()) * brkBytes
	b.l, b.head = b.l[:0], 0
}

// run returns the end of the bytes that can be read as one from off, at most
// limit: up to a hole, but over urgent data.
func (b *breakList) run(off, limit uint64) (end uint64, whole bool) {
	for i := b.find(off); i < len(b.l); i++ {
		h := &b.l[i]
		if h.off >= limit {
			break
		}
		if !h.oob && h.off > off {
			return h.off, false
		}
	}
	return limit, true
}

// after returns the offset behind n stored bytes that begin at off: urgent data in
// between, or right behind them, is stepped over.
func (b *breakList) after(off, n uint64) uint64 {
	end := off + n
	for i := b.find(off); i < len(b.l); i++ {
		h := &b.l[i]
		if h.off > end {
			break
		}
		if h.oob && h.off >= off {
			end += h.n
		}
	}
	return end
}
