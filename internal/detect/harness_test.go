package detect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// engine compiles rules and fails the test when one is refused.
func engine(t testing.TB, o detect.Options, rules ...string) *detect.Engine {
	t.Helper()
	if o.Table == nil {
		o.Table = fakeTable(t)
	}
	parsed, problems := rule.Parse("test.rules", []byte(strings.Join(rules, "\n")))
	for _, p := range problems {
		t.Fatal(p)
	}
	e, rep := detect.Compile(parsed, o)
	for _, p := range rep.Problems {
		if !p.Warning {
			t.Fatal(p)
		}
	}
	return e
}

// refused compiles one rule and returns why it is refused, "" when it is not.
func refused(t testing.TB, text string) string {
	t.Helper()
	parsed, problems := rule.Parse("test.rules", []byte(text))
	if len(problems) > 0 {
		return problems[0].String()
	}
	_, rep := detect.Compile(parsed, detect.Options{Table: fakeTable(t)})
	for _, p := range rep.Problems {
		if !p.Warning {
			return p.String()
		}
	}
	return ""
}

// sids are the alerts' sids in order, as text.
func sids(alerts []detect.Alert) string {
	var out []string
	for _, a := range alerts {
		out = append(out, fmt.Sprint(a.Rule.SID))
	}
	return strings.Join(out, " ")
}

// session is one flow and its worker.
type session struct {
	t    testing.TB
	w    *detect.Worker
	flow detect.Flow
	app  *proto.Conn
	tab  *proto.Table
}

func newSession(t testing.TB, e *detect.Engine, tab *proto.Table, app string) *session {
	s := &session{t: t, w: detect.NewWorker(e, nil), tab: tab}
	if app != "" {
		s.app = proto.NewConn(tab, proto.Hint{SrcPort: 40000, DstPort: 80})
		s.app.App = tab.ByName(app)
		s.app.Side = [2]proto.ID{s.app.App, s.app.App}
	}
	return s
}

// packet inspects a packet of direction dir with payload that is not in the stream.
func (s *session) packet(dir proto.Dir, p *packet.Parsed) string {
	return sids(s.w.Inspect(s.fill(dir, p)))
}

func (s *session) fill(dir proto.Dir, p *packet.Parsed) *detect.Packet {
	if dir == proto.ToClient {
		p.Src, p.Dst = p.Dst, p.Src
		p.SrcPort, p.DstPort = p.DstPort, p.SrcPort
	}
	s.flow.Pkts[dir]++
	s.flow.Bytes[dir] += uint64(len(p.Data))
	s.flow.Last = p.Time
	if s.flow.Start == 0 {
		s.flow.Start = p.Time
	}
	return &detect.Packet{P: p, Dir: dir, Flow: &s.flow, App: s.app, Established: true}
}

// stream inspects a packet whose payload went into the stream; raw is the window.
func (s *session) stream(dir proto.Dir, payload, raw string) string {
	p := s.fill(dir, tcpPacket(payload))
	p.StreamAdded = true
	if raw != "" {
		p.Raw, p.HasRaw = []byte(raw), true
	}
	return sids(s.w.Inspect(p))
}

// tx adds a transaction.
func (s *session) tx(buf map[string]string) *fakeTx {
	tx := &fakeTx{buf: map[string][][]byte{}, num: map[string][]uint64{}, stream: map[string]window{}}
	s.app.NewTx(tx)
	tx.set(buf)
	return tx
}

func (x *fakeTx) set(buf map[string]string) {
	for k, v := range buf {
		x.buf[k] = nil
		for _, one := range strings.Split(v, "\x00\x00") {
			x.buf[k] = append(x.buf[k], []byte(one))
		}
	}
}

// look inspects an empty packet of direction dir.
func (s *session) look(dir proto.Dir) string {
	p := s.fill(dir, tcpPacket(""))
	p.StreamAdded = true
	out := sids(s.w.Inspect(p))
	s.app.AfterDetect(dir)
	return out
}

