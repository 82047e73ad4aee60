package http2

import (
	"bytes"

	"mirador/internal/proto"
	"mirador/internal/proto/body"
	"mirador/internal/proto/dns"
)

// setting is one of a SETTINGS frame.
type setting struct {
	id    uint16
	value uint32
}

// message is one direction of a stream.
type message struct {
	fields   []field
	size     int // bytes of fields
	types    [4]uint64
	errs     []uint32
	goaway   bool // errs came in GOAWAY
	settings []setting
	settled  bool // a SETTINGS frame with something in it
	prio     []uint8
	window   []uint32
	sizes    []uint64

	dec    *body.Decoder
	file   *proto.File
	part   *body.RangePart
	began  bool
	broken bool // decompression failed: nothing more is taken
	lost   bool // bytes of the body are missing

	doh     bool   // the body is a DNS message
	dns     []byte // of which this much is there
	tooLong bool
	msg     *dns.Tx

	// Buffers made of the fields when first asked for.
	header, names, line []byte
	lines               [][]byte
	joined              map[string][]byte
	made                int // number of fields they were made of, plus one
}

// Tx is a stream, or a frame on stream 0.
type Tx struct {
	proto.TxBase
	Stream uint32
	m      [2]message
	p      *parser
	frames int
	ended  bool
}

// LogName returns the event type of the transaction's record.
func (t *Tx) LogName() string {
	if t.m[0].doh || t.m[1].doh {
		return "dns"
	}
	return "http"
}

// Seen tells whether a frame of type typ was seen in direction dir.
func (m *message) seen(typ uint8) bool { return m.types[typ>>6]&(1<<(typ&63)) != 0 }

// value returns the first field called name.
func (m *message) value(name string) ([]byte, bool) {
	for i := range m.fields {
		if f := &m.fields[i]; f.kind == kindField && string(f.name) == name {
			return f.value, true
		}
	}
	return nil, false
}

// fresh forgets what was made of the fields when there are new ones.
func (m *message) fresh() {
	if m.made != len(m.fields)+1 {
		m.made = len(m.fields) + 1
		m.header, m.names, m.line, m.lines, m.joined = nil, nil, nil, nil, nil
	}
}

// all returns the values of all fields called name, joined by commas.
func (m *message) all(name string) ([]byte, bool) {
	m.fresh()
	if v, ok := m.joined[name]; ok {
		return v, true
	}
	v, ok := m.value(name)
	if !ok {
		return nil, false
	}
	var out []byte
	n := 0
	for i := range m.fields {
		if f := &m.fields[i]; f.kind == kindField && string(f.name) == name {
			if n++; n > 1 {
				if n == 2 {
					out = append(out, v...)
				}
				out = append(append(out, ", "...), f.value...)
			}
		}
	}
	if n > 1 {
		v = out
		if m.joined == nil {
			m.joined = make(map[string][]byte)
		}
		m.joined[name] = v
	}
	return v, true
}

// end completes t.
func (t *Tx) end() {
	t.Advance(proto.ToServer, Complete)
	t.Advance(proto.ToClient, Complete)
	t.settle()
}

// settle counts t out of the live ones when it is complete.
func (t *Tx) settle() {
	if !t.ended && t.Complete() {
		t.ended = true
		t.p.live--
		t.p.kept -= t.m[0].size + t.m[1].size
	}
}

// add takes a decoded field.
func (t *Tx) add(dir proto.Dir, f field) {
	m := &t.m[dir]
	n := len(f.name) + len(f.value) + 4
	if len(m.fields) >= MaxHeaders || m.size+n > MaxHeaderBytes || t.p.kept+n > MaxFlowHeaderBytes {
		t.AddEvent(EventCompressionBomb)
		return
	}
	if m.size += n; !t.ended {
		t.p.kept += n
	}
	m.fields = append(m.fields, f)
	if f.kind == kindSize {
		m.sizes = keep(t.p, m.sizes, f.size)
	}
}

// authority checks what says whom the request is for.
func (t *Tx) authority() {
	m := &t.m[proto.ToServer]
	auth, ok := m.value(":authority")
	if !ok {
		return
	}
	if bytes.IndexByte(auth, '@') >= 0 {
		t.AddEvent(EventUserinfoInURI)
	}
	if host, ok := m.value("host"); ok && !bytes.EqualFold(host, auth) {
		t.AddEvent(EventAuthorityHostMismatch)
	}
}
