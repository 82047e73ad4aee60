package dns

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// parser follows one flow.
type parser struct {
	c       *proto.Conn
	variant variant
	// lost tells, per direction, that bytes were lost in the TCP stream and that
	// no message has been found behind the gap yet.
	lost [2]bool
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	if p.c.Hint.UDP {
		p.message(dir, data, 0)
		return len(data), 0, proto.OK
	}
	for len(data)-used >= 2 {
		rest := data[used:]
		n := 2 + int(binary.BigEndian.Uint16(rest))
		if p.lost[dir] {
			if n < 2+headerLen || len(rest) >= 2+headerLen && !plausible(header(rest[2:]), n-2) {
				// Not the start of a message: nothing tells where the next one is.
				return len(data), 0, proto.OK
			}
			if len(rest) < 2+headerLen {
				return used, 2 + headerLen, proto.OK
			}
			p.lost[dir] = false
		}
		if len(rest) < n {
			return used, n, proto.OK
		}
		if n > 2 {
			p.message(dir, rest[2:n], p.c.Offset[dir]+uint64(used)+2)
		}
		used += n
	}
	return used, 2, proto.OK
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if !p.c.Hint.UDP {
		p.lost[dir] = true
	}
	return true
}

// message makes a transaction of one message.
func (p *parser) message(dir proto.Dir, msg []byte, off uint64) {
	p.c.AddFrame(dir, "pdu", off, int64(len(msg)), p.c.TxCount())
	t, ok := decode(msg, p.c.Hint.Short)
	if !ok {
		if !p.c.Hint.Short {
			p.event(EventMalformedData)
		}
		return
	}
	if p.variant == unicast {
		switch {
		case dir == proto.ToServer && t.Response():
			p.event(EventNotRequest)
			return
		case dir == proto.ToClient && !t.Response():
			p.event(EventNotResponse)
			return
		}
	}
	if t.Cut > 0 {
		p.c.Limit(limitRecords)
	}
	t.Dir = dir
	t.Skip[dir.Other()] = true
	p.c.NewTx(t)
	t.Advance(dir, 1)
}

// event notes e at the newest transaction, if there is one.
func (p *parser) event(e proto.EventID) {
	if n := len(p.c.Txs); n > 0 {
		p.c.Txs[n-1].Base().AddEvent(e)
	}
}

// head is the fixed part of a message.
type head struct {
	id, flags      uint16
	qd, an, ns, ar uint16
}

// header reads the first headerLen bytes of b.
func header(b []byte) head {
	_ = b[headerLen-1]
	return head{
		id: binary.BigEndian.Uint16(b), flags: binary.BigEndian.Uint16(b[2:]),
		qd: binary.BigEndian.Uint16(b[4:]), an: binary.BigEndian.Uint16(b[6:]),
		ns: binary.BigEndian.Uint16(b[8:]), ar: binary.BigEndian.Uint16(b[10:]),
	}
}

func (h head) opcode() uint16 { return h.flags >> 11 & 0xf }

// records returns how many entries h announces.
func (h head) records() int { return int(h.qd) + int(h.an) + int(h.ns) + int(h.ar) }

// fits tells whether the entries that h announces can lie in a message of size
// bytes.
func fits(h head, size int) bool { return headerLen+2*h.records() <= size }

// plausible tells whether h can head a message of size bytes that says
// something. A bare header is a response (to what could not be read).
func plausible(h head, size int) bool {
	return (h.records() > 0 || h.flags&flagQR != 0) && fits(h, size)
}

// decoder reads one message.
type decoder struct {
	t      *Tx
	msg    []byte
	at     int
	labels int // read so far, in all names
	kept   int // questions and records kept so far
	bad    bool
}

// Decode reads one whole message (without the length that goes before it on
// TCP). It keeps a copy of what it needs of msg. ok is false when the header,
// a question or an answer cannot be read; a section behind them that cannot be
// read is left out with an event.
func Decode(msg []byte) (t *Tx, ok bool) { return decode(msg, false) }

// decode is Decode; with short, msg is the beginning of a message and everything
// up to the first question or record that is not all there is kept.
func decode(msg []byte, short bool) (t *Tx, ok bool) {
	if len(msg) < headerLen {
		return nil, false
	}
	h := header(msg)
	if !short && !plausible(h, len(msg)) {
		return nil, false
	}
	t = &Tx{MsgID: h.id, Flags: h.flags}
	own := make([]byte, len(msg), 2*len(msg)+64)
	copy(own, msg)
	t.names = own[len(msg):]
	d := decoder{t: t, msg: own[:len(msg):len(msg)], at: headerLen}
	if h.flags&flagZ != 0 {
		t.AddEvent(EventZFlagSet)
	}
	if t.Opcode() >= opcodeCount {
		t.AddEvent(EventInvalidOpcode)
	}
	d.questions(int(h.qd))
	t.Answers = d.records(int(h.an))
	if short && d.bad {
		return t, len(t.Questions) > 0
	}
	if d.bad {
		return nil, false
	}
	t.Authorities = d.records(int(h.ns))
	if short && d.bad {
		return t, true
	}
	if d.bad {
		t.Authorities = nil
		t.AddEvent(EventInvalidAuthorities)
		return t, true
	}
	t.Additionals = d.records(int(h.ar))
	if d.bad && !short {
		t.Additionals = nil
		t.AddEvent(EventInvalidAdditionals)
	}
	return t, true
}

