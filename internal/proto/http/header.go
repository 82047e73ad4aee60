package http

import (
	"bytes"

	"mirador/internal/proto"
)

// pending is a header line that may still be continued by a folded one.
type pending struct {
	line  span
	end   uint32 // length of the line end behind line, when line is in raw
	open  bool
	colon bool
	long  bool // more was folded than is kept
}

// fold tells whether a line that begins with c continues the one before. A NUL
// counts, because browsers skip it.
func fold(c byte) bool { return c == ' ' || c == '\t' || c == 0 }

// addLine takes one line of the header block: raw as it came, raw[:to] without
// its end.
func (p *parser) addLine(t *Tx, dir proto.Dir, pd *pending, raw []byte, to int) {
	m := &t.msg[dir]
	at, ok := m.keep(raw)
	if !ok {
		m.tooMany(t, dir)
		return
	}
	line := raw[:to]
	at.n = uint32(to)
	colon := bytes.IndexByte(line, ':') >= 0
	if to > 0 && fold(line[0]) {
		first := !pd.open && len(m.hdrs) == 0
		if !first && pd.open && !(dir == proto.ToClient && colon && pd.colon && !(to > 1 && line[1] == 0)) {
			p.appendFold(t, dir, pd, line, raw[to:])
			pd.colon = pd.colon || colon
			return
		}
		// In a response, a folded line with a colon of its own is a header of its
		// own.
		if dir == proto.ToClient && colon && (first && line[0] != 0 || to > 1 && lws(line[1])) {
			t.AddEvent(evResponseFolding)
		}
		if first && dir == proto.ToServer {
			t.AddEvent(evRequestFolding)
		}
		if line[0] != 0 || !first {
			trim := uint32(to - len(bytes.TrimLeft(line, " \t\x00")))
			at.off, at.n = at.off+trim, at.n-trim
		}
	}
	p.flushHeader(t, dir, pd)
	*pd = pending{line: at, end: uint32(len(raw) - to), open: true, colon: colon}
}

func lws(c byte) bool { return c == ' ' || c == '\t' }

// appendFold joins a folded line to the pending one. As long as there is no
// colon, the end of the line before is part of the name.
func (p *parser) appendFold(t *Tx, dir proto.Dir, pd *pending, line, end []byte) {
	m := &t.msg[dir]
	if int(pd.line.n)+len(line) > maxFolded {
		if !pd.long {
			pd.long = true
			t.AddEvent(evRequestFieldTooLong + proto.EventID(dir))
		}
		return
	}
	if !pd.colon && !pd.line.extra {
		pd.line.n += pd.end
	}
	if !pd.line.extra {
		b := m.bytes(pd.line)
		pd.line = span{uint32(len(m.extra)), uint32(len(b)), true}
		m.extra = append(m.extra, b...)
	}
	m.extra = append(m.extra, line...)
	pd.line.n += uint32(len(line))
	if !pd.colon && bytes.IndexByte(line, ':') < 0 {
		m.extra = append(m.extra, end...)
		pd.line.n += uint32(len(end))
	}
}

// flushHeader reads the pending line.
func (p *parser) flushHeader(t *Tx, dir proto.Dir, pd *pending) {
	if !pd.open {
		return
	}
	pd.open = false
	m := &t.msg[dir]
	b := m.bytes(pd.line)
	h := header{}
	sub := func(from, to int) span {
		return span{pd.line.off + uint32(from), uint32(to - from), pd.line.extra}
	}
	colon := bytes.IndexByte(b, ':')
	if colon < 0 {
		// Not a header; the line is kept as a value without a name.
		t.AddEvent(evRequestMissingColon + proto.EventID(dir))
		from, to := trim(b, 0, len(b))
		h.name, h.value = sub(from, from), sub(from, to)
		m.add(p, t, dir, h)
		return
	}
	from, to := trim(b, 0, colon)
	p.judgeName(t, dir, b, from, to, colon)
	h.name = sub(from, to)
	from, to = trim(b, colon+1, len(b))
	h.value = sub(from, to)
	m.add(p, t, dir, h)
}

