package dnp3_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/dnp3"
	"mirador/internal/proto/prototest"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

func crc(b []byte) []byte {
	c := uint16(0)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xa6bc
			} else {
				c >>= 1
			}
		}
	}
	return binary.LittleEndian.AppendUint16(nil, ^c)
}

// frame is a link frame with user data.
func frame(control byte, user string) string {
	b := []byte{5, 0x64, byte(5 + len(user)), control, 2, 0, 3, 0}
	b = append(b, crc(b)...)
	for len(user) > 0 {
		n := min(16, len(user))
		b = append(append(b, user[:n]...), crc([]byte(user[:n]))...)
		user = user[n:]
	}
	return string(b)
}

// message is an application message in as many frames as needed.
func message(control byte, app string) string {
	var out string
	for i, seq := 0, byte(0); i == 0 || i < len(app); seq++ {
		n := min(249, len(app)-i)
		t := seq & 0x3f
		if i == 0 {
			t |= 0x40
		}
		if i+n == len(app) {
			t |= 0x80
		}
		out += frame(control, string([]byte{t})+app[i:i+n])
		i += n
	}
	return out
}

const (
	request  = "\xc0\x01\x3c\x02\x06"
	response = "\xc0\x81\x90\x01"
)

type piece struct {
	dir  proto.Dir
	data string
}

func settings() prototest.Settings { return prototest.Settings{"enabled": "yes"} }

func run(tb testing.TB, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, settings(), dnp3.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 20000})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestMessages(t *testing.T) {
	bad := []byte(message(0xc4, request))
	bad[8] ^= 1
	badBlock := []byte(message(0xc4, request))
	badBlock[len(badBlock)-1] ^= 1
	cases := []struct {
		name string
		in   []piece
		want string // objects as group.variation*count(points), events
	}{
		{"request and response", []piece{{up, message(0xc4, request)}, {down, message(0x44, response)}},
			"request true 60.2*0(0); response true"},
		{"unsolicited", []piece{{down, message(0x44, "\xf0\x82\x80\x00")}}, "unsolicited_response true"},
		{"confirmation", []piece{{up, message(0xc4, "\xc0\x00")}}, ""},
		{"points", []piece{{up, message(0xc4, "\xc0\x02\x1e\x04\x07\x02\x01\x02\x03\x04")}}, "request true 30.4*2(2)"},
		{"points cut", []piece{{up, message(0xc4, "\xc0\x02\x1e\x04\x07\x03\x01\x02\x03\x04\x05")}}, "request false 30.4*3(2) unknown_object"},
		{"packed", []piece{{up, message(0xc4, "\xc0\x02\x01\x01\x00\x00\x0b\xa5\x05")}}, "request true 1.1*12(12)"},
		{"packed octets of 8", []piece{{up, message(0xc4, "\xc0\x02\x01\x01\x07\x08\xff")}}, "request false 1.1*8(8) unknown_object"},
		{"unknown object", []piece{{up, message(0xc4, "\xc0\x02\x6e\x04\x07\x01\x00")}}, "request false 110.4*1(0) unknown_object"},
		{"variation 0", []piece{{up, message(0xc4, "\xc0\x01\x1e\x00\x07\x05")}}, "request true 30.0*5(0)"},
		{"header cut", []piece{{up, message(0xc4, "\xc0\x01\x1e\x04")}}, "request false"},
		{"range cut", []piece{{up, message(0xc4, "\xc0\x01\x1e\x04\x00\x00")}}, "request false 30.4*0(0)"},
		{"bad range code", []piece{{up, message(0xc4, "\xc0\x01\x1e\x04\x0a\x3c\x01\x06")}}, "request false 30.4*0(0)"},
		{"too many points", []piece{{up, message(0xc4, "\xc0\x01\x01\x01\x08\x01\x40")}}, "request false 1.1*16385(0) too_many_points"},
		{"too many objects", []piece{{up, message(0xc4, "\xc0\x01"+strings.Repeat("\x3c\x01\x06", 2049))}}, "request false 2048 too_many_objects"},
		{"bad link check sum", []piece{{up, message(0xc4, request) + string(bad) + message(0xc4, request)}},
			"request true 60.2*0(0); - bad_link_crc; request true 60.2*0(0)"},
		{"bad block check sum", []piece{{up, string(badBlock)}}, "- bad_transport_crc"},
		{"no user data", []piece{{up, frame(0xc4, "")}}, "- len_too_small"},
		{"one octet", []piece{{up, frame(0xc4, "\xc0\x01")}}, "- len_too_small"},
		{"response too short", []piece{{down, message(0x44, "\xc0\x81\x00")}}, "- len_too_small"},
		{"other link functions", []piece{{up, frame(0xc9, "") + frame(0xc0, "\xc0"+request)}}, ""},
		{"two segments", []piece{{up, frame(0xc4, "\x40\xc0\x01\x3c") + frame(0xc4, "\x81\x02\x06")}}, "request true 60.2*0(0)"},
		{"wrong sequence", []piece{{up, frame(0xc4, "\x40\xc0\x01\x3c") + frame(0xc4, "\x85\x02\x06")}}, ""},
		{"first again", []piece{{up, frame(0xc4, "\x40\xc0\x01\x3c") + message(0xc4, request)}}, "request true 60.2*0(0)"},
		{"not first", []piece{{up, frame(0xc4, "\x80"+request)}}, ""},
		{"file", []piece{{up, message(0xc4, "\xc0\x19\x46\x03\x5b\x01\x1c\x00\x1a\x00\x02\x00"+strings.Repeat("\x00", 22)+"ab")}}, "request true 70.3*1(1)"},
		{"file name beyond the end", []piece{{up, message(0xc4, "\xc0\x19\x46\x03\x5b\x01\x1c\x00\x1a\x00\x09\x00"+strings.Repeat("\x00", 22)+"ab")}}, "request false 70.3*1(0) unknown_object"},
	}
	for _, c := range cases {
		for _, size := range []int{0, 1, 7} {
			var got []string
			for _, rec := range run(t, size, c.in...).Records {
				s := "-"
				if m := rec.Map(t); m != nil {
					app, _ := m["application"].(map[string]any)
					s = fmt.Sprint(m["type"], " ", app["complete"])
					list, _ := app["objects"].([]any)
					if len(list) > 2 {
						s += fmt.Sprint(" ", len(list))
						list = nil
					}
					for _, o := range list {
						o, _ := o.(map[string]any)
						points, _ := o["points"].([]any)
						s += fmt.Sprintf(" %v.%v*%v(%d)", o["group"], o["variation"], o["count"], len(points))
					}
				}
				got = append(got, strings.TrimSpace(s+" "+strings.Join(rec.Events, " ")))
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("%s, pieces of %d:\n got %s\nwant %s", c.name, size, s, c.want)
			}
		}
	}
}

