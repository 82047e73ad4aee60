package ssh_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/ssh"
)

// TestCost sends long banners, lists without end and packets of all sizes.
func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 22}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(up, f(n))} }
	}
	begun := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, prototest.To(down, serverBanner), prototest.To(up, clientBanner))
	}
	prototest.Cost(t, prototest.Table(t, prototest.Settings{"hassh": "yes"}, ssh.Protocol()),
		prototest.Load{Name: "a banner without end", N: 100_000, Piece: 100, Hint: hint, Flow: one(func(n int) string { return "SSH-2.0-" + strings.Repeat("x", n) })},
		prototest.Load{Name: "a banner, byte by byte", N: 5000, Piece: 1, Hint: hint, Flow: one(func(n int) string { return "SSH-2.0-" + strings.Repeat("x", n) })},
		prototest.Load{Name: "lines in front of a banner", N: 5000, Hint: hint, Flow: one(func(n int) string { return "SSH-" + strings.Repeat("x\r\n", n) + clientBanner })},
		prototest.Load{Name: "key exchanges", N: 200, Hint: hint, Flow: begun(prototest.Rep(up, kex))},
		prototest.Load{Name: "small packets", N: 3000, Hint: hint, Flow: begun(prototest.Rep(up, record("\x02")))},
		prototest.Load{Name: "a long list", N: 1500, Hint: hint, Flow: begun(one(func(n int) string { return kexInit(strings.Repeat("a,", n), "b") }))},
		prototest.Load{Name: "a packet, byte by byte", N: 4000, Piece: 1, Hint: hint, Flow: begun(one(func(n int) string { return kexInit(strings.Repeat("a,", n), "b") }))},
		prototest.Load{Name: "encrypted", N: 20_000, Hint: hint, Flow: begun(prototest.After(prototest.Rep(up, "encrypted "), prototest.To(up, kex+newKeys)))},
	)
}
