package agent

import "time"

// bucket is a token bucket over bytes and packets. The zero value has no limit. Time is
// nanoseconds of any clock that does not go back.
type bucket struct {
	bytes, packets flow
	shared         bool
	limited        bool
}

// flow is one bucket: tokens are units times a thousand million, so that none are lost in
// short intervals.
type flow struct {
	rate   int64 // units per second; 0: no limit
	most   int64 // units
	tokens int64 // units; below 0 when production took more than there was
	rest   int64 // units times nanoseconds that are not whole tokens yet
}

func newBucket(l Limit) bucket {
	if l.Burst == 0 {
		l.Burst = DefaultBurst
	}
	// At least one frame of any size passes at a time.
	make := func(rate, least int64) flow {
		most := max(mulDiv(rate, int64(l.Burst)), least)
		return flow{rate: rate, most: most, tokens: most}
	}
	b := bucket{shared: l.Shared}
	if l.BitsPerSecond > 0 {
		b.bytes = make(max(l.BitsPerSecond/8, 1), 64<<10)
	}
	if l.PacketsPerSecond > 0 {
		b.packets = make(l.PacketsPerSecond, 64)
	}
	b.limited = b.bytes.rate > 0 || b.packets.rate > 0
	return b
}

// mulDiv returns rate units per second times ns nanoseconds, in units.
func mulDiv(rate, ns int64) int64 {
	s, ns := ns/int64(time.Second), ns%int64(time.Second)
	return rate*s + int64(float64(rate)*float64(ns)/1e9)
}

// pass lets ns nanoseconds go by.
func (b *bucket) pass(ns int64) {
	b.bytes.pass(ns)
	b.packets.pass(ns)
}

func (f *flow) pass(ns int64) {
	if f.rate == 0 || ns <= 0 {
		return
	}
	if ns > int64(time.Minute) { // longer than any burst
		f.tokens, f.rest = f.most, 0
		return
	}
	// rate is at most 2^63/8 and ns 6e10: split to stay within 64 bits.
	whole := mulDiv(f.rate, ns)
	if f.rate < 1<<26 {
		f.rest += f.rate * ns
		whole = f.rest / int64(time.Second)
		f.rest %= int64(time.Second)
	}
	f.tokens = min(f.tokens+whole, f.most)
}

// produce takes what production traffic used.
func (b *bucket) produce(bytes, packets int64) {
	if b.shared {
		b.bytes.tokens = max(b.bytes.tokens-bytes, -b.bytes.most)
		b.packets.tokens = max(b.packets.tokens-packets, -b.packets.most)
	}
}

// take takes what one mirrored packet needs; false when it is not there.
func (b *bucket) take(bytes int) bool {
	n := int64(bytes)
	if b.bytes.rate > 0 && b.bytes.tokens < n || b.packets.rate > 0 && b.packets.tokens < 1 {
		return false
	}
	b.bytes.tokens -= n
	b.packets.tokens--
	return true
}
