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
	t, ok := Decode(msg)
	if !ok {
		p.event(EventMalformedData)
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

// plausible tells whether h can head a message of size bytes.
func plausible(h head, size int) bool {
	if h.flags>>11&0xf >= opcodeCount {
		return false
	}
	n := int(h.qd) + int(h.an) + int(h.ns) + int(h.ar)
	return headerLen+2*n <= size
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
// a question or an answer cannot be read; authorities and additional records
// that cannot be read end the message with the event malformed_data.
func Decode(msg []byte) (t *Tx, ok bool) {
	if len(msg) < headerLen {
		return nil, false
	}
	h := header(msg)
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
	if d.bad {
		return nil, false
	}
	t.Authorities = d.records(int(h.ns))
	t.Additionals = d.records(int(h.ar))
	if d.bad {
		t.AddEvent(EventMalformedData)
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
		name := d.name()
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
		r := Record{Name: d.name()}
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

// rdata reads the names in r's data, which starts at d.at. The names may point
// anywhere but must begin and end inside the data.
func (d *decoder) rdata(r *Record) {
	from, end := d.at, d.at+len(r.Raw)
	skip, fixed := 0, 0 // bytes before and after the names
	switch r.Type {
	case typeNS, typeCNAME, typePTR:
	case typeMX:
		skip = 2
	case typeSRV:
		skip = 6
	case typeSOA:
		fixed = 20
	case typeSSHFP:
		d.bad = len(r.Raw) < 2
		return
	default:
		return
	}
	if len(r.Raw) <= skip {
		d.bad = true
		return
	}
	d.at += skip
	r.Target = d.name()
	if r.Type == typeSOA && !d.bad && d.at < end {
		r.Mailbox = d.name()
	}
	if d.at+fixed > end {
		d.bad = true
	}
	if r.Type == typeSOA && !d.bad {
		r.Raw = d.msg[d.at : d.at+fixed]
	}
	d.at = from
}

// name reads the name at d.at and moves behind it. Compression pointers may
// point backwards or forwards (RFC 1035 only speaks of prior names, resolvers
// take both).
func (d *decoder) name() Name {
	t, at := d.t, d.at
	start := len(t.names)
	var n Name
	jumps, labels := 0, 0
	for {
		if at >= len(d.msg) {
			d.bad = true
			return n
		}
		c := int(d.msg[at])
		switch {
		case c == 0:
			if jumps == 0 {
				d.at = at + 1
			}
			n.B = t.names[start:len(t.names):len(t.names)]
			return n
		case c&0xc0 == 0xc0:
			if at+2 > len(d.msg) {
				d.bad = true
				return n
			}
			if jumps == 0 {
				d.at = at + 2
			}
			jumps++
			if jumps > MaxJumps {
				t.AddEvent(EventInfiniteLoop)
				n.B = t.names[start:len(t.names):len(t.names)]
				return n
			}
			at = c&0x3f<<8 | int(d.msg[at+1])
		case c&0xc0 != 0 || at+1+c > len(d.msg):
			d.bad = true
			return n
		default:
			labels++
			d.labels++
			switch {
			case labels > MaxLabels || d.labels > MaxMessageLabels:
				t.AddEvent(EventTooManyLabels)
				n.Cut = true
			case !n.Cut:
				n.Cut = d.label(start, d.msg[at+1:at+1+c])
			}
			if n.Cut && jumps > 0 {
				// The end of the name on the wire is known already.
				n.B = t.names[start:len(t.names):len(t.names)]
				return n
			}
			at += 1 + c
		}
	}
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
