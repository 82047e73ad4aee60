package ec2api

import (
	"net/netip"
	"time"

	"mirador/internal/mirror"
)

// The types in this file are what the endpoint keeps and what a Snapshot shows. Values
// behind pointers never change once they are in a table: a change puts a new value in
// the old one's place, so that snapshots can share them.

// Resource is what all resources have.
type Resource struct {
	ID      string       `json:"id"`
	Seq     uint64       `json:"seq"` // order of creation, unique
	Created time.Time    `json:"created"`
	OwnerID string       `json:"ownerId"`
	Tags    []mirror.Tag `json:"tags,omitempty"`
}

// resource lets tables reach the common part.
func (r *Resource) resource() *Resource { return r }

// Tag returns the value of a tag, and whether the resource has it.
func (r *Resource) Tag(key string) (string, bool) {
	for _, t := range r.Tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

// CIDRAssociation is one address block of a VPC or subnet.
type CIDRAssociation struct {
	ID   string       `json:"id"`
	CIDR netip.Prefix `json:"cidr"`
}

// VPC is a virtual private cloud.
type VPC struct {
	Resource
	CIDRs        []CIDRAssociation `json:"cidrs"` // IPv4, the primary one first
	IPv6         []CIDRAssociation `json:"ipv6,omitempty"`
	Default      bool              `json:"default,omitempty"`
	Tenancy      string            `json:"tenancy"`
	DNSSupport   bool              `json:"dnsSupport"`
	DNSHostnames bool              `json:"dnsHostnames"`
	UsageMetrics bool              `json:"usageMetrics,omitempty"`
	DHCPOptions  string            `json:"dhcpOptions"`
}

// Subnet is a subnet of a VPC, in one availability zone.
type Subnet struct {
	Resource
	VPC             string            `json:"vpc"`
	Zone            string            `json:"zone"` // us-east-1a
	CIDR            netip.Prefix      `json:"cidr"`
	IPv6            []CIDRAssociation `json:"ipv6,omitempty"`
	IPv6Native      bool              `json:"ipv6Native,omitempty"`
	DefaultForAZ    bool              `json:"defaultForAz,omitempty"`
	MapPublicIP     bool              `json:"mapPublicIp,omitempty"`
	AssignIPv6      bool              `json:"assignIpv6,omitempty"`
	DNS64           bool              `json:"dns64,omitempty"`
	HostnameType    string            `json:"hostnameType,omitempty"`
	DNSARecord      bool              `json:"dnsARecord,omitempty"`
	DNSAAAARecord   bool              `json:"dnsAaaaRecord,omitempty"`
	LNIAtDeviceIdx  int               `json:"lniAtDeviceIndex,omitempty"`
	CustomerOwnedIP bool              `json:"customerOwnedIp,omitempty"`
}

// GroupRule is one rule of a security group: exactly one of the four peers is set.
type GroupRule struct {
	ID           string       `json:"id"` // sgr-...
	Egress       bool         `json:"egress,omitempty"`
	Protocol     string       `json:"protocol"` // tcp, udp, icmp, icmpv6, a number, or -1
	From         int          `json:"from"`     // -1: any
	To           int          `json:"to"`
	CIDR         netip.Prefix `json:"cidr"` // v4 or v6
	GroupID      string       `json:"groupId,omitempty"`
	GroupOwner   string       `json:"groupOwner,omitempty"`
	PrefixListID string       `json:"prefixListId,omitempty"`
	Description  string       `json:"description,omitempty"`
	Tags         []mirror.Tag `json:"tags,omitempty"`
}

// SecurityGroup is a security group of a VPC.
type SecurityGroup struct {
	Resource
	Name        string      `json:"name"`
	Description string      `json:"description"`
	VPC         string      `json:"vpc"`
	Rules       []GroupRule `json:"rules,omitempty"` // both directions, oldest first
}

// ACLEntry is a numbered entry of a network ACL.
type ACLEntry struct {
	Number   int               `json:"number"`
	Egress   bool              `json:"egress,omitempty"`
	Allow    bool              `json:"allow,omitempty"`
	Protocol int               `json:"protocol"` // -1: all
	CIDR     netip.Prefix      `json:"cidr"`
	Ports    *mirror.PortRange `json:"ports,omitempty"`
	ICMPType *int              `json:"icmpType,omitempty"`
	ICMPCode *int              `json:"icmpCode,omitempty"`
}

// Association ties a subnet to a network ACL or route table.
type Association struct {
	ID     string `json:"id"`
	Subnet string `json:"subnet,omitempty"`
	Main   bool   `json:"main,omitempty"`
}

// NetworkACL is a network ACL. The entries "*" that deny the rest are among its entries,
// with number 32767.
type NetworkACL struct {
	Resource
	VPC          string        `json:"vpc"`
	Default      bool          `json:"default,omitempty"`
	Entries      []ACLEntry    `json:"entries"`
	Associations []Association `json:"associations,omitempty"`
}

// Route is a route of a route table: one of the two destinations and one target is set.
type Route struct {
	CIDR         netip.Prefix `json:"cidr"`
	PrefixListID string       `json:"prefixListId,omitempty"`
	Gone         bool         `json:"gone,omitempty"` // the target was deleted: a black hole
	Target       string       `json:"target"`         // "local", igw-, eni-, i-, vpce-, nat-, pcx-, tgw-, vgw-, eigw-
	InstanceID   string       `json:"instanceId,omitempty"`
	Origin       string       `json:"origin"` // CreateRouteTable, CreateRoute, EnableVgwRoutePropagation
}

// RouteTable is a route table of a VPC.
type RouteTable struct {
	Resource
	VPC          string        `json:"vpc"`
	Routes       []Route       `json:"routes"`
	Associations []Association `json:"associations,omitempty"`
}

// InternetGateway is an internet gateway, attached to a VPC or not.
type InternetGateway struct {
	Resource
	VPC string `json:"vpc,omitempty"`
}

// Attachment ties an interface to an instance.
type Attachment struct {
	ID                  string    `json:"id"` // eni-attach-...
	InstanceID          string    `json:"instanceId,omitempty"`
	InstanceOwner       string    `json:"instanceOwner"`
	DeviceIndex         int       `json:"deviceIndex"`
	NetworkCard         int       `json:"networkCard,omitempty"`
	DeleteOnTermination bool      `json:"deleteOnTermination"`
	At                  time.Time `json:"at"`
}

// Kinds of interfaces, as InterfaceType in DescribeNetworkInterfaces.
const (
	KindInterface    = "interface"
	KindNLB          = "network_load_balancer"
	KindGWLB         = "gateway_load_balancer"
	KindGWLBEndpoint = "gateway_load_balancer_endpoint"
	KindVPCEndpoint  = "vpc_endpoint"
)

// NetworkInterface is an elastic network interface.
type NetworkInterface struct {
	Resource
	Kind             string       `json:"kind"`
	VPC              string       `json:"vpc"`
	Subnet           string       `json:"subnet"`
	Zone             string       `json:"zone"`
	Description      string       `json:"description,omitempty"`
	MAC              [6]byte      `json:"mac"`
	Addrs            []netip.Addr `json:"addrs"` // IPv4, the primary one first
	IPv6             []netip.Addr `json:"ipv6,omitempty"`
	Groups           []string     `json:"groups,omitempty"`
	SourceDestCheck  bool         `json:"sourceDestCheck"`
	RequesterManaged bool         `json:"requesterManaged,omitempty"`
	RequesterID      string       `json:"requesterId,omitempty"`
	PublicIP         string       `json:"publicIp,omitempty"`
	Allocation       string       `json:"allocation,omitempty"` // of PublicIP when it is an elastic address
	MTU              int          `json:"mtu"`
	Attachment       *Attachment  `json:"attachment,omitempty"`
	ManagedBy        string       `json:"managedBy,omitempty"` // ARN of the load balancer or id of the endpoint
}

// BlockDevice is a volume at an instance.
type BlockDevice struct {
	Name                string `json:"name"`
	VolumeID            string `json:"volumeId"`
	DeleteOnTermination bool   `json:"deleteOnTermination"`
}

// InstanceState is a state of an instance, with EC2's number for it.
type InstanceState string

// The states of an instance.
const (
	Pending      InstanceState = "pending"
	Running      InstanceState = "running"
	ShuttingDown InstanceState = "shutting-down"
	Terminated   InstanceState = "terminated"
	Stopping     InstanceState = "stopping"
	Stopped      InstanceState = "stopped"
)

// Instance is a pretend instance: its interfaces are real, it has no machine.
type Instance struct {
	Resource
	Reservation      string        `json:"reservation"`
	LaunchIndex      int           `json:"launchIndex"`
	Image            string        `json:"image"`
	Type             string        `json:"type"`
	KeyName          string        `json:"keyName,omitempty"`
	VPC              string        `json:"vpc"`
	Subnet           string        `json:"subnet"`
	Zone             string        `json:"zone"`
	State            InstanceState `json:"state"` // pending and stopping are states of answers only
	StateAt          time.Time     `json:"stateAt"`
	Reason           string        `json:"reason,omitempty"`
	Launched         time.Time     `json:"launched"`
	Monitoring       bool          `json:"monitoring,omitempty"`
	Tenancy          string        `json:"tenancy"`
	EBSOptimized     bool          `json:"ebsOptimized,omitempty"`
	APITermination   bool          `json:"disableApiTermination,omitempty"`
	APIStop          bool          `json:"disableApiStop,omitempty"`
	Shutdown         string        `json:"shutdownBehavior"`
	UserData         string        `json:"userData,omitempty"` // base64
	Profile          string        `json:"profile,omitempty"`  // ARN
	Credits          string        `json:"credits,omitempty"`
	Devices          []BlockDevice `json:"devices,omitempty"`
	ClientToken      string        `json:"clientToken,omitempty"`
	MetadataTokens   string        `json:"metadataTokens"`
	MetadataEndpoint string        `json:"metadataEndpoint"`
	MetadataHops     int           `json:"metadataHops"`
	MetadataIPv6     string        `json:"metadataIpv6,omitempty"`
	MetadataTags     string        `json:"metadataTags"`
	CPUCores         int           `json:"cpuCores,omitempty"`
	CPUThreads       int           `json:"cpuThreads,omitempty"`
	Recovery         string        `json:"recovery,omitempty"`
	Reservations     string        `json:"capacityReservations,omitempty"` // open (empty), none
	Hostname         string        `json:"hostname,omitempty"`             // ip-name (empty), resource-name
	NameA            bool          `json:"nameA,omitempty"`                // answers A for the resource name
	NameAAAA         bool          `json:"nameAaaa,omitempty"`
	Bandwidth        string        `json:"bandwidth,omitempty"` // default (empty), vpc-1, ebs-1
}

// Volume is an EBS volume, which holds nothing.
type Volume struct {
	Resource
	Zone       string `json:"zone"`
	Size       int    `json:"size"` // GiB
	Type       string `json:"type"`
	IOPS       int    `json:"iops,omitempty"`
	Throughput int    `json:"throughput,omitempty"`
	Encrypted  bool   `json:"encrypted,omitempty"`
	KMSKey     string `json:"kmsKey,omitempty"`
	Snapshot   string `json:"snapshot,omitempty"`
	InstanceID string `json:"instanceId,omitempty"`
	Device     string `json:"device,omitempty"`
	// Attached is when it came to its instance, when that is not when it was made.
	Attached time.Time     `json:"attached,omitzero"`
	Change   *VolumeChange `json:"change,omitempty"`
}

// KeyPair is the public half of a key for logins.
type KeyPair struct {
	Resource
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	Type        string `json:"type"`
	PublicKey   string `json:"publicKey,omitempty"`
}

// BalancerSubnet is a subnet that a load balancer is in, and its node there.
type BalancerSubnet struct {
	Subnet    string     `json:"subnet"`
	Zone      string     `json:"zone"`
	Interface string     `json:"interface"` // of the node
	Addr      netip.Addr `json:"addr"`      // of the node
}

// Kinds of load balancers.
const (
	BalancerNetwork = "network"
	BalancerGateway = "gateway"
)

// LoadBalancer is a Network or Gateway Load Balancer; its ID is its ARN.
type LoadBalancer struct {
	Resource
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Scheme     string            `json:"scheme,omitempty"`
	VPC        string            `json:"vpc"`
	Subnets    []BalancerSubnet  `json:"subnets"`
	Groups     []string          `json:"groups,omitempty"`
	NoGroups   bool              `json:"noGroups,omitempty"` // made without groups: none can ever be set
	AddrType   string            `json:"addressType"`
	DNSName    string            `json:"dnsName,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // those that were changed
}

// CrossZone tells whether nodes send to targets of other zones.
func (l *LoadBalancer) CrossZone() bool {
	return l.Attributes["load_balancing.cross_zone.enabled"] == "true"
}

// HealthCheck says how targets are looked at.
type HealthCheck struct {
	Enabled   bool          `json:"enabled"`
	Protocol  string        `json:"protocol"` // TCP, HTTP, HTTPS
	Port      string        `json:"port"`     // a number or "traffic-port"
	Path      string        `json:"path,omitempty"`
	Interval  time.Duration `json:"interval"`
	Timeout   time.Duration `json:"timeout"`
	Healthy   int           `json:"healthy"`
	Unhealthy int           `json:"unhealthy"`
	Matcher   string        `json:"matcher,omitempty"` // 200-399
}

// TargetID is a registered target.
type TargetID struct {
	ID   string `json:"id"` // instance id, or address
	Port int    `json:"port"`
	Zone string `json:"zone,omitempty"`
}

// RegisteredTarget is a target of a group with what is known of it.
type RegisteredTarget struct {
	TargetID
	At time.Time `json:"at"`
	// Draining is when deregistration began; the zero time for a target in service. A
	// draining target gets no new flows and goes when the delay is over.
	Draining time.Time `json:"draining,omitzero"`
}

// TargetGroup is a target group; its ID is its ARN.
type TargetGroup struct {
	Resource
	Name       string             `json:"name"`
	Protocol   string             `json:"protocol"` // UDP, TCP, TCP_UDP, TLS, GENEVE, ...
	Port       int                `json:"port"`
	VPC        string             `json:"vpc"`
	TargetType string             `json:"targetType"` // instance, ip
	AddrType   string             `json:"addressType"`
	Check      HealthCheck        `json:"check"`
	Targets    []RegisteredTarget `json:"targets,omitempty"`
	Attributes map[string]string  `json:"attributes,omitempty"`
}

// Forward is one of the groups of a forward action.
type Forward struct {
	TargetGroup string `json:"targetGroup"` // ARN
	Weight      int    `json:"weight"`
}

// Listener is a listener of a load balancer; its ID is its ARN.
type Listener struct {
	Resource
	LoadBalancer string            `json:"loadBalancer"`
	Protocol     string            `json:"protocol,omitempty"` // none for gateway load balancers
	Port         int               `json:"port,omitempty"`
	Forward      []Forward         `json:"forward"`
	Attributes   map[string]string `json:"attributes,omitempty"`
	SSLPolicy    string            `json:"sslPolicy,omitempty"`
	Certificates []string          `json:"certificates,omitempty"`
}

// EndpointService offers load balancers to endpoints of other VPCs.
type EndpointService struct {
	Resource
	Name               string   `json:"name"` // com.amazonaws.vpce.REGION.vpce-svc-...
	LoadBalancers      []string `json:"loadBalancers"`
	Type               string   `json:"type"` // Interface, GatewayLoadBalancer
	AcceptanceRequired bool     `json:"acceptanceRequired,omitempty"`
	PrivateDNSName     string   `json:"privateDnsName,omitempty"`
	Principals         []string `json:"principals,omitempty"`
	AddrTypes          []string `json:"addressTypes,omitempty"`
}

// VPCEndpoint is an endpoint of a service in a VPC.
type VPCEndpoint struct {
	Resource
	VPC         string   `json:"vpc"`
	Service     string   `json:"service"` // its name
	Type        string   `json:"type"`    // Interface, Gateway, GatewayLoadBalancer
	State       string   `json:"state"`   // available, pendingAcceptance, rejected
	Subnets     []string `json:"subnets,omitempty"`
	Interfaces  []string `json:"interfaces,omitempty"`
	RouteTables []string `json:"routeTables,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	Policy      string   `json:"policy,omitempty"`
	PrivateDNS  bool     `json:"privateDns,omitempty"`
	AddrType    string   `json:"addressType,omitempty"`
}
