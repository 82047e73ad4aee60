package http_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/body"
	"mirador/internal/proto/http"
	"mirador/internal/proto/prototest"
)

func feed(tb testing.TB, row *proto.Protocol, settings prototest.Settings, list ...part) *prototest.Runner {
	r := prototest.NewRunner(prototest.Table(tb, settings, row), proto.Hint{SrcPort: 4, DstPort: 80})
	for _, p := range list {
		r.Feed(prototest.To(p.dir, p.data), 0)
	}
	return r
}

// Each bound is met by one more than it allows, and counted or an event.
func TestLimits(t *testing.T) {
	rep := strings.Repeat
	headers := func(n, size int) string {
		var b strings.Builder
		b.WriteString("GET / HTTP/1.1\r\nHost: h\r\n")
		for i := range n {
			fmt.Fprintf(&b, "H%d: %s\r\n", i, rep("v", size))
		}
		return b.String() + "\r\n"
	}
	for _, c := range []struct {
		name, limit string
		met         uint64
		in          []part
	}{
		{"repeated headers", "repeated_headers", 0, parts(q("GET / HTTP/1.1\r\n" + rep("A: b\r\n", 65) + "\r\n"))},
		{"two more", "repeated_headers", 2, parts(q("GET / HTTP/1.1\r\n" + rep("A: b\r\n", 67) + "\r\n"))},
		{"requests", "waiting_requests", 0, parts(q(rep(get, 512)))},
		{"three more", "waiting_requests", 3, parts(q(rep(get, 515)))},
	} {
		if n := feed(t, http.Protocol(), nil, c.in...).Hits(t, "http", c.limit); n != c.met {
			t.Errorf("%s: counted %d times, want %d", c.name, n, c.met)
		}
	}
	for _, c := range []struct {
		name, event string
		met         bool
		in          []part
	}{
		{"bytes of headers", "REQUEST_TOO_MANY_HEADERS", false, parts(q(headers(50, 10_000)))},
		{"more bytes of headers", "REQUEST_TOO_MANY_HEADERS", true, parts(q(headers(53, 10_000)))},
		{"a folded header", "REQUEST_FIELD_TOO_LONG", false, parts(q("GET / HTTP/1.1\r\nA: b\r\n" + rep(" "+rep("x", 1000)+"\r\n", 100) + "\r\n"))},
		{"a longer folded header", "REQUEST_FIELD_TOO_LONG", true, parts(q("GET / HTTP/1.1\r\nA: b\r\n" + rep(" "+rep("x", 1000)+"\r\n", 103) + "\r\n"))},
		{"a long chunk", "INVALID_REQUEST_CHUNK_LEN", false, parts(q("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\nx"))},
		{"a longer chunk", "INVALID_REQUEST_CHUNK_LEN", true, parts(q("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n80000000\r\nx"))},
	} {
		r := feed(t, http.Protocol(), nil, c.in...)
		r.Finish()
		if got := strings.Join(r.Records[0].Events, " "); strings.Contains(got, c.event) != c.met {
			t.Errorf("%s: events %q", c.name, got)
		}
	}
	// Empty lines before a request end the parsing.
	for n, broken := range map[int]uint8{1024: 0, 1025: 1} {
		r := feed(t, http.Protocol(), nil, q(get), q(rep("\r\n", n)), q(get))
		if r.Conn.Broken != broken {
			t.Errorf("%d empty lines: given up %d times", n, r.Conn.Broken)
		}
	}
	// Parts of files in all flows together: here the table has room for some of ten.
	for memcap, met := range map[int64]bool{10_000: false, 2000: true} {
		var list []part
		for i := range 10 {
			list = append(list, q(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)),
				a("HTTP/1.1 206 Part\r\nContent-Range: bytes 0-99/300\r\nContent-Length: 100\r\n\r\n"+rep("x", 100)))
		}
		parts := body.NewRanges(memcap, 60e9)
		r := feed(t, http.Sharing(parts), prototest.Settings{"byterange.memcap": fmt.Sprint(memcap)}, list...)
		if n := r.Hits(t, "http", "ranges"); (n > 0) != met {
			t.Errorf("parts in %d bytes: counted %d times", memcap, n)
		}
	}
}
