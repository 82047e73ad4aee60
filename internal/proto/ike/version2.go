package ike

import "encoding/binary"

// Payload types of IKEv2. RFC 7296 section 3.2.
const (
	payloadSA2     = 33
	payloadKE2     = 34
	payloadNotify2 = 41
)

// Transform types. RFC 7296 section 3.3.2.
const (
	encTransform   = 1
	prfTransform   = 2
	integTransform = 3
	dhTransform    = 4
	esnTransform   = 5

	encNull      = 11
	protocolAH   = 2
	firstStatus2 = 16384 // notify types below are errors
)

// proposal2 is a proposal of IKEv2.
type proposal2 struct {
	protocol   byte
	transforms []transform2
}

type transform2 struct {
	typ byte
	id  uint16
}

// version2 reads the payloads of an IKEv2 message. When one cannot be read, none
// counts.
func (p *parser) version2(t *Tx, server bool, b []byte) {
	types := []byte{t.Header[offNext]}
	var proposals []proposal2
	var notifies []uint16
	errors, next := 0, t.Header[offNext]
	for len(b) > 0 {
		if len(types) >= MaxPayloads {
			p.c.Limit(limitPayloads)
			break
		}
		after, body, rest, ok := payload(b)
		if !ok {
			return
		}
		switch next {
		case payloadSA2:
			if proposals, ok = p.readProposals(proposals, body); !ok {
				return
			}
		case payloadKE2:
			if len(body) < 4 {
				return
			}
		case payloadNotify2:
			if len(body) < 4 || len(body) < 4+int(body[1]) {
				return
			}
			n := binary.BigEndian.Uint16(body[2:])
			notifies = append(notifies, n)
			if n < firstStatus2 {
				errors++
			}
		}
		types = append(types, after)
		next, b = after, rest
	}
	t.Payloads, t.Notifies, t.Errors = types, notifies, errors
	for i := range proposals {
		t.judge(&proposals[i])
		if server {
			p.choose(t, &proposals[i])
		}
	}
	t.Suite = p.suite
}

// readProposals reads the body of an SA payload.
func (p *parser) readProposals(list []proposal2, b []byte) ([]proposal2, bool) {
	total := 0
	for len(b) > 0 {
		_, body, rest, ok := payload(b)
		if !ok || len(body) < 4 || len(body) < 4+int(body[2]) {
			return nil, false
		}
		x := proposal2{protocol: body[1]}
		count := int(body[3])
		body = body[4+int(body[2]):]
		for range count {
			_, tr, after, ok := payload(body)
			if !ok || len(tr) < 4 {
				return nil, false
			}
			if total++; total > MaxTransforms {
				p.c.Limit(limitTransforms)
			} else {
				x.transforms = append(x.transforms, transform2{tr[0], binary.BigEndian.Uint16(tr[2:])})
			}
			body = after
		}
		list = append(list, x)
		b = rest
	}
	return list, len(list) > 0
}

// judge notes what is weak or missing in a proposal.
func (t *Tx) judge(x *proposal2) {
	var dh, integrity, aead bool
	for _, tr := range x.transforms {
		switch tr.typ {
		case encTransform:
			if tr.id >= 1 && tr.id <= 9 || tr.id == encNull {
				t.RepeatEvent(EventWeakCryptoEnc)
			}
			aead = aead || isAEAD(tr.id)
		case prfTransform:
			switch tr.id {
			case 0:
				t.AddEvent(EventInvalidProposal)
			case 1, 2:
				t.RepeatEvent(EventWeakCryptoPRF)
			}
		case integTransform:
			if tr.id != 0 {
				integrity = true
			}
			if tr.id >= 1 && tr.id <= 7 {
				t.RepeatEvent(EventWeakCryptoAuth)
			}
		case dhTransform:
			dh = true
			switch tr.id {
			case 0:
				t.AddEvent(EventInvalidProposal)
			case 1, 2, 5, 22:
				t.RepeatEvent(EventWeakCryptoDH)
			}
		case esnTransform:
		default:
			t.AddEvent(EventUnknownProposal)
		}
	}
	if !dh {
		t.AddEvent(EventWeakCryptoNoDH)
	}
	if !integrity && !aead {
		t.AddEvent(EventWeakCryptoNoAuth)
	}
	if x.protocol == protocolAH {
		t.AddEvent(EventNoEncryption)
	}
}

// isAEAD tells whether an encryption transform also authenticates.
func isAEAD(id uint16) bool {
	return id >= 14 && id <= 16 || id >= 18 && id <= 20 || id >= 25 && id <= 28
}

// choose takes the transforms of a server's proposal as the chosen ones.
func (p *parser) choose(t *Tx, x *proposal2) {
	for _, tr := range x.transforms {
		if tr.typ < encTransform || tr.typ > esnTransform {
			continue
		}
		p.suite[tr.typ] = tr.id
		attr := [...]uint16{encTransform: attrEnc, prfTransform: attrPRF, integTransform: attrAuth, dhTransform: attrDH, esnTransform: 0}[tr.typ]
		if attr == 0 {
			continue
		}
		t.ChosenHere = true
		if a := find(t.Chosen, attr); a != nil {
			a.Value = uint32(tr.id)
		} else {
			t.Chosen = append(t.Chosen, Attribute{Type: attr, Value: uint32(tr.id)})
		}
	}
}
