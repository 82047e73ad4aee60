package mysql_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/mysql"
	"mirador/internal/proto/prototest"
)

// values returns what field name has of all transactions that tab makes of ps.
func values(tb testing.TB, name string, dir proto.Dir, ps ...piece) (out []string) {
	tb.Helper()
	row := mysql.Protocol()
	i := slices.IndexFunc(row.Fields, func(f proto.Field) bool { return f.Name == name })
	c := proto.NewConn(prototest.Table(tb, nil, row), hint)
	var off [2]uint64
	for _, p := range ps {
		used, _ := c.Feed(p.dir, []byte(p.data), off[p.dir], false)
		if c.OtherFirst {
			tb.Fatal("the client's bytes came first")
		}
		off[p.dir] += uint64(used)
	}
	for _, tx := range c.Txs {
		for n := 0; ; n++ {
			if f := &row.Fields[i]; f.Uint != nil {
				if v, ok := f.Uint(c, tx, dir, n); ok {
					out = append(out, fmt.Sprint(v))
				}
				break
			} else if v, ok := f.Get(c, tx, dir, n); ok {
				out = append(out, string(v))
			} else {
				break
			}
		}
	}
	return out
}

func TestFields(t *testing.T) {
	in := then(begin(base|database),
		piece{up, query("select *")}, piece{down, server(1, "\x02", column("a", 3, 0), column("b", 0xfd, 0), eofBody(2), str("1")+str("foo"), str("2")+"\xfb", str("")+str("x"), eofBody(2))},
		piece{up, pkt(0, "\x16select ?")}, piece{down, pkt(1, errBody(1064, "42000", "syntax"))},
		piece{up, query("load data local")}, piece{down, pkt(1, "\xfb/tmp/f")}, piece{up, pkt(2, "")}, piece{down, pkt(3, okBody(0, 2, ""))},
	)
	for name, want := range map[string][]string{
		"mysql.command": {"select *", "select ?", "load data local"}, "mysql.rows": {"1,foo", "2,NULL", ",x"}, "mysql.user": {"joe"},
		"mysql.database": {"shop"}, "mysql.server_version": {"8.0.36"}, "mysql.infile": {"/tmp/f"}, "mysql.error": {"syntax"},
		"mysql.error_code": {"1064"}, "mysql.command_type": {"3", "22", "3"},
	} {
		if got := values(t, name, up, in...); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestBinaryRows(t *testing.T) {
	cols := []string{
		column("a", 1, 0), column("b", 1, 0x20), column("c", 2, 0), column("d", 3, 0x20), column("e", 8, 0), column("f", 4, 0), column("g", 5, 0),
		column("h", 0xfd, 0), column("i", 0x0a, 0), column("j", 0x0c, 0), column("k", 0x0b, 0), column("l", 3, 0),
	}
	row := "\x00" + "\x00\x20" + "\xff" + "\xff" + "\xfe\xff" + "\xff\xff\xff\xff" + "\x01\x00\x00\x00\x00\x00\x00\x80" +
		le32(int(math.Float32bits(1.5))) + le32(0) + le32(int(math.Float64bits(-2)>>32)) + str("text") +
		"\x04\xea\x07\x0b\x17" + "\x0b\xea\x07\x0b\x17\x06\x05\x04" + le32(70) + "\x08\x01" + le32(1) + "\x02\x03\x04"
	want := "-1,255,-2,4294967295,-9223372036854775807,1.5,-2,text,2026-11-23,2026-11-23 06:05:04.000070,-26:03:04,NULL"
	bodies := append(append([]string{"\x0c"}, cols...), eofBody(2), row, eofBody(2))
	got := values(t, "mysql.rows", down, then(begin(base), piece{up, pkt(0, "\x17"+le32(7)+"\x00"+le32(1))}, piece{down, server(1, bodies...)})...)
	if len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestBounds meets every bound of limits.go.
func TestBounds(t *testing.T) {
	intro := begin(base)
	open := func(rows ...string) []piece {
		all := append([]string{"\x01", column("a", 0xfd, 0), eofBody(2)}, rows...)
		return then(intro, piece{up, query("x")}, piece{down, server(1, append(all, eofBody(2))...)})
	}
	if got := values(t, "mysql.rows", down, open(slices.Repeat([]string{str("a")}, mysql.MaxRows+9)...)...); len(got) != mysql.MaxRows {
		t.Errorf("%d rows are kept, at most %d may be", len(got), mysql.MaxRows)
	}
	n := 0
	for _, r := range values(t, "mysql.rows", down, open(slices.Repeat([]string{str(strings.Repeat("a", 30_000))}, 9)...)...) {
		n += len(r)
	}
	if n != mysql.MaxRowBytes {
		t.Errorf("%d bytes of rows are kept, want %d", n, mysql.MaxRowBytes)
	}
	long := strings.Repeat("q", mysql.MaxMessage+100)
	if got := values(t, "mysql.command", up, then(intro, piece{up, query(long) + query("next")})...); len(got) != 2 || len(got[0]) != mysql.MaxMessage-1 || got[1] != "next" {
		t.Errorf("of a long statement %d bytes are kept", len(got[0]))
	}
	for _, c := range []struct {
		name string
		set  prototest.Settings
		in   []piece
		want string
	}{
		{"requests that nobody answers", nil, then(intro, piece{up, strings.Repeat(query("x"), 65)}), "too_many_transactions"},
		{"max-tx", prototest.Settings{"max-tx": "5"}, then(intro, piece{up, strings.Repeat(query("x"), 6)}), "too_many_transactions"},
		{"columns", nil, then(intro, piece{up, query("x")}, piece{down, pkt(1, "\xfc"+le16(mysql.MaxColumns+1))}), "malformed_response"},
		{"query attributes", nil, then(begin(base|queryAttr), piece{up, query("\x41\x01" + zeros(9) + "\x01")}), "malformed_request"},
	} {
		if got := records(t, run(t, c.set, 0, c.in...)); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s lacks %s", c.name, got, c.want)
		}
	}
	attrs := strings.Repeat(str("k")+str("v"), mysql.MaxAttributes+5)
	b := le32(base|attribute) + le32(1) + "\x21" + zeros(23) + "joe\x00\x00p\x00" + str(attrs)
	r := run(t, nil, 0, piece{down, hello(all, "8.0")}, piece{up, pkt(1, b)})
	if got := records(t, r); strings.Count(got, `"name":"k"`) != mysql.MaxAttributes || r.Hits(t, "mysql", "attributes") != 1 {
		t.Errorf("attributes: counted %d times: %s", r.Hits(t, "mysql", "attributes"), got)
	}
	// The oldest of the prepared statements is forgotten: its rows are counted only.
	var ps []piece
	for i := range mysql.MaxStatements + 1 {
		ps = append(ps, piece{up, pkt(0, "\x16s")}, piece{down, server(1, "\x00"+le32(i)+le16(1)+le16(0)+"\x00\x00\x00", column("a", 3, 0), eofBody(2))})
	}
	for _, id := range []int{0, 1} {
		ps = append(ps, piece{up, pkt(0, "\x1c"+le32(id)+le32(1))}, piece{down, server(1, "\x00\x00"+le32(70+id), eofBody(2))})
	}
	if got := values(t, "mysql.rows", down, then(intro, ps...)...); !slices.Equal(got, []string{"71"}) {
		t.Errorf("rows of a statement that is forgotten, and of one that is not: %q", got)
	}
	if n := run(t, nil, 0, then(intro, ps...)...).Hits(t, "mysql", "statements"); n != 1 {
		t.Errorf("%d statements were counted as forgotten", n)
	}
	// Of a wide result the rows are counted.
	wide := append(append([]string{"\xfc" + le16(mysql.MaxTypes+1)}, slices.Repeat([]string{column("a", 3, 0)}, mysql.MaxTypes+1)...), eofBody(2), "\x00"+zeros(2000), eofBody(2))
	ps = then(intro, piece{up, pkt(0, "\x17"+le32(1))}, piece{down, server(1, wide...)})
	if got := values(t, "mysql.rows", down, ps...); len(got) != 0 {
		t.Errorf("wide rows: %q", got)
	}
}

// Packets of 16 MiB go on in the next one; both are passed over behind MaxMessage.
func TestFullPackets(t *testing.T) {
	const full = 1<<24 - 1
	// whole is head and beginning of a full packet; the rest is lost on the way.
	whole := func(seq int, begin string) string {
		return "\xff\xff\xff" + string([]byte{byte(seq)}) + begin + strings.Repeat("x", mysql.MaxMessage-len(begin))
	}
	r := prototest.NewRunner(prototest.Table(t, nil, mysql.Protocol()), hint)
	feed := func(dir proto.Dir, s string) { r.Feed(prototest.Chunk{Dir: dir, Data: []byte(s)}, 1460) }
	for _, p := range begin(base) {
		feed(p.dir, p.data)
	}
	feed(up, whole(0, "\x03select "))
	r.Feed(prototest.Chunk{Dir: up, Gap: full - mysql.MaxMessage}, 0)
	feed(up, pkt(1, "yyy"))
	feed(down, server(2, "\x01", column("a", 0xfd, 0), eofBody(2))+whole(5, "\xfe"+le32(full+20)+zeros(4)))
	r.Feed(prototest.Chunk{Dir: down, Gap: full - mysql.MaxMessage}, 0)
	feed(down, pkt(6, strings.Repeat("z", 29))+pkt(7, eofBody(2)))
	feed(up, query("after"))
	feed(down, pkt(1, okBody(0, 2, "")))
	r.Finish()
	got := records(t, r)
	for _, w := range []string{fmt.Sprintf(`"columns":1,"rows":1,"row_bytes":%d}`, full+29), `"query":"after"},"response":{"status":"ok"`} {
		if !strings.Contains(got, w) {
			t.Errorf("%.200s lacks %s", got[strings.Index(got, "tx_id\":2"):], w)
		}
	}
	if strings.Contains(got, "sequence") {
		t.Error("the numbers of packets that go on are not followed")
	}
}

// A file's lost bytes are its own; other losses end one direction, and the other is
// followed on.
func TestGaps(t *testing.T) {
	start := func() *prototest.Runner {
		r := prototest.NewRunner(prototest.Table(t, nil, mysql.Protocol()), hint)
		for _, p := range begin(base) {
			r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, 0)
		}
		return r
	}
	feed := func(r *prototest.Runner, dir proto.Dir, s string) {
		r.Feed(prototest.Chunk{Dir: dir, Data: []byte(s)}, 0)
	}
	r := start()
	r.Feed(prototest.Chunk{Dir: down, Gap: 100}, 0)
	feed(r, up, query("one")+query("two"))
	r.Finish()
	if got := records(t, r); !strings.Contains(got, `"query":"one"}}`) || !strings.Contains(got, `"query":"two"}}`) || strings.Contains(got, "too_many") {
		t.Errorf("without the server: %s", got)
	}
	r = start()
	feed(r, up, query("one"))
	r.Feed(prototest.Chunk{Dir: up, Gap: 100}, 0)
	feed(r, down, pkt(1, okBody(1, 2, ""))+pkt(1, okBody(1, 2, "")))
	r.Finish()
	if got := records(t, r); !strings.Contains(got, `"query":"one"},"response":{"status":"ok"`) || strings.Contains(got, "unexpected") {
		t.Errorf("without the client: %s", got)
	}
	r = start()
	feed(r, up, query("load data local"))
	feed(r, down, pkt(1, "\xfbf"))
	feed(r, up, le32(1000)[:3]+"\x02abc")
	r.Feed(prototest.Chunk{Dir: up, Gap: 900}, 0)
	feed(r, up, strings.Repeat("d", 97)+pkt(3, ""))
	feed(r, down, pkt(4, okBody(1, 2, "")))
	r.Finish()
	if got := records(t, r); !strings.Contains(got, `"file_size":1000},"response":{"status":"ok"`) {
		t.Errorf("a file with a hole: %s", got)
	}
	// The greeting is lost: the login begins the session.
	r = prototest.NewRunner(prototest.Table(t, nil, mysql.Protocol()), hint)
	feed(r, down, hello(all, "8.0.36")[:30])
	r.Finish()
}

func TestProbe(t *testing.T) {
	mid := hint
	mid.Midstream = true
	g := hello(all, "8.0.36")
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		h    proto.Hint
		want proto.Match
	}{
		{down, g, hint, proto.Yes}, {down, mariaHello(base, 0x1d), hint, proto.Yes}, {down, g[:4], hint, proto.More}, {down, g[:9], hint, proto.More}, {down, g[:40], hint, proto.More},
		{up, g, hint, proto.No}, {up, g, mid, proto.Reversed},
		{down, pkt(0, "\x0a4.0.1\x00"+le32(1)+"saltsalt\x00"+le16(0x2c)+"\x08\x02\x00"+zeros(13)), hint, proto.Yes},
		{down, pkt(0, "\x0aHello world\x00"+zeros(60)), hint, proto.No},
		{down, pkt(0, "\x0a8.0.36\x00"+le32(1)+"saltsaltX"+strings.Repeat("y", 60)), hint, proto.No},
		{down, pkt(0, "\x0a8.0.36"+strings.Repeat("\x01", 60)), hint, proto.No},
		{down, pkt(0, "\x098.0.36\x00"+zeros(60)), hint, proto.No},
		{down, pkt(1, g[4:]), hint, proto.No}, {down, "\x00\x00\x10\x00\x0a8.0", hint, proto.No},
		{down, pkt(0, "\xff"+le16(1040)+"Too many connections"), hint, proto.Yes}, {down, pkt(0, "\xff"+le16(40)+"Too many connections"), hint, proto.No},
		{down, pkt(0, "\xff"+le16(1040)+"Too many connections") + "x", hint, proto.No}, {down, pkt(0, "\xff"+le16(1040)+"Too \x01many connections"), hint, proto.No},
		{down, "SSH-2.0-x", hint, proto.No}, {down, "220 mail", hint, proto.No}, {down, "\x16\x03\x03\x00\x7a\x02", hint, proto.No},
		{up, login(base, 0), hint, proto.More}, {up, query("select 1"), hint, proto.No}, {up, "GET / HTTP/1.1", hint, proto.No}, {up, "\x20\x00\x00\x01", hint, proto.More},
		{up, pkt(1, le32(base)+le32(1)+"\x21"+strings.Repeat("x", 30)), hint, proto.No},
	} {
		if got := mysql.Protocol().Probe(c.dir, []byte(c.in), c.h); got != c.want {
			t.Errorf("%d %q: %v, want %v", c.dir, c.in, got, c.want)
		}
	}
}

