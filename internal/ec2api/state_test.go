package ec2api_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
)

// TestStateSurvives plays everything, opens the state again as after a crash, and finds
// the same answers.
func TestStateSurvives(t *testing.T) {
	dir := t.TempDir()
	v, err := ec2api.New(ec2api.Options{StateDir: dir, Accounts: map[string]string{"other": consumerAccount}})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(v)
	s := &story{t: t, base: h.URL}
	s.playAll()
	describes := []string{"DescribeVpcs", "DescribeSubnets", "DescribeSecurityGroups", "DescribeNetworkInterfaces", "DescribeInstances", "DescribeVolumes", "DescribeRouteTables", "DescribeNetworkAcls",
		"DescribeTrafficMirrorTargets", "DescribeTrafficMirrorFilters", "DescribeTrafficMirrorSessions", "DescribeTags", "DescribeVpcEndpoints", "DescribeKeyPairs", "DescribeNatGateways", "DescribeVpcPeeringConnections", "elbv2:DescribeLoadBalancers", "elbv2:DescribeTargetGroups"}
	want := map[string]string{}
	for _, d := range describes {
		want[d] = withoutID(s.do(d))
	}
	// What is on disk now is what a process would find that was killed: nothing is written
	// at the end.
	crashed := t.TempDir()
	for _, name := range []string{"state.jsonl", "journal.jsonl"} {
		copyFile(t, filepath.Join(dir, name), filepath.Join(crashed, name))
	}
	h.Close()
	v.Close()

	_, base := newServer(t, ec2api.Options{StateDir: crashed, Region: "eu-west-1", AccountID: "999999999999"})
	again := &story{t: t, base: base}
	for _, d := range describes {
		if got := withoutID(again.do(d)); got != want[d] {
			t.Errorf("%s after the restart:\n%s\nbefore:\n%s", d, got, want[d])
		}
	}
	again.do("CreateNetworkInterface", "SubnetId", again.id(again.do("DescribeSubnets"), "subnetId"))
	if !strings.Contains(again.do("sts:GetCallerIdentity"), "<Account>123456789012<") {
		t.Error("the account is not that of the state")
	}
}

