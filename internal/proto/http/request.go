package http

import (
	"bytes"

	"mirador/internal/proto"
)

// request works on bytes to the server.
func (p *parser) request(h *half, b []byte, eof bool) (int, step) {
	const dir = proto.ToServer
	switch h.st {
	case stIdle:
		if len(b) == 0 {
			return 0, wantsMore
		}
		h.st, h.scanned, h.ignored = stLine, 0, 0
		return 0, again
	case stLine:
		return p.requestLine(h, b, eof)
	case stProbe:
		return p.probe09(h, b, eof)
	case stHeaders, stTrailer:
		return p.headers(dir, h, b, eof)
	case stBody, stChunk:
		return p.bodyBytes(dir, h, b, eof)
	case stChunkLen:
		return p.chunkLength(dir, h, b, eof)
	case stChunkEnd:
		return p.chunkEnd(dir, h, b, eof)
	case stFinal:
		return p.requestFinal(h, b, eof)
	case stConnect:
		if eof {
			p.requestDone(h)
			return 0, again
		}
		return blankPrefix(b), wantsMore
	case stConnected:
		return p.connected(h, b)
	}
	return len(b), wantsMore
}

// blankPrefix returns how many bytes at the start of b are white space.
func blankPrefix(b []byte) int {
	n := 0
	for n < len(b) && isSpace(b[n]) {
		n++
	}
	return n
}

// requestLine reads the first line of a request.
func (p *parser) requestLine(h *half, b []byte, eof bool) (int, step) {
	const dir = proto.ToServer
	if len(b) == 0 {
		h.st = stIdle
		return 0, wantsMore
	}
	to, n, ok := h.lineEnd(dir, b, eof)
	if !ok || n > p.o.metaField {
		if len(b) <= p.o.metaField {
			return 0, wantsMore
		}
		t := p.newTx()
		t.AddEvent(evRequestFieldTooLong)
		return 0, broken
	}
	h.scanned = 0
	if to == 0 {
		if h.ignored++; h.ignored > maxIgnoredLines {
			return 0, broken
		}
		if n == len(b) {
			h.st = stIdle
		}
		return n, again
	}
	t := p.newTx()
	h.tx = t
	p.openFrame(t, dir, h.begin)
	if len(p.wait) < maxWaiting {
		p.wait = append(p.wait, t)
	} else {
		p.c.Limit(limitWaiting)
	}
	m := &t.msg[dir]
	at, _ := m.keep(b[:n])
	m.line = span{at.off, uint32(to), false}
	m.block.off = uint32(len(m.raw))
	if b[n-1] != '\n' {
		t.AddEvent(evRequestLineIncomplete)
	}
	t.splitRequest()
	t.readTarget()
	t.Advance(dir, RequestHeaders)
	h.pd = pending{}
	h.st = stHeaders
	if m.version == version09 && m.proto.n == 0 {
		h.st = stProbe
	}
	return n, again
}

// splitRequest finds method, target and protocol in the request line. What
// stands between method and the last word is the target, spaces and all.
func (t *Tx) splitRequest() {
	m := &t.msg[proto.ToServer]
	b := bytes.TrimRight(m.bytes(m.line), spaces)
	sub := func(from, to int) span { return span{m.line.off + uint32(from), uint32(to - from), false} }
	i := 0
	for i < len(m.bytes(m.line)) && isSpace(m.bytes(m.line)[i]) {
		i++
	}
	if i > 0 {
		t.AddEvent(evLeadingWhitespace)
	}
	i = min(i, len(b))
	start := i
	for i < len(b) && !isSpace(b[i]) {
		i++
	}
	t.methodB = sub(start, i)
	t.method = methodOf(b[start:i])
	odd := false
	for ; i < len(b) && isSpace(b[i]); i++ {
		odd = odd || b[i] != ' '
	}
	if odd {
		t.AddEvent(evMethodDelimiter)
	}
	m.version = version09
	if i == len(b) {
		if t.method == methodUnknown {
			t.AddEvent(evUnknownMethod)
		}
		return
	}
	end, last := t.splitTarget(b, i)
	t.target, t.hasURI = sub(i, end), true
	if last == len(b) {
		if t.method == methodUnknown {
			t.AddEvent(evUnknownMethodNoProtocol)
		}
		return
	}
	m.proto = sub(last, len(b))
	extra := false
	m.version, extra = parseVersion(b[last:])
	if extra {
		t.AddEvent(evProtocolExtra)
	}
	if m.version == versionBad && t.method == methodUnknown {
		t.AddEvent(evUnknownMethodBadProtocol)
	}
}

// spaces are the bytes that isSpace names.
const spaces = " \t\n\v\f\r"

// splitTarget returns the end of the target that begins at start, and the start
// of the protocol, len(b) when there is none. The last space separates them, or
// the last other white space when there is no space.
func (t *Tx) splitTarget(b []byte, start int) (end, last int) {
	i := bytes.LastIndexByte(b[start:], ' ')
	j := bytes.LastIndexAny(b[start:], "\t\n\v\f\r")
	if j >= 0 {
		t.AddEvent(evURIDelimiter)
	}
	if i < 0 {
		i = j
	}
	if i < 0 {
		return len(b), len(b)
	}
	end, last = start+i, start+i+1
	for end > start && isSpace(b[end-1]) {
		end--
	}
	return end, last
}

