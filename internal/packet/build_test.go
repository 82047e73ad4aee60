package packet_test

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"mirador/internal/capture"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// What is built here is what gopacket builds.
func TestBuildAgainstGopacket(t *testing.T) {
	serialize := func(l ...gopacket.SerializableLayer) []byte {
		t.Helper()
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, l...); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	eth := &layers.Ethernet{SrcMAC: pkttest.ClientMAC[:], DstMAC: pkttest.ServerMAC[:], EthernetType: layers.EthernetTypeIPv4}
	eth6 := &layers.Ethernet{SrcMAC: pkttest.ClientMAC[:], DstMAC: pkttest.ServerMAC[:], EthernetType: layers.EthernetTypeIPv6}
	ip := func(proto layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{Version: 4, TTL: 9, TOS: 3, Id: 7, SrcIP: ipA[:], DstIP: ipB[:], Protocol: proto}
	}
	six := func(proto layers.IPProtocol) *layers.IPv6 {
		return &layers.IPv6{Version: 6, HopLimit: 9, TrafficClass: 3, NextHeader: proto,
			SrcIP: []byte{0xfd, 15: 1}, DstIP: []byte{0xfd, 15: 2}}
	}
	tcp := &layers.TCP{SrcPort: 4000, DstPort: 80, Seq: 5, Ack: 6, SYN: true, ECE: true, Window: 7, Urgent: 8,
		Options: []layers.TCPOption{{OptionType: 2, OptionLength: 4, OptionData: []byte{5, 0xb4}}}}
	udp := &layers.UDP{SrcPort: 4000, DstPort: 80}
	data := gopacket.Payload("hello")
	const h4, h6 = "eth ip 10.0.0.1 10.0.0.2 tos=3 id=7 ttl=9 ", "eth ip6 fd00::1 fd00::2 tos=3 ttl=9 "
	v4, v6 := ip(layers.IPProtocolTCP), six(layers.IPProtocolTCP)
	tcp.SetNetworkLayerForChecksum(v4)
	want := serialize(eth, v4, tcp, data)
	check := func(desc string, want []byte) {
		t.Helper()
		got := pkttest.Frame(desc)
		// gopacket pads short frames to the least Ethernet has.
		if pad := len(want) - len(got); pad > 0 && len(want) == 60 {
			got = append(got, make([]byte, pad)...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", desc, got, want)
		}
	}
	check(h4+"tcp 4000 80 seq=5 ack=6 flags=SE win=7 urg=8 opts=020405b4 | hello", want)
	tcp.SetNetworkLayerForChecksum(v6)
	check(h6+"tcp 4000 80 seq=5 ack=6 flags=SE win=7 urg=8 opts=020405b4 | hello", serialize(eth6, v6, tcp, data))
	v4, v6 = ip(layers.IPProtocolUDP), six(layers.IPProtocolUDP)
	udp.SetNetworkLayerForChecksum(v4)
	check(h4+"udp 4000 80 | hello", serialize(eth, v4, udp, data))
	udp.SetNetworkLayerForChecksum(v6)
	check(h6+"udp 4000 80 | hello", serialize(eth6, v6, udp, data))
	check(h4+"icmp 8 0 rest=0x00010002 | hello", serialize(eth, ip(layers.IPProtocolICMPv4),
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 1, Seq: 2}, data))
	udp.DstPort = packet.PortVXLAN
	udp.SetNetworkLayerForChecksum(ip(layers.IPProtocolUDP))
	check(h4+"udp 4000 4789 vxlan 0x123456 | hello", serialize(eth, ip(layers.IPProtocolUDP), udp, &layers.VXLAN{ValidIDFlag: true, VNI: 0x123456}, data))
}

