package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// Trace notes for one rule how far each flow came in fulfilling it. A worker that has one
// (SetTrace) evaluates as ever; it tells the trace what each condition said, and asks
// the same functions about the rule where the prefilter would not have. Its engine
// must be compiled with Options.TraceSID. A trace is for looking into captures, not for
// live traffic: it allocates.
type Trace struct {
	sid   uint32
	sigs  []*sig
	flows map[traceKey]*FlowTrace
	order []*FlowTrace
	// Dropped counts flows beyond MaxTraceFlows.
	Dropped uint64

	at   *FlowTrace // of the packet in work
	cur  *Attempt   // of the rule in work; nil for other rules
	part bufferLook // what the look into buffers said since the last step
}

// traceKey tells flows apart; entries of flows are used again.
type traceKey struct {
	flow  *Flow
	start int64
	tuple packet.Tuple
}

// FlowTrace is what a trace knows of a flow, or of a packet without flow.
type FlowTrace struct {
	Number           int // from 1, in the order of appearance
	Tuple            packet.Tuple
	App              string // protocol, "" while unknown
	Packets          uint64
	First, Last      uint64 // numbers of packets in the capture
	Looks            uint64 // times the rule was evaluated, the header holding
	PrefilterHits    uint64 // times the prefilter found its pattern or had none to find
	Matches          uint64
	Alerts           uint64
	Limited          uint64 // matches that a threshold kept back
	MatchedIn        []uint64
	HeaderFault      string // why no packet fulfilled the header; "" when one did
	HeaderFaultClass string // protocol, address, port, direction, state or packet
	rank             int
	// Best is the evaluation that came nearest.
	Best Attempt
}

// Attempt is one evaluation of the rule.
type Attempt struct {
	Packet uint64 // number in the capture
	Tx     uint64
	HasTx  bool
	Dir    proto.Dir
	Steps  []TraceStep
	held   int     // steps that hold
	near   float64 // how near the first other one came, 0 to 1
	forced bool
}

// TraceStep is one condition: What it is in the words of the rule, and what came of it.
type TraceStep struct {
	What   string
	Result StepResult
	Seen   string // the value, or the begin of the bytes looked at
	Near   string // the nearest thing to what was looked for
}

// StepResult is the outcome of a condition.
type StepResult uint8

// The outcomes. A condition waits when more of the transaction may still fulfil it.
const (
	StepNo StepResult = iota
	StepOK
	StepWaits
	StepNotReached
)

// String returns "no", "ok", "waits" or "not reached".
func (r StepResult) String() string { return [...]string{"no", "ok", "waits", "not reached"}[r&3] }

// NewTrace makes a trace of rule sid.
func NewTrace(sid uint32) *Trace {
	return &Trace{sid: sid, flows: map[traceKey]*FlowTrace{}}
}

// SetTrace makes w tell t about its rule from the next packet on; nil ends it.
func (w *Worker) SetTrace(t *Trace) {
	w.trace = t
	if t == nil {
		return
	}
	t.sigs = t.sigs[:0]
	for _, s := range w.e.sigs {
		if s.rule.SID == t.sid {
			t.sigs = append(t.sigs, s)
		}
	}
}

// Flows returns what was noted: flows that alerted first, then by how near they came.
func (t *Trace) Flows() []*FlowTrace {
	out := slices.Clone(t.order)
	slices.SortStableFunc(out, func(a, b *FlowTrace) int {
		if c := cmp.Compare(b.Matches, a.Matches); c != 0 && (a.Matches == 0 || b.Matches == 0) {
			return c
		}
		if c := cmp.Compare(b.rank, a.rank); c != 0 {
			return c
		}
		if c := cmp.Compare(b.Best.held, a.Best.held); c != 0 {
			return c
		}
		return cmp.Compare(b.Best.near, a.Best.near)
	})
	return out
}

