package packet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

var (
	macA = [6]byte{2, 0, 0, 0, 0, 1}
	macB = [6]byte{2, 0, 0, 0, 0, 2}
	ipA  = [4]byte{10, 0, 0, 1}
	ipB  = [4]byte{10, 0, 0, 2}
)

// tcpFrame is an Ethernet frame with a TCP segment that carries payload.
func tcpFrame(payload string) []byte {
	b := packet.AppendEthernet(nil, macB, macA, packet.EtherTypeIPv4)
	b = packet.AppendIPv4(b, packet.IPv4{Src: ipA, Dst: ipB, Proto: packet.ProtoTCP}, 20+12+len(payload))
	b = packet.AppendTCP(b, packet.TCP{SrcPort: 40000, DstPort: 80, Seq: 7, Ack: 8, Flags: packet.ACK | packet.PSH, Window: 512,
		Options: []byte{1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6}})
	b = append(b, payload...)
	packet.SetChecksums(b[14:])
	return b
}

// mirrored wraps frame as AWS does, in an Ethernet frame.
func mirrored(frame []byte, vni uint32) []byte {
	b := packet.AppendEthernet(nil, macB, macA, packet.EtherTypeIPv4)
	b = packet.AppendMirror(b, [4]byte{172, 31, 0, 5}, [4]byte{172, 31, 0, 9}, 0xff81, vni, len(frame))
	return append(b, frame...)
}

func TestDecodeMirrored(t *testing.T) {
	d := packet.NewDecoder(packet.Options{})
	frame := mirrored(tcpFrame("hello"), 1234)
	got := d.Decode(nil, packet.LinkEthernet, frame, len(frame), 99)
	if len(got) != 2 {
		t.Fatalf("%d packets, want 2", len(got))
	}
	out, in := &got[0], &got[1]
	if out.DstPort != packet.PortVXLAN || out.TTL != 255 || out.Depth != packet.DepthTransport || out.L4Checksum() != packet.ChecksumOK {
		t.Errorf("outer: %+v", out)
	}
	if in.VNI != 1234 || in.Source != packet.FromTunnelVXLAN || in.Recursion != 1 || in.Time != 99 {
		t.Errorf("inner: VNI %d, source %d, recursion %d, time %d", in.VNI, in.Source, in.Recursion, in.Time)
	}
	if string(in.PayloadBytes()) != "hello" || in.SrcPort != 40000 || in.DstPort != 80 || !in.HasTS || in.TSVal != 5 || in.TSEcr != 6 {
		t.Errorf("inner TCP: %q %d %d %v %d %d", in.PayloadBytes(), in.SrcPort, in.DstPort, in.HasTS, in.TSVal, in.TSEcr)
	}
	if in.IPv4Checksum() != packet.ChecksumOK || in.L4Checksum() != packet.ChecksumOK {
		t.Errorf("checksums: %d %d", in.IPv4Checksum(), in.L4Checksum())
	}
	if in.EtherSrc != macA || in.EtherDst != macB {
		t.Errorf("addresses: %x %x", in.EtherSrc, in.EtherDst)
	}
}

func decodeEther(frame []byte) []packet.Parsed {
	d := packet.NewDecoder(packet.Options{})
	return d.Decode(nil, packet.LinkEthernet, frame, len(frame), 0)
}

