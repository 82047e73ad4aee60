package http2

import (
	"encoding/binary"

	"mirador/internal/proto"
)

// Frame types. RFC 9113 section 6.
const (
	frameData = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoaway
	frameWindow
	frameContinuation
)

// Flags of frames.
const (
	flagEndStream  = 1
	flagEndHeaders = 4
	flagPadded     = 8
	flagPriority   = 32
)

const headerLen = 9

// side is what is known of one direction.
type side struct {
	hpack decoder
	// A DATA frame being read: its stream, bytes of data and of padding left.
	data     *Tx
	dataLeft int
	end      bool
	skip     int // bytes to step over
	// A header block being read: its transaction, the rest of it that is not
	// decoded yet, its size so far, and bytes of the frame left.
	block     *Tx
	rest      []byte
	size      int
	shown     int // size when the block so far was last looked at
	blockLeft int
	padLeft   int
	endBlock  bool // the block ends with the frame
	endStream bool
	failed    bool // the block cannot be decoded on
	magic     bool // the client's magic has been dealt with
}

// parser follows one flow.
type parser struct {
	c       *proto.Conn
	cfg     *config
	side    [2]side
	streams map[uint32]*Tx
	live    int
	kept    int // bytes of header fields in live transactions
	again   *Tx // comes again under the new protocol
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	s := &p.side[dir]
	if dir == proto.ToServer && !s.magic {
		n := min(len(data), len(magic))
		switch {
		case string(data[:n]) != magic[:n]:
			s.magic = true
			if n >= probeMagic && string(data[:probeMagic]) == magic[:probeMagic] {
				if k := len(p.c.Txs); k > 0 {
					p.c.Txs[k-1].Base().AddEvent(EventInvalidClientMagic)
				}
				return used, 0, proto.Broken
			}
		case n < len(magic):
			return 0, len(magic), proto.OK
		default:
			s.magic, used = true, n
		}
	}
	for {
		if p.again != nil { // the flow goes on as doh2
			return used, 0, proto.OK
		}
		rest := data[used:]
		switch {
		case s.dataLeft > 0 || s.data != nil:
			n := min(s.dataLeft, len(rest))
			s.dataLeft -= n
			used += n
			if s.data != nil {
				s.data.data(dir, rest[:n])
				if s.dataLeft == 0 {
					p.dataEnd(dir)
				}
			}
			if s.dataLeft > 0 {
				return used, 0, proto.OK
			}
			continue
		case s.blockLeft > 0:
			n := min(s.blockLeft, len(rest))
			if n == 0 {
				if eof && s.shown > 0 && s.shown < s.size {
					p.show(dir)
				}
				return used, 0, proto.OK
			}
			s.blockLeft -= n
			used += n
			p.blockData(dir, rest[:n])
			continue
		case s.skip > 0:
			n := min(s.skip, len(rest))
			s.skip -= n
			used += n
			if s.skip > 0 {
				return used, 0, proto.OK
			}
			continue
		}
		if len(rest) < headerLen {
			return used, headerLen, proto.OK
		}
		n, want, ok := p.frame(dir, rest, p.c.Offset[dir]+uint64(used))
		if !ok {
			return used, 0, proto.Broken
		}
		if n == 0 {
			return used, want, proto.OK
		}
		used += n
	}
}

// Gap implements proto.Parser.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	s := &p.side[dir]
	if s.dataLeft >= n {
		s.dataLeft -= n
		if s.data != nil {
			s.data.lostData(dir, n)
			if s.dataLeft == 0 {
				p.dataEnd(dir)
			}
		}
		return true
	}
	if s.skip >= n && s.dataLeft == 0 && s.blockLeft == 0 {
		s.skip -= n
		return true
	}
	return false // no way back: the table of header fields is lost too
}

// frame reads the frame at the start of b, whose offset in the stream is off. It
// returns 0 and how many bytes are needed when they are not there yet.
func (p *parser) frame(dir proto.Dir, b []byte, off uint64) (used, need int, ok bool) {
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	typ, flags := b[3], b[4]
	stream := binary.BigEndian.Uint32(b[5:])
	s := &p.side[dir]
	if stream>>31 != 0 {
		if k := len(p.c.Txs); k > 0 {
			p.c.Txs[k-1].Base().AddEvent(EventInvalidFrameHeader)
		}
		stream &= 1<<31 - 1
	}
	want := headerLen + min(n, longFrame)
	streaming := false
	switch typ {
	case frameData:
		streaming = true
		if want = headerLen; flags&flagPadded != 0 {
			want += min(n, 1)
		}
	case frameHeaders, framePush, frameContinuation:
		streaming = n > longFrame
	}
	if len(b) < want {
		return 0, want, true
	}
	var t *Tx
	if typ != frameSettings || n > 0 { // an empty one is an acknowledgement, or says nothing
		t = p.find(dir, typ, stream)
	}
	if t == nil {
		s.skip = n
		return headerLen, 0, true
	}
	p.c.AddFrame(dir, "hdr", off, headerLen, t.ID)
	p.c.AddFrame(dir, "pdu", off, int64(headerLen+n), t.ID)
	if n > 0 {
		p.c.AddFrame(dir, "data", off+headerLen, int64(n), t.ID)
	}
	if t.frames++; t.frames > p.cfg.frames {
		t.AddEvent(EventTooManyFrames)
		s.skip = n
		return headerLen, 0, true
	}
	t.m[dir].types[typ>>6] |= 1 << (typ & 63)
	t.Touch(dir)
	if n > tooLong {
		t.AddEvent(EventLongFrameData)
	}
	body := b[headerLen:want]
	used = want
	switch {
	case typ == frameData:
		p.dataStart(dir, t, flags, n, body)
	case typ == frameHeaders || typ == framePush || typ == frameContinuation:
		p.blockStart(dir, t, typ, flags, n, body)
		_ = streaming
	default:
		s.skip = n - len(body)
		p.control(dir, t, typ, flags, body)
	}
	if stream == 0 {
		t.end()
	}
	return used, 0, true
}

