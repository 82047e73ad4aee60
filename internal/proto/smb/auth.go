package smb

import (
	"bytes"
	"encoding/binary"

	"mirador/internal/proto/krb5"
	"mirador/internal/proto/wire"
)

// Object identifiers of mechanisms, in DER.
var (
	oidSPNEGO   = [...]byte{0x2b, 0x06, 0x01, 0x05, 0x05, 0x02}
	oidKerberos = [...]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}
)

// signatureNTLM begins every NTLMSSP message.
const signatureNTLM = "NTLMSSP\x00"

// token reads what the client shows in a session setup: NTLMSSP, bare or in SPNEGO,
// or a Kerberos ticket in SPNEGO.
func (p *parser) token(s *session, b []byte) {
	if bytes.HasPrefix(b, []byte(signatureNTLM)) {
		p.ntlm(s, b)
		return
	}
	tag, body, _, ok := wire.BER(b)
	if !ok {
		return
	}
	switch tag {
	case 0x60: // GSS-API: OID of SPNEGO, then NegTokenInit
		tag, oid, rest, ok := wire.BER(body)
		if !ok || tag != 0x06 || !bytes.Equal(oid, oidSPNEGO[:]) {
			return
		}
		if tag, body, _, ok = wire.BER(rest); !ok || tag != 0xa0 {
			return
		}
		p.negToken(s, body)
	case 0xa0, 0xa1: // NegTokenInit, NegTokenResp
		p.negToken(s, body)
	}
}

// negToken reads the sequence in a NegTokenInit or NegTokenResp: the mechanism's
// token is its element [2] in either.
func (p *parser) negToken(s *session, b []byte) {
	tag, seq, _, ok := wire.BER(b)
	if !ok || tag != 0x30 {
		return
	}
	for range 16 { // a NegToken has five elements
		tag, body, rest, ok := wire.BER(seq)
		if !ok {
			return
		}
		if tag == 0xa2 {
			if tag, token, _, ok := wire.BER(body); ok && tag == 0x04 {
				p.mechanism(s, token)
			}
			return
		}
		seq = rest
	}
}

// mechanism reads a mechanism's token.
func (p *parser) mechanism(s *session, b []byte) {
	if bytes.HasPrefix(b, []byte(signatureNTLM)) {
		p.ntlm(s, b)
		return
	}
	tag, body, _, ok := wire.BER(b)
	if !ok || tag != 0x60 {
		return
	}
	tag, oid, rest, ok := wire.BER(body)
	if !ok || tag != 0x06 || !bytes.Equal(oid, oidKerberos[:]) || len(rest) < 2 || rest[0] != 1 || rest[1] != 0 {
		return
	}
	realm, snames, ok := krb5.ReadAPReq(rest[2:])
	if !ok {
		return
	}
	s.krb = &kerberos{realm: realm, snames: snames[:min(len(snames), MaxSNames)]}
}

// Flags of an NTLMSSP message. [MS-NLMP] section 2.2.2.5.
const (
	ntlmUnicode = 0x00000001
	ntlmVersion = 0x02000000
)

// ntlm reads an NTLMSSP AUTHENTICATE message; others say nothing of the user.
//
//	0 signature, 8 type; then length, room and offset of: 12 LM response,
//	20 NT response, 28 domain, 36 user, 44 host, 52 session key; 60 flags, 64 version
func (p *parser) ntlm(s *session, b []byte) {
	if len(b) < 12 {
		p.event(EventMalformedNTLMSSPRequest)
		return
	}
	if binary.LittleEndian.Uint32(b[8:]) != 3 {
		return
	}
	if len(b) < 64 {
		p.event(EventMalformedNTLMSSPRequest)
		return
	}
	n := &ntlmssp{}
	flags := binary.LittleEndian.Uint32(b[60:])
	first, last := len(b), 0
	for at, to := range ntlmFields(n) {
		f := b[12+8*at:]
		size, off := int(binary.LittleEndian.Uint16(f)), int(binary.LittleEndian.Uint32(f[4:]))
		v, ok := part(b, off, size)
		if size == 0 {
			continue
		}
		if !ok {
			p.event(EventMalformedNTLMSSPRequest)
			return
		}
		first = min(first, off)
		if to == nil {
			continue
		}
		n.odd = n.odd || off < last
		last = off + size
		if flags&ntlmUnicode != 0 {
			*to = dense(v)
		} else {
			*to = clip(v)
		}
	}
	if flags&ntlmVersion != 0 && first >= 72 && len(b) >= 72 {
		n.version = clip(b[64:72])
	}
	s.ntlm = n
}

// ntlmFields lists where the fields of an AUTHENTICATE message go, in the order of its
// header.
func ntlmFields(n *ntlmssp) [6]*[]byte {
	return [6]*[]byte{nil, nil, &n.domain, &n.user, &n.host, nil}
}

// mark notes at tx what is odd about the names in s.
func (s *session) mark(tx *Tx) {
	if s.ntlm != nil && s.ntlm.odd {
		tx.AddEvent(EventUnusualNTLMSSPOrder)
	}
}
