package agent

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/mirrortest"
	"mirador/internal/netlab"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// rig is a Kernel whose programs are given frames by hand, and the network of its
// targets.
type rig struct {
	host   *netlab.NS
	k      *Kernel
	dec    *packet.Decoder
	sniff  *capture.AFPacket
	batch  capture.Batch
	at     int     // in batch
	routes []Route // of the sessions in turn
}

func newRig(t testing.TB, limit ...Limit) *rig {
	t.Helper()
	netlab.Require(t)
	host, out := netlab.New(t), netlab.New(t)
	netlab.Veth(t, host, "eni0", netlab.New(t), "peer0")
	netlab.Veth(t, host, "out0", out, "tgt0")
	host.MTU(t, "out0", 9001)
	out.MTU(t, "tgt0", 9001)
	addr := netip.MustParseAddr
	host.Addr(t, "out0", "10.2.0.1/24")
	host.Addr(t, "out0", "fd00:2::1/64")
	for _, a := range []string{"10.2.0.2/24", "10.2.0.3/24", "10.2.0.4/24", "fd00:2::2/64"} {
		out.Addr(t, "tgt0", a)
	}
	r := &rig{host: host, dec: packet.NewDecoder(packet.Options{})}
	s := Discard{}
	r.routes = []Route{
		{Src: addr("10.2.0.1"), Dst: addr("10.2.0.2"), Spread: []netip.Addr{addr("10.2.0.3"), addr("10.2.0.4")}, Sender: s},
		{Src: addr("10.2.0.1"), Dst: addr("10.2.0.2"), Port: 8472, Sender: s},
		{Src: addr("fd00:2::1"), Dst: addr("fd00:2::2"), Sender: s},
		{},
	}
	mac := out.MAC(t, "tgt0")
	if err := host.Do(func() (err error) {
		index := host.Link(t, "out0").Attrs().Index
		for _, a := range []string{"10.2.0.2", "10.2.0.3", "10.2.0.4", "fd00:2::2"} {
			n := &netlink.Neigh{LinkIndex: index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(a), HardwareAddr: mac[:]}
			if err := netlink.NeighSet(n); err != nil {
				return err
			}
		}
		o := Options{Iface: "eni0"}
		if len(limit) > 0 {
			o.Limit = limit[0]
		}
		r.k, err = NewKernel(o, r.plan(t, &mirrortest.World{Iface: mirror.Interface{ID: "eni-1"}}, 0))
		return err
	}); err != nil {
		t.Fatalf("the kernel takes no programs: %v", err)
	}
	t.Cleanup(func() { r.k.Close() })
	r.k.detach()                                // no frames but ours
	for end := time.Now().Add(time.Minute); ; { // interfaces need a moment
		_, err := r.k.way(addr("fd00:2::1"), addr("fd00:2::2"))
		up := host.Link(t, "out0").Attrs().OperState == netlink.OperUp && out.Link(t, "tgt0").Attrs().OperState == netlink.OperUp
		if err == nil && up {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the interfaces do not come up: %v", err)
		}
	}
	if err := out.Do(func() error {
		rs, err := capture.OpenAFPacket(capture.AFPacketOptions{Iface: "tgt0"})
		if err == nil {
			r.sniff = rs[0]
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.sniff.Close() })
	return r
}

// plan makes the plan of w. turn chooses where sessions go.
func (r *rig) plan(t testing.TB, w *mirrortest.World, turn int) *Plan {
	t.Helper()
	for i := range w.Sessions { // what the kernel can do
		if n := &w.Sessions[i].PacketLength; *n > 0 {
			*n = max(*n, kLength)
		}
	}
	for id, n := range w.O.TargetMTU {
		if n == 100 {
			w.O.TargetMTU[id] = 180
		}
	}
	g, err := mirror.Compile(w.Iface, w.Sessions, w.Filters, w.O)
	if err != nil {
		t.Fatal(err)
	}
	p := &Plan{Program: g}
	for i := range g.Sessions() {
		p.Routes = append(p.Routes, r.routes[(turn+i)%len(r.routes)])
	}
	return p
}

// run gives a frame to the program of direction d, and tells what it counted and the job.
func (r *rig) run(t testing.TB, frame []byte, d mirror.Direction) (counted tally, job kjob) {
	t.Helper()
	before, _ := r.state(t)
	if err := r.host.Do(func() error {
		_, err := r.k.decide[d-mirror.Ingress].Run(&ebpf.RunOptions{Data: frame})
		return err
	}); err != nil {
		t.Fatalf("run the program with %x: %v", frame, err)
	}
	after, jobs := r.state(t)
	words := func(x *tally) []uint64 { return unsafe.Slice((*uint64)(unsafe.Pointer(x)), unsafe.Sizeof(*x)/8) }
	for i := range jobs {
		a, b := words(&after[i]), words(&before[i])
		for n := range a {
			if a[n] != b[n] {
				job = jobs[i]
			}
			words(&counted)[n] += a[n] - b[n]
		}
	}
	return counted, job
}

func (r *rig) state(t testing.TB) (counted []tally, jobs []kjob) {
	t.Helper()
	var all []stateWords
	if err := r.k.maps.state.Lookup(uint32(0), &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		s := (*kstate)(unsafe.Pointer(&all[i]))
		counted, jobs = append(counted, s.tally), append(jobs, s.job)
	}
	return counted, jobs
}

// compare gives a frame to both twins. It returns the packet that is to arrive, if any,
// and what they do not agree on.
func (r *rig) compare(t testing.TB, p *Plan, frame []byte, d mirror.Direction) (want []byte, what string) {
	t.Helper()
	parsed := r.dec.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)
	l := &parsed[0]
	dec := p.Program.Decide(l, d)
	got, job := r.run(t, frame, d)
	expect := tally{frames: 1, bytes: uint64(len(frame))}
	out := way(d == mirror.Egress)
	var route *Route
	if dec.Mirror {
		route = &p.Routes[dec.Session]
	}
	switch {
	case !dec.Mirror:
		expect.notMirrored[dec.Reason] = 1
	case route.Sender == nil:
		expect.errTarget = 1
	default:
		expect.mirror[out], expect.mirrorPackets[out] = uint64(len(frame)), 1
	}
	if got != expect {
		return nil, fmt.Sprintf("counted %+v, want %+v (%+v)", got, expect, dec)
	}
	if !dec.Mirror || route.Sender == nil {
		return nil, ""
	}
	port := p.Program.SourcePort(l, dec)
	all := newHeaders(*route, p.Program.Sessions()[dec.Session].Session.VNI)
	flow := uint32(l.SymmetricHash(0) >> 32)
	h := &all[uint64(flow)*uint64(len(all))>>32]
	want = make([]byte, h.len, h.len+dec.Length)
	h.put(want, port, flow, dec.Length)
	if uint16(job.port) != port {
		return nil, fmt.Sprintf("source port %d, want %d", job.port, port)
	}
	return append(want, frame[:dec.Length]...), ""
}

