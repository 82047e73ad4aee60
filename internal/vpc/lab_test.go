package vpc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// lab is a fabric over a snapshot made by hand, without a device anywhere.
type lab struct {
	t    testing.TB
	snap *ec2api.Snapshot
	live *live
	f    *Fabric
	now  int64
	opts compileOptions
}

// newLab makes a VPC 10.0.0.0/16 with the subnets a (10.0.1.0/24, zone a) and b
// (10.0.2.0/24, zone b), a group sg-open for everything, and a network ACL that lets
// everything pass.
func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{t: t, live: newLive(), f: NewFabric(), now: 1e12, snap: &ec2api.Snapshot{
		Region: "us-east-1", AccountID: "123456789012",
		VPCs: map[string]*ec2api.VPC{}, Subnets: map[string]*ec2api.Subnet{}, SecurityGroups: map[string]*ec2api.SecurityGroup{},
		NetworkACLs: map[string]*ec2api.NetworkACL{}, RouteTables: map[string]*ec2api.RouteTable{}, Interfaces: map[string]*ec2api.NetworkInterface{},
		Instances: map[string]*ec2api.Instance{}, LoadBalancers: map[string]*ec2api.LoadBalancer{}, TargetGroups: map[string]*ec2api.TargetGroup{},
		Listeners: map[string]*ec2api.Listener{}, EndpointServices: map[string]*ec2api.EndpointService{}, VPCEndpoints: map[string]*ec2api.VPCEndpoint{},
		PrefixLists: mirror.PrefixLists{},
	}}
	s := l.snap
	s.VPCs["vpc-1"] = &ec2api.VPC{Resource: res("vpc-1"), DNSSupport: true,
		CIDRs: []ec2api.CIDRAssociation{{CIDR: netip.MustParsePrefix("10.0.0.0/16")}}, IPv6: []ec2api.CIDRAssociation{{CIDR: netip.MustParsePrefix("fd00:1::/56")}}}
	for i, id := range []string{"a", "b"} {
		s.Subnets["subnet-"+id] = &ec2api.Subnet{Resource: res("subnet-" + id), VPC: "vpc-1", Zone: "us-east-1" + id,
			CIDR: netip.MustParsePrefix(fmt.Sprintf("10.0.%d.0/24", i+1)),
			IPv6: []ec2api.CIDRAssociation{{CIDR: netip.MustParsePrefix(fmt.Sprintf("fd00:1:0:%d::/64", i+1))}}}
	}
	l.group("sg-open", "in -1 0.0.0.0/0", "in -1 ::/0", "out -1 0.0.0.0/0", "out -1 ::/0")
	any := netip.MustParsePrefix("0.0.0.0/0")
	acl := &ec2api.NetworkACL{Resource: res("acl-1"), VPC: "vpc-1", Associations: []ec2api.Association{{Subnet: "subnet-a"}, {Subnet: "subnet-b"}}}
	for _, out := range []bool{false, true} {
		acl.Entries = append(acl.Entries,
			ec2api.ACLEntry{Number: 100, Egress: out, Allow: true, Protocol: -1, CIDR: any},
			ec2api.ACLEntry{Number: 101, Egress: out, Allow: true, Protocol: -1, CIDR: netip.MustParsePrefix("::/0")},
			ec2api.ACLEntry{Number: 32767, Egress: out, Protocol: -1, CIDR: any})
	}
	s.NetworkACLs["acl-1"] = acl
	s.RouteTables["rtb-1"] = &ec2api.RouteTable{Resource: res("rtb-1"), VPC: "vpc-1", Associations: []ec2api.Association{{Main: true}}, Routes: []ec2api.Route{
		{CIDR: netip.MustParsePrefix("10.0.0.0/16"), Target: "local"}, {CIDR: netip.MustParsePrefix("fd00:1::/56"), Target: "local"}}}
	return l
}

func res(id string) ec2api.Resource { return ec2api.Resource{ID: id, OwnerID: "123456789012"} }

// group makes a security group of rules like "in tcp 80-90 10.0.0.0/8" or "out -1 sg-x".
func (l *lab) group(id string, rules ...string) {
	l.t.Helper()
	g := &ec2api.SecurityGroup{Resource: res(id), VPC: "vpc-1"}
	for _, text := range rules {
		var dir, proto, ports, peer string
		if n, _ := fmt.Sscan(text, &dir, &proto, &ports, &peer); n == 3 {
			ports, peer = "", ports
		}
		r := ec2api.GroupRule{Egress: dir == "out", Protocol: proto, From: -1, To: -1}
		if ports != "" {
			if n, _ := fmt.Sscanf(ports, "%d-%d", &r.From, &r.To); n == 1 {
				r.To = r.From
			}
		}
		if p, err := netip.ParsePrefix(peer); err == nil {
			r.CIDR = p
		} else {
			r.GroupID = peer
		}
		g.Rules = append(g.Rules, r)
	}
	l.snap.SecurityGroups[id] = g
}

