package ike

import (
	"encoding/binary"
	"encoding/hex"

	"mirador/internal/proto"
)

// The header. RFC 7296 section 3.1, RFC 2408 section 3.1.
const (
	headerLen   = 28
	offNext     = 16
	offVersion  = 17
	offExchange = 18
	offFlags    = 19
	offID       = 20
	offLength   = 24

	flagEncrypted1 = 0x01 // IKEv1
	flagInitiator2 = 0x08 // IKEv2
)

// length is what the header says of the message's length.
func length(b []byte) uint64 { return uint64(binary.BigEndian.Uint32(b[offLength:])) }

// Tx is a message.
type Tx struct {
	proto.TxBase
	Header [headerLen]byte
	// Payloads are the payload types: of IKEv2 in their order, of IKEv1 each once.
	Payloads []byte
	// Chosen are the attributes the server chose, as of this message; ChosenHere
	// tells that this message says so. Offered are those of the client (IKEv1), or
	// of a server that did not choose.
	Chosen     []Attribute
	ChosenHere bool
	Offered    [][]Attribute
	// Of IKEv1:
	HasDOI   bool
	DOI      uint32
	Exchange [2]Secrets // client's and server's, as of this message
	// KE and Nonce are those of this message in hexadecimal digits.
	KE, Nonce []byte
	Vendors   [][]byte // in hexadecimal digits
	// Of IKEv2:
	Errors   int
	Notifies []uint16
	Suite    [esnTransform + 1]uint16 // chosen transforms by type
}

// Secrets are what one side sent for the key exchange, in hexadecimal digits.
type Secrets struct{ KE, Nonce []byte }

// Version returns the major version.
func (t *Tx) Version() byte { return t.Header[offVersion] >> 4 }

// Encrypted tells whether the payloads of an IKEv1 message are encrypted.
func (t *Tx) Encrypted() bool { return t.Header[offFlags]&flagEncrypted1 != 0 }

// parser follows one flow.
type parser struct {
	c        *proto.Conn
	chosen   []Attribute
	hasDOI   bool
	doi      uint32
	exchange [2]Secrets
	suite    [esnTransform + 1]uint16
	started  bool
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	if !p.started {
		p.started = true
		p.suite[encTransform] = encNull
	}
	if len(data) < headerLen || length(data) != uint64(len(data)) {
		return len(data), 0, proto.Flawed
	}
	t := &Tx{}
	copy(t.Header[:], data)
	server := dir == proto.ToClient && binary.BigEndian.Uint64(data[8:]) != 0
	switch t.Version() {
	case 1:
		if !p.version1(t, dir, data[headerLen:]) {
			return len(data), 0, proto.Flawed
		}
	case 2:
		if data[offVersion]&15 != 0 {
			return len(data), 0, proto.Flawed
		}
		p.version2(t, server, data[headerLen:])
	default:
		return len(data), 0, proto.Flawed
	}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	events := t.Events
	t.Events = nil
	p.c.NewTx(t)
	t.Events = events
	t.Touch(proto.ToServer)
	t.Touch(proto.ToClient)
	t.Advance(dir, 1)
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser; datagrams have none.
func (p *parser) Gap(proto.Dir, int) bool { return true }

// payload takes the payload at the start of b.
func payload(b []byte) (next byte, body, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 4 || n > len(b) {
		return 0, nil, nil, false
	}
	return b[0], b[4:n], b[n:], true
}

// hexOf returns b in hexadecimal digits.
func hexOf(b []byte) []byte { return hex.AppendEncode(nil, b) }
