package mpm

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// batch is the number of candidates the vector filter finds before they are looked
// at.
const batch = 64

// engine is a way to run the filter over data.
type engine uint8

const (
	engineGo engine = iota
	engineAVX2
)

// bestEngine returns the fastest engine this processor has. AVX-512 was tried too:
// with sixteen gathers at a time it is no faster than AVX2 with eight.
func bestEngine() engine {
	if cpu.X86.HasAVX2 {
		return engineAVX2
	}
	return engineGo
}

// vector is a filter as the assembly needs it; it knows the offsets of the fields.
type vector struct {
	table  *uint8
	shift  uint64 // 32 less the bits of an index of table
	mult   uint32
	mask   uint32    // the bytes of a window
	behind [32]uint8 // shuffle: the byte behind each of eight windows, as 32-bit numbers
}

func newVector(entries []uint8, shift uint8, mult, mask uint32) vector {
	v := vector{table: &entries[0], shift: uint64(shift), mult: mult, mask: mask}
	width := 4
	if mask == 0xffff {
		width = 2
	}
	for i := range v.behind {
		v.behind[i] = 0x80
		if i%4 == 0 {
			v.behind[i] = uint8(i/4 + width)
		}
	}
	return v
}

const vectorSize = int(unsafe.Sizeof(vector{}))

// candidatesAVX2 writes the positions of data[i:end] that pass the filter to out,
// until out is nearly full or less than 24 bytes are left. next is the first position
// it did not look at. Up to three bytes behind the table are read and not used.
//
//go:noescape
func candidatesAVX2(v *vector, data *byte, end, i int, out *[batch]uint32) (n, next int)

// candidates fills out with positions from i on that pass the filter. The last bytes
// of data are not looked at.
func (v *vector) candidates(data []byte, i int, out *[batch]uint32) (n, next int) {
	if i < 0 || i >= len(data) {
		return 0, i
	}
	return candidatesAVX2(v, &data[0], len(data), i, out)
}
