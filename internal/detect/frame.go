package detect

import "mirador/internal/proto"

// framePhase looks at the frames of the packet's direction.
func (w *Worker) framePhase() {
	c, dir := w.p.App, w.p.Dir&1
	g := &w.e.groups
	w.app = c.App
	for i := range c.Frames {
		f := &c.Frames[i]
		if f.Dir != dir {
			continue
		}
		data, off, eof, ok := w.frameData(f)
		if !ok {
			continue
		}
		w.nextGen()
		w.cand = w.cand[:0]
		w.hits.Reset()
		for j := range g.frames[dir] {
			fg := &g.frames[dir][j]
			if !fg.def.isFrame(f, c.App) || fg.matcher == nil {
				continue
			}
			d := data
			if len(fg.def.transforms) > 0 {
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
	}
}

// isFrame tells whether d means frame f of protocol app.
func (d *bufDef) isFrame(f *proto.Frame, app proto.ID) bool {
	return d.frameType == f.Type
}

// frameData returns the bytes of f that are there and have not been looked at.
func (w *Worker) frameData(f *proto.Frame) (data []byte, off uint64, eof, ok bool) {
	p := w.p
	win, start := p.Stream, p.StreamOffset
	if win == nil {
		win, start = p.Raw, p.RawOffset
	}
	if p.P.Proto == 17 {
		win, start = w.payload, 0
	}
	end := start + uint64(len(win))
	from, to := f.Offset, end
	if f.Len >= 0 {
		to = min(f.Offset+uint64(f.Len), end)
		eof = f.Offset+uint64(f.Len) <= end
	} else {
		eof = p.StreamEnd || p.FlowEnd
	}
	if from < start {
		from = start
	}
	if from > to || from == to && f.Len != 0 {
		return nil, 0, false, false
	}
	return win[from-start : to-start], from - f.Offset, eof, true
}

// tryFrame evaluates a frame rule.
func (w *Worker) tryFrame(s *sig, f *proto.Frame, data []byte, off uint64, eof bool) {
	w.begin(s)
	t := w.profileStart()
	ok := w.evalFrame(s, f, data, off, eof)
	w.profileEnd(s, t, ok)
	if !ok {
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
	for _, k := range s.checks {
		if !k.match(w) {
			return false
		}
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
		if !w.run(b.ops, &w.win) {
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
