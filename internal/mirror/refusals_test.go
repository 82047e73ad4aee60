package mirror_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mirador/internal/mirror"
)

// Every refusal has the code that clients see.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 256)
	type P = mirror.CreateSessionParams
	type R = mirror.CreateFilterRuleParams
	target := func(p mirror.CreateTargetParams) func(*setup) error {
		return func(s *setup) error { _, err := s.CreateTarget(s.w, p); return err }
	}
	session := func(change func(*setup, *P)) func(*setup) error {
		return func(s *setup) error {
			p := s.sessionParams(2, 20)
			change(s, &p)
			_, err := s.CreateSession(s.w, p)
			return err
		}
	}
	rule := func(change func(*R)) func(*setup) error {
		return func(s *setup) error {
			p := s.ruleParams(200)
			change(&p)
			_, err := s.CreateFilterRule(p)
			return err
		}
	}
	modify := func(change func(*setup, *mirror.ModifySessionParams)) func(*setup) error {
		return func(s *setup) error {
			p := mirror.ModifySessionParams{SessionID: s.session.ID}
			change(s, &p)
			_, err := s.ModifySession(s.w, p)
			return err
		}
	}
	modifyRule := func(change func(*mirror.ModifyFilterRuleParams)) func(*setup) error {
		return func(s *setup) error {
			p := mirror.ModifyFilterRuleParams{RuleID: s.rule.ID}
			change(&p)
			_, err := s.ModifyFilterRule(p)
			return err
		}
	}
	source := func(change func(*mirror.Interface)) func(*setup) error {
		return session(func(s *setup, p *P) {
			i := s.w.interfaces[p.NetworkInterfaceID]
			change(&i)
			s.w.interfaces[i.ID] = i
		})
	}
	for _, c := range []struct {
		name string
		do   func(*setup) error
		code string
		text string
	}{
		// unknown ids
		{"delete unknown target", func(s *setup) error { return s.DeleteTarget("tmt-00000000000000001") }, "InvalidTrafficMirrorTargetId.NotFound", "tmt-0"},
		{"delete unknown filter", func(s *setup) error { return s.DeleteFilter("tmf-00000000000000001") }, "InvalidTrafficMirrorFilterId.NotFound", "tmf-0"},
		{"delete unknown rule", func(s *setup) error { return s.DeleteFilterRule("tmfr-00000000000000001") }, "InvalidTrafficMirrorFilterRuleId.NotFound", "tmfr-0"},
		{"delete unknown session", func(s *setup) error { return s.DeleteSession("tms-00000000000000001") }, "InvalidTrafficMirrorSessionId.NotFound", "tms-0"},
		{"services of unknown filter", func(s *setup) error {
			_, err := s.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{FilterID: "tmf-1", Add: []string{"amazon-dns"}})
			return err
		}, "InvalidTrafficMirrorFilterId.NotFound", "tmf-1"},
		{"rule in unknown filter", rule(func(p *R) { p.FilterID = "tmf-1" }), "InvalidTrafficMirrorFilterId.NotFound", "tmf-1"},
		{"modify unknown rule", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.RuleID = "tmfr-1" }), "InvalidTrafficMirrorFilterRuleId.NotFound", "tmfr-1"},
		{"session to unknown target", session(func(s *setup, p *P) { p.TargetID = "tmt-1" }), "InvalidTrafficMirrorTargetId.NotFound", "tmt-1"},
		{"session with unknown filter", session(func(s *setup, p *P) { p.FilterID = "tmf-1" }), "InvalidTrafficMirrorFilterId.NotFound", "tmf-1"},
		{"modify unknown session", modify(func(s *setup, p *mirror.ModifySessionParams) { p.SessionID = "tms-1" }), "InvalidTrafficMirrorSessionId.NotFound", "tms-1"},
		{"modify to unknown target", modify(func(s *setup, p *mirror.ModifySessionParams) { p.TargetID = ptr("tmt-1") }), "InvalidTrafficMirrorTargetId.NotFound", "tmt-1"},
		{"modify to unknown filter", modify(func(s *setup, p *mirror.ModifySessionParams) { p.FilterID = ptr("tmf-1") }), "InvalidTrafficMirrorFilterId.NotFound", "tmf-1"},
		// targets
		{"target of an interface that is not there", target(mirror.CreateTargetParams{NetworkInterfaceID: "eni-0123456789abcdef0"}), "InvalidTrafficMirrorTarget", "The interface ID 'eni-0123456789abcdef0' does not exist"},
		{"target of a bad interface id", target(mirror.CreateTargetParams{NetworkInterfaceID: "eni-xyz"}), "InvalidNetworkInterfaceId.Malformed", "eni-xyz"},
		{"target of an NLB that is not there", target(mirror.CreateTargetParams{NetworkLoadBalancerARN: nlbGone}), "InvalidNetworkLoadBalancerArn.NotFound", "gone"},
		{"target of an ALB", target(mirror.CreateTargetParams{NetworkLoadBalancerARN: alb}), "InvalidNetworkLoadBalancerArn.Malformed", "app/web"},
		{"target of no ARN", target(mirror.CreateTargetParams{NetworkLoadBalancerARN: "sensors"}), "InvalidNetworkLoadBalancerArn.Malformed", "sensors"},
		{"target of an endpoint that is not there", target(mirror.CreateTargetParams{GatewayLoadBalancerEndpointID: "vpce-00000000000000001"}), "InvalidVpcEndpointId.NotFound", "vpce-0"},
		{"target of a bad endpoint id", target(mirror.CreateTargetParams{GatewayLoadBalancerEndpointID: "vpce"}), "InvalidVpcEndpointId.Malformed", "vpce"},
		{"target of nothing", target(mirror.CreateTargetParams{}), "InvalidParameterCombination", "Exactly one"},
		{"target of two things", target(mirror.CreateTargetParams{NetworkInterfaceID: big, NetworkLoadBalancerARN: nlb}), "InvalidParameterCombination", "Exactly one"},
		{"target that is a source", target(mirror.CreateTargetParams{NetworkInterfaceID: eni(1)}), "InvalidParameterValue", "is the source of"},
		{"target of somebody else's interface", func(s *setup) error {
			i := s.w.interfaces[big]
			i.OwnerID = "999999999999"
			s.w.interfaces[big] = i
			return target(mirror.CreateTargetParams{NetworkInterfaceID: big})(s)
		}, "InvalidTrafficMirrorTarget", big},
		{"target that is a NAT gateway", func(s *setup) error {
			i := s.w.interfaces[big]
			i.Kind = "nat_gateway"
			s.w.interfaces[big] = i
			return target(mirror.CreateTargetParams{NetworkInterfaceID: big})(s)
		}, "InvalidTrafficMirrorTarget", "nat_gateway"},
		{"long description", target(mirror.CreateTargetParams{NetworkInterfaceID: big, Description: long}), "InvalidParameterValue", "Description"},
		{"reserved tag", target(mirror.CreateTargetParams{NetworkInterfaceID: big, Tags: []mirror.Tag{{Key: "aws:x"}}}), "InvalidParameterValue", "reserved"},
		{"tag twice", target(mirror.CreateTargetParams{NetworkInterfaceID: big, Tags: []mirror.Tag{{Key: "a"}, {Key: "a"}}}), "InvalidParameterValue", "Duplicate tag key 'a'"},
		{"empty tag", target(mirror.CreateTargetParams{NetworkInterfaceID: big, Tags: []mirror.Tag{{}}}), "InvalidParameterValue", "empty"},
		{"long tag", target(mirror.CreateTargetParams{NetworkInterfaceID: big, Tags: []mirror.Tag{{Key: long}}}), "InvalidParameterValue", "128"},
		{"long tag value", target(mirror.CreateTargetParams{NetworkInterfaceID: big, Tags: []mirror.Tag{{Key: "a", Value: long + "x"}}}), "InvalidParameterValue", "256"},
		{"delete a target in use", func(s *setup) error { return s.DeleteTarget(s.target.ID) }, "TrafficMirrorTargetInUse", "Target is in use by tms-"},
		{"delete no target", func(s *setup) error { return s.DeleteTarget("") }, "MissingParameter", "TrafficMirrorTargetId"},
		// filters
		{"delete a filter in use", func(s *setup) error { return s.DeleteFilter(s.filter.ID) }, "TrafficMirrorFilterInUse", "tms-"},
		{"delete no filter", func(s *setup) error { return s.DeleteFilter("") }, "MissingParameter", "TrafficMirrorFilterId"},
		{"long filter description", func(s *setup) error {
			_, err := s.CreateFilter(mirror.CreateFilterParams{Description: long})
			return err
		}, "InvalidParameterValue", "Description"},
		{"unknown service", func(s *setup) error {
			_, err := s.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{FilterID: s.filter.ID, Add: []string{"amazon-ntp"}})
			return err
		}, "InvalidParameterValue", "amazon-ntp"},
		{"unknown service removed", func(s *setup) error {
			_, err := s.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{FilterID: s.filter.ID, Remove: []string{"dns"}})
			return err
		}, "InvalidParameterValue", "RemoveNetworkService"},
		{"service added and removed", func(s *setup) error {
			_, err := s.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{FilterID: s.filter.ID, Add: []string{"amazon-dns"}, Remove: []string{"amazon-dns"}})
			return err
		}, "InvalidParameterCombination", "both"},
		{"services of no filter", func(s *setup) error {
			_, err := s.ModifyFilterNetworkServices(mirror.ModifyFilterNetworkServicesParams{})
			return err
		}, "MissingParameter", "TrafficMirrorFilterId"},
		// rules
		{"rule without filter", rule(func(p *R) { p.FilterID = "" }), "MissingParameter", "TrafficMirrorFilterId"},
		{"rule without direction", rule(func(p *R) { p.Direction = "" }), "MissingParameter", "TrafficDirection"},
		{"rule in both directions", rule(func(p *R) { p.Direction = "both" }), "InvalidParameterValue", "TrafficDirection"},
		{"rule without number", rule(func(p *R) { p.Number = nil }), "MissingParameter", "RuleNumber"},
		{"rule 0", rule(func(p *R) { p.Number = ptr(0) }), "InvalidParameterValue", "RuleNumber"},
		{"rule without action", rule(func(p *R) { p.Action = "" }), "MissingParameter", "RuleAction"},
		{"rule that drops", rule(func(p *R) { p.Action = "drop" }), "InvalidParameterValue", "RuleAction"},
		{"rule without source", rule(func(p *R) { p.SourceCIDR = "" }), "MissingParameter", "SourceCidrBlock"},
		{"rule without destination", rule(func(p *R) { p.DestinationCIDR = "" }), "MissingParameter", "DestinationCidrBlock"},
		{"rule with an address", rule(func(p *R) { p.SourceCIDR = "10.0.0.1" }), "InvalidParameterValue", "SourceCidrBlock"},
		{"rule with a host in a network", rule(func(p *R) { p.DestinationCIDR = "10.0.0.1/8" }), "InvalidParameterValue", "10.0.0.0/8"},
		{"rule with mapped addresses", rule(func(p *R) { p.DestinationCIDR, p.SourceCIDR = "::ffff:10.0.0.0/104", "::/0" }), "InvalidParameterValue", "CIDR"},
		{"rule of two families", rule(func(p *R) { p.SourceCIDR = "::/0" }), "InvalidParameterCombination", "family"},
		{"protocol 256", rule(func(p *R) { p.Protocol = ptr(256) }), "InvalidParameterValue", "Protocol"},
		{"protocol -1", rule(func(p *R) { p.Protocol = ptr(-1) }), "InvalidParameterValue", "Protocol"},
		{"ports of ICMP", rule(func(p *R) { p.Protocol, p.DestinationPorts = ptr(1), rangeOf(1, 2) }), "InvalidParameterCombination", "6 (TCP)"},
		{"ports of all protocols", rule(func(p *R) { p.Protocol, p.SourcePorts = nil, rangeOf(1, 2) }), "InvalidParameterCombination", "6 (TCP)"},
		{"ports without end", rule(func(p *R) { p.DestinationPorts = &mirror.PortRangeParams{From: ptr(1)} }), "MissingParameter", "DestinationPortRange.ToPort"},
		{"ports without begin", rule(func(p *R) { p.SourcePorts = &mirror.PortRangeParams{To: ptr(1)} }), "MissingParameter", "SourcePortRange.FromPort"},
		{"ports upside down", rule(func(p *R) { p.DestinationPorts = rangeOf(9, 8) }), "InvalidParameterValue", "FromPort is greater"},
		{"port 65536", rule(func(p *R) { p.DestinationPorts = rangeOf(1, 65536) }), "InvalidParameterValue", "ToPort"},
		{"port -1", rule(func(p *R) { p.SourcePorts = rangeOf(-1, 5) }), "InvalidParameterValue", "FromPort"},
		{"same rule number", rule(func(p *R) { p.Number = ptr(100) }), "TrafficMirrorFilterRuleAlreadyExists", "100"},
		{"long rule description", rule(func(p *R) { p.Description = long }), "InvalidParameterValue", "Description"},
		{"rule tag twice", rule(func(p *R) { p.Tags = []mirror.Tag{{Key: "a"}, {Key: "a"}} }), "InvalidParameterValue", "Duplicate"},
		{"11th rule", func(s *setup) error {
			for n := range 9 {
				p := s.ruleParams(n + 1)
				p.Direction = []string{"ingress", "egress"}[n%2] // both directions count together
				if _, err := s.CreateFilterRule(p); err != nil {
					return err
				}
			}
			return rule(func(*R) {})(s)
		}, "TrafficMirrorFilterRuleLimitExceeded", "10"},
		{"ports in modify without protocol", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.DestinationPorts = rangeOf(1, 2) }), "InvalidParameterCombination", "together with Protocol"},
		{"modify to ICMP with ports", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.Protocol, p.DestinationPorts = ptr(1), rangeOf(1, 2) }), "InvalidParameterCombination", "6 (TCP)"},
		{"remove protocol under ports", func(s *setup) error {
			p := mirror.ModifyFilterRuleParams{RuleID: s.rule.ID, Protocol: ptr(6), DestinationPorts: rangeOf(1, 2)}
			if _, err := s.ModifyFilterRule(p); err != nil {
				return err
			}
			return modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.RemoveFields = []string{"protocol"} })(s)
		}, "InvalidParameterCombination", "6 (TCP)"},
		{"remove and set", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.Protocol, p.RemoveFields = ptr(6), []string{"protocol"} }), "InvalidParameterCombination", "protocol"},
		{"remove unknown", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.RemoveFields = []string{"rule-number"} }), "InvalidParameterValue", "RemoveField"},
		{"modify to two families", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.SourceCIDR = ptr("2001:db8::/32") }), "InvalidParameterCombination", "family"},
		{"modify to an empty CIDR", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.SourceCIDR = ptr("") }), "MissingParameter", "SourceCidrBlock"},
		{"modify to a taken number", func(s *setup) error {
			if _, err := s.CreateFilterRule(s.ruleParams(200)); err != nil {
				return err
			}
			return modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.Number = ptr(200) })(s)
		}, "TrafficMirrorFilterRuleAlreadyExists", "200"},
		{"modify no rule", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.RuleID = "" }), "MissingParameter", "TrafficMirrorFilterRuleId"},
		{"modify action", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.Action = ptr("x") }), "InvalidParameterValue", "RuleAction"},
		{"modify direction", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.Direction = ptr("x") }), "InvalidParameterValue", "TrafficDirection"},
		{"modify description", modifyRule(func(p *mirror.ModifyFilterRuleParams) { p.Description = &long }), "InvalidParameterValue", "Description"},
		{"delete no rule", func(s *setup) error { return s.DeleteFilterRule("") }, "MissingParameter", "TrafficMirrorFilterRuleId"},
		// sessions
		{"session without source", session(func(s *setup, p *P) { p.NetworkInterfaceID = "" }), "MissingParameter", "NetworkInterfaceId"},
		{"session without target", session(func(s *setup, p *P) { p.TargetID = "" }), "MissingParameter", "TrafficMirrorTargetId"},
		{"session without filter", session(func(s *setup, p *P) { p.FilterID = "" }), "MissingParameter", "TrafficMirrorFilterId"},
		{"session without number", session(func(s *setup, p *P) { p.Number = nil }), "MissingParameter", "SessionNumber"},
		{"session 0", session(func(s *setup, p *P) { p.Number = ptr(0) }), "InvalidParameterValue", "SessionNumber"},
		{"session 32767", session(func(s *setup, p *P) { p.Number = ptr(32767) }), "InvalidParameterValue", "SessionNumber"},
		{"packet length 0", session(func(s *setup, p *P) { p.PacketLength = ptr(0) }), "InvalidParameterValue", "PacketLength"},
		{"packet length 8501", session(func(s *setup, p *P) { p.PacketLength = ptr(8501) }), "InvalidParameterValue", "PacketLength"},
		{"VNI of 25 bits", session(func(s *setup, p *P) { p.VNI = ptr(1 << 24) }), "InvalidParameterValue", "VirtualNetworkId"},
		{"VNI -1", session(func(s *setup, p *P) { p.VNI = ptr(-1) }), "InvalidParameterValue", "VirtualNetworkId"},
		{"source that is not there", session(func(s *setup, p *P) { p.NetworkInterfaceID = eni(999) }), "InvalidNetworkInterfaceID.NotFound", eni(999)},
		{"source id malformed", session(func(s *setup, p *P) { p.NetworkInterfaceID = "eni-1" }), "InvalidNetworkInterfaceId.Malformed", "eni-1"},
		{"source of somebody else", source(func(i *mirror.Interface) { i.OwnerID = "999999999999" }), "InvalidNetworkInterfaceID.NotFound", eni(2)},
		{"source on t2", source(func(i *mirror.Interface) { i.InstanceType = "t2.micro" }), "NetworkInterfaceNotSupported", "must be attached to a supported instance"},
		{"source on c8g", source(func(i *mirror.Interface) { i.InstanceType = "c8g.large" }), "NetworkInterfaceNotSupported", eni(2)},
		{"source on metal", source(func(i *mirror.Interface) { i.InstanceType = "c6i.metal" }), "NetworkInterfaceNotSupported", "bare metal"},
		{"source not attached", source(func(i *mirror.Interface) { i.InstanceType, i.InstanceID = "", "" }), "NetworkInterfaceNotSupported", "not attached"},
		{"source of a NAT gateway", source(func(i *mirror.Interface) { i.Kind = "nat_gateway" }), "NetworkInterfaceNotSupported", "nat_gateway"},
		{"source with IPv6 only", source(func(i *mirror.Interface) { i.Addrs = []netip.Addr{netip.MustParseAddr("2001:db8::1")} }), "NetworkInterfaceNotSupported", "IPv6"},
		{"source that is a target", session(func(s *setup, p *P) {
			i := s.w.interfaces[sensor]
			i.InstanceType = "m5.large"
			s.w.interfaces[sensor] = i
			p.NetworkInterfaceID, p.TargetID = sensor, must[mirror.Target](t)(s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkInterfaceID: big})).ID
		}), "InvalidParameterValue", "cannot be the source"},
		{"source and target at once", session(func(s *setup, p *P) {
			i := s.w.interfaces[sensor]
			i.InstanceType = "m5.large"
			s.w.interfaces[sensor] = i
			p.NetworkInterfaceID = sensor
		}), "InvalidParameterValue", "source and target"},
		{"target whose interface is gone", session(func(s *setup, p *P) { delete(s.w.interfaces, sensor) }), "InvalidTrafficMirrorTarget", sensor},
		{"same session number", session(func(s *setup, p *P) { *p = s.sessionParams(1, 10) }), "InvalidParameterValue", "Session number 10"},
		{"4th session", func(s *setup) error {
			for n := range 2 {
				if _, err := s.CreateSession(s.w, s.sessionParams(1, 20+n)); err != nil {
					return err
				}
			}
			return session(func(s *setup, p *P) { *p = s.sessionParams(1, 30) })(s)
		}, "TrafficMirrorSessionsPerInterfaceLimitExceeded", "3"},
		{"11th source", func(s *setup) error {
			for n := range 9 {
				if _, err := s.CreateSession(s.w, s.sessionParams(n+2, 1)); err != nil {
					return err
				}
			}
			if _, err := s.CreateSession(s.w, s.sessionParams(10, 2)); err != nil {
				return fmt.Errorf("second session of the 10th source: %w", err)
			}
			return session(func(s *setup, p *P) { *p = s.sessionParams(11, 1) })(s)
		}, "TrafficMirrorSourcesPerTargetLimitExceeded", "Sources per interface-target limit reached (11)"},
		{"11th source by modify", func(s *setup) error {
			other := must[mirror.Target](t)(s.CreateTarget(s.w, mirror.CreateTargetParams{NetworkLoadBalancerARN: nlb}))
			p := s.sessionParams(11, 1)
			p.TargetID = other.ID
			last := must[mirror.Session](t)(s.CreateSession(s.w, p))
			for n := range 9 {
				if _, err := s.CreateSession(s.w, s.sessionParams(n+2, 1)); err != nil {
					return err
				}
			}
			_, err := s.ModifySession(s.w, mirror.ModifySessionParams{SessionID: last.ID, TargetID: &s.target.ID})
			return err
		}, "TrafficMirrorSourcesPerTargetLimitExceeded", "(11)"},
		{"modify no session", modify(func(s *setup, p *mirror.ModifySessionParams) { p.SessionID = "" }), "MissingParameter", "TrafficMirrorSessionId"},
		{"modify number", modify(func(s *setup, p *mirror.ModifySessionParams) { p.Number = ptr(0) }), "InvalidParameterValue", "SessionNumber"},
		{"modify number to a taken one", func(s *setup) error {
			if _, err := s.CreateSession(s.w, s.sessionParams(1, 11)); err != nil {
				return err
			}
			return modify(func(s *setup, p *mirror.ModifySessionParams) { p.Number = ptr(11) })(s)
		}, "InvalidParameterValue", "Session number 11"},
		{"modify packet length", modify(func(s *setup, p *mirror.ModifySessionParams) { p.PacketLength = ptr(9000) }), "InvalidParameterValue", "PacketLength"},
		{"modify VNI", modify(func(s *setup, p *mirror.ModifySessionParams) { p.VNI = ptr(-5) }), "InvalidParameterValue", "VirtualNetworkId"},
		{"modify session description", modify(func(s *setup, p *mirror.ModifySessionParams) { p.Description = &long }), "InvalidParameterValue", "Description"},
		{"modify, remove unknown field", modify(func(s *setup, p *mirror.ModifySessionParams) { p.RemoveFields = []string{"session-number"} }), "InvalidParameterValue", "RemoveField"},
		{"modify, remove and set", modify(func(s *setup, p *mirror.ModifySessionParams) {
			p.VNI, p.RemoveFields = ptr(1), []string{"virtual-network-id"}
		}), "InvalidParameterCombination", "virtual-network-id"},
		{"delete no session", func(s *setup) error { return s.DeleteSession("") }, "MissingParameter", "TrafficMirrorSessionId"},
		// tags
		{"tag unknown target", func(s *setup) error { return s.CreateTags([]string{"tmt-1"}, []mirror.Tag{{Key: "a"}}) }, "InvalidTrafficMirrorTargetId.NotFound", "tmt-1"},
		{"untag unknown rule", func(s *setup) error { return s.DeleteTags([]string{"tmfr-1"}, nil) }, "InvalidTrafficMirrorFilterRuleId.NotFound", "tmfr-1"},
		{"tag a vpc", func(s *setup) error { return s.CreateTags([]string{"vpc-1"}, []mirror.Tag{{Key: "a"}}) }, "InvalidID", "vpc-1"},
		{"51 tags", func(s *setup) error {
			var tags []mirror.Tag
			for n := range 51 {
				tags = append(tags, mirror.Tag{Key: fmt.Sprint(n)})
			}
			return s.CreateTags([]string{s.target.ID}, tags)
		}, "TagLimitExceeded", "50"},
		{"51st tag", func(s *setup) error {
			for n := range 51 {
				if err := s.CreateTags([]string{s.rule.ID}, []mirror.Tag{{Key: fmt.Sprint(n)}}); err != nil {
					return err
				}
			}
			return nil
		}, "TagLimitExceeded", "50"},
		// client tokens
		{"token with other parameters", func(s *setup) error {
			p := s.sessionParams(2, 20)
			p.ClientToken = "t"
			if _, err := s.CreateSession(s.w, p); err != nil {
				return err
			}
			p.Number = ptr(21)
			_, err := s.CreateSession(s.w, p)
			return err
		}, "IdempotentParameterMismatch", "t"},
		{"long token", target(mirror.CreateTargetParams{NetworkInterfaceID: big, ClientToken: strings.Repeat("x", 65)}), "InvalidParameterValue", "ClientToken"},
		{"token that is not ASCII", target(mirror.CreateTargetParams{NetworkInterfaceID: big, ClientToken: "ä"}), "InvalidParameterValue", "ClientToken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSetup(t, mirror.BookOptions{})
			err := c.do(s)
			wantCode(t, err, c.code, c.text)
		})
	}
}
