package detect

import (
	"slices"

	"mirador/internal/packet"
	"mirador/internal/proto"
)

// outcome is what a condition says of a transaction.
type outcome uint8

const (
	txNo      outcome = iota // never any more
	txYes                    //
	txPending                // not yet
)

// txState is what the engine remembers of a transaction (TxBase.Memo): rules that are
// part way through, and rules that have alerted.
type txState struct {
	engine *Engine
	dirs   [2][]ruleState
	bits   []uint32 // xbits with track tx
}

// ruleState is one remembered rule.
type ruleState struct {
	num   uint32
	yes   [2]uint32 // conditions that hold, per side
	done  bool      // it has matched
	files int       // files there were when it matched
}

func (t *txState) find(dir proto.Dir, num uint32) *ruleState {
	for i := range t.dirs[dir] {
		if t.dirs[dir][i].num == num {
			return &t.dirs[dir][i]
		}
	}
	return nil
}

// memo returns the state of the transaction in work, nil when there is none.
func (w *Worker) memo(b *proto.TxBase) *txState {
	if b.Memo == nil {
		return nil
	}
	t, ok := b.Memo.(*txState)
	if !ok {
		return nil
	}
	if t.engine != w.e {
		w.adopt(t)
	}
	return t
}

// adopt carries the state over to a new engine: what has matched stays so, what was
// part way through begins anew.
func (w *Worker) adopt(t *txState) {
	old := t.engine
	for d := range t.dirs {
		keep := t.dirs[d][:0]
		for _, r := range t.dirs[d] {
			if !r.done {
				continue
			}
			id := old.sigs[r.num].rule.ID()
			for _, x := range w.e.rules {
				if x.ID() == id {
					r.num = x.s.num
					keep = append(keep, r)
					break
				}
			}
		}
		t.dirs[d] = keep
	}
	t.engine = w.e
}

// remember returns the state of the transaction in work, making it when needed.
func (w *Worker) remember() *txState {
	if w.state == nil {
		w.state = &txState{engine: w.e}
		w.tx.Base().Memo = w.state
	}
	return w.state
}

// txPhase looks at the transactions that have something new in the packet's direction.
func (w *Worker) txPhase() {
	c, dir := w.p.App, w.p.Dir&1
	byProto := w.e.groups.byProto[dir]
	w.txDir = dir
	list := c.Awake()
	if w.p.FlowEnd {
		list = c.Txs
	}
	for _, tx := range list {
		b := tx.Base()
		// Transactions from before a Switch belong to the protocol of then.
		if w.app = b.App(); int(w.app) >= len(byProto) {
			continue
		}
		pg := &byProto[w.app]
		// A rule that waits for stream data is looked at when there are some, also
		// when the transaction itself has nothing new.
		waits := w.mask&hasStream != 0 && b.Memo != nil && w.waitsForStream(b)
		if b.Inspected[dir] && !waits {
			continue
		}
		if row := b.Protocol(); row != nil && row.Unidirectional && b.Dir != dir {
			continue
		}
		if !b.Dirty(dir) && !waits && !w.p.FlowEnd {
			continue
		}
		if pg.any {
			w.inspectTx(pg, tx, b)
		}
		w.filesSeen(b)
	}
	w.tx, w.state = nil, nil
}

// waitsForStream tells whether a rule that is part way through in b looks at the
// stream, too.
func (w *Worker) waitsForStream(b *proto.TxBase) bool {
	t := w.memo(b)
	if t == nil {
		return false
	}
	for i := range t.dirs[w.txDir] {
		if r := &t.dirs[w.txDir][i]; !r.done && w.e.sigs[r.num].flag&sigStreamInTx != 0 {
			return true
		}
	}
	return false
}

// filesSeen notes how far the files of b have been looked at.
func (w *Worker) filesSeen(b *proto.TxBase) {
	for _, f := range b.Files {
		if f.Dir != w.txDir {
			continue
		}
		if w.p.Flow.StoreFiles[w.txDir] {
			f.Store = true
		}
		if w.fileReady(f) {
			f.Inspected = f.DataOff + uint64(len(f.Data))
		}
	}
}

