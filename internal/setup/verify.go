package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mirador/internal/mirror"
)

// Hop is a place on the way from a source to the engine where packets can be lost.
type Hop string

// The hops, in the order of the way.
const (
	HopSession  Hop = "session"  // there is none, or it is not as described
	HopSource   Hop = "source"   // the interface cannot be mirrored, or sends nothing
	HopRule     Hop = "rule"     // the filter takes nothing
	HopRoute    Hop = "route"    // from the subnet of the source to the target
	HopACL      Hop = "acl"      // network ACLs on the way
	HopTarget   Hop = "target"   // what the session sends to is not there or not in use
	HopListener Hop = "listener" // the load balancer does not take UDP 4789
	HopHealth   Hop = "health"   // it holds no sensor for healthy
	HopGroup    Hop = "group"    // the security group of the traffic interface
	HopMTU      Hop = "mtu"      // packets arrive cut
	HopKernel   Hop = "kernel"   // of the sensor
	HopEngine   Hop = "engine"   // of the sensor
	HopSensor   Hop = "sensor"   // all of AWS lets packets through, and the sensor does not see them
)

// VerdictState is how a session does.
type VerdictState string

// The states of sessions.
const (
	StateOK        VerdictState = "ok"        // the sensor sees what was sent
	StateClear     VerdictState = "clear"     // nothing on the way stops packets; no sensor was asked
	StateSilent    VerdictState = "silent"    // nothing was sent, as far as anybody knows
	StateTruncated VerdictState = "truncated" // packets arrive, but cut
	StateLost      VerdictState = "lost"      // packets do not arrive, or too few
)

// Traffic is what CloudWatch says about an instance over a time, all of its interfaces
// together: there is nothing finer. Packets are known with basic monitoring only.
type Traffic struct {
	In          float64 `json:"networkIn"` // bytes
	Out         float64 `json:"networkOut"`
	Mirror      float64 `json:"mirrorBytes"` // both directions
	MirrorPkts  float64 `json:"mirrorPackets"`
	Skip        float64 `json:"skipBytes"` // met a filter and gave way to production traffic
	SkipPkts    float64 `json:"skipPackets"`
	KnowsMirror bool    `json:"knowsMirror"` // there were values for mirrored bytes or packets
	KnowsPkts   bool    `json:"knowsPackets"`
	KnowsTotal  bool    `json:"knowsTotal"` // and for all traffic
}

// Metrics tells what was sent.
type Metrics interface {
	// MirrorTraffic returns the traffic of instances from start to end; those that nothing is
	// known of are absent.
	MirrorTraffic(ctx context.Context, instances []string, start, end time.Time) (map[string]Traffic, error)
}

// Sample is the statistics of a sensor at one moment, and at an earlier one when there
// is one.
type Sample struct {
	Name        string
	Now, Before *SensorStats // Before may be nil
	Probed      *SensorStats // just before probes were sent; nil: none were
}

// VerifyOptions say what to compare with.
type VerifyOptions struct {
	Metrics    Metrics // nil: nobody is asked what was sent
	Start, End time.Time
	Sensors    []Sample
	// Probe, when not nil, sends probe packets to what sessions send to, and looks at the sensors
	// again: what it returns takes the place of Sensors.
	Probe     func(ctx context.Context, to []ProbeTarget) ([]ProbeSent, []Sample, error)
	Probes    []ProbeSent // sent before, by a source
	Tolerance float64     // share of packets that may be missing; both sides count over slightly different times
}

// Seen is what the sensors saw of a session.
type Seen struct {
	Packets   uint64    `json:"packets"`
	Bytes     uint64    `json:"bytes"`
	Truncated uint64    `json:"truncated"`
	Last      time.Time `json:"last,omitzero"`
}

// Verdict is what verify found about one session.
type Verdict struct {
	Session   string       `json:"session"` // empty: there is none
	Name      string       `json:"name"`
	Interface string       `json:"interface"`
	Instance  string       `json:"instance,omitempty"`
	Source    string       `json:"source"`
	Target    string       `json:"target,omitempty"`
	State     VerdictState `json:"state"`
	Hop       Hop          `json:"hop,omitempty"` // where packets are lost
	Text      string       `json:"text,omitempty"`
	Remedy    string       `json:"remedy,omitempty"`
	Sent      *Traffic     `json:"sent,omitempty"`   // of the instance
	Shared    int          `json:"shared,omitempty"` // how many sessions of the instance share Sent
	Seen      *Seen        `json:"seen,omitempty"`
	Loss      *float64     `json:"loss,omitempty"` // share, of all sessions of the instance
	Findings  []Finding    `json:"findings,omitempty"`

	session *mirror.Session
	source  *Source
}

// Verification is the result for a stack.
type Verification struct {
	Stack    string        `json:"stack"`
	Identity Identity      `json:"identity"`
	Start    time.Time     `json:"start,omitzero"` // of what is compared
	End      time.Time     `json:"end,omitzero"`
	Sessions []Verdict     `json:"sessions"`
	Probes   []ProbeResult `json:"probes,omitempty"`
	Findings []Finding     `json:"findings"` // that are not of one session
}

