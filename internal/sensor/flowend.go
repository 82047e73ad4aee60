package sensor

import (
	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/flow"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// flowEnd is called by the flow table when a flow ends: what is left of its
// streams is read, inspected and logged, then the flow's own records are written.
func (w *Worker) flowEnd(e *entry, why flow.Reason) {
	saved := w.saveFrame()
	w.cur, w.pseudo, w.mirrored = e, true, e.V.src
	w.finishGuarded(e, why)
	w.cur, w.pseudo, w.final = nil, false, false
	w.restoreFrame(saved)
	w.release(e)
}

// finishGuarded is finishFlow with a fire door: a panic costs the rest of this
// flow's records, nothing else.
func (w *Worker) finishGuarded(e *entry, why flow.Reason) {
	defer func() {
		if v := recover(); v != nil {
			w.Stats.Panics++
			w.dp.FlowEnd, w.dp.Again = false, false
			if w.opt.Quarantine != nil {
				w.opt.Quarantine(packet.LinkRaw, nil, 0, e.Last, v)
			}
		}
	}()
	w.finishFlow(e, why)
}

// frameState is what describes the frame being processed while a flow's end
// interrupts it.
type frameState struct {
	cur      *entry
	pseudo   bool
	mirrored *source
	tunnel   eve.Tunnel
}

func (w *Worker) saveFrame() frameState {
	return frameState{w.cur, w.pseudo, w.mirrored, w.tunnelBuf}
}

func (w *Worker) restoreFrame(s frameState) {
	w.cur, w.pseudo, w.mirrored, w.tunnelBuf = s.cur, s.pseudo, s.mirrored, s.tunnel
}

func (w *Worker) finishFlow(e *entry, why flow.Reason) {
	if e.V.tcp != nil {
		w.tcpEnd(e)
	} else if e.V.app != nil {
		e.V.app.Finish() // and no last look: only streams get one, as in Suricata
		w.endFiles(e)
	}
	w.logFlow(e, why)
}

// lastLooks inspects what detection has not seen of an ending flow's
// transactions, and logs what is still open. Directions in which nothing is left
// get no pseudo packet; shown are those that had one already.
func (w *Worker) lastLooks(e *entry, shown [2]bool) {
	w.endFiles(e)
	var left [2]bool
	for _, tx := range e.V.app.Txs {
		b := tx.Base()
		for d := range left {
			left[d] = left[d] || !b.Inspected[d] && !b.Skip[d] || !b.Logged
		}
	}
	for i := range e.V.app.Frames {
		if f := &e.V.app.Frames[i]; f.Len < 0 && !f.Logged {
			left[f.Dir] = true // what it holds is all that it will
		}
	}
	for i := range e.V.app.Frames {
		f := &e.V.app.Frames[i]
		left[f.Dir&1] = left[f.Dir&1] || f.Seen != detect.FrameSeen
	}
	if (left != [2]bool{} || shown != [2]bool{}) && !e.V.tcp.ByFIN() {
		// As for Suricata: a session without both FINs is looked at from both sides.
		left = [2]bool{left[0] || !shown[0], left[1] || !shown[1]}
	}
	if left[proto.ToServer] {
		w.dp.Again = shown[proto.ToServer]
		w.last(e, proto.ToServer, !left[proto.ToClient])
	}
	if left[proto.ToClient] {
		w.dp.Again = shown[proto.ToClient]
		w.last(e, proto.ToClient, true)
	}
	if len(e.V.app.Events) > e.V.appLogged {
		w.connEvents(w.pseudoPacket(e, proto.ToServer), e)
	}
}

// last inspects direction dir of an ending flow with a pseudo packet; final tells
// that no other look follows, so that what is open is logged.
func (w *Worker) last(e *entry, dir proto.Dir, final bool) {
	w.final = final
	p := w.pseudoPacket(e, dir)
	w.dp.FlowEnd = true
	w.dp.Established = e.State != flow.New
	w.inspect(p, e, dir)
	w.dp.FlowEnd = false
	w.final = false
}

// pseudoPacket makes an empty packet of direction dir of e.
func (w *Worker) pseudoPacket(e *entry, dir proto.Dir) *packet.Parsed {
	p := &w.pseudoBuf
	t := e.Tuple
	if dir == proto.ToClient {
		t = t.Reverse()
	}
	*p = packet.Parsed{Time: e.Last, Link: packet.LinkRaw, Source: packet.FromFlowEnd, Depth: packet.DepthTransport,
		IPVersion: t.Version, Proto: t.Proto, Src: t.Src, Dst: t.Dst, SrcPort: t.SrcPort, DstPort: t.DstPort,
		NVLAN: e.NVLAN, VLAN: e.VLAN, TTL: 64}
	if t.Proto == packet.ProtoTCP {
		p.Flags = packet.ACK
	}
	if t.Proto == packet.ProtoICMP || t.Proto == packet.ProtoICMPv6 {
		p.ICMPType, p.ICMPCode = e.ICMPType, e.ICMPCode
	}
	return p
}

// flowNumbers fills w.flowBuf with what is known of e so far.
func (w *Worker) flowNumbers(e *entry) *eve.Flow {
	f := &w.flowBuf
	*f = eve.Flow{Tuple: e.Tuple, PktsTS: e.Packets[0], PktsTC: e.Packets[1], BytesTS: e.Bytes[0], BytesTC: e.Bytes[1],
		Start: e.Start, End: e.Last, State: eve.FlowState(e.State), Alerted: e.V.det.Alerted, Emergency: e.Emergency,
		TTLMinTS: e.MinTTL[0], TTLMaxTS: e.MaxTTL[0], TTLMinTC: e.MinTTL[1], TTLMaxTC: e.MaxTTL[1]}
	switch e.Tuple.Proto {
	case packet.ProtoICMP, packet.ProtoICMPv6, packet.ProtoESP:
		f.Tuple.SrcPort, f.Tuple.DstPort = 0, 0
	}
	switch {
	case e.V.det.Dropped:
		f.Action = "drop"
	case e.V.det.Passed:
		f.Action = "pass"
	}
	if e.V.tcp != nil && e.V.tcp.MissedSYN() {
		f.Exceptions = w.opt.MidstreamExceptions
	}
	if c := e.V.app; c != nil && c.App != proto.Unknown && c.App != proto.Failed {
		f.TxCount = c.TxCount()
		if c.Broken > 0 {
			f.Exceptions = append(f.Exceptions[:len(f.Exceptions):len(f.Exceptions)], w.opt.ErrorExceptions...)
		}
	}
	return f
}

// logFlow writes the flow and netflow records of e.
func (w *Worker) logFlow(e *entry, why flow.Reason) {
	want := false
	for i := range w.outs {
		want = want || w.outs[i].w.LogsFlow() || w.outs[i].w.LogsNetflow()
	}
	if !want {
		return
	}
	f := w.flowNumbers(e)
	f.Reason = eve.FlowReason(why)
	if e.Tuple.Proto == packet.ProtoTCP {
		w.tcpNumbers(e, f)
	}
	h := w.flowHeader(e, w.endTime(e, why))
	w.app(h, e.V.app)
	w.vars(h, &e.V.det)
	for i := range w.outs {
		w.outs[i].buf = w.outs[i].w.Flow(w.outs[i].buf, h, f)
		w.outs[i].buf = w.outs[i].w.Netflow(w.outs[i].buf, h, f)
	}
}

// endTime is the time stamp of an ending flow's record: the time of the packet
// that showed its end.
func (w *Worker) endTime(e *entry, why flow.Reason) int64 {
	return max(w.now, e.Last)
}

// release empties the sensor's part of e for the next flow.
func (w *Worker) release(e *entry) {
	if e.V.tcp != nil {
		w.tcp.Release(e.V.tcp)
		if len(w.spare) < maxSpareSessions {
			w.spare = append(w.spare, e.V.tcp)
		}
	}
	if c := e.V.app; c != nil {
		w.Stats.LeftTxs += c.TxOverflow
		w.Stats.LeftFiles += c.FileOverflow
		w.Stats.LeftExpects += c.ExpectOverflow
		w.Stats.LeftFrames += c.FrameOverflow
		if c.App == proto.Failed {
			udp := 0
			if c.Hint.UDP {
				udp = 1
			}
			w.Stats.AppFailed[udp]++
		}
	}
	e.V = conv{}
}
