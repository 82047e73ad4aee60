package sip_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto/sip"
)

// Each bound is met, and counted; what follows is seen.
func TestLimits(t *testing.T) {
	register := func(headers string, n int) string {
		return fmt.Sprintf("REGISTER sip:x SIP/2.0\r\n%sContent-Length: %d\r\n\r\n%s", headers, n, strings.Repeat("x", n))
	}
	const bye = "BYE sip:y SIP/2.0\r\n\r\n"
	for _, c := range []struct {
		limit, within, beyond string
	}{
		{"body", register("", 64<<10), register("", 64<<10+1)},
		{"headers", register(strings.Repeat("A: b\r\n", 510), 0), register(strings.Repeat("A: b\r\n", 512), 0)},
		{"sdp_lines", invite(sdp + strings.Repeat("a=b\r\n", 1000)), invite(sdp + strings.Repeat("a=b\r\n", 1100))},
	} {
		for in, met := range map[string]bool{c.within: false, c.beyond: true} {
			r := run(t, false, 1000, piece{up, in + bye})
			if n := r.Hits(t, "sip", c.limit); (n > 0) != met {
				t.Errorf("%s, met %v: counted %d times", c.limit, met, n)
			}
			if got := records(t, r); !strings.Contains(got, `"BYE"`) {
				t.Errorf("%s: what follows is not seen\n%.500s", c.limit, got)
			}
		}
	}
	r := run(t, false, 0, piece{up, register(strings.Repeat("A: b\r\n", 2000), 0)})
	if n := len(r.Records[0].Tx.(*sip.Tx).Headers); n != sip.MaxHeaders {
		t.Errorf("%d headers are kept", n)
	}
	// A head without an end is given up.
	for n, broken := range map[int]bool{60 << 10: false, 66 << 10: true} {
		r := run(t, false, 1000, piece{up, bye + "INVITE sip:x SIP/2.0\r\nA: " + strings.Repeat("x", n)})
		if got := r.Conn.Broken > 0 && strings.Contains(records(t, r), "invalid_data"); got != broken {
			t.Errorf("a head of %d bytes: given up %v", n, got)
		}
	}
}
