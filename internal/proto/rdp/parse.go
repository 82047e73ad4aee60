package rdp

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"

	"mirador/internal/proto"
)

// Framing: TPKT (4 bytes), then X.224 with its length and type.
const (
	tpktVersion = 3
	headLen     = 4
	connLen     = 7 // connection request or confirm without content
	negoLen     = 8
	request     = 0xe0
	confirm     = 0xd0
	data        = 0xf0
)

// Kind is the kind of a message.
type Kind uint8

// Kinds of messages.
const (
	InitialRequest Kind = iota
	InitialResponse
	ConnectRequest
	ConnectResponse
	TLSHandshake
)

// Tx is a message.
type Tx struct {
	proto.TxBase
	Kind     Kind
	Cookie   []byte
	Flags    uint8 // of the negotiation
	Nego     uint8 // 0 none, 1 request, 2 response, 3 failure
	Protocol uint32
	Serials  [][]byte
	Client   *Client
	Channels []string
	more     bool // there were more channels than are kept
}

// Client is what a client says of itself (TS_UD_CS_CORE).
type Client struct {
	Version              uint32
	Width, Height        uint16
	Depth                uint16
	Layout, Build        uint32
	Name                 string
	KeyType, SubType     uint32
	FunctionKeys         uint32
	IME                  string
	Product              uint16
	Capabilities         uint16
	ID                   string
	Hint                 uint8
	HasProduct, HasFlags bool
}

// parser follows one flow.
type parser struct {
	c     *proto.Conn
	tls   bool    // agreed on: what follows are TLS records
	over  [2]bool // a direction that is not looked at any more
	skip  [2]uint64
	hs    []byte // handshake messages of the server
	count int
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, b []byte, _ bool) (used, need int, st proto.Status) {
	for used < len(b) {
		if p.over[dir] {
			return len(b), 0, proto.OK
		}
		if p.skip[dir] > 0 {
			k := min(p.skip[dir], uint64(len(b)-used))
			p.skip[dir] -= k
			used += int(k)
			continue
		}
		in := b[used:]
		if p.tls {
			n, want := p.record(dir, in)
			if n == 0 && !p.over[dir] {
				return used, want, proto.OK
			}
			used += n
			continue
		}
		if in[0] != tpktVersion { // fast-path, or encrypted
			p.over[dir] = true
			continue
		}
		if len(in) < headLen {
			return used, headLen, proto.OK
		}
		n := int(binary.BigEndian.Uint16(in[2:]))
		if n < headLen+3 {
			return used, 0, proto.Broken
		}
		if len(in) < n {
			return used, n, proto.OK
		}
		p.message(dir, in[headLen:n])
		used += n
	}
	return used, 0, proto.OK
}

// Gap implements proto.Parser: bytes may only be lost where they are not looked at.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.over[dir] {
		return true
	}
	if p.skip[dir] < uint64(n) {
		return false
	}
	p.skip[dir] -= uint64(n)
	return true
}

// begin opens a transaction, which is complete at once.
func (p *parser) begin(dir proto.Dir, t *Tx) {
	if p.count++; p.count > maxMessages {
		p.over = [2]bool{true, true}
		p.c.Limit(limitMessages)
		return
	}
	if t.more {
		p.c.Limit(limitChannels)
	}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	t.Advance(dir, 1)
}

// message takes an X.224 message, b being what TPKT holds.
func (p *parser) message(dir proto.Dir, b []byte) {
	switch {
	case b[1]&0xf0 == request && dir == proto.ToServer && len(b) >= connLen:
		t := &Tx{Kind: InitialRequest}
		rest := b[connLen:]
		if line, after, ok := bytes.Cut(rest, []byte("\r\n")); ok && bytes.HasPrefix(line, []byte("Cookie: ")) {
			if _, v, ok := bytes.Cut(line, []byte("mstshash=")); ok {
				t.Cookie = bytes.Clone(v)
			}
			rest = after
		}
		t.negotiation(rest)
		p.begin(dir, t)
	case b[1]&0xf0 == confirm && dir == proto.ToClient && len(b) >= connLen:
		t := &Tx{Kind: InitialResponse}
		t.negotiation(b[connLen:])
		p.tls = t.Nego == 2 && t.Protocol != 0
		p.begin(dir, t)
	case b[1]&0xf0 == data && len(b) > 3:
		p.mcs(dir, b[3:])
	}
}

// negotiation reads RDP_NEG_REQ, RDP_NEG_RSP or RDP_NEG_FAILURE.
func (t *Tx) negotiation(b []byte) {
	if len(b) < negoLen || b[0] < 1 || b[0] > 3 || binary.LittleEndian.Uint16(b[2:]) != negoLen {
		return
	}
	t.Nego, t.Flags, t.Protocol = b[0], b[1], binary.LittleEndian.Uint32(b[4:])
}

// mcs takes Connect-Initial of T.125 with the settings of the client, and
// Connect-Response. What follows is passed over.
func (p *parser) mcs(dir proto.Dir, b []byte) {
	if len(b) < 2 || b[0] != 0x7f {
		p.over[dir] = true
		return
	}
	switch {
	case b[1] == 0x65 && dir == proto.ToServer:
		t := &Tx{Kind: ConnectRequest}
		t.settings(userData(b))
		p.begin(dir, t)
		p.over[dir] = true
	case b[1] == 0x66 && dir == proto.ToClient:
		p.begin(dir, &Tx{Kind: ConnectResponse})
		p.over[dir] = true
	}
}

