package demo_test

import (
	"net/netip"
	"testing"
	"time"

	"mirador/internal/capture"
	"mirador/internal/demo"
	"mirador/internal/mirror"
	"mirador/internal/netlab"
	"mirador/internal/packet"
	"mirador/internal/rule"
)

func story(t *testing.T, round int) *demo.Story {
	t.Helper()
	s, err := demo.NewStory(1, round)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every datagram is a whole mirrored frame of a session, with right checksums, in the
// order of time; both directions of a flow have one outer source port.
func TestStory(t *testing.T) {
	dec := packet.NewDecoder(packet.Options{})
	var ps []packet.Parsed
	name, text := demo.Sources()
	sources, err := mirror.ParseSources(text, name)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		s := story(t, round)
		if len(s.Datagrams) < 1000 {
			t.Fatalf("%d datagrams", len(s.Datagrams))
		}
		ports := map[packet.Tuple]uint16{}
		sessions := map[netip.Addr]int{}
		var last time.Duration
		for i, d := range s.Datagrams {
			if d.At < last {
				t.Fatalf("datagram %d goes back in time", i)
			}
			last = d.At
			sessions[d.Outer]++
			ps = dec.Decode(ps[:0], packet.LinkVXLAN, d.Data, len(d.Data), 1)
			p := &ps[0]
			if p.VNI != demo.VNI || p.Depth < packet.DepthTransport || p.NEvents > 0 || p.Truncated {
				t.Fatalf("datagram %d: VNI %d, depth %d, %d events: %x", i, p.VNI, p.Depth, p.NEvents, d.Data)
			}
			if src, ok := sources.Lookup(d.Outer.As16(), p.VNI); !ok || src.Direction(p) == mirror.DirectionUnknown {
				t.Fatalf("datagram %d is of no session", i)
			}
			body := append([]byte(nil), p.Data[p.L3:p.IPEnd]...)
			packet.SetChecksums(body)
			if string(body) != string(p.Data[p.L3:p.IPEnd]) {
				t.Fatalf("datagram %d has wrong checksums", i)
			}
			if d.Port < 0xff80 {
				t.Fatalf("outer source port %d", d.Port)
			}
			key := p.Tuple()
			if string(key.Src[:]) < string(key.Dst[:]) {
				key = key.Reverse()
			}
			if have, ok := ports[key]; ok && have != d.Port {
				t.Fatalf("datagram %d: outer source port %d, before %d", i, d.Port, have)
			}
			ports[key] = d.Port
		}
		if len(sessions) != 3 || sources.Len() != 3 {
			t.Errorf("sessions %v, %d in the sources file", sessions, sources.Len())
		}
		if s.Span != last || s.Span < 5*time.Second || s.Span > 10*time.Second {
			t.Errorf("a story of %v", s.Span)
		}
	}
}

// The rules load, and each says which attack it is for.
func TestRules(t *testing.T) {
	name, text := demo.Rules()
	rules, problems := rule.Parse(name, text)
	for _, p := range problems {
		t.Error(p)
	}
	attacks := map[string]bool{}
	for _, r := range rules {
		for _, kv := range r.Metadata {
			if kv.Key == "attack" {
				attacks[kv.Value] = true
			}
		}
	}
	for _, want := range []string{"port_scan", "exploit", "malware_user_agent", "dns_tunnel", "bad_ja3", "bad_sni", "reverse_shell", "brute_force"} {
		if !attacks[want] {
			t.Errorf("no rule for %s", want)
		}
	}
}

// On the wire the datagrams have AWS's outer form: the session's address, the port,
// TTL 255, no UDP checksum.
func TestSourceOnTheWire(t *testing.T) {
	netlab.Require(t)
	ns := netlab.New(t)
	var rs []*capture.AFPacket
	if err := ns.Do(func() (err error) {
		rs, err = capture.OpenAFPacket(capture.AFPacketOptions{Iface: "lo", Ports: []uint16{4789}, BlockSize: 1 << 18, Blocks: 8})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer rs[0].Close()
	s := story(t, 0)
	const n = 50
	if err := ns.Do(func() error {
		src, err := demo.NewSource(netip.MustParseAddrPort("127.0.0.1:4789"))
		if err != nil {
			return err
		}
		defer src.Close()
		for i := range n {
			if err := src.Send(&s.Datagrams[i]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var b capture.Batch
	got := 0
	for got < n {
		if err := rs[0].Read(&b, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		if len(b.Frames) == 0 {
			t.Fatalf("%d of %d datagrams", got, n)
		}
		for _, f := range b.Frames {
			d := &s.Datagrams[got]
			got++
			ip := f.Data[14:]
			if src := netip.AddrFrom4([4]byte(ip[12:16])); src != d.Outer || ip[8] != 255 {
				t.Errorf("from %v with TTL %d, want %v", src, ip[8], d.Outer)
			}
			udp := ip[20:]
			if port := uint16(udp[0])<<8 | uint16(udp[1]); port != d.Port {
				t.Errorf("source port %d, want %d", port, d.Port)
			}
			if udp[6] != 0 || udp[7] != 0 {
				t.Errorf("UDP checksum %x", udp[6:8])
			}
			if string(udp[8:]) != string(d.Data) {
				t.Error("other bytes than were sent")
			}
		}
	}
}

// Only the loopback interface is sent to.
func TestSourceRefuses(t *testing.T) {
	for _, to := range []string{"10.0.0.1:4789", "[::1]:4789", "0.0.0.0:4789"} {
		if _, err := demo.NewSource(netip.MustParseAddrPort(to)); err == nil {
			t.Errorf("%s: no error", to)
		}
	}
}
