// Package netlab makes small networks for tests: network namespaces joined by veth
// pairs, and processes in them. It is for tests only, needs root on Linux, and leaves
// nothing behind: namespaces have no name and end with their last descriptor.
package netlab

import (
	"os"
	"testing"
)

// RequireRoot is the environment variable that makes Require fail instead of skip.
const RequireRoot = "MIRADOR_REQUIRE_ROOT"

// Require skips t when network namespaces cannot be made, which needs root on Linux. With
// MIRADOR_REQUIRE_ROOT=1 in the environment it fails instead, so that a machine that is
// meant to run these tests cannot quietly stop doing so.
func Require(t testing.TB) {
	t.Helper()
	err := probe()
	if err == nil {
		return
	}
	if os.Getenv(RequireRoot) == "1" {
		t.Fatalf("no network namespaces: %v", err)
	}
	t.Skipf("no network namespaces: %v (set %s=1 to fail instead)", err, RequireRoot)
}