func TestDecodeFields(t *testing.T) {
	p := &decodeEther(pkttest.Frame("eth vlan 0x2007 qinq 8 ip 10.0.0.1 10.0.0.2 tos=0x10 ttl=3 id=77 frag=0x4000 opts=9404000001010101 tcp 4000 80 seq=5 ack=6 flags=SU win=7 urg=8 opts=020405b4030307040201010100 | data"))[0]
	if p.NVLAN != 2 || p.VLAN != [3]uint16{7, 8, 0} || p.EtherType != packet.EtherTypeIPv4 || p.EtherHdrType != packet.EtherTypeVLAN || !p.HasEther {
		t.Errorf("link: %s", dump(p))
	}
	if p.IPVersion != 4 || p.TOS != 0x10 || p.TTL != 3 || p.IPID != 77 || !p.DontFrag || p.Fragment || p.L3 != 22 || p.L3Len != 28 || p.Proto != packet.ProtoTCP {
		t.Errorf("IP: %s", dump(p))
	}
	if want := (packet.Tuple{Src: packet.AddrFrom4(ipA), Dst: packet.AddrFrom4(ipB), SrcPort: 4000, DstPort: 80, Proto: 6, Version: 4}); p.Tuple() != want || want.Reverse().Reverse() != want {
		t.Errorf("tuple %+v, want %+v", p.Tuple(), want)
	}
	if p.Seq != 5 || p.Ack != 6 || p.Flags != packet.SYN|packet.URG || p.Window != 7 || p.Urgent != 8 || !p.HasMSS || p.MSS != 1460 || !p.HasWScale || p.WScale != 7 || !p.SACKOK || p.HasTS {
		t.Errorf("TCP: %s", dump(p))
	}
	if string(p.PayloadBytes()) != "data" || !p.IsTCP() || p.IsUDP() || !p.WantsFlow() {
		t.Errorf("payload %q", p.PayloadBytes())
	}
	if h := p.IPv4Header(); len(h) != 28 || h[0] != 0x47 || p.IPv6Header() != nil {
		t.Errorf("IPv4 header %x", h)
	}
	if h := p.L4Header(); len(h) != 36 || h[1] != 0xa0 {
		t.Errorf("TCP header %x", h)
	}
	var opts []byte
	for it := p.TCPOptions(); it.Next(); {
		opts = append(opts, it.Option.Kind, byte(len(it.Option.Data)))
	}
	if string(opts) != "\x02\x02\x03\x01\x04\x00\x01\x00\x01\x00\x01\x00\x00\x00" {
		t.Errorf("TCP options %x", opts)
	}
	opts = nil
	for it := p.IPv4Options(); it.Next(); {
		opts = append(opts, it.Option.Type, byte(len(it.Option.Data)))
	}
	if string(opts) != "\x94\x02\x01\x00\x01\x00\x01\x00\x01\x00" {
		t.Errorf("IPv4 options %x", opts)
	}
}

func TestDecodeIPv6(t *testing.T) {
	p := &decodeEther(pkttest.Frame("eth ip6 fd00::1 fd00::2 tos=0xab ttl=9 hop dst frag 16 more=1 id=0x11223344 next=17 | 12345678"))[0]
	if p.IPVersion != 6 || p.TOS != 0xab || p.TTL != 9 || !p.Fragment || p.FragOffset != 16 || !p.MoreFrags || p.IPID != 0x11223344 || p.Proto != packet.ProtoUDP {
		t.Errorf("%s", dump(p))
	}
	if p.FragHdr != 14+40+16 || p.FragNext != 14+40+8 || p.L3Len != 40+24 || string(p.PayloadBytes()) != "12345678" || p.Depth != packet.DepthNet {
		t.Errorf("%s", dump(p))
	}
	var hdrs []byte
	for it := p.ExtHdrs(); it.Next(); {
		hdrs = append(hdrs, it.Hdr.Proto, it.Hdr.Next, byte(len(it.Hdr.Data)))
	}
	if want := []byte{0, 60, 8, 60, 44, 8, 44, 17, 8}; !bytes.Equal(hdrs, want) {
		t.Errorf("extension headers %v, want %v", hdrs, want)
	}
	if p.Src.Is4() || p.Src != (packet.Addr{0: 0xfd, 15: 1}) {
		t.Errorf("source %v", p.Src)
	}
	p = &decodeEther(pkttest.Frame("eth ip6 fd00::1 fd00::2 frag 0 udp 1 2 | x"))[0]
	if p.Fragment || p.FragHdr == 0 || p.Depth != packet.DepthTransport || len(p.IPv6Header()) != 48 {
		t.Errorf("a fragment that is whole: %s", dump(p))
	}
}

