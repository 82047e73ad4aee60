package agent

import "time"

// Bounds and defaults.
const (
	// DefaultRing holds some 13 ms of 10 Gbit/s, in bytes: longer than the agent is kept
	// from a processor on a busy host.
	DefaultRing = 16 << 20
	minRing     = 1 << 20
	maxRing     = 1 << 30
	// ringBlock is the size of a block of the ring. A frame that stands for many segments
	// is up to 64 KiB long.
	ringBlock = 256 << 10
	// DefaultDelay is short beside what a network adds, and long beside what waking up
	// costs.
	DefaultDelay = 2 * time.Millisecond
	// DefaultBurst of a Limit.
	DefaultBurst = 20 * time.Millisecond
	// maxBatch is how many datagrams are handed to a Sender at once, at most: as many as fit
	// the smaller ring of a Host. Their headers stay within the cache of a processor.
	maxBatch = 256
	// arenaSize holds the segments of some twenty frames of 64 KiB; what does not fit is sent
	// in two batches.
	arenaSize = 2 << 20
	// maxBits is the highest Limit, in bits or packets a second.
	maxBits = 1e13
	// sendBuffer of a socket, in bytes. Frames wait in it only while the driver has them.
	sendBuffer = 4 << 20
	// maxDestinations is how many outer destinations a Host knows at a time: sessions have
	// 3 at most, a load balancer node each. The oldest goes first.
	maxDestinations = 64
	// proveEvery is how often the kernel sends one packet itself: so it goes on asking
	// whether the neighbour is still there (delay_first_probe_time is 5 s).
	proveEvery = 5 * time.Second
	// settle is how long changes of the host's network are collected.
	settle = 5 * time.Millisecond
	// DefaultMark of sockets that send mirrored packets ("mira").
	DefaultMark = 0x6d697261
)

// Bounds of a plan in the kernel. One that exceeds them is for the AF_PACKET engine.
const (
	// kRules bounds the rules of all sessions, for each direction and IP version. AWS
	// allows 3 sessions of 10 rules.
	kRules = 128
	// kSessions of an interface; AWS allows 3.
	kSessions = 16
	// kResolvers is two, and one for each IPv4 range of the VPC (AWS: 5).
	kResolvers = 16
	// kTunnels are the addresses of targets that the mirror's own traffic is told by.
	kTunnels = 64
	// kLength is how short frames may be cut: the kernel keeps at least the headers up to
	// the IP header's end, with options and VLAN tags.
	kLength = 14 + 3*4 + 60
	// kExtHdrs is how many IPv6 extension headers the kernel looks through. What has more is
	// taken as of the protocol of the last, and routers drop it.
	kExtHdrs = 8
	// stageMTU is larger than any frame.
	stageMTU = 65521
)
