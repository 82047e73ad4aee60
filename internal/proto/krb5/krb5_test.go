package krb5_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/krb5"
	"mirador/internal/proto/prototest"
)

// asRep answers asReq: a ticket of encryption type 23 (weak), and an encrypted part of 18.
func asRep(cname, sname string) string {
	principal := func(s string) string { return short(0x30, num(0xa0, 1), short(0xa1, short(0x30, short(0x1b, s)))) }
	enc := func(etype byte) string { return short(0x30, num(0xa0, etype), short(0xa2, short(4, "secret"))) }
	ticket := short(0x61, short(0x30, num(0xa0, 5), short(0xa1, short(0x1b, "REALM")), short(0xa2, principal(sname)), short(0xa3, enc(23))))
	return el(0x6b, el(0x30, num(0xa0, 5), num(0xa1, 11), short(0xa3, short(0x1b, "REALM")), short(0xa4, principal(cname)), el(0xa5, ticket), el(0xa6, enc(18))))
}

// failure is a KRB-ERROR with a code.
func failure(code byte) string {
	sname := short(0x30, num(0xa0, 2), short(0xa1, short(0x30, short(0x1b, "krbtgt"), short(0x1b, "REALM"))))
	return el(0x7e, el(0x30, num(0xa0, 5), num(0xa1, 30), short(0xa4, short(0x18, "20260101000000Z")), num(0xa5, 0), num(0xa6, code),
		short(0xa9, short(0x1b, "REALM")), short(0xaa, sname)))
}

func records(t testing.TB, udp bool, chunks ...prototest.Chunk) []map[string]any {
	t.Helper()
	r := prototest.NewRunner(prototest.Table(t, nil, krb5.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 88, UDP: udp})
	for _, c := range chunks {
		r.Feed(c, 0)
	}
	r.Finish()
	var out []map[string]any
	for i := range r.Records {
		if m := r.Records[i].Map(t); m != nil {
			out = append(out, m)
		}
	}
	return out
}

func TestExchange(t *testing.T) {
	req := asReq(short(2, "\x12"), "joe")
	for _, udp := range []bool{false, true} {
		framed := func(s string) string {
			if udp {
				return s
			}
			return tcp(s)
		}
		got := records(t, udp, prototest.To(0, framed(req)), prototest.To(1, framed(failure(25))), prototest.To(0, framed(req)), prototest.To(1, framed(asRep("joe", "krbtgt"))))
		var types []string
		for _, m := range got {
			types = append(types, fmt.Sprint(m["msg_type"]))
		}
		if s := strings.Join(types, " "); !strings.HasSuffix(s, "KRB_AS_REP") || !strings.Contains(s, "KRB_ERROR") {
			t.Fatalf("udp %v: messages %q", udp, s)
		}
		for _, m := range got {
			switch m["msg_type"] {
			case "KRB_ERROR":
				if m["failed_request"] != "KRB_AS_REQ" || m["error_code"] != "KDC_ERR_PREAUTH_REQUIRED" || m["sname"] != "krbtgt/REALM" {
					t.Errorf("udp %v: error %v", udp, m)
				}
			case "KRB_AS_REP":
				if m["cname"] != "joe" || m["sname"] != "krbtgt" || m["realm"] != "REALM" || m["weak_encryption"] != false || m["ticket_weak_encryption"] != true {
					t.Errorf("udp %v: reply %v", udp, m)
				}
			}
		}
	}
}

// A message that is too long is stepped over, and the next one is read.
func TestLongMessage(t *testing.T) {
	long := string([]byte{0, 0x10, 0, 0}) + strings.Repeat("a", 1<<20)
	got := records(t, false, prototest.To(0, tcp(asReq(short(2, "\x12"), "joe"))), prototest.To(1, tcp(failure(6))), prototest.To(1, long), prototest.To(1, tcp(failure(25))))
	n := 0
	for _, m := range got {
		if m["msg_type"] == "KRB_ERROR" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d errors, want the ones before and behind the long message: %v", n, got)
	}
}

// Names are bounded in parts and bytes.
func TestBounds(t *testing.T) {
	parts := strings.Split(strings.Repeat("p,", 2*krb5.MaxComponents), ",")
	parts[0] = strings.Repeat("x", 120)
	c := proto.NewConn(prototest.Table(t, nil, krb5.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 88, UDP: true})
	c.Datagram(proto.ToServer, []byte(asReq(short(2, "\x12"), parts...)))
	if len(c.Txs) != 1 {
		t.Fatalf("%d transactions", len(c.Txs))
	}
	if n := len(c.Txs[0].(*krb5.Tx).CName); n == 0 || n > krb5.MaxComponents {
		t.Errorf("%d parts of the name, want at most %d", n, krb5.MaxComponents)
	}
}

// FuzzMessages reads messages both ways, whole and in pieces; the records are the same.
func FuzzMessages(f *testing.F) {
	req := asReq(short(2, "\x12"), "joe")
	f.Add([]byte(tcp(req)), []byte(tcp(asRep("joe", "krbtgt"))), uint8(3))
	f.Add([]byte(tcp(req)), []byte(tcp(failure(25))), uint8(1))
	f.Add([]byte(tcp(req)+tcp(req)), []byte(tcp(failure(6))+tcp(asRep("a", "b"))), uint8(7))
	tab := prototest.Table(f, nil, krb5.Protocol())
	f.Fuzz(func(t *testing.T, toServer, toClient []byte, piece uint8) {
		run := func(size int) (out []string) {
			r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: 88})
			r.Feed(prototest.To(0, tcp(req)), 0) // what follows is known for Kerberos
			r.Feed(prototest.Chunk{Data: toServer}, size)
			r.Feed(prototest.Chunk{Dir: proto.ToClient, Data: toClient}, size)
			r.Finish()
			for i := range r.Records {
				r.Records[i].Map(t) // valid JSON
				out = append(out, r.Records[i].JSON)
			}
			return out
		}
		whole, pieces := run(0), run(1+int(piece))
		if strings.Join(whole, "\n") != strings.Join(pieces, "\n") {
			t.Errorf("whole:\n%s\nin pieces of %d:\n%s", strings.Join(whole, "\n"), 1+int(piece), strings.Join(pieces, "\n"))
		}
	})
}
