package agent

import (
	"sync"
	"sync/atomic"

	"mirador/internal/capture"
	"mirador/internal/mirror"
)

// Counters are what a Mirror has counted. Frames are as on the wire: one that the kernel
// has put together of several counts as several, and bytes begin at the Ethernet header.
//
// The ledger: Frames = mirrored + Passed() + skipped + errors, where mirrored is
// NetworkPacketsMirrorIn + Out, and skipped NetworkPacketsSkipMirrorIn + Out.
type Counters struct {
	Frames uint64 `json:"frames"` // seen
	Bytes  uint64 `json:"bytes"`

	// The names of CloudWatch: In is what the interface received. Bytes are those of the
	// original frames, packet length and MTU notwithstanding. Skip is what met a filter and
	// was not mirrored because production traffic comes first.
	NetworkMirrorIn             uint64 `json:"NetworkMirrorIn"`
	NetworkMirrorOut            uint64 `json:"NetworkMirrorOut"`
	NetworkPacketsMirrorIn      uint64 `json:"NetworkPacketsMirrorIn"`
	NetworkPacketsMirrorOut     uint64 `json:"NetworkPacketsMirrorOut"`
	NetworkSkipMirrorIn         uint64 `json:"NetworkSkipMirrorIn"`
	NetworkSkipMirrorOut        uint64 `json:"NetworkSkipMirrorOut"`
	NetworkPacketsSkipMirrorIn  uint64 `json:"NetworkPacketsSkipMirrorIn"`
	NetworkPacketsSkipMirrorOut uint64 `json:"NetworkPacketsSkipMirrorOut"`

	// NotMirrored is the frames that no session took, by mirror.Reason.
	NotMirrored [mirror.NumReasons]uint64 `json:"-"`
	// ErrorsSend, ErrorsNoTarget and ErrorsSegments are frames that a session took and that
	// could not be sent, whose target is away, and that could not be cut to wire size.
	ErrorsSend     uint64 `json:"errors_send"`
	ErrorsNoTarget uint64 `json:"errors_no_target"`
	ErrorsSegments uint64 `json:"errors_segments"`

	// KernelDrops is what the kernel had no room for in the ring: not part of Frames, and
	// nothing is known of it. With offloads one may stand for several frames.
	KernelDrops uint64 `json:"kernel_drops"`
	Replugs     uint64 `json:"replugs"` // times the interface went away and came back
	Swaps       uint64 `json:"swaps"`   // plans taken over

	Sessions []SessionCounters `json:"sessions"` // in the order of the plan, then those of former plans
}

// SessionCounters are what a Mirror has counted of one session. SentBytes are those of
// the outer packets.
type SessionCounters struct {
	Session        string `json:"session"`
	VNI            uint32 `json:"vni"`
	PacketsIn      uint64 `json:"packets_in"`
	PacketsOut     uint64 `json:"packets_out"`
	BytesIn        uint64 `json:"bytes_in"`
	BytesOut       uint64 `json:"bytes_out"`
	SentBytes      uint64 `json:"sent_bytes"`
	CutByLength    uint64 `json:"cut_by_length"` // frames, by the session's packet length
	CutByMTU       uint64 `json:"cut_by_mtu"`    // frames, by the MTU of the target
	SkippedPackets uint64 `json:"skipped_packets"`
	SkippedBytes   uint64 `json:"skipped_bytes"`
	Errors         uint64 `json:"errors"`
	Current        bool   `json:"current"` // part of the present plan
}

// Passed returns the number of frames that no session took.
func (c *Counters) Passed() (n uint64) {
	for _, v := range c.NotMirrored {
		n += v
	}
	return n
}

// Mirrored and Skipped return both directions together.
func (c *Counters) Mirrored() uint64 { return c.NetworkPacketsMirrorIn + c.NetworkPacketsMirrorOut }

// Skipped returns the number of frames that met a filter and were held back.
func (c *Counters) Skipped() uint64 {
	return c.NetworkPacketsSkipMirrorIn + c.NetworkPacketsSkipMirrorOut
}

// Errors returns the number of frames that a session took in vain.
func (c *Counters) Errors() uint64 { return c.ErrorsSend + c.ErrorsNoTarget + c.ErrorsSegments }

// Imbalance is 0 when every frame seen is accounted for.
func (c *Counters) Imbalance() int64 {
	return int64(c.Frames) - int64(c.Mirrored()+c.Passed()+c.Skipped()+c.Errors())
}

// tally is what one batch adds, written by the one goroutine that runs the Mirror.
type tally struct {
	frames, bytes                uint64
	notMirrored                  [mirror.NumReasons]uint64
	mirror, skip                 [2]uint64 // bytes, by direction: in, out
	mirrorPackets, skipPackets   [2]uint64
	errSend, errTarget, errSplit uint64
}

