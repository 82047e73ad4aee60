// Package flow keeps the table of flows of one worker.
//
// A Table maps (tenant, tuple, VLAN ids, tunnel level) to an Entry and forgets it
// after a timeout. It reassembles nothing and parses nothing: the session, the
// application layer and the detection state of a flow are the caller's value V
// inside the entry. One goroutine owns a Table: nothing here locks. Memory is
// bounded (limits.go); time is that of the packets. Names and defaults are those
// of Suricata's flow engine.
package flow

import (
	"reflect"

	"mirador/internal/packet"
)

// State is how far a flow is; each has its timeout.
type State uint8

// The states of a flow under Suricata's names.
const (
	New         State = iota
	Established       // both sides were seen (TCP: the handshake is done)
	Closed            // TCP only
	Bypassed
	NumState
)

// String returns EVE's flow.state.
func (s State) String() string {
	return [...]string{"new", "established", "closed", "bypassed", "unknown"}[min(s, NumState)]
}

// Reason says why a flow ended.
type Reason uint8

// Why flows end.
const (
	Timeout  Reason = iota // silent for as long as its state allows
	Forced                 // evicted, because the table was at its bound
	Shutdown               // the sensor stops or the capture file is at its end
	TCPReuse               // a new SYN took over the tuple
)

// String returns EVE's flow.reason.
func (r Reason) String() string {
	return [...]string{"timeout", "forced", "shutdown", "tcp_reuse", "unknown"}[min(r, TCPReuse+1)]
}

// The directions of a packet in its flow.
const (
	ToServer uint8 = 0
	ToClient uint8 = 1
)

// Entry is one flow. It is valid from Find until the call of Options' end
// function for it has returned; then the table reuses it.
type Entry[V any] struct {
	// What a hit reads and writes comes first, to lie in few cache lines.
	key  key
	hash uint32
	idx  uint32 // own index in the slabs, + 1
	// Last is the time of the last packet, Unix nanoseconds.
	Last int64
	// Packets and Bytes count per direction, bytes with the link header.
	Packets, Bytes [2]uint64
	MinTTL, MaxTTL [2]uint8
	State          State
	// Tuple has the client, the end that sent first, as source. For ICMP the ports
	// are the type and the type that answers it, for ESP the two halves of the SPI.
	Tuple packet.Tuple

	Tenant    uint32
	ID        uint64 // EVE's flow_id, 51 bits
	Start     int64  // time of the first packet, Unix nanoseconds
	Emergency bool   // made or ended while the table was in emergency mode
	NVLAN     uint8
	VLAN      [packet.MaxVLAN]uint16
	Level     uint8 // of tunnels around the first packet
	ICMPType  uint8 // of the first packet
	ICMPCode  uint8
	Reversed  bool // the client is not who sent first: Turn was called an odd number of times

	live       bool
	slot       int16
	next, prev uint32 // in the wheel slot or the free list, index + 1
	due        int64  // when it had been silent for too long, at the time it was linked

	// V is the caller's. The table never touches it, also when the entry is reused:
	// the end function has to leave it as a new flow needs it.
	V V
}

// SPI returns the security parameter index of an ESP flow.
func (e *Entry[V]) SPI() uint32 { return uint32(e.Tuple.SrcPort)<<16 | uint32(e.Tuple.DstPort) }

// Turn swaps client and server, with all that is counted per direction.
func (e *Entry[V]) Turn() {
	e.Tuple = e.Tuple.Reverse()
	e.Packets[0], e.Packets[1] = e.Packets[1], e.Packets[0]
	e.Bytes[0], e.Bytes[1] = e.Bytes[1], e.Bytes[0]
	e.MinTTL[0], e.MinTTL[1] = e.MinTTL[1], e.MinTTL[0]
	e.MaxTTL[0], e.MaxTTL[1] = e.MaxTTL[1], e.MaxTTL[0]
	e.Reversed = !e.Reversed
}

// Dir returns the direction of a packet with p's addresses and ports in e.
func (e *Entry[V]) Dir(p *packet.Parsed) uint8 {
	if p.Src != e.Tuple.Src {
		return ToClient
	}
	if p.Src == p.Dst && p.Proto == e.Tuple.Proto {
		switch p.Proto {
		case protoTCP, protoUDP, protoSCTP:
			if p.SrcPort != e.Tuple.SrcPort {
				return ToClient
			}
		case protoICMP, protoICMPv6:
			if uint16(p.ICMPType) != e.Tuple.SrcPort {
				return ToClient
			}
		}
	}
	return ToServer
}

