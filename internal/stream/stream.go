// Package stream puts IP fragments and TCP segments back together.
//
// An Engine follows TCP connections as Suricata's IDS mode does: a Session per
// connection runs the state machine, raises the stream events, stores payload when
// it comes and shows it to its two readers, the application layer (App) and raw
// content inspection (Raw), when the other side has acknowledged it or the
// connection is over. Where stacks differ, the host's policy decides. A Defrag does
// the same for IP fragments. Both are for one worker: nothing here locks, reads a
// clock or logs; memory is bounded (limits.go) and what is refused is counted.
// Sources: RFC 9293, RFC 7323, RFC 7413, RFC 791, RFC 8200, RFC 5722, the Suricata
// user guide (stream engine, stream-event keyword).
package stream

import "mirador/internal/packet"

// State is where a connection is. The order is Suricata's, on which comparisons
// in its rules and configuration rest.
type State uint8

// The states of a TCP session. The server's FIN leads to FIN_WAIT1, the client's
// to CLOSE_WAIT.
const (
	None State = iota
	SynSent
	SynRecv
	Established
	FinWait1
	FinWait2
	TimeWait
	LastAck
	CloseWait
	Closing
	Closed
	NumState
)

var stateNames = [NumState]string{"none", "syn_sent", "syn_recv", "established", "fin_wait1", "fin_wait2",
	"time_wait", "last_ack", "close_wait", "closing", "closed"}

// String returns EVE's tcp.state.
func (s State) String() string {
	if s >= NumState {
		return "unknown"
	}
	return stateNames[s]
}

// The directions of a packet: who sent it.
const (
	ToServer uint8 = 0
	ToClient uint8 = 1
)

// Verdict is what the engine made of a packet.
type Verdict uint8

// The verdicts.
const (
	Accepted       Verdict = iota
	Ignored                // not looked at: no session, keep-alive, outdated acknowledgement
	Retransmission         // accepted; its payload was seen before
	Invalid                // does not belong to the connection; an event says why
	NoMemory               // a memcap forbade the session
)

// Flags tell more about a packet.
type Flags uint16

// The flags of a Result.
const (
	// Added: the payload went to the stream. Payload that did not is inspected as
	// that of a lone packet.
	Added Flags = 1 << iota
	// Est: the connection is (or was) established (Suricata: PKT_STREAM_EST).
	Est
	// Opened: this packet completed the handshake or was the pick-up.
	Opened
	// Ended: this packet closed the connection.
	Ended
	// Turn: the packet showed that its sender is the server. The caller turns the
	// flow around (flow.Entry.Turn); the session and the packet's direction (now
	// ToClient) are already turned.
	Turn
	// Fresh: a session began.
	Fresh
	// Midstream: the session was picked up midstream by this packet.
	Midstream
	// Depth: the reassembly depth was reached by this packet.
	Depth
	// KeepAlive: a keep-alive or the answer to one.
	KeepAlive
	// Gap: a hole was given up.
	Gap
)

// Result is what Packet says.
type Result struct {
	Verdict Verdict
	Flags   Flags
	Dir     uint8 // direction of the packet, after Turn
}

type sflag uint16

const (
	sfMidstream sflag = 1 << iota
	sfMidstreamEst
	sfMidstreamSynack
	sfAsync
	sf4WHS
	sfTimestamp
	sfTFO
	sfEvasion
	sfConfirmed // data of the handshake was acknowledged
	sfClosedByRst
	sfFinished
	sfOpened
	sfMissedSyn
)

// Session is one TCP connection. The zero value is ready; it belongs to one flow
// and is given back with Engine.Release.
type Session struct {
	State State
	prev  State
	flags sflag
	h     [2]half
	eng   *Engine
	queue []synRec
}

// synRec is a SYN/ACK (or SYN) that differs from the one before.
type synRec struct {
	seq, ack uint32
	win      uint32
	ts       uint32
	wscale   uint8
	flags    uint8 // bit 0: has a timestamp, bit 1: has a window scale
}

const (
	qTS = 1 << iota
	qWS
)

// Started tells whether s follows a connection.
func (s *Session) Started() bool { return s.State != None }

// Established tells whether the handshake was completed at some time.
func (s *Session) Established() bool { return s.flags&sfOpened != 0 }

// IsMidstream tells whether s was picked up midstream.
func (s *Session) IsMidstream() bool { return s.flags&sfMidstream != 0 }

// MissedSYN tells whether a packet came that could only have begun the session
// midstream, whether or not that is allowed (Suricata: exception policy
// stream_midstream applied).
func (s *Session) MissedSYN() bool { return s.flags&sfMissedSyn != 0 }

// IsAsync tells whether only one side is seen.
func (s *Session) IsAsync() bool { return s.flags&sfAsync != 0 }

// TCPFlags returns all flags seen in packets of direction dir (EVE tcp.tcp_flags_ts
// and tcp_flags_tc).
func (s *Session) TCPFlags(dir uint8) uint8 { return s.h[dir&1].seen }

// ISN returns the initial sequence number of direction dir.
func (s *Session) ISN(dir uint8) uint32 { return s.h[dir&1].isn }

