package enip_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/enip"
	"mirador/internal/proto/prototest"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

func message(command uint16, status uint32, data string) string {
	b := binary.LittleEndian.AppendUint16(nil, command)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, status)
	return string(b) + "context8\x00\x00\x00\x00" + data
}

// items is a list of one item in the common packet format.
func item(typ uint16, data string) string {
	b := binary.LittleEndian.AppendUint16([]byte{1, 0}, typ)
	return string(binary.LittleEndian.AppendUint16(b, uint16(len(data)))) + data
}

func rrData(cip string) string { return "\x00\x00\x00\x00\x00\x00" + item(0xb2, cip) }

const (
	get      = "\x0e\x03\x20\x6b\x24\x01\x30\x07"
	identity = "\x01\x00\x00\x02\xaf\x12\x0a\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x0e\x00\x37\x00\x14\x0b\x30\x00\xef\xbe\xad\xde\x05PLC-5\x03"
)

type piece struct {
	dir  proto.Dir
	data string
}

func run(tb testing.TB, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, prototest.Settings{"enabled": "yes"}, enip.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 44818})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestRecords(t *testing.T) {
	const path = `"path":[{"segment_type":"class","value":107},{"segment_type":"instance","value":1},{"segment_type":"attribute","value":7}],"class_name":"unknown-107"`
	for _, c := range []struct {
		name string
		in   []piece
		want string
	}{
		{"register", []piece{{up, message(0x65, 0, "\x01\x00\x00\x00")}, {down, message(0x65, 1, "\x01\x00\x00\x00")}},
			`{"request":{"command":"register_session","status":"success","register_session":{"protocol_version":1,"options":0}},` +
				`"response":{"command":"register_session","status":"invalid_cmd","register_session":{"protocol_version":1,"options":0}}}`},
		{"identity", []piece{{up, message(0x63, 0, "")}, {down, message(0x63, 0, item(12, identity))}},
			`{"request":{"command":"list_identity","status":"success"},"response":{"command":"list_identity","status":"success","identity":{"protocol_version":1,` +
				`"revision":"20.11","vendor_id":"Rockwell Automation/Allen-Bradley","device_type":"Programmable Logic Controller","product_code":55,"status":48,` +
				`"serial":3735928559,"product_name":"PLC-5","state":3}}}`},
		{"services", []piece{{up, message(4, 0, "")}, {down, message(4, 0, item(0x100, "\x01\x00\x20\x01Comm"))}},
			`{"request":{"command":"list_services","status":"success"},"response":{"command":"list_services","status":"success",` +
				`"list_services":{"protocol_version":1,"capabilities":288,"service_name":"Comm"}}}`},
		{"get", []piece{{up, message(0x6f, 0, rrData(get))}, {down, message(0x6f, 0, rrData("\x8e\x00\x08\x01\x34"))}},
			`{"request":{"command":"send_r_r_data","status":"success","cip":{"service":"Get Attributes Single",` + path + `}},` +
				`"response":{"command":"send_r_r_data","status":"success","cip":{"service":"Get Attributes Single","status":"Service Not Supported","status_extended":"34"}}}`},
		{"multiple", []piece{{up, message(0x6f, 0, rrData("\x0a\x02\x20\x02\x24\x01\x01\x00\x04\x00"+get))}},
			`{"request":{"command":"send_r_r_data","status":"success","cip":{"service":"Multiple Service Packet",` +
				`"path":[{"segment_type":"class","value":2},{"segment_type":"instance","value":1}],"class_name":"Message Router",` +
				`"multiple":[{"service":"Get Attributes Single",` + path + `}]}}}`},
		{"cut", []piece{{up, message(0x6f, 0, rrData("\x0e"))}}, `{"request":{"command":"send_r_r_data","status":"success"}} invalid_pdu`},
	} {
		for _, size := range []int{0, 1, 7} {
			got := ""
			for _, x := range run(t, size, c.in...).Records {
				got += strings.TrimSpace(x.JSON + " " + strings.Join(x.Events, " "))
			}
			if got != c.want {
				t.Errorf("%s, pieces of %d:\n got %s\nwant %s", c.name, size, got, c.want)
			}
		}
	}
}

