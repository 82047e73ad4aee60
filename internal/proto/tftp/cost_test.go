package tftp_test

import (
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tftp"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 1000, DstPort: 69, UDP: true}
	prototest.Cost(t, prototest.Table(t, nil, tftp.Protocol()),
		prototest.Load{Name: "one-way requests", N: 2500, Hint: hint, Flow: prototest.Each(0, func(int) string { return "\x00\x01f.txt\x00octet\x00" })},
		prototest.Load{Name: "no end", N: 2500, NoTx: true, Hint: hint, Flow: prototest.Each(0, func(int) string { return "\x00\x01f.txtfffffffffffff" })},
	)
}
