package quic_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/quic"
)

const (
	v1 = 1
	v2 = 0x6b3343cf
)

var (
	first  = []byte("\x01\x02\x03\x04\x05\x06\x07\x08")
	second = []byte("\x11\x12\x13\x14\x15\x16\x17\x18")
)

func u16(v int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(v))) }

func ext(typ int, body string) string { return u16(typ) + u16(len(body)) + body }

func hs(typ byte, body string) string {
	return string([]byte{typ, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}) + body
}

func clientHello(name string) string {
	exts := ext(0, u16(3+len(name))+"\x00"+u16(len(name))+name) + ext(43, "\x02\x03\x04") + ext(16, "\x00\x03\x02h3")
	return hs(1, "\x03\x03"+strings.Repeat("r", 32)+"\x00\x00\x04\x13\x01\x13\x02\x01\x00"+u16(len(exts))+exts)
}

func serverHello() string {
	exts := ext(43, "\x03\x04")
	return hs(2, "\x03\x03"+strings.Repeat("s", 32)+"\x00\x13\x01\x00"+u16(len(exts))+exts)
}

func crypto(off int, data string) string {
	return "\x06" + u16(off|0x4000) + u16(len(data)|0x4000) + data
}

// initial builds an Initial packet; keys come of key.
func initial(version uint32, dir proto.Dir, dcid, scid, key []byte, frames string) []byte {
	if n := 1162 - len(frames); n > 0 {
		frames += strings.Repeat("\x00", n)
	}
	flags := byte(0xc1)
	if version == v2 {
		flags |= 0x10
	}
	h := binary.BigEndian.AppendUint32([]byte{flags}, version)
	h = append(append(append(append(h, byte(len(dcid))), dcid...), byte(len(scid))), scid...)
	h = append(h, 0) // no token
	h = append(h, u16((2+len(frames)+16)|0x4000)...)
	return quic.Seal(key, version, dir, h, 1, []byte(frames))
}

func long(flags byte, version uint32) []byte {
	h := binary.BigEndian.AppendUint32([]byte{flags}, version)
	h = append(append(append(append(h, 8), first...), 8), second...)
	return append(h, strings.Repeat("x", 100)...)
}

type packet struct {
	dir  proto.Dir
	data []byte
}

func run(t *testing.T, port uint16, ps ...packet) []string {
	t.Helper()
	tab := prototest.Table(t, nil, quic.Protocol())
	r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: port, UDP: true})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: p.data}, 0)
	}
	r.Finish()
	var out []string
	for _, rec := range r.Records {
		m := rec.Map(t)
		s := fmt.Sprint(rec.Dir, " ", m["version"])
		for _, k := range []string{"sni", "ua", "ja4"} {
			if v, ok := m[k]; ok {
				s += fmt.Sprint(" ", v)
			}
		}
		for _, k := range []string{"ja3", "ja3s"} {
			if v, ok := m[k].(map[string]any); ok {
				s += fmt.Sprint(" ", v["string"])
			}
		}
		if v, ok := m["cyu"].([]any); ok {
			s += fmt.Sprint(" ", v[0].(map[string]any)["string"])
		}
		for _, e := range rec.Events {
			s += " !" + e
		}
		out = append(out, s)
	}
	return out
}