type sessionTally struct {
	packets, bytes     [2]uint64
	sent               uint64
	cutLength, cutMTU  uint64
	skipped, skipBytes uint64
	errors             uint64
	touched            bool
}

// sessionCounts are the counters of one session since the Mirror was made.
type sessionCounts struct {
	id  string
	vni atomic.Uint32
	sum sessionTally // guarded by counts.mu
}

// counts is the sum of all batches, added to and read under mu once per batch.
type counts struct {
	// mu guards what follows and the sums in the sessions.
	mu       sync.Mutex
	sum      tally
	swaps    uint64
	sessions []*sessionCounts
	current  []*sessionCounts
}

// maxSessionCounts bounds the sessions that counters are kept of: an interface has 3 at a
// time, and they come and go. The oldest that is not in use goes first.
const maxSessionCounts = 256

func (c *counts) session(s *mirror.Session) *sessionCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.sessions {
		if x.id == s.ID {
			x.vni.Store(s.VNI)
			return x
		}
	}
	x := &sessionCounts{id: s.ID}
	x.vni.Store(s.VNI)
	c.sessions = append(c.sessions, x)
	return x
}

// use makes the sessions of p the current ones.
func (c *counts) use(p *compiled, swap bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if swap {
		c.swaps++
	}
	c.current = c.current[:0]
	for i := range p.lanes {
		c.current = append(c.current, p.lanes[i].count)
	}
	for i := 0; len(c.sessions) > maxSessionCounts && i < len(c.sessions); {
		if c.isCurrent(c.sessions[i]) {
			i++
			continue
		}
		c.sessions = append(c.sessions[:i], c.sessions[i+1:]...)
	}
}

func (c *counts) isCurrent(x *sessionCounts) bool {
	for _, y := range c.current {
		if x == y {
			return true
		}
	}
	return false
}

// add adds the tally of a batch and those of its sessions, and empties them.
func (c *counts) add(t *tally, p *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.sum
	s.frames += t.frames
	s.bytes += t.bytes
	for i, n := range t.notMirrored {
		s.notMirrored[i] += n
	}
	for d := range 2 {
		s.mirror[d] += t.mirror[d]
		s.skip[d] += t.skip[d]
		s.mirrorPackets[d] += t.mirrorPackets[d]
		s.skipPackets[d] += t.skipPackets[d]
	}
	s.errSend += t.errSend
	s.errTarget += t.errTarget
	s.errSplit += t.errSplit
	*t = tally{}
	for i := range p.lanes {
		n := &p.lanes[i].now
		if !n.touched {
			continue
		}
		s := &p.lanes[i].count.sum
		for d := range 2 {
			s.packets[d] += n.packets[d]
			s.bytes[d] += n.bytes[d]
		}
		s.sent += n.sent
		s.cutLength += n.cutLength
		s.cutMTU += n.cutMTU
		s.skipped += n.skipped
		s.skipBytes += n.skipBytes
		s.errors += n.errors
		*n = sessionTally{}
	}
}

// set replaces the sums by those that the kernel has.
func (c *counts) set(t *tally, sessions map[*sessionCounts]sessionTally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum = *t
	for x, s := range sessions {
		x.sum = s
	}
}

// snapshot returns the counters, with those of the kernel from r.
func (c *counts) snapshot(r capture.Stats) Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.sum
	out := Counters{
		Frames: s.frames, Bytes: s.bytes,
		NetworkMirrorIn: s.mirror[0], NetworkMirrorOut: s.mirror[1],
		NetworkPacketsMirrorIn: s.mirrorPackets[0], NetworkPacketsMirrorOut: s.mirrorPackets[1],
		NetworkSkipMirrorIn: s.skip[0], NetworkSkipMirrorOut: s.skip[1],
		NetworkPacketsSkipMirrorIn: s.skipPackets[0], NetworkPacketsSkipMirrorOut: s.skipPackets[1],
		NotMirrored: s.notMirrored, ErrorsSend: s.errSend, ErrorsNoTarget: s.errTarget, ErrorsSegments: s.errSplit,
		KernelDrops: r.Drops, Replugs: r.Replugs, Swaps: c.swaps,
	}
	for _, x := range c.current {
		out.Sessions = append(out.Sessions, x.counters(true))
	}
	for _, x := range c.sessions {
		if !c.isCurrent(x) {
			out.Sessions = append(out.Sessions, x.counters(false))
		}
	}
	return out
}

func (x *sessionCounts) counters(current bool) SessionCounters {
	s := &x.sum
	return SessionCounters{
		Session: x.id, VNI: x.vni.Load(), Current: current,
		PacketsIn: s.packets[0], PacketsOut: s.packets[1], BytesIn: s.bytes[0], BytesOut: s.bytes[1],
		SentBytes: s.sent, CutByLength: s.cutLength, CutByMTU: s.cutMTU,
		SkippedPackets: s.skipped, SkippedBytes: s.skipBytes, Errors: s.errors,
	}
}
