package mpm

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

const (
	ones8  = 0x0101010101010101
	highs8 = 0x8080808080808080
)

// lower8 brings the ASCII letters of eight bytes into lower case.
func lower8(x uint64) uint64 {
	low := x &^ highs8
	upper := (low + (0x80-'A')*ones8) &^ (low + (0x7f-'Z')*ones8) &^ x & highs8
	return x | upper>>2
}

func lower1(c byte) byte {
	if c-'A' < 26 {
		c |= 0x20
	}
	return c
}

// equalFold tells whether d in lower case is p. Both have the same length, p is in
// lower case.
func equalFold(d, p []byte) bool {
	if len(d) >= 8 {
		i := 0
		for ; i+8 <= len(d) && i+8 <= len(p); i += 8 {
			if lower8(binary.LittleEndian.Uint64(d[i:])) != binary.LittleEndian.Uint64(p[i:]) {
				return false
			}
		}
		if i == len(d) {
			return true
		}
		return lower8(binary.LittleEndian.Uint64(d[len(d)-8:])) == binary.LittleEndian.Uint64(p[len(p)-8:])
	}
	if len(d) != len(p) {
		return false
	}
	for i := range d {
		if lower1(d[i]) != p[i] {
			return false
		}
	}
	return true
}

// zeros8 sets the high bit of every byte of x that is zero, and no other.
func zeros8(x uint64) uint64 {
	return ^((x&^highs8 + (highs8 - ones8)) | x | ^uint64(highs8))
}

// indexTwo returns the first position of a or b in data, or -1.
func indexTwo(data []byte, a, b byte) int {
	if a == b {
		return bytes.IndexByte(data, a)
	}
	i := 0
	for ; i+8 <= len(data); i += 8 {
		x := binary.LittleEndian.Uint64(data[i:])
		if z := zeros8(x^uint64(a)*ones8) | zeros8(x^uint64(b)*ones8); z != 0 {
			return i + bits.TrailingZeros64(z)/8
		}
	}
	for ; i < len(data); i++ {
		if data[i] == a || data[i] == b {
			return i
		}
	}
	return -1
}
