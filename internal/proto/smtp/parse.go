package smtp

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/mime"
	"mirador/internal/proto/wire"
)

// kind is what a command asks for, as far as its reply matters.
type kind uint8

const (
	cmdOther kind = iota
	cmdEhlo
	cmdAgain // a greeting in the middle of a mail
	cmdData
	cmdDot // the end of the data
	cmdChunk
	cmdLastChunk
	cmdRset
	cmdQuit
	cmdStartTLS
)

// command is a command that waits for its reply.
type command struct {
	kind kind
	tx   *Tx // whose it is; nil: nobody's
}

// parser follows one session.
type parser struct {
	c   *proto.Conn
	opt *options

	helo    []byte
	greeted bool // there was a HELO
	welcome bool // the server has spoken first
	piping  bool // the server takes pipelined commands
	tls     bool // the session goes on in TLS
	dead    bool // something was lost: nothing is looked at any more
	cut     bool // files that are closed now are not whole

	cur   *Tx // the mail that commands belong to, nil when the next one begins another
	last  *Tx // the newest
	queue []command
	head  int // of queue

	// Data mode.
	data    *Tx // its data is being read
	first   bool
	framing bool   // a frame of data is open
	dataOff uint64 // its stream offset
	chunk   uint64 // bytes of a BDAT chunk still to come
	lastOne bool   // it is the last chunk

	dirs [2]direction
}

// direction is where the reading of lines stands.
type direction struct {
	wire.Lines
	spoke bool // bytes of this direction have come
}

func newParser(c *proto.Conn, o *options) *parser {
	return &parser{c: c, opt: o}
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	if p.dead {
		return len(data), 0, proto.OK
	}
	// As for Suricata, rules for the stream look at commands and their replies as they
	// come; the greeting and mail wait.
	if dir == proto.ToServer {
		p.c.RawNow[dir] = len(data) > 0 && p.data == nil && p.chunk == 0
	} else {
		p.c.RawNow[dir] = len(data) > 0 && p.dirs[proto.ToServer].spoke
	}
	p.dirs[dir].spoke = true
	for used < len(data) {
		var n int
		ok, more := true, false
		off := p.c.Offset[dir] + uint64(used)
		switch {
		case dir == proto.ToClient:
			n, more, ok = p.replyLine(data[used:], off)
		case p.chunk > 0:
			n = p.chunkBytes(data[used:])
		case p.data != nil:
			n, more = p.dataLine(data[used:], off, eof)
		default:
			n, more = p.commandLine(data[used:], off)
		}
		used += n
		if !ok {
			p.stop()
			return used, 0, proto.Broken
		}
		if more {
			need = len(data) - used + 1
			break
		}
		if p.switched(dir) {
			break
		}
	}
	if eof {
		p.end(dir)
	}
	return used, need, proto.OK
}

// Gap implements proto.Parser. Bytes may be lost in the data of a mail; commands and
// replies cannot be matched any more when some are missing.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	d := &p.dirs[dir]
	d.Scanned = 0
	switch {
	case dir == proto.ToServer && p.chunk > uint64(n):
		p.chunk -= uint64(n)
		return true
	case dir == proto.ToClient || p.data == nil || p.chunk > 0:
		p.stop()
		return false
	}
	t := p.data
	if t.file != nil {
		t.file.Gap(uint64(n))
		t.Touch(proto.ToServer)
	}
	// What follows is the rest of some line; in a header it cannot be told of which.
	p.first = false
	d.Discard = p.inHeader()
	return true
}

// stop ends what is open: the session cannot be followed any more.
func (p *parser) stop() {
	p.cut, p.dead = true, true
	if p.data != nil {
		p.endMail(p.data)
		p.data = nil
	}
	for _, x := range p.c.Txs {
		if t, ok := x.(*Tx); ok {
			t.complete()
		}
	}
	p.cur = nil
}

// end is called when direction dir is over: nothing more belongs to any mail.
func (p *parser) end(dir proto.Dir) {
	if t := p.data; t != nil && dir == proto.ToServer {
		p.cut = true
		p.endMail(t)
		p.data = nil
		p.closeDataFrame(p.c.Offset[dir])
	}
	for _, x := range p.c.Txs {
		x.Base().Advance(dir, Complete)
	}
}

