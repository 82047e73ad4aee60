package tls

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// probe recognises a TLS record header with a sensible first message, or an SSL
// 2.0 hello.
func probe(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	if b[0]&0x80 != 0 {
		return probeV2(dir, b)
	}
	if b[0] < recCCS || b[0] > recHeartbeat {
		return proto.No
	}
	if len(b) >= 2 && b[1] != 3 || len(b) >= 3 && b[2] > 4 {
		return proto.No
	}
	if len(b) < 6 {
		return proto.More
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n == 0 && b[0] != recHandshake || n > maxRecord {
		return proto.No
	}
	if b[0] != recHandshake || !h.Midstream {
		return proto.Yes
	}
	from := proto.ToClient
	switch b[5] {
	case hsClientHello:
		from = proto.ToServer
	case hsServerHello:
	default:
		return proto.Yes
	}
	if dir != from {
		return proto.Reversed
	}
	return proto.Yes
}

// probeV2 recognises a ClientHello or ServerHello of SSL 2.0 with a 2-byte
// header: the lengths in it must add up.
func probeV2(dir proto.Dir, b []byte) proto.Match {
	if len(b) < 11 {
		if len(b) > 2 && b[2] != v2ClientHello && b[2] != v2ServerHello {
			return proto.No
		}
		return proto.More
	}
	n := int(b[0]&0x7f)<<8 | int(b[1])
	u16 := func(i int) int { return int(binary.BigEndian.Uint16(b[i:])) }
	switch {
	case b[2] == v2ClientHello && dir == proto.ToServer:
		v := u16(3)
		if v != 0x0002 && (v < 0x0300 || v > 0x0304) {
			return proto.No
		}
		suites, id, challenge := u16(5), u16(7), u16(9)
		if suites == 0 || suites%3 != 0 || id != 0 && id != 16 || challenge < 16 || challenge > 32 ||
			n != 9+suites+id+challenge {
			return proto.No
		}
		return proto.Yes
	case b[2] == v2ServerHello && dir == proto.ToClient && u16(5) == 2 && b[3] <= 1:
		return proto.Yes
	}
	return proto.No
}