// payloadRules runs each rule body alone over payload and returns the ones that match.
func matches(t testing.TB, body, payload string) bool {
	t.Helper()
	e := engine(t, detect.Options{}, "alert udp any any -> any any ("+body+" sid:1;)")
	w := detect.NewWorker(e, nil)
	p := &detect.Packet{P: udpPacket(payload)}
	return slices.Equal(strings.Fields(sids(w.Inspect(p))), []string{"1"})
}

func TestPayloadKeywords(t *testing.T) {
	for _, c := range []struct {
		body, payload string
		want          bool
	}{
		{`content:"abc";`, "xxabcxx", true},
		{`content:"abc";`, "xxABCxx", false},
		{`content:"abc"; nocase;`, "xxABCxx", true},
		{`content:!"abc";`, "xxABCxx", true},
		{`content:!"abc";`, "xxabcxx", false},
		{`content:"abc"; depth:3;`, "abcxx", true},
		{`content:"abc"; depth:4;`, "xabcxx", true},
		{`content:"abc"; depth:4;`, "xxabcxx", false},
		{`content:"abc"; offset:2;`, "xxabc", true},
		{`content:"abc"; offset:3;`, "xxabc", false},
		{`content:"abc"; offset:2; depth:3;`, "xxabc", true},
		{`content:"abc"; offset:1; depth:3;`, "xxabc", false},
		{`content:"abc"; startswith;`, "abcx", true},
		{`content:"abc"; startswith;`, "xabc", false},
		{`content:"abc"; endswith;`, "xabc", true},
		{`content:"abc"; endswith;`, "xabcx", false},
		{`content:"abc"; startswith; endswith;`, "abc", true},
		{`content:"abc"; startswith; endswith;`, "abcabc", false},
		{`content:"a"; content:"b"; distance:0;`, "ab", true},
		{`content:"a"; content:"b"; distance:1;`, "ab", false},
		{`content:"a"; content:"b"; distance:1;`, "axb", true},
		{`content:"a"; content:"b"; within:1;`, "ab", true},
		{`content:"a"; content:"b"; within:1;`, "axb", false},
		{`content:"a"; content:"b"; distance:1; within:1;`, "axb", true},
		{`content:"a"; content:"b"; distance:1; within:1;`, "axxb", false},
		{`content:"a"; content:"b"; distance:-2; within:2;`, "ba", true},
		// The first a has no b behind it at the right place, the second has.
		{`content:"a"; content:"b"; within:1;`, "axab", true},
		{`content:"a"; content:"b"; within:1; content:"c"; within:1;`, "abxabc", true},
		{`content:"a"; content:!"b"; within:1;`, "ac", true},
		{`content:"a"; content:!"b"; within:1;`, "ab", false},
		{`content:"a"; content:!"b"; within:1;`, "abac", true},
		{`content:"a"; isdataat:2,relative;`, "axx", true},
		{`content:"a"; isdataat:3,relative;`, "axx", false},
		{`content:"a"; isdataat:!1,relative;`, "xa", true},
		{`isdataat:3;`, "abcd", true},
		{`isdataat:4;`, "abcd", false},
		{`isdataat:!4;`, "abcd", true},
		{`content:"a"; byte_test:1,=,2,0,relative;`, "a\x02", true},
		{`content:"a"; byte_test:1,>,2,0,relative;`, "a\x02", false},
		{`content:"a"; byte_test:1,!=,3,0,relative;`, "a\x02", true},
		{`content:"a"; byte_test:2,=,513,0,relative,little;`, "a\x01\x02", true},
		{`content:"a"; byte_test:3,=,123,0,relative,string,dec;`, "a123", true},
		{`content:"a"; byte_test:2,=,0x1f,0,relative,string,hex;`, "a1f", true},
		{`content:"a"; byte_test:1,=,3,0,relative,bitmask 0xf0;`, "a\x3c", true},
		{`content:"a"; byte_test:1,&,4,0,relative;`, "a\x06", true},
		{`content:"a"; byte_test:4,=,1,0,relative;`, "a\x00\x00", false},
		{`content:"a"; byte_jump:1,0,relative; content:"z"; within:1;`, "a\x02xxz", true},
		{`content:"a"; byte_jump:1,0,relative; content:"z"; within:1;`, "a\x01xxz", false},
		{`byte_jump:1,0,from_beginning; content:"z"; within:1;`, "\x03xxz", true},
		{`byte_jump:0,0,from_end,post_offset -2; content:"z"; within:1;`, "xxzx", true},
		{`content:"a"; byte_jump:1,0,relative,multiplier 2; content:"z"; within:1;`, "a\x01xxz", true},
		{`content:"a"; byte_jump:1,0,relative,align; content:"z"; within:1;`, "a\x01xxxxz", true},
		{`content:"a"; byte_extract:1,0,n,relative; content:"z"; offset:n;`, "a\x03xz", true},
		{`content:"a"; byte_extract:1,0,n,relative; content:"z"; offset:n;`, "a\x04xz", false},
		{`content:"a"; byte_extract:1,0,n,relative; byte_test:1,=,n,0,relative;`, "a\x04\x04", true},
		{`content:"a"; byte_extract:1,0,n,relative; isdataat:!n,relative;`, "a\x02x", true},
		{`byte_extract:1,0,n; byte_math:bytes 1, offset 1, oper +, rvalue n, result m; byte_test:1,=,m,2;`, "\x02\x03\x05", true},
		{`byte_extract:1,0,n; byte_math:bytes 1, offset 1, oper *, rvalue n, result m; byte_test:1,=,m,2;`, "\x02\x03\x05", false},
		{`byte_extract:1,0,n; byte_math:bytes 1, offset 1, oper /, rvalue n, result m;`, "\x00\x03", false},
		{`pcre:"/a[0-9]+b/";`, "xa12b", true},
		{`pcre:"/a[0-9]+b/";`, "xab", false},
		{`pcre:!"/a[0-9]+b/";`, "xab", true},
		{`pcre:"/A[0-9]+B/i";`, "xa1b", true},
		{`content:"a"; pcre:"/^b/R";`, "xab", true},
		{`content:"a"; pcre:"/^b/R";`, "xacb", false},
		{`content:"a"; pcre:"/^b/R";`, "xacab", true},
		{`pcre:"/a./"; content:"z"; within:1;`, "abxacz", true},
		{`dsize:3;`, "abc", true},
		{`dsize:<3;`, "abc", false},
		{`dsize:2<>5;`, "abc", true},
		{`base64_decode:bytes 8,offset 1; base64_data; content:"hello"; startswith;`, "xaGVsbG8=", true},
		{`content:"key="; base64_decode:relative; base64_data; content:"hell";`, "key=aGVsbG8=", true},
		{`content:"key="; base64_decode:relative; base64_data; content:"hell"; offset:1;`, "key=aGVsbG8=", false},
		{`entropy: value < 1;`, "aaaa", true},
		{`entropy: value >= 2;`, "abcd", true},
		{`content:"ab|63 20|d";`, "abc d", true},
		{`asn1:oversize_length 100;`, "\x30\x03\x02\x81\xc8", true},
		{`asn1:oversize_length 100;`, "\x30\x03\x02\x01\x05", false},
		{`asn1:bitstring_overflow;`, "\x03\x02\x09\x00", true},
		{`asn1:bitstring_overflow;`, "\x03\x02\x07\x00", false},
		{`content:"x"; asn1:double_overflow, relative_offset 0;`, "x\x09\x82\x02\x00\x03", true},
		{`content:"a"; content:"b"; distance:0; content:"a"; distance:-2; within:1;`, "ab", true},
	} {
		if got := matches(t, c.body, c.payload); got != c.want {
			t.Errorf("%s on %q = %v, want %v", c.body, c.payload, got, c.want)
		}
	}
}

