package sensor

import (
	"sort"
	"time"

	"mirador/internal/eve"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// WorkerSnapshot is what a worker has counted up to a moment. It is not changed
// once published.
type WorkerSnapshot struct {
	Worker   int
	Time     int64 // Unix nanoseconds
	Ledger   Ledger
	Counters []Counter
	Sources  []SourceRow // refreshed once a second
	Turn     uint64      // how often Sources were refreshed
}

// SourceRow is the account of one mirror source: an outer address with a VNI, and behind
// a Gateway Load Balancer the endpoint's id (0: none).
type SourceRow struct {
	Outer    packet.Addr
	VNI      uint32
	Endpoint uint64
	Known    *mirror.Source // nil when the sources file does not name it
	// Others marks the row of all sources beyond MaxSources.
	Others bool

	Packets, Bytes, Truncated, Duplicates, Alerts uint64
	First, Last                                   int64 // Unix nanoseconds

	Probe   mirror.ProbeToken // of the last probe packet
	Probes  uint64
	ProbeAt int64 // Unix nanoseconds
}

// publishLocked lets others see the counters.
func (n *lane) publishLocked(t int64) {
	n.pubAt = t + int64(publishEvery)
	var kernel uint64
	for _, r := range n.readers {
		kernel += r.Stats().Drops
	}
	n.w.Ledger.Kernel = kernel
	if due(t, n.srcAt, int64(time.Second)) {
		n.srcAt = t + int64(time.Second)
		n.srcs = n.w.Sources()
		n.turn++
	}
	n.snap.Store(&WorkerSnapshot{Worker: n.id, Time: t, Ledger: n.w.Ledger,
		Counters: n.w.AppendCounters(make([]Counter, 0, len(n.w.counters))), Sources: n.srcs, Turn: n.turn})
}

// Sources returns the account of each source, in the order of their first packets.
func (w *Worker) Sources() []SourceRow {
	rows := make([]SourceRow, 0, len(w.sources.list)+1)
	add := func(s *source, others bool) {
		rows = append(rows, SourceRow{Outer: s.key.addr, VNI: s.key.vni, Endpoint: s.key.endpoint, Known: s.known, Others: others,
			Packets: s.packets, Bytes: s.bytes, Truncated: s.truncated, Duplicates: s.dups, Alerts: s.alerts,
			First: s.first, Last: s.last, Probe: s.probe, Probes: s.probes, ProbeAt: s.probeAt})
	}
	for _, s := range w.sources.list {
		add(s, false)
	}
	if w.sources.over != nil {
		add(w.sources.over, true)
	}
	return rows
}

// InputState is one input as status shows it.
type InputState struct {
	Name      string
	Steered   bool
	Why       string // not steered
	Drops     uint64 // by the kernel
	QueueFull uint64
	Failures  uint64
	Gone      bool   // the interface is not there
	Replugs   uint64 // times it came back
}

// Snapshot is the state of the whole sensor: what each worker counted, and the sums.
type Snapshot struct {
	Started  int64
	Ledger   Ledger
	Counters []Counter
	Workers  []*WorkerSnapshot
	Sources  []SourceRow
	Inputs   []InputState
	Swaps    uint64
	// Turn grows when the counters of every worker have been taken anew.
	Turn uint64
}

// Snapshot returns the counters, not older than a fraction of a second unless a
// worker is stalled. It never waits for a worker.
func (l *Live) Snapshot() *Snapshot {
	s := &Snapshot{Started: l.began, Swaps: l.swaps.Load()}
	for _, n := range l.lanes {
		w := n.snap.Load()
		s.Workers = append(s.Workers, w)
		if len(s.Workers) == 1 || w.Turn < s.Turn {
			s.Turn = w.Turn
		}
		s.Ledger.Add(&w.Ledger)
		s.Counters = addCounters(s.Counters, w.Counters)
	}
	s.Counters = appendSharedCounters(s.Counters, l.gen.Load().Engine.Shared())
	s.Sources = mergeSources(s.Workers)
	for i := range l.o.Inputs {
		in := &l.o.Inputs[i]
		st := InputState{Name: in.Name, Steered: in.Unsteered == nil}
		if in.Unsteered != nil {
			st.Why = in.Unsteered.Error()
		}
		for _, r := range in.Readers {
			rs := r.Stats()
			st.Drops += rs.Drops
			st.Gone = st.Gone || rs.Gone
			st.Replugs = max(st.Replugs, rs.Replugs)
		}
		l.entrance(in, &st, s)
		s.Inputs = append(s.Inputs, st)
	}
	return s
}

// Gone returns the names of the inputs whose interface is not there.
func (l *Live) Gone() (names []string) {
	for i := range l.o.Inputs {
		in := &l.o.Inputs[i]
		if x, ok := in.Readers[0].(interface{ Gone() bool }); ok && x.Gone() {
			names = append(names, in.Name)
		}
	}
	return names
}

// entrance adds what was counted before a frame reached a worker.
func (l *Live) entrance(in *Input, st *InputState, s *Snapshot) {
	for _, r := range l.recv {
		if r.in == in {
			st.Failures += r.errs.count.Load()
		}
	}
	for _, p := range l.spread {
		if p.in != in {
			continue
		}
		full := p.dropped.Load()
		st.Failures += p.errs.count.Load()
		st.QueueFull += full
		s.Ledger.Received += full
		s.Ledger.ReceivedBytes += p.droppedBytes.Load()
		s.Ledger.Drops[DropQueue] += full
		s.Ledger.Kernel += st.Drops
		setCounter(s.Counters, "mirror.received", s.Ledger.Received)
		setCounter(s.Counters, "mirror.drop.queue_full", s.Ledger.Drops[DropQueue])
		setCounter(s.Counters, "capture.kernel_packets", s.Ledger.Received+s.Ledger.Kernel)
		setCounter(s.Counters, "capture.kernel_drops", s.Ledger.Kernel)
	}
}

func setCounter(list []Counter, name string, v uint64) {
	for i := range list {
		if list[i].Name == name {
			list[i].Value = v
		}
	}
}

// addCounters adds what one worker counted to the sums. All workers count the same
// things in the same order.
func addCounters(sum, w []Counter) []Counter {
	if sum == nil {
		return append(sum, w...)
	}
	var pkts, bytes uint64
	for i := range sum {
		c := &sum[i]
		switch c.Name {
		case "decoder.max_pkt_size":
			c.Value = max(c.Value, w[i].Value)
			continue
		case "decoder.avg_pkt_size":
			if pkts > 0 {
				c.Value = bytes / pkts
			}
			continue
		}
		c.Value += w[i].Value
		switch c.Name {
		case "decoder.pkts":
			pkts = c.Value
		case "decoder.bytes":
			bytes = c.Value
		}
	}
	return sum
}

// mergeSources adds up the rows that workers have of one source, ordered by VNI,
// address and endpoint.
func mergeSources(workers []*WorkerSnapshot) []SourceRow {
	type key struct {
		sourceKey
		others bool
	}
	at := map[key]int{}
	var rows []SourceRow
	for _, w := range workers {
		for _, r := range w.Sources {
			k := key{sourceKey{r.Outer, r.VNI, r.Endpoint}, r.Others}
			i, ok := at[k]
			if !ok {
				at[k] = len(rows)
				rows = append(rows, r)
				continue
			}
			s := &rows[i]
			s.Packets += r.Packets
			s.Bytes += r.Bytes
			s.Truncated += r.Truncated
			s.Duplicates += r.Duplicates
			s.Alerts += r.Alerts
			s.First, s.Last = min(s.First, r.First), max(s.Last, r.Last)
			s.Probes += r.Probes
			if r.ProbeAt > s.ProbeAt {
				s.Probe, s.ProbeAt = r.Probe, r.ProbeAt
			}
		}
	}
	sort.Slice(rows, func(i, j int) bool {
		a, b := &rows[i], &rows[j]
		if a.VNI != b.VNI {
			return a.VNI < b.VNI
		}
		if a.Outer != b.Outer {
			return string(a.Outer[:]) < string(b.Outer[:])
		}
		return a.Endpoint < b.Endpoint
	})
	return rows
}

// liveStats writes the stats records of the whole sensor.
type liveStats struct {
	outs   []output
	plan   *eve.StatsPlan
	now    []uint64
	last   []uint64
	nextAt int64
}

func (s *liveStats) init(l *Live) error {
	var names []string
	for _, c := range l.lanes[0].w.counters {
		names = append(names, c.Name)
	}
	var err error
	if s.plan, err = eve.NewStatsPlan(names); err != nil {
		return err
	}
	table := l.lanes[0].opt.Table
	for _, o := range l.o.Outputs {
		if o.Options.StatsOn && l.o.StatsInterval > 0 {
			s.outs = append(s.outs, output{w: eve.NewWriter(o.Options, table), sink: o.Sink})
		}
	}
	s.nextAt = l.began + int64(l.o.StatsInterval)
	return nil
}

func (s *liveStats) tick(l *Live, now int64) {
	if len(s.outs) > 0 && due(now, s.nextAt, int64(l.o.StatsInterval)) {
		s.write(l, now)
		s.nextAt = now + int64(l.o.StatsInterval)
	}
}

// write writes one record.
func (s *liveStats) write(l *Live, now int64) {
	if len(s.outs) == 0 {
		return
	}
	s.now = s.now[:0]
	for _, c := range l.Snapshot().Counters {
		s.now = append(s.now, c.Value)
	}
	rec := eve.Stats{Time: now, Uptime: uint64(max(0, now-l.began) / 1e9), Plan: s.plan, Values: s.now, Last: s.last}
	if info := l.lanes[0].opt.EngineInfo; info != nil {
		rec.Engines = info()
	}
	for i := range s.outs {
		o := &s.outs[i]
		o.buf = o.w.Stats(o.buf[:0], &rec)
		o.sink.Write(o.buf) // a sink counts its own failures
	}
	s.last = append(s.last[:0], s.now...)
}

// Balanced tells whether received = processed + drops holds, for each worker and so
// for all.
func (l *Live) Balanced() bool {
	for _, n := range l.lanes {
		if n.snap.Load().Ledger.Imbalance() != 0 {
			return false
		}
	}
	return true
}
