package pgsql_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/pgsql"
)

// Each bound is met by one more than it allows, and counted.
func TestLimits(t *testing.T) {
	start := func(n int) string {
		b := "\x00\x03\x00\x00user\x00joe\x00" + strings.Repeat("a\x00b\x00", n) + "\x00"
		return u32(len(b)+4) + b
	}
	session := []piece{{up, startup}, {down, hello}}
	for _, c := range []struct {
		name, limit string
		met         bool
		in          []piece
	}{
		{"parameters", "parameters", false, []piece{{up, start(64)}}},
		{"one parameter more", "parameters", true, []piece{{up, start(65)}}},
		{"fields of an error", "parameters", false, append(session, piece{up, query("x")}, piece{down, msg("E", strings.Repeat("Mx\x00", 64)+"\x00")})},
		{"one field more", "parameters", true, append(session, piece{up, query("x")}, piece{down, msg("E", strings.Repeat("Mx\x00", 65)+"\x00")})},
		{"states", "parameters", true, []piece{{up, startup}, {down, msg("R", u32(0)) + strings.Repeat(msg("S", "a\x00b\x00"), 65)}}},
		{"a message", "message", false, append(session, piece{up, query(strings.Repeat("x", 60_000))})},
		{"a longer message", "message", true, append(session, piece{up, query(strings.Repeat("x", 70_000))})},
	} {
		r := run(t, nil, 0, append(c.in, piece{up, query("behind")})...)
		if n := r.Hits(t, "pgsql", c.limit); (n > 0) != c.met {
			t.Errorf("%s: counted %d times", c.name, n)
		}
		if c.name != "states" && c.name != "parameters" && c.name != "one parameter more" && !strings.Contains(records(t, r), "behind") {
			t.Errorf("%s: what follows is not seen", c.name)
		}
	}
	r := run(t, nil, 0, append(session, piece{up, query(strings.Repeat("x", 1<<20))})...)
	for _, rec := range r.Records {
		if n := len(rec.Tx.(*pgsql.Tx).Text); n > pgsql.MaxMessage {
			t.Errorf("%d bytes of a query are kept", n)
		}
	}
	// The stock number of responses, and a start-up packet that is too long.
	many := append(session, piece{up, query("x")}, piece{down, strings.Repeat(msg("C", "x\x00"), 65)})
	if got := records(t, run(t, nil, 0, many...)); !strings.Contains(got, "too_many_responses") {
		t.Errorf("65 responses: no event in %s", got)
	}
	if got := records(t, run(t, nil, 0, piece{up, startup}, piece{down, hello}, piece{up, query("x")}, piece{down, strings.Repeat(msg("C", "x\x00"), 64)})); strings.Contains(got, "too_many_responses") {
		t.Errorf("64 responses: an event in %s", got)
	}
	ssl := u32(8) + "\x04\xd2\x16\x2f"
	for n, want := range map[int]bool{2400: false, 2500: true} { // parameters of four bytes
		r := run(t, nil, 0, piece{up, ssl}, piece{down, "N"}, piece{up, start(n)})
		got := false
		for _, rec := range r.Records {
			got = got || strings.Contains(strings.Join(rec.Events, " "), "invalid_length")
		}
		if got != want {
			t.Errorf("a start-up packet of %d bytes behind a request for TLS: event %v", len(start(n)), got)
		}
	}
	if r := run(t, nil, 0, piece{up, start(2500)}); r.Conn.App == r.Conn.Table.ByName("pgsql") {
		t.Error("a start-up packet of 10,000 bytes is taken")
	}
}
