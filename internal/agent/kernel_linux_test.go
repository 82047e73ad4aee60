package agent_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"mirador/internal/agent"
	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/netlab"
	"mirador/internal/packet"
)

// lab is a host with an interface to a peer and one to the target of its mirror.
type lab struct {
	host, peer, target *netlab.NS
}

const (
	hostAddr   = "10.1.0.1"
	peerAddr   = "10.1.0.2"
	outAddr    = "10.2.0.1"
	targetAddr = "10.2.0.2"
)

func newLab(t *testing.T) *lab {
	t.Helper()
	netlab.Require(t)
	l := &lab{host: netlab.New(t), peer: netlab.New(t), target: netlab.New(t)}
	netlab.Veth(t, l.host, "eni0", l.peer, "peer0")
	netlab.Veth(t, l.host, "out0", l.target, "tgt0")
	l.host.Addr(t, "eni0", hostAddr+"/24")
	l.peer.Addr(t, "peer0", peerAddr+"/24")
	l.host.Addr(t, "eni0", "fd00:1::1/64")
	l.peer.Addr(t, "peer0", "fd00:1::2/64")
	l.host.Addr(t, "out0", outAddr+"/24")
	l.target.Addr(t, "tgt0", targetAddr+"/24")
	return l
}

// plan mirrors everything to the target.
func (l *lab) plan(t *testing.T, s agent.Sender, vni uint32, mtu int) *agent.Plan {
	t.Helper()
	fl := everything()
	to := netip.MustParseAddr(targetAddr)
	g := program(t, mirror.CompileOptions{Tunnels: []netip.Addr{to}, TargetMTU: map[string]int{"tmt-1": mtu}}, []mirror.Filter{fl}, mirror.Session{VNI: vni})
	return &agent.Plan{Program: g, Routes: []agent.Route{{Src: netip.MustParseAddr(outAddr), Dst: to, Sender: s}}}
}