func TestHTTPRules(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab},
		`alert http any any -> any any (flow:established,to_server; http.uri; content:"/evil"; http.method; content:"GET"; sid:1;)`,
		`alert http any any -> any any (http.uri; content:"/evil"; http.host; content:"x.com"; endswith; sid:2;)`,
		`alert http any any -> any any (content:"/evil"; http_uri; content:"POST"; http_method; sid:3;)`,
		`alert http any any -> any any (http.user_agent; absent; sid:4;)`,
		`alert http any any -> any any (http.stat_code; content:"404"; sid:5;)`,
		`alert http any any -> any any (http.uri; content:"/evil"; http.request_body; content:"secret"; sid:6;)`,
		`alert http any any -> any any (urilen:5; sid:7;)`,
		`alert http any any -> any any (http.uri; to_uppercase; content:"/EVIL"; sid:8;)`,
		`alert tcp any any -> any any (http.uri; content:"/evil"; fast_pattern:1,4; pcre:"/^\/ev/"; sid:9;)`,
	)
	s := newSession(t, e, tab, "http")
	tx := s.tx(map[string]string{"http.uri": "/evil", "http.method": "GET"})
	tx.Progress[0] = atLine
	if got := s.look(proto.ToServer); got != "1 7 8 9" {
		t.Errorf("at the request line: %q", got)
	}
	tx.set(map[string]string{"http.host": "www.x.com"})
	tx.Advance(proto.ToServer, atHeaders)
	if got := s.look(proto.ToServer); got != "2" {
		t.Errorf("at the headers: %q", got)
	}
	tx.stream["http.request_body"] = window{data: []byte("my sec")}
	tx.Advance(proto.ToServer, atBody)
	if got := s.look(proto.ToServer); got != "4" {
		t.Errorf("in the body: %q", got)
	}
	tx.stream["http.request_body"] = window{data: []byte("my secret"), done: true}
	tx.Advance(proto.ToServer, atDone)
	if got := s.look(proto.ToServer); got != "6" {
		t.Errorf("at the end of the request: %q", got)
	}
	if got := s.look(proto.ToServer); got != "" {
		t.Errorf("nothing new: %q", got)
	}
	tx.set(map[string]string{"http.stat_code": "404"})
	tx.Advance(proto.ToClient, atLine)
	if got := s.look(proto.ToServer); got != "" {
		t.Errorf("response seen in a packet to the server: %q", got)
	}
	if got := s.look(proto.ToClient); got != "5" {
		t.Errorf("response: %q", got)
	}
}

