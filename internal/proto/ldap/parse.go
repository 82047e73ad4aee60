package ldap

import (
	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Tx is a request with its responses.
type Tx struct {
	proto.TxBase
	Request    Message
	HasRequest bool
	Responses  []Message

	p     *parser
	id    uint32
	ended bool
	kept  int   // bytes
	seen  place // of attribute
}

// parser follows one flow.
type parser struct {
	c            *proto.Conn
	cfg          config
	kept         int // bytes in the live transactions, never less than there are
	last         *Tx // of the newest message
	live         int // of them not ended
	msgs, summed int // messages seen, and when kept was last added up
	skip         [2]int
	lost         [2]bool
	tls          bool // StartTLS was granted: what comes next is TLS
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	for {
		rest := data[used:]
		if p.tls && len(rest) > 0 {
			// Not before: as in Suricata, the exchange is logged as LDAP's when nothing
			// follows.
			p.c.Switch("tls")
			return used, 0, proto.OK
		}
		if n := min(p.skip[dir], len(rest)); n > 0 {
			p.skip[dir] -= n
			used, rest = used+n, rest[n:]
		}
		if p.lost[dir] {
			n := resume(rest)
			used, rest = used+n, rest[n:]
		}
		if len(rest) == 0 {
			return used, 0, proto.OK
		}
		tag, _, total, ok := wire.BERHead(rest)
		switch {
		case !ok || rest[0] != tagSequence || total > MaxSkip:
			return p.invalid(dir, used)
		case total == 0:
			return used, len(rest) + 1, proto.OK
		case p.lost[dir] && len(rest) < resumeLen:
			return used, resumeLen, proto.OK
		case total > MaxMessage && tag == tagSequence:
			p.lost[dir] = false
			p.skip[dir] = total
			p.c.Limit(limitMessage)
			continue
		case total > len(rest):
			if p.c.Hint.UDP {
				return p.invalid(dir, used)
			}
			return used, total, proto.OK
		}
		p.lost[dir] = false
		if !p.message(dir, rest[:total], p.c.Offset[dir]+uint64(used)) {
			return p.invalid(dir, used)
		}
		used += total
	}
}

// invalid notes that no message can be read here. A datagram says nothing of the
// next one; over TCP the flow cannot be followed on.
func (p *parser) invalid(dir proto.Dir, used int) (int, int, proto.Status) {
	if n := len(p.c.Txs); n > 0 {
		p.c.Txs[n-1].Base().AddEvent(EventInvalidData)
	}
	if p.c.Hint.UDP {
		return used, 0, proto.Flawed
	}
	return used, 0, proto.Broken
}

// resumeLen is how many bytes tell a message behind a gap.
const resumeLen = 14

// resume returns how much of b is before what may be a message.
func resume(b []byte) int {
	for at := range b {
		if b[at] != tagSequence {
			continue
		}
		rest := b[at:]
		if _, m := first(rest); m == proto.Yes || m == proto.More && len(rest) < resumeLen {
			return at
		}
	}
	return len(b)
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if k := min(n, p.skip[dir]); k > 0 {
		p.skip[dir] -= k
		n -= k
	}
	if n > 0 {
		p.lost[dir], p.skip[dir] = true, 0
	}
	return true
}

// message takes one message; false when it is none of this direction.
func (p *parser) message(dir proto.Dir, b []byte, off uint64) bool {
	tx := proto.NoTx
	if dir == proto.ToClient {
		tx = p.c.TxCount()
	}
	p.msgs++
	p.c.AddFrame(dir, "pdu", off, int64(len(b)), tx)
	m, ok := decode(b)
	if !ok {
		return false
	}
	if m.more {
		p.c.Limit(limitAttributes)
	}
	switch {
	case isRequest(m.Op) && dir == proto.ToServer:
		p.request(m, b)
	case isResponse(m.Op):
		p.response(dir, m, b)
	default:
		return false
	}
	return true
}

// newTx makes a transaction. When too many are open the oldest one is ended.
func (p *parser) newTx(id uint32) *Tx {
	t := &Tx{id: id, p: p}
	p.c.NewTx(t)
	p.last = t
	p.live++
	if p.live > p.cfg.maxTxs {
		for _, x := range p.c.Open() {
			if o, ok := x.(*Tx); ok && !o.ended {
				o.AddEvent(EventTooManyTransactions)
				o.end()
				break
			}
		}
	}
	return t
}

// end completes t.
func (t *Tx) end() {
	t.Advance(proto.ToServer, 1)
	t.Advance(proto.ToClient, 1)
	if !t.ended {
		t.ended = true
		t.p.live--
	}
}

// room tells whether n more bytes may be kept. What the live transactions hold is
// added up anew now and then, as nobody tells when they go.
func (p *parser) room(n int) bool {
	if p.kept+n > MaxFlowBytes && p.msgs-p.summed > recount {
		p.summed, p.kept = p.msgs, 0
		for _, tx := range p.c.Txs {
			if o, ok := tx.(*Tx); ok {
				p.kept += o.kept
			}
		}
	}
	return p.kept+n <= MaxFlowBytes
}

// keep gives t a copy of m.
func (p *parser) keep(t *Tx, m *Message, b []byte) {
	room := p.room(len(b))
	if !room {
		p.c.Limit(limitContent)
	}
	n := m.own(b, room)
	p.kept += n
	t.kept += n
}

func (p *parser) request(m Message, b []byte) {
	t := p.newTx(m.ID)
	t.HasRequest = true
	p.keep(t, &m, b)
	t.Request = m
	t.Advance(proto.ToServer, 1)
	if m.Op == opUnbind || m.Op == opAbandon {
		t.end()
	}
}

// find returns the transaction that id answers, the newest of several.
func (p *parser) find(id uint32) *Tx {
	if p.last != nil && p.last.id == id && p.last.HasRequest && !p.last.Logged {
		return p.last
	}
	for i := len(p.c.Txs) - 1; i >= max(0, len(p.c.Txs)-proto.MaxTxs); i-- {
		if t, ok := p.c.Txs[i].(*Tx); ok && t.HasRequest && t.id == id && !t.Logged {
			return t
		}
	}
	return nil
}

func (p *parser) response(dir proto.Dir, m Message, b []byte) {
	t := p.find(m.ID)
	if t == nil {
		t = p.newTx(m.ID)
		if m.ID != 0 || m.Op != opExtendedResp { // not a notice of disconnection
			t.AddEvent(EventRequestNotFound)
		}
		p.keep(t, &m, b)
		t.Responses = append(t.Responses, m)
		t.end()
		return
	}
	p.last = t
	tls := m.Op == opExtendedResp && m.HasResult && m.Code == 0 && t.Request.Op == opExtended && string(t.Request.name) == startTLS
	if len(t.Responses) >= p.cfg.maxResponses {
		t.AddEvent(EventTooManyResponses)
		t.end()
	} else {
		p.keep(t, &m, b)
		t.Responses = append(t.Responses, m)
	}
	if final(m.Op) {
		t.end()
	}
	p.tls = p.tls || tls && dir == proto.ToClient
}
