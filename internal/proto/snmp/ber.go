package snmp

import (
	"strconv"
	"unicode/utf8"

	"mirador/internal/proto/wire"
)

// Identifier octets.
const (
	tagInteger   = 0x02
	tagOctets    = 0x04
	tagOID       = 0x06
	tagSequence  = 0x30
	tagIPAddress = 0x40
	tagPDU       = 0xa0
)

// take returns the content of the element with identifier want at the start of b.
func take(b []byte, want byte) (body, rest []byte, ok bool) {
	tag, body, rest, ok := wire.BER(b)
	return body, rest, ok && tag == want
}

// inside is take without what follows.
func inside(b []byte, want byte) ([]byte, bool) {
	body, _, ok := take(b, want)
	return body, ok
}

// integer takes an INTEGER of up to eight octets.
func integer(b []byte) (v int64, rest []byte, ok bool) {
	body, rest, ok := take(b, tagInteger)
	if !ok || len(body) == 0 || len(body) > 8 {
		return 0, nil, false
	}
	v = int64(int8(body[0]))
	for _, c := range body[1:] {
		v = v<<8 | int64(c)
	}
	return v, rest, true
}

// small takes an INTEGER from 0 to 2^32-1.
func small(b []byte) (uint32, []byte, bool) {
	v, rest, ok := integer(b)
	if !ok || v < 0 || v > 1<<32-1 {
		return 0, nil, false
	}
	return uint32(v), rest, true
}

// oid takes an OBJECT IDENTIFIER and returns it in dotted form.
func oid(b []byte) (string, []byte, bool) {
	body, rest, ok := take(b, tagOID)
	if !ok || len(body) > MaxOID {
		return "", nil, false
	}
	if len(body) == 0 {
		return "", rest, true
	}
	s := strconv.AppendUint(make([]byte, 0, 3*len(body)), uint64(body[0]/40), 10)
	s = append(s, '.')
	s = strconv.AppendUint(s, uint64(body[0]%40), 10)
	for n, i := uint64(0), 1; i < len(body); i++ {
		if n > 1<<56 {
			return "", nil, false
		}
		n = n<<7 | uint64(body[i]&0x7f)
		if body[i]&0x80 == 0 {
			s = strconv.AppendUint(append(s, '.'), n, 10)
			n = 0
		} else if i == len(body)-1 {
			return "", nil, false
		}
	}
	return string(s), rest, true
}

// message2 reads what follows the version in a message of version 1 or 2c.
func (t *Tx) message2(b []byte) bool {
	community, rest, ok := take(b, tagOctets)
	if !ok || !utf8.Valid(community) {
		return false
	}
	t.Community = append([]byte{}, community...)
	return t.pdu(rest)
}

// securityUSM is the user-based security model. RFC 3411.
const securityUSM = 3

// message3 reads what follows the version in a message of version 3. known tells
// whether it uses the user-based security model.
func (t *Tx) message3(b []byte) (known, ok bool) {
	global, rest, ok := take(b, tagSequence)
	if !ok {
		return false, false
	}
	for range 2 { // message id, maximum size
		if _, global, ok = small(global); !ok {
			return false, false
		}
	}
	flags, global, ok := take(global, tagOctets)
	if !ok || len(flags) != 1 {
		return false, false
	}
	model, _, ok := small(global)
	if !ok {
		return false, false
	}
	security, rest, ok := take(rest, tagOctets)
	if !ok {
		return false, false
	}
	if known = model == securityUSM; known {
		if !t.user(security) {
			return true, false
		}
	}
	if flags[0]&2 != 0 { // privacy
		_, ok = inside(rest, tagOctets)
		t.Encrypted = true
		return known, ok
	}
	scoped, ok := inside(rest, tagSequence)
	for range 2 { // context engine and name
		if ok {
			_, scoped, ok = take(scoped, tagOctets)
		}
	}
	return known, ok && t.pdu(scoped)
}

// user reads the parameters of the user-based security model: engine, boots, time,
// user, authentication, privacy.
func (t *Tx) user(b []byte) bool {
	seq, ok := inside(b, tagSequence)
	if ok {
		_, seq, ok = take(seq, tagOctets)
	}
	for range 2 {
		if ok {
			_, seq, ok = small(seq)
		}
	}
	if !ok {
		return false
	}
	user, rest, ok := take(seq, tagOctets)
	for range 2 {
		if ok {
			_, rest, ok = take(rest, tagOctets)
		}
	}
	if !ok || !utf8.Valid(user) {
		return false
	}
	t.USM = append([]byte{}, user...)
	return true
}

// pdu reads a PDU.
func (t *Tx) pdu(b []byte) bool {
	tag, body, _, ok := wire.BER(b)
	if !ok || tag&0xe0 != tagPDU || tag&0x1f > pduReport {
		return false
	}
	if t.Type = tag & 0x1f; t.Type == pduTrap1 {
		return t.trap(body)
	}
	if _, body, ok = integer(body); !ok {
		return false
	}
	status, body, ok := small(body)
	if ok {
		_, body, ok = small(body)
	}
	if !ok {
		return false
	}
	if t.Type != pduGetBulk {
		t.Error = status
	}
	return t.vars(body)
}

// trap reads a Trap-PDU of version 1: enterprise, address, generic and specific type,
// time, variables.
func (t *Tx) trap(b []byte) bool {
	s, b, ok := oid(b)
	if !ok {
		return false
	}
	addr, b, ok := take(b, tagIPAddress)
	if !ok || len(addr) != 4 {
		return false
	}
	t.Enterprise, t.TrapAddress = s, append([]byte(nil), addr...)
	if t.Trap, b, ok = small(b); !ok {
		return false
	}
	if _, b, ok = small(b); !ok {
		return false
	}
	if _, _, b, ok = wire.BER(b); !ok {
		return false
	}
	return t.vars(b)
}

// vars reads the names of a list of variables.
func (t *Tx) vars(b []byte) bool {
	list, ok := inside(b, tagSequence)
	if !ok {
		return false
	}
	for len(list) > 0 && len(t.Vars) < MaxVars {
		pair, rest, ok := take(list, tagSequence)
		if !ok {
			return false
		}
		s, value, ok := oid(pair)
		if !ok {
			return false
		}
		if _, _, _, ok = wire.BER(value); !ok {
			return false
		}
		t.Vars = append(t.Vars, s)
		list = rest
	}
	return true
}
