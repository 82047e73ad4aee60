package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"mirador/internal/mirror"
)

// WatchOptions say how a Watcher works. Spec is needed; the zero value of the rest has a
// sensible meaning.
type WatchOptions struct {
	Spec     *Spec
	Interval time.Duration // between rounds; 0: DefaultWatchInterval
	Jitter   float64       // up to which share of it a pause is longer or shorter; 0: none
	// CallsPerMinute bounds the calls that rounds make in the long run; 0: no bound. Used counts
	// the calls made so far, and must not be nil then.
	CallsPerMinute int
	Used           func() int
	// ReleaseStopped takes the sessions of instances away that are stopped; they come back with
	// the instance.
	ReleaseStopped bool
	DryRun         bool     // tells what it would do
	Allow          []string // ids of sessions and accounts of others that are no reason for an alarm
	Rates          *Rates   // for hints; nil: without prices
	Queue          Queue    // of events; nil: rounds come by time only
	Settle         time.Duration
	// Lock keeps other runs on this stack out while a round is made; it returns what ends that,
	// or ErrLocked: the round waits then for the next turn. nil: nobody is kept out.
	Lock func(who Identity) (unlock func(), err error)
	// QueueState is told when the queue stops to answer, and with nil when it answers again.
	QueueState func(err error)

	Now    func() time.Time                                 // needed
	Pause  func(ctx context.Context, d time.Duration) error // nil: a timer
	Random func() float64                                   // 0 to 1; needed with Jitter
	Report func(*Round)                                     // told after each round; may be nil
}

// Bounds of a Watcher.
const (
	// DefaultWatchInterval is the pause between rounds. A round is some ten calls.
	DefaultWatchInterval = time.Minute
	// maxWatchPause bounds the pause after failures, which doubles with each.
	maxWatchPause = 15 * time.Minute
	// holdAtLeast and holdShare: a round that would take away that many sessions, and that
	// share of all, is held back once. A describe call that forgot half of an account
	// would end the monitoring of it otherwise.
	holdAtLeast = 5
	holdShare   = 0.5
	// maxWatchFindings bounds the alarms and hints of a round each; an account may have 10,000
	// sessions of others.
	maxWatchFindings = 1000
)

// Round is what one look at the account led to.
type Round struct {
	At       time.Time
	Cause    string // start, interval, event
	Sessions int    // of the stack, before the changes
	Want     int    // sessions that the description means
	Done     []*Change
	Failed   []*ChangeError
	Deferred int       // changes that the budget of calls, or a hold, leaves to the next round
	Held     bool      // removals are held back until the next round sees the same
	Drift    int       // changes that are not about sessions: apply makes them
	Alarms   []Finding // sessions and targets that are not ours
	New      []Finding // alarms that the round before had not
	Gone     []Finding // alarms that are over
	Hints    []Finding // what costs and sees nothing
	Calls    int
	Next     time.Duration // pause until the next round
	Err      error         // why there was no full round
	began    int           // calls made before it
}

// WatchStats count what a Watcher did since its start.
type WatchStats struct {
	Rounds, FailedRounds       uint64
	Created, Modified, Deleted uint64
	FailedChanges              uint64
	Events                     EventStats
	Last                       Round
	LastSuccess                time.Time
}

// Watcher keeps sessions in step with what the account has. It changes sessions only: what
// else differs is drift, which apply mends.
type Watcher struct {
	c Cloud
	o WatchOptions

	mu    sync.Mutex // guards stats
	stats WatchStats

	who      Identity // of the last round; empty before
	failures int
	alarms   map[string]Finding
	held     bool
	tokens   float64
	filled   time.Time
	pending  []string // handles of events that no round has answered yet
	deaf     bool     // the queue does not answer

	// reload guards next and wake.
	reload sync.Mutex
	spec   *Spec  // to be taken by the next round; nil: none
	wake   func() // ends the pause; nil: there is none
}

// NewWatcher returns a Watcher; nothing happens before Run or Round.
func NewWatcher(c Cloud, o WatchOptions) (*Watcher, error) {
	switch {
	case o.Spec == nil || o.Now == nil:
		return nil, errors.New("watch needs a description and a clock")
	case o.CallsPerMinute > 0 && o.Used == nil || o.Jitter > 0 && o.Random == nil:
		return nil, errors.New("watch needs what its budget and jitter ask")
	case o.Jitter < 0 || o.Jitter > 0.9:
		return nil, fmt.Errorf("jitter %v is not between 0 and 0.9", o.Jitter)
	}
	if o.Interval <= 0 {
		o.Interval = DefaultWatchInterval
	}
	if o.Pause == nil {
		o.Pause = pause
	}
	return &Watcher{c: c, o: o, alarms: map[string]Finding{}, tokens: float64(o.CallsPerMinute), filled: o.Now()}, nil
}