// next returns the next mirrored packet that has arrived, from its outer IP header on.
func (r *rig) next(t testing.TB) []byte {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		for r.at < len(r.batch.Frames) {
			f := &r.batch.Frames[r.at]
			r.at++
			l := r.dec.Decode(nil, f.Link, f.Data, f.WireLen, f.Time)[0]
			if l.IsUDP() && (l.DstPort == 4789 || l.DstPort == 8472) && !f.Outgoing {
				return f.Data[l.L3:l.IPEnd]
			}
		}
		r.at = 0
		if err := r.sniff.Read(&r.batch, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("a mirrored packet has not arrived")
	return nil
}

// The program in the kernel decides as mirror.Program does on generated filters and
// packets, and what arrives is byte for byte what the AF_PACKET engine sends, in order.
func TestTwins(t *testing.T) {
	r := newRig(t)
	rnd := rand.New(rand.NewPCG(7, 1169))
	g := mirrortest.Gen{Next: rnd.IntN}
	const worlds, packets = 300, 40
	arrived := 0
	seen := map[mirror.Reason]int{}
	for n := range worlds {
		w := g.World()
		if n%3 == 0 {
			w.O.Port = mirror.PortWide
		}
		plan := r.plan(t, w, n)
		if err := r.k.Swap(plan); err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for range packets {
			p := g.Packet()
			frame := p.Frame()
			if g.One(6) {
				frame = tagged(frame, 1+g.Next(3))
			}
			d := mirror.Ingress
			if p.Egress {
				d = mirror.Egress
			}
			b, what := r.compare(t, plan, frame, d)
			if what != "" {
				t.Fatalf("%s\npacket %+v\nframe %x\nworld %+v", what, p, frame, w)
			}
			if b != nil {
				want = append(want, b)
			}
			dec := plan.Program.Decide(&r.dec.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)[0], d)
			seen[dec.Reason]++
		}
		for i := range want {
			if got := r.next(t); !bytes.Equal(got, want[i]) {
				for _, b := range want {
					t.Logf("%x", b)
				}
				t.Fatalf("packet %d of %d arrived as\n%x, want\n%x", i, len(want), got, want[i])
			}
			arrived++
		}
	}
	t.Logf("%d packets, %d arrived: %v", worlds*packets, arrived, seen)
	for x := mirror.ReasonAccept; int(x) < mirror.NumReasons; x++ {
		if seen[x] < 10 && x != mirror.ReasonNoDirection {
			t.Errorf("only %d packets with the outcome %v", seen[x], x)
		}
	}
}

