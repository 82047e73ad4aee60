package setup_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"mirador/internal/mirror"
	"mirador/internal/setup"
)

const minimal = "name: prod\nsensors:\n  - instance: i-0123456789abcdef0\n"

func TestParseSpecRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", minimal + "sesion:\n  vni: 1\n", `mirror.yaml:4:1: unknown key "sesion": did you mean "session"?`},
		{"key of elsewhere", minimal + "source:\n  vni: 1\n", `unknown key "source": did you mean "sources"?`},
		{"no name", "sensors: [{instance: i-0123456789abcdef0}]", "name: is missing"},
		{"bad name", "name: Prod_1\nsensors: [{instance: i-0123456789abcdef0}]", `mirror.yaml:1:7: name: "Prod_1"`},
		{"no sensors", "name: prod", "sensors: is missing"},
		{"two kinds", "name: prod\nsensors:\n  - {instance: i-0123456789abcdef0, auto_scaling_group: x}\n", "mirror.yaml:3:5: sensors[0]: needs one of"},
		{"bad id", "name: prod\nsensors:\n  - instance: i-xyz\n", "mirror.yaml:3:15: sensors[0].instance"},
		{"twice", minimal + "  - instance: i-0123456789abcdef0\n", "is there twice"},
		{"kind", minimal + "target:\n  kind: alb\n", `mirror.yaml:5:9: target.kind: "alb" is none of eni, nlb, gwlb`},
		{"nlb key with eni", minimal + "target:\n  cross_zone: true\n", "target.cross_zone: has a meaning for load balancers only"},
		{"vni", minimal + "session:\n  vni: 16777216\n", "mirror.yaml:5:8: session.vni"},
		{"number", minimal + "session: {number: 40000}\n", "session.number"},
		{"length", minimal + "session: {packet_length: 9000}\n", "session.packet_length: 9000"},
		{"placeholder", minimal + "session: {name: '{vpc}'}\n", `"vpc" is none of instance`},
		{"protocol", minimal + "filter:\n  rules:\n    - protocol: tpc\n", "mirror.yaml:6:17: filter.rules[0].protocol"},
		{"ports of icmp", minimal + "filter:\n  rules:\n    - {protocol: icmp, source_ports: 80}\n", "ports belong to protocol tcp or udp"},
		{"mixed families", minimal + "filter:\n  rules:\n    - {source: 10.0.0.0/8, destination: '2001:db8::/32'}\n", "different address families"},
		{"host bits", minimal + "filter:\n  rules:\n    - source: 10.0.0.1/8\n", `"10.0.0.1/8" is none of`},
		{"empty selector", minimal + "sources:\n  include: [{reason: x}]\n", "selects nothing"},
		{"our tag", minimal + "tags: {'mirador:stack': x}\n", "is set by Mirador"},
		{"aws tag", minimal + "tags: {'aws:x': x}\n", "belong to AWS"},
		{"two documents", minimal + "---\nname: x\n", "more than one document"},
		{"syntax", "name: [", "mirror.yaml:1:"},
		{"service", minimal + "filter: {network_services: [ntp]}\n", `"ntp" is none of amazon-dns`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := setup.ParseSpec([]byte(c.text), "mirror.yaml")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ParseSpec = %v, want %q", err, c.want)
			}
		})
	}
}

