package ldap

import "mirador/internal/proto/wire"

// Identifier octets. X.690; RFC 4511 section 5.1 asks for definite lengths.
const (
	tagBoolean  = 0x01
	tagInteger  = 0x02
	tagOctets   = 0x04
	tagEnum     = 0x0a
	tagSequence = 0x30
	tagSet      = 0x31
	tagControls = 0xa0
)

// reader takes elements one by one; bad is set by the first that is not there.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) more() bool { return !r.bad && len(r.b) > 0 }

// is tells whether the next element has identifier tag.
func (r *reader) is(tag byte) bool { return r.more() && r.b[0] == tag }

// next takes any element.
func (r *reader) next() (byte, []byte) {
	tag, body, rest, ok := wire.BER(r.b)
	if r.bad || !ok {
		r.bad, r.b = true, nil
		return 0, nil
	}
	r.b = rest
	return tag, body
}

// want takes an element that must have identifier tag.
func (r *reader) want(tag byte) []byte {
	have, body := r.next()
	if have != tag {
		r.bad = true
		return nil
	}
	return body
}

// option takes the element when it has identifier tag, and returns nil otherwise.
func (r *reader) option(tag byte) []byte {
	if !r.is(tag) {
		return nil
	}
	if b := r.want(tag); b != nil {
		return b
	}
	return []byte{}
}

func (r *reader) octets() []byte       { return r.want(tagOctets) }
func (r *reader) sub(tag byte) *reader { return &reader{b: r.want(tag), bad: r.bad} }

// number takes an INTEGER or ENUMERATED of up to four bytes (five when positive).
func (r *reader) number(tag byte) uint32 {
	b := r.want(tag)
	if len(b) == 5 && b[0] == 0 {
		b = b[1:]
	}
	if r.bad || len(b) == 0 || len(b) > 4 {
		r.bad = true
		return 0
	}
	var v uint32
	for _, c := range b {
		v = v<<8 | uint32(c)
	}
	return v
}

func (r *reader) boolean() bool {
	b := r.want(tagBoolean)
	if len(b) != 1 {
		r.bad = true
		return false
	}
	return b[0] != 0
}
