package mqtt

import (
	"bytes"
	"encoding/binary"

	"mirador/internal/proto"
)

// parser follows one flow.
type parser struct {
	c         *proto.Conn
	cfg       *config
	skip      [2]uint64 // bytes of a message that is too long
	version   uint8
	connected bool
}

// Outcomes of varint.
const (
	fine = iota
	short
	bad
)

// varint reads a variable byte integer of at most four bytes.
func varint(b []byte) (v uint32, n, st int) {
	for n < 4 {
		if n >= len(b) {
			return 0, n, short
		}
		c := b[n]
		v |= uint32(c&0x7f) << (7 * n)
		n++
		if c&0x80 == 0 {
			return v, n, fine
		}
	}
	return 0, n, bad
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	// Rules for the stream look at each message of the client as it comes.
	p.c.RawNow[dir] = dir == proto.ToServer && len(data) > 0
	for used < len(data) {
		if p.skip[dir] > 0 {
			k := min(p.skip[dir], uint64(len(data)-used))
			p.skip[dir] -= k
			used += int(k)
			continue
		}
		b := data[used:]
		rest, n, vst := varint(b[1:])
		if vst == bad {
			p.malformed(dir)
			return used, 0, proto.Broken
		}
		if vst == short {
			return used, len(b) + 1, proto.OK
		}
		size := 1 + n + int(rest)
		off := p.c.Offset[dir] + uint64(used)
		m := &Message{Type: b[0] >> 4, QoS: b[0] >> 1 & 3, Dup: b[0]&8 != 0, Retain: b[0]&1 != 0}
		if uint64(rest) > p.cfg.maxMsg {
			m.Skipped = uint64(size)
			p.skip[dir] = uint64(size)
			p.frames(dir, off, 1+n, int(rest))
			p.begin(dir, m, 0).complete()
			continue
		}
		if len(b) < size {
			return used, size, proto.OK
		}
		p.frames(dir, off, 1+n, int(rest))
		if !p.decode(m, bytes.Clone(b[1+n:size])) {
			p.malformed(dir)
			return used, 0, proto.Broken
		}
		p.message(dir, m)
		used += size
	}
	return used, 0, proto.OK
}

// frames notes the frames of a message at offset off. Suricata puts header and
// data at the beginning of the bytes it was given, which may hold earlier messages.
func (p *parser) frames(dir proto.Dir, off uint64, head, rest int) {
	at := p.c.Offset[dir]
	p.c.AddFrame(dir, "pdu", off, int64(head+rest), proto.NoTx)
	p.c.AddFrame(dir, "header", at, int64(head), proto.NoTx)
	p.c.AddFrame(dir, "data", at+uint64(head), int64(rest), proto.NoTx)
}

// Gap implements proto.Parser: bytes may only be lost where they are skipped.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.skip[dir] < uint64(n) {
		return false
	}
	p.skip[dir] -= uint64(n)
	return true
}

// malformed notes bytes that are no message.
func (p *parser) malformed(dir proto.Dir) {
	t := p.begin(dir, nil, 0)
	t.AddEvent(EventMalformed)
	t.complete()
}

// begin opens a transaction with m that waits for an answer.
func (p *parser) begin(dir proto.Dir, m *Message, waits uint8) *Tx {
	if len(p.c.Txs) >= p.cfg.maxTxs {
		for _, x := range p.c.Open() {
			if t, ok := x.(*Tx); ok && !t.Complete() {
				t.AddEvent(EventTooManyTxs)
				t.complete()
				break
			}
		}
	}
	t := &Tx{version: p.version, waits: waits}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	if m != nil {
		t.Messages = append(t.Messages, m)
		t.id = m.ID
		if m.more {
			t.AddEvent(EventTooManyProperties)
		}
	}
	return t
}

// find returns the oldest transaction that waits for an answer of kind waits to
// packet id.
func (p *parser) find(waits uint8, id uint16) *Tx {
	for _, x := range p.c.Open() {
		if t, ok := x.(*Tx); ok && t.waits == waits && t.id == id {
			return t
		}
	}
	return nil
}

