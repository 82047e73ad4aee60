package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"mirador/internal/setup"
)

// The files under deploy/ are those that the program makes; -update writes them.
func TestDeployDocs(t *testing.T) {
	files, err := deployFiles(setup.DeployOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	dirs := map[string]bool{}
	for _, f := range files {
		if strings.HasPrefix(f.Path, "systemd/") {
			continue // they are made of those in deploy itself
		}
		path := filepath.Join("../../deploy", filepath.FromSlash(f.Path))
		want[path], dirs[filepath.Dir(path)] = true, true
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, path, f.Data)
	}
	for dir := range dirs {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if !want[filepath.Join(dir, e.Name())] {
				t.Errorf("%s is not made by the program", filepath.Join(dir, e.Name()))
			}
		}
	}
	if !slices.Contains(sortedPaths(files), "iam/watch.json") {
		t.Error("no policy of watch")
	}
}

func sortedPaths(files []setup.File) (out []string) {
	for _, f := range files {
		out = append(out, f.Path)
	}
	slices.Sort(out)
	return out
}

// Every unit is as closed as it can be.
func TestUnitsExposure(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("no systemd-analyze")
	}
	list, err := filepath.Glob("../../deploy/*.service")
	if err != nil || len(list) < 3 {
		t.Fatal(list, err)
	}
	for _, path := range list {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if e := exposure(t, string(b)); e > 2.0 {
			t.Errorf("%s: exposure %.1f", path, e)
		}
	}
}

// A sensor takes the configuration that user data writes, and its script is one for sh.
func TestUserDataWorks(t *testing.T) {
	b, err := os.ReadFile("../../deploy/cloud-init/sensor.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Files []struct{ Path, Content string } `yaml:"write_files"`
	}
	if err := yaml.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sh := func(script string) {
		t.Helper()
		c := exec.Command("sh", "-euc", script)
		c.Env = append(os.Environ(), "PATH="+asMirador(t)+":"+os.Getenv("PATH"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	for _, f := range v.Files {
		path := filepath.Join(dir, filepath.Base(f.Path))
		if err := os.WriteFile(path, []byte(f.Content), 0o644); err != nil {
			t.Fatal(err)
		}
		switch filepath.Base(f.Path) {
		case "mirador.yaml":
			text := strings.ReplaceAll(f.Content, "/etc/mirador/", dir+"/")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		case "install-mirador":
			program, sum := filepath.Join(dir, "program"), sha256.Sum256([]byte("program"))
			if err := os.WriteFile(program, []byte("program"), 0o644); err != nil {
				t.Fatal(err)
			}
			rules := filepath.Join(dir, "my.rules")
			if err := os.WriteFile(rules, []byte("alert tcp any any -> any any (msg:\"x\"; sid:1;)\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := exec.LookPath("curl"); err != nil {
				t.Skip("no curl")
			}
			sh(strings.NewReplacer("https://example.com/mirador-linux-amd64", "file://"+program, strings.Repeat("0", 64), hex.EncodeToString(sum[:]), "/usr/bin/mirador", dir+"/installed",
				"/etc/mirador/", dir+"/", "--source et/open", "--source "+rules).Replace(f.Content))
			if b, err := os.ReadFile(dir + "/installed"); err != nil || string(b) != "program" {
				t.Errorf("installed %q: %v", b, err)
			}
			sh("mirador config check " + dir + "/mirador.yaml")
			if list, err := filepath.Glob(dir + "/rules/current/*.rules"); err != nil || len(list) != 2 {
				t.Errorf("rules %v %v", list, err)
			}
		}
	}
}
