package setup_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"mirador/internal/setup"
)

// props are the properties of a resource as CloudFormation names them, with everything
// worked out.
type props map[string]any

func (p props) str(k string) string {
	if p[k] == nil {
		return ""
	}
	return fmt.Sprint(p[k])
}

func (p props) opt(k string) *string {
	if s := p.str(k); s != "" {
		return &s
	}
	return nil
}

func (p props) num(k string) *int32 {
	s := p.str(k)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(k + ": " + err.Error())
	}
	return aws.Int32(int32(n))
}

func (p props) truth(k string) *bool { return aws.Bool(p.str(k) == "true") }

func (p props) list(k string) []any {
	switch x := p[k].(type) {
	case nil:
		return nil
	case []any:
		return x
	}
	return []any{p[k]}
}

func (p props) strs(k string) (out []string) {
	for _, x := range p.list(k) {
		out = append(out, fmt.Sprint(x))
	}
	return out
}

func (p props) sub(k string) []props {
	var out []props
	for _, x := range p.list(k) {
		out = append(out, props(x.(map[string]any)))
	}
	return out
}

// tags of a resource, for EC2.
func (p props) tags(kind string) []types.TagSpecification {
	s := types.TagSpecification{ResourceType: types.ResourceType(kind)}
	for _, t := range p.sub("Tags") {
		s.Tags = append(s.Tags, types.Tag{Key: t.opt("Key"), Value: aws.String(t.str("Value"))})
	}
	if len(s.Tags) == 0 {
		return nil
	}
	return []types.TagSpecification{s}
}

func (p props) elbTags() (out []elbtypes.Tag) {
	for _, t := range p.sub("Tags") {
		out = append(out, elbtypes.Tag{Key: t.opt("Key"), Value: aws.String(t.str("Value"))})
	}
	return out
}

// builder makes resources through the SDK, as the other tool would.
type builder struct {
	*world
	elb *elb.Client
}

func newBuilder(w *world) *builder {
	return &builder{w, elb.New(elb.Options{Region: "us-east-1", BaseEndpoint: &w.url, Credentials: w.ec2.Options().Credentials})}
}

// made is a resource: what Ref gives, and attributes.
type made map[string]any

