package ike_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/ike"
)

// long is a payload of any length.
func long(next byte, body string) string {
	n := 4 + len(body)
	return string([]byte{next, 0, byte(n >> 8), byte(n)}) + body
}

// Each bound is met by one more than it allows, and counted.
func TestLimits(t *testing.T) {
	offer1 := func(transforms, attributes int) string {
		tr := long(3, "\x01\x01\x00\x00"+strings.Repeat("\x80\x01\x00\x07", attributes))
		return long(0, "\x00\x00\x00\x01\x00\x00\x00\x01"+long(0, "\x01\x01\x00\x01"+strings.Repeat(tr, transforms)))
	}
	offer2 := func(proposals, transforms int) string {
		p := long(2, string([]byte{1, 1, 0, byte(transforms)})+strings.Repeat(payload(3, "\x01\x00\x00\x0c"), transforms))
		return long(0, strings.Repeat(p, proposals))
	}
	for _, c := range []struct {
		name, limit string
		in          []byte
		met         bool
	}{
		{"payloads 1", "payloads", message(0x10, 2, 0, 13, none, strings.Repeat(payload(13, "v"), 256)), false},
		{"a payload more 1", "payloads", message(0x10, 2, 0, 13, none, strings.Repeat(payload(13, "v"), 257)), true},
		{"payloads 2", "payloads", message(0x20, 34, 8, 43, none, strings.Repeat(payload(43, "v"), 255)), false},
		{"a payload more 2", "payloads", message(0x20, 34, 8, 43, none, strings.Repeat(payload(43, "v"), 256)), true},
		{"transforms 1", "transforms", message(0x10, 2, 0, 1, none, offer1(256, 1)), false},
		{"a transform more 1", "transforms", message(0x10, 2, 0, 1, none, offer1(257, 1)), true},
		{"transforms 2", "transforms", message(0x20, 34, 8, 33, none, offer2(2, 128)), false},
		{"a transform more 2", "transforms", message(0x20, 34, 8, 33, none, offer2(2, 129)), true},
	} {
		r := run(t, piece{up, c.in}, piece{up, message(0x10, 2, 0, 13, none, payload(0, "v"))})
		if n := r.Hits(t, "ike", c.limit); (n > 0) != c.met {
			t.Errorf("%s: counted %d times", c.name, n)
		}
		if len(r.Records) != 2 {
			t.Errorf("%s: %d records", c.name, len(r.Records))
		}
	}
	// Different attributes: of each type only the first is kept.
	many := strings.Builder{}
	for i := range 33 {
		many.WriteString("\x80" + string([]byte{byte(1 + i), 0, 7}))
	}
	for n, met := range map[int]uint64{32: 0, 33: 1} {
		tr := long(0, "\x01\x01\x00\x00"+many.String()[:4*n])
		in := long(0, "\x00\x00\x00\x01\x00\x00\x00\x01"+long(0, "\x01\x01\x00\x01"+tr))
		r := run(t, piece{up, message(0x10, 2, 0, 1, none, in)})
		if got := r.Hits(t, "ike", "attributes"); got != met || len(r.Records[0].Tx.(*ike.Tx).Offered[0]) != 32 {
			t.Errorf("%d attributes: counted %d times", n, got)
		}
	}
}
