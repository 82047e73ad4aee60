package detect

import (
	"slices"

	"mirador/internal/packet"
	"mirador/internal/proto"
)

// Inspect looks at p with all rules and returns the alerts, most important first. The
// slice is valid until the next call. It keeps nothing of p.
// Cost: without a hit of the prefilter it allocates nothing.
func (w *Worker) Inspect(p *Packet) []Alert {
	w.Counters.Packets++
	w.p = p
	w.queue = w.queue[:0]
	w.alerts = w.alerts[:0]
	w.pktVars = w.pktVars[:0]
	w.tagged = false
	if p.NoPacketInspect || p.Flow != nil && (p.Flow.Passed || p.Flow.Dropped) {
		return nil
	}
	w.tx, w.state = nil, nil
	w.preparePacket()
	g := &w.e.groups
	if p.P.NEvents > 0 && len(g.decode) > 0 {
		w.decodeEvents()
	}
	if hasIP(p.P) && len(g.ipOnly.rules) > 0 && !p.Pseudo {
		w.ipOnlyPhase()
	}
	// As for Suricata, only rules for addresses see IPv6 without an upper layer.
	bare := p.P.IPVersion == 6 && p.P.Proto == packet.ProtoHopOpts
	if hasIP(p.P) && !bare {
		w.packetPhase()
		if g.frameUse && p.App != nil && p.Flow != nil && len(p.App.Frames) > 0 {
			w.framePhase()
		}
		if p.App != nil && p.Flow != nil && len(p.App.Txs) > 0 {
			w.txPhase()
		}
	}
	if len(w.queue) > 0 {
		w.finishAlerts()
	}
	w.tagged = w.countTags()
	return w.alerts
}

// flushes tells whether p was made while its flow goes on. As for Suricata, rules
// for packets look at it, though keywords that ask for bytes or flags of the wire
// find none.
func flushes(p *Packet) bool { return p.P.Source == packet.FromStreamEnd }

// preparePacket works out what the packet has.
func (w *Worker) preparePacket() {
	p := w.p
	w.payload = nil
	w.connEvents = nil
	m := packetMask(0)
	w.size = 0
	if p.P.Depth >= packet.DepthTransport {
		w.payload = p.P.PayloadBytes()
		w.size = len(w.payload)
		if p.NoPayloadInspect {
			w.payload = nil
		}
	}
	if !p.Pseudo || flushes(p) {
		m |= isReal
	}
	if !p.Again {
		m |= isNew
	}
	if len(w.payload) > 0 {
		m |= hasPayload
	}
	if p.HasRaw && len(p.Raw) > 0 && w.e.needs.raw[p.Dir&1] {
		m |= hasPayload
		if !p.NoPayloadInspect {
			m |= hasStream
		}
	}
	if p.P.Proto != packet.ProtoTCP || p.P.Flags&(packet.SYN|packet.FIN|packet.RST) != 0 {
		m |= hasFlag
	}
	if p.P.Proto != packet.ProtoTCP || p.P.Flags&(packet.URG|packet.ECE|packet.CWR) != 0 {
		m |= hasRareFlag
	}
	if len(p.StreamEvents) > 0 {
		m |= hasStreamEvents
	}
	if f := p.Flow; f != nil {
		m |= hasFlow
		if d := p.Dir & 1; !p.Pseudo && !f.started[d] {
			f.started[d] = true
			m |= isFirst
		}
		if p.Established {
			m |= isEstablished
		} else {
			m |= isNotEstablished
		}
		if c := p.App; c != nil {
			m |= hasApp
			if c.Spoken() != proto.Unknown {
				m |= hasAppAny
			}
			if n := len(c.Events); n > int(f.connEvents) {
				w.connEvents = c.Events[f.connEvents:]
				f.connEvents = uint8(min(n, 255))
			}
		}
	}
	w.mask = m
	if w.trace != nil {
		w.trace.packet(w)
	}
}

// decodeEvents looks at the rules for the events of a packet.
func (w *Worker) decodeEvents() {
	p := w.p.P
	w.nextGen()
	w.cand = w.cand[:0]
	for _, ev := range p.Events[:min(int(p.NEvents), len(p.Events))] {
		for _, num := range w.e.groups.decode[ev] {
			w.candidate(num)
		}
	}
	w.runPacketRules()
}

