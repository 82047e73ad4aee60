package ec2api_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"mirador/internal/ec2api"
)

func injections(t *testing.T, s string) []ec2api.Injection {
	t.Helper()
	list, err := ec2api.ParseInjections(s)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestParseInjections(t *testing.T) {
	got := injections(t, "ec2:CreateTags=500@3, *=lose@2-4,elbv2:*=Throttling@7-,DescribeVpcs=reset")
	want := []ec2api.Injection{
		{Service: "ec2", Action: "CreateTags", Fault: "500", From: 3, To: 3}, {Fault: ec2api.FaultLose, From: 2, To: 4},
		{Service: "elbv2", Fault: "Throttling", From: 7}, {Action: "DescribeVpcs", Fault: ec2api.FaultReset, From: 1},
	}
	if len(got) != len(want) {
		t.Fatalf("%d injections, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
	for _, bad := range []string{"x", "a=b=c", "A=500@0", "A=500@5-2", "A=", "=500"} {
		if _, err := ec2api.ParseInjections(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestInjectErrors(t *testing.T) {
	v, base := newServer(t, ec2api.Options{Inject: injections(t, "CreateTrafficMirrorFilter=500@2,CreateTrafficMirrorFilter=RequestLimitExceeded@3")})
	s := &story{t: t, base: base}
	for i, want := range []int{200, 500, 503, 200} {
		if code, body := s.send("CreateTrafficMirrorFilter"); code != want {
			t.Errorf("call %d = %d %s, want %d", i+1, code, body, want)
		}
	}
	if n := len(v.Snapshot().Mirroring.Filters); n != 2 {
		t.Errorf("%d filters, want 2: a refused call has done something", n)
	}
}

// TestInjectLose does what is asked and loses the answer; the same token then gives the
// object that was made.
func TestInjectLose(t *testing.T) {
	v, base := newServer(t, ec2api.Options{Inject: injections(t, "CreateTrafficMirrorFilter=lose@1,CreateTrafficMirrorFilter=reset@2")})
	form := url.Values{"Action": {"CreateTrafficMirrorFilter"}, "Version": {"2016-11-15"}, "ClientToken": {"k"}}.Encode()
	for range 2 {
		if r, err := http.Post(base, "application/x-www-form-urlencoded", strings.NewReader(form)); err == nil {
			r.Body.Close()
			t.Error("a lost answer came")
		}
	}
	if n := len(v.Snapshot().Mirroring.Filters); n != 1 {
		t.Fatalf("%d filters after a lost answer and a reset, want 1", n)
	}
	s := &story{t: t, base: base}
	if id := s.id(s.do("CreateTrafficMirrorFilter", "ClientToken", "k"), "trafficMirrorFilterId"); id != v.Snapshot().Mirroring.Filters[0].ID {
		t.Error("the repeated call made another filter")
	}
}

func TestRate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	rate, err := ec2api.ParseRate("2/s:3")
	if err != nil {
		t.Fatal(err)
	}
	_, base := newServer(t, ec2api.Options{Rate: rate, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	s := &story{t: t, base: base}
	for range 3 {
		s.do("DescribeVpcs")
	}
	s.refuse("RequestLimitExceeded", "DescribeVpcs")
	s.refuse("Throttling", "elbv2:DescribeLoadBalancers")
	mu.Lock()
	now = now.Add(500 * time.Millisecond)
	mu.Unlock()
	s.do("DescribeVpcs")
	s.refuse("RequestLimitExceeded", "DescribeVpcs")
	for _, bad := range []string{"5", "0/s", "-1/s", "5/s:0", "x/s"} {
		if _, err := ec2api.ParseRate(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestLag lets describes see changes late: what was made, and what was deleted.
func TestLag(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	wait := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	_, base := newServer(t, ec2api.Options{Lag: 2 * time.Second, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	s := &story{t: t, base: base}
	id := s.id(s.do("CreateTrafficMirrorFilter"), "trafficMirrorFilterId")
	s.refuse("InvalidTrafficMirrorFilterId.NotFound", "DescribeTrafficMirrorFilters", "TrafficMirrorFilterId.1", id)
	s.do("CreateTrafficMirrorFilterRule", "TrafficMirrorFilterId", id, "TrafficDirection", "ingress", "RuleNumber", "1", "RuleAction", "accept", "SourceCidrBlock", "0.0.0.0/0", "DestinationCidrBlock", "0.0.0.0/0")
	wait(time.Second)
	vpc := s.id(s.do("CreateVpc", "CidrBlock", "10.0.0.0/16"), "vpcId")
	wait(time.Second)
	if body := s.do("DescribeTrafficMirrorFilters", "TrafficMirrorFilterId.1", id); !strings.Contains(body, "tmfr-") {
		t.Errorf("after the lag: %s", body)
	}
	s.refuse("InvalidVpcID.NotFound", "DescribeVpcs", "VpcId.1", vpc)
	wait(time.Second)
	s.do("DescribeVpcs", "VpcId.1", vpc)
	s.do("DeleteVpc", "VpcId", vpc)
	s.do("DescribeVpcs", "VpcId.1", vpc)
	wait(2 * time.Second)
	s.refuse("InvalidVpcID.NotFound", "DescribeVpcs", "VpcId.1", vpc)
}
