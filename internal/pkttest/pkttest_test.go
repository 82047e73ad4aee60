package pkttest_test

import (
	"strings"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

func decode(frame []byte) []packet.Parsed {
	d := packet.NewDecoder(packet.Options{})
	return d.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)
}

func TestFrame(t *testing.T) {
	for _, c := range []struct {
		desc    string
		n       int
		proto   uint8
		payload string
	}{
		{"eth ip 10.0.0.1 10.0.0.2 tcp 4000 80 flags=PA seq=1 ack=2 opts=020405b4 | GET \"/\" \\x00", 1, packet.ProtoTCP, "GET \"/\" \x00"},
		{"eth vlan 7 vlan 8 ip6 fd00::1 fd00::2 udp 5000 53 | q", 1, packet.ProtoUDP, "q"},
		{"eth ip6 fd00::1 fd00::2 hop dst icmp6 128 0 rest=0x00010002 | ping", 1, packet.ProtoICMPv6, "ping"},
		{"eth mpls 100 mpls 200 ip 10.0.0.1 10.0.0.2 icmp 8 0 | ping", 1, packet.ProtoICMP, "ping"},
		{"eth ip 10.0.0.1 10.0.0.2 udp 65408 4789 vxlan 77 eth ip 10.1.0.1 10.1.0.2 tcp 1 2 | in", 2, packet.ProtoTCP, "in"},
		{"eth ip 10.0.0.1 10.0.0.2 gre ip 10.1.0.1 10.1.0.2 udp 1 2 | in", 2, packet.ProtoUDP, "in"},
		{"eth ip 10.0.0.1 10.0.0.2 ip6 fd00::1 fd00::2 udp 1 2 | in", 2, packet.ProtoUDP, "in"},
		{"eth ip 10.0.0.1 10.0.0.2 udp 1 6081 geneve 5 eth ip 10.1.0.1 10.1.0.2 sctp 1 2 | in", 2, packet.ProtoSCTP, "in"},
	} {
		ps := decode(pkttest.Frame(c.desc))
		if len(ps) != c.n {
			t.Errorf("%s: %d packets, want %d", c.desc, len(ps), c.n)
			continue
		}
		p := &ps[len(ps)-1]
		if p.Proto != c.proto || string(p.PayloadBytes()) != c.payload || p.Depth != packet.DepthTransport {
			t.Errorf("%s: protocol %d, payload %q, depth %d", c.desc, p.Proto, p.PayloadBytes(), p.Depth)
		}
		for i := range ps {
			if ps[i].NEvents != 0 {
				t.Errorf("%s: events %v", c.desc, ps[i].Events[:ps[i].NEvents])
			}
			if ps[i].IPv4Checksum() == packet.ChecksumBad || ps[i].L4Checksum() == packet.ChecksumBad {
				t.Errorf("%s: bad checksum in packet %d", c.desc, i)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ desc, want string }{
		{"eth ipx", "unknown header"},
		{"eth ip 10.0.0.1", "needs 2"},
		{"eth ip 10.0.0.1 fd00::1", "not IPv4"},
		{"eth ip 10.0.0.1 10.0.0.2 tcp 1 2 flags=X", "no TCP flag"},
		{"eth vlan x", "invalid syntax"},
		{"raw 0", "odd length"},
		{"eth src=01:02", "no Ethernet address"},
	} {
		if _, err := pkttest.Parse(c.desc); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Parse(%q): %v, want %q", c.desc, err, c.want)
		}
	}
}

// The segments of a flow fit together: each acknowledges what the other has sent.
func TestTCPFlow(t *testing.T) {
	f := pkttest.TCP("10.0.0.1:4000", "10.0.0.2:80")
	f.MSS = 4
	f.ToServer("request").ToClient("answer").Close()
	var got [2]string
	var next [2]uint32
	last := int64(0)
	for i, s := range f.Frames {
		p := &decode(s.Data)[0]
		if p.L4Checksum() != packet.ChecksumOK || s.Time <= last {
			t.Fatalf("frame %d: checksum %d, time %d after %d", i, p.L4Checksum(), s.Time, last)
		}
		last = s.Time
		from := 1
		if s.ToServer {
			from = 0
		}
		if p.Flags&packet.SYN == 0 && p.Seq != next[from] {
			t.Errorf("frame %d: sequence %d, want %d", i, p.Seq, next[from])
		}
		if p.Flags&packet.ACK != 0 && p.Ack != next[1-from] {
			t.Errorf("frame %d: acknowledges %d, want %d", i, p.Ack, next[1-from])
		}
		got[from] += string(p.PayloadBytes())
		next[from] = p.Seq + uint32(len(p.PayloadBytes()))
		if p.Flags&(packet.SYN|packet.FIN) != 0 {
			next[from]++
		}
	}
	if got != [2]string{"request", "answer"} {
		t.Errorf("payloads %q", got)
	}
}

func TestFragments(t *testing.T) {
	frame := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1 2 | 0123456789012345678901234567890123456789")
	var body []byte
	parts := pkttest.Fragments(frame, 16)
	for i, b := range parts {
		p := &decode(b)[0]
		if !p.Fragment || int(p.FragOffset) != len(body) || p.MoreFrags != (i < len(parts)-1) || p.IPv4Checksum() != packet.ChecksumOK {
			t.Errorf("fragment %d: offset %d more %v checksum %d", i, p.FragOffset, p.MoreFrags, p.IPv4Checksum())
		}
		body = append(body, p.PayloadBytes()...)
	}
	if string(body) != string(frame[34:]) {
		t.Errorf("parts %x, want %x", body, frame[34:])
	}
}

func TestGWLB(t *testing.T) {
	inner := pkttest.Frame("eth ip 10.1.0.1 10.1.0.2 tcp 1 2 | in")
	ps := decode(pkttest.GWLB(pkttest.MirrorIP(inner, 9), 0x0a1b, 0x0c, 0x0d))
	if len(ps) != 3 {
		t.Fatalf("%d packets, want 3", len(ps))
	}
	g, ok := packet.ParseGENEVE(ps[0].PayloadBytes())
	if !ok {
		t.Fatal("no GENEVE header")
	}
	if a := g.AWS(); a != (packet.AWSGeneve{Endpoint: 0x0a1b, Attachment: 0x0c, Cookie: 0x0d, HasEndpoint: true, HasAttachment: true, HasCookie: true}) {
		t.Errorf("options %+v", a)
	}
	if ps[2].VNI != 9 || string(ps[2].PayloadBytes()) != "in" {
		t.Errorf("inner VNI %d payload %q", ps[2].VNI, ps[2].PayloadBytes())
	}
}
