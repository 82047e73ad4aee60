package vpc

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// session makes a session of an interface to a target, through a filter of rules like
// "in 100 accept" with all protocols and addresses.
func (l *lab) session(id, source, target, filter string, number int) {
	b := &l.snap.Mirroring
	b.Sessions = append(b.Sessions, mirror.Session{ID: id, NetworkInterfaceID: source, TargetID: target, FilterID: filter, OwnerID: "123456789012", Number: number, VNI: uint32(1000 + number)})
}

// filter makes a filter that accepts the directions given: "in", "out", "dns".
func (l *lab) filter(id string, what ...string) {
	f := mirror.Filter{ID: id}
	for _, w := range what {
		any := netip.MustParsePrefix("0.0.0.0/0")
		r := mirror.FilterRule{ID: "tmfr-" + w, FilterID: id, Number: 100, Action: mirror.Accept, Protocol: mirror.AnyProtocol, SourceCIDR: any, DestinationCIDR: any}
		switch w {
		case "in":
			r.Direction = mirror.Ingress
		case "out":
			r.Direction = mirror.Egress
		case "dns":
			f.NetworkServices = []string{mirror.AmazonDNS}
			continue
		}
		f.Rules = append(f.Rules, r)
	}
	b := &l.snap.Mirroring
	b.Filters = append(b.Filters, f)
}

func (l *lab) target(id, eni string) {
	b := &l.snap.Mirroring
	b.Targets = append(b.Targets, mirror.Target{ID: id, NetworkInterfaceID: eni, OwnerID: "123456789012"})
}

// mirrorLab has two instances that talk and a sensor, and a session of eni-a1.
func mirrorLab(t testing.TB, what ...string) *lab {
	l := newLab(t)
	open := []string{"sg-open"}
	l.eni("eni-a1", "subnet-a", open, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", open, "10.0.2.10")
	l.eni("eni-s", "subnet-b", open, "10.0.2.20")
	l.change("eni-s", func(n *ec2api.NetworkInterface) { n.MTU = 9001 })
	l.filter("tmf-1", what...)
	l.target("tmt-1", "eni-s")
	l.session("tms-1", "eni-a1", "tmt-1", "tmf-1", 1)
	return l
}

func counts(l *lab, id string) *SessionCounters { return &l.live.sessions[id].count }

// What is mirrored arrives at the target as AWS sends it, both directions, and the
// original packet is as without it.
func TestMirrored(t *testing.T) {
	l := mirrorLab(t, "in", "out")
	l.compile()
	for _, dir := range []string{"out", "in"} {
		from, to := "eni-a1", "eni-b1"
		sport, dport := uint16(4000), uint16(5000)
		if dir == "in" {
			from, to, sport, dport = to, from, dport, sport
		}
		frame := l.frameOf(from, to, udp, sport, dport, 0, 100)
		got := l.send(from, frame)
		if len(got) != 2 {
			t.Fatalf("%s: %d delivered, want the packet and its copy: %v", dir, len(got), dropsOf(l))
		}
		copyAt := 0
		if got[1].to == "eni-s" {
			copyAt = 1
		}
		m, orig := got[copyAt], got[1-copyAt]
		if m.to != "eni-s" || orig.to != to || !bytes.Equal(orig.frame[lenEthernet:], frame[lenEthernet:]) {
			t.Fatalf("%s: delivered to %s and %s", dir, orig.to, m.to)
		}
		checksums(t, m.frame)
		ip := m.frame[lenEthernet:]
		if src, dst := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20])); src.String() != "10.0.1.10" || dst.String() != "10.0.2.20" {
			t.Errorf("%s: outer %v to %v", dir, src, dst)
		}
		if ip[8] != 255 || binary.BigEndian.Uint32(ip[4:]) != 0 || binary.BigEndian.Uint16(ip[26:]) != 0 || dstPort(m.frame) != 4789 {
			t.Errorf("%s: outer header %x is not AWS'", dir, ip[:36])
		}
		if vni := binary.BigEndian.Uint32(ip[32:]) >> 8; vni != 1001 {
			t.Errorf("%s: VNI %d", dir, vni)
		}
		want := frame // as the source sends it, or as it receives it
		if dir == "in" {
			want = orig.frame
		}
		if !bytes.Equal(ip[packet.MirrorOverhead:], want) {
			t.Errorf("%s: inner frame\n%x, want\n%x", dir, ip[packet.MirrorOverhead:], want)
		}
	}
	e := l.live.enis["eni-a1"]
	if c := counts(l, "tms-1"); c.Packets.Load() != 2 || e.mirrorIn.Packets.Load() != 1 || e.mirrorOut.Packets.Load() != 1 || e.mirrorOut.Bytes.Load() != lenEthernet+lenIPv4+lenUDP+100 {
		t.Errorf("counters: session %d, in %d, out %d of %d bytes", c.Packets.Load(), e.mirrorIn.Packets.Load(), e.mirrorOut.Packets.Load(), e.mirrorOut.Bytes.Load())
	}
}