func TestDecodeARP(t *testing.T) {
	p := &decodeEther(pkttest.Frame("eth type=0x0806 raw 00010800060400020200000000010a0000010200000000020a000002 | padding"))[0]
	a, ok := p.ARP()
	if want := (packet.ARP{HardwareType: 1, ProtocolType: 0x800, Opcode: 2, SrcMAC: macA, DstMAC: macB, SrcIP: ipA, DstIP: ipB}); !ok || a != want {
		t.Errorf("%+v %v, want %+v", a, ok, want)
	}
	if p.IPVersion != 0 || p.WantsFlow() || p.Depth != packet.DepthNet {
		t.Errorf("%s", dump(p))
	}
	if _, ok := decodeEther(tcpFrame("x"))[0].ARP(); ok {
		t.Error("TCP has ARP fields")
	}
}

// An ICMP error tells which packet it is about.
func TestQuoted(t *testing.T) {
	f := func(desc string, want packet.Quoted, wantOK bool) {
		t.Helper()
		q, ok := decodeEther(pkttest.Frame(desc))[0].Quoted()
		if ok != wantOK || q != want {
			t.Errorf("%s: %+v %v, want %+v", desc, q, ok, want)
		}
	}
	v4 := packet.Tuple{Src: packet.AddrFrom4(ipB), Dst: packet.AddrFrom4(ipA), SrcPort: 80, DstPort: 4000, Proto: 6, Version: 4}
	f("eth ip 10.0.0.9 10.0.0.2 icmp 3 1 ip 10.0.0.2 10.0.0.1 opts=94040000 tcp 80 4000", packet.Quoted{Tuple: v4, HasPorts: true}, true)
	v4.SrcPort, v4.DstPort = 0, 0
	f("eth ip 10.0.0.9 10.0.0.2 icmp 3 1 ip 10.0.0.2 10.0.0.1 frag=5 proto=6 | 12345678", packet.Quoted{Tuple: v4, Fragment: true}, true)
	f("eth ip 10.0.0.9 10.0.0.2 icmp 8 0 ip 10.0.0.2 10.0.0.1 tcp 80 4000", packet.Quoted{}, false)
	f("eth ip 10.0.0.9 10.0.0.2 icmp 3 1 raw 4f00001400000000400600000a0000020a000001", packet.Quoted{}, false)
	v6 := packet.Tuple{Src: packet.Addr{0: 0xfd, 15: 2}, Dst: packet.Addr{0: 0xfd, 15: 1}, SrcPort: 53, DstPort: 4000, Proto: 17, Version: 6}
	f("eth ip6 fd00::9 fd00::2 icmp6 1 4 ip6 fd00::2 fd00::1 udp 53 4000", packet.Quoted{Tuple: v6, HasPorts: true}, true)
}

