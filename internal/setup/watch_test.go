package setup_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// watcher returns a Watcher of w whose pauses move the clock.
func (w *world) watcher(s *setup.Spec, c setup.Cloud, change func(*setup.WatchOptions)) *setup.Watcher {
	w.t.Helper()
	r, err := setup.DefaultRates("us-east-1")
	w.ok(err)
	o := setup.WatchOptions{Spec: s, Rates: r, Now: w.clock.Now, Pause: w.clock.pause, Interval: time.Minute}
	if change != nil {
		change(&o)
	}
	x, err := setup.NewWatcher(c, o)
	w.ok(err)
	return x
}

func (w *world) states(do string, ids ...string) {
	w.t.Helper()
	var err error
	switch do {
	case "stop":
		_, err = w.ec2.StopInstances(w.t.Context(), &ec2.StopInstancesInput{InstanceIds: ids})
	case "start":
		_, err = w.ec2.StartInstances(w.t.Context(), &ec2.StartInstancesInput{InstanceIds: ids})
	case "terminate":
		_, err = w.ec2.TerminateInstances(w.t.Context(), &ec2.TerminateInstancesInput{InstanceIds: ids})
	}
	w.ok(err)
	w.ok(w.clock.pause(w.t.Context(), time.Hour)) // until the state has settled
}

// sessionsOn returns the interfaces that have sessions.
func (w *world) sessionsOn() []string {
	var out []string
	for _, s := range w.api.Snapshot().Mirroring.Sessions {
		out = append(out, s.NetworkInterfaceID)
	}
	slices.Sort(out)
	return out
}

// Instances come, stop, start and go; sessions follow.
func TestWatchFollows(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	x := w.watcher(s, w.client(), nil)
	round := func(created, deleted int) *setup.Round {
		t.Helper()
		r := x.Round(t.Context(), "test")
		w.ok(r.Err)
		n := map[setup.Mark]int{}
		for _, c := range r.Done {
			n[c.Mark]++
		}
		if n[setup.Create] != created || n[setup.Delete] != deleted || len(r.Alarms) > 0 || r.Drift > 0 || r.Next != time.Minute {
			t.Fatalf("made %v, want %d and %d; %+v", n, created, deleted, r)
		}
		return r
	}
	round(0, 0)
	more := w.run(w.subnets[0], "m5.large", 2, "new", map[string]string{"Mirror": "true"})
	w.run(w.subnets[0], "m5.large", 1, "other", map[string]string{"Mirror": "false"})
	round(2, 0)
	if r := round(0, 0); r.Sessions != 5 || r.Want != 5 {
		t.Errorf("%d sessions, want %d", r.Sessions, r.Want)
	}

	w.states("stop", w.sources[0])
	r := round(0, 0)
	if len(r.Hints) != 1 || r.Hints[0].Code != "stopped-source" || !strings.Contains(r.Hints[0].Text, "10.95 USD") {
		t.Errorf("hints %+v", r.Hints)
	}
	x = w.watcher(s, w.client(), func(o *setup.WatchOptions) { o.ReleaseStopped = true })
	round(0, 1)
	if slices.Contains(w.sessionsOn(), w.sourceIf[0]) {
		t.Error("the session of a stopped instance is still there")
	}
	if r := round(0, 0); len(r.Hints) > 0 {
		t.Errorf("hints %+v", r.Hints)
	}
	w.states("start", w.sources[0])
	round(1, 0)

	gone := w.interfaces(more[0])[0]
	w.states("terminate", more[0])
	r = x.Round(t.Context(), "test")
	w.ok(r.Err)
	if slices.Contains(w.sessionsOn(), gone) || len(w.sessionsOn()) != 4 {
		t.Errorf("sessions on %v after the end of %s", w.sessionsOn(), gone)
	}
	// A tag that is taken away takes the session with it.
	_, err := w.ec2.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: []string{more[1]}, Tags: []types.Tag{{Key: aws.String("Mirror")}}})
	w.ok(err)
	round(0, 1)
	w.settled(s)
	if st := x.Stats(); st.Created != 1 || st.Deleted < 2 || st.FailedRounds != 0 || st.LastSuccess.IsZero() {
		t.Errorf("stats %+v", st)
	}
}

