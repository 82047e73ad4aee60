package sensor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mirador/internal/capture"
	"mirador/internal/detect"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// Times of the live pipeline.
const (
	// readWait is how long a receiver waits for a frame before it does what is due
	// without traffic: flows end by wall time, lines go out.
	readWait = 100 * time.Millisecond
	// flushEvery bounds how long an event waits in a worker under load; a receiver
	// that finds nothing to read flushes at once.
	flushEvery = 100 * time.Millisecond
	// publishEvery is how old the counters of a worker may be.
	publishEvery = 200 * time.Millisecond
	// lastRead bounds the reading of what is left in the sockets after the drain.
	lastRead = 2 * time.Second
)

// DefaultDrain is how long a sensor goes on receiving after it was told to stop.
const DefaultDrain = 5 * time.Second

// Input is one way frames come in: a port with one socket per worker, a network
// interface with one ring per worker, or a single reader.
type Input struct {
	Name string // for people: "vxlan 10.0.0.5:4789"
	// Readers has one reader for each worker when the kernel steers, or exactly one,
	// whose frames are then handed to the workers over queues.
	Readers []capture.Reader
	Addr    netip.AddrPort // where a socket listens
	// Unsteered says why there is one reader for several workers; nil otherwise.
	Unsteered error
}

// Generation is what a reload exchanges as one.
type Generation struct {
	Engine      *detect.Engine
	Sources     *mirror.SourceTable
	AllowSource func(packet.Addr) bool
	AllowVNI    func(uint32) bool
}

// LiveOptions configure a Live.
type LiveOptions struct {
	Workers int // at least 1
	// Worker returns the options of worker i, a value of its own. Sinks that workers
	// share must be safe for concurrent use; callbacks are called by all of them.
	Worker func(i int) (*Options, error)
	// Outputs get the stats records, summed over the workers.
	Outputs       []Output
	StatsInterval time.Duration // 0: no stats records
	Inputs        []Input
	First         Generation
	Drain         time.Duration // how long to go on receiving after the end was asked for
	Health        *Health       // nil: one of its own
	// Failed is told about readers that fail; it may be nil, and is called at most
	// once a second and reader.
	Failed func(input string, err error)
	// Present is told when the interface of an input goes away (false) and when it is
	// back (true); it may be nil.
	Present func(input string, there bool)
	// Now is the wall clock in Unix nanoseconds; nil: the system's.
	Now  func() int64
	Seed uint32
}

// Live receives frames and runs one Worker for each core. All methods are safe for
// concurrent use; Run is called once.
type Live struct {
	o      LiveOptions
	lanes  []*lane
	recv   []*receiver
	spread []*spreader
	gen    atomic.Pointer[Generation]
	swaps  atomic.Uint64
	health *Health
	stats  liveStats
	began  int64

	stopping atomic.Bool // receivers end once there is nothing to read
	deadline atomic.Int64
	wg       sync.WaitGroup
}

// NewLive makes the workers. The readers of o.Inputs are closed by Run, or here when
// there is an error.
func NewLive(o LiveOptions) (*Live, error) {
	l, err := newLive(o)
	if err != nil {
		for _, in := range o.Inputs {
			in.close()
		}
	}
	return l, err
}

func newLive(o LiveOptions) (*Live, error) {
	if o.Workers < 1 {
		return nil, fmt.Errorf("%d workers", o.Workers)
	}
	if o.First.Engine == nil {
		return nil, errors.New("no detection engine")
	}
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixNano() }
	}
	l := &Live{o: o, health: o.Health, began: o.Now()}
	if l.health == nil {
		l.health = NewHealth(nil)
	}
	first := o.First
	l.gen.Store(&first)
	for i := range o.Workers {
		opt, err := o.Worker(i)
		if err != nil {
			return nil, err
		}
		n, err := newLane(l, i, opt)
		if err != nil {
			return nil, err
		}
		l.lanes = append(l.lanes, n)
	}
	for i := range o.Inputs {
		if err := l.addInput(&l.o.Inputs[i]); err != nil {
			return nil, err
		}
	}
	return l, l.stats.init(l)
}

// addInput makes the receivers of one input.
func (l *Live) addInput(in *Input) error {
	switch len(in.Readers) {
	case len(l.lanes):
		for i, r := range in.Readers {
			l.lanes[i].readers = append(l.lanes[i].readers, r)
			l.recv = append(l.recv, &receiver{live: l, in: in, r: r, lane: l.lanes[i], beat: l.health.Beat(fmt.Sprintf("%s, worker %d", in.Name, i))})
		}
	case 1:
		l.spread = append(l.spread, newSpreader(l, in))
	default:
		return fmt.Errorf("input %s has %d readers for %d workers", in.Name, len(in.Readers), len(l.lanes))
	}
	return nil
}

func (in *Input) close() {
	for _, r := range in.Readers {
		r.Close()
	}
}

// Run receives until ctx is done, goes on for o.Drain while Health says that it is
// draining, ends all flows, writes what is left and returns. The error is the first
// one of an output, if any.
func (l *Live) Run(ctx context.Context) error {
	for _, r := range l.recv {
		l.wg.Go(r.run)
	}
	for _, s := range l.spread {
		l.wg.Go(s.run)
	}
	l.health.SetPhase(PhaseRunning)
	l.supervise(ctx)
	l.wg.Wait()
	for i := range l.o.Inputs {
		l.o.Inputs[i].close()
	}
	return l.finish()
}

// supervise writes stats records until the end, and leads through it.
func (l *Live) supervise(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var drained <-chan time.Time
	done := ctx.Done()
	for {
		select {
		case <-done:
			done = nil
			l.health.SetPhase(PhaseDraining)
			t := time.NewTimer(l.o.Drain)
			defer t.Stop()
			drained = t.C
		case <-drained:
			l.deadline.Store(time.Now().Add(lastRead).UnixNano())
			l.stopping.Store(true)
			return
		case <-tick.C:
			l.stats.tick(l, l.o.Now())
		}
	}
}

// finish ends the flows of all workers.
func (l *Live) finish() error {
	var wg sync.WaitGroup
	errs := make([]error, len(l.lanes))
	for i, n := range l.lanes {
		wg.Go(func() { errs[i] = n.finish() })
	}
	wg.Wait()
	l.stats.write(l, l.o.Now())
	return errors.Join(errs...)
}

// Swap makes g what all workers use from their next batch on. Nothing is lost: no
// worker waits for another, and live flows go on.
func (l *Live) Swap(g Generation) {
	l.gen.Store(&g)
	l.swaps.Add(1)
}

// Swapped tells whether all workers work with the last Generation.
func (l *Live) Swapped() bool {
	g := l.gen.Load()
	for _, n := range l.lanes {
		if n.uses.Load() != g {
			return false
		}
	}
	return true
}

// Workers returns the number of workers.
func (l *Live) Workers() int { return len(l.lanes) }

// Inputs returns what was opened. The slice is not to be changed.
func (l *Live) Inputs() []Input { return l.o.Inputs }
