package detect

import (
	"mirador/internal/packet"
	"mirador/internal/rule"
)

// headerBuffer is a sticky buffer that shows a part of the packet itself.
type headerBuffer struct {
	name string
	get  func(w *Worker, p *Packet) ([]byte, bool)
	nums []uint8 // IP protocols it exists for; nil: any
	ver  uint8
	doc  string
}

// headerBuffers are the sticky buffers of the packet. Suricata 8 rules/header-keywords,
// rules/ipaddr.
func headerBuffers() []headerBuffer {
	return []headerBuffer{
		{"ether.hdr", etherHeader, nil, 0, "Ethernet header (Suricata 9)"},
		{"ipv4.hdr", ipv4Header, nil, 4, "IPv4 header with options"},
		{"ipv6.hdr", ipv6Header, nil, 6, "IPv6 header with extension headers"},
		{"tcp.hdr", transportHeader, []uint8{6}, 0, "TCP header with options"},
		{"udp.hdr", transportHeader, []uint8{17}, 0, "UDP header"},
		{"icmpv4.hdr", transportHeader, []uint8{1}, 4, "ICMP header"},
		{"icmpv6.hdr", transportHeader, []uint8{58}, 6, "ICMPv6 header"},
		{"igmp.hdr", igmpHeader, []uint8{2}, 0, "IGMP header (Suricata 9)"},
		{"sctp.hdr", transportHeader, []uint8{132}, 0, "SCTP common header (Suricata 9)"},
		{"ip.src", ipSrc, nil, 0, "source address, 4 or 16 bytes"},
		{"ip.dst", ipDst, nil, 0, "destination address, 4 or 16 bytes"},
	}
}

func headerBufferKeywords() []keyword {
	var out []keyword
	for _, h := range headerBuffers() {
		out = append(out, keyword{name: h.name, arg: argNone, setup: setHeaderBuffer, doc: h.doc})
	}
	return out
}

func setHeaderBuffer(b *builder, o *rule.Option) error {
	for _, h := range headerBuffers() {
		if h.name != o.Name {
			continue
		}
		if h.ver != 0 {
			if b.s.ipVer != 0 && b.s.ipVer != h.ver {
				return refuse(0, "", "contradicts the protocol of the rule")
			}
			b.s.ipVer = h.ver
		}
		if h.nums != nil {
			if err := b.narrow(h.nums); err != nil {
				return err
			}
		}
	}
	return b.sticky(b.c.byLabel[o.Name])
}

// narrow keeps only the IP protocols in nums.
func (b *builder) narrow(nums []uint8) error {
	set := *b.c.ipSet(nums...)
	if b.s.protos != nil {
		for i := range set {
			set[i] &= b.s.protos[i]
		}
	}
	if set == (ipProtos{}) {
		return refuse(0, "", "contradicts the protocol of the rule")
	}
	b.s.protos = b.c.internIPs(set)
	return nil
}

// part returns data[from:to] when it is all there.
func part(data []byte, from, to int) ([]byte, bool) {
	if from < 0 || to <= from || to > len(data) {
		return nil, false
	}
	return data[from:to:to], true
}

func etherHeader(_ *Worker, p *Packet) ([]byte, bool) {
	if !p.P.HasEther {
		return nil, false
	}
	return part(p.P.Data, 0, 14)
}

func some(b []byte) ([]byte, bool) { return b, len(b) > 0 }

func ipv4Header(_ *Worker, p *Packet) ([]byte, bool)      { return some(p.P.IPv4Header()) }
func ipv6Header(_ *Worker, p *Packet) ([]byte, bool)      { return some(p.P.IPv6Header()) }
func transportHeader(_ *Worker, p *Packet) ([]byte, bool) { return some(p.P.L4Header()) }
func igmpHeader(_ *Worker, p *Packet) ([]byte, bool)      { return some(p.P.IGMPHeader()) }

func ipSrc(_ *Worker, p *Packet) ([]byte, bool) { return addrBytes(p.P, &p.P.Src) }
func ipDst(_ *Worker, p *Packet) ([]byte, bool) { return addrBytes(p.P, &p.P.Dst) }

func addrBytes(p *packet.Parsed, a *packet.Addr) ([]byte, bool) {
	switch {
	case !hasIP(p):
		return nil, false
	case p.IPVersion == 4:
		return a[12:16:16], true
	}
	return a[:], true
}
