package snmp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/snmp"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 1000, DstPort: 161, UDP: true}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(0, community(1, get)), prototest.To(0, f(n))}
		}
	}
	prototest.Cost(t, prototest.Table(t, nil, snmp.Protocol()),
		prototest.Load{Name: "one-way requests", N: 2000, Hint: hint, Flow: prototest.Each(0, func(int) string { return community(1, get) })},
		prototest.Load{Name: "traps", N: 1000, Hint: hint, Flow: prototest.Each(0, func(int) string { return community(0, trap) })},
		prototest.Load{Name: "variables", N: 800, Hint: hint, Flow: one(func(n int) string {
			return community(1, el(0xa0, num(1), num(0), num(0), el(0x30, strings.Repeat(el(0x30, el(6, "\x2b\x06"), el(5)), n))))
		})},
		prototest.Load{Name: "a long name", N: 4000, Hint: hint, Flow: one(func(n int) string {
			return community(1, el(0xa0, num(1), num(0), num(0), el(0x30, el(0x30, el(6, strings.Repeat("\x2b", n)), el(5)))))
		})},
		prototest.Load{Name: "a number of many bytes", N: 4000, Hint: hint, Flow: one(func(n int) string {
			return community(1, el(0xa0, num(1), num(0), num(0), el(0x30, el(0x30, el(6, strings.Repeat("\x81", n)), el(5)))))
		})},
		prototest.Load{Name: "junk", N: 2000, Hint: hint, Flow: prototest.Each(0, func(int) string { return usm(3, 3, "\x04\x02xx") })},
	)
}
