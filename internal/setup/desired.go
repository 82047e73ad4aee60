package setup

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// Desired is what a spec means in the world that was observed: every resource with its
// key. Fields that name other resources are ids of what is there already, or
// references (see Call).
type Desired struct {
	Spec      *Spec
	Groups    []DesiredGroup
	Seats     []Seat
	Balancer  *DesiredBalancer // nil for target kind eni
	Endpoints []DesiredEndpoint
	Targets   []DesiredTarget
	Filter    DesiredFilter
	Sessions  []DesiredSession
	Sources   []Source // of every interface, by id
	Findings  []Finding
	vpcs      []VPC
}

// DesiredGroup is a security group for traffic interfaces of one VPC.
type DesiredGroup struct {
	Key, Name, Description, VPC string
	Ingress, Egress             []Permission
	Tags                        Tags
}

// Seat is a traffic interface: where mirrored packets arrive.
type Seat struct {
	Key       string // of the interface; empty: it is not ours
	TargetKey string
	Existing  string // id of an interface that is not ours
	Instance  *Instance
	VPC, AZ   string
	Subnet    string
	Group     string // key of its security group
	Capacity  int    // sources that the interface target takes; those of others are taken off
	Sources   int    // that the plan gives it
}

// ref returns what a call names the interface by.
func (s *Seat) ref() string {
	if s.Existing != "" {
		return s.Existing
	}
	return "@" + s.Key
}

// DesiredBalancer is a load balancer with target group and listener and, for gwlb, the
// endpoint service.
type DesiredBalancer struct {
	Kind             string // TargetNLB or TargetGWLB
	Name             string
	Subnets          []string
	VPC              string
	Attributes       Tags
	Health           Health
	GroupAttributes  Tags
	Protocol         string // of the target group: UDP or GENEVE
	Port             int
	Tags, GroupTags  Tags
	ListenerTags     Tags
	ServiceTags      Tags
	CrossZone        bool
	AvailabilityZone []string
}

// DesiredEndpoint is a gateway load balancer endpoint.
type DesiredEndpoint struct {
	Key, TargetKey  string
	VPC, Subnet, AZ string
	Tags            Tags
}

// DesiredTarget is a traffic mirror target; one of the three refs is set.
type DesiredTarget struct {
	Key, Description              string
	Interface, Balancer, Endpoint string
	Existing                      string // id of one that is not ours
	Tags                          Tags
}

// DesiredFilter is the filter of the stack.
type DesiredFilter struct {
	Key, Description string
	Rules            []mirror.FilterRule
	Services         []string
	Tags             Tags
	RuleTags         Tags
}

// DesiredSession is the session of one source.
type DesiredSession struct {
	Key, Name, Description string
	Source                 *Source
	Target                 string // key of the target
	Number                 int
	VNI                    uint32
	PacketLength           int
	Tags                   Tags
}

// NewDesired works out what spec means in w. The error joins all that stands in the
// way; a *LimitError among it is about numbers.
func NewDesired(s *Spec, w *Observed) (*Desired, error) {
	d := &Desired{Spec: s, vpcs: w.VPCs}
	d.Sources = s.Judge(w)
	// The filter is worked out in any case: its numbers are told together with what is
	// wrong with sensors.
	seats, filter := d.seats(w), d.filter(w)
	if err := errors.Join(seats, filter); err != nil {
		return d, err
	}
	for _, f := range []func(*Observed) error{d.groups, d.balancer, d.endpoints, d.targets, d.sessions} {
		if err := f(w); err != nil {
			return d, err // what follows builds on it
		}
	}
	return d, nil
}

// picked returns the sources with one of the standings.
func (d *Desired) picked(standings ...Standing) []*Source {
	var out []*Source
	for i := range d.Sources {
		if slices.Contains(standings, d.Sources[i].Standing) {
			out = append(out, &d.Sources[i])
		}
	}
	return out
}