// packetPhase looks at everything but transactions.
func (w *Worker) packetPhase() {
	p := w.p
	w.nextGen()
	w.cand = w.cand[:0]
	g := &w.e.groups
	class := classOf(p.P.OwnProto())
	dir := 0
	port := p.P.DstPort
	if p.Flow != nil && p.Dir == proto.ToClient {
		dir, port = 1, p.P.SrcPort
	}
	pg := &g.payload[class][dir]
	w.hits.Reset()
	if w.mask&hasStream != 0 {
		w.scanPorts(&pg.stream, port, p.Raw)
	}
	if len(w.payload) > 0 {
		if !p.Pseudo {
			w.scanPorts(&pg.packet, port, w.payload)
		}
		if !p.StreamAdded {
			w.scanPorts(&pg.stream, port, w.payload)
		}
	}
	for i := range g.pktBufs {
		b := &g.pktBufs[i]
		if data, ok := b.def.packet(w, p); ok {
			w.scanPacketBuf(b, data)
		}
	}
	for _, num := range w.hits.IDs {
		w.candidate(num)
	}
	w.plainCandidates(&pg.plain, port)
	for _, ev := range p.StreamEvents {
		if int(ev) < len(g.stream) {
			for _, num := range g.stream[ev] {
				w.candidate(num)
			}
		}
	}
	for _, ev := range w.connEvents {
		if int(ev) < len(g.conn) {
			for _, num := range g.conn[ev] {
				w.candidate(num)
			}
		}
	}
	if p.Flow != nil && len(g.protoOnly) > 0 && w.mask&isReal != 0 {
		w.protoOnlyCandidates()
	}
	w.runPacketRules()
	if w.trace != nil {
		w.traceRest(w.evalOnly, kindPacket, kindLikeIPOnly, kindPacketStream, kindStream, kindAppLayer, kindProtoDetect)
	}
}

// evalOnly is evalPacket for a trace.
func (w *Worker) evalOnly(s *sig) { w.evalPacket(s) }

func (w *Worker) scanPorts(m *portMatchers, port uint16, data []byte) {
	if m.any != nil {
		w.Counters.Scanned += uint64(len(data))
		m.any.Scan(data, w.hits)
	}
	if m.ports != nil {
		if c := m.ports.class[port]; c != 0 && m.spec[c] != nil {
			w.Counters.Scanned += uint64(len(data))
			m.spec[c].Scan(data, w.hits)
		}
	}
}

// scanPacketBuf scans a packet buffer, transformed when the rules say so.
func (w *Worker) scanPacketBuf(b *bufGroup, data []byte) {
	if len(b.def.transforms) > 0 {
		c := &w.bufs[int(b.def.id)*2]
		var ok bool
		if data, ok = w.packetBuf(b.def, c, data); !ok {
			return
		}
	}
	b.matcher.Scan(data, w.hits)
}

func (w *Worker) plainCandidates(l *portLists, port uint16) {
	for i := range l.any {
		if r := &l.any[i]; r.need&^w.mask == 0 {
			w.candidate(r.num)
		}
	}
	if l.ports == nil {
		return
	}
	if c := l.ports.class[port]; c != 0 {
		for i := range l.spec[c] {
			if r := &l.spec[c][i]; r.need&^w.mask == 0 {
				w.candidate(r.num)
			}
		}
	}
}

// protoOnlyCandidates adds the rules for the flow's protocol alone, once per direction
// as soon as the protocol is known in it.
func (w *Worker) protoOnlyCandidates() {
	f, c := w.p.Flow, w.p.App
	d := w.p.Dir & 1
	if f.protoSeen[d] || c == nil || c.Side[d] == proto.Unknown {
		return
	}
	f.protoSeen[d] = true
	for _, num := range w.e.groups.protoOnly {
		w.candidate(num)
	}
}

// runPacketRules evaluates the candidates on the packet.
func (w *Worker) runPacketRules() {
	if len(w.cand) == 0 {
		return
	}
	w.sortCandidates()
	for _, num := range w.cand {
		s := w.e.sigs[num]
		w.begin(s)
		t := w.profileStart()
		ok, stream := w.evalPacket(s)
		w.profileEnd(s, t, ok)
		if ok {
			m := match{s: s, stream: stream}
			if s.apps != 0 && w.p.P.Proto == packet.ProtoUDP && w.p.App != nil {
				// The datagram is what the transaction in work was read from.
				if m.tx, _ = w.p.App.NextTx(w.p.Dir & 1); m.tx != nil {
					m.txID = m.tx.Base().ID
				}
			}
			w.matched(s, m)
			if s.flag&sigTwice != 0 && !w.p.Pseudo {
				w.matched(s, m)
			}
		}
	}
}

