package http2_test

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/http2"
	"mirador/internal/proto/prototest"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func frame(typ, flags byte, stream uint32, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b[1:], typ, flags)
	return string(binary.BigEndian.AppendUint32(b, stream)) + body
}

// block is a header block of literals that are not indexed.
func block(kv ...string) string {
	var b strings.Builder
	for i := 0; i < len(kv); i += 2 {
		b.WriteString("\x00" + string([]byte{byte(len(kv[i]))}) + kv[i] + string([]byte{byte(len(kv[i+1]))}) + kv[i+1])
	}
	return b.String()
}

func request(path string, more ...string) string {
	return block(append([]string{":method", "GET", ":path", path, ":authority", "a.example:8080"}, more...)...)
}

func run(tb testing.TB, size int, chunks ...prototest.Chunk) *prototest.Runner {
	r := prototest.NewRunner(prototest.Table(tb, nil, http2.Protocol(), http2.DoH()), proto.Hint{SrcPort: 4000, DstPort: 80})
	for _, c := range chunks {
		r.Feed(c, size)
	}
	r.Finish()
	return r
}

func c2s(s string) prototest.Chunk { return prototest.Chunk{Dir: proto.ToServer, Data: []byte(s)} }
func s2c(s string) prototest.Chunk { return prototest.Chunk{Dir: proto.ToClient, Data: []byte(s)} }

func dump(r *prototest.Runner) string {
	var b strings.Builder
	for _, rec := range r.Records {
		if rec.JSON != "" {
			b.WriteString(rec.JSON + "\n")
		}
	}
	return b.String()
}

func TestRecords(t *testing.T) {
	flow := []prototest.Chunk{
		c2s(preface + frame(4, 0, 0, "\x00\x03\x00\x00\x00\x09") + frame(1, 0x29, 1, "\x02\x00\x00\x00\x00\x10"+request("/p", "user-agent", "UA")[:20]+"\x00\x00")),
		c2s(frame(9, 4, 1, request("/p", "user-agent", "UA")[20:])),
		s2c(frame(4, 0, 0, "\x00\x01\x00\x00\x10\x00") + frame(1, 4, 1, "\x88"+block("content-length", "9"))),
		s2c(frame(0, 9, 1, "\x03body text\x00\x00\x00")),
		c2s(frame(7, 0, 0, "\x00\x00\x00\x01\x00\x00\x00\x08")),
	}
	whole := dump(run(t, 0, flow...))
	for _, w := range []string{
		`"settings_id":"SETTINGSMAXCONCURRENTSTREAMS","settings_value":9`, `"hostname":"a.example:8080"`, `"url":"/p"`,
		`"http_user_agent":"UA"`, `"status":200`, `"length":9`, `"priority":16`, `"error_code":"CANCEL"`,
	} {
		if !strings.Contains(whole, w) {
			t.Errorf("records lack %s in\n%s", w, whole)
		}
	}
	for _, size := range []int{1, 2, 7, 64} {
		if got := dump(run(t, size, flow...)); got != whole {
			t.Errorf("pieces of %d give\n%s\nthe whole gives\n%s", size, got, whole)
		}
	}
}

func TestEvents(t *testing.T) {
	cases := map[string]string{
		"data_stream_zero":         frame(0, 0, 0, "x"),
		"invalid_frame_length":     frame(8, 0, 0, "x"),
		"invalid_header":           frame(1, 5, 3, "\xff\x00"),
		"header_integer_overflow":  frame(1, 5, 3, "\xff"+strings.Repeat("\xff", 12)+"\x01"),
		"invalid_frame_data":       frame(1, 5, 3, "\x00\x7f"),
		"authority_host_mismatch":  frame(1, 5, 3, request("/", "host", "b")),
		"userinfo_in_uri":          frame(1, 5, 3, block(":authority", "u@h")),
		"stream_id_reuse":          frame(1, 5, 3, request("/")) + frame(0, 0, 3, "x"),
		"long_frame_data":          frame(0, 0, 3, strings.Repeat("x", 70000)),
		"reassembly_limit_reached": frame(1, 0, 3, "") + strings.Repeat(frame(9, 0, 3, "\x00\x7f\x00"+strings.Repeat("x", 16000)), 8),
		"compression_bomb":         frame(1, 4, 3, "\x40\x01a\x7f\x81\x0d"+strings.Repeat("v", 1792)+strings.Repeat("\xbe", 900)),
	}
	names := http2.Protocol().Events
	for want, wire := range cases {
		r := run(t, 0, c2s(preface+wire))
		var got []string
		for _, rec := range r.Records {
			for _, e := range rec.Tx.Base().Events {
				got = append(got, names[e])
			}
		}
		if !strings.Contains(strings.Join(got, " "), want) {
			t.Errorf("%s: events %v", want, got)
		}
	}
}

