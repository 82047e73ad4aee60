package bittorrentdht_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/bittorrentdht"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 6881, DstPort: 6881, UDP: true}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(0, "d1:ad2:id"+id+"e1:q4:ping1:t2:aa1:y1:qe"), prototest.To(0, f(n))}
		}
	}
	prototest.Cost(t, prototest.Table(t, nil, bittorrentdht.Protocol()),
		prototest.Load{Name: "queries", N: 1000, Hint: hint, Flow: prototest.Each(0, func(int) string { return "d1:ad2:id" + id + "e1:q4:ping1:t2:aa1:y1:qe" })},
		prototest.Load{Name: "nested lists", N: 5000, Hint: hint, Flow: one(func(n int) string { return "d1:ad1:x" + strings.Repeat("l", n) })},
		prototest.Load{Name: "nested dictionaries", N: 2000, Hint: hint, Flow: one(func(n int) string { return "d1:ad1:x" + strings.Repeat("d1:a", n) })},
		prototest.Load{Name: "values", N: 2000, Hint: hint, Flow: one(func(n int) string {
			return "d1:rd2:id" + id + "6:valuesl" + strings.Repeat("6:axje.u", n) + "ee1:t2:aa1:y1:re"
		})},
		prototest.Load{Name: "nodes", N: 1000, Hint: hint, Flow: one(func(n int) string {
			return "d1:rd2:id" + id + "5:nodes" + itoa(26*n) + ":" + strings.Repeat("n", 26*n) + "e1:t2:aa1:y1:re"
		})},
		prototest.Load{Name: "one key again and again", N: 2000, Hint: hint, Flow: one(func(n int) string { return "d" + strings.Repeat("1:t2:aa", n) + "e" })},
	)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}
