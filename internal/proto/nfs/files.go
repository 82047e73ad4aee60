package nfs

import (
	"mirador/internal/proto"
)

// fileKey names the transaction of a file in one direction.
type fileKey struct {
	id  handle
	dir proto.Dir
}

// fileOf returns the transaction of reads of, or writes to, id, if there is one.
func (p *parser) fileOf(id handle, dir proto.Dir) *Tx { return p.files[fileKey{id, dir}] }

// newFile begins one. In EVE its call has no credentials unless they are set.
func (p *parser) newFile(id handle, dir proto.Dir, version, procedure, xid uint32) *Tx {
	for len(p.files) >= MaxOpenFiles {
		p.c.Limit(limitFiles)
		p.closeOldest()
	}
	name, _ := p.names.Get(id)
	if version == 4 {
		name = nil
	}
	tx := &Tx{Version: version, Procedure: procedure, xid: xid, name: name}
	tx.setHandle(id)
	tx.file = &fileTx{dir: dir, id: id}
	p.begin(tx)
	if p.files == nil {
		p.files = make(map[fileKey]*Tx)
	}
	p.files[fileKey{id, dir}] = tx
	p.fileOrder = append(p.fileOrder, fileKey{id, dir})
	return tx
}

// closeOldest gives up the file that was begun first.
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

// lastPart completes the transaction of a file with the call xid.
func (p *parser) lastPart(tx *Tx, xid uint32) {
	tx.file.last, tx.file.lastXID = true, xid
	p.endFile(tx, proto.FileClosed)
}

// endFile completes the transaction of a file.
func (p *parser) endFile(tx *Tx, s proto.FileState) {
	f := tx.file
	if f.closed {
		return
	}
	f.closed = true
	delete(p.files, fileKey{f.id, f.dir})
	p.queued -= f.track.Queued()
	f.track.Drop()
	for d := range p.half {
		if p.half[d].file == tx {
			p.half[d].file = nil // the rest of the data is stepped over
		}
	}
	if f.file != nil {
		f.file.Close(s)
	}
	tx.end(proto.ToServer)
	if f.dir == proto.ToServer && !p.c.Hint.UDP {
		p.wrote(tx)
	} else {
		tx.end(proto.ToClient)
	}
	if len(p.fileOrder) > 4*MaxOpenFiles {
		p.tidyFiles()
	}
}

// wrote keeps the finished transaction tx of writes open: Suricata logs it when the
// flow ends, since no reply completes it. The oldest of many is completed.
func (p *parser) wrote(tx *Tx) {
	p.written = append(p.written, tx)
	if len(p.written) > MaxWritten {
		p.written[0].end(proto.ToClient)
		p.written = p.written[1:]
	}
}

// finish completes the transactions of files: the server has closed the connection.
func (p *parser) finish() {
	for len(p.files) > 0 {
		p.closeOldest()
	}
	for _, tx := range p.written {
		tx.end(proto.ToClient)
	}
	p.written = nil
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

// part takes n bytes of tx's file at offset off, which are next in r. tx may be nil:
// they are of no file. What is not at hand is left to the half of s; w goes on behind
// it. When all is there, after is called. part tells whether it was at hand.
func (p *parser) part(tx *Tx, off uint64, n int, r *reader, s *source, w *walk, after func()) bool {
	count := tx != nil && (tx.file.file != nil || tx.Version == 3 && tx.file.dir == proto.ToClient)
	switch {
	case tx == nil:
	case !p.chunk(tx, off, n):
		tx = nil
	case count:
		tx.file.chunks++
	}
	if s.h == nil {
		b := r.Take(min(n, r.Left()))
		if tx != nil {
			p.fileData(tx, b)
			p.fileFlush(tx)
		}
		r.Skip(min(padding(n), r.Left()))
		if after != nil {
			after()
		}
		return true
	}
	h := s.h
	h.inData, h.file, h.fileLeft, h.after, h.walk = true, tx, n, after, w
	s.used = r.At
	h.tail = s.whole - r.At - n
	if w != nil {
		w.pad = min(padding(n), h.tail)
	}
	s.b = s.b[:r.At]
	r.B = s.b
	if n == 0 {
		p.dataLess(h, 0)
	}
	return false
}

// chunk begins a part of a file: size bytes at offset off. It returns false when they
// are not to be taken.
func (p *parser) chunk(tx *Tx, off uint64, size int) bool {
	f := tx.file
	if f.closed || size == 0 {
		return false
	}
	limit, most := p.cfg.writeQueue, p.cfg.maxWrite
	tooLarge, bytesEvent, countEvent := EventWriteRequestTooLarge, EventWriteQueueSizeExceeded, EventWriteQueueCntExceeded
	if f.dir == proto.ToClient {
		limit, most = p.cfg.readQueue, p.cfg.maxRead
		tooLarge, bytesEvent, countEvent = EventReadResponseTooLarge, EventReadQueueSizeExceeded, EventReadQueueCntExceeded
	}
	if most > 0 && uint64(size) > uint64(most) {
		tx.AddEvent(tooLarge)
		return false
	}
	if f.file == nil {
		f.file = p.c.NewFile(tx, f.dir, tx.name)
	}
	before := f.track.Queued()
	_, full, many := f.track.Begin(off, size, limit, MaxFlowQueue-p.queued)
	p.queued += f.track.Queued() - before
	switch {
	case full:
		tx.AddEvent(bytesEvent)
		return false
	case many:
		tx.AddEvent(countEvent)
		return false
	}
	return true
}

func (p *parser) fileData(tx *Tx, b []byte) {
	f := tx.file
	before := f.track.Queued()
	f.track.Data(f.file, b)
	p.queued += f.track.Queued() - before
	tx.Touch(f.dir)
}

func (p *parser) fileGap(tx *Tx, n int) {
	f := tx.file
	before := f.track.Queued()
	f.track.Gap(f.file, n)
	p.queued += f.track.Queued() - before
	tx.Touch(f.dir)
}

func (p *parser) fileFlush(tx *Tx) {
	f := tx.file
	before := f.track.Queued()
	f.track.Flush(f.file)
	p.queued += f.track.Queued() - before
}

// readEnd notes that the reply xid reached the end of the file at offset end. The file
// is complete when all before it is there, or when nothing more is under way.
func (p *parser) readEnd(tx *Tx, xid uint32, eof bool, end uint64) {
	f := tx.file
	if f.closed {
		return
	}
	if eof {
		f.atEnd, f.end = true, end
	}
	if f.atEnd && (f.track.Next() >= f.end || f.waiting <= 0) {
		p.lastPart(tx, xid)
	}
}
