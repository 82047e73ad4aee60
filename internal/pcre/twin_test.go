package pcre

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// twin matches by following the nodes with a function for "what comes next". It is
// slow, has no filter, no memory and no automaton, and is only here to be right.
type twin struct {
	p     *parser
	data  []byte
	from  int
	caps  []int
	keep  int
	steps int
}

type twinTooLong struct{}

// twinMatch returns the offsets of the groups, nil for no match; done is false when it
// took too long.
func twinMatch(pattern string, flags Flags, data []byte, from int) (caps []int, done bool) {
	p, root, err := parsePattern(pattern, flags)
	if err != nil {
		return nil, false
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(twinTooLong); !ok {
				panic(r)
			}
			caps, done = nil, false
		}
	}()
	for s := from; s <= len(data); s++ {
		t := &twin{p: p, data: data, from: from, keep: s, caps: make([]int, 2*(p.groups+1))}
		for i := range t.caps {
			t.caps[i] = -1
		}
		end := -1
		if t.node(root, s, func(e int) bool { end = e; return true }) {
			t.caps[0], t.caps[1] = t.keep, end
			return t.caps, true
		}
		if flags&Anchored != 0 {
			break
		}
	}
	return nil, true
}

func (t *twin) node(n *node, pos int, next func(int) bool) bool {
	if t.steps++; t.steps > 20000 {
		panic(twinTooLong{})
	}
	switch n.op {
	case nByte, nSet:
		s, _ := single(n)
		return pos < len(t.data) && s.has(t.data[pos]) && next(pos+1)
	case nCat:
		return t.cat(n.sub, pos, next)
	case nAlt:
		for _, s := range n.sub {
			if t.node(s, pos, next) {
				return true
			}
		}
		return false
	case nRepeat:
		if n.mode == repPossessive {
			return t.alone(func(k func(int) bool) bool { return t.repeat(n, 0, pos, k) }, next)
		}
		return t.repeat(n, 0, pos, next)
	case nGroup:
		return t.node(n.sub[0], pos, func(e int) bool {
			s0, e0 := t.caps[2*n.n], t.caps[2*n.n+1]
			t.caps[2*n.n], t.caps[2*n.n+1] = pos, e
			if next(e) {
				return true
			}
			t.caps[2*n.n], t.caps[2*n.n+1] = s0, e0
			return false
		})
	case nAtomic:
		return t.alone(func(k func(int) bool) bool { return t.node(n.sub[0], pos, k) }, next)
	case nLook:
		saved := append([]int(nil), t.caps...)
		if t.look(n, pos) != n.neg {
			if n.neg {
				copy(t.caps, saved)
			}
			if next(pos) {
				return true
			}
		}
		copy(t.caps, saved)
		return false
	case nBackref:
		return t.backref(n, pos, next)
	case nCond:
		saved := append([]int(nil), t.caps...)
		holds := n.n == condTrue
		switch n.n {
		case condGroup:
			for _, g := range n.groups {
				holds = holds || t.caps[2*g] >= 0
			}
		case condLook:
			holds = t.look(n.sub[2], pos) != n.sub[2].neg
			if n.sub[2].neg {
				copy(t.caps, saved)
			}
		}
		way := n.sub[1]
		if holds {
			way = n.sub[0]
		}
		if t.node(way, pos, next) {
			return true
		}
		copy(t.caps, saved)
		return false
	case nAssert:
		return t.assert(n.c, pos) && next(pos)
	case nKeep:
		saved := t.keep
		t.keep = pos
		if next(pos) {
			return true
		}
		t.keep = saved
		return false
	case nVerb: // only (*FAIL) gets here
		return false
	}
	return next(pos)
}

func (t *twin) cat(sub []*node, pos int, next func(int) bool) bool {
	if len(sub) == 0 {
		return next(pos)
	}
	return t.node(sub[0], pos, func(e int) bool { return t.cat(sub[1:], e, next) })
}

func (t *twin) repeat(n *node, count, pos int, next func(int) bool) bool {
	more := func() bool {
		return count < n.max && t.node(n.sub[0], pos, func(e int) bool {
			if e == pos && n.max == inf && count+1 >= n.min {
				return next(e)
			}
			return t.repeat(n, count+1, e, next)
		})
	}
	switch {
	case count < n.min:
		return more()
	case n.mode == repLazy:
		return next(pos) || more()
	}
	return more() || next(pos)
}

// alone lets body match as it does by itself, and goes on from there.
func (t *twin) alone(body func(func(int) bool) bool, next func(int) bool) bool {
	saved := append([]int(nil), t.caps...)
	keep, end := t.keep, 0
	if body(func(e int) bool { end = e; return true }) && next(end) {
		return true
	}
	copy(t.caps, saved)
	t.keep = keep
	return false
}

func (t *twin) look(n *node, pos int) bool {
	if !n.behind {
		return t.node(n.sub[0], pos, func(int) bool { return true })
	}
	subs := []*node{n.sub[0]}
	if n.sub[0].op == nAlt {
		subs = n.sub[0].sub
	}
	for _, s := range subs {
		for from := max(0, pos-maxLookbehind); from <= pos; from++ {
			if t.node(s, from, func(e int) bool { return e == pos }) {
				return true
			}
		}
	}
	return false
}

