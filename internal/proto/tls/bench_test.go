package tls_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

// BenchmarkHandshake is a whole session up to the first data.
func BenchmarkHandshake(b *testing.B) {
	tab := prototest.Table(b, nil, tls.Protocol())
	up := []byte(rec(22, clientHello("", sni("www.example.org")+ticket)))
	down := []byte(rec(22, serverHello("", "")+chain(certificate{exts: extensions(altNames(tlv(0x82, "a.b")))}.der())))
	b.SetBytes(int64(len(up) + len(down)))
	b.ReportAllocs()
	for b.Loop() {
		c := proto.NewConn(tab, proto.Hint{DstPort: 443})
		c.Feed(proto.ToServer, up, 0, false)
		c.Feed(proto.ToClient, down, 0, false)
	}
}

// encrypted returns a session past its handshake.
func encrypted(tb testing.TB) *proto.Conn {
	c := proto.NewConn(prototest.Table(tb, nil, tls.Protocol()), proto.Hint{DstPort: 443})
	c.Feed(proto.ToServer, []byte(rec(22, clientHello("", offer13))), 0, false)
	c.Feed(proto.ToClient, []byte(rec(22, serverHello("", pick13))+data), 0, false)
	c.Feed(proto.ToServer, []byte(data), 100, false)
	return c
}

// BenchmarkData is what the parser does with encrypted records.
func BenchmarkData(b *testing.B) {
	c := encrypted(b)
	in := []byte(strings.Repeat(rec(23, strings.Repeat("x", 1400)), 10))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(proto.ToClient, in, 1000, false)
		c.Frames = c.Frames[:0]
	}
}

// TestDataAllocs asserts that encrypted records cost no allocation.
func TestDataAllocs(t *testing.T) {
	c := encrypted(t)
	in := []byte(strings.Repeat(rec(23, strings.Repeat("x", 1400)), 10))
	if n := testing.AllocsPerRun(100, func() {
		c.Feed(proto.ToClient, in, 1000, false)
		c.Frames = c.Frames[:0]
	}); n != 0 {
		t.Errorf("%v allocations per ten records", n)
	}
}
