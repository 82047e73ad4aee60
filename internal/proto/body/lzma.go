package body

// Constants of the LZMA specification.
const (
	lzStates      = 12
	lzPosStates   = 16
	lzLenToPos    = 4
	lzEndPosModel = 14
	lzFullDist    = 1 << (lzEndPosModel / 2)
	lzAlignBits   = 4
	lzTop         = 1 << 24
	lzInit        = 1 << 10
)

// lzmaLen decodes match lengths.
type lzmaLen struct {
	choice, choice2 uint16
	low, mid        [lzPosStates][8]uint16
	high            [256]uint16
}

// lzmaDecoder decodes an ".lzma" stream (LZMA alone: five bytes of properties,
// eight of size). It holds back the last bytes of its input, because a symbol is
// decoded only when it is certain to be there as a whole.
type lzmaDecoder struct {
	pend   []byte // header, then input not decoded yet
	ready  bool
	done   bool
	lc     uint
	lpMask uint32
	pbMask uint32
	size   uint64 // announced; all ones: unknown
	out    uint64
	limit  int // most the dictionary may grow to
	want   int // dictionary size of the header

	dict []byte // history and new output
	pos  int    // end of output
	from int    // start of output not passed on

	code, rng uint32
	state     uint32
	rep       [4]uint32
	lit       []uint16
	match     [lzStates][lzPosStates]uint16
	isRep     [lzStates]uint16
	isG0      [lzStates]uint16
	isG1      [lzStates]uint16
	isG2      [lzStates]uint16
	rep0Long  [lzStates][lzPosStates]uint16
	slot      [lzLenToPos][64]uint16
	special   [1 + lzFullDist - lzEndPosModel]uint16
	align     [1 << lzAlignBits]uint16
	len, rlen lzmaLen
	in        []byte
	at        int
	starved   bool
}

func fill(p []uint16) {
	for i := range p {
		p[i] = lzInit
	}
}

