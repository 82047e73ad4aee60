package rfb_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"mirador/internal/proto"
	"mirador/internal/proto/prototest"
	"mirador/internal/proto/rfb"
)

const (
	up   = proto.ToServer
	down = proto.ToClient
)

type piece struct {
	dir  proto.Dir
	data string
}

func text(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

const pixels = "\x03\x20\x02\x58\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00"

func run(tb testing.TB, size int, ps ...piece) *prototest.Runner {
	tb.Helper()
	r := prototest.NewRunner(prototest.Table(tb, prototest.Settings{"max-string-length": "64"}, rfb.Protocol()), proto.Hint{SrcPort: 4000, DstPort: 5900})
	for _, p := range ps {
		r.Feed(prototest.Chunk{Dir: p.dir, Data: []byte(p.data)}, size)
	}
	r.Finish()
	return r
}

var challenge = strings.Repeat("c", 16)

// vnc is a session of version minor with a password, up to the result.
func vnc(minor, result string) []piece {
	v := "RFB 003.00" + minor + "\n"
	ps := []piece{{down, v}, {up, v}}
	if minor == "3" {
		ps = append(ps, piece{down, "\x00\x00\x00\x02"})
	} else {
		ps = append(ps, piece{down, "\x02\x01\x02"}, piece{up, "\x02"})
	}
	return append(ps, piece{down, challenge}, piece{up, strings.Repeat("r", 16)}, piece{down, result})
}

func TestSessions(t *testing.T) {
	shared := []piece{{up, "\x01"}, {down, pixels + text("desk")}, {up, "events"}, {down, "pixels"}}
	const ok = "\x00\x00\x00\x00"
	for _, c := range []struct {
		name   string
		in     []piece
		want   []string // parts of the record
		not    string
		events string
	}{
		{"3.3", append(vnc("3", ok), shared...), []string{`"security_type":2`, `"security_result":"OK"`, `"name":"desk"`, `"width":800,"height":600`, `"screen_shared":true`}, "reason", ""},
		{"3.7", append(vnc("7", ok), shared...), []string{`"minor":"007"`, `"challenge":"63636363`, `"name":"desk"`}, "reason", ""},
		{"3.8 refused", vnc("8", "\x00\x00\x00\x01"+text("bad password")), []string{`"security_result":"FAIL"`, `"server_security_failure_reason":"bad password"`}, "framebuffer", ""},
		{"unknown result", vnc("8", "\x00\x00\x00\x07"), []string{"UNKNOWN (7)"}, "framebuffer", "unknown_security_result"},
		{"long name", append(vnc("8", ok), piece{up, "\x00"}, piece{down, pixels + text(strings.Repeat("n", 500))}), []string{`"name":"` + strings.Repeat("n", 64) + `"`}, "reason", "too_long_string"},
		{"other security", []piece{{down, "RFB 003.008\n"}, {up, "RFB 003.008\n"}, {down, "\x01\x13"}, {up, "\x13"}, {down, "xxxx"}}, []string{`"security_type":19`}, "vnc", "unimplemented_security_type"},
		{"no types", []piece{{down, "RFB 003.008\n"}, {up, "RFB 003.008\n"}, {down, "\x00" + text("no")}}, []string{`"authentication":{}`, `reason":"no"`}, "security_type", ""},
	} {
		for _, size := range []int{0, 1, 7} {
			r := run(t, size, c.in...)
			if len(r.Records) != 1 {
				t.Fatalf("%s: %d records", c.name, len(r.Records))
			}
			got := r.Records[0]
			for _, w := range c.want {
				if !strings.Contains(got.JSON, w) {
					t.Errorf("%s, pieces of %d: %s lacks %s", c.name, size, got.JSON, w)
				}
			}
			if strings.Contains(got.JSON, c.not) || strings.Join(got.Events, " ") != c.events {
				t.Errorf("%s, pieces of %d: %s %q, want no %s and %q", c.name, size, got.JSON, got.Events, c.not, c.events)
			}
		}
	}
}

func TestProbe(t *testing.T) {
	for in, want := range map[string]proto.Match{"R": proto.More, "RFB 003.": proto.More, "RFB 003.008\n": proto.Yes, "RFB 0x3.008\n": proto.No, "RTSP": proto.No} {
		if got := rfb.Protocol().Probe(down, []byte(in), proto.Hint{}); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

// FuzzStream checks that any bytes of both sides give valid JSON, and the same
// whether they come at once or in pieces.
func FuzzStream(f *testing.F) {
	f.Add([]byte("\x02"+strings.Repeat("r", 16)+"\x01"), []byte("\x02\x01\x02"+challenge+"\x00\x00\x00\x00"+pixels+text("desk")), uint8(3), uint8('8'))
	f.Add([]byte("\x01"), []byte("\x00\x00\x00\x01"+pixels+text("desk")), uint8(1), uint8('3'))
	f.Add([]byte("\x02"), []byte("\x00"+text("no types")), uint8(1), uint8('7'))
	f.Fuzz(func(t *testing.T, a, b []byte, size, minor uint8) {
		v := "RFB 003.00" + string(rune('0'+minor%10)) + "\n"
		one := func(size int) string {
			r := run(t, size, piece{down, v}, piece{up, v}, piece{down, string(b)}, piece{up, string(a)})
			out := ""
			for i := range r.Records {
				r.Records[i].Map(t)
				out += r.Records[i].JSON + strings.Join(r.Records[i].Events, " ")
			}
			return out
		}
		if whole, cut := one(0), one(int(size)+1); whole != cut {
			t.Fatalf("pieces of %d give\n%s\nthe whole gives\n%s", int(size)+1, cut, whole)
		}
	})
}