// start runs a Mirror of iface in the host.
func (l *lab) start(t *testing.T, engine string, o agent.Options, ho agent.HostOptions, mtu int) (agent.Engine, *agent.Host) {
	t.Helper()
	var m agent.Engine
	var h *agent.Host
	if err := l.host.Do(func() (err error) {
		if h, err = agent.NewHost(ho); err != nil {
			return err
		}
		m, err = agent.Open(engine, o, l.plan(t, h, 77, mtu))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	// In the namespace, or the interface cannot be found again.
	go func() { done <- l.host.Do(func() error { return m.Run(t.Context()) }) }()
	t.Cleanup(func() {
		m.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.Close()
		if c := m.Counters(); c.Imbalance() != 0 {
			t.Errorf("ledger is out by %d: %+v", c.Imbalance(), c)
		}
	})
	return m, h
}

// sniff captures what arrives at the target, as frames.
func (l *lab) sniff(t *testing.T) *capture.AFPacket {
	t.Helper()
	var rs []*capture.AFPacket
	if err := l.target.Do(func() (err error) {
		rs, err = capture.OpenAFPacket(capture.AFPacketOptions{Iface: "tgt0", Ports: []uint16{4789}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rs[0].Close() })
	return rs[0]
}

// patience bounds every wait of these tests.
const patience = 60 * time.Second

// frames reads mirrored packets until enough says so.
func frames(t *testing.T, r *capture.AFPacket, enough func(out, in *packet.Parsed) bool) {
	t.Helper()
	dec := packet.NewDecoder(packet.Options{})
	var b capture.Batch
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := r.Read(&b, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for i := range b.Frames {
			f := &b.Frames[i]
			l := dec.Decode(nil, f.Link, f.Data, f.WireLen, f.Time)
			if len(l) < 2 {
				t.Fatalf("not a mirrored packet: %x", f.Data)
			}
			if enough(&l[0], &l[1]) {
				return
			}
		}
	}
	t.Fatalf("not all of it arrived; the kernel dropped %d", r.Stats().Drops)
}

// talk sends data from the host to its peer over TCP.
func (l *lab) talk(t *testing.T, addr string, data []byte) {
	t.Helper()
	var srv net.Listener
	if err := l.peer.Do(func() (err error) {
		srv, err = net.Listen("tcp", net.JoinHostPort(addr, "5001"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	got := make(chan []byte)
	go func() {
		c, err := srv.Accept()
		if err != nil {
			got <- nil
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		got <- b
	}()
	if err := l.host.Do(func() error {
		c, err := net.Dial("tcp", srv.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if b := <-got; !bytes.Equal(b, data) {
		t.Fatalf("the peer got %d bytes of %d", len(b), len(data))
	}
}

// stream puts the payload of one direction of the connection together.
type stream struct {
	base    uint32
	data    []byte
	seen    []bool
	fin     bool
	packets int
	large   int
}

func (s *stream) add(p *packet.Parsed) {
	if p.Flags&packet.SYN != 0 {
		s.base = p.Seq + 1
		return
	}
	s.packets++
	s.large = max(s.large, len(p.Data))
	off := int(p.Seq - s.base)
	for i, c := range p.PayloadBytes() {
		if off+i < len(s.data) {
			s.data[off+i], s.seen[off+i] = c, true
		}
	}
	s.fin = s.fin || p.Flags&packet.FIN != 0
}

func (s *stream) whole() bool {
	for _, b := range s.seen {
		if !b {
			return false
		}
	}
	return s.fin
}

// What a host sends with all offloads on arrives at the target in wire-size frames with
// valid checksums, in the form of AWS, and is the same stream.
func TestOffloads(t *testing.T) {
	data := make([]byte, 600_000)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>9)
	}
	for _, c := range []struct{ engine, addr string }{
		{agent.EngineAFPacket, peerAddr}, {agent.EngineAFPacket, "fd00:1::2"}, {agent.EngineEBPF, peerAddr}, {agent.EngineEBPF, "fd00:1::2"},
	} {
		t.Run(c.engine+" "+c.addr, func(t *testing.T) {
			l := newLab(t)
			l.host.MTU(t, "out0", 9001)
			l.target.MTU(t, "tgt0", 9001)
			r := l.sniff(t)
			m, h := l.start(t, c.engine, agent.Options{Iface: "eni0"}, agent.HostOptions{}, 9001)
			l.say(t, r, "warm", true)
			l.talk(t, c.addr, data)
			s := stream{data: make([]byte, len(data)), seen: make([]bool, len(data))}
			exact := 0
			answered := false
			frames(t, r, func(out, in *packet.Parsed) bool {
				if out.TTL != 255 || out.TOS != 0 || out.DontFrag || out.DstPort != 4789 || out.SrcPort < 0xff80 ||
					out.IPv4Checksum() != packet.ChecksumOK || out.Data[out.L4+6] != 0 || out.Data[out.L4+7] != 0 || in.VNI != 77 {
					t.Fatalf("outer header %x", out.Data[:50])
				}
				if out.IPID == 0 {
					exact++
				}
				if in.IPVersion == 0 || !in.IsTCP() {
					return false
				}
				if len(in.Data) > 1514 || in.L4Checksum() != packet.ChecksumOK || in.IPv4Checksum() == packet.ChecksumBad {
					t.Fatalf("inner frame of %d bytes, checksums %v %v: %x", len(in.Data), in.IPv4Checksum(), in.L4Checksum(), in.Data[:60])
				}
				if in.DstPort == 5001 {
					s.add(in)
				} else {
					answered = true
				}
				return s.whole() && answered
			})
			if !bytes.Equal(s.data, data) || s.packets < len(data)/1460 {
				t.Errorf("%d packets, not the stream that was sent", s.packets)
			}
			if n := m.Counters(); n.ErrorsSegments+n.ErrorsSend+n.KernelDrops > 0 {
				t.Errorf("counters %+v: %v", n, m.LastError())
			}
			// Before the neighbour is known, and every few seconds, the kernel sends with an id.
			if exact < s.packets/2 {
				t.Errorf("%d of %d packets have id 0, %d were left to the IP layer", exact, s.packets, h.IPPackets())
			}
		})
	}
}

// With the kernel's IP layer alone everything arrives too.
func TestIPOnly(t *testing.T) {
	l := newLab(t)
	r := l.sniff(t)
	_, h := l.start(t, agent.EngineAFPacket, agent.Options{Iface: "eni0"}, agent.HostOptions{IPOnly: true}, 1500)
	data := bytes.Repeat([]byte("0123456789"), 10_000)
	l.talk(t, peerAddr, data)
	s := stream{data: make([]byte, len(data)), seen: make([]bool, len(data))}
	cut := 0
	var fin bool
	frames(t, r, func(out, in *packet.Parsed) bool {
		if out.IPTotal > 1500 {
			t.Fatalf("%d bytes on a line of 1500", out.IPTotal)
		}
		if in.Truncated {
			cut++
		}
		fin = fin || in.IsTCP() && in.DstPort == 5001 && in.Flags&packet.FIN != 0
		return fin
	})
	s.large = 0
	if cut == 0 {
		t.Error("no frame of 1514 bytes was cut to fit 1500")
	}
	if h.IPPackets() == 0 {
		t.Error("the IP layer sent nothing")
	}
}

// An agent whose packets leave by the interface it mirrors does not mirror them, however
// they are sent.
func TestLoop(t *testing.T) {
	for _, how := range []struct {
		engine string
		ipOnly bool
	}{{agent.EngineAFPacket, false}, {agent.EngineAFPacket, true}, {agent.EngineEBPF, false}} {
		l := newLab(t)
		m, h := l.start(t, how.engine, agent.Options{Iface: "out0"}, agent.HostOptions{IPOnly: how.ipOnly}, 1500)
		r := l.sniff(t)
		c, err := dialUDP(l.host, outAddr, targetAddr+":9")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n, got := 0, 0
		for n < 200 {
			if _, err := c.Write([]byte("hello")); err == nil {
				n++ // else the target has said that nobody listens
			}
		}
		frames(t, r, func(_, in *packet.Parsed) bool {
			if in.Source == packet.FromTunnelVXLAN && in.IsUDP() && in.DstPort == 4789 {
				t.Fatal("a mirrored packet was mirrored")
			}
			if in.IsUDP() && in.DstPort == 9 {
				got++
			}
			return got == n
		})
		cs := m.Counters()
		if cs.ErrorsSend > 0 || cs.Mirrored() < uint64(n) || cs.Mirrored() > uint64(3*n+100) {
			t.Errorf("%+v: %+v (%d by IP)", how, cs, h.IPPackets())
		}
	}
}

func dialUDP(ns *netlab.NS, from, to string) (c *net.UDPConn, err error) {
	err = ns.Do(func() error {
		ua, err := net.ResolveUDPAddr("udp", to)
		if err != nil {
			return err
		}
		c, err = net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, ua)
		return err
	})
	return c, err
}

// say sends datagrams to the peer until one is seen at the target; with exact, one that
// the agent has sent past the IP layer.
func (l *lab) say(t *testing.T, r *capture.AFPacket, what string, exact bool) {
	t.Helper()
	c, err := dialUDP(l.host, hostAddr, peerAddr+":7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // interfaces need a moment, and errors are answers
		defer close(done)
		for {
			c.Write([]byte(what))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	defer func() { close(stop); <-done }()
	frames(t, r, func(out, in *packet.Parsed) bool {
		return in.IsUDP() && string(in.PayloadBytes()) == what && (!exact || out.IPID == 0)
	})
}

// The interface goes away and comes back, and so does the way to the target: mirroring
// goes on, and nothing is left of it in the end.
func TestReplug(t *testing.T) {
	for _, engine := range []string{agent.EngineAFPacket, agent.EngineEBPF} {
		t.Run(engine, func(t *testing.T) { replug(t, engine) })
	}
}

func replug(t *testing.T, engine string) {
	before := runtime.NumGoroutine()
	t.Run("mirror", func(t *testing.T) {
		l := newLab(t)
		m, _ := l.start(t, engine, agent.Options{Iface: "eni0"}, agent.HostOptions{}, 1500)
		say := func(what string) {
			t.Helper()
			l.say(t, l.sniff(t), what, false)
		}
		say("first")
		l.host.Delete(t, "eni0")
		netlab.Veth(t, l.host, "eni0", l.peer, "peer0")
		l.host.Addr(t, "eni0", hostAddr+"/24")
		l.peer.Addr(t, "peer0", peerAddr+"/24")
		say("second")
		if m.Counters().Replugs != 1 {
			t.Errorf("counters %+v", m.Counters())
		}
		l.host.Delete(t, "out0")
		netlab.Veth(t, l.host, "out0", l.target, "tgt0")
		l.host.Addr(t, "out0", outAddr+"/24")
		l.target.Addr(t, "tgt0", targetAddr+"/24")
		say("third")
	})
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// Frames that the kernel has put together are cut one by one to what fits the target, and
// arrive in their order, by each engine.
func TestCut(t *testing.T) {
	const mtu, keep = 300, 300 - 36
	for _, engine := range []string{agent.EngineAFPacket, agent.EngineEBPF} {
		t.Run(engine, func(t *testing.T) {
			l := newLab(t)
			r := l.sniff(t)
			m, _ := l.start(t, engine, agent.Options{Iface: "eni0"}, agent.HostOptions{}, mtu)
			l.say(t, r, "warm", true)
			const size = 300_000
			l.talk(t, peerAddr, make([]byte, size))
			var next uint32
			seen := map[uint32]bool{}
			cut := 0
			frames(t, r, func(_, in *packet.Parsed) bool {
				if len(in.Data) > keep {
					t.Fatalf("a frame of %d bytes", len(in.Data))
				}
				if !in.IsTCP() || in.DstPort != 5001 {
					return false
				}
				if in.Truncated {
					cut++
				}
				// TCP may send a segment again, on a slow machine.
				if next != 0 && int32(in.Seq-next) < 0 && !seen[in.Seq] {
					t.Fatalf("sequence number %d for the first time after %d", in.Seq, next)
				}
				next, seen[in.Seq] = in.Seq, true
				return in.Flags&packet.FIN != 0
			})
			if c := m.Counters(); cut < size/1460 || c.Sessions[0].CutByMTU < uint64(cut) || c.Errors() > 0 {
				t.Errorf("%d frames were cut, counters %+v", cut, c)
			}
		})
	}
}

// With engine auto the kernel mirrors, and AF_PACKET does what the kernel cannot, which
// may be a later plan: no frame is mirrored twice.
func TestAuto(t *testing.T) {
	l := newLab(t)
	r := l.sniff(t)
	e, h := l.start(t, agent.EngineAuto, agent.Options{Iface: "eni0"}, agent.HostOptions{}, 1500)
	l.say(t, r, "first", true)
	if name, why := e.Engine(); name != agent.EngineEBPF || why != "" {
		t.Fatalf("engine %q, because of %q", name, why)
	}
	p := l.plan(t, h, 78, 100) // cut to so little that the kernel cannot
	if err := l.host.Do(func() error { return e.Swap(p) }); err != nil {
		t.Fatal(err)
	}
	if name, why := e.Engine(); name != agent.EngineAFPacket || why == "" {
		t.Errorf("engine %q, because of %q", name, why)
	}
	l.say(t, l.sniff(t), "second", true)
	var u *agent.ErrUnsuited
	err := l.host.Do(func() error {
		_, err := agent.Open(agent.EngineEBPF, agent.Options{Iface: "eni0"}, p)
		return err
	})
	if !errors.As(err, &u) {
		t.Errorf("the kernel takes a plan that it cannot do: %v", err)
	}
	if _, err := agent.Open("xdp", agent.Options{Iface: "eni0"}, p); err == nil {
		t.Error("an unknown engine was opened")
	}
}

// At the other end of the pair the kernel sees it the other way round.
func TestOtherEnd(t *testing.T) {
	l := newLab(t)
	e, _ := l.start(t, agent.EngineEBPF, agent.Options{Iface: "eni0", OtherEnd: true}, agent.HostOptions{}, 1500)
	l.say(t, l.sniff(t), "what the peer receives", true)
	if c := e.Counters(); c.NetworkPacketsMirrorIn == 0 {
		t.Errorf("counters %+v", c)
	}
}
