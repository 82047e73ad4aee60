package stream

import "mirador/internal/packet"

// Whose stored data a packet makes readable.
const (
	updNone     uint8 = 0
	updOwn      uint8 = 1 // that of its own direction
	updOpposite uint8 = 2 // that it acknowledges
	updBoth     uint8 = updOwn | updOpposite
)

// Packet takes the TCP packet p, which has direction dir in its flow, and runs the
// state machine of s. Afterwards the caller empties both readers, then looks at
// Events. p and its payload are not kept. Zero allocations once s has its buffers.
func (e *Engine) Packet(s *Session, p *packet.Parsed, dir uint8) Result {
	e.nev, e.turn, e.add, e.upd = 0, false, false, updNone
	e.dir = dir & 1
	s.eng = e
	e.n = segLen(p)
	e.count(p)
	if e.opt.ChecksumValidation && p.L4Checksum() == packet.ChecksumBad {
		e.Counters.InvalidChecksum++
		return Result{Verdict: Ignored, Dir: e.dir}
	}
	if p.Flags&(packet.SYN|packet.FIN) == packet.SYN|packet.FIN {
		e.event(EvFinSyn)
	}
	if p.Flags&packet.ACK == 0 && p.Ack != 0 {
		e.event(EvBrokenAck)
	}
	before := s.State
	var v Verdict
	var fl Flags
	if s.State == None {
		v, fl = e.begin(s, p)
	} else {
		v, fl = e.follow(s, p)
	}
	if s.State != None {
		s.h[e.dir].seen |= p.Flags
	}
	if v == Invalid {
		e.Counters.Invalid++
	}
	return e.result(s, v, before, fl)
}

func (e *Engine) count(p *packet.Parsed) {
	switch p.Flags & (packet.SYN | packet.ACK) {
	case packet.SYN:
		e.Counters.SYN++
	case packet.SYN | packet.ACK:
		e.Counters.SYNACK++
	}
	if p.Flags&packet.RST != 0 {
		e.Counters.RST++
	}
	if p.Flags&packet.URG != 0 {
		e.Counters.Urgent++
	}
}

func (e *Engine) result(s *Session, v Verdict, before State, fl Flags) Result {
	if e.add {
		fl |= Added
	}
	if s.State >= Established && v != Invalid {
		fl |= Est
	}
	if s.State >= Established && s.State != Closed && s.flags&sfOpened == 0 {
		s.flags |= sfOpened
		fl |= Opened
	}
	if s.State == Closed && before != Closed {
		fl |= Ended
	}
	if e.turn {
		fl |= Turn
	}
	return Result{Verdict: v, Flags: fl, Dir: e.dir}
}

// open starts the session. It is false when stream.memcap forbids.
func (e *Engine) open(s *Session, p *packet.Parsed, st State, fl sflag) bool {
	if (e.Counters.ActiveSessions+1)*SessionCost > e.opt.Memcap {
		e.Counters.SsnMemcapDrop++
		return false
	}
	e.Counters.Sessions++
	e.Counters.ActiveSessions++
	if fl&sfMidstream != 0 {
		e.Counters.MidstreamPickups++
	}
	s.State, s.prev, s.flags = st, None, fl|s.flags&sfMissedSyn
	c, v := &s.h[e.dir], &s.h[1-e.dir]
	// The receiver of the data decides overlaps.
	c.policy, v.policy = e.opt.policyOf(&p.Dst), e.opt.policyOf(&p.Src)
	if e.opt.RawOff {
		c.rawOff, v.rawOff = true, true
	}
	return true
}

// set moves s to state st.
func (e *Engine) set(s *Session, st State) {
	if st == s.State {
		return
	}
	s.prev = s.State
	s.State = st
}

