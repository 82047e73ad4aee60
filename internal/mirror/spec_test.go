package mirror_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"mirador/internal/mirror"
)

const exampleSpec = `
interfaces:
  web-1: {id: eni-0a1, addresses: [10.0.1.15, 2001:db8::15, fe80::1], mac: "02:00:00:00:00:01", vpc_cidrs: [10.0.0.0/16], instance_type: m5.large}
  db-1: {addresses: [10.0.2.15]}
targets:
  sensor: {id: tmt-1, address: 10.0.9.5, mtu: 9001}
filters:
  main:
    id: tmf-1
    network_services: [amazon-dns]
    rules:
      - {number: 100, direction: egress, action: reject, protocol: udp, destination_ports: 123}
      - {number: 200, source: 10.0.0.0/8, protocol: tcp, destination_ports: 1-1024}
      - {source: [10.0.0.0/8, 2001:db8::/32], destination: any, action: reject}
  other:
    rules: [{direction: ingress}]
sessions:
  - {id: tms-1, number: 10, source: web-1, target: sensor, filter: main, vni: 1169, packet_length: 200}
  - {number: 20, source: db-1, filter: other}
switches: [reject-stops]
`

func TestParseSpec(t *testing.T) {
	s, err := mirror.ParseSpec([]byte(exampleSpec), "f.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Filters) != 2 || !s.Switches.RejectStops || len(s.Targets) != 1 || s.Targets[0].Addr != netip.MustParseAddr("10.0.9.5") {
		t.Fatalf("%+v", s)
	}
	var got []string
	for i := range s.Filters[0].Rules {
		got = append(got, mirror.RuleText(&s.Filters[0].Rules[i]))
	}
	want := []string{
		"ingress 200 accept tcp any:1-1024 → 10.0.0.0/8", // swapped
		"ingress 210 reject all any → 10.0.0.0/8",
		"ingress 211 reject all any6 → 2001:db8::/32",
		"egress 100 reject udp any → any:123",
		"egress 200 accept tcp 10.0.0.0/8 → any:1-1024",
		"egress 210 reject all 10.0.0.0/8 → any",
		"egress 211 reject all 2001:db8::/32 → any6",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rules\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if x := s.Sessions[0]; x.NetworkInterfaceID != "eni-0a1" || x.TargetID != "tmt-1" || x.FilterID != "tmf-1" || x.VNI != 1169 || x.PacketLength != 200 {
		t.Errorf("session %+v", x)
	}
	if x := s.Sessions[1]; x.ID != "db-1-20" || x.NetworkInterfaceID != "db-1" || x.FilterID != "other" || x.TargetID != "tmt-1" {
		t.Errorf("session %+v", x)
	}
	for _, name := range []string{"web-1", "eni-0a1"} {
		g, err := s.Program(name, mirror.CompileOptions{})
		if err != nil || len(g.Sessions()) != 1 || g.Sessions()[0].MTU != 9001 {
			t.Errorf("Program(%s): %v", name, err)
			continue
		}
		if d := g.Decide(decode("eth ip 10.0.1.15 10.0.9.5 udp 5 4789"), mirror.Egress); d.Reason != mirror.ReasonOwnTunnel {
			t.Errorf("packet to the target: %+v", d)
		}
		if d := g.Decide(decode("eth ip 10.0.1.15 10.0.0.2 udp 5 53"), mirror.Egress); d.Reason != mirror.ReasonAmazonDNS {
			t.Errorf("packet to the resolver: %+v", d)
		}
	}
	if _, err := s.Program("", mirror.CompileOptions{}); err == nil || !strings.Contains(err.Error(), "db-1, web-1") {
		t.Errorf("Program of nobody: %v", err)
	}
	if _, err := s.Program("x", mirror.CompileOptions{}); err == nil {
		t.Error("Program of an unknown source")
	}
}

// A file with nothing but a filter is one session with it.
func TestSpecOfOneFilter(t *testing.T) {
	s, err := mirror.ParseSpec([]byte(`{"filter": {"rules": [{"protocol": 6, "destination_ports": 443}]}}`), "f.json")
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Program("", mirror.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for desc, want := range map[string]mirror.Reason{
		"eth ip 10.0.0.1 10.0.0.2 tcp 5 443": mirror.ReasonAccept, "eth ip 10.0.0.1 10.0.0.2 tcp 443 5": mirror.ReasonNoRule,
	} {
		if d := g.Decide(decode(desc), mirror.Egress); d.Reason != want {
			t.Errorf("%s: %+v", desc, d)
		}
	}
	if d := g.Decide(decode("eth ip 10.0.0.1 10.0.0.2 tcp 443 5"), mirror.Ingress); d.Reason != mirror.ReasonAccept {
		t.Errorf("answer: %+v", d)
	}
}

const (
	awsFilters = `{
    "TrafficMirrorFilters": [
        {
            "TrafficMirrorFilterId": "tmf-0293f26e86EXAMPLE",
            "IngressFilterRules": [
                {"TrafficMirrorFilterRuleId": "tmfr-0a", "TrafficMirrorFilterId": "tmf-0293f26e86EXAMPLE", "TrafficDirection": "ingress",
                 "RuleNumber": 1, "RuleAction": "accept", "Protocol": 6, "DestinationCidrBlock": "10.0.0.0/16", "SourceCidrBlock": "10.0.0.0/8",
                 "DestinationPortRange": {"FromPort": 80, "ToPort": 443}, "Description": "tcp in", "Tags": []}
            ],
            "EgressFilterRules": [
                {"TrafficMirrorFilterRuleId": "tmfr-0b", "TrafficMirrorFilterId": "tmf-0293f26e86EXAMPLE", "TrafficDirection": "egress",
                 "RuleNumber": 10, "RuleAction": "reject", "DestinationCidrBlock": "::/0", "SourceCidrBlock": "2001:db8::/32"}
            ],
            "NetworkServices": ["amazon-dns"],
            "Description": "Example filter",
            "Tags": [{"Key": "Name", "Value": "main"}]
        }
    ]
}`
	awsSessions = `{"TrafficMirrorSessions": [{"TrafficMirrorSessionId": "tms-1", "TrafficMirrorTargetId": "tmt-1", "TrafficMirrorFilterId": "tmf-0293f26e86EXAMPLE",
 "NetworkInterfaceId": "eni-1", "OwnerId": "111122223333", "PacketLength": 8500, "SessionNumber": 7, "VirtualNetworkId": 1169, "Tags": []}], "NextToken": "x"}`
	awsENIs = `{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "InterfaceType": "interface", "OwnerId": "111122223333", "VpcId": "vpc-1", "SubnetId": "subnet-1",
 "AvailabilityZone": "us-east-1a", "MacAddress": "0e:16:3a:b1:11:bd", "PrivateIpAddress": "10.0.1.9",
 "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9", "Primary": true}, {"PrivateIpAddress": "10.0.1.10", "Primary": false}],
 "Ipv6Addresses": [{"Ipv6Address": "2001:db8::9"}], "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0}, "Groups": [], "TagSet": [{"Key": "Name", "Value": "web"}]}]}`
	awsVPCs = `{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "IsDefault": false, "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.7.0.0/16"}]}]}`
)

func mergeSpecs(t *testing.T, texts ...string) *mirror.Spec {
	t.Helper()
	all := &mirror.Spec{}
	for _, text := range texts {
		s, err := mirror.ParseSpec([]byte(text), "aws.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := all.Merge(s); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// What the AWS CLI prints is read, whatever comes first.
func TestSpecFromAWS(t *testing.T) {
	for _, order := range [][]string{{awsFilters, awsSessions, awsENIs, awsVPCs}, {awsVPCs, awsENIs, awsSessions, awsFilters}} {
		s := mergeSpecs(t, order...)
		g, err := s.Program("web", mirror.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		f := g.Sessions()[0].Filter
		if len(f.Rules) != 2 || f.Rules[0].Protocol != 6 || f.Rules[1].Protocol != mirror.AnyProtocol || *f.Rules[0].DestinationPorts != (mirror.PortRange{From: 80, To: 443}) {
			t.Errorf("filter %+v", f)
		}
		in := decode("eth src=02:00:00:00:00:02 dst=0e:16:3a:b1:11:bd ip 10.3.0.1 10.0.1.10 tcp 5 443")
		if d := g.Decide(in, g.Direction(in)); d.Reason != mirror.ReasonAccept {
			t.Errorf("%+v", d)
		}
		for _, desc := range []string{"eth ip 10.7.0.2 10.0.1.9 udp 53 5", "eth ip 10.0.1.9 10.0.0.2 udp 6 53"} {
			p := decode(desc)
			if d := g.Decide(p, g.Direction(p)); d.Reason != mirror.ReasonAmazonDNS {
				t.Errorf("%s: %+v", desc, d)
			}
		}
	}
	// Filters without rules and rules alone go together.
	rules := `{"TrafficMirrorFilterRules": [{"TrafficMirrorFilterRuleId": "tmfr-0c", "TrafficMirrorFilterId": "tmf-9", "TrafficDirection": "ingress",
 "RuleNumber": 1, "RuleAction": "accept", "DestinationCidrBlock": "0.0.0.0/0", "SourceCidrBlock": "0.0.0.0/0"}]}`
	bare := `{"TrafficMirrorFilter": {"TrafficMirrorFilterId": "tmf-9", "NetworkServices": ["amazon-dns"], "Tags": [{"Key": "Name", "Value": "bare"}]}}`
	for _, order := range [][]string{{rules, bare}, {bare, rules}} {
		s := mergeSpecs(t, order...)
		if len(s.Filters) != 1 || len(s.Filters[0].Rules) != 1 || len(s.Filters[0].NetworkServices) != 1 || s.Filters[0].Name != "bare" {
			t.Errorf("filters %+v", s.Filters)
		}
	}
	if err := mergeSpecs(t, awsFilters).Merge(mergeSpecs(t, awsFilters)); err == nil {
		t.Error("a filter twice")
	}
}

func TestParseSpecBad(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"filter: [", "f:1:"},
		{"filters:\n  a:\n    rulez: []", `f:3:`},
		{"filter: {rules: [{action: drop}]}", `filter: rules[0]: action: "drop"`},
		{"filter: {rules: [{direction: up}]}", `direction: "up"`},
		{"filter: {rules: [{protocol: tpc}]}", `protocol "tpc"`},
		{"filter: {rules: [{protocol: 300}]}", `protocol "300"`},
		{"filter: {rules: [{source: 10.0.0.1/8}]}", `source: "10.0.0.1/8" is no CIDR`},
		{"filter: {rules: [{source: 10.0.0.0/8, destination: 2001:db8::/32}]}", "different address families"},
		{"filter: {rules: [{protocol: icmp, destination_ports: 5}]}", "TCP"},
		{"filter: {rules: [{destination_ports: 5}]}", "TCP"},
		{"filter: {rules: [{protocol: tcp, source_ports: 9-5}]}", `source_ports: "9-5"`},
		{"filter: {rules: [{protocol: tcp, source_ports: 65536}]}", `source_ports: "65536"`},
		{"filter: {rules: [{protocol: tcp, source_ports: 1.5}]}", "whole number"},
		{"filter: {rules: [{source: {a: b}}]}", "list of texts"},
		{"filter: {rules: [{number: -1}]}", "RuleNumber"},
		{"filter: {rules: [{number: 5, direction: egress}, {number: 5, direction: egress, action: reject}]}", "egress 5 is there twice"},
		{"filter: {network_services: [dns]}", `no "dns"`},
		{"interfaces: {a: {mac: x}}", "interfaces.a: mac"},
		{"interfaces: {a: {addresses: [x]}}", "interfaces.a: addresses"},
		{"interfaces: {a: {vpc_cidrs: [10.0.0.1/8]}}", "interfaces.a: vpc_cidrs"},
		{"targets: {a: {address: x}}", "targets.a: address"},
		{"targets: {a: {mtu: -1}}", "targets.a: mtu"},
		{"switches: [x]", `no switch "x"`},
		{"filter: {}\nsessions: [{number: 0}]", "sessions[0]: number"},
		{"filter: {}\nsessions: [{number: 1, filter: x}]", `no filter "x"`},
		{"filter: {}\nsessions: [{number: 1, vni: 16777216}]", "24 bits"},
		{"filter: {}\nsessions: [{number: 1, packet_length: -5}]", "packet_length"},
		{"filter: {}\ninterfaces: {a: {}}\nsessions: [{number: 1, source: b}]", `no interface "b"`},
		{"filter: {}\nsessions: [{number: 1}, {number: 1}]", "session session-1 is there twice"},
		{"interfaces: {a: {id: eni-1}, b: {id: eni-1}}", "interface eni-1 is there twice"},
		{`{"filter": {"rules": [{"protocol": true}]}}`, "text or a number"},
		{`{"TrafficMirrorFilters": 5}`, "f: json"},
		{`{"TrafficMirrorFilters": [{}]}`, "TrafficMirrorFilterId"},
		{`{"TrafficMirrorSessions": [{}]}`, "session"},
		{`{"NetworkInterfaces": [{"MacAddress": "x"}]}`, "MacAddress"},
		{`{"TrafficMirrorFilterRules": [{"TrafficMirrorFilterRuleId": "tmfr-1"}]}`, `rule "tmfr-1"`},
		{"filter: {rules: [{source: [" + strings.Repeat("10.0.0.0/8,", 70) + "any], destination: [" + strings.Repeat("10.0.0.0/8,", 70) + "any]}]}", "make more than 4096 rules"},
	} {
		s, err := mirror.ParseSpec([]byte(c.text), "f")
		if err == nil || !strings.HasPrefix(err.Error(), "f:") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.200s\n%v, %+v, want %s", c.text, err, s, c.want)
		}
	}
	if _, err := mirror.ParseSpec(make([]byte, mirror.MaxSpecFile+1), "f"); err == nil {
		t.Error("a file that is too long")
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{exampleSpec, awsFilters, awsSessions, awsENIs, awsVPCs, `{"filter": {"rules": [{"protocol": 6}]}}`, "filter: {rules: [{}]}"} {
		f.Add([]byte(s))
	}
	p := decode("eth ip 10.0.1.15 203.0.113.9 tcp 5 443")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := mirror.ParseSpec(b, "f")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("error %q does not name the file", err)
			}
			return
		}
		if err := (&mirror.Spec{}).Merge(s); err != nil {
			t.Fatalf("a file that was read does not merge with nothing: %v", err)
		}
		for _, name := range append(s.SourceNames(), "") {
			g, err := s.Program(name, mirror.CompileOptions{})
			if err != nil {
				continue
			}
			for _, d := range []mirror.Direction{mirror.Ingress, mirror.Egress} {
				if dec := g.Decide(p, d); dec.Mirror && dec.Length > len(p.Data) {
					t.Fatalf("%+v", dec)
				}
				g.Explain(p, d)
			}
		}
		mirror.LintSpec(s)
	})
}