// methodOf tells which method b is. Case matters.
func methodOf(b []byte) method {
	switch string(b) {
	case "HEAD":
		return methodHead
	case "GET":
		return methodGet
	case "PUT":
		return methodPut
	case "POST":
		return methodPost
	case "CONNECT":
		return methodConnect
	case "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK",
		"UNLOCK", "VERSION-CONTROL", "CHECKOUT", "UNCHECKOUT", "CHECKIN", "UPDATE", "LABEL", "REPORT",
		"MKWORKSPACE", "MKACTIVITY", "BASELINE-CONTROL", "MERGE", "INVALID":
		return methodOther
	}
	return methodUnknown
}

// parseVersion reads "HTTP/1.1". White space around its parts and zeros before
// the number are forgiven; extra tells that they are there.
func parseVersion(b []byte) (v version, extra bool) {
	skip := func(zeros bool) {
		for len(b) > 0 && (isSpace(b[0]) || b[0] == 0 || zeros && b[0] == '0' && len(b) > 1 && b[1] != '.') {
			b, extra = b[1:], true
		}
	}
	skip(false)
	if len(b) < 4 || !matchFold(b[:4], "http") {
		return versionBad, false
	}
	b, extra = b[4:], false
	skip(false)
	if len(b) == 0 || b[0] != '/' {
		return versionBad, false
	}
	b = b[1:]
	skip(true)
	switch string(bytes.TrimRight(b, spaces+"\x00")) {
	case "0.9", ".9":
		return version09, true
	case "1.0":
		return version10, extra
	case "1.1":
		return version11, extra
	}
	return versionBad, false
}

// readTarget takes the target apart and makes http.uri and the path.
func (t *Tx) readTarget() {
	m := &t.msg[proto.ToServer]
	if !t.hasURI {
		return
	}
	raw := m.bytes(t.target)
	o := &t.opt.uri
	if t.method == methodConnect {
		host, _, num, bad := splitHostPort(raw)
		if len(host) > 0 {
			t.setURIHost(host, bad)
		}
		t.uriPort = num
		return
	}
	u := parseURI(raw)
	if len(u.host) > 0 {
		t.setURIHost(u.host, u.badHost)
	}
	t.uriPort = u.portNum
	buf := make([]byte, 0, len(raw)+8)
	if o.includeAll {
		buf = u.appendAuthority(buf)
	}
	at := len(buf)
	buf = appendPath(buf, u.path, o)
	t.path = buf[at:len(buf):len(buf)]
	if u.hasQuery {
		buf = append(buf, '?')
		buf = appendQuery(buf, u.query, o)
	}
	if u.hasFrag {
		buf = append(buf, '#')
		buf = decodeQuery(buf, u.frag, o)
	}
	t.uri = buf
	if o.doublePath && bytes.IndexByte(t.path, '%') >= 0 || o.doubleQuery && stillEscaped(u.query) {
		t.AddEvent(evDoubleEncodedURI)
	}
}

// stillEscaped tells whether one round of decoding leaves an escape.
func stillEscaped(b []byte) bool { return bytes.Contains(b, []byte("%25")) }

// appendAuthority appends scheme, user and host as http.uri shows them with
// uri-include-all.
func (u *uri) appendAuthority(b []byte) []byte {
	if len(u.scheme) > 0 {
		b = append(append(b, u.scheme...), "://"...)
	}
	if len(u.user) > 0 {
		b = append(append(append(b, u.user...), ':'), u.pass...)
		b = append(b, '@')
	}
	b = append(b, u.host...)
	if len(u.port) > 0 {
		b = append(append(b, ':'), u.port...)
	}
	return b
}

// setURIHost notes the host of the target; bad tells that its port is none.
func (t *Tx) setURIHost(host []byte, bad bool) {
	if bad || !validHost(host) {
		t.AddEvent(evURIHostInvalid)
	}
	t.host = decodeQuery(make([]byte, 0, len(host)), host, &t.opt.uri)
	t.host = appendLower(t.host[:0], t.host)
	t.uriHost = true
}

// probe09 decides whether a request line without a version stands alone
// (HTTP/0.9) or is followed by headers.
func (p *parser) probe09(h *half, b []byte, eof bool) (int, step) {
	if !blank(b) {
		h.tx.AddEvent(evMissingProtocol)
		h.st = stHeaders
		h.tx.msg[proto.ToServer].version = versionBad
		return 0, again
	}
	h.st = stFinal
	return 0, again
}

