package detect_test

import (
	"strings"
	"testing"

	"mirador/internal/detect"
)

func TestExplain(t *testing.T) {
	tab := fakeTable(t)
	for _, c := range []struct{ rule, typ, buffer, pattern, cost, step string }{
		{`alert http any any -> any any (flow:to_server; http.method; content:"GET"; http.uri; content:"/evil.php"; nocase; sid:1;)`,
			"app_tx", "http.uri", "/evil.php", "cheap", `request http.method: content "GET"`},
		{`alert http any any -> any any (http.method; content:"GET"; fast_pattern; http.uri; content:"/evil.php"; sid:1;)`,
			"app_tx", "http.method", "GET", "fair", `request http.uri: content "/evil.php"`},
		{`alert dns any any -> any any (dns.query; dotprefix; content:".a|20|b.com"; endswith; sid:1;)`,
			"app_tx", "dns.query|dotprefix", ".a b.com", "cheap", "request dns.query|dotprefix"},
		{`alert tcp any any -> any any (content:"abcdef"; sid:1;)`, "stream", "payload", "abcdef", "cheap", "payload: content"},
		{`alert tcp any any -> any any (content:"abcdef"; depth:20; sid:1;)`, "pkt_stream", "payload", "abcdef", "cheap", ""},
		{`alert tcp-pkt any any -> any any (content:"ab"; sid:1;)`, "pkt", "payload", "ab", "dear", ""},
		{`alert tcp any any -> any any (pcre:"/a+b/"; sid:1;)`, "stream", "", "", "dear", "payload: pcre"},
		{`alert ip 1.2.3.4 any -> any any (sid:1;)`, "ip_only", "", "", "cheap", ""},
		{`alert ip !1.2.3.4 any -> any any (sid:1;)`, "like_ip_only", "", "", "fair", ""},
		{`alert tcp any any -> any any (app-layer-protocol:http; sid:1;)`, "pd_only", "", "", "cheap", "appProto"},
		{`alert http any any -> any any (sid:1;)`, "app_layer", "", "", "fair", ""},
		{`alert tcp any any -> any any (ttl:5; sid:1;)`, "pkt", "", "", "dear", "number"},
		{`alert pkthdr any any -> any any (decode-event:ipv4.trunc_pkt; sid:1;)`, "de_only", "", "", "cheap", ""},
	} {
		e := engine(t, detect.Options{Table: tab}, c.rule)
		x := e.Explain(e.Rules()[0])
		if x.Type != c.typ || x.FastBuffer != c.buffer || x.FastPattern != c.pattern || x.Cost != c.cost {
			t.Errorf("%s:\n  type %s buffer %q pattern %q cost %s, want %s %q %q %s", c.rule, x.Type, x.FastBuffer, x.FastPattern, x.Cost, c.typ, c.buffer, c.pattern, c.cost)
		}
		if !strings.Contains(strings.Join(x.Steps, "\n"), c.step) {
			t.Errorf("%s: steps %q lack %q", c.rule, x.Steps, c.step)
		}
	}
}

func TestProfile(t *testing.T) {
	now := int64(0)
	e := engine(t, detect.Options{Profile: func() int64 { now += 5; return now }},
		`alert udp any any -> any any (content:"a"; sid:1;)`,
		`alert udp any any -> any any (content:"a"; content:"zz"; sid:2;)`)
	w := detect.NewWorker(e, nil)
	for range 3 {
		w.Inspect(&detect.Packet{P: udpPacket("xax")})
	}
	p := e.Profile()
	if len(p) != 1 && len(p) != 2 {
		t.Fatalf("profile %v", p)
	}
	for _, r := range p {
		if want := map[uint32]uint64{1: 3, 2: 0}[r.Rule.SID]; r.Matches != want || r.Nanos != 5*r.Checks {
			t.Errorf("sid %d: %d checks, %d matches, %d ns", r.Rule.SID, r.Checks, r.Matches, r.Nanos)
		}
	}
}
