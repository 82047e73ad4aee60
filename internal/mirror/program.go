package mirror

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"mirador/internal/packet"
)

// CompileOptions are what a Program needs beyond sessions and filters.
type CompileOptions struct {
	Switches Switches
	Port     PortMode // how SourcePort chooses
	// Tunnels are the addresses that mirrored packets are sent to: UDP to port 4789 or
	// 6081 of them is the mirror's own traffic and never mirrored.
	Tunnels []netip.Addr
	// TargetMTU is the MTU that an encapsulated packet has to fit, by target id; a
	// target without one is not limited.
	TargetMTU map[string]int
	// Outer6 tells that mirrored packets have an IPv6 outer header, which is longer.
	Outer6 bool
	// Inactive are the ids of sessions that mirror nothing because their target is gone
	// (Book.Status). Such a session still takes its packets, see
	// Switches.InactiveSessionsSkipped.
	Inactive []string
}

// Program is what the sessions of one source interface do, in the order in which it is
// done: what is never mirrored, traffic of the Amazon resolver, then sessions by number,
// and in each the rules of the packet's direction by number. The first rule that matches
// decides. A Program is immutable and safe for concurrent use.
type Program struct {
	sessions []ProgramSession
	sw       Switches
	port     PortMode
	mac      [6]byte
	hasMAC   bool
	addrs    []packet.Addr
	// resolvers and tunnels are a handful each, looked through one by one.
	resolvers []packet.Addr
	tunnels   []packet.Addr
	dns       int // index of the session that takes traffic of the resolver, -1: none
	ops       [2][2][]op
}

// op is one rule in the order of evaluation.
type op struct {
	src, srcMask, dst, dstMask addr
	sportFrom, sportTo         uint16
	dportFrom, dportTo         uint16
	protocol                   int16 // -1: any
	ports                      bool  // has a port range
	accept                     bool
	session, rule              int
	next                       int // index of the first op of the next session
}

// addr is an address as two numbers, IPv4 in its mapped form.
type addr struct{ hi, lo uint64 }

func toAddr(a *packet.Addr) addr {
	return addr{binary.BigEndian.Uint64(a[0:8]), binary.BigEndian.Uint64(a[8:16])}
}

// ProgramSession is a session as a Program has it.
type ProgramSession struct {
	Session  Session
	Filter   Filter // rules by direction and number
	Inactive bool
	MTU      int // of the target; 0: not limited
	limit    int // bytes of a frame that fit MTU; 0: not limited
}

// Reason tells why a packet is mirrored or not.
type Reason uint8

// The reasons of a Decision.
const (
	ReasonNone           Reason = iota
	ReasonAccept                // mirrored: an accept rule matched
	ReasonAmazonDNS             // mirrored: DNS of the Amazon resolver, and a session has amazon-dns
	ReasonNotIP                 // neither IPv4 nor IPv6, or not readable as such
	ReasonARP                   // ARP, which is never mirrored
	ReasonDHCP                  // DHCP, which is never mirrored
	ReasonMetadata              // instance metadata service, which is never mirrored
	ReasonNTP                   // Amazon Time Sync Service, which is never mirrored
	ReasonActivation            // Windows activation, which is never mirrored
	ReasonNeighbor              // neighbour discovery, by switch
	ReasonOwnTunnel             // the mirror's own VXLAN or GENEVE
	ReasonNoDirection           // neither received nor sent, as far as can be told
	ReasonNoSessions            // the interface has no sessions
	ReasonResolver              // DNS of the Amazon resolver, and no session has amazon-dns
	ReasonReject                // a reject rule matched, and no later session took the packet
	ReasonNoRule                // no rule matched
	ReasonInactiveTarget        // a session took the packet, whose target is gone
	numReasons
)

