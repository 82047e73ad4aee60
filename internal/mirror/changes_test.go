package mirror_test

import (
	"encoding/json"
	"testing"

	"mirador/internal/mirror"
)

// TestChanges keeps a copy of a book by its changes alone: after each action the copy is
// what the book is.
func TestChanges(t *testing.T) {
	b, err := mirror.NewBook(mirror.BookOptions{AccountID: account, Random: seeded(1)}, mirror.BookState{})
	if err != nil {
		t.Fatal(err)
	}
	w := newAround()
	number := func(n int) *int { return &n }
	text := func(s string) *string { return &s }
	var filters, sessions, rules []string
	var target string
	steps := []func() error{
		func() error {
			x, err := b.CreateTarget(w, mirror.CreateTargetParams{NetworkInterfaceID: sensor, ClientToken: "a"})
			target = x.ID
			return err
		},
		func() error {
			x, err := b.CreateFilter(mirror.CreateFilterParams{ClientToken: "b"})
			filters = append(filters, x.ID)
			return err
		},
		func() error {
			x, err := b.CreateFilter(mirror.CreateFilterParams{})
			filters = append(filters, x.ID)
			return err
		},
		func() error {
			r, err := b.CreateFilterRule(mirror.CreateFilterRuleParams{FilterID: filters[0], Direction: "ingress", Number: number(1), Action: "accept", SourceCIDR: "0.0.0.0/0", DestinationCIDR: "0.0.0.0/0"})
			rules = append(rules, r.ID)
			return err
		},
		func() error {
			_, err := b.ModifyFilterRule(mirror.ModifyFilterRuleParams{RuleID: rules[0], Action: text("reject")})
			return err
		},
		func() error { return b.CreateTags([]string{rules[0], target}, []mirror.Tag{{Key: "a", Value: "b"}}) },
		func() error {
			_, err := b.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{FilterID: filters[1], Add: []string{"amazon-dns"}})
			return err
		},
		func() error {
			for i, n := range []int{2, 1} {
				x, err := b.CreateSession(w, mirror.CreateSessionParams{NetworkInterfaceID: eni(i + 1), TargetID: target, FilterID: filters[0], Number: &n})
				if err != nil {
					return err
				}
				sessions = append(sessions, x.ID)
			}
			return nil
		},
		func() error {
			_, err := b.ModifySession(w, mirror.ModifySessionParams{SessionID: sessions[0], FilterID: text(filters[1]), Number: number(9)})
			return err
		},
		func() error { return b.DeleteTags([]string{target}, nil) },
		func() error { b.InterfaceDeleted(eni(2)); return nil },
		func() error { return b.DeleteFilterRule(rules[0]) },
		func() error { return b.DeleteFilter(filters[0]) },
		func() error { return b.DeleteSession(sessions[0]) },
		func() error { return b.DeleteTarget(target) },
	}
	var copied mirror.BookState
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		c, ok := b.TakeChanges()
		if !ok {
			t.Errorf("step %d changed nothing", i)
		}
		// By way of a file.
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var read mirror.Changes
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatal(err)
		}
		copied.Apply(read)
		got, _ := json.Marshal(copied)
		want, _ := json.Marshal(b.State())
		if string(got) != string(want) {
			t.Fatalf("step %d: the copy is\n%s\nthe book\n%s", i, got, want)
		}
		if _, again := b.TakeChanges(); again {
			t.Errorf("step %d: its changes come twice", i)
		}
	}
}
