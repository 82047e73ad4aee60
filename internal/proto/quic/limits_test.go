package quic_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/quic"
)

// Each bound is met by one more than it allows, and counted.
func TestLimits(t *testing.T) {
	small := string([]byte{0xc0, 0, 0, 0, 1, 8}) + string(first) + "\x00\x00\x04xxxx" // cannot be opened
	bad := string(append(long(0xc0, v1)[:23], append([]byte("\x00\x44\x90"), make([]byte, 1168)...)...))
	tags := func(n int) string {
		var list []string
		for range n {
			list = append(list, "PAD", "-")
		}
		m := chlo(list...)
		return "\xc3Q046\x5012345678\x00\x00\x00\x01" + strings.Repeat("h", 12) + "\xa0\x01" + u16(len(m)) + m
	}
	hello := func(suites int) string {
		b := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + u16(2*suites) + strings.Repeat("\x13\x01", suites) + "\x01\x00\x00\x00"
		return hs(1, b)
	}
	one := string(initial(v1, 0, first, second, first, "\x01"))
	for _, c := range []struct {
		name, limit string
		met         bool
		in          []string
	}{
		{"packets", "packets", false, []string{one, strings.Repeat(small, quic.MaxPackets)}},
		{"a packet more", "packets", true, []string{one, strings.Repeat(small, quic.MaxPackets+1)}},
		{"packets to open", "initials", false, repeat(bad, quic.MaxOpens)},
		{"one more to open", "initials", true, repeat(bad, quic.MaxOpens+1)},
		{"tags", "tags", false, []string{tags(quic.MaxTags)}},
		{"a tag more", "tags", true, []string{tags(quic.MaxTags + 1)}},
		{"suites", "hello_lists", false, []string{string(initial(v1, 0, first, second, first, crypto(0, hello(1023))))}},
		{"more suites", "hello_lists", true, []string{string(initial(v1, 0, first, second, first, crypto(0, hello(1025))))}},
	} {
		r := prototest.NewRunner(prototest.Table(t, nil, quic.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 443, UDP: true})
		for _, d := range c.in {
			r.Feed(prototest.To(proto.ToServer, d), 0)
		}
		r.Finish()
		if n := r.Hits(t, "quic", c.limit); (n > 0) != c.met {
			t.Errorf("%s: counted %d times", c.name, n)
		}
	}
	// Pieces of a hello that lie apart.
	for n, want := range map[int]string{quic.MaxFragments: "", quic.MaxFragments + 1: "crypto_frag_too_long"} {
		var frames strings.Builder
		for i := range n {
			frames.WriteString(crypto(2*i+2, "x"))
		}
		got := run(t, 443, packet{0, initial(v1, 0, first, second, first, frames.String())})
		if has := strings.Contains(strings.Join(got, " "), "!"+want); want != "" && !has || want == "" && strings.Contains(got[0], "too_long") {
			t.Errorf("%d pieces: %q", n, got)
		}
	}
}

func repeat(s string, n int) (list []string) {
	for range n {
		list = append(list, s)
	}
	return list
}
