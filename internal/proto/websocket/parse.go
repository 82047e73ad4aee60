package websocket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"

	"mirador/internal/proto"
)

// side is one direction of a flow.
type side struct {
	skip uint64 // bytes of a payload to step over
	// A message in several frames: what is there of it.
	message []byte
	open    bool
	comp    bool
	cut     bool // it was longer than is kept
	// window is what the compressor may refer back to.
	window  []byte
	inflate io.ReadCloser
	in      bytes.Reader
}

// parser follows one flow.
type parser struct {
	c     *proto.Conn
	limit int
	side  [2]side
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	s := &p.side[dir]
	for {
		rest := data[used:]
		if s.skip > 0 {
			n := min(s.skip, uint64(len(rest)))
			s.skip -= n
			used, rest = used+int(n), rest[n:]
		}
		if len(rest) < 2 {
			return used, 2, proto.OK
		}
		n, hdr := uint64(rest[1]&0x7f), 2
		switch n {
		case 126:
			hdr = 4
		case 127:
			hdr = 10
		}
		masked := rest[1]&0x80 != 0
		if masked {
			hdr += 4
		}
		if len(rest) < hdr {
			return used, hdr, proto.OK
		}
		switch n {
		case 126:
			n = uint64(binary.BigEndian.Uint16(rest[2:]))
		case 127:
			n = binary.BigEndian.Uint64(rest[2:])
			if n>>63 != 0 {
				return used, 0, proto.Broken
			}
		}
		take := int(min(n, uint64(p.limit)))
		if len(rest) < hdr+take {
			return used, hdr + take, proto.OK
		}
		t := &Tx{Opcode: rest[0] & 15, Flags: rest[0] & allFlags, Masked: masked}
		off := p.c.Offset[dir] + uint64(used)
		p.c.AddFrame(dir, "header", off, int64(hdr), p.c.TxCount())
		p.c.AddFrame(dir, "pdu", off, int64(min(uint64(hdr)+n, 1<<62)), p.c.TxCount())
		p.c.AddFrame(dir, "data", off+uint64(hdr), int64(min(n, 1<<62)), p.c.TxCount())
		body := append(make([]byte, 0, take), rest[hdr:hdr+take]...)
		if masked {
			t.Mask = binary.BigEndian.Uint32(rest[hdr-4:])
			for i := range body {
				body[i] ^= rest[hdr-4+i&3]
			}
		}
		used += hdr + take
		s.skip = n - uint64(take)
		if s.skip > 0 {
			t.AddEvent(EventSkipEndOfPayload)
		}
		p.frame(dir, t, body)
	}
}

// Gap implements proto.Parser. Nothing tells frames from payload: only what is lost
// inside a payload that is stepped over does no harm.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	s := &p.side[dir]
	if uint64(n) > s.skip {
		return false
	}
	s.skip -= uint64(n)
	return true
}

// frame makes a transaction of a frame.
func (p *parser) frame(dir proto.Dir, t *Tx, b []byte) {
	s := &p.side[dir]
	t.Dir = dir
	t.Skip[dir.Other()] = true
	t.Payload = b
	fin, comp := t.Flags&flagFin != 0, t.Flags&flagComp != 0
	switch {
	case t.Opcode >= 8: // control frames stand between the frames of a message
	case t.Opcode != opContinuation && fin:
		s.open, s.message = false, nil
		if comp {
			t.Payload = s.expand(b, p.limit, t)
		}
	case t.Opcode != opContinuation:
		s.open, s.comp, s.cut = true, comp, false
		s.message = append([]byte(nil), b...)
	case s.open:
		room := p.limit - len(s.message)
		if len(b) > room {
			b = b[:max(room, 0)]
			if !s.cut {
				t.AddEvent(EventReassemblyLimit)
			}
			s.cut = true
		}
		s.message = append(s.message, b...)
		if fin {
			t.Payload = s.message
			if s.comp {
				t.Payload = s.expand(s.message, p.limit, t)
			}
			s.open, s.message = false, nil
		}
	}
	p.c.NewTx(t)
	t.Advance(dir, 1)
}

// tail ends a message that was compressed, and then the stream: RFC 7692 section
// 7.2.2.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// expand inflates a message; one that cannot be is returned as it is.
func (s *side) expand(b []byte, limit int, t *Tx) []byte {
	in := append(append(make([]byte, 0, len(b)+len(tail)), b...), tail...)
	s.in.Reset(in)
	if s.inflate == nil {
		s.inflate = flate.NewReaderDict(&s.in, s.window)
	} else if r, ok := s.inflate.(flate.Resetter); !ok || r.Reset(&s.in, s.window) != nil {
		return b
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(s.inflate, int64(limit)+1))
	if err != nil && n == 0 {
		s.window = nil
		return b
	}
	got := out.Bytes()
	if len(got) > limit {
		got = got[:limit]
		t.AddEvent(EventReassemblyLimit)
	}
	keep := append(s.window, got...)
	s.window = append([]byte(nil), keep[max(0, len(keep)-windowSize):]...)
	return got
}
