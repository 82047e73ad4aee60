package setup

import (
	"cmp"
	"slices"

	"mirador/internal/mirror"
)

// Mark is what a change does to a resource.
type Mark string

// The marks of changes.
const (
	Create  Mark = "+"
	Update  Mark = "~"
	Delete  Mark = "-"
	Replace Mark = "-/+" // the new one is made first, the old one goes last
)

// Step is one call of a change.
type Step struct {
	Call Call
	// Result is the reference that the id it gives is known by; "" when nobody asks.
	Result string
}

// Change is what happens to one resource.
type Change struct {
	Mark   Mark
	Kind   string // for people: security group, traffic mirror session, ...
	Key    string
	ID     string // of the resource, when it is there
	Name   string
	Why    string
	Detail []string
	Steps  []Step
	phase  phase
}

// phase orders changes: what others need comes first, what others used goes last, and
// sessions that go make room before others come.
type phase int

const (
	phaseGroups phase = iota
	phaseInterfaces
	phaseBalancer
	phaseEndpoints
	phaseTargets
	phaseFilters
	phaseSessionsGo
	phaseSessionsMove
	phaseSessionsCome
	phaseTargetsGo
	phaseFiltersGo
	phaseEndpointsGo
	phaseBalancerGo
	phaseInterfacesGo
	phaseGroupsGo
)

// going tells that the phase takes away what others used.
func (p phase) going() bool { return p > phaseSessionsCome }

// Plan is the ordered changes from what is to what shall be.
type Plan struct {
	Stack    string
	Identity Identity
	Changes  []*Change
	Desired  *Desired // nil when everything goes
	Findings []Finding
	Cost     Cost
	ids      map[string]string // of what is there, by key
	addrs    map[string]string // address of interfaces, by id
	names    map[string]string // DNS names of load balancers, by ARN
	world    *Observed         // what the plan was made of
}

// Count returns how many resources are added, changed and destroyed.
func (p *Plan) Count() (add, change, destroy int) {
	for _, c := range p.Changes {
		switch c.Mark {
		case Create, Replace:
			add++
		case Update:
			change++
		case Delete:
			destroy++
		}
	}
	return add, change, destroy
}

// planner collects the changes of one plan.
type planner struct {
	p     *Plan
	w     *Observed
	stack string
	keep  map[string]bool // ids that stand for their key; others of the stack go
}

// NewPlan works out the changes that lead from w to what spec means. The error is that
// of NewDesired.
func NewPlan(s *Spec, w *Observed, r *Rates) (*Plan, error) {
	d, err := NewDesired(s, w)
	if err != nil {
		return nil, err
	}
	n := newPlanner(s.Name, w)
	n.p.Desired = d
	n.p.Findings = d.Findings
	n.groups(d)
	n.interfaces(d)
	n.balancer(d)
	n.endpoints(d)
	n.targets(d)
	n.filter(d)
	n.sessions(d)
	n.leftovers()
	n.finish()
	n.p.Cost = estimate(d, r)
	return n.p, nil
}

// NewDestroyPlan works out the changes that take away all that carries the tag of the
// stack, and nothing else.
func NewDestroyPlan(stack string, w *Observed) *Plan {
	n := newPlanner(stack, w)
	n.leftovers()
	n.finish()
	return n.p
}

func newPlanner(stack string, w *Observed) *planner {
	n := &planner{w: w, stack: stack, keep: map[string]bool{}}
	n.p = &Plan{Stack: stack, Identity: w.Identity, world: w, ids: map[string]string{}, addrs: map[string]string{}, names: map[string]string{}}
	for i := range w.Balancers {
		n.p.names[w.Balancers[i].ARN] = w.Balancers[i].DNSName
	}
	for i := range w.Interfaces {
		if a := w.Interfaces[i].Primary(); a.IsValid() {
			n.p.addrs[w.Interfaces[i].ID] = a.String()
		}
	}
	return n
}

func (n *planner) finish() {
	slices.SortStableFunc(n.p.Changes, func(a, b *Change) int { return cmp.Compare(a.phase, b.phase) })
	sortFindings(n.p.Findings)
}

// add puts a change into the plan.
func (n *planner) add(c *Change) { n.p.Changes = append(n.p.Changes, c) }

// have notes that the resource id stands for key.
func (n *planner) have(k, id string) {
	n.p.ids[k] = id
	n.keep[id] = true
}

// ours tells whether tags are those of the stack, and for key k when it is not empty.
func (n *planner) ours(t Tags, k string) bool {
	return t[TagStack] == n.stack && (k == "" || t[TagKey] == k)
}

// resolve returns the id behind a reference when it is there already, else the reference.
func (n *planner) resolve(ref string) string {
	if len(ref) > 0 && ref[0] == '@' {
		if id := n.p.ids[ref[1:]]; id != "" {
			return id
		}
	}
	return ref
}

// missingTags returns the tags of want that have does not have.
func missingTags(have, want Tags) Tags {
	out := Tags{}
	for k, v := range want {
		if got, ok := have[k]; !ok || got != v {
			out[k] = v
		}
	}
	return out
}

// retag adds the call that sets tags that differ to c.
func retag(c *Change, id string, have, want Tags, isELB bool) {
	miss := missingTags(have, want)
	if len(miss) == 0 {
		return
	}
	for _, k := range sortedTagKeys(miss) {
		c.Detail = append(c.Detail, "tag "+k+": "+quoteOld(have, k)+" -> "+miss[k])
	}
	if isELB {
		c.Steps = append(c.Steps, Step{Call: SetBalancerTags{Resource: id, Tags: miss}})
	} else {
		c.Steps = append(c.Steps, Step{Call: SetTags{Resource: id, Tags: miss}})
	}
}

func quoteOld(t Tags, k string) string {
	if v, ok := t[k]; ok {
		return v
	}
	return "(none)"
}

func sortedTagKeys(t Tags) []string {
	var out []string
	for k := range t {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// best returns the index of the candidate with the highest score, the first of equals; -1
// when there is none with a score of 0 or more.
func best[T any](list []T, score func(*T) int) int {
	at, top := -1, -1
	for i := range list {
		if s := score(&list[i]); s > top {
			at, top = i, s
		}
	}
	return at
}

// sessionsOfTarget counts the sessions that use a target or a filter.
func sessionsUsing(w *Observed, id string) int {
	n := 0
	for i := range w.Sessions {
		if w.Sessions[i].TargetID == id || w.Sessions[i].FilterID == id {
			n++
		}
	}
	return n
}

// The kinds of resources, for people.
const (
	kindGroup     = "security group"
	kindInterface = "traffic interface"
	kindNLB       = "network load balancer"
	kindGWLB      = "gateway load balancer"
	kindTargets   = "target group"
	kindListener  = "listener"
	kindService   = "endpoint service"
	kindEndpoint  = "endpoint"
	kindTarget    = "traffic mirror target"
	kindFilter    = "traffic mirror filter"
	kindSession   = "traffic mirror session"
)

// sameRule tells whether two rules are equal but for their ids and tags.
func sameRule(a, b *mirror.FilterRule) bool {
	ports := func(x, y *mirror.PortRange) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return a.Action == b.Action && a.Protocol == b.Protocol && a.SourceCIDR == b.SourceCIDR && a.DestinationCIDR == b.DestinationCIDR &&
		ports(a.SourcePorts, b.SourcePorts) && ports(a.DestinationPorts, b.DestinationPorts) && a.Description == b.Description
}
