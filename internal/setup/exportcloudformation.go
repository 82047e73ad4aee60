package setup

import (
	"io"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

// maxTemplateResources is how many resources a template has. AWS: CloudFormation quotas.
const maxTemplateResources = 500

// WriteCloudFormation writes the resources of p as a CloudFormation template, in JSON or
// YAML. Its parameter EnableTrafficMirroring takes all of them away when it is false.
func (p *Plan) WriteCloudFormation(w io.Writer, yaml bool) error {
	x, err := newExporter(p)
	if err != nil {
		return err
	}
	c := &cloudFormation{x}
	c.all()
	if n := len(x.out); n > maxTemplateResources {
		return &LimitError{What: "resources of a CloudFormation template", Need: n, Have: maxTemplateResources, Hint: "export to Terraform, or split the description"}
	}
	t := object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Traffic mirroring: stack " + x.d.Spec.Name + " of Mirador",
		"Parameters": object{"EnableTrafficMirroring": object{
			"Type": "String", "Default": "true", "AllowedValues": []string{"true", "false"}, "Description": "Enable Traffic Mirroring",
		}},
		"Conditions": object{"Mirroring": object{"Fn::Equals": []any{object{"Ref": "EnableTrafficMirroring"}, "true"}}},
		"Resources":  x.out,
	}
	if !yaml {
		return writeIndented(w, t)
	}
	v, err := plain(t)
	if err != nil {
		return err
	}
	return writeYAML(w, v)
}

type cloudFormation struct{ *exporter }

// all adds every resource of the plan.
func (c *cloudFormation) all() {
	for _, f := range []func(){c.groups, c.interfaces, c.balancer, c.endpoints, c.targets, c.filter, c.sessions} {
		f()
	}
}

// ref returns what stands for a reference of ours, or for the id itself.
func (c *cloudFormation) ref(s string) any {
	if k, ok := strings.CutPrefix(s, "@"); ok {
		return object{"Ref": c.name(k, camel)}
	}
	return s
}

func (c *cloudFormation) get(k, attribute string) any {
	return object{"Fn::GetAtt": []string{c.name(k, camel), attribute}}
}

// add adds a resource; empty properties are left out.
func (c *cloudFormation) add(k, kind string, props object, after ...string) {
	for name, v := range props {
		if v == "" || v == nil {
			delete(props, name)
		}
	}
	r := object{"Type": "AWS::" + kind, "Condition": "Mirroring", "Properties": props}
	var names []string
	for _, a := range after {
		names = append(names, c.name(a, camel))
	}
	if len(names) > 0 {
		r["DependsOn"] = names
	}
	c.out[c.name(k, camel)] = r
}

func (c *cloudFormation) tags(t Tags) any {
	t = exportTags(t)
	list := []object{}
	for _, k := range sortedTagKeys(t) {
		list = append(list, object{"Key": k, "Value": t[k]})
	}
	return list
}

func (c *cloudFormation) permissions(list []Permission, egress bool) any {
	out := []object{}
	for _, p := range list {
		r := object{"IpProtocol": p.Protocol}
		if p.Protocol != "-1" {
			r["FromPort"], r["ToPort"] = p.From, p.To
		}
		if p.Why != "" {
			r["Description"] = p.Why
		}
		side := "Source"
		if egress {
			side = "Destination"
		}
		switch {
		case p.Group != "":
			r[side+"SecurityGroupId"] = p.Group
		case p.List != "":
			r[side+"PrefixListId"] = p.List
		case strings.Contains(p.CIDR, ":"):
			r["CidrIpv6"] = p.CIDR
		default:
			r["CidrIp"] = p.CIDR
		}
		out = append(out, r)
	}
	return out
}

func (c *cloudFormation) groups() {
	for i := range c.d.Groups {
		g := &c.d.Groups[i]
		egress := g.Egress
		if len(egress) == 0 {
			// Without rules CloudFormation lets everything out; nothing goes to this one.
			egress = []Permission{{Protocol: "-1", From: AnyPort, To: AnyPort, CIDR: "127.0.0.1/32", Why: "nothing"}}
		}
		c.add(g.Key, "EC2::SecurityGroup", object{"GroupName": g.Name, "GroupDescription": g.Description, "VpcId": g.VPC,
			"SecurityGroupIngress": c.permissions(g.Ingress, false), "SecurityGroupEgress": c.permissions(egress, true), "Tags": c.tags(g.Tags)})
	}
}

func (c *cloudFormation) interfaces() {
	s := c.d.Spec
	index := c.indexes()
	for i := range c.d.Seats {
		seat := &c.d.Seats[i]
		if seat.Key == "" {
			continue
		}
		tags := s.tags(seat.Key, s.trafficName(), s.Traffic.Tags)
		c.add(seat.Key, "EC2::NetworkInterface", object{"SubnetId": seat.Subnet, "GroupSet": []any{c.get(seat.Group, "GroupId")}, "Description": s.trafficDescription(), "Tags": c.tags(tags)})
		c.add(seat.Key+"/attachment", "EC2::NetworkInterfaceAttachment", object{"InstanceId": seat.Instance.ID, "NetworkInterfaceId": c.ref("@" + seat.Key),
			"DeviceIndex": itoa(index[seat.Key]), "DeleteOnTermination": !s.Traffic.Keep})
	}
}

func attributes(t Tags) []object {
	list := []object{}
	for _, k := range sortedTagKeys(t) {
		list = append(list, object{"Key": k, "Value": t[k]})
	}
	return list
}

