package vpc

import "sync/atomic"

// Port is where the frames of an interface come from and go to: the network's end of
// its veth pair, or another device.
type Port struct {
	eni    string // interface
	device string
	fd     int

	pending []delivery // of the batch under way
	Lost    atomic.Uint64
}
