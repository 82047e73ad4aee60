package vpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// owner holds the file of a run locked, as long as the run lives.
type owner struct {
	f    *os.File
	name string
}

// ErrNameTaken is returned by Start when another process has a run of the same name.
var ErrNameTaken = errors.New("another run has this name")

// claim takes the name of a run. What a crashed run of that name has left is removed.
func claim(name string) (*owner, error) {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return nil, err
	}
	for range 10 {
		f, err := os.OpenFile(runPath(name), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			return nil, fmt.Errorf("%q: %w", name, ErrNameTaken)
		}
		// The file may have been removed by the run that had it, just before.
		a, errA := f.Stat()
		b, errB := os.Stat(runPath(name))
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return &owner{f, name}, nil
		}
		f.Close()
	}
	return nil, fmt.Errorf("%q: %w", name, ErrNameTaken)
}

// alive tells whether a process has the run name.
func alive(name string) bool {
	f, err := os.Open(runPath(name))
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// write writes what the run has.
func (o *owner) write(r *RunFile) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	// In place: the lock is on this file. Readers that see half of it read again.
	if err := o.f.Truncate(0); err != nil {
		return err
	}
	_, err = o.f.WriteAt(b, 0)
	return err
}

// release removes the run's files and lets the name go.
func (o *owner) release() {
	rest, _ := filepath.Glob(resolvPath(o.name, "*"))
	for _, p := range append(rest, socketPath(o.name)) {
		os.Remove(p)
	}
	os.Remove(runPath(o.name))
	o.f.Close()
}

// Clean removes what runs that have ended without it have left: namespaces, and with
// them their devices. It returns the names of the namespaces.
func Clean() ([]string, error) {
	var removed []string
	for _, name := range runNames() {
		o, err := claim(name)
		if errors.Is(err, ErrNameTaken) {
			continue
		}
		if err != nil {
			return removed, err
		}
		gone, err := sweepNames(name)
		removed = append(removed, gone...)
		if err != nil {
			o.f.Close()
			return removed, err
		}
		o.release()
	}
	return removed, nil
}

// sweepNames removes the namespaces of the run name, which must be claimed.
func sweepNames(name string) ([]string, error) {
	var removed []string
	for _, ns := range namespacesNamed(prefix + name + "-") {
		for _, pid := range pidsIn(ns) {
			unix.Kill(pid, unix.SIGTERM)
		}
		if err := removeNamespace(ns); err != nil {
			return removed, err
		}
		removed = append(removed, ns)
	}
	return removed, nil
}

// Runs returns the files of the runs that are alive.
func Runs() ([]RunFile, error) {
	var out []RunFile
	for _, name := range runNames() {
		if !alive(name) {
			continue
		}
		var r *RunFile
		var err error
		for range 10 { // it may be written just now
			if r, err = readRun(runPath(name)); err == nil {
				break
			}
		}
		if err != nil {
			return out, err
		}
		out = append(out, *r)
	}
	return out, nil
}
