package tls_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

var plain = certificate{}.der()

// TestLogged checks which sessions are logged and with what. The expectations
// are what Suricata 8.0.7 does with the same bytes.
func TestLogged(t *testing.T) {
	ch, sh := rec(22, clientHello("", sni("a.b"))), rec(22, serverHello("", ""))
	cert := rec(22, chain(plain))
	sid := strings.Repeat("i", 32)
	cases := []struct {
		name string
		in   []piece
		want string // keys and some values; "" when not logged
	}{
		{"certificate", []piece{{up, ch}, {down, sh}, {down, cert}},
			"subject=CN=subject issuerdn=CN=issuer serial=01:02:03 sni=a.b version=TLS 1.2 notbefore=2020-01-01T00:00:00 notafter=2030-01-01T00:00:00"},
		{"nothing to tell", []piece{{up, ch}, {down, sh}, {down, ccs}, {up, ccs}, {up, data}, {down, data}}, ""},
		{"hello only", []piece{{up, ch}}, ""},
		{"ticket offered, no answer", []piece{{up, rec(22, clientHello("", sni("a.b")+ticket))}}, "sni=a.b version=TLS 1.2"},
		{"ticket", []piece{{up, rec(22, clientHello("", sni("a.b")+ticket))}, {down, sh}, {down, ccs}, {up, ccs}},
			"session_resumed=true sni=a.b version=TLS 1.2"},
		{"session id", []piece{{up, rec(22, clientHello(sid, ""))}, {down, rec(22, serverHello(sid, ""))}},
			"session_resumed=true version=TLS 1.2"},
		{"other session id", []piece{{up, rec(22, clientHello(sid, ""))}, {down, rec(22, serverHello(sid[1:], ""))}}, ""},
		{"TLS 1.3", []piece{{up, rec(22, clientHello(sid, sni("a.b")+offer13))}, {down, rec(22, serverHello(sid, pick13))}, {down, data}},
			"sni=a.b version=TLS 1.3"},
		{"1.3 offered, 1.2 taken", []piece{{up, rec(22, clientHello("", offer13))}, {down, sh}}, ""},
		{"1.3 not offered", []piece{{up, ch}, {down, rec(22, serverHello("", pick13))}}, ""},
		{"SSL 3.0 has no extensions", []piece{{up, recV(22, 0x0300, helloV(0x0300, "", sni("a.b")+ticket))}, {down, sh}, {down, cert}},
			"subject=CN=subject issuerdn=CN=issuer serial=01:02:03 version=TLS 1.2 notbefore=2020-01-01T00:00:00 notafter=2030-01-01T00:00:00"},
		{"odd version", []piece{{up, rec(22, helloV(0x0307, "", ticket))}}, "version=775"},
	}
	for _, c := range cases {
		r := run(t, prototest.Settings{"ja4-fingerprints": "no"}, c.in...)
		m := r.Map(t)
		var got []string
		for _, k := range []string{"session_resumed", "subject", "issuerdn", "serial", "sni", "version", "notbefore", "notafter"} {
			if v, ok := m[k]; ok {
				got = append(got, fmt.Sprintf("%s=%v", k, v))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, strings.Join(got, " "), c.want)
		}
	}
}

func TestFingerprintsLogged(t *testing.T) {
	in := []piece{{up, rec(22, clientHello("", sni("a.b")+ticket))}, {down, rec(22, serverHello("", ""))}}
	m := run(t, nil, in...)
	if got := m.Map(t); got["ja4"] != "t12d020200_1584f0a67932_94264683603e" || got["ja3"] != nil {
		t.Errorf("by default: %v", got)
	}
	m = run(t, prototest.Settings{"ja3-fingerprints": "yes", "ja4-fingerprints": "no"}, in...)
	got := m.Map(t)
	if got["ja4"] != nil || fmt.Sprint(got["ja3"]) != "map[hash:2930ba523890621576a3660f8e53d2ff string:771,49199-53,0-35,,]" {
		t.Errorf("ja3 on, ja4 off: %v", got)
	}
}

