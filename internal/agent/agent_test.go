package agent_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mirador/internal/agent"
	"mirador/internal/capture"
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// collect is a Sender that keeps copies of what it gets.
type collect struct {
	mu  sync.Mutex
	all [][]byte
	// fate, when set, decides over the i-th datagram.
	fate func(i int) agent.Fate
	n    int
}

func (c *collect) Send(batch []agent.Datagram) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range batch {
		if c.fate != nil {
			if batch[i].Fate = c.fate(c.n); batch[i].Fate == agent.Failed {
				err = errors.New("refused")
			}
		}
		c.n++
		if batch[i].Fate == agent.Sent {
			c.all = append(c.all, batch[i].AppendIP(nil))
		}
		clear(batch[i].Head) // they are ours
		clear(batch[i].Frame)
	}
	return err
}

var (
	src = netip.MustParseAddr("10.0.0.1")
	dst = netip.MustParseAddr("10.0.0.99")
)

func rules(action mirror.Action, cidr string, protocol int) []mirror.FilterRule {
	p := netip.MustParsePrefix(cidr)
	any := netip.MustParsePrefix("0.0.0.0/0")
	if p.Addr().Is6() {
		any = netip.MustParsePrefix("::/0")
	}
	r := mirror.FilterRule{Action: action, Protocol: protocol, SourceCIDR: any, DestinationCIDR: any}
	in, out := r, r
	in.Direction, in.SourceCIDR = mirror.Ingress, p
	out.Direction, out.DestinationCIDR = mirror.Egress, p
	return []mirror.FilterRule{in, out}
}

func filter(id string, services []string, parts ...[]mirror.FilterRule) mirror.Filter {
	f := mirror.Filter{ID: id, NetworkServices: services}
	for i, p := range parts {
		for _, r := range p {
			r.ID, r.FilterID, r.Number = fmt.Sprintf("tmfr-%d", len(f.Rules)), id, i+1
			f.Rules = append(f.Rules, r)
		}
	}
	return f
}

func everything() mirror.Filter {
	return filter("tmf-all", []string{mirror.AmazonDNS}, rules(mirror.Accept, "0.0.0.0/0", -1), rules(mirror.Accept, "::/0", -1))
}

var eni = mirror.Interface{ID: "eni-1", Addrs: []netip.Addr{src}, VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}