// build makes one resource of CloudFormation's type kind.
func (b *builder) build(kind string, p props) made {
	b.t.Helper()
	ctx := b.t.Context()
	switch strings.TrimPrefix(kind, "AWS::") {
	case "EC2::SecurityGroup":
		out, err := b.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String(p.str("GroupName") + p.str("Anonymous")), Description: p.opt("GroupDescription"), VpcId: p.opt("VpcId"), TagSpecifications: p.tags("security-group")})
		b.ok(err)
		m := made{"Ref": *out.GroupId, "GroupId": *out.GroupId}
		if in := b.permissions(p.sub("SecurityGroupIngress")); len(in) > 0 {
			_, err := b.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: out.GroupId, IpPermissions: in})
			b.ok(err)
		}
		if eg := b.permissions(p.sub("SecurityGroupEgress")); p["SecurityGroupEgress"] != nil {
			_, err := b.ec2.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: out.GroupId, IpPermissions: []types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}})
			b.ok(err)
			if len(eg) > 0 {
				_, err = b.ec2.AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: out.GroupId, IpPermissions: eg})
				b.ok(err)
			}
		}
		return m
	case "EC2::SecurityGroupIngress":
		_, err := b.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: p.opt("GroupId"), IpPermissions: b.permissions([]props{p})})
		b.ok(err)
		return made{"Ref": "rule"}
	case "EC2::SecurityGroupEgress":
		_, err := b.ec2.AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: p.opt("GroupId"), IpPermissions: b.permissions([]props{p})})
		b.ok(err)
		return made{"Ref": "rule"}
	case "EC2::NetworkInterface":
		out, err := b.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: p.opt("SubnetId"), Groups: p.strs("GroupSet"), Description: p.opt("Description"), TagSpecifications: p.tags("network-interface")})
		b.ok(err)
		return made{"Ref": *out.NetworkInterface.NetworkInterfaceId, "PrimaryPrivateIpAddress": *out.NetworkInterface.PrivateIpAddress}
	case "EC2::NetworkInterfaceAttachment":
		out, err := b.ec2.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{InstanceId: p.opt("InstanceId"), NetworkInterfaceId: p.opt("NetworkInterfaceId"), DeviceIndex: p.num("DeviceIndex")})
		b.ok(err)
		// CloudFormation lets the interface go with the instance unless told otherwise.
		gone := p["DeleteOnTermination"] == nil || p.str("DeleteOnTermination") == "true"
		_, err = b.ec2.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: p.opt("NetworkInterfaceId"), Attachment: &types.NetworkInterfaceAttachmentChanges{AttachmentId: out.AttachmentId, DeleteOnTermination: &gone}})
		b.ok(err)
		return made{"Ref": *out.AttachmentId}
	case "EC2::TrafficMirrorTarget":
		out, err := b.ec2.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{Description: p.opt("Description"), NetworkInterfaceId: p.opt("NetworkInterfaceId"), NetworkLoadBalancerArn: p.opt("NetworkLoadBalancerArn"),
			GatewayLoadBalancerEndpointId: p.opt("GatewayLoadBalancerEndpointId"), TagSpecifications: p.tags("traffic-mirror-target")})
		b.ok(err)
		return made{"Ref": *out.TrafficMirrorTarget.TrafficMirrorTargetId}
	case "EC2::TrafficMirrorFilter":
		out, err := b.ec2.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{Description: p.opt("Description"), TagSpecifications: p.tags("traffic-mirror-filter")})
		b.ok(err)
		if list := p.strs("NetworkServices"); len(list) > 0 {
			in := &ec2.ModifyTrafficMirrorFilterNetworkServicesInput{TrafficMirrorFilterId: out.TrafficMirrorFilter.TrafficMirrorFilterId}
			for _, s := range list {
				in.AddNetworkServices = append(in.AddNetworkServices, types.TrafficMirrorNetworkService(s))
			}
			_, err := b.ec2.ModifyTrafficMirrorFilterNetworkServices(ctx, in)
			b.ok(err)
		}
		return made{"Ref": *out.TrafficMirrorFilter.TrafficMirrorFilterId}
	case "EC2::TrafficMirrorFilterRule":
		ports := func(k string) *types.TrafficMirrorPortRangeRequest {
			if list := p.sub(k); len(list) > 0 {
				return &types.TrafficMirrorPortRangeRequest{FromPort: list[0].num("FromPort"), ToPort: list[0].num("ToPort")}
			}
			return nil
		}
		out, err := b.ec2.CreateTrafficMirrorFilterRule(ctx, &ec2.CreateTrafficMirrorFilterRuleInput{TrafficMirrorFilterId: p.opt("TrafficMirrorFilterId"), TrafficDirection: types.TrafficDirection(p.str("TrafficDirection")),
			RuleNumber: p.num("RuleNumber"), RuleAction: types.TrafficMirrorRuleAction(p.str("RuleAction")), SourceCidrBlock: p.opt("SourceCidrBlock"), DestinationCidrBlock: p.opt("DestinationCidrBlock"),
			Protocol: p.num("Protocol"), Description: p.opt("Description"), SourcePortRange: ports("SourcePortRange"), DestinationPortRange: ports("DestinationPortRange")})
		b.ok(err)
		return made{"Ref": *out.TrafficMirrorFilterRule.TrafficMirrorFilterRuleId}
	case "EC2::TrafficMirrorSession":
		out, err := b.ec2.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: p.opt("NetworkInterfaceId"), TrafficMirrorTargetId: p.opt("TrafficMirrorTargetId"), TrafficMirrorFilterId: p.opt("TrafficMirrorFilterId"),
			SessionNumber: p.num("SessionNumber"), VirtualNetworkId: p.num("VirtualNetworkId"), PacketLength: p.num("PacketLength"), Description: p.opt("Description"), TagSpecifications: p.tags("traffic-mirror-session")})
		b.ok(err)
		return made{"Ref": *out.TrafficMirrorSession.TrafficMirrorSessionId}
	case "EC2::VPCEndpointService":
		out, err := b.ec2.CreateVpcEndpointServiceConfiguration(ctx, &ec2.CreateVpcEndpointServiceConfigurationInput{AcceptanceRequired: p.truth("AcceptanceRequired"), GatewayLoadBalancerArns: p.strs("GatewayLoadBalancerArns"), TagSpecifications: p.tags("vpc-endpoint-service")})
		b.ok(err)
		return made{"Ref": *out.ServiceConfiguration.ServiceId, "ServiceName": *out.ServiceConfiguration.ServiceName}
	case "EC2::VPCEndpoint":
		out, err := b.ec2.CreateVpcEndpoint(ctx, &ec2.CreateVpcEndpointInput{VpcEndpointType: types.VpcEndpointType(p.str("VpcEndpointType")), VpcId: p.opt("VpcId"), SubnetIds: p.strs("SubnetIds"), ServiceName: p.opt("ServiceName"), TagSpecifications: p.tags("vpc-endpoint")})
		b.ok(err)
		return made{"Ref": *out.VpcEndpoint.VpcEndpointId}
	case "EC2::Instance":
		return b.instance(p)
	case "IAM::Role", "IAM::InstanceProfile", "IAM::RolePolicy", "EC2::LaunchTemplate":
		return made{"Ref": "none", "LatestVersionNumber": "1", "Name": "none"} // not of the endpoint
	}
	return b.buildELB(strings.TrimPrefix(kind, "AWS::ElasticLoadBalancingV2::"), p)
}

