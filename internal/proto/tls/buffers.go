package tls

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// Bits of the keyword ssl_state.
const (
	stateClientHello uint8 = 1 << iota
	stateServerHello
	stateClientKey
	stateServerKey
)

type get = func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool)

// of returns the side that sends in direction dir, nil when tx is not of TLS.
func of(tx proto.Tx, dir proto.Dir) *Side {
	t, ok := tx.(*Tx)
	if !ok {
		return nil
	}
	return t.side(dir)
}

// one makes a Get of a function of a side.
func one(f func(s *Side) []byte) get {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		s := of(tx, dir)
		if s == nil || i > 0 {
			return nil, false
		}
		b := f(s)
		return b, b != nil
	}
}

// fromCert makes a Get of a function of a certificate that could be read.
func fromCert(f func(s *Side) []byte) get {
	return one(func(s *Side) []byte {
		if !s.HasCert {
			return nil
		}
		return f(s)
	})
}

// list makes a Get of a function that returns several values.
func list(f func(s *Side) [][]byte) get {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		s := of(tx, dir)
		if s == nil {
			return nil, false
		}
		l := f(s)
		if i >= len(l) {
			return nil, false
		}
		return l[i], true
	}
}

// wholeRandom returns the hello's random. Before the server's hello it is zero:
// Suricata looks into that too, which shows in rules that only say what must not
// be there.
func wholeRandom(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	if t, ok := tx.(*Tx); ok && dir == proto.ToClient && i == 0 && len(t.Server.Hello.Random) == 0 {
		return t.zero[:], true
	}
	return random(0, 32)(c, tx, dir, i)
}

// random returns n bytes of the hello's random from at on.
func random(at, n int) get {
	return one(func(s *Side) []byte {
		if len(s.Hello.Random) < at+n {
			return nil
		}
		return s.Hello.Random[at : at+n]
	})
}

func hello() [2]uint8 { return [2]uint8{ClientHelloDone, ServerHello} }
func certs() [2]uint8 { return [2]uint8{ClientCertDone, ServerCertDone} }

// fields are the keywords of TLS.
func fields() []proto.Field {
	return append(buffers(), matchers()...)
}

