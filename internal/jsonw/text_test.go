package jsonw_test

import (
	"encoding/json"
	"testing"

	"mirador/internal/jsonw"
)

func TestText(t *testing.T) {
	cases := []struct{ in, want string }{
		{"plain", "plain"},
		{"John\u2019s", "John\u2019s"},
		{"VACKD\x03\xc5\xe9\x01", "VACKD\x03\\xc5\\xe9\x01"},
		{"a\"\\\xff", "a\"\\\\xff"},
		{"", ""},
	}
	for _, c := range cases {
		var w jsonw.Writer
		w.Open()
		w.Text("k", []byte(c.in))
		w.Close()
		var got struct{ K string }
		if err := json.Unmarshal(w.Buf, &got); err != nil {
			t.Fatalf("Text(%q) wrote %s: %v", c.in, w.Buf, err)
		}
		if got.K != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.in, got.K, c.want)
		}
	}
}
