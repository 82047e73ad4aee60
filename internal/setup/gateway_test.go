package setup_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// With a gateway load balancer watch gives new instances sessions where an endpoint stands, and
// tells of others as drift, which apply mends; import and drift know its targets.
func TestGateway(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{}) // one source, in zone a
	s := w.spec(gateway)
	w.apply(s)
	x := w.watcher(s, w.client(), nil)
	round := func(created, drift int) {
		t.Helper()
		r := x.Round(t.Context(), "test")
		w.ok(r.Err)
		if len(r.Done) != created || r.Drift != drift || len(r.Alarms) > 0 {
			t.Errorf("made %d, want %d; drift %d, want %d; alarms %v", len(r.Done), created, r.Drift, drift, r.Alarms)
		}
	}
	round(0, 0)
	w.run(w.subnets[0], "m5.large", 1, "same zone", map[string]string{"Mirror": "true"})
	round(1, 0)
	w.run(w.subnets[1], "m5.large", 1, "other zone", map[string]string{"Mirror": "true"})
	round(0, 3) // an endpoint, a target, and the session that needs them
	w.apply(s)
	round(0, 0)
	if n := len(w.sessionsOn()); n != 3 {
		t.Errorf("%d sessions", n)
	}
	if v := w.verify(s, setup.VerifyOptions{}); v.Worst() != setup.OK || len(v.Sessions) != 3 {
		t.Errorf("%+v", v)
	}

	o := w.observe(nil)
	for i := range o.Sessions {
		o.Sessions[i].Tags = nil
	}
	im, err := setup.Import(t.Context(), w.client(), o, setup.ImportOptions{})
	w.ok(err)
	is, err := setup.ParseSpec([]byte(im.Spec), "mirror.yaml")
	w.ok(err)
	if is.Target.Kind != setup.TargetGWLB || len(is.Sensors) != 2 {
		t.Errorf("%s", im.Spec)
	}

	// A connection that waits to be accepted carries nothing.
	_, err = w.ec2.RejectVpcEndpointConnections(t.Context(), &ec2.RejectVpcEndpointConnectionsInput{ServiceId: &o.Services[0].ID, VpcEndpointIds: []string{o.Endpoints[0].ID}})
	w.ok(err)
	w.named(w.verify(s, setup.VerifyOptions{}), 2-b2i(o.Endpoints[0].Subnets[0] == w.subnets[1]), setup.HopTarget, "rejected")
	_, err = w.ec2.AcceptVpcEndpointConnections(t.Context(), &ec2.AcceptVpcEndpointConnectionsInput{ServiceId: &o.Services[0].ID, VpcEndpointIds: []string{o.Endpoints[0].ID}})
	w.ok(err)
	if v := w.verify(s, setup.VerifyOptions{}); v.Worst() != setup.OK {
		t.Errorf("after it was accepted: %+v", v)
	}

	// A listener and an endpoint that somebody deletes come back.
	_, err = w.ec2.DeleteVpcEndpoints(t.Context(), &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{o.Endpoints[0].ID}})
	w.ok(err)
	var kinds []string
	for _, c := range w.plan(s).Changes {
		kinds = append(kinds, string(c.Mark)+" "+c.Kind)
	}
	if !slices.Contains(kinds, "+ endpoint") {
		t.Errorf("plan %v", kinds)
	}
	out := setup.Apply(t.Context(), w.client(), w.plan(s), setup.ApplyOptions{Run: "another", Pause: w.clock.pause})
	w.ok(out.Err())
	w.settled(s)
	if v := w.verify(s, setup.VerifyOptions{}); v.Worst() != setup.OK {
		t.Errorf("after apply: %+v", v)
	}
}
