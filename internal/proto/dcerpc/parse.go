package dcerpc

import (
	"bytes"

	"mirador/internal/proto"
)

// parser follows a TCP flow.
type parser struct {
	c    *proto.Conn
	cfg  *config
	open openTxs
	ctxs []Context // of this connection, the newest of each number
	// lost tells, per direction, that bytes were lost and no fragment has been found
	// behind them yet.
	lost [2]bool
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	for {
		rest := data[used:]
		if p.lost[dir] {
			n := find(rest)
			used, rest = used+n, rest[n:]
		}
		if len(rest) < headerLen {
			return used, headerLen, proto.OK
		}
		h, _ := ReadHeader(rest)
		if h.Major != 5 || h.Minor > 1 || h.Len < headerLen {
			return used, 0, proto.Broken
		}
		if len(rest) < int(h.Len) {
			return used, int(h.Len), proto.OK
		}
		p.lost[dir] = false
		p.pdu(dir, &h, rest[:h.Len], p.c.Offset[dir]+uint64(used))
		used += int(h.Len)
	}
}

// find returns how many bytes of b are before what may be a header.
func find(b []byte) int {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte{5, 0})
		if i < 0 {
			if n := len(b); n > 0 && b[n-1] == 5 {
				return n - 1
			}
			return len(b)
		}
		at += i
		if len(b)-at < headerLen || plausible(b[at:]) {
			return at
		}
		at++
	}
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	p.lost[dir] = true
	// What was sent before the gap and is not whole will not be.
	for _, t := range p.open.tidy() {
		t.lose(dir)
	}
	return true
}

// pdu takes one fragment that begins at stream offset off.
func (p *parser) pdu(dir proto.Dir, h *Header, b []byte, off uint64) {
	tx := p.take(dir, h, b)
	if tx != nil {
		tx.Major, tx.Minor = h.Major, h.Minor
	}
	p.c.AddFrame(dir, "pdu", off, int64(len(b)), proto.NoTx)
	p.c.AddFrame(dir, "hdr", off, headerLen, proto.NoTx)
	if len(b) > headerLen {
		p.c.AddFrame(dir, "data", off+headerLen, int64(len(b)-headerLen), proto.NoTx)
	}
}

// take hands a fragment to its transaction, which it returns.
func (p *parser) take(dir proto.Dir, h *Header, b []byte) *Tx {
	if dir == proto.ToServer {
		switch h.Type {
		case TypeBind, TypeAlterContext:
			return p.bind(h, b)
		case TypeRequest:
			return p.request(h, b)
		}
		return nil
	}
	switch h.Type {
	case TypeBindAck, TypeAlterResp:
		t := p.answered(h)
		p.results(t, h, b)
		t.end(dir)
		return t
	case TypeResponse:
		return p.response(h, b)
	}
	return nil
}

// add makes a transaction for what h begins in direction dir.
func (p *parser) add(dir proto.Dir, h *Header) *Tx {
	t := &Tx{CallID: h.CallID}
	t.Seen[dir] = true
	if dir == proto.ToServer {
		t.ReqType = h.Type
	} else {
		// It stays open, as in Suricata: the request may just not be one that is
		// followed.
		t.RespType, t.Lost[proto.ToServer] = h.Type, true
	}
	p.open.add(p.c, t, p.cfg.maxTx)
	return t
}

func (p *parser) bind(h *Header, b []byte) *Tx {
	t := p.add(proto.ToServer, h)
	t.Ifaces = AppendBind(nil, h, b)
	if h.Type == TypeBind {
		p.ctxs = p.ctxs[:0]
	}
	for i := range t.Ifaces {
		p.learn(&t.Ifaces[i])
	}
	t.Frags[proto.ToServer]++
	t.end(proto.ToServer)
	return t
}

// learn keeps c in place of an earlier context of its number.
func (p *parser) learn(c *Context) {
	for i := range p.ctxs {
		if p.ctxs[i].ID == c.ID {
			p.ctxs[i] = *c
			return
		}
	}
	if len(p.ctxs) >= MaxContexts {
		p.c.Limit(limitContexts)
		return
	}
	p.ctxs = append(p.ctxs, *c)
}

// results notes what the server says of the contexts in t.
func (p *parser) results(t *Tx, h *Header, b []byte) {
	Results(h, b, func(i int, result, reason uint16) {
		if i >= len(t.Ifaces) {
			return
		}
		c := &t.Ifaces[i]
		c.Acked, c.Result, c.Reason = true, result, reason
		for j := range p.ctxs {
			if p.ctxs[j].ID == c.ID && p.ctxs[j].UUID == c.UUID {
				p.ctxs[j] = *c
			}
		}
	})
}

// answered returns the transaction that h answers, a new one when its request was
// not seen.
func (p *parser) answered(h *Header) *Tx {
	want := answers(h.Type)
	for _, t := range p.open.list {
		if t.CallID != h.CallID || t.Done[proto.ToClient] {
			continue
		}
		if t.Seen[proto.ToServer] && t.ReqType == want && t.Done[proto.ToServer] ||
			!t.Seen[proto.ToServer] && t.RespType == h.Type {
			t.Seen[proto.ToClient], t.RespType = true, h.Type
			return t
		}
	}
	return p.add(proto.ToClient, h)
}

func (p *parser) request(h *Header, b []byte) *Tx {
	r, ok := ReadRequest(h, b)
	if !ok || len(r.Stub) == 0 {
		// Suricata does not take a call without arguments for one either.
		return nil
	}
	t := p.unfinished(h)
	if t == nil {
		t = p.add(proto.ToServer, h)
	}
	if t.Frags[proto.ToServer] == 0 {
		t.Opnum, t.Context, t.Little[proto.ToServer] = r.Opnum, r.Context, h.Little
		for i := range p.ctxs {
			if p.ctxs[i].ID == r.Context {
				t.Ifaces = append(t.Ifaces[:0], p.ctxs[i])
			}
		}
	}
	p.open.stub(p.c, t, proto.ToServer, r.Stub, p.cfg.maxStub)
	if h.Flags&FlagLast != 0 {
		t.end(proto.ToServer)
	}
	return t
}

// unfinished returns the call that the fragment with header h goes on with.
func (p *parser) unfinished(h *Header) *Tx {
	for _, t := range p.open.list {
		if t.CallID == h.CallID && t.isRequest() && !t.Done[proto.ToServer] {
			return t
		}
	}
	return nil
}

func (p *parser) response(h *Header, b []byte) *Tx {
	t := p.answered(h)
	t.Little[proto.ToClient] = h.Little
	// Suricata counts what is before the stub data of a response as part of it;
	// rules with offsets were written for that.
	p.open.stub(p.c, t, proto.ToClient, b[headerLen:], p.cfg.maxStub)
	if h.Flags&FlagLast != 0 {
		t.end(proto.ToClient)
	}
	return t
}
