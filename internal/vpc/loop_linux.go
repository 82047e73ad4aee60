package vpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"mirador/internal/packet"
)

// Loop moves frames between ports through a Fabric, on one thread: it waits for any port,
// reads a batch from it, forwards the batch, and writes what comes of it before it
// looks at another port. Plans change between two batches.
type Loop struct {
	fabric *Fabric
	epoll  int
	wake   int // eventfd

	mu   sync.Mutex // mu guards todo and done
	todo []func()   // to be run by the loop's thread
	done bool

	ports   map[int32]*Port // by descriptor
	touched []*Port
	slab    []byte
	headers [maxBatch]mmsghdr
	iovs    [maxBatch]unix.Iovec
	control [maxBatch][controlSize]byte
	ended   chan struct{}
	ticked  int64
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   uint32
}

// controlSize holds the auxiliary data of one frame.
const controlSize = 64

// bufferSize is the room for one frame in the slab.
const bufferSize = (maxFrame + 63) &^ 63

// socketBuffer is what a port's socket holds while the loop is busy with others: some
// 10 ms of 10 Gbit/s, in bytes.
const socketBuffer = 16 << 20

// NewLoop starts a loop over f. The fabric is its from now on.
func NewLoop(f *Fabric) (*Loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(ep)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l := &Loop{fabric: f, epoll: ep, wake: wake, ports: map[int32]*Port{}, ended: make(chan struct{})}
	l.slab = make([]byte, maxBatch*bufferSize)
	for i := range maxBatch {
		l.iovs[i].Base = &l.slab[i*bufferSize]
		h := &l.headers[i].hdr
		h.Iov, h.Control = &l.iovs[i], &l.control[i][0]
		h.SetIovlen(1)
	}
	if err := l.watch(wake); err != nil {
		unix.Close(ep)
		unix.Close(wake)
		return nil, err
	}
	go l.run()
	return l, nil
}

func (l *Loop) watch(fd int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

// do runs f on the loop's thread, between two batches, and waits for it. It does nothing
// when the loop has ended.
func (l *Loop) do(f func()) {
	ran := make(chan struct{})
	l.mu.Lock()
	if l.done {
		l.mu.Unlock()
		return
	}
	l.todo = append(l.todo, func() { f(); close(ran) })
	l.mu.Unlock()
	l.nudge()
	select {
	case <-ran:
	case <-l.ended:
	}
}

func (l *Loop) nudge() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(l.wake, one[:])
}

// Add begins to forward the frames of p.
func (l *Loop) Add(p *Port, live *eniLive) error {
	var err error
	l.do(func() {
		if err = l.watch(p.fd); err == nil {
			l.ports[int32(p.fd)] = p
			live.port = p
		}
	})
	return err
}

// Remove ends forwarding for p and closes it.
func (l *Loop) Remove(p *Port, live *eniLive) {
	l.do(func() {
		delete(l.ports, int32(p.fd))
		if live != nil && live.port == p {
			live.port = nil
		}
		unix.Close(p.fd)
	})
}

// Close ends the loop and closes its ports.
func (l *Loop) Close() {
	l.mu.Lock()
	done := l.done
	l.done = true
	l.mu.Unlock()
	if done {
		return
	}
	l.nudge()
	<-l.ended
	for fd := range l.ports {
		unix.Close(int(fd))
	}
	unix.Close(l.epoll)
	unix.Close(l.wake)
}

func (l *Loop) run() {
	runtime.LockOSThread()
	defer close(l.ended)
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(l.epoll, events, 1000)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // the descriptor is ours: this does not happen
		}
		if !l.chores() {
			return
		}
		for i := range max(n, 0) {
			if p := l.ports[events[i].Fd]; p != nil {
				l.batch(p)
			}
		}
		if now := nanotime(); now-l.ticked > 1e9 {
			l.ticked = now
			l.fabric.tick(now)
		}
	}
}

// chores does what others have asked for; false means that the loop is to end.
func (l *Loop) chores() bool {
	var b [8]byte
	unix.Read(l.wake, b[:])
	l.mu.Lock()
	todo, done := l.todo, l.done
	l.todo = nil
	l.mu.Unlock()
	for _, f := range todo {
		f()
	}
	l.fabric.begin()
	return !done
}

