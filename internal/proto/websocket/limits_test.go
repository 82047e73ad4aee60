package websocket_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/prototest"
	"mirador/internal/proto/websocket"
)

// frame is a frame of any length.
func frame(first byte, n int) string {
	return string([]byte{first, 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + strings.Repeat("x", n)
}

// Payloads and messages are kept up to max-payload-size; longer ones are events, and
// what follows them is read.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		set  string
		most int
	}{{"", 0xffff}, {"100", 100}, {"100000000", 16 << 20}} {
		s := prototest.Settings{}
		if c.set != "" {
			s["max-payload-size"] = c.set
		}
		for _, x := range []struct{ in, want string }{
			{frame(0x82, c.most), ""},
			{frame(0x82, c.most+1), "skip_end_of_payload"},
			{frame(2, c.most-50) + frame(0x80, 50), ""},
			{frame(2, c.most-50) + frame(0x80, 51), "reassembly_limit_reached"},
		} {
			r := run(t, 0, s, c2s(x.in+ws(0x81, "behind")))
			got := ""
			for _, rec := range r.Records {
				got += strings.Join(rec.Events, " ")
				if n := len(rec.Tx.(*websocket.Tx).Payload); n > c.most {
					t.Errorf("max-payload-size %q: %d bytes are kept", c.set, n)
				}
			}
			if got != x.want || !strings.HasSuffix(payloads(r), "behind") {
				t.Errorf("max-payload-size %q: events %q, want %q", c.set, got, x.want)
			}
		}
	}
}
