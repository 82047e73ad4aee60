package flow

import (
	"encoding/binary"
	"math/bits"

	"mirador/internal/packet"
)

const (
	protoTCP    = packet.ProtoTCP
	protoUDP    = packet.ProtoUDP
	protoICMP   = packet.ProtoICMP
	protoICMPv6 = packet.ProtoICMPv6
	protoESP    = packet.ProtoESP
	protoSCTP   = packet.ProtoSCTP
)

// key names a flow whatever the direction of the packet: the smaller end first.
type key struct {
	a, b         packet.Addr
	aPort, bPort uint16
	proto, ver   uint8
	level        uint8
	nvlan        uint8
	vlan         [packet.MaxVLAN]uint16
	oneWay       bool // ESP: the two directions have different SPIs and are two flows
	tenant       uint32
}

// less orders two ends of a conversation.
func less(a *packet.Addr, ap uint16, b *packet.Addr, bp uint16) bool {
	x, y := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])
	if x != y {
		return x < y
	}
	x, y = binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:])
	if x != y {
		return x < y
	}
	return ap < bp
}

// set fills k from the two ends as sent.
func (k *key) set(t *packet.Tuple, oneWay bool) {
	k.proto, k.ver, k.oneWay = t.Proto, t.Version, oneWay
	if oneWay || !less(&t.Dst, t.DstPort, &t.Src, t.SrcPort) {
		k.a, k.b, k.aPort, k.bPort = t.Src, t.Dst, t.SrcPort, t.DstPort
		return
	}
	k.a, k.b, k.aPort, k.bPort = t.Dst, t.Src, t.DstPort, t.SrcPort
}

// hash is SipHash-1-3 over the words of k: an attacker who does not know the seed
// cannot aim at one chain of the index.
func (k *key) hash(seed *[2]uint64) uint64 {
	h := newSip(seed)
	le := binary.LittleEndian
	if k.ver != 4 {
		h.word(le.Uint64(k.a[:8]))
		h.word(le.Uint64(k.b[:8]))
		h.word(le.Uint64(k.a[8:]))
		h.word(le.Uint64(k.b[8:]))
	} else {
		h.word(uint64(le.Uint32(k.a[12:])) | uint64(le.Uint32(k.b[12:]))<<32)
	}
	h.word(uint64(k.aPort) | uint64(k.bPort)<<16 | uint64(k.proto)<<32 | uint64(k.ver)<<40 | uint64(k.level)<<48 | uint64(k.nvlan)<<56)
	h.word(uint64(k.tenant) | uint64(k.vlan[0])<<32 | uint64(k.vlan[1])<<48)
	if k.vlan[2] != 0 {
		h.word(uint64(k.vlan[2]))
	}
	return h.sum()
}

// sip is SipHash-1-3 over 64-bit words (Aumasson and Bernstein, 2012).
type sip struct{ v0, v1, v2, v3 uint64 }

func newSip(seed *[2]uint64) sip {
	return sip{seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
		seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573}
}

func (s *sip) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}

func (s *sip) word(w uint64) {
	s.v3 ^= w
	s.round()
	s.v0 ^= w
}

func (s *sip) sum() uint64 {
	s.v2 ^= 0xff
	s.round()
	s.round()
	s.round()
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

// counterpart4 returns the ICMP type that answers typ (RFC 792, 950, 1256).
func counterpart4(typ uint8) (uint8, bool) {
	switch typ {
	case 0, 8:
		return 8 - typ, true
	case 13:
		return 14, true
	case 14:
		return 13, true
	case 15:
		return 16, true
	case 16:
		return 15, true
	case 17:
		return 18, true
	case 18:
		return 17, true
	case 9:
		return 10, true
	case 10:
		return 9, true
	}
	return 0, false
}

// counterpart6 returns the ICMPv6 type that answers typ (RFC 4443, 4861, 2710,
// 4620, 6275).
func counterpart6(typ uint8) (uint8, bool) {
	switch typ {
	case 128, 130, 133, 135, 139, 144, 146:
		return typ + 1, true
	case 129, 131, 134, 136, 140, 145, 147:
		return typ - 1, true
	}
	return 0, false
}

// isError4 tells the ICMP errors, which never make a flow of their own.
func isError4(typ uint8) bool {
	switch typ {
	case 3, 4, 5, 11, 12:
		return true
	}
	return false
}

// tuple4inner reads the tuple of the packet an ICMP "destination unreachable"
// quotes. Only TCP and UDP are followed, as Suricata does.
func tuple4inner(p *packet.Parsed) (packet.Tuple, bool) {
	if p.ICMPType != 3 || p.ICMPInner <= 0 || p.ICMPInner > len(p.Data) {
		return packet.Tuple{}, false
	}
	b := p.Data[p.ICMPInner:]
	if len(b) < 20 || b[0]>>4 != 4 {
		return packet.Tuple{}, false
	}
	n := int(b[0]&15) * 4
	if n < 20 || len(b) < n+4 || binary.BigEndian.Uint16(b[6:8])&0x1fff != 0 {
		return packet.Tuple{}, false
	}
	t := packet.Tuple{Proto: b[9], Version: 4}
	if t.Proto != protoTCP && t.Proto != protoUDP {
		return packet.Tuple{}, false
	}
	t.Src[10], t.Src[11], t.Dst[10], t.Dst[11] = 0xff, 0xff, 0xff, 0xff
	copy(t.Src[12:], b[12:16])
	copy(t.Dst[12:], b[16:20])
	t.SrcPort = binary.BigEndian.Uint16(b[n:])
	t.DstPort = binary.BigEndian.Uint16(b[n+2:])
	return t, true
}

// tupleOf returns the tuple that names p's flow. related is set when the flow is
// that of the packet quoted by p; ok is false for packets that have no flow.
func tupleOf(p *packet.Parsed) (t packet.Tuple, related, oneWay, ok bool) {
	t = p.Tuple()
	if !p.WantsFlow() || p.Fragment {
		return t, false, false, false
	}
	switch p.Proto {
	case protoTCP, protoUDP, protoSCTP:
		return t, false, false, true
	case protoICMP:
		if isError4(p.ICMPType) {
			in, ok := tuple4inner(p)
			return in, true, false, ok
		}
		c, _ := counterpart4(p.ICMPType)
		t.SrcPort, t.DstPort = uint16(p.ICMPType), uint16(c)
		return t, false, false, true
	case protoICMPv6:
		c, _ := counterpart6(p.ICMPType)
		t.SrcPort, t.DstPort = uint16(p.ICMPType), uint16(c)
		return t, false, false, true
	case protoESP:
		t.SrcPort, t.DstPort = uint16(p.SPI>>16), uint16(p.SPI)
		return t, false, true, true
	}
	t.SrcPort, t.DstPort = 0, 0 // IP in IP
	return t, false, false, true
}
