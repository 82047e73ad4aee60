package vpc

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"mirador/internal/packet"
)

// zone are the names that the Amazon resolver of a VPC knows.
type zone struct {
	names map[string][]netip.Addr // lower case, with the final dot
	hosts map[netip.Addr]string   // for reverse look-ups
}

// add makes addrs known under name.
func (z *zone) add(name string, addrs ...netip.Addr) {
	if z.names == nil {
		z.names, z.hosts = map[string][]netip.Addr{}, map[netip.Addr]string{}
	}
	name = strings.ToLower(strings.TrimSuffix(name, ".")) + "."
	for _, a := range addrs {
		if !slices.Contains(z.names[name], a) {
			z.names[name] = append(z.names[name], a)
		}
		if _, ok := z.hosts[a]; !ok {
			z.hosts[a] = name
		}
	}
}

// isResolver tells whether the Amazon resolver answers at a.
func (v *vpc) isResolver(a netip.Addr) bool {
	for _, r := range v.resolver {
		if r == a {
			return true
		}
	}
	return false
}

// resolve answers a packet to the Amazon resolver. Neither security groups nor network
// ACLs apply to it. AWS: "Control traffic to your AWS resources using security groups".
func (f *Fabric) resolve(from *eni, h *head, now int64) Reason {
	if h.proto != packet.ProtoUDP || h.dport != 53 || h.fragment || h.first {
		return DropNoHost // the resolver of this network speaks UDP only
	}
	query := h.frame[h.l4+lenUDP:]
	answer, ok := from.vpc.zone.answer(query)
	if !ok {
		return DropShort
	}
	ipLen := lenIPv4
	if h.version == 6 {
		ipLen = lenIPv6
	}
	r := f.room(lenEthernet + ipLen + lenUDP + len(answer))
	if r == nil {
		return DropSend
	}
	if h.version == 4 {
		r = packet.AppendEthernet(r, from.mac, from.subnet.mac, packet.EtherTypeIPv4)
		r = packet.AppendIPv4(r, packet.IPv4{Src: h.dst.As4(), Dst: h.src.As4(), Proto: packet.ProtoUDP, TTL: 255}, lenUDP+len(answer))
	} else {
		r = packet.AppendEthernet(r, from.mac, from.subnet.mac, packet.EtherTypeIPv6)
		r = packet.AppendIPv6(r, packet.IPv6{Src: h.dst.As16(), Dst: h.src.As16(), Next: packet.ProtoUDP, HopLimit: 255}, lenUDP+len(answer))
	}
	r = packet.AppendUDP(r, 53, h.sport, len(answer))
	r = append(r, answer...)
	packet.SetChecksums(r[lenEthernet:])
	var back head
	if back.parse(r) != passed {
		return DropShort
	}
	f.hand(from, &back, from.subnet.mac, now)
	return passed
}

// answer answers a DNS query; false when it is none.
func (z *zone) answer(query []byte) ([]byte, bool) {
	if len(query) < 12 || binary.BigEndian.Uint16(query[2:])&0x8000 != 0 {
		return nil, false
	}
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil, false
	}
	q, err := p.Question()
	reply := dnsmessage.Header{ID: head.ID, Response: true, OpCode: head.OpCode, RecursionDesired: head.RecursionDesired, RecursionAvailable: true}
	if err != nil || head.OpCode != 0 {
		reply.RCode = dnsmessage.RCodeFormatError
		if err == nil {
			reply.RCode = dnsmessage.RCodeNotImplemented
		}
		b := dnsmessage.NewBuilder(make([]byte, 0, 512), reply)
		out, err := b.Finish()
		return out, err == nil
	}
	var addrs []netip.Addr
	var ptr string
	known := false
	if z != nil {
		name := strings.ToLower(q.Name.String())
		if q.Type == dnsmessage.TypePTR {
			if a, ok := reverse(name); ok {
				ptr, known = z.hosts[a], z.hosts[a] != ""
			}
		} else {
			addrs, known = z.names[name], len(z.names[name]) > 0
		}
	}
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(make([]byte, 0, 512), reply)
	b.EnableCompression()
	if b.StartQuestions() != nil || b.Question(q) != nil || b.StartAnswers() != nil {
		return nil, false
	}
	rh := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60}
	if ptr != "" {
		if n, err := dnsmessage.NewName(ptr); err == nil && b.PTRResource(rh, dnsmessage.PTRResource{PTR: n}) != nil {
			return nil, false
		}
	}
	for i, a := range addrs {
		if i == maxAnswers {
			break
		}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			err = b.AResource(rh, dnsmessage.AResource{A: a.As4()})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			err = b.AAAAResource(rh, dnsmessage.AAAAResource{AAAA: a.As16()})
		}
		if err != nil {
			return nil, false
		}
	}
	out, err := b.Finish()
	return out, err == nil
}

// reverse reads the address of a name below in-addr.arpa.
func reverse(name string) (netip.Addr, bool) {
	s, ok := strings.CutSuffix(name, ".in-addr.arpa.")
	if !ok {
		return netip.Addr{}, false
	}
	parts := strings.Split(s, ".")
	slices.Reverse(parts)
	a, err := netip.ParseAddr(strings.Join(parts, "."))
	return a, err == nil && a.Is4()
}
