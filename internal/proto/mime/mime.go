// Package mime reads internet messages line by line as they pass: header fields,
// multiparts, transfer encodings, attachments, URLs.
//
// It is made for looking at mail on the wire (package smtp), not for showing it: it
// keeps a few header fields and the names of the attachments, hands their bytes on
// and forgets the rest. What it makes of malformed messages follows Suricata 8,
// where that differs from RFC 2045 to 2047 and 2231 the place says so. Memory is
// bounded (limits.go), the work is linear in the bytes given.
//
// Wire form: RFC 5322, 2045, 2046, 2183, 2231.
package mime

import (
	"bytes"
	"crypto/md5"
	"hash"
)

// Event is something wrong with a message.
type Event uint8

// The events; each is told every time it happens.
const (
	InvalidBase64 Event = iota
	InvalidQP
	LongLine
	LongEncodedLine
	LongHeaderName
	LongHeaderValue
	LongBoundary
	LongFilename
)

// Sink takes what a Message finds.
type Sink interface {
	// FileOpen begins an attachment. FileData and FileClose follow; one attachment is
	// open at a time. The arguments are valid during the call only.
	FileOpen(name []byte)
	FileData(b []byte)
	FileClose()
	MIMEEvent(e Event)
}

// Options say what is looked for. They are read-only once a Message was made.
type Options struct {
	Base64, QuotedPrintable bool // decode these
	URLs                    bool
	// Schemes are the schemes of URLs looked for, in lower case ("http");
	// LogScheme keeps the scheme in the URLs found.
	Schemes   []string
	LogScheme bool
	BodyMD5   bool
	// HeaderValue is how long a line of a header field may be before LongHeaderValue
	// is told; 0: DefaultHeaderValue.
	HeaderValue int
}

// Message is one message being read. Make it with New.
type Message struct {
	opt  *Options
	sink Sink

	fields   [NumFields][]byte
	have     [NumFields]bool
	received [][]byte
	// pending fields are shown once the header they stand in is complete.
	headerDone  bool
	headerBytes int

	Attachments [][]byte // names, in order
	URLs        [][]byte // in the order they were found

	state   state
	nested  bool // in the header of a message inside the message
	started bool // the body of the message has begun: it is hashed
	levels  []string
	part    part

	name  []byte // of the header field being read
	value []byte
	field bool // one is being read

	out     []byte // decoded bytes of the line at hand
	crlf    [2]byte
	text    textScan
	sum     hash.Hash
	hashed  bool
	md5     []byte
	urlSize int
	done    bool

	// Skipped counts what was not kept because of a limit.
	Skipped uint64
}

// state is what the next line is part of.
type state uint8

const (
	inHeader   state = iota // of the message, or of a message inside it
	inPartHead              // of a part
	inBody
	between // in front of the first part or behind the last one
)

// encoding is a transfer encoding.
type encoding uint8

const (
	plain encoding = iota
	base64
	quotedPrintable
)

// part is what is known of the part being read.
type part struct {
	enc         encoding
	typed       bool // there is a Content-Type
	text        bool // it is text/plain or text/html
	message     bool // it is message/...
	named       bool
	name        []byte
	boundary    string
	hasBoundary bool

	open bool // as a file
	held bool // a line end is held back: the last one belongs to the boundary
	b64  b64State
	qp   qpState
}

// New returns a Message that tells sink what it finds.
func New(opt *Options, sink Sink) *Message {
	m := &Message{opt: opt, sink: sink, crlf: [2]byte{'\r', '\n'}}
	m.text.m = m
	if opt.BodyMD5 {
		m.sum = md5.New()
	}
	return m
}

// InHeader tells whether the next line belongs to a header: such lines must be given
// whole.
func (m *Message) InHeader() bool { return m.state == inHeader || m.state == inPartHead }

// Line takes the next piece of the message, not longer than a line and with its line
// end when it has come: first tells that it begins a line, last that it ends one. In a
// header LF ends a line, elsewhere CR alone does, too. b is not kept.
func (m *Message) Line(b []byte, first, last bool) {
	if m.done {
		return
	}
	if m.started && m.sum != nil {
		m.sum.Write(b)
		m.hashed = true
	}
	line := b
	if last {
		line = trimEnd(b)
	}
	if len(line) > MaxLine && first {
		m.sink.MIMEEvent(LongLine)
	}
	if first && m.boundaryLine(line) {
		return
	}
	switch m.state {
	case inHeader, inPartHead:
		m.headerLine(line)
	case inBody:
		m.bodyLine(b, line, first, last)
	}
}

