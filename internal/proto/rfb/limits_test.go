package rfb_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/rfb"
)

// Strings are kept up to max-string-length; longer ones are an event, and what follows
// them is read.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		set  string
		most int
	}{{"", 4096}, {"64", 64}, {"1000000", 64 << 10}} {
		for n, want := range map[int]string{c.most: "", c.most + 1: "too_long_string"} {
			s := prototest.Settings{}
			if c.set != "" {
				s["max-string-length"] = c.set
			}
			r := prototest.NewRunner(prototest.Table(t, s, rfb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 5900})
			for _, p := range append(vnc("8", "\x00\x00\x00\x00"), piece{up, "\x01"}, piece{down, pixels + text(strings.Repeat("n", n))}) {
				r.Feed(prototest.To(p.dir, p.data), 0)
			}
			r.Finish()
			if got := strings.Join(r.Records[0].Events, " "); got != want {
				t.Errorf("max-string-length %q, a name of %d bytes: events %q", c.set, n, got)
			}
			if n := strings.Count(r.Records[0].JSON, "n"); n > c.most+200 {
				t.Errorf("max-string-length %q: a name of about %d bytes is kept", c.set, n)
			}
		}
	}
}
