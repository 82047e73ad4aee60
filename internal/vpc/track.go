package vpc

import (
	"net/netip"
	"time"

	"mirador/internal/packet"
)

// tracker remembers the connections that the security groups of one interface have
// admitted, so that answers are admitted too. It lives as long as the interface,
// across changes of its groups: a connection that was admitted goes on when the rule
// is removed, as on AWS. AWS: "Security group connection tracking".
type tracker struct {
	entries map[trackKey]*tracked
}

// trackKey is a connection seen from the interface.
type trackKey struct {
	local, remote         netip.Addr
	localPort, remotePort uint16
	proto                 uint8
}

// tracked is the state of a connection.
type tracked struct {
	last          int64
	out, in       bool // packets were seen in this direction
	finOut, finIn bool
	closed        bool // both sides have sent a FIN, or one of them a RST
}

// keyOf returns the key of h for its sender's (out) or its receiver's interface.
func keyOf(h *head, out bool) trackKey {
	if out {
		return trackKey{h.src, h.dst, h.sport, h.dport, h.proto}
	}
	return trackKey{h.dst, h.src, h.dport, h.sport, h.proto}
}

// idle returns how long e may rest.
func (e *tracked) idle(proto uint8) time.Duration {
	both := e.in && e.out
	switch {
	case proto == packet.ProtoTCP && e.closed:
		return idleTCPClosed
	case proto == packet.ProtoTCP && both:
		return idleTCP
	case proto == packet.ProtoTCP:
		return idleTCPOpen
	case proto == packet.ProtoUDP && both:
		return idleUDPStream
	case proto == packet.ProtoUDP:
		return idleUDP
	}
	return idleOther
}

// known tells whether h belongs to a connection, and notes that it was seen. An ICMP
// error belongs to the connection that it quotes.
func (t *tracker) known(h *head, out bool, now int64) bool {
	if len(t.entries) == 0 {
		return false
	}
	if h.icmpError() {
		q, ok := h.quoted()
		if !ok {
			return false
		}
		// The quoted packet went the other way than its report.
		e := t.entries[keyOf(&q, !out)]
		return e != nil && now-e.last < int64(e.idle(q.proto))
	}
	k := keyOf(h, out)
	e := t.entries[k]
	if e == nil {
		return false
	}
	if now-e.last >= int64(e.idle(h.proto)) {
		delete(t.entries, k)
		return false
	}
	if e.closed && h.proto == packet.ProtoTCP && h.tcpFlags&(flagSYN|flagACK) == flagSYN {
		delete(t.entries, k) // the ports are used again: the groups are asked again
		return false
	}
	e.note(h, out, now)
	return true
}

func (e *tracked) note(h *head, out bool, now int64) {
	e.last = now
	if out {
		e.out = true
	} else {
		e.in = true
	}
	if h.proto != packet.ProtoTCP {
		return
	}
	if h.tcpFlags&flagFIN != 0 {
		e.finOut, e.finIn = e.finOut || out, e.finIn || !out
	}
	if h.tcpFlags&flagRST != 0 || e.finOut && e.finIn {
		e.closed = true
	}
}

// add remembers the connection that h opens; false means that the table is full.
func (t *tracker) add(h *head, out bool, now int64) bool {
	if len(t.entries) >= maxTracked {
		t.sweep(now)
		if len(t.entries) >= maxTracked {
			return false
		}
	}
	if t.entries == nil {
		t.entries = map[trackKey]*tracked{}
	}
	e := &tracked{}
	e.note(h, out, now)
	t.entries[keyOf(h, out)] = e
	return true
}

// sweep forgets idle connections among at most maxSweep of the table, which Go's maps
// begin at a random place.
func (t *tracker) sweep(now int64) {
	n := 0
	for k, e := range t.entries {
		if n++; n > maxSweep {
			return
		}
		if now-e.last >= int64(e.idle(k.proto)) {
			delete(t.entries, k)
		}
	}
}

// fragments remembers the ports of packets that come in fragments, which only the
// first one has.
type fragments struct {
	entries map[fragKey]fragPorts
}

type fragKey struct {
	vpc      *vpcLive
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

type fragPorts struct {
	sport, dport       uint16
	icmpType, icmpCode uint8
	at                 int64
}

// resolve remembers h if it is a first fragment, and gives a later one the ports of its
// first. A first fragment that comes after others is not waited for.
func (f *fragments) resolve(v *vpcLive, h *head, now int64) Reason {
	if !h.first && !h.fragment {
		return passed
	}
	k := fragKey{v, h.src, h.dst, h.fragID, h.proto}
	if h.first {
		if len(f.entries) >= maxFragments {
			f.sweep(now)
			if len(f.entries) >= maxFragments {
				return DropFragment
			}
		}
		if f.entries == nil {
			f.entries = map[fragKey]fragPorts{}
		}
		f.entries[k] = fragPorts{h.sport, h.dport, h.icmpType, h.icmpCode, now}
		return passed
	}
	p, ok := f.entries[k]
	if !ok || now-p.at >= int64(idleFragment) {
		return DropFragment
	}
	h.sport, h.dport, h.icmpType, h.icmpCode = p.sport, p.dport, p.icmpType, p.icmpCode
	return passed
}

func (f *fragments) sweep(now int64) {
	n := 0
	for k, p := range f.entries {
		if n++; n > maxSweep {
			return
		}
		if now-p.at >= int64(idleFragment) {
			delete(f.entries, k)
		}
	}
}
