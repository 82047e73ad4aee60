package capture

import (
	"encoding/binary"
	"math"
	"math/bits"

	"mirador/internal/packet"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng section 4).
const (
	blockSection  = 0x0a0d0d0a
	blockIface    = 1
	blockOld      = 2 // packet block, obsolete
	blockSimple   = 3
	blockEnhanced = 6
)

// byteOrderMagic is in each section header.
const byteOrderMagic = 0x1a2b3c4d

// Options of an interface description block.
const (
	optEnd      = 0
	optIfName   = 2
	optIfDesc   = 3
	optIfTsRes  = 9
	optIfOffset = 14
)

// badTrailer is the reason when the two lengths of a block differ.
const badTrailer = "block ends with another length than it begins with"

// pcapng parses pcapng blocks. Each section has its own byte order and interfaces.
type pcapng struct {
	order  binary.ByteOrder // nil before the first section
	ifaces []Iface
	clocks []clock // one for each interface
	// large is the length of the last block for which a skip was asked, skipped the same
	// when its last 4 bytes come next and 0 otherwise.
	large, skipped uint32
}

// clock turns the timestamps of an interface into nanoseconds.
type clock struct {
	mul, div uint64 // powers of 10
	shift    uint8  // powers of 2, when binary
	binary   bool
	offset   int64 // seconds
}

func (p *pcapng) next(b []byte, f *Frame) (n, want, skip int, isFrame bool, reason string) {
	if p.skipped != 0 {
		if len(b) < 4 {
			return 0, 4, 0, false, ""
		}
		if p.order.Uint32(b) != p.skipped {
			return 0, 0, 0, false, badTrailer
		}
		p.skipped = 0
		return 4, 0, 0, false, ""
	}
	if len(b) < 12 {
		return 0, 12, 0, false, ""
	}
	if binary.LittleEndian.Uint32(b) == blockSection {
		switch uint32(byteOrderMagic) {
		case binary.LittleEndian.Uint32(b[8:]):
			p.order = binary.LittleEndian
		case binary.BigEndian.Uint32(b[8:]):
			p.order = binary.BigEndian
		default:
			return 0, 0, 0, false, "section has no byte order"
		}
	}
	if p.order == nil {
		return 0, 0, 0, false, "file does not begin with a section"
	}
	kind, size := p.order.Uint32(b), p.order.Uint32(b[4:])
	switch {
	case size < 12:
		return 0, 0, 0, false, "block is shorter than its header"
	case size > maxBlock:
		return 0, 0, 0, false, "block is longer than a block can be"
	}
	n = int(size+3) &^ 3
	frame := kind == blockEnhanced || kind == blockSimple || kind == blockOld
	if frame && n > maxRecord+4096 {
		return 0, 0, 0, false, "block is longer than a frame can be"
	}
	if len(b) < n {
		if frame || kind == blockSection || kind == blockIface && n <= maxRecord {
			return 0, n, 0, false, ""
		}
		if kind == blockIface {
			return 0, 0, 0, false, "interface description is too long"
		}
		p.large = size
		return 0, 0, n - 4, false, ""
	}
	if p.order.Uint32(b[n-4:]) != size {
		return 0, 0, 0, false, badTrailer
	}
	body := b[8 : n-4]
	switch kind {
	case blockSection:
		p.ifaces, p.clocks = nil, nil
	case blockIface:
		reason = p.iface(body)
	case blockEnhanced:
		reason = p.enhanced(body, f)
	case blockSimple:
		reason = p.simple(body, f)
	case blockOld:
		reason = p.old(body, f)
	}
	if reason != "" {
		return 0, 0, 0, false, reason
	}
	return n, 0, 0, frame, ""
}

func (p *pcapng) passed() { p.skipped = p.large }

