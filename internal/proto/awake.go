package proto

import (
	"cmp"
	"slices"
)

// A flow may have MaxTxs transactions that wait for an answer. A packet must not walk
// them all: it looks at those that are awake. A transaction falls asleep behind a packet
// (Clean) when none of what is done for a packet would do anything with it, and is
// awake again as soon as something changes: all changes go through Touch, Advance,
// AddEvent, NewFile or the Conn.

// Touch notes that there is something new for detection in direction dir. Parsers call
// it when they change what fields show without Advance.
func (b *TxBase) Touch(dir Dir) {
	b.dirty[dir] = true
	b.wake()
}

// Dirty tells whether detection has not seen all of direction dir.
func (b *TxBase) Dirty(dir Dir) bool { return b.dirty[dir] }

func (b *TxBase) wake() {
	if b.awake || b.conn == nil {
		return
	}
	c := b.conn
	b.awake = true
	if n := len(c.awake); n > 0 && c.awake[n-1].Base().place > b.place {
		c.unsorted = true
	}
	c.awake = append(c.awake, b.self)
}

// Loggable tells whether b has come as far as its protocol logs it.
func (b *TxBase) Loggable() bool {
	if b.proto == nil || b.Complete() {
		return true
	}
	at := b.proto.LogAt
	if at == [2]uint8{} {
		return false
	}
	return (b.Skip[0] || b.Progress[0] >= at[0]) && (b.Skip[1] || b.Progress[1] >= at[1])
}

// idle tells that nothing is to be done with b until it changes: detection has seen
// all, the log has what it is to have, no file grows. A transaction with files stays
// awake: they are looked at for each packet.
func (b *TxBase) idle() bool {
	for d := range Dir(2) {
		if b.dirty[d] || b.DirDone(d) && !b.Inspected[d] {
			return false
		}
	}
	return !b.Waits && len(b.Files) == 0 && b.EventsSeen >= len(b.Events) && (b.Logged || !b.Loggable())
}

// gone tells that nobody needs b any more.
func (b *TxBase) gone() bool {
	if b.forced && b.Logged {
		return true
	}
	return b.Logged && b.Complete() && (b.Inspected[0] || b.Skip[0]) && (b.Inspected[1] || b.Skip[1])
}

// Awake returns the transactions with which there is something to do for the packet at
// hand, oldest first; the others are as detection and log have seen them. The result is
// valid until a transaction changes.
func (c *Conn) Awake() []Tx {
	if c.unsorted {
		c.unsorted = false
		slices.SortFunc(c.awake, func(a, b Tx) int { return cmp.Compare(a.Base().place, b.Base().place) })
	}
	return c.awake
}

// adopt makes tx one of c's.
func (c *Conn) adopt(tx Tx, b *TxBase) {
	b.conn, b.self = c, tx
	b.place = c.places
	c.places++
	b.awake = false
	b.Touch(ToServer)
	b.Touch(ToClient)
}

// Withdraw takes back tx, which is then none of c's any more. It tells whether it was.
func (c *Conn) Withdraw(tx Tx) bool {
	i, ok := c.find(c.Txs, tx.Base().place)
	if !ok {
		return false
	}
	c.Txs = slices.Delete(c.Txs, i, i+1)
	if i := slices.Index(c.awake, tx); i >= 0 {
		c.awake = slices.Delete(c.awake, i, i+1)
	}
	b := tx.Base()
	b.conn, b.awake = nil, false
	return true
}

// find returns the index of the transaction at place in list, which is in order.
func (c *Conn) find(list []Tx, place uint64) (int, bool) {
	return slices.BinarySearchFunc(list, place, func(x Tx, p uint64) int { return cmp.Compare(x.Base().place, p) })
}

// AfterDetect is called when detection has looked at direction dir.
func (c *Conn) AfterDetect(dir Dir) {
	insp, _ := c.parser.(Inspector)
	for _, tx := range c.Awake() {
		b := tx.Base()
		if !b.dirty[dir] && !b.DirDone(dir) {
			continue
		}
		if insp != nil && b.dirty[dir] {
			insp.Inspected(tx, dir)
		}
		b.dirty[dir] = false
		if b.DirDone(dir) {
			b.Inspected[dir] = true
		}
	}
}

// Clean drops the transactions that are complete, inspected in both directions
// (or forced) and logged, and lets those sleep with which nothing is to be done.
func (c *Conn) Clean(all bool) {
	if all {
		for _, tx := range c.Txs {
			b := tx.Base()
			b.conn, b.awake = nil, false
		}
		clear(c.Txs)
		clear(c.open)
		clear(c.awake)
		c.Txs, c.awake = c.Txs[:0], c.awake[:0]
		c.open, c.openHead = c.open[:0], 0
		c.tidyOpen()
		return
	}
	keep := c.Awake()[:0]
	c.holes = c.holes[:0]
	from := 0
	for _, tx := range c.awake {
		b := tx.Base()
		switch {
		case b.gone():
			b.awake, b.conn = false, nil
			if i, ok := c.find(c.Txs[from:], b.place); ok {
				c.holes = append(c.holes, from+i)
				from += i + 1
			}
		case b.idle():
			b.awake = false
		default:
			keep = append(keep, tx)
		}
	}
	clear(c.awake[len(keep):])
	c.awake = keep
	if len(c.holes) == 0 {
		return
	}
	c.closeHoles()
	c.openGone += len(c.holes)
	if len(c.Txs) == 0 {
		clear(c.open)
		c.open, c.openHead = c.open[:0], 0
	}
	// Open keeps complete ones among those that wait; they are let go in time.
	if c.openGone > len(c.open)/2 || len(c.Txs) == 0 {
		c.tidyOpen()
	}
}

// fewTxs is how many transactions may be moved to the front of Txs rather than others
// to the back, which costs room there.
const fewTxs = 32

// closeHoles takes the transactions at c.holes out of Txs, moving those behind the
// holes or those in front of them, whichever are fewer.
func (c *Conn) closeHoles() {
	first, last := c.holes[0], c.holes[len(c.holes)-1]
	if behind := len(c.Txs) - first; behind <= fewTxs || behind <= last {
		to := first
		for i, h := range c.holes {
			end := len(c.Txs)
			if i+1 < len(c.holes) {
				end = c.holes[i+1]
			}
			to += copy(c.Txs[to:], c.Txs[h+1:end])
		}
		clear(c.Txs[to:])
		c.Txs = c.Txs[:to]
		return
	}
	to := last + 1
	for i := len(c.holes) - 1; i >= 0; i-- {
		begin := 0
		if i > 0 {
			begin = c.holes[i-1] + 1
		}
		part := c.Txs[begin:c.holes[i]]
		to -= len(part)
		copy(c.Txs[to:], part)
	}
	clear(c.Txs[:to])
	c.Txs = c.Txs[to:]
}