// inspectTx looks at one transaction in the packet's direction.
func (w *Worker) inspectTx(pg *protoGroup, tx proto.Tx, b *proto.TxBase) {
	dir := w.txDir
	progress, last := b.Progress[dir], b.DetectSeen[dir]
	b.DetectSeen[dir] = progress + 1
	w.tx = tx
	w.state = w.memo(b)
	w.nextGen()
	w.cand, w.again = w.cand[:0], w.again[:0]
	w.hits.Reset()
	// Buffers whose progress was passed at the last look have been seen whole.
	seen := func(min uint8) bool { return last > 0 && min < last-1 }
	for i := range pg.groups {
		st := &pg.groups[i]
		if st.min > progress {
			break
		}
		switch {
		case st.late != nil:
			w.scanLate(st, last)
		case st.grows || !seen(st.min):
			w.scanTx(st.group, dir)
		}
	}
	for _, num := range w.hits.IDs {
		w.candidate(num)
	}
	for i := range pg.plain {
		r := &pg.plain[i]
		if r.trigger <= progress && (r.grows || !seen(r.trigger)) {
			w.candidate(r.num)
		}
	}
	if len(b.Events) > 0 {
		for i := range pg.events {
			if r := &pg.events[i]; hasEvent(b.Events, r.event) {
				w.candidate(r.num)
			}
		}
	}
	if w.state != nil {
		for i := range w.state.dirs[dir] {
			if r := &w.state.dirs[dir][i]; !r.done {
				w.candidate(r.num)
			}
		}
	}
	if w.trace != nil {
		defer w.traceRest(w.evalTxOnly, kindTx)
	}
	if len(w.cand) == 0 {
		return
	}
	w.sortCandidates()
	for _, num := range w.cand {
		w.tryTx(w.e.sigs[num])
	}
}

// evalTxOnly evaluates s on the transaction in work for a trace; nothing is kept.
func (w *Worker) evalTxOnly(s *sig) {
	var yes [2]uint32
	if s.flag&sigFrames == 0 && w.txHeader(s) {
		w.evalTests(s, &yes, 0)
	}
}

func hasEvent(have []proto.EventID, ev int16) bool {
	for _, e := range have {
		if int16(e) == ev {
			return true
		}
	}
	return false
}

// scanTx scans the values of one buffer.
func (w *Worker) scanTx(g *txGroup, dir proto.Dir) {
	if g.matcher == nil {
		return
	}
	for i := 0; ; i++ {
		x, ok := w.value(g.def, dir, i)
		if !ok {
			return
		}
		if x.ok && len(x.data) > 0 {
			w.Counters.Scanned += uint64(len(x.data))
			g.matcher.Scan(x.data, w.hits)
		}
	}
}

// scanLate scans a buffer that has changed since the last look, when the progress had
// not come to it.
func (w *Worker) scanLate(st *protoStep, last uint8) {
	if last == 0 || last > st.min || !st.late.Changed(w.tx, w.txDir) {
		return
	}
	n := len(w.hits.IDs)
	w.scanTx(st.group, w.txDir)
	if st.late.Repeats {
		w.again = append(w.again, w.hits.IDs[n:]...)
	}
}

// tryTx evaluates rule s on the transaction in work.
func (w *Worker) tryTx(s *sig) {
	dir := w.txDir
	var st *ruleState
	if w.state != nil {
		st = w.state.find(dir, s.num)
	}
	base := w.tx.Base()
	first := 0
	if st != nil && st.done && !slices.Contains(w.again, s.num) {
		if s.flag&sigFiles == 0 || countFiles(base, dir) <= st.files {
			return
		}
		first = st.files
	}
	w.begin(s)
	t := w.profileStart()
	if st == nil || st.done {
		if !w.txHeader(s) {
			w.profileEnd(s, t, false)
			return
		}
	}
	var yes [2]uint32
	if st != nil && !st.done {
		yes = st.yes
	}
	out := w.evalTests(s, &yes, first)
	w.profileEnd(s, t, out == txYes)
	switch out {
	case txNo:
		if st != nil && !st.done {
			w.forget(dir, s.num)
		}
	case txPending:
		if st == nil || st.done {
			w.keepPending(s, yes)
		} else {
			st.yes = yes
		}
	case txYes:
		w.matched(s, match{s: s, tx: w.tx, txID: base.ID, state: true, stream: s.flag&sigStreamInTx != 0})
		if !s.hookOnly() {
			w.keepDone(s, st)
		}
	}
}

