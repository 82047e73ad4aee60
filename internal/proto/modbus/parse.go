package modbus

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// Function codes. Application Protocol section 5.1.
const (
	fnReadCoils          = 0x01
	fnReadDiscretes      = 0x02
	fnReadHolding        = 0x03
	fnReadInput          = 0x04
	fnWriteCoil          = 0x05
	fnWriteRegister      = 0x06
	fnReadStatus         = 0x07
	fnDiagnostics        = 0x08
	fnEventCounter       = 0x0b
	fnEventLog           = 0x0c
	fnWriteCoils         = 0x0f
	fnWriteRegisters     = 0x10
	fnReportID           = 0x11
	fnReadFile           = 0x14
	fnWriteFile          = 0x15
	fnMaskWrite          = 0x16
	fnReadWriteRegisters = 0x17
	fnReadFIFO           = 0x18
	fnEncapsulated       = 0x2b

	exceptionBit = 0x80
)

// Tx is a request with its response, or a message that has no other.
type Tx struct {
	proto.TxBase
	ID       uint16
	Unit     byte
	Function byte
	Sub      uint16 // of diagnostics and encapsulated interface transport
	HasSub   bool
	// Request holds the data behind the function code; nil for a response without
	// request.
	Request []byte
	Asked   bool // there is a request
	// Answered tells that there is a response: ResponseFunction and Response.
	Answered         bool
	ResponseFunction byte
	Response         []byte
	Protocol         uint16
	// RequestErrors and ResponseErrors are the bits of what is wrong, for records.
	RequestErrors, ResponseErrors byte
}

// parser follows one flow.
type parser struct {
	c     *proto.Conn
	flood int64
	lost  [2]bool
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	for {
		b := data[used:]
		if len(b) < headerLen+1 {
			return used, headerLen + 1, proto.OK
		}
		n := int(binary.BigEndian.Uint16(b[4:]))
		if p.lost[dir] {
			if b[2] != 0 || b[3] != 0 || n < minLength || n > maxLength {
				used++
				continue
			}
			p.lost[dir] = false
		}
		if n < minLength || n > maxLength {
			p.trouble(dir, b, EventInvalidLength)
			return used, 0, proto.Broken
		}
		if len(b) < counted+n {
			return used, counted + n, proto.OK
		}
		p.message(dir, b[:counted+n])
		used += counted + n
	}
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, _ int) bool {
	p.lost[dir] = true
	return true
}

// trouble makes a transaction of a message that cannot be read.
func (p *parser) trouble(dir proto.Dir, b []byte, e proto.EventID) {
	t := p.begin(dir, b)
	t.Skip[dir.Other()] = true
	t.AddEvent(e)
	body := append([]byte(nil), b[headerLen+1:min(len(b), counted+maxLength)]...)
	bits := byte(0)
	switch e {
	case EventInvalidProtocolID:
		bits = errProtocol
	case EventInvalidLength:
		bits = errDataLength
	}
	if dir == proto.ToServer {
		t.Asked, t.Request, t.RequestErrors = true, body, bits
	} else {
		t.Answered, t.ResponseFunction, t.Response, t.ResponseErrors = true, b[7], body, bits
		t.Function &^= exceptionBit
	}
}

// begin makes a transaction of message b.
func (p *parser) begin(dir proto.Dir, b []byte) *Tx {
	t := &Tx{ID: binary.BigEndian.Uint16(b), Protocol: binary.BigEndian.Uint16(b[2:]), Unit: b[6], Function: b[7]}
	t.Dir = dir
	p.c.NewTx(t)
	t.Advance(dir, 1)
	return t
}

// message takes one whole message.
func (p *parser) message(dir proto.Dir, b []byte) {
	if b[2] != 0 || b[3] != 0 {
		p.trouble(dir, b, EventInvalidProtocolID)
		return
	}
	if dir == proto.ToServer {
		p.request(b)
	} else {
		p.response(b)
	}
}

func (p *parser) request(b []byte) {
	flooded := p.flooded()
	t := p.begin(proto.ToServer, b)
	t.Asked = true
	t.Request = append(make([]byte, 0, len(b)-headerLen-1), b[headerLen+1:]...)
	if flooded {
		t.AddEvent(EventFlooded)
	}
	t.checkRequest()
}

// flooded tells whether as many requests wait as make a flood.
func (p *parser) flooded() bool {
	list, open := p.c.Open(), int64(0)
	if int64(len(list)) < p.flood {
		return false
	}
	for _, tx := range list {
		if open >= p.flood {
			break
		}
		if !tx.Base().Complete() {
			open++
		}
	}
	return open >= p.flood
}

// response takes a response to the oldest request that fits.
func (p *parser) response(b []byte) {
	id, unit, fn := binary.BigEndian.Uint16(b), b[6], b[7]
	for _, tx := range p.c.Open() {
		t, ok := tx.(*Tx)
		if !ok || !t.Asked || t.Progress[proto.ToClient] != 0 || t.ID != id || t.Unit != unit || t.Function != fn&^exceptionBit {
			continue
		}
		t.Answered, t.ResponseFunction = true, fn
		t.Response = append(make([]byte, 0, len(b)-headerLen-1), b[headerLen+1:]...)
		t.Advance(proto.ToClient, 1)
		t.checkResponse(fn, b[headerLen+1:])
		return
	}
	p.trouble(proto.ToClient, b, EventUnsolicitedResponse)
}

