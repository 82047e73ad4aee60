// Package pkttest makes frames and flows for tests from short descriptions, and finds the
// test data that is not part of the tree. It is for tests only.
//
// A frame is described by its headers in order, each a word, its arguments and options
// (key=value), and after a bar the payload as the inside of a Go string:
//
//	eth vlan 7 ip 10.0.0.1 10.0.0.2 ttl=3 tcp 4000 80 flags=PA seq=1 ack=2 | GET / HTTP/1.0\r\n\r\n
//
// Lengths, types and checksums are filled in. The headers and their options:
//
//	eth                      src= dst= type=
//	vlan ID, qinq ID
//	mpls LABEL
//	ip SRC DST               ttl= tos= id= frag= (flags and offset as in the header) proto= opts=HEX len=
//	ip6 SRC DST              ttl= tos= next= len=
//	hop, dst                 IPv6 options header; opts=HEX, 6 bytes or 8n more
//	frag OFF                 IPv6 fragment header: offset in bytes; more=1 id=
//	tcp SPORT DPORT          seq= ack= flags=FSRPAUEC win= urg= opts=HEX
//	udp SPORT DPORT          len=
//	sctp SPORT DPORT         tag=
//	icmp TYPE CODE           rest= (the 4 bytes after the checksum)
//	icmp6 TYPE CODE          rest=
//	vxlan VNI                over udp
//	geneve VNI               over udp; opts=HEX
//	gre
//	raw HEX                  any bytes
package pkttest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"mirador/internal/packet"
)

// MACs of frames that do not say otherwise.
var (
	ClientMAC = [6]byte{2, 0, 0, 0, 0, 1}
	ServerMAC = [6]byte{2, 0, 0, 0, 0, 2}
)

// Frame builds the frame that desc describes. It panics when desc is wrong: descriptions
// are part of tests.
func Frame(desc string) []byte {
	b, err := Parse(desc)
	if err != nil {
		panic(fmt.Sprintf("pkttest: %v in %q", err, desc))
	}
	return b
}

// header is one header of a description.
type header struct {
	name string
	args []string
	opts map[string]string
	err  error
}

// argCount says how many arguments each header has.
var argCount = map[string]int{
	"eth": 0, "vlan": 1, "qinq": 1, "mpls": 1, "ip": 2, "ip6": 2, "hop": 0, "dst": 0, "frag": 1,
	"tcp": 2, "udp": 2, "sctp": 2, "icmp": 2, "icmp6": 2, "vxlan": 1, "geneve": 1, "gre": 0, "raw": 1,
}

// Parse is Frame with an error.
func Parse(desc string) ([]byte, error) {
	spec, text, hasText := strings.Cut(desc, "|")
	var payload []byte
	if hasText {
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimPrefix(text, " "), `"`, `\"`) + `"`)
		if err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		payload = []byte(s)
	}
	var all []*header
	words := strings.Fields(spec)
	for len(words) > 0 {
		name := words[0]
		n, ok := argCount[name]
		if !ok {
			return nil, fmt.Errorf("unknown header %q", name)
		}
		if len(words) < 1+n {
			return nil, fmt.Errorf("%s needs %d arguments", name, n)
		}
		h := &header{name: name, args: words[1 : 1+n], opts: map[string]string{}}
		words = words[1+n:]
		for len(words) > 0 && strings.Contains(words[0], "=") {
			k, v, _ := strings.Cut(words[0], "=")
			h.opts[k] = v
			words = words[1:]
		}
		all = append(all, h)
	}
	b := payload
	for i := len(all) - 1; i >= 0; i-- {
		next := ""
		if i+1 < len(all) {
			next = all[i+1].name
		}
		b = all[i].build(b, next)
		if all[i].err != nil {
			return nil, fmt.Errorf("%s: %w", all[i].name, all[i].err)
		}
	}
	return b, nil
}

