package detect

import (
	"strings"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// Checksum keywords: valid or invalid. Suricata 8 rules/header-keywords.
func checksumKeywords() []keyword {
	return []keyword{
		{name: "ipv4-csum", arg: argNeed, setup: setChecksum, doc: "IPv4 header checksum"},
		{name: "tcpv4-csum", arg: argNeed, setup: setChecksum, doc: "TCP checksum over IPv4"},
		{name: "tcpv6-csum", arg: argNeed, setup: setChecksum, doc: "TCP checksum over IPv6"},
		{name: "udpv4-csum", arg: argNeed, setup: setChecksum, doc: "UDP checksum over IPv4"},
		{name: "udpv6-csum", arg: argNeed, setup: setChecksum, doc: "UDP checksum over IPv6"},
		{name: "icmpv4-csum", arg: argNeed, setup: setChecksum, doc: "ICMP checksum"},
		{name: "icmpv6-csum", arg: argNeed, setup: setChecksum, doc: "ICMPv6 checksum"},
		{name: "igmp-csum", arg: argNeed, setup: setChecksum, doc: "IGMP checksum (Suricata 9)"},
	}
}

type checksumCheck struct {
	ver   uint8
	proto uint8 // 0: the IPv4 header
	valid bool
}

func setChecksum(b *builder, o *rule.Option) error {
	k := &checksumCheck{ver: 4}
	if strings.Contains(o.Name, "v6") {
		k.ver = 6
	}
	switch name, _, _ := strings.Cut(o.Name, "-"); strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(name, "v4"), "v6"), " ") {
	case "tcp":
		k.proto = packet.ProtoTCP
	case "udp":
		k.proto = packet.ProtoUDP
	case "icmp":
		k.proto = packet.ProtoICMP
		if k.ver == 6 {
			k.proto = packet.ProtoICMPv6
		}
	case "igmp":
		k.proto = packet.ProtoIGMP
	}
	switch strings.ToLower(strings.Trim(o.Value, `" `)) {
	case "valid":
		k.valid = true
	case "invalid":
	default:
		return refuse(0, "use valid or invalid", "unknown value %s", quote(o.Value))
	}
	b.anyPacketCheck(k)
	return nil
}

func (k *checksumCheck) match(w *Worker) bool {
	p := w.p.P
	if w.p.Pseudo || !hasIP(p) || p.IPVersion != k.ver {
		return false
	}
	state := packet.ChecksumUnknown
	switch {
	case k.proto == 0:
		state = p.IPv4Checksum()
	case p.Proto != k.proto:
	case k.proto == packet.ProtoIGMP:
		state = p.IGMPChecksum()
	default:
		state = p.L4Checksum()
	}
	return state == packet.ChecksumOK && k.valid || state == packet.ChecksumBad && !k.valid
}
