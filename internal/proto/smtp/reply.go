package smtp

import (
	"bytes"

	"mirador/internal/proto"
)

// replyLine reads one line of a reply.
func (p *parser) replyLine(data []byte, off uint64) (used int, more, ok bool) {
	line, used, long, more := p.dirs[proto.ToClient].Next(data, MaxLine)
	if line == nil {
		return used, more, true
	}
	var c command
	waits := p.head < len(p.queue)
	id := proto.NoTx
	if waits {
		if c = p.queue[p.head]; c.tx != nil {
			id = c.tx.ID
		}
	}
	p.c.AddFrame(proto.ToClient, "response_line", off, int64(len(line)), id)
	about := p.lastTx(c.tx)
	if long && about != nil {
		about.RepeatEvent(EventTruncatedLine)
	}
	line = trim(line)
	code, good := replyCode(line)
	if (!good || !waits && !p.welcome && code != 220) && about != nil {
		about.RepeatEvent(EventInvalidReply)
	}
	if !good {
		return used, false, false
	}
	if !waits {
		p.welcome = true
		return used, false, true
	}
	final := len(line) < 4 || line[3] != '-'
	if c.kind == cmdEhlo && code == 250 && len(line) > 4 && bytes.HasPrefix(line[4:], []byte("PIPELINING")) {
		p.piping = true
	}
	if final {
		p.queue[p.head] = command{}
		p.head++
		p.reply(c, code)
	}
	return used, false, true
}

// codes are the reply codes of SMTP and its extensions, by hundreds; anything else
// is not a reply.
var codes = [...]uint16{
	211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 401, 402, 421, 435, 450, 451, 452, 454, 455,
	500, 501, 502, 503, 504, 511, 521, 522, 525, 530, 534, 535, 541, 543, 550, 551, 552, 553, 554, 555,
}

// replyCode reads the code at the front of a reply line.
func replyCode(line []byte) (code uint16, ok bool) {
	if len(line) < 3 {
		return 0, false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return 0, false
		}
		code = code*10 + uint16(c-'0')
	}
	for _, x := range codes {
		if x == code {
			return code, true
		}
	}
	return code, false
}

// reply acts on the last line of the reply to c.
func (p *parser) reply(c command, code uint16) {
	t := c.tx
	if t == nil {
		return
	}
	t.Touch(proto.ToClient)
	switch c.kind {
	case cmdAgain, cmdRset: // a greeting that the server takes gives the mail up
		if code == 250 {
			p.finish(t)
		}
	case cmdQuit:
		if code == 221 {
			p.finish(t)
		}
	case cmdDot:
		t.Advance(proto.ToClient, Complete)
	case cmdChunk, cmdLastChunk:
		if p.chunk > 0 && p.head == len(p.queue) {
			// Answered before it was there: the server does not want it, and the client
			// will not send it.
			p.chunk = 0
		}
		if c.kind == cmdLastChunk {
			t.Advance(proto.ToClient, Complete)
		}
	case cmdStartTLS:
		p.startTLS(t, code)
	case cmdData:
		p.dataReply(t, code)
	}
}

// finish completes mail t.
func (p *parser) finish(t *Tx) {
	if p.data == t {
		p.endMail(t)
		p.data = nil
	}
	t.complete()
	if p.cur == t {
		p.cur = nil
	}
}

// startTLS hands the session to TLS when the server agrees.
func (p *parser) startTLS(t *Tx, code uint16) {
	if code != 220 {
		t.RepeatEvent(EventTLSRejected)
		return
	}
	p.tls = true
	p.c.Switch("tls")
}

// dataReply begins to read the data of t when the server has taken DATA, and stops
// when it has not.
func (p *parser) dataReply(t *Tx, code uint16) {
	switch {
	case code != 354:
		t.RepeatEvent(EventDataRejected)
		if p.data == t {
			p.data = nil
		}
		if t.Mail != nil {
			p.cut = true
			p.endMail(t)
			p.cut = false
		}
	case p.data == nil && t.Progress[proto.ToServer] < Data:
		p.startData(t)
	}
}
