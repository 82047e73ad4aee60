package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// namedCommand is a command of a group as texts and hints name it, in quotes.
var namedCommand = regexp.MustCompile("[`']mirador (aws|config|filter|mirror|rules|vpc) ([a-z]+)")

// Each command that a document or a message names is there. The changelog tells of the past.
func TestNamedCommandsExist(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "out"):
			return filepath.SkipDir
		case d.IsDir() || d.Name() == "CHANGELOG.md" || strings.HasSuffix(path, "_test.go") || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range namedCommand.FindAllStringSubmatch(string(text), -1) {
			seen++
			if c, _, err := newRoot().Find(m[1:]); err != nil || c.Name() != m[2] {
				t.Errorf("%s names mirador %s %s, which is no command", path, m[1], m[2])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 30 {
		t.Errorf("only %d commands were found in texts", seen)
	}
}
