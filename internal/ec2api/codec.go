package ec2api

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CloudWatch has left the Query protocol: the Go SDK and botocore send CBOR (Smithy RPC
// v2), older clients JSON or forms. All end in the same tree of nodes.

// object is an answer of such a service: fields in order.
type object []field

type field struct {
	name  string
	value any // string, int, float64, bool, time.Time, object, dict, []any
}

// dict is a map of an answer: like object in JSON, but its names come from outside.
type dict []field

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// decodeJSON reads a request in JSON.
func decodeJSON(in *shape, body []byte) (*node, *Error) {
	bad := errorf("SerializationException", "The request is not valid JSON")
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil && err != io.EOF {
		return nil, bad
	}
	if v == nil {
		v = map[string]any{}
	}
	budget := maxParams
	n, ok := fromAny(in, v, &budget, 0)
	if !ok {
		return nil, bad
	}
	return n, nil
}

// decodeCBOR reads a request in CBOR (RFC 8949), as far as Smithy RPC v2 uses it.
func decodeCBOR(in *shape, body []byte) (*node, *Error) {
	bad := errorf("SerializationException", "The request is not valid CBOR")
	var v any = map[string]any{}
	if len(body) > 0 {
		d := &cborReader{b: body, budget: maxParams}
		var ok bool
		if v, ok = d.value(0); !ok || len(d.b) > 0 {
			return nil, bad
		}
	}
	budget := maxParams
	n, ok := fromAny(in, v, &budget, 0)
	if !ok {
		return nil, bad
	}
	return n, nil
}

// fromAny gives decoded values the form of nodes. Members that the shape does not have
// are left out, null is as good as nothing.
func fromAny(s *shape, v any, budget *int, depth int) (*node, bool) {
	if *budget--; *budget < 0 || depth > maxDepth {
		return nil, false
	}
	n := &node{shape: s}
	switch v := v.(type) {
	case map[string]any:
		if s.kind != kindStruct && s.kind != kindMap {
			return nil, false
		}
		n.kids = map[string]*node{}
		for k, kid := range v {
			of := s.elem
			if m := s.members[k]; m != nil {
				of = m.shape
			}
			if of == nil || kid == nil || !validText(k) {
				continue
			}
			sub, ok := fromAny(of, kid, budget, depth+1)
			if !ok {
				return nil, false
			}
			n.kids[k] = sub
		}
		return n, true
	case []any:
		if s.kind != kindList {
			return nil, false
		}
		n.items = map[int]*node{}
		for i, kid := range v {
			sub, ok := fromAny(s.elem, kid, budget, depth+1)
			if !ok {
				return nil, false
			}
			n.items[i+1] = sub
		}
		return n, true
	case string:
		n.text = v
	case json.Number:
		n.text = v.String()
	case bool:
		n.text = strconv.FormatBool(v)
	case int64:
		n.text = strconv.FormatInt(v, 10)
	case float64:
		n.text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return nil, false
	}
	if s.kind == kindStruct || s.kind == kindMap || s.kind == kindList || !validText(n.text) {
		return nil, false
	}
	return n, true
}

// cborReader reads CBOR items off the front of b.
type cborReader struct {
	b      []byte
	budget int // items
}

// head reads the major type and argument of an item; indefinite tells that its length is
// not said.
func (d *cborReader) head() (major byte, arg uint64, indefinite, ok bool) {
	if len(d.b) == 0 {
		return 0, 0, false, false
	}
	major, info := d.b[0]>>5, d.b[0]&31
	d.b = d.b[1:]
	n := 0
	switch {
	case info < 24:
		return major, uint64(info), false, true
	case info <= 27:
		n = 1 << (info - 24)
	case info == 31:
		return major, 0, true, true
	default:
		return 0, 0, false, false
	}
	if len(d.b) < n {
		return 0, 0, false, false
	}
	for _, c := range d.b[:n] {
		arg = arg<<8 | uint64(c)
	}
	d.b = d.b[n:]
	return major, arg, false, true
}

const cborBreak = 0xff

func (d *cborReader) value(depth int) (any, bool) {
	if d.budget--; d.budget < 0 || depth > maxDepth+4 || len(d.b) == 0 {
		return nil, false
	}
	first := d.b[0]
	major, arg, indefinite, ok := d.head()
	if !ok {
		return nil, false
	}
	switch major {
	case 0:
		return int64(arg), arg <= math.MaxInt64 && !indefinite
	case 1:
		return -1 - int64(arg), arg <= math.MaxInt64 && !indefinite
	case 2, 3:
		return d.text(major, arg, indefinite)
	case 4:
		return d.list(arg, indefinite, depth)
	case 5:
		return d.dict(arg, indefinite, depth)
	case 6:
		return d.value(depth + 1) // a tag: the only one here is time in seconds
	}
	switch first {
	case 0xf4:
		return false, true
	case 0xf5:
		return true, true
	case 0xf6, 0xf7:
		return nil, true
	case 0xf9:
		return halfFloat(uint16(arg)), true
	case 0xfa:
		return float64(math.Float32frombits(uint32(arg))), true
	case 0xfb:
		return math.Float64frombits(arg), true
	}
	return nil, false
}

func (d *cborReader) text(major byte, n uint64, indefinite bool) (any, bool) {
	if !indefinite {
		if uint64(len(d.b)) < n {
			return nil, false
		}
		s := string(d.b[:n])
		d.b = d.b[n:]
		return s, true
	}
	var all strings.Builder
	for len(d.b) > 0 {
		if d.b[0] == cborBreak {
			d.b = d.b[1:]
			return all.String(), true
		}
		m, n, inner, ok := d.head()
		if !ok || m != major || inner || uint64(len(d.b)) < n {
			return nil, false
		}
		all.Write(d.b[:n])
		d.b = d.b[n:]
	}
	return nil, false
}

// more tells whether a collection of n items has another one after i.
func (d *cborReader) more(i, n uint64, indefinite bool) (more, ok bool) {
	if !indefinite {
		return i < n, true
	}
	if len(d.b) == 0 {
		return false, false
	}
	if d.b[0] == cborBreak {
		d.b = d.b[1:]
		return false, true
	}
	return true, true
}

func (d *cborReader) list(n uint64, indefinite bool, depth int) (any, bool) {
	out := []any{}
	for i := uint64(0); ; i++ {
		more, ok := d.more(i, n, indefinite)
		if !ok {
			return nil, false
		}
		if !more {
			return out, true
		}
		v, ok := d.value(depth + 1)
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
}

func (d *cborReader) dict(n uint64, indefinite bool, depth int) (any, bool) {
	out := map[string]any{}
	for i := uint64(0); ; i++ {
		more, ok := d.more(i, n, indefinite)
		if !ok {
			return nil, false
		}
		if !more {
			return out, true
		}
		k, ok := d.value(depth + 1)
		key, text := k.(string)
		if !ok || !text {
			return nil, false
		}
		if out[key], ok = d.value(depth + 1); !ok {
			return nil, false
		}
	}
}

// halfFloat decodes IEEE 754 binary16 (RFC 8949 appendix D).
func halfFloat(h uint16) float64 {
	exp, mant := int(h>>10)&31, float64(h&1023)
	var v float64
	switch exp {
	case 0:
		v = math.Ldexp(mant, -24)
	case 31:
		v = math.Inf(1)
		if mant != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(mant+1024, exp-25)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return v
}

func encodeCBOR(v any) []byte { return appendCBOR(nil, v) }

func appendCBORHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major<<5|byte(n))
	case n <= math.MaxUint8:
		return append(b, major<<5|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major<<5|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major<<5|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major<<5|27), n)
}

