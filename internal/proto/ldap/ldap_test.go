package ldap_test

import (
	"encoding/json"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/ldap"
	"mirador/internal/proto/prototest"
)

// Elements of BER for tests.
func tlv(tag byte, parts ...string) string {
	b := strings.Join(parts, "")
	switch n := len(b); {
	case n < 128:
		return string([]byte{tag, byte(n)}) + b
	default:
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + b
	}
}

func oct(s string) string { return tlv(4, s) }

func msg(id byte, op string, more ...string) string {
	return tlv(0x30, tlv(2, string([]byte{id})), op, strings.Join(more, ""))
}

func result(tag byte, code byte, more ...string) string {
	return tlv(tag, tlv(10, string([]byte{code})), oct("dc=m"), oct("text"), strings.Join(more, ""))
}

func search(attrs ...string) string {
	var list string
	for _, a := range attrs {
		list += oct(a)
	}
	return tlv(0x63, oct("dc=base"), "\x0a\x01\x02\x0a\x01\x00\x02\x01\x05\x02\x01\x06\x01\x01\xff", tlv(0x87, "objectclass"), tlv(0x30, list))
}

func entry(dn, attr string) string {
	return tlv(0x64, oct(dn), tlv(0x30, tlv(0x30, oct(attr), tlv(0x31, oct("v")))))
}

func run(tb testing.TB, size int, s prototest.Settings, chunks ...prototest.Chunk) *prototest.Runner {
	r := prototest.NewRunner(prototest.Table(tb, s, ldap.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 389})
	for _, c := range chunks {
		r.Feed(c, size)
	}
	r.Finish()
	return r
}

func c2s(s string) prototest.Chunk { return prototest.Chunk{Dir: proto.ToServer, Data: []byte(s)} }
func s2c(s string) prototest.Chunk { return prototest.Chunk{Dir: proto.ToClient, Data: []byte(s)} }

func dump(r *prototest.Runner) string {
	var b strings.Builder
	for _, rec := range r.Records {
		b.WriteString(rec.JSON + "\n")
	}
	return b.String()
}

func TestRecords(t *testing.T) {
	flow := []prototest.Chunk{
		c2s(msg(1, tlv(0x60, "\x02\x01\x03", oct("cn=x"), tlv(0xa3, oct("GSSAPI"), oct("\x01\xff"))))),
		s2c(msg(1, result(0x61, 14, tlv(0x87, "\xca\xfe")))),
		c2s(msg(2, search("a", "b"), tlv(0xa0, tlv(0x30, oct("1.2"), "\x01\x01\xff", oct("x"))))),
		s2c(msg(2, entry("cn=1", "mail")) + msg(2, tlv(0x73, oct("ldap://u"))) + msg(2, result(0x65, 0))),
		c2s(msg(3, "\x42\x00")),
	}
	want := []string{
		`"sasl":{"mechanism":"GSSAPI","credentials":"01ff"}`, `"result_code":"sasl_bind_in_progress"`, `"server_sasl_creds":"cafe"`,
		`"filter":{"type":"present","value":"objectclass"},"attributes":["a","b"]`,
		`"controls":[{"control_type":"1.2","criticality":true,"control_value":"78"}]`,
		`"attributes":[{"type":"mail","values":["v"]}]`, `"operation":"search_result_reference"`,
		`"operation":"unbind_request"`,
	}
	whole := dump(run(t, 0, nil, flow...))
	for _, w := range want {
		if !strings.Contains(whole, w) {
			t.Errorf("records lack %s in\n%s", w, whole)
		}
	}
	for _, size := range []int{1, 2, 7} {
		if got := dump(run(t, size, nil, flow...)); got != whole {
			t.Errorf("pieces of %d give\n%s\nthe whole gives\n%s", size, got, whole)
		}
	}
}

