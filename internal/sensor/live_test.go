package sensor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirador/internal/capture"
	"mirador/internal/config"
	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/flow"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
	"mirador/internal/proto"
	"mirador/internal/proto/dns"
	"mirador/internal/proto/http"
	"mirador/internal/rule"
	"mirador/internal/sensor"
	"mirador/internal/stream"
)

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// memSink keeps lines in memory.
type memSink struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *memSink) Write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Write(b)
	return nil
}

// events returns the events of a type.
func (s *memSink) events(t *testing.T, kind string) []map[string]any {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []map[string]any
	for _, line := range bytes.Split(s.b.Bytes(), []byte{'\n'}) {
		if len(line) == 0 {
			continue
		}
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("event %q: %v", line, err)
		}
		if e["event_type"] == kind {
			out = append(out, e)
		}
	}
	return out
}

// rig is a live sensor in a test.
type rig struct {
	t      *testing.T
	live   *sensor.Live
	inputs []sensor.Input
	events *memSink
	table  *proto.Table
	shared *detect.Shared
	health *sensor.Health
	stop   context.CancelFunc
	done   chan error
	sent   uint64
	conns  map[string]*net.UDPConn
}

// rigOptions are what tests vary. The zero value is one worker without inputs.
type rigOptions struct {
	workers int
	rules   string
	inputs  func(workers int) ([]sensor.Input, error)
	gen     func(*sensor.Generation)
	worker  func(*sensor.Options)
	drain   time.Duration
	now     func() int64
	mono    func() time.Duration
	stats   time.Duration
	present func(string, bool)
}

// loopback opens VXLAN and GENEVE sockets on free ports.
func loopback(noSteer bool) func(int) ([]sensor.Input, error) {
	return func(workers int) ([]sensor.Input, error) {
		any := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
		return sensor.OpenInputs(sensor.InputOptions{VXLAN: any, GENEVE: any, Workers: workers, Seed: 7, NoSteer: noSteer})
	}
}

func memory(frames []capture.Frame, batch int) func(int) ([]sensor.Input, error) {
	return func(int) ([]sensor.Input, error) {
		return []sensor.Input{{Name: "memory", Readers: []capture.Reader{capture.NewMemory(frames, batch)}}}, nil
	}
}

const helloRule = `alert http any any -> any any (msg:"hello"; flow:established,to_server; http.uri; content:"/hello"; sid:1;)`

func (r *rig) engine(text string) *detect.Engine {
	r.t.Helper()
	rules, problems := rule.Parse("test.rules", []byte(text))
	e, report := detect.Compile(rules, detect.Options{Table: r.table, Shared: r.shared})
	for _, p := range append(problems, report.Problems...) {
		r.t.Fatal(p)
	}
	return e
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, events: &memSink{}, shared: detect.NewShared(detect.SharedOptions{}), done: make(chan error, 1),
		health: sensor.NewHealth(o.mono), conns: map[string]*net.UDPConn{}}
	var err error
	if r.table, err = proto.NewTable([]*proto.Protocol{http.Protocol(), dns.Protocol()}, config.Stock().Protocol); err != nil {
		t.Fatal(err)
	}
	if o.rules == "" {
		o.rules = helloRule
	}
	o.workers = max(o.workers, 1)
	if r.inputs, err = o.inputs(o.workers); err != nil {
		t.Fatal(err)
	}
	gen := sensor.Generation{Engine: r.engine(o.rules)}
	if o.gen != nil {
		o.gen(&gen)
	}
	opt := eve.DefaultOptions()
	opt.CommunityID = true
	outs := []sensor.Output{{Options: opt, Sink: r.events}}
	r.live, err = sensor.NewLive(sensor.LiveOptions{
		Workers: o.workers, Inputs: r.inputs, First: gen, Outputs: outs, Drain: o.drain, Health: r.health, Now: o.now, Seed: 7, StatsInterval: o.stats, Present: o.present,
		Worker: func(i int) (*sensor.Options, error) {
			fo, err := config.Stock().Flow()
			if err != nil {
				return nil, err
			}
			fo.Seed = [2]uint64{uint64(i), 1}
			so, err := config.Stock().Stream(false)
			if err != nil {
				return nil, err
			}
			w := &sensor.Options{Flow: fo, Defrag: stream.DefaultDefragOptions(), Stream: so, Table: r.table, Shared: r.shared,
				Outputs: outs, Mirror: true, DedupWindow: sensor.DefaultDedupWindow}
			if o.worker != nil {
				o.worker(w)
			}
			return w, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- r.live.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for _, c := range r.conns {
			c.Close()
		}
	})
	return r
}

