package mysql

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Commands.
const (
	comQuit          = 0x01
	comInitDB        = 0x02
	comQuery         = 0x03
	comFieldList     = 0x04
	comCreateDB      = 0x05
	comDropDB        = 0x06
	comStatistics    = 0x09
	comProcessInfo   = 0x0a
	comProcessKill   = 0x0c
	comChangeUser    = 0x11
	comBinlogDump    = 0x12
	comTableDump     = 0x13
	comRegisterSlave = 0x15
	comStmtPrepare   = 0x16
	comStmtExecute   = 0x17
	comStmtLongData  = 0x18
	comStmtClose     = 0x19
	comStmtReset     = 0x1a
	comSetOption     = 0x1b
	comStmtFetch     = 0x1c
	comBinlogGTID    = 0x1e
	comBulkExecute   = 0xfa // MariaDB
)

// commands are the names of commands, as the MySQL documentation has them without
// COM_.
var commands = map[uint8]string{
	0x00: "sleep", comQuit: "quit", comInitDB: "init_db", comQuery: "query", comFieldList: "field_list",
	comCreateDB: "create_db", comDropDB: "drop_db", 0x07: "refresh", 0x08: "shutdown", comStatistics: "statistics",
	comProcessInfo: "process_info", 0x0b: "connect", comProcessKill: "process_kill", 0x0d: "debug", 0x0e: "ping",
	0x0f: "time", 0x10: "delayed_insert", comChangeUser: "change_user", comBinlogDump: "binlog_dump",
	comTableDump: "table_dump", 0x14: "connect_out", comRegisterSlave: "register_slave",
	comStmtPrepare: "stmt_prepare", comStmtExecute: "stmt_execute", comStmtLongData: "stmt_send_long_data",
	comStmtClose: "stmt_close", comStmtReset: "stmt_reset", comSetOption: "set_option", comStmtFetch: "stmt_fetch",
	0x1d: "daemon", comBinlogGTID: "binlog_dump_gtid", 0x1f: "reset_connection", 0x20: "clone",
	comBulkExecute: "stmt_bulk_execute",
}

// commandNumbers are the commands by name.
func commandNumbers() map[string]uint64 {
	m := make(map[string]uint64, len(commands))
	for n, name := range commands {
		m[name] = uint64(n)
	}
	return m
}

// request takes a packet of the client. b is what is seen of size bytes.
func (p *parser) request(seq uint8, b []byte, size int) {
	switch {
	case !p.loggedIn:
		p.readLogin(seq, b, size)
	case seq == 0:
		p.command(b, size)
	case p.auth != nil:
		p.authRequest(p.auth, seq, size)
	default:
		// Part of a file that the server was not seen to ask for, or garbage.
		if t := p.last; t != nil && !t.done(proto.ToServer) && t.Kind == KindCommand {
			t.Infile.Bytes += uint64(size)
			if !p.deaf[proto.ToClient] && !p.c.OneSided {
				t.AddEvent(EventUnexpectedPacket)
			}
		}
	}
}

func (t *Tx) done(dir proto.Dir) bool { return t.Progress[dir] >= done }

// command reads a command.
func (p *parser) command(b []byte, size int) {
	if p.last != nil {
		p.last.requestDone()
	}
	p.lost = false
	t := p.begin(KindCommand)
	p.last, t.next = t, 1
	r := wire.Reader{B: b}
	t.Command = r.U8()
	if size == 0 {
		t.Kind = KindNone
		t.AddEvent(EventMalformedRequest)
		p.answer(t)
		p.lost = true
		return
	}
	if _, known := commands[t.Command]; !known {
		t.AddEvent(EventUnknownCommand)
	}
	if p.arguments(t, &r); r.Bad {
		t.AddEvent(EventMalformedRequest)
	}
	if t.Command != comQuery {
		t.requestDone()
	} else {
		t.Advance(proto.ToServer, requested) // a file may follow
	}
	if p.deaf[proto.ToClient] || t.Command == comQuit || t.Command == comStmtClose || t.Command == comStmtLongData {
		p.answer(t) // no answer follows
	}
}

// arguments reads what follows the number of a command.
func (p *parser) arguments(t *Tx, r *wire.Reader) {
	switch t.Command {
	case comQuery:
		t.Query = r.Rest()
		if p.caps&capQueryAttrs != 0 {
			if q, ok := statement(t.Query); ok {
				t.Query = q
			} else {
				t.AddEvent(EventMalformedRequest)
			}
		}
		t.Query = clone(t.Query)
	case comStmtPrepare:
		t.Query = clone(r.Rest())
	case comInitDB, comCreateDB, comDropDB:
		t.Database = clone(r.Rest())
	case comStmtExecute, comStmtFetch, comBulkExecute, comStmtReset, comStmtLongData, comStmtClose:
		t.Statement, t.HasStatement = r.LE32(), true
		if t.Command == comStmtClose {
			p.forget(t.Statement)
		}
	case comProcessKill:
		t.Argument, t.HasArgument = uint64(r.LE32()), true
	case comSetOption:
		t.Argument, t.HasArgument = uint64(r.LE16()), true
	case comFieldList, comTableDump:
		if t.Command == comFieldList {
			t.state = stFields
		}
		t.File = clone(upToZero(r.Rest()))
	case comBinlogDump:
		t.Argument, t.HasArgument = uint64(r.LE32()), true
		r.Skip(2) // flags
		t.ServerID = r.LE32()
		t.File = clone(r.Rest())
		t.state = stEvents
	case comBinlogGTID:
		r.Skip(2)
		t.ServerID = r.LE32()
		n := r.LE32()
		t.File = clone(r.Take(int(min(n, uint32(MaxMessage)))))
		t.Argument, t.HasArgument = r.LE64(), true
		t.state = stEvents
	case comRegisterSlave:
		// The host, user and password that follow are the replica's own.
		t.ServerID = r.LE32()
	case comChangeUser:
		p.changeUser(t, r)
	}
}

// changeUser reads the login of a session that goes on as another user.
func (p *parser) changeUser(t *Tx, r *wire.Reader) {
	t.User = clone(r.Zero())
	t.authData(r, false, p.caps&capSecure != 0)
	t.Database = clone(r.Zero())
	if r.Left() >= 2 {
		r.Skip(2) // character set
		t.pluginAndAttributes(r, p.caps)
	}
	t.state, p.auth = stAuth, t
}

// clone copies b; it is nil only when b is.
func clone(b []byte) []byte { return bytes.Clone(b) }

func upToZero(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// asksLocal tells whether the statement of t reads a file of the client: LOAD DATA
// LOCAL or LOAD XML LOCAL. Only then may the server ask for one.
func (t *Tx) asksLocal() bool {
	if !t.checked {
		q := bytes.ToLower(t.Query)
		_, after, load := bytes.Cut(q, []byte("load"))
		t.checked, t.local = true, load && bytes.Contains(after, []byte("local"))
	}
	return t.local
}
