package http_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
)

// grind feeds a flow as the sensor does, in pieces of size bytes and without
// copies, and reads every buffer at the end of each part.
func grind(c *proto.Conn, row *proto.Protocol, flow []part, size int, read bool) {
	var w jsonw.Writer
	var off [2]uint64
	for _, p := range flow {
		b, start := []byte(p.data), 0
		for end := 0; end < len(b); {
			end = min(end+size, len(b))
			used, _ := c.Feed(p.dir, b[start:end], off[p.dir], false)
			start += used
			off[p.dir] += uint64(used)
			if read {
				touch(row, c)
			}
			for _, tx := range c.Txs {
				for _, f := range tx.Base().Files {
					f.Data, f.DataOff = f.Data[:0], f.Size
				}
				if t := tx.Base(); !t.Logged && t.Complete() {
					w.Reset()
					w.Open()
					row.Log(c, tx, &w)
					t.Logged = true
				}
			}
			c.AfterDetect(proto.ToServer)
			c.AfterDetect(proto.ToClient)
			c.Clean(false)
		}
	}
}

// touch reads all that has changed.
func touch(row *proto.Protocol, c *proto.Conn) {
	for _, tx := range c.Txs {
		for d := range 2 {
			if !tx.Base().Dirty(proto.Dir(d)) {
				continue
			}
			for i := range row.Fields {
				f := &row.Fields[i]
				if f.Stream {
					f.GetStream(c, tx, proto.Dir(d), 0)
					continue
				}
				for n := 0; n == 0 || f.Multi; n++ {
					if _, ok := f.Get(c, tx, proto.Dir(d), n); !ok {
						break
					}
				}
			}
		}
	}
}

// Four times the bytes cost about four times the steps, whatever they are and
// however they are cut.
func TestCost(t *testing.T) {
	tab, _ := table(t, set("response-body-limit", "0", "request-body-limit", "0"))
	rep := strings.Repeat
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	post := func(h, body string) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", h, len(body), body)
	}
	var loads []prototest.Load
	for _, c := range []struct {
		name string
		n    int
		flow func(n int) []part
		size int
	}{
		{"request line in pieces", 4000, func(n int) []part { return parts(q("GET /" + rep("a", n) + " HTTP/1.1\r\n\r\n")) }, 3},
		{"header line in pieces", 4000, func(n int) []part { return parts(q("GET / HTTP/1.1\r\nA: " + rep("b", n) + "\r\n\r\n")) }, 3},
		{"headers", 250, func(n int) []part {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, "H%d: v\r\n", i)
			}
			return parts(q("GET / HTTP/1.1\r\n" + b.String() + "\r\n"))
		}, 100},
		{"repeated header", 2000, func(n int) []part { return parts(q("GET / HTTP/1.1\r\n" + rep("A: bcdefgh\r\n", n) + "\r\n")) }, 100},
		{"folded header", 3000, func(n int) []part { return parts(q(get), a("HTTP/1.1 200 OK\r\nA: b\r\n"+rep(" c\r\n", n)+"\r\n")) }, 100},
		{"folded without colon", 3000, func(n int) []part { return parts(q("GET / HTTP/1.1\r\nA\r\n" + rep(" c\r\n", n) + "\r\n")) }, 100},
		{"line ends", 3000, func(n int) []part { return parts(q(get), a("HTTP/1.1 200 OK\r\nA: b\r\n"+rep("\r\r\n\n", n)+"\r\n")) }, 7},
		{"tiny chunks", 3000, func(n int) []part { return parts(q(get), a(chunked+rep("1\r\na\r\n", n)+"0\r\n\r\n")) }, 5},
		{"long chunk line", 3000, func(n int) []part { return parts(q(get), a(chunked+"1;"+rep("x", n)+"\r\na\r\n0\r\n\r\n")) }, 3},
		{"body", 200_000, func(n int) []part { return parts(q(get), a(response(rep("x", n)))) }, 1400},
		{"gzip", 300_000, func(n int) []part {
			return parts(q(get), a(response(gzipped(rep("0123456789abcdef", n/16)), "Content-Encoding: gzip")))
		}, 50},
		{"path", 4000, func(n int) []part { return parts(q("GET " + rep("/a/..", n/5) + " HTTP/1.1\r\n\r\n")) }, 1400},
		{"requests", 100, func(n int) []part { return parts(q(rep(get, n))) }, 1400},
		{"pairs", 300, func(n int) []part {
			var list []part
			for range n {
				list = append(list, q(get), a(ok0))
			}
			return list
		}, 1400},
		{"form", 2000, func(n int) []part {
			return parts(q(post("Content-Type: multipart/form-data; boundary=b\r\n", rep("--b\r\nContent-Disposition: form-data; filename=f\r\n\r\nx\r\n", n/50))))
		}, 100},
		{"almost boundaries", 20_000, func(n int) []part {
			return parts(q(post("Content-Type: multipart/form-data; boundary=bbbbbbbb\r\n", "--bbbbbbbb\r\nContent-Disposition: form-data; filename=f\r\n\r\n"+rep("\r\n--bbbbbbb", n/10))))
		}, 11},
		{"empty lines", 200, func(n int) []part { return parts(q(rep("\r\n", n)), a(rep("\r\n", n))) }, 1},
		{"junk", 10_000, func(n int) []part { return parts(q(get), a(ok0+rep("junk\n", n/5))) }, 7},
	} {
		loads = append(loads, prototest.Load{Name: c.name, N: c.n, NoTx: c.name == "empty lines", Piece: c.size, Hint: proto.Hint{SrcPort: 4, DstPort: 80}, Flow: func(n int) []prototest.Chunk {
			var list []prototest.Chunk
			for _, p := range c.flow(n) {
				list = append(list, prototest.To(p.dir, p.data))
			}
			return list
		}})
	}
	prototest.Cost(t, tab, loads...)
}

