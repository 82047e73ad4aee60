package dnp3

import (
	"encoding/binary"
	"strconv"
	"strings"

	"mirador/internal/proto"
)

// form says how a value is encoded.
type form uint8

const (
	unsigned form = iota
	signed
	float
	text
	binaryData
	cstring
)

// value is one field of a point.
type value struct {
	name string
	form form
	bits uint // of a number; octets of a cstring
	ref  int  // field that holds the length of text and binary data, -1: up to the size
}

// layouts are the known objects by group (upper octet) and variation.
type layouts struct {
	fields map[uint16][]value
	packed map[uint16]uint
}

// newLayouts reads the table of objects.
func newLayouts() *layouts {
	l := &layouts{fields: map[uint16][]value{}, packed: packedSpecs()}
	for _, spec := range objectSpecs() {
		list := readFields(strings.Replace(spec.fields, "*,", flagNames+",", 1))
		for _, id := range strings.Fields(spec.ids) {
			g, v, _ := strings.Cut(id, ".")
			group, _ := strconv.Atoi(g)
			variation, _ := strconv.Atoi(v)
			l.fields[uint16(group)<<8|uint16(variation)] = list
		}
	}
	return l
}

func readFields(spec string) []value {
	var list []value
	for _, word := range strings.Split(spec, ",") {
		name, kind, has := strings.Cut(word, ":")
		v := value{name: name, bits: 1}
		if has {
			v.width(kind)
		}
		list = append(list, v)
	}
	return list
}

// width reads what follows the name of a field.
func (v *value) width(s string) {
	switch {
	case s[0] == 't', s[0] == 'b':
		v.form, v.ref = text, -1
		if s[0] == 'b' {
			v.form = binaryData
		}
		if n, err := strconv.Atoi(s[1:]); err == nil {
			v.ref = n
		}
		return
	case s[0] == 'c':
		v.form, s = cstring, s[1:]
	case strings.HasSuffix(s, "s"):
		v.form, s = signed, s[:len(s)-1]
	case strings.HasSuffix(s, "f"):
		v.form, s = float, s[:len(s)-1]
	}
	n, _ := strconv.Atoi(s)
	v.bits = uint(n)
}

// object is a header of objects in a message.
type object struct {
	id                 uint16
	qualifier          byte
	start, stop, count uint32
}

// point begins a point of an object.
type point struct {
	prefix, index, size uint32
	sized               bool
}

// walker goes through the objects of a message. each, point and value are told what
// it finds; point and value may be nil.
type walker struct {
	layouts *layouts
	limits  limits
	each    func(o *object)
	done    func(o *object, points int)
	point   func(o *object, x *point, first bool)
	value   func(v *value, n uint64, b []byte)
	end     func()

	event  proto.EventID
	failed bool
	points uint64
	lens   [8]uint64 // the numbers of the first fields of a point
}

func (w *walker) fail(e proto.EventID) bool {
	w.event, w.failed = e, true
	return false
}

// walk reads objects until b is used up, and tells whether it could.
func (w *walker) walk(b []byte) bool {
	for n := uint64(0); len(b) > 0; n++ {
		if n == w.limits.objects {
			return w.fail(EventTooManyObjects)
		}
		if len(b) < 3 {
			return false
		}
		o := object{id: uint16(b[0])<<8 | uint16(b[1]), qualifier: b[2]}
		rest, ok := o.span(b[3:])
		w.each(&o)
		points := 0
		if ok && o.id&0xff != 0 && o.count != 0 {
			w.points += uint64(o.count)
			if w.points > w.limits.points {
				ok = w.fail(EventTooManyPoints)
			} else if rest, points, ok = w.decode(&o, rest); !ok {
				w.fail(EventUnknownObject)
			}
		}
		if w.done != nil {
			w.done(&o, points)
		}
		if !ok {
			return false
		}
		b = rest
	}
	return true
}

// span reads the range of an object.
func (o *object) span(b []byte) ([]byte, bool) {
	code := o.qualifier & 0x0f
	switch code {
	case 0, 1, 2, 3, 4, 5:
		n := 1 << (code % 3)
		if len(b) < 2*n {
			return b, false
		}
		o.start, o.stop = little(b[:n]), little(b[n:2*n])
		o.count = o.stop - o.start + 1
		return b[2*n:], true
	case 6:
		return b, true
	case 7, 8, 9, 11:
		n := 1 << (code - 7)
		if code == 11 {
			n = 1
		}
		if len(b) < n {
			return b, false
		}
		o.count = little(b[:n])
		return b[n:], true
	}
	return b, false
}

