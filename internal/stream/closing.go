package stream

import "mirador/internal/packet"

// fin handles the first FIN of a connection.
func (e *Engine) fin(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	n := e.n
	if !e.checkTS(s, p, own, own.policy) {
		return Invalid
	}
	if !e.validAck(s, p, opp) {
		e.event(EvFinInvalidAck)
		return Invalid
	}
	async := s.flags&sfAsync != 0
	if !async && (seqLT(p.Seq, own.nextSeq) && !(n > 0 && seqGE(p.Seq+n, own.nextSeq)) || seqGT(p.Seq, own.lastAck+max(own.win, 1)) && s.flags&sfMidstream == 0) {
		e.event(EvFinOutOfWindow)
		return Invalid
	}
	if e.dir == ToServer {
		e.set(s, CloseWait)
	} else {
		e.set(s, FinWait1)
	}
	e.takeFin(s, p, own, opp, n)
	return Accepted
}

// takeFin does what all accepted FINs do.
func (e *Engine) takeFin(s *Session, p *packet.Parsed, own, opp *half, n uint32) {
	e.noteTS(s, p, own)
	end := p.Seq + n
	if !own.finSeen {
		own.finSeen, own.finSeq = true, end
	}
	if seqGT(end+1, own.nextSeq) {
		own.nextSeq = end + 1
	}
	if p.Flags&packet.ACK != 0 {
		opp.win = e.win(p, opp)
		opp.ack(p.Ack)
		opp.grow(opp.lastAck + opp.win)
		if seqLT(opp.nextSeq, opp.lastAck) { // it acknowledges what was not seen
			opp.nextSeq = opp.lastAck
		}
	}
	if s.flags&sfAsync != 0 {
		own.ack(p.Seq)
	}
	e.upd |= updOpposite
	if s.State > TimeWait {
		e.upd |= updOwn
	}
	e.data(s, p)
}

// closing handles the states after the first FIN.
func (e *Engine) closing(s *Session, p *packet.Parsed) Verdict {
	own, opp := &s.h[e.dir], &s.h[1-e.dir]
	switch {
	case p.Flags&packet.RST != 0:
		if e.validRst(s, p) {
			e.closeByRst(s, p, own, opp)
		}
		return Accepted
	case p.Flags&packet.SYN != 0:
		e.event(EvShutdownSynResend)
		return Invalid
	case p.Flags&packet.FIN != 0 && (s.State == TimeWait || s.State == LastAck):
		return Accepted // both FINs were seen; nothing of it goes to the stream
	case p.Flags&packet.FIN != 0 && s.State != Closing:
		return e.closingFin(s, p, own, opp)
	case p.Flags&packet.ACK != 0:
		return e.closingAck(s, p, own, opp)
	}
	return Accepted
}

// closingEvents are the events of one state.
type closingEvents struct{ ackSeq, ack, finSeq Event }

func (s *Session) closingEvents() closingEvents {
	switch s.State {
	case FinWait1:
		return closingEvents{EvFin1AckWrongSeq, EvFin1InvalidAck, EvFin1FinWrongSeq}
	case FinWait2:
		return closingEvents{EvFin2AckWrongSeq, EvFin2InvalidAck, EvFin2FinWrongSeq}
	case CloseWait:
		return closingEvents{EvCloseWaitAckOutOfWindow, EvCloseWaitInvalidAck, EvCloseWaitFinOutOfWindow}
	case Closing:
		return closingEvents{EvClosingAckWrongSeq, EvClosingInvalidAck, EvClosingAckWrongSeq}
	case LastAck:
		return closingEvents{EvLastAckWrongSeq, EvLastAckInvalidAck, EvLastAckWrongSeq}
	}
	return closingEvents{EvTimeWaitAckWrongSeq, EvTimeWaitInvalidAck, EvTimeWaitAckWrongSeq}
}

// closingFin: a second FIN, or the first again.
func (e *Engine) closingFin(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	n := e.n
	ev := s.closingEvents()
	if !e.checkTS(s, p, own, own.policy) {
		return Invalid
	}
	again := own.finSeen && p.Seq+n == own.finSeq || seqLE(p.Seq+n, own.lastAck) && n > 0
	async := s.flags&sfAsync != 0
	if !again && !async && (seqLT(p.Seq+n, own.nextSeq) || seqGT(p.Seq, own.lastAck+max(own.win, 1))) {
		e.event(ev.finSeq)
		return Invalid
	}
	if !e.validAck(s, p, opp) {
		e.event(ev.ack)
		return Invalid
	}
	if !again {
		switch s.State {
		case FinWait1:
			if e.dir == ToServer {
				if p.Flags&packet.ACK != 0 && opp.finSeen && p.Ack == opp.finSeq+1 {
					e.set(s, TimeWait)
				} else {
					e.set(s, Closing)
				}
			}
		case FinWait2:
			if e.dir == ToServer {
				e.set(s, TimeWait)
			}
		case CloseWait:
			if e.dir == ToClient {
				e.set(s, LastAck)
			}
		}
	}
	e.takeFin(s, p, own, opp, n)
	return Accepted
}

// closingAck: data or acknowledgements after a FIN.
func (e *Engine) closingAck(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	n := e.n
	ev := s.closingEvents()
	if !e.checkTS(s, p, own, own.policy) {
		return Invalid
	}
	e.repeated(s, p, own)
	free := s.flags&(sfMidstream|sfAsync) != 0
	switch s.State {
	case FinWait1, FinWait2, CloseWait:
		if !free && seqGT(p.Seq+n, own.nextWin) && p.Seq+n != own.nextSeq {
			e.event(ev.ackSeq)
			return Invalid
		}
	default:
		before := seqLT(p.Seq, own.nextSeq)
		if !free && !before && p.Seq != own.nextSeq && p.Seq != own.nextSeq+1 {
			e.event(ev.ackSeq)
			return Invalid
		}
	}
	if !e.validAck(s, p, opp) {
		e.event(ev.ack)
		return Invalid
	}
	e.closingMove(s, p, own, opp)
	e.noteTS(s, p, own)
	if seqGT(p.Seq+n, own.nextSeq) {
		own.nextSeq = p.Seq + n
	}
	opp.win = e.win(p, opp)
	opp.ack(p.Ack)
	opp.grow(opp.lastAck + opp.win)
	if s.flags&sfAsync != 0 {
		own.ack(p.Seq)
	}
	e.upd |= updOpposite
	if s.State == Closed {
		e.upd = updBoth
	}
	e.data(s, p)
	return Accepted
}

// closingMove advances the state when p acknowledges the FIN of the other side.
func (e *Engine) closingMove(s *Session, p *packet.Parsed, own, opp *half) {
	acksFin := opp.finSeen && p.Ack == opp.finSeq+1
	switch s.State {
	case FinWait1:
		if acksFin && e.dir == ToServer {
			e.set(s, FinWait2)
		}
	case Closing:
		if acksFin {
			e.set(s, TimeWait)
		}
	case LastAck:
		if e.dir == ToServer && seqGE(p.Seq, own.nextSeq) && acksFin {
			e.set(s, Closed)
		}
	case TimeWait:
		if acksFin && seqGE(p.Seq, own.nextSeq) {
			e.set(s, Closed)
		}
	}
}
