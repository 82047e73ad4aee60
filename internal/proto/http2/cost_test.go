package http2_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/http2"
	"mirador/internal/proto/prototest"
)

// TestCost makes the known ways to keep an HTTP/2 reader busy again: header
// duplication, header blocks in many continuations, table bombs, resets, floods of
// small frames.
func TestCost(t *testing.T) {
	hint := proto.Hint{SrcPort: 4000, DstPort: 80}
	c2sAll := func(f func(n int) string) func(n int) []prototest.Chunk {
		return func(n int) []prototest.Chunk { return []prototest.Chunk{c2s(preface + f(n))} }
	}
	frames := func(f func(i int) string) func(n int) []prototest.Chunk {
		return c2sAll(func(n int) string {
			var b strings.Builder
			for i := range n {
				b.WriteString(f(i))
			}
			return b.String()
		})
	}
	id := func(i int) uint32 { return uint32(2*i + 1) }
	// A field of 4000 bytes put into the dynamic table, then one byte for each copy.
	bomb := "\x40\x01a\x7f" + string([]byte{0x80 | (4000-127)&0x7f, (4000 - 127) >> 7}) + strings.Repeat("b", 4000)
	prototest.Cost(t, prototest.Table(t, nil, http2.Protocol(), http2.DoH()),
		prototest.Load{Name: "requests and window updates", N: 4000, Hint: hint, Flow: frames(func(i int) string {
			return frame(1, 5, id(i), request("/x")) + frame(8, 0, id(i), "\x00\x00\x01\x00")
		})},
		prototest.Load{Name: "requests reset at once", N: 1000, Hint: hint, Flow: frames(func(i int) string {
			return frame(1, 5, id(i), request("/x")) + frame(3, 0, id(i), "\x00\x00\x00\x08")
		})},
		prototest.Load{Name: "streams that never end", N: 6000, Hint: hint, Flow: frames(func(i int) string { return frame(1, 4, id(i), request("/x")) })},
		prototest.Load{Name: "one header many times", N: 200, Hint: hint, Flow: c2sAll(func(n int) string { return frame(1, 4, 1, request("/x")+strings.Repeat("\x00\x01a\x01b", n)) })},
		prototest.Load{Name: "trailers again and again", N: 1000, Hint: hint, Flow: frames(func(i int) string { return frame(1, 4, 1, request("/x")) })},
		prototest.Load{Name: "small continuations", N: 2000, Hint: hint, Flow: c2sAll(func(n int) string {
			return frame(1, 0, 1, request("/x")) + strings.Repeat(frame(9, 0, 1, "\x00\x01a\x01b"), n)
		})},
		prototest.Load{Name: "empty continuations", N: 4000, Hint: hint, Flow: c2sAll(func(n int) string {
			return frame(1, 0, 1, request("/x")) + strings.Repeat(frame(9, 0, 1, ""), n)
		})},
		// Every byte of the input says 4000; MaxHeaderBytes of it are kept for each stream.
		prototest.Load{Name: "table bomb in one block", N: 1000, Hint: hint, Flow: c2sAll(func(n int) string {
			return frame(1, 5, 1, request("/x")+bomb+strings.Repeat("\xbe", n))
		})},
		prototest.Load{Name: "table bomb in many blocks", N: 100, Held: 16 << 20, Hint: hint, Flow: frames(func(i int) string {
			if i == 0 {
				return frame(1, 5, 1, request("/x")+bomb)
			}
			return frame(1, 5, id(i), request("/x")+strings.Repeat("\xbe", 100))
		})},
		prototest.Load{Name: "table sizes", N: 2000, Hint: hint, Flow: frames(func(i int) string { return frame(1, 4, 1, strings.Repeat("\x20", 10)) })},
		prototest.Load{Name: "settings", N: 2000, Hint: hint, Flow: frames(func(i int) string { return frame(4, 0, 0, "\x00\x03\x00\x00\x00\x09") })},
		prototest.Load{Name: "pings", N: 2000, Hint: hint, Flow: frames(func(i int) string { return frame(6, 0, 0, "12345678") })},
		prototest.Load{Name: "empty data", N: 3000, Hint: hint, Flow: c2sAll(func(n int) string {
			return frame(1, 4, 1, request("/x")) + strings.Repeat(frame(0, 0, 1, ""), n)
		})},
		prototest.Load{Name: "a body, byte by byte", N: 2000, Piece: 1, Hint: hint, Flow: c2sAll(func(n int) string {
			return frame(1, 4, 1, request("/x")) + strings.Repeat(frame(0, 0, 1, "0123456789"), n/20)
		})},
		prototest.Load{Name: "a long frame, byte by byte", N: 200_000, Piece: 1, Hint: hint, Flow: c2sAll(func(n int) string {
			return frame(1, 4, 1, request("/x")+strings.Repeat("\x00\x01a\x01b", n/10))
		})},
		prototest.Load{Name: "DNS over HTTP in small pieces", N: 2000, Hint: hint, Flow: c2sAll(func(n int) string {
			return frame(1, 4, 1, request("/dns-query", "content-type", "application/dns-message")) + strings.Repeat(frame(0, 0, 1, "0123456789"), n)
		})},
	)
}
