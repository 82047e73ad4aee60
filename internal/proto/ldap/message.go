package ldap

import "mirador/internal/proto/wire"

// Operations by the number of their application tag. RFC 4511 section 4.2 ..
const (
	opBind         = 0
	opBindResp     = 1
	opUnbind       = 2
	opSearch       = 3
	opEntry        = 4
	opDone         = 5
	opModify       = 6
	opModifyResp   = 7
	opAdd          = 8
	opAddResp      = 9
	opDel          = 10
	opDelResp      = 11
	opModDN        = 12
	opModDNResp    = 13
	opCompare      = 14
	opCompareResp  = 15
	opAbandon      = 16
	opReference    = 19
	opExtended     = 23
	opExtendedResp = 24
	opIntermediate = 25
)

// startTLS is the name of the extended operation. RFC 4511 section 4.14.
const startTLS = "1.3.6.1.4.1.1466.20037"

// Message is one LDAPMessage.
type Message struct {
	ID uint32
	Op uint8
	// DN is the name the operation is about, of a result its matchedDN. Text is
	// the diagnostic message of a result.
	DN, Text  []byte
	HasResult bool // Code is there
	Code      uint32
	// Attrs are the types of the attributes named in the operation.
	Attrs [][]byte

	name     []byte // of an extended operation
	body     []byte // content of the operation; nil: not kept
	controls []byte // content of the controls
	more     bool   // there were more attributes than Attrs holds
}

// isRequest tells whether clients send op.
func isRequest(op uint8) bool {
	switch op {
	case opBind, opUnbind, opSearch, opModify, opAdd, opDel, opModDN, opCompare, opAbandon, opExtended:
		return true
	}
	return false
}

// isResponse tells whether servers send op.
func isResponse(op uint8) bool {
	switch op {
	case opBindResp, opEntry, opDone, opModifyResp, opAddResp, opDelResp, opModDNResp, opCompareResp,
		opReference, opExtendedResp, opIntermediate:
		return true
	}
	return false
}

// final tells whether a response of op ends the answer.
func final(op uint8) bool { return op != opEntry && op != opReference && op != opIntermediate }

// operation returns the number of the operation with identifier tag. The right one
// of the two forms, primitive or constructed, must be used.
func operation(tag byte) (op uint8, ok bool) {
	op = tag & 0x1f
	if !isRequest(op) && !isResponse(op) {
		return 0, false
	}
	primitive := op == opUnbind || op == opDel || op == opAbandon
	return op, tag&0xe0 == 0x60 && !primitive || tag&0xe0 == 0x40 && primitive
}

// decode reads a whole message. What it returns refers to b.
func decode(b []byte) (m Message, ok bool) {
	r := reader{b: b}
	seq := r.sub(tagSequence)
	m.ID = seq.number(tagInteger)
	tag, body := seq.next()
	if seq.bad {
		return m, false
	}
	if m.Op, ok = operation(tag); !ok {
		return m, false
	}
	m.body = body
	if seq.is(tagControls) {
		m.controls = seq.option(tagControls)
	}
	return m, !seq.bad && m.read(&reader{b: body})
}

// attr notes an attribute's type.
func (m *Message) attr(b []byte) {
	if len(m.Attrs) >= MaxAttrs {
		m.more = true
		return
	}
	m.Attrs = append(m.Attrs, b)
}

// read checks the content of the operation and notes what keywords look at.
func (m *Message) read(r *reader) bool {
	switch m.Op {
	case opBind:
		r.number(tagInteger)
		m.DN = r.octets()
		r.next()
	case opUnbind:
	case opDel:
		m.DN = r.b
	case opAbandon:
		return len(r.b) > 0 && len(r.b) <= 5
	case opSearch:
		m.search(r)
	case opModify:
		m.DN = r.octets()
		for list := r.sub(tagSequence); list.more(); {
			c := list.sub(tagSequence)
			c.number(tagEnum)
			a := c.sub(tagSequence)
			m.attr(a.octets())
			values(a)
			list.bad = list.bad || c.bad || a.bad
			r.bad = r.bad || list.bad
		}
	case opAdd, opEntry:
		m.DN = r.octets()
		for list := r.sub(tagSequence); list.more(); {
			a := list.sub(tagSequence)
			m.attr(a.octets())
			values(a)
			list.bad = list.bad || a.bad
			r.bad = r.bad || list.bad
		}
	case opModDN:
		m.DN = r.octets()
		r.octets()
		r.boolean()
	case opCompare:
		m.DN = r.octets()
		a := r.sub(tagSequence)
		m.attr(a.octets())
		a.octets()
		return !r.bad && !a.bad
	case opReference:
		for r.more() {
			r.octets()
		}
	case opExtended:
		m.name = r.want(0x80)
	case opIntermediate:
		m.name = r.option(0x80)
	default:
		m.Code, m.HasResult = r.number(tagEnum), true
		m.DN, m.Text = r.octets(), r.octets()
	}
	return !r.bad
}

// values checks a set of values.
func values(a *reader) {
	for set := a.sub(tagSet); set.more(); {
		set.octets()
		a.bad = a.bad || set.bad
	}
}

func (m *Message) search(r *reader) {
	m.DN = r.octets()
	r.number(tagEnum)
	r.number(tagEnum)
	r.number(tagInteger)
	r.number(tagInteger)
	r.boolean()
	tag, body := r.next()
	if r.bad || !filter(tag, body, 0) {
		r.bad = true
		return
	}
	for list := r.sub(tagSequence); list.more(); {
		m.attr(list.octets())
		r.bad = r.bad || list.bad
	}
}

// filter checks the filter of a search.
func filter(tag byte, b []byte, depth int) bool {
	if depth > maxDepth {
		return true
	}
	switch tag {
	case 0xa0, 0xa1: // and, or
		r := reader{b: b}
		for r.more() {
			t, body := r.next()
			if r.bad || !filter(t, body, depth+1) {
				return false
			}
		}
		return !r.bad
	case 0xa2: // not
		t, body, _, ok := wire.BER(b)
		return ok && filter(t, body, depth+1)
	case 0xa3, 0xa5, 0xa6, 0xa8: // equality, greater or equal, less or equal, approximate
		r := reader{b: b}
		r.octets()
		r.octets()
		return !r.bad
	case 0xa4: // substrings
		r := reader{b: b}
		r.octets()
		r.sub(tagSequence)
		return !r.bad
	case 0x87, 0xa9: // present, extensible
		return true
	}
	return false
}

// own replaces what m refers to by a copy, of the whole message when keep is set
// and else of nothing, and returns the bytes it holds.
func (m *Message) own(b []byte, keep bool) int {
	if !keep {
		*m = Message{ID: m.ID, Op: m.Op, Code: m.Code, HasResult: m.HasResult}
		return 0
	}
	c := append(make([]byte, 0, len(b)), b...)
	*m, _ = decode(c)
	return len(c) + 24*len(m.Attrs)
}
