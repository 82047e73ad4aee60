package setup

import (
	"errors"

	"mirador/internal/mirror"
)

// ErrNoDryRun is the answer of DryRun for calls that cannot be tried.
var ErrNoDryRun = errors.New("the service has no dry run")

// Call is one change: one of the types below. Each stands for one call of the API; its
// fields are the parameters, and the tag "cli" names the parameter of the AWS
// command line. A text that begins with "@" is a reference: the id of the part of the
// stack with this key, which another call makes (see refs.go).
type Call interface {
	Action() Action
}

func ec2(name string) Action { return Action{"ec2", name} }
func elb(name string) Action { return Action{"elasticloadbalancing", name} }

// CreateGroup makes a security group. Group names are unique in a VPC, which is what
// makes it safe to repeat.
type CreateGroup struct {
	Name        string `cli:"--group-name" json:"name"`
	Description string `cli:"--description" json:"description"`
	VPC         string `cli:"--vpc-id" json:"vpc"`
	Tags        Tags   `cli:"tags:security-group" json:"tags"`
}

// Authorize adds rules to a security group.
type Authorize struct {
	Group  string       `cli:"--group-id" json:"group"`
	Egress bool         `json:"egress,omitempty"`
	Rules  []Permission `cli:"permissions" json:"rules"`
}

// Revoke removes rules from a security group.
type Revoke struct {
	Group  string       `cli:"--group-id" json:"group"`
	Egress bool         `json:"egress,omitempty"`
	Rules  []Permission `cli:"permissions" json:"rules"`
}

// DeleteGroup removes a security group.
type DeleteGroup struct {
	Group string `cli:"--group-id" json:"group"`
}

// CreateInterface makes a network interface.
type CreateInterface struct {
	Subnet      string   `cli:"--subnet-id" json:"subnet"`
	Groups      []string `cli:"--groups" json:"groups"`
	Description string   `cli:"--description" json:"description"`
	Tags        Tags     `cli:"tags:network-interface" json:"tags"`
	Token       string   `cli:"--client-token" json:"token,omitempty"`
}

// AttachInterface puts an interface into an instance; its Result is the attachment.
type AttachInterface struct {
	Interface string `cli:"--network-interface-id" json:"interface"`
	Instance  string `cli:"--instance-id" json:"instance"`
	Index     int    `cli:"--device-index" json:"index"`
}

// DeleteWithInstance sets delete-on-termination of an attachment.
type DeleteWithInstance struct {
	Interface  string `cli:"--network-interface-id" json:"interface"`
	Attachment string `cli:"attachment" json:"attachment"`
}

// ModifyInterfaceGroups sets the security groups of an interface.
type ModifyInterfaceGroups struct {
	Interface string   `cli:"--network-interface-id" json:"interface"`
	Groups    []string `cli:"--groups" json:"groups"`
}

// ModifyInterfaceDescription sets the description of an interface.
type ModifyInterfaceDescription struct {
	Interface   string `cli:"--network-interface-id" json:"interface"`
	Description string `cli:"--description" json:"description"`
}

// DetachInterface takes an interface out of its instance.
type DetachInterface struct {
	Attachment string `cli:"--attachment-id" json:"attachment"`
}

// DeleteInterface removes a network interface.
type DeleteInterface struct {
	Interface string `cli:"--network-interface-id" json:"interface"`
}

// CreateTarget makes a traffic mirror target of one of the three kinds.
type CreateTarget struct {
	Interface   string `cli:"--network-interface-id" json:"interface,omitempty"`
	Balancer    string `cli:"--network-load-balancer-arn" json:"balancer,omitempty"`
	Endpoint    string `cli:"--gateway-load-balancer-endpoint-id" json:"endpoint,omitempty"`
	Description string `cli:"--description" json:"description,omitempty"`
	Tags        Tags   `cli:"tags:traffic-mirror-target" json:"tags"`
	Token       string `cli:"--client-token" json:"token,omitempty"`
}

// DeleteTarget removes a traffic mirror target.
type DeleteTarget struct {
	Target string `cli:"--traffic-mirror-target-id" json:"target"`
}

// CreateFilter makes a traffic mirror filter, which has no rules at first.
type CreateFilter struct {
	Description string `cli:"--description" json:"description,omitempty"`
	Tags        Tags   `cli:"tags:traffic-mirror-filter" json:"tags"`
	Token       string `cli:"--client-token" json:"token,omitempty"`
}

