package mirror_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// pkt is a packet as people would tell it.
type pkt struct {
	arp, lldp        bool
	src, dst         netip.Addr
	proto            int
	sport, dport     int
	offset           int // of a fragment, in bytes
	more             bool
	icmpType         int
	size             int // payload bytes
	egress           bool
	unknownDirection bool
}

// frame builds p.
func (p *pkt) frame() []byte {
	me, router := "02:00:00:00:00:01", "02:00:00:00:00:fe"
	src, dst := router, me
	if p.egress {
		src, dst = me, router
	}
	eth := fmt.Sprintf("eth src=%s dst=%s", src, dst)
	switch {
	case p.arp:
		return pkttest.Frame(eth + " type=0x0806 raw 0001080006040001" + "020000000001" + "0a000109" + "000000000000" + "0a000102")
	case p.lldp:
		return pkttest.Frame(eth + " type=0x88cc raw 0207040200000000010403766d31060200780000")
	}
	var b strings.Builder
	b.WriteString(eth)
	frag := p.offset > 0 || p.more
	l4 := p.transport()
	if p.src.Is4() {
		flags := p.offset / 8
		if p.more {
			flags |= 0x2000
		}
		fmt.Fprintf(&b, " ip %v %v proto=%d frag=%d", p.src, p.dst, p.proto, flags)
	} else {
		next := p.proto
		if frag {
			next = 44
		}
		fmt.Fprintf(&b, " ip6 %v %v next=%d", p.src, p.dst, next)
		if frag {
			v := uint16(p.offset)
			if p.more {
				v |= 1
			}
			l4 = append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16([]byte{byte(p.proto), 0}, v), 7), l4...)
		}
	}
	fmt.Fprintf(&b, " raw %x", l4)
	return pkttest.Frame(b.String())
}

// transport builds what is after the IP header.
func (p *pkt) transport() []byte {
	body := make([]byte, p.size)
	if p.offset > 0 {
		return append(body, make([]byte, 16)...)
	}
	switch p.proto {
	case packet.ProtoTCP:
		return append(packet.AppendTCP(nil, packet.TCP{SrcPort: uint16(p.sport), DstPort: uint16(p.dport), Flags: packet.ACK}), body...)
	case packet.ProtoUDP:
		return append(packet.AppendUDP(nil, uint16(p.sport), uint16(p.dport), len(body)), body...)
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return append(packet.AppendICMP(nil, uint8(p.icmpType), 0, 1), body...)
	}
	return append(body, 1, 2, 3, 4, 5, 6, 7, 8)
}

// world is one generated case: sessions of an interface.
type world struct {
	iface    mirror.Interface
	sessions []mirror.Session
	filters  []mirror.Filter
	o        mirror.CompileOptions
}

// verdict is what the plain reading says.
type verdict struct {
	mirror  bool
	reason  mirror.Reason
	session string
	rule    string
	length  int
}

