package rule_test

import (
	"runtime"
	"testing"

	"mirador/internal/rule"
)

// TestMemoryOfRules bounds what a large rule set keeps beside its text.
func TestMemoryOfRules(t *testing.T) {
	data := readShared(t, "data", "etopen", "composite-2025-07.rules")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rules, _ := rule.Parse("composite", data)
	rs := rule.NewResolver(rule.DefaultVars())
	for _, r := range rules {
		rs.Header(r)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perRule := int64(after.HeapAlloc-before.HeapAlloc) / int64(len(rules))
	t.Logf("%d bytes a rule beside %d bytes of text", perRule, len(data)/len(rules))
	if perRule > 2000 {
		t.Errorf("a rule keeps %d bytes beside its text", perRule)
	}
	runtime.KeepAlive(data)
	runtime.KeepAlive(rules)
	runtime.KeepAlive(rs)
}
