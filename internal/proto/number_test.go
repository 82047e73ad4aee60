package proto_test

import (
	"testing"

	"mirador/internal/proto"
)

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		arg      string
		yes, not []uint64
	}{
		{"5", []uint64{5}, []uint64{4}}, {" =0x05 ", []uint64{5}, []uint64{6}}, {"!5", []uint64{4}, []uint64{5}}, {"!= 5", []uint64{4}, []uint64{5}},
		{"<5", []uint64{4}, []uint64{5}}, {">5", []uint64{6}, []uint64{5}}, {"<=5", []uint64{5}, []uint64{6}}, {">= 5", []uint64{5}, []uint64{4}},
		{"5-8", []uint64{6, 7}, []uint64{5, 8}}, {"&0x80=0x80", []uint64{0x81}, []uint64{1}}, {"&0x80 = 0", []uint64{1}, []uint64{0x81}}, {"&3!=1", []uint64{2, 0}, []uint64{5}},
	} {
		match, ok := proto.ParseNumber(c.arg, 8)
		if !ok {
			t.Errorf("%q is refused", c.arg)
			continue
		}
		for _, v := range c.yes {
			if !match(v) {
				t.Errorf("%q does not match %d", c.arg, v)
			}
		}
		for _, v := range c.not {
			if match(v) {
				t.Errorf("%q matches %d", c.arg, v)
			}
		}
	}
	for _, arg := range []string{"", "x", "256", "-1", "8-5", "5-", "&8", "&8=", "&=1", "!&8=1", "<", "1,2"} {
		if _, ok := proto.ParseNumber(arg, 8); ok {
			t.Errorf("%q is taken", arg)
		}
	}
}

func TestParseFlags(t *testing.T) {
	names := map[string]uint8{"dup": 8, "retain": 1}
	for _, c := range []struct {
		arg  string
		v    uint8
		want bool
	}{
		{"dup", 8, true}, {"dup", 9, true}, {"dup", 1, false}, {"!dup", 1, true}, {"dup,!retain", 8, true}, {"dup,!retain", 9, false},
		{"dup retain", 9, true}, {" dup , retain ", 8, false}, {"8", 9, false}, {"&8=8", 9, true}, {"&8=0", 1, true},
	} {
		match, err := proto.ParseFlags(c.arg, names)
		if err != nil || match(c.v) != c.want {
			t.Errorf("%q on %d: want %v (%v)", c.arg, c.v, c.want, err)
		}
	}
	for _, arg := range []string{"", ",", "nosuch", "DUP", "dup,nosuch", "dup&retain", "dup,dup", "&8", "!&8=8"} {
		if _, err := proto.ParseFlags(arg, names); err == nil {
			t.Errorf("%q is taken", arg)
		}
	}
}
