package detect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/packet"
	"mirador/internal/proto"
	"mirador/internal/rule"
)

// series inspects packets at the given seconds and returns which of them alert, as a
// string of 1 and 0.
func series(t *testing.T, o detect.Options, body string, seconds ...float64) string {
	t.Helper()
	w := detect.NewWorker(engine(t, o, "alert udp any any -> any any (content:\"x\"; "+body+" sid:7;)"), nil)
	f := &detect.Flow{}
	var out strings.Builder
	for _, s := range seconds {
		p := udpPacket("x")
		p.Time = int64((1000 + s) * 1e9)
		out.WriteByte("01"[min(len(w.Inspect(&detect.Packet{P: p, Flow: f})), 1)])
	}
	return out.String()
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct {
		body    string
		seconds []float64
		want    string
	}{
		{"threshold:type limit, track by_src, count 2, seconds 10;", []float64{0, 1, 2, 9, 10.5, 11}, "110011"},
		{"threshold:type threshold, track by_src, count 3, seconds 10;", []float64{0, 1, 2, 3, 4, 5, 6}, "0010010"},
		{"threshold:type threshold, track by_src, count 3, seconds 10;", []float64{0, 1, 12, 13, 14}, "00001"},
		{"threshold:type both, track by_dst, count 3, seconds 10;", []float64{0, 1, 2, 3, 4, 11, 12, 13}, "00100001"},
		{"threshold:type backoff, track by_flow, count 1, multiplier 2;", []float64{0, 0, 0, 0, 0, 0, 0, 0, 0}, "110100010"},
		{"threshold:type backoff, track by_flow, count 2, multiplier 3;", []float64{0, 0, 0, 0, 0, 0, 0}, "0100010"},
		{"threshold:type limit, track by_rule, count 1, seconds 60;", []float64{0, 1, 61}, "101"},
		{"threshold:type limit, track by_both, count 1, seconds 60;", []float64{0, 1}, "10"},
		{"threshold:type limit, track by_flow, count 1, seconds 60;", []float64{0, 1}, "10"},
		{"detection_filter:track by_src, count 2, seconds 10;", []float64{0, 1, 2, 3, 20}, "00110"},
	} {
		if got := series(t, detect.Options{}, c.body, c.seconds...); got != c.want {
			t.Errorf("%s = %s, want %s", c.body, got, c.want)
		}
	}
}

