package quic

import (
	"encoding/binary"

	"mirador/internal/proto"
)

const portQUIC = 443

// minShort is the least size of a packet with a short header (RFC 9000 section
// 10.3).
const minShort = 21

// probe recognises a long header. On port 443 one that is well formed is enough,
// and so is a short header, since the flow's beginning may be missing; on any
// other port it has to be of a version that is known, and an Initial packet as
// large as a client must make it.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	known := h.SrcPort == portQUIC || h.DstPort == portQUIC
	if len(b) < 8 {
		return proto.No
	}
	if b[0]&0x80 == 0 {
		if _, rest, ok := readPublic(b); ok && (known || chloAt(rest)) {
			return proto.Yes
		}
		if known && b[0]&0x40 != 0 && len(b) >= minShort {
			return proto.Yes
		}
		return proto.No
	}
	v := binary.BigEndian.Uint32(b[1:])
	if googleVersion(v) {
		return proto.Yes
	}
	hd, ok := readLong(b)
	if !ok || b[0]&0x40 == 0 && v != 0 {
		return proto.No
	}
	if known {
		return proto.Yes
	}
	if dir != proto.ToServer || !supported(v) || hd.kind() != typeInitial || len(b) < minInitial || len(hd.dcid) < 8 {
		return proto.No
	}
	token, n := varint(hd.rest)
	if n == 0 || token > uint64(len(hd.rest)-n) {
		return proto.No
	}
	rest := hd.rest[n+int(token):]
	if size, n := varint(rest); n == 0 || size < 20 || size > uint64(len(rest)-n) {
		return proto.No
	}
	return proto.Yes
}

func chloAt(payload []byte) bool {
	return len(payload) > authHash && chloIn(payload[authHash:]) != nil
}
