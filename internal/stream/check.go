package stream

import "mirador/internal/packet"

const sfr = packet.SYN | packet.FIN | packet.RST

// isKeepAlive: an empty segment or one byte just before what is expected next.
func (e *Engine) isKeepAlive(s *Session, p *packet.Parsed, own, opp *half) bool {
	if p.Flags&sfr != 0 || s.State < Established {
		return false
	}
	n := e.n
	return n <= 1 && p.Ack == opp.lastAck && p.Seq == own.nextSeq-1
}

// isKeepAliveAck: the empty answer to a keep-alive.
func (e *Engine) isKeepAliveAck(s *Session, p *packet.Parsed, own, opp *half) bool {
	if !opp.keepAlive || p.Flags&sfr != 0 || e.n > 0 || p.Flags&packet.ACK == 0 {
		return false
	}
	if e.win(p, opp) != opp.win {
		return false
	}
	return p.Seq == own.nextSeq && p.Ack == opp.lastAck
}

// win returns the window p grants to the sender of opp.
func (e *Engine) win(p *packet.Parsed, opp *half) uint32 { return uint32(p.Window) << opp.wscale }

func (e *Engine) windowUpdate(s *Session, p *packet.Parsed, own, opp *half) bool {
	if s.State < Established || p.Flags&sfr != 0 || e.n > 0 {
		return false
	}
	return uint32(p.Window)<<opp.wscale != opp.win && p.Ack == opp.lastAck && p.Seq == own.nextSeq
}

// badWindowUpdate: an empty packet that shrinks the window while it is ahead of
// both sides; stacks ignore it.
func (e *Engine) badWindowUpdate(s *Session, p *packet.Parsed, own, opp *half) bool {
	if s.State < Established || s.State == Closed || p.Flags&sfr != 0 {
		return false
	}
	w := e.win(p, opp)
	if w >= opp.win || opp.win-w <= e.n {
		return false
	}
	if seqGT(p.Ack, opp.nextSeq) && seqGT(p.Seq, own.nextSeq) {
		e.event(EvBadWindowUpdate)
		return true
	}
	return false
}

// outdatedAck: an empty acknowledgement of less than is acknowledged already.
func (e *Engine) outdatedAck(s *Session, p *packet.Parsed, own, opp *half) bool {
	if s.State < Established || p.Flags&sfr != 0 || p.Flags&packet.ACK == 0 || e.n > 0 {
		return false
	}
	return seqLT(p.Ack, opp.lastAck) && p.Seq == own.nextSeq
}

// finShutdownAck: the acknowledgement of a FIN.
func (e *Engine) finShutdownAck(s *Session, p *packet.Parsed, own, opp *half) bool {
	if s.State != TimeWait && s.State != CloseWait && s.State != LastAck {
		return false
	}
	return p.Flags == packet.ACK && e.n == 0 && p.Seq == own.nextSeq && p.Ack == opp.nextSeq+1
}

// validAck checks the acknowledgement of p against opp, whose data it is about
// (RFC 9293 section 3.10.7.4).
func (e *Engine) validAck(s *Session, p *packet.Parsed, opp *half) bool {
	if p.Flags&packet.ACK == 0 || p.Ack == opp.lastAck {
		return true
	}
	if seqLT(p.Ack, opp.lastAck) {
		if opp.win != 0 && seqLT(p.Ack, opp.lastAck-opp.win) {
			e.event(EvInvalidAck)
			return false
		}
		return true
	}
	if s.flags&sfAsync != 0 || seqLE(p.Ack, opp.nextWin) {
		return true
	}
	if s.State == SynSent && e.dir == ToClient && p.Flags&packet.RST != 0 && p.Ack == opp.isn+1 {
		return true
	}
	if p.Ack == opp.nextSeq || opp.finSeen && p.Ack == opp.finSeq+1 { // all that was sent, whatever the window
		return true
	}
	e.event(EvInvalidAck)
	return false
}

// checkTS is protection against wrapped sequence numbers (RFC 7323 section 5), with
// the differences between stacks.
func (e *Engine) checkTS(s *Session, p *packet.Parsed, own *half, recv Policy) bool {
	if s.flags&sfTimestamp == 0 || !p.HasTS {
		return true
	}
	check := true
	if own.zeroTS {
		switch recv {
		case PolicyLinux, PolicyWindows2k3: // no timestamps after a zero in the handshake
			s.flags &^= sfTimestamp
			return true
		case PolicyOldLinux, PolicyWindows, PolicyVista:
			own.zeroTS = false
			if p.Seq == own.nextSeq {
				own.lastTS = p.TSVal
				check = false
			}
		}
	}
	if recv == PolicyHPUX11 && p.Seq != own.nextSeq {
		check = false
	}
	if p.TSVal == 0 {
		switch recv {
		case PolicyOldLinux, PolicyWindows, PolicyWindows2k3, PolicyVista, PolicySolaris:
		default:
			if !own.zeroTS || own.lastTS != 0 {
				e.event(EvInvalidTimestamp)
				return false
			}
		}
	}
	if !check || own.lastTS == 0 && own.tsTime == 0 {
		return true
	}
	diff := int32(p.TSVal - own.lastTS)
	if recv == PolicyLinux || e.opt.LiberalTimestamps {
		diff++
	}
	old := own.tsTime != 0 && p.Time-own.tsTime > pawsIdle
	if diff >= 0 && !(own.lastTS != 0 && old) {
		return true
	}
	if p.Seq == own.nextSeq && old {
		own.lastTS = p.TSVal
		return true
	}
	e.event(EvInvalidTimestamp)
	return false
}

// noteTS takes the timestamp of an accepted packet.
func (e *Engine) noteTS(s *Session, p *packet.Parsed, own *half) {
	if s.flags&sfTimestamp == 0 || !p.HasTS {
		return
	}
	if p.Seq == own.nextSeq || own.lastTS == 0 && s.flags&sfMidstream != 0 {
		own.lastTS = p.TSVal
	}
	own.tsTime = p.Time
}

// validRst tells whether stacks of the receiver's kind take the RST p.
func (e *Engine) validRst(s *Session, p *packet.Parsed) bool {
	own, opp := &s.h[e.dir], &s.h[1-e.dir]
	if s.flags&sfAsync != 0 && s.State > SynRecv {
		if own.known && seqGE(p.Seq, own.nextSeq) {
			opp.rstRecv = true
			return true
		}
		return false
	}
	if !e.checkTS(s, p, own, own.policy) {
		return false
	}
	if p.Flags&packet.ACK != 0 && p.Ack != 0 && !e.validAck(s, p, opp) {
		e.event(EvRstInvalidAck)
		return false
	}
	n := e.n
	ok := false
	switch own.policy {
	case PolicyHPUX11:
		ok = seqGE(p.Seq, own.nextSeq)
	case PolicyOldLinux, PolicyLinux, PolicySolaris:
		ok = seqGE(p.Seq+n, own.lastAck) && seqLE(p.Seq, own.lastAck+max(own.win, 1))
	default:
		ok = p.Seq == own.nextSeq
	}
	if own.stats.GapBytes > 0 && seqGE(p.Seq, own.nextSeq) {
		ok = true // with bytes lost, nobody knows what came next
	}
	if ok {
		opp.rstRecv = true
	}
	return ok
}
