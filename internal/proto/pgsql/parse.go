package pgsql

import (
	"bytes"
	"encoding/binary"

	"mirador/internal/proto"
)

// parser follows one flow.
type parser struct {
	c       *proto.Conn
	cfg     *config
	skip    [2]uint64 // bytes of a message that are not looked at
	started bool      // start-up is over: every message has a type
	oneByte bool      // the server answers SSLRequest or GSSENCRequest with a byte
	auth    uint32    // what the server asked for last
	copyIn  *Tx       // COPY data of the client goes there
}

const typedHead = 5 // type and length

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	for used < len(data) {
		if p.skip[dir] > 0 {
			k := min(p.skip[dir], uint64(len(data)-used))
			p.skip[dir] -= k
			used += int(k)
			continue
		}
		var n, want int
		ok := true
		b := data[used:]
		switch {
		case dir == proto.ToServer && !p.started:
			n, want, ok = p.first(b)
		case dir == proto.ToClient && p.oneByte:
			n, want, ok = p.answerSSL(b)
		default:
			n, want, ok = p.typed(dir, b)
		}
		if !ok {
			return used, 0, proto.Broken
		}
		if n == 0 {
			return used, want, proto.OK
		}
		used += n
	}
	return used, 0, proto.OK
}

// Gap implements proto.Parser: bytes may only be lost where they are skipped.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.skip[dir] < uint64(n) {
		return false
	}
	p.skip[dir] -= uint64(n)
	return true
}

// begin opens a transaction.
func (p *parser) begin(k Kind) *Tx {
	if len(p.c.Txs) >= p.cfg.maxTxs {
		if t := p.open(); t != nil {
			t.AddEvent(EventTooManyTxs)
			t.answered()
		}
	}
	t := &Tx{Kind: k}
	p.c.NewTx(t)
	return t
}

// open returns the oldest transaction that waits for responses.
func (p *parser) open() *Tx {
	for _, x := range p.c.Open() {
		if t, ok := x.(*Tx); ok && t.Progress[proto.ToClient] < done {
			return t
		}
	}
	return nil
}

// fail opens a transaction for event e and ends it.
func (p *parser) fail(e proto.EventID) {
	t := p.begin(NoRequest)
	t.AddEvent(e)
	t.answered()
}

// first reads a message without a type, which a client begins with. A client whose
// beginning was not seen sends typed ones.
func (p *parser) first(b []byte) (used, need int, ok bool) {
	if b[0] != 0 {
		p.started = true
		return p.typed(proto.ToServer, b)
	}
	if len(b) < 8 {
		return 0, 8, true
	}
	n := int(binary.BigEndian.Uint32(b))
	if n < 8 || n > maxStartup {
		p.fail(EventInvalidLength)
		return 0, 0, false
	}
	if len(b) < n {
		return 0, n, true
	}
	switch code := binary.BigEndian.Uint32(b[4:]); {
	case code == codeSSL && n == 8:
		p.begin(SSLRequest).requested()
		p.oneByte = true
	case code == codeGSS && n == 8:
		p.oneByte = true
	case code == codeCancel && n == 16:
		t := p.begin(Cancel)
		t.PID, t.Key = binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
		t.answered() // there is no response
	case code>>16 == 3:
		p.started = true
		p.startup(bytes.Clone(b[8:n]))
	default:
		p.fail(EventMalformedRequest)
		return 0, 0, false
	}
	return n, 0, true
}

// startup reads names and values, each ended by a zero byte.
func (p *parser) startup(b []byte) {
	t := p.begin(Startup)
	for len(b) > 0 && b[0] != 0 {
		if len(t.Params) >= maxParams {
			p.c.Limit(limitParameters)
			break
		}
		name, rest, ok := bytes.Cut(b, []byte{0})
		value, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 {
			t.AddEvent(EventMalformedRequest)
			break
		}
		if string(name) == "user" {
			t.User = value
		} else {
			t.Params = append(t.Params, Param{name, value})
		}
		b = rest
	}
	t.requested()
}