// tagged puts n VLAN tags into a frame.
func tagged(frame []byte, n int) []byte {
	b := bytes.Clone(frame[:12])
	for i := range n {
		b = append(b, 0x81, 0, 0, byte(5+i))
	}
	return append(b, frame[12:]...)
}

// FuzzTwins looks for a frame, or filters and a packet, on which the twins disagree.
func FuzzTwins(f *testing.F) {
	rnd := rand.New(rand.NewPCG(2, 3))
	for range 16 {
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		f.Add(b, []byte{})
	}
	for _, s := range []string{
		"eth ip 10.0.1.9 10.0.5.5 tcp 4000 443 flags=PA | hello", "eth ip6 2001:db8::9 2001:db8::1 udp 53 53 | hello",
		"eth vlan 3 ip 10.0.1.9 10.0.5.5 icmp 8 0 rest=0x12340001", "eth ip 10.0.1.9 10.0.0.2 sctp 5 6",
		"eth ip6 2001:db8::9 2001:db8::1 next=0 raw 2b00000000000000" + "3c00000000000000" + "0600000000000000" + "00160050000000000000000050100000",
		"eth ip6 2001:db8::9 2001:db8::1 next=51 raw 2c01000000000000" + "00000000" + "1100000100000007" + "0035003500080000",
	} {
		f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, pkttest.Frame(s))
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, seed, frame []byte) {
		g := mirrortest.Gen{Next: func(n int) int {
			if len(seed) == 0 {
				return 0
			}
			v := int(seed[0])
			seed = seed[1:]
			return v % n
		}}
		if len(frame) < lenEthernet {
			frame = g.Packet().Frame()
		}
		if len(frame) > 2000 || unlike(r.dec, frame) {
			return
		}
		plan := r.plan(t, g.World(), g.Next(4))
		if err := r.k.Swap(plan); err != nil {
			t.Fatal(err)
		}
		for _, d := range []mirror.Direction{mirror.Ingress, mirror.Egress} {
			if _, what := r.compare(t, plan, frame, d); what != "" {
				t.Fatalf("%s\n%v frame %x", what, d, frame)
			}
		}
	})
}

