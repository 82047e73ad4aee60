package ntp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ntp"
	"mirador/internal/proto/prototest"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 1000, DstPort: 123, UDP: true}
	prototest.Cost(t, prototest.Table(t, nil, ntp.Protocol()),
		prototest.Load{Name: "one-way requests", N: 3000, Hint: hint, Flow: prototest.Each(0, func(int) string { return message(4, 3, "") })},
		prototest.Load{Name: "extensions", N: 1000, Hint: hint, Flow: func(n int) []prototest.Chunk {
			return []prototest.Chunk{prototest.To(0, message(4, 3, strings.Repeat("\x00\x01\x00\x10"+strings.Repeat("x", 12), n)))}
		}},
	)
}
