package dcerpc

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// Types of PDU. C706 section 12.4.1.
const (
	TypeRequest      uint8 = 0
	TypePing         uint8 = 1
	TypeResponse     uint8 = 2
	TypeFault        uint8 = 3
	TypeBind         uint8 = 11
	TypeBindAck      uint8 = 12
	TypeBindNak      uint8 = 13
	TypeAlterContext uint8 = 14
	TypeAlterResp    uint8 = 15
	TypeAuth3        uint8 = 16
)

// names of the types, by number.
var names = [...]string{
	"REQUEST", "PING", "RESPONSE", "FAULT", "WORKING", "NOCALL", "REJECT", "ACK", "CL_CANCEL", "FACK", "CANCEL_ACK",
	"BIND", "BINDACK", "BINDNAK", "ALTER_CONTEXT", "ALTER_CONTEXT_RESP", "AUTH3", "SHUTDOWN", "CO_CANCEL", "ORPHANED", "RTS",
}

// TypeName returns the name of a type as EVE shows it; the number of one that has
// none.
func TypeName(t uint8) string {
	if int(t) < len(names) {
		return names[t]
	}
	if t == 99 {
		return "UNKNOWN"
	}
	return strconv.Itoa(int(t))
}

// Flags of a version 5 header.
const (
	FlagFirst  uint8 = 0x01
	FlagLast   uint8 = 0x02
	flagObject uint8 = 0x80
)

// UUID is an interface identifier in the order of its text form.
type UUID [16]byte

// AppendText appends the text form of u to b.
func (u *UUID) AppendText(b []byte) []byte {
	for i, n := range [...]int{0, 4, 6, 8, 10} {
		end := [...]int{4, 6, 8, 10, 16}[i]
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, u[n:end])
	}
	return b
}

// readUUID reads a UUID from the wire, where its first three parts are in the
// sender's byte order. b holds 16 bytes at least.
func readUUID(b []byte, little bool) (u UUID) {
	copy(u[:], b)
	if little {
		u[0], u[1], u[2], u[3] = u[3], u[2], u[1], u[0]
		u[4], u[5] = u[5], u[4]
		u[6], u[7] = u[7], u[6]
	}
	return u
}

// order returns the byte order of a sender.
func order(little bool) binary.ByteOrder {
	if little {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// Header is the common header of a version 5 PDU.
//
//	 0        1        2        3
//	+--------+--------+--------+--------+
//	| 5      | minor  | type   | flags  |
//	| data representation               |
//	| fragment length | auth. length    |
//	| call id                           |
//	+--------+--------+--------+--------+
type Header struct {
	Major, Minor uint8
	Type, Flags  uint8
	Little       bool
	Len          uint16 // of the whole fragment, this header included
	AuthLen      uint16
	CallID       uint32
}

// ReadHeader reads the header at the start of b; ok is false when b is too short.
// What it says is not checked.
func ReadHeader(b []byte) (h Header, ok bool) {
	if len(b) < headerLen {
		return h, false
	}
	h = Header{Major: b[0], Minor: b[1], Type: b[2], Flags: b[3], Little: b[4]&0x10 != 0}
	o := order(h.Little)
	h.Len, h.AuthLen, h.CallID = o.Uint16(b[8:]), o.Uint16(b[10:]), o.Uint32(b[12:])
	return h, true
}

// Context is a presentation context: an interface under the number a connection
// gives it.
type Context struct {
	ID           uint16
	UUID         UUID
	Major, Minor uint16
	First        bool // named in a first fragment
	Acked        bool // the server has answered
	Result       uint16
	Reason       uint16
}

// Accepted tells whether the server took the interface.
func (c *Context) Accepted() bool { return c.Acked && c.Result == 0 }

// AppendBind appends the contexts that a bind or alter context of header h names
// to dst. pdu is the whole fragment. Contexts that are cut off are left out.
func AppendBind(dst []Context, h *Header, pdu []byte) []Context {
	if len(pdu) < headerLen+12 {
		return dst
	}
	o := order(h.Little)
	n := int(pdu[headerLen+8])
	b := pdu[headerLen+12:]
	for ; n > 0 && len(b) >= 24 && len(dst) < MaxContexts; n-- {
		dst = append(dst, Context{
			ID: o.Uint16(b), UUID: readUUID(b[4:], h.Little), Major: o.Uint16(b[20:]), Minor: o.Uint16(b[22:]),
			First: h.Flags&FlagFirst != 0,
		})
		size := 24 + 20*int(b[2])
		if size > len(b) {
			break
		}
		b = b[size:]
	}
	return dst
}

// Results calls each for every result that a bind ack or alter context response
// of header h has, in order. pdu is the whole fragment.
func Results(h *Header, pdu []byte, each func(i int, result, reason uint16)) {
	if len(pdu) < headerLen+10 {
		return
	}
	o := order(h.Little)
	at := headerLen + 10 + int(o.Uint16(pdu[headerLen+8:]))
	at += -at & 3 // results are aligned
	if at+4 > len(pdu) {
		return
	}
	n := int(pdu[at])
	b := pdu[at+4:]
	for i := 0; i < n && len(b) >= 24; i++ {
		each(i, o.Uint16(b), o.Uint16(b[2:]))
		b = b[24:]
	}
}

// Request is the fixed part of a request or response.
type Request struct {
	Context uint16
	Opnum   uint16 // of a request
	Stub    []byte // shares memory with the fragment
}

// ReadRequest reads the request or response in the fragment pdu with header h.
func ReadRequest(h *Header, pdu []byte) (r Request, ok bool) {
	if len(pdu) < headerLen+8 {
		return r, false
	}
	o := order(h.Little)
	r.Context = o.Uint16(pdu[headerLen+4:])
	at := headerLen + 8
	if h.Type == TypeRequest {
		r.Opnum = o.Uint16(pdu[headerLen+6:])
	}
	r.Stub = pdu[at:]
	return r, true
}
