package vpc

import "sync/atomic"

// Counters count what passes one interface. They are written by the fabric and read by
// anybody. Sent and received frames are counted from their Ethernet header on.
type Counters struct {
	SentPackets, SentBytes         atomic.Uint64
	ReceivedPackets, ReceivedBytes atomic.Uint64
	Drops                          [dropKinds]atomic.Uint64
}

func (c *Counters) sent(n int) {
	c.SentPackets.Add(1)
	c.SentBytes.Add(uint64(n))
}

func (c *Counters) received(n int) {
	c.ReceivedPackets.Add(1)
	c.ReceivedBytes.Add(uint64(n))
}