// Counters are what the table did; names as in Suricata's stats.
type Counters struct {
	Total            uint64 // flow.total: flows made
	TCP, UDP         uint64 // flow.tcp, flow.udp
	ICMPv4, ICMPv6   uint64 // flow.icmpv4, flow.icmpv6
	TCPReuse         uint64 // flow.tcp_reuse
	GetUsed          uint64 // flow.get_used: flows evicted to make room
	Memcap           uint64 // flow.memcap: the bound was hit
	NoFlow           uint64 // packets that wanted a flow and got none
	EmergencyEntered uint64 // flow.emerg_mode_entered
	EmergencyOver    uint64 // flow.emerg_mode_over
	EndNew           uint64 // flow.end.state.new
	EndEstablished   uint64 // flow.end.state.established
	EndClosed        uint64 // flow.end.state.closed
	EndBypassed      uint64 // flow.end.state.local_bypassed
	TimedOut         uint64 // flow.mgr.flows_timeout
	Active           uint64 // flow.active: flows in the table now
	Spare            uint64 // flow.spare: entries made and not in use
	MemUse           uint64 // flow.memuse, bytes
	Steps            uint64 // index slots looked at, for the complexity test
	NoTuple          uint64 // packets that never have a flow
	RelatedToNoFlow  uint64 // ICMP errors that quote a packet of no known flow
}

// Table is the flow table of one worker.
type Table[V any] struct {
	Counters Counters

	opt       Options
	end       func(*Entry[V], Reason)
	slabs     []*[slabLen]Entry[V]
	free      uint32 // index+1 of the first free entry
	index     []slot
	mask      uint32
	live      int
	max       int
	entrySize uint64
	emergency bool
	timeout   [2][NumClass][NumState]int64
	wheel     wheel
}

type slot struct{ hash, idx uint32 }

// NewTable makes a table. end is called once for every flow that ends, before its
// entry is reused; it must not call the table.
func NewTable[V any](o Options, end func(*Entry[V], Reason)) (*Table[V], error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	t := &Table[V]{opt: o, end: end}
	t.entrySize = uint64(reflect.TypeFor[Entry[V]]().Size()) + 16 + uint64(o.PerFlow)
	t.max = int(min(o.Memcap/t.entrySize, maxIndexSlots/2))
	if o.MaxFlows > 0 && o.MaxFlows < t.max {
		t.max = o.MaxFlows
	}
	t.max = max(t.max, minFlows)
	for c := range t.timeout[0] {
		t.timeout[0][c] = o.Timeouts[c].nanos(false)
		t.timeout[1][c] = o.Timeouts[c].nanos(true)
	}
	n := 64
	for n < o.HashSize {
		n *= 2
	}
	t.index, t.mask = make([]slot, n), uint32(n-1)
	for len(t.slabs)*slabLen < min(o.Prealloc, t.max) {
		t.grow()
	}
	return t, nil
}

// Max returns the number of flows the table holds at most.
func (t *Table[V]) Max() int { return t.max }

// Len returns the number of flows in the table.
func (t *Table[V]) Len() int { return t.live }

// Emergency tells whether the table is in emergency mode.
func (t *Table[V]) Emergency() bool { return t.emergency }

func (t *Table[V]) at(idx uint32) *Entry[V] {
	return &t.slabs[(idx-1)/slabLen][(idx-1)%slabLen]
}

// grow adds one slab to the free list.
func (t *Table[V]) grow() {
	s := new([slabLen]Entry[V])
	base := uint32(len(t.slabs) * slabLen)
	t.slabs = append(t.slabs, s)
	for i := slabLen - 1; i >= 0; i-- {
		e := &s[i]
		e.idx = base + uint32(i) + 1
		e.next = t.free
		t.free = e.idx
	}
}

// Find returns the flow of p and p's direction in it, making the flow if there is
// none (fresh). The entry is nil for
// packets that have no flow: fragments, protocols without flows, ICMP errors that
// belong to no known flow, and in emergency mode TCP packets that open nothing.
// A flow found silent for longer than its state allows ends first. Counting the
// packet is Update's.
func (t *Table[V]) Find(p *packet.Parsed, tenant uint32) (e *Entry[V], dir uint8, fresh bool) {
	tup, related, oneWay, ok := tupleOf(p)
	if !ok {
		if related {
			t.Counters.RelatedToNoFlow++
		} else {
			t.Counters.NoTuple++
		}
		return nil, ToServer, false
	}
	var k key
	k.set(&tup, oneWay)
	k.tenant = tenant
	if !t.opt.IgnoreRecursion {
		k.level = p.Recursion
	}
	if !t.opt.IgnoreVLAN {
		k.nvlan, k.vlan = p.NVLAN, p.VLAN
	}
	h := k.hash(&t.opt.Seed)
	if e = t.find(&k, uint32(h)); e != nil {
		if p.Time-e.Last < t.idle(e) || e.Last > p.Time {
			return e, e.Dir(p), false
		}
		t.Counters.TimedOut++
		t.finish(e, Timeout)
	}
	if related {
		t.Counters.RelatedToNoFlow++
		return nil, ToServer, false
	}
	if t.emergency && p.Proto == protoTCP && !t.opt.Midstream &&
		p.Flags&(packet.SYN|packet.ACK|packet.RST|packet.FIN) != packet.SYN {
		t.Counters.NoFlow++
		return nil, ToServer, false
	}
	e = t.make(&k, uint32(h), p.Time)
	e.Tuple, e.Tenant, e.Level = tup, tenant, p.Recursion
	e.NVLAN, e.VLAN = p.NVLAN, p.VLAN
	e.ICMPType, e.ICMPCode = p.ICMPType, p.ICMPCode
	t.countNew(p)
	return e, ToServer, true
}

