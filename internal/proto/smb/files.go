package smb

import "mirador/internal/proto"

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
		p.c.Limit(limitFiles)
		p.closeOldest()
	}
	name, known := p.names.Get(id)
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
	p.queued -= f.track.Queued()
	f.track.Drop()
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
	p.pipes.Drop(id)
	p.names.Drop(id)
}

// chunk begins a part of a file: size bytes at offset off follow in direction dir.
// It returns false when they are not to be taken.
func (p *parser) chunk(tx *Tx, off uint64, size int) bool {
	f := tx.file
	limit, bytesEvent, countEvent := p.cfg.writeQueue, EventWriteQueueSizeExceeded, EventWriteQueueCntExceeded
	if f.dir == proto.ToClient {
		limit, bytesEvent, countEvent = p.cfg.readQueue, EventReadQueueSizeExceeded, EventReadQueueCntExceeded
	}
	before := f.track.Queued()
	overlap, full, many := f.track.Begin(off, size, limit, MaxFlowQueue-p.queued)
	p.queued += f.track.Queued() - before
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
	before := f.track.Queued()
	f.track.Data(f.file, b)
	h.file.Touch(f.dir)
	h.fileLeft -= len(b)
	if h.fileLeft == 0 {
		f.track.Flush(f.file)
		h.file = nil
	}
	p.queued += f.track.Queued() - before
}

// fileGap tells the same file that n bytes were lost.
func (p *parser) fileGap(h *half, n int) {
	f := h.file.file
	before := f.track.Queued()
	f.track.Gap(f.file, n)
	h.file.Touch(f.dir)
	h.fileLeft -= n
	if h.fileLeft == 0 {
		f.track.Flush(f.file)
		h.file = nil
	}
	p.queued += f.track.Queued() - before
}