// ModifyFilterServices adds and removes network services of a filter.
type ModifyFilterServices struct {
	Filter string   `cli:"--traffic-mirror-filter-id" json:"filter"`
	Add    []string `cli:"--add-network-services" json:"add,omitempty"`
	Remove []string `cli:"--remove-network-services" json:"remove,omitempty"`
}

// DeleteFilter removes a filter with its rules.
type DeleteFilter struct {
	Filter string `cli:"--traffic-mirror-filter-id" json:"filter"`
}

// CreateRule adds a rule to a filter. Number and direction are unique in it, which is
// what makes it safe to repeat.
type CreateRule struct {
	Filter string            `cli:"--traffic-mirror-filter-id" json:"filter"`
	Rule   mirror.FilterRule `cli:"rule" json:"rule"`
	Tags   Tags              `cli:"tags:traffic-mirror-filter-rule" json:"tags"`
	Token  string            `cli:"--client-token" json:"token,omitempty"`
}

// ModifyRule makes the rule with Rule.ID equal to Rule.
type ModifyRule struct {
	Rule mirror.FilterRule `cli:"rule" json:"rule"`
	// Remove are the fields that Rule does not have and the rule has: source-port-range,
	// destination-port-range, protocol, description.
	Remove []string `cli:"--remove-fields" json:"remove,omitempty"`
}

// DeleteRule removes a rule of a filter.
type DeleteRule struct {
	Rule string `cli:"--traffic-mirror-filter-rule-id" json:"rule"`
}

// CreateSession makes a traffic mirror session.
type CreateSession struct {
	Interface    string `cli:"--network-interface-id" json:"interface"`
	Target       string `cli:"--traffic-mirror-target-id" json:"target"`
	Filter       string `cli:"--traffic-mirror-filter-id" json:"filter"`
	Number       int    `cli:"--session-number" json:"number"`
	VNI          uint32 `cli:"--virtual-network-id" json:"vni"`
	PacketLength int    `cli:"--packet-length,omitempty" json:"packetLength,omitempty"`
	Description  string `cli:"--description" json:"description,omitempty"`
	Tags         Tags   `cli:"tags:traffic-mirror-session" json:"tags"`
	Token        string `cli:"--client-token" json:"token,omitempty"`
}

// ModifySession changes a session; what is nil or empty stays.
type ModifySession struct {
	Session      string  `cli:"--traffic-mirror-session-id" json:"session"`
	Target       string  `cli:"--traffic-mirror-target-id" json:"target,omitempty"`
	Filter       string  `cli:"--traffic-mirror-filter-id" json:"filter,omitempty"`
	Number       int     `cli:"--session-number,omitempty" json:"number,omitempty"`
	VNI          *uint32 `cli:"--virtual-network-id" json:"vni,omitempty"`
	PacketLength int     `cli:"--packet-length,omitempty" json:"packetLength,omitempty"`
	Description  string  `cli:"--description" json:"description,omitempty"`
	// Remove are the fields to set back: packet-length, description.
	Remove []string `cli:"--remove-fields" json:"remove,omitempty"`
}

// DeleteSession removes a session.
type DeleteSession struct {
	Session string `cli:"--traffic-mirror-session-id" json:"session"`
}

// CreateBalancer makes an internal network load balancer, or a gateway load balancer. Names
// are unique in an account and region, which is what makes it safe to repeat.
type CreateBalancer struct {
	Name    string   `cli:"--name" json:"name"`
	Type    string   `cli:"--type" json:"type"`
	Scheme  string   `cli:"--scheme" json:"scheme,omitempty"`
	Subnets []string `cli:"--subnets" json:"subnets"`
	Groups  []string `cli:"--security-groups" json:"groups,omitempty"`
	Tags    Tags     `cli:"--tags" json:"tags"`
}

// ModifyBalancer sets attributes of a load balancer.
type ModifyBalancer struct {
	Balancer   string `cli:"--load-balancer-arn" json:"balancer"`
	Attributes Tags   `cli:"--attributes" json:"attributes"`
}

// DeleteBalancer removes a load balancer with its listeners.
type DeleteBalancer struct {
	Balancer string `cli:"--load-balancer-arn" json:"balancer"`
}

