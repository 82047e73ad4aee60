package packet

import (
	"encoding/binary"
	"math/bits"
)

// Checksum is what is known of a checksum.
type Checksum uint8

// The states of a checksum.
const (
	ChecksumUnknown Checksum = iota // none there, or the bytes it covers are not all there
	ChecksumOK
	ChecksumBad
)

// sum adds up b as 16-bit words, big endian, in one's complement, on top of start. The
// result is not folded. An odd last byte counts as if a 0 came after it (RFC 1071).
func sum(b []byte, start uint64) uint64 {
	s := start
	var carry uint64
	for len(b) >= 32 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[8:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[16:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[24:32]), carry)
		s += carry
		b = b[32:]
	}
	for len(b) >= 8 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s += carry
		b = b[8:]
	}
	if len(b) >= 4 {
		s, carry = bits.Add64(s, uint64(be32(b)), 0)
		s += carry
		b = b[4:]
	}
	if len(b) >= 2 {
		s, carry = bits.Add64(s, uint64(be16(b)), 0)
		s += carry
		b = b[2:]
	}
	if len(b) == 1 {
		s, carry = bits.Add64(s, uint64(b[0])<<8, 0)
		s += carry
	}
	return s
}

// fold makes a 16-bit one's complement sum of s.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffff_ffff
	s = s>>32 + s&0xffff_ffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}

// InternetChecksum returns the checksum of b (RFC 1071), to be stored big endian.
func InternetChecksum(b []byte) uint16 { return ^fold(sum(b, 0)) }

// pseudo returns the sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section
// 8.1). Addresses of IPv4 are taken without their ::ffff: part.
func pseudo(version uint8, src, dst *Addr, proto uint8, length int) uint64 {
	s := uint64(proto) + uint64(length)
	if version == 4 {
		s += uint64(be32(src[12:])) + uint64(be32(dst[12:]))
		return s
	}
	return sum(dst[:], sum(src[:], s))
}

func state(ok bool) Checksum {
	if ok {
		return ChecksumOK
	}
	return ChecksumBad
}

// IPv4Checksum checks the IPv4 header checksum (keyword ipv4-csum). It is not cached:
// the header is short.
func (p *Parsed) IPv4Checksum() Checksum {
	h := p.IPv4Header()
	if h == nil {
		return ChecksumUnknown
	}
	return state(fold(sum(h, 0)) == 0xffff)
}

// L4Checksum checks the checksum of TCP, UDP, ICMP or ICMPv6 (keywords tcpv4-csum,
// udpv6-csum, icmpv4-csum and so on). A UDP checksum of 0 over IPv4 is none, and OK. It
// is ChecksumUnknown for other protocols, truncated packets and fragments. The first
// call reads the whole packet; later ones cost nothing.
func (p *Parsed) L4Checksum() Checksum {
	if p.Depth < DepthTransport || p.Truncated {
		return ChecksumUnknown
	}
	if p.csum == ChecksumUnknown {
		p.csum = p.l4Checksum()
	}
	return p.csum
}

func (p *Parsed) l4Checksum() Checksum {
	b := p.Data[p.L4:p.IPEnd]
	switch p.Proto {
	case ProtoUDP:
		b = p.Data[p.L4:p.PayloadEnd]
		if p.IPVersion == 4 && be16(b[6:8]) == 0 {
			return ChecksumOK
		}
	case ProtoTCP, ProtoICMPv6:
	case ProtoICMP:
		return state(fold(sum(b, 0)) == 0xffff)
	default:
		return ChecksumUnknown
	}
	s := pseudo(p.IPVersion, &p.Src, &p.Dst, p.Proto, len(b))
	return state(fold(sum(b, s)) == 0xffff)
}

// IGMPChecksum checks the checksum of an IGMP message (keyword igmp-csum).
func (p *Parsed) IGMPChecksum() Checksum {
	b := p.IGMPHeader()
	if b == nil || p.Truncated {
		return ChecksumUnknown
	}
	return state(fold(sum(b, 0)) == 0xffff)
}
