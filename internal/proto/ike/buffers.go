package ike

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// of returns tx as a message, nil when it is none or goes the other way.
func of(tx proto.Tx, dir proto.Dir) *Tx {
	t, ok := tx.(*Tx)
	if !ok || t.Dir != dir {
		return nil
	}
	return t
}

// buffer makes a Get of a function that gives one value, nil for none.
func buffer(f func(t *Tx) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t := of(tx, dir)
		if t == nil || i > 0 {
			return nil, false
		}
		b := f(t)
		return b, b != nil
	}
}

// size makes a Uint of the length of a value in hexadecimal digits.
func size(f func(t *Tx) []byte) func(*proto.Conn, proto.Tx, proto.Dir, int) (uint64, bool) {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
		t := of(tx, dir)
		if t == nil || i > 0 || f(t) == nil {
			return 0, false
		}
		return uint64(len(f(t)) / 2), true
	}
}

func spi(from int) func(t *Tx) []byte {
	return func(t *Tx) []byte { return hexOf(t.Header[from : from+8]) }
}

// raw gives a value of hexadecimal digits as the octets they stand for.
func raw(f func(t *Tx) []byte) func(t *Tx) []byte {
	return func(t *Tx) []byte {
		b, err := hex.AppendDecode(nil, f(t))
		if err != nil || len(b) == 0 {
			return nil
		}
		return b
	}
}

func vendor(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t := of(tx, dir)
	if t == nil || i >= len(t.Vendors) {
		return nil, false
	}
	return t.Vendors[i], true
}

func exchange(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
	t := of(tx, dir)
	if t == nil || i > 0 {
		return 0, false
	}
	return uint64(t.Header[offExchange]), true
}

// fields are the keywords of IKE.
func fields() []proto.Field {
	ke := func(t *Tx) []byte { return t.KE }
	nonce := func(t *Tx) []byte { return t.Nonce }
	return []proto.Field{
		{Name: "ike.init_spi", ToServer: true, Get: buffer(spi(0)), Doc: "the initiator's SPI in hexadecimal digits"},
		{Name: "ike.resp_spi", ToClient: true, Get: buffer(spi(8)), Doc: "the responder's SPI in hexadecimal digits"},
		{Name: "ike.exchtype", Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Uint: exchange, Doc: "exchange type"},
		{Name: "ike.vendor", ToServer: true, Multi: true, Get: vendor, Doc: "vendor ID in hexadecimal digits (IKEv1)"},
		{Name: "ike.chosen_sa_attribute", Kind: proto.Custom, ToClient: true, Compile: compileAttribute,
			Doc: "attribute that the responder chose: NAME=NUMBER"},
		{Name: "ike.key_exchange_payload", ToServer: true, ToClient: true, Get: buffer(raw(ke)), Doc: "key exchange payload (IKEv1)"},
		{Name: "ike.key_exchange_payload_length", Kind: proto.Number, Bits: 32, ToServer: true, ToClient: true, Uint: size(ke),
			Doc: "length of the key exchange payload (IKEv1)"},
		{Name: "ike.nonce_payload", ToServer: true, ToClient: true, Get: buffer(raw(nonce)), Doc: "nonce (IKEv1)"},
		{Name: "ike.nonce_payload_length", Kind: proto.Number, Bits: 32, ToServer: true, ToClient: true, Uint: size(nonce),
			Doc: "length of the nonce (IKEv1)"},
	}
}

// matchable are the attributes that ike.chosen_sa_attribute knows.
func matchable() []uint16 {
	return []uint16{attrEnc, attrHash, attrPRF, attrAuth, attrDH, attrGroupType, attrLifeType, attrLifeDuration, attrKeyLength, attrFieldSize}
}

func compileAttribute(arg string) (proto.TxMatcher, error) {
	name, value, ok := strings.Cut(arg, "=")
	name = strings.TrimSpace(name)
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
	if !ok || err != nil {
		return nil, fmt.Errorf("%q is not NAME=NUMBER", arg)
	}
	for _, typ := range matchable() {
		if attributeNames()[typ] != name {
			continue
		}
		return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
			t := of(tx, dir)
			if t == nil || !t.ChosenHere {
				return false
			}
			a := find(t.Chosen, typ)
			return a != nil && !a.HasLong && uint64(a.Value) == n
		}, nil
	}
	return nil, fmt.Errorf("%q is not an attribute", name)
}
