package dns

import (
	"mirador/internal/proto"
)

// Header flag bits.
const (
	flagQR = 0x8000
	flagAA = 0x0400
	flagTC = 0x0200
	flagRD = 0x0100
	flagRA = 0x0080
	flagZ  = 0x0040
	flagAD = 0x0020
	flagCD = 0x0010
)

// Name is a domain name with dots between its labels and none at the end; the
// root is empty. Cut tells that it was longer than could be kept.
type Name struct {
	B   []byte
	Cut bool
}

// Question is an entry of the question section.
type Question struct {
	Name        Name
	Type, Class uint16
}

// Record is a resource record. Raw is its data as on the wire; Target is the
// name in it (CNAME, NS, PTR, MX, SRV, the primary server of an SOA), Mailbox
// the second one of an SOA.
type Record struct {
	Name        Name
	Type, Class uint16
	TTL         uint32
	Raw         []byte
	Target      Name
	Mailbox     Name
}

// Tx is one message.
type Tx struct {
	proto.TxBase
	MsgID       uint16
	Flags       uint16
	Questions   []Question
	Answers     []Record
	Authorities []Record
	Additionals []Record
	// Cut counts questions and records beyond MaxRecords.
	Cut int

	names []byte   // the names' bytes
	all   [][]byte // every name, made by responseNames
}

// Response tells whether the message has the QR bit.
func (t *Tx) Response() bool { return t.Flags&flagQR != 0 }

// Opcode returns the kind of query.
func (t *Tx) Opcode() uint8 { return uint8(t.Flags >> 11 & 0xf) }

// Rcode returns the response code of the header, without the bits of EDNS.
func (t *Tx) Rcode() uint8 { return uint8(t.Flags & 0xf) }
