package mpm_test

import "slices"

// ac is a plain Aho-Corasick automaton over folded bytes: the twin of Scan.
type ac struct {
	next     [][256]int32
	out      [][]int32
	patterns []pattern
}

func fold(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 0x20
	}
	return c
}

func newAC(list []pattern) *ac {
	a := &ac{next: make([][256]int32, 1), out: make([][]int32, 1), patterns: list}
	for id, p := range list {
		s := int32(0)
		for _, c := range p.data {
			c = fold(c)
			if a.next[s][c] == 0 {
				a.next = append(a.next, [256]int32{})
				a.out = append(a.out, nil)
				a.next[s][c] = int32(len(a.next) - 1)
			}
			s = a.next[s][c]
		}
		a.out[s] = append(a.out[s], int32(id))
	}
	fail := make([]int32, len(a.next))
	var queue []int32
	for _, s := range a.next[0] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		a.out[s] = append(a.out[s], a.out[fail[s]]...)
		for c, to := range a.next[s] {
			if to == 0 {
				a.next[s][c] = a.next[fail[s]][c]
				continue
			}
			fail[to] = a.next[fail[s]][c]
			queue = append(queue, to)
		}
	}
	return a
}

func (a *ac) scan(data []byte) []uint32 {
	var ids []uint32
	seen := map[int32]bool{}
	s := int32(0)
	for i, c := range data {
		s = a.next[s][fold(c)]
		for _, id := range a.out[s] {
			p := a.patterns[id]
			if !seen[id] && (p.nocase || string(data[i+1-len(p.data):i+1]) == string(p.data)) {
				seen[id] = true
				ids = append(ids, uint32(id))
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// count is scan without the work of the twin, for benchmarks.
func (a *ac) count(data []byte) int {
	n := 0
	s := int32(0)
	for _, c := range data {
		s = a.next[s][fold(c)]
		n += len(a.out[s])
	}
	return n
}
