package mirror

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mirador/internal/packet"
)

// Explanation is the way of one packet through a Program, every step of it.
type Explanation struct {
	Decision Decision
	Steps    []Step
	Text     string // the outcome in one sentence
}

// Step is one thing that was looked at.
type Step struct {
	Session int    // index in Program.Sessions, -1 for what comes before sessions
	Rule    int    // index in Filter.Rules, -1: not a rule
	Match   bool   // it applies to the packet
	Text    string // what was looked at, as "egress 200 accept tcp 10.0.0.0/8 → any"
	Why     string // in what a rule and the packet differ, as "protocol"
}

// Explain decides as Decide does, and writes every step down.
func (g *Program) Explain(p *packet.Parsed, d Direction) Explanation {
	e := Explanation{Decision: g.Decide(p, d)}
	var k key
	class := g.class(p, &k)
	switch {
	case class == ReasonResolver:
		g.explainResolver(&e)
	case class != ReasonNone:
		e.Steps = append(e.Steps, Step{Session: -1, Rule: -1, Match: true, Text: "traffic that is never mirrored", Why: classText[class]})
	default:
		e.Steps = append(e.Steps, Step{Session: -1, Rule: -1, Text: "traffic that is never mirrored", Why: "none of it"},
			Step{Session: -1, Rule: -1, Text: "DNS with the Amazon resolver", Why: "not that"})
		if d == Ingress || d == Egress {
			g.explainRules(&e, &k, d, p.IPVersion)
		}
	}
	e.Text = g.outcome(&e.Decision)
	return e
}

func (g *Program) explainResolver(e *Explanation) {
	e.Steps = append(e.Steps, Step{Session: -1, Rule: -1, Match: true, Text: "DNS with the Amazon resolver", Why: "rules are not asked, only amazon-dns"})
	for i := range g.sessions {
		has := i == g.dns
		s := Step{Session: i, Rule: -1, Match: has, Text: "network service amazon-dns", Why: "not in the filter"}
		if has {
			s.Why = ""
		}
		if g.sessions[i].Inactive && g.sw.InactiveSessionsSkipped {
			s.Why = "the session is skipped, its target is gone"
		}
		e.Steps = append(e.Steps, s)
		if has {
			return
		}
	}
}

// explainRules walks the rules as Decide does.
func (g *Program) explainRules(e *Explanation, k *key, d Direction, version uint8) {
	for i := range g.sessions {
		s := &g.sessions[i]
		if s.Inactive && g.sw.InactiveSessionsSkipped {
			e.Steps = append(e.Steps, Step{Session: i, Rule: -1, Text: "session", Why: "skipped, its target is gone"})
			continue
		}
		asked := 0
		for n := range s.Filter.Rules {
			r := &s.Filter.Rules[n]
			if r.Direction != d {
				continue
			}
			asked++
			step := Step{Session: i, Rule: n, Text: RuleText(r)}
			if r.SourceCIDR.Addr().Is4() != (version == 4) {
				step.Why = "address family"
				e.Steps = append(e.Steps, step)
				continue
			}
			o := newOp(r, i, n)
			m := g.match(&o, k)
			step.Match, step.Why = m == matches, mismatchNames[m]
			if step.Match {
				step.Why = ""
			}
			e.Steps = append(e.Steps, step)
			if !step.Match {
				continue
			}
			if r.Action == Accept || g.sw.RejectStops {
				return
			}
			break
		}
		if asked == 0 {
			e.Steps = append(e.Steps, Step{Session: i, Rule: -1, Text: fmt.Sprintf("the filter has no %v rules", d), Why: "nothing to match"})
		}
	}
}

// classText says the reasons that come before sessions.
var classText = [numReasons]string{
	ReasonNotIP: "neither IPv4 nor IPv6", ReasonARP: "ARP", ReasonDHCP: "DHCP", ReasonMetadata: "instance metadata service",
	ReasonNTP: "Amazon Time Sync Service", ReasonActivation: "Windows activation", ReasonNeighbor: "neighbour discovery",
	ReasonOwnTunnel: "the mirror's own encapsulated packets",
}

