package mirror_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mirador/internal/mirror"
)

// around is a World in maps.
type around struct {
	interfaces map[string]mirror.Interface
	nlbs       map[string]bool
	endpoints  map[string]bool
	shared     map[string]mirror.SharedTarget
}

func (w *around) Interface(id string) (mirror.Interface, bool) {
	i, ok := w.interfaces[id]
	return i, ok
}
func (w *around) NetworkLoadBalancer(arn string) bool { return w.nlbs[arn] }
func (w *around) GatewayEndpoint(id string) bool      { return w.endpoints[id] }
func (w *around) SharedTarget(id string) (mirror.SharedTarget, bool) {
	t, ok := w.shared[id]
	return t, ok
}

const (
	account  = "111122223333"
	nlb      = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/sensors/0123456789abcdef"
	nlbGone  = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/gone/0123456789abcdef"
	alb      = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/web/0123456789abcdef"
	endpoint = "vpce-0123456789abcdef0"
	sensor   = "eni-0aaaaaaaaaaaaaaa0"
	big      = "eni-0bbbbbbbbbbbbbbb0"
	shared   = "tmt-0cccccccccccccccc"
)

func eni(n int) string { return fmt.Sprintf("eni-%017x", n) }

// newAround has interfaces eni(1) to eni(200) on m5.large, and targets of all kinds.
func newAround() *around {
	w := &around{interfaces: map[string]mirror.Interface{}, nlbs: map[string]bool{nlb: true}, endpoints: map[string]bool{endpoint: true},
		shared: map[string]mirror.SharedTarget{}}
	add := func(id, kind string) mirror.Interface {
		i := mirror.Interface{ID: id, Kind: "interface", OwnerID: account, InstanceID: "i-" + id[4:], InstanceType: kind,
			Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.9")}, MTU: 9001}
		w.interfaces[id] = i
		return i
	}
	for n := range 200 {
		add(eni(n+1), "m5.large")
	}
	add(sensor, "t2.micro")
	add(big, "c5.18xlarge")
	w.shared[shared] = mirror.SharedTarget{Target: mirror.Target{ID: shared, NetworkInterfaceID: "eni-0dddddddddddddddd", OwnerID: "444455556666"}}
	return w
}

// seeded returns a source of random bytes that is the same each time.
func seeded(n uint64) func([]byte) {
	r := rand.New(rand.NewPCG(n, n))
	return func(b []byte) {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	}
}

func newBook(t testing.TB, o mirror.BookOptions) *mirror.Book {
	t.Helper()
	o.AccountID = account
	if o.Random == nil {
		o.Random = seeded(1)
	}
	b, err := mirror.NewBook(o, mirror.BookState{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ptr[T any](v T) *T { return &v }

// must ends the test on an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func rangeOf(from, to int) *mirror.PortRangeParams {
	return &mirror.PortRangeParams{From: &from, To: &to}
}

// setup is a book with one of everything.
type setup struct {
	*mirror.Book
	w       *around
	target  mirror.Target
	filter  mirror.Filter
	rule    mirror.FilterRule
	session mirror.Session
}

func newSetup(t testing.TB, o mirror.BookOptions) *setup {
	t.Helper()
	s := &setup{Book: newBook(t, o), w: newAround()}
	s.target = must[mirror.Target](t)(s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkInterfaceID: sensor}))
	s.filter = must[mirror.Filter](t)(s.CreateFilter(mirror.CreateFilterParams{Description: "f"}))
	s.rule = must[mirror.FilterRule](t)(s.CreateFilterRule(s.ruleParams(100)))
	s.session = must[mirror.Session](t)(s.CreateSession(s.w, s.sessionParams(1, 10)))
	return s
}

func (s *setup) ruleParams(number int) mirror.CreateFilterRuleParams {
	return mirror.CreateFilterRuleParams{FilterID: s.filter.ID, Direction: "ingress", Number: &number, Action: "accept",
		SourceCIDR: "0.0.0.0/0", DestinationCIDR: "10.0.0.0/8", Protocol: ptr(6)}
}

func (s *setup) sessionParams(source, number int) mirror.CreateSessionParams {
	return mirror.CreateSessionParams{NetworkInterfaceID: eni(source), TargetID: s.target.ID, FilterID: s.filter.ID, Number: &number}
}

// wantCode checks that err is a refusal with this code, whose message has text in it.
func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var e *mirror.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want code %s", err, code)
	}
	if e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("%s: %s, want %s: ...%s...", e.Code, e.Message, code, text)
	}
}

