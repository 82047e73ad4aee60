package setup_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// exports makes the plan of a kind in a new account and returns it in three forms.
func exports(t *testing.T, more string) (w *world, p *setup.Plan, cfn, yml, tf string) {
	t.Helper()
	w = newWorld(t, 3, ec2api.Options{})
	p = w.plan(w.spec(more))
	var a, b, c bytes.Buffer
	w.ok(p.WriteCloudFormation(&a, false))
	w.ok(p.WriteCloudFormation(&b, true))
	w.ok(p.WriteTerraform(&c))
	return w, p, a.String(), b.String(), c.String()
}

// filterText is a filter with ports, a protocol, and words that templates would read.
const filterText = `filter:
  description: "price ${10} %{x}"
  rules:
    - {direction: ingress, action: accept, protocol: tcp, destination_ports: 443}
    - {direction: egress, action: accept}
`

// settle gives the ids of an account names that are the same each time, and sorts what has no
// order.
func (w *world) settle(text string) string {
	ids := append(append(append([]string{w.vpc}, w.subnets...), w.sensors...), append(w.sources, w.sourceIf...)...)
	for i, id := range ids {
		_, hex, _ := strings.Cut(id, "-")
		text = strings.NewReplacer(hex, fmt.Sprintf("%017x", i+1), strings.ToUpper(hex[:1])+hex[1:], fmt.Sprintf("%017x", i+1)).Replace(text)
	}
	v := decode(w.t, text)
	each(v, func(x any) {
		if list, ok := x.([]any); ok {
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	})
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	w.ok(e.Encode(v))
	return b.String()
}

func decode(t *testing.T, s string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// each calls f with every value below v.
func each(v any, f func(any)) {
	f(v)
	switch x := v.(type) {
	case map[string]any:
		for _, e := range x {
			each(e, f)
		}
	case []any:
		for _, e := range x {
			each(e, f)
		}
	}
}

// The template has each resource of the stack, every reference leads to one, and nothing has
// the tags of the stack. YAML says the same.
func TestCloudFormation(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			w, p, text, yml, _ := exports(t, k.more+filterText)
			v := decode(t, text)
			res := v["Resources"].(map[string]any)
			checkForm(t, v)
			count := map[string]int{}
			name := regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)
			for n, r := range res {
				m := r.(map[string]any)
				count[m["Type"].(string)]++
				if !name.MatchString(n) || m["Condition"] != "Mirroring" {
					t.Errorf("resource %q: condition %v", n, m["Condition"])
				}
			}
			d := p.Desired
			want := map[string]int{
				"AWS::EC2::SecurityGroup": len(d.Groups), "AWS::EC2::NetworkInterface": len(d.Seats), "AWS::EC2::NetworkInterfaceAttachment": len(d.Seats),
				"AWS::EC2::TrafficMirrorTarget": len(d.Targets), "AWS::EC2::TrafficMirrorFilter": 1, "AWS::EC2::TrafficMirrorFilterRule": len(d.Filter.Rules),
				"AWS::EC2::TrafficMirrorSession": 3,
			}
			if d.Balancer != nil {
				for _, x := range []string{"LoadBalancer", "TargetGroup", "Listener"} {
					want["AWS::ElasticLoadBalancingV2::"+x] = 1
				}
			}
			if k.name == "gwlb" {
				want["AWS::EC2::VPCEndpointService"], want["AWS::EC2::VPCEndpoint"] = 1, len(d.Endpoints)
			}
			if !reflect.DeepEqual(count, want) {
				t.Errorf("resources %v\nwant %v", count, want)
			}
			if strings.Contains(text, setup.TagStack) {
				t.Error("tags of the stack")
			}
			j, err := yaml.YAMLToJSON([]byte(yml))
			if err != nil {
				t.Fatal(err)
			}
			if got := decode(t, string(j)); !reflect.DeepEqual(got, v) {
				t.Errorf("YAML says something else:\n%s", yml)
			}
			golden(t, "cloudformation-"+k.name+".json", w.settle(text))
		})
	}
}

// The module has each resource, every reference leads to one, and the words of people are no
// templates.
func TestTerraform(t *testing.T) {
	ref := regexp.MustCompile(`\$\{(aws_[a-z0-9_]+)\.([a-z0-9_]+)\[0\]\.[a-z_]+\}`)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			w, p, _, _, text := exports(t, k.more+filterText)
			v := decode(t, text)
			res := v["resource"].(map[string]any)
			lead := func(kind, name string) {
				m, _ := res[kind].(map[string]any)
				if _, ok := m[name]; !ok {
					t.Errorf("%s.%s leads nowhere", kind, name)
				}
			}
			refs := 0
			each(v, func(x any) {
				if s, ok := x.(string); ok {
					for _, m := range ref.FindAllStringSubmatch(s, -1) {
						refs++
						lead(m[1], m[2])
					}
				}
				if m, ok := x.(map[string]any); ok {
					list, _ := m["depends_on"].([]any)
					for _, d := range list {
						kind, name, _ := strings.Cut(d.(string), ".")
						lead(kind, name)
					}
				}
			})
			if n := len(res["aws_ec2_traffic_mirror_session"].(map[string]any)); n != 3 || refs < 10 {
				t.Errorf("%d sessions, %d references", n, refs)
			}
			if n := len(res["aws_ec2_traffic_mirror_filter_rule"].(map[string]any)); n != len(p.Desired.Filter.Rules) {
				t.Errorf("%d rules, want %d", n, len(p.Desired.Filter.Rules))
			}
			if strings.Contains(text, setup.TagStack) || !strings.Contains(text, `price $${10} %%{x}`) {
				t.Error("tags of the stack, or a template in words of people")
			}
			golden(t, "terraform-"+k.name+".tf.json", w.settle(text))
		})
	}
}

// An export of what stands already is that of what did not stand yet.
func TestExportAfterApply(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	s := w.spec(tagged + "target: {kind: nlb}\n")
	text := func() string {
		var a bytes.Buffer
		w.ok(w.plan(s).WriteCloudFormation(&a, false))
		w.ok(w.plan(s).WriteTerraform(&a))
		return a.String()
	}
	before := text()
	w.apply(s)
	if after := text(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if err := setup.NewDestroyPlan("prod", w.observe(s)).WriteTerraform(&bytes.Buffer{}); err == nil {
		t.Error("a plan that takes away was exported")
	}
}

// golden compares text with a file of testdata; MIRADOR_GOLDEN=write writes it.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("MIRADOR_GOLDEN") == "write" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("%s differs; it is now:\n%s", name, text)
	}
}
