package detect

import "testing"

// TestBase64 decodes what Suricata 8.0.7 was seen to decode.
func TestBase64(t *testing.T) {
	for _, c := range []struct{ in, lax, strict, skip string }{
		{"Z2FsdW50", "galunt", "galunt", "galunt"},
		{"Z2FsdW50\r\n", "galunt", "", "galunt"},
		{"Z2FsdW50!!!!AAAA", "galunt", "", "galunt\x00\x00\x00"},
		{"Z2Fs\r\ndW50", "gal", "", "galunt"},
		{"Z2FsdW5", "galun", "", "galun"},
		{"Z2FsdQ==", "galu", "galu", "galu"},
		{"Z2FsdQ==\r\n", "galu", "", "galu"},
		{"Z2FsdQ==AAAA", "galu", "", "galu"},
		{"Z2FsdW50=", "", "", "galunt"},
		{"Z2FsdW50====", "", "", ""},
		{"", "", "", ""},
	} {
		for mode, want := range map[base64Mode]string{base64Lax: c.lax, base64Strict: c.strict, base64Skip: c.skip} {
			if got := string(decodeBase64(nil, []byte(c.in), mode, 100)); got != want {
				t.Errorf("%q in mode %d: %q, want %q", c.in, mode, got, want)
			}
		}
	}
}