// Quotas of the account are those of the options.
func TestAccountQuotas(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{Quotas: mirror.Quotas{Targets: 1, Filters: 1, Sessions: 1}})
	_, err := s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkInterfaceID: big})
	wantCode(t, err, "TrafficMirrorTargetLimitExceeded", "(1)")
	_, err = s.CreateFilter(mirror.CreateFilterParams{})
	wantCode(t, err, "TrafficMirrorFilterLimitExceeded", "(1)")
	_, err = s.CreateSession(s.w, s.sessionParams(2, 1))
	wantCode(t, err, "TrafficMirrorSessionLimitExceeded", "(1)")

	s = newSetup(t, mirror.BookOptions{Quotas: mirror.Quotas{SessionsPerTarget: 1}})
	_, err = s.CreateSession(s.w, s.sessionParams(2, 1))
	wantCode(t, err, "TrafficMirrorSessionsPerTargetLimitExceeded", "(1)")
}

// A target on one of the largest types has 100 sources, and a shared target counts those
// of other accounts.
func TestSourcesPerTarget(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{})
	s.target = must[mirror.Target](t)(s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkInterfaceID: big}))
	for n := range 100 {
		if _, err := s.CreateSession(s.w, s.sessionParams(n+2, 1)); err != nil {
			t.Fatalf("source %d: %v", n+1, err)
		}
	}
	_, err := s.CreateSession(s.w, s.sessionParams(102, 1))
	wantCode(t, err, "TrafficMirrorSourcesPerTargetLimitExceeded", "(101)")
	// A second target that is the same interface has no sources of its own to give.
	s.target = must[mirror.Target](t)(s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkInterfaceID: big}))
	_, err = s.CreateSession(s.w, s.sessionParams(103, 1))
	wantCode(t, err, "TrafficMirrorSourcesPerTargetLimitExceeded", "(101)")

	x := s.w.shared[shared]
	x.OtherSources = 9
	s.w.shared[shared] = x
	s.target.ID = shared
	if _, err := s.CreateSession(s.w, s.sessionParams(110, 1)); err != nil {
		t.Fatal(err)
	}
	_, err = s.CreateSession(s.w, s.sessionParams(111, 1))
	wantCode(t, err, "TrafficMirrorSourcesPerTargetLimitExceeded", "(11)")
}

// Defaults are those of AWS.
func TestDefaults(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{})
	for _, c := range []struct{ id, form string }{
		{s.target.ID, `^tmt-[0-9a-f]{17}$`}, {s.filter.ID, `^tmf-[0-9a-f]{17}$`}, {s.rule.ID, `^tmfr-[0-9a-f]{17}$`}, {s.session.ID, `^tms-[0-9a-f]{17}$`},
	} {
		if !regexp.MustCompile(c.form).MatchString(c.id) {
			t.Errorf("id %q, want %s", c.id, c.form)
		}
	}
	if s.target.Type() != mirror.TargetInterface || s.target.OwnerID != account || s.session.OwnerID != account {
		t.Errorf("target %+v session %+v", s.target, s.session)
	}
	if s.session.PacketLength != 0 || s.session.VNI == 0 {
		t.Errorf("session %+v: want the whole packet and a random VNI", s.session)
	}
	p := s.ruleParams(300)
	p.Protocol = nil
	if r := must[mirror.FilterRule](t)(s.CreateFilterRule(p)); r.Protocol != mirror.AnyProtocol || r.FilterID != s.filter.ID {
		t.Errorf("rule %+v: want all protocols", r)
	}
	// Load balancers get a packet length of 8500, which is shown, and keep theirs.
	n := 30
	for _, tp := range []mirror.CreateTargetParams{{NetworkLoadBalancerARN: nlb}, {GatewayLoadBalancerEndpointID: endpoint}} {
		n++
		lb := must[mirror.Target](t)(s.CreateTarget(s.w, tp))
		q := s.sessionParams(n, 1)
		q.TargetID = lb.ID
		x := must[mirror.Session](t)(s.CreateSession(s.w, q))
		if x.PacketLength != 8500 {
			t.Errorf("%v: packet length %d", lb.Type(), x.PacketLength)
		}
		x = must[mirror.Session](t)(s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: x.ID, PacketLength: ptr(100)}))
		if x.PacketLength != 100 {
			t.Errorf("%v: packet length %d", lb.Type(), x.PacketLength)
		}
		x = must[mirror.Session](t)(s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: x.ID, RemoveFields: []string{"packet-length"}}))
		if x.PacketLength != 8500 {
			t.Errorf("%v: packet length %d after removal", lb.Type(), x.PacketLength)
		}
		y := must[mirror.Session](t)(s.CreateSession(s.w, s.sessionParams(n+4, 1)))
		y = must[mirror.Session](t)(s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: y.ID, TargetID: &lb.ID}))
		if y.PacketLength != 8500 {
			t.Errorf("%v: packet length %d after the target changed", lb.Type(), y.PacketLength)
		}
	}
}

