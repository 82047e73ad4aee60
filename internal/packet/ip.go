package packet

import "encoding/binary"

const (
	lenIPv4 = 20
	lenIPv6 = 40
)

// v4Prefix is how an IPv4 address begins in an Addr (RFC 4291 section 2.5.5.2).
var v4Prefix = [12]byte{10: 0xff, 11: 0xff}

// AddrFrom4 returns the Addr of an IPv4 address.
func AddrFrom4(b [4]byte) Addr {
	var a Addr
	a.set4(b[:])
	return a
}

// set4 stores an IPv4 address in a, which must be all zero. One store of 8 bytes: with
// smaller ones, reading the address soon after has to wait for them.
func (a *Addr) set4(b []byte) {
	binary.LittleEndian.PutUint64(a[8:], 0xffff_0000|uint64(binary.LittleEndian.Uint32(b))<<32)
}

// Is4 tells whether a has the form of an IPv4 address.
func (a Addr) Is4() bool { return [12]byte(a[:12]) == v4Prefix }

// ipv4 decodes an IPv4 header (RFC 791) at off and what it carries.
func (d *Decoder) ipv4(p *Parsed, off int, in *inner) {
	p.Seen |= SeenIPv4
	if !d.enter(p) {
		return
	}
	b := p.Data[off:]
	if len(b) < lenIPv4 {
		p.fail(IPv4PktTooSmall)
		return
	}
	h := b[:lenIPv4:lenIPv4]
	if h[0]>>4 != 4 {
		p.fail(IPv4WrongIPVersion)
		return
	}
	hlen := int(h[0]&0x0f) * 4
	if hlen < lenIPv4 {
		p.fail(IPv4HLenTooSmall)
		return
	}
	total := int(be16(h[2:4]))
	if total < hlen {
		p.fail(IPv4IPLenSmallerThanHLen)
		return
	}
	end := off + total
	if total > len(b) {
		p.AddEvent(IPv4TruncPkt)
		p.Truncated = true
		end = len(p.Data)
		if d.opts.StopTruncated && p.Recursion == 0 || hlen > len(b) {
			p.Invalid = true
			return
		}
	}
	p.IPVersion = 4
	p.TOS = h[1]
	p.TTL = h[8]
	p.Proto = h[9]
	p.IPID = uint32(be16(h[4:6]))
	p.Src.set4(h[12:16])
	p.Dst.set4(h[16:20])
	p.L3, p.L3Len, p.IPEnd, p.IPTotal = off, hlen, end, total
	p.Payload, p.PayloadEnd = off+hlen, end
	p.Depth = DepthNet
	if hlen > lenIPv4 {
		checkIPv4Options(p, b[lenIPv4:hlen])
	}
	frag := be16(h[6:8])
	p.DontFrag = frag&0x4000 != 0
	if frag&0x3fff != 0 {
		p.Fragment = true
		p.MoreFrags = frag&0x2000 != 0
		p.FragOffset = frag << 3
		return
	}
	switch p.Proto {
	case ProtoTCP:
		d.tcp(p)
	case ProtoUDP:
		d.udp(p, in)
	case ProtoICMP:
		d.icmp4(p)
	case ProtoGRE:
		d.gre(p, in)
	case ProtoSCTP:
		d.sctp(p)
	case ProtoESP:
		d.esp(p)
	case ProtoIGMP:
		p.Seen |= SeenIGMP
	case ProtoIPIP:
		p.Seen |= SeenIPv4InIPv4
		in.set(innerIPv4, p.Payload, end, FromTunnelIPv4)
	case ProtoIPv6:
		p.Seen |= SeenIPv6InIPv4
		in.set(innerIPv6, p.Payload, end, FromTunnelIPv6)
	case ProtoICMPv6:
		p.fail(IPv4WithICMPv6)
	}
}

// IPv4 option types (IANA IP option numbers), copy flag included.
const (
	IPOptEOL         = 0
	IPOptNOP         = 1
	IPOptRR          = 7
	IPOptQS          = 25
	IPOptTS          = 68
	IPOptSecurity    = 130
	IPOptLSRR        = 131
	IPOptESec        = 133
	IPOptCIPSO       = 134
	IPOptStreamID    = 136
	IPOptSSRR        = 137
	IPOptRouterAlert = 148
)

