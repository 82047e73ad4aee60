package dns_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/jsonw"
	"mirador/internal/proto"
	"mirador/internal/proto/dns"
	"mirador/internal/proto/prototest"
)

func rows() []*proto.Protocol {
	return []*proto.Protocol{dns.Protocol(), dns.MDNS(), dns.LLMNR()}
}

// msg builds messages for tests.
type msg struct{ b []byte }

func newMsg(id, flags uint16, qd, an, ns, ar int) *msg {
	m := &msg{}
	for _, v := range []uint16{id, flags, uint16(qd), uint16(an), uint16(ns), uint16(ar)} {
		m.b = binary.BigEndian.AppendUint16(m.b, v)
	}
	return m
}

func (m *msg) name(s string) *msg {
	if s = strings.TrimSuffix(s, "."); s != "" {
		for _, l := range strings.Split(s, ".") {
			m.b = append(append(m.b, byte(len(l))), l...)
		}
	}
	m.b = append(m.b, 0)
	return m
}

func (m *msg) ptr(at int) *msg { m.b = append(m.b, 0xc0|byte(at>>8), byte(at)); return m }

func (m *msg) q(typ uint16) *msg {
	m.b = binary.BigEndian.AppendUint16(m.b, typ)
	m.b = binary.BigEndian.AppendUint16(m.b, 1)
	return m
}

func (m *msg) rr(typ uint16, ttl uint32, data string) *msg {
	m.q(typ)
	m.b = binary.BigEndian.AppendUint32(m.b, ttl)
	m.b = binary.BigEndian.AppendUint16(m.b, uint16(len(data)))
	m.b = append(m.b, data...)
	return m
}

func tcp(ms ...[]byte) []byte {
	var out []byte
	for _, m := range ms {
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(m))), m...)
	}
	return out
}

func logged(t *testing.T, b []byte) map[string]any {
	t.Helper()
	r := prototest.NewRunner(prototest.Table(t, nil, rows()...), proto.Hint{SrcPort: 4000, DstPort: 53, UDP: true})
	dir := proto.ToServer
	if b[2]&0x80 != 0 {
		dir = proto.ToClient
	}
	r.Feed(prototest.Chunk{Dir: dir, Data: b}, 0)
	r.Finish()
	if len(r.Records) != 1 {
		t.Fatalf("%d records, want 1", len(r.Records))
	}
	return r.Records[0].Map(t)
}

func get(m any, path string) string {
	for _, p := range strings.Split(path, ".") {
		switch v := m.(type) {
		case map[string]any:
			m = v[p]
		case []any:
			i := 0
			fmt.Sscan(p, &i)
			if i >= len(v) {
				return "<none>"
			}
			m = v[i]
		}
	}
	return fmt.Sprint(m)
}

