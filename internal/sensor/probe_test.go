package sensor_test

import (
	"fmt"
	"testing"

	"mirador/internal/mirror"
	"mirador/internal/pkttest"
)

// A probe is noted in the account of the source that it came from, in the engine: only the last
// token of each, and only whole marks to the right port.
func TestProbe(t *testing.T) {
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false)})
	port := 1024
	send := func(vni uint32, dport int, payload string) {
		port++
		r.send(0, "127.0.0.1", vxlan(vni, pkttest.Frame(fmt.Sprintf("eth ip 10.0.0.1 10.0.0.2 udp %d %d | %s", port, dport, payload))))
	}
	token := func(i int) mirror.ProbeToken { return mirror.ProbeToken{byte(i), byte(i >> 8), 2: 1} }
	mark := func(i int) string { return string(mirror.AppendProbe(nil, token(i))) }
	for i := range 300 { // a flood of tokens is one entry and a count
		send(7, mirror.ProbePort, mark(i))
	}
	r.received()
	send(8, mirror.ProbePort, mark(1))
	send(9, mirror.ProbePort, mark(2)[:mirror.ProbeLen-1])
	send(9, mirror.ProbePort+1, mark(3))
	send(9, mirror.ProbePort, "discarded")
	r.received()
	s := r.end()
	want := map[uint32]struct {
		n uint64
		t mirror.ProbeToken
	}{7: {300, token(299)}, 8: {1, token(1)}, 9: {}}
	if len(s.Sources) != len(want) {
		t.Errorf("%d sources", len(s.Sources))
	}
	for _, x := range s.Sources {
		w := want[x.VNI]
		if x.Probes != w.n || x.VNI == 8 && x.Probe != w.t || w.n == 0 && !x.Probe.IsZero() {
			t.Errorf("VNI %d: %d probes, the last %v", x.VNI, x.Probes, x.Probe)
		}
	}
	if s.Turn == 0 {
		t.Error("no turn")
	}
}
