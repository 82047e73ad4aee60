package vpc

import (
	"net/netip"

	"mirador/internal/packet"
)

// groupRule is one rule of a security group: what it admits, and whom.
type groupRule struct {
	proto    int // IANA number or anyProtocol
	from, to int // ports; ICMP: type and code, -1 any
	prefixes []netip.Prefix
	groups   []string // ids: every interface that has one of them
}

// anyProtocol is the protocol of rules that admit all.
const anyProtocol = -1

// group is a security group.
type group struct {
	id              string
	ingress, egress []groupRule
}

// ports tells whether r is about what h carries.
func (r *groupRule) ports(h *head) bool {
	if r.proto == anyProtocol {
		return true
	}
	if r.proto != int(h.proto) {
		return false
	}
	switch h.proto {
	case packet.ProtoTCP, packet.ProtoUDP:
		return r.from == -1 || r.from <= int(h.dport) && int(h.dport) <= r.to
	case packet.ProtoICMP, packet.ProtoICMPv6:
		return (r.from == -1 || r.from == int(h.icmpType)) && (r.to == -1 || r.from == -1 || r.to == int(h.icmpCode))
	}
	return true
}

// admits tells whether r lets h pass to or from the address peer, which is that of the
// interface far if it is one of a VPC. extra is one more group that the peer counts as
// having: a load balancer's, on what it forwards.
func (r *groupRule) admits(h *head, peer netip.Addr, far *eni, extra []string) bool {
	if !r.ports(h) {
		return false
	}
	for _, p := range r.prefixes {
		if p.Contains(peer) {
			return true
		}
	}
	for _, g := range r.groups {
		if far != nil && far.hasGroup(g) {
			return true
		}
		for _, x := range extra {
			if x == g {
				return true
			}
		}
	}
	return false
}

// universal tells that r admits everything of h's protocol from and to everywhere.
// What such rules admit in both directions is not tracked. AWS: "Security group
// connection tracking", untracked connections.
func (r *groupRule) universal(h *head) bool {
	if r.proto != anyProtocol && (r.proto != int(h.proto) || r.from > 0 || r.to >= 0 && r.to < 65535) {
		return false
	}
	for _, p := range r.prefixes {
		if p.Bits() == 0 && p.Addr().Is4() == (h.version == 4) {
			return true
		}
	}
	return false
}

// everywhere tells that r's peer is every address of h's family.
func (r *groupRule) everywhere(h *head) bool {
	for _, p := range r.prefixes {
		if p.Bits() == 0 && p.Addr().Is4() == (h.version == 4) {
			return true
		}
	}
	return false
}

func (e *eni) hasGroup(id string) bool {
	for _, g := range e.groups {
		if g.id == id {
			return true
		}
	}
	return false
}

// groupsAdmit asks security groups about h. peer is the address at the other end, and far
// its interface, if it is one of a VPC.
func groupsAdmit(groups []*group, h *head, peer netip.Addr, out bool, far *eni, extra []string) bool {
	for _, g := range groups {
		rules := g.ingress
		if out {
			rules = g.egress
		}
		for i := range rules {
			if rules[i].admits(h, peer, far, extra) {
				return true
			}
		}
	}
	return false
}

// untracked tells whether h is admitted by a rule for everybody, and its answers are too,
// so that AWS does not track the connection.
func (e *eni) untracked(h *head, out bool) bool {
	if e.track || h.proto != packet.ProtoTCP && h.proto != packet.ProtoUDP {
		return false
	}
	for _, g := range e.groups {
		rules := g.ingress
		if out {
			rules = g.egress
		}
		for i := range rules {
			if rules[i].ports(h) && rules[i].everywhere(h) && e.answersPass(h, out) {
				return true
			}
		}
	}
	return false
}

// answersPass tells whether a universal rule of the other direction lets answers to h
// pass without a connection being tracked. ICMP is always tracked.
func (e *eni) answersPass(h *head, out bool) bool {
	for _, g := range e.groups {
		rules := g.egress
		if out {
			rules = g.ingress
		}
		for i := range rules {
			if rules[i].universal(h) {
				return true
			}
		}
	}
	return false
}

// admit asks the groups of e about h, or what they have said about its connection.
func (e *eni) admit(h *head, out bool, far *eni, extra []string, now int64) Reason {
	refused := DropIngressGroup
	if out {
		refused = DropEgressGroup
	}
	if !e.guarded {
		return passed
	}
	peer := h.src
	if out {
		peer = h.dst
	}
	if h.mirrored {
		// Mirrored packets are judged each on its own: a group that closes stops them.
		if !groupsAdmit(e.groups, h, peer, out, far, extra) {
			return refused
		}
		return passed
	}
	t := &e.live.tracker
	if t.known(h, out, now) {
		return passed
	}
	if !groupsAdmit(e.groups, h, peer, out, far, extra) {
		return refused
	}
	if !h.fragment && !e.untracked(h, out) && !t.add(h, out, now) {
		return DropTracked
	}
	return passed
}

// aclRule is a rule of a network ACL.
type aclRule struct {
	number   int
	allow    bool
	proto    int
	from, to int // destination ports, or ICMP type and code; -1 any
	prefix   netip.Prefix
}

// acl is a network ACL: rules in ascending order; what none matches is denied.
type acl struct {
	id              string
	ingress, egress []aclRule
}

// passes asks a about h, without memory of what passed before.
func (a *acl) passes(h *head, out bool) bool {
	if a == nil {
		return true
	}
	rules, peer := a.ingress, h.src
	if out {
		rules, peer = a.egress, h.dst
	}
	for i := range rules {
		r := &rules[i]
		g := groupRule{proto: r.proto, from: r.from, to: r.to}
		if g.ports(h) && r.prefix.Contains(peer) {
			return r.allow
		}
	}
	return false
}