// plain is the slow reading of sections of AWS's guide: it works on the description of
// the packet and the objects of the API, and shares nothing with Program.
func (w *world) plain(p *pkt, frameLen int) verdict {
	no := func(r mirror.Reason) verdict { return verdict{reason: r} }
	sw := w.o.Switches
	hasPorts := (p.proto == 6 || p.proto == 17) && p.offset == 0
	either := func(proto int, ports ...int) bool {
		return p.proto == proto && hasPorts && (slices.Contains(ports, p.sport) || slices.Contains(ports, p.dport))
	}
	ends := func(addrs ...string) bool {
		return slices.Contains(addrs, p.src.String()) || slices.Contains(addrs, p.dst.String())
	}
	at := func(proto, port int, addrs ...string) bool {
		return p.proto == proto && hasPorts &&
			(slices.Contains(addrs, p.src.String()) && p.sport == port || slices.Contains(addrs, p.dst.String()) && p.dport == port)
	}
	switch {
	case p.arp:
		return no(mirror.ReasonARP)
	case p.lldp:
		return no(mirror.ReasonNotIP)
	}
	v4 := p.src.Is4()
	resolvers := []string{"169.254.169.253", "fd00:ec2::253"}
	for _, c := range w.iface.VPCCIDRs {
		if c.Addr().Is4() {
			b := c.Masked().Addr().As4()
			n := binary.BigEndian.Uint32(b[:]) + 2
			a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
			if !slices.Contains(w.iface.Addrs, a) {
				resolvers = append(resolvers, a.String())
			}
		}
	}
	dnsFragment := (p.proto == 6 || p.proto == 17) && !hasPorts && ends(resolvers...)
	for _, end := range []struct { // the reason is that of the source, when both ends have one
		addr string
		port int
	}{{p.src.String(), p.sport}, {p.dst.String(), p.dport}} {
		switch end.addr {
		case "169.254.169.254", "fd00:ec2::254":
			return no(mirror.ReasonMetadata)
		case "169.254.169.123", "fd00:ec2::123":
			return no(mirror.ReasonNTP)
		case "169.254.169.250", "169.254.169.251", "fd00:ec2::250", "fd00:ec2::240":
			if p.proto == 6 && hasPorts && end.port == 1688 {
				return no(mirror.ReasonActivation)
			}
		}
	}
	switch {
	case slices.Contains(w.o.Tunnels, p.dst) && p.proto == 17 && (!hasPorts || p.dport == 4789 || p.dport == 6081):
		return no(mirror.ReasonOwnTunnel)
	case v4 && either(17, 67, 68), !v4 && either(17, 546, 547):
		return no(mirror.ReasonDHCP)
	case sw.AllNTPExcluded && either(17, 123):
		return no(mirror.ReasonNTP)
	case sw.NeighborDiscoveryExcluded && !v4 && p.proto == 58 && p.offset == 0 && !p.more && p.icmpType >= 133 && p.icmpType <= 137:
		return no(mirror.ReasonNeighbor)
	}
	sessions := slices.Clone(w.sessions)
	slices.SortStableFunc(sessions, func(a, b mirror.Session) int { return a.Number - b.Number })
	filterOf := func(s mirror.Session) mirror.Filter {
		return w.filters[slices.IndexFunc(w.filters, func(f mirror.Filter) bool { return f.ID == s.FilterID })]
	}
	if at(6, 53, resolvers...) || at(17, 53, resolvers...) || dnsFragment || sw.AllResolverTrafficIsDNS && ends(resolvers...) {
		for _, s := range sessions {
			if sw.InactiveSessionsSkipped && slices.Contains(w.o.Inactive, s.ID) {
				continue
			}
			if slices.Contains(filterOf(s).NetworkServices, "amazon-dns") {
				return w.taken(s, "", mirror.ReasonAmazonDNS, p, frameLen)
			}
		}
		return no(mirror.ReasonResolver)
	}
	if len(sessions) == 0 {
		return no(mirror.ReasonNoSessions)
	}
	if p.unknownDirection {
		return no(mirror.ReasonNoDirection)
	}
	out := no(mirror.ReasonNoRule)
	for _, s := range sessions {
		if sw.InactiveSessionsSkipped && slices.Contains(w.o.Inactive, s.ID) {
			continue
		}
		for _, r := range w.rulesInOrder(filterOf(s), p.egress) {
			if !w.ruleMatches(r, p, hasPorts) {
				continue
			}
			if r.Action == mirror.Accept {
				return w.taken(s, r.ID, mirror.ReasonAccept, p, frameLen)
			}
			if out.reason == mirror.ReasonNoRule {
				out = verdict{reason: mirror.ReasonReject, session: s.ID, rule: r.ID}
			}
			if sw.RejectStops {
				return out
			}
			break
		}
	}
	return out
}

func (w *world) rulesInOrder(f mirror.Filter, egress bool) []mirror.FilterRule {
	d := mirror.Ingress
	if egress {
		d = mirror.Egress
	}
	var out []mirror.FilterRule
	for n := range 1000 {
		for _, r := range f.Rules {
			if r.Number == n && r.Direction == d {
				out = append(out, r)
			}
		}
	}
	return out
}

func (w *world) ruleMatches(r mirror.FilterRule, p *pkt, hasPorts bool) bool {
	if r.Protocol != mirror.AnyProtocol && r.Protocol != p.proto {
		return false
	}
	if !r.SourceCIDR.Contains(p.src) || !r.DestinationCIDR.Contains(p.dst) {
		return false
	}
	if r.SourcePorts == nil && r.DestinationPorts == nil {
		return true
	}
	if !hasPorts {
		return w.o.Switches.FragmentsIgnorePorts
	}
	in := func(r *mirror.PortRange, port int) bool { return r == nil || r.From <= port && port <= r.To }
	return in(r.SourcePorts, p.sport) && in(r.DestinationPorts, p.dport)
}

func (w *world) taken(s mirror.Session, rule string, why mirror.Reason, p *pkt, frameLen int) verdict {
	v := verdict{mirror: true, reason: why, session: s.ID, rule: rule, length: frameLen}
	if slices.Contains(w.o.Inactive, s.ID) {
		return verdict{reason: mirror.ReasonInactiveTarget, session: s.ID, rule: rule}
	}
	if n := s.PacketLength; n > 0 {
		if !w.o.Switches.NoLengthFloor {
			if p.src.Is4() && n < 35 {
				n = 35
			}
			if p.src.Is6() && n < 55 {
				n = 55
			}
		}
		v.length = min(v.length, n)
	}
	if mtu := w.o.TargetMTU[s.TargetID]; mtu > 0 {
		outer := 36
		if w.o.Outer6 {
			outer = 56
		}
		v.length = min(v.length, mtu-outer)
	}
	return v
}

