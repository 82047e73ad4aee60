// Package jsonw appends JSON to a byte slice without reflection and without
// ever writing a byte that is not valid JSON.
//
// It is what the event writers use: one Writer per worker, reused, so that an
// event costs no allocation once the buffer has grown. It does not read JSON and
// it does not check that keys are unique.
package jsonw

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"
)

// Writer builds one JSON document. The zero value is ready. Buf holds what was
// written so far; callers may take it and Reset.
type Writer struct {
	Buf []byte
	// comma tells whether the next value or key needs a comma before it.
	comma bool
}

// Reset empties w and keeps its memory.
func (w *Writer) Reset() { w.Buf, w.comma = w.Buf[:0], false }

// Mark is a position to which a Writer can be rolled back.
type Mark struct {
	n     int
	comma bool
}

// Mark returns the present position.
func (w *Writer) Mark() Mark { return Mark{len(w.Buf), w.comma} }

// Rollback forgets everything written since m.
func (w *Writer) Rollback(m Mark) { w.Buf, w.comma = w.Buf[:m.n], m.comma }

func (w *Writer) sep() {
	if w.comma {
		w.Buf = append(w.Buf, ',')
	}
	w.comma = true
}

// Open starts an object as a value (in an array or at the top).
func (w *Writer) Open() { w.sep(); w.Buf = append(w.Buf, '{'); w.comma = false }

// Close ends the object.
func (w *Writer) Close() { w.Buf = append(w.Buf, '}'); w.comma = true }

// OpenArray starts an array as a value.
func (w *Writer) OpenArray() { w.sep(); w.Buf = append(w.Buf, '['); w.comma = false }

// CloseArray ends the array.
func (w *Writer) CloseArray() { w.Buf = append(w.Buf, ']'); w.comma = true }

// Key writes an object key; a value must follow.
func (w *Writer) Key(k string) {
	w.sep()
	w.Buf = append(AppendString(w.Buf, k), ':')
	w.comma = false
}

// Object starts an object under key k.
func (w *Writer) Object(k string) { w.Key(k); w.Open() }

// Array starts an array under key k.
func (w *Writer) Array(k string) { w.Key(k); w.OpenArray() }

// Str writes k: v. Invalid UTF-8 in v is written as \u00XX, one escape a byte, so
// the bytes can still be told (see AppendString).
func (w *Writer) Str(k, v string) { w.Key(k); w.StrValue(v) }

// StrValue writes v as a value.
func (w *Writer) StrValue(v string) { w.sep(); w.Buf = AppendString(w.Buf, v) }

// Bytes writes k: v with v as a string.
func (w *Writer) Bytes(k string, v []byte) { w.Key(k); w.BytesValue(v) }

// BytesValue writes v as a string value.
func (w *Writer) BytesValue(v []byte) { w.sep(); w.Buf = AppendString(w.Buf, v) }

// Uint writes k: v.
func (w *Writer) Uint(k string, v uint64) { w.Key(k); w.UintValue(v) }

// UintValue writes v as a value.
func (w *Writer) UintValue(v uint64) { w.sep(); w.Buf = strconv.AppendUint(w.Buf, v, 10) }

// Int writes k: v.
func (w *Writer) Int(k string, v int64) {
	w.Key(k)
	w.sep()
	w.Buf = strconv.AppendInt(w.Buf, v, 10)
}

// Float writes k: v; a value that JSON cannot hold is written as 0.
func (w *Writer) Float(k string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	w.Key(k)
	w.sep()
	w.Buf = strconv.AppendFloat(w.Buf, v, 'f', -1, 64)
}

// Bool writes k: v.
func (w *Writer) Bool(k string, v bool) {
	w.Key(k)
	w.sep()
	w.Buf = strconv.AppendBool(w.Buf, v)
}

// Base64 writes k: v in standard base64.
func (w *Writer) Base64(k string, v []byte) {
	w.Key(k)
	w.sep()
	w.Buf = append(w.Buf, '"')
	w.Buf = base64.StdEncoding.AppendEncode(w.Buf, v)
	w.Buf = append(w.Buf, '"')
}

// Hex writes k: v as lower-case hex digits.
func (w *Writer) Hex(k string, v []byte) {
	w.Key(k)
	w.sep()
	w.Buf = append(w.Buf, '"')
	w.Buf = hex.AppendEncode(w.Buf, v)
	w.Buf = append(w.Buf, '"')
}

// Raw writes k: v where v is already valid JSON.
func (w *Writer) Raw(k string, v []byte) {
	w.Key(k)
	w.sep()
	w.Buf = append(w.Buf, v...)
}

// Printable writes k: v as Suricata's payload_printable does: printable ASCII and
// line ends stay, every other byte becomes a dot.
func (w *Writer) Printable(k string, v []byte) {
	w.Key(k)
	w.sep()
	w.Buf = append(w.Buf, '"')
	for _, c := range v {
		switch {
		case c == '"' || c == '\\':
			w.Buf = append(w.Buf, '\\', c)
		case c == '\n':
			w.Buf = append(w.Buf, '\\', 'n')
		case c == '\r':
			w.Buf = append(w.Buf, '\\', 'r')
		case c < 0x20 || c > 0x7e:
			w.Buf = append(w.Buf, '.')
		default:
			w.Buf = append(w.Buf, c)
		}
	}
	w.Buf = append(w.Buf, '"')
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Control characters, quotes and
// backslashes are escaped; a byte that is not part of valid UTF-8 becomes \u00XX
// of that byte; U+2028 and U+2029 are escaped too, since some readers end a line
// there.
func AppendString[T ~string | ~[]byte](b []byte, s T) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			b = appendEscaped(b, c)
			i++
			from = i
			continue
		}
		r, n := decodeRune(s, i)
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[from:i]...)
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			i++
			from = i
			continue
		}
		if r == 0x2028 || r == 0x2029 {
			b = append(b, s[from:i]...)
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&15])
			i += n
			from = i
			continue
		}
		i += n
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

func decodeRune[T ~string | ~[]byte](s T, i int) (rune, int) {
	var buf [utf8.UTFMax]byte
	n := copy(buf[:], s[i:min(i+utf8.UTFMax, len(s))])
	return utf8.DecodeRune(buf[:n])
}

func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
