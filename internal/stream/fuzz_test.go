package stream_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"mirador/internal/packet"
	"mirador/internal/stream"
)

// at is the byte that direction d carries at sequence number seq: with it, whatever
// a reader gets can be checked.
func at(d uint8, seq uint32) byte { return byte(seq*2654435761>>11) ^ d*0x55 }

const verbose = false

// manySessions is the number of random sessions played.
const manySessions = 3000

// record is one packet of a fuzz input: 10 bytes.
const record = 10

// player turns fuzz input into packets and checks what the readers see.
type player struct {
	t    *testing.T
	e    *stream.Engine
	s    stream.Session
	buf  [2048]byte
	time int64
	turn uint8
}

func (p *player) packet(b []byte) {
	dir := b[0] & 1
	flags := b[1]
	n := int(binary.LittleEndian.Uint16(b[2:])) % 1500
	if b[0]&2 != 0 {
		n %= 8
	}
	isn := [2]uint32{0xfffffe00, 0x1000}
	side := dir // the content and the numbers belong to the sender, whatever the flow thinks
	seq := isn[side] + uint32(int32(int16(binary.LittleEndian.Uint16(b[4:]))))
	ack := isn[1-side] + uint32(int32(int16(binary.LittleEndian.Uint16(b[6:]))))
	if b[0]&4 != 0 {
		seq = p.s.NextSeq(dir ^ p.turn)
	}
	if b[0]&8 != 0 {
		ack = p.s.NextSeq(1 - dir ^ p.turn)
	}
	from := seq
	if flags&packet.SYN != 0 {
		from++
	}
	for i := range n {
		p.buf[i] = at(side, from+uint32(i))
	}
	q := seg(seq, ack, flags&^packet.URG, p.buf[:n])
	q.Window = uint16(b[8]) << 8
	q.HasTS, q.TSVal = b[0]&16 != 0, uint32(b[9])
	q.HasWScale, q.WScale = b[0]&32 != 0, b[9]%20
	if b[0]&64 != 0 {
		q.Truncated, q.IPTotal = true, n+int(b[9])
	}
	if verbose {
		p.t.Logf("dir %d flags %02x seq %d+%d ack %d win %d ctl %02x", dir, flags, int32(seq-isn[side]), n, int32(ack-isn[1-side]), q.Window, b[0])
	}
	p.time += int64(b[9])*1e6 + 1
	q.Time = p.time
	if p.e.Reuse(&p.s, q, dir^p.turn) {
		p.end()
	}
	r := p.e.Packet(&p.s, q, dir^p.turn)
	if verbose {
		p.t.Logf("   %v %v %x events %v", p.s.State, r.Verdict, r.Flags, p.e.Events())
	}
	if r.Flags&stream.Turn != 0 {
		p.turn ^= 1
	}
	p.read()
}

func (p *player) read() {
	for d := range uint8(2) {
		side := d ^ p.turn
		for i, look := range []func(uint8) ([]byte, uint64){p.s.Kept, p.s.Unread} {
			data, off := look(d)
			first := p.s.ISN(d) + 1 + uint32(off)
			for j, x := range data {
				if x != at(side, first+uint32(j)) {
					p.t.Fatalf("look %d, direction %d: byte at offset %d is %x", i, d, off+uint64(j), x)
				}
			}
		}
		p.s.AppendStored(nil, d, func(b []byte, n uint64) []byte { return b })
		parts := p.s.Parts(nil, d)
		if len(parts) > stream.MaxParts {
			p.t.Fatalf("%d parts", len(parts))
		}
		for i, part := range parts {
			if i > 0 && part.Offset <= parts[i-1].Offset+uint64(len(parts[i-1].Data)) {
				p.t.Fatalf("part %d begins at %d, the one before ends at %d", i, part.Offset, parts[i-1].Offset+uint64(len(parts[i-1].Data)))
			}
			first := p.s.ISN(d) + 1 + uint32(part.Offset)
			for j, x := range part.Data {
				if x != at(side, first+uint32(j)) {
					p.t.Fatalf("part %d, direction %d: byte at offset %d is %x", i, d, part.Offset+uint64(j), x)
				}
			}
			end := part.Offset + uint64(len(part.Data))
			same, n := p.s.AppendRange(nil, d, part.Offset, end, func(b []byte, n uint64) []byte { return append(b, "hole"...) })
			if string(same) != string(part.Data) || n != end-part.Offset {
				p.t.Fatalf("part %d: AppendRange gives %q for %q", i, same, part.Data)
			}
		}
		p.s.Hold(d, uint64(p.time%5000))
		switch p.time % 41 { // readers end at some time
		case 7:
			p.s.StopApp(d)
		case 8:
			p.s.StopRaw(d)
		case 9:
			p.s.LastRaw(d)
		case 10:
			p.s.SetDepth(int64(p.time % 3000))
		}
		for k := 0; ; k++ {
			c, ok := p.s.App(d)
			if !ok {
				break
			}
			if k > 1000 {
				p.t.Fatal("App does not come to an end")
			}
			first := p.s.ISN(d) + 1 + uint32(c.Offset)
			for i, x := range c.Data {
				if x != at(side, first+uint32(i)) {
					p.t.Fatalf("direction %d: byte at offset %d is %x, want %x", d, c.Offset+uint64(i), x, at(side, first+uint32(i)))
				}
			}
			used := len(c.Data)
			if used > 3 && p.time%3 == 0 {
				used -= 3 // a parser that waits for more
			}
			p.s.AppUsed(d, used)
		}
		for k := 0; ; k++ {
			w, ok := p.s.Raw(d)
			if !ok {
				break
			}
			if k > 1000 {
				p.t.Fatal("Raw does not come to an end")
			}
			first := p.s.ISN(d) + 1 + uint32(w.Offset)
			for i, x := range w.Data {
				if x != at(side, first+uint32(i)) {
					p.t.Fatalf("raw direction %d: byte at offset %d is %x", d, w.Offset+uint64(i), x)
				}
			}
			p.s.RawUsed(d, len(w.Data)-w.Fresh)
		}
	}
}

