package http2

import (
	"bytes"

	"mirador/internal/proto"
)

type getter = func(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool)

// of adapts f to a getter of one value.
func of(f func(t *Tx, m *message, dir proto.Dir) ([]byte, bool)) getter {
	return func(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
		t, ok := tx.(*Tx)
		if !ok || i > 0 {
			return nil, false
		}
		return f(t, &t.m[dir], dir)
	}
}

// named gets the values of one header field.
func named(name string) getter {
	return of(func(_ *Tx, m *message, _ proto.Dir) ([]byte, bool) { return m.all(name) })
}

// sides says in which directions a field exists.
const (
	inRequest  = 1
	inResponse = 2
	inBoth     = 3
)

func sticky(name, legacy, doc string, in int, get getter, aliases ...string) proto.Field {
	return proto.Field{Name: name, Legacy: legacy, Aliases: aliases, Doc: doc, ToServer: in&inRequest != 0,
		ToClient: in&inResponse != 0, MinProgress: [2]uint8{Headers, Headers}, Get: get}
}

func stream(name, legacy, doc string, in int, aliases ...string) proto.Field {
	f := sticky(name, legacy, doc, in, nil, aliases...)
	f.Stream, f.GetStream = true, getBody
	return f
}

// fields are the keywords of HTTP/2 and those it shares with HTTP/1. As in Suricata
// 8.0, http.response_header is HTTP/1's alone and http2.header_name the request's.
func fields() []proto.Field {
	host := of(func(t *Tx, m *message, _ proto.Dir) ([]byte, bool) { return m.host() })
	reqHdr := sticky("http.request_header", "", "each request header as Name: value", inRequest, getLine)
	nameOf := sticky("http2.header_name", "", "name of each request header", inRequest, getName)
	reqHdr.Multi, nameOf.Multi = true, true
	header := of(func(_ *Tx, m *message, _ proto.Dir) ([]byte, bool) { return m.headers() })
	file := stream("file.data", "", "files in requests, decoded bodies of responses", inBoth, "file_data")
	return append([]proto.Field{
		sticky("http.uri", "http_uri", "path and query", inRequest, named(":path")),
		sticky("http.uri.raw", "http_raw_uri", "path and query", inRequest, named(":path")),
		sticky("http.method", "http_method", "method of the request", inRequest, named(":method")),
		sticky("http.request_line", "", "what would be the first line of the request", inRequest, of(requestLine), "http_request_line"),
		sticky("http.protocol", "", "HTTP/2", inBoth, of(func(*Tx, *message, proto.Dir) ([]byte, bool) { return []byte("HTTP/2"), true }), "http_protocol"),
		sticky("http.stat_code", "http_stat_code", "status of the response", inResponse, named(":status")),
		sticky("http.stat_msg", "http_stat_msg", "text behind the status: none here", inResponse, of(func(*Tx, *message, proto.Dir) ([]byte, bool) { return nil, false })),
		sticky("http.response_line", "", "what would be the first line of the response", inResponse, of(responseLine), "http_response_line"),
		sticky("http.host", "http_host", "host of the request in lower case, without port", inRequest, host),
		sticky("http.host.raw", "http_raw_host", "authority of the request", inRequest, of(func(_ *Tx, m *message, _ proto.Dir) ([]byte, bool) { return m.authority() })),
		sticky("http.header", "http_header", "headers, one per line", inBoth, header),
		sticky("http.header.raw", "http_raw_header", "headers, one per line", inBoth, header),
		sticky("http.header_names", "", "names of the headers, each on a line", inBoth, of(func(_ *Tx, m *message, _ proto.Dir) ([]byte, bool) { return m.headerNames() }), "http_header_names"),
		reqHdr, nameOf,
		sticky("http.cookie", "http_cookie", "Cookie or Set-Cookie", inBoth, of(func(_ *Tx, m *message, dir proto.Dir) ([]byte, bool) {
			if dir == proto.ToServer {
				return m.all("cookie")
			}
			return m.all("set-cookie")
		})),
		sticky("http.user_agent", "http_user_agent", "User-Agent", inRequest, named("user-agent")),
		sticky("http.referer", "", "Referer", inRequest, named("referer"), "http_referer"),
		sticky("http.accept", "", "Accept", inRequest, named("accept"), "http_accept"),
		sticky("http.accept_enc", "", "Accept-Encoding", inRequest, named("accept-encoding"), "http_accept_enc"),
		sticky("http.accept_lang", "", "Accept-Language", inRequest, named("accept-language"), "http_accept_lang"),
		sticky("http.connection", "", "Connection", inBoth, named("connection"), "http_connection"),
		sticky("http.content_type", "", "Content-Type", inBoth, named("content-type"), "http_content_type"),
		sticky("http.content_len", "", "Content-Length", inBoth, named("content-length"), "http_content_len"),
		sticky("http.server", "", "Server", inResponse, named("server")),
		sticky("http.location", "", "Location", inResponse, named("location")),
		stream("http.request_body", "http_client_body", "decoded body of the request", inRequest),
		stream("http.response_body", "http_server_body", "decoded body of the response", inResponse),
		file,
	}, keywords()...)
}

