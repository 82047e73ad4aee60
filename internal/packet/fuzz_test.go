package packet_test

import (
	"bytes"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// seeds are frames with every kind of header.
func seeds() [][]byte {
	return [][]byte{
		tcpFrame("GET / HTTP/1.1\r\n\r\n"),
		mirrored(tcpFrame("x"), 77),
		pkttest.GWLB(pkttest.MirrorIP(tcpFrame("x"), 9), 1, 2, 3),
		pkttest.Frame("eth vlan 1 qinq 2 vlan 3 ip 10.0.0.1 10.0.0.2 opts=9404000001010101 udp 1 2 | x"),
		pkttest.Frame("eth ip6 fd00::1 fd00::2 hop dst frag 0 tcp 1 2 opts=020405b4030307040201010100 | x"),
		pkttest.Frame("eth ip6 fd00::1 fd00::2 frag 8 more=1 next=17 | 12345678"),
		pkttest.Frame("eth ip6 fd00::1 fd00::2 next=51 raw 110400000000000000000000 raw 000000000000000000000000 udp 1 2"),
		pkttest.Frame("eth mpls 100 mpls 200 raw 00000000 eth ip 10.0.0.1 10.0.0.2 icmp 3 1 ip 10.0.0.2 10.0.0.1 udp 1 2"),
		pkttest.Frame("eth type=0x8864 raw 11000001001e0021 ip 10.0.0.1 10.0.0.2 udp 1 2"),
		pkttest.Frame("eth type=0x8863 raw 110900000004 raw 01010000"),
		pkttest.Frame("eth type=0x0806 raw 0001080006040001 raw 0200000000010a0000010000000000000a000002"),
		pkttest.Frame("eth type=0x894f raw 0002020300000000 eth ip 10.0.0.1 10.0.0.2 udp 1 2"),
		pkttest.Frame("eth type=0x8926 raw 000000008100 vlan 5 ip 10.0.0.1 10.0.0.2 udp 1 2"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 proto=47 raw 100088be00000001 raw 1017 raw 000000000000 eth ip 10.0.0.1 10.0.0.2 udp 1 2"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 proto=47 raw 2001880b00000000 raw ff030021 ip 10.0.0.1 10.0.0.2 udp 1 2"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 proto=47 raw 400008000000000008000004 raw 0000000000000000 ip 10.0.0.1 10.0.0.2 udp 1 2"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1 3544 raw 0000000000000000 ip6 fd00::1 fd00::2 icmp6 1 0 ip6 fd00::1 fd00::2 udp 1 2"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 sctp 5 6 raw 00030006aabb0000 raw 0a000010aabbccdd"),
	}
}

// FuzzDecode decodes arbitrary frames of every link type. What comes out lies within
// the frame and within the limits, and is the same a second time.
func FuzzDecode(f *testing.F) {
	for _, b := range seeds() {
		f.Add(uint16(1), b)
		f.Add(uint16(packet.LinkVXLAN), append(packet.AppendVXLAN(nil, 1), b...))
		f.Add(uint16(packet.LinkGENEVE), append(packet.AppendGENEVE(nil, 1, packet.EtherTypeBridge, packet.AppendAWSOptions(nil, 1, 2, 3)), b...))
	}
	ip := pkttest.Frame("ip 10.0.0.1 10.0.0.2 udp 1 2 | x")
	f.Add(uint16(0), append([]byte{2, 0, 0, 0}, ip...))
	f.Add(uint16(9), append([]byte{0xff, 3, 0, 0x21}, ip...))
	f.Add(uint16(101), ip)
	f.Add(uint16(104), append([]byte{0xf, 0, 8, 0}, ip...))
	f.Add(uint16(113), append([]byte{14: 8, 15: 0}, ip...))
	f.Add(uint16(276), append([]byte{8, 0, 19: 0}, ip...))
	lenient := packet.NewDecoder(packet.Options{})
	strict := packet.NewDecoder(packet.Options{StopTruncated: true, VXLANStrict: true, NoERSPANI: true, NoVNTag: true, MaxLayers: 6})
	f.Fuzz(func(t *testing.T, link uint16, b []byte) {
		orig := bytes.Clone(b)
		for _, d := range []*packet.Decoder{lenient, strict} {
			ps := d.Decode(nil, packet.Link(link), b, len(b), 1)
			if len(ps) == 0 || len(ps) > packet.MaxLayers {
				t.Fatalf("%d packets", len(ps))
			}
			for i := range ps {
				checkSane(t, &ps[i])
				if int(ps[i].Recursion) > i || int(ps[i].NEvents) > packet.MaxEvents {
					t.Fatalf("packet %d: recursion %d, %d events", i, ps[i].Recursion, ps[i].NEvents)
				}
			}
			again := d.Decode(make([]packet.Parsed, 0, 1), packet.Link(link), b, len(b), 1)
			if eventNames(again) != eventNames(ps) || len(again) != len(ps) {
				t.Fatalf("%q at first, %q the second time", eventNames(ps), eventNames(again))
			}
		}
		if !bytes.Equal(orig, b) {
			t.Fatal("the frame was changed")
		}
	})
}

// FuzzDecodeIP is FuzzDecode from the IP header on, as after defragmentation, with a
// prefix of link headers.
func FuzzDecodeIP(f *testing.F) {
	for _, b := range seeds() {
		if p := &decodeEther(b)[0]; p.IPVersion != 0 {
			f.Add(b[p.L3:], uint8(0))
			f.Add(b, uint8(p.L3))
		}
	}
	d := packet.NewDecoder(packet.Options{})
	f.Fuzz(func(t *testing.T, b []byte, l3 uint8) {
		if int(l3) > len(b) {
			return
		}
		parent := decodeEther(b)[0]
		for _, par := range []*packet.Parsed{nil, &parent} {
			ps := d.DecodeAt(nil, b, int(l3), 1, par, packet.FromDefrag)
			for i := range ps {
				checkSane(t, &ps[i])
			}
			if ps[0].Source != packet.FromDefrag {
				t.Fatalf("source %d", ps[0].Source)
			}
		}
		c := bytes.Clone(b)
		packet.SetChecksums(c[l3:])
		if p := &d.DecodeIP(nil, c[l3:], 1, nil, packet.FromDefrag)[0]; p.IPv4Checksum() == packet.ChecksumBad || p.L4Checksum() == packet.ChecksumBad {
			t.Fatalf("checksums are bad after they were set: %x", c[l3:])
		}
	})
}

// FuzzGENEVE reads arbitrary GENEVE headers: the options fill exactly the space they have.
func FuzzGENEVE(f *testing.F) {
	f.Add(append(packet.AppendGENEVE(nil, 5, packet.EtherTypeIPv4, packet.AppendAWSOptions(nil, 1, 2, 3)), "inner"...))
	f.Add(packet.AppendGENEVE(nil, 5, packet.EtherTypeBridge, []byte{1, 2, 3, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, ok := packet.ParseGENEVE(b)
		if !ok {
			return
		}
		size := 0
		for it := g.Iter(); it.Next(); {
			size += 4 + len(it.Option.Data)
		}
		if size != g.OptionLen || size != len(g.Options) || 8+size+len(g.Inner) != len(b) {
			t.Fatalf("%d bytes of options, %d of them read, %d inside, of %d", g.OptionLen, size, len(g.Inner), len(b))
		}
		g.AWS()
		h := packet.AppendGENEVE(nil, g.VNI, g.Protocol, g.Options)
		if g2, ok := packet.ParseGENEVE(h); !ok || g2.VNI != g.VNI || g2.Protocol != g.Protocol || !bytes.Equal(g2.Options, g.Options) {
			t.Fatalf("%+v became %+v", g, g2)
		}
	})
}
