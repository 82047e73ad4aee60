package agent

import (
	"encoding/binary"

	"mirador/internal/capture"
	"mirador/internal/packet"
)

// fillChecksum stores the checksum that the kernel has left to the network card. The sum
// of the pseudo header is in its place already.
func fillChecksum(b []byte, o *capture.Offload) {
	start, at := int(o.ChecksumStart), int(o.ChecksumStart)+int(o.ChecksumOffset)
	if at+2 > len(b) {
		return
	}
	c := packet.InternetChecksum(b[start:])
	if c == 0 {
		c = 0xffff // UDP: 0 means none. TCP: the same number in one's complement
	}
	binary.BigEndian.PutUint16(b[at:], c)
}

// segments is how a frame that stands for several is cut.
type segments struct {
	n     int // frames on the wire
	bytes int // in them
	size  int // payload bytes in each, less in the last
	head  int // bytes of headers each begins with
	end   int // end of the payload
	bad   bool
}

// newSegments finds out how f, whose headers are in p, is to be cut. What is not TCP or
// UDP right after the IP header, which the kernel makes of tunnels only, is bad.
func newSegments(f *capture.Frame, p *packet.Parsed) segments {
	size := int(f.Offload.Size)
	s := segments{n: 1, bytes: f.WireLen, size: size, head: p.Payload, end: p.PayloadEnd, bad: true}
	want := uint8(packet.ProtoTCP)
	if f.Offload.Segments == capture.SegmentsUDP {
		want = packet.ProtoUDP
	}
	if p.Depth != packet.DepthTransport || p.Proto != want || f.Offload.Segments == capture.SegmentsOther || size == 0 || p.Fragment {
		if hint := int(f.Offload.HeaderLen); size > 0 && f.WireLen > hint {
			s.n = (f.WireLen - hint + size - 1) / size
		}
		return s
	}
	if f.Offload.Segments == capture.SegmentsUDP {
		s.end = p.IPEnd // the UDP header has the length of one segment, or of all
	}
	s.bad = s.head >= s.end || s.end > len(f.Data)
	if !s.bad {
		s.n = (s.end - s.head + size - 1) / size
		s.bytes = s.end + (s.n-1)*s.head
	}
	return s
}

// cut mirrors the segments of f one by one.
func (m *Mirror) cut(j *job, f *capture.Frame, p *packet.Parsed, s *segments) {
	l := &j.c.lanes[j.lane]
	pseudo := pseudoSum(p)
	id := binary.BigEndian.Uint16(f.Data[p.L3+4:])
	seq := p.Seq
	for i, at := 0, s.head; at < s.end; i, at = i+1, at+s.size {
		end := min(at+s.size, s.end)
		wire := s.head + end - at
		// A cut that applies to the whole applies to any frame as long as it lasts.
		n := wire
		if j.d.CutByMTU || j.d.CutByLength {
			n = min(wire, j.d.Length)
		}
		if n < wire {
			if j.d.CutByLength {
				l.now.cutLength++
			} else {
				l.now.cutMTU++
			}
		}
		if !m.admit(j, wire, j.header.len+n) {
			continue
		}
		b := m.alloc(j.c, wire)
		copy(b, f.Data[:s.head])
		copy(b[s.head:], f.Data[at:end])
		if p.IPVersion == 4 {
			ip := b[p.L3:]
			binary.BigEndian.PutUint16(ip[2:], uint16(wire-p.L3))
			binary.BigEndian.PutUint16(ip[4:], id+uint16(i))
			ip[10], ip[11] = 0, 0
			binary.BigEndian.PutUint16(ip[10:], packet.InternetChecksum(ip[:p.L3Len]))
		} else {
			binary.BigEndian.PutUint16(b[p.L3+4:], uint16(wire-p.L3-lenIPv6))
		}
		l4 := b[p.L4:]
		sum := fold(pseudo + uint32(len(l4)))
		at16 := 16
		if p.Proto == packet.ProtoTCP {
			binary.BigEndian.PutUint32(l4[4:], seq+uint32(i*s.size))
			if end < s.end {
				l4[13] &^= packet.FIN | packet.PSH
			}
			if i > 0 {
				l4[13] &^= packet.CWR
			}
		} else {
			at16 = 6
			binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
		}
		binary.BigEndian.PutUint16(l4[at16:], sum)
		c := packet.InternetChecksum(l4)
		if c == 0 {
			c = 0xffff
		}
		binary.BigEndian.PutUint16(l4[at16:], c)
		m.send(j, b[:n], wire)
	}
}

// pseudoSum returns the sum of the pseudo header of p without the length.
func pseudoSum(p *packet.Parsed) uint32 {
	src, dst := p.Src[:], p.Dst[:]
	if p.IPVersion == 4 {
		src, dst = src[12:], dst[12:]
	}
	s := uint32(p.Proto)
	for i := 0; i < len(src); i += 2 {
		s += uint32(binary.BigEndian.Uint16(src[i:])) + uint32(binary.BigEndian.Uint16(dst[i:]))
	}
	return s
}

// fold makes a 16-bit one's complement sum of s.
func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}
