package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"mirador/internal/packet"
)

// lenVLANTag is the room left before each frame, for the VLAN tag that the kernel has
// taken off and that is put back.
const lenVLANTag = 4

// tpacketHdrLen is sizeof(struct tpacket3_hdr), after which a sockaddr_ll comes
// (TPACKET_ALIGN is 16).
const tpacketHdrLen = 48

// AFPacket reads frames of a network interface from one ring (TPACKET_V3).
type AFPacket struct {
	opts  AFPacketOptions
	group *ringGroup

	// reading is held while Read runs or a block is given back, so that Close does not
	// unmap the ring under them.
	reading sync.Mutex
	ring    ring   // fd is -1 while the interface is away
	wake    int    // eventfd
	mapped  uint64 // counts the mappings of rings

	// mu guards the descriptor against Close in Stats, and the sums of the kernel's counts.
	mu      sync.Mutex
	fd      int
	drops   uint64
	freezes uint64

	closed    atomic.Bool
	frames    atomic.Uint64
	bytes     atomic.Uint64
	truncated atomic.Uint64
	replugs   atomic.Uint64
	gone      atomic.Bool
}

// ringGroup is what the rings of one OpenAFPacket share: the fanout group, which is
// another one for each incarnation of the interface.
type ringGroup struct {
	mu      sync.Mutex
	ifindex int
	id      int
	steer   error
}

// ring is an open socket with its memory.
type ring struct {
	fd      int
	ifindex int
	mem     []byte
	blocks  []ringBlock
	cur     int // block that is read next
	left    int // packets left in it
	pos     int // offset of the next of them in mem
}

// ringBlock is one block of a ring, given to the kernel or to us by its status word.
type ringBlock struct {
	owner  *AFPacket
	status *uint32
	mapped uint64 // the mapping it is in
}

// release gives the block back to the kernel, if it is still mapped.
func (r *ringBlock) release() {
	r.owner.reading.Lock()
	if r.mapped == r.owner.mapped {
		atomic.StoreUint32(r.status, unix.TP_STATUS_KERNEL)
	}
	r.owner.reading.Unlock()
}

