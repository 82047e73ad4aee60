package agent

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// The headers written in place are those that packet builds, of every length.
func TestHeaders(t *testing.T) {
	a4, b4 := netip.MustParseAddr("172.31.0.238"), netip.MustParseAddr("172.31.4.161")
	a6, b6 := netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
	g := &GWLB{Src: netip.MustParseAddr("10.0.0.9"), Dst: netip.MustParseAddr("10.0.0.10"), Endpoint: 0x0a1b2c3d4e5f6071, Attachment: 5}
	for _, c := range []struct {
		name  string
		route Route
	}{
		{"ipv4", Route{Src: a4, Dst: b4}},
		{"ipv6", Route{Src: a6, Dst: b6}},
		{"gwlb", Route{Src: a4, Dst: b4, GWLB: g}},
		{"gwlb6", Route{Src: a6, Dst: b6, GWLB: g}},
		{"port", Route{Src: a4, Dst: b4, Port: 8472}},
	} {
		h := newHeader(&c.route, 5569041)
		for n := 0; n < 9200; n += 1 + n/60 { // every short length, and some of the others
			got := make([]byte, h.len)
			h.put(got, 0xff91, 0xdeadbeef, n)
			var want []byte
			if c.route.Dst.Is6() {
				want = packet.AppendMirror6(nil, a6.As16(), b6.As16(), 0xff91, 5569041, n)
			} else {
				want = packet.AppendMirror(nil, a4.As4(), b4.As4(), 0xff91, 5569041, n)
			}
			if c.route.Port != 0 {
				want[22], want[23] = 8472>>8, 8472&0xff
			}
			if c.route.GWLB != nil {
				opts := packet.AppendAWSOptions(nil, g.Endpoint, g.Attachment, 0xdeadbeef)
				tunnel := append(packet.AppendGENEVE(nil, 0, etherType(c.route.Dst), opts), want...)
				outer := packet.AppendIPv4(nil, packet.IPv4{Src: g.Src.As4(), Dst: g.Dst.As4(), TTL: 255, Proto: 17}, 8+len(tunnel)+n)
				want = append(packet.AppendUDP(outer, 0xff91, 6081, len(tunnel)+n), tunnel...)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%s, frame of %d bytes:\n%x, want\n%x", c.name, n, got, want)
			}
		}
	}
}

func TestBucket(t *testing.T) {
	// 8 Mbit/s are 1,000 bytes a millisecond; the burst holds one frame of 64 KiB at least.
	b := newBucket(Limit{BitsPerSecond: 8_000_000, Burst: time.Millisecond})
	if !b.take(64<<10) || b.take(1) {
		t.Fatal("the bucket does not begin with its burst")
	}
	b.pass(int64(time.Millisecond) / 2)
	if b.take(501) || !b.take(500) || b.take(1) {
		t.Error("half a millisecond is not 500 bytes")
	}
	for range 1000 {
		b.pass(100) // a tenth of a byte each
	}
	if b.take(101) || !b.take(100) {
		t.Error("short intervals do not add up")
	}
	b.pass(int64(time.Hour))
	if !b.take(64<<10) || b.take(1) {
		t.Error("more than the burst was saved up")
	}

	p := newBucket(Limit{PacketsPerSecond: 1000})
	n := 0
	for p.take(9000) {
		n++
	}
	if n != 64 {
		t.Errorf("%d packets at once, want 64", n)
	}
	p.pass(int64(3 * time.Millisecond))
	n = 0
	for n < 10 && p.take(1) {
		n++
	}
	if n != 3 {
		t.Errorf("%d packets after 3 ms, want 3", n)
	}

	// Production takes tokens first, and is never refused.
	s := newBucket(Limit{BitsPerSecond: 8_000_000_000, Shared: true})
	_, full := s.bytes.Limit()
	s.produce(full+1000, 1)
	if s.take(1) {
		t.Error("mirrored traffic got what production had used")
	}
	s.pass(1000) // 1,000 bytes
	if s.take(1) {
		t.Error("what production took too much was forgotten")
	}
	s.pass(1000)
	if !s.take(1000) || s.take(1) {
		t.Error("what is left after production is not there")
	}
	var none bucket
	if none.limited || newBucket(Limit{}).limited {
		t.Error("no limit is a limit")
	}
}

// keep is a Sender that copies nothing and takes all.
type keep struct{ n int }

func (k *keep) Send(b []Datagram) error { k.n += len(b); return nil }

func acceptAll(t testing.TB, session mirror.Session, o mirror.CompileOptions) *mirror.Program {
	t.Helper()
	var f mirror.Filter
	f.ID = "tmf-1"
	f.NetworkServices = []string{mirror.AmazonDNS}
	n := 0
	for _, d := range []mirror.Direction{mirror.Ingress, mirror.Egress} {
		for _, any := range []string{"0.0.0.0/0", "::/0"} {
			n++
			p := netip.MustParsePrefix(any)
			f.Rules = append(f.Rules, mirror.FilterRule{ID: "tmfr-1", Number: n, Direction: d, Action: mirror.Accept, Protocol: mirror.AnyProtocol, SourceCIDR: p, DestinationCIDR: p})
		}
	}
	session.ID, session.NetworkInterfaceID, session.FilterID, session.TargetID, session.Number = "tms-1", "eni-1", "tmf-1", "tmt-1", 1
	g, err := mirror.Compile(mirror.Interface{ID: "eni-1", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}, []mirror.Session{session}, []mirror.Filter{f}, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// frameOf is b as a reader gives it.
func frameOf(b []byte) capture.Frame {
	return capture.Frame{Data: b, WireLen: len(b), Link: packet.LinkEthernet}
}

// Nothing is allocated per packet, with and without segments, and when the bucket is
// empty.
func TestNoAllocations(t *testing.T) {
	g := acceptAll(t, mirror.Session{VNI: 7, PacketLength: 1000}, mirror.CompileOptions{})
	k := &keep{}
	route := Route{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Sender: k}
	small := pkttest.Frame("eth ip 10.0.0.1 10.0.9.9 tcp 4000 443 flags=A | hello")
	big := pkttest.Frame("eth ip 10.0.0.1 10.0.9.9 tcp 4000 443 flags=PA | " + string(bytes.Repeat([]byte("x"), 40000)))
	seg := frameOf(big)
	seg.Outgoing = true
	seg.Offload = capture.Offload{Segments: capture.SegmentsTCP, Size: 1448, HeaderLen: 54, NeedsChecksum: true, ChecksumStart: 34, ChecksumOffset: 16}
	arp := pkttest.Frame("eth type=0x0806 raw 0001080006040001020000000001c0000201000000000000c0000202")
	frames := []capture.Frame{frameOf(small), frameOf(small), seg, frameOf(arp)}
	for _, limit := range []Limit{{}, {BitsPerSecond: 8, Shared: true}} {
		m, err := New(Options{Reader: capture.NewMemory(nil, 0), Limit: limit}, &Plan{Program: g, Routes: []Route{route}})
		if err != nil {
			t.Fatal(err)
		}
		m.batch.Frames = frames
		m.step(m.plan.Load())
		if n := testing.AllocsPerRun(100, func() { m.step(m.plan.Load()) }); n != 0 {
			t.Errorf("limit %+v: %v allocations per batch", limit, n)
		}
		c := m.Counters()
		if c.Imbalance() != 0 || c.Frames == 0 || limit.BitsPerSecond == 0 && c.Mirrored() != 102*30 {
			t.Errorf("limit %+v: %+v", limit, c)
		}
	}
	if k.n == 0 {
		t.Error("nothing was sent")
	}
}
