package packet

// Event is a finding of the decoders about one packet: a header that is cut,
// impossible or odd. Its name is the one Suricata gives it (keyword decode-event,
// EVE anomaly.event).
type Event uint16

// The decode events, in the order of Suricata's user guide and of its rule file
// decoder-events.rules. The Frag events are raised by the stream room, which puts
// fragments together; all others by this one.
const (
	EventNone Event = iota // no event; has no name

	IPv4PktTooSmall
	IPv4HLenTooSmall
	IPv4IPLenSmallerThanHLen
	IPv4TruncPkt
	IPv4OptInvalid
	IPv4OptInvalidLen
	IPv4OptMalformed
	IPv4OptPadRequired
	IPv4OptEOLRequired
	IPv4OptDuplicate
	IPv4OptUnknown
	IPv4WrongIPVersion
	IPv4WithICMPv6

	ICMPv4PktTooSmall
	ICMPv4UnknownType
	ICMPv4UnknownCode
	ICMPv4IPv4TruncPkt
	ICMPv4IPv4UnknownVer

	ICMPv6UnknownType
	ICMPv6UnknownCode
	ICMPv6PktTooSmall
	ICMPv6IPv6UnknownVersion
	ICMPv6IPv6TruncPkt
	ICMPv6MLDInvalidHL
	ICMPv6UnassignedType
	ICMPv6ExperimentationType

	IPv6PktTooSmall
	IPv6TruncPkt
	IPv6TruncExtHdr
	IPv6ExtHdrDuplFH
	IPv6ExtHdrUselessFH
	IPv6ExtHdrDuplRH
	IPv6ExtHdrDuplHH
	IPv6ExtHdrDuplDH
	IPv6ExtHdrDuplAH
	IPv6ExtHdrDuplEH
	IPv6ExtHdrInvalidOptLen
	IPv6WrongIPVersion
	IPv6ExtHdrAHResNotNull
	IPv6HopOptsUnknownOpt
	IPv6HopOptsOnlyPadding
	IPv6DstOptsUnknownOpt
	IPv6DstOptsOnlyPadding
	IPv6RHType0
	IPv6ZeroLenPadN
	IPv6FHNonZeroReservedField
	IPv6DataAfterNoneHeader
	IPv6UnknownNextHeader
	IPv6WithICMPv4

	TCPPktTooSmall
	TCPHLenTooSmall
	TCPInvalidOptLen
	TCPOptInvalidLen
	TCPOptDuplicate

	UDPPktTooSmall
	UDPHLenTooSmall
	UDPLenInvalid

	SLLPktTooSmall
	SLL2PktTooSmall
	EthernetPktTooSmall
	EthernetUnknownEtherType

	PPPPktTooSmall
	PPPVJUPktTooSmall
	PPPIPv4PktTooSmall
	PPPIPv6PktTooSmall
	PPPWrongType
	PPPUnsupProto

	PPPoEPktTooSmall
	PPPoEWrongCode
	PPPoEMalformedTags

	GREPktTooSmall
	GREWrongVersion
	GREVersion0Recur
	GREVersion0Flags
	GREVersion0HdrTooBig
	GREVersion0MalformedSREHdr
	GREVersion1Chksum
	GREVersion1Route
	GREVersion1SSR
	GREVersion1Recur
	GREVersion1Flags
	GREVersion1NoKey
	GREVersion1WrongProtocol
	GREVersion1MalformedSREHdr
	GREVersion1HdrTooBig

	VLANHeaderTooSmall
	VLANUnknownType
	VLANTooManyLayers
	IEEE8021AHHeaderTooSmall
	VNTagHeaderTooSmall
	VNTagUnknownType

	IPRawInvalidIPVersion
	LTNullPktTooSmall
	LTNullUnsupportedType

	SCTPPktTooSmall
	ESPPktTooSmall

	IPv4FragPktTooLarge
	IPv6FragPktTooLarge
	IPv4FragOverlap
	IPv6FragOverlap
	IPv6FragInvalidLength
	IPv4FragIgnored
	IPv6FragIgnored

	IPv6IPv4InIPv6TooSmall
	IPv6IPv4InIPv6WrongVersion
	IPv6IPv6InIPv6TooSmall
	IPv6IPv6InIPv6WrongVersion

	MPLSHeaderTooSmall
	MPLSPktTooSmall
	MPLSBadLabelRouterAlert
	MPLSBadLabelImplicitNull
	MPLSBadLabelReserved
	MPLSUnknownPayloadType

	VXLANUnknownPayloadType
	GENEVEUnknownPayloadType

	ERSPANHeaderTooSmall
	ERSPANUnsupportedVersion
	ERSPANTooManyVLANLayers

	DCEPktTooSmall
	CHDLCPktTooSmall

	NSHHeaderTooSmall
	NSHUnsupportedVersion
	NSHBadHeaderLength
	NSHReservedType
	NSHUnsupportedType
	NSHUnknownPayload

	ARPPktTooSmall
	ARPUnsupportedHardware
	ARPUnsupportedProtocol
	ARPInvalidPkt
	ARPInvalidHardwareSize
	ARPInvalidProtocolSize
	ARPUnsupportedOpcode

	AFPTruncPkt
	TooManyLayers

	// NumEvents is one more than the last event: the size of a table of counters
	// indexed by Event.
	NumEvents
)

