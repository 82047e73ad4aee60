package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// Preflight checks, before anything is made, what could stand in the way of spec: the
// caller, its permissions (by dry run), quotas, sensors, sources and the network path
// from each subnet with sources to each target. The error is one of looking; what is
// found is a Finding.
func Preflight(ctx context.Context, c Cloud, s *Spec) ([]Finding, error) {
	w, err := Observe(ctx, c, ObserveOptions{Stack: s.Name, Spec: s, Path: true})
	if err != nil {
		return nil, err
	}
	f := &preflight{s: s, w: w}
	f.add(OK, "identity", w.Identity.ARN, "account "+w.Identity.Account+" in "+w.Identity.Region, "")
	d, err := NewDesired(s, w)
	if err != nil {
		for _, e := range splitErrors(err) {
			var le *LimitError
			remedy := ""
			code := "description"
			if errors.As(e, &le) {
				code, remedy = "quota", le.Hint
			}
			f.add(Error, code, s.Name, e.Error(), remedy)
		}
	}
	f.d = d
	if err := f.permissions(ctx, c); err != nil {
		return nil, err
	}
	f.quotas()
	f.sensors()
	f.sources()
	f.paths()
	f.mtu()
	f.list = append(f.list, d.Findings...)
	sortFindings(f.list)
	return f.list, nil
}

// splitErrors takes joined errors apart.
func splitErrors(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range j.Unwrap() {
			out = append(out, splitErrors(e)...)
		}
		return out
	}
	return []error{err}
}