// Modify changes what is given, removes what is named and keeps the rest.
func TestModify(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{})
	f2 := must[mirror.Filter](t)(s.CreateFilter(mirror.CreateFilterParams{}))
	x := must[mirror.Session](t)(s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: s.session.ID, TargetID: ptr(shared), FilterID: &f2.ID,
		Number: ptr(7), PacketLength: ptr(200), VNI: ptr(1169), Description: ptr("d")}))
	want := mirror.Session{ID: s.session.ID, NetworkInterfaceID: eni(1), TargetID: shared, FilterID: f2.ID, OwnerID: account, Number: 7, VNI: 1169, PacketLength: 200, Description: "d"}
	if !reflect.DeepEqual(x, want) {
		t.Errorf("session %+v, want %+v", x, want)
	}
	x = must[mirror.Session](t)(s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: x.ID, RemoveFields: []string{"packet-length", "description", "virtual-network-id"}}))
	if x.VNI == 1169 || x.VNI == 0 || x.Description != "" || x.PacketLength != 0 || x.Number != 7 {
		t.Errorf("after removal %+v", x)
	}
	if got, _ := s.Session(x.ID); !reflect.DeepEqual(got, x) {
		t.Errorf("kept %+v, returned %+v", got, x)
	}
	if err := s.DeleteFilter(s.filter.ID); err != nil {
		t.Errorf("the filter that the session no longer has: %v", err)
	}
	if _, ok := s.FilterRule(s.rule.ID); ok {
		t.Error("the rule of a deleted filter is there")
	}

	s = newSetup(t, mirror.BookOptions{})
	r := must[mirror.FilterRule](t)(s.ModifyFilterRule(mirror.ModifyFilterRuleParams{RuleID: s.rule.ID, Direction: ptr("egress"), Number: ptr(5), Action: ptr("reject"),
		SourceCIDR: ptr("2001:db8::/32"), DestinationCIDR: ptr("::/0"), Protocol: ptr(17), SourcePorts: rangeOf(1, 2), DestinationPorts: rangeOf(53, 53), Description: ptr("d")}))
	wantRule := mirror.FilterRule{ID: s.rule.ID, FilterID: s.filter.ID, Direction: mirror.Egress, Number: 5, Action: mirror.Reject, Protocol: 17,
		SourceCIDR: netip.MustParsePrefix("2001:db8::/32"), DestinationCIDR: netip.MustParsePrefix("::/0"),
		SourcePorts: &mirror.PortRange{From: 1, To: 2}, DestinationPorts: &mirror.PortRange{From: 53, To: 53}, Description: "d"}
	if !reflect.DeepEqual(r, wantRule) {
		t.Errorf("rule %+v, want %+v", r, wantRule)
	}
	r = must[mirror.FilterRule](t)(s.ModifyFilterRule(mirror.ModifyFilterRuleParams{RuleID: r.ID, RemoveFields: []string{"protocol", "source-port-range", "destination-port-range", "description"}}))
	wantRule.Protocol, wantRule.SourcePorts, wantRule.DestinationPorts, wantRule.Description = mirror.AnyProtocol, nil, nil, ""
	if !reflect.DeepEqual(r, wantRule) {
		t.Errorf("rule %+v, want %+v", r, wantRule)
	}
	f := must[mirror.Filter](t)(s.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{FilterID: s.filter.ID, Add: []string{"amazon-dns", "amazon-dns"}}))
	if !slices.Equal(f.NetworkServices, []string{"amazon-dns"}) {
		t.Errorf("services %v", f.NetworkServices)
	}
	f = must[mirror.Filter](t)(s.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{FilterID: s.filter.ID, Remove: []string{"amazon-dns"}}))
	if len(f.NetworkServices) != 0 || len(f.Rules) != 1 {
		t.Errorf("filter %+v", f)
	}
}

