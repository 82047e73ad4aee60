package pop3

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// parser follows one session.
type parser struct {
	c        *proto.Conn
	maxTx    int
	commands map[string]*command

	open []*Tx // wait for their response, oldest first
	head int   // of open
	body *Tx   // its lines are being read
	sasl bool  // the client answers a challenge next
	tls  bool  // handed to TLS

	dirs [2]direction
}

// direction is where the reading of lines stands.
type direction struct {
	wire.Lines
	unsure bool // the next line may be the rest of one
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	for used < len(data) && !p.tls {
		line, n, _, more := p.dirs[dir].Next(data[used:], MaxLine)
		used += n
		if more {
			need = len(data) - used + 1
			break
		}
		switch {
		case line == nil:
		case dir == proto.ToServer:
			p.request(line)
		default:
			p.response(line)
		}
	}
	if eof {
		for _, tx := range p.c.Txs {
			tx.Base().Advance(dir, Complete)
		}
	}
	return used, need, proto.OK
}

// Gap implements proto.Parser. What follows may be the rest of some line. When a
// response is lost nobody can tell whose; the commands that wait are done.
func (p *parser) Gap(dir proto.Dir, _ int) bool {
	p.dirs[dir] = direction{unsure: true}
	if dir == proto.ToClient && p.body == nil {
		for t := p.oldest(); t != nil; t = p.oldest() {
			t.complete()
		}
	}
	return true
}

// trim takes the end off a line.
func trim(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// oldest returns the oldest transaction that waits for its response, nil when none does.
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

// newTx begins a transaction.
func (p *parser) newTx() *Tx {
	p.oldest()
	if p.head > len(p.open)/2 {
		n := copy(p.open, p.open[p.head:])
		clear(p.open[n:])
		p.open, p.head = p.open[:n], 0
	}
	t := &Tx{}
	p.c.NewTx(t)
	p.open = append(p.open, t)
	return t
}

// request reads a command.
func (p *parser) request(line []byte) {
	long := len(line) > MaxRequest
	words := bytes.Trim(trim(line), " ")
	d := &p.dirs[proto.ToServer]
	rest := d.unsure && !p.known(words)
	if d.unsure = false; rest || len(words) == 0 {
		return
	}
	t := p.newTx()
	t.request = true
	if p.sasl {
		p.sasl = false
		t.cmd, t.name = p.commands["AUTH"], []byte("<SASL DATA>")
	} else {
		p.words(t, words)
	}
	if long {
		t.RepeatEvent(EventLongRequest)
	}
	t.Advance(proto.ToServer, Complete)
	if len(p.open)-p.head > p.maxTx {
		p.c.TxOverflow++
		for _, x := range p.open[p.head:] {
			x.RepeatEvent(EventTooMany)
			x.complete()
		}
		p.body = nil
	}
}

// known tells whether line begins with a command of the standards.
func (p *parser) known(line []byte) bool {
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		line = line[:i]
	}
	return len(line) <= maxWord && p.commands[string(bytes.ToUpper(line))] != nil
}

// words splits a command into its name and arguments.
func (p *parser) words(t *Tx, words []byte) {
	n := 0
	for len(words) > 0 {
		w := words
		if i := bytes.IndexByte(words, ' '); i >= 0 {
			w, words = words[:i], bytes.TrimLeft(words[i:], " ")
		} else {
			words = nil
		}
		switch {
		case t.name == nil:
			t.name = clone(w)
			continue
		case n < maxArgs:
			t.args = append(t.args, clone(w))
		default:
			p.c.Limit(limitArguments)
		}
		n++
	}
	if len(t.name) <= maxWord {
		t.cmd = p.commands[string(bytes.ToUpper(t.name))]
	}
	switch {
	case t.cmd == nil:
		t.RepeatEvent(EventUnknownCommand)
	case n < t.cmd.least || n > t.cmd.most:
		t.RepeatEvent(EventArguments)
	}
}

// response reads a line of a response.
func (p *parser) response(line []byte) {
	if p.body != nil {
		p.bodyLine(trim(line))
		return
	}
	long := len(line) > MaxResponse
	line = trim(line)
	ok, header, challenge, good := status(line)
	if !good {
		return
	}
	t := p.oldest()
	if t == nil {
		t = p.newTx()
		t.Skip[proto.ToServer] = true
	}
	if long {
		t.RepeatEvent(EventLongResponse)
	}
	t.Touch(proto.ToClient)
	mail := ok && t.cmd != nil && t.cmd.mail
	if !mail {
		t.response, t.ok, t.header = true, ok, clone(header)
	}
	switch {
	case challenge:
		p.sasl = true
		t.complete()
	case ok && t.cmd != nil && t.cmd.lines && !(t.cmd.bare && len(t.args) > 0) && string(t.name) != "<SASL DATA>":
		p.body = t
	default:
		t.complete()
	}
	if ok && t.cmd != nil && t.cmd.tls {
		p.tls = true
		p.c.Switch("tls")
	}
}

// status reads a status line. challenge tells that the server wants more of AUTH.
func status(line []byte) (ok bool, header []byte, challenge, good bool) {
	word := line
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		word, header = line[:i], line[i+1:]
	}
	switch {
	case bytes.EqualFold(word, []byte("+OK")):
		return true, header, false, true
	case bytes.EqualFold(word, []byte("-ERR")):
		return false, header, false, true
	case string(word) == "+":
		return true, header, true, true
	}
	return false, nil, false, false
}

// bodyLine reads a line of a response behind the first.
func (p *parser) bodyLine(line []byte) {
	t := p.body
	t.Touch(proto.ToClient)
	if len(line) > 0 && line[0] == '.' {
		if line = line[1:]; len(line) == 0 {
			p.body = nil
			t.complete()
			return
		}
	}
	if t.cmd.mail {
		return
	}
	if len(t.data) >= maxData || t.size+len(line) > maxDataBytes {
		p.c.Limit(limitLines)
		return
	}
	t.data = append(t.data, clone(line))
	t.size += len(line)
}
