package detect

import (
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// FrameSeen is proto.Frame.Seen of a frame that has been looked at to its end; below
// it Seen is the number of bytes looked at.
const FrameSeen = ^uint64(0)

// frameHit is a rule that has matched in a frame: it alerts once in each.
type frameHit struct {
	offset uint64
	id     uint32
	typ    string
	dir    proto.Dir
	num    uint32
}

// maxFrameHits bounds what is kept of them per flow.
const maxFrameHits = 256

// framePhase looks at the frames of the packet's direction that have new bytes.
func (w *Worker) framePhase() {
	c, dir := w.p.App, w.p.Dir&1
	w.app = c.App
	parts := w.frameParts()
	for i := range c.Frames {
		f := &c.Frames[i]
		for n := range parts {
			if f.Dir != dir || f.Seen == FrameSeen {
				break
			}
			if data, off, eof, ok := w.frameData(f, &parts[n], n < len(parts)-1); ok {
				w.frameLook(f, data, off, eof)
			}
		}
	}
}

// frameParts returns the bytes in which frames may lie.
func (w *Worker) frameParts() []StreamPart {
	p := w.p
	switch {
	case p.P.Proto != packet.ProtoTCP:
		w.onePart[0] = StreamPart{Data: w.payload}
	case p.Stream != nil:
		return p.Stream
	default:
		w.onePart[0] = StreamPart{p.Raw, p.RawOffset}
	}
	return w.onePart[:]
}

// frameLook tries the rules on bytes of frame f that begin off bytes into it.
func (w *Worker) frameLook(f *proto.Frame, data []byte, off uint64, eof bool) {
	g, dir := &w.e.groups, w.p.Dir&1
	w.nextGen()
	w.cand = w.cand[:0]
	w.hits.Reset()
	for j := range g.frames[dir] {
		fg := &g.frames[dir][j]
		if !fg.def.isFrame(f, w.app) || fg.matcher == nil {
			continue
		}
		d := data
		if len(fg.def.transforms) > 0 {
			var ok bool
			if d, ok = w.packetBuf(fg.def, w.cached(fg.def, dir), data); !ok {
				continue
			}
		}
		fg.matcher.Scan(d, w.hits)
	}
	for _, num := range w.hits.IDs {
		w.candidate(num)
	}
	for _, num := range g.frameAny[dir] {
		w.candidate(num)
	}
	w.sortCandidates()
	for _, num := range w.cand {
		w.tryFrame(w.e.sigs[num], f, data, off, eof)
	}
	if w.trace != nil {
		w.traceRest(func(s *sig) {
			if s.flag&sigFrames != 0 {
				w.evalFrame(s, f, data, off, eof)
			}
		}, kindTx)
	}
}

// isFrame tells whether d means frame f of protocol app.
func (d *bufDef) isFrame(f *proto.Frame, app proto.ID) bool {
	return d.frameType == f.Type
}

// frameData returns the bytes of f in part p to look at now, and notes them as seen. A
// frame that is not all there is looked at when it has grown by a window, or, if it
// has a length, when the part will not grow because a hole follows it.
func (w *Worker) frameData(f *proto.Frame, p *StreamPart, closed bool) (data []byte, off uint64, eof, ok bool) {
	end := p.Offset + uint64(len(p.Data))
	to := end
	if f.Len >= 0 {
		to = min(f.Offset+uint64(f.Len), end)
		eof = f.Offset+uint64(f.Len) <= end
	}
	last := w.p.StreamEnd || w.p.FlowEnd
	eof = eof || last && !closed
	from := max(f.Offset, p.Offset)
	if from > to || from == to && f.Len != 0 {
		return nil, 0, false, false
	}
	have := to - f.Offset
	back := uint64(w.e.opt.FileWindow)
	switch {
	case eof:
	case have <= f.Seen, !last && (!closed || f.Len < 0) && have-f.Seen < back:
		return nil, 0, false, false
	}
	if f.Seen > back {
		from = max(from, f.Offset+f.Seen-back)
	}
	if from > to {
		from = to
	}
	f.Seen = have
	if eof {
		f.Seen = FrameSeen
	}
	return p.Data[from-p.Offset : to-p.Offset], from - f.Offset, eof, true
}

// once tells whether s has not matched in frame f before, and notes it.
func (w *Worker) once(s *sig, f *proto.Frame) bool {
	m := w.p.Flow.more()
	h := frameHit{f.Offset, f.ID, f.Type, f.Dir, s.num}
	for i := range m.frames {
		if m.frames[i] == h {
			return false
		}
	}
	if len(m.frames) == maxFrameHits {
		w.Counters.FlowBitsFull++
		copy(m.frames, m.frames[1:])
		m.frames = m.frames[:maxFrameHits-1]
	}
	m.frames = append(m.frames, h)
	return true
}

// tryFrame evaluates a frame rule.
func (w *Worker) tryFrame(s *sig, f *proto.Frame, data []byte, off uint64, eof bool) {
	w.begin(s)
	t := w.profileStart()
	ok := w.evalFrame(s, f, data, off, eof)
	w.profileEnd(s, t, ok)
	if !ok || w.p.P.Proto == packet.ProtoTCP && !w.once(s, f) {
		return
	}
	m := match{s: s, frame: *f}
	for _, tx := range w.p.App.Txs {
		if tx.Base().ID == f.Tx {
			m.tx, m.txID = tx, f.Tx
		}
	}
	w.matched(s, m)
}

func (w *Worker) evalFrame(s *sig, f *proto.Frame, data []byte, off uint64, eof bool) bool {
	if !w.header(s) || !w.appMatches(s) {
		return false
	}
	if !w.checks(s) {
		return false
	}
	for i := range s.frames {
		b := &s.frames[i]
		if !b.def.isFrame(f, w.app) {
			return false
		}
		d, o := data, off
		if len(b.def.transforms) > 0 {
			var ok bool
			if d, ok = w.packetBuf(b.def, w.cached(b.def, w.p.Dir&1), data); !ok {
				return false
			}
			o = 0
		}
		w.win.reset(d, o, eof)
		ok := w.look(b.ops)
		if w.trace != nil {
			w.trace.step(b.def.label+"; "+describeOps(b.ops), result(ok), "")
		}
		if !ok {
			return false
		}
	}
	if !w.packetBuffers(s) {
		return false
	}
	if len(s.payload) > 0 {
		ok, _ := w.payloadMatches(s)
		return ok
	}
	return true
}
