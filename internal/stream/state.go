package stream

import "mirador/internal/packet"

// begin handles the first packet of a connection, or one of no connection.
func (e *Engine) begin(s *Session, p *packet.Parsed) (Verdict, Flags) {
	pick := e.opt.Midstream || e.opt.AsyncOneside
	if p.Flags&packet.RST == 0 && p.Flags&(packet.ACK|packet.FIN) != 0 {
		s.flags |= sfMissedSyn
	}
	n := e.n
	switch {
	case p.Flags&packet.RST != 0:
		e.event(EvRstNoSession)
		return Invalid, 0
	case p.Flags&packet.FIN != 0:
		if !e.opt.Midstream || n == 0 {
			e.event(EvFinNoSession)
			return Invalid, 0
		}
		return e.pickUp(s, p, FinWait1)
	case p.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK:
		if !pick {
			return Ignored, 0
		}
		return e.pickUpSynack(s, p)
	case p.Flags&packet.SYN != 0:
		return e.syn(s, p)
	case p.Flags&packet.ACK != 0:
		if !e.opt.Midstream {
			return Ignored, 0
		}
		return e.pickUp(s, p, Established)
	}
	return Ignored, 0
}

// syn begins a connection.
func (e *Engine) syn(s *Session, p *packet.Parsed) (Verdict, Flags) {
	if e.dir == ToClient { // whoever sent before: a SYN comes from the client
		e.turn = true
		e.dir = ToServer
	}
	if !e.open(s, p, SynSent, 0) {
		return NoMemory, 0
	}
	c, v := &s.h[e.dir], &s.h[1-e.dir]
	c.start(&e.pool, p.Seq)
	c.nextSeq = p.Seq + 1
	if p.HasTS {
		c.hasTS = true
		c.lastTS, c.tsTime = p.TSVal, p.Time
		c.zeroTS = p.TSVal == 0
	}
	v.win = uint32(p.Window)
	if p.HasWScale {
		v.wscale = min(p.WScale, maxWScale)
	}
	if e.n > 0 {
		c.nextSeq += e.n
		e.data(s, p)
		if fastOpen(p) {
			s.flags |= sfTFO
		} else {
			e.add = false // most stacks do not take them: a lone payload until the answer says else
		}
	}
	return Accepted, Fresh
}

// fastOpen tells whether p carries a TCP fast open cookie (RFC 7413, or the
// experimental form of RFC 6994).
func fastOpen(p *packet.Parsed) bool {
	for o := p.TCPOptions(); o.Next(); {
		if o.Option.Kind == 34 || o.Option.Kind == 254 && len(o.Option.Data) >= 2 && o.Option.Data[0] == 0xf9 && o.Option.Data[1] == 0x89 {
			return true
		}
	}
	return false
}

// start sets the initial sequence number of h. Data stored under another one go.
func (h *half) start(pl *pool, isn uint32) {
	if h.known && h.isn != isn && (h.right > 0 || h.edge > 0) {
		h.forget(pl)
	}
	h.isn, h.known = isn, true
	h.nextSeq = isn + 1
	h.lastAck = isn + 1
	h.nextWin = isn + 1
}

// pickUp begins a session in the middle of a connection: whoever sends is the
// client until something tells otherwise.
func (e *Engine) pickUp(s *Session, p *packet.Parsed, st State) (Verdict, Flags) {
	fl := sfMidstream | sfMidstreamEst
	if e.opt.AsyncOneside {
		fl |= sfAsync
	}
	if !e.open(s, p, st, fl) {
		return NoMemory, 0
	}
	c, v := &s.h[e.dir], &s.h[1-e.dir]
	n := e.n
	c.start(&e.pool, p.Seq-1)
	v.start(&e.pool, p.Ack-1)
	// The shift was in the SYN that nobody saw: allow the largest.
	c.wscale, v.wscale = maxWScale, maxWScale
	c.nextSeq = p.Seq + n
	c.lastAck = p.Seq
	c.win = uint32(p.Window) << maxWScale
	c.nextWin = c.lastAck + c.win
	v.win = uint32(p.Window) << maxWScale
	v.nextWin = v.lastAck + v.win
	if p.HasTS {
		s.flags |= sfTimestamp
		c.hasTS, c.lastTS, c.tsTime = true, p.TSVal, p.Time
		v.lastTS = p.TSEcr
		c.zeroTS, v.zeroTS = p.TSVal == 0, p.TSEcr == 0
	}
	if p.Flags&packet.FIN != 0 {
		c.nextSeq++
	}
	e.data(s, p)
	e.update(s)
	return Accepted, Fresh | Midstream
}

