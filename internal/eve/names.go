package eve

import (
	"strconv"

	"mirador/internal/packet"
)

// sourceNames are the values of pkt_src, by packet.Source.
var sourceNames = [...]string{
	packet.FromWire:         "wire/pcap",
	packet.FromTunnelGRE:    "gre tunnel",
	packet.FromTunnelIPv4:   "ipv4 tunnel",
	packet.FromTunnelIPv6:   "ipv6 tunnel",
	packet.FromTunnelTeredo: "teredo tunnel",
	packet.FromTunnelVXLAN:  "vxlan encapsulation",
	packet.FromTunnelGENEVE: "geneve encapsulation",
	packet.FromTunnelERSPAN: "gre tunnel", // ERSPAN travels in GRE
	packet.FromTunnelNSH:    "wire/pcap",  // an NSH header makes no packet of its own
	packet.FromDefrag:       "defrag",
	packet.FromFlowEnd:      "stream (flow timeout)",
	packet.FromStreamEnd:    "stream (detect/log)",
}

// SourceName returns EVE's pkt_src for s.
func SourceName(s packet.Source) string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "<unknown>"
}

// protoNames are the names of IP protocols (IANA protocol numbers, with the
// names that Suricata prints for 4, 41 and 58).
var protoNames = [...]string{
	0: "HOPOPT", 1: "ICMP", 2: "IGMP", 3: "GGP", 4: "IP-in-IP", 5: "ST", 6: "TCP", 7: "CBT", 8: "EGP", 9: "IGP",
	10: "BBN-RCC-MON", 11: "NVP-II", 12: "PUP", 13: "ARGUS", 14: "EMCON", 15: "XNET", 16: "CHAOS", 17: "UDP",
	18: "MUX", 19: "DCN-MEAS", 20: "HMP", 21: "PRM", 22: "XNS-IDP", 23: "TRUNK-1", 24: "TRUNK-2", 25: "LEAF-1",
	26: "LEAF-2", 27: "RDP", 28: "IRTP", 29: "ISO-TP4", 30: "NETBLT", 31: "MFE-NSP", 32: "MERIT-INP", 33: "DCCP",
	34: "3PC", 35: "IDPR", 36: "XTP", 37: "DDP", 38: "IDPR-CMTP", 39: "TP++", 40: "IL", 41: "IPv6", 42: "SDRP",
	43: "IPv6-Route", 44: "IPv6-Frag", 45: "IDRP", 46: "RSVP", 47: "GRE", 48: "DSR", 49: "BNA", 50: "ESP", 51: "AH",
	52: "I-NLSP", 53: "SwIPe", 54: "NARP", 55: "MOBILE", 56: "TLSP", 57: "SKIP", 58: "IPv6-ICMP", 59: "IPv6-NoNxt",
	60: "IPv6-Opts", 62: "CFTP", 64: "SAT-EXPAK", 65: "KRYPTOLAN", 66: "RVD", 67: "IPPC", 69: "SAT-MON", 70: "VISA",
	71: "IPCU", 72: "CPNX", 73: "CPHB", 74: "WSN", 75: "PVP", 76: "BR-SAT-MON", 77: "SUN-ND", 78: "WB-MON",
	79: "WB-EXPAK", 80: "ISO-IP", 81: "VMTP", 82: "SECURE-VMTP", 83: "VINES", 84: "TTP", 85: "NSFNET-IGP", 86: "DGP",
	87: "TCF", 88: "EIGRP", 89: "OSPF", 90: "Sprite-RPC", 91: "LARP", 92: "MTP", 93: "AX.25", 94: "OS", 95: "MICP",
	96: "SCC-SP", 97: "ETHERIP", 98: "ENCAP", 100: "GMTP", 101: "IFMP", 102: "PNNI", 103: "PIM", 104: "ARIS",
	105: "SCPS", 106: "QNX", 107: "A/N", 108: "IPComp", 109: "SNP", 110: "Compaq-Peer", 111: "IPX-in-IP", 112: "VRRP",
	113: "PGM", 115: "L2TP", 116: "DDX", 117: "IATP", 118: "STP", 119: "SRP", 120: "UTI", 121: "SMP", 122: "SM",
	123: "PTP", 124: "IS-IS over IPv4", 125: "FIRE", 126: "CRTP", 127: "CRUDP", 128: "SSCOPMCE", 129: "IPLT",
	130: "SPS", 131: "PIPE", 132: "SCTP", 133: "FC", 134: "RSVP-E2E-IGNORE", 135: "Mobility Header", 136: "UDPLite",
	137: "MPLS-in-IP", 138: "manet", 139: "Shim6", 140: "WESP", 141: "ROHC",
}

// appendProto appends the name of IP protocol p, or its number in three digits
// when it has none (Arkime reads both forms).
func appendProto(b []byte, p uint8) []byte {
	if int(p) < len(protoNames) && protoNames[p] != "" {
		return append(b, protoNames[p]...)
	}
	return append(b, '0'+p/100, '0'+p/10%10, '0'+p%10)
}

// linkName returns the DLT name of l without its prefix, "" when it has none.
func linkName(l packet.Link) string {
	switch l {
	case packet.LinkNull:
		return "NULL"
	case packet.LinkEthernet:
		return "EN10MB"
	case packet.LinkRaw12, packet.LinkRaw:
		return "RAW"
	case packet.LinkLoop:
		return "LOOP"
	case packet.LinkSLL:
		return "LINUX_SLL"
	case packet.LinkIPv4:
		return "IPv4"
	case packet.LinkIPv6:
		return "IPv6"
	case packet.LinkSLL2:
		return "LINUX_SLL2"
	}
	return ""
}

// appendIP appends address a of IP version v. IPv6 is written in full (eight
// groups of four digits) unless compress asks for RFC 5952.
func appendIP(b []byte, a *packet.Addr, v uint8, compress bool) []byte {
	if v == 4 {
		for i, c := range a[12:] {
			if i > 0 {
				b = append(b, '.')
			}
			b = strconv.AppendUint(b, uint64(c), 10)
		}
		return b
	}
	if compress {
		return appendCompressed(b, a)
	}
	for i, c := range a {
		if i > 0 && i%2 == 0 {
			b = append(b, ':')
		}
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendCompressed appends a in the form of RFC 5952: no leading zeros, the
// longest run of two or more zero groups as "::".
func appendCompressed(b []byte, a *packet.Addr) []byte {
	from, to := -1, -1
	for i := 0; i < 8; i++ {
		j := i
		for j < 8 && a[2*j] == 0 && a[2*j+1] == 0 {
			j++
		}
		if j-i >= 2 && j-i > to-from {
			from, to = i, j
		}
		if j > i {
			i = j
		}
	}
	for i := 0; i < 8; i++ {
		if i == from {
			b = append(b, ':', ':')
			i = to - 1
			continue
		}
		if i > 0 && i != to {
			b = append(b, ':')
		}
		b = strconv.AppendUint(b, uint64(a[2*i])<<8|uint64(a[2*i+1]), 16)
	}
	return b
}

func appendMAC(b []byte, m *[6]byte) []byte {
	for i, c := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hexDigits[c>>4], hexDigits[c&15])
	}
	return b
}
