package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// InitOptions say what a first description is to be about.
type InitOptions struct {
	Name    string   // of the stack; default "mirador"
	VPC     string   // only this VPC
	Select  []string // selectors: tag:KEY=VALUE, subnet:ID, instance:ID, eni:ID, asg:NAME, vpc:ID
	Sensors []string // instances, or asg:NAME
	Target  string   // kind
}

// InitSpec writes a first mirror.yaml for what is in the account: commented, and with what it
// found as choices. Without sensors it takes the instances that look like one.
func InitSpec(w *Observed, o InitOptions) (string, error) {
	if o.VPC != "" && w.VPC(o.VPC) == nil {
		return "", fmt.Errorf("there is no VPC %s in %s", o.VPC, w.Identity.Region)
	}
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# yaml-language-server: $schema=mirror.schema.json")
	p("# Traffic mirroring in account %s, %s. All keys: mirador aws schema, docs/reference/aws.md.", w.Identity.Account, w.Identity.Region)
	p("")
	p("# The stack: all that is made carries the tag mirador:stack with this name.")
	p("name: %s", or(o.Name, "mirador"))
	p("region: %s", w.Identity.Region)
	p("#tags: {team: security}")
	p("")
	if err := initSensors(&b, w, o); err != nil {
		return "", err
	}
	p("")
	p("# Where sessions send to: eni (the traffic interfaces; 10 sources each, 100 on the largest")
	p("# types), nlb (no such limit; about 16 USD a month), gwlb (over VPCs and accounts).")
	p("target:")
	p("  kind: %s", or(o.Target, TargetENI))
	p("")
	if err := initSources(&b, w, o); err != nil {
		return "", err
	}
	p("")
	p("# What is mirrored of them. Presets: all, internet-only, dns-only, no-backup. A filter has at most")
	p("# 10 rules, both directions and address families together.")
	p("filter:")
	p("  preset: %s", PresetAll)
	p("  network_services: [%s]   # without it queries to the Amazon resolver are not mirrored", mirror.AmazonDNS)
	p("  #rules:")
	p("  #  - {action: reject, protocol: udp, destination_ports: 123, description: NTP}")
	p("")
	p("session:")
	p("  vni: %d              # or unique: tells sessions apart behind a load balancer or NAT", DefaultVNI)
	p("  #packet_length: 256     # bytes of each frame; all without it")
	p("  #number: auto           # the lowest that is free on a source")
	return b.String(), nil
}

func inVPC(vpc, want string) bool { return want == "" || vpc == want }

// describe tells about an instance in a comment.
func describe(w *Observed, i *Instance) string {
	s := fmt.Sprintf("%s, %s, %s, %s", i.Name(), i.Type, i.AZ, i.State)
	if n := len(w.InterfacesOf(i.ID)); n > 1 {
		s += fmt.Sprintf(", %d interfaces", n)
	}
	return s
}

func initSensors(b *strings.Builder, w *Observed, o InitOptions) error {
	p := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
	p("# Who receives the mirrored traffic: m5.xlarge at least. Each gets a second interface.")
	p("sensors:")
	for _, s := range o.Sensors {
		if g, ok := strings.CutPrefix(s, "asg:"); ok {
			p("  - auto_scaling_group: %s", jsonText(g))
			continue
		}
		i := w.Instance(s)
		if i == nil {
			return fmt.Errorf("there is no instance %s in %s", s, w.Identity.Region)
		}
		p("  - instance: %s   # %s", i.ID, describe(w, i))
	}
	if len(o.Sensors) > 0 {
		return nil
	}
	var list []*Instance
	for n := range w.Instances {
		if i := &w.Instances[n]; !i.Gone() && inVPC(i.VPC, o.VPC) {
			list = append(list, i)
		}
	}
	looks := func(i *Instance) bool {
		n := strings.ToLower(i.Name())
		return strings.Contains(n, "sensor") || strings.Contains(n, "mirador") || strings.Contains(n, "nids")
	}
	slices.SortStableFunc(list, func(x, y *Instance) int { return cmp.Compare(b2i(!looks(x)), b2i(!looks(y))) })
	if len(list) == 0 || !looks(list[0]) {
		p("  - instance: i-00000000   # CHANGE THIS: none looks like a sensor; give --sensor")
	}
	const most = 10
	for n, i := range list {
		if n == most {
			p("  # … and %d more instances", len(list)-most)
			break
		}
		mark := "  #- "
		if looks(i) {
			mark = "  - "
		}
		p("%sinstance: %s   # %s", mark, i.ID, describe(w, i))
	}
	return nil
}