func (b *builder) instance(p props) made {
	b.t.Helper()
	if data := p.str("UserData"); !strings.HasPrefix(data, "#cloud-config\n") || strings.Contains(data, "${") || len(data) > 16<<10 {
		b.t.Errorf("user data of %d bytes:\n%s", len(data), data)
	}
	subnet := p.str("SubnetId")
	for _, e := range p.sub("NetworkInterfaces") {
		subnet = e.str("SubnetId")
	}
	in := &ec2.RunInstancesInput{ImageId: aws.String("ami-12345678"), InstanceType: types.InstanceType(p.str("InstanceType")), SubnetId: &subnet, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), TagSpecifications: p.tags("instance")}
	out, err := b.ec2.RunInstances(b.t.Context(), in)
	b.ok(err)
	b.sensors = append(b.sensors, *out.Instances[0].InstanceId)
	return made{"Ref": *out.Instances[0].InstanceId, "PrivateIp": *out.Instances[0].PrivateIpAddress}
}

func (b *builder) permissions(list []props) (out []types.IpPermission) {
	for _, p := range list {
		x := types.IpPermission{IpProtocol: p.opt("IpProtocol"), FromPort: p.num("FromPort"), ToPort: p.num("ToPort")}
		why := p.opt("Description")
		switch {
		case p.str("CidrIp") != "":
			x.IpRanges = []types.IpRange{{CidrIp: p.opt("CidrIp"), Description: why}}
		case p.str("CidrIpv6") != "":
			x.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: p.opt("CidrIpv6"), Description: why}}
		default:
			x.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: p.opt("SourceSecurityGroupId"), Description: why}}
		}
		out = append(out, x)
	}
	return out
}

