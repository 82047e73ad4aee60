package ike

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// Payload types of IKEv1. RFC 2408 section 3.1.
const (
	payloadSA1        = 1
	payloadProposal1  = 2
	payloadTransform1 = 3
	payloadKE1        = 4
	payloadNonce1     = 10
	payloadVendor1    = 13

	doiIPsec = 1
)

// Attribute is an attribute of a transform of IKEv1, or a transform of IKEv2 under
// the name of such an attribute.
type Attribute struct {
	Type uint16
	// Value is the value as a number; Long is one that is not of 2 or 4 octets.
	Value   uint32
	Long    []byte
	HasLong bool
}

// version1 reads the payloads of an IKEv1 message. It returns false when the message
// is to be dropped.
func (p *parser) version1(t *Tx, dir proto.Dir, b []byte) bool {
	if t.Encrypted() {
		t.payload1(t.Header[offNext])
	} else {
		next := t.Header[offNext]
		for n := 0; len(b) > 0; n++ {
			if n == MaxPayloads {
				p.c.Limit(limitPayloads)
				break
			}
			t.payload1(next)
			after, body, rest, ok := payload(b)
			if !ok {
				break
			}
			if !p.body1(t, dir, next, body) {
				return false
			}
			next, b = after, rest
		}
	}
	t.HasDOI, t.DOI = p.hasDOI, p.doi
	t.Chosen, t.Exchange = p.chosen, p.exchange
	return true
}

// payload1 notes a payload type once.
func (t *Tx) payload1(typ byte) {
	for _, have := range t.Payloads {
		if have == typ {
			return
		}
	}
	t.Payloads = append(t.Payloads, typ)
}

// body1 reads one payload.
func (p *parser) body1(t *Tx, dir proto.Dir, typ byte, b []byte) bool {
	switch typ {
	case payloadSA1:
		if len(b) < 8 {
			return false
		}
		p.hasDOI, p.doi = true, binary.BigEndian.Uint32(b)
		if p.doi != doiIPsec {
			return true
		}
		p.proposals1(t, dir, b[8:])
	case payloadKE1:
		if len(b) > 0 {
			t.KE = hexOf(b)
			p.exchange[dir].KE = t.KE
		}
	case payloadNonce1:
		if len(b) > 0 {
			t.Nonce = hexOf(b)
			p.exchange[dir].Nonce = t.Nonce
		}
	case payloadVendor1:
		t.Vendors = append(t.Vendors, hexOf(b))
	}
	return true
}

// proposals1 reads the proposals of an SA payload.
func (p *parser) proposals1(t *Tx, dir proto.Dir, b []byte) {
	var all [][]Attribute
	for len(b) > 0 {
		t.payload1(payloadProposal1)
		_, body, rest, ok := payload(b)
		if !ok || len(body) < 4 || len(body) < 4+int(body[2]) {
			break
		}
		all = p.transforms1(t, all, body[4+int(body[2]):])
		b = rest
	}
	if dir == proto.ToServer {
		t.Offered = all
		return
	}
	if len(all) > 0 {
		p.chosen, t.ChosenHere = all[0], true
	}
	if len(all) > 1 {
		t.Offered = all
	}
}

// transforms1 reads the transforms of a proposal.
func (p *parser) transforms1(t *Tx, all [][]Attribute, b []byte) [][]Attribute {
	for len(b) > 0 {
		if len(all) >= MaxTransforms {
			p.c.Limit(limitTransforms)
			break
		}
		t.payload1(payloadTransform1)
		_, body, rest, ok := payload(b)
		if !ok || len(body) < 4 {
			break
		}
		if list := p.attributes(body[4:]); len(list) > 0 {
			all = append(all, list)
		}
		b = rest
	}
	return all
}

// attributes reads the attributes of a transform, of each type the first.
func (p *parser) attributes(b []byte) (list []Attribute) {
	for len(b) >= 4 {
		if len(list) >= MaxAttributes {
			p.c.Limit(limitAttributes)
			break
		}
		a := Attribute{Type: binary.BigEndian.Uint16(b) & 0x7fff}
		n := binary.BigEndian.Uint16(b[2:])
		short := b[0]&0x80 != 0
		b = b[4:]
		if short {
			a.Value = uint32(n)
		} else {
			if int(n) > len(b) {
				return list
			}
			if n == 4 {
				a.Value = binary.BigEndian.Uint32(b)
			} else {
				a.Long, a.HasLong = hexOf(b[:n]), true
			}
			b = b[n:]
		}
		if find(list, a.Type) == nil {
			list = append(list, a)
		}
	}
	return list
}

// find returns the attribute of a type, nil when there is none.
func find(list []Attribute, typ uint16) *Attribute {
	for i := range list {
		if list[i].Type == typ {
			return &list[i]
		}
	}
	return nil
}
