package krb5_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/krb5"
	"mirador/internal/proto/prototest"
)

// Each bound is met, and counted.
func TestLimits(t *testing.T) {
	parts := func(n, size int) []string {
		list := strings.Split(strings.TrimSuffix(strings.Repeat("p,", n), ","), ",")
		list[0] = strings.Repeat("x", size)
		return list
	}
	message := func(n int) string {
		return string([]byte{0, byte(n >> 16), byte(n >> 8), byte(n)}) + strings.Repeat("a", n)
	}
	realm := func(n int) string { // a KRB-ERROR
		sname := short(0x30, num(0xa0, 2), short(0xa1, short(0x30, short(0x1b, "krbtgt"))))
		return el(0x7e, el(0x30, num(0xa0, 5), num(0xa1, 30), short(0xa4, short(0x18, "20260101000000Z")), num(0xa5, 0), num(0xa6, 6),
			el(0xa7, el(0x1b, strings.Repeat("R", n))), short(0xa9, short(0x1b, "REALM")), short(0xaa, sname)))
	}
	for _, c := range []struct {
		name, limit string
		met         uint64
		in          string
	}{
		{"parts", "name", 0, tcp(asReq(short(2, "\x12"), parts(krb5.MaxComponents-1, 1)...))},
		{"more parts", "name", 1, tcp(asReq(short(2, "\x12"), parts(krb5.MaxComponents+1, 1)...))},
		{"a realm", "name", 0, tcp(realm(krb5.MaxString - 1))},
		{"a longer realm", "name", 1, tcp(realm(krb5.MaxString + 1))},
		{"a message", "message", 0, message(krb5.MaxMessage)},
		{"a longer message", "message", 1, message(krb5.MaxMessage + 1)},
	} {
		r := prototest.NewRunner(prototest.Table(t, nil, krb5.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 88})
		for _, in := range []string{tcp(asReq(short(2, "\x12"), "joe")), c.in, tcp(asReq(short(2, "\x12"), "behind"))} {
			r.Feed(prototest.To(0, in), 0)
		}
		if n := r.Hits(t, "krb5", c.limit); n != c.met {
			t.Errorf("%s: counted %d times", c.name, n)
		}
		r.Finish()
		if got := r.Records[len(r.Records)-1].JSON; !strings.Contains(got, "behind") {
			t.Errorf("%s: what follows is not seen: %s", c.name, got)
		}
	}
}
