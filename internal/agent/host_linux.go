package agent

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HostOptions say how a Host sends.
type HostOptions struct {
	// Mark is set on the sockets; 0 means DefaultMark.
	Mark uint32
	// IPOnly leaves everything to the kernel's IP layer. It makes up an identification for
	// IPv4 packets, where AWS has 0, and costs more.
	IPOnly bool
}

// Host sends through the network of the host it was made on: it asks the kernel for
// route and neighbour of each destination, puts the link header on itself and sends past
// the queues. As long as there is no neighbour yet, and where the interface has none, it
// leaves packets to the kernel's IP layer, which then also looks for the neighbour. It
// needs CAP_NET_RAW, and is safe for several agents.
type Host struct {
	opts HostOptions
	hops *hops

	// mu guards what follows.
	mu     sync.Mutex
	frames txRings // none with IPOnly
	raw4   socket
	raw6   socket
	known  []*destination
	closed bool

	ipPackets atomic.Uint64
}

// destination is an outer destination address with what sendmmsg needs for it.
type destination struct {
	src, dst netip.Addr
	hop      atomic.Pointer[hop] // nil: let the kernel's IP layer send
	sin      unix.RawSockaddrInet4
	sin6     unix.RawSockaddrInet6
	proved   time.Time // when the kernel sent the last packet, and so looked after its neighbour
}

// hop is the way to the next hop of a destination.
type hop struct {
	header [lenEthernet]byte
	sll    unix.RawSockaddrLinklayer
	mtu    int
}

// NewHost opens the sockets in the network namespace of the calling thread.
func NewHost(o HostOptions) (*Host, error) {
	if o.Mark == 0 {
		o.Mark = DefaultMark
	}
	h := &Host{opts: o}
	var err error
	if h.raw4, err = openRaw(unix.AF_INET, o.Mark); err != nil {
		return nil, err
	}
	// A host without IPv6 has no such socket, and needs none.
	h.raw6, err = openRaw(unix.AF_INET6, o.Mark)
	if err != nil {
		h.raw6.fd = -1
	}
	if o.IPOnly {
		return h, nil
	}
	if h.frames, err = openTxRings(o.Mark); err == nil {
		if h.hops, err = newHops(); err == nil {
			return h, nil
		}
		h.frames.close()
	}
	h.raw4.close()
	h.raw6.close()
	return nil, err
}

// Close frees everything.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.raw4.close()
	h.raw6.close()
	h.frames.close()
	h.mu.Unlock()
	if h.hops != nil {
		h.hops.close()
	}
	return nil
}

// IPPackets returns the number of packets left to the kernel's IP layer.
func (h *Host) IPPackets() uint64 { return h.ipPackets.Load() }

// Send sends batch.
func (h *Host) Send(batch []Datagram) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return Discard{ErrClosed}.Send(batch)
	}
	now := time.Now()
	var last error
	var d *destination
	var route *Route
	var ip uint64
	for i := range batch {
		g := &batch[i]
		if g.Route != route || d == nil {
			route = g.Route
			d = h.destination(route)
		}
		if hop := d.hop.Load(); hop != nil && now.Sub(d.proved) < proveEvery {
			if err := h.frames.add(batch, i, hop); err != nil {
				last = err
			}
			continue
		}
		ip++
		d.proved = now
		s := &h.raw4
		name, n := (*byte)(unsafe.Pointer(&d.sin)), uint32(unix.SizeofSockaddrInet4)
		if d.dst.Is6() {
			s = &h.raw6
			name, n = (*byte)(unsafe.Pointer(&d.sin6)), unix.SizeofSockaddrInet6
			if s.fd < 0 {
				g.Fate = Failed
				last = unix.EAFNOSUPPORT
				continue
			}
		}
		s.add(i, g, name, n)
		if len(s.at) == maxBatch {
			last = s.flush(batch)
		}
	}
	if err := h.frames.flush(batch); err != nil {
		last = err
	}
	for _, s := range [...]*socket{&h.raw4, &h.raw6} {
		if len(s.at) > 0 {
			if err := s.flush(batch); err != nil {
				last = err
			}
		}
	}
	if ip > 0 {
		h.ipPackets.Add(ip)
	}
	return last
}

// destination returns what is known of the outermost destination of r.
func (h *Host) destination(r *Route) *destination {
	src, dst := r.Src, r.Dst
	if r.GWLB != nil {
		src, dst = r.GWLB.Src, r.GWLB.Dst
	}
	for _, d := range h.known {
		if d.dst == dst && d.src == src {
			return d
		}
	}
	d := &destination{src: src, dst: dst}
	if dst.Is4() {
		d.sin = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: dst.As4()}
	} else {
		d.sin6 = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: dst.As16()}
	}
	if len(h.known) >= maxDestinations {
		if h.hops != nil {
			h.hops.forget(h.known[0])
		}
		h.known = append(h.known[:0], h.known[1:]...)
	}
	h.known = append(h.known, d)
	if h.hops != nil {
		h.hops.want(d)
	}
	return d
}

// networkOrder returns v as it lies in memory of a sockaddr.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
