package mysql

import (
	"slices"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// First bytes of the server's packets.
const (
	packetOK     = 0x00
	packetMore   = 0x01 // more authentication data
	packetFactor = 0x02 // the next factor of an authentication
	packetInfile = 0xfb
	packetEnd    = 0xfe // end of something; in an authentication, another plugin
	packetError  = 0xff
)

const (
	head = 4 // length in three bytes, number
	full = 1<<24 - 1
	// recordHandshake is how TLS begins.
	recordHandshake = 0x16
)

// parser follows one flow.
type parser struct {
	c    *proto.Conn
	cfg  config
	skip [2]uint64 // bytes of a packet that are not looked at
	goes [2]bool   // the packet before was full: the next one goes on from it
	deaf [2]bool   // a direction is lost
	sink *proto.File

	greeted  bool
	login    *Tx // until it was answered
	loggedIn bool
	caps     uint64 // what both sides can do
	auth     *Tx    // authentication in work
	last     *Tx    // the last request
	infile   *Tx    // the client sends a file for it
	waiting  int    // requests that wait for an answer
	// lost: what the server says cannot be told apart until the client asks anew.
	lost bool
	over bool // nothing more is read here

	statements map[uint32][]column
	order      []uint32 // of statements, oldest first
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	for used < len(data) {
		if p.over {
			return used, 0, proto.OK
		}
		if p.skip[dir] > 0 {
			n := int(min(p.skip[dir], uint64(len(data)-used)))
			if dir == proto.ToServer && p.sink != nil {
				p.sink.Append(data[used : used+n])
				p.infile.Touch(dir)
			}
			p.skip[dir] -= uint64(n)
			used += n
			continue
		}
		b := data[used:]
		if len(b) < head {
			return used, head, proto.OK
		}
		r := wire.Reader{B: b}
		size, seq := int(r.LE24()), r.U8()
		see := min(size, MaxMessage)
		if p.goes[dir] || dir == proto.ToServer && p.infile != nil {
			see = 0
		}
		if len(b) < head+see {
			return used, head + see, proto.OK
		}
		p.skip[dir] = uint64(size - see)
		goes := p.goes[dir]
		p.goes[dir] = size == full
		switch {
		case dir == proto.ToServer && p.infile != nil:
			p.fileData(seq, size)
		case goes:
			p.continued(dir, seq, size)
		case dir == proto.ToServer:
			p.request(seq, b[head:head+see], size)
		default:
			p.response(seq, b[head:head+see], size)
		}
		used += head + see
	}
	return used, 0, proto.OK
}

// Gap implements proto.Parser: bytes may only be lost where they are skipped.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.skip[dir] >= uint64(n) {
		p.skip[dir] -= uint64(n)
		if dir == proto.ToServer && p.sink != nil {
			p.sink.Gap(uint64(n))
		}
		return true
	}
	p.deaf[dir] = true
	if dir == proto.ToServer {
		if p.sink != nil {
			p.sink.Close(proto.FileTruncated)
			p.sink, p.infile = nil, nil
		}
		if p.last != nil {
			p.last.requestDone()
		} else if p.login != nil {
			p.login.requestDone()
		}
		return false
	}
	for t := p.open(); t != nil; t = p.open() {
		p.answer(t)
	}
	return false
}

// begin opens a transaction.
func (p *parser) begin(k Kind) *Tx {
	if p.waiting >= p.cfg.maxTxs {
		if t := p.open(); t != nil {
			t.AddEvent(EventTooManyTxs)
			p.answer(t)
		}
	}
	t := &Tx{Kind: k}
	p.waiting++
	p.c.NewTx(t)
	return t
}

// open returns the oldest transaction that waits for an answer.
func (p *parser) open() *Tx {
	for _, x := range p.c.Open() {
		if t, ok := x.(*Tx); ok && t.Progress[proto.ToClient] < done {
			return t
		}
	}
	return nil
}

// answer ends t.
func (p *parser) answer(t *Tx) {
	if t.Progress[proto.ToClient] < done {
		p.waiting--
	}
	t.answered()
	t.types = nil
	if p.login == t {
		p.login = nil
	}
	if p.auth == t {
		p.auth = nil
	}
	if p.infile == t {
		// The server has not waited for the end of the file.
		p.sink.Close(proto.FileTruncated)
		p.infile, p.sink = nil, nil
	}
}

// broken notes that the server's part of t cannot be followed.
func (p *parser) broken(t *Tx) {
	t.AddEvent(EventMalformedResponse)
	p.answer(t)
	p.lost = true
}

// stop ends the reading of both directions.
func (p *parser) stop() {
	p.over = true
	p.c.Stop(proto.ToServer)
	p.c.Stop(proto.ToClient)
}

// number checks the number of a packet of t, which counts both sides' packets.
func (t *Tx) number(seq uint8) {
	if seq != t.next {
		t.AddEvent(EventSequence)
	}
	t.next = seq + 1
}

// continued takes the head of a packet that goes on from a full one.
func (p *parser) continued(dir proto.Dir, seq uint8, size int) {
	t := p.last
	if dir == proto.ToClient {
		t = p.open()
	}
	if t == nil || t.Progress[proto.ToClient] >= done {
		return
	}
	t.number(seq)
	if dir == proto.ToClient && t.Rows > 0 {
		t.Bytes += uint64(size)
	}
}

// fileData takes the head of a packet of a local file. An empty one ends it.
func (p *parser) fileData(seq uint8, size int) {
	t := p.infile
	t.number(seq)
	t.Infile.Bytes += uint64(size)
	if size > 0 {
		return
	}
	t.Infile.file.Close(proto.FileClosed)
	p.infile, p.sink = nil, nil
	t.requestDone()
}

// setTypes remembers the columns of a prepared statement.
func (p *parser) setTypes(id uint32, cols []column) {
	if p.statements == nil {
		p.statements = make(map[uint32][]column)
	}
	if _, have := p.statements[id]; !have {
		if len(p.order) >= MaxStatements {
			p.c.Limit(limitStatements)
			delete(p.statements, p.order[0])
			p.order = slices.Delete(p.order, 0, 1)
		}
		p.order = append(p.order, id)
	}
	p.statements[id] = cols
}

// forget forgets a prepared statement.
func (p *parser) forget(id uint32) {
	if _, have := p.statements[id]; !have {
		return
	}
	delete(p.statements, id)
	if i := slices.Index(p.order, id); i >= 0 {
		p.order = slices.Delete(p.order, i, i+1)
	}
}