// End tells that the message is over.
func (m *Message) End() {
	if m.done {
		return
	}
	m.endPart()
	m.done = true
	if m.hashed {
		m.md5 = m.sum.Sum(nil)
	}
	m.name, m.value, m.levels = nil, nil, nil
	m.text.buf, m.out = nil, nil
}

// Done tells whether End was called.
func (m *Message) Done() bool { return m.done }

// BodyMD5 returns the MD5 of the body as it was sent, nil when it was not asked for,
// or when there was none.
func (m *Message) BodyMD5() []byte { return m.md5 }

// trimEnd takes a line end off.
func trimEnd(b []byte) []byte {
	n := len(b)
	if n > 0 && b[n-1] == '\n' {
		n--
	}
	if n > 0 && b[n-1] == '\r' {
		n--
	}
	return b[:n]
}

// boundaryLine handles a line that separates parts. Only the boundary of the
// innermost multipart counts, and what follows it on the line does not matter but
// for "--".
func (m *Message) boundaryLine(line []byte) bool {
	if len(m.levels) == 0 || m.state == inHeader && !m.nested || len(line) < 2 || line[0] != '-' || line[1] != '-' {
		return false
	}
	b := m.levels[len(m.levels)-1]
	rest := line[2:]
	if len(rest) < len(b) || string(rest[:len(b)]) != b {
		return false
	}
	rest = rest[len(b):]
	m.endPart()
	if len(rest) >= 2 && rest[0] == '-' && rest[1] == '-' {
		m.levels = m.levels[:len(m.levels)-1]
		m.state = between
		return true
	}
	m.state = inPartHead
	return true
}

// endPart closes what is open of the part at hand.
func (m *Message) endPart() {
	m.endField()
	if m.state == inPartHead || m.state == inHeader && m.nested {
		m.openFile()
	}
	m.text.flush()
	if m.part.open {
		m.sink.FileClose()
	}
	m.part = part{}
	m.nested = false
}

// openFile begins the attachment of the part at hand, when it is one.
func (m *Message) openFile() {
	p := &m.part
	if p.open || !p.named || len(p.name) == 0 || p.message {
		return
	}
	p.open = true
	m.sink.FileOpen(p.name)
}

// headEnd is the empty line behind a header.
func (m *Message) headEnd() {
	m.endField()
	p := &m.part
	if m.state == inHeader && !m.nested {
		m.headerDone = true
	}
	switch {
	case p.hasBoundary && len(m.levels) < MaxNesting:
		m.levels = append(m.levels, p.boundary)
		m.openFile()
		m.state, m.started = inBody, true
	case p.message:
		// The body is a message with a header of its own; nothing said so far is about
		// its body.
		m.part = part{}
		if m.state == inHeader {
			m.nested = true
			return
		}
		m.state, m.nested = inHeader, true
	default:
		m.openFile()
		m.state, m.started = inBody, true
	}
}

// bodyLine takes a line of the body of a part, or a piece of it: b with its end, line
// without.
func (m *Message) bodyLine(b, line []byte, first, last bool) {
	p := &m.part
	switch p.enc {
	case base64:
		m.base64Line(line, first)
	case quotedPrintable:
		m.qpLine(b, line, first, last)
	default:
		m.plainLine(b, line, last)
	}
}

// plainLine hands on bytes that are not encoded. The end of a line is held back: in
// front of a boundary it is part of that. It becomes CR LF whatever it was, as in
// Suricata.
func (m *Message) plainLine(b, line []byte, last bool) {
	p := &m.part
	if m.findsURLs() && len(b) > 0 {
		m.text.write(b, b[len(b)-1] == '\n')
	}
	if !p.open {
		return
	}
	m.lineEnd()
	if len(line) > 0 {
		m.sink.FileData(line)
	}
	p.held = last
}

// lineEnd hands on a line end that was held back.
func (m *Message) lineEnd() {
	if m.part.held {
		m.part.held = false
		m.sink.FileData(m.crlf[:])
	}
}

// findsURLs tells whether the part at hand is searched for URLs: attachments and
// text.
func (m *Message) findsURLs() bool {
	p := &m.part
	return m.opt.URLs && (p.open || !p.typed || p.text)
}

// equalFold tells whether b is s, which is in lower case, without regard to case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lower(b[i]) != s[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

func trimLeft(b []byte) []byte { return bytes.TrimLeft(b, " \t") }
