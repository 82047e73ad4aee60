package main

import (
	"fmt"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"mirador/internal/mirror"
	"mirador/internal/sensor"
	"mirador/internal/web"
)

// Status is what load balancers are told.
func (n *node) Status() web.Status {
	ok, reason := n.health.Check()
	state, detail, _ := strings.Cut(reason, ": ")
	s := web.Status{OK: ok, State: state, Detail: detail, Balanced: true, Version: version(), Uptime: time.Since(n.started)}
	if live := n.live.Load(); live != nil {
		s.Balanced = live.Balanced()
		if gone := live.Gone(); len(gone) > 0 && s.OK {
			// Nothing arrives here until it is back.
			s.OK, s.State, s.Detail = false, "interface_gone", strings.Join(gone, ", ")
		}
	}
	return s
}

// Stats is the state of everything.
func (n *node) Stats() *web.Stats {
	st := n.Status()
	out := &web.Stats{Version: version(), Started: n.started, Uptime: time.Since(n.started).Seconds(),
		Status: web.StatusDetail{OK: st.OK, State: st.State, Detail: st.Detail}, Rules: n.rulesState(), Memory: memory(),
		Workers: []web.Worker{}, Sources: []web.Source{}, Inputs: []web.Input{}, Outputs: []web.Output{}}
	for _, s := range n.sinks() {
		c := s.Counters()
		out.Outputs = append(out.Outputs, web.Output{Name: s.Path(), Lines: c.Lines, Bytes: c.Bytes, DroppedLines: c.DroppedLines,
			DroppedBytes: c.DroppedBytes, Failures: c.Failures, Rotations: c.Rotations, Waiting: c.Waiting, Error: c.Err})
	}
	live := n.live.Load()
	if live == nil {
		return out
	}
	s := live.Snapshot()
	out.Ledger = ledgerOf(&s.Ledger)
	out.Counters = countersOf(s.Counters)
	for _, w := range s.Workers {
		out.Workers = append(out.Workers, web.Worker{ID: w.Worker, Time: time.Unix(0, w.Time).UTC(), Ledger: ledgerOf(&w.Ledger), Counters: countersOf(w.Counters)})
	}
	for _, in := range s.Inputs {
		out.Inputs = append(out.Inputs, web.Input{Name: in.Name, Steered: in.Steered, Why: in.Why, Drops: in.Drops, QueueFull: in.QueueFull, Failures: in.Failures,
			Gone: in.Gone, Replugs: in.Replugs})
	}
	for i := range s.Sources {
		r := &s.Sources[i]
		row := web.NewSource(mirror.AddrString(r.Outer), r.VNI, r.Known, r.Others)
		if r.Endpoint != 0 {
			row.EndpointID = fmt.Sprintf("%016x", r.Endpoint)
		}
		row.Packets, row.Bytes, row.Truncated, row.Duplicates, row.Alerts = r.Packets, r.Bytes, r.Truncated, r.Duplicates, r.Alerts
		row.First, row.Last = time.Unix(0, r.First).UTC(), time.Unix(0, r.Last).UTC()
		if r.Probes > 0 {
			row.Probe = &web.Probe{Token: r.Probe.String(), Count: r.Probes, Last: time.Unix(0, r.ProbeAt).UTC()}
		}
		out.Sources = append(out.Sources, row)
	}
	out.Turn = s.Turn
	out.SourceCount = len(out.Sources)
	return out
}

func ledgerOf(l *sensor.Ledger) web.Ledger {
	out := web.Ledger{Received: l.Received, ReceivedBytes: l.ReceivedBytes, Processed: l.Processed, ProcessedBytes: l.ProcessedBytes,
		Dropped: l.Dropped(), Kernel: l.Kernel, Truncated: l.Truncated, Unknown: l.Unknown, Tunnelled: l.Tunnelled, Imbalance: l.Imbalance()}
	for i, d := range l.Drops {
		out.Drops = append(out.Drops, web.Drop{Reason: sensor.DropNames[i], Frames: d})
	}
	return out
}

func countersOf(list []sensor.Counter) web.Counters {
	out := make(web.Counters, len(list))
	for i, c := range list {
		out[i] = web.Counter{Name: c.Name, Value: c.Value}
	}
	return out
}

// memory reads the runtime's own numbers, without stopping it.
func memory() web.Memory {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	m := web.Memory{Heap: s[0].Value.Uint64(), Total: s[1].Value.Uint64()}
	if l := debug.SetMemoryLimit(-1); l != math.MaxInt64 {
		m.Limit = l
	}
	return m
}
