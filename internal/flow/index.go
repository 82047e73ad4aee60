package flow

// find returns the entry of k, nil when there is none. The index is open
// addressing with linear probing; removal shifts back, so there are no tombstones
// and a chain is never longer than the entries in it.
func (t *Table[V]) find(k *key, h uint32) *Entry[V] {
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		s := t.index[i]
		t.Counters.Steps++
		if s.idx == 0 {
			return nil
		}
		if s.hash == h {
			if e := t.at(s.idx); e.key == *k {
				return e
			}
		}
	}
}

func (t *Table[V]) insert(h, idx uint32) {
	i := h & t.mask
	for t.index[i].idx != 0 {
		t.Counters.Steps++
		i = (i + 1) & t.mask
	}
	t.index[i] = slot{h, idx}
}

func (t *Table[V]) erase(h, idx uint32) {
	i := h & t.mask
	for t.index[i].idx != idx {
		i = (i + 1) & t.mask
	}
	for j := i; ; {
		j = (j + 1) & t.mask
		s := t.index[j]
		if s.idx == 0 {
			break
		}
		// s may move to the hole at i unless its home lies behind the hole.
		if (j-s.hash&t.mask)&t.mask >= (j-i)&t.mask {
			t.index[i] = s
			i = j
		}
	}
	t.index[i] = slot{}
}

// rehash doubles the index.
func (t *Table[V]) rehash() {
	old := t.index
	t.index = make([]slot, 2*len(old))
	t.mask = uint32(len(t.index) - 1)
	for _, s := range old {
		if s.idx != 0 {
			t.insert(s.hash, s.idx)
		}
	}
}

// make puts a new entry for k into the table. At the bound the flow that is due
// first ends.
func (t *Table[V]) make(k *key, h uint32, now int64) *Entry[V] {
	if t.live >= t.max {
		t.enterEmergency(now)
		if t.live >= t.max {
			t.evict()
		}
	}
	if t.free == 0 {
		t.grow()
	}
	if uint32(t.live)*2 >= t.mask {
		t.rehash()
	}
	e := t.at(t.free)
	t.free = e.next
	e.reset()
	e.key, e.hash, e.live = *k, h, true
	e.Start, e.Last = now, now
	e.Emergency = t.emergency
	t.insert(h, e.idx)
	t.live++
	e.ID = t.flowID(e)
	if !t.wheel.set {
		t.wheel.set, t.wheel.now = true, now/wheelTick-1
	}
	e.Tuple.Proto = k.proto // idle needs it
	t.link(e)
	return e
}

// reset clears all of e but the caller's value.
func (e *Entry[V]) reset() {
	e.Tenant, e.ID, e.Start, e.Last = 0, 0, 0, 0
	e.Packets, e.Bytes = [2]uint64{}, [2]uint64{}
	e.MinTTL, e.MaxTTL = [2]uint8{}, [2]uint8{}
	e.State, e.Emergency, e.Reversed = New, false, false
	e.next, e.prev, e.slot = 0, 0, 0
}

// flowID mixes the key with the start time, so that the next flow of the same
// tuple has another id. 51 bits, as Suricata's, which JavaScript reads exactly.
func (t *Table[V]) flowID(e *Entry[V]) uint64 {
	s := newSip(&[2]uint64{t.opt.Seed[1], ^t.opt.Seed[0]})
	s.word(e.key.hash(&t.opt.Seed))
	s.word(uint64(e.Start))
	return s.sum() & (1<<51 - 1)
}

// finish hands e to the end function and frees it.
func (t *Table[V]) finish(e *Entry[V], why Reason) {
	switch e.State {
	case New:
		t.Counters.EndNew++
	case Established:
		t.Counters.EndEstablished++
	case Closed:
		t.Counters.EndClosed++
	default:
		t.Counters.EndBypassed++
	}
	e.Emergency = e.Emergency || t.emergency
	t.unlink(e)
	t.erase(e.hash, e.idx)
	if t.end != nil {
		t.end(e, why)
	}
	e.live = false
	e.next = t.free
	t.free = e.idx
	t.live--
}

// enterEmergency shortens all timeouts and ends what is due under them.
func (t *Table[V]) enterEmergency(now int64) {
	t.Counters.Memcap++
	if t.emergency {
		return
	}
	t.emergency = true
	t.Counters.EmergencyEntered++
	for _, s := range t.slabs {
		for i := range s {
			e := &s[i]
			if !e.live {
				continue
			}
			if e.Last+t.idle(e) <= now {
				t.Counters.TimedOut++
				t.finish(e, Timeout)
				continue
			}
			t.unlink(e)
			t.link(e)
		}
	}
}

// evict ends the entry that is due first, going by the wheel. An entry that had
// packets since it was put there gets a second chance and moves to where it belongs
// now; each such move is paid for by a packet, so the loop is short on average.
func (t *Table[V]) evict() {
	const maxMoves = 64 // then whoever is next goes, lest one packet pays for many
	for n := 0; ; n++ {
		s := t.wheel.next(t.wheel.slot(t.wheel.now))
		if s < 0 {
			return
		}
		e := t.at(t.wheel.head[s])
		if due := e.Last + t.idle(e); due > e.due && n < maxMoves {
			t.unlink(e)
			t.link(e)
			continue
		}
		t.Counters.GetUsed++
		t.finish(e, Forced)
		return
	}
}

// link puts e at the end of the slot in which it is due. Slots that were looked at
// are never used.
func (t *Table[V]) link(e *Entry[V]) {
	w := &t.wheel
	e.due = e.Last + t.idle(e)
	tick := max(e.due/wheelTick+1, w.now+1)
	s := w.slot(min(tick, w.now+wheelSlots-1))
	e.slot = int16(s)
	e.next, e.prev = 0, w.tail[s]
	if e.prev != 0 {
		t.at(e.prev).next = e.idx
	} else {
		w.head[s] = e.idx
		w.used[s/64] |= 1 << (s % 64)
	}
	w.tail[s] = e.idx
}

func (t *Table[V]) unlink(e *Entry[V]) {
	w := &t.wheel
	s := int(e.slot)
	if e.prev != 0 {
		t.at(e.prev).next = e.next
	} else {
		w.head[s] = e.next
	}
	if e.next != 0 {
		t.at(e.next).prev = e.prev
	} else {
		w.tail[s] = e.prev
	}
	if w.head[s] == 0 {
		w.used[s/64] &^= 1 << (s % 64)
	}
	e.next, e.prev = 0, 0
}

// Stats returns the counters with the present sizes filled in.
func (t *Table[V]) Stats() Counters {
	c := t.Counters
	c.Active = uint64(t.live)
	c.Spare = uint64(len(t.slabs)*slabLen - t.live)
	c.MemUse = uint64(len(t.slabs)*slabLen)*t.entrySize + uint64(len(t.index))*8
	return c
}