// Two thresholds of one rule count one behind the other.
func TestTwoThresholds(t *testing.T) {
	tab := fakeTable(t)
	for _, c := range []struct {
		limits string
		want   int // alerts of six requests
	}{
		{"threshold:type threshold,track by_src,count 1,seconds 60; threshold:type limit,track by_src,count 1,seconds 600;", 1},
		{"threshold:type limit,track by_src,count 2,seconds 600; threshold:type threshold,track by_src,count 3,seconds 600;", 0},
		{"threshold:type threshold,track by_src,count 2,seconds 600; threshold:type limit,track by_src,count 2,seconds 600;", 2},
	} {
		e := engine(t, detect.Options{Table: tab}, `alert http any any -> any any (http.uri; content:"/"; `+c.limits+` sid:1;)`)
		s := newSession(t, e, tab, "http")
		got := 0
		for range 6 {
			s.app.Txs = s.app.Txs[:0]
			s.tx(map[string]string{"http.uri": "/"}).Progress[0] = atDone
			if s.look(proto.ToServer) != "" {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d alerts, want %d", c.limits, got, c.want)
		}
	}
	if refused(t, `alert tcp any any -> any any (threshold:type limit,track by_src,count 1,seconds 6; threshold:type limit,track by_dst,count 1,seconds 6; sid:1;)`) == "" {
		t.Error("two thresholds outside of a buffer are taken")
	}
}

func TestThresholdConfig(t *testing.T) {
	for _, c := range []struct{ conf, want string }{
		{"threshold gen_id 1, sig_id 7, type limit, track by_src, count 1, seconds 60", "1000"},
		{"threshold gen_id 0, sig_id 0, type limit, track by_src, count 2, seconds 60", "1100"},
		{"threshold gen_id 1, sig_id 8, type limit, track by_src, count 1, seconds 60", "1111"},
		{"suppress gen_id 1, sig_id 7", "0000"},
		{"suppress gen_id 1, sig_id 7, track by_src, ip 192.168.1.0/24", "0000"},
		{"suppress gen_id 1, sig_id 7, track by_dst, ip 192.168.1.0/24", "1111"},
		{"suppress gen_id 1, sig_id 7, track by_either, ip 192.168.1.0/24", "0000"},
		{"rate_filter gen_id 1, sig_id 7, track by_src, count 2, seconds 60, new_action drop, timeout 30", "1111"},
	} {
		events, problems := rule.ParseThresholds("threshold.config", []byte(c.conf))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := series(t, detect.Options{Thresholds: events}, "", 0, 1, 2, 3); got != c.want {
			t.Errorf("%s = %s, want %s", c.conf, got, c.want)
		}
	}
}

func TestRateFilterAction(t *testing.T) {
	events, _ := rule.ParseThresholds("t", []byte("rate_filter gen_id 1, sig_id 7, track by_src, count 2, seconds 60, new_action drop, timeout 10"))
	w := detect.NewWorker(engine(t, detect.Options{Thresholds: events}, `alert udp any any -> any any (content:"x"; sid:7;)`), nil)
	var got []string
	for _, s := range []int64{0, 1, 2, 20} {
		p := udpPacket("x")
		p.Time = (1000 + s) * 1e9
		got = append(got, w.Inspect(&detect.Packet{P: p})[0].Action.String())
	}
	if s := strings.Join(got, " "); s != "alert alert drop alert" {
		t.Errorf("actions %q", s)
	}
}

func TestFlowbitsAndFlowints(t *testing.T) {
	for _, c := range []struct {
		rules []string
		want  string // alerts of three packets, separated by |
	}{
		{[]string{`alert tcp any any -> any any (content:"x"; flowbits:set,a; flowbits:noalert; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; flowbits:isset,a; sid:2;)`}, "2|2|2"},
		{[]string{`alert tcp any any -> any any (content:"x"; flowbits:isnotset,a; flowbits:set,a; sid:1;)`}, "1||"},
		{[]string{`alert tcp any any -> any any (content:"x"; flowbits:toggle,a; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; flowbits:isset,b|a; sid:2;)`}, "1 2|1|1 2"},
		{[]string{`alert tcp any any -> any any (content:"x"; flowint:nn,+,1; noalert; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; flowint:nn,>=,2; sid:2;)`}, "|2|2"},
		{[]string{`alert tcp any any -> any any (content:"x"; flowint:nn,notset; flowint:nn,=,1; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; flowint:nn,isset; flowint:nn,==,1; sid:2;)`}, "1 2|2|2"},
		{[]string{`alert tcp any any -> any any (content:"x"; flowint:nn,+,1; flowint:mm,=,2; noalert; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; flowint:nn,==,mm; sid:2;)`}, "|2|"},
		{[]string{`alert tcp any any -> any any (content:"x"; xbits:set,b,track ip_src,expire 60; noalert; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; xbits:isset,b,track ip_src; sid:2;)`,
			`alert tcp any any -> any any (content:"x"; xbits:isset,b,track ip_dst; sid:3;)`,
			`alert tcp any any -> any any (content:"x"; xbits:isnotset,c,track ip_pair; sid:4;)`}, "2 4|2 4|2 4"},
		{[]string{`alert tcp any any -> any any (content:"x"; hostbits:set,h,src; noalert; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; hostbits:isset,h,src; sid:2;)`,
			`alert tcp any any -> any any (content:"x"; hostbits:isset,h,dst; sid:3;)`}, "2|2|2"},
		{[]string{`alert tcp any any -> any any (pcre:"/x(\w)/, flow:v"; noalert; sid:1;)`,
			`alert tcp any any -> any any (content:"x"; flowvar:v,"y"; sid:2;)`}, "2|2|2"},
	} {
		s := newSession(t, engine(t, detect.Options{}, c.rules...), nil, "")
		var got []string
		for range 3 {
			got = append(got, s.packet(proto.ToServer, tcpPacket("xy")))
		}
		if g := strings.Join(got, "|"); g != c.want {
			t.Errorf("%s = %q, want %q", c.rules, g, c.want)
		}
	}
}

// Bits of hosts are kept apart by tenant, and end.
func TestXbitsTenantAndExpiry(t *testing.T) {
	e := engine(t, detect.Options{},
		`alert udp any any -> any any (content:"set"; xbits:set,b,track ip_src,expire 10; noalert; sid:1;)`,
		`alert udp any any -> any any (content:"ask"; xbits:isset,b,track ip_src; sid:2;)`)
	w := detect.NewWorker(e, nil)
	look := func(payload string, tenant uint32, sec int64) string {
		p := udpPacket(payload)
		p.Time = (1000 + sec) * 1e9
		return sids(w.Inspect(&detect.Packet{P: p, Tenant: tenant}))
	}
	look("set", 1, 0)
	for _, c := range []struct {
		tenant uint32
		sec    int64
		want   string
	}{{1, 5, "2"}, {2, 5, ""}, {1, 11, ""}} {
		if got := look("ask", c.tenant, c.sec); got != c.want {
			t.Errorf("tenant %d after %d s: %q, want %q", c.tenant, c.sec, got, c.want)
		}
	}
}

func TestTags(t *testing.T) {
	e := engine(t, detect.Options{}, `alert tcp any any -> any any (content:"evil"; tag:session,2,packets; sid:1;)`,
		`alert tcp any any -> any any (content:"host"; tag:host,10,seconds,src; sid:2;)`)
	s := newSession(t, e, nil, "")
	var got []bool
	for _, payload := range []string{"a", "evil", "b", "c"} {
		s.packet(proto.ToServer, tcpPacket(payload))
		got = append(got, s.w.Tagged())
	}
	if got[0] || !got[1] || !got[2] || got[3] {
		t.Errorf("flow tag: %v", got)
	}
	other := newSession(t, e, nil, "")
	other.w = s.w
	other.packet(proto.ToServer, tcpPacket("host"))
	third := newSession(t, e, nil, "")
	third.w = s.w
	third.packet(proto.ToServer, tcpPacket("x"))
	if !s.w.Tagged() {
		t.Error("another flow of a tagged host is not tagged")
	}
	p := tcpPacket("x")
	p.Time += 11e9
	third.packet(proto.ToServer, p)
	if s.w.Tagged() {
		t.Error("the tag of the host does not end")
	}
}

func TestDatasets(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("names.lst", "ZXZpbC5jb20=\nYmFkLm9yZw==\n")
	write("sub.lst", "LmV2aWwuY29t\n")
	write("md5.lst", "5d41402abc4b2a76b9719d911017c592\n")
	write("ip.lst", "192.168.1.5\n2001:db8::1\n")
	write("rep.lst", "ZXZpbC5jb20=,100\nYmFkLm9yZw==,5\n")
	write("hosts.json", `[{"host":"evil.com","why":"a"},{"host":"bad.org","why":"b"}]`)
	tab := fakeTable(t)
	for _, c := range []struct {
		body, query string
		want        bool
	}{
		{"dns.query; dataset:isset,n,type string,load names.lst;", "evil.com", true},
		{"dns.query; dataset:isset,n,type string,load names.lst;", "good.com", false},
		{"dns.query; dataset:isnotset,n,type string,load names.lst;", "good.com", true},
		{"dns.query; dotprefix; dataset:isset,s,type string,match subdomain,load sub.lst;", "a.b.evil.com", true},
		{"dns.query; dotprefix; dataset:isset,s,type string,match subdomain,load sub.lst;", "notevil.com", false},
		{"dns.query; to_md5; dataset:isset,m,type md5,load md5.lst;", "hello", true},
		{"dns.query; content:\"hello\"; to_md5; dataset:isset,m,type md5,load md5.lst;", "hello", true},
		{"dns.query; content:\"x\"; ip.src; dataset:isset,i,type ip,load ip.lst;", "x", true},
		{"dns.query; content:\"x\"; ip.dst; dataset:isset,i,type ip,load ip.lst;", "x", false},
		{"dns.query; datarep:r,>,50,load rep.lst,type string;", "evil.com", true},
		{"dns.query; datarep:r,>,50,load rep.lst,type string;", "bad.org", false},
		{"dns.query; dataset:isset,j,type string,load hosts.json,format json,value_key host,context_key h;", "bad.org", true},
		{"dns.query; dataset:set,new,type string;", "x.y", true},
	} {
		parsed, problems := rule.Parse(filepath.Join(dir, "t.rules"), []byte("alert dns any any -> any any ("+c.body+" sid:1;)"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		e, rep := detect.Compile(parsed, detect.Options{Table: tab})
		if rep.Refused > 0 {
			t.Fatal(rep.Problems)
		}
		s := newSession(t, e, tab, "dns")
		s.tx(map[string]string{"dns.query": c.query})
		p := s.fill(proto.ToServer, udpPacket(""))
		alerts := s.w.Inspect(p)
		if got := sids(alerts) == "1"; got != c.want {
			t.Errorf("%s on %q = %v, want %v", c.body, c.query, got, c.want)
		}
		if strings.Contains(c.body, "context_key") && (len(alerts) == 0 || string(alerts[0].Context[0].JSON) != `{"host":"bad.org","why":"b"}`) {
			t.Errorf("%s: context %v", c.body, alerts)
		}
	}
}

// A set that rules fill is saved, and each member counts once.
func TestDatasetSave(t *testing.T) {
	dir := t.TempDir()
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab, DataDir: dir},
		`alert dns any any -> any any (dns.query; dataset:set,seen,type string,state seen.csv; sid:1;)`)
	s := newSession(t, e, tab, "dns")
	var got []string
	for _, q := range []string{"a.b", "c.d", "a.b"} {
		s.tx(map[string]string{"dns.query": q})
		got = append(got, s.look(proto.ToServer))
		s.app.Txs = nil
	}
	if g := strings.Join(got, "|"); g != "1|1|" {
		t.Errorf("alerts %q", g)
	}
	if errs := e.Shared().SaveDatasets(); len(errs) > 0 {
		t.Fatal(errs)
	}
	data, err := os.ReadFile(filepath.Join(dir, "seen.csv"))
	if err != nil || string(data) != "Yy5k\nYS5i\n" {
		t.Errorf("saved %q, %v", data, err)
	}
}

func TestReputation(t *testing.T) {
	rep := detect.NewReputation()
	if err := rep.Categories("cat", strings.NewReader("1,Bad,bad hosts\n2,Scan,scanners\n")); err != nil {
		t.Fatal(err)
	}
	if err := rep.List("list", strings.NewReader("192.168.1.5,1,50\n8.8.0.0/16,2,20\n8.8.4.0/24,2,90\n")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		body string
		want bool
	}{
		{"iprep:src,Bad,>,40;", true},
		{"iprep:src,Bad,>,50;", false},
		{"iprep:dst,Bad,>,1;", false},
		{"iprep:any,Bad,=,50;", true},
		{"iprep:both,Bad,>,1;", false},
		{"iprep:dst,Scan,=,90;", true},
		{"iprep:src,Scan,isnotset;", true},
		{"iprep:dst,Scan,isset;", true},
	} {
		w := detect.NewWorker(engine(t, detect.Options{Reputation: rep}, "alert ip any any -> any any ("+c.body+" sid:1;)"), nil)
		if got := len(w.Inspect(&detect.Packet{P: udpPacket("")})) == 1; got != c.want {
			t.Errorf("%s = %v, want %v", c.body, got, c.want)
		}
	}
}

func TestTransforms(t *testing.T) {
	tab := fakeTable(t)
	gz := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"
	for _, c := range []struct {
		body, value string
		want        bool
	}{
		{`to_lowercase; content:"abc";`, "ABC", true},
		{`to_uppercase; content:"ABC";`, "abc", true},
		{`casechange:upper; content:"ABC";`, "abc", true},
		{`strip_whitespace; content:"ab"; bsize:2;`, " a\tb\n", true},
		{`compress_whitespace; content:"a b"; bsize:3;`, "a \t\n b", true},
		{`dotprefix; content:".x.com"; endswith;`, "x.com", true},
		{`to_sha256; bsize:32;`, "x", true},
		{`to_sha1; content:"|aa f4 c6 1d|"; startswith;`, "hello", true},
		{`url_decode; content:"a b/c";`, "a+b%2Fc", true},
		{`url_decode; content:"100%";`, "100%", true},
		{`xor:"0a0b"; content:"hi";`, string([]byte{'h' ^ 0x0a, 'i' ^ 0x0b}), true},
		{`pcrexform:"id=(\d+)"; content:"42"; bsize:2;`, "a?id=42&x", true},
		{`pcrexform:"id=(\d+)"; content:!"42";`, "a?x", false},
		{`from_base64; content:"hello"; bsize:5;`, "aGVsbG8=", true},
		{`from_base64:offset 2,bytes 8; content:"hello";`, "xxaGVsbG8=", true},
		{`from_base64; content:"hello";`, "aGVs*bG8=", false},
		{`from_base64:mode rfc2045; content:"hello";`, "aGVs*bG8=", true},
		{`header_lowercase; content:"host: A";`, "Host: A\r\n", true},
		{`strip_pseudo_headers; content:"host"; startswith;`, ":path: /\r\nhost: a\r\n", true},
		{`domain; content:"example.co.uk"; bsize:13;`, "www.example.co.uk", true},
		{`tld; content:"co.uk"; bsize:5;`, "www.example.co.uk", true},
		{`gunzip; content:"hello"; bsize:5;`, gz, true},
		{`gunzip:max-size 3; content:"hel"; bsize:3;`, gz, true},
		{`subslice:1,2; content:"bc"; bsize:2;`, "abcd", true},
		{`subslice:-2; content:"cd"; bsize:2;`, "abcd", true},
		{`to_lowercase; strip_whitespace; dotprefix; content:".ab"; startswith; endswith;`, "A B", true},
		{`strip_whitespace; to_lowercase; content:"ab"; bsize:2;`, "A B", true},
	} {
		e := engine(t, detect.Options{Table: tab}, `alert http any any -> any any (http.uri; `+c.body+` sid:1;)`)
		s := newSession(t, e, tab, "http")
		tx := s.tx(map[string]string{"http.uri": strings.ReplaceAll(c.value, "\x00\x00", "\x00\x00")})
		tx.buf["http.uri"] = [][]byte{[]byte(c.value)}
		tx.Progress[0] = atLine
		if got := s.look(proto.ToServer) == "1"; got != c.want {
			t.Errorf("%s on %q = %v, want %v", c.body, c.value, got, c.want)
		}
	}
}

func TestEngineSwapKeepsState(t *testing.T) {
	shared := detect.NewShared(detect.SharedOptions{})
	tab := fakeTable(t)
	o := detect.Options{Table: tab, Shared: shared}
	uri := `alert http any any -> any any (http.uri; content:"/x"; flowbits:set,seen; sid:5;)`
	first := engine(t, o, uri)
	second := engine(t, o, `alert http any any -> any any (http.method; content:"GET"; sid:1;)`, uri,
		`alert http any any -> any any (http.host; content:"h"; flowbits:isset,seen; sid:6;)`)
	s := newSession(t, first, tab, "http")
	tx := s.tx(map[string]string{"http.uri": "/x", "http.method": "GET", "http.host": "h"})
	tx.Progress[0] = atLine
	if got := s.look(proto.ToServer); got != "5" {
		t.Fatalf("before the swap: %q", got)
	}
	s.w.Swap(second)
	tx.Advance(proto.ToServer, atHeaders)
	if got := s.look(proto.ToServer); got != "6 1" && got != "1 6" {
		t.Errorf("after the swap: %q", got)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "md5.lst"), []byte("# list\n5d41402abc4b2a76b9719d911017c592  hello.txt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tab := fakeTable(t)
	parsed, _ := rule.Parse(filepath.Join(dir, "t.rules"), []byte(strings.Join([]string{
		`alert http any any -> any any (file.data; content:"hello"; sid:1;)`,
		`alert http any any -> any any (file.name; content:".txt"; endswith; sid:2;)`,
		`alert http any any -> any any (fileext:"TXT"; filesize:5; sid:3;)`,
		`alert http any any -> any any (filemd5:md5.lst; sid:4;)`,
		`alert http any any -> any any (filemd5:!md5.lst; sid:5;)`,
		`alert http any any -> any any (filename:"hell"; filestore; sid:6;)`,
		`alert http any any -> any any (filename:!"hell"; sid:7;)`,
		`alert http any any -> any any (filemagic:"ASCII"; sid:8;)`,
		`alert http any any -> any any (file.data; content:"hello"; file.data; content:"world"; sid:9;)`,
		`alert http any any -> any any (file.data; absent; sid:10;)`,
	}, "\n")))
	e, rep := detect.Compile(parsed, detect.Options{Table: tab})
	if rep.Refused > 0 {
		t.Fatal(rep.Problems)
	}
	if md5, _, _, magic, store := e.Needs(); !md5 || !magic || !store {
		t.Error("needs of the rules are not told")
	}
	s := newSession(t, e, tab, "http")
	tx := s.tx(nil)
	tx.Progress[1] = atBody
	f := s.app.NewFile(tx, proto.ToClient, []byte("Hello.txt"))
	f.Append([]byte("hel"))
	if got := s.look(proto.ToClient); got != "2 6" {
		t.Errorf("open file: %q", got)
	}
	if !f.Store || len(f.StoreSIDs) != 1 || f.StoreSIDs[0] != 6 {
		t.Errorf("store %v by %v", f.Store, f.StoreSIDs)
	}
	f.Append([]byte("lo"))
	f.Close(proto.FileClosed)
	f.MD5 = []byte("\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92")
	f.Magic = "ASCII text"
	tx.Touch(1)
	if got := s.look(proto.ToClient); got != "1 3 4 8" {
		t.Errorf("closed file: %q", got)
	}
	g := s.app.NewFile(tx, proto.ToClient, []byte("other.bin"))
	g.Append([]byte("world"))
	g.Close(proto.FileClosed)
	g.MD5 = make([]byte, 16)
	tx.Advance(proto.ToClient, atDone)
	if got := s.look(proto.ToClient); got != "5 7 9" {
		t.Errorf("second file: %q", got)
	}
	if f.Inspected != 5 || g.Inspected != 5 {
		t.Errorf("inspected %d, %d", f.Inspected, g.Inspected)
	}
}

// A large open file is looked at in windows that overlap.
func TestFileWindows(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab, FileMinInspect: 100, FileWindow: 20},
		`alert http any any -> any any (file.data; content:"needle"; sid:1;)`,
		`alert http any any -> any any (file.data; content:"xx"; depth:2; sid:2;)`)
	s := newSession(t, e, tab, "http")
	tx := s.tx(nil)
	tx.Progress[1] = atBody
	f := s.app.NewFile(tx, proto.ToClient, nil)
	var got []string
	for _, part := range []string{strings.Repeat("x", 50), strings.Repeat("x", 50), strings.Repeat("x", 10) + "nee", "dle" + strings.Repeat("x", 10)} {
		f.Append([]byte(part))
		tx.Touch(1)
		got = append(got, s.look(proto.ToClient))
	}
	if g := strings.Join(got, "|"); g != "|2||1" {
		t.Errorf("alerts %q", g)
	}
}