func (l *lzmaLen) reset() {
	l.choice, l.choice2 = lzInit, lzInit
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

// write decodes b; last tells that nothing follows.
func (z *lzmaDecoder) write(l *layer, d *Decoder, i int, b []byte, last bool) result {
	z.pend = append(z.pend, b...)
	if !z.ready {
		if len(z.pend) < 18 {
			return more
		}
		if r := z.header(z.pend, d.lim.LZMAMemory); r != more {
			return r
		}
		z.pend = z.pend[18:]
	}
	z.in, z.at = z.pend, 0
	for !z.done {
		if !last && len(z.in)-z.at < lzmaLookahead || last && z.starved {
			break
		}
		z.room(l, d, i)
		if d.stop {
			return more
		}
		r := z.symbol()
		if z.pos-z.from >= lzmaStep || r != more || z.done {
			z.give(l, d, i)
		}
		if r != more {
			return r
		}
		if d.stop {
			return more
		}
	}
	z.give(l, d, i)
	z.pend = append(z.pend[:0], z.in[z.at:]...)
	z.in, z.at = nil, 0
	if z.done {
		return ended
	}
	return more
}

// header reads properties, size and the first bytes of the range coder.
func (z *lzmaDecoder) header(h []byte, limit int64) result {
	p := uint(h[0])
	if p >= 9*5*5 || h[13] != 0 {
		return bad
	}
	z.lc = p % 9
	lp, pb := p/9%5, p/45
	if z.lc+lp > 8 {
		return bad
	}
	z.lpMask, z.pbMask = 1<<lp-1, 1<<pb-1
	want := uint64(h[1]) | uint64(h[2])<<8 | uint64(h[3])<<16 | uint64(h[4])<<24
	z.want = int(max(want, 4096))
	z.limit = int(min(int64(z.want), limit))
	z.size = 0
	for j := 12; j >= 5; j-- {
		z.size = z.size<<8 | uint64(h[j])
	}
	if int64(0x300<<(z.lc+lp)*2) > limit {
		return large
	}
	z.lit = make([]uint16, 0x300<<(z.lc+lp))
	fill(z.lit)
	for s := range z.match {
		fill(z.match[s][:])
		fill(z.rep0Long[s][:])
	}
	fill(z.isRep[:])
	fill(z.isG0[:])
	fill(z.isG1[:])
	fill(z.isG2[:])
	for s := range z.slot {
		fill(z.slot[s][:])
	}
	fill(z.special[:])
	fill(z.align[:])
	z.len.reset()
	z.rlen.reset()
	z.rng = 0xffffffff
	z.code = uint32(h[14])<<24 | uint32(h[15])<<16 | uint32(h[16])<<8 | uint32(h[17])
	z.ready = true
	return more
}

// give passes on what was decoded since the last time.
func (z *lzmaDecoder) give(l *layer, d *Decoder, i int) {
	if z.pos > z.from {
		l.sure = true
		l.output(d, i, z.dict[z.from:z.pos])
		z.from = z.pos
	}
}

// room makes sure that one match of any length fits behind pos. Only the last
// limit bytes are kept.
func (z *lzmaDecoder) room(l *layer, d *Decoder, i int) {
	if len(z.dict)-z.pos >= lzmaMatch {
		return
	}
	if whole := 2*z.limit + lzmaMatch; len(z.dict) < whole {
		b := make([]byte, min(max(4096, 2*len(z.dict)), whole))
		copy(b, z.dict[:z.pos])
		z.dict = b
		if len(z.dict)-z.pos >= lzmaMatch {
			return
		}
	}
	z.give(l, d, i)
	keep := min(z.pos, z.limit)
	copy(z.dict, z.dict[z.pos-keep:z.pos])
	z.pos, z.from = keep, keep
}

// put adds one byte of output; room made sure that it fits.
func (z *lzmaDecoder) put(c byte) {
	z.dict[z.pos] = c
	z.pos++
	z.out++
}

// back returns the byte at distance dist, which is at most out and limit.
func (z *lzmaDecoder) back(dist uint32) byte { return z.dict[z.pos-int(dist)] }

func (z *lzmaDecoder) norm() {
	if z.rng < lzTop {
		z.rng <<= 8
		c := byte(0)
		if z.at < len(z.in) {
			c = z.in[z.at]
			z.at++
		} else {
			z.starved = true
		}
		z.code = z.code<<8 | uint32(c)
	}
}

func (z *lzmaDecoder) bit(p *uint16) uint32 {
	bound := (z.rng >> 11) * uint32(*p)
	var b uint32
	if z.code < bound {
		*p += (1<<11 - *p) >> 5
		z.rng = bound
	} else {
		*p -= *p >> 5
		z.code -= bound
		z.rng -= bound
		b = 1
	}
	z.norm()
	return b
}

func (z *lzmaDecoder) direct(n uint) uint32 {
	var r uint32
	for ; n > 0; n-- {
		z.rng >>= 1
		z.code -= z.rng
		t := 0 - z.code>>31
		z.code += z.rng & t
		r = r<<1 + t + 1
		z.norm()
	}
	return r
}

func (z *lzmaDecoder) tree(p []uint16, n uint) uint32 {
	m := uint32(1)
	for range n {
		m = m<<1 | z.bit(&p[m])
	}
	return m - 1<<n
}

func (z *lzmaDecoder) reverse(p []uint16, n uint) uint32 {
	m, sym := uint32(1), uint32(0)
	for i := range n {
		b := z.bit(&p[m])
		m = m<<1 | b
		sym |= b << i
	}
	return sym
}

func (z *lzmaDecoder) length(l *lzmaLen, ps uint32) uint32 {
	if z.bit(&l.choice) == 0 {
		return z.tree(l.low[ps][:], 3)
	}
	if z.bit(&l.choice2) == 0 {
		return 8 + z.tree(l.mid[ps][:], 3)
	}
	return 16 + z.tree(l.high[:], 8)
}

// literal decodes one literal byte.
func (z *lzmaDecoder) literal() byte {
	prev := uint32(0)
	if z.out > 0 {
		prev = uint32(z.back(1))
	}
	ls := (uint32(z.out)&z.lpMask)<<z.lc + prev>>(8-z.lc)
	p := z.lit[0x300*ls:]
	sym := uint32(1)
	if z.state >= 7 {
		m := uint32(z.back(z.rep[0] + 1))
		for sym < 0x100 {
			mb := m >> 7 & 1
			m <<= 1
			b := z.bit(&p[(1+mb)<<8+sym])
			sym = sym<<1 | b
			if mb != b {
				break
			}
		}
	}
	for sym < 0x100 {
		sym = sym<<1 | z.bit(&p[sym])
	}
	return byte(sym)
}

func (z *lzmaDecoder) distance(n uint32) uint32 {
	s := z.tree(z.slot[min(n, lzLenToPos-1)][:], 6)
	if s < 4 {
		return s
	}
	nd := uint(s>>1 - 1)
	dist := (2 | s&1) << nd
	if s < lzEndPosModel {
		return dist + z.reverse(z.special[dist-s:], nd)
	}
	dist += z.direct(nd-lzAlignBits) << lzAlignBits
	return dist + z.reverse(z.align[:], lzAlignBits)
}

// symbol decodes one literal or match.
func (z *lzmaDecoder) symbol() result {
	if z.size != 1<<64-1 && z.out >= z.size {
		z.done = true
		return more
	}
	ps := uint32(z.out) & z.pbMask
	if z.bit(&z.match[z.state][ps]) == 0 {
		z.put(z.literal())
		switch {
		case z.state < 4:
			z.state = 0
		case z.state < 10:
			z.state -= 3
		default:
			z.state -= 6
		}
		return more
	}
	var n uint32
	if z.bit(&z.isRep[z.state]) != 0 {
		if z.out == 0 {
			return bad
		}
		if z.bit(&z.isG0[z.state]) == 0 {
			if z.bit(&z.rep0Long[z.state][ps]) == 0 {
				z.state = shortRep(z.state)
				return z.copyMatch(1)
			}
		} else {
			z.swapRep()
		}
		n = z.length(&z.rlen, ps)
		if z.state < 7 {
			z.state = 8
		} else {
			z.state = 11
		}
	} else {
		z.rep[3], z.rep[2], z.rep[1] = z.rep[2], z.rep[1], z.rep[0]
		n = z.length(&z.len, ps)
		if z.state < 7 {
			z.state = 7
		} else {
			z.state = 10
		}
		z.rep[0] = z.distance(n)
		if z.rep[0] == 0xffffffff {
			z.done = true
			return more
		}
	}
	return z.copyMatch(int(n) + 2)
}

func shortRep(state uint32) uint32 {
	if state < 7 {
		return 9
	}
	return 11
}

// swapRep moves the repeated distance that was chosen to the front.
func (z *lzmaDecoder) swapRep() {
	var d uint32
	if z.bit(&z.isG1[z.state]) == 0 {
		d = z.rep[1]
	} else {
		if z.bit(&z.isG2[z.state]) == 0 {
			d = z.rep[2]
		} else {
			d = z.rep[3]
			z.rep[3] = z.rep[2]
		}
		z.rep[2] = z.rep[1]
	}
	z.rep[1], z.rep[0] = z.rep[0], d
}

// copyMatch repeats n bytes from distance rep[0]+1.
func (z *lzmaDecoder) copyMatch(n int) result {
	dist := uint64(z.rep[0]) + 1
	if dist > z.out || dist > uint64(z.want) {
		return bad
	}
	if dist > uint64(z.limit) {
		return large
	}
	for ; n > 0; n-- {
		if z.size != 1<<64-1 && z.out >= z.size {
			break
		}
		z.put(z.back(uint32(dist)))
	}
	return more
}
