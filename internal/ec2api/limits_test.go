package ec2api

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// list makes the parameters of a list: list("VpcId.%d", 3, value).
func list(form string, n int, value func(i int) string) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(form, i+1), value(i))
	}
	return out
}

func text(w *httptest.ResponseRecorder, name string) string {
	_, rest, ok := strings.Cut(w.Body.String(), "<"+name+">")
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, "<")
	return v
}

// TestLimits goes to each bound and one over it.
func TestLimits(t *testing.T) {
	v, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	vpc, subnet := v.s.vpcs.all()[0], v.s.subnets.all()[0]
	group, acl, table := v.s.groups.all()[0], v.s.acls.all()[0], v.s.routeTables.all()[0]
	same := func(s string) func(int) string { return func(int) string { return s } }
	number := func(form string) func(int) string { return func(i int) string { return fmt.Sprintf(form, i) } }
	rule := func(i int) []string {
		return []string{"GroupId", group.ID, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", fmt.Sprint(i), "IpPermissions.1.ToPort", fmt.Sprint(i), "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8"}
	}
	entry := func(i int) []string {
		return []string{"NetworkAclId", acl.ID, "RuleNumber", fmt.Sprint(200 + i), "Protocol", "-1", "RuleAction", "deny", "Egress", "true", "CidrBlock", "10.0.0.0/8"}
	}
	route := func(i int) []string {
		return []string{"RouteTableId", table.ID, "DestinationCidrBlock", fmt.Sprintf("10.%d.%d.0/24", i/256, i%256), "TransitGatewayId", "tgw-1"}
	}
	for _, c := range []struct {
		what   string
		before func() // makes things full
		action string
		params []string
		code   string
	}{
		{"filter values", nil, "DescribeVpcs", append([]string{"Filter.1.Name", "vpc-id"}, list("Filter.1.Value.%d", maxFilterValues, same("x"))...), ""},
		{"filter values + 1", nil, "DescribeVpcs", append([]string{"Filter.1.Name", "vpc-id"}, list("Filter.1.Value.%d", maxFilterValues+1, same("x"))...), "FilterLimitExceeded"},
		{"tags + 1", nil, "CreateTags", append([]string{"ResourceId.1", vpc.ID}, list("Tag.%d.Key", maxTags+1, number("k%d"))...), "TagLimitExceeded"},
		{"tags", nil, "CreateTags", append([]string{"ResourceId.1", vpc.ID}, list("Tag.%d.Key", maxTags, number("k%d"))...), ""},
		{"one more tag", nil, "CreateTags", []string{"ResourceId.1", vpc.ID, "Tag.1.Key", "more"}, "TagLimitExceeded"},
		{"instances in a call", nil, "RunInstances", []string{"ImageId", "ami-12345678", "MinCount", "1", "MaxCount", fmt.Sprint(maxInstancesPerRun + 1)}, "InstanceLimitExceeded"},
		{"addresses of an interface", nil, "CreateNetworkInterface", []string{"SubnetId", subnet.ID, "SecondaryPrivateIpAddressCount", fmt.Sprint(maxAddrs)}, "PrivateIpAddressLimitExceeded"},
		{"rules of a group", func() {
			for i := range maxGroupRules - 1 { // the default group has one
				if w := ask(v, "AuthorizeSecurityGroupIngress", rule(i)...); w.Code != 200 {
					t.Fatal(i, w.Body)
				}
			}
		}, "AuthorizeSecurityGroupIngress", rule(5000), "RulesPerSecurityGroupLimitExceeded"},
		{"entries of a network ACL", func() {
			for i := range maxEntries - 1 { // the default one has entry 100
				if w := ask(v, "CreateNetworkAclEntry", entry(i)...); w.Code != 200 {
					t.Fatal(i, w.Body)
				}
			}
		}, "CreateNetworkAclEntry", entry(5000), "NetworkAclEntryLimitExceeded"},
		{"routes", func() {
			for i := range maxRoutes - len(table.Routes) {
				if w := ask(v, "CreateRoute", route(i)...); w.Code != 200 {
					t.Fatal(i, w.Body)
				}
			}
		}, "CreateRoute", route(5000), "RouteLimitExceeded"},
		{"resources of a kind", func() { v.most = v.s.subnets.count() }, "CreateSubnet", []string{"VpcId", vpc.ID, "CidrBlock", "172.31.240.0/24"}, "ResourceLimitExceeded"},
		{"depth of names", nil, "DescribeVpcs", []string{"Filter" + strings.Repeat(".1", maxDepth+2), "x"}, "UnknownParameter"},
	} {
		if c.before != nil {
			c.before()
		}
		gen := v.s.gen
		w := ask(v, c.action, c.params...)
		if got := text(w, "Code"); got != c.code {
			t.Errorf("%s: %q (%d), want %q", c.what, got, w.Code, c.code)
		}
		if c.code != "" && v.s.gen != gen {
			t.Errorf("%s: the refused call changed something", c.what)
		}
	}
}

// TestOldestGoFirst fills what forgets its oldest part.
func TestOldestGoFirst(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	v, err := New(Options{Now: func() time.Time { return now }, Lag: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxTokens + 1 {
		v.s.keepToken("x", fmt.Sprint(i), "d", "id")
	}
	v.s.commit()
	if ids, _ := v.s.findToken("x", "0", "d"); len(v.s.meta.Tokens) != maxTokens || ids != nil {
		t.Errorf("%d tokens are kept, the oldest one %v", len(v.s.meta.Tokens), ids)
	}
	v.s.meta.Sessions = make([]stsSession, maxSessions)
	for i := range v.s.meta.Sessions {
		v.s.meta.Sessions[i].Until = now.Add(time.Hour)
	}
	c := &call{v: v, s: v.s, now: now}
	c.newSession("arn", "id", time.Hour)
	if n := len(v.s.meta.Sessions); n != maxSessions {
		t.Errorf("%d sessions are kept", n)
	}
	v.s.commit()
	v.accounts[0].past = make([]pastState, maxLagStates)
	for i := range v.accounts[0].past {
		v.accounts[0].past[i] = pastState{at: now, s: v.s}
	}
	if err := v.keepPast(v.accounts[0], now); err != nil || len(v.accounts[0].past) != maxLagStates {
		t.Errorf("%d old states are kept (%v)", len(v.accounts[0].past), err)
	}
}
