package detect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// CountryDB is a MaxMind database (MMDB format, version 2) of which the country codes
// of IPv4 addresses are read. It is immutable. The bytes come from a file that others
// made: every read is bounds-checked and every walk bounded.
type CountryDB struct {
	tree []byte
	data []byte
	// nodes and bits are the number of nodes and the size of a node's record.
	nodes uint32
	bits  uint8
	// root is the node at which IPv4 addresses begin.
	root uint32
}

// country is an ISO 3166-1 code in capital letters.
type country [2]byte

// MaxCountryDB bounds a database's file, in bytes. City databases have about 60 MB.
const MaxCountryDB = 512 << 20

const (
	mmdbMarker   = "\xab\xcd\xefMaxMind.com"
	mmdbMetaMax  = 128 << 10 // the metadata lies in the file's last 128 KiB
	mmdbGap      = 16        // zeros between tree and data
	mmdbMaxSteps = 1024      // values passed over in one lookup
)

var errMMDB = errors.New("database is damaged")

// ParseCountryDB reads a database. It keeps b.
func ParseCountryDB(b []byte) (*CountryDB, error) {
	if len(b) > MaxCountryDB {
		return nil, fmt.Errorf("database has %d bytes, more than %d", len(b), MaxCountryDB)
	}
	from := max(0, len(b)-mmdbMetaMax)
	i := bytes.LastIndex(b[from:], []byte(mmdbMarker))
	if i < 0 {
		return nil, errors.New("not a MaxMind database")
	}
	meta := mmdbReader{data: b[from+i+len(mmdbMarker):]}
	var major, nodes, bits, version uint64
	for _, f := range []struct {
		name string
		to   *uint64
	}{{"binary_format_major_version", &major}, {"node_count", &nodes}, {"record_size", &bits}, {"ip_version", &version}} {
		v, ok := meta.get(0, f.name)
		if !ok {
			return nil, fmt.Errorf("database has no %s", f.name)
		}
		meta.steps = 0
		if *f.to, ok = meta.number(v); !ok {
			return nil, errMMDB
		}
	}
	switch {
	case major != 2:
		return nil, fmt.Errorf("format version %d of the database is not known, only 2", major)
	case bits != 24 && bits != 28 && bits != 32:
		return nil, fmt.Errorf("record size %d of the database is not known", bits)
	case nodes == 0 || nodes > 1<<31 || version != 4 && version != 6:
		return nil, errMMDB
	}
	size := nodes * bits / 4
	if size+mmdbGap > uint64(from+i) {
		return nil, errMMDB
	}
	d := &CountryDB{tree: b[:size], data: b[size+mmdbGap : from+i], nodes: uint32(nodes), bits: uint8(bits)}
	if version == 6 {
		// IPv4 lies under ::/96.
		for range 96 {
			if d.root >= d.nodes {
				break
			}
			d.root = d.child(d.root, 0)
		}
	}
	return d, nil
}

// child returns record bit of a node.
func (d *CountryDB) child(node, bit uint32) uint32 {
	switch d.bits {
	case 24:
		p := d.tree[node*6+bit*3:]
		return uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])
	case 28:
		p := d.tree[node*7:]
		if bit == 0 {
			return uint32(p[3]&0xf0)<<20 | uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])
		}
		return uint32(p[3]&0x0f)<<24 | uint32(p[4])<<16 | uint32(p[5])<<8 | uint32(p[6])
	}
	return binary.BigEndian.Uint32(d.tree[node*8+bit*4:])
}

// lookup returns the country of an IPv4 address in host order.
func (d *CountryDB) lookup(ip uint32) (country, bool) {
	n := d.root
	for i := 31; i >= 0 && n < d.nodes; i-- {
		n = d.child(n, ip>>i&1)
	}
	if n <= d.nodes || n-d.nodes < mmdbGap {
		return country{}, false
	}
	r := mmdbReader{data: d.data}
	at, ok := r.get(int(n-d.nodes-mmdbGap), "country")
	if !ok {
		return country{}, false
	}
	if at, ok = r.get(at, "iso_code"); !ok {
		return country{}, false
	}
	kind, size, body, ok := r.head(at)
	if !ok || kind != mmdbString || size != 2 || body+2 > len(d.data) {
		return country{}, false
	}
	return country(d.data[body : body+2]), true
}

