package vpc

import (
	"encoding/binary"
	"net/netip"

	"mirador/internal/packet"
)

// head is what the network reads of a frame: enough to route, judge and track it.
type head struct {
	frame        []byte // the whole Ethernet frame
	l4           int    // offset of the transport header; 0 when there is none to read
	version      uint8
	proto        uint8
	src, dst     netip.Addr
	sport, dport uint16 // TCP, UDP, SCTP; ICMP echo: its identifier in both
	icmpType     uint8
	icmpCode     uint8
	tcpFlags     uint8
	fragment     bool // not the first fragment: ports are those of the first one, if known
	first        bool // the first of several fragments
	fragID       uint32

	mirrored bool   // made by a mirror session: not tracked, and not mirrored again
	endpoint uint64 // interface of the Gateway Load Balancer endpoint that took it
}

const (
	lenEthernet = 14
	lenIPv4     = 20
	lenIPv6     = 40
	lenUDP      = 8
	lenVXLAN    = 8
)

// TCP flags that end or begin a connection.
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// parse reads the headers of frame, which has an Ethernet header with an EtherType of
// IPv4 or IPv6. A reason other than passed means that the frame cannot be forwarded.
func (h *head) parse(frame []byte) Reason {
	*h = head{frame: frame}
	if len(frame) < lenEthernet {
		return DropShort
	}
	switch binary.BigEndian.Uint16(frame[12:]) {
	case packet.EtherTypeIPv4:
		return h.parse4(frame[lenEthernet:])
	case packet.EtherTypeIPv6:
		return h.parse6(frame[lenEthernet:])
	}
	return DropEtherType
}

func (h *head) parse4(ip []byte) Reason {
	if len(ip) < lenIPv4 || ip[0]>>4 != 4 {
		return DropShort
	}
	hdr, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if hdr < lenIPv4 || total < hdr || total > len(ip) {
		return DropShort
	}
	// Ethernet pads short frames; what comes after the packet is not part of it.
	h.frame = h.frame[:lenEthernet+total]
	h.version, h.proto = 4, ip[9]
	h.src, h.dst = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	off := binary.BigEndian.Uint16(ip[6:])
	h.fragID = uint32(binary.BigEndian.Uint16(ip[4:]))
	h.fragment = off&0x1fff != 0
	h.first = !h.fragment && off&0x2000 != 0
	h.l4 = lenEthernet + hdr
	return h.transport()
}

func (h *head) parse6(ip []byte) Reason {
	if len(ip) < lenIPv6 || ip[0]>>4 != 6 {
		return DropShort
	}
	total := lenIPv6 + int(binary.BigEndian.Uint16(ip[4:]))
	if total > len(ip) {
		return DropShort
	}
	h.frame = h.frame[:lenEthernet+total]
	ip = ip[:total]
	h.version = 6
	h.src, h.dst = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
	next, at := ip[6], lenIPv6
	for range maxExtHeaders {
		size := 0
		switch next {
		case packet.ProtoHopOpts, packet.ProtoRouting, packet.ProtoDstOpts:
			if at+8 > len(ip) {
				return DropShort
			}
			size = 8 * (int(ip[at+1]) + 1)
		case packet.ProtoFragment:
			if at+8 > len(ip) {
				return DropShort
			}
			off := binary.BigEndian.Uint16(ip[at+2:])
			h.fragID = binary.BigEndian.Uint32(ip[at+4:])
			h.fragment = off>>3 != 0
			h.first = !h.fragment && off&1 != 0
			size = 8
		default:
			h.proto, h.l4 = next, lenEthernet+at
			return h.transport()
		}
		next = ip[at]
		if at += size; at > len(ip) {
			return DropShort
		}
	}
	return DropShort
}

// transport reads ports, or type and code, at h.l4.
func (h *head) transport() Reason {
	if h.fragment {
		h.l4 = 0
		return passed
	}
	b := h.frame[h.l4:]
	switch h.proto {
	case packet.ProtoTCP:
		if len(b) < 20 {
			return DropShort
		}
		h.tcpFlags = b[13]
		h.sport, h.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case packet.ProtoUDP, packet.ProtoSCTP:
		if len(b) < lenUDP {
			return DropShort
		}
		h.sport, h.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case packet.ProtoICMP, packet.ProtoICMPv6:
		if len(b) < 8 {
			return DropShort
		}
		h.icmpType, h.icmpCode = b[0], b[1]
		if h.echo() {
			id := binary.BigEndian.Uint16(b[4:])
			h.sport, h.dport = id, id
		}
	}
	return passed
}

// echo tells that h is an ICMP echo request or reply.
func (h *head) echo() bool {
	if h.proto == packet.ProtoICMP {
		return h.icmpType == 0 || h.icmpType == 8
	}
	return h.proto == packet.ProtoICMPv6 && (h.icmpType == 128 || h.icmpType == 129)
}

// icmpError tells that h reports about another packet, which it quotes.
func (h *head) icmpError() bool {
	if h.proto == packet.ProtoICMP {
		return h.icmpType == 3 || h.icmpType == 11 || h.icmpType == 12
	}
	return h.proto == packet.ProtoICMPv6 && h.icmpType >= 1 && h.icmpType <= 4
}

// quoted reads the packet that an ICMP error quotes; false when too little is there.
func (h *head) quoted() (q head, ok bool) {
	b := h.frame[h.l4:]
	if len(b) < 8 {
		return q, false
	}
	b = b[8:]
	if h.version == 4 {
		if len(b) < lenIPv4+4 || b[0]>>4 != 4 {
			return q, false
		}
		hdr := int(b[0]&15) * 4
		if hdr < lenIPv4 || len(b) < hdr+8 {
			return q, false
		}
		q.version, q.proto = 4, b[9]
		q.src, q.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		b = b[hdr:]
	} else {
		if len(b) < lenIPv6+8 || b[0]>>4 != 6 {
			return q, false
		}
		q.version, q.proto = 6, b[6]
		q.src, q.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		b = b[lenIPv6:]
	}
	switch q.proto {
	case packet.ProtoTCP, packet.ProtoUDP, packet.ProtoSCTP:
		q.sport, q.dport = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case packet.ProtoICMP, packet.ProtoICMPv6:
		q.icmpType = b[0]
		if q.echo() {
			q.sport = binary.BigEndian.Uint16(b[4:])
			q.dport = q.sport
		}
	}
	return q, true
}