// seats finds the sensors and their traffic interfaces.
func (d *Desired) seats(w *Observed) error {
	var errs []error
	fail := func(at, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s%s", d.Spec.places.of(at), fmt.Sprintf(format, args...)))
	}
	for i := range d.Spec.Sensors {
		x := &d.Spec.Sensors[i]
		at := fmt.Sprintf("sensors[%d]", i)
		if x.Interface != "" {
			e := w.Interface(x.Interface)
			if e == nil {
				fail(at, "network interface %s does not exist", x.Interface)
				continue
			}
			seat := Seat{Existing: e.ID, TargetKey: key(keyTarget, e.ID), Instance: w.Instance(e.InstanceID), VPC: e.VPC, AZ: e.AZ, Subnet: e.Subnet}
			seat.Capacity = d.capacity(w, &seat, e.ID)
			d.Seats = append(d.Seats, seat)
			continue
		}
		list := x.instances(w)
		if len(list) == 0 && x.Instance != "" {
			fail(at, "instance %s does not exist or is terminated", x.Instance)
		}
		if len(list) == 0 && x.ASG != "" {
			fail(at, "no running instance has the tag %s=%s", tagASG, x.ASG)
		}
		for _, inst := range list {
			subnet := or(x.Subnet, inst.Subnet)
			n := w.Subnet(subnet)
			switch {
			case n == nil:
				fail(at, "subnet %s does not exist", subnet)
				continue
			case n.AZ != inst.AZ && x.ASG == "":
				fail(at, "subnet %s is in zone %s, but sensor %s is in %s: an interface is in the zone of its instance", subnet, n.AZ, inst.ID, inst.AZ)
				continue
			case n.AZ != inst.AZ:
				n = w.Subnet(inst.Subnet)
				if n == nil {
					fail(at, "subnet %s of sensor %s does not exist", inst.Subnet, inst.ID)
					continue
				}
			case n.OnlyIPv6:
				fail(at, "subnet %s has IPv6 only; a target needs an IPv4 address", subnet)
				continue
			}
			for k := range max(x.Interfaces, 1) {
				seat := Seat{
					Key: key(keyInterface, inst.ID, itoa(k+1)), TargetKey: key(keyTarget, inst.ID, itoa(k+1)),
					Instance: inst, VPC: n.VPC, AZ: n.AZ, Subnet: n.ID, Group: key(keyGroup, n.VPC),
				}
				id := ""
				if e := pickInterface(w, d.Spec.Name, &seat); e != nil {
					id = e.ID
				}
				seat.Capacity = d.capacity(w, &seat, id)
				d.Seats = append(d.Seats, seat)
			}
		}
	}
	return errors.Join(errs...)
}

// capacity returns how many sources of ours an interface target takes: what AWS allows
// for the type, without the sources that others send to the interface.
func (d *Desired) capacity(w *Observed, s *Seat, id string) int {
	n := mirror.DefaultSourcesPerTarget
	if s.Instance != nil {
		n = mirror.SourcesPerTarget(s.Instance.Type)
	}
	targets := map[string]bool{}
	for i := range w.Targets {
		if id != "" && w.Targets[i].NetworkInterfaceID == id {
			targets[w.Targets[i].ID] = true
		}
	}
	others := map[string]bool{}
	for i := range w.Sessions {
		if x := &w.Sessions[i]; targets[x.TargetID] && tagsOf(x.Tags)[TagStack] != d.Spec.Name {
			others[x.NetworkInterfaceID] = true
		}
	}
	return max(n-len(others), 0)
}

