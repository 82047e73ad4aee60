package rdp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/rdp"
)

func follow(tb testing.TB, ps ...piece) *prototest.Runner {
	r := prototest.NewRunner(prototest.Table(tb, nil, rdp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 3389})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, 0)
	}
	r.Finish()
	return r
}

// Each bound is met by one more than it allows, and counted.
func TestLimits(t *testing.T) {
	channels := func(n int) string {
		return block("\x03", "\x02\x00\x00\x00"+strings.Repeat("rdpdr\x00\x00\x00\x00\x00\x80\x80", n))
	}
	// certs is a Certificate message with n certificates in records of n bytes at most.
	certs := func(n int) string {
		one := certificate()
		der := one[len(one)-14:]
		list := strings.Repeat(string([]byte{0, 0, byte(len(der))})+der, n)
		u24 := func(k int) string { return string([]byte{byte(k >> 16), byte(k >> 8), byte(k)}) }
		m := "\x0b" + u24(len(list)+3) + u24(len(list)) + list
		return "\x16\x03\x03" + string([]byte{byte(len(m) >> 8), byte(len(m))}) + m
	}
	record := "\x16\x03\x03\x40\x00" + strings.Repeat("\x00", 1<<14)
	long := record[:5] + "\x02\x7f\xff\xff" + record[9:] // a message without an end
	secure := []piece{{up, hello}, {down, withTLS}, {up, "\x16\x03\x01\x00\x02ab"}}
	for _, c := range []struct {
		name, limit string
		met         bool
		in          []piece
	}{
		{"messages", "messages", false, []piece{{up, strings.Repeat(hello, 16)}}},
		{"a message more", "messages", true, []piece{{up, strings.Repeat(hello, 17)}}},
		{"channels", "channels", false, []piece{{up, hello}, {down, plain}, {up, initial(core + channels(31))}}},
		{"a channel more", "channels", true, []piece{{up, hello}, {down, plain}, {up, initial(core + channels(32))}}},
		{"certificates", "certificates", false, append(secure, piece{down, certs(15)})},
		{"as many certificates as are kept", "certificates", true, append(secure, piece{down, certs(17)})},
		{"a handshake", "handshake", false, append(secure, piece{down, long + strings.Repeat(record, 3)})},
		{"a longer handshake", "handshake", true, append(secure, piece{down, long + strings.Repeat(record, 4)})},
	} {
		r := follow(t, c.in...)
		if n := r.Hits(t, "rdp", c.limit); (n > 0) != c.met {
			t.Errorf("%s: counted %d times", c.name, n)
		}
	}
}
