package http2

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/body"
)

// sink takes the decoded bytes of a body.
type sink struct {
	t   *Tx
	dir proto.Dir
}

// BodyData implements body.Sink.
func (s sink) BodyData(b []byte) bool {
	t := s.t
	m := &t.m[s.dir]
	if m.doh {
		t.dnsData(s.dir, b)
	}
	if m.file == nil {
		t.openFile(s.dir)
	}
	m.file.Append(b)
	if m.part != nil {
		if m.part.Write(b, t.p.c.Time) {
			t.p.c.Limit(limitRanges)
		}
	}
	return true
}

// encoding returns the content encoding of a message.
func encoding(v []byte) body.Encoding {
	switch {
	case bytes.EqualFold(v, []byte("gzip")):
		return body.Gzip
	case bytes.EqualFold(v, []byte("deflate")):
		return body.Deflate
	case bytes.EqualFold(v, []byte("br")):
		return body.Brotli
	}
	return body.Identity
}

// data takes bytes of the body as they are on the wire.
func (t *Tx) data(dir proto.Dir, b []byte) {
	m := &t.m[dir]
	if len(b) == 0 || m.broken {
		return
	}
	t.Touch(dir)
	if !m.began {
		m.began = true
		if v, ok := m.value("content-encoding"); ok {
			if e := encoding(v); e != body.Identity {
				m.dec = body.NewDecoder([]body.Encoding{e}, body.Limits{BombLimit: t.p.cfg.bomb}, sink{t, dir})
			}
		}
	}
	if m.dec == nil {
		sink{t, dir}.BodyData(b)
		return
	}
	t.note(dir, m.dec.Write(b))
}

func (t *Tx) note(dir proto.Dir, n body.Note) {
	if n&body.Failed != 0 {
		t.AddEvent(EventFailedDecompression)
	}
	if n&body.Bomb != 0 {
		t.AddEvent(EventCompressionBomb)
	}
}

func (t *Tx) openFile(dir proto.Dir) {
	m := &t.m[dir]
	m.file = t.p.c.NewFile(t, dir, nil)
	if m.lost {
		m.file.Gaps = true
	}
	if dir == proto.ToClient {
		t.setRange()
	}
}

// lostData notes that n bytes of the body are missing.
func (t *Tx) lostData(dir proto.Dir, n int) {
	m := &t.m[dir]
	m.lost = true
	if m.dec != nil { // what follows cannot be decompressed
		t.note(dir, m.dec.Close())
		m.broken, m.dec = true, nil
	}
	if m.file != nil && m.file.State == proto.FileOpen {
		m.file.Gap(uint64(n))
		if m.part != nil {
			m.part.Lost(uint64(n))
		}
	}
}

// finish ends the body of direction dir; whole tells that its end was seen.
func (t *Tx) finish(dir proto.Dir, whole bool) {
	m := &t.m[dir]
	if m.dec != nil {
		t.note(dir, m.dec.Close())
		m.dec, m.broken = nil, true
	}
	if m.file != nil && m.file.State == proto.FileOpen {
		state := proto.FileClosed
		if !whole || m.lost {
			state = proto.FileTruncated
		}
		m.file.Close(state)
		t.Touch(dir)
		t.closeRange()
	}
	if m.doh && whole {
		t.dnsEnd(dir)
	}
}

// contentRange reads "bytes 0-499/1234"; -1 stands for what is not given.
func contentRange(v []byte) (start, end, size int64, ok bool) {
	i := bytes.IndexByte(v, ' ')
	if i <= 0 {
		return -1, -1, -1, false
	}
	v = bytes.TrimLeft(v[i:], " ")
	slash := bytes.IndexByte(v, '/')
	if slash < 0 {
		return -1, -1, -1, false
	}
	span, total := v[:slash], v[slash+1:]
	start, end, size = -1, -1, -1
	if string(total) != "*" {
		if size, ok = decimal(total); !ok {
			return -1, -1, -1, false
		}
	}
	if string(span) == "*" {
		return start, end, size, size >= 0
	}
	dash := bytes.IndexByte(span, '-')
	if dash < 0 {
		return -1, -1, -1, false
	}
	start, ok = decimal(span[:dash])
	if !ok {
		return -1, -1, -1, false
	}
	end, ok = decimal(span[dash+1:])
	return start, end, size, ok
}

// decimal reads a number of digits only.
func decimal(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return -1, false
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// setRange notes which part of a whole the response's file is.
func (t *Tx) setRange() {
	m := &t.m[proto.ToClient]
	v, ok := m.value("content-range")
	if !ok {
		return
	}
	start, end, size, ok := contentRange(v)
	switch {
	case !ok || end >= 0 && (start > end || size > 0 && end >= size):
		t.AddEvent(EventInvalidRange)
		return
	case end <= 0 || size <= 0 || start == 0 && end == size-1:
		return
	}
	path, _ := t.m[proto.ToServer].value(":path")
	auth, _ := t.m[proto.ToServer].host()
	f := m.file
	f.HasRange = true
	f.RangeStart, f.RangeEnd, f.RangeSize = uint64(start), uint64(end), uint64(size)
	key := append(append(make([]byte, 0, len(auth)+len(path)), auth...), path...)
	var full bool
	if m.part, full = t.p.cfg.ranges.Open(key, f.RangeStart, f.RangeSize, t.p.c.Time); full {
		t.p.c.Limit(limitRanges)
	}
}

// closeRange ends the part; the whole is one more file of the transaction.
func (t *Tx) closeRange() {
	m := &t.m[proto.ToClient]
	if m.part == nil {
		return
	}
	w, ok := m.part.Close(t.p.c.Time)
	m.part = nil
	if !ok {
		return
	}
	path, _ := t.m[proto.ToServer].value(":path")
	f := t.p.c.NewFile(t, proto.ToClient, path)
	f.Append(w.Data)
	if w.Gaps {
		f.Gap(w.Size - uint64(len(w.Data)))
		f.Close(proto.FileTruncated)
		return
	}
	f.Close(proto.FileClosed)
}
