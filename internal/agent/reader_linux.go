package agent

import "mirador/internal/capture"

// openReader opens the ring of the mirrored interface.
func openReader(o Options) (capture.Reader, error) {
	size, delay, mark := o.RingBytes, o.Delay, o.Mark
	if size == 0 {
		size = DefaultRing
	}
	if delay == 0 {
		delay = DefaultDelay
	}
	if mark == 0 {
		mark = DefaultMark
	}
	rings, err := capture.OpenAFPacket(capture.AFPacketOptions{
		Iface: o.Iface, BlockSize: ringBlock, Blocks: size / ringBlock, Retire: delay,
		Outgoing: true, Offload: true, SkipMark: mark,
	})
	if err != nil {
		return nil, err
	}
	return rings[0], nil
}
