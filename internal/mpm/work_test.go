package mpm_test

import (
	"testing"

	"mirador/internal/mpm"
)

// TestWorkReport logs how often the filter lets positions through.
func TestWorkReport(t *testing.T) {
	for _, s := range scenarios(t) {
		m := buildET(s.patterns)
		h := mpm.NewHits(m.IDs())
		hits := 0
		for _, d := range s.data {
			h.Reset()
			m.Scan(d, h)
			hits += len(h.IDs)
		}
		var short, one int
		for _, p := range s.patterns {
			if len(p.data) < 4 {
				short++
			}
			if len(p.data) == 1 {
				one++
			}
		}
		t.Logf("%s-%d: short %d one %d work/byte %.4f hits/byte %.5f  bytes/buf %d", s.name, len(s.patterns), short, one, float64(h.Work)/float64(bytesOf(s.data)), float64(hits)/float64(bytesOf(s.data)), bytesOf(s.data)/int64(len(s.data)))
	}
}