var reasonNames = [numReasons]string{
	ReasonNone: "none", ReasonAccept: "accept", ReasonAmazonDNS: "amazon-dns", ReasonNotIP: "not-ip", ReasonARP: "arp",
	ReasonDHCP: "dhcp", ReasonMetadata: "instance-metadata", ReasonNTP: "amazon-time-sync", ReasonActivation: "windows-activation",
	ReasonNeighbor: "neighbor-discovery", ReasonOwnTunnel: "own-tunnel", ReasonNoDirection: "no-direction",
	ReasonNoSessions: "no-sessions", ReasonResolver: "amazon-dns-off", ReasonReject: "reject", ReasonNoRule: "no-rule",
	ReasonInactiveTarget: "inactive-target",
}

// String returns a short name for counters and JSON, as "no-rule".
func (r Reason) String() string {
	if r < numReasons {
		return reasonNames[r]
	}
	return "none"
}

// NumReasons is the number of reasons, for tables of counters.
const NumReasons = int(numReasons)

// Decision is what to do with one packet. It is plain data without pointers.
type Decision struct {
	Mirror       bool
	Reason       Reason
	FromResolver bool // an answer of the Amazon resolver: see SourcePort
	// CutByLength and CutByMTU tell what made Length less than the frame.
	CutByLength, CutByMTU bool
	Session               int // index in Program.Sessions, -1: none
	Rule                  int // index in Filter.Rules of that session, -1: none
	// Length is how many bytes of the frame are mirrored, from its Ethernet header on:
	// the frame, the session's packet length or what fits the target's MTU.
	Length int
}

// Compile makes the program of iface from those of sessions that have it as their source,
// and filters, which must hold the filter of each. It keeps none of its arguments.
func Compile(iface Interface, sessions []Session, filters []Filter, o CompileOptions) (*Program, error) {
	g := &Program{sw: o.Switches, port: o.Port, mac: iface.MAC, hasMAC: iface.MAC != [6]byte{}, dns: -1}
	for _, a := range iface.Addrs {
		g.addrs = append(g.addrs, a.As16())
	}
	for _, a := range o.Tunnels {
		g.tunnels = append(g.tunnels, a.As16())
	}
	g.resolvers = resolvers(&iface)
	for i := range sessions {
		s := &sessions[i]
		if s.NetworkInterfaceID != iface.ID {
			continue
		}
		ps, err := newProgramSession(s, filters, &o)
		if err != nil {
			return nil, fmt.Errorf("session %s: %w", s.ID, err)
		}
		g.sessions = append(g.sessions, ps)
	}
	slices.SortStableFunc(g.sessions, func(a, b ProgramSession) int { return a.Session.Number - b.Session.Number })
	for i := range g.sessions {
		g.add(i)
	}
	return g, nil
}

func newProgramSession(s *Session, filters []Filter, o *CompileOptions) (ProgramSession, error) {
	at := slices.IndexFunc(filters, func(f Filter) bool { return f.ID == s.FilterID })
	if at < 0 {
		return ProgramSession{}, fmt.Errorf("filter %q is not there", s.FilterID)
	}
	if err := CheckFilter(&filters[at]); err != nil {
		return ProgramSession{}, fmt.Errorf("filter %s: %w", s.FilterID, err)
	}
	if s.VNI > MaxVNI || s.PacketLength < 0 {
		return ProgramSession{}, fmt.Errorf("VNI %d or packet length %d is out of range", s.VNI, s.PacketLength)
	}
	ps := ProgramSession{
		Session: *copySession(s), Filter: *copyFilter(&filters[at]),
		Inactive: slices.Contains(o.Inactive, s.ID), MTU: o.TargetMTU[s.TargetID],
	}
	ps.limit = FrameLimit(ps.MTU, o.Outer6)
	sortRules(ps.Filter.Rules)
	return ps, nil
}

// add appends the rules of session i to the program.
func (g *Program) add(i int) {
	ps := &g.sessions[i]
	if ps.Inactive && g.sw.InactiveSessionsSkipped {
		return
	}
	if g.dns < 0 && slices.Contains(ps.Filter.NetworkServices, AmazonDNS) {
		g.dns = i
	}
	for n := range ps.Filter.Rules {
		r := &ps.Filter.Rules[n]
		list := &g.ops[r.Direction-Ingress][family(r.SourceCIDR.Addr().Is4())]
		*list = append(*list, newOp(r, i, n))
	}
	for d := range g.ops {
		for f := range g.ops[d] {
			list := g.ops[d][f]
			for n := len(list) - 1; n >= 0 && list[n].session == i; n-- {
				list[n].next = len(list)
			}
		}
	}
}