func TestCertificateNames(t *testing.T) {
	subject := func(tag byte, v string) certificate { return certificate{subject: cn(tag, v)} }
	cases := []struct {
		name string
		cert certificate
		want string
	}{
		{"UTF-8", subject(0x0c, "a\u00e9"), "CN=a\u00e9"},
		{"NUL", subject(0x13, "a\x00b"), "CN=a\x00b"},
		{"not UTF-8", subject(0x0c, "a\xe9"), "<X509Error: Invalid X.509 name>"},
		{"UTF-16", subject(0x1e, "\x00a\x00\xe9"), "CN=a\u00e9"},
		{"UTF-16, odd", subject(0x1e, "\x00a\x00"), "CN=a\x00"},
		{"no string", subject(0x04, "ab\xe9"), "CN=6162E9"},
		{"several", certificate{subject: name(atv("2.5.4.6", 0x13, "US"), atv("1.2.840.113549.1.9.1", 0x16, "x@y"), atv("1.2.3.4", 0x0c, "z"))},
			"C=US, Email=x@y, OID(1.2.3.4)=z"},
		{"two in a part", certificate{subject: tlv(0x30, tlv(0x31, atv("2.5.4.3", 0x0c, "a"), atv("2.5.4.10", 0x0c, "o")), tlv(0x31, atv("2.5.4.3", 0x0c, "z")))},
			"CN=a + O=o, CN=z"},
		{"empty", certificate{subject: name()}, ""},
		{"cut", certificate{subject: tlv(0x30, tlv(0x31, atv("2.5.4.3", 0x0c, "ok")), tlv(0x31, tlv(4, "")))}, "CN=ok"},
	}
	for _, c := range cases {
		r := run(t, nil, piece{up, rec(22, clientHello("", ""))}, piece{down, rec(22, serverHello("", "")+chain(c.cert.der()))})
		if got := r.Map(t)["subject"]; got != c.want {
			t.Errorf("%s: subject %q, want %q", c.name, got, c.want)
		}
	}
	long := certificate{subject: cn(0x0c, strings.Repeat("a", 60000))}.der()
	m := chain(long)
	r := run(t, nil, piece{up, rec(22, clientHello("", ""))}, piece{down, rec(22, serverHello("", "")+m[:16000]) + rec(22, m[16000:32000]) + rec(22, m[32000:48000]) + rec(22, m[48000:])})
	if got, _ := r.Map(t)["subject"].(string); len(got) < tls.MaxDN {
		t.Errorf("long subject has %d characters", len(got))
	}
}

