package mqtt_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/mqtt"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 1883}
	start := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, prototest.To(up, connect4), prototest.To(down, connack4))
	}
	five := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, prototest.To(up, connect5), prototest.To(down, connack5))
	}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(up, f(n))} }
	}
	id := func(i int) string { return string([]byte{byte(i >> 8), byte(i)}) }
	prototest.Cost(t, prototest.Table(t, nil, mqtt.Protocol()),
		prototest.Load{Name: "messages", N: 2000, Hint: hint, Flow: start(prototest.Rep(up, msg(0x30, text("topic")+"message")))},
		prototest.Load{Name: "messages with one id that nobody answers", N: 3000, Hint: hint, Flow: start(prototest.Rep(up, msg(0x32, text("t")+"\x00\x07hello")))},
		prototest.Load{Name: "messages with many ids that nobody answers", N: 3000, Hint: hint, Flow: start(prototest.Cat(up, func(i int) string { return msg(0x34, text("t")+id(i)+"hello") }))},
		prototest.Load{Name: "answers to what was not asked", N: 3000, Hint: hint, Flow: start(prototest.Cat(down, func(i int) string { return msg(0x40, id(i)) }))},
		prototest.Load{Name: "pings", N: 5000, Hint: hint, Flow: start(prototest.Rep(up, msg(0xc0, "")))},
		prototest.Load{Name: "exchanges", N: 500, Hint: hint, Flow: start(prototest.Turns(func(i int) (string, string) { return msg(0x32, text("t")+id(i)+"hello"), msg(0x40, id(i)) }))},
		prototest.Load{Name: "topics of one subscription", N: 4000, Hint: hint, Flow: start(one(func(n int) string { return msg(0x82, "\x00\x01"+strings.Repeat(text("a")+"\x01", n)) }))},
		prototest.Load{Name: "properties of one message", N: 4000, Hint: hint, Flow: five(one(func(n int) string {
			props := strings.Repeat("\x26"+text("k")+text("v"), n)
			return msg(0x30, text("t")+strings.TrimPrefix(msg(0, props), "\x00")+"x")
		}))},
		prototest.Load{Name: "a long message, byte by byte", N: 10_000, Hint: hint, Piece: 1, Flow: start(one(func(n int) string { return msg(0x30, text("t")+strings.Repeat("x", n)) }))},
		prototest.Load{Name: "messages too long, byte by byte", N: 2000, Hint: hint, Piece: 1, Table: prototest.Table(t, prototest.Settings{"max-msg-length": "100"}, mqtt.Protocol()),
			Flow: start(prototest.Rep(up, msg(0x30, text("t")+strings.Repeat("x", 120))))},
	)
}
