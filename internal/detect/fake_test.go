package detect_test

import (
	"testing"

	"mirador/internal/packet"
	"mirador/internal/proto"
)

// The fake protocols of these tests: their transactions hold the values of buffers by
// name, as the tests put them there.

// fakeTx is a transaction whose buffers are in a map.
type fakeTx struct {
	proto.TxBase
	buf    map[string][][]byte
	num    map[string][]uint64
	stream map[string]window
}

type window struct {
	data []byte
	off  uint64
	done bool
}

func get(name string) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, bool) {
		v := tx.(*fakeTx).buf[name]
		if i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
}

func number(name string) func(*proto.Conn, proto.Tx, proto.Dir, int) (uint64, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) (uint64, bool) {
		v := tx.(*fakeTx).num[name]
		if i >= len(v) {
			return 0, false
		}
		return v[i], true
	}
}

func stream(name string) func(*proto.Conn, proto.Tx, proto.Dir, int) ([]byte, uint64, bool, bool) {
	return func(_ *proto.Conn, tx proto.Tx, _ proto.Dir, i int) ([]byte, uint64, bool, bool) {
		s, ok := tx.(*fakeTx).stream[name]
		if i > 0 {
			return nil, 0, false, false
		}
		return s.data, s.off, s.done, ok
	}
}

// Progress of the fake http, as the real one has it.
const (
	atStart uint8 = iota
	atLine
	atHeaders
	atBody
	atDone
)

type fakeField struct {
	name, legacy string
	alias        string
	dirs         string // "s", "c" or "sc"
	at           uint8
	multi        bool
	stream       bool
}

func fields(list []fakeField) []proto.Field {
	var out []proto.Field
	for _, f := range list {
		p := proto.Field{Name: f.name, Legacy: f.legacy, MinProgress: [2]uint8{f.at, f.at}, Multi: f.multi, Stream: f.stream, Get: get(f.name)}
		if f.alias != "" {
			p.Aliases = []string{f.alias}
		}
		if f.stream {
			p.GetStream = stream(f.name)
		}
		for _, d := range f.dirs {
			p.ToServer = p.ToServer || d == 's'
			p.ToClient = p.ToClient || d == 'c'
		}
		out = append(out, p)
	}
	return out
}

