package tls_test

import (
	"strings"
	"testing"

	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

// inRecords puts a handshake message into records of at most 16 KiB.
func inRecords(m string) (out string) {
	for len(m) > 1<<14 {
		out, m = out+rec(22, m[:1<<14]), m[1<<14:]
	}
	return out + rec(22, m)
}

// Each bound is met, and counted; the certificate is seen all the same.
func TestLimits(t *testing.T) {
	leaf := certificate{}.der()
	hello := rec(22, clientHello("", ""))
	// named is a certificate with n alternative names, and one with a subject of n parts.
	named := func(n int) string {
		return certificate{exts: extensions(altNames(repeat(tlv(0x82, "a.b"), n)...))}.der()
	}
	subject := func(n int) string {
		return certificate{subject: name(repeat(atv("2.5.4.3", 0x0c, strings.Repeat("n", 97)), n)...)}.der()
	}
	alpn := func(n int) string {
		return rec(22, clientHello("", ext(16, u16(3*n)+strings.Repeat("\x02h2", n))))
	}
	exts := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(ext(1000+i, ""))
		}
		return rec(22, clientHello("", b.String()))
	}
	server := func(certs ...string) string { return rec(22, serverHello("", "")) + inRecords(chain(certs...)) }
	for _, c := range []struct {
		name, limit string
		met         bool
		client, srv string
	}{
		{"a chain", "chain", false, hello, server(repeat(leaf, tls.MaxChain)...)},
		{"a longer chain", "chain", true, hello, server(repeat(leaf, tls.MaxChain+1)...)},
		{"names", "names", false, hello, server(named(tls.MaxNames - 1))},
		{"more names", "names", true, hello, server(named(tls.MaxNames + 1))},
		{"a subject", "names", false, hello, server(subject(100))},
		{"a longer subject", "names", true, hello, server(subject(200))},
		{"a message", "handshake", false, hello, rec(22, serverHello("", "")) + inRecords(msg(4, strings.Repeat("t", 120<<10))) + inRecords(chain(leaf))},
		{"a longer message", "handshake", true, hello, rec(22, serverHello("", "")) + inRecords(msg(4, strings.Repeat("t", 130<<10))) + inRecords(chain(leaf))},
		{"protocols", "hello_lists", false, alpn(63), server(leaf)},
		{"more protocols", "hello_lists", true, alpn(65), server(leaf)},
		{"extensions", "hello_lists", false, exts(1023), server(leaf)},
		{"more extensions", "hello_lists", true, exts(1025), server(leaf)},
	} {
		r := newRunner(t, nil)
		r.Feed(prototest.To(up, c.client), 0)
		r.Feed(prototest.To(down, c.srv), 0)
		if n := r.Hits(t, "tls", c.limit); (n > 0) != c.met {
			t.Errorf("%s: counted %d times", c.name, n)
		}
		r.Finish()
		if m := r.Records[0].Map(t); m["serial"] == nil {
			t.Errorf("%s: the certificate is not seen: %v", c.name, m)
		}
	}
}

// Records of one packet beyond MaxRecords are an event.
func TestManyRecords(t *testing.T) {
	for n, want := range map[int]string{tls.MaxRecords - 2: "", tls.MaxRecords + 1: "too_many_records_in_packet"} {
		r := run(t, nil, piece{up, rec(22, clientHello("", ""))}, piece{down, rec(22, serverHello("", "")) + strings.Repeat(rec(22, msg(4, "t")), n)})
		if got := strings.Join(r.Events, " "); got != want {
			t.Errorf("%d records: events %q", n, got)
		}
	}
}

func repeat(s string, n int) (list []string) {
	for range n {
		list = append(list, s)
	}
	return list
}
