package packet_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"mirador/internal/capture"
	"mirador/internal/packet"
	"mirador/internal/pkttest"
)

// captures calls f for every frame of every capture at hand below some size.
func captures(t *testing.T, f func(path string, n int, fr *capture.Frame)) {
	t.Helper()
	root := pkttest.Shared(t, "data")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".pcap", ".pcapng", ".cap", ".trace":
		default:
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > 2<<20 {
			return err
		}
		r, err := capture.Open(path)
		if err != nil {
			return nil // not a capture after all
		}
		defer r.Close()
		var b capture.Batch
		n := 0
		for r.Read(&b, 0) == nil {
			for i := range b.Frames {
				n++
				f(path, n, &b.Frames[i])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The same addresses, ports and payloads as gopacket finds, in every frame of every
// capture at hand in which it finds nothing wrong.
func TestAgainstGopacket(t *testing.T) {
	if testing.Short() {
		t.Skip("reads every capture")
	}
	d := packet.NewDecoder(packet.Options{})
	var (
		eth layers.Ethernet
		tag [3]layers.Dot1Q
		ip4 layers.IPv4
		ip6 layers.IPv6
		ext layers.IPv6ExtensionSkipper
		tcp layers.TCP
		udp layers.UDP
	)
	var dst []packet.Parsed
	compared, failed := 0, 0
	captures(t, func(path string, n int, fr *capture.Frame) {
		dst = d.Decode(dst[:0], fr.Link, fr.Data, fr.WireLen, fr.Time)
		for i := range dst {
			checkSane(t, &dst[i])
		}
		if fr.Link != packet.LinkEthernet || failed > 20 {
			return
		}
		p := &dst[0]
		// Walk gopacket's layers by hand: as far as they agree on what is next.
		rest, next := fr.Data, gopacket.LayerType(layers.LayerTypeEthernet)
		var got, want packet.Tuple
		var payload []byte
		vlans, l4 := 0, false
	walk:
		for {
			var l gopacket.DecodingLayer
			switch next {
			case layers.LayerTypeEthernet:
				l = &eth
			case layers.LayerTypeDot1Q:
				if vlans == len(tag) {
					return
				}
				l = &tag[vlans]
				vlans++
			case layers.LayerTypeIPv4, layers.LayerTypeIPv6:
				if want.Version != 0 {
					break walk // a tunnel
				}
				if l = &ip4; next == layers.LayerTypeIPv6 {
					l = &ip6
				}
			case layers.LayerTypeIPv6HopByHop, layers.LayerTypeIPv6Destination:
				l = &ext
			case layers.LayerTypeTCP:
				l = &tcp
			case layers.LayerTypeUDP:
				l = &udp
			default:
				break walk
			}
			if l.DecodeFromBytes(rest, gopacket.NilDecodeFeedback) != nil {
				return
			}
			switch next {
			case layers.LayerTypeIPv4:
				want = packet.Tuple{Src: packet.AddrFrom4([4]byte(ip4.SrcIP)), Dst: packet.AddrFrom4([4]byte(ip4.DstIP)), Proto: uint8(ip4.Protocol), Version: 4}
				if int(ip4.Length) > len(rest) || ip4.Length < 20 {
					return // cut, or left to the network card
				}
			case layers.LayerTypeIPv6:
				want = packet.Tuple{Src: packet.Addr(ip6.SrcIP), Dst: packet.Addr(ip6.DstIP), Version: 6}
				if int(ip6.Length) > len(rest)-40 || ip6.Length == 0 {
					return
				}
			case layers.LayerTypeTCP:
				want.SrcPort, want.DstPort, l4, payload = uint16(tcp.SrcPort), uint16(tcp.DstPort), true, tcp.Payload
			case layers.LayerTypeUDP:
				want.SrcPort, want.DstPort, l4, payload = uint16(udp.SrcPort), uint16(udp.DstPort), true, udp.Payload
				if int(udp.Length) > len(rest) {
					return
				}
			}
			rest, next = l.LayerPayload(), l.NextLayerType()
			if next == gopacket.LayerTypeFragment || len(rest) == 0 {
				break
			}
		}
		if want.Version == 0 || p.Invalid {
			return
		}
		compared++
		got = p.Tuple()
		if !l4 {
			got.SrcPort, got.DstPort = 0, 0
		}
		if want.Version == 6 {
			want.Proto = got.Proto // gopacket has it in one of its headers
		}
		ok := got == want && (!l4 || p.Depth == packet.DepthTransport)
		if l4 && p.Depth == packet.DepthTransport {
			ok = ok && bytes.Equal(p.PayloadBytes(), payload)
			if p.Proto == packet.ProtoTCP {
				ok = ok && p.Seq == tcp.Seq && p.Ack == tcp.Ack && p.Window == tcp.Window && p.Flags&packet.SYN != 0 == tcp.SYN && p.Flags&packet.FIN != 0 == tcp.FIN
			}
		}
		for i := range min(vlans, packet.MaxVLAN) {
			ok = ok && p.VLAN[i] == tag[i].VLANIdentifier
		}
		if !ok {
			failed++
			t.Errorf("%s frame %d: %+v, payload of %d bytes, want %+v and %d", path, n, got, len(p.PayloadBytes()), want, len(payload))
		}
	})
	t.Logf("%d frames compared", compared)
	if compared == 0 {
		t.Error("no frame was compared")
	}
}

// In those tests of the peer's suite whose rules ask for decode events of single packets,
// the rules fire as often as expected.
func TestSuiteEvents(t *testing.T) {
	root := pkttest.Shared(t, "data", "suricata-verify", "tests")
	for _, c := range []struct {
		dir, pcap string
		want      map[string]int // packets with the event
	}{
		{"decode-too-small", "test.pcap", map[string]int{"tcp.pkt_too_small": 2, "udp.hlen_too_small": 4, "gre.pkt_too_small": 2}},
		{"ipv4-truncated", "truncated.pcap", map[string]int{"ipv4.trunc_pkt": 1}},
		{"udp-5379/udp-len-invalid", "input.pcap", map[string]int{"udp.len_invalid": 1}},
		{"tcp-empty-sack", "tcp-opt.pcap", map[string]int{"tcp.opt_invalid_len": 0}},
		{"decode-unknown-1", "input.pcap", map[string]int{"ethernet.unknown_ethertype": 1}},
		{"pppoe", "input.pcap", map[string]int{"ppp.": 0, "pppoe.": 0}},
		{"ipv6-evasion/ipv6-malformed-fragments-9", "*.pcap", map[string]int{"ipv6.exthdr_useless_fh": 1}},
		{"ipv6-evasion/ipv6-malformed-fragments-11", "*.pcap", map[string]int{"ipv6.exthdr_useless_fh": 1, "ipv6.exthdr_dupl_fh": 1}},
		{"ipv6-evasion/ipv6-malformed-fragments-12", "*.pcap", map[string]int{"ipv6.exthdr_useless_fh": 1, "ipv6.exthdr_dupl_fh": 1}},
		{"ipv6-evasion/ipv6-malformed-fragments-23", "*.pcap", map[string]int{"ipv6.frag_invalid_length": 1}},
		{"ipv6-evasion/ipv6-malformed-fragments-26", "*.pcap", map[string]int{"ipv6.exthdr_useless_fh": 1, "ipv6.trunc_exthdr": 1}},
		{"ipv6-evasion/ipv6-malformed-fragments-27", "*.pcap", map[string]int{"ipv6.exthdr_useless_fh": 1, "ipv6.trunc_exthdr": 1}},
		{"ipv6-evasion/ipv6-malformed-fragments-33", "*.pcap", map[string]int{"ipv6.frag_invalid_length": 1}},
		{"ipv6-evasion/ipv6-dos-with-ext-headers-6", "*.pcap", map[string]int{"ipv6.frag_invalid_length": 39812}},
	} {
		paths, err := filepath.Glob(filepath.Join(root, c.dir, c.pcap))
		if err != nil || len(paths) != 1 {
			t.Errorf("%s: captures %v, %v", c.dir, paths, err)
			continue
		}
		got := map[string]int{}
		forEach(t, paths[0], packet.Options{StopTruncated: true}, func(p *packet.Parsed) {
			for name := range c.want {
				for _, e := range p.Events[:p.NEvents] {
					if strings.HasPrefix(e.String(), name) {
						got[name]++
						break
					}
				}
			}
		})
		for name, n := range c.want {
			if got[name] != n {
				t.Errorf("%s: %d packets with %s, want %d", c.dir, got[name], name, n)
			}
		}
	}
}

// The counters of headers that tests of the peer's suite expect.
func TestSuiteCounters(t *testing.T) {
	root := pkttest.Shared(t, "data", "suricata-verify", "tests")
	for _, c := range []struct {
		path string
		want map[packet.LayerSet]int
	}{
		{"decode-erspan-typeI-02/input.pcap", map[packet.LayerSet]int{packet.SeenIPv4: 84, packet.SeenGRE: 42, packet.SeenERSPAN: 42}},
		{"decode-nsh-type1/input.pcap", map[packet.LayerSet]int{packet.SeenEthernet: 1, packet.SeenNSH: 1, packet.SeenIPv4: 1, packet.SeenUDP: 1}},
		{"decode-nsh-type2/input.pcap", map[packet.LayerSet]int{packet.SeenEthernet: 1, packet.SeenNSH: 1, packet.SeenIPv4: 1, packet.SeenUDP: 1}},
		{"decode-sll2-01/input.pcap", map[packet.LayerSet]int{packet.SeenIPv4: 5, packet.SeenTCP: 5, packet.SeenSLL2: 5}},
		{"decode-sll2-02/input.pcap", map[packet.LayerSet]int{packet.SeenIPv4: 159, packet.SeenTCP: 159, packet.SeenSLL2: 159}},
		{"decode-vntag-01/input.pcap", map[packet.LayerSet]int{packet.SeenIPv4: 5, packet.SeenVLAN: 5, packet.SeenVNTag: 5}},
		{"decode-dce/input.pcap", map[packet.LayerSet]int{packet.SeenIPv6: 16}},
		{"decode-unknown-1/input.pcap", map[packet.LayerSet]int{packet.SeenEthernet: 1, packet.SeenUnknownEtherType: 1}},
	} {
		got := map[packet.LayerSet]int{}
		forEach(t, filepath.Join(root, c.path), packet.Options{StopTruncated: true}, func(p *packet.Parsed) {
			for kind := range c.want {
				if p.Seen.Has(kind) {
					got[kind]++
				}
			}
		})
		for kind, n := range c.want {
			if got[kind] != n {
				t.Errorf("%s: header kind %#x in %d packets, want %d", c.path, kind, got[kind], n)
			}
		}
	}
}

// forEach decodes every frame of a capture.
func forEach(t *testing.T, path string, o packet.Options, f func(*packet.Parsed)) {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := packet.NewDecoder(o)
	var b capture.Batch
	var dst []packet.Parsed
	for {
		if err := r.Read(&b, 0); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		for _, fr := range b.Frames {
			dst = d.Decode(dst[:0], fr.Link, fr.Data, fr.WireLen, fr.Time)
			for i := range dst {
				f(&dst[i])
			}
		}
	}
}
