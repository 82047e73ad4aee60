// Package http parses HTTP/0.9, 1.0 and 1.1 for detection and logging.
//
// It reads as browsers and servers do, not as the RFCs ask: odd line ends, broken
// chunking, contradicting lengths and encodings that are not what they claim are
// followed, because what a browser would show is what must be inspected
// (Suricata with libhtp does the same, and its behaviour is the model). A request
// and its response are one transaction. Bodies are decoded, cut to the configured
// limit, shown to detection in sliding windows, and handed on as files.
//
// It is not for HTTP/2. Bounds are in limits.go. Wire form: RFC 9110, 9112, 7578.
package http

import (
	"mirador/internal/proto"
	"mirador/internal/proto/body"
)

// Protocol returns the row of HTTP/1. Its Log writes extended EVE http records;
// Logger and AlertLogger make others.
func Protocol() *proto.Protocol { return Sharing(body.NewRanges(0, 0)) }

// Sharing returns the row of HTTP/1 that puts files fetched in ranges together with
// whoever else uses parts (HTTP/2). The settings of HTTP/1 bound it.
func Sharing(parts *body.Ranges) *proto.Protocol {
	return &proto.Protocol{
		Name:      "http",
		TxID:      true,
		Files:     proto.DirServer | proto.DirClient,
		Transport: proto.TCP,
		Ports:     []uint16{80, 8080},
		Probe:     probe,
		Configure: func(s proto.Settings) (proto.Factory, error) { return configure(s, parts) },
		Done:      [2]uint8{RequestComplete, ResponseComplete},
		States:    states(),
		Frames:    []string{"request", "response"},
		Fields:    fields(),
		Events:    events(),
		Limits:    limitNames(),
		Log:       Logger(LogOptions{Extended: true}),
		LogAlert:  AlertLogger(AlertOptions{}),
	}
}

// states are the names of the progress values per direction, as rule hooks
// (http1:request_headers) use them.
func states() [2][]string {
	return [2][]string{
		{"request_started", "request_line", "request_headers", "request_body", "request_trailer", "request_complete"},
		{"response_started", "response_line", "response_headers", "response_body", "response_trailer", "response_complete"},
	}
}

// methods a request is recognised by; a blank or tab must follow.
var methods = [...]string{
	"GET", "PUT", "POST", "HEAD", "TRACE", "OPTIONS", "CONNECT", "DELETE", "PATCH", "PROPFIND", "PROPPATCH",
	"MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "CHECKOUT", "UNCHECKOUT", "CHECKIN", "UPDATE", "LABEL", "REPORT",
	"MKWORKSPACE", "MKACTIVITY", "MERGE", "INVALID", "VERSION-CONTROL", "BASELINE-CONTROL",
}

// versions a response is recognised by; what follows them does not matter.
var versions = [...]string{"HTTP/0.9", "HTTP/1.0", "HTTP/1.1"}

// probe recognises the first bytes of a flow.
func probe(dir proto.Dir, data []byte, h proto.Hint) proto.Match {
	if m := probeSide(dir, data); m != proto.No {
		return m
	}
	if h.Midstream && probeSide(dir.Other(), data) == proto.Yes {
		return proto.Reversed
	}
	return proto.No
}

func probeSide(dir proto.Dir, data []byte) proto.Match {
	short := false
	if dir == proto.ToClient {
		for _, v := range versions {
			n := min(len(v), len(data))
			if foldEqual(data[:n], v[:n]) {
				if n == len(v) {
					return proto.Yes
				}
				short = true
			}
		}
	} else {
		for _, m := range methods {
			n := min(len(m), len(data))
			if !foldEqual(data[:n], m[:n]) {
				continue
			}
			if len(data) > len(m) {
				if data[n] == ' ' || data[n] == '\t' {
					return proto.Yes
				}
				continue
			}
			short = true
		}
	}
	if short {
		return proto.More
	}
	return proto.No
}

// foldEqual compares b with s, which is in upper case, without regard to case.
func foldEqual(b []byte, s string) bool {
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}
