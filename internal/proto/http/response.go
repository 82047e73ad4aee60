package http

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/body"
)

// response works on bytes to the client.
func (p *parser) response(h *half, b []byte, eof bool) (int, step) {
	const dir = proto.ToClient
	if h.bare != nil && len(b) > 0 {
		m := &h.bare.msg[dir]
		h.bare = nil
		if b[0] == '\r' {
			if s, ok := m.keep(b[:1]); ok {
				m.endedLate(s)
			}
			return 1, again
		}
	}
	switch h.st {
	case stIdle:
		if len(b) == 0 {
			return 0, wantsMore
		}
		h.st, h.scanned, h.ignored = stLine, 0, 0
		return 0, again
	case stLine:
		return p.statusLine(h, b, eof)
	case stHeaders, stTrailer:
		return p.headers(dir, h, b, eof)
	case stBody, stChunk:
		if h.bodiless && h.tx.msg[dir].length == 0 && h.st == stBody {
			// Unlike Suricata, which takes the next response for the body, because a
			// 304 with the length of what it does not send is lawful and common.
			n := min(len(b), len(nextResponse))
			if string(b[:n]) == nextResponse[:n] && n > 0 {
				if n < len(nextResponse) && !eof {
					return 0, wantsMore
				}
				h.st = stFinal
				return 0, again
			}
		}
		return p.bodyBytes(dir, h, b, eof)
	case stBodyClose:
		t := h.tx
		t.msg[dir].length += uint64(len(b))
		t.body[dir].write(b)
		if eof {
			h.st = stFinal
			return len(b), again
		}
		return len(b), wantsMore
	case stChunkLen:
		return p.chunkLength(dir, h, b, eof)
	case stChunkEnd:
		return p.chunkEnd(dir, h, b, eof)
	case stFinal:
		return p.responseFinal(h, b, eof)
	}
	return len(b), wantsMore
}

// nextResponse is what begins a response.
const nextResponse = "HTTP/1."

// looksResponse tells whether line begins as a status line does. Browsers show
// what does not as the body.
func looksResponse(line []byte) bool {
	for len(line) > 0 && (isSpace(line[0]) || line[0] == 0) {
		line = line[1:]
	}
	return len(line) >= 4 && matchFold(line[:4], "http")
}

// mayBeResponse is looksResponse for the bytes there are so far.
func mayBeResponse(b []byte) bool {
	for len(b) > 0 && (isSpace(b[0]) || b[0] == 0) {
		b = b[1:]
	}
	for i := range b[:min(len(b), 4)] {
		if lower(b[i]) != "http"[i] {
			return false
		}
	}
	return true
}

// answered returns the transaction that a response belongs to.
func (p *parser) answered(h *half) *Tx {
	if h.tx != nil {
		return h.tx
	}
	for len(p.wait) > 0 {
		t := p.wait[0]
		p.wait = p.wait[:copy(p.wait, p.wait[1:])]
		if t.Progress[proto.ToClient] < ResponseComplete {
			h.tx = t
			break
		}
	}
	if h.tx == nil {
		t := p.newTx()
		t.AddEvent(evUnmatchedResponse)
		t.noRequest = true
		t.path = []byte(requestURINotSeen)
		t.msg[proto.ToServer].complete = true
		t.Advance(proto.ToServer, RequestComplete)
		h.tx = t
	}
	t := h.tx
	p.openFrame(t, proto.ToClient, h.begin)
	t.Advance(proto.ToClient, ResponseLine)
	if r := &p.h[proto.ToServer]; r.st == stProbe && r.tx == t {
		p.requestDone(r)
	}
	return t
}

