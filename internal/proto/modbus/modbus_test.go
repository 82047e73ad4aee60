package modbus_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/modbus"
	"mirador/internal/proto/prototest"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

func message(id, protocol uint16, pdu string) string {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, protocol)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pdu)+1))
	return string(append(b, 17)) + pdu
}

type piece struct {
	dir  proto.Dir
	data string
}

func run(tb testing.TB, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, prototest.Settings{"enabled": "yes"}, modbus.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 502})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

const read = "\x01\x00\x13\x00\x25"

// The expectations are what Suricata 8.0.7 does with the same bytes.
func TestEvents(t *testing.T) {
	m := func(pdu string) string { return message(1, 0, pdu) }
	for _, c := range []struct {
		name string
		in   []piece
		want string // events of each transaction
	}{
		{"good", []piece{{up, m(read)}, {down, m("\x01\x05abcde")}}, ""},
		{"protocol", []piece{{up, m(read)}, {up, message(1, 5, read)}}, "invalid_protocol_id;"},
		{"unsolicited", []piece{{up, m(read)}, {down, message(9, 0, "\x01\x05abcde")}}, "unsolicited_response;"},
		{"other function", []piece{{up, m(read)}, {down, m("\x03\x02ab")}}, "unsolicited_response;"},
		{"cut", []piece{{up, m("\x01\x00\x13")}}, "invalid_length"},
		{"longer", []piece{{up, m(read + "x")}}, "invalid_length"},
		{"no quantity", []piece{{up, m("\x01\x00\x13\x00\x00")}}, "invalid_value"},
		{"coil", []piece{{up, m("\x05\x00\x13\x12\x34")}}, "invalid_value"},
		{"count", []piece{{up, m("\x10\x00\x01\x00\x02\x05\x00\x0a\x01\x02")}}, "invalid_length invalid_value"},
		{"exception", []piece{{up, m(read)}, {down, m("\x81\x02")}}, ""},
		{"unknown exception", []piece{{up, m(read)}, {down, m("\x81\x0c")}}, "invalid_exception_code"},
		{"mismatch", []piece{{up, m("\x03\x00\x6b\x00\x03")}, {down, m("\x03\x04abcd")}}, "value_mismatch"},
		{"echo", []piece{{up, m("\x05\x00\xac\xff\x00")}, {down, m("\x05\x00\xad\xff\x00")}}, "value_mismatch"},
		{"length 1", []piece{{up, m(read)}, {up, m("") + "x"}}, ";invalid_length"},
	} {
		for _, size := range []int{0, 1, 5} {
			var got []string
			for _, rec := range run(t, size, c.in...).Records {
				got = append(got, strings.Join(rec.Events, " "))
			}
			if s := strings.Join(got, ";"); s != c.want {
				t.Errorf("%s, pieces of %d: got %q, want %q", c.name, size, s, c.want)
			}
		}
	}
	r := run(t, 0, piece{up, strings.Repeat(m(read), 501)})
	if n := len(r.Records); n != 501 || strings.Join(r.Records[500].Events, " ") != "flooded" || len(r.Records[499].Events) != 0 {
		t.Errorf("flood: %d records", n)
	}
}

func TestKeyword(t *testing.T) {
	compile := prototest.Field(modbus.Protocol(), "modbus").Compile
	for _, c := range []struct {
		arg, pdu string
		want     bool
	}{
		{"function 1", read, true}, {"function 2", read, false}, {"function assigned", read, true}, {"function !assigned", read, false},
		{"function public", read, true}, {"function reserved", "\x2b\x01", true}, {"function assigned", "\x09\x00", true}, {"function all", read, true},
		{"function 8, subfunction 4", "\x08\x00\x04\x00\x00", true}, {"function 8, subfunction 5", "\x08\x00\x04\x00\x00", false},
		{"unit 17", read, true}, {"unit >17", read, false}, {"unit 10<>20, function 1", read, true}, {"unit 17, access write", read, false},
		{"access read", read, true}, {"access read coils", read, true}, {"access read holding", read, false},
		{"access read coils, address 20", read, true}, {"access read coils, address 56", read, true}, {"access read coils, address 57", read, false},
		{"access read coils, address <20", read, false}, {"access read coils, address >55", read, true}, {"access read coils, address 1<>21", read, true},
		{"access write holding, address 2, value 10", "\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02", true},
		{"access write holding, address 3, value 10", "\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02", false},
		{"access write holding, address 2, value >200", "\x06\x00\x01\x01\x00", true},
		{"access write coils, address 2, value 1", "\x05\x00\x01\xff\x00", true},
		{"access write coils, address 21, value 0", "\x0f\x00\x13\x00\x0a\x02\xcd\x01", true},
	} {
		m, err := compile(c.arg)
		if err != nil {
			t.Errorf("%s: %v", c.arg, err)
			continue
		}
		if got := m(nil, run(t, 0, piece{up, message(1, 0, c.pdu)}).Records[0].Tx, up); got != c.want {
			t.Errorf("%s on %x: %v, want %v", c.arg, c.pdu, got, c.want)
		}
	}
	for _, arg := range []string{"", "function", "function x", "access", "access write input", "access read, address 1", "subfunction 1",
		"access read coils, address 1, value 1", "unit x", "function 1, access read", "access read coils, address 5<>3"} {
		if _, err := compile(arg); err == nil {
			t.Errorf("%q is accepted", arg)
		}
	}
}

func TestProbe(t *testing.T) {
	m := message(1, 0, read)
	for _, c := range []struct {
		in   string
		port uint16
		want proto.Match
	}{{m, 502, proto.Yes}, {m[:5], 502, proto.More}, {m, 503, proto.No}, {message(1, 1, read), 502, proto.No}, {message(1, 0, "\x40ab"), 502, proto.No}} {
		if got := modbus.Protocol().Probe(up, []byte(c.in), proto.Hint{DstPort: c.port}); got != c.want {
			t.Errorf("%x to %d: %v, want %v", c.in, c.port, got, c.want)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(message(1, 0, read)+message(2, 0, "\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02")), []byte(message(1, 0, "\x01\x05abcde")), uint8(2))
	tab := prototest.Table(f, prototest.Settings{"enabled": "yes"}, modbus.Protocol())
	m, err := prototest.Field(modbus.Protocol(), "modbus").Compile("access write holding, address >1, value <100")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8) {
		if len(a) > 1<<12 || len(b) > 1<<12 {
			t.Skip()
		}
		run := func(size int) string {
			r := prototest.NewRunner(tab, proto.Hint{SrcPort: 4000, DstPort: 502})
			// The protocol is found in an ordinary exchange: how probing ends is not a
			// matter of this parser.
			r.Feed(prototest.Chunk{Dir: up, Data: []byte(message(9, 0, read))}, 0)
			r.Feed(prototest.Chunk{Dir: down, Data: []byte(message(9, 0, "\x01\x01a"))}, 0)
			r.Feed(prototest.Chunk{Dir: up, Data: a}, size)
			r.Feed(prototest.Chunk{Dir: down, Data: b}, size)
			r.Finish()
			// In pieces a request that waits may be logged later than what is behind it.
			var out []string
			for _, rec := range r.Records {
				m(nil, rec.Tx, up)
				out = append(out, strings.ReplaceAll(strings.Join(rec.Events, " "), "flooded", ""))
			}
			slices.Sort(out)
			return strings.Join(out, ";")
		}
		if whole, cut := run(0), run(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give %s, the whole gives %s", int(size)+1, cut, whole)
		}
	})
}
