package stream

// pageDir keeps bytes that came out of order, by stream offset, in pages of fixed
// size: one byte far ahead costs one page, not the way to it. Which bytes of a page
// are valid says the piece list.
type pageDir struct {
	leaf  []*leaf // leaf i covers leafSpan bytes from first + i*leafSpan
	first uint64  // multiple of leafSpan
	done  uint64  // pages before this offset were given back
}

const (
	leafLen   = 64
	leafSpan  = leafLen * pageSize
	leafBytes = leafLen*8 + 8
)

type leaf struct {
	page [leafLen]*page
	n    int // pages in use
}

// reserve makes sure that the pages of [at, stop) exist. It is false when there is
// no memory; pages made until then stay for later.
func (d *pageDir) reserve(pl *pool, at, stop uint64) bool {
	if len(d.leaf) == 0 {
		d.first = at - at%leafSpan
	}
	if at < d.first { // data before the first out-of-order data
		n := int((d.first - at + leafSpan - 1) / leafSpan)
		old := len(d.leaf)
		if !d.extend(pl, n) {
			return false
		}
		copy(d.leaf[n:], d.leaf[:old])
		clear(d.leaf[:n])
		d.first -= uint64(n) * leafSpan
	}
	if n := int((stop-1-d.first)/leafSpan) + 1 - len(d.leaf); n > 0 && !d.extend(pl, n) {
		return false
	}
	for o := at - at%pageSize; o < stop; o += pageSize {
		i := int((o - d.first) / leafSpan)
		l := d.leaf[i]
		if l == nil {
			if l = pl.getLeaf(); l == nil {
				return false
			}
			d.leaf[i] = l
		}
		pg := &l.page[o/pageSize%leafLen]
		if *pg == nil {
			if *pg = pl.getPage(); *pg == nil {
				return false
			}
			l.n++
		}
	}
	return true
}

// extend adds n empty places behind the leaves. They are counted, too: a window can
// have a thousand.
func (d *pageDir) extend(pl *pool, n int) bool {
	if !pl.take(uint64(n) * 8) {
		return false
	}
	for range n {
		d.leaf = append(d.leaf, nil)
	}
	return true
}

// page returns the page of offset off, which must exist.
func (d *pageDir) page(off uint64) *page {
	return d.leaf[(off-d.first)/leafSpan].page[off/pageSize%leafLen]
}

func (d *pageDir) write(off uint64, data []byte) {
	for len(data) > 0 {
		n := copy(d.page(off)[off%pageSize:], data)
		data = data[n:]
		off += uint64(n)
	}
}

func (d *pageDir) read(dst []byte, off uint64) {
	for len(dst) > 0 {
		n := copy(dst, d.page(off)[off%pageSize:])
		dst = dst[n:]
		off += uint64(n)
	}
}

func (d *pageDir) equal(off uint64, data []byte) bool {
	for len(data) > 0 {
		p := d.page(off)[off%pageSize:]
		n := min(len(p), len(data))
		if string(p[:n]) != string(data[:n]) {
			return false
		}
		data = data[n:]
		off += uint64(n)
	}
	return true
}

// release gives back all pages that end at or before off.
func (d *pageDir) release(pl *pool, off uint64) {
	off -= off % pageSize
	if off <= d.done || len(d.leaf) == 0 {
		return
	}
	at := max(d.done, d.first)
	d.done = off
	for i := int((at - d.first) / leafSpan); i < len(d.leaf); i++ {
		from := d.first + uint64(i)*leafSpan
		if from >= off {
			break
		}
		if d.leaf[i] != nil {
			d.empty(pl, i, int((max(at, from)-from)/pageSize), min(int((off-from)/pageSize), leafLen))
		}
	}
	if whole := int((off - min(off, d.first)) / leafSpan); whole > 0 {
		whole = min(whole, len(d.leaf))
		n := copy(d.leaf, d.leaf[whole:])
		clear(d.leaf[n:])
		d.leaf = d.leaf[:n]
		pl.mem -= uint64(whole) * 8
		d.first += uint64(whole) * leafSpan
	}
}

// empty gives back pages a to b of leaf i, and the leaf when it has no more.
func (d *pageDir) empty(pl *pool, i, a, b int) {
	l := d.leaf[i]
	for k := a; k < b; k++ {
		if l.page[k] != nil {
			pl.putPage(l.page[k])
			l.page[k] = nil
			l.n--
		}
	}
	if l.n == 0 {
		pl.putLeaf(l)
		d.leaf[i] = nil
	}
}

func (d *pageDir) clear(pl *pool) {
	for i, l := range d.leaf {
		if l != nil {
			d.empty(pl, i, 0, leafLen)
		}
	}
	pl.mem -= uint64(len(d.leaf)) * 8
	d.leaf, d.done = d.leaf[:0], 0
}
