package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"mirador/internal/packet"
)

// Waiting for datagrams: after some have come, an empty socket is looked at again after
// a short sleep, because that collects more datagrams for each system call than being
// woken for the first; after idleNaps empty looks the reader blocks.
const (
	napNanos = 20_000
	idleNaps = 50
)

// controlSize holds the control messages asked for: a time, a drop count, and the
// destination on a socket that is bound to no address.
const controlSize = 128

// skMeminfoDrops is the place of the drop count in what SO_MEMINFO returns.
const (
	skMeminfoDrops = 8
	skMeminfoVars  = 9
)

// UDP reads datagrams from one socket.
type UDP struct {
	opts  UDPOptions
	local netip.AddrPort
	dst   packet.Addr // where datagrams are sent to, when the socket has an address
	steer error       // why the kernel does not steer; nil when it does or need not

	// reading is held while Read runs, so that Close does not pull the descriptors away.
	reading sync.Mutex
	// mu guards fd against Close in Stats, and the drop count.
	mu    sync.Mutex
	fd    int
	wake  int // eventfd
	drops uint64
	seen  uint32 // the kernel's drop count when last looked at

	closed    atomic.Bool
	naps      int
	frames    atomic.Uint64
	bytes     atomic.Uint64
	truncated atomic.Uint64
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// udpBuffers are the headers recvmmsg fills in; they point into the slab of their Batch.
type udpBuffers struct {
	hdrs    []mmsghdr
	iovs    []unix.Iovec
	names   []unix.RawSockaddrInet6 // holds either family
	control []byte
	slot    int
}

// ListenUDP binds o.Sockets sockets to o.Addr and returns a reader for each. Unless
// o.NoSteer, the kernel spreads datagrams over them by the flow inside; where it refuses,
// it spreads by outer address and Steering tells why.
func ListenUDP(o UDPOptions) ([]*UDP, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	var all []*UDP
	for range o.Sockets {
		u, err := newUDP(o)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("listen on %v: %w", o.Addr, err)
		}
		o.Addr = u.local // where o.Addr had port 0, the others need the same
		all = append(all, u)
	}
	if o.Sockets > 1 {
		err := errNotAsked
		if !o.NoSteer {
			err = steerSocket(all[0].fd, o)
		}
		for _, u := range all {
			u.steer = err
		}
	}
	return all, nil
}

func closeAll(all []*UDP) {
	for _, u := range all {
		u.Close()
	}
}

// errNotAsked is what Steering returns when steering was turned off.
var errNotAsked = errors.New("steering is turned off")

