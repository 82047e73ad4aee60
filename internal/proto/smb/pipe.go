package smb

import (
	"mirador/internal/proto"
	"mirador/internal/proto/dcerpc"
)

// maxRPCType is the highest assigned type of DCE/RPC fragment.
const maxRPCType = 20

// pipe is what is known of a named pipe in use.
type pipe struct {
	rpc    bool             // DCE/RPC was seen in it
	part   []byte           // start of a fragment whose rest comes with the next read
	want   int              // length of that fragment
	ifaces []dcerpc.Context // of its last bind
}

// services are the pipes that are taken to carry DCE/RPC, as in Suricata.
var services = [...]string{"atsvc", "lsarpc", "samr", "spoolss", "srvsvc", "svcctl", "winreg"}

// isService tells whether name is that of a pipe that carries DCE/RPC.
func isService(name []byte) bool {
	if len(name) > 0 && name[0] == '\\' {
		name = name[1:]
	}
	for _, s := range services {
		if string(name) == s {
			return true
		}
	}
	return false
}

// looksRPC tells whether b begins like a fragment of DCE/RPC.
func looksRPC(b []byte) bool {
	h, ok := dcerpc.ReadHeader(b)
	return ok && h.Major == 5 && h.Minor <= 1 && h.Type <= maxRPCType && h.Len >= 16 && b[4]&0xee == 0 && b[5] <= 3
}

// ioOf is useOf for a read or write in direction dir: what began as a file stays one.
func (p *parser) ioOf(k treeKey, id fileID, data []byte, dir proto.Dir) use {
	if p.fileOf(id, dir) != nil {
		return useFile
	}
	return p.useOf(k, id, data)
}

// useOf says what id, which is reached through tree k, is. When the tree is not
// known, data, the start of what is transferred, decides.
func (p *parser) useOf(k treeKey, id fileID, data []byte) use {
	t, known := p.trees.Get(k)
	if known && !t.pipe {
		return useFile
	}
	if name, _ := p.names.Get(id); isService(name) {
		return useRPC
	}
	if known && !t.guessed {
		return usePipe
	}
	if st, ok := p.pipes.Get(id); ok && st.rpc {
		return useRPC
	}
	switch {
	case looksRPC(data):
		p.pipe(id).rpc = true
		p.count(p.trees.Put(k, tree{pipe: true, guessed: true}), limitTrees)
		return useRPC
	case t.guessed:
		return usePipe
	}
	return useFile
}

// pipe returns what is known of pipe id.
func (p *parser) pipe(id fileID) *pipe {
	st, ok := p.pipes.Get(id)
	if !ok {
		st = &pipe{}
		p.count(p.pipes.Put(id, st), limitPipes)
	}
	return st
}

// call takes what the client wrote to a pipe. k is the SMB request that brought it.
func (p *parser) call(version uint8, cmd uint16, ssn uint64, tree uint32, k reqKey, id fileID, data []byte) *Tx {
	h, ok := dcerpc.ReadHeader(data)
	if !ok {
		p.await(k, pending{cmd: cmd, id: id, use: useRPC})
		return nil
	}
	frag := data[:min(len(data), max(int(h.Len), 16))]
	var tx *Tx
	if h.Type == dcerpc.TypeRequest && h.Flags&dcerpc.FlagFirst == 0 {
		tx = p.callOf(h.CallID, ssn, id, func(c *pipeTx, sent bool) bool {
			return c.typ[0] == dcerpc.TypeRequest && c.set[0] && !sent
		})
		p.await(k, pending{tx: tx, cmd: cmd, id: id, use: useRPC})
		if tx == nil {
			return nil
		}
	} else {
		tx = p.newCall(version, cmd, ssn, tree, id, h.CallID)
		p.await(k, pending{tx: tx, cmd: cmd, id: id, use: useRPC})
		tx.pipe.set[proto.ToServer], tx.pipe.typ[proto.ToServer] = true, h.Type
	}
	c := tx.pipe
	switch {
	case h.Type == dcerpc.TypeRequest:
		r, ok := dcerpc.ReadRequest(&h, frag)
		if !ok {
			tx.AddEvent(EventMalformedData)
			break
		}
		if c.frags[proto.ToServer] == 0 {
			c.opnum, c.context, c.little[proto.ToServer] = r.Opnum, r.Context, h.Little
		}
		p.stub(tx, proto.ToServer, r.Stub)
	case h.Type == dcerpc.TypeBind:
		p.ifaces = dcerpc.AppendBind(nil, &h, frag)
		p.pipe(id).ifaces = p.ifaces
	case h.Type > maxRPCType:
		tx.AddEvent(EventMalformedData)
	}
	// A pipe whose bind was not seen may be one of those that were.
	c.ifaces = p.ifaces
	if st, ok := p.pipes.Get(id); ok && st.ifaces != nil {
		c.ifaces = st.ifaces
	}
	if h.Flags&dcerpc.FlagLast != 0 || h.Type != dcerpc.TypeRequest {
		tx.end(proto.ToServer)
	}
	return tx
}

