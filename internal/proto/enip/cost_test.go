package enip_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/enip"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 44818}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(up, f(n))} }
	}
	nested := func(n int) string { // multiple service packets with the same part over and over
		head := "\x0a\x02\x20\x02\x24\x01" + string([]byte{byte(n), byte(n >> 8)})
		return message(0x6f, 0, rrData(head+strings.Repeat("\x02\x00", n)))
	}
	prototest.Cost(t, prototest.Table(t, prototest.Settings{"enabled": "yes"}, enip.Protocol()),
		prototest.Load{Name: "requests that nobody answers", N: 2500, Hint: hint, Flow: prototest.Rep(up, message(0x6f, 0, rrData(get)))},
		prototest.Load{Name: "answers to nothing", N: 1500, Hint: hint, Flow: prototest.After(prototest.Rep(down, message(0x6f, 0, rrData("\x8e\x00\x00\x00"))), prototest.To(up, message(4, 0, "")))},
		prototest.Load{Name: "exchanges", N: 500, Hint: hint, Flow: prototest.Turns(func(int) (string, string) {
			return message(0x6f, 0, rrData(get)), message(0x6f, 0, rrData("\x8e\x00\x00\x00"))
		})},
		prototest.Load{Name: "items", N: 2000, Hint: hint, Flow: one(func(n int) string {
			return message(0x6f, 0, "\x00\x00\x00\x00\x00\x00"+string([]byte{byte(n), byte(n >> 8)})+strings.Repeat("\xb2\x00\x00\x00", n))
		})},
		prototest.Load{Name: "services in one packet", N: 500, Hint: hint, Flow: one(nested)},
		prototest.Load{Name: "a message, byte by byte", N: 4000, Piece: 1, Hint: hint, Flow: one(func(n int) string { return message(0x6f, 0, rrData(get+strings.Repeat("\x00", n))) })},
		prototest.Load{Name: "identities", N: 200, Hint: hint, Flow: prototest.After(prototest.Rep(down, message(0x63, 0, identity)), prototest.To(up, message(0x63, 0, "")))},
	)
}