func TestEvents(t *testing.T) {
	del := tlv(0x4a, "dc=x")
	cases := []struct {
		name, want string
		s          prototest.Settings
		chunks     []prototest.Chunk
	}{
		{"response alone", "request_not_found", nil, []prototest.Chunk{c2s(msg(1, del)), s2c(msg(9, result(0x6b, 0)))}},
		{"garbage", "invalid_data", nil, []prototest.Chunk{c2s(msg(1, del)), c2s("\x30\x03abc")}},
		{"many requests", "too_many_transactions", prototest.Settings{"max-tx": "2"},
			[]prototest.Chunk{c2s(msg(1, del) + msg(2, del) + msg(3, del))}},
		{"many responses", "too_many_responses", prototest.Settings{"max-responses": "2"},
			[]prototest.Chunk{c2s(msg(1, search())), s2c(strings.Repeat(msg(1, entry("d", "a")), 3))}},
	}
	for _, c := range cases {
		r := run(t, 0, c.s, c.chunks...)
		found := false
		for _, rec := range r.Records {
			for _, e := range rec.Tx.Base().Events {
				found = found || ldap.Protocol().Events[e] == c.want
			}
		}
		if !found {
			t.Errorf("%s: no event %s", c.name, c.want)
		}
	}
}

func TestResultCode(t *testing.T) {
	compile := prototest.Field(ldap.Protocol(), "ldap.responses.result_code").Compile
	r := run(t, 0, nil, c2s(msg(2, search())), s2c(msg(2, entry("cn=1", "mail"))+msg(2, result(0x65, 49))))
	tx := r.Records[0].Tx
	for arg, want := range map[string]bool{
		"invalid_credentials": true, "49": true, "49,1": true, "49,0": false, "49,-1": true, "49,all": true,
		"success": false, "!success,all": true, ">48": true, "<49": false, "<=49": true, ">=50": false, "48-50": true, "50<>60": false,
	} {
		m, err := compile(arg)
		if err != nil {
			t.Fatalf("%s: %v", arg, err)
		}
		if got := m(nil, tx, proto.ToClient); got != want {
			t.Errorf("%s: %v", arg, got)
		}
	}
	for _, arg := range []string{"", "nonsense", "1,first", "4294967296"} {
		if _, err := compile(arg); err == nil {
			t.Errorf("%q was taken", arg)
		}
	}
}

func TestGap(t *testing.T) {
	r := run(t, 0, nil, c2s(msg(1, tlv(0x4a, "dc=x"))), s2c(msg(1, result(0x6b, 0))),
		prototest.Chunk{Dir: proto.ToServer, Gap: 50}, c2s("tail of it"+msg(7, tlv(0x4a, "dc=y"))+msg(8, "\x42\x00")))
	if got := dump(r); !strings.Contains(got, `"message_id":7`) || !strings.Contains(got, `"message_id":8`) {
		t.Errorf("behind the gap nothing was found:\n%s", got)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(msg(1, search("a", "b")), msg(1, entry("cn=1", "mail"))+msg(1, result(0x65, 0)), uint8(5))
	f.Add(msg(1, tlv(0x77, tlv(0x80, "1.3.6.1.4.1.1466.20037"))), msg(1, result(0x78, 0, tlv(0x8a, "1"))), uint8(1))
	f.Add(msg(1, tlv(0x66, oct("o"), tlv(0x30, tlv(0x30, "\x0a\x01\x02", tlv(0x30, oct("a"), tlv(0x31, oct("v"))))))), msg(1, result(0x67, 0)), uint8(1))
	p := ldap.Protocol()
	f.Fuzz(func(t *testing.T, a, b string, size uint8) {
		r := run(t, int(size), nil, c2s(a), s2c(b), prototest.Chunk{Dir: proto.ToServer, Gap: int(size)}, c2s(b))
		for _, rec := range r.Records {
			if rec.JSON != "" && !json.Valid([]byte(rec.JSON)) {
				t.Fatalf("not JSON: %s", rec.JSON)
			}
			for i := range p.Fields {
				for j := range 3 {
					switch fd := &p.Fields[i]; {
					case fd.Get != nil:
						fd.Get(nil, rec.Tx, proto.ToClient, j)
					case fd.Uint != nil:
						fd.Uint(nil, rec.Tx, proto.ToClient, j)
					}
				}
			}
		}
	})
}
