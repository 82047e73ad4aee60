package tls

import (
	"encoding/binary"

	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// Record types.
const (
	recCCS       = 20
	recAlert     = 21
	recHandshake = 22
	recData      = 23
	recHeartbeat = 24
)

// Handshake types.
const (
	hsHelloRequest = 0
	hsClientHello  = 1
	hsServerHello  = 2
	hsTicket       = 4
	hsCertificate  = 11
	hsServerKey    = 12
	hsCertRequest  = 13
	hsServerDone   = 14
	hsCertVerify   = 15
	hsClientKey    = 16
	hsFinished     = 20
	hsCertURL      = 21
	hsCertStatus   = 22
)

// parser follows one flow.
type parser struct {
	c   *proto.Conn
	cfg *config
	tx  *Tx
	dir [2]direction
	// encrypted tells that one side has changed its cipher. From then on neither
	// side shows handshake messages, except behind a HelloRetryRequest, which
	// adds nothing.
	encrypted bool
}

// direction is the state of one direction of the byte stream.
type direction struct {
	skip   int    // bytes of the current record that are not looked at
	hs     []byte // handshake message being put together
	hsSkip int    // bytes of a handshake message that are not looked at
	first  bool   // a record header has been seen
	v2     bool   // the first hello was of SSL 2.0
	hbLen  int    // length of an encrypted heartbeat request, 0 none
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	if p.tx == nil {
		p.tx = &Tx{cfg: p.cfg}
		p.c.NewTx(p.tx)
	}
	d := &p.dir[dir]
	old := false
	for n := 0; ; n++ {
		if n == MaxRecords {
			p.event(EventTooManyRecords)
		}
		if d.skip > 0 {
			k := min(d.skip, len(data)-used)
			d.skip -= k
			used += k
		}
		if len(data) == used || d.skip > 0 {
			break
		}
		old = data[used]&0x80 != 0
		k, want, ok := p.record(dir, data[used:], p.c.Offset[dir]+uint64(used))
		used += k
		if !ok {
			return used, 0, proto.Broken
		}
		if want > 0 {
			need = want
			break
		}
	}
	p.settle()
	p.c.RawNow[dir] = used > 0 && !old // as Suricata, which does not ask for it behind a record of SSL 2.0
	if eof {
		p.tx.Advance(dir, ClientFinished+uint8(dir)) // ServerFinished is one more
	}
	return used, need, proto.OK
}

// Gap implements proto.Parser. Lost bytes are made good only inside a record
// whose content is not looked at.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	d := &p.dir[dir]
	if d.skip < n {
		return false
	}
	d.skip -= n
	return true
}

func (p *parser) event(e proto.EventID) { p.tx.AddEvent(e) }

// settle moves a session whose certificate is known, and which waits for none
// from the client, to the end of its handshake. It is done when all of the bytes
// at hand have been read, so that a request for a certificate right behind the
// server's own counts.
func (p *parser) settle() {
	t := p.tx
	if t.certReq && t.Client.HasCert || !t.certReq && t.Server.HasCert {
		if t.Progress[proto.ToServer] < ClientHandshakeDone {
			t.Advance(proto.ToServer, ClientHandshakeDone)
		}
		if t.Progress[proto.ToClient] < ServerHandshakeDone {
			t.Advance(proto.ToClient, ServerHandshakeDone)
		}
	}
}

