package vpc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

const (
	nlbARN = "arn:nlb"
	tgARN  = "arn:tg"
)

// balancerLab has a source in subnet a, a Network Load Balancer in both subnets with a
// UDP listener on 4789, and sensors eni-s1 and eni-s2 in subnet b, eni-s3 in subnet a.
func balancerLab(t testing.TB) *lab {
	l := newLab(t)
	open := []string{"sg-open"}
	l.eni("eni-a1", "subnet-a", open, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", open, "10.0.2.10")
	l.eni("eni-s1", "subnet-b", open, "10.0.2.21")
	l.eni("eni-s2", "subnet-b", open, "10.0.2.22")
	l.eni("eni-s3", "subnet-a", open, "10.0.1.23")
	lb := &ec2api.LoadBalancer{Resource: res(nlbARN), Name: "nlb", Type: ec2api.BalancerNetwork, VPC: "vpc-1", DNSName: "nlb.elb.amazonaws.com", Attributes: map[string]string{}}
	for i, z := range []string{"a", "b"} {
		id := "eni-n" + z
		addr := fmt.Sprintf("10.0.%d.5", i+1)
		l.eni(id, "subnet-"+z, nil, addr)
		l.change(id, func(n *ec2api.NetworkInterface) {
			n.Kind, n.Attachment, n.MTU = ec2api.KindNLB, &ec2api.Attachment{InstanceOwner: "amazon-elb"}, 9001
		})
		delete(l.snap.Instances, "i-"+id)
		lb.Subnets = append(lb.Subnets, ec2api.BalancerSubnet{Subnet: "subnet-" + z, Zone: "us-east-1" + z, Interface: id, Addr: netip.MustParseAddr(addr)})
	}
	l.snap.LoadBalancers[nlbARN] = lb
	l.snap.TargetGroups[tgARN] = &ec2api.TargetGroup{Resource: res(tgARN), Protocol: "UDP", Port: 4789, VPC: "vpc-1", TargetType: "ip", Attributes: map[string]string{}}
	for _, s := range []string{"10.0.2.21", "10.0.2.22", "10.0.1.23"} {
		l.register(s)
	}
	l.snap.Listeners["l"] = &ec2api.Listener{Resource: res("l"), LoadBalancer: nlbARN, Protocol: "UDP", Port: 4789, Forward: []ec2api.Forward{{TargetGroup: tgARN, Weight: 1}}}
	return l
}

func (l *lab) register(addr string) {
	g := *l.snap.TargetGroups[tgARN]
	g.Targets = append(g.Targets[:len(g.Targets):len(g.Targets)], ec2api.RegisteredTarget{TargetID: ec2api.TargetID{ID: addr, Port: 4789}})
	l.snap.TargetGroups[tgARN] = &g
}

// healthy says which sensors pass their checks.
func (l *lab) healthy(addrs ...string) {
	any := false
	for key, t := range l.live.targets {
		ok := false
		for _, a := range addrs {
			ok = ok || key == targetKey(tgARN, ec2api.TargetID{ID: a, Port: 4789})
		}
		t.healthy.Store(ok)
		any = any || ok
	}
	l.live.open[tgARN].Store(!any)
}

// toNode sends a datagram of a client to a node and returns who got it.
func (l *lab) toNode(sport uint16, node string) string {
	l.t.Helper()
	got := l.send("eni-a1", l.frameOf("eni-a1", node, udp, sport, 4789, 0, 10))
	if len(got) == 0 {
		return ""
	}
	to := l.snap.Interfaces[got[0].to]
	ip := got[0].frame[lenEthernet:]
	if [4]byte(ip[12:16]) != [4]byte{10, 0, 1, 10} || [4]byte(ip[16:20]) != to.Addrs[0].As4() {
		l.t.Errorf("delivered from %v to %v: the client's address is to stay, the other to be the target's", ip[12:16], ip[16:20])
	}
	checksums(l.t, got[0].frame)
	return got[0].to
}

// Flows keep together, are spread, and move away from a target that is not healthy, and
// only those.
func TestBalance(t *testing.T) {
	l := balancerLab(t)
	l.compile()
	l.healthy("10.0.2.21", "10.0.2.22", "10.0.1.23")
	first := map[uint16]string{}
	count := map[string]int{}
	for port := range uint16(400) {
		to := l.toNode(port, "eni-nb")
		first[port] = to
		count[to]++
	}
	if count["eni-s3"] != 0 || count["eni-s1"] < 100 || count["eni-s2"] < 100 {
		t.Fatalf("spread over %v: want both sensors of the node's zone, and no other", count)
	}
	for port, to := range first {
		if got := l.toNode(port, "eni-nb"); got != to {
			t.Fatalf("flow %d went to %s, then to %s", port, to, got)
		}
	}
	if got := l.toNode(1, "eni-na"); got != "eni-s3" {
		t.Errorf("the node of zone a gave to %s", got)
	}

	l.healthy("10.0.2.22", "10.0.1.23")
	for port, to := range first {
		got := l.toNode(port, "eni-nb")
		if got != "eni-s2" {
			t.Fatalf("flow %d of %s went to %q while eni-s1 is unhealthy", port, to, got)
		}
	}
	node := l.live.nodes["eni-nb"]
	if n := node.Moved.Load(); n != uint64(count["eni-s1"]) {
		t.Errorf("%d flows moved, want the %d of eni-s1", n, count["eni-s1"])
	}
	// They stay where they are when the target is back; new flows come to it.
	l.healthy("10.0.2.21", "10.0.2.22", "10.0.1.23")
	for port := range first {
		if got := l.toNode(port, "eni-nb"); got != "eni-s2" {
			t.Fatalf("flow %d moved back to %s", port, got)
		}
	}
	back := 0
	for port := range uint16(100) {
		if l.toNode(1000+port, "eni-nb") == "eni-s1" {
			back++
		}
	}
	if back < 20 {
		t.Errorf("%d of 100 new flows at the target that is back", back)
	}
	// Idle flows are forgotten.
	l.now += int64(idleFlowUDP)
	l.f.tick(l.now)
	if n := len(node.flows); n != 0 {
		t.Errorf("%d flows remembered after the idle timeout", n)
	}
}

func TestBalanceEdges(t *testing.T) {
	for _, tc := range []struct {
		name    string
		set     func(l *lab)
		healthy []string
		node    string // default eni-nb
		want    string // "" for nobody
		drop    Reason
	}{
		{name: "no listener", drop: DropListener, set: func(l *lab) { delete(l.snap.Listeners, "l") }},
		{name: "listener of another port", drop: DropListener, set: func(l *lab) {
			x := *l.snap.Listeners["l"]
			x.Port = 4790
			l.snap.Listeners["l"] = &x
		}},
		{name: "none healthy in the zone", drop: DropNoTarget, healthy: []string{"10.0.1.23"}},
		{name: "none healthy in the zone, cross-zone", want: "eni-s3", healthy: []string{"10.0.1.23"}, set: crossZone},
		{name: "none healthy at all: all are used", want: "some"},
		{name: "no targets", drop: DropNoTarget, set: func(l *lab) {
			g := *l.snap.TargetGroups[tgARN]
			g.Targets = nil
			l.snap.TargetGroups[tgARN] = &g
		}},
		{name: "draining target gets no new flow", drop: DropNoTarget, healthy: []string{"10.0.1.23"}, node: "eni-na", set: func(l *lab) {
			g := *l.snap.TargetGroups[tgARN]
			g.Targets = append([]ec2api.RegisteredTarget(nil), g.Targets...)
			g.Targets[2].Draining = time.Unix(1, 0)
			l.snap.TargetGroups[tgARN] = &g
		}},
		{name: "balancer's group refuses", drop: DropIngressGroup, set: func(l *lab) {
			l.group("sg-lb", "in udp 4789 192.0.2.0/24", "out -1 0.0.0.0/0")
			balancerGroup(l)
		}},
		{name: "balancer's group, and the target's names it", want: "some", set: func(l *lab) {
			l.group("sg-lb", "in udp 4789 10.0.0.0/8", "out -1 0.0.0.0/0")
			l.group("sg-behind", "in udp 4789 sg-lb")
			balancerGroup(l)
			l.only("eni-s1", "sg-behind")
			l.only("eni-s2", "sg-behind")
		}},
		{name: "target's group refuses", drop: DropIngressGroup, healthy: []string{"10.0.2.21"}, set: func(l *lab) {
			l.group("sg-shut")
			l.only("eni-s1", "sg-shut")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := balancerLab(t)
			if tc.set != nil {
				tc.set(l)
			}
			l.compile()
			if l.live.open[tgARN] != nil {
				l.healthy(tc.healthy...)
			}
			node := tc.node
			if node == "" {
				node = "eni-nb"
			}
			got := l.toNode(4000, node)
			if got != tc.want && (tc.want != "some" || got == "") {
				t.Errorf("went to %q, want %q: %v", got, tc.want, dropsOf(l))
			}
			if tc.drop != passed && l.drops("eni-a1", tc.drop) != 1 {
				t.Errorf("not counted as %v: %v", tc.drop, dropsOf(l))
			}
		})
	}
}

func crossZone(l *lab) {
	lb := *l.snap.LoadBalancers[nlbARN]
	lb.Attributes = map[string]string{"load_balancing.cross_zone.enabled": "true"}
	l.snap.LoadBalancers[nlbARN] = &lb
}

func balancerGroup(l *lab) {
	lb := *l.snap.LoadBalancers[nlbARN]
	lb.Groups = []string{"sg-lb"}
	l.snap.LoadBalancers[nlbARN] = &lb
}

// A target answers its client; the client sees the load balancer.
func TestBalanceAnswer(t *testing.T) {
	l := balancerLab(t)
	l.compile()
	l.healthy("10.0.2.21")
	if l.toNode(4000, "eni-nb") != "eni-s1" {
		t.Fatal("not delivered")
	}
	got := l.send("eni-s1", l.frameOf("eni-s1", "eni-a1", udp, 4789, 4000, 0, 10))
	if len(got) != 1 || got[0].to != "eni-a1" {
		t.Fatalf("the answer went to %+v: %v", got, dropsOf(l))
	}
	ip := got[0].frame[lenEthernet:]
	if [4]byte(ip[12:16]) != [4]byte{10, 0, 2, 5} || binary.BigEndian.Uint16(ip[20:]) != 4789 {
		t.Errorf("the answer is from %v", ip[12:16])
	}
	checksums(t, got[0].frame)
}

// Mirrored packets of a session to a load balancer reach one of its targets with the
// source's address, by the node of the source's zone.
func TestMirrorToBalancer(t *testing.T) {
	l := balancerLab(t)
	l.filter("tmf-1", "in", "out")
	l.snap.Mirroring.Targets = []mirror.Target{{ID: "tmt-1", NetworkLoadBalancerARN: nlbARN}}
	l.session("tms-1", "eni-a1", "tmt-1", "tmf-1", 1)
	l.compile()
	l.healthy("10.0.2.21", "10.0.2.22", "10.0.1.23")
	count := func() map[string]int {
		out := map[string]int{}
		for port := range uint16(50) {
			for _, pair := range [][2]string{{"eni-a1", "eni-b1"}, {"eni-b1", "eni-a1"}} {
				sport, dport := port, uint16(80)
				if pair[0] == "eni-b1" {
					sport, dport = dport, sport
				}
				for _, d := range l.send(pair[0], l.frameOf(pair[0], pair[1], udp, sport, dport, 0, 10)) {
					if d.to != "eni-a1" && d.to != "eni-b1" {
						out[d.to]++
						checksums(t, d.frame)
						if [4]byte(d.frame[26:30]) != [4]byte{10, 0, 1, 10} {
							t.Errorf("outer source %v", d.frame[26:30])
						}
					}
				}
			}
		}
		return out
	}
	if got := count(); got["eni-s3"] != 100 {
		t.Errorf("%v, want all at the sensor of the source's zone", got)
	}
	crossZone(l)
	l.compile()
	l.healthy("10.0.2.21", "10.0.2.22", "10.0.1.23")
	l.now += int64(idleFlowUDP)
	got := count()
	if sum := got["eni-s1"] + got["eni-s2"] + got["eni-s3"]; sum != 100 || got["eni-s1"] == 0 || got["eni-s2"] == 0 || got["eni-s3"] == 0 {
		t.Errorf("%v, want all three", got)
	}
	delete(l.snap.Listeners, "l")
	l.compile()
	if got := count(); len(got) != 0 || counts(l, "tms-1").Drops[DropListener].Load() != 100 {
		t.Errorf("%v arrived without a listener", got)
	}
}

// A session to a Gateway Load Balancer endpoint reaches an appliance in GENEVE, with the
// options that AWS gives.
func TestMirrorToEndpoint(t *testing.T) {
	l := balancerLab(t)
	lb := *l.snap.LoadBalancers[nlbARN]
	lb.Type = ec2api.BalancerGateway
	l.snap.LoadBalancers[nlbARN] = &lb
	g := *l.snap.TargetGroups[tgARN]
	g.Protocol, g.Targets = "GENEVE", []ec2api.RegisteredTarget{{TargetID: ec2api.TargetID{ID: "10.0.2.21", Port: 6081}}}
	l.snap.TargetGroups[tgARN] = &g
	l.snap.Listeners["l"] = &ec2api.Listener{Resource: res("l"), LoadBalancer: nlbARN, Forward: []ec2api.Forward{{TargetGroup: tgARN, Weight: 1}}}
	const eni = "eni-0123456789abcdef0"
	l.eni(eni, "subnet-a", nil, "10.0.1.30")
	l.change(eni, func(n *ec2api.NetworkInterface) { n.Kind, n.Attachment = ec2api.KindGWLBEndpoint, nil })
	l.snap.EndpointServices["s"] = &ec2api.EndpointService{Resource: res("s"), Name: "svc", Type: "GatewayLoadBalancer", LoadBalancers: []string{nlbARN}}
	l.snap.VPCEndpoints["vpce-1"] = &ec2api.VPCEndpoint{Resource: res("vpce-1"), VPC: "vpc-1", Service: "svc", Type: "GatewayLoadBalancer", State: "available", Subnets: []string{"subnet-a"}, Interfaces: []string{eni}}
	l.filter("tmf-1", "out")
	l.snap.Mirroring.Targets = []mirror.Target{{ID: "tmt-1", GatewayLoadBalancerEndpointID: "vpce-1"}}
	l.session("tms-1", "eni-a1", "tmt-1", "tmf-1", 1)
	l.only("eni-s1", "sg-geneve")
	crossZone(l)
	// The endpoint leads to the node of its own zone, 10.0.1.5.
	l.group("sg-geneve", "in udp 6081 10.0.1.5/32")
	l.compile()
	frame := l.frameOf("eni-a1", "eni-b1", udp, 4000, 5000, 0, 10)
	var m []byte
	for _, d := range l.send("eni-a1", frame) {
		if d.to == "eni-s1" {
			m = d.frame
		}
	}
	if m == nil {
		t.Fatalf("nothing arrived: %v, session %d drops by target", dropsOf(l), counts(l, "tms-1").Drops[DropNoTarget].Load())
	}
	checksums(t, m)
	ip := m[lenEthernet:]
	if [4]byte(ip[12:16]) != [4]byte{10, 0, 1, 5} || [4]byte(ip[16:20]) != [4]byte{10, 0, 2, 21} || dstPort(m) != 6081 {
		t.Errorf("outer %v to %v port %d", ip[12:16], ip[16:20], dstPort(m))
	}
	gv, ok := packet.ParseGENEVE(ip[lenIPv4+lenUDP:])
	if !ok || gv.AWS().Endpoint != 0x123456789abcdef0 {
		t.Errorf("GENEVE %v %+v", ok, gv.AWS())
	}
	layers := packet.NewDecoder(packet.Options{}).Decode(nil, packet.LinkEthernet, m, len(m), 0)
	in := layers[len(layers)-1]
	if len(layers) != 3 || in.DstPort != 5000 || len(in.Data) != len(frame) {
		t.Errorf("%d layers, innermost to port %d of %d bytes", len(layers), in.DstPort, len(in.Data))
	}
}
