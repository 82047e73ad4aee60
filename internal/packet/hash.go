package packet

import (
	"encoding/binary"
	"math/bits"
)

// SymmetricHash returns a hash of the conversation p belongs to, the same for both of its
// directions: of the addresses, protocol, ports and the key; of fragments and packets
// without ports of the addresses only, so that all fragments of a packet meet. seed
// should be secret where an attacker must not choose the worker. VLAN tags and VNI are
// not in it.
func (p *Parsed) SymmetricHash(seed uint64) uint64 {
	if p.IPVersion == 0 {
		return mix(seed, uint64(p.EtherType))
	}
	var ports uint64
	var proto uint8
	if p.Depth == DepthTransport {
		switch p.Proto {
		case ProtoTCP, ProtoUDP, ProtoSCTP:
			ports, proto = uint64(p.SrcPort)^uint64(p.DstPort)|uint64(p.SrcPort+p.DstPort)<<16, p.Proto
		}
	}
	return hashPair(&p.Src, &p.Dst, ports|uint64(proto)<<32, seed)
}

// SymmetricHash is (*Parsed).SymmetricHash for a tuple.
func (t *Tuple) SymmetricHash(seed uint64) uint64 {
	var ports uint64
	var proto uint8
	switch t.Proto {
	case ProtoTCP, ProtoUDP, ProtoSCTP:
		ports, proto = uint64(t.SrcPort)^uint64(t.DstPort)|uint64(t.SrcPort+t.DstPort)<<16, t.Proto
	}
	return hashPair(&t.Src, &t.Dst, ports|uint64(proto)<<32, seed)
}

// hashPair hashes two addresses in either order, and ports which is symmetric
// already. Each address goes through a keyed multiplication of its own before the two
// are added, so that nobody without the key can make pairs that collide.
func hashPair(src, dst *Addr, ports, seed uint64) uint64 {
	a := mix(seed^binary.LittleEndian.Uint64(src[0:8]), binary.LittleEndian.Uint64(src[8:16]))
	b := mix(seed^binary.LittleEndian.Uint64(dst[0:8]), binary.LittleEndian.Uint64(dst[8:16]))
	return mix(a+b, ports^seed)
}

// mix folds the product of its arguments, each of them blended with an odd constant.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e37_79b9_7f4a_7c15, b^0xd1b5_4a32_d192_ed03)
	return hi ^ lo
}
