package setup

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Policy is an IAM policy document.
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement allows actions on resources. Conditions must all hold.
type Statement struct {
	Sid       string                         `json:"Sid"`
	Effect    string                         `json:"Effect"`
	Action    []string                       `json:"Action"`
	Resource  []string                       `json:"Resource"`
	Condition map[string]map[string][]string `json:"Condition,omitempty"`
}

// PolicyOptions narrow a policy down. What is empty is a wildcard in the ARNs, but for
// Stack: no policy is for all stacks.
type PolicyOptions struct {
	Partition string // aws, aws-us-gov or aws-cn; empty: aws
	Region    string
	Account   string
	Stack     string
	Queue     string // ARN of the queue that watch reads
	// Spec, when not nil, leaves out what its kind of target does not need, and names the
	// sensors and interfaces that it names.
	Spec *Spec
}

// PolicyCommands returns the commands that Policies knows.
func PolicyCommands() []string {
	return []string{"preflight", "plan", "apply", "verify", "watch", "destroy"}
}

// PolicyLimit is how many characters, without white space, IAM takes in a managed policy.
// AWS: IAM and STS quotas.
const PolicyLimit = 6144

// callTable holds each type of Call, with the fields that decide its Action. A policy is
// made of it: a call that is not here is in no policy, and a test compares it with the
// source.
func callTable() []Call {
	return []Call{
		CreateGroup{}, Authorize{}, Authorize{Egress: true}, Revoke{}, Revoke{Egress: true}, DeleteGroup{},
		CreateInterface{}, AttachInterface{}, DeleteWithInstance{}, ModifyInterfaceGroups{}, ModifyInterfaceDescription{}, DetachInterface{}, DeleteInterface{},
		CreateTarget{}, DeleteTarget{}, CreateFilter{}, ModifyFilterServices{}, DeleteFilter{}, CreateRule{}, ModifyRule{}, DeleteRule{},
		CreateSession{}, ModifySession{}, DeleteSession{},
		CreateBalancer{}, ModifyBalancer{}, DeleteBalancer{}, CreateTargetGroup{}, ModifyTargetGroup{}, ModifyTargetGroupAttributes{}, DeleteTargetGroup{},
		RegisterTargets{}, DeregisterTargets{}, CreateListener{}, ModifyListener{}, DeleteListener{},
		CreateService{}, DeleteService{}, CreateEndpoint{}, DeleteEndpoint{}, SetTags{}, SetBalancerTags{},
	}
}

// readTable holds the actions behind each read of Cloud.
func readTable() map[string][]Action {
	return map[string][]Action{
		"Identity":              {{"sts", "GetCallerIdentity"}},
		"Instances":             {ec2("DescribeInstances")},
		"InstanceTypes":         {ec2("DescribeInstanceTypes")},
		"Interfaces":            {ec2("DescribeNetworkInterfaces")},
		"Subnets":               {ec2("DescribeSubnets")},
		"VPCs":                  {ec2("DescribeVpcs")},
		"RouteTables":           {ec2("DescribeRouteTables")},
		"NetworkACLs":           {ec2("DescribeNetworkAcls")},
		"PrefixLists":           {ec2("GetManagedPrefixListEntries")},
		"SecurityGroups":        {ec2("DescribeSecurityGroups")},
		"Targets":               {ec2("DescribeTrafficMirrorTargets")},
		"Filters":               {ec2("DescribeTrafficMirrorFilters")},
		"Sessions":              {ec2("DescribeTrafficMirrorSessions")},
		"Balancers":             {elb("DescribeLoadBalancers"), elb("DescribeTags")},
		"TargetGroups":          {elb("DescribeTargetGroups"), elb("DescribeTags")},
		"Listeners":             {elb("DescribeListeners"), elb("DescribeTags")},
		"BalancerAttributes":    {elb("DescribeLoadBalancerAttributes")},
		"TargetGroupAttributes": {elb("DescribeTargetGroupAttributes")},
		"TargetHealth":          {elb("DescribeTargetHealth")},
		"EndpointServices":      {ec2("DescribeVpcEndpointServiceConfigurations")},
		"Endpoints":             {ec2("DescribeVpcEndpoints")},
	}
}

