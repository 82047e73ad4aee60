// Package mirrortest makes sessions, filters and packets for tests of what decides over
// them: mirror.Program, and the software mirror's program in the kernel.
package mirrortest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// Packet is a packet as people would tell it.
type Packet struct {
	Arp, Lldp        bool
	Src, Dst         netip.Addr
	Proto            int
	Sport, Dport     int
	Offset           int // of a fragment, in bytes
	More             bool
	IcmpType         int
	Size             int // payload bytes
	Egress           bool
	UnknownDirection bool
}

// Frame builds p.
func (p *Packet) Frame() []byte {
	me, router := "02:00:00:00:00:01", "02:00:00:00:00:fe"
	src, dst := router, me
	if p.Egress {
		src, dst = me, router
	}
	eth := fmt.Sprintf("eth src=%s dst=%s", src, dst)
	switch {
	case p.Arp:
		return pkttest.Frame(eth + " type=0x0806 raw 0001080006040001" + "020000000001" + "0a000109" + "000000000000" + "0a000102")
	case p.Lldp:
		return pkttest.Frame(eth + " type=0x88cc raw 0207040200000000010403766d31060200780000")
	}
	var b strings.Builder
	b.WriteString(eth)
	frag := p.Offset > 0 || p.More
	l4 := p.transport()
	if p.Src.Is4() {
		flags := p.Offset / 8
		if p.More {
			flags |= 0x2000
		}
		fmt.Fprintf(&b, " ip %v %v proto=%d frag=%d", p.Src, p.Dst, p.Proto, flags)
	} else {
		next := p.Proto
		if frag {
			next = 44
		}
		fmt.Fprintf(&b, " ip6 %v %v next=%d", p.Src, p.Dst, next)
		if frag {
			v := uint16(p.Offset)
			if p.More {
				v |= 1
			}
			l4 = append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{byte(p.Proto), 0}, v), 7), l4...)
		}
	}
	fmt.Fprintf(&b, " raw %x", l4)
	return pkttest.Frame(b.String())
}

// transport builds what is after the IP header.
func (p *Packet) transport() []byte {
	body := make([]byte, p.Size)
	if p.Offset > 0 {
		return append(body, make([]byte, 16)...)
	}
	switch p.Proto {
	case packet.ProtoTCP:
		return append(packet.AppendTCP(nil, packet.TCP{SrcPort: uint16(p.Sport), DstPort: uint16(p.Dport), Flags: packet.ACK}), body...)
	case packet.ProtoUDP:
		return append(packet.AppendUDP(nil, uint16(p.Sport), uint16(p.Dport), len(body)), body...)
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return append(packet.AppendICMP(nil, uint8(p.IcmpType), 0, 1), body...)
	}
	return append(body, 1, 2, 3, 4, 5, 6, 7, 8)
}

// World is one generated case: sessions of an interface.
type World struct {
	Iface    mirror.Interface
	Sessions []mirror.Session
	Filters  []mirror.Filter
	O        mirror.CompileOptions
}

// Gen makes cases of small pools, so that rules and packets meet often. Next returns a
// number below n.
type Gen struct{ Next func(n int) int }

// Pick returns one of list.
func Pick[T any](g Gen, list ...T) T { return list[g.Next(len(list))] }

// One is true once in of times.
func (g Gen) One(of int) bool { return g.Next(of) == 0 }

var (
	pool4 = []string{"10.0.1.9", "10.0.1.10", "10.0.2.7", "10.1.0.1", "192.0.2.1", "203.0.113.9", "169.254.169.254", "169.254.169.123",
		"169.254.169.250", "169.254.169.253", "169.254.169.252", "10.0.0.2", "10.1.0.2", "10.9.9.9", "10.9.9.9", "10.9.9.9",
		"255.255.255.255", "0.0.0.0", "10.0.1.11", "10.0.1.200", "192.0.2.2", "198.51.100.1", "203.0.113.10"}
	pool6 = []string{"2001:db8::9", "2001:db8::10", "2001:db8:1::1", "fd00:ec2::254", "fd00:ec2::123", "fd00:ec2::253", "fd00:ec2::250",
		"fe80::1", "::a00:109", "ff02::1",
		"2001:db8::11", "2001:db8:2::1", "2001:db9::1", "2001:db8::10"}
	cidrs4    = []string{"0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/24", "10.0.1.9/32", "10.0.1.8/31", "203.0.113.0/24", "128.0.0.0/1", "169.254.0.0/16"}
	cidrs6    = []string{"::/0", "2001:db8::/32", "2001:db8::9/128", "2001:db8::/64", "fe80::/10", "::/96", "8000::/1", "::ffff:0:0/96"}
	protocols = []int{6, 6, 17, 17, 1, 58, 132, 47, 4, 0, 255}
	ports     = []int{0, 22, 53, 67, 68, 80, 123, 443, 546, 547, 1688, 4789, 6081, 51514, 65535}
)

// CIDR makes one.
func (g Gen) CIDR(v4 bool) netip.Prefix {
	if v4 {
		return netip.MustParsePrefix(Pick(g, cidrs4...))
	}
	return netip.MustParsePrefix(Pick(g, cidrs6...))
}

