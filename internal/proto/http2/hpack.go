package http2

import (
	"bytes"

	"golang.org/x/net/http2/hpack"
)

// field is a header field, or (size) a change of the dynamic table's size, or (bad)
// one that could not be decoded.
type field struct {
	name, value []byte
	size        uint64
	kind        uint8
}

// Kinds of field.
const (
	kindField uint8 = iota
	kindSize
	kindBad
)

// What a step of decoding found.
type step uint8

const (
	stepField    step = iota
	stepMore          // the bytes end inside a field
	stepBad           // no such entry, or a wrong Huffman code
	stepOverflow      // an integer that does not fit
)

// entry is a field of a table.
type entry struct{ name, value string }

// entryCost is what an entry weighs besides its bytes. RFC 7541 section 4.1.
const entryCost = 32

// decoder is the HPACK state of one direction. RFC 7541.
type decoder struct {
	static []entry
	dyn    []field // newest last
	first  int     // index of the oldest in dyn
	used   uint64
	limit  uint64 // as the peer says
	most   uint64 // max-table-size
	full   bool   // an entry had to go because of most, not of limit
	work   bytes.Buffer
}

func newDecoder(static []entry, most uint64) decoder {
	return decoder{static: static, limit: 4096, most: most}
}

// integer reads an integer with a prefix of n bits.
func integer(b []byte, n uint) (v uint64, used int, st step) {
	if len(b) == 0 {
		return 0, 0, stepMore
	}
	mask := uint64(1)<<n - 1
	if v = uint64(b[0]) & mask; v < mask {
		return v, 1, stepField
	}
	for i, shift := 1, uint(0); ; i, shift = i+1, shift+7 {
		if i >= len(b) {
			return 0, 0, stepMore
		}
		if shift > 56 {
			return 0, 0, stepOverflow
		}
		v += uint64(b[i]&0x7f) << shift
		if b[i] < 0x80 {
			return v, i + 1, stepField
		}
	}
}

// text reads a string literal and returns a copy.
func (d *decoder) text(b []byte) (s []byte, used int, st step) {
	n, k, st := integer(b, 7)
	if st != stepField {
		return nil, 0, st
	}
	if n > uint64(len(b)-k) {
		if n > MaxReassembly {
			return nil, 0, stepBad
		}
		return nil, 0, stepMore
	}
	raw := b[k : k+int(n)]
	if b[0] < 0x80 {
		return append([]byte(nil), raw...), k + int(n), stepField
	}
	d.work.Reset()
	if _, err := hpack.HuffmanDecode(&d.work, raw); err != nil {
		return nil, k + int(n), stepBad
	}
	return append([]byte(nil), d.work.Bytes()...), k + int(n), stepField
}

// at returns entry i of the static and the dynamic table, from 1.
func (d *decoder) at(i uint64) (f field, ok bool) {
	if i == 0 {
		return f, false
	}
	if i <= uint64(len(d.static)) {
		e := &d.static[i-1]
		return field{name: []byte(e.name), value: []byte(e.value)}, true
	}
	i -= uint64(len(d.static))
	if i > uint64(len(d.dyn)-d.first) {
		return f, false
	}
	return d.dyn[uint64(len(d.dyn))-i], true
}

// insert makes f the newest entry.
func (d *decoder) insert(f field) {
	cost := uint64(len(f.name)+len(f.value)) + entryCost
	d.used += cost
	d.dyn = append(d.dyn, f)
	d.evict()
}

// evict lets the oldest entries go until the rest fits.
func (d *decoder) evict() {
	for d.used > min(d.limit, d.most) && d.first < len(d.dyn) {
		if d.used <= d.limit {
			d.full = true
		}
		f := &d.dyn[d.first]
		d.used -= uint64(len(f.name)+len(f.value)) + entryCost
		*f = field{}
		d.first++
	}
	if d.first > 32 && d.first > len(d.dyn)/2 {
		n := copy(d.dyn, d.dyn[d.first:])
		clear(d.dyn[n:])
		d.dyn, d.first = d.dyn[:n], 0
	}
}

// next decodes the field at the start of b.
func (d *decoder) next(b []byte) (f field, used int, st step) {
	switch c := b[0]; {
	case c >= 0x80: // indexed
		i, n, st := integer(b, 7)
		if st != stepField {
			return f, n, st
		}
		f, ok := d.at(i)
		if !ok {
			return f, n, stepBad
		}
		return f, n, stepField
	case c >= 0x40: // literal, to be indexed
		f, n, st := d.literal(b, 6)
		if st == stepField {
			d.insert(f)
		}
		return f, n, st
	case c >= 0x20: // size of the table
		v, n, st := integer(b, 5)
		if st == stepField {
			d.limit = v
			d.evict()
		}
		return field{size: v, kind: kindSize}, n, st
	default: // literal
		return d.literal(b, 4)
	}
}

// literal reads a field whose name has an index of prefix bits, or is a literal too.
func (d *decoder) literal(b []byte, prefix uint) (f field, used int, st step) {
	i, n, st := integer(b, prefix)
	if st != stepField {
		return f, n, st
	}
	if i == 0 {
		var k int
		if f.name, k, st = d.text(b[n:]); st != stepField {
			return f, n + k, st
		}
		n += k
	} else {
		e, ok := d.at(i)
		if !ok {
			return f, n, stepBad
		}
		f.name = e.name
	}
	v, k, st := d.text(b[n:])
	f.value = v
	return f, n + k, st
}

// staticTable is RFC 7541 appendix A.
func staticTable() []entry {
	return []entry{
		{":authority", ""}, {":method", "GET"}, {":method", "POST"}, {":path", "/"},
		{":path", "/index.html"}, {":scheme", "http"}, {":scheme", "https"}, {":status", "200"},
		{":status", "204"}, {":status", "206"}, {":status", "304"}, {":status", "400"},
		{":status", "404"}, {":status", "500"}, {"accept-charset", ""}, {"accept-encoding", "gzip, deflate"},
		{"accept-language", ""}, {"accept-ranges", ""}, {"accept", ""}, {"access-control-allow-origin", ""},
		{"age", ""}, {"allow", ""}, {"authorization", ""}, {"cache-control", ""},
		{"content-disposition", ""}, {"content-encoding", ""}, {"content-language", ""}, {"content-length", ""},
		{"content-location", ""}, {"content-range", ""}, {"content-type", ""}, {"cookie", ""},
		{"date", ""}, {"etag", ""}, {"expect", ""}, {"expires", ""},
		{"from", ""}, {"host", ""}, {"if-match", ""}, {"if-modified-since", ""},
		{"if-none-match", ""}, {"if-range", ""}, {"if-unmodified-since", ""}, {"last-modified", ""},
		{"link", ""}, {"location", ""}, {"max-forwards", ""}, {"proxy-authenticate", ""},
		{"proxy-authorization", ""}, {"range", ""}, {"referer", ""}, {"refresh", ""},
		{"retry-after", ""}, {"server", ""}, {"set-cookie", ""}, {"strict-transport-security", ""},
		{"transfer-encoding", ""}, {"user-agent", ""}, {"vary", ""}, {"via", ""},
		{"www-authenticate", ""},
	}
}
