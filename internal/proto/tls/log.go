package tls

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// LogOptions are the settings of the EVE output "tls". The zero value is the
// stock one: extended fields.
type LogOptions struct {
	// Basic leaves out the extended fields.
	Basic bool
	// NoResumption leaves out resumed sessions without certificate.
	NoResumption bool
	// Custom, when not empty, names the fields written: subject, issuer,
	// session_resumed, serial, fingerprint, sni, version, not_before, not_after,
	// certificate, chain, ja3, ja3s, ja4, subjectaltname, client, client_certificate,
	// client_chain, client_alpns, server_alpns, client_handshake, server_handshake.
	Custom []string
}

// item is a set of fields.
type item uint32

const (
	itemSubject item = 1 << iota
	itemIssuer
	itemResumed
	itemSerial
	itemFingerprint
	itemSNI
	itemVersion
	itemNotBefore
	itemNotAfter
	itemCertificate
	itemChain
	itemJA3
	itemJA3S
	itemJA4
	itemNames
	itemClient
	itemClientCertificate
	itemClientChain
	itemClientALPN
	itemServerALPN
	itemClientHandshake
	itemServerHandshake

	itemsBasic    = itemSubject | itemIssuer | itemResumed | itemNames
	itemsExtended = itemsBasic | itemSerial | itemFingerprint | itemSNI | itemVersion | itemNotBefore |
		itemNotAfter | itemJA3 | itemJA3S | itemJA4 | itemClient | itemClientALPN | itemServerALPN
)

// items returns the set that o asks for.
func (o LogOptions) items() item {
	if len(o.Custom) == 0 {
		if o.Basic {
			return itemsBasic
		}
		return itemsExtended
	}
	var set item
	for _, name := range o.Custom {
		for i, known := range [...]string{
			"subject", "issuer", "session_resumed", "serial", "fingerprint", "sni", "version", "not_before",
			"not_after", "certificate", "chain", "ja3", "ja3s", "ja4", "subjectaltname", "client",
			"client_certificate", "client_chain", "client_alpns", "server_alpns", "client_handshake",
			"server_handshake",
		} {
			if name == known {
				set |= 1 << i
			}
		}
	}
	return set
}

// Logger returns the Protocol.Log of the EVE output "tls" under o. A session is
// logged when a certificate was seen, when it was resumed, or when it is TLS
// 1.3.
func Logger(o LogOptions) func(*proto.Conn, proto.Tx, *jsonw.Writer) bool {
	set := o.items()
	return func(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
		t, ok := tx.(*Tx)
		if !ok || !t.Server.HasCert && (!t.WithoutCert || o.NoResumption) {
			return false
		}
		write(c, t, w, set)
		return true
	}
}

// logAlert writes the member "tls" of an alert record.
func logAlert(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	if t, ok := tx.(*Tx); ok {
		w.Object("tls")
		write(c, t, w, itemsExtended)
		w.Close()
	}
}

// write writes the fields of set that t has.
func write(c *proto.Conn, t *Tx, w *jsonw.Writer, set item) {
	s := &t.Server
	if set&itemResumed != 0 && t.Resumed && !s.HasCert {
		w.Bool("session_resumed", true)
	}
	certificate(s, w, set)
	if set&itemSNI != 0 && t.Client.Hello.SNI != nil {
		w.Text("sni", t.Client.Hello.SNI)
	}
	if set&itemVersion != 0 {
		w.Str("version", versionName(t.version()))
	}
	if s.HasCert {
		validity(&s.Cert, w, set)
	}
	fingerprints(t, w, set)
	if set&itemClientALPN != 0 {
		alpns("client_alpns", &t.Client, w)
	}
	if set&itemServerALPN != 0 {
		alpns("server_alpns", &t.Server, w)
	}
	if c != nil && c.Orig != 0 && c.Table != nil {
		w.Str("from_proto", c.Table.Name(c.Orig))
	}
	if set&itemCertificate != 0 && len(s.Chain) > 0 {
		w.Base64("certificate", s.Chain[0])
	}
	if set&itemChain != 0 {
		chain(s, w)
	}
	if set&(itemClient|itemClientCertificate|itemClientChain) != 0 && t.Client.HasCert {
		w.Object("client")
		client(&t.Client, w, set)
		w.Close()
	}
	if set&itemClientHandshake != 0 && t.Client.Seen {
		clientHandshake(&t.Client.Hello, w)
	}
	if set&itemServerHandshake != 0 && t.Server.Seen {
		serverHandshake(t, w)
	}
}

