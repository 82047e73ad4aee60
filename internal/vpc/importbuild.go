package vpc

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Topology makes a topology of all that was added. Ids are kept.
func (m *Importer) Topology() (*Topology, error) {
	t := &Topology{}
	if len(m.d.Vpcs) == 0 {
		return nil, fmt.Errorf("no VPC in the files: aws ec2 describe-vpcs is needed at least")
	}
	for i := range m.d.Vpcs {
		t.VPCs = append(t.VPCs, m.vpc(&m.d.Vpcs[i]))
		if t.Account == "" {
			t.Account = m.d.Vpcs[i].OwnerID
		}
	}
	for _, s := range m.d.Subnets {
		if t.Region == "" && len(s.AvailabilityZone) > 1 {
			t.Region = strings.TrimRight(s.AvailabilityZone, "abcdefgh")
		}
	}
	m.strays(t)
	m.balancing(t)
	m.mirroring(t)
	// What the files refer to and do not have would make the topology unusable.
	m.dangling(t)
	return t, nil
}

func (m *Importer) vpc(v *describedVPC) TopoVPC {
	x := TopoVPC{Topo: topo(v.VpcID, v.Tags), CIDR: v.CidrBlock}
	for _, c := range v.CidrBlockAssociationSet {
		if c.CidrBlock != v.CidrBlock {
			x.MoreCIDRs = append(x.MoreCIDRs, c.CidrBlock)
		}
	}
	for _, c := range v.Ipv6CidrBlockAssociationSet {
		if x.IPv6 == "" {
			x.IPv6 = c.Ipv6CidrBlock
		} else {
			m.say("%s: only the first IPv6 block is taken over, not %s", v.VpcID, c.Ipv6CidrBlock)
		}
	}
	acls, tables := map[string]string{}, map[string]string{}
	for i := range m.d.NetworkAcls {
		if a := &m.d.NetworkAcls[i]; a.VpcID == v.VpcID {
			x.NetworkACLs = append(x.NetworkACLs, m.acl(a))
			for _, s := range a.Associations {
				acls[s.SubnetID] = a.NetworkACLID
			}
		}
	}
	for i := range m.d.RouteTables {
		if r := &m.d.RouteTables[i]; r.VpcID == v.VpcID {
			x.RouteTables = append(x.RouteTables, m.table(r))
			for _, s := range r.Associations {
				tables[s.SubnetID] = r.RouteTableID
			}
		}
	}
	for i := range m.d.Subnets {
		s := &m.d.Subnets[i]
		if s.VpcID != v.VpcID {
			continue
		}
		if s.Ipv6Native || s.CidrBlock == "" {
			m.say("%s: an IPv6-only subnet; traffic mirroring does not support them", s.SubnetID)
			continue
		}
		y := TopoSubnet{Topo: topo(s.SubnetID, s.Tags), CIDR: s.CidrBlock, Zone: s.AvailabilityZone, NetworkACL: acls[s.SubnetID], RouteTable: tables[s.SubnetID]}
		for _, c := range s.Ipv6CidrBlockAssociationSet {
			if y.IPv6 == "" {
				y.IPv6 = c.Ipv6CidrBlock
			}
		}
		x.Subnets = append(x.Subnets, y)
	}
	for i := range m.d.SecurityGroups {
		if g := &m.d.SecurityGroups[i]; g.VpcID == v.VpcID {
			x.SecurityGroups = append(x.SecurityGroups, m.group(g))
		}
	}
	for _, r := range m.d.Reservations {
		for i := range r.Instances {
			if in := &r.Instances[i]; in.VpcID == v.VpcID && in.State.Name != "terminated" && in.State.Name != "shutting-down" {
				x.Instances = append(x.Instances, m.instance(in))
			}
		}
	}
	return x
}

func (m *Importer) group(g *describedGroup) TopoGroup {
	t := topo(g.GroupID, g.Tags)
	if t.Name != "" && t.Name != g.GroupName {
		if t.Tags == nil {
			t.Tags = map[string]string{}
		}
		t.Tags["Name"] = t.Name
	}
	t.Name = g.GroupName
	x := TopoGroup{Topo: t, Description: g.Description, Ingress: permissions(g.IPPermissions), Egress: permissions(g.IPPermissionsEgress)}
	x.NoEgress = len(x.Egress) == 0
	return x
}