// The types of values that are looked into.
const (
	mmdbPointer = 1
	mmdbString  = 2
	mmdbMap     = 7
	mmdbArray   = 11
	mmdbBool    = 14
)

// mmdbReader finds values in a data section. Pointers are offsets in it.
type mmdbReader struct {
	data  []byte
	steps int
}

// control reads the control bytes at off: the value's type, its size (of a pointer,
// where it points to) and where its bytes begin.
func (r *mmdbReader) control(off int) (kind, size, body int, ok bool) {
	if r.steps++; r.steps > mmdbMaxSteps || off < 0 || off >= len(r.data) {
		return 0, 0, 0, false
	}
	c := r.data[off]
	off++
	kind, size = int(c>>5), int(c&0x1f)
	if kind == mmdbPointer {
		n := int(c>>3&3) + 1
		v, ok := r.bytes(off, n)
		base := [...]int{0, 2048, 526336, 0}[n-1]
		if n < 4 {
			v |= int(c&7) << (8 * n)
		}
		return kind, v + base, off + n, ok
	}
	if kind == 0 {
		if off >= len(r.data) {
			return 0, 0, 0, false
		}
		kind = 7 + int(r.data[off])
		off++
	}
	if size >= 29 {
		n := size - 28
		v, ok := r.bytes(off, n)
		if !ok {
			return 0, 0, 0, false
		}
		size = v + [...]int{29, 285, 65821}[n-1]
		off += n
	}
	return kind, size, off, true
}

// bytes reads n bytes as a number.
func (r *mmdbReader) bytes(off, n int) (v int, ok bool) {
	if n > len(r.data)-off {
		return 0, false
	}
	for _, c := range r.data[off : off+n] {
		v = v<<8 | int(c)
	}
	return v, true
}

// head is control behind a pointer. A pointer never points to a pointer.
func (r *mmdbReader) head(off int) (kind, size, body int, ok bool) {
	kind, size, body, ok = r.control(off)
	if ok && kind == mmdbPointer {
		kind, size, body, ok = r.control(size)
		ok = ok && kind != mmdbPointer
	}
	return kind, size, body, ok
}

// number reads the unsigned number at off.
func (r *mmdbReader) number(off int) (uint64, bool) {
	_, size, body, ok := r.head(off)
	if !ok || size > 8 {
		return 0, false
	}
	v, ok := r.bytes(body, size)
	return uint64(v), ok
}

// get finds the value of key in the map at off.
func (r *mmdbReader) get(off int, key string) (int, bool) {
	kind, n, at, ok := r.head(off)
	if !ok || kind != mmdbMap {
		return 0, false
	}
	for range n {
		kind, size, body, ok := r.head(at)
		if !ok || kind != mmdbString || size > len(r.data)-body {
			return 0, false
		}
		found := string(r.data[body:body+size]) == key
		if at, ok = r.skip(at); !ok {
			return 0, false
		}
		if found {
			return at, true
		}
		if at, ok = r.skip(at); !ok {
			return 0, false
		}
	}
	return 0, false
}

// skip returns the offset behind the value at off. Nested values are counted, not
// called into.
func (r *mmdbReader) skip(off int) (int, bool) {
	for left := 1; left > 0; left-- {
		kind, size, body, ok := r.control(off)
		if !ok || size > len(r.data) && kind != mmdbPointer {
			return 0, false
		}
		off = body
		switch kind {
		case mmdbPointer, mmdbBool:
		case mmdbMap:
			left += 2 * size
		case mmdbArray:
			left += size
		default:
			off += size
		}
	}
	return off, off <= len(r.data)
}