// grant is what a call needs: resources of one kind each, and which tag must hold there.
type grant struct {
	res string // after the service's ARN prefix
	tag string // tagMade, tagOurs, or empty: no condition is possible
	any bool   // of any account
}

// How the tag of the stack is asked for.
const (
	tagMade = "aws:RequestTag/" + TagStack  // what is made gets it
	tagOurs = "aws:ResourceTag/" + TagStack // what is changed has it
)

// lbKinds are the kinds of load balancers that setup makes.
var lbKinds = [...]string{"net", "gwy"}

// grants returns what c needs. AWS: Service Authorization Reference, Amazon EC2 and
// Elastic Load Balancing V2, read 2026-09.
func (o *PolicyOptions) grants(c Call) []grant {
	const eni, group, target, filter, rule, session = "network-interface/*", "security-group/*", "traffic-mirror-target/*", "traffic-mirror-filter/*", "traffic-mirror-filter-rule/*", "traffic-mirror-session/*"
	with := func(tag string, res ...string) (out []grant) {
		for _, r := range res {
			out = append(out, grant{res: r, tag: tag})
		}
		return out
	}
	to := with(tagOurs, target)
	if o.kind() == TargetShared {
		to = nil
		for _, id := range o.Spec.Target.Shared {
			to = append(to, grant{res: "traffic-mirror-target/" + id, any: true})
		}
	}
	switch c.(type) {
	case CreateGroup:
		return append(with(tagMade, group), with("", "vpc/*")...)
	case Authorize, Revoke, DeleteGroup:
		return with(tagOurs, group)
	case CreateInterface:
		return append(append(with(tagMade, eni), with(tagOurs, group)...), with("", "subnet/*")...)
	case AttachInterface, DetachInterface, DeleteWithInstance:
		return append(with(tagOurs, eni), with("", o.sensors()...)...)
	case ModifyInterfaceGroups:
		return with(tagOurs, eni, group)
	case ModifyInterfaceDescription, DeleteInterface:
		return with(tagOurs, eni)
	case CreateTarget:
		out := append(with(tagMade, target), with(tagOurs, eni)...)
		if o.kind() != TargetENI && o.kind() != TargetNLB {
			out = append(out, grant{res: "vpc-endpoint/*", tag: tagOurs})
		}
		return append(out, with("", o.interfaces()...)...)
	case DeleteTarget:
		return with(tagOurs, target)
	case CreateFilter:
		return with(tagMade, filter)
	case ModifyFilterServices, DeleteFilter:
		return with(tagOurs, filter)
	case CreateRule:
		return append(with(tagOurs, filter), with(tagMade, rule)...)
	case ModifyRule, DeleteRule:
		return with(tagOurs, filter, rule)
	case CreateSession:
		// The source is an interface of somebody else: it has no tag of ours.
		return slices.Concat(with(tagMade, session), to, with(tagOurs, filter), with("", eni))
	case ModifySession:
		return slices.Concat(with(tagOurs, session, filter), to)
	case DeleteSession:
		return with(tagOurs, session)
	case CreateService:
		return with(tagMade, "vpc-endpoint-service/*")
	case DeleteService:
		return with(tagOurs, "vpc-endpoint-service/*")
	case CreateEndpoint:
		return append(with(tagMade, "vpc-endpoint/*"), with("", "vpc/*", "subnet/*")...)
	case DeleteEndpoint:
		return with(tagOurs, "vpc-endpoint/*")
	case CreateBalancer:
		return with(tagMade, o.balancers("loadbalancer/", "/*")...)
	case ModifyBalancer, DeleteBalancer:
		return with(tagOurs, o.balancers("loadbalancer/", "/*")...)
	case CreateListener:
		return with(tagOurs, o.balancers("loadbalancer/", "/*")...)
	case ModifyListener, DeleteListener:
		return with(tagOurs, o.balancers("listener/", "/*/*/*")...)
	case CreateTargetGroup:
		return with(tagMade, "targetgroup/*/*")
	case ModifyTargetGroup, ModifyTargetGroupAttributes, DeleteTargetGroup, RegisterTargets, DeregisterTargets:
		return with(tagOurs, "targetgroup/*/*")
	}
	return nil // SetTags and SetBalancerTags: see tagging
}

