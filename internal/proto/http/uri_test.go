package http_test

import "testing"

// What http.uri shows of a target under the IDS personality. The expectations were
// compared with Suricata 8.0.
func TestURI(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"/a%20b", "/a b"}, {"/a+b?c+d=e%2Bf", "/a+b?c+d=e+f"},
		{"/a%2fb", "/a/b"}, {"/a%5cb", "/a/b"}, {"/a\\b", "/a/b"}, {"/a\\\\b//c", "/a/b/c"},
		{"/%2e%2e/x", "/x"}, {"/a/b/../../c", "/c"}, {"/./a/.", "/a"}, {"/a/..", ""}, {"/a/...//b", "/a/.../b"}, {"../x", "x"}, {"/a%2f..%2fb", "/b"},
		{"/%u0041%u0142", "/Al"}, {"/%u", "/%u"}, {"/%uff0f", "/"}, {"/%zz", "/%zz"}, {"/%4", "/%4"}, {"/%%41", "/%A"}, {"/%2541", "/%41"},
		{"/a?%2541%zz%u0041", "/a?%41%zzA"}, {"/a?b//c/../d", "/a?b//c/../d"}, {"/a?%5c", "/a?\\"}, {"/a#%41", "/a#A"},
		{"/%c3%a9", "/\xe9"}, {"/%c0%af", "//"}, {"/%e0%80%af", "//"}, {"/%e2%82%ac", "/?"},
		{"/%00a", "/\x00a"}, {"/AbC", "/AbC"}, {"/%0d%0a", "/\r\n"}, {"/%3f?x", "/??x"}, {"/%23#y", "/##y"},
		{"http://h/x", "/x"}, {"http://h", ""}, {"http:h/x", "/x"},
	} {
		s := only(t, nil, q("GET "+c.target+" HTTP/1.1\r\nHost: h\r\n\r\n"), a(ok0))
		if got := s.buf["http.uri>"]; got != c.want {
			t.Errorf("%q shows as %q, want %q", c.target, got, c.want)
		}
		if got := s.buf["http.uri.raw>"]; got != c.target {
			t.Errorf("raw %q, want %q", got, c.target)
		}
	}
}

func TestURIOptions(t *testing.T) {
	for _, c := range []struct{ key, value, target, want string }{
		{"personality", "Minimal", "/a\\b//c", "/a\\b//c"},
		{"personality", "Apache_2", "/a\\b//c", "/a\\b/c"},
		{"path-convert-lowercase", "yes", "/AbC", "/abc"},
		{"query-plusspace-decode", "yes", "/a+b?c+d", "/a+b?c d"},
		{"double-decode-path", "yes", "/%2541", "/A"},
		{"double-decode-query", "yes", "/?%2541", "/?A"},
		{"uri-include-all", "yes", "http://u:p@h:81/x?y", "http://u:p@h:81/x?y"},
		{"path-url-encoding-invalid-handling", "remove_percent", "/%zz", "/zz"},
		{"path-nul-encoded-terminates", "yes", "/a%00b", "/a"},
		{"path-separators-compress", "no", "/a//b", "/a//b"},
		{"path-convert-backslash-separators", "no", "/a\\b", "/a\\b"},
	} {
		s := only(t, set(c.key, c.value), q("GET "+c.target+" HTTP/1.1\r\nHost: h\r\n\r\n"), a(ok0))
		if got := s.buf["http.uri>"]; got != c.want {
			t.Errorf("%s=%s: %q shows as %q, want %q", c.key, c.value, c.target, got, c.want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for _, s := range []map[string]string{
		set("personality", "nobody"), set("meta-field-limit", "0"), set("response-body-decompress-layer-limit", "99"),
		set("response-body-limit", "-1"), set("path-url-encoding-invalid-handling", "guess"),
	} {
		if err := configure(s); err == nil {
			t.Errorf("%v is taken", s)
		}
	}
	if err := configure(set("personality", "iis_7_0")); err != nil {
		t.Error(err)
	}
}
