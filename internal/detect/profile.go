package detect

import (
	"slices"
	"sync/atomic"
)

// profileSlot are the counts of one rule, shared by the workers of an engine.
type profileSlot struct {
	checks, matches, nanos atomic.Uint64
}

// RuleProfile is what a rule cost since its engine was made.
type RuleProfile struct {
	Rule            *Rule
	Checks, Matches uint64
	Nanos           uint64
}

// Profile returns the counts of the rules that were looked at, dearest first. It is nil
// when the engine was compiled without Options.Profile.
func (e *Engine) Profile() []RuleProfile {
	var out []RuleProfile
	for i := range e.profile {
		p := &e.profile[i]
		if n := p.checks.Load(); n > 0 {
			out = append(out, RuleProfile{e.sigs[i].rule, n, p.matches.Load(), p.nanos.Load()})
		}
	}
	slices.SortFunc(out, func(a, b RuleProfile) int {
		switch {
		case a.Nanos != b.Nanos && a.Nanos > b.Nanos:
			return -1
		case a.Nanos != b.Nanos:
			return 1
		}
		return int(b.Checks) - int(a.Checks)
	})
	return out
}

func (w *Worker) profileStart() int64 {
	if w.clock == nil {
		return 0
	}
	return w.clock()
}

func (w *Worker) profileEnd(s *sig, start int64, hit bool) {
	if w.trace != nil {
		w.trace.end(s, hit)
	}
	if w.clock == nil {
		return
	}
	p := &w.e.profile[s.num]
	p.checks.Add(1)
	p.nanos.Add(uint64(max(w.clock()-start, 0)))
	if hit {
		p.matches.Add(1)
	}
}

func sortLong(c []uint32) { slices.Sort(c) }