// answer adds m to the transaction it belongs to; without one, it is one of its
// own, with event missing.
func (p *parser) answer(dir proto.Dir, m *Message, waits uint8, missing proto.EventID, last bool) {
	id := m.ID
	t := p.find(waits, id)
	if t == nil {
		t = p.begin(dir, m, 0)
		t.AddEvent(missing)
		t.complete()
		return
	}
	if len(t.Messages) >= p.cfg.maxMsgs {
		t.AddEvent(EventTooManyMessages)
		t.complete()
		return
	}
	t.Messages = append(t.Messages, m)
	t.Touch(proto.ToServer)
	t.Touch(proto.ToClient)
	if m.more {
		t.AddEvent(EventTooManyProperties)
	}
	if last {
		t.complete()
	}
}

// message puts m where it belongs.
func (p *parser) message(dir proto.Dir, m *Message) {
	if m.moreTopics {
		p.c.Limit(limitTopics)
	}
	switch m.Type {
	case Connect:
		p.version = m.Connect.Version
		t := p.begin(dir, m, Connack)
		if p.connected {
			t.AddEvent(EventDoubleConnect)
		}
	case Connack:
		p.answer(dir, m, Connack, EventMissingConnect, true)
		p.connected = true // whatever the server said: Suricata's view
	case Publish:
		p.publish(dir, m)
	case Pubrec, Pubrel:
		p.answer(dir, m, Puback, EventMissingPublish, false)
	case Puback, Pubcomp:
		p.answer(dir, m, Puback, EventMissingPublish, true)
	case Subscribe:
		p.introduced(p.begin(dir, m, Suback))
	case Unsubscribe:
		p.introduced(p.begin(dir, m, Unsuback))
	case Suback:
		p.answer(dir, m, Suback, EventMissingSubscribe, true)
	case Unsuback:
		p.answer(dir, m, Unsuback, EventMissingUnsubscribe, true)
	case Unassigned:
		t := p.begin(dir, m, 0)
		t.AddEvent(EventUnassignedType)
		t.complete()
	default:
		t := p.begin(dir, m, 0)
		p.introduced(t)
		t.complete()
	}
}

func (p *parser) introduced(t *Tx) {
	if !p.connected {
		t.AddEvent(EventUnintroduced)
	}
}

func (p *parser) publish(dir proto.Dir, m *Message) {
	if m.QoS == 1 || m.QoS == 2 {
		t := p.begin(dir, m, Puback)
		if !m.HasID {
			t.AddEvent(EventMissingID)
		}
		p.introduced(t)
		return
	}
	t := p.begin(dir, m, 0)
	if m.QoS == 3 {
		t.AddEvent(EventInvalidQoS)
	}
	p.introduced(t)
	t.complete()
}

// decode reads the part of m behind its fixed header, which m keeps. It returns
// false when b does not hold what m must have.
func (p *parser) decode(m *Message, b []byte) bool {
	d := decoder{b: b, ok: true, m: m}
	v5 := p.version == 5
	switch m.Type {
	case Connect:
		d.connect()
	case Connack:
		m.Session = d.byte()&1 != 0
		m.Code, m.Reason = d.byte(), true
		if v5 {
			m.Props = d.props()
		}
	case Publish:
		m.Topic = d.bytes()
		if m.QoS > 0 {
			m.ID, m.HasID = d.u16(), d.ok
		}
		if v5 {
			m.Props = d.props()
		}
		m.Payload = d.b
	case Puback, Pubrec, Pubrel, Pubcomp:
		m.ID, m.HasID = d.u16(), true
		d.reason(v5)
	case Subscribe, Unsubscribe:
		m.ID, m.HasID = d.u16(), true
		if v5 {
			m.Props = d.props()
		}
		d.topics(m.Type == Subscribe)
	case Suback, Unsuback:
		m.ID, m.HasID = d.u16(), true
		if v5 {
			m.Props = d.props()
		}
		if m.Type == Suback || v5 {
			m.Codes = d.b[:min(len(d.b), MaxTopics)]
			m.moreTopics = len(d.b) > MaxTopics
		}
	case Disconnect, Auth:
		if len(d.b) == 1 {
			d.b = nil // Suricata takes a reason without properties for none
		}
		d.reason(v5 || m.Type == Auth)
	}
	return d.ok
}

