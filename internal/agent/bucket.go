package agent

import "mirador/internal/mirror"

// bucket is a token bucket over bytes and packets. The zero value has no limit. Time is
// nanoseconds of any clock that does not go back.
type bucket struct {
	bytes, packets mirror.Bucket
	shared         bool
	limited        bool
}

func newBucket(l Limit) bucket {
	if l.Burst == 0 {
		l.Burst = DefaultBurst
	}
	b := bucket{shared: l.Shared}
	// At least one frame of any size passes at a time.
	if l.BitsPerSecond > 0 {
		b.bytes = mirror.NewBucket(max(l.BitsPerSecond/8, 1), l.Burst, 64<<10)
	}
	b.packets = mirror.NewBucket(l.PacketsPerSecond, l.Burst, 64)
	b.limited = l.BitsPerSecond > 0 || l.PacketsPerSecond > 0
	return b
}

// pass lets ns nanoseconds go by.
func (b *bucket) pass(ns int64) {
	b.bytes.Pass(ns)
	b.packets.Pass(ns)
}

// produce takes what production traffic used.
func (b *bucket) produce(bytes, packets int64) {
	if b.shared {
		b.bytes.Owe(bytes)
		b.packets.Owe(packets)
	}
}

// take takes what one mirrored packet needs; false when it is not there.
func (b *bucket) take(bytes int) bool {
	return b.packets.Has(1) && b.bytes.Take(int64(bytes)) && b.packets.Take(1)
}
