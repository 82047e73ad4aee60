package vpc

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"mirador/internal/mirror"
)

// plan is an immutable picture of everything that frames are forwarded by, compiled from
// one snapshot. The fabric goes from one plan to the next between two batches. What has
// to outlive a plan hangs at the live halves that it points to.
type plan struct {
	version uint64
	enis    map[string]*eni
	vpcs    map[string]*vpc
	nodes   []*balancerNode // of all load balancers
}

// vpc is one VPC.
type vpc struct {
	id       string
	live     *vpcLive
	byAddr   map[netip.Addr]*eni
	resolver []netip.Addr // where the Amazon resolver answers; empty when it is switched off
	zone     *zone
}

// vpcLive is what stays of a VPC from plan to plan: it is a key.
type vpcLive struct{ id string }

// subnet is one subnet.
type subnet struct {
	id     string
	az     string
	cidrs  []netip.Prefix
	mac    [6]byte      // of its router
	router []netip.Addr // base + 1 of each CIDR, and a link-local one for IPv6
	acl    *acl
	routes []route // longest prefix first
}

// contains tells whether a belongs to s.
func (s *subnet) contains(a netip.Addr) bool {
	return slices.ContainsFunc(s.cidrs, func(p netip.Prefix) bool { return p.Contains(a) })
}

// hop is where a route leads.
type hop uint8

const (
	hopLocal     hop = iota // within a VPC: its own, or its peer's
	hopENI                  // to an interface, whatever the address
	hopOutside              // out of this world
	hopBlackhole            // nowhere
)

// route is one route of a table.
type route struct {
	prefix netip.Prefix
	hop    hop
	vpc    *vpc   // hopLocal
	eni    string // hopENI
	rank   uint8  // of routes with the same prefix, the lowest decides
}

// lookup finds the route to a.
func (s *subnet) lookup(a netip.Addr) *route {
	for i := range s.routes {
		if s.routes[i].prefix.Contains(a) {
			return &s.routes[i]
		}
	}
	return nil
}

// sortRoutes puts the longest prefixes first; of equal ones the first stays first.
func sortRoutes(rs []route) {
	slices.SortStableFunc(rs, func(a, b route) int { return b.prefix.Bits() - a.prefix.Bits() })
}

// eni is one network interface.
type eni struct {
	id       string
	live     *eniLive
	instance string
	mac      [6]byte
	addrs    []netip.Addr // the primary one first
	subnet   *subnet
	vpc      *vpc
	groups   []*group
	guarded  bool // security groups apply
	track    bool // all connections are tracked: answers have to be told from requests
	check    bool // source/destination check
	mtu      int
	hasPort  bool // frames can be given to it: attached, and its instance runs

	node     *balancerNode // it is a node of a load balancer
	endpoint *endpoint     // it is a Gateway Load Balancer endpoint
	target   bool          // it is a target of a load balancer: its answers may have to be translated
	managed  bool          // it takes no frames itself

	program *mirror.Program // nil: nothing is mirrored
	tunnels []tunnel        // by session of the program
}

// eniLive is what stays of an interface from plan to plan.
type eniLive struct {
	id      string
	port    *Port // where its frames come from and go to; nil without a device
	tracker tracker
	answers map[trackKey]*answer // of a target of load balancers
	bucket  mirror.Bucket
	filled  int64        // when tokens came back to it
	limit   atomic.Int64 // of bucket: bytes per second, 0 none
	count   Counters

	mirrorIn, mirrorOut MirrorCounters
}

// endpoint is a Gateway Load Balancer endpoint.
type endpoint struct {
	id   string
	num  uint64 // the hexadecimal digits of its interface's id
	node string // interface of the load balancer's node that it leads to; empty: none
}

// own tells whether a is an address of e.
func (e *eni) own(a netip.Addr) bool { return slices.Contains(e.addrs, a) }
