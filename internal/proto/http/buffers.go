package http

import (
	"slices"

	"mirador/internal/proto"
)

// Which of a message's derived buffers were made.
const (
	madeNormal uint8 = 1 << iota
	madeNames
	madeStart
	madeLines
)

// normalHeader is http.header: every header as "Name: value" and CRLF, but for
// the one called cookie.
func (m *message) normalHeader(cookie string) []byte {
	if m.made&madeNormal == 0 {
		m.made |= madeNormal
		m.normal = m.room(m.normal)
		for i := range m.hdrs {
			h := &m.hdrs[i]
			name := m.bytes(h.name)
			if sameName(name, cookie) {
				continue
			}
			m.normal = m.appendLine(m.normal, h)
		}
	}
	return m.normal
}

// room returns b empty, with room for what is made of the headers.
func (m *message) room(b []byte) []byte {
	return slices.Grow(b[:0], len(m.raw)+4*len(m.hdrs))
}

func (m *message) appendLine(b []byte, h *header) []byte {
	b = append(append(b, m.bytes(h.name)...), ": "...)
	return append(append(b, m.bytes(h.value)...), "\r\n"...)
}

// headerNames is http.header_names: CRLF, then every name with CRLF, then CRLF.
func (m *message) headerNames() []byte {
	if m.made&madeNames == 0 {
		m.made |= madeNames
		m.names = append(m.room(m.names), "\r\n"...)
		for i := range m.hdrs {
			m.names = append(append(m.names, m.bytes(m.hdrs[i].name)...), "\r\n"...)
		}
		m.names = append(m.names, "\r\n"...)
	}
	return m.names
}

// startBlock is http.start: the first line and the headers, with the empty line.
func (m *message) startBlock() []byte {
	if m.made&madeStart == 0 {
		m.made |= madeStart
		m.start = append(append(m.room(m.start), m.bytes(m.line)...), "\r\n"...)
		for i := range m.hdrs {
			m.start = m.appendLine(m.start, &m.hdrs[i])
		}
		if len(m.hdrs) > 0 {
			m.start = append(m.start, "\r\n"...)
		}
	}
	return m.start
}

// headerLine is the i-th value of http.request_header and http.response_header:
// "Name: value".
func (m *message) headerLine(i int) ([]byte, bool) {
	if i >= len(m.hdrs) {
		return nil, false
	}
	if m.made&madeLines == 0 {
		m.made |= madeLines
		m.lines, m.lineEnds = m.room(m.lines), slices.Grow(m.lineEnds[:0], len(m.hdrs))
		for j := range m.hdrs {
			h := &m.hdrs[j]
			m.lines = append(append(m.lines, m.bytes(h.name)...), ": "...)
			m.lines = append(m.lines, m.bytes(h.value)...)
			m.lineEnds = append(m.lineEnds, uint32(len(m.lines)))
		}
	}
	if i >= len(m.lineEnds) {
		return nil, false
	}
	from := uint32(0)
	if i > 0 {
		from = m.lineEnds[i-1]
	}
	return m.lines[from:m.lineEnds[i]], true
}

// reader reads the i-th value of a field from a message, false when there is none.
type reader func(t *Tx, m *message, dir proto.Dir, i int) ([]byte, bool)

// behind makes read the Get of a field of the part at: there is nothing before
// the progress is beyond that part.
func behind(at [2]uint8, read reader) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || t.Progress[dir] <= at[dir] && !(t.interim && dir == proto.ToClient && at[dir] == ResponseLine) {
			return nil, false
		}
		return read(t, &t.msg[dir], dir, i)
	}
}

// ofHeader reads one header.
func ofHeader(name string) reader {
	return func(t *Tx, _ *message, dir proto.Dir, _ int) ([]byte, bool) { return t.Header(dir, name) }
}

// some returns b and whether it has a byte.
func some(b []byte) ([]byte, bool) { return b, len(b) > 0 }