// find returns the transaction of a frame, a new one when there is none. It is nil
// for what follows the end of a stream and says nothing.
func (p *parser) find(dir proto.Dir, typ uint8, stream uint32) *Tx {
	if stream == 0 {
		return p.newTx(0)
	}
	t := p.streams[stream]
	if t == nil {
		return p.newTx(stream)
	}
	if !t.Complete() {
		if typ == frameData && t.Progress[dir] == Complete {
			t.AddEvent(EventStreamIDReuse)
		}
		return t
	}
	if typ == frameContinuation && p.side[dir].block == t {
		return t
	}
	switch typ {
	case frameHeaders, frameData, framePush:
		if t.Logged && t.Inspected[0] && t.Inspected[1] {
			return p.newTx(stream)
		}
		t.AddEvent(EventStreamIDReuse)
		return t
	}
	if t.Logged {
		return nil
	}
	return t
}

// newTx makes a transaction. When too many are live the one that a new stream
// number replaces, or any, is ended.
func (p *parser) newTx(stream uint32) *Tx {
	t := &Tx{Stream: stream, p: p}
	p.c.NewTx(t)
	p.live++
	if stream == 0 {
		return t
	}
	if len(p.streams) > 2*p.live+64 {
		for id, o := range p.streams {
			if o.ended {
				delete(p.streams, id)
			}
		}
	}
	p.streams[stream] = t
	if p.live > p.cfg.streams {
		for _, x := range p.c.Open() {
			if o, ok := x.(*Tx); ok && !o.ended && o != t {
				o.AddEvent(EventTooManyStreams)
				o.finish(proto.ToServer, false)
				o.finish(proto.ToClient, false)
				o.end()
				break
			}
		}
	}
	return t
}

// dataStart begins a DATA frame of n bytes.
func (p *parser) dataStart(dir proto.Dir, t *Tx, flags uint8, n int, b []byte) {
	s := &p.side[dir]
	if t.Stream == 0 {
		t.AddEvent(EventDataStreamZero)
		s.skip = n
		return
	}
	pad := 0
	if flags&flagPadded != 0 {
		if n == 0 || int(b[0]) > n-1 {
			t.AddEvent(EventInvalidFrameData)
			s.skip = n - len(b)
			return
		}
		pad = int(b[0])
		n--
	}
	s.data, s.dataLeft, s.skip = t, n-pad, pad
	s.end = flags&flagEndStream != 0
	if s.dataLeft == 0 {
		p.dataEnd(dir)
	}
}

// dataEnd is called when all bytes of a DATA frame are there.
func (p *parser) dataEnd(dir proto.Dir) {
	s := &p.side[dir]
	t := s.data
	s.data = nil
	if s.end {
		p.streamEnd(dir, t)
	}
}

// streamEnd ends direction dir of t.
func (p *parser) streamEnd(dir proto.Dir, t *Tx) {
	t.finish(dir, true)
	t.Advance(dir, Complete)
	t.settle()
}

// blockStart begins a frame of a header block.
func (p *parser) blockStart(dir proto.Dir, t *Tx, typ, flags uint8, n int, b []byte) {
	s := &p.side[dir]
	left := n - len(b)
	if typ == frameContinuation {
		if s.block != t {
			s.skip = left
			t.AddEvent(EventInvalidFrameHeader)
			return
		}
	} else {
		head := 0
		pad := 0
		if flags&flagPadded != 0 {
			if len(b) > 0 {
				pad = int(b[0])
			}
			head = 1
		}
		m := &t.m[dir]
		if typ == frameHeaders && flags&flagPriority != 0 {
			if len(b) >= head+5 {
				m.prio = keep(p, m.prio, b[head+4])
			}
			head += 5
		}
		if typ == framePush {
			head += 4
		}
		if head+pad > n || head > len(b) {
			t.AddEvent(EventInvalidFrameData)
			s.skip = left
			return
		}
		if typ == framePush {
			id := binary.BigEndian.Uint32(b[head-4:]) & (1<<31 - 1)
			if id != 0 {
				if t = p.find(dir, typ, id); t == nil {
					s.skip = left
					return
				}
			}
		}
		s.block, s.rest, s.size, s.shown, s.failed = t, s.rest[:0], 0, 0, false
		s.endStream = flags&flagEndStream != 0 && typ == frameHeaders
		s.padLeft = pad
		b = b[head:]
	}
	s.endBlock = flags&flagEndHeaders != 0
	// Padding stands at the end of the frame.
	whole := len(b) + left - s.padLeft
	take := max(0, min(len(b), whole))
	s.skip = s.padLeft - max(0, len(b)-whole)
	s.padLeft = 0
	s.blockLeft = whole - take
	if left == 0 {
		s.skip, s.blockLeft = 0, 0
	}
	p.blockData(dir, b[:take])
}

