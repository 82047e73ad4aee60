package smb

import (
	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
	"mirador/internal/proto/netfs"
)

// half is one direction of a connection.
type half struct {
	lost     bool // bytes were lost and no message has been found behind them
	skip     int  // bytes to step over
	file     *Tx  // file that the next fileLeft bytes belong to
	fileLeft int
}

// parser follows one flow.
type parser struct {
	c    *proto.Conn
	cfg  *config
	half [2]half

	dialect  uint16 // SMB2, 0 while not known
	dialect1 []byte // SMB1, nil while not known
	offered  [][]byte
	nego1    *Tx    // SMB1 negotiation that may be answered in SMB2
	maxRead  uint32 // as negotiated, 0 while not known
	maxWrite uint32

	pending netfs.Cache[reqKey, pending]
	trees   netfs.Cache[treeKey, tree]
	names   netfs.Cache[fileID, []byte]
	pipes   netfs.Cache[fileID, *pipe]

	files     map[fileKey]*Tx
	fileOrder []fileKey
	queued    int // bytes of files that wait in queues

	ifaces []dcerpc.Context // of the last bind
	calls  []*Tx            // DCE/RPC calls without an answer, oldest first; some are complete
	// callsMark is the length of calls at which the complete ones are dropped; stubs
	// is what calls hold of stub data.
	callsMark, stubs int
	open             []*Tx // transactions that are not complete, oldest first
	cur              *Tx   // begun by the message in work
	broken           bool
}

func newParser(c *proto.Conn, cfg *config) *parser {
	p := &parser{c: c, cfg: cfg}
	p.pending.Max, p.trees.Max, p.names.Max, p.pipes.Max = cfg.maxPending, cfg.maxTrees, cfg.maxGUIDs, MaxPipes
	return p
}

// reqKey names a request: in SMB2 its message id, in SMB1 process and multiplex id.
type reqKey struct {
	version uint8
	id      uint64
}

// pending is a request that waits for its response.
type pending struct {
	tx     *Tx
	cmd    uint16
	id     fileID // read, and pipe operations: the file
	offset uint64 // read
	name   []byte // create
	use    use
}

// use is what is read from or written to.
type use uint8

const (
	useFile use = iota // a file, as far as is known
	useRPC             // a pipe that carries DCE/RPC
	usePipe            // another pipe
)

// treeKey names a share in use.
type treeKey struct {
	session uint64
	id      uint32
}

// tree is a share in use.
type tree struct {
	name []byte
	pipe bool
	// guessed: its opening was not seen, but DCE/RPC was seen in it.
	guessed bool
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	h := &p.half[dir]
	for {
		if p.broken {
			return len(data), 0, proto.Broken
		}
		rest := data[used:]
		switch {
		case len(rest) == 0:
			return used, 0, proto.OK
		case h.file != nil:
			n := min(len(rest), h.fileLeft)
			p.fileData(h, rest[:n])
			used += n
			continue
		case h.skip > 0:
			n := min(len(rest), h.skip)
			h.skip -= n
			used += n
			continue
		}
		if h.lost {
			n, ok := find(rest)
			used, rest = used+n, rest[n:]
			if !ok {
				return used, len(rest) + 1, proto.OK
			}
			h.lost = false
		}
		if len(rest) < nbHeader {
			return used, nbHeader, proto.OK
		}
		n, want := p.packet(dir, h, rest, p.c.Offset[dir]+uint64(used))
		if n == 0 {
			return used, want, proto.OK
		}
		used += n
	}
}

