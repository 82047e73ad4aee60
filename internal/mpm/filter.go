package mpm

import "encoding/binary"

// filter tells which positions may begin a window. The window (four bytes, or two)
// is multiplied and the highest bits of the product choose an entry; the lowest three
// bits of the byte behind the window choose a bit of it. A literal that ends with its
// window has all bits of its entry. The sizes are fixed, so that the compiler knows
// that an index is in range; one of the pointers is set.
type filter struct {
	s8  *table8
	s10 *table10
	s12 *table12
	s15 *table15
}

// pad is room for the vector engines, which read four bytes for an entry.
const pad = 3

type (
	table8 struct {
		e [1 << 8]uint8
		_ [pad]uint8
	}
	table10 struct {
		e [1 << 10]uint8
		_ [pad]uint8
	}
	table12 struct {
		e [1 << 12]uint8
		_ [pad]uint8
	}
	table15 struct {
		e [1 << 15]uint8
		_ [pad]uint8
	}
)

// newFilter returns a filter for n literals: enough entries to make collisions rare,
// at most what stays in the first-level cache.
func newFilter(n int) filter {
	switch {
	case n <= 8:
		return filter{s8: new(table8)}
	case n <= 40:
		return filter{s10: new(table10)}
	case n <= 200:
		return filter{s12: new(table12)}
	}
	return filter{s15: new(table15)}
}

func (f *filter) size() int {
	switch {
	case f.s8 != nil:
		return len(f.s8.e) + pad
	case f.s10 != nil:
		return len(f.s10.e) + pad
	case f.s12 != nil:
		return len(f.s12.e) + pad
	case f.s15 != nil:
		return len(f.s15.e) + pad
	}
	return 0
}

// slice returns the entries.
func (f *filter) slice() []uint8 {
	switch {
	case f.s8 != nil:
		return f.s8.e[:]
	case f.s10 != nil:
		return f.s10.e[:]
	case f.s12 != nil:
		return f.s12.e[:]
	case f.s15 != nil:
		return f.s15.e[:]
	}
	return nil
}

// next returns the first position from i on whose window and the byte behind it
// pass, or the first one with less than eight bytes behind it.
func (f *filter) next(data []byte, i int, mult uint32) int {
	switch {
	case f.s15 != nil:
		return next15(&f.s15.e, data, i, mult)
	case f.s12 != nil:
		return next12(&f.s12.e, data, i, mult)
	case f.s10 != nil:
		return next10(&f.s10.e, data, i, mult)
	}
	return next8(&f.s8.e, data, i, mult)
}

// nextShort is next for windows of two bytes.
func (f *filter) nextShort(data []byte, i int, mult uint32) int {
	switch {
	case f.s15 != nil:
		return nextShort15(&f.s15.e, data, i, mult)
	case f.s12 != nil:
		return nextShort12(&f.s12.e, data, i, mult)
	case f.s10 != nil:
		return nextShort10(&f.s10.e, data, i, mult)
	}
	return nextShort8(&f.s8.e, data, i, mult)
}

// The four functions below differ in the size of the table only. They look at four
// positions of one load.

func next15(f *[1 << 15]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 15
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)*mult>>shift], f[uint32(x>>8)*mult>>shift]
		c, d := f[uint32(x>>16)*mult>>shift], f[uint32(x>>24)*mult>>shift]
		if uint32(a)>>(x>>32&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>40&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>48&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>56&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}

func next12(f *[1 << 12]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 12
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)*mult>>shift], f[uint32(x>>8)*mult>>shift]
		c, d := f[uint32(x>>16)*mult>>shift], f[uint32(x>>24)*mult>>shift]
		if uint32(a)>>(x>>32&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>40&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>48&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>56&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}

func next10(f *[1 << 10]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 10
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)*mult>>shift], f[uint32(x>>8)*mult>>shift]
		c, d := f[uint32(x>>16)*mult>>shift], f[uint32(x>>24)*mult>>shift]
		if uint32(a)>>(x>>32&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>40&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>48&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>56&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}

func next8(f *[1 << 8]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 8
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)*mult>>shift], f[uint32(x>>8)*mult>>shift]
		c, d := f[uint32(x>>16)*mult>>shift], f[uint32(x>>24)*mult>>shift]
		if uint32(a)>>(x>>32&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>40&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>48&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>56&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}

// And these four are the same for windows of two bytes.

func nextShort15(f *[1 << 15]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 15
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)&0xffff*mult>>shift], f[uint32(x>>8)&0xffff*mult>>shift]
		c, d := f[uint32(x>>16)&0xffff*mult>>shift], f[uint32(x>>24)&0xffff*mult>>shift]
		if uint32(a)>>(x>>16&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>24&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>32&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>40&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}

func nextShort12(f *[1 << 12]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 12
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)&0xffff*mult>>shift], f[uint32(x>>8)&0xffff*mult>>shift]
		c, d := f[uint32(x>>16)&0xffff*mult>>shift], f[uint32(x>>24)&0xffff*mult>>shift]
		if uint32(a)>>(x>>16&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>24&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>32&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>40&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}

func nextShort10(f *[1 << 10]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 10
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)&0xffff*mult>>shift], f[uint32(x>>8)&0xffff*mult>>shift]
		c, d := f[uint32(x>>16)&0xffff*mult>>shift], f[uint32(x>>24)&0xffff*mult>>shift]
		if uint32(a)>>(x>>16&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>24&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>32&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>40&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}

func nextShort8(f *[1 << 8]uint8, data []byte, i int, mult uint32) int {
	const shift = 32 - 8
	for ; i+8 <= len(data); i += 4 {
		x := binary.LittleEndian.Uint64(data[i:i+8]) | fold8
		a, b := f[uint32(x)&0xffff*mult>>shift], f[uint32(x>>8)&0xffff*mult>>shift]
		c, d := f[uint32(x>>16)&0xffff*mult>>shift], f[uint32(x>>24)&0xffff*mult>>shift]
		if uint32(a)>>(x>>16&7)&1 != 0 {
			return i
		}
		if uint32(b)>>(x>>24&7)&1 != 0 {
			return i + 1
		}
		if uint32(c)>>(x>>32&7)&1 != 0 {
			return i + 2
		}
		if uint32(d)>>(x>>40&7)&1 != 0 {
			return i + 3
		}
	}
	return i
}
