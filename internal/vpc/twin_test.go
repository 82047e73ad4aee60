package vpc

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// The fabric's compiled groups, network ACLs and routes say what the plain functions of
// the mirroring model say, of random rules and packets.
func TestPathTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.Addr {
		return netip.AddrFrom4([4]byte{10, byte(rng.IntN(2)), byte(rng.IntN(3)), byte(rng.IntN(3))})
	}
	prefix := func() netip.Prefix { return netip.PrefixFrom(addr(), []int{0, 8, 16, 24, 32}[rng.IntN(5)]).Masked() }
	protos := []string{"-1", "tcp", "udp", "icmp", "47"}
	verdicts := map[string]int{}
	for range 20_000 {
		var rules []ec2api.GroupRule
		for range 1 + rng.IntN(4) {
			r := ec2api.GroupRule{Egress: rng.IntN(2) == 0, Protocol: protos[rng.IntN(len(protos))], From: -1, To: -1}
			switch r.Protocol {
			case "tcp", "udp":
				r.From = rng.IntN(4)
				r.To = r.From + rng.IntN(3)
			case "icmp":
				if r.From = rng.IntN(10) - 1; r.From >= 0 {
					r.To = rng.IntN(3) - 1
				}
			}
			if rng.IntN(4) == 0 {
				r.GroupID = fmt.Sprintf("sg-%d", rng.IntN(2))
			} else {
				r.CIDR = prefix()
			}
			rules = append(rules, r)
		}
		g := &ec2api.SecurityGroup{Resource: res("sg-0"), Rules: rules}
		a := &ec2api.NetworkACL{Resource: res("acl-1")}
		for n := range 1 + rng.IntN(4) {
			e := ec2api.ACLEntry{Number: 100 - n, Egress: rng.IntN(2) == 0, Allow: rng.IntN(2) == 0, Protocol: []int{-1, 6, 17, 1}[rng.IntN(4)], CIDR: prefix()}
			if (e.Protocol == 6 || e.Protocol == 17) && rng.IntN(2) == 0 {
				e.Ports = &mirror.PortRange{From: 1, To: 1 + rng.IntN(3)}
			}
			if e.Protocol == 1 {
				k := rng.IntN(10) - 1
				e.ICMPType = &k
			}
			a.Entries = append(a.Entries, e)
		}
		rt := &ec2api.RouteTable{Resource: res("rtb-1")}
		for i := range 1 + rng.IntN(4) {
			rt.Routes = append(rt.Routes, ec2api.Route{CIDR: prefix(), Target: []string{"local", "igw-1", "eni-1"}[rng.IntN(3)], Origin: fmt.Sprint(i)})
		}

		h := head{version: 4, proto: []uint8{6, 17, 1, 47}[rng.IntN(4)], src: addr(), dst: addr()}
		p := mirror.Probe{Protocol: int(h.proto), Src: h.src, Dst: h.dst}
		switch h.proto {
		case 6, 17:
			h.sport, h.dport = uint16(rng.IntN(5)), uint16(rng.IntN(5))
			p.SrcPort, p.DstPort = int(h.sport), int(h.dport)
		case 1:
			h.icmpType, h.icmpCode = uint8(rng.IntN(9)), uint8(rng.IntN(2))
			p.ICMPType, p.ICMPCode = int(h.icmpType), int(h.icmpCode)
		}
		peerGroup := fmt.Sprintf("sg-%d", rng.IntN(3))
		far := &eni{groups: []*group{{id: peerGroup}}}

		c := &compiler{snap: &ec2api.Snapshot{Interfaces: map[string]*ec2api.NetworkInterface{"eni-1": {}}}}
		gm := g.Mirror()
		fast := &group{id: g.ID, ingress: c.groupRules(gm.Ingress), egress: c.groupRules(gm.Egress)}
		am := a.Mirror()
		acl := compileACL(am)
		for _, out := range []bool{false, true} {
			d, peer := mirror.Ingress, h.src
			if out {
				d, peer = mirror.Egress, h.dst
			}
			got := groupsAdmit([]*group{fast}, &h, peer, out, far, nil)
			want := mirror.GroupsAdmit([]mirror.SecurityGroup{gm}, d, p, []string{peerGroup}, nil)
			if got != want.Admitted {
				t.Fatalf("group %+v, %+v %s, peer in %s: %v, the model says %v (%s)", rules, p, d, peerGroup, got, want.Admitted, want.Why)
			}
			verdicts[fmt.Sprint("group ", got)]++
			if got, want := acl.passes(&h, out), mirror.ACLAdmits(&am, d, p); got != want.Admitted {
				t.Fatalf("network ACL %+v, %+v %s: %v, the model says %v (%s)", a.Entries, p, d, got, want.Admitted, want.Why)
			} else {
				verdicts[fmt.Sprint("acl ", got)]++
			}
		}
		s := &subnet{routes: c.routes(rt, &vpc{})}
		rm := rt.Mirror(func(string) bool { return false })
		want := mirror.LookupRoute(&rm, h.dst, nil)
		switch got := s.lookup(h.dst); {
		case (got != nil) != want.Found:
			t.Fatalf("routes %+v to %v: %v, the model says %+v", rt.Routes, h.dst, got, want)
		case got != nil && got.hop != map[string]hop{"local": hopLocal, "igw-1": hopOutside, "eni-1": hopENI}[want.Target]:
			t.Fatalf("routes %+v to %v: %+v, the model says %+v", rt.Routes, h.dst, got, want)
		}
	}
	for _, v := range []string{"group true", "group false", "acl true", "acl false"} {
		if verdicts[v] < 1000 {
			t.Errorf("only %d times %s: the cases are lopsided", verdicts[v], v)
		}
	}
}

