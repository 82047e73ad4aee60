package setup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/awscloud"
	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// refusing is a line on which a call of some actions is answered with an error, the first
// n times; 0 is always.
type refusing struct {
	status int
	code   string
	n      int
	only   func(action string) bool
	seen   map[string]int
}

func (r *refusing) RoundTrip(q *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	q.Body = io.NopCloser(bytes.NewReader(b))
	name := actionOf(string(b))
	if r.only == nil || r.only(name) {
		if r.seen[name]++; r.n == 0 || r.seen[name] <= r.n {
			text := fmt.Sprintf("<Response><Errors><Error><Code>%s</Code><Message>injected</Message></Error></Errors><RequestID>1</RequestID></Response>", r.code)
			if strings.Contains(string(b), "Version=2015-12-01") || name == "GetCallerIdentity" {
				text = fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>injected</Message></Error><RequestId>1</RequestId></ErrorResponse>", r.code)
			}
			return &http.Response{StatusCode: r.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: q}, nil
		}
	}
	return http.DefaultTransport.RoundTrip(q)
}

func changing(action string) bool {
	return !strings.HasPrefix(action, "Describe") && !strings.HasPrefix(action, "Get")
}

// Throttling and failures of the service, three times at each action, hold nothing up; the
// stack is as if nothing had been.
func TestApplyThroughThrottlingAndFailures(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
	}{{400, "RequestLimitExceeded"}, {400, "Throttling"}, {503, "Unavailable"}, {500, "InternalError"}} {
		t.Run(c.code, func(t *testing.T) {
			w := newWorld(t, 2, ec2api.Options{})
			s := w.spec(tagged + "target: {kind: nlb}\n")
			line := &refusing{status: c.status, code: c.code, n: 3, seen: map[string]int{}}
			w.ok(w.applyOnce(t.Context(), w.cloud(line), s, "", 1))
			w.settled(s)
			if len(line.seen) < 20 {
				t.Errorf("only %d actions were met: %v", len(line.seen), line.seen)
			}
			w.ok(w.destroyOnce(t.Context(), w.cloud(&refusing{status: c.status, code: c.code, n: 3, seen: map[string]int{}}), s))
		})
	}
}

// The rate limit of an account slows a run down and does not break it.
func TestApplyUnderRateLimit(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{Rate: ec2api.Rate{PerSecond: 50, Burst: 60}})
	s := w.spec(tagged)
	c, err := awscloud.New(t.Context(), awscloud.Options{EndpointURL: w.url, Backoff: func(n int, _ error) (time.Duration, error) {
		return 0, w.clock.pause(t.Context(), time.Duration(n+1)*100*time.Millisecond)
	}})
	w.ok(err)
	for i := range 3 { // more calls than the burst
		w.ok(w.applyOnce(t.Context(), c, s, "", i))
	}
	if n, _ := c.Calls(); n < 60 {
		t.Errorf("%d calls", n)
	}
}

