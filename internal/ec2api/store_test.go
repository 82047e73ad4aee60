package ec2api

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGroupCommit writes once for all changes that were there when the write began.
func TestGroupCommit(t *testing.T) {
	d, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	made := uint64(5) // generations that there are
	encode := func(bool, uint64) ([]byte, uint64, error) { return []byte("state"), made, nil }
	for _, c := range []struct {
		gen    uint64
		writes int
	}{{1, 1}, {3, 1}, {5, 1}, {6, 2}} {
		if c.gen > made {
			made = c.gen
		}
		if err := d.sync(c.gen, encode); err != nil {
			t.Fatal(err)
		}
		if d.writes != c.writes {
			t.Errorf("after generation %d: %d writes, want %d", c.gen, d.writes, c.writes)
		}
	}
}

// TestFailedWrite answers a change that could not be stored with an error, and the next
// one stores both.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	v, err := New(Options{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	// A folder in the place of the journal makes every write of it fail, one in the place of
	// the file that is written aside every write of the state.
	block, log := filepath.Join(dir, stateName+".tmp"), filepath.Join(dir, journalName)
	for _, d := range []string{block, log} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if w := ask(v, "CreateTrafficMirrorFilter", "ClientToken", "k"); w.Code != 500 {
		t.Errorf("a change that was not journalled = %d %s", w.Code, w.Body)
	}
	if w := ask(v, "CreateTrafficMirrorFilter", "ClientToken", "k"); w.Code != 500 {
		t.Errorf("a change that was not stored = %d %s", w.Code, w.Body)
	}
	for _, d := range []string{block, log} {
		if err := os.Remove(d); err != nil {
			t.Fatal(err)
		}
	}
	if w := ask(v, "CreateTrafficMirrorFilter", "ClientToken", "k"); w.Code != 200 {
		t.Errorf("repeated = %d %s", w.Code, w.Body)
	}
	v.Close()
	again, err := New(Options{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := len(again.Snapshot().Mirroring.Filters); n != 1 {
		t.Errorf("%d filters on disk, want 1", n)
	}
}
