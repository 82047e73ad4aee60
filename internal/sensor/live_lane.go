package sensor

import (
	"sync"
	"sync/atomic"

	"mirador/internal/capture"
)

// lane is a worker with what leads to it. A worker may have several receivers, one
// for each port; the lock makes the one that has frames the worker's owner for one
// batch. With one port nobody else ever wants it.
type lane struct {
	live    *Live
	id      int
	readers []capture.Reader // whose kernel drops are this worker's; fixed after the start

	mu      sync.Mutex // guards what follows, the worker above all
	w       *Worker
	opt     *Options
	gen     *Generation
	flushAt int64
	pubAt   int64
	srcAt   int64
	turn    uint64 // of srcs
	srcs    []SourceRow

	uses atomic.Pointer[Generation]
	snap atomic.Pointer[WorkerSnapshot]
}

func newLane(l *Live, id int, opt *Options) (*lane, error) {
	g := l.gen.Load()
	opt.Engine, opt.Sources, opt.AllowSource, opt.AllowVNI = g.Engine, g.Sources, g.AllowSource, g.AllowVNI
	opt.StatsInterval, opt.Live = 0, true
	w, err := NewWorker(opt)
	if err != nil {
		return nil, err
	}
	n := &lane{live: l, id: id, w: w, opt: opt, gen: g}
	n.uses.Store(g)
	n.publishLocked(l.o.Now())
	return n, nil
}

// batch processes frames.
func (n *lane) batch(frames []capture.Frame) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.adoptLocked()
	n.w.follow(frames[0].Time)
	for i := range frames {
		f := &frames[i]
		if f.Outer.Version != 0 {
			n.w.Datagram(f.Link, f.Outer.Src, f.Outer.Dst, f.Outer.SrcPort, f.Outer.DstPort, f.Data, f.WireLen, f.Time)
		} else {
			n.w.Frame(f.Link, f.Data, f.WireLen, f.Time)
		}
	}
	n.afterLocked(frames[len(frames)-1].Time)
}

// idle does what is due when nothing comes in.
func (n *lane) idle(now int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.adoptLocked()
	n.w.follow(now)
	n.w.Idle(now)
	n.flushAt = 0
	n.afterLocked(now)
}

// settle lets everything out when a receiver has ended.
func (n *lane) settle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.w.Flush()
	n.srcAt = 0
	n.publishLocked(n.live.o.Now())
}

// adoptLocked takes a new generation, between two batches.
func (n *lane) adoptLocked() {
	g := n.live.gen.Load()
	if g == n.gen {
		return
	}
	n.gen = g
	n.opt.AllowSource, n.opt.AllowVNI = g.AllowSource, g.AllowVNI
	n.w.Swap(g.Engine)
	n.w.SwapSources(g.Sources)
	n.uses.Store(g)
}

// afterLocked lets lines and counters out when they are due.
func (n *lane) afterLocked(t int64) {
	if due(t, n.flushAt, int64(flushEvery)) {
		n.w.Flush()
		n.flushAt = t + int64(flushEvery)
	}
	if due(t, n.pubAt, int64(publishEvery)) {
		n.publishLocked(t)
	}
}

// due tells whether t is past at, or so far before it that the clock was set back.
func due(t, at, every int64) bool { return t >= at || at-t > every }

// finish ends all flows and publishes the last counters.
func (n *lane) finish() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.w.Finish()
	n.srcAt = 0
	n.publishLocked(n.live.o.Now())
	return err
}
