package mirror

import (
	"cmp"
	"fmt"
	"slices"
)

// Book holds the targets, filters and sessions of one account in one region, and the
// rules of AWS about them. It has no lock: whoever shares it guards it. What its methods
// return are copies. Refusals are *Error, and a refused action changes nothing.
type Book struct {
	o        BookOptions
	quotas   Quotas
	targets  map[string]*Target
	filters  map[string]*Filter
	rules    map[string]string // filter id by rule id
	sessions map[string]*Session
	// The ids in the order in which the objects were made.
	targetIDs, filterIDs, sessionIDs []string
	bySource                         map[string][]string // session ids by source interface, lowest number first
	tokens                           tokens
	touched                          map[string]bool // ids of objects changed, made or removed since TakeChanges
	fresh                            []ClientToken   // remembered since then
}

// NewBook returns a book with the content of s, which it copies. An error tells what in
// s cannot be.
func NewBook(o BookOptions, s BookState) (*Book, error) {
	b := &Book{
		o: o, quotas: o.Quotas.WithDefaults(),
		targets: make(map[string]*Target), filters: make(map[string]*Filter), rules: make(map[string]string),
		sessions: make(map[string]*Session), bySource: make(map[string][]string),
	}
	for i := range s.Targets {
		t := &s.Targets[i]
		if t.ID == "" || b.Has(t.ID) {
			return nil, fmt.Errorf("target %d: id %q is missing or there twice", i, t.ID)
		}
		if t.Type() == "" {
			return nil, fmt.Errorf("target %s is nothing", t.ID)
		}
		b.addTarget(copyTarget(t))
	}
	for i := range s.Filters {
		if err := b.loadFilter(&s.Filters[i]); err != nil {
			return nil, err
		}
	}
	for i := range s.Sessions {
		x := &s.Sessions[i]
		if x.ID == "" || b.Has(x.ID) {
			return nil, fmt.Errorf("session %d: id %q is missing or there twice", i, x.ID)
		}
		if b.filters[x.FilterID] == nil {
			return nil, fmt.Errorf("session %s: filter %q is unknown", x.ID, x.FilterID)
		}
		if checkSessionNumber(x.Number) != nil || x.VNI > MaxVNI || x.PacketLength < 0 || x.NetworkInterfaceID == "" || x.TargetID == "" {
			return nil, fmt.Errorf("session %s: number, VNI, packet length, source or target is out of range", x.ID)
		}
		b.addSession(copySession(x))
	}
	for _, t := range s.Tokens[max(0, len(s.Tokens)-MaxClientTokens):] {
		b.tokens.add(t)
	}
	b.TakeChanges()
	return b, nil
}

// Changes is what has changed in a Book: objects as they are now, and the ids of those
// that are gone.
type Changes struct {
	BookState
	Gone []string `json:"gone,omitempty"`
}

// touch notes that the object with this id is not what it was.
func (b *Book) touch(id string) {
	if b.touched == nil {
		b.touched = make(map[string]bool)
	}
	b.touched[id] = true
}

// TakeChanges returns what has changed since it was called last, or since NewBook; ok is
// false when nothing has. Who applies all of them to the state of then has the state of
// now.
func (b *Book) TakeChanges() (c Changes, ok bool) {
	ok = len(b.touched) > 0 || len(b.fresh) > 0
	// In the order in which the objects were made, as far as they are there.
	for _, l := range []struct {
		ids []string
		add func(id string)
	}{
		{b.targetIDs, func(id string) { c.Targets = append(c.Targets, *copyTarget(b.targets[id])) }},
		{b.filterIDs, func(id string) { c.Filters = append(c.Filters, *copyFilter(b.filters[id])) }},
		{b.sessionIDs, func(id string) { c.Sessions = append(c.Sessions, *copySession(b.sessions[id])) }},
	} {
		for _, id := range l.ids {
			if len(b.touched) == 0 {
				break
			}
			if b.touched[id] {
				l.add(id)
				delete(b.touched, id)
			}
		}
	}
	for id := range b.touched {
		c.Gone = append(c.Gone, id)
	}
	slices.Sort(c.Gone)
	c.Tokens, b.fresh = b.fresh, nil
	clear(b.touched)
	return c, ok
}

// Apply brings s to the state after the changes.
func (s *BookState) Apply(c Changes) {
	gone := make(map[string]bool, len(c.Gone))
	for _, id := range c.Gone {
		gone[id] = true
	}
	s.Targets = merge(s.Targets, c.Targets, gone, func(t *Target) string { return t.ID })
	s.Filters = merge(s.Filters, c.Filters, gone, func(f *Filter) string { return f.ID })
	s.Sessions = merge(s.Sessions, c.Sessions, gone, func(x *Session) string { return x.ID })
	s.Tokens = append(s.Tokens, c.Tokens...)
}