func (o *PolicyOptions) kind() string {
	if o.Spec == nil {
		return ""
	}
	return o.Spec.kind()
}

// sensors returns the instances that traffic interfaces go into: those of the spec, or all
// when it has none or an Auto Scaling group.
func (o *PolicyOptions) sensors() []string {
	var out []string
	if o.Spec != nil {
		for _, s := range o.Spec.Sensors {
			if s.ASG != "" {
				return []string{"instance/*"}
			}
			if s.Instance != "" {
				out = append(out, "instance/"+s.Instance)
			}
		}
	}
	if len(out) == 0 {
		return []string{"instance/*"}
	}
	return sorted(out)
}

// interfaces returns the targets of the spec that are not ours.
func (o *PolicyOptions) interfaces() []string {
	var out []string
	if o.Spec != nil {
		for _, s := range o.Spec.Sensors {
			if s.Interface != "" {
				out = append(out, "network-interface/"+s.Interface)
			}
		}
	}
	return sorted(out)
}

func (o *PolicyOptions) balancers(head, tail string) []string {
	var out []string
	for _, k := range lbKinds {
		if kind := o.kind(); kind == "" || kind == TargetNLB && k == "net" || kind == TargetGWLB && k == "gwy" {
			out = append(out, head+k+tail)
		}
	}
	return out
}

// needed tells whether a stack of the spec's kind makes or had c.
func (o *PolicyOptions) needed(c Call) bool {
	switch c.(type) {
	case CreateService, DeleteService, CreateEndpoint, DeleteEndpoint:
		return o.kind() == "" || o.kind() == TargetGWLB
	case CreateGroup, Authorize, Revoke, DeleteGroup, CreateInterface, AttachInterface, DeleteWithInstance, ModifyInterfaceGroups, ModifyInterfaceDescription, DetachInterface, DeleteInterface, CreateTarget, DeleteTarget:
		return o.kind() != TargetShared // which has none of its own
	}
	return c.Action().Service == "ec2" || o.kind() != TargetShared && o.kind() != TargetENI
}

// CallsOf returns the calls that a command makes or, for preflight, tries as dry runs.
func CallsOf(command string) []Call {
	var out []Call
	for _, c := range callTable() {
		var ok bool
		switch command {
		case "apply":
			ok = true
		case "preflight":
			ok = c.Action().Service == "ec2"
		case "watch":
			ok = sessionCall(c)
		case "destroy":
			name := c.Action().Name
			_, detach := c.(DetachInterface)
			ok = strings.HasPrefix(name, "Delete") || detach
		}
		if ok {
			out = append(out, c)
		}
	}
	return out
}

// sessionCall tells whether watch makes c.
func sessionCall(c Call) bool {
	switch c.(type) {
	case CreateSession, ModifySession, DeleteSession, SetTags:
		return true
	}
	return false
}

