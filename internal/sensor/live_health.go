package sensor

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Phase is where a sensor is in its life.
type Phase int32

// The phases.
const (
	PhaseStarting Phase = iota // rules are not loaded yet
	PhaseRunning
	PhaseDraining // told to stop, still receiving
)

// StalledAfter is how long a receive loop may be silent before the sensor counts as
// stalled. A loop that works is back at its start within a batch.
const StalledAfter = 5 * time.Second

// Health tells whether a load balancer should send packets here. Full disks, sinks
// that are down and dropped packets are no reason not to: taking a loaded sensor out
// of service makes it worse. It is safe for concurrent use.
type Health struct {
	now   func() time.Duration // monotonic
	phase atomic.Int32

	mu    sync.Mutex // guards beats
	beats []*Beat
}

// NewHealth returns a Health in PhaseStarting. now is a monotonic clock; nil is the
// system's.
func NewHealth(now func() time.Duration) *Health {
	if now == nil {
		start := time.Now()
		now = func() time.Duration { return time.Since(start) }
	}
	return &Health{now: now}
}

// SetPhase moves on to p. There is no way back from draining.
func (h *Health) SetPhase(p Phase) {
	for {
		old := h.phase.Load()
		if Phase(old) == PhaseDraining || h.phase.CompareAndSwap(old, int32(p)) {
			return
		}
	}
}

// Phase returns the phase.
func (h *Health) Phase() Phase { return Phase(h.phase.Load()) }

// Beat is the sign of life of one loop.
type Beat struct {
	h    *Health
	name string
	last atomic.Int64 // -1 once the loop has ended
}

// Beat adds a loop called name to those that have to live.
func (h *Health) Beat(name string) *Beat {
	b := &Beat{h: h, name: name}
	b.Mark()
	h.mu.Lock()
	h.beats = append(h.beats, b)
	h.mu.Unlock()
	return b
}

// Mark says that the loop is alive.
func (b *Beat) Mark() { b.last.Store(int64(b.h.now())) }

// Stop says that the loop has ended as it should.
func (b *Beat) Stop() { b.last.Store(-1) }

// Check returns whether all is well, and otherwise why not in a few words:
// "starting", "draining", or "stalled: ...".
func (h *Health) Check() (ok bool, reason string) {
	switch h.Phase() {
	case PhaseStarting:
		return false, "starting"
	case PhaseDraining:
		return false, "draining"
	}
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.beats {
		last := b.last.Load()
		if silent := now - time.Duration(last); last >= 0 && silent > StalledAfter {
			return false, fmt.Sprintf("stalled: %s is silent for %s", b.name, silent.Truncate(time.Second))
		}
	}
	return true, "ok"
}
