package stream

import "math/bits"

// Buffers come in powers of two from minBuf to maxBuf; a class keeps what was
// given back. What the pools hold and what is in use together never exceeds the
// reassembly memcap by more than the pools' own bound.
const (
	minBufBits = 9  // 512 bytes
	maxBufBits = 26 // 64 MiB: the longest run kept for a reader that does not read
	pageSize   = 1024
	// keepPerClass bounds what a class keeps, in bytes.
	keepPerClass = 8 << 20
)

type pool struct {
	mem   uint64 // bytes handed out
	limit uint64
	class [maxBufBits - minBufBits + 1][][]byte
	pages []*page
	parts []*part
	leafs []*leaf
	Drops uint64
}

type page [pageSize]byte

// get returns a buffer of at least n bytes, nil when the memcap forbids.
func (p *pool) get(n int) []byte {
	c := max(bits.Len(uint(max(n, 1)-1)), minBufBits)
	if c > maxBufBits || p.mem+1<<c > p.limit {
		p.Drops++
		return nil
	}
	p.mem += 1 << c
	l := p.class[c-minBufBits]
	if len(l) > 0 {
		b := l[len(l)-1]
		p.class[c-minBufBits] = l[:len(l)-1]
		return b
	}
	return make([]byte, 1<<c)
}

func (p *pool) put(b []byte) {
	if cap(b) == 0 {
		return
	}
	b = b[:cap(b)]
	p.mem -= uint64(len(b))
	c := bits.Len(uint(len(b)-1)) - minBufBits
	if len(p.class[c])<<(c+minBufBits) < keepPerClass {
		p.class[c] = append(p.class[c], b)
	}
}

func (p *pool) getPage() *page {
	if p.mem+pageSize > p.limit {
		p.Drops++
		return nil
	}
	p.mem += pageSize
	if n := len(p.pages); n > 0 {
		g := p.pages[n-1]
		p.pages = p.pages[:n-1]
		return g
	}
	return new(page)
}

func (p *pool) putPage(g *page) {
	p.mem -= pageSize
	if len(p.pages) < keepPerClass/pageSize {
		p.pages = append(p.pages, g)
	}
}

func (p *pool) getPart() *part {
	if p.mem+partBytes > p.limit {
		p.Drops++
		return nil
	}
	p.mem += partBytes
	if n := len(p.parts); n > 0 {
		g := p.parts[n-1]
		p.parts = p.parts[:n-1]
		g.lo, g.hi = 0, 0
		return g
	}
	return new(part)
}

func (p *pool) putPart(g *part) {
	p.mem -= partBytes
	if len(p.parts) < keepPerClass/partBytes {
		p.parts = append(p.parts, g)
	}
}

func (p *pool) getLeaf() *leaf {
	if p.mem+leafBytes > p.limit {
		p.Drops++
		return nil
	}
	p.mem += leafBytes
	if n := len(p.leafs); n > 0 {
		l := p.leafs[n-1]
		p.leafs = p.leafs[:n-1]
		return l
	}
	return new(leaf)
}

// putLeaf takes a leaf without pages.
func (p *pool) putLeaf(l *leaf) {
	p.mem -= leafBytes
	if len(p.leafs) < keepPerClass/leafBytes {
		p.leafs = append(p.leafs, l)
	}
}
