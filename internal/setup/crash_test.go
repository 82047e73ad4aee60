package setup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// errKilled is what a dead process would see.
var errKilled = errors.New("killed")

// killer is the line of a process that dies: at request number at, before it is sent or
// when its answer is lost, and for ever after.
type killer struct {
	mu    sync.Mutex // guards what follows
	at    int        // 0: never
	lost  bool
	dead  context.CancelFunc
	names []string // actions of the requests
}

// begin is the start of another process.
func (k *killer) begin(at int, lost bool, dead context.CancelFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at, k.lost, k.dead, k.names = at, lost, dead, nil
}

// action counts a request and says what is to happen to it.
func (k *killer) action(name string) (before, after bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names = append(k.names, name)
	n := len(k.names)
	before = k.at > 0 && (n > k.at || n == k.at && !k.lost)
	after = k.at > 0 && n == k.at && k.lost
	return before, after
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, err
	}
	before, after := k.action(form.Get("Action"))
	if before {
		k.dead()
		return nil, errKilled
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if after && err == nil {
		resp.Body.Close()
		k.dead()
		return nil, errKilled
	}
	return resp, err
}

// line is a client and the line that it has.
type line struct {
	w *world
	k *killer
	c setup.Cloud
}

func (w *world) line() *line {
	k := &killer{}
	return &line{w: w, k: k, c: w.cloud(k)}
}

// process runs do as a process would that dies at request number at; 0 is never. It
// returns the actions of its requests.
func (l *line) process(at int, lost bool, do func(ctx context.Context, c setup.Cloud) error) ([]string, error) {
	ctx, cancel := context.WithCancel(l.w.t.Context())
	defer cancel()
	l.k.begin(at, lost, cancel)
	err := do(ctx, l.c)
	return l.k.names, err
}

// applyOnce is what the command apply does. journal may be "".
func (w *world) applyOnce(ctx context.Context, c setup.Cloud, s *setup.Spec, journal string, run int) error {
	var j *setup.Journal
	o := setup.ApplyOptions{Run: fmt.Sprintf("run%d", run), Pause: w.clock.pause}
	if journal != "" {
		who, err := c.Identity(ctx)
		if err != nil {
			return err
		}
		if j, err = setup.OpenJournal(journal, s.Name, who, func() string { return o.Run }); err != nil {
			return err
		}
		o.Journal, o.Run = j, j.Run
	}
	obs, err := setup.Look(ctx, c, setup.ObserveOptions{Stack: s.Name, Spec: s}, j, w.clock.pause)
	if err == nil {
		var p *setup.Plan
		if p, err = setup.NewPlan(s, obs, nil); err == nil {
			if j != nil {
				o.Run = j.Run
			}
			out := setup.Apply(ctx, c, p, o)
			if len(out.Failed) > 0 {
				err = errors.Join(out.Err(), out.Failed[0])
			}
		}
	}
	if j != nil {
		if err == nil {
			return j.Finish()
		}
		j.Close()
	}
	return err
}

// destroyOnce is what the command destroy does.
func (w *world) destroyOnce(ctx context.Context, c setup.Cloud, s *setup.Spec) error {
	obs, err := setup.Observe(ctx, c, setup.ObserveOptions{Stack: s.Name})
	if err != nil {
		return err
	}
	out := setup.Apply(ctx, c, setup.NewDestroyPlan(s.Name, obs), setup.ApplyOptions{Pause: w.clock.pause})
	if len(out.Failed) > 0 {
		return errors.Join(out.Err(), out.Failed[0])
	}
	return nil
}

// inventory counts everything in the account.
func (w *world) inventory() string {
	s := w.api.Snapshot()
	m := s.Mirroring
	rules := 0
	for _, f := range m.Filters {
		rules += len(f.Rules)
	}
	groupRules := 0
	for _, g := range s.SecurityGroups {
		groupRules += len(g.Rules)
	}
	gwlbe := 0
	for _, e := range s.VPCEndpoints {
		gwlbe += len(e.VPC) & 1 // counts one each: ids of VPCs have 21 characters
	}
	regs := 0
	for _, g := range s.TargetGroups {
		regs += len(g.Targets)
	}
	return fmt.Sprintf("groups %d/%d interfaces %d balancers %d target groups %d/%d listeners %d services %d endpoints %d targets %d filters %d/%d sessions %d",
		len(s.SecurityGroups), groupRules, len(s.Interfaces), len(s.LoadBalancers), len(s.TargetGroups), regs, len(s.Listeners), len(s.EndpointServices), gwlbe,
		len(m.Targets), len(m.Filters), rules, len(m.Sessions))
}

