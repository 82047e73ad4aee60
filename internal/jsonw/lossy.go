package jsonw

import "unicode/utf8"

// Lossy writes k: v with v as text from the wire: what is not UTF-8 becomes U+FFFD, one
// for each beginning of a rune that does not go on.
func (w *Writer) Lossy(k string, v []byte) { w.Key(k); w.LossyValue(v) }

// LossyValue writes v as Lossy does, as a value.
func (w *Writer) LossyValue(v []byte) {
	if utf8.Valid(v) {
		w.BytesValue(v)
		return
	}
	b := make([]byte, 0, len(v)+16)
	for len(v) > 0 {
		r, n := utf8.DecodeRune(v)
		if r == utf8.RuneError && n == 1 {
			n = broken(v)
		}
		b = utf8.AppendRune(b, r)
		v = v[n:]
	}
	w.BytesValue(b)
}

// broken returns how many bytes at the front of v are the beginning of one rune that
// does not go on.
func broken(v []byte) int {
	var lo, hi byte = 0x80, 0xbf
	want := 0
	switch c := v[0]; {
	case c >= 0xc2 && c <= 0xdf:
		want = 1
	case c >= 0xe0 && c <= 0xef:
		want = 2
		switch c {
		case 0xe0:
			lo = 0xa0
		case 0xed:
			hi = 0x9f
		}
	case c >= 0xf0 && c <= 0xf4:
		want = 3
		switch c {
		case 0xf0:
			lo = 0x90
		case 0xf4:
			hi = 0x8f
		}
	}
	n := 1
	for ; n <= want && n < len(v) && v[n] >= lo && v[n] <= hi; n++ {
		lo, hi = 0x80, 0xbf
	}
	return n
}
