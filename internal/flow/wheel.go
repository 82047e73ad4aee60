package flow

import "math/bits"

// wheel is a timer wheel of doubly linked lists of entries. An entry sits in the
// slot of the moment in which it may be due; a packet does not move it. When its
// slot comes up, expiry looks at the time of its last packet and puts it further
// ahead if it lived on. So a hit in the table touches no list.
const (
	// A tick is a sixteenth of a second: what is evicted under pressure is right to
	// that much.
	wheelTick  = 1e9 / 16  // nanoseconds
	wheelSlots = 1024 * 16 // 1024 seconds; longer timeouts go round again
)

type wheel struct {
	head [wheelSlots]uint32 // index+1 of the first entry
	tail [wheelSlots]uint32 // of the last
	used [wheelSlots / 64]uint64
	now  int64 // the tick up to which all slots were looked at
	set  bool
}

func (w *wheel) slot(tick int64) int { return int(uint64(tick) % wheelSlots) }

// next returns the first non-empty slot at or after slot s (going round), -1 when
// the wheel is empty.
func (w *wheel) next(s int) int {
	word := s / 64
	m := w.used[word] &^ (1<<(s%64) - 1)
	for i := 0; i <= len(w.used); i++ {
		if m != 0 {
			return word*64 + bits.TrailingZeros64(m)
		}
		word = (word + 1) % len(w.used)
		m = w.used[word]
	}
	return -1
}
