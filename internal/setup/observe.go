package setup

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// Observed is what is in the account and region. Slices are sorted by id, so that what
// is worked out from equal worlds is equal.
type Observed struct {
	Identity   Identity
	Instances  []Instance
	Interfaces []Interface
	Subnets    []Subnet
	VPCs       []VPC
	Groups     []SecurityGroup
	Types      []InstanceType // of the sensors only

	Targets  []mirror.Target
	Filters  []mirror.Filter
	Sessions []mirror.Session

	Balancers    []Balancer
	TargetGroups []TargetGroup
	Listeners    []Listener // of balancers that carry tags of a stack
	Services     []EndpointService
	Endpoints    []Endpoint

	// RouteTables, NetworkACLs and the PrefixLists that routes and groups refer to are there when
	// Path was asked for.
	PrefixLists mirror.PrefixLists
	RouteTables []RouteTable
	NetworkACLs []NetworkACL

	instances  map[string]*Instance
	interfaces map[string]*Interface
	subnets    map[string]*Subnet
	vpcs       map[string]*VPC
	types      map[string]*InstanceType
	enis       map[string][]*Interface // by instance, by device index
}

// ObserveOptions say how much to look at.
type ObserveOptions struct {
	Stack string
	Spec  *Spec // nil: only what is needed to take a stack away
	Path  bool  // routes and network ACLs too
	Note  func(what string)
}

// Observe looks at everything that a plan needs. It makes one call for each kind of
// resource and page.
func Observe(ctx context.Context, c Cloud, o ObserveOptions) (*Observed, error) {
	w := &Observed{}
	note := o.Note
	if note == nil {
		note = func(string) {}
	}
	steps := []struct {
		what string
		read func() error
	}{
		{"identity", func() (err error) { w.Identity, err = c.Identity(ctx); return }},
		{"instances", func() (err error) { w.Instances, err = c.Instances(ctx, Query{}); return }},
		{"network interfaces", func() (err error) { w.Interfaces, err = c.Interfaces(ctx, Query{}); return }},
		{"subnets", func() (err error) { w.Subnets, err = c.Subnets(ctx, Query{}); return }},
		{"VPCs", func() (err error) { w.VPCs, err = c.VPCs(ctx, Query{}); return }},
		{"security groups", func() (err error) { w.Groups, err = c.SecurityGroups(ctx, Query{}); return }},
		{"traffic mirror targets", func() (err error) { w.Targets, err = c.Targets(ctx, Query{}); return }},
		{"traffic mirror filters", func() (err error) { w.Filters, err = c.Filters(ctx, Query{}); return }},
		{"traffic mirror sessions", func() (err error) { w.Sessions, err = c.Sessions(ctx, Query{}); return }},
		{"load balancers", func() error { return w.balancers(ctx, c, o.Stack) }},
		{"endpoint services", func() (err error) { w.Services, err = c.EndpointServices(ctx, Query{}); return }},
		{"endpoints", func() (err error) { w.Endpoints, err = c.Endpoints(ctx, Query{}); return }},
	}
	if o.Path {
		steps = append(steps, []struct {
			what string
			read func() error
		}{
			{"route tables", func() (err error) { w.RouteTables, err = c.RouteTables(ctx, Query{}); return }},
			{"network ACLs", func() (err error) { w.NetworkACLs, err = c.NetworkACLs(ctx, Query{}); return }},
			{"prefix lists", func() error { return w.prefixLists(ctx, c, o.Spec) }},
		}...)
	}
	for _, s := range steps {
		note(s.what)
		if err := s.read(); err != nil {
			return nil, err
		}
	}
	w.index()
	if o.Spec == nil {
		return w, nil
	}
	var names []string
	for _, s := range o.Spec.instances(w) {
		names = append(names, s.Type)
	}
	for _, s := range o.Spec.Sensors {
		if e := w.Interface(s.Interface); e != nil && w.Instance(e.InstanceID) != nil {
			names = append(names, w.Instance(e.InstanceID).Type)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > 0 {
		note("instance types")
		var err error
		if w.Types, err = c.InstanceTypes(ctx, names); err != nil {
			return nil, err
		}
		w.index()
	}
	return w, nil
}

// prefixLists reads the lists that routes, security groups and the description refer to.
func (w *Observed) prefixLists(ctx context.Context, c Cloud, s *Spec) (err error) {
	ids := map[string]int{}
	if s != nil {
		for _, x := range slices.Concat(s.Group.Sources, s.Group.Health) {
			if strings.HasPrefix(x, "pl-") {
				ids[x]++
			}
		}
	}
	for i := range w.RouteTables {
		for _, r := range w.RouteTables[i].Routes {
			ids[r.List]++
		}
	}
	for i := range w.Groups {
		for _, p := range append(slices.Clone(w.Groups[i].Ingress), w.Groups[i].Egress...) {
			ids[p.List]++
		}
	}
	delete(ids, "")
	if len(ids) > 0 {
		w.PrefixLists, err = c.PrefixLists(ctx, sortedIDs(ids))
	}
	return err
}

// balancers reads load balancers and what hangs on those of the stack.
func (w *Observed) balancers(ctx context.Context, c Cloud, stack string) (err error) {
	if w.Balancers, err = c.Balancers(ctx); err != nil {
		return err
	}
	if w.TargetGroups, err = c.TargetGroups(ctx); err != nil {
		return err
	}
	for i := range w.Balancers {
		b := &w.Balancers[i]
		if b.Tags[TagStack] != stack {
			continue
		}
		list, err := c.Listeners(ctx, b.ARN)
		if err != nil {
			return err
		}
		w.Listeners = append(w.Listeners, list...)
		if b.Attributes, err = c.BalancerAttributes(ctx, b.ARN); err != nil {
			return err
		}
	}
	for i := range w.TargetGroups {
		g := &w.TargetGroups[i]
		if g.Tags[TagStack] != stack {
			continue
		}
		if g.Attributes, err = c.TargetGroupAttributes(ctx, g.ARN); err != nil {
			return err
		}
		health, err := c.TargetHealth(ctx, g.ARN)
		if err != nil {
			return err
		}
		for _, h := range health {
			if h.State != "draining" {
				g.Targets = append(g.Targets, h.ID)
			}
		}
		slices.Sort(g.Targets)
	}
	return nil
}

// index sorts everything and makes it findable.
func (w *Observed) index() {
	w.instances, w.interfaces = map[string]*Instance{}, map[string]*Interface{}
	w.subnets, w.vpcs, w.types = map[string]*Subnet{}, map[string]*VPC{}, map[string]*InstanceType{}
	w.enis = map[string][]*Interface{}
	sortBy(w.Instances, func(x *Instance) string { return x.ID })
	sortBy(w.Interfaces, func(x *Interface) string { return x.ID })
	sortBy(w.Subnets, func(x *Subnet) string { return x.ID })
	sortBy(w.VPCs, func(x *VPC) string { return x.ID })
	sortBy(w.Groups, func(x *SecurityGroup) string { return x.ID })
	sortBy(w.Targets, func(x *mirror.Target) string { return x.ID })
	sortBy(w.Filters, func(x *mirror.Filter) string { return x.ID })
	sortBy(w.Sessions, func(x *mirror.Session) string { return x.ID })
	sortBy(w.Balancers, func(x *Balancer) string { return x.ARN })
	sortBy(w.TargetGroups, func(x *TargetGroup) string { return x.ARN })
	sortBy(w.Services, func(x *EndpointService) string { return x.ID })
	sortBy(w.Endpoints, func(x *Endpoint) string { return x.ID })
	for i := range w.Instances {
		w.instances[w.Instances[i].ID] = &w.Instances[i]
	}
	for i := range w.Subnets {
		w.subnets[w.Subnets[i].ID] = &w.Subnets[i]
	}
	for i := range w.VPCs {
		w.vpcs[w.VPCs[i].ID] = &w.VPCs[i]
	}
	for i := range w.Types {
		w.types[w.Types[i].Name] = &w.Types[i]
	}
	for i := range w.Interfaces {
		e := &w.Interfaces[i]
		w.interfaces[e.ID] = e
		if e.InstanceID != "" {
			w.enis[e.InstanceID] = append(w.enis[e.InstanceID], e)
		}
	}
	for _, list := range w.enis {
		slices.SortStableFunc(list, func(a, b *Interface) int { return cmp.Compare(a.DeviceIndex, b.DeviceIndex) })
	}
}

func sortBy[T any](list []T, id func(*T) string) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(id(&a), id(&b)) })
}

