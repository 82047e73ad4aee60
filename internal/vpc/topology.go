package vpc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Topology is what a topology file says: docs/reference/topology.md. Everything has a
// name, which is unique among things of its kind, and may have an id; things refer to each
// other by either.
type Topology struct {
	Region        string                `yaml:"region,omitempty"`  // default: the endpoint's
	Account       string                `yaml:"account,omitempty"` // twelve digits; default: the endpoint's
	VPCs          []TopoVPC             `yaml:"vpcs"`
	LoadBalancers []TopoBalancer        `yaml:"load-balancers,omitempty"`
	TargetGroups  []TopoTargetGroup     `yaml:"target-groups,omitempty"`
	Services      []TopoEndpointService `yaml:"endpoint-services,omitempty"`
	Endpoints     []TopoEndpoint        `yaml:"endpoints,omitempty"`
	Mirroring     TopoMirroring         `yaml:"mirroring,omitempty"`
	Names         map[string]string     `yaml:"names,omitempty"` // more names for the resolver, and their addresses

	file *ast.File
	name string
}

// Topo are the parts that all things have.
type Topo struct {
	Name string            `yaml:"name,omitempty"`
	ID   string            `yaml:"id,omitempty"`
	Tags map[string]string `yaml:"tags,omitempty"`
}

// TopoVPC is a VPC with all that is in it.
type TopoVPC struct {
	Topo            `yaml:",inline"`
	CIDR            string           `yaml:"cidr"`
	MoreCIDRs       []string         `yaml:"more-cidrs,omitempty"`
	IPv6            string           `yaml:"ipv6,omitempty"`
	NoDNS           bool             `yaml:"no-dns,omitempty"` // no Amazon resolver
	InternetGateway bool             `yaml:"internet-gateway,omitempty"`
	Subnets         []TopoSubnet     `yaml:"subnets,omitempty"`
	SecurityGroups  []TopoGroup      `yaml:"security-groups,omitempty"`
	NetworkACLs     []TopoACL        `yaml:"network-acls,omitempty"`
	RouteTables     []TopoRouteTable `yaml:"route-tables,omitempty"`
	Instances       []TopoInstance   `yaml:"instances,omitempty"`
	Interfaces      []TopoInterface  `yaml:"interfaces,omitempty"` // not attached, or not to an instance
}

// TopoSubnet is a subnet.
type TopoSubnet struct {
	Topo       `yaml:",inline"`
	CIDR       string `yaml:"cidr"`
	IPv6       string `yaml:"ipv6,omitempty"`
	Zone       string `yaml:"zone,omitempty"`        // "us-east-1a" or "a", which is the default
	NetworkACL string `yaml:"network-acl,omitempty"` // default: the VPC's
	RouteTable string `yaml:"route-table,omitempty"` // default: the VPC's main one
}

// TopoGroup is a security group. Without egress rules it lets everything out.
type TopoGroup struct {
	Topo        `yaml:",inline"`
	Description string          `yaml:"description,omitempty"`
	Ingress     []TopoGroupRule `yaml:"ingress,omitempty"`
	Egress      []TopoGroupRule `yaml:"egress,omitempty"`
	NoEgress    bool            `yaml:"no-egress,omitempty"` // nothing out, not even by default
}

// TopoGroupRule admits traffic from or to peers: CIDRs, groups or prefix lists.
type TopoGroupRule struct {
	Protocol    string   `yaml:"protocol,omitempty"` // tcp, udp, icmp, icmpv6, a number; default all
	Ports       string   `yaml:"ports,omitempty"`    // "80" or "80-90"; of icmp type or "type-code"
	Peers       []string `yaml:"peers"`
	Description string   `yaml:"description,omitempty"`
}

// TopoACL is a network ACL. What no entry decides is denied.
type TopoACL struct {
	Topo    `yaml:",inline"`
	Default bool           `yaml:"default,omitempty"` // takes the place of the VPC's default one
	Ingress []TopoACLEntry `yaml:"ingress,omitempty"`
	Egress  []TopoACLEntry `yaml:"egress,omitempty"`
}

// TopoACLEntry is an entry of a network ACL.
type TopoACLEntry struct {
	Number   int    `yaml:"number"`
	Action   string `yaml:"action"` // allow or deny
	Protocol string `yaml:"protocol,omitempty"`
	Ports    string `yaml:"ports,omitempty"`
	CIDR     string `yaml:"cidr"`
}

// TopoRouteTable is a route table. The local routes are there without being named.
type TopoRouteTable struct {
	Topo   `yaml:",inline"`
	Main   bool        `yaml:"main,omitempty"`
	Routes []TopoRoute `yaml:"routes,omitempty"`
}

// TopoRoute is a route to a CIDR or prefix list by a gateway ("internet-gateway" or an
// id), an interface ("web/eth1"), or an endpoint.
type TopoRoute struct {
	To  string `yaml:"to"`
	Via string `yaml:"via"`
}