// Credentials that expire during a run end it at once; the next run goes on.
func TestExpiredCredentials(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	s := w.spec(tagged)
	line := &refusing{status: 400, code: "RequestExpired", seen: map[string]int{}, only: func(a string) bool { return a == "CreateTrafficMirrorFilterRule" }}
	p := w.plan(s)
	out := setup.Apply(t.Context(), w.cloud(line), p, setup.ApplyOptions{Run: "1", Pause: w.clock.pause})
	var ce *setup.CloudError
	if !errors.As(out.Err(), &ce) || ce.Kind != setup.KindExpired || !strings.Contains(ce.Hint, "clock") {
		t.Fatalf("error = %v (%+v)", out.Err(), ce)
	}
	tried := 0
	for _, f := range out.Failed {
		tried += b2i(!errors.Is(f.Err, setup.ErrSkipped))
	}
	if tried != 1 || line.seen["CreateTrafficMirrorFilterRule"] != 1 || out.Done == 0 {
		t.Errorf("%d failed, %d done, calls %v", tried, out.Done, line.seen)
	}
	w.apply(s)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Who may not do something learns which IAM action that is, from preflight and from apply.
func TestDenied(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	s := w.spec(tagged)
	line := &refusing{status: 403, code: "UnauthorizedOperation", seen: map[string]int{}, only: func(a string) bool { return a == "CreateTrafficMirrorSession" || a == "DeleteNetworkInterface" }}
	preflight := func() (denied, unclear []string) {
		t.Helper()
		list, err := setup.Preflight(t.Context(), w.cloud(line), s)
		w.ok(err)
		for _, f := range list {
			if f.Code != "permission" || f.Level == setup.OK {
				continue
			}
			if f.Level == setup.Error {
				denied = append(denied, f.Subject)
			} else {
				unclear = append(unclear, f.Subject)
			}
			if !strings.Contains(f.Remedy, f.Subject) {
				t.Errorf("remedy %q", f.Remedy)
			}
		}
		return denied, unclear
	}
	// A policy with conditions on tags refuses what does not exist: that tells nothing.
	if denied, unclear := preflight(); len(denied) > 0 || strings.Join(unclear, ", ") != "ec2:DeleteNetworkInterface, ec2:CreateTrafficMirrorSession" {
		t.Errorf("denied %v, unclear %v", denied, unclear)
	}
	if got := w.api.Snapshot().Mirroring; len(got.Targets)+len(got.Filters)+len(got.Sessions) > 0 {
		t.Errorf("preflight made something: %+v", got)
	}
	out := setup.Apply(t.Context(), w.cloud(line), w.plan(s), setup.ApplyOptions{Run: "1", Pause: w.clock.pause})
	var ce *setup.CloudError
	if !errors.As(out.Err(), &ce) || ce.Kind != setup.KindDenied || !strings.Contains(ce.Hint, "ec2:CreateTrafficMirrorSession") {
		t.Errorf("error = %v", out.Err())
	}
	// With what is there now it tells.
	before := w.inventory()
	if denied, unclear := preflight(); len(unclear) > 0 || strings.Join(denied, ", ") != "ec2:DeleteNetworkInterface, ec2:CreateTrafficMirrorSession" {
		t.Errorf("denied %v, unclear %v", denied, unclear)
	}
	if after := w.inventory(); after != before {
		t.Errorf("preflight changed something: %s, was %s", after, before)
	}
}

// One source that AWS refuses does not keep the others from being mirrored, and nothing that
// may be in use is taken away.
func TestPartial(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	s := w.spec(tagged)
	line := &refusing{status: 400, code: "NetworkInterfaceNotSupported", n: 1, seen: map[string]int{}, only: func(a string) bool { return a == "CreateTrafficMirrorSession" }}
	out := setup.Apply(t.Context(), w.cloud(line), w.plan(s), setup.ApplyOptions{Run: "1", Pause: w.clock.pause})
	if len(out.Failed) != 1 || setup.KindOf(out.Failed[0].Err) != setup.KindUnsupported {
		t.Fatalf("failed: %v", out.Failed)
	}
	if n := len(w.api.Snapshot().Mirroring.Sessions); n != 2 {
		t.Errorf("%d sessions", n)
	}
	w.apply(s)
}

// A description that changes makes a new target and a new filter, moves the sessions, and
// takes the old ones away last. No session is made anew, and one that cannot move keeps
// what it uses.
func TestReplaceMovesSessions(t *testing.T) {
	w := newWorld(t, 4, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	old := sessionIDs(w)
	s2 := w.spec(tagged + "target: {description: new words}\nfilter: {description: more new words}\n")
	p := w.plan(s2)
	var marks []string
	for _, c := range p.Changes {
		marks = append(marks, string(c.Mark)+c.Kind)
	}
	want := "-/+traffic mirror target -/+traffic mirror target -/+traffic mirror filter ~traffic mirror session ~traffic mirror session ~traffic mirror session ~traffic mirror session" +
		" -traffic mirror target -traffic mirror target -traffic mirror filter"
	if got := strings.Join(marks, " "); got != want {
		t.Errorf("changes:\n%s\nwant\n%s", got, want)
	}
	line := &refusing{status: 400, code: "InvalidParameterValue", n: 1, seen: map[string]int{}, only: func(a string) bool { return a == "ModifyTrafficMirrorSession" }}
	out := setup.Apply(t.Context(), w.cloud(line), p, setup.ApplyOptions{Run: "1", Pause: w.clock.pause})
	if len(out.Failed) != 4 || line.seen["DeleteTrafficMirrorTarget"] != 0 {
		t.Errorf("%d failed: %v", len(out.Failed), out.Failed)
	}
	w.apply(s2)
	if got := sessionIDs(w); got != old {
		t.Errorf("sessions are %s, were %s", got, old)
	}
	if m := w.api.Snapshot().Mirroring; len(m.Targets) != 2 || len(m.Filters) != 1 {
		t.Errorf("%d targets, %d filters", len(m.Targets), len(m.Filters))
	}
}

func sessionIDs(w *world) string {
	var ids []string
	for _, s := range w.observe(nil).Sessions {
		ids = append(ids, s.ID)
	}
	return strings.Join(ids, " ")
}

// From interface targets to a load balancer and back: the sessions move, and keep their
// ids.
func TestChangeOfTargetKind(t *testing.T) {
	w := newWorld(t, 4, ec2api.Options{})
	w.apply(w.spec(tagged))
	old := sessionIDs(w)
	for _, more := range []string{"target: {kind: nlb}\n", "target: {kind: gwlb}\n", "target: {kind: nlb}\n", ""} {
		w.apply(w.spec(tagged + more))
		if got := sessionIDs(w); got != old {
			t.Errorf("%q: sessions are %s, were %s", more, got, old)
		}
	}
	if s := w.api.Snapshot(); len(s.LoadBalancers)+len(s.TargetGroups)+len(s.Listeners)+len(s.EndpointServices) > 0 {
		t.Errorf("left over: %s", w.inventory())
	}
}

// What others made stays: their sessions on our sources, their use of our target, and
// whatever has the tag of the stack but not the others.
func TestForeignThingsStay(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	f, err := w.ec2.CreateTrafficMirrorFilter(t.Context(), &ec2.CreateTrafficMirrorFilterInput{TagSpecifications: []types.TagSpecification{{
		ResourceType: types.ResourceTypeTrafficMirrorFilter, Tags: []types.Tag{{Key: aws.String(setup.TagStack), Value: aws.String("prod")}}}}})
	w.ok(err)
	tg, err := w.ec2.CreateTrafficMirrorTarget(t.Context(), &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: aws.String(w.interfaces(w.sensors[0])[0])})
	w.ok(err)
	x, err := w.ec2.CreateTrafficMirrorSession(t.Context(), &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &w.sourceIf[0], SessionNumber: aws.Int32(1),
		TrafficMirrorFilterId: f.TrafficMirrorFilter.TrafficMirrorFilterId, TrafficMirrorTargetId: tg.TrafficMirrorTarget.TrafficMirrorTargetId})
	w.ok(err)
	before := w.inventory()
	s := w.spec(tagged)
	p := w.apply(s)
	warned := false
	for _, f := range p.Findings {
		warned = warned || f.Code == "lower-session" && f.Subject == w.sourceIf[0]
	}
	if !warned {
		t.Errorf("no warning of the lower session: %+v", p.Findings)
	}
	numbers := map[string]int{}
	for _, y := range w.observe(s).Sessions {
		if y.ID != *x.TrafficMirrorSession.TrafficMirrorSessionId {
			numbers[y.NetworkInterfaceID] = y.Number
		}
	}
	if numbers[w.sourceIf[0]] != 2 || numbers[w.sourceIf[1]] != 1 {
		t.Errorf("numbers = %v", numbers)
	}
	w.ok(w.destroyOnce(t.Context(), w.client(), s))
	if got := w.inventory(); got != before {
		t.Errorf("after destroy: %s\nbefore: %s", got, before)
	}
}

