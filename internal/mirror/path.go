package mirror

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// Probe is a packet on its way through the VPC, as groups, network ACLs and routes see
// it.
type Probe struct {
	Protocol         int // IANA number
	Src, Dst         netip.Addr
	SrcPort, DstPort int // of TCP and UDP
	ICMPType         int
	ICMPCode         int
}

// MirrorProbe is a mirrored packet from source to target.
func MirrorProbe(source, target netip.Addr) Probe {
	return Probe{Protocol: 17, Src: source, Dst: target, SrcPort: 65408, DstPort: 4789}
}

// SecurityGroup is a VPC security group.
type SecurityGroup struct {
	ID      string      `json:"id"`
	Ingress []GroupRule `json:"ingress,omitempty"`
	Egress  []GroupRule `json:"egress,omitempty"`
}

// GroupRule admits packets. Exactly one of CIDR, GroupID and PrefixListID says from whom
// (ingress) or to whom (egress).
type GroupRule struct {
	ID           string       `json:"id,omitempty"` // sgr-...
	Protocol     int          `json:"protocol"`     // IANA number or AnyProtocol
	From         int          `json:"from"`         // port, or ICMP type; -1: any
	To           int          `json:"to"`           // port, or ICMP code; -1: any
	CIDR         netip.Prefix `json:"cidr"`
	GroupID      string       `json:"groupId,omitempty"`
	PrefixListID string       `json:"prefixListId,omitempty"`
}

// PrefixLists are the entries of managed prefix lists by id.
type PrefixLists map[string][]netip.Prefix

// GroupVerdict tells whether security groups admit a packet, and which rule did.
type GroupVerdict struct {
	Admitted bool
	GroupID  string // of the rule that admitted
	Rule     int    // its index in Ingress or Egress, -1: none
	Why      string // in words
}

// GroupsAdmit tells whether one of groups admits the probe in direction d of their
// interface. peerGroups are the security groups of the interface at the other end, when
// it is in the VPC or a peered one. It knows no connections: answers to admitted packets
// are the caller's matter. An interface without groups admits nothing.
func GroupsAdmit(groups []SecurityGroup, d Direction, p Probe, peerGroups []string, lists PrefixLists) GroupVerdict {
	p.unmap()
	for gi := range groups {
		rules := groups[gi].Ingress
		if d == Egress {
			rules = groups[gi].Egress
		}
		for ri := range rules {
			if why, ok := rules[ri].admits(d, &p, peerGroups, lists); ok {
				return GroupVerdict{Admitted: true, GroupID: groups[gi].ID, Rule: ri,
					Why: fmt.Sprintf("%s admits %s %s", groups[gi].ID, d, why)}
			}
		}
	}
	ids := make([]string, len(groups))
	for i := range groups {
		ids[i] = groups[i].ID
	}
	return GroupVerdict{Rule: -1, Why: fmt.Sprintf("no %v rule of %v admits %s", d, ids, p.text(d))}
}

// admits tells whether r admits p, and says r in words.
func (r *GroupRule) admits(d Direction, p *Probe, peerGroups []string, lists PrefixLists) (why string, ok bool) {
	if !protocolAdmits(r.Protocol, p) || !portsAdmit(r.Protocol, r.From, r.To, p) {
		return "", false
	}
	peer, prep := p.Src, "from "
	if d == Egress {
		peer, prep = p.Dst, "to "
	}
	switch {
	case r.GroupID != "":
		why, ok = prep+r.GroupID, slices.Contains(peerGroups, r.GroupID)
	case r.PrefixListID != "":
		why, ok = prep+r.PrefixListID, inPrefixes(lists[r.PrefixListID], peer)
	default:
		why, ok = prep+r.CIDR.String(), r.CIDR.IsValid() && r.CIDR.Contains(peer)
	}
	return ProtocolName(r.Protocol) + portText(r.From, r.To) + " " + why, ok
}

func inPrefixes(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(c netip.Prefix) bool { return c.Contains(a) })
}

// protocolAdmits tells whether a rule for this protocol is one for p. EC2 takes 1 for
// ICMP over IPv4 and 58 for ICMPv6.
func protocolAdmits(protocol int, p *Probe) bool {
	return protocol == AnyProtocol || protocol == p.Protocol
}

// portsAdmit tells whether a range of ports, or ICMP type and code, covers p. For other
// protocols there is nothing to compare, and so for all protocols.
func portsAdmit(protocol, from, to int, p *Probe) bool {
	switch protocol {
	case 6, 17:
		return (from < 0 || p.DstPort >= from) && (to < 0 || p.DstPort <= to)
	case 1, 58:
		return (from < 0 || p.ICMPType == from) && (to < 0 || p.ICMPCode == to)
	}
	return true
}

func portText(from, to int) string {
	switch {
	case from < 0:
		return ""
	case from == to || to < 0:
		return " " + strconv.Itoa(from)
	}
	return fmt.Sprintf(" %d-%d", from, to)
}

// unmap gives IPv4 addresses their short form, which prefixes compare with.
func (p *Probe) unmap() { p.Src, p.Dst = p.Src.Unmap(), p.Dst.Unmap() }

// text says p for people, as the interface sees it that it goes into (ingress) or out of.
func (p *Probe) text(d Direction) string {
	s := ProtocolName(p.Protocol)
	if p.Protocol == 6 || p.Protocol == 17 {
		s += " " + strconv.Itoa(p.DstPort)
	}
	if d == Egress {
		return s + " to " + p.Dst.String()
	}
	return s + " from " + p.Src.String()
}