func TestParseSpecTakesTextForLists(t *testing.T) {
	s, err := setup.ParseSpec([]byte(minimal+"sources:\n  include:\n    - vpc: vpc-0123456789abcdef0\n      tags: {Mirror: true, N: 5}\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	in := s.Sources.Include[0]
	if len(in.VPC) != 1 || in.VPC[0] != "vpc-0123456789abcdef0" || in.Tags["Mirror"] != "true" || in.Tags["N"] != "5" {
		t.Errorf("include = %+v", in)
	}
}

func TestCompileFilter(t *testing.T) {
	vpc := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}
	for _, c := range []struct{ name, text, want string }{
		{"default", "", "ingress 10 accept all any → any; ingress 20 accept all any6 → any6; egress 10 accept all any → any; egress 20 accept all any6 → any6"},
		{"no twins", "{ipv6: false}", "ingress 10 accept all any → any; egress 10 accept all any → any"},
		{"internet", "{preset: internet-only, ipv6: false}", "ingress 10 reject all 10.0.0.0/16 → any; ingress 20 accept all any → any; " +
			"egress 10 reject all any → 10.0.0.0/16; egress 20 accept all any → any"},
		{"dns", "{preset: dns-only, ipv6: false}", "ingress 10 accept udp any:53 → any; ingress 20 accept tcp any:53 → any; " +
			"egress 10 accept udp any → any:53; egress 20 accept tcp any → any:53"},
		{"own rule, one direction, number", "{rules: [{direction: egress, action: reject, protocol: 17, destination_ports: 123, number: 15}], preset: all, ipv6: false}",
			"ingress 10 accept all any → any; egress 15 reject udp any → any:123; egress 20 accept all any → any"},
		{"aggregation", "{rules: [{direction: egress, destination: [10.0.0.0/25, 10.0.0.128/25, 10.0.0.7/32]}]}", "egress 10 accept all any → 10.0.0.0/24"},
		{"icmp twin", "{rules: [{direction: ingress, protocol: icmp}]}", "ingress 10 accept icmp any → any; ingress 20 accept icmpv6 any6 → any6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := minimal
			if c.text != "" {
				text += "filter: " + c.text + "\n"
			}
			s, err := setup.ParseSpec([]byte(text), "x")
			if err != nil {
				t.Fatal(err)
			}
			rules, err := setup.CompileFilter(&s.Filter, vpc)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range rules {
				got = append(got, mirror.RuleText(&rules[i]))
			}
			if g := strings.Join(got, "; "); g != c.want {
				t.Errorf("rules = %s\nwant    %s", g, c.want)
			}
		})
	}
}

// Ten rules are the budget of both directions and families together; the preset without backup
// needs exactly that many.
func TestRuleBudget(t *testing.T) {
	s, err := setup.ParseSpec([]byte(minimal+"filter: {preset: no-backup}\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := setup.CompileFilter(&s.Filter, nil)
	if err != nil || len(rules) != mirror.DefaultRulesPerFilter {
		t.Errorf("%d rules, %v", len(rules), err)
	}
	s.Filter.Rules = []setup.RuleSpec{{Direction: "egress", Protocol: "esp"}}
	_, err = setup.CompileFilter(&s.Filter, nil)
	le, ok := err.(*setup.LimitError)
	if !ok || le.Need != 12 || le.Have != 10 || !strings.Contains(le.Hint, "ipv6: false it is 9") {
		t.Errorf("error = %v (%+v)", err, le)
	}
}

// The schema knows every key that the reader takes, and no other.
func TestSchema(t *testing.T) {
	b, err := setup.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	for _, k := range setup.SpecKeys() {
		node := s
		for _, part := range strings.Split(strings.ReplaceAll(k.Path, "[]", ".[]"), ".") {
			if part == "[]" {
				node = node["items"].(map[string]any)
				continue
			}
			next, ok := node["properties"].(map[string]any)[part].(map[string]any)
			if !ok {
				t.Fatalf("%s is not in the schema", k.Path)
			}
			if node["additionalProperties"] != false {
				t.Errorf("objects around %s take any key", k.Path)
			}
			node = next
		}
		if node["description"] != k.Doc || k.Doc == "" {
			t.Errorf("%s: description %q, doc %q", k.Path, node["description"], k.Doc)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "filter: {preset: internet-only, rules: [{direction: both, protocol: 6, source: [any, vpc, 10.0.0.0/8], destination_ports: 1-2, number: 5}]}\n"))
	f.Add([]byte(minimal + "sources: {include: [{tags: {a: b*}, vpc: vpc-01234567}], exclude: [{subnet: [subnet-01234567], reason: x}]}\ntarget: {kind: nlb, sticky: false}\n"))
	f.Add([]byte("a: &a [*a]\n!!x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := setup.ParseSpec(b, "x")
		if err != nil {
			return
		}
		if err := s.Validate(); err != nil {
			t.Errorf("a spec that was read is not valid: %v", err)
		}
		rules, err := setup.CompileFilter(&s.Filter, nil)
		if err == nil && len(rules) > mirror.DefaultRulesPerFilter {
			t.Errorf("%d rules", len(rules))
		}
	})
}
