package smb

import "mirador/internal/proto"

// tracker puts the parts of a file in order. The parts arrive with their offsets;
// each may come in pieces.
type tracker struct {
	next    uint64 // offset up to which the file is whole
	queue   []late // parts beyond it, by offset
	queued  int    // bytes in queue
	cur     uint64 // offset of the next piece of the part in work
	skip    uint64 // bytes of the part in work that are already there
	pending int    // index in queue of the part in work, -1: it goes to the file
}

// late is a part that came before those in front of it.
type late struct {
	off  uint64
	data []byte
	gaps bool
}

// begin starts a part of size bytes at offset off. It returns whether the part
// overlaps what is there, and whether the queue has room for it.
func (t *tracker) begin(off uint64, size int, l queueLimit, room int) (overlap, full, many bool) {
	t.cur, t.skip, t.pending = off, 0, -1
	if off <= t.next {
		if off < t.next {
			t.skip = t.next - off
			overlap = true
		}
		return overlap, false, false
	}
	if l.count > 0 && len(t.queue) >= l.count {
		return false, false, true
	}
	if l.size > 0 && t.queued+size > l.size || size > room {
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

// data takes a piece of the part in work.
func (t *tracker) data(f *proto.File, b []byte) {
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

// gap tells that n bytes of the part in work were lost.
func (t *tracker) gap(f *proto.File, n int) {
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

// flush ends the part in work and adds the parts that now fit.
func (t *tracker) flush(f *proto.File) {
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
		*q = late{}
		used++
	}
	t.queue = append(t.queue[:0], t.queue[used:]...)
}

// fileKey names the transaction of a file in one direction.
type fileKey struct {
	id  fileID
	dir proto.Dir
}

// fileOf returns the transaction of reads of, or writes to, id, if there is one.
func (p *parser) fileOf(id fileID, dir proto.Dir) *Tx { return p.files[fileKey{id, dir}] }

// newFile begins one.
func (p *parser) newFile(id fileID, dir proto.Dir, version uint8, cmd uint16, share []byte) *Tx {
	if len(p.files) >= MaxOpenFiles {
		p.closeOldest()
	}
	name, known := p.names.get(id)
	if !known && version == 2 && dir == proto.ToClient {
		name = []byte("<unknown>")
	}
	tx := p.newTx(version, cmd)
	tx.file = &fileTx{dir: dir, id: id, name: name, share: share}
	tx.file.file = p.c.NewFile(tx, dir, name)
	if p.files == nil {
		p.files = make(map[fileKey]*Tx)
	}
	p.files[fileKey{id, dir}] = tx
	p.fileOrder = append(p.fileOrder, fileKey{id, dir})
	return tx
}

// closeOldest gives up the file that was opened first.
func (p *parser) closeOldest() {
	for len(p.fileOrder) > 0 {
		k := p.fileOrder[0]
		p.fileOrder = p.fileOrder[1:]
		if tx := p.files[k]; tx != nil {
			p.endFile(tx, proto.FileTruncated)
			return
		}
	}
}

// endFile completes the transaction of a file.
func (p *parser) endFile(tx *Tx, s proto.FileState) {
	f := tx.file
	if f.closed {
		return
	}
	f.closed = true
	delete(p.files, fileKey{f.id, f.dir})
	p.queued -= f.track.queued
	f.track.queue = nil
	for d := range p.half {
		if p.half[d].file == tx {
			p.half[d].skip += p.half[d].fileLeft
			p.half[d].file, p.half[d].fileLeft = nil, 0
		}
	}
	f.file.Close(s)
	tx.end(proto.ToServer)
	tx.end(proto.ToClient)
	if len(p.fileOrder) > 4*MaxOpenFiles {
		p.tidyFiles()
	}
}

// tidyFiles drops the files that are gone from fileOrder.
func (p *parser) tidyFiles() {
	keep := p.fileOrder[:0]
	seen := make(map[fileKey]bool, len(p.files))
	for _, k := range p.fileOrder {
		if p.files[k] != nil && !seen[k] {
			seen[k] = true
			keep = append(keep, k)
		}
	}
	p.fileOrder = keep
}

// closeFiles ends what is open of id: the client closed it. Only SMB2 transactions
// show an outcome.
func (p *parser) closeFiles(id fileID) {
	for _, dir := range [2]proto.Dir{proto.ToServer, proto.ToClient} {
		if tx := p.fileOf(id, dir); tx != nil {
			if tx.Version == 2 {
				tx.status = status{set: true, nt: true}
			}
			p.endFile(tx, proto.FileClosed)
		}
	}
	p.pipes.drop(id)
	p.names.drop(id)
}

// chunk begins a part of a file: size bytes at offset off follow in direction dir.
// It returns false when they are not to be taken.
func (p *parser) chunk(tx *Tx, off uint64, size int) bool {
	f := tx.file
	limit, bytesEvent, countEvent := p.cfg.writeQueue, EventWriteQueueSizeExceeded, EventWriteQueueCntExceeded
	if f.dir == proto.ToClient {
		limit, bytesEvent, countEvent = p.cfg.readQueue, EventReadQueueSizeExceeded, EventReadQueueCntExceeded
	}
	before := f.track.queued
	overlap, full, many := f.track.begin(off, size, limit, MaxFlowQueue-p.queued)
	p.queued += f.track.queued - before
	switch {
	case full:
		tx.AddEvent(bytesEvent)
		return false
	case many:
		tx.AddEvent(countEvent)
		return false
	case overlap:
		tx.AddEvent(EventFileOverlap)
	}
	return true
}

// fileData hands b to the file that direction h is in the midst of.
func (p *parser) fileData(h *half, b []byte) {
	f := h.file.file
	before := f.track.queued
	f.track.data(f.file, b)
	h.file.Dirty[f.dir] = true
	h.fileLeft -= len(b)
	if h.fileLeft == 0 {
		f.track.flush(f.file)
		h.file = nil
	}
	p.queued += f.track.queued - before
}

// fileGap tells the same file that n bytes were lost.
func (p *parser) fileGap(h *half, n int) {
	f := h.file.file
	before := f.track.queued
	f.track.gap(f.file, n)
	h.file.Dirty[f.dir] = true
	h.fileLeft -= n
	if h.fileLeft == 0 {
		f.track.flush(f.file)
		h.file = nil
	}
	p.queued += f.track.queued - before
}