// packet notes the packet in work and what the rule's header says to it.
func (t *Trace) packet(w *Worker) {
	p := w.p
	k := traceKey{tuple: p.P.Tuple()}
	if p.Flow != nil {
		k = traceKey{flow: p.Flow, start: p.Flow.Start}
	}
	f := t.flows[k]
	if f == nil {
		if len(t.order) >= MaxTraceFlows {
			t.Dropped++
			t.at = nil
			return
		}
		f = &FlowTrace{Number: len(t.order) + 1, Tuple: p.P.Tuple(), First: p.PcapCnt, HeaderFault: "no packet with an IP header", HeaderFaultClass: "packet"}
		if p.Flow != nil && p.Dir == proto.ToClient {
			f.Tuple = f.Tuple.Reverse()
		}
		t.flows[k] = f
		t.order = append(t.order, f)
	}
	t.at = f
	if !p.Pseudo {
		f.Packets++
		f.Last = p.PcapCnt
	}
	if c := p.App; c != nil && c.App != proto.Unknown {
		f.App = "failed"
		if row := w.e.table.Protocol(c.App); row != nil {
			f.App = row.Name
		}
	}
	for _, s := range t.sigs {
		fault := w.headFault(s)
		if c := faultOf(fault).class; c == "direction" || c == "state" {
			// The engine looks at these first; addresses and ports say more.
			bare := *s
			bare.dirs, bare.flag = bothDirs, s.flag&sigInvalidOK
			if x := w.headFault(&bare); x != headOK {
				fault = x
			}
		}
		if x := faultOf(fault); x.rank > f.rank {
			f.rank, f.HeaderFault, f.HeaderFaultClass = x.rank, x.words, x.class
		}
	}
}

// faultWords is what a trace says of a headFault; a higher rank is nearer to a match.
type faultWords struct {
	words, class string
	rank         int
}

func faultOf(f headFault) faultWords {
	return [...]faultWords{
		headOK:             {"", "", 6},
		headNoFlow:         {"packet belongs to no flow", "state", 5},
		headDirection:      {"packet goes the other way", "direction", 4},
		headNotEstablished: {"flow is not established", "state", 5},
		headEstablished:    {"flow is established", "state", 5},
		headNotFirst:       {"not the first packet of its direction", "state", 5},
		headPseudo:         {"not a packet of the wire", "state", 5},
		headNotFragmented:  {"packet is not put together from fragments", "state", 5},
		headFragmented:     {"packet is put together from fragments", "state", 5},
		headIPVersion:      {"other IP version", "protocol", 1},
		headProtocol:       {"other IP protocol", "protocol", 1},
		headNoIP:           {"no IP header", "packet", 1},
		headSrcPort:        {"source port", "port", 2},
		headDstPort:        {"destination port", "port", 2},
		headSrc:            {"source address", "address", 3},
		headDst:            {"destination address", "address", 3},
	}[f]
}

// begin starts an attempt of rule s when it is the one looked for.
func (t *Trace) begin(w *Worker, s *sig) {
	t.cur = nil
	if s.rule.SID != t.sid || t.at == nil {
		return
	}
	t.cur = &Attempt{Packet: w.p.PcapCnt, Dir: w.p.Dir & 1}
	if s.kind == kindTx && w.tx != nil {
		t.cur.Tx, t.cur.HasTx = w.tx.Base().ID, true
	}
}

// end keeps the attempt when it is the nearest of its flow.
func (t *Trace) end(s *sig, ok bool) {
	a := t.cur
	if a == nil {
		return
	}
	t.cur = nil
	f := t.at
	f.Looks++
	if !a.forced {
		f.PrefilterHits++
	}
	for i := range a.Steps {
		if a.Steps[i].Result != StepOK {
			break
		}
		a.held++
	}
	if ok {
		a.near = 1
	}
	if b := &f.Best; b.Steps == nil || a.nearer(b) {
		f.Best = *a
	}
}

// nearer tells whether a came nearer to a match than b. Of equal ones that is the one that
// the prefilter chose, too, and then the first.
func (a *Attempt) nearer(b *Attempt) bool {
	switch {
	case a.held != b.held:
		return a.held > b.held
	case a.forced != b.forced:
		return b.forced
	}
	return a.near > b.near
}

// step adds a condition to the attempt in work.
func (t *Trace) step(what string, r StepResult, seen string) {
	if t.cur == nil {
		return
	}
	st := TraceStep{What: what, Result: r, Seen: seen}
	if t.part.set {
		st.Near = t.part.near
		if st.Seen == "" {
			st.Seen = t.part.seen
		}
		if r != StepOK {
			t.cur.near = max(t.cur.near, t.part.score)
		}
		if t.part.what != "" {
			st.What = t.part.what
		}
	}
	t.part = bufferLook{}
	t.cur.Steps = append(t.cur.Steps, st)
}