// The same token with the same parameters returns the same object, also after a restart,
// and a new one when that object is gone.
func TestClientTokens(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{})
	create := []func(b *mirror.Book) string{
		func(b *mirror.Book) string {
			return must[mirror.Target](t)(b.CreateTarget(s.w, mirror.CreateTargetParams{NetworkLoadBalancerARN: nlb, ClientToken: "a", Tags: []mirror.Tag{{Key: "k"}}})).ID
		},
		func(b *mirror.Book) string {
			return must[mirror.Filter](t)(b.CreateFilter(mirror.CreateFilterParams{ClientToken: "a"})).ID
		},
		func(b *mirror.Book) string {
			p := s.ruleParams(900)
			p.ClientToken = "a"
			return must[mirror.FilterRule](t)(b.CreateFilterRule(p)).ID
		},
		func(b *mirror.Book) string {
			p := s.sessionParams(3, 1)
			p.ClientToken = "a"
			return must[mirror.Session](t)(b.CreateSession(s.w, p)).ID
		},
	}
	for i, f := range create {
		id := f(s.Book)
		if again := f(s.Book); again != id {
			t.Errorf("%d: %s, then %s", i, id, again)
		}
		restarted, err := mirror.NewBook(mirror.BookOptions{AccountID: account}, s.State())
		if err != nil {
			t.Fatal(err)
		}
		if again := f(restarted); again != id {
			t.Errorf("%d: %s, after a restart %s", i, id, again)
		}
	}
	p := s.sessionParams(3, 1)
	p.ClientToken = "a"
	x := must[mirror.Session](t)(s.CreateSession(s.w, p))
	if err := s.DeleteSession(x.ID); err != nil {
		t.Fatal(err)
	}
	if y := must[mirror.Session](t)(s.CreateSession(s.w, p)); y.ID == x.ID {
		t.Error("the deleted session came back")
	}
}

// A book remembers the newest MaxClientTokens tokens.
func TestClientTokensAreBounded(t *testing.T) {
	var state mirror.BookState
	for n := range mirror.MaxClientTokens + 10 {
		state.Tokens = append(state.Tokens, mirror.ClientToken{Action: "CreateFilter", Token: fmt.Sprint(n), ID: "tmf-1", Digest: "x"})
	}
	b, err := mirror.NewBook(mirror.BookOptions{AccountID: account}, state)
	if err != nil {
		t.Fatal(err)
	}
	must[mirror.Filter](t)(b.CreateFilter(mirror.CreateFilterParams{ClientToken: "new"}))
	got := b.State().Tokens
	if len(got) != mirror.MaxClientTokens || got[0].Token != "11" || got[len(got)-1].Token != "new" {
		t.Errorf("%d tokens, first %q, last %q", len(got), got[0].Token, got[len(got)-1].Token)
	}
}

// VNIs and ids are unique even when the random source repeats itself.
func TestUnique(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{Random: func(b []byte) { clear(b) }})
	seen := map[uint32]bool{s.session.VNI: true}
	for n := range 8 {
		x := must[mirror.Session](t)(s.CreateSession(s.w, s.sessionParams(n+2, 1)))
		if seen[x.VNI] || x.VNI == 0 {
			t.Errorf("VNI %d", x.VNI)
		}
		seen[x.VNI] = true
	}
}