// nanotime is the monotonic clock.
func nanotime() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// batch reads frames from p, forwards them, and writes what comes of them.
func (l *Loop) batch(p *Port) {
	for i := range l.headers {
		l.iovs[i].SetLen(bufferSize)
		l.headers[i].hdr.SetControllen(controlSize)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&l.headers[0])), maxBatch, unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	if errno != 0 {
		if errno == unix.ENETDOWN || errno == unix.ENXIO {
			return // the device is going away; it is removed with its interface
		}
		return
	}
	f := l.fabric
	f.begin()
	now := nanotime()
	e := f.plan.enis[p.eni]
	for i := range int(n) {
		if e == nil {
			continue // detached meanwhile
		}
		size := int(l.headers[i].n)
		if size > maxFrame {
			f.drop(e, DropOffload)
			continue
		}
		at := i * bufferSize
		frame := l.slab[at : at+size]
		if r := aux(l.control[i][:l.headers[i].hdr.Controllen], frame); r != passed {
			f.drop(e, r)
			continue
		}
		f.frame(e, frame, now)
	}
	l.flush()
}

// aux reads the auxiliary data of a frame: whether a VLAN tag was taken off, and whether
// its checksum is still to be made.
func aux(control, frame []byte) Reason {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(control) {
			return passed
		}
		if h.Level == unix.SOL_PACKET && h.Type == unix.PACKET_AUXDATA && size >= unix.CmsgLen(int(unsafe.Sizeof(unix.TpacketAuxdata{}))) {
			a := (*unix.TpacketAuxdata)(unsafe.Pointer(&control[unix.CmsgLen(0)]))
			if a.Status&unix.TP_STATUS_VLAN_VALID != 0 {
				return DropVLAN
			}
			if a.Status&unix.TP_STATUS_CSUMNOTREADY != 0 && len(frame) > lenEthernet {
				packet.SetChecksums(frame[lenEthernet:])
			}
		}
		control = control[min(len(control), (size+7)&^7):]
	}
	return passed
}

// flush writes the deliveries of a batch, in order for each port.
func (l *Loop) flush() {
	for _, d := range l.fabric.out {
		p := d.to.live.port
		if p == nil {
			continue
		}
		if len(p.pending) == 0 {
			l.touched = append(l.touched, p)
		}
		p.pending = append(p.pending, d)
	}
	for _, p := range l.touched {
		l.write(p)
		p.pending = p.pending[:0]
	}
	l.touched = l.touched[:0]
}

// write gives the pending frames of p to its device.
func (l *Loop) write(p *Port) {
	var hs [maxBatch]mmsghdr
	var vs [maxBatch]unix.Iovec
	for rest := p.pending; len(rest) > 0; {
		n := min(len(rest), maxBatch)
		for i := range n {
			vs[i].Base = &rest[i].frame[0]
			vs[i].SetLen(len(rest[i].frame))
			hs[i].hdr.Iov = &vs[i]
			hs[i].hdr.SetIovlen(1)
		}
		for at := 0; at < n; {
			sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&hs[at])), uintptr(n-at), unix.MSG_DONTWAIT, 0, 0)
			if errno != 0 {
				l.fabric.drop(rest[at].to, DropSend)
				at++
				continue
			}
			at += int(sent)
		}
		rest = rest[n:]
	}
	runtime.KeepAlive(p)
}

// openPort opens the device called name, in the namespace of the calling thread, as the
// port of an interface.
func openPort(eni, name string) (*Port, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	for _, s := range []struct {
		name              string
		level, opt, value int
		must              bool
	}{
		{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1, true},
		{"PACKET_QDISC_BYPASS", unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1, false},
		{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1, true},
		{"SO_RCVBUFFORCE", unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer, false},
		{"SO_SNDBUFFORCE", unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBuffer, false},
	} {
		if err := unix.SetsockoptInt(fd, s.level, s.opt, s.value); err != nil && s.must {
			unix.Close(fd)
			return nil, fmt.Errorf("%s: %w", s.name, os.NewSyscallError("setsockopt", err))
		}
	}
	mreq := unix.PacketMreq{Ifindex: int32(iface.Index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("setsockopt PACKET_ADD_MEMBERSHIP", err)
	}
	sa := &unix.SockaddrLinklayer{Protocol: uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8, Ifindex: iface.Index}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return &Port{eni: eni, device: name, fd: fd}, nil
}

// Dropped asks the kernel how many frames of p it had no room for, since last asked.
func (p *Port) Dropped() uint64 {
	s, err := unix.GetsockoptTpacketStats(p.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return p.Lost.Load()
	}
	return p.Lost.Add(uint64(s.Drops))
}
