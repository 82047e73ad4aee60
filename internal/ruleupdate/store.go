package ruleupdate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The names in the state folder.
const (
	// Current is the symbolic link to the version in use; a sensor reads
	// DIR/current/*.rules.
	Current       = "current"
	versionsDir   = "versions"
	cacheDir      = "cache"
	lockFile      = "lock"
	infoFile      = "info.json"
	classFile     = "classification.config"
	referenceFile = "reference.config"
	asidePrefix   = ".new-"
)

// ErrLocked says that another update is at work in the same folder.
var ErrLocked = errors.New("another update is running")

// Info is what a version knows about itself (info.json). Fields are only ever added.
type Info struct {
	Version  int       `json:"version"`
	Previous int       `json:"previous,omitempty"` // the version it took the place of, 0 for none
	Created  time.Time `json:"created"`
	Sources  []string  `json:"sources"`
	Rules    int       `json:"rules"`
	Enabled  int       `json:"enabled"`
	Refused  []uint32  `json:"refused,omitempty"` // sids that did not compile
}

// versionName is the folder of version n, below the state folder.
func versionName(n int) string { return filepath.Join(versionsDir, fmt.Sprintf("%06d", n)) }

// prepare makes the folders and clears what a crash has left. The lock is held.
func prepare(dir string) error {
	for _, d := range []string{versionsDir, cacheDir} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	list, err := os.ReadDir(filepath.Join(dir, versionsDir))
	if err != nil {
		return err
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), asidePrefix) {
			if err := os.RemoveAll(filepath.Join(dir, versionsDir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// versions returns the numbers on disk, in rising order.
func versions(dir string) ([]int, error) {
	list, err := os.ReadDir(filepath.Join(dir, versionsDir))
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range list {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 && e.IsDir() && filepath.Base(versionName(n)) == e.Name() {
			out = append(out, n)
		}
	}
	return out, nil
}

// current returns what the link points to; the zero Info when there is no version.
func current(dir string) (Info, error) {
	to, err := os.Readlink(filepath.Join(dir, Current))
	if errors.Is(err, os.ErrNotExist) {
		return Info{}, nil
	}
	if err != nil {
		return Info{}, fmt.Errorf("%s in %q is not a link made by an update: %w", Current, dir, err)
	}
	n, err := strconv.Atoi(filepath.Base(to))
	if err != nil || n <= 0 || to != versionName(n) {
		return Info{}, fmt.Errorf("%s in %q leads to %q, which is not a version", Current, dir, to)
	}
	return readInfo(dir, n)
}

func readInfo(dir string, n int) (Info, error) {
	var info Info
	b, err := readFile(filepath.Join(dir, versionName(n), infoFile), maxInfoBytes)
	if err != nil {
		return info, fmt.Errorf("read version %d: %w", n, err)
	}
	if err := json.Unmarshal(b, &info); err != nil {
		return info, fmt.Errorf("read version %d: %w", n, err)
	}
	if info.Version != n {
		return info, fmt.Errorf("read version %d: it says that it is version %d", n, info.Version)
	}
	return info, nil
}

// writeSynced writes a file that is on disk when it returns.
func writeSynced(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// syncDir makes renames in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// link points the link to version n, in one step.
func link(dir string, n int) error {
	aside := filepath.Join(dir, Current+".new")
	if err := os.Remove(aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(versionName(n), aside); err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(dir, Current)); err != nil {
		return err
	}
	return syncDir(dir)
}

// prune removes all versions but the newest keep ones of the line that leads to from:
// those a rollback has left behind go too.
func prune(dir string, from Info, keep int) error {
	stay := map[int]bool{}
	for info := from; len(stay) < max(keep, 1); {
		stay[info.Version] = true
		prev, err := readInfo(dir, info.Previous)
		if info.Previous == 0 || err != nil || stay[prev.Version] {
			break
		}
		info = prev
	}
	list, err := versions(dir)
	if err != nil {
		return err
	}
	for _, n := range list {
		if !stay[n] {
			if err := os.RemoveAll(filepath.Join(dir, versionName(n))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rollback points dir back to the version before the current one, and returns both.
func Rollback(dir string) (from, to Info, err error) {
	if _, err := os.Stat(dir); err != nil {
		return from, to, fmt.Errorf("roll back: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, lockFile))
	if err != nil {
		return from, to, err
	}
	defer unlock()
	if from, err = current(dir); err != nil {
		return from, to, err
	}
	if from.Previous == 0 {
		return from, to, &RefusedError{Why: "there is no version before the current one"}
	}
	if to, err = readInfo(dir, from.Previous); err != nil {
		return from, to, &RefusedError{Why: fmt.Sprintf("version %d is not on disk any more", from.Previous)}
	}
	if err := link(dir, to.Version); err != nil {
		return from, to, fmt.Errorf("roll back: %w", err)
	}
	return from, to, nil
}