// TopoInstance is an instance; Subnet, Groups and Address are those of its first
// interface, eth0.
type TopoInstance struct {
	Topo              `yaml:",inline"`
	Type              string `yaml:"type,omitempty"` // default m5.large
	State             string `yaml:"state,omitempty"`
	TopoInterfaceSpec `yaml:",inline"`
	Interfaces        []TopoInterface `yaml:"interfaces,omitempty"` // eth1 and so on
}

// TopoInterface is a network interface beside the first of an instance.
type TopoInterface struct {
	Topo              `yaml:",inline"`
	TopoInterfaceSpec `yaml:",inline"`
	Index             int    `yaml:"index,omitempty"` // device index; default: the next free one
	Kind              string `yaml:"kind,omitempty"`
	Description       string `yaml:"description,omitempty"`
}

// TopoInterfaceSpec are the parts of an interface that an instance has for its first one.
type TopoInterfaceSpec struct {
	InterfaceID       string   `yaml:"interface-id,omitempty"` // of eth0 of an instance
	Subnet            string   `yaml:"subnet,omitempty"`
	Groups            []string `yaml:"groups,omitempty"`  // default: the VPC's default group
	Address           string   `yaml:"address,omitempty"` // default: the first free one
	MoreAddresses     []string `yaml:"more-addresses,omitempty"`
	IPv6              []string `yaml:"ipv6,omitempty"`
	MAC               string   `yaml:"mac,omitempty"`
	MTU               int      `yaml:"mtu,omitempty"`
	NoSourceDestCheck bool     `yaml:"no-source-dest-check,omitempty"`
	Device            string   `yaml:"device,omitempty"` // existing device instead of a veth pair
}

// TopoBalancer is a Network or Gateway Load Balancer.
type TopoBalancer struct {
	Topo      `yaml:",inline"`
	Type      string         `yaml:"type,omitempty"` // network (default) or gateway
	Subnets   []string       `yaml:"subnets"`
	Groups    []string       `yaml:"groups,omitempty"`
	CrossZone bool           `yaml:"cross-zone,omitempty"`
	Listeners []TopoListener `yaml:"listeners,omitempty"`
	Nodes     []TopoNode     `yaml:"nodes,omitempty"` // interfaces in the subnets, where they are known
}

// TopoNode is the interface of a load balancer or endpoint in a subnet.
type TopoNode struct {
	Subnet  string `yaml:"subnet,omitempty"`
	ID      string `yaml:"id,omitempty"`
	Address string `yaml:"address,omitempty"`
	MAC     string `yaml:"mac,omitempty"`
}

// TopoListener is a listener; that of a Gateway Load Balancer has neither protocol nor
// port.
type TopoListener struct {
	ID       string `yaml:"id,omitempty"`
	Protocol string `yaml:"protocol,omitempty"`
	Port     int    `yaml:"port,omitempty"`
	Targets  string `yaml:"targets"` // target group
}

// TopoTargetGroup is a target group of addresses.
type TopoTargetGroup struct {
	Topo     `yaml:",inline"`
	Protocol string     `yaml:"protocol"`
	Port     int        `yaml:"port"`
	VPC      string     `yaml:"vpc,omitempty"` // default: the only one
	Health   TopoHealth `yaml:"health,omitempty"`
	Targets  []string   `yaml:"targets,omitempty"` // "sensor/eth1", an address, or an instance
}

// TopoHealth is the health check of a target group; its defaults are those of AWS.
type TopoHealth struct {
	Protocol  string `yaml:"protocol,omitempty"`
	Port      string `yaml:"port,omitempty"`
	Path      string `yaml:"path,omitempty"`
	Interval  string `yaml:"interval,omitempty"` // "10s"
	Timeout   string `yaml:"timeout,omitempty"`
	Healthy   int    `yaml:"healthy,omitempty"`
	Unhealthy int    `yaml:"unhealthy,omitempty"`
	Matcher   string `yaml:"matcher,omitempty"`
}

// TopoEndpointService offers Gateway Load Balancers.
type TopoEndpointService struct {
	Topo          `yaml:",inline"`
	LoadBalancers []string `yaml:"load-balancers"`
}

// TopoEndpoint is a Gateway Load Balancer endpoint.
type TopoEndpoint struct {
	Topo    `yaml:",inline"`
	Service string `yaml:"service"`
	Subnet  string `yaml:"subnet"`

	Node TopoNode `yaml:"node,omitempty"` // its interface, where it is known
}

// TopoMirroring are the mirroring objects that are there from the start.
type TopoMirroring struct {
	Targets  []TopoTarget  `yaml:"targets,omitempty"`
	Filters  []TopoFilter  `yaml:"filters,omitempty"`
	Sessions []TopoSession `yaml:"sessions,omitempty"`
}

