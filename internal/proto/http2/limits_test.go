package http2_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/body"
	"mirador/internal/proto/http2"
	"mirador/internal/proto/prototest"
)

func runWith(tb testing.TB, s prototest.Settings, chunks ...prototest.Chunk) *prototest.Runner {
	r := prototest.NewRunner(prototest.Table(tb, s, http2.Protocol(), http2.DoH()), proto.Hint{SrcPort: 4000, DstPort: 80})
	for _, c := range chunks {
		r.Feed(c, 0)
	}
	r.Finish()
	return r
}

func events(r *prototest.Runner) string {
	var out []string
	for _, rec := range r.Records {
		out = append(out, rec.Events...)
	}
	return strings.Join(out, " ")
}

// The values kept of a transaction are bounded and counted, of each kind for itself.
func TestLimits(t *testing.T) {
	rep := strings.Repeat
	for kind, f := range map[string]func(n int) string{
		"settings": func(n int) string { return frame(4, 0, 0, rep("\x00\x03\x00\x00\x00\x09", n)) },
		"windows":  func(n int) string { return frame(1, 4, 1, request("/")) + rep(frame(8, 0, 1, "\x00\x00\x00\x01"), n) },
		"priorities": func(n int) string {
			return frame(1, 4, 1, request("/")) + rep(frame(2, 0, 1, "\x00\x00\x00\x00\x01"), n)
		},
		"sizes": func(n int) string { return frame(1, 4, 1, rep("\x20", n)+request("/")) },
	} {
		for n, want := range map[int]uint64{64: 0, 66: 2} {
			if got := runWith(t, nil, c2s(preface+f(n))).Hits(t, "http2", "values"); got != want {
				t.Errorf("%d %s: counted %d times, want %d", n, kind, got, want)
			}
		}
	}
	// Fields of one message, whose bytes are few.
	for n, bomb := range map[int]bool{1000: false, 1100: true} {
		if got := events(runWith(t, nil, c2s(preface+frame(1, 4, 1, rep("\x82", n))))); strings.Contains(got, "compression_bomb") != bomb {
			t.Errorf("%d fields: events %q", n, got)
		}
	}
	// Frames of one transaction, and streams of a flow.
	s := prototest.Settings{"max-frames": "10", "max-streams": "5"}
	for n, many := range map[int]bool{9: false, 10: true} {
		if got := events(runWith(t, s, c2s(preface+frame(1, 4, 1, request("/"))+rep(frame(8, 0, 1, "\x00\x00\x00\x01"), n)))); strings.Contains(got, "too_many_frames") != many {
			t.Errorf("%d frames: events %q", 1+n, got)
		}
	}
	for n, many := range map[int]bool{5: false, 6: true} {
		in := preface
		for i := range n {
			in += frame(1, 4, uint32(2*i+1), request("/"))
		}
		if got := events(runWith(t, s, c2s(in))); strings.Contains(got, "too_many_streams") != many {
			t.Errorf("%d streams: events %q", n, got)
		}
	}
	// The dynamic table: what does not fit is given up, and is an event when the peer's own
	// bound allows more.
	const larger = "\x3f\xe1\xff\x3f" // a table of 1 MiB
	entry := "\x40\x01a\x7f" + string([]byte{0x80 | (4000-127)&0x7f, (4000 - 127) >> 7}) + rep("b", 4000)
	for n, over := range map[int]bool{16: false, 17: true} {
		in := preface + frame(1, 4, 1, larger+request("/"))
		for i := range n {
			in += frame(1, 4, uint32(2*i+3), request("/")+entry)
		}
		if got := events(runWith(t, nil, c2s(in))); strings.Contains(got, "header_table_overflow") != over {
			t.Errorf("%d entries of 4 KB: events %q", n, got)
		}
	}
	// A DNS message in a body.
	for n, long := range map[int]bool{65535: false, 65536: true} {
		in := preface + frame(1, 4, 1, request("/dns-query", "content-type", "application/dns-message"))
		for rest := n; rest > 0; rest -= 16000 {
			in += frame(0, 0, 1, rep("x", min(rest, 16000)))
		}
		if got := events(runWith(t, nil, c2s(in))); strings.Contains(got, "dns_request_too_long") != long {
			t.Errorf("a DNS message of %d bytes: events %q", n, got)
		}
	}
	// Parts of files in all flows together: here the table has room for some of ten.
	for memcap, met := range map[int64]bool{10_000: false, 2000: true} {
		in, out := preface, ""
		for i := range 10 {
			in += frame(1, 5, uint32(2*i+1), request(fmt.Sprint("/", i)))
			out += frame(1, 4, uint32(2*i+1), "\x48\x03206"+block("content-range", "bytes 0-99/300")) + frame(0, 1, uint32(2*i+1), rep("x", 100))
		}
		r := prototest.NewRunner(prototest.Table(t, nil, http2.Sharing(body.NewRanges(memcap, 60e9))), proto.Hint{SrcPort: 4000, DstPort: 80})
		r.Feed(c2s(in), 0)
		r.Feed(s2c(out), 0)
		if n := r.Hits(t, "http2", "ranges"); (n > 0) != met {
			t.Errorf("parts in %d bytes: counted %d times", memcap, n)
		}
	}
}
