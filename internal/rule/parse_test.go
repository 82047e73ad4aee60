package rule_test

import (
	"reflect"
	"strings"
	"testing"

	"mirador/internal/rule"
)

const fullRule = `alert http:request_line [$HOME_NET, !10.0.0.1] any => $EXTERNAL_NET ![80,443] (msg:"a \"b\"\; c\\d"; flow:established,to_server; ` +
	`Content:"x|3b 3A|y;"; nocase; pcre:"/^["']?post/Ri"; reference:url,www.a.b/c?d=e,f; reference: CVE , 2014-1; ` +
	`classtype:bad-unknown; sid:77; gid:3; rev:2; priority:1; metadata:k v, k2 v w, alone; target:dest_ip; noalert;)`

func TestParseRule(t *testing.T) {
	// The ';' inside of the content ends the option, because quotes protect nothing.
	text := strings.Replace(fullRule, `y;"`, `y"`, 1)
	r, err := rule.ParseOne(text)
	if err != nil {
		t.Fatal(err)
	}
	if r.Action != rule.ActionAlert || r.Proto != "http" || r.Hook != "request_line" || r.Src.Text != "[$HOME_NET, !10.0.0.1]" ||
		r.SrcPort.Text != "any" || r.Dir != rule.DirTx || r.Dst.Text != "$EXTERNAL_NET" || r.DstPort.Text != "![80,443]" {
		t.Errorf("header: %+v", r)
	}
	if r.Msg != `a "b"; c\d` || r.SID != 77 || r.GID != 3 || r.Rev != 2 || r.Classtype != "bad-unknown" || r.Priority != 1 ||
		!r.HasPriority || r.Target != rule.TargetDestIP || !r.NoAlert || r.ForceAlert {
		t.Errorf("general options: %+v", r)
	}
	if want := []rule.KV{{"k", "v"}, {"k2", "v w"}}; !reflect.DeepEqual(r.Metadata, want) {
		t.Errorf("metadata: %v", r.Metadata)
	}
	if want := []rule.Reference{{"url", "www.a.b/c?d=e,f"}, {"cve", "2014-1"}}; !reflect.DeepEqual(r.References, want) {
		t.Errorf("references: %v", r.References)
	}
	var names []string
	for i := range r.Options {
		o := &r.Options[i]
		names = append(names, o.Name)
		if !strings.EqualFold(text[o.Off:int(o.Off)+len(o.Name)], o.Name) {
			t.Errorf("option %s is not at %d", o.Name, o.Off)
		}
		if v := r.ValueOffset(o); o.HasValue && text[v:v+len(o.Value)] != o.Value {
			t.Errorf("value of %s is not at %d", o.Name, v)
		}
	}
	if got := strings.Join(names, " "); got != "msg flow content nocase pcre reference reference classtype sid gid rev priority metadata target noalert" {
		t.Errorf("options: %s", got)
	}
	if v, ok := r.Meta("k2"); v != "v w" || !ok {
		t.Errorf("Meta(k2) = %q", v)
	}
}

