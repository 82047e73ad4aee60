// Package sip follows SIP over UDP and TCP, and the session descriptions (SDP) it
// carries, for detection and logging.
//
// Every request and every response is a transaction of its own that belongs to one
// direction. Wire form: RFC 3261, RFC 8866 (SDP).
package sip

import (
	"bytes"

	"mirador/internal/proto"
)

// port is the well-known port of SIP.
const port = 5060

// Indexes into the event names.
const (
	EventIncompleteData proto.EventID = iota
	EventInvalidData
)

// Protocol returns the row of SIP.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:      "sip",
		Transport: proto.TCP | proto.UDP,
		Ports:     []uint16{port},
		Probe:     probe,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
		Done:   [2]uint8{1, 1},
		Fields: append(fields(), sdpFields()...),
		Events: []string{"incomplete_data", "invalid_data"},
		Frames: []string{"pdu", "request.line", "request.headers", "request.body",
			"response.line", "response.headers", "response.body"},
		Log:            log,
		Unidirectional: true,
	}
}

// version begins the name of every version of SIP.
const version = "SIP/"

// probe recognises a request line or a status line. A request may come from either
// side; what says who is the server is the port, or else who spoke first.
func probe(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
	if !h.UDP {
		for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') { // keep-alive
			b = b[1:]
		}
	}
	if len(b) == 0 {
		return proto.More
	}
	if n := min(len(b), len(version)); string(b[:n]) == version[:n] {
		if len(b) < len(version)+4 {
			return short(h)
		}
		if digit(b[4]) && b[5] == '.' && digit(b[6]) && b[7] == ' ' {
			return proto.Yes
		}
		return proto.No
	}
	sp := bytes.IndexByte(b[:min(len(b), maxMethod+1)], ' ')
	switch {
	case !isToken(b[:max(0, min(sp, len(b)))]), sp == 0, sp < 0 && (len(b) > maxMethod || !isToken(b)):
		return proto.No
	case sp < 0:
		return short(h)
	}
	end := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	if end < 0 {
		if len(b) >= maxLine || !plausible(b[sp+1:]) {
			return proto.No
		}
		return short(h)
	}
	line := bytes.TrimSuffix(b[:end], []byte{'\r'})
	last := bytes.LastIndexByte(line, ' ')
	if last > sp && bytes.HasPrefix(line[last+1:], []byte(version)) {
		return proto.Yes
	}
	return proto.No
}

// short is the answer to bytes that may yet become SIP: a datagram gets no longer.
func short(h proto.Hint) proto.Match {
	if h.UDP {
		return proto.No
	}
	return proto.More
}

// plausible tells whether b may be the beginning of a URI that SIP requests have.
func plausible(b []byte) bool {
	for _, scheme := range [...]string{"sip:", "sips:", "tel:"} {
		n := min(len(b), len(scheme))
		if bytes.EqualFold(b[:n], []byte(scheme[:n])) {
			return true
		}
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// isToken tells whether b has only characters of a token (RFC 3261 section 25.1).
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case digit(c), c|0x20 >= 'a' && c|0x20 <= 'z':
		case bytes.IndexByte([]byte("-.!%*_+`'~"), c) >= 0:
		default:
			return false
		}
	}
	return true
}
