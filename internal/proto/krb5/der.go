package krb5

import "mirador/internal/proto/wire"

// Identifier octets.
const (
	tagInteger     = 0x02
	tagOctets      = 0x04
	tagOID         = 0x06
	tagSequence    = 0x30
	tagApplication = 0x60
	tagContext     = 0xa0
)

// inside takes the element at the start of b, which must have identifier tag, and
// returns its content.
func inside(b []byte, tag byte) ([]byte, bool) {
	have, body, _, ok := wire.BER(b)
	return body, ok && have == tag
}

// field looks for the context-specific element n in the content of a sequence and
// returns what is in it.
func field(seq []byte, n byte) ([]byte, bool) {
	for len(seq) > 0 {
		tag, body, rest, ok := wire.BER(seq)
		if !ok {
			return nil, false
		}
		if tag == tagContext|n {
			return body, true
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
	tag, body, _, ok := wire.BER(b)
	if !ok {
		return nil, false
	}
	switch tag {
	case 0x1b, 0x0c, 0x16, 0x13: // General, UTF8, IA5, Printable
		return append([]byte(nil), body[:min(len(body), MaxString)]...), true
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
		_, _, rest, ok := wire.BER(list)
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