// room returns how many of n entries of at least size bytes can follow.
func (d *decoder) room(n, size int) int {
	return min(n, (len(d.msg)-d.at)/size, MaxRecords-d.kept)
}

func (d *decoder) questions(n int) {
	if r := d.room(n, 5); r > 0 {
		d.t.Questions = make([]Question, 0, r)
	}
	for ; n > 0; n-- {
		name := d.name(len(d.msg))
		if d.bad || len(d.msg)-d.at < 4 {
			d.bad = true
			return
		}
		b := d.msg[d.at:]
		d.at += 4
		if d.kept >= MaxRecords {
			d.t.Cut++
			continue
		}
		d.kept++
		d.t.Questions = append(d.t.Questions, Question{
			Name: name, Type: binary.BigEndian.Uint16(b), Class: binary.BigEndian.Uint16(b[2:]),
		})
	}
}

func (d *decoder) records(n int) []Record {
	if d.bad {
		return nil
	}
	var out []Record
	if r := d.room(n, 11); r > 0 {
		out = make([]Record, 0, r)
	}
	for ; n > 0; n-- {
		r := Record{Name: d.name(len(d.msg))}
		if d.bad || len(d.msg)-d.at < 10 {
			d.bad = true
			return out
		}
		b := d.msg[d.at:]
		r.Type, r.Class = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		r.TTL = binary.BigEndian.Uint32(b[4:])
		size := int(binary.BigEndian.Uint16(b[8:]))
		d.at += 10
		if len(d.msg)-d.at < size {
			d.bad = true
			return out
		}
		r.Raw = d.msg[d.at : d.at+size : d.at+size]
		d.rdata(&r)
		if d.bad {
			return out
		}
		d.at += size
		if d.kept >= MaxRecords {
			d.t.Cut++
			continue
		}
		d.kept++
		out = append(out, r)
	}
	return out
}

// rdata checks r's data, which starts at d.at, and reads the names in it. A name
// may point anywhere but must lie inside the data itself; bytes behind it are
// let pass.
func (d *decoder) rdata(r *Record) {
	from, end := d.at, d.at+len(r.Raw)
	switch r.Type {
	case typeNS, typeCNAME, typePTR:
		r.Target = d.inner(0, end)
	case typeMX:
		r.Target = d.inner(2, end)
	case typeSRV:
		r.Target = d.inner(6, end)
	case typeSOA:
		r.Target = d.inner(0, end)
		r.Mailbox = d.inner(0, end)
		if d.bad || end-d.at < 20 {
			d.bad = true
			return
		}
		r.Raw = d.msg[d.at : d.at+20]
	case typeSSHFP:
		d.bad = len(r.Raw) < 2
	case typeTXT:
		d.bad = !wholeTexts(r.Raw)
	case typeOPT:
		d.bad = !wholeOptions(r.Raw)
	}
	d.at = from
}

// inner reads a name inside a record's data, skip bytes behind d.at. Where the
// data ends there, the name is empty.
func (d *decoder) inner(skip, end int) Name {
	if d.bad || end-d.at < skip {
		d.bad = true
		return Name{}
	}
	if d.at += skip; d.at == end {
		return Name{}
	}
	return d.name(end)
}

func wholeTexts(b []byte) bool {
	for len(b) > 0 {
		n := 1 + int(b[0])
		if n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}

func wholeOptions(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 4 || 4+int(binary.BigEndian.Uint16(b[2:])) > len(b) {
			return false
		}
		b = b[4+int(binary.BigEndian.Uint16(b[2:])):]
	}
	return true
}

// name reads the name at d.at, which must end before end, and moves behind it.
// Compression pointers may point backwards or forwards (RFC 1035 only speaks of
// prior names, resolvers take both) but not to themselves.
func (d *decoder) name(end int) Name {
	t, at := d.t, d.at
	start := len(t.names)
	var n Name
	jumped := false
	for steps := 0; ; steps++ {
		if steps >= MaxSteps || d.labels > MaxMessageLabels {
			if !jumped {
				d.bad = true
				return n
			}
			t.AddEvent(EventNameTooLong)
			t.AddEvent(EventTooManyLabels)
			n.Cut = true
			break
		}
		if at >= end {
			d.bad = true
			return n
		}
		c := int(d.msg[at])
		if c == 0 {
			if !jumped {
				d.at = at + 1
			}
			break
		}
		switch {
		case c&0xc0 == 0xc0:
			if at+2 > end || c&0x3f<<8|int(d.msg[at+1]) == at {
				d.bad = true
				return n
			}
			if !jumped {
				d.at, jumped = at+2, true
			}
			at, end = c&0x3f<<8|int(d.msg[at+1]), len(d.msg)
		case c&0xc0 != 0 || at+1+c > end:
			d.bad = true
			return n
		default:
			if !n.Cut {
				n.Cut = d.label(start, d.msg[at+1:at+1+c])
			}
			at += 1 + c
		}
		d.labels++
	}
	n.B = t.names[start:len(t.names):len(t.names)]
	return n
}

// label appends label to the name that begins at start, and tells whether the
// name had to be cut.
func (d *decoder) label(start int, label []byte) (cut bool) {
	t := d.t
	room := min(MaxName-(len(t.names)-start), MaxMessageNames-len(t.names))
	if len(t.names) > start {
		room--
		if room > 0 {
			t.names = append(t.names, '.')
		}
	}
	if len(label) > room {
		label, cut = label[:max(room, 0)], true
		t.AddEvent(EventNameTooLong)
	}
	t.names = append(t.names, label...)
	return cut
}