// certificate writes what names a certificate.
func certificate(s *Side, w *jsonw.Writer, set item) {
	if !s.HasCert {
		return
	}
	if set&itemSubject != 0 {
		w.Text("subject", s.Cert.Subject)
	}
	if set&itemIssuer != 0 {
		w.Text("issuerdn", s.Cert.Issuer)
	}
	if set&itemNames != 0 && s.Cert.HasNames {
		w.Array("subjectaltname")
		for _, n := range s.Cert.Names {
			w.TextValue(n)
		}
		w.CloseArray()
	}
	if set&itemSerial != 0 && len(s.Cert.Serial) > 0 {
		w.Bytes("serial", s.Cert.Serial)
	}
	if set&itemFingerprint != 0 {
		w.Bytes("fingerprint", s.Fingerprint())
	}
}

func validity(c *Cert, w *jsonw.Writer, set item) {
	if set&itemNotBefore != 0 && c.NotBefore != 0 {
		w.Str("notbefore", stamp(c.NotBefore))
	}
	if set&itemNotAfter != 0 && c.NotAfter != 0 {
		w.Str("notafter", stamp(c.NotAfter))
	}
}

func stamp(t int64) string { return time.Unix(t, 0).UTC().Format("2006-01-02T15:04:05") }

// fingerprints writes JA3, JA3S and JA4 where the settings ask for them.
func fingerprints(t *Tx, w *jsonw.Writer, set item) {
	if set&itemJA3 != 0 && t.cfg.ja3 {
		ja3("ja3", &t.Client, false, w)
	}
	if set&itemJA3S != 0 && t.cfg.ja3 {
		ja3("ja3s", &t.Server, true, w)
	}
	if set&itemJA4 != 0 && t.cfg.ja4 {
		h := t.Client.JA4()
		if h == nil {
			// The same when no hello was seen.
			h = (&ja.Hello{}).AppendJA4(nil, false)
		}
		w.Bytes("ja4", h)
	}
}

func ja3(key string, s *Side, server bool, w *jsonw.Writer) {
	text, hash := s.JA3(server)
	if text == nil {
		return
	}
	w.Object(key)
	w.Bytes("hash", hash)
	w.Bytes("string", text)
	w.Close()
}

func alpns(key string, s *Side, w *jsonw.Writer) {
	if len(s.Hello.ALPN) == 0 {
		return
	}
	w.Array(key)
	for _, p := range s.Hello.ALPN {
		w.TextValue(p)
	}
	w.CloseArray()
}

// chain writes all certificates of a side.
func chain(s *Side, w *jsonw.Writer) {
	if len(s.Chain) == 0 {
		return
	}
	w.Array("chain")
	for _, c := range s.Chain {
		w.StrValue(base64.StdEncoding.EncodeToString(c))
	}
	w.CloseArray()
}

// client writes the client's certificate.
func client(s *Side, w *jsonw.Writer, set item) {
	if set&itemClient != 0 {
		certificate(s, w, itemSubject|itemIssuer|itemSerial|itemFingerprint)
		validity(&s.Cert, w, itemNotBefore|itemNotAfter)
	}
	if set&itemClientCertificate != 0 && len(s.Chain) > 0 {
		w.Base64("certificate", s.Chain[0])
	}
	if set&itemClientChain != 0 {
		chain(s, w)
	}
}

// clientHandshake writes what JA4 is made of.
func clientHandshake(h *ja.Hello, w *jsonw.Writer) {
	w.Object("client_handshake")
	v := h.Legacy
	if h.Version != 0 {
		v = h.Version
	}
	w.Str("version", versionName(v))
	numbers("ciphers", h.Ciphers, w)
	exts(h, w)
	numbers("sig_algs", h.SigAlgs, w)
	w.Close()
}

func serverHandshake(t *Tx, w *jsonw.Writer) {
	h := &t.Server.Hello
	w.Object("server_handshake")
	w.Str("version", versionName(t.Server.Version))
	w.Uint("cipher", uint64(h.Cipher()))
	exts(h, w)
	w.Close()
}

// numbers writes a list of 16-bit numbers without GREASE values.
func numbers(key string, list []byte, w *jsonw.Writer) {
	w.Array(key)
	for n := 0; len(list) >= 2 && n < ja.MaxList; n++ {
		if v := binary.BigEndian.Uint16(list); !ja.Grease(v) {
			w.UintValue(uint64(v))
		}
		list = list[2:]
	}
	w.CloseArray()
}

func exts(h *ja.Hello, w *jsonw.Writer) {
	w.Array("exts")
	n := 0
	h.Each(func(typ uint16) bool {
		if !ja.Grease(typ) {
			w.UintValue(uint64(typ))
		}
		n++
		return n < ja.MaxList
	})
	w.CloseArray()
}