// requestHeaders decides from the headers what follows. It returns false when
// that cannot be known.
func (p *parser) requestHeaders(h *half, cut bool) bool {
	const dir = proto.ToServer
	t := h.tx
	m := &t.msg[dir]
	if cut {
		// The end of the headers was not seen; they are not to be believed.
		h.st = stFinal
		return true
	}
	t.readHost()
	t.readAuth()
	te, cl := m.header("transfer-encoding"), m.header("content-length")
	h.st, h.ignored = stFinal, 0
	switch {
	case te != nil:
		if !containsFold(m.bytes(te.value), "chunked") {
			return false
		}
		if m.version != version11 {
			t.AddEvent(evRequestTransferEncoding)
		}
		h.st = stChunkLen
	case cl != nil:
		n, ok := t.contentLength(m.bytes(cl.value))
		if !ok {
			return false
		}
		if n > 0 {
			h.st, h.left = stBody, n
		}
	}
	if t.method == methodConnect && m.version != version09 {
		t.Advance(dir, RequestBody)
		m.openEnded = true
		h.st = stConnect
		return true
	}
	if h.st != stFinal {
		t.Advance(dir, RequestBody)
		p.setupRequestBody(t)
	}
	return true
}

// contentLength reads a Content-Length and notes what is odd about it.
func (t *Tx) contentLength(v []byte) (n int64, ok bool) {
	n, before, behind := contentLength(v)
	if n < 0 {
		return 0, false
	}
	if before {
		t.AddEvent(evLengthExtraStart)
	}
	if behind {
		t.AddEvent(evLengthExtraEnd)
	}
	return n, true
}

// readHost takes host and port from the Host header, and compares them with the
// target's.
func (t *Tx) readHost() {
	m := &t.msg[proto.ToServer]
	h := m.header("host")
	if h == nil {
		if m.version == version11 {
			t.AddEvent(evMissingHost)
		}
		t.port = t.uriPort
		return
	}
	host, _, num, bad := splitHostPort(m.bytes(h.value))
	if bad && len(host) > 0 || len(host) > 0 && !validHost(host) {
		t.AddEvent(evHeaderHostInvalid)
	}
	if !t.uriHost {
		if len(host) > 0 {
			t.host = appendLower(make([]byte, 0, len(host)), host)
		}
		t.port = num
		return
	}
	t.port = t.uriPort
	if !sameName(host, t.host) || t.uriPort >= 0 && num >= 0 && num != t.uriPort {
		t.AddEvent(evHostAmbiguous)
	}
}

// readAuth judges the Authorization header.
func (t *Tx) readAuth() {
	m := &t.msg[proto.ToServer]
	h := m.header("authorization")
	if h == nil {
		return
	}
	v := m.bytes(h.value)
	for _, s := range [...]string{"basic", "digest", "bearer"} {
		if matchFold(v, s) {
			return
		}
	}
	t.AddEvent(evAuthUnrecognized)
}

// requestFinal looks at what follows a request: another one, or bytes that
// belong to none and are taken for more of the body.
func (p *parser) requestFinal(h *half, b []byte, eof bool) (int, step) {
	if len(b) == 0 {
		p.requestDone(h)
		return 0, again
	}
	i := 0
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	j := i
	for j < len(b) && !isSpace(b[j]) {
		j++
	}
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 {
		n = len(b)
	}
	if i >= n && !h.partial {
		// An empty line behind a request is taken for the end of its body.
		p.setupRequestBody(h.tx)
		h.tx.body[proto.ToServer].write(b[:n])
		p.requestDone(h)
		return n, again
	}
	if methodOf(b[i:j]) != methodUnknown || j == len(b) && !eof && methodPrefix(b[i:j]) {
		p.requestDone(h)
		return 0, again
	}
	t := h.tx
	if h.partial = b[n-1] != '\n'; !h.partial {
		t.AddEvent(evRequestBodyUnexpected)
	}
	p.setupRequestBody(t)
	t.msg[proto.ToServer].length += uint64(n)
	t.body[proto.ToServer].write(b[:n])
	return n, again
}

// methodPrefix tells whether b may grow into a method.
func methodPrefix(b []byte) bool {
	if len(b) > len("BASELINE-CONTROL") {
		return false
	}
	for _, c := range b {
		if !(c >= 'A' && c <= 'Z' || c == '-') {
			return false
		}
	}
	return true
}

// requestDone completes the request.
func (p *parser) requestDone(h *half) {
	const dir = proto.ToServer
	t := h.tx
	h.tx, h.st, h.pd, h.partial = nil, stIdle, pending{}, false
	if t == nil {
		return
	}
	t.msg[dir].complete = true
	t.body[dir].end(proto.FileClosed)
	p.closeFrame(t, dir, h.begin)
	t.Advance(dir, RequestComplete)
}

// connected decides what goes through a tunnel that was asked for by CONNECT.
func (p *parser) connected(h *half, b []byte) (int, step) {
	if len(b) == 0 {
		p.requestDone(h)
		return 0, again
	}
	i := 0
	for i < len(b) && !isSpace(b[i]) {
		i++
	}
	if methodOf(b[:i]) != methodUnknown {
		p.requestDone(h)
		return 0, again
	}
	p.requestDone(h)
	p.h[proto.ToServer].st, p.h[proto.ToClient].st = stIgnore, stIgnore
	return len(b), again
}