// evalPacket tells whether s matches the packet; stream tells that the stream did.
func (w *Worker) evalPacket(s *sig) (ok, stream bool) {
	if !w.header(s) || !w.appMatches(s) {
		return false, false
	}
	if !w.checks(s) || !w.packetBuffers(s) {
		return false, false
	}
	if len(s.payload) == 0 {
		return true, false
	}
	ok, stream = w.payloadMatches(s)
	if w.trace != nil {
		w.trace.step("payload: "+describeOps(s.payload), result(ok), "")
	}
	return ok, stream
}

// appMatches tells whether the flow's protocol is one that s is for.
func (w *Worker) appMatches(s *sig) bool {
	if s.apps == 0 {
		return true
	}
	c := w.p.App
	ok := c != nil && w.p.Flow != nil && s.apps&appBit(c.Spoken()) != 0
	if w.trace != nil {
		w.trace.app(w, s, ok)
	}
	return ok
}

// payloadMatches looks into the stream first and, when that has no match and the rule
// may look there, into the packet.
func (w *Worker) payloadMatches(s *sig) (ok, stream bool) {
	p := w.p
	if s.flag&sigNeedStream != 0 && p.P.Proto == packet.ProtoTCP {
		if w.mask&hasStream != 0 {
			w.win.reset(p.Raw, 0, p.RawEnd)
			if w.look(s.payload) {
				return true, true
			}
		}
		if s.flag&sigNeedPacket == 0 && p.StreamAdded {
			return false, false
		}
	}
	if p.Pseudo || len(w.payload) == 0 && w.mask&hasStream == 0 {
		return false, false
	}
	// A packet without payload that brings the stream's next window is looked at, too:
	// what a rule says must not be there is not there.
	w.win.reset(w.payload, 0, true)
	return w.look(s.payload), false
}

// packetBuffers looks at the packet sticky buffers of s.
func (w *Worker) packetBuffers(s *sig) bool {
	for i := range s.pktBufs {
		b := &s.pktBufs[i]
		data, ok := b.def.packet(w, w.p)
		if ok && len(b.def.transforms) > 0 {
			data, ok = w.packetBuf(b.def, &w.bufs[int(b.def.id)*2], data)
		}
		if !ok {
			return false
		}
		w.win.reset(data, 0, true)
		ok = w.look(b.ops)
		if w.trace != nil {
			w.trace.step(b.def.label+"; "+describeOps(b.ops), result(ok), "")
		}
		if !ok {
			return false
		}
	}
	return true
}

// packetBuf runs the transforms of a packet buffer.
func (w *Worker) packetBuf(d *bufDef, c *cachedBuf, data []byte) ([]byte, bool) {
	if len(c.inst) == 0 {
		c.inst = append(c.inst, bufInst{})
	}
	x := &c.inst[0]
	var ok bool
	data, x.own, ok = w.transformed(d, data, x.own)
	return data, ok
}

// header checks what the rule's header and its flow keyword say.
func (w *Worker) header(s *sig) bool {
	fault := w.headFault(s)
	if w.trace != nil {
		w.trace.header(w, s, fault)
	}
	return fault == headOK
}

// headFault is the first part of header and flow keyword that does not hold.
type headFault uint8

const (
	headOK headFault = iota
	headNoFlow
	headDirection
	headNotEstablished
	headEstablished
	headNotFirst
	headPseudo
	headNotFragmented
	headFragmented
	headIPVersion
	headProtocol
	headNoIP
	headSrcPort
	headDstPort
	headSrc
	headDst
)