// hookOnly tells of a rule that has nothing but a hook: it matches at every look.
func (s *sig) hookOnly() bool {
	for d := range s.tx {
		for i := range s.tx[d] {
			if s.tx[d][i].kind != txHook {
				return false
			}
		}
	}
	return true
}

func countFiles(b *proto.TxBase, dir proto.Dir) (n int) {
	for _, f := range b.Files {
		if f.Dir == dir {
			n++
		}
	}
	return n
}

// keepPending remembers a rule that may still match. A rule for one side with nothing
// fulfilled is found again by the prefilter when its buffer is looked at again.
func (w *Worker) keepPending(s *sig, yes [2]uint32) {
	dir := w.txDir
	if s.flag&sigBothDirs != 0 {
		dir = proto.ToClient
	}
	if yes == [2]uint32{} && w.comesAgain(s) {
		return
	}
	t := w.remember()
	if s.flag&sigStreamInTx != 0 {
		w.tx.Base().Waits = true
	}
	if st := t.find(dir, s.num); st != nil {
		if !st.done {
			st.yes = yes
		}
		return
	}
	if len(t.dirs[dir]) >= maxRuleStates {
		w.Counters.StatesFull++
		return
	}
	t.dirs[dir] = append(t.dirs[dir], ruleState{num: s.num, yes: yes})
}

// comesAgain tells whether s will be a candidate again without being remembered.
func (w *Worker) comesAgain(s *sig) bool {
	d := s.fastBuf
	if d == nil {
		return s.flag&sigStreamInTx == 0
	}
	return d.grows(w.app, w.txDir) || d.minProgress(w.app, w.txDir) >= w.tx.Base().Progress[w.txDir]
}

func (w *Worker) keepDone(s *sig, st *ruleState) {
	n := countFiles(w.tx.Base(), w.txDir)
	if st == nil {
		t := w.remember()
		dir := w.txDir
		if len(t.dirs[dir]) >= maxRuleStates {
			w.Counters.StatesFull++
			return
		}
		t.dirs[dir] = append(t.dirs[dir], ruleState{num: s.num})
		st = &t.dirs[dir][len(t.dirs[dir])-1]
	}
	st.done, st.files = true, n
}

func (w *Worker) forget(dir proto.Dir, num uint32) {
	list := w.state.dirs[dir]
	for i := range list {
		if list[i].num == num {
			list[i] = list[len(list)-1]
			w.state.dirs[dir] = list[:len(list)-1]
			return
		}
	}
}

// txHeader checks header, flow and packet conditions, which have to hold when the rule
// is first looked at in a transaction.
func (w *Worker) txHeader(s *sig) bool {
	ok := s.apps == 0 || s.apps&appBit(w.app) != 0
	if w.trace != nil {
		w.trace.app(w, s, ok)
	}
	if !ok {
		return false
	}
	if s.flag&sigBothDirs != 0 && w.txDir == proto.ToClient {
		if !w.swappedHeader(s) {
			return false
		}
	} else if !w.header(s) {
		return false
	}
	return w.checks(s) && w.packetBuffers(s)
}

// swappedHeader checks the header of a rule for both sides against a packet of the
// response.
func (w *Worker) swappedHeader(s *sig) bool {
	t := *s
	t.src, t.dst, t.sp, t.dp = s.dst, s.src, s.dp, s.sp
	return w.header(&t)
}