func (b *builder) buildELB(kind string, p props) made {
	b.t.Helper()
	ctx := b.t.Context()
	name := p.opt("Name")
	if name == nil {
		name = aws.String("made-" + strings.ToLower(kind))
	}
	switch kind {
	case "LoadBalancer":
		out, err := b.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: name, Type: elbtypes.LoadBalancerTypeEnum(p.str("Type")), Scheme: elbtypes.LoadBalancerSchemeEnum(p.str("Scheme")), Subnets: p.strs("Subnets"), Tags: p.elbTags()})
		b.ok(err)
		in := &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: out.LoadBalancers[0].LoadBalancerArn}
		for _, a := range p.sub("LoadBalancerAttributes") {
			in.Attributes = append(in.Attributes, elbtypes.LoadBalancerAttribute{Key: a.opt("Key"), Value: a.opt("Value")})
		}
		_, err = b.elb.ModifyLoadBalancerAttributes(ctx, in)
		b.ok(err)
		return made{"Ref": *out.LoadBalancers[0].LoadBalancerArn}
	case "TargetGroup":
		out, err := b.elb.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: name, Protocol: elbtypes.ProtocolEnum(p.str("Protocol")), Port: p.num("Port"), VpcId: p.opt("VpcId"), TargetType: elbtypes.TargetTypeEnum(p.str("TargetType")),
			HealthCheckProtocol: elbtypes.ProtocolEnum(p.str("HealthCheckProtocol")), HealthCheckPort: p.opt("HealthCheckPort"), HealthCheckPath: p.opt("HealthCheckPath"), HealthCheckIntervalSeconds: p.num("HealthCheckIntervalSeconds"),
			HealthyThresholdCount: p.num("HealthyThresholdCount"), UnhealthyThresholdCount: p.num("UnhealthyThresholdCount"), Tags: p.elbTags()})
		b.ok(err)
		arn := out.TargetGroups[0].TargetGroupArn
		in := &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: arn}
		for _, a := range p.sub("TargetGroupAttributes") {
			in.Attributes = append(in.Attributes, elbtypes.TargetGroupAttribute{Key: a.opt("Key"), Value: a.opt("Value")})
		}
		if len(in.Attributes) > 0 {
			_, err = b.elb.ModifyTargetGroupAttributes(ctx, in)
			b.ok(err)
		}
		for _, x := range p.sub("Targets") {
			x["TargetGroupArn"] = *arn
			b.buildELB("TargetGroupAttachment", x)
		}
		return made{"Ref": *arn}
	case "TargetGroupAttachment":
		_, err := b.elb.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: p.opt("TargetGroupArn"), Targets: []elbtypes.TargetDescription{{Id: p.opt("Id"), Port: p.num("Port")}}})
		b.ok(err)
		return made{"Ref": "attachment"}
	case "Listener":
		in := &elb.CreateListenerInput{LoadBalancerArn: p.opt("LoadBalancerArn"), Protocol: elbtypes.ProtocolEnum(p.str("Protocol")), Port: p.num("Port")}
		for _, a := range p.sub("DefaultActions") {
			in.DefaultActions = append(in.DefaultActions, elbtypes.Action{Type: elbtypes.ActionTypeEnum(a.str("Type")), TargetGroupArn: a.opt("TargetGroupArn")})
		}
		out, err := b.elb.CreateListener(ctx, in)
		b.ok(err)
		return made{"Ref": *out.Listeners[0].ListenerArn}
	}
	b.t.Fatalf("resource type %s is not known", kind)
	return nil
}

