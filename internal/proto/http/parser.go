package http

import (
	"bytes"

	"mirador/internal/proto"
)

// state is where a direction stands.
type state uint8

const (
	stIdle state = iota
	stLine
	stHeaders
	stBody      // body of known length
	stBodyClose // body up to the end of the stream
	stChunkLen  // line with the length of a chunk
	stChunk     // data of a chunk
	stChunkEnd  // line end behind a chunk
	stTrailer   // header lines behind the last chunk
	stFinal     // message complete but for what is stuck to its end
	stProbe     // request without a version: HTTP/0.9, or just forgotten
	stConnect   // request: waiting for the answer to CONNECT
	stConnected // request: the first bytes behind CONNECT decide
	stIgnore    // nothing more to parse in this direction
)

// half is the parser of one direction.
type half struct {
	st      state
	tx      *Tx
	pd      pending
	left    int64 // bytes of body or chunk to come
	scanned int   // bytes of an unfinished line already searched
	ignored int   // empty lines skipped
	begin   uint64
	// partial: an unfinished line was taken for a part of the request's body.
	partial bool
	// held is an unfinished line behind or in place of a response. It will be part
	// of the body when its end comes, be it that of the stream.
	held []byte
	// bodiless: the status of the response forbids the body that it has.
	bodiless bool
	// bare is the response whose header block, or trailer, ended with an LF that was
	// the last byte there was: a CR that comes next belongs to it (LF CR is one line
	// end), as it would have with both at once.
	bare *Tx
}

// parser follows the HTTP/1 of one flow.
type parser struct {
	c    *proto.Conn
	sh   *shared
	o    *options
	h    [2]half
	wait []*Tx // requests whose response has not begun, oldest first
	last *Tx   // newest transaction
	made uint64
	// switched: another protocol goes on from here.
	switched bool
}

func newParser(c *proto.Conn, sh *shared) *parser {
	return &parser{c: c, sh: sh, o: sh.options(c.Addrs[proto.ToClient])}
}

// stuck tells whether something unfinished stands behind a message.
func (h *half) stuck() bool { return h.partial || len(h.held) > 0 }

// step is the outcome of working on some bytes.
type step uint8

const (
	again     step = iota // go on with what is left
	wantsMore             // nothing can be done before more bytes come
	broken
)

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	h := &p.h[dir]
	h.begin = p.c.Offset[dir]
	for {
		if len(data) == used && !eof && (h.st != stFinal || h.stuck()) {
			break
		}
		n, s := p.step(dir, h, data[used:], eof)
		used += n
		h.begin += uint64(n)
		if s == broken {
			return used, 0, proto.Broken
		}
		if s == wantsMore || p.switched {
			break
		}
		if eof && used == len(data) && h.st == stIdle {
			break
		}
	}
	return used, 0, proto.OK
}

func (p *parser) step(dir proto.Dir, h *half, b []byte, eof bool) (int, step) {
	if dir == proto.ToServer {
		return p.request(h, b, eof)
	}
	return p.response(h, b, eof)
}

// newTx begins a transaction.
func (p *parser) newTx() *Tx {
	t := &Tx{opt: p.o, port: -1, uriPort: -1, status: -1}
	for d := range t.body {
		t.body[d] = bodySide{p: p, tx: t, dir: proto.Dir(d)}
	}
	p.c.NewTx(t)
	p.last = t
	p.made++
	return t
}

// lineEnd finds the end of the line at the start of b: b[:to] is what is on it, n
// its length with its end. ok is false when the end is not there yet. Requests
// end lines with LF, responses with a CR as well.
func (h *half) lineEnd(dir proto.Dir, b []byte, eof bool) (to, n int, ok bool) {
	i := -1
	if dir == proto.ToServer {
		i = bytes.IndexByte(b[h.scanned:], '\n')
	} else {
		i = indexEnd(b[h.scanned:])
	}
	if i < 0 {
		h.scanned = len(b)
		return len(b), len(b), eof
	}
	i += h.scanned
	if b[i] == '\n' {
		return chomp(b, i), i + 1, true
	}
	h.scanned = i
	switch {
	case i+1 == len(b):
		return i, i + 1, eof
	case b[i+1] == '\n':
		return i, i + 2, true
	}
	return i, i + 1, true
}

// indexEnd returns the index of the first CR or LF, -1 when there is none.
func indexEnd(b []byte) int {
	i := bytes.IndexByte(b, '\n')
	if i >= 0 {
		b = b[:i]
	}
	if j := bytes.IndexByte(b, '\r'); j >= 0 {
		return j
	}
	return i
}

