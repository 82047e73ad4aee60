package vpc

import "time"

// The bounds of this room. What is full is counted, never grown.
const (
	// maxExtHeaders bounds the IPv6 extension headers that are skipped to find the
	// ports. RFC 8200 names five; a chain twice as long is somebody's joke.
	maxExtHeaders = 8

	// maxTracked bounds the connections that one interface's security groups remember.
	// AWS has an allowance per instance type that it does not publish and counts what
	// goes over as conntrack_allowance_exceeded; new connections above it are dropped.
	maxTracked = 1 << 16

	// maxFragments bounds the fragmented packets whose ports are remembered, over the
	// whole network. Linux' own default is 4 MiB of fragments, about as many packets.
	maxFragments = 1 << 12

	// maxFlows bounds the flows that one load balancer node remembers. AWS names no
	// number; above it a packet is balanced by its hash alone, which is counted.
	maxFlows = 1 << 17

	// maxBatch is how many frames are read from one port before another has its turn.
	maxBatch = 64

	// maxFrame is the longest frame on a port: Ethernet, a VLAN tag and 9001 bytes, the
	// MTU of jumbo frames in a VPC. Longer ones are cut by the socket and dropped.
	maxFrame = 9001 + lenEthernet + 4

	// maxTunnelHeaders is what GENEVE over VXLAN adds to a frame at most: Ethernet,
	// IPv4, UDP, GENEVE with 32 bytes of options, IPv6, UDP, VXLAN.
	maxTunnelHeaders = lenEthernet + lenIPv4 + lenUDP + 8 + 32 + lenIPv6 + lenUDP + lenVXLAN

	// maxSweep is how many entries of a table are looked at in one tick for idle ones,
	// so that a full table does not stop traffic.
	maxSweep = 4096

	// maxAnswers bounds the records of one DNS answer, so that it fits 512 bytes.
	maxAnswers = 16
)

// How long idle entries are kept. AWS: "Security group connection tracking", idle
// connection tracking timeout; Network Load Balancer, connection idle timeout.
const (
	idleTCP       = 432000 * time.Second // established
	idleTCPOpen   = 60 * time.Second     // not yet answered
	idleTCPClosed = 10 * time.Second     // after FIN or RST, for what is still under way
	idleUDP       = 30 * time.Second     // one packet or one direction only
	idleUDPStream = 180 * time.Second    // both directions
	idleOther     = 30 * time.Second
	idleFragment  = 30 * time.Second // Linux: ipfrag_time
	idleFlowUDP   = 120 * time.Second
	idleFlowTCP   = 350 * time.Second
)
