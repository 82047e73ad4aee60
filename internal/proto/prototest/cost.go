package prototest

import (
	"runtime"
	"testing"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/prototest/step"
)

// Load is a flow whose cost Cost measures at two sizes.
type Load struct {
	Name string
	N    int // the small size; the large one is four times that
	// Flow makes the flow of size n.
	Flow func(n int) []Chunk
	Hint proto.Hint
	// Piece is the size of TCP segments, 0 for 1460.
	Piece int
	// Table is the table to parse with; nil: that given to Cost.
	Table *proto.Table
	// Start, when set, is called before the first chunk.
	Start func(c *proto.Conn)
	// PerByte is the most steps per byte of input at the large size, 0 for
	// DefaultPerByte. A parser that is linear, but walks a long list for each
	// message, fails here.
	PerByte float64
	// Held is the most memory in bytes that the flow may keep before its end at the
	// large size, 0 for DefaultHeld.
	Held int64
	// NoTx says that the load makes no transaction. Else one without any fails: the
	// parser has not seen it.
	NoTx bool
}

// The ceilings of a Load that sets none.
const (
	// DefaultPerByte leaves room for one-byte segments, each of which goes through
	// probing, parsing, a look at every field, and the log.
	DefaultPerByte = 400
	// DefaultHeld is what one flow may hold: MaxTxs transactions of a few KB.
	DefaultHeld = 4 << 20
)

// Cost checks that four times the input costs at most five times the steps and the
// allocated bytes, in each load, and that the ceilings hold. Steps are counted
// (package step): parser, proto.Conn and jsonw are rebuilt with counting code for it.
// Every field is asked for as a detection engine with rules on all of them would,
// and every transaction is logged. Each load is fed in its pieces, and once more in
// pieces as large as a stream hands over at once when a hole in it is filled: a
// parser that walks the transactions of the flow for each message shows there.
func Cost(t *testing.T, tab *proto.Table, loads ...Load) {
	t.Helper()
	if !step.On {
		step.Again(t)
		return
	}
	Compare(t, tab, loads...)
}

// Compare is what Cost does in the counting program.
func Compare(t testing.TB, tab *proto.Table, loads ...Load) {
	t.Helper()
	for _, l := range loads {
		if l.Table == nil {
			l.Table = tab
		}
		compare(t, &l)
		if !l.Hint.UDP {
			l.Name, l.Piece = l.Name+", at once", 1<<20
			compare(t, &l)
		}
	}
}

func compare(t testing.TB, l *Load) {
	t.Helper()
	l.once(1) // what is made once is made now
	small, large := l.once(1), l.once(4)
	step.Check(t, l.Name, small.Cost, large.Cost)
	per := float64(large.Steps) / float64(max(large.in, 1))
	t.Logf("%-32s in %8d steps %9d (%6.2f a byte, ratio %.2f) allocated %9d (ratio %.2f) held %8d tx %d", l.Name, large.in, large.Steps, per,
		float64(large.Steps)/float64(max(small.Steps, 1)), large.Bytes, float64(large.Bytes)/float64(max(small.Bytes, 1)), large.held, large.txs)
	if !l.NoTx && (large.txs == 0 || small.txs == 0) {
		t.Errorf("%s: no transaction was made", l.Name)
	}
	limit := l.PerByte
	if limit == 0 {
		limit = DefaultPerByte
	}
	if per > limit {
		t.Errorf("%s: %.1f steps for each byte of input, at most %.1f are allowed", l.Name, per, limit)
	}
	held := l.Held
	if held == 0 {
		held = DefaultHeld
	}
	if large.held > held {
		t.Errorf("%s: the flow holds %d bytes, at most %d are allowed", l.Name, large.held, held)
	}
}

// outcome is what a flow cost.
type outcome struct {
	step.Cost
	in   int
	held int64
	txs  uint64
}

