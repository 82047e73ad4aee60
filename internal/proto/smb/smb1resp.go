package smb

import (
	"encoding/binary"

	"mirador/internal/proto"
	"mirador/internal/proto/wire"
)

// response1 takes command k of a response.
func (p *parser) response1(hd *head1, k *block) {
	key := hd.key(k.cmd)
	w, ok := p.pending.Get(key)
	good := true
	switch k.cmd {
	case cmd1ReadAndX:
		if ok {
			good = p.readResponse1(hd, k, w)
			p.pending.Drop(key)
		}
	case cmd1Trans:
		if ok && w.use == useRPC {
			good = p.transResponse1(hd, k, w)
		}
	case cmd1WriteAndX, cmd1Write:
		switch {
		case !ok || w.use != useRPC:
		case !hd.fine():
			p.refused(w, hd.outcome())
		case w.tx != nil:
			w.tx.status = hd.outcome()
		}
	case cmd1Negotiate:
		if ok && w.tx.nego != nil {
			good = p.negotiateResponse1(hd, k, w.tx)
		}
	case cmd1SessionSetup:
		if ok && w.tx.session != nil {
			good = p.sessionResponse1(hd, k, w.tx)
		}
	case cmd1TreeConnect:
		if ok && w.tx.tree != nil {
			good = p.treeResponse1(hd, k, w.tx)
		}
	case cmd1NTCreateAndX:
		if ok {
			good = p.createResponse1(hd, k, w)
		}
	}
	if !ok {
		return
	}
	p.pending.Drop(key)
	if w.tx != nil && w.tx.pipe == nil {
		w.tx.answer(hd.outcome())
		if !good {
			w.tx.AddEvent(EventMalformedData)
		}
		return
	}
	if !good && w.tx != nil {
		w.tx.AddEvent(EventMalformedData)
	}
}

func (p *parser) negotiateResponse1(hd *head1, k *block, tx *Tx) bool {
	p.nego1 = nil
	if hd.status != 0 {
		return true
	}
	if len(k.words) < 2 {
		return false
	}
	i := int(binary.LittleEndian.Uint16(k.words))
	if i < len(p.offered) {
		p.dialect1, p.dialect = p.offered[i], 0
	} else if i != 0xffff {
		tx.AddEvent(EventMalformedData)
	}
	if len(k.words) >= 34 && len(k.bytes) >= 16 {
		tx.nego.serverGUID = clip(k.bytes[:16])
	}
	return true
}

func (p *parser) sessionResponse1(hd *head1, k *block, tx *Tx) bool {
	tx.Session = uint64(hd.uid)
	s := tx.session
	at := 0
	switch len(k.words) / 2 {
	case 4:
		at = int(binary.LittleEndian.Uint16(k.words[6:]))
	case 3:
	default:
		// A refusal brings nothing.
		return true
	}
	s.hasResp = true
	s.respOS, s.respLM = k.text(hd, &at), k.text(hd, &at)
	return true
}

func (p *parser) treeResponse1(hd *head1, k *block, tx *Tx) bool {
	if hd.status != 0 {
		return true
	}
	t := tx.tree
	t.answered = true
	t.respServe, _ = zstring(k.bytes)
	t.pipe = string(t.respServe) == "IPC"
	tx.Tree = uint32(hd.tid)
	p.count(p.trees.Put(hd.tree(), tree{name: t.name, pipe: t.pipe}), limitTrees)
	return true
}

func (p *parser) createResponse1(hd *head1, k *block, w pending) bool {
	if hd.status != 0 {
		return true
	}
	r := wire.Reader{B: k.words, At: 5}
	f := r.LE16()
	r.Skip(4)
	var times [4]uint64
	for i := range times {
		times[i] = r.LE64()
	}
	r.Skip(4)
	size := r.LE64() // allocated, as in Suricata
	if r.Bad {
		return false
	}
	id := fid(f, hd.uid)
	if c := w.tx.create; c != nil {
		c.times, c.size, c.id = times, size, id
	}
	p.count(p.names.Put(id, w.name), limitGUIDs)
	return true
}

// readResponse1 takes a read's response that is all here.
func (p *parser) readResponse1(hd *head1, k *block, w pending) bool {
	if !hd.fine() {
		if w.use == useRPC {
			p.refused(w, hd.outcome())
		}
		return true
	}
	at, n := readAndX(k.words)
	data, ok := part(k.m, at, n)
	if !ok {
		return false
	}
	if w.use == useRPC {
		p.reply(1, uint16(k.cmd), uint64(hd.uid), uint32(hd.tid), w.id, data, hd.outcome())
		return true
	}
	if tx := p.read1(hd, n); tx != nil {
		p.wholeChunk(tx, data)
	}
	return true
}

// read1 takes the header of the response to a read of a file, which brings n bytes,
// and returns the file's transaction when the bytes are wanted.
func (p *parser) read1(hd *head1, n int) *Tx {
	w, ok := p.answered(hd.key(cmd1ReadAndX))
	if !ok {
		return nil
	}
	if p.cfg.maxRead != 0 && uint64(n) > uint64(p.cfg.maxRead) {
		p.event(EventReadResponseTooLarge)
		return nil
	}
	tx := p.fileOf(w.id, proto.ToClient)
	if tx == nil {
		t, _ := p.trees.Get(hd.tree())
		tx = p.newFile(w.id, proto.ToClient, 1, cmd1ReadAndX, t.name)
	}
	if !p.chunk(tx, w.offset, n) {
		return nil
	}
	return tx
}

// transResponse1 takes the response to a transaction on a named pipe.
//
//	words: counts of 0 all parameters, 2 all data; 6 parameters' count, 8 offset,
//	10 displacement; 12 data's count, 14 offset, 16 displacement; 18 setup count
func (p *parser) transResponse1(hd *head1, k *block, w pending) bool {
	if !hd.fine() {
		p.refused(w, hd.outcome())
		return true
	}
	if len(k.words) < 20 {
		return len(k.words) == 0
	}
	le := binary.LittleEndian
	data, ok := part(k.m, int(le.Uint16(k.words[14:])), int(le.Uint16(k.words[12:])))
	if !ok {
		return false
	}
	p.reply(1, uint16(k.cmd), uint64(hd.uid), uint32(hd.tid), w.id, data, hd.outcome())
	return true
}