// TestOthers shows public captures to the probe: what Suricata knows as something else
// must not be taken for MySQL.
func TestOthers(t *testing.T) {
	b, err := os.ReadFile(prototest.Shared(t, "data", "captures", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest []struct{ File string }
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	row := mysql.Protocol()
	sessions := 0
	for _, m := range manifest {
		for _, f := range prototest.Flows(t, prototest.Shared(t, "data", "captures", m.File)) {
			if f.Hint.UDP {
				continue
			}
			var seen [2]bool
			for _, c := range f.Chunks {
				if seen[c.Dir] || len(c.Data) == 0 {
					continue
				}
				seen[c.Dir] = true
				if got := row.Probe(c.Dir, c.Data, f.Hint); got != proto.Yes && got != proto.Reversed {
					continue
				}
				if sessions++; !strings.Contains(m.File, "mysql") && f.Server.Port() != 3306 {
					t.Errorf("%s: %v -> %v is taken for MySQL: %.80q", m.File, f.Client, f.Server, c.Data)
				}
			}
		}
	}
	if sessions < 10 {
		t.Errorf("%d sessions of MySQL are found", sessions)
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same whether
// they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte(query("select 1")+query("load data local")+pkt(2, "abc")+pkt(3, "")), []byte(server(1, "\x01", column("a", 3, 0), eofBody(2), str("1"), eofBody(2))+pkt(1, "\xfbf")+pkt(4, okBody(0, 2, ""))), uint8(3), uint32(base))
	f.Add([]byte(pkt(0, "\x16s")+pkt(0, "\x17"+le32(7)+"\x00")), []byte(server(1, "\x00"+le32(7)+le16(1)+le16(0)+"\x00\x00\x00", column("a", 3, 0), eofBody(2))+server(1, "\x01", column("a", 3, 0), eofBody(2), "\x00\x00"+le32(9), eofBody(2))), uint8(1), uint32(base))
	f.Add([]byte(query("\x01\x01\x00\x01\xfe\x00\x01ax")+pkt(0, "\x11eve\x00\x00\x00")), []byte(server(1, "\x01\x01", column("a", 12, 0), "\x00\x00", eofOK(2))+pkt(1, "\xfeplug\x00")), uint8(2), uint32(queryAttr|noEOF|optional|base))
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8, caps uint32) {
		if len(a)+len(b) > 1<<14 {
			t.Skip()
		}
		one := func(size int) string {
			caps := int(caps) &^ (compress | zstd | wantsTLS) // what ends the session
			return records(t, run(t, nil, size, piece{down, mariaHello(all, 0x1d)}, piece{up, login(caps|base, int(caps>>8&0x1f))}, piece{down, pkt(2, okBody(0, 2, ""))}, piece{up, string(a)}, piece{down, string(b)}, piece{up, string(a)}))
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}

// FuzzLogin shows any bytes to what comes before the commands.
func FuzzLogin(f *testing.F) {
	f.Add([]byte(hello(all, "8.0.36")), []byte(login(base|database|attribute, 0)), []byte(pkt(2, "\xfeplug\x00")))
	f.Add([]byte(mariaHello(base, 0x1d)), []byte(pkt(1, "\x85\x24\x00\x00\x01joe\x00x")), []byte(pkt(2, errBody(1045, "28000", "no"))))
	f.Fuzz(func(t *testing.T, greeting, login, answer []byte) {
		if len(greeting)+len(login)+len(answer) > 1<<12 {
			t.Skip()
		}
		mysql.Protocol().Probe(down, append([]byte{0}, greeting...), hint)
		one := func(size int) string {
			return records(t, run(t, nil, size, piece{down, hello(all, "8.0.36")[:0] + string(greeting)}, piece{up, string(login)}, piece{down, string(answer)}))
		}
		one(0)
	})
}
