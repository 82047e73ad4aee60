package ldap_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ldap"
	"mirador/internal/proto/prototest"
)

// big is an element of more than 64 KiB.
func big(tag byte, b string) string {
	return string([]byte{tag, 0x84, byte(len(b) >> 24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}) + b
}

// add is an addRequest with n attributes, of values values each.
func add(n, values int) string {
	set := tlv(0x31, strings.Repeat(oct("v"), values))
	var list strings.Builder
	for i := range n {
		list.WriteString(tlv(0x30, oct(fmt.Sprint("a", i)), set))
	}
	return big(0x68, oct("dc=x")+big(0x30, list.String()))
}

func bigMsg(op string) string { return big(0x30, tlv(2, "\x01")+op) }

// Each bound is met by one more than it allows, and counted.
func TestLimits(t *testing.T) {
	del := tlv(0x4a, "dc=x")
	for _, c := range []struct {
		limit  string
		in     string
		within string // the same, and the bound is not met
	}{
		{"message", bigMsg(big(0x4a, strings.Repeat("x", 512<<10))), bigMsg(big(0x4a, strings.Repeat("x", 500<<10)))},
		{"attributes", bigMsg(add(1025, 1)), bigMsg(add(1024, 1))},
		{"logged_values", bigMsg(add(10, 500)), bigMsg(add(10, 300))},
		{"content", strings.Repeat(bigMsg(big(0x4a, strings.Repeat("x", 500<<10))), 9), strings.Repeat(bigMsg(big(0x4a, strings.Repeat("x", 500<<10))), 8)},
	} {
		for in, met := range map[string]bool{c.in: true, c.within: false} {
			r := run(t, 0, nil, c2s(msg(1, del)+in+msg(7, tlv(0x4a, "dc=behind"))))
			if n := r.Hits(t, "ldap", c.limit); (n > 0) != met {
				t.Errorf("%s, met %v: counted %d times", c.limit, met, n)
			}
			if !strings.Contains(dump(r), "dc=behind") {
				t.Errorf("%s: what follows is not seen", c.limit)
			}
		}
	}
	// Longer than any message is: no LDAP.
	r := run(t, 0, nil, c2s(msg(1, del)+"\x30\x84\x04\x00\x00\x01"))
	if got := strings.Join(r.Records[0].Events, " "); got != "invalid_data" {
		t.Errorf("a message of 64 MiB: events %q", got)
	}
	// The responses of a transaction, whatever the setting says.
	for set, want := range map[string]int{"": 1024, "100000": 4096} {
		s := prototest.Settings{}
		if set != "" {
			s["max-responses"] = set
		}
		r = prototest.NewRunner(prototest.Table(t, s, ldap.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 389})
		r.Feed(c2s(msg(1, search())), 0)
		r.Feed(s2c(strings.Repeat(msg(1, entry("d", "a")), 5000)), 0)
		r.Finish()
		if n := len(r.Records[0].Tx.(*ldap.Tx).Responses); n != want || r.Records[0].Events[0] != "too_many_responses" {
			t.Errorf("max-responses %q: %d are kept, events %v", set, n, r.Records[0].Events)
		}
	}
	// A filter of a filter of a filter: checked to a depth, and no stack is used up.
	deep := tlv(0x87, "objectclass")
	for range 5000 {
		deep = big(0xa2, deep)
	}
	in := bigMsg(big(0x63, oct("dc=base")+"\x0a\x01\x02\x0a\x01\x00\x02\x01\x05\x02\x01\x06\x01\x01\xff"+deep+tlv(0x30)))
	if r := run(t, 0, nil, c2s(in)); len(r.Records) != 1 {
		t.Errorf("a deep filter: %d records", len(r.Records))
	}
}