// What is around a session may go; the session stays, except when its source goes.
func TestStatus(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{})
	p := s.sessionParams(2, 1)
	p.TargetID = shared
	foreign := must[mirror.Session](t)(s.CreateSession(s.w, p))
	want := func(id, why string) {
		t.Helper()
		if got := s.Status(s.w, id); got.Active != (why == "") || got.Why != why {
			t.Errorf("status %+v, want %q", got, why)
		}
	}
	want(s.session.ID, "")
	want(foreign.ID, "")
	want("tms-1", mirror.WhyNoSession)
	delete(s.w.shared, shared)
	want(foreign.ID, mirror.WhyTargetDeleted)
	if _, err := s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: foreign.ID, Description: ptr("still there")}); err != nil {
		t.Error(err)
	}
	if x := must[mirror.Session](t)(s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: foreign.ID, TargetID: &s.target.ID})); x.ID != foreign.ID {
		t.Errorf("session %+v", x)
	}
	want(foreign.ID, "")

	i := s.w.interfaces[eni(1)]
	i.InstanceType = "c8g.large"
	s.w.interfaces[eni(1)] = i
	want(s.session.ID, mirror.WhySourceNotMirror)
	i.InstanceType = "m5.large"
	s.w.interfaces[eni(1)] = i
	kept := s.w.interfaces[sensor]
	delete(s.w.interfaces, sensor)
	want(s.session.ID, mirror.WhyResourceDeleted)
	s.w.interfaces[sensor] = kept
	want(s.session.ID, "")

	delete(s.w.interfaces, eni(1))
	want(s.session.ID, mirror.WhySourceDeleted)
	if gone := s.InterfaceDeleted(eni(1)); !slices.Equal(gone, []string{s.session.ID}) {
		t.Errorf("gone %v", gone)
	}
	if s.Has(s.session.ID) || len(s.SessionsOf(eni(1))) != 0 {
		t.Error("the session of a deleted source is there")
	}
	if gone := s.InterfaceDeleted(sensor); len(gone) != 0 || !s.Has(s.target.ID) {
		t.Errorf("deleting the target's interface removed %v", gone)
	}
}

// The switches of the book do what they say.
func TestBookSwitches(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*mirror.Switches)
		do   func(*setup) error
		off  string // code without the switch; "" none
		on   string
	}{
		{"DuplicateSessionNumbers", func(s *mirror.Switches) { s.DuplicateSessionNumbers = true }, func(s *setup) error {
			_, err := s.CreateSession(s.w, s.sessionParams(1, 10))
			return err
		}, "InvalidParameterValue", ""},
		{"DuplicateTargetsRefused", func(s *mirror.Switches) { s.DuplicateTargetsRefused = true }, func(s *setup) error {
			_, err := s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkInterfaceID: sensor})
			return err
		}, "", "InvalidTrafficMirrorTarget"},
		{"VNIZeroRefused", func(s *mirror.Switches) { s.VNIZeroRefused = true }, func(s *setup) error {
			_, err := s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: s.session.ID, VNI: ptr(0)})
			return err
		}, "", "InvalidParameterValue"},
		{"LongPacketLength", func(s *mirror.Switches) { s.LongPacketLength = true }, func(s *setup) error {
			_, err := s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: s.session.ID, PacketLength: ptr(9001)})
			return err
		}, "InvalidParameterValue", ""},
		{"LongPacketLength of a load balancer", func(s *mirror.Switches) { s.LongPacketLength = true }, func(s *setup) error {
			p := s.sessionParams(2, 1)
			p.TargetID, p.PacketLength = must[mirror.Target](t)(s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkLoadBalancerARN: nlb})).ID, ptr(9001)
			_, err := s.CreateSession(s.w, p)
			return err
		}, "InvalidParameterValue", "InvalidParameterValue"},
		{"ProtocolMinusOne", func(s *mirror.Switches) { s.ProtocolMinusOne = true }, func(s *setup) error {
			_, err := s.ModifyFilterRule(mirror.ModifyFilterRuleParams{RuleID: s.rule.ID, Protocol: ptr(-1)})
			return err
		}, "InvalidParameterValue", ""},
		{"AnySourceType", func(s *mirror.Switches) { s.AnySourceType = true }, func(s *setup) error {
			i := s.w.interfaces[eni(2)]
			i.InstanceType = "c8g.large"
			s.w.interfaces[eni(2)] = i
			_, err := s.CreateSession(s.w, s.sessionParams(2, 1))
			return err
		}, "NetworkInterfaceNotSupported", ""},
		{"ManagedSourcesAsDocumented", func(s *mirror.Switches) { s.ManagedSourcesAsDocumented = true }, func(s *setup) error {
			i := s.w.interfaces[eni(2)]
			i.InstanceType, i.InstanceID, i.RequesterID = "", "", "amazon-elb"
			s.w.interfaces[eni(2)] = i
			_, err := s.CreateSession(s.w, s.sessionParams(2, 1))
			return err
		}, "", "NetworkInterfaceNotSupported"},
		{"ManagedSourcesAsDocumented for RDS", func(s *mirror.Switches) { s.ManagedSourcesAsDocumented = true }, func(s *setup) error {
			i := s.w.interfaces[eni(2)]
			i.InstanceType, i.InstanceID, i.RequesterID = "", "", "amazon-rds"
			s.w.interfaces[eni(2)] = i
			_, err := s.CreateSession(s.w, s.sessionParams(2, 1))
			return err
		}, "", ""},
		{"DetachedSourcesAllowed", func(s *mirror.Switches) { s.DetachedSourcesAllowed = true }, func(s *setup) error {
			i := s.w.interfaces[eni(2)]
			i.InstanceType, i.InstanceID = "", ""
			s.w.interfaces[eni(2)] = i
			_, err := s.CreateSession(s.w, s.sessionParams(2, 1))
			return err
		}, "NetworkInterfaceNotSupported", ""},
		{"PortsWithoutProtocolInModify", func(s *mirror.Switches) { s.PortsWithoutProtocolInModify = true }, func(s *setup) error {
			_, err := s.ModifyFilterRule(mirror.ModifyFilterRuleParams{RuleID: s.rule.ID, SourcePorts: rangeOf(1, 2)})
			return err
		}, "InvalidParameterCombination", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var on mirror.Switches
			c.set(&on)
			for _, x := range []struct {
				sw   mirror.Switches
				code string
			}{{mirror.Switches{}, c.off}, {on, c.on}} {
				err := c.do(newSetup(t, mirror.BookOptions{Switches: x.sw}))
				if x.code == "" && err != nil {
					t.Errorf("switches %+v: %v", x.sw, err)
				} else if x.code != "" {
					wantCode(t, err, x.code, "")
				}
			}
		})
	}
}

