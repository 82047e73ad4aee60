package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirador/internal/config"
)

// The reference page of mirador.yaml is the one that the keys make.
func TestConfigReference(t *testing.T) {
	const path = "../../docs/reference/config.md"
	want := configReference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not in step with the keys: go generate ./cmd/mirador", path)
	}
}

// Every YAML block and every command of the how-to is one that works: blocks are read
// as mirador.yaml or sources, and commands have the subcommands and flags they use.
func TestHowto(t *testing.T) {
	b, err := os.ReadFile("../../docs/howto/sensor.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllSubmatch(b, -1)
	if len(blocks) < 4 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, m := range blocks {
		text := string(m[2])
		switch string(m[1]) {
		case "yaml":
			if strings.HasPrefix(text, "sources:") && strings.Contains(text, "session_id") {
				s := material{sources: func() (string, []byte) { return "howto", m[2] }}
				if _, err := s.readSources(nil); err != nil {
					t.Errorf("%v in\n%s", err, text)
				}
			} else if _, err := config.Parse(m[2], "howto", nil); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
		case "console":
			for _, line := range strings.Split(text, "\n") {
				if cmd, ok := strings.CutPrefix(line, "$ mirador "); ok {
					checkCommand(t, strings.Fields(cmd))
				}
			}
		}
	}
}

// checkCommand checks that a command line exists, without running it.
func checkCommand(t *testing.T, args []string) {
	t.Helper()
	c, rest, err := newRoot().Find(args)
	if err != nil {
		t.Errorf("mirador %s: %v", strings.Join(args, " "), err)
		return
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("mirador %s: %v", strings.Join(args, " "), err)
	}
}

// exposure asks systemd how much a unit may do; lower is better.
func exposure(t *testing.T, text string) float64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mirador.service")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", path).CombinedOutput()
	m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Skipf("systemd-analyze does not judge units offline here: %v\n%s", err, out)
	}
	f, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The unit stays as closed as it was made: 1.3 on sockets, 2.0 or less with AF_PACKET.
func TestUnitExposure(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze")
	}
	unit, err := os.ReadFile("../../deploy/mirador.service")
	if err != nil {
		t.Fatal(err)
	}
	if e := exposure(t, string(unit)); e > 1.3 {
		t.Errorf("exposure %.1f", e)
	}
	drop, err := os.ReadFile("../../deploy/afpacket.conf")
	if err != nil {
		t.Fatal(err)
	}
	// A drop-in that sets a list adds to it; offline there is one file.
	_, keys, _ := strings.Cut(string(drop), "[Service]\n")
	text := string(unit)
	for _, line := range strings.Split(strings.TrimSpace(keys), "\n") {
		name, _, _ := strings.Cut(line, "=")
		if !strings.Contains(text, "\n"+name+"=") {
			t.Errorf("the drop-in sets %s, the unit does not", name)
		}
		text = regexp.MustCompile(`(?m)^`+name+`=.*$`).ReplaceAllString(text, line)
	}
	if e := exposure(t, text); e > 2.0 {
		t.Errorf("exposure with AF_PACKET %.1f", e)
	}
}

// asMirador makes a folder in which "mirador" is this program: the test binary is
// mirador when it is called so (TestMain).
func asMirador(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(dir, "mirador")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Ctrl-C ends a demo that has no end of its own, with its account.
func TestDemoInterrupted(t *testing.T) {
	dir := asMirador(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "mirador"), "demo")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	out := bufio.NewScanner(r)
	var text strings.Builder
	interrupted := false
	for out.Scan() {
		text.WriteString(out.Text() + "\n")
		if !interrupted && strings.Contains(out.Text(), "DEMO ") {
			interrupted = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(text.String(), "balanced: every frame sent is accounted for") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// systemd hands the status page's socket over.
func TestSocketActivation(t *testing.T) {
	dir := asMirador(t)
	l, err := statusListener("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	var stderr bytes.Buffer
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec ./mirador sensor --vxlan 127.0.0.1:0 --geneve '' --eve '' --state '' --management '' --drain 0s`)
	cmd.Dir, cmd.ExtraFiles, cmd.Stderr = dir, []*os.File{f}, &stderr
	port := freeUDP(t)
	cmd.Args[2] = strings.Replace(cmd.Args[2], "127.0.0.1:0", port, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	defer cmd.Process.Kill()
	r := &running{t: t}
	r.eventually("the status page on the socket that was handed over", func() bool {
		c := client{addr: at}
		var st struct{ Status string }
		return c.call(t.Context(), "GET", "/api/2.0/status", &st) == nil && st.Status == "ok"
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%v\n%s", err, stderr.String())
		}
	case <-time.After(patience):
		t.Error("does not end")
	}
}