// end stops the sensor, waits for it and checks that its account balances.
func (r *rig) end() *sensor.Snapshot {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Fatal(err)
	}
	s := r.live.Snapshot()
	if s.Ledger.Imbalance() != 0 || !r.live.Balanced() {
		r.t.Errorf("ledger does not balance: %+v", s.Ledger)
	}
	return s
}

// send sends a datagram from a loopback address to input i, and waits while too many
// are on their way for the smallest socket buffer.
func (r *rig) send(i int, from string, payload []byte) {
	r.t.Helper()
	c := r.conns[fmt.Sprint(i, from)]
	if c == nil {
		var err error
		c, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from+":0")), net.UDPAddrFromAddrPort(r.inputs[i].Addr))
		if err != nil {
			r.t.Fatal(err)
		}
		r.conns[fmt.Sprint(i, from)] = c
	}
	if _, err := c.Write(payload); err != nil {
		r.t.Fatal(err)
	}
	r.sent++
	if r.sent%64 == 0 {
		r.received()
	}
}

// received waits until all that was sent was received.
func (r *rig) received() {
	r.t.Helper()
	eventually(r.t, "frames that were sent", func() bool {
		l := &r.live.Snapshot().Ledger
		return l.Received+l.Kernel >= r.sent
	})
}

func vxlan(vni uint32, frame []byte) []byte { return append(packet.AppendVXLAN(nil, vni), frame...) }