func withoutID(body string) string {
	a, b := strings.Index(body, "equestId>"), strings.LastIndex(body, "equestId>")
	return body[:a] + body[b:]
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestStateEveryAnswerIsDurable looks at the file after each answer.
func TestStateEveryAnswerIsDurable(t *testing.T) {
	dir := t.TempDir()
	_, base := newServer(t, ec2api.Options{StateDir: dir})
	s := &story{t: t, base: base}
	for range 10 {
		id := s.id(s.do("CreateTrafficMirrorFilter"), "trafficMirrorFilterId")
		b, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
		if err != nil || !bytes.Contains(b, []byte(id)) {
			t.Fatalf("%s is answered and not in the file (%v)", id, err)
		}
	}
}

// TestStateCorrupt damages the file in many ways: it is refused with an error that names
// the file and its backup, and the backup is good.
func TestStateCorrupt(t *testing.T) {
	dir := t.TempDir()
	v, err := ec2api.New(ec2api.Options{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(v)
	s := &story{t: t, base: h.URL}
	first := s.id(s.do("CreateTrafficMirrorFilter"), "trafficMirrorFilterId")
	s.do("CreateTrafficMirrorFilter")
	h.Close()
	v.Close()
	path := filepath.Join(dir, "state.jsonl")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		bad := bytes.Clone(good)
		switch i {
		case 0:
			bad = nil
		case 1:
			bad = bad[:len(bad)-1]
		case 2:
			bad = append(bad, "{}\n"...)
		case 3:
			bad = bytes.Replace(bad, []byte(`"version":1`), []byte(`"version":2`), 1)
		default:
			bad[r.IntN(len(bad))] ^= byte(1 << r.IntN(8))
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := ec2api.New(ec2api.Options{StateDir: dir})
		if err == nil {
			v.Close()
		}
		// A flipped bit in the head may be in a part that nobody reads, or in the count of
		// generations; everything else is covered by the checksum.
		if err == nil && i < 4 {
			t.Errorf("damage %d was taken", i)
		}
		if err != nil && (!errors.Is(err, ec2api.ErrState) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), ".bak")) {
			t.Errorf("damage %d: %v", i, err)
		}
	}
	log := filepath.Join(dir, "journal.jsonl")
	for _, p := range []string{path, log} {
		if err := os.Rename(p+".bak", p); err != nil {
			t.Fatal(err)
		}
	}
	_, base := newServer(t, ec2api.Options{StateDir: dir})
	if body := (&story{t: t, base: base}).do("DescribeTrafficMirrorFilters"); !strings.Contains(body, first) {
		t.Error("the backup does not have what was there before the last change")
	}
}

// TestStateLocked keeps a second endpoint away from the folder.
func TestStateLocked(t *testing.T) {
	dir := t.TempDir()
	newServer(t, ec2api.Options{StateDir: dir})
	if _, err := ec2api.New(ec2api.Options{StateDir: dir}); err == nil || !strings.Contains(err.Error(), "another endpoint") {
		t.Errorf("second endpoint over the same folder: %v", err)
	}
}

// TestConcurrentCalls lets many clients make things at once: every answer is right, ids
// and addresses are unique.
func TestConcurrentCalls(t *testing.T) {
	v, base := newServer(t, ec2api.Options{StateDir: t.TempDir()})
	subnet := (&story{t: t, base: base}).id((&story{t: t, base: base}).do("DescribeSubnets"), "subnetId")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			s := &story{t: t, base: base}
			for i := range 20 {
				if code, body := s.send("CreateNetworkInterface", "SubnetId", subnet, "Description", fmt.Sprintf("%d/%d", g, i)); code != 200 {
					t.Errorf("%d %s", code, body)
				}
				s.send("DescribeNetworkInterfaces")
			}
		})
	}
	wg.Wait()
	snap := v.Snapshot()
	seen := map[string]bool{}
	for _, e := range snap.Interfaces {
		if a := e.Addrs[0].String(); seen[a] {
			t.Errorf("%s is given twice", a)
		} else {
			seen[a] = true
		}
	}
	if len(snap.Interfaces) != 160 {
		t.Errorf("%d interfaces, want 160", len(snap.Interfaces))
	}
}

// TestSnapshots are not changed by what comes after them, and Changed has a token for it.
func TestSnapshots(t *testing.T) {
	v, base := newServer(t, ec2api.Options{})
	s := &story{t: t, base: base}
	select {
	case <-v.Changed():
		t.Error("a token before any change")
	default:
	}
	before := v.Snapshot()
	if v.Snapshot() != before {
		t.Error("a new snapshot without a change")
	}
	filter := s.id(s.do("CreateTrafficMirrorFilter"), "trafficMirrorFilterId")
	s.do("CreateTrafficMirrorFilter")
	select {
	case <-v.Changed():
	default:
		t.Error("no token after a change")
	}
	after := v.Snapshot()
	if len(before.Mirroring.Filters) != 0 || len(after.Mirroring.Filters) != 2 || after.Generation <= before.Generation {
		t.Errorf("filters before %d, after %d", len(before.Mirroring.Filters), len(after.Mirroring.Filters))
	}
	s.refuse("MissingParameter", "DeleteTrafficMirrorFilter")
	s.refuse("InvalidSubnetID.NotFound", "CreateNetworkInterface", "SubnetId", "subnet-0")
	if v.Snapshot() != after {
		t.Error("a refused call made a new snapshot")
	}
	s.do("DeleteTrafficMirrorFilter", "TrafficMirrorFilterId", filter)
	subnet := s.id(s.do("DescribeSubnets"), "subnetId")
	snap := v.Snapshot()
	if snap.RouteTableOf(subnet) == nil || snap.ACLOf(subnet) == nil {
		t.Error("a default subnet has no route table or no network ACL")
	}
}