func buffers() []proto.Field {
	return []proto.Field{
		{Name: "tls.sni", Aliases: []string{"tls_sni"}, ToServer: true, MinProgress: hello(),
			Get: one(func(s *Side) []byte { return s.Hello.SNI }), Doc: "server name of the ClientHello"},
		{Name: "tls.alpn", ToServer: true, ToClient: true, MinProgress: hello(), Multi: true,
			Get: list(func(s *Side) [][]byte { return s.Hello.ALPN }), Doc: "each protocol offered or chosen by ALPN"},
		{Name: "tls.random", ToServer: true, ToClient: true, MinProgress: [2]uint8{ClientHelloDone, ServerInProgress}, Get: wholeRandom,
			Doc: "the 32 random bytes of a hello"},
		{Name: "tls.random_time", ToServer: true, ToClient: true, MinProgress: hello(), Get: random(0, 4),
			Doc: "the first 4 random bytes of a hello"},
		{Name: "tls.random_bytes", ToServer: true, ToClient: true, MinProgress: hello(), Get: random(4, 28),
			Doc: "the last 28 random bytes of a hello"},
		{Name: "tls.cert_subject", Aliases: []string{"tls_cert_subject"}, ToServer: true, ToClient: true, MinProgress: certs(),
			Get: fromCert(func(s *Side) []byte { return s.Cert.Subject }), Doc: "subject of the certificate"},
		{Name: "tls.cert_issuer", Aliases: []string{"tls_cert_issuer"}, ToServer: true, ToClient: true, MinProgress: certs(),
			Get: fromCert(func(s *Side) []byte { return s.Cert.Issuer }), Doc: "issuer of the certificate"},
		{Name: "tls.cert_serial", Aliases: []string{"tls_cert_serial"}, ToServer: true, ToClient: true, MinProgress: certs(), Validate: serialForm, Case: proto.CaseUpper,
			Get: fromCert(func(s *Side) []byte { return s.Cert.Serial }), Doc: "serial number, upper-case hex with colons"},
		{Name: "tls.cert_fingerprint", Aliases: []string{"tls_cert_fingerprint"}, ToServer: true, ToClient: true, MinProgress: certs(), Validate: fingerprintForm, Case: proto.CaseLower,
			Get: fromCert((*Side).Fingerprint), Doc: "SHA-1 of the certificate, lower-case hex with colons"},
		{Name: "tls.certs", ToServer: true, ToClient: true, MinProgress: certs(), Multi: true,
			Get: list(func(s *Side) [][]byte { return s.Chain }), Doc: "each certificate of the chain, DER"},
		{Name: "tls.subjectaltname", ToClient: true, MinProgress: certs(), Multi: true,
			Get: list(func(s *Side) [][]byte { return s.Cert.Names }), Doc: "each subject alternative name"},
		{Name: "ja3.hash", Aliases: []string{"ja3_hash"}, ToServer: true, MinProgress: hello(), Validate: ja.WholeMD5, Case: proto.CaseLower,
			Get: one(func(s *Side) []byte { _, h := s.JA3(false); return h }), Doc: "JA3 of the ClientHello"},
		{Name: "ja3.string", Aliases: []string{"ja3_string"}, ToServer: true, MinProgress: hello(),
			Get: one(func(s *Side) []byte { t, _ := s.JA3(false); return t }), Doc: "the text JA3 hashes"},
		{Name: "ja3s.hash", ToClient: true, MinProgress: hello(), Validate: ja.WholeMD5, Case: proto.CaseLower,
			Get: one(func(s *Side) []byte { _, h := s.JA3(true); return h }), Doc: "JA3S of the ServerHello"},
		{Name: "ja3s.string", ToClient: true, MinProgress: hello(),
			Get: one(func(s *Side) []byte { t, _ := s.JA3(true); return t }), Doc: "the text JA3S hashes"},
		{Name: "ja4.hash", ToServer: true, MinProgress: hello(),
			Get: one((*Side).JA4), Doc: "JA4 of the ClientHello"},
	}
}

// serialForm refuses contents that no serial number can hold.
func serialForm(content []byte, _ bool) error {
	if len(content) > 2 && bytes.IndexByte(content, ':') < 0 {
		return fmt.Errorf("content %q: the octets of a serial number are parted by colons", content)
	}
	return nil
}

// fingerprintForm refuses contents that are no SHA-1 with colons.
func fingerprintForm(content []byte, _ bool) error {
	if len(content) != 59 {
		return fmt.Errorf("content %q: a fingerprint has 20 octets in hex, parted by colons", content)
	}
	return nil
}

func matchers() []proto.Field {
	cert := func(name, doc string, compile func(string) (proto.TxMatcher, error)) proto.Field {
		return proto.Field{Name: name, Kind: proto.Custom, ToServer: true, ToClient: true, MinProgress: certs(),
			Compile: compile, Doc: doc}
	}
	response := func(f proto.Field) proto.Field { f.ToServer = false; return f }
	store := cert("tls.store", "keep the certificate chain", compileStore)
	store.Aliases = []string{"tls_store"}
	any := func(name, doc string, compile func(string) (proto.TxMatcher, error)) proto.Field {
		return proto.Field{Name: name, Kind: proto.Custom, ToServer: true, ToClient: true, Compile: compile, Doc: doc}
	}
	return []proto.Field{
		{Name: "tls.cert_chain_len", Kind: proto.Number, Bits: 32, ToClient: true, MinProgress: certs(),
			Uint: chainLen, Doc: "number of certificates the server sent"},
		cert("tls.subject", "text in the subject (old form of tls.cert_subject)",
			within(func(s *Side) []byte { return s.Cert.Subject }, false)),
		cert("tls.issuerdn", "text in the issuer (old form of tls.cert_issuer)",
			within(func(s *Side) []byte { return s.Cert.Issuer }, false)),
		cert("tls.fingerprint", "SHA-1 of the certificate (old form of tls.cert_fingerprint)",
			within((*Side).Fingerprint, true)),
		cert("tls_cert_notbefore", "start of the certificate's validity: a date, >date, <date, date<>date",
			compileDate(func(s *Side) int64 { return s.Cert.NotBefore })),
		cert("tls_cert_notafter", "end of the certificate's validity: a date, >date, <date, date<>date",
			compileDate(func(s *Side) int64 { return s.Cert.NotAfter })),
		response(cert("tls_cert_valid", "the certificate is valid at the time of the packet", compileValid(true))),
		response(cert("tls_cert_expired", "the certificate is no longer valid at the time of the packet", compileValid(false))),
		store,
		any("tls.version", "version of this side: 1.0, 1.1, 1.2, 1.3 or a number like 0x7f12", compileVersion),
		any("ssl_version", "version of this side: sslv2, sslv3, tls1.0 .. tls1.3, negated with !, lists with commas", compileSSLVersion),
		any("ssl_state", "handshake message seen: client_hello, server_hello, client_keyx, server_keyx, unknown; joined with |", compileState),
	}
}

