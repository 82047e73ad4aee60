package pcre

import "bytes"

// longRun is the length in bytes from which the end of a loop's run is kept.
const longRun = 16

// runOf returns how far a loop over single bytes can go from pos, at most in.y bytes.
// The last long run is kept: the next start positions often lie in it.
func (m *Machine) runOf(re *Regexp, in *inst, data []byte, pos int) int {
	if in.y != inf {
		end := re.runOfAtMost(in, data, pos, int(in.y))
		m.work += 1 + (end-pos)>>3
		return end
	}
	m.work++
	if in == m.runIn && pos >= m.runStart && pos <= m.runEnd {
		return m.runEnd
	}
	end := re.runTo(in, data, pos, len(data))
	if end-pos >= longRun {
		m.runIn, m.runStart, m.runEnd = in, pos, end
		m.work += (end - pos) >> 3
	}
	return end
}

func (re *Regexp) runOfAtMost(in *inst, data []byte, pos, most int) int {
	end := len(data)
	if most < end-pos {
		end = pos + most
	}
	return re.runTo(in, data, pos, end)
}

func (re *Regexp) runTo(in *inst, data []byte, pos, end int) int {
	if in.flag&(loopAny|loopBut) != 0 {
		if in.flag&loopAny != 0 {
			return end
		}
		i := bytes.IndexByte(data[pos:end], in.but)
		if i < 0 {
			return end
		}
		return pos + i
	}
	set := &re.sets[in.set]
	for ; pos < end; pos++ {
		if !set.has(data[pos]) {
			break
		}
	}
	return pos
}

// giveBack returns the last position from lo to hi at which what follows the loop can
// begin, or -1.
func (re *Regexp) giveBack(in *inst, data []byte, lo, hi int) int {
	if in.fs == 0 {
		return hi
	}
	if hi == len(data) {
		if in.flag&loopEnd != 0 {
			return hi
		}
		hi--
	}
	if hi < lo {
		return -1
	}
	if in.flag&loopOne != 0 {
		if data[hi] == in.next {
			return hi
		}
		i := bytes.LastIndexByte(data[lo:hi], in.next)
		if i < 0 {
			return -1
		}
		return lo + i
	}
	set := &re.sets[in.fs]
	for ; hi >= lo; hi-- {
		if set.has(data[hi]) {
			return hi
		}
	}
	return -1
}

// takeMore returns the first position from pos to end at which what follows a lazy
// loop can begin and up to which the loop can go, or -1. With the memory of failures
// on it passes only over positions that are new.
func (m *Machine) takeMore(re *Regexp, in *inst, data []byte, pos, end int) int {
	if in.y == inf && m.memoOn && in.memo != 0 {
		return m.takeMoreNew(re, in, data, pos, end)
	}
	if in.fs == 0 {
		return pos
	}
	if in.flag&loopOne != 0 && in.flag&loopAny != 0 {
		stop := min(end+1, len(data))
		if pos < stop {
			if i := bytes.IndexByte(data[pos:stop], in.next); i >= 0 {
				return pos + i
			}
		}
		if end == len(data) && in.flag&loopEnd != 0 && pos <= end {
			return end
		}
		return -1
	}
	set, follow := &re.sets[in.set], &re.sets[in.fs]
	for ; ; pos++ {
		if pos >= len(data) {
			if pos == len(data) && in.flag&loopEnd != 0 {
				return pos
			}
			return -1
		}
		if follow.has(data[pos]) {
			return pos
		}
		if pos >= end || !set.has(data[pos]) {
			return -1
		}
	}
}

func (m *Machine) takeMoreNew(re *Regexp, in *inst, data []byte, pos, end int) int {
	set, follow := &re.sets[in.set], &re.sets[in.fs]
	for ; !m.seen(in.memo, pos); pos++ {
		if pos >= len(data) {
			if in.flag&loopEnd != 0 || in.fs == 0 {
				return pos
			}
			return -1
		}
		if follow.has(data[pos]) {
			return pos
		}
		if pos >= end || !set.has(data[pos]) {
			return -1
		}
	}
	return -1
}

// mark notes that a greedy loop stands at the positions lo to hi, and returns the last
// one before the first it has stood at already: from there on all has failed.
func (m *Machine) mark(place uint16, lo, hi int) int {
	for p := lo; p <= hi; p++ {
		if m.seen(place, p) {
			return p - 1
		}
	}
	return hi
}

// seenRun is the same for a loop that gives nothing back: once it has run over a
// position it ends where it has ended before.
func (m *Machine) seenRun(in *inst, lo, hi int) bool {
	return m.mark(in.memo, lo, hi) < hi
}