func permissions(list []describedPermission) []TopoGroupRule {
	var out []TopoGroupRule
	for _, p := range list {
		r := TopoGroupRule{Protocol: p.IPProtocol}
		if r.Protocol == "-1" {
			r.Protocol = ""
		} else if p.FromPort != nil && p.ToPort != nil && *p.FromPort >= 0 {
			r.Ports = portText(*p.FromPort, *p.ToPort)
			if strings.HasPrefix(r.Protocol, "icmp") && *p.ToPort < 0 {
				r.Ports = portText(*p.FromPort, *p.FromPort)
			}
			if *p.FromPort == 0 && *p.ToPort == 65535 {
				r.Ports = ""
			}
		}
		by := map[string][]string{} // description -> peers
		var order []string
		add := func(peer, description string) {
			if by[description] == nil {
				order = append(order, description)
			}
			by[description] = append(by[description], peer)
		}
		for _, c := range p.IPRanges {
			add(c.CidrIP, c.Description)
		}
		for _, c := range p.IPv6Ranges {
			add(c.CidrIPv6, c.Description)
		}
		for _, c := range p.UserIDGroupPairs {
			add(c.GroupID, c.Description)
		}
		for _, c := range p.PrefixListIDs {
			add(c.PrefixListID, c.Description)
		}
		for _, d := range order {
			y := r
			y.Description, y.Peers = d, by[d]
			out = append(out, y)
		}
	}
	return out
}

func (m *Importer) acl(a *describedACL) TopoACL {
	x := TopoACL{Topo: topo(a.NetworkACLID, a.Tags), Default: a.IsDefault}
	for _, e := range a.Entries {
		if e.RuleNumber > 32766 {
			continue // "*", which is there by itself
		}
		y := TopoACLEntry{Number: e.RuleNumber, Action: e.RuleAction, Protocol: e.Protocol, CIDR: e.CidrBlock + e.Ipv6CidrBlock}
		switch {
		case e.PortRange != nil:
			y.Ports = portText(e.PortRange.From, e.PortRange.To)
		case e.IcmpTypeCode != nil && e.IcmpTypeCode.Type >= 0:
			y.Ports = portText(e.IcmpTypeCode.Type, e.IcmpTypeCode.Type)
			if e.IcmpTypeCode.Code >= 0 {
				m.say("%s: entry %d is for one ICMP code; all codes of the type are taken", a.NetworkACLID, e.RuleNumber)
			}
		}
		if y.Protocol == "-1" {
			y.Protocol = ""
		}
		if e.Egress {
			x.Egress = append(x.Egress, y)
		} else {
			x.Ingress = append(x.Ingress, y)
		}
	}
	return x
}

func (m *Importer) table(r *describedTable) TopoRouteTable {
	x := TopoRouteTable{Topo: topo(r.RouteTableID, r.Tags)}
	for _, a := range r.Associations {
		x.Main = x.Main || a.Main
	}
	for _, route := range r.Routes {
		text := func(k string) string { s, _ := route[k].(string); return s }
		to := cmp.Or(text("DestinationCidrBlock"), text("DestinationIpv6CidrBlock"), text("DestinationPrefixListId"))
		via := cmp.Or(text("NetworkInterfaceId"), text("GatewayId"), text("NatGatewayId"), text("TransitGatewayId"), text("VpcPeeringConnectionId"),
			text("EgressOnlyInternetGatewayId"), text("LocalGatewayId"), text("CarrierGatewayId"), text("InstanceId"))
		switch {
		case via == "local":
		case to == "" || via == "":
			m.say("%s: a route to %q is of a kind that is not imported", r.RouteTableID, to)
		default:
			x.Routes = append(x.Routes, TopoRoute{To: to, Via: via})
		}
	}
	return x
}

func (m *Importer) instance(in *describedInstance) TopoInstance {
	x := TopoInstance{Topo: topo(in.InstanceID, in.Tags), Type: in.InstanceType}
	switch in.State.Name {
	case "stopped", "stopping":
		x.State = "stopped"
	}
	seen := map[string]bool{}
	add := func(e *describedENI) {
		if seen[e.NetworkInterfaceID] || e.Attachment == nil {
			return
		}
		seen[e.NetworkInterfaceID] = true
		spec := m.spec(e)
		if e.Attachment.DeviceIndex == 0 {
			x.TopoInterfaceSpec = spec
			x.InterfaceID = e.NetworkInterfaceID
			return
		}
		x.Interfaces = append(x.Interfaces, TopoInterface{Topo: topo(e.NetworkInterfaceID, e.TagSet), TopoInterfaceSpec: spec, Index: e.Attachment.DeviceIndex, Description: e.Description})
	}
	for i := range m.d.NetworkInterfaces { // they say more, tags among it
		if e := &m.d.NetworkInterfaces[i]; e.Attachment != nil && e.Attachment.InstanceID == in.InstanceID {
			add(e)
		}
	}
	for i := range in.NetworkInterfaces {
		add(&in.NetworkInterfaces[i])
	}
	slices.SortFunc(x.Interfaces, func(a, b TopoInterface) int { return a.Index - b.Index })
	return x
}

