package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mirador/internal/capture"
	"mirador/internal/config"
	"mirador/internal/demo"
	"mirador/internal/eve"
	"mirador/internal/sensor"
	"mirador/internal/web"
)

// running is a node of a test: a real sensor on the loopback interface, whose
// material is what the test says.
type running struct {
	*node
	t      *testing.T
	mu     sync.Mutex // guards what follows
	yaml   string
	rules  string
	alerts map[uint32]int
	in     []sensor.Input
	stop   context.CancelFunc
	done   chan error
	src    *demo.Source
}

const quiet = `sensor: {workers: 2, drain: 0s, state: ""}
health: {listen: ""}
management: {listen: ""}
eve: {path: ""}
`

// hostRule alerts on the web traffic of the demo's VPC.
func hostRule(sid int) string {
	return fmt.Sprintf("alert http any any -> any any (msg:\"web\"; flow:to_server; http.host; content:\"www.demo.example\"; sid:%d;)\n", sid)
}

func start(t *testing.T) *running {
	t.Helper()
	r := &running{t: t, yaml: quiet, rules: hostRule(1), alerts: map[uint32]int{}, done: make(chan error, 1)}
	n, err := newNode(nodeOptions{
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		material: material{
			config: func() (*config.File, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				return config.Parse([]byte(r.yaml), "test.yaml", nil)
			},
			rules: func() (string, []byte) {
				r.mu.Lock()
				defer r.mu.Unlock()
				return "test.rules", []byte(r.rules)
			},
			sources: demo.Sources,
		},
		inputs: func(workers int, seed uint32) (in []sensor.Input, err error) {
			r.in, err = sensor.OpenInputs(sensor.InputOptions{VXLAN: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Workers: workers, Seed: seed})
			return r.in, err
		},
		onAlert: func(_ *eve.Header, a *eve.Alert) {
			r.mu.Lock()
			r.alerts[a.Rule.SID]++
			r.mu.Unlock()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.node = n
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- n.run(ctx) }()
	if r.src, err = demo.NewSource(r.in[0].Addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		r.src.Close()
		n.close()
	})
	return r
}

func (r *running) set(yaml, rules string) {
	r.mu.Lock()
	r.yaml, r.rules = yaml, rules
	r.mu.Unlock()
}

// eventually waits until cond holds.
func (r *running) eventually(what string, cond func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			r.t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func (r *running) received() uint64 {
	l := &r.live.Load().Snapshot().Ledger
	return l.Received + l.Kernel
}

// end stops the node and returns its account.
func (r *running) end() *sensor.Snapshot {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Fatal(err)
	}
	return r.live.Load().Snapshot()
}

// A hundred reloads under load lose no frame, and the memory of old rules is given
// back.
func TestReloadUnderLoad(t *testing.T) {
	r := start(t)
	// What is on its way must fit the smaller socket buffer there is.
	window := uint64(max(32, r.in[0].Readers[0].(*capture.UDP).RcvBuf()/8192))
	var stop atomic.Bool
	sent := make(chan error, 1)
	go func() {
		sent <- func() error {
			for round := 0; !stop.Load(); round++ {
				story, err := demo.NewStory(7, round)
				if err != nil {
					return err
				}
				for i := range story.Datagrams {
					if stop.Load() {
						return nil
					}
					for r.src.Sent()-min(r.src.Sent(), r.received()) > window {
						runtime.Gosched()
					}
					if err := r.src.Send(&story.Datagrams[i]); err != nil {
						return err
					}
				}
			}
			return nil
		}()
	}()
	var heap []uint64
	const reloads = 100
	for n := range reloads {
		r.set(quiet, hostRule(100+n)+strings.Repeat("# filler\n", n))
		got, err := r.Reload(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got.Rules != 1 || len(got.Restart) != 0 {
			t.Fatalf("reload %d: %+v", n, got)
		}
		if n%25 == 24 {
			runtime.GC()
			heap = append(heap, memory().Heap)
		}
	}
	r.eventually("the last rules", r.live.Load().Swapped)
	r.eventually("an alert of the last rules", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.alerts[100+reloads-1] > 0
	})
	stop.Store(true)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	r.eventually("all frames", func() bool { return r.received() >= r.src.Sent() })
	s := r.end()
	l := &s.Ledger
	t.Logf("%d frames, %d reloads, window %d, heap after each 25: %d", r.src.Sent(), s.Swaps, window, heap)
	if l.Kernel != 0 || l.Received != r.src.Sent() || l.Imbalance() != 0 || l.Received != l.Processed+l.Drops[sensor.DropDuplicate] {
		t.Errorf("sent %d: %+v", r.src.Sent(), l)
	}
	if s.Swaps != reloads {
		t.Errorf("%d swaps, want %d", s.Swaps, reloads)
	}
	if first, last := heap[0], heap[len(heap)-1]; last > first+first/2+16<<20 {
		t.Errorf("heap grew from %d to %d over reloads", first, last)
	}
	if st := r.rulesState(); st.Reloads != reloads || st.StaleSince != nil {
		t.Errorf("state %+v", st)
	}
}

// What cannot be used leaves everything as it was, and the state says since when and
// why, until a reload works.
func TestReloadRefused(t *testing.T) {
	r := start(t)
	before := r.live.Load().Snapshot().Swaps
	for _, c := range []struct{ name, yaml, rules, want string }{
		{"unknown key", "sensro: {}\n", hostRule(2), "sensro"},
		{"bad value", quiet + "dedup: {window: never}\n", hostRule(2), "dedup.window"},
		{"bad variable", quiet + "vars: {address-groups: {HOME_NET: \"$NOBODY\"}}\n", `alert tcp $HOME_NET any -> any any (msg:"x"; sid:3;)`, "NOBODY"},
		{"only bad rules", quiet, "alert http any any -> any any (nosuch; sid:9;)\n", "all 1 rule were refused"},
	} {
		if _, err := r.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		before++
		r.set(c.yaml, c.rules)
		_, err := r.Reload(context.Background())
		st := r.rulesState()
		if err == nil || !strings.Contains(err.Error(), c.want) || st.StaleSince == nil || st.StaleWhy != err.Error() || st.Loaded != 1 {
			t.Errorf("%s: error %v, state %+v", c.name, err, st)
		}
		since := st.StaleSince
		if _, err := r.Reload(context.Background()); err == nil {
			t.Errorf("%s: second reload worked", c.name)
		}
		if st := r.rulesState(); st.StaleSince == nil || since == nil || !st.StaleSince.Equal(*since) {
			t.Errorf("%s: stale since the second failure, not the first", c.name)
		}
		r.set(quiet, hostRule(2))
	}
	if got := r.live.Load().Snapshot().Swaps; got != before {
		t.Errorf("%d swaps, want %d: refused reloads must change nothing", got, before)
	}
	if _, err := r.Reload(context.Background()); err != nil {
		t.Error(err)
	}
	if st := r.rulesState(); st.StaleSince != nil || st.Failed != 8 {
		t.Errorf("state %+v", st)
	}
	r.end()
}

// New rules that do not fit beside the old ones are refused before they are read.
func TestReloadMemoryLimit(t *testing.T) {
	r := start(t)
	old := debug.SetMemoryLimit(1)
	_, err := r.Reload(context.Background())
	debug.SetMemoryLimit(old)
	if err == nil || !strings.Contains(err.Error(), "no room for new rules") {
		t.Errorf("error %v", err)
	}
	if _, err := r.Reload(context.Background()); err != nil {
		t.Error(err)
	}
	r.end()
}

// One compile at a time: a second request is told so, a signal waits for its turn.
func TestReloadOneAtATime(t *testing.T) {
	r := start(t)
	r.reload.work.Lock() // as if one were in work
	if _, err := r.Reload(context.Background()); !errors.Is(err, web.ErrBusy) {
		t.Errorf("error %v", err)
	}
	for range 5 {
		r.signalled(context.Background())
	}
	r.reload.work.Unlock()
	r.eventually("the reload by signal", func() bool {
		r.reload.mu.Lock()
		defer r.reload.mu.Unlock()
		return !r.reload.signals && r.reload.done > 0
	})
	if st := r.rulesState(); st.Reloads < 1 || st.Reloads > 3 {
		t.Errorf("%d reloads for 5 signals in a row", st.Reloads)
	}
	r.end()
}

// Only what a reload takes over is taken over; the rest is named.
func TestReloadNamesRestart(t *testing.T) {
	r := start(t)
	r.set(strings.Replace(quiet, "workers: 2", "workers: 3", 1)+"allow: {vnis: [1169]}\nmemcaps: {flow: 64MiB}\n", hostRule(1))
	got, err := r.Reload(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"sensor.workers", "memcaps.flow"}; fmt.Sprint(got.Restart) != fmt.Sprint(want) {
		t.Errorf("restart needed for %v, want %v", got.Restart, want)
	}
	if r.live.Load().Workers() != 2 {
		t.Errorf("%d workers", r.live.Load().Workers())
	}
	r.eventually("the allow-list", func() bool { return r.live.Load().Swapped() })
	story, err := demo.NewStory(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := story.Datagrams[0]
	d.Data = append([]byte(nil), d.Data...)
	d.Data[6] = 0xff // another VNI
	if err := r.src.Send(&d); err != nil {
		t.Fatal(err)
	}
	r.eventually("the frame", func() bool { return r.received() == 1 })
	if s := r.end(); s.Ledger.Drops[sensor.DropVNI] != 1 {
		t.Errorf("%+v", s.Ledger)
	}
}

// systemd is told what it asks for, and the watchdog only while nothing is stalled.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	read := func() string {
		b := make([]byte, 256)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	notify("nobody listens")
	t.Setenv("NOTIFY_SOCKET", path)
	notify("READY=1")
	if got := read(); got != "READY=1" {
		t.Errorf("systemd got %q", got)
	}
	t.Setenv("WATCHDOG_USEC", "20000")
	stop := watchdog(&node{health: sensor.NewHealth(nil)})
	if got := read(); got != "WATCHDOG=1" {
		t.Errorf("systemd got %q", got)
	}
	stop()
	t.Setenv("WATCHDOG_PID", "1")
	watchdog(&node{})() // not for us
	if s := monotonicUsec(); !strings.HasPrefix(s, "MONOTONIC_USEC=") {
		t.Errorf("%q", s)
	}
}

// The status listener is the socket systemd hands over, when there is one.
func TestStatusListener(t *testing.T) {
	l, err := statusListener("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	t.Setenv("LISTEN_PID", "1") // for somebody else
	t.Setenv("LISTEN_FDS", "1")
	if l, err = statusListener("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// The management listener on a socket file is taken over from a sensor that was
// killed, and clients find it.
func TestUnixManagement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	for range 2 { // the second finds the file of the first
		l, err := listenAny("unix:" + path)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
			t.Errorf("mode %v, %v", st.Mode(), err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	}
	l, err := listenAny("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{started: time.Now(), health: sensor.NewHealth(nil)}
	s := web.ServeManagement(l, n, web.Options{})
	defer s.Close()
	var st web.Status
	if err := (&client{addr: "unix:" + path}).call(context.Background(), "GET", "/api/v1/stats", &struct{ Status *web.Status }{&st}); err != nil {
		t.Fatal(err)
	}
	err = (&client{addr: "unix:" + path}).call(context.Background(), "POST", "/api/v1/reload", &st)
	if err == nil || !strings.Contains(err.Error(), "still starting") {
		t.Errorf("reload while starting: %v", err)
	}
}

// freeUDP returns an address on the loopback interface with a port that is free.
func freeUDP(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}