// groups works out one security group for each VPC that has seats of ours.
func (d *Desired) groups(w *Observed) error {
	s := d.Spec
	vpcs := map[string]bool{}
	for i := range d.Seats {
		if d.Seats[i].Key == "" || vpcs[d.Seats[i].VPC] {
			continue
		}
		vpc := d.Seats[i].VPC
		vpcs[vpc] = true
		g := DesiredGroup{Key: key(keyGroup, vpc), Name: s.groupName(), Description: s.groupDescription(), VPC: vpc}
		g.Tags = s.tags(g.Key, g.Name, s.Group.Tags)
		lb := d.balancerSubnets(w)
		port, peers := 4789, []string(s.Group.Sources)
		why := "mirrored traffic"
		if s.kind() == TargetGWLB {
			port, why = 6081, "mirrored traffic from the gateway load balancer"
			if len(peers) == 0 {
				peers = subnetCIDRs(w, lb)
			}
		}
		if len(peers) == 0 {
			peers = d.sourceCIDRs(w, vpc)
		}
		for _, p := range peers {
			g.Ingress = append(g.Ingress, permission("udp", port, p, why))
		}
		peers = s.Group.Health
		if len(peers) == 0 && s.kind() != TargetENI {
			peers = subnetCIDRs(w, lb)
		}
		for _, p := range peers {
			g.Ingress = append(g.Ingress, permission("tcp", s.healthPort(), p, "health check"))
		}
		if len(g.Ingress) > maxGroupRules {
			return &LimitError{What: "inbound rules of the security group " + g.Name, Need: len(g.Ingress), Have: maxGroupRules, Hint: "name fewer and wider CIDRs in security_group.sources"}
		}
		if s.Group.Egress != "none" {
			g.Egress = []Permission{{Protocol: "-1", From: AnyPort, To: AnyPort, CIDR: "0.0.0.0/0"}}
		}
		d.Groups = append(d.Groups, g)
	}
	return nil
}

func permission(proto string, port int, peer, why string) Permission {
	p := Permission{Protocol: proto, From: port, To: port, Why: why}
	switch {
	case strings.HasPrefix(peer, "sg-"):
		p.Group = peer
	case strings.HasPrefix(peer, "pl-"):
		p.List = peer
	default:
		p.CIDR = peer
	}
	return p
}

// sourceCIDRs returns the narrowest CIDRs that sources send from: their subnets, or when
// those are too many their VPCs. Without sources it is the VPC of the sensors.
func (d *Desired) sourceCIDRs(w *Observed, vpc string) []string {
	subnets, vpcs := map[string]bool{}, map[string]bool{}
	for _, x := range d.picked(Selected, Waiting, Unsupported) {
		subnets[x.Interface.Subnet], vpcs[x.Interface.VPC] = true, true
	}
	var list []netip.Prefix
	for id := range subnets {
		if n := w.Subnet(id); n != nil && n.CIDR.IsValid() {
			list = append(list, n.CIDR)
		}
	}
	list = aggregate(list)
	if len(list) == 0 {
		vpcs = map[string]bool{vpc: true}
	}
	if len(list) == 0 || len(list) > maxGroupRules/2 {
		list = nil
		for id := range vpcs {
			if v := w.VPC(id); v != nil {
				list = append(list, v.CIDRs...)
			}
		}
		list = aggregate(list)
	}
	return texts(list)
}

func texts(list []netip.Prefix) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.String()
	}
	return out
}

func subnetCIDRs(w *Observed, ids []string) []string {
	var list []netip.Prefix
	for _, id := range ids {
		if n := w.Subnet(id); n != nil && n.CIDR.IsValid() {
			list = append(list, n.CIDR)
		}
	}
	return texts(aggregate(list))
}

// balancerSubnets returns the subnets of the load balancer: those of the spec, or those of
// the seats, one in each zone.
func (d *Desired) balancerSubnets(w *Observed) []string {
	if d.Spec.kind() == TargetENI || d.Spec.kind() == TargetShared {
		return nil
	}
	if len(d.Spec.Target.Subnets) > 0 {
		return sorted(d.Spec.Target.Subnets)
	}
	byZone := map[string]string{}
	for i := range d.Seats {
		s := &d.Seats[i]
		if old := byZone[s.AZ]; old == "" || s.Subnet < old {
			byZone[s.AZ] = s.Subnet
		}
	}
	var out []string
	for _, id := range byZone {
		out = append(out, id)
	}
	return sorted(out)
}

