package mirror_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mirador/internal/mirror"
	"mirador/internal/mirrortest"
)

func TestLint(t *testing.T) {
	const dns = "network_services: [amazon-dns]"
	for _, c := range []struct {
		name string
		spec string
		want []string // code and rule or session of each finding
	}{
		{"good", "filter: {" + dns + ", rules: [{}, {source: ::/0}]}", nil},
		{"nothing", "filter: {}", []string{"error no-rules"}},
		{"only DNS", "filter: {" + dns + "}", []string{"advice no-rules"}},
		{"no DNS", "filter: {rules: [{}, {source: ::/0}]}", []string{"warning no-amazon-dns"}},
		{"no egress", "filter: {" + dns + ", rules: [{direction: ingress}, {direction: ingress, source: ::/0}]}", []string{"warning one-way egress"}},
		{"no accept in ingress", "filter: {" + dns + ", rules: [{direction: egress}, {direction: egress, source: ::/0}, {direction: ingress, action: reject}]}", []string{"warning one-way ingress", "advice rule-budget"}},
		{"no IPv6", "filter: {" + dns + ", rules: [{}]}", []string{"warning no-ipv6 ingress 10", "warning no-ipv6 egress 10"}},
		{"IPv4 network only", "filter: {" + dns + ", rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8}]}", nil},
		{"shadowed by one", "filter: {" + dns + ", rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8}, {direction: egress, source: 10.1.0.0/16, destination: 10.2.0.0/16, protocol: tcp, action: reject}]}",
			[]string{"warning shadowed-rule egress 20", "advice rule-budget"}},
		{"shadowed by two halves", "filter: {" + dns + ", rules: [{source: 10.0.0.0/9, destination: 10.0.0.0/8}, {source: 10.128.0.0/9, destination: 10.0.0.0/8}, {direction: egress, source: 10.0.0.0/8, destination: 10.0.0.0/8}]}",
			[]string{"advice shadowed-rule egress 30", "advice rule-budget"}},
		{"ports do not shadow fragments", "filter: {" + dns + ", rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8, protocol: udp, destination_ports: 0-65535, action: reject}, {source: 10.0.0.0/8, destination: 10.0.0.0/8, protocol: udp}]}", nil},
		{"reject before nothing", "filter: {" + dns + ", rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8}, {direction: egress, source: 192.0.2.0/24, destination: 10.0.0.0/8, action: reject}]}",
			[]string{"advice redundant-rule egress 20", "advice rule-budget"}},
		{"accept before the same", "filter: {" + dns + ", rules: [{direction: egress, source: 10.1.0.0/16, destination: 10.0.0.0/8}, {source: 10.0.0.0/8, destination: 10.0.0.0/8, number: 100}]}",
			[]string{"advice redundant-rule egress 10", "advice rule-budget"}},
		{"metadata", "filter: {" + dns + ", rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8}, {direction: egress, source: 10.0.0.0/8, destination: 169.254.169.254}]}",
			[]string{"warning never-mirrored egress 20"}},
		{"DHCP", "filter: {" + dns + ", rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8, number: 50}, {number: 20, direction: egress, protocol: udp, source: 10.0.0.0/8, destination: 10.0.0.0/8, destination_ports: 67}]}",
			[]string{"warning never-mirrored egress 20", "advice rule-budget"}},
		{"11 rules", "filter: {" + dns + ", rules: [{direction: egress, source: [10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/24, 10.0.3.0/24, 10.0.4.0/24], destination: [192.0.2.0/25, 192.0.2.128/25]}, {direction: ingress, source: 10.0.0.0/8, destination: 10.0.0.0/8}]}",
			[]string{"error rule-budget"}},
		{"unsupported and too many sessions", `
interfaces: {a: {instance_type: t2.micro}}
filter: {` + dns + `, rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8}]}
sessions: [{number: 1}, {id: b, number: 2}, {id: c, number: 3, packet_length: 20}, {id: d, number: 3}]`,
			[]string{"warning unsupported-source a", "error sessions-per-interface a", "warning shadowed-session a 2", "advice packet-length a 3", "warning shadowed-session a 3", "error session-number a 3", "warning shadowed-session a 3"}},
		{"later session with more", `
filters:
  tcp: {` + dns + `, rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8, protocol: tcp}]}
  all: {` + dns + `, rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8}]}
sessions: [{number: 1, filter: tcp}, {number: 2, filter: all}]`, nil},
		{"source is target", `
interfaces: {a: {id: eni-1}}
targets: {t: {network_interface: eni-1}}
filter: {` + dns + `, rules: [{source: 10.0.0.0/8, destination: 10.0.0.0/8}]}
sessions: [{number: 1, source: a}]`, []string{"error source-is-target eni-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := mirror.ParseSpec([]byte(c.spec), "f")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range mirror.LintSpec(s) {
				x := string(f.Severity) + " " + f.Code
				for _, y := range []string{f.Source, f.Rule} {
					if y != "" {
						x += " " + y
					}
				}
				if f.Session != 0 {
					x += fmt.Sprint(" ", f.Session)
				}
				if f.What == "" {
					t.Errorf("%s says nothing", x)
				}
				got = append(got, x)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("findings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestCompact(t *testing.T) {
	for _, c := range []struct{ name, rules, want string }{
		{"siblings", "[{direction: egress, source: [10.0.0.0/25, 10.0.0.128/25], destination: 0.0.0.0/0}]", "egress 10 accept all 10.0.0.0/24 → any"},
		{"four", "[{direction: egress, source: 10.0.0.0/8, destination: [192.0.2.0/26, 192.0.2.64/26, 192.0.2.128/26, 192.0.2.192/26]}]", "egress 10 accept all 10.0.0.0/8 → 192.0.2.0/24"},
		{"both sides", "[{direction: ingress, source: [10.0.0.0/25, 10.0.0.128/25], destination: [192.0.2.0/25, 192.0.2.128/25]}]", "ingress 10 accept all 10.0.0.0/24 → 192.0.2.0/24"},
		{"neighbours that are no siblings", "[{direction: egress, source: [10.0.1.0/24, 10.0.2.0/24], destination: any}]", "egress 10 accept all 10.0.1.0/24 → any; egress 11 accept all 10.0.2.0/24 → any"},
		{"other ports", "[{direction: egress, protocol: tcp, destination_ports: 80, source: 10.0.0.0/25}, {direction: egress, protocol: tcp, destination_ports: 81, source: 10.0.0.128/25}]",
			"egress 10 accept tcp 10.0.0.0/25 → any:80; egress 20 accept tcp 10.0.0.128/25 → any:81"},
		{"a reject between holds them apart", "[{direction: egress, source: 10.0.0.0/25}, {direction: egress, action: reject, protocol: tcp, source: 10.0.0.0/24}, {direction: egress, source: 10.0.0.128/25}]",
			"egress 10 accept all 10.0.0.0/25 → any; egress 20 reject tcp 10.0.0.0/24 → any; egress 30 accept all 10.0.0.128/25 → any"},
		{"a reject elsewhere does not", "[{direction: egress, source: 10.0.0.0/25}, {direction: egress, action: reject, protocol: tcp, source: 10.0.0.0/25}, {direction: egress, source: 10.0.0.128/25}]",
			"egress 10 accept all 10.0.0.0/24 → any"},
		{"the same twice", "[{direction: egress, source: 10.0.0.0/25}, {direction: egress, source: 10.0.0.0/25}]", "egress 10 accept all 10.0.0.0/25 → any"},
		{"the halves of everything", "[{direction: egress, source: [0.0.0.0/1, 128.0.0.0/1]}]", "egress 10 accept all any → any"},
	} {
		s, err := mirror.ParseSpec([]byte("filter: {rules: "+c.rules+"}"), "f")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range mirror.Compact(s.Filters[0].Rules) {
			got = append(got, mirror.RuleText(&r))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %s, want %s", c.name, strings.Join(got, "; "), c.want)
		}
	}
}

// What lint and Compact say of generated filters is true of generated packets: compacted
// rules mirror the same packets, and a rule that is said never to decide never does.
func TestLintIsTrue(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	g := mirrortest.Gen{Next: r.IntN}
	compacted, shadowed, redundant := 0, 0, 0
	for range 100 {
		w := (*world)(g.World())
		w.Sessions = []mirror.Session{{ID: "tms-1", NetworkInterfaceID: "eni-1", FilterID: "tmf-0", Number: 1}}
		w.O = mirror.CompileOptions{}
		f := w.Filters[0]
		less := f
		less.Rules = mirror.Compact(f.Rules)
		if len(less.Rules) < len(f.Rules) {
			compacted++
		}
		if len(less.Rules) > len(f.Rules) || mirror.CheckFilter(&less) != nil {
			t.Fatalf("Compact(%v) = %v", f.Rules, less.Rules)
		}
		idle := map[string]bool{}
		without := f
		for _, x := range mirror.LintFilter(&f, "f") {
			switch x.Code {
			case "shadowed-rule":
				shadowed++
				idle[x.Rule] = true
			case "redundant-rule":
				redundant++
				if len(without.Rules) == len(f.Rules) { // one at a time
					without.Rules = slices.DeleteFunc(slices.Clone(f.Rules), func(r mirror.FilterRule) bool { return mirror.RuleName(&r) == x.Rule })
				}
			}
		}
		w2, w3 := *w, *w
		w2.Filters, w3.Filters = []mirror.Filter{less}, []mirror.Filter{without}
		for range 100 {
			p := g.Packet()
			v := w.plain(p, 100)
			if v2 := w2.plain(p, 100); v.mirror != v2.mirror {
				t.Fatalf("packet %+v: mirrored %v, after Compact %v\n%+v\n%+v", p, v.mirror, v2.mirror, f.Rules, less.Rules)
			}
			if v3 := w3.plain(p, 100); v.mirror != v3.mirror {
				t.Fatalf("packet %+v: a rule called redundant matters\n%+v", p, f.Rules)
			}
			for i := range f.Rules {
				if f.Rules[i].ID == v.rule && idle[mirror.RuleName(&f.Rules[i])] {
					t.Fatalf("packet %+v: rule %s decides", p, mirror.RuleName(&f.Rules[i]))
				}
			}
		}
	}
	if compacted < 15 || shadowed < 10 || redundant < 10 {
		t.Errorf("only %d filters made smaller, %d rules shadowed, %d redundant", compacted, shadowed, redundant)
	}
}

func TestShadowed(t *testing.T) {
	rule := func(d mirror.Direction, n, proto int, src string, to *mirror.PortRange) mirror.FilterRule {
		any := netip.MustParsePrefix("0.0.0.0/0")
		return mirror.FilterRule{Direction: d, Number: n, Action: mirror.Accept, Protocol: proto, SourceCIDR: netip.MustParsePrefix(src), DestinationCIDR: any, DestinationPorts: to}
	}
	web := &mirror.PortRange{From: 443, To: 443}
	rules := []mirror.FilterRule{
		rule(mirror.Egress, 10, mirror.AnyProtocol, "10.0.0.0/8", nil), rule(mirror.Egress, 20, 6, "10.1.0.0/16", web), rule(mirror.Egress, 30, 6, "0.0.0.0/0", web),
		rule(mirror.Egress, 40, 17, "192.0.2.0/24", nil), rule(mirror.Egress, 50, 6, "192.0.2.0/24", web), rule(mirror.Ingress, 60, 6, "10.1.0.0/16", web),
	}
	var got []string
	for _, p := range mirror.Shadowed(rules) {
		got = append(got, fmt.Sprint(p[0].Number, " by ", p[1].Number))
	}
	if want := "20 by 10, 50 by 30"; strings.Join(got, ", ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}
