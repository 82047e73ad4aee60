package vpc

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"mirador/internal/ec2api"
	"mirador/internal/packet"
)

const (
	tcp = packet.ProtoTCP
	udp = packet.ProtoUDP
)

// Who gets a frame, and why not.
func TestDelivery(t *testing.T) {
	open := []string{"sg-open"}
	for _, tc := range []struct {
		name string
		set  func(l *lab)
		from string // default eni-a1
		to   string // receiver's address in the frame; default eni-b1
		want Reason
		get  string // who gets it; default to
	}{
		{name: "same subnet", to: "eni-a2"},
		{name: "other subnet"},
		{name: "sender's group", want: DropEgressGroup, set: func(l *lab) { l.group("sg-open", "in -1 0.0.0.0/0") }},
		{name: "receiver's group", want: DropIngressGroup, set: func(l *lab) {
			l.group("sg-web", "in tcp 80 0.0.0.0/0", "out -1 0.0.0.0/0")
			l.change("eni-b1", func(n *ec2api.NetworkInterface) { n.Groups = []string{"sg-web"} })
		}},
		{name: "receiver's group names the sender's", set: func(l *lab) {
			l.group("sg-web", "in udp 0-65535 sg-open")
			l.change("eni-b1", func(n *ec2api.NetworkInterface) { n.Groups = []string{"sg-web"} })
		}},
		{name: "receiver's group names another", want: DropIngressGroup, set: func(l *lab) {
			l.group("sg-web", "in udp 0-65535 sg-web")
			l.change("eni-b1", func(n *ec2api.NetworkInterface) { n.Groups = []string{"sg-web"} })
		}},
		{name: "no groups", want: DropIngressGroup, set: func(l *lab) {
			l.change("eni-b1", func(n *ec2api.NetworkInterface) { n.Groups = nil })
		}},
		{name: "network ACL out", want: DropEgressNACL, set: func(l *lab) { l.deny(true, 17, "10.0.2.0/24") }},
		{name: "network ACL in", want: DropIngressNACL, set: func(l *lab) { l.deny(false, 17, "10.0.1.0/24") }},
		{name: "network ACL of another protocol", set: func(l *lab) { l.deny(false, 6, "10.0.1.0/24") }},
		{name: "network ACL within a subnet", to: "eni-a2", set: func(l *lab) { l.deny(false, 17, "10.0.0.0/8") }},
		{name: "no route", want: DropNoRoute, set: func(l *lab) { l.routes() }},
		{name: "route out of the VPC", want: DropOutside, set: func(l *lab) { l.routes("10.0.2.0/24 igw-1", "10.0.0.0/16 local") }},
		{name: "blackhole", want: DropNoRoute, set: func(l *lab) { l.routes("10.0.2.0/24 eni-none", "10.0.0.0/16 local") }},
		{name: "through an appliance", get: "eni-a2", set: func(l *lab) {
			l.routes("10.0.2.0/24 eni-a2", "10.0.0.0/16 local")
			l.change("eni-a2", func(n *ec2api.NetworkInterface) { n.SourceDestCheck = false })
		}},
		{name: "through an appliance that checks", want: DropDestCheck, set: func(l *lab) { l.routes("10.0.2.0/24 eni-a2", "10.0.0.0/16 local") }},
		{name: "receiver stopped", want: DropNoDevice, set: func(l *lab) {
			i := *l.snap.Instances["i-eni-b1"]
			i.State = ec2api.Stopped
			l.snap.Instances["i-eni-b1"] = &i
		}},
		{name: "receiver gone", want: DropNoHost, set: func(l *lab) {
			l.change("eni-b1", func(n *ec2api.NetworkInterface) { n.Addrs = []netip.Addr{netip.MustParseAddr("10.0.2.99")} })
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			l.eni("eni-a1", "subnet-a", open, "10.0.1.10")
			l.eni("eni-a2", "subnet-a", open, "10.0.1.11")
			l.eni("eni-b1", "subnet-b", open, "10.0.2.10")
			to := tc.to
			if to == "" {
				to = "eni-b1"
			}
			frame := l.frameOf("eni-a1", to, udp, 4000, 5000, 0, 10)
			if tc.set != nil {
				tc.set(l)
			}
			l.compile()
			got := l.send("eni-a1", frame)
			if tc.want != passed {
				if len(got) != 0 {
					t.Fatalf("delivered to %s", got[0].to)
				}
				if n := l.drops("eni-a1", tc.want) + l.drops(to, tc.want); n != 1 {
					t.Fatalf("%d dropped as %v; all: %v", n, tc.want, dropsOf(l))
				}
				return
			}
			get := tc.get
			if get == "" {
				get = to
			}
			if len(got) != 1 || got[0].to != get {
				t.Fatalf("delivered to %+v, want %s; drops %v", got, get, dropsOf(l))
			}
			if !bytes.Equal(got[0].frame[lenEthernet:], frame[lenEthernet:]) {
				t.Errorf("the packet changed on its way:\n%x\n%x", frame, got[0].frame)
			}
			r := l.snap.Interfaces[get]
			if mac := [6]byte(got[0].frame[:6]); mac != r.MAC {
				t.Errorf("to %x, want the receiver's %x", mac, r.MAC)
			}
			want := l.snap.Interfaces["eni-a1"].MAC
			if r.Subnet != "subnet-a" {
				want = routerMAC(r.Subnet)
			}
			if mac := [6]byte(got[0].frame[6:12]); mac != want {
				t.Errorf("from %x, want %x", mac, want)
			}
		})
	}
}