// What a flow may hold does not grow with what it sends.
func TestBounds(t *testing.T) {
	tab, row := table(t, nil)
	rep := strings.Repeat
	for _, c := range []struct {
		name  string
		flow  []part
		event string
	}{
		{"request line", parts(q("GET /" + rep("a", 1<<20))), "REQUEST_FIELD_TOO_LONG"},
		{"request header", parts(q("GET / HTTP/1.1\r\nA: " + rep("a", 1<<20))), "REQUEST_FIELD_TOO_LONG"},
		{"response header", parts(q(get), a("HTTP/1.1 200 OK\r\nA: "+rep("a", 1<<20))), "RESPONSE_FIELD_TOO_LONG"},
		{"header lines", parts(q("GET / HTTP/1.1\r\nHost: h\r\n" + func() string {
			var b strings.Builder
			for i := range 5000 {
				fmt.Fprintf(&b, "H%d: v\r\n", i)
			}
			return b.String()
		}() + "\r\n")), "REQUEST_TOO_MANY_HEADERS"},
		{"file name", parts(q("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), a(response("x", "Content-Disposition: attachment; filename="+rep("n", 9000)))), "FILE_NAME_TOO_LONG"},
	} {
		s := follow(t, tab, row, c.flow, uncut)
		if len(s) == 0 || !strings.Contains(s[0].events, c.event) {
			t.Errorf("%s: %+v, want %s", c.name, s, c.event)
		}
	}
	conn := proto.NewConn(tab, proto.Hint{SrcPort: 4, DstPort: 80})
	grind(conn, row, parts(q(rep(get, 5000))), 1400, false)
	if len(conn.Txs) > proto.MaxTxs {
		t.Errorf("%d transactions are kept, at most %d may be", len(conn.Txs), proto.MaxTxs)
	}
}

// exchange is an ordinary request with its response.
var exchange = parts(
	q("GET /index.html?x=1 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11)\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nAccept-Language: en\r\nConnection: keep-alive\r\nCookie: a=b\r\nReferer: http://www.example.org/\r\n\r\n"),
	a("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: x\r\nContent-Type: text/html\r\nConnection: keep-alive\r\nContent-Length: 1000\r\n\r\n"+strings.Repeat("<p>0123456789</p>\n\n\n", 50)))

// Allocations of one exchange with all buffers read, those of the file included.
func TestAllocs(t *testing.T) {
	tab, row := table(t, nil)
	conn := proto.NewConn(tab, proto.Hint{SrcPort: 4, DstPort: 80})
	grind(conn, row, exchange, 1400, true)
	got := testing.AllocsPerRun(200, func() { grind(conn, row, exchange, 1400, true) })
	if limit := 34.0; got > limit {
		t.Errorf("%v allocations, want at most %v", got, limit)
	}
}

func BenchmarkExchange(b *testing.B) {
	tab, row := table(b, nil)
	conn := proto.NewConn(tab, proto.Hint{SrcPort: 4, DstPort: 80})
	n := 0
	for _, p := range exchange {
		n += len(p.data)
	}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		grind(conn, row, exchange, 1400, false)
	}
}

func BenchmarkDownload(b *testing.B) {
	tab, row := table(b, nil)
	flow := parts(q(get), a(response(strings.Repeat("0123456789abcdef", 1<<16))))
	b.SetBytes(int64(len(flow[1].data)))
	b.ReportAllocs()
	for b.Loop() {
		conn := proto.NewConn(tab, proto.Hint{SrcPort: 4, DstPort: 80})
		grind(conn, row, flow, 1400, false)
	}
}
