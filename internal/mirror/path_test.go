package mirror_test

import (
	"net/netip"
	"strings"
	"testing"

	"mirador/internal/mirror"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestGroupsAdmit(t *testing.T) {
	lists := mirror.PrefixLists{"pl-1": {prefix("10.5.0.0/16"), prefix("2001:db8::/32")}}
	vxlan := mirror.MirrorProbe(netip.MustParseAddr("10.0.1.5"), netip.MustParseAddr("10.0.9.9"))
	any := func(r mirror.GroupRule) mirror.GroupRule { r.From, r.To = -1, -1; return r }
	for _, c := range []struct {
		name  string
		rules []mirror.GroupRule
		probe mirror.Probe
		peers []string
		want  int // index of the rule, -1: not admitted
	}{
		{"no rules", nil, vxlan, nil, -1},
		{"by CIDR", []mirror.GroupRule{{Protocol: 17, From: 4789, To: 4789, CIDR: prefix("10.0.0.0/8")}}, vxlan, nil, 0},
		{"other port", []mirror.GroupRule{{Protocol: 17, From: 4790, To: 4799, CIDR: prefix("0.0.0.0/0")}}, vxlan, nil, -1},
		{"other protocol", []mirror.GroupRule{{Protocol: 6, From: 4789, To: 4789, CIDR: prefix("0.0.0.0/0")}}, vxlan, nil, -1},
		{"other network", []mirror.GroupRule{{Protocol: 17, From: 4789, To: 4789, CIDR: prefix("10.1.0.0/16")}}, vxlan, nil, -1},
		{"all protocols", []mirror.GroupRule{any(mirror.GroupRule{Protocol: mirror.AnyProtocol, CIDR: prefix("10.0.1.5/32")})}, vxlan, nil, 0},
		{"all ports", []mirror.GroupRule{any(mirror.GroupRule{Protocol: 17, CIDR: prefix("10.0.1.5/32")})}, vxlan, nil, 0},
		{"by group", []mirror.GroupRule{{Protocol: 17, From: 1, To: 65535, GroupID: "sg-src"}}, vxlan, []string{"sg-x", "sg-src"}, 0},
		{"by another group", []mirror.GroupRule{{Protocol: 17, From: 1, To: 65535, GroupID: "sg-src"}}, vxlan, []string{"sg-x"}, -1},
		{"by list", []mirror.GroupRule{any(mirror.GroupRule{Protocol: 17, PrefixListID: "pl-1"})}, mirror.MirrorProbe(netip.MustParseAddr("10.5.1.1"), netip.MustParseAddr("10.0.9.9")), nil, 0},
		{"not in list", []mirror.GroupRule{any(mirror.GroupRule{Protocol: 17, PrefixListID: "pl-1"})}, vxlan, nil, -1},
		{"unknown list", []mirror.GroupRule{any(mirror.GroupRule{Protocol: 17, PrefixListID: "pl-2"})}, vxlan, nil, -1},
		{"second rule", []mirror.GroupRule{{Protocol: 6, CIDR: prefix("0.0.0.0/0")}, {Protocol: 17, From: 4000, To: 5000, CIDR: prefix("0.0.0.0/0")}}, vxlan, nil, 1},
		{"other family", []mirror.GroupRule{any(mirror.GroupRule{Protocol: 17, CIDR: prefix("::/0")})}, vxlan, nil, -1},
		{"ping", []mirror.GroupRule{{Protocol: 1, From: 8, To: -1, CIDR: prefix("0.0.0.0/0")}}, mirror.Probe{Protocol: 1, ICMPType: 8, Src: netip.MustParseAddr("10.0.1.5"), Dst: netip.MustParseAddr("10.0.9.9")}, nil, 0},
		{"unreachable is no ping", []mirror.GroupRule{{Protocol: 1, From: 8, To: -1, CIDR: prefix("0.0.0.0/0")}}, mirror.Probe{Protocol: 1, ICMPType: 3, Src: netip.MustParseAddr("10.0.1.5"), Dst: netip.MustParseAddr("10.0.9.9")}, nil, -1},
		{"ICMP code", []mirror.GroupRule{{Protocol: 1, From: 3, To: 4, CIDR: prefix("0.0.0.0/0")}}, mirror.Probe{Protocol: 1, ICMPType: 3, ICMPCode: 3, Src: netip.MustParseAddr("10.0.1.5"), Dst: netip.MustParseAddr("10.0.9.9")}, nil, -1},
		{"mapped address", []mirror.GroupRule{any(mirror.GroupRule{Protocol: 17, CIDR: prefix("10.0.0.0/8")})}, mirror.MirrorProbe(netip.MustParseAddr("::ffff:10.0.1.5"), netip.MustParseAddr("10.0.9.9")), nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			empty := mirror.SecurityGroup{ID: "sg-empty"}
			in := []mirror.SecurityGroup{empty, {ID: "sg-1", Ingress: c.rules}}
			v := mirror.GroupsAdmit(in, mirror.Ingress, c.probe, c.peers, lists)
			if v.Admitted != (c.want >= 0) || v.Rule != c.want || v.Admitted && v.GroupID != "sg-1" || v.Why == "" {
				t.Errorf("ingress: %+v", v)
			}
			if v := mirror.GroupsAdmit(in, mirror.Egress, c.probe, c.peers, lists); v.Admitted {
				t.Errorf("an ingress rule admitted egress: %+v", v)
			}
			// The same rule for egress looks at the other end.
			back := c.probe
			back.Src, back.Dst = c.probe.Dst, c.probe.Src
			v = mirror.GroupsAdmit([]mirror.SecurityGroup{{ID: "sg-1", Egress: c.rules}}, mirror.Egress, back, c.peers, lists)
			if v.Admitted != (c.want >= 0) || v.Rule != c.want {
				t.Errorf("egress: %+v", v)
			}
		})
	}
	if v := mirror.GroupsAdmit(nil, mirror.Ingress, vxlan, nil, nil); v.Admitted || !strings.Contains(v.Why, "udp 4789 from 10.0.1.5") {
		t.Errorf("without groups: %+v", v)
	}
}