func dropsOf(l *lab) map[string]uint64 {
	out := map[string]uint64{}
	for id, e := range l.live.enis {
		for r := range dropKinds {
			if n := e.count.Drops[r].Load(); n > 0 {
				out[id+" "+r.String()] = n
			}
		}
	}
	return out
}

// deny puts an entry before all others of the network ACL.
func (l *lab) deny(out bool, proto int, cidr string) {
	a := *l.snap.NetworkACLs["acl-1"]
	a.Entries = append([]ec2api.ACLEntry{{Number: 10, Egress: out, Protocol: proto, CIDR: netip.MustParsePrefix(cidr)}}, a.Entries...)
	l.snap.NetworkACLs["acl-1"] = &a
}

// routes replaces the main route table by "CIDR target" lines.
func (l *lab) routes(lines ...string) {
	t := *l.snap.RouteTables["rtb-1"]
	t.Routes = nil
	for _, s := range lines {
		cidr, target, _ := bytes.Cut([]byte(s), []byte(" "))
		t.Routes = append(t.Routes, ec2api.Route{CIDR: netip.MustParsePrefix(string(cidr)), Target: string(target)})
	}
	l.snap.RouteTables["rtb-1"] = &t
}

// What a sender may not do.
func TestSender(t *testing.T) {
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", []string{"sg-open"}, "10.0.2.10")
	l.compile()
	good := l.frameOf("eni-a1", "eni-b1", udp, 4000, 5000, 0, 10)
	with := func(f func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		f(b)
		return b
	}
	to := func(a string) []byte {
		return ipFrame(routerMAC("subnet-a"), l.snap.Interfaces["eni-a1"].MAC, netip.MustParseAddr("10.0.1.10"), netip.MustParseAddr(a), udp, 1, 2, 0, 4)
	}
	for _, tc := range []struct {
		name  string
		frame []byte
		want  Reason
	}{
		{"another hardware address", with(func(b []byte) { b[11] ^= 9 }), DropSourceCheck},
		{"another address", with(func(b []byte) { b[lenEthernet+15]++ }), DropSourceCheck},
		{"VLAN tag", with(func(b []byte) { b[12], b[13] = 0x81, 0 }), DropVLAN},
		{"another EtherType", with(func(b []byte) { b[12], b[13] = 0x88, 0xcc }), DropEtherType},
		{"cut", good[:30], DropShort},
		{"total length beyond the frame", with(func(b []byte) { b[16] = 9 }), DropShort},
		{"header length 0", with(func(b []byte) { b[14] = 0x40 }), DropShort},
		{"instance metadata", to("169.254.169.254"), DropLinkLocal},
		{"Amazon time", to("169.254.169.123"), DropLinkLocal},
		{"multicast", to("224.0.0.1"), DropMulticast},
		{"broadcast", to("255.255.255.255"), DropMulticast},
		{"internet", to("192.0.2.1"), DropNoRoute},
		{"router", to("10.0.1.1"), DropNoHost},
		{"unknown neighbour's hardware address", with(func(b []byte) { copy(b, []byte{2, 9, 9, 9, 9, 9}) }), DropNoHost},
	} {
		before := l.drops("eni-a1", tc.want)
		if got := l.send("eni-a1", tc.frame); len(got) != 0 {
			t.Errorf("%s: delivered to %s", tc.name, got[0].to)
		}
		if l.drops("eni-a1", tc.want) != before+1 {
			t.Errorf("%s: not dropped as %v: %v", tc.name, tc.want, dropsOf(l))
		}
	}
	if got := l.send("eni-a1", good); len(got) != 1 {
		t.Errorf("the unchanged frame was not delivered: %v", dropsOf(l))
	}
}