// newUDP opens and binds one socket.
func newUDP(o UDPOptions) (*UDP, error) {
	family := unix.AF_INET
	if o.Addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := setupUDP(fd, family, o); err != nil {
		unix.Close(fd)
		return nil, err
	}
	local, err := localAddr(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &UDP{opts: o, local: local, dst: local.Addr().As16(), fd: fd, wake: wake}, nil
}

// setupUDP sets the options of the socket and binds it.
func setupUDP(fd, family int, o UDPOptions) error {
	type option struct {
		name              string
		level, opt, value int
	}
	set := []option{
		{"SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{"SO_RXQ_OVFL", unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1},
		{"SO_TIMESTAMPNS", unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
	}
	if family == unix.AF_INET6 {
		only := 0
		if o.Addr.Addr() != netip.IPv6Unspecified() {
			only = 1
		}
		set = append(set,
			option{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only},
			// Tunnels over IPv6 come without a UDP checksum (RFC 6935).
			option{"UDP_NO_CHECK6_RX", unix.IPPROTO_UDP, unix.UDP_NO_CHECK6_RX, 1})
	}
	switch {
	case !o.Addr.Addr().IsUnspecified():
	case family == unix.AF_INET:
		set = append(set, option{"IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO, 1})
	default:
		set = append(set, option{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1})
	}
	for _, s := range set {
		if err := unix.SetsockoptInt(fd, s.level, s.opt, s.value); err != nil {
			return os.NewSyscallError("setsockopt "+s.name, err)
		}
	}
	// Above net.core.rmem_max only with CAP_NET_ADMIN; otherwise the kernel gives what it
	// may, and RcvBuf tells how much that is.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, o.RcvBuf) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.RcvBuf); err != nil {
			return os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
	}
	if o.Iface != "" {
		if err := unix.BindToDevice(fd, o.Iface); err != nil {
			return fmt.Errorf("bind to interface %q: %w", o.Iface, os.NewSyscallError("setsockopt SO_BINDTODEVICE", err))
		}
	}
	var sa unix.Sockaddr
	if family == unix.AF_INET {
		sa = &unix.SockaddrInet4{Port: int(o.Addr.Port()), Addr: o.Addr.Addr().As4()}
	} else {
		sa = &unix.SockaddrInet6{Port: int(o.Addr.Port()), Addr: o.Addr.Addr().As16()}
	}
	return os.NewSyscallError("bind", unix.Bind(fd, sa))
}

func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, errors.New("socket has no IP address")
}

// steerSocket gives the group of fd a program that chooses the socket.
func steerSocket(fd int, o UDPOptions) error {
	start := steerVXLAN
	if o.Link == packet.LinkGENEVE {
		start = steerGENEVE
	}
	prog, err := steerProgram(start, o.Sockets, o.Seed)
	if err != nil {
		return err
	}
	filter := sockFilter(prog)
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &fprog)
	return os.NewSyscallError("setsockopt SO_ATTACH_REUSEPORT_CBPF", err)
}

// sockFilter turns a program into the form the kernel takes.
func sockFilter(prog []bpf.RawInstruction) []unix.SockFilter {
	out := make([]unix.SockFilter, len(prog))
	for i, r := range prog {
		out[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return out
}

// LocalAddr returns the address and port the socket is bound to.
func (u *UDP) LocalAddr() netip.AddrPort { return u.local }

// Steering returns nil when both directions of a flow inside the datagrams reach the same
// reader, and otherwise why they may not.
func (u *UDP) Steering() error { return u.steer }

// RcvBuf returns the size of the socket buffer that the kernel granted, in bytes.
func (u *UDP) RcvBuf() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fd < 0 {
		return 0
	}
	n, err := unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return n
}

// prepare makes the buffers of b fit u.
func (u *UDP) prepare(b *Batch) {
	c := &b.control
	n, slot := u.opts.Batch, u.opts.Slot
	if len(c.hdrs) == n && c.slot == slot {
		return
	}
	b.slab = make([]byte, n*slot)
	b.Frames = make([]Frame, 0, n)
	*c = udpBuffers{
		hdrs:    make([]mmsghdr, n),
		iovs:    make([]unix.Iovec, n),
		names:   make([]unix.RawSockaddrInet6, n),
		control: make([]byte, n*controlSize),
		slot:    slot,
	}
	for i := range c.hdrs {
		c.iovs[i].Base = &b.slab[i*slot]
		c.iovs[i].SetLen(slot)
		h := &c.hdrs[i].hdr
		h.Iov = &c.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&c.names[i]))
		h.Control = &c.control[i*controlSize]
	}
}

// Read fills b with datagrams. Data begins at the tunnel header; WireLen is the length of
// the datagram, Time when the kernel received it, and Outer who sent it.
func (u *UDP) Read(b *Batch, wait time.Duration) error {
	b.Release()
	u.reading.Lock()
	defer u.reading.Unlock()
	u.prepare(b)
	var until time.Time // of the wait, once it has begun
	for {
		if u.closed.Load() {
			return ErrClosed
		}
		n, errno := u.receive(b)
		switch errno {
		case 0:
			u.naps = idleNaps
			u.take(b, n)
			return nil
		case unix.EAGAIN:
			if wait == 0 {
				return nil
			}
			if u.naps > 0 {
				u.naps--
				nap := unix.NsecToTimespec(napNanos)
				unix.Nanosleep(&nap, nil)
				continue
			}
			if wait > 0 {
				now := time.Now()
				if until.IsZero() {
					until = now.Add(wait)
				} else if !now.Before(until) {
					return nil
				}
				wait = until.Sub(now)
			}
			if err := waitFor(u.fd, u.wake, wait); err != nil {
				return err
			}
		case unix.EINTR, unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH:
			// The latter are ICMP errors that somebody sent us; they are no fault of the socket.
		default:
			return os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// waitFor waits until fd is readable, wake is signalled or wait has gone by.
func waitFor(fd, wake int, wait time.Duration) error {
	ms := -1
	if wait >= 0 {
		ms = int(min((wait+time.Millisecond-1)/time.Millisecond, 1<<30))
	}
	fds := [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds[:], ms); err != nil && err != unix.EINTR {
		return os.NewSyscallError("poll", err)
	}
	return nil
}

// receive asks the kernel for datagrams, without waiting.
func (u *UDP) receive(b *Batch) (int, unix.Errno) {
	c := &b.control
	for i := range c.hdrs {
		h := &c.hdrs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlSize)
		h.Flags = 0
	}
	// MSG_TRUNC makes the kernel tell the real length of what did not fit.
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&c.hdrs[0])),
		uintptr(len(c.hdrs)), unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// take makes frames of the first n datagrams.
func (u *UDP) take(b *Batch, n int) {
	c := &b.control
	var size, truncated uint64
	drops, haveDrops := uint32(0), false
	for i := range n {
		m := &c.hdrs[i]
		got := min(int(m.len), c.slot)
		f := Frame{
			Data:    b.slab[i*c.slot : i*c.slot+got : (i+1)*c.slot],
			WireLen: int(m.len),
			Link:    u.opts.Link,
		}
		size += uint64(got)
		if int(m.len) > got {
			truncated++
		}
		f.Outer = outerOf(&c.names[i], u.local.Port())
		ctl := c.control[i*controlSize : i*controlSize+int(m.hdr.Controllen)]
		var d uint32
		var ok bool
		f.Outer.Dst = u.dst
		if f.Time, d, ok = controlMessages(ctl, &f.Outer.Dst); ok {
			drops, haveDrops = d, true
		}
		if f.Time == 0 {
			f.Time = time.Now().UnixNano()
		}
		b.Frames = append(b.Frames, f)
	}
	if haveDrops {
		u.mu.Lock()
		u.observeLocked(drops)
		u.mu.Unlock()
	}
	u.frames.Add(uint64(n))
	u.bytes.Add(size)
	if truncated > 0 {
		u.truncated.Add(truncated)
	}
}

// outerOf reads the address of a sender.
func outerOf(sa *unix.RawSockaddrInet6, local uint16) Outer {
	o := Outer{DstPort: local}
	switch sa.Family {
	case unix.AF_INET:
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		o.Src = packet.AddrFrom4(sa4.Addr)
		o.SrcPort = ntohs(sa4.Port)
		o.Version = 4
	case unix.AF_INET6:
		o.Src = sa.Addr
		o.SrcPort = ntohs(sa.Port)
		o.Version = 6
		if o.Src.Is4() { // IPv4 on a socket for both
			o.Version = 4
		}
	}
	return o
}

// ntohs reads a port that the kernel stored in network order.
func ntohs(v uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&v))
	return uint16(b[0])<<8 | uint16(b[1])
}

