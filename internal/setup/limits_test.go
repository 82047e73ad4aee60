package setup_test

import (
	"fmt"
	"strings"
	"testing"

	"mirador/internal/setup"
)

// Each bound of a spec is taken, and one more is refused with its reason.
func TestSpecLimits(t *testing.T) {
	sensors := func(n int) string {
		var b strings.Builder
		b.WriteString("name: prod\nsensors:\n")
		for i := range n {
			fmt.Fprintf(&b, "  - instance: i-%017x\n", 1+i)
		}
		return b.String()
	}
	selectors := func(n int) string {
		return minimal + "sources:\n  include:\n" + strings.Repeat("    - vpc: vpc-0123456789abcdef0\n", n)
	}
	tags := func(n int) string {
		var b strings.Builder
		b.WriteString(minimal + "tags:\n")
		for i := range n {
			fmt.Fprintf(&b, "  k%d: v\n", i)
		}
		return b.String()
	}
	stack := func(n int) string {
		return "name: " + strings.Repeat("a", n) + "\nsensors: [{instance: i-0123456789abcdef0}]\n"
	}
	comment := func(n int) string { return minimal + "#" + strings.Repeat("x", n-len(minimal)-1) }
	for _, c := range []struct {
		name, within, beyond, want string
	}{
		{"sensors", sensors(100), sensors(101), "101, at most 100"},
		{"selectors", selectors(200), selectors(201), "201 selectors, at most 200"},
		{"tags", tags(40), tags(41), "41 tags, at most 40"},
		{"name", stack(20), stack(21), "at most 20"},
		{"bytes", comment(setup.MaxSpec), comment(setup.MaxSpec + 1), "at most 1048576 are read"},
	} {
		if _, err := setup.ParseSpec([]byte(c.within), "x"); err != nil && strings.Contains(err.Error(), c.want) {
			t.Errorf("%s within the bound: %v", c.name, err)
		}
		if _, err := setup.ParseSpec([]byte(c.beyond), "x"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s beyond the bound: %v, want %q", c.name, err, c.want)
		}
	}
	// Problems that are told at once.
	_, err := setup.ParseSpec([]byte(minimal+"sources:\n  include:\n"+strings.Repeat("    - vpc: wrong\n", 60)), "x")
	if err == nil || strings.Count(err.Error(), "\n") != 50 || !strings.Contains(err.Error(), "and 10 more problems") {
		t.Errorf("sixty problems: %v", err)
	}
}