// unlike tells frames that the program in the kernel takes otherwise on purpose, and
// those that cannot be given to it by hand.
func unlike(dec *packet.Decoder, frame []byte) bool {
	l := &dec.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)[0]
	switch {
	case l.Seen&(packet.SeenMPLS|packet.SeenPPPoE|packet.SeenVNTag|packet.SeenIEEE8021AH|packet.SeenDCE|packet.SeenNSH) != 0:
		return true
	case l.EtherHdrType == packet.EtherTypeIPv4 && len(frame) < lenEthernet+lenIPv4, l.EtherHdrType == packet.EtherTypeIPv6 && len(frame) < lenEthernet+lenIPv6:
		return true // BPF_PROG_TEST_RUN refuses them
	}
	n := 0
	for it := l.ExtHdrs(); it.Next(); {
		n++
	}
	return n >= kExtHdrs
}

// What a process with privileges has loaded another one uses.
func TestHand(t *testing.T) {
	r := newRig(t)
	if err := r.host.Do(func() error {
		l, err := Load(Options{Iface: "eni0"})
		if err != nil {
			return err
		}
		defer l.Close()
		text, err := l.Hand()
		if err != nil {
			return err
		}
		list := strings.Split(text, ",")
		for i := 2; i < len(list); i++ { // here both are of one process, which must close each
			n, err := strconv.Atoi(list[i])
			if err != nil {
				return err
			}
			if n, err = unix.Dup(n); err != nil {
				return err
			}
			list[i] = strconv.Itoa(n)
		}
		for _, bad := range []string{"", "1,2,3", strings.Repeat("x,", 11) + "x"} {
			if _, err := Take(bad); err == nil {
				t.Errorf("took %q", bad)
			}
		}
		l2, err := Take(strings.Join(list, ","))
		if err != nil {
			return err
		}
		plan := r.plan(t, &mirrortest.World{Iface: mirror.Interface{ID: "eni-1"}}, 0)
		k, err := NewKernel(Options{Iface: "eni0", Loaded: l2}, plan)
		if err != nil {
			return err
		}
		defer k.Close()
		k.detach()
		before := k.Counters() // the interface may have said something
		frame := pkttest.Frame("eth ip 10.0.1.9 10.0.5.5 tcp 4000 443 flags=S")
		if _, err := k.decide[0].Run(&ebpf.RunOptions{Data: frame}); err != nil {
			return err
		}
		if c := k.Counters(); c.Frames != before.Frames+1 || c.NotMirrored[mirror.ReasonNoSessions] != before.NotMirrored[mirror.ReasonNoSessions]+1 {
			t.Errorf("counters %+v", c)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// The kernel takes no plan beyond its bounds: the AF_PACKET engine does.
func TestUnsuited(t *testing.T) {
	iface := mirror.Interface{ID: "eni-1"}
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	filter := func(rules int) mirror.Filter {
		f := mirror.Filter{ID: "tmf-1"}
		for i := range rules {
			f.Rules = append(f.Rules, mirror.FilterRule{ID: fmt.Sprint("tmfr-", i), Number: i + 1, Direction: mirror.Egress, Action: mirror.Accept, Protocol: mirror.AnyProtocol, SourceCIDR: any4, DestinationCIDR: any4})
		}
		return f
	}
	a := netip.MustParseAddr("10.0.0.1")
	spread := func(n int) (out []netip.Addr) {
		b := netip.MustParseAddr("10.0.1.0")
		for range n {
			b = b.Next()
			out = append(out, b)
		}
		return out
	}
	for _, c := range []struct {
		name                 string
		rules, sessions      int
		tunnels, ranges, cut int
		spread               int
		gwlb                 *GWLB
		suits                bool
	}{
		{name: "full", rules: kRules / kSessions, sessions: kSessions, tunnels: kTunnels, ranges: kResolvers - 2, cut: kLength, suits: true},
		{name: "rules", rules: kRules + 1, sessions: 1},
		{name: "sessions", rules: 1, sessions: kSessions + 1},
		{name: "tunnels", sessions: 1, tunnels: kTunnels + 1},
		{name: "resolvers", sessions: 1, ranges: kResolvers - 1},
		{name: "cut", sessions: 1, cut: kLength - 1},
		{name: "destinations", sessions: 3, spread: 30},
		{name: "GENEVE", sessions: 1, gwlb: &GWLB{Src: a, Dst: a}},
	} {
		in := iface
		for i := range c.ranges {
			in.VPCCIDRs = append(in.VPCCIDRs, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i)}), 16))
		}
		var sessions []mirror.Session
		for i := range c.sessions {
			sessions = append(sessions, mirror.Session{ID: fmt.Sprint("tms-", i), NetworkInterfaceID: "eni-1", FilterID: "tmf-1", Number: i + 1, PacketLength: c.cut})
		}
		g, err := mirror.Compile(in, sessions, []mirror.Filter{filter(c.rules)}, mirror.CompileOptions{Tunnels: spread(c.tunnels)})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		p := &Plan{Program: g}
		for range sessions {
			p.Routes = append(p.Routes, Route{Src: a, Dst: a, Spread: spread(c.spread), GWLB: c.gwlb, Sender: Discard{}})
		}
		_, err = p.encode(func(*mirror.Session) int { return 0 }, func(_, _ netip.Addr) khop { return khop{} })
		var u *ErrUnsuited
		if c.suits != (err == nil) || err != nil && !errors.As(err, &u) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for name, o := range map[string]Options{
		"reader": {Reader: capture.NewMemory(nil, 0)}, "not loaded": {Iface: "lo", NotLoaded: "no"},
	} {
		var u *ErrUnsuited
		if _, err := NewKernel(o, nil); !errors.As(err, &u) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Counters of sessions that came and went are bounded in the kernel too, and a new
// session does not begin with those of an old one.
func TestSlots(t *testing.T) {
	r := newRig(t)
	g := acceptAll(t, mirror.Session{}, mirror.CompileOptions{})
	frame := pkttest.Frame("eth ip 10.0.1.9 10.0.5.5 tcp 4000 443 flags=S")
	const sessions = maxSessionCounts + 50
	for i := range sessions {
		s := g.Sessions()[0].Session
		s.ID = fmt.Sprint("tms-", i)
		p, err := mirror.Compile(mirror.Interface{ID: "eni-1"}, []mirror.Session{s}, []mirror.Filter{g.Sessions()[0].Filter}, mirror.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.k.Swap(&Plan{Program: p, Routes: []Route{{}}}); err != nil {
			t.Fatal(err)
		}
		r.run(t, frame, mirror.Ingress)
	}
	c := r.k.Counters()
	if len(c.Sessions) != maxSessionCounts || len(r.k.slots) != maxSessionCounts || c.Swaps != sessions || c.ErrorsNoTarget != sessions {
		t.Errorf("%d sessions in %d slots, %d swaps, %d errors", len(c.Sessions), len(r.k.slots), c.Swaps, c.ErrorsNoTarget)
	}
	for _, s := range c.Sessions {
		if s.Errors != 1 {
			t.Errorf("session %s counted %d frames, want 1", s.Session, s.Errors)
		}
	}
}

// The bucket in the kernel lets pass what bucket lets pass, in bytes and packets, and
// production takes from it when it is shared.
func TestKernelLimit(t *testing.T) {
	g := acceptAll(t, mirror.Session{VNI: 7}, mirror.CompileOptions{})
	frame := pkttest.Frame("eth ip 10.0.1.9 10.0.5.5 tcp 4000 443 flags=S | " + strings.Repeat("x", 946))
	const frames = 200
	for _, c := range []struct {
		name  string
		limit Limit
		want  uint64
	}{
		{"bytes", Limit{BitsPerSecond: 8}, 63}, // 64 KiB at once, of 1036 bytes each
		{"packets", Limit{PacketsPerSecond: 1}, 64},
		{"both", Limit{BitsPerSecond: 8, PacketsPerSecond: 1}, 63},
		{"shared", Limit{BitsPerSecond: 8, Shared: true}, 32}, // of 1000 and 1036 bytes
		{"much", Limit{BitsPerSecond: maxBits, PacketsPerSecond: maxBits, Shared: true}, frames},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.limit)
			if err := r.k.Swap(&Plan{Program: g, Routes: r.routes[:1]}); err != nil {
				t.Fatal(err)
			}
			before, start := r.k.Counters(), time.Now()
			for range frames {
				r.run(t, frame, mirror.Ingress)
			}
			// A slow machine gives the bucket time for a packet each second.
			most := min(c.want+uint64(time.Since(start)/time.Second)+1, frames)
			n := r.k.Counters()
			got := n.NetworkPacketsMirrorIn
			if got < c.want || got > most || n.NetworkPacketsSkipMirrorIn != frames-got || n.NetworkSkipMirrorIn != (frames-got)*uint64(len(frame)) ||
				n.Sessions[0].SkippedPackets != frames-got || n.Frames-before.Frames != frames || n.Imbalance() != 0 {
				t.Errorf("want %d to %d mirrored: %+v", c.want, most, n)
			}
		})
	}
}

// Plans change under traffic without a packet lost, mirrored twice or mirrored by half of
// a plan.
func TestKernelSwap(t *testing.T) {
	r := newRig(t)
	var plans []*Plan
	for i := range 3 {
		s := acceptAll(t, mirror.Session{VNI: uint32(i + 1)}, mirror.CompileOptions{}).Sessions()[0]
		s.Session.ID = fmt.Sprint("tms-", i)
		g, err := mirror.Compile(mirror.Interface{ID: "eni-1"}, []mirror.Session{s.Session}, []mirror.Filter{s.Filter}, mirror.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, &Plan{Program: g, Routes: []Route{r.routes[1+i%2]}})
	}
	if err := r.k.Swap(plans[0]); err != nil {
		t.Fatal(err)
	}
	const frames, rounds = 20_000, 3
	frame := pkttest.Frame("eth ip 10.0.1.9 10.0.5.5 tcp 4000 443 flags=S")
	done := make(chan error)
	go func() {
		done <- r.host.Do(func() error {
			for range rounds {
				if _, err := r.k.decide[0].Run(&ebpf.RunOptions{Data: frame, Repeat: frames}); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	swaps := 1
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			if err := r.k.Swap(plans[swaps%3]); err != nil {
				t.Fatal(err)
			}
			swaps++
			c := r.k.Counters()
			if n := c.Imbalance(); n != 0 {
				t.Fatalf("ledger is out by %d", n)
			}
		}
	}
	c := r.k.Counters()
	var sum uint64
	for _, s := range c.Sessions {
		sum += s.PacketsIn
	}
	if c.Frames != frames*rounds || c.Mirrored() != frames*rounds || sum != frames*rounds || c.Swaps != uint64(swaps) || len(c.Sessions) != 3 {
		t.Errorf("%d swaps, counters %+v", swaps, c)
	}
	t.Logf("%d frames, %d swaps", frames*rounds, swaps)
}

// Behind more extension headers than the kernel looks through a packet has no ports, and
// is of the protocol of the next header.
func TestExtHdrs(t *testing.T) {
	r := newRig(t)
	all := netip.MustParsePrefix("::/0")
	w := &mirrortest.World{
		Iface:    mirror.Interface{ID: "eni-1"},
		Sessions: []mirror.Session{{ID: "tms-1", NetworkInterfaceID: "eni-1", FilterID: "tmf-1", Number: 1}},
		Filters: []mirror.Filter{{ID: "tmf-1", Rules: []mirror.FilterRule{{ID: "tmfr-1", Number: 1, Direction: mirror.Ingress, Action: mirror.Accept,
			Protocol: packet.ProtoUDP, SourceCIDR: all, DestinationCIDR: all}}}},
	}
	if err := r.k.Swap(r.plan(t, w, 0)); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]uint64{kExtHdrs - 1: 1, kExtHdrs: 1, kExtHdrs + 1: 0} {
		chain := strings.Repeat("3c00000000000000", n-1) + "1100000000000000"
		frame := pkttest.Frame("eth ip6 2001:db8::9 2001:db8::1 next=60 raw " + chain + "0035003500080000")
		got, _ := r.run(t, frame, mirror.Ingress)
		if got.mirrorPackets[0] != want || got.frames != 1 {
			t.Errorf("%d headers: %+v", n, got)
		}
	}
}
