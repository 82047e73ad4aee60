package http2

import (
	"bytes"
	"encoding/base64"

	"mirador/internal/proto"
)

// Upgraded is the HTTP/1 request by which a flow became HTTP/2: it is the request of
// stream 1. RFC 7540 section 3.2.
type Upgraded interface {
	// Target returns method and target.
	Target() (method, target []byte)
	// EachHeader calls f with each header of direction dir.
	EachHeader(dir proto.Dir, f func(name, value []byte))
}

// upgrade makes stream 1 of a request of HTTP/1. It keeps copies.
func (p *parser) upgrade(r Upgraded) {
	method, target := r.Target()
	if len(method) == 0 { // the request was not seen
		return
	}
	t := p.newTx(1)
	own := func(b []byte) []byte { return append([]byte(nil), b...) }
	put := func(name string, value []byte) {
		t.add(proto.ToServer, field{name: []byte(name), value: own(value)})
	}
	put(":method", method)
	put(":path", target)
	sound := false
	r.EachHeader(proto.ToServer, func(name, value []byte) {
		if bytes.EqualFold(name, []byte("host")) {
			put(":authority", value)
		}
	})
	r.EachHeader(proto.ToServer, func(name, value []byte) {
		switch {
		case bytes.EqualFold(name, []byte("host")):
		case bytes.EqualFold(name, []byte("http2-settings")):
			b, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimRight(value, "=")))
			sound = err == nil && len(b)%6 == 0
		default:
			put(string(name), value)
		}
	})
	if !sound {
		t.AddEvent(EventInvalidHTTP1Settings)
	}
	t.m[proto.ToServer].types[0] |= 1 << frameHeaders
	t.Advance(proto.ToServer, Complete)
}
