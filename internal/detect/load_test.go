package detect_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"mirador/internal/detect"
	"mirador/internal/rule"
)

// shared finds the data that lie beside the module, or skips.
func shared(t testing.TB, rel ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no module root")
		}
	}
	p := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, rel...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("test data are not here: %v", err)
	}
	return p
}

// maxHeap is the budget for the Emerging Threats rules, texts included.
const maxHeap = 150 << 20

func TestLoadEmergingThreats(t *testing.T) {
	path := shared(t, "data", "etopen", "composite-2025-07.rules")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := rule.Parse("et.rules", data)
	if len(problems) > 0 {
		t.Errorf("%d problems in parsing, the first: %v", len(problems), problems[0])
	}
	e, rep := detect.Compile(rules, detect.Options{Table: fakeTable(t)})
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d loaded, %d refused, %d patterns in %d groups, %d KiB of matchers, kinds %v",
		rep.Loaded, rep.Refused, rep.Patterns, len(rep.Groups), rep.Memory>>10, rep.ByKind)
	if heap := int64(after.HeapAlloc) - int64(before.HeapAlloc); heap > maxHeap {
		t.Errorf("the rules hold %d MiB, more than %d", heap>>20, maxHeap>>20)
	}
	// What is left out has a reason: two thresholds in one rule, an event the fake
	// protocol lacks, asn1.
	if rep.Loaded < 36430 {
		t.Errorf("only %d rules were loaded", rep.Loaded)
	}
	for _, p := range rep.Problems {
		if !p.Warning {
			t.Log(p)
		}
	}
	runtime.KeepAlive(e)
	runtime.KeepAlive(rules)
}