// Watch touches nothing but sessions.
func TestWatchLeavesDrift(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	s := w.spec(tagged)
	x := w.watcher(s, w.client(), nil)
	r := x.Round(t.Context(), "test")
	w.ok(r.Err)
	if len(r.Done) > 0 || r.Drift < 7 || len(w.sessionsOn()) > 0 {
		t.Errorf("done %d, drift %d", len(r.Done), r.Drift)
	}
	w.apply(s)
	dry := w.watcher(s, w.client(), func(o *setup.WatchOptions) { o.DryRun = true })
	w.run(w.subnets[0], "m5.large", 1, "new", map[string]string{"Mirror": "true"})
	if r := dry.Round(t.Context(), "test"); len(r.Done) != 1 || len(w.sessionsOn()) != 2 || dry.Stats().Created != 0 {
		t.Errorf("a dry run told %d changes, %d sessions", len(r.Done), len(w.sessionsOn()))
	}
}

// A round that would take most sessions away is held back once.
func TestWatchHoldsRemovals(t *testing.T) {
	w := newWorld(t, 8, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	x := w.watcher(s, w.client(), nil)
	_, err := w.ec2.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: w.sources[:6], Tags: []types.Tag{{Key: aws.String("Mirror")}}})
	w.ok(err)
	if r := x.Round(t.Context(), "test"); !r.Held || r.Deferred != 6 || len(w.sessionsOn()) != 8 {
		t.Fatalf("held %v, deferred %d", r.Held, r.Deferred)
	}
	if r := x.Round(t.Context(), "test"); r.Held || len(w.sessionsOn()) != 2 {
		t.Fatalf("held %v, %d sessions", r.Held, len(w.sessionsOn()))
	}
}

// Sessions and targets of others raise an alarm once, until they are allowed or gone.
func TestWatchAlarms(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	x := w.watcher(s, w.client(), nil)
	if r := x.Round(t.Context(), "test"); len(r.Alarms) > 0 {
		t.Fatalf("alarms %+v", r.Alarms)
	}
	o := w.observe(s)
	eni := w.interfaces(w.run(w.subnets[0], "m5.large", 1, "spy", nil)[0])[0]
	tmt, err := w.ec2.CreateTrafficMirrorTarget(t.Context(), &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: &eni})
	w.ok(err)
	id := *tmt.TrafficMirrorTarget.TrafficMirrorTargetId
	tms, err := w.ec2.CreateTrafficMirrorSession(t.Context(), &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &w.sourceIf[0], TrafficMirrorTargetId: &id,
		TrafficMirrorFilterId: &o.Filters[0].ID, SessionNumber: aws.Int32(7)})
	w.ok(err)
	spy := *tms.TrafficMirrorSession.TrafficMirrorSessionId
	// And one of ours is led away: the round tells, and puts it back.
	moved := o.Sessions[0].ID
	_, err = w.ec2.ModifyTrafficMirrorSession(t.Context(), &ec2.ModifyTrafficMirrorSessionInput{TrafficMirrorSessionId: &moved, TrafficMirrorTargetId: &id})
	w.ok(err)
	r := x.Round(t.Context(), "test")
	w.ok(r.Err)
	got := map[string]string{}
	for _, f := range r.New {
		got[f.Subject] = f.Code
	}
	want := map[string]string{spy: "rogue-session", id: "rogue-target", moved: "moved-session"}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(r.Done) != 1 || r.Done[0].Mark != setup.Update {
		t.Errorf("alarms %v, want %v; done %v", got, want, r.Done)
	}
	if r := x.Round(t.Context(), "test"); len(r.New) > 0 || len(r.Alarms) != 2 || len(r.Gone) != 1 {
		t.Errorf("new %v, all %v, gone %v", r.New, r.Alarms, r.Gone)
	}
	calm := w.watcher(s, w.client(), func(o *setup.WatchOptions) { o.Allow = []string{spy, id} })
	if r := calm.Round(t.Context(), "test"); len(r.Alarms) > 0 {
		t.Errorf("alarms %v", r.Alarms)
	}
}

// Failures make pauses longer, up to a bound, and a success makes them short again.
func TestWatchBacksOff(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	for _, code := range []struct {
		status int
		code   string
	}{{400, "RequestLimitExceeded"}, {503, "Unavailable"}, {400, "RequestExpired"}} {
		broken := true
		line := &refusing{status: code.status, code: code.code, seen: map[string]int{}, only: func(a string) bool { return broken && a == "DescribeTrafficMirrorSessions" }}
		x := w.watcher(s, w.cloud(line), nil)
		for _, want := range []time.Duration{2, 4, 8, 15, 15} {
			if r := x.Round(t.Context(), "test"); r.Err == nil || r.Next != want*time.Minute {
				t.Errorf("%s: next %v, want %v minutes; %v", code.code, r.Next, want, r.Err)
			}
		}
		broken = false
		if r := x.Round(t.Context(), "test"); r.Err != nil || r.Next != time.Minute || x.Stats().FailedRounds != 5 {
			t.Errorf("%s: next %v: %v", code.code, r.Next, r.Err)
		}
	}
}

