package capture

import (
	"errors"
	"fmt"
	"net/netip"

	"mirador/internal/packet"
)

// Defaults and bounds of UDP.
const (
	// DefaultSlot holds a mirrored packet of a jumbo frame: MTU 9001 and GENEVE around it.
	DefaultSlot = 9216
	maxSlot     = 64 << 10
	// DefaultBatch is the number of datagrams asked of the kernel at once; more brought
	// nothing (design record of receive speeds).
	DefaultBatch = 64
	maxBatch     = 1024 // UIO_MAXIOV, the kernel's own limit
	// DefaultRcvBuf is the socket buffer asked for, in bytes: some 10 ms of 20 Gbit/s. The
	// kernel counts it twice, for its own overhead.
	DefaultRcvBuf = 32 << 20
	maxSockets    = 256
)

// UDPOptions say how ListenUDP listens.
type UDPOptions struct {
	// Addr is the local address and port. "0.0.0.0" receives IPv4 only, "::" both.
	Addr netip.AddrPort
	// Link says what the datagrams begin with: packet.LinkVXLAN or packet.LinkGENEVE.
	Link packet.Link
	// Sockets is the number of sockets that share the port, one reader each; 0 means 1.
	Sockets int
	// Slot is the room for one datagram in bytes, Batch the most datagrams in a batch,
	// RcvBuf the socket buffer in bytes. 0 means DefaultSlot, DefaultBatch, DefaultRcvBuf.
	Slot, Batch, RcvBuf int
	// Seed makes the spread over the sockets unpredictable.
	Seed uint32
	// NoSteer leaves the spread to the kernel, by outer addresses and ports.
	NoSteer bool
	// Iface binds to a network interface, by name; "" to all.
	Iface string
}

// Validate checks o.
func (o UDPOptions) Validate() error {
	switch {
	case !o.Addr.Addr().IsValid():
		return errors.New("udp: no address")
	case o.Link != packet.LinkVXLAN && o.Link != packet.LinkGENEVE:
		return fmt.Errorf("udp: link type %d is neither VXLAN nor GENEVE", o.Link)
	case o.Sockets < 0 || o.Sockets > maxSockets:
		return fmt.Errorf("udp: %d sockets, at most %d", o.Sockets, maxSockets)
	case o.Slot != 0 && (o.Slot < 64 || o.Slot > maxSlot):
		return fmt.Errorf("udp: slot of %d bytes, want 64 to %d", o.Slot, maxSlot)
	case o.Batch < 0 || o.Batch > maxBatch:
		return fmt.Errorf("udp: batch of %d, at most %d", o.Batch, maxBatch)
	case o.RcvBuf < 0:
		return errors.New("udp: receive buffer below 0")
	}
	return nil
}

// withDefaults fills in what is 0.
func (o UDPOptions) withDefaults() UDPOptions {
	o.Sockets = max(o.Sockets, 1)
	if o.Slot == 0 {
		o.Slot = DefaultSlot
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	if o.RcvBuf == 0 {
		o.RcvBuf = DefaultRcvBuf
	}
	return o
}
