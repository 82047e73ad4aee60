package rule_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/rule"
)

func TestParseETComposite(t *testing.T) {
	data := readShared(t, "data", "etopen", "composite-2025-07.rules")
	rules, problems := rule.Parse("composite", data)
	enabled := 0
	for _, r := range rules {
		if !r.Disabled {
			enabled++
		}
	}
	for i, p := range problems {
		if i < 10 {
			t.Error(p)
		}
	}
	if enabled != 36444 || len(rules) != 51397 {
		t.Errorf("Parse(composite) = %d rules, %d enabled, want 51397 and 36444", len(rules), enabled)
	}
}

func BenchmarkParse(b *testing.B) {
	data := readShared(b, "data", "etopen", "composite-2025-07.rules")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		rule.Parse("composite", data)
	}
}

// TestParseSuiteRules parses every rule file of Suricata's own test suite.
func TestParseSuiteRules(t *testing.T) {
	root := shared(t, "data", "suricata-verify", "tests")
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".rules") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		rules, problems := rule.Parse(name, data)
		n += len(rules)
		for _, p := range problems {
			t.Error(p) // what this part of the suite refuses is in values of keywords
		}
		for _, r := range rules {
			checkRoundTrip(t, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 4000 {
		t.Errorf("%d rules", n)
	}
}
