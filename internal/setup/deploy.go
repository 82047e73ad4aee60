package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// File is one file of a deployment, with a slash-separated path.
type File struct {
	Path string
	Data []byte
}

// DeployOptions say what a deployment is made with.
type DeployOptions struct {
	// Units are the files that a sensor needs to run under systemd, by their path on it.
	Units map[string]string
	// PolicyAccount and PolicyRegion narrow the IAM policies down; empty: any.
	PolicyAccount, PolicyRegion string
	Stack                       string // of the policies; empty: mirador
}

// A deployment is worked out from a description like any other, in a world whose ids stand
// for parameters: what templates make is what apply makes.
const (
	placeName   = "stackname"
	placeVPC    = "vpc-0aaaaaaaaaaaaaaaa"
	placeSubnet = "subnet-0aaaaaaaaaaaaaaaa"
	placeSensor = "i-0aaaaaaaaaaaaaaaa"
	placeSource = "198.51.100.0/25"
	placeHealth = "203.0.113.0/25"
	// templateSources is how many sources the CloudFormation template takes: as many as one
	// interface target does. A template has no loops.
	templateSources = 10
)

// placeSession returns the id that stands for source n.
func placeSession(n int) string { return fmt.Sprintf("eni-%017x", n) }

// placePlan returns the plan of a sensor and sources in a world of parameters.
func placePlan(kind string, sources int) (*Plan, error) {
	cidr := netip.MustParsePrefix("192.0.2.0/24")
	w := &Observed{
		VPCs:      []VPC{{ID: placeVPC, CIDRs: []netip.Prefix{cidr}}},
		Subnets:   []Subnet{{ID: placeSubnet, VPC: placeVPC, AZ: "zone", CIDR: cidr}},
		Instances: []Instance{{ID: placeSensor, Type: "m5.xlarge", State: StateRunning, VPC: placeVPC, Subnet: placeSubnet, AZ: "zone"}},
	}
	text := "name: " + placeName + "\nsensors: [{instance: " + placeSensor + "}]\n" +
		"security_group: {sources: [" + placeSource + "]"
	if kind != TargetENI {
		text += ", health_sources: [" + placeHealth + "]"
	}
	text += "}\ntarget: {kind: " + kind + "}\nsession: {name: \"{interface}\", description: \"{interface} to sensors of {stack}\"}\nsources:\n  include:\n    - interface:\n"
	for n := 1; n <= sources; n++ {
		inst := fmt.Sprintf("i-%017x", 0x100+n)
		w.Instances = append(w.Instances, Instance{ID: inst, Type: "m5.large", State: StateRunning, VPC: placeVPC, Subnet: placeSubnet, AZ: "zone"})
		w.Interfaces = append(w.Interfaces, Interface{ID: placeSession(n), Kind: "interface", Status: "in-use", VPC: placeVPC, Subnet: placeSubnet, AZ: "zone", InstanceID: inst})
		text += "        - " + placeSession(n) + "\n"
	}
	w.index()
	s, err := ParseSpec([]byte(text), "deployment")
	if err != nil {
		return nil, err
	}
	return NewPlan(s, w, nil)
}

