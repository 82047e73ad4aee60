package ntp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ntp"
	"mirador/internal/proto/prototest"
)

func message(version, mode byte, extra string) string {
	return string([]byte{version<<3 | mode, 2, 6, 0xec}) + strings.Repeat("\x00", 8) + "GPS\x00" + strings.Repeat("t", 32) + extra
}

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		in   string
		port uint16
		want string
	}{
		{message(4, 3, ""), 123, `{"version":4,"mode":3,"stratum":2,"reference_id":"47:50:53:00"}`},
		{message(3, 4, "\x00\x00\x00\x01"+strings.Repeat("k", 16)), 123, `{"version":3,"mode":4,"stratum":2,"reference_id":"47:50:53:00"}`},
		{message(4, 3, "\x00\x01\x00\x10"+strings.Repeat("x", 12)), 123, `{"version":4,"mode":3,"stratum":2,"reference_id":"47:50:53:00"}`},
		{message(2, 3, ""), 123, ""}, {message(5, 3, ""), 123, ""}, {message(4, 3, "")[:47], 123, ""},
		{message(4, 3, strings.Repeat("z", 100)), 123, ""}, {message(4, 3, ""), 124, ""},
	} {
		r := prototest.NewRunner(prototest.Table(t, nil, ntp.Protocol()), proto.Hint{SrcPort: 1000, DstPort: c.port, UDP: true})
		r.Feed(prototest.Chunk{Data: []byte(c.in)}, 0)
		r.Finish()
		got := ""
		for _, x := range r.Records {
			got += x.JSON
			if n, _ := prototest.Field(ntp.Protocol(), "ntp.stratum").Uint(nil, x.Tx, proto.ToServer, 0); n != 2 {
				t.Errorf("ntp.stratum: %d", n)
			}
			if b, _ := prototest.Field(ntp.Protocol(), "ntp.reference_id").Get(nil, x.Tx, proto.ToServer, 0); string(b) != "GPS\x00" {
				t.Errorf("ntp.reference_id: %q", b)
			}
		}
		if got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(message(4, 3, "\x00\x01\x00\x10"+strings.Repeat("x", 12))))
	tab := prototest.Table(f, nil, ntp.Protocol())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: 1000, DstPort: 123, UDP: true})
		r.Feed(prototest.Chunk{Data: b}, 0)
		r.Finish()
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}
