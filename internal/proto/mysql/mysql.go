// Package mysql follows the client/server protocol of MySQL and MariaDB for detection
// and logging: greeting, login, commands with their answers, rows, LOCAL INFILE.
//
// A transaction is the login with the server's greeting, or a command with its whole
// answer. Behind a request for TLS the flow is TLS; a compressed session is followed up
// to its login. Wire form: "MySQL Internals Manual" (Client/Server Protocol) and the
// MariaDB knowledge base (Client/Server Protocol). Suricata 8.0 has no such protocol;
// mysql.command and mysql.rows mean what its development branch documents, the rest
// is Mirador's own.
package mysql

import (
	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// port is the well-known port of MySQL.
const port = 3306

// Indexes into the event names.
const (
	EventMalformedGreeting proto.EventID = iota
	EventMalformedRequest
	EventMalformedResponse
	EventUnexpectedPacket
	EventSequence
	EventUnknownCommand
	EventTooManyTxs
	EventCompressed
	EventCleartextPassword
	EventUnsolicitedInfile
)

// Progress of the two sides of a transaction.
const (
	requested = 1 // the request can be read; data of a local file may follow
	greeted   = 1 // the server's greeting can be read
	done      = 2
)

// Protocol returns the row of MySQL.
func Protocol() *proto.Protocol {
	p := &proto.Protocol{
		Name:       "mysql",
		RawByChunk: true, // as for Suricata, which does not know it: flows of unknown protocols
		Transport:  proto.TCP,
		Ports:      []uint16{port},
		Probe:      probe,
		FirstData:  proto.DirClient,
		Done:       [2]uint8{done, done},
		Fields:     fields(),
		Events: []string{"malformed_greeting", "malformed_request", "malformed_response", "unexpected_packet", "sequence_id",
			"unknown_command", "too_many_transactions", "compressed", "cleartext_password", "unsolicited_local_infile"},
		Limits:      limitNames(),
		LowerEvents: true,
		Files:       proto.DirServer,
		Log:         log,
		StreamDepth: func(s proto.Settings) (int64, bool) {
			if n, ok := s.Size("stream-depth"); ok {
				return n, true
			}
			return 0, true // sessions are long
		},
	}
	p.Configure = func(s proto.Settings) (proto.Factory, error) {
		cfg := config{maxTxs: defaultMaxTxs}
		if n, ok := s.Int("max-tx"); ok && n > 0 {
			cfg.maxTxs = int(min(n, proto.MaxTxs-1))
		}
		return func(c *proto.Conn) proto.Parser { return &parser{c: c, cfg: cfg} }, nil
	}
	return p
}

// config is what the settings say.
type config struct{ maxTxs int }

// fields are the keywords of MySQL.
func fields() []proto.Field {
	return []proto.Field{
		{Name: "mysql.command", ToServer: true, MinProgress: [2]uint8{requested, 0}, Get: get(func(t *Tx) []byte { return t.Query }),
			Doc: "text of a statement, executed or prepared (as in Suricata's development branch)"},
		{Name: "mysql.rows", ToClient: true, MinProgress: [2]uint8{0, done}, Multi: true, Get: row,
			Doc: "each row of a result, its values with commas between them (as in Suricata's development branch)"},
		{Name: "mysql.user", ToServer: true, MinProgress: [2]uint8{requested, 0}, Get: get(func(t *Tx) []byte { return t.User }),
			Doc: "user who logs in, or to whom a session changes (Mirador's own)"},
		{Name: "mysql.database", ToServer: true, MinProgress: [2]uint8{requested, 0}, Get: get(func(t *Tx) []byte { return t.Database }),
			Doc: "database of a login or of init_db (Mirador's own)"},
		{Name: "mysql.server_version", ToClient: true, MinProgress: [2]uint8{0, greeted}, Get: get(func(t *Tx) []byte { return t.version() }),
			Doc: "version in the server's greeting (Mirador's own)"},
		{Name: "mysql.infile", ToClient: true, MinProgress: [2]uint8{0, done}, Get: get(func(t *Tx) []byte { return t.Infile.Name }),
			Doc: "name of the client's file that the server asked for, LOCAL INFILE (Mirador's own)"},
		{Name: "mysql.error", ToClient: true, MinProgress: [2]uint8{0, done}, Get: get(func(t *Tx) []byte { return t.Error.Message }),
			Doc: "message of an error (Mirador's own)"},
		{Name: "mysql.error_code", Kind: proto.Number, Bits: 16, ToClient: true, MinProgress: [2]uint8{0, done},
			Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, _ int) (uint64, bool) {
				t, ok := tx.(*Tx)
				return uint64(t.Error.Code), ok && t.Answer == Failed
			},
			Doc: "number of an error (Mirador's own)"},
		{Name: "mysql.command_type", Kind: proto.Number, Bits: 8, ToServer: true, MinProgress: [2]uint8{requested, 0}, Names: commandNumbers(),
			Uint: func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, _ int) (uint64, bool) {
				t, ok := tx.(*Tx)
				return uint64(t.Command), ok && t.Kind == KindCommand
			},
			Doc: "number or name of a command: query, stmt_prepare, binlog_dump, ... (Mirador's own)"},
	}
}