// hello is a connection in which a client asks for /hello.
func hello(n int) *pkttest.Flow {
	f := pkttest.TCP(fmt.Sprintf("10.1.%d.%d:%d", n>>8, n&0xff, 1024+n), fmt.Sprintf("10.2.0.%d:80", 1+n%200))
	f.ToServer("GET /hello HTTP/1.1\r\nHost: a.example\r\n\r\n").ToClient("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	return f.Close()
}

// Frames of both tunnels reach the workers; each flow is seen whole by one of them,
// whether the kernel steers or not.
func TestLiveUDP(t *testing.T) {
	for _, noSteer := range []bool{false, true} {
		t.Run(fmt.Sprintf("nosteer=%v", noSteer), func(t *testing.T) {
			r := newRig(t, rigOptions{workers: 3, inputs: loopback(noSteer)})
			if steered := r.inputs[0].Unsteered == nil; steered == noSteer {
				t.Fatalf("steering: %v", r.inputs[0].Unsteered)
			}
			const flows = 40
			for n := range flows {
				for _, f := range hello(n).Frames {
					switch n % 2 {
					case 0:
						r.send(0, "127.1.0.1", vxlan(100, f.Data))
					default: // as a Gateway Load Balancer endpoint sends it, GENEVE header first
						g := pkttest.GWLB(pkttest.MirrorIP(f.Data, 100), 1, 2, 3)
						r.send(1, "127.1.0.2", g[14+20+8:])
					}
				}
			}
			r.send(0, "127.1.0.1", []byte{0, 1, 2}) // no VXLAN header
			r.received()
			s := r.end()
			l := &s.Ledger
			if l.Kernel != 0 || l.Received != r.sent || l.Processed != r.sent-1 || l.Drops[sensor.DropVXLAN] != 1 {
				t.Errorf("sent %d: %+v", r.sent, l)
			}
			if n := len(r.events.events(t, "alert")); n != flows {
				t.Errorf("%d alerts, want %d", n, flows)
			}
			flowEvents := r.events.events(t, "flow")
			if len(flowEvents) != flows {
				t.Errorf("%d flow records, want %d", len(flowEvents), flows)
			}
			for _, e := range flowEvents {
				f := e["flow"].(map[string]any)
				if f["pkts_toserver"].(float64) == 0 || f["pkts_toclient"].(float64) == 0 {
					t.Errorf("a flow was split over workers: %v", e)
				}
			}
			busy := 0
			for _, w := range s.Workers {
				if w.Ledger.Received > 0 {
					busy++
				}
			}
			if busy < 2 {
				t.Errorf("%d of 3 workers got frames", busy)
			}
			for _, e := range r.events.events(t, "alert") {
				if _, ok := e["pcap_cnt"]; ok {
					t.Fatal("a live event has pcap_cnt")
				}
				if tun := e["tunnel"].(map[string]any); e["src_ip"] == tun["src_ip"] || !strings.HasPrefix(tun["src_ip"].(string), "1") {
					t.Errorf("tunnel %v", tun)
				}
			}
		})
	}
}

// Fragments and the rest of their flow meet in one worker.
func TestLiveFragments(t *testing.T) {
	r := newRig(t, rigOptions{workers: 4, inputs: loopback(false),
		rules: `alert udp any any -> any 5000 (msg:"end"; content:"the end"; sid:2;)`})
	const datagrams = 20
	for n := range datagrams {
		whole := pkttest.Frame(fmt.Sprintf(`eth ip 10.3.0.%d 10.4.0.1 id=%d udp 99 5000 | %s the end`, n+1, n+1, strings.Repeat("0123456789abcdef", 20)))
		for _, f := range pkttest.Fragments(whole, 64) {
			r.send(0, "127.1.0.1", vxlan(1, f))
		}
	}
	r.received()
	r.end()
	if n := len(r.events.events(t, "alert")); n != datagrams {
		t.Errorf("%d alerts, want %d", n, datagrams)
	}
}

// Allow-lists drop and count; a new generation has new ones.
func TestLiveAllowLists(t *testing.T) {
	only := func(want packet.Addr) func(packet.Addr) bool {
		return func(a packet.Addr) bool { return a == want }
	}
	a, b := packet.AddrFrom4([4]byte{127, 1, 0, 1}), packet.AddrFrom4([4]byte{127, 1, 0, 2})
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false), gen: func(g *sensor.Generation) {
		g.AllowSource = only(a)
		g.AllowVNI = func(v uint32) bool { return v == 100 }
	}})
	frame := func(n int) []byte {
		return pkttest.Frame(fmt.Sprintf("eth ip 10.0.0.1 10.0.0.2 id=%d udp 1 2 | x", n))
	}
	r.send(0, "127.1.0.1", vxlan(100, frame(1)))
	r.send(0, "127.1.0.1", vxlan(101, frame(2)))
	r.send(0, "127.1.0.2", vxlan(100, frame(3)))
	r.send(0, "127.1.0.2", vxlan(101, frame(4)))
	r.received()
	l := r.live.Snapshot().Ledger
	if l.Processed != 1 || l.Drops[sensor.DropSource] != 2 || l.Drops[sensor.DropVNI] != 1 {
		t.Errorf("%+v", l)
	}
	r.live.Swap(sensor.Generation{Engine: r.engine(helloRule), AllowSource: only(b)})
	eventually(t, "the new generation", r.live.Swapped)
	r.send(0, "127.1.0.1", vxlan(100, frame(5)))
	r.send(0, "127.1.0.2", vxlan(101, frame(6)))
	r.received()
	s := r.end()
	if l := s.Ledger; l.Processed != 2 || l.Drops[sensor.DropSource] != 3 {
		t.Errorf("after the swap: %+v", l)
	}
	if len(s.Sources) != 2 {
		t.Errorf("sources that were let in: %+v", s.Sources)
	}
}

// Every source has an account from its first packet, known or not, and gets its name
// with a new sources file.
func TestLiveSources(t *testing.T) {
	known := func(text string) *mirror.SourceTable {
		s, err := mirror.ParseSources([]byte(text), "sources")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false), gen: func(g *sensor.Generation) {
		g.Sources = known("sources: [{vni: 100, source_ip: 127.1.0.1, session_id: tms-1}]")
	}})
	for n := range 3 {
		r.send(0, "127.1.0.1", vxlan(100, pkttest.Frame(fmt.Sprintf("eth ip 10.0.0.1 10.0.0.%d udp 1 2 | x", n+2))))
	}
	r.send(0, "127.1.0.2", vxlan(200, pkttest.Frame("eth ip 10.0.0.9 10.0.0.8 udp 1 2 | x")))
	r.received()
	eventually(t, "both accounts", func() bool {
		var n uint64
		for _, s := range r.live.Snapshot().Sources {
			n += s.Packets
		}
		return n == 4
	})
	s := r.live.Snapshot()
	if len(s.Sources) != 2 || s.Sources[0].Known == nil || s.Sources[0].Packets != 3 || s.Sources[1].Known != nil || s.Sources[1].VNI != 200 {
		t.Fatalf("sources %+v", s.Sources)
	}
	if s.Ledger.Unknown != 1 {
		t.Errorf("%d frames of unknown sources, want 1", s.Ledger.Unknown)
	}
	r.live.Swap(sensor.Generation{Engine: r.engine(helloRule), Sources: known("sources: [{vni: 200, session_id: tms-2}]")})
	eventually(t, "the new names", func() bool {
		s := r.live.Snapshot().Sources
		return len(s) == 2 && s[0].Known == nil && s[1].Known != nil && s[1].Known.SessionID == "tms-2"
	})
	r.end()
}

