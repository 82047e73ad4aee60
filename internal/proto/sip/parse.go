package sip

import (
	"bytes"
	"strconv"

	"mirador/internal/proto"
)

// parser follows one flow.
type parser struct {
	c    *proto.Conn
	last *Tx
	skip [2]uint64 // bytes of a body that is too long
	seen [2]int    // bytes searched for the end of the headers
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	if p.c.Hint.UDP {
		if !p.datagram(dir, data) {
			return len(data), 0, proto.Flawed
		}
		return len(data), 0, proto.OK
	}
	for used < len(data) {
		if p.skip[dir] > 0 {
			k := min(p.skip[dir], uint64(len(data)-used))
			p.skip[dir] -= k
			used += int(k)
			continue
		}
		b := data[used:]
		if b[0] == '\r' || b[0] == '\n' { // keep-alive (RFC 5626 section 4.4.1)
			used++
			p.seen[dir] = 0
			continue
		}
		head, ok := headEnd(b, p.seen[dir])
		if !ok {
			if len(b) >= MaxHead {
				p.event(EventInvalidData)
				return used, 0, proto.Broken
			}
			p.seen[dir] = len(b)
			return used, len(b) + 1, proto.OK
		}
		n := bodyLength(b[:head])
		size := head
		if n <= MaxBody {
			size += int(n)
		}
		if len(b) < size {
			p.seen[dir] = max(0, head-4)
			return used, size, proto.OK
		}
		p.seen[dir] = 0
		if !p.message(dir, b[:size], head, n, p.c.Offset[dir]+uint64(used)) {
			p.event(EventInvalidData)
			return used, 0, proto.Broken
		}
		if n > MaxBody {
			p.skip[dir] = n
			p.c.Limit(limitBody)
		}
		used += size
	}
	return used, 0, proto.OK
}

// Gap implements proto.Parser: bytes may only be lost where they are skipped.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.skip[dir] < uint64(n) {
		return false
	}
	p.skip[dir] -= uint64(n)
	return true
}

// datagram reads a message that is all of b; false when it is none.
func (p *parser) datagram(dir proto.Dir, b []byte) bool {
	head, ok := headEnd(b, 0)
	if !ok {
		p.c.AddFrame(dir, "pdu", 0, int64(len(b)), proto.NoTx)
		p.event(EventIncompleteData)
		return false
	}
	if !p.message(dir, b, head, uint64(len(b)-head), 0) {
		p.event(EventInvalidData)
		return false
	}
	return true
}

// event notes e at the message before, there being none yet it belongs to.
func (p *parser) event(e proto.EventID) {
	if p.last != nil {
		p.last.AddEvent(e)
	}
}

// headEnd returns where the headers end, the empty line included. The first seen
// bytes are known not to hold all of it.
func headEnd(b []byte, seen int) (int, bool) {
	from := max(0, seen-3)
	i := bytes.Index(b[from:], []byte("\r\n\r\n"))
	if i < 0 {
		return 0, false
	}
	return from + i + 4, true
}

// bodyLength reads Content-Length from the head of a message, 0 when there is none.
func bodyLength(head []byte) uint64 {
	for len(head) > 0 {
		line := head
		if i := bytes.IndexByte(head, '\n'); i >= 0 {
			line, head = head[:i], head[i+1:]
		} else {
			head = nil
		}
		h, ok := cutHeader(line)
		if ok && (bytes.EqualFold(h.Name, []byte("Content-Length")) || bytes.EqualFold(h.Name, []byte("l"))) {
			n, err := strconv.ParseUint(string(h.Value), 10, 32)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

func cutHeader(line []byte) (Header, bool) {
	name, v, ok := bytes.Cut(bytes.TrimSuffix(line, []byte{'\r'}), []byte{':'})
	name = bytes.TrimRight(name, " \t")
	if !ok || len(name) == 0 || !isToken(name) {
		return Header{}, false
	}
	return Header{name, bytes.Trim(v, " \t")}, true
}

// message makes a transaction of b, whose first head bytes are first line and
// headers; the body has n bytes of which b may hold fewer. off is the stream offset.
func (p *parser) message(dir proto.Dir, b []byte, head int, n uint64, off uint64) bool {
	p.c.AddFrame(dir, "pdu", off, int64(head)+int64(n), proto.NoTx)
	own := bytes.Clone(b)
	t := &Tx{}
	lineLen := bytes.Index(own, []byte("\r\n")) + 2
	t.Line = own[:lineLen-2]
	if !t.firstLine() || t.Request != (dir == proto.ToServer) {
		return false
	}
	headers := own[lineLen:max(lineLen, head-2)] // without the empty line
	if !t.headers(headers) {
		return false
	}
	if len(t.Headers) >= MaxHeaders {
		p.c.Limit(limitHeaders)
	}
	if v, ok := t.value("Content-Type", "c", 0); ok && isSDP(v) && n <= MaxBody {
		var full bool
		if t.SDP, full = parseSDP(own[head:]); full {
			p.c.Limit(limitSDP)
		}
	}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	p.last = t
	t.Advance(dir, 1)
	kind := [...]string{"response.line", "response.headers", "response.body"}
	if t.Request {
		kind = [...]string{"request.line", "request.headers", "request.body"}
	}
	p.c.AddFrame(dir, kind[0], off, int64(lineLen), t.ID)
	p.c.AddFrame(dir, kind[1], off+uint64(lineLen), int64(len(headers)), t.ID)
	if n > 0 {
		p.c.AddFrame(dir, kind[2], off+uint64(head), int64(n), t.ID)
	}
	return true
}

func isSDP(v []byte) bool {
	v, _, _ = bytes.Cut(v, []byte{';'})
	return bytes.EqualFold(bytes.TrimSpace(v), []byte("application/sdp"))
}

// firstLine reads "METHOD URI VERSION" or "VERSION CODE REASON".
func (t *Tx) firstLine() bool {
	a, rest, ok := bytes.Cut(t.Line, []byte{' '})
	if !ok {
		return false
	}
	b, c, ok := bytes.Cut(rest, []byte{' '})
	if bytes.HasPrefix(a, []byte(version)) {
		t.Version, t.Code, t.Reason = a, b, c
		return len(b) == 3 && digit(b[0]) && digit(b[1]) && digit(b[2])
	}
	t.Request, t.Method, t.URI, t.Version = true, a, b, c
	return ok && len(a) > 0 && isToken(a) && bytes.HasPrefix(c, []byte(version))
}

// headers reads the headers. A line that begins with white space goes on with the
// header before; its value is then what is on the wire, line end included.
func (t *Tx) headers(b []byte) bool {
	for len(b) > 0 && len(t.Headers) < MaxHeaders {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 {
			end = len(b)
		}
		for end < len(b) && (b[end] == ' ' || b[end] == '\t') {
			k := bytes.IndexByte(b[end:], '\n') + 1
			if k == 0 {
				k = len(b) - end
			}
			end += k
		}
		h, ok := cutHeader(bytes.TrimSuffix(b[:end], []byte{'\n'}))
		if !ok {
			return false
		}
		t.Headers = append(t.Headers, h)
		b = b[end:]
	}
	return true
}