// get makes a buffer of one value; nil is none.
func get(f func(t *Tx) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || i > 0 {
			return nil, false
		}
		b := f(t)
		return b, b != nil
	}
}

func row(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok || i >= len(t.rowEnds) {
		return nil, false
	}
	from := 0
	if i > 0 {
		from = t.rowEnds[i-1]
	}
	return t.rowText[from:t.rowEnds[i]], true
}

// probe recognises the server's greeting, or the error that it says instead. What a
// client begins with is no sign of its own.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if dir == proto.ToClient {
		return probeServer(b)
	}
	if h.Midstream && probeServer(b) == proto.Yes {
		return proto.Reversed
	}
	return probeClient(b)
}

// probeServer demands the whole of a greeting's fixed parts: length, number 0, protocol
// version 10, a version that begins with a digit, and the reserved zero bytes.
func probeServer(b []byte) proto.Match {
	if len(b) >= 2 && b[1] > maxGreeting>>8 || len(b) >= 3 && b[2] != 0 || len(b) >= 4 && b[3] != 0 {
		return proto.No
	}
	if len(b) < 5 {
		return proto.More
	}
	n := int(b[0]) | int(b[1])<<8
	if n < 5 || n > maxGreeting {
		return proto.No
	}
	if b[4] == packetError {
		return probeError(b, n)
	}
	if b[4] != greetingVersion {
		return proto.No
	}
	g, st := readGreeting(b[4:min(len(b), 4+n)], len(b) >= 4+n)
	if st == proto.Yes && !g.plausible() {
		return proto.No
	}
	return st
}

// probeError demands that the error is all that was said, and that it is text.
func probeError(b []byte, n int) proto.Match {
	if len(b) > 4+n {
		return proto.No
	}
	if len(b) >= 7 {
		if code := int(b[5]) | int(b[6])<<8; code < 1000 || code >= 5000 {
			return proto.No
		}
		for _, c := range b[7:] {
			if c < ' ' || c > '~' {
				return proto.No
			}
		}
	}
	if len(b) < 4+n {
		return proto.More
	}
	if n < 3+8 {
		return proto.No
	}
	return proto.Yes
}

// probeClient tells whether b can be a login: behind a greeting that is enough.
func probeClient(b []byte) proto.Match {
	if len(b) < 4 {
		return proto.More
	}
	r := wire.Reader{B: b}
	n, seq := r.LE24(), r.U8()
	if seq != 1 || n < 5 || n > 1<<16 || len(b) > 4+int(n) && b[4+n] != recordHandshake {
		return proto.No
	}
	if caps := r.LE16(); r.Bad || caps&capProtocol41 == 0 || n < loginHead {
		return proto.More
	}
	r.Skip(2 + 4 + 1)
	for _, c := range r.Take(min(19, r.Left())) {
		if c != 0 {
			return proto.No
		}
	}
	return proto.More
}
