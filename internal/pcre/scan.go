package pcre

import "bytes"

// scan finds the positions at which a match can start.
type scan struct {
	re     *Regexp
	data   []byte
	from   int
	last   int // no match can start after it
	hit    int // where the required literal stands, at or after the present start
	lo, up int // where the rare byte's lower and upper case stand next
}

// next returns the first position at or after at where a match can start.
func (s *scan) next(at int) (int, bool) {
	re := s.re
	for at <= s.last {
		p, ok := s.anchored(at)
		if !ok || p > s.last {
			return 0, false
		}
		if p, ok = s.literal(p); !ok || p > s.last {
			return 0, false
		}
		q, ok := s.begins(p)
		switch {
		case !ok && re.anchor == anchorNone:
			return 0, false
		case !ok:
			at = p + 1
		case s.hit >= 0 && q+re.need.min > s.hit:
			at = q // the literal is needed again further on
		case re.skips && q > s.from && re.sets[re.skip].has(s.data[q-1]):
			for at = q + 1; at <= s.last && re.sets[re.skip].has(s.data[at-1]); {
				at++
			}
		default:
			return q, true
		}
	}
	return 0, false
}

// anchored returns the first position from at on that the pattern's anchor allows.
func (s *scan) anchored(at int) (int, bool) {
	switch s.re.anchor {
	case anchorText:
		return at, at == 0
	case anchorStart:
		return at, at == s.from
	case anchorLine:
		if at == 0 || s.data[at-1] == '\n' {
			return at, true
		}
		i := bytes.IndexByte(s.data[at:], '\n')
		return at + i + 1, i >= 0
	}
	return at, true
}

// literal returns the first position from at on that is not too far from the required
// literal, and keeps where that is.
func (s *scan) literal(at int) (int, bool) {
	l := &s.re.need
	if len(l.text) == 0 || s.re.anchor == anchorText || s.re.anchor == anchorStart {
		return at, true // a pattern that starts at one place finds out by itself
	}
	if s.hit < at+l.min {
		if s.hit = s.find(l, at+l.min); s.hit < 0 {
			return 0, false
		}
	}
	if s.re.anchor == anchorNone && l.max != inf && s.hit-l.max > at {
		return s.hit - l.max, true
	}
	return at, true
}

// lacks tells whether a literal that every match contains is missing at or after at.
func (s *scan) lacks(at int) bool {
	if l := &s.re.need; len(l.text) > 0 && at+l.min > s.hit {
		s.lo, s.up = 0, 0
		if s.find(l, at+l.min) < 0 {
			return true
		}
	}
	for i := range s.re.also {
		l := &s.re.also[i]
		s.lo, s.up = 0, 0
		if s.find(l, at+l.min) < 0 {
			return true
		}
	}
	s.lo, s.up = 0, 0
	return false
}

// begins returns the first position from p on whose bytes a match can begin with. When
// the pattern has an anchor only p itself is looked at.
func (s *scan) begins(p int) (int, bool) {
	re := s.re
	if re.first == 0 {
		return p, true
	}
	end := min(s.last+1, len(s.data))
	if p >= end {
		return 0, false
	}
	set, second, third := &re.sets[re.first], &re.sets[re.then[0]], &re.sets[re.then[1]]
	data := s.data
	for ; p < end; p++ {
		if re.oneFirst && re.anchor == anchorNone {
			i := bytes.IndexByte(data[p:end], re.firstByte)
			if i < 0 {
				return 0, false
			}
			p += i
		}
		if set.has(data[p]) && (re.then[0] == 0 || second.has(data[p+1])) && (re.then[1] == 0 || third.has(data[p+2])) {
			return p, true
		}
		if re.anchor != anchorNone {
			break
		}
	}
	return 0, false
}

// find returns where l stands at or after at, or -1.
func (s *scan) find(l *literal, at int) int {
	data := s.data
	if at > len(data)-len(l.text) {
		return -1
	}
	if !l.fold && l.common {
		i := bytes.Index(data[at:], l.text)
		if i < 0 {
			return -1
		}
		return at + i
	}
	c := l.text[l.rare]
	letter := l.fold && isLetter(c)
	end := len(data) - len(l.text) + l.rare + 1 // after the last place of the rare byte
	for at += l.rare; ; at++ {
		s.lo = nextByte(data, at, end, s.lo, c)
		p := s.lo
		if letter {
			s.up = nextByte(data, at, end, s.up, c-32)
			p = min(p, s.up)
		}
		if p >= end {
			return -1
		}
		at = p
		start := at - l.rare
		if piece := data[start : start+len(l.text)]; l.fold && equalFold(piece, l.text) || !l.fold && string(piece) == string(l.text) {
			return start
		}
	}
}

// nextByte returns the first place of c in data from at to end, or end; known is the
// answer to an earlier question, 0 when there was none.
func nextByte(data []byte, at, end, known int, c byte) int {
	if known >= at && known > 0 {
		return known
	}
	if at >= end {
		return end
	}
	i := bytes.IndexByte(data[at:end], c)
	if i < 0 {
		return end
	}
	return at + i
}

// equalFold compares data with text, which is in lower case.
func equalFold(data, text []byte) bool {
	for i, c := range text {
		if lower(data[i]) != c {
			return false
		}
	}
	return true
}
