package dcerpc

import "mirador/internal/proto"

// maxType is the highest type of PDU that is assigned.
const maxType = 20

// probe recognises the header of a first fragment, in either direction.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if h.UDP {
		d, ok := readDG(b)
		if !ok || d.typ > 10 || int(d.size) > len(b)-dgLen {
			return proto.No
		}
		return side(dir, dgFromClient(d.typ), true)
	}
	if b[0] != 5 || len(b) > 1 && b[1] > 1 || len(b) > 2 && b[2] > maxType {
		return proto.No
	}
	if len(b) < headerLen {
		return proto.More
	}
	if !plausible(b) {
		return proto.No
	}
	switch b[2] {
	case TypeRequest, TypeBind, TypeAlterContext, TypeAuth3:
		return side(dir, true, h.Midstream)
	case TypeResponse, TypeFault, TypeBindAck, TypeBindNak, TypeAlterResp:
		return side(dir, false, h.Midstream)
	}
	return proto.Yes
}

// plausible tells whether b, of headerLen bytes at least, may begin a fragment.
func plausible(b []byte) bool {
	h, _ := ReadHeader(b)
	return h.Major == 5 && h.Minor <= 1 && h.Type <= maxType && b[4]&0xee == 0 && b[5] <= 3 && b[6]|b[7] == 0 &&
		h.Len >= headerLen && h.AuthLen < h.Len
}

// side compares the direction a packet comes from with the one it should.
func side(dir proto.Dir, client, mayTurn bool) proto.Match {
	if client != (dir == proto.ToServer) && mayTurn {
		return proto.Reversed
	}
	return proto.Yes
}

// dgFromClient tells whether version 4 packets of type t come from the client.
func dgFromClient(t uint8) bool {
	switch t {
	case TypeRequest, TypePing, 7, 8: // ack, cancel
		return true
	}
	return false
}