func TestACLAdmits(t *testing.T) {
	vxlan := mirror.MirrorProbe(netip.MustParseAddr("10.0.1.5"), netip.MustParseAddr("10.0.9.9"))
	all := mirror.ACLRule{Protocol: mirror.AnyProtocol, CIDR: prefix("0.0.0.0/0"), ICMPType: -1, ICMPCode: -1}
	rule := func(n int, allow bool, protocol int, cidr string, from, to int) mirror.ACLRule {
		r := mirror.ACLRule{Number: n, Allow: allow, Protocol: protocol, CIDR: prefix(cidr), ICMPType: -1, ICMPCode: -1}
		if from >= 0 {
			r.Ports = &mirror.PortRange{From: from, To: to}
		}
		return r
	}
	for _, c := range []struct {
		name    string
		entries []mirror.ACLRule
		admit   bool
		number  int
	}{
		{"nothing", nil, false, mirror.ACLLast},
		{"all", []mirror.ACLRule{func() mirror.ACLRule { r := all; r.Number, r.Allow = 100, true; return r }()}, true, 100},
		{"lower number first", []mirror.ACLRule{rule(200, true, 17, "0.0.0.0/0", -1, -1), rule(100, false, 17, "10.0.1.0/24", 4789, 4789)}, false, 100},
		{"lower does not match", []mirror.ACLRule{rule(200, true, 17, "0.0.0.0/0", -1, -1), rule(100, false, 17, "10.0.2.0/24", -1, -1)}, true, 200},
		{"ports", []mirror.ACLRule{rule(100, true, 17, "0.0.0.0/0", 1024, 4788)}, false, mirror.ACLLast},
		{"protocol", []mirror.ACLRule{rule(100, true, 6, "0.0.0.0/0", -1, -1)}, false, mirror.ACLLast},
		{"family", []mirror.ACLRule{rule(100, true, -1, "::/0", -1, -1)}, false, mirror.ACLLast},
	} {
		v := mirror.ACLAdmits(&mirror.NetworkACL{ID: "acl-1", Entries: c.entries}, mirror.Ingress, vxlan)
		if v.Admitted != c.admit || v.Number != c.number || v.Why == "" {
			t.Errorf("%s: %+v", c.name, v)
		}
		if v := mirror.ACLAdmits(&mirror.NetworkACL{ID: "acl-1", Entries: c.entries}, mirror.Egress, vxlan); v.Admitted || v.Number != mirror.ACLLast {
			t.Errorf("%s: ingress entries decided over egress: %+v", c.name, v)
		}
	}
	out := rule(10, true, 17, "10.0.9.0/24", 4789, 4789)
	out.Egress = true
	if v := mirror.ACLAdmits(&mirror.NetworkACL{ID: "acl-1", Entries: []mirror.ACLRule{out}}, mirror.Egress, vxlan); !v.Admitted {
		t.Errorf("egress: %+v", v)
	}
	ping := rule(10, true, 1, "0.0.0.0/0", -1, -1)
	ping.ICMPType = 8
	acl := &mirror.NetworkACL{ID: "acl-1", Entries: []mirror.ACLRule{ping}}
	for kind, want := range map[int]bool{8: true, 0: false} {
		if v := mirror.ACLAdmits(acl, mirror.Ingress, mirror.Probe{Protocol: 1, ICMPType: kind, Src: vxlan.Src, Dst: vxlan.Dst}); v.Admitted != want {
			t.Errorf("ICMP type %d: %+v", kind, v)
		}
	}
}