// header notes what the header and the flow keyword say.
func (t *Trace) header(w *Worker, s *sig, fault headFault) {
	if t.cur == nil {
		return
	}
	flow := ""
	for i := range s.rule.Options {
		if o := &s.rule.Options[i]; o.Name == "flow" {
			flow += "flow:" + o.Value
		}
	}
	class := faultOf(fault).class
	if class == "direction" || class == "state" {
		if flow == "" {
			flow = "direction " + w.dirWord()
		}
		t.step("header", StepOK, "")
		t.step(flow, StepNo, faultOf(fault).words)
		return
	}
	if fault != headOK {
		t.step("header", StepNo, faultOf(fault).words)
		return
	}
	t.step("header", StepOK, "")
	if flow != "" {
		t.step(flow, StepOK, "")
	}
}

func (w *Worker) dirWord() string { return [...]string{"to_server", "to_client"}[w.p.Dir&1] }

// app notes whether the flow's protocol is the rule's.
func (t *Trace) app(w *Worker, s *sig, ok bool) {
	if t.cur == nil || s.apps == 0 {
		return
	}
	t.step("protocol "+strings.Join(w.e.Protocols(s.rule), ", "), result(ok), t.at.App)
}

func result(ok bool) StepResult {
	if ok {
		return StepOK
	}
	return StepNo
}

// check notes condition i of s.
func (t *Trace) check(w *Worker, s *sig, i int, ok bool) {
	if t.cur == nil {
		return
	}
	what := "condition"
	if i < len(s.checkOpts) {
		what = optionText(s, int(s.checkOpts[i]))
	}
	seen := ""
	if k, can := s.checks[i].(interface{ seen(w *Worker) string }); can {
		seen = k.seen(w)
	}
	t.step(what, result(ok), seen)
}

// optionText is option i of s as the rule has it.
func optionText(s *sig, i int) string {
	if i < 0 || i >= len(s.rule.Options) {
		return "condition"
	}
	o := &s.rule.Options[i]
	if o.Value == "" {
		return o.Name
	}
	return o.Name + ":" + o.Value
}

// test notes a condition on a transaction.
func (t *Trace) test(w *Worker, s *sig, x *txTest, o outcome) {
	if t.cur == nil {
		return
	}
	r := [...]StepResult{txNo: StepNo, txYes: StepOK, txPending: StepWaits}[o]
	what, seen := optionText(s, int(x.opt)-1), ""
	switch x.kind {
	case txBuffer:
		what = x.def.name
		if x.absent == absentOnly {
			what += "; absent"
		}
		if len(x.ops) > 0 && x.absent != absentOnly {
			what += "; " + describeOps(x.ops)
		}
		if !t.part.set && o != txYes {
			seen = "buffer is not there"
		}
	case txNumber:
		seen = w.numbersSeen(x)
	case txEvent:
		seen = fmt.Sprintf("%d events", len(w.tx.Base().Events))
	case txHook:
		what = "hook " + s.rule.Hook
		seen = fmt.Sprintf("state %d of %d", w.tx.Base().Progress[x.dir&1], x.custom.states[w.app])
	case txFile:
		what = "files"
		seen = w.filesLook(x.dir)
	case txStream:
		what = "stream: " + describeOps(s.payload)
	}
	t.step(what, r, seen)
}

func describeOps(ops []op) string {
	var parts []string
	for i := range ops {
		parts = append(parts, ops[i].describe())
	}
	return strings.Join(parts, "; ")
}

// numbersSeen lists the values of a Number field.
func (w *Worker) numbersSeen(x *txTest) string {
	f := x.def.field(w.app, x.dir)
	if f == nil || f.Uint == nil {
		return "not there"
	}
	var out []string
	for i := 0; i < 8; i++ {
		v, ok := f.Uint(w.p.App, w.tx, x.dir, i)
		if !ok {
			break
		}
		out = append(out, fmt.Sprint(v))
		if !f.Multi {
			break
		}
	}
	if len(out) == 0 {
		return "not there"
	}
	return strings.Join(out, ", ")
}

// filesLook describes the files of direction dir.
func (w *Worker) filesLook(dir proto.Dir) string {
	var out []string
	for _, f := range w.tx.Base().Files {
		if f.Dir == dir && len(out) < 4 {
			out = append(out, fmt.Sprintf("%s, %d bytes", excerpt(f.Name), f.Size))
		}
	}
	if len(out) == 0 {
		return "no file"
	}
	return strings.Join(out, "; ")
}

