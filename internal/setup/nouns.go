package setup

import (
	"net/netip"

	"mirador/internal/mirror"
)

// Tags are the tags of a resource.
type Tags map[string]string

// Identity is who calls, and where.
type Identity struct {
	Account string `json:"account"`
	ARN     string `json:"arn"`
	Region  string `json:"region"`
}

// The states of instances that matter here. AWS: EC2 API, InstanceState.
const (
	StatePending    = "pending"
	StateRunning    = "running"
	StateStopping   = "stopping"
	StateStopped    = "stopped"
	StateTerminated = "terminated"
	StateShutting   = "shutting-down"
)

// Instance is an EC2 instance.
type Instance struct {
	ID, Type, State string
	VPC, Subnet, AZ string
	Tags            Tags
}

// Name returns the Name tag, or the id.
func (i *Instance) Name() string {
	if n := i.Tags[tagName]; n != "" {
		return n
	}
	return i.ID
}

// Gone tells that the instance is terminated or about to be.
func (i *Instance) Gone() bool { return i.State == StateTerminated || i.State == StateShutting }

// InstanceType is what preflight and plan need to know of an instance type.
type InstanceType struct {
	Name          string
	VCPUs         int
	MemoryMiB     int
	MaxInterfaces int
	BaselineGbps  float64 // 0: not told
	PeakGbps      float64
	Hypervisor    string // nitro, xen, or empty on bare metal
	BareMetal     bool
}

// Interface is an elastic network interface.
type Interface struct {
	ID               string
	Kind             string // interface, nat_gateway, gateway_load_balancer_endpoint, ...
	Status           string // available, attaching, in-use, detaching
	Description      string
	VPC, Subnet, AZ  string
	OwnerID          string
	MAC              string
	Private          []netip.Addr // the primary address first
	IPv6             []netip.Addr
	Groups           []string // ids of security groups
	InstanceID       string   // empty: not attached to an instance
	AttachmentID     string
	DeviceIndex      int
	DeleteWithOwner  bool // delete on termination
	RequesterManaged bool
	RequesterID      string
	Tags             Tags
}

// Primary returns the primary private address; the zero Addr when there is none.
func (i *Interface) Primary() netip.Addr {
	if len(i.Private) > 0 {
		return i.Private[0]
	}
	return netip.Addr{}
}

// Subnet is a subnet of a VPC.
type Subnet struct {
	ID, VPC, AZ string
	CIDR        netip.Prefix // zero for a subnet that is IPv6 only
	IPv6        []netip.Prefix
	OnlyIPv6    bool
	Free        int // free IPv4 addresses
	Tags        Tags
}

// VPC is a virtual private cloud.
type VPC struct {
	ID    string
	CIDRs []netip.Prefix
	IPv6  []netip.Prefix
	Tags  Tags
}

// SecurityGroup is a security group of a VPC.
type SecurityGroup struct {
	ID, Name, Description, VPC string
	Ingress, Egress            []Permission
	Tags                       Tags
}

// AnyPort is the port of a Permission that has none.
const AnyPort = -1

// Permission is one rule of a security group: a protocol, ports, and one peer.
type Permission struct {
	Protocol string `json:"protocol"` // "udp", "tcp", "icmp", a number, or "-1" for all
	From     int    `json:"from"`     // first port, or AnyPort
	To       int    `json:"to"`
	CIDR     string `json:"cidr,omitempty"`  // the peer: a CIDR of either family,
	Group    string `json:"group,omitempty"` // or a security group,
	List     string `json:"list,omitempty"`  // or a prefix list
	Why      string `json:"why,omitempty"`   // description; no part of what the rule is
}

// RouteTable is a route table of a VPC.
type RouteTable struct {
	ID, VPC string
	Main    bool
	Subnets []string
	Routes  []Route
}

// Route is one route of a table.
type Route struct {
	Destination netip.Prefix // zero for a prefix list
	List        string       // prefix list id
	Via         string       // local, igw-..., nat-..., tgw-..., pcx-..., eni-..., vpce-...
	Blackhole   bool
}

// NetworkACL is a network ACL of a VPC.
type NetworkACL struct {
	ID, VPC string
	Default bool
	Subnets []string
	Entries []ACLEntry
}

// ACLEntry is one rule of a network ACL.
type ACLEntry struct {
	Number   int
	Egress   bool
	Allow    bool
	Protocol int // IANA number or mirror.AnyProtocol
	CIDR     netip.Prefix
	From, To int // ports; AnyPort: all
}

// Balancer is a network or gateway load balancer.
type Balancer struct {
	ARN, Name  string
	Type       string // network, gateway, application
	Scheme     string
	State      string // provisioning, active, active_impaired, failed
	DNSName    string
	VPC        string
	Subnets    []string
	Groups     []string
	Attributes Tags // only of those that carry tags of a stack
	Tags       Tags
}

// TargetGroup is a target group of a load balancer.
type TargetGroup struct {
	ARN, Name  string
	Protocol   string
	Port       int
	VPC        string
	TargetType string
	Health     Health
	Balancers  []string // ARNs
	Targets    []string // ids: addresses or instances; only of those that carry tags of a stack
	Attributes Tags     // likewise
	Tags       Tags
}

// Health is the health check of a target group.
type Health struct {
	Protocol string `json:"protocol"`
	Port     string `json:"port"`
	Path     string `json:"path,omitempty"`
	Interval int    `json:"interval"` // seconds
	Healthy  int    `json:"healthy"`
	// Unhealthy is after how many failures a target is given up.
	Unhealthy int `json:"unhealthy"`
}

// Listener is a listener of a load balancer.
type Listener struct {
	ARN, Balancer string
	Protocol      string // empty for gateway load balancers
	Port          int    // 0 for gateway load balancers
	TargetGroup   string // ARN
	Tags          Tags
}

// EndpointService offers a gateway load balancer to VPCs.
type EndpointService struct {
	ID, Name, State string
	Balancers       []string // ARNs
	Tags            Tags
}

// Endpoint is a VPC endpoint.
type Endpoint struct {
	ID, Kind, State string
	VPC             string
	Subnets         []string
	Service         string // name of the service
	Interfaces      []string
	Tags            Tags
}

// TargetHealth is the state of one target of a target group.
type TargetHealth struct {
	ID          string
	Port        int
	AZ          string
	State       string // initial, healthy, unhealthy, unused, draining, unavailable
	Reason      string
	Description string
}

// tagsOf makes a map of the tags of a mirroring object.
func tagsOf(list []mirror.Tag) Tags {
	m := make(Tags, len(list))
	for _, t := range list {
		m[t.Key] = t.Value
	}
	return m
}
