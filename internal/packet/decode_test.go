package packet_test

import (
	"testing"

	"mirador/internal/packet"
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
