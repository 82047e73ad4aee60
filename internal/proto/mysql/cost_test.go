package mysql_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/mysql"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	start := func(caps int, f func(n int) []prototest.Chunk, more ...prototest.Chunk) func(n int) []prototest.Chunk {
		var first []prototest.Chunk
		for _, p := range begin(caps) {
			first = append(first, prototest.To(p.dir, p.data))
		}
		return prototest.After(f, append(first, more...)...)
	}
	ask, columns := prototest.To(up, query("x")), prototest.To(down, server(1, "\x01", column("a", 0xfd, 0), eofBody(2)))
	prepare := func(i int) (string, string) {
		return pkt(0, "\x16s"), server(1, "\x00"+le32(i)+le16(1)+le16(0)+"\x00\x00\x00", column("a", 3, 0), eofBody(2))
	}
	prototest.Cost(t, prototest.Table(t, nil, mysql.Protocol()),
		prototest.Load{Name: "rows", N: 5000, Hint: hint, Piece: 1000, Flow: start(base, prototest.Rep(down, pkt(4, str("row"))), ask, columns)},
		prototest.Load{Name: "rows in small pieces", N: 2000, Hint: hint, Piece: 3, Flow: start(base, prototest.Rep(down, pkt(4, str("row"))), ask, columns)},
		prototest.Load{Name: "empty rows", N: 5000, Hint: hint, Flow: start(base, prototest.Rep(down, pkt(4, "")), ask, columns)},
		prototest.Load{Name: "queries that nobody answers", N: 3000, Hint: hint, Flow: start(base, prototest.Rep(up, query("select 1")))},
		prototest.Load{Name: "answers to no query", N: 3000, Hint: hint, Flow: start(base, prototest.Rep(down, pkt(1, okBody(0, 2, ""))))},
		prototest.Load{Name: "errors to no query", N: 3000, Hint: hint, Flow: start(base, prototest.Rep(down, pkt(0, errBody(1, "00000", "x"))))},
		prototest.Load{Name: "exchanges", N: 500, Hint: hint, Flow: start(base, prototest.Turns(func(int) (string, string) { return query("select 1"), pkt(1, okBody(0, 2, "")) }))},
		prototest.Load{Name: "prepared statements", N: 300, Hint: hint, Flow: start(base, prototest.Turns(prepare))},
		prototest.Load{Name: "a long query, byte by byte", N: 10_000, Piece: 1, Hint: hint, Flow: start(base, func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(up, query(strings.Repeat("x", n)))}
		})},
		prototest.Load{Name: "columns", N: 500, Hint: hint, Flow: start(base, func(n int) []prototest.Chunk {
			return []prototest.Chunk{ask, prototest.To(down, pkt(1, "\xfc"+le16(n))+strings.Repeat(pkt(2, column("a", 3, 0)), n))}
		})},
		prototest.Load{Name: "results without rows", N: 1000, Hint: hint, Flow: start(base, prototest.Rep(down, server(4, eofBody(10), "\x01", column("a", 3, 0), eofBody(10))), ask, columns)},
		prototest.Load{Name: "a file in small packets", N: 2000, Hint: hint, Flow: start(base, prototest.Rep(up, pkt(2, "abc")), prototest.To(up, query("load data local")), prototest.To(down, pkt(1, "\xfbf")))},
		prototest.Load{Name: "files asked for without end", N: 1000, Hint: hint, Flow: start(base, prototest.Turns(func(int) (string, string) { return pkt(2, ""), pkt(1, okBody(0, 10, "")) + pkt(1, "\xfbf") }), prototest.To(up, query("load data local"+strings.Repeat(" ", 1000))), prototest.To(down, pkt(1, "\xfbf")))},
		prototest.Load{Name: "plug-ins without end", N: 1000, Hint: hint, Flow: func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(down, hello(all, "8.0.36")), prototest.To(up, login(base, 0)), prototest.To(down, strings.Repeat(pkt(2, "\xfeplug\x00"), n))}
		}},
		prototest.Load{Name: "attributes", N: 300, Hint: hint, Flow: func(n int) []prototest.Chunk {
			a := strings.Repeat(str("k")+str("v"), n)
			b := le32(base|attribute) + le32(1) + "\x21" + zeros(23) + "joe\x00\x00p\x00\xfd" + le32(len(a))[:3] + a
			return []prototest.Chunk{prototest.To(down, hello(all, "8.0.36")), prototest.To(up, pkt(1, b))}
		}},
	)
}
