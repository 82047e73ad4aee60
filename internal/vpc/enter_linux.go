package vpc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// resolvPath is the resolver file for instances whose VPC's resolver has this address.
func resolvPath(name, resolver string) string {
	return filepath.Join(runDir, "vpc-"+name+"-resolv-"+resolver)
}

// writeResolver writes the resolver file of an instance.
func writeResolver(name string, i *RunInstance) error {
	if i.Resolver == "" {
		return nil
	}
	text := "# the Amazon resolver of a pretend VPC\nnameserver " + i.Resolver + "\nsearch " + i.Domain + "\n"
	return os.WriteFile(resolvPath(name, i.Resolver), []byte(text), 0o644)
}

// Enter replaces this process by a program that runs within an instance of the run name:
// in its network, with its resolver, seeing its devices in /sys. It returns only with an
// error.
func Enter(name string, i RunInstance, argv, env []string) error {
	if len(argv) == 0 {
		return fmt.Errorf("no program")
	}
	ns, err := openNamespace(i.Namespace)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // for good: this thread becomes the program
	if err := ns.enter(); err != nil {
		return fmt.Errorf("enter %s: %w", i.Namespace, err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "none", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	// Both make things nicer and may be impossible where this machine is a container.
	if unix.Unmount("/sys", unix.MNT_DETACH) == nil {
		unix.Mount(i.Namespace, "/sys", "sysfs", 0, "")
	}
	if i.Resolver != "" {
		unix.Mount(resolvPath(name, i.Resolver), "/etc/resolv.conf", "none", unix.MS_BIND, "")
	}
	return &os.PathError{Op: "exec", Path: path, Err: unix.Exec(path, argv, env)}
}
