package sensor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/flow"
	"mirador/internal/jsonw"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
	"mirador/internal/proto"
	"mirador/internal/proto/http"
	"mirador/internal/rule"
	"mirador/internal/sensor"
	"mirador/internal/stream"
)

// noSettings is an empty configuration.
type noSettings struct{}

func (noSettings) String(string) (string, bool)    { return "", false }
func (noSettings) Bool(string) (bool, bool)        { return false, false }
func (noSettings) Int(string) (int64, bool)        { return 0, false }
func (noSettings) Size(string) (int64, bool)       { return 0, false }
func (noSettings) Strings(string) ([]string, bool) { return nil, false }
func (noSettings) Global() proto.Settings          { return noSettings{} }

type bufferSink struct{ bytes.Buffer }

func (s *bufferSink) Write(b []byte) error { _, err := s.Buffer.Write(b); return err }

// workerOptions are those of a sensor with mirror sessions, rules and these
// protocols, writing to the returned sink.
func workerOptions(t testing.TB, rules string, rows ...*proto.Protocol) (*sensor.Options, *bufferSink) {
	t.Helper()
	table, err := proto.NewTable(rows, func(string) proto.Settings { return noSettings{} })
	if err != nil {
		t.Fatal(err)
	}
	list, problems := rule.Parse("test.rules", []byte(rules))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	shared := detect.NewShared(detect.SharedOptions{})
	engine, report := detect.Compile(list, detect.Options{Table: table, Shared: shared})
	if len(report.Problems) > 0 {
		t.Fatal(report.Problems)
	}
	sink := &bufferSink{}
	out := eve.DefaultOptions()
	return &sensor.Options{Flow: flow.DefaultOptions(), Stream: stream.DefaultOptions(), Defrag: stream.DefaultDefragOptions(),
		Table: table, Engine: engine, Shared: shared, Mirror: true, DedupWindow: sensor.DefaultDedupWindow, Seed: 1,
		Outputs: []sensor.Output{{Options: out, Sink: sink}}}, sink
}

