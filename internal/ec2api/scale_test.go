package ec2api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"mirador/internal/mirror"
)

// big is an endpoint with n instances of two interfaces each and a half, as an account of
// some size has.
func big(t testing.TB, instances, interfaces int) *Server {
	t.Helper()
	v, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := v.s
	now := v.o.Now()
	vpc := s.newVPC(now, netip.MustParsePrefix("10.0.0.0/16"), nil)
	sub := s.newSubnet(now, vpc, netip.MustParsePrefix("10.0.0.0/18"), "us-east-1a", nil)
	s.putSubnet(sub)
	g := s.defaultGroup(vpc.ID)
	var ids []string
	for range instances {
		i := &Instance{Resource: s.res(s.newID("i-"), now, nil), Type: "m5.large", VPC: vpc.ID, Subnet: sub.ID, Zone: sub.Zone, State: Running, Image: "ami-12345678"}
		i.Reservation = s.newID("r-")
		s.instances.put(i)
		ids = append(ids, i.ID)
	}
	for n := range interfaces {
		e, err := s.newENI(now, sub, KindInterface, fmt.Sprint("eni ", n), []string{g.ID})
		if err != nil {
			t.Fatal(err)
		}
		if n < 2*instances {
			e.Attachment = &Attachment{ID: s.newID("eni-attach-"), InstanceID: ids[n%instances], DeviceIndex: n / instances}
		}
		s.putENI(e)
	}
	s.commit()
	return v
}

func ask(v *Server, action string, params ...string) *httptest.ResponseRecorder {
	form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	v.ServeHTTP(w, r)
	return w
}

// TestBigAccount looks at an account of 1,000 instances and 2,500 interfaces. What a
// describe allocates grows with what it tells, not with the square of it.
func TestBigAccount(t *testing.T) {
	small, large := big(t, 100, 250), big(t, 1000, 2500)
	for _, c := range []struct {
		action string
		params []string
		items  int // in the large account
	}{
		{"DescribeInstances", nil, 1000},
		{"DescribeNetworkInterfaces", []string{"Filter.1.Name", "attachment.device-index", "Filter.1.Value.1", "1"}, 1000},
		{"DescribeNetworkInterfaces", []string{"Filter.1.Name", "status", "Filter.1.Value.1", "available"}, 500},
		{"DescribeInstances", []string{"Filter.1.Name", "network-interface.description", "Filter.1.Value.1", "eni 1*"}, 0},
	} {
		w := ask(large, c.action, c.params...)
		if n := strings.Count(w.Body.String(), "<macAddress>"); c.items > 0 && c.action != "DescribeInstances" && n != c.items {
			t.Errorf("%s %v: %d items, want %d", c.action, c.params, n, c.items)
		}
		few := testing.AllocsPerRun(1, func() { ask(small, c.action, c.params...) })
		many := testing.AllocsPerRun(1, func() { ask(large, c.action, c.params...) })
		if many > 20*few {
			t.Errorf("%s %v: %.0f allocations for ten times what took %.0f", c.action, c.params, many, few)
		}
	}
	if w := ask(large, "DescribeSubnets"); !strings.Contains(w.Body.String(), "<availableIpAddressCount>13879<") {
		t.Errorf("addresses left: %s", w.Body)
	}
}

// BenchmarkChange is one change of a large account as it goes to the state file.
func BenchmarkChange(b *testing.B) {
	v := big(b, 1000, 2500)
	eni := v.s.enis.all()[0].ID
	b.ReportAllocs()
	for b.Loop() {
		ask(v, "ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Description.Value", "x")
		if _, err := v.s.encode(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDescribe tells of all interfaces of a large account.
func BenchmarkDescribe(b *testing.B) {
	v := big(b, 1000, 2500)
	b.ReportAllocs()
	for b.Loop() {
		ask(v, "DescribeNetworkInterfaces")
	}
}

// large is an endpoint of 5,000 interfaces, each with a mirror session, on disk.
func large(b *testing.B) (v *Server, eni string) {
	v = big(b, 2500, 5000)
	tmt := v.s.enis.all()[0].ID
	var state mirror.BookState
	state.Targets = []mirror.Target{{ID: "tmt-00000001", NetworkInterfaceID: tmt, OwnerID: v.o.AccountID}}
	state.Filters = []mirror.Filter{{ID: "tmf-00000001"}}
	for i, e := range v.s.enis.all()[1:] {
		state.Sessions = append(state.Sessions, mirror.Session{ID: fmt.Sprintf("tms-%08x", i), NetworkInterfaceID: e.ID, TargetID: "tmt-00000001", FilterID: "tmf-00000001", OwnerID: v.o.AccountID, Number: 1, VNI: uint32(i)})
	}
	o := v.bookOptions(v.o.AccountID)
	o.Quotas = mirror.Quotas{Sessions: 1 << 30, SourcesPerTarget: 1 << 30, SourcesPerLargeTarget: 1 << 30, SessionsPerInterface: 1 << 30}
	book, err := mirror.NewBook(o, state)
	if err != nil {
		b.Fatal(err)
	}
	v.s.book = book
	v.s.touchBook()
	v.s.commit()
	v.o.StateDir = b.TempDir()
	if v.store, err = openStore(v.o.StateDir); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	if err := v.sync(v.s.gen); err != nil {
		b.Fatal(err)
	}
	return v, v.s.enis.all()[1].ID
}

// BenchmarkCreateTags is CreateTags in a large account: the call, its way to the disk, and
// what the data plane is shown afterwards.
func BenchmarkCreateTags(b *testing.B) {
	v, eni := large(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if w := ask(v, "CreateTags", "ResourceId.1", eni, "Tag.1.Key", "n", "Tag.1.Value", fmt.Sprint(n)); w.Code != 200 {
			b.Fatal(w.Body)
		}
		v.Snapshot()
	}
}

// BenchmarkSession makes and deletes a session in a large account.
func BenchmarkSession(b *testing.B) {
	v, eni := large(b)
	b.ReportAllocs()
	for b.Loop() {
		w := ask(v, "CreateTrafficMirrorSession", "NetworkInterfaceId", eni, "TrafficMirrorTargetId", "tmt-00000001", "TrafficMirrorFilterId", "tmf-00000001", "SessionNumber", "7")
		_, rest, ok := strings.Cut(w.Body.String(), "<trafficMirrorSessionId>")
		if !ok {
			b.Fatal(w.Body)
		}
		id, _, _ := strings.Cut(rest, "<")
		ask(v, "DeleteTrafficMirrorSession", "TrafficMirrorSessionId", id)
		v.Snapshot()
	}
}
