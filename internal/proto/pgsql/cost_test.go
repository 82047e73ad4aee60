package pgsql_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/pgsql"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 5432}
	start := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, prototest.To(up, startup), prototest.To(down, hello), prototest.To(up, query("x")))
	}
	prototest.Cost(t, prototest.Table(t, prototest.Settings{"enabled": "yes"}, pgsql.Protocol()),
		prototest.Load{Name: "rows", N: 10_000, Hint: hint, Piece: 1000, Flow: start(prototest.Rep(down, row))},
		prototest.Load{Name: "rows in small pieces", N: 2000, Hint: hint, Piece: 3, Flow: start(prototest.Rep(down, row))},
		prototest.Load{Name: "queries that nobody answers", N: 3000, Hint: hint, Flow: start(prototest.Rep(up, query("select 1")))},
		prototest.Load{Name: "answers to no query", N: 3000, Hint: hint, Flow: start(prototest.Rep(down, msg("C", "SELECT 2\x00")+ready))},
		prototest.Load{Name: "notices", N: 3000, Hint: hint, Flow: start(prototest.Rep(down, msg("N", "SNOTICE\x00Mx\x00\x00")))},
		prototest.Load{Name: "copied data", N: 3000, Hint: hint, Flow: start(prototest.After(prototest.Rep(up, msg("d", "abc")), prototest.To(down, msg("G", "\x00\x00\x02"))))},
		prototest.Load{Name: "exchanges", N: 500, Hint: hint, Flow: start(prototest.Turns(func(int) (string, string) { return query("select 1"), msg("C", "SELECT 2\x00") + ready }))},
		prototest.Load{Name: "a long query, byte by byte", N: 10_000, Piece: 1, Hint: hint, Flow: start(func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(up, query(strings.Repeat("x", n)))}
		})},
		prototest.Load{Name: "columns", N: 1000, Hint: hint, Flow: start(func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(down, msg("T", string([]byte{byte(n >> 8), byte(n)})+strings.Repeat("c\x00"+strings.Repeat("\x00", 18), n)))}
		})},
		prototest.Load{Name: "parameters", N: 200, Hint: hint, Flow: func(n int) []prototest.Chunk {
			b := "\x00\x03\x00\x00" + strings.Repeat("user\x00joe\x00", n) + "\x00"
			return []prototest.Chunk{prototest.To(up, u32(len(b)+4)+b)}
		}},
	)
}
