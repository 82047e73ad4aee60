package stream

// pageDir keeps bytes that came out of order, by stream offset, in pages of fixed
// size: one byte far ahead costs one page, not the way to it. Which bytes of a page
// are valid says the piece list.
type pageDir struct {
	leaf  []*leaf // leaf i covers leafSpan bytes from first + i*leafSpan
	first uint64  // multiple of leafSpan
	n     int     // pages in use
}

const (
	leafLen  = 64
	leafSpan = leafLen * pageSize
)

type leaf struct {
	page [leafLen]*page
	n    int
}

// reserve makes sure that the pages of [at, stop) exist.
func (d *pageDir) reserve(pl *pool, at, stop uint64) bool {
	if d.n == 0 {
		clear(d.leaf)
		d.leaf = d.leaf[:0]
		d.first = at - at%leafSpan
	}
	for at < d.first { // data before the first out-of-order data
		d.leaf = append(d.leaf, nil)
		copy(d.leaf[1:], d.leaf)
		d.leaf[0] = nil
		d.first -= leafSpan
	}
	for o := at - at%pageSize; o < stop; o += pageSize {
		i := int((o - d.first) / leafSpan)
		for i >= len(d.leaf) {
			d.leaf = append(d.leaf, nil)
		}
		l := d.leaf[i]
		if l == nil {
			l = new(leaf)
			d.leaf[i] = l
		}
		pg := &l.page[o/pageSize%leafLen]
		if *pg == nil {
			if *pg = pl.getPage(); *pg == nil {
				return false
			}
			l.n++
			d.n++
		}
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
	for d.n > 0 && len(d.leaf) > 0 {
		l := d.leaf[0]
		if l != nil {
			for i := range l.page {
				if l.page[i] != nil && d.first+uint64(i+1)*pageSize <= off {
					pl.putPage(l.page[i])
					l.page[i] = nil
					l.n--
					d.n--
				}
			}
		}
		if d.first+leafSpan > off {
			return
		}
		d.leaf = append(d.leaf[:0], d.leaf[1:]...)
		d.first += leafSpan
	}
}

func (d *pageDir) clear(pl *pool) {
	for i, l := range d.leaf {
		if l == nil {
			continue
		}
		for _, p := range l.page {
			if p != nil {
				pl.putPage(p)
			}
		}
		d.leaf[i] = nil
	}
	d.leaf, d.n = d.leaf[:0], 0
}
