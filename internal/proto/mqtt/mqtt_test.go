package mqtt_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/mqtt"
	"mirador/internal/proto/prototest"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

type piece struct {
	dir  proto.Dir
	data string
}

func text(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }

// msg is a message with first byte head.
func msg(head byte, body string) string {
	n := len(body)
	b := []byte{head}
	for {
		c := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			b = append(b, c|0x80)
			continue
		}
		b = append(b, c)
		break
	}
	return string(b) + body
}

var (
	connect4 = msg(0x10, text("MQTT")+"\x04\xc6\x00\x3c"+text("cli")+text("will/t")+text("bye")+text("joe")+text("secret"))
	connect5 = msg(0x10, text("MQTT")+"\x05\x02\x00\x3c\x0e\x21\x00\x14\x26"+text("key")+text("val")+text("cli"))
	connack4 = msg(0x20, "\x00\x00")
	connack5 = msg(0x20, "\x00\x00\x03\x22\x00\x0a")
)

func run(tb testing.TB, s prototest.Settings, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, s, mqtt.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 1883})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

func records(tb testing.TB, r *prototest.Runner) (out string) {
	for i := range r.Records {
		r.Records[i].Map(tb)
		out += fmt.Sprint(r.Records[i].Dir, r.Records[i].JSON, strings.Join(r.Records[i].Events, ","), "\n")
	}
	return out
}

func TestSessions(t *testing.T) {
	intro := []piece{{up, connect4}, {down, connack4}}
	intro5 := []piece{{up, connect5}, {down, connack5}}
	for _, c := range []struct {
		name string
		in   []piece
		want []string
	}{
		{"connect", intro, []string{`"client_id":"cli"`, `"password":"secret"`, `"will":{"topic":"will/t","message":"bye"}`, `"connack":{"qos":0,"retain":false,"dup":false,"session_present":false,"return_code":0}`}},
		{"connect 5", intro5, []string{`"protocol_version":5`, `"properties":{"receive_maximum":20,"user_properties":[{"key":"key","value":"val"}]}`, `"properties":{"topic_alias_maximum":10}`}},
		{"publish", append(intro, piece{up, msg(0x32, text("t")+"\x00\x07hello")}, piece{down, msg(0x40, "\x00\x07")}),
			[]string{`"publish":{"qos":1,"retain":false,"dup":false,"topic":"t","message_id":7,"message":"hello"},"puback":{"qos":0,"retain":false,"dup":false,"message_id":7}`}},
		{"publish 2", append(intro5, piece{up, msg(0x34, text("t")+"\x00\x07\x00hello")}, piece{down, msg(0x50, "\x00\x07")}, piece{up, msg(0x62, "\x00\x07")}, piece{down, msg(0x70, "\x00\x07\x92")}),
			[]string{`"pubrec":{"qos":0,"retain":false,"dup":false,"message_id":7,"reason_code":0}`, `"pubcomp":{"qos":0,"retain":false,"dup":false,"message_id":7,"reason_code":146}`}},
		{"subscribe", append(intro, piece{up, msg(0x82, "\x00\x01"+text("a")+"\x01"+text("b")+"\x00")}, piece{down, msg(0x90, "\x00\x01\x01\x80")}),
			[]string{`"topics":[{"topic":"a","qos":1},{"topic":"b","qos":0}]`, `"qos_granted":[1,128]`}},
		{"unsubscribe 5", append(intro5, piece{up, msg(0xa2, "\x00\x02\x00"+text("a"))}, piece{down, msg(0xb0, "\x00\x02\x00\x11")}),
			[]string{`"topics":["a"]`, `"reason_codes":[17]`}},
		{"ping", []piece{{up, "\xc0\x00"}, {down, "\xd0\x00"}}, []string{`"pingreq"`, `"pingresp"`, "unintroduced_message"}},
		{"lonely answers", append(intro, piece{down, msg(0x40, "\x00\x07")}, piece{down, msg(0x90, "\x00\x07\x00")}, piece{down, msg(0xb0, "\x00\x07")}, piece{down, connack4}),
			[]string{"missing_publish", "missing_subscribe", "missing_unsubscribe", "missing_connect"}},
		{"twice", append(intro, piece{up, connect4}), []string{"double_connect"}},
		{"quality 3", append(intro, piece{up, msg(0x36, text("t")+"\x00\x01x")}), []string{"invalid_qos_level"}},
		{"type 0", append(intro, piece{up, "\x00\x00"}), []string{"unassigned_msg_type"}},
		{"cut short", append(intro, piece{up, msg(0x82, "\x00\x01\x00\x09abc")}), []string{"malformed_traffic"}},
		{"long", append(intro, piece{up, msg(0x30, text("t")+strings.Repeat("x", 4000))}), []string{`"truncated":true,"skipped_length":4006`}},
		{"long string", append(intro, piece{up, msg(0x30, text("t")+strings.Repeat("x", 80))}), []string{`x[truncated 30 additional bytes]"`}},
		{"many properties", append(intro5, piece{up, msg(0xe0, "\x00\x8e\x0e"+strings.Repeat("\x26"+text("k")+text("v"), 258))}), []string{"too_many_properties"}},
	} {
		for _, size := range []int{0, 1, 5} {
			got := records(t, run(t, prototest.Settings{"max-msg-length": "3000", "eve.mqtt.string-log-limit": "50"}, size, c.in...))
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("%s, pieces of %d:\n%s lacks %s", c.name, size, got, w)
				}
			}
		}
	}
}

