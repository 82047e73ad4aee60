package ftp_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ftp"
	"mirador/internal/proto/prototest"
)

// TestCost makes the command flood and its like.
func TestCost(t *testing.T) {
	start := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, s2c("220 (x)\r\n"), c2s("USER a\r\n"), s2c("331 x\r\n"))
	}
	one := func(dir proto.Dir, f func(n int) string) func(n int) []prototest.Chunk {
		return start(func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(dir, f(n))} })
	}
	loads := []prototest.Load{
		{Name: "commands that nobody answers", Flow: start(prototest.Rep(up, "PWD\r\n"))},
		{Name: "unknown commands", Flow: start(prototest.Rep(up, "XXXXXX\r\n"))},
		{Name: "replies to nothing", Flow: start(prototest.Rep(down, "500 x\r\n"))},
		{Name: "preliminary replies", Flow: start(prototest.After(prototest.Rep(down, "150 x\r\n"), c2s("PWD\r\n")))},
		{Name: "exchanges", Flow: start(prototest.Turns(func(int) (string, string) { return "PWD\r\n", "257 x\r\n" }))},
		{Name: "transfers", Flow: start(prototest.Rep(up, "PORT 10,0,0,1,4,3\r\nRETR f\r\n"))},
		{Name: "passive replies", Flow: start(prototest.After(prototest.Rep(down, "227 x (1,2,3,4,5,6\r\n"), c2s("PASV\r\n")))},
		{Name: "empty lines", Flow: start(prototest.Rep(up, "\n"))},
		{Name: "a line without end, byte by byte", Piece: 1, Flow: one(up, func(n int) string { return strings.Repeat("x", n) })},
		{Name: "long lines, byte by byte", Piece: 1, Flow: one(up, func(n int) string { return strings.Repeat("XXX "+strings.Repeat("x", 1000)+"\r\n", n/1000) })},
		{Name: "a list in one reply", Flow: start(prototest.After(prototest.Cat(down, func(i int) string { return fmt.Sprintf("150-f%d\r\n", i) }), c2s("STAT\r\n")))},
	}
	for i := range loads {
		loads[i].N, loads[i].Hint = 5000, proto.Hint{SrcPort: 4000, DstPort: 21}
	}
	prototest.Cost(t, prototest.Table(t, nil, ftp.Protocol(), ftp.DataProtocol()), loads...)
}
