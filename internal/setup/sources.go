package setup

import (
	"fmt"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// Standing is how an interface stands to mirroring.
type Standing string

// The standings of interfaces.
const (
	Selected    Standing = "selected"    // gets a session
	Excluded    Standing = "excluded"    // the spec says no
	Unselected  Standing = "unselected"  // no selector of the spec means it
	OfSensor    Standing = "sensor"      // belongs to a sensor or is a target; never mirrored
	Unsupported Standing = "unsupported" // AWS cannot mirror it; the software mirror can
	Waiting     Standing = "waiting"     // its instance is not running
	Full        Standing = "full"        // has as many sessions of others as AWS allows
)

// Source is an interface, how it stands and why.
type Source struct {
	Interface *Interface
	Instance  *Instance // nil: not of an instance
	Standing  Standing
	Why       string
	Warn      string // something to know although it is selected
}

// Name returns a name for people.
func (s *Source) Name() string {
	if s.Instance != nil {
		return s.Instance.Name()
	}
	return or(s.Interface.Tags[tagName], s.Interface.ID)
}

// InstanceID returns the instance of the source, or "".
func (s *Source) InstanceID() string {
	if s.Instance == nil {
		return ""
	}
	return s.Instance.ID
}

// Judge tells for every interface how it stands to the spec, by id.
func (s *Spec) Judge(w *Observed) []Source {
	sensors := s.sensorInterfaces(w)
	foreign := map[string]int{}
	ours := map[string]bool{}
	for i := range w.Sessions {
		x := &w.Sessions[i]
		if tagsOf(x.Tags)[TagStack] == s.Name {
			ours[x.NetworkInterfaceID] = true
		} else {
			foreign[x.NetworkInterfaceID]++
		}
	}
	out := make([]Source, 0, len(w.Interfaces))
	for i := range w.Interfaces {
		e := &w.Interfaces[i]
		x := Source{Interface: e, Instance: w.Instance(e.InstanceID)}
		x.Standing, x.Why = s.judge(w, &x, sensors)
		if x.Standing == Selected && foreign[e.ID] >= mirror.DefaultSessionsPerInterface {
			x.Standing, x.Why = Full, fmt.Sprintf("has %d sessions of others, and AWS allows %d", foreign[e.ID], mirror.DefaultSessionsPerInterface)
		}
		if x.Standing == Waiting && ours[e.ID] {
			x.Standing, x.Warn = Selected, x.Why+"; its session stays and costs as much as others"
		}
		out = append(out, x)
	}
	return out
}

// sensorInterfaces returns the interfaces that receive mirrored traffic, with the reason
// why they are no sources.
func (s *Spec) sensorInterfaces(w *Observed) map[string]string {
	out := map[string]string{}
	for _, i := range s.instances(w) {
		for _, e := range w.InterfacesOf(i.ID) {
			out[e.ID] = "is the sensor itself"
		}
	}
	for _, x := range s.Sensors {
		if x.Interface == "" {
			continue
		}
		out[x.Interface] = "is the sensor itself"
		if e := w.Interface(x.Interface); e != nil && e.InstanceID != "" {
			for _, o := range w.InterfacesOf(e.InstanceID) {
				out[o.ID] = "is the sensor itself"
			}
		}
	}
	for i := range w.Targets {
		if id := w.Targets[i].NetworkInterfaceID; id != "" && out[id] == "" {
			out[id] = "is the target " + w.Targets[i].ID + ": an interface cannot be source and target"
		}
	}
	for i := range w.Interfaces {
		if e := &w.Interfaces[i]; e.Tags[TagStack] != "" && keyKind(e.Tags[TagKey]) == keyInterface {
			out[e.ID] = "is a traffic interface of stack " + e.Tags[TagStack]
		}
	}
	return out
}

func (s *Spec) judge(w *Observed, x *Source, sensors map[string]string) (Standing, string) {
	if why := sensors[x.Interface.ID]; why != "" {
		return OfSensor, why
	}
	why, ok := match(s.Sources.Include, x)
	if !ok {
		return Unselected, "no selector of sources.include means it"
	}
	if no, ok := match(s.Sources.Exclude, x); ok {
		return Excluded, or(no, "sources.exclude means it")
	}
	if standing, no := support(w, x); standing != Selected {
		return standing, no
	}
	if x.Instance != nil && x.Instance.State != StateRunning && x.Instance.State != StatePending {
		if x.Instance.Gone() {
			return Unselected, "its instance is " + x.Instance.State
		}
		if !s.Sources.Stopped {
			return Waiting, "its instance is " + x.Instance.State
		}
	}
	if x.Instance == nil {
		if x.Interface.InstanceID == "" && !x.Interface.RequesterManaged {
			return Waiting, "is attached to no instance"
		}
		x.Warn = "belongs to no instance of this account; AWS tells only when the session is made whether it can be mirrored"
	} else if s, why := mirror.SourceSupport(x.Instance.Type); s == mirror.SupportUnknown {
		x.Warn = or(why, "AWS does not say whether "+x.Instance.Type+" can be mirrored; it is tried")
	}
	return Selected, why
}

// support tells whether AWS can mirror x at all.
func support(w *Observed, x *Source) (Standing, string) {
	if x.Interface.Kind != "" && x.Interface.Kind != "interface" && x.Interface.Kind != "efa" && x.Interface.Kind != "branch" {
		return Unsupported, "is a " + strings.ReplaceAll(x.Interface.Kind, "_", " ") + " and not of an instance"
	}
	if n := w.Subnet(x.Interface.Subnet); n != nil && n.OnlyIPv6 {
		return Unsupported, "its subnet has IPv6 only"
	}
	if x.Instance != nil {
		if s, why := mirror.SourceSupport(x.Instance.Type); s == mirror.Unsupported {
			return Unsupported, or(why, "instance type "+x.Instance.Type+" cannot be a source")
		}
	}
	return Selected, ""
}

// match returns the reason of the first selector that means x.
func match(list []Selector, x *Source) (why string, ok bool) {
	for i := range list {
		if list[i].Matches(x) {
			return list[i].Reason, true
		}
	}
	return "", false
}

// Matches tells whether the selector means x: all of its fields hold.
func (q *Selector) Matches(x *Source) bool {
	e := x.Interface
	in := func(list Strings, v string) bool { return len(list) == 0 || v != "" && slices.Contains(list, v) }
	if !in(q.VPC, e.VPC) || !in(q.Subnet, e.Subnet) || !in(q.Interface, e.ID) || !in(q.Instance, e.InstanceID) || !in(q.Zone, e.AZ) {
		return false
	}
	if q.PrimaryENI && e.DeviceIndex != 0 {
		return false
	}
	var inst Tags
	if x.Instance != nil {
		inst = x.Instance.Tags
	}
	if len(q.ASG) > 0 && !in(q.ASG, inst[tagASG]) {
		return false
	}
	for k, want := range q.Tags {
		if !tagHolds(inst, k, want) && !tagHolds(e.Tags, k, want) {
			return false
		}
	}
	return true
}

func tagHolds(t Tags, k, want string) bool {
	v, ok := t[k]
	if !ok {
		return false
	}
	if head, star := strings.CutSuffix(want, "*"); star {
		return strings.HasPrefix(v, head)
	}
	return v == want
}
