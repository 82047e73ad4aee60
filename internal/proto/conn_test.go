package proto_test

import (
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