func TestTransactionRules(t *testing.T) {
	tab := fakeTable(t)
	t.Run("both sides", func(t *testing.T) {
		e := engine(t, detect.Options{Table: tab},
			`alert http any any => any any (http.uri; content:"/a"; http.stat_code; content:"200"; fast_pattern; sid:1;)`,
			`alert http any any => any any (http.uri; content:"/a"; fast_pattern; http.stat_code; content:"200"; sid:2;)`,
			`alert http any any => any any (http.uri; content:"/b"; fast_pattern; http.stat_code; content:"200"; sid:3;)`)
		s := newSession(t, e, tab, "http")
		tx := s.tx(map[string]string{"http.uri": "/a"})
		tx.Progress[0] = atDone
		if got := s.look(proto.ToServer); got != "" {
			t.Errorf("request alone: %q", got)
		}
		tx.set(map[string]string{"http.stat_code": "200"})
		tx.Advance(proto.ToClient, atDone)
		if got := s.look(proto.ToClient); got != "1 2" {
			t.Errorf("response: %q", got)
		}
	})
	t.Run("events", func(t *testing.T) {
		e := engine(t, detect.Options{Table: tab},
			`alert http any any -> any any (flow:to_server; app-layer-event:http.request_body_unexpected; sid:1;)`,
			`alert ip any any -> any any (app-layer-event:applayer_mismatch_protocol_both_directions; sid:2;)`)
		s := newSession(t, e, tab, "http")
		tx := s.tx(nil)
		tx.Progress[0] = atLine
		if got := s.look(proto.ToServer); got != "" {
			t.Errorf("no event: %q", got)
		}
		tx.AddEvent(1)
		s.app.AddEvent(proto.EventMismatch)
		if got := s.look(proto.ToServer); got != "2 1" && got != "1 2" {
			t.Errorf("events: %q", got)
		}
		tx.Touch(0)
		if got := s.look(proto.ToServer); got != "" {
			t.Errorf("events again: %q", got)
		}
	})
	t.Run("hooks", func(t *testing.T) {
		e := engine(t, detect.Options{Table: tab},
			`alert http1:request_line any any -> any any (sid:1;)`,
			`alert http:response_started any any -> any any (sid:2;)`,
			`alert http1:request_line any any -> any any (http.uri; content:"/a"; sid:3;)`)
		s := newSession(t, e, tab, "http")
		tx := s.tx(map[string]string{"http.uri": "/a"})
		tx.Progress[0] = atLine
		if got := s.look(proto.ToServer); got != "1 3" {
			t.Errorf("request line: %q", got)
		}
		if got := s.look(proto.ToClient); got != "" {
			t.Errorf("no response yet: %q", got)
		}
		tx.Advance(proto.ToServer, atDone)
		if got := s.look(proto.ToServer); got != "1" {
			t.Errorf("request complete: %q", got)
		}
		tx.Advance(proto.ToClient, atHeaders)
		if got := s.look(proto.ToClient); got != "2" {
			t.Errorf("response: %q", got)
		}
	})
	t.Run("hooks of DNS in HTTP/2", func(t *testing.T) {
		query := fields([]fakeField{{"dns.query", "", "", "s", 0, true, false}})
		both, err := proto.NewTable([]*proto.Protocol{
			{Name: "doh2", Transport: proto.TCP, Done: [2]uint8{2, 2}, Fields: query},
			{Name: "dns", Transport: proto.TCP, Done: [2]uint8{1, 1}, Fields: query},
		}, func(string) proto.Settings { return noSettings{} })
		if err != nil {
			t.Fatal(err)
		}
		e := engine(t, detect.Options{Table: both},
			`alert dns:request_complete any any -> any any (sid:1;)`,
			`alert dns:request_complete any any -> any any (dns.query; content:"a"; sid:2;)`)
		for _, c := range []struct {
			app  string
			want string // of each progress
		}{{"dns", "|1 2"}, {"doh2", "||1 2"}} {
			s := newSession(t, e, both, c.app)
			tx := s.tx(map[string]string{"dns.query": "a"})
			for at, want := range strings.Split(c.want, "|") {
				tx.Advance(proto.ToServer, uint8(at))
				if got := s.look(proto.ToServer); got != want {
					t.Errorf("%s at %d: %q, want %q", c.app, at, got, want)
				}
			}
		}
	})
	t.Run("numbers", func(t *testing.T) {
		for _, c := range []struct {
			body string
			want bool
		}{
			{"dns.opcode:5;", true}, {"dns.opcode:update;", true}, {"dns.opcode:!query;", true}, {"dns.opcode:<5;", false},
			{"dns.rrtype:16;", true}, {"dns.rrtype:2;", false}, {"dns.rrtype:>0,all;", true}, {"dns.rrtype:>1,all;", false},
			{"dns.rrtype:16,1;", true}, {"dns.rrtype:16,0;", false}, {"dns.rrtype:28,-1;", true}, {"dns.rrtype:28,3;", false},
			{"dns.rrtype:>10,any;", true},
		} {
			e := engine(t, detect.Options{Table: tab}, "alert dns any any -> any any ("+c.body+" sid:1;)")
			s := newSession(t, e, tab, "dns")
			tx := s.tx(nil)
			tx.Progress = [2]uint8{1, 1}
			tx.num["dns.opcode"], tx.num["dns.rrtype"] = []uint64{5}, []uint64{1, 16, 28}
			if got := s.look(proto.ToServer) == "1"; got != c.want {
				t.Errorf("%s = %v, want %v", c.body, got, c.want)
			}
		}
	})
	t.Run("several values", func(t *testing.T) {
		e := engine(t, detect.Options{Table: tab},
			`alert dns any any -> any any (dns.query; content:"one"; dns.query; content:"two"; sid:1;)`,
			`alert dns any any -> any any (dns.query; content:"one"; content:"two"; sid:2;)`,
			`alert dns any any -> any any (dns.query; content:!"one"; sid:3;)`)
		s := newSession(t, e, tab, "dns")
		s.tx(map[string]string{"dns.query": "one\x00\x00two"})
		if got := s.look(proto.ToServer); got != "1 3" {
			t.Errorf("alerts %q", got)
		}
	})
	t.Run("app-layer-protocol", func(t *testing.T) {
		e := engine(t, detect.Options{Table: tab},
			`alert tcp any any -> any any (app-layer-protocol:http; sid:1;)`,
			`alert tcp any any -> any any (app-layer-protocol:!tls; sid:2;)`,
			`alert tcp any any -> any any (flow:established; app-layer-protocol:http; sid:3;)`,
			`alert http any any -> any any (sid:4;)`)
		s := newSession(t, e, tab, "http")
		for i, want := range []string{"1 2 3 4", "3 4"} {
			if got := s.packet(proto.ToServer, tcpPacket("")); got != want {
				t.Errorf("packet %d: %q, want %q", i+1, got, want)
			}
		}
	})
	t.Run("stream beside buffers", func(t *testing.T) {
		e := engine(t, detect.Options{Table: tab}, `alert http any any -> any any (content:"raw"; http.uri; content:"/a"; sid:1;)`)
		s := newSession(t, e, tab, "http")
		tx := s.tx(map[string]string{"http.uri": "/a"})
		tx.Progress[0] = atDone
		if got := s.look(proto.ToServer); got != "" {
			t.Errorf("without the stream: %q", got)
		}
		if got := s.stream(proto.ToServer, "", "some raw data"); got != "1" {
			t.Errorf("with the stream: %q", got)
		}
	})
}

