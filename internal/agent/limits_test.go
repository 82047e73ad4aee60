package agent_test

import (
	"net/netip"
	"testing"
	"time"

	"mirador/internal/agent"
	"mirador/internal/capture"
	"mirador/internal/mirror"
)

// Each bound of options and routes is taken, and one more is refused.
func TestLimits(t *testing.T) {
	const ring, rate, destinations = 1 << 30, 1e13, 64
	for _, c := range []struct {
		name string
		o    agent.Options
		ok   bool
	}{
		{"ring", agent.Options{Iface: "x", RingBytes: ring}, true},
		{"larger ring", agent.Options{Iface: "x", RingBytes: ring + 1}, false},
		{"smaller ring", agent.Options{Iface: "x", RingBytes: 1<<20 - 1}, false},
		{"bits", agent.Options{Iface: "x", Limit: agent.Limit{BitsPerSecond: rate}}, true},
		{"more bits", agent.Options{Iface: "x", Limit: agent.Limit{BitsPerSecond: rate + 1}}, false},
		{"packets", agent.Options{Iface: "x", Limit: agent.Limit{PacketsPerSecond: rate}}, true},
		{"more packets", agent.Options{Iface: "x", Limit: agent.Limit{PacketsPerSecond: rate + 1}}, false},
		{"delay", agent.Options{Iface: "x", Delay: time.Second + 1}, false},
	} {
		if err := c.o.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	g := program(t, mirror.CompileOptions{}, []mirror.Filter{everything()}, mirror.Session{})
	for n, ok := range map[int]bool{destinations: true, destinations + 1: false} {
		r := agent.Route{Src: src, Dst: dst, Sender: &collect{}}
		for i := range n - 1 {
			r.Spread = append(r.Spread, netip.AddrFrom4([4]byte{10, 9, 9, byte(i)}))
		}
		_, err := agent.New(agent.Options{Reader: capture.NewMemory(nil, 0)}, &agent.Plan{Program: g, Routes: []agent.Route{r}})
		if (err == nil) != ok {
			t.Errorf("%d destinations: %v", n, err)
		}
	}
}