// answerSSL reads the byte that answers SSLRequest or GSSENCRequest, or the error
// of a server that knows neither.
func (p *parser) answerSSL(b []byte) (used, need int, ok bool) {
	p.oneByte = false
	t := p.open()
	switch {
	case b[0] == 'E':
		return p.typed(proto.ToClient, b)
	case t == nil || t.Kind != SSLRequest: // GSSENCRequest
		if b[0] == 'G' {
			p.c.NoPayload = true
			p.c.Stop(proto.ToServer)
			p.c.Stop(proto.ToClient)
		}
		return 1, 0, true
	case b[0] == 'S' || b[0] == 'N':
		t.respond(Response{Kind: SSLAnswer, Flag: b[0] == 'S'}, p.cfg.maxResponses)
		t.answered()
		if b[0] == 'S' {
			p.c.Switch("tls")
		}
		return 1, 0, true
	}
	t.AddEvent(EventMalformedResponse)
	t.answered()
	return 0, 0, false
}

// typed reads a message with a type.
func (p *parser) typed(dir proto.Dir, b []byte) (used, need int, ok bool) {
	if len(b) < typedHead {
		return 0, typedHead, true
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n < 4 {
		p.fail(EventInvalidLength)
		return 0, 0, false
	}
	size := uint64(n) + 1
	see := int(min(size, MaxMessage))
	if len(b) < see {
		return 0, see, true
	}
	if size > MaxMessage {
		p.c.Limit(limitMessage)
	}
	if dir == proto.ToServer {
		p.request(b[0], b[typedHead:see], size-typedHead)
	} else {
		p.response(b[0], b[typedHead:see], size-typedHead)
	}
	p.skip[dir] = size - uint64(see)
	return see, 0, true
}

// text returns a copy of b up to its first zero byte.
func text(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte{0})
	return append([]byte{}, b...)
}

// request reads a message of the client. b is what is seen of size bytes.
func (p *parser) request(typ byte, b []byte, size uint64) {
	if t := p.copyIn; t != nil && typ != 'd' && typ != 'c' && typ != 'f' {
		t.requested()
		p.copyIn = nil
	}
	switch typ {
	case 'Q':
		if uint64(len(b)) == size && bytes.IndexByte(b, 0) < 0 {
			return
		}
		t := p.begin(SimpleQuery)
		t.Text = text(b)
		t.requested()
	case 'p':
		p.password(b)
	case 'X':
		p.begin(Terminate).answered()
	case 'd', 'c', 'f':
		t := p.copyIn
		if t == nil {
			t = p.begin(CopyIn)
			p.copyIn = t
		}
		switch typ {
		case 'd':
			t.CopyMsgs++
			t.CopyBytes += size
			return
		case 'c':
			t.CopyDone = true
		case 'f':
			t.CopyFail = bytes.Clone(b)
		}
		p.copyIn = nil
		t.requested()
	}
}

