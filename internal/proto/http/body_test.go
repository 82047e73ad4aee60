package http_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
)

// response makes a response of headers and a body.
func response(body string, headers ...string) string {
	return "HTTP/1.1 200 OK\r\n" + strings.Join(append(headers, ""), "\r\n") + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func zlibbed(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func TestBodyEnds(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		body, events string
		file         string
	}{
		{"length", response("hello"), "hello", "", `/a 5 closed gaps=false "hello"`},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", "hello", "RESPONSE_CHUNK_EXTENSION", `/a 5 closed gaps=false "hello"`},
		{"chunks, bare end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", "hello", "", `/a 5 closed gaps=false "hello"`},
		{"longer version", "HTTP/1.10 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", "RESPONSE_LINE_INVALID_PROTOCOL", `/a 5 closed gaps=false "hello"`},
		{"to the end", "HTTP/1.1 200 OK\r\n\r\nhello", "hello", "", `/a 5 closed gaps=false "hello"`},
		{"too short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "hello", "", `/a 5 closed gaps=false "hello"`},
		{"chunks before length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", "", `/a 5 closed gaps=false "hello"`},
		{"bad chunk length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", "zz\r\nhello", "INVALID_RESPONSE_CHUNK_LEN", `/a 9 closed gaps=false "zz\r\nhello"`},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\nhello", "hello", "DUPLICATE_CONTENT_LENGTH_FIELD_IN_RESPONSE RESPONSE_HEADER_REPETITION", `/a 5 closed gaps=false "hello"`},
		{"no body", "HTTP/1.1 204 No\r\n\r\n", "", "", ""},
		{"junk behind", response("hello") + "more\r\n", "hellomore\r\n", "RESPONSE_BODY_UNEXPECTED", `/a 11 closed gaps=false "hellomore\r\n"`},
	} {
		s := only(t, nil, q(get), a(c.answer))
		if s.buf["file.data<"] != c.body || s.events != c.events || strings.Join(s.files, ";") != c.file {
			t.Errorf("%s: body %q events %q files %v, want %q %q %q", c.name, s.buf["file.data<"], s.events, s.files, c.body, c.events, c.file)
		}
	}
	if s := only(t, nil, q("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"), a("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")); len(s.files) > 0 || s.buf["file.data<"] != "" {
		t.Errorf("HEAD has a body: %+v", s)
	}
}

func TestContentEncoding(t *testing.T) {
	const text = "what the browser shows, shows, shows"
	for _, c := range []struct{ name, header, body, want, events string }{
		{"gzip", "gzip", gzipped(text), text, ""},
		{"x-gzip", "x-gzip", gzipped(text), text, ""},
		{"deflate raw", "deflate", deflated(text), text, ""},
		{"deflate zlib", "deflate", zlibbed(text), text, ""},
		{"two layers", "deflate, gzip", gzipped(deflated(text)), text, ""},
		{"three layers", "gzip, deflate, gzip", "x", "x", "TOO_MANY_ENCODING_LAYERS"},
		{"odd name", "xgzipx", gzipped(text), text, "ABNORMAL_CE_HEADER"},
		{"not gzip at all", "gzip", text, text, ""},
		{"identity", "identity", text, text, ""},
	} {
		s := only(t, nil, q(get), a(response(c.body, "Content-Encoding: "+c.header)))
		if c.name == "three layers" {
			if !strings.Contains(s.events, c.events) {
				t.Errorf("%s: events %q", c.name, s.events)
			}
			continue
		}
		if s.buf["http.response_body<"] != c.want || s.events != c.events {
			t.Errorf("%s: body %q events %q, want %q %q", c.name, s.buf["http.response_body<"], s.events, c.want, c.events)
		}
	}
	s := only(t, nil, q(fmt.Sprintf("POST /a HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(gzipped(text)), gzipped(text))), a(ok0))
	if s.buf["http.request_body>"] != text {
		t.Errorf("request body %q", s.buf["http.request_body>"])
	}
}

// The limits on work stop what the ratio alone lets pass.
func TestBomb(t *testing.T) {
	bomb := gzipped(strings.Repeat("\x00", 20<<20))
	s := only(t, set("compression-bomb-limit", "1048576"), q(get), a(response(bomb, "Content-Encoding: gzip")))
	if s.events != "COMPRESSION_BOMB" || len(s.buf["http.response_body<"]) > 10<<20 {
		t.Errorf("bomb of %d bytes: events %q, %d bytes decoded", len(bomb), s.events, len(s.buf["http.response_body<"]))
	}
}

func TestFileNames(t *testing.T) {
	for _, c := range []struct{ target, disposition, want string }{
		{"/d/e.txt?x=y", "", "/d/e.txt"},
		{"/d", "attachment; filename=n.bin", "n.bin"},
		{"/d", `attachment; filename="a b.bin"; x=y`, "a b.bin"},
		{"/d", "attachment", "/d"},
	} {
		h := "A: b"
		if c.disposition != "" {
			h = "Content-Disposition: " + c.disposition
		}
		s := only(t, nil, q("GET "+c.target+" HTTP/1.1\r\nHost: h\r\n\r\n"), a(response("x", h)))
		if len(s.files) != 1 || !strings.HasPrefix(s.files[0], c.want+" 1 closed") {
			t.Errorf("%s %q: files %q, want %q", c.target, c.disposition, s.files, c.want)
		}
	}
}

func TestMultipart(t *testing.T) {
	body := "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nvalue\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"one.txt\"\r\nContent-Type: t/x\r\n\r\nfirst\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"g\"; filename=\"two.txt\"\r\n\r\nsecond\r\nline\r\n--b--\r\n"
	s := only(t, nil, q(fmt.Sprintf("POST /up HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(body), body)), a(ok0))
	want := []string{`one.txt 5 closed gaps=false "first"`, `two.txt 12 closed gaps=false "second\r\nline"`}
	if !slices.Equal(s.files, want) || s.buf["http.request_body>"] != body {
		t.Errorf("files %q, want %q", s.files, want)
	}
}

// The window of a body begins to show when enough is there, and moves on with some
// of what was seen.
func TestWindow(t *testing.T) {
	tab, row := table(t, set("response-body-limit", "0", "response-body-minimal-inspect-size", "10", "response-body-inspect-window", "8"))
	field := prototest.Field(row, "http.response_body")
	var got []string
	r := prototest.NewRunner(tab, proto.Hint{SrcPort: 40000, DstPort: 80})
	r.OnTx = func(c *proto.Conn, tx proto.Tx, dir proto.Dir) {
		if data, off, _, ok := field.GetStream(c, tx, proto.ToClient, 0); ok && dir == proto.ToClient {
			got = append(got, fmt.Sprintf("%d:%s", off, data))
		}
	}
	for _, p := range parts(q(get), a("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n01234"), a("56789"), a("abc"), a("defghij"), a("ABCDEFGHIJKLMNOPQRST")) {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, 0)
	}
	want := []string{"0:0123456789", "0:0123456789abc", "12:cdefghij", "18:ijABCDEFGHIJKLMNOPQRST"}
	if !slices.Equal(got, want) {
		t.Errorf("windows %q, want %q", got, want)
	}
}

func TestBodyLimit(t *testing.T) {
	tab, row := table(t, set("response-body-limit", "10"))
	s := follow(t, tab, row, parts(q(get), a(response("0123456789abcdef"))), uncut)
	if len(s) != 1 || s[0].buf["http.response_body<"] != "0123456789" || s[0].files[0] != `/a 10 truncated gaps=false "0123456789"` {
		t.Errorf("limit 10: %+v", s)
	}
}

func TestGaps(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	for _, c := range []struct {
		name  string
		flow  []part
		files []string // of all transactions
		event string   // of all transactions
	}{
		{"in a body", parts(q(get), a(long+"abc"), lost(proto.ToClient, 4), a("xyz")), []string{`/a 10 truncated gaps=true "abcxyz"`}, ""},
		{"at the end of a body", parts(q(get+get), a(long+"abcdefg"), lost(proto.ToClient, 3), a(ok0)), []string{`/a 10 truncated gaps=true "abcdefg"`}, "INVALID_GAP"},
		{"in headers", parts(q("GET /a HTTP/1.1\r\nHo"), lost(proto.ToServer, 3), q("h\r\n\r\n"), a(ok0)), nil, "INVALID_GAP MISSING_HOST_HEADER REQUEST_FIELD_MISSING_COLON"},
		{"before a response", parts(q(get), lost(proto.ToClient, 30), a("tail")), []string{`/a 4 closed gaps=false "tail"`}, "INVALID_GAP"},
		{"in a chunk", parts(q(get), a("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), lost(proto.ToClient, 2), a("e\r\n0\r\n\r\n")), []string{`/a 5 truncated gaps=true "abe"`}, "INVALID_GAP"},
	} {
		var files []string
		var events []string
		for _, s := range run(t, nil, c.flow...) {
			files = append(files, s.files...)
			if s.events != "" {
				events = append(events, s.events)
			}
		}
		if !slices.Equal(files, c.files) || strings.Join(events, ";") != c.event {
			t.Errorf("%s: files %q events %q, want %q %q", c.name, files, events, c.files, c.event)
		}
	}
}

func TestRanges(t *testing.T) {
	piece := func(from, to, size int, body string) string {
		return fmt.Sprintf("HTTP/1.1 206 Part\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n%s", from, to, size, len(body), body)
	}
	for _, c := range []struct {
		name    string
		answers []string
		whole   string // the file that is put together
	}{
		{"in order", []string{piece(0, 4, 10, "01234"), piece(5, 9, 10, "56789")}, `/a 10 closed gaps=false "0123456789"`},
		{"backwards", []string{piece(6, 8, 9, "678"), piece(3, 5, 9, "345"), piece(0, 2, 9, "012")}, `/a 9 closed gaps=false "012345678"`},
		{"overlapping", []string{piece(0, 5, 8, "012345"), piece(4, 7, 8, "4567")}, `/a 8 closed gaps=false "01234567"`},
		{"a hole", []string{piece(0, 2, 9, "012"), piece(6, 8, 9, "678")}, ""},
		{"all at once", []string{piece(0, 4, 5, "01234")}, ""},
		{"twice", []string{piece(0, 2, 6, "012"), piece(0, 2, 6, "xyz"), piece(3, 5, 6, "345")}, `/a 6 closed gaps=false "012345"`},
	} {
		list := parts()
		for _, x := range c.answers {
			list = append(list, q(get), a(x))
		}
		var last []string
		for _, s := range run(t, nil, list...) {
			last = s.files
		}
		got := ""
		if len(last) > 1 {
			got = last[len(last)-1]
		}
		if got != c.whole {
			t.Errorf("%s: %q, want %q", c.name, last, c.whole)
		}
	}
	for _, c := range []struct{ v, events string }{
		{"bytes 0-4/*", ""}, {"bytes */9", ""}, {"octets 1-2/9", ""},
		{"bytes 4-1/9", "RANGE_INVALID"}, {"bytes 1-9/9", "RANGE_INVALID"}, {"1-2/9", "RANGE_INVALID"}, {"bytes 1-2", "RANGE_INVALID"},
	} {
		s := only(t, nil, q(get), a(response("x", "Content-Range: "+c.v)))
		if s.events != c.events {
			t.Errorf("%q: events %q, want %q", c.v, s.events, c.events)
		}
	}
}