// statusLine reads the first line of a response.
func (p *parser) statusLine(h *half, b []byte, eof bool) (int, step) {
	const dir = proto.ToClient
	if len(b) == 0 {
		p.release(h)
		switch {
		case h.tx == nil:
		case h.tx.interim && h.tx.body[dir].seen == 0:
			return 0, wantsMore
		default:
			h.st = stFinal
			return 0, again
		}
		h.st = stIdle
		return 0, wantsMore
	}
	if p.oldStyle(h) {
		t := p.answered(h)
		t.Advance(dir, ResponseBody)
		h.st = stBodyClose
		return 0, again
	}
	to, n, ok := h.lineEnd(dir, b, eof)
	if !ok {
		if len(h.held) == 0 && mayBeResponse(b) {
			if len(b) <= p.o.metaField {
				return 0, wantsMore
			}
			p.answered(h).AddEvent(evResponseFieldTooLong)
			return 0, broken
		}
		if len(h.held) == 0 && len(b) < lineProbe && (h.tx == nil || h.tx.body[dir].seen == 0) {
			return 0, wantsMore
		}
		p.answered(h)
		return p.hold(h, b)
	}
	line := b[:to]
	if len(h.held) > 0 {
		p.release(h)
		return p.junkLine(h, b, n)
	}
	if blank(line) {
		if h.ignored++; h.ignored > maxIgnoredLines {
			return 0, broken
		}
		h.scanned = 0
		if n == len(b) && h.tx == nil {
			h.st = stIdle
		}
		return n, again
	}
	if !looksResponse(line) {
		p.answered(h)
		h.scanned = 0
		if n < len(b) && (b[n] == 'H' || len(line) <= 2) && h.ignored <= maxIgnoredLines {
			h.ignored++
			return n, again
		}
		return p.junkLine(h, b, n)
	}
	if n > p.o.metaField {
		p.answered(h).AddEvent(evResponseFieldTooLong)
		return 0, broken
	}
	h.scanned = 0
	t := p.answered(h)
	m := &t.msg[dir]
	if t.interim {
		// Behind a "100 Continue".
		t.interim = false
		*m = message{raw: m.raw[:0], extra: m.extra[:0], hdrs: m.hdrs[:0]}
	}
	// Unlike that of a request, the line keeps its end.
	m.line, _ = m.keep(b[:n])
	m.block.off = uint32(len(m.raw))
	t.splitStatus()
	if t.status == 100 {
		// More than one line may come, so the progress stays. What the line says can
		// be read nevertheless.
		t.interim = true
		t.Touch(dir)
	} else {
		t.Advance(dir, ResponseHeaders)
	}
	h.st, h.pd = stHeaders, pending{}
	return n, again
}

// oldStyle tells whether the next response comes without a head, as HTTP/0.9 has
// it.
func (p *parser) oldStyle(h *half) bool {
	if h.tx != nil || len(p.wait) == 0 {
		return false
	}
	m := &p.wait[0].msg[proto.ToServer]
	return m.complete && m.version == version09 && m.proto.n == 0
}

// junkLine takes the first n bytes of b, which are no response at all, for a body
// without headers.
func (p *parser) junkLine(h *half, b []byte, n int) (int, step) {
	const dir = proto.ToClient
	h.scanned = 0
	h.tx.msg[dir].length += uint64(n)
	h.tx.body[dir].write(b[:n])
	if n == len(b) {
		// So far it is all that came; it stands for the response.
		h.tx.Advance(dir, ResponseBody)
		h.st = stFinal
	}
	return n, again
}

// hold keeps an unfinished line.
func (p *parser) hold(h *half, b []byte) (int, step) {
	h.scanned = 0
	h.held = append(h.held, b...)
	if len(h.held) > p.o.metaField {
		// Suricata would give up here; there is no need to.
		h.tx.AddEvent(evResponseFieldTooLong)
		p.release(h)
	}
	return len(b), wantsMore
}

// release adds what is held to the body.
func (p *parser) release(h *half) {
	if len(h.held) == 0 || h.tx == nil {
		return
	}
	const dir = proto.ToClient
	h.tx.msg[dir].length += uint64(len(h.held))
	h.tx.body[dir].write(h.held)
	h.held = h.held[:0]
}

// splitStatus finds protocol, status and message in the status line.
func (t *Tx) splitStatus() {
	m := &t.msg[proto.ToClient]
	b := bytes.TrimRight(m.bytes(m.line), "\r\n")
	sub := func(from, to int) span { return span{m.line.off + uint32(from), uint32(to - from), false} }
	i := 0
	for i < len(b) && (isSpace(b[i]) || b[i] == 0) {
		i++
	}
	start := i
	for i < len(b) && !isSpace(b[i]) {
		i++
	}
	m.proto = sub(start, i)
	extra := false
	if m.version, extra = parseVersion(b[start:i]); m.version == versionBad {
		t.AddEvent(evResponseLineProtocol)
	}
	if extra {
		t.AddEvent(evProtocolExtra)
	}
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	start = i
	for i < len(b) && !isSpace(b[i]) {
		i++
	}
	t.statusB = sub(start, i)
	t.status = parseStatus(b[start:i])
	if t.status < 0 {
		t.AddEvent(evResponseLineStatus)
	}
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	t.statusMsg = sub(i, len(b))
}

