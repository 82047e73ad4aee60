package body

import (
	"slices"
	"sync"
)

// Ranges puts files together that are fetched in parts, by one flow or by many
// (HTTP ranges). It may be used by several workers at a time.
type Ranges struct {
	memcap, ttl int64
	mu          sync.Mutex
	used        int64 // bytes held
	sets        map[string]*rangeSet
	first, last *rangeSet // by age of the last change
}

// rangeSet is a file of which parts were seen.
type rangeSet struct {
	key        string
	prev, next *rangeSet
	touched    int64 // Unix nanoseconds
	total      uint64
	have       uint64 // length of what is in head, lost bytes included
	head       []byte
	gaps       bool
	waiting    []*RangePart // complete parts beyond head, by start
	open       []*RangePart // parts being received
	done       bool         // put together; parts that come again are not wanted
}

// RangePart is a part of a file. It belongs to one worker until it is closed; what
// is in it is guarded by the lock of the table.
type RangePart struct {
	r     *Ranges
	set   *rangeSet
	start uint64
	size  uint64 // lost bytes included
	buf   []byte
	over  bool // let go of, or in its set
}

// Whole is a file that was put together from its parts.
type Whole struct {
	Data []byte // without what was lost
	Size uint64
	Gaps bool
}

// NewRanges returns an empty table that holds at most memcap bytes, and forgets
// files of which nothing was seen for ttl nanoseconds.
func NewRanges(memcap, ttl int64) *Ranges {
	return &Ranges{memcap: memcap, ttl: ttl, sets: make(map[string]*rangeSet)}
}

// Limit changes what NewRanges was told.
func (r *Ranges) Limit(memcap, ttl int64) {
	r.mu.Lock()
	r.memcap, r.ttl = memcap, ttl
	r.mu.Unlock()
}

// Open announces the part of the file called key that begins at start; total is
// the length of the file. It returns nil when the part is not wanted or when there is no
// room for it (full). now is the time in Unix nanoseconds.
func (r *Ranges) Open(key []byte, start, total uint64, now int64) (p *RangePart, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	s := r.sets[string(key)]
	if s == nil {
		if !r.room(int64(len(key)) + setCost) {
			return nil, true
		}
		s = &rangeSet{key: string(key)}
		r.sets[s.key] = s
		r.link(s)
	}
	r.touch(s, now)
	if s.done {
		return nil, false
	}
	if len(s.open)+len(s.waiting) >= maxParts || !r.room(partCost) {
		return nil, true
	}
	s.total = max(s.total, total)
	p = &RangePart{r: r, set: s, start: start}
	s.open = append(s.open, p)
	return p, false
}

// room takes n bytes of what may be held, and tells whether they are there.
func (r *Ranges) room(n int64) bool {
	if r.used+n > r.memcap {
		return false
	}
	r.used += n
	return true
}

// Write adds bytes to the part. It keeps a copy. full tells that there was no room for
// them, and that the part is given up.
func (p *RangePart) Write(b []byte, now int64) (full bool) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.over {
		return false
	}
	if !p.r.room(int64(len(b))) {
		p.leave()
		p.drop()
		return true
	}
	p.r.touch(p.set, now)
	p.buf = append(p.buf, b...)
	p.size += uint64(len(b))
	return false
}

// Lost notes that n bytes of the part are missing.
func (p *RangePart) Lost(n uint64) {
	p.r.mu.Lock()
	p.size += n
	p.r.mu.Unlock()
}

// leave takes p from the parts being received.
func (p *RangePart) leave() {
	if i := slices.Index(p.set.open, p); i >= 0 {
		p.set.open = slices.Delete(p.set.open, i, i+1)
	}
}

// drop lets go of what p holds.
func (p *RangePart) drop() {
	p.r.used -= int64(len(p.buf)) + partCost
	p.buf, p.over = nil, true
}

// Close ends the part. ok tells that the file is complete with it.
func (p *RangePart) Close(now int64) (w Whole, ok bool) {
	r, s := p.r, p.set
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.over {
		return w, false
	}
	p.leave()
	r.touch(s, now)
	if p.start > s.have {
		p.over = true
		s.wait(p)
		return w, false
	}
	r.take(s, p)
	n := 0
	for n < len(s.waiting) && s.waiting[n].start <= s.have {
		r.take(s, s.waiting[n])
		n++
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
	if s.have < s.total {
		return w, false
	}
	w = Whole{Data: s.head, Size: s.have, Gaps: s.gaps}
	r.empty(s)
	s.done = true
	return w, true
}

// wait puts p among the parts that wait for those before them.
func (s *rangeSet) wait(p *RangePart) {
	i := len(s.waiting)
	for i > 0 && s.waiting[i-1].start > p.start {
		i--
	}
	s.waiting = slices.Insert(s.waiting, i, p)
}

// take appends what is new in p, which begins at or before the end of s.
func (r *Ranges) take(s *rangeSet, p *RangePart) {
	if known := s.have - p.start; known < p.size {
		fresh := p.buf[min(known, uint64(len(p.buf))):]
		s.gaps = s.gaps || p.size != uint64(len(p.buf))
		s.have += p.size - known
		s.head = append(s.head, fresh...)
		r.used += int64(len(fresh))
	}
	p.drop()
}

// empty lets go of the bytes of s, and of parts that may never end.
func (r *Ranges) empty(s *rangeSet) {
	r.used -= int64(len(s.head))
	for _, p := range s.waiting {
		p.drop()
	}
	for _, p := range s.open {
		p.drop()
	}
	s.head, s.waiting, s.open = nil, nil, nil
}

// expire forgets files that nothing was seen of for long.
func (r *Ranges) expire(now int64) {
	for s := r.first; s != nil && now-s.touched > r.ttl; s = r.first {
		r.unlink(s)
		r.empty(s)
		r.used -= int64(len(s.key)) + setCost
		delete(r.sets, s.key)
	}
}

// touch makes s the youngest.
func (r *Ranges) touch(s *rangeSet, now int64) {
	s.touched = now
	r.unlink(s)
	r.link(s)
}

// link puts s at the end of the list by age.
func (r *Ranges) link(s *rangeSet) {
	s.prev, s.next = r.last, nil
	if r.last != nil {
		r.last.next = s
	} else {
		r.first = s
	}
	r.last = s
}

func (r *Ranges) unlink(s *rangeSet) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		r.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		r.last = s.prev
	}
	s.prev, s.next = nil, nil
}
