package setup_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// byHand makes mirroring as somebody at a console does: a target on a second interface of the
// first sensor, a filter, and a session for each source. It returns the target and filter.
func (w *world) byHand() (target, filter string) {
	w.t.Helper()
	ctx := w.t.Context()
	eni, err := w.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &w.subnets[0]})
	w.ok(err)
	_, err = w.ec2.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: eni.NetworkInterface.NetworkInterfaceId, InstanceId: &w.sensors[0], DeviceIndex: aws.Int32(1)})
	w.ok(err)
	tgt, err := w.ec2.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: eni.NetworkInterface.NetworkInterfaceId, Description: aws.String("by: hand")})
	w.ok(err)
	flt, err := w.ec2.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{Description: aws.String("all but \"backup\"")})
	w.ok(err)
	target, filter = *tgt.TrafficMirrorTarget.TrafficMirrorTargetId, *flt.TrafficMirrorFilter.TrafficMirrorFilterId
	rule := func(d types.TrafficDirection, n int32, a types.TrafficMirrorRuleAction, proto, port int32, src, dst string) {
		in := &ec2.CreateTrafficMirrorFilterRuleInput{TrafficMirrorFilterId: &filter, TrafficDirection: d, RuleNumber: &n, RuleAction: a, SourceCidrBlock: &src, DestinationCidrBlock: &dst}
		if proto > 0 {
			in.Protocol = &proto
			in.DestinationPortRange = &types.TrafficMirrorPortRangeRequest{FromPort: &port, ToPort: &port}
		}
		_, err := w.ec2.CreateTrafficMirrorFilterRule(ctx, in)
		w.ok(err)
	}
	rule("egress", 5, "reject", 6, 873, "0.0.0.0/0", "10.0.16.0/20")
	rule("egress", 77, "accept", 0, 0, "0.0.0.0/0", "0.0.0.0/0")
	rule("ingress", 3, "accept", 0, 0, "::/0", "::/0")
	rule("ingress", 100, "accept", 17, 53, "0.0.0.0/0", "10.0.0.0/16")
	for _, id := range w.sourceIf {
		_, err := w.ec2.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &id, TrafficMirrorTargetId: &target, TrafficMirrorFilterId: &filter,
			SessionNumber: aws.Int32(7), VirtualNetworkId: aws.Int32(4711), PacketLength: aws.Int32(200), Description: aws.String("look")})
		w.ok(err)
	}
	return target, filter
}

// TestImport describes what was made by hand, makes it part of a stack, and then nothing
// has to be made, replaced or deleted.
func TestImport(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	if _, err := setup.Import(t.Context(), w.client(), w.observe(nil), setup.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "no traffic mirror sessions") {
		t.Errorf("of nothing: %v", err)
	}
	target, filter := w.byHand()
	// One more session that has another filter.
	other, err := w.ec2.CreateTrafficMirrorFilter(t.Context(), &ec2.CreateTrafficMirrorFilterInput{})
	w.ok(err)
	odd, err := w.ec2.CreateTrafficMirrorSession(t.Context(), &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &w.sourceIf[0], TrafficMirrorTargetId: &target,
		TrafficMirrorFilterId: other.TrafficMirrorFilter.TrafficMirrorFilterId, SessionNumber: aws.Int32(9)})
	w.ok(err)
	x, err := setup.Import(t.Context(), w.client(), w.observe(nil), setup.ImportOptions{Name: "prod"})
	w.ok(err)
	if len(x.Left) != 1 || x.Left[0].Subject != *odd.TrafficMirrorSession.TrafficMirrorSessionId {
		t.Errorf("left out: %+v", x.Left)
	}
	for _, c := range x.Adopt {
		_, err := w.client().Do(t.Context(), c)
		w.ok(err)
	}
	s, err := setup.ParseSpec([]byte(x.Spec), "mirror.yaml")
	w.ok(err)
	p := w.plan(s)
	for _, c := range p.Changes {
		if c.Mark != setup.Update {
			t.Errorf("%s %s %s: %s %v", c.Mark, c.Kind, c.ID, c.Why, c.Detail)
		}
		for _, d := range c.Detail { // what is left to do is names
			if !strings.Contains(d, "tag") {
				t.Errorf("%s %s: %s", c.Kind, c.ID, d)
			}
		}
	}
	out := setup.Apply(t.Context(), w.client(), p, setup.ApplyOptions{Run: "import", Pause: w.clock.pause})
	w.ok(out.Err())
	w.settled(s)
	o := w.observe(s)
	if len(o.Sessions) != 4 || len(o.Targets) != 1 || len(o.Filters) != 2 {
		t.Errorf("%d sessions, %d targets, %d filters", len(o.Sessions), len(o.Targets), len(o.Filters))
	}
	for i := range o.Sessions {
		if y := &o.Sessions[i]; y.FilterID == filter && (y.VNI != 4711 || y.Number != 7 || y.PacketLength != 200 || y.Description != "look") {
			t.Errorf("%+v", y)
		}
	}
	var b strings.Builder
	w.ok(x.WriteAdopt(&b, "--region us-east-1"))
	if !strings.Contains(b.String(), "aws --region us-east-1 ec2 create-tags --resources "+filter) {
		t.Errorf("commands:\n%s", &b)
	}
	if _, err := setup.Import(t.Context(), w.client(), w.observe(nil), setup.ImportOptions{Filter: filter}); err == nil {
		t.Error("what is of a stack was imported again")
	}
}

// TestImportBalancer imports what apply has made for a load balancer, without its tags.
func TestImportBalancer(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	w.apply(w.spec(balanced))
	o := w.observe(nil)
	for i := range o.Sessions {
		o.Sessions[i].Tags = nil
	}
	x, err := setup.Import(t.Context(), w.client(), o, setup.ImportOptions{})
	w.ok(err)
	s, err := setup.ParseSpec([]byte(x.Spec), "mirror.yaml")
	w.ok(err)
	if s.Target.Kind != setup.TargetNLB || len(s.Sensors) != 2 || s.Sensors[0].Interface == "" || s.Session.PacketLength != 0 {
		t.Errorf("%s", x.Spec)
	}
}