func TestRecord(t *testing.T) {
	r := run(t, 0, piece{up, message(0xc4, "\xc1\x02\x0c\x01\x28\x01\x00\x01\x00\x03\x01\x64\x00\x00\x00\xff\x00\x00\x00\x80\x1e\x01\x07\x01\x01\xff\xff\xff\xff")},
		piece{down, message(0x44, response)})
	for i, want := range []string{
		`{"type":"request","control":{"dir":true,"pri":true,"fcb":false,"fcv":false,"function_code":4},"src":3,"dst":2,` +
			`"application":{"control":{"fir":true,"fin":true,"con":false,"uns":false,"sequence":1},"function_code":2,"objects":[` +
			`{"group":12,"variation":1,"qualifier":40,"prefix_code":2,"range_code":8,"start":0,"stop":0,"count":1,"points":[` +
			`{"prefix":1,"index":1,"op_type":3,"qu":0,"cr":0,"tcc":0,"count":1,"ontime":100,"offtime":255,"status_code":0,"reserved":1}]},` +
			`{"group":30,"variation":1,"qualifier":7,"prefix_code":0,"range_code":7,"start":0,"stop":0,"count":1,"points":[` +
			`{"prefix":0,"index":0,"online":1,"restart":0,"comm_lost":0,"remote_forced":0,"local_forced":0,"over_range":0,"reference_err":0,"reserved0":0,` +
			`"value":18446744073709551615}]}],"complete":true}}`,
		`{"type":"response","control":{"dir":false,"pri":true,"fcb":false,"fcv":false,"function_code":4},"src":3,"dst":2,` +
			`"application":{"control":{"fir":true,"fin":true,"con":false,"uns":false,"sequence":0},"function_code":129,"complete":true},` +
			`"iin":{"indicators":["device_restart","need_time","no_func_code_support"]}}`,
	} {
		if got := r.Records[i].JSON; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestKeywords(t *testing.T) {
	p := dnp3.Protocol()
	r := run(t, 0, piece{up, message(0xc4, request)}, piece{down, message(0x44, response)})
	req, resp := r.Records[0].Tx, r.Records[1].Tx
	for _, c := range []struct {
		name, arg string
		tx        proto.Tx
		dir       proto.Dir
		want      bool
	}{
		{"dnp3_func", "read", req, up, true}, {"dnp3_func", "1", req, up, true}, {"dnp3_func", "1", req, down, false},
		{"dnp3_func", "response", resp, down, true}, {"dnp3_ind", "need_time", resp, down, true},
		{"dnp3_ind", "class_1_events, device_restart", resp, down, true}, {"dnp3_ind", "class_1_events", resp, down, false},
		{"dnp3_ind", "0x9001", resp, down, true}, {"dnp3_ind", "2", resp, down, false},
		{"dnp3_obj", "60,2", req, up, true}, {"dnp3_obj", "60, 1", req, up, false},
	} {
		m, err := prototest.Field(p, c.name).Compile(c.arg)
		if err != nil || m(nil, c.tx, c.dir) != c.want {
			t.Errorf("%s:%s: %v, want %v", c.name, c.arg, err, c.want)
		}
	}
	for _, c := range [][2]string{{"dnp3_func", "256"}, {"dnp3_func", "x"}, {"dnp3_ind", "!need_time"}, {"dnp3_obj", "60"}, {"dnp3_obj", "256,1"}} {
		if _, err := prototest.Field(p, c[0]).Compile(c[1]); err == nil {
			t.Errorf("%s:%s is accepted", c[0], c[1])
		}
	}
	if b, ok := prototest.Field(p, "dnp3_data").Get(nil, resp, down, 0); !ok || string(b) != response {
		t.Errorf("dnp3_data: %q", b)
	}
}

// TestBounds checks what a peer can make the parser hold.
func TestBounds(t *testing.T) {
	var in string
	for i := range 65 {
		first := ""
		if i == 0 {
			first = "\xc0\x01"
		}
		head := byte(i) & 0x3f
		if i == 0 {
			head |= 0x40
		}
		in += frame(0xc4, string([]byte{head})+first+strings.Repeat("A", 249-len(first)))
	}
	r := run(t, 0, piece{up, in})
	if len(r.Records) != 1 || strings.Join(r.Records[0].Events, " ") != "too_long_reassembly" {
		t.Errorf("%d records", len(r.Records))
	}
	r = run(t, 0, piece{up, strings.Repeat(message(0xc4, request), 33)})
	if n := len(r.Records); n != 33 || len(r.Records[31].Events) != 0 || strings.Join(r.Records[32].Events, " ") != "flooded" {
		t.Errorf("flood: %d records", n)
	}
}

func TestGap(t *testing.T) {
	r := prototest.NewRunner(prototest.Table(t, settings(), dnp3.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 20000})
	m := message(0xc4, request)
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(m)}, 0)
	r.Feed(prototest.Chunk{Dir: up, Gap: 11}, 0)
	r.Feed(prototest.Chunk{Dir: up, Data: []byte("\x05\x64junk" + m + m)}, 3)
	r.Finish()
	if len(r.Records) != 3 {
		t.Errorf("%d records, want 3", len(r.Records))
	}
}