// evalTests looks at the conditions of s. Those in yes hold already; files before first
// have been dealt with.
func (w *Worker) evalTests(s *sig, yes *[2]uint32, first int) outcome {
	pending := false
	for side := range s.tx {
		if s.flag&sigBothDirs == 0 && proto.Dir(side) != w.txDir {
			continue
		}
		tests := s.tx[side]
		for i := range tests {
			if yes[side]&(1<<i) != 0 {
				if w.trace != nil {
					w.trace.test(w, s, &tests[i], txYes)
				}
				continue
			}
			o := w.evalTest(&tests[i], first)
			if w.trace != nil {
				w.trace.test(w, s, &tests[i], o)
			}
			switch o {
			case txNo:
				return txNo
			case txYes:
				yes[side] |= 1 << i
			case txPending:
				pending = true
			}
		}
	}
	if pending {
		return txPending
	}
	return txYes
}

func (w *Worker) evalTest(t *txTest, first int) outcome {
	b := w.tx.Base()
	progress := b.Progress[t.dir&1]
	switch t.kind {
	case txHook:
		if b.Skip[t.dir&1] {
			return txNo // this side never comes
		}
		if progress == 0 && b.Progress[t.dir.Other()] > 0 {
			return txPending // this side has not begun
		}
		if progress >= t.custom.states[w.app] {
			return txYes
		}
		return txPending
	case txEvent:
		ev := int16(-1)
		if int(w.app) < len(t.custom.events) {
			ev = t.custom.events[w.app]
		}
		if ev >= 0 && hasEvent(b.Events, ev) {
			return txYes
		}
		return w.unless(b.DirDone(t.dir))
	case txStream:
		// Stream and application layer do not come in step: the bytes may be shown
		// after the transaction is complete.
		if ok, _ := w.payloadMatches(w.rule); ok {
			return txYes
		}
		return w.unless(w.p.P.Proto != packet.ProtoTCP || w.p.FlowEnd)
	case txFile:
		return w.evalFiles(t, first)
	}
	if t.def.kind == bufFile && t.def.field(w.app, t.dir) == nil {
		return w.evalFileBuf(t, first)
	}
	f := t.def.field(w.app, t.dir)
	if f == nil {
		return txNo
	}
	if progress < f.MinProgress[t.dir] {
		return txPending
	}
	final := progress > f.MinProgress[t.dir] || b.DirDone(t.dir)
	switch t.kind {
	case txNumber:
		return w.evalNumber(t, f, b.DirDone(t.dir) || final)
	case txCustom:
		m := t.custom.match[t.dir][w.app]
		if m != nil && m(w.p.App, w.tx, t.dir) {
			return txYes
		}
		return w.unless(final)
	}
	return w.evalBuffer(t, f, final)
}

// unless is txNo when nothing can change any more.
func (w *Worker) unless(final bool) outcome {
	if final {
		return txNo
	}
	return txPending
}

// evalBuffer looks for t's chain in any value of its buffer.
func (w *Worker) evalBuffer(t *txTest, f *proto.Field, final bool) outcome {
	done := w.tx.Base().DirDone(t.dir)
	last := final
	n := 0
	for ; ; n++ {
		x, ok := w.value(t.def, t.dir, n)
		if !ok {
			break
		}
		if f.Stream {
			last = x.eof || done
		}
		if t.absent == absentOnly {
			return txNo
		}
		if !x.ok {
			continue
		}
		w.win.reset(x.data, x.off, x.eof)
		if f.Little != nil {
			w.win.little = f.Little(w.tx, t.dir)
		}
		if w.look(t.ops) {
			return txYes
		}
	}
	if n == 0 {
		if f.Stream {
			last = done
		}
		if t.absent != absentNone && last {
			return txYes
		}
	}
	return w.unless(last)
}

