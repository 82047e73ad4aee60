package quic

import (
	"encoding/binary"

	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// Packet types of version 1 (RFC 9000 section 17.2).
const (
	typeInitial   = 0
	typeZeroRTT   = 1
	typeHandshake = 2
	typeRetry     = 3
)

// parser follows one flow.
type parser struct {
	c      *proto.Conn
	dcid   [MaxCID]byte // the client's first destination connection id: the keys come of it
	dcidN  int
	known  bool // dcid is set
	keys   [2]*protection
	keysV  uint32 // version the keys are for
	opens  int
	crypto [2]assembly
	hello  [2]bool // the hello of this side has been seen
	flawed bool    // the datagram cannot be read
	retry  bool    // the server has sent a Retry; a client heeds only one
}

// Parse implements proto.Parser; data is one datagram.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	rest := data
	p.flawed = false
	for i := 0; !p.hello[proto.ToClient] && len(rest) > 0; i++ {
		if i == MaxPackets {
			p.c.Limit(limitPackets)
			break
		}
		n := p.packet(dir, rest)
		if n <= 0 || n > len(rest) {
			break
		}
		rest = rest[n:]
	}
	if p.flawed {
		return len(data), 0, proto.Flawed
	}
	return len(data), 0, proto.OK
}

// Gap implements proto.Parser; datagrams have none.
func (p *parser) Gap(proto.Dir, int) bool { return true }

// newTx makes the transaction of a packet.
func (p *parser) newTx(dir proto.Dir, version uint32) *Tx {
	t := &Tx{Version: version}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	t.Advance(dir, 1)
	return t
}

// long is a long header in the form that all versions share.
type long struct {
	first      byte
	version    uint32
	dcid, scid []byte
	rest       []byte // behind the connection ids
}

// readLong reads a long header of the IETF's QUIC.
func readLong(b []byte) (h long, ok bool) {
	if len(b) < 7 || b[0]&0x80 == 0 {
		return h, false
	}
	h.first, h.version = b[0], binary.BigEndian.Uint32(b[1:])
	b = b[5:]
	for _, id := range [2]*[]byte{&h.dcid, &h.scid} {
		if len(b) < 1 || int(b[0]) > MaxCID || len(b)-1 < int(b[0]) {
			return h, false
		}
		n := 1 + int(b[0])
		*id, b = b[1:n], b[n:]
	}
	h.rest = b
	return h, true
}

// kind returns the packet type of a long header, in version 1's numbers.
func (h *long) kind() int {
	t := int(h.first >> 4 & 3)
	if h.version == version2 {
		t = (t + 3) & 3 // version 2 counts one further
	}
	return t
}

// packet looks at the packet b begins with, and returns its length, 0 when
// nothing behind it can be found.
func (p *parser) packet(dir proto.Dir, b []byte) int {
	if b[0]&0x80 == 0 {
		p.googlePublic(dir, b)
		return 0
	}
	if len(b) >= 5 && googleVersion(binary.BigEndian.Uint32(b[1:])) {
		p.googleLong(dir, b)
		return 0
	}
	h, ok := readLong(b)
	p.flawed = !ok
	if !ok || dir == proto.ToServer && p.hello[proto.ToServer] {
		return 0
	}
	switch {
	case h.version == 0: // version negotiation: the client begins anew
		p.newTx(dir, 0)
		p.restart()
		return 0
	case h.version != version1 && h.version != version2 && h.kind() != typeInitial:
	case h.kind() == typeInitial:
		return p.initial(dir, b, &h)
	case h.kind() == typeRetry && dir == proto.ToClient:
		if !p.retry {
			p.retry = true
			p.restart()
		}
	}
	p.newTx(dir, h.version)
	return 0
}

// restart forgets the first attempt of a connection.
func (p *parser) restart() {
	p.known, p.keys = false, [2]*protection{}
	p.hello = [2]bool{}
	p.crypto = [2]assembly{}
}

// initial opens an Initial packet and returns its length.
func (p *parser) initial(dir proto.Dir, b []byte, h *long) int {
	t := p.newTx(dir, h.version)
	if !supported(h.version) {
		return 0
	}
	token, n := varint(h.rest)
	if n == 0 || token > uint64(len(h.rest)-n) {
		t.AddEvent(EventErrorOnData)
		return 0
	}
	at := len(b) - len(h.rest) + n + int(token)
	size, n := varint(b[at:])
	at += n
	if n == 0 || size > uint64(len(b)-at) {
		t.AddEvent(EventErrorOnData)
		p.flawed = true
		return 0
	}
	end := at + int(size)
	plain, ok := p.open(dir, b[:end], at, h)
	if !ok {
		t.AddEvent(EventFailedDecrypt)
		return end
	}
	p.frames(t, plain)
	return end
}

