package capture

import (
	"errors"
	"fmt"
	"time"
)

// Defaults and bounds of AF_PACKET rings.
const (
	// DefaultBlockSize and DefaultBlocks make a ring of 64 MiB: some 20 ms of 25 Gbit/s.
	DefaultBlockSize = 1 << 20
	DefaultBlocks    = 64
	maxRingBytes     = 4 << 30
	// DefaultRetire is how long the kernel holds back a block that is not full: the delay
	// of a single packet on an idle line.
	DefaultRetire = 10 * time.Millisecond
	// ringFrames is the most frames in a batch; a block of small packets has more.
	ringFrames = 1024
	// replugEvery is how often a lost interface is looked for.
	replugEvery = 200 * time.Millisecond
	maxPorts    = 16
)

// AFPacketOptions say how OpenAFPacket captures.
type AFPacketOptions struct {
	// Iface is the network interface, by name. It may go away and come back.
	Iface string
	// Rings is the number of rings that share the traffic, one reader each; 0 means 1.
	Rings int
	// BlockSize, a power of two and a multiple of the page size, and Blocks give the size
	// of each ring; 0 means DefaultBlockSize and DefaultBlocks.
	BlockSize, Blocks int
	// Retire bounds the delay of a packet; 0 means DefaultRetire.
	Retire time.Duration
	// Ports limits the capture to UDP with one of these destination ports; nil captures
	// everything.
	Ports []uint16
	// Promiscuous asks for frames to other addresses too.
	Promiscuous bool
	// Seed makes the spread over the rings unpredictable.
	Seed uint32
	// NoSteer leaves the spread to the kernel's own hash of the outer headers.
	NoSteer bool
	// Outgoing captures what the host itself sends too, with Frame.Outgoing set.
	Outgoing bool
	// Offload asks for Frame.Offload: frames may be longer than the MTU, and lack
	// checksums. Frames whose state the kernel cannot express (segments within tunnels)
	// are among the Drops.
	Offload bool
	// SkipMark leaves out what sockets with this mark send (SO_MARK); 0 leaves out nothing.
	SkipMark uint32
}

// Validate checks o.
func (o AFPacketOptions) Validate() error {
	size, blocks := o.BlockSize, o.Blocks
	switch {
	case o.Iface == "":
		return errors.New("af_packet: no interface")
	case o.Rings < 0 || o.Rings > maxSockets:
		return fmt.Errorf("af_packet: %d rings, at most %d", o.Rings, maxSockets)
	case size < 0 || size != 0 && (size < 1<<16 || size&(size-1) != 0):
		return fmt.Errorf("af_packet: block size %d is not a power of two of 64 KiB or more", size)
	case blocks < 0:
		return fmt.Errorf("af_packet: %d blocks", blocks)
	case o.Retire < 0 || o.Retire > time.Second:
		return fmt.Errorf("af_packet: retire time %v, want up to 1s", o.Retire)
	case o.SkipMark != 0 && len(o.Ports) > 0:
		return errors.New("af_packet: either ports or a mark to skip, not both")
	case len(o.Ports) > maxPorts:
		return fmt.Errorf("af_packet: %d ports, at most %d", len(o.Ports), maxPorts)
	}
	if d := o.withDefaults(); int64(d.BlockSize)*int64(d.Blocks) > maxRingBytes {
		return fmt.Errorf("af_packet: ring of more than %d bytes", int64(maxRingBytes))
	}
	return nil
}

// withDefaults fills in what is 0.
func (o AFPacketOptions) withDefaults() AFPacketOptions {
	o.Rings = max(o.Rings, 1)
	if o.BlockSize == 0 {
		o.BlockSize = DefaultBlockSize
	}
	if o.Blocks == 0 {
		o.Blocks = DefaultBlocks
	}
	if o.Retire == 0 {
		o.Retire = DefaultRetire
	}
	return o
}