// The second copy of a packet that is mirrored at both ends is dropped and counted.
func TestLiveDuplicates(t *testing.T) {
	// The window is of time: on a busy machine two datagrams may be long apart.
	wide := func(o *sensor.Options) { o.DedupWindow = int64(time.Hour) }
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false), worker: wide})
	const flows = 10
	for n := range flows {
		for _, f := range hello(n).Frames {
			r.send(0, "127.1.0.1", vxlan(100, f.Data))
			r.send(0, "127.1.0.2", vxlan(100, f.Data))
		}
	}
	r.received()
	s := r.end()
	if l := s.Ledger; l.Drops[sensor.DropDuplicate] != r.sent/2 || l.Processed != r.sent/2 {
		t.Errorf("sent %d: %+v", r.sent, l)
	}
	if n := len(r.events.events(t, "alert")); n != flows {
		t.Errorf("%d alerts, want %d", n, flows)
	}
}

// frames makes captured frames of flows.
func frames(flows ...*pkttest.Flow) []capture.Frame {
	var out []capture.Frame
	for _, f := range flows {
		for _, s := range f.Frames {
			out = append(out, capture.Frame{Data: pkttest.Mirror(s.Data, 100), Time: s.Time, Link: packet.LinkEthernet})
		}
	}
	return out
}

// A worker that does not keep up costs only what its queue cannot hold, and that is
// counted at the entrance.
func TestLiveQueueFull(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var list []capture.Frame
	list = append(list, frames(hello(1))...)
	const more = 32*64*2 + 5000
	for n := range more {
		list = append(list, capture.Frame{Link: packet.LinkEthernet, Time: pkttest.Epoch + 1e9,
			Data: pkttest.Mirror(pkttest.Frame(fmt.Sprintf("eth ip 10.1.0.1 10.2.0.2 id=%d udp 1 2 | x", n)), 100)})
	}
	r := newRig(t, rigOptions{workers: 2, inputs: memory(list, 64), worker: func(o *sensor.Options) {
		o.OnAlert = func(*eve.Header, *eve.Alert) {
			once.Do(func() { close(held) })
			<-hold
		}
	}})
	<-held
	eventually(t, "a full queue", func() bool { return r.live.Snapshot().Inputs[0].QueueFull > 0 })
	close(hold)
	eventually(t, "all frames", func() bool { return r.live.Snapshot().Ledger.Received == uint64(len(list)) })
	s := r.end()
	if full := s.Inputs[0].QueueFull; full == 0 || s.Ledger.Drops[sensor.DropQueue] != full || s.Ledger.Processed+full != uint64(len(list)) {
		t.Errorf("%d frames: %+v", len(list), s.Ledger)
	}
	for _, c := range s.Counters {
		if c.Name == "mirror.received" && c.Value != uint64(len(list)) {
			t.Errorf("counter mirror.received %d, want %d", c.Value, len(list))
		}
	}
}