// OpenAFPacket opens o.Rings rings on o.Iface and returns a reader for each. Needs
// CAP_NET_RAW. Unless o.NoSteer, both directions of a flow inside VXLAN or GENEVE reach
// the same ring.
func OpenAFPacket(o AFPacketOptions) ([]*AFPacket, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	group := &ringGroup{}
	var all []*AFPacket
	for range o.Rings {
		a, err := newAFPacket(o, group)
		if err != nil {
			for _, a := range all {
				a.Close()
			}
			return nil, fmt.Errorf("capture on %q: %w", o.Iface, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func newAFPacket(o AFPacketOptions, group *ringGroup) (*AFPacket, error) {
	a := &AFPacket{opts: o, group: group, fd: -1}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	a.wake = wake
	if err := a.open(); err != nil {
		unix.Close(wake)
		return nil, err
	}
	return a, nil
}

// open opens the socket and its ring, and joins the group.
func (a *AFPacket) open() error {
	iface, err := net.InterfaceByName(a.opts.Iface)
	if err != nil {
		return err
	}
	// Protocol 0: nothing is received before bind.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	r := ring{fd: fd, ifindex: iface.Index}
	if err := a.setup(&r); err != nil {
		r.close()
		return err
	}
	a.mu.Lock()
	a.fd = fd
	a.mu.Unlock()
	a.ring = r
	return nil
}

// setup sets the options of r.fd, maps its ring, binds it and joins the group.
func (a *AFPacket) setup(r *ring) error {
	vnet := 0
	if a.opts.Offload {
		vnet = 1
	}
	for _, s := range []struct {
		name       string
		opt, value int
	}{
		{"PACKET_VERSION", unix.PACKET_VERSION, unix.TPACKET_V3},
		{"PACKET_VNET_HDR", unix.PACKET_VNET_HDR, vnet},
		{"PACKET_RESERVE", unix.PACKET_RESERVE, lenVLANTag},
	} {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, s.opt, s.value); err != nil {
			return os.NewSyscallError("setsockopt "+s.name, err)
		}
	}
	// Since Linux 4.20; before, take leaves out what the host itself sends.
	if !a.opts.Outgoing {
		unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	}
	switch {
	case len(a.opts.Ports) > 0:
		if err := attach(r.fd, portFilter(a.opts.Ports)); err != nil {
			return err
		}
	case a.opts.SkipMark != 0:
		if err := attach(r.fd, markFilter(a.opts.SkipMark)); err != nil {
			return err
		}
	}
	if err := a.mapRing(r); err != nil {
		return err
	}
	if a.opts.Promiscuous {
		mreq := unix.PacketMreq{Ifindex: int32(r.ifindex), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
			return os.NewSyscallError("setsockopt PACKET_ADD_MEMBERSHIP", err)
		}
	}
	sa := &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: r.ifindex}
	if err := unix.Bind(r.fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if a.opts.Rings > 1 {
		return a.group.join(r, a.opts)
	}
	return nil
}

// mapRing makes the ring and maps it.
func (a *AFPacket) mapRing(r *ring) error {
	const frameSize = 1 << 11 // a formality: TPACKET_V3 packs frames of any length
	size, n := a.opts.BlockSize, a.opts.Blocks
	req := unix.TpacketReq3{
		Block_size:     uint32(size),
		Block_nr:       uint32(n),
		Frame_size:     frameSize,
		Frame_nr:       uint32(size / frameSize * n),
		Retire_blk_tov: uint32(max(a.opts.Retire/time.Millisecond, 1)),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return os.NewSyscallError("setsockopt PACKET_RX_RING", err)
	}
	mem, err := unix.Mmap(r.fd, 0, size*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	r.mem = mem
	r.blocks = make([]ringBlock, n)
	for i := range r.blocks {
		h := r.header(i, size)
		r.blocks[i] = ringBlock{owner: a, status: &h.Block_status, mapped: a.mapped}
	}
	return nil
}

// header returns the header of block i.
func (r *ring) header(i, blockSize int) *unix.TpacketHdrV1 {
	desc := (*unix.TpacketBlockDesc)(unsafe.Pointer(&r.mem[i*blockSize]))
	return (*unix.TpacketHdrV1)(unsafe.Pointer(&desc.Hdr[0]))
}

// close frees what r has.
func (r *ring) close() error {
	if r.mem != nil {
		unix.Munmap(r.mem)
		r.mem = nil
	}
	err := unix.Close(r.fd)
	r.fd = -1
	return os.NewSyscallError("close", err)
}

// join makes r a member of the fanout group. The first one on an interface makes the
// group, under an id the kernel chooses, and gives it the steering program.
func (g *ringGroup) join(r *ring, o AFPacketOptions) error {
	const flagUniqueID = 0x2000 // PACKET_FANOUT_FLAG_UNIQUEID
	g.mu.Lock()
	defer g.mu.Unlock()
	kind := unix.PACKET_FANOUT_CBPF
	if o.NoSteer {
		kind = unix.PACKET_FANOUT_HASH
	}
	if g.ifindex == r.ifindex {
		err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, g.id|kind<<16)
		return os.NewSyscallError("setsockopt PACKET_FANOUT", err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, (kind|flagUniqueID)<<16); err != nil {
		return os.NewSyscallError("setsockopt PACKET_FANOUT", err)
	}
	v, err := unix.GetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return os.NewSyscallError("getsockopt PACKET_FANOUT", err)
	}
	g.ifindex, g.id = r.ifindex, v&0xffff
	if o.NoSteer {
		g.steer = errNotAsked
		return nil
	}
	prog, err := steerProgram(steerIP, o.Rings, o.Seed)
	if err != nil {
		return err
	}
	filter := sockFilter(prog)
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// Without a program everything goes to the first ring: that is no fall-back.
	err = unix.SetsockoptSockFprog(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, &fprog)
	return os.NewSyscallError("setsockopt PACKET_FANOUT_DATA", err)
}

// htons returns v in network order.
func htons(v uint16) uint16 { return ntohs(v) }

// markFilter passes over the packets of sockets with this mark.
func markFilter(mark uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtMark},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: mark, SkipFalse: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 1<<32 - 1},
	}
}