// Kinds of authentication (AuthenticationRequest messages).
const (
	authOK           = 0
	authCleartext    = 3
	authMD5          = 5
	authGSSContinue  = 9
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

// password reads what a client sends for authentication; what it is depends on what
// the server asked for.
func (p *parser) password(b []byte) {
	var t *Tx
	switch p.auth {
	case authCleartext, authMD5:
		t = p.begin(Password)
		t.Text = text(b)
	case authSASL:
		t = p.begin(SASLInitial)
		name, rest, ok := bytes.Cut(b, []byte{0})
		t.Mechanism = bytes.Clone(name)
		if ok && len(rest) >= 4 {
			t.Text = bytes.Clone(rest[4:])
		} else {
			t.AddEvent(EventMalformedRequest)
		}
	case authSASLContinue:
		t = p.begin(SASLResponse)
		t.Text = bytes.Clone(b)
	default:
		return
	}
	t.requested()
}

// response reads a message of the server. b is what is seen of size bytes. Without
// a request that waits, it is passed over.
func (p *parser) response(typ byte, b []byte, size uint64) {
	if typ == 'R' && len(b) >= 4 {
		p.auth = binary.BigEndian.Uint32(b)
		p.started = true
	}
	t := p.open()
	if t == nil {
		return
	}
	r := Response{}
	switch typ {
	case 'R':
		p.authentication(t, b)
		return
	case 'S':
		name, value, _ := bytes.Cut(b, []byte{0})
		if len(t.status) < p.cfg.maxResponses {
			t.status = append(t.status, Param{bytes.Clone(name), text(value)})
		} else {
			p.c.Limit(limitParameters)
		}
		r.Kind = ParameterStatus
		if len(t.status) > 1 {
			return
		}
	case 'K':
		if len(b) < 8 {
			t.AddEvent(EventMalformedResponse)
			return
		}
		r = Response{Kind: BackendKey, N: binary.BigEndian.Uint32(b), M: binary.BigEndian.Uint32(b[4:])}
	case 'E':
		r.Kind, r.Error = ErrorOrNotice, p.errorFields(b)
	case 'T':
		r = p.rowDescription(t, b, size)
	case 'D':
		p.dataRow(t, b, size)
		return
	case 'G', 'H':
		r = Response{Kind: CopyInStart, Flag: len(b) < 3}
		if typ == 'H' {
			r.Kind = CopyOutStart
		}
		if !r.Flag {
			r.N = uint32(binary.BigEndian.Uint16(b[1:]))
		}
	case 'd':
		p.count(t, CopyOutData, size)
		return
	case 'c':
		r.Kind = CopyOutDone
	case 'C':
		r.Kind, r.Text = CommandComplete, text(b)
	case 'Z':
		r.Kind = Ready
	default:
		return
	}
	if !t.respond(r, p.cfg.maxResponses) || typ == 'Z' || typ == 'G' {
		t.answered()
	}
}

// authentication reads what the server says on authentication. When it asks the
// client for something, that is the next request.
func (p *parser) authentication(t *Tx, b []byte) {
	if len(b) < 4 {
		t.AddEvent(EventMalformedResponse)
		return
	}
	r := Response{Kind: AuthMessage}
	last := true
	switch p.auth {
	case authOK:
		r.Text, last = []byte("authentication_ok"), false
	case authCleartext:
		r.Text = []byte("authentication_cleartext_password")
	case authMD5:
		r.Kind, r.Text = AuthMD5, bytes.Clone(b[4:])
	case authSASL:
		r.Text = []byte("authentication_sasl")
	case authSASLContinue:
		r.Text = []byte("authentication_sasl_continue")
	case authSASLFinal:
		r.Kind, r.Text, last = AuthSASLFinal, bytes.Clone(b[4:]), false
	case authGSSContinue:
		return
	default:
		t.AddEvent(EventMalformedResponse)
		return
	}
	if !t.respond(r, p.cfg.maxResponses) || last {
		t.answered()
	}
}

// rowDescription reads the number of columns and checks their descriptions.
func (p *parser) rowDescription(t *Tx, b []byte, size uint64) Response {
	r := Response{Kind: RowDescription}
	if len(b) < 2 {
		t.AddEvent(EventMalformedResponse)
		r.Flag = true
		return r
	}
	r.N = uint32(binary.BigEndian.Uint16(b))
	if uint64(len(b)) < size {
		return r // too long to be checked
	}
	b = b[2:]
	for range r.N {
		i := bytes.IndexByte(b, 0)
		if i < 0 || len(b) < i+1+18 {
			t.AddEvent(EventMalformedResponse)
			r.Flag = true
			return r
		}
		b = b[i+1+18:]
	}
	return r
}

// dataRow counts a row: the number of values, then each with its length.
func (p *parser) dataRow(t *Tx, b []byte, size uint64) {
	if len(b) < 2 {
		t.AddEvent(EventMalformedResponse)
		return
	}
	n := uint64(binary.BigEndian.Uint16(b))
	if size < 2+4*n {
		t.AddEvent(EventMalformedResponse)
		return
	}
	if uint64(len(b)) == size {
		v := b[2:]
		for range n {
			if len(v) < 4 {
				t.AddEvent(EventMalformedResponse)
				return
			}
			k := int64(int32(binary.BigEndian.Uint32(v)))
			v = v[4:]
			if k > int64(len(v)) || k < -1 {
				t.AddEvent(EventMalformedResponse)
				return
			}
			v = v[max(0, k):]
		}
	}
	p.count(t, DataRows, size-2-4*n)
}

// count adds a row of n bytes.
func (p *parser) count(t *Tx, k ResponseKind, n uint64) {
	if t.Rows.Count == 0 && !t.respond(Response{Kind: k}, p.cfg.maxResponses) {
		t.answered()
		return
	}
	t.Rows.Count++
	t.Rows.Bytes += n
	t.Touch(proto.ToClient)
}

// errorFields reads fields of one letter and a text ended by a zero byte.
func (p *parser) errorFields(b []byte) (list []Param) {
	b = bytes.Clone(b)
	for len(b) > 1 && b[0] != 0 {
		if len(list) >= maxParams {
			p.c.Limit(limitParameters)
			break
		}
		v, rest, ok := bytes.Cut(b[1:], []byte{0})
		if !ok {
			return list
		}
		list = append(list, Param{b[:1], v})
		b = rest
	}
	return list
}
