package nfs

import (
	"encoding/binary"

	"mirador/internal/proto"
	"mirador/internal/proto/netfs"
	"mirador/internal/proto/wire"
)

// half is one direction of a connection.
type half struct {
	lost bool // bytes were lost and no record has been found behind them
	skip int  // bytes to step over
	// A message in several fragments: what is left of the present one, whether it is
	// the last, and what came so far. over: it is too long and is stepped over.
	fragments bool
	fragLeft  int
	fragLast  bool
	frag      []byte
	over      bool
	// The data of a read or write: file that the next fileLeft bytes belong to (nil:
	// they are stepped over), and what follows it in the record.
	inData   bool
	file     *Tx
	fileLeft int
	tail     int
	after    func() // what is to be done when the data is complete
	walk     *walk  // who goes on behind the data, nil: nobody
}

// parser follows one flow.
type parser struct {
	c    *proto.Conn
	cfg  *config
	half [2]half

	pending netfs.Cache[uint32, *call]
	names   netfs.Cache[handle, []byte]

	files     map[fileKey]*Tx
	fileOrder []fileKey
	queued    int   // bytes of files that wait in queues
	written   []*Tx // finished writes that are to be logged at the end

	open []*Tx // transactions that are not complete, oldest first
}

func newParser(c *proto.Conn, cfg *config) *parser {
	p := &parser{c: c, cfg: cfg}
	p.pending.Max, p.names.Max = MaxPending, MaxNames
	return p
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	if p.c.Hint.UDP {
		if len(data) >= replyHead && plausible(data) {
			p.message(dir, &source{b: data, whole: len(data)}, 0)
		}
		return len(data), 0, proto.OK
	}
	used, need = p.stream(dir, data)
	if eof && dir == proto.ToClient {
		p.finish()
	}
	return used, need, proto.OK
}

// stream takes data of a TCP connection.
func (p *parser) stream(dir proto.Dir, data []byte) (used, need int) {
	h := &p.half[dir]
	for {
		rest := data[used:]
		if len(rest) == 0 {
			return used, 0
		}
		var n, want int
		switch {
		case h.inData:
			n = p.data(h, rest)
		case h.walk != nil:
			if n = h.tail; len(rest) < n {
				return used, n
			}
			w := h.walk
			h.walk, h.tail = nil, 0
			w.goOn(rest[:n])
		case h.skip > 0:
			n = min(len(rest), h.skip)
			h.skip -= n
		case h.fragLeft > 0:
			n = p.fragment(dir, h, rest)
		default:
			n, want = p.record(dir, h, rest, p.c.Offset[dir]+uint64(used))
			if n == 0 {
				return used, want
			}
		}
		used += n
	}
}

// record takes the record mark at the start of b, which begins at stream offset off,
// with the message behind it, and returns how much of b was used; 0 when at least
// want bytes are needed. The rest of a message may be left to h.
func (p *parser) record(dir proto.Dir, h *half, b []byte, off uint64) (n, want int) {
	if h.lost && !h.fragments {
		n, ok := p.find(dir, b)
		switch {
		case n > 0:
			return n, 0
		case !ok:
			return 0, len(b) + 1
		}
		h.lost = false
	}
	if len(b) < mark {
		return 0, mark
	}
	size, last := markLen(b), b[0]&0x80 != 0
	if h.fragments || !last {
		if !h.fragments && size > MaxRecord {
			// No implementation sends such; it is no record mark.
			h.lost = true
			p.c.Limit(limitRecord)
			return mark, 0
		}
		h.fragments, h.fragLeft, h.fragLast = true, size, last
		if size == 0 && last {
			p.assembled(dir, h)
		}
		return mark, 0
	}
	if size == 0 {
		return mark, 0
	}
	if size < replyHead {
		h.lost = true
		return mark, 0
	}
	if len(b) < mark+replyHead {
		return 0, mark + replyHead
	}
	if !plausible(b[mark:]) {
		h.lost = true
		return mark, 0
	}
	whole := mark + size
	if len(b) >= whole {
		p.message(dir, &source{b: b[mark:whole], whole: size}, off)
		return whole, 0
	}
	if n := min(whole, mark+FirstLook); len(b) < n {
		return 0, n
	}
	s := &source{b: b[mark:], whole: size, h: h}
	if !p.locate(dir, s) {
		if size > MaxRecord {
			h.skip = size
			p.c.Limit(limitRecord)
			return mark, 0
		}
		return 0, min(whole, 2*len(b))
	}
	p.message(dir, s, off)
	if !h.inData {
		// What looked like a read or write is none that is followed.
		h.skip = size
		return mark, 0
	}
	return mark + s.used, 0
}

