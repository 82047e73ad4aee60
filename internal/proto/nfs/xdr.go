package nfs

import "mirador/internal/proto/wire"

// reader reads XDR.
type reader struct{ wire.Reader }

// padding returns how many bytes fill n bytes up to a multiple of four.
func padding(n int) int { return -n & 3 }

// opaque reads bytes with their length in front. The filling of the last value in a
// message may be missing.
func (r *reader) opaque() []byte {
	n := r.BE32()
	if n > uint32(r.Left()) {
		r.Bad = true
		return nil
	}
	b := r.Take(int(n))
	r.Skip(min(padding(int(n)), r.Left()))
	return b
}

// data reads the length of file data, which whole bytes of message must hold. The data
// is next; not all of it need be at hand.
func (r *reader) data(whole int) int {
	n := r.BE32()
	if r.Bad || int64(n) > int64(whole-r.At) {
		r.Bad = true
		return 0
	}
	return int(n)
}

// name reads a file's name and copies it.
func (r *reader) name() []byte {
	b := r.opaque()
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b[:min(len(b), MaxName)]...)
}

// handle reads a file handle.
func (r *reader) handle() handle {
	b := r.opaque()
	if len(b) > MaxHandle {
		r.Bad = true
		return ""
	}
	return handle(b)
}

// words reads as many 32-bit words as the first one says (bitmap4, arrays).
func (r *reader) words() {
	n := r.BE32()
	if n > uint32(r.Left()/4) {
		r.Bad = true
		return
	}
	r.Skip(int(n) * 4)
}

// shape reads what a list of kinds says: '4' and '8' numbers of as many bytes, 's' 16
// bytes, 'o' bytes with their length, 'w' words with their count, 'a' attributes
// (bitmap and values).
func (r *reader) shape(kinds string) {
	for i := range len(kinds) {
		switch kinds[i] {
		case '4':
			r.Skip(4)
		case '8':
			r.Skip(8)
		case 's':
			r.Skip(16)
		case 'o':
			r.opaque()
		case 'w':
			r.words()
		case 'a':
			r.words()
			r.opaque()
		}
	}
}
