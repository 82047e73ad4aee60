package stream

// half is one direction of a session: what its sender said about sequence numbers,
// and the payload it sent.
//
// Payload is kept by stream offset: offset 0 is the byte after the SYN. What is
// contiguous lies in one sliding buffer, buf; what came out of order lies in pages
// until the hole before it is filled or given up. list says which bytes are there
// and which segment each is from. A hole given up becomes a break in buf.
type half struct {
	isn     uint32
	nextSeq uint32 // after the last byte sent in order
	lastAck uint32 // highest acknowledgement of the other side
	win     uint32 // what the other side lets the sender send
	nextWin uint32 // lastAck + win, never moved back
	lastTS  uint32
	tsTime  int64 // Unix nanoseconds of the packet with lastTS
	depth   int64 // reassembly depth of its own plus one, 0 none
	wscale  uint8 // to apply to win
	policy  Policy
	hasTS   bool
	zeroTS  bool
	keepAlive, zwp,
	rstRecv, // the other side sent a RST
	known bool // isn is known, so that data can be placed
	seen    uint8 // TCP flags of the packets of this direction
	finSeen bool
	finSeq  uint32 // sequence number of the FIN

	// reassembly
	noReasm   bool // nothing more is stored
	depthHit  bool
	depthNew  bool // to be told to the app reader
	depthTold bool
	appOff    bool
	rawOff    bool
	rawTrig   bool
	rawLast   bool     // the next window is the last
	appEOF    bool     // told to the app reader
	over      bool     // the app reader may be told the end
	urgent    uint16   // urgent bytes taken out
	oob       []uint64 // offsets of urgent bytes beyond the edge, sorted
	lost      uint32   // times that readers were moved on because of too many holes

	base  uint64 // offset of buf[head]: the oldest byte kept
	low   uint64 // list knows the bytes from here; those before are acknowledged
	edge  uint64 // offset after the last contiguous byte
	right uint64 // offset after the last byte stored
	app   uint64 // offset the app reader is at
	shown uint64 // offset up to which the app reader was shown data it did not use
	limit uint64 // offset up to which the app reader may see
	raw   uint64
	hold  uint64 // offset+1 from which on bytes are kept, 0 none; see Session.Hold

	buf   []byte
	head  int
	used  int // buf[head:used] holds data
	brk   breakList
	list  pieceList
	dir   pageDir
	stats HalfStats
}

// HalfStats is what one direction did.
type HalfStats struct {
	Bytes    uint64 // payload bytes made contiguous
	Gaps     uint32 // holes given up
	GapBytes uint64
	regions  uint16
}

// regionGap is the distance from which Suricata's buffer opens another region.
const (
	regionGap  = 256 << 10
	maxRegions = 8 // more are not counted
)

// MaxRegions is the most runs of data that were apart by more than regionGap at one
// time, at least 1 (EVE tcp.ts_max_regions and tc_max_regions).
func (s HalfStats) MaxRegions() uint16 { return max(s.regions, 1) }

// keepCap is the length up to which the slices of a direction are kept for its next
// connection.
const keepCap = 64

func spare[T any](s []T) []T {
	if cap(s) > keepCap {
		return nil
	}
	return s[:0]
}

// reset forgets all but the memory of h's slices, where it is small.
func (h *half) reset(pl *pool) {
	h.drop(pl)
	*h = half{brk: breakList{l: spare(h.brk.l)}, oob: spare(h.oob), list: pieceList{parts: spare(h.list.parts)},
		dir: pageDir{leaf: spare(h.dir.leaf)}}
}

// drop gives all stored data back: as if everything up to the edge was read, and
// nothing came behind it.
func (h *half) drop(pl *pool) {
	pl.put(h.buf)
	h.buf, h.head, h.used = nil, 0, 0
	h.list.clear(pl)
	h.dir.clear(pl)
	h.brk.prune(pl, h.edge)
	h.brk.clear(pl)
	h.oob = h.oob[:0]
	h.base, h.low, h.right = h.edge, h.edge, h.edge
	h.app, h.raw, h.shown = h.edge, h.edge, h.edge
}

// offset returns the stream offset of seq. It is negative for bytes before the
// first. The result is exact within 2 GiB of the contiguous edge.
func (h *half) offset(seq uint32) int64 {
	return int64(h.edge) + int64(int32(seq-(h.isn+1+uint32(h.edge))))
}

