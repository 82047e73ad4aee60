// Package agent is the software mirror: it reads the frames of one interface, asks a
// mirror.Program which session takes each, cuts the frame, puts it into VXLAN in the
// form AWS gives it, and hands it to a Sender in batches.
//
// It knows nothing of the endpoint, and resolves nothing: the caller compiles the
// program, finds the targets and says in a Plan where each session goes. A Plan is
// immutable and is swapped between two batches. Nothing is allocated per packet. Every
// frame seen ends in exactly one place of the ledger (Counters).
package agent

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// Mirror mirrors the packets of one interface.
type Mirror struct {
	opts   Options
	reader capture.Reader
	plan   atomic.Pointer[compiled]
	counts counts
	last   atomic.Pointer[error] // why the last packet could not be sent

	// using is held while frames are used, so that Close does not free them under us; closed
	// is guarded by it.
	using  sync.Mutex
	closed bool

	// What follows belongs to the goroutine that runs the Mirror.
	running atomic.Bool
	batch   capture.Batch
	decoder *packet.Decoder
	layers  []packet.Parsed
	tally   tally
	bucket  bucket
	clock   func() int64 // nanoseconds
	then    int64
	arena   []byte
	used    int
	from    int64 // Unix nanoseconds: frames before are those of another engine. Set before Run
}

// New opens the interface and returns a Mirror that is ready to Run. Needs CAP_NET_RAW.
func New(o Options, p *Plan) (*Mirror, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	start := time.Now()
	m := &Mirror{
		opts:    o,
		decoder: packet.NewDecoder(packet.Options{VXLANPorts: []uint16{}, GENEVEPorts: []uint16{}, TeredoPorts: []uint16{}}),
		layers:  make([]packet.Parsed, 0, packet.MaxLayers+1),
		bucket:  newBucket(o.Limit),
		clock:   func() int64 { return int64(time.Since(start)) },
	}
	c, err := m.compile(p)
	if err != nil {
		return nil, err
	}
	m.reader = o.Reader
	if m.reader == nil {
		if m.reader, err = openReader(o); err != nil {
			return nil, err
		}
	}
	m.counts.use(c, false)
	m.plan.Store(c)
	return m, nil
}

// Swap makes p the plan from the next batch on; no packet is lost. With an error the old
// plan stays.
func (m *Mirror) Swap(p *Plan) error {
	c, err := m.compile(p)
	if err != nil {
		return err
	}
	m.plan.Store(c)
	m.counts.use(c, true)
	return nil
}

// Counters returns what has been counted up to the last batch.
func (m *Mirror) Counters() Counters { return m.counts.snapshot(m.reader.Stats()) }

// LastError returns why the last packet that could not be sent was not; nil when there
// was none.
func (m *Mirror) LastError() error {
	if e := m.last.Load(); e != nil {
		return *e
	}
	return nil
}

// Close frees the interface. A running Run ends with its batch.
func (m *Mirror) Close() error {
	m.using.Lock()
	defer m.using.Unlock()
	m.closed = true
	return m.reader.Close()
}

// Run mirrors until ctx is done, the Mirror is closed or the reader has no more frames.
// Then it returns nil. It must be called once.
func (m *Mirror) Run(ctx context.Context) error {
	if m.running.Swap(true) {
		return errors.New("agent: runs already")
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		m.Close()
		close(closed)
	})
	defer func() {
		if !stop() {
			<-closed
		}
	}()
	for {
		err := m.reader.Read(&m.batch, -1)
		m.work()
		switch {
		case err == nil:
		case err == io.EOF || errors.Is(err, capture.ErrClosed):
			return nil
		default:
			m.Close()
			return err
		}
	}
}

// work mirrors what was read, unless the Mirror is closed already.
func (m *Mirror) work() {
	m.using.Lock()
	defer m.using.Unlock()
	for m.from > 0 && len(m.batch.Frames) > 0 {
		if m.batch.Frames[0].Time >= m.from {
			m.from = 0
			break
		}
		m.batch.Frames = m.batch.Frames[1:]
	}
	if !m.closed && len(m.batch.Frames) > 0 {
		m.step(m.plan.Load())
	}
}

// step mirrors the frames of the batch.
func (m *Mirror) step(c *compiled) {
	if m.bucket.limited {
		now := m.clock()
		m.bucket.pass(now - m.then)
		m.then = now
		if m.bucket.shared {
			var bytes, frames int64
			for i := range m.batch.Frames {
				f := &m.batch.Frames[i]
				bytes += int64(f.WireLen)
				frames++
			}
			m.bucket.produce(bytes, frames)
		}
	}
	for i := range m.batch.Frames {
		m.frame(c, &m.batch.Frames[i])
	}
	m.flush(c)
	m.counts.add(&m.tally, c)
}