// authority returns whom the request is for.
func (m *message) authority() ([]byte, bool) {
	if v, ok := m.value(":authority"); ok {
		return v, true
	}
	return m.value("host")
}

// host is the authority in lower case, without user information and port.
func (m *message) host() ([]byte, bool) {
	v, ok := m.authority()
	if !ok {
		return nil, false
	}
	if i := bytes.LastIndexByte(v, '@'); i >= 0 {
		v = v[i+1:]
	}
	if i := bytes.LastIndexByte(v, ':'); i >= 0 && bytes.IndexByte(v[i:], ']') < 0 {
		v = v[:i]
	}
	for _, c := range v {
		if c >= 'A' && c <= 'Z' {
			return bytes.ToLower(v), true
		}
	}
	return v, true
}

// headers is every field as "name: value" and CRLF.
func (m *message) headers() ([]byte, bool) {
	if len(m.fields) == 0 {
		return nil, false
	}
	m.fresh()
	if m.header == nil {
		for i := range m.fields {
			f := &m.fields[i]
			m.header = append(append(m.header, f.name...), ": "...)
			m.header = append(append(m.header, f.value...), "\r\n"...)
		}
	}
	return m.header, true
}

// headerNames is CRLF, then every name with CRLF, then CRLF.
func (m *message) headerNames() ([]byte, bool) {
	if len(m.fields) == 0 {
		return nil, false
	}
	m.fresh()
	if m.names == nil {
		m.names = append(m.names, "\r\n"...)
		for i := range m.fields {
			m.names = append(append(m.names, m.fields[i].name...), "\r\n"...)
		}
		m.names = append(m.names, "\r\n"...)
	}
	return m.names, true
}

func requestLine(_ *Tx, m *message, _ proto.Dir) ([]byte, bool) {
	m.fresh()
	if m.line == nil {
		method, _ := m.value(":method")
		path, _ := m.value(":path")
		m.line = append(append(m.line, method...), ' ')
		m.line = append(append(m.line, path...), " HTTP/2\r\n"...)
	}
	return m.line, true
}

func responseLine(_ *Tx, m *message, _ proto.Dir) ([]byte, bool) {
	m.fresh()
	if m.line == nil {
		status, _ := m.value(":status")
		m.line = append(append(m.line, "HTTP/2 "...), status...)
		m.line = append(m.line, "\r\n"...)
	}
	return m.line, true
}

// getLine returns the i-th field as "name: value".
func getLine(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok {
		return nil, false
	}
	m := &t.m[dir]
	m.fresh()
	if i >= len(m.fields) {
		return nil, false
	}
	for len(m.lines) <= i {
		f := &m.fields[len(m.lines)]
		b := append(make([]byte, 0, len(f.name)+2+len(f.value)), f.name...)
		m.lines = append(m.lines, append(append(b, ": "...), f.value...))
	}
	return m.lines[i], true
}

func getName(_ *proto.Conn, tx proto.Tx, dir proto.Dir, i int) ([]byte, bool) {
	t, ok := tx.(*Tx)
	if !ok || i >= len(t.m[dir].fields) {
		return nil, false
	}
	return t.m[dir].fields[i].name, true
}

// getBody returns the window of the body, which is a file.
func getBody(c *proto.Conn, tx proto.Tx, dir proto.Dir, i int) (data []byte, off uint64, done, ok bool) {
	t, is := tx.(*Tx)
	if !is || i > 0 {
		return nil, 0, false, false
	}
	f := t.m[dir].file
	if f == nil {
		return nil, 0, t.Progress[dir] == Complete, false
	}
	done = f.State != proto.FileOpen || c != nil && c.EOF[dir]
	return f.Data, f.DataOff, done, len(f.Data) > 0 && (done || f.Size >= minInspect)
}
