package sensor

// JudgePairs has a de-duplication judge n pairs of sources that sent the same packet, and
// returns how many were judged to be one tenant, and how many pairs found no room.
func JudgePairs(n int) (same int, full uint64) {
	d := newDedup(DefaultDedupWindow, 1)
	for i := range n {
		a := &source{id: uint32(2 * i), tenant: uint32(2 * i)}
		b := &source{id: uint32(2*i + 1), tenant: uint32(2*i + 1)}
		if d.sameTenant(a, b, 1) {
			same++
		}
	}
	return same, d.full
}

// MaxPairs and MaxOpenFiles are bounds that tests hit.
const (
	MaxPairs     = maxPairs
	MaxOpenFiles = maxOpenFiles
)
