package stream_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

// conn is a connection whose handshake is done.
type conn struct {
	e    *stream.Engine
	s    stream.Session
	c, v uint32
}

func newConn(t testing.TB, o stream.Options) *conn {
	k := &conn{e: newEngine(t, o), c: 101, v: 501}
	dial(k.e, &k.s, 100, 500)
	return k
}

// send sends data at offset off of the client's stream.
func (k *conn) send(off int, data string) stream.Result {
	return k.e.Packet(&k.s, seg(k.c+uint32(off), k.v, packet.ACK, []byte(data)), 0)
}

// ack acknowledges the first off bytes.
func (k *conn) ack(off int) stream.Result {
	return k.e.Packet(&k.s, seg(k.v, k.c+uint32(off), packet.ACK, nil), 1)
}

func (k *conn) app() string { return string(drainApp(&k.s, 0, nil)) }

func (k *conn) raw() (l []string) {
	for {
		w, ok := k.s.Raw(0)
		if !ok {
			return l
		}
		l = append(l, string(w.Data[:w.Fresh])+"|"+string(w.Data[w.Fresh:]))
		k.s.RawUsed(0, len(w.Data)-w.Fresh)
	}
}

func count(e *stream.Engine, v stream.Event) (n int) {
	for _, x := range e.Events() {
		if x == v {
			n++
		}
	}
	return n
}

func TestDepth(t *testing.T) {
	o := stream.DefaultOptions()
	o.Depth = 10
	k := newConn(t, o)
	k.send(0, "12345678")
	k.send(8, "9ABCDEF")
	if r := k.send(15, "more"); r.Flags&stream.Added == 0 || count(k.e, stream.EvDepthReached) != 1 {
		t.Errorf("first segment beyond the depth: flags %b, events %v", r.Flags, k.e.Events())
	}
	if r := k.send(19, "more"); r.Flags&stream.Added != 0 || len(k.e.Events()) != 0 {
		t.Errorf("second segment beyond the depth: flags %b, events %v", r.Flags, k.e.Events())
	}
	k.ack(23)
	c, ok := k.s.App(0)
	if !ok || string(c.Data) != "123456789A" || !c.Depth {
		t.Errorf("App = %q, depth %v, %v", c.Data, c.Depth, ok)
	}
	if got := k.raw(); len(got) != 1 || got[0] != "|123456789A" {
		t.Errorf("Raw = %q", got)
	}
	if !k.s.DepthReached(0) || k.e.Stats().StreamDepth != 1 {
		t.Error("depth not noted")
	}
}

func TestRawChunks(t *testing.T) {
	o := stream.DefaultOptions()
	o.ChunkSize = [2]int{10, 10}
	k := newConn(t, o)
	step := func(what string, want ...string) {
		t.Helper()
		got := k.raw()
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("%s: windows %q, want %q", what, got, want)
		}
	}
	k.send(0, "abcdef")
	k.ack(6)
	step("less than a chunk")
	k.send(6, "ghijkl")
	step("enough, but not acknowledged")
	k.ack(12)
	step("a chunk", "|abcdefghijkl")
	k.send(12, "mn")
	k.ack(14)
	k.s.TriggerRaw(0)
	step("asked for", "|mn")
	k.send(14, "op")
	k.send(18, "st")
	k.ack(20)
	step("before a gap", "|op")
	k.send(20, "uv")
	k.e.Finish(&k.s)
	step("at the end", "|stuv")
	step("after the end")
}

func TestLastRaw(t *testing.T) {
	k := newConn(t, stream.DefaultOptions())
	k.send(0, "hello")
	k.ack(5)
	k.s.LastRaw(0)
	if got := k.raw(); len(got) != 1 || got[0] != "|hello" {
		t.Errorf("last window %q", got)
	}
	k.send(5, strings.Repeat("x", 5000))
	k.ack(5005)
	k.e.Finish(&k.s)
	if got := k.raw(); len(got) != 0 {
		t.Errorf("after the last window %d more", len(got))
	}
}

