package smb

import (
	"bytes"

	"mirador/internal/proto"
)

// Types of session service packets. RFC 1002 section 4.3.
const (
	nbSession   = 0x00
	nbRequest   = 0x81
	nbPositive  = 0x82
	nbNegative  = 0x83
	nbRetarget  = 0x84
	nbKeepAlive = 0x85

	nbHeader = 4
)

// magic tells which version of SMB b begins with: 1, 2, 3 (encrypted), 4
// (compressed), 0 for none; more tells that b is too short.
func magic(b []byte) (version int, more bool) {
	const tail = "SMB"
	for i := range min(len(b), 4) {
		switch {
		case i == 0 && b[0] < 0xfc:
			return 0, false
		case i > 0 && b[i] != tail[i-1]:
			return 0, false
		}
	}
	if len(b) < 4 {
		return 0, true
	}
	switch b[0] {
	case 0xff:
		return 1, false
	case 0xfe:
		return 2, false
	case 0xfd:
		return 3, false
	}
	return 4, false
}

// probe recognises SMB behind a session service header, and that service's own
// packets on its port.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	switch b[0] {
	case nbSession:
	case nbRequest, nbPositive, nbNegative, nbRetarget, nbKeepAlive:
		if h.DstPort != 139 && h.SrcPort != 139 || !soundNB(b) {
			return proto.No
		}
		if len(b) < nbHeader {
			return proto.More
		}
		if b[0] == nbRequest && dir == proto.ToClient || b[0] != nbRequest && b[0] != nbKeepAlive && dir == proto.ToServer {
			return proto.Reversed
		}
		return proto.Yes
	default:
		return proto.No
	}
	if len(b) < nbHeader {
		return proto.More
	}
	v, more := magic(b[nbHeader:])
	switch {
	case more:
		return proto.More
	case v == 0:
		return proto.No
	}
	if n := nbLen(b); n < 32 {
		return proto.No
	}
	return side(dir, b[nbHeader:], v)
}

// soundNB tells whether b may begin a session service packet that is not a
// message: its length is known by its type.
func soundNB(b []byte) bool {
	if len(b) < nbHeader {
		return true
	}
	n := nbLen(b)
	switch b[0] {
	case nbRequest:
		return n >= 34 && n <= 512
	case nbNegative:
		return n == 1
	case nbRetarget:
		return n == 6
	}
	return n == 0
}

// nbLen returns the length that a session service header gives, which TCP without
// NetBIOS widens to 24 bits.
func nbLen(b []byte) int { return int(b[1])<<16 | int(b[2])<<8 | int(b[3]) }

// side compares the direction in a message with the one it was seen in.
func side(dir proto.Dir, b []byte, version int) proto.Match {
	var response bool
	switch version {
	case 1:
		if len(b) < 10 {
			return proto.More
		}
		response = b[9]&0x80 != 0
	case 2:
		if len(b) < 17 {
			return proto.More
		}
		response = b[16]&1 != 0
	default:
		return proto.Yes
	}
	if response != (dir == proto.ToClient) {
		return proto.Reversed
	}
	return proto.Yes
}

// find returns the offset in b of what looks like a session service header with a
// message of SMB behind it. When there is none it returns how much of b need not be
// looked at again, and false.
func find(b []byte) (int, bool) {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("SMB"))
		if i < 0 {
			return max(at, len(b)-nbHeader-3), false
		}
		at += i
		if at >= nbHeader+1 && b[at-1] >= 0xfc && b[at-1-nbHeader] == nbSession {
			return at - 1 - nbHeader, true
		}
		at += 3
	}
}