func TestLogRecordTypes(t *testing.T) {
	name := "\x03abc\x00"
	cases := []struct {
		typ  uint16
		data string
		want map[string]string
	}{
		{1, "\x7f\x00\x00\x01", map[string]string{"answers.0.rdata": "127.0.0.1", "grouped.A.0": "127.0.0.1", "answers.0.rrtype": "A"}},
		{28, "\x20\x01" + strings.Repeat("\x00", 13) + "\x01", map[string]string{"answers.0.rdata": "2001:0000:0000:0000:0000:0000:0000:0001"}},
		{5, name, map[string]string{"answers.0.rdata": "abc", "grouped.CNAME.0": "abc"}},
		{15, "\x00\x0a" + name, map[string]string{"answers.0.rdata": "abc", "grouped.MX.0": "abc"}},
		{2, name, map[string]string{"answers.0.rdata": "abc"}},
		{12, name, map[string]string{"answers.0.rdata": "abc"}},
		{16, "\x02hi\x03you", map[string]string{"answers.0.rdata": "hi", "answers.1.rdata": "you", "grouped.TXT.1": "you"}},
		{10, "A\xff", map[string]string{"answers.0.rdata": `A\xff`}},
		{33, "\x00\x01\x00\x02\x00\x35" + name, map[string]string{"answers.0.srv.port": "53", "answers.0.srv.name": "abc", "grouped.SRV.0.weight": "2"}},
		{44, "\x01\x02\xab\xcd", map[string]string{"answers.0.sshfp.fingerprint": "ab:cd", "answers.0.sshfp.algo": "1", "answers.0.sshfp.type": "2"}},
		{6, name + name + "\x00\x00\x00\x07" + strings.Repeat("\x00", 15) + "\x09", map[string]string{
			"answers.0.soa.mname": "abc", "answers.0.soa.rname": "abc", "answers.0.soa.serial": "7", "answers.0.soa.minimum": "9"}},
		{65, "\x00\x01\x00", map[string]string{"answers.0.rrtype": "HTTPS", "answers.0.rdata": "<nil>", "grouped": "map[]"}},
		{4711, "x", map[string]string{"answers.0.rrtype": "4711"}},
	}
	for _, c := range cases {
		m := logged(t, newMsg(9, 0x8180, 1, 1, 0, 0).name("www.example.org").q(c.typ).ptr(12).rr(c.typ, 60, c.data).b)
		c.want["queries.0.rrname"] = "www.example.org"
		c.want["answers.0.rrname"] = "www.example.org"
		c.want["answers.0.ttl"] = "60"
		c.want["flags"] = "8180"
		c.want["rcode"] = "NOERROR"
		c.want["type"] = "response"
		for k, want := range c.want {
			if got := get(m, k); got != want {
				t.Errorf("type %d: %s = %s, want %s", c.typ, k, got, want)
			}
		}
	}
}

