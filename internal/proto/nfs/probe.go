package nfs

import (
	"bytes"
	"encoding/binary"

	"mirador/internal/proto"
)

const (
	port    = 2049
	program = 100003
	mark    = 4 // bytes of a record mark: TCP only
	// Bytes of a call before its credentials, and of a reply before its verifier.
	callHead  = 24
	replyHead = 12
)

// probe recognises calls of NFS on any port, replies of RPC on NFS's.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if !h.UDP {
		if b[0]&0x80 == 0 {
			return proto.No
		}
		if len(b) < mark {
			return proto.More
		}
		if n := markLen(b); n < replyHead || n > DefaultMaxIO+MaxRecord {
			return proto.No
		}
		b = b[mark:]
	}
	if len(b) < 8 {
		if h.UDP {
			return proto.No
		}
		return proto.More
	}
	switch binary.BigEndian.Uint32(b[4:]) {
	case 0:
		m := prefix(b[8:], []byte{0, 0, 0, 2, 0, program >> 16, program >> 8 & 0xff, program & 0xff, 0, 0, 0})
		if m == proto.Yes && len(b) < callHead {
			m = proto.More
		}
		if m == proto.More && h.UDP {
			m = proto.No
		}
		if m != proto.Yes {
			return m
		}
		procedure := binary.BigEndian.Uint32(b[20:])
		if v := b[19]; v < 2 || v > 4 || procedure > 255 {
			return proto.No
		}
		if h.UDP && procedure == procNull {
			return proto.More // a ping says nothing yet
		}
		if dir == proto.ToClient {
			return proto.Reversed
		}
		return proto.Yes
	case 1:
		if h.SrcPort != port && h.DstPort != port {
			return proto.No
		}
		m := prefix(b[8:], []byte{0, 0, 0})
		switch {
		case m == proto.No || m == proto.More && h.UDP:
			return proto.No
		case m == proto.More || len(b) < replyHead:
			return proto.More
		case b[11] > 1:
			return proto.No
		case h.UDP:
			return proto.More // a call will tell
		case dir == proto.ToServer && h.SrcPort == port:
			return proto.Reversed
		case dir == proto.ToServer:
			return proto.No
		}
		return proto.Yes
	}
	return proto.No
}

// prefix tells whether b begins with want; More when it is too short.
func prefix(b, want []byte) proto.Match {
	if len(b) < len(want) {
		if bytes.HasPrefix(want, b) {
			return proto.More
		}
		return proto.No
	}
	if bytes.HasPrefix(b, want) {
		return proto.Yes
	}
	return proto.No
}

// markLen returns the length that a record mark gives.
func markLen(b []byte) int { return int(binary.BigEndian.Uint32(b) & (1<<31 - 1)) }

// plausible tells whether b, which holds replyHead bytes, may begin an RPC message.
func plausible(b []byte) bool {
	switch third := binary.BigEndian.Uint32(b[8:]); binary.BigEndian.Uint32(b[4:]) {
	case 0:
		return third == 2
	case 1:
		return third <= 1
	}
	return false
}

// find returns the offset in b of a record mark with a call of NFS behind it, or a
// reply that is waited for. When there is none it returns how much of b need not be
// looked at again, and false.
func (p *parser) find(dir proto.Dir, b []byte) (int, bool) {
	pattern := []byte{0, 0, 0, 0, 0, 0, 0, 2, 0, program >> 16, program >> 8 & 0xff, program & 0xff}
	if dir == proto.ToClient {
		pattern = []byte{0, 0, 0, 1, 0, 0, 0}
	}
	const front = mark + 4
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], pattern)
		if i < 0 {
			return max(0, len(b)-len(pattern)-front+1), false
		}
		at += i
		if at < front || b[at-front]&0x80 == 0 {
			continue
		}
		if dir == proto.ToClient {
			if _, ok := p.pending.Get(binary.BigEndian.Uint32(b[at-4:])); !ok {
				continue
			}
		}
		return at - front, true
	}
}