// Worst returns the worst level of all.
func (v *Verification) Worst() Level {
	list := slices.Clone(v.Findings)
	for i := range v.Probes {
		if v.Probes[i].State == StateLost {
			return Error
		}
	}
	for i := range v.Sessions {
		list = append(list, v.Sessions[i].Findings...)
	}
	return Worst(list)
}

type verifier struct {
	c      Cloud
	o      VerifyOptions
	s      *Spec
	w      *Observed
	d      *Desired
	out    *Verification
	health map[string][]TargetHealth // by target group
	filter map[string]*mirror.Filter
	target map[string]*mirror.Target
}

// Verify judges every session that s wants or that carries its tag: whether it is there
// and as described, whether anything on its way stops packets, and, with sensors to ask,
// whether what was sent arrives. The error is one of looking.
func Verify(ctx context.Context, c Cloud, s *Spec, o VerifyOptions) (*Verification, error) {
	w, err := Observe(ctx, c, ObserveOptions{Stack: s.Name, Spec: s, Path: true})
	if err != nil {
		return nil, err
	}
	v := &verifier{c: c, o: o, s: s, w: w, health: map[string][]TargetHealth{}, filter: map[string]*mirror.Filter{}, target: map[string]*mirror.Target{},
		out: &Verification{Stack: s.Name, Identity: w.Identity, Start: o.Start, End: o.End, Sessions: []Verdict{}, Findings: []Finding{}}}
	for i := range w.Filters {
		v.filter[w.Filters[i].ID] = &w.Filters[i]
	}
	for i := range w.Targets {
		v.target[w.Targets[i].ID] = &w.Targets[i]
	}
	p := v.plan()
	v.rows()
	if err := v.lookMore(ctx); err != nil {
		return nil, err
	}
	for i := range v.out.Sessions {
		x := &v.out.Sessions[i]
		v.present(x, p)
		if x.session != nil {
			v.rule(x)
			v.way(x)
		}
	}
	if err := v.traffic(ctx); err != nil {
		return nil, err
	}
	if err := v.probe(ctx); err != nil {
		return nil, err
	}
	v.sensors()
	v.probed()
	for i := range v.out.Sessions {
		v.conclude(&v.out.Sessions[i])
	}
	sortFindings(v.out.Findings)
	return v.out, nil
}

// plan works out what would change. A description that cannot be fulfilled is a finding; the
// sessions that are there are judged all the same.
func (v *verifier) plan() *Plan {
	p, err := NewPlan(v.s, v.w, nil)
	if err == nil {
		v.d = p.Desired
		return p
	}
	for _, e := range splitErrors(err) {
		f := Finding{Level: Error, Code: "description", Subject: v.s.Name, Text: e.Error(), Remedy: "mirador aws preflight tells more"}
		var le *LimitError
		if errors.As(e, &le) {
			f.Remedy = le.Hint
		}
		v.out.Findings = append(v.out.Findings, f)
	}
	v.d = &Desired{Spec: v.s, Sources: v.s.Judge(v.w)}
	return nil
}

// rows makes a row for each session of the stack and each source without one.
func (v *verifier) rows() {
	sources := map[string]*Source{}
	for i := range v.d.Sources {
		sources[v.d.Sources[i].Interface.ID] = &v.d.Sources[i]
	}
	done := map[string]bool{}
	for i := range v.w.Sessions {
		x := &v.w.Sessions[i]
		t := tagsOf(x.Tags)
		if t[TagStack] != v.s.Name {
			continue
		}
		r := Verdict{Session: x.ID, Name: t[tagName], Interface: x.NetworkInterfaceID, Source: x.NetworkInterfaceID, Target: x.TargetID, session: x, source: sources[x.NetworkInterfaceID]}
		done[x.NetworkInterfaceID] = true
		v.out.Sessions = append(v.out.Sessions, r)
	}
	for _, x := range v.d.picked(Selected, Full) {
		if !done[x.Interface.ID] {
			v.out.Sessions = append(v.out.Sessions, Verdict{Interface: x.Interface.ID, source: x})
		}
	}
	for i := range v.out.Sessions {
		r := &v.out.Sessions[i]
		if r.source != nil {
			r.Source, r.Instance = r.source.Name(), r.source.InstanceID()
		}
	}
	slices.SortStableFunc(v.out.Sessions, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.Session, b.Session))
	})
}

