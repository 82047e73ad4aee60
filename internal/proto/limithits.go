package proto

// LimitID is an index into Protocol.Limits.
type LimitID uint8

// LimitHits are, for each bound that the rows of a Table name in Protocol.Limits, how
// often it was met in all flows. One worker owns it.
type LimitHits struct {
	t  *Table
	at []int // of each row, where its bounds are in n
	n  []uint64
}

// NewLimitHits returns counters for the rows of t, all zero.
func (t *Table) NewLimitHits() *LimitHits {
	h := &LimitHits{t: t}
	total := 0
	for _, p := range t.rows {
		h.at = append(h.at, total)
		total += len(p.Limits)
	}
	h.n = make([]uint64, total)
	return h
}

// Of returns the counts of protocol id in the order of its Limits. The slice is not to
// be changed.
func (h *LimitHits) Of(id ID) []uint64 {
	p := h.t.Protocol(id)
	if p == nil {
		return nil
	}
	at := h.at[id-1]
	return h.n[at : at+len(p.Limits)]
}

// Limit counts that the parser has met the bound l of its protocol. What the bound keeps
// out is left out; the flow goes on.
func (c *Conn) Limit(l LimitID) {
	c.limit(c.App, l)
}

// LimitOf is Limit for what is met after parsing, when the flow may have gone on as
// another protocol than that of tx.
func (c *Conn) LimitOf(tx Tx, l LimitID) { c.limit(tx.Base().app, l) }

func (c *Conn) limit(id ID, l LimitID) {
	if c.Hits == nil {
		return
	}
	if n := c.Hits.Of(id); int(l) < len(n) {
		n[l]++
	}
}
