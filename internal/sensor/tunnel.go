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
func (w *Worker) takeTunnelOff() (Drop, bool) {
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
		return w.attribute(o.Src, l[i+1].VNI, o.Time)
	}
	if i > 0 && l[i].HasEther {
		// GENEVE with Ethernet inside: a tunnel, without VXLAN.
		o := &l[i-1]
		w.outer(o.Src, o.Dst, o.SrcPort, o.DstPort)
		w.tunnel = i
		return w.attribute(o.Src, l[i].VNI, o.Time)
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
		return w.attribute(a.src, first.VNI, a.time)
	case first.Source != packet.FromTunnelGENEVE:
		return DropGENEVE, true
	}
	if drop, dropped = w.takeTunnelOff(); !dropped && w.mirrored == nil {
		// GENEVE straight around the mirrored packet.
		return w.attribute(a.src, first.VNI, a.time)
	}
	return drop, dropped
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
func (w *Worker) attribute(outer packet.Addr, vni uint32, t int64) (Drop, bool) {
	if w.opt.AllowSource != nil && !w.opt.AllowSource(outer) {
		return DropSource, true
	}
	if w.opt.AllowVNI != nil && !w.opt.AllowVNI(vni) {
		return DropVNI, true
	}
	src := w.sources.get(outer, vni, t)
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
	m.Outer, m.HasOuter = s.key.addr, true
	return m
}

// mirrorOfFlow fills the mirror object of a record about flow e.
func (w *Worker) mirrorOfFlow(e *entry) *eve.Mirror {
	s := e.V.src
	m := &w.mirrorBuf
	*m = eve.Mirror{VNI: s.key.vni, Source: s.known, Truncated: e.V.trunc, Dup: s.dups > 0, Direction: mirror.DirectionUnknown}
	m.Outer, m.HasOuter = s.key.addr, true
	return m
}
