package wire_test

import (
	"testing"

	"mirador/internal/proto/wire"
)

func TestReader(t *testing.T) {
	r := wire.Reader{B: []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12ab\x00c")}
	if r.U8() != 1 || r.LE16() != 0x302 || r.LE24() != 0x60504 || r.LE32() != 0x0a090807 || r.LE64() != 0x1211100f0e0d0c0b {
		t.Error("little-endian numbers are wrong")
	}
	if s := r.Zero(); string(s) != "ab" || r.Left() != 1 {
		t.Errorf("text %q, %d left", s, r.Left())
	}
	if r.LE32() != 0 || !r.Bad || r.Left() != 0 || r.U8() != 0 || r.Rest() != nil || r.Take(-1) != nil {
		t.Error("reading goes on behind the end")
	}
	r = wire.Reader{B: []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0cxy")}
	if r.BE32() != 0x01020304 || r.BE64() != 0x05060708090a0b0c {
		t.Error("big-endian numbers are wrong")
	}
	if r.Zero() != nil || !r.Bad {
		t.Error("text without an end")
	}
}

func TestBER(t *testing.T) {
	for _, c := range []struct {
		in         string
		hdr, total int
		ok         bool // an element may begin here
		body, rest string
	}{
		{"", 0, 0, true, "", ""},
		{"\x30", 0, 0, true, "", ""},
		{"\x30\x00", 2, 2, true, "", ""},
		{"\x30\x02abc", 2, 4, true, "ab", "c"},
		{"\x30\x02a", 2, 4, true, "", ""},
		{"\x30\x81\x02abc", 3, 5, true, "ab", "c"},
		{"\x30\x84\x00\x00\x00\x02abc", 6, 8, true, "ab", "c"},
		{"\x30\x84\x00\x00", 0, 0, true, "", ""},
		{"\x30\x84\xff\xff\xff\xffabc", 6, 6 + 0xffffffff, true, "", ""},
		{"\x30\x80abc", 0, 0, false, "", ""},                               // indefinite
		{"\x30\x85\x00\x00\x00\x00\x01a", 0, 0, false, "", ""},             // length of five bytes
		{"\x1f\x02ab", 0, 0, false, "", ""}, {"\xbf", 0, 0, false, "", ""}, // high tag numbers
	} {
		tag, hdr, total, ok := wire.BERHead([]byte(c.in))
		if hdr != c.hdr && total != 0 || total != c.total || ok != c.ok || total != 0 && tag != c.in[0] {
			t.Errorf("BERHead(%x) = %#x, %d, %d, %v", c.in, tag, hdr, total, ok)
		}
		whole := total != 0 && total <= len(c.in)
		_, body, rest, ok := wire.BER([]byte(c.in))
		if string(body) != c.body || string(rest) != c.rest || ok != whole {
			t.Errorf("BER(%x) = %q, %q, %v", c.in, body, rest, ok)
		}
	}
}

func TestLines(t *testing.T) {
	type step struct {
		data, line string
		used       int
		long, more bool
	}
	for _, c := range [][]step{
		{{"ab\ncd", "ab\n", 3, false, false}, {"cd", "", 0, false, true}, {"cd\r\n", "cd\r\n", 4, false, false}},
		{{"\n", "\n", 1, false, false}, {"", "", 0, false, true}},
		{{"1234567\n", "1234567\n", 8, true, false}, {"x\n", "x\n", 2, false, false}},
		{{"12345678", "12345678", 8, true, false}, {"90", "", 2, false, false}, {"9\nx\n", "", 2, false, false}, {"x\n", "x\n", 2, false, false}},
		{{"1234", "", 0, false, true}, {"12345678\n", "12345678", 8, true, false}, {"\n", "", 1, false, false}},
	} {
		var l wire.Lines
		for i, s := range c {
			line, used, long, more := l.Next([]byte(s.data), 8)
			if string(line) != s.line || (line == nil) != (s.line == "") || used != s.used || long != s.long || more != s.more {
				t.Errorf("step %d: Next(%q) = %q, %d, %v, %v", i, s.data, line, used, long, more)
			}
		}
	}
}
