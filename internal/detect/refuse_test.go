package detect_test

import (
	"strings"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/rule"
)

// Rules that cannot work are refused with file, line and column, and say why.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{`alert tcp any any -> any any (nosuch:1; sid:1;)`, `test.rules:1:31: sid 1: unknown keyword "nosuch"`},
		{`alert nosuch any any -> any any (sid:1;)`, `test.rules:1:7: sid 1: unknown protocol "nosuch"`},
		{`alert tcp any any -> any any (depth:3; sid:1;)`, "no content before it"},
		{`alert tcp any any -> any any (content:"abc"; depth:2; sid:1;)`, "depth 2 is smaller"},
		{`alert tcp any any -> any any (content:"abc"; within:2; sid:1;)`, "within 2 is smaller"},
		{`alert tcp any any -> any any (content:"abc"; startswith; offset:3; sid:1;)`, "does not go with"},
		{`alert tcp any any -> any any (content:"abc"; depth:5; depth:6; sid:1;)`, "given twice"},
		{`alert tcp any any -> any any (content:"abc"; nocase; nocase; sid:1;)`, "twice"},
		{`alert tcp any any -> any any (content:"abc"; offset:nope; sid:1;)`, "neither a number nor a variable"},
		{`alert tcp any any -> any any (content:"abc"; fast_pattern; content:"d"; fast_pattern; sid:1;)`, "two fast_pattern"},
		{`alert tcp any any -> any any (content:!"abc"; fast_pattern; content:"d"; fast_pattern; sid:1;)`, "two fast_pattern"},
		{`alert tcp any any -> any any (content:"abc"; fast_pattern; fast_pattern; sid:1;)`, "two fast_pattern"},
		{`alert http:pre_flow any any -> any any (sid:1;)`, "no hook"},
		{`alert tcp any any -> any any (content:"abc"; fast_pattern:1,9; sid:1;)`, "not a part of the content"},
		{`alert tcp any any -> any any (content:"a|4|"; sid:1;)`, "odd number of hex digits"},
		{`alert tcp any any -> any any (pcre:"/a(/"; sid:1;)`, "1:40"},
		{`alert tcp any any -> any any (pcre:"abc"; sid:1;)`, "does not begin with a slash"},
		{`alert tcp any any -> any any (bsize:3; sid:1;)`, "no buffer"},
		{`alert http any any -> any any (http.uri; sid:1;)`, "nothing to look for"},
		{`alert http any any -> any any (http.uri; content:"a"; http.method; sid:1;)`, "nothing to look for"},
		{`alert http any any -> any any (http.uri; content:"abcdef"; bsize:3; sid:1;)`, "does not fit the buffer size"},
		{`alert dns any any -> any any (http.uri; content:"a"; sid:1;)`, "does not belong to protocol dns"},
		{`alert http any any -> any any (flow:to_client; http.uri; content:"a"; sid:1;)`, "not in the direction"},
		{`alert http any any -> any any (http.uri; content:"a"; http.stat_code; content:"2"; sid:1;)`, "not in the direction"},
		{`alert tcp any any -> any any (flow:to_client,to_server; sid:1;)`, "contradict"},
		{`alert tcp any any -> any any (flow:nope; sid:1;)`, `unknown part "nope"`},
		{`alert tcp any any -> any any (to_md5; content:"a"; sid:1;)`, "cannot be transformed"},
		{`alert tcp any any -> any any (byte_test:9,=,1,0; sid:1;)`, "too many"},
		{`alert tcp any any -> any any (byte_test:1,~,1,0; sid:1;)`, "unknown operator"},
		{`alert tcp any any -> any any (byte_extract:1,0,9x; sid:1;)`, "not a variable name"},
		{`alert tcp any any -> any any (byte_math:bytes 1, offset 0, oper +, rvalue 0, result x; sid:1;)`, "must not be 0"},
		{`alert tcp any any -> any any (threshold:type limit, track by_src, count 1; sid:1;)`, "seconds is missing"},
		{`alert tcp any any -> any any (threshold:type backoff, track by_src, count 1, multiplier 2; sid:1;)`, "backoff needs"},
		{`alert tcp any any -> any any (flowbits:set; sid:1;)`, "name of the bit"},
		{`alert tcp any any -> any any (flowbits:set,a|b; sid:1;)`, "several names"},
		{`alert tcp any any -> any any (xbits:set,a; sid:1;)`, "track"},
		{`alert tcp any any -> any any (dsize:<0; sid:1;)`, "can never match"},
		{`alert tcp any any -> any any (flags:Q; sid:1;)`, "unknown flag"},
		{`alert tcp any any -> any any (decode-event:nope; sid:1;)`, "unknown decoder event"},
		{`alert http any any -> any any (http.uri; dataset:isset,nodef; sid:1;)`, "not defined"},
		{`alert http any any -> any any (http.uri; dataset:set,a,type string,state /etc/x; sid:1;)`, "outside of the data directory"},
		{`alert http any any -> any any (http.uri; dataset:set,a,type string,state ../x; sid:1;)`, "outside of the data directory"},
		{`alert tcp any any -> any any (iprep:src,Nope,>,1; sid:1;)`, "unknown category"},
		{`alert tcp any any -> any any (filemd5:missing.lst; sid:1;)`, "open list"},
		{`alert tcp any any -> any any (lua:x.lua; sid:1;)`, "lua is not supported"},
		{`alert http any any -> any any (frame:nosuch.x; sid:1;)`, ""},
		{`alert http1:nope any any -> any any (sid:1;)`, "unknown hook"},
		{`alert tcp any any -> any any (sameip:1; sid:1;)`, "takes no value"},
		{`alert tcp any any -> any any (ttl; sid:1;)`, "needs a value"},
		{`alert tcp any any -> any any (icmpv4.hdr; content:"a"; sid:1;)`, "contradicts the protocol"},
		{`alert tcp any any -> any any (isdataat:70000; sid:1;)`, "up to 65535"},
		{`alert http any any -> any any (base64_data; content:"a"; sid:1;)`, "no base64_decode"},
		{`alert http any any -> any any (http.uri; content:"a"; absent; sid:1;)`, "must come first"},
	} {
		got := refused(t, c.rule)
		if c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s\n  refused with %q, want %q", c.rule, got, c.want)
		}
	}
}