// specs of the three kinds of targets.
var kinds = []struct{ name, more string }{
	{"eni", tagged},
	{"nlb", tagged + "target: {kind: nlb}\n"},
	{"gwlb", tagged + "target: {kind: gwlb}\n"},
}

// A run that dies at any call, before it is sent or with its answer lost, is finished by
// the next run: what there is then is what a run makes that nothing happens to. So it is
// with taking all of it away. With describe calls that lag behind, the calls that change
// something are those where a death matters.
func TestCrashAtEveryCall(t *testing.T) {
	for _, kind := range kinds {
		for _, lag := range []time.Duration{0, 20 * time.Second} {
			if lag > 0 && kind.name != "gwlb" {
				continue // gwlb has every kind of resource
			}
			t.Run(fmt.Sprintf("%s lag %v", kind.name, lag), func(t *testing.T) {
				w := newWorld(t, 3, ec2api.Options{Lag: lag})
				w.ok(w.clock.pause(t.Context(), 2*lag))
				l, s, before := w.line(), w.spec(kind.more), w.inventory()
				journal := filepath.Join(t.TempDir(), "j")
				run := 0
				apply := func(ctx context.Context, c setup.Cloud) error {
					run++
					return w.applyOnce(ctx, c, s, journal, run)
				}
				destroy := func(ctx context.Context, c setup.Cloud) error { return w.destroyOnce(ctx, c, s) }
				settle := func() { w.ok(w.clock.pause(t.Context(), 2*lag)) }

				applyCalls, err := l.process(0, false, apply)
				w.ok(err)
				want := w.inventory()
				settle()
				w.settled(s)
				destroyCalls, err := l.process(0, false, destroy)
				w.ok(err)
				if got := w.inventory(); got != before {
					t.Fatalf("after destroy: %s\nbefore:        %s", got, before)
				}
				settle()
				t.Logf("apply %d calls, destroy %d calls; %s", len(applyCalls), len(destroyCalls), want)

				// A lost answer of a call that only looks is like a call that was not made.
				skip := func(name string, lost bool) bool {
					looks := strings.HasPrefix(name, "Describe") || strings.HasPrefix(name, "Get")
					return looks && (lost || lag > 0) || lag > 0 && !lost
				}
				for i, name := range applyCalls {
					for _, lost := range []bool{false, true} {
						if skip(name, lost) {
							continue
						}
						where := fmt.Sprintf("after a death at call %d of apply (%s, lost %v)", i+1, name, lost)
						if _, err := l.process(i+1, lost, apply); err == nil {
							t.Fatalf("%s: no error", where)
						}
						if _, err := l.process(0, false, apply); err != nil {
							t.Fatalf("%s: %v", where, err)
						}
						settle()
						w.settled(s)
						if got := w.inventory(); got != want {
							t.Fatalf("%s:\n%s\nwant\n%s", where, got, want)
						}
						at, dlost := 0, lost
						if i < len(destroyCalls) && !skip(destroyCalls[i], lost) {
							at = i + 1
						}
						where = fmt.Sprintf("after a death at call %d of destroy (lost %v)", at, dlost)
						if _, err := l.process(at, dlost, destroy); err == nil && at > 0 {
							t.Fatalf("%s: no error", where)
						}
						settle()
						if _, err := l.process(0, false, destroy); err != nil {
							t.Fatalf("%s: %v", where, err)
						}
						settle()
						if got := w.inventory(); got != before {
							t.Fatalf("%s:\n%s\nwant\n%s", where, got, before)
						}
					}
				}
				if len(destroyCalls) > len(applyCalls) {
					t.Errorf("%d calls of destroy were not tried", len(destroyCalls)-len(applyCalls))
				}
			})
		}
	}
}
