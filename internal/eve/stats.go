package eve

import (
	"fmt"
	"strings"
)

// StatsPlan is the fixed order and nesting of counters. It is built once from
// dotted names ("decoder.event.ipv4.pkt_too_small") and is safe for concurrent
// use.
type StatsPlan struct {
	steps []statsStep
	n     int
}

// statsStep writes one counter: close so many objects, open those, then the key.
type statsStep struct {
	close int
	open  []string
	key   string
	delta string // the key with _delta
	index int
	list  bool // EnginesName: an array instead of a number
}

// EnginesName is the name at whose place the detection engines are listed; its
// value is not looked at.
const EnginesName = "detect.engines"

// NewStatsPlan returns the plan for counters named names; values are handed over
// in the same order. Names keep the order of their first part's appearance. It
// fails on an empty name part, on a name given twice and on a name that is also
// the beginning of another, since a key cannot be number and object at once.
func NewStatsPlan(names []string) (*StatsPlan, error) {
	root := &statsNode{index: -1}
	for i, n := range names {
		if err := root.add(strings.Split(n, "."), i); err != nil {
			return nil, fmt.Errorf("counter %q: %w", n, err)
		}
	}
	p := &StatsPlan{n: len(names)}
	p.walk(root, &statsStep{})
	for i := range p.steps {
		p.steps[i].list = names[p.steps[i].index] == EnginesName
	}
	return p, nil
}

type statsNode struct {
	key   string
	index int // of the counter, -1 for an object
	kids  []*statsNode
}

func (n *statsNode) add(path []string, index int) error {
	if path[0] == "" {
		return fmt.Errorf("empty part")
	}
	for _, k := range n.kids {
		if k.key != path[0] {
			continue
		}
		if len(path) == 1 || k.index >= 0 {
			return fmt.Errorf("%q is there already", path[0])
		}
		return k.add(path[1:], index)
	}
	k := &statsNode{key: path[0], index: -1}
	n.kids = append(n.kids, k)
	if len(path) == 1 {
		k.index = index
		return nil
	}
	return k.add(path[1:], index)
}

// walk turns the tree into steps. pending collects what the next counter has to
// close and open first.
func (p *StatsPlan) walk(n *statsNode, pending *statsStep) {
	for _, k := range n.kids {
		if k.index >= 0 {
			p.steps = append(p.steps, statsStep{
				close: pending.close, open: pending.open,
				key: k.key, delta: k.key + "_delta", index: k.index,
			})
			*pending = statsStep{}
			continue
		}
		pending.open = append(pending.open, k.key)
		p.walk(k, pending)
		if len(pending.open) > 0 {
			pending.open = pending.open[:len(pending.open)-1] // nothing was written inside
			continue
		}
		pending.close++
	}
}

// Engine is one detection engine in the stats record.
type Engine struct {
	LastReload   int64 // Unix nanoseconds
	RulesLoaded  uint64
	RulesFailed  uint64
	RulesSkipped uint64
}

// Stats is the input of a stats record.
type Stats struct {
	Time    int64
	Uptime  uint64 // seconds
	Plan    *StatsPlan
	Values  []uint64 // by the order of the plan's names
	Last    []uint64 // values at the previous record, for deltas; nil at the first
	Engines []Engine
	PcapCnt uint64
}

// LogsStats tells whether this output has stats records.
func (w *Writer) LogsStats() bool { return w.o.StatsOn }

// Stats appends a record of type stats.
func (w *Writer) Stats(dst []byte, s *Stats) []byte {
	if !w.o.StatsOn || s.Plan == nil || len(s.Values) < s.Plan.n {
		return dst
	}
	w.begin(dst)
	j := &w.w
	w.timeKey("timestamp", s.Time)
	if w.o.SuricataVersion != "" {
		j.Str("suricata_version", w.o.SuricataVersion)
	}
	j.Str("event_type", "stats")
	if w.o.Host != "" {
		w.str("host", w.o.Host)
	}
	j.Object("stats")
	j.Uint("uptime", s.Uptime)
	w.counters(s)
	j.Close()
	return w.end()
}

// counters writes the nested counters. With null values off, objects that would
// be empty are not opened: what to close and open is saved up until a counter is
// written.
func (w *Writer) counters(s *Stats) {
	j := &w.w
	depth, closing := 0, 0
	w.open = w.open[:0]
	for i := range s.Plan.steps {
		st := &s.Plan.steps[i]
		// Take back what is open but not yet written before closing for real.
		n := st.close
		for ; n > 0 && len(w.open) > 0; n-- {
			w.open = w.open[:len(w.open)-1]
		}
		closing += n
		w.open = append(w.open, st.open...)
		v := s.Values[st.index]
		if v == 0 && w.o.Stats.SkipZero && !st.list {
			continue
		}
		for ; closing > 0; closing-- {
			j.Close()
			depth--
		}
		for _, k := range w.open {
			j.Object(k)
			depth++
		}
		w.open = w.open[:0]
		if st.list {
			w.engines(st.key, s.Engines)
			continue
		}
		j.Uint(st.key, v)
		if w.o.Stats.Deltas {
			var last uint64
			if st.index < len(s.Last) {
				last = s.Last[st.index]
			}
			j.Int(st.delta, int64(v-last))
		}
	}
	for ; depth > 0; depth-- {
		j.Close()
	}
}

func (w *Writer) engines(k string, list []Engine) {
	j := &w.w
	j.Array(k)
	for i := range list[:min(len(list), MaxItems)] {
		e := &list[i]
		j.Open()
		j.Uint("id", uint64(i))
		w.timeKey("last_reload", e.LastReload)
		j.Uint("rules_loaded", e.RulesLoaded)
		j.Uint("rules_failed", e.RulesFailed)
		j.Uint("rules_skipped", e.RulesSkipped)
		j.Close()
	}
	j.CloseArray()
}