func getURI(t *Tx, _ *message, _ proto.Dir, _ int) ([]byte, bool) { return some(t.uri) }

func getRawURI(t *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) {
	if t.noRequest {
		return t.path, true
	}
	return m.bytes(t.target), t.hasURI
}

func getMethod(t *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) { return some(m.bytes(t.methodB)) }

func getLine(_ *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) { return some(m.bytes(m.line)) }

func getProtocol(_ *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) { return some(m.bytes(m.proto)) }

func getStatus(t *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) { return some(m.bytes(t.statusB)) }

func getStatusMsg(t *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) {
	return some(m.bytes(t.statusMsg))
}

func getHost(t *Tx, _ *message, _ proto.Dir, _ int) ([]byte, bool) { return some(t.host) }

func getRawHost(t *Tx, _ *message, dir proto.Dir, _ int) ([]byte, bool) {
	if t.uriHost {
		return some(t.host)
	}
	return t.Header(dir, "host")
}

func getHeader(_ *Tx, m *message, dir proto.Dir, _ int) ([]byte, bool) {
	if m.openEnded || len(m.hdrs) == 0 {
		return nil, false
	}
	return some(m.normalHeader(cookieName(dir)))
}

// cookieName is the header that http.cookie shows in direction dir.
func cookieName(dir proto.Dir) string {
	if dir == proto.ToServer {
		return "cookie"
	}
	return "set-cookie"
}

// getRawHeader returns the header block and, once it is there, the trailer.
func getRawHeader(_ *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) {
	if m.openEnded {
		return nil, false
	}
	if m.trailer.n > 0 {
		return m.raw[m.block.off:], true
	}
	return some(m.bytes(m.block))
}

// hasTrailer tells whether a chunked message was read to its very end.
func hasTrailer(tx proto.Tx, dir proto.Dir) bool {
	t, ok := tx.(*Tx)
	return ok && t.msg[dir].trailer.n > 0
}

func getNames(_ *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) {
	if m.openEnded || len(m.hdrs) == 0 {
		return nil, false
	}
	return m.headerNames(), true
}

func getStart(_ *Tx, m *message, _ proto.Dir, _ int) ([]byte, bool) {
	if m.openEnded || m.line.n == 0 {
		return nil, false
	}
	return m.startBlock(), true
}

func getCookie(t *Tx, _ *message, dir proto.Dir, _ int) ([]byte, bool) {
	return t.Header(dir, cookieName(dir))
}

func getHeaderLine(_ *Tx, m *message, _ proto.Dir, i int) ([]byte, bool) { return m.headerLine(i) }

// getBody returns the window of a body.
func getBody(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (data []byte, off uint64, done, ok bool) {
	t, is := tx.(*Tx)
	if !is || i > 0 {
		return nil, 0, false, false
	}
	s := &t.body[dir]
	done = t.Progress[dir] > RequestBody || c.EOF[dir]
	if s.seen == 0 || !s.ready(done) {
		return nil, 0, done, false
	}
	data, off = s.window()
	return data, off, done, true
}

// getFileData returns what file.data inspects: files in requests, the body of
// responses.
func getFileData(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (data []byte, off uint64, done, ok bool) {
	if dir == proto.ToClient {
		return getBody(c, tx, dir, i)
	}
	t, is := tx.(*Tx)
	if !is {
		return nil, 0, false, false
	}
	for _, f := range t.Files {
		if f.Dir != dir {
			continue
		}
		if i > 0 {
			i--
			continue
		}
		done = f.State != proto.FileOpen
		o := &t.opt.body[dir]
		if !done && !c.EOF[dir] && f.Size < o.minimal && (o.limit == 0 || f.Size < o.limit) {
			return nil, 0, false, false
		}
		return f.Data, f.DataOff, done, len(f.Data) > 0
	}
	return nil, 0, t.Progress[dir] > RequestBody, false
}
