package http_test

import (
	"strings"
	"testing"
)

const (
	get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
	ok0 = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
)

func TestRequestLine(t *testing.T) {
	for _, c := range []struct {
		line                        string
		method, raw, protocol, have string
	}{
		{"GET /a HTTP/1.1", "GET", "/a", "HTTP/1.1", ""},
		{"GET  /a  HTTP/1.1", "GET", "/a", "HTTP/1.1", ""},
		{"GET /a b c HTTP/1.0", "GET", "/a b c", "HTTP/1.0", ""},
		{"GET\t/a\tHTTP/1.1", "GET", "/a", "HTTP/1.1", "METHOD_DELIM_NON_COMPLIANT URI_DELIM_NON_COMPLIANT"},
		{" GET /a HTTP/1.1", "GET", "/a", "HTTP/1.1", "REQUEST_LINE_LEADING_WHITESPACE"},
		{"get /a HTTP/1.1", "get", "/a", "HTTP/1.1", ""},
		{"FOO /a BAR/1", "FOO", "/a", "BAR/1", "REQUEST_LINE_UNKNOWN_METHOD_INVALID_PROTOCOL"},
		{"GET /a HTTP/ 1.1", "GET", "/a HTTP/", "1.1", ""},
		{"GET /a http/01.1", "GET", "/a", "http/01.1", "PROTOCOL_CONTAINS_EXTRA_DATA"},
		{"GET http://u:p@x.y:81/a?b#c HTTP/1.1", "GET", "http://u:p@x.y:81/a?b#c", "HTTP/1.1", "HOST_HEADER_AMBIGUOUS"},
	} {
		s := only(t, nil, q(c.line+"\r\nHost: h\r\n\r\n"), a(ok0))
		for _, v := range []struct{ name, want string }{
			{"http.method>", c.method}, {"http.uri.raw>", c.raw}, {"http.protocol>", c.protocol}, {"http.request_line>", c.line},
		} {
			if got := s.buf[v.name]; got != v.want {
				t.Errorf("%q: %s = %q, want %q", c.line, v.name, got, v.want)
			}
		}
		if s.events != c.have {
			t.Errorf("%q: events %q, want %q", c.line, s.events, c.have)
		}
	}
}

func TestHTTP09(t *testing.T) {
	s := run(t, nil, q("GET /old\r\n"), a("<html>no head</html>"))
	if len(s) != 1 || s[0].buf["http.response_body<"] != "<html>no head</html>" || s[0].buf["http.uri>"] != "/old" {
		t.Errorf("0.9: %+v", s)
	}
	s = run(t, nil, q("GET /not\r\nHost: x\r\n\r\n"), a(ok0))
	if len(s) != 1 || s[0].events != "REQUEST_LINE_MISSING_PROTOCOL" || s[0].buf["http.host>"] != "x" {
		t.Errorf("headers behind a line without version: %+v", s)
	}
}