// berLen reads a BER length.
func berLen(b []byte) (n int, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	n, b = int(b[0]), b[1:]
	if n < 0x80 {
		return n, b, true
	}
	k := n & 0x7f
	if k > 3 || k > len(b) {
		return 0, nil, false
	}
	n = 0
	for _, c := range b[:k] {
		n = n<<8 | int(c)
	}
	return n, b[k:], true
}

// userData returns the settings blocks in Connect-Initial: three values, three sets
// of parameters, then the octet string that holds a Conference Create Request of
// T.124; nil when b is no such thing.
func userData(b []byte) []byte {
	_, b, ok := berLen(b[2:])
	for i := 0; ok && i < 7; i++ {
		if len(b) < 2 {
			return nil
		}
		var n int
		n, b, ok = berLen(b[1:])
		if !ok || n > len(b) {
			return nil
		}
		if i == 6 {
			b = b[:n]
		} else {
			b = b[n:]
		}
	}
	i := bytes.Index(b, []byte("Duca"))
	if !ok || i < 0 {
		return nil
	}
	b = b[i+4:]
	if len(b) < 2 { // length in PER
		return nil
	}
	if b[0]&0x80 != 0 {
		return b[2:]
	}
	return b[1:]
}

// settings reads blocks of type, length and content.
func (t *Tx) settings(b []byte) {
	for len(b) >= 4 {
		typ, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return
		}
		switch typ {
		case 0xc001:
			t.core(b[4:n])
		case 0xc003:
			t.channels(b[4:n])
		}
		b = b[n:]
	}
}

func (t *Tx) channels(b []byte) {
	if len(b) < 4 {
		return
	}
	for b = b[4:]; len(b) >= 12; b = b[12:] {
		if len(t.Channels) >= maxChannels {
			t.more = true
			return
		}
		name, _, _ := bytes.Cut(b[:8], []byte{0})
		t.Channels = append(t.Channels, string(name))
	}
}

// wide returns UTF-16 text up to its first zero.
func wide(b []byte) string {
	var u []uint16
	for ; len(b) >= 2; b = b[2:] {
		c := binary.LittleEndian.Uint16(b)
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}

// core reads TS_UD_CS_CORE, of which the first 128 bytes are always there.
func (t *Tx) core(b []byte) {
	if len(b) < 128 {
		return
	}
	le16, le32 := binary.LittleEndian.Uint16, binary.LittleEndian.Uint32
	c := &Client{Version: le32(b), Width: le16(b[4:]), Height: le16(b[6:]), Depth: le16(b[8:]),
		Layout: le32(b[12:]), Build: le32(b[16:]), Name: wide(b[20:52]), KeyType: le32(b[52:]), SubType: le32(b[56:]),
		FunctionKeys: le32(b[60:]), IME: wide(b[64:128])}
	t.Client = c
	switch c.Depth {
	case 0xca00:
		c.Depth = 4
	case 0xca01:
		c.Depth = 8
	}
	b = b[128:]
	if len(b) >= 4 {
		c.Product, c.HasProduct = le16(b[2:]), true
	}
	if len(b) >= 10 {
		c.Depth = le16(b[8:])
	}
	if len(b) >= 14 {
		c.Capabilities, c.HasFlags = le16(b[12:]), true
	}
	if len(b) >= 78 {
		c.ID = wide(b[14:78])
	}
	if len(b) >= 79 {
		c.Hint = b[78]
	}
}

// record takes a TLS record: of the server, the handshake messages up to the
// certificates.
func (p *parser) record(dir proto.Dir, b []byte) (used, need int) {
	if dir == proto.ToServer {
		p.over[dir] = true
		return 0, 0
	}
	if len(b) < 5 {
		return 0, 5
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if b[0] != 22 || b[1] != 3 || len(p.hs)+n > maxHandshake {
		if len(p.hs)+n > maxHandshake {
			p.c.Limit(limitHandshake)
		}
		p.over[dir], p.hs = true, nil
		return 0, 0
	}
	if len(b) < 5+n {
		return 0, 5 + n
	}
	p.hs = append(p.hs, b[5:5+n]...)
	for len(p.hs) >= 4 {
		k := 4 + (int(p.hs[1])<<16 | int(p.hs[2])<<8 | int(p.hs[3]))
		if k > len(p.hs) {
			break
		}
		if p.hs[0] == 11 {
			s := serials(p.hs[4:k])
			if len(s) >= maxSerials {
				p.c.Limit(limitSerials)
			}
			if len(s) > 0 {
				p.begin(dir, &Tx{Kind: TLSHandshake, Serials: s})
			}
			p.over[dir], p.hs = true, nil
			return 5 + n, 0
		}
		p.hs = p.hs[k:]
	}
	return 5 + n, 0
}

// serials returns the serial numbers of the certificates of a Certificate message.
func serials(b []byte) (list [][]byte) {
	if len(b) < 3 {
		return nil
	}
	for b = b[3:]; len(b) >= 3 && len(list) < maxSerials; {
		n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if n > len(b)-3 {
			return list
		}
		if s := serial(b[3 : 3+n]); s != nil {
			list = append(list, s)
		}
		b = b[3+n:]
	}
	return list
}

// serial reads the serial number of an X.509 certificate: in its first element's
// first element, behind the version.
func serial(b []byte) []byte {
	for range 2 {
		if len(b) == 0 || b[0] != 0x30 {
			return nil
		}
		_, rest, ok := berLen(b[1:])
		if !ok {
			return nil
		}
		b = rest
	}
	for len(b) >= 2 {
		tag := b[0]
		n, rest, ok := berLen(b[1:])
		if !ok || n > len(rest) {
			return nil
		}
		if tag == 2 {
			return bytes.Clone(rest[:n])
		}
		if tag != 0xa0 {
			return nil
		}
		b = rest[n:]
	}
	return nil
}
