package capture

import "encoding/binary"

// Segments is the kind of a frame that stands for several: one that the network card
// is yet to cut (TSO, USO), or that was put together of several received (GRO).
type Segments uint8

// The kinds of such frames.
const (
	SegmentsNone  Segments = iota
	SegmentsTCP            // TCP over IPv4 or IPv6
	SegmentsUDP            // UDP datagrams of the same size
	SegmentsOther          // of a kind that is not known here
)

// Offload is what the kernel has left for a network card to do with a frame.
type Offload struct {
	Segments Segments
	CWR      bool // TCP: the first segment carries CWR, the others do not
	// NeedsChecksum: the Internet checksum of Data[ChecksumStart:] is to be stored at
	// ChecksumStart + ChecksumOffset, where the sum of the pseudo header is already. The
	// offsets are as the kernel tells them: check them against the frame.
	NeedsChecksum  bool
	Size           uint16 // payload bytes in a segment, 0 when Segments is SegmentsNone
	HeaderLen      uint16 // bytes of headers each segment begins with; a hint
	ChecksumStart  uint16
	ChecksumOffset uint16
}

// lenVnetHdr is sizeof(struct virtio_net_hdr).
//
//	0: flags  1: GSO type  2: header length  4: GSO size  6: checksum start  8: checksum offset
const lenVnetHdr = 10

// Values of struct virtio_net_hdr (virtio 1.2 section 5.1.6).
const (
	vnetNeedsCsum = 1
	vnetGSONone   = 0
	vnetGSOTCP4   = 1
	vnetGSOTCP6   = 4
	vnetGSOUDPL4  = 5
	vnetGSOECN    = 0x80
)

// offloadOf reads a virtio_net_hdr, which the kernel writes in native byte order.
func offloadOf(b []byte) Offload {
	b = b[:lenVnetHdr]
	if b[0] == 0 && b[1] == vnetGSONone {
		return Offload{}
	}
	o := Offload{
		NeedsChecksum:  b[0]&vnetNeedsCsum != 0,
		CWR:            b[1]&vnetGSOECN != 0,
		HeaderLen:      binary.NativeEndian.Uint16(b[2:]),
		Size:           binary.NativeEndian.Uint16(b[4:]),
		ChecksumStart:  binary.NativeEndian.Uint16(b[6:]),
		ChecksumOffset: binary.NativeEndian.Uint16(b[8:]),
	}
	switch b[1] &^ vnetGSOECN {
	case vnetGSONone:
	case vnetGSOTCP4, vnetGSOTCP6:
		o.Segments = SegmentsTCP
	case vnetGSOUDPL4:
		o.Segments = SegmentsUDP
	default:
		o.Segments = SegmentsOther
	}
	return o
}

// shift moves the offsets by n bytes that were put in before them.
func (o *Offload) shift(n uint16) {
	if o.Segments != SegmentsNone {
		o.HeaderLen += n
	}
	if o.NeedsChecksum {
		o.ChecksumStart += n
	}
}
