package vpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// runDir has two files for each run on this machine: one that its process holds locked,
// and one that says what the run has.
const runDir = "/run/mirador"

// RunFile is what a run writes down for others: mirador vpc ls, exec, and the next run
// that cleans up after a crash.
type RunFile struct {
	Name      string        `json:"name"`
	PID       int           `json:"pid"`
	Endpoint  string        `json:"endpoint,omitempty"`
	Region    string        `json:"region,omitempty"`
	Instances []RunInstance `json:"instances,omitempty"`
}

// RunInstance is an instance with a namespace.
type RunInstance struct {
	ID        string   `json:"id"`
	Name      string   `json:"name,omitempty"` // tag Name
	Type      string   `json:"type,omitempty"`
	Namespace string   `json:"namespace"`
	Resolver  string   `json:"resolver,omitempty"` // address of its VPC's
	Domain    string   `json:"domain,omitempty"`
	Devices   []string `json:"devices,omitempty"` // "eth0 eni-... 10.0.0.5"
}

// Find returns the instance with this id, or name if only one has it.
func (r *RunFile) Find(which string) (RunInstance, error) {
	var found []RunInstance
	for _, i := range r.Instances {
		if i.ID == which || i.Namespace == which {
			return i, nil
		}
		if strings.EqualFold(i.Name, which) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return RunInstance{}, fmt.Errorf("no instance %q in run %q", which, r.Name)
	}
	return RunInstance{}, fmt.Errorf("%d instances are called %q in run %q", len(found), which, r.Name)
}

func runPath(name string) string  { return filepath.Join(runDir, "vpc-"+name+".json") }
func lockPath(name string) string { return filepath.Join(runDir, "vpc-"+name+".lock") }

// ErrNoRun is returned by Runs' callers that need one and find none.
var ErrNoRun = errors.New("no pretend VPC is running on this machine")

// maxRunFile bounds what is read of a run's file, in bytes.
const maxRunFile = 16 << 20

// readRun reads the file of a run.
func readRun(path string) (*RunFile, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxRunFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, st.Size(), maxRunFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &RunFile{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return r, nil
}

// runNames lists the names of the runs that have a file to lock.
func runNames() []string {
	paths, _ := filepath.Glob(lockPath("*"))
	var out []string
	for _, p := range paths {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(p), "vpc-"), ".lock")
		if ValidName(name) {
			out = append(out, name)
		}
	}
	return out
}
