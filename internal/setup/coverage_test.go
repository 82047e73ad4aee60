package setup_test

import (
	"math"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/setup"
)

func TestCoverage(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	tag := map[string]string{"Mirror": "true"}
	old := w.interfaces(w.run(w.subnets[0], "t2.micro", 1, "old", tag)[0])[0]
	older := w.interfaces(w.run(w.subnets[0], "t2.micro", 1, "older", tag)[0])[0]
	oldest := w.interfaces(w.run(w.subnets[0], "t2.micro", 1, "oldest", nil)[0])[0]
	no := w.interfaces(w.run(w.subnets[0], "m5.large", 1, "no", map[string]string{"Mirror": "true", "role": "backup"})[0])[0]
	other := w.interfaces(w.run(w.subnets[0], "m5.large", 1, "other", nil)[0])[0]
	s := w.spec(tagged + "  exclude:\n    - {tags: {role: backup}, reason: too much}\n")
	w.apply(s)
	late := w.interfaces(w.run(w.subnets[0], "m5.large", 1, "late", tag)[0])[0]
	stopped := w.run(w.subnets[0], "m5.large", 1, "off", tag)[0]
	_, err := w.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{stopped}})
	w.ok(err)
	o := w.observe(s)

	soft := &setup.SoftwareSources{}
	table, err := mirror.ParseSources([]byte("sources:\n  - {vni: 7, session_id: sw-1, eni: "+older+"}\n  - {vni: 9, session_id: tms-0, eni: "+old+"}\n"), "sources.yaml")
	w.ok(err)
	soft.AddTable(table, "sources.yaml")
	stats, err := setup.ParseSensorStats([]byte(`{"ledger":{},"sources":[{"outer":"`+o.Interface(oldest).Primary().String()+`","vni":8,"packets":5},
		{"outer":"`+o.Interface(old).Primary().String()+`","vni":8,"packets":0},{"outer":"others","packets":3}]}`), "stats")
	w.ok(err)
	soft.AddStats(stats, "sensor")
	r, err := setup.DefaultRates("us-east-1")
	w.ok(err)
	c := setup.NewCoverage(s, o, soft, r)

	want := map[string]setup.CoverState{
		old: setup.CoverUnsupported, older: setup.CoverSoftware, oldest: setup.CoverSoftware, no: setup.CoverExcluded, other: setup.CoverUnselected,
		late: setup.CoverMissing, w.interfaces(stopped)[0]: setup.CoverStopped, w.interfaces(w.sensors[0])[0]: setup.CoverSensor,
	}
	for _, id := range w.sourceIf {
		want[id] = setup.CoverAWS
	}
	seen := 0
	for _, v := range c.Interfaces {
		if st, ok := want[v.Interface]; ok {
			seen++
			if v.State != st {
				t.Errorf("%s (%s) is %s (%s), want %s", v.Interface, v.Name, v.State, v.Why, st)
			}
		}
		if v.State == setup.CoverAWS && len(v.Sessions) != 1 || v.Why == "" {
			t.Errorf("%+v", v)
		}
	}
	if seen != len(want) || len(c.Interfaces) != len(o.Interfaces) {
		t.Errorf("%d of %d seen; %d interfaces of %d", seen, len(want), len(c.Interfaces), len(o.Interfaces))
	}
	// Three by AWS and two by software, of all 10 that are no sensors', of which one is
	// excluded and one nobody named.
	if math.Abs(c.Percent-50) > 1e-9 || math.Abs(c.PercentWanted-62.5) > 1e-9 {
		t.Errorf("%.3f %% of all, %.3f %% of wanted", c.Percent, c.PercentWanted)
	}
	if math.Abs(c.Cost.Month-3*r.Session*r.Hours) > 1e-9 || math.Abs(c.MissingCost.Month-r.Session*r.Hours) > 1e-9 {
		t.Errorf("cost %v, missing %v", c.Cost.Month, c.MissingCost.Month)
	}
	var b strings.Builder
	w.ok(c.WriteText(&b, false))
	for _, x := range []string{"unsupported  " + old, "excluded     " + no, "too much", "Mirrored: 50.0 %"} {
		if !strings.Contains(b.String(), x) {
			t.Errorf("no %q in\n%s", x, &b)
		}
	}
	if strings.Contains(b.String(), other) {
		t.Errorf("%s is shown without all", other)
	}
	if c := setup.NewCoverage(setup.AnySpec(), o, nil, nil); c.Count[setup.CoverUnselected]+c.Count[setup.CoverExcluded] != 0 || c.Count[setup.CoverAWS] != 3 {
		t.Errorf("without a description: %v", c.Count)
	}
}

