package flow

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"

	"mirador/internal/packet"
)

// icmpPair maps ICMP types that are asked and answered; the answer's type takes
// the place of the other port (Community ID specification, version 1).
func icmpPair(typ uint8, v6 bool) (uint8, bool) {
	if !v6 {
		return counterpart4(typ)
	}
	switch typ {
	case 128, 130, 133, 135, 139, 144:
		return typ + 1, true
	case 129, 131, 134, 136, 140, 145:
		return typ - 1, true
	}
	return 0, false
}

// AppendCommunityID appends the Community ID v1 of t ("1:" and a base64 SHA-1) to
// dst. For ICMP, t's ports are the type and the code of a packet as sent. It
// allocates nothing beyond growing dst. Source: Community ID specification v1.
func AppendCommunityID(dst []byte, t packet.Tuple, seed uint16) []byte {
	oneWay := false
	ports := true
	switch t.Proto {
	case protoTCP, protoUDP, protoSCTP:
	case protoICMP, protoICMPv6:
		if c, ok := icmpPair(uint8(t.SrcPort), t.Proto == protoICMPv6); ok {
			t.DstPort = uint16(c)
		} else {
			oneWay = true
		}
	default:
		ports = false
		t.SrcPort, t.DstPort = 0, 0
	}
	if !oneWay && less(&t.Dst, t.DstPort, &t.Src, t.SrcPort) {
		t = t.Reverse()
	}
	var buf [2 + 32 + 2 + 4]byte
	b := binary.BigEndian.AppendUint16(buf[:0], seed)
	from := 0
	if t.Version == 4 {
		from = 12
	}
	b = append(b, t.Src[from:]...)
	b = append(b, t.Dst[from:]...)
	b = append(b, t.Proto, 0)
	if ports {
		b = binary.BigEndian.AppendUint16(b, t.SrcPort)
		b = binary.BigEndian.AppendUint16(b, t.DstPort)
	}
	sum := sha1.Sum(b)
	return base64.StdEncoding.AppendEncode(append(dst, "1:"...), sum[:])
}