func TestKeywords(t *testing.T) {
	p := enip.Protocol()
	tx := run(t, 0, piece{up, message(0x6f, 0, rrData("\x0a\x02\x20\x02\x24\x01\x01\x00\x04\x00"+get))},
		piece{down, message(0x6f, 100, rrData("\x8e\x00\x08\x02\x34\x12"))}).Records[0].Tx
	for _, c := range []struct {
		name string
		dir  proto.Dir
		i    int
		want uint64
	}{
		{"enip_command", up, 0, 0x6f}, {"enip.status", down, 0, 100}, {"enip.cip_class", up, 0, 2}, {"enip.cip_class", up, 1, 107},
		{"enip.cip_instance", up, 1, 1}, {"enip.cip_attribute", up, 0, 7}, {"enip.cip_status", down, 0, 8}, {"enip.cip_extendedstatus", down, 0, 0x1234},
	} {
		if n, ok := prototest.Field(p, c.name).Uint(nil, tx, c.dir, c.i); !ok || n != c.want {
			t.Errorf("%s: %d %v, want %d", c.name, n, ok, c.want)
		}
	}
	for _, c := range []struct {
		arg  string
		want bool
	}{{"10", true}, {"14,107,7", true}, {"14,107", true}, {"14,107,8", false}, {"1", false}} {
		m, err := prototest.Field(p, "cip_service").Compile(c.arg)
		if err != nil || m(nil, tx, up) != c.want {
			t.Errorf("cip_service:%s: %v, want %v", c.arg, err, c.want)
		}
	}
	if _, err := prototest.Field(p, "cip_service").Compile("142"); err == nil {
		t.Error("cip_service:142 is accepted")
	}
	id := run(t, 0, piece{up, message(0x63, 0, "")}, piece{down, message(0x63, 0, item(12, identity))}).Records[0].Tx
	if b, _ := prototest.Field(p, "enip.product_name").Get(nil, id, down, 0); string(b) != "PLC-5" {
		t.Errorf("enip.product_name: %q", b)
	}
	if n, _ := prototest.Field(p, "enip.revision").Uint(nil, id, down, 0); n != 0x140b {
		t.Errorf("enip.revision: %d", n)
	}
}

func TestProbe(t *testing.T) {
	m := message(0x65, 0, "\x01\x00\x00\x00")
	for _, c := range []struct {
		in   string
		udp  bool
		want proto.Match
	}{{m, false, proto.Yes}, {m[:10], false, proto.More}, {m[:10], true, proto.No}, {message(0x66ff, 0, ""), false, proto.No}, {message(4, 99, ""), false, proto.No}} {
		if got := enip.Protocol().Probe(up, []byte(c.in), proto.Hint{DstPort: 44818, UDP: c.udp}); got != c.want {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(message(0x6f, 0, rrData("\x0a\x02\x20\x02\x24\x01\x01\x00\x04\x00"+get))+message(0x63, 0, "")), []byte(message(0x63, 0, item(12, identity))), uint8(3))
	tab := prototest.Table(f, prototest.Settings{"enabled": "yes"}, enip.Protocol())
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8) {
		if len(a) > 1<<12 || len(b) > 1<<12 {
			t.Skip()
		}
		// When a side is recognised late depends on the pieces, so both begin well.
		register := message(0x65, 0, "\x01\x00\x00\x00")
		a, b = append([]byte(register), a...), append([]byte(register), b...)
		run := func(size int) string {
			r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: 44818})
			r.Feed(prototest.Chunk{Dir: up, Data: a}, size)
			r.Feed(prototest.Chunk{Dir: down, Data: b}, size)
			r.Finish()
			// Records come as transactions end, and more end at once in larger pieces.
			var out []string
			for i := range r.Records {
				r.Records[i].Map(t)
				out = append(out, r.Records[i].JSON+strings.Join(r.Records[i].Events, " "))
			}
			slices.Sort(out)
			return strings.Join(out, "\n")
		}
		if whole, cut := run(0), run(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
