package sensor

import (
	"mirador/internal/eve"
	"mirador/internal/flow"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/stream"
)

// maxSpareSessions bounds the TCP sessions kept for reuse by a worker.
const maxSpareSessions = 4096

// session returns an empty TCP session.
func (w *Worker) session() *stream.Session {
	if n := len(w.spare); n > 0 {
		s := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return s
	}
	return new(stream.Session)
}

// tcpPacket takes p, a TCP packet of direction dir in e, through stream,
// application layer and detection.
func (w *Worker) tcpPacket(e *entry, p *packet.Parsed, dir uint8) {
	if e.V.tcp != nil && w.tcp.Reuse(e.V.tcp, p, dir) {
		e = w.flows.Reuse(e, p)
		dir = stream.ToServer
		w.cur = e
		w.newFlow(e, p)
	}
	if e.V.tcp == nil {
		e.V.tcp = w.session()
	}
	s := e.V.tcp
	// The flow keyword asks for the state before this packet.
	established := s.Established()
	w.dp.NoPayloadInspect = e.V.app != nil && e.V.app.NoPayload
	w.update(e, p, dir)
	before := s.State
	r := w.tcp.Packet(s, p, dir)
	if w.wantStreamTCP {
		w.streamRecord(e, p, before, r)
	}
	if r.Flags&stream.Turn != 0 {
		w.turnFlow(e)
	}
	dir = r.Dir
	e.V.flags[dir] |= p.Flags
	w.tcpState(e, s)
	w.dp.Closing = closing(s.State)
	// What this packet acknowledges comes first: it was sent before. Data of a SYN
	// (TCP Fast Open) waits until the handshake is over.
	if c := e.V.app; c != nil {
		c.Switched = false
	}
	if established && (w.readApp(e, dir^1) || w.readApp(e, dir)) {
		dir ^= 1
		w.readApp(e, dir^1)
		w.readApp(e, dir)
	}
	if c := e.V.app; c != nil && (c.Changing() || c.FlushNow) {
		c.FlushNow = false
		w.flushStreams(e, established)
	}
	d := &e.V.det
	d.StreamBytes[0], d.StreamBytes[1] = uint64(s.Size(0)), uint64(s.Size(1))
	w.dp.Established = established
	w.dp.StreamAdded = r.Flags&stream.Added != 0
	w.streamEvents()
	w.inspectStream(e, p, dir)
}

// flushStreams looks at what both directions hold, with a pseudo packet of each, before
// the packet at hand is looked at: the flow goes on as another protocol or
// encrypted.
func (w *Worker) flushStreams(e *entry, established bool) {
	frame, hidden := w.saveFrame(), w.dp.NoPayloadInspect
	w.pseudo, w.dp.Established, w.dp.StreamAdded = true, established, false
	for dir := range uint8(2) {
		e.V.tcp.TriggerRaw(dir)
		p := w.pseudoPacket(e, proto.Dir(dir))
		p.Source = packet.FromStreamEnd
		w.inspectStream(e, p, dir)
		w.dp.NoPayloadInspect = hidden
	}
	w.restoreFrame(frame)
}

// tcpState moves the flow's state with the session's.
func (w *Worker) tcpState(e *entry, s *stream.Session) {
	switch s.State {
	case stream.Established, stream.FinWait1, stream.FinWait2, stream.Closing, stream.CloseWait:
		w.flows.SetState(e, flow.Established)
	case stream.LastAck, stream.TimeWait, stream.Closed:
		w.flows.SetState(e, flow.Closed)
	}
}

// closing tells whether a session in state s ends but is not over (keyword tcp.session).
func closing(s stream.State) bool { return s > stream.Established && s < stream.Closed }

