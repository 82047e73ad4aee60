package http

import (
	"mirador/internal/proto"
	"mirador/internal/proto/body"
)

// Progress of a request: which part is being read. A part is complete when the
// progress is beyond it.
const (
	RequestStarted uint8 = iota
	RequestLine
	RequestHeaders
	RequestBody
	RequestTrailer
	RequestComplete
)

// Progress of a response.
const (
	ResponseStarted uint8 = iota
	ResponseLine
	ResponseHeaders
	ResponseBody
	ResponseTrailer
	ResponseComplete
)

// requestURINotSeen stands for the target of a response whose request is
// missing (libhtp's word, seen in EVE http.url).
const requestURINotSeen = "/libhtp::request_uri_not_seen"

// version is a protocol version.
type version uint8

const (
	versionBad version = iota
	version09
	version10
	version11
)

// method is a request method that the parser knows.
type method uint8

const (
	methodUnknown method = iota
	methodHead
	methodGet
	methodPut
	methodPost
	methodConnect
	methodOther
)

// span is a piece of a message's memory.
type span struct {
	off, n uint32
	extra  bool // in extra, not in raw
}

// header is one header line.
type header struct {
	name, value span
	hash        uint32
	next        uint16 // next header of the same bucket plus one
	repeated    bool
}

// message is a request or a response. raw holds the start line and the header
// block as they came, extra the headers that had to be put together.
type message struct {
	raw     []byte
	extra   []byte
	hdrs    []header
	heads   [16]uint16 // buckets of hdrs, plus one
	line    span       // start line without its end
	block   span       // header block in raw, with its end
	trailer span       // trailer block
	repeats int
	full    bool // more headers than are kept
	version version
	proto   span

	length   uint64 // bytes of the body on the wire (EVE http.length)
	entity   uint64 // bytes of the body decoded
	complete bool
	// openEnded: the message opens a tunnel, or gives way to another protocol.
	// Suricata then never comes to the end of its header block, so the buffers that
	// show the block as a whole are not there; single headers are.
	openEnded bool

	// Buffers made of the headers when first asked for.
	normal   []byte
	names    []byte
	start    []byte
	lines    []byte
	lineEnds []uint32
	made     uint8
}

// Tx is one request and its response.
type Tx struct {
	proto.TxBase
	opt *options

	msg [2]message
	// Request.
	method    method
	methodB   span
	target    span
	uri       []byte // http.uri
	path      []byte // normalised path
	host      []byte // http.host
	uriHost   bool   // host is the target's, not the Host header's
	hasURI    bool
	port      int // -1: none
	uriPort   int
	noRequest bool // the response came without one
	// Response.
	status    int // -1: not a number
	statusB   span
	statusMsg span
	continues int
	interim   bool // what is there is a "100 Continue"

	body [2]bodySide

	begin [2]uint64 // stream offset of the messages
}

func (m *message) bytes(s span) []byte {
	if s.extra {
		return m.extra[s.off : s.off+s.n]
	}
	return m.raw[s.off : s.off+s.n]
}

// keep appends b to raw and tells where it went. ok is false when there is no
// room left.
func (m *message) keep(b []byte) (s span, ok bool) {
	if len(m.raw)+len(b) > maxHeaderBytes {
		return span{}, false
	}
	if m.raw == nil {
		m.raw = make([]byte, 0, max(usualHead, len(b)))
	}
	s = span{off: uint32(len(m.raw)), n: uint32(len(b))}
	m.raw = append(m.raw, b...)
	return s, true
}

// endedLate adds the byte at s to the header block, or trailer, that ends before it.
func (m *message) endedLate(s span) {
	for _, part := range [...]*span{&m.block, &m.trailer} {
		if part.n > 0 && part.off+part.n == s.off {
			part.n++
			m.made = 0
		}
	}
}

// header returns the first header called name, which is in lower case.
func (m *message) header(name string) *header {
	h := hashName(name)
	for i := m.heads[h&15]; i != 0; i = m.hdrs[i-1].next {
		e := &m.hdrs[i-1]
		if e.hash == h && sameName(m.bytes(e.name), name) {
			return e
		}
	}
	return nil
}

// Header returns the value of header name, which is in lower case, of the
// request or response. It is false when there is none.
func (t *Tx) Header(dir proto.Dir, name string) ([]byte, bool) {
	m := &t.msg[dir]
	h := m.header(name)
	if h == nil {
		return nil, false
	}
	return m.bytes(h.value), true
}

// Target returns the method and the target of the request as sent.
func (t *Tx) Target() (method, target []byte) {
	m := &t.msg[proto.ToServer]
	return m.bytes(t.methodB), m.bytes(t.target)
}

// EachHeader calls f with name and value of each header of a message.
func (t *Tx) EachHeader(dir proto.Dir, f func(name, value []byte)) {
	m := &t.msg[dir]
	for i := range m.hdrs {
		f(m.bytes(m.hdrs[i].name), m.bytes(m.hdrs[i].value))
	}
}

// hashName hashes a name without regard to case and NUL bytes (FNV-1a).
func hashName[T ~string | ~[]byte](s T) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != 0 {
			h = (h ^ uint32(lower(c))) * 16777619
		}
	}
	return h
}

// sameName compares b with want, which is in lower case, without regard to case
// and NUL bytes in b: browsers skip them.
func sameName[T ~string | ~[]byte](b []byte, want T) bool {
	j := 0
	for _, c := range b {
		if c == 0 {
			continue
		}
		if j == len(want) || lower(c) != lower(want[j]) {
			return false
		}
		j++
	}
	return j == len(want)
}

// bodySide is the body of one direction: its decoding, its window for
// inspection, its file.
type bodySide struct {
	p    *parser
	tx   *Tx
	dir  proto.Dir
	kind uint8
	dec  *body.Decoder
	mp   *body.Multipart
	file *proto.File
	part *body.RangePart // when the file is a part of one

	buf       []byte // window
	off       uint64 // offset of buf[0] in the body
	seen      uint64 // bytes kept or let go
	inspected uint64 // how far detection has looked
	began     bool
	cut       bool // the limit was reached
	gap       bool
}
