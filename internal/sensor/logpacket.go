package sensor

import (
	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/stream"
)

// packetRecords writes the records that concern packet p itself: tagged packets,
// variables that rules captured, ARP. A packet that alerted is in its alert.
func (w *Worker) packetRecords(p *packet.Parsed, e *entry, alerted bool) {
	if w.det != nil {
		if w.det.Tagged() && !w.pseudo && !alerted {
			h := w.header(p, e)
			h.Direction = w.packetDir()
			for i := range w.outs {
				w.outs[i].buf = w.outs[i].w.Packet(w.outs[i].buf, h, p.Data, p.Link)
			}
		}
		if vars := w.det.PktVars(); len(vars) > 0 {
			w.metaRecord(p, e)
		}
	}
	if arp, ok := p.ARP(); ok && !w.pseudo {
		h := w.header(p, nil)
		for i := range w.outs {
			w.outs[i].buf = w.outs[i].w.ARP(w.outs[i].buf, h, &arp)
		}
	}
}

// metaRecord writes the variables of a packet and its flow.
func (w *Worker) metaRecord(p *packet.Parsed, e *entry) {
	h := w.header(p, e)
	if e != nil {
		w.vars(h, &e.V.det)
	}
	if h.Vars == nil {
		w.varBuf = eve.Vars{}
		h.Vars = &w.varBuf
	}
	for _, v := range w.det.PktVars() {
		h.Vars.Pktvars = append(h.Vars.Pktvars, eve.Var{Name: v.Name, Value: v.Value})
	}
	for i := range w.outs {
		w.outs[i].buf = w.outs[i].w.Meta(w.outs[i].buf, h)
	}
}

// frames writes records of the protocol frames that the parser has found in the
// packet's direction, for outputs that want them; of an encrypted stream in both, since
// its bytes are not kept until the next packet.
func (w *Worker) frames(p *packet.Parsed, e *entry, c *proto.Conn) {
	for i := range c.Frames {
		f := &c.Frames[i]
		if f.Logged || f.Dir != w.dp.Dir && !c.NoPayload || f.Len < 0 && !w.dp.FlowEnd && !wholeStream(c, f) {
			continue
		}
		f.Logged = true
		h := w.txHeader(p, e, nil, f.Dir)
		w.app(h, c)
		rec := w.frameInfo(p, e, f)
		for j := range w.outs {
			w.outs[j].buf = w.outs[j].w.Frame(w.outs[j].buf, h, rec)
		}
	}
}

// wholeStream tells whether f is a direction as a whole that has come to its end.
func wholeStream(c *proto.Conn, f *proto.Frame) bool {
	return f.Type == proto.StreamFrame && c.EOF[f.Dir&1]
}

// framePayload returns the bytes of a frame as far as they are kept, with a mark for
// each hole. Of a frame without an end the last bytes are enough.
func (w *Worker) framePayload(p *packet.Parsed, e *entry, f *proto.Frame) []byte {
	if e.V.tcp != nil {
		to := ^uint64(0)
		if f.Len >= 0 {
			to = f.Offset + uint64(f.Len)
		}
		w.frameBytes, _ = e.V.tcp.AppendRange(w.frameBytes[:0], uint8(f.Dir), f.Offset, to, eve.AppendMissing)
		return w.frameBytes
	}
	data := p.PayloadBytes()
	if f.Offset > uint64(len(data)) {
		return nil
	}
	data = data[f.Offset:]
	if f.Len >= 0 && uint64(f.Len) < uint64(len(data)) {
		data = data[:f.Len]
	}
	return data
}

// streamParts returns what is kept of direction dir in the form detection takes.
func (w *Worker) streamParts(s *stream.Session, dir proto.Dir) []detect.StreamPart {
	w.parts = s.Parts(w.parts[:0], uint8(dir))
	w.detParts = w.detParts[:0]
	for _, p := range w.parts {
		w.detParts = append(w.detParts, detect.StreamPart{Data: p.Data, Offset: p.Offset})
	}
	return w.detParts
}

// dropFrames forgets the frames that detection has seen whole.
func (w *Worker) dropFrames(e *entry, c *proto.Conn, dir proto.Dir) {
	if e.V.tcp == nil {
		c.DropFrames(dir, 0, true)
		return
	}
	data, at := e.V.tcp.Kept(uint8(dir))
	c.DropFrames(dir, at+uint64(len(data)), w.final)
	w.holdFrames(e.V.tcp, c)
}

// holdFrames keeps the bytes of frames that detection has not seen to their end.
func (w *Worker) holdFrames(s *stream.Session, c *proto.Conn) {
	hold := [2]uint64{stream.NoHold, stream.NoHold}
	for i := range c.Frames {
		if f := &c.Frames[i]; f.Seen != detect.FrameSeen {
			hold[f.Dir&1] = min(hold[f.Dir&1], f.Offset)
		}
	}
	s.Hold(0, hold[0])
	s.Hold(1, hold[1])
}
