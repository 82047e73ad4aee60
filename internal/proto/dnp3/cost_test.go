package dnp3_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dnp3"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 20000}
	points := func(n int) []prototest.Chunk {
		// Group 30 variation 1, indexes of two bytes: flag and value of each point.
		app := "\xc0\x81\x00\x00\x1e\x01\x28" + string([]byte{byte(n), byte(n >> 8)}) + strings.Repeat("\x01\x00\x01\x02\x03\x04\x05", n)
		return []prototest.Chunk{prototest.To(down, message(0x44, app))}
	}
	start := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, prototest.To(up, message(0xc4, request)))
	}
	prototest.Cost(t, prototest.Table(t, settings(), dnp3.Protocol()),
		prototest.Load{Name: "requests", N: 1000, Hint: hint, Flow: prototest.Rep(up, message(0xc4, request))},
		prototest.Load{Name: "answers to nothing", N: 1000, Hint: hint, Flow: start(prototest.Rep(down, message(0x44, response)))},
		prototest.Load{Name: "first segments only", N: 1000, Hint: hint, Flow: start(prototest.Rep(up, frame(0xc4, "\x40"+request)))},
		prototest.Load{Name: "segments without end", N: 1000, Hint: hint, Flow: start(prototest.Rep(up, frame(0xc4, "\x01"+strings.Repeat("x", 200))))},
		prototest.Load{Name: "empty frames", N: 2000, Hint: hint, Flow: start(prototest.Rep(up, frame(0xc4, "")))},
		prototest.Load{Name: "points", N: 60, Hint: hint, Flow: start(points)},
		prototest.Load{Name: "byte by byte", N: 60, Piece: 1, Hint: hint, Flow: start(prototest.Rep(up, message(0xc4, request)))},
		prototest.Load{Name: "junk", N: 5000, Piece: 100, Hint: hint, Flow: start(prototest.Rep(up, "\x05\x64"))},
	)
}
