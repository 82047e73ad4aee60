package mysql

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Capabilities.
const (
	capMySQL         = 1 << 0 // not MariaDB's own
	capWithDatabase  = 1 << 3
	capCompress      = 1 << 5
	capProtocol41    = 1 << 9
	capTLS           = 1 << 11
	capSecure        = 1 << 15 // the authentication data have their length in front
	capPlugin        = 1 << 19
	capAttributes    = 1 << 20
	capLongAuth      = 1 << 21 // with a length-encoded length
	capSessionTrack  = 1 << 23
	capNoEOF         = 1 << 24
	capOptionalMeta  = 1 << 25
	capZstd          = 1 << 26
	capQueryAttrs    = 1 << 27
	capExtendedMeta  = 1 << 35 // MariaDB
	capCacheMetadata = 1 << 36 // MariaDB
)

const (
	greetingVersion = 10
	loginHead       = 32 // of a login, up to the user; all of a request for TLS
	oldTLSRequest   = 5  // capabilities and largest packet of the older form
)

// pluginClear is the authentication that sends the password as it is.
const pluginClear = "mysql_clear_password"

// readGreeting reads a greeting. whole tells that no more bytes follow; without, More
// is returned for one that may go on.
func readGreeting(b []byte, whole bool) (g Greeting, st proto.Match) {
	short := proto.More
	if whole {
		short = proto.No
	}
	r := wire.Reader{B: b}
	g.Protocol = r.U8()
	g.Version = r.Zero()
	if r.Bad {
		if !plausibleVersion(b[1:]) {
			return g, proto.No
		}
		return g, short
	}
	g.Connection = r.LE32()
	r.Skip(8) // of the salt
	g.filler = r.U8() == 0
	g.caps = uint64(r.LE16())
	if r.Bad {
		return g, short
	}
	if r.Left() == 0 && whole {
		return g, proto.Yes
	}
	r.Skip(1 + 2) // character set, status
	g.caps |= uint64(r.LE16()) << 16
	salt := int(r.U8())
	reserved := r.Take(6)
	own := r.LE32()
	if r.Bad {
		return g, short
	}
	g.filler = g.filler && len(bytes.Trim(reserved, "\x00")) == 0
	if g.caps&capMySQL == 0 {
		g.caps |= uint64(own) << 32
	}
	if g.caps&capSecure != 0 {
		r.Skip(min(max(13, salt-8), r.Left()))
	}
	if g.caps&capPlugin != 0 {
		g.Plugin = r.B[r.At:]
		if i := bytes.IndexByte(g.Plugin, 0); i >= 0 {
			g.Plugin = g.Plugin[:i]
		}
	}
	return g, proto.Yes
}

func (g *Greeting) plausible() bool { return g.filler && plausibleVersion(g.Version) }

