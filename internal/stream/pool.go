package stream

import "math/bits"

// Buffers come in powers of two from 512 bytes to 64 MiB. What was given back is
// kept for the next that needs it, up to keepBytes in all: what is in use (mem)
// never exceeds the memcap, and the pool holds at most keepBytes more.
const (
	minBufBits = 9
	maxBufBits = 26 // the longest run kept for a reader that does not read
	pageSize   = 1024
	keepBytes  = 16 << 20
	keepLarge  = 1 << 20 // longer buffers are left to the garbage collector
)

type pool struct {
	mem   uint64 // bytes handed out
	limit uint64
	kept  uint64 // bytes in the lists below
	class [maxBufBits - minBufBits + 1][][]byte
	pages []*page
	parts []*part
	leafs []*leaf
	Drops uint64

	holesFull uint64 // holes not kept apart (maxBreaks)
}

type page [pageSize]byte

// take counts n bytes as in use. It is false when the memcap forbids.
func (p *pool) take(n uint64) bool {
	if p.mem+n > p.limit {
		p.Drops++
		return false
	}
	p.mem += n
	return true
}

// give counts n bytes as free and tells whether to keep the thing.
func (p *pool) give(n uint64) bool {
	p.mem -= n
	if n > keepLarge || p.kept+n > keepBytes {
		return false
	}
	p.kept += n
	return true
}

// get returns a buffer of at least n bytes, nil when the memcap forbids.
func (p *pool) get(n int) []byte {
	c := max(bits.Len(uint(max(n, 1)-1)), minBufBits)
	if c > maxBufBits || !p.take(1<<c) {
		return nil
	}
	l := p.class[c-minBufBits]
	if len(l) == 0 {
		return make([]byte, 1<<c)
	}
	b := l[len(l)-1]
	l[len(l)-1] = nil
	p.class[c-minBufBits] = l[:len(l)-1]
	p.kept -= 1 << c
	return b
}

// put takes a buffer of get back; nil is none.
func (p *pool) put(b []byte) {
	if cap(b) == 0 {
		return
	}
	b = b[:cap(b)]
	if p.give(uint64(len(b))) {
		c := bits.Len(uint(len(b)-1)) - minBufBits
		p.class[c] = append(p.class[c], b)
	}
}

func (p *pool) getPage() *page {
	if !p.take(pageSize) {
		return nil
	}
	if g := pop(&p.pages); g != nil {
		p.kept -= pageSize
		return g
	}
	return new(page)
}

func (p *pool) putPage(g *page) {
	if p.give(pageSize) {
		p.pages = append(p.pages, g)
	}
}

func (p *pool) getPart() *part {
	if !p.take(partBytes) {
		return nil
	}
	if g := pop(&p.parts); g != nil {
		p.kept -= partBytes
		g.lo, g.hi = 0, 0
		return g
	}
	return new(part)
}

func (p *pool) putPart(g *part) {
	if p.give(partBytes) {
		p.parts = append(p.parts, g)
	}
}

func (p *pool) getLeaf() *leaf {
	if !p.take(leafBytes) {
		return nil
	}
	if l := pop(&p.leafs); l != nil {
		p.kept -= leafBytes
		return l
	}
	return new(leaf)
}

// putLeaf takes a leaf without pages back.
func (p *pool) putLeaf(l *leaf) {
	if p.give(leafBytes) {
		p.leafs = append(p.leafs, l)
	}
}

// pop removes the last element, nil when there is none.
func pop[T any](l *[]*T) *T {
	n := len(*l)
	if n == 0 {
		return nil
	}
	x := (*l)[n-1]
	(*l)[n-1] = nil
	*l = (*l)[:n-1]
	return x
}
