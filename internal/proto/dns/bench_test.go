package dns_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dns"
)

func BenchmarkDecode(b *testing.B) {
	for name, m := range map[string][]byte{
		"query":  newMsg(7, 0x0100, 1, 0, 0, 1).name("www.example.org").q(1).name("").rr(41, 0, "").b,
		"answer": newMsg(7, 0x8180, 1, 3, 0, 0).name("www.example.org").q(1).ptr(12).rr(5, 60, "\x04edge\xc0\x10").ptr(12).rr(1, 60, "abcd").ptr(12).rr(1, 60, "abcd").b,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(m)))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := dns.Decode(m); !ok {
					b.Fatal("not decoded")
				}
			}
		})
	}
}

// BenchmarkProbe shows what recognising costs, above all for what is not DNS.
func BenchmarkProbe(b *testing.B) {
	probe := dns.Protocol().Probe
	for name, m := range map[string][]byte{
		"query": newMsg(7, 0x0100, 1, 0, 0, 0).name("www.example.org").q(1).b,
		"other": []byte(strings.Repeat("GET / HTTP/1.1\r\n", 10)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				probe(proto.ToServer, m, proto.Hint{SrcPort: 4000, DstPort: 5000, UDP: true})
			}
		})
	}
}

// TestProbeAllocs asserts that recognising DNS allocates nothing.
func TestProbeAllocs(t *testing.T) {
	probe := dns.Protocol().Probe
	m := newMsg(7, 0x0100, 1, 0, 0, 0).name("www.example.org").q(1).b
	if n := testing.AllocsPerRun(100, func() { probe(proto.ToServer, m, proto.Hint{UDP: true, DstPort: 53}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