func fakeRows() []*proto.Protocol {
	http := fields([]fakeField{
		{"http.uri", "http_uri", "", "s", atLine, false, false},
		{"http.uri.raw", "http_raw_uri", "", "s", atLine, false, false},
		{"http.method", "http_method", "", "s", atLine, false, false},
		{"http.protocol", "", "http_protocol", "sc", atLine, false, false},
		{"http.request_line", "", "http_request_line", "s", atLine, false, false},
		{"http.response_line", "", "http_response_line", "c", atLine, false, false},
		{"http.stat_code", "http_stat_code", "", "c", atLine, false, false},
		{"http.stat_msg", "http_stat_msg", "", "c", atLine, false, false},
		{"http.header", "http_header", "", "sc", atHeaders, false, false},
		{"http.header.raw", "http_raw_header", "", "sc", atHeaders, false, false},
		{"http.header_names", "", "http_header_names", "sc", atHeaders, false, false},
		{"http.host", "http_host", "", "s", atHeaders, false, false},
		{"http.host.raw", "http_raw_host", "", "s", atHeaders, false, false},
		{"http.user_agent", "http_user_agent", "", "s", atHeaders, false, false},
		{"http.cookie", "http_cookie", "", "sc", atHeaders, false, false},
		{"http.content_type", "", "http_content_type", "sc", atHeaders, false, false},
		{"http.content_len", "", "http_content_len", "sc", atHeaders, false, false},
		{"http.referer", "", "http_referer", "s", atHeaders, false, false},
		{"http.accept", "", "http_accept", "s", atHeaders, false, false},
		{"http.accept_enc", "", "http_accept_enc", "s", atHeaders, false, false},
		{"http.accept_lang", "", "http_accept_lang", "s", atHeaders, false, false},
		{"http.connection", "", "http_connection", "sc", atHeaders, false, false},
		{"http.start", "", "http_start", "sc", atHeaders, false, false},
		{"http.server", "", "", "c", atHeaders, false, false},
		{"http.location", "", "", "c", atHeaders, false, false},
		{"http.request_header", "", "", "s", atHeaders, true, false},
		{"http.response_header", "", "", "c", atHeaders, true, false},
		{"http.request_body", "http_client_body", "", "s", atBody, false, true},
		{"http.response_body", "http_server_body", "", "c", atBody, false, true},
	})
	dns := fields([]fakeField{{"dns.query", "", "dns_query", "s", 0, true, false}, {"dns.response.rrname", "", "", "c", 0, true, false}})
	dns = append(dns,
		proto.Field{Name: "dns.opcode", Kind: proto.Number, Bits: 8, ToServer: true, ToClient: true, Uint: number("dns.opcode"),
			Names: map[string]uint64{"query": 0, "update": 5}},
		proto.Field{Name: "dns.rrtype", Kind: proto.Number, Bits: 16, ToServer: true, ToClient: true, Multi: true, Indexed: true, Uint: number("dns.rrtype")})
	tls := fields([]fakeField{
		{"tls.sni", "", "tls_sni", "s", 1, false, false}, {"tls.cert_subject", "", "tls_cert_subject", "c", 1, false, false},
		{"tls.cert_issuer", "", "tls_cert_issuer", "c", 1, false, false}, {"tls.certs", "", "", "c", 1, true, false},
		{"tls.cert_serial", "", "tls_cert_serial", "c", 1, false, false}, {"tls.cert_fingerprint", "", "tls.fingerprint", "c", 1, false, false},
		{"ja3.hash", "", "ja3_hash", "s", 1, false, false}, {"ja3s.hash", "", "", "c", 1, false, false}, {"ja3.string", "", "", "s", 1, false, false},
	})
	tls = append(tls, proto.Field{Name: "tls.version", Aliases: []string{"ssl_version", "ssl_state"}, Kind: proto.Custom, ToServer: true, ToClient: true,
		Compile: func(string) (proto.TxMatcher, error) {
			return func(*proto.Conn, proto.Tx, proto.Dir) bool { return false }, nil
		}})
	ssh := fields([]fakeField{{"ssh.proto", "", "ssh_proto", "sc", 1, false, false}, {"ssh.software", "", "ssh_software", "sc", 1, false, false}})
	dce := fields([]fakeField{{"dcerpc.stub_data", "", "dce_stub_data", "sc", 0, false, false}})
	dce = append(dce, proto.Field{Name: "dcerpc.iface", Aliases: []string{"dce_iface"}, Kind: proto.Custom, ToServer: true, ToClient: true,
		Compile: func(string) (proto.TxMatcher, error) {
			return func(*proto.Conn, proto.Tx, proto.Dir) bool { return true }, nil
		}})
	row := func(name string, t proto.Transport, done uint8, f []proto.Field) *proto.Protocol {
		return &proto.Protocol{Name: name, Transport: t, Done: [2]uint8{done, done}, Fields: f}
	}
	h := row("http", proto.TCP, atDone, http)
	h.Frames = []string{"request", "response"}
	h.Events = []string{"too_many_encoding_layers", "request_body_unexpected"}
	h.States = [2][]string{
		{"request_started", "request_line", "request_headers", "request_body", "request_complete"},
		{"response_started", "response_line", "response_headers", "response_body", "response_complete"}}
	d := row("dns", proto.TCP|proto.UDP, 1, dns)
	d.Events = []string{"malformed_data", "z_flag_set"}
	d.Unidirectional = true
	rows := []*proto.Protocol{h, d, row("tls", proto.TCP, 2, tls), row("ssh", proto.TCP, 2, ssh), row("dcerpc", proto.TCP, 1, dce), row("smb", proto.TCP, 1, nil)}
	for _, name := range []string{"smtp", "ftp", "ftp-data"} {
		rows = append(rows, row(name, proto.TCP, 1, nil))
	}
	for i := range tls {
		if tls[i].Name == "ja3.hash" {
			tls[i].Case = proto.CaseLower
		}
	}
	for i := range http {
		http[i].OneWay = http[i].Name == "http.header.raw"
	}
	for _, r := range rows {
		switch r.Name {
		case "http", "smb", "ftp-data":
			r.Files = proto.DirServer | proto.DirClient
		case "smtp":
			r.Files = proto.DirServer
		}
	}
	return rows
}

type noSettings struct{}

func (noSettings) String(string) (string, bool)    { return "", false }
func (noSettings) Bool(string) (bool, bool)        { return false, false }
func (noSettings) Int(string) (int64, bool)        { return 0, false }
func (noSettings) Size(string) (int64, bool)       { return 0, false }
func (noSettings) Strings(string) ([]string, bool) { return nil, false }
func (n noSettings) Global() proto.Settings        { return n }

func fakeTable(t testing.TB) *proto.Table {
	t.Helper()
	tab, err := proto.NewTable(fakeRows(), func(string) proto.Settings { return noSettings{} })
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// tcpPacket returns a TCP packet with the payload, as the decoder would.
func tcpPacket(payload string) *packet.Parsed { return parsed(6, 20, payload) }

func udpPacket(payload string) *packet.Parsed { return parsed(17, 8, payload) }

func parsed(num uint8, l4 int, payload string) *packet.Parsed {
	data := make([]byte, 20+l4)
	data[0] = 0x45
	data = append(data, payload...)
	p := &packet.Parsed{Data: data, WireLen: len(data), Depth: packet.DepthTransport, IPVersion: 4, Proto: num, TTL: 64,
		L3Len: 20, IPEnd: len(data), IPTotal: len(data), L4: 20, L4Len: l4, SrcPort: 40000, DstPort: 80,
		Payload: 20 + l4, PayloadEnd: len(data), Flags: packet.ACK | packet.PSH, Time: 1e18}
	p.Src = addr(192, 168, 1, 5)
	p.Dst = addr(8, 8, 4, 4)
	return p
}

func addr(a, b, c, d byte) packet.Addr {
	return packet.Addr{10: 0xff, 11: 0xff, 12: a, 13: b, 14: c, 15: d}
}
