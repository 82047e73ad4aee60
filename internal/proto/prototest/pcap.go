package prototest

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sort"
	"testing"

	"mirador/internal/proto"
)

// Flow is one flow of a capture; the client is who sent first.
type Flow struct {
	Hint           proto.Hint
	Client, Server netip.AddrPort
	Chunks         []Chunk
}

// frame is one record of a capture file.
type frame struct {
	link uint32
	time int64
	data []byte
}

// Flows reads the capture at path and returns its TCP and UDP flows. Tunnels and
// fragments are left out.
func Flows(tb testing.TB, path string) []*Flow {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	a := assembler{byKey: map[key]*flowState{}}
	for _, f := range frames(b) {
		a.frame(f)
	}
	return a.finish()
}

func frames(b []byte) []frame {
	if len(b) < 24 {
		return nil
	}
	switch binary.LittleEndian.Uint32(b) {
	case 0xa1b2c3d4, 0xa1b23c4d:
		return classic(b, binary.LittleEndian)
	case 0xd4c3b2a1, 0x4d3cb2a1:
		return classic(b, binary.BigEndian)
	case 0x0a0d0d0a:
		return nextGeneration(b)
	}
	return nil
}

func classic(b []byte, o binary.ByteOrder) []frame {
	unit := int64(1000)
	if o.Uint32(b) == 0xa1b23c4d {
		unit = 1
	}
	link := o.Uint32(b[20:]) & 0xffff
	var out []frame
	for b = b[24:]; len(b) >= 16; {
		n := int(o.Uint32(b[8:]))
		if n > len(b)-16 {
			break
		}
		t := int64(o.Uint32(b))*1e9 + int64(o.Uint32(b[4:]))*unit
		out = append(out, frame{link, t, b[16 : 16+n]})
		b = b[16+n:]
	}
	return out
}

func nextGeneration(b []byte) []frame {
	var o binary.ByteOrder = binary.LittleEndian
	var links []uint32
	var out []frame
	for len(b) >= 12 {
		if typ := binary.LittleEndian.Uint32(b); typ == 0x0a0d0d0a {
			o = binary.LittleEndian
			if binary.BigEndian.Uint32(b[8:]) == 0x1a2b3c4d {
				o = binary.BigEndian
			}
			links = nil
		}
		typ, n := o.Uint32(b), int(o.Uint32(b[4:]))
		if n < 12 || n > len(b) {
			break
		}
		body := b[8 : n-4]
		switch {
		case typ == 1 && len(body) >= 2:
			links = append(links, uint32(o.Uint16(body)))
		case typ == 6 && len(body) >= 20:
			i, c := int(o.Uint32(body)), int(o.Uint32(body[12:]))
			if i < len(links) && c <= len(body)-20 {
				t := int64(uint64(o.Uint32(body[4:]))<<32|uint64(o.Uint32(body[8:]))) * 1000
				out = append(out, frame{links[i], t, body[20 : 20+c]})
			}
		case typ == 3 && len(links) > 0:
			out = append(out, frame{links[0], 0, body[4:]})
		}
		b = b[n:]
	}
	return out
}

type key struct {
	a, b netip.AddrPort
	udp  bool
}

type segment struct {
	seq  uint32
	data []byte
	time int64
}

type flowState struct {
	f     *Flow
	seg   [2][]segment
	first [2]uint32
	have  [2]bool
	syn   bool
	seen  []event
}

// event keeps the order in which directions spoke.
type event struct {
	dir proto.Dir
	end int // sum of payload bytes of dir so far
}

type assembler struct {
	byKey map[key]*flowState
	list  []*flowState
}

