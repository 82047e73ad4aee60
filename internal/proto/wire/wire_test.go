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
