package body

import "math/bits"

// result of a decoding step.
type result uint8

const (
	more  result = iota // input used up
	full                // output room used up; call again
	ended               // end of the stream
	bad                 // not a valid stream
	large               // more memory wanted than allowed
)

// States of an inflater.
const (
	stBlock uint8 = iota
	stStoredLen
	stStored
	stTableSizes
	stCodeLengths
	stLengths
	stSymbol
	stLengthExtra
	stDistance
	stDistanceExtra
	stCopy
	stDone
)

const (
	maxLit   = 288
	maxDist  = 32
	fastBits = 9
)

// huffman is a canonical code: a table for short codes, counts and sorted symbols
// for the long ones.
type huffman struct {
	fast   [1 << fastBits]uint16 // symbol<<4 | length, 0: not a short code
	count  [16]uint16
	first  [16]uint32 // first code of a length, as an integer of that length
	index  [16]uint16 // where the symbols of a length begin
	symbol [maxLit]uint16
}

// build makes h from code lengths. It refuses over-subscribed codes and, but for
// a code of a single symbol, incomplete ones, as zlib does.
func (h *huffman) build(lengths []uint8, distance bool) bool {
	h.count = [16]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	left, code, at := 1, uint32(0), uint16(0)
	for n := 1; n < 16; n++ {
		left = left<<1 - int(h.count[n])
		if left < 0 {
			return false
		}
		code <<= 1
		h.first[n], h.index[n] = code, at
		code += uint32(h.count[n])
		at += h.count[n]
	}
	if left > 0 && !(used <= 1 && (distance || used == 1) && (used == 0 || h.count[1] == 1)) {
		return false
	}
	clear(h.fast[:])
	next, pos := h.first, h.index
	for sym, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbol[pos[n]] = uint16(sym)
		pos[n]++
		c := next[n]
		next[n]++
		if n > fastBits {
			continue
		}
		r := bits.Reverse32(c) >> (32 - n)
		for ; r < 1<<fastBits; r += 1 << n {
			h.fast[r] = uint16(sym)<<4 | uint16(n)
		}
	}
	return true
}

// decode finds the symbol at the low end of hold, of which n bits are valid. It
// returns the code's length, 0 when more bits are needed, and -1 when no code
// fits.
func (h *huffman) decode(hold uint64, n uint) (sym uint16, length int) {
	if e := h.fast[hold&(1<<fastBits-1)]; e != 0 {
		if l := uint(e & 15); l <= n {
			return e >> 4, int(l)
		}
		return 0, 0
	}
	code := uint32(0)
	for l := uint(1); l < 16; l++ {
		if l > n {
			return 0, 0
		}
		code = code<<1 | uint32(hold>>(l-1)&1)
		if c := uint32(h.count[l]); code >= h.first[l] && code-h.first[l] < c {
			return h.symbol[uint32(h.index[l])+code-h.first[l]], int(l)
		}
	}
	return 0, -1
}

// inflater decodes a raw deflate stream (RFC 1951) that arrives in pieces of any
// size. Output is a slice of buf, valid until the next call.
type inflater struct {
	state uint8
	last  bool
	hold  uint64
	nbits uint
	left  int // bytes of a stored block, or of a copy, still to do
	dist  int
	extra uint8
	nlit  int
	ndist int
	ncode int
	have  int
	codes [maxLit + maxDist]uint8
	lit   huffman
	dst   huffman
	buf   []byte
	wpos  int // end of output in buf
	given int // end of what was handed out
}

var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

var lengthBase = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
var lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
var distBase = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
var distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}

// reset makes z ready for a new stream and keeps its memory.
func (z *inflater) reset() {
	z.state, z.last, z.hold, z.nbits, z.left = stBlock, false, 0, 0, 0
	z.wpos, z.given = 0, 0
}

// makeRoom lets at least one byte of output fit. What was given out is lost but
// for the history.
func (z *inflater) makeRoom() {
	if z.wpos < len(z.buf) {
		return
	}
	if len(z.buf) < maxRoom {
		n := max(firstRoom, 4*len(z.buf))
		b := make([]byte, min(n, maxRoom))
		copy(b, z.buf[:z.wpos])
		z.buf = b
		return
	}
	copy(z.buf, z.buf[z.wpos-windowSize:z.wpos])
	z.wpos, z.given = windowSize, windowSize
}

