package sensor

import (
	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// maxRuleInfos bounds the cache of rules as events show them; it is emptied
// when full.
const maxRuleInfos = 4096

// logAlerts writes the alerts that detection raised on p.
func (w *Worker) logAlerts(p *packet.Parsed, e *entry, alerts []detect.Alert) {
	h := w.header(p, e)
	if e != nil {
		e.V.det.Alerted = true
		w.vars(h, &e.V.det)
		h.Direction = w.packetDir()
	}
	if w.mirrored != nil {
		w.mirrored.alerts += uint64(len(alerts))
	}
	for i := range alerts {
		w.logAlert(h, p, e, &alerts[i])
	}
}

// tunnelOf describes the outermost packet around p in this frame: of a tunnel, or
// the fragment that made p whole.
func (w *Worker) tunnelOf(p *packet.Parsed) *eve.Tunnel {
	if len(w.layers) == 0 || &w.layers[0] == p {
		return nil
	}
	o := &w.layers[0]
	w.tunnelBuf = eve.Tunnel{Tuple: headerTuple(o), Depth: int(p.Recursion), Source: o.Source, PcapCnt: w.pcapCnt}
	return &w.tunnelBuf
}

// headerTuple is the tuple of p as events show it: an IPv6 fragment has the
// protocol that it itself carries.
func headerTuple(p *packet.Parsed) packet.Tuple {
	t := p.Tuple()
	t.Proto = p.OwnProto()
	return t
}

func (w *Worker) logAlert(h *eve.Header, p *packet.Parsed, e *entry, a *detect.Alert) {
	out := &w.alertBuf
	*out = eve.Alert{Rule: w.ruleInfo(a.Rule), Packet: p.Data, Link: p.Link,
		Stream: a.Stream || p.Proto == packet.ProtoTCP && (a.State || a.Frame.Type != "")}
	out.Blocked = w.opt.SimulateIPS && (a.Action == rule.ActionDrop || a.Action >= rule.ActionReject)
	out.Verdict = "alert"
	if out.Blocked {
		out.Verdict = "drop"
	}
	for _, c := range a.Context {
		out.Context = append(out.Context, eve.Context{Key: c.Key, JSON: c.JSON})
	}
	h.HasTx, h.TxID = false, 0
	h.App = eve.App{}
	if e != nil {
		out.Conn = e.V.app
		w.app(h, e.V.app)
		out.Flow = w.flowNumbers(e)
		tx := a.Tx
		if tx == nil && w.opt.GuessTx && e.V.app != nil {
			if next, only := e.V.app.NextTx(w.dp.Dir); only {
				tx, out.Guessed = next, true
			}
		}
		if tx != nil {
			out.Tx = tx
			h.HasTx, h.TxID = true, tx.Base().ID
			out.Files = w.filesOf(tx, a)
		}
	}
	if a.Frame.Type != "" {
		out.Frame = w.frameInfo(p, e, &a.Frame)
	}
	w.alertPayload(out, p, e)
	if a.Rule.Rule.Action != rule.ActionPass {
		w.Stats.Alerts++
	}
	for i := range w.outs {
		w.outs[i].buf = w.outs[i].w.Alert(w.outs[i].buf, h, out)
	}
	if w.fast != nil {
		w.fastBuf = w.fast.Append(w.fastBuf, h, out)
	}
	if w.opt.OnAlert != nil {
		w.opt.OnAlert(h, out)
	}
}

// alertPayload chooses what "payload" shows: the stream around the match, or the
// packet's own bytes.
func (w *Worker) alertPayload(out *eve.Alert, p *packet.Parsed, e *entry) {
	out.Payload = p.PayloadBytes()
	out.PayloadLen = uint64(len(out.Payload))
	if !out.Stream || e == nil || e.V.tcp == nil || !w.wantPayload {
		return
	}
	w.payloadBuf, out.PayloadLen = e.V.tcp.AppendStored(w.payloadBuf[:0], uint8(w.dp.Dir), eve.AppendMissing)
	if len(w.payloadBuf) > 0 {
		out.Payload = w.payloadBuf
	}
}

// frameInfo describes a protocol frame, with the bytes of it that are there.
func (w *Worker) frameInfo(p *packet.Parsed, e *entry, f *proto.Frame) *eve.Frame {
	d := eve.ToServer
	if f.Dir == proto.ToClient {
		d = eve.ToClient
	}
	w.frameBuf = eve.Frame{Type: f.Type, ID: int64(f.ID), Dir: d, Stream: p.Proto == packet.ProtoTCP, Offset: f.Offset, Length: f.Len,
		Complete: f.Len >= 0 || e != nil && e.V.app != nil && wholeStream(e.V.app, f), HasTx: f.Tx != proto.NoTx, TxID: f.Tx}
	if e != nil {
		w.frameBuf.Payload = w.framePayload(p, e, f)
		if f.Len < 0 {
			w.frameBuf.Length = int64(len(w.frameBuf.Payload))
		}
	}
	return &w.frameBuf
}

// ruleInfo returns a rule in the form eve shows.
func (w *Worker) ruleInfo(r *detect.Rule) *eve.RuleInfo {
	if info := w.ruleBuf[r]; info != nil {
		return info
	}
	if len(w.ruleBuf) >= maxRuleInfos {
		clear(w.ruleBuf)
	}
	info := &eve.RuleInfo{GID: r.GID, SID: r.SID, Rev: r.Rev, Msg: r.Msg, Category: r.Category, Priority: int(r.Severity),
		Action: r.Rule.Action.String(), References: r.Refs, Raw: r.Text}
	for _, kv := range r.Metadata {
		info.Metadata = append(info.Metadata, eve.Pair{Key: kv.Key, Value: kv.Value})
	}
	switch r.Rule.Target {
	case rule.TargetSrcIP:
		info.Target = eve.TargetSrc
	case rule.TargetDestIP:
		info.Target = eve.TargetDst
	}
	w.ruleBuf[r] = info
	return info
}
