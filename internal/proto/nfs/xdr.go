package nfs

import "encoding/binary"

// reader reads XDR; bad tells that it ran out of bytes, and from then on everything
// read is zero.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || len(r.b)-r.at < n {
		r.bad = true
		r.at = len(r.b)
		return nil
	}
	b := r.b[r.at : r.at+n]
	r.at += n
	return b
}

func (r *reader) skip(n int) { r.take(n) }

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// padding returns how many bytes fill n bytes up to a multiple of four.
func padding(n int) int { return -n & 3 }

// opaque reads bytes with their length in front. The filling of the last value in a
// message may be missing.
func (r *reader) opaque() []byte {
	n := r.u32()
	if n > uint32(r.left()) {
		r.bad = true
		return nil
	}
	b := r.take(int(n))
	r.skip(min(padding(int(n)), r.left()))
	return b
}

// data reads the length of file data, which whole bytes of message must hold. The data
// is next; not all of it need be at hand.
func (r *reader) data(whole int) int {
	n := r.u32()
	if r.bad || int64(n) > int64(whole-r.at) {
		r.bad = true
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
		r.bad = true
		return ""
	}
	return handle(b)
}

// words reads as many 32-bit words as the first one says (bitmap4, arrays).
func (r *reader) words() {
	n := r.u32()
	if n > uint32(r.left()/4) {
		r.bad = true
		return
	}
	r.skip(int(n) * 4)
}

// shape reads what a list of kinds says: '4' and '8' numbers of as many bytes, 's' 16
// bytes, 'o' bytes with their length, 'w' words with their count, 'a' attributes
// (bitmap and values).
func (r *reader) shape(kinds string) {
	for i := range len(kinds) {
		switch kinds[i] {
		case '4':
			r.skip(4)
		case '8':
			r.skip(8)
		case 's':
			r.skip(16)
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