// record reads one record, or the header of one that is then skipped. ok is
// false when the stream cannot be followed any more.
// off is the stream offset of b.
func (p *parser) record(dir proto.Dir, b []byte, off uint64) (used, need int, ok bool) {
	d := &p.dir[dir]
	if b[0]&0x80 != 0 && (!d.first || d.v2) {
		return p.recordV2(dir, b, off)
	}
	if len(b) < 5 {
		return 0, 5, true
	}
	typ, ver, n := b[0], binary.BigEndian.Uint16(b[1:]), int(binary.BigEndian.Uint16(b[3:]))
	if s := p.tx.side(dir); s.Version != 0 {
		ver = s.Version
	}
	switch {
	case typ&0xc0 != 0: // would be SSL 2.0, which has no place here
		return 0, 0, false
	case typ < recCCS || typ > recHeartbeat:
		p.event(EventInvalidRecordType)
		return 0, 0, false
	case !validVersion(ver):
		p.event(EventInvalidRecordVersion)
		return 0, 0, false
	case n == 0 || n > maxRecord:
		p.event(EventInvalidRecordLength)
		return 0, 0, false
	}
	if typ == recData || typ == recHandshake && p.encrypted {
		p.header(dir, typ, ver, n, off)
		p.opaque(dir, typ)
		d.skip = n
		return 5, 0, true
	}
	if len(b) < 5+n {
		return 0, 5 + n, true
	}
	p.header(dir, typ, ver, n, off)
	body := b[5 : 5+n]
	ok = true
	switch typ {
	case recCCS:
		p.changeCipher(dir)
	case recAlert:
		ok = p.alert(body)
	case recHandshake:
		p.handshake(dir, body)
	case recHeartbeat:
		ok = p.heartbeat(dir, body)
	}
	return 5 + n, 0, ok
}

// header notes the frames of a record and what its header says.
func (p *parser) header(dir proto.Dir, typ byte, ver uint16, n int, off uint64) {
	p.dir[dir].first = true
	if s := p.tx.side(dir); s.Version == 0 {
		s.Version = ver
	}
	p.c.AddFrame(dir, "pdu", off, int64(5+n), proto.NoTx)
	p.c.AddFrame(dir, "hdr", off, 5, proto.NoTx)
	p.c.AddFrame(dir, "data", off+5, int64(n), proto.NoTx)
	switch typ {
	case recAlert:
		p.c.AddFrame(dir, "alert", off+5, int64(n), proto.NoTx)
	case recHeartbeat:
		p.c.AddFrame(dir, "heartbeat", off+5, int64(n), proto.NoTx)
	}
}

// opaque notes a record whose content is encrypted.
func (p *parser) opaque(dir proto.Dir, typ byte) {
	if typ != recData {
		return
	}
	p.done(dir)
	if p.cfg.handling != Full {
		p.c.NoPayload = true
	}
	if p.cfg.handling == Bypass && p.over() {
		p.c.Stop(proto.ToServer)
		p.c.Stop(proto.ToClient)
	}
}

// over tells whether both sides are done with the handshake.
func (p *parser) over() bool {
	return p.tx.Progress[proto.ToServer] >= ClientHandshakeDone &&
		p.tx.Progress[proto.ToClient] >= ServerHandshakeDone
}

// done moves direction dir to the end of its handshake.
func (p *parser) done(dir proto.Dir) {
	to := ClientHandshakeDone
	if dir == proto.ToClient {
		to = ServerHandshakeDone
	}
	if p.tx.Progress[dir] < to {
		p.tx.Advance(dir, to)
	}
}

// changeCipher notes that the session is encrypted from here on. For the client
// this is the end of its handshake.
func (p *parser) changeCipher(dir proto.Dir) {
	p.encrypted = true
	p.dir[0].hs, p.dir[1].hs = nil, nil
	if dir == proto.ToServer {
		p.done(dir)
	}
}

// Alert levels.
const (
	alertWarning = 1
	alertFatal   = 2
)

// alert looks at an alert record. A record of more than two bytes is encrypted.
// A fatal alert ends the session.
func (p *parser) alert(b []byte) bool {
	switch {
	case p.encrypted:
	case len(b) < 2:
		p.event(EventInvalidAlert)
		return false
	case len(b) == 2 && b[0] == alertFatal:
		p.tx.Advance(proto.ToServer, ClientHandshakeDone)
		p.tx.Advance(proto.ToClient, ServerHandshakeDone)
		p.c.Stop(proto.ToServer)
		p.c.Stop(proto.ToClient)
	}
	return true
}

// Heartbeat message types and the least padding (RFC 6520).
const (
	hbRequest  = 1
	hbResponse = 2
	hbPadding  = 16
)