// A source that AWS refuses is counted, and does not hold up the others or slow watch down.
func TestWatchRefusedSource(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	w.run(w.subnets[0], "m5.large", 2, "new", map[string]string{"Mirror": "true"})
	line := &refusing{status: 400, code: "NetworkInterfaceNotSupported", n: 1, seen: map[string]int{}, only: func(a string) bool { return a == "CreateTrafficMirrorSession" }}
	x := w.watcher(s, w.cloud(line), nil)
	r := x.Round(t.Context(), "test")
	if r.Err != nil || len(r.Failed) != 1 || len(r.Done) != 1 || r.Next != time.Minute || x.Stats().FailedChanges != 1 {
		t.Errorf("%d failed, %d done, next %v: %v", len(r.Failed), len(r.Done), r.Next, r.Err)
	}
	line.only = func(a string) bool { return a == "CreateTrafficMirrorSession" }
	line.code, line.n = "UnauthorizedOperation", 0
	if r := x.Round(t.Context(), "test"); setup.KindOf(r.Err) != setup.KindDenied || r.Next != 2*time.Minute || x.Stats().Last.Sessions == 0 {
		t.Errorf("next %v: %v", r.Next, r.Err)
	}
}

// The budget of calls makes pauses longer and leaves changes to later rounds; all is done
// in the end, and never faster than the budget.
func TestWatchBudget(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	c := w.cloud(nil)
	used := func() int { n, _ := c.Calls(); return n }
	x := w.watcher(s, c, func(o *setup.WatchOptions) { o.CallsPerMinute, o.Used, o.Interval = 20, used, 10*time.Second })
	w.run(w.subnets[0], "m5.large", 9, "new", map[string]string{"Mirror": "true"})
	start, deferred := w.clock.Now(), 0
	for range 30 {
		r := x.Round(t.Context(), "test")
		w.ok(r.Err)
		deferred += r.Deferred
		if r.Deferred == 0 {
			break
		}
		w.ok(w.clock.pause(t.Context(), r.Next))
		if d := w.clock.Now().Sub(start); float64(used()) > 20+20*d.Minutes()+1 {
			t.Fatalf("%d calls in %v", used(), d)
		}
	}
	if deferred == 0 || len(w.sessionsOn()) != 10 {
		t.Errorf("%d deferred, %d sessions", deferred, len(w.sessionsOn()))
	}
}

// queue is a queue of a test; asking it moves the clock as waiting would.
type queue struct {
	w       *world
	list    []string
	deleted int
	fail    error
	script  func(asked int) // what happens at a question
	asked   int
}

func (q *queue) Receive(ctx context.Context, d time.Duration) ([]setup.Message, error) {
	q.asked++
	if q.script != nil {
		q.script(q.asked)
	}
	if q.fail != nil {
		return nil, q.fail
	}
	if len(q.list) == 0 {
		return nil, q.w.clock.pause(ctx, d)
	}
	n := min(len(q.list), 10)
	var out []setup.Message
	for i, b := range q.list[:n] {
		out = append(out, setup.Message{Body: b, Handle: fmt.Sprint(q.asked, "/", i)})
	}
	q.list = q.list[n:]
	return out, ctx.Err()
}

func (q *queue) Delete(_ context.Context, handles []string) error {
	q.deleted += len(handles)
	return nil
}

func event(instance, state, account string) string {
	return fmt.Sprintf(`{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","account":%q,`+
		`"time":"2026-09-01T12:00:00Z","region":"us-east-1","resources":["arn:aws:ec2:us-east-1:%s:instance/%s"],"detail":{"instance-id":%q,"state":%q}}`, account, account, instance, instance, state)
}