// parseStatus returns a status of 100 .. 999, -1 for anything else.
func parseStatus(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 999 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	if n < 100 || n > 999 {
		return -1
	}
	return n
}

// responseHeaders decides from the headers what follows (RFC 9112 section 6.3,
// as browsers apply it). It returns false when that cannot be known.
func (p *parser) responseHeaders(h *half, cut bool) bool {
	const dir = proto.ToClient
	t := h.tx
	m := &t.msg[dir]
	te, cl := m.header("transfer-encoding"), m.header("content-length")
	h.ignored = 0
	if t.status == 100 && te == nil && !cut {
		n := int64(0)
		if cl != nil {
			n, _, _ = contentLength(m.bytes(cl.value))
		}
		if n == 0 {
			p.continued(h)
			return true
		}
	}
	t.interim = false
	if r := &p.h[proto.ToServer]; r.tx == t {
		p.answerCame(r)
	}
	h.st = stFinal
	t.Advance(dir, ResponseBody)
	if t.status == 101 && te == nil && cl == nil && !cut {
		// What follows is another protocol, be it in the same segment.
		p.responseDone(h)
		return true
	}
	if cut || t.method == methodHead || t.tunnel() {
		return true
	}
	if bodiless(t.status) {
		if te == nil && cl == nil {
			return true
		}
		// There must be no body, but browsers show what the server sends as one.
		if t.status == 101 && cl != nil {
			t.AddEvent(evSwitchWithLength)
		}
		t.AddEvent(evResponseBodyUnexpected)
		h.bodiless = true
	}
	p.setupDecoder(t, dir)
	switch {
	case te != nil && containsFold(m.bytes(te.value), "chunked"):
		p.chunkedResponse(t, m.bytes(te.value))
		h.st = stChunkLen
	case cl != nil:
		n, ok := t.contentLength(m.bytes(cl.value))
		if !ok {
			t.AddEvent(evResponseContentLength)
			return false
		}
		if n > 0 {
			h.st, h.left = stBody, n
		}
	default:
		if v, ok := t.Header(dir, "content-type"); ok && containsFold(v, "multipart/byteranges") {
			t.AddEvent(evMultipartByteranges)
		}
		h.st = stBodyClose
	}
	return true
}

// tunnel tells whether the response opens the tunnel that CONNECT asked for.
func (t *Tx) tunnel() bool {
	return t.method == methodConnect && t.status >= 200 && t.status < 300
}

// bodiless tells whether a response with this status has no body.
func bodiless(status int) bool {
	return status >= 100 && status < 200 || status == 204 || status == 304
}

// chunkedResponse notes what is odd about a chunked response.
func (p *parser) chunkedResponse(t *Tx, te []byte) {
	if len(te) != len("chunked") || !matchFold(te, "chunked") {
		t.AddEvent(evResponseAbnormalTE)
	}
	if v := t.msg[proto.ToClient].version; v != version11 {
		t.AddEvent(evResponseChunkedOld)
	}
}

// continued notes a "100 Continue"; the real response follows.
func (p *parser) continued(h *half) {
	t := h.tx
	if t.continues++; t.continues > 1 {
		t.AddEvent(evContinueAlreadySeen)
	}
	m := &t.msg[proto.ToClient]
	m.hdrs, m.heads = m.hdrs[:0], [16]uint16{}
	h.st, h.scanned = stLine, 0
}

// answerCame tells the request side what it may be waiting for.
func (p *parser) answerCame(r *half) {
	t := r.tx
	switch {
	case r.st == stConnect && t.tunnel():
		r.st = stConnected
	case r.st == stConnect:
		t.msg[proto.ToServer].openEnded = false
		p.requestDone(r)
	case r.st == stBody && t.status >= 400 && t.status < 500 && t.msg[proto.ToServer].length == 0:
		// The server refused before the body came; it will not come.
		if v, ok := t.Header(proto.ToServer, "expect"); ok && containsFold(v, "100-continue") {
			r.st = stFinal
			p.requestDone(r)
		}
	}
}

