package smb

import (
	"bytes"
	"encoding/binary"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Commands of SMB1. [MS-CIFS] section 2.2.2.1.
const (
	cmd1Close           = 0x04
	cmd1Rename          = 0x07
	cmd1Write           = 0x0b
	cmd1LockingAndX     = 0x24
	cmd1Trans           = 0x25
	cmd1WriteAndClose   = 0x2c
	cmd1OpenAndX        = 0x2d
	cmd1ReadAndX        = 0x2e
	cmd1WriteAndX       = 0x2f
	cmd1Trans2          = 0x32
	cmd1TreeDisconnect  = 0x71
	cmd1Trans2Secondary = 0x33
	cmd1Negotiate       = 0x72
	cmd1SessionSetup    = 0x73
	cmd1LogoffAndX      = 0x74
	cmd1TreeConnect     = 0x75
	cmd1NTCreateAndX    = 0xa2
	cmd1NTCancel        = 0xa4
	cmd1None            = 0xff // no AndX command follows

	head1Len = 32
)

// Flags of an SMB1 header.
const (
	flag1Reply     = 0x80
	flag1Unicode   = 0x8000 // flags 2
	flag1NTStatus  = 0x4000
	transactNmPipe = 0x26
)

// head1 is the header of an SMB1 message.
//
//	0 FF 'SMB'; 4 command; 5 status; 9 flags, 10 flags 2; 12 process id, high part;
//	14 signature; 24 tree id, 26 process id, 28 user id, 30 multiplex id
type head1 struct {
	cmd           uint8
	status        uint32
	flags         uint8
	flags2        uint16
	tid, uid, mid uint16
	pid           uint32
}

// readHead1 reads the header at the start of b, which holds head1Len bytes.
func readHead1(b []byte) (h head1) {
	le := binary.LittleEndian
	h.cmd, h.status, h.flags, h.flags2 = b[4], le.Uint32(b[5:]), b[9], le.Uint16(b[10:])
	h.tid, h.uid, h.mid = le.Uint16(b[24:]), le.Uint16(b[28:]), le.Uint16(b[30:])
	h.pid = uint32(le.Uint16(b[12:]))<<16 | uint32(le.Uint16(b[26:]))
	return h
}

func (h *head1) response() bool { return h.flags&flag1Reply != 0 }
func (h *head1) unicode() bool  { return h.flags2&flag1Unicode != 0 }

// key names the request; cmd tells the commands of an AndX chain apart.
func (h *head1) key(cmd uint8) reqKey {
	return reqKey{1, uint64(h.pid)<<32 | uint64(h.mid)<<16 | uint64(cmd)}
}

func (h *head1) tree() treeKey { return treeKey{uint64(h.uid), uint32(h.tid)} }

func (h *head1) outcome() status {
	return status{set: true, nt: h.flags2&flag1NTStatus != 0, code: h.status}
}

// fine tells whether the response brings what was asked for.
func (h *head1) fine() bool { return h.status == 0 || h.status == ntBufferOverflow }

// block is one command in a message: its words and its bytes. Offsets in it count
// from the start of the message m.
type block struct {
	cmd   uint8
	m     []byte
	words []byte
	at    int    // offset of the words' count
	bytes []byte // as far as they are here
	from  int    // offset of bytes
	short bool   // words or bytes are cut off
}

// readBlock reads the block of command cmd at offset at of m.
func readBlock(m []byte, at int, cmd uint8) (k block, ok bool) {
	if at < 0 || at >= len(m) {
		return k, false
	}
	k = block{cmd: cmd, m: m, at: at}
	n := 2 * int(m[at])
	words, ok := part(m, at+1, n)
	if !ok {
		return k, false
	}
	k.words = words
	k.from = min(at+1+n+2, len(m))
	if at+1+n+2 > len(m) {
		k.short = true
		return k, true
	}
	size := int(binary.LittleEndian.Uint16(m[at+1+n:]))
	if size > len(m)-k.from {
		// The count has 16 bits: large reads and writes do not fit.
		size = len(m) - k.from
	}
	k.bytes = m[k.from : k.from+size]
	return k, true
}

// next returns the AndX command behind k, and where its block begins.
func (k *block) next() (cmd uint8, at int, ok bool) {
	switch k.cmd {
	case cmd1LockingAndX, cmd1OpenAndX, cmd1ReadAndX, cmd1WriteAndX, cmd1SessionSetup, cmd1LogoffAndX, cmd1TreeConnect, cmd1NTCreateAndX:
	default:
		return 0, 0, false
	}
	if len(k.words) < 4 || k.words[0] == cmd1None {
		return 0, 0, false
	}
	at = int(binary.LittleEndian.Uint16(k.words[2:]))
	// Behind this block: chains that turn back would not end.
	if at <= k.at || at >= len(k.m) {
		return 0, 0, false
	}
	return k.words[0], at, true
}

// text reads a string of the message at offset *at of k.bytes, which it moves.
func (k *block) text(h *head1, at *int) []byte {
	if *at >= len(k.bytes) {
		return nil
	}
	if !h.unicode() {
		s, n := zstring(k.bytes[*at:])
		*at += n
		return s
	}
	// Unicode is aligned to the message.
	if (k.from+*at)%2 != 0 {
		*at++
	}
	if *at >= len(k.bytes) {
		return nil
	}
	s, n := wstring(k.bytes[*at:])
	*at += n
	return s
}

// stream1 is stream2 for SMB1: write and read AndX that stand alone.
func (p *parser) stream1(dir proto.Dir, h *half, b []byte, size int, off uint64) (n, want int, done bool) {
	if size < head1Len+1 {
		return 0, 0, false
	}
	if len(b) < head1Len+1 {
		return 0, head1Len + 1, false
	}
	hd := readHead1(b)
	if hd.response() != (dir == proto.ToClient) {
		return 0, 0, false
	}
	switch {
	case hd.cmd == cmd1WriteAndX && dir == proto.ToServer:
		if t, _ := p.trees.Get(hd.tree()); t.pipe && size <= MaxRecord {
			return 0, 0, false
		}
	case hd.cmd == cmd1ReadAndX && dir == proto.ToClient && hd.fine():
		if w, _ := p.pending.Get(hd.key(cmd1ReadAndX)); w.use != useFile && size <= MaxRecord {
			return 0, 0, false
		}
	default:
		return 0, 0, false
	}
	fixed := head1Len + 1 + 2*int(b[head1Len]) + 2
	if fixed > size {
		return 0, 0, false
	}
	if len(b) < fixed {
		return 0, fixed, false
	}
	words := b[head1Len+1 : fixed-2]
	if len(words) < 4 || words[0] != cmd1None {
		return 0, 0, false
	}
	var at, length int
	if hd.cmd == cmd1WriteAndX {
		at, length = writeAndX(words)
	} else {
		at, length = readAndX(words)
	}
	if at < fixed || at > size || length > size-at || length < 0 {
		return 0, 0, false
	}
	if len(b) < at {
		return 0, at, false
	}
	p.frames1(dir, off, size)
	k := block{cmd: hd.cmd, m: b[:at], words: words, at: head1Len, from: fixed}
	var tx *Tx
	if hd.cmd == cmd1WriteAndX {
		tx = p.write1(&hd, &k, length)
	} else {
		tx = p.read1(&hd, length)
	}
	if tx == nil || length == 0 {
		h.skip = size - at
		return at, 0, true
	}
	h.file, h.fileLeft, h.skip = tx, length, size-at-length
	return at, 0, true
}

// writeAndX returns where the data of a write AndX request lies, -1 when that is
// not said.
func writeAndX(words []byte) (at, n int) {
	if len(words) < 24 {
		return -1, 0
	}
	le := binary.LittleEndian
	return int(le.Uint16(words[22:])), int(le.Uint16(words[18:]))<<16 | int(le.Uint16(words[20:]))
}

// readAndX is writeAndX for the response to a read AndX.
func readAndX(words []byte) (at, n int) {
	if len(words) < 18 {
		return -1, 0
	}
	le := binary.LittleEndian
	return int(le.Uint16(words[12:])), int(le.Uint16(words[14:]))<<16 | int(le.Uint16(words[10:]))
}

func (p *parser) frames1(dir proto.Dir, off uint64, size int) {
	p.frame(dir, "smb1.pdu", off, size)
	p.frame(dir, "smb1.hdr", off, head1Len)
	if size > head1Len {
		p.frame(dir, "smb1.data", off+head1Len, size-head1Len)
	}
}

// message1 takes a whole message: a command and the AndX commands behind it.
func (p *parser) message1(dir proto.Dir, m []byte, off uint64) {
	p.cur = nil
	if len(m) < head1Len {
		p.event(EventMalformedData)
		return
	}
	hd := readHead1(m)
	p.frames1(dir, off, len(m))
	if hd.response() != (dir == proto.ToClient) {
		e := EventResponseToServer
		if dir == proto.ToClient {
			e = EventRequestToClient
		}
		p.event(e)
		return
	}
	cmd, at := hd.cmd, head1Len
	for range MaxChain {
		k, ok := readBlock(m, at, cmd)
		if !ok {
			k = block{cmd: cmd, m: m, at: at, from: len(m), short: true}
		}
		if dir == proto.ToServer {
			p.request1(&hd, &k)
		} else {
			p.response1(&hd, &k)
		}
		if cmd, at, ok = k.next(); !ok {
			return
		}
	}
	p.c.Limit(limitChain)
}

// begin1 begins a transaction for command k that waits for its response.
func (p *parser) begin1(hd *head1, k *block) *Tx {
	tx := p.newTx(1, uint16(k.cmd))
	tx.Session, tx.Tree = uint64(hd.uid), uint32(hd.tid)
	tx.end(proto.ToServer)
	p.await(hd.key(k.cmd), pending{tx: tx, cmd: uint16(k.cmd)})
	return tx
}

// request1 takes command k of a request.
func (p *parser) request1(hd *head1, k *block) {
	ok := true
	switch k.cmd {
	case cmd1ReadAndX:
		ok = p.readRequest1(hd, k)
	case cmd1WriteAndX, cmd1Write, cmd1WriteAndClose:
		ok = p.writeRequest1(hd, k)
	case cmd1Trans:
		ok = p.transRequest1(hd, k)
	case cmd1Trans2:
		ok = p.trans2Request1(hd, k)
	case cmd1Negotiate:
		ok = p.negotiateRequest1(hd, k)
	case cmd1NTCreateAndX:
		ok = p.createRequest1(hd, k)
	case cmd1SessionSetup:
		ok = p.sessionRequest1(hd, k)
	case cmd1TreeConnect:
		ok = p.treeRequest1(hd, k)
	case cmd1TreeDisconnect:
		p.trees.Drop(hd.tree())
		p.begin1(hd, k)
	case cmd1Close:
		p.begin1(hd, k)
		if ok = len(k.words) >= 2; ok {
			p.closeFiles(fid(binary.LittleEndian.Uint16(k.words), hd.uid))
		}
	case cmd1Rename:
		ok = p.renameRequest1(hd, k)
	case cmd1LockingAndX, cmd1NTCancel, cmd1Trans2Secondary:
		// What answers them, if anything, says nothing of its own.
		tx := p.begin1(hd, k)
		p.pending.Drop(hd.key(k.cmd))
		tx.end(proto.ToClient)
	default:
		p.begin1(hd, k)
	}
	if !ok {
		p.malformed()
	}
}

func (p *parser) negotiateRequest1(hd *head1, k *block) bool {
	tx := p.begin1(hd, k)
	tx.Session, tx.Tree = 0, 0
	n := &negotiate{smb1: true}
	tx.nego = n
	b := k.bytes
	for len(b) > 0 {
		i := bytes.IndexByte(b, 0)
		if b[0] != 2 || i < 0 {
			tx.AddEvent(EventNegotiateMalformedDialects)
			break
		}
		if len(n.dialects) < MaxDialects {
			n.dialects = append(n.dialects, clip(b[1:min(i, MaxDialect)]))
		} else {
			p.c.Limit(limitDialects)
		}
		b = b[i+1:]
	}
	p.offered, p.nego1 = n.dialects, tx
	return !k.short
}

func (p *parser) sessionRequest1(hd *head1, k *block) bool {
	s := &session{smb1: true}
	ok := p.sessionNames1(hd, k, s)
	tx := p.begin1(hd, k)
	tx.session = s
	s.mark(tx)
	return ok
}

// sessionNames1 reads what a session setup says of the client.
func (p *parser) sessionNames1(hd *head1, k *block, s *session) bool {
	at := 0
	switch len(k.words) / 2 {
	case 12: // extended security
		n := int(binary.LittleEndian.Uint16(k.words[14:]))
		blob, ok := part(k.bytes, 0, n)
		if !ok {
			return false
		}
		p.token(s, blob)
		at = n
	case 13: // passwords, then account, domain
		at = int(binary.LittleEndian.Uint16(k.words[14:])) + int(binary.LittleEndian.Uint16(k.words[16:]))
		k.text(hd, &at)
		k.text(hd, &at)
	case 10:
		at = int(binary.LittleEndian.Uint16(k.words[14:]))
		k.text(hd, &at)
		k.text(hd, &at)
	default:
		return false
	}
	s.hasReq = true
	s.reqOS, s.reqLM = k.text(hd, &at), k.text(hd, &at)
	return true
}

func (p *parser) treeRequest1(hd *head1, k *block) bool {
	tx := p.begin1(hd, k)
	t := &treeConnect{hasService: true}
	tx.tree = t
	if len(k.words) < 8 {
		return false
	}
	// Some clients count too few bytes.
	k.bytes = k.m[k.from:]
	at := int(binary.LittleEndian.Uint16(k.words[6:]))
	// Suricata shows names of SMB1 shares with one backslash less.
	t.name = bytes.TrimPrefix(k.text(hd, &at), []byte{'\\'})
	if at > len(k.bytes) {
		return false
	}
	t.reqServe, _ = zstring(k.bytes[at:])
	return true
}

func (p *parser) createRequest1(hd *head1, k *block) bool {
	tx := p.begin1(hd, k)
	c := &create{}
	tx.create = c
	if len(k.words) < 48 {
		return false
	}
	r := wire.Reader{B: k.words, At: 35}
	c.disposition = r.LE32()
	options := r.LE32()
	c.deleteOnClose, c.directory = options&0x1000 != 0, options&1 != 0
	at := 0
	c.name = dense(k.text(hd, &at))
	p.await(hd.key(k.cmd), pending{tx: tx, cmd: uint16(k.cmd), name: c.name})
	return true
}

func (p *parser) renameRequest1(hd *head1, k *block) bool {
	tx := p.begin1(hd, k)
	at := 1 // behind the buffer format
	from := k.text(hd, &at)
	at++
	to := k.text(hd, &at)
	tx.rename = &rename{from: from, to: to, smb1: true}
	return len(k.bytes) > 2
}

func (p *parser) readRequest1(hd *head1, k *block) bool {
	if len(k.words) < 20 {
		return false
	}
	r := wire.Reader{B: k.words, At: 4}
	f := r.LE16()
	offset := uint64(r.LE32())
	n := uint32(r.LE16())
	r.Skip(2)
	if high := r.LE32(); high != 0xffffffff {
		n |= high << 16
	}
	r.Skip(2)
	if r.Left() >= 4 {
		offset |= uint64(r.LE32()) << 32
	}
	if p.cfg.maxRead != 0 && n > p.cfg.maxRead {
		p.event(EventReadRequestTooLarge)
	}
	use := useFile
	if t, _ := p.trees.Get(hd.tree()); t.pipe {
		use = useRPC
	}
	p.await(hd.key(k.cmd), pending{cmd: uint16(k.cmd), id: fid(f, hd.uid), offset: offset, use: use})
	return true
}

// writeRequest1 takes a write whose data is all here.
func (p *parser) writeRequest1(hd *head1, k *block) bool {
	var data []byte
	ok := false
	switch k.cmd {
	case cmd1WriteAndX:
		at, n := writeAndX(k.words)
		data, ok = part(k.m, at, n)
	case cmd1Write:
		if len(k.words) >= 10 && len(k.bytes) >= 3 {
			data, ok = part(k.bytes, 3, int(binary.LittleEndian.Uint16(k.words[2:])))
		}
	case cmd1WriteAndClose:
		if len(k.words) >= 12 && len(k.bytes) >= 1 {
			data, ok = part(k.bytes, 1, int(binary.LittleEndian.Uint16(k.words[2:])))
		}
	}
	if !ok {
		return false
	}
	if t, _ := p.trees.Get(hd.tree()); t.pipe {
		id := fid(fileNumber(k), hd.uid)
		p.call(1, uint16(k.cmd), uint64(hd.uid), uint32(hd.tid), hd.key(k.cmd), id, data)
		return true
	}
	if tx := p.write1(hd, k, len(data)); tx != nil {
		p.wholeChunk(tx, data)
	}
	if k.cmd == cmd1WriteAndClose {
		p.closeFiles(fid(fileNumber(k), hd.uid))
	}
	return true
}

// fileNumber returns the file of a write.
func fileNumber(k *block) uint16 {
	if k.cmd == cmd1WriteAndX {
		return binary.LittleEndian.Uint16(k.words[4:])
	}
	return binary.LittleEndian.Uint16(k.words)
}

// write1 takes the words of a write of n bytes to a file and returns the file's
// transaction when the bytes are wanted.
func (p *parser) write1(hd *head1, k *block, n int) *Tx {
	le := binary.LittleEndian
	var offset uint64
	if k.cmd == cmd1WriteAndX {
		offset = uint64(le.Uint32(k.words[6:]))
		if len(k.words) >= 28 {
			offset |= uint64(le.Uint32(k.words[24:])) << 32
		}
	} else {
		offset = uint64(le.Uint32(k.words[4:]))
	}
	if p.cfg.maxWrite != 0 && uint64(n) > uint64(p.cfg.maxWrite) {
		p.event(EventWriteRequestTooLarge)
		return nil
	}
	id := fid(fileNumber(k), hd.uid)
	tx := p.fileOf(id, proto.ToServer)
	if tx == nil {
		t, _ := p.trees.Get(hd.tree())
		tx = p.newFile(id, proto.ToServer, 1, uint16(k.cmd), t.name)
	}
	if !p.chunk(tx, offset, n) {
		return nil
	}
	return tx
}

// transRequest1 takes a transaction on a named pipe.
//
//	words: counts of 0 parameters, 2 data, 4 and 6 at most; 8 setup at most;
//	10 flags, 12 timeout, 18 parameters' count and 20 offset, 22 data's count and
//	24 offset, 26 setup count, 28 setup
func (p *parser) transRequest1(hd *head1, k *block) bool {
	if len(k.words) < 28 {
		p.begin1(hd, k)
		return false
	}
	le := binary.LittleEndian
	n, at := int(le.Uint16(k.words[22:])), int(le.Uint16(k.words[24:]))
	setup := int(k.words[26])
	if setup < 2 || len(k.words) < 28+2*setup || le.Uint16(k.words[28:]) != transactNmPipe {
		return true
	}
	id := fid(le.Uint16(k.words[30:]), hd.uid)
	data, ok := part(k.m, at, n)
	if !ok {
		return false
	}
	if name, _ := p.names.Get(id); isService(name) {
		p.call(1, uint16(k.cmd), uint64(hd.uid), uint32(hd.tid), hd.key(k.cmd), id, data)
	}
	return true
}

// Subcommands of Trans2 that change a file. [MS-CIFS] section 2.2.6.
const (
	trans2SetPathInfo = 6
	trans2SetFileInfo = 8
)

// trans2Request1 takes renames and deletions.
func (p *parser) trans2Request1(hd *head1, k *block) bool {
	if len(k.words) < 28 {
		return false
	}
	le := binary.LittleEndian
	pn, pat := int(le.Uint16(k.words[18:])), int(le.Uint16(k.words[20:]))
	dn, dat := int(le.Uint16(k.words[22:])), int(le.Uint16(k.words[24:]))
	if k.words[26] < 1 || len(k.words) < 30 {
		return false
	}
	sub := le.Uint16(k.words[28:])
	if sub != trans2SetPathInfo && sub != trans2SetFileInfo {
		return true
	}
	params, ok1 := part(k.m, pat, pn)
	data, ok2 := part(k.m, dat, dn)
	if !ok1 || !ok2 || len(params) < 4 {
		return false
	}
	if sub == trans2SetFileInfo {
		return p.setFileInfo1(hd, k, params, data)
	}
	return p.setPathInfo1(hd, k, params, data)
}

func (p *parser) setFileInfo1(hd *head1, k *block, params, data []byte) bool {
	le := binary.LittleEndian
	id, level := fid(le.Uint16(params), hd.uid), le.Uint16(params[2:])
	name, _ := p.names.Get(id)
	switch level {
	case 0x0102, 1013: // SMB_SET_FILE_DISPOSITION_INFO, and as a pass-through level
		if len(data) < 1 {
			return false
		}
		p.begin1(hd, k).setInfo = &setInfo{id: id, name: name, deleteOnClose: data[0]&1 != 0, sub: "SET_FILE_INFO", level: "Set Disposition Information"}
	case 1010: // rename
		to, ok := renameTarget(data)
		if !ok {
			return false
		}
		p.begin1(hd, k).rename = &rename{id: id, from: name, to: to, smb1: true}
	}
	return true
}

func (p *parser) setPathInfo1(hd *head1, k *block, params, data []byte) bool {
	if len(params) < 6 {
		return false
	}
	level := binary.LittleEndian.Uint16(params)
	var name []byte
	if hd.unicode() {
		name = narrow(params[6:])
	} else {
		name, _ = zstring(params[6:])
	}
	switch level {
	case 0x0102, 1013:
		if len(data) < 1 {
			return false
		}
		p.begin1(hd, k).setInfo = &setInfo{name: name, deleteOnClose: data[0]&1 != 0, sub: "SET_PATH_INFO", level: "Set Disposition Information"}
	case 1010:
		to, ok := renameTarget(data)
		if !ok {
			return false
		}
		p.begin1(hd, k).rename = &rename{from: name, to: to, smb1: true}
	}
	return true
}

// renameTarget reads a FILE_RENAME_INFORMATION.
func renameTarget(data []byte) ([]byte, bool) {
	r := wire.Reader{B: data}
	r.Skip(8)
	name := r.Take(int(min(r.LE32(), 1<<20)))
	return narrow(name), !r.Bad
}