func TestDoH(t *testing.T) {
	q := "\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01"
	r := run(t, 0, c2s(preface+frame(1, 4, 1, request("/dns-query", "content-type", "application/dns-message"))+frame(0, 1, 1, q)),
		s2c(frame(4, 0, 0, "")+frame(1, 5, 1, "\x88")))
	get := prototest.Field(http2.DoH(), "dns.query").Get
	for _, rec := range r.Records {
		if v, ok := get(nil, rec.Tx, proto.ToServer, 0); ok && string(v) == "www.example.com" {
			return
		}
	}
	t.Errorf("no query found in\n%s", dump(r))
}

// What one flow keeps of header fields is bounded over all its open streams, however
// little of them is on the wire.
func TestFlowHeaderBytes(t *testing.T) {
	bomb := "\x40\x01a\x7f" + string([]byte{0x80 | (4000-127)&0x7f, (4000 - 127) >> 7}) + strings.Repeat("b", 4000)
	in := preface + frame(1, 5, 1, request("/x")+bomb)
	for i := range 100 {
		in += frame(1, 5, uint32(2*i+3), request("/x")+strings.Repeat("\xbe", 100))
	}
	r := run(t, 1400, c2s(in))
	bombs := 0
	for _, rec := range r.Records {
		bombs += strings.Count(strings.Join(rec.Events, " "), "compression_bomb")
	}
	// Each stream has 400 KB of fields, which is not too much for one.
	if most := http2.MaxFlowHeaderBytes / 400_000; bombs < 100-most-1 || bombs > 100-most+1 {
		t.Errorf("%d of 100 streams are cut short", bombs)
	}
}

// A frame longer than others is shown before it is complete, and not again for each
// of its bytes.
func TestLongFrameIsShown(t *testing.T) {
	body := request("/x") + strings.Repeat("\x00\x01a\x40"+strings.Repeat("b", 64), 900)
	r := prototest.NewRunner(prototest.Table(t, nil, http2.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 80})
	looks := 0
	r.OnTx = func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) {
		if b := tx.Base(); b.Dirty(0) && b.Progress[0] >= http2.Headers {
			looks++
		}
	}
	r.Feed(c2s(preface+frame(1, 4, 1, body)), 100)
	if want := len(body)/16384 + 1; looks < want || looks > want+1 {
		t.Errorf("looked at %d times, want about %d", looks, want)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(frame(1, 5, 1, request("/p")), frame(4, 0, 0, "")+frame(1, 4, 1, "\x88")+frame(0, 9, 1, "\x01abc\x00"), uint8(5))
	f.Add(frame(1, 0x2d, 1, "\x01\x00\x00\x00\x00\x10"+request("/p")+"\x00")+frame(3, 0, 1, "\x00\x00\x00\x08"), frame(5, 4, 1, "\x00\x00\x00\x02"+request("/q")), uint8(1))
	f.Add(frame(1, 5, 1, request("/dns-query", "content-type", "application/dns-message")), frame(1, 4, 1, "\x88\x20\x3f\xe1\x1f"+block("content-encoding", "gzip"))+frame(0, 1, 1, "\x1f\x8b\x08\x00"), uint8(9))
	p := http2.DoH()
	f.Fuzz(func(t *testing.T, a, b string, size uint8) {
		r := run(t, int(size), c2s(preface+a), s2c(b), prototest.Chunk{Dir: proto.ToClient, Gap: int(size)}, s2c(b))
		for _, rec := range r.Records {
			if rec.JSON != "" && !json.Valid([]byte(`{"x":`+rec.JSON+`}`)) {
				t.Fatalf("not JSON: %s", rec.JSON)
			}
			for dir := range proto.Dir(2) {
				for i := range p.Fields {
					for j := range 3 {
						switch fd := &p.Fields[i]; {
						case fd.Get != nil:
							fd.Get(r.Conn, rec.Tx, dir, j)
						case fd.GetStream != nil:
							fd.GetStream(r.Conn, rec.Tx, dir, j)
						case fd.Uint != nil:
							fd.Uint(r.Conn, rec.Tx, dir, j)
						}
					}
				}
			}
		}
	})
}
