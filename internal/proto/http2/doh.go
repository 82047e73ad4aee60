package http2

import (
	"bytes"
	"encoding/base64"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/dns"
)

// dnsType is the media type of a DNS message. RFC 8484 section 6.
const dnsType = "application/dns-message"

// detectDNS finds out whether the message of direction dir, whose headers are
// there, is or carries a DNS message.
func (p *parser) detectDNS(dir proto.Dir, t *Tx) {
	if p.c.Table.ByName("doh2") == proto.Unknown {
		return
	}
	m := &t.m[dir]
	typ, _ := m.value("content-type")
	is := bytes.EqualFold(typ, []byte(dnsType))
	if dir == proto.ToServer && !is {
		if acc, ok := m.value("accept"); ok && bytes.EqualFold(acc, []byte(dnsType)) {
			path, _ := m.value(":path")
			if i := bytes.Index(path, []byte("dns=")); i > 0 && (path[i-1] == '?' || path[i-1] == '&') {
				is = true
				t.dnsQuery(path[i+4:])
			}
		}
	}
	if !is {
		return
	}
	m.doh = true
	if p.c.Table.Name(p.c.App) == "http2" && p.c.Table.Parsed(p.c.Table.ByName("doh2")) {
		p.become(t)
	}
}

// become makes the flow one of protocol doh2 from transaction t on: t is taken back
// and comes again as the first one of the new protocol.
func (p *parser) become(t *Tx) {
	if !p.c.Withdraw(t) {
		return
	}
	p.c.Given, p.again = p, t
	p.c.Become("doh2")
}

// resume goes on under the new protocol.
func (p *parser) resume() {
	t := p.again
	p.again = nil
	p.live = 0
	for _, o := range p.streams {
		if o.ended = o.Complete(); !o.ended {
			p.live++
		}
	}
	if t == nil {
		return
	}
	p.c.NewTx(t)
	for d := range t.m {
		if t.m[d].msg != nil {
			t.m[d].msg.ID = t.ID
		}
	}
}

// dnsQuery reads the message in the query of a GET.
func (t *Tx) dnsQuery(q []byte) {
	if i := bytes.IndexByte(q, '&'); i >= 0 {
		q = q[:i]
	}
	q = bytes.TrimRight(q, "=")
	if base64.RawURLEncoding.DecodedLen(len(q)) > maxDNS {
		t.AddEvent(EventDNSRequestTooLong)
		return
	}
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(q)))
	if n, err := base64.RawURLEncoding.Decode(b, q); err == nil {
		t.dnsMessage(proto.ToServer, b[:n])
	}
}

// dnsData collects a message.
func (t *Tx) dnsData(dir proto.Dir, b []byte) {
	m := &t.m[dir]
	if len(m.dns)+len(b) > maxDNS {
		if dir == proto.ToServer {
			t.AddEvent(EventDNSRequestTooLong)
		} else {
			t.AddEvent(EventDNSResponseTooLong)
		}
		m.dns = nil
		m.tooLong = true
		return
	}
	if !m.tooLong {
		m.dns = append(m.dns, b...)
	}
}

// dnsEnd reads the message of a body.
func (t *Tx) dnsEnd(dir proto.Dir) {
	m := &t.m[dir]
	if m.msg == nil && len(m.dns) > 0 {
		t.dnsMessage(dir, m.dns)
		m.dns = nil
	}
}

func (t *Tx) dnsMessage(dir proto.Dir, b []byte) {
	msg, ok := dns.Decode(b)
	if !ok {
		return
	}
	msg.Dir = dir
	msg.ID = t.ID
	t.m[dir].msg = msg
	t.Touch(dir)
}

// dnsFields are the keywords of DNS, for the messages that a transaction carries.
func dnsFields() []proto.Field {
	fs := append([]proto.Field(nil), dns.Protocol().Fields...)
	for i := range fs {
		f := &fs[i]
		f.MinProgress = [2]uint8{}
		if get := f.Get; get != nil {
			f.Get = func(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
				if m := messageOf(tx, dir); m != nil {
					return get(c, m, dir, i)
				}
				return nil, false
			}
		}
		if get := f.Uint; get != nil {
			f.Uint = func(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
				if m := messageOf(tx, dir); m != nil {
					return get(c, m, dir, i)
				}
				return 0, false
			}
		}
	}
	return fs
}

func messageOf(tx proto.Tx, dir proto.Dir) *dns.Tx {
	if t, ok := tx.(*Tx); ok {
		return t.m[dir].msg
	}
	return nil
}

// dohLogger writes records of doh2.
type dohLogger struct {
	message func(*dns.Tx, *jsonw.Writer)
}

// answer returns the message to be logged: the response if there is one.
func (t *Tx) answer() *dns.Tx {
	if t.m[proto.ToClient].msg != nil {
		return t.m[proto.ToClient].msg
	}
	return t.m[proto.ToServer].msg
}

// log writes the object dns and, left open, the object http.
func (d *dohLogger) log(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	if t.LogName() != "dns" {
		return log(c, tx, w)
	}
	if m := t.answer(); m != nil {
		d.message(m, w)
	}
	w.Close()
	w.Object("http")
	t.log(w)
	return true
}

func (d *dohLogger) logAlert(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	t, ok := tx.(*Tx)
	if !ok {
		return
	}
	if m := t.answer(); m != nil {
		w.Object("dns")
		d.message(m, w)
		w.Close()
	}
	logAlert(c, tx, w)
}
