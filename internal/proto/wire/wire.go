// Package wire reads what protocols have in common: numbers and fields, BER, lines.
package wire

import (
	"bytes"
	"encoding/binary"
)

// Reader reads from B. Bad tells that it ran out of bytes; from then on everything
// read is zero. The zero value is at the end of nothing.
type Reader struct {
	B   []byte
	At  int
	Bad bool
}

// Take returns the next n bytes, nil when there are not as many.
func (r *Reader) Take(n int) []byte {
	if r.Bad || n < 0 || len(r.B)-r.At < n {
		r.Bad = true
		r.At = len(r.B)
		return nil
	}
	b := r.B[r.At : r.At+n]
	r.At += n
	return b
}

// Skip passes n bytes over.
func (r *Reader) Skip(n int) { r.Take(n) }

// Left returns how many bytes are left.
func (r *Reader) Left() int { return len(r.B) - r.At }

// Rest returns the bytes that are left.
func (r *Reader) Rest() []byte { return r.Take(r.Left()) }

// Zero returns the bytes up to a zero byte, which is passed over too.
func (r *Reader) Zero() []byte {
	n := -1
	if r.At < len(r.B) {
		n = bytes.IndexByte(r.B[r.At:], 0)
	}
	if r.Bad || n < 0 {
		r.Bad, r.At = true, len(r.B)
		return nil
	}
	b := r.Take(n)
	r.At++
	return b
}

// U8 reads a byte.
func (r *Reader) U8() uint8 {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// LE16 reads a little-endian number.
func (r *Reader) LE16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// LE24 reads a little-endian number of three bytes.
func (r *Reader) LE24() uint32 {
	if b := r.Take(3); b != nil {
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
	return 0
}

// LE32 reads a little-endian number.
func (r *Reader) LE32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// LE64 reads a little-endian number.
func (r *Reader) LE64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// BE32 reads a big-endian number.
func (r *Reader) BE32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// BE64 reads a big-endian number.
func (r *Reader) BE64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
