package detect

import (
	"strconv"
	"strings"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// Keywords about the IP header and below. Suricata 8 rules/header-keywords.
func ipKeywords() []keyword {
	return []keyword{
		{name: "ttl", arg: argNeed, setup: setTTL, doc: "IP time to live or hop limit"},
		{name: "tos", arg: argNeed, setup: setTOS, doc: "IPv4 type of service"},
		{name: "id", arg: argNeed, setup: setIPID, doc: "IPv4 identification"},
		{name: "ip_proto", arg: argNeed, setup: setIPProto, doc: "IP protocol number or name"},
		{name: "ipopts", arg: argNeed, setup: setIPOpts, doc: "IPv4 option"},
		{name: "fragbits", arg: argNeed, setup: setFragbits, doc: "IPv4 fragmentation bits"},
		{name: "fragoffset", arg: argNeed, setup: setFragoffset, doc: "fragment offset"},
		{name: "sameip", arg: argNone, setup: setSameIP, doc: "source and destination are the same"},
		{name: "vlan.id", arg: argNeed, setup: setVLANID, doc: "VLAN id"},
		{name: "vlan.layers", arg: argNeed, setup: setVLANLayers, doc: "number of VLAN tags"},
		{name: "l3_proto", arg: argNeed, setup: setL3Proto, doc: "IP version"},
		{name: "vxlan_vni", arg: argNeed, setup: setVNI, doc: "VXLAN network identifier (Suricata 9)"},
	}
}

// numberOf reads a number of a packet; ok is false when it has none.
type numberOf func(p *packet.Parsed) (uint64, bool)

type numberCheck struct {
	get numberOf
	u   rule.Uint
}

func (k *numberCheck) match(w *Worker) bool {
	if w.p.Pseudo {
		return false
	}
	v, ok := k.get(w.p.P)
	return ok && k.u.Match(v)
}

// plainNumber sets up a keyword for a decimal number of width bits that knows no
// comparison but, with not, an exclamation mark before it.
func (b *builder) plainNumber(o *rule.Option, width int, not bool, get numberOf) error {
	u := rule.Uint{}
	s := strings.TrimSpace(o.Value)
	if rest, ok := strings.CutPrefix(s, "!"); ok && not {
		u.Op, s = rule.UintNe, strings.TrimSpace(rest)
	}
	n, err := strconv.ParseUint(s, 10, width)
	if err != nil {
		return refuse(0, "this keyword takes no comparison and no range", "%s is not a number from 0 to %d", quote(s), ^uint64(0)>>(64-width))
	}
	u.A = n
	b.packetCheck(&numberCheck{get, u})
	return nil
}

// packetNumber sets up a keyword for a number of width bits.
func (b *builder) packetNumber(o *rule.Option, width int, get numberOf) error {
	u, err := rule.ParseUint(o.Value, width, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	b.packetCheck(&numberCheck{get, u})
	return nil
}

func hasIP(p *packet.Parsed) bool { return p.Depth >= packet.DepthNet && p.IPVersion != 0 }

func setTTL(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 8, func(p *packet.Parsed) (uint64, bool) { return uint64(p.TTL), hasIP(p) })
}

func setTOS(b *builder, o *rule.Option) error {
	get := func(p *packet.Parsed) (uint64, bool) { return uint64(p.TOS), hasIP(p) && p.IPVersion == 4 }
	rest, not := strings.CutPrefix(strings.TrimSpace(o.Value), "!")
	if rest = strings.TrimSpace(rest); rest == "" || rest[0]|0x20 != 'x' {
		return b.plainNumber(o, 8, true, get)
	}
	n, err := strconv.ParseUint(rest[1:], 16, 8)
	if err != nil {
		return refuse(0, "write 0 to 255, or hex with an x before it", "%s is not a type of service", quote(rest))
	}
	u := rule.Uint{A: n}
	if not {
		u.Op = rule.UintNe
	}
	b.packetCheck(&numberCheck{get, u})
	return nil
}

func setIPID(b *builder, o *rule.Option) error {
	return b.plainNumber(o, 16, false, func(p *packet.Parsed) (uint64, bool) {
		return uint64(p.IPID), hasIP(p) && p.IPVersion == 4
	})
}

// ipProtoNames are the names of ip_proto (IANA protocol numbers, /etc/protocols).
func ipProtoNumber(name string) (uint8, bool) {
	switch strings.ToLower(name) {
	case "ip", "hopopt":
		return 0, true
	case "icmp":
		return 1, true
	case "igmp":
		return 2, true
	case "ipv4", "ipencap":
		return 4, true
	case "tcp":
		return 6, true
	case "egp":
		return 8, true
	case "igp":
		return 9, true
	case "pup":
		return 12, true
	case "udp":
		return 17, true
	case "hmp":
		return 20, true
	case "xns-idp":
		return 22, true
	case "rdp":
		return 27, true
	case "iso-tp4":
		return 29, true
	case "dccp":
		return 33, true
	case "xtp":
		return 36, true
	case "ddp":
		return 37, true
	case "idpr-cmtp":
		return 38, true
	case "ipv6":
		return 41, true
	case "ipv6-route":
		return 43, true
	case "ipv6-frag":
		return 44, true
	case "idrp":
		return 45, true
	case "rsvp":
		return 46, true
	case "gre":
		return 47, true
	case "esp", "ipsec-esp":
		return 50, true
	case "ah", "ipsec-ah":
		return 51, true
	case "skip":
		return 57, true
	case "ipv6-icmp", "icmpv6":
		return 58, true
	case "ipv6-nonxt":
		return 59, true
	case "ipv6-opts":
		return 60, true
	case "rspf":
		return 73, true
	case "vmtp":
		return 81, true
	case "eigrp":
		return 88, true
	case "ospf", "ospfigp":
		return 89, true
	case "ax.25":
		return 93, true
	case "ipip":
		return 94, true
	case "etherip":
		return 97, true
	case "encap":
		return 98, true
	case "pim":
		return 103, true
	case "ipcomp":
		return 108, true
	case "vrrp":
		return 112, true
	case "l2tp":
		return 115, true
	case "isis":
		return 124, true
	case "sctp":
		return 132, true
	case "fc":
		return 133, true
	case "mobility-header":
		return 135, true
	case "udplite":
		return 136, true
	case "mpls-in-ip":
		return 137, true
	}
	return 0, false
}

// setIPProto narrows the set of protocols of a rule for any protocol. Several ip_proto
// are conditions that all hold: one < and one > make a range, negated ones take away.
func setIPProto(b *builder, o *rule.Option) error {
	s := strings.TrimSpace(o.Value)
	op := byte('=')
	if s != "" && strings.IndexByte("!<>", s[0]) >= 0 {
		op = s[0]
		s = strings.TrimSpace(s[1:])
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		v, ok := ipProtoNumber(s)
		if !ok {
			return refuse(0, "", "%s is not an IP protocol", quote(s))
		}
		n = uint64(v)
	}
	if x := b.c.nets[b.r.Proto]; x == nil || x.nums != nil {
		return refuse(0, "write alert ip", "goes with rules for every IP protocol only, not with %s", quote(b.r.Proto))
	}
	if b.ipProtos != "" && (op == '=' || strings.IndexByte(b.ipProtos, '=') >= 0 || op != '!' && strings.IndexByte(b.ipProtos, op) >= 0) {
		return refuse(0, "", "%c %s does not go with the ip_proto before it", op, s)
	}
	b.ipProtos += string(op)
	var set ipProtos
	for i := range 256 {
		p := uint64(i)
		if op == '=' && p == n || op == '!' && p != n || op == '<' && p < n || op == '>' && p > n {
			set.add(uint8(i))
		}
	}
	if b.s.protos != nil {
		for i := range set {
			set[i] &= b.s.protos[i]
		}
	}
	if set == (ipProtos{}) {
		return refuse(0, "", "contradicts the ip_proto before it")
	}
	b.s.protos = b.c.internIPs(set)
	b.onlyDE, b.onlyPD = false, false
	return nil
}

type ipoptCheck struct{ opt uint8 } // 255: any option

func (k *ipoptCheck) match(w *Worker) bool {
	p := w.p.P
	if w.p.Pseudo || !hasIP(p) || p.IPVersion != 4 || p.L3Len <= 20 || p.L3+p.L3Len > len(p.Data) {
		return false
	}
	if k.opt == 255 {
		return true
	}
	for o := p.Data[p.L3+20 : p.L3+p.L3Len]; len(o) > 0; {
		t := o[0]
		if t == k.opt {
			return true
		}
		switch {
		case t == 0:
			return false
		case t == 1:
			o = o[1:]
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return false
		default:
			o = o[o[1]:]
		}
	}
	return false
}

func setIPOpts(b *builder, o *rule.Option) error {
	var t uint8
	switch strings.ToLower(o.Value) {
	case "rr":
		t = 7
	case "lsrr":
		t = 131
	case "eol":
		t = 0
	case "nop":
		t = 1
	case "ts":
		t = 68
	case "sec":
		t = 130
	case "esec":
		t = 133
	case "ssrr":
		t = 137
	case "satid":
		t = 136
	case "cipso":
		t = 134
	case "rtralt":
		t = 148
	case "qs":
		t = 25
	case "any":
		t = 255
	default:
		return refuse(0, "", "unknown IP option %s", quote(o.Value))
	}
	b.packetCheck(&ipoptCheck{t})
	return nil
}

// fragbitsCheck: R is bit 2, D bit 1, M bit 0, as in the IPv4 header.
type fragbitsCheck struct {
	bits uint8
	mode byte // 0 exactly, + all and at least one other, * any of them, ! not all of them
}

func (k *fragbitsCheck) match(w *Worker) bool {
	p := w.p.P
	if w.p.Pseudo || !hasIP(p) || p.IPVersion != 4 || p.L3+8 > len(p.Data) {
		return false
	}
	have := p.Data[p.L3+6] >> 5
	switch k.mode {
	case '+':
		return have&k.bits == k.bits && have != k.bits
	case '*':
		return have&k.bits != 0
	case '!':
		return have&k.bits != k.bits
	}
	return have == k.bits
}

func setFragbits(b *builder, o *rule.Option) error {
	k := &fragbitsCheck{}
	for i := range len(o.Value) {
		switch c := o.Value[i]; c {
		case '+', '*', '!':
			if k.mode != 0 {
				return refuse(i, "", "more than one modifier")
			}
			k.mode = c
		case 'M':
			k.bits |= 1
		case 'D':
			k.bits |= 2
		case 'R':
			k.bits |= 4
		case ' ':
		default:
			return refuse(i, "", "unknown bit %q", c)
		}
	}
	if k.bits == 0 {
		return refuse(0, "", "names no bit")
	}
	b.packetCheck(k)
	return nil
}

func setFragoffset(b *builder, o *rule.Option) error {
	get := func(p *packet.Parsed) (uint64, bool) { return uint64(p.FragOffset) >> 3, hasIP(p) }
	s := strings.TrimSpace(o.Value)
	if s == "" || s[0] != '<' && s[0] != '>' {
		return b.plainNumber(o, 16, false, get)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s[1:]), 10, 16)
	if err != nil {
		return refuse(1, "", "%s is not a number from 0 to 65535", quote(s[1:]))
	}
	u := rule.Uint{Op: rule.UintLt, A: n}
	if s[0] == '>' {
		u.Op = rule.UintGt
	}
	b.packetCheck(&numberCheck{get, u})
	return nil
}