func TestProbe(t *testing.T) {
	m := message(0xc4, request)
	for _, c := range []struct {
		in   string
		h    proto.Hint
		dir  proto.Dir
		want proto.Match
	}{
		{m, proto.Hint{DstPort: 20000}, up, proto.Yes}, {m[:4], proto.Hint{DstPort: 20000}, up, proto.More},
		{m, proto.Hint{DstPort: 80, SrcPort: 20000}, up, proto.No}, {"\x05\x65", proto.Hint{DstPort: 20000}, up, proto.No},
		{"\x05\x64\x04" + m[3:], proto.Hint{DstPort: 20000}, up, proto.No},
		{message(0x44, response), proto.Hint{SrcPort: 20000, Midstream: true}, up, proto.Reversed},
	} {
		if got := dnp3.Protocol().Probe(c.dir, []byte(c.in), c.h); got != c.want {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
		}
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte(message(0xc4, request)+message(0xc4, "\xc0\x02\x1e\x04\x07\x02\x01\x02\x03\x04")), []byte(message(0x44, response)), []byte("\x46\x03\x5b\x01\x1c\x00\x1a\x00\x02\x00"), uint8(3))
	tab := prototest.Table(f, settings(), dnp3.Protocol())
	f.Fuzz(func(t *testing.T, a, b, objects []byte, size uint8) {
		if len(a) > 1<<13 || len(b) > 1<<13 || len(objects) > 1<<12 {
			t.Skip()
		}
		// Objects in a sound frame, since no fuzzer guesses check sums.
		a = append([]byte(message(0xc4, "\xc0\x02"+string(objects))), a...)
		run := func(size int) string {
			r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: 20000})
			// max-tx counts what waits, which depends on the pieces.
			r.Feed(prototest.Chunk{Dir: up, Data: a}, size)
			r.Feed(prototest.Chunk{Dir: down, Data: b}, size)
			r.Finish()
			out := ""
			for i := range r.Records {
				r.Records[i].Map(t)
				out += r.Records[i].JSON + strings.ReplaceAll(strings.Join(r.Records[i].Events, " "), "flooded", "")
			}
			return out
		}
		if whole, cut := run(0), run(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