func chainLen(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (uint64, bool) {
	s := of(tx, dir)
	if s == nil || i > 0 || len(s.Chain) == 0 {
		return 0, false
	}
	return uint64(len(s.Chain)), true
}

var (
	errNoArgument = errors.New("needs an argument")
	errArgument   = errors.New("takes no argument")
	errQuotes     = errors.New("the argument must stand in double quotes")
	errInside     = errors.New("the exclamation mark stands before the quotes")
)

// text takes the quotes and a leading ! off an argument.
func text(arg string) (s string, negated bool, err error) {
	s = strings.TrimSpace(arg)
	if strings.HasPrefix(s, "!") {
		s, negated = strings.TrimSpace(s[1:]), true
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	if s == "" {
		return "", false, errNoArgument
	}
	return s, negated, nil
}

// quotedText is text for keywords whose argument must be quoted.
func quotedText(arg string) (s string, negated bool, err error) {
	bare := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(arg), "!"))
	if len(bare) < 2 || bare[0] != '"' || bare[len(bare)-1] != '"' {
		return "", false, errQuotes
	}
	if bare[1] == '!' {
		return "", false, errInside
	}
	return text(arg)
}

// within makes a keyword that looks for its argument in a value of the
// certificate. Without certificate nothing matches, not even a negation.
func within(f func(s *Side) []byte, lower bool) func(string) (proto.TxMatcher, error) {
	return func(arg string) (proto.TxMatcher, error) {
		s, negated, err := quotedText(arg)
		if err != nil {
			return nil, err
		}
		if lower {
			s = strings.ToLower(s)
		}
		want := []byte(s)
		return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
			side := of(tx, dir)
			return side != nil && side.HasCert && bytes.Contains(f(side), want) != negated
		}, nil
	}
}

// compileDate makes a keyword that compares a date of the certificate.
func compileDate(f func(s *Side) int64) func(string) (proto.TxMatcher, error) {
	return func(arg string) (proto.TxMatcher, error) {
		s, _, err := text(arg)
		if err != nil {
			return nil, err
		}
		lo, hi := int64(-1<<62), int64(1<<62)
		switch {
		case s[0] == '<':
			hi, err = date(s[1:])
			hi--
		case s[0] == '>':
			lo, err = date(s[1:])
			lo++
		default:
			from, to, two := strings.Cut(s, "<>")
			if lo, err = date(from); err == nil {
				hi = lo
				if two {
					hi, err = date(to)
				}
			}
			if err == nil && two && lo > hi {
				err = fmt.Errorf("%q: ends before it begins", arg)
			}
		}
		if err != nil {
			return nil, err
		}
		return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
			side := of(tx, dir)
			return side != nil && side.HasCert && f(side) >= lo && f(side) <= hi
		}, nil
	}
}

