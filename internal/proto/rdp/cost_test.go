package rdp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/rdp"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 3389}
	start := func(f func(n int) []prototest.Chunk, more ...prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, append([]prototest.Chunk{prototest.To(proto.ToServer, hello)}, more...)...)
	}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(proto.ToServer, f(n))} }
	}
	prototest.Cost(t, prototest.Table(t, nil, rdp.Protocol()),
		prototest.Load{Name: "requests that nobody answers", N: 2500, Hint: hint, Flow: start(prototest.Rep(proto.ToServer, hello))},
		prototest.Load{Name: "answers to nothing", N: 1500, Hint: hint, Flow: start(prototest.Rep(proto.ToClient, plain))},
		prototest.Load{Name: "settings", N: 1000, Hint: hint, Flow: start(one(func(n int) string { return initial(strings.Repeat(block("\x04", "abcd"), n)) }), prototest.To(proto.ToClient, plain))},
		prototest.Load{Name: "channels", N: 500, Hint: hint, Flow: start(one(func(n int) string {
			return initial(block("\x03", string([]byte{byte(n), byte(n >> 8), 0, 0})+strings.Repeat("rdpdr\x00\x00\x00\x00\x00\x80\x80", n)))
		}), prototest.To(proto.ToClient, plain))},
		prototest.Load{Name: "a message, byte by byte", N: 4000, Piece: 1, Hint: hint, Flow: start(one(func(n int) string { return tpkt("\x02\xf0\x80\x7f\x65" + strings.Repeat("x", n)) }), prototest.To(proto.ToClient, plain))},
		prototest.Load{Name: "empty messages", N: 5000, Hint: hint, Flow: start(prototest.Rep(proto.ToServer, tpkt("\x02\xf0\x80")), prototest.To(proto.ToClient, plain))},
		prototest.Load{Name: "certificates", N: 200, Hint: hint, Flow: start(prototest.Rep(proto.ToClient, certificate()), prototest.To(proto.ToClient, withTLS))},
	)
}