// newCall begins the transaction of a call.
func (p *parser) newCall(version uint8, cmd uint16, ssn uint64, tree uint32, id fileID, callID uint32) *Tx {
	tx := p.newTx(version, cmd)
	tx.Session, tx.Tree = ssn, tree
	tx.pipe = &pipeTx{id: id, callID: callID}
	if len(p.calls) >= p.callsMark {
		p.tidyCalls()
	}
	p.calls = append(p.calls, tx)
	return tx
}

// tidyCalls drops the complete calls and counts what the others hold.
func (p *parser) tidyCalls() {
	keep := p.calls[:0]
	p.stubs = 0
	for _, t := range p.calls {
		if !t.Complete() {
			keep = append(keep, t)
			p.stubs += len(t.pipe.stub[0]) + len(t.pipe.stub[1])
		}
	}
	clear(p.calls[len(keep):])
	p.calls, p.callsMark = keep, 2*len(keep)+32
}

// callOf returns the oldest call with this id for which fits holds; one of the same
// pipe is preferred.
func (p *parser) callOf(callID uint32, ssn uint64, id fileID, fits func(c *pipeTx, sent bool) bool) *Tx {
	var other *Tx
	for _, tx := range p.calls {
		c := tx.pipe
		if c.callID != callID || tx.Session != ssn || tx.Complete() || !fits(c, tx.done(proto.ToServer)) {
			continue
		}
		if c.id == id {
			return tx
		}
		if other == nil {
			other = tx
		}
	}
	return other
}

// stub adds a fragment's stub data to a call.
func (p *parser) stub(tx *Tx, dir proto.Dir, b []byte) {
	c := tx.pipe
	c.frags[dir]++
	if p.stubs+len(b) > MaxFlowStub {
		p.tidyCalls()
	}
	room := max(min(p.cfg.maxStub-len(c.stub[dir]), MaxFlowStub-p.stubs), 0)
	if len(b) > room {
		p.c.Limit(limitStub)
		c.stubCut[dir] += len(b) - room
		b = b[:room]
	}
	c.stub[dir] = append(c.stub[dir], b...)
	p.stubs += len(b)
	tx.Touch(dir)
}

// refused takes a failed answer to a pipe operation.
func (p *parser) refused(w pending, s status) {
	if w.tx != nil && !w.tx.done(proto.ToClient) {
		w.tx.answer(s)
	}
}

// reply takes what the client got from a pipe.
func (p *parser) reply(version uint8, cmd uint16, ssn uint64, tree uint32, id fileID, data []byte, s status) {
	st, _ := p.pipes.Get(id)
	if st != nil && len(st.part) > 0 {
		st.part = append(st.part, data...)
		if s.code == ntBufferOverflow && len(st.part) < st.want && len(st.part) <= p.cfg.maxPipeData {
			return // still not whole; it is not looked at again for each read
		}
		data, st.part = st.part, nil
	}
	for n := 0; len(data) > 0; n++ {
		if n == MaxChain {
			p.c.Limit(limitChain)
			return
		}
		h, ok := dcerpc.ReadHeader(data)
		if !ok && s.code != ntBufferOverflow {
			return
		}
		size := max(int(h.Len), 16)
		if len(data) < size && s.code == ntBufferOverflow {
			st = p.pipe(id)
			if len(data) <= p.cfg.maxPipeData {
				st.part, st.want = append([]byte(nil), data...), size
			}
			return
		}
		frag := data[:min(len(data), size)]
		data = data[len(frag):]
		p.fragment(version, cmd, ssn, tree, id, &h, frag, s)
		if !looksRPC(data) {
			return
		}
	}
}

// fragment takes one fragment from the server.
func (p *parser) fragment(version uint8, cmd uint16, ssn uint64, tree uint32, id fileID, h *dcerpc.Header, b []byte, s status) {
	tx := p.callOf(h.CallID, ssn, id, func(*pipeTx, bool) bool { return true })
	if tx == nil {
		tx = p.newCall(version, cmd, ssn, tree, id, h.CallID)
		tx.end(proto.ToServer)
	}
	c := tx.pipe
	c.set[proto.ToClient], c.typ[proto.ToClient] = true, h.Type
	tx.status = s
	done := true
	switch {
	case h.Type == dcerpc.TypeResponse:
		r, ok := dcerpc.ReadRequest(h, b)
		if !ok {
			tx.AddEvent(EventMalformedData)
			break
		}
		c.little[proto.ToClient] = h.Little
		p.stub(tx, proto.ToClient, r.Stub)
		done = h.Flags&dcerpc.FlagLast != 0
	case h.Type == dcerpc.TypeBindAck:
		dcerpc.Results(h, b, func(i int, result, reason uint16) {
			if i < len(c.ifaces) {
				c.ifaces[i].Acked, c.ifaces[i].Result, c.ifaces[i].Reason = true, result, reason
			}
		})
	case h.Type > maxRPCType:
		tx.AddEvent(EventMalformedData)
	}
	if done {
		tx.end(proto.ToServer)
		tx.end(proto.ToClient)
	}
}
