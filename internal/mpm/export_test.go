package mpm

// Engines returns the names of the filter engines of this processor, plain Go first.
func Engines() []string {
	return []string{"go", "avx2"}[:bestEngine()+1]
}

// WithEngine returns m with engine number e of Engines.
func (m *Matcher) WithEngine(e int) *Matcher {
	c := *m
	c.engine = engine(e)
	return &c
}