func TestAltNames(t *testing.T) {
	cases := []struct {
		name string
		exts string
		want string
	}{
		{"kinds", extensions(altNames(tlv(0x82, "a.b"), tlv(0x87, "\x01\x02\x03\x04"), tlv(0x81, "x@y"), tlv(0x86, "http://u"), tlv(0x88, "\x2a\x03\x04"))),
			"[a.b [1, 2, 3, 4] RFC822Name(x@y) http://u RegisteredID(1.2.3.4)]"},
		{"directory", extensions(altNames(tlv(0xa4, cn(0x0c, "d")), tlv(0xa0, oid("1.2.3"), "x"))), "[DirectoryName(CN=d) OtherName(1.2.3, [...])]"},
		{"one bad", extensions(altNames(tlv(0x82, "a.b"), tlv(0x82, "\xff"))), "<nil>"},
		{"unknown kind", extensions(altNames(tlv(0x82, "a.b"), tlv(0x99, "x"))), "<nil>"},
		{"twice", extensions(altNames(tlv(0x82, "a.b")), altNames(tlv(0x82, "c.d"))), "<nil>"},
		{"cut", extensions(extension("2.5.29.17", "\x30\x10\x82\x03a.b")), "<nil>"},
		{"behind others", extensions(extension("2.5.29.19", "\xff"), altNames(tlv(0x82, "a.b"))), "[a.b]"},
		{"empty name", extensions(altNames(tlv(0x82, ""))), "[]"},
	}
	for _, c := range cases {
		r := run(t, nil, piece{up, rec(22, clientHello("", ""))}, piece{down, rec(22, serverHello("", "")+chain(certificate{exts: c.exts}.der()))})
		if got := fmt.Sprint(r.Map(t)["subjectaltname"]); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestCertificateFaults(t *testing.T) {
	bad := tlv(4, "")
	cases := []struct {
		name, cert, want string
	}{
		{"version", certificate{version: tlv(0xa0, bad)}.der(), "certificate_invalid_version"},
		{"serial", certificate{serial: bad}.der(), "certificate_invalid_serial"},
		{"algorithm", certificate{alg: bad}.der(), "certificate_invalid_der"},
		{"outer algorithm", certificate{outerAlg: bad}.der(), "certificate_invalid_der"},
		{"issuer", certificate{issuer: bad}.der(), "certificate_invalid_der"},
		{"validity", certificate{validity: bad}.der(), "certificate_invalid_der"},
		{"date", certificate{validity: tlv(0x30, tlv(0x17, "209901000000Z"), tlv(0x17, "300101000000Z"))}.der(), "certificate_invalid_date"},
		{"date with zone", certificate{validity: tlv(0x30, tlv(0x18, "20200101000000+0100"), tlv(0x17, "300101000000Z"))}.der(), "certificate_invalid_date"},
		{"key", certificate{key: bad}.der(), "certificate_invalid_der"},
		{"no key", certificate{key: "-"}.der(), "certificate_invalid_length"},
		{"no signature", certificate{sig: "-"}.der(), "invalid_certificate"},
		{"extensions", certificate{exts: tlv(0xa3, bad)}.der(), "certificate_invalid_der"},
		{"extension", certificate{exts: extensions(bad)}.der(), "invalid_certificate"},
		{"cut", plain[:len(plain)-5], "invalid_certificate"},
		{"garbage", "abcdefgh", "invalid_certificate certificate_invalid_der"},
		{"indefinite", "\x30\x80" + plain[4:] + "\x00\x00", "certificate_invalid_der"},
		{"good", plain, ""},
		{"good, trailing bytes", plain + "zz", ""},
	}
	for _, c := range cases {
		r := run(t, nil, piece{up, rec(22, clientHello("", ""))}, piece{down, rec(22, serverHello("", "")+chain(c.cert))})
		if got := strings.Join(r.Events, " "); got != c.want && !strings.Contains(c.want, got) {
			t.Errorf("%s: events %q, want %q", c.name, got, c.want)
		}
		if logged := r.JSON != ""; logged != (c.want == "") {
			t.Errorf("%s: logged %v", c.name, logged)
		}
	}
}

func TestDates(t *testing.T) {
	for in, want := range map[string]string{
		tlv(0x17, "2001010000Z"):        "2020-01-01T00:00:00",
		tlv(0x17, "200101000000+0130"):  "2019-12-31T22:30:00",
		tlv(0x17, "500101000000Z"):      "1950-01-01T00:00:00",
		tlv(0x17, "491231235959Z"):      "2049-12-31T23:59:59",
		tlv(0x18, "20991231235959Z"):    "2099-12-31T23:59:59",
		tlv(0x18, "20200101000000.25Z"): "2020-01-01T00:00:00",
		tlv(0x18, "99991231235959Z"):    "9999-12-31T23:59:59",
	} {
		cert := certificate{validity: tlv(0x30, in, tlv(0x17, "300101000000Z"))}.der()
		r := run(t, nil, piece{up, rec(22, clientHello("", ""))}, piece{down, rec(22, serverHello("", "")+chain(cert))})
		if got := r.Map(t)["notbefore"]; got != want {
			t.Errorf("%q: %v, want %s", in, got, want)
		}
	}
}

func TestRecordFaults(t *testing.T) {
	ch, sh, cert := rec(22, clientHello("", ticket)), rec(22, serverHello("", "")), rec(22, chain(plain))
	fatal, warning := rec(21, "\x02\x28"), rec(21, "\x01\x00")
	pad := strings.Repeat("p", 16)
	cases := []struct {
		name     string
		in       piece
		want     string // event
		followed bool   // the certificate behind it is still seen
	}{
		{"record type", piece{down, rec(25, "abcd")}, "invalid_record_type", false},
		{"record length 0", piece{down, rec(22, "")}, "invalid_record_length", false},
		{"record length", piece{down, "\x17\x03\x03\x44\x01"}, "invalid_record_length", false},
		{"unknown message", piece{down, rec(22, msg(77, "abc"))}, "invalid_handshake_message", true},
		{"huge message", piece{down, rec(22, "\x04\xff\xff\xff")}, "", false},
		{"server name type", piece{up, rec(22, clientHello("", ext(0, "\x00\x04\x01\x00\x01a")))}, "invalid_sni_type", true},
		{"second hello", piece{up, rec(22, clientHello("", sni("c.d")))}, "", true},
		{"alert, fatal", piece{down, fatal}, "", false},
		{"alert, warning", piece{down, warning}, "", true},
		{"alert, cut", piece{down, rec(21, "\x01")}, "invalid_alert_message", false},
		{"heartbeat", piece{up, rec(24, "\x01\x00\x04abcd"+pad)}, "", true},
		{"heartbeat, too long", piece{up, rec(24, "\x01\x0f\xa0abcd"+pad)}, "overflow_heartbeat_message", false},
		{"heartbeat, no padding", piece{up, rec(24, "\x01\x00\x04abcd")}, "invalid_heartbeat_message", false},
		{"heartbeat, type", piece{up, rec(24, "\x07\x00\x04abcd"+pad)}, "invalid_heartbeat_message", false},
	}
	for _, c := range cases {
		r := run(t, nil, piece{up, ch}, piece{down, sh}, c.in, piece{down, cert})
		if got := strings.Join(r.Events, " "); got != c.want {
			t.Errorf("%s: events %q, want %q", c.name, got, c.want)
		}
		if _, ok := r.Map(t)["subject"]; ok != c.followed {
			t.Errorf("%s: certificate seen: %v, want %v", c.name, ok, c.followed)
		}
	}
}

func TestEncryptedHeartbeats(t *testing.T) {
	hb := func(n int) string { return rec(24, strings.Repeat("x", n)) }
	for _, c := range []struct {
		req, res int
		want     string
	}{{60, 60, ""}, {60, 61, "dataleak_heartbeat_mismatch"}, {60, 20, ""}} {
		r := run(t, nil, piece{up, rec(22, clientHello("", ""))}, piece{down, rec(22, serverHello("", "")) + ccs},
			piece{up, ccs + hb(c.req)}, piece{down, hb(c.res)})
		if got := strings.Join(r.Events, " "); got != c.want {
			t.Errorf("request %d, response %d: %q, want %q", c.req, c.res, got, c.want)
		}
	}
}

// TestProgress checks which record moves which side on.
func TestProgress(t *testing.T) {
	request := rec(22, msg(13, "\x01\x01\x00\x00\x00\x00"))
	type step struct {
		in             piece
		client, server uint8
	}
	ch := step{piece{up, rec(22, clientHello("", ""))}, tls.ClientHelloDone, tls.ServerInProgress}
	sh := step{piece{down, rec(22, serverHello("", ""))}, tls.ClientHelloDone, tls.ServerHello}
	cases := map[string][]step{
		"certificate": {ch, sh, {piece{down, rec(22, chain(plain))}, tls.ClientHandshakeDone, tls.ServerHandshakeDone}},
		"client certificate": {ch, sh,
			{piece{down, rec(22, chain(plain)) + request + rec(22, msg(14, ""))}, tls.ClientHelloDone, tls.ServerHelloDone},
			{piece{up, rec(22, chain(plain))}, tls.ClientHandshakeDone, tls.ServerHandshakeDone}},
		"resumed": {ch, sh, {piece{down, ccs}, tls.ClientHelloDone, tls.ServerHello},
			{piece{up, ccs}, tls.ClientHandshakeDone, tls.ServerHello},
			{piece{down, data}, tls.ClientHandshakeDone, tls.ServerHandshakeDone}},
		"1.3": {ch, sh, {piece{down, data}, tls.ClientHelloDone, tls.ServerHandshakeDone},
			{piece{up, data}, tls.ClientHandshakeDone, tls.ServerHandshakeDone}},
	}
	for name, steps := range cases {
		r := newRunner(t, nil)
		var got [2]uint8
		r.OnTx = func(_ *proto.Conn, tx proto.Tx, _ proto.Dir) { got = tx.Base().Progress }
		for i, s := range steps {
			r.Feed(prototest.Chunk{Dir: s.in.dir, Data: []byte(s.in.data)}, 0)
			if got != [2]uint8{s.client, s.server} {
				t.Errorf("%s, step %d: progress %v, want %d %d", name, i, got, s.client, s.server)
			}
		}
	}
}

func TestClientCertificateLogged(t *testing.T) {
	request := rec(22, msg(13, "\x01\x01\x00\x00\x00\x00"))
	r := run(t, nil, piece{up, rec(22, clientHello("", ""))},
		piece{down, rec(22, serverHello("", "")) + rec(22, chain(plain)) + request},
		piece{up, rec(22, chain(certificate{subject: cn(0x0c, "me")}.der()))})
	c, _ := r.Map(t)["client"].(map[string]any)
	if c["subject"] != "CN=me" {
		t.Errorf("client block %v", r.Map(t)["client"])
	}
}

func TestCustomFields(t *testing.T) {
	p := tls.Protocol()
	p.Log = tls.Logger(tls.LogOptions{Custom: []string{"sni", "chain", "client_handshake", "server_handshake"}})
	r := prototest.NewRunner(prototest.Table(t, nil, p), proto.Hint{DstPort: 443})
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(rec(22, clientHello("", sni("a.b")+ext(13, "\x00\x04\x04\x03\x0a\x0a"))))}, 0)
	r.Feed(prototest.Chunk{Dir: down, Data: []byte(rec(22, serverHello("", ticket)) + rec(22, chain(plain, "yz")))}, 0)
	r.Finish()
	m := r.Records[0].Map(t)
	if fmt.Sprint(m["client_handshake"]) != "map[ciphers:[49199 53] exts:[0 13] sig_algs:[1027] version:TLS 1.2]" ||
		fmt.Sprint(m["server_handshake"]) != "map[cipher:49199 exts:[35] version:TLS 1.2]" ||
		len(m["chain"].([]any)) != 2 || m["sni"] != "a.b" || m["version"] != nil {
		t.Errorf("custom fields: %v", m)
	}
}

