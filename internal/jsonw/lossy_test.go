package jsonw_test

import (
	"testing"

	"mirador/internal/jsonw"
)

func TestLossy(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`},
		{"abc", `"abc"`},
		{"caf\xc3\xa9", `"café"`},
		{"\xff\xfe", "\"\ufffd\ufffd\""},
		{"a\xe2\x82b", "\"a\ufffdb\""},             // a rune that does not go on
		{"\xf0\x9f\x98", "\"\ufffd\""},             // the end in the middle of one
		{"\xe0\x80\x80", "\"\ufffd\ufffd\ufffd\""}, // too long a form
		{"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""}, // a surrogate
		{"\xc3", "\"\ufffd\""},
	} {
		var w jsonw.Writer
		w.LossyValue([]byte(c.in))
		if got := string(w.Buf); got != c.want {
			t.Errorf("%q is written as %s, want %s", c.in, got, c.want)
		}
	}
}
