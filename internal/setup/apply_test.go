package setup_test

import (
	"strings"
	"testing"

	"mirador/internal/ec2api"
)

func TestApplyInterfaceTargets(t *testing.T) {
	w := newWorld(t, 5, ec2api.Options{})
	s := w.spec(tagged)
	p := w.apply(s)
	var b strings.Builder
	if err := p.WriteText(&b, true); err != nil {
		t.Fatal(err)
	}
	t.Log(b.String())
	o := w.observe(s)
	if len(o.Sessions) != 5 || len(o.Targets) != 2 || len(o.Filters) != 1 {
		t.Errorf("%d sessions, %d targets, %d filters", len(o.Sessions), len(o.Targets), len(o.Filters))
	}
}
