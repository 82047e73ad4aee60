package capture

import (
	"encoding/binary"

	"mirador/internal/packet"
)

// Magic numbers of pcap files, as read little endian
// (draft-ietf-opsawg-pcap section 4).
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetzov's variant: record headers of 24 bytes
)

// pcap parses pcap records of either byte order and resolution.
type pcap struct {
	order   binary.ByteOrder
	scale   int64 // nanoseconds of one unit of the fraction
	record  int   // length of a record header
	link    packet.Link
	oldSwap bool // version 2.3 and before may have the two lengths the other way round
}

// newPcap tells by its magic number whether a file is pcap.
func newPcap(magic uint32) (*pcap, bool) {
	p := &pcap{order: binary.LittleEndian, scale: 1000, record: 16}
	for range 2 {
		switch magic {
		case magicMicro:
			return p, true
		case magicNano:
			p.scale = 1
			return p, true
		case magicModified:
			p.record = 24
			return p, true
		}
		p.order = binary.BigEndian
		magic = magic<<24 | magic>>24 | magic>>8&0xff00 | magic<<8&0xff0000
	}
	return nil, false
}

// header reads the 24 bytes of the file header.
func (p *pcap) header(h []byte) {
	major, minor := p.order.Uint16(h[4:]), p.order.Uint16(h[6:])
	p.oldSwap = major < 2 || major == 2 && minor <= 3
	p.link = packet.Link(p.order.Uint32(h[20:]) & 0xffff) // the upper bits tell of a frame check sequence
}

func (p *pcap) next(b []byte, f *Frame) (n, want, skip int, isFrame bool, reason string) {
	if len(b) < p.record {
		return 0, p.record, 0, false, ""
	}
	sec, frac := p.order.Uint32(b), p.order.Uint32(b[4:])
	size, wire := p.order.Uint32(b[8:]), p.order.Uint32(b[12:])
	if p.oldSwap && size > wire {
		size, wire = wire, size
	}
	if size > maxRecord {
		return 0, 0, 0, false, "record is longer than a frame can be"
	}
	n = p.record + int(size)
	if len(b) < n {
		return 0, n, 0, false, ""
	}
	f.Data = b[p.record:n:n]
	f.WireLen = max(int(wire&0x7fff_ffff), int(size))
	f.Time = int64(sec)*1e9 + int64(frac)*p.scale
	f.Link = p.link
	return n, 0, 0, true, ""
}

func (p *pcap) passed() {}
