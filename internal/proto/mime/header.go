package mime

import (
	"bytes"
)

// Field is a header field that is kept.
type Field uint8

// The fields, by their names in EVE.
const (
	From Field = iota
	To
	Cc
	Bcc
	ReplyTo
	Subject
	Date
	MessageID
	XMailer
	UserAgent
	Received
	XOriginatingIP
	InReplyTo
	References
	Importance
	Priority
	Sensitivity
	Organization
	ContentMD5
	NumFields
)

// fieldNames are the names of the kept fields in lower case.
var fieldNames = [NumFields]string{
	"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "x-mailer", "user-agent",
	"received", "x-originating-ip", "in-reply-to", "references", "importance", "priority", "sensitivity",
	"organization", "content-md5",
}

// Get returns the first field f of the message's own header, once that is complete.
// For Received use ReceivedAt.
func (m *Message) Get(f Field) ([]byte, bool) {
	if !m.headerDone || !m.have[f] {
		return nil, false
	}
	return m.fields[f], true
}

// ReceivedAt returns the i-th Received field.
func (m *Message) ReceivedAt(i int) ([]byte, bool) {
	if !m.headerDone || i >= len(m.received) {
		return nil, false
	}
	return m.received[i], true
}

// HeaderDone tells whether the message's own header is complete.
func (m *Message) HeaderDone() bool { return m.headerDone }

// headerLine takes a line of a header.
func (m *Message) headerLine(line []byte) {
	if len(line) == 0 {
		m.headEnd()
		return
	}
	if line[0] == ' ' || line[0] == '\t' {
		if m.field {
			// Unlike RFC 5322 says, the white space in front does not stay: Suricata takes
			// the first character away with the line end.
			m.longValue(line)
			m.more(line[1:])
		}
		return
	}
	m.endField()
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return
	}
	name := line[:colon]
	if len(name) > MaxHeaderName {
		m.sink.MIMEEvent(LongHeaderName)
	}
	value := trimLeft(line[colon+1:])
	m.longValue(value)
	m.field = true
	m.name = append(m.name[:0], name[:min(len(name), MaxHeaderName+1)]...)
	m.value = m.value[:0]
	m.more(value)
}

func (m *Message) longValue(v []byte) {
	limit := m.opt.HeaderValue
	if limit <= 0 {
		limit = DefaultHeaderValue
	}
	if len(v) > limit {
		m.sink.MIMEEvent(LongHeaderValue)
	}
}

// more appends to the field being read.
func (m *Message) more(v []byte) {
	if room := maxField - len(m.value); len(v) > room {
		v = v[:room]
		m.Skipped++
	}
	m.value = append(m.value, v...)
}

// endField makes use of the field that has been read.
func (m *Message) endField() {
	if !m.field {
		return
	}
	m.field = false
	switch {
	case equalFold(m.name, "content-type"):
		m.contentType()
		return
	case equalFold(m.name, "content-disposition"):
		m.filename("filename")
		return
	case equalFold(m.name, "content-transfer-encoding"):
		switch {
		case equalFold(m.value, "base64"):
			m.part.enc = base64
		case equalFold(m.value, "quoted-printable"):
			m.part.enc = quotedPrintable
		}
		return
	}
	if m.state != inHeader || m.nested {
		return
	}
	for f := range NumFields {
		if equalFold(m.name, fieldNames[f]) {
			m.keep(f)
			return
		}
	}
}

// keep stores the field read as f. The first of several counts, but for Received.
func (m *Message) keep(f Field) {
	if m.headerBytes+len(m.value) > maxHeader || f == Received && len(m.received) >= maxReceived {
		m.Skipped++
		return
	}
	if f != Received && m.have[f] {
		return
	}
	m.headerBytes += len(m.value)
	v := clone(m.value)
	if f == Received {
		m.received = append(m.received, v)
	} else {
		m.fields[f] = v
	}
	m.have[f] = true
}