func (m *Importer) spec(e *describedENI) TopoInterfaceSpec {
	s := TopoInterfaceSpec{Subnet: e.SubnetID, Address: e.PrivateIPAddress, MAC: e.MacAddress, NoSourceDestCheck: e.SourceDestCheck != nil && !*e.SourceDestCheck}
	for _, g := range e.Groups {
		s.Groups = append(s.Groups, g.GroupID)
	}
	for _, a := range e.PrivateIPAddresses {
		switch {
		case a.Primary && s.Address == "":
			s.Address = a.PrivateIPAddress
		case a.PrivateIPAddress != s.Address:
			s.MoreAddresses = append(s.MoreAddresses, a.PrivateIPAddress)
		}
	}
	for _, a := range e.Ipv6Addresses {
		s.IPv6 = append(s.IPv6, a.Ipv6Address)
	}
	return s
}

// strays puts interfaces that belong to no instance into their VPC. Those of load
// balancers and endpoints come with these.
func (m *Importer) strays(t *Topology) {
	have := map[string]bool{}
	for _, v := range t.VPCs {
		for _, i := range v.Instances {
			have[i.InterfaceID] = true
			for _, e := range i.Interfaces {
				have[e.ID] = true
			}
		}
	}
	for _, ep := range m.d.VpcEndpoints {
		for _, id := range ep.NetworkInterfaceIDs {
			have[id] = have[id] || ep.VpcEndpointType == "GatewayLoadBalancer"
		}
	}
	for i := range m.d.NetworkInterfaces {
		e := &m.d.NetworkInterfaces[i]
		if have[e.NetworkInterfaceID] || m.balancerOf(e) != "" {
			continue
		}
		k := slices.IndexFunc(t.VPCs, func(v TopoVPC) bool { return v.ID == e.VpcID })
		if k < 0 {
			m.say("%s: its VPC %s is not in the files", e.NetworkInterfaceID, e.VpcID)
			continue
		}
		x := TopoInterface{Topo: topo(e.NetworkInterfaceID, e.TagSet), TopoInterfaceSpec: m.spec(e), Description: e.Description}
		if e.InterfaceType != "interface" {
			x.Kind = e.InterfaceType
		}
		if e.Attachment != nil && e.Attachment.InstanceID != "" {
			m.say("%s: its instance %s is not in the files", e.NetworkInterfaceID, e.Attachment.InstanceID)
		}
		t.VPCs[k].Interfaces = append(t.VPCs[k].Interfaces, x)
	}
}

// balancerOf tells which load balancer of the files an interface is a node of: its
// description is "ELB net/NAME/ID".
func (m *Importer) balancerOf(e *describedENI) string {
	name, ok := strings.CutPrefix(e.Description, "ELB ")
	if !ok {
		return ""
	}
	for _, b := range m.d.LoadBalancers {
		if strings.HasSuffix(b.LoadBalancerARN, ":loadbalancer/"+name) {
			return b.LoadBalancerARN
		}
	}
	return ""
}