// Eleven sources of one interface target are one too many, and the numbers are told before
// anything is made; a second sensor, or a type that takes 100, helps.
func TestSourcesPerTarget(t *testing.T) {
	w := newWorld(t, 21, ec2api.Options{})
	s := w.spec(tagged)
	_, err := setup.NewPlan(s, w.observe(s), nil)
	var le *setup.LimitError
	if !errors.As(err, &le) || le.Need != 21 || le.Have != 20 || !strings.Contains(le.Hint, "add 1 traffic interfaces") {
		t.Fatalf("error = %v, %+v", err, le)
	}
	s.Sensors[0].Interfaces = 2
	p := w.apply(s)
	load := map[string]int{}
	for _, y := range w.observe(s).Sessions {
		load[y.TargetID]++
	}
	if len(load) != 3 {
		t.Errorf("sessions by target: %v", load)
	}
	away := 0
	for i := range p.Desired.Sessions {
		x := &p.Desired.Sessions[i]
		if x.Source.Interface.AZ == "us-east-1a" != strings.HasPrefix(x.Target, "target/"+w.sensors[0]) {
			away++
		}
	}
	if away != 0 {
		t.Errorf("%d sources go to the other zone although there is room in theirs", away)
	}
	if got := mirror.SourcesPerTarget("m5.24xlarge"); got != 100 {
		t.Errorf("m5.24xlarge takes %d", got)
	}
}