func (p *player) end() {
	p.e.Finish(&p.s)
	p.read()
	p.e.Release(&p.s)
	p.turn = 0
	if n := p.e.Stats().ReassemblyMemuse; n != 0 {
		p.t.Fatalf("%d bytes in use after the release", n)
	}
	if n := p.e.Stats().ActiveSessions; n != 0 {
		p.t.Fatalf("%d sessions after the release", n)
	}
}

func play(t *testing.T, data []byte) {
	if len(data) < 2 {
		return
	}
	o := stream.DefaultOptions()
	o.Midstream = data[0]&1 != 0
	o.AsyncOneside = data[0]&2 != 0
	o.Inline = data[0]&4 != 0
	o.OSDefault = stream.Policy(data[1]) % stream.NumPolicy
	if data[0]&8 != 0 {
		o.Depth = 5000
	}
	if data[0]&16 != 0 {
		o.ReassemblyMemcap = 20000
	}
	if data[0]&32 != 0 {
		o.RawOverlap = 100
	}
	p := &player{t: t, e: newEngine(t, o)}
	for data = data[2:]; len(data) >= record; data = data[record:] {
		p.packet(data[:record])
	}
	p.end()
}

// FuzzSession feeds any packets and checks that every byte a reader sees is the one
// its sender sent at that place, that reading ends, and that all memory comes back.
func FuzzSession(f *testing.F) {
	rec := func(ctl, flags byte, n, seq, ack int, win, x byte) []byte {
		b := []byte{ctl, flags}
		b = binary.LittleEndian.AppendUint16(b, uint16(n))
		b = binary.LittleEndian.AppendUint16(b, uint16(seq))
		b = binary.LittleEndian.AppendUint16(b, uint16(ack))
		return append(b, win, x)
	}
	const S, A, F, R = packet.SYN, packet.ACK, packet.FIN, packet.RST
	hello := append([]byte{0, 0}, rec(0, S, 0, 0, 0, 255, 0)...)
	hello = append(hello, rec(1, S|A, 0, 0, 1, 255, 0)...)
	hello = append(hello, rec(0, A, 0, 1, 1, 255, 0)...)
	f.Add(hello)
	talk := append([]byte{}, hello...)
	for i := range 8 {
		talk = append(talk, rec(0, A, 200, 1+i*200, 1, 255, 1)...)
		talk = append(talk, rec(1|4, A, 300, 0, 201+i*200, 255, 1)...)
	}
	f.Add(append(talk, rec(0|4|8, F|A, 10, 0, 0, 255, 0)...))
	f.Add(append(talk, rec(1|4|8, R|A, 10, 0, 0, 255, 0)...))
	f.Add(append([]byte{1, 3}, rec(0, A, 100, 1, 1, 255, 0)...))
	f.Fuzz(play)
}

// TestManySessions plays random input of the shape that reaches deep states.
func TestManySessions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range manySessions {
		data := []byte{byte(rng.IntN(64)), byte(rng.IntN(32))}
		data = append(data, 0, packet.SYN, 0, 0, 0, 0, 0, 0, 255, 0)
		data = append(data, 1, packet.SYN|packet.ACK, 0, 0, 0, 0, 1, 0, 255, 0)
		data = append(data, 0, packet.ACK, 0, 0, 1, 0, 1, 0, 255, 0)
		for range rng.IntN(60) {
			flags := byte(packet.ACK)
			switch rng.IntN(40) {
			case 0:
				flags |= packet.FIN
			case 1:
				flags |= packet.RST
			case 2:
				flags |= packet.SYN
			case 3:
				flags = byte(rng.IntN(256))
			}
			ctl := byte(rng.IntN(2))
			if rng.IntN(2) == 0 {
				ctl |= 4
			}
			if rng.IntN(2) == 0 {
				ctl |= 8
			}
			if rng.IntN(20) == 0 {
				ctl = byte(rng.IntN(256))
			}
			b := []byte{ctl, flags}
			b = binary.LittleEndian.AppendUint16(b, uint16(rng.IntN(1500)))
			b = binary.LittleEndian.AppendUint16(b, uint16(rng.IntN(6000)))
			b = binary.LittleEndian.AppendUint16(b, uint16(rng.IntN(6000)))
			data = append(data, append(b, byte(rng.IntN(256)), byte(rng.IntN(20)))...)
		}
		play(t, data)
	}
}