// A security group remembers connections: answers come in without a rule, for as long as
// the connection is in use, and even when the rule that admitted it is gone.
func TestTracking(t *testing.T) {
	l := newLab(t)
	l.group("sg-client", "out tcp 80 10.0.0.0/16", "out udp 53 10.0.0.0/16", "out icmp 10.0.0.0/16")
	l.group("sg-server", "in tcp 80 10.0.0.0/16", "in udp 53 10.0.0.0/16", "in icmp 10.0.0.0/16")
	l.eni("eni-a1", "subnet-a", []string{"sg-client"}, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", []string{"sg-server"}, "10.0.2.10")
	l.compile()
	there := func(proto uint8, sport, dport uint16, flags uint8) int {
		return len(l.send("eni-a1", l.frameOf("eni-a1", "eni-b1", proto, sport, dport, flags, 0)))
	}
	back := func(proto uint8, sport, dport uint16, flags uint8) int {
		return len(l.send("eni-b1", l.frameOf("eni-b1", "eni-a1", proto, sport, dport, flags, 0)))
	}
	if back(tcp, 80, 4000, flagSYN|flagACK) != 0 {
		t.Error("an answer to nothing was delivered")
	}
	if there(tcp, 4000, 80, flagSYN) != 1 || back(tcp, 80, 4000, flagSYN|flagACK) != 1 || there(tcp, 4000, 80, flagACK) != 1 {
		t.Fatalf("no TCP handshake: %v", dropsOf(l))
	}
	if there(udp, 4000, 53, 0) != 1 || back(udp, 53, 4000, 0) != 1 {
		t.Errorf("no UDP answer: %v", dropsOf(l))
	}
	if back(udp, 53, 4001, 0) != 0 {
		t.Error("an answer on another port was delivered")
	}
	if there(packet.ProtoICMP, 8, 7, 0) != 1 || back(packet.ProtoICMP, 0, 7, 0) != 1 {
		t.Errorf("no echo: %v", dropsOf(l))
	}
	if back(packet.ProtoICMP, 0, 8, 0) != 0 {
		t.Error("an echo reply to nothing was delivered")
	}

	// An ICMP error about a packet of the connection belongs to it.
	unreachable := func(sport uint16) int {
		quote := l.frameOf("eni-a1", "eni-b1", udp, sport, 53, 0, 0)[lenEthernet:]
		b := packet.AppendEthernet(nil, routerMAC("subnet-b"), l.snap.Interfaces["eni-b1"].MAC, packet.EtherTypeIPv4)
		b = packet.AppendIPv4(b, packet.IPv4{Src: [4]byte{10, 0, 2, 10}, Dst: [4]byte{10, 0, 1, 10}, Proto: packet.ProtoICMP}, 8+len(quote))
		b = packet.AppendICMP(b, 3, 3, 0)
		b = append(b, quote...)
		packet.SetChecksums(b[lenEthernet:])
		return len(l.send("eni-b1", b))
	}
	if unreachable(4000) != 1 {
		t.Errorf("an error about a known flow was not delivered: %v", dropsOf(l))
	}
	if unreachable(4999) != 0 {
		t.Error("an error about an unknown flow was delivered")
	}

	// The rules go; the connection stays, new ones do not come.
	l.group("sg-client")
	l.group("sg-server")
	l.compile()
	if there(tcp, 4000, 80, flagACK) != 1 || back(tcp, 80, 4000, flagACK) != 1 {
		t.Errorf("the connection ended with the rule: %v", dropsOf(l))
	}
	if there(tcp, 4001, 80, flagSYN) != 0 {
		t.Error("a new connection passed without a rule")
	}
	// Both sides finish, then the ports are used again.
	there(tcp, 4000, 80, flagFIN|flagACK)
	back(tcp, 80, 4000, flagFIN|flagACK)
	if there(tcp, 4000, 80, flagSYN) != 0 {
		t.Error("a new connection passed for an old one")
	}
	// Idle for too long.
	l.now += int64(idleUDPStream)
	if back(udp, 53, 4000, 0) != 0 {
		t.Error("an answer after the idle timeout was delivered")
	}
	l.f.tick(l.now)
	l.now += int64(idleTCP)
	l.f.tick(l.now)
	for id, e := range l.live.enis {
		if n := len(e.tracker.entries); n != 0 {
			t.Errorf("%s still remembers %d connections", id, n)
		}
	}
}

// What a rule for everybody admits both ways is not remembered, so that closing the
// group stops it at once.
func TestUntracked(t *testing.T) {
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", []string{"sg-open"}, "10.0.2.10")
	l.compile()
	f := l.frameOf("eni-a1", "eni-b1", udp, 4000, 5000, 0, 0)
	if len(l.send("eni-a1", f)) != 1 || len(l.live.enis["eni-b1"].tracker.entries) != 0 {
		t.Fatal("a flow between open groups is tracked")
	}
	l.group("sg-open", "out -1 0.0.0.0/0")
	l.compile()
	if len(l.send("eni-a1", f)) != 0 {
		t.Error("the flow goes on after its rule has gone")
	}
}

// The table of connections is bounded: what does not fit is refused and counted.
func TestTrackingFull(t *testing.T) {
	l := newLab(t)
	l.group("sg-udp", "in udp 0-65535 10.0.0.0/16")
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", []string{"sg-udp"}, "10.0.2.10")
	l.compile()
	tr := &l.live.enis["eni-b1"].tracker
	h := head{version: 4, proto: udp, src: netip.MustParseAddr("10.0.1.10"), dst: netip.MustParseAddr("10.0.2.10")}
	for i := range maxTracked {
		h.sport, h.dport = uint16(i), 1
		if !tr.add(&h, false, l.now) {
			t.Fatalf("full after %d", i)
		}
	}
	f := l.frameOf("eni-a1", "eni-b1", udp, 4000, 5000, 0, 0)
	if len(l.send("eni-a1", f)) != 0 || l.drops("eni-a1", DropTracked) != 1 {
		t.Fatalf("not dropped as %v: %v", DropTracked, dropsOf(l))
	}
	l.now += int64(idleUDP)
	for range maxTracked/maxSweep + 1 {
		l.f.tick(l.now)
	}
	if len(l.send("eni-a1", f)) != 1 {
		t.Errorf("not delivered after others were forgotten: %v", dropsOf(l))
	}
}

// Fragments have the ports of the first one.
func TestFragments(t *testing.T) {
	l := newLab(t)
	l.group("sg-dns", "in udp 53 10.0.0.0/16")
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", []string{"sg-dns"}, "10.0.2.10")
	l.compile()
	frag := func(id, field uint16, dport uint16) []byte {
		b := l.frameOf("eni-a1", "eni-b1", udp, 4000, dport, 0, 64)
		binary.BigEndian.PutUint16(b[lenEthernet+4:], id)
		binary.BigEndian.PutUint16(b[lenEthernet+6:], field)
		return b
	}
	if len(l.send("eni-a1", frag(1, 9, 0))) != 0 || l.drops("eni-a1", DropFragment) != 1 {
		t.Errorf("a fragment without a first one was delivered: %v", dropsOf(l))
	}
	if len(l.send("eni-a1", frag(2, 0x2000, 53))) != 1 || len(l.send("eni-a1", frag(2, 9, 0))) != 1 {
		t.Errorf("fragments of an admitted packet were not delivered: %v", dropsOf(l))
	}
	if len(l.send("eni-a1", frag(3, 0x2000, 54))) != 0 || len(l.send("eni-a1", frag(3, 9, 53))) != 0 {
		t.Error("fragments of a refused packet were delivered")
	}
	for i := range maxFragments + 10 {
		l.send("eni-a1", frag(uint16(i), 0x2000, 53))
	}
	if n := len(l.f.frags.entries); n > maxFragments {
		t.Errorf("%d fragmented packets remembered, more than %d", n, maxFragments)
	}
}

// A packet that is longer than the receiver's MTU is answered with its MTU.
func TestTooBig(t *testing.T) {
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10", "fd00:1:0:1::a")
	l.eni("eni-b1", "subnet-b", []string{"sg-open"}, "10.0.2.10", "fd00:1:0:2::a")
	l.change("eni-a1", func(n *ec2api.NetworkInterface) { n.MTU = 9001 })
	l.compile()
	got := l.send("eni-a1", l.frameOf("eni-a1", "eni-b1", udp, 1, 2, 0, 1473))
	if len(got) != 1 || got[0].to != "eni-a1" || got[0].frame[lenEthernet+lenIPv4] != 3 || binary.BigEndian.Uint16(got[0].frame[lenEthernet+lenIPv4+6:]) != 1500 {
		t.Fatalf("got %+v, want an ICMP error with MTU 1500", got)
	}
	checksums(t, got[0].frame)
	if got := l.send("eni-a1", l.frameOf("eni-a1", "eni-b1", udp, 1, 2, 0, 1472)); len(got) != 1 || got[0].to != "eni-b1" {
		t.Errorf("a packet of 1500 bytes went to %+v", got)
	}
	a, b := l.snap.Interfaces["eni-a1"], l.snap.Interfaces["eni-b1"]
	got = l.send("eni-a1", ipFrame(routerMAC("subnet-a"), a.MAC, a.IPv6[0], b.IPv6[0], udp, 1, 2, 0, 1500))
	if len(got) != 1 || got[0].to != "eni-a1" || got[0].frame[lenEthernet+lenIPv6] != 2 {
		t.Fatalf("got %+v, want an ICMPv6 error", got)
	}
	checksums(t, got[0].frame)
}

// The router answers for itself, neighbours are answered for, nobody else is.
func TestNeighbours(t *testing.T) {
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10", "fd00:1:0:1::a")
	l.eni("eni-a2", "subnet-a", []string{"sg-open"}, "10.0.1.11", "fd00:1:0:1::b")
	l.eni("eni-b1", "subnet-b", []string{"sg-open"}, "10.0.2.10")
	l.compile()
	me := l.snap.Interfaces["eni-a1"]
	for asked, want := range map[string][6]byte{
		"10.0.1.1": routerMAC("subnet-a"), "10.0.1.11": l.snap.Interfaces["eni-a2"].MAC,
		"10.0.1.10": {}, "10.0.1.77": {}, "10.0.2.10": {},
	} {
		b := packet.AppendEthernet(nil, [6]byte{255, 255, 255, 255, 255, 255}, me.MAC, packet.EtherTypeARP)
		b = append(b, 0, 1, 8, 0, 6, 4, 0, 1)
		b = append(b, me.MAC[:]...)
		a := netip.MustParseAddr(asked).As4()
		b = append(append(append(b, 10, 0, 1, 10), make([]byte, 6)...), a[:]...)
		got := l.send("eni-a1", b)
		if want == ([6]byte{}) {
			if len(got) != 0 {
				t.Errorf("who has %s was answered", asked)
			}
			continue
		}
		if len(got) != 1 || got[0].to != "eni-a1" || [6]byte(got[0].frame[22:28]) != want || !bytes.Equal(got[0].frame[28:32], a[:]) {
			t.Errorf("who has %s: %x, want %x", asked, got, want)
		}
	}
	for asked, want := range map[string][6]byte{
		linkLocal(routerMAC("subnet-a")).String(): routerMAC("subnet-a"), "fd00:1:0:1::b": l.snap.Interfaces["eni-a2"].MAC, "fd00:1:0:1::99": {},
	} {
		a := netip.MustParseAddr(asked).As16()
		b := packet.AppendEthernet(nil, [6]byte{0x33, 0x33, 0xff, 0, 0, 1}, me.MAC, packet.EtherTypeIPv6)
		b = packet.AppendIPv6(b, packet.IPv6{Src: me.IPv6[0].As16(), Dst: netip.MustParseAddr("ff02::1:ff00:1").As16(), Next: packet.ProtoICMPv6, HopLimit: 255}, 24)
		b = packet.AppendICMP(b, 135, 0, 0)
		b = append(b, a[:]...)
		packet.SetChecksums(b[lenEthernet:])
		got := l.send("eni-a1", b)
		if want == ([6]byte{}) {
			if len(got) != 0 {
				t.Errorf("%s was answered", asked)
			}
			continue
		}
		if len(got) != 1 || [6]byte(got[0].frame[len(got[0].frame)-6:]) != want {
			t.Errorf("%s: %x, want %x", asked, got, want)
			continue
		}
		checksums(t, got[0].frame)
	}
}

// The Amazon resolver knows the instances, and neither groups nor network ACLs stop it.
func TestResolver(t *testing.T) {
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", nil, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", nil, "10.0.2.10", "fd00:1:0:2::a")
	i := *l.snap.Instances["i-eni-b1"]
	i.Tags = append(i.Tags, tag("Name", "Web Server"))
	l.snap.Instances["i-eni-b1"] = &i
	l.opts.names = map[string][]netip.Addr{"evil.example": {netip.MustParseAddr("203.0.113.5")}}
	l.deny(true, -1, "0.0.0.0/0")
	l.compile()
	ask := func(server, name string, typ dnsmessage.Type) (dnsmessage.Message, bool) {
		q := dnsmessage.Message{Header: dnsmessage.Header{ID: 77, RecursionDesired: true}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}}}
		raw, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		me := l.snap.Interfaces["eni-a1"]
		f := ipFrame(routerMAC("subnet-a"), me.MAC, me.Addrs[0], netip.MustParseAddr(server), udp, 4000, 53, 0, len(raw))
		copy(f[lenEthernet+lenIPv4+lenUDP:], raw)
		packet.SetChecksums(f[lenEthernet:])
		got := l.send("eni-a1", f)
		if len(got) != 1 || got[0].to != "eni-a1" {
			return dnsmessage.Message{}, false
		}
		checksums(t, got[0].frame)
		var m dnsmessage.Message
		if err := m.Unpack(got[0].frame[lenEthernet+lenIPv4+lenUDP:]); err != nil {
			t.Fatal(err)
		}
		return m, m.ID == 77 && m.Response
	}
	for _, tc := range []struct {
		server, name string
		typ          dnsmessage.Type
		code         dnsmessage.RCode
		answers      int
	}{
		{"10.0.0.2", "ip-10-0-2-10.ec2.internal.", dnsmessage.TypeA, 0, 1},
		{"169.254.169.253", "WEB-server.ec2.internal.", dnsmessage.TypeA, 0, 1},
		{"10.0.0.2", "web-server.ec2.internal.", dnsmessage.TypeAAAA, 0, 1},
		{"10.0.0.2", "i-eni-b1.ec2.internal.", dnsmessage.TypeTXT, 0, 0},
		{"10.0.0.2", "evil.example.", dnsmessage.TypeA, 0, 1},
		{"10.0.0.2", "nowhere.example.", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0},
		{"10.0.0.2", "10.2.0.10.in-addr.arpa.", dnsmessage.TypePTR, 0, 1},
		{"10.0.0.2", "11.2.0.10.in-addr.arpa.", dnsmessage.TypePTR, dnsmessage.RCodeNameError, 0},
	} {
		m, ok := ask(tc.server, tc.name, tc.typ)
		if !ok || m.RCode != tc.code || len(m.Answers) != tc.answers {
			t.Errorf("%s %s of %s: %v %+v, want %v and %d answers", tc.name, tc.typ, tc.server, ok, m, tc.code, tc.answers)
		}
	}
	v := *l.snap.VPCs["vpc-1"]
	v.DNSSupport = false
	l.snap.VPCs["vpc-1"] = &v
	l.compile()
	if _, ok := ask("10.0.0.2", "evil.example.", dnsmessage.TypeA); ok {
		t.Error("a VPC without DNS support has a resolver")
	}
}