// controlMessages reads the time, the drop count, and into dst where the datagram was
// sent to, when it is told.
func controlMessages(b []byte, dst *packet.Addr) (t int64, drops uint32, haveDrops bool) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(b) {
			return
		}
		data := b[unix.CmsgLen(0):n]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			*dst = packet.AddrFrom4([4]byte(data[8:12]))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			*dst = packet.Addr(data[:16])
		case h.Level == unix.SOL_SOCKET:
			switch {
			case h.Type == unix.SCM_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
				ts := (*unix.Timespec)(unsafe.Pointer(&data[0]))
				t = ts.Nano()
			case h.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
				drops, haveDrops = *(*uint32)(unsafe.Pointer(&data[0])), true
			}
		}
		b = b[min(unix.CmsgSpace(n-unix.CmsgLen(0)), len(b)):]
	}
	return
}

// observeLocked takes in the kernel's drop count, which counts to 2^32 and starts again.
func (u *UDP) observeLocked(drops uint32) {
	if d := drops - u.seen; int32(d) > 0 {
		u.drops += uint64(d)
		u.seen = drops
	}
}

// Stats returns the counters. Drops are asked of the kernel, so that they are there even
// when nothing has come in since.
func (u *UDP) Stats() Stats {
	u.mu.Lock()
	if u.fd >= 0 {
		if drops, err := socketDrops(u.fd); err == nil {
			u.observeLocked(drops)
		}
	}
	drops := u.drops
	u.mu.Unlock()
	return Stats{
		Frames:    u.frames.Load(),
		Bytes:     u.bytes.Load(),
		Drops:     drops,
		Truncated: u.truncated.Load(),
	}
}

// socketDrops returns the number of datagrams that fd had to drop.
func socketDrops(fd int) (uint32, error) {
	var info [skMeminfoVars]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	if size < uint32(unsafe.Sizeof(info)) {
		return 0, unix.ENOPROTOOPT
	}
	return info[skMeminfoDrops], nil
}

// Close wakes a waiting Read and closes the socket.
func (u *UDP) Close() error {
	if u.closed.Swap(true) {
		return nil
	}
	one := [8]byte{1}
	if u.wake >= 0 {
		unix.Write(u.wake, one[:])
	}
	u.reading.Lock()
	defer u.reading.Unlock()
	u.Stats() // the last drops
	u.mu.Lock()
	defer u.mu.Unlock()
	err := unix.Close(u.fd)
	unix.Close(u.wake)
	u.fd, u.wake = -1, -1
	return os.NewSyscallError("close", err)
}
