// Package capture brings frames in: from pcap and pcapng files, from UDP sockets that
// receive VXLAN or GENEVE, from a network interface (AF_PACKET) and from memory. It
// also writes pcap files.
//
// It does not look into frames. All readers fill batches, one per call, whose
// frames lie in one slab; the sensor calls a reader from one goroutine per reader. What
// the kernel had to drop is counted and told by Stats.
package capture

import (
	"errors"
	"fmt"
	"time"

	"mirador/internal/packet"
)

// Reader is where frames come from. One goroutine reads; Close and Stats may be called
// from others.
type Reader interface {
	// Read releases what b held, waits up to wait for a frame, and fills b with what is
	// there, at most b's limit. With nothing within wait it returns nil and an empty b; a
	// wait below 0 has no end. It returns io.EOF when there are no more frames, ErrClosed
	// after Close, and a *FormatError or an error of the system otherwise; with an error b
	// is empty. Errors of a file are final: it goes on returning them.
	Read(b *Batch, wait time.Duration) error
	// Stats returns the counters since the reader was opened.
	Stats() Stats
	// Close makes a waiting Read return and frees everything. Batches must not be used
	// after it.
	Close() error
}

// ErrClosed is returned by Read after Close.
var ErrClosed = errors.New("reader closed")

// Frame is one frame as received. Data is valid until its Batch is released.
type Frame struct {
	Data    []byte
	WireLen int   // bytes on the wire; more than len(Data) when the frame was cut
	Time    int64 // Unix nanoseconds, from the file or the kernel
	Link    packet.Link
	Iface   int   // index of the interface in a pcapng file; 0 otherwise
	Outer   Outer // of a datagram a socket received

	// Outgoing tells that the host sends the frame (AFPacketOptions.Outgoing).
	Outgoing bool
	// Offload is what the kernel has left for the network card to do
	// (AFPacketOptions.Offload).
	Offload Offload
}

// Outer says who sent a datagram, and where to. Version is 0 when the frame is not from
// a socket.
type Outer struct {
	Src     packet.Addr
	Dst     packet.Addr
	SrcPort uint16
	DstPort uint16 // port of the socket
	Version uint8  // 4 or 6
}

// Batch holds the frames of one Read. The zero value is ready. Use one Batch with one
// reader at a time.
type Batch struct {
	Frames []Frame

	slab    []byte
	ring    *ringBlock // AF_PACKET: the block that the frames lie in
	control udpBuffers // UDP: message headers that point into slab
}

// Release gives the frames back; their Data must not be used any more. Read does it
// too.
func (b *Batch) Release() {
	b.Frames = b.Frames[:0]
	if b.ring != nil {
		b.ring.release()
		b.ring = nil
	}
}

// Stats are the counters of a reader. Frames seen by the kernel = Frames + Drops.
type Stats struct {
	Frames    uint64 // handed to the caller
	Bytes     uint64 // in these frames, as captured
	Drops     uint64 // lost because nobody read fast enough: socket buffer or ring full
	Truncated uint64 // frames that were cut because they were larger than a slot
	Freezes   uint64 // AF_PACKET: times the ring was full
	Replugs   uint64 // AF_PACKET: times the interface went away and came back
	Gone      bool   // AF_PACKET: the interface is not there now
}

// FormatError is what stopped the reading of a capture file. All frames before Offset
// have been read.
type FormatError struct {
	Offset int64  // of the record or block that is wrong, in bytes from the start of the file
	Reason string // what is wrong with it
	Err    error  // the cause when it came from the system, such as io.ErrUnexpectedEOF
}

func (e *FormatError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("read capture at offset %d: %s: %v", e.Offset, e.Reason, e.Err)
	}
	return fmt.Sprintf("read capture at offset %d: %s", e.Offset, e.Reason)
}

// Unwrap returns the cause.
func (e *FormatError) Unwrap() error { return e.Err }
