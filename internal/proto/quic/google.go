package quic

import (
	"bytes"
	"encoding/binary"

	"mirador/internal/proto"
)

// Bits of the public flags of Google's QUIC up to Q043.
const (
	publicVersion = 0x01
	publicReset   = 0x02
	publicNonce   = 0x04
	publicCID     = 0x08
	publicNumber  = 0x30
	publicUnused  = 0xc0
)

// authHash is the length of the hash in front of an unencrypted payload.
const authHash = 12

// readPublic reads the public header of a client's packet: flags, connection id,
// version, packet number. It returns what is behind it.
func readPublic(b []byte) (version uint32, rest []byte, ok bool) {
	const head = 1 + 8 + 4
	if len(b) < head || b[0]&(publicVersion|publicCID|publicReset|publicUnused) != publicVersion|publicCID {
		return 0, nil, false
	}
	version = binary.BigEndian.Uint32(b[9:])
	if !googleVersion(version) {
		return 0, nil, false
	}
	n := numberLen(b[0] & publicNumber >> 4)
	if len(b) < head+n {
		return 0, nil, false
	}
	return version, b[head+n:], true
}

// numberLen returns the length of a packet number or offset coded with two bits.
func numberLen(bits byte) int { return [4]int{1, 2, 4, 6}[bits&3] }

// googlePublic looks at a packet in the form up to Q043. The server's packets do
// not say what they are and are left alone.
func (p *parser) googlePublic(dir proto.Dir, b []byte) {
	version, rest, ok := readPublic(b)
	if !ok {
		return
	}
	p.googlePacket(dir, version, rest)
}

// googleLong looks at a packet in the form of Q044 to Q046: long header, one
// byte for the lengths of both connection ids, packet number.
func (p *parser) googleLong(dir proto.Dir, b []byte) {
	if len(b) < 6 {
		return
	}
	ids := 0
	for _, n := range [2]byte{b[5] >> 4, b[5] & 15} {
		if n > 0 {
			ids += int(n) + 3
		}
	}
	at := 6 + ids + int(b[0]&3) + 1
	if len(b) < at {
		return
	}
	p.googlePacket(dir, binary.BigEndian.Uint32(b[1:]), b[at:])
}

// googlePacket makes the transaction of a packet and looks for a CHLO in it.
func (p *parser) googlePacket(dir proto.Dir, version uint32, payload []byte) {
	t := p.newTx(dir, version)
	if dir != proto.ToServer || len(payload) < authHash {
		return
	}
	if m := chloIn(payload[authHash:]); m != nil {
		if !t.chlo(m) {
			p.c.Limit(limitTags)
		}
	}
}

// Frame types of Google's QUIC.
const (
	googlePadding     = 0x00
	googleStopWaiting = 0x06
	googlePing        = 0x07
	googleStream      = 0x80
	googleACK         = 0x40
)

// chloIn returns the stream data that begins with a CHLO message.
func chloIn(b []byte) []byte {
	for len(b) > 0 {
		typ := b[0]
		switch {
		case typ&googleStream != 0:
			data, rest, ok := streamFrame(b)
			if !ok {
				return nil
			}
			if bytes.HasPrefix(data, []byte("CHLO")) {
				return data
			}
			b = rest
		case typ&googleACK != 0:
			n := ackLen(b)
			if n == 0 || n > len(b) {
				return nil
			}
			b = b[n:]
		case typ == googlePadding || typ == googlePing:
			b = b[1:]
		default:
			return nil
		}
	}
	return nil
}

// streamFrame reads a STREAM frame 1fdooossB: fin, data length present, offset
// length, stream id length.
func streamFrame(b []byte) (data, rest []byte, ok bool) {
	typ := b[0]
	at := 1 + int(typ&3) + 1
	if off := int(typ >> 2 & 7); off > 0 {
		at += off + 1
	}
	if typ&0x20 == 0 {
		if at > len(b) {
			return nil, nil, false
		}
		return b[at:], nil, true
	}
	if at+2 > len(b) {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[at:]))
	at += 2
	if n > len(b)-at {
		return nil, nil, false
	}
	return b[at : at+n], b[at+n:], true
}

// ackLen returns the length of an ACK frame 01ntllmm, 0 when it is cut.
func ackLen(b []byte) int {
	typ := b[0]
	block := numberLen(typ & 3)
	at := 1 + numberLen(typ>>2&3) + 2
	blocks := 0
	if typ&0x20 != 0 {
		if at >= len(b) {
			return 0
		}
		blocks = int(b[at])
		at++
	}
	at += block + blocks*(1+block)
	if at >= len(b) {
		return 0
	}
	if stamps := int(b[at]); stamps > 0 {
		at += 5 + 3*(stamps-1)
	}
	return at + 1
}

// chlo reads a CHLO message: its tag, the number of tags, then each tag with the
// end of its value, then the values. It returns false when there are more tags than are
// read.
func (t *Tx) chlo(m []byte) bool {
	if len(m) < 8 {
		return true
	}
	n := int(binary.LittleEndian.Uint16(m[4:]))
	if n > MaxTags {
		return false
	}
	if len(m)-8 < 8*n {
		return true
	}
	index, values := m[8:8+8*n], m[8+8*n:]
	v := t.Version
	// The digits of "Q046" without leading zeros.
	text := append(make([]byte, 0, 8+5*n), byte(v>>8), byte(v))
	if text[0] == '0' {
		text = text[1:]
	}
	sep, from := byte(','), uint32(0)
	for ; len(index) >= 8; index = index[8:] {
		tag, end := index[:4], binary.LittleEndian.Uint32(index[4:])
		text = append(append(text, sep), bytes.TrimRight(tag, "\x00")...)
		sep = '-'
		if from <= end && uint64(end) <= uint64(len(values)) {
			value := values[from:end]
			switch string(tag) {
			case "SNI\x00":
				t.SNI = append([]byte{}, value...)
			case "UAID":
				t.UserAgent = append([]byte{}, value...)
			}
		}
		from = end
	}
	t.CYU = text
	return true
}
