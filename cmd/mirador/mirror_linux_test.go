package main

import (
	"slices"
	"testing"
	"time"

	"mirador/internal/agent"
	"mirador/internal/netlab"
)

// A target that no route leads to is told when the mirror starts, not at its end.
func TestMirrorNoWay(t *testing.T) {
	netlab.Require(t)
	ns := netlab.New(t)
	ns.Up(t, "lo")
	f := mirrorFlags{interfaces: []string{"lo"}, filter: "all", to: []string{"127.0.0.1", "203.0.113.7"}, encap: encapVXLAN, engine: agent.EngineAuto, ring: 1, refresh: time.Second}
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	w, err := f.want(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	if err := ns.Do(func() (err error) {
		_, notes, err = f.plan(w, "lo", agent.Discard{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"no way leads to target 203.0.113.7"}; !slices.Equal(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
}
