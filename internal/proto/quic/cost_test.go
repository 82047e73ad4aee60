package quic_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/quic"
)

// TestCost makes a hello of very many pieces, in any order, and packets that cannot
// be read.
func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 443, UDP: true}
	each := func(f func(i int) []byte) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk {
			list := make([]prototest.Chunk, n)
			for i := range list {
				list[i].Data = f(i)
			}
			return list
		}
	}
	hello := clientHello("example.org")
	pieces := func(n int) []prototest.Chunk {
		frames := ""
		for i := range n {
			frames += crypto(i, "x")
		}
		return []prototest.Chunk{{Data: initial(1, proto.ToServer, first, second, first, frames)}}
	}
	turned := func(n int) []prototest.Chunk {
		frames := ""
		for i := range n {
			frames += crypto(2*(n-i), "x")
		}
		return []prototest.Chunk{{Data: initial(1, proto.ToServer, first, second, first, frames)}}
	}
	prototest.Cost(t, prototest.Table(t, nil, quic.Protocol()),
		prototest.Load{Name: "the same hello again", N: 60, Hint: hint, Flow: each(func(int) []byte { return initial(1, proto.ToServer, first, second, first, crypto(0, hello)) })},
		prototest.Load{Name: "pieces of one byte", N: 300, Hint: hint, Flow: pieces},
		prototest.Load{Name: "pieces turned around", N: 300, Hint: hint, Flow: turned},
		prototest.Load{Name: "pings", N: 400, Hint: hint, Flow: func(n int) []prototest.Chunk {
			return []prototest.Chunk{{Data: initial(1, proto.ToServer, first, second, first, crypto(0, hello)+strings.Repeat("\x01", 3*n))}}
		}},
		prototest.Load{Name: "packets that cannot be read", N: 500, Hint: hint, Flow: each(func(int) []byte { return long(0xc1, 1) })},
		prototest.Load{Name: "short packets", N: 1500, Hint: hint, Flow: prototest.After(each(func(int) []byte { return []byte("\x41" + strings.Repeat("x", 60)) }),
			prototest.Chunk{Data: initial(1, proto.ToServer, first, second, first, crypto(0, hello))})},
	)
}