func (l *Load) once(times int) outcome {
	chunks := l.Flow(times * l.N)
	d := newDriver(l.Table, l.Hint, chunks)
	var o outcome
	for i := range chunks {
		o.in += len(chunks[i].Data)
	}
	if l.Start != nil {
		l.Start(d.conn)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	piece := l.Piece
	if piece == 0 {
		piece = 1460
	}
	o.Cost = step.Measure(func() {
		for i := range chunks {
			d.feed(&chunks[i], piece)
		}
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	o.held = int64(after.HeapAlloc) - int64(before.HeapAlloc)
	end := step.Measure(d.finish)
	runtime.KeepAlive(chunks)
	runtime.KeepAlive(d)
	o.Steps += end.Steps
	o.Bytes += end.Bytes
	o.txs = d.conn.TxCount()
	return o
}

// driver feeds a flow without copies and does with it what the sensor does, with
// rules on every field.
type driver struct {
	conn   *proto.Conn
	stream [2][]byte // all bytes of a direction, without gaps
	start  [2]int    // what is not used begins here
	end    [2]int
	off    [2]uint64
	need   [2]int
	turned bool
	w      jsonw.Writer
}

func newDriver(tab *proto.Table, h proto.Hint, chunks []Chunk) *driver {
	d := &driver{conn: proto.NewConn(tab, h)}
	if !h.UDP {
		for i := range chunks {
			c := &chunks[i]
			d.stream[c.Dir] = append(d.stream[c.Dir], c.Data...)
		}
	}
	return d
}

// feed offers one chunk in pieces.
func (d *driver) feed(c *Chunk, piece int) {
	d.conn.Time = c.Time
	dir := c.Dir
	if d.turned {
		dir = dir.Other()
	}
	if d.conn.Hint.UDP {
		d.conn.Datagram(dir, c.Data)
		if d.conn.Reversed {
			d.turn()
			dir = dir.Other()
			d.conn.Datagram(dir, c.Data)
		}
		d.look()
		return
	}
	if c.Gap > 0 {
		d.off[dir] += uint64(d.end[dir] - d.start[dir] + c.Gap)
		d.start[dir], d.need[dir] = d.end[dir], 0
		d.conn.Gap(dir, c.Gap)
		d.look()
		return
	}
	for n := len(c.Data); n > 0; {
		m := min(n, piece)
		d.end[dir] += m
		n -= m
		dir = d.read(dir, false)
	}
}

// read offers what is not used of dir. It returns dir, or the other direction when
// the flow was turned around.
func (d *driver) read(dir proto.Dir, eof bool) proto.Dir {
	for {
		data := d.stream[dir][d.start[dir]:d.end[dir]]
		if !eof && len(data) < d.need[dir] {
			return dir
		}
		used, need := d.conn.Feed(dir, data, d.off[dir], eof)
		if d.conn.Reversed {
			d.turn()
			dir = dir.Other()
			continue
		}
		d.start[dir] += used
		d.off[dir] += uint64(used)
		d.need[dir] = need
		if d.conn.Switched {
			// As with the next packet.
			d.conn.Switched = false
			if used > 0 && d.start[dir] < d.end[dir] {
				d.look()
				continue
			}
		}
		if d.conn.OtherFirst {
			d.conn.OtherFirst = false
			d.read(dir.Other(), false)
			continue
		}
		d.look()
		return dir
	}
}

func (d *driver) turn() {
	d.conn.Turn()
	d.turned = !d.turned
	d.stream[0], d.stream[1] = d.stream[1], d.stream[0]
	d.start[0], d.start[1] = d.start[1], d.start[0]
	d.end[0], d.end[1] = d.end[1], d.end[0]
	d.off[0], d.off[1] = d.off[1], d.off[0]
	d.need[0], d.need[1] = d.need[1], d.need[0]
}

func (d *driver) finish() {
	if !d.conn.Hint.UDP {
		for dir := range proto.Dir(2) {
			if !d.conn.EOF[dir] {
				d.read(dir, true)
			}
		}
	}
	d.conn.Finish()
	d.look()
}

// look is a packet's detection and log.
func (d *driver) look() {
	c := d.conn
	for _, tx := range c.Awake() {
		b := tx.Base()
		for dir := range proto.Dir(2) {
			if b.Dirty(dir) && !b.Inspected[dir] && !(b.Protocol().Unidirectional && b.Dir != dir) {
				d.fields(tx, b, dir)
			}
		}
		for _, f := range b.Files {
			f.Inspected = f.Size
			f.Data, f.DataOff = f.Data[:0], f.Size
		}
		d.log(tx, b)
	}
	c.AfterDetect(proto.ToServer)
	c.AfterDetect(proto.ToClient)
	c.Clean(false)
	c.Frames, c.Expects = c.Frames[:0], c.Expects[:0]
}

// fields asks for what the detection engine would: what can be read at the tx's
// progress and could not be read before the last look.
func (d *driver) fields(tx proto.Tx, b *proto.TxBase, dir proto.Dir) {
	progress, last := b.Progress[dir], b.DetectSeen[dir]
	b.DetectSeen[dir] = progress + 1
	fields := b.Protocol().Fields
	for i := range fields {
		f := &fields[i]
		if dir == proto.ToServer && !f.ToServer || dir == proto.ToClient && !f.ToClient || f.MinProgress[dir] > progress {
			continue
		}
		if f.GetStream != nil {
			f.GetStream(d.conn, tx, dir, 0)
			continue
		}
		if last > 0 && f.MinProgress[dir] < last-1 {
			continue
		}
		for n := 0; n == 0 || f.Multi; n++ {
			if !value(f, d.conn, tx, dir, n) {
				break
			}
		}
	}
}

func value(f *proto.Field, c *proto.Conn, tx proto.Tx, dir proto.Dir, n int) bool {
	switch {
	case f.Get != nil:
		_, ok := f.Get(c, tx, dir, n)
		return ok
	case f.Uint != nil:
		_, ok := f.Uint(c, tx, dir, n)
		return ok
	}
	return false
}

func (d *driver) log(tx proto.Tx, b *proto.TxBase) {
	p := b.Protocol()
	at := p.LogAt
	if at == [2]uint8{} {
		at = p.Done
	}
	if b.Logged || !(b.Skip[0] || b.Progress[0] >= at[0]) || !(b.Skip[1] || b.Progress[1] >= at[1]) {
		return
	}
	b.Logged = true
	d.w.Reset()
	d.w.Open()
	if p.Log != nil {
		p.Log(d.conn, tx, &d.w)
	}
	d.w.Reset()
	if p.LogAlert != nil {
		d.w.Open()
		p.LogAlert(d.conn, tx, &d.w)
		d.w.Reset()
	}
}

// Rep returns a flow of one direction: n times s, in one chunk.
func Rep(dir proto.Dir, s string) func(n int) []Chunk {
	return func(n int) []Chunk {
		b := make([]byte, 0, n*len(s))
		for range n {
			b = append(b, s...)
		}
		return []Chunk{{Dir: dir, Data: b}}
	}
}

// Cat returns a flow of n messages of one direction that follow each other in one
// chunk; f makes the i-th.
func Cat(dir proto.Dir, f func(i int) string) func(n int) []Chunk {
	return func(n int) []Chunk {
		var b []byte
		for i := range n {
			b = append(b, f(i)...)
		}
		return []Chunk{{Dir: dir, Data: b}}
	}
}

// Each returns a flow of n chunks of one direction; f makes the i-th. Over UDP each
// is a datagram.
func Each(dir proto.Dir, f func(i int) string) func(n int) []Chunk {
	return func(n int) []Chunk {
		list := make([]Chunk, n)
		for i := range list {
			list[i] = Chunk{Dir: dir, Data: []byte(f(i))}
		}
		return list
	}
}

// Turns returns a flow of n exchanges: f gives both sides of the i-th.
func Turns(f func(i int) (toServer, toClient string)) func(n int) []Chunk {
	return func(n int) []Chunk {
		list := make([]Chunk, 0, 2*n)
		for i := range n {
			a, b := f(i)
			if a != "" {
				list = append(list, Chunk{Dir: proto.ToServer, Data: []byte(a)})
			}
			if b != "" {
				list = append(list, Chunk{Dir: proto.ToClient, Data: []byte(b)})
			}
		}
		return list
	}
}

// After puts what comes first in front of a flow.
func After(f func(n int) []Chunk, first ...Chunk) func(n int) []Chunk {
	return func(n int) []Chunk { return append(append([]Chunk(nil), first...), f(n)...) }
}

// To is a chunk of text.
func To(dir proto.Dir, s string) Chunk { return Chunk{Dir: dir, Data: []byte(s)} }
