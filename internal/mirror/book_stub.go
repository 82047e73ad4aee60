package mirror

// Book holds the targets, filters and sessions of one account in one region, and the
// rules of AWS about them. It has no lock: whoever shares it guards it. What its methods
// return are copies. Refusals are *Error.
type Book struct {
	o BookOptions
	s BookState
}

var errLater = &Error{Code: "Unavailable", Message: "not yet"}

// NewBook returns a book with the content of s, which it copies. An error tells what in
// s cannot be.
func NewBook(o BookOptions, s BookState) (*Book, error) { return &Book{o: o, s: s}, nil }

// State returns a deep copy of everything in b, for a file or a snapshot.
func (b *Book) State() BookState { return b.s }

// AccountID returns whose book this is.
func (b *Book) AccountID() string { return b.o.AccountID }

// CreateTarget makes a target.
func (b *Book) CreateTarget(w World, p CreateTargetParams) (Target, error) { return Target{}, errLater }

// DeleteTarget removes a target that no session of the account uses.
func (b *Book) DeleteTarget(id string) error { return errLater }

// CreateFilter makes an empty filter.
func (b *Book) CreateFilter(p CreateFilterParams) (Filter, error) { return Filter{}, errLater }

// DeleteFilter removes a filter that no session uses, and its rules.
func (b *Book) DeleteFilter(id string) error { return errLater }

// ModifyFilterNetworkServices adds and removes network services.
func (b *Book) ModifyFilterNetworkServices(p ModifyFilterNetworkServicesParams) (Filter, error) {
	return Filter{}, errLater
}

// CreateFilterRule makes a rule in a filter.
func (b *Book) CreateFilterRule(p CreateFilterRuleParams) (FilterRule, error) {
	return FilterRule{}, errLater
}

// ModifyFilterRule changes a rule. AWS does not return the tags of the rule in its
// answer; this does.
func (b *Book) ModifyFilterRule(p ModifyFilterRuleParams) (FilterRule, error) {
	return FilterRule{}, errLater
}

// DeleteFilterRule removes a rule.
func (b *Book) DeleteFilterRule(id string) error { return errLater }

// CreateSession makes a session.
func (b *Book) CreateSession(w World, p CreateSessionParams) (Session, error) {
	return Session{}, errLater
}

// ModifySession changes a session; its source cannot be changed.
func (b *Book) ModifySession(w World, p ModifySessionParams) (Session, error) {
	return Session{}, errLater
}

// DeleteSession removes a session.
func (b *Book) DeleteSession(id string) error { return errLater }

// InterfaceDeleted removes the sessions whose source was this interface, which is gone,
// and returns their ids. Targets that were this interface stay, and so do the sessions
// that mirror to them: they mirror nothing until they are modified (Status tells).
func (b *Book) InterfaceDeleted(id string) []string { return nil }

// CreateTags adds tags to the objects with these ids, or replaces their values. Nothing
// is changed when one of them is unknown (code InvalidID by kind) or gets too many.
func (b *Book) CreateTags(ids []string, tags []Tag) error { return errLater }

// TagKey names a tag to be removed; with a value only when that is the tag's.
type TagKey struct {
	Key   string
	Value *string
}

// DeleteTags removes tags; no keys means all tags.
func (b *Book) DeleteTags(ids []string, keys []TagKey) error { return errLater }

// Has tells whether id is one of a target, filter, filter rule or session in b.
func (b *Book) Has(id string) bool { return false }

// ResourceTypeOf returns the name that TagSpecification.ResourceType and DescribeTags
// have for objects with such an id: traffic-mirror-target, traffic-mirror-filter,
// traffic-mirror-filter-rule, traffic-mirror-session; "" for other ids.
func ResourceTypeOf(id string) string { return "" }

// Target, Filter, FilterRule and Session return copies of single objects.
func (b *Book) Target(id string) (Target, bool)         { return Target{}, false }
func (b *Book) Filter(id string) (Filter, bool)         { return Filter{}, false }
func (b *Book) FilterRule(id string) (FilterRule, bool) { return FilterRule{}, false }
func (b *Book) Session(id string) (Session, bool)       { return Session{}, false }

// Targets, Filters and Sessions return copies of all objects, oldest first.
func (b *Book) Targets() []Target   { return nil }
func (b *Book) Filters() []Filter   { return nil }
func (b *Book) Sessions() []Session { return nil }

// SessionsOf returns the sessions of a source interface, lowest number first.
func (b *Book) SessionsOf(interfaceID string) []Session { return nil }

// Status tells whether the session with this id mirrors.
func (b *Book) Status(w World, sessionID string) SessionStatus { return SessionStatus{} }

// Support tells whether an instance type can be a mirror source.
type Support uint8

// What is known of a type. A type that is in no list is tried: AWS alone knows.
const (
	SupportUnknown Support = iota
	Supported
	Unsupported
)

// SourceSupport tells whether interfaces of this instance type ("m5.large") can be mirror
// sources, and in words why. It goes by AWS's list of 2025-08-28.
func SourceSupport(instanceType string) (Support, string) { return SupportUnknown, "" }

// SourcesPerTarget returns how many sources an interface target on this instance type can
// have: 10, or 100 on the types that AWS lists.
func SourcesPerTarget(instanceType string) int { return DefaultSourcesPerTarget }
