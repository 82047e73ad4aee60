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
	"mirador/internal/mirrortest"
	"mirador/internal/packet"
)

// world is a case, with a plain reading of it.
type world mirrortest.World

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
func (w *world) plain(p *mirrortest.Packet, frameLen int) verdict {
	no := func(r mirror.Reason) verdict { return verdict{reason: r} }
	sw := w.O.Switches
	hasPorts := (p.Proto == 6 || p.Proto == 17) && p.Offset == 0
	either := func(proto int, ports ...int) bool {
		return p.Proto == proto && hasPorts && (slices.Contains(ports, p.Sport) || slices.Contains(ports, p.Dport))
	}
	ends := func(addrs ...string) bool {
		return slices.Contains(addrs, p.Src.String()) || slices.Contains(addrs, p.Dst.String())
	}
	at := func(proto, port int, addrs ...string) bool {
		return p.Proto == proto && hasPorts &&
			(slices.Contains(addrs, p.Src.String()) && p.Sport == port || slices.Contains(addrs, p.Dst.String()) && p.Dport == port)
	}
	switch {
	case p.Arp:
		return no(mirror.ReasonARP)
	case p.Lldp:
		return no(mirror.ReasonNotIP)
	}
	v4 := p.Src.Is4()
	resolvers := []string{"169.254.169.253", "fd00:ec2::253"}
	for _, c := range w.Iface.VPCCIDRs {
		if c.Addr().Is4() {
			b := c.Masked().Addr().As4()
			n := binary.BigEndian.Uint32(b[:]) + 2
			a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
			if !slices.Contains(w.Iface.Addrs, a) {
				resolvers = append(resolvers, a.String())
			}
		}
	}
	dnsFragment := (p.Proto == 6 || p.Proto == 17) && !hasPorts && ends(resolvers...)
	for _, end := range []struct { // the reason is that of the source, when both ends have one
		addr string
		port int
	}{{p.Src.String(), p.Sport}, {p.Dst.String(), p.Dport}} {
		switch end.addr {
		case "169.254.169.254", "fd00:ec2::254":
			return no(mirror.ReasonMetadata)
		case "169.254.169.123", "fd00:ec2::123":
			return no(mirror.ReasonNTP)
		case "169.254.169.250", "169.254.169.251", "fd00:ec2::250", "fd00:ec2::240":
			if p.Proto == 6 && hasPorts && end.port == 1688 {
				return no(mirror.ReasonActivation)
			}
		}
	}
	switch {
	case slices.Contains(w.O.Tunnels, p.Dst) && p.Proto == 17 && (!hasPorts || p.Dport == 4789 || p.Dport == 6081):
		return no(mirror.ReasonOwnTunnel)
	case v4 && either(17, 67, 68), !v4 && either(17, 546, 547):
		return no(mirror.ReasonDHCP)
	case sw.AllNTPExcluded && either(17, 123):
		return no(mirror.ReasonNTP)
	case sw.NeighborDiscoveryExcluded && !v4 && p.Proto == 58 && p.Offset == 0 && !p.More && p.IcmpType >= 133 && p.IcmpType <= 137:
		return no(mirror.ReasonNeighbor)
	}
	sessions := slices.Clone(w.Sessions)
	slices.SortStableFunc(sessions, func(a, b mirror.Session) int { return a.Number - b.Number })
	filterOf := func(s mirror.Session) mirror.Filter {
		return w.Filters[slices.IndexFunc(w.Filters, func(f mirror.Filter) bool { return f.ID == s.FilterID })]
	}
	if at(6, 53, resolvers...) || at(17, 53, resolvers...) || dnsFragment || sw.AllResolverTrafficIsDNS && ends(resolvers...) {
		for _, s := range sessions {
			if sw.InactiveSessionsSkipped && slices.Contains(w.O.Inactive, s.ID) {
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
	if p.UnknownDirection {
		return no(mirror.ReasonNoDirection)
	}
	out := no(mirror.ReasonNoRule)
	for _, s := range sessions {
		if sw.InactiveSessionsSkipped && slices.Contains(w.O.Inactive, s.ID) {
			continue
		}
		for _, r := range w.rulesInOrder(filterOf(s), p.Egress) {
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

func (w *world) ruleMatches(r mirror.FilterRule, p *mirrortest.Packet, hasPorts bool) bool {
	if r.Protocol != mirror.AnyProtocol && r.Protocol != p.Proto {
		return false
	}
	if !r.SourceCIDR.Contains(p.Src) || !r.DestinationCIDR.Contains(p.Dst) {
		return false
	}
	if r.SourcePorts == nil && r.DestinationPorts == nil {
		return true
	}
	if !hasPorts {
		return w.O.Switches.FragmentsIgnorePorts
	}
	in := func(r *mirror.PortRange, port int) bool { return r == nil || r.From <= port && port <= r.To }
	return in(r.SourcePorts, p.Sport) && in(r.DestinationPorts, p.Dport)
}

func (w *world) taken(s mirror.Session, rule string, why mirror.Reason, p *mirrortest.Packet, frameLen int) verdict {
	v := verdict{mirror: true, reason: why, session: s.ID, rule: rule, length: frameLen}
	if slices.Contains(w.O.Inactive, s.ID) {
		return verdict{reason: mirror.ReasonInactiveTarget, session: s.ID, rule: rule}
	}
	if n := s.PacketLength; n > 0 {
		if !w.O.Switches.NoLengthFloor {
			if p.Src.Is4() && n < 35 {
				n = 35
			}
			if p.Src.Is6() && n < 55 {
				n = 55
			}
		}
		v.length = min(v.length, n)
	}
	if mtu := w.O.TargetMTU[s.TargetID]; mtu > 0 {
		outer := 36
		if w.O.Outer6 {
			outer = 56
		}
		v.length = min(v.length, mtu-outer)
	}
	return v
}

// disagreement compares the program with the plain reading; "" when they agree.
func disagreement(t testing.TB, w *world, p *mirrortest.Packet) string {
	g, err := mirror.Compile(w.Iface, w.Sessions, w.Filters, w.O)
	if err != nil {
		t.Fatalf("Compile: %v of %+v", err, w)
	}
	frame := p.Frame()
	parsed := &packet.NewDecoder(packet.Options{}).Decode(nil, packet.LinkEthernet, frame, len(frame), 0)[0]
	d := mirror.Ingress
	if p.Egress {
		d = mirror.Egress
	}
	if got := g.Direction(parsed); got != d && !p.UnknownDirection {
		return fmt.Sprintf("direction %v, want %v", got, d)
	}
	if p.UnknownDirection {
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
	g := mirrortest.Gen{Next: r.IntN}
	const pairs = 10000
	seen := map[mirror.Reason]int{}
	for range pairs / 20 {
		w := (*world)(g.World())
		for range 20 {
			p := g.Packet()
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
		g := mirrortest.Gen{Next: func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := int(b[0])
			b = b[1:]
			return v % n
		}}
		p := g.Packet()
		if what := disagreement(t, (*world)(g.World()), p); what != "" {
			t.Fatalf("%s for packet %+v", what, p)
		}
	})
}
