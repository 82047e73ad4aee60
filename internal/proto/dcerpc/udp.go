package dcerpc

import "mirador/internal/proto"

// Flags of a version 4 header.
const (
	flagDGLast = 0x02
	flagDGFrag = 0x04
)

// datagrams follows a UDP flow.
type datagrams struct {
	c    *proto.Conn
	cfg  *config
	open openTxs
}

// dgHeader is what is kept of the header of version 4.
//
//	0 version, type, flags 1, flags 2; 4 data representation, serial high;
//	8 object; 24 interface; 40 activity; 56 boot time; 60 interface version;
//	64 sequence number; 68 operation, 70 interface hint, 72 activity hint;
//	74 length, 76 fragment number; 78 authentication, serial low
type dgHeader struct {
	typ, flags uint8
	little     bool
	activity   UUID
	seq        uint32
	opnum      uint16
	size       uint16
}

// readDG reads the header of version 4; ok is false when b does not begin with
// one.
func readDG(b []byte) (h dgHeader, ok bool) {
	if len(b) < dgLen || b[0] != 4 || b[3]&0xfc != 0 || b[4]&0xee != 0 || b[5] > 3 {
		return h, false
	}
	h = dgHeader{typ: b[1], flags: b[2], little: b[4]&0x10 != 0}
	o := order(h.little)
	h.activity = readUUID(b[40:], true)
	h.seq, h.opnum, h.size = o.Uint32(b[64:]), o.Uint16(b[68:]), o.Uint16(b[74:])
	return h, true
}

// Parse implements proto.Parser.
func (p *datagrams) Parse(_ proto.Dir, data []byte, _ bool) (used, need int, st proto.Status) {
	h, ok := readDG(data)
	if !ok {
		// Anybody can put such a datagram between those of a flow.
		return len(data), 0, proto.OK
	}
	stub := data[dgLen:]
	stub = stub[:min(len(stub), int(h.size))]
	// The type tells who sent it; both sides may use one address.
	switch h.typ {
	case TypeRequest, TypeResponse:
		dir := proto.ToServer
		if h.typ == TypeResponse {
			dir = proto.ToClient
		}
		t := p.of(dir, &h)
		if t.Frags[dir] == 0 {
			t.Little[dir] = h.little
			if dir == proto.ToServer {
				t.Opnum = h.opnum
			}
		}
		p.open.stub(p.c, t, dir, stub, p.cfg.maxStub)
		if h.flags&flagDGFrag == 0 || h.flags&flagDGLast != 0 {
			t.end(dir)
		}
	}
	return len(data), 0, proto.OK
}

// of returns the transaction that the packet belongs to.
func (p *datagrams) of(dir proto.Dir, h *dgHeader) *Tx {
	for _, t := range p.open.list {
		if t.Seq == h.seq && t.Activity == h.activity && !t.Done[dir] {
			t.Seen[dir] = true
			if dir == proto.ToClient {
				t.RespType = h.typ
			}
			return t
		}
	}
	t := &Tx{UDP: true, Major: 4, Activity: h.activity, Seq: h.seq}
	t.Seen[dir] = true
	if dir == proto.ToServer {
		t.ReqType = h.typ
	} else {
		t.RespType, t.Lost[proto.ToServer] = h.typ, true
	}
	p.open.add(p.c, t, p.cfg.maxTx)
	return t
}

// Gap implements proto.Parser.
func (p *datagrams) Gap(proto.Dir, int) bool { return true }
