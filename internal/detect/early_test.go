package detect_test

import (
	"testing"

	"mirador/internal/detect"
	"mirador/internal/packet"
)

// Rules of hooks pre_flow and pre_stream are looked at before the flow or the stream and
// once more with the others: what needs neither matches twice (as in Suricata 8.0.7).
func TestEarlyHooks(t *testing.T) {
	syn := tcpPacket("")
	syn.Flags = packet.SYN
	for _, c := range []struct {
		rule string
		p    *packet.Parsed
		want int
	}{
		{`alert tcp:pre_flow any any -> any any (sid:1;)`, tcpPacket("abc"), 2},
		{`alert tcp:pre_stream any any -> any any (sid:1;)`, tcpPacket(""), 2},
		{`alert ip:pre_flow any any -> any any (ttl:>0; sid:1;)`, tcpPacket(""), 2},
		{`alert tcp:pre_flow any any -> any any (flags:S; sid:1;)`, syn, 2},
		{`alert tcp:pre_flow any any -> any any (flags:S; sid:1;)`, tcpPacket(""), 0},
		{`alert tcp:pre_flow any any -> any any (flow:established; sid:1;)`, tcpPacket(""), 1},
		{`alert tcp:pre_stream any any -> any any (flow:established; sid:1;)`, tcpPacket(""), 2},
		{`alert tcp:pre_flow any any -> any any (content:"abc"; dsize:>0; sid:1;)`, tcpPacket("abc"), 2},
		{`alert udp:pre_flow any any -> any any (sid:1;)`, tcpPacket(""), 0},
		{`alert tcp:all any any -> any any (sid:1;)`, tcpPacket(""), 1},
	} {
		w := detect.NewWorker(engine(t, detect.Options{}, c.rule), nil)
		d := &detect.Packet{P: c.p, Flow: &detect.Flow{}, Established: true}
		if got := len(w.Inspect(d)); got != c.want {
			t.Errorf("%s: %d alerts, want %d", c.rule, got, c.want)
		}
	}
}

// A rule may have a fast_pattern in each of its buffers; the first is looked for.
func TestFastPatterns(t *testing.T) {
	engine(t, detect.Options{},
		`alert http any any -> any any (http.uri; content:"a"; fast_pattern; http.host; content:"d"; fast_pattern; sid:1;)`,
		`alert tcp any any -> any any (content:"abc"; fast_pattern:only; fast_pattern:only; sid:2;)`)
}