// Stats returns the counts.
func (w *Watcher) Stats() WatchStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// Run makes rounds until ctx ends, and returns nil then. Failures are reported and tried
// again, with growing pauses.
func (w *Watcher) Run(ctx context.Context) error {
	cause := "start"
	for {
		r := w.Round(ctx, cause)
		w.answered(ctx, r)
		if ctx.Err() != nil {
			return nil
		}
		var err error
		if cause, err = w.rest(ctx, r.Next); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// rest waits until the next round is due, or a new description is there.
func (w *Watcher) rest(ctx context.Context, d time.Duration) (cause string, err error) {
	pause, wake := context.WithCancel(ctx)
	defer wake()
	w.reload.Lock()
	if w.spec != nil {
		wake()
	}
	w.wake = wake
	w.reload.Unlock()
	cause, err = w.wait(pause, d)
	w.reload.Lock()
	defer w.reload.Unlock()
	w.wake = nil
	if w.spec != nil && ctx.Err() == nil {
		return "reload", nil
	}
	return cause, err
}

// Reload takes a new description of the same stack; a round begins at once.
func (w *Watcher) Reload(s *Spec) error {
	switch old := w.o.Spec; {
	case s.Name != old.Name:
		return fmt.Errorf("the description is of stack %q, and watch keeps %q: start another watch for it", s.Name, old.Name)
	case s.Region != old.Region:
		return fmt.Errorf("the description is for region %q, and watch is in %q: start another watch for it", s.Region, old.Region)
	}
	w.reload.Lock()
	defer w.reload.Unlock()
	w.spec = s
	if w.wake != nil {
		w.wake()
	}
	return nil
}

// renew takes the description that Reload was given.
func (w *Watcher) renew() {
	w.reload.Lock()
	defer w.reload.Unlock()
	if w.spec != nil {
		w.o.Spec, w.spec = w.spec, nil
	}
}

// Round looks once, makes the changes of sessions, and says how long to wait.
func (w *Watcher) Round(ctx context.Context, cause string) *Round {
	w.renew()
	r := &Round{At: w.o.Now(), Cause: cause}
	r.began = w.used()
	r.Err = w.round(ctx, r)
	r.Calls = w.used() - r.began
	w.tokens -= float64(r.Calls)
	switch {
	case errors.Is(r.Err, ErrLocked): // the other run does our work
	case r.Err != nil:
		w.failures++
	default:
		w.failures = 0
	}
	r.Next = w.next()
	w.count(r)
	if w.o.Report != nil {
		w.o.Report(r)
	}
	return r
}

func (w *Watcher) used() int {
	if w.o.Used == nil {
		return 0
	}
	return w.o.Used()
}

// fill adds what time has given to the budget of calls.
func (w *Watcher) fill() {
	now := w.o.Now()
	w.tokens = min(float64(w.o.CallsPerMinute), w.tokens+now.Sub(w.filled).Minutes()*float64(w.o.CallsPerMinute))
	w.filled = now
}

// next returns the pause after a round: the interval, twice as long after each failure, and
// never shorter than the budget of calls needs.
func (w *Watcher) next() time.Duration {
	d := w.o.Interval
	for range min(w.failures, 16) {
		d = min(2*d, max(maxWatchPause, w.o.Interval))
	}
	if w.o.Jitter > 0 {
		d = time.Duration(float64(d) * (1 + w.o.Jitter*(2*w.o.Random()-1)))
	}
	return max(d, w.debt())
}

// debt returns how long it takes until the budget allows another round.
func (w *Watcher) debt() time.Duration {
	if w.o.CallsPerMinute <= 0 {
		return 0
	}
	w.fill()
	if w.tokens >= 0 {
		return 0
	}
	return time.Duration(-w.tokens / float64(w.o.CallsPerMinute) * float64(time.Minute))
}

func (w *Watcher) round(ctx context.Context, r *Round) error {
	s := w.o.Spec
	if w.o.Lock != nil {
		if w.who.Account == "" {
			who, err := w.c.Identity(ctx)
			if err != nil {
				return err
			}
			w.who = who
		}
		unlock, err := w.o.Lock(w.who)
		if err != nil {
			return err
		}
		defer unlock()
	}
	o, err := Observe(ctx, w.c, ObserveOptions{Stack: s.Name, Spec: s})
	if err != nil {
		return err
	}
	stopped := map[string]bool{} // sessions
	for i := range o.Sessions {
		x := &o.Sessions[i]
		if tagsOf(x.Tags)[TagStack] != s.Name {
			continue
		}
		r.Sessions++
		if sourceStopped(o, key(keySession, x.NetworkInterfaceID)) {
			stopped[x.ID] = true
			r.hint(x, o.Instance(o.Interface(x.NetworkInterfaceID).InstanceID), w.o.Rates)
		}
	}
	w.alarm(o, r)
	p, err := NewPlan(s, o, nil)
	if err != nil {
		return err
	}
	r.Want = len(p.Desired.Sessions)
	list := w.sessionChanges(p, o, r, stopped)
	list = w.hold(list, r)
	list = w.afford(list, r)
	p.Changes = list
	if w.o.DryRun || len(list) == 0 {
		if w.o.DryRun {
			r.Done = list
		}
		return nil
	}
	out := Apply(ctx, w.c, p, ApplyOptions{Pause: w.o.Pause})
	r.Failed = out.Failed
	for _, c := range list {
		if !failedIn(out.Failed, c) {
			r.Done = append(r.Done, c)
		}
	}
	// One source that AWS refuses must not slow the others down: only what holds for every call
	// makes a round a failure.
	if err := out.Err(); fatal(err) || KindOf(err) == KindDenied || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

func failedIn(list []*ChangeError, c *Change) bool {
	for _, f := range list {
		if f.Change == c {
			return true
		}
	}
	return false
}

// sessionChanges returns the changes of p that are about sessions and can be made without
// the others, which are counted as drift.
func (w *Watcher) sessionChanges(p *Plan, o *Observed, r *Round, stopped map[string]bool) []*Change {
	var list []*Change
	for _, c := range p.Changes {
		if c.Kind != kindSession || len(c.needs()) > 0 {
			r.Drift++
			continue
		}
		if w.o.ReleaseStopped && c.Mark != Delete && (stopped[c.ID] || c.Mark == Create && sourceStopped(o, c.Key)) {
			continue // those that are there go below
		}
		list = append(list, c)
		delete(stopped, or(deleted(c), "-"))
	}
	if !w.o.ReleaseStopped {
		return list
	}
	for i := range o.Sessions {
		x := &o.Sessions[i]
		if t := tagsOf(x.Tags); !stopped[x.ID] || t[TagManaged] != ManagedBy {
			continue
		}
		list = append([]*Change{{Mark: Delete, Kind: kindSession, Key: tagsOf(x.Tags)[TagKey], ID: x.ID, Name: tagsOf(x.Tags)[tagName],
			Why: "its instance is stopped", Steps: []Step{{Call: DeleteSession{Session: x.ID}}}, phase: phaseSessionsGo}}, list...)
	}
	return list
}

// sourceStopped tells whether the instance behind the session with key k is stopped.
func sourceStopped(o *Observed, k string) bool {
	e := o.Interface(strings.TrimPrefix(k, keySession+"/"))
	if e == nil {
		return false
	}
	i := o.Instance(e.InstanceID)
	return i != nil && (i.State == StateStopped || i.State == StateStopping)
}

// deleted returns the session that c deletes, or "".
func deleted(c *Change) string {
	if c.Mark == Delete {
		return c.ID
	}
	return ""
}

// hold keeps removals back that would take most sessions away, until a second round sees
// the same.
func (w *Watcher) hold(list []*Change, r *Round) []*Change {
	n := 0
	for _, c := range list {
		n += b2i(c.Mark == Delete)
	}
	if n < holdAtLeast || float64(n) < holdShare*float64(r.Sessions) || w.held {
		w.held = false
		return list
	}
	w.held, r.Held = true, true
	var keep []*Change
	for _, c := range list {
		if c.Mark != Delete {
			keep = append(keep, c)
		}
	}
	r.Deferred += n
	return keep
}

// afford keeps as many changes as the budget of calls has left; at least one, so that
// there is an end.
func (w *Watcher) afford(list []*Change, r *Round) []*Change {
	if w.o.CallsPerMinute <= 0 {
		return list
	}
	w.fill()
	left := w.tokens - float64(w.used()-r.began)
	n := max(int(left), 1)
	if len(list) <= n {
		return list
	}
	r.Deferred += len(list) - n
	return list[:n]
}

// hint notes a session that costs and sees nothing.
func (r *Round) hint(x *mirror.Session, i *Instance, rates *Rates) {
	if len(r.Hints) >= maxWatchFindings {
		return
	}
	text := "its source " + i.Name() + " is " + i.State + ", and the session costs as much as others"
	if rates != nil {
		text += fmt.Sprintf(": %.2f %s a month", rates.Session*rates.Hours, rates.Currency)
	}
	r.Hints = append(r.Hints, Finding{Level: Warning, Code: "stopped-source", Subject: x.ID, Text: text, Remedy: "watch --release-stopped takes it away until the instance runs again"})
}

func (w *Watcher) count(r *Round) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.stats
	s.Rounds++
	if r.Err != nil {
		s.FailedRounds++
	} else {
		s.LastSuccess = r.At
	}
	if !w.o.DryRun {
		for _, c := range r.Done {
			switch c.Mark {
			case Create:
				s.Created++
			case Update:
				s.Modified++
			case Delete:
				s.Deleted++
			}
		}
	}
	s.FailedChanges += uint64(len(r.Failed))
	if r.Err != nil {
		// What the round before saw is better than nothing.
		s.Last.At, s.Last.Err, s.Last.Calls, s.Last.Next, s.Last.Failed = r.At, r.Err, r.Calls, r.Next, r.Failed
		return
	}
	s.Last = *r
}