// gen makes cases of small pools, so that rules and packets meet often. next returns a
// number below n.
type gen struct{ next func(n int) int }

func pick[T any](g gen, list ...T) T { return list[g.next(len(list))] }

func (g gen) one(of int) bool { return g.next(of) == 0 }

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

func (g gen) cidr(v4 bool) netip.Prefix {
	if v4 {
		return netip.MustParsePrefix(pick(g, cidrs4...))
	}
	return netip.MustParsePrefix(pick(g, cidrs6...))
}

func (g gen) ports() *mirror.PortRange {
	if g.one(2) {
		return nil
	}
	a, b := pick(g, ports...), pick(g, ports...)
	if g.one(2) {
		b = a
	}
	return &mirror.PortRange{From: min(a, b), To: max(a, b)}
}

func (g gen) rule(id string, number int) mirror.FilterRule {
	v4 := !g.one(3)
	r := mirror.FilterRule{
		ID: id, Number: number, Direction: pick(g, mirror.Ingress, mirror.Egress), Action: pick(g, mirror.Accept, mirror.Accept, mirror.Reject),
		Protocol: mirror.AnyProtocol, SourceCIDR: g.cidr(v4), DestinationCIDR: g.cidr(v4),
	}
	if !g.one(2) {
		r.Protocol = pick(g, protocols...)
	}
	if r.Protocol == 6 || r.Protocol == 17 {
		r.SourcePorts, r.DestinationPorts = g.ports(), g.ports()
	}
	return r
}

func (g gen) world() *world {
	w := &world{iface: mirror.Interface{
		ID: "eni-1", MAC: [6]byte{2, 0, 0, 0, 0, 1},
		Addrs:    []netip.Addr{netip.MustParseAddr("10.0.1.9"), netip.MustParseAddr("2001:db8::9")},
		VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("2001:db8::/56")},
	}}
	if g.one(3) {
		w.iface.VPCCIDRs = append(w.iface.VPCCIDRs, netip.MustParsePrefix("10.1.0.0/16"))
	}
	if g.one(5) {
		w.iface.Addrs = append(w.iface.Addrs, netip.MustParseAddr("10.0.0.2"))
	}
	for _, b := range []*bool{&w.o.Switches.RejectStops, &w.o.Switches.FragmentsIgnorePorts, &w.o.Switches.NoLengthFloor,
		&w.o.Switches.InactiveSessionsSkipped, &w.o.Switches.AllNTPExcluded, &w.o.Switches.NeighborDiscoveryExcluded,
		&w.o.Switches.AllResolverTrafficIsDNS, &w.o.Outer6} {
		*b = g.one(4)
	}
	if g.one(2) {
		w.o.Tunnels = []netip.Addr{netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("2001:db8::10")}
	}
	w.o.TargetMTU = map[string]int{"tmt-1": pick(g, 0, 100, 1500, 9001)}
	for f := range 1 + g.next(3) {
		x := mirror.Filter{ID: fmt.Sprintf("tmf-%d", f)}
		if g.one(3) {
			x.NetworkServices = []string{mirror.AmazonDNS}
		}
		for n := range g.next(11) {
			// Numbers fall as rules are added: the program has to put them in order.
			x.Rules = append(x.Rules, g.rule(fmt.Sprintf("tmfr-%d-%d", f, n), 900-7*n-g.next(7)))
		}
		w.filters = append(w.filters, x)
	}
	numbers := []int{30, 7, 12}
	for s := range min(g.next(8), 3) {
		w.sessions = append(w.sessions, mirror.Session{
			ID: fmt.Sprintf("tms-%d", s), NetworkInterfaceID: "eni-1", TargetID: pick(g, "tmt-1", "tmt-2"),
			FilterID: w.filters[g.next(len(w.filters))].ID, Number: numbers[s], VNI: uint32(s),
			PacketLength: pick(g, 0, 0, 1, 34, 36, 54, 60, 100, 8500),
		})
		if g.one(6) {
			w.o.Inactive = append(w.o.Inactive, w.sessions[s].ID)
		}
	}
	return w
}

