package dns_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/dns"
	"mirador/internal/proto/prototest"
)

// FuzzDecode checks that a message of any bytes leaves the input alone, stays
// inside the limits and is logged as valid JSON in every form.
func FuzzDecode(f *testing.F) {
	f.Add(newMsg(7, 0x0100, 1, 0, 0, 1).name("www.example.org").q(1).name("").rr(41, 0, "\x00\x0a\x00\x02\xca\xfe").b)
	f.Add(newMsg(7, 0x8180, 1, 2, 0, 0).name("www.example.org").q(1).ptr(12).rr(16, 60, "\x02hi\x03you").ptr(12).rr(33, 1, "\x00\x01\x00\x02\x00\x35\x01a\x00").b)
	f.Add(newMsg(7, 0x8400, 0, 2, 0, 0).loop().rr(6, 1, "\x01a\x00\x01b\x00"+string(make([]byte, 20))).name("x").rr(44, 9, "\x01\x02abc").b)
	p, m, l := dns.Protocol(), dns.MDNS(), dns.LLMNR()
	logs := []func(*proto.Conn, proto.Tx, *jsonw.Writer) bool{
		p.Log, m.Log, l.Log, dns.Logger(dns.LogOptions{Version: 2}), dns.Logger(dns.LogOptions{Types: []string{"a", "txt"}}),
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		p.Probe(proto.ToServer, b, proto.Hint{UDP: true, DstPort: 53})
		p.Probe(proto.ToClient, b, proto.Hint{DstPort: 5})
		tx, ok := dns.Decode(b)
		if !bytes.Equal(before, b) {
			t.Fatal("input was changed")
		}
		if !ok {
			return
		}
		total := 0
		for _, q := range tx.Questions {
			total += len(q.Name.B)
		}
		if total > dns.MaxMessageNames || len(tx.Questions)+len(tx.Answers)+len(tx.Authorities)+len(tx.Additionals) > dns.MaxRecords {
			t.Fatal("limits are not kept")
		}
		for i, log := range logs {
			var w jsonw.Writer
			w.Open()
			if !log(nil, tx, &w) {
				continue
			}
			w.Close()
			if !json.Valid(w.Buf) {
				t.Fatalf("log %d wrote %s", i, w.Buf)
			}
		}
		for i := range p.Fields {
			f := &p.Fields[i]
			for j := 0; j < 3; j++ {
				if f.Get != nil {
					f.Get(nil, tx, tx.Dir, j)
				} else {
					f.Uint(nil, tx, tx.Dir, j)
				}
			}
		}
	})
}

// FuzzStream checks that the transactions of a TCP stream do not depend on how
// it was cut into pieces.
func FuzzStream(f *testing.F) {
	one := newMsg(7, 0x0100, 1, 0, 0, 0).name("www.example.org").q(1).b
	f.Add(tcp(one, one, one), uint8(3))
	f.Add(append(tcp(one), 0, 0, 0, 5, 1, 2, 3, 4, 5, 0xff), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		run := func(size int) string {
			r := prototest.NewRunner(prototest.Table(t, nil, rows()...), proto.Hint{SrcPort: 4000, DstPort: 53})
			r.Feed(prototest.Chunk{Data: b}, size)
			r.Finish()
			var out bytes.Buffer
			for _, rec := range r.Records {
				out.WriteString(rec.JSON)
			}
			return out.String()
		}
		if whole, cut := run(0), run(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
