package agent

import "time"

// Bounds and defaults.
const (
	// DefaultRing holds some 13 ms of 10 Gbit/s, in bytes: longer than the agent is kept
	// from a processor on a busy host.
	DefaultRing = 16 << 20
	minRing     = 1 << 20
	maxRing     = 1 << 30
	// ringBlock is the size of a block of the ring. A frame that stands for many segments
	// is up to 64 KiB long.
	ringBlock = 256 << 10
	// DefaultDelay is short beside what a network adds, and long beside what waking up
	// costs.
	DefaultDelay = 2 * time.Millisecond
	// DefaultBurst of a Limit.
	DefaultBurst = 20 * time.Millisecond
	// DefaultMark of sockets that send mirrored packets ("mira").
	DefaultMark = 0x6d697261
)