// family is the index of IPv4 or IPv6 in Program.ops.
func family(is4 bool) int {
	if is4 {
		return 0
	}
	return 1
}

func newOp(r *FilterRule, session, rule int) op {
	o := op{protocol: int16(r.Protocol), accept: r.Action == Accept, session: session, rule: rule, sportTo: 65535, dportTo: 65535}
	o.src, o.srcMask = network(r.SourceCIDR)
	o.dst, o.dstMask = network(r.DestinationCIDR)
	if p := r.SourcePorts; p != nil {
		o.ports, o.sportFrom, o.sportTo = true, uint16(p.From), uint16(p.To)
	}
	if p := r.DestinationPorts; p != nil {
		o.ports, o.dportFrom, o.dportTo = true, uint16(p.From), uint16(p.To)
	}
	return o
}

// network returns the address and mask of p, in 128 bits.
func network(p netip.Prefix) (a, mask addr) {
	b := p.Masked().Addr().As16()
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := range bits {
		if i < 64 {
			mask.hi |= 1 << (63 - i)
		} else {
			mask.lo |= 1 << (127 - i)
		}
	}
	x := packet.Addr(b)
	return toAddr(&x), mask
}

// resolvers returns the addresses of the Amazon resolver as iface sees it: the two
// link-local ones and the base of each IPv4 range of the VPC plus two. An address that
// the interface has itself is none.
func resolvers(iface *Interface) []packet.Addr {
	out := []packet.Addr{resolver4, resolver6}
	for _, c := range iface.VPCCIDRs {
		if !c.Addr().Is4() {
			continue
		}
		a := c.Masked().Addr().Next().Next()
		if a.IsValid() && c.Contains(a) && !slices.Contains(iface.Addrs, a) {
			out = append(out, a.As16())
		}
	}
	return out
}

// Sessions returns the sessions of g in their order. The slice is not to be changed.
func (g *Program) Sessions() []ProgramSession { return g.sessions }

// RuleOf returns the rule that decided, nil when none did. It is not to be changed.
func (g *Program) RuleOf(d Decision) *FilterRule {
	if d.Session < 0 || d.Rule < 0 {
		return nil
	}
	return &g.sessions[d.Session].Filter.Rules[d.Rule]
}

// SessionOf returns the session that decided, nil when none did. It is not to be changed.
func (g *Program) SessionOf(d Decision) *ProgramSession {
	if d.Session < 0 {
		return nil
	}
	return &g.sessions[d.Session]
}

// Direction tells which way the frame p went as the interface sees it, by its MAC and
// else its addresses.
func (g *Program) Direction(p *packet.Parsed) Direction {
	if g.hasMAC && p.HasEther {
		switch {
		case p.EtherSrc == g.mac:
			return Egress
		case p.EtherDst == g.mac, p.EtherDst[0]&1 != 0: // to us, or a group or broadcast address
			return Ingress
		}
	}
	if p.IPVersion == 0 {
		return DirectionUnknown
	}
	if slices.Contains(g.addrs, p.Src) {
		return Egress
	}
	if slices.Contains(g.addrs, p.Dst) {
		return Ingress
	}
	return DirectionUnknown
}