// pickUpSynack begins a session with a SYN/ACK: its sender is the server.
func (e *Engine) pickUpSynack(s *Session, p *packet.Parsed) (Verdict, Flags) {
	if e.dir == ToServer {
		e.turn = true
		e.dir = ToClient
	}
	if !e.open(s, p, SynRecv, sfMidstream|sfMidstreamSynack) {
		return NoMemory, 0
	}
	v, c := &s.h[ToClient], &s.h[ToServer]
	v.start(&e.pool, p.Seq)
	c.start(&e.pool, p.Ack-1)
	c.win = uint32(p.Window)
	c.wscale, v.wscale = maxWScale, maxWScale
	if p.HasWScale {
		c.wscale = min(p.WScale, maxWScale)
	}
	c.nextWin = c.lastAck + c.win
	v.win = 0xffff << maxWScale
	v.nextWin = v.lastAck + v.win
	if p.HasTS {
		s.flags |= sfTimestamp
		v.hasTS, v.lastTS, v.tsTime = true, p.TSVal, p.Time
		v.zeroTS = p.TSVal == 0
		c.lastTS = p.TSEcr
	}
	return Accepted, Fresh | Midstream
}

// synSent: a SYN was seen.
func (e *Engine) synSent(s *Session, p *packet.Parsed) Verdict {
	own, opp := &s.h[e.dir], &s.h[1-e.dir]
	if e.dir == ToClient && p.HasTS && !opp.hasTS && p.Flags&packet.SYN == 0 {
		// The SYN offered no timestamps: a stack drops this answer, so that a RST
		// or FIN of this kind is meant for us (evasion of middle boxes).
		e.event(EvInvalidTimestamp)
		return Invalid
	}
	switch {
	case p.Flags&packet.RST != 0:
		return e.rstEarly(s, p, own, opp)
	case p.Flags&packet.FIN != 0:
		return Accepted
	case p.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK:
		return e.synSentSynack(s, p, own, opp)
	case p.Flags&packet.SYN != 0:
		return e.synSentSyn(s, p, own, opp)
	case p.Flags&packet.ACK != 0:
		if !e.opt.AsyncOneside {
			return Accepted
		}
		if e.dir != ToServer || p.Seq != own.nextSeq {
			e.event(EvAsyncWrongSeq)
			return Invalid
		}
		return e.goAsync(s, p, own, opp)
	}
	return Accepted
}

// rstEarly: a RST during the handshake.
func (e *Engine) rstEarly(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	if e.dir == ToServer {
		if !e.validRst(s, p) {
			return Accepted
		}
		if s.State == SynSent && (p.Seq != own.isn || p.Window != 0 || p.Ack != own.isn+1) {
			opp.rstRecv = false
			return Accepted // nobody takes back a SYN in another way
		}
	} else if s.State == SynSent && !own.known && p.Seq != 0 && own.policy != PolicyLinux && own.policy != PolicyOldLinux && own.policy != PolicySolaris {
		return Accepted // a SYN is refused with sequence number 0
	} else if s.State == SynSent {
		if p.Flags&packet.ACK != 0 && p.Ack != opp.isn+1 && p.Ack != opp.nextSeq {
			e.event(EvRstInvalidAck)
			return Accepted
		}
		opp.rstRecv = true
		if !own.known {
			own.start(&e.pool, p.Seq)
		}
	} else if !e.validRst(s, p) {
		return Accepted
	}
	e.closeByRst(s, p, own, opp)
	return Accepted
}