// endKind says what kind of line end was found.
type endKind uint8

const (
	endPart     endKind = iota // not all there yet
	endLine                    // end of a line
	endDeformed                // the same, with more CRs and LFs than belong there
)

// responseEnd returns the index behind the line end that begins at b[i]. CRLF,
// LFCR, LF and CR end a line of a response's header block; so do some sequences
// that browsers take for one end and not for two.
func responseEnd(b []byte, i int, eof bool) (int, endKind) {
	at := func(j int) byte {
		if j < len(b) {
			return b[j]
		}
		return 0
	}
	part := func(j int) bool { return j >= len(b) && !eof }
	if part(i + 1) {
		return 0, endPart
	}
	if b[i] == '\n' {
		if at(i+1) != '\r' {
			return i + 1, endLine
		}
		if part(i+2) || at(i+2) == '\r' && (part(i+3) || at(i+3) == '\n' && (part(i+4) || at(i+4) == '\r' && part(i+5))) {
			return 0, endPart
		}
		if at(i+2) == '\r' && at(i+3) == '\n' && (at(i+4) == '\n' || at(i+4) == '\r' && at(i+5) == '\n') {
			return i + 4, endDeformed
		}
		return i + 2, endLine
	}
	if at(i+1) != '\n' {
		return i + 1, endLine
	}
	j := i + 2
	for at(j) == '\r' {
		j++
	}
	if part(j) {
		return 0, endPart
	}
	switch crs := j - i - 2; {
	case crs == 0 || crs == 1 && !lws(at(j)):
		return i + 2, endLine
	case crs == 1 || at(j) != '\n':
		return j, endDeformed
	case part(j + 1):
		return 0, endPart
	case at(j+1) == '\n':
		return i + 2, endLine
	}
	return j + 1, endDeformed
}

// headLine finds the next line of the header block at the start of b: b[:to] is
// what is on it, n its length with its end. last tells that it ends the block;
// first that it is the first of the block.
func (h *half) headLine(dir proto.Dir, b []byte, eof, first bool) (to, n int, last bool, kind endKind) {
	if dir == proto.ToServer {
		to, n, ok := h.lineEnd(dir, b, false)
		if !ok {
			return 0, 0, false, endPart
		}
		// At the very start, a bare LF is an empty header and no end.
		return to, n, to == 0 && (!first || n > 1), endLine
	}
	i := indexEnd(b[h.scanned:])
	if i < 0 {
		h.scanned = len(b)
		return 0, 0, false, endPart
	}
	i += h.scanned
	h.scanned = i
	if i == 0 && !first {
		// The end of the block; no more than one line end belongs to it.
		switch {
		case len(b) == 1 && !eof && b[0] == '\r':
			return 0, 0, false, endPart
		case len(b) > 1 && b[0] != b[1] && (b[1] == '\r' || b[1] == '\n'):
			return 0, 2, true, endLine
		}
		return 0, 1, true, endLine
	}
	if i == 0 && len(b) > 1 && b[1] == '\n' {
		return 0, 2, true, endLine
	}
	n, kind = responseEnd(b, i, eof)
	if kind == endPart {
		return 0, 0, false, endPart
	}
	if i == 1 && n == 2 && lws(b[0]) && !first {
		// A single blank on a line ends the block for some, unless what follows
		// belongs to it.
		if n == len(b) && !eof {
			return 0, 0, false, endPart
		}
		if n == len(b) || b[n] != '\n' && !fold(b[n]) {
			return i, n, true, kind
		}
	}
	return i, n, false, kind
}

// chomp returns end without the CRs before it.
func chomp(b []byte, end int) int {
	for end > 0 && b[end-1] == '\r' {
		end--
	}
	return end
}