// Worst returns the worst level among findings.
func Worst(list []Finding) Level {
	worst := OK
	for _, f := range list {
		if f.Level == Error || f.Level == Warning && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

type preflight struct {
	s    *Spec
	w    *Observed
	d    *Desired
	list []Finding
}

func (f *preflight) add(l Level, code, subject, text, remedy string) {
	f.list = append(f.list, Finding{Level: l, Code: code, Subject: subject, Text: text, Remedy: remedy, Doc: docOf(code)})
}

// Ids of the right form that nothing has: for dry runs of calls whose object is still to be
// made.
const (
	noInterface  = "eni-00000000000000000"
	noAttachment = "eni-attach-00000000000000000"
	noInstance   = "i-00000000000000000"
	noGroup      = "sg-00000000000000000"
	noTarget     = "tmt-00000000000000000"
	noFilter     = "tmf-00000000000000000"
	noRule       = "tmfr-00000000000000000"
	noSession    = "tms-00000000000000000"
	noService    = "vpce-svc-00000000000000000"
	noEndpoint   = "vpce-00000000000000000"
)

// rehearsal returns one call of each action that apply and destroy make for the kind of
// target, with what is there as parameters.
func (f *preflight) rehearsal() []Call {
	vpc, subnet, source, inst := "vpc-00000000000000000", "subnet-00000000000000000", noInterface, noInstance
	have := f.ours()
	id := func(none string) string { return or(have[none], none) }
	for i := range f.d.Seats {
		x := &f.d.Seats[i]
		vpc, subnet = x.VPC, x.Subnet
		if x.Instance != nil {
			inst = x.Instance.ID
		}
	}
	for _, x := range f.d.picked(Selected) {
		source = x.Interface.ID
		break
	}
	any := Permission{Protocol: "udp", From: 4789, To: 4789, CIDR: "192.0.2.0/24"}
	rule := mirror.FilterRule{ID: id(noRule), Direction: mirror.Ingress, Number: 1, Action: mirror.Accept, Protocol: mirror.AnyProtocol,
		SourceCIDR: prefixes(nil, false, false, nil)[0], DestinationCIDR: prefixes(nil, false, false, nil)[0]}
	tags := f.s.tags("preflight", "preflight", nil)
	list := []Call{
		CreateGroup{Name: f.s.groupName() + "-preflight", Description: "preflight", VPC: vpc, Tags: tags},
		Authorize{Group: id(noGroup), Rules: []Permission{any}}, Revoke{Group: id(noGroup), Rules: []Permission{any}}, DeleteGroup{Group: id(noGroup)},
		CreateInterface{Subnet: subnet, Description: "preflight", Tags: tags},
		AttachInterface{Interface: id(noInterface), Instance: inst, Index: 1},
		ModifyInterfaceDescription{Interface: id(noInterface), Description: "preflight"},
		DetachInterface{Attachment: id(noAttachment)}, DeleteInterface{Interface: id(noInterface)},
		CreateTarget{Interface: source, Tags: tags}, DeleteTarget{Target: id(noTarget)},
		CreateFilter{Tags: tags}, ModifyFilterServices{Filter: id(noFilter), Add: []string{mirror.AmazonDNS}}, DeleteFilter{Filter: id(noFilter)},
		CreateRule{Filter: id(noFilter), Rule: rule, Tags: tags}, ModifyRule{Rule: rule}, DeleteRule{Rule: id(noRule)},
		CreateSession{Interface: source, Target: id(noTarget), Filter: id(noFilter), Number: 1, VNI: DefaultVNI, Tags: tags},
		ModifySession{Session: id(noSession), Number: 1}, DeleteSession{Session: id(noSession)},
		SetTags{Resource: source, Tags: tags},
	}
	if f.s.Group.Egress == "none" {
		list = append(list, Revoke{Group: id(noGroup), Egress: true, Rules: allEgress()}, Authorize{Group: id(noGroup), Egress: true, Rules: allEgress()})
	}
	if f.s.kind() == TargetGWLB {
		arn := "arn:aws:elasticloadbalancing:" + f.w.Identity.Region + ":" + f.w.Identity.Account + ":loadbalancer/gwy/preflight/0000000000000000"
		list = append(list, CreateService{Balancer: arn, Tags: tags}, DeleteService{Service: id(noService)},
			CreateEndpoint{VPC: vpc, Subnet: subnet, Service: "com.amazonaws.vpce." + f.w.Identity.Region + "." + id(noService), Tags: tags}, DeleteEndpoint{Endpoint: id(noEndpoint)})
	}
	o := PolicyOptions{Spec: f.s}
	list = slices.DeleteFunc(list, func(c Call) bool { return !o.needed(c) })
	return list
}

// ours returns, for each of the ids that nothing has, one of the stack that has its place.
func (f *preflight) ours() map[string]string {
	out := map[string]string{}
	if len(f.s.Target.Shared) > 0 {
		out[noTarget] = f.s.Target.Shared[0]
	}
	mine := func(none, id string, t Tags) {
		if t[TagStack] == f.s.Name && id != "" {
			out[none] = id
		}
	}
	for i := range f.w.Groups {
		mine(noGroup, f.w.Groups[i].ID, f.w.Groups[i].Tags)
	}
	for i := range f.w.Interfaces {
		e := &f.w.Interfaces[i]
		mine(noInterface, e.ID, e.Tags)
		mine(noAttachment, e.AttachmentID, e.Tags)
	}
	for i := range f.w.Targets {
		mine(noTarget, f.w.Targets[i].ID, tagsOf(f.w.Targets[i].Tags))
	}
	for i := range f.w.Filters {
		x := &f.w.Filters[i]
		mine(noFilter, x.ID, tagsOf(x.Tags))
		if len(x.Rules) > 0 {
			mine(noRule, x.Rules[0].ID, tagsOf(x.Tags))
		}
	}
	for i := range f.w.Sessions {
		mine(noSession, f.w.Sessions[i].ID, tagsOf(f.w.Sessions[i].Tags))
	}
	for i := range f.w.Services {
		mine(noService, f.w.Services[i].ID, f.w.Services[i].Tags)
	}
	for i := range f.w.Endpoints {
		mine(noEndpoint, f.w.Endpoints[i].ID, f.w.Endpoints[i].Tags)
	}
	return out
}

// imaginary tells whether c names something that does not exist: a policy with conditions on
// tags refuses that whoever asks.
func imaginary(c Call) bool { return strings.Contains(fmt.Sprintf("%+v", c), "-00000000000000000") }

// permissions tries every call of EC2 as a dry run. EC2 looks at permissions first, so
// that any other refusal means that the call is allowed.
func (f *preflight) permissions(ctx context.Context, c Cloud) error {
	allowed, unclear := 0, []string{}
	list := f.rehearsal()
	for _, call := range list {
		err := c.DryRun(ctx, call)
		switch KindOf(err) {
		case KindDenied:
			var ce *CloudError
			errors.As(err, &ce)
			if imaginary(call) {
				f.add(Warning, "permission", call.Action().String(), "was refused for something that does not exist yet ("+ce.Code+"): whether it is allowed for what apply makes is seen then",
					ce.Hint+"; a policy with conditions on tags (mirador aws policy) refuses what is not of the stack")
				continue
			}
			f.add(Error, "permission", call.Action().String(), "is not allowed ("+ce.Code+")", ce.Hint)
			continue
		case KindExpired, KindThrottled, KindUnavailable:
			return err
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		allowed++
		if err != nil && KindOf(err) == KindOther {
			unclear = append(unclear, call.Action().Name)
		}
	}
	text := fmt.Sprintf("%d of %d EC2 actions are allowed (dry run)", allowed, len(list))
	level := OK
	if len(unclear) > 0 {
		level, text = Warning, text+"; not clear for "+strings.Join(unclear, ", ")
	}
	if f.s.kind() != TargetENI {
		text += "; Elastic Load Balancing has no dry run"
	}
	if allowed == len(list) {
		f.add(level, "permission", f.w.Identity.ARN, text, "")
	}
	return nil
}

func (f *preflight) quotas() {
	count := func(what string, have, more int) {
		l := OK
		if have+more > mirror.DefaultAccountQuota {
			l = Error
		} else if have+more > mirror.DefaultAccountQuota*9/10 {
			l = Warning
		}
		f.add(l, "quota", what, fmt.Sprintf("%d of %d, %d more wanted", have, mirror.DefaultAccountQuota, more), map[Level]string{Error: "delete what nobody needs: mirador aws coverage shows it"}[l])
	}
	haveS, haveT, haveF := 0, 0, 0
	for i := range f.w.Sessions {
		haveS += b2i(tagsOf(f.w.Sessions[i].Tags)[TagStack] == f.s.Name)
	}
	for i := range f.w.Targets {
		haveT += b2i(tagsOf(f.w.Targets[i].Tags)[TagStack] == f.s.Name)
	}
	for i := range f.w.Filters {
		haveF += b2i(tagsOf(f.w.Filters[i].Tags)[TagStack] == f.s.Name)
	}
	count("sessions", len(f.w.Sessions), max(len(f.d.Sessions)-haveS, 0))
	count("targets", len(f.w.Targets), max(len(f.d.Targets)-haveT, 0))
	count("filters", len(f.w.Filters), max(1-haveF, 0))
	if n := len(f.d.Filter.Rules); n > 0 {
		f.add(OK, "quota", "filter rules", fmt.Sprintf("%d of %d", n, mirror.DefaultRulesPerFilter), "")
	}
	for i := range f.d.Seats {
		s := &f.d.Seats[i]
		if f.s.kind() == TargetENI {
			f.add(OK, "quota", "sources of "+seatName(s), fmt.Sprintf("%d of %d", s.Sources, s.Capacity), "")
		}
	}
}

// sensors checks type, size, bandwidth and slots of each sensor.
func (f *preflight) sensors() {
	wanted := map[string]int{}
	for i := range f.d.Seats {
		s := &f.d.Seats[i]
		if s.Instance == nil {
			continue
		}
		new := 0
		if s.Key != "" {
			e := pickInterface(f.w, f.s.Name, s)
			new = b2i(e == nil || e.InstanceID == "")
		}
		wanted[s.Instance.ID] += new
	}
	sources := len(f.d.Sessions)
	for _, id := range sortedIDs(wanted) {
		i := f.w.Instance(id)
		if i.State != StateRunning {
			f.add(Warning, "sensor-state", id, "is "+i.State, "start it")
		}
		t := f.w.Type(i.Type)
		if t == nil {
			f.add(Warning, "sensor-size", id, "nothing is known of type "+i.Type, "")
			continue
		}
		what := fmt.Sprintf("%s (%s): %d vCPU, %d GiB", id, t.Name, t.VCPUs, t.MemoryMiB>>10)
		if t.VCPUs < minSensorVCPU || t.MemoryMiB < minSensorMiB {
			f.add(Error, "sensor-size", what, fmt.Sprintf("is smaller than m5.xlarge: %d vCPU and %d GiB are needed", minSensorVCPU, minSensorMiB>>10), "stop it, change its type to m5.xlarge or more, and start it")
		} else {
			f.add(OK, "sensor-size", what, "is at least m5.xlarge", "")
		}
		if t.Hypervisor == "xen" {
			f.add(Warning, "sensor-size", id, "is no Nitro instance: it takes fewer packets", "use a type of the Nitro system, such as m5.xlarge")
		}
		if t.BaselineGbps > 0 && sources > 0 {
			share := sources
			if n := len(wanted); n > 0 {
				share = (sources + n - 1) / n
			}
			l, remedy := OK, ""
			if t.BaselineGbps*1000/float64(share) < 50 {
				l, remedy = Warning, "add sensors, use a larger type, or mirror less (filter, packet_length)"
			}
			f.add(l, "bandwidth", id, fmt.Sprintf("%.4g Gbit/s baseline (%.4g peak) for about %d sources: %.0f Mbit/s each; mirrored traffic counts against the sources' bandwidth too", t.BaselineGbps, t.PeakGbps, share, t.BaselineGbps*1000/float64(share)), remedy)
		}
		have := len(f.w.InterfacesOf(id))
		if t.MaxInterfaces > 0 && have+wanted[id] > t.MaxInterfaces {
			f.add(Error, "interface-slot", id, fmt.Sprintf("has %d of %d interfaces, and %d more are wanted", have, t.MaxInterfaces, wanted[id]), "detach one, use a larger type, or name one that is there in sensors[].interface")
		} else if wanted[id] > 0 {
			f.add(OK, "interface-slot", id, fmt.Sprintf("%d of %d interfaces used", have, t.MaxInterfaces), "")
		}
	}
	for i := range f.d.Seats {
		s := &f.d.Seats[i]
		if n := f.w.Subnet(s.Subnet); s.Key != "" && n != nil {
			if n.Free == 0 {
				f.add(Error, "subnet", n.ID, "has no free address for a traffic interface", "name another subnet of "+n.AZ+" in sensors[].subnet")
			}
			f.add(OK, "zone", seatName(s), "traffic interface in "+n.ID+", zone "+n.AZ, "")
		}
	}
}

func sortedIDs(m map[string]int) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// sources checks what is selected.
func (f *preflight) sources() {
	count := map[Standing]int{}
	perInstance := map[string]int{}
	for i := range f.d.Sources {
		x := &f.d.Sources[i]
		count[x.Standing]++
		switch x.Standing {
		case Unsupported:
			code := "source-type"
			if n := f.w.Subnet(x.Interface.Subnet); n != nil && n.OnlyIPv6 {
				code = "subnet-ipv6"
			}
			what := x.Interface.ID
			if x.Instance != nil {
				what = x.Instance.ID + " (" + x.Instance.Type + ") " + what
			}
			f.add(Warning, code, what, "cannot be a source: "+x.Why, "exclude it in sources.exclude; the software mirror can: mirador aws plan --as user-data")
		case Full:
			f.add(Error, "sessions-of-others", x.Interface.ID, x.Why, "delete a session that is not needed, or exclude the interface")
		case Waiting:
			f.add(Warning, "source-state", x.Interface.ID, x.Why, "start it and apply again, or let mirador aws watch do so")
		case Selected:
			perInstance[x.InstanceID()]++
			if x.Warn != "" {
				f.add(Warning, "source-type", x.Interface.ID, x.Warn, "")
			}
		}
	}
	for _, id := range sortedIDs(perInstance) {
		if perInstance[id] > 1 && id != "" {
			f.add(OK, "interfaces", id, fmt.Sprintf("has %d interfaces: all are mirrored", perInstance[id]), "")
		}
	}
	others := map[string]int{}
	for i := range f.w.Sessions {
		if tagsOf(f.w.Sessions[i].Tags)[TagStack] != f.s.Name {
			others[f.w.Sessions[i].NetworkInterfaceID]++
		}
	}
	for i := range f.d.Sources {
		x := &f.d.Sources[i]
		if n := others[x.Interface.ID]; n > 0 && x.Standing == Selected {
			f.add(OK, "sessions-of-others", x.Interface.ID, fmt.Sprintf("has %d of %d sessions already", n, mirror.DefaultSessionsPerInterface), "")
		}
	}
	l := OK
	if count[Selected] == 0 && len(f.s.Sources.Include) > 0 {
		l = Warning
	}
	f.add(l, "sources", f.s.Name, fmt.Sprintf("%d interfaces of %d are selected", count[Selected], len(f.d.Sources)), map[bool]string{true: "mirador aws plan --all tells for each interface why not"}[l == Warning])
}

// mtu tells which packets arrive whole.
func (f *preflight) mtu() {
	switch f.s.kind() {
	case TargetENI:
		f.add(OK, "mtu", "interface targets", fmt.Sprintf("packets up to %d bytes (IPv6: %d) arrive whole, with an MTU of %d at the sensor; longer ones are cut",
			mirror.LargestWhole(mirror.MTUJumbo, false), mirror.LargestWhole(mirror.MTUJumbo, true), mirror.MTUJumbo), "")
	default:
		f.add(OK, "mtu", "load balancer", fmt.Sprintf("packets up to %d bytes (IPv6: %d) arrive whole; longer ones are cut",
			mirror.LargestWhole(mirror.MTULoadBalancer, false), mirror.LargestWhole(mirror.MTULoadBalancer, true)), "")
	}
}