// Status: starting, ok, stalled while a worker hangs, ok again, draining.
func TestLiveHealth(t *testing.T) {
	var clock atomic.Int64
	mono := func() time.Duration { return time.Duration(clock.Load()) }
	h := sensor.NewHealth(mono)
	if ok, why := h.Check(); ok || why != "starting" {
		t.Errorf("new: %v %q", ok, why)
	}
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false), mono: mono, drain: 0, worker: func(o *sensor.Options) {
		o.OnAlert = func(*eve.Header, *eve.Alert) { once.Do(func() { close(held); <-hold }) }
	}})
	eventually(t, "ok", func() bool { ok, _ := r.health.Check(); return ok })
	for _, f := range hello(1).Frames {
		r.send(0, "127.1.0.1", vxlan(1, f.Data))
	}
	<-held
	clock.Add(int64(sensor.StalledAfter + time.Second))
	// The other worker's loops go round and are alive; the one that hangs is named.
	eventually(t, "stalled", func() bool {
		ok, why := r.health.Check()
		return !ok && strings.HasPrefix(why, "stalled: ")
	})
	r.live.Snapshot() // does not wait for the worker
	close(hold)
	eventually(t, "ok again", func() bool { ok, _ := r.health.Check(); return ok })
	r.end()
	if ok, why := r.health.Check(); ok || why != "draining" {
		t.Errorf("at the end: %v %q", ok, why)
	}
	r.health.SetPhase(sensor.PhaseRunning)
	if ok, _ := r.health.Check(); ok {
		t.Error("draining was taken back")
	}
}

// While it drains the sensor still receives; then it ends its flows and leaves no
// goroutine behind.
func TestLiveDrain(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false), drain: 500 * time.Millisecond})
	f := hello(1).Frames
	half := len(f) / 2
	for _, x := range f[:half] {
		r.send(0, "127.1.0.1", vxlan(1, x.Data))
	}
	r.received()
	r.stop()
	eventually(t, "draining", func() bool { _, why := r.health.Check(); return why == "draining" })
	for _, x := range f[half:] {
		r.send(0, "127.1.0.1", vxlan(1, x.Data))
	}
	s := r.end()
	if s.Ledger.Received != r.sent || s.Ledger.Kernel != 0 {
		t.Errorf("sent %d: %+v", r.sent, s.Ledger)
	}
	if n := len(r.events.events(t, "flow")); n != 1 {
		t.Errorf("%d flow records, want 1", n)
	}
	for _, c := range r.conns {
		c.Close()
	}
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// New rules take over between two batches; no frame is lost to 100 exchanges.
func TestLiveSwap(t *testing.T) {
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false)})
	const swaps = 100
	for n := range swaps {
		sid := 1000 + n
		r.live.Swap(sensor.Generation{Engine: r.engine(fmt.Sprintf(
			`alert http any any -> any any (msg:"hello"; http.uri; content:"/hello"; sid:%d;)`, sid))})
		for _, f := range hello(n).Frames {
			r.send(0, "127.1.0.1", vxlan(1, f.Data))
		}
	}
	eventually(t, "the last generation", r.live.Swapped)
	for _, f := range hello(swaps).Frames {
		r.send(0, "127.1.0.1", vxlan(1, f.Data))
	}
	r.received()
	s := r.end()
	if s.Swaps != swaps || s.Ledger.Kernel != 0 || s.Ledger.Processed != r.sent {
		t.Errorf("sent %d: %d swaps, %+v", r.sent, s.Swaps, s.Ledger)
	}
	alerts := r.events.events(t, "alert")
	if len(alerts) != swaps+1 {
		t.Errorf("%d alerts, want one for each of %d connections", len(alerts), swaps+1)
	}
	// Workers write on their own, so the order of events is not that of the flows.
	last := false
	for _, a := range alerts {
		if a["src_port"].(float64) == 1024+swaps {
			last = a["alert"].(map[string]any)["signature_id"].(float64) == 1000+swaps-1
		}
	}
	if !last {
		t.Error("the last connection was not seen by the last rules")
	}
}

// Flows end by the clock when nothing comes in any more, and when the clock is set
// back time goes on from there.
func TestLiveClock(t *testing.T) {
	var clock atomic.Int64
	clock.Store(pkttest.Epoch)
	late := hello(1)
	early := hello(2)
	for i := range early.Frames {
		early.Frames[i].Time -= int64(time.Hour)
	}
	// Without their ends, so that only time ends them.
	list := frames(&pkttest.Flow{Frames: late.Frames[:6]}, &pkttest.Flow{Frames: early.Frames[:6]})
	r := newRig(t, rigOptions{workers: 1, now: clock.Load, inputs: memory(list, 1), worker: func(o *sensor.Options) {
		for i := range o.Flow.Timeouts {
			o.Flow.Timeouts[i] = flow.Timeouts{New: 60e9, Established: 60e9, Closed: 60e9, Bypassed: 60e9}
		}
	}})
	eventually(t, "all frames", func() bool { return r.live.Snapshot().Ledger.Received == uint64(len(list)) })
	if n := len(r.events.events(t, "flow")); n != 0 {
		t.Fatalf("%d flows ended too soon", n)
	}
	r.stop()
	<-r.done

	// Idle is what receivers call; a memory reader ends instead of being idle.
	w := newWorker(t, r)
	for i := range list[:6] {
		w.Frame(list[i].Link, list[i].Data, len(list[i].Data), list[i].Time)
	}
	w.Idle(list[5].Time + int64(30*time.Second))
	w.Flush()
	if n := len(r.events.events(t, "flow")); n != 2 { // those of the rig
		t.Fatalf("%d flow records after 30 s, want 2", n)
	}
	w.Idle(list[5].Time + int64(70*time.Second))
	w.Flush()
	if n := len(r.events.events(t, "flow")); n != 3 {
		t.Fatalf("%d flow records after 70 s, want 3", n)
	}
}