func (g gen) packet() *pkt {
	p := &pkt{egress: g.one(2), unknownDirection: g.one(20), size: pick(g, 0, 1, 40, 200)}
	switch g.next(30) {
	case 0:
		p.arp = true
		return p
	case 1:
		p.lldp = true
		return p
	}
	pool := pool4
	if g.one(3) {
		pool = pool6
	}
	p.src, p.dst = netip.MustParseAddr(pick(g, pool...)), netip.MustParseAddr(pick(g, pool...))
	own := netip.MustParseAddr(pool[0])
	if g.one(2) {
		p.src = own
	} else if g.one(2) {
		p.dst = own
	}
	p.proto = pick(g, protocols...)
	if p.src.Is6() && p.proto == 0 {
		p.proto = 6 // 0 is the hop-by-hop header there, which names another protocol
	}
	p.sport, p.dport = pick(g, ports...), pick(g, ports...)
	p.icmpType = pick(g, 0, 8, 128, 133, 135, 137, 138)
	if g.one(40) {
		p.dst, p.proto, p.dport = netip.MustParseAddr("169.254.169.250"), 6, 1688
		if p.src.Is6() {
			p.dst = netip.MustParseAddr("fd00:ec2::240")
		}
	}
	if g.one(8) && p.proto != 47 && p.proto != 4 && p.proto != 0 {
		p.offset = pick(g, 0, 8, 1480)
		p.more = p.offset == 0 || g.one(2)
	}
	return p
}

// disagreement compares the program with the plain reading; "" when they agree.
func disagreement(t testing.TB, w *world, p *pkt) string {
	g, err := mirror.Compile(w.iface, w.sessions, w.filters, w.o)
	if err != nil {
		t.Fatalf("Compile: %v of %+v", err, w)
	}
	frame := p.frame()
	parsed := &packet.NewDecoder(packet.Options{}).Decode(nil, packet.LinkEthernet, frame, len(frame), 0)[0]
	d := mirror.Ingress
	if p.egress {
		d = mirror.Egress
	}
	if got := g.Direction(parsed); got != d && !p.unknownDirection {
		return fmt.Sprintf("direction %v, want %v", got, d)
	}
	if p.unknownDirection {
		d = mirror.DirectionUnknown
	}
	want := w.plain(p, len(frame))
	dec := g.Decide(parsed, d)
	got := verdict{mirror: dec.Mirror, reason: dec.Reason, length: dec.Length}
	if s := g.SessionOf(dec); s != nil {
		got.session = s.Session.ID
	}
	if r := g.RuleOf(dec); r != nil {
		got.rule = r.ID
	}
	if got != want {
		return fmt.Sprintf("Decide = %+v, plain reading %+v", got, want)
	}
	if e := g.Explain(parsed, d); e.Decision != dec {
		return fmt.Sprintf("Explain decides %+v, Decide %+v", e.Decision, dec)
	} else if what := checkSteps(g, &e, parsed); what != "" {
		return what
	}
	return ""
}

// checkSteps tells what in the steps of an explanation contradicts its decision.
func checkSteps(g *mirror.Program, e *mirror.Explanation, p *packet.Parsed) string {
	if e.Text == "" || strings.HasPrefix(e.Text, "mirrored") != e.Decision.Mirror {
		return fmt.Sprintf("text %q for %+v", e.Text, e.Decision)
	}
	last := -1
	for _, s := range e.Steps {
		if s.Session < last {
			return "steps are not in the order of sessions"
		}
		last = s.Session
		if s.Rule >= 0 && s.Match != (s.Why == "") {
			return fmt.Sprintf("step %+v", s)
		}
	}
	if e.Decision.Reason == mirror.ReasonAccept {
		end := e.Steps[len(e.Steps)-1]
		if !end.Match || end.Session != e.Decision.Session || end.Rule != e.Decision.Rule {
			return fmt.Sprintf("last step %+v for %+v", end, e.Decision)
		}
	}
	return ""
}

// The program agrees with a plain reading of the rules on generated filters and packets,
// and all outcomes are among them.
func TestTruthTable(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1169))
	g := gen{r.IntN}
	const pairs = 10000
	seen := map[mirror.Reason]int{}
	for range pairs / 20 {
		w := g.world()
		for range 20 {
			p := g.packet()
			if what := disagreement(t, w, p); what != "" {
				t.Fatalf("%s\npacket %+v\nworld %+v", what, p, w)
			}
			seen[w.plain(p, 100).reason]++
		}
	}
	for r := mirror.ReasonAccept; int(r) < mirror.NumReasons; r++ {
		if seen[r] < 10 {
			t.Errorf("only %d packets with the outcome %v", seen[r], r)
		}
	}
	t.Logf("%d pairs: %v", pairs, seen)
}

// FuzzProgram looks for a filter and a packet on which the program and the plain reading
// disagree. The input is read as the numbers that the generator asks for.
func FuzzProgram(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 3))
	for range 32 {
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g := gen{func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := int(b[0])
			b = b[1:]
			return v % n
		}}
		p := g.packet()
		if what := disagreement(t, g.world(), p); what != "" {
			t.Fatalf("%s for packet %+v", what, p)
		}
	})
}
