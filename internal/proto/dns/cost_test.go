package dns_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
)

// TestCost makes compression loops and chains, and messages of very many records.
func TestCost(t *testing.T) {
	udp := proto.Hint{SrcPort: 4000, DstPort: 53, UDP: true}
	stream := proto.Hint{SrcPort: 4000, DstPort: 53}
	query := newMsg(1, 0x0100, 1, 0, 0, 0).name("www.example.org").q(1).b
	one := func(f func(n int) []byte) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk {
			return []prototest.Chunk{{Dir: proto.ToServer, Data: query}, {Dir: proto.ToClient, Data: f(n)}}
		}
	}
	// Each answer's name points at the name of the one before.
	chain := func(n int) []byte {
		m := newMsg(1, 0x8180, 1, n, 0, 0).name("a.b").q(1)
		at := 12
		for range n {
			here := len(m.b)
			m.ptr(at).rr(1, 1, "\x01\x02\x03\x04")
			at = here & 0x3fff
		}
		return m.b
	}
	// Each name is a label and a pointer to the name before: n labels at the end.
	ladder := func(n int) []byte {
		m := newMsg(1, 0x8180, 1, n, 0, 0).name("a.b").q(1)
		at := 12
		for range n {
			here := len(m.b)
			m.b = append(m.b, 1, 'x')
			m.ptr(at).rr(1, 1, "\x01\x02\x03\x04")
			at = here & 0x3fff
		}
		return m.b
	}
	loop := func(n int) []byte {
		m := newMsg(1, 0x8180, 1, n, 0, 0).name("a.b").q(1)
		for range n {
			m.ptr(len(m.b)&0x3fff).rr(1, 1, "\x01\x02\x03\x04")
		}
		return m.b
	}
	texts := func(n int) []byte {
		return newMsg(1, 0x8180, 1, 1, 0, 0).name("a.b").q(16).ptr(12).rr(16, 1, strings.Repeat("\x01x", n)).b
	}
	prototest.Cost(t, prototest.Table(t, nil, rows()...),
		prototest.Load{Name: "one-way queries", N: 2500, Hint: udp, Flow: func(n int) []prototest.Chunk {
			list := make([]prototest.Chunk, n)
			for i := range list {
				list[i].Data = query
			}
			return list
		}},
		prototest.Load{Name: "compression chain", N: 900, Hint: udp, Flow: one(chain)},
		prototest.Load{Name: "compression ladder", N: 800, Hint: udp, Flow: one(ladder)},
		prototest.Load{Name: "compression loops", N: 1000, Hint: udp, Flow: one(loop)},
		prototest.Load{Name: "empty texts", N: 4000, Hint: udp, Flow: one(texts)},
		prototest.Load{Name: "queries over TCP", N: 1000, Hint: stream, Flow: prototest.Rep(proto.ToServer, string(tcp(query)))},
		prototest.Load{Name: "a message, byte by byte", N: 300, Piece: 1, Hint: stream, Flow: func(n int) []prototest.Chunk {
			return []prototest.Chunk{{Dir: proto.ToServer, Data: tcp(query)}, {Dir: proto.ToClient, Data: tcp(chain(n))}}
		}},
	)
}
