package http

import (
	"bytes"
	"math"

	"mirador/internal/proto"
)

// contentRange is a Content-Range; -1 stands for what is not given.
type contentRange struct{ start, end, size int64 }

// parseRange reads "bytes 0-499/1234", "bytes 0-499/*" and "bytes */1234". The
// unit may be any word.
func parseRange(v []byte) (r contentRange, ok bool) {
	r = contentRange{-1, -1, -1}
	i := 0
	for i < len(v) && lower(v[i]) >= 'a' && lower(v[i]) <= 'z' {
		i++
	}
	if i == 0 {
		return r, false
	}
	v = bytes.TrimLeft(v[i:], " ")
	if len(v) > 1 && v[0] == '*' && v[1] == '/' {
		r.size, _, ok = number(v[2:])
		return r, ok
	}
	if r.start, v, ok = number(v); !ok || len(v) == 0 || v[0] != '-' {
		return r, false
	}
	if r.end, v, ok = number(v[1:]); !ok || len(v) == 0 || v[0] != '/' {
		return r, false
	}
	if v = v[1:]; len(v) > 0 && v[0] == '*' {
		return r, true
	}
	r.size, _, ok = number(v)
	return r, ok
}

// number reads decimal digits.
func number(b []byte) (int64, []byte, bool) {
	n, i := int64(0), 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		d := int64(b[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			return -1, b, false
		}
		n = n*10 + d
	}
	if i == 0 {
		return -1, b, false
	}
	return n, b[i:], true
}

// setRange notes which part of the whole the file is, and joins it to the parts
// that other transactions brought.
func (s *bodySide) setRange() {
	v, ok := s.tx.Header(proto.ToClient, "content-range")
	if !ok {
		return
	}
	r, ok := parseRange(v)
	switch {
	case !ok:
		s.tx.AddEvent(evRangeInvalid)
		return
	case r.end <= 0 || r.size <= 0 || r.start == 0 && r.end == r.size-1:
		// Nobody knows where it belongs; or it is all there is.
		return
	case r.start > r.end || r.end >= r.size:
		s.tx.AddEvent(evRangeInvalid)
		return
	}
	f := s.file
	f.HasRange = true
	f.RangeStart, f.RangeEnd, f.RangeSize = uint64(r.start), uint64(r.end), uint64(r.size)
	key := make([]byte, 0, len(s.tx.host)+len(f.Name))
	key = append(append(key, s.tx.host...), f.Name...)
	var full bool
	if s.part, full = s.p.sh.ranges.Open(key, f.RangeStart, f.RangeSize, s.p.c.Time); full {
		s.p.c.Limit(limitRanges)
	}
}

// closeRange ends the part. When it was the last one that was missing, the whole
// is one more file of the transaction.
func (s *bodySide) closeRange() {
	if s.part == nil {
		return
	}
	w, ok := s.part.Close(s.p.c.Time)
	s.part = nil
	if !ok {
		return
	}
	f := s.p.c.NewFile(s.tx, s.dir, s.file.Name)
	f.Append(w.Data)
	if w.Gaps {
		f.Gap(w.Size - uint64(len(w.Data)))
		f.Close(proto.FileTruncated)
		return
	}
	f.Close(proto.FileClosed)
}