// TopoTarget is a traffic mirror target; one of the three is set.
type TopoTarget struct {
	Topo         `yaml:",inline"`
	Interface    string `yaml:"interface,omitempty"` // "sensor/eth1" or an id
	LoadBalancer string `yaml:"load-balancer,omitempty"`
	Endpoint     string `yaml:"endpoint,omitempty"`
	Description  string `yaml:"description,omitempty"`
}

// TopoFilter is a traffic mirror filter.
type TopoFilter struct {
	Topo            `yaml:",inline"`
	NetworkServices []string         `yaml:"network-services,omitempty"`
	Rules           []TopoFilterRule `yaml:"rules,omitempty"`
	Description     string           `yaml:"description,omitempty"`
}

// TopoFilterRule is a rule of a filter, in the words of mirroring files.
type TopoFilterRule struct {
	ID               string `yaml:"id,omitempty"`
	Number           int    `yaml:"number"`
	Direction        string `yaml:"direction"` // ingress, egress or both
	Action           string `yaml:"action"`
	Protocol         string `yaml:"protocol,omitempty"`
	Source           string `yaml:"source,omitempty"`
	Destination      string `yaml:"destination,omitempty"`
	SourcePorts      string `yaml:"source-ports,omitempty"`
	DestinationPorts string `yaml:"destination-ports,omitempty"`
	Description      string `yaml:"description,omitempty"`
}

// TopoSession is a traffic mirror session.
type TopoSession struct {
	Topo        `yaml:",inline"`
	Source      string `yaml:"source"` // "web", "web/eth1" or an interface id
	Target      string `yaml:"target"`
	Filter      string `yaml:"filter"`
	Number      int    `yaml:"number"`
	VNI         int    `yaml:"vni,omitempty"` // default: made of the name
	Length      int    `yaml:"packet-length,omitempty"`
	Description string `yaml:"description,omitempty"`
}

// MaxTopology bounds a topology file, in bytes: ten thousand instances fit.
const MaxTopology = 8 << 20

// ParseTopology reads a topology file. name stands for it in errors, which begin with
// file, line and column. All problems are reported together.
func ParseTopology(data []byte, name string) (*Topology, error) {
	if len(data) > MaxTopology {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", name, len(data), MaxTopology)
	}
	t, err := decodeTopology(data, name)
	if err != nil {
		return nil, err
	}
	if _, err := t.build(buildOptions{Region: "us-east-1", AccountID: "123456789012"}); err != nil {
		return nil, err
	}
	return t, nil
}

// decodeTopology decodes the YAML, for a package that panics on some malformed files.
func decodeTopology(data []byte, name string) (t *Topology, err error) {
	defer func() {
		if recover() != nil {
			t, err = nil, fmt.Errorf("%s: malformed YAML", name)
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, positioned(err))
	}
	a := &aliases{}
	for _, d := range file.Docs {
		if d.Body != nil {
			ast.Walk(a, d.Body)
		}
	}
	if a.found != nil {
		return nil, fmt.Errorf("%s:%d:%d: a topology has no anchors and aliases", name, a.found.GetToken().Position.Line, a.found.GetToken().Position.Column)
	}
	t = &Topology{file: file, name: name}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField()).Decode(t); err != nil && len(bytes.TrimSpace(data)) > 0 {
		return nil, fmt.Errorf("%s:%w", name, positioned(err))
	}
	return t, nil
}

// aliases finds what could make a small file large.
type aliases struct{ found ast.Node }

// Visit looks at a node.
func (a *aliases) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode:
		if a.found == nil {
			a.found = n
		}
	}
	return a
}

// positioned takes the picture of the file off an error of the YAML package, and leaves
// "line:column: text".
func positioned(err error) error {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		p := y.GetToken().Position
		return fmt.Errorf("%d:%d: %s", p.Line, p.Column, y.GetMessage())
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(strings.TrimSpace(first))
}

// at returns "file:line:column" of the value at a path such as "vpcs[0].cidr", or of what
// is nearest above it.
func (t *Topology) at(path string) string {
	for t.file != nil && path != "" {
		p, err := yaml.PathString("$." + path)
		if err == nil {
			if n, err := p.FilterFile(t.file); err == nil && n != nil && n.GetToken() != nil {
				pos := n.GetToken().Position
				return fmt.Sprintf("%s:%d:%d", t.name, pos.Line, pos.Column)
			}
		}
		i := strings.LastIndexAny(path, ".[")
		path = path[:max(i, 0)]
	}
	return t.name
}

// Marshal writes t as YAML.
func (t *Topology) Marshal() ([]byte, error) { return yaml.Marshal(t) }

// Place returns the region and account that t names, or else those given.
func (t *Topology) Place(region, account string) (string, string) {
	if t.Region != "" {
		region = t.Region
	}
	if t.Account != "" {
		account = t.Account
	}
	return region, account
}
