package body

import "bytes"

// PartSink takes the files of a multipart body. The bytes are valid during the
// call only.
type PartSink interface {
	// FileOpen begins a part that has a file name.
	FileOpen(name []byte)
	FileData(b []byte)
	// FileClose ends it; whole tells that its end was seen.
	FileClose(whole bool)
}

// PartNote is a set of things wrong with a multipart body.
type PartNote uint8

// The notes, after Suricata's events MULTIPART_*.
const (
	PartNoFileData PartNote = 1 << iota // a delimiter right behind the header of a file
	PartBadHeader                       // a header line that is none, or too many
)

// States of a Multipart.
const (
	mpPreamble uint8 = iota
	mpBoundary       // behind a delimiter, up to the end of its line
	mpHeader
	mpBody
	mpEnd
)

// Multipart splits a multipart/form-data body (RFC 7578) as it arrives. It keeps
// one header line and nothing of the parts.
type Multipart struct {
	sink  PartSink
	delim []byte // CRLF, two dashes and the boundary
	fail  []uint8
	state uint8
	at    int // bytes of delim that the input so far ends with
	// virtual: the first two bytes of the match are the line end of what came
	// before, not bytes of the part.
	virtual bool
	line    []byte // header line, or what follows a delimiter
	size    int    // of the header block
	file    bool
	name    []byte
	named   bool
	note    PartNote
}

// NewMultipart returns a splitter for bodies with the given boundary, which must
// not be longer than MaxBoundary. It keeps a copy of it.
func NewMultipart(boundary []byte, s PartSink) *Multipart {
	if len(boundary) > MaxBoundary {
		boundary = boundary[:MaxBoundary]
	}
	m := &Multipart{sink: s, delim: append([]byte("\r\n--"), boundary...), at: 2, virtual: true}
	m.fail = make([]uint8, len(m.delim)+1)
	for i, k := 1, 0; i < len(m.delim); i++ {
		for k > 0 && m.delim[i] != m.delim[k] {
			k = int(m.fail[k])
		}
		if m.delim[i] == m.delim[k] {
			k++
		}
		m.fail[i+1] = uint8(k)
	}
	return m
}

// Write takes the next bytes of the body and returns what was wrong with them.
func (m *Multipart) Write(b []byte) PartNote {
	m.note = 0
	for len(b) > 0 {
		switch m.state {
		case mpPreamble, mpBody:
			b = m.scan(b)
		case mpBoundary:
			b = m.boundary(b)
		case mpHeader:
			b = m.header(b)
		default:
			return m.note
		}
	}
	return m.note
}

// Close ends the body. whole tells that all of it came; then an open file is
// complete even without a last delimiter.
func (m *Multipart) Close(whole bool) PartNote {
	m.note = 0
	if m.state == mpBody {
		if m.at != 2 {
			// A line end alone is taken for the one before a delimiter.
			m.release(m.at)
		}
		m.at = 0
		m.closeFile(whole)
	}
	m.state = mpEnd
	return m.note
}

// data passes on bytes of a part.
func (m *Multipart) data(b []byte) {
	if m.state == mpBody && m.file && len(b) > 0 {
		m.sink.FileData(b)
	}
}

// release passes on the first n bytes of the delimiter, which turned out to be
// none.
func (m *Multipart) release(n int) {
	from := 0
	if m.virtual {
		from = min(2, n)
		m.virtual = n < 2
	}
	m.data(m.delim[from:n])
}

// scan looks for the delimiter.
func (m *Multipart) scan(b []byte) []byte {
	for m.at > 0 {
		rest := m.delim[m.at:]
		n := min(len(rest), len(b))
		if bytes.Equal(rest[:n], b[:n]) {
			if n < len(rest) {
				m.at += n
				return nil
			}
			return m.found(b[n:])
		}
		k := int(m.fail[m.at])
		m.release(m.at - k)
		m.at = k
	}
	if i := bytes.Index(b, m.delim); i >= 0 {
		m.data(b[:i])
		return m.found(b[i+len(m.delim):])
	}
	k := 0
	for _, c := range b[max(0, len(b)-len(m.delim)+1):] {
		for k > 0 && m.delim[k] != c {
			k = int(m.fail[k])
		}
		if m.delim[k] == c {
			k++
		}
	}
	m.at = k
	m.data(b[:len(b)-k])
	return nil
}

