package setup_test

import (
	"strings"
	"testing"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// page is a description that says everything the reference page asks an administrator for.
const page = `
tags: {env: test}
security_group: {name: sensor-sg, description: Group of the sensor, egress: all, tags: {of: group}}
traffic_interface: {name: traffic, description: Traffic interface, tags: {of: eni}}
target: {name: sensor-target, description: Target of the sensor, tags: {of: target}}
filter:
  name: sensor-filter
  description: Filter of the sensor
  network_services: [amazon-dns]
  tags: {of: filter}
  rules:
    - {number: 10, direction: ingress, action: reject, protocol: udp, source: 10.0.0.0/16, destination: 10.0.16.0/20, source_ports: 1024-65535, destination_ports: 123, description: no NTP}
    - {number: 20, direction: ingress, action: accept, protocol: all}
    - {number: 10, direction: egress, action: accept, protocol: 6, destination_ports: 443, description: web}
session: {name: "session {instance}", description: "of {interface}", vni: 1169, number: 7, tags: {of: session}}
`

// TestReferencePage goes through what the reference page has people click, line by line: each
// of its fields is in the description, and comes out where AWS keeps it.
func TestReferencePage(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	w.sensors = w.sensors[:1]
	sensor := w.sensors[0]
	s := w.spec(tagged + page)
	list, err := setup.Preflight(t.Context(), w.client(), s)
	w.ok(err)
	w.apply(s)
	snap := w.api.Snapshot()
	o := w.observe(s)
	row := func(n string, ok bool, what ...any) {
		t.Helper()
		if !ok {
			t.Errorf("row %s: %v", n, what)
		}
	}
	found := func(code string) bool {
		for _, f := range list {
			if f.Code == code && f.Level == setup.OK {
				return true
			}
		}
		return false
	}
	row("4", found("sensor-size"), list)

	var g *setup.SecurityGroup
	for i := range o.Groups {
		if o.Groups[i].Name == "sensor-sg" {
			g = &o.Groups[i]
		}
	}
	if g == nil {
		t.Fatal("no group")
	}
	row("10", g.Description == "Group of the sensor" && g.VPC == w.vpc && g.Tags["of"] == "group", g)
	row("6, 11", len(g.Ingress) == 1 && g.Ingress[0].Protocol == "udp" && g.Ingress[0].From == 4789 && g.Ingress[0].To == 4789 && g.Ingress[0].CIDR == "10.0.0.0/19", g.Ingress)
	row("12", len(g.Egress) == 1 && g.Egress[0].Protocol == "-1" && g.Egress[0].CIDR == "0.0.0.0/0", g.Egress)

	enis := o.InterfacesOf(sensor)
	if len(enis) != 2 {
		t.Fatalf("the sensor has %d interfaces", len(enis))
	}
	e := enis[1]
	row("5, 13", e.Description == "Traffic interface" && e.Tags["Name"] == "traffic" && e.Tags["of"] == "eni" && e.Subnet == w.subnets[0] && e.Groups[0] == g.ID, e)
	row("14", e.InstanceID == sensor && e.DeviceIndex == 1 && e.Status == "in-use" && e.DeleteWithOwner, e)

	tg := o.Targets[0]
	tags := tagMap(tg.Tags)
	row("16", tags["Name"] == "sensor-target" && tg.Description == "Target of the sensor", tg)
	row("17", tg.Type() == mirror.TargetInterface && tg.NetworkInterfaceID == e.ID, tg)
	row("18", tags["of"] == "target" && tags["env"] == "test", tags)

	f := o.Filters[0]
	tags = tagMap(f.Tags)
	row("21", tags["Name"] == "sensor-filter" && f.Description == "Filter of the sensor", f)
	row("22", len(f.NetworkServices) == 1 && f.NetworkServices[0] == "amazon-dns", f.NetworkServices)
	row("29", tags["of"] == "filter" && tagMap(f.Rules[0].Tags)["of"] == "filter", tags)
	if len(f.Rules) != 5 {
		t.Fatalf("%d rules", len(f.Rules))
	}
	r := f.Rules[0]
	row("20, 23, 24", r.Direction == mirror.Ingress && r.Number == 10 && r.Action == mirror.Reject && f.Rules[3].Direction == mirror.Egress && f.Rules[3].Action == mirror.Accept, f.Rules)
	row("25", r.Protocol == 17 && f.Rules[1].Protocol == mirror.AnyProtocol && f.Rules[3].Protocol == 6, f.Rules)
	row("26", *r.SourcePorts == mirror.PortRange{From: 1024, To: 65535} && *r.DestinationPorts == mirror.PortRange{From: 123, To: 123}, r)
	row("27", r.SourceCIDR.String() == "10.0.0.0/16" && r.DestinationCIDR.String() == "10.0.16.0/20" && f.Rules[2].SourceCIDR.String() == "::/0", r)
	row("28", r.Description == "no NTP", r)

	row("39", len(o.Sessions) == 3, o.Sessions)
	x := o.Sessions[0]
	tags = tagMap(x.Tags)
	inst := o.Interface(x.NetworkInterfaceID).InstanceID
	row("30", tags["Name"] == "session "+inst && x.Description == "of "+x.NetworkInterfaceID, x)
	row("31", strings.Contains(strings.Join(w.sourceIf, " "), x.NetworkInterfaceID), x)
	row("32, 36", x.TargetID == tg.ID && x.FilterID == f.ID, x)
	row("33", x.Number == 7, x)
	row("34", x.VNI == 1169, x)
	row("35", x.PacketLength == 0, x)
	row("38", tags["of"] == "session" && tags["env"] == "test", tags)
	row("9", len(snap.Mirroring.Sessions) == 3 && len(snap.Mirroring.Filters) == 1 && len(snap.Mirroring.Targets) == 1, w.inventory())

	s = w.spec(tagged + strings.Replace(page, "target: {", "target: {kind: nlb, load_balancer: sensor-nlb, subnets: ["+strings.Join(w.subnets, ", ")+"], ", 1))
	w.apply(s)
	o = w.observe(s)
	lb, group := o.Balancers[0], o.TargetGroups[0]
	row("2, 40", lb.Type == "network" && lb.Scheme == "internal" && lb.Name == "sensor-nlb" && len(lb.Subnets) == 2 && o.Targets[0].NetworkLoadBalancerARN == lb.ARN, lb)
	row("40", lb.Attributes["load_balancing.cross_zone.enabled"] == "false", lb.Attributes)
	row("41", group.TargetType == "ip" && group.Protocol == "UDP" && group.Port == 4789 && len(group.Targets) == 1 && group.Targets[0] == o.InterfacesOf(sensor)[1].Primary().String(), group)
	row("42, 43", group.Health.Protocol == "HTTP" && group.Health.Path == "/api/2.0/status" && group.Health.Port == "80", group.Health)
	row("41", len(o.Listeners) == 1 && o.Listeners[0].Protocol == "UDP" && o.Listeners[0].Port == 4789 && o.Listeners[0].TargetGroup == group.ARN, o.Listeners)
	health := false
	for i := range o.Groups {
		for _, p := range o.Groups[i].Ingress {
			health = health || o.Groups[i].Name == "sensor-sg" && p.Protocol == "tcp" && p.From == 80 && p.CIDR == "10.0.0.0/19"
		}
	}
	row("43", health, o.Groups)
}
