package detect

import (
	"math/bits"
	"strconv"
)

// byteOp is a compiled byte_test, byte_jump, byte_extract or byte_math.
type byteOp struct {
	count     int8 // bytes to read; 0 for a byte_jump without a read
	countVar  int8 // variable that holds the count, -1 for none
	base      int8 // of a number in text; 0 for binary
	little    bool
	dce       bool
	relative  bool
	negated   bool
	oper      byte // byte_test: < > = l(<=) g(>=) & ^; byte_math: + - * / l(<<) r(>>)
	offset    int32
	offsetVar int8
	mask      uint32 // 0 for none
	value     uint64 // to compare with, or right side
	valueVar  int8
	mult      uint32 // 0 for none
	align     uint8  // 0 for none
	fromBegin bool
	fromEnd   bool
	post      int32
	result    int8 // variable that takes the result
}

// maxBinary and maxText bound how many bytes are read as a number.
const (
	maxBinary = 8
	maxText   = 23
)

// read gets the number of o from b. end is the position behind it.
func (w *Worker) read(o *byteOp, b *window) (val uint64, at, end int, ok bool) {
	pos := int64(o.offset)
	if o.offsetVar >= 0 {
		pos = w.varOr(o.offsetVar, 0)
	}
	if o.relative {
		pos += int64(w.pos)
	}
	n := int64(o.count)
	if o.countVar >= 0 {
		n = w.varOr(o.countVar, 0)
		if o.base == 0 && n > maxBinary || n > maxText {
			return 0, 0, 0, false
		}
	}
	if pos < 0 || n < 0 || pos > int64(len(b.data)) || int64(len(b.data))-pos < n {
		return 0, 0, 0, false
	}
	at = int(pos)
	d := b.data[at : at+int(n)]
	if o.base != 0 {
		var used int
		val, used, ok = textNumber(d, int(o.base))
		return val, at, at + used, ok
	}
	little := o.little
	if o.dce {
		little = b.little
	}
	if little {
		for i := len(d) - 1; i >= 0; i-- {
			val = val<<8 | uint64(d[i])
		}
	} else {
		for _, c := range d {
			val = val<<8 | uint64(c)
		}
	}
	return val, at, at + int(n), true
}

// textNumber reads a number in base from the front of d, behind white space, as
// strtoull does. used is how many bytes belong to it.
func textNumber(d []byte, base int) (val uint64, used int, ok bool) {
	i := 0
	for i < len(d) && (d[i] == ' ' || d[i] >= '\t' && d[i] <= '\r') {
		i++
	}
	neg := false
	if i < len(d) && (d[i] == '-' || d[i] == '+') {
		neg = d[i] == '-'
		i++
	}
	if base == 16 && i+2 < len(d) && d[i] == '0' && d[i+1]|0x20 == 'x' && hexVal(d[i+2]) >= 0 {
		i += 2
	}
	start := i
	for ; i < len(d); i++ {
		v := hexVal(d[i])
		if v < 0 || v >= base {
			break
		}
		hi, lo := bits.Mul64(val, uint64(base))
		if hi != 0 || lo > ^uint64(0)-uint64(v) {
			return 0, 0, false
		}
		val = lo + uint64(v)
	}
	if i == start {
		return 0, 0, false
	}
	if neg {
		val = -val
	}
	return val, i, true
}

func hexVal(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// masked applies the bitmask of o: the value is shifted right by the mask's
// trailing zeros.
func (o *byteOp) masked(v uint64) uint64 {
	if o.mask == 0 {
		return v
	}
	return v & uint64(o.mask) >> bits.TrailingZeros32(o.mask)
}

func (w *Worker) byteTest(o *byteOp, b *window) bool {
	v, _, _, ok := w.read(o, b)
	if !ok {
		return false
	}
	v = o.masked(v)
	x := o.value
	if o.valueVar >= 0 {
		x = w.vars[o.valueVar]
	}
	var hit bool
	switch o.oper {
	case '<':
		hit = v < x
	case '>':
		hit = v > x
	case '=':
		hit = v == x
	case 'l':
		hit = v <= x
	case 'g':
		hit = v >= x
	case '&':
		hit = v&x != 0
	case '^':
		hit = v^x != 0
	}
	return hit != o.negated
}

// byteJump moves the position. A jump to before the buffer lands at its start, one
// to behind its end fails.
func (w *Worker) byteJump(o *byteOp, b *window) bool {
	v, _, end, ok := w.read(o, b)
	if !ok {
		return false
	}
	v = o.masked(v)
	if o.mult != 0 {
		hi, lo := bits.Mul64(v, uint64(o.mult))
		if hi != 0 {
			return false
		}
		v = lo
	}
	if o.align != 0 && v%uint64(o.align) != 0 {
		v += uint64(o.align) - v%uint64(o.align)
	}
	if v > 1<<40 {
		return false
	}
	to := int64(v) + int64(o.post)
	switch {
	case o.fromBegin:
	case o.fromEnd:
		to += int64(len(b.data))
	default:
		to += int64(end)
	}
	if to < 0 {
		to = 0
	}
	if to >= int64(len(b.data)) {
		return false
	}
	w.pos = int(to)
	return true
}

func (w *Worker) byteExtract(o *byteOp, b *window) bool {
	v, _, end, ok := w.read(o, b)
	if !ok {
		return false
	}
	v = o.masked(v)
	if o.mult != 0 {
		v *= uint64(o.mult)
	}
	if o.align != 0 && v%uint64(o.align) != 0 {
		v += uint64(o.align) - v%uint64(o.align)
	}
	w.vars[o.result] = v
	w.pos = end
	return true
}

func (w *Worker) byteMath(o *byteOp, b *window) bool {
	v, _, end, ok := w.read(o, b)
	if !ok {
		return false
	}
	r := o.value
	if o.valueVar >= 0 {
		r = w.vars[o.valueVar]
	}
	switch o.oper {
	case '+':
		v += r
	case '-':
		v -= r
	case '*':
		v *= r
	case '/':
		if r == 0 {
			return false
		}
		v /= r
	case 'l':
		if r < 64 {
			v <<= r
		} else {
			v = 0
		}
	case 'r':
		if r < 64 {
			v >>= r
		} else {
			v = 0
		}
	}
	// The result of the operation is masked, not the bytes read.
	w.vars[o.result] = o.masked(v)
	w.pos = end
	return true
}

// byteName gives a byteOp's operation in words, for Explain.
func (o *byteOp) String() string { return string(o.oper) + strconv.FormatUint(o.value, 10) }
