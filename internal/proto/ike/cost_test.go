package ike_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ike"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 500, DstPort: 500, UDP: true}
	each := func(f func(i int) []byte) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk {
			list := make([]prototest.Chunk, n)
			for i := range list {
				list[i].Data = f(i)
			}
			return list
		}
	}
	one := func(f func(n int) []byte) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{{Data: f(n)}} }
	}
	prototest.Cost(t, prototest.Table(t, nil, ike.Protocol()),
		prototest.Load{Name: "one-way requests", N: 2500, Hint: hint, Flow: each(func(int) []byte { return message(0x10, 2, 0, 1, none, sa1(0)) })},
		prototest.Load{Name: "requests of version 2", N: 2500, Hint: hint, Flow: each(func(int) []byte { return message(0x20, 34, 8, 33, none, sa2(0, 1, "\x01\x00\x00\x0c")) })},
		prototest.Load{Name: "payloads", N: 2000, Hint: hint, Flow: one(func(n int) []byte { return message(0x10, 2, 0, 13, none, strings.Repeat(payload(13, "VID"), n)) })},
		prototest.Load{Name: "empty payloads", N: 2000, Hint: hint, Flow: one(func(n int) []byte { return message(0x20, 34, 8, 43, none, strings.Repeat(payload(43, ""), n)) })},
		prototest.Load{Name: "associations", N: 300, Hint: hint, Flow: one(func(n int) []byte { return message(0x10, 2, 0, 1, none, strings.Repeat(sa1(1), n)) })},
		prototest.Load{Name: "encrypted", N: 2500, Hint: hint, Flow: each(func(int) []byte { return message(0x10, 2, 1, 5, responder, "encrypted") })},
	)
}
