package mpm

// Hits collects the ids of the patterns that were found, each once. Make it once per
// worker and reset it for every buffer. It is not safe for concurrent use.
type Hits struct {
	// IDs are the ids found since the last Reset, in the order of discovery. It is
	// valid until the next Scan or Reset.
	IDs []uint32
	// Work counts what scans did beyond looking at each byte once: candidates looked
	// up and eight-byte words compared. It is never reset; tests bound it.
	Work uint64

	seen []uint64 // by id
	done []uint64 // by literal of the matcher in work: nothing more to report
	list []uint32 // the literals set in done

	batch [batch]uint32 // candidates of a vector engine
}

// NewHits returns a Hits with room for ids below n. Scan makes it larger when a
// matcher has larger ids, which is the only time it allocates.
func NewHits(n int) *Hits {
	h := &Hits{}
	h.grow(n, 0)
	return h
}

// grow makes room for ids below n and for lits literals.
func (h *Hits) grow(n, lits int) {
	if len(h.seen)*64 < n {
		h.seen = append(h.seen, make([]uint64, (n+63)/64-len(h.seen))...)
		h.IDs = append(make([]uint32, 0, n), h.IDs...)
	}
	if len(h.done)*64 < lits {
		h.done = append(h.done, make([]uint64, (lits+63)/64-len(h.done))...)
		h.list = make([]uint32, 0, lits)
	}
}

// Reset forgets all ids. Its cost is that of the ids found.
func (h *Hits) Reset() {
	for _, id := range h.IDs {
		h.seen[id/64] = 0
	}
	h.IDs = h.IDs[:0]
}

// Has tells whether id was found since the last Reset.
func (h *Hits) Has(id uint32) bool {
	return int(id/64) < len(h.seen) && h.seen[id/64]>>(id%64)&1 != 0
}

// Add records id as found, as Scan does it. id must be below the number given to
// NewHits or below the ids of a matcher scanned before.
func (h *Hits) Add(id uint32) {
	w, b := id/64, uint64(1)<<(id%64)
	if h.seen[w]&b == 0 {
		h.seen[w] |= b
		h.IDs = append(h.IDs, id)
	}
}

// clearDone ends a scan.
func (h *Hits) clearDone() {
	for _, i := range h.list {
		h.done[i/64] = 0
	}
	h.list = h.list[:0]
}