func program(t testing.TB, o mirror.CompileOptions, filters []mirror.Filter, sessions ...mirror.Session) *mirror.Program {
	t.Helper()
	for i := range sessions {
		s := &sessions[i]
		s.NetworkInterfaceID = eni.ID
		s.Number = i + 1
		if s.ID == "" {
			s.ID = fmt.Sprintf("tms-%d", i+1)
		}
		if s.FilterID == "" {
			s.FilterID = filters[0].ID
		}
		if s.TargetID == "" {
			s.TargetID = "tmt-1"
		}
	}
	g, err := mirror.Compile(eni, sessions, filters, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// run mirrors frames and returns the counters.
func run(t testing.TB, o agent.Options, p *agent.Plan, frames []capture.Frame) agent.Counters {
	t.Helper()
	for i := range frames {
		frames[i].Link = packet.LinkEthernet
	}
	o.Reader = capture.NewMemory(frames, 7)
	m, err := agent.New(o, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := m.Counters()
	if c.Imbalance() != 0 {
		t.Errorf("ledger is out by %d: %+v", c.Imbalance(), c)
	}
	return c
}

// TestAgainstAWS mirrors the frames within the one public capture of real AWS mirroring
// again, and compares the outer headers.
func TestAgainstAWS(t *testing.T) {
	data, err := os.ReadFile(pkttest.Shared(t, "data", "aws-capture", "vxlan.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := capture.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var outer [][]byte
	var frames []capture.Frame
	dec := packet.NewDecoder(packet.Options{})
	home := netip.MustParseAddr("172.31.0.238")
	var to netip.Addr
	var vni uint32
	for {
		var b capture.Batch
		if err := r.Read(&b, 0); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for i := range b.Frames {
			f := &b.Frames[i]
			layers := dec.Decode(nil, f.Link, bytes.Clone(f.Data), f.WireLen, 0)
			out, in := &layers[0], &layers[1]
			outer = append(outer, out.Data[out.L3:out.IPEnd])
			to, vni = netip.AddrFrom16(out.Dst).Unmap(), in.VNI
			frames = append(frames, capture.Frame{Data: bytes.Clone(in.Data), Outgoing: netip.AddrFrom16(in.Src).Unmap() == home})
		}
	}
	if len(frames) != 100 {
		t.Fatalf("%d packets in the capture, want 100", len(frames))
	}
	iface := mirror.Interface{ID: "eni-1", Addrs: []netip.Addr{home}, VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")}}
	f := everything()
	g, err := mirror.Compile(iface, []mirror.Session{{ID: "tms-1", NetworkInterfaceID: "eni-1", TargetID: "tmt-1", FilterID: f.ID, Number: 1, VNI: vni}},
		[]mirror.Filter{f}, mirror.CompileOptions{Tunnels: []netip.Addr{to}, TargetMTU: map[string]int{"tmt-1": 9001}})
	if err != nil {
		t.Fatal(err)
	}
	got := &collect{}
	run(t, agent.Options{}, &agent.Plan{Program: g, Routes: []agent.Route{{Src: home, Dst: to, Sender: got}}}, frames)
	if len(got.all) != len(outer) {
		t.Fatalf("%d packets mirrored, want %d", len(got.all), len(outer))
	}
	const sport = 20 // offset of the UDP source port
	ours, theirs := map[uint64]uint16{}, map[uint64]uint16{}
	answers := 0
	for i, b := range got.all {
		want := outer[i]
		a, w := bytes.Clone(b), bytes.Clone(want)
		a[sport], a[sport+1], w[sport], w[sport+1] = 0, 0, 0, 0
		if !bytes.Equal(a, w) {
			t.Fatalf("packet %d:\n%x, AWS made\n%x", i, b[:50], want[:50])
		}
		p := dec.Decode(nil, packet.LinkEthernet, want[36:], len(want)-36, 0)[0]
		port, aws := binary.BigEndian.Uint16(b[sport:]), binary.BigEndian.Uint16(want[sport:])
		if port < 0xff80 {
			t.Errorf("packet %d: source port %d is not in the range of AWS", i, port)
		}
		if p.SrcPort == 53 {
			answers++
			if port != 65408 || aws != 65408 {
				t.Errorf("packet %d: answer of the resolver with source port %d, AWS has %d", i, port, aws)
			}
			continue
		}
		// Which flows share a port is not known; that a flow has one port is.
		flow := p.SymmetricHash(1)
		if old, ok := theirs[flow]; ok && old != aws {
			t.Errorf("packet %d: AWS has ports %d and %d for one flow", i, old, aws)
		}
		if old, ok := ours[flow]; ok && old != port {
			t.Errorf("packet %d: ports %d and %d for one flow", i, old, port)
		}
		ours[flow], theirs[flow] = port, aws
	}
	if answers == 0 || len(ours) < 10 {
		t.Fatalf("%d answers and %d flows: the capture is another one", answers, len(ours))
	}
}

// inner decodes a mirrored packet.
func inner(t testing.TB, b []byte) (out, in packet.Parsed) {
	t.Helper()
	l := packet.NewDecoder(packet.Options{}).DecodeIP(nil, b, 0, nil, packet.FromWire)
	if len(l) < 2 || l[1].Source != packet.FromTunnelVXLAN {
		t.Fatalf("not a mirrored packet: %x", b)
	}
	return l[0], l[1]
}

// Frames that stand for several are mirrored as they are on the wire.
func TestSegments(t *testing.T) {
	payload := make([]byte, 10_000)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	var esc strings.Builder
	for _, c := range payload {
		fmt.Fprintf(&esc, `\x%02x`, c)
	}
	for _, c := range []struct {
		name, head string
		kind       capture.Segments
		size       int
		length     int // packet length of the session
		mtu        int
	}{
		{name: "tcp4", head: "eth ip 10.0.0.1 10.0.5.5 id=65530 tcp 4000 443 seq=4294960000 ack=9 flags=PAFC", kind: capture.SegmentsTCP, size: 1448},
		{name: "tcp4 options", head: "eth vlan 7 ip 10.0.0.1 10.0.5.5 opts=94040000 tcp 4000 443 seq=1 flags=A opts=0101080a0000000100000002", kind: capture.SegmentsTCP, size: 1436},
		{name: "tcp6", head: "eth ip6 fd00::1 fd00::5 tcp 4000 443 seq=1 flags=PA", kind: capture.SegmentsTCP, size: 1428},
		{name: "udp4", head: "eth ip 10.0.0.1 10.0.5.5 udp 4000 443", kind: capture.SegmentsUDP, size: 1200},
		{name: "udp6", head: "eth ip6 fd00::1 fd00::5 udp 4000 443", kind: capture.SegmentsUDP, size: 1111},
		{name: "tcp4 packet length", head: "eth ip 10.0.0.1 10.0.5.5 tcp 4000 443 seq=1 flags=PA", kind: capture.SegmentsTCP, size: 1448, length: 100},
		{name: "tcp4 mtu", head: "eth ip 10.0.0.1 10.0.5.5 tcp 4000 443 seq=1 flags=PA", kind: capture.SegmentsTCP, size: 1460, mtu: 1500},
		{name: "tcp4 tiny", head: "eth ip 10.0.0.1 10.0.5.5 tcp 4000 443 seq=1 flags=PA", kind: capture.SegmentsTCP, size: 1},
		{name: "tcp4 one", head: "eth ip 10.0.0.1 10.0.5.5 tcp 4000 443 seq=1 flags=PA", kind: capture.SegmentsTCP, size: 20000},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := pkttest.Frame(c.head + " | " + esc.String())
			p := packet.NewDecoder(packet.Options{}).Decode(nil, packet.LinkEthernet, whole, len(whole), 0)[0]
			if p.Depth != packet.DepthTransport || p.PayloadEnd-p.Payload != len(payload) {
				t.Fatalf("the test frame is wrong: %+v", p)
			}
			// What the kernel shows has no checksum.
			frame := bytes.Clone(whole)
			at := 16
			if c.kind == capture.SegmentsUDP {
				at = 6
			}
			frame[p.L4+at], frame[p.L4+at+1] = 0x12, 0x34
			f := capture.Frame{Data: frame, Outgoing: true, Offload: capture.Offload{
				Segments: c.kind, Size: uint16(c.size), HeaderLen: uint16(p.Payload), NeedsChecksum: true,
				ChecksumStart: uint16(p.L4), ChecksumOffset: uint16(at),
			}}
			got := &collect{}
			fl := everything()
			g := program(t, mirror.CompileOptions{TargetMTU: map[string]int{"tmt-1": c.mtu}}, []mirror.Filter{fl}, mirror.Session{VNI: 3, PacketLength: c.length})
			count := run(t, agent.Options{}, &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: got}}}, []capture.Frame{f})

			n := (len(payload) + c.size - 1) / c.size
			wire := len(whole) + (n-1)*p.Payload
			if len(got.all) != n || count.Frames != uint64(n) || count.NetworkPacketsMirrorOut != uint64(n) || count.NetworkMirrorOut != uint64(wire) {
				t.Fatalf("%d packets, counters %+v; want %d packets of %d bytes", len(got.all), count, n, wire)
			}
			cut := 0
			for i, b := range got.all {
				out, in := inner(t, b)
				if out.IPv4Checksum() != packet.ChecksumOK || out.IPTotal != len(b) {
					t.Fatalf("segment %d: outer header is wrong", i)
				}
				part := payload[i*c.size : min((i+1)*c.size, len(payload))]
				length := p.Payload + len(part)
				want := length
				if c.length > 0 {
					want = min(want, c.length)
				}
				if c.mtu > 0 {
					want = min(want, c.mtu-36)
				}
				if len(in.Data) != want {
					t.Fatalf("segment %d has %d bytes, want %d", i, len(in.Data), want)
				}
				if want < length {
					cut++
					if !in.Truncated {
						t.Errorf("segment %d was cut and does not show it", i)
					}
				} else if in.IPv4Checksum() == packet.ChecksumBad || in.L4Checksum() != packet.ChecksumOK {
					t.Errorf("segment %d: checksums %v %v", i, in.IPv4Checksum(), in.L4Checksum())
				}
				if !bytes.Equal(in.PayloadBytes(), part[:len(in.PayloadBytes())]) {
					t.Errorf("segment %d has another payload", i)
				}
				if in.IPVersion == 4 && in.IPID != uint32(uint16(p.IPID+uint32(i))) {
					t.Errorf("segment %d has id %d, the whole had %d", i, in.IPID, p.IPID)
				}
				if c.kind != capture.SegmentsTCP {
					continue
				}
				flags := p.Flags
				if i > 0 {
					flags &^= packet.CWR
				}
				if i < n-1 {
					flags &^= packet.FIN | packet.PSH
				}
				if in.Seq != p.Seq+uint32(i*c.size) || in.Ack != p.Ack || in.Flags != flags {
					t.Errorf("segment %d: seq %d ack %d flags %x, want flags %x", i, in.Seq, in.Ack, in.Flags, flags)
				}
			}
			s := count.Sessions[0]
			if s.CutByLength+s.CutByMTU != uint64(cut) || (c.length > 0) != (s.CutByLength > 0) || (c.mtu > 0) != (s.CutByMTU > 0) {
				t.Errorf("%d segments cut, counters %+v", cut, s)
			}
		})
	}
}

// A checksum that was left to the network card is filled in, for a frame of any length.
func TestChecksum(t *testing.T) {
	for n := range 60 {
		for _, head := range []string{"eth ip 10.0.0.1 10.0.5.5 tcp 4000 443 flags=A", "eth ip 10.0.0.1 10.0.5.5 udp 4000 443", "eth ip6 fd00::1 fd00::5 udp 4000 443"} {
			want := pkttest.Frame(head + " | " + strings.Repeat("z", n))
			p := packet.NewDecoder(packet.Options{}).Decode(nil, packet.LinkEthernet, want, len(want), 0)[0]
			at := p.L4 + 6
			if p.Proto == packet.ProtoTCP {
				at = p.L4 + 16
			}
			b := bytes.Clone(want)
			// The kernel leaves the folded sum of the pseudo header there.
			var pseudo []byte
			if p.IPVersion == 4 {
				pseudo = append(append(pseudo, p.Src[12:]...), p.Dst[12:]...)
			} else {
				pseudo = append(append(pseudo, p.Src[:]...), p.Dst[:]...)
			}
			pseudo = append(pseudo, 0, p.Proto)
			pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(p.IPEnd-p.L4))
			binary.BigEndian.PutUint16(b[at:], ^packet.InternetChecksum(pseudo))
			got := &collect{}
			fl := everything()
			g := program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{VNI: 3})
			run(t, agent.Options{}, &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: got}}}, []capture.Frame{
				{Data: b, Outgoing: true, Offload: capture.Offload{NeedsChecksum: true, ChecksumStart: uint16(p.L4), ChecksumOffset: uint16(at - p.L4)}}})
			if _, in := inner(t, got.all[0]); !bytes.Equal(in.Data, want) {
				t.Fatalf("%s, %d bytes:\n%x, want\n%x", head, n, in.Data, want)
			}
		}
	}
}

