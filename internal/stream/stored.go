package stream

// AppendStored appends what is still kept of direction dir and acknowledged, in
// order, to dst and returns it with the number of stream bytes it stands for.
// For each hole missing is called to append a mark in place of the n bytes that were
// lost.
func (s *Session) AppendStored(dst []byte, dir uint8, missing func(dst []byte, n uint64) []byte) ([]byte, uint64) {
	h := &s.h[dir&1]
	end := h.edge
	if s.eng != nil {
		end = s.eng.visible(s, h)
	}
	return h.appendRange(dst, h.base, end, missing)
}

// AppendRange is AppendStored for what is kept of the stream bytes from offset from
// to offset to, acknowledged or not.
func (s *Session) AppendRange(dst []byte, dir uint8, from, to uint64, missing func(dst []byte, n uint64) []byte) ([]byte, uint64) {
	h := &s.h[dir&1]
	return h.appendRange(dst, max(from, h.base), min(to, h.edge), missing)
}

func (h *half) appendRange(dst []byte, at, end uint64, missing func(dst []byte, n uint64) []byte) ([]byte, uint64) {
	n := uint64(0)
	for _, b := range h.brk.l[h.brk.head:] {
		if b.off+b.n <= at || b.off >= end {
			continue
		}
		if b.off > at {
			i, j := h.index(at), h.index(b.off)
			dst = append(dst, h.buf[i:j]...)
			n += b.off - at
			at = b.off
		}
		lost := min(b.off+b.n, end) - at
		dst = missing(dst, lost)
		n += lost
		at += lost
	}
	if end > at {
		i, j := h.index(at), h.index(end)
		dst = append(dst, h.buf[i:j]...)
		n += end - at
	}
	return dst, n
}

// Part is a run of stream bytes without a hole.
type Part struct {
	Data   []byte
	Offset uint64 // stream offset of Data[0]
}

// MaxParts bounds what Parts returns: a look at each costs, and so many holes in the
// few bytes kept are nobody's honest traffic.
const MaxParts = 32

// Parts appends what is kept of direction dir to dst, a Part for each run between
// holes, the last MaxParts of them. They are valid until the next call of the Engine
// for this session.
func (s *Session) Parts(dst []Part, dir uint8) []Part {
	h := &s.h[dir&1]
	at, l := h.base, h.brk.l[h.brk.head:]
	if n := len(l) - (MaxParts - 1); n > 0 {
		at = max(at, l[n-1].off+l[n-1].n)
		l = l[n:]
	}
	for _, b := range l {
		if b.off+b.n > h.edge {
			break
		}
		if b.off > at {
			i, j := h.index(at), h.index(b.off)
			dst = append(dst, Part{h.buf[i:j:j], at})
		}
		at = max(at, b.off+b.n)
	}
	if h.edge > at {
		i, j := h.index(at), h.index(h.edge)
		dst = append(dst, Part{h.buf[i:j:j], at})
	}
	return dst
}

// Kept returns the bytes of direction dir that are still kept, from the last hole
// on, and the stream offset of the first. They are valid until the next call of
// the Engine for this session.
func (s *Session) Kept(dir uint8) (data []byte, offset uint64) {
	h := &s.h[dir&1]
	at := h.base
	for _, b := range h.brk.l[h.brk.head:] {
		if b.off >= at && b.off+b.n <= h.edge {
			at = b.off + b.n
		}
	}
	if h.edge <= at {
		return nil, at
	}
	i, j := h.index(at), h.index(h.edge)
	return h.buf[i:j:j], at
}

// Unread returns the contiguous bytes of direction dir that the application layer
// has not used, and the stream offset of the first. They are valid until the next
// call of the Engine for this session.
func (s *Session) Unread(dir uint8) (data []byte, offset uint64) {
	h := &s.h[dir&1]
	if h.appOff || h.app >= h.edge || h.brk.in(h.app) != nil {
		return nil, h.app
	}
	end, _ := h.brk.run(h.app, h.edge)
	i, j := h.index(h.app), h.index(end)
	return h.buf[i:j:j], h.app
}
