package sensor

import (
	"mirador/internal/mirror"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// packet takes one decoded packet through flow, stream, application layer,
// detection and logging. level is its index in the frame's layers.
func (w *Worker) packet(p *packet.Parsed, level int) {
	w.cur = nil
	w.count(p)
	if p.Truncated {
		w.truncated = true
	}
	if p.Fragment && p.Depth >= packet.DepthNet {
		if w.depth < maxDefragDepth {
			w.fragment(p)
		} else {
			w.Stats.LeftFragments++
		}
	}
	tenant := uint32(0)
	if w.mirrored != nil {
		tenant = w.mirrored.root().tenant
	}
	e, dir, fresh := w.flows.Find(p, tenant)
	if e == nil {
		w.dp.Flow, w.dp.App = nil, nil
		w.inspect(p, nil, proto.ToServer)
		return
	}
	w.cur = e
	if fresh {
		w.newFlow(e, p)
	}
	if p.Proto == packet.ProtoTCP {
		w.tcpPacket(e, p, dir)
	} else {
		w.otherPacket(e, p, dir)
	}
	w.cur = nil
}

// newFlow prepares the sensor's part of a new flow.
func (w *Worker) newFlow(e *entry, p *packet.Parsed) {
	e.V.src = w.mirrored
	e.V.det.Start = p.Time
	if p.Recursion > 0 && w.tunnel == 0 {
		e.V.parent = w.parentID
	}
}

// update counts p in its flow.
func (w *Worker) update(e *entry, p *packet.Parsed, dir uint8) {
	w.flows.Update(e, p, dir)
	d := &e.V.det
	d.Pkts, d.Bytes, d.Last = e.Packets, e.Bytes, e.Last
	if p.Truncated {
		e.V.trunc = true
	}
	if w.wantEther && p.HasEther {
		w.noteMACs(e, p, dir)
	}
}

// maxMACs bounds the addresses kept per flow and side.
const maxMACs = 8

func (w *Worker) noteMACs(e *entry, p *packet.Parsed, dir uint8) {
	add := func(list *[][6]byte, m [6]byte) {
		for _, have := range *list {
			if have == m {
				return
			}
		}
		if len(*list) < maxMACs {
			*list = append(*list, m)
		}
	}
	add(&e.V.macs[dir], p.EtherSrc)
	add(&e.V.macs[dir^1], p.EtherDst)
}

// maxDefragDepth bounds fragments inside tunnels inside fragments.
const maxDefragDepth = 4

// fragment hands p to the defragmenter and processes the packet it completes.
func (w *Worker) fragment(p *packet.Parsed) {
	tenant := uint32(0)
	if w.mirrored != nil {
		tenant = w.mirrored.root().tenant
	}
	data, l3, ok := w.defrag.Add(p, tenant)
	if !ok {
		return
	}
	// A tunnel inside the whole packet can hold fragments again: each level has
	// its own layers.
	level := w.depth
	w.depth++
	if level == len(w.whole) {
		w.whole = append(w.whole, make([]packet.Parsed, 0, packet.MaxLayers+1))
	}
	list := w.dec.DecodeAt(w.whole[level][:0], data, l3, p.Time, p, packet.FromDefrag)
	w.whole[level] = list
	for i := len(list) - 1; i >= 0; i-- {
		w.packet(&list[i], i)
	}
	w.depth--
	w.defrag.Free(data)
}

// otherPacket is for everything but TCP.
func (w *Worker) otherPacket(e *entry, p *packet.Parsed, dir uint8) {
	w.update(e, p, dir)
	if p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6 {
		if dir == 1 && e.Packets[1] == 1 {
			e.V.replyType, e.V.replyCode = p.ICMPType, p.ICMPCode
		}
	}
	if p.Proto == packet.ProtoUDP && p.Depth >= packet.DepthTransport {
		w.datagram(e, p, &dir)
	}
	w.dp.Established = e.Packets[0] > 0 && e.Packets[1] > 0
	w.dp.Closing = false
	w.dp.StreamAdded, w.dp.HasRaw = false, false
	w.inspect(p, e, proto.Dir(dir))
}

// datagram feeds a UDP payload to the application layer.
func (w *Worker) datagram(e *entry, p *packet.Parsed, dir *uint8) {
	body := p.PayloadBytes()
	if len(body) == 0 {
		return
	}
	c := e.V.app
	if c == nil {
		if e.Tuple.DstPort == mirror.ProbePort && w.mirrored != nil {
			w.probe(body, p.Time)
		}
		c = w.newConn(e, proto.Hint{SrcPort: e.Tuple.SrcPort, DstPort: e.Tuple.DstPort, UDP: true, Midstream: w.opt.Stream.Midstream})
	}
	c.Time = p.Time
	if before := c.App; before == proto.Unknown {
		defer w.countUDP(c)
	}
	broken := c.Broken
	if p.Truncated {
		c.Beginning(proto.Dir(*dir), body)
	} else {
		c.Datagram(proto.Dir(*dir), body)
	}
	if c.Broken > broken {
		w.countBroken(c)
	}
	if c.Reversed {
		w.turnFlow(e)
		c.Turn()
		*dir ^= 1
		c.Datagram(proto.Dir(*dir), body)
	}
}

// probe notes a probe packet in the account of its source. Only the first packet of a UDP flow
// is looked at: a probe has a flow of its own, and others pay for one comparison a flow.
func (w *Worker) probe(body []byte, t int64) {
	if token, ok := mirror.ReadProbe(body); ok {
		s := w.mirrored
		s.probe, s.probeAt = token, t
		s.probes++
	}
}

// countBroken counts a UDP flow that its parser gave up.
func (w *Worker) countBroken(c *proto.Conn) {
	if p := w.opt.Table.Protocol(c.App); p != nil && p.Transport == proto.TCP|proto.UDP {
		w.Stats.ParserErrorsUDP[c.App]++
	} else {
		w.Stats.ParserErrors[c.App]++
	}
}

// countUDP counts a flow whose protocol was found.
func (w *Worker) countUDP(c *proto.Conn) {
	if c.App == proto.Unknown || c.App == proto.Failed {
		return
	}
	if p := w.opt.Table.Protocol(c.App); p.Transport == proto.TCP|proto.UDP {
		w.Stats.AppFlowUDP[c.App]++
	} else {
		w.Stats.AppFlow[c.App]++
	}
}

// inspect runs detection on p, logs what is due, and lets go of what is done.
func (w *Worker) inspect(p *packet.Parsed, e *entry, dir proto.Dir) {
	dp := &w.dp
	dp.P, dp.Dir, dp.PcapCnt = p, dir, w.pcapCnt
	dp.Pseudo = w.pseudo
	dp.Defrag = p.Source == packet.FromDefrag
	dp.Tenant = 0
	if w.mirrored != nil {
		dp.Tenant = w.mirrored.root().tenant
	}
	if e != nil {
		dp.Flow, dp.App = &e.V.det, e.V.app
		if p.Proto != e.Tuple.Proto {
			dp.App = nil // an ICMP error about the flow is none of its data
		}
		if dp.App != nil {
			w.trackFiles(e, dir)
			if len(dp.App.Frames) > 0 && e.V.tcp != nil {
				dp.Stream = w.streamParts(e.V.tcp, dir)
				dp.StreamEnd = dp.FlowEnd || dp.App.EOF[dir]
			}
		}
	} else {
		dp.Established, dp.StreamAdded, dp.HasRaw = false, false, false
		dp.StreamEvents = nil
	}
	alerted := false
	if w.det != nil && (e == nil || !e.V.det.Passed) {
		if alerts := w.det.Inspect(dp); len(alerts) > 0 {
			alerted = true
			w.logAlerts(p, e, alerts)
		}
	}
	w.packetRecords(p, e, alerted)
	w.anomalies(p, e)
	if c := dp.App; c != nil {
		if len(c.Frames) > 0 {
			w.frames(p, e, c)
			w.dropFrames(e, c, dir)
		}
		c.AfterDetect(dir)
		w.logTxs(p, e, dir)
		w.releaseFiles(e, dir)
		c.Clean(false)
	}
	dp.StreamEvents = nil
	dp.Raw, dp.Stream = nil, nil
}
