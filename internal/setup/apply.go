package setup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// ApplyOptions say how a plan is carried out. The zero value makes one call at a time.
type ApplyOptions struct {
	// Run names the run in client tokens: a run that finishes a broken one has its name.
	// Empty: no client tokens, which a plan made of a fresh look does not need.
	Run string
	// Parallel is how many sessions are worked on at the same time; 0 means one.
	Parallel int
	// Pause waits; nil means a timer. Tests count instead of waiting.
	Pause func(ctx context.Context, d time.Duration) error
	// Progress is told after each change, one at a time.
	Progress func(Progress)
	// Journal, when not nil, is told what is made.
	Journal *Journal
}

// Progress tells how far a run is.
type Progress struct {
	Done, Total int
	Change      *Change
	Err         error // why it was not made
}

// ChangeError is a change that could not be made.
type ChangeError struct {
	Change *Change
	Err    error
}

// Error names the change and the cause.
func (e *ChangeError) Error() string {
	return fmt.Sprintf("%s %s %s: %v", e.Change.Mark, e.Change.Kind, or(e.Change.ID, e.Change.Name), e.Err)
}

// Unwrap returns the cause.
func (e *ChangeError) Unwrap() error { return e.Err }

// ErrSkipped is the cause of changes that were not tried because of others.
var ErrSkipped = errors.New("not tried")

// Outcome is what became of a plan.
type Outcome struct {
	Done   int
	Calls  int // changing calls that succeeded
	Failed []*ChangeError
}

// Err returns nil when everything was done, else the causes.
func (o *Outcome) Err() error {
	var errs []error
	for _, f := range o.Failed {
		if !errors.Is(f.Err, ErrSkipped) {
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

// Apply carries out p. A change that fails does not hold up others that can do without
// it, but nothing that others used is taken away after a failure; what no other call
// can mend (credentials, permissions, a service that is down) ends the run. The next
// run goes on from what there is.
func Apply(ctx context.Context, c Cloud, p *Plan, o ApplyOptions) *Outcome {
	a := &applier{c: c, p: p, o: o, ids: maps.Clone(p.ids), fresh: map[string]bool{}, out: &Outcome{}}
	if a.o.Pause == nil {
		a.o.Pause = pause
	}
	if a.ids == nil {
		a.ids = map[string]string{}
	}
	for i := 0; i < len(p.Changes); {
		j := i
		for j < len(p.Changes) && p.Changes[j].phase == p.Changes[i].phase {
			j++
		}
		a.phase(ctx, p.Changes[i:j])
		i = j
	}
	return a.out
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

type applier struct {
	c Cloud
	p *Plan
	o ApplyOptions

	mu    sync.Mutex // guards what follows
	ids   map[string]string
	fresh map[string]bool // ids made in this run
	out   *Outcome
	ended error // why no more calls are made
	n     int
}

// phase carries out changes that do not need each other.
func (a *applier) phase(ctx context.Context, list []*Change) {
	workers := 1
	if p := list[0].phase; p >= phaseSessionsGo && p <= phaseSessionsCome {
		workers = min(max(a.o.Parallel, 1), len(list))
	}
	failed := a.failures() > 0
	work := make(chan *Change)
	var wg sync.WaitGroup
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for c := range work {
				a.report(c, a.change(ctx, c, failed))
			}
		}()
	}
	for _, c := range list {
		work <- c
	}
	close(work)
	wg.Wait()
}

func (a *applier) failures() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.out.Failed)
}

// report notes what became of c.
func (a *applier) report(c *Change, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	if err != nil {
		a.out.Failed = append(a.out.Failed, &ChangeError{Change: c, Err: err})
		if a.ended == nil && (fatal(err) || KindOf(err) == KindDenied || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			a.ended = err
		}
	} else {
		a.out.Done++
	}
	if a.o.Progress != nil {
		a.o.Progress(Progress{Done: a.n, Total: len(a.p.Changes), Change: c, Err: err})
	}
}

// change makes the calls of c. failed tells that an earlier phase had failures.
func (a *applier) change(ctx context.Context, c *Change, failed bool) error {
	a.mu.Lock()
	ended := a.ended
	a.mu.Unlock()
	switch {
	case ended != nil:
		return fmt.Errorf("%w: the run has ended", ErrSkipped)
	case ctx.Err() != nil:
		return ctx.Err()
	case failed && c.phase.going():
		return fmt.Errorf("%w: what may still be used is not taken away after a failure", ErrSkipped)
	}
	for _, s := range c.Steps {
		call, missing := bind(s.Call, a.lookup)
		if len(missing) > 0 {
			return fmt.Errorf("%w: %s is not there", ErrSkipped, missing[0])
		}
		if a.o.Run != "" && hasToken(call) {
			call = withToken(call, token(a.o.Run, c.Key, call))
		}
		r, err := a.do(ctx, c, call)
		if err != nil {
			return err
		}
		a.made(c, s, call, r)
	}
	return nil
}

func (a *applier) lookup(ref string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := a.ids[ref]
	return id, id != ""
}

// made notes the result of a step.
func (a *applier) made(c *Change, s Step, call Call, r Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := call.(Wait); !ok {
		a.out.Calls++
	}
	if s.Result == "" || r.ID == "" {
		return
	}
	a.ids[s.Result] = r.ID
	a.fresh[r.ID] = true
	switch call.(type) {
	case CreateInterface:
		a.ids[s.Result+"#address"] = r.Name
	case CreateService:
		a.ids[s.Result+"#name"] = r.Name
	}
	if a.o.Journal != nil {
		a.o.Journal.made(s.Result, r.ID)
	}
}

// token returns the client token of a call: the same for the same call of the same run.
// The name of the resource keeps it apart from other calls with equal parameters.
func token(run, key string, c Call) string {
	b, err := json.Marshal(c)
	if err != nil {
		panic("setup: a call that is no JSON: " + err.Error()) // calls are plain data
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s", run, key, c.Action(), b)
	return hex.EncodeToString(h.Sum(nil))[:48]
}

// do makes one call, and again when what it names was made a moment ago and is not known
// everywhere yet, or when what uses what it removes went a moment ago.
func (a *applier) do(ctx context.Context, c *Change, call Call) (Result, error) {
	if w, ok := call.(Wait); ok {
		return Result{}, a.wait(ctx, w)
	}
	if a.o.Journal != nil && c.Mark != Delete {
		if err := a.o.Journal.trying(c.Key, call); err != nil {
			return Result{}, err
		}
	}
	d := freshPause
	for try := 1; ; try++ {
		r, err := a.c.Do(ctx, call)
		if err == nil {
			return r, nil
		}
		if r, ok := a.already(ctx, call, err); ok {
			return r, nil
		}
		again := try < maxFreshTries && (KindOf(err) == KindNotFound && a.namesFresh(call) || a.unseen(ctx, call, err)) ||
			try < maxInUseTries && KindOf(err) == KindInUse && takesAway(call)
		if !again {
			return r, err
		}
		if perr := a.o.Pause(ctx, d); perr != nil {
			return r, perr
		}
		d = min(2*d, maxPause)
	}
}

// namesFresh tells whether call names something made in this run.
func (a *applier) namesFresh(call Call) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := false
	eachText(call, func(s string) { found = found || a.fresh[s] })
	return found
}

// takesAway tells whether call removes something that others may hold for a moment.
func takesAway(call Call) bool {
	switch call.(type) {
	case DeleteGroup, DeleteInterface, DeleteTarget, DeleteFilter, DeleteTargetGroup, DeleteBalancer, DeleteService, DeleteEndpoint:
		return true
	}
	return false
}
