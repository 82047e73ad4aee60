package pcre_test

// shrink cuts pieces out of pattern and data as long as bad still says that they are,
// so that a failure can be read.
func shrink(pattern string, data []byte, bad func(string, []byte) bool) (string, []byte) {
	for changed := true; changed; {
		changed = false
		for size := len(pattern) / 2; size > 0; size-- {
			for i := 0; i+size <= len(pattern); i++ {
				if p := pattern[:i] + pattern[i+size:]; bad(p, data) {
					pattern, changed = p, true
					break
				}
			}
			size = min(size, len(pattern))
		}
		for i := 0; i < len(data); i++ {
			d := append(append([]byte{}, data[:i]...), data[i+1:]...)
			if bad(pattern, d) {
				data, changed = d, true
				i--
			}
		}
	}
	return pattern, data
}
