package mqtt_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/mqtt"
	"mirador/internal/proto/prototest"
)

// Each bound is met by one more than it allows, and counted or an event.
func TestLimits(t *testing.T) {
	intro := []piece{{up, connect4}, {down, connack4}}
	with := func(ps ...piece) []piece { return append(append([]piece{}, intro...), ps...) }
	for n, met := range map[int]uint64{mqtt.MaxTopics: 0, mqtt.MaxTopics + 1: 1} {
		subscribe := msg(0x82, "\x00\x07"+strings.Repeat(text("a")+"\x00", n))
		r := run(t, nil, 0, with(piece{up, subscribe})...)
		if got := r.Hits(t, "mqtt", "topics"); got != met {
			t.Errorf("%d topics: counted %d times", n, got)
		}
		if got := len(r.Records[1].Tx.(*mqtt.Tx).Messages[0].Topics); got != mqtt.MaxTopics {
			t.Errorf("%d of %d topics are kept", got, n)
		}
		r = run(t, nil, 0, with(piece{up, msg(0x82, "\x00\x07"+text("a")+"\x00")}, piece{down, msg(0x90, "\x00\x07"+strings.Repeat("\x00", n))})...)
		if got := r.Hits(t, "mqtt", "topics"); got != met {
			t.Errorf("%d codes: counted %d times", n, got)
		}
	}
	// A message that is too long is skipped, and its record says so.
	publish := func(n int) string { return msg(0x30, text("t")+strings.Repeat("x", n)) }
	for _, c := range []struct {
		set  string
		n    int
		skip bool
	}{{"", 1<<20 - 3, false}, {"", 1<<20 - 2, true}, {"1000", 997, false}, {"1000", 998, true}, {"100000000", 16<<20 - 3, false}, {"100000000", 16<<20 - 2, true}} {
		s := prototest.Settings{"eve.mqtt.string-log-limit": "10"}
		if c.set != "" {
			s["max-msg-length"] = c.set
		}
		r := run(t, s, 0, with(piece{up, publish(c.n)}, piece{up, publish(1)})...)
		if got := records(t, r); strings.Contains(got, `"skipped_length"`) != c.skip || len(r.Records) != 3 {
			t.Errorf("max-msg-length %q, %d bytes: %.300s", c.set, c.n, got)
		}
	}
	// Messages of one transaction.
	for _, c := range []struct {
		set  string
		most int
	}{{"", 1024}, {"10", 10}, {"100000", 4096}} {
		s := prototest.Settings{}
		if c.set != "" {
			s["max-messages"] = c.set
		}
		for n, many := range map[int]bool{c.most - 1: false, c.most: true} {
			r := run(t, s, 0, with(piece{up, msg(0x34, text("t")+"\x00\x07x")}, piece{down, strings.Repeat(msg(0x50, "\x00\x07"), n)})...)
			got := false
			for _, rec := range r.Records {
				got = got || strings.Contains(strings.Join(rec.Events, " "), "too_many_messages")
			}
			if got != many {
				t.Errorf("max-messages %q, %d messages: event %v", c.set, 1+n, got)
			}
		}
	}
}