// NewPolicy returns the policy that a command needs, and nothing more. It is made of the
// calls that commands make.
func NewPolicy(command string, o PolicyOptions) (*Policy, error) {
	if !slices.Contains(PolicyCommands(), command) {
		return nil, fmt.Errorf("%q is none of %s", command, strings.Join(PolicyCommands(), ", "))
	}
	if o.Spec != nil {
		o.Stack = o.Spec.Name
	}
	if o.Stack == "" {
		return nil, fmt.Errorf("a policy needs the name of a stack")
	}
	b := &policyBuilder{o: &o, byKey: map[string]*Statement{}}
	b.reads(command)
	var made []Call
	for _, c := range CallsOf(command) {
		if !o.needed(c) {
			continue
		}
		for _, g := range o.grants(c) {
			b.allow(c.Action(), g)
		}
		if tagsMade(c) {
			made = append(made, c)
		}
	}
	b.tagging(command, made)
	if slices.ContainsFunc(made, func(c Call) bool { return c.Action() == elb("CreateLoadBalancer") }) {
		// Elastic Load Balancing makes its role with the first load balancer of an account.
		role := "elasticloadbalancing.amazonaws.com"
		b.add("Role", "", []string{"iam:CreateServiceLinkedRole"}, []string{"arn:" + o.partition() + ":iam::" + or(o.Account, "*") + ":role/aws-service-role/" + role + "/*"},
			map[string]map[string][]string{"StringEquals": {"iam:AWSServiceName": {role}}})
	}
	if command == "watch" {
		queue := or(o.Queue, "arn:"+o.partition()+":sqs:"+or(o.Region, "*")+":"+or(o.Account, "*")+":mirador-"+o.Stack)
		b.add("Queue", "", []string{"sqs:DeleteMessage", "sqs:ReceiveMessage"}, []string{queue}, nil)
	}
	return b.policy(), nil
}

func (o *PolicyOptions) partition() string { return or(o.Partition, "aws") }

// arn returns the ARN of a resource of a service.
func (o *PolicyOptions) arn(service, res string) string {
	return "arn:" + o.partition() + ":" + service + ":" + or(o.Region, "*") + ":" + or(o.Account, "*") + ":" + res
}

// tagsMade tells whether c makes something and tags it in the same call.
func tagsMade(c Call) bool {
	_, ok := reflect.TypeOf(c).FieldByName("Tags")
	return ok && strings.HasPrefix(c.Action().Name, "Create") && c.Action().Name != "CreateTags"
}

type policyBuilder struct {
	o     *PolicyOptions
	byKey map[string]*Statement
	list  []*Statement
}

// reads allows what every command looks at. These actions know no resources: AWS takes
// only "*" for them.
func (b *policyBuilder) reads(command string) {
	var acts []string
	for _, list := range readTable() {
		for _, a := range list {
			acts = append(acts, a.String())
		}
	}
	if command == "verify" {
		acts = append(acts, "cloudwatch:GetMetricData")
	}
	b.add("Look", "", acts, []string{"*"}, nil)
}

// allow adds one action on one kind of resource.
func (b *policyBuilder) allow(a Action, g grant) {
	var cond map[string]map[string][]string
	sid := map[string]string{tagMade: "Make", tagOurs: "Change", "": "Use"}[g.tag]
	if g.tag != "" {
		cond = map[string]map[string][]string{"StringEquals": {g.tag: {b.o.Stack}}}
	}
	k := g.res
	if g.tag == tagOurs {
		// One statement for all that is changed: it widens nothing, as each resource must be of
		// the stack. What is made is kept apart: a tag in a request says nothing of the other
		// resources that the request names.
		k = a.Service
	}
	arn := *b.o
	if g.any {
		arn.Account = ""
	}
	b.add(sid, k, []string{a.String()}, []string{arn.arn(a.Service, g.res)}, cond)
}