// merge puts changed objects in the places of the old ones and new ones at the end.
func merge[T any](list, changed []T, gone map[string]bool, id func(*T) string) []T {
	if len(gone) > 0 {
		list = slices.DeleteFunc(list, func(x T) bool { return gone[id(&x)] })
	}
	for _, n := range changed {
		if i := slices.IndexFunc(list, func(x T) bool { return id(&x) == id(&n) }); i >= 0 {
			list[i] = n
		} else {
			list = append(list, n)
		}
	}
	return list
}

func (b *Book) loadFilter(f *Filter) error {
	if f.ID == "" || b.Has(f.ID) {
		return fmt.Errorf("filter id %q is missing or there twice", f.ID)
	}
	if err := CheckFilter(f); err != nil {
		return fmt.Errorf("filter %s: %w", f.ID, err)
	}
	c := copyFilter(f)
	b.addFilter(c)
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.ID == "" || b.Has(r.ID) {
			return fmt.Errorf("filter %s: rule id %q is missing or there twice", f.ID, r.ID)
		}
		b.rules[r.ID] = c.ID
	}
	sortRules(c.Rules)
	return nil
}

// CheckFilter tells what in f cannot be, but not whether it is within a quota.
func CheckFilter(f *Filter) error {
	type key struct {
		d Direction
		n int
	}
	seen := make(map[key]bool, len(f.Rules))
	for i := range f.Rules {
		r := &f.Rules[i]
		if err := checkWholeRule(r); err != nil {
			return fmt.Errorf("rule %s: %w", RuleName(r), err)
		}
		if k := (key{r.Direction, r.Number}); seen[k] {
			return fmt.Errorf("rule %s is there twice", RuleName(r))
		} else {
			seen[k] = true
		}
	}
	for _, s := range f.NetworkServices {
		if s != AmazonDNS {
			return fmt.Errorf("network service %q is unknown", s)
		}
	}
	return nil
}

// RuleName names a rule for people: "egress 200".
func RuleName(r *FilterRule) string { return fmt.Sprintf("%v %d", r.Direction, r.Number) }

