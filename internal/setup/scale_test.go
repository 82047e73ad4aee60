package setup_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// many starts n instances with so many interfaces each, and a tag.
func (w *world) many(subnet, tag string, n, interfaces int) {
	w.t.Helper()
	in := &ec2.RunInstancesInput{ImageId: aws.String("ami-12345678"), InstanceType: "m5.xlarge", MinCount: aws.Int32(int32(n)), MaxCount: aws.Int32(int32(n)),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: &tag, Value: aws.String("true")}}}}}
	for i := range interfaces {
		in.NetworkInterfaces = append(in.NetworkInterfaces, types.InstanceNetworkInterfaceSpecification{DeviceIndex: aws.Int32(int32(i)), SubnetId: &subnet})
	}
	_, err := w.ec2.RunInstances(w.t.Context(), in)
	w.ok(err)
}

// A plan for 1,000 instances with 2,500 interfaces takes a handful of calls: pages, not
// things, decide how many.
func TestPlanOfThousands(t *testing.T) {
	w := newWorld(t, 0, ec2api.Options{})
	w.many(w.subnets[0], "Mirror", 250, 2)
	w.many(w.subnets[1], "Mirror", 250, 2)
	w.many(w.subnets[0], "Mirror", 250, 3)
	w.many(w.subnets[1], "Mirror", 250, 3)
	s := w.spec(tagged + "target: {kind: nlb}\n")
	c := w.cloud(nil)
	start := time.Now()
	o, err := setup.Observe(t.Context(), c, setup.ObserveOptions{Stack: "prod", Spec: s})
	w.ok(err)
	p, err := setup.NewPlan(s, o, nil)
	w.ok(err)
	took := time.Since(start)
	n, list := c.Calls()
	t.Logf("plan for %d instances, %d interfaces: %v, %d API calls: %v", len(o.Instances), len(o.Interfaces), took, n, list)
	if len(p.Desired.Sessions) != 2500 || len(o.Instances) != 1002 {
		t.Errorf("%d sessions, %d instances", len(p.Desired.Sessions), len(o.Instances))
	}
	// 2 pages of instances, 3 of interfaces, one of each of 12 other kinds, and room for a
	// connection that is lost and made again.
	if n > 20 {
		t.Errorf("%d API calls", n)
	}
}

// An account with more than 5,000 interfaces is read to its last page, and its sessions are
// made and found again.
func TestPagesOfInterfaces(t *testing.T) {
	w := newWorld(t, 0, ec2api.Options{})
	for i := range 5 {
		w.many(w.subnets[i%2], "Other", 250, 4)
	}
	w.many(w.subnets[1], "Mirror", 1, 3)
	s := w.spec(tagged)
	p := w.apply(s)
	o := w.observe(s)
	if len(o.Interfaces) != 5000+3+2+2 || len(o.Sessions) != 3 {
		t.Errorf("%d interfaces, %d sessions", len(o.Interfaces), len(o.Sessions))
	}
	count := map[setup.Standing]int{}
	for i := range p.Desired.Sources {
		count[p.Desired.Sources[i].Standing]++
	}
	if got := fmt.Sprint(count); got != "map[selected:3 sensor:2 unselected:5000]" {
		t.Errorf("standings %s", got)
	}
}

// Sessions by the hundred: made by several at a time, found again page by page, moved and
// taken away.
func TestHundredsOfSessions(t *testing.T) {
	w := newWorld(t, 0, ec2api.Options{})
	w.many(w.subnets[0], "Mirror", 250, 3)
	s := w.spec(tagged + "target: {kind: nlb}\nsession: {vni: unique}\n")
	out := setup.Apply(t.Context(), w.client(), w.plan(s), setup.ApplyOptions{Run: "1", Pause: w.clock.pause, Parallel: 8})
	w.ok(out.Err())
	w.settled(s)
	vnis := map[uint32]bool{}
	for _, x := range w.observe(s).Sessions {
		vnis[x.VNI] = true
	}
	if len(vnis) != 750 {
		t.Errorf("%d different VNIs", len(vnis))
	}
	w.ok(w.destroyOnce(t.Context(), w.client(), s))
	if n := len(w.api.Snapshot().Mirroring.Sessions); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}