func TestLogEDNS(t *testing.T) {
	m := logged(t, newMsg(1, 0x0100, 1, 0, 0, 1).name("a.b").q(1).name("").rr(41, 0, "\x00\x0a\x00\x02\xca\xfe").b)
	if got := get(m, "additionals.0.opt.0.code") + get(m, "additionals.0.opt.0.data"); got != "10cafe" {
		t.Errorf("option = %s, want 10cafe", got)
	}
	m = logged(t, newMsg(1, 0x0100, 1, 0, 0, 1).name("a.b").q(1).name("").rr(41, 0, "").b)
	if m["additionals"] != nil {
		t.Errorf("empty EDNS record was logged: %v", m)
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("abcdefgh.", 120) + "x"
	cases := []struct {
		name  string
		msg   []byte
		want  string
		event string
	}{
		{"root", newMsg(1, 0, 1, 0, 0, 0).name("").q(1).b, "", ""},
		{"forward pointer", newMsg(1, 0, 2, 0, 0, 0).ptr(18).q(1).name("oisf.net").q(1).b, "oisf.net", ""},
		{"two pointers in a ring", newMsg(1, 0, 1, 0, 0, 0).ptr(18).q(1).ptr(20).ptr(18).b, "", "name_too_long,too_many_labels"},
		{"label before itself", newMsg(1, 0, 1, 0, 0, 0).loop().q(1).b, strings.TrimSuffix(strings.Repeat("ab.", 128), "."), "name_too_long,too_many_labels"},
		{"255 labels", newMsg(1, 0, 1, 0, 0, 0).name(strings.Repeat("a.", 253) + "a").q(1).b, strings.Repeat("a.", 253) + "a", ""},
		{"too long", newMsg(1, 0, 1, 0, 0, 0).name(long).q(1).b, long[:dns.MaxName], "name_too_long"},
	}
	for _, c := range cases {
		tx, ok := dns.Decode(c.msg)
		if !ok {
			t.Errorf("%s: not decoded", c.name)
			continue
		}
		if got := string(tx.Questions[0].Name.B); got != c.want {
			t.Errorf("%s: name %q, want %q", c.name, got, c.want)
		}
		var got []string
		for _, e := range tx.Events {
			got = append(got, dns.Protocol().Events[e])
		}
		if strings.Join(got, ",") != c.event {
			t.Errorf("%s: events %v, want %q", c.name, got, c.event)
		}
	}
}

// loop appends the name "ab." followed by a pointer to itself.
func (m *msg) loop() *msg {
	at := len(m.b)
	m.b = append(m.b, 2, 'a', 'b')
	return m.ptr(at)
}

func TestDecodeRefuses(t *testing.T) {
	good := newMsg(1, 0x8180, 1, 1, 0, 0).name("www.example.org").q(1).ptr(12).rr(1, 60, "\x7f\x00\x00\x01").b
	for n := range good {
		if _, ok := dns.Decode(good[:n]); ok {
			t.Errorf("Decode of the first %d of %d bytes succeeded", n, len(good))
		}
	}
	for name, b := range map[string][]byte{
		"pointer to itself":   newMsg(1, 0, 1, 0, 0, 0).ptr(12).q(1).b,
		"too many labels":     newMsg(1, 0, 1, 0, 0, 0).name(strings.Repeat("a.", 299) + "a").q(1).b,
		"name leaves record":  newMsg(1, 0x8180, 0, 1, 0, 0).name("a").rr(2, 1, "\x05ab").name("zz").b,
		"string leaves TXT":   newMsg(1, 0x8180, 0, 1, 0, 0).name("a").rr(16, 1, "\x05ab").b,
		"SSHFP of one byte":   newMsg(1, 0x8180, 0, 1, 0, 0).name("a").rr(44, 1, "\x05").b,
		"SOA without numbers": newMsg(1, 0x8180, 0, 1, 0, 0).name("a").rr(6, 1, "\x00\x00").b,
		"more announced":      newMsg(1, 0x0100, 1, 0, 0, 900).name("a").q(1).b,
	} {
		if _, ok := dns.Decode(b); ok {
			t.Errorf("%s: decoded", name)
		}
	}
}

// TestDecodeLastSections checks that a broken authority or additional section
// takes nothing from what is before it.
func TestDecodeLastSections(t *testing.T) {
	cases := []struct {
		msg  []byte
		want proto.EventID
	}{
		{newMsg(1, 0x8180, 1, 0, 0, 1).name("a.b").q(1).b, dns.EventInvalidAdditionals},
		{newMsg(1, 0x8180, 1, 0, 0, 1).name("a.b").q(1).name("").rr(41, 0, "\x00").b, dns.EventInvalidAdditionals},
		{newMsg(1, 0x8180, 1, 0, 1, 1).name("a.b").q(1).name("").rr(2, 0, "\x09").b, dns.EventInvalidAuthorities},
	}
	for i, c := range cases {
		tx, ok := dns.Decode(c.msg)
		if !ok || len(tx.Events) != 1 || tx.Events[0] != c.want || len(tx.Questions) != 1 {
			t.Errorf("case %d: %v %+v, want event %d", i, ok, tx, c.want)
		}
	}
}

// TestDecodeCost checks that a datagram full of pointers to a long name expands
// to a bounded amount, or is refused.
func TestDecodeCost(t *testing.T) {
	long := strings.Repeat("abcdefg.", 120) + "x"
	many := func(n int, name string) []byte {
		m := newMsg(1, 0, n, 0, 0, 0).name(name).q(1)
		for range n - 1 {
			m.ptr(12).q(1)
		}
		return m.b
	}
	if _, ok := dns.Decode(many(9000, long)); ok {
		t.Error("9000 pointers to 121 labels: decoded")
	}
	tx, ok := dns.Decode(many(9000, "a.b"))
	if !ok || len(tx.Questions) != dns.MaxRecords || tx.Cut != 9000-dns.MaxRecords {
		t.Errorf("9000 short names: %v", ok)
	}
	for n, met := range map[int]uint64{dns.MaxRecords: 0, dns.MaxRecords + 1: 1} {
		r := prototest.NewRunner(prototest.Table(t, nil, dns.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 53, UDP: true})
		r.Feed(prototest.To(proto.ToServer, string(newMsg(1, 0, 1, 0, 0, 0).name("a.b").q(1).b)), 0)
		r.Feed(prototest.To(proto.ToServer, string(many(n, "a.b"))), 0)
		if got := r.Hits(t, "dns", "records"); got != met {
			t.Errorf("%d questions: counted %d times", n, got)
		}
	}
	tx, ok = dns.Decode(many(268, strings.Repeat(strings.Repeat("a", 63)+".", 16)))
	if !ok {
		t.Fatal("268 pointers to 1 KB: not decoded")
	}
	sum := 0
	for _, q := range tx.Questions {
		sum += len(q.Name.B)
	}
	if sum > dns.MaxMessageNames || !tx.Questions[267].Name.Cut {
		t.Errorf("names expand to %d bytes, limit %d", sum, dns.MaxMessageNames)
	}
}

func TestProbe(t *testing.T) {
	query := newMsg(7, 0x0100, 1, 0, 0, 0).name("www.example.org").q(1).b
	answer := newMsg(7, 0x8180, 1, 1, 0, 0).name("www.example.org").q(1).ptr(12).rr(1, 60, "\x7f\x00\x00\x01").b
	junk, _ := hex.DecodeString("304002010330" + "0f02030091c8020205dc040104020103")
	cases := []struct {
		name     string
		dir      proto.Dir
		data     []byte
		src, dst uint16
		udp      bool
		want     proto.Match
	}{
		{"query", proto.ToServer, query, 4000, 53, true, proto.Yes},
		{"answer", proto.ToClient, answer, 4000, 53, true, proto.Yes},
		{"answer first", proto.ToServer, answer, 53, 4000, true, proto.No},
		{"answer to port 53", proto.ToServer, answer, 4000, 53, true, proto.Reversed},
		{"query from the mDNS port", proto.ToServer, query, 5353, 53, true, proto.Yes},
		{"query to the mDNS port", proto.ToServer, query, 4000, 5353, true, proto.No},
		{"bare response", proto.ToClient, newMsg(1, 0x8081, 0, 0, 0, 0).b, 4000, 53, true, proto.Yes},
		{"bare request", proto.ToServer, newMsg(1, 0x100, 0, 0, 0, 0).b, 4000, 53, true, proto.No},
		{"query on another port", proto.ToServer, query, 4000, 5300, true, proto.Yes},
		{"query with trailing bytes", proto.ToServer, append(query[:len(query):len(query)], 1), 4000, 53, true, proto.Yes},
		{"query with trailing bytes on another port", proto.ToServer, append(query[:len(query):len(query)], 1), 4000, 5300, true, proto.No},
		{"NetBIOS", proto.ToServer, query, 137, 137, true, proto.No},
		{"SNMP on port 53", proto.ToServer, junk, 4000, 53, true, proto.No},
		{"short", proto.ToServer, query[:11], 4000, 53, true, proto.No},
		{"TCP", proto.ToServer, tcp(query), 4000, 53, false, proto.Yes},
		{"TCP, part", proto.ToServer, tcp(query)[:20], 4000, 53, false, proto.Yes},
		{"TCP, part, other port", proto.ToServer, tcp(query)[:20], 4000, 99, false, proto.More},
		{"TCP, other port", proto.ToServer, tcp(query), 4000, 99, false, proto.Yes},
		{"TCP, one byte", proto.ToServer, tcp(query)[:1], 4000, 53, false, proto.More},
		{"HTTP", proto.ToServer, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 4000, 53, false, proto.No},
	}
	if m := dns.Protocol().Probe(proto.ToServer, answer, proto.Hint{SrcPort: 53, DstPort: 4000, UDP: true, Midstream: true}); m != proto.Reversed {
		t.Errorf("answer first, with flows picked up midstream: %v", m)
	}
	for _, c := range cases {
		got := dns.Protocol().Probe(c.dir, c.data, proto.Hint{SrcPort: c.src, DstPort: c.dst, UDP: c.udp})
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTCPGap(t *testing.T) {
	var ms [3][]byte
	for i := range ms {
		ms[i] = newMsg(uint16(i), 0x0100, 1, 0, 0, 0).name(fmt.Sprintf("host%d.example.org", i)).q(1).b
	}
	for size := 1; size < 60; size += 7 {
		r := prototest.NewRunner(prototest.Table(t, nil, rows()...), proto.Hint{SrcPort: 4000, DstPort: 53})
		r.Feed(prototest.Chunk{Data: tcp(ms[0])}, size)
		r.Feed(prototest.Chunk{Gap: len(ms[1]) + 2}, size)
		r.Feed(prototest.Chunk{Data: tcp(ms[2])}, size)
		r.Finish()
		if len(r.Records) != 2 {
			t.Errorf("pieces of %d: %d records, want 2", size, len(r.Records))
		}
	}
}

func TestBuffers(t *testing.T) {
	p := dns.Protocol()
	b := newMsg(1, 0x8180, 1, 2, 1, 1).name("q.org").q(5).ptr(12).rr(5, 1, "\x01c\x00").name("c").rr(1, 1, "abcd").
		name("org").rr(6, 1, "\x02m1\x00\x02r1\x00"+strings.Repeat("\x00", 20)).name("add").rr(1, 1, "abcd").b
	tx, ok := dns.Decode(b)
	if !ok {
		t.Fatal("not decoded")
	}
	tx.Dir = proto.ToClient
	cases := []struct {
		field string
		dir   proto.Dir
		want  string
	}{
		{"dns.queries.rrname", proto.ToClient, "q.org"},
		{"dns.query.name", proto.ToClient, "q.org"},
		{"dns.queries.rrname", proto.ToServer, ""},
		{"dns.answers.rrname", proto.ToClient, "q.org c"},
		{"dns.authorities.rrname", proto.ToClient, "org"},
		{"dns.additionals.rrname", proto.ToClient, "add"},
		{"dns.response.rrname", proto.ToClient, "q.org q.org c c org m1 add"},
	}
	for _, c := range cases {
		f := prototest.Field(p, c.field)
		var got []string
		for i := 0; ; i++ {
			b, ok := f.Get(nil, tx, c.dir, i)
			if !ok {
				break
			}
			got = append(got, string(b))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %d = %q, want %q", c.field, c.dir, got, c.want)
		}
	}
	if v, ok := prototest.Field(p, "dns.rrtype").Uint(nil, tx, proto.ToClient, 1); !ok || v != 1 {
		t.Errorf("dns.rrtype of the second answer = %d %v", v, ok)
	}
}

func TestLogOptions(t *testing.T) {
	req, _ := dns.Decode(newMsg(3, 0x0140, 1, 0, 0, 0).name("q.org").q(65).b)
	res, _ := dns.Decode(newMsg(3, 0x8180, 1, 1, 0, 0).name("q.org").q(1).ptr(12).rr(1, 9, "abcd").b)
	cases := []struct {
		name string
		o    dns.LogOptions
		tx   *dns.Tx
		want string
	}{
		{"v2 query", dns.LogOptions{Version: 2}, req, `{"version":2,"type":"query","id":3,"rrname":"q.org","rrtype":"HTTPS","tx_id":0,"z":true,"opcode":0}`},
		{"v2 answer", dns.LogOptions{Version: 2, NoDetailed: true}, res,
			`{"version":2,"type":"answer","id":3,"flags":"8180","qr":true,"rd":true,"ra":true,"opcode":0,"rrname":"q.org","rrtype":"A","rcode":"NOERROR","grouped":{"A":["97.98.99.100"]}}`},
		{"no requests", dns.LogOptions{NoRequests: true}, req, ""},
		{"no responses", dns.LogOptions{NoResponses: true}, res, ""},
		{"type wanted", dns.LogOptions{Types: []string{"https"}}, req, `{"version":3,"type":"request","tx_id":0,"id":3,"flags":"140","rd":true,"z":true,"opcode":0,"rcode":"NOERROR","queries":[{"rrname":"q.org","rrtype":"HTTPS"}]}`},
		{"type not wanted", dns.LogOptions{Types: []string{"https"}}, res, ""},
	}
	for _, c := range cases {
		var w jsonw.Writer
		w.Open()
		got := ""
		if dns.Logger(c.o)(nil, c.tx, &w) {
			w.Close()
			got = string(w.Buf)
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestLocal checks mDNS and LLMNR: either side may ask, and records stand under
// their type.
func TestLocal(t *testing.T) {
	query := newMsg(0, 0, 1, 0, 0, 0).name("_ipp._tcp.local").q(12).b
	answer := newMsg(0, 0x8400, 0, 2, 0, 1).name("_ipp._tcp.local").rr(12, 10, "\x01p\xc0\x0c").name("p").rr(16, 10, "\x03a=1\x03b=2").
		name("p").rr(33, 10, "\x00\x01\x00\x02\x00\x35\x01h\x00").b
	for _, c := range []struct {
		port uint16
		want [2]string
	}{
		{5353, [2]string{
			`{"type":"request","id":0,"opcode":0,"rcode":0,"queries":[{"rrname":"_ipp._tcp.local","rrtype":"ptr"}]}`,
			`{"type":"response","id":0,"flags":["aa"],"opcode":0,"rcode":0,"answers":[{"rrname":"_ipp._tcp.local","ptr":"p._ipp._tcp.local"},{"rrname":"p","txt":["a=1","b=2"]}],` +
				`"additionals":[{"rrname":"p","srv":{"priority":1,"weight":2,"port":53,"name":"h"}}]}`}},
		{5355, [2]string{
			`{"type":"request","id":0,"flags":"0","opcode":0,"queries":[{"rrname":"_ipp._tcp.local","rrtype":"ptr"}]}`,
			`{"type":"response","id":0,"flags":"8400","c":true,"opcode":0,"rcode":"NOERROR","answers":[{"rrname":"_ipp._tcp.local","ptr":"p._ipp._tcp.local"},{"rrname":"p","txt":["a=1","b=2"]}],` +
				`"additionals":[{"rrname":"p","srv":{"priority":1,"weight":2,"port":53,"name":"h"}}]}`}},
	} {
		tab := prototest.Table(t, prototest.Settings{"enabled": "yes"}, rows()...)
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: c.port, DstPort: c.port, UDP: true})
		r.Feed(prototest.Chunk{Dir: proto.ToServer, Data: query}, 0)
		r.Feed(prototest.Chunk{Dir: proto.ToServer, Data: answer}, 0)
		r.Finish()
		if len(r.Records) != 2 || r.Records[0].JSON != c.want[0] || r.Records[1].JSON != c.want[1] {
			t.Errorf("port %d: %+v", c.port, r.Records)
		}
	}
	if tab := prototest.Table(t, nil, rows()...); tab.Parsed(tab.ByName("llmnr")) {
		t.Error("LLMNR is on by default")
	}
}

// TestBeginnings offers every beginning of a response, as a session's packet length
// leaves it: what is all there is kept, and nothing is called malformed.
func TestBeginnings(t *testing.T) {
	m := newMsg(7, 0x8180, 1, 2, 0, 0).name("www.example.com").q(1)
	question := len(m.b)
	m.ptr(12).rr(5, 60, "\x03cdn\xc0\x10")
	first := len(m.b)
	m.ptr(12).rr(1, 60, "\x0a\x00\x00\x01")
	for _, known := range []bool{true, false} {
		for n := range m.b {
			c := proto.NewConn(prototest.Table(t, nil, rows()...), proto.Hint{SrcPort: 4000, DstPort: 53, UDP: true})
			if known {
				c.Datagram(proto.ToServer, newMsg(7, 0x0100, 1, 0, 0, 0).name("www.example.com").q(1).b)
				c.Txs = nil
			}
			c.Beginning(proto.ToClient, m.b[:n:n])
			if n < question {
				if len(c.Txs) != 0 {
					t.Fatalf("%d bytes: a transaction of less than a question", n)
				}
				continue
			}
			want := 0
			if n >= first {
				want = 1
			}
			if len(c.Txs) != 1 {
				t.Fatalf("%d bytes (known %v): %d transactions, want 1", n, known, len(c.Txs))
			}
			tx := c.Txs[0].(*dns.Tx)
			if len(tx.Questions) != 1 || len(tx.Answers) != want || len(tx.Base().Events) != 0 {
				t.Errorf("%d bytes: %d questions, %d answers, events %v; want 1, %d, none", n, len(tx.Questions), len(tx.Answers), tx.Base().Events, want)
			}
		}
	}
}
