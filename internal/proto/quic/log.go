package quic

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/ja"
)

// log writes a packet.
func log(_ *proto.Conn, tx proto.Tx, w *jsonw.Writer) bool {
	t, ok := tx.(*Tx)
	if !ok {
		return false
	}
	w.Bytes("version", t.VersionName())
	if t.SNI != nil {
		w.Text("sni", t.SNI)
	}
	if t.UserAgent != nil {
		w.Text("ua", t.UserAgent)
	}
	if t.CYU != nil {
		w.Array("cyu")
		w.Open()
		w.Bytes("hash", t.CYUHash())
		w.Text("string", t.CYU)
		w.Close()
		w.CloseArray()
	}
	if t.Hello == nil {
		return true
	}
	text, hash := t.JA3()
	if t.Dir == proto.ToServer {
		w.Object("ja3")
	} else {
		w.Object("ja3s")
	}
	w.Bytes("hash", hash)
	w.Bytes("string", text)
	w.Close()
	if h := t.JA4(); h != nil {
		w.Bytes("ja4", h)
	}
	if len(t.Hello.Exts) > 0 {
		extensions(t.Hello, w)
	}
	return true
}

// logAlert writes the member "quic" of an alert record.
func logAlert(c *proto.Conn, tx proto.Tx, w *jsonw.Writer) {
	w.Object("quic")
	log(c, tx, w)
	w.Close()
}

// extensions writes the extensions of a hello: name, type and, of some, values.
func extensions(h *ja.Hello, w *jsonw.Writer) {
	w.Array("extensions")
	n := 0
	for b := h.Exts; len(b) >= 4 && n < ja.MaxList; n++ {
		typ, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b)-4 {
			break
		}
		w.Open()
		if name := extensionName(typ); name != "" {
			w.Str("name", name)
		}
		w.Uint("type", uint64(ja.ShownGrease(typ)))
		values(typ, b[4:4+size], w)
		w.Close()
		b = b[4+size:]
	}
	w.CloseArray()
}

// values writes what server name, ALPN, signature algorithms and versions hold.
func values(typ uint16, b []byte, w *jsonw.Writer) {
	m := w.Mark()
	w.Array("values")
	n := 0
	switch typ {
	case ja.ExtServerName:
		for b = behind(b, 2); len(b) >= 3; n++ {
			size := 3 + int(binary.BigEndian.Uint16(b[1:]))
			if size > len(b) {
				break
			}
			w.StrValue(lossy(b[3:size]))
			b = b[size:]
		}
	case ja.ExtALPN:
		for b = behind(b, 2); len(b) >= 1 && n < ja.MaxALPN; n++ {
			size := 1 + int(b[0])
			if size > len(b) {
				break
			}
			w.StrValue(lossy(b[1:size]))
			b = b[size:]
		}
	case ja.ExtSignatureAlgs:
		for b = behind(b, 2); len(b) >= 2 && n < ja.MaxList; n++ {
			w.StrValue(strconv.Itoa(int(binary.BigEndian.Uint16(b))))
			b = b[2:]
		}
	case ja.ExtVersions:
		if len(b)&1 == 1 {
			b = behind(b, 1) // a client's list; a server names one version
		}
		for ; len(b) >= 2 && n < ja.MaxList; n++ {
			w.StrValue(versionText(binary.BigEndian.Uint16(b)))
			b = b[2:]
		}
	}
	if n == 0 {
		w.Rollback(m)
		return
	}
	w.CloseArray()
}

func behind(b []byte, n int) []byte { return b[min(n, len(b)):] }

// lossy returns b as text, with U+FFFD for what is not UTF-8.
func lossy(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string([]rune(string(b)))
}

// versionText returns the name EVE has for a TLS version in a QUIC record.
func versionText(v uint16) string {
	switch v {
	case 0x0304:
		return "Tls13"
	case 0x0303:
		return "Tls12"
	case 0x0302:
		return "Tls11"
	case 0x0301:
		return "Tls10"
	case 0x0300:
		return "Ssl30"
	case 0xfefd:
		return "DTls12"
	case 0xfeff:
		return "DTls10"
	}
	return "TlsVersion(" + strconv.Itoa(int(v)) + " / 0x" + strconv.FormatUint(uint64(v), 16) + ")"
}

// extensionName returns IANA's name of an extension, "" when it has none here.
func extensionName(typ uint16) string {
	if names := extensionNames(); int(typ) < len(names) {
		return names[typ]
	}
	switch typ {
	case 13172:
		return "next_protocol_negotiation"
	case 65281:
		return "renegotiation_info"
	case 65486:
		return "encrypted_server_name"
	}
	return ""
}

// extensionNames returns the names of the extensions 0 to 59.
func extensionNames() [60]string {
	return [60]string{
		"server_name", "max_fragment_length", "client_certificate_url", "trusted_ca_keys", "truncated_hmac",
		"status_request", "user_mapping", "client_authz", "server_authz", "cert_type", "supported_groups",
		"ec_point_formats", "srp", "signature_algorithms", "use_srtp", "heartbeat", "alpn", "status_request_v2",
		"signed_certificate_timestamp", "client_certificate_type", "server_certificate_type", "padding",
		"encrypt_then_mac", "extended_master_secret", "token_binding", "cached_info", "tls_lts",
		"compress_certificate", "record_size_limit", "pwd_protect", "pwd_clear", "password_salt",
		"ticket_pinning", "tls_cert_with_extern_psk", "delegated_credentials", "session_ticket", "tlmsp",
		"tlmsp_proxying", "tlmsp_delegate", "supported_ekt_ciphers", "", "pre_shared_key", "early_data",
		"supported_versions", "cookie", "psk_key_exchange_modes", "", "certificate_authorities",
		"oid_filters", "post_handshake_auth", "signature_algorithms_cert", "key_share", "transparency_info",
		"connection_id_deprecated", "connection_id", "external_id_hash", "external_session_id",
		"quic_transport_parameters", "ticket_request", "dnssec_chain",
	}
}