// Every frame ends in one place, under the name it should have.
func TestLedger(t *testing.T) {
	fl := filter("tmf-1", nil, rules(mirror.Reject, "10.0.7.0/24", -1), rules(mirror.Accept, "10.0.0.0/16", -1))
	tcp := filter("tmf-2", nil, rules(mirror.Accept, "0.0.0.0/0", 6))
	g := program(t, mirror.CompileOptions{Tunnels: []netip.Addr{dst}}, []mirror.Filter{fl, tcp},
		mirror.Session{VNI: 1, FilterID: "tmf-1"}, mirror.Session{VNI: 2, FilterID: "tmf-2"}, mirror.Session{VNI: 3, FilterID: "tmf-2"})
	frame := func(desc string, out bool) capture.Frame {
		return capture.Frame{Data: pkttest.Frame(desc), Outgoing: out}
	}
	frames := []capture.Frame{
		frame("eth ip 10.0.0.1 10.0.1.1 tcp 1 2 flags=S", true),                                     // session 1
		frame("eth ip 10.0.1.1 10.0.0.1 tcp 2 1 flags=SA", false),                                   // session 1
		frame("eth ip 10.0.0.1 10.0.7.1 udp 1 2 | x", true),                                         // rejected
		frame("eth ip 10.0.0.1 8.8.8.8 tcp 1 2 flags=S", true),                                      // session 2, without a target
		frame("eth ip 10.0.0.1 8.8.8.8 udp 1 2 | x", true),                                          // no rule
		frame("eth ip 10.0.0.1 10.0.0.2 udp 999 53 | x", true),                                      // resolver, which nobody wants
		frame("eth ip 10.0.0.1 10.0.0.99 udp 65408 4789 | x", true),                                 // own tunnel
		frame("eth ip 10.0.0.1 10.0.0.98 udp 65408 4789 | x", true),                                 // somebody's tunnel: session 1
		frame("eth type=0x0806 raw 0001080006040001020000000001c0000201000000000000c0000202", true), // ARP
		frame("eth ip 10.0.0.1 169.254.169.254 tcp 1 80 flags=S", true),                             // metadata
		frame("eth raw 00", true),                                                                   // nothing
		{Data: []byte{1, 2, 3}, Outgoing: true},
		{Data: nil},
		{Data: pkttest.Frame("eth ip 10.0.0.1 10.0.1.1 gre raw 000008004500"), Outgoing: true, Offload: capture.Offload{Segments: capture.SegmentsTCP, Size: 10, HeaderLen: 54}}, // cannot be cut
	}
	got := &collect{}
	c := run(t, agent.Options{}, &agent.Plan{Program: g, Routes: []agent.Route{
		{Src: src, Dst: dst, Sender: got}, {Src: src, Dst: dst}, {Src: src, Dst: dst, Sender: got}}}, frames)
	want := map[mirror.Reason]uint64{
		mirror.ReasonReject: 1, mirror.ReasonNoRule: 1, mirror.ReasonResolver: 1, mirror.ReasonOwnTunnel: 1, mirror.ReasonARP: 1,
		mirror.ReasonMetadata: 1, mirror.ReasonNotIP: 3,
	}
	for r, n := range c.NotMirrored {
		if n != want[mirror.Reason(r)] {
			t.Errorf("%d frames not mirrored for %v, want %d", n, mirror.Reason(r), want[mirror.Reason(r)])
		}
	}
	if c.Frames != uint64(len(frames)) || c.NetworkPacketsMirrorOut != 2 || c.NetworkPacketsMirrorIn != 1 || c.ErrorsNoTarget != 1 || c.ErrorsSegments != 1 {
		t.Errorf("counters %+v", c)
	}
	if in := uint64(len(frames[1].Data)); c.NetworkMirrorIn != in || c.Sessions[0].BytesIn != in || c.Sessions[0].SentBytes != sum(got.all) {
		t.Errorf("counters %+v, %d bytes sent", c, sum(got.all))
	}
	if c.Sessions[0].Errors != 1 || c.Sessions[1].Errors != 1 || c.Sessions[2].PacketsOut != 0 {
		t.Errorf("sessions %+v", c.Sessions)
	}

	// The other end of the pair sees it the other way round.
	c = run(t, agent.Options{OtherEnd: true}, &agent.Plan{Program: g, Routes: []agent.Route{
		{Src: src, Dst: dst, Sender: got}, {Src: src, Dst: dst}, {Src: src, Dst: dst}}}, []capture.Frame{
		frame("eth ip 10.0.0.1 10.0.1.1 tcp 1 2 flags=S", false)})
	if c.NetworkPacketsMirrorOut != 1 || c.NetworkPacketsMirrorIn != 0 {
		t.Errorf("other end: %+v", c)
	}

	// What a sender refuses is an error, what it has no room for is skipped.
	some := &collect{fate: func(i int) agent.Fate { return agent.Fate(i % 3) }}
	var many []capture.Frame
	for i := range 30 {
		many = append(many, frame("eth ip 10.0.0.1 10.0.1.1 tcp 1 2 flags=S", i%2 == 0))
	}
	fl.Rules = append(fl.Rules, rules(mirror.Accept, "0.0.0.0/0", -1)[0])
	fl.Rules[len(fl.Rules)-1].Number = 9
	g = program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{VNI: 1})
	c = run(t, agent.Options{}, &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: some}}}, many)
	if c.Mirrored() != 10 || c.Skipped() != 10 || c.ErrorsSend != 10 || len(some.all) != 10 || c.NetworkPacketsSkipMirrorIn != 5 ||
		c.Sessions[0].SkippedPackets != 10 || c.Sessions[0].Errors != 10 {
		t.Errorf("counters %+v", c)
	}
}

