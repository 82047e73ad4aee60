package snmp_test

import (
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/snmp"
)

// el is an element of BER.
func el(tag byte, body ...string) string {
	s := strings.Join(body, "")
	if len(s) > 127 {
		return string([]byte{tag, 0x82, byte(len(s) >> 8), byte(len(s))}) + s
	}
	return string([]byte{tag, byte(len(s))}) + s
}

func num(n byte) string { return el(2, string([]byte{n})) }

var (
	vars = el(0x30, el(0x30, el(6, "\x2b\x06\x01\x02\x01\x01\x01\x00"), el(5)))
	get  = el(0xa0, num(1), num(0), num(0), vars)
	trap = el(0xa4, el(6, "\x2b\x06\x01\x04\x01\x09"), el(0x40, "\x0a\x00\x00\x01"), num(3), num(0), el(0x43, "\x01"), vars)
)

func community(version byte, pdu string) string {
	return el(0x30, num(version), el(4, "public"), pdu)
}

func usm(flags, model byte, data string) string {
	return el(0x30, num(3), el(0x30, num(7), num(100), el(4, string([]byte{flags})), num(model)),
		el(4, el(0x30, el(4, "e"), num(1), num(2), el(4, "user"), el(4), el(4))), data)
}

func run(tb testing.TB, ms ...string) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, nil, snmp.Protocol()), proto.Hint{SrcPort: 1000, DstPort: 161, UDP: true})
	for _, m := range ms {
		r.Feed(prototest.Chunk{Data: []byte(m)}, 0)
	}
	r.Finish()
	return r
}

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestRecords(t *testing.T) {
	const name = `"vars":["1.3.6.1.2.1.1.1.0"]`
	scoped := el(0x30, el(4, "c"), el(4, "n"), get)
	for _, c := range []struct{ name, in, want string }{
		{"get", community(1, get), `{"version":2,"pdu_type":"get_request",` + name + `,"community":"public"}`},
		{"error", community(0, el(0xa2, num(1), num(2), num(1), vars)), `{"version":1,"pdu_type":"response","error":"NoSuchName",` + name + `,"community":"public"}`},
		{"other error", community(0, el(0xa2, num(1), num(9), num(1), el(0x30))), `{"version":1,"pdu_type":"response","error":"ErrorStatus(9)","community":"public"}`},
		{"bulk", community(1, el(0xa5, num(1), num(3), num(1), vars)), `{"version":2,"pdu_type":"get_bulk_request",` + name + `,"community":"public"}`},
		{"trap", community(0, trap), `{"version":1,"pdu_type":"trap_v1","trap_type":"linkUp","trap_oid":"1.3.6.1.4.1.9","trap_address":"10.0.0.1",` + name + `,"community":"public"}`},
		{"version 3", usm(4, 3, scoped), `{"version":3,"pdu_type":"get_request",` + name + `,"usm":"user"}`},
		{"encrypted", usm(7, 3, el(4, "secret")), `{"version":3,"pdu_type":"encrypted"}`},
		{"other model", usm(4, 1, scoped), `{"version":3,"pdu_type":"get_request",` + name + `} unknown_security_model`},
		{"flag and no encryption", usm(7, 3, scoped), ""},
		{"unknown PDU", community(1, el(0xa9, num(1), num(0), num(0), vars)), ""},
		{"community no text", strings.Replace(community(1, get), "pub", "\xffub", 1), ""},
		{"cut", community(1, get)[:20], ""},
	} {
		r := run(t, c.in)
		got := ""
		for _, x := range r.Records {
			got += strings.TrimSpace(x.JSON + " " + strings.Join(x.Events, " "))
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	r := run(t, community(1, get), community(0, get))
	if len(r.Records) != 2 || strings.Join(r.Records[1].Events, " ") != "version_mismatch" || !strings.Contains(r.Records[1].JSON, `"version":2`) {
		t.Errorf("version mismatch: %v", r.Records)
	}
}

func TestKeywords(t *testing.T) {
	p := snmp.Protocol()
	get3 := run(t, usm(7, 3, el(4, "x"))).Records[0].Tx
	trap1 := run(t, community(0, trap)).Records[0].Tx
	for _, c := range []struct {
		name string
		tx   proto.Tx
		want uint64
		ok   bool
	}{
		{"snmp.version", get3, 3, true}, {"snmp.pdu_type", get3, 0, false}, {"snmp.pdu_type", trap1, 4, true},
		{"snmp.trap_type", trap1, 3, true}, {"snmp.trap_type", get3, 0, false},
	} {
		if n, ok := prototest.Field(p, c.name).Uint(nil, c.tx, proto.ToServer, 0); n != c.want || ok != c.ok {
			t.Errorf("%s: %d %v", c.name, n, ok)
		}
	}
	if b, _ := prototest.Field(p, "snmp.usm").Get(nil, get3, proto.ToServer, 0); string(b) != "user" {
		t.Errorf("snmp.usm: %q", b)
	}
	if b, _ := prototest.Field(p, "snmp.community").Get(nil, trap1, proto.ToServer, 0); string(b) != "public" {
		t.Errorf("snmp.community: %q", b)
	}
	if prototest.Field(p, "snmp.trap_type").Names["linkup"] != 3 {
		t.Error("no name for link up")
	}
}

func TestProbe(t *testing.T) {
	m := community(1, get)
	for _, c := range []struct {
		in   string
		port uint16
		want proto.Match
	}{{m, 161, proto.Yes}, {m, 162, proto.Yes}, {m, 163, proto.No}, {m[:len(m)-1], 161, proto.No}, {community(2, get), 161, proto.No}} {
		if got := snmp.Protocol().Probe(proto.ToServer, []byte(c.in), proto.Hint{DstPort: c.port}); got != c.want {
			t.Errorf("%x to %d: %v, want %v", c.in, c.port, got, c.want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{community(1, get), community(0, trap), usm(4, 3, el(0x30, el(4), el(4), get)), usm(7, 3, el(4, "x"))} {
		f.Add([]byte(s))
	}
	tab := prototest.Table(f, nil, snmp.Protocol())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: 1000, DstPort: 161, UDP: true})
		r.Feed(prototest.Chunk{Data: b}, 0)
		r.Finish()
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}