// responseFinal looks at what follows a response: another one, or bytes that
// belong to none and are taken for more of the body, as browsers do.
func (p *parser) responseFinal(h *half, b []byte, eof bool) (int, step) {
	const dir = proto.ToClient
	if len(b) == 0 {
		p.release(h)
		p.responseDone(h)
		return 0, again
	}
	if h.tx.tunnel() && blankPrefix(b) < len(b) {
		p.responseDone(h)
		return 0, again
	}
	n := bytes.IndexByte(b, '\n') + 1
	line := n > 0
	if n == 0 {
		n = len(b)
	}
	switch {
	case len(h.held) > 0:
		// Unlike Suricata, which takes the next response for more of the line.
		if bytes.HasPrefix(b, []byte(nextResponse)) {
			p.release(h)
			p.responseDone(h)
			return 0, again
		}
	case (line || eof) && looksResponse(b[:n]) || !line && !eof && mayBeResponse(b):
		p.responseDone(h)
		return 0, again
	}
	if !line && !eof {
		return p.hold(h, b)
	}
	p.release(h)
	t := h.tx
	t.msg[dir].length += uint64(n)
	if line && t.msg[dir].line.n > 0 {
		t.AddEvent(evResponseBodyUnexpected)
	}
	t.body[dir].write(b[:n])
	return n, again
}

// responseDone completes the response.
func (p *parser) responseDone(h *half) {
	const dir = proto.ToClient
	t := h.tx
	bodied := h.bodiless
	h.tx, h.st, h.pd, h.bodiless, h.held = nil, stIdle, pending{}, false, h.held[:0]
	if t == nil {
		return
	}
	t.msg[dir].complete = true
	t.body[dir].end(proto.FileClosed)
	p.closeFrame(t, dir, h.begin)
	if r := &p.h[proto.ToServer]; r.tx == t && r.st == stProbe {
		p.requestDone(r)
	}
	t.Advance(dir, ResponseComplete)
	p.protocolChange(t, bodied)
}

// protocolChange lets another protocol go on after CONNECT or 101.
func (p *parser) protocolChange(t *Tx, bodied bool) {
	r := &p.h[proto.ToServer]
	switch {
	case t.tunnel():
		if p.made == 1 {
			if r.tx == t {
				p.requestDone(r)
			}
			p.switched = true
			p.c.Switch("")
		}
	case t.status == 101 && !bodied:
		up, ok := t.Header(proto.ToClient, "upgrade")
		name := ""
		switch {
		case !ok:
		case sameName(up, "h2c"):
			name = "http2"
		case sameName(up, "websocket"):
			name = "websocket"
		}
		t.msg[proto.ToClient].openEnded = name != ""
		if name != "" && p.c.Table.ByName(name) != proto.Unknown {
			p.switched = true
			if name == "http2" {
				p.c.Given = t // its request is the first one of what follows
			}
			p.c.Switch(name)
			return
		}
		p.h[proto.ToServer].st, p.h[proto.ToClient].st = stIgnore, stIgnore
	}
}

// setupDecoder prepares the undoing of the content encodings.
func (p *parser) setupDecoder(t *Tx, dir proto.Dir) {
	v, ok := t.Header(dir, "content-encoding")
	if !ok {
		return
	}
	var list [body.MaxLayers]body.Encoding
	n, count := 0, 0
	if sameName(v, "br") {
		// Known only when it stands alone.
		list[0], n, v = body.Brotli, 1, nil
	}
	for len(v) > 0 {
		i := bytes.IndexAny(v, ", ")
		tok := v
		if i >= 0 {
			tok, v = v[:i], v[i+1:]
		} else {
			v = nil
		}
		if len(tok) == 0 {
			continue
		}
		// Every name counts, whatever it stands for.
		if count++; count > p.o.layers {
			t.AddEvent(evEncodingLayers)
			break
		}
		e, odd := encodingOf(tok, p.o.lzma)
		if odd {
			t.AddEvent(evAbnormalCE)
		}
		if e != body.Identity {
			list[n] = e
			n++
		}
	}
	if n > 0 {
		s := &t.body[dir]
		s.dec = body.NewDecoder(list[:n], p.o.lim, s)
	}
}

// encodingOf names a content encoding; odd tells that it is not written as it
// ought to be.
func encodingOf(tok []byte, lzma bool) (e body.Encoding, odd bool) {
	switch {
	case sameName(tok, "gzip"), sameName(tok, "x-gzip"):
		return body.Gzip, false
	case sameName(tok, "deflate"), sameName(tok, "x-deflate"):
		return body.Deflate, false
	case sameName(tok, "lzma"):
		if lzma {
			return body.LZMA, false
		}
		return body.Identity, false
	case sameName(tok, "identity"), sameName(tok, "inflate"):
		return body.Identity, false
	case containsFold(tok, "gzip"):
		return body.Gzip, true
	case containsFold(tok, "deflate"):
		return body.Deflate, true
	}
	return body.Identity, true
}
