package pcre_test

import (
	"fmt"
	"regexp"
	"testing"

	"mirador/internal/pcre"
)

var callsGroup = regexp.MustCompile(`\(\?[0-9R]`)

// tally counts how two engines compare.
type tally struct {
	pairs, matches, differ, onlyOurLimit, onlyTheirLimit, bothLimit int
}

// compare matches data with both engines and returns what is wrong, or "". A limit hit
// on one side only is counted, not wrong.
func (c *tally) compare(re *pcre.Regexp, ref *reference, m *pcre.Machine, data []byte, from int, strict bool) string {
	c.pairs++
	rc, want := ref.match(data, from, re.NumGroups(), strict)
	start, end, ok := re.Match(m, data, from, pcre.WantGroups)
	limited := m.LimitHit
	switch theirs := rc < pcre2NoMatch; {
	case theirs && limited:
		c.bothLimit++
		return ""
	case theirs:
		c.onlyTheirLimit++
		return ""
	case limited:
		c.onlyOurLimit++
		return ""
	}
	if ok != (rc > 0) {
		c.differ++
		return fmt.Sprintf("match = %v [%d:%d], PCRE2 %d %v", ok, start, end, rc, want)
	}
	_, _, whether := re.Match(m, data, from, pcre.OnlyWhether)
	if whether != ok && !m.LimitHit {
		c.differ++
		return fmt.Sprintf("OnlyWhether = %v, else %v", whether, ok)
	}
	if !ok {
		return ""
	}
	c.matches++
	re.Match(m, data, from, pcre.WantGroups)
	groups := re.NumGroups()
	if callsGroup.MatchString(re.String()) {
		groups = 0 // the interpreter of 10.42 leaves groups set that a call has set, the JIT does not
	}
	for g := 0; g <= groups; g++ {
		s, e := m.Group(g)
		ws, we := want[2*g], want[2*g+1]
		if s != ws || e != we {
			c.differ++
			return fmt.Sprintf("group %d = [%d:%d], PCRE2 [%d:%d]", g, s, e, ws, we)
		}
	}
	if start != want[0] || end != want[1] {
		c.differ++
		return fmt.Sprintf("match [%d:%d], PCRE2 [%d:%d]", start, end, want[0], want[1])
	}
	return ""
}

// differs compiles pattern with both engines and compares them on data. It returns what
// is wrong when PCRE2 agrees neither with its optimisations nor without: 10.42 misses
// the match of ((-)?+bc[b]?){2} in "bcbc" with them.
func (o *oracle) differs(m *pcre.Machine, pattern string, flags pcre.Flags, data []byte, from int) string {
	re, err := pcre.Compile(pattern, flags)
	if err != nil {
		return ""
	}
	msg := ""
	for _, head := range []string{"", "(*NO_AUTO_POSSESS)(*NO_START_OPT)"} {
		ref, _, _ := o.new(head+pattern, flags, false)
		if ref == nil {
			return ""
		}
		msg = new(tally).compare(re, ref, m, data, from, false)
		ref.close()
		if msg == "" {
			return ""
		}
	}
	return msg
}

// TestCorpusAgainstPCRE2 runs every pattern of ET Open and of the suite over payloads
// from the captures.
func TestCorpusAgainstPCRE2(t *testing.T) {
	o := needOracle(t)
	ps := unique(append(etPatterns(t), suitePatterns(t)...))
	bufs := payloads(t, 3000, 4096)
	step := max(1, 60*284000/rounds(t, 284000))
	lazy, eager := pcre.NewMachine(pcre.Options{}), pcre.NewMachine(pcre.Options{})
	eager.Eager()
	var c tally
	kinds := make(map[string]int)
	for i, p := range ps {
		re, err := pcre.Compile(p.body, p.flags)
		if err != nil {
			continue
		}
		kinds[re.Kind()]++
		ref, code, _ := o.new(p.body, p.flags, true)
		if ref == nil {
			t.Fatalf("%s: PCRE2 error %d", p.line, code)
		}
		for j := i % step; j < len(bufs); j += step {
			m := lazy
			if j/step%3 == 0 {
				m = eager
			}
			if msg := c.compare(re, ref, m, bufs[j], 0, true); msg != "" && c.differ < 20 {
				t.Errorf("%s\non %.200q: %s", p.line, bufs[j], msg)
			}
		}
		ref.close()
		if i%500 == 0 {
			eager.Forget()
		}
	}
	t.Logf("%+v %v %+v %+v", c, kinds, lazy.Stats, eager.Stats)
	if c.matches < c.pairs/200 {
		t.Errorf("only %d of %d pairs match: the test shows little", c.matches, c.pairs)
	}
}