// goAsync: the client goes on without a SYN/ACK that we saw: one side is hidden.
func (e *Engine) goAsync(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	s.flags |= sfAsync
	own.win = uint32(p.Window)
	own.nextWin = own.lastAck + own.win
	opp.start(&e.pool, p.Ack-1)
	opp.win = uint32(p.Window)
	if p.HasTS && own.hasTS {
		s.flags |= sfTimestamp
	}
	own.wscale = maxWScale
	own.nextSeq = p.Seq + e.n
	e.set(s, Established)
	e.data(s, p)
	return Accepted
}

func (e *Engine) synSentSynack(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	if s.flags&sf4WHS != 0 && e.dir == ToServer {
		// The side that sent the first SYN answers the other side's SYN.
		if p.Ack != opp.isn+1 {
			e.event(Ev4WHSSynackWrongAck)
			return Invalid
		}
		if p.Seq != own.isn {
			e.event(Ev4WHSSynackWrongSyn)
			return Invalid
		}
		if p.HasWScale {
			opp.wscale = min(p.WScale, maxWScale)
		}
		opp.win = uint32(p.Window)
		opp.nextWin = opp.lastAck + opp.win
		e.set(s, SynRecv)
		return Accepted
	}
	if e.dir == ToServer {
		e.event(EvSynackInWrongDir)
		return Invalid
	}
	switch {
	case p.Ack == opp.isn+1:
		if p.Ack != opp.nextSeq {
			// The server did not take the data of the SYN: they will come again.
			if s.flags&sfTFO != 0 {
				e.event(EvSynackTFODataIgnored)
			}
			opp.nextSeq = opp.isn + 1
			s.flags &^= sfTFO
			opp.forget(&e.pool)
		}
	case p.Ack == opp.nextSeq: // and of the data in the SYN
	case e.matchQueuedSyn(s, p, opp):
	default:
		e.event(EvSynackWrongAck)
		return Invalid
	}
	e.takeSynack(s, p, own, opp)
	e.set(s, SynRecv)
	e.data(s, p)
	e.upd |= updOpposite
	return Accepted
}

// takeSynack notes what the SYN/ACK p of own's sender says.
func (e *Engine) takeSynack(s *Session, p *packet.Parsed, own, opp *half) {
	own.start(&e.pool, p.Seq)
	own.nextSeq += e.n
	if p.HasTS && opp.hasTS {
		s.flags |= sfTimestamp
		own.hasTS, own.lastTS, own.tsTime = true, p.TSVal, p.Time
		own.zeroTS = p.TSVal == 0
	} else {
		s.flags &^= sfTimestamp
		opp.lastTS, opp.tsTime, opp.zeroTS = 0, 0, false
	}
	// Window scaling counts only when both SYNs offer it (RFC 7323 section 2.2).
	// The client's shift was noted at own when its SYN came.
	if p.HasWScale {
		opp.wscale = min(p.WScale, maxWScale)
	} else {
		own.wscale, opp.wscale = 0, 0
	}
	opp.lastAck = p.Ack
	opp.win = uint32(p.Window)
	opp.nextWin = opp.lastAck + opp.win
	own.nextWin = own.lastAck + own.win
}