// Size returns how far the sequence numbers of direction dir went since the ISN
// (keyword stream_size).
func (s *Session) Size(dir uint8) uint32 {
	h := &s.h[dir&1]
	if !h.known || s.State == None {
		return 0
	}
	return h.nextSeq - h.isn
}

// Stats returns what direction dir did.
func (s *Session) Stats(dir uint8) HalfStats { return s.h[dir&1].stats }

// NextSeq returns the sequence number expected next from the sender of dir.
func (s *Session) NextSeq(dir uint8) uint32 { return s.h[dir&1].nextSeq }

// LastAck returns the highest acknowledgement of data of direction dir.
func (s *Session) LastAck(dir uint8) uint32 { return s.h[dir&1].lastAck }

// ByFIN tells whether both sides have ended the session, without a RST.
func (s *Session) ByFIN() bool {
	return (s.State == TimeWait || s.State == Closed) && s.flags&sfClosedByRst == 0
}

// DepthReached tells whether direction dir was cut at the reassembly depth.
func (s *Session) DepthReached(dir uint8) bool { return s.h[dir&1].depthHit }

// SetDepth replaces the reassembly depth of Options for both directions of s, in
// bytes, 0 for no limit. A direction that was cut already stays cut.
func (s *Session) SetDepth(depth int64) {
	for dir := range s.h {
		s.h[dir].depth = max(depth, 0) + 1
	}
}

// Turn swaps client and server (the application layer found the direction wrong).
func (s *Session) Turn() {
	s.h[0], s.h[1] = s.h[1], s.h[0]
	switch s.State { // they are told apart by who sent the first FIN
	case FinWait1:
		s.State = CloseWait
	case CloseWait:
		s.State = FinWait1
	}
}

// Counters are what the engine did, in the words of Suricata's stats.tcp.
type Counters struct {
	Sessions          uint64 // tcp.sessions
	ActiveSessions    uint64 // tcp.active_sessions
	SsnMemcapDrop     uint64 // tcp.ssn_memcap_drop
	InvalidChecksum   uint64 // tcp.invalid_checksum
	SYN, SYNACK, RST  uint64 // tcp.syn, tcp.synack, tcp.rst
	MidstreamPickups  uint64 // tcp.midstream_pickups
	SegmentMemcapDrop uint64 // tcp.segment_memcap_drop
	SegmentInsertFail uint64 // tcp.insert_data_normal_fail
	StreamDepth       uint64 // tcp.stream_depth_reached
	ReassemblyGap     uint64 // tcp.reassembly_gap
	HolesFull         uint64 // tcp.reassembly_holes_full: data lost to readers since there were too many holes in it
	Overlap           uint64 // tcp.overlap
	OverlapDiffData   uint64 // tcp.overlap_diff_data
	AckUnseenData     uint64 // tcp.ack_unseen_data
	Urgent            uint64 // tcp.urg
	UrgentOOB         uint64 // tcp.urgent_oob_data
	Memuse            uint64 // tcp.memuse, bytes
	ReassemblyMemuse  uint64 // tcp.reassembly_memuse, bytes
	Events            [NumEvents]uint64
	Invalid           uint64 // packets that did not belong to their connection
	Steps             uint64 // for the complexity test
}

// Engine follows all sessions of one worker.
type Engine struct {
	Counters Counters

	opt  Options
	pool pool
	ev   [maxEvents]Event
	nev  int
	turn bool
	dir  uint8  // of the present packet
	n    uint32 // its payload length on the wire
	add  bool
	upd  uint8 // updNone...: whose data become readable
}

// maxEvents bounds the events of one packet; a packet can hardly cause more.
const maxEvents = 12

// NewEngine makes an engine.
func NewEngine(o Options) (*Engine, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{opt: o}
	e.pool.limit = o.ReassemblyMemcap
	return e, nil
}

// Events returns the events since the last call of Packet or Finish began: those
// of the packet and those its data caused. Valid until the next call.
func (e *Engine) Events() []Event { return e.ev[:e.nev] }

func (e *Engine) event(v Event) {
	e.Counters.Events[v]++
	if e.nev < maxEvents {
		e.ev[e.nev] = v
		e.nev++
	}
}

// Stats returns the counters with the present sizes filled in.
func (e *Engine) Stats() Counters {
	c := e.Counters
	c.Memuse = c.ActiveSessions * SessionCost
	c.ReassemblyMemuse, c.HolesFull = e.pool.mem, e.pool.holesFull
	return c
}

// payload returns the payload of p and the sequence number of its first byte.
func payload(p *packet.Parsed) ([]byte, uint32) {
	seq := p.Seq
	if p.Flags&packet.SYN != 0 {
		seq++
	}
	return p.PayloadBytes(), seq
}

// segLen returns the length of p's payload as it was sent. Of a truncated packet
// less is there: the rest becomes a gap once it is acknowledged.
func segLen(p *packet.Parsed) uint32 {
	n := len(p.PayloadBytes())
	if p.Truncated && p.IPTotal > p.L3Len+p.L4Len {
		n = max(n, p.IPTotal-p.L3Len-p.L4Len)
	}
	return uint32(n)
}
