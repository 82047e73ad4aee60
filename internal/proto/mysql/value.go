package mysql

import (
	"math"
	"strconv"

	"mirador/internal/proto/wire"
)

// number reads a length-encoded integer. ok is false for what is none: NULL, the
// first byte of an error, or too few bytes.
func number(r *wire.Reader) (n uint64, ok bool) {
	switch c := r.U8(); {
	case c < 0xfb:
		n = uint64(c)
	case c == 0xfc:
		n = uint64(r.LE16())
	case c == 0xfd:
		n = uint64(r.LE24())
	case c == 0xfe:
		n = r.LE64()
	default:
		return 0, false
	}
	return n, !r.Bad
}

// text reads a length-encoded string.
func text(r *wire.Reader) []byte {
	n, ok := number(r)
	if !ok || n > uint64(r.Left()) {
		r.Bad = true
		return nil
	}
	return r.Take(int(n))
}

// Types of columns and parameters.
const (
	typeTiny      = 0x01
	typeShort     = 0x02
	typeLong      = 0x03
	typeFloat     = 0x04
	typeDouble    = 0x05
	typeNull      = 0x06
	typeTimestamp = 0x07
	typeLongLong  = 0x08
	typeInt24     = 0x09
	typeDate      = 0x0a
	typeTime      = 0x0b
	typeDateTime  = 0x0c
	typeYear      = 0x0d
)

// column is what is kept of a column's definition.
type column struct {
	typ      byte
	unsigned bool
}

// definition reads the type of a column. extended: MariaDB has put another string in
// front of the numbers.
func definition(b []byte, extended bool) (c column, ok bool) {
	r := wire.Reader{B: b}
	strings := 6 // catalogue, schema, table, its origin, name, its origin
	if extended {
		strings++
	}
	for range strings {
		text(&r)
	}
	r.Skip(1 + 2 + 4) // length of what follows, character set, width
	c.typ = r.U8()
	c.unsigned = r.LE16()&0x20 != 0
	return c, !r.Bad
}

// appendValue reads a value in binary form and appends it as text.
func appendValue(out []byte, r *wire.Reader, c column) []byte {
	switch c.typ {
	case typeNull:
		return append(out, "NULL"...)
	case typeTiny:
		n := r.U8()
		return appendInt(out, uint64(n), int64(int8(n)), c.unsigned)
	case typeShort, typeYear:
		n := r.LE16()
		return appendInt(out, uint64(n), int64(int16(n)), c.unsigned)
	case typeLong, typeInt24:
		n := r.LE32()
		return appendInt(out, uint64(n), int64(int32(n)), c.unsigned)
	case typeLongLong:
		n := r.LE64()
		return appendInt(out, n, int64(n), c.unsigned)
	case typeFloat:
		return strconv.AppendFloat(out, float64(math.Float32frombits(r.LE32())), 'g', -1, 32)
	case typeDouble:
		return strconv.AppendFloat(out, math.Float64frombits(r.LE64()), 'g', -1, 64)
	case typeDate, typeDateTime, typeTimestamp:
		return appendDate(out, r, c.typ)
	case typeTime:
		return appendTime(out, r)
	}
	return append(out, text(r)...)
}

func appendInt(out []byte, u uint64, i int64, unsigned bool) []byte {
	if unsigned {
		return strconv.AppendUint(out, u, 10)
	}
	return strconv.AppendInt(out, i, 10)
}

// appendDate appends a date as the text protocol shows it. Its length comes first:
// 0, 4 (date), 7 (with time) or 11 (with microseconds).
func appendDate(out []byte, r *wire.Reader, typ byte) []byte {
	v := wire.Reader{B: r.Take(int(r.U8()))}
	n := len(v.B)
	out = pad(out, int(v.LE16()), 4)
	out = pad(append(out, '-'), int(v.U8()), 2)
	out = pad(append(out, '-'), int(v.U8()), 2)
	if typ == typeDate {
		return out
	}
	return appendClock(append(out, ' '), &v, 0, n > 7)
}

// appendTime appends a duration: sign, days, then the time of day.
func appendTime(out []byte, r *wire.Reader) []byte {
	v := wire.Reader{B: r.Take(int(r.U8()))}
	n := len(v.B)
	if v.U8() != 0 {
		out = append(out, '-')
	}
	return appendClock(out, &v, 24*int(v.LE32()), n > 8)
}

func appendClock(out []byte, v *wire.Reader, hours int, micro bool) []byte {
	out = pad(out, hours+int(v.U8()), 2)
	out = pad(append(out, ':'), int(v.U8()), 2)
	out = pad(append(out, ':'), int(v.U8()), 2)
	if micro {
		out = pad(append(out, '.'), int(v.LE32()), 6)
	}
	return out
}

// pad appends n with at least width digits.
func pad(out []byte, n, width int) []byte {
	for limit := 10; width > 1; width, limit = width-1, limit*10 {
		if n < limit {
			for range width - 1 {
				out = append(out, '0')
			}
			break
		}
	}
	return strconv.AppendInt(out, int64(n), 10)
}

// appendTextRow appends a row of the text protocol: strings or NULL, with commas
// between them.
func appendTextRow(out, b []byte) []byte {
	r := wire.Reader{B: b}
	for r.Left() > 0 && !r.Bad {
		if r.At > 0 {
			out = append(out, ',')
		}
		if r.B[r.At] == 0xfb {
			r.At++
			out = append(out, "NULL"...)
			continue
		}
		if n, ok := number(&r); ok {
			// The rest of a long value may not be at hand.
			out = append(out, r.Take(int(min(n, uint64(r.Left()))))...)
		}
	}
	return out
}

// appendBinaryRow is appendTextRow for rows of prepared statements: a zero byte, a bit
// for each column that is NULL, beginning with the third, then the values.
func appendBinaryRow(out, b []byte, cols []column) []byte {
	r := wire.Reader{B: b}
	r.Skip(1)
	null := r.Take((len(cols) + 9) / 8)
	for i, c := range cols {
		if r.Bad {
			break
		}
		if i > 0 {
			out = append(out, ',')
		}
		if null[(i+2)/8]&(1<<((i+2)%8)) != 0 {
			out = append(out, "NULL"...)
			continue
		}
		out = appendValue(out, &r, c)
	}
	return out
}

// statement returns the text of a COM_QUERY of a client that sends query attributes
// (MySQL 8.0.23 and later): their number, a one, and when there are any the bits of
// those that are NULL, a one, types with names, and values.
func statement(b []byte) (query []byte, ok bool) {
	r := wire.Reader{B: b}
	n, _ := number(&r)
	sets, _ := number(&r)
	if n > maxAttrParams || sets != 1 {
		return nil, false
	}
	if n > 0 {
		null := r.Take((int(n) + 7) / 8)
		if r.U8() != 1 {
			return nil, false // types are from an earlier query: there is no earlier one
		}
		var types [maxAttrParams]column
		for i := range n {
			types[i].typ = r.U8()
			r.Skip(1)
			text(&r)
		}
		var scratch [64]byte
		for i := range n {
			if !r.Bad && null[i/8]&(1<<(i%8)) == 0 {
				skipValue(&r, types[i], scratch[:0])
			}
		}
	}
	return r.Rest(), !r.Bad
}

func skipValue(r *wire.Reader, c column, scratch []byte) {
	switch c.typ {
	case typeNull, typeTiny, typeShort, typeYear, typeLong, typeInt24, typeLongLong, typeFloat, typeDouble,
		typeDate, typeDateTime, typeTimestamp, typeTime:
		appendValue(scratch, r, c)
	default:
		text(r)
	}
}
