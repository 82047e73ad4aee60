package detect

// Reset forgets the state across hosts and flows (thresholds, xbits, hostbits,
// tags), as if the engine had just started. Names and datasets stay.
func (s *Shared) Reset() {
	for i := range s.limits {
		l := &s.limits[i]
		l.mu.Lock()
		clear(l.m)
		l.mu.Unlock()
	}
	for i := range s.bits {
		b := &s.bits[i]
		b.mu.Lock()
		clear(b.m)
		b.mu.Unlock()
	}
	for i := range s.tags {
		t := &s.tags[i]
		t.mu.Lock()
		clear(t.m)
		t.mu.Unlock()
	}
	s.tagged.Store(false)
}
