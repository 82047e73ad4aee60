package rule_test

import (
	"strings"
	"testing"

	"mirador/internal/rule"
)

func newSet(t *testing.T, files ...string) *rule.Set {
	t.Helper()
	var s rule.Set
	for i, text := range files {
		s.Add(rule.Parse("rules/file"+string(rune('a'+i))+".rules", []byte(text)))
	}
	return &s
}

func list(s *rule.Set) string {
	var b strings.Builder
	for _, r := range s.Rules() {
		if r.Disabled {
			b.WriteByte('#')
		}
		b.WriteString(itoa(uint16(r.SID)) + "." + itoa(uint16(r.Rev)) + " ")
	}
	return strings.TrimSpace(b.String())
}

func TestSetDuplicates(t *testing.T) {
	const head = "alert ip any any -> any any "
	s := newSet(t,
		head+"(sid:1; rev:2;)\n"+head+"(sid:2; rev:1;)\n# "+head+"(sid:3; rev:9;)\n"+head+"(sid:1; gid:2; rev:1;)\n",
		head+"(sid:1; rev:1;)\n"+head+"(sid:2; rev:2;)\n"+head+"(sid:3; rev:1;)\n# "+head+"(sid:2; rev:5;)\n"+head+"(sid:2; rev:2;)\n")
	if got := list(s); got != "1.2 2.2 3.1 1.1" {
		t.Errorf("rules: %s", got)
	}
	p := s.Problems()
	if len(p) != 3 || p[0].Warning || p[0].Line != 1 || p[0].File != "rules/fileb.rules" || !p[1].Warning || p[1].File != "rules/filea.rules" || p[2].Warning {
		t.Errorf("problems: %v", p)
	}
	if r := s.Find(2, 1); r == nil || r.Rev != 1 || s.Find(1, 99) != nil {
		t.Errorf("Find(2, 1) = %v", r)
	}
}