// Events lead to a round at once; junk and events of others are counted and do not.
func TestWatchEvents(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	who, err := w.client().Identity(t.Context())
	w.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var rounds []*setup.Round
	q := &queue{w: w}
	q.script = func(n int) {
		switch n {
		case 2:
			q.list = []string{"junk", "{}", event(w.sources[0], "running", "999999999999"), strings.Repeat(" ", setup.MaxEvent+1)}
		case 3:
			id := w.run(w.subnets[0], "m5.large", 1, "new", map[string]string{"Mirror": "true"})[0]
			for range 25 {
				q.list = append(q.list, event(id, "running", who.Account))
			}
		}
	}
	x := w.watcher(s, w.client(), func(o *setup.WatchOptions) {
		o.Queue, o.Interval = q, 10*time.Minute
		o.Report = func(r *setup.Round) {
			if rounds = append(rounds, r); len(rounds) == 3 {
				cancel()
			}
		}
	})
	w.ok(x.Run(ctx))
	var causes []string
	for _, r := range rounds {
		causes = append(causes, r.Cause)
	}
	if want := []string{"start", "event", "interval"}; !slices.Equal(causes, want) {
		t.Errorf("rounds %v, want %v", causes, want)
	}
	if d := rounds[1].At.Sub(rounds[0].At); len(rounds[1].Done) != 1 || d > time.Minute {
		t.Errorf("%d changes after %v", len(rounds[1].Done), d)
	}
	if e := x.Stats().Events; e.Good != 25 || e.Junk != 3 || e.Foreign != 1 || e.Errors != 0 || q.deleted != 29 {
		t.Errorf("events %+v, %d deleted", e, q.deleted)
	}
	// Without the queue rounds go on by time.
	ctx2, cancel2 := context.WithCancel(t.Context())
	defer cancel2()
	n := 0
	y := w.watcher(s, w.client(), func(o *setup.WatchOptions) {
		o.Queue = &queue{w: w, fail: errors.New("away")}
		o.Report = func(*setup.Round) {
			if n++; n == 3 {
				cancel2()
			}
		}
	})
	w.ok(y.Run(ctx2))
	if y.Stats().Events.Errors != 2 || n != 3 {
		t.Errorf("%d rounds, events %+v", n, y.Stats().Events)
	}
}

// Jitter spreads pauses around the interval.
func TestWatchJitter(t *testing.T) {
	w := newWorld(t, 0, ec2api.Options{})
	s := w.spec(tagged)
	for _, c := range []struct {
		random float64
		want   time.Duration
	}{{0, 48 * time.Second}, {0.5, time.Minute}, {1, 72 * time.Second}} {
		x := w.watcher(s, w.client(), func(o *setup.WatchOptions) { o.Jitter, o.Random = 0.2, func() float64 { return c.random } })
		if r := x.Round(t.Context(), "test"); r.Next != c.want {
			t.Errorf("next %v, want %v", r.Next, c.want)
		}
	}
	if _, err := setup.NewWatcher(w.client(), setup.WatchOptions{Spec: s, Now: w.clock.Now, Jitter: 2}); err == nil {
		t.Error("a jitter of 2 was taken")
	}
}

func TestParseEvent(t *testing.T) {
	good := event("i-0123456789abcdef0", "stopped", "123456789012")
	e, err := setup.ParseEvent(good)
	if err != nil || e.Instance != "i-0123456789abcdef0" || e.State != "stopped" || e.Account != "123456789012" || e.Region != "us-east-1" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := setup.ParseEvent(fmt.Sprintf(`{"Type":"Notification","MessageId":"1","Message":%q}`, good)); err != nil || e.State != "stopped" {
		t.Errorf("through SNS: %+v, %v", e, err)
	}
	for _, body := range []string{"", "null", "[]", `"x"`, `{"Type":"Notification","Message":"x"}`, `{"Type":"Notification","Message":"{\"Type\":\"Notification\"}"}`,
		strings.Replace(good, "aws.ec2", "me", 1), strings.Replace(good, `"stopped"`, `"dancing"`, 1), strings.ReplaceAll(good, "i-0123456789abcdef0", "i-../x"),
		strings.Replace(good, `"detail":{`, `"detail":7,"x":{`, 1), good + strings.Repeat(" ", setup.MaxEvent)} {
		if e, err := setup.ParseEvent(body); !errors.Is(err, setup.ErrJunk) {
			t.Errorf("%.60q: %+v, %v", body, e, err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(event("i-0123456789abcdef0", "running", "123456789012"))
	f.Add(fmt.Sprintf(`{"Type":"Notification","Message":%q}`, event("i-01234567", "stopped", "1")))
	f.Fuzz(func(t *testing.T, body string) {
		e, err := setup.ParseEvent(body)
		if err != nil && (e != setup.Event{} || !errors.Is(err, setup.ErrJunk)) {
			t.Errorf("%+v with %v", e, err)
		}
		if err == nil && (!strings.HasPrefix(e.Instance, "i-") || len(e.Instance) > 19 || e.State == "") {
			t.Errorf("%+v", e)
		}
	})
}
