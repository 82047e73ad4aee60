package smtp_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/smtp"
)

func TestCost(t *testing.T) {
	in := func(f func(n int) []prototest.Chunk) func(n int) []prototest.Chunk {
		return prototest.After(f, start()...)
	}
	body := func(f func(n int) string) func(n int) []prototest.Chunk {
		return in(prototest.After(func(n int) []prototest.Chunk { return []prototest.Chunk{c2s(f(n))} }, c2s("DATA\r\n"), s2c(goOn)))
	}
	rep := func(s string) func(n int) []prototest.Chunk {
		return body(func(n int) string { return strings.Repeat(s, n/len(s)) })
	}
	parts := "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	loads := []prototest.Load{
		{Name: "commands that nobody answers", Flow: in(prototest.Rep(up, "NOOP\r\n"))},
		{Name: "mails that nobody answers", N: 3000, Flow: in(prototest.Rep(up, "BDAT 0 LAST\r\n"))},
		{Name: "recipients", Flow: in(prototest.Rep(up, "RCPT TO:<a@b>\r\n"))},
		{Name: "replies to nothing", Flow: in(prototest.Rep(down, "250 x\r\n"))},
		{Name: "exchanges", N: 1500, Flow: in(prototest.Turns(func(int) (string, string) { return "NOOP\r\n", ok }))},
		{Name: "mails", N: 500, Flow: in(prototest.Turns(func(int) (string, string) { return "MAIL FROM:<a>\r\nRSET\r\n", ok + ok }))},
		{Name: "a command, byte by byte", N: 15_000, Piece: 1, Flow: in(prototest.Rep(up, "x"))},
		{Name: "a body line, byte by byte", N: 15_000, Piece: 1, Flow: body(func(n int) string { return "A: b\r\n\r\n" + strings.Repeat("x", n) })},
		{Name: "body lines, byte by byte", Piece: 1, Flow: body(func(n int) string { return "A: b\r\n\r\n" + strings.Repeat(strings.Repeat("x", 990)+"\r\n", n/992) })},
		{Name: "a header, byte by byte", Piece: 1, Flow: rep("A: b\r\n")},
		{Name: "folded header", Flow: body(func(n int) string { return "Subject: a\r\n" + strings.Repeat(" b\r\n", n/4) })},
		{Name: "many parts", N: 30_000, Flow: body(func(n int) string {
			return parts + strings.Repeat("--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n", n/60)
		})},
		{Name: "nested parts", N: 20_000, Flow: body(func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
			}
			return b.String()
		})},
		{Name: "URLs", N: 20_000, Flow: body(func(n int) string { return "A: b\r\n\r\n" + strings.Repeat("http://example.org/x\r\n", n/22) })},
		{Name: "CRs", Flow: body(func(n int) string { return "A: b\r\n\r\n" + strings.Repeat("\r", n) })},
	}
	for i := range loads {
		if loads[i].N == 0 {
			loads[i].N = 6000
		}
		loads[i].Hint = proto.Hint{SrcPort: 4000, DstPort: 25}
	}
	prototest.Cost(t, prototest.Table(t, nil, smtp.Protocol()), loads...)
}