func (c *cloudFormation) balancer() {
	b := c.d.Balancer
	if b == nil {
		return
	}
	lb := object{"Name": b.Name, "Type": "network", "Scheme": "internal", "Subnets": b.Subnets, "LoadBalancerAttributes": attributes(b.Attributes), "Tags": c.tags(b.Tags)}
	listener := object{"LoadBalancerArn": c.ref("@" + keyBalancer), "DefaultActions": []object{{"Type": "forward", "TargetGroupArn": c.ref("@" + keyTargets)}}}
	if b.Kind == TargetGWLB {
		lb["Type"] = "gateway"
		delete(lb, "Scheme")
	} else {
		listener["Protocol"], listener["Port"] = b.Protocol, b.Port
	}
	c.add(keyBalancer, "ElasticLoadBalancingV2::LoadBalancer", lb)
	var targets []object
	var after []string
	for i := range c.d.Seats {
		s := &c.d.Seats[i]
		if s.Key != "" {
			targets = append(targets, object{"Id": c.get(s.Key, "PrimaryPrivateIpAddress"), "Port": b.Port})
			after = append(after, s.Key+"/attachment")
		} else if e := c.w.Interface(s.Existing); e != nil {
			targets = append(targets, object{"Id": e.Primary().String(), "Port": b.Port})
		}
	}
	tg := object{"Name": b.Name, "Protocol": b.Protocol, "Port": b.Port, "VpcId": b.VPC, "TargetType": "ip", "Targets": targets,
		"HealthCheckProtocol": b.Health.Protocol, "HealthCheckPort": b.Health.Port, "HealthCheckPath": b.Health.Path, "HealthCheckIntervalSeconds": b.Health.Interval,
		"HealthyThresholdCount": b.Health.Healthy, "UnhealthyThresholdCount": b.Health.Unhealthy, "Tags": c.tags(b.GroupTags)}
	if len(b.GroupAttributes) > 0 {
		tg["TargetGroupAttributes"] = attributes(b.GroupAttributes)
	}
	c.add(keyTargets, "ElasticLoadBalancingV2::TargetGroup", tg, after...)
	c.add(keyListener, "ElasticLoadBalancingV2::Listener", listener)
	if b.Kind == TargetGWLB {
		c.add(keyService, "EC2::VPCEndpointService", object{"AcceptanceRequired": false, "GatewayLoadBalancerArns": []any{c.ref("@" + keyBalancer)}})
	}
}

func (c *cloudFormation) endpoints() {
	for i := range c.d.Endpoints {
		e := &c.d.Endpoints[i]
		c.add(e.Key, "EC2::VPCEndpoint", object{"VpcEndpointType": "GatewayLoadBalancer", "VpcId": e.VPC, "SubnetIds": []string{e.Subnet},
			"ServiceName": object{"Fn::Sub": "com.amazonaws.vpce.${AWS::Region}.${" + c.name(keyService, camel) + "}"}}, keyListener)
	}
}

func (c *cloudFormation) targets() {
	for i := range c.d.Targets {
		t := &c.d.Targets[i]
		if t.Existing != "" {
			continue
		}
		props := object{"Description": t.Description, "Tags": c.tags(t.Tags)}
		var after []string
		switch {
		case t.Balancer != "":
			props["NetworkLoadBalancerArn"], after = c.ref(t.Balancer), []string{keyListener}
		case t.Endpoint != "":
			props["GatewayLoadBalancerEndpointId"] = c.ref(t.Endpoint)
		default:
			props["NetworkInterfaceId"] = c.ref(t.Interface)
			if k, ok := strings.CutPrefix(t.Interface, "@"); ok {
				after = []string{k + "/attachment"}
			}
		}
		c.add(t.Key, "EC2::TrafficMirrorTarget", props, after...)
	}
}

func (c *cloudFormation) filter() {
	f := &c.d.Filter
	props := object{"Description": f.Description, "Tags": c.tags(f.Tags)}
	if len(f.Services) > 0 {
		props["NetworkServices"] = f.Services
	}
	c.add(f.Key, "EC2::TrafficMirrorFilter", props)
	for i := range f.Rules {
		r := &f.Rules[i]
		rule := object{"TrafficMirrorFilterId": c.ref("@" + f.Key), "TrafficDirection": r.Direction.String(), "RuleNumber": r.Number, "RuleAction": string(r.Action),
			"SourceCidrBlock": r.SourceCIDR.String(), "DestinationCidrBlock": r.DestinationCIDR.String(), "Description": r.Description}
		if r.Protocol != mirror.AnyProtocol {
			rule["Protocol"] = r.Protocol
		}
		for side, ports := range map[string]*mirror.PortRange{"SourcePortRange": r.SourcePorts, "DestinationPortRange": r.DestinationPorts} {
			if ports != nil {
				rule[side] = object{"FromPort": ports.From, "ToPort": ports.To}
			}
		}
		c.add(c.ruleKey(r), "EC2::TrafficMirrorFilterRule", rule)
	}
}

func (c *cloudFormation) sessions() {
	var after []string // no session before all rules: what it would mirror is not meant
	for i := range c.d.Filter.Rules {
		after = append(after, c.ruleKey(&c.d.Filter.Rules[i]))
	}
	slices.Sort(after)
	for i := range c.d.Sessions {
		s := &c.d.Sessions[i]
		props := object{"NetworkInterfaceId": s.Source.Interface.ID, "TrafficMirrorTargetId": c.ref(or(c.existing(s.Target), "@"+s.Target)), "TrafficMirrorFilterId": c.ref("@" + c.d.Filter.Key),
			"SessionNumber": s.Number, "VirtualNetworkId": s.VNI, "Description": s.Description, "Tags": c.tags(s.Tags)}
		if s.PacketLength > 0 {
			props["PacketLength"] = s.PacketLength
		}
		c.add(s.Key, "EC2::TrafficMirrorSession", props, after...)
	}
}
