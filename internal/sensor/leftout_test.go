package sensor_test

import (
	"strings"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
	"mirador/internal/proto"
	"mirador/internal/proto/http"
)

// openEnded makes a transaction of every byte and ends none of them.
type openEnded struct{ c *proto.Conn }

type bareTx struct{ proto.TxBase }

func (p openEnded) Parse(_ proto.Dir, b []byte, _ bool) (int, int, proto.Status) {
	for i := range b {
		p.c.NewTx(&bareTx{})
		p.c.AddFrame(proto.ToServer, "byte", p.c.Offset[0]+uint64(i), 1, proto.NoTx)
		p.c.Limit(1)
	}
	return len(b), 0, proto.OK
}

func (openEnded) Gap(proto.Dir, int) bool { return true }

// TestLeftOutIsCounted: transactions and frames beyond a flow's bound show in the
// statistics, and so do the bounds of a parser.
func TestLeftOutIsCounted(t *testing.T) {
	row := &proto.Protocol{Name: "openended", Transport: proto.TCP,
		Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.Yes },
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return openEnded{c} }, nil
		},
		Done:   [2]uint8{1, 1},
		Frames: []string{"byte"},
		Limits: []string{"one", "other"},
	}
	o, _ := workerOptions(t, `alert openended any any -> any any (msg:"x"; frame:openended.byte; content:"abc"; sid:1;)`, row)
	o.Mirror = false
	w := startWorker(t, o)
	f := pkttest.TCP("10.0.0.1:40000", "10.0.0.2:80").Open()
	f.ToServer(string(make([]byte, 4096)))
	for _, s := range f.Close().Frames {
		w.Frame(packet.LinkEthernet, s.Data, len(s.Data), s.Time)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if w.Stats.LeftTxs == 0 || w.Stats.LeftTxs >= 4096 {
		t.Errorf("%d transactions left out of 4096", w.Stats.LeftTxs)
	}
	got := map[string]uint64{}
	for _, c := range w.AppendCounters(nil) {
		got[c.Name] = c.Value
	}
	if n := got["sensor.left_out.transactions"]; n != w.Stats.LeftTxs {
		t.Errorf("sensor.left_out.transactions %d, want %d", n, w.Stats.LeftTxs)
	}
	if n := got["sensor.left_out.frames"]; n == 0 || n >= 4096 {
		t.Errorf("sensor.left_out.frames %d of 4096", n)
	}
	if one, ok := got["app_layer.limit.openended.one"]; !ok || one != 0 || got["app_layer.limit.openended.other"] != 4096 {
		t.Errorf("app_layer.limit.openended: %d, %d", one, got["app_layer.limit.openended.other"])
	}
}

// TestFailedIsCounted: a flow in which no protocol was found is counted when it ends.
func TestFailedIsCounted(t *testing.T) {
	o, _ := workerOptions(t, `alert ip any any -> any any (msg:"x"; sid:1;)`, http.Protocol())
	o.Mirror = false
	w := startWorker(t, o)
	f := pkttest.TCP("10.0.0.1:40000", "10.0.0.2:80").Open()
	f.ToServer(strings.Repeat("\x01\x02junk", 4000)).ToClient(strings.Repeat("\x03\x04junk", 4000))
	for _, s := range f.Close().Frames {
		w.Frame(packet.LinkEthernet, s.Data, len(s.Data), s.Time)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.AppendCounters(nil) {
		if c.Name == "app_layer.flow.failed_tcp" && c.Value != 1 || c.Name == "app_layer.flow.failed_udp" && c.Value != 0 {
			t.Errorf("%s %d", c.Name, c.Value)
		}
	}
}
