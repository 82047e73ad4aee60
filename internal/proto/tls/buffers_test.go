package tls_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

// session feeds a whole handshake and calls f with its transaction.
func session(t *testing.T, at int64, f func(c *proto.Conn, tx proto.Tx)) {
	t.Helper()
	r := newRunner(t, nil)
	done := false
	r.OnTx = func(c *proto.Conn, tx proto.Tx, _ proto.Dir) {
		if tx.Base().Progress[down] >= tls.ServerCertDone && !done {
			done = true
			f(c, tx)
		}
	}
	cert := certificate{exts: extensions(altNames(tlv(0x82, "a.b"), tlv(0x82, "c.d")))}.der()
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(rec(22, clientHello("", sni("a.b")+ext(16, "\x00\x06\x02h2\x02h3")))), Time: at}, 0)
	r.Feed(prototest.Chunk{Dir: down, Data: []byte(rec(22, serverHello("", ext(16, "\x00\x03\x02h2"))+chain(cert, "second"))), Time: at}, 0)
	if !done {
		t.Fatal("no certificate was seen")
	}
}

func TestBuffers(t *testing.T) {
	cases := []struct {
		name string
		dir  proto.Dir
		want string
	}{
		{"tls.sni", up, "a.b"},
		{"tls_sni", up, "a.b"},
		{"tls.sni", down, ""},
		{"tls.alpn", up, "h2 h3"},
		{"tls.alpn", down, "h2"},
		{"tls.random", up, strings.Repeat("c", 32)},
		{"tls.random_time", down, "ssss"},
		{"tls.random_bytes", down, strings.Repeat("s", 28)},
		{"tls.cert_subject", down, "CN=subject"},
		{"tls.cert_issuer", down, "CN=issuer"},
		{"tls.cert_serial", down, "01:02:03"},
		{"tls.cert_subject", up, ""},
		{"tls.subjectaltname", down, "a.b c.d"},
		{"ja3.string", up, "771,49199-53,0-16,,"},
		{"ja3s.string", down, "771,49199,16"},
		{"ja4.hash", up, "t12d0202h2_1584f0a67932_d2e2adf7177b"},
	}
	p := tls.Protocol()
	session(t, 0, func(c *proto.Conn, tx proto.Tx) {
		for _, k := range cases {
			f := prototest.Field(p, k.name)
			var got []string
			for i := 0; ; i++ {
				b, ok := f.Get(c, tx, k.dir, i)
				if !ok {
					break
				}
				got = append(got, string(b))
			}
			if strings.Join(got, " ") != k.want {
				t.Errorf("%s %d: %q, want %q", k.name, k.dir, got, k.want)
			}
		}
		if b, ok := prototest.Field(p, "tls.certs").Get(c, tx, down, 1); !ok || string(b) != "second" {
			t.Errorf("second certificate %q", b)
		}
		if n, ok := prototest.Field(p, "tls.cert_chain_len").Uint(c, tx, down, 0); !ok || n != 2 {
			t.Errorf("chain length %d", n)
		}
		if b, ok := prototest.Field(p, "tls.cert_fingerprint").Get(c, tx, down, 0); !ok || len(b) != 59 {
			t.Errorf("fingerprint %q", b)
		}
	})
}

func TestMatchers(t *testing.T) {
	const in2025 = 1735689600 * int64(1e9)
	cases := []struct {
		name, arg string
		dir       proto.Dir
		want      bool
	}{
		{"tls.subject", `"CN=subject"`, down, true},
		{"tls.subject", `"CN=other"`, down, false},
		{"tls.subject", `!"CN=other"`, down, true},
		{"tls.subject", `!"CN=other"`, up, false}, // no certificate
		{"tls.issuerdn", `"issuer"`, down, true},
		{"tls_cert_notbefore", "2020-01-01", down, true},
		{"tls_cert_notbefore", ">2019", down, true},
		{"tls_cert_notbefore", "<2020", down, false},
		{"tls_cert_notafter", "2029<>2031", down, true},
		{"tls_cert_notafter", "2030-01-01T00:00:00", down, true},
		{"tls_cert_valid", "", down, true},
		{"tls_cert_expired", "", down, false},
		{"tls_cert_expired", "", up, false},
		{"tls.version", "1.2", down, true},
		{"tls.version", "0x0303", up, true},
		{"ssl_version", "sslv3,tls1.2", down, true},
		{"ssl_version", "!tls1.2", down, false},
		{"ssl_version", "!sslv3", down, true},
		{"ssl_state", "client_hello", up, true},
		{"ssl_state", "server_keyx|server_hello", down, true},
		{"ssl_state", "server_keyx", down, false},
		{"tls.store", "", down, true},
		{"tls.store", "", up, false},
	}
	p := tls.Protocol()
	session(t, in2025, func(c *proto.Conn, tx proto.Tx) {
		for _, k := range cases {
			m, err := prototest.Field(p, k.name).Compile(k.arg)
			if err != nil {
				t.Errorf("%s:%s: %v", k.name, k.arg, err)
				continue
			}
			if got := m(c, tx, k.dir); got != k.want {
				t.Errorf("%s:%s %d = %v, want %v", k.name, k.arg, k.dir, got, k.want)
			}
		}
		fp := prototest.Field(p, "tls.cert_fingerprint")
		b, _ := fp.Get(c, tx, down, 0)
		m, err := prototest.Field(p, "tls.fingerprint").Compile(`"` + strings.ToUpper(string(b)) + `"`)
		if err != nil || !m(c, tx, down) {
			t.Errorf("tls.fingerprint does not take upper case: %v", err)
		}
		if !tx.(*tls.Tx).Store {
			t.Error("tls.store left no mark")
		}
	})
}

func TestMatchersRefuse(t *testing.T) {
	p := tls.Protocol()
	for name, args := range map[string][]string{
		"tls.subject":        {"", `""`, `CN=x`, `"!x"`},
		"tls_cert_notbefore": {"", "yesterday", "2020-13", "2030<>2020", ">"},
		"tls_cert_valid":     {"1"},
		"tls.version":        {"", "1.4", "0xzz", "303"},
		"ssl_version":        {"", "tls1.4", "sslv3,,tls1.0"},
		"ssl_state":          {"hello"},
		"tls.store":          {"x"},
	} {
		for _, a := range args {
			if _, err := prototest.Field(p, name).Compile(a); err == nil {
				t.Errorf("%s:%s is accepted", name, a)
			}
		}
	}
	if prototest.Field(p, "ja3.hash").Validate([]byte("ABC"), false) == nil {
		t.Error("ja3.hash: upper case is accepted")
	}
}