func TestSettings(t *testing.T) {
	got := records(t, run(t, prototest.Settings{"eve.mqtt.passwords": "no"}, 0, piece{up, connect4}))
	if strings.Contains(got, "secret") || !strings.Contains(got, "joe") {
		t.Errorf("password shown: %s", got)
	}
	var ps []piece
	for i := range 20 {
		ps = append(ps, piece{up, msg(0x32, text("t")+string([]byte{0, byte(i)})+"x")})
	}
	if got := records(t, run(t, prototest.Settings{"max-tx": "5"}, 0, ps...)); !strings.Contains(got, "too_many_transactions") {
		t.Errorf("no event: %s", got)
	}
	ps = []piece{{up, msg(0x34, text("t")+"\x00\x01x")}}
	for range 20 {
		ps = append(ps, piece{down, msg(0x50, "\x00\x01")})
	}
	if got := records(t, run(t, prototest.Settings{"max-messages": "5"}, 0, ps...)); !strings.Contains(got, "too_many_messages") {
		t.Errorf("no event: %s", got)
	}
}

func TestKeywords(t *testing.T) {
	p := mqtt.Protocol()
	r := prototest.NewRunner(prototest.Table(t, nil, p), proto.Hint{DstPort: 1883})
	var tx proto.Tx
	r.OnTx = func(_ *proto.Conn, x proto.Tx, _ proto.Dir) { tx = x }
	r.Feed(prototest.Chunk{Dir: up, Data: []byte(connect4)}, 0)
	r.Feed(prototest.Chunk{Dir: down, Data: []byte(connack4)}, 0)
	for name, want := range map[string]string{"mqtt.connect.clientid": "cli", "mqtt.connect.username": "joe", "mqtt.connect.password": "secret",
		"mqtt.connect.willtopic": "will/t", "mqtt.connect.willmessage": "bye", "mqtt.connect.protocol_string": "MQTT"} {
		if b, _ := prototest.Field(p, name).Get(nil, tx, up, 0); string(b) != want {
			t.Errorf("%s: %q, want %q", name, b, want)
		}
	}
	for _, c := range []struct {
		name, arg string
		ok, want  bool
	}{
		{"mqtt.flags", "!dup", true, true}, {"mqtt.flags", "dup", true, false}, {"mqtt.flags", "qos", false, false}, {"mqtt.flags", "", false, false},
		{"mqtt.connect.flags", "username,password,!will_retain", true, true}, {"mqtt.connect.flags", "will_retain", true, false},
		{"mqtt.connect.flags", "0xc6", true, true}, {"mqtt.connect.flags", ">200", true, false}, {"mqtt.connect.flags", "190-200", true, true},
		{"mqtt.qos", "0", true, true}, {"mqtt.qos", "1", true, false}, {"mqtt.qos", "3", false, false},
	} {
		m, err := prototest.Field(p, c.name).Compile(c.arg)
		if (err == nil) != c.ok || err == nil && m(nil, tx, up) != c.want {
			t.Errorf("%s:%s: %v, want %v", c.name, c.arg, err, c.want)
		}
	}
	if v, ok := prototest.Field(p, "mqtt.type").Uint(nil, tx, up, 1); !ok || v != uint64(mqtt.Connack) {
		t.Errorf("second message is of type %d", v)
	}
}

func TestProbe(t *testing.T) {
	p, std, other := mqtt.Protocol(), proto.Hint{DstPort: 1883}, proto.Hint{DstPort: 9999}
	for _, c := range []struct {
		dir  proto.Dir
		in   string
		h    proto.Hint
		want proto.Match
	}{
		{up, connect4, other, proto.Yes}, {up, connect4[:5], other, proto.More}, {up, "\x10\x00\x00\x00", other, proto.No}, {up, "\xc0\x00", other, proto.No},
		{up, "\xc0\x00", std, proto.Yes}, {down, connack4, std, proto.Yes}, {down, connack4, other, proto.More}, {up, "GET / HTTP/1.1\r\n", std, proto.No}, {up, "\x16\x03\x01\x02", std, proto.No},
	} {
		if got := p.Probe(c.dir, []byte(c.in), c.h); got != c.want {
			t.Errorf("%q: %v, want %v", c.in, got, c.want)
		}
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces. In pieces a transaction that waits may be
// logged later than the ones behind it.
func FuzzStream(f *testing.F) {
	f.Add([]byte(msg(0x82, "\x00\x01"+text("a")+"\x01")+msg(0x32, text("t")+"\x00\x07hello")), []byte(msg(0x90, "\x00\x01\x01")+msg(0x40, "\x00\x07")), uint8(3), false)
	f.Add([]byte(msg(0xa2, "\x00\x02\x00"+text("a"))+msg(0xe0, "\x04\x05\x1f"+text("ab"))), []byte(msg(0xb0, "\x00\x02\x00\x11")), uint8(3), true)
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8, v5 bool) {
		if len(a)+len(b) > 1<<14 {
			t.Skip()
		}
		c, answer := connect4, connack4
		if v5 {
			c, answer = connect5, connack5
		}
		one := func(size int) string {
			r := run(t, prototest.Settings{"max-msg-length": "300"}, size, piece{up, c}, piece{down, answer}, piece{down, string(b)}, piece{up, string(a)})
			lines := strings.Split(records(t, r), "\n")
			slices.Sort(lines)
			return strings.Join(lines, "\n")
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
