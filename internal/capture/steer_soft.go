package capture

import (
	"encoding/binary"

	"mirador/internal/packet"
)

// Steer chooses one of workers for frame, as the kernel's program does: for use where
// the kernel refuses it. The result is the same for both directions and all fragments
// of what goes on between two hosts inside the tunnel.
func Steer(f *Frame, workers int, seed uint32) int {
	s := soft{b: f.Data, n: uint32(workers), seed: seed}
	switch f.Link {
	case packet.LinkVXLAN:
		return s.ethernet(lenVXLANHdr)
	case packet.LinkGENEVE:
		return s.geneve(0)
	case packet.LinkEthernet:
		return s.outer(lenEther)
	}
	return 0
}

// soft is the steering program in Go. Its methods are those of asm; a field beyond the
// end of b chooses worker 0.
type soft struct {
	b       []byte
	n, seed uint32
}

func (s *soft) u16(at int) (uint32, bool) {
	if at+2 > len(s.b) {
		return 0, false
	}
	return uint32(binary.BigEndian.Uint16(s.b[at:])), true
}

// udp returns the offset of the UDP header behind the IP header at x, and the
// destination port; ok is false for anything but a whole UDP packet.
func (s *soft) udp(x int) (at int, port uint32, ok bool) {
	if x+20 > len(s.b) {
		return 0, 0, false
	}
	if s.b[x]>>4 == 6 {
		at = x + lenIPv6Hdr
		if s.b[x+6] != packet.ProtoUDP {
			return 0, 0, false
		}
	} else {
		frag, _ := s.u16(x + 6)
		if s.b[x+9] != packet.ProtoUDP || frag&0x3fff != 0 {
			return 0, 0, false
		}
		at = x + int(s.b[x]&0x0f)<<2
	}
	port, ok = s.u16(at + 2)
	return at, port, ok
}

func (s *soft) outer(x int) int {
	at, port, ok := s.udp(x)
	switch {
	case ok && port == packet.PortVXLAN:
		return s.ethernet(at + lenUDPHdr + lenVXLANHdr)
	case ok && port == packet.PortGENEVE:
		return s.geneve(at + lenUDPHdr)
	}
	return s.ip(x)
}

func (s *soft) geneve(x int) int {
	kind, ok := s.u16(x + 2)
	if !ok {
		return 0
	}
	x += int(s.b[x]&0x3f)<<2 + 8
	switch kind {
	case etBridge:
		return s.ethernet(x)
	case etIPv4, etIPv6:
		if at, port, ok := s.udp(x); ok && port == packet.PortVXLAN {
			return s.ethernet(at + lenUDPHdr + lenVXLANHdr)
		}
		return s.ip(x)
	}
	return 0
}

func (s *soft) ethernet(x int) int {
	kind, ok := s.u16(x + offEtherType)
	for range steerVLANTags {
		if ok && (kind == etVLAN || kind == etQinQ) {
			x += 4
			kind, ok = s.u16(x + offEtherType)
		}
	}
	if !ok || kind != etIPv4 && kind != etIPv6 {
		return 0
	}
	return s.ip(x + lenEther)
}

func (s *soft) ip(x int) int {
	if x >= len(s.b) {
		return 0
	}
	at, end := x+12, x+20
	if s.b[x]>>4 == 6 {
		at, end = x+8, x+lenIPv6Hdr
	}
	if end > len(s.b) {
		return 0
	}
	src, dst := s.b[at:at+(end-at)/2], s.b[at+(end-at)/2:end]
	h := s.seed
	for ; len(src) > 0; src, dst = src[4:], dst[4:] {
		a, b := binary.BigEndian.Uint32(src), binary.BigEndian.Uint32(dst)
		h = (h+(a^b))*steerMul + a + b
	}
	return int(h * steerMul >> steerShift % s.n)
}