func (e *Engine) synSentSyn(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	if e.dir == ToClient {
		// Both sides open: simultaneous open or a split handshake.
		s.flags |= sf4WHS
		own.start(&e.pool, p.Seq)
		if p.HasTS {
			own.hasTS, own.lastTS, own.tsTime = true, p.TSVal, p.Time
			own.zeroTS = p.TSVal == 0
			if opp.hasTS {
				s.flags |= sfTimestamp
			}
		}
		opp.win = uint32(p.Window)
		if p.HasWScale {
			opp.wscale = min(p.WScale, maxWScale)
		} else {
			opp.wscale, own.wscale = 0, 0
		}
		own.nextWin = own.lastAck + own.win
		opp.nextWin = opp.lastAck + opp.win
		return Accepted
	}
	// Which SYN the server takes is seen when it answers. As in Suricata 8 one that is
	// sent again counts like another.
	if len(s.queue) >= e.opt.MaxSynQueued {
		// The oldest is forgotten: the newest are more likely to be answered.
		e.event(EvSynFlood)
		if len(s.queue) == 0 {
			return Accepted
		}
		if s.queue[0].seq != own.isn {
			e.takeQueuedSyn(s, own, s.queue[0])
		}
		s.queue = append(s.queue[:0], s.queue[1:]...)
	}
	s.queue = append(s.queue, record(p))
	return Accepted
}

func record(p *packet.Parsed) synRec {
	r := synRec{seq: p.Seq, ack: p.Ack, win: uint32(p.Window), ts: p.TSVal, wscale: min(p.WScale, maxWScale)}
	if p.HasTS {
		r.flags |= qTS
	}
	if p.HasWScale {
		r.flags |= qWS
	}
	return r
}

// matchQueuedSyn finds the SYN that the SYN/ACK p answers among those that came
// after the first.
func (e *Engine) matchQueuedSyn(s *Session, p *packet.Parsed, cl *half) bool {
	for i := range s.queue {
		q := &s.queue[i]
		if p.Ack != q.seq+1 {
			continue
		}
		e.takeQueuedSyn(s, cl, *q)
		s.queue = s.queue[:0]
		return true
	}
	return false
}

// takeQueuedSyn makes q the SYN that the session of client cl began with.
func (e *Engine) takeQueuedSyn(s *Session, cl *half, q synRec) {
	cl.forget(&e.pool)
	cl.start(&e.pool, q.seq)
	srv := &s.h[ToClient]
	srv.win = q.win
	srv.wscale = 0
	if q.flags&qWS != 0 {
		srv.wscale = q.wscale
	}
	cl.hasTS = q.flags&qTS != 0
	cl.lastTS, cl.zeroTS = q.ts, cl.hasTS && q.ts == 0
}

// forget drops what was stored, because the sequence numbers start again.
func (h *half) forget(pl *pool) {
	h.drop(pl)
	h.base, h.low, h.edge, h.right, h.app, h.shown, h.limit, h.raw = 0, 0, 0, 0, 0, 0, 0, 0
	h.brk.gone = 0
}

// synRecv: a SYN/ACK was seen.
func (e *Engine) synRecv(s *Session, p *packet.Parsed) Verdict {
	own, opp := &s.h[e.dir], &s.h[1-e.dir]
	switch {
	case p.Flags&packet.RST != 0:
		return e.rstEarly(s, p, own, opp)
	case p.Flags&packet.FIN != 0:
		return e.fin(s, p, own, opp)
	case p.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK:
		return e.synRecvSynack(s, p, own, opp)
	case p.Flags&packet.SYN != 0:
		if e.dir == ToClient {
			e.event(EvSynToClientOnSynRecv)
			return Invalid
		}
		if p.Seq != own.isn {
			e.event(EvSynDifferentSeqOnSynRecv)
			return Invalid
		}
		return Accepted
	case p.Flags&packet.ACK != 0:
		return e.synRecvAck(s, p, own, opp)
	}
	return Accepted
}