// fragment takes what there is of a fragment.
func (p *parser) fragment(dir proto.Dir, h *half, b []byte) int {
	n := min(len(b), h.fragLeft)
	if len(h.frag)+n > MaxRecord {
		p.c.Limit(limitRecord)
		h.over, h.frag = true, nil
	}
	if !h.over {
		h.frag = append(h.frag, b[:n]...)
	}
	if h.fragLeft -= n; h.fragLeft == 0 && h.fragLast {
		p.assembled(dir, h)
	}
	return n
}

// assembled takes the message that the fragments make.
func (p *parser) assembled(dir proto.Dir, h *half) {
	b := h.frag
	h.fragments, h.over, h.frag = false, false, nil
	if len(b) >= replyHead && plausible(b) {
		p.message(dir, &source{b: b, whole: len(b), noFrames: true}, 0)
	}
}

// data takes bytes of a read or write.
func (p *parser) data(h *half, b []byte) int {
	n := min(len(b), h.fileLeft)
	if h.file != nil {
		p.fileData(h.file, b[:n])
	}
	p.dataLess(h, n)
	return n
}

// dataLess counts n bytes of a read or write as done.
func (p *parser) dataLess(h *half, n int) {
	if h.fileLeft -= n; h.fileLeft > 0 {
		return
	}
	h.inData = false
	if h.file != nil {
		p.fileFlush(h.file)
		h.file = nil
	}
	if f := h.after; f != nil {
		h.after = nil
		f()
	}
	if h.walk == nil || h.tail == 0 || h.tail > MaxTail {
		h.skip, h.tail, h.walk = h.tail, 0, nil
	}
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.c.Hint.UDP {
		return true
	}
	h := &p.half[dir]
	if h.inData {
		k := min(n, h.fileLeft)
		if h.file != nil {
			p.fileGap(h.file, k)
		}
		p.dataLess(h, k)
		n -= k
	}
	if h.walk != nil && !h.inData && n > 0 {
		// What is behind the data cannot be read any more.
		h.skip, h.tail, h.walk = h.tail, 0, nil
	}
	if k := min(n, h.skip); k > 0 {
		h.skip -= k
		n -= k
	}
	if n > 0 {
		*h = half{lost: true}
	}
	return true
}

// source is one message: the bytes at hand, and how many it has in all. When there
// are fewer at hand, h takes the rest; used tells how much was looked at.
type source struct {
	b        []byte
	whole    int
	h        *half
	used     int
	noFrames bool // its bytes are not in the stream in one piece
}

// header is the head of an RPC message.
type header struct {
	xid   uint32
	reply bool
	// Of a call.
	program, version, procedure uint32
	cred                        credentials
	// Of a reply.
	denied bool
}

// credentials are who a call says it comes from.
type credentials struct {
	flavor   uint32
	machine  []byte
	uid, gid uint32
	length   int // of the whole part
}

// head reads the head of an RPC message.
func (r *reader) head() (h header) {
	h.xid = r.BE32()
	h.reply = r.BE32() == 1
	if !h.reply {
		r.Skip(4)
		h.program, h.version, h.procedure = r.BE32(), r.BE32(), r.BE32()
		at := r.At
		h.cred.flavor = r.BE32()
		body := r.opaque()
		h.cred.length = r.At - at
		if h.cred.flavor == authUnix {
			h.cred.unix(body)
		}
		r.Skip(4)
		r.opaque()
		return h
	}
	h.denied = r.BE32() != 0
	if h.denied {
		r.Take(r.Left())
		return h
	}
	r.Skip(4)
	r.opaque()
	r.Skip(4)
	return h
}

// unix reads the body of AUTH_UNIX. The two ids are taken from right behind the name,
// without its filling: Suricata shows them so.
func (c *credentials) unix(b []byte) {
	r := reader{wire.Reader{B: b}}
	r.Skip(4)
	n := r.BE32()
	if n > uint32(r.Left()) {
		return
	}
	name := r.Take(int(n))
	c.machine = append([]byte(nil), name[:min(len(name), MaxName)]...)
	c.uid, c.gid = r.BE32(), r.BE32()
}

// message takes one message, which begins (with its record mark) at stream offset off.
func (p *parser) message(dir proto.Dir, s *source, off uint64) {
	r := &reader{wire.Reader{B: s.b}}
	hd := r.head()
	if r.Bad {
		p.event(EventMalformedData)
		return
	}
	front := mark
	if p.c.Hint.UDP {
		front, off = 0, 0
	}
	if hd.reply == (dir == proto.ToServer) {
		return // call-backs of NFS 4.1 go the other way
	}
	if hd.reply {
		c, ok := p.pending.Drop(hd.xid)
		if !ok {
			return
		}
		p.replyFrames(dir, s, c.version, off, front, r.At)
		p.reply(c, &hd, r, s)
		return
	}
	if hd.program != program {
		return
	}
	p.callFrames(dir, s, &hd, off, front, r.At)
	p.call(&hd, r, s)
}

