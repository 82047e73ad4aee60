package http

import (
	"mirador/internal/proto"
	"mirador/internal/proto/body"
)

// What is done with a body.
const (
	bodyPlain     uint8 = iota // inspected only
	bodyFile                   // one file
	bodyMultipart              // files in parts
)

// setupRequestBody decides what the body of a request is.
func (p *parser) setupRequestBody(t *Tx) {
	s := &t.body[proto.ToServer]
	if s.began {
		return
	}
	s.began = true
	p.setupDecoder(t, proto.ToServer)
	switch t.method {
	case methodPost:
		s.kind = bodyFile
		if v, ok := t.Header(proto.ToServer, "content-type"); ok {
			if b, ok := body.Boundary(v); ok {
				s.kind = bodyMultipart
				s.mp = body.NewMultipart(b, s)
			}
		}
	case methodPut:
		s.kind = bodyFile
	}
}

// write takes bytes of the body as they are on the wire.
func (s *bodySide) write(b []byte) {
	if len(b) == 0 {
		return
	}
	s.tx.Touch(s.dir)
	if s.dec == nil {
		s.BodyData(b)
		return
	}
	s.note(s.dec.Write(b))
}

func (s *bodySide) note(n body.Note) {
	if n&body.Bomb != 0 {
		s.tx.AddEvent(evBomb)
	}
	if n&body.LZMAMemory != 0 {
		s.tx.AddEvent(evLZMAMemory)
	}
}

// limit returns how many bytes of the body are kept, 0 for all.
func (s *bodySide) limit() uint64 {
	if s.file != nil && s.file.Store {
		return s.tx.opt.storeDepth
	}
	return s.tx.opt.body[s.dir].limit
}

// BodyData implements body.Sink: decoded bytes of the body.
func (s *bodySide) BodyData(b []byte) bool {
	s.tx.msg[s.dir].entity += uint64(len(b))
	lim := s.limit()
	if lim > 0 && s.seen >= lim {
		s.overflow()
		return false
	}
	all := len(b)
	if lim > 0 {
		b = b[:min(uint64(all), lim-s.seen)]
	}
	s.buf = append(s.buf, b...)
	s.seen += uint64(len(b))
	switch {
	case s.mp != nil:
		s.noteParts(s.mp.Write(b))
	case s.dir == proto.ToClient || s.kind == bodyFile:
		s.openFile()
		if s.file != nil {
			s.file.Append(b)
		}
		if s.part != nil {
			if s.part.Write(b, s.p.c.Time) {
				s.p.c.Limit(limitRanges)
			}
		}
	}
	if len(b) < all {
		// More than is kept: the file ends here.
		s.overflow()
		return false
	}
	return true
}

// overflow notes that there was more than is kept.
func (s *bodySide) overflow() {
	s.cut = true
	s.closeFile(proto.FileTruncated)
}

func (s *bodySide) noteParts(n body.PartNote) {
	if n&body.PartNoFileData != 0 {
		s.tx.AddEvent(evMultipartNoFile)
	}
	if n&body.PartBadHeader != 0 {
		s.tx.AddEvent(evMultipartHeader)
	}
}

// openFile begins the file of a body that is one.
func (s *bodySide) openFile() {
	if s.file != nil || s.cut {
		return
	}
	t := s.tx
	name := t.path
	if s.dir == proto.ToClient {
		if v, ok := t.Header(proto.ToClient, "content-disposition"); ok {
			if n, ok := body.Param(v, "filename"); ok && len(n) > 0 {
				name = n
			}
		}
	}
	if name == nil {
		return
	}
	s.FileOpen(name)
	if s.dir == proto.ToClient {
		s.setRange()
	}
}

// FileOpen implements body.PartSink.
func (s *bodySide) FileOpen(name []byte) {
	if len(name) > maxFileName {
		s.tx.AddEvent(evFileName)
		name = name[:maxFileName]
	}
	s.file = s.p.c.NewFile(s.tx, s.dir, name)
}

// FileData implements body.PartSink.
func (s *bodySide) FileData(b []byte) {
	if s.file != nil {
		s.file.Append(b)
	}
}

// FileClose implements body.PartSink.
func (s *bodySide) FileClose(whole bool) {
	if whole {
		s.closeFile(proto.FileClosed)
	} else {
		s.closeFile(proto.FileTruncated)
	}
	s.file = nil
}

func (s *bodySide) closeFile(state proto.FileState) {
	if s.file == nil {
		return
	}
	if s.file.Gaps || s.gap {
		state = proto.FileTruncated
	}
	s.file.Close(state)
	s.closeRange()
	s.tx.Touch(s.dir)
}

// lost notes that n bytes of the body are missing. What follows cannot be
// decompressed.
func (s *bodySide) lost(n int) {
	s.tx.Touch(s.dir)
	if s.dec != nil {
		s.note(s.dec.Close())
		s.dec = nil
	}
	s.gap = true
	if s.mp == nil && (s.dir == proto.ToClient || s.kind == bodyFile) && n > 0 {
		s.openFile()
	}
	if s.file != nil && n > 0 && s.file.State == proto.FileOpen {
		s.file.Gap(uint64(n))
		if s.part != nil {
			s.part.Lost(uint64(n))
		}
	}
}

// end closes the body; state is that of its file when nothing is amiss.
func (s *bodySide) end(state proto.FileState) {
	if state == proto.FileTruncated && s.file != nil && s.file.State == proto.FileOpen {
		s.file.Cut = true
	}
	if s.dec != nil {
		s.note(s.dec.Close())
		s.dec = nil
	}
	if s.mp != nil {
		s.noteParts(s.mp.Close(state == proto.FileClosed && !s.gap && !s.cut))
		s.mp = nil
		return
	}
	s.closeFile(state)
}

// ready tells whether the window is to be inspected: once enough is there, and
// when nothing more will come.
func (s *bodySide) ready(over bool) bool {
	o := &s.tx.opt.body[s.dir]
	return over || s.seen >= o.minimal || s.tx.opt.inline ||
		o.limit > 0 && s.seen >= o.limit
}

// window returns the bytes to inspect now: what is new, with some of what was
// inspected before it.
func (s *bodySide) window() (data []byte, off uint64) {
	o := &s.tx.opt.body[s.dir]
	from := uint64(0)
	if s.inspected > o.minimal {
		if fresh := s.seen - s.inspected; fresh < o.window {
			from = s.inspected - min(s.inspected, o.window-fresh)
		} else {
			from = s.inspected - min(s.inspected, o.window/4)
		}
	}
	from = max(from, s.off)
	return s.buf[from-s.off:], from
}

// looked notes that detection has seen the window, and lets go of what it will
// not see again.
func (s *bodySide) looked(dir proto.Dir, over bool) {
	if !s.ready(over) {
		return
	}
	s.inspected = s.seen
	o := &s.tx.opt.body[dir]
	if s.inspected <= o.minimal || s.inspected < o.window {
		return
	}
	if dead := s.inspected - o.window; dead > s.off && dead-s.off > uint64(len(s.buf))/2 {
		n := copy(s.buf, s.buf[dead-s.off:])
		s.buf, s.off = s.buf[:n], dead
	}
}
