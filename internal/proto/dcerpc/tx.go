package dcerpc

import "mirador/internal/proto"

// Tx is a request with its response, or a bind or alter context with its answer.
type Tx struct {
	proto.TxBase
	UDP          bool
	Major, Minor uint8
	CallID       uint32 // version 5
	Activity     UUID   // version 4
	Seq          uint32 // version 4
	// ReqType and RespType hold once the direction is Seen; Lost tells that it
	// will not be.
	ReqType, RespType uint8
	Seen, Lost        [2]bool
	Done              [2]bool // the last fragment was seen
	Opnum, Context    uint16
	Frags             [2]uint32
	Stub              [2][]byte
	Little            [2]bool // byte order of the stub data
	// StubCut counts bytes of stub data beyond the limit.
	StubCut [2]int
	// Ifaces are the contexts of a bind; for a request that of its context, if known.
	Ifaces []Context
}

// isRequest tells whether t is a call rather than a negotiation.
func (t *Tx) isRequest() bool { return t.Seen[proto.ToServer] && t.ReqType == TypeRequest }

// stub adds a fragment's stub data.
func (o *openTxs) stub(c *proto.Conn, t *Tx, dir proto.Dir, b []byte, limit int) {
	t.Frags[dir]++
	room := max(min(limit-len(t.Stub[dir]), MaxFlowStub-o.held), 0)
	if len(b) > room {
		if o.held+len(b) > MaxFlowStub {
			o.tidy() // those that are complete by now hold nothing
			room = max(min(limit-len(t.Stub[dir]), MaxFlowStub-o.held), 0)
		}
		if len(b) > room {
			c.Limit(limitStub)
			t.StubCut[dir] += len(b) - room
			b = b[:room]
		}
	}
	t.Stub[dir] = append(t.Stub[dir], b...)
	o.held += len(b)
	t.Touch(dir)
}

// end completes direction dir.
func (t *Tx) end(dir proto.Dir) {
	t.Done[dir] = true
	t.Advance(dir, 1)
}

// lose marks direction dir as one that will not come (any more).
func (t *Tx) lose(dir proto.Dir) {
	if !t.Done[dir] {
		t.Lost[dir] = true
		t.end(dir)
	}
}

// answers returns the type of request that resp answers.
func answers(resp uint8) uint8 {
	switch resp {
	case TypeBindAck, TypeBindNak:
		return TypeBind
	case TypeAlterResp:
		return TypeAlterContext
	}
	return TypeRequest
}

// openTxs are the transactions of a flow that are not complete, oldest first: what
// is searched for every fragment. Complete ones are let go when another is added.
type openTxs struct {
	list []*Tx
	held int // bytes of stub data in list
}

// tidy drops the complete ones and returns the others.
func (o *openTxs) tidy() []*Tx {
	keep := o.list[:0]
	o.held = 0
	for _, t := range o.list {
		if !(t.Done[proto.ToServer] && t.Done[proto.ToClient]) {
			keep = append(keep, t)
			o.held += len(t.Stub[0]) + len(t.Stub[1])
		}
	}
	clear(o.list[len(keep):])
	o.list = keep
	return keep
}

// add starts t. The oldest transaction is ended when there are limit already.
func (o *openTxs) add(c *proto.Conn, t *Tx, limit int) {
	if list := o.tidy(); len(list) >= limit {
		list[0].lose(proto.ToServer)
		list[0].lose(proto.ToClient)
		c.TxOverflow++
	}
	c.NewTx(t)
	o.list = append(o.list, t)
}
