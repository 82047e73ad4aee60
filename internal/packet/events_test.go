package packet_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

const (
	ip4 = "eth ip 10.0.0.1 10.0.0.2 "
	ip6 = "eth ip6 fd00::1 fd00::2 "
)

// icmpRest is a payload long enough for a quoted IP header of either version.
const icmpRest = "0123456789012345678901234567890123456789"

// TestEvents has for each event a packet that has it, and for each packet all its events.
func TestEvents(t *testing.T) {
	for _, c := range []struct {
		link packet.Link
		desc string // of pkttest
		want string // events of all packets, blank between events, bar between packets
	}{
		{1, "raw 0011223344", "ethernet.pkt_too_small"},
		{1, "eth type=0xfbb7", "ethernet.unknown_ethertype"},
		{1, "eth type=0x8100 raw 0001", "vlan.header_too_small"},
		{1, "eth vlan 1 | x", "vlan.unknown_type"},
		{1, "eth vlan 1 vlan 2 vlan 3 vlan 4 ip 10.0.0.1 10.0.0.2 udp 1 2", "vlan.too_many_layers"},
		{1, "eth vlan 1 qinq 2 vlan 3 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{1, "eth type=0x8926 raw 00000000", "vntag.header_too_small"},
		{1, "eth type=0x8926 raw 000000001234", "vntag.unknown_type"},
		{1, "eth type=0x88e7 raw 0000", "ieee8021ah.header_too_small"},
		{1, "eth type=0x88e7 raw 000000010203040506070102030405060800 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{1, "eth type=0x8903 raw 00", "dce.pkt_too_small"},
		{1, "eth type=0x8903 raw 0001 eth ip 10.0.0.1 10.0.0.2 udp 1 2", ""},

		{1, "eth type=0x8847 raw 000640", "mpls.header_too_small"},
		{1, "eth mpls 100", "mpls.pkt_too_small"},
		{1, "eth mpls 100 raw 0000", "mpls.pkt_too_small"},
		{1, "eth mpls 100 raw 90", "mpls.unknown_payload_type"},
		{1, "eth mpls 100 raw 00000000 eth ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{1, "eth mpls 0 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{1, "eth mpls 2 ip6 fd00::1 fd00::2 udp 1 2", ""},
		{1, "eth mpls 1 ip 10.0.0.1 10.0.0.2 udp 1 2", "mpls.bad_label_router_alert"},
		{1, "eth mpls 3 ip 10.0.0.1 10.0.0.2 udp 1 2", "mpls.bad_label_implicit_null"},
		{1, "eth mpls 7 ip 10.0.0.1 10.0.0.2 udp 1 2", "mpls.bad_label_reserved"},

		{1, "eth type=0x8863 raw 1109", "pppoe.pkt_too_small"},
		{1, "eth type=0x8863 raw 110100000000", "pppoe.wrong_code"},
		{1, "eth type=0x8863 raw 110900000004 raw 01010000", ""},
		{1, "eth type=0x8863 raw 110900000004 raw 01010009", "pppoe.malformed_tags"},
		{1, "eth type=0x8863 raw 110900000009 raw 01010000", "pppoe.malformed_tags"},
		{1, "eth type=0x8864 raw 11000001", "pppoe.pkt_too_small"},
		{1, "eth type=0x8864 raw 1101000100020021", "pppoe.wrong_code"},
		{1, "eth type=0x8864 raw 11000001001e0021 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{1, "eth type=0x8864 raw 110000010032 raw 0057 ip6 fd00::1 fd00::2 udp 1 2", ""},
		{1, "eth type=0x8864 raw 110000010004 raw 0021 raw 4500", "ppp.ip4_pkt_too_small"},
		{1, "eth type=0x8864 raw 110000010004 raw 0057 raw 6000", "ppp.ip6_pkt_too_small"},
		{1, "eth type=0x8864 raw 110000010004 raw 002f raw 4500", "ppp.vju_pkt_too_small"},
		{1, "eth type=0x8864 raw 110000010004 raw 002b raw 4500", "ppp.unsup_proto"},
		{1, "eth type=0x8864 raw 110000010004 raw c021 raw 0101", ""},
		{1, "eth type=0x8864 raw 110000010004 raw 4c4c raw 0101", "ppp.wrong_type"},
		{9, "raw ff", "ppp.wrong_type"},
		{9, "raw ff03", "ppp.pkt_too_small"},
		{9, "raw ff030021 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{9, "raw 21 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},

		{0, "raw 0200", "ltnull.pkt_too_small"},
		{0, "raw 63000000", "ltnull.unsupported_type"},
		{0, "raw 02000000 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{0, "raw 0000001e ip6 fd00::1 fd00::2 udp 1 2", ""},
		{108, "raw 00000002 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{113, "raw 0000", "sll.pkt_too_small"},
		{113, "raw 0000000100060202020202020000 raw 0800 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{276, "raw 0000", "sll2.pkt_too_small"},
		{276, "raw 0800000000000001000100060202020202020000 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{104, "raw 0f00", "chdlc.pkt_too_small"},
		{104, "raw 0f000800 ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{101, "raw 10", "ipraw.invalid_ip_version"},
		{12, "", "ipv4.pkt_too_small"},

		{1, "eth type=0x0806 raw 0001", "arp.pkt_too_small"},
		{1, "eth type=0x0806 raw 0001080006040001 raw 0200000000010a0000010000000000000a000002", ""},
		{1, "eth type=0x0806 raw 0007080006040001 raw 0200000000010a0000010000000000000a000002", "arp.unsupported_hardware"},
		{1, "eth type=0x0806 raw 000186dd06040001 raw 0200000000010a0000010000000000000a000002", "arp.unsupported_protocol"},
		{1, "eth type=0x0806 raw 0001080007040001 raw 0200000000010a0000010000000000000a000002", "arp.invalid_hardware_size"},
		{1, "eth type=0x0806 raw 0001080006050001 raw 0200000000010a0000010000000000000a000002", "arp.invalid_protocol_size"},
		{1, "eth type=0x0806 raw 0001080006040007 raw 0200000000010a0000010000000000000a000002", "arp.unsupported_opcode"},

		{1, "eth type=0x0800 raw 4500", "ipv4.pkt_too_small"},
		{1, "eth type=0x0800 ip6 fd00::1 fd00::2 udp 1 2", "ipv4.wrong_ip_version"},
		{1, "eth type=0x0800 raw 4400001400000000401100000a0000010a000002", "ipv4.hlen_too_small"},
		{1, ip4 + "len=19 udp 1 2", "ipv4.iplen_smaller_than_hlen"},
		{1, ip4 + "len=60 udp 1 2", "ipv4.trunc_pkt"},
		{1, "eth type=0x0800 raw 4f00003c00000000401100000a0000010a000002", "ipv4.trunc_pkt"},
		{1, ip4 + "opts=0101010101010101 udp 1 2", ""},
		{1, ip4 + "opts=94040000 udp 1 2", "ipv4.opt_pad_required"},
		{1, ip4 + "opts=9404000094040000 udp 1 2", "ipv4.opt_duplicate"},
		{1, ip4 + "opts=0101010101010194 udp 1 2", "ipv4.opt_eol_required"},
		{1, ip4 + "opts=9409000001010101 udp 1 2", "ipv4.opt_invalid_len"},
		{1, ip4 + "opts=9401000001010101 udp 1 2", "ipv4.opt_invalid_len"},
		{1, ip4 + "opts=8403000001010101 udp 1 2", "ipv4.opt_invalid"},
		{1, ip4 + "opts=0707040000000000 udp 1 2", ""},
		{1, ip4 + "opts=0707050000000000 udp 1 2", "ipv4.opt_malformed"},
		{1, ip4 + "opts=4408050000000000 udp 1 2", ""},
		{1, ip4 + "opts=4408040000000000 udp 1 2", "ipv4.opt_malformed"},
		{1, ip4 + "opts=860a0000000101040001010101010101 udp 1 2", ""},
		{1, ip4 + "opts=8608000000010100 udp 1 2", "ipv4.opt_malformed"},
		{1, ip4 + "proto=58 | 12345678", "ipv4.icmpv6"},

		{1, "eth type=0x86dd raw 6000", "ipv6.pkt_too_small"},
		{1, "eth type=0x86dd ip 10.0.0.1 10.0.0.2 udp 1 2 | 01234567890123456789", "ipv6.wrong_ip_version"},
		{1, ip6 + "len=60 udp 1 2", "ipv6.trunc_pkt"},
		{1, ip6 + "next=0 raw 11", "ipv6.trunc_exthdr"},
		{1, ip6 + "next=0 raw 1105000000000000", "ipv6.trunc_exthdr"},
		{1, ip6 + "frag 0 udp 1 2", "ipv6.exthdr_useless_fh"},
		{1, ip6 + "frag 0 frag 0 udp 1 2", "ipv6.exthdr_useless_fh ipv6.exthdr_dupl_fh"},
		{1, ip6 + "frag 8 more=1 next=17 | 1234567", "ipv6.frag_invalid_length"},
		{1, ip6 + "frag 8 next=17 | 1234567", ""},
		{1, ip6 + "next=44 raw 1107000800000001 | 12345678", "ipv6.fh_non_zero_reserved_field"},
		{1, ip6 + "next=43 raw 2b00000000000000 raw 1100020000000000 udp 1 2", "ipv6.rh_type_0 ipv6.exthdr_dupl_rh"},
		{1, ip6 + "hop hop udp 1 2", "ipv6.exthdr_dupl_hh"},
		{1, ip6 + "dst dst udp 1 2", ""},
		{1, ip6 + "dst dst dst udp 1 2", "ipv6.exthdr_dupl_dh"},
		{1, ip6 + "hop opts=010400000000 udp 1 2", "ipv6.hopopts_only_padding"},
		{1, ip6 + "dst opts=000000000000 udp 1 2", "ipv6.dstopts_only_padding"},
		{1, ip6 + "hop opts=1e0400000000 udp 1 2", "ipv6.hopopts_unknown_opt"},
		{1, ip6 + "dst opts=1e0400000000 udp 1 2", "ipv6.dstopts_unknown_opt"},
		{1, ip6 + "hop opts=050200000100 udp 1 2", "ipv6.zero_len_padn"},
		{1, ip6 + "hop opts=0509000000ff udp 1 2", "ipv6.exthdr_invalid_optlen"},
		{1, ip6 + "hop opts=050300000000 udp 1 2", "ipv6.exthdr_invalid_optlen"},
		{1, ip6 + "hop opts=050200000005 udp 1 2", "ipv6.exthdr_invalid_optlen"},
		{1, ip6 + "next=51 raw 110400010000000000000000 raw 000000000000000000000000 udp 1 2", "ipv6.exthdr_ah_res_not_null"},
		{1, ip6 + "next=51 raw 330400000000000000000000 raw 000000000000000000000000 raw 110400000000000000000000 raw 000000000000000000000000 udp 1 2", "ipv6.exthdr_dupl_ah"},
		{1, ip6 + "next=59 | x", "ipv6.data_after_none_header"},
		{1, ip6 + "next=59", ""},
		{1, ip6 + "next=200 | xx", "ipv6.unknown_next_header"},
		{1, ip6 + "next=1 | 12345678", "ipv6.icmpv4"},
		{1, ip6 + "next=4 | 1234", "ipv6.ipv4_in_ipv6_too_small"},
		{1, ip6 + "next=4 | 12345678901234567890", "ipv6.ipv4_in_ipv6_wrong_version"},
		{1, ip6 + "next=41 | 1234", "ipv6.ipv6_in_ipv6_too_small"},
		{1, ip6 + "next=41 | " + icmpRest, "ipv6.ipv6_in_ipv6_wrong_version"},
		{1, ip6 + "ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip6 + "ip6 fd00::3 fd00::4 udp 1 2", "|"},
		{1, ip4 + "ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "ip6 fd00::3 fd00::4 udp 1 2", "|"},
		{1, ip4 + "proto=4 raw 45", "|ipv4.pkt_too_small"},

		{1, ip4 + "proto=6", "tcp.pkt_too_small"},
		{1, ip4 + "proto=6 raw 0001000200000000000000006002000000000000", "tcp.hlen_too_small"},
		{1, ip4 + "proto=6 raw 0001000200000000000000004002000000000000", "tcp.invalid_optlen"},
		{1, ip4 + "tcp 1 2 opts=02040001020400020303", "tcp.opt_duplicate"},
		{1, ip4 + "tcp 1 2 opts=0203010101010101", "tcp.opt_invalid_len"},
		{1, ip4 + "tcp 1 2 opts=0502", ""},
		{1, ip4 + "tcp 1 2 opts=050300", "tcp.opt_invalid_len"},
		{1, ip4 + "tcp 1 2 opts=2202", ""},
		{1, ip4 + "tcp 1 2 opts=2203010101", "tcp.opt_invalid_len"},
		{1, ip4 + "tcp 1 2 opts=fd04f9892202", "tcp.opt_duplicate"},
		{1, ip4 + "proto=17 raw 0001", "udp.hlen_too_small"},
		{1, ip4 + "udp 1 2 len=20", "udp.pkt_too_small"},
		{1, ip4 + "udp 1 2 len=7", "udp.len_invalid"},
		{1, ip4 + "proto=132 raw 0001", "sctp.pkt_too_small"},
		{1, ip4 + "proto=50 raw 0001", "esp.pkt_too_small"},

		{1, ip4 + "proto=1 raw 0800", "icmpv4.pkt_too_small"},
		{1, ip4 + "icmp 8 0", ""},
		{1, ip4 + "icmp 8 1", "icmpv4.unknown_code"},
		{1, ip4 + "icmp 99 0", "icmpv4.unknown_type"},
		{1, ip4 + "icmp 3 16", "icmpv4.unknown_code"},
		{1, ip4 + "icmp 3 1", ""},
		{1, ip4 + "icmp 3 1 ip 10.0.0.2 10.0.0.1 udp 1 2", ""},
		{1, ip4 + "icmp 11 0 raw 45", "icmpv4.ipv4_trunc_pkt"},
		{1, ip4 + "icmp 12 0 | " + icmpRest, "icmpv4.ipv4_unknown_ver"},
		{1, ip4 + "icmp 13 0 | short", "icmpv4.pkt_too_small"},
		{1, ip6 + "next=58 raw 8000", "icmpv6.pkt_too_small"},
		{1, ip6 + "icmp6 128 0", ""},
		{1, ip6 + "icmp6 128 1", "icmpv6.unknown_code"},
		{1, ip6 + "icmp6 1 9", "icmpv6.unknown_code"},
		{1, ip6 + "icmp6 1 0 raw 60", "icmpv6.ipv6_trunc_pkt"},
		{1, ip6 + "icmp6 1 0 ip6 fd00::2 fd00::1 udp 1 2", ""},
		{1, ip6 + "icmp6 4 0 | " + icmpRest, "icmpv6.ipv6_unknown_version"},
		{1, ip6 + "icmp6 130 0", "icmpv6.mld_message_with_invalid_hl"},
		{1, "eth ip6 fe80::1 ff02::16 ttl=1 icmp6 143 0", ""},
		{1, ip6 + "icmp6 100 0", "icmpv6.experimentation_type"},
		{1, ip6 + "icmp6 50 0", "icmpv6.unassigned_type"},
		{1, ip6 + "icmp6 127 0", "icmpv6.unknown_type"},

		{1, ip4 + "proto=47 raw 0000", "gre.pkt_too_small"},
		{1, ip4 + "proto=47 raw 00020800", "gre.wrong_version"},
		{1, ip4 + "proto=47 raw 01000800", "gre.version0_recur"},
		{1, ip4 + "proto=47 raw 00080800", "gre.version0_flags"},
		{1, ip4 + "proto=47 raw b0000800", "gre.version0_hdr_too_big"},
		{1, ip4 + "proto=47 raw 4000080000000000", "gre.version0_malformed_sre_hdr"},
		{1, ip4 + "proto=47 raw 400008000000000008000009 raw 0000", "gre.version0_malformed_sre_hdr"},
		{1, ip4 + "proto=47 raw 400008000000000008000004 raw 0000000000000000 ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "proto=47 raw b0000800 raw 000000000000000000000000 ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "proto=47 raw a001880b", "gre.version1_chksum"},
		{1, ip4 + "proto=47 raw 6001880b", "gre.version1_route"},
		{1, ip4 + "proto=47 raw 2801880b", "gre.version1_ssr"},
		{1, ip4 + "proto=47 raw 2101880b", "gre.version1_recur"},
		{1, ip4 + "proto=47 raw 2009880b", "gre.version1_flags"},
		{1, ip4 + "proto=47 raw 20010800", "gre.version1_wrong_protocol"},
		{1, ip4 + "proto=47 raw 0001880b", "gre.version1_no_key"},
		{1, ip4 + "proto=47 raw 3081880b00000000", "gre.version1_hdr_too_big"},
		{1, ip4 + "proto=47 raw 2001880b00000000 raw ff030021 ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "proto=47 raw 000088be eth ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "proto=47 raw 100088be00000001 raw 1017 raw 000000000000 eth ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "proto=47 raw 100088be00000001 raw 1017", "|erspan.header_too_small"},
		{1, ip4 + "proto=47 raw 100088be00000001 raw 2017 raw 000000000000", "|erspan.unsupported_version"},
		{1, "eth type=0x894f raw 0002", "nsh.header_too_small"},
		{1, "eth type=0x894f raw 4002010100000000", "nsh.unsupported_version"},
		{1, "eth type=0x894f raw 0009010100000000", "nsh.bad_header_length"},
		{1, "eth type=0x894f raw 0002010100000000", "nsh.bad_header_length"},
		{1, "eth type=0x894f raw 0002000100000000", "nsh.reserved_type"},
		{1, "eth type=0x894f raw 0002030100000000", "nsh.unsupported_type"},
		{1, "eth type=0x894f raw 0002020900000000", "nsh.unknown_payload"},
		{1, "eth type=0x894f raw 0002020300000000 eth ip 10.0.0.1 10.0.0.2 udp 1 2", ""},

		{1, ip4 + "udp 1 4789 vxlan 5 eth ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "udp 1 4789 vxlan 5 eth type=0x1234", "vxlan.unknown_payload_type"},
		{1, ip4 + "udp 1 4789 raw 0000000000000500 eth ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{1, ip4 + "udp 1 4789 vxlan 5", ""},
		{1, ip4 + "udp 4789 1 vxlan 5 eth ip 10.0.0.1 10.0.0.2 udp 1 2", ""},
		{1, ip4 + "udp 1 6081 geneve 5 eth ip 10.0.0.1 10.0.0.2 udp 1 2", "|"},
		{1, ip4 + "udp 1 6081 geneve 5 ip6 fd00::1 fd00::2 udp 1 2", "|"},
		{1, ip4 + "udp 1 6081 geneve 5 opts=01080101 ip6 fd00::1 fd00::2 udp 1 2", ""},
		{1, ip4 + "udp 1 6081 geneve 5 | x", "geneve.unknown_payload_type"},
		{1, ip4 + "udp 1 3544 ip6 fd00::1 fd00::2 udp 1 2", "|"},
		{1, ip4 + "udp 3544 1 raw 0000000000000000 ip6 fd00::1 fd00::2 udp 1 2", "|"},
		{1, ip4 + "udp 3544 1 raw 00010000000000000000000000 raw 0000000000000000 ip6 fd00::1 fd00::2 udp 1 2", "|"},
		{1, ip4 + "udp 1 3544 ip6 fd00::1 fd00::2 len=9 udp 1 2", ""},
		{1, ip4 + "udp 1 3544 ip6 fd00::1 fd00::2 next=6 | 1234", ""},
	} {
		b := pkttest.Frame(c.desc)
		d := packet.NewDecoder(packet.Options{})
		ps := d.Decode(nil, c.link, b, len(b), 0)
		if got := eventNames(ps); got != c.want {
			t.Errorf("link %d %s: events %q, want %q", c.link, c.desc, got, c.want)
		}
		for i := range ps {
			checkSane(t, &ps[i])
		}
	}
}

func eventNames(ps []packet.Parsed) string {
	var all []string
	for i := range ps {
		var names []string
		for _, e := range ps[i].Events[:ps[i].NEvents] {
			names = append(names, e.String())
		}
		all = append(all, strings.Join(names, " "))
	}
	return strings.Join(all, "|")
}

// Too many headers end the decoding, wherever they are.
func TestTooManyLayers(t *testing.T) {
	for _, desc := range []string{
		"eth ip 10.0.0.1 10.0.0.2" + strings.Repeat(" ip 10.0.0.1 10.0.0.2", 20) + " udp 1 2",
		"eth ip 10.0.0.1 10.0.0.2 " + strings.Repeat("udp 1 4789 vxlan 1 eth ip 10.0.0.1 10.0.0.2 ", 20) + "udp 1 2",
		"eth ip 10.0.0.1 10.0.0.2 " + strings.Repeat("udp 1 6081 geneve 1 ip 10.0.0.1 10.0.0.2 ", 20) + "udp 1 2",
		"eth " + strings.Repeat("mpls 99 raw 00000000 eth ", 20) + "ip 10.0.0.1 10.0.0.2 udp 1 2",
	} {
		b := pkttest.Frame(desc)
		for _, limit := range []int{0, 4, 99} {
			d := packet.NewDecoder(packet.Options{MaxLayers: limit})
			ps := d.Decode(nil, packet.LinkEthernet, b, len(b), 0)
			last := &ps[len(ps)-1]
			want := limit
			if want == 0 || want > packet.MaxLayers {
				want = packet.MaxLayers
			}
			if !last.HasEvent(packet.TooManyLayers) || int(last.Layers) > want || len(ps) > want {
				t.Errorf("limit %d: %d packets, %d layers, events %q", limit, len(ps), last.Layers, eventNames(ps))
			}
		}
	}
}

func TestEventNames(t *testing.T) {
	seen := map[string]bool{}
	for e := packet.EventNone + 1; e < packet.NumEvents; e++ {
		name := e.String()
		if name == "" || seen[name] {
			t.Errorf("event %d is called %q", e, name)
		}
		seen[name] = true
		if got, ok := packet.EventByName(name); !ok || got != e {
			t.Errorf("EventByName(%q) = %d, %v, want %d", name, got, ok, e)
		}
	}
	for _, name := range []string{"", "ipv4", "ipv4.pkt_too_smal", "decoder.ipv4.pkt_too_small"} {
		if e, ok := packet.EventByName(name); ok {
			t.Errorf("EventByName(%q) = %v", name, e)
		}
	}
	if packet.EventNone.String() != "" || packet.NumEvents.String() != "" {
		t.Error("a number that is no event has a name")
	}
}

// Every event that a rule of the peer's suite asks for is known.
func TestEventNamesInSuite(t *testing.T) {
	root := pkttest.Shared(t, "data", "suricata-verify", "tests")
	re := regexp.MustCompile(`decode-event: *([a-z0-9_.]+)`)
	found := 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".rules" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range re.FindAllSubmatch(b, -1) {
			found++
			if _, ok := packet.EventByName(string(m[1])); !ok {
				t.Errorf("%s: no event %q", path, m[1])
			}
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%d events, %v", found, err)
	}
}

// checkSane fails t when the offsets of p do not fit together.
func checkSane(t testing.TB, p *packet.Parsed) {
	t.Helper()
	n := len(p.Data)
	ok := p.WireLen >= n && int(p.Layers) <= packet.MaxLayers && p.Payload >= 0 && p.PayloadEnd <= n && p.Depth <= packet.DepthTransport
	if p.Depth >= packet.DepthNet {
		ok = ok && p.L3 >= 0 && p.L3Len > 0 && p.L3+p.L3Len <= p.IPEnd && p.IPEnd <= n && p.Payload <= p.PayloadEnd && p.PayloadEnd <= p.IPEnd
		if p.IPVersion != 0 {
			ok = ok && p.IPEnd <= p.L3+p.IPTotal && (p.Truncated || p.IPEnd == p.L3+p.IPTotal)
		}
	}
	if p.Depth == packet.DepthTransport {
		ok = ok && p.L4 == p.L3+p.L3Len && p.L4Len >= 8 && p.L4+p.L4Len <= p.IPEnd && p.Payload > p.L4
	}
	if p.Fragment && p.Depth != packet.DepthNet {
		ok = false
	}
	if !ok {
		t.Errorf("offsets do not fit: %s", dump(p))
	}
	p.PayloadBytes()
	p.IPHeader()
	p.L4Header()
	p.IPv4Checksum()
	p.L4Checksum()
	p.IGMPChecksum()
	p.SymmetricHash(1)
	p.Quoted()
	p.ARP()
	for it := p.IPv4Options(); it.Next(); {
	}
	for it := p.TCPOptions(); it.Next(); {
	}
	for it := p.SCTPChunks(); it.Next(); {
	}
	for it := p.ExtHdrs(); it.Next(); {
	}
}

func dump(p *packet.Parsed) string {
	q := *p
	q.Data = nil
	return fmt.Sprintf("%d bytes of %d: %+v", len(p.Data), p.WireLen, q)
}
