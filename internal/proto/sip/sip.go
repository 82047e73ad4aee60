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
		Limits:         limitNames(),
		Log:            log,
		LowerEvents:    true,
		Unidirectional: true,
	}
}

// version begins the name of every version of SIP.
const version = "SIP/"

// probe recognises the request line of a client or the status line of a server.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
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
		if dir == proto.ToServer {
			return proto.No
		}
		if digit(b[4]) && b[5] == '.' && digit(b[6]) && b[7] == ' ' {
			return proto.Yes
		}
		return proto.No
	}
	if dir == proto.ToClient {
		return proto.No
	}
	sp := bytes.IndexByte(b[:min(len(b), maxMethod+1)], ' ')
	switch {
	case sp < 0 && !mayBeMethod(b), sp >= 0 && !isMethod(b[:sp]):
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

// methods are the methods of RFC 3261 and its extensions.
func methods() [14]string {
	return [14]string{"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY",
		"PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE"}
}

func isMethod(b []byte) bool {
	for _, m := range methods() {
		if string(b) == m {
			return true
		}
	}
	return false
}

func mayBeMethod(b []byte) bool {
	for _, m := range methods() {
		if len(b) <= len(m) && m[:len(b)] == string(b) {
			return true
		}
	}
	return false
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
