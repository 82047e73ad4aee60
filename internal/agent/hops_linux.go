package agent

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mirador/internal/packet"
)

// hops keeps the next hop of each wanted destination up to date. One goroutine asks the
// kernel again whenever it tells of a change of routes, links or neighbours.
type hops struct {
	handle *netlink.Handle
	events *os.File // netlink socket

	// mu guards what follows.
	mu     sync.Mutex
	wanted []*destination

	// changed gets a value after each look at the network.
	changed chan struct{}
	done    chan struct{}
}

// newHops starts to watch, in the network namespace of the calling thread.
func newHops() (*hops, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		handle.Close()
		return nil, os.NewSyscallError("socket AF_NETLINK", err)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_NEIGH | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		handle.Close()
		return nil, os.NewSyscallError("bind AF_NETLINK", err)
	}
	h := &hops{handle: handle, events: os.NewFile(uintptr(fd), "netlink"), changed: make(chan struct{}, 1), done: make(chan struct{})}
	go h.watch()
	return h, nil
}

// close ends the goroutine and waits for it.
func (h *hops) close() {
	h.events.Close()
	<-h.done
	h.handle.Close()
}

// watch reads changes until the socket is closed. What they say does not matter.
func (h *hops) watch() {
	defer close(h.done)
	buf := make([]byte, 64<<10)
	for {
		_, err := h.events.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		// An error is ENOBUFS: changes were lost, which is a change too.
		h.refresh()
		// Many come together: read what comes within a moment before asking again.
		h.events.SetReadDeadline(time.Now().Add(settle))
		more := false
		for {
			_, err := h.events.Read(buf)
			if errors.Is(err, os.ErrClosed) {
				return
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			more = true
		}
		h.events.SetReadDeadline(time.Time{})
		if more {
			h.refresh()
		}
	}
}

// want adds d.
func (h *hops) want(d *destination) {
	h.mu.Lock()
	h.wanted = append(h.wanted, d)
	h.mu.Unlock()
	d.hop.Store(h.find(d))
}

func (h *hops) forget(d *destination) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wanted = slices.DeleteFunc(h.wanted, func(x *destination) bool { return x == d })
}

func (h *hops) refresh() {
	h.mu.Lock()
	wanted := slices.Clone(h.wanted)
	h.mu.Unlock()
	for _, d := range wanted {
		d.hop.Store(h.find(d))
	}
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// usable are the states of a neighbour whose address may be sent to.
const usable = unix.NUD_PERMANENT | unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE

// errNoEthernet is why there is a way to a destination that needs more than an Ethernet
// header: the kernel's IP layer has to be asked.
var errNoEthernet = errors.New("the way there is not Ethernet")

// route asks the kernel for the interface on the way to dst, and the next hop.
func (h *hops) route(src, dst netip.Addr) (*netlink.LinkAttrs, net.IP, error) {
	routes, err := h.handle.RouteGetWithOptions(dst.AsSlice(), &netlink.RouteGetOptions{SrcAddr: src.AsSlice()})
	if err != nil || len(routes) != 1 {
		// The source address may be of an interface elsewhere, which is no reason not to send.
		routes, err = h.handle.RouteGet(dst.AsSlice())
	}
	if err != nil {
		return nil, nil, err
	}
	if len(routes) != 1 || routes[0].Type != unix.RTN_UNICAST || routes[0].Encap != nil {
		return nil, nil, errNoEthernet
	}
	link, err := h.handle.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return nil, nil, err
	}
	attrs := link.Attrs()
	if attrs.EncapType != "ether" || len(attrs.HardwareAddr) != 6 {
		return nil, nil, errNoEthernet
	}
	if attrs.Flags&net.FlagUp == 0 {
		return nil, nil, unix.ENETDOWN
	}
	next := net.IP(dst.AsSlice())
	if routes[0].Gw != nil {
		next = routes[0].Gw
	} else if routes[0].Via != nil {
		return nil, nil, errNoEthernet
	}
	return attrs, next, nil
}

// find asks the kernel for the way to d; nil when it has none that needs only a link
// header.
func (h *hops) find(d *destination) *hop {
	attrs, next, err := h.route(d.src, d.dst)
	if err != nil {
		return nil
	}
	family := unix.AF_INET6
	if next.To4() != nil {
		family = unix.AF_INET
	}
	neighbours, err := h.handle.NeighList(attrs.Index, family)
	if err != nil {
		return nil
	}
	for i := range neighbours {
		n := &neighbours[i]
		if n.State&usable == 0 || len(n.HardwareAddr) != 6 || !n.IP.Equal(next) {
			continue
		}
		out := &hop{mtu: attrs.MTU}
		proto := etherType(d.dst)
		packet.AppendEthernet(out.header[:0], [6]byte(n.HardwareAddr), [6]byte(attrs.HardwareAddr), proto)
		out.sll = unix.RawSockaddrLinklayer{Family: unix.AF_PACKET, Protocol: networkOrder(proto), Ifindex: int32(attrs.Index), Halen: 6}
		copy(out.sll.Addr[:], n.HardwareAddr)
		return out
	}
	return nil
}

// PathMTU returns the MTU of the interface on the way to dst; 0 when there is no way.
func PathMTU(dst netip.Addr) int {
	routes, err := netlink.RouteGet(dst.AsSlice())
	if err != nil || len(routes) != 1 {
		return 0
	}
	if routes[0].MTU > 0 {
		return routes[0].MTU
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return 0
	}
	return link.Attrs().MTU
}