// CreateTargetGroup makes a target group of IP addresses.
type CreateTargetGroup struct {
	Name     string `cli:"--name" json:"name"`
	Protocol string `cli:"--protocol" json:"protocol"`
	Port     int    `cli:"--port" json:"port"`
	VPC      string `cli:"--vpc-id" json:"vpc"`
	Type     string `cli:"--target-type" json:"type"`
	Health   Health `cli:"health" json:"health"`
	Tags     Tags   `cli:"--tags" json:"tags"`
}

// ModifyTargetGroup sets the health check of a target group.
type ModifyTargetGroup struct {
	TargetGroup string `cli:"--target-group-arn" json:"targetGroup"`
	Health      Health `cli:"health" json:"health"`
}

// ModifyTargetGroupAttributes sets attributes of a target group.
type ModifyTargetGroupAttributes struct {
	TargetGroup string `cli:"--target-group-arn" json:"targetGroup"`
	Attributes  Tags   `cli:"--attributes" json:"attributes"`
}

// DeleteTargetGroup removes a target group.
type DeleteTargetGroup struct {
	TargetGroup string `cli:"--target-group-arn" json:"targetGroup"`
}

// RegisterTargets adds addresses to a target group. An address may be a reference
// "@KEY#address": the primary address of an interface that is still to be made.
type RegisterTargets struct {
	TargetGroup string   `cli:"--target-group-arn" json:"targetGroup"`
	Targets     []string `cli:"--targets" json:"targets"`
}

// DeregisterTargets takes addresses out of a target group.
type DeregisterTargets struct {
	TargetGroup string   `cli:"--target-group-arn" json:"targetGroup"`
	Targets     []string `cli:"--targets" json:"targets"`
}

// CreateListener makes a listener that forwards to a target group.
type CreateListener struct {
	Balancer    string `cli:"--load-balancer-arn" json:"balancer"`
	Protocol    string `cli:"--protocol" json:"protocol,omitempty"`
	Port        int    `cli:"--port,omitempty" json:"port,omitempty"`
	TargetGroup string `cli:"forward" json:"targetGroup"`
	Tags        Tags   `cli:"--tags" json:"tags"`
}

// ModifyListener lets a listener forward to another target group.
type ModifyListener struct {
	Listener    string `cli:"--listener-arn" json:"listener"`
	TargetGroup string `cli:"forward" json:"targetGroup"`
}

// DeleteListener removes a listener.
type DeleteListener struct {
	Listener string `cli:"--listener-arn" json:"listener"`
}

// CreateService offers a gateway load balancer as an endpoint service; its Result has
// the name of the service.
type CreateService struct {
	Balancer string `cli:"--gateway-load-balancer-arns" json:"balancer"`
	Tags     Tags   `cli:"tags:vpc-endpoint-service" json:"tags"`
	Token    string `cli:"--client-token" json:"token,omitempty"`
}

// DeleteService removes an endpoint service.
type DeleteService struct {
	Service string `cli:"--service-ids" json:"service"`
}

// CreateEndpoint makes a gateway load balancer endpoint.
type CreateEndpoint struct {
	VPC     string `cli:"--vpc-id" json:"vpc"`
	Subnet  string `cli:"--subnet-ids" json:"subnet"`
	Service string `cli:"--service-name" json:"service"`
	Tags    Tags   `cli:"tags:vpc-endpoint" json:"tags"`
	Token   string `cli:"--client-token" json:"token,omitempty"`
}

// DeleteEndpoint removes a VPC endpoint.
type DeleteEndpoint struct {
	Endpoint string `cli:"--vpc-endpoint-ids" json:"endpoint"`
}

// SetTags sets tags of a resource of EC2.
type SetTags struct {
	Resource string `cli:"--resources" json:"resource"`
	Tags     Tags   `cli:"--tags" json:"tags"`
}

// SetBalancerTags sets tags of a resource of Elastic Load Balancing.
type SetBalancerTags struct {
	Resource string `cli:"--resource-arns" json:"resource"`
	Tags     Tags   `cli:"--tags" json:"tags"`
}

// What Wait can wait for.
const (
	WaitBalancerActive     = "balancer-active"
	WaitBalancerGone       = "balancer-gone"
	WaitInterfaceAttached  = "interface-attached"
	WaitInterfaceAvailable = "interface-available"
	WaitEndpointAvailable  = "endpoint-available"
	WaitEndpointGone       = "endpoint-gone"
)

// Wait is no call of its own: it looks until what For says is so.
type Wait struct {
	For string `json:"for"`
	ID  string `json:"id"`
}