// Instance returns the instance with this id, or nil.
func (w *Observed) Instance(id string) *Instance { return w.instances[id] }

// Interface returns the interface with this id, or nil.
func (w *Observed) Interface(id string) *Interface { return w.interfaces[id] }

// Subnet returns the subnet with this id, or nil.
func (w *Observed) Subnet(id string) *Subnet { return w.subnets[id] }

// VPC returns the VPC with this id, or nil.
func (w *Observed) VPC(id string) *VPC { return w.vpcs[id] }

// Type returns what is known of an instance type of a sensor, or nil.
func (w *Observed) Type(name string) *InstanceType { return w.types[name] }

// InterfacesOf returns the interfaces of an instance by device index.
func (w *Observed) InterfacesOf(instance string) []*Interface { return w.enis[instance] }

// vpcCIDRs returns all CIDRs of the VPCs, sorted and joined.
func (w *Observed) vpcCIDRs(ids []string) []netip.Prefix {
	var out []netip.Prefix
	for _, id := range ids {
		if v := w.VPC(id); v != nil {
			out = append(append(out, v.CIDRs...), v.IPv6...)
		}
	}
	return aggregate(out)
}

// instances returns the sensors' instances that are there, by id, each once.
func (s *Spec) instances(w *Observed) []*Instance {
	var out []*Instance
	seen := map[string]bool{}
	for _, x := range s.Sensors {
		for _, i := range x.instances(w) {
			if !seen[i.ID] {
				seen[i.ID] = true
				out = append(out, i)
			}
		}
	}
	return out
}

// instances returns the instances of one entry: its instance, or those of its group that
// run or are about to.
func (x *Sensor) instances(w *Observed) []*Instance {
	switch {
	case x.Instance != "":
		if i := w.Instance(x.Instance); i != nil && !i.Gone() {
			return []*Instance{i}
		}
	case x.ASG != "":
		var out []*Instance
		for n := range w.Instances {
			i := &w.Instances[n]
			if i.Tags[tagASG] == x.ASG && (i.State == StateRunning || i.State == StatePending) {
				out = append(out, i)
			}
		}
		return out
	}
	return nil
}