// The records are those that Suricata 8.0.7 writes of the same packets.
func TestConnections(t *testing.T) {
	ch, sh := clientHello("a.example"), serverHello()
	const up, down = proto.ToServer, proto.ToClient
	c := packet{up, initial(v1, up, first, second, first, crypto(0, ch))}
	s := packet{down, initial(v1, down, second, first, first, crypto(0, sh))}
	ack := packet{down, initial(v1, down, second, first, first, "\x02\x00\x00\x00\x00")}
	handshake := packet{down, long(0xe0, v1)}
	retry := packet{down, long(0xf0, v1)}
	const cr = "0 1 a.example q13d0203h3_62ed6f6ca7ad_9b00d4eb1ff0 771,4865-4866,0-43-16,,"
	const sr = "1 1 771,4865,43"
	cases := []struct {
		name string
		in   []packet
		want []string
	}{
		{"plain", []packet{c, s, c, handshake}, []string{cr, sr}},
		{"acknowledged first", []packet{c, ack, handshake, s, handshake}, []string{cr, "1 1", "1 1", sr}},
		{"coalesced", []packet{c, {down, append(append([]byte(nil), ack.data...), handshake.data...)}}, []string{cr, "1 1", "1 1"}},
		{"retry", []packet{c, retry, {up, initial(v1, up, second, first, second, crypto(0, ch))},
			{down, initial(v1, down, first, second, second, crypto(0, sh))}}, []string{cr, "1 1", cr, sr}},
		{"two retries", []packet{c, retry, {up, initial(v1, up, second, first, second, crypto(0, ch))}, retry,
			{down, initial(v1, down, first, second, second, crypto(0, sh))}}, []string{cr, "1 1", cr, "1 1", sr}},
		{"negotiation", []packet{c, {down, long(0x80, 0)}, {up, initial(v2, up, first, second, first, crypto(0, ch))}},
			[]string{cr, "1 0", strings.Replace(cr, "0 1", "0 v2", 1)}},
		{"0-RTT first", []packet{{up, long(0xd0, v1)}, c}, []string{"0 1", cr}},
		{"in pieces, out of order", []packet{
			{up, initial(v1, up, first, second, first, crypto(50, ch[50:80]))},
			{up, initial(v1, up, first, second, first, crypto(0, ch[:60]))},
			{up, initial(v1, up, first, second, first, "\x01"+crypto(80, ch[80:]))}, s}, []string{"0 1", "0 1", cr, sr}},
		{"garbage", []packet{c, {down, append(long(0xc0, v1)[:23], append([]byte("\x00\x40\x50"), make([]byte, 80)...)...)}, s},
			[]string{cr, "1 1 !failed_decrypt", sr}},
		{"unknown frame", []packet{{up, initial(v1, up, first, second, first, "\x7f\xff")}, c}, []string{"0 1", cr}},
		{"cut CRYPTO", []packet{{up, initial(v1, up, first, second, first, "\x06\x00\x7f\xff"+strings.Repeat("x", 1158))}, c},
			[]string{"0 1 !error_on_data", cr}},
		{"CRYPTO far away", []packet{{up, initial(v1, up, first, second, first, "\x06\x80\x01\x00\x00\x01x")}},
			[]string{"0 1 !crypto_frag_too_long"}},
		{"unknown version", []packet{{up, long(0xc0, 0x1a2a3a4a)}}, []string{"0 1a2a3a4a"}},
	}
	for _, k := range cases {
		if got := run(t, 443, k.in...); strings.Join(got, "\n") != strings.Join(k.want, "\n") {
			t.Errorf("%s:\n got %q\nwant %q", k.name, got, k.want)
		}
	}
	if got := run(t, 4433, c, s); len(got) != 2 {
		t.Errorf("other port: %q", got)
	}
	if got := run(t, 4433, packet{up, long(0xc0, v1)}); len(got) != 0 {
		t.Errorf("other port, garbage: %q", got)
	}
}