func (p *parser) frame(dir proto.Dir, typ string, off uint64, n int) {
	if n > 0 {
		p.c.AddFrame(dir, typ, off, int64(n), proto.NoTx)
	}
}

// callFrames notes the frames of a call, which begins at off with front bytes of
// record mark, and at bytes of head behind it.
func (p *parser) callFrames(dir proto.Dir, s *source, hd *header, off uint64, front, at int) {
	if s.noFrames {
		return
	}
	p.frame(dir, "rpc.pdu", off, front+s.whole)
	off += uint64(front)
	p.frame(dir, "rpc.creds", off+callHead, hd.cred.length)
	off += uint64(at)
	n := s.whole - at
	if hd.version != 4 {
		p.frame(dir, "nfs.pdu", off, n)
		return
	}
	p.frame(dir, "nfs4.pdu", off, n)
	p.frame(dir, "nfs4.hdr", off, min(n, 8))
	p.frame(dir, "nfs4.ops", off+8, n-8)
}

// replyFrames is callFrames for a reply.
func (p *parser) replyFrames(dir proto.Dir, s *source, version uint32, off uint64, front, at int) {
	if s.noFrames {
		return
	}
	p.frame(dir, "rpc.pdu", off, front+s.whole)
	p.frame(dir, "rpc.hdr", off, front+8)
	off += uint64(front)
	p.frame(dir, "rpc.data", off+8, s.whole-8)
	off += uint64(at)
	n := s.whole - at
	if version != 4 {
		p.frame(dir, "nfs.pdu", off, n)
		p.frame(dir, "nfs.status", off, min(n, 4))
		return
	}
	p.frame(dir, "nfs4.pdu", off, n)
	p.frame(dir, "nfs4.status", off, min(n, 4))
	p.frame(dir, "nfs4.hdr", off, min(n, 8))
	p.frame(dir, "nfs4.ops", off+8, n-8)
}

// locate tells whether the bytes at hand of s reach to the data of a read or write
// that is followed. It changes nothing.
func (p *parser) locate(dir proto.Dir, s *source) bool {
	r := &reader{wire.Reader{B: s.b}}
	hd := r.head()
	if r.Bad || hd.reply == (dir == proto.ToServer) {
		return false
	}
	if !hd.reply {
		if hd.program != program {
			return false
		}
		switch {
		case hd.version == 3 && hd.procedure == procWrite:
			readWriteArgs(r, s.whole)
			return !r.Bad
		case hd.version == 4 && hd.procedure == procCompound:
			return locateData(r, s.whole, nil)
		}
		return false
	}
	xid := binary.BigEndian.Uint32(s.b)
	switch c, ok := p.pending.Get(xid); {
	case !ok || hd.denied:
		return false
	case c.version == 3 && c.procedure == procRead:
		readReadResult(r, s.whole)
		return !r.Bad
	case c.version == 4 && len(c.reads) > 0:
		return locateData(r, s.whole, c)
	}
	return false
}

// event notes e at the newest transaction, if that is not complete. Suricata notes
// what is wrong with a call so.
func (p *parser) event(e proto.EventID) {
	if n := len(p.open); n > 0 && !p.open[n-1].Complete() {
		p.open[n-1].AddEvent(e)
	}
}

// begin begins the transaction tx.
func (p *parser) begin(tx *Tx) *Tx {
	for len(p.open) > 0 && p.open[0].Complete() {
		p.open = p.open[1:]
	}
	if len(p.open) >= p.cfg.maxTx {
		p.makeRoom()
	}
	p.c.NewTx(tx)
	p.open = append(p.open, tx)
	return tx
}

// makeRoom drops the complete transactions from those that are open; when there are
// none it ends the oldest.
func (p *parser) makeRoom() {
	keep := p.open[:0]
	for _, tx := range p.open {
		if !tx.Complete() {
			keep = append(keep, tx)
		}
	}
	clear(p.open[len(keep):])
	p.open = keep
	if len(p.open) < p.cfg.maxTx {
		return
	}
	tx := p.open[0]
	p.open = p.open[1:]
	tx.AddEvent(EventTooManyTransactions)
	if tx.file != nil {
		p.endFile(tx, proto.FileTruncated)
	}
	tx.end(proto.ToServer)
	tx.end(proto.ToClient)
}
