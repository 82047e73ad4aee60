package nfs_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/nfs"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	each := func(dir proto.Dir, f func(i uint32) string) func(n int) []prototest.Chunk {
		return prototest.After(func(n int) []prototest.Chunk {
			var b strings.Builder
			for i := range n {
				b.WriteString(f(uint32(i)))
			}
			return []prototest.Chunk{prototest.To(dir, b.String())}
		}, c2s(lookup(77777, "f")))
	}
	one := func(dir proto.Dir, f func(n int) string) func(n int) []prototest.Chunk {
		return prototest.After(func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(dir, f(n))} }, c2s(lookup(77777, "f")))
	}
	loads := []prototest.Load{
		{Name: "calls without replies", Flow: each(0, func(i uint32) string { return mark(lookup(i, "f")) })},
		{Name: "replies without calls", Flow: each(1, func(i uint32) string { return mark(lookupReply(i, fh1)) })},
		{Name: "writes turned around", Flow: each(0, func(i uint32) string { return mark(write(i, fh1, 1<<40-uint64(i)*8, "12345678", 0)) })},
		{Name: "files without end", Flow: each(0, func(i uint32) string { return mark(write(i, u32(i), 0, "12345678", 0)) })},
		{Name: "names of many handles", Flow: prototest.Turns(func(i int) (string, string) {
			return mark(lookup(uint32(i), "f")), mark(lookupReply(uint32(i), u32(uint32(i), 1)))
		})},
		{Name: "fragments of one byte", Piece: 100, Flow: one(0, func(n int) string { return strings.Repeat(u32(1)+"x", n) })},
		{Name: "empty fragments", Piece: 100, Flow: one(0, func(n int) string { return strings.Repeat(u32(0), n) })},
		{Name: "junk", Piece: 100, Flow: one(0, func(n int) string { return mark(lookup(1, "f")) + strings.Repeat("\x80\x00\x00\x01", 4*n) })},
		{Name: "half patterns", Piece: 100, Flow: one(1, func(n int) string { return "junkjunk" + strings.Repeat("\x00\x00\x00\x01\x00\x00\x00\x00", 4*n) })},
		{Name: "many operations", Flow: each(0, func(i uint32) string { return mark(compound(i, strings.Repeat(u32(24), 250))) })},
		{Name: "a long record", Piece: 100, Flow: one(0, func(n int) string { return u32(1<<31|900000) + call(1, 3, strings.Repeat("x", 40*n)) })},
		{Name: "a call, byte by byte", Piece: 1, Flow: one(0, func(n int) string { return mark(lookup(1, strings.Repeat("f", n))) })},
	}
	for i := range loads {
		loads[i].N, loads[i].Hint = 4000, hint(false)
	}
	prototest.Cost(t, prototest.Table(t, nil, nfs.Protocol()), loads...)
}
