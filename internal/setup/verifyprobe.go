package setup

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// ProbeTarget is where a probe can be sent to: what a mirror target leads to.
type ProbeTarget struct {
	Target string     // tmt-...
	What   string     // the interface or load balancer
	Addr   netip.Addr // of it
	VNI    uint32     // of its sessions
}

// ProbeSent is a probe that was sent.
type ProbeSent struct {
	Token   string
	Target  ProbeTarget // zero: it was sent by a source, and is mirrored
	Packets int         // how many; 0: not known
	// Err tells why it could not be sent.
	Err error
}

// ProbeResult is how far a probe came.
type ProbeResult struct {
	Token   string       `json:"token"`
	Target  string       `json:"target,omitempty"`
	To      string       `json:"to,omitempty"`
	State   VerdictState `json:"state"` // ok or lost
	Hop     Hop          `json:"hop,omitempty"`
	Stages  []string     `json:"stages"` // sent, arrived, decapsulated, attributed, engine: those known to be reached
	Session []string     `json:"sessions,omitempty"`
	Text    string       `json:"text"`
	Remedy  string       `json:"remedy,omitempty"`
}

// The stages of a probe, in the order of its way.
const (
	stageSent         = "sent"
	stageArrived      = "arrived"      // a sensor's socket has it
	stageDecapsulated = "decapsulated" // it is a mirrored packet
	stageAttributed   = "attributed"   // of a session that verify knows
	stageEngine       = "engine"       // it went through flow and detection
)

// probe sends probes to what the sessions of the stack send to.
func (v *verifier) probe(ctx context.Context) error {
	if v.o.Probe == nil {
		return nil
	}
	sent, samples, err := v.o.Probe(ctx, v.probeTargets())
	if err != nil {
		return err
	}
	v.o.Probes = append(v.o.Probes, sent...)
	v.o.Sensors = samples
	return nil
}

// probeTargets returns the addresses behind the targets of the stack's sessions.
func (v *verifier) probeTargets() (out []ProbeTarget) {
	done := map[string]bool{}
	for i := range v.out.Sessions {
		s := v.out.Sessions[i].session
		if s == nil || done[s.TargetID] || v.target[s.TargetID] == nil {
			continue
		}
		t := v.target[s.TargetID]
		done[t.ID] = true
		p := ProbeTarget{Target: t.ID, VNI: s.VNI}
		switch {
		case t.NetworkInterfaceID != "":
			p.What, p.Addr = t.NetworkInterfaceID, v.w.addrOf(t.NetworkInterfaceID)
			if p.Addr.IsValid() {
				out = append(out, p)
			}
		case t.NetworkLoadBalancerARN != "":
			b := v.balancerOf(t)
			if b == nil {
				continue
			}
			for _, n := range b.Subnets {
				if p.What, p.Addr = b.Name+" in "+n, v.nodeAddr(b, n); p.Addr.IsValid() {
					out = append(out, p)
				}
			}
		default:
			v.out.Findings = append(v.out.Findings, Finding{Level: OK, Code: "probe", Subject: t.ID,
				Text: "an endpoint of a gateway load balancer has no address to send to", Remedy: "mirador aws probe on a source, and then verify --probe-token"})
		}
	}
	return out
}

// probed judges each probe by what the sensors noted.
func (v *verifier) probed() {
	for i := range v.o.Probes {
		p := &v.o.Probes[i]
		r := ProbeResult{Token: p.Token, Target: p.Target.Target, State: StateLost, Stages: []string{}}
		if p.Target.Addr.IsValid() {
			r.To = p.Target.Addr.String() + " (" + p.Target.What + ")"
		}
		if p.Err != nil {
			r.Hop, r.Text, r.Remedy = HopSource, "could not be sent: "+p.Err.Error(), "send it from a host that has a route there, or from a source with mirador aws probe"
			v.out.Probes = append(v.out.Probes, r)
			continue
		}
		r.Stages = append(r.Stages, stageSent)
		v.seek(p, &r)
		if r.State != StateOK {
			v.missed(p, &r)
		}
		v.out.Probes = append(v.out.Probes, r)
	}
}

