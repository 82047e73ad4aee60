package rule_test

import (
	"os"
	"path/filepath"
	"testing"
)

// shared returns the path of a file or folder of the data that lies beside the
// module, and skips the test when it is not there.
func shared(tb testing.TB, path ...string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Skip("no module root above the package")
		}
		dir = up
	}
	full := filepath.Join(append([]string{dir, "..", "shared"}, path...)...)
	if _, err := os.Stat(full); err != nil {
		tb.Skipf("test data is not here: %s", filepath.Join(path...))
	}
	return full
}

func readShared(tb testing.TB, path ...string) []byte {
	tb.Helper()
	data, err := os.ReadFile(shared(tb, path...))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