func sum(all [][]byte) (n uint64) {
	for _, b := range all {
		n += uint64(len(b))
	}
	return n
}

// With an empty bucket frames are skipped under the name that CloudWatch has for it.
func TestSkip(t *testing.T) {
	var frames []capture.Frame
	for range 1000 {
		frames = append(frames, capture.Frame{Data: pkttest.Frame("eth ip 10.0.1.1 10.0.0.1 tcp 1 2 flags=S | " + strings.Repeat("x", 946))})
	}
	got := &collect{}
	fl := everything()
	g := program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{VNI: 1})
	c := run(t, agent.Options{Limit: agent.Limit{BitsPerSecond: 8}}, &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: got}}}, frames)
	// 64 KiB at once, of 1036 bytes each; and no second goes by.
	if len(got.all) != 63 || c.NetworkPacketsMirrorIn != 63 || c.NetworkPacketsSkipMirrorIn != 937 || c.NetworkSkipMirrorIn != 937*1000 {
		t.Errorf("%d sent, %+v", len(got.all), c)
	}
}

// Flows are spread over several destinations, both directions to the same.
func TestSpread(t *testing.T) {
	var frames []capture.Frame
	for i := range 400 {
		frames = append(frames,
			capture.Frame{Data: pkttest.Frame(fmt.Sprintf("eth ip 10.0.0.1 10.0.1.1 tcp %d 443 flags=S", 1000+i)), Outgoing: true},
			capture.Frame{Data: pkttest.Frame(fmt.Sprintf("eth ip 10.0.1.1 10.0.0.1 tcp 443 %d flags=SA", 1000+i))})
	}
	got := &collect{}
	fl := everything()
	g := program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{VNI: 1})
	more := []netip.Addr{netip.MustParseAddr("10.0.0.97"), netip.MustParseAddr("10.0.0.98")}
	run(t, agent.Options{}, &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Spread: more, Sender: got}}}, frames)
	count := map[packet.Addr]int{}
	for i := 0; i < len(got.all); i += 2 {
		a, _ := inner(t, got.all[i])
		b, _ := inner(t, got.all[i+1])
		if a.Dst != b.Dst {
			t.Fatalf("flow %d is split", i/2)
		}
		count[a.Dst]++
	}
	if len(count) != 3 {
		t.Fatalf("%d destinations, want 3", len(count))
	}
	for a, n := range count {
		if n < 90 || n > 180 {
			t.Errorf("%d of 400 flows to %v", n, a)
		}
	}
}

