package ldap_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ldap"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 389}
	nested := func(n int) []prototest.Chunk {
		filter := tlv(0x87, "a")
		for range n {
			filter = tlv(0xa2, filter)
		}
		return []prototest.Chunk{c2s(msg(1, tlv(0x63, oct("o"), "\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00", filter, tlv(0x30))))}
	}
	prototest.Cost(t, prototest.Table(t, nil, ldap.Protocol()),
		prototest.Load{Name: "searches and intermediate answers", N: 4000, Hint: hint, Flow: prototest.Rep(0, msg(2, search("a"))+msg(3, tlv(0x4a, "x")))},
		prototest.Load{Name: "requests that nobody answers", N: 6000, Hint: hint, Flow: prototest.Cat(0, func(i int) string { return msg(byte(i), search("a")) })},
		prototest.Load{Name: "entries without end", N: 3000, Hint: hint, Flow: prototest.After(prototest.Rep(1, msg(1, entry("cn=1", "mail"))), c2s(msg(1, search("a"))))},
		prototest.Load{Name: "answers to what was not asked", N: 3000, Hint: hint, Flow: prototest.After(prototest.Rep(1, msg(9, result(0x65, 0))), c2s(msg(1, search("a"))))},
		prototest.Load{Name: "exchanges", N: 500, Hint: hint, Flow: prototest.Turns(func(i int) (string, string) { return msg(byte(i), search("a")), msg(byte(i), result(0x65, 0)) })},
		prototest.Load{Name: "attributes of one search", N: 2000, Hint: hint, Flow: func(n int) []prototest.Chunk {
			return []prototest.Chunk{c2s(msg(1, search(strings.Split(strings.Repeat("a,", n), ",")...)))}
		}},
		prototest.Load{Name: "a long search, byte by byte", N: 2000, Piece: 1, Hint: hint, Flow: func(n int) []prototest.Chunk { return []prototest.Chunk{c2s(msg(1, search(strings.Repeat("a", n))))} }},
		prototest.Load{Name: "nested filters", N: 200, Hint: hint, Flow: nested},
		prototest.Load{Name: "junk behind a message", N: 3000, Hint: hint, Flow: prototest.After(prototest.Rep(0, "\x30\x00"), c2s(msg(1, search("a"))))},
		prototest.Load{Name: "datagrams", N: 6000, Hint: proto.Hint{SrcPort: 4000, DstPort: 389, UDP: true}, Flow: prototest.Each(0, func(i int) string { return msg(byte(i), search("a")) })},
	)
}
