package stream

import "mirador/internal/packet"

// data stores the payload of p in its direction.
func (e *Engine) data(s *Session, p *packet.Parsed) {
	b, seq := payload(p)
	h := &s.h[e.dir]
	if len(b) == 0 || h.noReasm || !h.known || h.appOff && h.rawOff {
		return
	}
	if p.Flags&packet.URG != 0 && p.Urgent > 0 {
		e.urgent(h, b, seq, p.Urgent)
		return
	}
	e.store(h, b, seq)
}

// store puts payload that begins at seq into h.
func (e *Engine) store(h *half, b []byte, seq uint32) {
	off := h.offset(seq)
	e.add = true
	if len(b) > maxSegment {
		b = b[:maxSegment]
	}
	if off < 0 {
		if off+int64(len(b)) <= 0 {
			e.event(EvSegmentBeforeBase)
			return
		}
		b = b[-off:]
		off = 0
	}
	at := uint64(off)
	if at+uint64(len(b)) <= h.base {
		e.event(EvSegmentBeforeBase)
		return
	}
	limit := e.opt.Depth
	if h.depth > 0 {
		limit = h.depth - 1
	}
	if limit > 0 {
		depth := uint64(limit)
		if at+uint64(len(b)) > depth {
			// The application layer is told at once, with what is acknowledged now.
			h.depthNew = h.depthNew || !h.depthTold
			h.depthTold = true
		}
		if at > depth {
			if !h.depthHit {
				h.depthHit = true
				h.noReasm = true
				e.Counters.StreamDepth++
				e.event(EvDepthReached)
			}
			return
		}
		if at+uint64(len(b)) > depth {
			b = b[:depth-at]
		}
		if len(b) == 0 {
			return
		}
	}
	tooFar := at+uint64(len(b)) > h.edge+maxAhead
	r := h.insert(&e.pool, at, b)
	if r.noMemory {
		if tooFar || h.list.n >= maxPieces {
			e.Counters.SegmentInsertFail++
			e.event(EvInsertLimit)
		} else {
			e.Counters.SegmentMemcapDrop++
			e.event(EvInsertMemcap)
		}
	}
	if r.overlap {
		e.Counters.Overlap++
	}
	if r.differs {
		e.Counters.OverlapDiffData++
		e.event(EvOverlapDifferentData)
	}
}

// urgent stores a segment with urgent data as the policy says. The urgent pointer
// counts from the segment's start and points behind the urgent byte, as stacks see
// it (RFC 6093 section 3.1).
func (e *Engine) urgent(h *half, b []byte, seq uint32, ptr uint16) {
	pol := e.opt.Urgent
	if pol == UrgentOOB || pol == UrgentGap {
		if h.urgent >= maxUrgent || len(h.oob) >= maxUrgentAhead {
			e.event(EvUrgentLimit)
			pol = e.opt.UrgentLimit
		}
	}
	at := h.offset(seq) + int64(ptr) - 1
	switch {
	case pol == UrgentDrop:
		return
	case pol == UrgentInline || int(ptr) > len(b) || at < int64(h.edge):
		e.store(h, b, seq) // the urgent byte is not in it, or was there before
		return
	case pol == UrgentOOB:
		h.urgent++
		e.Counters.UrgentOOB++
		h.addOOB(uint64(at))
	default: // as a gap: the byte is missing
		h.urgent++
	}
	i := int(ptr) - 1
	if i > 0 {
		e.store(h, b[:i], seq)
	}
	if i+1 < len(b) {
		e.store(h, b[i+1:], seq+uint32(i)+1)
	}
	e.add = true
	h.absorb(&e.pool)
}

// addOOB notes that the byte at off is urgent.
func (h *half) addOOB(off uint64) {
	i := len(h.oob)
	for i > 0 && h.oob[i-1] > off {
		i--
	}
	if i > 0 && h.oob[i-1] == off {
		return
	}
	h.oob = append(h.oob, 0)
	copy(h.oob[i+1:], h.oob[i:])
	h.oob[i] = off
}

// update makes stored data readable, gives up holes that were acknowledged, and
// gives back what nobody needs.
func (e *Engine) update(s *Session) {
	for d := range s.h {
		h := &s.h[d]
		if !h.known {
			continue
		}
		if (h.appOff || h.appEOF) && h.rawOff { // nobody reads any more
			h.noReasm = true
			h.drop(&e.pool)
			continue
		}
		h.prune(&e.pool, uint64(e.opt.RawOverlap))
		mine := uint8(d) == e.dir
		async := s.flags&sfAsync != 0
		if !(mine && e.upd&updOwn != 0 || !mine && e.upd&updOpposite != 0 || async || e.opt.Inline) {
			continue
		}
		e.gaps(s, h, async)
		h.limit = max(h.limit, e.visible(s, h))
		h.over = h.over || s.State == Closed
	}
}

// visible returns how far h may be read.
func (e *Engine) visible(s *Session, h *half) uint64 {
	if s.flags&(sfAsync|sfFinished) != 0 || e.opt.Inline {
		return h.edge
	}
	return min(h.edge, h.acked())
}

// gaps gives up the hole at the edge of h when the other side acknowledged it: the
// data are lost for us. What is acknowledged but not followed by data is waited
// for, it may only be late.
func (e *Engine) gaps(s *Session, h *half, async bool) {
	for h.right > h.edge {
		stop := h.right
		if async || e.opt.Inline {
			if h.right-h.edge < asyncGapBytes {
				return
			}
		} else {
			stop = h.acked()
			if stop <= h.edge {
				return
			}
			first := h.list.at(h.list.find(h.edge)).off
			if next := uint64(max(h.offset(h.nextSeq), 0)); stop > next && first >= stop {
				return
			}
		}
		n := h.skip(&e.pool, stop)
		if n == 0 {
			return
		}
		h.stats.Gaps++
		h.stats.GapBytes += n
		e.Counters.ReassemblyGap++
		e.event(EvSeqGap)
	}
}