// take returns the output since the last take.
func (z *inflater) take() []byte {
	b := z.buf[z.given:z.wpos]
	z.given = z.wpos
	return b
}

// need loads bytes until n bits are there.
func (z *inflater) need(n uint, in []byte, i *int) bool {
	for z.nbits < n {
		if *i >= len(in) {
			return false
		}
		z.hold |= uint64(in[*i]) << z.nbits
		z.nbits += 8
		*i++
	}
	return true
}

func (z *inflater) drop(n uint) { z.hold >>= n; z.nbits -= n }

// step decodes from in until it is used up or the room for output is. It returns
// how many bytes of in were used.
func (z *inflater) step(in []byte) (used int, r result) {
	z.makeRoom()
	i := 0
	for {
		switch z.state {
		case stBlock:
			if z.last {
				z.state = stDone
				continue
			}
			if !z.need(3, in, &i) {
				return i, more
			}
			z.last = z.hold&1 != 0
			typ := z.hold >> 1 & 3
			z.drop(3)
			switch typ {
			case 0:
				z.drop(z.nbits & 7)
				z.state = stStoredLen
			case 1:
				z.fixed()
				z.state = stSymbol
			case 2:
				z.state = stTableSizes
			default:
				return i, bad
			}
		case stStoredLen:
			if !z.need(32, in, &i) {
				return i, more
			}
			n, inv := uint16(z.hold), uint16(z.hold>>16)
			if n != ^inv {
				return i, bad
			}
			z.drop(32)
			z.left, z.state = int(n), stStored
		case stStored:
			for z.left > 0 {
				if z.wpos == len(z.buf) {
					return i, full
				}
				if z.nbits >= 8 {
					z.buf[z.wpos] = byte(z.hold)
					z.drop(8)
					z.wpos++
					z.left--
					continue
				}
				n := copy(z.buf[z.wpos:], in[i:min(len(in), i+z.left)])
				if n == 0 {
					return i, more
				}
				z.wpos, i, z.left = z.wpos+n, i+n, z.left-n
			}
			z.state = stBlock
		case stTableSizes, stCodeLengths, stLengths:
			if !z.tables(in, &i) {
				if z.state == stDone {
					return i, bad
				}
				return i, more
			}
		case stDone:
			// Whole bytes that were loaded too early belong to who follows.
			i -= int(z.nbits / 8)
			if i < 0 {
				i = 0
			}
			z.hold, z.nbits = 0, 0
			return i, ended
		default:
			var done bool
			if done, r = z.symbols(in, &i); done {
				return i, r
			}
		}
	}
}

// symbols decodes the body of a compressed block.
func (z *inflater) symbols(in []byte, i *int) (done bool, r result) {
	for {
		switch z.state {
		case stSymbol:
			if z.wpos == len(z.buf) {
				return true, full
			}
			sym, n := z.lit.decode(z.hold, z.nbits)
			for n == 0 {
				if *i >= len(in) {
					return true, more
				}
				z.hold |= uint64(in[*i]) << z.nbits
				z.nbits += 8
				*i++
				sym, n = z.lit.decode(z.hold, z.nbits)
			}
			if n < 0 || sym > 285 {
				return true, bad
			}
			z.drop(uint(n))
			switch {
			case sym < 256:
				z.buf[z.wpos] = byte(sym)
				z.wpos++
				continue
			case sym == 256:
				z.state = stBlock
				return false, more
			}
			z.left, z.extra = int(lengthBase[sym-257]), lengthExtra[sym-257]
			z.state = stLengthExtra
		case stLengthExtra:
			if !z.need(uint(z.extra), in, i) {
				return true, more
			}
			z.left += int(z.hold & (1<<z.extra - 1))
			z.drop(uint(z.extra))
			z.state = stDistance
		case stDistance:
			sym, n := z.dst.decode(z.hold, z.nbits)
			for n == 0 {
				if *i >= len(in) {
					return true, more
				}
				z.hold |= uint64(in[*i]) << z.nbits
				z.nbits += 8
				*i++
				sym, n = z.dst.decode(z.hold, z.nbits)
			}
			if n < 0 || sym > 29 {
				return true, bad
			}
			z.drop(uint(n))
			z.dist, z.extra = int(distBase[sym]), distExtra[sym]
			z.state = stDistanceExtra
		case stDistanceExtra:
			if !z.need(uint(z.extra), in, i) {
				return true, more
			}
			z.dist += int(z.hold & (1<<z.extra - 1))
			z.drop(uint(z.extra))
			if z.dist > z.wpos {
				return true, bad
			}
			z.state = stCopy
		case stCopy:
			for z.left > 0 {
				if z.wpos == len(z.buf) {
					return true, full
				}
				from := z.wpos - z.dist
				n := copy(z.buf[z.wpos:min(len(z.buf), z.wpos+z.left)], z.buf[from:z.wpos])
				z.wpos += n
				z.left -= n
			}
			z.state = stSymbol
		default:
			return false, more
		}
	}
}

