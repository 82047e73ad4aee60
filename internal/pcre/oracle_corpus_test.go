package pcre_test

import (
	"testing"

	"mirador/internal/pcre"
)

// TestCorpusCompiles: every pattern of ET Open and of the suite compiles here exactly
// when it does in PCRE2.
func TestCorpusCompiles(t *testing.T) {
	ps := unique(append(etPatterns(t), suitePatterns(t)...))
	o := loadOracle()
	bad := 0
	for _, p := range ps {
		_, err := pcre.Compile(p.body, p.flags)
		code := 0
		if o != nil {
			var r *reference
			if r, code, _ = o.new(p.body, p.flags, false); r != nil {
				r.close()
			}
		}
		if (err != nil) != (code != 0) {
			if bad++; bad < 20 {
				t.Errorf("%s: error %v, PCRE2 error %d", p.line, err, code)
			}
		}
	}
	t.Logf("%d patterns, %d differ", len(ps), bad)
}