func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *Desired) balancer(w *Observed) error {
	s := d.Spec
	kind := s.kind()
	if kind == TargetENI || kind == TargetShared {
		return nil
	}
	b := &DesiredBalancer{Kind: kind, Name: s.balancerName(), Subnets: d.balancerSubnets(w), Health: s.health(), CrossZone: s.Target.CrossZone}
	var errs []error
	zones := map[string]string{}
	for _, id := range b.Subnets {
		n := w.Subnet(id)
		if n == nil {
			errs = append(errs, fmt.Errorf("%ssubnet %s does not exist", s.places.of("target.subnets"), id))
			continue
		}
		if other := zones[n.AZ]; other != "" {
			errs = append(errs, fmt.Errorf("%ssubnets %s and %s are both in zone %s: a load balancer takes one of each", s.places.of("target.subnets"), other, id, n.AZ))
		}
		zones[n.AZ] = id
		if b.VPC != "" && b.VPC != n.VPC {
			errs = append(errs, fmt.Errorf("%sthe subnets of the load balancer are in several VPCs (%s and %s)", s.places.of("target.subnets"), b.VPC, n.VPC))
		}
		b.VPC = n.VPC
		b.AvailabilityZone = append(b.AvailabilityZone, n.AZ)
	}
	for i := range d.Seats {
		if d.Seats[i].VPC != b.VPC && b.VPC != "" {
			errs = append(errs, fmt.Errorf("sensor interface in %s, but the load balancer is in %s", d.Seats[i].VPC, b.VPC))
		}
		if zones[d.Seats[i].AZ] == "" && !b.CrossZone {
			d.note(Warning, "zone-without-balancer", seatName(&d.Seats[i]), "is in zone "+d.Seats[i].AZ+", where the load balancer has no subnet: it gets nothing",
				"add a subnet of that zone to target.subnets, or set target.cross_zone")
		}
	}
	if len(zones) == 1 && kind == TargetNLB {
		d.note(Warning, "one-zone", b.Name, "is in one zone only; when that fails nothing is mirrored", "name subnets of two zones in target.subnets")
	}
	b.Attributes = Tags{"load_balancing.cross_zone.enabled": fmt.Sprint(b.CrossZone)}
	sticky := s.Target.Sticky == nil && kind == TargetNLB || s.Target.Sticky != nil && *s.Target.Sticky
	switch {
	case kind == TargetNLB:
		b.Protocol, b.Port = "UDP", 4789
		b.GroupAttributes = Tags{"stickiness.enabled": fmt.Sprint(sticky), "stickiness.type": "source_ip"}
	default:
		b.Protocol, b.Port = "GENEVE", 6081
		if sticky {
			b.GroupAttributes = Tags{"stickiness.enabled": "true", "stickiness.type": "source_ip_dest_ip"}
		}
	}
	b.Tags = s.tags(keyBalancer, b.Name, s.Target.Tags)
	b.GroupTags = s.tags(keyTargets, b.Name, s.Target.Tags)
	b.ListenerTags = s.tags(keyListener, b.Name, s.Target.Tags)
	b.ServiceTags = s.tags(keyService, b.Name, s.Target.Tags)
	d.Balancer = b
	return errors.Join(errs...)
}

func seatName(s *Seat) string {
	if s.Instance != nil {
		return s.Instance.ID
	}
	return s.Existing
}