func TestSSLv2Hello(t *testing.T) {
	hello := "\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x39" + strings.Repeat("c", 16)
	r := run(t, nil, piece{up, string([]byte{0x80, byte(len(hello))}) + hello}, piece{down, rec(22, serverHello("", "")+chain(plain))})
	m := r.Map(t)
	if m["subject"] != "CN=subject" || m["version"] != "TLS 1.2" || len(r.Events) != 0 {
		t.Errorf("%v %v", m, r.Events)
	}
}

func TestProbe(t *testing.T) {
	sh := []byte(rec(22, serverHello("", "")))
	cases := []struct {
		name string
		dir  proto.Dir
		data []byte
		mid  bool
		want proto.Match
	}{
		{"hello", up, []byte(rec(22, clientHello("", ""))), false, proto.Yes},
		{"part", up, []byte(rec(22, clientHello("", "")))[:4], false, proto.More},
		{"server first", up, sh, false, proto.Yes},
		{"server first, midstream", up, sh, true, proto.Reversed},
		{"client behind server, midstream", down, []byte(rec(22, clientHello("", ""))), true, proto.Reversed},
		{"data, midstream", down, []byte(data), true, proto.Yes},
		{"SSL 2.0", up, []byte("\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80" + strings.Repeat("c", 16)), false, proto.Yes},
		{"looks like SSL 2.0", up, []byte("\x80\x1d\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80" + strings.Repeat("c", 16)), false, proto.No},
		{"version", up, []byte("\x16\x05\x05\x00\x10\x01"), false, proto.No},
		{"length", up, []byte("\x16\x03\x01\x50\x00\x01"), false, proto.No},
		{"text", up, []byte("GET / HTTP/1.1"), false, proto.No},
	}
	for _, c := range cases {
		if got := tls.Protocol().Probe(c.dir, c.data, proto.Hint{Midstream: c.mid}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
