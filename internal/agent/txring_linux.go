package agent

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// txRing sends frames through memory shared with the kernel (PACKET_TX_RING,
// TPACKET_V2): one system call for many frames. On a veth pair that costs half of what
// sendmmsg costs (bench/record). The kernel is told to copy small frames whole: by
// default it copies the Ethernet header and refers to the rest, which costs more on the
// way through a veth pair and in the receiver's stack.
//
//	slot: tpacket2_hdr (32 bytes) | virtio_net_hdr (10) | frame
type txRing struct {
	fd    int
	mem   []byte
	size  int // bytes of a slot
	slots int
	cur   int // slot that is written next
	first int // slot of queued[0]
	// queued are the frames given to the kernel with the next flush, by their index in the
	// caller's batch, all for the interface of sll.
	queued []int
	sll    unix.RawSockaddrLinklayer
}

// Layout of the rings. Small slots keep a ring of frames of the usual size within the
// cache of a processor, of which a stride of 16 KiB would use an eighth.
const (
	txSmall   = 2 << 10  // a frame of 1514 bytes with what is put around it
	txLarge   = 16 << 10 // a jumbo frame of 9001 bytes, likewise
	txRingLen = 512 << 10
	txBlock   = 64 << 10
	txHeader  = 32            // sizeof(struct tpacket2_hdr)
	txFrame   = txHeader + 10 // a virtio_net_hdr is between
	// txCopy is the longest frame that the kernel copies whole, in bytes: its memory is then
	// of an order that is always at hand.
	txCopy = 3 << 10
)

// openTxRing opens a ring with slots of size bytes for frames to any interface. It
// receives nothing.
func openTxRing(mark uint32, size int) (*txRing, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket AF_PACKET", err)
	}
	r := &txRing{fd: fd, size: size, slots: txRingLen / size, queued: make([]int, 0, txRingLen/size)}
	// QDISC_BYPASS: straight to the driver. Mirrored traffic does not wait in the queue of
	// production traffic, it is dropped when the driver has no room; and no tap sees it.
	for _, o := range []struct {
		name       string
		opt, value int
	}{
		{"PACKET_VERSION", unix.PACKET_VERSION, unix.TPACKET_V2},
		{"PACKET_QDISC_BYPASS", unix.PACKET_QDISC_BYPASS, 1},
		{"PACKET_VNET_HDR", unix.PACKET_VNET_HDR, 1},
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o.opt, o.value); err != nil {
			r.close()
			return nil, os.NewSyscallError("setsockopt "+o.name, err)
		}
	}
	setBuffers(fd, mark)
	req := unix.TpacketReq{Block_size: txBlock, Block_nr: txRingLen / txBlock, Frame_size: uint32(size), Frame_nr: uint32(r.slots)}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_TX_RING, &req); err != nil {
		r.close()
		return nil, os.NewSyscallError("setsockopt PACKET_TX_RING", err)
	}
	if r.mem, err = unix.Mmap(fd, 0, txRingLen, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		r.close()
		return nil, os.NewSyscallError("mmap", err)
	}
	return r, nil
}