func TestHost(t *testing.T) {
	for _, c := range []struct{ target, header, host, raw, events string }{
		{"/", "Example.COM", "example.com", "Example.COM", ""},
		{"/", "x.com:8080", "x.com", "x.com:8080", ""},
		{"/", "[2001:DB8::1]:80", "[2001:db8::1]", "[2001:DB8::1]:80", ""},
		{"/", "", "", "", ""},
		{"/", "a b", "a b", "a b", "REQUEST_HEADER_HOST_INVALID"},
		{"/", "x:y", "x", "x:y", "REQUEST_HEADER_HOST_INVALID"},
		{"http://A.b/", "a.b", "a.b", "a.b", ""},
		{"http://a.b/", "c.d", "a.b", "a.b", "HOST_HEADER_AMBIGUOUS"},
		{"http://a.b:81/", "a.b:82", "a.b", "a.b", "HOST_HEADER_AMBIGUOUS"},
	} {
		s := only(t, nil, q("GET "+c.target+" HTTP/1.1\r\nHost: "+c.header+"\r\n\r\n"), a(ok0))
		if s.buf["http.host>"] != c.host || s.buf["http.host.raw>"] != c.raw || s.events != c.events {
			t.Errorf("%s with Host %q: host %q raw %q events %q, want %q %q %q", c.target, c.header,
				s.buf["http.host>"], s.buf["http.host.raw>"], s.events, c.host, c.raw, c.events)
		}
	}
	if s := only(t, nil, q("GET / HTTP/1.1\r\n\r\n"), a(ok0)); s.events != "MISSING_HOST_HEADER" {
		t.Errorf("no Host: %q", s.events)
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		name, block string // of a response
		header      string
		events      string
	}{
		{"plain", "A: b\r\nC: d\r\n\r\n", "A: b\r\nC: d\r\n", ""},
		{"bare LF", "A: b\nC: d\n\n", "A: b\r\nC: d\r\n", ""},
		{"bare CR", "A: b\rC: d\r\r", "A: b\r\nC: d\r\n", ""},
		{"LFCR", "A: b\n\rC: d\n\r\n\r", "A: b\r\nC: d\r\n", ""},
		{"folded", "A: b\r\n c\r\n\r\n", "A: b c\r\n", ""},
		{"repeated", "A: b\r\na: c\r\n\r\n", "A: b, c\r\n", "RESPONSE_HEADER_REPETITION"},
		{"two repeated", "A: b\r\nC: d\r\nA: c\r\nC: e\r\nA: d\r\n\r\n", "A: b, c, d\r\nC: d, e\r\n", "RESPONSE_HEADER_REPETITION RESPONSE_HEADER_REPETITION"},
		{"no colon", "A: b\r\njunk\r\n\r\n", "A: b\r\n: junk\r\n", "RESPONSE_FIELD_MISSING_COLON"},
		{"blank before colon", "A : b\r\n\r\n", "A: b\r\n", "RESPONSE_INVALID_LWS_AFTER_NAME"},
		{"no token", "A(: b\r\n\r\n", "A(: b\r\n", "RESPONSE_HEADER_NAME_NOT_TOKEN"},
		{"cookie kept out", "Set-Cookie: x\r\nA: b\r\n\r\n", "A: b\r\n", ""},
	} {
		s := only(t, nil, q(get), a("HTTP/1.1 204 No\r\n"+c.block))
		if got := s.buf["http.header<"]; got != c.header || s.events != c.events {
			t.Errorf("%s: http.header %q events %q, want %q %q", c.name, got, s.events, c.header, c.events)
		}
	}
}

