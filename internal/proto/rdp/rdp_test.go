package rdp_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/rdp"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

type piece struct {
	dir  proto.Dir
	data string
}

// tpkt frames an X.224 message; conn is one with the fields of a connection.
func tpkt(b string) string {
	return "\x03\x00" + string(binary.BigEndian.AppendUint16(nil, uint16(len(b)+4))) + b
}

func conn(typ byte, b string) string {
	return tpkt(string([]byte{byte(len(b) + 6), typ}) + "\x00\x00\x12\x34\x00" + b)
}

func wide(s string, n int) string {
	b := make([]byte, n)
	for i, u := range utf16.Encode([]rune(s)) {
		binary.LittleEndian.PutUint16(b[2*i:], u)
	}
	return string(b)
}

func block(typ string, b string) string {
	return typ + "\xc0" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(b)+4))) + b
}

// initial is Connect-Initial with settings blocks.
func initial(blocks string) string {
	n := len(blocks)
	gcc := "\x00\x05\x00\x14\x7c\x00\x01\x80\x00\x00\x08\x00\x10\x00\x01\xc0\x00Duca" + string([]byte{byte(n>>8) | 0x80, byte(n)}) + blocks
	ber := func(s string) string { return "\x82" + string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }
	params := "\x30\x03\x02\x01\x22"
	return tpkt("\x02\xf0\x80\x7f\x65" + ber("\x04\x01\x01\x04\x01\x01\x01\x01\xff"+params+params+params+"\x04"+ber(gcc)))
}

var (
	core = block("\x01", "\x04\x00\x08\x00\x80\x07\x38\x04\x01\xca\x03\xaa\x09\x04\x00\x00\x80\x25\x00\x00"+wide("LAPTOP", 32)+"\x04\x00\x00\x00\x00\x00\x00\x00\x0c\x00\x00\x00"+
		wide("", 64)+"\x01\xca\x01\x00\x00\x00\x00\x00\x10\x00\x0f\x00\x2d\x00"+wide("3c571ed0", 64)+"\x07\x00\x00\x00\x00\x00")
	net     = block("\x03", "\x02\x00\x00\x00rdpdr\x00\x00\x00\x00\x00\x80\x80cliprdr\x00\x00\x00\xa0\xc0")
	hello   = conn(0xe0, "Cookie: mstshash=JOE\r\n\x01\x00\x08\x00\x03\x00\x00\x00")
	plain   = conn(0xd0, "\x02\x00\x08\x00\x00\x00\x00\x00")
	withTLS = conn(0xd0, "\x02\x1b\x08\x00\x02\x00\x00\x00")
	answer  = tpkt("\x02\xf0\x80\x7f\x66\x01\x00")
)

// certificate is a TLS record of a Certificate message with one certificate, of
// which only the beginning matters.
func certificate() string {
	der, _ := hex.DecodeString("300c300aa003020102020302abcd")
	n := len(der)
	body := string([]byte{0, 0, byte(n + 3), 0, 0, byte(n)}) + string(der)
	hs := "\x02\x00\x00\x02ab" + "\x0b\x00\x00" + string([]byte{byte(len(body))}) + body
	return "\x16\x03\x03\x00\x07" + hs[:7] + "\x16\x03\x03\x00" + string([]byte{byte(len(hs) - 7)}) + hs[7:]
}

func records(tb testing.TB, size int, ps ...piece) (out string) {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, nil, rdp.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 3389})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	for i := range r.Records {
		r.Records[i].Map(tb)
		out += fmt.Sprint(r.Records[i].JSON, "\n")
	}
	return out
}