// heartbeat looks for the signs of an attempt to read the peer's memory
// (CVE-2014-0160): a payload length beyond the record, or, once encrypted, a
// response larger than its request.
func (p *parser) heartbeat(dir proto.Dir, b []byte) bool {
	if p.encrypted {
		p.encryptedHeartbeat(dir, len(b))
		return true
	}
	if len(b) < 3 {
		return true
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	switch {
	case b[0] != hbRequest && b[0] != hbResponse:
		p.event(EventInvalidHeartbeat)
		return false
	case 3+n > len(b):
		p.event(EventOverflowHeartbeat)
		return false
	case 3+n+hbPadding > len(b):
		p.event(EventInvalidHeartbeat)
		return false
	}
	return true
}

// encryptedHeartbeat compares the sizes of an encrypted request and its
// response.
func (p *parser) encryptedHeartbeat(dir proto.Dir, n int) {
	other := &p.dir[dir.Other()]
	if other.hbLen == 0 {
		p.dir[dir].hbLen = n
		return
	}
	if n > other.hbLen {
		p.event(EventDataleakHeartbeat)
	}
	other.hbLen = 0
}

// handshake takes the content of a handshake record and looks at the messages
// that are whole. A message that is too large is stepped over.
func (p *parser) handshake(dir proto.Dir, b []byte) {
	d := &p.dir[dir]
	for len(b) > 0 {
		if d.hsSkip > 0 {
			k := min(d.hsSkip, len(b))
			d.hsSkip, b = d.hsSkip-k, b[k:]
			continue
		}
		m := b
		if len(d.hs) > 0 {
			m = d.hs
		}
		if !knownMessage(m[0]) {
			p.event(EventInvalidHandshakeMessage)
			d.hs = nil
			return
		}
		need := hsNeed(m)
		if need > MaxHandshake {
			d.hsSkip, d.hs = need-len(d.hs), nil
			p.c.Limit(limitHandshake)
			continue
		}
		k := min(need-len(d.hs), len(b))
		if d.hs == nil {
			// The bytes are the caller's, and what is kept of a message points
			// into it: it is copied.
			d.hs = make([]byte, 0, min(need, 4<<10))
		}
		d.hs, b = append(d.hs, b[:k]...), b[k:]
		if len(d.hs) == hsNeed(d.hs) && len(d.hs) >= 4 {
			m, d.hs = d.hs, nil
			p.message(dir, m)
		}
	}
}

// knownMessage tells whether typ is a handshake message that may be seen in
// clear.
func knownMessage(typ byte) bool {
	return typ <= hsServerHello || typ == hsTicket || typ >= hsCertificate && typ <= hsClientKey ||
		typ >= hsFinished && typ <= hsCertStatus
}

// hsNeed returns how long the handshake message that begins with b is, 4 while
// its header is not whole.
func hsNeed(b []byte) int {
	if len(b) < 4 {
		return 4
	}
	return 4 + (int(b[1])<<16 | int(b[2])<<8 | int(b[3]))
}

// message looks at one whole handshake message. It keeps slices of m.
func (p *parser) message(dir proto.Dir, m []byte) {
	t, body := p.tx, m[4:]
	switch m[0] {
	case hsClientHello:
		if dir == proto.ToServer {
			t.states[dir] |= stateClientHello
			p.clientHello(body)
		}
	case hsServerHello:
		if dir == proto.ToClient {
			t.states[dir] |= stateServerHello
			p.serverHello(body)
		}
	case hsCertificate:
		p.certificates(dir, body)
	case hsCertRequest:
		t.certReq = t.certReq || dir == proto.ToClient
	case hsServerDone:
		if dir == proto.ToClient && t.Progress[dir] < ServerHelloDone {
			t.Advance(dir, ServerHelloDone)
		}
	case hsServerKey:
		t.states[dir] |= stateServerKey
	case hsClientKey:
		t.states[dir] |= stateClientKey
	}
}

// clientHello reads a ClientHello. A second one, as after a HelloRetryRequest,
// changes nothing but shows in the event multiple_sni_extensions.
func (p *parser) clientHello(b []byte) {
	t := p.tx
	h := ja.ParseClient(b)
	p.fault(h.Fault)
	if h.Full() {
		p.c.Limit(limitHello)
	}
	if t.Client.Seen {
		if t.Client.Hello.HasSNI && h.HasSNI {
			p.event(EventMultipleSNI)
		}
		return
	}
	if len(h.Random) == 0 {
		return
	}
	if h.Legacy == 0x0300 {
		// SSL 3.0 has no extensions.
		h.ClearExtensions()
	}
	t.Client.Seen, t.Client.Version = true, h.Legacy
	if h.Version != 0 {
		t.Client.Version = h.Version
	}
	t.Client.Hello = h
	if h.HasTicket {
		t.WithoutCert = true
	}
	t.Advance(proto.ToServer, ClientHelloDone)
}

// fault turns what was wrong with a hello message into an event.
func (p *parser) fault(f ja.Fault) {
	switch f {
	case ja.Malformed:
		p.event(EventHandshakeInvalidLength)
	case ja.SNIMultiple:
		p.event(EventMultipleSNI)
	case ja.SNIType:
		p.event(EventInvalidSNIType)
	case ja.SNILength:
		p.event(EventInvalidSNILength)
	}
}

// serverHello reads a ServerHello; that of a HelloRetryRequest is replaced by
// the one that follows.
func (p *parser) serverHello(b []byte) {
	t := p.tx
	h := ja.ParseServer(b)
	p.fault(h.Fault)
	if len(h.Random) == 0 || t.Server.Seen && !retry(t.Server.Hello.Random) {
		return
	}
	s := &t.Server
	s.Seen, s.Version, s.Hello = true, h.Legacy, h
	s.ja3, s.ja3h = nil, nil
	if h.Version != 0 {
		s.Version = h.Version
	}
	c := &t.Client.Hello
	switch {
	case h.Version != 0 || is13(s.Version):
		t.WithoutCert = t.WithoutCert || c.Version != 0 || !t.Client.Seen
	case len(h.SessionID) > 0 && string(h.SessionID) == string(c.SessionID):
		t.WithoutCert = true
		fallthrough
	default:
		t.Resumed = t.WithoutCert
	}
	t.Advance(proto.ToClient, ServerHello)
}

// retry tells whether random is the one that marks a HelloRetryRequest
// (RFC 8446 section 4.1.3).
func retry(random []byte) bool {
	return string(random) == "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91"+
		"\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C"
}

// certificates reads a Certificate message: a list of certificates, each with
// its length.
func (p *parser) certificates(dir proto.Dir, b []byte) {
	s := p.tx.side(dir)
	if s.Chain != nil || p.encryptedHandshake() {
		return
	}
	if len(b) < 3 {
		return
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if n > len(b)-3 {
		return
	}
	for b = b[3 : 3+n]; len(b) > 0; {
		if len(s.Chain) >= MaxChain {
			p.c.Limit(limitChain)
			break
		}
		if len(b) < 3 {
			p.event(EventInvalidCertificate)
			break
		}
		k := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		b = b[3:]
		switch {
		case k > len(b):
			p.event(EventInvalidCertificate)
			b = nil
			continue
		case k > 0:
			s.Chain = append(s.Chain, b[:k])
		case len(s.Chain) == 0:
			p.event(EventCertInvalidLength)
		}
		b = b[k:]
	}
	if len(s.Chain) == 0 {
		return
	}
	var errs [MaxCertErrors]proto.EventID
	cert, bad := parseCert(s.Chain[0], errs[:0])
	for _, e := range bad {
		p.event(e)
	}
	if len(cert.Names) >= MaxNames || len(cert.Subject) >= MaxDN || len(cert.Issuer) >= MaxDN {
		p.c.Limit(limitAltNames)
	}
	s.Cert, s.HasCert = cert, len(bad) == 0
	if !s.HasCert {
		s.Chain = nil
		return
	}
	to := ClientCertDone
	if dir == proto.ToClient {
		to = ServerCertDone
	}
	if p.tx.Progress[dir] < to {
		p.tx.Advance(dir, to)
	}
}

// encryptedHandshake tells whether certificates are encrypted in this session,
// so that a message that looks like one is none.
func (p *parser) encryptedHandshake() bool {
	return p.tx.Server.Seen && is13(p.tx.Server.Version)
}