// Faults that only age brings cost a rule nothing, or the rule alone, unless its
// keyword is to be read strictly.
func TestLesserFaults(t *testing.T) {
	for _, c := range []struct {
		body, strict              string
		loaded, outdated, refused int
	}{
		{"app-layer-event:http.nope;", "", 0, 1, 0},
		{"app-layer-event:http.nope;", "all", 0, 0, 1},
		{"app-layer-event:http.nope;", "classtype", 0, 1, 0},
		{"app-layer-event:nope.nope;", "", 0, 0, 1},
		{"classtype:nope;", "", 1, 0, 0},
		{"classtype:nope;", "classtype", 0, 0, 1},
		{"reference:nope,x;", "", 1, 0, 0},
		{"reference:nope,x;", "reference", 0, 0, 1},
	} {
		parsed, problems := rule.Parse("test.rules", []byte("alert http any any -> any any ("+c.body+" sid:1;)"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		_, rep := detect.Compile(parsed, detect.Options{Table: fakeTable(t), Strict: strings.Fields(c.strict)})
		if rep.Loaded != c.loaded || rep.Outdated != c.outdated || rep.Refused != c.refused {
			t.Errorf("%s strict %q: loaded %d, outdated %d, refused %d", c.body, c.strict, rep.Loaded, rep.Outdated, rep.Refused)
		}
		if len(rep.Problems) != 1 || rep.Problems[0].Warning != (c.refused == 0) {
			t.Errorf("%s strict %q: problems %v", c.body, c.strict, rep.Problems)
		}
	}
}

// The rules of the guide's chapters, each alone, are taken.
func TestAccepted(t *testing.T) {
	for _, body := range []string{
		`content:"a"; fast_pattern:only;`, `content:"abc"; fast_pattern:1,2;`, `content:"a"; replace:"b";`, `content:"a"; rawbytes;`,
		`content:"a"; Nocase;`, `pcre:"/a\/b/i";`, `pcre:/(a)/, flow:x;`, `pcre:"/(a)/Ri, pkt:x"; content:"b";`,
		`byte_jump:4,0,relative,little,multiplier 2,align,post_offset 4;`, `byte_extract:2,0,len,little; content:"a"; within:len;`,
		`byte_test:4,!&,0x10,0,string,hex,relative;`, `byte_test:2,!,5,0;`, `detection_filter:track by_src,count 3,seconds 5,unique_on dst_port;`,
		`threshold: type limit, track by_src, seconds 60, count 1;`, `tag:session;`, `tag:host,60,seconds,src;`, `tag:session,10,packets;`,
		`xbits:set,a,track ip_pair,expire 5;`, `hostbits:toggle,a,dst;`, `flowint:aa,<,bb;`, `tcp.session:setup,closing;`, `prefilter;`, `bypass;`,
		`stream_size:either,<=,6;`, `flow:established,no_stream;`, `flow:to_server; flow:established;`, `requires: version >= 99;`, `requires: keyword content;`,
		`uricontent:"a";`, `urilen:3<>9,raw;`, `content:"a"; http_uri; nocase;`, `content:"a"; http_header; content:"b"; http_cookie;`,
		`http.uri; content:"a"; pkt_data; content:"b";`, `file_data; content:"a"; within:5;`, `http.header_names; content:!"Referer";`,
		`http.uri; pcre:"/a/R";`, `pcre:"/a/U"; content:"b"; http_uri; distance:0;`, `http.uri; bsize:<=10;`, `http.uri; isdataat:!5;`,
		`http.uri; content:"a"; distance:0;`, `app-layer-protocol:http,either;`, `config:logging disable, type tx, scope tx;`,
	} {
		action, name := "alert", "tcp"
		if strings.HasPrefix(body, "config") {
			action = "config"
		}
		if strings.Contains(body, "prefilter") {
			body = "ttl:5; " + body
		}
		if got := refused(t, action+" "+name+" any any -> any any ("+body+" sid:1;)"); got != "" {
			t.Errorf("%s: %s", body, got)
		}
	}
}