func TestRawOverlap(t *testing.T) {
	o := stream.DefaultOptions()
	o.ChunkSize = [2]int{4, 4}
	o.RawOverlap = 3
	k := newConn(t, o)
	k.send(0, "abcdef")
	k.ack(6)
	k.app()
	if got := k.raw(); len(got) != 1 || got[0] != "|abcdef" {
		t.Errorf("first window %q", got)
	}
	k.send(6, "ghij")
	k.ack(10)
	k.app()
	if got := k.raw(); len(got) != 1 || got[0] != "def|ghij" {
		t.Errorf("second window %q", got)
	}
}

func TestRawBehindHoleAtTheEnd(t *testing.T) {
	k := newConn(t, stream.DefaultOptions())
	k.send(0, "Please ")
	k.send(11, "Me In!")
	k.e.Finish(&k.s)
	if got := k.app(); got != "Please " {
		t.Errorf("App = %q: what was never acknowledged ends at the hole", got)
	}
	if got := k.raw(); len(got) != 2 || got[0] != "|Please " || got[1] != "|Me In!" {
		t.Errorf("Raw = %q", got)
	}
	if n := k.e.Stats().ReassemblyGap; n != 0 {
		t.Errorf("%d gaps counted, want 0", n)
	}
}

func TestUnusedDataComesAgain(t *testing.T) {
	k := newConn(t, stream.DefaultOptions())
	k.send(0, "abc")
	k.ack(3)
	c, _ := k.s.App(0)
	k.s.AppUsed(0, 1)
	if string(c.Data) != "abc" {
		t.Fatalf("App = %q", c.Data)
	}
	if c, ok := k.s.App(0); ok {
		t.Fatalf("App offers %q again although nothing is new", c.Data)
	}
	k.send(3, "def")
	k.ack(6)
	if c, ok := k.s.App(0); !ok || string(c.Data) != "bcdef" || c.Offset != 1 {
		t.Fatalf("App = %q at %d, %v", c.Data, c.Offset, ok)
	}
	k.s.AppUsed(0, 2)
	k.e.Finish(&k.s)
	if c, ok := k.s.App(0); !ok || string(c.Data) != "def" || !c.EOF {
		t.Fatalf("App at the end = %q, eof %v, %v", c.Data, c.EOF, ok)
	}
}

func TestGapBounds(t *testing.T) {
	k := newConn(t, stream.DefaultOptions())
	k.send(0, "ab")
	k.send(10, "kl")
	if r := k.ack(5); r.Flags&stream.Gap != 0 {
		// only bytes 2 to 4 are lost for sure
		t.Log("gap flagged")
	}
	if got := k.app(); got != "ab___" {
		t.Errorf("after a partial acknowledgement %q, want the acknowledged part of the hole only", got)
	}
	k.send(5, "fghij")
	k.ack(12)
	if got := k.app(); got != "fghijkl" {
		t.Errorf("then %q", got)
	}
}

func TestAsyncGap(t *testing.T) {
	o := stream.DefaultOptions()
	o.AsyncOneside = true
	k := &conn{e: newEngine(t, o), c: 101, v: 501}
	k.e.Packet(&k.s, seg(100, 0, packet.SYN, nil), 0)
	k.send(0, "")
	if !k.s.IsAsync() {
		t.Fatal("not async")
	}
	k.send(0, "abc")
	if got := k.app(); got != "abc" {
		t.Errorf("App = %q: nobody will acknowledge", got)
	}
	k.send(5, "fg")
	if got := k.app(); got != "" {
		t.Errorf("App = %q: the hole may still be filled", got)
	}
	k.send(3, "de")
	if got := k.app(); got != "defg" {
		t.Errorf("App = %q", got)
	}
	big := strings.Repeat("x", 1000)
	for i := range 80 {
		k.send(10+i*1000, big)
	}
	if got := k.app(); got != "___"+strings.Repeat(big, 80) {
		t.Errorf("App gave %d bytes, want the hole given up", len(got))
	}
}

func TestUrgent(t *testing.T) {
	send := func(k *conn, off int, data string, urg uint16) {
		p := seg(k.c+uint32(off), k.v, packet.ACK|packet.URG, []byte(data))
		p.Urgent = urg
		k.e.Packet(&k.s, p, 0)
	}
	tests := []struct {
		policy stream.UrgentPolicy
		want   string
	}{
		{stream.UrgentOOB, "abdefg"}, {stream.UrgentInline, "abcdefg"},
		{stream.UrgentDrop, "____efg"}, {stream.UrgentGap, "ab_defg"},
	}
	for _, tt := range tests {
		o := stream.DefaultOptions()
		o.Urgent = tt.policy
		k := newConn(t, o)
		send(k, 0, "abcd", 3)
		k.send(4, "efg")
		k.ack(7)
		if got := k.app(); got != tt.want {
			t.Errorf("policy %d: %q, want %q", tt.policy, got, tt.want)
		}
	}
	// Several, out of order, and readers that stop in between.
	k := newConn(t, stream.DefaultOptions())
	send(k, 5, "fghi", 2)
	send(k, 0, "abcde", 5)
	k.ack(9)
	c, _ := k.s.App(0)
	if string(c.Data) != "abcdfhi" {
		t.Fatalf("App = %q", c.Data)
	}
	k.s.AppUsed(0, 4) // up to where e was
	k.send(9, "jk")
	k.ack(11)
	if c, _ = k.s.App(0); string(c.Data) != "fhijk" || c.Offset != 5 {
		t.Fatalf("App = %q at %d", c.Data, c.Offset)
	}
	k.s.TriggerRaw(0)
	if got := k.raw(); len(got) != 1 || got[0] != "|abcdfhijk" {
		t.Errorf("Raw = %q", got)
	}
}

func TestTruncatedSegment(t *testing.T) {
	k := newConn(t, stream.DefaultOptions())
	p := seg(k.c, k.v, packet.ACK, []byte("abc"))
	p.Truncated, p.IPTotal = true, 8 // five bytes were lost by the mirror
	k.e.Packet(&k.s, p, 0)
	k.send(8, "ijk")
	k.ack(11)
	if got := k.app(); got != "abc_____ijk" {
		t.Errorf("App = %q", got)
	}
}

func TestMemcaps(t *testing.T) {
	o := stream.DefaultOptions()
	o.Memcap = 2000
	e := newEngine(t, o)
	var s [8]stream.Session
	for i := range s {
		e.Packet(&s[i], seg(1, 0, packet.SYN, nil), 0)
	}
	if st := e.Stats(); st.Memuse > o.Memcap || st.SsnMemcapDrop == 0 || st.Sessions+st.SsnMemcapDrop != 8 {
		t.Errorf("sessions %d, drops %d, memuse %d over %d", st.Sessions, st.SsnMemcapDrop, st.Memuse, o.Memcap)
	}
	for i := range s {
		e.Release(&s[i])
	}
	if r := e.Packet(&s[0], seg(1, 0, packet.SYN, nil), 0); r.Verdict != stream.Accepted {
		t.Errorf("after the release: %v", r)
	}

	o = stream.DefaultOptions()
	o.ReassemblyMemcap = 100_000
	o.Depth = 0
	k := newConn(t, o)
	k.ack(0) // opens the scaled window
	rng := rand.New(rand.NewPCG(1, 1))
	data := bytes.Repeat([]byte("x"), 700)
	for range 2000 {
		k.send(rng.IntN(1<<22), string(data))
		if n := k.e.Stats().ReassemblyMemuse; n > o.ReassemblyMemcap {
			t.Fatalf("reassembly uses %d bytes over %d", n, o.ReassemblyMemcap)
		}
	}
	if k.e.Stats().SegmentMemcapDrop == 0 {
		t.Error("no segment was refused")
	}
	k.e.Release(&k.s)
	if n := k.e.Stats().ReassemblyMemuse; n != 0 {
		t.Errorf("%d bytes in use after the release", n)
	}
}

func TestSessionCost(t *testing.T) {
	if n := unsafe.Sizeof(stream.Session{}); n > stream.SessionCost {
		t.Errorf("a session has %d bytes, counted are %d", n, stream.SessionCost)
	}
}

// TestLinear: small segments in the worst order cost about as many steps each, be
// they few or many.
func TestLinear(t *testing.T) {
	orders := map[string]func(n int) []int{
		"descending": func(n int) (l []int) {
			for i := n - 1; i >= 0; i-- {
				l = append(l, i)
			}
			return l
		},
		"random": func(n int) []int { return rand.New(rand.NewPCG(3, 4)).Perm(n) },
		"evens then odds": func(n int) (l []int) {
			for i := 1; i < n; i += 2 {
				l = append(l, i)
			}
			for i := 0; i < n; i += 2 {
				l = append(l, i)
			}
			return l
		},
	}
	for name, order := range orders {
		steps := func(n int) uint64 {
			o := stream.DefaultOptions()
			o.Depth = 0
			k := newConn(t, o)
			for _, i := range order(n) {
				k.send(i*2, "ab")
			}
			k.ack(2 * n)
			if got := len(k.app()); got != 2*n {
				t.Fatalf("%s: %d bytes of %d", name, got, 2*n)
			}
			k.e.Release(&k.s)
			return k.e.Stats().Steps
		}
		small, large := steps(4000), steps(16000)
		t.Logf("%s: %d and %d steps", name, small, large)
		if large > 5*small {
			t.Errorf("%s: four times the segments cost %d steps after %d", name, large, small)
		}
	}
}

// TestHolesBounded: data with more holes than are kept apart; the slower reader
// loses some, which is counted, and nothing grows.
func TestHolesBounded(t *testing.T) {
	const kept = 4096
	for _, holes := range []int{kept, kept + 1} {
		o := stream.DefaultOptions()
		o.Depth = 0
		k := newConn(t, o)
		for i := range holes + 1 {
			k.send(i*4, "ab")
		}
		k.ack(holes*4 + 2)
		got := k.app()
		runs, full := strings.Count(got, "ab"), k.e.Stats().HolesFull
		if holes == kept && (runs != holes+1 || full != 0) {
			t.Errorf("%d holes: App gave %d runs, %d times full", holes, runs, full)
		}
		if holes > kept && (runs != 1 || full != 1) {
			t.Errorf("%d holes: App gave %d runs, want the one behind the last hole; %d times full", holes, runs, full)
		}
		k.e.Release(&k.s)
	}
}

// TestPiecesBounded: segments that wait behind a hole are bounded in number.
func TestPiecesBounded(t *testing.T) {
	const kept = 1 << 16
	o := stream.DefaultOptions()
	o.Depth = 0
	k := newConn(t, o)
	k.ack(0) // opens the scaled window
	for i := range kept {
		k.send(2+2*i, "a")
	}
	if n := k.e.Stats().SegmentInsertFail; n != 0 {
		t.Fatalf("%d of %d segments were refused", n, kept)
	}
	k.send(2+2*kept, "a")
	if n := k.e.Stats().SegmentInsertFail; n != 1 || count(k.e, stream.EvInsertLimit) != 1 {
		t.Errorf("one segment too many: %d were refused, events %v", n, k.e.Events())
	}
	k.e.Release(&k.s)
}

// TestAheadBounded: data too far ahead of the contiguous is not stored, however large
// the window is said to be.
func TestAheadBounded(t *testing.T) {
	const ahead = 64 << 20
	o := stream.DefaultOptions()
	o.Depth = 0
	k := &conn{e: newEngine(t, o), c: 101, v: 501}
	for i, p := range []*packet.Parsed{seg(100, 0, packet.SYN, nil), seg(500, 101, packet.SYN|packet.ACK, nil), seg(101, 501, packet.ACK, nil)} {
		p.HasWScale, p.WScale = i < 2, 14
		k.e.Packet(&k.s, p, uint8(i&1))
	}
	k.ack(0)
	k.send(ahead-2, "ab")
	if st := k.e.Stats(); st.SegmentInsertFail != 0 || st.ReassemblyMemuse == 0 {
		t.Fatalf("%d segments were refused, %d bytes are in use", st.SegmentInsertFail, st.ReassemblyMemuse)
	}
	before := k.e.Stats().ReassemblyMemuse
	k.send(ahead-1, "bc")
	k.send(2*ahead, "x")
	if st := k.e.Stats(); st.SegmentInsertFail != 2 || st.SegmentMemcapDrop != 0 || st.ReassemblyMemuse != before {
		t.Errorf("%d segments too far ahead were refused, %d for memory; %d bytes after %d", st.SegmentInsertFail, st.SegmentMemcapDrop, st.ReassemblyMemuse, before)
	}
	k.e.Release(&k.s)
}

