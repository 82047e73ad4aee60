package sensor

import (
	"strings"

	"mirador/internal/eve"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// logTxs writes the transactions that are ready, with their events.
func (w *Worker) logTxs(p *packet.Parsed, e *entry, dir proto.Dir) {
	c := e.V.app
	w.connEvents(p, e)
	last := w.pseudo && w.final
	list := c.Awake()
	if last {
		list = c.Txs
	}
	for _, tx := range list {
		b := tx.Base()
		if b.EventsSeen < len(b.Events) {
			w.txEvents(p, e, tx)
		}
		if b.Logged || !last && !b.Loggable() {
			continue
		}
		b.Logged = true
		w.logTx(p, e, tx)
	}
}

func (w *Worker) logTx(p *packet.Parsed, e *entry, tx proto.Tx) {
	pr := tx.Base().Protocol()
	if pr == nil {
		return
	}
	if pr.Name != "tls" { // a session is no transaction there (Suricata counts none)
		w.Stats.AppTx[w.opt.Table.ByName(pr.Name)]++
	}
	if pr.Log == nil {
		return
	}
	c := e.V.app
	h := w.txHeader(p, e, tx, proto.ToServer)
	h.PacketDir = w.packetDir()
	for i := range w.outs {
		w.outs[i].buf = w.outs[i].w.Tx(w.outs[i].buf, h, c, tx)
	}
}

// packetDir returns the direction of the packet at hand in the words of eve.
func (w *Worker) packetDir() eve.Direction {
	if w.dp.Dir == proto.ToClient {
		return eve.ToClient
	}
	return eve.ToServer
}

// txHeader fills w.h for a record about tx: addresses from client to server, or
// the other way for what the server sent.
func (w *Worker) txHeader(p *packet.Parsed, e *entry, tx proto.Tx, dir proto.Dir) *eve.Header {
	h := w.header(p, e)
	h.Tuple = e.Tuple
	if w.dp.Dir == proto.ToClient {
		h.EtherSrc, h.EtherDst = h.EtherDst, h.EtherSrc
	}
	if dir == proto.ToClient {
		h.Tuple = h.Tuple.Reverse()
		h.EtherSrc, h.EtherDst = h.EtherDst, h.EtherSrc
	}
	w.flowPorts(h, e)
	if tx != nil {
		h.HasTx, h.TxID = true, tx.Base().ID
	}
	w.vars(h, &e.V.det)
	return h
}

// connEvents writes the flow-level application-layer events not yet written.
func (w *Worker) connEvents(p *packet.Parsed, e *entry) {
	c := e.V.app
	for ; e.V.appLogged < len(c.Events); e.V.appLogged++ {
		w.Stats.AppEvents++
		a := eve.Anomaly{Type: eve.AnomalyApp, Event: strings.ToUpper(proto.ConnEvents[c.Events[e.V.appLogged]]),
			Layer: eve.LayerDetect}
		if c.App != proto.Failed {
			a.App = w.opt.Table.Name(c.App)
		}
		h := w.txHeader(p, e, nil, w.dp.Dir)
		for i := range w.outs {
			w.outs[i].buf = w.outs[i].w.Anomaly(w.outs[i].buf, h, &a)
		}
	}
}

// txEvents writes the events of tx not yet written.
func (w *Worker) txEvents(p *packet.Parsed, e *entry, tx proto.Tx) {
	b := tx.Base()
	pr := b.Protocol()
	for ; b.EventsSeen < len(b.Events); b.EventsSeen++ {
		id := int(b.Events[b.EventsSeen])
		if pr == nil || id >= len(pr.Events) {
			continue
		}
		w.Stats.AppEvents++
		a := eve.Anomaly{Type: eve.AnomalyApp, Event: pr.Events[id], Layer: eve.LayerParser, App: pr.Name}
		if !pr.LowerEvents {
			a.Event = strings.ToUpper(a.Event)
		}
		h := w.txHeader(p, e, tx, w.dp.Dir)
		for i := range w.outs {
			w.outs[i].buf = w.outs[i].w.Anomaly(w.outs[i].buf, h, &a)
		}
	}
}

// anomalies writes decoder and stream events of p where an output wants them.
func (w *Worker) anomalies(p *packet.Parsed, e *entry) {
	if p.NEvents > 0 && w.wantDecode {
		for _, ev := range p.Events[:p.NEvents] {
			w.anomaly(p, e, eve.AnomalyDecode, "decoder."+ev.String())
		}
	}
	if len(w.dp.StreamEvents) > 0 && w.wantStream {
		for _, ev := range w.dp.StreamEvents {
			w.anomaly(p, e, eve.AnomalyStream, "stream."+streamEventName(ev))
		}
	}
}

func (w *Worker) anomaly(p *packet.Parsed, e *entry, t eve.AnomalyType, name string) {
	h := w.header(p, e)
	if e != nil {
		w.vars(h, &e.V.det)
	}
	a := eve.Anomaly{Type: t, Event: name, Packet: p.Data, Link: p.Link}
	for i := range w.outs {
		w.outs[i].buf = w.outs[i].w.Anomaly(w.outs[i].buf, h, &a)
	}
}
