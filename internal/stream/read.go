package stream

// Chunk is what the application layer gets to see next.
type Chunk struct {
	// Data is contiguous payload, valid until the next call of the Engine for this
	// session. Bytes not used are offered again, with more behind them.
	Data []byte
	// Offset is the stream offset of Data[0], or of the gap.
	Offset uint64
	// Gap is the number of bytes that are missing at Offset; then Data is empty.
	Gap uint64
	// EOF: nothing comes after Data.
	EOF bool
	// Depth: the stream was cut at the reassembly depth after Data.
	Depth bool
}

// App returns the next chunk of direction dir for the application layer; ok is
// false when there is nothing new. After a chunk with data call AppUsed. A gap, and
// the end, are told once.
func (s *Session) App(dir uint8) (c Chunk, ok bool) {
	h := &s.h[dir&1]
	if h.appOff || s.eng == nil {
		return c, false
	}
	for b := h.brk.in(h.app); b != nil; b = h.brk.in(h.app) {
		n := b.off + b.n - h.app
		if !b.oob && h.app >= h.limit {
			break
		}
		c.Offset = h.app
		h.app += n
		h.shown = max(h.shown, h.app)
		if !b.oob {
			c.Gap = n
			return c, true
		}
	}
	end, whole := h.brk.run(h.app, max(h.limit, h.app))
	last := whole && (s.flags&sfFinished != 0 || end == h.edge && h.right <= h.edge)
	c.EOF = last && h.over && !h.appEOF
	c.Depth = whole && h.depthNew
	if end <= h.shown && !c.EOF && !c.Depth {
		return c, false
	}
	c.Offset = h.app
	if end > h.app {
		a, z := h.index(h.app), h.index(end)
		c.Data = h.buf[a:z:z]
	}
	h.shown = end
	if c.EOF {
		h.appEOF = true
	}
	if c.Depth {
		h.depthNew, h.appOff = false, true
	}
	return c, true
}

// AppUsed tells how many bytes of the last chunk the application layer needs no
// more.
func (s *Session) AppUsed(dir uint8, n int) {
	h := &s.h[dir&1]
	h.app = min(h.brk.after(h.app, uint64(max(n, 0))), max(h.shown, h.app))
}

// Stalled returns how many bytes of direction dir the application layer was offered,
// did not use and cannot get more of: a hole follows them. AppUsed with that many
// goes on to the hole.
func (s *Session) Stalled(dir uint8) uint64 {
	h := &s.h[dir&1]
	if h.appOff || s.eng == nil {
		return 0
	}
	end, whole := h.brk.run(h.app, max(h.limit, h.app))
	if whole || end > h.shown {
		return 0
	}
	return end - h.app
}

// AppAgain makes App offer the bytes of direction dir that were not used once more,
// although nothing new has come.
func (s *Session) AppAgain(dir uint8) {
	h := &s.h[dir&1]
	h.shown = min(h.shown, h.app)
}

// AppProgress returns the stream offset the application layer is at.
func (s *Session) AppProgress(dir uint8) uint64 { return s.h[dir&1].app }

// StopApp ends reading by the application layer in direction dir.
func (s *Session) StopApp(dir uint8) { s.h[dir&1].appOff = true }

// Window is a part of the stream for raw content inspection.
type Window struct {
	Data   []byte // valid until the next call of the Engine for this session
	Offset uint64 // stream offset of Data[0]
	Fresh  int    // Data[:Fresh] was in a window before (Options.RawOverlap)
}

// Raw returns the next window of direction dir for raw content inspection: when
// enough data is acknowledged (Options.ChunkSize), the application layer asked for
// it (TriggerRaw), the depth is reached or the connection ends. Call it for the
// direction of the packet being handled, until ok is false; after each window call
// RawUsed.
func (s *Session) Raw(dir uint8) (w Window, ok bool) {
	h := &s.h[dir&1]
	if h.rawOff || s.eng == nil {
		return w, false
	}
	e := s.eng
	if s.flags&sfFinished != 0 && h.raw >= h.edge {
		h.skip(&e.pool, h.right)
	}
	for b := h.brk.in(h.raw); b != nil; b = h.brk.in(h.raw) {
		h.raw = b.off + b.n
	}
	end, whole := h.brk.run(h.raw, e.visible(s, h))
	if end <= h.raw {
		return w, false
	}
	if !(!whole || h.rawTrig || h.rawLast || h.depthHit || s.State > TimeWait || s.flags&sfFinished != 0 || e.opt.Inline) &&
		end-h.raw < uint64(e.opt.ChunkSize[dir&1]) {
		return w, false
	}
	from := h.raw
	if o := uint64(e.opt.RawOverlap); o > 0 {
		from = max(h.raw-min(o, h.raw), h.base)
		for i := h.brk.find(from); i < len(h.brk.l) && h.brk.l[i].off < h.raw; i++ {
			if b := &h.brk.l[i]; !b.oob {
				from = b.off + b.n
			}
		}
	}
	a, z := h.index(from), h.index(end)
	return Window{Data: h.buf[a:z:z], Offset: from, Fresh: h.index(h.raw) - a}, true
}

// RawUsed tells that a window that ended n bytes after its first fresh byte was
// inspected.
func (s *Session) RawUsed(dir uint8, n int) {
	h := &s.h[dir&1]
	h.raw = min(h.brk.after(h.raw, uint64(max(n, 0))), h.edge)
	h.rawTrig = false
	if h.rawLast {
		h.rawOff = true
	}
}

// TriggerRaw makes the next call of Raw for dir give what is acknowledged, however
// little (a transaction of that direction is complete).
func (s *Session) TriggerRaw(dir uint8) { s.h[dir&1].rawTrig = true }

// LastRaw makes the next window of direction dir, which then need not be of any
// size, the last (from here on the stream is encrypted).
func (s *Session) LastRaw(dir uint8) { s.h[dir&1].rawLast = true }

// StopRaw ends raw inspection of direction dir.
func (s *Session) StopRaw(dir uint8) { s.h[dir&1].rawOff = true }

// maxHold bounds the acknowledged bytes that Hold keeps, per direction: as much as
// a TLS record and some has.
const maxHold = 32 << 10

// Hold keeps the bytes of direction dir from stream offset off on although both
// readers are past them, up to maxHold bytes: Kept shows them. NoHold ends it.
func (s *Session) Hold(dir uint8, off uint64) { s.h[dir&1].hold = off + 1 }

// NoHold is the offset for Hold that keeps nothing.
const NoHold = ^uint64(0)

// RawProgress returns the stream offset raw inspection is at.
func (s *Session) RawProgress(dir uint8) uint64 { return s.h[dir&1].raw }
