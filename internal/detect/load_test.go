package detect_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

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

func TestLoadEmergingThreats(t *testing.T) {
	data, err := os.ReadFile(shared(t, "data", "etopen", "composite-2025-07.rules"))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	rules, problems := rule.Parse("et.rules", data)
	parsed := time.Now()
	e, rep := detect.Compile(rules, detect.Options{Table: fakeTable(t)})
	t.Logf("parse %v, compile %v: %d loaded, %d refused, %d parse problems, %d patterns, %d groups, %d MB matchers",
		parsed.Sub(start), time.Since(parsed), rep.Loaded, rep.Refused, len(problems), rep.Patterns, len(rep.Groups), rep.Memory>>20)
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("heap %d MB, kinds %v", m.HeapAlloc>>20, rep.ByKind)
	shown := map[string]int{}
	for _, p := range rep.Problems {
		if !p.Warning {
			if shown[p.What]++; shown[p.What] == 1 {
				t.Log(p)
			}
		}
	}
	runtime.KeepAlive(e)
}
