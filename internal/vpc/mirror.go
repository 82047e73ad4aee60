package vpc

import (
	"net/netip"
	"sync/atomic"
	"time"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// tunnel is where a session of a source interface sends what it mirrors.
type tunnel struct {
	live *sessionLive
	dst  netip.Addr // of the target's interface, or of the load balancer's or endpoint's node
	gone Reason     // not passed: there is no way at all
}

// sessionLive is what stays of a session from plan to plan: its counters.
type sessionLive struct {
	id    string
	count SessionCounters
}

// SessionCounters count what one session mirrors, which AWS does not show.
type SessionCounters struct {
	// Packets and Bytes that arrived at the target; bytes are those of the original
	// frames, as CloudWatch counts them.
	Packets, Bytes atomic.Uint64
	// CutByMTU and CutByLength are packets that were mirrored shorter than they are.
	CutByMTU, CutByLength atomic.Uint64
	// SkippedPackets and SkippedBytes were to be mirrored, but production came first.
	SkippedPackets, SkippedBytes atomic.Uint64
	// Drops are packets that were mirrored and did not arrive, by reason.
	Drops [dropKinds]atomic.Uint64
}

// MirrorCounters are those that CloudWatch has for an instance (namespace AWS/EC2), of
// one interface and one direction.
type MirrorCounters struct {
	Packets, Bytes               atomic.Uint64 // NetworkPacketsMirrorIn/Out, NetworkMirrorIn/Out
	SkippedPackets, SkippedBytes atomic.Uint64 // NetworkPacketsSkipMirrorIn/Out, NetworkSkipMirrorIn/Out
}

// mirror sends the copy of h that a session of e wants, if one does. The plan, and with
// it the program, is the same for the whole batch.
func (f *Fabric) mirror(e *eni, h *head, d mirror.Direction, now int64) {
	if e.program == nil || h.mirrored {
		return
	}
	f.layers = f.dec.Decode(f.layers[:0], packet.LinkEthernet, h.frame, len(h.frame), now)
	p := &f.layers[0]
	v := e.program.Decide(p, d)
	if !v.Mirror {
		return
	}
	t := &e.tunnels[v.Session]
	s := e.program.Sessions()[v.Session].Session
	n, wire := v.Length, uint64(len(h.frame))
	total := &e.live.mirrorIn
	if d == mirror.Egress {
		total = &e.live.mirrorOut
	}
	b := f.room(lenEthernet + packet.MirrorOverhead + n)
	if b == nil || !e.live.admit(lenEthernet+packet.MirrorOverhead+n, now) {
		total.SkippedPackets.Add(1)
		total.SkippedBytes.Add(wire)
		t.live.count.SkippedPackets.Add(1)
		t.live.count.SkippedBytes.Add(wire)
		return
	}
	total.Packets.Add(1)
	total.Bytes.Add(wire)
	r := t.gone
	if r == passed {
		port := e.program.SourcePort(p, v)
		b = packet.AppendEthernet(b, e.subnet.mac, e.mac, packet.EtherTypeIPv4)
		b = packet.AppendMirror(b, e.addrs[0].As4(), t.dst.As4(), port, s.VNI, n)
		b = append(b, h.frame[:n]...)
		outer := head{
			frame: b, l4: lenEthernet + lenIPv4, version: 4, proto: packet.ProtoUDP,
			src: e.addrs[0], dst: t.dst, sport: port, dport: packet.PortVXLAN, mirrored: true,
		}
		// It goes by the routes of the source's subnet, but not past its security groups.
		r = f.route(e, e.subnet, &outer, now)
	}
	if r != passed {
		t.live.count.Drops[r].Add(1)
		return
	}
	t.live.count.Packets.Add(1)
	t.live.count.Bytes.Add(wire)
	if v.CutByMTU {
		t.live.count.CutByMTU.Add(1)
	}
	if v.CutByLength {
		t.live.count.CutByLength.Add(1)
	}
}

// admit asks the token bucket for n bytes. It holds what 20 ms bring, and one frame at
// least. Production is not held back by it: only mirroring skips.
func (v *eniLive) admit(n int, now int64) bool {
	limit := v.limit.Load()
	if have, _ := v.bucket.Limit(); have != limit {
		v.bucket = mirror.NewBucket(limit, 20*time.Millisecond, maxFrame+maxTunnelHeaders)
	}
	v.bucket.Pass(now - v.filled)
	v.filled = max(v.filled, now)
	return v.bucket.Take(int64(n))
}
