package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// packetWords is a packet as written on the command line.
type packetWords struct {
	protocol     int
	src, dst     netip.Addr
	sport, dport uint16
	fragment     bool
	length       int // of the frame, 0: as short as can be
	arp          bool
}

// parsePacket reads "tcp 10.0.1.15:51514 -> 203.0.113.9:443", "icmp 10.0.1.15 10.0.2.7" or
// "arp".
func parsePacket(words []string) (p packetWords, err error) {
	var w []string
	for _, x := range words {
		for _, y := range strings.Fields(x) {
			if y != "->" && y != "→" {
				w = append(w, y)
			}
		}
	}
	if len(w) == 1 && w[0] == "arp" {
		return packetWords{arp: true}, nil
	}
	if len(w) != 3 {
		return p, errNoPacket
	}
	if p.protocol, err = mirror.ParseProtocol(w[0]); err != nil {
		return p, err
	}
	if p.protocol == mirror.AnyProtocol {
		return p, fmt.Errorf("%q is no protocol of a packet", w[0])
	}
	ports := p.protocol == packet.ProtoTCP || p.protocol == packet.ProtoUDP
	if p.src, p.sport, err = parseEnd(w[1], ports); err != nil {
		return p, err
	}
	if p.dst, p.dport, err = parseEnd(w[2], ports); err != nil {
		return p, err
	}
	if p.src.Is4() != p.dst.Is4() {
		return p, fmt.Errorf("%v and %v are of different address families", p.src, p.dst)
	}
	return p, nil
}

// parseEnd reads an address, with a port when the protocol has some.
func parseEnd(s string, ports bool) (netip.Addr, uint16, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil && ports && ap.Addr().Zone() == "" {
		return ap.Addr().Unmap(), ap.Port(), nil
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil || a.Zone() != "" {
		want := "an address"
		if ports {
			want = "an address and port, as 10.0.1.15:443 or [2001:db8::1]:443"
		}
		return a, 0, fmt.Errorf("%q is not %s", s, want)
	}
	if ports {
		return a, 0, fmt.Errorf("%q has no port: write %s", s, netip.AddrPortFrom(a.Unmap(), 443))
	}
	return a.Unmap(), 0, nil
}

// String is p in the words that parsePacket reads.
func (p *packetWords) String() string {
	if p.arp {
		return "arp"
	}
	end := func(a netip.Addr, port uint16) string {
		if p.protocol == packet.ProtoTCP || p.protocol == packet.ProtoUDP {
			return netip.AddrPortFrom(a, port).String()
		}
		return a.String()
	}
	s := mirror.ProtocolName(p.protocol) + " " + end(p.src, p.sport) + " -> " + end(p.dst, p.dport)
	if p.fragment {
		s += ", a later fragment"
	}
	if p.length > 0 {
		s += ", " + strconv.Itoa(p.length) + " bytes"
	}
	return s
}

// frame builds p as an Ethernet frame.
func (p *packetWords) frame() []byte {
	if p.arp {
		b := packet.AppendEthernet(nil, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, [6]byte{2, 0, 0, 0, 0, 1}, packet.EtherTypeARP)
		return append(append(b, 0, 1, 8, 0, 6, 4, 0, 1), make([]byte, 20)...)
	}
	var l4 []byte
	switch {
	case p.fragment:
	case p.protocol == packet.ProtoTCP:
		l4 = packet.AppendTCP(nil, packet.TCP{SrcPort: p.sport, DstPort: p.dport, Flags: packet.ACK})
	case p.protocol == packet.ProtoUDP:
		l4 = packet.AppendUDP(nil, p.sport, p.dport, 0)
	case p.protocol == packet.ProtoICMP:
		l4 = packet.AppendICMP(nil, 8, 0, 1)
	case p.protocol == packet.ProtoICMPv6:
		l4 = packet.AppendICMP(nil, 128, 0, 1)
	}
	const offset = 1480 // of the later fragment
	head, et := 14+20, uint16(packet.EtherTypeIPv4)
	if p.src.Is6() {
		head, et = 14+40, packet.EtherTypeIPv6
		if p.fragment {
			l4 = append(binary.BigEndian.AppendUint16([]byte{byte(p.protocol), 0}, offset), 0, 0, 0, 1)
		}
	}
	if n := p.length - head - len(l4); n > 0 {
		l4 = append(l4, make([]byte, n)...)
	}
	if p.protocol == packet.ProtoUDP && !p.fragment {
		binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
	}
	b := packet.AppendEthernet(nil, [6]byte{}, [6]byte{}, et)
	if p.src.Is6() {
		h := packet.IPv6{Src: p.src.As16(), Dst: p.dst.As16(), Next: uint8(p.protocol)}
		if p.fragment {
			h.Next = packet.ProtoFragment
		}
		return append(packet.AppendIPv6(b, h, len(l4)), l4...)
	}
	h := packet.IPv4{Src: p.src.As4(), Dst: p.dst.As4(), Proto: uint8(p.protocol)}
	if p.fragment {
		h.Frag = offset / 8
	}
	return append(packet.AppendIPv4(b, h, len(l4)), l4...)
}

// parsed decodes p.
func (p *packetWords) parsed() *packet.Parsed {
	b := p.frame()
	return &packet.NewDecoder(packet.Options{}).Decode(nil, packet.LinkEthernet, b, len(b), 0)[0]
}