func TestSCTPAndESPAndIGMP(t *testing.T) {
	p := &decodeEther(pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 sctp 5 6 tag=0x01020304 raw 00030006aabb0000 raw 0a000010aabbccdd"))[0]
	tag, ok := p.SCTPVTag()
	var got []string
	for it := p.SCTPChunks(); it.Next(); {
		got = append(got, fmt.Sprintf("%d/%d/%d/%x", it.Chunk.Type, it.Chunk.Flags, it.Chunk.Length, it.Chunk.Data))
	}
	if want := "[0/3/6/aabb 10/0/16/aabbccdd]"; fmt.Sprint(got) != want || tag != 0x01020304 || !ok || p.SrcPort != 5 {
		t.Errorf("SCTP %v tag %x, want %v", got, tag, want)
	}
	p = &decodeEther(pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 proto=50 raw 0000007b00000001"))[0]
	if p.SPI != 123 || !p.WantsFlow() {
		t.Errorf("ESP: %s", dump(p))
	}
	p = &decodeEther(pkttest.Frame("eth ip 10.0.0.1 224.0.0.1 ttl=1 proto=2 raw 1164ee9b00000000"))[0]
	if h := p.IGMPHeader(); len(h) != 8 || h[0] != 0x11 || p.IGMPChecksum() != packet.ChecksumOK || p.WantsFlow() {
		t.Errorf("IGMP %x checksum %d", h, p.IGMPChecksum())
	}
	p = &decodeEther(pkttest.Frame("eth ip 10.0.0.1 224.0.0.1 ttl=1 icmp 9 0 rest=0x0102000a raw 0e50544200000000"))[0]
	if h := p.L4Header(); len(h) != 16 || len(p.PayloadBytes()) != 8 {
		t.Errorf("router advertisement: header %x, payload %x", h, p.PayloadBytes())
	}
}

// What is cut by the mirror is decoded as far as it goes; with StopTruncated nothing
// of it is.
func TestTruncated(t *testing.T) {
	whole := tcpFrame("hello hello hello hello")
	for _, c := range []struct {
		n     int
		depth packet.Depth
	}{
		{13, packet.DepthNone}, {14, packet.DepthLink}, {33, packet.DepthLink}, {34, packet.DepthNet},
		{65, packet.DepthNet}, {66, packet.DepthTransport}, {70, packet.DepthTransport},
	} {
		cut := whole[:c.n]
		d := packet.NewDecoder(packet.Options{})
		p := &d.Decode(nil, packet.LinkVXLAN, append(packet.AppendVXLAN(nil, 3), cut...), 0, 0)[0]
		if p.Depth != c.depth || p.Truncated != (c.n >= 34) {
			t.Errorf("cut at %d: depth %d, truncated %v, want depth %d", c.n, p.Depth, p.Truncated, c.depth)
		}
		if p.Depth >= packet.DepthNet && (p.Src != packet.AddrFrom4(ipA) || p.Invalid || !p.HasEvent(packet.IPv4TruncPkt)) {
			t.Errorf("cut at %d: %s", c.n, dump(p))
		}
		if p.Depth == packet.DepthTransport && (p.L4Checksum() != packet.ChecksumUnknown || p.DstPort != 80) {
			t.Errorf("cut at %d: checksum %d, port %d", c.n, p.L4Checksum(), p.DstPort)
		}
		d = packet.NewDecoder(packet.Options{StopTruncated: true})
		p = &d.Decode(nil, packet.LinkEthernet, cut, len(whole), 0)[0]
		if p.Depth > packet.DepthLink || p.Src != (packet.Addr{}) || !p.Invalid && c.n != 14 && c.n != 33 && c.n != 13 {
			t.Errorf("stopped at %d: %s", c.n, dump(p))
		}
		if p.WireLen != len(whole) {
			t.Errorf("stopped at %d: %d bytes on the wire, want %d", c.n, p.WireLen, len(whole))
		}
	}
}

// Frames cut at every length, within VXLAN and GENEVE, end in some depth.
func TestCutAnywhere(t *testing.T) {
	frames := [][]byte{
		tcpFrame(strings.Repeat("x", 200)),
		pkttest.Frame("eth vlan 1 vlan 2 ip6 fd00::1 fd00::2 hop dst frag 0 tcp 1 2 opts=020405b401010402 | " + strings.Repeat("y", 200)),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 icmp 3 1 ip 10.0.0.2 10.0.0.1 tcp 1 2 | " + strings.Repeat("z", 200)),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 gre ip6 fd00::1 fd00::2 udp 1 2 | " + strings.Repeat("z", 200)),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1 3544 ip6 fd00::1 fd00::2 udp 1 2 | " + strings.Repeat("z", 200)),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1 4789 vxlan 2 eth ip 10.0.0.1 10.0.0.2 udp 1 6081 geneve 3 ip 10.0.0.1 10.0.0.2 sctp 1 2 | " + strings.Repeat("z", 200)),
	}
	lenient := packet.NewDecoder(packet.Options{})
	strict := packet.NewDecoder(packet.Options{StopTruncated: true, VXLANStrict: true})
	var dst []packet.Parsed
	for i, frame := range frames {
		for n := range 257 {
			cut := frame[:n]
			for _, c := range []struct {
				link packet.Link
				data []byte
			}{
				{packet.LinkEthernet, cut},
				{packet.LinkEthernet, mirrored(cut, 9)},
				{packet.LinkVXLAN, append(packet.AppendVXLAN(nil, 9), cut...)},
				{packet.LinkGENEVE, append(packet.AppendGENEVE(nil, 9, packet.EtherTypeBridge, nil), cut...)},
				{packet.LinkGENEVE, append(packet.AppendGENEVE(nil, 9, packet.EtherTypeIPv4, packet.AppendAWSOptions(nil, 1, 2, 3)), pkttest.MirrorIP(frame, 2)[:n]...)},
				{packet.LinkVXLAN, append(packet.AppendVXLAN(nil, 9), frame...)[:n]},
				{packet.LinkGENEVE, append(packet.AppendGENEVE(nil, 9, packet.EtherTypeBridge, packet.AppendAWSOptions(nil, 1, 2, 3)), frame...)[:n]},
			} {
				for _, d := range []*packet.Decoder{lenient, strict} {
					dst = d.Decode(dst[:0], c.link, c.data, len(frame), 0)
					if len(dst) == 0 {
						t.Fatalf("frame %d cut at %d: no packet", i, n)
					}
					for j := range dst {
						checkSane(t, &dst[j])
					}
				}
			}
		}
	}
}

