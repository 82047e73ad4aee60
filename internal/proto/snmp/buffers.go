package snmp

import (
	"strings"

	"mirador/internal/proto"
)

type (
	getter  = func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool)
	counter = func(*proto.Conn, proto.Tx, proto.Dir, int) (uint64, bool)
)

func text(f func(t *Tx) []byte) getter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || t.Dir != dir || i > 0 {
			return nil, false
		}
		b := f(t)
		return b, b != nil
	}
}

func number(f func(t *Tx) (uint32, bool)) counter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
		t, ok := tx.(*Tx)
		if !ok || t.Dir != dir || i > 0 {
			return 0, false
		}
		n, ok := f(t)
		return uint64(n), ok
	}
}

// fields are the keywords of SNMP.
func fields() []proto.Field {
	traps := map[string]uint64{}
	for i, s := range trapNames() {
		traps[strings.ToLower(s)] = uint64(i)
	}
	num := func(name, doc string, f func(t *Tx) (uint32, bool), names map[string]uint64) proto.Field {
		return proto.Field{Name: name, Kind: proto.Number, Bits: 32, ToServer: true, ToClient: true, Uint: number(f), Names: names, Doc: doc}
	}
	bits := func(n uint8, f proto.Field) proto.Field { f.Bits = n; return f }
	buf := func(name, doc string, f func(t *Tx) []byte) proto.Field {
		return proto.Field{Name: name, ToServer: true, ToClient: true, Get: text(f), Doc: doc}
	}
	return []proto.Field{
		num("snmp.version", "version: 1, 2 or 3", func(t *Tx) (uint32, bool) { return t.Version, true }, nil),
		num("snmp.pdu_type", "type of the PDU, a number", func(t *Tx) (uint32, bool) { return uint32(t.Type), !t.Encrypted }, nil),
		bits(8, num("snmp.trap_type", "generic type of a trap of version 1", func(t *Tx) (uint32, bool) { return t.Trap, !t.Encrypted && t.Type == pduTrap1 }, traps)),
		buf("snmp.usm", "name of the user (version 3)", func(t *Tx) []byte { return t.USM }),
		buf("snmp.community", "community (versions 1 and 2)", func(t *Tx) []byte { return t.Community }),
	}
}