func (m *Importer) balancing(t *Topology) {
	groups := map[string]bool{}
	for i := range m.d.TargetGroups {
		g := &m.d.TargetGroups[i]
		switch g.Protocol {
		case "UDP", "TCP", "TCP_UDP", "GENEVE":
		default:
			m.say("%s: target group of protocol %s is not imported", g.TargetGroupName, g.Protocol)
			continue
		}
		groups[g.TargetGroupARN] = true
		x := TopoTargetGroup{Topo: Topo{ID: g.TargetGroupARN, Name: g.TargetGroupName}, Protocol: g.Protocol, Port: g.Port, VPC: g.VpcID}
		x.Health = TopoHealth{
			Protocol: g.HealthCheckProtocol, Port: g.HealthCheckPort, Path: g.HealthCheckPath, Healthy: g.HealthyThresholdCount, Unhealthy: g.UnhealthyThresholdCount,
		}
		if g.HealthCheckIntervalSeconds > 0 {
			x.Health.Interval = (time.Duration(g.HealthCheckIntervalSeconds) * time.Second).String()
		}
		if g.HealthCheckTimeoutSeconds > 0 {
			x.Health.Timeout = (time.Duration(g.HealthCheckTimeoutSeconds) * time.Second).String()
		}
		if g.Matcher != nil {
			x.Health.Matcher = g.Matcher.HTTPCode
		}
		t.TargetGroups = append(t.TargetGroups, x)
	}
	m.targets(t)
	for i := range m.d.LoadBalancers {
		b := &m.d.LoadBalancers[i]
		if b.Type != "network" && b.Type != "gateway" {
			m.say("%s: load balancer of type %s is not imported", b.LoadBalancerName, b.Type)
			continue
		}
		t.LoadBalancers = append(t.LoadBalancers, m.balancer(b, groups))
	}
	m.attributes(t)
	for _, s := range m.d.ServiceConfigurations {
		if len(s.GatewayLoadBalancerARNs) == 0 {
			m.say("%s: endpoint service without a Gateway Load Balancer is not imported", s.ServiceID)
			continue
		}
		t.Services = append(t.Services, TopoEndpointService{Topo: topo(s.ServiceID, s.Tags), LoadBalancers: s.GatewayLoadBalancerARNs})
	}
	for i := range m.d.VpcEndpoints {
		m.endpoint(t, &m.d.VpcEndpoints[i])
	}
}

// targets puts the targets of each describe-target-health into its group, which the
// output does not name: the file's name has to.
func (m *Importer) targets(t *Topology) {
	var names []string
	for _, g := range t.TargetGroups {
		names = append(names, g.Name)
	}
	for _, h := range m.healths {
		name := one(h.file, names)
		if len(t.TargetGroups) == 1 {
			name = t.TargetGroups[0].Name
		}
		k := slices.IndexFunc(t.TargetGroups, func(g TopoTargetGroup) bool { return g.Name == name })
		if k < 0 {
			m.say("%s: whose targets these are is not known: put the name of the target group into that of the file", h.file)
			continue
		}
		for _, x := range h.targets {
			if x.Target.Port != t.TargetGroups[k].Port {
				m.say("%s: target %s has port %d of its own; the group's is taken", h.file, x.Target.ID, x.Target.Port)
			}
			t.TargetGroups[k].Targets = append(t.TargetGroups[k].Targets, x.Target.ID)
		}
	}
}

func (m *Importer) balancer(b *describedBalancer, groups map[string]bool) TopoBalancer {
	x := TopoBalancer{Topo: Topo{ID: b.LoadBalancerARN, Name: b.LoadBalancerName}, Type: b.Type, Groups: b.SecurityGroups}
	for _, z := range b.AvailabilityZones {
		x.Subnets = append(x.Subnets, z.SubnetID)
	}
	for i := range m.d.NetworkInterfaces {
		if e := &m.d.NetworkInterfaces[i]; m.balancerOf(e) == b.LoadBalancerARN {
			x.Nodes = append(x.Nodes, TopoNode{Subnet: e.SubnetID, ID: e.NetworkInterfaceID, Address: e.PrivateIPAddress, MAC: e.MacAddress})
		}
	}
	for _, l := range m.d.Listeners {
		if l.LoadBalancerARN != b.LoadBalancerARN {
			continue
		}
		y := TopoListener{ID: l.ListenerARN, Protocol: l.Protocol, Port: l.Port}
		for _, a := range l.DefaultActions {
			y.Targets = cmp.Or(y.Targets, a.TargetGroupARN)
			if a.ForwardConfig == nil {
				continue
			}
			for _, g := range a.ForwardConfig.TargetGroups {
				switch {
				case y.Targets == "":
					y.Targets = g.TargetGroupARN
				case y.Targets != g.TargetGroupARN:
					m.say("%s: a listener of %s has several target groups; only the first is taken", l.ListenerARN, b.LoadBalancerName)
				}
			}
		}
		if !groups[y.Targets] {
			m.say("%s: its target group is not in the files", l.ListenerARN)
			continue
		}
		x.Listeners = append(x.Listeners, y)
	}
	return x
}

// attributes puts describe-load-balancer-attributes into the load balancer, which the
// output does not name: the file's name has to.
func (m *Importer) attributes(t *Topology) {
	var names []string
	for _, b := range t.LoadBalancers {
		names = append(names, b.Name)
	}
	for _, a := range m.attrs {
		name := one(a.file, names)
		if len(t.LoadBalancers) == 1 {
			name = t.LoadBalancers[0].Name
		}
		k := slices.IndexFunc(t.LoadBalancers, func(b TopoBalancer) bool { return b.Name == name })
		if k < 0 {
			m.say("%s: whose attributes these are is not known: put the name of the load balancer into that of the file", a.file)
			continue
		}
		for _, x := range a.list {
			if x.Key == "load_balancing.cross_zone.enabled" {
				t.LoadBalancers[k].CrossZone = x.Value == "true"
			}
		}
	}
}