// A datagram as a socket receives it: the tunnel header is off, and told.
func TestBareTunnels(t *testing.T) {
	d := packet.NewDecoder(packet.Options{})
	inner := tcpFrame("in")
	ps := d.Decode(nil, packet.LinkVXLAN, append(packet.AppendVXLAN(nil, 77), inner...), 0, 5)
	if p := &ps[0]; len(ps) != 1 || p.VNI != 77 || p.Source != packet.FromTunnelVXLAN || p.Recursion != 0 || p.Link != packet.LinkEthernet || len(p.Data) != len(inner) || string(p.PayloadBytes()) != "in" {
		t.Errorf("VXLAN: %s", dump(&ps[0]))
	}
	outer := pkttest.GWLB(pkttest.MirrorIP(inner, 9), 1, 2, 3)[14+28:]
	ps = d.Decode(nil, packet.LinkGENEVE, outer, 0, 5)
	if len(ps) != 2 || ps[0].Source != packet.FromTunnelGENEVE || ps[0].DstPort != packet.PortVXLAN || ps[1].VNI != 9 || string(ps[1].PayloadBytes()) != "in" {
		t.Errorf("GENEVE: %d packets, %s", len(ps), dump(&ps[len(ps)-1]))
	}
	for _, b := range [][]byte{nil, make([]byte, 8), make([]byte, 7)} {
		if p := d.Decode(nil, packet.LinkVXLAN, b, 0, 0); len(p) != 1 || p[0].Depth != packet.DepthNone {
			t.Errorf("no VXLAN header in %x, but depth %d", b, p[0].Depth)
		}
	}
	if p := d.Decode(nil, packet.Link(4711), inner, 0, 0); len(p) != 1 || p[0].Depth != packet.DepthNone {
		t.Error("an unknown link type was decoded")
	}
}

func TestVXLANReserved(t *testing.T) {
	frame := mirrored(tcpFrame("x"), 5)
	for _, at := range []int{14 + 28 + 1, 14 + 28 + 7} {
		b := bytes.Clone(frame)
		b[at] = 0x80
		if n := len(decodeEther(b)); n != 2 {
			t.Errorf("reserved bit in byte %d: %d packets, want 2", at, n)
		}
		d := packet.NewDecoder(packet.Options{VXLANStrict: true})
		if n := len(d.Decode(nil, packet.LinkEthernet, b, 0, 0)); n != 1 {
			t.Errorf("reserved bit in byte %d, strict: %d packets, want 1", at, n)
		}
	}
}