// Which packets are mirrored, and what happens to the copies.
func TestMirrorPath(t *testing.T) {
	for _, tc := range []struct {
		name   string
		set    func(l *lab)
		in     bool   // a packet that the source receives
		copies int    // that arrive
		drop   Reason // why the copy did not
	}{
		{name: "plain", copies: 1},
		{name: "received, but the source's group refuses it", in: true, set: func(l *lab) { l.only("eni-a1", "sg-none") }},
		{name: "received, but the source's network ACL refuses it", in: true, set: func(l *lab) { l.deny(false, 17, "10.0.2.10/32") }},
		{name: "sent, though the source's group refuses it", copies: 1, set: func(l *lab) { l.only("eni-a1", "sg-none") }},
		{name: "target's group without UDP 4789", drop: DropIngressGroup, set: func(l *lab) { l.only("eni-s", "sg-none") }},
		{name: "target's group for the source's group", copies: 1, set: func(l *lab) {
			l.group("sg-sensor", "in udp 4789 sg-open")
			l.only("eni-s", "sg-sensor")
		}},
		{name: "target's group for others", drop: DropIngressGroup, set: func(l *lab) {
			l.group("sg-sensor", "in udp 4789 192.0.2.0/24")
			l.only("eni-s", "sg-sensor")
		}},
		{name: "network ACL of the target's subnet", drop: DropIngressNACL, set: func(l *lab) { l.denyPort(false, 4789) }},
		{name: "network ACL of the source's subnet", drop: DropEgressNACL, set: func(l *lab) { l.denyPort(true, 4789) }},
		{name: "no route from the source's subnet", drop: DropNoRoute, set: func(l *lab) { l.routes("10.0.2.20/32 eni-gone", "10.0.0.0/16 local") }},
		{name: "target stopped", set: func(l *lab) {
			i := *l.snap.Instances["i-eni-s"]
			i.State = ec2api.Stopped
			l.snap.Instances["i-eni-s"] = &i
		}},
		{name: "target's interface deleted", set: func(l *lab) { delete(l.snap.Interfaces, "eni-s") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := mirrorLab(t, "in", "out")
			l.group("sg-none", "in tcp 1 192.0.2.0/24")
			if tc.set != nil {
				tc.set(l)
			}
			l.compile()
			from, to := "eni-a1", "eni-b1"
			if tc.in {
				from, to = to, from
			}
			copies := 0
			for _, d := range l.send(from, l.frameOf(from, to, udp, 4000, 5000, 0, 10)) {
				if d.to == "eni-s" {
					copies++
				}
			}
			if copies != tc.copies {
				t.Errorf("%d copies arrived, want %d: %v", copies, tc.copies, dropsOf(l))
			}
			if tc.drop != passed && counts(l, "tms-1").Drops[tc.drop].Load() != 1 {
				t.Errorf("the copy is not counted as %v", tc.drop)
			}
		})
	}
}

// only gives an interface one security group.
func (l *lab) only(eni, group string) {
	l.change(eni, func(n *ec2api.NetworkInterface) { n.Groups = []string{group} })
}

func (l *lab) denyPort(out bool, port int) {
	a := *l.snap.NetworkACLs["acl-1"]
	a.Entries = append([]ec2api.ACLEntry{{Number: 10, Egress: out, Protocol: 17, CIDR: netip.MustParsePrefix("0.0.0.0/0"), Ports: &mirror.PortRange{From: port, To: port}}}, a.Entries...)
	l.snap.NetworkACLs["acl-1"] = &a
}

// DNS with the Amazon resolver is mirrored by amazon-dns alone, both ways.
func TestMirrorDNS(t *testing.T) {
	for _, with := range []bool{false, true} {
		what := []string{"in", "out"}
		if with {
			what = append(what, "dns")
		}
		l := mirrorLab(t, what...)
		l.compile()
		me := l.snap.Interfaces["eni-a1"]
		q := []byte("\x00\x4d\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04evil\x07example\x00\x00\x01\x00\x01")
		f := ipFrame(routerMAC("subnet-a"), me.MAC, me.Addrs[0], netip.MustParseAddr("10.0.0.2"), udp, 4000, 53, 0, len(q))
		copy(f[lenEthernet+lenIPv4+lenUDP:], q)
		packet.SetChecksums(f[lenEthernet:])
		copies, answers := 0, 0
		for _, d := range l.send("eni-a1", f) {
			switch d.to {
			case "eni-s":
				copies++
			case "eni-a1":
				answers++
			}
		}
		if want := map[bool]int{true: 2}[with]; copies != want || answers != 1 {
			t.Errorf("with amazon-dns %v: %d copies and %d answers, want %d and 1", with, copies, answers, want)
		}
	}
}

