package mirror_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"

	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

func decode(desc string) *packet.Parsed {
	b := pkttest.Frame(desc)
	return &packet.NewDecoder(packet.Options{}).Decode(nil, packet.LinkEthernet, b, len(b), 0)[0]
}

// Lengths are those of AWS's guide.
func TestLengths(t *testing.T) {
	for _, c := range []struct {
		name             string
		frame, packetLen int
		version          uint8
		noFloor          bool
		want             int
	}{
		{"whole", 1514, 0, 4, false, 1514},
		{"packet length", 1514, 100, 4, false, 100},
		{"packet length more than the frame", 60, 100, 4, false, 60},
		{"floor IPv4", 1514, 1, 4, false, 35},
		{"floor IPv6", 1514, 1, 6, false, 55},
		{"at the floor", 1514, 35, 4, false, 35},
		{"a byte above", 1514, 36, 4, false, 36},
		{"no floor", 1514, 1, 4, true, 1},
		{"floor of a short frame", 30, 1, 4, false, 30},
		{"load balancer", 9015, 8500, 4, false, 8500},
	} {
		if got := mirror.CutLength(c.frame, c.packetLen, c.version, c.noFloor); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		mtu    int
		ipv6   bool
		whole  int
		frame  int
		frame6 int
	}{
		{9001, false, 8947, 8965, 8945}, {9001, true, 8927, 8965, 8945}, {8500, false, 8446, 8464, 8444}, {8500, true, 8426, 8464, 8444},
		{1500, false, 1446, 1464, 1444}, {10, false, 0, 1, 1}, {0, false, 0, 0, 0},
	} {
		if got := mirror.LargestWhole(c.mtu, c.ipv6); got != c.whole {
			t.Errorf("LargestWhole(%d, %v) = %d, want %d", c.mtu, c.ipv6, got, c.whole)
		}
		if got := mirror.FrameLimit(c.mtu, false); got != c.frame {
			t.Errorf("FrameLimit(%d, false) = %d, want %d", c.mtu, got, c.frame)
		}
		if got := mirror.FrameLimit(c.mtu, true); got != c.frame6 {
			t.Errorf("FrameLimit(%d, true) = %d, want %d", c.mtu, got, c.frame6)
		}
	}
	if mirror.OverheadGWLB != 68 || mirror.MinLengthIPv4 != 35 || mirror.MinLengthIPv6 != 55 {
		t.Error("constants")
	}
}

// Source ports are in their range, the same in both directions, and spread over flows.
func TestSourcePort(t *testing.T) {
	flows := func(n int) [2]string {
		return [2]string{fmt.Sprintf("eth ip 10.0.0.1 10.0.0.2 tcp %d 443", 1024+n), fmt.Sprintf("eth ip 10.0.0.2 10.0.0.1 tcp 443 %d", 1024+n)}
	}
	for _, m := range []struct {
		mode    mirror.PortMode
		low     uint16
		atLeast int
	}{{mirror.PortAWS, 65408, 110}, {mirror.PortWide, 49152, 950}} {
		seen := map[uint16]bool{}
		for n := range 1000 {
			f := flows(n)
			a, b := mirror.SourcePort(decode(f[0]), m.mode), mirror.SourcePort(decode(f[1]), m.mode)
			if a != b || a < m.low {
				t.Fatalf("%v: ports %d and %d of one flow", m.mode, a, b)
			}
			seen[a] = true
		}
		if len(seen) < m.atLeast {
			t.Errorf("%v: 1000 flows on %d ports", m.mode, len(seen))
		}
		for _, c := range []struct{ a, b string }{
			{"eth ip 10.0.0.1 10.0.0.2 icmp 8 0 rest=0x12340001", "eth ip 10.0.0.2 10.0.0.1 icmp 0 0 rest=0x12340001"},
			{"eth ip6 2001:db8::1 2001:db8::2 udp 5 6", "eth ip6 2001:db8::2 2001:db8::1 udp 6 5"},
			{"eth ip 10.0.0.1 10.0.0.2 sctp 5 6", "eth ip 10.0.0.2 10.0.0.1 sctp 7 8"},                                             // 3-tuple
			{"eth ip 10.0.0.1 10.0.0.2 proto=6 frag=0x2000 raw 0016c000", "eth ip 10.0.0.1 10.0.0.2 proto=6 frag=0x0007 raw ffff"}, // all fragments meet
		} {
			if a, b := mirror.SourcePort(decode(c.a), m.mode), mirror.SourcePort(decode(c.b), m.mode); a != b {
				t.Errorf("%v: %s has port %d, %s has %d", m.mode, c.a, a, c.b, b)
			}
		}
	}
	ids := map[uint16]bool{}
	protos := map[uint16]bool{}
	for n := range 100 {
		ids[mirror.SourcePort(decode(fmt.Sprintf("eth ip 10.0.0.1 10.0.0.2 icmp 8 0 rest=0x%04x0001", n)), mirror.PortAWS)] = true
		protos[mirror.SourcePort(decode(fmt.Sprintf("eth ip 10.0.0.1 10.0.0.2 proto=%d raw 00", 140+n)), mirror.PortAWS)] = true
	}
	if len(ids) < 40 || len(protos) < 40 {
		t.Errorf("%d ports for 100 pings, %d for 100 protocols", len(ids), len(protos))
	}
}