func TestParseRefuses(t *testing.T) {
	head := "alert tcp any any -> any any "
	for _, tt := range []struct {
		text string
		kind rule.Kind
		col  int
		what string
	}{
		{"alrt tcp any any -> any any (sid:1;)", rule.KindAction, 1, "unknown action"},
		{"accept:hook tcp:all any any -> any any (sid:1;)", rule.KindUnsupported, 1, "firewall action"},
		{"accept:flow http1:request_started any any -> any any (sid:1;)", rule.KindUnsupported, 1, "not supported"},
		{"drop:packet tcp:all any any -> any any (sid:1;)", rule.KindUnsupported, 1, "firewall"},
		{"alert tcp: any any -> any any (sid:1;)", rule.KindProtocol, 10, "hook"},
		{"alert", rule.KindSyntax, 6, "protocol is missing"},
		{"alert tcp any any", rule.KindSyntax, 18, "direction is missing"},
		{"alert tcp any any <- any any (sid:1;)", rule.KindSyntax, 19, "not a direction"},
		{"alert tcp any -> any any (sid:1;)", rule.KindSyntax, 18, "direction is missing"},
		{"alert tcp any any -> any (sid:1;)", rule.KindSyntax, 26, "destination port is missing"},
		{"alert tcp [any any -> any any (sid:1;)", rule.KindSyntax, 31, "source address has a '('"},
		{"alert tcp any] any -> any any (sid:1;)", rule.KindSyntax, 14, "']' without '['"},
		{head, rule.KindSyntax, 29, "no options"},
		{head + "()", rule.KindSyntax, 31, "no options"},
		{head + "(sid:1)", rule.KindSyntax, 31, "not ended by ';'"},
		{head + `(sid:1; msg:"a;)`, rule.KindMeta, 42, "closing quote"},
		{head + `(sid:1; msg:a;)`, rule.KindMeta, 42, "not in double quotes"},
		{head + `(sid:1; msg:"";)`, rule.KindMeta, 42, "empty"},
		{head + `(sid:1;;)`, rule.KindSyntax, 37, ""},
		{head + `(sid:1; :x;)`, rule.KindSyntax, 38, "without a name"},
		{head + `(msg:"a";)`, rule.KindMeta, 1, "no sid"},
		{head + `(sid:0;)`, rule.KindMeta, 35, "sid"},
		{head + `(sid:4294967296;)`, rule.KindMeta, 35, "sid"},
		{head + `(sid:-1;)`, rule.KindMeta, 35, "sid"},
		{head + `(sid:1; sid:2;)`, rule.KindMeta, 42, "twice"},
		{head + `(sid:1; rev:1; rev:2;)`, rule.KindMeta, 49, "twice"},
		{head + `(sid:1; rev:x;)`, rule.KindMeta, 42, "rev"},
		{head + `(sid:1; msg:"a"; msg:"b";)`, rule.KindMeta, 51, "twice"},
		{head + `(sid:1; classtype:9x;)`, rule.KindMeta, 48, "class"},
		{head + `(sid:1; priority:256;)`, rule.KindMeta, 47, "priority"},
		{head + `(sid:1; reference:url;)`, rule.KindMeta, 48, "reference"},
		{head + `(sid:1; target:both;)`, rule.KindMeta, 45, "target"},
		{head + `(sid:1; noalert:yes;)`, rule.KindMeta, 46, "takes no value"},
		{head + `(sid:1; requires: version 8;)`, rule.KindMeta, 48, "version needs"},
		{head + `(sid:1; requires: version >= 8, version < 9;)`, rule.KindMeta, 48, "twice"},
		{head + "(sid:1; msg:\"a\x00b\";)", rule.KindSyntax, 44, "NUL"},
		{head + "(sid:1; " + strings.Repeat("nocase;", rule.MaxOptions) + ")", rule.KindLimit, 0, "options"},
		{head + "(sid:1; msg:\"" + strings.Repeat("a", rule.MaxRuleBytes) + "\";)", rule.KindLimit, 1, "longer"},
	} {
		rules, problems := rule.Parse("f", []byte(tt.text+"\nalert tcp any any -> any any (sid:99;)\n"))
		if len(problems) != 1 {
			t.Errorf("Parse(%.80q): %v", tt.text, problems)
			continue
		}
		p := problems[0]
		if p.Kind != tt.kind || p.Line != 1 || tt.col != 0 && p.Column != tt.col || !strings.Contains(p.What, tt.what) {
			t.Errorf("Parse(%.80q): %v (%v), want %d: %s (%v)", tt.text, p, p.Kind, tt.col, tt.what, tt.kind)
		}
		if len(rules) != 1 || rules[0].SID != 99 {
			t.Errorf("Parse(%.80q) hides the rule after it", tt.text)
		}
	}
}

