package detect

import (
	"encoding/binary"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// Keywords about ICMP, ICMPv6 and IGMP headers. Suricata 8 rules/header-keywords.
func icmpKeywords() []keyword {
	return []keyword{
		{name: "itype", arg: argNeed, setup: setIType, doc: "ICMP type"},
		{name: "icode", arg: argNeed, setup: setICode, doc: "ICMP code"},
		{name: "icmp_id", arg: argNeed, setup: setICMPID, doc: "ICMP echo identifier"},
		{name: "icmp_seq", arg: argNeed, setup: setICMPSeq, doc: "ICMP echo sequence number"},
		{name: "icmpv6.mtu", arg: argNeed, setup: setICMPMTU, doc: "MTU of an ICMPv6 packet-too-big"},
		{name: "igmp.type", arg: argNeed, setup: setIGMPType, doc: "IGMP type (Suricata 9)"},
	}
}

func hasICMP(p *packet.Parsed) bool {
	return p.Depth >= packet.DepthTransport && (p.Proto == packet.ProtoICMP || p.Proto == packet.ProtoICMPv6)
}

func setIType(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 8, func(p *packet.Parsed) (uint64, bool) { return uint64(p.ICMPType), hasICMP(p) })
}

func setICode(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 8, func(p *packet.Parsed) (uint64, bool) { return uint64(p.ICMPCode), hasICMP(p) })
}

// hasEcho tells whether the message has an identifier and a sequence number.
func hasEcho(p *packet.Parsed) bool {
	if !hasICMP(p) {
		return false
	}
	if p.Proto == packet.ProtoICMPv6 {
		return p.ICMPType == 128 || p.ICMPType == 129
	}
	switch p.ICMPType {
	case 0, 8, 13, 14, 15, 16, 17, 18:
		return true
	}
	return false
}

func setICMPID(b *builder, o *rule.Option) error {
	return b.plainNumber(o, 16, false, func(p *packet.Parsed) (uint64, bool) { return echoField(p, 4) })
}

func setICMPSeq(b *builder, o *rule.Option) error {
	return b.plainNumber(o, 16, false, func(p *packet.Parsed) (uint64, bool) { return echoField(p, 6) })
}

func echoField(p *packet.Parsed, off int) (uint64, bool) {
	if !hasEcho(p) || p.L4+8 > len(p.Data) {
		return 0, false
	}
	return uint64(binary.BigEndian.Uint16(p.Data[p.L4+off:])), true
}

func setICMPMTU(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 32, func(p *packet.Parsed) (uint64, bool) {
		if p.Depth < packet.DepthTransport || p.Proto != packet.ProtoICMPv6 || p.ICMPType != 2 || p.L4+8 > len(p.Data) {
			return 0, false
		}
		return uint64(binary.BigEndian.Uint32(p.Data[p.L4+4:])), true
	})
}

func setIGMPType(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 8, func(p *packet.Parsed) (uint64, bool) {
		at := p.L3 + p.L3Len
		if !hasIP(p) || p.Proto != 2 || at >= len(p.Data) {
			return 0, false
		}
		return uint64(p.Data[at]), true
	})
}
