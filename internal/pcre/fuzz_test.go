package pcre

import (
	"errors"
	"testing"
)

func seeds(f *testing.F) []string {
	f.Helper()
	return []string{
		`/etc/passwd`, `^(?:GET|POST)\s+/[a-z]+\.php\?id=\d+`, `(?P<var>[a-z0-9]{1,25})\s*=\s*(?P=var)`,
		`^((?!(?i:<\/applet>)).)+?[\r\n\s]value[\r\n\s]*?=`, `(?(?=\x7b)\x7b[^\x7d]*\x7d|\S[^\x3b]*\x3b)`,
		`[\x22\x27]?(\d{2,3})?(?P<sep>([^a-zA-Z0-9]{1,100}|[a-zA-Z0-9]{1,100}))\d{2,3}((?P=sep)\d{2,3}){20}`,
		`(a+)+$`, `(?>a|bc)*+\1?`, `\((?:[^()]|(?R))*\)`, `(?|(a)|(b))\1(?<=ab|c)`, `(?<=a{1,3})b(?<!c)`,
		`[[:^alpha:]\d\Q]\E-]{2,}?\x{ff}\o{12}\cA\R\X\N\K`, `(*ANYCRLF)^a(*SKIP)b$`, `(?#c)(?xx-i:a b [c d])`,
		`(?(DEFINE)(?<d>\d+))(?&d)-\g<d>`, `(?:(?:a{2}){3}){40}`, `a{0}b{,2}c{65535}`, `\p{Lu}\PL[\p{^L}]`,
	}
}

// FuzzCompile: any pattern compiles within bounds or is refused with a position in it,
// and what compiles can be matched.
func FuzzCompile(f *testing.F) {
	for i, s := range seeds(f) {
		f.Add(s, uint16(i*37))
	}
	m := NewMachine(Options{})
	data := []byte("GET /index.php?id=12&name=aab HTTP/1.1\r\nHost: a\r\n\r\n\x00\xff(a(b))")
	f.Fuzz(func(t *testing.T, pattern string, flags uint16) {
		re, err := Compile(pattern, Flags(flags)&(1<<9-1))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Compile(%q) = %v, not an *Error", pattern, err)
			}
			if e.Pos < 0 || e.Pos > len(pattern) {
				t.Fatalf("Compile(%q): position %d of %d", pattern, e.Pos, len(pattern))
			}
			return
		}
		if len(re.prog) > maxInsts || re.Size() > 8<<20 {
			t.Fatalf("%q: %d instructions, %d bytes", pattern, len(re.prog), re.Size())
		}
		for from := 0; from < 2; from++ {
			checkMatch(t, re, m, data, from)
		}
		m.Forget()
	})
}

// checkMatch matches and checks what must always hold of an answer.
func checkMatch(t *testing.T, re *Regexp, m *Machine, data []byte, from int) bool {
	t.Helper()
	work := m.Stats.Work
	start, end, ok := re.Match(m, data, from, WantGroups)
	if bound := uint64(3*workBase + 4*workPerByte*len(data)); m.Stats.Work-work > bound {
		t.Fatalf("%q on %q: work %d", re, data, m.Stats.Work-work)
	}
	if !ok {
		return false
	}
	if m.LimitHit || start < 0 || end > len(data) || start > end || end < from {
		t.Fatalf("%q on %q from %d: match [%d:%d], limit hit %v", re, data, from, start, end, m.LimitHit)
	}
	for g := 0; g <= re.NumGroups(); g++ {
		s, e := m.Group(g)
		if s > e || s < -1 || e > len(data) || (s < 0) != (e < 0) {
			t.Fatalf("%q on %q from %d: group %d = [%d:%d]", re, data, from, g, s, e)
		}
	}
	return true
}

// FuzzMatch: the engine gives the answer of its slow twin, the same with the help of
// the DFA and the memory of failures as without, and leaves the subject alone.
func FuzzMatch(f *testing.F) {
	for i, s := range seeds(f) {
		f.Add(s, uint16(i*53), []byte("GET /x.php?id=1 aab\r\n"), uint8(i%3))
		f.Add(s, uint16(0), []byte("aaabbcab12-34"), uint8(0))
	}
	lazy, eager := NewMachine(Options{}), NewMachine(Options{})
	eager.Eager()
	f.Fuzz(func(t *testing.T, pattern string, flags uint16, data []byte, from uint8) {
		if len(pattern) > 400 || len(data) > 200 {
			return
		}
		fl, at := Flags(flags)&(1<<8-1), min(int(from), len(data))
		re, err := Compile(pattern, fl)
		if err != nil {
			return
		}
		before := string(data)
		a := checkMatch(t, re, lazy, data, at)
		b := checkMatch(t, re, eager, data, at)
		if a != b && !lazy.LimitHit && !eager.LimitHit {
			t.Fatalf("%q flags %#x on %q from %d: %v, with help %v", pattern, fl, data, at, a, b)
		}
		if string(data) != before {
			t.Fatalf("%q changed the subject", pattern)
		}
		agreeWithTwin(t, eager, pattern, fl, data, at)
		eager.Forget()
	})
}