// iface reads an interface description.
func (p *pcapng) iface(b []byte) string {
	if len(b) < 8 {
		return "interface description is cut"
	}
	if len(p.ifaces) >= maxIfaces {
		return "too many interfaces"
	}
	i := Iface{Link: packet.Link(p.order.Uint16(b)), SnapLen: p.order.Uint32(b[4:])}
	c := clock{mul: 1000, div: 1}
	for opts := b[8:]; len(opts) >= 4; {
		code, size := p.order.Uint16(opts), int(p.order.Uint16(opts[2:]))
		if code == optEnd || size > len(opts)-4 {
			break
		}
		v := opts[4 : 4+size]
		switch {
		case code == optIfName:
			i.Name = string(v[:min(size, maxIfaceName)])
		case code == optIfDesc:
			i.Description = string(v[:min(size, maxIfaceName)])
		case code == optIfTsRes && size >= 1:
			if !c.resolution(v[0]) {
				return "interface has an impossible time resolution"
			}
		case code == optIfOffset && size >= 8:
			c.offset = int64(p.order.Uint64(v))
		}
		opts = opts[min(4+(size+3)&^3, len(opts)):]
	}
	p.ifaces = append(p.ifaces, i)
	p.clocks = append(p.clocks, c)
	return ""
}

// resolution sets the unit of timestamps: 10^-v seconds, or 2^-v with the top bit set.
func (c *clock) resolution(v byte) bool {
	if v&0x80 != 0 {
		c.binary, c.shift = true, v&0x7f
		return c.shift < 64
	}
	c.mul, c.div = 1, 1
	for ; v < 9; v++ {
		c.mul *= 10
	}
	for ; v > 9; v-- {
		if c.div > math.MaxUint64/10 {
			return false
		}
		c.div *= 10
	}
	return true
}

// nanos returns the Unix nanoseconds of timestamp t. Times that do not fit an int64 (years
// before 1678 and after 2262) become the nearest that does.
func (c *clock) nanos(t uint64) int64 {
	var hi, lo uint64
	if c.binary {
		sec, frac := t>>c.shift, t&(1<<c.shift-1)
		hi, lo = bits.Mul64(sec, 1e9)
		fh, fl := bits.Mul64(frac, 1e9)
		if c.shift > 0 {
			fl = fl>>c.shift | fh<<(64-c.shift)
		}
		var carry uint64
		lo, carry = bits.Add64(lo, fl, 0)
		hi += carry
	} else {
		hi, lo = bits.Mul64(t/c.div, c.mul)
	}
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	ns := int64(lo)
	switch {
	case c.offset > (math.MaxInt64-ns)/1e9:
		return math.MaxInt64
	case c.offset < math.MinInt64/1_000_000_000:
		return math.MinInt64
	}
	return ns + c.offset*1e9
}

// enhanced reads an enhanced packet block.
func (p *pcapng) enhanced(b []byte, f *Frame) string {
	if len(b) < 20 {
		return "packet block is cut"
	}
	return p.frame(f, b[20:], p.order.Uint32(b), b[4:12], p.order.Uint32(b[12:]), p.order.Uint32(b[16:]))
}

// old reads an obsolete packet block.
func (p *pcapng) old(b []byte, f *Frame) string {
	if len(b) < 20 {
		return "packet block is cut"
	}
	return p.frame(f, b[20:], uint32(p.order.Uint16(b)), b[4:12], p.order.Uint32(b[12:]), p.order.Uint32(b[16:]))
}

// frame fills f from the fields that both packet blocks have.
func (p *pcapng) frame(f *Frame, data []byte, iface uint32, t []byte, size, wire uint32) string {
	if int(iface) >= len(p.ifaces) {
		return "packet of an interface that is not described"
	}
	if size > maxRecord || int(size) > len(data) {
		return "packet is longer than its block"
	}
	f.Data = data[:size:size]
	f.WireLen = max(int(wire), int(size))
	f.Time = p.clocks[iface].nanos(uint64(p.order.Uint32(t))<<32 | uint64(p.order.Uint32(t[4:])))
	f.Link = p.ifaces[iface].Link
	f.Iface = int(iface)
	return ""
}

// simple reads a simple packet block: of the first interface, without a time.
func (p *pcapng) simple(b []byte, f *Frame) string {
	if len(b) < 4 {
		return "packet block is cut"
	}
	if len(p.ifaces) == 0 {
		return "packet of an interface that is not described"
	}
	wire := p.order.Uint32(b)
	size := min(wire, uint32(len(b)-4))
	if snap := p.ifaces[0].SnapLen; snap > 0 {
		size = min(size, snap)
	}
	if size > maxRecord {
		return "packet is longer than a frame can be"
	}
	f.Data = b[4 : 4+size : 4+size]
	f.WireLen = max(int(wire), int(size))
	f.Link = p.ifaces[0].Link
	return ""
}