// acked returns the offset up to which the other side acknowledged, not counting
// the FIN.
func (h *half) acked() uint64 {
	a := h.lastAck
	if h.finSeen && seqGT(a, h.finSeq) {
		a = h.finSeq
	}
	return uint64(max(h.offset(a), 0))
}

// room makes place for n more bytes at the end of buf.
func (h *half) room(pl *pool, n int) bool {
	if len(h.buf)-h.used >= n {
		return true
	}
	live := h.used - h.head
	if h.buf != nil && len(h.buf)-live >= n && h.head >= live {
		// Sliding costs no more than the bytes that were read since.
		copy(h.buf, h.buf[h.head:h.used])
		h.head, h.used = 0, live
		return true
	}
	b := pl.get(max(live+n, live*2))
	if b == nil {
		return false
	}
	copy(b, h.buf[h.head:h.used])
	pl.put(h.buf)
	h.buf, h.head, h.used = b, 0, live
	return true
}

// index returns where the byte at offset off, base <= off <= edge, is in buf.
func (h *half) index(off uint64) int {
	return h.head + int(off-h.base-(h.brk.missing(off)-h.brk.gone))
}

// insertResult is what insert found.
type insertResult struct {
	stored   bool // some byte is new
	overlap  bool // some byte was there already
	differs  bool // ... with another value
	noMemory bool
}

// insert stores the segment data at offset off. Bytes already acknowledged or read
// stay as they are.
func (h *half) insert(pl *pool, off uint64, data []byte) (r insertResult) {
	end := off + uint64(len(data))
	if off == h.edge && h.right <= h.edge && len(h.oob) == 0 { // in order: the common case
		if h.list.n >= maxPieces || !h.room(pl, len(data)) || !h.list.push(pl, mkPiece(off, end, off, end)) {
			r.noMemory = true
			return r
		}
		h.used += copy(h.buf[h.used:], data)
		h.edge, h.right = end, end
		h.stats.Bytes += uint64(len(data))
		r.stored = true
		return r
	}
	return h.insertSlow(pl, off, end, data)
}

// insertSlow handles what is out of order or overlaps.
func (h *half) insertSlow(pl *pool, off, end uint64, data []byte) (r insertResult) {
	at := max(off, h.base)
	if at < min(end, h.low) {
		stop := min(end, h.low)
		r.overlap = true
		r.differs = !h.sameOld(at, data[at-off:stop-off])
		at = stop
	}
	fixed := max(h.acked(), h.app, h.raw)
	c := h.list.find(at)
	for at < end {
		if !h.list.ok(c) || h.list.at(c).off > at {
			stop := end
			if h.list.ok(c) {
				stop = min(stop, h.list.at(c).off)
			}
			if at < h.edge { // a hole given up, or bytes consumed: too late
				stop = min(stop, h.edge)
				at = stop
				continue
			}
			var ok bool
			if c, ok = h.fill(pl, c, at, stop, off, end, data[at-off:stop-off]); !ok {
				r.noMemory = true
				break
			}
			r.stored = true
			at = stop
			continue
		}
		p := h.list.at(c)
		stop := min(end, p.off+uint64(p.n))
		if at < fixed {
			stop = min(stop, fixed)
		}
		part := data[at-off : stop-off]
		r.overlap = true
		same := h.same(at, part)
		r.differs = r.differs || !same
		if at >= fixed && h.policy.takes(off, end, p.start(), p.end()) {
			if !same {
				h.write(at, part)
			}
			c = h.list.own(pl, c, at, stop, off, end)
		}
		at = stop
		if h.list.ok(c) {
			if p = h.list.at(c); p.off+uint64(p.n) <= at {
				c = h.list.next(c)
			}
		}
	}
	h.absorb(pl)
	return r
}

// fill stores new bytes [at, stop) of the segment [start, end) before c.
func (h *half) fill(pl *pool, c cursor, at, stop, start, end uint64, data []byte) (cursor, bool) {
	if h.list.n >= maxPieces || stop > h.edge+maxAhead || !h.dir.reserve(pl, at, stop) {
		return c, false
	}
	c, ok := h.list.insert(pl, c, mkPiece(at, stop, start, end))
	if !ok {
		return c, false
	}
	if at > h.right+regionGap {
		h.regions()
	}
	h.dir.write(at, data)
	h.right = max(h.right, stop)
	return h.list.next(c), true
}

// sameOld compares data with acknowledged bytes that are still kept, leaving out
// the holes among them.
func (h *half) sameOld(off uint64, data []byte) bool {
	for i := h.brk.find(off); i < len(h.brk.l); i++ {
		b := &h.brk.l[i]
		if b.off >= off+uint64(len(data)) {
			break
		}
		if b.off > off && !h.same(off, data[:b.off-off]) {
			return false
		}
		cut := min(b.off+b.n-off, uint64(len(data)))
		data = data[cut:]
		off += cut
	}
	return h.same(off, data)
}