type sameIPCheck struct{}

func (sameIPCheck) match(w *Worker) bool {
	p := w.p.P
	return hasIP(p) && p.Src == p.Dst
}

func setSameIP(b *builder, _ *rule.Option) error {
	b.s.flag |= sigReal | sigPktOnly // not pseudo packets, as for Suricata
	b.check(sameIPCheck{}, false)
	b.pktOnly = true
	return nil
}

type vlanCheck struct {
	layer int // -1: any
	all   bool
	u     rule.Uint
}

func (k *vlanCheck) match(w *Worker) bool {
	p := w.p.P
	n := min(int(p.NVLAN), len(p.VLAN))
	if k.layer >= 0 {
		return k.layer < n && k.u.Match(uint64(p.VLAN[k.layer]))
	}
	if n == 0 {
		return false
	}
	for _, id := range p.VLAN[:n] {
		if k.u.Match(uint64(id)) != k.all {
			return !k.all
		}
	}
	return k.all
}

// setVLANID: id, or "id,layer" with layer 0..2, any, all, or from the end.
func setVLANID(b *builder, o *rule.Option) error {
	value, layer, has := strings.Cut(o.Value, ",")
	if strings.HasSuffix(value, " ") {
		return refuse(len(value), "", "white space before the comma")
	}
	u, err := rule.ParseUint(value, 16, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	if u.A > 4095 {
		return refuse(0, "", "VLAN id %d is larger than 4095", u.A)
	}
	k := &vlanCheck{layer: -1, u: u}
	switch layer = strings.TrimSpace(layer); layer {
	case "", "any":
		if has && layer == "" {
			return refuse(0, "", "layer is missing")
		}
	case "all":
		k.all = true
	default:
		n, err := strconv.Atoi(layer)
		if err != nil || n < -packet.MaxVLAN || n >= packet.MaxVLAN {
			return refuse(0, "", "%s is not a VLAN layer", quote(layer))
		}
		if n < 0 {
			b.packetCheck(&vlanBackCheck{-n, u})
			return nil
		}
		k.layer = n
	}
	b.packetCheck(k)
	return nil
}

// vlanBackCheck counts layers from the innermost one, from 1.
type vlanBackCheck struct {
	back int
	u    rule.Uint
}

func (k *vlanBackCheck) match(w *Worker) bool {
	p := w.p.P
	i := min(int(p.NVLAN), len(p.VLAN)) - k.back
	return i >= 0 && k.u.Match(uint64(p.VLAN[i]))
}

func setVLANLayers(b *builder, o *rule.Option) error {
	u, err := rule.ParseUint(o.Value, 8, nil)
	if err != nil {
		return refuse(0, "", "%v", err)
	}
	if max(u.A, u.B) > packet.MaxVLAN && u.Op != rule.UintMask && u.Op != rule.UintNotMask {
		return refuse(0, "", "at most %d layers are decoded", packet.MaxVLAN)
	}
	b.packetCheck(&numberCheck{func(p *packet.Parsed) (uint64, bool) { return uint64(p.NVLAN), true }, u})
	return nil
}

func setL3Proto(b *builder, o *rule.Option) error {
	var ver uint8
	switch strings.ToLower(o.Value) {
	case "ipv4", "ip4":
		ver = 4
	case "ipv6", "ip6":
		ver = 6
	default:
		return refuse(0, "use ipv4 or ipv6", "unknown value %s", quote(o.Value))
	}
	if b.s.ipVer != 0 && b.s.ipVer != ver {
		return refuse(0, "", "contradicts the protocol of the rule")
	}
	b.s.ipVer = ver
	b.onlyDE, b.onlyPD = false, false
	return nil
}

func setVNI(b *builder, o *rule.Option) error {
	return b.packetNumber(o, 32, func(p *packet.Parsed) (uint64, bool) {
		return uint64(p.VNI), p.Source == packet.FromTunnelVXLAN
	})
}
