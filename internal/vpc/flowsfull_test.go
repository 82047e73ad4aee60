package vpc

import (
	"net/netip"
	"testing"
)

// A node whose table of flows is full balances further ones by their hash alone, which is
// counted; when others are forgotten there is room again.
func TestFlowsFull(t *testing.T) {
	l := balancerLab(t)
	l.compile()
	l.healthy("10.0.2.21", "10.0.2.22", "10.0.1.23")
	node := l.live.nodes["eni-nb"]
	node.flows = map[flowKey]*flow{}
	for i := range maxFlows - 1 {
		k := flowKey{netip.AddrFrom4([4]byte{10, 9, 0, 1}), uint16(i), uint16(i >> 16), udp}
		node.flows[k] = &flow{nil, l.now}
	}
	if l.toNode(1, "eni-nb") == "" || node.Untracked.Load() != 0 || len(node.flows) != maxFlows {
		t.Fatalf("the last one there is room for: %d flows, %d untracked", len(node.flows), node.Untracked.Load())
	}
	if l.toNode(2, "eni-nb") == "" || node.Untracked.Load() != 1 || len(node.flows) != maxFlows {
		t.Errorf("one too many: %d flows, %d untracked", len(node.flows), node.Untracked.Load())
	}
	l.now += int64(idleFlowUDP)
	if l.toNode(3, "eni-nb") == "" || node.Untracked.Load() != 1 || len(node.flows) >= maxFlows {
		t.Errorf("when others are idle: %d flows, %d untracked", len(node.flows), node.Untracked.Load())
	}
}