func TestTunnelPorts(t *testing.T) {
	vxlan := pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 udp 1 8472 vxlan 5 eth ip 10.0.0.1 10.0.0.2 udp 1 2")
	usual := mirrored(tcpFrame("x"), 5)
	for _, c := range []struct {
		ports        []uint16
		vxlan, usual int
	}{
		{nil, 1, 2}, {[]uint16{}, 1, 1}, {[]uint16{8472}, 2, 1}, {[]uint16{1, 8472, 4789}, 2, 2},
	} {
		d := packet.NewDecoder(packet.Options{VXLANPorts: c.ports})
		if got := [2]int{len(d.Decode(nil, 1, vxlan, 0, 0)), len(d.Decode(nil, 1, usual, 0, 0))}; got != [2]int{c.vxlan, c.usual} {
			t.Errorf("ports %v: %v packets, want %d and %d", c.ports, got, c.vxlan, c.usual)
		}
	}
}

// DecodeIP takes over what the link said about the packet it was part of.
func TestDecodeIP(t *testing.T) {
	d := packet.NewDecoder(packet.Options{})
	frame := pkttest.Frame("eth vlan 9 ip 10.0.0.1 10.0.0.2 frag=0x2000 proto=17 | 12345678")
	dst := d.Decode(make([]packet.Parsed, 0, 1), packet.LinkEthernet, frame, 0, 1)
	ip := pkttest.Frame("ip 10.0.0.1 10.0.0.2 udp 1 2 | whole")
	dst = d.DecodeIP(dst, ip, 7, &dst[0], packet.FromDefrag) // dst moves
	p := &dst[1]
	if p.NVLAN != 1 || p.VLAN[0] != 9 || p.Source != packet.FromDefrag || p.Time != 7 || p.HasEther || p.Layers != dst[0].Layers || string(p.PayloadBytes()) != "whole" {
		t.Errorf("%s", dump(p))
	}
	l3 := dst[0].L3
	dst = d.DecodeAt(dst, append(frame[:l3:l3], ip...), l3, 7, &dst[0], packet.FromDefrag)
	p = &dst[2]
	if !p.HasEther || p.EtherSrc != macA || p.Link != packet.LinkEthernet || p.L3 != l3 || string(p.PayloadBytes()) != "whole" {
		t.Errorf("%s", dump(p))
	}
	if p := &d.DecodeIP(nil, []byte{0x20}, 0, nil, packet.FromDefrag)[0]; p.Depth != packet.DepthNone || !p.HasEvent(packet.IPRawInvalidIPVersion) {
		t.Errorf("%s", dump(p))
	}
}

func TestNoAllocs(t *testing.T) {
	d := packet.NewDecoder(packet.Options{})
	frames := [][]byte{
		mirrored(tcpFrame("hello"), 5),
		pkttest.Frame("eth vlan 1 ip6 fd00::1 fd00::2 hop dst tcp 1 2 opts=020405b4 | x"),
		pkttest.Frame("eth ip 10.0.0.1 10.0.0.2 gre ip 10.0.0.1 10.0.0.2 udp 1 2"),
		pkttest.GWLB(pkttest.MirrorIP(tcpFrame("hello"), 9), 1, 2, 3),
	}
	dst := make([]packet.Parsed, 0, packet.MaxLayers)
	var sum int
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range frames {
			dst = d.Decode(dst[:0], packet.LinkEthernet, b, len(b), 1)
			p := &dst[len(dst)-1]
			sum += int(p.L4Checksum()) + int(p.SymmetricHash(1))
			for it := p.TCPOptions(); it.Next(); {
				sum += len(it.Option.Data)
			}
			for it := p.ExtHdrs(); it.Next(); {
				sum += len(it.Hdr.Data)
			}
			dst = d.DecodeIP(dst, b[14:], 1, p, packet.FromDefrag)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
