package vpc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// netnsDir is where ip-netns(8) keeps names of network namespaces.
const netnsDir = "/run/netns"

// namespace is a network namespace with a name that ip-netns(8) knows too.
type namespace struct {
	name string

	mu     sync.RWMutex // mu guards closed, and fd against being closed while it is used
	closed bool
	fd     netns.NsHandle
	nl     *netlink.Handle
}

// newNamespace makes the namespace name, with its loopback interface up.
func newNamespace(name string) (*namespace, error) {
	if err := shareNetnsDir(); err != nil {
		return nil, err
	}
	path := filepath.Join(netnsDir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0)
	if err != nil {
		return nil, err
	}
	f.Close()
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- os.NewSyscallError("unshare", err)
			return
		}
		self := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
		made <- os.NewSyscallError("mount", unix.Mount(self, path, "none", unix.MS_BIND, ""))
	}()
	if err := <-made; err != nil {
		os.Remove(path)
		return nil, err
	}
	n, err := openNamespace(name)
	if err != nil {
		removeNamespace(name)
		return nil, err
	}
	if lo, err := n.nl.LinkByName("lo"); err == nil {
		n.nl.LinkSetUp(lo)
	}
	return n, nil
}

// openNamespace opens a namespace that exists.
func openNamespace(name string) (*namespace, error) {
	fd, err := netns.GetFromPath(filepath.Join(netnsDir, name))
	if err != nil {
		return nil, fmt.Errorf("open network namespace %s: %w", name, err)
	}
	nl, err := netlink.NewHandleAt(fd)
	if err != nil {
		fd.Close()
		return nil, fmt.Errorf("open netlink in %s: %w", name, err)
	}
	return &namespace{name: name, fd: fd, nl: nl}, nil
}

// shareNetnsDir makes the folder of names as ip-netns(8) does, so that a name removed
// here is removed everywhere.
func shareNetnsDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if errors.Is(err, unix.EINVAL) { // not a mount yet
		if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return os.NewSyscallError("mount", err)
		}
		err = unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	}
	return os.NewSyscallError("mount", err)
}

// close forgets the descriptors; the name stays.
func (n *namespace) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	n.nl.Close()
	n.fd.Close()
}

// remove ends the namespace: its processes are asked to end, its devices go with it.
func (n *namespace) remove() error {
	for _, pid := range pidsIn(n.name) {
		unix.Kill(pid, unix.SIGTERM)
	}
	n.close()
	return removeNamespace(n.name)
}

// removeNamespace removes the name of a namespace. It stays as long as a process is in
// it, without a way to anywhere.
func removeNamespace(name string) error {
	path := filepath.Join(netnsDir, name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return os.NewSyscallError("umount", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// pidsIn lists the processes in a namespace.
func pidsIn(name string) []int {
	var want unix.Stat_t
	if unix.Stat(filepath.Join(netnsDir, name), &want) != nil {
		return nil
	}
	dirs, _ := os.ReadDir("/proc")
	var out []int
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(filepath.Join("/proc", d.Name(), "ns/net"), &st) == nil && st.Ino == want.Ino && st.Dev == want.Dev {
			out = append(out, pid)
		}
	}
	return out
}

// namespacesNamed lists the namespaces whose name begins with prefix.
func namespacesNamed(prefix string) []string {
	dirs, _ := os.ReadDir(netnsDir)
	var out []string
	for _, d := range dirs {
		if strings.HasPrefix(d.Name(), prefix) {
			out = append(out, d.Name())
		}
	}
	return out
}

// in runs f on a thread within the namespace. Sockets and files of /proc/sys/net that f
// opens are of it; goroutines that f starts are not.
func (n *namespace) in(f func() error) error {
	ran := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := n.enter(); err != nil {
			ran <- fmt.Errorf("enter %s: %w", n.name, err)
			return
		}
		ran <- f()
	}()
	return <-ran
}

// enter moves the calling thread into the namespace, for good.
func (n *namespace) enter() error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return os.ErrClosed
	}
	return netns.Set(n.fd)
}

// setctl writes a setting of the namespace below /proc/sys/net. It is called within in.
// A kernel without it goes without.
func setctl(path, value string) {
	os.WriteFile(filepath.Join("/proc/sys/net", path), []byte(value), 0)
}
