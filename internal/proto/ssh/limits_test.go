package ssh_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/ssh"
)

// A banner without an end is kept up to its bound and is an event; what follows it on
// the line is passed over.
func TestLimits(t *testing.T) {
	for n, done := range map[int]bool{ssh.MaxBanner - 1: false, ssh.MaxBanner: true} {
		r := prototest.NewRunner(prototest.Table(t, nil, ssh.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 22})
		r.Feed(prototest.To(proto.ToServer, "SSH-2.0-"+strings.Repeat("x", n-8)), 0)
		tx := r.Conn.Txs
		got := len(tx) == 1 && tx[0].Base().Progress[proto.ToServer] == ssh.BannerWaitEOL
		if got != done {
			t.Errorf("a banner of %d bytes without an end: taken %v", n, got)
		}
		r.Feed(prototest.To(proto.ToServer, strings.Repeat("x", 10_000)+"\r\n"), 0)
		r.Finish()
		if done && (len(r.Records) != 1 || strings.Join(r.Records[0].Events, " ") != "long_banner") {
			t.Errorf("a banner of %d bytes: %+v", n+10_000, r.Records)
		}
	}
}
