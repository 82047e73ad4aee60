// Package e2e runs the built binary: captures in, events out. It holds tests
// only. Tests on data of the folder ../shared say so when they skip.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is the program under test.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if task := os.Getenv(taskEnv); task != "" {
		return perform(task, os.Args[1:]) // this binary stands for a program of an instance
	}
	dir, err := os.MkdirTemp("", "mirador-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = filepath.Join(dir, "mirador")
	out, err := exec.Command("go", "build", "-o", bin, "mirador/cmd/mirador").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the binary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// shared returns a path below ../shared, or skips.
func shared(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: %s is not here", path)
	}
	return path
}

// event is one EVE record.
type event map[string]any

func (e event) str(keys ...string) string {
	var v any = map[string]any(e)
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[k]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// replay runs mirador replay on a capture and returns its events and what it
// printed to stderr.
func replay(t *testing.T, pcap string, args ...string) ([]event, string) {
	t.Helper()
	out := t.TempDir()
	cmd := exec.Command(bin, append([]string{"replay", pcap, "--out", out, "-k", "none", "-o", "none", "--rules-errors", "warn"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("replay %s: %v\n%s", pcap, err, stderr.String())
	}
	return events(t, filepath.Join(out, "eve.json")), stderr.String()
}

func events(t *testing.T, path string) []event {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []event
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 64<<20)
	for sc.Scan() {
		if !json.Valid(sc.Bytes()) {
			t.Fatalf("%s: invalid JSON: %s", path, sc.Text())
		}
		var e event
		d := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		d.UseNumber()
		if err := d.Decode(&e); err != nil {
			t.Fatalf("%s: %v: %s", path, err, sc.Text())
		}
		list = append(list, e)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// count returns how many events have this type.
func count(list []event, typ string) int {
	n := 0
	for _, e := range list {
		if e.str("event_type") == typ {
			n++
		}
	}
	return n
}