func (m *Importer) endpoint(t *Topology, e *describedEndpoint) {
	if e.VpcEndpointType != "GatewayLoadBalancer" {
		m.say("%s: endpoint of type %s is not imported", e.VpcEndpointID, e.VpcEndpointType)
		return
	}
	service := ""
	for _, s := range m.d.ServiceConfigurations {
		if s.ServiceName == e.ServiceName {
			service = s.ServiceID
		}
	}
	if service == "" || len(e.SubnetIDs) == 0 {
		m.say("%s: its service %s is not in the files (describe-vpc-endpoint-service-configurations)", e.VpcEndpointID, e.ServiceName)
		return
	}
	x := TopoEndpoint{Topo: topo(e.VpcEndpointID, e.Tags), Service: service, Subnet: e.SubnetIDs[0]}
	for i := range m.d.NetworkInterfaces {
		if n := &m.d.NetworkInterfaces[i]; slices.Contains(e.NetworkInterfaceIDs, n.NetworkInterfaceID) {
			x.Node = TopoNode{ID: n.NetworkInterfaceID, Address: n.PrivateIPAddress, MAC: n.MacAddress}
		}
	}
	t.Endpoints = append(t.Endpoints, x)
}

func (m *Importer) mirroring(t *Topology) {
	for _, x := range m.d.TrafficMirrorTargets {
		t.Mirroring.Targets = append(t.Mirroring.Targets, TopoTarget{
			Topo: topo(x.TrafficMirrorTargetID, x.Tags), Interface: x.NetworkInterfaceID, LoadBalancer: x.NetworkLoadBalancerARN,
			Endpoint: x.GatewayLoadBalancerEndpointID, Description: x.Description,
		})
	}
	at := map[string]int{}
	for _, x := range m.d.TrafficMirrorFilters {
		f := TopoFilter{Topo: topo(x.TrafficMirrorFilterID, x.Tags), NetworkServices: x.NetworkServices, Description: x.Description}
		for _, r := range append(slices.Clone(x.IngressFilterRules), x.EgressFilterRules...) {
			f.Rules = append(f.Rules, filterRule(&r))
		}
		at[f.ID] = len(t.Mirroring.Filters)
		t.Mirroring.Filters = append(t.Mirroring.Filters, f)
	}
	for _, r := range m.d.TrafficMirrorFilterRules {
		k, ok := at[r.TrafficMirrorFilterID]
		if !ok {
			m.say("%s: its filter %s is not in the files", r.TrafficMirrorFilterRuleID, r.TrafficMirrorFilterID)
			continue
		}
		f := &t.Mirroring.Filters[k]
		if !slices.ContainsFunc(f.Rules, func(x TopoFilterRule) bool { return x.ID == r.TrafficMirrorFilterRuleID }) {
			f.Rules = append(f.Rules, filterRule(&r))
		}
	}
	for _, s := range m.d.TrafficMirrorSessions {
		x := TopoSession{
			Topo: topo(s.TrafficMirrorSessionID, s.Tags), Source: s.NetworkInterfaceID, Target: s.TrafficMirrorTargetID, Filter: s.TrafficMirrorFilterID,
			Number: s.SessionNumber, VNI: s.VirtualNetworkID, Description: s.Description,
		}
		if s.PacketLength != nil {
			x.Length = *s.PacketLength
		}
		t.Mirroring.Sessions = append(t.Mirroring.Sessions, x)
	}
}

func filterRule(r *describedFilterRule) TopoFilterRule {
	x := TopoFilterRule{
		ID: r.TrafficMirrorFilterRuleID, Number: r.RuleNumber, Direction: r.TrafficDirection, Action: r.RuleAction,
		Source: r.SourceCidrBlock, Destination: r.DestinationCidrBlock, Description: r.Description,
	}
	if r.Protocol != nil && *r.Protocol >= 0 {
		x.Protocol = fmt.Sprint(*r.Protocol)
	}
	if p := r.SourcePortRange; p != nil {
		x.SourcePorts = portText(p.FromPort, p.ToPort)
	}
	if p := r.DestinationPortRange; p != nil {
		x.DestinationPorts = portText(p.FromPort, p.ToPort)
	}
	return x
}
