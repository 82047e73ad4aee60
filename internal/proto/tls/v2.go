package tls

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// Message types of SSL 2.0.
const (
	v2Error       = 0
	v2ClientHello = 1
	v2ClientKey   = 2
	v2ServerHello = 4
)

// recordV2 reads a record of SSL 2.0 with the 2-byte header; later clients used
// it for their first message only.
func (p *parser) recordV2(dir proto.Dir, b []byte, off uint64) (used, need int, ok bool) {
	if len(b) < 3 {
		return 0, 3, true
	}
	d := &p.dir[dir]
	n := int(b[0]&0x7f)<<8 | int(b[1])
	if n == 0 || n > maxRecord {
		p.event(EventInvalidSSLv2Header)
		return 0, 0, false
	}
	if d.first {
		// Everything behind the hello is encrypted or of no use here.
		p.c.AddFrame(dir, "ssl2.pdu", off, int64(2+n), proto.NoTx)
		d.skip = n
		return 2, 0, true
	}
	if len(b) < 2+n {
		return 0, 2 + n, true
	}
	d.first, d.v2 = true, true
	p.c.AddFrame(dir, "ssl2.hdr", off, 2, proto.NoTx)
	p.c.AddFrame(dir, "ssl2.pdu", off, int64(2+n), proto.NoTx)
	p.helloV2(dir, b[2:2+n])
	return 2 + n, 0, true
}

// helloV2 looks at the first message of a side.
func (p *parser) helloV2(dir proto.Dir, m []byte) {
	t, s := p.tx, p.tx.side(dir)
	switch {
	case m[0] == v2Error:
		p.event(EventErrorMessage)
	case m[0] == v2ClientHello && dir == proto.ToServer && len(m) >= 9:
		s.Version = binary.BigEndian.Uint16(m[1:])
		if s.Version>>8 == 3 {
			// A hello for TLS in the old form: TLS records follow.
			p.dir[dir].v2 = false
		}
		s.Seen = true
		t.states[dir] |= stateClientHello
		t.Advance(dir, ClientHelloDone)
	case m[0] == v2ServerHello && dir == proto.ToClient && len(m) >= 11:
		s.Version = binary.BigEndian.Uint16(m[3:])
		t.states[dir] |= stateServerHello
		t.Advance(dir, ServerHello)
	case m[0] == v2ClientKey && dir == proto.ToServer:
		t.states[dir] |= stateClientKey
	default:
		p.event(EventInvalidSSLv2Header)
	}
}
