package ec2api

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"mirador/internal/mirror"
)

// table holds resources of one kind by id. Values are replaced, never changed.
type table[T any, P interface {
	*T
	resource() *Resource
}] struct {
	kind    string
	s       *state
	m       map[string]*T
	lines   map[string][]byte // what the state file has of each
	dirty   map[string]bool   // ids whose line is stale
	sorted  atomic.Pointer[[]*T]
	edition uint64 // grows with each change
	shown   uint64 // the edition that the last snapshot has
}

func newTable[T any, P interface {
	*T
	resource() *Resource
}](s *state, kind string) *table[T, P] {
	t := &table[T, P]{kind: kind, s: s, m: map[string]*T{}, lines: map[string][]byte{}, dirty: map[string]bool{}}
	s.tables = append(s.tables, t)
	return t
}

// get returns the resource with this id, or nil.
func (t *table[T, P]) get(id string) *T { return t.m[id] }

// put adds v or replaces what has its id. It is undone when the action fails.
func (t *table[T, P]) put(v *T) {
	id := P(v).resource().ID
	old := t.m[id]
	t.set(id, v)
	t.s.undo = append(t.s.undo, func() { t.set(id, old) })
}

// set makes v what has the id, nil nothing.
func (t *table[T, P]) set(id string, v *T) {
	old := t.m[id]
	if v == nil {
		delete(t.m, id)
	} else {
		t.m[id] = v
	}
	if p := t.sorted.Load(); p != nil {
		t.resort(*p, old, v)
	}
	t.dirty[id] = true
	t.edition++
	t.s.changed = true
}

// resort keeps the sorted list right without sorting anew: most changes are of one
// resource that stays in its place, or of a new one that comes last. Lists that callers
// walk through stay as they are.
func (t *table[T, P]) resort(list []*T, old, v *T) {
	seq := func(x *T) uint64 { return P(x).resource().Seq }
	var out []*T
	switch {
	case old != nil && v != nil && seq(old) == seq(v):
		out = slices.Clone(list)
		i, ok := slices.BinarySearchFunc(out, seq(v), func(x *T, s uint64) int { return cmp.Compare(seq(x), s) })
		if !ok {
			t.sorted.Store(nil)
			return
		}
		out[i] = v
	case old == nil && v != nil && (len(list) == 0 || seq(list[len(list)-1]) < seq(v)):
		out = append(slices.Clip(list), v)
	case old != nil && v == nil:
		out = make([]*T, 0, len(list))
		for _, x := range list {
			if x != old {
				out = append(out, x)
			}
		}
	default:
		t.sorted.Store(nil)
		return
	}
	t.sorted.Store(&out)
}

// del removes the resource with this id.
func (t *table[T, P]) del(id string) {
	old := t.m[id]
	if old == nil {
		return
	}
	t.set(id, nil)
	t.s.undo = append(t.s.undo, func() { t.set(id, old) })
}

// all returns the resources, oldest first. The slice is shared: do not change it.
func (t *table[T, P]) all() []*T {
	if p := t.sorted.Load(); p != nil {
		return *p
	}
	list := slices.SortedFunc(maps.Values(t.m), func(a, b *T) int {
		return cmp.Compare(P(a).resource().Seq, P(b).resource().Seq)
	})
	t.sorted.Store(&list)
	return list
}

// tabler is a table of any kind, for the state file.
type tabler interface {
	name() string
	load(line []byte) error
	drop(id string)
	refresh(changed func(id string, line []byte)) error // line is nil for what is gone
	each(func(line []byte))
	count() int
	tagged(id string) (*Resource, bool)
	setTags(id string, tags []mirror.Tag)
	eachTagged(func(*Resource))
	copyTo(tabler) // of the same kind
}

func (t *table[T, P]) name() string { return t.kind }
func (t *table[T, P]) count() int   { return len(t.m) }

func (t *table[T, P]) load(line []byte) error {
	v := new(T)
	if err := json.Unmarshal(line, v); err != nil {
		return err
	}
	id := P(v).resource().ID
	t.m[id] = v
	t.lines[id] = slices.Clone(line)
	t.s.seq = max(t.s.seq, P(v).resource().Seq)
	return nil
}

