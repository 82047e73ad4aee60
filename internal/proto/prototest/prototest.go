// Package prototest drives application parsers with recorded traffic in tests.
//
// It is no substitute for the packet path: it reads captures, puts TCP streams
// together in the order of their sequence numbers, with no regard to time or
// policy, and feeds a proto.Conn with pieces of a chosen size. Only tests import
// it.
package prototest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
)

// Shared returns the path of a file or folder of the test data that lies beside
// the module, and skips the test when it is not there.
func Shared(tb testing.TB, path ...string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Skip("no module root above the package")
		}
		dir = up
	}
	full := filepath.Join(append([]string{dir, "..", "shared"}, path...)...)
	if _, err := os.Stat(full); err != nil {
		tb.Skipf("test data is not here: %s", filepath.Join(path...))
	}
	return full
}

// Settings is a flat proto.Settings for tests: dotted keys, values as text.
type Settings map[string]string

// String implements proto.Settings.
func (s Settings) String(key string) (string, bool) { v, ok := s[key]; return v, ok }

// Bool implements proto.Settings.
func (s Settings) Bool(key string) (v, ok bool) {
	switch s[key] {
	case "yes", "true", "on", "1":
		return true, true
	case "no", "false", "off", "0":
		return false, true
	}
	return false, false
}

// Int implements proto.Settings.
func (s Settings) Int(key string) (n int64, ok bool) {
	ok = json.Unmarshal([]byte(s[key]), &n) == nil
	return n, ok
}

// Size implements proto.Settings; it takes plain numbers only.
func (s Settings) Size(key string) (int64, bool) { return s.Int(key) }

// Strings implements proto.Settings.
func (s Settings) Strings(key string) ([]string, bool) {
	v, ok := s[key]
	return []string{v}, ok
}

// Global implements proto.Settings.
func (s Settings) Global() proto.Settings { return s }