func TestHeaderBuffers(t *testing.T) {
	s := only(t, nil,
		q("POST /p?q HTTP/1.1\r\nHost: H\r\nUser-Agent: ua\r\nCookie: k=v\r\nReferer: r\r\nAccept: x\r\nContent-Length: 2\r\n\r\nhi"),
		a("HTTP/1.1 302 Moved on\r\nLocation: /l\r\nServer: s\r\nSet-Cookie: a=b\r\nContent-Type: t/x\r\nContent-Length: 3\r\n\r\nbye"))
	for name, want := range map[string]string{
		"http.uri>": "/p?q", "http.user_agent>": "ua", "http.cookie>": "k=v", "http.referer>": "r", "http.accept>": "x",
		"http.content_len>": "2", "http.request_body>": "hi", "file.data>": "hi",
		"http.header>":         "Host: H\r\nUser-Agent: ua\r\nReferer: r\r\nAccept: x\r\nContent-Length: 2\r\n",
		"http.header.raw>":     "Host: H\r\nUser-Agent: ua\r\nCookie: k=v\r\nReferer: r\r\nAccept: x\r\nContent-Length: 2\r\n\r\n",
		"http.header_names>":   "\r\nHost\r\nUser-Agent\r\nCookie\r\nReferer\r\nAccept\r\nContent-Length\r\n\r\n",
		"http.request_header>": "Host: H|User-Agent: ua|Cookie: k=v|Referer: r|Accept: x|Content-Length: 2",
		"http.stat_code<":      "302", "http.stat_msg<": "Moved on", "http.location<": "/l", "http.server<": "s",
		"http.cookie<": "a=b", "http.content_type<": "t/x", "http.content_len<": "3", "http.response_body<": "bye",
		"file.data<":            "bye",
		"http.response_line<":   "HTTP/1.1 302 Moved on\r\n",
		"http.header_names<":    "\r\nLocation\r\nServer\r\nSet-Cookie\r\nContent-Type\r\nContent-Length\r\n\r\n",
		"http.response_header<": "Location: /l|Server: s|Set-Cookie: a=b|Content-Type: t/x|Content-Length: 3",
	} {
		if got := s.buf[name]; got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(s.buf["http.start>"], "POST /p?q HTTP/1.1\r\nHost: H\r\n") || !strings.HasSuffix(s.buf["http.start>"], "2\r\n\r\n") {
		t.Errorf("http.start = %q", s.buf["http.start>"])
	}
}

func TestStatusLine(t *testing.T) {
	for _, c := range []struct{ line, code, msg, events string }{
		{"HTTP/1.1 200 OK", "200", "OK", ""},
		{"HTTP/1.1 200", "200", "", ""},
		{"HTTP/1.0  404   Not here ", "404", "Not here ", ""},
		{"HTTP/1.1 2000 OK", "2000", "OK", "RESPONSE_LINE_INVALID_RESPONSE_STATUS"},
		{"HTTP/1.1 abc", "abc", "", "RESPONSE_LINE_INVALID_RESPONSE_STATUS"},
		{"HTTP/9.9 200 OK", "200", "OK", "RESPONSE_LINE_INVALID_PROTOCOL"},
		{"http/1.1 200 OK", "200", "OK", ""},
	} {
		s := only(t, nil, q(get), a(c.line+"\r\nContent-Length: 0\r\n\r\n"))
		if s.buf["http.stat_code<"] != c.code || s.buf["http.stat_msg<"] != c.msg || s.events != c.events {
			t.Errorf("%q: code %q msg %q events %q, want %q %q %q", c.line, s.buf["http.stat_code<"], s.buf["http.stat_msg<"], s.events, c.code, c.msg, c.events)
		}
	}
}

func TestContinue(t *testing.T) {
	s := only(t, nil,
		q("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"), a("HTTP/1.1 100 Continue\r\nA: b\r\n\r\n"),
		q("hi"), a("HTTP/1.1 200 OK\r\nC: d\r\nContent-Length: 0\r\n\r\n"))
	if s.events != "" || s.buf["http.stat_code<"] != "200" || strings.Contains(s.buf["http.header<"], "A: b") || s.buf["http.request_body>"] != "hi" {
		t.Errorf("behind a 100 Continue: %+v", s)
	}
	two := only(t, nil, q(get), a("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"+ok0))
	if two.events != "100_CONTINUE_ALREADY_SEEN" {
		t.Errorf("two of them: %q", two.events)
	}
}

func TestPairs(t *testing.T) {
	s := run(t, nil, q(get+strings.Replace(get, "/a", "/b", 1)+strings.Replace(get, "/a", "/c", 1)), a(ok0+strings.Replace(ok0, "200 OK", "404 No", 1)))
	if len(s) != 3 {
		t.Fatalf("%d transactions, want 3", len(s))
	}
	for i, want := range []string{"/a 200", "/b 404", "/c "} {
		if got := s[i].buf["http.uri>"] + " " + s[i].buf["http.stat_code<"]; got != want {
			t.Errorf("pair %d is %q, want %q", i, got, want)
		}
	}
	s = run(t, nil, a(ok0))
	if len(s) != 1 || s[0].events != "UNABLE_TO_MATCH_RESPONSE_TO_REQUEST" || s[0].buf["http.stat_code<"] != "200" ||
		!strings.Contains(s[0].json, "request_uri_not_seen") {
		t.Errorf("response without request: %+v", s)
	}
}

func TestTunnels(t *testing.T) {
	connect := "CONNECT x.y:443 HTTP/1.1\r\nHost: x.y:443\r\n\r\n"
	for _, c := range []struct {
		name  string
		flow  []part
		count int
	}{
		{"refused", parts(q(connect), a("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), q(get), a(ok0)), 2},
		{"accepted", parts(q(connect), a("HTTP/1.1 200 Ok\r\n\r\n"), q("\x16\x03\x01...."), a("\x16\x03\x01....")), 1},
		{"http within", parts(q(connect), a("HTTP/1.1 200 Ok\r\n\r\n"), q(get), a(ok0)), 2},
		{"other upgrade", parts(q(get), a("HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n"), q("abc"), a("def")), 1},
	} {
		s := run(t, nil, c.flow...)
		if len(s) != c.count {
			t.Errorf("%s: %d transactions, want %d", c.name, len(s), c.count)
		}
	}
}

func TestTrailer(t *testing.T) {
	s := only(t, nil, q(get), a("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nLate: x\r\n\r\n"))
	if s.buf["http.response_body<"] != "abc" || !strings.Contains(s.buf["http.header<"], "Late: x\r\n") ||
		!strings.HasSuffix(s.buf["http.header.raw<"], "Late: x\r\n\r\n") {
		t.Errorf("trailer: %+v", s)
	}
}