// packet takes the session service packet at the start of b, which begins at
// stream offset off, and returns how much of it was used; 0 when at least want
// bytes are needed. The rest of a packet may be left to h.
func (p *parser) packet(dir proto.Dir, h *half, b []byte, off uint64) (n, want int) {
	size := nbLen(b)
	if b[0] != nbSession {
		if !soundNB(b) {
			// Nothing tells where the next packet is.
			h.lost = true
			return 1, 0
		}
		h.skip = size
		return nbHeader, 0
	}
	if size == 0 {
		return nbHeader, 0
	}
	whole := nbHeader + size
	if len(b) < nbHeader+min(size, 4) {
		return 0, nbHeader + min(size, 4)
	}
	v, _ := magic(b[nbHeader:])
	if v == 0 || size < 4 {
		h.lost = true
		return nbHeader, 0
	}
	p.frame(dir, "nbss.pdu", off, whole)
	p.frame(dir, "nbss.hdr", off, nbHeader)
	p.frame(dir, "nbss.data", off+nbHeader, size)
	done := false
	switch v {
	case 1:
		n, want, done = p.stream1(dir, h, b[nbHeader:], size, off+nbHeader)
	case 2:
		n, want, done = p.stream2(dir, h, b[nbHeader:], size, off+nbHeader)
	}
	switch {
	case done:
		return nbHeader + n, 0
	case want > 0:
		p.unframe(dir, off)
		return 0, nbHeader + want
	case len(b) < whole && size > MaxRecord:
		h.skip = size
		p.event(EventRecordOverflow)
		return nbHeader, 0
	case len(b) < whole:
		p.unframe(dir, off)
		return 0, whole
	}
	body := b[nbHeader:whole]
	switch v {
	case 1:
		p.message1(dir, body, off+nbHeader)
	case 2:
		p.messages2(dir, body, off+nbHeader)
	case 3:
		p.sealed(dir, body, off+nbHeader)
	}
	return whole, 0
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	h := &p.half[dir]
	if h.file != nil {
		k := min(n, h.fileLeft)
		p.fileGap(h, k)
		n -= k
	}
	if k := min(n, h.skip); k > 0 {
		h.skip -= k
		n -= k
	}
	if n > 0 {
		h.skip, h.lost = 0, true
	}
	return !p.broken
}

// frame notes a frame of the message in work.
func (p *parser) frame(dir proto.Dir, typ string, off uint64, n int) {
	p.c.AddFrame(dir, typ, off, int64(n), proto.NoTx)
}

// unframe takes back the frames noted at or behind off: the message is looked at
// again when more of it is here.
func (p *parser) unframe(dir proto.Dir, off uint64) {
	fs := p.c.Frames
	for len(fs) > 0 && fs[len(fs)-1].Dir == dir && fs[len(fs)-1].Offset >= off {
		fs = fs[:len(fs)-1]
	}
	p.c.Frames = fs
}

// event notes e at the newest transaction, if that is not complete. Suricata notes
// what is wrong with a message that has no transaction so.
func (p *parser) event(e proto.EventID) {
	if n := len(p.open); n > 0 && !p.open[n-1].Complete() {
		p.open[n-1].AddEvent(e)
	}
}

// malformed notes at the transaction that the message in work began that the message
// is not as it should be. What begins none is let pass, as in Suricata.
func (p *parser) malformed() {
	if p.cur != nil {
		p.cur.AddEvent(EventMalformedData)
	}
}

// newTx begins a transaction of a command.
func (p *parser) newTx(version uint8, cmd uint16) *Tx {
	p.tidy()
	tx := &Tx{p: p, Version: version, Command: cmd}
	if len(p.open) >= p.cfg.maxTx {
		// Too many wait for an answer: the other side is not seen. This one is not
		// begun, and the flow is given up.
		p.open[len(p.open)-1].AddEvent(EventTooManyTransactions)
		p.broken = true
		return tx
	}
	p.cur = tx
	p.c.NewTx(tx)
	p.open = append(p.open, tx)
	return tx
}

// tidy drops the complete transactions from those that are open. Those at the front
// go first, so that the cost stays in proportion to the transactions.
func (p *parser) tidy() {
	for len(p.open) > 0 && p.open[0].Complete() {
		p.open = p.open[1:]
	}
	if len(p.open) < p.cfg.maxTx {
		return
	}
	keep := p.open[:0]
	for _, tx := range p.open {
		if !tx.Complete() {
			keep = append(keep, tx)
		}
	}
	clear(p.open[len(keep):])
	p.open = keep
}

// await notes that request k waits for its response.
func (p *parser) await(k reqKey, w pending) { p.count(p.pending.Put(k, w), limitPending) }

// count counts that something was forgotten at bound l.
func (p *parser) count(forgot bool, l proto.LimitID) {
	if forgot {
		p.c.Limit(l)
	}
}

// answered returns the request that response k answers.
func (p *parser) answered(k reqKey) (pending, bool) { return p.pending.Drop(k) }