// Decide tells what to do with the frame p (the outermost packet of it) that went in
// direction d. It allocates nothing.
func (g *Program) Decide(p *packet.Parsed, d Direction) Decision {
	var k key
	dec := Decision{Reason: g.class(p, &k), Session: -1, Rule: -1}
	switch {
	case dec.Reason == ReasonResolver:
		g.resolver(p, &dec)
		return dec
	case dec.Reason != ReasonNone:
		return dec
	case len(g.sessions) == 0:
		dec.Reason = ReasonNoSessions
		return dec
	case d != Ingress && d != Egress:
		dec.Reason = ReasonNoDirection
		return dec
	}
	dec.Reason = ReasonNoRule
	ops := g.ops[d-Ingress][family(p.IPVersion == 4)]
	for i := 0; i < len(ops); {
		o := &ops[i]
		if g.match(o, &k) != matches {
			i++
			continue
		}
		if o.accept {
			g.take(p, &dec, ReasonAccept, o.session, o.rule)
			return dec
		}
		if dec.Reason == ReasonNoRule { // the first reject is the one to tell of
			dec.Reason, dec.Session, dec.Rule = ReasonReject, o.session, o.rule
		}
		if g.sw.RejectStops {
			return dec
		}
		i = o.next
	}
	return dec
}

// resolver decides over DNS of the Amazon resolver: the first session with amazon-dns
// takes all of it.
func (g *Program) resolver(p *packet.Parsed, dec *Decision) {
	dec.FromResolver = slices.Contains(g.resolvers, p.Src)
	if g.dns >= 0 {
		g.take(p, dec, ReasonAmazonDNS, g.dns, -1)
	}
}

// take notes that a session takes the packet.
func (g *Program) take(p *packet.Parsed, dec *Decision, why Reason, session, rule int) {
	s := &g.sessions[session]
	dec.Session, dec.Rule = session, rule
	if s.Inactive {
		dec.Reason = ReasonInactiveTarget
		return
	}
	dec.Mirror, dec.Reason = true, why
	n := len(p.Data)
	cut := cutLength(n, s.Session.PacketLength, p.IPVersion, g.sw.NoLengthFloor)
	dec.CutByLength = cut < n
	if s.limit > 0 && cut > s.limit {
		cut, dec.CutByMTU = s.limit, true
	}
	dec.Length = cut
}

// key is what rules look at.
type key struct {
	src, dst     addr
	sport, dport uint16
	protocol     int16
	hasPorts     bool // sport and dport are those of the packet
}

// mismatch tells the first thing in which a packet and a rule differ.
type mismatch uint8

const (
	matches mismatch = iota
	otherProtocol
	otherSource
	otherDestination
	noPorts
	otherSourcePort
	otherDestinationPort
)

var mismatchNames = [...]string{
	matches: "match", otherProtocol: "protocol", otherSource: "source", otherDestination: "destination",
	noPorts: "a fragment without ports", otherSourcePort: "source port", otherDestinationPort: "destination port",
}

func (g *Program) match(o *op, k *key) mismatch {
	switch {
	case o.protocol >= 0 && o.protocol != k.protocol:
		return otherProtocol
	case (k.src.hi^o.src.hi)&o.srcMask.hi|(k.src.lo^o.src.lo)&o.srcMask.lo != 0:
		return otherSource
	case (k.dst.hi^o.dst.hi)&o.dstMask.hi|(k.dst.lo^o.dst.lo)&o.dstMask.lo != 0:
		return otherDestination
	case !o.ports:
		return matches
	case !k.hasPorts:
		if g.sw.FragmentsIgnorePorts {
			return matches
		}
		return noPorts
	case k.sport < o.sportFrom || k.sport > o.sportTo:
		return otherSourcePort
	case k.dport < o.dportFrom || k.dport > o.dportTo:
		return otherDestinationPort
	}
	return matches
}

// Hits calls visit for each rule that matches the frame p, in order, up to the one that
// decides: rejects of earlier sessions, then the rule of Decide. It is for statistics of
// rules, and calls nothing for packets that rules are not asked for.
func (g *Program) Hits(p *packet.Parsed, d Direction, visit func(session, rule int)) {
	var k key
	if g.class(p, &k) != ReasonNone || d != Ingress && d != Egress {
		return
	}
	ops := g.ops[d-Ingress][family(p.IPVersion == 4)]
	for i := 0; i < len(ops); {
		o := &ops[i]
		if g.match(o, &k) != matches {
			i++
			continue
		}
		visit(o.session, o.rule)
		if o.accept || g.sw.RejectStops {
			return
		}
		i = o.next
	}
}
