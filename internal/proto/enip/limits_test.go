package enip_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/enip"
)

// Requests that wait, and the messages of a multiple service packet, are bounded; what
// is beyond is an event.
func TestLimits(t *testing.T) {
	for n, many := range map[int]bool{enip.MaxOpen: false, enip.MaxOpen + 1: true} {
		r := run(t, 0, piece{up, strings.Repeat(message(0x6f, 0, rrData(get)), n)})
		got := false
		for _, rec := range r.Records {
			got = got || strings.Contains(strings.Join(rec.Events, " "), "too_many_transactions")
		}
		if got != many {
			t.Errorf("%d requests: event %v", n, got)
		}
	}
	multiple := func(n int) string {
		u16 := func(v int) string { return string([]byte{byte(v), byte(v >> 8)}) }
		b := "\x0a\x02\x20\x02\x24\x01" + u16(n)
		for i := range n {
			b += u16(2 + 2*n + len(get)*i)
		}
		return message(0x6f, 0, rrData(b+strings.Repeat(get, n)))
	}
	for n, bad := range map[int]bool{enip.MaxMultiple: false, enip.MaxMultiple + 1: true} {
		r := run(t, 0, piece{up, message(0x6f, 0, rrData(get))}, piece{up, multiple(n)})
		got := false
		for _, rec := range r.Records {
			got = got || strings.Contains(strings.Join(rec.Events, " "), "invalid_pdu")
		}
		if got != bad {
			t.Errorf("%d messages in one: event %v", n, got)
		}
	}
}