// little reads up to four octets, the lowest first.
func little(b []byte) (n uint32) {
	for i, x := range b {
		n |= uint32(x) << (8 * i)
	}
	return n
}

// prefix reads what is before a point.
func (o *object) prefix(b []byte, i uint32) (x point, rest []byte, ok bool) {
	x.index = o.start + i
	code := o.qualifier >> 4 & 7
	if code == 0 || code == 7 {
		return x, b, true
	}
	n := 1 << ((code - 1) % 3)
	if len(b) < n {
		return x, b, false
	}
	x.prefix = little(b[:n])
	if code <= 3 {
		x.index = x.prefix
	} else {
		x.size, x.sized = x.prefix, true
	}
	return x, b[n:], true
}

// decode reads the points of o.
func (w *walker) decode(o *object, b []byte) (rest []byte, points int, ok bool) {
	if bits := w.layouts.packed[o.id]; bits != 0 {
		return w.packed(o, b, bits)
	}
	fields := w.layouts.fields[o.id]
	if fields == nil {
		return b, 0, false
	}
	for i := range o.count {
		x, after, ok := o.prefix(b, i)
		if !ok {
			return b, points, false
		}
		// A point is told of only when it is whole.
		if rest, ok = w.read(fields, &x, after, false); !ok {
			return b, points, false
		}
		if w.point != nil {
			w.point(o, &x, points == 0)
			w.read(fields, &x, after, true)
			w.end()
		}
		points++
		b = rest
	}
	return b, points, true
}

// packed reads points that are bits in a row. Suricata reads one octet for each
// eight points begun and one more at the end.
func (w *walker) packed(o *object, b []byte, bits uint) (rest []byte, points int, ok bool) {
	x, b, ok := o.prefix(b, 0)
	if !ok {
		return b, 0, false
	}
	step := uint32(1)
	if c := o.qualifier >> 4 & 7; c >= 1 && c <= 3 {
		step = 0
	}
	v := value{name: "state"}
	if o.id == 12<<8|3 {
		v.name = "point"
	}
	for octets := o.count/8 + 1; octets > 0; octets-- {
		if len(b) == 0 {
			return b, points, false
		}
		for at := uint(0); at < 8 && uint32(points) < o.count; at += bits {
			if w.point != nil {
				w.point(o, &x, points == 0)
				w.value(&v, uint64(b[0]>>at)&(1<<bits-1), nil)
				w.end()
			}
			points++
			x.index += step
		}
		b = b[1:]
	}
	return b, points, true
}

// read goes through the fields of one point, telling of them or not.
func (w *walker) read(fields []value, x *point, b []byte, tell bool) (rest []byte, ok bool) {
	whole := len(b)
	bit := uint(0)
	for i := range fields {
		v := &fields[i]
		n, data := uint64(0), []byte(nil)
		switch v.form {
		case text, binaryData:
			size := uint64(0)
			if v.ref >= 0 {
				size = w.lens[v.ref]
			} else {
				used := uint64(whole - len(b))
				if uint64(x.size) < used {
					if x.sized {
						return b, false
					}
					used = uint64(x.size)
				}
				size = uint64(x.size) - used
			}
			if uint64(len(b)) < size {
				return b, false
			}
			data, b = b[:size], b[size:]
			if v.ref < 0 && !x.sized {
				continue
			}
		case cstring:
			if uint(len(b)) < v.bits {
				return b, false
			}
			data, b = b[:v.bits], b[v.bits:]
		default:
			if uint(len(b))*8 < bit+v.bits {
				return b, false
			}
			if v.bits < 8 {
				n = uint64(b[0]>>bit) & (1<<v.bits - 1)
				if bit += v.bits; bit == 8 {
					bit, b = 0, b[1:]
				}
				break
			}
			var full [8]byte
			copy(full[:], b[:v.bits/8])
			n, b = binary.LittleEndian.Uint64(full[:]), b[v.bits/8:]
		}
		if i < len(w.lens) {
			w.lens[i] = n
		}
		if tell {
			w.value(v, n, data)
		}
	}
	return b, true
}