// judgeName notes what is odd about the name b[from:to] that stands before a
// colon.
func (p *parser) judgeName(t *Tx, dir proto.Dir, b []byte, from, to, colon int) {
	switch {
	case colon == 0 || from == to:
		t.AddEvent(evRequestMissingColon + proto.EventID(dir))
	case to < colon && (lws(b[to]) || b[to] == '\r' || b[to] == '\n') && token(b[from:to]):
		t.AddEvent(evRequestLWSName + proto.EventID(dir))
	case from > 0 || to < colon || !token(b[from:to]):
		if dir == proto.ToServer {
			t.AddEvent(evRequestHeaderInvalid)
		} else {
			t.AddEvent(evResponseNameToken)
		}
	}
}

// trim moves from and to over white space at the ends of b[from:to].
func trim(b []byte, from, to int) (int, int) {
	for from < to && isSpace(b[from]) {
		from++
	}
	for from < to && isSpace(b[to-1]) {
		to--
	}
	return from, to
}

// token tells whether b is a token (RFC 9110 section 5.6.2).
func token(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
		switch c {
		case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=', '{', '}':
			return false
		}
	}
	return true
}

// tooMany notes that headers are no longer kept.
func (m *message) tooMany(t *Tx, dir proto.Dir) {
	m.full = true
	t.AddEvent(evRequestTooManyHeaders + proto.EventID(dir))
}

// add puts h into the table. A repeated header is joined to the first of its
// name, but for Content-Length, of which the first one counts.
func (m *message) add(p *parser, t *Tx, dir proto.Dir, h header) {
	name := m.bytes(h.name)
	h.hash = hashName(name)
	for i := m.heads[h.hash&15]; i != 0; i = m.hdrs[i-1].next {
		e := &m.hdrs[i-1]
		if e.hash == h.hash && sameName(m.bytes(e.name), name) {
			m.repeat(p, t, dir, e, h)
			return
		}
	}
	if len(m.hdrs) >= maxHeaders {
		m.tooMany(t, dir)
		return
	}
	if m.hdrs == nil {
		m.hdrs = make([]header, 0, usualHeaders)
	}
	h.next = m.heads[h.hash&15]
	m.hdrs = append(m.hdrs, h)
	m.heads[h.hash&15] = uint16(len(m.hdrs))
}

// repeat joins h to e, the header of the same name.
func (m *message) repeat(p *parser, t *Tx, dir proto.Dir, e *header, h header) {
	if !e.repeated {
		t.RepeatEvent(evRequestRepetition + proto.EventID(dir))
	}
	e.repeated = true
	if sameName(m.bytes(e.name), "content-length") {
		a, _, _ := contentLength(m.bytes(e.value))
		if b, _, _ := contentLength(m.bytes(h.value)); a != b {
			t.AddEvent(evRequestDuplicateLength + proto.EventID(dir))
		}
		return
	}
	if m.repeats++; m.repeats > maxRepeats || len(m.extra) > 4*maxHeaderBytes {
		p.c.Limit(limitRepeats)
		return
	}
	off := uint32(len(m.extra))
	m.extra = append(append(m.extra, m.bytes(e.value)...), ", "...)
	m.extra = append(m.extra, m.bytes(h.value)...)
	e.value = span{off, uint32(len(m.extra)) - off, true}
}

// contentLength reads a Content-Length as libhtp does: what stands before and
// behind the digits is skipped. It is -1 when there are none or too many.
func contentLength(v []byte) (n int64, before, behind bool) {
	i := 0
	for i < len(v) && (v[i] < '0' || v[i] > '9') {
		before = before || !isSpace(v[i])
		i++
	}
	if i == len(v) {
		return -1, before, false
	}
	for ; i < len(v) && v[i] >= '0' && v[i] <= '9'; i++ {
		if n > maxContentLength/10 {
			return -1, before, false
		}
		n = n*10 + int64(v[i]-'0')
	}
	for ; i < len(v); i++ {
		behind = behind || !isSpace(v[i])
	}
	return n, before, behind
}

// containsFold tells whether b holds want, which is in lower case, without
// regard to case and NUL bytes.
func containsFold(b []byte, want string) bool {
	for i := range b {
		if b[i] != 0 && matchFold(b[i:], want) {
			return true
		}
	}
	return false
}

// matchFold tells whether b begins with want, skipping NUL bytes.
func matchFold(b []byte, want string) bool {
	j := 0
	for _, c := range b {
		if j == len(want) {
			return true
		}
		if c == 0 {
			continue
		}
		if lower(c) != want[j] {
			return false
		}
		j++
	}
	return j == len(want)
}
