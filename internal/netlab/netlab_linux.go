package netlab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// NS is a network namespace.
type NS struct {
	fd netns.NsHandle
	nl *netlink.Handle
}

// probe tells why namespaces cannot be made; nil when they can.
func probe() error {
	fd, err := create()
	if err != nil {
		return err
	}
	return fd.Close()
}

// create makes a namespace, from a thread that ends afterwards.
func create() (netns.NsHandle, error) {
	type result struct {
		fd  netns.NsHandle
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- result{-1, fmt.Errorf("unshare: %w", err)}
			return
		}
		fd, err := netns.GetFromPath(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		done <- result{fd, err}
	}()
	r := <-done
	return r.fd, r.err
}

// New makes a namespace with its loopback interface up. It is gone after the test.
func New(t testing.TB) *NS {
	t.Helper()
	fd, err := create()
	if err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	nl, err := netlink.NewHandleAt(fd)
	if err != nil {
		fd.Close()
		t.Fatalf("open netlink in namespace: %v", err)
	}
	n := &NS{fd: fd, nl: nl}
	t.Cleanup(func() {
		nl.Close()
		fd.Close()
	})
	n.Up(t, "lo")
	return n
}

// Do calls f on a thread within the namespace. Sockets that f opens stay in it;
// goroutines that f starts do not run in it.
func (n *NS) Do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := netns.Set(n.fd); err != nil {
			done <- fmt.Errorf("enter namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Start starts a program within the namespace. Its output goes to t's log through
// standard error; it is killed after the test.
func (n *NS) Start(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := n.Do(cmd.Start); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// FD is the descriptor of the namespace, for calls that move a device into it.
func (n *NS) FD() int { return int(n.fd) }

// Route sends all IPv4 packets of the namespace by the interface called name to the
// router gw.
func (n *NS) Route(t testing.TB, name, gw string) {
	t.Helper()
	all := &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
	r := &netlink.Route{LinkIndex: n.Link(t, name).Attrs().Index, Dst: all, Gw: netip.MustParseAddr(gw).AsSlice()}
	if err := n.nl.RouteReplace(r); err != nil {
		t.Fatalf("route by %s: %v", gw, err)
	}
}

// Link returns the interface called name.
func (n *NS) Link(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := n.nl.LinkByName(name)
	if err != nil {
		t.Fatalf("find interface %s: %v", name, err)
	}
	return l
}

// MAC returns the Ethernet address of the interface called name.
func (n *NS) MAC(t testing.TB, name string) [6]byte {
	t.Helper()
	return [6]byte(n.Link(t, name).Attrs().HardwareAddr)
}

// Up sets the interface called name up.
func (n *NS) Up(t testing.TB, name string) {
	t.Helper()
	if err := n.nl.LinkSetUp(n.Link(t, name)); err != nil {
		t.Fatalf("set %s up: %v", name, err)
	}
}

// Down sets the interface called name down.
func (n *NS) Down(t testing.TB, name string) {
	t.Helper()
	if err := n.nl.LinkSetDown(n.Link(t, name)); err != nil {
		t.Fatalf("set %s down: %v", name, err)
	}
}

// Delete removes the interface called name, and its peer.
func (n *NS) Delete(t testing.TB, name string) {
	t.Helper()
	if err := n.nl.LinkDel(n.Link(t, name)); err != nil {
		t.Fatalf("delete %s: %v", name, err)
	}
}

// Addr adds address and prefix length, such as "10.0.0.1/24", to the interface called
// name.
func (n *NS) Addr(t testing.TB, name, prefix string) {
	t.Helper()
	p := netip.MustParsePrefix(prefix)
	a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD // or it cannot be used for a second
	}
	if err := n.nl.AddrAdd(n.Link(t, name), a); err != nil {
		t.Fatalf("add %s to %s: %v", prefix, name, err)
	}
}

// MTU sets the MTU of the interface called name.
func (n *NS) MTU(t testing.TB, name string, mtu int) {
	t.Helper()
	if err := n.nl.LinkSetMTU(n.Link(t, name), mtu); err != nil {
		t.Fatalf("set MTU %d on %s: %v", mtu, name, err)
	}
}

// Veth joins a and b by a pair of interfaces, called nameA in a and nameB in b, and
// sets both up.
func Veth(t testing.TB, a *NS, nameA string, b *NS, nameB string) {
	t.Helper()
	v := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: nameA},
		PeerName:      nameB,
		PeerNamespace: netlink.NsFd(b.fd),
	}
	if err := a.nl.LinkAdd(v); err != nil {
		t.Fatalf("make veth %s - %s: %v", nameA, nameB, err)
	}
	a.Up(t, nameA)
	b.Up(t, nameB)
}