// frame finds the TCP or UDP payload of f.
func (a *assembler) frame(f frame) {
	b, typ := f.data, uint16(0)
	switch f.link {
	case 1:
		if len(b) < 14 {
			return
		}
		typ, b = binary.BigEndian.Uint16(b[12:]), b[14:]
		for (typ == 0x8100 || typ == 0x88a8) && len(b) >= 4 {
			typ, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		}
	case 0, 108:
		if len(b) < 4 {
			return
		}
		b = b[4:]
	case 113:
		if len(b) < 16 {
			return
		}
		b = b[16:]
	case 276:
		if len(b) < 20 {
			return
		}
		b = b[20:]
	case 12, 101, 228, 229:
	default:
		return
	}
	if typ != 0 && typ != 0x0800 && typ != 0x86dd || len(b) < 20 {
		return
	}
	var src, dst netip.Addr
	var proto4 byte
	switch b[0] >> 4 {
	case 4:
		h, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if h < 20 || total < h || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
			return
		}
		src, _ = netip.AddrFromSlice(b[12:16])
		dst, _ = netip.AddrFromSlice(b[16:20])
		proto4 = b[9]
		if total > len(b) {
			total = len(b)
		}
		if h > total {
			return
		}
		b = b[h:total]
	case 6:
		if len(b) < 40 {
			return
		}
		src, _ = netip.AddrFromSlice(b[8:24])
		dst, _ = netip.AddrFromSlice(b[24:40])
		proto4 = b[6]
		total := 40 + int(binary.BigEndian.Uint16(b[4:]))
		if total > len(b) {
			total = len(b)
		}
		b = b[40:total]
	default:
		return
	}
	if len(b) < 8 {
		return
	}
	s := netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	d := netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	switch proto4 {
	case 17:
		n := int(binary.BigEndian.Uint16(b[4:]))
		if n < 8 || n > len(b) {
			n = len(b)
		}
		st, dir := a.flow(s, d, true)
		if n > 8 {
			st.f.Chunks = append(st.f.Chunks, Chunk{Dir: dir, Data: b[8:n], Time: f.time})
		}
	case 6:
		if len(b) < 20 || int(b[12]>>4)*4 > len(b) || b[12]>>4 < 5 {
			return
		}
		st, dir := a.flow(s, d, false)
		seq, data := binary.BigEndian.Uint32(b[4:]), b[int(b[12]>>4)*4:]
		if b[13]&2 != 0 {
			st.syn = true
			seq++
			st.first[dir], st.have[dir] = seq, true
		}
		if len(data) == 0 {
			return
		}
		if !st.have[dir] {
			st.first[dir], st.have[dir] = seq, true
		}
		st.seg[dir] = append(st.seg[dir], segment{seq, data, f.time})
		st.seen = append(st.seen, event{dir: dir, end: int(int32(seq-st.first[dir])) + len(data)})
	}
}

func (a *assembler) flow(s, d netip.AddrPort, udp bool) (*flowState, proto.Dir) {
	if st := a.byKey[key{s, d, udp}]; st != nil {
		return st, proto.ToServer
	}
	if st := a.byKey[key{d, s, udp}]; st != nil {
		return st, proto.ToClient
	}
	st := &flowState{f: &Flow{
		Hint:   proto.Hint{SrcPort: s.Port(), DstPort: d.Port(), UDP: udp},
		Client: s, Server: d,
	}}
	a.byKey[key{s, d, udp}] = st
	a.list = append(a.list, st)
	return st, proto.ToServer
}

// finish orders the streams: a direction's bytes are delivered up to the highest
// one seen each time that direction speaks.
func (a *assembler) finish() []*Flow {
	out := make([]*Flow, 0, len(a.list))
	for _, st := range a.list {
		out = append(out, st.f)
		if st.f.Hint.UDP {
			continue
		}
		st.f.Hint.Midstream = !st.syn
		var next [2]int
		var at [2]int
		for d := range st.seg {
			seg, first := st.seg[d], st.first[d]
			sort.SliceStable(seg, func(i, j int) bool { return int32(seg[i].seq-first) < int32(seg[j].seq-first) })
		}
		for _, e := range st.seen {
			d := e.dir
			for at[d] < len(st.seg[d]) {
				s := st.seg[d][at[d]]
				off := int(int32(s.seq - st.first[d]))
				if off+len(s.data) > e.end {
					break
				}
				at[d]++
				if off < next[d] {
					cut := min(next[d]-off, len(s.data))
					s.data, off = s.data[cut:], off+cut
				}
				if len(s.data) == 0 {
					continue
				}
				if off > next[d] {
					st.f.Chunks = append(st.f.Chunks, Chunk{Dir: d, Gap: off - next[d], Time: s.time})
				}
				st.f.Chunks = append(st.f.Chunks, Chunk{Dir: d, Data: s.data, Time: s.time})
				next[d] = off + len(s.data)
			}
		}
	}
	return out
}
