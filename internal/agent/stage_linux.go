package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// stage is where clones become frames as on the wire: a bridge that says of itself that
// it can neither cut frames nor compute checksums, so that the kernel does both before it
// hands them over, and a tap as its only port, at which the outer headers are put on.
// Nothing waits on the way: all of it happens while the program that has made the clone
// waits for its call to return. No frame ever leaves the tap.
//
// The tap is gone with its descriptor. The bridge is only with CAP_NET_ADMIN: one that is
// left over is taken again.
type stage struct {
	tap    *os.File
	bridge int // indexes of the interfaces
	port   int
}

// stageName and stagePort are the names of the interfaces, with a number.
const (
	stageName = "mirador%d"
	stagePort = "mirador%dp"
	maxStages = 256
)

// newStage makes a stage in the network namespace of the calling thread. Needs
// CAP_NET_ADMIN and /dev/net/tun.
func newStage() (*stage, error) {
	name, port, err := freeStage()
	if err != nil {
		return nil, err
	}
	s := &stage{}
	if s.tap, err = openTap(port); err != nil {
		return nil, fmt.Errorf("make interface %s: %w", port, err)
	}
	if err := s.join(name, port); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// freeStage returns the names of a stage that is not in use.
func freeStage() (name, port string, err error) {
	for i := range maxStages {
		name, port := fmt.Sprintf(stageName, i), fmt.Sprintf(stagePort, i)
		if _, err := net.InterfaceByName(port); err != nil {
			l, err := netlink.LinkByName(name)
			if err != nil || l.Type() == "bridge" {
				return name, port, nil
			}
		}
	}
	return "", "", errors.New("all stages are in use")
}

// openTap makes a tap that is gone when the file is closed.
func openTap(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("TUNSETIFF", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// join makes the bridge and the tap its port.
func (s *stage) join(name, port string) error {
	off := false
	if _, err := net.InterfaceByName(name); err != nil {
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}, MulticastSnooping: &off}
		if err := netlink.LinkAdd(br); err != nil {
			return fmt.Errorf("make bridge %s: %w", name, err)
		}
	}
	b, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	p, err := netlink.LinkByName(port)
	if err != nil {
		return err
	}
	s.bridge, s.port = b.Attrs().Index, p.Attrs().Index
	for _, n := range []string{name, port} {
		// Neither speaks for itself. A kernel without IPv6 has no such file.
		os.WriteFile("/proc/sys/net/ipv6/conf/"+n+"/disable_ipv6", []byte("1"), 0)
	}
	if err := noOffloads(name); err != nil {
		return fmt.Errorf("turn off offloads of %s: %w", name, err)
	}
	for _, f := range []func() error{
		func() error { return netlink.LinkSetMTU(p, stageMTU) },
		func() error { return netlink.LinkSetMaster(p, &netlink.Bridge{LinkAttrs: *b.Attrs()}) },
		func() error { return netlink.LinkSetMTU(b, stageMTU) },
		func() error { return netlink.LinkSetUp(p) },
		func() error { return netlink.LinkSetUp(b) },
	} {
		if err := f(); err != nil {
			return fmt.Errorf("set up %s: %w", name, err)
		}
	}
	return nil
}

// close frees what can be.
func (s *stage) close() {
	if s.bridge > 0 {
		if l, err := netlink.LinkByIndex(s.bridge); err == nil {
			netlink.LinkDel(l) // refused without CAP_NET_ADMIN
		}
	}
	if s.tap != nil {
		s.tap.Close()
	}
}

// Commands of ioctl SIOCETHTOOL, uapi/linux/ethtool.h.
const (
	ethtoolTxChecksum = 0x17
	ethtoolTSO        = 0x1f
	ethtoolFlags      = 0x26 // VLAN tags among them
)

// noOffloads makes the kernel do everything for the interface that hardware might.
func noOffloads(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for _, cmd := range []uint32{ethtoolTSO, ethtoolTxChecksum, ethtoolFlags} {
		value := struct{ cmd, data uint32 }{cmd, 0}
		req := struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte // union ifr_ifru is 24 bytes long
		}{data: unsafe.Pointer(&value)}
		copy(req.name[:unix.IFNAMSIZ-1], name)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); errno != 0 {
			return os.NewSyscallError(fmt.Sprintf("SIOCETHTOOL %#x", cmd), errno)
		}
	}
	return nil
}
