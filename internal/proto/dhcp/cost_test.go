package dhcp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dhcp"
	"mirador/internal/proto/prototest"
)

// TestCost makes requests that nobody answers, and options without end.
func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 68, DstPort: 67, UDP: true}
	one := func(s string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk {
			return []prototest.Chunk{{Data: message(1, strings.Repeat(s, n)+"\xff")}}
		}
	}
	prototest.Cost(t, prototest.Table(t, prototest.Settings{"extended": "yes"}, dhcp.Protocol()),
		prototest.Load{Name: "one-way requests", N: 2000, Hint: hint, Flow: func(n int) []prototest.Chunk {
			list := make([]prototest.Chunk, n)
			for i := range list {
				list[i].Data = message(1, full)
			}
			return list
		}},
		prototest.Load{Name: "empty options", N: 2000, Hint: hint, Flow: one("\x50\x00")},
		prototest.Load{Name: "one option again and again", N: 2000, Hint: hint, Flow: one("\x0c\x02AB")},
		prototest.Load{Name: "lists of parameters", N: 2000, Hint: hint, Flow: one("\x37\x03\x01\x02\x06")},
		prototest.Load{Name: "padding", N: 8000, Hint: hint, Flow: one("\x00")},
	)
}
