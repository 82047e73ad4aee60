package modbus_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/modbus"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 502}
	id := func(i int) uint16 { return uint16(i) }
	prototest.Cost(t, prototest.Table(t, prototest.Settings{"enabled": "yes"}, modbus.Protocol()),
		prototest.Load{Name: "requests that nobody answers", N: 5000, Hint: hint, Flow: prototest.Cat(up, func(i int) string { return message(id(i), 0, read) })},
		prototest.Load{Name: "answers to nothing", N: 1500, Hint: hint, Flow: prototest.After(prototest.Cat(down, func(i int) string { return message(id(i), 0, "\x01\x01\x00") }), prototest.To(up, message(9, 0, read)))},
		prototest.Load{Name: "exchanges", N: 500, Hint: hint, Flow: prototest.Turns(func(i int) (string, string) { return message(id(i), 0, read), message(id(i), 0, "\x01\x01\x00") })},
		prototest.Load{Name: "byte by byte", N: 200, Piece: 1, Hint: hint, Flow: prototest.Turns(func(i int) (string, string) { return message(id(i), 0, read), message(id(i), 0, "\x01\x01\x00") })},
		prototest.Load{Name: "another protocol's number", N: 1500, Hint: hint, Flow: prototest.After(prototest.Rep(up, message(1, 7, read)), prototest.To(up, message(9, 0, read)))},
		prototest.Load{Name: "long messages", N: 200, Hint: hint, Flow: prototest.Turns(func(i int) (string, string) {
			return message(id(i), 0, "\x10\x00\x00\x00\x64\xc8"+strings.Repeat("x", 200)), message(id(i), 0, "\x10\x00\x00\x00\x64")
		})},
	)
}