// Table makes a table of rows, each configured with s.
func Table(tb testing.TB, s Settings, rows ...*proto.Protocol) *proto.Table {
	tb.Helper()
	t, err := proto.NewTable(rows, func(string) proto.Settings { return s })
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// Chunk is a piece of one direction of a flow: bytes, or the length of a gap.
type Chunk struct {
	Dir  proto.Dir
	Data []byte
	Gap  int
	Time int64
}

// Record is a transaction as it was when it was logged.
type Record struct {
	Proto  string   // name of the protocol
	JSON   string   // its EVE object, "" when it was not logged
	Events []string // set by Finish
	Tx     proto.Tx
	Dir    proto.Dir // for unidirectional protocols
}

// Map returns the EVE object as a map, nil when there is none.
func (r *Record) Map(tb testing.TB) map[string]any {
	tb.Helper()
	if r.JSON == "" {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(r.JSON), &m); err != nil {
		tb.Fatalf("record is not JSON: %v\n%s", err, r.JSON)
	}
	return m
}

// Runner feeds one flow. Records are the transactions in the order they were
// completed.
type Runner struct {
	Conn    *proto.Conn
	Records []Record
	// KeepFrames collects the frames the parser notes in Frames.
	KeepFrames bool
	Frames     []proto.Frame
	// OnTx, when set, sees every live transaction after each piece.
	OnTx func(c *proto.Conn, tx proto.Tx, dir proto.Dir)

	buf  [2][]byte
	off  [2]uint64
	need [2]int
	w    jsonw.Writer
}

// NewRunner starts a flow.
func NewRunner(t *proto.Table, h proto.Hint) *Runner {
	c := proto.NewConn(t, h)
	c.Hits = t.NewLimitHits()
	return &Runner{Conn: c}
}

// Hits returns how often the flow met the bound called limit of protocol name.
func (r *Runner) Hits(tb testing.TB, name, limit string) uint64 {
	tb.Helper()
	id := r.Conn.Table.ByName(name)
	for i, n := range r.Conn.Hits.Of(id) {
		if r.Conn.Table.Protocol(id).Limits[i] == limit {
			return n
		}
	}
	tb.Fatalf("%s has no bound %q", name, limit)
	return 0
}

// turn carries out a reversal asked for by probing.
func (r *Runner) turn() {
	r.Conn.Turn()
	r.buf[0], r.buf[1] = r.buf[1], r.buf[0]
	r.off[0], r.off[1] = r.off[1], r.off[0]
	r.need[0], r.need[1] = r.need[1], r.need[0]
}

// Feed offers c, in pieces of at most size bytes (0: as it is). It returns
// whether the flow was turned around by it.
func (r *Runner) Feed(c Chunk, size int) (turned bool) {
	r.Conn.Time = c.Time
	dir := c.Dir
	if r.Conn.Hint.UDP {
		r.Conn.Datagram(dir, c.Data)
		if r.Conn.Reversed {
			r.turn()
			dir, turned = dir.Other(), true
			r.Conn.Datagram(dir, c.Data)
		}
		r.after(dir)
		return turned
	}
	if c.Gap > 0 {
		r.buf[dir] = r.buf[dir][:0]
		r.off[dir] += uint64(c.Gap)
		r.need[dir] = 0
		r.Conn.Gap(dir, c.Gap)
		r.after(dir)
		return false
	}
	for data := c.Data; len(data) > 0; {
		n := len(data)
		if size > 0 {
			n = min(n, size)
		}
		if r.piece(dir, data[:n], false) {
			dir, turned = dir.Other(), true
		}
		data = data[n:]
	}
	return turned
}

// piece offers b behind what is left over.
func (r *Runner) piece(dir proto.Dir, b []byte, eof bool) (turned bool) {
	r.buf[dir] = append(r.buf[dir], b...)
	for !eof || len(b) == 0 {
		if !eof && r.need[dir] > len(r.buf[dir]) {
			return turned
		}
		used, need := r.Conn.Feed(dir, r.buf[dir], r.off[dir], eof)
		if r.Conn.Reversed {
			r.turn()
			dir, turned = dir.Other(), true
			continue
		}
		r.buf[dir] = append(r.buf[dir][:0], r.buf[dir][used:]...)
		r.off[dir] += uint64(used)
		r.need[dir] = need
		r.after(dir)
		if r.Conn.Switched {
			// As with the next packet.
			r.Conn.Switched = false
			if used > 0 && len(r.buf[dir]) > 0 {
				continue
			}
		}
		return turned
	}
	return turned
}

// Finish ends the flow.
func (r *Runner) Finish() {
	if !r.Conn.Hint.UDP {
		for d := range r.buf {
			if !r.Conn.EOF[d] {
				r.piece(proto.Dir(d), nil, true)
			}
		}
	}
	r.Conn.Finish()
	for _, tx := range r.Conn.Txs {
		r.log(tx)
	}
	r.Conn.Clean(true)
	for i := range r.Records {
		rec := &r.Records[i]
		b := rec.Tx.Base()
		rec.Events = nil
		for _, e := range b.Events {
			rec.Events = append(rec.Events, b.Protocol().Events[e])
		}
	}
}

// after does what the sensor does when a packet has been fed.
func (r *Runner) after(dir proto.Dir) {
	if r.KeepFrames {
		r.Frames = append(r.Frames, r.Conn.Frames...)
	}
	r.Conn.Frames = r.Conn.Frames[:0]
	for _, tx := range r.Conn.Txs {
		if r.OnTx != nil {
			r.OnTx(r.Conn, tx, dir)
		}
	}
	r.Conn.AfterDetect(dir)
	r.Conn.AfterDetect(dir.Other())
	for _, tx := range r.Conn.Txs {
		b := tx.Base()
		at := b.Protocol().LogAt
		if at == [2]uint8{} {
			at = b.Protocol().Done
		}
		if !b.Logged && (b.Skip[0] || b.Progress[0] >= at[0]) && (b.Skip[1] || b.Progress[1] >= at[1]) {
			r.log(tx)
		}
	}
	r.Conn.Clean(false)
}

func (r *Runner) log(tx proto.Tx) {
	b := tx.Base()
	if b.Logged {
		return
	}
	b.Logged = true
	p := b.Protocol()
	rec := Record{Proto: p.Name, Tx: tx, Dir: b.Dir}
	r.w.Reset()
	r.w.Open()
	if p.Log != nil && p.Log(r.Conn, tx, &r.w) {
		r.w.Close()
		rec.JSON = string(r.w.Buf)
	}
	r.Records = append(r.Records, rec)
}

// RunFlow feeds a whole flow in pieces of at most size bytes.
func RunFlow(t *proto.Table, f *Flow, size int) *Runner {
	r := NewRunner(t, f.Hint)
	turned := false
	for _, c := range f.Chunks {
		if turned {
			c.Dir = c.Dir.Other()
		}
		if r.Feed(c, size) {
			turned = !turned
		}
	}
	r.Finish()
	return r
}

// Field returns the field named name of p, nil when there is none.
func Field(p *proto.Protocol, name string) *proto.Field {
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Name == name {
			return f
		}
		for _, a := range f.Aliases {
			if a == name {
				return f
			}
		}
	}
	return nil
}
