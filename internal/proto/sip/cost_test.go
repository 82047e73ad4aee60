package sip_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/sip"
)

func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 5060, DstPort: 5060}
	one := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{prototest.To(up, f(n))} }
	}
	prototest.Cost(t, prototest.Table(t, nil, sip.Protocol()),
		prototest.Load{Name: "a long header in pieces", NoTx: true, N: 15_000, Piece: 8, Hint: hint, Flow: one(func(n int) string { return "BYE sip:x SIP/2.0\r\nVia: " + strings.Repeat("x", n) })},
		prototest.Load{Name: "headers, byte by byte", NoTx: true, N: 1000, Piece: 1, Hint: hint, Flow: one(func(n int) string { return "BYE sip:x SIP/2.0\r\n" + strings.Repeat("Via: x\r\n", n) })},
		prototest.Load{Name: "folded header", N: 2000, Piece: 10, Hint: hint, Flow: one(func(n int) string { return "BYE sip:x SIP/2.0\r\nVia: x\r\n" + strings.Repeat(" y\r\n", n) + "\r\n" })},
		prototest.Load{Name: "requests", N: 1000, Hint: hint, Flow: prototest.Rep(up, invite(sdp))},
		prototest.Load{Name: "small requests", N: 1000, Hint: hint, Flow: prototest.Rep(up, "BYE sip:y SIP/2.0\r\n\r\n")},
		prototest.Load{Name: "line ends", N: 10_000, Hint: hint, Flow: prototest.After(prototest.Rep(up, "\r\n"), prototest.To(up, "BYE sip:y SIP/2.0\r\n\r\n"))},
		prototest.Load{Name: "a body, byte by byte", N: 10_000, Piece: 1, Hint: hint, Flow: one(func(n int) string {
			return fmt.Sprintf("INVITE sip:b SIP/2.0\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
		})},
		prototest.Load{Name: "session lines", N: 1000, Hint: hint, Flow: one(func(n int) string { return invite(sdp + strings.Repeat("a=x\r\n", n)) })},
		prototest.Load{Name: "media lines", N: 1000, Hint: hint, Flow: one(func(n int) string { return invite(sdp + strings.Repeat("m=audio 49170 RTP/AVP 0\r\n", n)) })},
		prototest.Load{Name: "datagrams", N: 500, Hint: proto.Hint{SrcPort: 5060, DstPort: 5060, UDP: true}, Flow: prototest.Each(up, func(int) string { return invite(sdp) })},
	)
}
