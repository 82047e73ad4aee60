package krb5

import (
	"encoding/binary"

	"mirador/internal/proto"
)

const (
	// probeLen is how many bytes of a message tell that it is one.
	probeLen = 16
	// minMessage is the shortest message taken for one.
	minMessage = 16
)

// probe recognises a message by its tag and version.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if h.UDP {
		if len(b) < minMessage || !sound(b) {
			return proto.No
		}
		return side(dir, b[0], h)
	}
	if b[0] != 0 || len(b) > 1 && b[1] > 3 {
		return proto.No
	}
	if len(b) < 4 {
		return proto.More
	}
	if n := int(binary.BigEndian.Uint32(b)); n < minMessage || n > MaxMessage {
		return proto.No
	}
	if len(b) > 4 && !tagged(b[4]) {
		return proto.No
	}
	if len(b) < 4+probeLen {
		return proto.More
	}
	if !sound(b[4:]) {
		return proto.No
	}
	return side(dir, b[4], h)
}

// side turns a flow around whose first message comes from the server's port.
func side(dir proto.Dir, tag byte, h proto.Hint) proto.Match {
	server := h.SrcPort == port && h.DstPort != port
	request := tag == tagApplication|ASReq || tag == tagApplication|TGSReq
	if dir == proto.ToServer && server && !request {
		return proto.Reversed
	}
	return proto.Yes
}

func tagged(b byte) bool {
	switch b {
	case tagApplication | ASReq, tagApplication | ASRep, tagApplication | TGSReq, tagApplication | TGSRep, tagApplication | Error:
		return true
	}
	return false
}

// sound tells whether b, of probeLen bytes at least, begins with an application tag
// of a message, a sequence and the version.
func sound(b []byte) bool {
	if !tagged(b[0]) {
		return false
	}
	b = b[:probeLen]
	at, ok := enter(b, 0)
	if !ok || at >= len(b) || b[at] != tagSequence {
		return false
	}
	if at, ok = enter(b, at); !ok || at+5 > len(b) {
		return false
	}
	// [0] or [1] pvno INTEGER 5
	return b[at]&^1 == tagContext && b[at+1] == 3 && b[at+2] == tagInteger && b[at+3] == 1 && b[at+4] == 5
}

// enter returns where the content of the element at offset at of b begins; the
// content need not be there.
func enter(b []byte, at int) (int, bool) {
	if at+2 > len(b) {
		return 0, false
	}
	n := int(b[at+1])
	if n < 0x80 {
		return at + 2, true
	}
	if n &= 0x7f; n == 0 || n > 4 {
		return 0, false
	}
	return at + 2 + n, true
}
