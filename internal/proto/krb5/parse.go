package krb5

import (
	"encoding/binary"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Tx is one message.
type Tx struct {
	proto.TxBase
	Type int32
	// Failed is the type of the request that an error answers, 0 when not seen.
	Failed       int32
	Code         int32 // of an error
	Realm        []byte
	CName, SName [][]byte // nil: none
	// HasEType and HasTicket tell that EType, of the reply's encrypted part, and
	// Ticket, of its ticket's, are known.
	HasEType, HasTicket bool
	EType, Ticket       int32
}

// parser follows one flow.
type parser struct {
	c    *proto.Conn
	last int32 // type of the newest request without an answer, 0 none
	skip [2]int
	lost [2]bool
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	if p.c.Hint.UDP {
		if !p.message(dir, data) {
			return len(data), 0, proto.Flawed
		}
		return len(data), 0, proto.OK
	}
	for {
		rest := data[used:]
		if n := min(p.skip[dir], len(rest)); n > 0 {
			p.skip[dir] -= n
			used, rest = used+n, rest[n:]
		}
		if p.lost[dir] {
			n := resume(rest)
			used, rest = used+n, rest[n:]
		}
		if len(rest) < 4 {
			return used, 4, proto.OK
		}
		n := int(binary.BigEndian.Uint32(rest) & 0x7fffffff)
		if n > MaxMessage {
			if p.lost[dir] || n > 1<<24 {
				// Not a length.
				p.lost[dir] = true
				used++
				continue
			}
			p.skip[dir] = n
			p.c.Limit(limitMessage)
			used += 4
			continue
		}
		if p.lost[dir] && len(rest) < 4+probeLen {
			return used, 4 + probeLen, proto.OK
		}
		if len(rest) < 4+n {
			return used, 4 + n, proto.OK
		}
		p.lost[dir] = false
		if n > 0 {
			p.message(dir, rest[4:4+n])
		}
		used += 4 + n
	}
}

// resume returns how much of b is before what may be a message.
func resume(b []byte) int {
	for at := 0; ; at++ {
		rest := b[at:]
		if len(rest) < 4+probeLen {
			return at
		}
		n := int(binary.BigEndian.Uint32(rest))
		if n >= minMessage && n <= MaxMessage && sound(rest[4:]) {
			return at
		}
	}
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

// message makes a transaction of one message; false when b is none.
func (p *parser) message(dir proto.Dir, b []byte) bool {
	t, ok := Decode(b)
	if !ok {
		if n := len(p.c.Txs); n > 0 {
			p.c.Txs[n-1].Base().AddEvent(EventMalformedData)
		}
		return false
	}
	switch t.Type {
	case ASReq, TGSReq:
		p.last = t.Type
	case ASRep, TGSRep, Error:
		t.Failed, p.last = p.last, 0
	}
	if t.HasEType && Weak(t.EType) {
		t.AddEvent(EventWeakEncryption)
	}
	if t.full() {
		p.c.Limit(limitName)
	}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	t.Advance(dir, 1)
	return true
}

// full tells whether a name is as long as is kept.
func (t *Tx) full() bool {
	for _, name := range [2][][]byte{t.CName, t.SName} {
		if len(name) >= MaxComponents {
			return true
		}
		for _, part := range name {
			if len(part) >= MaxString {
				return true
			}
		}
	}
	return len(t.Realm) >= MaxString
}

// Decode reads one message. It keeps copies only.
func Decode(b []byte) (*Tx, bool) {
	tag, body, _, ok := wire.BER(b)
	if !ok {
		return nil, false
	}
	t := &Tx{Type: int32(tag &^ tagApplication)}
	seq, ok := inside(body, tagSequence)
	if !ok || tag&0xe0 != tagApplication {
		return nil, false
	}
	switch t.Type {
	case ASReq, TGSReq:
		ok = t.request(seq)
	case ASRep, TGSRep:
		ok = t.reply(seq)
	case Error:
		ok = t.failure(seq)
	default:
		return nil, false
	}
	return t, ok
}

// have tells whether a sequence has all of the given fields.
func have(seq []byte, fields ...byte) bool {
	for _, n := range fields {
		if _, ok := field(seq, n); !ok {
			return false
		}
	}
	return true
}

// request reads a KDC-REQ: [1] version, [2] type, [3] padata, [4] body with
// [0] options, [1] cname, [2] realm, [3] sname, [5] till, [7] nonce, [8] etype.
func (t *Tx) request(seq []byte) bool {
	if f, ok := field(seq, 1); !ok || !five(f) {
		return false
	}
	f, ok := field(seq, 4)
	if !ok {
		return false
	}
	body, ok := inside(f, tagSequence)
	if !ok || !have(body, 0, 5, 7, 8) {
		return false
	}
	if f, ok := field(body, 1); ok {
		if t.CName, ok = principal(f); !ok {
			return false
		}
	}
	if f, ok = field(body, 2); !ok {
		return false
	}
	if t.Realm, ok = text(f); !ok {
		return false
	}
	if f, has := field(body, 3); has {
		t.SName, ok = principal(f)
	}
	return ok
}

// reply reads a KDC-REP: [0] version, [1] type, [2] padata, [3] crealm, [4] cname,
// [5] ticket, [6] encrypted part.
func (t *Tx) reply(seq []byte) bool {
	if f, ok := field(seq, 0); !ok || !five(f) {
		return false
	}
	f, ok := field(seq, 3)
	if !ok {
		return false
	}
	if t.Realm, ok = text(f); !ok {
		return false
	}
	if f, ok = field(seq, 4); !ok {
		return false
	}
	if t.CName, ok = principal(f); !ok {
		return false
	}
	if f, ok = field(seq, 5); !ok {
		return false
	}
	if _, t.SName, t.Ticket, ok = ticketOf(f); !ok {
		return false
	}
	if f, ok = field(seq, 6); !ok {
		return false
	}
	t.EType, ok = etype(f)
	t.HasTicket, t.HasEType = true, true
	return ok
}

// failure reads a KRB-ERROR: [0] version, [4] time, [5] microseconds, [6] code,
// [7] crealm, [8] cname, [9] realm, [10] sname.
func (t *Tx) failure(seq []byte) bool {
	if f, ok := field(seq, 0); !ok || !five(f) || !have(seq, 4, 5, 9, 10) {
		return false
	}
	f, ok := field(seq, 6)
	if !ok {
		return false
	}
	if t.Code, ok = integer(f); !ok {
		return false
	}
	if f, has := field(seq, 7); has {
		t.Realm, _ = text(f)
	}
	if f, has := field(seq, 8); has {
		t.CName, _ = principal(f)
	}
	if f, has := field(seq, 10); has {
		t.SName, ok = principal(f)
	}
	return ok
}

// five tells whether b is the INTEGER 5, the version.
func five(b []byte) bool {
	v, ok := integer(b)
	return ok && v == 5
}