// dnsProgram mirrors everything, DNS too.
func dnsProgram(t testing.TB, port mirror.PortMode) *mirror.Program {
	t.Helper()
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	rule := mirror.FilterRule{Number: 1, Action: mirror.Accept, Protocol: mirror.AnyProtocol, SourceCIDR: any4, DestinationCIDR: any4}
	in, out := rule, rule
	in.Direction, out.Direction = mirror.Ingress, mirror.Egress
	g, err := mirror.Compile(
		mirror.Interface{ID: "eni-1", Addrs: []netip.Addr{netip.MustParseAddr("172.31.8.1")}, VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")}},
		[]mirror.Session{{ID: "tms-1", NetworkInterfaceID: "eni-1", FilterID: "tmf-1", Number: 1}},
		[]mirror.Filter{{ID: "tmf-1", Rules: []mirror.FilterRule{in, out}, NetworkServices: []string{mirror.AmazonDNS}}},
		mirror.CompileOptions{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Answers of the resolver all have port 65408, as in AWS; in wide mode they have that of
// their query.
func TestResolverPort(t *testing.T) {
	for _, c := range []struct {
		port mirror.PortMode
		same bool
	}{{mirror.PortAWS, false}, {mirror.PortWide, true}} {
		g := dnsProgram(t, c.port)
		same := 0
		for n := range 50 {
			q := decode(fmt.Sprintf("eth ip 172.31.8.1 172.31.0.2 udp %d 53 | q", 40000+n))
			a := decode(fmt.Sprintf("eth ip 172.31.0.2 172.31.8.1 udp 53 %d | a", 40000+n))
			dq, da := g.Decide(q, mirror.Egress), g.Decide(a, mirror.Ingress)
			if dq.Reason != mirror.ReasonAmazonDNS || da.Reason != mirror.ReasonAmazonDNS || dq.FromResolver || !da.FromResolver {
				t.Fatalf("decisions %+v and %+v", dq, da)
			}
			pq, pa := g.SourcePort(q, dq), g.SourcePort(a, da)
			if c.port == mirror.PortAWS && pa != 65408 {
				t.Fatalf("answer has port %d", pa)
			}
			if pq == pa {
				same++
			}
		}
		if c.same && same != 50 || !c.same && same > 5 {
			t.Errorf("%v: %d of 50 answers have the port of their query", c.port, same)
		}
	}
}

// Every packet inside the capture that AWS made is one that this program would mirror,
// and the outer header it would give has the form of AWS's.
func TestAWSCapture(t *testing.T) {
	r, err := capture.Open(pkttest.Shared(t, "data", "aws-capture", "vxlan.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	g := dnsProgram(t, mirror.PortAWS)
	dec := packet.NewDecoder(packet.Options{})
	var b capture.Batch
	frames, resolver := 0, 0
	ports := map[packet.Tuple]uint16{}
	for {
		err := r.Read(&b, 0)
		for _, f := range b.Frames {
			ps := dec.Decode(nil, f.Link, f.Data, f.WireLen, 0)
			if len(ps) < 2 {
				t.Fatalf("frame %d has nothing inside", frames)
			}
			frames++
			outer, inner := &ps[0], &ps[1]
			d := mirror.Ingress
			if inner.Src == outer.Src { // the outer source is the primary address of the interface
				d = mirror.Egress
			}
			got := g.Decide(inner, d)
			if !got.Mirror || got.Length != len(inner.Data) || got.CutByLength || got.CutByMTU {
				t.Fatalf("frame %d: %+v", frames, got)
			}
			ours := g.SourcePort(inner, got)
			if ours < 65408 {
				t.Fatalf("frame %d: port %d", frames, ours)
			}
			if got.FromResolver {
				resolver++
				if outer.SrcPort != 65408 || ours != 65408 {
					t.Errorf("frame %d: answer of the resolver on %d, ours %d", frames, outer.SrcPort, ours)
				}
			} else {
				// The same flow has one port in both directions, in theirs and in ours.
				key := inner.Tuple()
				if rev := key.Reverse(); ports[rev] != 0 {
					key = rev
				}
				if p := ports[key]; p != 0 && p != ours {
					t.Errorf("frame %d: port %d, before %d", frames, ours, p)
				}
				ports[key] = ours
			}
			head := packet.AppendMirror(nil, [4]byte(outer.Src[12:]), [4]byte(outer.Dst[12:]), outer.SrcPort, inner.VNI, got.Length)
			if want := f.Data[outer.L3 : outer.L3+len(head)]; string(head) != string(want) {
				t.Fatalf("frame %d: outer header\n%x, AWS's\n%x", frames, head, want)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if frames != 100 || resolver < 8 {
		t.Errorf("%d frames, %d answers of the resolver", frames, resolver)
	}
}

// fullProgram has as many sessions and rules as AWS allows; no rule matches but the last
// of each direction.
func fullProgram(t testing.TB) *mirror.Program {
	t.Helper()
	iface := mirror.Interface{ID: "eni-1", Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}
	var filters []mirror.Filter
	var sessions []mirror.Session
	for s := range 3 {
		f := mirror.Filter{ID: fmt.Sprintf("tmf-%d", s)}
		for n := range 10 {
			r := mirror.FilterRule{ID: fmt.Sprintf("tmfr-%d-%d", s, n), Number: n + 1, Direction: mirror.Egress, Action: mirror.Reject, Protocol: 6,
				SourceCIDR: netip.MustParsePrefix("10.0.0.0/8"), DestinationCIDR: netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/24", s+1, n)), DestinationPorts: &mirror.PortRange{From: 1, To: 1024}}
			if s == 2 && n == 9 {
				r.Action, r.DestinationCIDR = mirror.Accept, netip.MustParsePrefix("0.0.0.0/0")
			}
			f.Rules = append(f.Rules, r)
		}
		filters = append(filters, f)
		sessions = append(sessions, mirror.Session{ID: fmt.Sprintf("tms-%d", s), NetworkInterfaceID: "eni-1", FilterID: f.ID, Number: s + 1})
	}
	g, err := mirror.Compile(iface, sessions, filters, mirror.CompileOptions{Tunnels: []netip.Addr{netip.MustParseAddr("10.0.9.9")}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestDecideAllocatesNothing(t *testing.T) {
	g := fullProgram(t)
	for _, desc := range []string{
		"eth ip 10.0.0.1 192.0.2.1 tcp 40000 443", "eth ip 10.0.0.1 192.0.2.1 udp 40000 443", "eth ip6 2001:db8::1 2001:db8::2 tcp 1 2",
		"eth ip 10.0.0.1 10.0.0.2 udp 4000 53", "eth type=0x0806 raw 0001",
	} {
		p := decode(desc)
		var sink mirror.Decision
		var port uint16
		if n := testing.AllocsPerRun(100, func() {
			sink = g.Decide(p, g.Direction(p))
			port = g.SourcePort(p, sink)
		}); n != 0 {
			t.Errorf("%s: %v allocations", desc, n)
		}
		_ = port
	}
}

func BenchmarkDecide(b *testing.B) {
	full, one := fullProgram(b), dnsProgram(b, mirror.PortAWS)
	for _, c := range []struct {
		name string
		g    *mirror.Program
		desc string
	}{
		{"one-rule", one, "eth ip 10.0.0.1 192.0.2.1 tcp 40000 443"},
		{"30-rules-last", full, "eth ip 10.0.0.1 192.0.2.1 tcp 40000 443"},
		{"30-rules-none", full, "eth ip 10.0.0.1 192.0.2.1 udp 40000 443"},
		{"resolver", full, "eth ip 10.0.0.1 10.0.0.2 udp 40000 53"},
	} {
		p := decode(c.desc)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.g.Decide(p, mirror.Egress)
			}
		})
	}
}
