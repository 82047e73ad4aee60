package mirror

import "net/netip"

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
	return GroupVerdict{}
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
func ACLAdmits(acl *NetworkACL, d Direction, p Probe) ACLVerdict { return ACLVerdict{} }

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
	return RouteVerdict{}
}

// FrameLimit returns how many bytes of a frame fit, with the outer headers of a mirrored
// packet, into one packet of mtu bytes; outer6 tells that the outer header is IPv6.
func FrameLimit(mtu int, outer6 bool) int { return 0 }

// LargestWhole returns the longest IP packet that AWS documents to be mirrored whole to a
// target with this MTU.
func LargestWhole(mtu int, ipv6 bool) int { return 0 }

// MirroredLength returns how many bytes of a frame of frameLen bytes are mirrored:
// packetLength of the session (0: all), not less than the floor for its IP version
// unless noFloor, and what fits mtu (0: all).
func MirroredLength(frameLen, packetLength, mtu int, version uint8, noFloor bool) int { return 0 }
