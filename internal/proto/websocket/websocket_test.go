package websocket_test

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/websocket"
)

func ws(first byte, payload string, mask ...byte) string {
	b := []byte{first}
	bit := byte(0)
	if mask != nil {
		bit = 0x80
	}
	if len(payload) < 126 {
		b = append(b, bit|byte(len(payload)))
	} else {
		b = append(b, bit|126, byte(len(payload)>>8), byte(len(payload)))
	}
	b = append(b, mask...)
	for i := range len(payload) {
		c := payload[i]
		if mask != nil {
			c ^= mask[i&3]
		}
		b = append(b, c)
	}
	return string(b)
}

func run(tb testing.TB, size int, s prototest.Settings, chunks ...prototest.Chunk) *prototest.Runner {
	r := prototest.NewRunner(prototest.Table(tb, s, websocket.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 80})
	r.Conn.Announced(1, nil)
	for _, c := range chunks {
		r.Feed(c, size)
	}
	r.Finish()
	return r
}

func c2s(s string) prototest.Chunk { return prototest.Chunk{Dir: proto.ToServer, Data: []byte(s)} }

func payloads(r *prototest.Runner) string {
	var out []string
	for _, rec := range r.Records {
		out = append(out, string(rec.Tx.(*websocket.Tx).Payload))
	}
	return strings.Join(out, "|")
}

func TestMessages(t *testing.T) {
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, 9)
	deflated := func(s string) string {
		z.Reset()
		w.Write([]byte(s))
		w.Flush()
		return strings.TrimSuffix(z.String(), "\x00\x00\xff\xff")
	}
	one, two := deflated("some text"), deflated("some text again")
	cases := []struct{ name, in, want string }{
		{"masked", ws(0x81, "hello", 1, 2, 3, 4), "hello"},
		{"fragments", ws(0x01, "he") + ws(0x89, "ping") + ws(0x00, "l") + ws(0x80, "lo"), "he|ping|l|hello"},
		{"compressed", ws(0xc1, one) + ws(0xc1, two), "some text|some text again"},
		{"not compressed", ws(0xc1, "\xff\xff"), "\xff\xff"},
		{"long", ws(0x82, strings.Repeat("x", 300)) + ws(0x81, "after"), strings.Repeat("x", 20) + "|after"},
		{"long message", ws(0x02, strings.Repeat("x", 15)) + ws(0x80, strings.Repeat("y", 15)), strings.Repeat("x", 15) + "|" + strings.Repeat("x", 15) + "yyyyy"},
	}
	for _, c := range cases {
		for _, size := range []int{0, 1, 3} {
			s := prototest.Settings{}
			if strings.HasPrefix(c.name, "long") {
				s["max-payload-size"] = "20"
			}
			if got := payloads(run(t, size, s, c2s(c.in))); got != c.want {
				t.Errorf("%s in pieces of %d: %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestFlags(t *testing.T) {
	r := run(t, 0, nil, c2s(ws(0xc1, "x")))
	compile := prototest.Field(websocket.Protocol(), "websocket.flags").Compile
	for arg, want := range map[string]bool{"fin": true, "comp": true, "!fin": false, "fin,comp": true, "fin,!comp": false, "0xc0": true, "!0xc0": false, ">0x80": true} {
		m, err := compile(arg)
		if err != nil {
			t.Fatal(err)
		}
		if got := m(nil, r.Records[0].Tx, proto.ToServer); got != want {
			t.Errorf("%s: %v", arg, got)
		}
	}
	if _, err := compile("fun"); err == nil {
		t.Error("fun was taken")
	}
}

func FuzzStream(f *testing.F) {
	f.Add(ws(0x01, "he")+ws(0x89, "ping", 1, 2, 3, 4)+ws(0x80, "llo"), uint8(3))
	f.Add(ws(0xc1, "\xf2\x48\xcd\xc9\xc9\x07\x00")+ws(0x41, "\xf2\x00")+ws(0x80, "\x11\x00"), uint8(1))
	f.Fuzz(func(t *testing.T, b string, size uint8) {
		whole, cut := run(t, 0, nil, c2s(b)), run(t, int(size)+1, nil, c2s(b))
		if payloads(whole) != payloads(cut) {
			t.Fatalf("pieces of %d give other payloads", int(size)+1)
		}
		for _, rec := range whole.Records {
			if !json.Valid([]byte(rec.JSON)) {
				t.Fatalf("not JSON: %s", rec.JSON)
			}
		}
	})
}