// supported tells whether the keys of version v's Initial packets are known.
func supported(v uint32) bool {
	return v == version1 || v == version2 || v >= draftFirst && v <= draftLast
}

// open takes the protection off the Initial packet pkt, whose packet number
// begins at off. A client's packet that the known keys do not fit begins a new
// connection.
func (p *parser) open(dir proto.Dir, pkt []byte, off int, h *long) ([]byte, bool) {
	if p.opens >= MaxOpens {
		p.c.Limit(limitInitials)
		return nil, false
	}
	p.opens++
	if p.known {
		if plain, ok := p.key(dir, h.version).open(pkt, off); ok || dir == proto.ToClient {
			return plain, ok
		}
	}
	if dir == proto.ToClient {
		return nil, false
	}
	p.dcidN, p.known = copy(p.dcid[:], h.dcid), true
	p.keys = [2]*protection{}
	return p.key(dir, h.version).open(pkt, off)
}

// key returns the keys of what side dir sends, made when first needed.
func (p *parser) key(dir proto.Dir, version uint32) *protection {
	if p.keysV != version {
		p.keysV, p.keys = version, [2]*protection{}
	}
	if p.keys[dir] == nil {
		p.keys[dir] = initialKeys(p.dcid[:p.dcidN], version, dir)
	}
	return p.keys[dir]
}

// Frame types that an Initial packet may hold (RFC 9000 section 12.4).
const (
	framePadding = 0x00
	framePing    = 0x01
	frameACK     = 0x02
	frameACKECN  = 0x03
	frameCrypto  = 0x06
	frameClose   = 0x1c
)

// frames reads the frames of an Initial packet.
func (p *parser) frames(t *Tx, b []byte) {
	for len(b) > 0 {
		typ, n := varint(b)
		if n == 0 {
			return
		}
		b = b[n:]
		ok := true
		switch typ {
		case framePadding, framePing:
		case frameACK, frameACKECN:
			b, ok = skipACK(b, typ == frameACKECN)
		case frameCrypto:
			b, ok = p.cryptoFrame(t, b)
		default:
			return // the connection is being closed, or this is no QUIC we know
		}
		if !ok {
			t.AddEvent(EventErrorOnData)
			return
		}
	}
}

// skipACK steps over the body of an ACK frame.
func skipACK(b []byte, ecn bool) ([]byte, bool) {
	var head [4]uint64 // largest, delay, number of ranges, first range
	for i := range head {
		v, n := varint(b)
		if n == 0 {
			return nil, false
		}
		head[i], b = v, b[n:]
	}
	more := head[2]
	if more > uint64(len(b)) {
		return nil, false
	}
	more *= 2
	if ecn {
		more += 3
	}
	for ; more > 0; more-- {
		_, n := varint(b)
		if n == 0 {
			return nil, false
		}
		b = b[n:]
	}
	return b, true
}

// cryptoFrame reads the body of a CRYPTO frame and keeps its bytes.
func (p *parser) cryptoFrame(t *Tx, b []byte) ([]byte, bool) {
	off, n := varint(b)
	if n == 0 {
		return nil, false
	}
	b = b[n:]
	size, n := varint(b)
	if n == 0 || size > uint64(len(b)-n) {
		return nil, false
	}
	data, rest := b[n:n+int(size)], b[n+int(size):]
	a := &p.crypto[t.Dir]
	if !a.add(off, data) {
		t.AddEvent(EventCryptoTooLong)
		return rest, true
	}
	if m := a.message(); m != nil && !p.hello[t.Dir] {
		p.helloMessage(t, m)
	}
	return rest, true
}

// Handshake types.
const (
	hsClientHello = 1
	hsServerHello = 2
)

// helloMessage reads the first handshake message of a side.
func (p *parser) helloMessage(t *Tx, m []byte) {
	var h ja.Hello
	switch {
	case m[0] == hsClientHello && t.Dir == proto.ToServer:
		h = ja.ParseClient(m[4:])
		t.SNI = h.SNI
	case m[0] == hsServerHello && t.Dir == proto.ToClient:
		h = ja.ParseServer(m[4:])
	default:
		t.AddEvent(EventErrorOnData)
		return
	}
	if len(h.Random) == 0 {
		t.AddEvent(EventErrorOnData)
		return
	}
	if h.Full() {
		p.c.Limit(limitHello)
	}
	t.Hello = &h
	p.hello[t.Dir] = true
	p.crypto[t.Dir] = assembly{}
}

// varint reads a variable-length integer (RFC 9000 section 16) and returns how
// many bytes it took, 0 when b is too short.
func varint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, 0
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n
}
