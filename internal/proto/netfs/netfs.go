// Package netfs holds what the parsers of network file systems share: a Tracker
// that puts the parts of a file in order, and a Cache that forgets.
package netfs

import (
	"slices"

	"mirador/internal/proto"
)

// Limit bounds the parts of one file that wait for those before them: their bytes
// and their number; 0 is no limit.
type Limit struct{ Size, Count int }

// Tracker puts the parts of a file in order. The parts arrive with their offsets;
// each may come in pieces: Begin, then Data and Gap, then Flush. The zero value is a
// file of which nothing was seen.
type Tracker struct {
	next    uint64 // offset up to which the file is whole
	queue   []late // parts beyond it, by offset
	queued  int    // bytes in queue
	skip    uint64 // bytes of the part in work that are already there
	pending int    // index in queue of the part in work, -1: it goes to the file
}

// late is a part that came before those in front of it.
type late struct {
	off  uint64
	data []byte
	gaps bool
}

// Begin starts a part of size bytes at offset off. It returns whether the part
// overlaps what is there, and whether the queue has room for it.
func (t *Tracker) Begin(off uint64, size int, l Limit, room int) (overlap, full, many bool) {
	t.skip, t.pending = 0, -1
	if off <= t.next {
		if off < t.next {
			t.skip = t.next - off
			overlap = true
		}
		return overlap, false, false
	}
	if l.Count > 0 && len(t.queue) >= l.Count {
		return false, false, true
	}
	if l.Size > 0 && t.queued+size > l.Size || size > room {
		return false, true, false
	}
	for i := range t.queue {
		if t.queue[i].off == off {
			// The same part again: its bytes go behind the first ones (as in Suricata).
			t.pending = i
			return false, false, false
		}
	}
	t.queue = append(t.queue, late{off: off})
	i := len(t.queue) - 1
	for ; i > 0 && t.queue[i-1].off > off; i-- {
		t.queue[i], t.queue[i-1] = t.queue[i-1], t.queue[i]
	}
	t.pending = i
	return false, false, false
}

// Data takes a piece of the part in work.
func (t *Tracker) Data(f *proto.File, b []byte) {
	if t.pending >= 0 {
		q := &t.queue[t.pending]
		q.data = append(q.data, b...)
		t.queued += len(b)
		return
	}
	n := min(t.skip, uint64(len(b)))
	t.skip -= n
	b = b[n:]
	f.Append(b)
	t.next += uint64(len(b))
}

// Gap tells that n bytes of the part in work were lost.
func (t *Tracker) Gap(f *proto.File, n int) {
	if t.pending >= 0 {
		// Their place is kept so that what follows fits.
		t.queue[t.pending].gaps = true
		zero := make([]byte, n)
		t.queue[t.pending].data = append(t.queue[t.pending].data, zero...)
		t.queued += n
		return
	}
	k := min(t.skip, uint64(n))
	t.skip -= k
	if left := uint64(n) - k; left > 0 {
		f.Gap(left)
		t.next += left
	}
}

// Flush ends the part in work and adds the parts that now fit.
func (t *Tracker) Flush(f *proto.File) {
	t.pending = -1
	used := 0
	for used < len(t.queue) && t.queue[used].off <= t.next {
		q := &t.queue[used]
		t.queued -= len(q.data)
		if skip := t.next - q.off; skip < uint64(len(q.data)) {
			if q.gaps {
				f.Gaps = true
			}
			f.Append(q.data[skip:])
			t.next += uint64(len(q.data)) - skip
		}
		used++
	}
	t.queue = slices.Delete(t.queue, 0, used)
}

// StartAt makes a new file begin at offset off: what is before it will not be seen.
func (t *Tracker) StartAt(off uint64) { t.next = off }

// Next returns the offset up to which the file is whole.
func (t *Tracker) Next() uint64 { return t.next }

// Queued returns the number of bytes that wait.
func (t *Tracker) Queued() int { return t.queued }

// Drop forgets the parts that wait.
func (t *Tracker) Drop() { t.queue, t.queued, t.pending = nil, 0, -1 }