// endless is a Reader that has frames until it is closed.
type endless struct {
	frames []capture.Frame
	mu     sync.Mutex
	done   bool
	given  uint64
}

func (e *endless) Read(b *capture.Batch, _ time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b.Release()
	if e.done {
		return io.EOF
	}
	n := 1 + rand.IntN(len(e.frames))
	b.Frames = append(b.Frames, e.frames[:n]...)
	e.given += uint64(n)
	return nil
}
func (e *endless) Stats() capture.Stats { return capture.Stats{} }
func (e *endless) Close() error         { return nil }
func (e *endless) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done = true
}

// tally is a Sender that counts packets by VNI, and batches with more than one.
type tally struct {
	vni   map[byte]uint64
	mixed int
}

func (c *tally) Send(batch []agent.Datagram) error {
	first := batch[0].Head[34]
	for i := range batch {
		v := batch[i].Head[34]
		c.vni[v]++
		if v != first {
			c.mixed++
		}
	}
	return nil
}

// Plans are swapped between two batches, and no packet is lost or mirrored twice.
func TestSwap(t *testing.T) {
	e := &endless{}
	for i := range 50 {
		e.frames = append(e.frames, capture.Frame{Data: pkttest.Frame(fmt.Sprintf("eth ip 10.0.0.1 10.0.1.1 tcp %d 443 flags=S", i+1)), Outgoing: true, Link: packet.LinkEthernet, WireLen: 54})
	}
	fl := everything()
	sent := &tally{vni: map[byte]uint64{}}
	var plans []*agent.Plan
	for v := range 3 {
		g := program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{ID: fmt.Sprintf("tms-%d", v), VNI: uint32(v + 1)})
		plans = append(plans, &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: sent}}})
	}
	m, err := agent.New(agent.Options{Reader: e}, plans[0])
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- m.Run(t.Context()) }()
	const swaps = 600
	for i := range swaps {
		if err := m.Swap(plans[i%3]); err != nil {
			t.Fatal(err)
		}
		// Let a batch pass now and then, so that every plan is used.
		for before := m.Counters().Frames; i%50 == 0 && m.Counters().Frames == before; {
		}
	}
	e.stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c := m.Counters()
	var total uint64
	for _, n := range sent.vni {
		total += n
	}
	if total != e.given || c.Frames != e.given || c.Mirrored() != e.given || c.Imbalance() != 0 || c.Swaps != swaps {
		t.Errorf("%d frames, %d sent, counters %+v", e.given, total, c)
	}
	if len(sent.vni) != 3 || sent.mixed > 0 {
		t.Errorf("packets by VNI %v, %d batches with two plans", sent.vni, sent.mixed)
	}
	for _, s := range c.Sessions {
		if s.PacketsOut != sent.vni[byte(s.VNI)] {
			t.Errorf("session %s counted %d, %d were sent", s.Session, s.PacketsOut, sent.vni[byte(s.VNI)])
		}
	}
	if len(c.Sessions) != 3 || !c.Sessions[0].Current || c.Sessions[1].Current {
		t.Errorf("sessions %+v", c.Sessions)
	}
}

