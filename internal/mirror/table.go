package mirror

import (
	"encoding/binary"

	"mirador/internal/packet"
)

// Table is a Program as plain data, for those that execute it elsewhere: the software
// mirror has the kernel do it.
type Table struct {
	Switches Switches
	Port     PortMode
	// Resolvers are the addresses of the Amazon resolver, Tunnels those that mirrored
	// packets are sent to.
	Resolvers, Tunnels []packet.Addr
	// DNS is the index of the session that takes traffic of the resolver; -1: none.
	DNS      int
	Sessions []TableSession
	// Rules are in the order of evaluation, those of a session together: by direction
	// (ingress, egress) and family (IPv4, IPv6).
	Rules [2][2][]TableRule
}

// TableSession is what a session does with a packet that it takes.
type TableSession struct {
	Inactive bool
	// Length4 and Length6 are the packet length for IPv4 and IPv6, not less than the floor;
	// 0: all of the frame.
	Length4, Length6 int
	Limit            int // bytes of a frame that fit the target's MTU; 0: not limited
}

// TableRule is one rule. Addresses and masks are 16 bytes in network order, IPv4 in its
// mapped form.
type TableRule struct {
	Src, SrcMask, Dst, DstMask packet.Addr
	SrcFrom, SrcTo             uint16
	DstFrom, DstTo             uint16
	Protocol                   int  // -1: any
	Ports                      bool // has a port range
	Accept                     bool
	Session                    int
}

// Table returns g as plain data.
func (g *Program) Table() *Table {
	t := &Table{Switches: g.sw, Port: g.port, Resolvers: g.resolvers, Tunnels: g.tunnels, DNS: g.dns}
	for i := range g.sessions {
		s := &g.sessions[i]
		x := TableSession{Inactive: s.Inactive, Limit: s.limit}
		if n := s.Session.PacketLength; n > 0 {
			const whole = 1 << 30 // longer than any frame
			x.Length4 = cutLength(whole, n, 4, g.sw.NoLengthFloor)
			x.Length6 = cutLength(whole, n, 6, g.sw.NoLengthFloor)
		}
		t.Sessions = append(t.Sessions, x)
	}
	for d := range g.ops {
		for f := range g.ops[d] {
			for i := range g.ops[d][f] {
				o := &g.ops[d][f][i]
				t.Rules[d][f] = append(t.Rules[d][f], TableRule{
					Src: o.src.bytes(), SrcMask: o.srcMask.bytes(), Dst: o.dst.bytes(), DstMask: o.dstMask.bytes(),
					SrcFrom: o.sportFrom, SrcTo: o.sportTo, DstFrom: o.dportFrom, DstTo: o.dportTo,
					Protocol: int(o.protocol), Ports: o.ports, Accept: o.accept, Session: o.session,
				})
			}
		}
	}
	return t
}

// bytes returns a in network order.
func (a addr) bytes() (b packet.Addr) {
	binary.BigEndian.PutUint64(b[0:], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return b
}
