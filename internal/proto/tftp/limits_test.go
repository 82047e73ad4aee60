package tftp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tftp"
)

// A name that is too long makes no request.
func TestLimits(t *testing.T) {
	for n, want := range map[int]int{tftp.MaxName: 1, tftp.MaxName + 1: 0} {
		r := prototest.NewRunner(prototest.Table(t, nil, tftp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 69, UDP: true})
		r.Feed(prototest.To(proto.ToServer, "\x00\x01"+strings.Repeat("n", n)+"\x00octet\x00"), 0)
		r.Finish()
		got := 0
		for _, rec := range r.Records {
			if rec.JSON != "" {
				got++
			}
		}
		if got != want {
			t.Errorf("a name of %d bytes: %d records", n, got)
		}
	}
}
