package step

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// self is this package's path from the module's root.
const self = "internal/proto/prototest/step"

// Again runs the test t of the package in the current folder once more, built with
// counting code, and fails t when that fails. The counting code is in the package
// and the rooms it imports, of the test files only in those whose names begin with
// "toy". It skips t where there is no go command or no source.
func Again(t *testing.T) {
	t.Helper()
	root, module := moduleRoot(t)
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command to build the counting test with")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.CommandContext(t.Context(), tool, "test", "-vet=off", "-v", "-timeout=10m", "-overlay="+overlay(t, root, module, dir), "-run=^"+name+"$", ".")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+name+" ")) {
		t.Fatalf("with steps counted: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// moduleRoot finds the folder of go.mod and the module's name.
func moduleRoot(t *testing.T) (dir, module string) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			line, _, _ := bytes.Cut(b, []byte("\n"))
			return dir, strings.TrimSpace(strings.TrimPrefix(string(line), "module "))
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no source of the module here")
		}
		dir = up
	}
}

// overlay writes the counting copies of the package in dir and of the rooms it
// imports, and returns the path of the overlay file.
func overlay(t *testing.T, root, module, dir string) string {
	t.Helper()
	w := overlayWriter{t: t, root: root, module: module, out: t.TempDir(), replace: map[string]string{}, seen: map[string]bool{}}
	w.folder(dir, true)
	w.write(filepath.Join(root, self, "on.go"), []byte("package step\n\nconst On = true\n"))
	b, err := json.Marshal(map[string]any{"Replace": w.replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.out, "overlay.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type overlayWriter struct {
	t                 *testing.T
	root, module, out string
	replace           map[string]string // source file: its copy
	seen              map[string]bool   // folders
}

func (w *overlayWriter) write(path string, b []byte) {
	copied := filepath.Join(w.out, strconv.Itoa(len(w.replace))+".go")
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.replace[path] = copied
}

// folder copies the package in dir. The tests' imports are followed in the first
// folder only.
func (w *overlayWriter) folder(dir string, first bool) {
	if w.seen[dir] || strings.HasSuffix(filepath.ToSlash(dir), self) {
		return
	}
	w.seen[dir] = true
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		w.t.Fatal(err)
	}
	tools := strings.HasSuffix(filepath.ToSlash(dir), "proto/prototest")
	for _, path := range files {
		base := filepath.Base(path)
		test := strings.HasSuffix(base, "_test.go")
		if test && !first {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, im := range f.Imports {
			name, _ := strconv.Unquote(im.Path.Value)
			if in, ours := strings.CutPrefix(name, w.module+"/"); ours {
				w.folder(filepath.Join(w.root, filepath.FromSlash(in)), false)
			}
		}
		if test && !strings.HasPrefix(base, "toy") || tools && !test {
			continue
		}
		counting, err := Rewrite(path, src, w.module+"/"+self)
		if err != nil {
			w.t.Fatal(err)
		}
		w.write(path, counting)
	}
}
