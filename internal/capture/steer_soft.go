package capture

import (
	"encoding/binary"

	"mirador/internal/packet"
)

// Steer chooses one of workers for frame, as the kernel's program does: for use where
// the kernel refuses it. The result is the same for both directions and all fragments
// of what goes on between two hosts inside the tunnel.
func Steer(f *Frame, workers int, seed uint32) int {
	s := soft{b: f.Data, seed: seed}
	switch f.Link {
	case packet.LinkVXLAN:
		s.ethernet(lenVXLANHdr)
	case packet.LinkGENEVE:
		s.geneve(0)
	case packet.LinkEthernet:
		s.outer(lenEther)
	}
	if s.cut || !s.found {
		return 0
	}
	return int(s.hash * steerMul >> steerShift % uint32(workers))
}

// soft is the steering program in Go. Its methods are those of asm.
type soft struct {
	b     []byte
	seed  uint32
	hash  uint32
	found bool // hash is that of two addresses
	cut   bool // a field was beyond the end of b: worker 0
}

func (s *soft) u8(at int) uint32 {
	if at >= len(s.b) {
		s.cut = true
		return 0
	}
	return uint32(s.b[at])
}

func (s *soft) u16(at int) uint32 {
	if at+2 > len(s.b) {
		s.cut = true
		return 0
	}
	return uint32(binary.BigEndian.Uint16(s.b[at:]))
}

func (s *soft) u32(at int) uint32 {
	if at+4 > len(s.b) {
		s.cut = true
		return 0
	}
	return binary.BigEndian.Uint32(s.b[at:])
}

// udp returns the offset of the UDP header behind the IP header at x and its
// destination port, which is 0 for anything but a whole UDP packet.
func (s *soft) udp(x int) (at int, port uint32) {
	if s.u8(x)>>4 == 6 {
		if s.u8(x+6) != packet.ProtoUDP {
			return 0, 0
		}
		at = x + lenIPv6Hdr
	} else {
		if s.u8(x+9) != packet.ProtoUDP || s.u16(x+6)&0x3fff != 0 {
			return 0, 0
		}
		at = x + int(s.u8(x)&0x0f)<<2
	}
	return at, s.u16(at + 2)
}

func (s *soft) outer(x int) {
	at, port := s.udp(x)
	switch port {
	case packet.PortVXLAN:
		s.ethernet(at + lenUDPHdr + lenVXLANHdr)
	case packet.PortGENEVE:
		s.geneve(at + lenUDPHdr)
	default:
		s.ip(x)
	}
}

func (s *soft) geneve(x int) {
	kind := s.u16(x + 2)
	x += int(s.u8(x)&0x3f)<<2 + 8
	switch kind {
	case etBridge:
		s.ethernet(x)
	case etIPv4, etIPv6:
		if at, port := s.udp(x); port == packet.PortVXLAN {
			s.ethernet(at + lenUDPHdr + lenVXLANHdr)
			return
		}
		s.ip(x)
	}
}

func (s *soft) ethernet(x int) {
	kind := s.u16(x + offEtherType)
	for range steerVLANTags {
		if kind == etVLAN || kind == etQinQ {
			x += 4
			kind = s.u16(x + offEtherType)
		}
	}
	if kind == etIPv4 || kind == etIPv6 {
		s.ip(x + lenEther)
	}
}

func (s *soft) ip(x int) {
	s.hash, s.found = s.seed, true
	if s.u8(x)>>4 != 6 {
		s.pair(x+12, x+16)
		return
	}
	for w := 0; w < 16; w += 4 {
		s.pair(x+8+w, x+24+w)
	}
}

func (s *soft) pair(src, dst int) {
	a, b := s.u32(src), s.u32(dst)
	s.hash = (s.hash+(a^b))*steerMul + a + b
}
