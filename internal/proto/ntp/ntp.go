// Package ntp reads the Network Time Protocol, versions 3 and 4 (RFC 1305, 5905).
// Every message is a transaction of its own.
package ntp

import (
	"encoding/binary"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// EventMalformedData is the only event.
const EventMalformedData proto.EventID = 0

const (
	port      = 123
	headerLen = 48
	offRefID  = 12
)

// Protocol returns the row of NTP.
func Protocol() *proto.Protocol {
	return &proto.Protocol{
		Name:           "ntp",
		Transport:      proto.UDP,
		Ports:          []uint16{port},
		ProbePorts:     []uint16{port},
		Probe:          probe,
		Done:           [2]uint8{1, 1},
		Fields:         fields(),
		Events:         []string{"malformed_data"},
		LowerEvents:    true,
		Unidirectional: true,
		Log:            log,
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &parser{c: c} }, nil
		},
	}
}

// probe takes a whole message to the port of NTP.
func probe(_ proto.Dir, b []byte, h proto.Hint) proto.Match {
	if h.DstPort != port || !sound(b) {
		return proto.No
	}
	return proto.Yes
}

// sound tells whether b is a message: the header, extension fields and a message
// authentication code.
func sound(b []byte) bool {
	if len(b) < headerLen {
		return false
	}
	if v := b[0] >> 3 & 7; v != 3 && v != 4 {
		return false
	}
	for b = b[headerLen:]; ; {
		switch len(b) {
		case 0, 4, 20, 24:
			return true
		}
		// RFC 7822: an extension field has 16 octets at least.
		if len(b) < 16 {
			return false
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 16 || n%4 != 0 || n > len(b) {
			return false
		}
		b = b[n:]
	}
}

// Tx is a message.
type Tx struct {
	proto.TxBase
	Version, Mode, Stratum byte
	RefID                  [4]byte
}

// parser follows one flow.
type parser struct{ c *proto.Conn }

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	if !sound(data) {
		return len(data), 0, proto.Flawed
	}
	t := &Tx{Version: data[0] >> 3 & 7, Mode: data[0] & 7, Stratum: data[1], RefID: [4]byte(data[offRefID:])}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	t.Advance(dir, 1)
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser; datagrams have none.
func (p *parser) Gap(proto.Dir, int) bool { return true }

// log writes the EVE object ntp.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Uint("version", uint64(t.Version))
	w.Uint("mode", uint64(t.Mode))
	w.Uint("stratum", uint64(t.Stratum))
	const digits = "0123456789abcdef"
	var s [11]byte
	for i, x := range t.RefID {
		if i > 0 {
			s[3*i-1] = ':'
		}
		s[3*i], s[3*i+1] = digits[x>>4], digits[x&15]
	}
	w.Str("reference_id", string(s[:]))
	return true
}

// fields are the keywords of NTP.
func fields() []proto.Field {
	number := func(name, doc string, names map[string]uint64, f func(t *Tx) byte) proto.Field {
		return proto.Field{
			Name: name, Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Names: names, Doc: doc,
			Uint: func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
				t, ok := tx.(*Tx)
				if !ok || t.Dir != dir || i > 0 {
					return 0, false
				}
				return uint64(f(t)), true
			},
		}
	}
	modes := map[string]uint64{
		"reserved": 0, "symmetric_active": 1, "symmetric_passive": 2, "client": 3, "server": 4, "broadcast": 5, "control": 6, "private": 7,
	}
	return []proto.Field{
		number("ntp.version", "version", nil, func(t *Tx) byte { return t.Version }),
		number("ntp.mode", "mode, a number or a name", modes, func(t *Tx) byte { return t.Mode }),
		number("ntp.stratum", "stratum", nil, func(t *Tx) byte { return t.Stratum }),
		{Name: "ntp.reference_id", ToServer: true, ToClient: true, Doc: "the four octets of the reference identifier",
			Get: func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
				t, ok := tx.(*Tx)
				if !ok || t.Dir != dir || i > 0 {
					return nil, false
				}
				return t.RefID[:], true
			}},
	}
}