// Update counts p, which has direction dir, and its time in e. UDP, ICMP, SCTP and
// ESP flows become established when the second side is heard; TCP's state is set
// by the caller (SetState).
func (t *Table[V]) Update(e *Entry[V], p *packet.Parsed, dir uint8) {
	if p.Time > e.Last {
		e.Last = p.Time
	}
	if e.Packets[dir] == 0 {
		e.MinTTL[dir], e.MaxTTL[dir] = p.TTL, p.TTL
	} else {
		e.MinTTL[dir] = min(e.MinTTL[dir], p.TTL)
		e.MaxTTL[dir] = max(e.MaxTTL[dir], p.TTL)
	}
	e.Packets[dir]++
	e.Bytes[dir] += uint64(len(p.Data))
	if e.State == New && e.Tuple.Proto != protoTCP && e.Packets[0] > 0 && e.Packets[1] > 0 {
		t.SetState(e, Established)
	}
}

// SetState moves e to state s. A shorter timeout counts from the last packet.
func (t *Table[V]) SetState(e *Entry[V], s State) {
	if e.State == s {
		return
	}
	e.State = s
	if e.Last+t.idle(e) < e.due {
		t.unlink(e)
		t.link(e)
	}
}

// Reuse ends e, because a SYN opens a new connection on its tuple, and returns
// the flow of that connection.
func (t *Table[V]) Reuse(e *Entry[V], p *packet.Parsed) *Entry[V] {
	k, h := e.key, e.hash
	tenant, level := e.Tenant, e.Level
	t.Counters.TCPReuse++
	t.finish(e, TCPReuse)
	e = t.make(&k, h, p.Time)
	e.Tuple, e.Tenant, e.Level = p.Tuple(), tenant, level
	e.NVLAN, e.VLAN = p.NVLAN, p.VLAN
	t.countNew(p)
	return e
}

// Remove ends e for reason why.
func (t *Table[V]) Remove(e *Entry[V], why Reason) { t.finish(e, why) }

// Expire ends the flows that are silent for too long at time now. Its cost is the
// time passed, in sixteenths of a second, plus the flows looked at; call it about
// once per second of packet time.
func (t *Table[V]) Expire(now int64) {
	w := &t.wheel
	tick := now / wheelTick
	if !w.set || tick <= w.now {
		return
	}
	if tick-w.now > wheelSlots {
		w.now = tick - wheelSlots
	}
	for w.now < tick {
		w.now++
		t.fire(w.slot(w.now), now)
	}
	if t.emergency && t.live <= t.max-t.max*t.opt.EmergencyRecovery/100 {
		t.emergency = false
		t.Counters.EmergencyOver++
	}
}

// fire looks at all entries of slot s.
func (t *Table[V]) fire(s int, now int64) {
	i := t.wheel.head[s]
	for i != 0 {
		e := t.at(i)
		i = e.next
		if e.due > now {
			continue // of a later round
		}
		if e.Last+t.idle(e) > now {
			t.unlink(e)
			t.link(e)
			continue
		}
		t.Counters.TimedOut++
		t.finish(e, Timeout)
	}
}

// All calls f for every flow, in the order of their making as far as entries were
// not reused. f must not call the table.
func (t *Table[V]) All(f func(*Entry[V])) {
	for _, s := range t.slabs {
		for i := range s {
			if s[i].live {
				f(&s[i])
			}
		}
	}
}

// Close ends all flows with reason Shutdown.
func (t *Table[V]) Close() {
	for _, s := range t.slabs {
		for i := range s {
			if s[i].live {
				t.finish(&s[i], Shutdown)
			}
		}
	}
}

// idle returns how long e may be silent, in nanoseconds.
func (t *Table[V]) idle(e *Entry[V]) int64 {
	mode := 0
	if t.emergency {
		mode = 1
	}
	return t.timeout[mode][classOf(e.Tuple.Proto)][e.State]
}

func (t *Table[V]) countNew(p *packet.Parsed) {
	t.Counters.Total++
	switch p.Proto {
	case protoTCP:
		t.Counters.TCP++
	case protoUDP:
		t.Counters.UDP++
	case protoICMP:
		t.Counters.ICMPv4++
	case protoICMPv6:
		t.Counters.ICMPv6++
	}
}