// tables reads the code tables of a dynamic block. It returns false when input
// is missing, or with state stDone when the tables are not valid.
func (z *inflater) tables(in []byte, i *int) bool {
	if z.state == stTableSizes {
		if !z.need(14, in, i) {
			return false
		}
		z.nlit, z.ndist, z.ncode = int(z.hold&31)+257, int(z.hold>>5&31)+1, int(z.hold>>10&15)+4
		z.drop(14)
		if z.nlit > 286 || z.ndist > 30 {
			z.state = stDone
			return false
		}
		clear(z.codes[:19])
		z.have, z.state = 0, stCodeLengths
	}
	if z.state == stCodeLengths {
		for z.have < z.ncode {
			if !z.need(3, in, i) {
				return false
			}
			z.codes[codeOrder[z.have]] = uint8(z.hold & 7)
			z.drop(3)
			z.have++
		}
		if !z.lit.build(z.codes[:19], false) {
			z.state = stDone
			return false
		}
		z.have, z.state = 0, stLengths
		clear(z.codes[:])
	}
	for z.have < z.nlit+z.ndist {
		if !z.lengthCode(in, i) {
			return false
		}
	}
	if z.codes[256] == 0 || !z.dst.build(z.codes[z.nlit:z.nlit+z.ndist], true) || !z.lit.build(z.codes[:z.nlit], false) {
		z.state = stDone
		return false
	}
	z.state = stSymbol
	return true
}

// lengthCode reads one code length or repetition.
func (z *inflater) lengthCode(in []byte, i *int) bool {
	var sym uint16
	var n int
	for {
		if sym, n = z.lit.decode(z.hold, z.nbits); n < 0 {
			z.state = stDone
			return false
		}
		extra := uint(0)
		if n > 0 && sym >= 16 {
			extra = [3]uint{2, 3, 7}[sym-16]
		}
		if n > 0 && z.nbits >= uint(n)+extra {
			z.drop(uint(n))
			break
		}
		if !z.need(z.nbits+8, in, i) {
			return false
		}
	}
	if sym < 16 {
		z.codes[z.have] = uint8(sym)
		z.have++
		return true
	}
	var val uint8
	var count int
	switch sym {
	case 16:
		if z.have == 0 {
			z.state = stDone
			return false
		}
		val, count = z.codes[z.have-1], 3+int(z.hold&3)
		z.drop(2)
	case 17:
		count = 3 + int(z.hold&7)
		z.drop(3)
	default:
		count = 11 + int(z.hold&127)
		z.drop(7)
	}
	if z.have+count > z.nlit+z.ndist {
		z.state = stDone
		return false
	}
	for ; count > 0; count-- {
		z.codes[z.have] = val
		z.have++
	}
	return true
}

// fixed sets up the codes of RFC 1951 section 3.2.6.
func (z *inflater) fixed() {
	c := z.codes[:maxLit]
	for i := range c {
		switch {
		case i < 144:
			c[i] = 8
		case i < 256:
			c[i] = 9
		case i < 280:
			c[i] = 7
		default:
			c[i] = 8
		}
	}
	z.lit.build(c, false)
	d := z.codes[:maxDist]
	for i := range d {
		d[i] = 5
	}
	z.dst.build(d, true)
}