func word(b []byte, at int) int { return int(binary.BigEndian.Uint16(b[at:])) }

// Limits of quantities. Application Protocol section 6.
const (
	maxReadBits       = 2000
	maxWriteBits      = 1968
	maxReadRegisters  = 125
	maxWriteRegisters = 123
	maxSwapRegisters  = 121 // written by read/write
)

// checkRequest notes what is wrong with a request.
func (t *Tx) checkRequest() {
	b := t.Request
	if t.Function == 0 || t.Function >= exceptionBit {
		t.AddEvent(EventInvalidFunctionCode)
		t.AddEvent(EventInvalidLength)
		t.RequestErrors |= errFunction | errDataLength
		return
	}
	want := -1 // the right length
	switch t.Function {
	case fnReadCoils, fnReadDiscretes, fnReadHolding, fnReadInput, fnWriteCoil, fnWriteRegister:
		want = 4
	case fnReadStatus, fnEventCounter, fnEventLog, fnReportID:
		want = 0
	case fnMaskWrite:
		want = 6
	case fnReadFIFO:
		want = 2
	case fnWriteCoils, fnWriteRegisters:
		if len(b) >= 5 {
			want = 5 + int(b[4])
		} else {
			want = 5
		}
	case fnReadWriteRegisters:
		if len(b) >= 9 {
			want = 9 + int(b[8])
		} else {
			want = 9
		}
	case fnDiagnostics:
		if len(b) < 2 {
			want = 2
			break
		}
		t.Sub, t.HasSub = uint16(word(b, 0)), true
	case fnEncapsulated:
		if len(b) < 1 {
			want = 1
			break
		}
		t.Sub, t.HasSub = uint16(b[0]), true
	}
	if want >= 0 && len(b) != want {
		t.AddEvent(EventInvalidLength)
		t.RequestErrors |= errDataLength
	}
	t.checkValues()
}

// checkValues notes values that no request may have.
func (t *Tx) checkValues() {
	b, bad := t.Request, false
	between := func(n, most int) bool { return n >= 1 && n <= most }
	switch {
	case len(b) < 4:
		return
	case t.Function == fnReadCoils || t.Function == fnReadDiscretes:
		bad = !between(word(b, 2), maxReadBits)
	case t.Function == fnReadHolding || t.Function == fnReadInput:
		bad = !between(word(b, 2), maxReadRegisters)
	case t.Function == fnWriteCoil:
		bad = word(b, 2) != 0 && word(b, 2) != 0xff00
	case t.Function == fnWriteCoils && len(b) >= 5:
		bad = !between(word(b, 2), maxWriteBits) || int(b[4]) != (word(b, 2)+7)/8
	case t.Function == fnWriteRegisters && len(b) >= 5:
		bad = !between(word(b, 2), maxWriteRegisters) || int(b[4]) != 2*word(b, 2)
	case t.Function == fnReadWriteRegisters && len(b) >= 9:
		bad = !between(word(b, 2), maxReadRegisters) || !between(word(b, 6), maxSwapRegisters) || int(b[8]) != 2*word(b, 6)
	}
	if bad {
		t.AddEvent(EventInvalidValue)
		t.RequestErrors |= errDataValue
	}
}

// checkResponse notes what in a response does not fit its request.
func (t *Tx) checkResponse(fn byte, b []byte) {
	if fn&exceptionBit != 0 {
		if len(b) != 1 {
			t.AddEvent(EventInvalidLength)
		}
		if len(b) == 0 || b[0] == 0 || b[0] > 0x0b || b[0] == 8 || b[0] == 9 {
			t.AddEvent(EventInvalidExceptionCode)
			t.ResponseErrors |= errException
		}
		return
	}
	q := t.Request
	if len(q) < 4 {
		return
	}
	want, size, echo := -1, -1, 0
	switch fn {
	case fnReadCoils, fnReadDiscretes, fnReadHolding, fnReadInput:
		// Suricata counts registers as if they were bits, and rules see that.
		want = (word(q, 2) + 7) / 8
		if len(b) > 0 {
			size = 1 + int(b[0])
		}
	case fnWriteCoil, fnWriteRegister, fnWriteCoils, fnWriteRegisters:
		echo = 4
	case fnMaskWrite:
		echo = min(6, len(q))
	}
	switch {
	case want >= 0 && (len(b) == 0 || int(b[0]) != want):
		t.AddEvent(EventValueMismatch)
		t.ResponseErrors |= errDataValue
	case size >= 0 && len(b) != size:
		t.AddEvent(EventInvalidLength)
	case echo > 0 && len(b) != echo:
		t.AddEvent(EventInvalidLength)
	case echo > 0 && string(b) != string(q[:echo]):
		t.AddEvent(EventValueMismatch)
		t.ResponseErrors |= errDataValue
	}
}
