package krb5_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/krb5"
	"mirador/internal/proto/prototest"
)

// el is an element of DER.
func el(tag byte, body ...string) string {
	s := strings.Join(body, "")
	return string([]byte{tag, 0x82, byte(len(s) >> 8), byte(len(s))}) + s
}

// short is an element whose length fits one byte.
func short(tag byte, body ...string) string {
	s := strings.Join(body, "")
	return string([]byte{tag, byte(len(s))}) + s
}

func num(tag, n byte) string { return short(tag, short(2, string([]byte{n}))) }

// asReq asks for a ticket for a name of the parts given, with encryption types etypes.
func asReq(etypes string, parts ...string) string {
	name := ""
	for _, p := range parts {
		name += short(0x1b, p)
	}
	principal := el(0x30, num(0xa0, 1), el(0xa1, el(0x30, name)))
	body := el(0x30, short(0xa0, short(3, "\x00\x00\x00\x00\x00")), el(0xa1, principal), el(0xa2, short(0x1b, "REALM")), el(0xa3, principal),
		short(0xa5, short(0x18, "20370913024805Z")), short(0xa7, short(2, "\x01\x02\x03\x04")), el(0xa8, el(0x30, etypes)))
	return el(0x6a, el(0x30, num(0xa1, 5), num(0xa2, 10), el(0xa4, body)))
}

func tcp(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

func TestCost(t *testing.T) {
	etype := short(2, "\x12")
	req := asReq(etype, "joe")
	hint, udp := proto.Hint{SrcPort: 4000, DstPort: 88}, proto.Hint{SrcPort: 4000, DstPort: 88, UDP: true}
	begun := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, prototest.To(0, tcp(req)))
	}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return begun(func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(0, tcp(f(n)))} })
	}
	prototest.Cost(t, prototest.Table(t, nil, krb5.Protocol()),
		prototest.Load{Name: "one-way requests", N: 1500, Hint: udp, Flow: prototest.Each(0, func(int) string { return req })},
		prototest.Load{Name: "requests", N: 1000, Hint: hint, Flow: prototest.Rep(0, tcp(req))},
		prototest.Load{Name: "parts of a name", N: 1000, Hint: hint, Flow: one(func(n int) string { return asReq(etype, strings.Split(strings.Repeat("a,", n), ",")...) })},
		prototest.Load{Name: "encryption types", N: 1500, Hint: hint, Flow: one(func(n int) string { return asReq(strings.Repeat(etype, n), "joe") })},
		prototest.Load{Name: "nested elements", N: 1000, Hint: hint, Flow: one(func(n int) string { return req[:20] + strings.Repeat("\x30\x80", n) })},
		prototest.Load{Name: "a message, byte by byte", N: 1000, Piece: 1, Hint: hint, Flow: one(func(n int) string { return asReq(strings.Repeat(etype, n), "joe") })},
		prototest.Load{Name: "empty messages", N: 4000, Hint: hint, Flow: begun(prototest.Rep(0, "\x00\x00\x00\x00"))},
		prototest.Load{Name: "half messages behind a gap", N: 2000, Piece: 100, Hint: hint, Flow: prototest.After(prototest.Rep(0, "\x00\x00\x00\x20\x6a\x1e\x30\x1c"), prototest.To(0, tcp(req)), prototest.Chunk{Gap: 10})},
	)
}
