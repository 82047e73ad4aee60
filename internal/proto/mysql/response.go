package mysql

import (
	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Flags of the server's status.
const (
	statusMore   = 0x0008 // another result follows
	statusCursor = 0x0040 // the rows wait to be fetched
)

// progressReport is the number of an error packet that is no error: MariaDB tells how
// far a long statement has come.
const progressReport = 0xffff

// response takes a packet of the server. b is what is seen of size bytes.
func (p *parser) response(seq uint8, b []byte, size int) {
	if !p.greeted {
		if p.login == nil || seq == 0 {
			p.greeting(seq, b)
			return
		}
		p.greeted = true // the greeting itself was lost
	}
	t := p.open()
	if t == nil {
		p.unasked(b)
		return
	}
	t.number(seq)
	if len(b) == 0 {
		if t.state != stRows {
			p.broken(t)
		}
		return
	}
	if b[0] == packetError {
		p.failed(t, b)
		return
	}
	switch t.state {
	case stAuth:
		p.authResponse(t, b)
	case stFirst:
		p.first(t, b, size)
	case stParams, stColumns, stFields:
		p.definition(t, b, size)
	case stParamsEnd, stColumnsEnd:
		p.definitionsEnd(t, b, size)
	case stRows:
		p.row(t, b, size)
	case stEvents:
		p.event(t, b, size)
	case stLast:
		p.closing(t, b)
	}
}

// unasked takes what the server says though no request waits. An error is the reason
// why it ends the session. Of such packets one is noted until the next request.
func (p *parser) unasked(b []byte) {
	if p.lost || p.deaf[proto.ToServer] {
		return
	}
	p.lost = true
	t := p.begin(KindNone)
	if len(b) > 0 && b[0] == packetError {
		p.failed(t, b)
		return
	}
	t.AddEvent(EventUnexpectedPacket)
	p.answer(t)
}

// failed reads an error, which ends the answer.
func (p *parser) failed(t *Tx, b []byte) {
	r := wire.Reader{B: b}
	r.Skip(1)
	code := r.LE16()
	if r.Bad {
		p.broken(t)
		return
	}
	if code == progressReport && t.Kind == KindCommand {
		return
	}
	t.Answer, t.Error = Failed, Error{Code: code}
	if r.Left() >= 6 && r.B[r.At] == '#' {
		r.Skip(1)
		t.Error.State = clone(r.Take(5))
	}
	t.Error.Message = clone(r.Rest())
	p.answer(t)
}

// ok reads an OK packet, also one that takes the place of an EOF packet, and tells
// whether another result follows.
func (p *parser) ok(t *Tx, b []byte, ofRows bool) (more bool) {
	r := wire.Reader{B: b}
	r.Skip(1)
	var o OK
	var good [2]bool
	o.Affected, good[0] = number(&r)
	o.InsertID, good[1] = number(&r)
	var status uint16
	if p.caps&capProtocol41 != 0 {
		status = r.LE16()
		o.Warnings = r.LE16()
	}
	if r.Bad || !good[0] || !good[1] {
		t.AddEvent(EventMalformedResponse)
		return false
	}
	switch {
	case r.Left() == 0:
	case p.caps&capSessionTrack != 0:
		o.Info = clone(text(&r))
	default:
		o.Info = clone(r.Rest())
	}
	if ofRows {
		t.OK.Warnings = o.Warnings
	} else {
		t.OK = o
		if t.Answer == NoAnswer {
			t.Answer = Accepted
		}
	}
	return status&statusMore != 0
}

// isEnd tells whether b ends rows or definitions.
func (p *parser) isEnd(b []byte, size int) bool {
	return b[0] == packetEnd && (size < 9 || p.caps&capNoEOF != 0 && size < full)
}

// end reads what ends rows or definitions and returns the server's status.
func (p *parser) end(t *Tx, b []byte) (status uint16) {
	r := wire.Reader{B: b}
	r.Skip(1)
	if p.caps&capNoEOF != 0 && len(b) >= 7 {
		if p.ok(t, b, true) {
			return statusMore
		}
		return 0
	}
	if r.Left() >= 4 {
		t.OK.Warnings = r.LE16()
		status = r.LE16()
	}
	return status
}

// finish ends a result with more to come, or the answer.
func (p *parser) finish(t *Tx, more bool) {
	if more {
		t.state, t.types = stFirst, nil
		return
	}
	p.answer(t)
}

// first reads the first packet of an answer, or of another result.
func (p *parser) first(t *Tx, b []byte, size int) {
	switch t.Command {
	case comStatistics:
		t.Answer, t.Info = Text, clone(b)
		p.answer(t)
		return
	case comStmtFetch:
		t.Answer, t.binary, t.state, t.types = ResultSet, true, stRows, p.statements[t.Statement]
		p.row(t, b, size)
		return
	case comStmtPrepare:
		p.prepared(t, b)
		return
	case comQuery, comStmtExecute, comBulkExecute, comProcessInfo:
	default:
		p.closing(t, b)
		return
	}
	// Behind OptionalMeta a result begins with whether definitions follow.
	optional := p.caps&capOptionalMeta != 0 && b[0] <= 1 && size >= 2 && size < 7
	switch {
	case optional:
		p.result(t, b[1:], b[0] == 1)
	case b[0] == packetOK:
		p.finish(t, p.ok(t, b, false))
	case b[0] == packetInfile && t.Command == comQuery:
		p.asksFile(t, b)
	default:
		p.result(t, b, true)
	}
}

// closing reads the answer of a command that has no rows.
func (p *parser) closing(t *Tx, b []byte) {
	switch b[0] {
	case packetOK:
		p.finish(t, p.ok(t, b, false))
	case packetEnd:
		p.end(t, b)
		t.Answer = Accepted
		p.answer(t)
	default:
		if _, known := commands[t.Command]; known {
			t.AddEvent(EventMalformedResponse)
		}
		p.answer(t)
		p.lost = true
	}
}

// result reads the number of columns that a result has.
func (p *parser) result(t *Tx, b []byte, follow bool) {
	r := wire.Reader{B: b}
	n, ok := number(&r)
	if !ok || n == 0 || n > MaxColumns {
		p.broken(t)
		return
	}
	t.Answer, t.Columns = ResultSet, n
	t.Results++
	t.binary = t.Command == comStmtExecute || t.Command == comBulkExecute
	if p.caps&capCacheMetadata != 0 && r.Left() > 0 {
		follow = r.U8() != 0
	}
	t.types, t.left, t.state = nil, int(n), stColumns
	if !follow {
		t.types = p.statements[t.Statement]
		p.described(t)
	}
}

// prepared reads the answer to a statement that was prepared.
func (p *parser) prepared(t *Tx, b []byte) {
	r := wire.Reader{B: b}
	kind := r.U8()
	t.Statement = r.LE32()
	t.Columns, t.Params = uint64(r.LE16()), r.LE16()
	if kind != packetOK || r.Bad || t.Columns > MaxColumns {
		p.broken(t)
		return
	}
	t.Answer, t.HasStatement = Prepared, true
	if r.Skip(1); r.Left() >= 2 {
		t.OK.Warnings = r.LE16()
	}
	if r.Left() > 0 && p.caps&capOptionalMeta != 0 && r.U8() == 0 {
		p.answer(t)
		return
	}
	t.left, t.state = int(t.Params), stParams
	if t.left == 0 {
		p.columnsOf(t)
	}
}

// columnsOf goes on to the columns of a prepared statement.
func (p *parser) columnsOf(t *Tx) {
	t.types, t.left, t.state = nil, int(t.Columns), stColumns
	if t.left == 0 {
		p.answer(t)
	}
}

// definition takes the definition of a column or parameter.
func (p *parser) definition(t *Tx, b []byte, size int) {
	if t.state == stFields {
		if p.isEnd(b, size) {
			t.Answer = Accepted
			p.end(t, b)
			p.answer(t)
			return
		}
		t.Columns++
		return
	}
	if t.left > 0 && t.state == stColumns && len(t.types) < MaxTypes {
		c, ok := definition(b, p.caps&capExtendedMeta != 0)
		if !ok {
			t.AddEvent(EventMalformedResponse)
		}
		t.types = append(t.types, c)
	}
	if t.left--; t.left > 0 {
		return
	}
	switch {
	case t.state == stColumns:
		p.described(t)
	case p.caps&capNoEOF != 0:
		p.columnsOf(t)
	default:
		t.state = stParamsEnd
	}
}

// described goes on behind the definitions of columns.
func (p *parser) described(t *Tx) {
	if p.caps&capNoEOF == 0 {
		t.state = stColumnsEnd
		return
	}
	p.rows(t)
}

// rows goes on to the rows, which an answer to stmt_prepare has not.
func (p *parser) rows(t *Tx) {
	if t.Answer == Prepared {
		p.setTypes(t.Statement, t.types)
		p.answer(t)
		return
	}
	t.state = stRows
}

// definitionsEnd takes the packet behind definitions.
func (p *parser) definitionsEnd(t *Tx, b []byte, size int) {
	if !p.isEnd(b, size) {
		p.broken(t)
		return
	}
	status := p.end(t, b)
	switch {
	case t.state == stParamsEnd:
		p.columnsOf(t)
	case status&statusCursor != 0:
		p.setTypes(t.Statement, t.types)
		p.finish(t, false)
	default:
		p.rows(t)
	}
}

// row takes a row or the end of them.
func (p *parser) row(t *Tx, b []byte, size int) {
	if p.isEnd(b, size) {
		p.finish(t, p.end(t, b)&statusMore != 0)
		return
	}
	t.Rows++
	t.Bytes += uint64(size)
	switch {
	case !t.binary:
		t.keep(func(out []byte) []byte { return appendTextRow(out, b) })
	case len(t.types) > 0 && uint64(len(t.types)) == t.Columns || t.Command == comStmtFetch && len(t.types) > 0 && len(t.types) < MaxTypes:
		t.keep(func(out []byte) []byte { return appendBinaryRow(out, b, t.types) })
	}
}

// event counts an event of the binary log.
func (p *parser) event(t *Tx, b []byte, size int) {
	switch {
	case b[0] == packetOK:
		t.Answer = Binlog
		t.Rows++
		t.Bytes += uint64(size)
	case p.isEnd(b, size):
		if t.Answer = Binlog; t.Rows == 0 {
			t.Answer = Accepted
		}
		p.answer(t)
	default:
		p.broken(t)
	}
}

// asksFile takes the server's wish for a file of the client. A client may send any
// file that its user can read: a server that was not asked to is hostile.
func (p *parser) asksFile(t *Tx, b []byte) {
	t.Infile.Name = clone(b[1:])
	if !t.asksLocal() {
		t.AddEvent(EventUnsolicitedInfile)
	}
	t.state = stLast
	if p.deaf[proto.ToServer] {
		return
	}
	t.Infile.file = p.c.NewFile(t, proto.ToServer, t.Infile.Name)
	p.infile, p.sink = t, t.Infile.file
}
