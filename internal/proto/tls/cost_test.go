package tls_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

// TestCost makes hellos of many pieces and extensions, certificates without end and
// records of one byte.
func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 443}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(proto.ToServer, f(n))} }
	}
	hello := clientHello("", sni("a.example"))
	begun := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, prototest.To(proto.ToServer, rec(22, hello)), prototest.To(proto.ToClient, rec(22, serverHello("", ""))))
	}
	bytewise := func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			b.WriteString(rec(22, s[i:i+1]))
		}
		return b.String()
	}
	cert := tlv(0x30, strings.Repeat("x", 50))
	prototest.Cost(t, prototest.Table(t, prototest.Settings{"ja3-fingerprints": "yes", "ja4-fingerprints": "yes"}, tls.Protocol()),
		prototest.Load{Name: "a hello in records of one byte", N: 500, Hint: hint, Flow: one(func(n int) string {
			return rec(22, hello[:60]) + bytewise(clientHello("", ext(9, strings.Repeat("x", n)))[60:])
		})},
		prototest.Load{Name: "extensions", N: 900, Hint: hint, Flow: one(func(n int) string { return rec(22, clientHello("", strings.Repeat(ext(99, ""), n))) })},
		prototest.Load{Name: "protocols", N: 1800, Hint: hint, Flow: one(func(n int) string { return rec(22, clientHello("", ext(16, u16(2*n)+strings.Repeat("\x01h", n)))) })},
		prototest.Load{Name: "names", N: 900, Hint: hint, Flow: one(func(n int) string {
			return rec(22, clientHello("", ext(0, u16(4*n)+strings.Repeat("\x00\x00\x01a", n))))
		})},
		prototest.Load{Name: "certificates", N: 60, Hint: hint, Flow: begun(func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(proto.ToClient, rec(22, chain(strings.Split(strings.TrimSuffix(strings.Repeat(cert+"|", n), "|"), "|")...)))}
		})},
		prototest.Load{Name: "empty records", N: 3000, Hint: hint, Flow: begun(prototest.Rep(proto.ToClient, rec(22, "")))},
		prototest.Load{Name: "alerts", N: 3000, Hint: hint, Flow: begun(prototest.Rep(proto.ToClient, rec(21, "\x01\x00")))},
		prototest.Load{Name: "data", N: 3000, Hint: hint, Flow: begun(prototest.Rep(proto.ToClient, ccs+data))},
		prototest.Load{Name: "hellos", N: 200, Hint: hint, Flow: begun(prototest.Rep(proto.ToServer, rec(22, hello)))},
		prototest.Load{Name: "a hello, byte by byte", N: 3000, Piece: 1, Hint: hint, Flow: one(func(n int) string { return rec(22, clientHello("", ext(9, strings.Repeat("x", n)))) })},
		prototest.Load{Name: "heartbeats", N: 3000, Hint: hint, Flow: begun(prototest.Rep(proto.ToClient, rec(24, "\x01\x00\x03abc")))},
	)
}