// A rule set that changes is changed in place: same filter, same sessions.
func TestRulesChangeInPlace(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	w.apply(w.spec(tagged))
	before := w.observe(nil).Filters[0].ID
	for _, f := range []string{
		"filter: {preset: internet-only}\n",
		"filter: {preset: dns-only, network_services: []}\n",
		"filter: {preset: no-backup}\n",
		"filter: {rules: [{direction: egress, protocol: tcp, destination_ports: 443, description: web, number: 20}]}\n",
		"filter: {rules: [{direction: egress, protocol: udp, number: 20}]}\n",
		"filter: {preset: all, tags: {a: b}}\n",
	} {
		w.apply(w.spec(tagged + f))
	}
	if got := w.observe(nil).Filters; len(got) != 1 || got[0].ID != before {
		t.Errorf("filters %v, was %s", got, before)
	}
}

// Tags of the description come to everything, and a tag that somebody changed is set back.
func TestTags(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged + "tags: {team: sec}\nsession: {tags: {x: y}, name: 's {name}', vni: unique}\ntarget: {kind: nlb, tags: {kind: lb}}\n")
	w.apply(s)
	o := w.observe(s)
	for _, x := range []struct {
		what string
		tags setup.Tags
		want string
	}{
		{"session", tagMap(o.Sessions[0].Tags), "sec y s web"},
		{"target", tagMap(o.Targets[0].Tags), "sec  mirador-prod"},
		{"filter", tagMap(o.Filters[0].Tags), "sec  mirador-prod"},
		{"rule", tagMap(o.Filters[0].Rules[0].Tags), "sec  mirador-prod ingress 10"},
		{"balancer", o.Balancers[0].Tags, "sec  mirador-prod"},
	} {
		if got := x.tags["team"] + " " + x.tags["x"] + " " + x.tags["Name"]; got != x.want {
			t.Errorf("%s: tags %v", x.what, x.tags)
		}
	}
	_, err := w.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{o.Sessions[0].ID}, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("other")}}})
	w.ok(err)
	if p := w.plan(s); len(p.Changes) != 1 || p.Changes[0].Mark != setup.Update || strings.Join(p.Changes[0].Detail, "") != "tag team: other -> sec" {
		t.Errorf("changes = %+v", p.Changes)
	}
	w.apply(s)
}

func tagMap(list []mirror.Tag) setup.Tags {
	m := setup.Tags{}
	for _, t := range list {
		m[t.Key] = t.Value
	}
	return m
}