func TestFrames(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab},
		`alert http any any -> any any (frame:http1.request; content:"GET"; startswith; bsize:8; sid:1;)`,
		`alert http1 any any -> any any (frame:request; content:"x"; sid:2;)`,
		`alert http1 any any -> any any (frame:response; content:"G"; sid:3;)`)
	s := newSession(t, e, tab, "http")
	s.app.AddFrame(proto.ToServer, "request", 4, 8, 0)
	look := func(stream string) string {
		p := s.fill(proto.ToServer, tcpPacket(""))
		p.StreamAdded, p.Stream = true, []detect.StreamPart{{Data: []byte(stream)}}
		return sids(s.w.Inspect(p))
	}
	if got := look("xxxxGET "); got != "" {
		t.Errorf("half a frame: %q", got)
	}
	if got := look("xxxxGET /xyzxx"); got != "1 2" {
		t.Errorf("whole frame: %q", got)
	}
	if got := look("xxxxGET /xyzxx"); got != "" {
		t.Errorf("again: %q", got)
	}
}

// A hole in a stream ends what can be seen of a frame before it; behind it the frame
// goes on.
func TestFrameWithHole(t *testing.T) {
	tab := fakeTable(t)
	e := engine(t, detect.Options{Table: tab},
		`alert http any any -> any any (frame:http1.request; content:"head"; startswith; sid:1;)`,
		`alert http any any -> any any (frame:http1.request; content:"tail"; endswith; sid:2;)`,
		`alert http any any -> any any (frame:http1.request; content:"headtail"; sid:3;)`,
		`alert http any any -> any any (frame:http1.stream; content:"head"; sid:4;)`)
	s := newSession(t, e, tab, "http")
	s.app.AddFrame(proto.ToServer, "request", 0, 20, 0)
	s.app.AddFrame(proto.ToServer, "stream", 0, -1, proto.NoTx)
	head := detect.StreamPart{Data: []byte("head.")}
	mid := detect.StreamPart{Data: []byte("mid"), Offset: 8}
	tail := detect.StreamPart{Data: []byte("mid.....tail"), Offset: 8}
	look := func(end bool, parts ...detect.StreamPart) string {
		p := s.fill(proto.ToServer, tcpPacket(""))
		p.StreamAdded, p.StreamEnd, p.Stream = true, end, parts
		return sids(s.w.Inspect(p))
	}
	for i, c := range []struct {
		end   bool
		parts []detect.StreamPart
		want  string
	}{
		{false, []detect.StreamPart{head}, ""},
		{false, []detect.StreamPart{head, mid}, "1"},
		{false, []detect.StreamPart{head, mid}, ""},
		{false, []detect.StreamPart{head, tail}, "2"},
		{false, []detect.StreamPart{head, tail}, ""},
		{true, []detect.StreamPart{head, tail}, "4"},
		{true, []detect.StreamPart{head, tail}, ""},
	} {
		if got := look(c.end, c.parts...); got != c.want {
			t.Errorf("look %d: %q, want %q", i, got, c.want)
		}
	}
}

