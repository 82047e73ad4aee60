package nfs

import (
	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Operations of NFS 4. RFC 7530 section 16, RFC 5661 section 18.
const (
	opClose      = 4
	opCommit     = 5
	opCreate     = 6
	opGetfh      = 10
	opLock       = 12
	opOpen       = 18
	opPutfh      = 22
	opPutpubfh   = 23
	opPutrootfh  = 24
	opRead       = 25
	opReaddir    = 26
	opRemove     = 28
	opRestorefh  = 31
	opSavefh     = 32
	opSecinfo    = 33
	opWrite      = 38
	opExchangeID = 42
	opNoName     = 52
	opTestState  = 55
)

// shapeOfArgs returns what the arguments of an operation are made of (see
// reader.shape); ok is false when that is not known.
func shapeOfArgs(op uint32) (kinds string, ok bool) {
	switch op {
	case opGetfh, 16, opPutpubfh, opPutrootfh, 27, opRestorefh, opSavefh:
		return "", true
	case 3, 19, opNoName, 58:
		return "4", true
	case opClose:
		return "4s", true
	case opCommit:
		return "84", true
	case 7, 30, 57:
		return "8", true
	case 8, 44, 45:
		return "s", true
	case 9:
		return "w", true
	case 11, 15, opRemove, opSecinfo, opPutfh:
		return "o", true
	case 13:
		return "4888o", true
	case 14:
		return "44s88", true
	case 17, 37:
		return "a", true
	case 20:
		return "s4", true
	case 21:
		return "s444", true
	case opReaddir:
		return "8844w", true
	case 29:
		return "oo", true
	case 34:
		return "sa", true
	case 35:
		return "8o4oo4", true
	case 36:
		return "88", true
	case 39:
		return "8o", true
	case 41:
		return "s44", true
	case 47:
		return "s44w", true
	case 50:
		return "444888s4", true
	case 53:
		return "s4444", true
	case 59, 62:
		return "s88", true
	case 69:
		return "s84", true
	}
	return "", false
}

// shapeOfResult is shapeOfArgs for the result of an operation that did not fail.
func shapeOfResult(op uint32) (kinds string, ok bool) {
	switch op {
	case 8, 13, 15, 16, 17, 19, opPutfh, opPutpubfh, opPutrootfh, 30, opRestorefh, opSavefh,
		36, 37, 39, 44, 45, 57, 58, 59, 62:
		return "", true
	case 3:
		return "44", true
	case opClose, opLock, 14, 20, 21:
		return "s", true
	case opCommit:
		return "8", true
	case opCreate:
		return "488w", true
	case 9:
		return "a", true
	case opGetfh, 27:
		return "o", true
	case 11, opRemove:
		return "488", true
	case 29:
		return "488488", true
	case 34, opTestState:
		return "w", true
	case 35:
		return "88", true
	case opWrite:
		return "448", true
	case 41:
		return "s44", true
	case 53:
		return "s44444", true
	case 69:
		return "48", true
	}
	return "", false
}

// walk goes through the operations of a compound, or through their results.
type walk struct {
	p   *parser // nil: only look for file data
	c   *call   // the call; nil when only looking for data in one
	r   *reader
	s   *source
	res bool   // results
	n   int    // operations left
	pad int    // filling of the data before what goOn gets
	fh  handle // current file
	// Of a call.
	cred credentials
	tx   *Tx // its own transaction
	// Of a reply.
	reads int // reads seen
}

// compound takes a call of NFS 4.
func (p *parser) compound(c *call, hd *header, r *reader, s *source) {
	w := &walk{p: p, c: c, r: r, s: s, cred: hd.cred}
	if !w.front() {
		p.event(EventMalformedData)
		return
	}
	w.run()
}

// compoundReply takes the reply to it.
func (p *parser) compoundReply(c *call, r *reader, s *source) {
	w := &walk{p: p, c: c, r: r, s: s, res: true}
	status := r.BE32()
	if tx := c.tx; tx != nil {
		if r.Bad {
			tx.AddEvent(EventMalformedData)
		}
		tx.status = status
		tx.end(proto.ToClient)
	}
	if w.front() {
		w.run()
	}
}

// locateData tells whether the bytes of r reach to the data of a read or write; c is
// the call when they are a reply, whose head has been read.
func locateData(r *reader, whole int, c *call) bool {
	w := &walk{c: c, r: r, s: &source{whole: whole}, res: c != nil}
	if w.res {
		r.Skip(4)
	}
	return w.front() && w.run()
}

// front reads what is before the operations.
func (w *walk) front() bool {
	w.r.opaque()
	if !w.res {
		w.r.Skip(4)
	}
	n := w.r.BE32()
	if w.n = int(min(n, MaxOps)); n > MaxOps && w.p != nil {
		w.p.c.Limit(limitOps)
	}
	return !w.r.Bad
}

// goOn takes the operations behind the data of a read or write, which was not at hand
// as a whole.
func (w *walk) goOn(b []byte) {
	w.s = &source{b: b, whole: len(b)}
	w.r = &reader{wire.Reader{B: b}}
	w.r.Skip(w.pad)
	w.run()
}

// run takes the operations. It returns true when it has come to the data of a read or
// write that is not all at hand.
func (w *walk) run() bool {
	for w.n > 0 && !w.r.Bad {
		w.n--
		op := w.r.BE32()
		var more, stop bool
		if w.res {
			more, stop = w.result(op)
		} else {
			more, stop = w.op(op)
		}
		switch {
		case w.r.Bad && w.p != nil && !w.res:
			w.p.event(EventMalformedData)
			return false
		case w.r.Bad || stop:
			return false
		case more:
			return true
		}
	}
	return false
}

// op takes one operation of a call.
func (w *walk) op(op uint32) (more, stop bool) {
	r := w.r
	switch op {
	case opPutfh:
		w.fh = r.handle()
	case opPutrootfh, opPutpubfh:
		w.fh = ""
	case opWrite:
		r.Skip(16)
		d := write{handle: w.fh, offset: r.BE64(), stable: r.BE32()}
		d.size = r.data(w.s.whole)
		if r.Bad {
			return false, true
		}
		if w.p == nil {
			return true, false
		}
		return !w.p.write(w.c.xid, 4, opWrite, d, r, w.s, w), false
	case opRead:
		r.Skip(16)
		off := r.BE64()
		r.Skip(4)
		switch {
		case w.p == nil || r.Bad:
		case len(w.c.reads) >= MaxReads:
			w.p.c.Limit(limitReads)
		default:
			w.c.reads = append(w.c.reads, readOp{w.fh, off})
			if tx := w.p.fileOf(w.fh, proto.ToClient); tx != nil {
				tx.file.waiting++
			}
		}
	case opCommit:
		r.shape("84")
		w.ended(proto.ToServer)
	case opClose:
		r.shape("4s")
		w.ended(proto.ToServer)
		w.ended(proto.ToClient)
	case opRemove:
		w.own(op, r.name())
	case opCreate:
		switch r.BE32() {
		case 5:
			r.opaque()
		case 3, 4:
			r.Skip(8)
		}
		name := r.name()
		r.shape("a")
		w.own(op, name)
	case opOpen:
		r.openArgs()
	case opLock:
		r.lockArgs()
	case opExchangeID:
		r.shape("8o4")
		if r.BE32() != 0 {
			return false, true
		}
		for range min(r.BE32(), 1) {
			r.shape("oo84")
		}
	case opTestState:
		n := r.BE32()
		for range min(n, MaxOps) {
			r.Skip(16)
		}
	default:
		kinds, ok := shapeOfArgs(op)
		if !ok {
			return false, true
		}
		r.shape(kinds)
	}
	return false, false
}

// own begins or changes the transaction of the call: operation op with the file name.
func (w *walk) own(op uint32, name []byte) {
	if w.p == nil || w.r.Bad {
		return
	}
	if w.tx == nil {
		hd := header{version: 4, xid: w.c.xid, cred: w.cred}
		w.tx = w.p.newTx(w.c, &hd)
	}
	w.tx.Procedure, w.tx.name = op, name
	if op == opCreate {
		w.tx.setHandle(w.fh)
	}
}

// ended completes the transaction of the current file in direction dir.
func (w *walk) ended(dir proto.Dir) {
	if w.p == nil || w.r.Bad {
		return
	}
	if tx := w.p.fileOf(w.fh, dir); tx != nil {
		w.p.lastPart(tx, w.c.xid)
	}
}

// openArgs reads the arguments of OPEN.
func (r *reader) openArgs() {
	r.shape("4448o")
	if r.BE32() == 1 {
		switch r.BE32() {
		case 0, 1:
			r.shape("a")
		case 2:
			r.Skip(8)
		default:
			r.shape("8a")
		}
	}
	switch r.BE32() {
	case 0, 3:
		r.opaque()
	case 1:
		r.Skip(4)
	case 2:
		r.shape("so")
	case 5:
		r.Skip(16)
	}
}

// lockArgs reads the arguments of LOCK.
func (r *reader) lockArgs() {
	r.shape("4488")
	if r.BE32() == 1 {
		r.shape("4s48o")
	} else {
		r.shape("s4")
	}
}

// result takes the result of one operation. Behind one that failed nothing follows.
func (w *walk) result(op uint32) (more, stop bool) {
	r := w.r
	if status := r.BE32(); status != 0 {
		return false, true
	}
	switch op {
	case opRead:
		d := read{eof: r.BE32() != 0}
		d.size = r.data(w.s.whole)
		if r.Bad {
			return false, true
		}
		if w.p == nil {
			return true, false
		}
		return w.read(d), false
	case opOpen:
		r.openResult()
	case opReaddir:
		r.Skip(8)
		for range MaxEntries {
			if r.Bad || r.BE32() == 0 {
				break
			}
			r.shape("8oa")
		}
		r.Skip(4)
	case opSecinfo, opNoName:
		n := r.BE32()
		for range min(n, MaxOps) {
			if r.BE32() == authGSS {
				r.shape("o44")
			}
		}
	default:
		kinds, ok := shapeOfResult(op)
		if !ok {
			return false, true
		}
		r.shape(kinds)
	}
	return false, false
}

// read takes the result d of a read. It returns true when not all of its data is at
// hand.
func (w *walk) read(d read) bool {
	p, i := w.p, w.reads
	w.reads++
	if i >= len(w.c.reads) {
		return !p.part(nil, 0, d.size, w.r, w.s, w, nil)
	}
	op := w.c.reads[i]
	tx := p.fileOf(op.handle, proto.ToClient)
	switch {
	case tx != nil:
		tx.file.waiting--
	case d.size > 0:
		tx = p.newFile(op.handle, proto.ToClient, 4, opRead, w.c.xid)
	}
	return !p.readPart(tx, op.offset, d, w.c.xid, w.r, w.s, w)
}

// openResult reads the result of OPEN.
func (r *reader) openResult() {
	r.shape("s4884w")
	switch r.BE32() {
	case 1:
		r.shape("s4444o")
	case 2:
		r.shape("s448444o")
	case 3:
		if why := r.BE32(); why == 1 || why == 2 {
			r.Skip(4)
		}
	}
}