// lookMore reads what is not of the stack and yet on the way: listeners of the load
// balancers that sessions lead to, and the health of their targets.
func (v *verifier) lookMore(ctx context.Context) error {
	seen := map[string]bool{}
	for i := range v.out.Sessions {
		x := v.out.Sessions[i].session
		if x == nil || v.target[x.TargetID] == nil {
			continue
		}
		b := v.balancerOf(v.target[x.TargetID])
		if b == nil || seen[b.ARN] {
			continue
		}
		seen[b.ARN] = true
		if b.Tags[TagStack] != v.s.Name {
			list, err := v.c.Listeners(ctx, b.ARN)
			if err != nil {
				return err
			}
			v.w.Listeners = append(v.w.Listeners, list...)
			if b.Attributes, err = v.c.BalancerAttributes(ctx, b.ARN); err != nil {
				return err
			}
		}
		for j := range v.w.Listeners {
			l := &v.w.Listeners[j]
			if l.Balancer != b.ARN || l.TargetGroup == "" || v.health[l.TargetGroup] != nil {
				continue
			}
			list, err := v.c.TargetHealth(ctx, l.TargetGroup)
			if err != nil {
				return err
			}
			v.health[l.TargetGroup] = append([]TargetHealth{}, list...)
		}
	}
	return nil
}

// note adds a finding about a session, with the hop as its code.
func (r *Verdict) note(l Level, h Hop, text, remedy string) {
	r.Findings = append(r.Findings, Finding{Level: l, Code: string(h), Subject: or(r.Session, r.Interface), Text: text, Remedy: remedy, Doc: docOf(string(h))})
}

// present judges the session itself and its source.
func (v *verifier) present(r *Verdict, p *Plan) {
	const apply = "mirador aws apply"
	switch {
	case r.session == nil && r.source.Standing == Full:
		r.note(Error, HopSession, "there is no session: the interface "+r.source.Why, "delete a session that is not needed, or exclude the interface")
		return
	case r.session == nil:
		r.note(Error, HopSession, "there is no session for this interface, and the description wants one", apply+" makes it")
		return
	case v.w.Interface(r.Interface) == nil:
		r.note(Error, HopSource, "the source "+r.Interface+" does not exist any more", apply+" takes the session away")
		return
	}
	if p != nil {
		for _, c := range p.Changes {
			if c.ID == r.Session && c.Mark == Update {
				r.note(Warning, HopSession, "differs from the description: "+strings.Join(c.Detail, "; "), apply+" changes it back")
			}
			if c.ID == r.Session && c.Mark == Delete {
				r.note(Warning, HopSession, c.Why, apply+" takes it away")
			}
		}
	}
	if i := r.source.Instance; i != nil {
		if s, why := mirror.SourceSupport(i.Type); s == mirror.Unsupported {
			r.note(Error, HopSource, "AWS does not mirror "+i.Type+": "+why, "the software mirror can: mirador aws plan --as user-data")
		}
		if i.State != StateRunning {
			r.note(Warning, HopSource, "its instance is "+i.State+", and the session costs as much as others", "start it, or mirador aws apply without sources.stopped")
		}
	}
	for i := range v.w.Sessions {
		o := &v.w.Sessions[i]
		if o.NetworkInterfaceID == r.Interface && o.ID != r.Session && o.Number < r.session.Number {
			r.note(Warning, HopSession, fmt.Sprintf("session %s has the lower number %d: what its filter takes does not come here", o.ID, o.Number), "give ours a lower session.number, or delete "+o.ID)
		}
	}
}

// rule judges whether the filter takes anything.
func (v *verifier) rule(r *Verdict) {
	f := v.filter[r.session.FilterID]
	if f == nil {
		r.note(Error, HopRule, "its filter "+r.session.FilterID+" is not in this account", "mirador aws apply gives it one")
		return
	}
	dead := map[string]bool{}
	for _, pair := range mirror.Shadowed(f.Rules) {
		if pair[1].Action == mirror.Reject {
			dead[pair[0].ID] = true
		}
	}
	live := map[mirror.Direction]bool{}
	accepts := 0
	for i := range f.Rules {
		x := &f.Rules[i]
		if x.Action != mirror.Accept {
			continue
		}
		accepts++
		if !dead[x.ID] {
			live[x.Direction] = true
		}
	}
	why := "has no rule that accepts"
	if accepts > 0 {
		why = "rejects all, with lower numbers, that its rules accept"
	}
	const remedy = "mirador aws apply sets the rules of the description; mirador filter explain shows what a filter does"
	switch {
	case len(live) == 0 && len(f.NetworkServices) == 0:
		r.note(Error, HopRule, "filter "+f.ID+" "+why, remedy)
	case len(live) == 0:
		r.note(Error, HopRule, "filter "+f.ID+" "+why+": only traffic of the Amazon resolver is mirrored", remedy)
	case len(live) == 1:
		d := mirror.Ingress
		if live[d] {
			d = mirror.Egress
		}
		r.note(Warning, HopRule, fmt.Sprintf("filter %s accepts no %s traffic: the sensor sees half of each connection", f.ID, d), remedy)
	}
}

// addrOf returns the primary address of an interface, or the zero Addr.
func (w *Observed) addrOf(id string) netip.Addr {
	if e := w.Interface(id); e != nil {
		return e.Primary()
	}
	return netip.Addr{}
}
