package smb

import (
	"encoding/binary"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// Commands of SMB2. [MS-SMB2] section 2.2.1.2.
const (
	cmd2Negotiate      = 0
	cmd2SessionSetup   = 1
	cmd2Logoff         = 2
	cmd2TreeConnect    = 3
	cmd2TreeDisconnect = 4
	cmd2Create         = 5
	cmd2Close          = 6
	cmd2Read           = 8
	cmd2Write          = 9
	cmd2Ioctl          = 11
	cmd2QueryInfo      = 16
	cmd2SetInfo        = 17

	head2Len  = 64
	head3Len  = 52
	write2Len = 48 // fixed part of a write request
	read2Len  = 16 // fixed part of a read response

	fsctlPipeTransceive = 0x0011c017
)

// Flags of an SMB2 header.
const (
	flag2Response = 1
	flag2Async    = 2
)

// head2 is the header of an SMB2 message.
//
//	0 FE 'SMB'; 4 size 64, credit charge; 8 status; 12 command, credits; 16 flags;
//	20 next command; 24 message id; 32 process id, 36 tree id (or async id);
//	40 session id; 48 signature
type head2 struct {
	status  uint32
	cmd     uint16
	flags   uint32
	next    uint32
	id      uint64
	tree    uint32
	session uint64
}

// readHead2 reads the header at the start of b, which holds head2Len bytes.
func readHead2(b []byte) (h head2) {
	le := binary.LittleEndian
	h.status, h.cmd, h.flags, h.next = le.Uint32(b[8:]), le.Uint16(b[12:]), le.Uint32(b[16:]), le.Uint32(b[20:])
	h.id, h.session = le.Uint64(b[24:]), le.Uint64(b[40:])
	if h.flags&flag2Async == 0 {
		h.tree = le.Uint32(b[36:])
	}
	return h
}

func (h *head2) response() bool { return h.flags&flag2Response != 0 }
func (h *head2) key() reqKey    { return reqKey{2, h.id} }
func (h *head2) share() treeKey { return treeKey{h.session, h.tree} }
func (h *head2) outcome() status {
	return status{set: true, nt: true, code: h.status}
}

// stream2 looks at the message of size bytes whose start is b, and when it is a read
// or write of a file takes all but the file's bytes, which are left to h. See packet
// for what it returns.
func (p *parser) stream2(dir proto.Dir, h *half, b []byte, size int, off uint64) (n, want int, done bool) {
	if size < head2Len {
		return 0, 0, false
	}
	if len(b) < head2Len {
		return 0, head2Len, false
	}
	hd := readHead2(b)
	fixed := head2Len + read2Len
	switch {
	case hd.next != 0 || hd.response() != (dir == proto.ToClient):
		return 0, 0, false
	case hd.cmd == cmd2Write && dir == proto.ToServer:
		fixed = head2Len + write2Len
	case hd.cmd == cmd2Read && dir == proto.ToClient:
		if hd.status != ntSuccess && hd.status != ntBufferOverflow {
			return 0, 0, false
		}
	default:
		return 0, 0, false
	}
	if size < fixed {
		return 0, 0, false
	}
	if len(b) < fixed {
		return 0, fixed, false
	}
	var at, length int
	if hd.cmd == cmd2Write {
		at, length = int(binary.LittleEndian.Uint16(b[head2Len+2:])), int(binary.LittleEndian.Uint32(b[head2Len+4:]))
	} else {
		at, length = int(b[head2Len+2]), int(binary.LittleEndian.Uint32(b[head2Len+4:]))
	}
	at = max(at, fixed)
	if at > size || length > size-at {
		return 0, 0, false
	}
	if head := at + min(length, 16); len(b) < head {
		return 0, head, false
	}
	if size <= MaxRecord && p.useNow2(&hd, b, at, length) != useFile {
		return 0, 0, false
	}
	p.frames2(dir, off, size)
	var tx *Tx
	if hd.cmd == cmd2Write {
		tx = p.write2(&hd, b[head2Len:fixed], length)
	} else {
		tx = p.read2(&hd, length)
	}
	if tx == nil || length == 0 {
		h.skip = size - at
		return at, 0, true
	}
	h.file, h.fileLeft, h.skip = tx, length, size-at-length
	return at, 0, true
}

// useNow2 says what the read or write in b, whose n bytes of data begin at offset at,
// is about. The first 16 of them are there.
func (p *parser) useNow2(hd *head2, b []byte, at, n int) use {
	data := b[at : at+min(n, 16)]
	if hd.cmd == cmd2Write {
		return p.ioOf(hd.share(), guid(b[head2Len+16:]), data, proto.ToServer)
	}
	w, ok := p.pending.Get(hd.key())
	if !ok {
		return useFile
	}
	return p.ioOf(hd.share(), w.id, data, proto.ToClient)
}

func (p *parser) frames2(dir proto.Dir, off uint64, size int) {
	p.frame(dir, "smb2.pdu", off, size)
	p.frame(dir, "smb2.hdr", off, head2Len)
	if size > head2Len {
		p.frame(dir, "smb2.data", off+head2Len, size-head2Len)
	}
}

// messages2 takes a whole message, which may hold several commands.
func (p *parser) messages2(dir proto.Dir, b []byte, off uint64) {
	for range MaxChain {
		p.cur = nil
		if len(b) < head2Len {
			p.event(EventMalformedData)
			return
		}
		hd := readHead2(b)
		end := len(b)
		if n := int(hd.next); n >= head2Len && n < len(b) {
			end = n
		}
		p.frames2(dir, off, end)
		switch {
		case hd.response() != (dir == proto.ToClient):
			e := EventResponseToServer
			if dir == proto.ToClient {
				e = EventRequestToClient
			}
			p.event(e)
		case dir == proto.ToServer:
			p.request2(&hd, b[:end])
		default:
			p.response2(&hd, b[:end])
		}
		if end == len(b) {
			return
		}
		b, off = b[end:], off+uint64(end)
	}
	p.c.Limit(limitChain)
}

// sealed takes an encrypted message: only its header can be told.
func (p *parser) sealed(dir proto.Dir, b []byte, off uint64) {
	p.frame(dir, "smb3.pdu", off, len(b))
	if len(b) < head3Len {
		p.event(EventMalformedData)
		return
	}
	p.frame(dir, "smb3.hdr", off, head3Len)
	p.frame(dir, "smb3.data", off+head3Len, len(b)-head3Len)
}

// begin2 begins a transaction for the request with header hd that waits for its
// response.
func (p *parser) begin2(hd *head2) *Tx {
	tx := p.newTx(2, hd.cmd)
	tx.Session, tx.Tree = hd.session, hd.tree
	tx.end(proto.ToServer)
	p.await(hd.key(), pending{tx: tx, cmd: hd.cmd})
	return tx
}

// request2 takes the request in m, header included.
func (p *parser) request2(hd *head2, m []byte) {
	body := m[head2Len:]
	ok := true
	switch hd.cmd {
	case cmd2Negotiate:
		ok = p.negotiateRequest2(hd, body)
	case cmd2SessionSetup:
		ok = p.sessionRequest2(hd, m)
	case cmd2TreeConnect:
		ok = p.treeRequest2(hd, m)
	case cmd2TreeDisconnect:
		p.trees.Drop(hd.share())
		p.begin2(hd)
	case cmd2Create:
		ok = p.createRequest2(hd, m)
	case cmd2Close:
		p.begin2(hd)
		if ok = len(body) >= 24; ok {
			p.closeFiles(guid(body[8:]))
		}
	case cmd2Read:
		ok = p.readRequest2(hd, body)
	case cmd2Write:
		ok = p.writeRequest2(hd, m)
	case cmd2Ioctl:
		ok = p.ioctlRequest2(hd, m)
	case cmd2SetInfo:
		ok = p.setInfoRequest2(hd, m)
	case cmd2QueryInfo:
	default:
		p.begin2(hd)
	}
	if !ok {
		p.malformed()
	}
}

func (p *parser) negotiateRequest2(hd *head2, body []byte) bool {
	tx := p.begin2(hd)
	n := &negotiate{}
	r := wire.Reader{B: body}
	r.Skip(2)
	count := int(r.LE16())
	r.Skip(8)
	id := r.Take(16)
	r.Skip(8)
	if r.Bad {
		return false
	}
	tx.nego = n
	n.clientGUID = clip(id)
	for i := 0; i < count; i++ {
		d := r.LE16()
		if r.Bad {
			tx.AddEvent(EventNegotiateMalformedDialects)
			return true
		}
		if len(n.dialects2) < MaxDialects {
			n.dialects2 = append(n.dialects2, d)
		} else {
			p.c.Limit(limitDialects)
		}
	}
	return true
}

func (p *parser) sessionRequest2(hd *head2, m []byte) bool {
	s := &session{}
	r := wire.Reader{B: m, At: head2Len}
	r.Skip(12)
	at, n := int(r.LE16()), int(r.LE16())
	blob, ok := part(m, at, n)
	ok = ok && !r.Bad
	if ok {
		p.token(s, blob)
	}
	tx := p.begin2(hd)
	tx.session = s
	s.mark(tx)
	return true
}

func (p *parser) treeRequest2(hd *head2, m []byte) bool {
	tx := p.begin2(hd)
	r := wire.Reader{B: m, At: head2Len}
	r.Skip(4)
	at, n := int(r.LE16()), int(r.LE16())
	if r.Bad {
		return false
	}
	tx.tree = &treeConnect{}
	if name, ok := part(m, at, n); ok {
		tx.tree.name = dense(name)
	}
	return true
}

func (p *parser) createRequest2(hd *head2, m []byte) bool {
	tx := p.begin2(hd)
	c := &create{}
	r := wire.Reader{B: m, At: head2Len}
	r.Skip(36)
	c.disposition = r.LE32()
	options := r.LE32()
	at, n := int(r.LE16()), int(r.LE16())
	name, ok := part(m, at, n)
	if r.Bad || n > 0 && !ok {
		return false
	}
	c.deleteOnClose, c.directory = options&0x1000 != 0, options&1 != 0
	c.name = dense(name)
	tx.create = c
	p.await(hd.key(), pending{tx: tx, cmd: hd.cmd, name: c.name})
	return true
}

func (p *parser) readRequest2(hd *head2, body []byte) bool {
	r := wire.Reader{B: body}
	r.Skip(4)
	n, offset := r.LE32(), r.LE64()
	id := r.Take(16)
	if r.Bad {
		return false
	}
	if p.maxRead != 0 && n > p.maxRead || p.cfg.maxRead != 0 && n > p.cfg.maxRead {
		p.event(EventReadRequestTooLarge)
	}
	p.await(hd.key(), pending{cmd: hd.cmd, id: guid(id), offset: offset})
	return true
}

// writeRequest2 takes a write whose data is all here.
func (p *parser) writeRequest2(hd *head2, m []byte) bool {
	if len(m) < head2Len+write2Len {
		return false
	}
	fixed := m[head2Len : head2Len+write2Len]
	at, n := int(binary.LittleEndian.Uint16(fixed[2:])), int(binary.LittleEndian.Uint32(fixed[4:]))
	data, ok := part(m, max(at, head2Len+write2Len), n)
	if !ok {
		return false
	}
	switch id := guid(fixed[16:]); p.ioOf(hd.share(), id, data, proto.ToServer) {
	case useRPC:
		p.call(2, hd.cmd, hd.session, hd.tree, hd.key(), id, data)
	case useFile:
		if tx := p.write2(hd, fixed, n); tx != nil {
			p.wholeChunk(tx, data)
		}
	}
	return true
}

// wholeChunk hands the data of a part that was begun to its file.
func (p *parser) wholeChunk(tx *Tx, data []byte) {
	f := tx.file
	before := f.track.Queued()
	f.track.Data(f.file, data)
	f.track.Flush(f.file)
	tx.Touch(f.dir)
	p.queued += f.track.Queued() - before
}

// write2 takes the fixed part of a write of n bytes to a file and returns the file's
// transaction when the bytes are wanted.
func (p *parser) write2(hd *head2, fixed []byte, n int) *Tx {
	offset, id := binary.LittleEndian.Uint64(fixed[8:]), guid(fixed[16:])
	if p.maxWrite != 0 && uint64(n) > uint64(p.maxWrite) || p.cfg.maxWrite != 0 && uint64(n) > uint64(p.cfg.maxWrite) {
		p.event(EventWriteRequestTooLarge)
		return nil
	}
	tx := p.fileOf(id, proto.ToServer)
	if tx == nil {
		// Suricata shows no share for what is written.
		tx = p.newFile(id, proto.ToServer, 2, hd.cmd, nil)
		tx.Session, tx.Tree = hd.session, hd.tree
	}
	if !p.chunk(tx, offset, n) {
		return nil
	}
	return tx
}

func (p *parser) ioctlRequest2(hd *head2, m []byte) bool {
	r := wire.Reader{B: m, At: head2Len}
	r.Skip(4)
	function := r.LE32()
	id := r.Take(16)
	at, n := int(r.LE32()), int(r.LE32())
	if r.Bad {
		p.begin2(hd)
		return false
	}
	if data, ok := part(m, at, n); ok && function == fsctlPipeTransceive && p.useOf(hd.share(), guid(id), data) == useRPC {
		p.call(2, hd.cmd, hd.session, hd.tree, hd.key(), guid(id), data)
		return true
	}
	p.begin2(hd).ioctl = &ioctl{function}
	return true
}

func (p *parser) setInfoRequest2(hd *head2, m []byte) bool {
	r := wire.Reader{B: m, At: head2Len}
	r.Skip(2)
	class, level := r.U8(), r.U8()
	n, at := int(r.LE32()), int(r.LE16())
	r.Skip(6)
	id := r.Take(16)
	data, ok := part(m, at, n)
	if r.Bad || !ok {
		return false
	}
	if class != 1 {
		return true
	}
	switch level {
	case 0x0a: // FileRenameInformation
		d := wire.Reader{B: data}
		d.Skip(16)
		name := d.Take(int(min(d.LE32(), 1<<20)))
		if d.Bad {
			return false
		}
		tx := p.begin2(hd)
		from := p.nameOf(hd, guid(id))
		tx.rename = &rename{id: guid(id), from: from, to: dense(name), info: "SMB2_FILE_RENAME_INFO"}
	case 0x0d: // FileDispositionInformation
		if len(data) < 1 {
			return false
		}
		tx := p.begin2(hd)
		name := p.nameOf(hd, guid(id))
		tx.setInfo = &setInfo{id: guid(id), name: name, deleteOnClose: data[0]&1 != 0}
	}
	return true
}

// nameOf returns the name of id, also when it is just being opened by the request
// before this one (in a compound the id is not known yet).
func (p *parser) nameOf(hd *head2, id fileID) []byte {
	if name, ok := p.names.Get(id); ok {
		return name
	}
	if w, ok := p.pending.Get(reqKey{2, hd.id - 1}); ok && w.cmd == cmd2Create {
		return w.name
	}
	return []byte("<unknown>")
}

// response2 takes the response in m, header included.
func (p *parser) response2(hd *head2, m []byte) {
	if hd.status == ntPending {
		// The real answer follows under the same message id.
		if w, ok := p.pending.Get(hd.key()); ok && w.tx != nil {
			w.tx.status = hd.outcome()
		}
		return
	}
	w, ok := p.answered(hd.key())
	if ok && w.cmd != hd.cmd {
		ok = false
	}
	body := m[head2Len:]
	good := true
	switch hd.cmd {
	case cmd2Read:
		if !ok {
			return
		}
		p.await(hd.key(), w)
		good = p.readResponse2(hd, m)
		p.pending.Drop(hd.key())
	case cmd2Ioctl, cmd2Write:
		switch {
		case ok && w.use == useRPC:
			good = p.pipeResponse2(hd, w, m)
		case hd.cmd == cmd2Ioctl && hd.status == ntSuccess:
			good = len(body) >= 48
		}
	case cmd2Negotiate:
		if !ok && p.nego1 != nil {
			// The client asked in SMB1 and offered SMB2.
			w, ok = pending{tx: p.nego1}, true
			w.tx.Session, w.tx.Tree = hd.session, hd.tree
			p.nego1 = nil
		}
		if ok && w.tx.nego != nil {
			good = p.negotiateResponse2(hd, w.tx, body)
		}
	case cmd2SessionSetup:
		if ok {
			w.tx.Session = hd.session
		}
	case cmd2TreeConnect:
		good = p.treeResponse2(hd, w, ok, body)
	case cmd2Create:
		if ok {
			good = p.createResponse2(hd, w, body)
		}
	}
	if w.tx == nil {
		return
	}
	if !good && hd.cmd == cmd2Ioctl {
		w.tx.AddEvent(EventMalformedData)
	}
	if w.tx.pipe == nil {
		w.tx.answer(hd.outcome())
	}
}

func (p *parser) negotiateResponse2(hd *head2, tx *Tx, body []byte) bool {
	if hd.status != ntSuccess {
		return true
	}
	r := wire.Reader{B: body}
	r.Skip(4)
	dialect := r.LE16()
	r.Skip(2)
	id := r.Take(16)
	r.Skip(8)
	maxRead, maxWrite := r.LE32(), r.LE32()
	if r.Bad {
		return false
	}
	p.dialect, p.dialect1 = dialect, nil
	p.maxRead, p.maxWrite = maxRead, maxWrite
	n := tx.nego
	n.serverGUID, n.maxRead, n.maxWrite, n.answered = clip(id), maxRead, maxWrite, true
	if p.cfg.maxRead != 0 && maxRead > p.cfg.maxRead {
		tx.AddEvent(EventNegotiateMaxReadSizeTooLarge)
	}
	if p.cfg.maxWrite != 0 && maxWrite > p.cfg.maxWrite {
		tx.AddEvent(EventNegotiateMaxWriteSizeTooLarge)
	}
	return true
}

func (p *parser) treeResponse2(hd *head2, w pending, known bool, body []byte) bool {
	if hd.status != ntSuccess {
		return true
	}
	if len(body) < 16 {
		return false
	}
	t := tree{pipe: body[2] == 2}
	if known && w.tx.tree != nil {
		c := w.tx.tree
		c.shareType, c.pipe, c.answered = body[2], t.pipe, true
		t.name = c.name
		w.tx.Tree = hd.tree
	}
	p.count(p.trees.Put(hd.share(), t), limitTrees)
	return true
}

func (p *parser) createResponse2(hd *head2, w pending, body []byte) bool {
	if hd.status != ntSuccess {
		return true
	}
	r := wire.Reader{B: body}
	r.Skip(8)
	var times [4]uint64
	for i := range times {
		times[i] = r.LE64()
	}
	r.Skip(8)
	size := r.LE64()
	r.Skip(8)
	id := r.Take(16)
	if r.Bad {
		return false
	}
	if c := w.tx.create; c != nil {
		c.times, c.size, c.id = times, size, guid(id)
	}
	p.count(p.names.Put(guid(id), w.name), limitGUIDs)
	return true
}

// readResponse2 takes a read's response that is all here.
func (p *parser) readResponse2(hd *head2, m []byte) bool {
	w, _ := p.pending.Get(hd.key())
	if hd.status == ntEndOfFile {
		// All of the file was read; the transaction goes on until it is closed.
		if tx := p.fileOf(w.id, proto.ToClient); tx != nil {
			tx.status = hd.outcome()
			tx.file.file.Close(proto.FileClosed)
			tx.Touch(proto.ToClient)
		}
	}
	if hd.status != ntSuccess && hd.status != ntBufferOverflow {
		return true
	}
	if len(m) < head2Len+read2Len {
		return false
	}
	at, n := int(m[head2Len+2]), int(binary.LittleEndian.Uint32(m[head2Len+4:]))
	data, ok := part(m, max(at, head2Len+read2Len), n)
	if !ok {
		return false
	}
	// The response says which tree it is about, unless it is asynchronous.
	switch p.ioOf(hd.share(), w.id, data, proto.ToClient) {
	case useRPC:
		p.reply(2, hd.cmd, hd.session, hd.tree, w.id, data, hd.outcome())
	case useFile:
		if tx := p.read2(hd, n); tx != nil {
			p.wholeChunk(tx, data)
		}
	}
	return true
}

// read2 takes the header of the response to a read of a file, which brings n bytes,
// and returns the file's transaction when the bytes are wanted. The request stays
// among those pending when the response is taken whole.
func (p *parser) read2(hd *head2, n int) *Tx {
	w, ok := p.answered(hd.key())
	if !ok || w.cmd != cmd2Read {
		return nil
	}
	if p.maxRead != 0 && uint64(n) > uint64(p.maxRead) || p.cfg.maxRead != 0 && uint64(n) > uint64(p.cfg.maxRead) {
		p.event(EventReadResponseTooLarge)
		return nil
	}
	tx := p.fileOf(w.id, proto.ToClient)
	if tx == nil {
		t, _ := p.trees.Get(hd.share())
		tx = p.newFile(w.id, proto.ToClient, 2, hd.cmd, t.name)
		tx.Session, tx.Tree = hd.session, hd.tree
	}
	if !p.chunk(tx, w.offset, n) {
		return nil
	}
	return tx
}

// pipeResponse2 takes the response to a write to, or a transaction of, a pipe.
func (p *parser) pipeResponse2(hd *head2, w pending, m []byte) bool {
	if hd.status != ntSuccess && hd.status != ntBufferOverflow {
		p.refused(w, hd.outcome())
		return true
	}
	if hd.cmd == cmd2Write {
		return true
	}
	r := wire.Reader{B: m, At: head2Len}
	r.Skip(32)
	at, n := int(r.LE32()), int(r.LE32())
	data, ok := part(m, at, n)
	if r.Bad || !ok {
		return false
	}
	p.reply(2, hd.cmd, hd.session, hd.tree, w.id, data, hd.outcome())
	return true
}