// endpoints works out where gateway load balancer endpoints stand: one in each VPC and
// zone that has sources.
func (d *Desired) endpoints(w *Observed) error {
	s := d.Spec
	if s.kind() != TargetGWLB {
		return nil
	}
	var errs []error
	byPlace := map[string]string{}
	for _, id := range s.Target.Endpoints {
		n := w.Subnet(id)
		if n == nil {
			errs = append(errs, fmt.Errorf("%ssubnet %s does not exist", s.places.of("target.endpoint_subnets"), id))
			continue
		}
		byPlace[n.VPC+" "+n.AZ] = id
	}
	if len(s.Target.Endpoints) == 0 {
		for _, x := range d.picked(Selected) {
			n := w.Subnet(x.Interface.Subnet)
			if n == nil || n.OnlyIPv6 {
				continue
			}
			place := n.VPC + " " + n.AZ
			if old := byPlace[place]; old == "" || n.ID < old {
				byPlace[place] = n.ID
			}
		}
		// An endpoint that is there stays where it is, as long as its place has sources.
		for i := range w.Endpoints {
			e := &w.Endpoints[i]
			if e.Tags[TagStack] != s.Name || len(e.Subnets) != 1 {
				continue
			}
			if n := w.Subnet(e.Subnets[0]); n != nil && byPlace[n.VPC+" "+n.AZ] != "" {
				byPlace[n.VPC+" "+n.AZ] = n.ID
			}
		}
	}
	for _, id := range byPlace {
		n := w.Subnet(id)
		k := key(keyEndpoint, id)
		d.Endpoints = append(d.Endpoints, DesiredEndpoint{
			Key: k, TargetKey: key(keyTarget, id), VPC: n.VPC, Subnet: id, AZ: n.AZ, Tags: s.tags(k, s.targetName(), s.Target.Tags),
		})
	}
	slices.SortFunc(d.Endpoints, func(a, b DesiredEndpoint) int { return cmp.Compare(a.Key, b.Key) })
	return errors.Join(errs...)
}

func (d *Desired) targets(w *Observed) error {
	s := d.Spec
	if s.kind() == TargetShared {
		return d.shared(w)
	}
	add := func(t DesiredTarget) {
		t.Description = s.targetDescription()
		t.Tags = s.tags(t.Key, s.targetName(), s.Target.Tags)
		d.Targets = append(d.Targets, t)
	}
	switch s.kind() {
	case TargetNLB:
		add(DesiredTarget{Key: key(keyTarget, TargetNLB), Balancer: "@" + keyBalancer})
	case TargetGWLB:
		for i := range d.Endpoints {
			add(DesiredTarget{Key: d.Endpoints[i].TargetKey, Endpoint: "@" + d.Endpoints[i].Key})
		}
	default:
		for i := range d.Seats {
			add(DesiredTarget{Key: d.Seats[i].TargetKey, Interface: d.Seats[i].ref()})
		}
	}
	return nil
}

// shared takes targets that are there, which may be of another account.
func (d *Desired) shared(w *Observed) error {
	var errs []error
	for _, id := range sorted(d.Spec.Target.Shared) {
		i := slices.IndexFunc(w.Targets, func(t mirror.Target) bool { return t.ID == id })
		if i < 0 {
			errs = append(errs, fmt.Errorf("%starget %s is not in this account and not shared with it: accept the resource share (aws ram accept-resource-share-invitation)", d.Spec.places.of("target.targets"), id))
			continue
		}
		d.Targets = append(d.Targets, DesiredTarget{Key: key(keyTarget, id), Existing: id})
	}
	return errors.Join(errs...)
}

func (d *Desired) filter(w *Observed) error {
	s := d.Spec
	vpcs := map[string]bool{}
	for _, x := range d.picked(Selected, Waiting) {
		vpcs[x.Interface.VPC] = true
	}
	for i := range d.Seats {
		if len(vpcs) == 0 {
			vpcs[d.Seats[i].VPC] = true
		}
	}
	var ids []string
	for id := range vpcs {
		ids = append(ids, id)
	}
	rules, err := CompileFilter(&s.Filter, w.vpcCIDRs(sorted(ids)))
	if err != nil {
		return err
	}
	for _, p := range mirror.Shadowed(rules) {
		d.note(Warning, "shadowed-rule", mirror.RuleText(&p[0]), "never matches: "+mirror.RuleText(&p[1])+" takes it all before", "remove it, or give it a lower number")
	}
	d.Filter = DesiredFilter{Key: keyFilter, Description: s.filterDescription(), Rules: rules, Services: sorted(s.Filter.services())}
	d.Filter.Tags = s.tags(keyFilter, s.filterName(), s.Filter.Tags)
	d.Filter.RuleTags = s.Filter.Tags
	return nil
}