// A newer family than the list's is tried, and a shared subnet's owner may mirror.
func TestSourcesThatAreTaken(t *testing.T) {
	for _, change := range []func(*mirror.Interface){
		func(i *mirror.Interface) { i.InstanceType = "m99z.large" },
		func(i *mirror.Interface) { i.InstanceType = "c6g.metal" },
		func(i *mirror.Interface) { i.OwnerID, i.SubnetOwnerID = "999999999999", account },
		func(i *mirror.Interface) { i.Addrs = append(i.Addrs, netip.MustParseAddr("2001:db8::1")) },
		func(i *mirror.Interface) { i.InstanceID, i.InstanceType, i.RequesterID = "", "", "amazon-rds" },
	} {
		s := newSetup(t, mirror.BookOptions{})
		i := s.w.interfaces[eni(2)]
		change(&i)
		s.w.interfaces[i.ID] = i
		if _, err := s.CreateSession(s.w, s.sessionParams(2, 1)); err != nil {
			t.Errorf("%+v: %v", i, err)
		}
	}
}

func TestTags(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{})
	ids := []string{s.target.ID, s.filter.ID, s.rule.ID, s.session.ID}
	if err := s.CreateTags(ids, []mirror.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateTags(ids[:1], []mirror.Tag{{Key: "a", Value: "9"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateTags(append(ids[:2:2], "tms-1"), []mirror.Tag{{Key: "c"}}); err == nil {
		t.Error("an unknown id was tagged")
	}
	if err := s.DeleteTags(ids, []mirror.TagKey{{Key: "b", Value: ptr("3")}, {Key: "a", Value: ptr("9")}}); err != nil {
		t.Fatal(err)
	}
	x, _ := s.Target(s.target.ID)
	if !slices.Equal(x.Tags, []mirror.Tag{{Key: "b", Value: "2"}}) {
		t.Errorf("target %v", x.Tags)
	}
	y, _ := s.Session(s.session.ID)
	if len(y.Tags) != 2 {
		t.Errorf("session %v", y.Tags)
	}
	if err := s.DeleteTags(ids, nil); err != nil {
		t.Fatal(err)
	}
	z, _ := s.FilterRule(s.rule.ID)
	if len(z.Tags) != 0 {
		t.Errorf("rule %v", z.Tags)
	}
	for i, want := range []string{"traffic-mirror-target", "traffic-mirror-filter", "traffic-mirror-filter-rule", "traffic-mirror-session"} {
		if got := mirror.ResourceTypeOf(ids[i]); got != want {
			t.Errorf("ResourceTypeOf(%s) = %q", ids[i], got)
		}
	}
	if got := mirror.ResourceTypeOf("vpc-1"); got != "" {
		t.Errorf("ResourceTypeOf(vpc-1) = %q", got)
	}
}

// A state that cannot be is refused with a reason, not taken.
func TestBadStates(t *testing.T) {
	good := newSetup(t, mirror.BookOptions{}).State()
	for _, c := range []struct {
		name  string
		spoil func(*mirror.BookState)
	}{
		{"target twice", func(s *mirror.BookState) { s.Targets = append(s.Targets, s.Targets[0]) }},
		{"target of nothing", func(s *mirror.BookState) { s.Targets[0] = mirror.Target{ID: "tmt-1"} }},
		{"filter twice", func(s *mirror.BookState) { s.Filters = append(s.Filters, s.Filters[0]) }},
		{"rule twice", func(s *mirror.BookState) {
			r := s.Filters[0].Rules[0]
			r.Number++
			s.Filters[0].Rules = append(s.Filters[0].Rules, r)
		}},
		{"rule number twice", func(s *mirror.BookState) {
			r := s.Filters[0].Rules[0]
			r.ID = "tmfr-1"
			s.Filters[0].Rules = append(s.Filters[0].Rules, r)
		}},
		{"rule of no family", func(s *mirror.BookState) { s.Filters[0].Rules[0].SourceCIDR = netip.Prefix{} }},
		{"rule action", func(s *mirror.BookState) { s.Filters[0].Rules[0].Action = "drop" }},
		{"rule direction", func(s *mirror.BookState) { s.Filters[0].Rules[0].Direction = 7 }},
		{"rule protocol", func(s *mirror.BookState) { s.Filters[0].Rules[0].Protocol = 300 }},
		{"rule ports", func(s *mirror.BookState) { s.Filters[0].Rules[0].SourcePorts = &mirror.PortRange{From: 5, To: 1 << 20} }},
		{"service", func(s *mirror.BookState) { s.Filters[0].NetworkServices = []string{"x"} }},
		{"session of no filter", func(s *mirror.BookState) { s.Sessions[0].FilterID = "tmf-1" }},
		{"session number", func(s *mirror.BookState) { s.Sessions[0].Number = 1 << 20 }},
		{"session VNI", func(s *mirror.BookState) { s.Sessions[0].VNI = 1 << 24 }},
		{"session twice", func(s *mirror.BookState) { s.Sessions = append(s.Sessions, s.Sessions[0]) }},
	} {
		var s mirror.BookState
		text, _ := json.Marshal(good)
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		if _, err := mirror.NewBook(mirror.BookOptions{}, s); err != nil {
			t.Fatal(err)
		}
		c.spoil(&s)
		if _, err := mirror.NewBook(mirror.BookOptions{}, s); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

// What a book returns are copies.
func TestCopies(t *testing.T) {
	s := newSetup(t, mirror.BookOptions{})
	if err := s.CreateTags([]string{s.target.ID, s.filter.ID, s.rule.ID, s.session.ID}, []mirror.Tag{{Key: "a"}}); err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(s.State())
	st := s.State()
	st.Targets[0].Tags[0].Key = "x"
	st.Filters[0].Tags[0].Key = "x"
	st.Filters[0].Rules[0].Tags[0].Key = "x"
	st.Filters[0].Rules[0].Number = 1
	st.Sessions[0].Tags[0].Key = "x"
	f, _ := s.Filter(s.filter.ID)
	f.Rules[0].Number = 77
	r, _ := s.FilterRule(s.rule.ID)
	r.Tags[0].Key = "y"
	if after, _ := json.Marshal(s.State()); string(after) != string(before) {
		t.Errorf("the book changed:\n%s\n%s", before, after)
	}
}