// plausibleVersion tells whether b can be a server's version, or its beginning.
func plausibleVersion(b []byte) bool {
	for i, c := range b {
		if c < ' ' || c > '~' || i == 0 && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// greeting reads the server's first packet.
func (p *parser) greeting(seq uint8, b []byte) {
	p.greeted = true
	t := p.login
	if t == nil {
		t = p.begin(KindLogin)
		p.login, t.state = t, stAuth
	}
	t.next = 1
	if seq != 0 {
		t.AddEvent(EventSequence)
	}
	if len(b) > 0 && b[0] == packetError {
		p.failed(t, b)
		return
	}
	g, st := readGreeting(b, true)
	if st != proto.Yes || g.Protocol != greetingVersion {
		t.AddEvent(EventMalformedGreeting)
		return
	}
	g.Version, g.Plugin = bytes.Clone(g.Version), bytes.Clone(g.Plugin)
	t.Greeting = &g
	t.Advance(proto.ToClient, greeted)
}

// readLogin reads the client's first packet: a login or a request for TLS.
func (p *parser) readLogin(seq uint8, b []byte, size int) {
	p.loggedIn = true
	t := p.login
	if t == nil {
		t = p.begin(KindLogin)
		p.login, t.state = t, stAuth
		t.next = seq
	}
	p.last, p.auth = t, t
	t.number(seq)
	l := &Login{}
	t.Login = l
	ok := false
	if r := (wire.Reader{B: b}); r.LE16()&capProtocol41 != 0 {
		ok = t.login41(b, size)
	} else {
		ok = t.login320(b, size)
	}
	p.caps = l.caps
	if t.Greeting != nil {
		p.caps &= t.Greeting.caps
	}
	switch {
	case p.caps&capCompress != 0:
		l.Compress = "zlib"
	case p.caps&capZstd != 0:
		l.Compress = "zstd"
	}
	if !ok {
		t.AddEvent(EventMalformedRequest)
	}
	if len(l.Attributes) >= MaxAttributes {
		p.c.Limit(limitAttributes)
	}
	if l.TLS {
		p.answer(t)
		p.over = true
		p.c.Switch("tls")
		return
	}
	t.requestDone()
	if p.deaf[proto.ToClient] {
		p.answer(t)
	}
}

// login41 reads a login in the form of MySQL 4.1 and later.
func (t *Tx) login41(b []byte, size int) bool {
	l := t.Login
	r := wire.Reader{B: b}
	l.caps = uint64(r.LE32())
	l.MaxPacket = r.LE32()
	l.Charset = uint16(r.U8())
	r.Skip(19)
	own := r.LE32()
	if l.caps&capMySQL == 0 {
		l.caps |= uint64(own) << 32
	}
	if l.caps&capTLS != 0 && size == loginHead {
		l.TLS = true
		return !r.Bad
	}
	t.User = bytes.Clone(r.Zero())
	t.authData(&r, l.caps&capLongAuth != 0, l.caps&capSecure != 0)
	if l.caps&capWithDatabase != 0 {
		t.Database = bytes.Clone(r.Zero())
	}
	t.pluginAndAttributes(&r, l.caps)
	return !r.Bad
}

// authData passes over authentication data, which are never kept, and tells how many
// bytes they have.
func (t *Tx) authData(r *wire.Reader, long, secure bool) int {
	switch {
	case long:
		return len(text(r))
	case secure:
		return len(r.Take(int(r.U8())))
	}
	return len(r.Zero())
}

// pluginAndAttributes reads the end of a login or of a change of user.
func (t *Tx) pluginAndAttributes(r *wire.Reader, caps uint64) {
	if caps&capPlugin != 0 && r.Left() > 0 {
		t.Plugin = bytes.Clone(r.Zero())
		if string(t.Plugin) == pluginClear {
			t.AddEvent(EventCleartextPassword)
		}
	}
	if caps&capAttributes == 0 || r.Left() == 0 || t.Login == nil {
		return
	}
	n, _ := number(r)
	a := wire.Reader{B: r.Take(int(min(n, uint64(r.Left()))))}
	for a.Left() > 0 && len(t.Login.Attributes) < MaxAttributes {
		name, value := text(&a), text(&a)
		if a.Bad {
			break
		}
		t.Login.Attributes = append(t.Login.Attributes, Attribute{bytes.Clone(name), bytes.Clone(value)})
	}
}

// login320 reads a login in the older form.
func (t *Tx) login320(b []byte, size int) bool {
	l := t.Login
	r := wire.Reader{B: b}
	l.caps = uint64(r.LE16())
	l.MaxPacket = r.LE24()
	if l.caps&capTLS != 0 && size == oldTLSRequest {
		l.TLS = true
		return !r.Bad
	}
	t.User = bytes.Clone(r.Zero())
	ok := !r.Bad
	if l.caps&capWithDatabase != 0 {
		r.Zero()
		if r.Left() > 0 {
			t.Database = bytes.Clone(r.Zero())
		}
	}
	return ok
}

// authRequest takes what a client sends in the course of an authentication. It is a
// secret: nothing of it is kept.
func (p *parser) authRequest(t *Tx, seq uint8, size int) {
	t.number(seq)
	if string(t.Plugin) == pluginClear && size > 0 {
		t.AddEvent(EventCleartextPassword)
	}
}

// authResponse reads the server's part of an authentication.
func (p *parser) authResponse(t *Tx, b []byte) {
	switch b[0] {
	case packetOK:
		p.ok(t, b, false)
		if t.Login != nil && t.Login.Compress != "" {
			t.AddEvent(EventCompressed)
			p.stop()
		}
		p.answer(t)
	case packetEnd, packetFactor:
		if len(b) == 1 {
			t.Plugin = []byte("mysql_old_password")
			return
		}
		name := b[1:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		t.Plugin = bytes.Clone(name)
	case packetMore:
	default:
		p.broken(t)
	}
}