func (CreateGroup) Action() Action { return ec2("CreateSecurityGroup") }

// Action names the call of the direction.
func (c Authorize) Action() Action {
	if c.Egress {
		return ec2("AuthorizeSecurityGroupEgress")
	}
	return ec2("AuthorizeSecurityGroupIngress")
}

// Action names the call of the direction.
func (c Revoke) Action() Action {
	if c.Egress {
		return ec2("RevokeSecurityGroupEgress")
	}
	return ec2("RevokeSecurityGroupIngress")
}

// Action names the call that looks.
func (c Wait) Action() Action {
	switch c.For {
	case WaitBalancerActive, WaitBalancerGone:
		return elb("DescribeLoadBalancers")
	case WaitEndpointAvailable, WaitEndpointGone:
		return ec2("DescribeVpcEndpoints")
	}
	return ec2("DescribeNetworkInterfaces")
}

func (DeleteGroup) Action() Action                { return ec2("DeleteSecurityGroup") }
func (CreateInterface) Action() Action            { return ec2("CreateNetworkInterface") }
func (AttachInterface) Action() Action            { return ec2("AttachNetworkInterface") }
func (DeleteWithInstance) Action() Action         { return ec2("ModifyNetworkInterfaceAttribute") }
func (ModifyInterfaceGroups) Action() Action      { return ec2("ModifyNetworkInterfaceAttribute") }
func (ModifyInterfaceDescription) Action() Action { return ec2("ModifyNetworkInterfaceAttribute") }
func (DetachInterface) Action() Action            { return ec2("DetachNetworkInterface") }
func (DeleteInterface) Action() Action            { return ec2("DeleteNetworkInterface") }
func (CreateTarget) Action() Action               { return ec2("CreateTrafficMirrorTarget") }
func (DeleteTarget) Action() Action               { return ec2("DeleteTrafficMirrorTarget") }
func (CreateFilter) Action() Action               { return ec2("CreateTrafficMirrorFilter") }
func (DeleteFilter) Action() Action               { return ec2("DeleteTrafficMirrorFilter") }
func (CreateRule) Action() Action                 { return ec2("CreateTrafficMirrorFilterRule") }
func (ModifyRule) Action() Action                 { return ec2("ModifyTrafficMirrorFilterRule") }
func (DeleteRule) Action() Action                 { return ec2("DeleteTrafficMirrorFilterRule") }
func (CreateSession) Action() Action              { return ec2("CreateTrafficMirrorSession") }
func (ModifySession) Action() Action              { return ec2("ModifyTrafficMirrorSession") }
func (DeleteSession) Action() Action              { return ec2("DeleteTrafficMirrorSession") }
func (CreateService) Action() Action              { return ec2("CreateVpcEndpointServiceConfiguration") }
func (DeleteService) Action() Action              { return ec2("DeleteVpcEndpointServiceConfigurations") }
func (CreateEndpoint) Action() Action             { return ec2("CreateVpcEndpoint") }
func (DeleteEndpoint) Action() Action             { return ec2("DeleteVpcEndpoints") }
func (SetTags) Action() Action                    { return ec2("CreateTags") }
func (ModifyFilterServices) Action() Action {
	return ec2("ModifyTrafficMirrorFilterNetworkServices")
}
func (CreateBalancer) Action() Action              { return elb("CreateLoadBalancer") }
func (ModifyBalancer) Action() Action              { return elb("ModifyLoadBalancerAttributes") }
func (DeleteBalancer) Action() Action              { return elb("DeleteLoadBalancer") }
func (CreateTargetGroup) Action() Action           { return elb("CreateTargetGroup") }
func (ModifyTargetGroup) Action() Action           { return elb("ModifyTargetGroup") }
func (ModifyTargetGroupAttributes) Action() Action { return elb("ModifyTargetGroupAttributes") }
func (DeleteTargetGroup) Action() Action           { return elb("DeleteTargetGroup") }
func (RegisterTargets) Action() Action             { return elb("RegisterTargets") }
func (DeregisterTargets) Action() Action           { return elb("DeregisterTargets") }
func (CreateListener) Action() Action              { return elb("CreateListener") }
func (ModifyListener) Action() Action              { return elb("ModifyListener") }
func (DeleteListener) Action() Action              { return elb("DeleteListener") }
func (SetBalancerTags) Action() Action             { return elb("AddTags") }