// readApp feeds what the stream has for the application layer in direction dir.
// It returns true when the flow was found to run the other way: then nothing of
// this direction was used and the caller starts again. What follows a Switch waits for
// the next packet, as in Suricata.
func (w *Worker) readApp(e *entry, dir uint8) (turned bool) {
	s := e.V.tcp
	for e.V.app == nil || !e.V.app.Switched {
		chunk, ok := s.App(dir)
		c := e.V.app
		if !ok && c != nil && c.Parses(proto.Dir(dir)) {
			// A parser that waits for the rest of something behind a hole waits in vain.
			chunk.Gap = s.Stalled(dir)
			s.AppUsed(dir, int(chunk.Gap))
			ok = chunk.Gap > 0
		}
		if !ok {
			return false
		}
		if c == nil {
			c = w.newConn(e, proto.Hint{SrcPort: e.Tuple.SrcPort, DstPort: e.Tuple.DstPort, Midstream: s.IsMidstream()})
			if w.expected.Len() > 0 {
				w.announced(e, c)
			}
		}
		c.Time, c.OneSided = e.Last, s.IsAsync()
		d := proto.Dir(dir)
		if chunk.Gap > 0 {
			c.Gap(d, int(min(chunk.Gap, 1<<30)))
			e.V.need[dir] = 0
		} else if end := chunk.EOF || chunk.Depth; end || len(chunk.Data) >= e.V.need[dir] {
			c.Cut[dir] = chunk.Depth
			before, clear, broken := c.App, !c.NoPayload, c.Broken
			used, need := c.Feed(d, chunk.Data, chunk.Offset, end)
			if c.Broken > broken {
				w.Stats.ParserErrors[c.App]++
			}
			if c.Reversed {
				s.Turn()
				w.turnFlow(e)
				c.Turn()
				s.AppAgain(dir ^ 1) // nothing of it was used
				return true
			}
			s.AppUsed(dir, used)
			if clear && c.NoPayload {
				s.LastRaw(stream.ToServer)
				s.LastRaw(stream.ToClient)
			}
			e.V.need[dir] = need
			if len(c.Expects) > 0 {
				w.announce(e)
			}
			if before != c.App && c.App != proto.Unknown && c.App != proto.Failed {
				w.Stats.AppFlow[c.App]++
				if e.V.announcer != 0 && c.IsAnnounced() {
					e.V.parent = e.V.announcer
				}
				if depth, ok := c.Table.StreamDepth(c.App); ok {
					s.SetDepth(depth)
				}
			}
			if c.OtherFirst {
				// Suricata's order: the parser sees the side that spoke first, first.
				c.OtherFirst = false
				s.AppAgain(dir ^ 1)
				w.readApp(e, dir^1)
				s.AppAgain(dir)
				continue
			}
			w.triggerRaw(s, c, d)
		}
		if c.Stopped(d) {
			s.StopApp(dir)
		}
	}
	return false
}

// triggerRaw asks for raw inspection as soon as a transaction has all of one
// direction, or when the parser says so.
func (w *Worker) triggerRaw(s *stream.Session, c *proto.Conn, d proto.Dir) {
	if c.RawNow[d] {
		c.RawNow[d] = false
		s.TriggerRaw(uint8(d))
		return
	}
	if p := w.opt.Table.Protocol(c.App); p == nil || p.RawByChunk {
		return
	}
	for _, tx := range c.Awake() {
		if b := tx.Base(); !b.Inspected[d] && b.DirDone(d) {
			s.TriggerRaw(uint8(d))
			return
		}
	}
}

// turnFlow swaps client and server of e, but not of its session and Conn.
func (w *Worker) turnFlow(e *entry) {
	e.Turn()
	e.V.flags[0], e.V.flags[1] = e.V.flags[1], e.V.flags[0]
	e.V.need[0], e.V.need[1] = e.V.need[1], e.V.need[0]
	e.V.macs[0], e.V.macs[1] = e.V.macs[1], e.V.macs[0]
	d := &e.V.det
	d.Pkts, d.Bytes = e.Packets, e.Bytes
}

// streamEvents hands the stream's events to detection and the event log.
func (w *Worker) streamEvents() {
	w.evbuf = w.evbuf[:0]
	for _, ev := range w.tcp.Events() {
		w.evbuf = append(w.evbuf, uint16(ev))
	}
	w.dp.StreamEvents = w.evbuf
}

// inspectStream runs detection with the next window of the stream.
func (w *Worker) inspectStream(e *entry, p *packet.Parsed, dir uint8) {
	s := e.V.tcp
	win, ok := s.Raw(dir)
	w.dp.HasRaw, w.dp.Raw, w.dp.RawOffset = ok, win.Data, win.Offset
	w.inspect(p, e, proto.Dir(dir))
	w.dp.HasRaw, w.dp.NoPayloadInspect = false, false
	if ok {
		s.RawUsed(dir, len(win.Data)-win.Fresh)
	}
}

// maxEndWindows bounds the windows of raw data looked at when a flow ends; the
// reassembly depth over the chunk size is far below.
const maxEndWindows = 4096

// maxEndSwitches bounds the changes of protocol (CONNECT, STARTTLS) followed in what an
// ending flow still holds: one for each layer that a packet could have had.
const maxEndSwitches = 16

