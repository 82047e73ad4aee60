package agent

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"mirador/internal/packet"
)

// Link sends everything out of one interface to one Ethernet address. It needs
// CAP_NET_RAW, and is safe for several agents.
type Link struct {
	hop4, hop6 hop

	// mu guards what follows.
	mu     sync.Mutex
	frames txRings
	closed bool
}

// NewLink opens a socket on the interface called iface, in the network namespace of the
// calling thread. The source address is that of the interface.
func NewLink(iface string, dst [6]byte) (*Link, error) {
	i, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, err
	}
	var src [6]byte
	copy(src[:], i.HardwareAddr)
	s, err := openTxRings(DefaultMark)
	if err != nil {
		return nil, err
	}
	l := &Link{frames: s}
	for h, proto := range map[*hop]uint16{&l.hop4: packet.EtherTypeIPv4, &l.hop6: packet.EtherTypeIPv6} {
		packet.AppendEthernet(h.header[:0], dst, src, proto)
		h.mtu = i.MTU
		h.sll = unix.RawSockaddrLinklayer{Family: unix.AF_PACKET, Protocol: networkOrder(proto), Ifindex: int32(i.Index), Halen: 6}
		copy(h.sll.Addr[:], dst[:])
	}
	return l, nil
}

// Send sends batch.
func (l *Link) Send(batch []Datagram) (last error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return Discard{ErrClosed}.Send(batch)
	}
	for i := range batch {
		g := &batch[i]
		h := &l.hop4
		if g.Head[0]>>4 == 6 {
			h = &l.hop6
		}
		if err := l.frames.add(batch, i, h); err != nil {
			last = err
		}
	}
	if err := l.frames.flush(batch); err != nil {
		last = err
	}
	return last
}

// Close frees the socket.
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.frames.close()
	return nil
}