// eventNames has the keyword name of each event.
var eventNames = [NumEvents]string{
	IPv4PktTooSmall:          "ipv4.pkt_too_small",
	IPv4HLenTooSmall:         "ipv4.hlen_too_small",
	IPv4IPLenSmallerThanHLen: "ipv4.iplen_smaller_than_hlen",
	IPv4TruncPkt:             "ipv4.trunc_pkt",
	IPv4OptInvalid:           "ipv4.opt_invalid",
	IPv4OptInvalidLen:        "ipv4.opt_invalid_len",
	IPv4OptMalformed:         "ipv4.opt_malformed",
	IPv4OptPadRequired:       "ipv4.opt_pad_required",
	IPv4OptEOLRequired:       "ipv4.opt_eol_required",
	IPv4OptDuplicate:         "ipv4.opt_duplicate",
	IPv4OptUnknown:           "ipv4.opt_unknown",
	IPv4WrongIPVersion:       "ipv4.wrong_ip_version",
	IPv4WithICMPv6:           "ipv4.icmpv6",

	ICMPv4PktTooSmall:    "icmpv4.pkt_too_small",
	ICMPv4UnknownType:    "icmpv4.unknown_type",
	ICMPv4UnknownCode:    "icmpv4.unknown_code",
	ICMPv4IPv4TruncPkt:   "icmpv4.ipv4_trunc_pkt",
	ICMPv4IPv4UnknownVer: "icmpv4.ipv4_unknown_ver",

	ICMPv6UnknownType:         "icmpv6.unknown_type",
	ICMPv6UnknownCode:         "icmpv6.unknown_code",
	ICMPv6PktTooSmall:         "icmpv6.pkt_too_small",
	ICMPv6IPv6UnknownVersion:  "icmpv6.ipv6_unknown_version",
	ICMPv6IPv6TruncPkt:        "icmpv6.ipv6_trunc_pkt",
	ICMPv6MLDInvalidHL:        "icmpv6.mld_message_with_invalid_hl",
	ICMPv6UnassignedType:      "icmpv6.unassigned_type",
	ICMPv6ExperimentationType: "icmpv6.experimentation_type",

	IPv6PktTooSmall:            "ipv6.pkt_too_small",
	IPv6TruncPkt:               "ipv6.trunc_pkt",
	IPv6TruncExtHdr:            "ipv6.trunc_exthdr",
	IPv6ExtHdrDuplFH:           "ipv6.exthdr_dupl_fh",
	IPv6ExtHdrUselessFH:        "ipv6.exthdr_useless_fh",
	IPv6ExtHdrDuplRH:           "ipv6.exthdr_dupl_rh",
	IPv6ExtHdrDuplHH:           "ipv6.exthdr_dupl_hh",
	IPv6ExtHdrDuplDH:           "ipv6.exthdr_dupl_dh",
	IPv6ExtHdrDuplAH:           "ipv6.exthdr_dupl_ah",
	IPv6ExtHdrDuplEH:           "ipv6.exthdr_dupl_eh",
	IPv6ExtHdrInvalidOptLen:    "ipv6.exthdr_invalid_optlen",
	IPv6WrongIPVersion:         "ipv6.wrong_ip_version",
	IPv6ExtHdrAHResNotNull:     "ipv6.exthdr_ah_res_not_null",
	IPv6HopOptsUnknownOpt:      "ipv6.hopopts_unknown_opt",
	IPv6HopOptsOnlyPadding:     "ipv6.hopopts_only_padding",
	IPv6DstOptsUnknownOpt:      "ipv6.dstopts_unknown_opt",
	IPv6DstOptsOnlyPadding:     "ipv6.dstopts_only_padding",
	IPv6RHType0:                "ipv6.rh_type_0",
	IPv6ZeroLenPadN:            "ipv6.zero_len_padn",
	IPv6FHNonZeroReservedField: "ipv6.fh_non_zero_reserved_field",
	IPv6DataAfterNoneHeader:    "ipv6.data_after_none_header",
	IPv6UnknownNextHeader:      "ipv6.unknown_next_header",
	IPv6WithICMPv4:             "ipv6.icmpv4",

	TCPPktTooSmall:   "tcp.pkt_too_small",
	TCPHLenTooSmall:  "tcp.hlen_too_small",
	TCPInvalidOptLen: "tcp.invalid_optlen",
	TCPOptInvalidLen: "tcp.opt_invalid_len",
	TCPOptDuplicate:  "tcp.opt_duplicate",

	UDPPktTooSmall:  "udp.pkt_too_small",
	UDPHLenTooSmall: "udp.hlen_too_small",
	UDPLenInvalid:   "udp.len_invalid",

	SLLPktTooSmall:           "sll.pkt_too_small",
	SLL2PktTooSmall:          "sll2.pkt_too_small",
	EthernetPktTooSmall:      "ethernet.pkt_too_small",
	EthernetUnknownEtherType: "ethernet.unknown_ethertype",

	PPPPktTooSmall:     "ppp.pkt_too_small",
	PPPVJUPktTooSmall:  "ppp.vju_pkt_too_small",
	PPPIPv4PktTooSmall: "ppp.ip4_pkt_too_small",
	PPPIPv6PktTooSmall: "ppp.ip6_pkt_too_small",
	PPPWrongType:       "ppp.wrong_type",
	PPPUnsupProto:      "ppp.unsup_proto",

	PPPoEPktTooSmall:   "pppoe.pkt_too_small",
	PPPoEWrongCode:     "pppoe.wrong_code",
	PPPoEMalformedTags: "pppoe.malformed_tags",

	GREPktTooSmall:             "gre.pkt_too_small",
	GREWrongVersion:            "gre.wrong_version",
	GREVersion0Recur:           "gre.version0_recur",
	GREVersion0Flags:           "gre.version0_flags",
	GREVersion0HdrTooBig:       "gre.version0_hdr_too_big",
	GREVersion0MalformedSREHdr: "gre.version0_malformed_sre_hdr",
	GREVersion1Chksum:          "gre.version1_chksum",
	GREVersion1Route:           "gre.version1_route",
	GREVersion1SSR:             "gre.version1_ssr",
	GREVersion1Recur:           "gre.version1_recur",
	GREVersion1Flags:           "gre.version1_flags",
	GREVersion1NoKey:           "gre.version1_no_key",
	GREVersion1WrongProtocol:   "gre.version1_wrong_protocol",
	GREVersion1MalformedSREHdr: "gre.version1_malformed_sre_hdr",
	GREVersion1HdrTooBig:       "gre.version1_hdr_too_big",

	VLANHeaderTooSmall:       "vlan.header_too_small",
	VLANUnknownType:          "vlan.unknown_type",
	VLANTooManyLayers:        "vlan.too_many_layers",
	IEEE8021AHHeaderTooSmall: "ieee8021ah.header_too_small",
	VNTagHeaderTooSmall:      "vntag.header_too_small",
	VNTagUnknownType:         "vntag.unknown_type",

	IPRawInvalidIPVersion: "ipraw.invalid_ip_version",
	LTNullPktTooSmall:     "ltnull.pkt_too_small",
	LTNullUnsupportedType: "ltnull.unsupported_type",

	SCTPPktTooSmall: "sctp.pkt_too_small",
	ESPPktTooSmall:  "esp.pkt_too_small",

	IPv4FragPktTooLarge:   "ipv4.frag_pkt_too_large",
	IPv6FragPktTooLarge:   "ipv6.frag_pkt_too_large",
	IPv4FragOverlap:       "ipv4.frag_overlap",
	IPv6FragOverlap:       "ipv6.frag_overlap",
	IPv6FragInvalidLength: "ipv6.frag_invalid_length",
	IPv4FragIgnored:       "ipv4.frag_ignored",
	IPv6FragIgnored:       "ipv6.frag_ignored",

	IPv6IPv4InIPv6TooSmall:     "ipv6.ipv4_in_ipv6_too_small",
	IPv6IPv4InIPv6WrongVersion: "ipv6.ipv4_in_ipv6_wrong_version",
	IPv6IPv6InIPv6TooSmall:     "ipv6.ipv6_in_ipv6_too_small",
	IPv6IPv6InIPv6WrongVersion: "ipv6.ipv6_in_ipv6_wrong_version",

	MPLSHeaderTooSmall:       "mpls.header_too_small",
	MPLSPktTooSmall:          "mpls.pkt_too_small",
	MPLSBadLabelRouterAlert:  "mpls.bad_label_router_alert",
	MPLSBadLabelImplicitNull: "mpls.bad_label_implicit_null",
	MPLSBadLabelReserved:     "mpls.bad_label_reserved",
	MPLSUnknownPayloadType:   "mpls.unknown_payload_type",

	VXLANUnknownPayloadType:  "vxlan.unknown_payload_type",
	GENEVEUnknownPayloadType: "geneve.unknown_payload_type",

	ERSPANHeaderTooSmall:     "erspan.header_too_small",
	ERSPANUnsupportedVersion: "erspan.unsupported_version",
	ERSPANTooManyVLANLayers:  "erspan.too_many_vlan_layers",

	DCEPktTooSmall:   "dce.pkt_too_small",
	CHDLCPktTooSmall: "chdlc.pkt_too_small",

	NSHHeaderTooSmall:     "nsh.header_too_small",
	NSHUnsupportedVersion: "nsh.unsupported_version",
	NSHBadHeaderLength:    "nsh.bad_header_length",
	NSHReservedType:       "nsh.reserved_type",
	NSHUnsupportedType:    "nsh.unsupported_type",
	NSHUnknownPayload:     "nsh.unknown_payload",

	ARPPktTooSmall:         "arp.pkt_too_small",
	ARPUnsupportedHardware: "arp.unsupported_hardware",
	ARPUnsupportedProtocol: "arp.unsupported_protocol",
	ARPInvalidPkt:          "arp.invalid_pkt",
	ARPInvalidHardwareSize: "arp.invalid_hardware_size",
	ARPInvalidProtocolSize: "arp.invalid_protocol_size",
	ARPUnsupportedOpcode:   "arp.unsupported_opcode",

	AFPTruncPkt:   "afpacket.trunc_pkt",
	TooManyLayers: "too_many_layers",
}

// String returns the event's name as the keyword decode-event takes it, for
// example "ipv4.pkt_too_small"; EVE's anomaly.event is "decoder." and this name.
// EventNone and unknown numbers give "".
func (e Event) String() string {
	if e >= NumEvents {
		return ""
	}
	return eventNames[e]
}

// EventByName returns the event that the keyword decode-event calls name. Cost: one
// pass over the table, so it is for loading rules, not for packets.
func EventByName(name string) (Event, bool) {
	if name == "" {
		return EventNone, false
	}
	for i, n := range eventNames {
		if n == name {
			return Event(i), true
		}
	}
	return EventNone, false
}
