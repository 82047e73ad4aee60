package packet_test

import (
	"fmt"
	"testing"
	"unsafe"

	"mirador/internal/packet"
)

func BenchmarkDecode(b *testing.B) {
	d := packet.NewDecoder(packet.Options{})
	plain := tcpFrame("hello hello hello hello hello hello hello")
	mirror := mirrored(plain, 7)
	for _, c := range []struct {
		name  string
		link  packet.Link
		frame []byte
	}{
		{"tcp", packet.LinkEthernet, plain},
		{"vxlan+tcp", packet.LinkEthernet, mirror},
		{"payload vxlan+tcp", packet.LinkVXLAN, mirror[14+28:]},
	} {
		b.Run(c.name, func(b *testing.B) {
			dst := make([]packet.Parsed, 0, packet.MaxLayers)
			b.ReportAllocs()
			for b.Loop() {
				dst = d.Decode(dst[:0], c.link, c.frame, len(c.frame), 1)
			}
		})
	}
	b.Log(fmt.Sprint("sizeof Parsed: ", unsafe.Sizeof(packet.Parsed{})))
}

func BenchmarkChecksum(b *testing.B) {
	for _, n := range []int{20, 64, 512, 1460} {
		buf := make([]byte, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				packet.InternetChecksum(buf)
			}
		})
	}
}

func BenchmarkSymmetricHash(b *testing.B) {
	d := packet.NewDecoder(packet.Options{})
	frame := tcpFrame("hello")
	p := &d.Decode(nil, packet.LinkEthernet, frame, len(frame), 1)[0]
	var x uint64
	for b.Loop() {
		x += p.SymmetricHash(x)
	}
}