// account describes all that mirroring is made of in an account, without ids, so that what
// one tool made can be compared with what another did.
func (w *world) account(balancerNames bool) string {
	w.t.Helper()
	o := w.observe(nil)
	c := w.client()
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	names := map[string]string{w.vpc: "VPC"}
	for i, s := range w.subnets {
		names[s] = fmt.Sprintf("SUBNET%d", i)
	}
	for i, s := range w.sensors {
		names[s] = fmt.Sprintf("SENSOR%d", i)
	}
	for i, e := range w.sourceIf {
		names[e] = fmt.Sprintf("SOURCE%d", i)
		names[w.sources[i]] = fmt.Sprintf("INSTANCE%d", i)
	}
	addrs := map[netip.Addr]string{}
	for i := range o.Interfaces {
		e := &o.Interfaces[i]
		if slices.Contains(w.sensors, e.InstanceID) && e.DeviceIndex > 0 {
			names[e.ID] = "TRAFFIC-" + names[e.InstanceID]
			addrs[e.Primary()] = names[e.ID]
		}
	}
	plain := func(s string) string {
		for id, n := range names {
			s = strings.ReplaceAll(s, id, n)
		}
		return s
	}
	tags := func(t setup.Tags) string {
		var out []string
		for k, v := range t {
			if !strings.HasPrefix(k, "mirador:") && k != "managed-by" {
				out = append(out, plain(k+"="+v))
			}
		}
		slices.Sort(out)
		return strings.Join(out, ",")
	}
	groups := map[string]*setup.SecurityGroup{}
	for i := range o.Groups {
		groups[o.Groups[i].ID] = &o.Groups[i]
	}
	for i := range o.Interfaces {
		e := &o.Interfaces[i]
		if !strings.HasPrefix(names[e.ID], "TRAFFIC") {
			continue
		}
		say("%s in %s index %d, %q, tags %s", names[e.ID], names[e.Subnet], e.DeviceIndex, e.Description, tags(e.Tags))
		for _, id := range e.Groups {
			g := groups[id]
			say("%s group %q %q in %s, tags %s", names[e.ID], g.Name, g.Description, names[g.VPC], tags(g.Tags))
			for dir, list := range map[string][]setup.Permission{"in": g.Ingress, "out": g.Egress} {
				for _, p := range list {
					say("%s group %s %+v", names[e.ID], dir, p)
				}
			}
		}
	}
	lbs := map[string]string{}
	for i := range o.Balancers {
		b := &o.Balancers[i]
		n := b.Type
		if balancerNames {
			n += " " + b.Name
		}
		lbs[b.ARN] = n
		at, err := c.BalancerAttributes(w.t.Context(), b.ARN)
		w.ok(err)
		subnets := strings.Fields(plain(strings.Join(b.Subnets, " ")))
		slices.Sort(subnets)
		say("balancer %s, %s in %v, cross zone %s, tags %s", n, b.Scheme, subnets, at["load_balancing.cross_zone.enabled"], tags(b.Tags))
		ls, err := c.Listeners(w.t.Context(), b.ARN)
		w.ok(err)
		for _, l := range ls {
			say("listener of %s: %s %d", n, l.Protocol, l.Port)
		}
	}
	for i := range o.TargetGroups {
		g := &o.TargetGroups[i]
		at, err := c.TargetGroupAttributes(w.t.Context(), g.ARN)
		w.ok(err)
		health, err := c.TargetHealth(w.t.Context(), g.ARN)
		w.ok(err)
		var targets []string
		for _, h := range health {
			targets = append(targets, fmt.Sprint(addrs[netip.MustParseAddr(h.ID)], ":", h.Port))
		}
		slices.Sort(targets)
		say("target group %s %d %s %+v of %v targets %v sticky %s %s", g.Protocol, g.Port, g.TargetType, g.Health, len(g.Balancers), targets, at["stickiness.enabled"], at["stickiness.type"])
	}
	for i := range o.Services {
		say("service of %d", len(o.Services[i].Balancers))
	}
	for i := range o.Endpoints {
		names[o.Endpoints[i].ID] = "ENDPOINT-" + plain(strings.Join(o.Endpoints[i].Subnets, " "))
		say("%s %s", names[o.Endpoints[i].ID], o.Endpoints[i].Kind)
	}
	for i := range o.Targets {
		x := &o.Targets[i]
		names[x.ID] = "TARGET-" + plain(x.NetworkInterfaceID+x.GatewayLoadBalancerEndpointID) + lbs[x.NetworkLoadBalancerARN]
		say("%s %q %s", names[x.ID], x.Description, tags(tagMap(x.Tags)))
	}
	for i := range o.Filters {
		f := &o.Filters[i]
		say("filter %q %v %s", f.Description, f.NetworkServices, tags(tagMap(f.Tags)))
		for _, r := range f.Rules {
			r.ID, r.FilterID, r.Tags = "", "", nil
			say("rule %s %d %s %d %s %s %v %v %q", r.Direction, r.Number, r.Action, r.Protocol, r.SourceCIDR, r.DestinationCIDR, r.SourcePorts, r.DestinationPorts, r.Description)
		}
	}
	for i := range o.Sessions {
		x := &o.Sessions[i]
		say("session of %s to %s number %d vni %d length %d %q %s", names[x.NetworkInterfaceID], names[x.TargetID], x.Number, x.VNI, x.PacketLength, plain(x.Description), tags(tagMap(x.Tags)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// terminate ends instances.
func (w *world) terminate(ids ...string) {
	w.t.Helper()
	_, err := w.ec2.TerminateInstances(w.t.Context(), &ec2.TerminateInstancesInput{InstanceIds: ids})
	w.ok(err)
}