// blank tells whether b is white space only.
func blank(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

// headers reads the header block, or the trailer when that is where h stands.
func (p *parser) headers(dir proto.Dir, h *half, b []byte, eof bool) (int, step) {
	t := h.tx
	m := &t.msg[dir]
	first := h.st != stTrailer && !h.pd.open && len(m.raw) == int(m.block.off)
	to, n, last, kind := h.headLine(dir, b, eof, first)
	if kind == endPart && len(b) > p.o.metaField || n > p.o.metaField {
		t.AddEvent(evRequestFieldTooLong + proto.EventID(dir))
		return 0, broken
	}
	if kind == endPart {
		if eof {
			// An unfinished line is no header.
			return len(b), p.endHeaders(dir, h, true)
		}
		return 0, wantsMore
	}
	h.scanned = 0
	if kind == endDeformed {
		t.AddEvent(evDeformedEOL)
	}
	if last {
		m.keep(b[:n])
		if dir == proto.ToClient && n == 1 && b[0] == '\n' && n == len(b) {
			h.bare = t
		}
		return n, p.endHeaders(dir, h, false)
	}
	p.addLine(t, dir, &h.pd, b[:n], to)
	return n, again
}

// endHeaders closes a header block; cut tells that the stream ended within it.
func (p *parser) endHeaders(dir proto.Dir, h *half, cut bool) step {
	t := h.tx
	m := &t.msg[dir]
	p.flushHeader(t, dir, &h.pd)
	h.scanned = 0
	if h.st == stTrailer {
		m.trailer.n = uint32(len(m.raw)) - m.trailer.off
		m.made = 0
		t.Advance(dir, RequestTrailer)
		h.st = stFinal
		return again
	}
	m.block.n = uint32(len(m.raw)) - m.block.off
	ok := false
	if dir == proto.ToServer {
		ok = p.requestHeaders(h, cut)
	} else {
		ok = p.responseHeaders(h, cut)
	}
	if !ok {
		return broken
	}
	return again
}

// chunkLength reads the line with the length of a chunk.
func (p *parser) chunkLength(dir proto.Dir, h *half, b []byte, eof bool) (int, step) {
	t := h.tx
	if len(b) == 0 {
		p.cutShort(dir, h)
		return 0, again
	}
	i := bytes.IndexByte(b[h.scanned:], '\n')
	n := h.scanned + i + 1
	if i < 0 {
		h.scanned = len(b)
		if len(b) >= chunkProbe && !looksChunk(b) || len(b) > p.o.metaField {
			return p.badChunk(dir, h)
		}
		if eof {
			if !looksChunk(b) {
				return p.badChunk(dir, h)
			}
			t.msg[dir].length += uint64(len(b))
			p.cutShort(dir, h)
			return len(b), again
		}
		return 0, wantsMore
	}
	h.scanned = 0
	size, kind := parseChunkLength(b[:n-1])
	switch kind {
	case chunkEmpty:
		if h.ignored++; h.ignored > maxIgnoredLines {
			return p.badChunk(dir, h)
		}
		t.msg[dir].length += uint64(n)
		return n, again
	case chunkBad:
		return p.badChunk(dir, h)
	case chunkLarge:
		t.msg[dir].length += uint64(n)
		if dir == proto.ToServer {
			t.AddEvent(evRequestChunkLen)
		}
		return n, broken
	case chunkExtended:
		if dir == proto.ToServer {
			t.AddEvent(evRequestChunkExtension)
		} else {
			t.AddEvent(evResponseChunkExtension)
		}
	}
	h.ignored = 0
	t.msg[dir].length += uint64(n)
	if size > 0 {
		h.left, h.st = size, stChunk
		return n, again
	}
	m := &t.msg[dir]
	m.trailer.off = uint32(len(m.raw))
	h.st, h.pd = stTrailer, pending{}
	return n, again
}

// cutShort ends a message whose body is known to be incomplete.
func (p *parser) cutShort(dir proto.Dir, h *half) {
	h.tx.body[dir].end(proto.FileTruncated)
	h.st = stFinal
}

// badChunk deals with a chunk length that is none: of a response the rest is
// then taken for the body, as browsers do.
func (p *parser) badChunk(dir proto.Dir, h *half) (int, step) {
	h.scanned = 0
	if dir == proto.ToServer {
		return 0, broken
	}
	h.tx.AddEvent(evResponseChunkLen)
	h.st = stBodyClose
	return 0, again
}

// What parseChunkLength found.
type chunkKind uint8

const (
	chunkGood chunkKind = iota
	chunkExtended
	chunkEmpty
	chunkBad
	chunkLarge
)

// chunkSkip tells whether c may stand before a chunk length.
func chunkSkip(c byte) bool { return isSpace(c) || c == 0 }

// looksChunk tells whether an unfinished line may be a chunk length.
func looksChunk(b []byte) bool {
	for _, c := range b {
		if !chunkSkip(c) {
			return isHex(c)
		}
	}
	return true
}

// parseChunkLength reads "1a;ext". Anything may follow the digits.
func parseChunkLength(b []byte) (int64, chunkKind) {
	for len(b) > 0 && chunkSkip(b[0]) {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, chunkEmpty
	}
	if !isHex(b[0]) {
		return 0, chunkBad
	}
	n, i := int64(0), 0
	for ; i < len(b) && isHex(b[i]); i++ {
		if n = n<<4 | int64(hexVal(b[i])); n > maxChunkLength {
			return 0, chunkLarge
		}
	}
	if bytes.IndexByte(b[i:], ';') >= 0 {
		return n, chunkExtended
	}
	return n, chunkGood
}

// bodyBytes takes body bytes of a known amount.
func (p *parser) bodyBytes(dir proto.Dir, h *half, b []byte, eof bool) (int, step) {
	t := h.tx
	n := len(b)
	if int64(n) > h.left {
		n = int(h.left)
	}
	if n > 0 {
		h.left -= int64(n)
		t.msg[dir].length += uint64(n)
		t.body[dir].write(b[:n])
	}
	if h.left == 0 {
		if h.st == stChunk {
			h.st = stChunkEnd
		} else {
			h.st = stFinal
		}
		return n, again
	}
	if eof && n == len(b) {
		if dir == proto.ToServer {
			p.cutShort(dir, h)
		}
		h.st = stFinal
		return n, again
	}
	return n, wantsMore
}

// chunkEnd skips what stands behind the data of a chunk.
func (p *parser) chunkEnd(dir proto.Dir, h *half, b []byte, eof bool) (int, step) {
	i := bytes.IndexByte(b, '\n')
	n := i + 1
	if i < 0 {
		n = len(b)
	}
	h.tx.msg[dir].length += uint64(n)
	if i >= 0 {
		h.st, h.scanned = stChunkLen, 0
	} else if eof {
		p.cutShort(dir, h)
	}
	return n, again
}

// Gap implements proto.Parser. Bytes lost from a body are lost from its file;
// elsewhere parsing goes on behind the gap, in the middle of a line or not.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	h := &p.h[dir]
	h.scanned = 0
	for n > 0 {
		switch h.st {
		case stIgnore:
			return true
		case stBody, stChunk:
			k := n
			if int64(k) > h.left {
				k = int(h.left)
			}
			h.left -= int64(k)
			n -= k
			h.tx.msg[dir].length += uint64(k)
			h.tx.body[dir].lost(k)
			if h.st == stChunk {
				// Suricata loses track here; with the length known there is no need to.
				h.tx.AddEvent(evInvalidGap)
			}
			if h.left == 0 && h.st == stChunk {
				h.st = stChunkEnd
			} else if h.left == 0 {
				h.st = stFinal
			}
		case stBodyClose:
			// How long the body is cannot be known, so neither what is missing.
			return true
		case stFinal:
			if h.stuck() {
				p.gapInHead(dir, h)
				return true
			}
			p.finish(dir, h)
		default:
			p.gapInHead(dir, h)
			return true
		}
	}
	if h.st == stFinal && !h.stuck() {
		p.gapAtEnd(dir, h)
	}
	return true
}

