// Package pgsql follows the frontend/backend protocol 3.0 of PostgreSQL for
// detection and logging: start-up, authentication, simple queries and COPY.
//
// A transaction is a request with all its responses. Messages of the extended query
// protocol (Parse, Bind, Execute) are passed over. Wire form: PostgreSQL
// documentation, chapter "Frontend/Backend Protocol".
package pgsql

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// port is the well-known port of PostgreSQL.
const port = 5432

// Indexes into the event names.
const (
	EventInvalidLength proto.EventID = iota
	EventMalformedRequest
	EventMalformedResponse
	EventTooManyTxs
	EventTooManyResponses
)

// done is the progress of a side of a transaction that is complete.
const done = 1

// Protocol returns the row of PostgreSQL, which is off unless the settings say
// otherwise.
func Protocol() *proto.Protocol {
	cfg := &config{maxTxs: proto.MaxTxs, maxResponses: defaultResponses}
	p := &proto.Protocol{
		Name:      "pgsql",
		Transport: proto.TCP,
		Ports:     []uint16{port},
		Probe:     probe,
		Disabled:  true,
		Done:      [2]uint8{done, done},
		Fields: []proto.Field{{Name: "pgsql.query", ToServer: true, MinProgress: [2]uint8{done, 0}, Get: query,
			Doc: "text of a simple query"}},
		Events: []string{"invalid_length", "malformed_request", "malformed_response", "too_many_transactions",
			"too_many_responses"},
		Limits:      limitNames(),
		LowerEvents: true,
		Log:         cfg.log,
		StreamDepth: func(s proto.Settings) (int64, bool) {
			if n, ok := s.Size("stream-depth"); ok {
				return n, true
			}
			return 0, true
		},
	}
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		cfg.read(s)
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, cfg: cfg} }, nil
	}
	return p
}

// config is what the settings say; every flow's parser shares one.
type config struct {
	maxTxs, maxResponses int
	passwords            bool // in EVE
}

func (cfg *config) read(s proto.Settings) {
	*cfg = config{maxTxs: proto.MaxTxs, maxResponses: defaultResponses}
	if n, ok := s.Int("max-tx"); ok && n > 0 {
		cfg.maxTxs = int(min(n, proto.MaxTxs))
	}
	if n, ok := s.Int("max-responses"); ok && n >= leastResponses && n <= defaultResponses {
		cfg.maxResponses = int(n)
	}
	cfg.passwords, _ = s.Global().Bool("eve.pgsql.passwords")
}

func query(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok || i > 0 || t.Kind != SimpleQuery {
		return nil, false
	}
	return t.Text, true
}

// Codes in place of a protocol version in the first message of a client.
const (
	codeV3     = 3 << 16
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104
)

// probe recognises what a client may begin with, and on port 5432 a simple query
// (midstream). What a server says first is too short to be a sign of its own.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if dir == proto.ToClient {
		return probeResponse(b, h)
	}
	if b[0] == 'Q' {
		if h.DstPort != port || len(b) >= 2 && b[1] != 0 {
			return proto.No
		}
		if len(b) < 6 {
			return proto.More
		}
		if n := binary.BigEndian.Uint32(b[1:]); n < 6 || n > 1<<20 || uint32(len(b)) == n+1 && b[n] != 0 {
			return proto.No
		}
		return proto.Yes
	}
	if b[0] != 0 || len(b) >= 2 && b[1] != 0 {
		return proto.No
	}
	if len(b) < 8 {
		return proto.More
	}
	n := binary.BigEndian.Uint32(b)
	switch code := binary.BigEndian.Uint32(b[4:]); {
	case code == codeSSL && n == 8, code == codeCancel && n == 16:
		return proto.Yes
	case n == 8 && len(b) == 8 && h.DstPort == port: // some code without more
		return proto.Yes
	case code != codeV3 || n < 10 || n > maxStartup:
		return proto.No
	}
	// The first parameter's name.
	for _, c := range b[8:min(len(b), int(n))] {
		if c == 0 {
			if b[8] == 0 {
				return proto.No
			}
			return proto.Yes
		}
		if c < '.' || c > 'z' {
			return proto.No
		}
	}
	if len(b) < int(n) {
		return proto.More
	}
	return proto.No
}

func probeResponse(b []byte, h proto.Hint) proto.Match {
	switch b[0] {
	case 'N', 'S', 'G':
		if len(b) == 1 {
			return proto.More
		}
	case 'R', 'E', 'T', 'C', 'Z', 'D', 'v', '1':
	default:
		return proto.No
	}
	if len(b) >= 3 && (b[1] != 0 || b[2] > 1) {
		return proto.No
	}
	if len(b) < 5 || h.SrcPort != port && h.DstPort != port {
		return proto.More
	}
	if n := binary.BigEndian.Uint32(b[1:]); n < 4 {
		return proto.No
	}
	return proto.Yes
}