// same compares data with what is stored at off.
func (h *half) same(off uint64, data []byte) bool {
	if off < h.edge {
		i := h.index(off)
		return string(h.buf[i:i+len(data)]) == string(data)
	}
	return h.dir.equal(off, data)
}

// write overwrites stored bytes.
func (h *half) write(off uint64, data []byte) {
	if off < h.edge {
		copy(h.buf[h.index(off):], data)
		return
	}
	h.dir.write(off, data)
}

// absorb moves what became contiguous from the pages to buf.
func (h *half) absorb(pl *pool) {
	from, missing := h.edge, uint64(0)
	c := h.list.find(h.edge)
	for {
		if len(h.oob) > 0 && h.oob[0] <= h.edge {
			if h.oob[0] == h.edge {
				h.hole(pl, 1, true)
				missing++
			}
			h.oob = append(h.oob[:0], h.oob[1:]...)
			continue
		}
		if !h.list.ok(c) {
			break
		}
		p := h.list.at(c)
		if p.off > h.edge || !h.room(pl, int(p.n)) {
			break
		}
		h.dir.read(h.buf[h.used:h.used+int(p.n)], p.off)
		h.used += int(p.n)
		h.edge += uint64(p.n)
		h.list.steps++
		c = h.list.next(c)
	}
	if h.edge > from {
		h.stats.Bytes += h.edge - from - missing
		h.right = max(h.right, h.edge)
		h.dir.release(pl, h.edge)
	}
}

// hole moves the edge over n missing bytes.
func (h *half) hole(pl *pool, n uint64, oob bool) {
	if !h.brk.add(pl, h.edge, n, oob) {
		pl.holesFull++
		h.forceReaders(pl)
		h.brk.gone += n
		h.app, h.raw = h.app+n, h.raw+n
		h.shown += n
		h.base += n
		h.low += n
	}
	h.edge += n
}

// regions notes how many runs are more than regionGap apart.
func (h *half) regions() {
	n := uint16(1)
	end := h.edge
	for c := h.list.find(h.edge); h.list.ok(c) && n < maxRegions; c = h.list.next(c) {
		p := h.list.at(c)
		if p.off > end+regionGap {
			n++
		}
		end = p.off + uint64(p.n)
	}
	h.stats.regions = max(h.stats.regions, n)
}

// skip gives up the hole at the edge, or its part before stop. It returns the bytes
// missing, 0 when nothing is stored behind the hole.
func (h *half) skip(pl *pool, stop uint64) uint64 {
	if h.right <= h.edge {
		return 0
	}
	next := min(h.list.at(h.list.find(h.edge)).off, stop)
	if next <= h.edge {
		return 0
	}
	n := next - h.edge
	h.hole(pl, n, false)
	h.absorb(pl)
	return n
}

// forceReaders moves both readers to the edge, so that all holes can go.
func (h *half) forceReaders(pl *pool) {
	h.app, h.raw, h.shown = h.edge, h.edge, h.edge
	h.brk.prune(pl, h.edge)
	h.head, h.base = h.used, h.edge
	for h.low = h.edge; h.list.n > 0 && h.list.first().off < h.edge; {
		h.list.popFront(pl)
	}
	h.lost++
}

// prune gives back what both readers and the overlap check no longer need.
func (h *half) prune(pl *pool, overlap uint64) {
	acked := min(h.acked(), h.edge)
	if acked > h.low {
		h.low = acked
		for h.list.n > 0 {
			p := h.list.first()
			if p.off >= acked {
				break
			}
			if p.off+uint64(p.n) > acked {
				p.cut(acked)
				break
			}
			h.list.popFront(pl)
		}
	}
	keep := acked
	if h.hold != 0 && h.hold-1 < keep {
		keep = max(h.hold-1, keep-min(keep, maxHold))
	}
	if !h.appOff {
		keep = min(keep, h.app)
	}
	if !h.rawOff {
		keep = min(keep, h.raw-min(overlap, h.raw))
	}
	if keep > h.base {
		h.head = h.index(keep)
		h.base = keep
		h.brk.prune(pl, keep)
	}
	if h.head == h.used && h.buf != nil {
		pl.put(h.buf)
		h.buf, h.head, h.used = nil, 0, 0
	}
}