// checkIPv4Options raises the events of the options of one header.
func checkIPv4Options(p *Parsed, opts []byte) {
	if len(opts)%8 != 0 {
		p.AddEvent(IPv4OptPadRequired)
	}
	var seen uint16
	for len(opts) > 0 {
		kind := opts[0]
		if kind == IPOptEOL {
			return
		}
		if kind == IPOptNOP {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 {
			p.AddEvent(IPv4OptEOLRequired)
			return
		}
		n := int(opts[1])
		if n < 2 || n > len(opts) {
			p.fail(IPv4OptInvalidLen)
			return
		}
		index, e := checkIPv4Option(opts[:n])
		switch {
		case e != EventNone:
			p.fail(e)
		case seen&(1<<index) != 0:
			p.AddEvent(IPv4OptDuplicate)
		}
		seen |= 1 << index
		opts = opts[n:]
	}
}

// checkIPv4Option checks one option, type and length bytes included. index is its
// place in the set of known options.
func checkIPv4Option(o []byte) (index uint, e Event) {
	switch o[0] {
	case IPOptRR:
		return 1, checkRoute(o)
	case IPOptLSRR:
		return 2, checkRoute(o)
	case IPOptSSRR:
		return 3, checkRoute(o)
	case IPOptTS:
		return 4, checkTimestamp(o)
	case IPOptQS: // RFC 4782
		return 5, wantLen(len(o) == 8)
	case IPOptSecurity: // RFC 1108: at least type, length and level
		return 6, wantLen(len(o) >= 3)
	case IPOptESec:
		return 7, wantLen(len(o) >= 3)
	case IPOptCIPSO:
		return 8, checkCIPSO(o)
	case IPOptStreamID:
		return 9, wantLen(len(o) == 4)
	case IPOptRouterAlert: // RFC 2113
		return 10, wantLen(len(o) == 4)
	}
	return 0, IPv4OptInvalid
}

func wantLen(ok bool) Event {
	if ok {
		return EventNone
	}
	return IPv4OptInvalidLen
}

// checkRoute checks a source route or record route option: the pointer counts from
// 1 and points at an address slot, or right behind the last (RFC 791 section 3.1).
func checkRoute(o []byte) Event {
	if len(o) < 3 {
		return IPv4OptInvalidLen
	}
	ptr := int(o[2])
	if ptr < 4 || ptr%4 != 0 || ptr > len(o)+1 {
		return IPv4OptMalformed
	}
	return EventNone
}

// checkTimestamp checks a timestamp option: flag 0 has times of 4 bytes, 1 and 3
// pairs of address and time (RFC 791 section 3.1).
func checkTimestamp(o []byte) Event {
	if len(o) < 4 {
		return IPv4OptInvalidLen
	}
	ptr, flag := int(o[2]), o[3]&0x0f
	size := 4
	if flag != 0 {
		size = 8
	}
	if ptr < 5 || (ptr-5)%size != 0 || ptr > len(o)+1 {
		return IPv4OptMalformed
	}
	return EventNone
}

// checkCIPSO checks the tags of a commercial security option (FIPS 188): they
// fill the option after its domain of interpretation.
func checkCIPSO(o []byte) Event {
	if len(o) < 8 {
		return IPv4OptInvalidLen
	}
	tags := o[6:]
	for len(tags) > 0 {
		if len(tags) < 2 {
			return IPv4OptMalformed
		}
		n := int(tags[1])
		if n < 2 || n > len(tags) {
			return IPv4OptMalformed
		}
		if kind := tags[0]; kind == 1 || kind == 2 || kind == 5 {
			if n < 4 || tags[2] != 0 { // alignment byte
				return IPv4OptMalformed
			}
		}
		tags = tags[n:]
	}
	return EventNone
}

// IPv4Option is one option of an IPv4 header.
type IPv4Option struct {
	Type byte
	Data []byte // after the length byte; nil for EOL and NOP
}

// IPv4Options walks the options of an IPv4 header. It stops at the end of the list
// (which it yields), or where the list is malformed.
//
//	for it := p.IPv4Options(); it.Next(); {
//		use(it.Option)
//	}
type IPv4Options struct {
	Option IPv4Option
	rest   []byte
}

// IPv4Options returns an iterator over p's options; empty when p is not IPv4.
func (p *Parsed) IPv4Options() IPv4Options {
	if p.IPVersion != 4 || p.L3Len <= lenIPv4 {
		return IPv4Options{}
	}
	return IPv4Options{rest: p.Data[p.L3+lenIPv4 : p.L3+p.L3Len]}
}

// Next goes to the next option; false when there is none.
func (o *IPv4Options) Next() bool {
	if len(o.rest) == 0 {
		return false
	}
	kind := o.rest[0]
	switch kind {
	case IPOptEOL:
		o.Option, o.rest = IPv4Option{Type: kind}, nil
		return true
	case IPOptNOP:
		o.Option, o.rest = IPv4Option{Type: kind}, o.rest[1:]
		return true
	}
	if len(o.rest) < 2 || o.rest[1] < 2 || int(o.rest[1]) > len(o.rest) {
		o.rest = nil
		return false
	}
	n := o.rest[1]
	o.Option = IPv4Option{Type: kind, Data: o.rest[2:n:n]}
	o.rest = o.rest[n:]
	return true
}
