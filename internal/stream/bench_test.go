package stream_test

import (
	"testing"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

// talker sends in order: request and answer, with acknowledgements.
type talker struct {
	e    *stream.Engine
	s    stream.Session
	c, v uint32
	p    packet.Parsed
}

func newTalker(tb testing.TB, size int) *talker {
	o := stream.DefaultOptions()
	o.Depth = 0
	k := &talker{e: newEngine(tb, o), c: 100, v: 900}
	dial(k.e, &k.s, 100, 900)
	k.c, k.v = 101, 901
	k.p = *seg(0, 0, packet.ACK, make([]byte, size))
	return k
}

func (k *talker) exchange() {
	p := &k.p
	p.Seq, p.Ack, p.PayloadEnd = k.c, k.v, len(p.Data)
	k.e.Packet(&k.s, p, 0)
	k.c += uint32(len(p.Data))
	p.Seq, p.Ack, p.PayloadEnd = k.v, k.c, 0
	k.e.Packet(&k.s, p, 1)
	for {
		c, ok := k.s.App(0)
		if !ok {
			break
		}
		k.s.AppUsed(0, len(c.Data))
	}
	for {
		w, ok := k.s.Raw(0)
		if !ok {
			break
		}
		k.s.RawUsed(0, len(w.Data))
	}
}

func TestNoAllocInOrder(t *testing.T) {
	k := newTalker(t, 1460)
	for range 100 {
		k.exchange()
	}
	if n := testing.AllocsPerRun(1000, k.exchange); n != 0 {
		t.Fatalf("%v allocations per segment and acknowledgement, want 0", n)
	}
}

func BenchmarkSegment(b *testing.B) {
	for _, size := range []int{64, 1460} {
		b.Run(map[int]string{64: "in-order/64", 1460: "in-order/1460"}[size], func(b *testing.B) {
			k := newTalker(b, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				k.exchange()
			}
		})
	}
	b.Run("swapped/1460", func(b *testing.B) {
		k := newTalker(b, 1460)
		b.SetBytes(2 * 1460)
		b.ReportAllocs()
		for b.Loop() {
			p := &k.p
			p.Seq, p.Ack, p.PayloadEnd = k.c+1460, k.v, 1460
			k.e.Packet(&k.s, p, 0)
			p.Seq = k.c
			k.e.Packet(&k.s, p, 0)
			k.c += 2 * 1460
			p.Seq, p.Ack, p.PayloadEnd = k.v, k.c, 0
			k.e.Packet(&k.s, p, 1)
			c, _ := k.s.App(0)
			k.s.AppUsed(0, len(c.Data))
			w, _ := k.s.Raw(0)
			k.s.RawUsed(0, len(w.Data))
		}
	})
	b.Run("connection", func(b *testing.B) {
		e := newEngine(b, stream.DefaultOptions())
		var s stream.Session
		data := make([]byte, 500)
		pkts := []*packet.Parsed{seg(1, 0, packet.SYN, nil), seg(9, 2, packet.SYN|packet.ACK, nil), seg(2, 10, packet.ACK, nil),
			seg(2, 10, packet.ACK, data), seg(10, 502, packet.ACK, data), seg(502, 510, packet.FIN|packet.ACK, nil),
			seg(510, 503, packet.FIN|packet.ACK, nil), seg(503, 511, packet.ACK, nil)}
		dirs := []uint8{0, 1, 0, 0, 1, 0, 1, 0}
		b.ReportAllocs()
		for b.Loop() {
			for i, p := range pkts {
				e.Packet(&s, p, dirs[i])
				for d := range uint8(2) {
					if c, ok := s.App(d); ok {
						s.AppUsed(d, len(c.Data))
					}
				}
			}
			e.Finish(&s)
			e.Release(&s)
		}
	})
}
