package mirror

import "mirador/internal/packet"

// PortMode is how the outer UDP source port is chosen.
type PortMode uint8

// The port modes.
const (
	// PortAWS is what AWS was seen to do: 65408 and 7 bits of a hash of the inner tuple
	// that is the same in both directions; answers of the Amazon resolver all have 65408.
	PortAWS PortMode = iota
	// PortWide takes 14 bits, 49152-65535, and treats answers of the resolver as all
	// else, so that receivers can spread load by the outer header and see both
	// directions of each flow in the same place.
	PortWide
)

// String returns "aws" or "wide".
func (m PortMode) String() string {
	if m == PortWide {
		return "wide"
	}
	return "aws"
}

// firstPort and widePort begin the ranges of the two modes.
const (
	firstPort = 0xff80
	widePort  = 0xc000
)

// SourcePort returns the outer UDP source port for the mirrored frame p.
func (g *Program) SourcePort(p *packet.Parsed, d Decision) uint16 {
	if g.port == PortAWS && d.FromResolver {
		return firstPort
	}
	return SourcePort(p, g.port)
}

// SourcePort returns the outer UDP source port for the mirrored frame p, which is no
// answer of the Amazon resolver: from a hash of the 5-tuple of TCP, UDP and ICMP (whose
// identifier stands for the ports) and the 3-tuple of all else and of fragments, the same
// in both directions. AWS: traffic-mirroring-packet-formats.
func SourcePort(p *packet.Parsed, m PortMode) uint16 {
	h := tupleHash(p)
	if m == PortWide {
		return widePort | uint16(h>>20)&^widePort
	}
	return firstPort | uint16(h>>25)&^firstPort
}

func tupleHash(p *packet.Parsed) uint64 {
	if p.IsTCP() || p.IsUDP() {
		return p.SymmetricHash(0)
	}
	if p.IPVersion == 0 {
		return p.SymmetricHash(uint64(p.EtherType))
	}
	t := packet.Tuple{Src: p.Src, Dst: p.Dst}
	seed := uint64(p.Proto)
	if p.IsICMPv4() || p.IsICMPv6() {
		seed |= uint64(p.ICMPID) << 8
	}
	return t.SymmetricHash(seed)
}

// FrameLimit returns how many bytes of a frame fit, with the outer headers of a mirrored
// packet, into one packet of mtu bytes; outer6 tells that the outer header is IPv6. It is
// 0 when mtu is 0, which means that there is no limit.
func FrameLimit(mtu int, outer6 bool) int {
	if mtu <= 0 {
		return 0
	}
	if outer6 {
		return max(mtu-OuterIPv6, 1)
	}
	return max(mtu-OuterIPv4, 1)
}

// LargestWhole returns the longest IP packet that AWS documents to be mirrored whole to a
// target with this MTU: 8947 for IPv4 and 9001.
func LargestWhole(mtu int, ipv6 bool) int {
	if ipv6 {
		return max(mtu-OverheadIPv6, 0)
	}
	return max(mtu-OverheadIPv4, 0)
}

// cutLength returns how many bytes of a frame of frameLen bytes are mirrored by a session
// with this packet length (0: all). Less than the floor for the IP version of the frame
// (MinLengthIPv4, MinLengthIPv6) is never cut, unless noFloor.
func cutLength(frameLen, packetLength int, version uint8, noFloor bool) int {
	if packetLength == 0 {
		return frameLen
	}
	if !noFloor {
		floor := MinLengthIPv4
		if version == 6 {
			floor = MinLengthIPv6
		}
		packetLength = max(packetLength, floor)
	}
	return min(frameLen, packetLength)
}
