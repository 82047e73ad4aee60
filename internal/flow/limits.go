package flow

import (
	"fmt"
	"time"
)

// Bounds of the table. The defaults are Suricata's stock configuration (flow.* and
// flow-timeouts.*), so that a moved configuration means the same.
const (
	// DefaultMemcap is flow.memcap in bytes.
	DefaultMemcap = 128 << 20
	// DefaultHashSize is flow.hash-size: the slots of the index at the start. The
	// index doubles when half full.
	DefaultHashSize = 65536
	// DefaultPrealloc is flow.prealloc: entries made before the first packet.
	DefaultPrealloc = 10000
	// DefaultEmergencyRecovery is flow.emergency-recovery in percent: emergency
	// mode ends when this share of the bound is free.
	DefaultEmergencyRecovery = 30
	// minFlows is the least bound a table accepts: with fewer entries the eviction
	// would end flows in the middle of their handshake.
	minFlows = 16
	// slabLen is the number of entries allocated together. Entries never move.
	slabLen = 64
	// maxIndexSlots bounds flow.hash-size (and the index's growth); 1<<26 slots are
	// 512 MiB, more than any sensible memcap holds flows for.
	maxIndexSlots = 1 << 26
)

// Class is a row of flow-timeouts: which timeouts a flow has.
type Class uint8

// The rows of flow-timeouts.
const (
	ClassDefault Class = iota
	ClassTCP
	ClassUDP
	ClassICMP
	NumClass
)

// Timeouts is one row of flow-timeouts: how long a flow may be silent in a state.
// A zero means that the flow is forgotten as soon as expiry looks at it.
type Timeouts struct {
	New, Established, Closed, Bypassed                                     time.Duration
	EmergencyNew, EmergencyEstablished, EmergencyClosed, EmergencyBypassed time.Duration
}

// Options configures a Table. The zero value is not useful: start from
// DefaultOptions.
type Options struct {
	Memcap            uint64 // flow.memcap, bytes; counts entries (with V) and index slots
	HashSize          int    // flow.hash-size, slots
	Prealloc          int    // flow.prealloc, entries
	EmergencyRecovery int    // flow.emergency-recovery, percent, 1 to 100
	Timeouts          [NumClass]Timeouts
	// PerFlow is what a flow costs beside its entry, in bytes (buffers that V
	// points to). It counts toward Memcap.
	PerFlow int
	// MaxFlows bounds the number of flows directly; 0 leaves the bound to Memcap.
	MaxFlows int
	// IgnoreVLAN leaves VLAN ids out of the key (vlan.use-for-tracking: false).
	IgnoreVLAN bool
	// IgnoreRecursion leaves the tunnel level out of the key
	// (decoder.recursion-level.use-for-tracking: false).
	IgnoreRecursion bool
	// Midstream tells that TCP sessions are picked up midstream: then emergency
	// mode still makes flows for TCP packets that are not a SYN.
	Midstream bool
	// Seed keys the hash. A live sensor passes random numbers so that nobody can
	// choose tuples that collide; replay passes constants so that flow ids repeat.
	Seed [2]uint64
}

// DefaultOptions returns Suricata's stock values.
func DefaultOptions() Options {
	row := func(n, e, c, b, en, ee, ec, eb int) Timeouts {
		s := time.Second
		return Timeouts{time.Duration(n) * s, time.Duration(e) * s, time.Duration(c) * s, time.Duration(b) * s,
			time.Duration(en) * s, time.Duration(ee) * s, time.Duration(ec) * s, time.Duration(eb) * s}
	}
	return Options{
		Memcap: DefaultMemcap, HashSize: DefaultHashSize, Prealloc: DefaultPrealloc,
		EmergencyRecovery: DefaultEmergencyRecovery,
		Timeouts: [NumClass]Timeouts{
			ClassDefault: row(30, 300, 0, 100, 10, 100, 0, 50),
			ClassTCP:     row(60, 600, 60, 100, 5, 100, 10, 50),
			ClassUDP:     row(30, 300, 0, 100, 10, 100, 0, 50),
			ClassICMP:    row(30, 300, 0, 100, 10, 100, 0, 50),
		},
	}
}

// Validate tells what is impossible in o.
func (o Options) Validate() error {
	switch {
	case o.HashSize < 1 || o.HashSize > maxIndexSlots:
		return fmt.Errorf("hash-size %d: not in 1 to %d", o.HashSize, maxIndexSlots)
	case o.Prealloc < 0:
		return fmt.Errorf("prealloc %d: negative", o.Prealloc)
	case o.EmergencyRecovery < 1 || o.EmergencyRecovery > 100:
		return fmt.Errorf("emergency-recovery %d: not in 1 to 100", o.EmergencyRecovery)
	case o.PerFlow < 0 || o.MaxFlows < 0:
		return fmt.Errorf("negative size of a flow or number of flows")
	}
	for _, t := range o.Timeouts {
		for _, d := range []time.Duration{t.New, t.Established, t.Closed, t.Bypassed,
			t.EmergencyNew, t.EmergencyEstablished, t.EmergencyClosed, t.EmergencyBypassed} {
			if d < 0 {
				return fmt.Errorf("flow timeout %v: negative", d)
			}
		}
	}
	return nil
}

// timeouts returns the row of o as nanoseconds per state, normal or emergency.
func (t *Timeouts) nanos(emergency bool) [NumState]int64 {
	if emergency {
		return [NumState]int64{int64(t.EmergencyNew), int64(t.EmergencyEstablished), int64(t.EmergencyClosed), int64(t.EmergencyBypassed)}
	}
	return [NumState]int64{int64(t.New), int64(t.Established), int64(t.Closed), int64(t.Bypassed)}
}

func classOf(proto uint8) Class {
	switch proto {
	case protoTCP:
		return ClassTCP
	case protoUDP:
		return ClassUDP
	case protoICMP, protoICMPv6:
		return ClassICMP
	}
	return ClassDefault
}