// decoder reads b from its front; ok turns false at the first thing missing.
type decoder struct {
	b  []byte
	ok bool
	m  *Message
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.ok, d.b = false, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if v := d.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

// bytes reads a string or binary data.
func (d *decoder) bytes() []byte { return d.take(int(d.u16())) }

func (d *decoder) varint() uint32 {
	v, n, st := varint(d.b)
	if st != fine {
		d.ok, d.b = false, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// reason reads a reason code with properties, which may both be left out
// (MQTT 5.0 section 3.4.2.1).
func (d *decoder) reason(v5 bool) {
	if !v5 {
		return
	}
	d.m.Reason = true
	if len(d.b) > 0 {
		d.m.Code = d.byte()
	}
	if len(d.b) > 0 {
		d.m.Props = d.props()
	}
}

func (d *decoder) topics(qos bool) {
	for d.ok && len(d.b) > 0 {
		t := d.bytes()
		q := uint8(0)
		if qos {
			q = d.byte()
		}
		if !d.ok {
			return
		}
		if len(d.m.Topics) >= MaxTopics {
			d.m.moreTopics = true
			return
		}
		d.m.Topics = append(d.m.Topics, t)
		if qos {
			d.m.Codes = append(d.m.Codes, q)
		}
	}
}

func (d *decoder) connect() {
	c := &ConnectInfo{}
	d.m.Connect = c
	c.Protocol = d.bytes()
	c.Version = d.byte()
	c.Flags = d.byte()
	d.u16() // keep alive
	if c.Version == 5 {
		d.m.Props = d.props()
	}
	c.ClientID = d.bytes()
	if c.Flags&flagWill != 0 {
		if c.Version == 5 {
			c.WillProps = d.props()
		}
		c.WillTopic, c.WillMessage = d.bytes(), d.bytes()
	}
	if c.Flags&flagUsername != 0 {
		c.Username = d.bytes()
	}
	if c.Flags&flagPassword != 0 {
		c.Password = d.bytes()
	}
}

// props reads the properties of a message.
func (d *decoder) props() []Property {
	n := d.varint()
	if uint64(n) > uint64(len(d.b)) {
		d.ok, d.b = false, nil
		return nil
	}
	if n == 0 {
		return nil
	}
	in := decoder{b: d.take(int(n)), ok: true, m: d.m}
	list := []Property{}
	for len(in.b) > 0 {
		x := Property{ID: in.byte()}
		switch propForm(x.ID) {
		case formByte:
			x.Num = uint32(in.byte())
		case formU16:
			x.Num = uint32(in.u16())
		case formU32:
			if v := in.take(4); v != nil {
				x.Num = binary.BigEndian.Uint32(v)
			}
		case formVar:
			x.Num = in.varint()
		case formBytes:
			x.Bytes = in.bytes()
		case formPair:
			x.Key, x.Bytes = in.bytes(), in.bytes()
		default:
			return list // unknown, so its length is not known either
		}
		if !in.ok {
			d.ok = false
			return list
		}
		if len(list) >= MaxProperties {
			d.m.more = true
			break
		}
		list = append(list, x)
	}
	return list
}

// Forms of property values.
const (
	formNone = iota
	formByte
	formU16
	formU32
	formVar
	formBytes
	formPair
)

func propForm(id uint8) int {
	f, _ := property(id)
	return f
}

// property returns form and name of a property (MQTT 5.0 section 2.2.2.2).
func property(id uint8) (form int, name string) {
	switch id {
	case 1:
		return formByte, "payload_format_indicator"
	case 2:
		return formU32, "message_expiry_interval"
	case 3:
		return formBytes, "content_type"
	case 8:
		return formBytes, "response_topic"
	case 9:
		return formBytes, "correlation_data"
	case 11:
		return formVar, "subscription_identifier"
	case 17:
		return formU32, "session_expiry_interval"
	case 18:
		return formBytes, "assigned_client_identifier"
	case 19:
		return formU16, "server_keep_alive"
	case 21:
		return formBytes, "authentication_method"
	case 22:
		return formBytes, "authentication_data"
	case 23:
		return formByte, "request_problem_information"
	case 24:
		return formU32, "will_delay_interval"
	case 25:
		return formByte, "request_response_information"
	case 26:
		return formBytes, "response_information"
	case 28:
		return formBytes, "server_reference"
	case 31:
		return formBytes, "reason_string"
	case 33:
		return formU16, "receive_maximum"
	case 34:
		return formU16, "topic_alias_maximum"
	case 35:
		return formU16, "topic_alias"
	case 36:
		return formByte, "maximum_qos"
	case 37:
		return formByte, "retain_available"
	case 38:
		return formPair, ""
	case 39:
		return formU32, "maximum_packet_size"
	case 40:
		return formByte, "wildcard_subscription_available"
	case 41:
		return formByte, "subscription_identifier_available"
	case 42:
		return formByte, "shared_subscription_available"
	}
	return formNone, ""
}