// The outer headers are byte for byte those in a capture made on AWS.
func TestMirrorAgainstAWS(t *testing.T) {
	f, err := capture.Open(pkttest.Shared(t, "data", "aws-capture", "vxlan.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := packet.NewDecoder(packet.Options{})
	var b capture.Batch
	n := 0
	for f.Read(&b, 0) == nil {
		for _, fr := range b.Frames {
			ps := d.Decode(nil, fr.Link, fr.Data, fr.WireLen, fr.Time)
			if len(ps) < 2 || ps[0].DstPort != packet.PortVXLAN {
				continue
			}
			n++
			out, in := &ps[0], &ps[1]
			got := packet.AppendMirror(nil, [4]byte(out.Src[12:]), [4]byte(out.Dst[12:]), out.SrcPort, in.VNI, len(in.Data))
			want := out.Data[out.L3 : out.Payload+8]
			if !bytes.Equal(got, want) {
				t.Fatalf("frame %d:\n got %x\nwant %x", n, got, want)
			}
			if p := packet.MirrorPort(in); p < 0xff80 || out.SrcPort < 0xff80 {
				t.Errorf("source port %d, on AWS %d", p, out.SrcPort)
			}
			if in.Depth == packet.DepthTransport && in.L4Checksum() == packet.ChecksumBad {
				t.Errorf("frame %d: bad checksum inside", n)
			}
		}
	}
	if n == 0 {
		t.Error("no mirrored packet")
	}
}

func TestMirror6(t *testing.T) {
	frame := tcpFrame("in")
	b := packet.AppendEthernet(nil, macB, macA, packet.EtherTypeIPv6)
	b = packet.AppendMirror6(b, [16]byte{0xfd, 15: 1}, [16]byte{0xfd, 15: 2}, 0xff90, 8, len(frame))
	ps := decodeEther(append(b, frame...))
	if len(ps) != 2 || ps[0].IPVersion != 6 || ps[0].TTL != 255 || ps[1].VNI != 8 || string(ps[1].PayloadBytes()) != "in" {
		t.Errorf("%d packets, %s", len(ps), dump(&ps[0]))
	}
}

func TestBuildPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"IPv4 too long":    func() { packet.AppendIPv4(nil, packet.IPv4{}, 65535) },
		"IPv4 options":     func() { packet.AppendIPv4(nil, packet.IPv4{Options: make([]byte, 41)}, 0) },
		"IPv6 too long":    func() { packet.AppendIPv6(nil, packet.IPv6{}, 65536) },
		"UDP too long":     func() { packet.AppendUDP(nil, 1, 2, 65528) },
		"TCP options":      func() { packet.AppendTCP(nil, packet.TCP{Options: make([]byte, 41)}) },
		"VXLAN VNI":        func() { packet.AppendVXLAN(nil, 1<<24) },
		"GENEVE VNI":       func() { packet.AppendGENEVE(nil, 1<<24, 0, nil) },
		"GENEVE options":   func() { packet.AppendGENEVE(nil, 1, 0, make([]byte, 256)) },
		"GENEVE alignment": func() { packet.AppendGENEVE(nil, 1, 0, make([]byte, 5)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}

func TestGENEVEOptions(t *testing.T) {
	opts := packet.AppendAWSOptions([]byte{0x12, 0x34, 0x85, 1, 1, 2, 3, 4}, 0x0123456789abcdef, 7, 9)
	b := append(packet.AppendGENEVE(nil, 0xabcdef, packet.EtherTypeIPv6, opts), 1, 2)
	g, ok := packet.ParseGENEVE(b)
	if !ok || g.VNI != 0xabcdef || g.Protocol != packet.EtherTypeIPv6 || len(g.Inner) != 2 || g.OptionLen != 40 || g.Control || g.Critical {
		t.Fatalf("%+v %v", g, ok)
	}
	it := g.Iter()
	if !it.Next() || it.Option.Class != 0x1234 || it.Option.Type != 5 || !it.Option.Critical || string(it.Option.Data) != "\x01\x02\x03\x04" {
		t.Errorf("first option %+v", it.Option)
	}
	want := packet.AWSGeneve{Endpoint: 0x0123456789abcdef, Attachment: 7, Cookie: 9, HasEndpoint: true, HasAttachment: true, HasCookie: true}
	if a := g.AWS(); a != want {
		t.Errorf("%+v, want %+v", a, want)
	}
	for n := range 8 + len(opts) {
		if _, ok := packet.ParseGENEVE(b[:n]); ok {
			t.Errorf("cut at %d: accepted", n)
		}
	}
	for _, bad := range [][]byte{
		{0x40, 0, 8, 0, 0, 0, 0, 0},                   // version 1
		{0x01, 0, 8, 0, 0, 0, 0, 0, 1, 8, 1, 2},       // option longer than the options
		{0x01, 0, 8, 0, 0, 0, 0, 0, 1, 8, 1, 0xe2, 0}, // the same, with reserved bits
	} {
		if _, ok := packet.ParseGENEVE(bad); ok {
			t.Errorf("ParseGENEVE(%x) accepted", bad)
		}
	}
}