// eni makes an interface, attached to a running instance of its own, with a device.
func (l *lab) eni(id, subnet string, groups []string, addrs ...string) {
	n := &ec2api.NetworkInterface{Resource: res(id), Kind: ec2api.KindInterface, VPC: "vpc-1", Subnet: subnet,
		Zone: l.snap.Subnets[subnet].Zone, Groups: groups, SourceDestCheck: true, MTU: 1500,
		MAC:        [6]byte{2, 0, 0, 0, 0, byte(len(l.snap.Interfaces) + 1)},
		Attachment: &ec2api.Attachment{InstanceID: "i-" + id},
	}
	for _, a := range addrs {
		if p := netip.MustParseAddr(a); p.Is4() {
			n.Addrs = append(n.Addrs, p)
		} else {
			n.IPv6 = append(n.IPv6, p)
		}
	}
	l.snap.Interfaces[id] = n
	l.snap.Instances["i-"+id] = &ec2api.Instance{Resource: res("i-" + id), State: ec2api.Running, Type: "m5.large", VPC: "vpc-1"}
}

// change replaces an interface by a changed copy.
func (l *lab) change(id string, f func(*ec2api.NetworkInterface)) {
	n := *l.snap.Interfaces[id]
	f(&n)
	l.snap.Interfaces[id] = &n
}

// compile makes the snapshot the fabric's plan.
func (l *lab) compile() {
	l.t.Helper()
	l.snap.Generation++
	p, problems := compile(l.snap, l.live, l.opts)
	for _, err := range problems {
		l.t.Fatal(err)
	}
	for id, e := range p.enis {
		if e.live.port == nil && e.hasPort {
			e.live.port = &Port{eni: id}
		}
	}
	l.f.adopt(p)
}

// sent is what became of a frame.
type sent struct {
	to    string // interface
	frame []byte
}

// send sends a frame from an interface and returns what was delivered where.
func (l *lab) send(from string, frame []byte) []sent {
	l.t.Helper()
	l.f.begin()
	e := l.f.plan.enis[from]
	if e == nil {
		l.t.Fatalf("no interface %s", from)
	}
	l.now += 1e6
	l.f.frame(e, append([]byte(nil), frame...), l.now)
	var out []sent
	for _, d := range l.f.out {
		out = append(out, sent{d.to.id, append([]byte(nil), d.frame...)})
	}
	return out
}

// drops returns how often frames of an interface were dropped for a reason.
func (l *lab) drops(id string, r Reason) uint64 { return l.live.enis[id].count.Drops[r].Load() }

// frameOf builds a frame of a UDP datagram or TCP segment between two interfaces, as
// from sends it: to the hardware address of its router, or of its neighbour.
func (l *lab) frameOf(from, to string, proto uint8, sport, dport uint16, flags uint8, payload int) []byte {
	l.t.Helper()
	a, b := l.snap.Interfaces[from], l.snap.Interfaces[to]
	mac := routerMAC(a.Subnet)
	if a.Subnet == b.Subnet {
		mac = b.MAC
	}
	return ipFrame(mac, a.MAC, a.Addrs[0], b.Addrs[0], proto, sport, dport, flags, payload)
}

func ipFrame(dst, src [6]byte, from, to netip.Addr, proto uint8, sport, dport uint16, flags uint8, payload int) []byte {
	size := 8
	if proto == packet.ProtoTCP {
		size = 20
	}
	var b []byte
	if from.Is4() {
		b = packet.AppendEthernet(nil, dst, src, packet.EtherTypeIPv4)
		b = packet.AppendIPv4(b, packet.IPv4{Src: from.As4(), Dst: to.As4(), Proto: proto, Frag: 0x4000}, size+payload)
	} else {
		b = packet.AppendEthernet(nil, dst, src, packet.EtherTypeIPv6)
		b = packet.AppendIPv6(b, packet.IPv6{Src: from.As16(), Dst: to.As16(), Next: proto}, size+payload)
	}
	switch proto {
	case packet.ProtoTCP:
		b = packet.AppendTCP(b, packet.TCP{SrcPort: sport, DstPort: dport, Flags: flags, Window: 1000})
	case packet.ProtoUDP:
		b = packet.AppendUDP(b, sport, dport, payload)
	default:
		b = packet.AppendICMP(b, uint8(sport), 0, uint32(dport)<<16)
	}
	for i := range payload {
		b = append(b, byte(i))
	}
	packet.SetChecksums(b[lenEthernet:])
	return b
}

// checksums fails the test when a checksum of the frame is wrong.
func checksums(t testing.TB, frame []byte) {
	t.Helper()
	d := packet.NewDecoder(packet.Options{VXLANPorts: []uint16{}, GENEVEPorts: []uint16{}})
	p := d.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)
	if p[0].IPVersion == 4 && p[0].IPv4Checksum() != packet.ChecksumOK {
		t.Errorf("IPv4 checksum of %x is wrong", frame)
	}
	if c := p[0].L4Checksum(); c == packet.ChecksumBad {
		t.Errorf("transport checksum of %x is wrong", frame)
	}
}

func dstPort(frame []byte) uint16 { return binary.BigEndian.Uint16(frame[lenEthernet+lenIPv4+2:]) }

func tag(key, value string) mirror.Tag { return mirror.Tag{Key: key, Value: value} }
