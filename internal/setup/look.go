package setup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Look observes for a run with a journal. When a broken run made things that describe
// calls do not show yet, it looks again for a while; what stays away is gone, and the
// run begins anew, with client tokens of its own.
func Look(ctx context.Context, c Cloud, o ObserveOptions, j *Journal, wait func(context.Context, time.Duration) error) (*Observed, error) {
	if wait == nil {
		wait = pause
	}
	w, err := Observe(ctx, c, o)
	if err != nil || j == nil || !j.Resume {
		return w, err
	}
	d := freshPause
	for range maxFreshTries {
		if len(j.Unseen(w)) == 0 {
			return w, nil
		}
		if err := wait(ctx, d); err != nil {
			return nil, err
		}
		d = min(2*d, maxPause)
		if w, err = Observe(ctx, c, o); err != nil {
			return nil, err
		}
	}
	return w, j.Restart(o.Stack, w.Identity, RandomRun)
}

// RandomRun returns a name for a run.
func RandomRun() string {
	var b [12]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("setup: no randomness: " + err.Error()) // crypto/rand does not fail
	}
	return hex.EncodeToString(b[:])
}