// follow handles a packet of a known session.
func (e *Engine) follow(s *Session, p *packet.Parsed) (Verdict, Flags) {
	own, opp := &s.h[e.dir], &s.h[1-e.dir]
	switch {
	case e.isKeepAlive(s, p, own, opp):
		own.keepAlive = true
		e.postRst(p, opp)
		return Ignored, KeepAlive
	case e.isKeepAliveAck(s, p, own, opp):
		opp.keepAlive = false
		e.postRst(p, opp)
		return Ignored, KeepAlive
	}
	own.keepAlive, opp.keepAlive = false, false
	if !e.finShutdownAck(s, p, own, opp) && !e.windowUpdate(s, p, own, opp) {
		if e.badWindowUpdate(s, p, own, opp) || e.outdatedAck(s, p, own, opp) {
			e.postRst(p, opp)
			return Ignored, 0
		}
	}
	if e.again(s, p, own) {
		e.add = true // its payload was looked at when it came first; nothing else of it counts
		return Retransmission, 0
	}
	v := e.dispatch(s, p)
	if v != Invalid {
		e.postRst(p, opp)
		e.update(s)
	}
	return v, 0
}

func (e *Engine) dispatch(s *Session, p *packet.Parsed) Verdict {
	switch s.State {
	case SynSent:
		return e.synSent(s, p)
	case SynRecv:
		return e.synRecv(s, p)
	case Established:
		return e.established(s, p)
	case FinWait1, FinWait2, TimeWait, LastAck, CloseWait, Closing:
		return e.closing(s, p)
	case Closed:
		return e.closed(s, p)
	}
	return Ignored
}

// postRst finds packets sent after a RST by who seemed to have sent that RST: then
// somebody else did.
func (e *Engine) postRst(p *packet.Parsed, opp *half) {
	if p.Flags&packet.RST == 0 && opp.rstRecv {
		opp.rstRecv = false
		e.event(EvSuspectedRstInject)
	}
}

// closed handles packets after the end. When only one side sent a RST and that
// side goes on, the RST was not its own: the session is taken up again.
func (e *Engine) closed(s *Session, p *packet.Parsed) Verdict {
	if p.Flags&packet.RST != 0 {
		return Accepted
	}
	own, opp := &s.h[e.dir], &s.h[1-e.dir]
	if !own.rstRecv && opp.rstRecv && s.prev != Closed && s.prev != None {
		s.State = s.prev
		s.prev = Closed
		v := e.dispatch(s, p)
		if v == Invalid {
			s.prev, s.State = s.State, Closed
		}
		return v
	}
	return Accepted
}

// Reuse tells whether the SYN p opens a new connection on the tuple of s, so that
// the flow has to end and a new one to begin.
func (e *Engine) Reuse(s *Session, p *packet.Parsed, dir uint8) bool {
	if p.Flags&packet.SYN == 0 || p.Flags&(packet.RST|packet.FIN) != 0 {
		return false
	}
	h := &s.h[dir&1]
	if p.Flags&packet.ACK != 0 {
		// A SYN/ACK opens a connection only where the SYN may have been missed.
		return (e.opt.Midstream || e.opt.AsyncOneside) && s.State >= LastAck && !(dir == ToClient && h.isn == p.Seq)
	}
	switch {
	case s.State == None: // picked up nothing so far
		return true
	case dir == ToServer && h.isn == p.Seq: // sent again
		return false
	}
	return s.State >= LastAck
}

// Finish ends the session: what is stored becomes readable, also when it was never
// acknowledged. What lies behind a hole that was not acknowledged is shown to raw
// inspection only: for the application layer the stream ends at the hole.
func (e *Engine) Finish(s *Session) {
	e.nev = 0
	if s.State == None {
		return
	}
	s.eng = e
	s.flags |= sfFinished
	for d := range s.h {
		if s.State == SynSent && s.flags&sfTFO == 0 {
			s.h[d].forget(&e.pool) // data of a SYN that nobody answered
		}
		s.h[d].limit = s.h[d].edge
		s.h[d].over = true
	}
}

// Release gives all memory of s back and makes it ready for another connection.
func (e *Engine) Release(s *Session) {
	if s.State != None {
		e.Counters.ActiveSessions--
	}
	for d := range s.h {
		e.Counters.Steps += s.h[d].list.steps
		s.h[d].reset(&e.pool)
	}
	s.State, s.prev, s.flags, s.eng, s.queue = None, None, 0, nil, s.queue[:0]
}