// found ends the part before a delimiter.
func (m *Multipart) found(b []byte) []byte {
	if m.state == mpBody {
		if m.file && m.virtual {
			m.note |= PartNoFileData
		}
		m.closeFile(true)
	}
	m.at, m.virtual, m.state, m.line = 0, false, mpBoundary, m.line[:0]
	return b
}

func (m *Multipart) closeFile(whole bool) {
	if m.file {
		m.file = false
		m.sink.FileClose(whole)
	}
}

// boundary reads what follows a delimiter: "--" ends the body, a line end begins
// a part.
func (m *Multipart) boundary(b []byte) []byte {
	for i, c := range b {
		if c == '\n' {
			m.state, m.line, m.size = mpHeader, m.line[:0], 0
			m.named, m.name = false, m.name[:0]
			return b[i+1:]
		}
		if len(m.line) < 2 {
			m.line = append(m.line, c)
		}
		if string(m.line) == "--" {
			m.state = mpEnd
			return nil
		}
	}
	return nil
}

// header reads header lines up to the empty one.
func (m *Multipart) header(b []byte) []byte {
	i := bytes.IndexByte(b, '\n')
	n := i + 1
	if i < 0 {
		n = len(b)
	}
	if m.size += n; m.size > maxPartHeader {
		m.note |= PartBadHeader
	} else {
		m.line = append(m.line, b[:n]...)
	}
	if i < 0 {
		return nil
	}
	line := bytes.TrimRight(m.line, "\r\n")
	if m.size <= maxPartHeader && len(line) > 0 {
		m.headerLine(line)
	}
	if len(line) == 0 && (len(m.line) > 0 || i == 0) {
		m.beginBody()
	}
	m.line = m.line[:0]
	return b[n:]
}

func (m *Multipart) beginBody() {
	m.state = mpBody
	// The line end of an empty header is as good as one of the part's own.
	m.at, m.virtual = 2, true
	m.file = m.named
	if m.file {
		m.sink.FileOpen(m.name)
	}
}

// headerLine looks for a file name.
func (m *Multipart) headerLine(line []byte) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		m.note |= PartBadHeader
		return
	}
	if !bytes.EqualFold(bytes.TrimSpace(line[:colon]), []byte("content-disposition")) {
		return
	}
	if v, ok := Param(line[colon+1:], "filename"); ok {
		m.named = len(v) > 0
		m.name = append(m.name[:0], v[:min(len(v), MaxName)]...)
	}
}

// Param returns parameter name of a header value such as
// `attachment; filename="a.txt"`, without its quotes and escapes. The result may
// share memory with v.
func Param(v []byte, name string) ([]byte, bool) {
	for {
		i := bytes.IndexByte(v, ';')
		if i < 0 {
			return nil, false
		}
		v = bytes.TrimLeft(v[i+1:], " \t\r\n")
		if len(v) <= len(name) || !equalFold(v[:len(name)], name) {
			continue
		}
		rest := bytes.TrimLeft(v[len(name):], " \t")
		if len(rest) == 0 || rest[0] != '=' {
			continue
		}
		rest = bytes.TrimLeft(rest[1:], " \t")
		if len(rest) > 0 && rest[0] == '"' {
			return quoted(rest[1:]), true
		}
		if i := bytes.IndexByte(rest, ';'); i >= 0 {
			rest = rest[:i]
		}
		return bytes.TrimRight(rest, " \t\r\n"), true
	}
}

func equalFold(b []byte, s string) bool {
	for i := range b {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// quoted returns what stands before the closing quote of b. A backslash makes
// the next byte a plain one.
func quoted(b []byte) []byte {
	for i, c := range b {
		switch c {
		case '\\':
			return unescape(b)
		case '"':
			return b[:i]
		}
	}
	return b
}

func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '"' {
			break
		}
		if c == '\\' && i+1 < len(b) {
			i++
			c = b[i]
		}
		out = append(out, c)
	}
	return out
}

// Boundary returns the boundary of a multipart content type. Like Suricata it
// takes any value that mentions one.
func Boundary(contentType []byte) ([]byte, bool) {
	i := bytes.Index(contentType, []byte("multipart/"))
	if i < 0 {
		return nil, false
	}
	b, ok := Param(contentType[i:], "boundary")
	return b, ok && len(b) <= MaxBoundary
}
