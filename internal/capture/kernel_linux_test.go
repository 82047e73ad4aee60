package capture_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mirador/internal/capture"
	"mirador/internal/netlab"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// kernel are the readers that need network namespaces.
func kernel() []source {
	tunnel := func(b []byte) []byte { return append(packet.AppendVXLAN(nil, 5), b...) }
	return []source{
		{name: "udp4", live: true, want: tunnel, open: func(t *testing.T) (capture.Reader, func([][]byte)) {
			return openUDP(t, "127.0.0.1:0", "127.0.0.1", tunnel)
		}},
		{name: "udp6", live: true, want: tunnel, open: func(t *testing.T) (capture.Reader, func([][]byte)) {
			return openUDP(t, "[::1]:0", "::1", tunnel)
		}},
		{name: "udp46", live: true, want: tunnel, open: func(t *testing.T) (capture.Reader, func([][]byte)) {
			return openUDP(t, "[::]:0", "127.0.0.1", tunnel)
		}},
		{name: "afpacket", live: true, want: same, open: openAFPacket},
	}
}

func openUDP(t *testing.T, listen, to string, wrap func([]byte) []byte) (capture.Reader, func([][]byte)) {
	netlab.Require(t)
	ns := netlab.New(t)
	var rs []*capture.UDP
	err := ns.Do(func() (err error) {
		rs, err = capture.ListenUDP(capture.UDPOptions{Addr: netip.MustParseAddrPort(listen), Link: packet.LinkVXLAN})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs[0], func(frames [][]byte) {
		addr := netip.AddrPortFrom(netip.MustParseAddr(to), rs[0].LocalAddr().Port())
		c := dial(t, ns, "0.0.0.0:0", addr)
		defer c.Close()
		for _, b := range frames {
			if _, err := c.Write(wrap(b)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// dial opens a UDP socket in ns that sends to addr.
func dial(t *testing.T, ns *netlab.NS, from string, addr netip.AddrPort) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	err := ns.Do(func() (err error) {
		var local *net.UDPAddr
		if f := netip.MustParseAddrPort(from); f.Port() != 0 {
			local = net.UDPAddrFromAddrPort(f)
		}
		c, err = net.DialUDP("udp", local, net.UDPAddrFromAddrPort(addr))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wire is a pair of namespaces; frames are sent at one end and captured at the other.
type wire struct {
	near, far *netlab.NS
	fd        int
	index     int
}

func newWire(t *testing.T) *wire {
	t.Helper()
	netlab.Require(t)
	w := &wire{near: netlab.New(t), far: netlab.New(t)}
	netlab.Veth(t, w.near, "cap0", w.far, "send0")
	w.plug(t)
	return w
}

// plug opens the socket that sends.
func (w *wire) plug(t *testing.T) {
	t.Helper()
	w.index = w.far.Link(t, "send0").Attrs().Index
	err := w.far.Do(func() (err error) {
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fd := w.fd
	t.Cleanup(func() { unix.Close(fd) })
}

func (w *wire) send(t *testing.T, frames ...[]byte) {
	t.Helper()
	for _, b := range frames {
		if err := unix.Sendto(w.fd, b, 0, &unix.SockaddrLinklayer{Ifindex: w.index}); err != nil {
			t.Fatal(err)
		}
	}
}

func openAFPacket(t *testing.T) (capture.Reader, func([][]byte)) {
	w := newWire(t)
	rs := w.capture(t, capture.AFPacketOptions{Iface: "cap0", Ports: []uint16{9}})
	return rs[0], func(frames [][]byte) { w.send(t, frames...) }
}

func (w *wire) capture(t *testing.T, o capture.AFPacketOptions) []*capture.AFPacket {
	t.Helper()
	o.BlockSize, o.Blocks = 1<<18, 8
	var rs []*capture.AFPacket
	err := w.near.Do(func() (err error) {
		rs, err = capture.OpenAFPacket(o)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// The sender of a datagram is told, on a socket for both families too.
func TestUDPOuter(t *testing.T) {
	netlab.Require(t)
	ns := netlab.New(t)
	var rs []*capture.UDP
	err := ns.Do(func() (err error) {
		rs, err = capture.ListenUDP(capture.UDPOptions{Addr: netip.MustParseAddrPort("[::]:4789"), Link: packet.LinkVXLAN, Slot: 100})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rs[0].Close()
	var b capture.Batch
	for _, c := range []struct {
		from, to string
		version  uint8
		src      packet.Addr
	}{
		{"127.0.0.1:65408", "127.0.0.1:4789", 4, packet.AddrFrom4([4]byte{127, 0, 0, 1})},
		{"[::1]:65409", "[::1]:4789", 6, packet.Addr{15: 1}},
	} {
		conn := dial(t, ns, c.from, netip.MustParseAddrPort(c.to))
		if _, err := conn.Write(make([]byte, 150)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if err := rs[0].Read(&b, forever); err != nil {
			t.Fatal(err)
		}
		f := &b.Frames[0]
		want := capture.Outer{Src: c.src, Dst: c.src, SrcPort: netip.MustParseAddrPort(c.from).Port(), DstPort: 4789, Version: c.version}
		if f.Outer != want {
			t.Errorf("outer %+v, want %+v", f.Outer, want)
		}
		if len(f.Data) != 100 || f.WireLen != 150 {
			t.Errorf("%d of %d bytes, want 100 of 150", len(f.Data), f.WireLen)
		}
		if d := time.Since(time.Unix(0, f.Time)); d < 0 || d > time.Hour {
			t.Errorf("time %d is %v ago", f.Time, d)
		}
	}
	if st := rs[0].Stats(); st.Truncated != 2 {
		t.Errorf("%d truncated, want 2", st.Truncated)
	}
}

// A socket bound to no address tells for each datagram which one it was sent to.
func TestUDPDestination(t *testing.T) {
	rs, err := capture.ListenUDP(capture.UDPOptions{Addr: netip.MustParseAddrPort("0.0.0.0:0"), Link: packet.LinkVXLAN})
	if err != nil {
		t.Fatal(err)
	}
	defer rs[0].Close()
	conn, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), rs[0].LocalAddr().Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	var b capture.Batch
	if err := rs[0].Read(&b, forever); err != nil {
		t.Fatal(err)
	}
	if got, want := b.Frames[0].Outer.Dst, packet.AddrFrom4([4]byte{127, 0, 0, 2}); got != want {
		t.Errorf("sent to %v, want %v", got, want)
	}
}

// What the kernel drops because the socket buffer is full is counted, to the last one.
func TestUDPDrops(t *testing.T) {
	netlab.Require(t)
	ns := netlab.New(t)
	var rs []*capture.UDP
	err := ns.Do(func() (err error) {
		rs, err = capture.ListenUDP(capture.UDPOptions{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Link: packet.LinkVXLAN, RcvBuf: 8 << 10})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r := rs[0]
	conn := dial(t, ns, "0.0.0.0:0", r.LocalAddr())
	defer conn.Close()
	const sent = 500
	for range sent {
		if _, err := conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	var b capture.Batch
	for {
		if err := r.Read(&b, 0); err != nil {
			t.Fatal(err)
		}
		if len(b.Frames) == 0 {
			break
		}
	}
	st := r.Stats()
	if st.Drops == 0 || st.Frames+st.Drops != sent {
		t.Errorf("%d frames and %d drops of %d", st.Frames, st.Drops, sent)
	}
	r.Close()
	if after := r.Stats(); after != st {
		t.Errorf("after close %+v, before %+v", after, st)
	}
}

// Both directions of every flow inside reach the same socket, and all sockets get some.
func TestUDPSteering(t *testing.T) {
	netlab.Require(t)
	for _, c := range []struct {
		name string
		link packet.Link
		wrap func(frame []byte) []byte
	}{
		{"vxlan", packet.LinkVXLAN, func(b []byte) []byte { return append(packet.AppendVXLAN(nil, 1), b...) }},
		{"geneve", packet.LinkGENEVE, func(b []byte) []byte {
			return append(packet.AppendGENEVE(nil, 1, packet.EtherTypeBridge, packet.AppendAWSOptions(nil, 1, 2, 3)), b...)
		}},
		{"gwlb", packet.LinkGENEVE, func(b []byte) []byte { return pkttest.GWLB(pkttest.MirrorIP(b, 3), 1, 2, 3)[14+20+8:] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := netlab.New(t)
			var rs []*capture.UDP
			err := ns.Do(func() (err error) {
				rs, err = capture.ListenUDP(capture.UDPOptions{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Link: c.link, Sockets: 3, Seed: 99})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := rs[0].Steering(); err != nil {
				t.Fatalf("the kernel does not steer: %v", err)
			}
			const flows = 128
			for i := range flows {
				f := pkttest.UDP(fmt.Sprintf("10.0.%d.1:%d", i, 1000+i), "10.9.0.1:443")
				f.ToServer("a").ToClient("b")
				for j, s := range f.Frames {
					// Another outer source port for each direction, as AWS has.
					conn := dial(t, ns, fmt.Sprintf("127.0.0.1:%d", 20000+2*i+j), rs[0].LocalAddr())
					if _, err := conn.Write(c.wrap(s.Data)); err != nil {
						t.Fatal(err)
					}
					conn.Close()
				}
			}
			seen := map[packet.Tuple]int{}
			d := packet.NewDecoder(packet.Options{})
			var b capture.Batch
			for i, r := range rs {
				total := 0
				for {
					if err := r.Read(&b, 0); err != nil {
						t.Fatal(err)
					}
					if len(b.Frames) == 0 {
						break
					}
					for _, f := range b.Frames {
						ps := d.Decode(nil, f.Link, f.Data, f.WireLen, f.Time)
						tuple := ps[len(ps)-1].Tuple()
						if j, ok := seen[tuple.Reverse()]; ok && j != i {
							t.Errorf("flow %v is split over sockets %d and %d", tuple, i, j)
						}
						seen[tuple] = i
						total++
					}
				}
				if total == 0 {
					t.Errorf("socket %d got nothing", i)
				}
				r.Close()
			}
			if len(seen) != 2*flows {
				t.Errorf("%d tuples, want %d", len(seen), 2*flows)
			}
		})
	}
}

// A socket bound to a port in use says which; options are checked.
func TestListenRefuses(t *testing.T) {
	ok := capture.UDPOptions{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Link: packet.LinkVXLAN}
	for _, c := range []struct {
		name   string
		change func(*capture.UDPOptions)
	}{
		{"no address", func(o *capture.UDPOptions) { o.Addr = netip.AddrPort{} }},
		{"link", func(o *capture.UDPOptions) { o.Link = packet.LinkEthernet }},
		{"sockets", func(o *capture.UDPOptions) { o.Sockets = 1000 }},
		{"slot", func(o *capture.UDPOptions) { o.Slot = 1 << 20 }},
		{"batch", func(o *capture.UDPOptions) { o.Batch = -1 }},
		{"buffer", func(o *capture.UDPOptions) { o.RcvBuf = -1 }},
		{"foreign address", func(o *capture.UDPOptions) { o.Addr = netip.MustParseAddrPort("192.0.2.1:4789") }},
		{"interface", func(o *capture.UDPOptions) { o.Iface = "no-such-if" }},
	} {
		o := ok
		c.change(&o)
		if rs, err := capture.ListenUDP(o); err == nil {
			t.Errorf("%s: accepted", c.name)
			rs[0].Close()
		}
	}
}

// Only the ports asked for are captured, and a VLAN tag is where it was on the wire.
func TestAFPacketFilterAndVLAN(t *testing.T) {
	w := newWire(t)
	r := w.capture(t, capture.AFPacketOptions{Iface: "cap0", Ports: []uint16{4789, 6081}, Promiscuous: true})[0]
	defer r.Close()
	want := [][]byte{
		pkttest.Mirror(pkttest.Frame("eth ip 10.1.0.1 10.1.0.2 tcp 1 2 | in"), 1),
		pkttest.Frame("eth vlan 0x2005 ip 10.0.0.1 10.0.0.2 udp 7 6081 | tagged"),
		pkttest.Frame("eth qinq 9 ip6 fd00::1 fd00::2 udp 7 4789 | tagged"),
		pkttest.Frame("eth ip6 fd00::1 fd00::2 udp 7 4789 | six"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 frag=9 proto=17 | later fragment"),
	}
	w.send(t, pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 7 53 | other port"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 tcp 7 4789 | other protocol"))
	w.send(t, want...)
	var b capture.Batch
	for i := 0; i < len(want); {
		if err := r.Read(&b, forever); err != nil {
			t.Fatal(err)
		}
		for _, f := range b.Frames {
			if i == len(want) || string(f.Data) != string(want[i]) {
				t.Fatalf("frame %d is %x", i, f.Data)
			}
			i++
		}
	}
}

// Both directions of a mirrored flow reach the same ring.
func TestAFPacketSteering(t *testing.T) {
	w := newWire(t)
	rs := w.capture(t, capture.AFPacketOptions{Iface: "cap0", Rings: 3, Ports: []uint16{4789}, Promiscuous: true})
	if err := rs[0].Steering(); err != nil {
		t.Fatalf("the kernel does not steer: %v", err)
	}
	const flows = 64
	for i := range flows {
		f := pkttest.TCP(fmt.Sprintf("10.0.%d.1:%d", i, 1000+i), "10.9.0.1:443").Open()
		for _, s := range f.Frames {
			m := pkttest.Mirror(s.Data, 1)
			m[14+20] = byte(i) // the outer source port does not matter
			w.send(t, m)
		}
	}
	seen := map[packet.Tuple]int{}
	d := packet.NewDecoder(packet.Options{})
	var mine [3]int
	var b capture.Batch
	for total := 0; total < 3*flows; {
		for i, r := range rs {
			if err := r.Read(&b, time.Millisecond); err != nil {
				t.Fatal(err)
			}
			for _, f := range b.Frames {
				ps := d.Decode(nil, f.Link, f.Data, f.WireLen, f.Time)
				tuple := ps[len(ps)-1].Tuple()
				if j, ok := seen[tuple.Reverse()]; ok && j != i {
					t.Errorf("flow %v is split over rings %d and %d", tuple, i, j)
				}
				seen[tuple] = i
			}
			mine[i] += len(b.Frames)
			total += len(b.Frames)
		}
	}
	for i, r := range rs {
		if mine[i] == 0 {
			t.Errorf("ring %d got nothing", i)
		}
		if st := r.Stats(); st.Frames != uint64(mine[i]) || st.Drops != 0 {
			t.Errorf("ring %d: stats %+v, want %d frames", i, st, mine[i])
		}
		r.Close()
	}
}

// A ring survives that its interface goes down, and that it is removed and made anew.
func TestAFPacketReplug(t *testing.T) {
	w := newWire(t)
	rs := w.capture(t, capture.AFPacketOptions{Iface: "cap0", Rings: 2, Ports: []uint16{9}, Promiscuous: true})
	frame := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 7 9 | hello")
	// The flow of this frame is in one of the rings; both are read.
	read := func(what string) {
		t.Helper()
		err := w.near.Do(func() error {
			var b capture.Batch
			for {
				for _, r := range rs {
					if err := r.Read(&b, time.Millisecond); err != nil {
						return err
					}
					if len(b.Frames) > 0 {
						if string(b.Frames[0].Data) != string(frame) {
							t.Errorf("%s: frame %x", what, b.Frames[0].Data)
						}
						b.Release()
						return nil
					}
				}
			}
		})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	// settle reads until both rings know of the change.
	settle := func(done func() bool) {
		t.Helper()
		err := w.near.Do(func() error {
			var b capture.Batch
			for !done() {
				for _, r := range rs {
					if err := r.Read(&b, time.Millisecond); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.send(t, frame)
	read("at first")

	w.near.Down(t, "cap0")
	polls := 0
	settle(func() bool { polls++; return polls > 3 })
	w.near.Up(t, "cap0")
	w.send(t, frame)
	read("after down and up")

	w.near.Delete(t, "cap0")
	settle(func() bool { return rs[0].Gone() && rs[1].Stats().Gone })
	netlab.Veth(t, w.near, "cap0", w.far, "send0")
	w.plug(t)
	settle(func() bool { return rs[0].Stats().Replugs == 1 && rs[1].Stats().Replugs == 1 })
	if rs[0].Gone() || rs[1].Gone() {
		t.Error("an interface that is back counts as gone")
	}
	w.send(t, frame)
	read("after it was made anew")
	for _, r := range rs {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Receiving does not allocate.
func TestUDPAllocs(t *testing.T) {
	netlab.Require(t)
	ns := netlab.New(t)
	var rs []*capture.UDP
	err := ns.Do(func() (err error) {
		rs, err = capture.ListenUDP(capture.UDPOptions{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Link: packet.LinkVXLAN, Batch: 8})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r := rs[0]
	defer r.Close()
	conn := dial(t, ns, "0.0.0.0:0", r.LocalAddr())
	defer conn.Close()
	const rounds = 20
	for range (rounds + 2) * 8 {
		if _, err := conn.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	var b capture.Batch
	if err := r.Read(&b, forever); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(rounds, func() {
		if err := r.Read(&b, forever); err != nil || len(b.Frames) == 0 {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

// BenchmarkUDP receives what was sent before: the cost of receiving alone.
func BenchmarkUDP(b *testing.B) {
	netlab.Require(b)
	ns := netlab.New(b)
	var rs []*capture.UDP
	var conn *net.UDPConn
	err := ns.Do(func() (err error) {
		rs, err = capture.ListenUDP(capture.UDPOptions{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Link: packet.LinkVXLAN})
		if err != nil {
			return err
		}
		conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(rs[0].LocalAddr()))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	r := rs[0]
	defer r.Close()
	defer conn.Close()
	frame := pkttest.MirrorIP(pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 tcp 1 2 | hello"), 1)[28:]
	var batch capture.Batch
	var spent time.Duration
	n := 0
	for b.Loop() {
		for range capture.DefaultBatch {
			if _, err := conn.Write(frame); err != nil {
				b.Fatal(err)
			}
		}
		start := time.Now()
		for got := 0; got < capture.DefaultBatch; got += len(batch.Frames) {
			if err := r.Read(&batch, time.Second); err != nil {
				b.Fatal(err)
			}
		}
		spent += time.Since(start)
		n += capture.DefaultBatch
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(n), "ns/frame")
}