// tcpEnd reads, inspects and logs what an ending TCP flow still holds.
func (w *Worker) tcpEnd(e *entry) {
	s := e.V.tcp
	w.tcp.Finish(s)
	for more, n := s.Started(), 0; more && n < maxEndSwitches; n++ {
		if w.readApp(e, stream.ToServer) || w.readApp(e, stream.ToClient) {
			w.readApp(e, stream.ToServer)
			w.readApp(e, stream.ToClient)
		}
		if more = e.V.app != nil && e.V.app.Switched; more {
			e.V.app.Switched = false // nothing to wait for
		}
	}
	w.streamEvents()
	if c := e.V.app; c != nil {
		for _, d := range [2]proto.Dir{proto.ToServer, proto.ToClient} {
			if !c.EOF[d] && !c.Stopped(d) {
				data, off := s.Unread(uint8(d))
				used, _ := c.Feed(d, data, off, true)
				for n := 0; c.Switched && used < len(data) && n < maxEndSwitches; n++ {
					c.Switched, data, off = false, data[used:], off+uint64(used)
					used, _ = c.Feed(d, data, off, true)
				}
			}
		}
		c.Finish()
	}
	var shown [2]bool
	for dir := range uint8(2) {
		for n := 0; n < maxEndWindows; n++ {
			win, ok := s.Raw(dir)
			if !ok {
				break
			}
			w.dp.Again, shown[dir] = shown[dir], true
			w.dp.HasRaw, w.dp.Raw, w.dp.RawOffset = true, win.Data, win.Offset
			w.dp.Established = s.Established()
			w.inspect(w.pseudoPacket(e, proto.Dir(dir)), e, proto.Dir(dir))
			w.dp.HasRaw = false
			s.RawUsed(dir, len(win.Data)-win.Fresh)
		}
	}
	if e.V.app != nil {
		w.lastLooks(e, shown)
	}
	w.dp.Again = false
}

// tcpNumbers fills in the TCP part of a flow record.
func (w *Worker) tcpNumbers(e *entry, f *eve.Flow) {
	f.IsTCP = true
	t := &f.TCP
	s := e.V.tcp
	if s == nil || !s.Started() {
		return // as Suricata, which keeps the flags with the session
	}
	t.FlagsTS, t.FlagsTC = e.V.flags[0], e.V.flags[1]
	t.Flags = t.FlagsTS | t.FlagsTC
	a, b := s.Stats(0), s.Stats(1)
	t.HasSession, t.State = true, eve.TCPState(s.State)
	t.RegionsTS, t.RegionsTC = uint32(a.MaxRegions()), uint32(b.MaxRegions())
	t.GapTS, t.GapTC = a.GapBytes > 0, b.GapBytes > 0
}

// streamEventName names a stream event for the event log.
func streamEventName(ev uint16) string { return stream.Event(ev).LogName() }

// appendStreamCounters adds the counters of stream and defragmentation.
func (w *Worker) appendStreamCounters(dst []Counter) []Counter {
	c, d := w.tcp.Stats(), w.defrag.Stats()
	for _, x := range [...]Counter{
		{"defrag.ipv4.fragments", d.Fragments[0]}, {"defrag.ipv4.reassembled", d.Reassembled[0]},
		{"defrag.ipv6.fragments", d.Fragments[1]}, {"defrag.ipv6.reassembled", d.Reassembled[1]},
		{"defrag.mgr.tracker_timeout", d.Timeouts}, {"defrag.tracker_soft_reuse", d.SoftReuse},
		{"defrag.tracker_hard_reuse", d.HardReuse}, {"defrag.max_trackers_reached", d.MaxTrackers},
		{"defrag.max_frags_reached", d.MaxFrags}, {"defrag.memuse", d.Memuse},
		{"tcp.sessions", c.Sessions}, {"tcp.active_sessions", c.ActiveSessions}, {"tcp.ssn_memcap_drop", c.SsnMemcapDrop},
		{"tcp.invalid_checksum", c.InvalidChecksum}, {"tcp.syn", c.SYN}, {"tcp.synack", c.SYNACK}, {"tcp.rst", c.RST},
		{"tcp.urg", c.Urgent}, {"tcp.urgent_oob_data", c.UrgentOOB},
		{"tcp.midstream_pickups", c.MidstreamPickups}, {"tcp.segment_memcap_drop", c.SegmentMemcapDrop},
		{"tcp.stream_depth_reached", c.StreamDepth}, {"tcp.reassembly_gap", c.ReassemblyGap}, {"tcp.reassembly_holes_full", c.HolesFull}, {"tcp.overlap", c.Overlap},
		{"tcp.overlap_diff_data", c.OverlapDiffData}, {"tcp.insert_data_normal_fail", c.SegmentInsertFail},
		{"tcp.ack_unseen_data", c.AckUnseenData}, {"tcp.memuse", c.Memuse}, {"tcp.reassembly_memuse", c.ReassemblyMemuse},
	} {
		dst = append(dst, x)
	}
	return dst
}
