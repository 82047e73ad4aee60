package mirror_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"mirador/internal/mirror"
	"mirador/internal/mirrortest"
)

// Random actions keep what must always hold, refused ones change nothing, and the state
// survives JSON.
func TestBookInvariants(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	g := mirrortest.Gen{Next: r.IntN}
	b := newBook(t, mirror.BookOptions{})
	w := newAround()
	refused := map[string]int{}
	done := 0
	for step := range 4000 {
		before := b.State()
		if err := randomAction(g, b, w); err != nil {
			if !reflect.DeepEqual(b.State(), before) {
				t.Fatalf("step %d was refused and changed the book: %v", step, err)
			}
			var e *mirror.Error
			if !errors.As(err, &e) {
				t.Fatalf("step %d: %v", step, err)
			}
			refused[e.Code]++
		} else {
			done++
		}
		if step%40 == 0 {
			checkInvariants(t, b)
		}
	}
	if done < 1000 || len(refused) < 12 {
		t.Errorf("%d actions done, refusals %v", done, refused)
	}
	s := b.State()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back mirror.BookState
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	b2, err := mirror.NewBook(mirror.BookOptions{AccountID: account}, back)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(b2.State())
	if err != nil || string(again) != string(text) {
		t.Errorf("state changed over JSON: %v\n%.300s\n%.300s", err, text, again)
	}
}

func randomAction(g mirrortest.Gen, b *mirror.Book, w *around) error {
	anyOf := func(ids []string) string {
		if len(ids) == 0 || g.One(15) {
			return "tm-unknown"
		}
		return mirrortest.Pick(g, ids...)
	}
	var targets, filters, rules, sessions []string
	for _, x := range b.Targets() {
		targets = append(targets, x.ID)
	}
	for _, x := range b.Filters() {
		filters = append(filters, x.ID)
		for _, r := range x.Rules {
			rules = append(rules, r.ID)
		}
	}
	for _, x := range b.Sessions() {
		sessions = append(sessions, x.ID)
	}
	var err error
	switch g.Next(16) {
	case 0:
		_, err = b.CreateTarget(w, mirror.CreateTargetParams{NetworkInterfaceID: mirrortest.Pick(g, sensor, big, eni(1+g.Next(30)), "eni-x")})
	case 1:
		_, err = b.CreateTarget(w, mirror.CreateTargetParams{NetworkLoadBalancerARN: mirrortest.Pick(g, nlb, nlbGone)})
	case 2:
		err = b.DeleteTarget(anyOf(targets))
	case 3:
		_, err = b.CreateFilter(mirror.CreateFilterParams{})
	case 4:
		err = b.DeleteFilter(anyOf(filters))
	case 5, 6, 7:
		r := g.Rule("", 1+g.Next(20))
		p := mirror.CreateFilterRuleParams{FilterID: anyOf(filters), Direction: r.Direction.String(), Number: &r.Number, Action: string(r.Action),
			SourceCIDR: r.SourceCIDR.String(), DestinationCIDR: r.DestinationCIDR.String(), Protocol: &r.Protocol}
		if r.Protocol < 0 {
			p.Protocol = nil
		}
		_, err = b.CreateFilterRule(p)
	case 8:
		r := g.Rule("", 1+g.Next(20))
		p := mirror.ModifyFilterRuleParams{RuleID: anyOf(rules), Number: &r.Number, Direction: ptr(r.Direction.String())}
		if g.One(2) {
			p.SourceCIDR = ptr(r.SourceCIDR.String())
		}
		_, err = b.ModifyFilterRule(p)
	case 9:
		err = b.DeleteFilterRule(anyOf(rules))
	case 10, 11, 12:
		_, err = b.CreateSession(w, mirror.CreateSessionParams{NetworkInterfaceID: eni(1 + g.Next(30)), TargetID: anyOf(targets), FilterID: anyOf(filters), Number: ptr(1 + g.Next(6)), ClientToken: mirrortest.Pick(g, "", "", "a", "b")})
	case 13:
		_, err = b.ModifySession(w, mirror.ModifySessionParams{SessionID: anyOf(sessions), TargetID: ptr(anyOf(targets)), Number: ptr(1 + g.Next(6))})
	case 14:
		err = b.DeleteSession(anyOf(sessions))
	case 15:
		b.InterfaceDeleted(eni(1 + g.Next(30)))
	}
	return err
}

func checkInvariants(t *testing.T, b *mirror.Book) {
	t.Helper()
	s := b.State()
	ids := map[string]bool{}
	unique := func(id string) {
		if ids[id] || !b.Has(id) {
			t.Fatalf("id %s is there twice or not found", id)
		}
		ids[id] = true
	}
	targetENI := map[string]bool{}
	kind := map[string]string{}
	for _, x := range s.Targets {
		unique(x.ID)
		targetENI[x.NetworkInterfaceID] = x.NetworkInterfaceID != ""
		kind[x.ID] = x.NetworkInterfaceID
	}
	for _, f := range s.Filters {
		unique(f.ID)
		if len(f.Rules) > 10 || mirror.CheckFilter(&f) != nil {
			t.Fatalf("filter %+v: %v", f, mirror.CheckFilter(&f))
		}
		for i, r := range f.Rules {
			unique(r.ID)
			if i > 0 && (f.Rules[i-1].Direction > r.Direction || f.Rules[i-1].Direction == r.Direction && f.Rules[i-1].Number >= r.Number) {
				t.Fatalf("rules out of order in %+v", f)
			}
		}
	}
	perSource := map[string]map[int]bool{}
	sources := map[string]map[string]bool{}
	for _, x := range s.Sessions {
		unique(x.ID)
		if !ids[x.FilterID] || !ids[x.TargetID] || targetENI[x.NetworkInterfaceID] {
			t.Fatalf("session %+v", x)
		}
		if perSource[x.NetworkInterfaceID] == nil {
			perSource[x.NetworkInterfaceID] = map[int]bool{}
		}
		if perSource[x.NetworkInterfaceID][x.Number] {
			t.Fatalf("session number %d twice on %s", x.Number, x.NetworkInterfaceID)
		}
		perSource[x.NetworkInterfaceID][x.Number] = true
		if e := kind[x.TargetID]; e != "" && e != big {
			if sources[e] == nil {
				sources[e] = map[string]bool{}
			}
			sources[e][x.NetworkInterfaceID] = true
		}
	}
	for e, n := range perSource {
		if len(n) > 3 || len(b.SessionsOf(e)) != len(n) {
			t.Fatalf("%s has %d sessions", e, len(n))
		}
	}
	for e, n := range sources {
		if len(n) > 10 {
			t.Fatalf("target %s has %d sources", e, len(n))
		}
	}
}
