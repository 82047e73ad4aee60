package ec2api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/mirror"
)

// journalled makes a few changes and returns the state file and the journal as a crash
// would leave them, and the state that they mean.
func journalled(t testing.TB) (file, log, want []byte) {
	t.Helper()
	dir := t.TempDir()
	v, err := New(Options{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	subnet := v.s.subnets.all()[0].ID
	for i := range 5 {
		for _, w := range []int{
			ask(v, "CreateNetworkInterface", "SubnetId", subnet, "ClientToken", fmt.Sprint("t", i)).Code, ask(v, "CreateTrafficMirrorFilter", "ClientToken", fmt.Sprint("f", i)).Code,
		} {
			if w != 200 {
				t.Fatal(w)
			}
		}
	}
	e := v.s.enis.all()
	ask(v, "CreateTags", "ResourceId.1", e[1].ID, "Tag.1.Key", "a", "Tag.1.Value", "b")
	ask(v, "DeleteNetworkInterface", "NetworkInterfaceId", e[0].ID)
	f := v.s.book.Filters()
	ask(v, "CreateTags", "ResourceId.1", f[1].ID, "Tag.1.Key", "a", "Tag.1.Value", "b")
	ask(v, "DeleteTrafficMirrorFilter", "TrafficMirrorFilterId", f[0].ID)
	ask(v, "AssumeRole", "Version", "2011-06-15")
	if file, err = os.ReadFile(filepath.Join(dir, stateName)); err != nil {
		t.Fatal(err)
	}
	if log, err = os.ReadFile(filepath.Join(dir, journalName)); err != nil {
		t.Fatal(err)
	}
	if want, err = v.s.encode(); err != nil {
		t.Fatal(err)
	}
	return file, log, want
}

// reopened is the state that an endpoint finds in the two files; nil when it refuses them.
func reopened(t testing.TB, file, log []byte) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range map[string][]byte{stateName: file, journalName: log} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v, err := New(Options{StateDir: dir})
	if err != nil {
		return nil, err
	}
	defer v.Close()
	b, err := v.s.encode()
	if err != nil {
		t.Fatal(err)
	}
	// It goes on: a change after what was found is found in its turn.
	if w := ask(v, "CreateTrafficMirrorFilter", "Description", "after"); w.Code != 200 {
		t.Fatalf("a change after the restart: %d %s", w.Code, w.Body)
	}
	for _, name := range []string{stateName, journalName} {
		if file, err := os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		} else if name == journalName && !bytes.Contains(file, []byte(`"after"`)) {
			t.Fatal("the change is not in the journal")
		}
	}
	return b, nil
}

// TestJournalReplay finds after a crash what was answered before it.
func TestJournalReplay(t *testing.T) {
	file, log, want := journalled(t)
	got, err := reopened(t, file, log)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("after the restart:\n%s\nbefore:\n%s", got, want)
	}
	// The state file was written, and the process killed before the journal began anew.
	if got, err = reopened(t, want, log); err != nil || !bytes.Equal(got, want) {
		t.Errorf("with an old journal (%v):\n%s\nbefore:\n%s", err, got, want)
	}
	// A backup with the journal of its successor does not fit.
	last := log[bytes.LastIndex(log, []byte(`{"format"`)):]
	if _, err := reopened(t, file, last); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), journalName) {
		t.Errorf("a journal that begins later: %v", err)
	}
}

// TestJournalTorn cuts the journal at every byte of its last record: the records before it
// count. A flipped bit before that is refused.
func TestJournalTorn(t *testing.T) {
	file, log, _ := journalled(t)
	at := bytes.LastIndex(log, []byte(`{"format"`))
	want, err := reopened(t, file, log[:at])
	if err != nil {
		t.Fatal(err)
	}
	for cut := at; cut < len(log); cut += 1 + (len(log)-at)/40 {
		if got, err := reopened(t, file, log[:cut]); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("cut at byte %d of %d: %v", cut, len(log), err)
		}
		bad := bytes.Clone(log)
		bad[cut] ^= 0x10
		if got, err := reopened(t, file, bad); err == nil && !bytes.Equal(got, want) && cut > at+200 {
			t.Fatalf("damage at byte %d of the last record was taken", cut)
		}
	}
	for at := 0; at < bytes.LastIndex(log[:at], []byte(`{"format"`)); at += 97 {
		bad := bytes.Clone(log)
		bad[at] ^= 0x10
		if _, err := reopened(t, file, bad); err != nil && !errors.Is(err, ErrState) {
			t.Errorf("damage at byte %d: %v", at, err)
		}
	}
}

// TestJournalFolds writes the state file anew when the journal has grown, and at the end.
func TestJournalFolds(t *testing.T) {
	dir := t.TempDir()
	v, err := New(Options{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	size := func(name string) int64 {
		i, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return 0
		}
		return i.Size()
	}
	before, most := size(stateName), int64(0)
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 15_000))
	for n := 0; size(stateName) == before; n++ {
		if n > 200 {
			t.Fatal("the journal grows without end")
		}
		if w := ask(v, "CreateLaunchTemplate", "LaunchTemplateName", fmt.Sprint("name", n), "LaunchTemplateData.UserData", data); w.Code != 200 {
			t.Fatal(w.Body)
		}
		most = max(most, size(journalName))
	}
	if most < minJournal || most > minJournal+100_000 {
		t.Errorf("the journal grew to %d bytes", most)
	}
	count := v.s.templates.count()
	ask(v, "CreateTrafficMirrorFilter")
	if size(journalName) == 0 {
		t.Error("nothing is in the new journal")
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if size(journalName) != 0 {
		t.Error("there is a journal after the end")
	}
	again, err := New(Options{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.s.templates.count() != count || len(again.s.book.Filters()) != 1 {
		t.Errorf("%d templates, %d filters", again.s.templates.count(), len(again.s.book.Filters()))
	}
}

func FuzzJournal(f *testing.F) {
	file, log, _ := journalled(f)
	f.Add(log)
	f.Add(log[:len(log)/2])
	f.Add([]byte(`{"format":"mirador-ec2api-journal","after":1,"generation":2,"bytes":0,"crc32c":0}` + "\n"))
	v, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := readState(file, v.o.Random)
		if err != nil {
			t.Fatal(err)
		}
		n, err := replay(b, list)
		if n < 0 || n > len(b) {
			t.Fatalf("%d of %d bytes are whole", n, len(b))
		}
		if err == nil {
			finish(list, mirror.BookOptions{})
		}
	})
}