// No frame makes the fabric panic or read beyond it, and what it delivers is a frame
// with headers that hold.
func FuzzFrame(f *testing.F) {
	l := newLab(f)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10", "fd00:1:0:1::a")
	l.eni("eni-b1", "subnet-b", []string{"sg-open"}, "10.0.2.10", "fd00:1:0:2::a")
	l.change("eni-a1", func(n *ec2api.NetworkInterface) { n.SourceDestCheck = false })
	l.filter("tmf-1", "in", "out", "dns")
	l.target("tmt-1", "eni-b1")
	l.session("tms-1", "eni-a1", "tmt-1", "tmf-1", 1)
	l.compile()
	a := l.snap.Interfaces["eni-a1"]
	f.Add(l.frameOf("eni-a1", "eni-b1", udp, 1, 2, 0, 10))
	f.Add(l.frameOf("eni-a1", "eni-b1", tcp, 1, 2, flagSYN, 0))
	f.Add(l.frameOf("eni-a1", "eni-b1", packet.ProtoICMP, 8, 2, 0, 30))
	f.Add(ipFrame(routerMAC("subnet-a"), a.MAC, a.Addrs[0], netip.MustParseAddr("10.0.0.2"), udp, 4000, 53, 0, 30))
	f.Add(ipFrame(routerMAC("subnet-a"), a.MAC, a.IPv6[0], netip.MustParseAddr("fd00:1:0:2::a"), udp, 4000, 53, 0, 30))
	v6 := ipFrame(routerMAC("subnet-a"), a.MAC, a.IPv6[0], netip.MustParseAddr("ff02::1"), packet.ProtoICMPv6, 135, 0, 0, 24)
	v6[21] = 255
	f.Add(v6)
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) > maxFrame {
			return
		}
		l.t = t
		for _, d := range l.send("eni-a1", frame) {
			if len(d.frame) < lenEthernet || len(d.frame) > maxFrame+maxTunnelHeaders {
				t.Fatalf("delivered %d bytes", len(d.frame))
			}
			if binary.BigEndian.Uint16(d.frame[12:]) == packet.EtherTypeIPv4 {
				var h head
				if r := h.parse(append([]byte(nil), d.frame...)); r != passed {
					t.Fatalf("delivered a frame that is %v: %x", r, d.frame)
				}
			}
		}
	})
}