// drop forgets what a journal says is gone.
func (t *table[T, P]) drop(id string) {
	delete(t.m, id)
	delete(t.lines, id)
}

// refresh writes stale lines anew and tells of each.
func (t *table[T, P]) refresh(changed func(id string, line []byte)) error {
	for _, id := range sortedKeys(t.dirty) {
		v := t.m[id]
		if v == nil {
			delete(t.lines, id)
			changed(id, nil)
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		t.lines[id] = b
		changed(id, b)
	}
	clear(t.dirty)
	return nil
}

func (t *table[T, P]) each(f func([]byte)) {
	for _, v := range t.all() {
		f(t.lines[P(v).resource().ID])
	}
}

func (t *table[T, P]) tagged(id string) (*Resource, bool) {
	v := t.m[id]
	if v == nil {
		return nil, false
	}
	return P(v).resource(), true
}

func (t *table[T, P]) setTags(id string, tags []mirror.Tag) {
	c := *t.m[id]
	P(&c).resource().Tags = tags
	t.put(&c)
}

func (t *table[T, P]) eachTagged(f func(*Resource)) {
	for _, v := range t.all() {
		f(P(v).resource())
	}
}

func (t *table[T, P]) copyTo(o tabler) { o.(*table[T, P]).m = maps.Clone(t.m) }

// meta is what the state file has beside resources.
type meta struct {
	Region    string `json:"region"`
	AccountID string `json:"accountId"`
	PageKey   []byte `json:"pageKey"`
	// Tokens remembers what client tokens of actions other than those of mirroring made,
	// oldest first.
	Tokens []token `json:"tokens,omitempty"`
	// Sessions are the temporary credentials that AssumeRole gave out.
	Sessions []stsSession `json:"sessions,omitempty"`
	// Organization: the accounts of the endpoint share without invitations.
	Organization bool `json:"organization,omitempty"`
}

type token struct {
	Action string   `json:"action"`
	Token  string   `json:"token"`
	Digest string   `json:"digest"`
	IDs    []string `json:"ids"`
}

type stsSession struct {
	AccessKey string    `json:"accessKey"`
	Secret    string    `json:"secret"`
	Token     string    `json:"token"`
	ARN       string    `json:"arn"`
	UserID    string    `json:"userId"`
	Until     time.Time `json:"until"`
}

// state is everything that the endpoint knows. The server's lock guards it.
type state struct {
	meta    meta
	gen     uint64 // counts committed changes
	seq     uint64 // of the newest resource
	changed bool   // in the action that runs
	undo    []func()
	gone    []string // interfaces deleted by it
	tables  []tabler

	vpcs           *table[VPC, *VPC]
	subnets        *table[Subnet, *Subnet]
	groups         *table[SecurityGroup, *SecurityGroup]
	acls           *table[NetworkACL, *NetworkACL]
	routeTables    *table[RouteTable, *RouteTable]
	gateways       *table[InternetGateway, *InternetGateway]
	enis           *table[NetworkInterface, *NetworkInterface]
	instances      *table[Instance, *Instance]
	volumes        *table[Volume, *Volume]
	keys           *table[KeyPair, *KeyPair]
	balancers      *table[LoadBalancer, *LoadBalancer]
	targetGroups   *table[TargetGroup, *TargetGroup]
	listeners      *table[Listener, *Listener]
	services       *table[EndpointService, *EndpointService]
	endpoints      *table[VPCEndpoint, *VPCEndpoint]
	addresses      *table[Address, *Address]
	nats           *table[NATGateway, *NATGateway]
	peerings       *table[Peering, *Peering]
	egressGateways *table[EgressGateway, *EgressGateway]
	dhcp           *table[DHCPOptions, *DHCPOptions]
	lists          *table[PrefixList, *PrefixList]
	templates      *table[LaunchTemplate, *LaunchTemplate]
	scaling        *table[ScalingGroup, *ScalingGroup]
	sharing        *table[ResourceShare, *ResourceShare]
	queues         *table[Queue, *Queue]
	rules          *table[EventRule, *EventRule]

	book     *mirror.Book
	bookGen  uint64 // gen of the book's last change
	bookLine []byte // of the state file; nil: stale

	addrs      map[string]map[netip.Addr]string // subnet -> address -> interface
	addrHints  map[string]netip.Addr            // subnet -> where to look for the next free address
	atInstance map[string][]*NetworkInterface   // instance -> its interfaces, in no order
	random     io.Reader
	fresh      []token // remembered since the last write of the journal
	metaDirty  bool    // meta has changed since then, beside its tokens
	size       int     // of the body of the state file when it was last made
}

func newState(m meta, random io.Reader) *state {
	s := &state{meta: m, random: random, addrs: map[string]map[netip.Addr]string{}, addrHints: map[string]netip.Addr{}, atInstance: map[string][]*NetworkInterface{}}
	s.vpcs = newTable[VPC](s, "vpc")
	s.subnets = newTable[Subnet](s, "subnet")
	s.groups = newTable[SecurityGroup](s, "security-group")
	s.acls = newTable[NetworkACL](s, "network-acl")
	s.routeTables = newTable[RouteTable](s, "route-table")
	s.gateways = newTable[InternetGateway](s, "internet-gateway")
	s.enis = newTable[NetworkInterface](s, "network-interface")
	s.instances = newTable[Instance](s, "instance")
	s.volumes = newTable[Volume](s, "volume")
	s.keys = newTable[KeyPair](s, "key-pair")
	s.balancers = newTable[LoadBalancer](s, "load-balancer")
	s.targetGroups = newTable[TargetGroup](s, "target-group")
	s.listeners = newTable[Listener](s, "listener")
	s.services = newTable[EndpointService](s, "vpc-endpoint-service")
	s.endpoints = newTable[VPCEndpoint](s, "vpc-endpoint")
	s.addresses = newTable[Address](s, "address")
	s.nats = newTable[NATGateway](s, "nat-gateway")
	s.peerings = newTable[Peering](s, "vpc-peering-connection")
	s.egressGateways = newTable[EgressGateway](s, "egress-only-internet-gateway")
	s.dhcp = newTable[DHCPOptions](s, "dhcp-options")
	s.lists = newTable[PrefixList](s, "prefix-list")
	s.templates = newTable[LaunchTemplate](s, "launch-template")
	s.scaling = newTable[ScalingGroup](s, "auto-scaling-group")
	s.sharing = newTable[ResourceShare](s, "resource-share")
	s.queues = newTable[Queue](s, "queue")
	s.rules = newTable[EventRule](s, "event-rule")
	return s
}

// past returns a copy of s for describes that lag behind.
func (s *state) past(o mirror.BookOptions) (*state, error) {
	c := newState(s.meta, s.random)
	c.gen, c.seq = s.gen, s.seq
	for i, t := range s.tables {
		t.copyTo(c.tables[i])
	}
	c.indexAddrs()
	var err error
	c.book, err = mirror.NewBook(o, s.book.State())
	return c, err
}

// rollbackTo takes back what has been put into tables since there were n steps to undo.
func (s *state) rollbackTo(n int) {
	for _, f := range slices.Backward(s.undo[n:]) {
		f()
	}
	clear(s.undo[n:])
	s.undo = s.undo[:n]
}

// rollback takes back what the action that runs has put into tables.
func (s *state) rollback() {
	s.rollbackTo(0)
	s.undo, s.gone, s.changed = s.undo[:0], s.gone[:0], false
}

// commit makes the action that ran final.
func (s *state) commit() {
	for _, id := range s.gone {
		if len(s.book.InterfaceDeleted(id)) > 0 {
			s.touchBook()
		}
	}
	if s.changed {
		s.gen++
	}
	clear(s.undo)
	s.undo, s.gone, s.changed = s.undo[:0], s.gone[:0], false
}

// newID makes an id as EC2 has them: prefix and 17 hexadecimal digits.
func (s *state) newID(prefix string) string {
	var b [9]byte
	s.rand(b[:])
	return prefix + hex.EncodeToString(b[:])[:17]
}

func (s *state) hex(n int) string {
	b := make([]byte, (n+1)/2)
	s.rand(b)
	return hex.EncodeToString(b)[:n]
}

func (s *state) rand(b []byte) {
	if _, err := io.ReadFull(s.random, b); err != nil {
		panic("random source: " + err.Error()) // crypto/rand does not fail
	}
}

// res starts a resource.
func (s *state) res(id string, now time.Time, tags []mirror.Tag) Resource {
	s.seq++
	return Resource{ID: id, Seq: s.seq, Created: now.UTC().Truncate(time.Millisecond), OwnerID: s.meta.AccountID, Tags: tags}
}

// indexAddrs rebuilds the tables of used addresses and of the interfaces of instances.
func (s *state) indexAddrs() {
	clear(s.addrs)
	clear(s.atInstance)
	for _, e := range s.enis.m {
		s.takeAddrs(e)
	}
}

func (s *state) takeAddrs(e *NetworkInterface) {
	if e.Attachment != nil {
		s.atInstance[e.Attachment.InstanceID] = append(s.atInstance[e.Attachment.InstanceID], e)
	}
	used := s.addrs[e.Subnet]
	if used == nil {
		used = map[netip.Addr]string{}
		s.addrs[e.Subnet] = used
	}
	for _, a := range e.Addrs {
		used[a] = e.ID
	}
	for _, a := range e.IPv6 {
		used[a] = e.ID
	}
}

func (s *state) freeAddrs(e *NetworkInterface) {
	if e.Attachment != nil {
		id := e.Attachment.InstanceID
		s.atInstance[id] = slices.DeleteFunc(s.atInstance[id], func(o *NetworkInterface) bool { return o.ID == e.ID })
		if len(s.atInstance[id]) == 0 {
			delete(s.atInstance, id)
		}
	}
	used := s.addrs[e.Subnet]
	for _, a := range e.Addrs {
		delete(used, a)
	}
	for _, a := range e.IPv6 {
		delete(used, a)
	}
	if len(e.Addrs) > 0 && (!s.addrHints[e.Subnet].IsValid() || e.Addrs[0].Less(s.addrHints[e.Subnet])) {
		delete(s.addrHints, e.Subnet)
	}
}

// putENI is enis.put that keeps the table of addresses right.
func (s *state) putENI(e *NetworkInterface) {
	if old := s.enis.get(e.ID); old != nil {
		s.freeAddrs(old)
		s.undo = append(s.undo, func() { s.takeAddrs(old) })
	}
	s.takeAddrs(e)
	s.undo = append(s.undo, func() { s.freeAddrs(e) })
	s.enis.put(e)
}

// delENI removes an interface and the mirror sessions whose source it is.
func (s *state) delENI(id string) {
	e := s.enis.get(id)
	if e == nil {
		return
	}
	if a := s.addresses.get(e.Allocation); a != nil {
		s.detachAddress(a)
		e = s.enis.get(id)
	}
	s.freeAddrs(e)
	s.undo = append(s.undo, func() { s.takeAddrs(e) })
	s.enis.del(id)
	// The book takes nothing back: it hears of it when the action has succeeded.
	s.gone = append(s.gone, id)
}

func (s *state) touchBook() {
	s.changed, s.bookLine = true, nil
	s.bookGen = s.gen + 1
}

// findToken returns what a client token has made, or refuses it when the request was
// another one.
func (s *state) findToken(action, tok, digest string) ([]string, *Error) {
	if tok == "" {
		return nil, nil
	}
	for _, t := range s.meta.Tokens {
		if t.Action == action && t.Token == tok {
			if t.Digest != digest {
				return nil, errorf("IdempotentParameterMismatch", "The client token you have provided is associated with a resource that was created with different parameters")
			}
			return t.IDs, nil
		}
	}
	return nil, nil
}

func (s *state) keepToken(action, tok, digest string, ids ...string) {
	if tok == "" {
		return
	}
	old, fresh := s.meta.Tokens, len(s.fresh)
	s.undo = append(s.undo, func() { s.meta.Tokens, s.fresh = old, s.fresh[:fresh] })
	t := token{Action: action, Token: tok, Digest: digest, IDs: ids}
	s.meta.Tokens, s.fresh = withToken(old, t), append(s.fresh, t)
	s.changed = true
}

// withToken adds a token; the oldest goes when there are too many. The old list stays.
func withToken(list []token, t token) []token {
	list = append(slices.Clip(list), t)
	return list[max(0, len(list)-maxTokens):]
}
