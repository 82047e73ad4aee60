package ftp

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// parser follows one control connection.
type parser struct {
	c   *proto.Conn
	opt *options

	open []*Tx   // wait for their reply, oldest first
	head int     // of open
	cmd  command // the last one
	port uint16  // of the next data connection; 0: not settled
	act  bool    // it is the server that connects
	tls  bool    // handed to TLS

	dirs [2]direction
}

// direction is where the reading of lines stands.
type direction struct {
	wire.Lines
	unsure bool // the next line may be the rest of one
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	var last *Tx // that got the last reply
	for used < len(data) && !p.tls {
		line, n, long, more := p.dirs[dir].Next(data[used:], p.opt.maxLine)
		used += n
		if more {
			need = len(data) - used + 1
			break
		}
		switch {
		case line == nil:
		case dir == proto.ToServer:
			p.request(bytes.TrimSuffix(line, []byte("\n")), long)
		default:
			last = p.response(bytes.TrimSuffix(line, []byte("\n")), long, last)
		}
	}
	if eof {
		for _, tx := range p.c.Txs {
			tx.Base().Advance(dir, Complete)
		}
	}
	return used, need, proto.OK
}

// Gap implements proto.Parser. What follows may be the rest of some line. When replies
// are lost nobody can tell whose; the commands that wait are done.
func (p *parser) Gap(dir proto.Dir, _ int) bool {
	p.dirs[dir] = direction{unsure: true}
	if dir == proto.ToClient {
		for t := p.oldest(); t != nil; t = p.oldest() {
			t.complete()
		}
	} else {
		p.cmd, p.port = cmdNone, 0
	}
	return true
}

// trim takes white space off the end of b.
func trim(b []byte) []byte { return bytes.TrimRight(b, " \t\r\n\f") }

func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// oldest returns the oldest transaction that waits for its reply, nil when none does.
func (p *parser) oldest() *Tx {
	for ; p.head < len(p.open); p.head++ {
		if t := p.open[p.head]; !t.Complete() {
			return t
		}
		p.open[p.head] = nil
	}
	p.open, p.head = p.open[:0], 0
	return nil
}

// waiting counts those that may wait for their reply.
func (p *parser) waiting() int {
	p.oldest()
	return len(p.open) - p.head
}

// push lets t wait for a reply.
func (p *parser) push(t *Tx) {
	if p.head > len(p.open)/2 {
		n := copy(p.open, p.open[p.head:])
		clear(p.open[n:])
		p.open, p.head = p.open[:n], 0
	}
	p.open = append(p.open, t)
}

// newTx begins a transaction, when there is room.
func (p *parser) newTx() *Tx {
	if p.waiting() >= p.opt.maxTx {
		o := p.oldest()
		o.RepeatEvent(EventTooMany)
		o.complete()
		p.c.TxOverflow++
		return nil
	}
	t := &Tx{}
	p.c.NewTx(t)
	p.push(t)
	return t
}

// request reads a command.
func (p *parser) request(line []byte, long bool) {
	cmd := p.opt.find(line)
	if cmd == cmdNone {
		p.cmd = cmdNone
		return
	}
	t := p.newTx()
	if t == nil {
		return
	}
	p.cmd, t.cmd, t.cut = cmd, cmd, long
	name := len(cmd.String())
	if line = trim(line); len(line) > name {
		t.more = true
		if line = trim(line[name+1:]); len(line) > 0 {
			t.arg = clone(line)
		}
	}
	if long {
		t.RepeatEvent(EventLongRequest)
	}
	t.Advance(proto.ToServer, Complete)
	switch {
	case cmd == cmdPort:
		var host [4]byte
		var whole bool
		host, whole, t.port, _, t.active = hostPort(bytes.TrimLeft(t.arg, " "))
		t.bounce = t.active && !p.client(host, whole)
	case cmd == cmdEprt:
		t.port, t.active = extended(t.arg)
	case cmd.transfers():
		p.transfer(t)
	}
	if t.active = t.active && t.port != 0; t.active {
		p.port, p.act = t.port, true
	} else if cmd == cmdPort || cmd == cmdEprt {
		t.port = 0
	}
}