func startWorker(t testing.TB, o *sensor.Options) *sensor.Worker {
	t.Helper()
	w, err := sensor.NewWorker(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func balanced(t *testing.T, w *sensor.Worker, received uint64) {
	t.Helper()
	if w.Ledger.Received != received || w.Ledger.Imbalance() != 0 {
		t.Errorf("ledger %+v: want %d received and no imbalance", w.Ledger, received)
	}
}

// TestCutFrames cuts mirrored frames, in VXLAN and in GENEVE, at each of their
// first 256 bytes: nothing panics and the ledger accounts for every one.
func TestCutFrames(t *testing.T) {
	inner := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 tcp 40000 80 flags=PA | " + strings.Repeat("x", 300))
	vxlan := pkttest.MirrorIP(inner, 1169)
	frames := map[string][]byte{"vxlan": pkttest.Mirror(inner, 1169), "geneve": pkttest.GWLB(vxlan, 1, 2, 3)}
	for name, frame := range frames {
		o, _ := workerOptions(t, `alert ip any any -> any any (msg:"all"; sid:1;)`)
		o.Quarantine = func(_ packet.Link, _ []byte, _ int, _ int64, why any) { t.Errorf("%s: panic: %v", name, why) }
		w := startWorker(t, o)
		n := uint64(0)
		for cut := range min(256, len(frame)) {
			w.Frame(packet.LinkEthernet, frame[:cut:cut], len(frame), int64(cut)*1e6)
			n++
			balanced(t, w, n)
		}
		payload := frame[42:]
		link := packet.LinkVXLAN
		if name == "geneve" {
			link = packet.LinkGENEVE
		}
		for cut := range min(256, len(payload)) {
			w.Datagram(link, packet.AddrFrom4([4]byte{10, 9, 9, 9}), packet.Addr{}, 65408, 4789, payload[:cut:cut], len(payload), int64(1e9+cut*1e6))
			n++
			balanced(t, w, n)
		}
		if err := w.Finish(); err != nil {
			t.Error(err)
		}
		if w.Ledger.Processed == 0 || w.Ledger.Dropped() == 0 {
			t.Errorf("%s: %d processed, %d dropped: the test shows nothing", name, w.Ledger.Processed, w.Ledger.Dropped())
		}
	}
}

// bomb is a protocol whose parser panics at the word "boom".
func bomb() *proto.Protocol {
	return &proto.Protocol{Name: "bomb", Transport: proto.TCP | proto.UDP,
		Probe: func(_ proto.Dir, b []byte, _ proto.Hint) proto.Match {
			if bytes.HasPrefix(b, []byte("bomb")) {
				return proto.Yes
			}
			return proto.No
		},
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(*proto.Conn) proto.Parser { return bombParser{} }, nil
		},
	}
}

type bombParser struct{}

func (bombParser) Parse(_ proto.Dir, b []byte, _ bool) (int, int, proto.Status) {
	if bytes.Contains(b, []byte("boom")) {
		panic("boom")
	}
	return len(b), 0, proto.OK
}

func (bombParser) Gap(proto.Dir, int) bool { return true }

// TestPanicIsContained: a parser that panics costs its flow and nothing else, is
// counted, and leaves the packet.
func TestPanicIsContained(t *testing.T) {
	o, sink := workerOptions(t, `alert udp any any -> any any (msg:"fine"; content:"fine"; sid:1;)`, bomb())
	var kept [][]byte
	o.Quarantine = func(_ packet.Link, b []byte, _ int, _ int64, _ any) { kept = append(kept, bytes.Clone(b)) }
	w := startWorker(t, o)
	bad := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1000 2000 | bomb boom")
	good := pkttest.Frame("eth ip 10.0.0.3 10.0.0.4 udp 1000 2000 | fine")
	for i := range 10 {
		w.Frame(packet.LinkEthernet, bad, len(bad), int64(i)*1e6)
		w.Frame(packet.LinkEthernet, good, len(good), int64(i)*1e6)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	balanced(t, w, 20)
	if d := w.Ledger.Drops[sensor.DropPanic]; d != 1 || w.Stats.Panics != 1 {
		t.Errorf("%d frames dropped for a panic, %d panics: the flow should have been given up after the first", d, w.Stats.Panics)
	}
	if len(kept) != 1 || !bytes.Equal(kept[0], bad) {
		t.Errorf("quarantine has %d packets", len(kept))
	}
	if n := strings.Count(sink.String(), `"signature_id":1,`); n != 10 {
		t.Errorf("%d alerts of the other flow, want 10", n)
	}
}

// TestNoAllocs: attribution, de-duplication, a flow hit and a prefilter miss cost
// no allocation.
func TestNoAllocs(t *testing.T) {
	o, _ := workerOptions(t, `alert udp any any -> any any (msg:"never"; content:"needle-that-is-not-there"; sid:1;)`)
	o.Outputs = nil
	w := startWorker(t, o)
	var frames [][]byte
	for _, data := range []string{"one", "two", "three", "four"} {
		frames = append(frames, pkttest.MirrorIP(pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1000 2000 | "+data), 1169)[28:])
	}
	src := packet.AddrFrom4([4]byte{10, 9, 9, 9})
	now := int64(1)
	send := func() {
		for _, f := range frames {
			now += 1000
			w.Datagram(packet.LinkVXLAN, src, packet.Addr{}, 65408, 4789, f, len(f), now)
		}
	}
	send()
	if n := testing.AllocsPerRun(200, send); n != 0 {
		t.Errorf("%.1f allocations for %d packets, want 0", n, len(frames))
	}
	if w.Ledger.Imbalance() != 0 || w.Ledger.Processed == 0 {
		t.Errorf("ledger %+v", w.Ledger)
	}
}

// TestSourcesBound: beyond MaxSources further mirror sources share one row, and
// every frame is still accounted for.
func TestSourcesBound(t *testing.T) {
	o, _ := workerOptions(t, `alert udp any any -> any any (msg:"x"; content:"zzz"; sid:1;)`)
	o.Outputs, o.DedupWindow = nil, 0
	w := startWorker(t, o)
	inner := pkttest.MirrorIP(pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1000 2000 | x"), 7)[28:]
	const extra = 500
	for i := range sensor.MaxSources + extra {
		a := packet.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		w.Datagram(packet.LinkVXLAN, a, packet.Addr{}, 65408, 4789, inner, len(inner), int64(i)+1)
	}
	balanced(t, w, sensor.MaxSources+extra)
	rows := w.Sources()
	if last := rows[len(rows)-1]; len(rows) != sensor.MaxSources+1 || !last.Others || last.Packets != extra {
		t.Errorf("%d rows, the last one is %+v", len(rows), last)
	}
}

// TestNestedFragments: fragments in packets that were put together of fragments are put
// together, up to a depth; beyond it they are counted.
func TestNestedFragments(t *testing.T) {
	head := packet.IPv4{Src: [4]byte{10, 0, 0, 1}, Dst: [4]byte{10, 0, 0, 2}, Proto: 4}
	wrap := func(times int, b []byte) []byte {
		for range times {
			b = append(packet.AppendIPv4(nil, head, len(b)), b...)
		}
		return b
	}
	for _, levels := range []int{4, 5} {
		o, _ := workerOptions(t, `alert udp any any -> any any (msg:"x"; content:"innermost"; sid:1;)`)
		o.Mirror, o.DedupWindow = false, 0
		alerts := 0
		o.OnAlert = func(*eve.Header, *eve.Alert) { alerts++ }
		w := startWorker(t, o)
		b := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1000 2000 | innermost")[14:]
		var frames [][]byte
		for level := levels; level > 0; level-- {
			body, h := b[20:], head
			h.ID, h.Proto = uint16(level), b[9]
			h.Frag = 0x2000
			first := append(packet.AppendIPv4(nil, h, 8), body[:8]...)
			h.Frag = 1
			b = append(packet.AppendIPv4(nil, h, len(body)-8), body[8:]...)
			frames = append(frames, wrap(level-1, first))
			if level > 1 {
				b = wrap(1, b)
			}
		}
		for i, f := range append(frames, b) {
			w.Frame(packet.LinkRaw, f, len(f), int64(pkttest.Epoch)+int64(i))
		}
		left := uint64(0)
		for _, c := range w.AppendCounters(nil) {
			if c.Name == "sensor.left_out.nested_fragments" {
				left = c.Value
			}
		}
		if want := uint64(levels - 4); left != want || alerts != 5-levels {
			t.Errorf("%d levels: %d alerts, %d fragments left out", levels, alerts, left)
		}
	}
}

// TestDedupPairsBound: beyond MaxPairs further pairs of sources count as strangers.
func TestDedupPairsBound(t *testing.T) {
	if same, full := sensor.JudgePairs(sensor.MaxPairs + 7); same != sensor.MaxPairs || full != 7 {
		t.Errorf("%d pairs judged, %d without room", same, full)
	}
}

// TestOpenFilesBound: beyond MaxOpenFiles further files are not tracked, and counted.
func TestOpenFilesBound(t *testing.T) {
	o, _ := workerOptions(t, `alert http any any -> any any (msg:"x"; file.data; content:"zzz"; sid:1;)`, http.Protocol())
	o.Outputs, o.DedupWindow, o.Mirror = nil, 0, false
	w := startWorker(t, o)
	const extra = 5
	at := int64(pkttest.Epoch)
	for i := range sensor.MaxOpenFiles + extra {
		f := pkttest.TCP(fmt.Sprintf("10.%d.%d.%d:1000", i>>16, i>>8&0xff, i&0xff), "10.200.0.1:80")
		f.ToServer("GET /f HTTP/1.1\r\nHost: a\r\n\r\n").ToClient("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst bytes")
		for _, s := range f.Frames {
			w.Frame(packet.LinkEthernet, s.Data, len(s.Data), at)
		}
	}
	var hit uint64
	for _, c := range w.AppendCounters(nil) {
		if c.Name == "file_store.open_files_max_hit" {
			hit = c.Value
		}
	}
	if hit < extra {
		t.Errorf("%d files without a tracker, want %d or more", hit, extra)
	}
	if err := w.Finish(); err != nil {
		t.Error(err)
	}
}

// asks is a protocol over UDP whose transactions wait for an answer.
func asks() *proto.Protocol {
	return &proto.Protocol{Name: "asks", Transport: proto.UDP, Done: [2]uint8{1, 1},
		Probe: func(proto.Dir, []byte, proto.Hint) proto.Match { return proto.Yes },
		Log:   func(*proto.Conn, proto.Tx, *jsonw.Writer) bool { return true },
		Configure: func(proto.Settings) (proto.Factory, error) {
			return func(c *proto.Conn) proto.Parser { return asker{c} }, nil
		}}
}

type asker struct{ c *proto.Conn }

func (p asker) Parse(dir proto.Dir, b []byte, _ bool) (int, int, proto.Status) {
	if dir == proto.ToServer {
		p.c.NewTx(&struct{ proto.TxBase }{})
	}
	p.c.Txs[len(p.c.Txs)-1].Base().Advance(dir, 1)
	if dir == proto.ToClient {
		p.c.Txs[len(p.c.Txs)-1].Base().Advance(proto.ToServer, 1)
	}
	return len(b), 0, proto.OK
}

func (asker) Gap(proto.Dir, int) bool { return true }

// TestUDPEnd: over UDP a transaction without its answer is not logged when the flow ends.
func TestUDPEnd(t *testing.T) {
	for _, answered := range []bool{false, true} {
		o, sink := workerOptions(t, `alert udp any any -> any any (msg:"never"; content:"zzz"; sid:1;)`, asks())
		o.Mirror = false
		o.Outputs[0].Options.Protocols = []string{"asks"}
		w := startWorker(t, o)
		w.Frame(packet.LinkEthernet, pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1000 2000 | ask"), 60, 1e9)
		if answered {
			w.Frame(packet.LinkEthernet, pkttest.Frame("eth ip 10.0.0.2 10.0.0.1 udp 2000 1000 | answer"), 60, 2e9)
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(sink.String(), `"event_type":"asks"`); got != map[bool]int{true: 1}[answered] {
			t.Errorf("answered %v: %d records\n%s", answered, got, sink.String())
		}
	}
}

// TestEndpoints: behind a Gateway Load Balancer, sessions of two VPCs with the same
// addresses and the same VNI are two sources, told apart by the endpoint, in frames and
// from sockets.
func TestEndpoints(t *testing.T) {
	inner := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 40000 53 | boo")
	vxlan := pkttest.MirrorIP(inner, 1169)
	for _, socket := range []bool{false, true} {
		o, out := workerOptions(t, `alert udp any any -> any 53 (msg:"boo"; content:"boo"; sid:1;)`)
		w := startWorker(t, o)
		for i, endpoint := range []uint64{0x0a1b2c3d4e5f6071, 0x0a1b2c3d4e5f6072, 0x0a1b2c3d4e5f6071} {
			frame := pkttest.GWLB(vxlan, endpoint, 2, 3)
			if socket {
				w.Datagram(packet.LinkGENEVE, packet.AddrFrom4([4]byte{10, 9, 9, 9}), packet.Addr{}, 60000, 6081, frame[42:], len(frame)-42, int64(1e18+i*1e9))
			} else {
				w.Frame(packet.LinkEthernet, frame, len(frame), int64(1e18+i*1e9))
			}
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		rows := w.Sources()
		if len(rows) != 2 || rows[0].Endpoint != 0x0a1b2c3d4e5f6071 || rows[0].Packets != 2 || rows[1].Endpoint != 0x0a1b2c3d4e5f6072 || rows[1].Packets != 1 {
			t.Errorf("sources %+v", rows)
		}
		var got []string
		for line := range bytes.Lines(out.Bytes()) {
			var r struct {
				Type   string `json:"event_type"`
				Mirror struct {
					Endpoint string `json:"endpoint_id"`
				} `json:"mirror"`
			}
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			if r.Type == "alert" {
				got = append(got, r.Mirror.Endpoint)
			}
		}
		if want := "0a1b2c3d4e5f6071 0a1b2c3d4e5f6072 0a1b2c3d4e5f6071"; strings.Join(got, " ") != want {
			t.Errorf("endpoints of alerts %q, want %q", got, want)
		}
	}
}