// contentType reads a Content-Type: what is in the part, its name, and the boundary
// of a multipart. Unlike RFC 2045 says, parameter names and the types of text and
// messages are in lower case only, as Suricata has it.
func (m *Message) contentType() {
	p := &m.part
	kind, _, _ := bytes.Cut(m.value, []byte{';'})
	p.typed = true
	p.text = string(kind) == "text/plain" || string(kind) == "text/html"
	if bytes.HasPrefix(kind, []byte("message/")) {
		p.message = true
	}
	m.filename("name")
	if b, ok := param(m.value, "boundary", nil); ok {
		if len(b) > MaxBoundary {
			m.sink.MIMEEvent(LongBoundary)
		}
		p.boundary, p.hasBoundary = string(b), true
	}
}

// filename takes the name of an attachment from parameter key; the first one found in
// a part's header stays.
func (m *Message) filename(key string) {
	if m.part.named {
		return
	}
	var room [MaxFilename + 1]byte
	name, ok := param(m.value, key, room[:0])
	if !ok {
		return
	}
	if len(name) > MaxFilename {
		m.sink.MIMEEvent(LongFilename)
		name = name[:MaxFilename]
	}
	m.part.named, m.part.name = true, clone(name)
	if len(m.Attachments) < maxAttachments {
		m.Attachments = append(m.Attachments, m.part.name)
	} else {
		m.Skipped++
	}
}

// param finds parameter key of a header field's value: the last key=value behind a
// semicolon, or else its continuations key*0=, key*1= (RFC 2231 section 3), which are
// put together in buf up to its capacity. Character sets and percent signs of RFC 2231
// are not read.
func param(v []byte, key string, buf []byte) (value []byte, ok bool) {
	var pieces [maxPieces][]byte
	n, found := 0, false
	for i := 0; i < maxParams; i++ {
		at := unquotedSemicolon(v)
		if at < 0 {
			break
		}
		v = trimLeft(v[at+1:])
		name, val, eq := cutParam(v)
		if !eq || !bytes.HasPrefix(name, []byte(key)) {
			continue
		}
		if len(name) == len(key) {
			value, found = val, true
			continue
		}
		if k, good := pieceNumber(name[len(key):]); good && buf != nil && pieces[k] == nil {
			pieces[k] = val
			n++
		}
	}
	if found || n == 0 {
		return value, found
	}
	for _, p := range pieces {
		if p == nil {
			break
		}
		ok = true
		buf = append(buf, p[:min(len(p), cap(buf)-len(buf))]...)
	}
	return buf, ok
}

// maxPieces bounds the continuations of one parameter.
const maxPieces = 64

// pieceNumber reads "*12".
func pieceNumber(s []byte) (int, bool) {
	if len(s) < 2 || len(s) > 3 || s[0] != '*' {
		return 0, false
	}
	n := 0
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n < maxPieces
}

// unquotedSemicolon returns where the next semicolon outside of quotes is, -1 when
// there is none.
func unquotedSemicolon(v []byte) int {
	quoted := false
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			if !quoted && bytes.IndexByte(v[i+1:], '"') < 0 {
				continue // it is not closed: an ordinary character
			}
			quoted = !quoted
		case ';':
			if !quoted {
				return i
			}
		}
	}
	return -1
}

// cutParam splits name=value at the front of v. A quoted value ends at its quote and
// keeps its backslashes; any other ends at the semicolon, without the white space in
// front of that.
func cutParam(v []byte) (name, value []byte, ok bool) {
	eq := bytes.IndexAny(v, "=;")
	if eq < 0 || v[eq] == ';' {
		return nil, nil, false
	}
	name, rest := v[:eq], v[eq+1:]
	if len(rest) > 0 && rest[0] == '"' {
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return name, rest[1:i:i], true
			}
		}
	}
	if i := bytes.IndexByte(rest, ';'); i >= 0 {
		rest = rest[:i]
	}
	rest = bytes.TrimRight(rest, " \t")
	return name, rest[:len(rest):len(rest)], true
}

// NextAddress splits a list of addresses at its first comma outside of quotes:
// addr without the white space in front, and the rest. ok is false at the end.
// Suricata's way, to which a comma at the front of an address is part of it.
func NextAddress(list []byte) (addr, rest []byte, ok bool) {
	list = trimLeft(list)
	if len(list) == 0 {
		return nil, nil, false
	}
	quoted := list[0] == '"'
	for i := 1; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return list[:i], list[i+1:], true
		}
	}
	return list, nil, true
}