func TestLookupRoute(t *testing.T) {
	lists := mirror.PrefixLists{"pl-1": {prefix("10.9.0.0/16"), prefix("192.0.2.0/24")}}
	table := &mirror.RouteTable{ID: "rtb-1", Routes: []mirror.Route{
		{Destination: prefix("0.0.0.0/0"), Target: "igw-1"},
		{Destination: prefix("10.0.0.0/16"), Target: "local"},
		{Destination: prefix("10.2.0.0/16"), Target: "vgw-1", Propagated: true},
		{Destination: prefix("10.2.0.0/16"), Target: "pcx-1"},
		{Destination: prefix("10.2.3.0/24"), Target: "tgw-1", Blackhole: true},
		{PrefixListID: "pl-1", Target: "vpce-1"},
		{Destination: prefix("192.0.2.0/24"), Target: "eni-1"},
		{Destination: prefix("2001:db8::/56"), Target: "local"},
	}}
	for _, c := range []struct {
		dst    string
		found  bool
		target string
		index  int
	}{
		{"10.0.1.1", true, "local", 1}, {"::ffff:10.0.1.1", true, "local", 1}, {"8.8.8.8", true, "igw-1", 0}, {"10.2.1.1", true, "pcx-1", 3},
		{"10.2.3.4", false, "tgw-1", 4}, {"10.9.1.1", true, "vpce-1", 5}, {"192.0.2.1", true, "eni-1", 6}, {"2001:db8::1", true, "local", 7},
		{"2001:db9::1", false, "", -1},
	} {
		v := mirror.LookupRoute(table, netip.MustParseAddr(c.dst), lists)
		if v.Found != c.found || v.Target != c.target || v.Index != c.index || v.Why == "" {
			t.Errorf("%s: %+v", c.dst, v)
		}
	}
}

func TestSourceSupport(t *testing.T) {
	for kind, want := range map[string]mirror.Support{
		"m5.large": mirror.Supported, "t3.micro": mirror.Supported, "c6g.metal": mirror.Supported, "m7i-flex.large": mirror.Supported,
		"u-6tb1.56xlarge": mirror.Supported, "mac1.metal": mirror.Supported, "hpc7a.96xlarge": mirror.Supported,
		"t2.micro": mirror.Unsupported, "c8g.large": mirror.Unsupported, "m8i-flex.large": mirror.Unsupported, "c6i.metal": mirror.Unsupported,
		"u-6tb1.metal": mirror.Unsupported, "c7i.metal-24xl": mirror.Unsupported, "c7gn.large": mirror.Unsupported, "m1.small": mirror.Unsupported,
		"z9.large": mirror.SupportUnknown, "m5": mirror.SupportUnknown, "": mirror.SupportUnknown, "5.large": mirror.SupportUnknown, "m.large": mirror.SupportUnknown,
		" .x": mirror.SupportUnknown, "m5 m5a.large": mirror.SupportUnknown,
	} {
		if got, why := mirror.SourceSupport(kind); got != want || why == "" {
			t.Errorf("SourceSupport(%q) = %v, %q, want %v", kind, got, why, want)
		}
	}
	for kind, want := range map[string]int{"m5.large": 10, "m5.24xlarge": 100, "m5zn.12xlarge": 100, "c5.18xlarge": 100, "g6e.12xlarge": 100, "m5.metal": 10, "": 10, "24xlarge": 10} {
		if got := mirror.SourcesPerTarget(kind); got != want {
			t.Errorf("SourcesPerTarget(%q) = %d, want %d", kind, got, want)
		}
	}
}
