package vpc

import (
	"bytes"
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
	last []byte // of the run's file
}

// ErrNameTaken is returned by Start when another process has a run of the same name.
var ErrNameTaken = errors.New("another run has this name")

// claim takes the name of a run. What a crashed run of that name has left is removed.
func claim(name string) (*owner, error) {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return nil, err
	}
	for range 10 {
		f, err := os.OpenFile(lockPath(name), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			return nil, fmt.Errorf("%q: %w", name, ErrNameTaken)
		}
		// The file may have been removed by the run that had it, just before.
		a, errA := f.Stat()
		b, errB := os.Stat(lockPath(name))
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return &owner{f: f, name: name}, nil
		}
		f.Close()
	}
	return nil, fmt.Errorf("%q: %w", name, ErrNameTaken)
}

// alive tells whether a process has the run name.
func alive(name string) bool {
	f, err := os.Open(lockPath(name))
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// write writes what the run has, unless that is what the file says.
func (o *owner) write(r *RunFile) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil || bytes.Equal(b, o.last) {
		return err
	}
	path := runPath(o.name)
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return err
	}
	o.last = b
	return os.Rename(path+".new", path)
}

// release removes the run's files and lets the name go.
func (o *owner) release() {
	rest, _ := filepath.Glob(resolvPath(o.name, "*"))
	for _, p := range append(rest, socketPath(o.name), runPath(o.name)+".new", runPath(o.name), lockPath(o.name)) {
		os.Remove(p)
	}
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
		r, err := readRun(runPath(name))
		if errors.Is(err, os.ErrNotExist) {
			continue // it is starting, or ending
		}
		if err != nil {
			return out, err
		}
		out = append(out, *r)
	}
	return out, nil
}