func (g Gen) ports() *mirror.PortRange {
	if g.One(2) {
		return nil
	}
	a, b := Pick(g, ports...), Pick(g, ports...)
	if g.One(2) {
		b = a
	}
	return &mirror.PortRange{From: min(a, b), To: max(a, b)}
}

// Rule makes a filter rule.
func (g Gen) Rule(id string, number int) mirror.FilterRule {
	v4 := !g.One(3)
	r := mirror.FilterRule{
		ID: id, Number: number, Direction: Pick(g, mirror.Ingress, mirror.Egress), Action: Pick(g, mirror.Accept, mirror.Accept, mirror.Reject),
		Protocol: mirror.AnyProtocol, SourceCIDR: g.CIDR(v4), DestinationCIDR: g.CIDR(v4),
	}
	if !g.One(2) {
		r.Protocol = Pick(g, protocols...)
	}
	if r.Protocol == 6 || r.Protocol == 17 {
		r.SourcePorts, r.DestinationPorts = g.ports(), g.ports()
	}
	return r
}

// World makes a case.
func (g Gen) World() *World {
	w := &World{Iface: mirror.Interface{
		ID: "eni-1", MAC: [6]byte{2, 0, 0, 0, 0, 1},
		Addrs:    []netip.Addr{netip.MustParseAddr("10.0.1.9"), netip.MustParseAddr("2001:db8::9")},
		VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("2001:db8::/56")},
	}}
	if g.One(3) {
		w.Iface.VPCCIDRs = append(w.Iface.VPCCIDRs, netip.MustParsePrefix("10.1.0.0/16"))
	}
	if g.One(5) {
		w.Iface.Addrs = append(w.Iface.Addrs, netip.MustParseAddr("10.0.0.2"))
	}
	for _, b := range []*bool{&w.O.Switches.RejectStops, &w.O.Switches.FragmentsIgnorePorts, &w.O.Switches.NoLengthFloor,
		&w.O.Switches.InactiveSessionsSkipped, &w.O.Switches.AllNTPExcluded, &w.O.Switches.NeighborDiscoveryExcluded,
		&w.O.Switches.AllResolverTrafficIsDNS, &w.O.Outer6} {
		*b = g.One(4)
	}
	if g.One(2) {
		w.O.Tunnels = []netip.Addr{netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("2001:db8::10")}
	}
	w.O.TargetMTU = map[string]int{"tmt-1": Pick(g, 0, 100, 1500, 9001)}
	for f := range 1 + g.Next(3) {
		x := mirror.Filter{ID: fmt.Sprintf("tmf-%d", f)}
		if g.One(3) {
			x.NetworkServices = []string{mirror.AmazonDNS}
		}
		for n := range g.Next(11) {
			// Numbers fall as rules are added: the program has to put them in order.
			x.Rules = append(x.Rules, g.Rule(fmt.Sprintf("tmfr-%d-%d", f, n), 900-7*n-g.Next(7)))
		}
		w.Filters = append(w.Filters, x)
	}
	numbers := []int{30, 7, 12}
	for s := range min(g.Next(8), 3) {
		w.Sessions = append(w.Sessions, mirror.Session{
			ID: fmt.Sprintf("tms-%d", s), NetworkInterfaceID: "eni-1", TargetID: Pick(g, "tmt-1", "tmt-2"),
			FilterID: w.Filters[g.Next(len(w.Filters))].ID, Number: numbers[s], VNI: uint32(s),
			PacketLength: Pick(g, 0, 0, 1, 34, 36, 54, 60, 100, 8500),
		})
		if g.One(6) {
			w.O.Inactive = append(w.O.Inactive, w.Sessions[s].ID)
		}
	}
	return w
}

// Packet makes a packet.
func (g Gen) Packet() *Packet {
	p := &Packet{Egress: g.One(2), UnknownDirection: g.One(20), Size: Pick(g, 0, 1, 40, 200)}
	switch g.Next(30) {
	case 0:
		p.Arp = true
		return p
	case 1:
		p.Lldp = true
		return p
	}
	pool := pool4
	if g.One(3) {
		pool = pool6
	}
	p.Src, p.Dst = netip.MustParseAddr(Pick(g, pool...)), netip.MustParseAddr(Pick(g, pool...))
	own := netip.MustParseAddr(pool[0])
	if g.One(2) {
		p.Src = own
	} else if g.One(2) {
		p.Dst = own
	}
	p.Proto = Pick(g, protocols...)
	if p.Src.Is6() && p.Proto == 0 {
		p.Proto = 6 // 0 is the hop-by-hop header there, which names another protocol
	}
	p.Sport, p.Dport = Pick(g, ports...), Pick(g, ports...)
	p.IcmpType = Pick(g, 0, 8, 128, 133, 135, 137, 138)
	if g.One(40) {
		p.Dst, p.Proto, p.Dport = netip.MustParseAddr("169.254.169.250"), 6, 1688
		if p.Src.Is6() {
			p.Dst = netip.MustParseAddr("fd00:ec2::240")
		}
	}
	if g.One(8) && p.Proto != 47 && p.Proto != 4 && p.Proto != 0 {
		p.Offset = Pick(g, 0, 8, 1480)
		p.More = p.Offset == 0 || g.One(2)
	}
	return p
}
