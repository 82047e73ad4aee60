package websocket_test

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/websocket"
)

func TestCost(t *testing.T) {
	tab := prototest.Table(t, nil, websocket.Protocol())
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, 9)
	w.Write(make([]byte, 60_000))
	w.Flush()
	bomb := ws(0xc1, z.String())
	load := func(name string, n, piece int, flow func(n int) []prototest.Chunk) prototest.Load {
		return prototest.Load{Name: name, N: n, Piece: piece, Hint: proto.Hint{SrcPort: 4000, DstPort: 80}, Flow: flow,
			Start: func(c *proto.Conn) { c.Announced(1, nil) }}
	}
	small := load("compressed bombs", 50, 0, prototest.Rep(0, bomb))
	small.PerByte = 3000 // 60 KB of each 80 bytes
	prototest.Cost(t, tab,
		load("fragments", 5000, 1400, prototest.Rep(0, ws(0x01, "ab")+ws(0x00, "cd"))),
		load("a message in fragments without end", 5000, 1400, prototest.After(prototest.Rep(0, ws(0x00, "cd")), c2s(ws(0x01, "ab")))),
		load("empty fragments", 5000, 1400, prototest.After(prototest.Rep(0, ws(0x00, "")), c2s(ws(0x01, "ab")))),
		load("pings", 5000, 1400, prototest.Rep(0, ws(0x89, "p", 1, 2, 3, 4))),
		load("a long frame, byte by byte", 10_000, 1, func(n int) []prototest.Chunk { return []prototest.Chunk{c2s(ws(0x82, strings.Repeat("x", n)))} }),
		small,
	)
}