// seek looks for a probe in the accounts of the sources.
func (v *verifier) seek(p *ProbeSent, r *ProbeResult) {
	for n := range v.o.Sensors {
		s := &v.o.Sensors[n]
		for i := range s.Now.Sources {
			x := &s.Now.Sources[i]
			if x.Probe == nil || x.Probe.Token != p.Token {
				continue
			}
			if r.State != StateOK {
				r.State, r.Stages = StateOK, append(r.Stages, stageArrived, stageDecapsulated, stageEngine)
				r.Text = fmt.Sprintf("the engine of %s saw it, from %s with VNI %d", s.Name, x.Outer, x.VNI)
			}
			for j := range v.out.Sessions {
				y := &v.out.Sessions[j]
				if y.session == nil || x.SessionID != y.Session && (x.addr() != v.w.addrOf(y.Interface) || x.VNI != y.session.VNI) {
					continue
				}
				if !slices.Contains(r.Session, y.Session) {
					r.Session = append(r.Session, y.Session)
				}
				if !slices.Contains(r.Stages, stageAttributed) {
					r.Stages = slices.Insert(r.Stages, len(r.Stages)-1, stageAttributed)
				}
			}
		}
	}
}

// missed tells where a probe was lost that no sensor noted, by what the sensors counted since
// it was sent.
func (v *verifier) missed(p *ProbeSent, r *ProbeResult) {
	r.Hop, r.Text = HopSensor, "no sensor noted it"
	if len(v.o.Sensors) == 0 {
		r.Text, r.Remedy = "no sensor was asked", "name the sensors with --sensor"
		return
	}
	received, known := uint64(0), false
	for n := range v.o.Sensors {
		s := &v.o.Sensors[n]
		if s.Probed == nil {
			continue
		}
		known = true
		was, now := s.Probed.Ledger, s.Now.Ledger
		received += less(now.Received, was.Received)
		if d := less(now.Kernel, was.Kernel); d > 0 {
			r.Hop, r.Text, r.Remedy = HopKernel, fmt.Sprintf("the kernel of %s had no room for %d packets since it was sent", s.Name, d), "verify again; raise net.core.rmem_max and the receive buffer"
			return
		}
		drops := map[string]uint64{}
		for _, d := range was.Drops {
			drops[d.Reason] = d.Frames
		}
		for _, d := range now.Drops {
			if k := less(d.Frames, drops[d.Reason]); k > 0 && k >= uint64(p.Packets) {
				r.Stages = append(r.Stages, stageArrived)
				r.Hop, r.Text = HopEngine, fmt.Sprintf("%s dropped %d packets since it was sent: %s", s.Name, k, d.Reason)
				r.Remedy = map[string]string{
					"source_not_allowed": "probes come from this host: add it to allow.sources for the time of the test, or send from a source with mirador aws probe",
					"vni_not_allowed":    "add the VNI of the sessions to allow.vnis",
				}[d.Reason]
				return
			}
		}
	}
	switch {
	case !known || p.Packets == 0:
		r.Remedy = "was it sent by a source with a session, to UDP port " + itoa(mirror.ProbePort) + "? A sensor keeps the last probe of each source"
	case received < uint64(p.Packets):
		r.Text = fmt.Sprintf("%d packets were sent, and the sensors received %d since", p.Packets, received)
		r.Remedy = "from this host to " + p.Target.What + ": routes, network ACLs, the security group (UDP 4789 from here), a listener of the load balancer, a sensor that listens"
	default:
		r.Text = fmt.Sprintf("the sensors received %d packets since it was sent, and it is not among them", received)
		r.Remedy = "verify again"
	}
}

// write writes the result for people.
func (r *ProbeResult) write(w io.Writer) error {
	mark, where := "✓", strings.Join(r.Stages, " > ")
	if r.State != StateOK {
		mark, where = "✗", where+" > lost at "+string(r.Hop)
	}
	to := "sent by a source"
	if r.To != "" {
		to = "to " + r.To
	}
	if len(r.Session) > 0 {
		to += ", of " + strings.Join(r.Session, " ")
	}
	if _, err := fmt.Fprintf(w, "%s probe      %s %s: %s (%s)\n", mark, r.Token, to, oneLine(r.Text), strings.TrimPrefix(where, " > ")); err != nil || r.Remedy == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "      try: %s\n", r.Remedy)
	return err
}