func (w *Worker) headFault(s *sig) headFault {
	p := w.p
	f := s.flag
	if p.Flow == nil {
		// As for Suricata, a packet without a flow goes to the server.
		if f&sigNeedFlow != 0 || s.dirs&dirBit(proto.ToServer) == 0 {
			return headNoFlow
		}
	} else {
		if s.dirs&dirBit(p.Dir) == 0 && f&sigBothDirs == 0 {
			return headDirection
		}
		if f&sigEstablished != 0 && !p.Established {
			return headNotEstablished
		}
		if f&sigNotEstablished != 0 && p.Established {
			return headEstablished
		}
	}
	if f&(sigFlowStart|sigReal|sigOnlyFrag|sigNoFrag) != 0 {
		switch {
		case f&sigFlowStart != 0 && w.mask&isFirst == 0:
			return headNotFirst
		case f&sigReal != 0 && (w.mask&isReal == 0 || f&sigPktOnly != 0 && p.Pseudo):
			return headPseudo
		case f&sigOnlyFrag != 0 && !p.Defrag:
			return headNotFragmented
		case f&sigNoFrag != 0 && p.Defrag:
			return headFragmented
		}
	}
	q := p.P
	switch {
	case s.ipVer != 0 && s.ipVer != q.IPVersion:
		return headIPVersion
	case s.protos != nil && !s.protos.has(q.OwnProto()):
		return headProtocol
	case s.protos != nil && f&sigInvalidOK == 0 && !hasIP(q):
		return headNoIP
	case s.sp != nil && (q.Depth < packet.DepthTransport || !s.sp.Contains(q.SrcPort)):
		return headSrcPort
	case s.dp != nil && (q.Depth < packet.DepthTransport || !s.dp.Contains(q.DstPort)):
		return headDstPort
	case s.src != nil && !s.src.Contains((*[16]byte)(&q.Src), q.IPVersion):
		return headSrc
	case s.dst != nil && !s.dst.Contains((*[16]byte)(&q.Dst), q.IPVersion):
		return headDst
	}
	return headOK
}

// checks tells whether the conditions on packet, flow and shared state hold.
func (w *Worker) checks(s *sig) bool {
	for i, k := range s.checks {
		ok := k.match(w)
		if w.trace != nil {
			w.trace.check(w, s, i, ok)
		}
		if !ok {
			return false
		}
	}
	return true
}

// look runs a chain on the window in work.
func (w *Worker) look(ops []op) bool {
	if w.trace != nil {
		return w.trace.look(w, ops)
	}
	return w.run(ops, &w.win)
}

// matched does what a match brings about at once, and queues the alert.
func (w *Worker) matched(s *sig, m match) {
	w.Counters.Matches++
	if w.trace != nil {
		w.trace.matched(w, s)
	}
	if len(w.captures) > 0 {
		w.keepCaptures()
	}
	for _, a := range s.post {
		a.apply(w)
	}
	if s.flag&(sigNoAlert|sigPass) == sigNoAlert {
		return
	}
	if len(w.queue) >= maxQueue {
		w.Counters.AlertOverflow++
		return
	}
	if len(w.context) > 0 {
		m.context = slices.Clone(w.context)
	}
	w.queue = append(w.queue, m)
}

// finishAlerts sorts the matches, counts thresholds, and makes the alerts. A pass rule
// ends it.
func (w *Worker) finishAlerts() {
	q := w.queue
	for i := 1; i < len(q); i++ {
		for j := i; j > 0 && q[j].before(&q[j-1]); j-- {
			q[j], q[j-1] = q[j-1], q[j]
		}
	}
	for i := range q {
		m := &q[i]
		s := m.s
		out, action := w.thresholds(s)
		if out == limitSuppress {
			w.Counters.Suppressed++
			if w.trace != nil {
				w.trace.limited(s)
			}
			continue
		}
		if len(s.tags) > 0 {
			w.setTags(s)
		}
		pass := s.flag&sigPass != 0
		if s.flag&sigNoAlert == 0 {
			if len(w.alerts) >= w.e.opt.MaxAlerts {
				w.Counters.AlertOverflow++
			} else {
				w.Counters.Alerts++
				if w.trace != nil {
					w.trace.alerted(s)
				}
				w.alerts = append(w.alerts, Alert{Rule: s.rule, Action: action, Tx: m.tx, TxID: m.txID,
					Stream: m.stream, State: m.state, Frame: m.frame, Context: m.context})
				if w.p.Flow != nil {
					w.p.Flow.Alerted = true
				}
			}
		}
		if f := w.p.Flow; f != nil && s.wholeFlow(m.stream) {
			if pass {
				f.Passed = true
			}
			if action.Drops() {
				f.Dropped = true
			}
		}
		if pass {
			return
		}
	}
}

// wholeFlow tells whether the action of s is for the flow and not only for the packet:
// content rules take the flow when the stream matched.
func (s *sig) wholeFlow(stream bool) bool {
	switch s.kind {
	case kindStream, kindPacketStream:
		return stream
	}
	return s.flag&sigFlowAction != 0
}

// before orders matches by rule, then by transaction.
func (m *match) before(o *match) bool {
	if m.s.num != o.s.num {
		return m.s.num < o.s.num
	}
	return m.tx != nil && o.tx != nil && m.txID < o.txID
}