// evalNumber applies t to the values of a Number field.
func (w *Worker) evalNumber(t *txTest, f *proto.Field, final bool) outcome {
	n := t.num
	if f.Uint == nil {
		return txNo
	}
	if n.index == numAny {
		for i := range maxInstances + 1 {
			if i == maxInstances {
				w.Counters.ValuesLimit++
				break
			}
			v, ok := f.Uint(w.p.App, w.tx, t.dir, i)
			if !ok {
				break
			}
			if n.u.Match(v) {
				return txYes
			}
			if !f.Multi {
				break
			}
		}
		return w.unless(final)
	}
	// The others need to know how many values there are.
	if !w.tx.Base().DirDone(t.dir) && f.Multi {
		return txPending
	}
	total, hits := 0, 0
	for total < maxInstances {
		v, ok := f.Uint(w.p.App, w.tx, t.dir, total)
		if !ok {
			break
		}
		if n.u.Match(v) {
			hits++
		}
		total++
		if !f.Multi {
			break
		}
	}
	if total == maxInstances {
		w.Counters.ValuesLimit++
	}
	if n.index == numAll {
		if total > 0 && hits == total {
			return txYes
		}
		return w.unless(final)
	}
	at := n.at
	if at < 0 {
		at += total
	}
	if at >= 0 && at < total {
		if v, ok := f.Uint(w.p.App, w.tx, t.dir, at); ok && n.u.Match(v) {
			return txYes
		}
	}
	return w.unless(final)
}

// evalFileBuf looks for t's chain in the files of its direction.
func (w *Worker) evalFileBuf(t *txTest, first int) outcome {
	b := w.tx.Base()
	done := b.DirDone(t.dir)
	pending, n, hit := !done, 0, false
	for _, f := range b.Files {
		if f.Dir != t.dir {
			continue
		}
		n++
		if n <= first {
			continue
		}
		if t.absent == absentOnly {
			return txNo
		}
		x, ok := w.value(t.def, t.dir, n-1)
		if !ok {
			break
		}
		if t.def.part == fileData && len(x.data) == 0 && f.State == proto.FileOpen {
			pending = true
			continue
		}
		if !x.ok || t.def.part == fileMagic && len(x.data) == 0 {
			pending = pending || f.State == proto.FileOpen
			continue
		}
		w.win.reset(x.data, x.off, x.eof)
		if w.look(t.ops) {
			hit = true
			w.fileHits = append(w.fileHits, f)
			continue
		}
		if t.def.part == fileData && f.State == proto.FileOpen {
			pending = true
		}
	}
	switch {
	case hit:
		return txYes
	case n == 0 && t.absent != absentNone && done:
		return txYes
	case pending:
		return txPending
	}
	return txNo
}

// evalFiles applies the conditions on files: one file has to fulfil them all.
func (w *Worker) evalFiles(t *txTest, first int) outcome {
	b := w.tx.Base()
	pending, n, hit := !b.DirDone(t.dir), 0, false
	for _, f := range b.Files {
		if f.Dir != t.dir {
			continue
		}
		if n++; n <= first {
			continue
		}
		all := txYes
		for i := range t.file {
			if o := t.file[i].look(f); o != txYes {
				all = o
				if o == txNo {
					break
				}
			}
		}
		switch all {
		case txYes:
			hit = true
			w.fileHits = append(w.fileHits, f)
		case txPending:
			pending = true
		}
	}
	switch {
	case hit:
		return txYes
	case pending:
		return txPending
	}
	return txNo
}

// fileMatched tells whether f is among the files that made the rule match; without any
// every file is.
func (w *Worker) fileMatched(f *proto.File) bool {
	if len(w.fileHits) == 0 {
		return true
	}
	for _, h := range w.fileHits {
		if h == f {
			return true
		}
	}
	return false
}

func (w *Worker) hasTxBit(id uint32) bool {
	if w.state == nil {
		return false
	}
	for _, b := range w.state.bits {
		if b == id {
			return true
		}
	}
	return false
}

func (w *Worker) changeTxBit(id uint32, cmd bitCmd) {
	if w.tx == nil {
		return
	}
	has := w.hasTxBit(id)
	switch {
	case !has && (cmd == bitSet || cmd == bitToggle):
		if t := w.remember(); len(t.bits) < maxFlowBits {
			t.bits = append(t.bits, id)
		} else {
			w.Counters.StatesFull++
		}
	case has && (cmd == bitUnset || cmd == bitToggle):
		t := w.state
		for i, b := range t.bits {
			if b == id {
				t.bits = append(t.bits[:i], t.bits[i+1:]...)
				return
			}
		}
	}
}