// blockData takes bytes of a header block.
func (p *parser) blockData(dir proto.Dir, b []byte) {
	s := &p.side[dir]
	t := s.block
	s.size += len(b)
	switch {
	case s.failed:
	case s.size > p.cfg.reassembly:
		t.AddEvent(EventReassemblyLimit)
		s.failed, s.rest = true, nil
	default:
		if len(s.rest) > 0 {
			s.rest = append(s.rest, b...)
			b = s.rest
		}
		n := p.decode(dir, t, b)
		s.rest = append(s.rest[:0], b[n:]...)
	}
	if s.blockLeft > 0 {
		// A frame longer than all others: what is there is looked at now, but not
		// again for each segment.
		if s.shown == 0 || !s.failed && s.size-s.shown >= longFrame {
			p.show(dir)
		}
		return
	}
	if s.endBlock {
		p.blockEnd(dir)
	}
}

// show lets detection look at a header block that is not complete.
func (p *parser) show(dir proto.Dir) {
	s := &p.side[dir]
	s.shown = s.size
	s.block.Advance(dir, Headers)
}

// decode decodes the fields that are whole and returns how many bytes they take.
func (p *parser) decode(dir proto.Dir, t *Tx, b []byte) (used int) {
	s := &p.side[dir]
	for used < len(b) {
		f, n, st := s.hpack.next(b[used:])
		switch st {
		case stepMore:
			return used
		case stepOverflow:
			t.AddEvent(EventHeaderIntegerOverflow)
			fallthrough
		case stepBad:
			t.AddEvent(EventInvalidHeader)
			t.add(dir, field{kind: kindBad})
			s.failed = true
			return len(b)
		}
		t.add(dir, f)
		used += n
	}
	if s.hpack.full {
		s.hpack.full = false
		t.AddEvent(EventHeaderTableOverflow)
	}
	return used
}

// blockEnd is called when a header block is complete.
func (p *parser) blockEnd(dir proto.Dir) {
	s := &p.side[dir]
	t := s.block
	s.block = nil
	if len(s.rest) > 0 && !s.failed {
		t.AddEvent(EventInvalidFrameData)
	}
	s.rest = s.rest[:0]
	if dir == proto.ToServer && t.Progress[dir] == Open {
		t.authority()
	}
	if t.Progress[dir] == Open {
		p.detectDNS(dir, t)
	}
	t.Advance(dir, Headers)
	if s.endStream {
		p.streamEnd(dir, t)
	}
}

// keep adds v to what is kept of a transaction's direction.
func keep[T any](p *parser, list []T, v T) []T {
	if len(list) >= maxValues {
		p.c.Limit(limitValues)
		return list
	}
	return append(list, v)
}

// control reads the frames that carry neither headers nor data.
func (p *parser) control(dir proto.Dir, t *Tx, typ, flags uint8, b []byte) {
	m := &t.m[dir]
	switch typ {
	case framePriority:
		if len(b) != 5 {
			t.AddEvent(EventInvalidFrameLength)
		} else {
			m.prio = keep(p, m.prio, b[4])
		}
	case frameReset:
		if len(b) != 4 {
			t.AddEvent(EventInvalidFrameLength)
			return
		}
		m.errs = keep(p, m.errs, binary.BigEndian.Uint32(b))
		t.finish(proto.ToServer, false)
		t.finish(proto.ToClient, false)
		t.end()
	case frameSettings:
		m.settled = m.settled || len(b) > 0
		for ; len(b) >= 6; b = b[6:] {
			m.settings = keep(p, m.settings, setting{binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])})
		}
	case frameGoaway:
		if len(b) < 8 {
			t.AddEvent(EventInvalidFrameLength)
			return
		}
		m.goaway = true
		m.errs = keep(p, m.errs, binary.BigEndian.Uint32(b[4:]))
	case frameWindow:
		if len(b) != 4 {
			t.AddEvent(EventInvalidFrameLength)
		} else {
			m.window = keep(p, m.window, binary.BigEndian.Uint32(b)&(1<<31-1))
		}
	}
}