// ruleTags returns the tags of one rule.
func (d *Desired) ruleTags(r *mirror.FilterRule) Tags {
	k := key(keyRule, r.Direction.String(), itoa(r.Number))
	return d.Spec.tags(k, d.Spec.filterName()+" "+r.Direction.String()+" "+itoa(r.Number), d.Filter.RuleTags)
}

// sessions works out one session for each selected source.
func (d *Desired) sessions(w *Observed) error {
	s := d.Spec
	others := map[string][]*mirror.Session{}
	have := map[string]*mirror.Session{}
	vnis := map[uint32]int{}
	for i := range w.Sessions {
		x := &w.Sessions[i]
		vnis[x.VNI]++
		t := tagsOf(x.Tags)
		if t[TagStack] != s.Name {
			others[x.NetworkInterfaceID] = append(others[x.NetworkInterfaceID], x)
			continue
		}
		if have[x.NetworkInterfaceID] == nil {
			have[x.NetworkInterfaceID] = x
		}
	}
	vni, err := s.vni()
	if err != nil {
		return err
	}
	fixed, err := s.sessionNumber()
	if err != nil {
		return err
	}
	for _, x := range d.picked(Selected) {
		e := x.Interface
		y := DesiredSession{Key: key(keySession, e.ID), Source: x, PacketLength: s.Session.PacketLength}
		used := map[int]*mirror.Session{}
		for _, o := range others[e.ID] {
			used[o.Number] = o
		}
		y.Number = fixed
		switch old := have[e.ID]; {
		case fixed != 0:
		case old != nil && used[old.Number] == nil:
			y.Number = old.Number
		default:
			y.Number = 1
			for used[y.Number] != nil {
				y.Number++
			}
		}
		if o := used[y.Number]; o != nil {
			x.Standing, x.Why = Full, fmt.Sprintf("session number %d is taken by %s of others", y.Number, o.ID)
			continue
		}
		for n, o := range used {
			if n < y.Number {
				d.note(Warning, "lower-session", e.ID, fmt.Sprintf("session %s of others has the lower number %d: what its filter takes does not come to us", o.ID, n), "give ours a lower session.number")
			}
		}
		y.VNI = vni
		if vni == 0 {
			y.VNI = ownVNI(s.Name, e.ID, have[e.ID], vnis)
		}
		fill := strings.NewReplacer("{instance}", or(x.InstanceID(), e.ID), "{name}", x.Name(), "{interface}", e.ID, "{stack}", s.Name)
		y.Name = cut(fill.Replace(or(s.Session.Name, "{instance} {interface}")), mirror.MaxTagValue)
		y.Description = cut(fill.Replace(or(s.Session.Description, "{name} to sensors of {stack}")), mirror.MaxDescription)
		y.Tags = s.tags(y.Key, y.Name, s.Session.Tags)
		d.Sessions = append(d.Sessions, y)
	}
	if n := len(d.Sessions) + len(w.Sessions) - len(have); n > mirror.DefaultAccountQuota {
		return &LimitError{What: "traffic mirror sessions of the account", Need: n, Have: mirror.DefaultAccountQuota, Hint: "select fewer sources, or use the software mirror for some"}
	}
	return d.assign(w, have)
}

// ownVNI keeps the identifier of the session that is there when nobody else has it, or
// chooses one by the interface.
func ownVNI(stack, eni string, old *mirror.Session, used map[uint32]int) uint32 {
	if old != nil && used[old.VNI] == 1 {
		return old.VNI
	}
	h := fnv.New32a()
	h.Write([]byte(stack + " " + eni))
	v := h.Sum32()%mirror.MaxVNI + 1
	for used[v] > 0 {
		v = v%mirror.MaxVNI + 1
	}
	used[v]++
	return v
}

func cut(s string, n int) string {
	r := []rune(s)
	return string(r[:min(len(r), n)])
}