// outcome says d in a sentence.
func (g *Program) outcome(d *Decision) string {
	ps, r := g.SessionOf(*d), g.RuleOf(*d)
	switch d.Reason {
	case ReasonAccept, ReasonAmazonDNS:
		by := "amazon-dns"
		if r != nil {
			by = "rule " + RuleName(r)
		}
		s := fmt.Sprintf("mirrored by session %d, %s", ps.Session.Number, by)
		if d.CutByLength {
			s += fmt.Sprintf(", cut to %d bytes by its packet length", d.Length)
		}
		if d.CutByMTU {
			s += fmt.Sprintf(", cut to %d bytes by the target's MTU of %d", d.Length, ps.MTU)
		}
		if rest := g.sessions[d.Session+1:]; len(rest) > 0 {
			s += "; later sessions ("
			for i := range rest {
				if i > 0 {
					s += ", "
				}
				s += strconv.Itoa(rest[i].Session.Number)
			}
			s += ") not considered"
		}
		return s
	case ReasonInactiveTarget:
		return fmt.Sprintf("not mirrored: session %d takes it, but its target is gone", ps.Session.Number)
	case ReasonReject:
		return fmt.Sprintf("not mirrored: rejected by session %d, rule %s", ps.Session.Number, RuleName(r))
	case ReasonNoRule:
		return "not mirrored: no rule matches"
	case ReasonResolver:
		return "not mirrored: DNS with the Amazon resolver is mirrored only with the network service amazon-dns"
	case ReasonNoSessions:
		return "not mirrored: the interface has no sessions"
	case ReasonNoDirection:
		return "not mirrored: neither received nor sent by the interface, as far as its MAC and addresses tell"
	}
	return "not mirrored: " + classText[d.Reason] + " is never mirrored"
}

// RuleText says a rule in a line: "egress 200 accept tcp 10.0.0.0/8 → any:443".
func RuleText(r *FilterRule) string {
	return fmt.Sprintf("%s %s %s %s → %s", RuleName(r), r.Action, ProtocolName(r.Protocol),
		endText(r.SourceCIDR, r.SourcePorts), endText(r.DestinationCIDR, r.DestinationPorts))
}

func endText(c netip.Prefix, p *PortRange) string {
	s := c.String()
	if c.Bits() == 0 {
		s = "any"
		if !c.Addr().Is4() {
			s = "any6"
		}
	}
	switch {
	case p == nil:
		return s
	case p.From == p.To:
		return fmt.Sprintf("%s:%d", s, p.From)
	}
	return fmt.Sprintf("%s:%d-%d", s, p.From, p.To)
}

// protocolNames are the protocols that people write by name (IANA protocol numbers).
var protocolNames = []struct {
	name   string
	number int
}{
	{"all", AnyProtocol}, {"icmp", 1}, {"igmp", 2}, {"ipip", 4}, {"tcp", 6}, {"egp", 8}, {"udp", 17}, {"dccp", 33}, {"ipv6", 41}, {"rsvp", 46}, {"gre", 47}, {"esp", 50},
	{"ah", 51}, {"icmpv6", 58}, {"eigrp", 88}, {"ospf", 89}, {"pim", 103}, {"vrrp", 112}, {"l2tp", 115}, {"sctp", 132}, {"udplite", 136},
}

// ProtocolName returns the name of an IP protocol number, or the number.
func ProtocolName(n int) string {
	for _, p := range protocolNames {
		if p.number == n {
			return p.name
		}
	}
	return strconv.Itoa(n)
}

// ParseProtocol reads a protocol name or number; "all", "any" and "-1" mean AnyProtocol.
func ParseProtocol(s string) (int, error) {
	s = strings.ToLower(s)
	if s == "icmp6" || s == "ipv6-icmp" {
		return packet.ProtoICMPv6, nil
	}
	for _, p := range protocolNames {
		if p.name == s {
			return p.number, nil
		}
	}
	if s == "any" || s == "-1" {
		return AnyProtocol, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("protocol %q is neither a name this program knows nor 0 to 255", s)
	}
	return int(n), nil
}