// Forms that look wrong and that Suricata takes.
func TestParseAccepts(t *testing.T) {
	for _, text := range []string{
		"alert tcp any any -> any any sid:1;",
		"alert tcp any any -> any any (sid:1;",
		"alert tcp any any -> any any (sid:1;))",
		"alert tcp any any -> any any(sid:1;)",
		"ALERT TCP any any -> any any ( SID : 1 ; )",
		"alert\ttcp  any any->any any (sid:1;)",
		"alert tcp ! [ 1.1.1.1 , 2.2.2.2 ] any <> any [ 80 , 81 ] (sid:1;)",
		"rejectboth tcp any any -> any any (sid:1; alert;)",
		"config tcp any any -> any any (sid:1;)",
		"alert tcp any any -> any any (sid:1; unknown-keyword: a,b; x;)",
	} {
		r, err := rule.ParseOne(text)
		if strings.Contains(text, "any->any") || strings.Contains(text, "any(") {
			if err == nil {
				t.Errorf("ParseOne(%q) is taken", text) // white space is needed around the parts
			}
			continue
		}
		if err != nil || r.SID != 1 {
			t.Errorf("ParseOne(%q): %v", text, err)
		}
	}
}

func TestParseFile(t *testing.T) {
	data := "\ufeff# comment\n" +
		"#alert tcp any any -> any any (msg:\"off\"; sid:1;)\n" +
		"## drop tcp any any -> any any (sid:2;)\r\n" +
		"# alert the neighbours (they are loud)\n" +
		"\n;alert tcp any any -> any any (sid:3;)\n" +
		" alert tcp any any -> any any (sid:4;)\n" +
		"\talert tcp any any -> any any (sid:5;)   \r\n" +
		"alert tcp any any -> \\\n" +
		"  any any (msg:\"a\\  \n" +
		"b\"; \\\n" +
		"  depth:5; sid:6;)\n" +
		"bad\n" +
		"alert tcp any any -> any any (sid:7;)\\"
	rules, problems := rule.Parse("f", []byte(data))
	var got []string
	for _, r := range rules {
		got = append(got, r.String())
	}
	want := []string{
		`# alert tcp any any -> any any (msg:"off"; sid:1;)`,
		`# drop tcp any any -> any any (sid:2;)`,
		`alert tcp any any -> any any (sid:5;)`,
		`alert tcp any any -> any any (msg:"ab"; depth:5; sid:6;)`,
		`alert tcp any any -> any any (sid:7;)`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(problems) != 2 || !problems[0].Warning || problems[0].Line != 7 || problems[1].Line != 13 {
		t.Errorf("problems: %v", problems)
	}
	r := rules[3]
	for _, tt := range []struct {
		name         string
		line, column int
	}{{"msg", 10, 12}, {"depth", 12, 3}, {"sid", 12, 12}} {
		if line, col := r.Position(int(r.Find(tt.name).Off)); line != tt.line || col != tt.column {
			t.Errorf("%s is at %d:%d, want %d:%d", tt.name, line, col, tt.line, tt.column)
		}
	}
	if line, col := rules[2].Position(0); line != 8 || col != 2 {
		t.Errorf("sid 5 is at %d:%d", line, col)
	}
}

func TestRequires(t *testing.T) {
	has := func(name string) bool { return name == "sid" || name == "true" }
	for _, tt := range []struct {
		text string
		v    string
		want bool
	}{
		{"version >= 7 < 8", "7.0.10", true}, {"version >= 7 < 8", "8.0.0", false},
		{"version >= 7.0.3 < 8 | >= 8.0.1", "8.0.0", false}, {"version >= 7.0.3 < 8 | >= 8.0.1", "8.0.1-dev", true},
		{"version >= 8.0.0, keyword sid", "8.0.2", true}, {"version >= 8, keyword foobar", "8.0.2", false},
		{"feature true", "8", true}, {"feature geoip", "8", false}, {"feature true, feature lua", "8", false},
		{"foo bar", "8", false}, {"version > 8.0.1", "8.0.1", false}, {"version <= 8.0.1", "8.0.1", true},
		{"version >=7<8", "7.5", true},
	} {
		r, err := rule.ParseOne("alert ip any any -> any any (requires: " + tt.text + "; sid:1;)")
		if err != nil {
			t.Errorf("requires %s: %v", tt.text, err)
			continue
		}
		v, _ := rule.ParseVersion(tt.v)
		got, why := r.Requires.Met(rule.Platform{Version: v, Feature: has, Keyword: has})
		if got != tt.want || got == (why != "") {
			t.Errorf("requires %s with %s = %v (%s)", tt.text, tt.v, got, why)
		}
	}
	var none *rule.Requires
	if ok, _ := none.Met(rule.Platform{}); !ok {
		t.Error("no requirement is not met")
	}
	if _, ok := rule.ParseVersion("8.0.0.1"); ok {
		t.Error("version with four parts")
	}
}

func TestParseContent(t *testing.T) {
	for _, tt := range []struct {
		value   string
		want    string
		negated bool
		off     int // of the error; -1 for none
	}{
		{`"abc"`, "abc", false, -1},
		{`!"abc"`, "abc", true, -1},
		{`! "abc"`, "abc", true, -1},
		{`"a|41 42|b"`, "aABb", false, -1},
		{`"|4 1 4243|"`, "ABC", false, -1},
		{`"||a"`, "a", false, -1},
		{`"a\"b\;\:\\"`, `a"b;:\`, false, -1},
		{`"a"b"`, `a"b`, false, -1},
		{`"|22 2 22|"`, "", false, 9},
		{`"|4g|"`, "", false, 3},
		{`"|41"`, "", false, 1},
		{`"a|41|b|"`, "", false, 7},
		{`"a\b"`, "", false, 2},
		{`"a\"`, "", false, 2},
		{`"\|41"`, "", false, 1},
		{`abc`, "", false, 0},
		{`"abc`, "", false, 0},
		{`""`, "", false, 0},
		{`"||"`, "", false, 1},
		{``, "", false, 0},
	} {
		c, err := rule.ParseContent(tt.value)
		if tt.off < 0 {
			if err != nil || string(c.Bytes) != tt.want || c.Negated != tt.negated {
				t.Errorf("ParseContent(%s) = %q, %v, %v", tt.value, c.Bytes, c.Negated, err)
			}
			continue
		}
		ce, ok := err.(*rule.ContentError)
		if !ok || ce.Off != tt.off {
			t.Errorf("ParseContent(%s) = %q, %+v, want an error at %d", tt.value, c.Bytes, err, tt.off)
		}
	}
}

func TestParseUint(t *testing.T) {
	names := func(s string) (uint64, bool) { return 5, s == "five" }
	for _, tt := range []struct {
		text string
		want rule.Uint
		in   []uint64
		out  []uint64
	}{
		{"19", rule.Uint{Op: rule.UintEq, A: 19}, []uint64{19}, []uint64{18}},
		{"=0x13", rule.Uint{Op: rule.UintEq, A: 19}, nil, nil},
		{"!0x14", rule.Uint{Op: rule.UintNe, A: 20}, []uint64{19}, []uint64{20}},
		{"!=20", rule.Uint{Op: rule.UintNe, A: 20}, nil, nil},
		{">21", rule.Uint{Op: rule.UintGt, A: 21}, []uint64{22}, []uint64{21}},
		{">= 21", rule.Uint{Op: rule.UintGe, A: 21}, []uint64{21}, []uint64{20}},
		{"<22", rule.Uint{Op: rule.UintLt, A: 22}, []uint64{21}, []uint64{22}},
		{"<=22", rule.Uint{Op: rule.UintLe, A: 22}, []uint64{22}, []uint64{23}},
		{"19-22", rule.Uint{Op: rule.UintRange, A: 19, B: 22}, []uint64{20, 21}, []uint64{19, 22}},
		{"19 <> 22", rule.Uint{Op: rule.UintRange, A: 19, B: 22}, nil, nil},
		{"!19-22", rule.Uint{Op: rule.UintNotRange, A: 19, B: 22}, []uint64{19, 22}, []uint64{20, 21}},
		{"&0xc0=0x80", rule.Uint{Op: rule.UintMask, A: 0xc0, B: 0x80}, []uint64{0x81}, []uint64{0xc0}},
		{"&0xc0!=0", rule.Uint{Op: rule.UintNotMask, A: 0xc0}, []uint64{0x40}, []uint64{1}},
		{"2kb", rule.Uint{Op: rule.UintEq, A: 2048}, nil, nil},
		{">1 MiB", rule.Uint{}, nil, nil}, // no space before the unit
		{">1MiB", rule.Uint{Op: rule.UintGt, A: 1 << 20}, nil, nil},
		{"five", rule.Uint{Op: rule.UintEq, A: 5}, nil, nil},
		{"!five", rule.Uint{Op: rule.UintNe, A: 5}, nil, nil},
	} {
		got, err := rule.ParseUint(tt.text, 32, names)
		if tt.want == (rule.Uint{}) {
			if err == nil {
				t.Errorf("ParseUint(%s) = %+v", tt.text, got)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("ParseUint(%s) = %+v, %v, want %+v", tt.text, got, err, tt.want)
			continue
		}
		if again, err := rule.ParseUint(got.String(), 32, nil); err != nil || again != got {
			t.Errorf("ParseUint(%s) = %+v, %v, want %+v", got, again, err, got)
		}
		lo, hi := got.Bounds(1<<32 - 1)
		for _, x := range tt.in {
			if !got.Match(x) || x < lo || x > hi {
				t.Errorf("%s does not match %d (bounds %d-%d)", tt.text, x, lo, hi)
			}
		}
		for _, x := range tt.out {
			if got.Match(x) {
				t.Errorf("%s matches %d", tt.text, x)
			}
		}
	}
	for _, text := range []string{"", "x", "<0", ">255", "<=255", ">=0", "256", "1-2", "5-1", "1-", "!=1-5", ">1-5", "=1-5", "1 2",
		"&1", "&1=", "&x=1", "&1=1x", "99999999999999999999999", "0x", ">five", "1<5", "1gb"} {
		if u, err := rule.ParseUint(text, 8, names); err == nil {
			t.Errorf("ParseUint(%q, 8) = %+v, want an error", text, u)
		}
	}
}

func TestSplitList(t *testing.T) {
	got := rule.SplitList(" a, b c ,,d ")
	want := []rule.Item{{"a", 1}, {"b c", 4}, {"", 9}, {"d", 10}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("SplitList = %v", got)
	}
	if rule.SplitList("  ") != nil {
		t.Error("SplitList of nothing")
	}
}

// checkRoundTrip fails when r is not the same after printing and parsing.
func checkRoundTrip(t *testing.T, r *rule.Rule) {
	t.Helper()
	rules, problems := rule.Parse("again", []byte(r.String()+"\n"))
	if len(rules) != 1 || len(problems) != 0 {
		t.Fatalf("Parse(%q): %v", r.String(), problems)
	}
	if a, b := shape(r), shape(rules[0]); !reflect.DeepEqual(a, b) {
		t.Fatalf("Parse(%q) = %+v, want %+v", r.String(), b, a)
	}
}

// shape returns r without places.
func shape(r *rule.Rule) rule.Rule {
	s := rule.Rule{
		Disabled: r.Disabled, Action: r.Action, Proto: r.Proto, Hook: r.Hook, Dir: r.Dir,
		Src: rule.Term{Text: r.Src.Text}, Dst: rule.Term{Text: r.Dst.Text},
		SrcPort: rule.Term{Text: r.SrcPort.Text}, DstPort: rule.Term{Text: r.DstPort.Text},
		SID: r.SID, GID: r.GID, Rev: r.Rev, Msg: r.Msg, Classtype: r.Classtype, Priority: r.Priority, HasPriority: r.HasPriority,
		Target: r.Target, NoAlert: r.NoAlert, ForceAlert: r.ForceAlert, References: r.References, Metadata: r.Metadata, Requires: r.Requires,
	}
	for _, o := range r.Options {
		o.Off = 0
		s.Options = append(s.Options, o)
	}
	return s
}

func TestRoundTripETComposite(t *testing.T) {
	rules, _ := rule.Parse("composite", readShared(t, "data", "etopen", "composite-2025-07.rules"))
	for i, r := range rules {
		if i%7 == 0 || len(r.Options) > 40 {
			checkRoundTrip(t, r)
		}
	}
}
