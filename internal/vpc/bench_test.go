package vpc

import (
	"testing"
)

func benchmark(b *testing.B, l *lab, deliveries int) {
	l.compile()
	frame := l.frameOf("eni-a1", "eni-b1", udp, 4000, 5000, 0, 1400)
	if n := len(l.send("eni-a1", frame)); n != deliveries {
		b.Fatalf("%d delivered, want %d", n, deliveries)
	}
	e := l.f.plan.enis["eni-a1"]
	buf := make([]byte, len(frame))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		l.f.begin()
		copy(buf, frame)
		l.f.frame(e, buf, l.now)
	}
}

// BenchmarkForward is the fabric's part of a packet between two subnets, tracked by
// the security groups of both ends; the system calls around it are not in it.
func BenchmarkForward(b *testing.B) {
	l := mirrorLab(b)
	l.group("sg-udp", "in udp 0-65535 10.0.0.0/16", "out udp 0-65535 10.0.0.0/16")
	l.only("eni-a1", "sg-udp")
	l.only("eni-b1", "sg-udp")
	l.snap.Mirroring.Sessions = nil
	benchmark(b, l, 1)
}

// BenchmarkForwardMirrored is the same with a session that takes the packet.
func BenchmarkForwardMirrored(b *testing.B) {
	l := mirrorLab(b, "in", "out")
	l.group("sg-udp", "in udp 0-65535 10.0.0.0/16", "out udp 0-65535 10.0.0.0/16")
	l.only("eni-a1", "sg-udp")
	l.only("eni-b1", "sg-udp")
	benchmark(b, l, 2)
}
