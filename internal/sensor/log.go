package sensor

import (
	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/flow"
	"mirador/internal/packet"
	"mirador/internal/proto"
)

// maxBatchLines is how many bytes of lines an output gathers before they are
// handed to its sink; a batch of packets may end sooner.
const maxBatchLines = 256 << 10

// output is one EVE file as one worker writes it.
type output struct {
	w    *eve.Writer
	buf  []byte
	sink Sink
}

// Sink takes whole lines. Write must not keep b. It is called by one worker at a
// time per sink value; a sink that is shared between workers locks by itself.
type Sink interface {
	Write(b []byte) error
}

// flush hands the gathered lines to the sinks.
func (w *Worker) flush(all bool) {
	for i := range w.outs {
		o := &w.outs[i]
		if len(o.buf) == 0 || !all && len(o.buf) < maxBatchLines {
			continue
		}
		if err := o.sink.Write(o.buf); err != nil {
			w.Stats.SinkErrors++
			if w.sinkErr == nil {
				w.sinkErr = err
			}
		}
		o.buf = o.buf[:0]
	}
	if w.fast != nil && len(w.fastBuf) > 0 && (all || len(w.fastBuf) >= maxBatchLines) {
		if err := w.opt.FastSink.Write(w.fastBuf); err != nil {
			w.Stats.SinkErrors++
		}
		w.fastBuf = w.fastBuf[:0]
	}
}

// header fills w.h from packet p and its flow.
func (w *Worker) header(p *packet.Parsed, e *entry) *eve.Header {
	h := &w.h
	*h = eve.Header{Time: p.Time, InIface: w.opt.InIface, PcapCnt: w.pcapCnt, PcapFile: w.pcapFile,
		NVLAN: p.NVLAN, VLAN: p.VLAN, Source: p.Source,
		HasEther: p.HasEther, EtherSrc: p.EtherSrc, EtherDst: p.EtherDst, EtherType: p.EtherType}
	if w.pseudo || w.opt.Live || p.Source != packet.FromWire && w.mirrored == nil {
		h.PcapCnt = 0
	}
	if p.Depth >= packet.DepthNet && p.IPVersion != 0 {
		h.Tuple = headerTuple(p)
	}
	if h.Tuple.Proto == packet.ProtoICMP || h.Tuple.Proto == packet.ProtoICMPv6 {
		h.HasICMP, h.ICMPType, h.ICMPCode = true, p.ICMPType, p.ICMPCode
		h.Tuple.SrcPort, h.Tuple.DstPort = 0, 0
	}
	if w.mirrored != nil {
		h.Mirror = w.mirrorOf(w.mirrored, p)
		h.Tunnel = &w.tunnelBuf
	} else if (p.Recursion > 0 || p.Source == packet.FromDefrag) && !w.pseudo {
		h.Tunnel = w.tunnelOf(p)
	}
	if e != nil {
		h.HasFlow, h.FlowID = true, e.ID
		h.ParentID = e.V.parent
		if w.wantCommunity {
			h.CommunityID = w.communityID(e)
		}
	}
	return h
}

// flowHeader fills w.h for a record about flow e from client to server.
func (w *Worker) flowHeader(e *entry, now int64) *eve.Header {
	h := &w.h
	*h = eve.Header{Time: now, InIface: w.opt.InIface, PcapFile: w.pcapFile, NoSource: true,
		NVLAN: e.NVLAN, VLAN: e.VLAN, Tuple: e.Tuple, HasFlow: true, FlowID: e.ID, ParentID: e.V.parent}
	w.flowPorts(h, e)
	if e.V.src != nil {
		h.Mirror = w.mirrorOfFlow(e)
	}
	if w.wantCommunity {
		h.CommunityID = w.communityID(e)
	}
	h.EtherSrcs, h.EtherDsts = e.V.macs[0], e.V.macs[1]
	return h
}

// flowPorts shows ICMP types and ESP indexes, which the flow room keeps in the
// ports of the tuple, as EVE does.
func (w *Worker) flowPorts(h *eve.Header, e *entry) {
	switch e.Tuple.Proto {
	case packet.ProtoICMP, packet.ProtoICMPv6:
		h.HasICMP, h.ICMPType, h.ICMPCode = true, e.ICMPType, e.ICMPCode
		if e.Packets[1] > 0 {
			h.HasICMPReply, h.ReplyType, h.ReplyCode = true, e.V.replyType, e.V.replyCode
		}
		h.Tuple.SrcPort, h.Tuple.DstPort = 0, 0
	case packet.ProtoESP:
		h.HasSPI, h.SPI = true, e.SPI()
		h.Tuple.SrcPort, h.Tuple.DstPort = 0, 0
	}
}

func (w *Worker) communityID(e *entry) string {
	if e.V.community == "" {
		t := e.Tuple
		if t.Proto == packet.ProtoICMP || t.Proto == packet.ProtoICMPv6 {
			t.SrcPort, t.DstPort = uint16(e.ICMPType), uint16(e.ICMPCode)
		}
		w.scratch = flow.AppendCommunityID(w.scratch[:0], t, w.communitySeed)
		e.V.community = string(w.scratch)
	}
	return e.V.community
}

// app writes the application protocol names of c into h.
func (w *Worker) app(h *eve.Header, c *proto.Conn) {
	h.App = eve.App{}
	if c == nil {
		return
	}
	t := w.opt.Table
	h.App.Proto = t.Name(c.App)
	if c.App == proto.Unknown && c.Hint.UDP && (c.Side[0] == proto.Failed || c.Side[1] == proto.Failed) {
		h.App.Proto = t.Name(proto.Failed) // as its record will say unless the other side is recognised
	}
	h.App.ToServer, h.App.ToClient = t.Name(c.Side[proto.ToServer]), t.Name(c.Side[proto.ToClient])
	h.App.Orig, h.App.Expected = t.Name(c.Orig), t.Name(c.Expected)
	if h.App.Proto == "" {
		h.App.ToServer, h.App.ToClient = "", "" // one side alone does not tell that it failed
	}
}

// vars fills in what rules noted of flow f.
func (w *Worker) vars(h *eve.Header, f *detect.Flow) {
	h.Vars = nil
	if f == nil || w.det == nil {
		return
	}
	v := &w.varBuf
	v.Flowbits, v.Flowints, v.Flowvars, v.Pktvars, v.Entropy = v.Flowbits[:0], v.Flowints[:0], v.Flowvars[:0], v.Pktvars[:0], v.Entropy[:0]
	f.Bits(w.opt.Shared, func(name string) bool { v.Flowbits = append(v.Flowbits, name); return true })
	f.Ints(w.opt.Shared, func(name string, n uint32) bool {
		v.Flowints = append(v.Flowints, eve.Int{Name: name, Value: n})
		return true
	})
	for _, x := range f.Vars() {
		v.Flowvars = append(v.Flowvars, eve.Var{Name: x.Name, Value: x.Value})
	}
	for _, x := range f.Entropies() {
		v.Entropy = append(v.Entropy, eve.Number{Name: x.Buffer, Value: x.Value})
	}
	if len(v.Flowbits)+len(v.Flowints)+len(v.Flowvars)+len(v.Entropy) > 0 {
		h.Vars = v
	}
}
