package agent

import (
	"errors"

	"mirador/internal/packet"
)

// Fate says what became of a datagram.
type Fate uint8

// The fates of a datagram.
const (
	Sent   Fate = iota // taken away
	Busy               // no room for it: production traffic comes first. Counted as skipped
	Failed             // refused: no route, too long, not permitted. Counted as an error
)

// ErrClosed is returned by Send after Close.
var ErrClosed = errors.New("sender closed")

// Datagram is one mirrored packet, ready to go: Head and then Frame.
type Datagram struct {
	Head  []byte // the outer headers, from the IP header on
	Frame []byte // what is mirrored of the frame, from its Ethernet header on
	// Route is where the packet goes.
	Route *Route
	// Fate is Sent when the datagram is handed to a sender, which changes it when it is not.
	Fate Fate
}

// Len returns the length of the packet from its outer IP header on.
func (d *Datagram) Len() int { return len(d.Head) + len(d.Frame) }

// AppendIP appends the packet from its outer IP header on to b.
func (d *Datagram) AppendIP(b []byte) []byte { return append(append(b, d.Head...), d.Frame...) }

// Sender takes mirrored packets away. An agent calls it from one goroutine; several
// agents may share one that is safe for that.
type Sender interface {
	// Send takes the datagrams in order, and sets the Fate of those it cannot. It does not
	// wait. The bytes and batch are the sender's until it returns: it may write there, and
	// must not keep them. The error is why the last of those with fate Failed failed.
	Send(batch []Datagram) error
}

// Discard is a Sender that has no way to anywhere: all fail.
type Discard struct{ Err error }

// Send fails.
func (s Discard) Send(batch []Datagram) error {
	for i := range batch {
		batch[i].Fate = Failed
	}
	return s.Err
}

// maxHead is the length of the longest outer headers: IPv6, UDP and VXLAN, with IPv4, UDP
// and GENEVE with the options of AWS around them.
const maxHead = lenIPv4 + lenIPv6 + 2*lenUDP + lenVXLAN + lenGENEVE + lenAWSOptions

// Lengths of headers, in bytes.
const (
	lenEthernet   = 14
	lenIPv4       = 20
	lenIPv6       = 40
	lenUDP        = 8
	lenVXLAN      = 8
	lenGENEVE     = 8
	lenAWSOptions = 32
	lenVLAN       = 4
)

// Ports of the tunnels.
const (
	portVXLAN  = packet.PortVXLAN
	portGENEVE = packet.PortGENEVE
)