func (r *txRing) close() {
	if r.mem != nil {
		unix.Munmap(r.mem)
		r.mem = nil
	}
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

// status returns the status word of a slot; length is the word after it.
func (r *txRing) status(slot int) *uint32 {
	return (*uint32)(unsafe.Pointer(&r.mem[slot*r.size]))
}

// fits tells whether a packet of n bytes from its outer IP header on has room in a slot.
func (r *txRing) fits(n int) bool { return n <= r.size-txFrame-lenEthernet }

// add queues packet i of batch, which fits, for the interface of to. It sends what is
// queued when there is no room for more.
func (r *txRing) add(batch []Datagram, i int, to *hop) error {
	var err error
	if len(r.queued) == r.slots || len(r.queued) > 0 && r.sll.Ifindex != to.sll.Ifindex {
		err = r.flush(batch)
	}
	d := &batch[i]
	if d.Len() > to.mtu {
		batch[i].Fate = Failed
		return fmt.Errorf("send %d bytes: %w", d.Len(), unix.EMSGSIZE)
	}
	status := r.status(r.cur)
	if atomic.LoadUint32(status) != unix.TP_STATUS_AVAILABLE {
		if len(r.queued) > 0 {
			err = r.flush(batch)
			status = r.status(r.cur)
		}
		if atomic.LoadUint32(status) != unix.TP_STATUS_AVAILABLE {
			batch[i].Fate = Busy // the network card has not sent it yet
			return err
		}
	}
	if len(r.queued) == 0 {
		r.first, r.sll = r.cur, to.sll
	}
	slot := r.mem[r.cur*r.size : (r.cur+1)*r.size]
	copy(slot[txFrame:], to.header[:])
	n := lenEthernet + copy(slot[txFrame+lenEthernet:], d.Head)
	n += copy(slot[txFrame+n:], d.Frame)
	whole := uint16(0) // hdr_len: how much is copied
	if n <= txCopy {
		whole = uint16(n)
	}
	binary.NativeEndian.PutUint16(slot[txHeader+2:], whole) // the other fields stay 0
	binary.NativeEndian.PutUint32(slot[4:], uint32(n+txFrame-txHeader))
	atomic.StoreUint32(status, unix.TP_STATUS_SEND_REQUEST)
	r.queued = append(r.queued, i)
	if r.cur++; r.cur == r.slots {
		r.cur = 0
	}
	return err
}

// flush gives the queued frames to the kernel and sets the fate of those it does not
// take.
func (r *txRing) flush(batch []Datagram) error {
	var err error
	done := 0
	for done < len(r.queued) {
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(r.fd), 0, 0, unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&r.sll)), unix.SizeofSockaddrLinklayer)
		if errno == unix.EINTR {
			continue
		}
		// The kernel takes slots in order, and stops at one that it cannot send.
		before := done
		for done < len(r.queued) && atomic.LoadUint32(r.status(r.slot(done)))&(unix.TP_STATUS_SEND_REQUEST|unix.TP_STATUS_WRONG_FORMAT) == 0 {
			done++
		}
		if done == len(r.queued) || errno == 0 && done > before {
			continue // all, or some and the send buffer was full: again
		}
		fate := Busy
		if errno != 0 && errno != unix.EAGAIN && errno != unix.ENOBUFS {
			fate, err = Failed, os.NewSyscallError("send", errno)
		}
		for _, i := range r.queued[done:] {
			batch[i].Fate = fate
		}
		r.giveBack(done)
	}
	r.queued = r.queued[:0]
	return err
}

// slot is that of queued[i].
func (r *txRing) slot(i int) int { return (r.first + i) % r.slots }

// giveBack takes queued[n:] back from the kernel, which is at the first of them.
func (r *txRing) giveBack(n int) {
	for i := n; i < len(r.queued); i++ {
		atomic.StoreUint32(r.status(r.slot(i)), unix.TP_STATUS_AVAILABLE)
	}
	r.cur = r.slot(n)
	r.queued = r.queued[:n]
}

// txRings are the rings for small and large frames.
type txRings [2]*txRing

func openTxRings(mark uint32) (t txRings, err error) {
	for i, size := range [...]int{txSmall, txLarge} {
		if t[i], err = openTxRing(mark, size); err != nil {
			t.close()
			return txRings{}, err
		}
	}
	return t, nil
}

func (t *txRings) close() {
	for _, r := range t {
		if r != nil {
			r.close()
		}
	}
}

// add queues packet i of batch.
func (t *txRings) add(batch []Datagram, i int, to *hop) error {
	n := batch[i].Len()
	for _, r := range t {
		if r.fits(n) {
			return r.add(batch, i, to)
		}
	}
	batch[i].Fate = Failed
	return fmt.Errorf("send %d bytes: %w", n, unix.EMSGSIZE)
}

// flush sends what is queued.
func (t *txRings) flush(batch []Datagram) (last error) {
	for _, r := range t {
		if r != nil && len(r.queued) > 0 {
			if err := r.flush(batch); err != nil {
				last = err
			}
		}
	}
	return last
}
