package mirror

import "net/netip"

// TargetType is the kind of a traffic mirror target, as the EC2 API names it.
type TargetType string

// The target types. AWS: EC2 API, TrafficMirrorTarget.
const (
	TargetInterface TargetType = "network-interface"
	TargetNLB       TargetType = "network-load-balancer"
	TargetGWLB      TargetType = "gateway-load-balancer-endpoint"
)

// Target is where mirrored packets go: exactly one of the three kinds is set.
type Target struct {
	ID                            string `json:"id"` // tmt-...
	NetworkInterfaceID            string `json:"networkInterfaceId,omitempty"`
	NetworkLoadBalancerARN        string `json:"networkLoadBalancerArn,omitempty"`
	GatewayLoadBalancerEndpointID string `json:"gatewayLoadBalancerEndpointId,omitempty"`
	Description                   string `json:"description,omitempty"`
	OwnerID                       string `json:"ownerId"`
	Tags                          []Tag  `json:"tags,omitempty"`
}

// Type tells the kind of t; it is empty while none is set.
func (t *Target) Type() TargetType {
	switch {
	case t.NetworkInterfaceID != "":
		return TargetInterface
	case t.NetworkLoadBalancerARN != "":
		return TargetNLB
	case t.GatewayLoadBalancerEndpointID != "":
		return TargetGWLB
	}
	return ""
}

// Action is what a filter rule does with a packet that it matches.
type Action string

// The actions of a filter rule.
const (
	Accept Action = "accept"
	Reject Action = "reject"
)

// AnyProtocol is the protocol number of a rule that takes all protocols.
const AnyProtocol = -1

// PortRange is a range of TCP or UDP ports, both ends included.
type PortRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// FilterRule takes or leaves packets of one direction. The CIDRs are of one address
// family, and a rule never matches packets of the other.
type FilterRule struct {
	ID               string       `json:"id"` // tmfr-...
	FilterID         string       `json:"filterId"`
	Direction        Direction    `json:"direction"`
	Number           int          `json:"number"` // unique in its direction; ascending order of evaluation
	Action           Action       `json:"action"`
	Protocol         int          `json:"protocol"` // IANA number or AnyProtocol
	SourceCIDR       netip.Prefix `json:"sourceCidr"`
	DestinationCIDR  netip.Prefix `json:"destinationCidr"`
	SourcePorts      *PortRange   `json:"sourcePorts,omitempty"`      // nil: any
	DestinationPorts *PortRange   `json:"destinationPorts,omitempty"` // nil: any
	Description      string       `json:"description,omitempty"`
	Tags             []Tag        `json:"tags,omitempty"`
}

// AmazonDNS is the one network service of a traffic mirror filter: with it all
// traffic between the interface and the Amazon resolver is mirrored.
const AmazonDNS = "amazon-dns"

// Filter is a set of rules. A filter without rules mirrors nothing.
type Filter struct {
	ID              string       `json:"id"`              // tmf-...
	Rules           []FilterRule `json:"rules,omitempty"` // both directions, by direction and number
	NetworkServices []string     `json:"networkServices,omitempty"`
	Description     string       `json:"description,omitempty"`
	Tags            []Tag        `json:"tags,omitempty"`
}

// Session mirrors the packets of one source interface, as its filter tells, to a
// target.
type Session struct {
	ID                 string `json:"id"` // tms-...
	NetworkInterfaceID string `json:"networkInterfaceId"`
	TargetID           string `json:"targetId"`
	FilterID           string `json:"filterId"`
	OwnerID            string `json:"ownerId"`
	Number             int    `json:"number"` // 1 to 32766; the lowest that takes a packet mirrors it
	VNI                uint32 `json:"vni"`
	// PacketLength is how many bytes of a frame are mirrored, from its Ethernet
	// header on; 0 is all of it.
	PacketLength int    `json:"packetLength,omitempty"`
	Description  string `json:"description,omitempty"`
	Tags         []Tag  `json:"tags,omitempty"`
}

// Interface is what mirroring needs to know of an elastic network interface.
type Interface struct {
	ID           string         `json:"id"` // eni-...
	Kind         string         `json:"kind"`
	OwnerID      string         `json:"ownerId"`
	VPC          string         `json:"vpc"`
	Subnet       string         `json:"subnet"`
	AZ           string         `json:"az"`
	MAC          [6]byte        `json:"mac"`
	Addrs        []netip.Addr   `json:"addrs"`    // the primary address first; v4 and v6
	VPCCIDRs     []netip.Prefix `json:"vpcCidrs"` // the resolver is at base + 2 of each IPv4 one
	MTU          int            `json:"mtu"`
	InstanceID   string         `json:"instanceId,omitempty"`
	InstanceType string         `json:"instanceType,omitempty"` // empty: not attached to an instance
	// SubnetOwnerID is the account of the subnet, where that is another (shared VPC).
	SubnetOwnerID string `json:"subnetOwnerId,omitempty"`
	// RequesterID is the service that manages the interface, as amazon-rds, amazon-elb;
	// empty for the account's own.
	RequesterID string `json:"requesterId,omitempty"`
}

// Error is a refusal with the code that EC2 answers with. AWS: EC2 API error codes.
type Error struct {
	Code    string
	Message string
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }
