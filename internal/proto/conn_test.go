package proto_test

import (
	"fmt"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
)

// Open returns those that are not complete, oldest first, also when very many are
// begun and completed before any is cleaned away.
func TestOpen(t *testing.T) {
	row := &proto.Protocol{
		Name: "x", Transport: proto.TCP, Done: [2]uint8{1, 1},
		Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.Yes },
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(*proto.Conn) proto.Parser { return none{} }, nil
		},
	}
	tab, err := proto.NewTable([]*proto.Protocol{row}, func(string) proto.Settings { return noSettings{} })
	if err != nil {
		t.Fatal(err)
	}
	c := proto.NewConn(tab, proto.Hint{})
	c.Feed(proto.ToServer, []byte("x"), 0, false)
	type tx struct{ proto.TxBase }
	first := &tx{}
	c.NewTx(first)
	for i := range 500 {
		x := &tx{}
		c.NewTx(x)
		if i%100 != 0 {
			x.Advance(proto.ToServer, 1)
			x.Advance(proto.ToClient, 1)
		}
		open, live := c.Open(), 0
		last := uint64(0)
		for j, o := range open {
			b := o.Base()
			if j > 0 && b.ID <= last {
				t.Fatalf("transaction %d behind %d", b.ID, last)
			}
			if last = b.ID; !b.Complete() {
				live++
			}
		}
		if want := 2 + i/100; live != want || open[0].Base() != first.Base() || len(open) > 2*want+33 {
			t.Fatalf("after %d: %d open ones in a list of %d, the first is %d; want %d", i, live, len(open), open[0].Base().ID, want)
		}
	}
	first.Advance(proto.ToServer, 1)
	first.Advance(proto.ToClient, 1)
	if id := c.Open()[0].Base().ID; id != 1 {
		t.Errorf("the oldest open one is %d, want 1", id)
	}
	c.Clean(true)
	if n := len(c.Open()); n != 0 {
		t.Errorf("%d open ones after all were cleaned away", n)
	}
	// Complete ones do not count, however many there are.
	for range 3 * proto.MaxTxs {
		x := &tx{}
		c.NewTx(x)
		x.Advance(proto.ToServer, 1)
		x.Advance(proto.ToClient, 1)
	}
	for range proto.MaxTxs {
		c.NewTx(&tx{})
	}
	if c.TxOverflow != 0 {
		t.Errorf("%d were completed by force, nothing was to be", c.TxOverflow)
	}
	for range 2 * proto.MaxTxs {
		c.NewTx(&tx{})
	}
	if live := len(c.Open()); live > proto.MaxTxs || c.TxOverflow != 2*proto.MaxTxs {
		t.Errorf("%d are open, %d were completed by force", live, c.TxOverflow)
	}
}

// Files beyond what a transaction may have take no bytes and are counted.
func TestFileOverflow(t *testing.T) {
	var c proto.Conn
	type tx struct{ proto.TxBase }
	x := &tx{}
	for range proto.MaxTxFiles {
		if f := c.NewFile(x, proto.ToServer, nil); f.State != proto.FileOpen {
			t.Fatal("a file within the bound is not open")
		}
	}
	f := c.NewFile(x, proto.ToServer, []byte("one more"))
	f.Append([]byte("abc"))
	f.Close(proto.FileClosed)
	if len(x.Files) != proto.MaxTxFiles || len(f.Data) != 0 || c.FileOverflow != 1 {
		t.Errorf("%d files, %d bytes in the last, %d counted", len(x.Files), len(f.Data), c.FileOverflow)
	}
}

// Probing ends after MaxProbe bytes, and the flow is one that nobody knows.
func TestProbeBound(t *testing.T) {
	row := &proto.Protocol{Name: "undecided", Transport: proto.TCP, Done: [2]uint8{1, 1},
		Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.More },
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(*proto.Conn) proto.Parser { return nil }, nil
		}}
	c := proto.NewConn(prototest.Table(t, nil, row), proto.Hint{})
	b := make([]byte, proto.MaxProbe)
	for _, dir := range []proto.Dir{proto.ToServer, proto.ToClient} {
		if used, _ := c.Feed(dir, b[:proto.MaxProbe-1], 0, false); used != 0 || c.App == proto.Failed {
			t.Errorf("direction %d: %d bytes used below the bound", dir, used)
		}
		c.Feed(dir, b, 0, false)
	}
	if c.App != proto.Failed || !c.Stopped(proto.ToServer) || !c.Stopped(proto.ToClient) {
		t.Errorf("protocol %d at the bound", c.App)
	}
}

// The events of one transaction.
func TestEventBound(t *testing.T) {
	var b proto.TxBase
	for i := range 2 * proto.MaxTxEvents {
		b.AddEvent(proto.EventID(i))
	}
	if len(b.Events) != proto.MaxTxEvents {
		t.Errorf("%d events are kept", len(b.Events))
	}
}

// flawed is a parser of datagrams: "bad" is none, and all others begin a transaction
// that waits for its answer.
type flawed struct{ c *proto.Conn }

