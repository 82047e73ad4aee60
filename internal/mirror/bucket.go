package mirror

import "time"

// Bucket is a token bucket by which production traffic comes first: mirrored packets are
// skipped when there are no tokens. The zero value has no limit. Tokens are whole units,
// bytes or packets; what is left of short intervals is kept.
type Bucket struct {
	rate   int64 // units per second; 0: no limit
	most   int64 // units
	tokens int64 // units; below 0 when production took more than there was
	rest   int64 // units times nanoseconds that are not whole tokens yet
}

// NewBucket returns a full bucket to which perSecond units come back (0: no limit). It
// holds what comes in burst, and least at least.
func NewBucket(perSecond int64, burst time.Duration, least int64) Bucket {
	if perSecond <= 0 {
		return Bucket{}
	}
	most := max(mulDiv(perSecond, int64(burst)), least)
	return Bucket{rate: perSecond, most: most, tokens: most}
}

// Limit returns how many units come back in a second, 0 without a limit, and how many b
// holds.
func (b *Bucket) Limit() (perSecond, most int64) { return b.rate, b.most }

// Pass lets ns nanoseconds go by; below 0 is none.
func (b *Bucket) Pass(ns int64) {
	if b.rate == 0 || ns <= 0 {
		return
	}
	if ns > int64(time.Minute) { // longer than any burst
		b.tokens, b.rest = b.most, 0
		return
	}
	// rate is at most 2^63/8 and ns 6e10: split to stay within 64 bits.
	whole := mulDiv(b.rate, ns)
	if b.rate < 1<<26 {
		b.rest += b.rate * ns
		whole = b.rest / int64(time.Second)
		b.rest %= int64(time.Second)
	}
	b.tokens = min(b.tokens+whole, b.most)
}

// Has tells whether there are n tokens.
func (b *Bucket) Has(n int64) bool { return b.rate == 0 || b.tokens >= n }

// Take takes n tokens, if they are there.
func (b *Bucket) Take(n int64) bool {
	if !b.Has(n) {
		return false
	}
	b.tokens -= n
	return true
}

// Owe takes n tokens whether they are there or not: production is not held up. No more
// is owed than b holds.
func (b *Bucket) Owe(n int64) { b.tokens = max(b.tokens-n, -b.most) }

// mulDiv returns rate units per second times ns nanoseconds, in units.
func mulDiv(rate, ns int64) int64 {
	s, ns := ns/int64(time.Second), ns%int64(time.Second)
	return rate*s + int64(float64(rate)*float64(ns)/1e9)
}