// matched and limited note what became of the rule as a whole.
func (t *Trace) matched(w *Worker, s *sig) {
	if s.rule.SID == t.sid && t.at != nil {
		t.at.Matches++
		if len(t.at.MatchedIn) < 16 {
			t.at.MatchedIn = append(t.at.MatchedIn, w.p.PcapCnt)
		}
	}
}

func (t *Trace) limited(s *sig) {
	if s.rule.SID == t.sid && t.at != nil {
		t.at.Limited++
	}
}

func (t *Trace) alerted(s *sig) {
	if s.rule.SID == t.sid && t.at != nil {
		t.at.Alerts++
	}
}

// traceRest evaluates the traced rules of the given kinds that were no candidates, without
// any effect.
func (w *Worker) traceRest(eval func(s *sig), kinds ...sigKind) {
	for _, s := range w.trace.sigs {
		if w.seen[s.num] == w.gen || !slices.Contains(kinds, s.kind) {
			continue
		}
		w.begin(s)
		if a := w.trace.cur; a != nil {
			a.forced = true
		}
		eval(s)
		w.trace.end(s, false)
	}
}

// bufferLook is what a look into the values of a buffer said; of several values the
// nearest is kept.
type bufferLook struct {
	set        bool
	what       string
	seen, near string
	score      float64
}

// look runs ops on the window in work, and finds out for the trace how far they come:
// it asks the same chain for ever fewer of them.
func (t *Trace) look(w *Worker, ops []op) bool {
	caps, scopes := len(w.captures), len(w.capScopes)
	ok := w.run(ops, &w.win)
	if t.cur == nil {
		return ok
	}
	l := bufferLook{set: true, seen: excerpt(w.win.data)}
	if ok {
		l.score = 2
	} else {
		held := 0
		for n := len(ops) - 1; n > 0; n-- {
			if w.run(ops[:n], &w.win) {
				held = n
				break
			}
		}
		if held == 0 {
			w.pos = 0
		}
		w.captures, w.capScopes = w.captures[:caps], w.capScopes[:scopes]
		var share float64
		l.near, share = w.nearest(&ops[held])
		l.score = (float64(held) + share) / float64(len(ops)+1)
	}
	if !t.part.set || l.score > t.part.score {
		t.part = l
	}
	return ok
}

// nearest tells what stands in the window in place of what o looks for, and how near
// that is, 0 to 1.
func (w *Worker) nearest(o *op) (string, float64) {
	b := &w.win
	switch o.kind {
	case opContent:
		return w.nearContent(o)
	case opPCRE:
		return "no match for " + o.describe(), 0.2
	case opSize:
		return fmt.Sprintf("size is %d", b.off+uint64(len(b.data))), 0.2
	case opIsDataAt:
		return fmt.Sprintf("%d bytes, the last match ends at %d", len(b.data), w.pos), 0.2
	case opByteTest, opByteJump, opByteExtract, opByteMath:
		if v, at, _, ok := w.read(o.ext.(*byteOp), b); ok {
			return fmt.Sprintf("%s: the number at offset %d is %d", o.describe(), at, v), 0.5
		}
		return o.describe() + ": no number to read there", 0.1
	}
	return o.describe() + " does not hold", 0.2
}

// nearContent finds the place that has most of the pattern's first bytes.
func (w *Worker) nearContent(o *op) (string, float64) {
	b := &w.win
	lo, hi, ok := w.bounds(o, b)
	if o.flag&flagNegated != 0 {
		if at := o.find(b.data, lo, hi); ok && at >= 0 {
			return fmt.Sprintf("%s is there, at offset %d", quotedPattern(o.pat), b.off+uint64(at)), 0.5
		}
	}
	if at := o.lit.Index(b.data, 0); at >= 0 {
		where := fmt.Sprintf("%s is at offset %d", quotedPattern(o.pat), b.off+uint64(at))
		switch {
		case o.flag&flagEndsWith != 0 && at+len(o.pat) != len(b.data):
			return where + fmt.Sprintf(", not at the end (%d bytes)", len(b.data)), 0.9
		case !ok:
			return where + ", and the place asked for is outside of the buffer", 0.8
		}
		return where + fmt.Sprintf(", asked for between %d and %d", lo, hi), 0.9
	}
	at, n := commonPrefix(o, b.data)
	if n == 0 {
		return fmt.Sprintf("nothing like %s in %d bytes", quotedPattern(o.pat), len(b.data)), 0
	}
	end := min(at+len(o.pat)+8, len(b.data))
	return fmt.Sprintf("nearest to %s is %s at offset %d (%d of %d bytes)", quotedPattern(o.pat), excerpt(b.data[at:end]), b.off+uint64(at), n, len(o.pat)),
		float64(n) / float64(len(o.pat)+1)
}

