package eve_test

import (
	"testing"

	"mirador/internal/eve"
)

// writers returns one append function for each kind of record, for the tests of
// cost.
func writers(t testing.TB) map[string]func([]byte) []byte {
	t.Helper()
	table := testTable(t)
	c, tx := conn(table, "http", "GET /index.html HTTP/1.1 \xff")
	w := eve.NewWriter(allOn(), table)
	h := full()
	a, fl, file := fullAlert(c, tx), fullFlow(), fullFile()
	a.Context = nil // attached data is checked again each time, which may allocate
	an := &eve.Anomaly{Type: eve.AnomalyStream, Event: "stream.est_invalid_ack", Packet: make([]byte, 60)}
	names := []string{"decoder.pkts", "decoder.event.ipv4.hlen", "flow.total", "detect.engines", "detect.alert"}
	plan, err := eve.NewStatsPlan(names)
	if err != nil {
		t.Fatal(err)
	}
	st := &eve.Stats{Time: t0, Plan: plan, Values: make([]uint64, len(names)), Engines: make([]eve.Engine, 1)}
	fast := &eve.Fast{}
	return map[string]func([]byte) []byte{
		"alert":    func(b []byte) []byte { return w.Alert(b, h, a) },
		"tx":       func(b []byte) []byte { return w.Tx(b, h, c, tx) },
		"fileinfo": func(b []byte) []byte { return w.FileInfo(b, h, c, tx, &file) },
		"flow":     func(b []byte) []byte { return w.Flow(b, h, fl) },
		"netflow":  func(b []byte) []byte { return w.Netflow(b, h, fl) },
		"anomaly":  func(b []byte) []byte { return w.Anomaly(b, h, an) },
		"stats":    func(b []byte) []byte { return w.Stats(b, st) },
		"packet":   func(b []byte) []byte { return w.Packet(b, h, a.Packet, a.Link) },
		"frame":    func(b []byte) []byte { return w.Frame(b, h, a.Frame) },
		"fast":     func(b []byte) []byte { return fast.Append(b, h, a) },
	}
}

func TestNoAllocs(t *testing.T) {
	buf := make([]byte, 0, 1<<16)
	for name, write := range writers(t) {
		if n := testing.AllocsPerRun(100, func() { buf = write(buf[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations a record, want 0", name, n)
		}
		if len(buf) == 0 {
			t.Errorf("%s: nothing was written", name)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, write := range writers(b) {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 1<<16)
			b.ReportAllocs()
			for b.Loop() {
				buf = write(buf[:0])
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
