package proto_test

import (
	"slices"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
)

// What meets a bound is counted for the protocol it belongs to, in all flows together;
// after parsing, for that of the transaction, whatever the flow has gone on as.
func TestLimitHits(t *testing.T) {
	a := &proto.Protocol{Name: "a", Limits: []string{"x", "y"}, Done: [2]uint8{1, 1}}
	b := &proto.Protocol{Name: "b", Limits: []string{"z"}, Done: [2]uint8{1, 1}}
	tab := prototest.Table(t, nil, a, &proto.Protocol{Name: "none"}, b)
	hits := tab.NewLimitHits()
	var tx struct{ proto.TxBase }
	for _, c := range []struct {
		app   string
		limit proto.LimitID
	}{{"a", 1}, {"b", 0}, {"a", 1}, {"none", 0}, {"b", 1}, {"", 0}} {
		conn := proto.NewConn(tab, proto.Hint{})
		conn.Hits, conn.App = hits, tab.ByName(c.app)
		conn.Limit(c.limit)
		if c.app == "b" && c.limit == 0 {
			conn.NewTx(&tx)
			conn.App = tab.ByName("a")
			conn.LimitOf(&tx, 0)
		}
	}
	if got := hits.Of(tab.ByName("a")); !slices.Equal(got, []uint64{0, 2}) {
		t.Errorf("a: %v", got)
	}
	if got := hits.Of(tab.ByName("b")); !slices.Equal(got, []uint64{2}) {
		t.Errorf("b: %v", got)
	}
	if n := len(hits.Of(tab.ByName("none"))) + len(hits.Of(proto.Unknown)) + len(hits.Of(proto.Failed)); n != 0 {
		t.Errorf("%d counts of what has no bounds", n)
	}
	proto.NewConn(tab, proto.Hint{}).Limit(0) // nobody counts
	if n := testing.AllocsPerRun(100, func() { conn := &proto.Conn{Table: tab, App: 1, Hits: hits}; conn.Limit(0) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Frames beyond MaxFrames are counted.
func TestFrameOverflow(t *testing.T) {
	c := proto.NewConn(prototest.Table(t, nil), proto.Hint{})
	for i := range proto.MaxFrames + 7 {
		c.AddFrame(proto.ToServer, "pdu", uint64(i), 1, proto.NoTx)
	}
	if len(c.Frames) != proto.MaxFrames || c.FrameOverflow != 7 {
		t.Errorf("%d frames, %d counted", len(c.Frames), c.FrameOverflow)
	}
}
