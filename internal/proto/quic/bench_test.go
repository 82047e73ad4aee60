package quic_test

import (
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/quic"
)

// BenchmarkInitial is the first datagram of a connection: keys, decryption and
// hello.
func BenchmarkInitial(b *testing.B) {
	tab := prototest.Table(b, nil, quic.Protocol())
	in := initial(v1, 0, first, second, first, crypto(0, clientHello("www.example.org")))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		c := proto.NewConn(tab, proto.Hint{DstPort: 443, UDP: true})
		c.Datagram(proto.ToServer, in)
	}
}

// TestShortHeaderAllocs asserts that the packets behind the handshake cost no
// allocation.
func TestShortHeaderAllocs(t *testing.T) {
	c := proto.NewConn(prototest.Table(t, nil, quic.Protocol()), proto.Hint{DstPort: 443, UDP: true})
	c.Datagram(proto.ToServer, initial(v1, 0, first, second, first, crypto(0, clientHello("a.b"))))
	short := append([]byte{0x40}, make([]byte, 1200)...)
	if n := testing.AllocsPerRun(100, func() { c.Datagram(proto.ToClient, short) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