// date reads a date with as much detail as is given.
func date(s string) (int64, error) {
	s = strings.TrimSpace(s)
	for _, layout := range [...]string{
		"2006", "2006-01", "2006-01-02", "2006-01-02 15", "2006-01-02T15", "2006-01-02 15:04", "2006-01-02T15:04",
		"2006-01-02 15:04:05", "2006-01-02T15:04:05",
	} {
		if len(layout) != len(s) {
			continue
		}
		if t, err := time.Parse(layout, s); err == nil {
			return t.Unix(), nil
		}
	}
	return 0, fmt.Errorf("%q is no date", s)
}

func compileValid(valid bool) func(string) (proto.TxMatcher, error) {
	return func(arg string) (proto.TxMatcher, error) {
		if strings.TrimSpace(arg) != "" {
			return nil, errArgument
		}
		return func(c *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
			s := of(tx, dir)
			if s == nil || !s.HasCert {
				return false
			}
			now := c.Time / int64(time.Second)
			if valid {
				return now >= s.Cert.NotBefore && now <= s.Cert.NotAfter
			}
			return now > s.Cert.NotAfter
		}, nil
	}
}

func compileStore(arg string) (proto.TxMatcher, error) {
	if strings.TrimSpace(arg) != "" {
		return nil, errArgument
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t, ok := tx.(*Tx)
		if !ok || len(t.side(dir).Chain) == 0 {
			return false
		}
		t.Store = true
		return true
	}, nil
}

func compileVersion(arg string) (proto.TxMatcher, error) {
	s := strings.TrimSpace(arg)
	if s == "" {
		return nil, errNoArgument
	}
	var want uint16
	switch s {
	case "1.0":
		want = 0x0301
	case "1.1":
		want = 0x0302
	case "1.2":
		want = 0x0303
	case "1.3":
		want = 0x0304
	default:
		hex, ok := strings.CutPrefix(s, "0x")
		n, err := strconv.ParseUint(hex, 16, 16)
		if !ok || err != nil || len(hex) != 4 {
			return nil, fmt.Errorf("%q is no version: 1.0 to 1.3, or 0x and four hex digits", s)
		}
		want = uint16(n)
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		s := of(tx, dir)
		return s != nil && s.Version != 0 && s.Version == want
	}, nil
}

// compileSSLVersion reads a list of versions, of which any may match; each one
// may be negated.
func compileSSLVersion(arg string) (proto.TxMatcher, error) {
	var yes, no []uint16
	for item := range strings.SplitSeq(arg, ",") {
		s, negated, err := text(item)
		if err != nil {
			return nil, err
		}
		var v uint16
		switch strings.ToLower(s) {
		case "sslv2":
			v = 0x0002
		case "sslv3":
			v = 0x0300
		case "tls1.0":
			v = 0x0301
		case "tls1.1":
			v = 0x0302
		case "tls1.2":
			v = 0x0303
		case "tls1.3":
			v = 0x0304
		default:
			return nil, fmt.Errorf("%q is no version", s)
		}
		if negated {
			no = append(no, v)
		} else {
			yes = append(yes, v)
		}
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		s := of(tx, dir)
		if s == nil || s.Version == 0 {
			return false
		}
		v := s.Version
		if is13(v) {
			v = 0x0304
		}
		for _, w := range yes {
			if v == w {
				return true
			}
		}
		for _, w := range no {
			if v != w {
				return true
			}
		}
		return false
	}, nil
}

func compileState(arg string) (proto.TxMatcher, error) {
	s, negated, err := text(arg)
	if err != nil {
		return nil, err
	}
	var want uint8
	unknown := false
	for name := range strings.SplitSeq(s, "|") {
		switch strings.TrimSpace(name) {
		case "client_hello":
			want |= stateClientHello
		case "server_hello":
			want |= stateServerHello
		case "client_keyx":
			want |= stateClientKey
		case "server_keyx":
			want |= stateServerKey
		case "unknown":
			unknown = true
		default:
			return nil, fmt.Errorf("%q is no state", name)
		}
	}
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir) bool {
		t, ok := tx.(*Tx)
		if !ok {
			return false
		}
		have := t.states[dir]
		return (have&want != 0 || unknown && have == 0) != negated
	}, nil
}
