package setup

import (
	"context"

	"mirador/internal/mirror"
)

// Cloud is what this room needs of AWS: reads, one method each, that return all
// pages, and changes, one type of Call each. Errors are *CloudError or those of ctx.
// An implementation repeats throttled and failed calls on its own.
//
// Methods may be called at the same time.
type Cloud interface {
	Identity(ctx context.Context) (Identity, error)
	Instances(ctx context.Context, q Query) ([]Instance, error)
	InstanceTypes(ctx context.Context, names []string) ([]InstanceType, error)
	Interfaces(ctx context.Context, q Query) ([]Interface, error)
	Subnets(ctx context.Context, q Query) ([]Subnet, error)
	VPCs(ctx context.Context, q Query) ([]VPC, error)
	RouteTables(ctx context.Context, q Query) ([]RouteTable, error)
	NetworkACLs(ctx context.Context, q Query) ([]NetworkACL, error)
	SecurityGroups(ctx context.Context, q Query) ([]SecurityGroup, error)

	// PrefixLists returns the entries of managed prefix lists; one that the caller cannot see is
	// absent.
	PrefixLists(ctx context.Context, ids []string) (mirror.PrefixLists, error)

	Targets(ctx context.Context, q Query) ([]mirror.Target, error)
	Filters(ctx context.Context, q Query) ([]mirror.Filter, error)
	Sessions(ctx context.Context, q Query) ([]mirror.Session, error)

	// Balancers returns network and gateway load balancers, with their tags.
	Balancers(ctx context.Context) ([]Balancer, error)
	// TargetGroups returns the target groups for UDP and GENEVE, with their tags.
	TargetGroups(ctx context.Context) ([]TargetGroup, error)
	Listeners(ctx context.Context, balancer string) ([]Listener, error)
	BalancerAttributes(ctx context.Context, balancer string) (Tags, error)
	TargetGroupAttributes(ctx context.Context, group string) (Tags, error)
	TargetHealth(ctx context.Context, group string) ([]TargetHealth, error)
	EndpointServices(ctx context.Context, q Query) ([]EndpointService, error)
	Endpoints(ctx context.Context, q Query) ([]Endpoint, error)

	// Do makes one change.
	Do(ctx context.Context, c Call) (Result, error)
	// DryRun asks whether the caller may make c; nil means yes. Calls of services that
	// have no dry run give ErrNoDryRun.
	DryRun(ctx context.Context, c Call) error
}

// Query narrows a read down. Fields that are set must all hold.
type Query struct {
	IDs    []string
	VPCs   []string
	Tags   Tags                // key to value
	Filter map[string][]string // filters as the API names them
}

// Result is what a change gave.
type Result struct {
	ID   string // id or ARN of what was made; for attachments, of the attachment
	Name string // a second name, where there is one: of an endpoint service
}

// Action names a call of an AWS service.
type Action struct {
	Service string `json:"service"` // ec2, elasticloadbalancing, sts, ...
	Name    string `json:"name"`    // CreateTrafficMirrorSession, ...
}

// String returns the action as IAM writes it.
func (a Action) String() string { return a.Service + ":" + a.Name }