// Deployment returns the files that bring a sensor with traffic mirroring up with other
// tools: a CloudFormation template, a Terraform module, user data, units, and IAM policies.
func Deployment(o DeployOptions) ([]File, error) {
	var out []File
	add := func(path string, data []byte) { out = append(out, File{path, data}) }
	t, err := sensorTemplate(o)
	if err != nil {
		return nil, err
	}
	v, err := plain(t)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("# A sensor with traffic mirroring. Made by: mirador aws deploy\n")
	if err := writeYAML(&b, v); err != nil {
		return nil, err
	}
	add("cloudformation/sensor.yaml", b.Bytes())
	files, err := sensorModule(o)
	if err != nil {
		return nil, err
	}
	out = append(out, files...)
	add("cloud-init/sensor.yaml", []byte(userDataHead+o.userData(cloudInitDefaults())))
	for path, text := range o.Units {
		add("systemd/"+path[strings.LastIndexByte(path, '/')+1:], []byte(text))
	}
	for _, c := range PolicyCommands() {
		p, err := NewPolicy(c, PolicyOptions{Stack: or(o.Stack, "mirador"), Account: o.PolicyAccount, Region: o.PolicyRegion})
		if err != nil {
			return nil, err
		}
		parts, err := p.Parts()
		if err != nil {
			return nil, err
		}
		for i, p := range parts {
			name := "iam/" + c + ".json"
			if len(parts) > 1 {
				name = fmt.Sprintf("iam/%s-%d.json", c, i+1)
			}
			j, err := json.MarshalIndent(p, "", "  ")
			if err != nil {
				return nil, err
			}
			add(name, append(j, '\n'))
		}
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// sensorPolicy is what the role of a sensor may do: look, as verify and sources do.
func sensorPolicy() (*Policy, error) {
	p, err := NewPolicy("verify", PolicyOptions{Stack: "mirador"})
	if err != nil {
		return nil, err
	}
	for i := range p.Statement {
		if p.Statement[i].Condition != nil {
			return nil, fmt.Errorf("the policy of verify names a stack")
		}
	}
	return p, nil
}

// replace returns v with each text put through f.
func replace(v any, f func(string) any) any {
	switch x := v.(type) {
	case string:
		return f(x)
	case map[string]any:
		for k := range x {
			x[k] = replace(x[k], f)
		}
	case []any:
		for i := range x {
			x[i] = replace(x[i], f)
		}
	}
	return v
}

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// userDataHead explains the stand-alone user data.
const userDataHead = `#cloud-config
# User data of a sensor: installs mirador, its units and its configuration. The traffic
# interface may be attached at any time later. Put the address of a release and its
# SHA-256 in where install-mirador names them. Made by: mirador aws deploy
`

// initWords are what user data is filled in with.
type initWords struct {
	name, url, sum string
	escape         func(string) string // of all other text
}

func cloudInitDefaults() initWords {
	return initWords{name: "sensor-1", url: "https://example.com/mirador-linux-amd64", sum: strings.Repeat("0", 64), escape: func(s string) string { return s }}
}

// userData writes the user data of a sensor without its first line. Amazon Linux configures a
// second interface, and routes for its answers, on its own; other images do with the key
// updates.
func (o *DeployOptions) userData(w initWords) string {
	var b strings.Builder
	file := func(path, mode, text string) {
		fmt.Fprintf(&b, "  - path: %s\n    permissions: '%s'\n    content: |\n", path, mode)
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) == "" {
				b.WriteString("\n")
				continue
			}
			b.WriteString("      " + w.escape(line))
		}
	}
	b.WriteString("updates:\n  network:\n    when: [boot, hotplug]\nwrite_files:\n")
	file("/etc/mirador/mirador.yaml", "0644", `sensor:
  name: @NAME@
rules:
  files: ["/etc/mirador/rules/current/*.rules"]
eve:
  path: /var/log/mirador/eve.json
  rotate-size: 1GiB
  keep: 7
`)
	file("/etc/mirador/local.rules", "0644", `# Rules of your own. The first shows that a sensor works: dig mirador-test.example
alert dns any any -> any any (msg:"Mirador test query"; dns.query; content:"mirador-test.example"; nocase; sid:9000001; rev:1;)
`)
	for _, path := range sortedKeys(o.Units) {
		file(path, "0644", withoutComments(o.Units[path]))
	}
	file("/usr/local/sbin/install-mirador", "0755", `#!/bin/sh
set -eu
part=$(mktemp)
curl -fsSL --retry 5 -o "$part" '@URL@'
echo "@SUM@  $part" | sha256sum -c -
install -m 0755 "$part" /usr/bin/mirador
rm -f "$part"
# Rules of one's own first: a sensor starts with them when others cannot be fetched.
mirador rules update --yes --dir /etc/mirador/rules --source /etc/mirador/local.rules
mirador rules update --yes --dir /etc/mirador/rules --source /etc/mirador/local.rules --source et/open
`)
	b.WriteString("runcmd:\n  - [sysctl, --system]\n  - [/usr/local/sbin/install-mirador]\n  - [systemctl, daemon-reload]\n  - [systemctl, enable, --now, mirador.socket, mirador.service]\n")
	return strings.NewReplacer("@NAME@", w.name, "@URL@", w.url, "@SUM@", w.sum).Replace(b.String())
}

// withoutComments keeps user data short: EC2 takes 16 KiB.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}