// maxNearest bounds the bytes that commonPrefix walks over.
const maxNearest = 64 << 10

// commonPrefix returns the place in data with the longest prefix of o's pattern.
func commonPrefix(o *op, data []byte) (at, n int) {
	fold := func(c byte) byte {
		if o.flag&flagNocase != 0 && c >= 'A' && c <= 'Z' {
			return c | 0x20
		}
		return c
	}
	for i := range data[:min(len(data), maxNearest)] {
		k := 0
		for k < len(o.pat) && i+k < len(data) && fold(data[i+k]) == fold(o.pat[k]) {
			k++
		}
		if k > n {
			at, n = i, k
		}
	}
	return at, n
}

func quotedPattern(p string) string {
	return `"` + string(rule.AppendPattern(nil, []byte(p))) + `"`
}

// excerpt shows the first bytes of data as a content.
func excerpt(data []byte) string {
	const most = 48
	if len(data) <= most {
		return `"` + string(rule.AppendPattern(nil, data)) + `"`
	}
	return `"` + string(rule.AppendPattern(nil, data[:most])) + `"...`
}

// The values that conditions saw.
func (k *numberCheck) seen(w *Worker) string {
	if v, ok := k.get(w.p.P); ok {
		return fmt.Sprint(v)
	}
	return "not there"
}

func (k *dsizeCheck) seen(w *Worker) string { return fmt.Sprint(w.size) }
func (k *flagsCheck) seen(w *Worker) string { return flagLetters(w.p.P.Flags) }
func (k *ageCheck) seen(w *Worker) string {
	return flowSeen(w, func(f *Flow) string { return fmt.Sprint(f.Last/1e9 - f.Start/1e9) })
}
func (k *countCheck) seen(w *Worker) string {
	return flowSeen(w, func(f *Flow) string {
		v := f.Pkts
		if k.bytes {
			v = f.Bytes
		}
		return fmt.Sprintf("%d to the server, %d to the client", v[0], v[1])
	})
}

func (k *streamSizeCheck) seen(w *Worker) string {
	return flowSeen(w, func(f *Flow) string {
		return fmt.Sprintf("client %d, server %d", f.StreamBytes[0], f.StreamBytes[1])
	})
}

func (k *flowbitCheck) seen(w *Worker) string {
	return flowSeen(w, func(f *Flow) string {
		var names []string
		f.Bits(w.s, func(n string) bool { names = append(names, n); return len(names) < 16 })
		if len(names) == 0 {
			return "no flowbit is set"
		}
		return "set: " + strings.Join(names, ", ")
	})
}

func (k *flowintOp) seen(w *Worker) string {
	return flowSeen(w, func(f *Flow) string {
		if v, ok := f.intVal(k.id); ok {
			return fmt.Sprint(v)
		}
		return "not set"
	})
}

func (k *xbit) seen(w *Worker) string {
	if w.hasXbit(k) {
		return "set"
	}
	return "not set"
}

func (k *appProtoCheck) seen(w *Worker) string { return w.trace.at.App }

func (k *sessionCheck) seen(w *Worker) string {
	p := w.phases()
	switch {
	case p == 0:
		return "no session"
	case p&phaseClosing != 0:
		return "closing"
	case p&phaseEstablished != 0:
		return "established"
	}
	return "setup"
}

func flowSeen(w *Worker, f func(*Flow) string) string {
	if w.p.Flow == nil {
		return "no flow"
	}
	return f(w.p.Flow)
}

// flagLetters are the letters of keyword tcp.flags.
func flagLetters(flags uint8) string {
	var b strings.Builder
	for i, c := range "FSRPAUEC" {
		if flags&(1<<i) != 0 {
			b.WriteRune(c)
		}
	}
	if b.Len() == 0 {
		return "0"
	}
	return b.String()
}