func TestStreamAndPacket(t *testing.T) {
	e := engine(t, detect.Options{},
		`alert tcp any any -> any any (content:"needle"; sid:1;)`,
		`alert tcp any any -> any any (content:"needle"; depth:6; sid:2;)`,
		`alert tcp-pkt any any -> any any (content:"needle"; sid:3;)`,
		`alert tcp-stream any any -> any any (content:"needle"; sid:4;)`,
		`alert tcp any any -> any any (content:"needle"; dsize:6; sid:5;)`,
		`alert tcp any any -> any any (flow:only_stream; content:"needle"; sid:6;)`,
		`alert tcp any any -> any any (flow:no_stream; content:"needle"; sid:7;)`,
	)
	for _, c := range []struct{ name, payload, raw, want string }{
		{"in the stream only", "dle", "xxneedle", "1 4 6"},
		{"at the start of the window", "dle", "needle", "1 2 4 6"},
		{"in the packet, stream not ready", "needle", "", "2 3 5 7"},
		{"in both", "needle", "needle", "1 2 3 4 5 6 7"},
	} {
		s := newSession(t, e, nil, "")
		if got := s.stream(proto.ToServer, c.payload, c.raw); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	s := newSession(t, e, nil, "")
	if got := s.packet(proto.ToServer, tcpPacket("needle")); got != "1 2 3 4 5 6 7" {
		t.Errorf("packet that is in no stream: %q", got)
	}
}