func (t *twin) backref(n *node, pos int, next func(int) bool) bool {
	for _, g := range n.groups {
		if s, e := t.caps[2*g], t.caps[2*g+1]; s >= 0 {
			want, end := string(t.data[s:e]), pos+e-s
			if end > len(t.data) {
				return false
			}
			got := string(t.data[pos:end])
			if n.fold {
				want, got = asciiLower(want), asciiLower(got)
			}
			return want == got && next(end)
		}
	}
	return false
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

func (t *twin) assert(k assertKind, pos int) bool {
	d, n := t.data, len(t.data)
	word := func(i int) bool {
		return i >= 0 && i < n && strings.IndexByte("_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", d[i]) >= 0
	}
	switch k {
	case asBOT:
		return pos == 0
	case asBOL:
		return pos == 0 || pos < n && d[pos-1] == '\n'
	case asEOT:
		return pos == n
	case asEOTL:
		return pos == n || pos == n-1 && d[pos] == '\n'
	case asEOL:
		return pos == n || d[pos] == '\n'
	case asStart:
		return pos == t.from
	case asWord:
		return word(pos-1) != word(pos)
	case asNotWord:
		return word(pos-1) == word(pos)
	}
	panic("assertion the twin does not know")
}

// knownToTwin tells whether the twin can judge a pattern.
func knownToTwin(pattern string, flags Flags) bool {
	p, _, err := parsePattern(pattern, flags)
	return err == nil && !p.recursion && !p.verbs && !p.accept && !p.selfRef && p.opts == patternOpts{}
}

// agreeWithTwin fails when the engine and the twin differ.
func agreeWithTwin(t *testing.T, m *Machine, pattern string, flags Flags, data []byte, from int) (judged, matched bool) {
	t.Helper()
	re, err := Compile(pattern, flags)
	if err != nil || !knownToTwin(pattern, flags) {
		return false, false
	}
	want, done := twinMatch(pattern, flags, data, from)
	_, _, ok := re.Match(m, data, from, WantGroups)
	if !done || m.LimitHit {
		return false, false
	}
	if ok != (want != nil) {
		t.Fatalf("%q (flags %#x) on %q from %d: match = %v, twin %v", pattern, flags, data, from, ok, want)
	}
	if ok {
		for g := 0; g <= re.NumGroups(); g++ {
			if s, e := m.Group(g); s != want[2*g] || e != want[2*g+1] {
				t.Fatalf("%q (flags %#x) on %q from %d: group %d = [%d:%d], twin %v", pattern, flags, data, from, g, s, e, want)
			}
		}
	}
	if _, _, whether := re.Match(m, data, from, OnlyWhether); whether != ok && !m.LimitHit {
		t.Fatalf("%q (flags %#x) on %q from %d: OnlyWhether = %v, twin %v", pattern, flags, data, from, whether, want)
	}
	return true, ok
}

// TestTwin compares the engine with the twin on random patterns made of pieces.
func TestTwin(t *testing.T) {
	pieces := []string{"a", "b", "c", "A", ".", `\n`, "[ab]", "[^a]", `\w`, `\W`, "(", "(", "(?:", "(?:", "(?>", "(?=", "(?!", "(?<=", "(?<!", "(?i:",
		")", ")", ")", ")", ")", ")", ")", "|", "|", "*", "*", "+", "+", "?", "??", "*?", "+?", "*+", "++", "{2}", "{0,2}", "{2,}", "{1,70}", "^", "$", `\b`, `\B`, `\1`, `\2`, `\K`, "(?(1)", "(?|", "abc", "aa", `\Z`}
	lazy, eager := NewMachine(Options{}), NewMachine(Options{})
	eager.Eager()
	rnd := rand.New(rand.NewPCG(3, 4))
	judged, matches := 0, 0
	rounds := 80000
	if testing.Short() {
		rounds = 20000
	}
	for i := 0; i < rounds; i++ {
		var b strings.Builder
		for n := 1 + rnd.IntN(14); n > 0; n-- {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		pattern := b.String()
		if open := strings.Count(pattern, "(") - strings.Count(pattern, ")"); open > 0 {
			pattern += strings.Repeat(")", open)
		}
		flags := Flags(rnd.IntN(128))
		if _, err := Compile(pattern, flags); err != nil {
			continue
		}
		for j := 0; j < 4; j++ {
			data := make([]byte, rnd.IntN(12))
			for k := range data {
				data[k] = "aaabbcA\n "[rnd.IntN(9)]
			}
			m := lazy
			if j%2 == 0 {
				m = eager
			}
			ok, hit := agreeWithTwin(t, m, pattern, flags, data, rnd.IntN(len(data)/2+1))
			if ok {
				judged++
			}
			if hit {
				matches++
			}
		}
		if i%1000 == 0 {
			eager.Forget()
		}
	}
	t.Logf("judged %d pairs, %d match, %+v", judged, matches, eager.Stats)
	if matches < rounds/10 {
		t.Errorf("only %d matches: the test shows little", matches)
	}
}