// Counters of sessions that came and went are bounded.
func TestSessionCounters(t *testing.T) {
	fl := everything()
	var m *agent.Mirror
	for i := range 1000 {
		g := program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{ID: fmt.Sprintf("tms-%d", i), VNI: uint32(i)})
		p := &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: &collect{}}}}
		var err error
		if m == nil {
			m, err = agent.New(agent.Options{Reader: capture.NewMemory(nil, 0)}, p)
		} else {
			err = m.Swap(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := m.Counters()
	if len(c.Sessions) != 256 || c.Sessions[0].Session != "tms-999" || !slices.ContainsFunc(c.Sessions, func(s agent.SessionCounters) bool { return s.Session == "tms-800" }) {
		t.Errorf("%d sessions, the first %+v", len(c.Sessions), c.Sessions[0])
	}
}

// A Mirror that is closed, or whose context is done, ends.
func TestEnd(t *testing.T) {
	fl := everything()
	g := program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{})
	p := &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: &collect{}}}}
	for _, how := range []string{"context", "close"} {
		b := &blocking{closed: make(chan struct{})}
		m, err := agent.New(agent.Options{Reader: b}, p)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		if how == "context" {
			cancel()
		} else if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if err := m.Run(t.Context()); err == nil {
			t.Errorf("%s: runs again", how)
		}
	}
	broken := errors.New("broken")
	m, err := agent.New(agent.Options{Reader: &blocking{err: broken, closed: make(chan struct{})}}, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err != broken {
		t.Errorf("a broken reader ended with %v", err)
	}
}