func TestSetFilters(t *testing.T) {
	s := newSet(t, `alert tcp any any -> $HOME_NET 80 (msg:"one"; content:"heartbleed"; metadata:deployment Perimeter; sid:1; rev:1;)
alert tcp any any -> any any (msg:"two"; flowbits:set,a; flowbits:noalert; sid:2;)
# alert tcp any any -> any any (msg:"three"; seconds 60; sid:3;)
alert tcp any any -> any any (msg:"four"; sid:4; threshold:type limit, seconds 60;)
`, `alert udp any any -> any any (msg:"five"; sid:5;)
alert udp any any -> any any (msg:"six"; gid:9; sid:6;)
`)
	matchers := func(text string) []rule.Matcher {
		m, problems := rule.ParseMatchers("conf", []byte(text))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return m
	}
	for _, tt := range []struct {
		matcher string
		want    string
	}{
		{"1", "1"}, {"1:1", "1"}, {"1,2 , 9:6", "1 2 6"}, {"6", ""}, {"9:6", "6"}, {"re:heart.*bleed", "1"}, {"re:HEARTBLEED", "1"},
		{"group:fileb.rules", "5 6"}, {"group:fileb", "5 6"}, {"fileb.rules", "5 6"}, {"filename:*/filea.rules", "1 2 3 4"}, {"filename:filea.rules", ""},
		{"metadata: deployment perimeter", "1"}, {"*", "1 2 3 4 5 6"}, {"re:#", ""},
	} {
		m, err := rule.ParseMatcher(tt.matcher)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for _, r := range s.Rules() {
			if m.Match(r) {
				got = append(got, itoa(uint16(r.SID)))
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s matches %v, want %s", tt.matcher, got, tt.want)
		}
	}
	modify, problems := rule.ParseModifiers("modify.conf", []byte(`# change
4 "seconds \d+" "seconds 3600"
re:heartbleed "(content:\"heart)" "nocase; \1"
1:1 "\$HOME_NET" "$EXTERNAL_NET"
modifysid 5 "udp" | "tcp"
metadata-add 5 "color" "blue"
metadata-modify 1 "deployment" "Internal"
2 "sid:2;" "sid:4;"
4 "sid:4;" "sid;"
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	n := s.Apply(rule.Filters{
		Disable: matchers("# no sixes\n9:6\n2\n"), Enable: matchers("3 # seconds\n2\n"), Modify: modify, Drop: matchers("1\n2\n"),
	})
	if n != (rule.Applied{Disabled: 2, Enabled: 2, Modified: 3, Dropped: 1}) {
		t.Errorf("Apply = %+v", n)
	}
	want := []string{
		`drop tcp any any -> $EXTERNAL_NET 80 (msg:"one"; nocase; content:"heartbleed"; metadata:; sid:1; rev:1; metadata:deployment Internal;)`,
		`alert tcp any any -> any any (msg:"two"; flowbits:set,a; flowbits:noalert; sid:2;)`,
		`alert tcp any any -> any any (msg:"three"; seconds 60; sid:3;)`,
		`alert tcp any any -> any any (msg:"four"; sid:4; threshold:type limit, seconds 3600;)`,
		`alert tcp any any -> any any (msg:"five"; sid:5; metadata:color blue;)`,
		`# alert udp any any -> any any (msg:"six"; gid:9; sid:6;)`,
	}
	for i, r := range s.Rules() {
		if r.String() != want[i] {
			t.Errorf("rule %d is\n%s\nwant\n%s", i+1, r, want[i])
		}
		checkRoundTrip(t, r)
	}
	r := s.Find(1, 1)
	if o := r.Find("sid"); !strings.HasPrefix(r.Text[o.Off:], "sid:1") || !strings.HasPrefix(r.Text[r.Dst.Off:], "$EXTERNAL_NET") {
		t.Error("places are wrong after alert became drop")
	}
	if p := s.Problems(); len(p) != 2 || p[0].SID != 2 || p[0].Kind != rule.KindDuplicate || p[1].SID != 4 {
		t.Errorf("problems: %v", p)
	}
	if len(s.Enabled()) != 5 {
		t.Errorf("%d rules enabled", len(s.Enabled()))
	}
}

func TestFiltersRefuse(t *testing.T) {
	for _, text := range []string{"x", "1:x", "re:(", "group:", "metadata: a", "1,,2", "-1"} {
		if m, problems := rule.ParseMatchers("f", []byte("\n"+text)); len(problems) != 1 || problems[0].Line != 2 {
			t.Errorf("ParseMatchers(%q) = %v, %v", text, m, problems)
		}
	}
	for _, text := range []string{`1`, `1 "a"`, `1 "a" "b" c`, `1 "(" "b"`, `x "a" "b"`, `metadata-add 1 "a b" "c"`, `metadata-add 1 "a" "c;"`, `1 "a" "b`} {
		if _, problems := rule.ParseModifiers("f", []byte(text)); len(problems) != 1 {
			t.Errorf("ParseModifiers(%q): %v", text, problems)
		}
	}
}

func TestEnableFlowbitSetters(t *testing.T) {
	const head = "alert ip any any -> any any "
	s := newSet(t, head+"(flowbits:isset,a|b; sid:1;)\n# "+head+"(flowbits:set,b; flowbits:isset,c; sid:2;)\n# "+head+
		"(flowbits: set , c; sid:3;)\n# "+head+"(flowbits:set,d; sid:4;)\n# "+head+"(flowbits:toggle,a; sid:5;)\n")
	if n := s.EnableFlowbitSetters(func(r *rule.Rule) bool { return r.SID == 5 }); n != 2 {
		t.Errorf("%d rules enabled", n)
	}
	if got := list(s); got != "1.0 2.0 3.0 #4.0 #5.0" {
		t.Errorf("rules: %s", got)
	}
}

func TestLint(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`alert tcp any any -> any any (msg:"a"; flow:established; content:"abcdef"; sid:1; rev:1;)`, ""},
		{`alert tcp any any -> any any (content:"abcdef"; sid:1; rev:1;)`, "no msg"},
		{`alert tcp any any -> any any (msg:"a"; content:"abcdef"; sid:1;)`, "no rev"},
		{`alert tcp any any -> any any (msg:"a"; pcre:"/a+/"; sid:1; rev:1;)`, "pcre without a content"},
		{`alert tcp any any -> any any (msg:"a"; content:!"abc"; pcre:"/a+/"; sid:1; rev:1;)`, "pcre without a content"},
		{`alert tcp any any -> any any (msg:"a"; flow:established; sid:1; rev:1;)`, "every packet"},
		{`alert tcp any any -> any any (msg:"a"; content:"ab"; sid:1; rev:1;)`, "2 bytes"},
		{`alert tcp any any <> any any (msg:"a"; content:"abcd"; sid:1; rev:1;)`, "both sides"},
		{`alert http any any -> any 80 (msg:"a"; content:"abcd"; sid:1; rev:1;)`, "any port"},
		{`alert tcp any any -> any any (msg:"a"; content:"|01 02 03|12"; nocase; sid:1; rev:1;)`, "without letters"},
		{`alert tcp any any -> any any (msg:"a"; content:"abcd"; depth:3; sid:1; rev:1;)`, "depth 3"},
		{`alert tcp any any -> any any (msg:"a"; content:"abcd"; noalert; sid:1; rev:1;)`, "no effect"},
		{`alert tcp any any -> any any (msg:"a"; content:"abcd"; reference:url,a; reference:url,a; sid:1; rev:1;)`, "given twice"},
		{`alert tcp any any -> any any (msg:"a"; content:"abcd"; sid:1; rev:1;`, "parenthesis"},
	} {
		r, err := rule.ParseOne(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		got := rule.Lint(r)
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0].What, tt.want) || !got[0].Warning) {
			t.Errorf("Lint(%s) = %v, want %q", tt.text, got, tt.want)
		}
	}
}

func TestProblems(t *testing.T) {
	rules, problems := rule.Parse("f", []byte("alert ip any any -> any any (msg:\"m\"; depth:x; sid:5;)\n"))
	if len(rules) != 1 || len(problems) != 0 {
		t.Fatalf("Parse: %v, %v", rules, problems)
	}
	r := rules[0]
	p := r.OptionProblem(r.Find("depth"), 0, "not a number", "write a number")
	if got := p.String(); got != "f:1:45: sid 5: depth: not a number" || p.Hint != "write a number" || p.Kind.String() != "option" {
		t.Errorf("problem %q of kind %v", got, p.Kind)
	}
	_, problems = rule.Parse("f", []byte(strings.Repeat("x\n", rule.MaxProblems+100)))
	if last := problems[len(problems)-1]; len(problems) != rule.MaxProblems || last.Kind != rule.KindLimit {
		t.Errorf("%d problems, the last is %v", len(problems), last)
	}
}