func checkWholeRule(r *FilterRule) error {
	if r.Direction != Ingress && r.Direction != Egress {
		return fmt.Errorf("direction is neither ingress nor egress")
	}
	if r.Action != Accept && r.Action != Reject {
		return fmt.Errorf("action %q is neither accept nor reject", r.Action)
	}
	if r.Protocol < AnyProtocol || r.Protocol > 255 {
		return fmt.Errorf("protocol %d is out of range", r.Protocol)
	}
	if !r.SourceCIDR.IsValid() || !r.DestinationCIDR.IsValid() {
		return fmt.Errorf("a CIDR is missing")
	}
	for _, check := range []func() error{
		func() error { return checkRuleNumber(r.Number) },
		func() error { return checkPorts("SourcePortRange", r.SourcePorts) },
		func() error { return checkPorts("DestinationPortRange", r.DestinationPorts) },
		func() error { return checkRule(r) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// State returns a deep copy of everything in b, for a file or a snapshot.
func (b *Book) State() BookState {
	s := BookState{Targets: b.Targets(), Filters: b.Filters(), Sessions: b.Sessions()}
	for _, t := range b.tokens.order {
		s.Tokens = append(s.Tokens, *t)
	}
	return s
}

// AccountID returns whose book this is.
func (b *Book) AccountID() string { return b.o.AccountID }

func (b *Book) addTarget(t *Target) {
	b.targets[t.ID] = t
	b.touch(t.ID)
	b.targetIDs = append(b.targetIDs, t.ID)
}

func (b *Book) addFilter(f *Filter) {
	b.filters[f.ID] = f
	b.touch(f.ID)
	b.filterIDs = append(b.filterIDs, f.ID)
}

func (b *Book) addSession(s *Session) {
	b.sessions[s.ID] = s
	b.touch(s.ID)
	b.sessionIDs = append(b.sessionIDs, s.ID)
	b.bySource[s.NetworkInterfaceID] = append(b.bySource[s.NetworkInterfaceID], s.ID)
	b.sortSource(s.NetworkInterfaceID)
}

// sortSource puts the sessions of a source in order again: by number, of equal ones the
// older first.
func (b *Book) sortSource(source string) {
	slices.SortStableFunc(b.bySource[source], func(x, y string) int {
		return cmp.Compare(b.sessions[x].Number, b.sessions[y].Number)
	})
}

func (b *Book) removeSession(id string) {
	s := b.sessions[id]
	b.touch(id)
	delete(b.sessions, id)
	b.sessionIDs = without(b.sessionIDs, id)
	b.bySource[s.NetworkInterfaceID] = without(b.bySource[s.NetworkInterfaceID], id)
	if len(b.bySource[s.NetworkInterfaceID]) == 0 {
		delete(b.bySource, s.NetworkInterfaceID)
	}
}

// without returns a new slice that lacks id.
func without(ids []string, id string) []string {
	return slices.DeleteFunc(ids, func(x string) bool { return x == id })
}

// sortRules puts rules in the order of their evaluation, ingress first.
func sortRules(rules []FilterRule) {
	slices.SortFunc(rules, func(a, b FilterRule) int {
		return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Number, b.Number))
	})
}

// Has tells whether id is one of a target, filter, filter rule or session in b.
func (b *Book) Has(id string) bool {
	_, rule := b.rules[id]
	return rule || b.targets[id] != nil || b.filters[id] != nil || b.sessions[id] != nil
}

// Target returns a copy of the target with this id.
func (b *Book) Target(id string) (Target, bool) {
	if t := b.targets[id]; t != nil {
		return *copyTarget(t), true
	}
	return Target{}, false
}

// Filter returns a copy of the filter with this id.
func (b *Book) Filter(id string) (Filter, bool) {
	if f := b.filters[id]; f != nil {
		return *copyFilter(f), true
	}
	return Filter{}, false
}

// FilterRule returns a copy of the rule with this id.
func (b *Book) FilterRule(id string) (FilterRule, bool) {
	if r := b.rule(id); r != nil {
		return copyRule(r), true
	}
	return FilterRule{}, false
}

// Session returns a copy of the session with this id.
func (b *Book) Session(id string) (Session, bool) {
	if s := b.sessions[id]; s != nil {
		return *copySession(s), true
	}
	return Session{}, false
}

// rule returns the rule itself.
func (b *Book) rule(id string) *FilterRule {
	f := b.filters[b.rules[id]]
	if f == nil {
		return nil
	}
	return &f.Rules[slices.IndexFunc(f.Rules, func(r FilterRule) bool { return r.ID == id })]
}

// Targets returns copies of all targets, oldest first.
func (b *Book) Targets() []Target {
	out := slices.Grow([]Target(nil), len(b.targetIDs))
	for _, id := range b.targetIDs {
		out = append(out, *copyTarget(b.targets[id]))
	}
	return out
}

// Filters returns copies of all filters with their rules, oldest first.
func (b *Book) Filters() []Filter {
	out := slices.Grow([]Filter(nil), len(b.filterIDs))
	for _, id := range b.filterIDs {
		out = append(out, *copyFilter(b.filters[id]))
	}
	return out
}

// Sessions returns copies of all sessions, oldest first.
func (b *Book) Sessions() []Session {
	out := slices.Grow([]Session(nil), len(b.sessionIDs))
	for _, id := range b.sessionIDs {
		out = append(out, *copySession(b.sessions[id]))
	}
	return out
}

// SessionsOf returns the sessions of a source interface, lowest number first.
func (b *Book) SessionsOf(interfaceID string) []Session {
	var out []Session
	for _, id := range b.bySource[interfaceID] {
		out = append(out, *copySession(b.sessions[id]))
	}
	return out
}

func copyTarget(t *Target) *Target {
	c := *t
	c.Tags = slices.Clone(t.Tags)
	return &c
}

func copySession(s *Session) *Session {
	c := *s
	c.Tags = slices.Clone(s.Tags)
	return &c
}

func copyFilter(f *Filter) *Filter {
	c := *f
	c.Tags = slices.Clone(f.Tags)
	c.NetworkServices = slices.Clone(f.NetworkServices)
	c.Rules = make([]FilterRule, 0, len(f.Rules))
	for i := range f.Rules {
		c.Rules = append(c.Rules, copyRule(&f.Rules[i]))
	}
	return &c
}

func copyRule(r *FilterRule) FilterRule {
	c := *r
	c.Tags = slices.Clone(r.Tags)
	c.SourcePorts = copyPorts(r.SourcePorts)
	c.DestinationPorts = copyPorts(r.DestinationPorts)
	return c
}

func copyPorts(p *PortRange) *PortRange {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