func TestCaptures(t *testing.T) {
	e := engine(t, detect.Options{},
		`alert tcp any any -> any any (pcre:"/u=(\w+) p=(\w+)/, pkt:user, flow:pass"; sid:1;)`,
		`alert tcp any any -> any any (pcre:"/u=(\w+)/, alert:who"; sid:2;)`,
		`alert tcp any any -> any any (pcre:"/(?P<flow_name>u=\w+)/"; content:"nothing"; sid:3;)`)
	s := newSession(t, e, nil, "")
	alerts := s.w.Inspect(s.fill(proto.ToServer, tcpPacket("u=joe p=secret")))
	if got := sids(alerts); got != "1 2" {
		t.Fatalf("alerts %q", got)
	}
	if v := s.w.PktVars(); len(v) != 1 || v[0].Name != "user" || string(v[0].Value) != "joe" {
		t.Errorf("packet variables %v", v)
	}
	// A rule that does not match as a whole leaves nothing behind.
	if v := s.flow.Vars(); len(v) != 1 || v[0].Name != "pass" || string(v[0].Value) != "secret" {
		t.Errorf("flow variables %v", v)
	}
	for _, a := range alerts {
		if a.Rule.SID == 2 && (len(a.Context) != 1 || string(a.Context[0].Text) != "joe") {
			t.Errorf("context %v", a.Context)
		}
	}
	_ = packet.SYN
}
