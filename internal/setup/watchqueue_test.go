package setup_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// moody is a cloud whose reads of instances fail while told to.
type moody struct {
	setup.Cloud
	fail bool
}

func (m *moody) Instances(ctx context.Context, q setup.Query) ([]setup.Instance, error) {
	if m.fail {
		return nil, &setup.CloudError{Kind: setup.KindUnavailable, Message: "away"}
	}
	return m.Cloud.Instances(ctx, q)
}

// An event leaves the queue when a round has answered it, not before; what is no event here
// leaves it at once.
func TestWatchDeletesWhatIsAnswered(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	who, err := w.client().Identity(t.Context())
	w.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &moody{Cloud: w.client()}
	q := &queue{w: w}
	q.script = func(n int) {
		switch n {
		case 1, 3: // it comes again, as it was not deleted
			q.list = []string{event(w.sources[0], "running", who.Account), "junk"}
		}
	}
	var seen []string
	x := w.watcher(s, c, func(o *setup.WatchOptions) {
		o.Queue, o.Interval = q, 10*time.Minute
		o.Report = func(r *setup.Round) {
			seen = append(seen, strings.TrimSpace(r.Cause+" "+map[bool]string{true: "failed"}[r.Err != nil]))
			switch len(seen) {
			case 1:
				c.fail = true
			case 2:
				c.fail = false
				if q.deleted != 1 {
					t.Errorf("%d deleted before the round, want the junk", q.deleted)
				}
			case 4:
				if q.deleted != 2 {
					t.Errorf("%d deleted before the round was over", q.deleted)
				}
			case 5:
				cancel()
			}
		}
	})
	w.ok(x.Run(ctx))
	if want := []string{"start", "event failed", "interval", "event", "interval"}; !slices.Equal(seen, want) {
		t.Errorf("rounds %q, want %q", seen, want)
	}
	if q.deleted != 3 {
		t.Errorf("%d deleted, want both junk and the event that was answered", q.deleted)
	}
}

// A queue that goes is told once, and again when it is back; rounds by time go on.
func TestWatchQueueGone(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := &queue{w: w, fail: errors.New("AWS.SimpleQueueService.NonExistentQueue")}
	var told []string
	n := 0
	x := w.watcher(s, w.client(), func(o *setup.WatchOptions) {
		o.Queue = q
		o.QueueState = func(err error) { told = append(told, map[bool]string{true: "back", false: "gone"}[err == nil]) }
		o.Report = func(*setup.Round) {
			switch n++; n {
			case 4:
				q.fail = nil
			case 6:
				cancel()
			}
		}
	})
	w.ok(x.Run(ctx))
	if !slices.Equal(told, []string{"gone", "back"}) || x.Stats().Events.Errors != 3 || x.Stats().Events.Deaf {
		t.Errorf("told %v, %+v", told, x.Stats().Events)
	}
}

// call makes a call of a JSON protocol.
func (w *world) call(target string, body any) map[string]any {
	w.t.Helper()
	b, err := json.Marshal(body)
	w.ok(err)
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/", strings.NewReader(string(b)))
	w.ok(err)
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	a, err := http.DefaultClient.Do(r)
	w.ok(err)
	defer a.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil || a.StatusCode != 200 {
		w.t.Fatalf("%s: %s %v %v", target, a.Status, out, err)
	}
	return out
}

// An instance starts, EventBridge sends what happened to a queue, and watch makes the session
// without waiting for its interval. All through SQS as the endpoint has it.
func TestWatchSQS(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	q := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &w.url, Credentials: w.ec2.Options().Credentials})
	made, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("events")})
	w.ok(err)
	w.call("AWSEvents.PutRule", map[string]any{"Name": "states", "EventPattern": `{"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]}`})
	w.call("AWSEvents.PutTargets", map[string]any{"Rule": "states", "Targets": []any{map[string]any{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:events"}}})
	_, err = q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: aws.String("poison")})
	w.ok(err)
	queue, err := w.client().Queue(*made.QueueUrl)
	w.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var causes []string
	var start, end time.Time
	x := w.watcher(s, w.client(), func(o *setup.WatchOptions) {
		o.Queue, o.Interval = queue, 24*time.Hour
		o.Report = func(r *setup.Round) {
			causes = append(causes, r.Cause)
			switch {
			case r.Cause == "start":
				start = r.At
				w.run(w.subnets[0], "m5.large", 1, "new", map[string]string{"Mirror": "true"})
			case len(w.sessionsOn()) == 2:
				end = r.At
				cancel()
			case len(causes) == 20:
				cancel()
			}
		}
	})
	w.ok(x.Run(ctx))
	if len(w.sessionsOn()) != 2 || slices.Contains(causes, "interval") || end.Sub(start) > time.Hour {
		t.Errorf("sessions on %v after rounds %v and %v", w.sessionsOn(), causes, end.Sub(start))
	}
	if e := x.Stats().Events; e.Good == 0 || e.Junk != 1 || e.Errors != 0 {
		t.Errorf("events %+v", e)
	}
}

// A new description begins a round at once; one of another stack is refused.
func TestWatchReload(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var x *setup.Watcher
	var causes []string
	x = w.watcher(s, w.client(), func(o *setup.WatchOptions) {
		o.Interval = 24 * time.Hour
		o.Pause = func(ctx context.Context, _ time.Duration) error { <-ctx.Done(); return ctx.Err() } // for ever
		o.Report = func(r *setup.Round) {
			switch causes = append(causes, r.Cause); len(causes) {
			case 1: // while a round is under way
				w.ok(x.Reload(w.spec("sources:\n  include:\n    - instance: " + w.sources[0] + "\n")))
			case 2: // while it waits
				go func() { x.Reload(s) }()
			default:
				cancel()
			}
		}
	})
	w.ok(x.Run(ctx))
	if want := []string{"start", "reload", "reload"}; !slices.Equal(causes, want) || len(w.sessionsOn()) != 3 {
		t.Errorf("rounds %v, sessions on %v", causes, w.sessionsOn())
	}
	other, err := setup.ParseSpec([]byte("name: other\nsensors: [{instance: i-0123456789abcdef0}]\n"), "x")
	w.ok(err)
	if err := x.Reload(other); err == nil {
		t.Error("another stack was taken")
	}
}

// While another run is at work on the stack, rounds are left out, which is no failure.
func TestWatchLocked(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	path := filepath.Join(t.TempDir(), "dir", "stack.lock")
	x := w.watcher(s, w.client(), func(o *setup.WatchOptions) {
		o.Lock = func(who setup.Identity) (func(), error) {
			if who.Account == "" {
				t.Error("no account")
			}
			return setup.LockStack(path)
		}
	})
	unlock, err := setup.LockStack(path)
	w.ok(err)
	if _, err := setup.LockStack(path); !errors.Is(err, setup.ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	for range 3 {
		if r := x.Round(t.Context(), "test"); !errors.Is(r.Err, setup.ErrLocked) || r.Next != time.Minute {
			t.Errorf("%v, next %v", r.Err, r.Next)
		}
	}
	unlock()
	for range 2 { // a round lets it go again
		w.ok(x.Round(t.Context(), "test").Err)
	}
}
