package tls_test

import (
	"runtime"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/tls"
)

// records turns what a runner has seen into text.
func records(r *prototest.Runner) string {
	var b strings.Builder
	for _, rec := range r.Records {
		b.WriteString(rec.JSON)
		b.WriteString(strings.Join(rec.Events, " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte(rec(22, clientHello("", sni("a.b")+offer13))), []byte(rec(22, serverHello("", pick13))+data), uint8(3))
	f.Add([]byte(rec(22, clientHello("", ticket))+ccs+data), []byte(rec(22, serverHello("", "")+chain(plain))+rec(24, "\x01\x0f\xff")), uint8(0))
	f.Add([]byte("\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80cccccccccccccccc"), []byte("\x80\x0b\x04\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00"), uint8(9))
	tab := prototest.Table(f, prototest.Settings{"ja3-fingerprints": "yes"}, tls.Protocol())
	probe := tls.Protocol().Probe
	f.Fuzz(func(t *testing.T, up, down []byte, size uint8) {
		if len(up) > 1<<14 || len(down) > 1<<14 {
			t.Skip()
		}
		if len(up) == 0 || len(down) == 0 || probe(0, up, proto.Hint{}) != proto.Yes || probe(1, down, proto.Hint{}) != proto.Yes {
			t.Skip() // what the parser never sees, or only from where the other side is known
		}
		run := func(size int) string {
			r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: 443})
			r.Feed(prototest.Chunk{Dir: 0, Data: up}, size)
			r.Feed(prototest.Chunk{Dir: 1, Data: down}, size)
			r.Finish()
			for i := range r.Records {
				r.Records[i].Map(t)
			}
			return records(r)
		}
		whole := run(0)
		if strings.Contains(whole, "too_many_records") {
			t.Skip() // counts what comes at once
		}
		if cut := run(int(size) + 1); cut != whole {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}

// FuzzCertificate feeds certificates behind whole hello messages.
func FuzzCertificate(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(certificate{subject: name(atv("1.2.3.4", 0x1e, "\x00a"), atv("2.5.4.6", 0x13, "US")),
		exts: extensions(altNames(tlv(0x82, "a.b"), tlv(0x87, "\x01\x02\x03\x04"), tlv(0xa4, cn(0x0c, "d"))))}.der()))
	f.Add([]byte(certificate{validity: tlv(0x30, tlv(0x18, "20200101000000.5Z"), tlv(0x17, "200101000000+0100"))}.der()))
	tab := prototest.Table(f, nil, tls.Protocol())
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 1<<13 {
			t.Skip()
		}
		r := prototest.NewRunner(tab, proto.Hint{DstPort: 443})
		r.Feed(prototest.Chunk{Dir: up, Data: []byte(rec(22, clientHello("", "")))}, 0)
		r.Feed(prototest.Chunk{Dir: down, Data: []byte(rec(22, serverHello("", "")+chain(string(der))))}, 0)
		r.Finish()
		for i := range r.Records {
			r.Records[i].Map(t)
		}
	})
}

// TestPieces feeds recorded sessions in pieces of several sizes. A client's
// certificate may be missing from a record, since the server's request for it
// may come after the session was logged.
func TestPieces(t *testing.T) {
	tab := prototest.Table(t, prototest.Settings{"ja3-fingerprints": "yes"}, tls.Protocol())
	n := 0
	for _, path := range [][]string{
		{"data", "suricata-verify", "tests", "tls", "tls-subjectaltname", "input.pcap"},
		{"data", "suricata-verify", "tests", "tls", "tls13-draft28", "tls13_draft28.pcap"},
		{"data", "suricata-verify", "tests", "tls", "tls-random", "input.pcap"},
		{"data", "suricata-verify", "tests", "bug-1450-05", "tls_DER-incomplete-content.pcap"},
	} {
		for i, f := range prototest.Flows(t, prototest.Shared(t, path...)) {
			want := records(prototest.RunFlow(tab, f, 0))
			for _, size := range []int{1, 2, 7, 100, 1000} {
				if got := records(prototest.RunFlow(tab, f, size)); got != want {
					t.Errorf("%s, flow %d, pieces of %d:\n%s\nwhole:\n%s", path[len(path)-1], i, size, got, want)
				}
			}
			if want != "" {
				n++
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d sessions in the captures", n)
	}
}

// TestMemoryBound checks that endless handshake records are not kept.
func TestMemoryBound(t *testing.T) {
	r := newRunner(t, nil)
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(rec(22, clientHello("", "")))}, 0)
	r.Feed(prototest.Chunk{Dir: down, Data: []byte(rec(22, serverHello("", "")))}, 0)
	for _, head := range []string{"\x0b\xff\xff\xff", "\x0b\x02\x00\x00"} {
		r.Feed(prototest.Chunk{Dir: down, Data: []byte(rec(22, head))}, 0)
		junk := []byte(rec(22, strings.Repeat("x", 16000)))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 1000 { // 16 MB
			r.Feed(prototest.Chunk{Dir: down, Data: junk}, 0)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("message %x: the heap grew by %d bytes", head, grown)
		}
	}
	r.Finish()
	if len(r.Records) != 1 {
		t.Errorf("%d records", len(r.Records))
	}
}