// frame mirrors one frame if a session takes it.
func (m *Mirror) frame(c *compiled, f *capture.Frame) {
	m.layers = m.decoder.Decode(m.layers[:0], f.Link, f.Data, f.WireLen, f.Time)
	p := &m.layers[0]
	out := f.Outgoing != m.opts.OtherEnd
	dir := mirror.Ingress
	if out {
		dir = mirror.Egress
	}
	d := c.program.Decide(p, dir)
	s := segments{n: 1, bytes: f.WireLen}
	if f.Offload.Segments != capture.SegmentsNone {
		s = newSegments(f, p)
	}
	m.tally.frames += uint64(s.n)
	m.tally.bytes += uint64(s.bytes)
	if !d.Mirror {
		m.tally.notMirrored[d.Reason] += uint64(s.n)
		return
	}
	l := &c.lanes[d.Session]
	l.now.touched = true
	switch {
	case l.box < 0:
		m.tally.errTarget += uint64(s.n)
		l.now.errors += uint64(s.n)
		return
	case s.bad:
		m.tally.errSplit += uint64(s.n)
		l.now.errors += uint64(s.n)
		return
	}
	j := job{c: c, lane: d.Session, out: out, port: c.program.SourcePort(p, d), d: d}
	if len(l.headers) > 1 || l.headers[0].cookie > 0 {
		j.flow = uint32(p.SymmetricHash(0) >> 32)
	}
	j.header = &l.headers[uint64(j.flow)*uint64(len(l.headers))>>32]
	if f.Offload.Segments != capture.SegmentsNone {
		m.cut(&j, f, p, &s)
		return
	}
	if f.Offload.NeedsChecksum {
		fillChecksum(f.Data, &f.Offload)
	}
	n := min(d.Length, len(f.Data))
	if d.CutByLength {
		l.now.cutLength++
	}
	if d.CutByMTU {
		l.now.cutMTU++
	}
	if !m.admit(&j, f.WireLen, j.header.len+n) {
		return
	}
	m.send(&j, f.Data[:n:n], f.WireLen)
}

// job is a frame that is being mirrored.
type job struct {
	c      *compiled
	lane   int
	header *header
	out    bool
	port   uint16
	flow   uint32
	d      mirror.Decision
}

// way is the index of counters by direction.
func way(out bool) int {
	if out {
		return 1
	}
	return 0
}

// admit asks the token bucket for a packet of size bytes, and counts a frame of wire
// bytes as skipped when there is nothing left.
func (m *Mirror) admit(j *job, wire, size int) bool {
	if !m.bucket.limited || m.bucket.take(size) {
		return true
	}
	m.skip(j.c, note{lane: j.lane, out: j.out, bytes: wire})
	return false
}

func (m *Mirror) skip(c *compiled, n note) {
	m.tally.skip[way(n.out)] += uint64(n.bytes)
	m.tally.skipPackets[way(n.out)]++
	l := &c.lanes[n.lane].now
	l.skipped++
	l.skipBytes += uint64(n.bytes)
}

// alloc returns n bytes that last until the next flush.
func (m *Mirror) alloc(c *compiled, n int) []byte {
	if m.used+n > len(m.arena) {
		m.flush(c)
		if n > len(m.arena) { // the first time, or longer than any frame there is
			m.arena = make([]byte, max(n, arenaSize))
		}
	}
	b := m.arena[m.used : m.used+n : m.used+n]
	m.used = min((m.used+n+63)&^63, len(m.arena))
	return b
}

// send puts the outer headers before frame and queues it.
func (m *Mirror) send(j *job, frame []byte, wire int) {
	b := &j.c.boxes[j.c.lanes[j.lane].box]
	at := len(b.batch) * maxHead
	head := b.heads[at : at+j.header.len : at+maxHead]
	j.header.put(head, j.port, j.flow, len(frame))
	b.batch = append(b.batch, Datagram{Head: head, Frame: frame, Route: j.header.route})
	b.notes = append(b.notes, note{lane: j.lane, out: j.out, bytes: wire})
	if len(b.batch) == cap(b.batch) {
		m.empty(j.c, b)
	}
}

func (m *Mirror) failed(err error) { m.last.Store(&err) }

// flush sends what is queued. The arena is free after it.
func (m *Mirror) flush(c *compiled) {
	for i := range c.boxes {
		if b := &c.boxes[i]; len(b.batch) > 0 {
			m.empty(c, b)
		}
	}
	m.used = 0
}

// empty sends what is in b and counts it.
func (m *Mirror) empty(c *compiled, b *box) {
	err := b.sender.Send(b.batch)
	for i := range b.batch {
		d, n := &b.batch[i], b.notes[i]
		l := &c.lanes[n.lane].now
		switch d.Fate {
		case Sent:
			m.tally.mirror[way(n.out)] += uint64(n.bytes)
			m.tally.mirrorPackets[way(n.out)]++
			l.packets[way(n.out)]++
			l.bytes[way(n.out)] += uint64(n.bytes)
			l.sent += uint64(d.Len())
		case Busy:
			m.skip(c, n)
		default:
			m.tally.errSend++
			l.errors++
		}
	}
	if err != nil {
		m.failed(err)
	}
	b.batch, b.notes = b.batch[:0], b.notes[:0]
}