func appendCBOR(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		b = appendCBORHead(b, 5, uint64(len(v)))
		for _, f := range v {
			b = appendCBOR(appendCBOR(b, f.name), f.value)
		}
	case []any:
		b = appendCBORHead(b, 4, uint64(len(v)))
		for _, e := range v {
			b = appendCBOR(b, e)
		}
	case string:
		b = append(appendCBORHead(b, 3, uint64(len(v))), v...)
	case bool:
		if v {
			return append(b, 0xf5)
		}
		return append(b, 0xf4)
	case int:
		b = appendCBOR(b, float64(v))
	case float64:
		b = binary.BigEndian.AppendUint64(append(b, 0xfb), math.Float64bits(v))
	case time.Time:
		b = appendCBOR(append(b, 0xc1), float64(v.UnixMilli())/1000)
	default:
		b = append(b, 0xf6)
	}
	return b
}

func encodeJSON(v any) []byte {
	b, err := json.Marshal(plain(v))
	if err != nil {
		return []byte("{}")
	}
	return b
}

// plain gives an answer the types of encoding/json.
func plain(v any) any {
	switch v := v.(type) {
	case object:
		m := make(map[string]any, len(v))
		for _, f := range v {
			m[f.name] = plain(f.value)
		}
		return m
	case dict:
		return plain(object(v))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case time.Time:
		return float64(v.UnixMilli()) / 1000
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0
		}
	}
	return v
}

// any writes an answer as XML.
func (x *xmlWriter) any(name string, v any) {
	switch v := v.(type) {
	case object:
		x.open(name)
		for _, f := range v {
			x.any(f.name, f.value)
		}
		x.close(name)
	case []any:
		x.open(name)
		for _, e := range v {
			x.any(x.item, e)
		}
		x.close(name)
	case string:
		x.str(name, v)
	case bool:
		x.yes(name, v)
	case int:
		x.num(name, v)
	case float64:
		x.float(name, v)
	case time.Time:
		x.time(name, v)
	}
}
