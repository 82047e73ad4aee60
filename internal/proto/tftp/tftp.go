// Package tftp reads the requests of the Trivial File Transfer Protocol (RFC 1350).
// The transfer itself goes on between other ports and is not followed.
package tftp

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

const (
	port = 69
	// MaxName bounds the name of a file that is kept, in bytes; a request is one
	// datagram.
	MaxName = 4096
)

// Opcodes. RFC 1350 section 5.
const (
	opRead  = 1
	opWrite = 2
	opError = 5
)

// Protocol returns the row of TFTP.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:           "tftp",
		Transport:      proto.UDP,
		Ports:          []uint16{port},
		ProbePorts:     []uint16{port},
		Probe:          probe,
		Done:           [2]uint8{1, 1},
		Unidirectional: true,
		Log:            log,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
	}
}

// probe takes what begins like an opcode, to the port of TFTP.
func probe(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
	if h.DstPort != port || len(b) < 4 || b[0] != 0 {
		return proto.No
	}
	return proto.Yes
}

// Tx is a request.
type Tx struct {
	proto.TxBase
	Op   byte
	File []byte
	Mode string // lower case
}

// parser follows one flow.
type parser struct{ c *proto.Conn }

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	if dir != proto.ToServer {
		return len(data), 0, proto.OK
	}
	t, ok := decode(data)
	if !ok {
		return len(data), 0, proto.Flawed
	}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	t.Advance(dir, 1)
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser; datagrams have none.
func (p *parser) Gap(proto.Dir, int) bool { return true }

// decode reads a request: opcode, file, mode; options follow.
func decode(b []byte) (*Tx, bool) {
	if len(b) < 4 || b[0] != 0 || b[1] < opRead || b[1] > opError {
		return nil, false
	}
	file, rest, ok := bytes.Cut(b[2:], []byte{0})
	if !ok || len(file) > MaxName || !utf8.Valid(file) {
		return nil, false
	}
	mode, _, ok := bytes.Cut(rest, []byte{0})
	if !ok {
		return nil, false
	}
	for _, name := range [...]string{"netascii", "mail", "octet"} {
		if strings.EqualFold(string(mode), name) {
			return &Tx{Op: b[1], File: append([]byte(nil), file...), Mode: name}, true
		}
	}
	return nil, false
}

// log writes the EVE object tftp.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	switch t.Op {
	case opRead:
		w.Str("packet", "read")
	case opWrite:
		w.Str("packet", "write")
	default:
		w.Str("packet", "error")
	}
	w.Bytes("file", t.File)
	w.Str("mode", t.Mode)
	return true
}