// etherTypeOf is the EtherType that announces a header.
func etherTypeOf(next string) uint16 {
	switch next {
	case "ip":
		return packet.EtherTypeIPv4
	case "ip6":
		return packet.EtherTypeIPv6
	case "vlan":
		return packet.EtherTypeVLAN
	case "qinq":
		return packet.EtherTypeQinQ
	case "mpls":
		return packet.EtherTypeMPLS
	case "eth":
		return packet.EtherTypeBridge
	}
	return 0
}

// protoOf is the IP protocol number of a header.
func protoOf(next string) uint8 {
	switch next {
	case "tcp":
		return packet.ProtoTCP
	case "udp":
		return packet.ProtoUDP
	case "sctp":
		return packet.ProtoSCTP
	case "icmp":
		return packet.ProtoICMP
	case "icmp6":
		return packet.ProtoICMPv6
	case "gre":
		return packet.ProtoGRE
	case "ip":
		return packet.ProtoIPIP
	case "ip6":
		return packet.ProtoIPv6
	case "hop":
		return packet.ProtoHopOpts
	case "dst":
		return packet.ProtoDstOpts
	case "frag":
		return packet.ProtoFragment
	}
	return packet.ProtoNone
}

// build puts h before payload.
func (h *header) build(payload []byte, next string) []byte {
	var b []byte
	switch h.name {
	case "eth":
		b = packet.AppendEthernet(nil, h.mac("dst", ServerMAC), h.mac("src", ClientMAC), uint16(h.num("type", uint64(etherTypeOf(next)))))
	case "vlan", "qinq":
		b = packet.AppendVLAN(nil, uint16(h.arg(0)), etherTypeOf(next))
	case "mpls":
		v := uint32(h.arg(0))<<12 | 64
		if next != "mpls" {
			v |= 0x100
		}
		b = binary.BigEndian.AppendUint32(nil, v)
	case "ip":
		return h.ip(payload, next)
	case "ip6":
		return h.ip6(payload, next)
	case "hop", "dst":
		opts := h.hex("opts", []byte{5, 2, 0, 0, 0, 0}) // router alert
		b = append([]byte{protoOf(next), byte((len(opts)+2)/8 - 1)}, opts...)
	case "frag":
		b = []byte{byte(h.num("next", uint64(protoOf(next)))), 0}
		b = binary.BigEndian.AppendUint16(b, uint16(h.arg(0))&^7|uint16(h.num("more", 0)))
		b = binary.BigEndian.AppendUint32(b, uint32(h.num("id", 1)))
	case "tcp":
		b = packet.AppendTCP(nil, packet.TCP{
			SrcPort: uint16(h.arg(0)), DstPort: uint16(h.arg(1)),
			Seq: uint32(h.num("seq", 0)), Ack: uint32(h.num("ack", 0)), Flags: h.flags(),
			Window: uint16(h.num("win", 65535)), Urgent: uint16(h.num("urg", 0)), Options: h.hex("opts", nil),
		})
	case "udp":
		b = packet.AppendUDP(nil, uint16(h.arg(0)), uint16(h.arg(1)), len(payload))
		if v, ok := h.opts["len"]; ok {
			n, err := strconv.ParseUint(v, 0, 16)
			h.fail(err)
			binary.BigEndian.PutUint16(b[4:], uint16(n))
		}
	case "sctp":
		b = binary.BigEndian.AppendUint16(nil, uint16(h.arg(0)))
		b = binary.BigEndian.AppendUint16(b, uint16(h.arg(1)))
		b = binary.BigEndian.AppendUint32(b, uint32(h.num("tag", 0)))
		b = append(b, 0, 0, 0, 0)
	case "icmp", "icmp6":
		b = packet.AppendICMP(nil, uint8(h.arg(0)), uint8(h.arg(1)), uint32(h.num("rest", 0)))
	case "vxlan":
		b = packet.AppendVXLAN(nil, uint32(h.arg(0)))
	case "geneve":
		b = packet.AppendGENEVE(nil, uint32(h.arg(0)), etherTypeOf(next), h.hex("opts", nil))
	case "gre":
		b = binary.BigEndian.AppendUint16([]byte{0, 0}, etherTypeOf(next))
	case "raw":
		var err error
		b, err = hex.DecodeString(h.args[0])
		h.fail(err)
	}
	return append(b, payload...)
}