// client tells whether host is the client's address.
func (p *parser) client(host [4]byte, whole bool) bool {
	a := p.c.Addrs[proto.ToServer]
	return whole && [4]byte(a[12:]) == host
}

// response reads a line of a reply. last is the transaction that got the line before,
// when it came together with this one.
func (p *parser) response(line []byte, long bool, last *Tx) *Tx {
	d := &p.dirs[proto.ToClient]
	rest := d.unsure && !hasCode(line)
	if d.unsure = false; rest {
		return last
	}
	t := p.oldest()
	if t == nil {
		t = last
	}
	if t == nil {
		t = &Tx{}
		p.c.NewTx(t)
		p.push(t)
		t.Skip[proto.ToServer] = true
	}
	t.received = true
	t.Touch(proto.ToClient)
	line = trim(line)
	code, text := replyCode(line)
	p.dataPort(t, code, text)
	if !((t.cmd == cmdPort || t.cmd == cmdEprt) && t.port == 0) {
		p.keep(t, code, text, long)
	}
	if long {
		t.RepeatEvent(EventLongResponse)
	}
	if code == nil || code[0] != '1' {
		t.complete()
	}
	if t.cmd.tls() && string(code) == "234" {
		p.tls = true
		p.c.Switch("tls")
	}
	return t
}

// replyCode takes the code off a reply; a line of another form has none.
func replyCode(line []byte) (code, text []byte) {
	if !hasCode(line) || line[3] != ' ' {
		return nil, line
	}
	return line[:3], line[4:]
}

// hasCode tells whether line begins with three digits and a space or minus.
func hasCode(line []byte) bool {
	if len(line) < 4 || line[3] != ' ' && line[3] != '-' {
		return false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// keep notes a line of the reply to t.
func (p *parser) keep(t *Tx, code, text []byte, long bool) {
	t.replyCut = t.replyCut || long
	if len(text) == 0 {
		return
	}
	if len(t.replies) >= maxReplies || t.size+len(text) > maxReplyBytes {
		p.c.Limit(limitReplies)
		return
	}
	r := Reply{Text: clone(text)}
	if code != nil {
		r.Code = clone(code)
	}
	t.replies = append(t.replies, r)
	t.size += len(text)
}

// dataPort takes the port of the data connection from the reply to PASV or EPSV, or to
// the last command when that was one: it may come behind lines that ended the
// transaction.
func (p *parser) dataPort(t *Tx, code, text []byte) {
	var port uint16
	var ok bool
	switch {
	case (t.cmd == cmdPasv || p.cmd == cmdPasv) && string(code) == "227":
		port, ok = passive(text)
	case (t.cmd == cmdEpsv || p.cmd == cmdEpsv) && string(code) == "229":
		port, ok = extendedPassive(text)
	}
	if ok && port != 0 {
		t.port, p.port, p.act = port, port, false
	}
}

// transfer announces the data connection that command t asks for.
func (p *parser) transfer(t *Tx) {
	file := &Transfer{Command: t.cmd.String()}
	switch t.cmd {
	case cmdRetr, cmdStor, cmdAppe:
		if p.port != 0 && t.arg == nil {
			t.RepeatEvent(EventFileWithoutName)
			return
		}
		file.Name = t.arg
	case cmdStou:
		file.Name = []byte("<stou>")
	}
	if p.port == 0 {
		t.RepeatEvent(EventFileBeforePort)
		return
	}
	client, server := p.c.Addrs[proto.ToServer], p.c.Addrs[proto.ToClient]
	// The side of the FTP server in the data connection.
	ftpServer := proto.ToClient
	if p.act {
		client, server, ftpServer = server, client, proto.ToServer
	}
	file.From = ftpServer
	if t.cmd == cmdStor || t.cmd == cmdAppe || t.cmd == cmdStou {
		file.From = ftpServer.Other()
	}
	p.c.Expect(proto.Expectation{Proto: "ftp-data", Client: client, Server: server, Port: p.port, Data: file})
	p.port = 0
}