// attach gives fd a filter.
func attach(fd int, program []bpf.Instruction) error {
	prog, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := sockFilter(prog)
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog)
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
}

// Steering returns nil when both directions of a flow inside a tunnel reach the same
// ring, and otherwise why they may not.
func (a *AFPacket) Steering() error {
	a.group.mu.Lock()
	defer a.group.mu.Unlock()
	return a.group.steer
}

// Read fills b with frames. While the interface is away there are none.
func (a *AFPacket) Read(b *Batch, wait time.Duration) error {
	b.Release()
	a.reading.Lock()
	defer a.reading.Unlock()
	var until time.Time
	for {
		if a.closed.Load() {
			return ErrClosed
		}
		if a.ring.fd >= 0 && a.take(b) {
			return nil
		}
		if wait == 0 {
			return nil
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
		if err := a.await(wait); err != nil {
			return err
		}
	}
}

// await waits for a block, for Close, or for the interface to come back.
func (a *AFPacket) await(wait time.Duration) error {
	if a.ring.fd < 0 {
		return a.replug(wait)
	}
	ms := -1
	if wait >= 0 {
		ms = int(min((wait+time.Millisecond-1)/time.Millisecond, 1<<30))
	}
	fds := [2]unix.PollFd{{Fd: int32(a.ring.fd), Events: unix.POLLIN | unix.POLLERR}, {Fd: int32(a.wake), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds[:], ms); err != nil && err != unix.EINTR {
		return os.NewSyscallError("poll", err)
	}
	if fds[0].Revents&unix.POLLERR == 0 {
		return nil
	}
	// Reading the error clears it.
	code, err := unix.GetsockoptInt(a.ring.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_ERROR", err)
	}
	switch errno := unix.Errno(code); errno {
	case 0:
		return nil
	case unix.ENETDOWN, unix.ENODEV, unix.ENXIO:
		// Down or removed. One that is down keeps its number, and the kernel goes on by
		// itself when it is up again.
		if _, err := net.InterfaceByIndex(a.ring.ifindex); err == nil {
			return nil
		}
		a.unplug()
		return nil
	default:
		return os.NewSyscallError("capture", errno)
	}
}

// unplug closes the ring of an interface that is gone.
func (a *AFPacket) unplug() {
	a.mu.Lock()
	a.statsLocked()
	a.fd = -1
	a.mu.Unlock()
	a.mapped++
	a.gone.Store(true)
	a.ring.close()
	a.ring = ring{fd: -1}
}

// replug looks for the interface, and waits for a while, until the kernel tells of a new
// one, or until woken.
func (a *AFPacket) replug(wait time.Duration) error {
	links := watchLinks() // before looking, so that nothing is missed
	if links >= 0 {
		defer unix.Close(links)
	}
	if err := a.open(); err == nil {
		a.replugs.Add(1)
		a.gone.Store(false)
		return nil
	} else if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("capture on %q again: %w", a.opts.Iface, err)
	}
	d := replugEvery
	if wait >= 0 {
		d = min(d, wait)
	}
	fds := [2]unix.PollFd{{Fd: int32(a.wake), Events: unix.POLLIN}, {Fd: int32(links), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds[:], int((d+time.Millisecond-1)/time.Millisecond)); err != nil && err != unix.EINTR {
		return os.NewSyscallError("poll", err)
	}
	return nil
}

// watchLinks opens a socket that becomes readable when an interface changes; -1 when there
// is none to be had.
func watchLinks() int {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// take fills b from the current block; false when the kernel still has it.
func (a *AFPacket) take(b *Batch) bool {
	r := &a.ring
	size := a.opts.BlockSize
	block := &r.blocks[r.cur]
	if r.left == 0 {
		if atomic.LoadUint32(block.status)&unix.TP_STATUS_USER == 0 {
			return false
		}
		h := r.header(r.cur, size)
		r.left = int(h.Num_pkts)
		r.pos = r.cur*size + int(h.Offset_to_first_pkt)
	}
	var bytes, truncated uint64
	n := min(r.left, ringFrames)
	for range n {
		h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&r.mem[r.pos]))
		sll := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&r.mem[r.pos+tpacketHdrLen]))
		outgoing := sll.Pkttype == unix.PACKET_OUTGOING
		if !outgoing || a.opts.Outgoing {
			f := r.frame(h, &a.opts)
			f.Outgoing = outgoing
			bytes += uint64(len(f.Data))
			if f.WireLen > len(f.Data) {
				truncated++
			}
			b.Frames = append(b.Frames, f)
		}
		r.pos += int(h.Next_offset)
	}
	if r.left -= n; r.left == 0 {
		b.ring = block
		r.cur = (r.cur + 1) % len(r.blocks)
	}
	a.frames.Add(uint64(len(b.Frames)))
	a.bytes.Add(bytes)
	if truncated > 0 {
		a.truncated.Add(truncated)
	}
	return true
}

