package stream

// AppendStored appends what is still kept of direction dir and acknowledged, in
// order, to dst and returns it with the number of stream bytes it stands for. For each hole missing
// is called to append a mark in place of the n bytes that were lost.
func (s *Session) AppendStored(dst []byte, dir uint8, missing func(dst []byte, n uint64) []byte) ([]byte, uint64) {
	h := &s.h[dir&1]
	at, n, end := h.base, uint64(0), h.edge
	if s.eng != nil {
		end = s.eng.visible(s, h)
	}
	for _, b := range h.brk.l[h.brk.head:] {
		if b.off < at || b.off+b.n > end {
			continue
		}
		if b.off > at {
			i, j := h.index(at), h.index(b.off)
			dst = append(dst, h.buf[i:j]...)
			n += b.off - at
		}
		dst = missing(dst, b.n)
		n += b.n
		at = b.off + b.n
	}
	if end > at {
		i, j := h.index(at), h.index(end)
		dst = append(dst, h.buf[i:j]...)
		n += end - at
	}
	return dst, n
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
	if h.appOff || h.app >= h.edge {
		return nil, h.app
	}
	if h.brk.find(h.app) < len(h.brk.l) {
		return nil, h.app
	}
	i, j := h.index(h.app), h.index(h.edge)
	return h.buf[i:j:j], h.app
}