func (e *Engine) synRecvSynack(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	if s.flags&sf4WHS != 0 {
		if e.dir == ToClient && p.Seq == own.isn && p.Ack == opp.isn+1 { // the other half of a simultaneous open
			return Accepted
		}
		if e.dir == ToServer && p.Seq == own.isn {
			return Accepted
		}
	}
	if e.dir == ToServer {
		e.event(EvSynackToServerOnSynRecv)
		return Invalid
	}
	if p.Ack != opp.isn+1 && p.Ack != opp.lastAck {
		e.event(EvSynackDifferentAck)
		return Invalid
	}
	if p.Seq == own.isn {
		return Accepted
	}
	for i := range s.queue {
		if s.queue[i].seq == p.Seq {
			return Accepted
		}
	}
	if len(s.queue) >= e.opt.MaxSynackQueued {
		e.event(EvSynackFlood)
		return Invalid
	}
	s.queue = append(s.queue, record(p))
	return Accepted
}

// matchQueuedSynack finds the SYN/ACK that the client's packet p answers among
// those that came after the first.
func (e *Engine) matchQueuedSynack(s *Session, p *packet.Parsed, cl, srv *half) bool {
	for i := range s.queue {
		q := s.queue[i]
		if p.Ack != q.seq+1 || p.Seq != cl.nextSeq {
			continue
		}
		srv.forget(&e.pool)
		srv.start(&e.pool, q.seq)
		cl.win = q.win
		cl.wscale = 0
		if q.flags&qWS != 0 {
			cl.wscale = q.wscale
		}
		if q.flags&qTS != 0 && cl.hasTS {
			s.flags |= sfTimestamp
			srv.lastTS, srv.tsTime, srv.zeroTS = q.ts, p.Time, q.ts == 0
		}
		srv.nextWin = srv.lastAck + srv.win
		return true
	}
	return false
}

// synRecvAck completes the handshake, or does what stands for it.
func (e *Engine) synRecvAck(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	if len(s.queue) > 0 {
		if e.dir == ToServer && p.Ack != opp.nextSeq {
			e.matchQueuedSynack(s, p, own, opp)
		}
		s.queue = s.queue[:0]
	}
	if !e.checkTS(s, p, own, own.policy) {
		return Invalid
	}
	if s.flags&sf4WHS != 0 && e.dir == ToClient {
		if p.Seq != own.nextSeq {
			e.event(Ev4WHSWrongSeq)
			return Invalid
		}
		if !e.validAck(s, p, opp) {
			e.event(Ev4WHSInvalidAck)
			return Invalid
		}
		return e.complete(s, p, own, opp)
	}
	n := e.n
	if e.dir == ToClient {
		return e.synRecvServer(s, p, own, opp, n)
	}
	switch {
	case p.Seq == own.nextSeq && p.Ack == opp.nextSeq:
	case e.opt.AsyncOneside && p.Seq == own.nextSeq && s.flags&sfMidstreamSynack != 0:
		s.flags |= sfAsync
	case p.Seq == own.nextSeq:
		s.flags |= sfEvasion
		e.event(EvRightSeqWrongAck)
		return Invalid
	case seqGT(p.Seq, own.nextSeq) && seqLE(p.Seq, own.nextWin) && p.Ack == opp.nextSeq:
		// The handshake's last packet, and perhaps data, were missed.
	case s.flags&sfTFO != 0 && p.Seq == own.isn+1 && p.Ack == opp.nextSeq:
	default:
		e.event(EvWrongSeqWrongAck)
		return Invalid
	}
	return e.complete(s, p, own, opp)
}

// synRecvServer: the server goes on before the client's acknowledgement was seen.
func (e *Engine) synRecvServer(s *Session, p *packet.Parsed, own, opp *half, n uint32) Verdict {
	mid := s.flags&(sfMidstreamSynack|sfTFO) != 0
	switch {
	case p.Seq == own.nextSeq && p.Ack == opp.lastAck:
		// Fits, only the client's packet is missing.
	case e.opt.AsyncOneside && p.Seq == own.nextSeq:
		s.flags |= sfAsync
	case seqGE(p.Seq, own.nextSeq) && seqGT(p.Ack, opp.lastAck) && (mid || seqLE(p.Ack, opp.nextWin)):
		// Acknowledges data that were not seen.
	case seqGT(p.Seq, own.nextSeq) && p.Ack == opp.lastAck && seqLE(p.Seq, own.nextWin):
	default:
		if e.opt.Inline && !mid {
			e.event(EvAckInWrongDir)
			return Invalid
		}
		e.event(EvWrongSeqWrongAck)
		return Invalid
	}
	if e.opt.AsyncOneside && s.flags&sfMidstreamSynack != 0 {
		s.flags |= sfAsync
	}
	return e.complete(s, p, own, opp)
}

