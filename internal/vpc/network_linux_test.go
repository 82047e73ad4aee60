package vpc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/netlab"
)

// paper is an endpoint made of a snapshot.
type paper struct {
	mu      sync.Mutex
	snap    *ec2api.Snapshot
	changed chan struct{}
	health  ec2api.Health
	metrics ec2api.Metrics
}

func (p *paper) Snapshot() *ec2api.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snap
}
func (p *paper) Changed() <-chan struct{}    { return p.changed }
func (p *paper) SetHealth(h ec2api.Health)   { p.health = h }
func (p *paper) SetMetrics(m ec2api.Metrics) { p.metrics = m }
func (p *paper) Region() string              { return "us-east-1" }

// set makes a copy of the lab's snapshot the endpoint's.
func (p *paper) set(l *lab) {
	s := *l.snap
	l.snap.Generation++
	s.Generation = l.snap.Generation
	s.Interfaces, s.Instances, s.SecurityGroups = clone(s.Interfaces), clone(s.Instances), clone(s.SecurityGroups)
	s.LoadBalancers, s.Listeners, s.TargetGroups = clone(s.LoadBalancers), clone(s.Listeners), clone(s.TargetGroups)
	p.mu.Lock()
	p.snap = &s
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func clone[T any](m map[string]*T) map[string]*T {
	out := map[string]*T{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// start makes the lab's snapshot real, until the test ends.
func (l *lab) start(t *testing.T, o Options) (*Network, *paper) {
	t.Helper()
	netlab.Require(t)
	p := &paper{changed: make(chan struct{}, 1)}
	p.set(l)
	o.Server, o.Name = p, fmt.Sprintf("t%d", os.Getpid()%100000)
	o.Log = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	n, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	select {
	case <-n.Ready():
	case <-time.After(patience):
		t.Fatal("not ready")
	}
	return n, p
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(b))
	return len(b), nil
}

// patience is how long a condition may take on a machine that does other things too.
const patience = 60 * time.Second

// until polls a condition.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline.C:
			t.Fatalf("not in %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// space opens the namespace of an instance.
func (n *Network) open(t *testing.T, instance string) *namespace {
	t.Helper()
	ns, err := openNamespace(prefix + n.o.Name + "-" + instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.close)
	return ns
}

// listen opens a UDP socket in an instance.
func listen(t *testing.T, ns *namespace, addr string) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	if err := ns.in(func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a datagram from ns and tells whether its echo came back.
func echo(t *testing.T, ns *namespace, from, to string) bool {
	t.Helper()
	var c *net.UDPConn
	err := ns.in(func() (err error) {
		c, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 20 {
		c.Write([]byte("hello"))
		c.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
		b := make([]byte, 16)
		if n, err := c.Read(b); err == nil && string(b[:n]) == "hello" {
			return true
		}
	}
	return false
}

// serveEcho answers datagrams with themselves until the socket is closed.
func serveEcho(c *net.UDPConn) {
	b := make([]byte, 2048)
	for {
		n, a, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		c.WriteToUDPAddrPort(b[:n], a)
	}
}

// Instances in namespaces talk over both address families, within a subnet and between
// two; groups are honoured by what is sent for real; interfaces come and go.
func TestNetwork(t *testing.T) {
	l := newLab(t)
	open := []string{"sg-open"}
	l.eni("eni-a1", "subnet-a", open, "10.0.1.10", "fd00:1:0:1::a")
	l.eni("eni-a2", "subnet-a", open, "10.0.1.11")
	l.eni("eni-b1", "subnet-b", open, "10.0.2.10", "fd00:1:0:2::a")
	n, p := l.start(t, Options{})
	a1, a2, b1 := n.open(t, "i-eni-a1"), n.open(t, "i-eni-a2"), n.open(t, "i-eni-b1")
	for _, s := range []struct {
		ns   *namespace
		addr string
	}{{b1, "10.0.2.10:7"}, {b1, "[fd00:1:0:2::a]:7"}, {a2, "10.0.1.11:7"}} {
		go serveEcho(listen(t, s.ns, s.addr))
	}
	for _, c := range [][2]string{{"10.0.1.10:0", "10.0.2.10:7"}, {"[fd00:1:0:1::a]:0", "[fd00:1:0:2::a]:7"}, {"10.0.1.10:0", "10.0.1.11:7"}} {
		if !echo(t, a1, c[0], c[1]) {
			t.Errorf("no echo from %s at %s: %v", c[0], c[1], n.drops())
		}
	}
	// A megabyte over TCP, which sends full segments with checksums.
	transfer(t, a1, b1, "10.0.2.10:80", 1<<20)

	// A second interface is plugged in while the instance runs, and answers by itself.
	l.eni("eni-a9", "subnet-a", open, "10.0.1.99")
	delete(l.snap.Instances, "i-eni-a9")
	l.change("eni-a9", func(x *ec2api.NetworkInterface) {
		x.Attachment = &ec2api.Attachment{InstanceID: "i-eni-b1", DeviceIndex: 1}
	})
	p.set(l)
	until(t, "the second interface", func() bool { return hasAddr(b1, "eth1", "10.0.1.99") })
	go serveEcho(listen(t, b1, "10.0.1.99:7"))
	if !echo(t, a1, "10.0.1.10:0", "10.0.1.99:7") {
		t.Errorf("no echo at the second interface: %v", n.drops())
	}
	l.change("eni-a9", func(x *ec2api.NetworkInterface) { x.Attachment = nil })
	p.set(l)
	until(t, "the second interface to be gone", func() bool { _, err := b1.nl.LinkByName("eth1"); return err != nil })

	// Another one gets the address that has become free, at another place.
	delete(l.snap.Interfaces, "eni-a9")
	l.eni("eni-a8", "subnet-a", open, "10.0.1.99")
	delete(l.snap.Instances, "i-eni-a8")
	for _, index := range []int{1, 2} {
		l.change("eni-a8", func(x *ec2api.NetworkInterface) {
			x.Attachment = &ec2api.Attachment{InstanceID: "i-eni-b1", DeviceIndex: index}
		})
		p.set(l)
		name := fmt.Sprintf("eth%d", index)
		until(t, name, func() bool { return hasAddr(b1, name, "10.0.1.99") })
		until(t, "the plan with "+name, func() bool { return n.version() == l.snap.Generation })
		if !echo(t, a1, "10.0.1.10:0", "10.0.1.99:7") {
			t.Errorf("no echo at the address as %s: %v", name, n.drops())
		}
		if rules, _ := b1.nl.RuleListFiltered(netlink.FAMILY_V4, &netlink.Rule{Src: &net.IPNet{IP: net.IP{10, 0, 1, 99}, Mask: net.CIDRMask(32, 32)}}, netlink.RT_FILTER_SRC); len(rules) != 1 || rules[0].Table != 10000+index {
			t.Errorf("rules for the address as %s: %v", name, rules)
		}
		l.change("eni-a8", func(x *ec2api.NetworkInterface) { x.Attachment = nil })
		p.set(l)
		until(t, name+" to be gone", func() bool { _, err := b1.nl.LinkByName(name); return err != nil })
	}

	// The group closes: what comes now is refused.
	l.group("sg-open", "out -1 0.0.0.0/0")
	p.set(l)
	until(t, "the plan with the closed group", func() bool { return n.version() == l.snap.Generation })
	if echo(t, a1, "10.0.1.10:0", "10.0.2.10:7") {
		t.Error("an echo through a closed group")
	}
}

// version returns the generation that frames are forwarded by.
func (n *Network) version() (v uint64) {
	n.loop.do(func() { n.fabric.begin(); v = n.fabric.plan.version })
	return v
}

func (n *Network) drops() map[string]uint64 {
	out := map[string]uint64{}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, e := range n.plan.enis {
		for r := range dropKinds {
			if c := e.live.count.Drops[r].Load(); c > 0 {
				out[id+" "+r.String()] = c
			}
		}
	}
	return out
}

func hasAddr(ns *namespace, link, addr string) bool {
	l, err := ns.nl.LinkByName(link)
	if err != nil {
		return false
	}
	addrs, _ := ns.nl.AddrList(l, netlink.FAMILY_ALL)
	for _, a := range addrs {
		if a.IP.String() == addr {
			return true
		}
	}
	return false
}

// transfer sends size bytes over TCP and checks that they arrive.
func transfer(t *testing.T, from, to *namespace, addr string, size int) {
	t.Helper()
	var l net.Listener
	if err := to.in(func() (err error) { l, err = net.Listen("tcp", addr); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sum := make(chan int, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			sum <- -1
			return
		}
		defer c.Close()
		n, b := 0, make([]byte, 64<<10)
		for {
			k, err := c.Read(b)
			n += k
			if err != nil {
				break
			}
		}
		sum <- n
	}()
	var c net.Conn
	if err := from.in(func() (err error) { c, err = net.DialTimeout("tcp", addr, patience); return err }); err != nil {
		t.Fatal(err)
	}
	c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := <-sum; n != size {
		t.Errorf("%d bytes arrived of %d", n, size)
	}
}

// A run leaves nothing behind, and the next one removes what a killed one has left.
func TestCleanUp(t *testing.T) {
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
	n, _ := l.start(t, Options{})
	if _, err := Start(t.Context(), Options{Name: n.o.Name, Server: n.o.Server}); err == nil {
		t.Error("two runs with one name")
	}
	runs, err := Runs()
	if err != nil {
		t.Fatal(err)
	}
	var mine *RunFile
	for i := range runs {
		if runs[i].Name == n.o.Name {
			mine = &runs[i]
		}
	}
	if mine == nil || len(mine.Instances) != 1 || len(mine.Instances[0].Devices) != 1 {
		t.Fatalf("the run's file says %+v", mine)
	}
	if i, err := mine.Find("i-eni-a1"); err != nil || !strings.HasPrefix(i.Namespace, prefix+n.o.Name) {
		t.Errorf("Find = %+v, %v", i, err)
	}
	n.Close()
	if left := namespacesNamed(prefix + n.o.Name); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat(runPath(n.o.Name)); err == nil {
		t.Error("the run's file is still there")
	}

	// A crashed run: names and a file, and nobody who holds it.
	name := n.o.Name + "x"
	for _, s := range []string{"-net", "-i-1"} {
		ns, err := newNamespace(prefix + name + s)
		if err != nil {
			t.Fatal(err)
		}
		ns.close()
	}
	if err := os.WriteFile(lockPath(name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	removed, err := Clean()
	if err != nil || len(removed) < 2 || len(namespacesNamed(prefix+name)) != 0 {
		t.Errorf("Clean = %v, %v; left %v", removed, err, namespacesNamed(prefix+name))
	}
	if m, _ := filepath.Glob(lockPath(name)); len(m) != 0 {
		t.Error("the file of the crashed run is still there")
	}
}

// Changes while packets flow over real devices: none is lost, and each is mirrored once
// or not at all.
func TestChangesUnderTraffic(t *testing.T) {
	l := mirrorLab(t, "out")
	n, p := l.start(t, Options{})
	a1, b1, s := n.open(t, "i-eni-a1"), n.open(t, "i-eni-b1"), n.open(t, "i-eni-s")
	server, sensor := listen(t, b1, "10.0.2.10:7"), listen(t, s, "10.0.2.20:4789")
	sensor.SetReadBuffer(16 << 20)
	var arrived atomic.Uint64
	copies := make(chan map[uint32]int, 1)
	go func() {
		got, b := map[uint32]int{}, make([]byte, 2048)
		for {
			k, err := sensor.Read(b)
			if err != nil {
				copies <- got
				return
			}
			if k == lenVXLAN+lenEthernet+lenIPv4+lenUDP+4 {
				got[binary.BigEndian.Uint32(b[k-4:])]++
				arrived.Add(1)
			}
		}
	}()
	go serveEcho(server)
	var c *net.UDPConn
	if err := a1.in(func() (err error) {
		c, err = net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 0, 1, 10)}, &net.UDPAddr{IP: net.IPv4(10, 0, 2, 10), Port: 7})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	on := l.snap.Mirroring.Filters[0].Rules
	number, b := uint32(0), make([]byte, 64)
	c.SetReadDeadline(time.Now().Add(patience))
	for i := range 1000 {
		rules := on
		if i%2 == 0 {
			rules = nil
		}
		l.snap.Mirroring.Filters = []mirror.Filter{{ID: "tmf-1", Rules: rules}}
		p.set(l)
		for range 4 { // each waits for its echo: what is lost would be missed here
			binary.BigEndian.PutUint32(b, number)
			if _, err := c.Write(b[:4]); err != nil {
				t.Fatal(err)
			}
			k, err := c.Read(b)
			if err != nil || k != 4 || binary.BigEndian.Uint32(b) != number {
				t.Fatalf("datagram %d: %d bytes, %v; %v", number, k, err, n.drops())
			}
			number++
		}
	}
	st := n.Stats()
	until(t, "all copies", func() bool { st = n.Stats(); return st.Sessions[0].Packets <= arrived.Load() })
	sensor.Close()
	got := <-copies
	total := 0
	for k, times := range got {
		if total += times; times != 1 || k >= number {
			t.Errorf("datagram %d was mirrored %d times", k, times)
		}
	}
	if uint64(total) != st.Sessions[0].Packets || total == 0 || total == int(number) {
		t.Errorf("%d of %d mirrored, counted %d: want some, not all", total, number, st.Sessions[0].Packets)
	}
}

// A device that exists stands for an interface: the far end is somebody else's.
func TestExistingDevice(t *testing.T) {
	netlab.Require(t)
	l := newLab(t)
	l.eni("eni-a1", "subnet-a", []string{"sg-open"}, "10.0.1.10")
	l.eni("eni-b1", "subnet-b", []string{"sg-open"}, "10.0.2.10")
	far := netlab.New(t)
	name := fmt.Sprintf("mirdev%d", os.Getpid()%100000)
	mac := l.snap.Interfaces["eni-a1"].MAC
	v := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "far0", PeerHardwareAddr: net.HardwareAddr(mac[:])}
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netlink.LinkDel(v) })
	peer, err := netlink.LinkByName("far0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetNsFd(peer, far.FD()); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(v); err != nil {
		t.Fatal(err)
	}
	far.Addr(t, "far0", "10.0.1.10/24")
	far.Up(t, "far0")
	far.Route(t, "far0", "10.0.1.1")
	n, _ := l.start(t, Options{Devices: map[string]string{"eni-a1": name}})
	go serveEcho(listen(t, n.open(t, "i-eni-b1"), "10.0.2.10:7"))
	// Its checksum offload is on: the network makes the checksums.
	got := false
	if err := far.Do(func() error {
		c, err := net.Dial("udp", "10.0.2.10:7")
		if err != nil {
			return err
		}
		defer c.Close()
		for range 20 {
			c.Write([]byte("hello"))
			c.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
			b := make([]byte, 16)
			if k, err := c.Read(b); err == nil && string(b[:k]) == "hello" {
				got = true
				return nil
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !got {
		t.Errorf("no echo through the device: %v", n.drops())
	}
}

// Thresholds: one check that passes is enough for a new target, then the numbers count.
func TestHealthThresholds(t *testing.T) {
	p := &probe{spec: probeSpec{check: ec2api.HealthCheck{Healthy: 3, Unhealthy: 2}}, live: &targetLive{}, health: initial()}
	g := &groupHealth{targets: []*targetLive{p.live}, open: new(atomic.Bool)}
	c := newChecker(Options{}, slog.New(slog.DiscardHandler))
	c.groups["g"] = g
	for i, step := range []struct {
		ok   bool
		want string
		open bool
	}{
		{false, "initial", false}, {true, "healthy", false}, {false, "healthy", false}, {true, "healthy", false}, {false, "healthy", false}, {false, "unhealthy", true},
		{true, "unhealthy", true}, {true, "unhealthy", true}, {false, "unhealthy", true}, {true, "unhealthy", true}, {true, "unhealthy", true}, {true, "healthy", false},
	} {
		reason := "Target.Timeout"
		if step.ok {
			reason = ""
		}
		c.note(p, reason, "text")
		if p.health.State != step.want || g.open.Load() != step.open || p.live.healthy.Load() != (step.want == "healthy") {
			t.Fatalf("step %d: %+v, all open %v, want %s, %v", i, p.health, g.open.Load(), step.want, step.open)
		}
	}
	for _, tc := range []struct {
		matcher string
		status  int
		want    bool
	}{{"200", 200, true}, {"200", 201, false}, {"200-399", 399, true}, {"200,302", 302, true}, {"200,302", 301, false}, {"", 204, true}, {"", 503, false}, {"x", 200, false}} {
		if got := matches(tc.matcher, tc.status); got != tc.want {
			t.Errorf("matches(%q, %d) = %v", tc.matcher, tc.status, got)
		}
	}
}
