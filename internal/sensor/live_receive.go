package sensor

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"mirador/internal/capture"
)

// receiver reads one reader in a goroutine and gives its frames to one worker.
type receiver struct {
	live *Live
	in   *Input
	r    capture.Reader
	lane *lane
	beat *Beat
	errs failures
}

func (r *receiver) run() {
	var b capture.Batch
	defer r.lane.settle()
	defer b.Release()
	defer r.beat.Stop()
	for {
		r.beat.Mark()
		more, ok := r.live.read(r.r, &b, r.in, &r.errs)
		switch {
		case !ok:
			return
		case len(b.Frames) > 0:
			r.lane.batch(b.Frames)
		case !more:
			return
		default:
			r.lane.idle(r.live.o.Now())
		}
	}
}

// read fills b. ok is false at the end of r. more is false when an empty b means
// that nothing is left and the sensor is stopping.
func (l *Live) read(r capture.Reader, b *capture.Batch, in *Input, f *failures) (more, ok bool) {
	wait := readWait
	stop := l.stopping.Load()
	if stop {
		wait = 0
		if time.Now().UnixNano() > l.deadline.Load() {
			return false, false
		}
	}
	err := r.Read(b, wait)
	f.watch(l, in, r)
	switch {
	case err == nil:
		return !stop, true
	case errors.Is(err, io.EOF), errors.Is(err, capture.ErrClosed):
		return false, false
	}
	f.note(l, in, err)
	return !stop, true
}

// retryAfter is the pause after a reader failed, so that one that fails for ever
// costs nothing.
const retryAfter = 100 * time.Millisecond

// failures counts what a reader could not do and reports it sparingly.
type failures struct {
	count    atomic.Uint64
	reported time.Time
	gone     bool // the interface, when last looked at
}

// watch reports when the interface that in listens on goes away and when it is back. Of
// several readers of one interface the first one tells.
func (f *failures) watch(l *Live, in *Input, r capture.Reader) {
	x, ok := r.(interface{ Gone() bool })
	if !ok || r != in.Readers[0] {
		return
	}
	if gone := x.Gone(); gone != f.gone {
		f.gone = gone
		if l.o.Present != nil {
			l.o.Present(in.Name, !gone)
		}
	}
}

func (f *failures) note(l *Live, in *Input, err error) {
	f.count.Add(1)
	if now := time.Now(); l.o.Failed != nil && now.Sub(f.reported) >= time.Second {
		f.reported = now
		l.o.Failed(in.Name, err)
	}
	time.Sleep(retryAfter)
}

// Bounds of the queues between one reader and several workers.
const (
	// queueParcels and parcelBytes make 4 MiB for each worker: some 10 ms of 3 Gbit/s.
	queueParcels = 32
	parcelBytes  = 128 << 10
	parcelFrames = 64
)

// parcel is a batch of frames for one worker, with their bytes.
type parcel struct {
	frames []capture.Frame
	buf    []byte
}

// queue leads from a spreader to one worker. Parcels go round: from free to the
// spreader, over full to the worker, and back.
type queue struct {
	lane *lane
	beat *Beat
	free chan *parcel
	full chan *parcel
	cur  *parcel // being filled
}

// spreader reads one reader and hands the frames to the workers, by the same choice
// the kernel would make. It never waits for a worker: what finds its queue full is
// dropped and counted.
type spreader struct {
	live   *Live
	in     *Input
	r      capture.Reader
	beat   *Beat
	errs   failures
	queues []*queue

	dropped, droppedBytes atomic.Uint64
}

func newSpreader(l *Live, in *Input) *spreader {
	s := &spreader{live: l, in: in, r: in.Readers[0], beat: l.health.Beat(in.Name)}
	for _, n := range l.lanes {
		q := &queue{lane: n, beat: l.health.Beat(in.Name + ", queue"), free: make(chan *parcel, queueParcels), full: make(chan *parcel, queueParcels)}
		for range queueParcels {
			q.free <- &parcel{}
		}
		s.queues = append(s.queues, q)
	}
	return s
}

func (s *spreader) run() {
	var wg sync.WaitGroup
	for _, q := range s.queues {
		wg.Go(func() { s.work(q) })
	}
	var b capture.Batch
	for {
		s.beat.Mark()
		more, ok := s.live.read(s.r, &b, s.in, &s.errs)
		if !ok || !more && len(b.Frames) == 0 {
			break
		}
		for i := range b.Frames {
			s.put(&b.Frames[i])
		}
		for _, q := range s.queues {
			q.send()
		}
	}
	b.Release()
	s.beat.Stop()
	for _, q := range s.queues {
		close(q.full)
	}
	wg.Wait()
}

// put copies f into the parcel of its worker.
func (s *spreader) put(f *capture.Frame) {
	q := s.queues[0]
	if len(s.queues) > 1 {
		q = s.queues[capture.Steer(f, len(s.queues), s.live.o.Seed)]
	}
	if p := q.cur; p != nil && (len(p.frames) == parcelFrames || len(p.buf)+len(f.Data) > parcelBytes) {
		q.send()
	}
	if q.cur == nil {
		select {
		case q.cur = <-q.free:
		default:
			s.dropped.Add(1)
			s.droppedBytes.Add(uint64(len(f.Data)))
			return
		}
	}
	p := q.cur
	if p.buf == nil {
		p.buf, p.frames = make([]byte, 0, parcelBytes), make([]capture.Frame, 0, parcelFrames)
	}
	at := len(p.buf)
	p.buf = append(p.buf, f.Data...)
	c := *f
	c.Data = p.buf[at:len(p.buf):len(p.buf)]
	p.frames = append(p.frames, c)
}

// send hands the parcel in work to the worker. There is always room: full has as
// many places as there are parcels.
func (q *queue) send() {
	if q.cur != nil {
		q.full <- q.cur
		q.cur = nil
	}
}

// work is the goroutine of one worker's queue.
func (s *spreader) work(q *queue) {
	t := time.NewTicker(readWait)
	defer t.Stop()
	defer q.lane.settle()
	defer q.beat.Stop()
	for {
		q.beat.Mark()
		select {
		case p, ok := <-q.full:
			if !ok {
				return
			}
			q.lane.batch(p.frames)
			p.frames, p.buf = p.frames[:0], p.buf[:0]
			q.free <- p
		case <-t.C:
			q.lane.idle(s.live.o.Now())
		}
	}
}