func newWorker(t *testing.T, r *rig) *sensor.Worker {
	t.Helper()
	fo, err := config.Stock().Flow()
	if err != nil {
		t.Fatal(err)
	}
	for i := range fo.Timeouts {
		fo.Timeouts[i] = flow.Timeouts{New: 60e9, Established: 60e9, Closed: 60e9, Bypassed: 60e9}
	}
	so, err := config.Stock().Stream(false)
	if err != nil {
		t.Fatal(err)
	}
	w, err := sensor.NewWorker(&sensor.Options{Flow: fo, Defrag: stream.DefaultDefragOptions(), Stream: so, Table: r.table, Engine: r.engine(helloRule), Shared: r.shared,
		Outputs: []sensor.Output{{Options: eve.DefaultOptions(), Sink: r.events}}, Mirror: true, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Stats records are sums over the workers, one at a time.
func TestLiveStats(t *testing.T) {
	r := newRig(t, rigOptions{workers: 2, inputs: loopback(false), stats: time.Hour})
	for n := range 10 {
		for _, f := range hello(n).Frames {
			r.send(0, "127.1.0.1", vxlan(1, f.Data))
		}
	}
	r.received()
	r.end()
	stats := r.events.events(t, "stats")
	if len(stats) != 1 {
		t.Fatalf("%d stats records, want one at the end", len(stats))
	}
	m := stats[0]["stats"].(map[string]any)["mirror"].(map[string]any)
	if m["received"].(float64) != float64(r.sent) || m["processed"].(float64) != float64(r.sent) {
		t.Errorf("stats %v, sent %d", m, r.sent)
	}
}

// Options that cannot work are refused, and the sockets are closed.
func TestLiveRefuses(t *testing.T) {
	in, err := loopback(true)(2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sensor.NewLive(sensor.LiveOptions{Workers: 0, Inputs: in}); err == nil {
		t.Error("no workers: no error")
	}
	var b capture.Batch
	if err := in[0].Readers[0].Read(&b, 0); err != capture.ErrClosed {
		t.Errorf("reader is open after the error: %v", err)
	}
}

// leaving is a reader whose interface goes away and comes back.
type leaving struct {
	capture.Reader
	gone atomic.Bool
}

func (r *leaving) Gone() bool { return r.gone.Load() }

func (r *leaving) Stats() capture.Stats {
	s := r.Reader.Stats()
	s.Gone = r.gone.Load()
	return s
}

// An interface that goes away is told, shown, and told again when it is back.
func TestLiveInterfaceGone(t *testing.T) {
	var in *leaving
	told := make(chan bool, 8)
	r := newRig(t, rigOptions{present: func(_ string, there bool) { told <- there }, inputs: func(int) ([]sensor.Input, error) {
		list, err := loopback(false)(1)
		if err == nil {
			in = &leaving{Reader: list[0].Readers[0]}
			list[0].Readers[0] = in
		}
		return list, err
	}})
	if got := r.live.Gone(); got != nil {
		t.Errorf("gone at first: %v", got)
	}
	in.gone.Store(true)
	if <-told {
		t.Error("told that it is there")
	}
	if got := r.live.Gone(); len(got) != 1 || !r.live.Snapshot().Inputs[0].Gone {
		t.Errorf("gone: %v, %+v", got, r.live.Snapshot().Inputs)
	}
	in.gone.Store(false)
	if !<-told {
		t.Error("told that it is gone")
	}
	r.end()
	if len(told) != 0 {
		t.Error("told more than once")
	}
}