// TestPeering sends between two VPCs: a connection that is active carries what the routes
// of the sender give it, any other is a black hole, as is a route whose target was deleted.
func TestPeering(t *testing.T) {
	for _, tc := range []struct {
		name, state string
		gone        bool
		want        Reason
	}{{"active", "active", false, passed}, {"pending", "pending-acceptance", false, DropNoRoute}, {"deleted", "deleted", false, DropNoRoute}, {"route to what was deleted", "active", true, DropNoRoute}} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			s := l.snap
			s.VPCs["vpc-2"] = &ec2api.VPC{Resource: res("vpc-2"), CIDRs: []ec2api.CIDRAssociation{{CIDR: netip.MustParsePrefix("10.9.0.0/16")}}}
			s.Subnets["subnet-c"] = &ec2api.Subnet{Resource: res("subnet-c"), VPC: "vpc-2", Zone: "us-east-1a", CIDR: netip.MustParsePrefix("10.9.1.0/24")}
			acl := *s.NetworkACLs["acl-1"]
			acl.ID, acl.VPC, acl.Associations = "acl-2", "vpc-2", []ec2api.Association{{Subnet: "subnet-c"}}
			s.NetworkACLs["acl-2"] = &acl
			s.Peerings = map[string]*ec2api.Peering{"pcx-1": {Resource: res("pcx-1"), Requester: "vpc-2", Accepter: "vpc-1", State: tc.state}}
			l.routes("10.9.0.0/16 pcx-1", "10.0.0.0/16 local")
			l.snap.RouteTables["rtb-1"].Routes[0].Gone = tc.gone
			l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
			l.eni("eni-c1", "subnet-c", []string{"sg-open"}, "10.9.1.10")
			l.change("eni-c1", func(n *ec2api.NetworkInterface) { n.VPC = "vpc-2" })
			frame := l.frameOf("eni-a1", "eni-c1", udp, 4000, 5000, 0, 10)
			mac := routerMAC("subnet-a")
			copy(frame, mac[:])
			l.compile()
			got := l.send("eni-a1", frame)
			if tc.want == passed {
				if len(got) != 1 || got[0].to != "eni-c1" {
					t.Fatalf("delivered to %+v; drops %v", got, dropsOf(l))
				}
				return
			}
			if len(got) != 0 || l.drops("eni-a1", tc.want) != 1 {
				t.Errorf("delivered to %+v; drops %v", got, dropsOf(l))
			}
		})
	}
}