func TestDrift(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	drift := func(allow ...string) *setup.Drift {
		t.Helper()
		d, err := setup.NewDrift(s, w.observe(s), allow)
		w.ok(err)
		return d
	}
	if d := drift(); d.Any() {
		t.Fatalf("drift after apply: %+v", d)
	}
	o := w.observe(s)

	// A stranger's target and session on a source of ours, before ours.
	free := w.interfaces(w.run(w.subnets[0], "m5.large", 1, "thief", nil)[0])[0]
	tgt, err := w.ec2.CreateTrafficMirrorTarget(t.Context(), &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: &free})
	w.ok(err)
	target := *tgt.TrafficMirrorTarget.TrafficMirrorTargetId
	ses, err := w.ec2.CreateTrafficMirrorSession(t.Context(), &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &w.sourceIf[0], TrafficMirrorTargetId: &target,
		TrafficMirrorFilterId: &o.Filters[0].ID, SessionNumber: aws.Int32(30)})
	w.ok(err)
	session := *ses.TrafficMirrorSession.TrafficMirrorSessionId
	d := drift()
	codes := map[string]string{}
	for _, f := range d.Findings {
		codes[f.Subject] = f.Code
		if f.Remedy == "" || f.Level != setup.Warning {
			t.Errorf("%+v", f)
		}
	}
	if !d.Any() || codes[target] != "unmanaged-target" || codes[session] != "unmanaged-session" || len(d.Changes) != 0 {
		t.Errorf("findings %v, changes %v", codes, d.Changes)
	}
	if d := drift(target); d.Any() {
		t.Errorf("allowed, and yet: %+v", d)
	}

	// As another account would see it: the same objects are of others.
	o = w.observe(s)
	o.Identity.Account = "999999999999"
	far, err := setup.NewDrift(s, o, nil)
	w.ok(err)
	if setup.Worst(far.Findings) != setup.Error || far.Findings[0].Code != "foreign-session" && far.Findings[0].Code != "foreign-target" {
		t.Errorf("%+v", far.Findings)
	}
	// A session to a target that this account does not see.
	o = w.observe(s)
	for i := range o.Targets {
		if o.Targets[i].ID == target {
			o.Targets = append(o.Targets[:i], o.Targets[i+1:]...)
			break
		}
	}
	if far, err = setup.NewDrift(s, o, nil); err != nil || len(far.Findings) != 1 || far.Findings[0].Code != "foreign-target" || far.Findings[0].Subject != session {
		t.Errorf("%v %+v", err, far)
	}

	// Ours was changed and deleted.
	mine := o.Sessions[0].ID
	if mine == session {
		mine = o.Sessions[1].ID
	}
	_, err = w.ec2.ModifyTrafficMirrorSession(t.Context(), &ec2.ModifyTrafficMirrorSessionInput{TrafficMirrorSessionId: &mine, PacketLength: aws.Int32(100)})
	w.ok(err)
	_, err = w.ec2.ModifyTrafficMirrorFilterNetworkServices(t.Context(), &ec2.ModifyTrafficMirrorFilterNetworkServicesInput{TrafficMirrorFilterId: &o.Filters[0].ID,
		RemoveNetworkServices: []types.TrafficMirrorNetworkService{"amazon-dns"}})
	w.ok(err)
	if d = drift(target); len(d.Changes) != 2 || !d.Any() {
		t.Errorf("%+v", d.Changes)
	}
	var b strings.Builder
	w.ok(d.WriteText(&b))
	for _, x := range []string{"packet length: 100 -> full", "amazon-dns on", "Drift: 2 differences"} {
		if !strings.Contains(b.String(), x) {
			t.Errorf("no %q in\n%s", x, &b)
		}
	}
}

func TestSensorStatsOfSomethingElse(t *testing.T) {
	for _, text := range []string{"", "[]", "{}", `{"status":"ok"}`, `{"ledger":{},"sources":7}`} {
		if s, err := setup.ParseSensorStats([]byte(text), "x"); err == nil {
			t.Errorf("%q: %+v", text, s)
		}
	}
}