// The records have the form that Suricata 8.0.7 gives them.
func TestSessions(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []piece
		want string
	}{
		{"plain", []piece{{up, hello}, {down, plain}, {up, initial(core + net)}, {down, answer}, {up, "\x00encrypted"}, {down, "\x00\x00"}},
			`{"tx_id":1,"event_type":"initial_request","cookie":"JOE"}
{"tx_id":2,"event_type":"initial_response","protocol":"rdp"}
{"tx_id":3,"event_type":"connect_request","client":{"version":"v5","desktop_width":1920,"desktop_height":1080,"color_depth":16,"keyboard_layout":"en-US","build":"Windows 8.1","client_name":"LAPTOP","keyboard_type":"enhanced","function_keys":12,"product_id":1,` +
				`"capabilities":["support_errinfo_pdf","support_statusinfo_pdu","strong_asymmetric_keys","valid_connection_type"],"id":"3c571ed0","connection_hint":"autodetect"},"channels":["rdpdr","cliprdr"]}
{"tx_id":4,"event_type":"connect_response"}
`},
		{"TLS", []piece{{up, hello}, {down, withTLS}, {up, "\x16\x03\x01\x00\x02ab"}, {down, certificate()}, {down, "more"}},
			`{"tx_id":1,"event_type":"initial_request","cookie":"JOE"}
{"tx_id":2,"event_type":"initial_response","server_supports":["extended_client_data","dynvc_gfx","restricted_admin","redirected_authentication"],"protocol":"hybrid"}
{"tx_id":3,"event_type":"tls_handshake","x509_serials":["02abcd"]}
`},
		{"refused", []piece{{up, hello}, {down, conn(0xd0, "\x03\x00\x08\x00\x02\x00\x00\x00")}},
			`{"tx_id":1,"event_type":"initial_request","cookie":"JOE"}
{"tx_id":2,"event_type":"initial_response","error_code":2,"reason":"ssl not allowed by server"}
`},
		{"old", []piece{{up, conn(0xe0, "")}, {down, conn(0xd0, "")}, {up, initial("\x01\xc0\xff\xff")}},
			`{"tx_id":1,"event_type":"initial_request"}
{"tx_id":2,"event_type":"initial_response"}
{"tx_id":3,"event_type":"connect_request"}
`},
	} {
		for _, size := range []int{0, 1, 9} {
			if got := records(t, size, c.in...); got != c.want {
				t.Errorf("%s, pieces of %d:\n got %swant %s", c.name, size, got, c.want)
			}
		}
	}
}

func TestProbe(t *testing.T) {
	std, other := proto.Hint{SrcPort: 4000, DstPort: 3389}, proto.Hint{SrcPort: 4000, DstPort: 102}
	s7 := "\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02"
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		h    proto.Hint
		want proto.Match
	}{
		{up, hello, std, proto.Yes}, {up, hello, other, proto.Yes}, {up, hello[:5], other, proto.More}, {up, s7, other, proto.No}, {up, conn(0xe0, ""), std, proto.Yes},
		{up, conn(0xe0, ""), other, proto.No}, {down, plain, other, proto.Yes}, {up, "\x03\x00\x00\x16\x12\xe0\x00\x00", std, proto.No}, {up, "GET / HTTP", std, proto.No},
	} {
		if got := rdp.Protocol().Probe(c.dir, []byte(c.in), c.h); got != c.want {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
		}
	}
}

// TestMany checks that a flow of nothing but connection requests makes few records.
func TestMany(t *testing.T) {
	if got := records(t, 0, piece{up, strings.Repeat(hello, 1000)}); strings.Count(got, "\n") > 20 {
		t.Errorf("%d records", strings.Count(got, "\n"))
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte(initial(core+net)), []byte(answer), uint8(3), false)
	f.Add([]byte("\x16\x03\x01\x00\x02ab"), []byte(certificate()), uint8(3), true)
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8, secure bool) {
		if len(a)+len(b) > 1<<14 {
			t.Skip()
		}
		reply := plain
		if secure {
			reply = withTLS
		}
		one := func(size int) string {
			return records(t, size, piece{up, hello}, piece{down, reply}, piece{up, string(a)}, piece{down, string(b)})
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
