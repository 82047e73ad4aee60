package agent

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket sends IP packets in batches.
type socket struct {
	fd   int
	msgs []mmsghdr
	iovs []unix.Iovec
	at   []int // index in the caller's batch
}

// mmsghdr is struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// newSocket wraps fd, which it closes in the end.
func newSocket(fd int) socket {
	return socket{fd: fd, msgs: make([]mmsghdr, maxBatch), iovs: make([]unix.Iovec, 2*maxBatch), at: make([]int, 0, maxBatch)}
}

// openRaw opens a socket for IP packets with their header.
func openRaw(family int, mark uint32) (socket, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return socket{}, os.NewSyscallError("socket IPPROTO_RAW", err)
	}
	setBuffers(fd, mark)
	return newSocket(fd), nil
}

// setBuffers asks for a larger send buffer and sets the mark. Both are refused without
// CAP_NET_ADMIN on some kernels: then the buffer is smaller, and the agent's packets are
// told by their address alone.
func setBuffers(fd int, mark uint32) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	if mark != 0 {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark))
	}
}

func (s *socket) close() {
	if s.fd > 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// add queues d, which is packet i of a batch, to the address. There is room for maxBatch.
func (s *socket) add(i int, d *Datagram, name *byte, nameLen uint32) {
	k := len(s.at)
	s.at = append(s.at, i)
	n := 0
	for _, b := range [2][]byte{d.Head, d.Frame} {
		if len(b) > 0 {
			iov := &s.iovs[2*k+n]
			iov.Base = &b[0]
			iov.SetLen(len(b))
			n++
		}
	}
	m := &s.msgs[k].hdr
	m.Name, m.Namelen = name, nameLen
	m.Iov = &s.iovs[2*k]
	m.SetIovlen(n)
}

// flush sends what is queued and sets the fate of what it cannot send.
func (s *socket) flush(batch []Datagram) (last error) {
	n := len(s.at)
	for k := 0; k < n; {
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.msgs[k])), uintptr(n-k), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			k += int(sent)
		case unix.EINTR:
		case unix.EAGAIN:
			// The send buffer is full, and will not be less so at once.
			for ; k < n; k++ {
				batch[s.at[k]].Fate = Busy
			}
		case unix.ENOBUFS:
			batch[s.at[k]].Fate = Busy
			k++
		default:
			batch[s.at[k]].Fate = Failed
			last = os.NewSyscallError("sendmmsg", errno)
			k++
		}
	}
	runtime.KeepAlive(batch)
	s.at = s.at[:0]
	return last
}
