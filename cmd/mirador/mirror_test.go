package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mirador/internal/agent"
	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// What is to be mirrored is found in flags, presets and files.
func TestMirrorWant(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mirror.yaml")
	const both = `
interfaces:
  web-1: {id: eni-0a1, addresses: [10.0.1.15], vpc_cidrs: [10.0.0.0/16]}
  web-2: {id: eni-0a2, addresses: [10.0.1.16], vpc_cidrs: [10.0.0.0/16]}
targets:
  sensor: {address: 10.0.9.5, mtu: 9001}
filters:
  main:
    network_services: [amazon-dns]
    rules:
      - {number: 200, direction: both, action: accept, source: 10.0.0.0/8}
sessions:
  - {number: 10, source: web-1, target: sensor, filter: main, vni: 1169}
  - {number: 10, source: web-2, target: sensor, filter: main, vni: 1170}
`
	if err := os.WriteFile(file, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	one := filepath.Join(t.TempDir(), "filter.yaml")
	if err := os.WriteFile(one, []byte("filter:\n  rules:\n    - {number: 1, direction: ingress, action: accept}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		flags mirrorFlags
		rules int
		vni   uint32
		addr  string
		fails bool
	}{
		{"preset", mirrorFlags{filter: "all", vni: 7, to: []string{"10.0.9.5:4790"}}, 4, 7, "10.0.9.5", false},
		{"internet", mirrorFlags{filter: "internet-only", vni: 7, to: []string{"10.0.9.5"}, vpc: []string{"10.0.0.0/16"}}, 6, 7, "10.0.9.5", false},
		{"internet without VPC", mirrorFlags{filter: "internet-only", to: []string{"10.0.9.5"}}, 0, 0, "", true},
		{"source", mirrorFlags{filter: file, source: "web-2"}, 2, 1170, "10.0.9.5", false},
		{"other target", mirrorFlags{filter: file, source: "web-1", to: []string{"10.0.9.6"}}, 2, 1169, "10.0.9.6", false},
		{"which source", mirrorFlags{filter: file}, 0, 0, "", true},
		{"no such source", mirrorFlags{filter: file, source: "web-3"}, 0, 0, "", true},
		{"one filter", mirrorFlags{filter: one, vni: 9, to: []string{"10.0.9.5"}}, 1, 9, "10.0.9.5", false},
		{"no target", mirrorFlags{filter: one, vni: 9}, 0, 0, "", true},
		{"no file", mirrorFlags{filter: one + "x", to: []string{"10.0.9.5"}}, 0, 0, "", true},
	} {
		w, err := c.flags.want(t.Context(), nil)
		if c.fails {
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(w.Sessions) != 1 || w.Sessions[0].VNI != c.vni || len(w.Filters) == 0 || len(w.Filters[0].Rules) != c.rules {
			t.Errorf("%s: %+v", c.name, w)
			continue
		}
		to := w.Targets[w.Sessions[0].TargetID]
		if len(to.Addrs) != 1 || to.Addrs[0].String() != c.addr {
			t.Errorf("%s: target %+v", c.name, to)
		}
		again, err := c.flags.want(t.Context(), nil)
		if err != nil || !again.same(w) || w.same(nil) {
			t.Errorf("%s: another answer the second time: %v", c.name, err)
		}
	}
}

// GENEVE goes around VXLAN to one appliance, and takes its part of the MTU.
func TestMirrorGENEVE(t *testing.T) {
	f := mirrorFlags{interfaces: []string{"lo"}, filter: "all", to: []string{"127.0.0.1"}, mtu: 1500, encap: encapGENEVE, gwlbe: "eni-0123456789abcdef0",
		engine: agent.EngineAuto, ring: 1, refresh: time.Second}
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	w, err := f.want(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := f.plan(w, "lo", agent.Discard{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.Routes[0]
	if r.GWLB == nil || r.GWLB.Endpoint != 0x123456789abcdef0 || r.GWLB.Dst.String() != "127.0.0.1" || r.GWLB.Src != r.Src {
		t.Errorf("route %+v", r)
	}
	if got := p.Program.Sessions()[0].MTU; got != 1500-68 {
		t.Errorf("MTU %d is left", got)
	}
	for _, c := range []func(f *mirrorFlags){
		func(f *mirrorFlags) { f.encap = "gre" },
		func(f *mirrorFlags) { f.encap = encapVXLAN },
		func(f *mirrorFlags) { f.gwlbe = "vpce-1" },
		func(f *mirrorFlags) { f.to = []string{"10.0.0.1", "10.0.0.2"} },
		func(f *mirrorFlags) { f.to = []string{"fd00::1"} },
		func(f *mirrorFlags) { f.to = []string{"10.0.0.1:6081"} },
		func(f *mirrorFlags) { f.engine = "xdp" },
	} {
		bad := f
		c(&bad)
		if err := bad.check(); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
}

// account is a mirrorCloud in memory.
type account struct {
	sessions []mirror.Session
	filters  []mirror.Filter
	targets  []mirror.Target
	ifaces   []setup.Interface
	fails    error
}

var errGone = &setup.CloudError{Kind: setup.KindNotFound}

func pick[T any](a *account, all []T, ids []string, id func(*T) string) (out []T, err error) {
	if a.fails != nil {
		return nil, a.fails
	}
	for _, want := range ids {
		n := len(out)
		for i := range all {
			if id(&all[i]) == want {
				out = append(out, all[i])
			}
		}
		if len(out) == n {
			return nil, errGone
		}
	}
	return out, nil
}

func (a *account) Sessions(_ context.Context, q setup.Query) ([]mirror.Session, error) {
	return pick(a, a.sessions, q.IDs, func(s *mirror.Session) string { return s.ID })
}
func (a *account) Filters(_ context.Context, q setup.Query) ([]mirror.Filter, error) {
	return pick(a, a.filters, q.IDs, func(s *mirror.Filter) string { return s.ID })
}
func (a *account) Targets(_ context.Context, q setup.Query) ([]mirror.Target, error) {
	return pick(a, a.targets, q.IDs, func(s *mirror.Target) string { return s.ID })
}
func (a *account) Interfaces(_ context.Context, q setup.Query) ([]setup.Interface, error) {
	if d := q.Filter["description"]; d != nil {
		return pick(a, a.ifaces, d, func(s *setup.Interface) string { return s.Description })
	}
	return pick(a, a.ifaces, q.IDs, func(s *setup.Interface) string { return s.ID })
}
func (a *account) VPCs(context.Context, setup.Query) ([]setup.VPC, error) {
	return []setup.VPC{{ID: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}}, a.fails
}

// Sessions on AWS tell everything; what is gone mirrors nothing.
func TestMirrorFromAWS(t *testing.T) {
	addr := netip.MustParseAddr
	a := &account{
		sessions: []mirror.Session{
			{ID: "tms-1", NetworkInterfaceID: "eni-1", TargetID: "tmt-eni", FilterID: "tmf-1", Number: 1, VNI: 5, PacketLength: 200},
			{ID: "tms-2", NetworkInterfaceID: "eni-1", TargetID: "tmt-nlb", FilterID: "tmf-1", Number: 2, VNI: 6},
			{ID: "tms-3", NetworkInterfaceID: "eni-1", TargetID: "tmt-gwlb", FilterID: "tmf-1", Number: 3, VNI: 7},
			{ID: "tms-4", NetworkInterfaceID: "eni-1", TargetID: "tmt-gone", FilterID: "tmf-1", Number: 4, VNI: 7},
			{ID: "tms-other", NetworkInterfaceID: "eni-2", TargetID: "tmt-eni", FilterID: "tmf-1", Number: 1},
		},
		filters: []mirror.Filter{{ID: "tmf-1"}},
		targets: []mirror.Target{
			{ID: "tmt-eni", NetworkInterfaceID: "eni-sensor"},
			{ID: "tmt-nlb", NetworkLoadBalancerARN: "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/mirror/0123"},
			{ID: "tmt-gwlb", GatewayLoadBalancerEndpointID: "vpce-1"},
		},
		ifaces: []setup.Interface{
			{ID: "eni-1", VPC: "vpc-1", Private: []netip.Addr{addr("10.0.1.1")}},
			{ID: "eni-sensor", Private: []netip.Addr{addr("10.0.9.5")}},
			{ID: "eni-nlb-b", Description: "ELB net/mirror/0123", Private: []netip.Addr{addr("10.0.8.2")}},
			{ID: "eni-nlb-a", Description: "ELB net/mirror/0123", Private: []netip.Addr{addr("10.0.7.2")}},
		},
	}
	f := &mirrorFlags{session: []string{"tms-1", "tms-2", "tms-3", "tms-4", "tms-gone"}}
	w, err := f.want(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Sessions) != 4 || w.Iface.ID != "eni-1" || len(w.Iface.Addrs) != 1 || len(w.Iface.VPCCIDRs) != 1 || w.Sessions[0].PacketLength != 200 {
		t.Errorf("%+v", w)
	}
	for id, want := range map[string][]netip.Addr{"tmt-eni": {addr("10.0.9.5")}, "tmt-nlb": {addr("10.0.7.2"), addr("10.0.8.2")}, "tmt-gwlb": nil, "tmt-gone": nil} {
		got, ok := w.Targets[id]
		if !ok || len(got.Addrs) != len(want) || len(want) > 0 && got.Addrs[0] != want[0] || (got.Why == "") != (len(want) > 0) {
			t.Errorf("target %s is %+v, want %v", id, got, want)
		}
	}
	if w, err = (&mirrorFlags{session: []string{"tms-gone"}}).want(t.Context(), a); err != nil || len(w.Sessions) != 0 {
		t.Errorf("a session that is gone: %v", err)
	}
	if _, err = (&mirrorFlags{session: []string{"tms-1", "tms-other"}}).want(t.Context(), a); err == nil {
		t.Error("sessions of two interfaces were taken")
	}
	w, err = (&mirrorFlags{filter: "tmf-1", to: []string{"10.0.9.9"}, vni: 3}).want(t.Context(), a)
	if err != nil || len(w.Sessions) != 1 || w.Sessions[0].VNI != 3 || w.Sessions[0].FilterID != "tmf-1" {
		t.Errorf("filter from AWS: %+v %v", w, err)
	}
	a.fails = errors.New("no network")
	if _, err = f.want(t.Context(), a); !errors.Is(err, a.fails) {
		t.Errorf("AWS cannot be asked: %v", err)
	}
}

func TestBits(t *testing.T) {
	for s, want := range map[string]int64{"5G": 5e9, "1.5M": 1.5e6, "64k": 64e3, "1000": 1000, "2T": 2e12} {
		if got, err := bits(s); err != nil || got != want {
			t.Errorf("bits(%q) = %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "G", "-5G", "NaN", "1e300", "0", "5X"} {
		if got, err := bits(s); err == nil {
			t.Errorf("bits(%q) = %d", s, got)
		}
	}
}