// frame returns the frame of h, with its VLAN tag where it was on the wire.
func (r *ring) frame(h *unix.Tpacket3Hdr, o *AFPacketOptions) Frame {
	start := r.pos + int(h.Mac)
	end := start + int(h.Snaplen)
	wire := int(h.Len)
	var off Offload
	if o.Offload {
		off = offloadOf(r.mem[start-lenVnetHdr : start])
	}
	if h.Status&unix.TP_STATUS_VLAN_VALID != 0 && h.Snaplen >= 12 {
		tpid := uint16(etVLAN)
		if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			tpid = h.Hv1.Vlan_tpid
		}
		m := r.mem[start-lenVLANTag : end]
		copy(m, m[lenVLANTag:lenVLANTag+12])
		tci := uint16(h.Hv1.Vlan_tci)
		m[12], m[13], m[14], m[15] = byte(tpid>>8), byte(tpid), byte(tci>>8), byte(tci)
		start -= lenVLANTag
		wire += lenVLANTag
		off.shift(lenVLANTag)
	}
	return Frame{
		Data:    r.mem[start:end:end],
		WireLen: max(wire, end-start),
		Time:    int64(h.Sec)*1e9 + int64(h.Nsec),
		Link:    packet.LinkEthernet,
		Offload: off,
	}
}

// statsLocked adds up the kernel's counts, which start again when read.
func (a *AFPacket) statsLocked() {
	if a.fd < 0 {
		return
	}
	s, err := unix.GetsockoptTpacketStatsV3(a.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return
	}
	a.drops += uint64(s.Drops)
	a.freezes += uint64(s.Freeze_q_cnt)
}

// Stats returns the counters.
func (a *AFPacket) Stats() Stats {
	a.mu.Lock()
	a.statsLocked()
	drops, freezes := a.drops, a.freezes
	a.mu.Unlock()
	return Stats{
		Frames:    a.frames.Load(),
		Bytes:     a.bytes.Load(),
		Drops:     drops,
		Freezes:   freezes,
		Truncated: a.truncated.Load(),
		Replugs:   a.replugs.Load(),
		Gone:      a.gone.Load(),
	}
}

// Gone tells whether the interface is not there now. It is cheap enough to ask after
// every Read.
func (a *AFPacket) Gone() bool { return a.gone.Load() }

// Close wakes a waiting Read and frees the ring.
func (a *AFPacket) Close() error {
	if a.closed.Swap(true) {
		return nil
	}
	one := [8]byte{1}
	unix.Write(a.wake, one[:])
	a.reading.Lock()
	defer a.reading.Unlock()
	a.mapped++
	var err error
	if a.ring.fd >= 0 {
		a.mu.Lock()
		a.statsLocked()
		a.fd = -1
		a.mu.Unlock()
		err = a.ring.close()
	}
	unix.Close(a.wake)
	return err
}