// switched tells whether the flow has been handed to another protocol.
func (p *parser) switched(dir proto.Dir) bool { return p.tls && dir == proto.ToClient }

// trim takes the end off a line.
func trim(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	return line
}

// commandLine reads one command.
func (p *parser) commandLine(data []byte, off uint64) (used int, more bool) {
	line, used, long, more := p.dirs[proto.ToServer].Next(data, MaxLine)
	if line == nil {
		return used, more
	}
	p.c.AddFrame(proto.ToServer, "command_line", off, int64(len(line)), proto.NoTx)
	if !long {
		line = trim(line)
	}
	t := p.command(line)
	if long && p.lastTx(t) != nil {
		p.lastTx(t).RepeatEvent(EventTruncatedLine)
	}
	id := proto.NoTx
	if t != nil {
		id = t.ID
	}
	p.c.AddFrame(proto.ToServer, "command_line", off, int64(len(line)), id)
	return used, false
}

// lastTx returns t, or else the newest mail.
func (p *parser) lastTx(t *Tx) *Tx {
	if t == nil {
		return p.last
	}
	return t
}

// is tells whether line begins with word, which is in upper case.
func is(line []byte, word string) bool {
	if len(line) < len(word) {
		return false
	}
	for i := range len(word) {
		c := line[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// command acts on a command and returns the mail it belongs to. Only the first
// letters count, as in Suricata.
func (p *parser) command(line []byte) *Tx {
	k := cmdOther
	switch {
	case is(line, "RSET"):
		k = cmdRset
	case is(line, "QUIT"):
		k = cmdQuit
	}
	if p.cur == nil && (k == cmdOther || p.last == nil) {
		p.newTx()
	}
	t := p.cur
	if !p.welcome && t != nil {
		t.RepeatEvent(EventNoWelcome)
	}
	switch {
	case k != cmdOther:
	case is(line, "STARTTLS"):
		k = cmdStartTLS
	case is(line, "DATA"):
		k = p.dataCommand(t)
	case is(line, "BDAT"):
		k = p.bdatCommand(t, line)
	case is(line, "HELO"), is(line, "EHLO"):
		k = p.heloCommand(t, line)
	case is(line, "MAIL FROM"):
		if t.MailFrom != nil {
			t.RepeatEvent(EventDuplicateFields)
		} else {
			t.MailFrom = argument(line, len("MAIL FROM:"))
		}
		t.Touch(proto.ToServer)
	case is(line, "RCPT TO"):
		if r := argument(line, len("RCPT TO:")); len(t.Rcpt) < maxRcpt && t.rcptBytes+len(r) <= maxRcptBytes {
			t.Rcpt = append(t.Rcpt, r)
			t.rcptBytes += len(r)
		} else {
			p.c.Limit(limitRecipients)
		}
		t.Touch(proto.ToServer)
	}
	p.push(command{k, t})
	if k == cmdLastChunk && p.chunk == 0 {
		p.requestDone(t)
	}
	return t
}

// newTx begins a mail.
func (p *parser) newTx() {
	live := 0
	open := p.c.Open()
	for _, x := range open {
		if !x.Base().Complete() {
			live++
		}
	}
	if live >= p.opt.maxTx {
		if t, ok := open[0].(*Tx); ok {
			p.c.TxOverflow++
			t.complete()
		}
	}
	p.cur = &Tx{p: p}
	p.last = p.cur
	p.c.NewTx(p.cur)
}

// argument copies the word behind the first from bytes of line and spaces.
func argument(line []byte, from int) []byte {
	line = line[min(from, len(line)):]
	line = bytes.TrimLeft(line, " ")
	if i := bytes.IndexByte(line, ' '); i >= 0 {
		line = line[:i]
	}
	return append(make([]byte, 0, len(line)), line...)
}

// heloCommand notes what the client calls itself. The first name stays.
func (p *parser) heloCommand(t *Tx, line []byte) kind {
	if p.greeted {
		t.RepeatEvent(EventDuplicateFields)
	} else {
		p.greeted = true
		p.helo = argument(line, len("HELO "))
		t.Touch(proto.ToServer)
	}
	switch {
	case t.content():
		return cmdAgain
	case is(line, "EHLO"):
		return cmdEhlo
	}
	return cmdOther
}

// dataCommand begins the data of mail t. A server that takes pipelined commands is
// taken to say yes.
func (p *parser) dataCommand(t *Tx) kind {
	if t.data {
		t.RepeatEvent(EventUnparsable)
		return cmdOther
	}
	t.data = true
	if p.opt.mime {
		t.Mail = mime.New(&p.opt.msg, t)
	}
	if p.piping {
		p.startData(t)
	}
	return cmdData
}

// startData begins to read the data of t.
func (p *parser) startData(t *Tx) {
	p.data, p.first, p.framing = t, true, false
	p.dirs[proto.ToServer].Scanned = 0 // lines of data may end in CR alone
	t.Advance(proto.ToServer, Data)
	t.Advance(proto.ToClient, Data)
	if p.opt.raw {
		t.open([]byte("rawmsg"))
	}
}

// bdatCommand reads "BDAT size [LAST]".
func (p *parser) bdatCommand(t *Tx, line []byte) kind {
	n, last, ok := chunkSize(line[len("BDAT"):])
	if !ok {
		t.RepeatEvent(EventInvalidBDAT)
		return cmdOther
	}
	p.chunk, p.lastOne = n, last
	if last {
		return cmdLastChunk
	}
	return cmdChunk
}

// chunkSize reads the arguments of BDAT: a number of bytes of 32 bits, and perhaps
// LAST.
func chunkSize(arg []byte) (n uint64, last, ok bool) {
	if len(arg) == 0 || arg[0] != ' ' {
		return 0, false, false
	}
	arg = bytes.TrimLeft(arg, " ")
	if len(arg) > 0 && arg[0] == '+' {
		arg = arg[1:]
	}
	i := 0
	for ; i < len(arg) && arg[i] >= '0' && arg[i] <= '9'; i++ {
		if n = n*10 + uint64(arg[i]-'0'); n > 1<<32-1 {
			return 0, false, false
		}
	}
	if i == 0 {
		return 0, false, false
	}
	rest := arg[i:]
	if len(bytes.Trim(rest, " ")) == 0 {
		return n, false, true
	}
	if rest[0] != ' ' {
		return 0, false, false
	}
	rest = bytes.TrimLeft(rest, " ")
	if len(rest) != len("LAST") || !is(rest, "LAST") {
		return 0, false, false
	}
	return n, true, true
}

// chunkBytes passes over the bytes of a chunk.
func (p *parser) chunkBytes(data []byte) int {
	n := min(p.chunk, uint64(len(data)))
	p.chunk -= n
	if p.chunk == 0 && p.lastOne {
		p.requestDone(p.cur)
	}
	return int(n)
}

// requestDone notes that the client has sent all of mail t.
func (p *parser) requestDone(t *Tx) {
	if t == nil {
		return
	}
	t.Advance(proto.ToServer, Complete)
	if p.cur == t {
		p.cur = nil
	}
}

// push lets c wait for its reply. Nothing may follow DATA and STARTTLS before they are
// answered.
func (p *parser) push(c command) {
	if n := len(p.queue); n > p.head && p.queue[n-1].kind == cmdData || n > p.head && p.queue[n-1].kind == cmdStartTLS {
		if t := p.lastTx(c.tx); t != nil {
			t.RepeatEvent(EventPipelining)
		}
	}
	if len(p.queue)-p.head >= maxQueue {
		p.head++
		p.c.Limit(limitCommands)
	}
	if p.head > 0 && (p.head == len(p.queue) || p.head >= maxQueue) {
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	p.queue = append(p.queue, c)
}

// inHeader tells whether the data of the mail being read is still its header.
func (p *parser) inHeader() bool {
	return p.data != nil && p.data.Mail != nil && p.data.Mail.InHeader()
}

// dataLine reads a line of the data of a mail, or a piece of a long one.
func (p *parser) dataLine(data []byte, off uint64, eof bool) (used int, more bool) {
	t, d := p.data, &p.dirs[proto.ToServer]
	if !p.framing {
		p.framing, p.dataOff = true, off
		p.c.AddFrame(proto.ToServer, "data", off, -1, t.ID)
	}
	var line []byte
	ends := true
	if d.Discard || p.inHeader() {
		var long bool
		if line, used, long, more = p.dirs[proto.ToServer].Next(data, MaxLine); line == nil {
			return used, more
		}
		if long {
			t.RepeatEvent(EventTruncatedLine)
		}
		p.first = true
	} else if line, ends = d.bodyLine(data, eof); line == nil {
		return 0, true
	} else {
		d.Scanned, used = 0, len(line)
	}
	if p.first && isDot(line) && (ends || eof) {
		p.endData(t, off+uint64(used))
		return used, false
	}
	t.Touch(proto.ToServer)
	if p.opt.raw {
		t.FileData(line)
	} else if t.Mail != nil {
		was := t.Mail.Skipped
		t.Mail.Line(line, p.first, ends)
		if t.Mail.Skipped > was {
			p.c.Limit(limitMail)
		}
	}
	p.first = ends
	return used, false
}

// bodyLine cuts a line of a mail's body off data: to LF, CR LF or CR, or MaxLine
// bytes of a longer one, or what is there at the end. ends tells that its end came;
// line is nil when more is needed.
func (d *direction) bodyLine(data []byte, eof bool) (line []byte, ends bool) {
	window := data[:min(len(data), MaxLine)]
	i, n := lineEnd(window, min(d.Scanned, len(window))) // no line ends before that
	if i >= 0 {
		d.Scanned = i
		switch {
		case i+1 < len(data) && data[i+1] == '\n':
			return data[:i+2], true
		case i+1 < len(data) || eof:
			return data[:i+1], true
		}
		// The next byte tells whether the line ends in CR LF.
		return nil, false
	}
	switch {
	case n < len(window):
		return data[:n+1], true
	case len(data) >= MaxLine:
		return window, false
	case eof:
		return data, false
	}
	d.Scanned = len(data)
	return nil, false
}

// lineEnd returns the offset of the first CR of b at or behind from, -1 when there is
// none before the first LF, and that of the first LF, len(b) when there is none. It
// looks for both in small steps, so that lines that end in one do not make it look for
// the other in all of b again and again.
func lineEnd(b []byte, from int) (cr, lf int) {
	const stride = 128
	for ; from < len(b); from += stride {
		w := b[from:min(from+stride, len(b))]
		n := bytes.IndexByte(w, '\n')
		if n >= 0 {
			w = w[:n]
		}
		if i := bytes.IndexByte(w, '\r'); i >= 0 {
			return from + i, len(b)
		}
		if n >= 0 {
			return -1, from + n
		}
	}
	return -1, len(b)
}

// isDot tells whether line is the dot that ends the data.
func isDot(line []byte) bool {
	return len(line) > 0 && line[0] == '.' && len(bytes.TrimRight(line[1:], "\r\n")) == 0 && len(line) <= 3
}

// endData is the end of the data of t; end is the stream offset behind it.
func (p *parser) endData(t *Tx, end uint64) {
	p.endMail(t)
	p.data = nil
	p.closeDataFrame(end)
	p.push(command{cmdDot, t})
	p.requestDone(t)
}

func (p *parser) endMail(t *Tx) {
	if t.Mail != nil {
		t.Mail.End()
	}
	t.FileClose()
}

// closeDataFrame tells the length of the frame of data.
func (p *parser) closeDataFrame(end uint64) {
	if !p.framing {
		return
	}
	p.framing = false
	for i := range p.c.Frames {
		if f := &p.c.Frames[i]; f.Len < 0 && f.Offset == p.dataOff && f.Type == "data" {
			f.Len = int64(end - p.dataOff)
		}
	}
}
