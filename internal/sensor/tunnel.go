package sensor

import (
	"mirador/internal/eve"
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// takeTunnelOff finds the mirror tunnel around the frame in w.layers: VXLAN, or
// GENEVE with VXLAN inside. It sets w.tunnel to the first layer inside it, so
// that the outer packets are not processed. ok tells that the frame is to be
// dropped, and why.
func (w *Worker) takeTunnelOff(a *arrival) (Drop, bool) {
	l := w.layers
	i := 0
	for i+1 < len(l) && l[i+1].Source == packet.FromTunnelGENEVE {
		i++
	}
	if i+1 < len(l) && l[i+1].Source == packet.FromTunnelVXLAN {
		o := &l[i]
		w.outer(o.Src, o.Dst, o.SrcPort, o.DstPort)
		w.tunnelBuf.Depth = i
		w.tunnel = i + 1
		return w.attribute(sourceKey{o.Src, l[i+1].VNI, w.endpoint(a, i)}, o.Time)
	}
	if i > 0 && l[i].HasEther {
		// GENEVE with Ethernet inside: a tunnel, without VXLAN.
		o := &l[i-1]
		w.outer(o.Src, o.Dst, o.SrcPort, o.DstPort)
		w.tunnel = i
		return w.attribute(sourceKey{o.Src, l[i].VNI, w.endpoint(a, i)}, o.Time)
	}
	return 0, false
}

// takeHeaderOff is takeTunnelOff for a datagram that begins at its VXLAN or GENEVE
// header.
func (w *Worker) takeHeaderOff(a *arrival) (drop Drop, dropped bool) {
	first := &w.layers[0]
	switch {
	case a.link == packet.LinkVXLAN && first.Source != packet.FromTunnelVXLAN:
		return DropVXLAN, true
	case a.link == packet.LinkVXLAN:
		return w.attribute(sourceKey{a.src, first.VNI, 0}, a.time)
	case first.Source != packet.FromTunnelGENEVE:
		return DropGENEVE, true
	}
	if drop, dropped = w.takeTunnelOff(a); !dropped && w.mirrored == nil {
		// GENEVE straight around the mirrored packet.
		return w.attribute(sourceKey{a.src, first.VNI, w.endpoint(a, 0)}, a.time)
	}
	return drop, dropped
}

// endpoint returns the Gateway Load Balancer endpoint that the GENEVE header around layer
// i names, 0 when there is none.
func (w *Worker) endpoint(a *arrival, i int) uint64 {
	var b []byte
	switch {
	case i > 0:
		o := &w.layers[i-1]
		b = o.Data[o.Payload:o.PayloadEnd]
	case a.link == packet.LinkGENEVE:
		b = a.data
	default:
		return 0
	}
	g, ok := packet.ParseGENEVE(b)
	if !ok {
		return 0
	}
	return g.AWS().Endpoint
}

// outer notes the outer packet's addresses for the records of this frame.
func (w *Worker) outer(src, dst packet.Addr, srcPort, dstPort uint16) {
	v := uint8(6)
	if src.Is4() {
		v = 4
	}
	w.tunnelBuf = eve.Tunnel{Tuple: packet.Tuple{Src: src, Dst: dst, SrcPort: srcPort, DstPort: dstPort,
		Proto: packet.ProtoUDP, Version: v}}
}

// attribute finds the source of the frame, counts it there, and applies the
// allow-lists and the de-duplication.
func (w *Worker) attribute(k sourceKey, t int64) (Drop, bool) {
	if w.opt.AllowSource != nil && !w.opt.AllowSource(k.addr) {
		return DropSource, true
	}
	if w.opt.AllowVNI != nil && !w.opt.AllowVNI(k.vni) {
		return DropVNI, true
	}
	src := w.sources.get(k, t)
	w.mirrored = src
	p := &w.layers[w.tunnel]
	src.packets++
	src.bytes += uint64(len(p.Data))
	src.last = t
	if p.Truncated {
		src.truncated++
	}
	if w.dedup != nil && w.dedup.duplicate(p, src) {
		src.dups++
		return DropDuplicate, true
	}
	w.Ledger.Tunnelled++
	if src.known == nil {
		w.Ledger.Unknown++
	}
	return 0, false
}

// mirrorOf fills the mirror object of a record about packet p.
func (w *Worker) mirrorOf(s *source, p *packet.Parsed) *eve.Mirror {
	m := &w.mirrorBuf
	*m = eve.Mirror{VNI: s.key.vni, Source: s.known, Truncated: p.Truncated, Dup: s.dups > 0}
	if s.known != nil {
		m.Direction = s.known.Direction(p)
	}
	m.Outer, m.HasOuter, m.Endpoint = s.key.addr, true, s.key.endpoint
	return m
}

// mirrorOfFlow fills the mirror object of a record about flow e.
func (w *Worker) mirrorOfFlow(e *entry) *eve.Mirror {
	s := e.V.src
	m := &w.mirrorBuf
	*m = eve.Mirror{VNI: s.key.vni, Source: s.known, Truncated: e.V.trunc, Dup: s.dups > 0, Direction: mirror.DirectionUnknown}
	m.Outer, m.HasOuter, m.Endpoint = s.key.addr, true, s.key.endpoint
	return m
}
