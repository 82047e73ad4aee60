package detect

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"

	"mirador/internal/mpm"
	"mirador/internal/pcre"
	"mirador/internal/proto"
)

// Worker looks at packets with an Engine. It holds all scratch memory; one goroutine
// owns it.
type Worker struct {
	Counters Counters

	e *Engine
	s *Shared

	// of the packet in work
	p          *Packet
	payload    []byte // nil when it is not to be looked at
	size       int    // of the packet's payload
	mask       packetMask
	connEvents []proto.EventID
	queue      []match
	alerts     []Alert
	pktVars    []Var
	tagged     bool

	// of the transaction in work
	tx    proto.Tx
	txDir proto.Dir
	app   proto.ID
	state *txState
	gen   uint32 // number of the transaction looked at: buffers of older ones are stale
	bufs  []cachedBuf

	// of the rule in work
	rule      *sig
	vars      []uint64
	pos       int
	steps     int
	recursion int
	context   []Context
	fileHits  []*proto.File
	captures  []Var
	capScopes []capScope

	hits      *mpm.Hits
	cand      []uint32
	onePart   [1]StreamPart
	again     []uint32 // those of cand that may match though they have
	seen      []uint32 // by sig.num: gen at which it was made a candidate
	machine   *pcre.Machine
	win       window
	base64    []byte
	base64Win window
	scratch   []byte
	source    bytes.Reader
	gunzip    *gzip.Reader
	zlib      io.ReadCloser
	clock     func() int64
	trace     *Trace // nil but for rules why
}

// match is one matched rule of the packet in work.
type match struct {
	s       *sig
	tx      proto.Tx
	txID    uint64
	stream  bool
	state   bool
	frame   proto.Frame
	context []Context
}

// NewWorker returns a worker for e. s is the state shared with the other workers; nil
// takes the one e was compiled with.
func NewWorker(e *Engine, s *Shared) *Worker {
	if s == nil {
		s = e.shared
	}
	w := &Worker{s: s, hits: mpm.NewHits(0), machine: pcre.NewMachine(pcre.Options{MatchLimit: e.opt.PcreLimit})}
	w.Swap(e)
	return w
}

// Swap makes e the engine from the next packet on. The state of flows and
// transactions stays: names keep their ids through the Shared, and rules in work are
// known by sid.
func (w *Worker) Swap(e *Engine) {
	w.e = e
	w.recursion = e.opt.Recursion
	w.hits = mpm.NewHits(len(e.sigs))
	w.cand = make([]uint32, 0, len(e.sigs))
	w.seen = make([]uint32, len(e.sigs))
	w.gen = 0
	w.vars = make([]uint64, max(e.vars, 1))
	w.bufs = make([]cachedBuf, 2*len(e.bufs))
	w.machine.Forget()
	w.machine.SetLimits(pcre.Options{MatchLimit: e.opt.PcreLimit})
	w.clock = e.opt.Profile
	w.SetTrace(w.trace)
}

// Engine returns the engine in use.
func (w *Worker) Engine() *Engine { return w.e }

// Shared returns the state shared with other workers.
func (w *Worker) Shared() *Shared { return w.s }

// PktVars returns what rules captured in the last packet (metadata.pktvars). Valid
// until the next Inspect.
func (w *Worker) PktVars() []Var { return w.pktVars }

// Tagged tells whether the last packet is to be logged because its flow or host is
// tagged (keyword tag).
func (w *Worker) Tagged() bool { return w.tagged }

// nextGen starts a new set of candidates and buffers.
func (w *Worker) nextGen() {
	w.gen++
	if w.gen == 0 {
		clear(w.seen)
		for i := range w.bufs {
			w.bufs[i].gen = 0
		}
		w.gen = 1
	}
}

// candidate notes rule num once per generation.
func (w *Worker) candidate(num uint32) {
	if w.seen[num] != w.gen {
		w.seen[num] = w.gen
		w.cand = append(w.cand, num)
	}
}

// sortCandidates brings them into the order of evaluation.
func (w *Worker) sortCandidates() {
	c := w.cand
	if len(c) > 64 {
		sortLong(c)
		return
	}
	for i := 1; i < len(c); i++ {
		for j := i; j > 0 && c[j] < c[j-1]; j-- {
			c[j], c[j-1] = c[j-1], c[j]
		}
	}
}

// addContext keeps a member of alert.context for the rule in work.
func (w *Worker) addContext(key string, json []byte) {
	for i := range w.context {
		if w.context[i].Key == key {
			w.context[i].JSON, w.context[i].Text = json, nil
			return
		}
	}
	if len(w.context) >= maxPktVars {
		w.Counters.CapturesFull++
		return
	}
	w.context = append(w.context, Context{Key: key, JSON: json})
}

// capture keeps the groups of a pcre until the rule has matched as a whole.
func (w *Worker) capture(x *pcreOp, data []byte) {
	group := func(i int) []byte {
		from, to := w.machine.Group(i + 1)
		if from < 0 {
			return nil
		}
		return data[from:min(to, from+maxVarLen)]
	}
	if x.pair {
		w.note(capPkt, Var{Key: group(0), Value: group(1)})
		return
	}
	for i, c := range x.caps {
		if c.scope == capNone {
			continue
		}
		if v := group(i); v != nil {
			w.note(c.scope, Var{Name: c.name, Value: v})
		}
	}
}

func (w *Worker) note(scope capScope, v Var) {
	if len(w.captures) >= maxPktVars {
		w.Counters.CapturesFull++
		return
	}
	w.captures = append(w.captures, v)
	w.capScopes = append(w.capScopes, scope)
}

// keepCaptures puts what the matched rule captured where it belongs.
func (w *Worker) keepCaptures() {
	for i, v := range w.captures {
		switch w.capScopes[i] {
		case capFlow:
			if w.p.Flow != nil {
				w.p.Flow.setVar(v.Name, v.Value, &w.Counters)
			}
		case capPkt:
			if len(w.pktVars) >= maxPktVars {
				w.Counters.CapturesFull++
			} else {
				c := Var{Name: v.Name, Value: append([]byte(nil), v.Value...)}
				if v.Key != nil {
					c.Key = append([]byte(nil), v.Key...)
				}
				w.pktVars = append(w.pktVars, c)
			}
		case capAlert:
			if len(w.context) >= maxPktVars {
				w.Counters.CapturesFull++
			} else {
				w.context = append(w.context, Context{Key: v.Name, Text: append([]byte(nil), v.Value...)})
			}
		}
	}
}

// begin prepares for the evaluation of s.
func (w *Worker) begin(s *sig) {
	w.rule = s
	w.Counters.Candidates++
	w.context = w.context[:0]
	w.captures = w.captures[:0]
	w.capScopes = w.capScopes[:0]
	w.fileHits = w.fileHits[:0]
	if w.trace != nil {
		w.trace.begin(w, s)
	}
}
