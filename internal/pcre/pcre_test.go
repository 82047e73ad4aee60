package pcre_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"mirador/internal/pcre"
)

func mustCompile(t testing.TB, pattern string, flags pcre.Flags) *pcre.Regexp {
	t.Helper()
	re, err := pcre.Compile(pattern, flags)
	if err != nil {
		t.Fatalf("Compile(%q) = %v", pattern, err)
	}
	return re
}

func TestMatch(t *testing.T) {
	const no = -1
	for _, c := range []struct {
		pattern    string
		flags      pcre.Flags
		data       string
		from       int
		start, end int // start = no: no match
	}{
		{`abc`, 0, "xxabc", 0, 2, 5},
		{`abc`, 0, "xxabd", 0, no, 0},
		{`AbC`, pcre.Caseless, "xxaBc", 0, 2, 5},
		{`\xe9`, pcre.Caseless, "\xc9", 0, no, 0}, // only ASCII letters have cases
		{`a.c`, 0, "a\nc", 0, no, 0},
		{`a.c`, pcre.DotAll, "a\nc", 0, 0, 3},
		{`^b`, 0, "a\nb", 0, no, 0},
		{`^b`, pcre.Multiline, "a\nb", 0, 2, 3},
		{`^$`, pcre.Multiline, "a\n", 0, no, 0},
		{`a$`, 0, "a\n", 0, 0, 1},
		{`a$`, 0, "a\r\n", 0, no, 0},
		{`a$`, pcre.DollarEndOnly, "a\n", 0, no, 0},
		{`a$`, pcre.Multiline, "a\nb", 0, 0, 1},
		{`a\z`, 0, "a\n", 0, no, 0},
		{`a\Z`, 0, "a\n", 0, 0, 1},
		{`\Ab`, pcre.Multiline, "a\nb", 0, no, 0},
		{`b`, pcre.Anchored, "ab", 0, no, 0},
		{`b`, pcre.Anchored, "ab", 1, 1, 2},
		{`\Gb`, 0, "ab", 1, 1, 2},
		{`^b`, 0, "ab", 1, no, 0}, // what lies before from is seen
		{`(?<=a)b`, 0, "ab", 1, 1, 2},
		{`\bb`, 0, "ab", 1, no, 0},
		{`a b#c`, pcre.Extended, "ab", 0, 0, 2},
		{`a\ b`, pcre.Extended, "a b", 0, 0, 3},
		{`a+ +a`, pcre.Extended, "aaa", 0, no, 0}, // a++a
		{`a+`, pcre.Ungreedy, "aaa", 0, 0, 1},
		{`a+?`, pcre.Ungreedy, "aaa", 0, 0, 3},
		{`a{2,3}`, 0, "aaaa", 0, 0, 3},
		{`a{2,3}?`, 0, "aaaa", 0, 0, 2},
		{`a{,2}`, 0, "a{,2}", 0, 0, 5}, // a literal up to PCRE2 10.42
		{`x{1,y`, 0, "x{1,y", 0, 0, 5},
		{`[^\x00-\x7f]`, 0, "ab\x80", 0, 2, 3},
		{`[]a]+`, 0, "]a]", 0, 0, 3},
		{`[^]a]+`, 0, "]ab]", 0, 2, 3},
		{`[a\-z]+`, 0, "z-ab", 0, 0, 3},
		{`[\]\\]+`, 0, `\]`, 0, 0, 2},
		{`[[:alpha:][:digit:]]+`, 0, "-a1-", 0, 1, 3},
		{`[[:^alpha:]]+`, 0, "a12b", 0, 1, 3},
		{`[[:upper:]]`, pcre.Caseless, "a", 0, 0, 1},
		{`[\Qa-]\E]+`, 0, "a-]", 0, 0, 3},
		{`\Qa.b\E+`, 0, "a.bb", 0, 0, 4},
		{`\h\H\v\V`, 0, "\xa0a\x85a", 0, 0, 4},
		{`\s+`, 0, "a \t\n\v\f\rb", 0, 1, 7},
		{`\s`, 0, "\x85\xa0", 0, no, 0},
		{`\R`, 0, "a\r\nb", 0, 1, 3},
		{`\R\n`, 0, "\r\n", 0, no, 0}, // \R is atomic
		{`\N+`, 0, "ab\ncd", 0, 0, 2},
		{`a\Kb`, 0, "ab", 0, 1, 2},
		{`\x41\x{42}\103\o{104}\cA\e\a`, 0, "ABCD\x01\x1b\x07", 0, 0, 7},
		{`\08`, 0, "\x008", 0, 0, 2},
		{`(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10`, 0, "abcdefghijj", 0, 0, 11},
		{`(a)\101`, 0, "aA", 0, 0, 2}, // no group 101: octal
		{`(\w)\1`, 0, "abccd", 0, 2, 4},
		{`(\w)\g{-1}`, 0, "abccd", 0, 2, 4},
		{`(?P<x>\w)(?P=x)\k<x>\k{x}\k'x'\g{x}`, 0, "abcccccc", 0, 2, 8},
		{`(?i)(a)\1`, 0, "aA", 0, 0, 2},
		{`(a)|b\1`, 0, "b", 0, no, 0}, // a group that is not set matches nothing
		{`foo(?=bar)`, 0, "foofoobar", 0, 3, 6},
		{`foo(?!bar)`, 0, "foobarfoo", 0, 6, 9},
		{`(?<=ab|c)d`, 0, "adcd", 0, 3, 4},
		{`(?<!a)b`, 0, "abb", 0, 2, 3},
		{`(?<=a{1,3})b`, 0, "aab", 0, 2, 3},
		{`(?>a+)ab`, 0, "aaab", 0, no, 0},
		{`a++ab`, 0, "aaab", 0, no, 0},
		{`(?:a|ab)++c`, 0, "abc", 0, no, 0},
		{`(?i:a)b`, 0, "Ab", 0, 0, 2},
		{`a(?i)b|c`, 0, "C", 0, 0, 1},
		{`(?-i)a`, pcre.Caseless, "A", 0, no, 0},
		{`(?s-m:^.)`, pcre.Multiline, "\na", 1, no, 0},
		{`(?#comment)a(?#another)+`, 0, "aaa", 0, 0, 3},
		{`(?|(a)|(b))\1`, 0, "abb", 0, 1, 3},
		{`(a)?(?(1)b|c)`, 0, "ab", 0, 0, 2},
		{`^(a)?(?(1)b|c)$`, 0, "c", 0, 0, 1},
		{`(?(?=a)ab|cd)`, 0, "cd", 0, 0, 2},
		{`(?<n>a)?(?(<n>)b|c)`, 0, "xc", 0, 1, 2},
		{`\((?:[^()]|(?R))*\)`, 0, "x(a(b)c)(", 0, 1, 8},
		{`^(\((?:[^()]|(?1))*\))$`, 0, "((()))", 0, 0, 6},
		{`(?(DEFINE)(?<d>\d+))(?&d)-(?P>d)`, 0, "a12-34", 0, 1, 6},
		{`a(*FAIL)|b`, 0, "ab", 0, 1, 2},
		{`a+(*COMMIT)b`, 0, "aaacaab", 0, no, 0},
		{`a+(*SKIP)b|.`, 0, "aac", 0, 2, 3},
		{`a(*ACCEPT)b`, 0, "ac", 0, 0, 1},
		{`(*ANYCRLF)^b`, pcre.Multiline, "a\rb", 0, 2, 3},
		{`(*CRLF)a.b`, 0, "a\nb", 0, 0, 3},
		{`(*CR)a$`, 0, "a\r", 0, 0, 1},
		{`[[:<:]]a[[:>:]]`, 0, "ba a", 0, 3, 4},
		{`(a?)*?$`, 0, "aa", 0, 0, 2},
		{`(?:a?)*b`, 0, "aab", 0, 0, 3},
		{`(?:){3}a`, 0, "a", 0, 0, 1},
		{`a{0}b`, 0, "ab", 0, 1, 2},
		{``, 0, "abc", 2, 2, 2},
		{`$`, 0, "", 0, 0, 0},
		{`(?:ab){200}c`, 0, strings.Repeat("ab", 200) + "c", 0, 0, 401},
		{`^.{1024}$`, pcre.DotAll, strings.Repeat("a", 1024), 0, 0, 1024},
		{`\p{Lu}\P{Lu}`, 0, "\xc0\xe0", 0, 0, 2},
	} {
		re, err := pcre.Compile(c.pattern, c.flags)
		if err != nil {
			t.Errorf("Compile(%q) = %v", c.pattern, err)
			continue
		}
		m := pcre.NewMachine(pcre.Options{})
		for _, eager := range []bool{false, true} {
			if eager {
				m.Eager()
			}
			start, end, ok := re.Match(m, []byte(c.data), c.from, 0)
			if ok != (c.start != no) || ok && (start != c.start || end != c.end) {
				t.Errorf("%q flags %#x on %q from %d (eager %v): %d, %d, %v, want %d, %d",
					c.pattern, c.flags, c.data, c.from, eager, start, end, ok, c.start, c.end)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		pattern string
		flags   pcre.Flags
		data    string
		want    []string // "-" = not set
	}{
		{`uid=(\d+)\(([^)]+)\)`, 0, "uid=0(root) gid=0", []string{"uid=0(root)", "0", "root"}},
		{`(?:(a)|b)*`, 0, "ab", []string{"ab", "a"}},
		{`(a*)*`, 0, "aa", []string{"aa", ""}},
		{`(?=(a+))a`, 0, "aaa", []string{"a", "aaa"}},
		{`(?!(a))b`, 0, "b", []string{"b", "-"}},
		{`(a)|(b)`, 0, "b", []string{"b", "-", "b"}},
		{`(?P<x>a)(b)`, pcre.NoAutoCapture, "ab", []string{"ab", "a"}},
		{`(a)(b)`, pcre.AutoNoCapture, "ab", []string{"ab"}},
		{`(a)(b)\1`, pcre.AutoNoCapture, "aba", []string{"aba", "a", "b"}},
		{`((a)|b)+`, 0, "ab", []string{"ab", "b", "a"}},
		{`(a)?(?>(b)|c)+`, 0, "abc", []string{"abc", "a", "b"}},
	} {
		re := mustCompile(t, c.pattern, c.flags)
		m := pcre.NewMachine(pcre.Options{})
		if _, _, ok := re.Match(m, []byte(c.data), 0, pcre.WantGroups); !ok {
			t.Errorf("%q does not match %q", c.pattern, c.data)
			continue
		}
		if re.NumGroups() != len(c.want)-1 {
			t.Errorf("%q: NumGroups() = %d, want %d", c.pattern, re.NumGroups(), len(c.want)-1)
		}
		for i, want := range c.want {
			got := "-"
			if s, e := m.Group(i); s >= 0 {
				got = c.data[s:e]
			}
			if got != want {
				t.Errorf("%q on %q: group %d = %q, want %q", c.pattern, c.data, i, got, want)
			}
		}
		if s, e := m.Group(len(c.want)); s != -1 || e != -1 {
			t.Errorf("%q: group beyond the last = %d, %d", c.pattern, s, e)
		}
		re.Match(m, []byte(c.data), 0, 0)
		if s, _ := m.Group(1); s != -1 {
			t.Errorf("%q: group 1 is there without WantGroups", c.pattern)
		}
	}
	re := mustCompile(t, `(?<one>a)(b)(?'three'c)`, 0)
	if g := re.GroupByName("three"); g != 3 {
		t.Errorf(`GroupByName("three") = %d, want 3`, g)
	}
	if g := re.GroupByName("two"); g != -1 {
		t.Errorf(`GroupByName("two") = %d, want -1`, g)
	}
	if n := re.Names(); len(n) != 2 || n[0] != (pcre.Name{Name: "one", Group: 1}) {
		t.Errorf("Names() = %v", n)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		pattern string
		pos     int
		err     error // sentinel it must wrap
	}{
		{`a**`, 2, nil}, {`*a`, 0, nil}, {`a|*`, 2, nil}, {`^*`, 1, nil}, {`a{2}{3}`, 4, nil},
		{`(`, 1, nil}, {`a)`, 1, nil}, {`(?:a`, 4, nil}, {`[a`, 2, nil}, {`\`, 1, nil},
		{`[z-a]`, 4, nil}, {`[\d-z]`, 4, nil}, {`[[:foo:]]`, 3, nil}, {`[:alpha:]`, 0, nil}, {`[[.a.]]`, 1, nil},
		{`a{2,1}`, 5, nil}, {`a{65536}`, 7, nil}, {`\x{100}`, 5, nil}, {`\400`, 4, nil}, {`\y`, 1, nil}, {`\c`, 2, nil},
		{`(?z)`, 2, nil}, {`(?<1>a)`, 3, nil}, {`(?<a>x)(?<a>y)`, 12, nil}, {`(?<=a+)b`, 7, nil}, {`(?(1)a|b|c)`, 8, nil},
		{`\1`, 1, pcre.ErrNoGroup}, {`(a)\2`, 4, pcre.ErrNoGroup}, {`\k<x>`, 1, pcre.ErrNoGroup}, {`(?1)`, 0, pcre.ErrNoGroup}, {`(?(2)a)`, 3, pcre.ErrNoGroup},
		{`(*UTF)a`, 0, pcre.ErrUnsupported}, {`(*THEN)a`, 0, pcre.ErrUnsupported}, {`\N{U+41}`, 0, pcre.ErrUnsupported}, {`(?*a)`, 0, pcre.ErrUnsupported},
		{strings.Repeat("(", 300) + strings.Repeat(")", 300), 250, pcre.ErrTooBig},
		{strings.Repeat("a", 70000), 65536, pcre.ErrTooBig},
		{strings.Repeat("a?", 32000) + strings.Repeat("(?:ab|c)*", 100), -1, nil}, // fits
		{strings.Repeat("(?:a|b{2})*", 5900), -1, nil},
	} {
		name := c.pattern[:min(len(c.pattern), 20)]
		_, err := pcre.Compile(c.pattern, 0)
		if c.pos < 0 {
			if err != nil {
				t.Errorf("Compile(%q) = %v, want none", name, err)
			}
			continue
		}
		var e *pcre.Error
		if !errors.As(err, &e) {
			t.Errorf("Compile(%q) = %v, want *Error", name, err)
			continue
		}
		if e.Pos != c.pos || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("Compile(%q) = %q (pos %d), want pos %d, %v", name, err, e.Pos, c.pos, c.err)
		}
	}
}

func TestKindAndRequired(t *testing.T) {
	for _, c := range []struct {
		pattern  string
		flags    pcre.Flags
		kind     string
		required string
		minLen   int
	}{
		{`/etc/passwd`, 0, "literal", "/etc/passwd", 11},
		{`^GET`, 0, "literal", "GET", 3},
		{`User-Agent\x3a`, pcre.Caseless, "literal", "user-agent:", 11},
		{`a[bc]d+`, 0, "dfa", "d", 3},
		{`(?:cmd|exec)=.{2,}`, 0, "dfa", "=", 6},
		{`(?:xfoo1|yfoo1z)`, 0, "dfa", "foo1", 5},
		{`(a)\1`, 0, "backtrack", "a", 2},
		{`foo(?=bar)`, 0, "backtrack", "foo", 3},
		{`(?>a|b)c`, 0, "dfa", "c", 2},
		{`(?>a|bc)d`, 0, "backtrack", "d", 2},
	} {
		re := mustCompile(t, c.pattern, c.flags)
		lit, _ := re.Required()
		if re.Kind() != c.kind || string(lit) != c.required || re.MinLen() != c.minLen {
			t.Errorf("%q: kind %s, required %q, min %d, want %s, %q, %d", c.pattern, re.Kind(), lit, re.MinLen(), c.kind, c.required, c.minLen)
		}
	}
}

// TestBlowUp: patterns that take exponential or worse time with plain backtracking stop.
func TestBlowUp(t *testing.T) {
	const n = 3000
	a := bytes.Repeat([]byte("a"), n)
	ab := append(append([]byte{}, a...), 'b')
	for _, c := range []struct {
		pattern string
		data    []byte
		ok      bool
		limit   bool
	}{
		{`(a+)+$`, ab, false, false},
		{`(?:a|aa)+$`, ab, false, false},
		{`(?:a*)*c`, ab, false, false},
		{`(.*)*x`, a, false, false},
		{`(?:.*a){20}x`, a, false, false},
		{`^(?:a?){60}a{60}$`, a[:60], true, false},
		{`(?:a+)+b`, ab, true, false},
		{`(x+x+)+y`, bytes.Repeat([]byte("x"), n), false, false},
		{`(a+)\1+\1+b?$`, append(bytes.Repeat([]byte("a"), 4001), 'c', 'd'), false, true},
		{`(?=(a+)+c)a`, a, false, false}, // c is needed only inside a look-ahead: a DFA cannot know
		{`^(?:(?=a)a|(?=a)a)*$`, ab, false, false},
	} {
		re := mustCompile(t, c.pattern, 0)
		m := pcre.NewMachine(pcre.Options{})
		_, _, ok := re.Match(m, c.data, 0, 0)
		if m.LimitHit {
			ok = c.ok
		}
		if ok != c.ok {
			t.Errorf("%q: match = %v, want %v", c.pattern, ok, c.ok)
		}
		if m.LimitHit && re.Kind() != "backtrack" {
			t.Errorf("%q: limit hit, but its kind is %s", c.pattern, re.Kind())
		}
		if c.limit && !m.LimitHit {
			t.Logf("%q: no limit hit", c.pattern)
		}
		if bound := uint64(2<<20 + 100*n); m.Stats.Work > bound {
			t.Errorf("%q: work %d is above %d", c.pattern, m.Stats.Work, bound)
		}
	}
}

// TestLinear: four times the subject costs about four times the work, not more.
func TestLinear(t *testing.T) {
	for _, c := range []struct{ pattern, unit string }{
		{`(?:a+)+$`, "a"}, {`a*b`, "a"}, {`[ab]*a[ab]{8}c`, "ab"}, {`(?:a|b)*a(?:a|b){12}c$`, "abb"},
		{`.*x.*y.*z`, "xy"}, {`(?s).*x.*y.*z`, "xy"}, {`\w+\s*=\s*\w+;`, "aaaa = "}, {`(?i)foo.*bar`, "foo ba "},
		{`(?m)^a.*b$`, "a b c\n"}, {`(\w+)=\1`, "ab=ac "}, {`(?:(?!<\/).)+x`, "</ab"}, {`(a+)\1b`, "a"}, {`(?<=a)(?:a|aa)+c`, "a"},
		{`(?:a?){30}b`, "a"}, {`(a|b)*?c(?=d)`, "ab"}, {`x*+y*+(?>x|y)*z`, "xy"}, {`\b\w+\b.*\b\w+!`, "ab cd "}, {`(?:ab|cd){200}e`, "abcd"},
		{`([a-z]+)(\d+)[^\1]+#`, "ab12"},
	} {
		re := mustCompile(t, c.pattern, 0)
		work := func(n int) (uint64, bool) {
			m := pcre.NewMachine(pcre.Options{MatchLimit: 1 << 30})
			data := []byte(strings.Repeat(c.unit, n/len(c.unit)))
			re.Match(m, data, 0, 0)
			return m.Stats.Work, m.LimitHit
		}
		small, l1 := work(8192)
		big, l2 := work(4 * 8192)
		switch {
		case l1 || l2: // given up at a bound that is linear in the subject itself
			if big > 5*small+(2<<20) {
				t.Errorf("%q: limit hit, and work %d -> %d", c.pattern, small, big)
			}
		case big > 6*small+20000:
			t.Errorf("%q (%s): work %d -> %d for four times the subject", c.pattern, re.Kind(), small, big)
		}
	}
}

func TestLimits(t *testing.T) {
	data := append(bytes.Repeat([]byte("ab"), 600), 'c')
	re := mustCompile(t, `^(?:(a)|(b))*?\1?d?c$`, 0)
	m := pcre.NewMachine(pcre.Options{MatchLimit: 100})
	if _, _, ok := re.Match(m, data, 0, 0); ok || !m.LimitHit || m.Stats.LimitHits != 1 {
		t.Errorf("with match limit 100: match %v, limit hit %v, counted %d", ok, m.LimitHit, m.Stats.LimitHits)
	}
	m.SetLimits(pcre.Options{MatchLimit: 100000})
	if _, _, ok := re.Match(m, data, 0, 0); !ok || m.LimitHit {
		t.Errorf("with match limit 100000: match %v, limit hit %v", ok, m.LimitHit)
	}
	deep := mustCompile(t, `^(\((?1)?\))$`, 0)
	nested := []byte(strings.Repeat("(", 500) + strings.Repeat(")", 500))
	for _, c := range []struct {
		depth int
		ok    bool
	}{{0, true}, {100, false}} {
		m := pcre.NewMachine(pcre.Options{DepthLimit: c.depth})
		if _, _, ok := deep.Match(m, nested, 0, 0); ok != c.ok || m.LimitHit == ok {
			t.Errorf("depth limit %d: match %v, limit hit %v", c.depth, ok, m.LimitHit)
		}
	}
	own := mustCompile(t, `(*LIMIT_MATCH=5)`+re.String(), 0)
	if _, _, ok := own.Match(m, data, 0, 0); ok || !m.LimitHit {
		t.Errorf("with (*LIMIT_MATCH=5): match %v, limit hit %v", ok, m.LimitHit)
	}
}

// TestNoAllocs: a warm Machine allocates nothing.
func TestNoAllocs(t *testing.T) {
	m := pcre.NewMachine(pcre.Options{})
	var res []*pcre.Regexp
	for _, p := range []string{`/etc/passwd`, `(?i)user-agent`, `[a-z]+=\d+;`, `(a+)+$`, `(\w+) \1`, `(?:(?!x).)*y`, `(?<n>a|b)+c`, `\((?:[^()]|(?R))*\)`, `(?:ab|cd){300}e`, `(?<=a|bc)d`} {
		res = append(res, mustCompile(t, p, 0))
	}
	data := []byte(strings.Repeat("GET /a=1;aaaaaab (x(y)z) word word ", 40))
	if n := testing.AllocsPerRun(20, func() {
		for _, re := range res {
			re.Match(m, data, 0, pcre.WantGroups)
			re.Match(m, data, 3, pcre.OnlyWhether)
		}
	}); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

// TestShared: a Regexp serves many goroutines, and the answers are the same each time.
func TestShared(t *testing.T) {
	re := mustCompile(t, `(?i)(\w+)=(?:\d+|[a-f]{2,})*;\s*\1`, 0)
	data := []byte(strings.Repeat("abc=12ff;x ", 50) + "KEY=12ab; key")
	var wg sync.WaitGroup
	got := make([]int, 8)
	for i := range got {
		wg.Add(1)
		go func() {
			defer wg.Done()
			m := pcre.NewMachine(pcre.Options{})
			for range 20 {
				start, end, ok := re.Match(m, data, 0, pcre.WantGroups)
				if !ok {
					start = -1000
				}
				got[i] += start*3 + end
			}
		}()
	}
	wg.Wait()
	for _, g := range got {
		if g != got[0] || g < 0 {
			t.Fatalf("answers differ: %v", got)
		}
	}
}

// TestMachineKeepsNoHistory: what a Machine has matched before has no bearing on an answer.
func TestMachineKeepsNoHistory(t *testing.T) {
	ps := []string{`(?:a|b)*a(?:a|b){12}c$`, `(a+)+$`, `x.*y.*z`, `\b(?:foo|bar)+\b$`, `(\w)\1+x`}
	old := pcre.NewMachine(pcre.Options{})
	old.Eager()
	for i := 0; i < 300; i++ {
		data := []byte(strings.Repeat("abaabbfoobarxyz "[i%7:], 1+i%9))
		for _, p := range ps {
			re := mustCompile(t, p, 0)
			fresh := pcre.NewMachine(pcre.Options{})
			fresh.Eager()
			s1, e1, ok1 := re.Match(old, data, i%3, 0)
			s2, e2, ok2 := re.Match(fresh, data, i%3, 0)
			if s1 != s2 || e1 != e2 || ok1 != ok2 || old.LimitHit != fresh.LimitHit {
				t.Fatalf("%q on %q: %d %d %v with history, %d %d %v without", p, data, s1, e1, ok1, s2, e2, ok2)
			}
		}
		if i%50 == 0 {
			old.Forget()
		}
	}
}
