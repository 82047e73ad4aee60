package wire

import "math"

// BERHead reads identifier and length at the start of b: of an element of BER (X.690)
// with a low tag number and a definite length, others are not taken. hdr is the length of
// both, total that of the whole element. total is 0 when more bytes are needed; ok is
// false when no element begins here.
func BERHead(b []byte) (tag byte, hdr, total int, ok bool) {
	if len(b) > 0 && b[0]&0x1f == 0x1f {
		return 0, 0, 0, false
	}
	if len(b) < 2 {
		return 0, 0, 0, true
	}
	n, hdr := int64(b[1]), 2
	if n >= 0x80 {
		k := int(n & 0x7f)
		if k == 0 || k > 4 {
			return 0, 0, 0, false
		}
		if len(b) < 2+k {
			return 0, 0, 0, true
		}
		n, hdr = 0, 2+k
		for _, c := range b[2:hdr] {
			n = n<<8 | int64(c)
		}
	}
	if n > math.MaxInt-int64(hdr) {
		return 0, 0, 0, false
	}
	return b[0], hdr, hdr + int(n), true
}

// BER cuts the element at the start of b off: its identifier octet, its content and what
// is behind it. ok is false when b does not begin with a whole one.
func BER(b []byte) (tag byte, body, rest []byte, ok bool) {
	tag, hdr, total, ok := BERHead(b)
	if !ok || total == 0 || total > len(b) {
		return 0, nil, nil, false
	}
	return tag, b[hdr:total], b[total:], true
}