func initSources(b *strings.Builder, w *Observed, o InitOptions) error {
	p := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
	p("# What is mirrored: all interfaces of what a selector means. The sensors themselves never are.")
	p("sources:")
	p("  include:")
	n := 0
	for _, s := range o.Select {
		line, err := selectorLine(s)
		if err != nil {
			return err
		}
		p("    - %s", line)
		n++
	}
	if n == 0 {
		for i := range w.VPCs {
			v := &w.VPCs[i]
			if !inVPC(v.ID, o.VPC) {
				continue
			}
			count := 0
			for j := range w.Interfaces {
				count += b2i(w.Interfaces[j].VPC == v.ID && w.Interfaces[j].InstanceID != "")
			}
			mark := "#- "
			if n == 0 && count > 0 {
				mark = "- "
				n++
			}
			p("    %svpc: %s   # %s, %d interfaces of instances", mark, v.ID, or(v.Tags[tagName], joinPrefixes(v)), count)
		}
		if n == 0 {
			p("    - tags: {Mirror: \"true\"}")
		} else {
			p("    #- tags: {Mirror: \"true\"}")
		}
	}
	p("  #exclude:")
	p("  #  - {tags: {role: \"backup*\"}, reason: too much traffic}")
	return nil
}

func joinPrefixes(v *VPC) string {
	return strings.Join(texts(v.CIDRs), " ")
}

// selectorLine turns "tag:KEY=VALUE" and the like into a line of YAML.
func selectorLine(s string) (string, error) {
	kind, rest, ok := strings.Cut(s, ":")
	if ok && rest != "" {
		switch kind {
		case "tag":
			k, v, ok := strings.Cut(rest, "=")
			if !ok {
				break
			}
			return fmt.Sprintf("tags: {%s: %s}", jsonText(k), jsonText(v)), nil
		case "vpc", "subnet", "instance":
			return kind + ": " + jsonText(rest), nil
		case "eni":
			return "interface: " + jsonText(rest), nil
		case "asg":
			return "auto_scaling_group: " + jsonText(rest), nil
		}
	}
	return "", fmt.Errorf("selector %q: want tag:KEY=VALUE, vpc:ID, subnet:ID, instance:ID, eni:ID or asg:NAME", s)
}

// EnableSpec returns the description that "Enable Traffic Mirroring" for one sensor means: its
// second interface, the group that lets UDP 4789 in, target and filter, and sessions for
// what select names.
func EnableSpec(name, sensor string, selectors []string) (*Spec, string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\nsensors:\n  - instance: %s\n", jsonText(name), jsonText(sensor))
	if g, ok := strings.CutPrefix(sensor, "asg:"); ok {
		b.Reset()
		fmt.Fprintf(&b, "name: %s\nsensors:\n  - auto_scaling_group: %s\n", jsonText(name), jsonText(g))
	}
	if len(selectors) > 0 {
		b.WriteString("sources:\n  include:\n")
		for _, s := range selectors {
			line, err := selectorLine(s)
			if err != nil {
				return nil, "", err
			}
			b.WriteString("    - " + line + "\n")
		}
	}
	s, err := ParseSpec([]byte(b.String()), "enable")
	return s, b.String(), err
}
