package mirror

import (
	"encoding/binary"
	"slices"

	"mirador/internal/packet"
)

// The addresses of a VPC's services that an instance reaches without the network. AWS:
// EC2 user guide, link-local addresses, and the pages of each service.
const (
	linkLocal4  = 0xa9fea9_00         // 169.254.169.0/24
	linkLocal6  = 0xfd000ec2_00000000 // fd00:ec2::/64
	metadata    = 0xfe                // 169.254.169.254
	metadata6   = 0x254               // fd00:ec2::254
	timeSync    = 0x7b                // 169.254.169.123
	timeSync6   = 0x123               // fd00:ec2::123
	activation1 = 0xfa                // 169.254.169.250 and .251
	activation2 = 0xfb
	activation6 = 0x250 // fd00:ec2::250 and fd00:ec2::240
	activation7 = 0x240
)

var (
	resolver4 = packet.AddrFrom4([4]byte{169, 254, 169, 253})
	resolver6 = packet.Addr{0: 0xfd, 2: 0x0e, 3: 0xc2, 14: 0x02, 15: 0x53} // fd00:ec2::253
)

// Ports of the traffic that is told by them.
const (
	portDNS        = 53
	portDHCPServer = 67
	portDHCPClient = 68
	portNTP        = 123
	portDHCP6C     = 546
	portDHCP6S     = 547
	portActivation = 1688
)

// Types of ICMPv6 that are neighbour discovery: RFC 4861, 133 to 137.
const (
	ndFirst = 133
	ndLast  = 137
)

// class fills k, and tells whether p is of a kind for which rules are not asked:
// ReasonNone means that they are.
func (g *Program) class(p *packet.Parsed, k *key) Reason {
	if p.IPVersion == 0 {
		if p.Seen&packet.SeenARP != 0 {
			return ReasonARP
		}
		return ReasonNotIP
	}
	k.src, k.dst = toAddr(&p.Src), toAddr(&p.Dst)
	k.protocol = int16(p.Proto)
	k.ports(p)
	udp, tcp := p.Proto == packet.ProtoUDP, p.Proto == packet.ProtoTCP
	if r := service(&k.src, tcp, k.hasPorts, k.sport); r != ReasonNone {
		return r
	}
	if r := service(&k.dst, tcp, k.hasPorts, k.dport); r != ReasonNone {
		return r
	}
	if udp {
		if r := g.classUDP(p, k); r != ReasonNone {
			return r
		}
	}
	if g.sw.NeighborDiscoveryExcluded && p.IsICMPv6() && p.ICMPType >= ndFirst && p.ICMPType <= ndLast {
		return ReasonNeighbor
	}
	for i := range g.resolvers {
		r := &g.resolvers[i]
		if p.Dst == *r && g.dnsWith(udp || tcp, k.hasPorts, k.dport) || p.Src == *r && g.dnsWith(udp || tcp, k.hasPorts, k.sport) {
			return ReasonResolver
		}
	}
	return ReasonNone
}

// ports finds the ports of TCP and UDP. The decoder leaves them out of first fragments
// and of headers that are cut; they are in the first four bytes.
func (k *key) ports(p *packet.Parsed) {
	if p.Proto != packet.ProtoTCP && p.Proto != packet.ProtoUDP {
		return
	}
	if p.Depth == packet.DepthTransport {
		k.sport, k.dport, k.hasPorts = p.SrcPort, p.DstPort, true
		return
	}
	if b := p.PayloadBytes(); p.FragOffset == 0 && len(b) >= 4 {
		k.sport, k.dport, k.hasPorts = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), true
	}
}

// service tells whether an end of the packet is one of the services that are never
// mirrored. port is the one of this end.
func service(a *addr, tcp, hasPorts bool, port uint16) Reason {
	var metadataIs, timeSyncIs, activationIs bool
	switch {
	case a.hi == 0 && a.lo>>8 == 0xffff<<24|linkLocal4>>8:
		last := a.lo & 0xff
		metadataIs, timeSyncIs = last == metadata, last == timeSync
		activationIs = last == activation1 || last == activation2
	case a.hi == linkLocal6:
		metadataIs, timeSyncIs = a.lo == metadata6, a.lo == timeSync6
		activationIs = a.lo == activation6 || a.lo == activation7
	default:
		return ReasonNone
	}
	switch {
	case metadataIs:
		return ReasonMetadata
	case timeSyncIs:
		return ReasonNTP
	case activationIs && tcp && hasPorts && port == portActivation:
		return ReasonActivation
	}
	return ReasonNone
}

// classUDP tells DHCP, NTP and the mirror's own tunnels.
func (g *Program) classUDP(p *packet.Parsed, k *key) Reason {
	if len(g.tunnels) > 0 && slices.Contains(g.tunnels, p.Dst) {
		// A later fragment of UDP to a target is more likely of the tunnel than not, and
		// to mirror it would feed it back.
		if !k.hasPorts || k.dport == packet.PortVXLAN || k.dport == packet.PortGENEVE {
			return ReasonOwnTunnel
		}
	}
	if !k.hasPorts {
		return ReasonNone
	}
	lo, hi := uint16(portDHCPServer), uint16(portDHCPClient)
	if p.IPVersion == 6 {
		lo, hi = portDHCP6C, portDHCP6S
	}
	if k.sport == lo || k.sport == hi || k.dport == lo || k.dport == hi {
		return ReasonDHCP
	}
	if g.sw.AllNTPExcluded && (k.sport == portNTP || k.dport == portNTP) {
		return ReasonNTP
	}
	return ReasonNone
}

// dnsWith tells whether a packet from or to a resolver is DNS. port is the one of the
// resolver; later fragments have none and belong to an answer that is too long.
func (g *Program) dnsWith(tcpOrUDP, hasPorts bool, port uint16) bool {
	return g.sw.AllResolverTrafficIsDNS || tcpOrUDP && (!hasPorts || port == portDNS)
}