// TestInterfaceDeletionEndsSessions deletes a source with sessions: they go with it.
func TestInterfaceDeletionEndsSessions(t *testing.T) {
	v, base := newServer(t, ec2api.Options{StateDir: t.TempDir()})
	s := &story{t: t, base: base}
	subnet := s.id(s.do("DescribeSubnets"), "subnetId")
	run := s.do("RunInstances", "ImageId", "ami-12345678", "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1", "SubnetId", subnet)
	target := s.id(s.do("CreateTrafficMirrorTarget", "NetworkInterfaceId", s.id(s.do("CreateNetworkInterface", "SubnetId", subnet), "networkInterfaceId")), "trafficMirrorTargetId")
	filter := s.id(s.do("CreateTrafficMirrorFilter"), "trafficMirrorFilterId")
	s.do("CreateTrafficMirrorSession", "NetworkInterfaceId", s.id(run, "networkInterfaceId"), "TrafficMirrorTargetId", target, "TrafficMirrorFilterId", filter, "SessionNumber", "1")
	if n := len(v.Snapshot().Mirroring.Sessions); n != 1 {
		t.Fatalf("%d sessions, want 1", n)
	}
	s.do("TerminateInstances", "InstanceId.1", s.id(run, "instanceId"))
	if n := len(v.Snapshot().Mirroring.Sessions); n != 0 {
		t.Errorf("%d sessions after their source has gone, want 0", n)
	}
	s.do("DeleteTrafficMirrorTarget", "TrafficMirrorTargetId", target)
}

// TestTerminatedVanish shows a terminated instance for an hour.
func TestTerminatedVanish(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	_, base := newServer(t, ec2api.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	s := &story{t: t, base: base}
	id := s.id(s.do("RunInstances", "ImageId", "ami-12345678", "MinCount", "1", "MaxCount", "1"), "instanceId")
	s.do("TerminateInstances", "InstanceId.1", id)
	if body := s.do("DescribeInstances"); !strings.Contains(body, "<name>terminated<") {
		t.Errorf("no terminated instance in %s", body)
	}
	mu.Lock()
	now = now.Add(61 * time.Minute)
	mu.Unlock()
	if body := s.do("DescribeInstances"); strings.Contains(body, id) {
		t.Error("it is there after an hour")
	}
	s.do("CreateTrafficMirrorFilter") // any change forgets it
	s.refuse("InvalidInstanceID.NotFound", "DescribeInstances", "InstanceId.1", id)
}

// TestIPv6Opens lets IPv6 through where AWS does it by itself, so that a data plane that
// follows the endpoint does not drop it.
func TestIPv6Opens(t *testing.T) {
	for _, late := range []bool{false, true} {
		v, base := newServer(t, ec2api.Options{NoDefaultVPC: true})
		s := &story{t: t, base: base}
		if late {
			vpc := s.id(s.do("CreateVpc", "CidrBlock", "10.0.0.0/16"), "vpcId")
			s.do("AssociateVpcCidrBlock", "VpcId", vpc, "AmazonProvidedIpv6CidrBlock", "true")
		} else {
			s.do("CreateVpc", "CidrBlock", "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock", "true")
		}
		snap := v.Snapshot()
		for _, a := range snap.NetworkACLs {
			m := a.Mirror()
			if p := mirror.ACLAdmits(&m, mirror.Ingress, mirror.Probe{Protocol: 17, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"), DstPort: 4789}); !p.Admitted {
				t.Errorf("late %v: the default network ACL does not admit IPv6: %+v", late, a.Entries)
			}
		}
		for _, g := range snap.SecurityGroups {
			if p := mirror.GroupsAdmit([]mirror.SecurityGroup{g.Mirror()}, mirror.Egress, mirror.Probe{Protocol: 17, Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2")}, nil, nil); !p.Admitted {
				t.Errorf("late %v: the default group does not let IPv6 out: %+v", late, g.Rules)
			}
		}
	}
}