// tagging allows tags: on what is made, by the call that makes it, and on what is ours.
func (b *policyBuilder) tagging(command string, made []Call) {
	byService := map[string][]string{}
	res := map[string][]string{}
	for _, c := range made {
		a := c.Action()
		byService[a.Service] = append(byService[a.Service], a.Name)
		for _, g := range b.o.grants(c) {
			if g.tag == tagMade {
				res[a.Service] = append(res[a.Service], b.o.arn(a.Service, g.res))
			}
		}
		if a.Name == "CreateListener" {
			for _, l := range b.o.balancers("listener/", "/*/*/*") {
				res[a.Service] = append(res[a.Service], b.o.arn(a.Service, l))
			}
		}
	}
	for service, act := range map[string]Action{"ec2": SetTags{}.Action(), "elasticloadbalancing": SetBalancerTags{}.Action()} {
		if len(byService[service]) == 0 {
			continue
		}
		slices.Sort(byService[service])
		b.add("TagNew", service, []string{act.String()}, res[service], map[string]map[string][]string{
			"StringEquals": {service + ":CreateAction": slices.Compact(byService[service]), tagMade: {b.o.Stack}},
		})
		b.add("TagOurs", service, []string{act.String()}, res[service], map[string]map[string][]string{"StringEquals": {tagOurs: {b.o.Stack}}})
	}
}

// add adds to the statement with this key.
func (b *policyBuilder) add(sid, k string, acts, res []string, cond map[string]map[string][]string) {
	k = sid + " " + k
	s := b.byKey[k]
	if s == nil {
		s = &Statement{Sid: sid, Effect: "Allow", Condition: cond}
		b.byKey[k] = s
		b.list = append(b.list, s)
	}
	s.Action = sorted(append(s.Action, acts...))
	s.Resource = sorted(append(s.Resource, res...))
}

// policy joins statements with equal resources and conditions, and numbers them.
func (b *policyBuilder) policy() *Policy {
	p := &Policy{Version: "2012-10-17"}
	at := map[string]int{}
	for _, s := range b.list {
		k := fmt.Sprint(s.Sid, s.Resource, s.Condition)
		if i, ok := at[k]; ok {
			p.Statement[i].Action = sorted(append(p.Statement[i].Action, s.Action...))
			continue
		}
		at[k] = len(p.Statement)
		p.Statement = append(p.Statement, *s)
	}
	slices.SortStableFunc(p.Statement, func(x, y Statement) int {
		return cmp.Or(cmp.Compare(x.Sid, y.Sid), cmp.Compare(x.Action[0], y.Action[0]), cmp.Compare(x.Resource[0], y.Resource[0]))
	})
	seen := map[string]int{}
	for i := range p.Statement {
		s := &p.Statement[i]
		seen[s.Sid]++
		if n := seen[s.Sid]; n > 1 {
			s.Sid += itoa(n)
		}
	}
	return p
}

// Allows tells whether p allows action on some resource.
func (p *Policy) Allows(action string) bool {
	for i := range p.Statement {
		if slices.Contains(p.Statement[i].Action, action) {
			return true
		}
	}
	return false
}

// MergePolicies returns one policy that allows what each of list does.
func MergePolicies(list ...*Policy) *Policy {
	b := &policyBuilder{byKey: map[string]*Statement{}}
	for _, p := range list {
		for _, s := range p.Statement {
			sid := strings.TrimRight(s.Sid, "0123456789")
			b.add(sid, fmt.Sprint(s.Resource, s.Condition), s.Action, s.Resource, s.Condition)
		}
	}
	return b.policy()
}

// Parts returns p in as many policies as IAM needs: each within PolicyLimit.
func (p *Policy) Parts() ([]*Policy, error) {
	var out []*Policy
	for _, s := range p.Statement {
		if n := len(out); n > 0 {
			last := out[n-1]
			with := &Policy{Version: p.Version, Statement: append(slices.Clone(last.Statement), s)}
			if size, err := with.Size(); err != nil {
				return nil, err
			} else if size <= PolicyLimit {
				out[n-1] = with
				continue
			}
		}
		out = append(out, &Policy{Version: p.Version, Statement: []Statement{s}})
	}
	return out, nil
}

// Size returns the characters of p that IAM counts: those that are not white space.
func (p *Policy) Size() (int, error) {
	b, err := json.Marshal(p)
	return len(b), err
}
