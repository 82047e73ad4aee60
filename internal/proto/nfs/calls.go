package nfs

import "mirador/internal/proto"

// Procedures of NFS 3. RFC 1813 section 3.
const (
	procNull        = 0
	procGetattr     = 1
	procLookup      = 3
	procAccess      = 4
	procRead        = 6
	procWrite       = 7
	procCreate      = 8
	procMkdir       = 9
	procRemove      = 12
	procRmdir       = 13
	procRename      = 14
	procReaddirplus = 17
	procCommit      = 21
)

// Procedures of NFS 2 that differ. RFC 1094 section 2.2.
const (
	proc2Read       = 6
	proc2Writecache = 7
	proc2Write      = 8
	proc2Rename     = 11
)

// procCompound is the one of NFS 4.
const procCompound = 1

// fileSync tells that a write is to be on the disk before it is answered.
const fileSync = 2

// call takes a call of NFS, whose arguments are next in r.
func (p *parser) call(hd *header, r *reader, s *source) {
	c := &call{xid: hd.xid, version: hd.version, procedure: hd.procedure}
	switch hd.version {
	case 2:
		p.call2(c, hd)
	case 3:
		p.call3(c, hd, r, s)
	case 4:
		if hd.procedure != procCompound {
			break
		}
		// The reads in it are known only behind it, and its reply cannot come before.
		p.await(hd.xid, c)
		p.compound(c, hd, r, s)
		return
	default:
		return
	}
	p.await(hd.xid, c)
}

// await keeps c until its reply comes.
func (p *parser) await(xid uint32, c *call) {
	if p.pending.Put(xid, c) {
		p.c.Limit(limitCalls)
	}
}

// newTx begins the transaction of c.
func (p *parser) newTx(c *call, hd *header) *Tx {
	tx := &Tx{Version: hd.version, Procedure: c.procedure, xid: hd.xid, cred: hd.cred}
	c.tx = p.begin(tx)
	tx.end(proto.ToServer)
	return tx
}

// call2 takes a call of NFS 2. Its arguments are not looked at, as in Suricata.
func (p *parser) call2(c *call, hd *header) {
	switch hd.procedure {
	case proc2Read, proc2Writecache:
		return
	}
	p.newTx(c, hd).quiet = hd.procedure == procGetattr
}

// call3 takes a call of NFS 3.
func (p *parser) call3(c *call, hd *header, r *reader, s *source) {
	switch hd.procedure {
	case procRead:
		p.read3(c, hd, r)
		return
	case procWrite:
		p.write3(c, r, s)
		return
	case procCommit:
		p.commit3(c, r)
		return
	}
	var id handle
	var name, to []byte
	switch hd.procedure {
	case procGetattr, procAccess, procReaddirplus:
		id = r.handle()
	case procLookup, procCreate, procMkdir, procRemove, procRmdir:
		id, name = r.handle(), r.name()
	case procRename:
		id, name = r.handle(), r.name()
		r.handle()
		to = r.name()
	}
	if r.Bad {
		p.event(EventMalformedData)
		id, name, to = "", nil, nil
	}
	tx := p.newTx(c, hd)
	tx.quiet = hd.procedure == procGetattr
	c.handle, c.name = id, name
	tx.name, tx.to = name, to
	if hd.procedure != procLookup {
		tx.setHandle(id)
	}
	if hd.procedure == procAccess || hd.procedure == procGetattr {
		tx.name, _ = p.names.Get(id)
	}
}

func (p *parser) read3(c *call, hd *header, r *reader) {
	id, off := r.handle(), r.BE64()
	r.Skip(4)
	if r.Bad {
		p.event(EventMalformedData)
		return
	}
	c.handle, c.offset = id, off
	tx := p.fileOf(id, proto.ToClient)
	if tx == nil {
		tx = p.newFile(id, proto.ToClient, 3, procRead, hd.xid)
		tx.cred = hd.cred
	}
	c.tx = tx
	tx.file.waiting++
}

// write is the arguments of a write.
type write struct {
	handle handle
	offset uint64
	stable uint32
	size   int
}

// readWriteArgs reads the arguments of a write up to its data.
func readWriteArgs(r *reader, whole int) (w write) {
	w.handle, w.offset = r.handle(), r.BE64()
	count := r.BE32()
	w.stable = r.BE32()
	w.size = r.data(whole)
	if uint32(w.size) > count {
		r.Bad = true
	}
	return w
}

func (p *parser) write3(c *call, r *reader, s *source) {
	w := readWriteArgs(r, s.whole)
	if r.Bad {
		p.event(EventMalformedData)
		return
	}
	p.write(c.xid, 3, procWrite, w, r, s, nil)
}

// write takes the data of a write, which is next in r. It tells whether all was at
// hand.
func (p *parser) write(xid, version, procedure uint32, w write, r *reader, s *source, next *walk) bool {
	tx := p.fileOf(w.handle, proto.ToServer)
	if tx == nil && w.size > 0 {
		tx = p.newFile(w.handle, proto.ToServer, version, procedure, xid)
		if w.stable == fileSync {
			// It is on its own: it need not wait for what comes before it in the file.
			tx.file.track.StartAt(w.offset)
		}
	}
	after := func() {
		if tx != nil && w.size > 0 && w.stable == fileSync {
			p.lastPart(tx, xid)
		}
	}
	return p.part(tx, w.offset, w.size, r, s, next, after)
}

func (p *parser) commit3(c *call, r *reader) {
	id := r.handle()
	if r.Bad {
		p.event(EventMalformedData)
		return
	}
	if tx := p.fileOf(id, proto.ToServer); tx != nil {
		tx.file.chunks++
		p.lastPart(tx, c.xid)
	}
}