func (p flawed) Parse(dir proto.Dir, data []byte, _ bool) (int, int, proto.Status) {
	if string(data) == "bad" {
		return len(data), 0, proto.Flawed
	}
	p.c.NewTx(&struct{ proto.TxBase }{})
	p.c.AddFrame(dir, "odd", 0, 1, proto.NoTx)
	p.c.AddFrame(dir, "pdu", 0, 1, proto.NoTx)
	return len(data), 0, proto.OK
}

func (flawed) Gap(proto.Dir, int) bool { return true }

func flawedConn(t *testing.T, h proto.Hint) *proto.Conn {
	row := &proto.Protocol{Name: "x", Transport: proto.TCP | proto.UDP, Done: [2]uint8{1, 1},
		Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.Yes },
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return flawed{c} }, nil
		}}
	return proto.NewConn(prototest.Table(t, nil, row), h)
}

// A datagram that cannot be read does not end the parsing, but nothing waits for an
// answer from then on.
func TestFlawed(t *testing.T) {
	c := flawedConn(t, proto.Hint{UDP: true})
	c.Datagram(proto.ToServer, []byte("one"))
	if c.Txs[0].Base().Complete() || c.Broken != 0 {
		t.Error("complete before anything was wrong")
	}
	for range 300 {
		c.Datagram(proto.ToServer, []byte("bad"))
	}
	c.Datagram(proto.ToServer, []byte("two"))
	if len(c.Txs) != 2 || !c.Txs[0].Base().Complete() || !c.Txs[1].Base().Complete() || c.Broken != 255 || c.Stopped(proto.ToServer) {
		t.Errorf("%d transactions, broken %d, stopped %v", len(c.Txs), c.Broken, c.Stopped(proto.ToServer))
	}
}

// Frames are numbered among those that somebody looks at; over TCP the direction as
// a whole is one.
func TestFrames(t *testing.T) {
	for _, x := range []struct {
		want func(proto.ID, string) bool
		ids  string
	}{
		{nil, "stream1 odd2 pdu3 odd4 pdu5 "},
		{func(_ proto.ID, typ string) bool { return typ == "pdu" }, "pdu1 pdu2 "},
		{func(_ proto.ID, typ string) bool { return typ == "stream" }, "stream1 "},
	} {
		c := flawedConn(t, proto.Hint{})
		c.WantFrame = x.want
		c.Feed(proto.ToServer, []byte("one"), 0, false)
		c.Feed(proto.ToServer, []byte("two"), 3, false)
		got := ""
		for _, f := range c.Frames {
			got += fmt.Sprintf("%s%d ", f.Type, f.ID)
		}
		if got != x.ids {
			t.Errorf("frames %s, want %s", got, x.ids)
		}
	}
}

// RepeatEvent keeps equal events apart, up to the bound.
func TestRepeatEvent(t *testing.T) {
	var b proto.TxBase
	for range 2 * proto.MaxTxEvents {
		b.AddEvent(1)
	}
	if len(b.Events) != 1 {
		t.Errorf("AddEvent keeps %d of one event", len(b.Events))
	}
	for range 2 * proto.MaxTxEvents {
		b.RepeatEvent(1)
	}
	if len(b.Events) != proto.MaxTxEvents {
		t.Errorf("%d events are kept", len(b.Events))
	}
}

// holed begins a transaction for each byte; a hole completes the newest.
type holed struct {
	c    *proto.Conn
	last *bareTx
}

type bareTx struct{ proto.TxBase }

func (p *holed) Parse(_ proto.Dir, b []byte, _ bool) (int, int, proto.Status) {
	for range b {
		p.last = &bareTx{}
		p.c.NewTx(p.last)
	}
	return len(b), 0, proto.OK
}

func (p *holed) Gap(dir proto.Dir, _ int) bool {
	p.last.Advance(dir, 1)
	return true
}

// A transaction that a hole completes in a flow of which one side is seen waits for no
// answer, as one that is completed by bytes.
func TestOneSidedHole(t *testing.T) {
	row := &proto.Protocol{
		Name: "x", Transport: proto.TCP, Done: [2]uint8{1, 1},
		Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.Yes },
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return &holed{c: c} }, nil
		},
	}
	tab, err := proto.NewTable([]*proto.Protocol{row}, func(string) proto.Settings { return noSettings{} })
	if err != nil {
		t.Fatal(err)
	}
	c := proto.NewConn(tab, proto.Hint{})
	c.OneSided = true
	c.Feed(proto.ToServer, []byte("x"), 0, false)
	tx := c.Txs[0].Base()
	look := func() {
		c.AfterDetect(proto.ToServer)
		c.AfterDetect(proto.ToClient)
		tx.Logged = tx.Loggable()
		c.Clean(false)
	}
	look()
	if len(c.Awake()) != 0 {
		t.Fatal("a transaction without news does not sleep")
	}
	c.Gap(proto.ToServer, 10)
	look()
	if !tx.Logged || len(c.Txs) != 0 {
		t.Errorf("logged %v, %d transactions are left", tx.Logged, len(c.Txs))
	}
}
