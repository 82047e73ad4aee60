package sensor

import (
	"mirador/internal/eve"
	"mirador/internal/packet"
	"mirador/internal/stream"
)

// streamRecord writes the debugging record of a TCP packet for outputs that want
// one (EVE type stream).
func (w *Worker) streamRecord(e *entry, p *packet.Parsed, before stream.State, r stream.Result) {
	s := e.V.tcp
	rec := eve.StreamPacket{Seq: p.Seq, Ack: p.Ack, Window: p.Window, Urgent: p.Urgent, Flags: p.Flags,
		Len: p.IPTotal, TOS: p.TOS, TTL: p.TTL, IPID: p.IPID,
		HasSession: s.Started(), State: eve.TCPState(s.State), Before: eve.TCPState(before), StateMoved: s.State != before,
		Retransmit: r.Verdict == stream.Retransmission}
	for _, ev := range w.tcp.Events() {
		rec.Events = append(rec.Events, "stream."+ev.String())
	}
	h := w.header(p, e)
	h.Direction = eve.ToServer
	if r.Dir == stream.ToClient {
		h.Direction = eve.ToClient
	}
	for i := range w.outs {
		w.outs[i].buf = w.outs[i].w.StreamTCP(w.outs[i].buf, h, &rec)
	}
}
