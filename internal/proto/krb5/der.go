package krb5

// tlv is an element of DER (or definite-length BER): its identifier octet and its
// content.
type tlv struct {
	tag  byte
	body []byte
}

// Identifier octets.
const (
	tagInteger     = 0x02
	tagOctets      = 0x04
	tagOID         = 0x06
	tagSequence    = 0x30
	tagApplication = 0x60
	tagContext     = 0xa0
)

// next takes the element at the start of b. ok is false when b does not begin with
// one that lies in it; high tag numbers and indefinite lengths are not taken.
func next(b []byte) (e tlv, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return e, nil, false
	}
	e.tag = b[0]
	n, head := int(b[1]), 2
	if n >= 0x80 {
		k := n & 0x7f
		if k == 0 || k > 4 || len(b) < 2+k {
			return e, nil, false
		}
		n, head = 0, 2+k
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	if n < 0 || len(b)-head < n {
		return e, nil, false
	}
	e.body = b[head : head+n]
	return e, b[head+n:], true
}

// inside takes the element at the start of b, which must have identifier tag, and
// returns its content.
func inside(b []byte, tag byte) ([]byte, bool) {
	e, _, ok := next(b)
	return e.body, ok && e.tag == tag
}

// field looks for the context-specific element n in the content of a sequence and
// returns what is in it.
func field(seq []byte, n byte) ([]byte, bool) {
	for len(seq) > 0 {
		e, rest, ok := next(seq)
		if !ok {
			return nil, false
		}
		if e.tag == tagContext|n {
			return e.body, true
		}
		seq = rest
	}
	return nil, false
}

// integer reads an INTEGER of up to four bytes.
func integer(b []byte) (int32, bool) {
	body, ok := inside(b, tagInteger)
	if !ok || len(body) == 0 || len(body) > 4 {
		return 0, false
	}
	v := int32(int8(body[0]))
	for _, c := range body[1:] {
		v = v<<8 | int32(c)
	}
	return v, true
}

// text reads a string of any string type.
func text(b []byte) ([]byte, bool) {
	e, _, ok := next(b)
	if !ok {
		return nil, false
	}
	switch e.tag {
	case 0x1b, 0x0c, 0x16, 0x13: // General, UTF8, IA5, Printable
		return append([]byte(nil), e.body[:min(len(e.body), MaxString)]...), true
	}
	return nil, false
}

// principal reads a PrincipalName and returns the parts of the name.
func principal(b []byte) ([][]byte, bool) {
	seq, ok := inside(b, tagSequence)
	if !ok {
		return nil, false
	}
	list, ok := field(seq, 1)
	if !ok {
		return nil, false
	}
	if list, ok = inside(list, tagSequence); !ok {
		return nil, false
	}
	var names [][]byte
	for len(list) > 0 && len(names) < MaxComponents {
		_, rest, ok := next(list)
		if !ok {
			return nil, false
		}
		s, ok := text(list)
		if !ok {
			return nil, false
		}
		names = append(names, s)
		list = rest
	}
	return names, true
}

// etype reads the encryption type of an EncryptedData.
func etype(b []byte) (int32, bool) {
	seq, ok := inside(b, tagSequence)
	if !ok {
		return 0, false
	}
	f, ok := field(seq, 0)
	if !ok {
		return 0, false
	}
	return integer(f)
}

// ticketOf reads a Ticket.
func ticketOf(b []byte) (realm []byte, sname [][]byte, enc int32, ok bool) {
	body, ok := inside(b, tagApplication|1)
	if !ok {
		return nil, nil, 0, false
	}
	seq, ok := inside(body, tagSequence)
	if !ok {
		return nil, nil, 0, false
	}
	if f, has := field(seq, 1); has {
		realm, _ = text(f)
	}
	if f, has := field(seq, 2); has {
		sname, _ = principal(f)
	}
	f, ok := field(seq, 3)
	if !ok {
		return nil, nil, 0, false
	}
	enc, ok = etype(f)
	return realm, sname, enc, ok && realm != nil && sname != nil
}

// ReadAPReq reads the realm and the service name of the ticket in an AP-REQ. It
// returns copies.
func ReadAPReq(b []byte) (realm []byte, sname [][]byte, ok bool) {
	body, ok := inside(b, tagApplication|APReq)
	if !ok {
		return nil, nil, false
	}
	seq, ok := inside(body, tagSequence)
	if !ok {
		return nil, nil, false
	}
	t, ok := field(seq, 3)
	if !ok {
		return nil, nil, false
	}
	realm, sname, _, ok = ticketOf(t)
	return realm, sname, ok
}