// complete goes to established with the packet p.
func (e *Engine) complete(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	n := e.n
	opp.win = e.win(p, opp)
	opp.ack(p.Ack)
	opp.grow(opp.lastAck + opp.win)
	e.noteTS(s, p, own)
	if end := p.Seq + n; seqGT(end, own.nextSeq) {
		own.nextSeq = end
	}
	if s.flags&sfAsync != 0 {
		own.ack(p.Seq)
	}
	e.set(s, Established)
	e.data(s, p)
	e.upd |= updOpposite
	return Accepted
}

// ack raises what was acknowledged of h's data.
func (h *half) ack(a uint32) {
	if seqGT(a, h.lastAck) {
		h.lastAck = a
	}
}

// grow moves the right edge of the window forward.
func (h *half) grow(w uint32) {
	if seqGT(w, h.nextWin) {
		h.nextWin = w
	}
}

// established is the state in which data flows.
func (e *Engine) established(s *Session, p *packet.Parsed) Verdict {
	own, opp := &s.h[e.dir], &s.h[1-e.dir]
	switch {
	case p.Flags&packet.RST != 0:
		if e.validRst(s, p) {
			e.closeByRst(s, p, own, opp)
		}
		return Accepted
	case p.Flags&packet.FIN != 0:
		return e.fin(s, p, own, opp)
	case p.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK:
		return e.estSynack(s, p, own, opp)
	case p.Flags&packet.SYN != 0:
		switch {
		case e.dir == ToClient:
			e.event(EvEstSynToClient)
		case p.Seq != own.isn:
			e.event(EvEstSynDifferentSeq)
		default:
			e.event(EvEstSynResend)
		}
		return Invalid
	case p.Flags&packet.ACK != 0 || s.flags&sfMidstream != 0:
		return e.flow(s, p, own, opp)
	}
	return Accepted
}

func (e *Engine) estSynack(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	switch {
	case e.dir == ToServer:
		if s.flags&sf4WHS != 0 && p.Seq == own.isn {
			return Accepted
		}
		e.event(EvEstSynackToServer)
	case p.Ack != opp.lastAck && p.Ack != opp.isn+1:
		e.event(EvEstSynackDifferentAck)
	case p.Seq != own.isn:
		e.event(EvEstSynackDifferentSeq)
	case s.flags&sfConfirmed != 0:
		e.event(EvEstSynackResend)
	default:
		return Accepted
	}
	return Invalid
}