// Copies are cut to what the target's MTU takes, and never mirrored again.
func TestMirrorMTUAndLoop(t *testing.T) {
	l := mirrorLab(t, "in", "out")
	l.change("eni-s", func(n *ec2api.NetworkInterface) { n.MTU = 500 })
	l.filter("tmf-all", "in", "out")
	l.session("tms-2", "eni-s", "tmt-1", "tmf-all", 2) // the target mirrors itself to itself
	l.compile()
	got := l.send("eni-a1", l.frameOf("eni-a1", "eni-b1", udp, 1, 2, 0, 1000))
	for _, d := range got {
		if d.to == "eni-s" && len(d.frame) != lenEthernet+500 {
			t.Errorf("the copy has %d bytes, want one packet of 500", len(d.frame))
		}
	}
	if len(got) != 2 || counts(l, "tms-1").CutByMTU.Load() != 1 {
		t.Errorf("%d delivered, %d cut", len(got), counts(l, "tms-1").CutByMTU.Load())
	}
}

// The token bucket holds back mirrored packets only.
func TestMirrorLimit(t *testing.T) {
	l := mirrorLab(t, "out")
	l.opts.mirrorBps = 8 * 100_000
	l.compile()
	originals, copies := 0, 0
	for range 100 {
		l.now -= 1e6 // all at the same moment
		for _, d := range l.send("eni-a1", l.frameOf("eni-a1", "eni-b1", udp, 1, 2, 0, 1400)) {
			if d.to == "eni-s" {
				copies++
			} else {
				originals++
			}
		}
	}
	c := counts(l, "tms-1")
	if originals != 100 || copies == 0 || copies > 10 || c.SkippedPackets.Load() != uint64(100-copies) {
		t.Errorf("%d originals, %d copies, %d skipped", originals, copies, c.SkippedPackets.Load())
	}
	l.now += 1e9
	if n := len(l.send("eni-a1", l.frameOf("eni-a1", "eni-b1", udp, 1, 2, 0, 1400))); n != 2 {
		t.Errorf("%d delivered after a second of rest, want 2", n)
	}
}

// A thousand changes of a filter under traffic: each packet is delivered, and mirrored or
// not as one version of the program says.
func TestMirrorChanges(t *testing.T) {
	l := mirrorLab(t, "out")
	on := l.snap.Mirroring.Filters[0].Rules
	mirrored := uint64(0)
	for i := range 1000 {
		l.snap.Mirroring.Filters[0].Rules = on
		if i%2 == 1 {
			l.snap.Mirroring.Filters[0].Rules = nil
		}
		l.compile()
		for k := range 3 {
			got := l.send("eni-a1", l.frameOf("eni-a1", "eni-b1", udp, uint16(10000+i), uint16(20000+k), 0, 10))
			if len(got) != 2-i%2 {
				t.Fatalf("change %d: %d delivered", i, len(got))
			}
			mirrored += uint64(len(got) - 1)
		}
	}
	if n := counts(l, "tms-1").Packets.Load(); n != mirrored || n != 1500 {
		t.Errorf("%d mirrored, counted %d, want 1500", mirrored, n)
	}
}

// Forwarding and mirroring allocate nothing for a packet of a known flow.
func TestNoAllocations(t *testing.T) {
	l := mirrorLab(t, "in", "out")
	l.group("sg-udp", "in udp 0-65535 10.0.0.0/16", "out udp 0-65535 10.0.0.0/16", "in udp 4789 10.0.0.0/8")
	for _, id := range []string{"eni-a1", "eni-b1", "eni-s"} {
		l.only(id, "sg-udp")
	}
	l.compile()
	frame := l.frameOf("eni-a1", "eni-b1", udp, 4000, 5000, 0, 100)
	if n := len(l.send("eni-a1", frame)); n != 2 {
		t.Fatalf("%d delivered: %v", n, dropsOf(l))
	}
	e := l.f.plan.enis["eni-a1"]
	buf := make([]byte, len(frame))
	if n := testing.AllocsPerRun(200, func() {
		l.f.begin()
		copy(buf, frame)
		l.f.frame(e, buf, l.now)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
