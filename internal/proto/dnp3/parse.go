package dnp3

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// The link layer. IEEE 1815 section 9.
const (
	start0, start1 = 0x05, 0x64
	linkLen        = 10 // header with its check sum
	linkCounted    = 5  // octets of the header that the length counts
	blockLen       = 16 // user data between check sums

	bitDir, bitPri, bitFCB, bitFCV = 0x80, 0x40, 0x20, 0x10
	maskFunction                   = 0x0f
	confirmedData                  = 3
	unconfirmedData                = 4
)

// The transport layer: one octet.
const (
	transportFIN, transportFIR, transportSeq = 0x80, 0x40, 0x3f
)

// segment is what a direction's reassembly holds.
type segment struct {
	open     bool
	seq      byte // of the last segment
	control  byte
	dst, src uint16
	data     []byte
}

// parser follows one flow.
type parser struct {
	c       *proto.Conn
	limits  limits
	layouts *layouts
	dir     [2]segment
	lost    [2]bool
	block   [256]byte // user data of one frame without check sums
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	for {
		rest := data[used:]
		if p.lost[dir] {
			n := resume(rest)
			used, rest = used+n, rest[n:]
		}
		if len(rest) < linkLen {
			return used, linkLen, proto.OK
		}
		if rest[0] != start0 || rest[1] != start1 {
			return used, 0, proto.Broken
		}
		total := frameLen(rest[2])
		sound := binary.LittleEndian.Uint16(rest[8:]) == crc(rest[:8])
		if p.lost[dir] && !sound {
			used++
			continue
		}
		if len(rest) < total {
			return used, total, proto.OK
		}
		p.lost[dir] = false
		p.frame(dir, rest[:total], sound)
		used += total
	}
}

// resume returns how much of b is before what may be a frame.
func resume(b []byte) int {
	for i := range b {
		if b[i] == start0 && (i+1 == len(b) || b[i+1] == start1) {
			return i
		}
	}
	return len(b)
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	p.lost[dir] = true
	p.dir[dir].open = false
	return true
}

// frameLen is the length of a frame on the wire whose length octet is n.
func frameLen(n byte) int {
	if n <= linkCounted {
		return linkLen
	}
	user := int(n) - linkCounted
	return linkLen + user + (user+blockLen-1)/blockLen*2
}

// frame takes one link frame.
func (p *parser) frame(dir proto.Dir, b []byte, sound bool) {
	if !sound {
		p.event(dir, EventBadLinkCRC)
		return
	}
	if b[2] < linkCounted {
		p.event(dir, EventLenTooSmall)
		return
	}
	if f := b[3] & maskFunction; b[3]&bitPri == 0 || f != confirmedData && f != unconfirmedData {
		return
	}
	if b[2] == linkCounted {
		p.event(dir, EventLenTooSmall)
		return
	}
	user := p.block[:0]
	for at := linkLen; at < len(b); {
		n := min(blockLen, len(b)-at-2)
		if binary.LittleEndian.Uint16(b[at+n:]) != crc(b[at:at+n]) {
			p.event(dir, EventBadTransportCRC)
			return
		}
		user = append(user, b[at:at+n]...)
		at += n + 2
	}
	p.transport(dir, b, user)
}

// transport takes the user data of a frame with header h.
func (p *parser) transport(dir proto.Dir, h, user []byte) {
	s := &p.dir[dir]
	t, app := user[0], user[1:]
	switch {
	case t&transportFIR != 0:
		if t&transportFIN != 0 && len(app) < headerLen(dir) {
			p.event(dir, EventLenTooSmall)
			return
		}
		s.open, s.data = true, s.data[:0]
		s.control, s.dst, s.src = h[3], binary.LittleEndian.Uint16(h[4:]), binary.LittleEndian.Uint16(h[6:])
	case !s.open:
		return
	case t&transportSeq != (s.seq+1)&transportSeq:
		s.open = false
		return
	}
	s.seq = t & transportSeq
	if len(s.data)+len(app) > MaxApplication {
		s.open = false
		p.event(dir, EventTooLongReassembly)
		return
	}
	s.data = append(s.data, app...)
	if t&transportFIN == 0 {
		return
	}
	s.open = false
	if len(s.data) < headerLen(dir) {
		p.event(dir, EventLenTooSmall)
		return
	}
	// A confirmation of the master is no transaction (as in Suricata).
	if dir == proto.ToServer && s.data[1] == functionConfirm {
		return
	}
	p.message(dir, s)
}

// message makes a transaction of a reassembled message.
func (p *parser) message(dir proto.Dir, s *segment) {
	t := &Tx{Control: s.control, Dst: s.dst, Src: s.src}
	t.Data = append(make([]byte, 0, len(s.data)), s.data...)
	p.add(dir, t)
	w := walker{layouts: p.layouts, limits: p.limits}
	w.each = func(o *object) { t.Objects = append(t.Objects, o.id) }
	t.Complete = w.walk(t.Data[headerLen(dir):])
	if w.failed {
		t.AddEvent(w.event)
	}
}

// event makes a transaction of trouble.
func (p *parser) event(dir proto.Dir, e proto.EventID) {
	t := &Tx{}
	p.add(dir, t)
	t.AddEvent(e)
}

// add begins a transaction of direction dir, which is at once complete.
func (p *parser) add(dir proto.Dir, t *Tx) {
	flood := uint64(len(p.c.Txs)) >= p.limits.tx
	t.Dir = dir
	// The other direction has no part in it: it is neither awaited nor looked at.
	t.Skip[dir.Other()], t.Inspected[dir.Other()] = true, true
	p.c.NewTx(t)
	if flood {
		t.AddEvent(EventFlooded)
	}
	t.Advance(dir, 1)
}

// crc is the check sum of the link layer: polynomial 0x3d65, reflected, inverted.
func crc(b []byte) uint16 {
	c := uint16(0)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xa6bc
			} else {
				c >>= 1
			}
		}
	}
	return ^c
}

// probe recognises a link header by its start octets and length.
func probe(ports []uint16) func(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
	return func(dir proto.Dir, b []byte, h proto.Hint) proto.Match {
		if !contains(ports, h.DstPort) && !h.Midstream || b[0] != start0 || len(b) > 1 && b[1] != start1 {
			return proto.No
		}
		if len(b) < linkLen {
			return proto.More
		}
		if b[2] < linkCounted {
			return proto.No
		}
		if h.Midstream && (b[3]&bitDir != 0) != (dir == proto.ToServer) {
			return proto.Reversed
		}
		return proto.Yes
	}
}

func contains(list []uint16, n uint16) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}
