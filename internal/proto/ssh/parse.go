package ssh

import (
	"bytes"
	"encoding/binary"

	"mirador/internal/proto"
)

// Message numbers.
const (
	msgKexInit = 20
	msgNewKeys = 21
)

// headerLen is the length of a record's header: its length, the length of the
// padding and the message number.
const headerLen = 6

// parser follows one flow.
type parser struct {
	c   *proto.Conn
	cfg *config
	tx  *Tx
	dir [2]direction
}

type direction struct {
	skip uint64 // bytes of the current record that are not looked at
}

// Parse implements proto.Parser.
func (p *parser) Parse(dir proto.Dir, data []byte, eof bool) (used, need int, st proto.Status) {
	if p.tx == nil {
		p.tx = &Tx{hassh: p.cfg.hassh}
		p.c.NewTx(p.tx)
	}
	t, d := p.tx, &p.dir[dir]
	if t.Progress == [2]uint8{Finished, Finished} && len(data) > 0 {
		p.over()
		return len(data), 0, proto.OK
	}
	p.c.RawNow[dir] = t.Progress[dir] < BannerDone // as Suricata: rules for the stream look at banners at once
	for used < len(data) && t.Progress[dir] < Finished {
		if d.skip > 0 {
			k := min(d.skip, uint64(len(data)-used))
			d.skip -= k
			used += int(k)
			continue
		}
		k, want, ok := p.step(dir, data[used:], p.c.Offset[dir]+uint64(used))
		if !ok {
			return used, 0, proto.Broken
		}
		used += k
		if want > 0 {
			need = want
			break
		}
	}
	if t.Progress[dir] == Finished {
		used, need = len(data), 0
	}
	if eof {
		t.Advance(dir, Finished)
	}
	return used, need, proto.OK
}

// over ends the inspection of a session when the first encrypted bytes come: what
// was before them has been seen by then.
func (p *parser) over() {
	switch p.cfg.handling {
	case trackOnly:
		p.c.NoPayload, p.c.FlushNow = true, !p.c.NoPayload
	case bypass:
		p.c.NoPayload, p.c.FlushNow = true, !p.c.NoPayload
		p.c.Stop(proto.ToServer)
		p.c.Stop(proto.ToClient)
	}
}

// Gap implements proto.Parser. Bytes may only be lost where they are not looked
// at.
func (p *parser) Gap(dir proto.Dir, n int) bool {
	if p.tx != nil && p.tx.Progress[dir] == Finished {
		return true
	}
	d := &p.dir[dir]
	if d.skip < uint64(n) {
		return false
	}
	d.skip -= uint64(n)
	return true
}

// step reads the next piece of direction dir: the banner, its rest, or a record.
// off is the stream offset of b.
func (p *parser) step(dir proto.Dir, b []byte, off uint64) (used, need int, ok bool) {
	switch p.tx.Progress[dir] {
	case InProgress:
		return p.banner(dir, b)
	case BannerWaitEOL:
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return len(b), 0, true
		}
		p.tx.Advance(dir, BannerDone)
		return i + 1, 0, true
	}
	return p.record(dir, b, off)
}

// banner reads the line a session begins with: SSH-protoversion-softwareversion,
// and perhaps a space and comments. It ends with LF or CR LF.
func (p *parser) banner(dir proto.Dir, b []byte) (used, need int, ok bool) {
	end := bytes.IndexByte(b[:min(len(b), MaxBanner)], '\n')
	if end < 0 && len(b) < MaxBanner {
		return 0, len(b) + 1, true
	}
	line, used, state := b, end+1, BannerDone
	if end < 0 {
		line, used, state = b[:MaxBanner], MaxBanner, BannerWaitEOL
	} else {
		line = b[:end]
	}
	if used > LongBanner {
		p.tx.AddEvent(EventLongBanner)
	}
	if i := bytes.IndexByte(line, '\r'); i >= 0 {
		line = line[:i]
	}
	rest, found := bytes.CutPrefix(line, []byte(prefix))
	version, software, dash := bytes.Cut(rest, []byte{'-'})
	if !found || !dash {
		p.tx.AddEvent(EventInvalidBanner)
		return 0, 0, false
	}
	if i := bytes.IndexByte(software, ' '); i >= 0 {
		software = software[:i]
	}
	s := p.tx.side(dir)
	own := append(append(make([]byte, 0, len(version)+len(software)), version...), software...)
	s.Proto, s.Software = own[:len(version):len(version)], own[len(version):]
	p.tx.Advance(dir, state)
	return used, 0, true
}

// record reads the header of a binary packet, and the whole of a key exchange.
func (p *parser) record(dir proto.Dir, b []byte, off uint64) (used, need int, ok bool) {
	if len(b) < headerLen {
		return 0, headerLen, true
	}
	n, msg := binary.BigEndian.Uint32(b), b[5]
	if n < 2 {
		p.tx.AddEvent(EventInvalidRecord)
		return 0, 0, false
	}
	if msg == msgKexInit && n > MaxKex {
		p.tx.AddEvent(EventLongKex)
	}
	if msg == msgKexInit && n <= MaxKex && len(b) < 4+int(n) {
		return 0, 4 + int(n), true
	}
	p.c.AddFrame(dir, "record.hdr", off, headerLen, p.tx.ID)
	p.c.AddFrame(dir, "record.data", off+headerLen, int64(n)-2, p.tx.ID)
	p.c.AddFrame(dir, "record.pdu", off, int64(n)+4, p.tx.ID)
	switch msg {
	case msgKexInit:
		if n <= MaxKex {
			p.kexInit(dir, b[headerLen:4+n])
			return 4 + int(n), 0, true
		}
	case msgNewKeys:
		p.tx.Advance(dir, Finished)
	}
	p.dir[dir].skip = uint64(n) - 2
	return headerLen, 0, true
}

// Name lists of a key exchange that HASSH uses, in their order on the wire.
const (
	kexAlgorithms = 0
	encryption    = 2 // client to server, then server to client
	macs          = 4
	compression   = 6
	nameLists     = 8
)

// kexInit reads the lists of algorithms a side offers, b being the record behind
// its header.
func (p *parser) kexInit(dir proto.Dir, b []byte) {
	s := p.tx.side(dir)
	if len(b) < 16 || s.Hassh != nil {
		return
	}
	var lists [nameLists][]byte
	b = b[16:] // cookie
	for i := range lists {
		if len(b) < 4 {
			return
		}
		n := binary.BigEndian.Uint32(b)
		if uint64(n) > uint64(len(b)-4) {
			return
		}
		lists[i], b = b[4:4+n], b[4+n:]
	}
	own := int(dir) // each side's own direction is what it is recognised by
	text := append(make([]byte, 0, 256), lists[kexAlgorithms]...)
	for _, at := range [...]int{encryption, macs, compression} {
		text = append(append(text, ';'), lists[at+own]...)
	}
	s.Hassh = text
	p.tx.Advance(dir, p.tx.Progress[dir]) // there is something new to inspect
}