// gapAtEnd finishes a message whose last bytes are missing. That is noted at the
// request itself, but at the response that comes next.
func (p *parser) gapAtEnd(dir proto.Dir, h *half) {
	t := h.tx
	p.finish(dir, h)
	switch {
	case dir == proto.ToServer:
		t.AddEvent(evInvalidGap)
	case len(p.wait) > 0:
		p.wait[0].AddEvent(evInvalidGap)
	}
}

// gapInHead notes a gap where no body is.
func (p *parser) gapInHead(dir proto.Dir, h *half) {
	t := h.tx
	if t == nil && dir == proto.ToClient {
		t = p.answered(h)
		h.st, h.ignored = stLine, 0
	}
	if t == nil {
		t = p.last
	}
	if t != nil {
		t.AddEvent(evInvalidGap)
	}
}

// finish completes the message of direction dir.
func (p *parser) finish(dir proto.Dir, h *half) {
	if dir == proto.ToServer {
		p.requestDone(h)
		return
	}
	p.responseDone(h)
}

// Inspected implements proto.Inspector.
func (p *parser) Inspected(tx proto.Tx, dir proto.Dir) {
	if t, ok := tx.(*Tx); ok {
		t.body[dir].looked(dir, t.Progress[dir] > RequestBody || p.c.EOF[dir])
	}
}