// ip puts an IPv4 header before payload and fills in the checksums of both.
func (h *header) ip(payload []byte, next string) []byte {
	src, dst := h.addr(0), h.addr(1)
	if !src.Is4() || !dst.Is4() {
		h.fail(fmt.Errorf("not IPv4 addresses: %v %v", src, dst))
		return nil
	}
	b := packet.AppendIPv4(nil, packet.IPv4{
		Src: src.As4(), Dst: dst.As4(), TOS: uint8(h.num("tos", 0)), ID: uint16(h.num("id", 1)),
		Frag: uint16(h.num("frag", 0)), TTL: uint8(h.num("ttl", 64)),
		Proto: uint8(h.num("proto", uint64(protoOf(next)))), Options: h.hex("opts", nil),
	}, len(payload))
	b = append(b, payload...)
	packet.SetChecksums(b)
	if v, ok := h.opts["len"]; ok {
		n, err := strconv.ParseUint(v, 0, 16)
		h.fail(err)
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	}
	return b
}

// ip6 puts an IPv6 header before payload and fills in the checksum of the latter.
func (h *header) ip6(payload []byte, next string) []byte {
	src, dst := h.addr(0), h.addr(1)
	if !src.Is6() || !dst.Is6() {
		h.fail(fmt.Errorf("not IPv6 addresses: %v %v", src, dst))
		return nil
	}
	b := packet.AppendIPv6(nil, packet.IPv6{
		Src: src.As16(), Dst: dst.As16(), Class: uint8(h.num("tos", 0)),
		Next: uint8(h.num("next", uint64(protoOf(next)))), HopLimit: uint8(h.num("ttl", 64)),
	}, len(payload))
	b = append(b, payload...)
	packet.SetChecksums(b)
	if v, ok := h.opts["len"]; ok {
		n, err := strconv.ParseUint(v, 0, 16)
		h.fail(err)
		binary.BigEndian.PutUint16(b[4:], uint16(n))
	}
	return b
}

func (h *header) fail(err error) {
	if h.err == nil {
		h.err = err
	}
}

func (h *header) arg(i int) uint64 {
	v, err := strconv.ParseUint(h.args[i], 0, 64)
	h.fail(err)
	return v
}

func (h *header) addr(i int) netip.Addr {
	a, err := netip.ParseAddr(h.args[i])
	h.fail(err)
	return a
}

func (h *header) num(key string, def uint64) uint64 {
	s, ok := h.opts[key]
	if !ok {
		return def
	}
	v, err := strconv.ParseUint(s, 0, 64)
	h.fail(err)
	return v
}

func (h *header) hex(key string, def []byte) []byte {
	s, ok := h.opts[key]
	if !ok {
		return def
	}
	b, err := hex.DecodeString(s)
	h.fail(err)
	return b
}

func (h *header) mac(key string, def [6]byte) [6]byte {
	s, ok := h.opts[key]
	if !ok {
		return def
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err == nil && len(b) != 6 {
		err = fmt.Errorf("%q is no Ethernet address", s)
	}
	if h.fail(err); err != nil {
		return def
	}
	return [6]byte(b)
}

func (h *header) flags() uint8 {
	var f uint8
	for _, c := range h.opts["flags"] {
		i := strings.IndexRune("FSRPAUEC", c)
		if i < 0 {
			h.fail(fmt.Errorf("no TCP flag %q", c))
			return 0
		}
		f |= 1 << i
	}
	return f
}
