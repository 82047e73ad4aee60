package stream

import "fmt"

// Bounds and defaults. Where a number has a Suricata name it is that of its stock
// configuration.
const (
	DefaultMemcap           = 64 << 20  // stream.memcap, bytes of sessions
	DefaultReassemblyMemcap = 256 << 20 // stream.reassembly.memcap, bytes of stored payload
	DefaultDepth            = 1 << 20   // stream.reassembly.depth, bytes per direction
	DefaultChunkSize        = 2560      // stream.reassembly.toserver-chunk-size and toclient-
	DefaultMaxSynackQueued  = 5         // stream.max-synack-queued
	DefaultMaxSynQueued     = 10        // stream.max-syn-queued
	// maxQueued bounds both queues whatever is configured: they are searched for
	// each SYN/ACK.
	maxQueued = 32
	// maxAhead bounds how far beyond the contiguous data a segment is stored. The
	// largest window TCP can announce is 1 GiB, but nothing in use goes beyond 64
	// MiB; the bound keeps one segment from growing the page table to the gigabyte.
	maxAhead = 64 << 20
	// maxPieces bounds the stored segments of one direction that are not yet
	// contiguous or not yet consumed: a full window of 64 MiB in segments of 1460
	// bytes has 46,000.
	maxPieces = 1 << 16
	// maxBreaks bounds the holes inside data not yet consumed by both readers; past
	// it the readers lose what lies before the newest hole. A window of 64 KiB with
	// every second segment lost has 23.
	maxBreaks = 4096
	// maxSegment is the longest payload an IP packet can carry (jumbograms of RFC
	// 2675 are not supported).
	maxSegment = 65535
	// asyncGapBytes is how much data must lie behind a hole until a direction whose
	// acknowledgements are not seen gives the hole up.
	asyncGapBytes = 64 << 10
	// SessionCost is what a session counts toward stream.memcap, bytes.
	SessionCost = 792
	// maxUrgent is how many urgent bytes a direction may leave out of band before
	// the limit policy applies (Suricata counts them in 16 bits, too).
	maxUrgent = 1<<16 - 1
	// maxUrgentAhead bounds the urgent bytes that wait behind a hole.
	maxUrgentAhead = 64
	// maxWScale is the largest window shift (RFC 7323 section 2.3).
	maxWScale = 14
	// pawsIdle is 24 days in nanoseconds: timestamps older than that are void (RFC
	// 7323 section 5.5).
	pawsIdle = 24 * 86400 * int64(1e9)
)

// Options configures an Engine. Start from DefaultOptions.
type Options struct {
	Memcap           uint64 // stream.memcap, bytes
	ReassemblyMemcap uint64 // stream.reassembly.memcap, bytes
	Midstream        bool   // stream.midstream: pick up connections whose SYN was not seen
	AsyncOneside     bool   // stream.async-oneside: expect that only one side is seen
	// Inline makes payload readable when it comes, not when it is acknowledged
	// (stream.inline). It never blocks anything.
	Inline bool
	// ChecksumValidation drops segments with a wrong TCP checksum from the stream
	// (stream.checksum-validation).
	ChecksumValidation bool
	DropInvalid        bool  // stream.drop-invalid: only told to the caller
	Depth              int64 // stream.reassembly.depth, bytes per direction, 0 = no limit
	// ChunkSize is how much acknowledged data Raw waits for, per direction.
	ChunkSize [2]int
	// RawOverlap is how many bytes of the chunk before Raw gives again, so that
	// patterns across a chunk's edge are found. Suricata has no such thing (it
	// randomises its chunk sizes instead).
	RawOverlap      int
	RawOff          bool // stream.reassembly.raw: no
	MaxSynackQueued int
	MaxSynQueued    int
	Urgent          UrgentPolicy // stream.reassembly.urgent.policy
	UrgentLimit     UrgentPolicy // stream.reassembly.urgent.oob-limit-policy
	// LiberalTimestamps accepts timestamps that are one too small.
	LiberalTimestamps bool
	// HostOS is host-os-policy: whose stack decides overlaps. The longest matching
	// prefix wins; without one it is OSDefault.
	HostOS    []HostPolicy
	OSDefault Policy
}

// UrgentPolicy says what becomes of urgent data.
type UrgentPolicy uint8

// The values of stream.reassembly.urgent.policy.
const (
	UrgentOOB    UrgentPolicy = iota // the urgent byte is taken out of the stream (default)
	UrgentInline                     // it stays in
	UrgentDrop                       // the whole segment is left out
	UrgentGap                        // as oob, but its place counts as a gap of one byte
)

// DefaultOptions returns the stock values.
func DefaultOptions() Options {
	return Options{
		Memcap: DefaultMemcap, ReassemblyMemcap: DefaultReassemblyMemcap,
		ChecksumValidation: true, Depth: DefaultDepth,
		ChunkSize:       [2]int{DefaultChunkSize, DefaultChunkSize},
		MaxSynackQueued: DefaultMaxSynackQueued, MaxSynQueued: DefaultMaxSynQueued,
		Urgent: UrgentOOB, UrgentLimit: UrgentDrop, OSDefault: PolicyBSD,
	}
}

// Validate tells what is impossible in o.
func (o Options) Validate() error {
	switch {
	case o.Depth < 0:
		return fmt.Errorf("stream.reassembly.depth %d: negative", o.Depth)
	case o.ChunkSize[0] < 1 || o.ChunkSize[1] < 1:
		return fmt.Errorf("chunk size %v: must be at least 1", o.ChunkSize)
	case o.RawOverlap < 0:
		return fmt.Errorf("raw overlap %d: negative", o.RawOverlap)
	case o.MaxSynackQueued < 0 || o.MaxSynackQueued > maxQueued || o.MaxSynQueued < 0 || o.MaxSynQueued > maxQueued:
		return fmt.Errorf("max-syn-queued %d, max-synack-queued %d: not in 0 to %d", o.MaxSynQueued, o.MaxSynackQueued, maxQueued)
	case o.Urgent > UrgentGap || o.UrgentLimit > UrgentGap:
		return fmt.Errorf("unknown urgent policy")
	case o.OSDefault >= NumPolicy:
		return fmt.Errorf("unknown host policy %d", o.OSDefault)
	}
	for _, h := range o.HostOS {
		if h.Policy >= NumPolicy || h.Bits < 0 || h.Bits > 128 {
			return fmt.Errorf("host-os-policy: bad entry %v/%d", h.Addr, h.Bits)
		}
	}
	return nil
}