// blocking is a Reader that waits until it is closed, or fails.
type blocking struct {
	closed chan struct{}
	once   sync.Once
	err    error
}

func (b *blocking) Read(*capture.Batch, time.Duration) error {
	if b.err != nil {
		return b.err
	}
	<-b.closed
	return capture.ErrClosed
}
func (b *blocking) Stats() capture.Stats { return capture.Stats{} }
func (b *blocking) Close() error         { b.once.Do(func() { close(b.closed) }); return nil }

func TestRefused(t *testing.T) {
	fl := everything()
	g := program(t, mirror.CompileOptions{}, []mirror.Filter{fl}, mirror.Session{})
	six := netip.MustParseAddr("fd00::1")
	ok := agent.Route{Src: src, Dst: dst, Sender: &collect{}}
	with := func(f func(r *agent.Route)) *agent.Plan {
		r := ok
		f(&r)
		return &agent.Plan{Program: g, Routes: []agent.Route{r}}
	}
	r := capture.NewMemory(nil, 0)
	for name, c := range map[string]struct {
		o agent.Options
		p *agent.Plan
	}{
		"no plan":      {agent.Options{Reader: r}, nil},
		"no program":   {agent.Options{Reader: r}, &agent.Plan{}},
		"no route":     {agent.Options{Reader: r}, &agent.Plan{Program: g}},
		"two families": {agent.Options{Reader: r}, with(func(r *agent.Route) { r.Src = six })},
		"no address":   {agent.Options{Reader: r}, with(func(r *agent.Route) { r.Dst = netip.Addr{} })},
		"spread":       {agent.Options{Reader: r}, with(func(r *agent.Route) { r.Spread = []netip.Addr{six} })},
		"many":         {agent.Options{Reader: r}, with(func(r *agent.Route) { r.Spread = make([]netip.Addr, 64) })},
		"gwlb":         {agent.Options{Reader: r}, with(func(r *agent.Route) { r.GWLB = &agent.GWLB{Src: six, Dst: six} })},
		"no interface": {agent.Options{}, with(func(*agent.Route) {})},
		"both":         {agent.Options{Reader: r, Iface: "x"}, with(func(*agent.Route) {})},
		"ring":         {agent.Options{Reader: r, RingBytes: 5}, with(func(*agent.Route) {})},
		"delay":        {agent.Options{Reader: r, Delay: time.Hour}, with(func(*agent.Route) {})},
		"limit":        {agent.Options{Reader: r, Limit: agent.Limit{BitsPerSecond: -1}}, with(func(*agent.Route) {})},
		"rate":         {agent.Options{Reader: r, Limit: agent.Limit{PacketsPerSecond: 1 << 62}}, with(func(*agent.Route) {})},
		"burst":        {agent.Options{Reader: r, Limit: agent.Limit{Burst: time.Hour}}, with(func(*agent.Route) {})},
	} {
		if _, err := agent.New(c.o, c.p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	m, err := agent.New(agent.Options{Reader: r}, with(func(*agent.Route) {}))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Swap(with(func(r *agent.Route) { r.Src = six })); err == nil || m.Counters().Swaps != 0 {
		t.Errorf("a wrong plan was swapped in: %v", err)
	}
}

// FuzzFrame gives the Mirror any bytes with any offload state. The ledger balances, and
// no more is sent than there was.
func FuzzFrame(f *testing.F) {
	f.Add(pkttest.Frame("eth ip 10.0.0.1 10.0.5.5 tcp 4000 443 flags=PA | "+strings.Repeat("x", 3000)), uint8(1), uint16(1000), uint16(54), true, uint16(34), uint16(16), uint16(0), uint16(0))
	f.Add(pkttest.Frame("eth vlan 3 ip6 fd00::1 fd00::2 udp 4000 443 | "+strings.Repeat("x", 300)), uint8(2), uint16(100), uint16(66), true, uint16(58), uint16(6), uint16(60), uint16(1500))
	f.Add(pkttest.Frame("eth ip 10.0.0.1 10.0.5.5 gre ip 1.1.1.1 2.2.2.2 tcp 1 2 flags=A | hello"), uint8(1), uint16(2), uint16(70), false, uint16(0), uint16(0), uint16(64), uint16(100))
	fl := everything()
	f.Fuzz(func(t *testing.T, data []byte, kind uint8, size, head uint16, needs bool, start, at, length, mtu uint16) {
		if len(data) > 70000 {
			return
		}
		got := &collect{}
		g := program(t, mirror.CompileOptions{TargetMTU: map[string]int{"tmt-1": int(mtu)}}, []mirror.Filter{fl}, mirror.Session{VNI: 5, PacketLength: int(length)})
		fr := capture.Frame{Data: bytes.Clone(data), Outgoing: kind&8 > 0, Offload: capture.Offload{
			Segments: capture.Segments(kind & 3), Size: size, HeaderLen: head, NeedsChecksum: needs, ChecksumStart: start, ChecksumOffset: at}}
		c := run(t, agent.Options{}, &agent.Plan{Program: g, Routes: []agent.Route{{Src: src, Dst: dst, Sender: got}}}, []capture.Frame{fr})
		if uint64(len(got.all)) != c.Mirrored() || c.Mirrored() > uint64(len(data))+1 {
			t.Fatalf("%d sent, %+v", len(got.all), c)
		}
		for _, b := range got.all {
			if mtu >= 100 && len(b) > int(mtu) {
				t.Fatalf("%d bytes for an MTU of %d", len(b), mtu)
			}
			if len(b) < 36 {
				t.Fatalf("%x", b)
			}
		}
	})
}