// flow handles acknowledgements and data of an established connection.
func (e *Engine) flow(s *Session, p *packet.Parsed, own, opp *half) Verdict {
	n := e.n
	if !e.validAck(s, p, opp) {
		e.event(EvEstInvalidAck)
		return Invalid
	}
	if !e.checkTS(s, p, own, own.policy) {
		return Invalid
	}
	async := s.flags&sfAsync != 0
	if s.flags&sfMidstreamEst != 0 && e.dir == ToClient && !opp.zwp {
		// The first answer to a pick-up shows the other window.
		opp.win = e.win(p, opp)
		own.nextWin = own.lastAck + max(own.win, 0xffff<<maxWScale)
		s.flags &^= sfMidstreamEst
	}
	if seqLT(p.Seq+n, own.lastAck) && !async && p.Seq != own.nextSeq && !own.missing(p.Seq+n) {
		e.event(EvEstBeforeLastAck)
		return Invalid
	}
	probe := n == 1 && p.Seq == own.nextSeq && own.win == 0
	if !probe && seqGT(p.Seq+n, own.nextSeq) && (seqLE(p.Seq+n, own.nextWin) || s.flags&(sfMidstream|sfAsync) != 0) {
		e.noteTS(s, p, own)
		own.nextSeq = p.Seq + n
	} else {
		e.noteTS(s, p, own)
	}
	if !probe && seqGT(p.Seq+n, own.nextWin) && s.flags&(sfMidstream|sfAsync) == 0 {
		e.event(EvEstOutOfWindow)
		return Invalid
	}
	opp.win = e.win(p, opp)
	if p.Flags&packet.ACK != 0 {
		if seqGT(p.Ack, opp.nextSeq) && !async {
			e.Counters.AckUnseenData++
		}
		opp.ack(p.Ack)
	}
	if async {
		own.ack(p.Seq)
		if seqGT(p.Ack, opp.nextSeq) {
			opp.nextSeq = p.Ack
		}
	}
	opp.grow(opp.lastAck + opp.win)
	if own.nextSeq != own.isn+1 && seqGT(own.lastAck, own.isn+1) {
		s.flags |= sfConfirmed
	}
	e.upd |= updOpposite
	e.data(s, p)
	return Accepted
}

// missing tells whether bytes before seq end are still waited for.
func (h *half) missing(end uint32) bool {
	return !h.noReasm && h.offset(end) > int64(h.edge)
}

// again tells whether all of p's payload was acknowledged before.
func (e *Engine) again(s *Session, p *packet.Parsed, own *half) bool {
	if e.n == 0 || s.flags&sfAsync != 0 || p.Flags&(packet.SYN|packet.RST) != 0 {
		return false
	}
	from := own.lastAck
	if s.State == SynSent && own.known {
		from = own.isn + 1 // nothing is acknowledged yet
	}
	end := p.Seq + e.n
	if seqGT(end, from) {
		return false
	}
	e.event(EvSpuriousRetransmission)
	return !own.missing(end) // acknowledged, but only now seen: packets were reordered
}

// repeated raises the event about payload that was sent before, which Suricata 8
// tells of once a FIN was seen.
func (e *Engine) repeated(s *Session, p *packet.Parsed, own *half) {
	if e.n == 0 || s.flags&sfAsync != 0 {
		return
	}
	end := p.Seq + e.n
	if seqGT(end, own.lastAck) && (seqLT(p.Seq, own.lastAck) || seqLE(end, own.nextSeq)) {
		e.event(EvRetransmission)
	}
}

// closeByRst ends the connection. What was sent counts as received from here on.
func (e *Engine) closeByRst(s *Session, p *packet.Parsed, own, opp *half) {
	n := e.n
	s.flags |= sfClosedByRst
	e.set(s, Closed)
	if p.Flags&packet.ACK != 0 && opp.known && seqLE(p.Ack, opp.nextWin) {
		opp.ack(p.Ack)
	}
	if opp.known {
		opp.ack(opp.isn + 1 + uint32(opp.edge))
	}
	if own.known {
		if end := p.Seq + n; seqGT(end, own.nextSeq) && p.Seq == own.nextSeq {
			own.nextSeq = end
		}
		own.ack(own.isn + 1 + uint32(own.edge))
		// Behind a hole that was given up, what was sent before the RST counts, too.
		if last := own.isn + 1 + uint32(own.right); own.stats.GapBytes > 0 && seqGT(p.Seq, own.isn+1+uint32(own.edge)) {
			if seqLT(p.Seq, last) {
				last = p.Seq
			}
			own.ack(last)
		}
	}
	e.noteTS(s, p, own)
	e.upd |= updOwn
	// Data of a RST is never part of the stream, and not a lone payload either.
	e.add = e.n > 0
}