// TestUrgentBounded: urgent bytes that wait behind a hole are bounded, and so are those
// of one direction.
func TestUrgentBounded(t *testing.T) {
	urgent := func(k *conn, off int) stream.Result {
		p := seg(k.c+uint32(off), k.v, packet.ACK|packet.URG, []byte("ab"))
		p.Urgent = 1
		return k.e.Packet(&k.s, p, 0)
	}
	k := newConn(t, stream.DefaultOptions())
	for i := range 64 {
		if urgent(k, 2+4*i); count(k.e, stream.EvUrgentLimit) != 0 {
			t.Fatalf("the limit is met at urgent byte %d behind a hole", i)
		}
	}
	if urgent(k, 2+4*64); count(k.e, stream.EvUrgentLimit) != 1 || k.e.Stats().UrgentOOB != 64 {
		t.Errorf("one too many behind a hole: %d taken out, events %v", k.e.Stats().UrgentOOB, k.e.Events())
	}
	o := stream.DefaultOptions()
	o.Depth = 0
	k = newConn(t, o)
	for i := range 1<<16 - 1 {
		urgent(k, 2*i)
		k.ack(2*i + 2)
		k.app()
	}
	if n := k.e.Stats().UrgentOOB; n != 1<<16-1 {
		t.Fatalf("%d urgent bytes were taken out", n)
	}
	if urgent(k, 2*(1<<16-1)); count(k.e, stream.EvUrgentLimit) != 1 || k.e.Stats().UrgentOOB != 1<<16-1 {
		t.Errorf("one too many: %d taken out, events %v", k.e.Stats().UrgentOOB, k.e.Events())
	}
}

// Held bytes stay for Kept although both readers are past them, but not many.
func TestHold(t *testing.T) {
	for _, c := range []struct {
		off, from uint64
	}{
		{stream.NoHold, 40000},
		{39000, 39000},
		{90, 40000 - 32<<10},
		{50000, 40000},
	} {
		k := newConn(t, stream.DefaultOptions())
		k.s.StopRaw(stream.ToServer)
		k.s.Hold(stream.ToServer, c.off)
		for off := 0; off < 40010; off += 1000 {
			k.send(off, strings.Repeat("x", 1000))
			k.ack(min(off+1000, 40000))
			k.app()
		}
		k.ack(40000)
		data, at := k.s.Kept(stream.ToServer)
		if at != c.from || at+uint64(len(data)) != 41000 {
			t.Errorf("held from %d: %d bytes are kept from %d, want from %d", c.off, len(data), at, c.from)
		}
	}
}

// Parts and AppendRange show what is kept on both sides of a hole.
func TestParts(t *testing.T) {
	k := newConn(t, stream.DefaultOptions())
	k.s.StopRaw(stream.ToServer)
	k.s.Hold(stream.ToServer, 2)
	k.send(0, "abcdef")
	k.send(10, "klmn")
	k.ack(14)
	k.app()
	k.ack(14)
	var got []string
	for _, p := range k.s.Parts(nil, stream.ToServer) {
		got = append(got, fmt.Sprint(p.Offset, string(p.Data)))
	}
	if want := "2cdef 10klmn"; strings.Join(got, " ") != want {
		t.Errorf("parts %q, want %q", got, want)
	}
	hole := func(b []byte, n uint64) []byte { return fmt.Appendf(b, "[%d]", n) }
	for _, c := range []struct {
		from, to uint64
		want     string
		n        uint64
	}{
		{0, 99, "cdef[4]klmn", 12}, {3, 12, "def[4]kl", 9}, {7, 9, "[2]", 2}, {5, 7, "f[1]", 2}, {9, 11, "[1]k", 2},
		{12, 14, "mn", 2}, {14, 20, "", 0}, {20, 30, "", 0}, {0, 2, "", 0},
	} {
		b, n := k.s.AppendRange(nil, stream.ToServer, c.from, c.to, hole)
		if string(b) != c.want || n != c.n {
			t.Errorf("from %d to %d: %q, %d, want %q, %d", c.from, c.to, b, n, c.want, c.n)
		}
	}
}