// NetworkACL is a network ACL of subnets.
type NetworkACL struct {
	ID      string    `json:"id"`
	Entries []ACLRule `json:"entries,omitempty"` // both directions, in any order
}

// ACLRule is one numbered entry of a network ACL.
type ACLRule struct {
	Number   int          `json:"number"`
	Egress   bool         `json:"egress,omitempty"`
	Allow    bool         `json:"allow"`
	Protocol int          `json:"protocol"` // IANA number or AnyProtocol
	CIDR     netip.Prefix `json:"cidr"`
	Ports    *PortRange   `json:"ports,omitempty"` // of TCP and UDP; nil: any
	ICMPType int          `json:"icmpType"`        // -1: any
	ICMPCode int          `json:"icmpCode"`        // -1: any
}

// ACLLast is the number of the entry "*", which denies what no other entry decided.
const ACLLast = 32767

// ACLVerdict tells whether a network ACL admits a packet, and which entry decided.
type ACLVerdict struct {
	Admitted bool
	Number   int // of the entry; ACLLast when none matched
	Why      string
}

// ACLAdmits tells whether acl admits the probe in direction d of the subnet.
func ACLAdmits(acl *NetworkACL, d Direction, p Probe) ACLVerdict {
	p.unmap()
	peer := p.Src
	if d == Egress {
		peer = p.Dst
	}
	var best *ACLRule
	for i := range acl.Entries {
		e := &acl.Entries[i]
		if e.Egress != (d == Egress) || best != nil && best.Number <= e.Number || !protocolAdmits(e.Protocol, &p) || !e.CIDR.IsValid() || !e.CIDR.Contains(peer) {
			continue
		}
		from, to := e.ICMPType, e.ICMPCode
		if e.Protocol == 6 || e.Protocol == 17 {
			from, to = -1, -1
			if e.Ports != nil {
				from, to = e.Ports.From, e.Ports.To
			}
		}
		if portsAdmit(e.Protocol, from, to, &p) {
			best = e
		}
	}
	if best == nil {
		return ACLVerdict{Number: ACLLast, Why: fmt.Sprintf("%s has no %v entry for %s: entry * denies", acl.ID, d, p.text(d))}
	}
	verb := "denies"
	if best.Allow {
		verb = "allows"
	}
	return ACLVerdict{Admitted: best.Allow, Number: best.Number, Why: fmt.Sprintf("%s %v entry %d %s %s", acl.ID, d, best.Number, verb, p.text(d))}
}

// RouteTable is a route table of a VPC.
type RouteTable struct {
	ID     string  `json:"id"`
	Routes []Route `json:"routes,omitempty"`
}

// Route is one route. Exactly one of Destination and PrefixListID is set.
type Route struct {
	Destination  netip.Prefix `json:"destination"`
	PrefixListID string       `json:"prefixListId,omitempty"`
	Target       string       `json:"target"` // "local", or the id of a gateway, interface, peering, endpoint
	Blackhole    bool         `json:"blackhole,omitempty"`
	Propagated   bool         `json:"propagated,omitempty"`
}

// RouteVerdict tells where a route table sends a packet.
type RouteVerdict struct {
	Found  bool // there is a route, and it is no black hole
	Index  int  // in Routes, -1: none
	Target string
	Why    string
}

// LookupRoute returns the route for dst: the longest prefix; of equal ones a local route
// first, then a static one, then a propagated one.
func LookupRoute(t *RouteTable, dst netip.Addr, lists PrefixLists) RouteVerdict {
	dst = dst.Unmap()
	best, bestBits := -1, -1
	for i := range t.Routes {
		bits := t.Routes[i].covers(dst, lists)
		if bits > bestBits || bits >= 0 && bits == bestBits && t.Routes[i].rank() < t.Routes[best].rank() {
			best, bestBits = i, bits
		}
	}
	if best < 0 {
		return RouteVerdict{Index: -1, Why: fmt.Sprintf("%s has no route to %v", t.ID, dst)}
	}
	r := &t.Routes[best]
	to := r.PrefixListID
	if to == "" {
		to = r.Destination.String()
	}
	v := RouteVerdict{Found: !r.Blackhole, Index: best, Target: r.Target, Why: fmt.Sprintf("%s sends %v by %s to %s", t.ID, dst, to, r.Target)}
	if r.Blackhole {
		v.Why = fmt.Sprintf("%s has a black hole for %v: %s to %s", t.ID, dst, to, r.Target)
	}
	return v
}

// covers returns the length of the prefix by which r covers a, -1 when it does not.
func (r *Route) covers(a netip.Addr, lists PrefixLists) int {
	if r.PrefixListID == "" {
		if r.Destination.IsValid() && r.Destination.Contains(a) {
			return r.Destination.Bits()
		}
		return -1
	}
	best := -1
	for _, c := range lists[r.PrefixListID] {
		if c.Contains(a) {
			best = max(best, c.Bits())
		}
	}
	return best
}

// rank orders routes of the same prefix: AWS: VPC route tables, route priority.
func (r *Route) rank() int {
	switch {
	case r.Target == "local":
		return 0
	case r.Propagated:
		return 3
	case r.PrefixListID != "":
		return 2
	}
	return 1
}
