package tls

import (
	"crypto/sha1"

	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// Side is what one end of a session showed.
type Side struct {
	Seen    bool // a hello message was seen
	Hello   ja.Hello
	Version uint16 // as far as known from hello or record
	Chain   [][]byte
	Cert    Cert // the first certificate of Chain
	HasCert bool

	fingerprint []byte // of Chain[0], made when asked for
	ja3, ja3h   []byte
	ja4         []byte
}

// Tx is a session.
type Tx struct {
	proto.TxBase
	Client, Server Side
	// WithoutCert tells that the session is worth a record although no
	// certificate was seen: resumed, or TLS 1.3.
	WithoutCert bool
	// Resumed tells that the session was resumed by session id or ticket.
	Resumed bool
	// Store is set by the keyword tls.store.
	Store bool

	cfg *config
	// states are the bits of ssl_state seen last, per direction.
	states  [2]uint8
	certReq bool     // the server wants a certificate of the client
	zero    [32]byte // a random before there is one
}

// side returns what the sender of direction dir showed.
func (t *Tx) side(dir proto.Dir) *Side {
	if dir == proto.ToServer {
		return &t.Client
	}
	return &t.Server
}

// version returns the version of the session: the server's word, else the
// client's.
func (t *Tx) version() uint16 {
	if t.Server.Version != 0 {
		return t.Server.Version
	}
	return t.Client.Version
}

// Fingerprint returns the SHA-1 of the first certificate as lower-case hex with
// colons, nil when there is none.
func (s *Side) Fingerprint() []byte {
	if s.fingerprint == nil && len(s.Chain) > 0 {
		sum := sha1.Sum(s.Chain[0])
		s.fingerprint = appendColons(nil, sum[:], "0123456789abcdef")
	}
	return s.fingerprint
}

// JA3 returns the JA3 string of a client's hello, the JA3S string of a server's,
// and its hash; nil when there was no hello.
func (s *Side) JA3(server bool) (text, hash []byte) {
	if s.ja3 == nil && s.Seen && len(s.Hello.Random) > 0 {
		if server {
			s.ja3 = s.Hello.AppendJA3S(nil)
		} else {
			s.ja3 = s.Hello.AppendJA3(nil)
		}
		s.ja3h = ja.Hash(s.ja3)
	}
	return s.ja3, s.ja3h
}

// JA4 returns the JA4 fingerprint of a client's hello, nil when there was none.
// For a hello of SSL 2.0 it is the fingerprint of nothing, as Suricata shows it.
func (s *Side) JA4() []byte {
	if s.ja4 == nil && s.Seen {
		s.ja4 = s.Hello.AppendJA4(nil, false)
	}
	return s.ja4
}

// appendColons appends b in hex with colons between the bytes.
func appendColons(out, b []byte, digits string) []byte {
	for i, c := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = append(out, digits[c>>4], digits[c&15])
	}
	return out
}

// versionName returns EVE's name of a version.
func versionName(v uint16) string {
	switch v {
	case 0:
		return "UNDETERMINED"
	case 0x0002:
		return "SSLv2"
	case 0x0300:
		return "SSLv3"
	case 0x0301:
		return "TLSv1"
	case 0x0302:
		return "TLS 1.1"
	case 0x0303:
		return "TLS 1.2"
	case 0x0304:
		return "TLS 1.3"
	case ja.DraftBefore16:
		return "TLS 1.3 draft-<16"
	case 0xfb17:
		return "TLS 1.3 draft-23-fb"
	case 0xfb1a:
		return "TLS 1.3 draft-26-fb"
	}
	if v >= 0x7f10 && v <= 0x7f1c {
		return "TLS 1.3 draft-" + decimal(uint64(v&0xff))
	}
	return decimal(uint64(v))
}

// validVersion tells whether records may be of version v.
func validVersion(v uint16) bool { return v >= 0x0300 && v <= 0x0303 || is13(v) }

// is13 tells whether v is TLS 1.3 or one of its drafts.
func is13(v uint16) bool {
	return v == 0x0304 || v == ja.DraftBefore16 || v >= 0x7f10 && v <= 0x7f1c || v == 0xfb17 || v == 0xfb1a
}

func decimal(v uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = '0' + byte(v%10)
		if v /= 10; v == 0 {
			return string(b[i:])
		}
	}
}