func TestProbe(t *testing.T) {
	short := append([]byte{0x45}, make([]byte, 40)...)
	cases := []struct {
		name string
		port uint16
		data []byte
		want proto.Match
	}{
		{"short header", 443, short, proto.Yes},
		{"short header, too short", 443, short[:20], proto.No},
		{"short header, other port", 5000, short, proto.No},
		{"no fixed bit", 443, append([]byte{0x05}, make([]byte, 40)...), proto.No},
		{"DTLS", 443, []byte("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x6e\x01\x00\x00\x62\x00\x00\x00\x00"), proto.No},
		{"long header", 443, long(0xc0, v1), proto.Yes},
		{"negotiation", 443, long(0x80, 0), proto.Yes},
		{"connection id too long", 443, append([]byte("\xc0\x00\x00\x00\x01\x15"), make([]byte, 100)...), proto.No},
		{"Initial, other port", 5000, initial(v1, 0, first, second, first, crypto(0, clientHello("a.b"))), proto.Yes},
		{"DNS", 53, []byte("\xc6\x10\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"), proto.No},
	}
	for _, c := range cases {
		if got := quic.Protocol().Probe(proto.ToServer, c.data, proto.Hint{SrcPort: 4000, DstPort: c.port, UDP: true}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// chlo builds Google's client hello with tags in the given order.
func chlo(tags ...string) string {
	m := "CHLO" + string([]byte{byte(len(tags) / 2), 0, 0, 0})
	values := ""
	for i := 0; i < len(tags); i += 2 {
		values += tags[i+1]
		m += (tags[i] + "\x00\x00\x00\x00")[:4] + string(binary.LittleEndian.AppendUint32(nil, uint32(len(values))))
	}
	return m + values
}

func TestGoogle(t *testing.T) {
	m := chlo("PAD", "----", "SNI", "x.example", "UAID", "Chrome/79", "CFCW", "1234")
	stream := "\xa0\x01" + u16(len(m)) + m
	hash := strings.Repeat("h", 12)
	q046 := "\xc3Q046\x5012345678\x00\x00\x00\x01" + hash
	want := []string{"0 Q046 x.example Chrome/79 46,PAD-SNI-UAID-CFCW"}
	for name, payload := range map[string]string{
		"stream first": stream, "ping first": "\x07" + stream, "ACK first": "\x40\x01\x00\x00\x01\x00" + stream,
	} {
		if got := run(t, 443, packet{0, []byte(q046 + payload)}); strings.Join(got, "\n") != want[0] {
			t.Errorf("%s: %q", name, got)
		}
	}
	q043 := "\x0d12345678Q043\x01" + hash + stream
	if got := run(t, 443, packet{0, []byte(q043)}); strings.Join(got, "\n") != "0 Q043 x.example Chrome/79 43,PAD-SNI-UAID-CFCW" {
		t.Errorf("Q043: %q", got)
	}
	down := "\xc3Q046\x0512345678\x00\x00\x00\x01" + hash + "xyz"
	if got := run(t, 443, packet{0, []byte(q046 + stream)}, packet{1, []byte(down)}); len(got) != 2 || got[1] != "1 Q046" {
		t.Errorf("server: %q", got)
	}
}

// TestDecryptBound checks that a flow of endless Initial packets is not opened
// for ever.
func TestDecryptBound(t *testing.T) {
	bad := packet{0, append(long(0xc0, v1)[:23], append([]byte("\x00\x44\x90"), make([]byte, 1168)...)...)}
	var ps []packet
	for range 4 * quic.MaxOpens {
		ps = append(ps, bad)
	}
	ps = append(ps, packet{0, initial(v1, 0, first, second, first, crypto(0, clientHello("a.example")))})
	got := run(t, 443, ps...)
	if last := got[len(got)-1]; last != "0 1 !failed_decrypt" {
		t.Errorf("packet behind the bound: %q", last)
	}
}

// FuzzDatagram feeds datagrams, whole ones and ones whose payload is sealed, so
// that the frames behind the protection are reached.
func FuzzDatagram(f *testing.F) {
	f.Add([]byte(crypto(0, clientHello("a.example"))), true)
	f.Add([]byte("\x02\x05\x00\x01\x00\x01\x01"+crypto(30, "abc")+crypto(10, strings.Repeat("x", 30))), true)
	f.Add(long(0xc0, v1), false)
	f.Add([]byte("\x0d12345678Q043\x01hhhhhhhhhhhh\xa0\x01\x00\x08"+chlo()), false)
	f.Add([]byte("\xc3Q046\x5012345678\x00\x00\x00\x01hhhhhhhhhhhh\x7f\x01\x02\x03"), false)
	tab := prototest.Table(f, nil, quic.Protocol())
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed {
			b = initial(v1, 0, first, second, first, string(b[:min(len(b), 8000)]))
		}
		before := string(b)
		r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: 443, UDP: true})
		for _, dir := range []proto.Dir{0, 1, 0} {
			r.Feed(prototest.Chunk{Dir: dir, Data: b}, 0)
		}
		r.Finish()
		for _, rec := range r.Records {
			rec.Map(t)
		}
		if string(b) != before {
			t.Fatal("input was changed")
		}
	})
}

// FuzzAssembly checks that CRYPTO frames in any order give the same hello as in
// the right one.
func FuzzAssembly(f *testing.F) {
	f.Add([]byte{0, 200, 10, 20, 30, 100})
	f.Add([]byte{90, 20, 50, 60, 0, 70, 60, 120})
	ch := clientHello("a.example")
	f.Fuzz(func(t *testing.T, cuts []byte) {
		var ps []packet
		for i := 0; i+1 < len(cuts) && len(ps) < 20; i += 2 {
			from := min(int(cuts[i]), len(ch))
			to := min(from+int(cuts[i+1]), len(ch))
			ps = append(ps, packet{0, initial(v1, 0, first, second, first, crypto(from, ch[from:to]))})
		}
		ps = append(ps, packet{0, initial(v1, 0, first, second, first, crypto(len(ch)/2, ch[len(ch)/2:])+crypto(0, ch[:len(ch)/2]))})
		got := run(t, 443, ps...)
		n := 0
		for _, s := range got {
			if strings.Contains(s, "a.example q13d0203h3_62ed6f6ca7ad_9b00d4eb1ff0") {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d hellos in %q", n, got)
		}
	})
}
