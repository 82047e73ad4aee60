package rule_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/rule"
)

// seeds returns real rules of the data beside the module, when it is there, and a
// few of our own.
func seeds() []string {
	out := []string{
		fullRule,
		"alert tcp any any -> any any (sid:1;)",
		"# drop udp [1.1.1.1,![2.2.2.0/24,$X]] 80: <> any !80 (msg:\"a\\;\"; sid:2; rev:3;)",
		"alert tcp any any -> any any (msg:\"a\\\nb\"; \\\n sid:3;)\n\n;x\n y\n",
		"accept:hook tcp:all any any -> any any (sid:1;)",
		"alert ip any any -> any any (requires: version >= 7.0.3 < 8 | >= 8.0.1, feature a; metadata:a b, c; priority:1; sid:9;)",
	}
	for _, name := range [...]string{"data/probe/probe.rules", "data/suricata-verify/tests/bug-1449-01/smtp-events.rules"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", filepath.FromSlash(name)))
		if err == nil {
			for i, line := range strings.Split(string(data), "\n") {
				if i%20 == 0 {
					out = append(out, line)
				}
			}
		}
	}
	return out
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		rules, problems := rule.Parse("f", data)
		if !bytes.Equal(before, data) {
			t.Fatal("Parse changed its input")
		}
		lines := 1 + bytes.Count(data, []byte("\n"))
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.What == "" {
				t.Fatalf("problem without a place: %+v", p)
			}
		}
		rs := rule.NewResolver(rule.DefaultVars())
		for _, r := range rules {
			checkRoundTrip(t, r)
			rs.Header(r)
			rule.Lint(r)
			for i := range r.Options {
				o := &r.Options[i]
				line, col := r.Position(int(o.Off))
				if line < 1 || line > lines || col < 1 {
					t.Fatalf("option %q at %d:%d", o.Name, line, col)
				}
				if v := r.ValueOffset(o); o.HasValue && !strings.HasPrefix(r.Text[v:], o.Value) {
					t.Fatalf("value of %q is not at %d", o.Name, v)
				}
			}
		}
		var s rule.Set
		s.Add(rules, problems)
		s.Add(rules, nil)
	})
}

func FuzzContent(f *testing.F) {
	for _, s := range [...]string{`"a|41 42|b"`, `!"\"\;\:\\"`, `"||"`, `"|4`, `"a"b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, err := rule.ParseContent(value)
		if err != nil {
			if ce, ok := err.(*rule.ContentError); !ok || ce.Off < 0 || ce.Off > len(value) {
				t.Fatalf("ParseContent(%q): %+v", value, err)
			}
			return
		}
		printed := append(append([]byte{'"'}, rule.AppendPattern(nil, c.Bytes)...), '"')
		again, err := rule.ParseContent(string(printed))
		if err != nil || !bytes.Equal(again.Bytes, c.Bytes) {
			t.Fatalf("ParseContent(%s) = %q, %v, want %q", printed, again.Bytes, err, c.Bytes)
		}
	})
}

func FuzzHeaderSets(f *testing.F) {
	for _, s := range [...]string{"any", "![1.1.1.1,2001::/16]", "$HOME_NET", "1.1.1.1-2.2.2.2", "[1:80,![2,4]]", "!80", "[[[a]]]", "1.1.1.0/255.255.255.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rs := rule.NewResolver(rule.DefaultVars())
		if s, err := rs.Addr(text); err == nil {
			if again, err := rs.Addr(s.String()); err != nil || again != s {
				t.Fatalf("Addr(%q) = %v, %v, want the set of %q", s, again, err, text)
			}
		}
		if s, err := rs.Port(text); err == nil {
			if again, err := rs.Port(s.String()); err != nil || again != s {
				t.Fatalf("Port(%q) = %v, %v, want the set of %q", s, again, err, text)
			}
		}
		if e, err := rule.ParseExpr(text); err == nil {
			again, err := rule.ParseExpr(e.String())
			if err != nil || again.String() != e.String() {
				t.Fatalf("ParseExpr(%q) = %v, %v", e.String(), again.String(), err)
			}
		}
	})
}

func FuzzUint(f *testing.F) {
	for _, s := range [...]string{"1", ">1", "1-5", "!1<>5", "&1=1", "0x10kb", "<=5 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := rule.ParseUint(text, 64, nil)
		if err != nil {
			return
		}
		if again, err := rule.ParseUint(u.String(), 64, nil); err != nil || again != u {
			t.Fatalf("ParseUint(%q) = %+v, %v, want %+v", u, again, err, u)
		}
	})
}

func FuzzConfigFiles(f *testing.F) {
	f.Add([]byte("config classification: a,b,1\n"))
	f.Add([]byte("config reference: a b\n"))
	f.Add([]byte("suppress gen_id 1, sig_id 2, track by_src, ip [1.1.1.1,!2.2.2.2]\nthreshold gen_id 1, sig_id 4, type both, \\\ntrack by_both, count 3, seconds 5"))
	f.Add([]byte("re:a.*\n1:2,3 \"a\" \"b\\1\"\nmetadata-modify 1 \"a\" \"b\"\ngroup:x*\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rule.ParseClassifications("f", data)
		rule.ParseReferences("f", data)
		rule.ParseThresholds("f", data)
		matchers, _ := rule.ParseMatchers("f", data)
		modifiers, _ := rule.ParseModifiers("f", data)
		var s rule.Set
		s.Add(rule.Parse("f.rules", []byte("alert ip any any -> any any (msg:\"x\"; metadata:a b; sid:1;)\n# alert ip any any -> any any (sid:2;)\n")))
		s.Apply(rule.Filters{Disable: matchers, Enable: matchers, Modify: modifiers, Drop: matchers})
		if len(s.Rules()) != 2 {
			t.Fatal("a filter lost a rule")
		}
	})
}
