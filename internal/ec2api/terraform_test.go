package ec2api_test

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mirador/internal/ec2api"
)

// The tests in this file make the calls that Terraform's AWS provider makes for the
// resources that mirroring needs, in its order, and look at what it looks at.

// tf is a provider of a kind.
type tf struct {
	*lab
	elb *elb.Client
}

func newTF(t *testing.T) *tf {
	l := newLab(t, ec2api.Options{})
	if arn := must(sts.NewFromConfig(l.cfg).GetCallerIdentity(l.ctx, &sts.GetCallerIdentityInput{}))(t); *arn.Account != "123456789012" {
		t.Fatalf("account = %s", *arn.Account)
	}
	return &tf{l, elb.NewFromConfig(l.cfg)}
}

func tags(kind types.ResourceType) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("tf-acc-test")}}}}
}

func hasCode(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == code
}

// vpc is aws_vpc.
func (f *tf) vpc() string {
	c, ctx, t := f.c, f.ctx, f.t
	t.Helper()
	v := must(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/16"), InstanceTenancy: types.TenancyDefault, TagSpecifications: tags(types.ResourceTypeVpc)}))(t).Vpc
	waiter := ec2.NewVpcAvailableWaiter(c)
	if err := waiter.Wait(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*v.VpcId}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	must(c.ModifyVpcAttribute(ctx, &ec2.ModifyVpcAttributeInput{VpcId: v.VpcId, EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))(t)
	for _, a := range []types.VpcAttributeName{types.VpcAttributeNameEnableDnsHostnames, types.VpcAttributeNameEnableDnsSupport, types.VpcAttributeNameEnableNetworkAddressUsageMetrics} {
		out := must(c.DescribeVpcAttribute(ctx, &ec2.DescribeVpcAttributeInput{VpcId: v.VpcId, Attribute: a}))(t)
		if a == types.VpcAttributeNameEnableDnsHostnames && !*out.EnableDnsHostnames.Value {
			t.Error("enableDnsHostnames is not set")
		}
	}
	in := func(name, value string) []types.Filter {
		return []types.Filter{{Name: aws.String(name), Values: []string{value}}, {Name: aws.String("vpc-id"), Values: []string{*v.VpcId}}}
	}
	if n := len(must(c.DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: in("default", "true")}))(t).NetworkAcls); n != 1 {
		t.Errorf("%d default network ACLs", n)
	}
	if n := len(must(c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: in("association.main", "true")}))(t).RouteTables); n != 1 {
		t.Errorf("%d main route tables", n)
	}
	if n := len(must(c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: in("group-name", "default")}))(t).SecurityGroups); n != 1 {
		t.Errorf("%d default security groups", n)
	}
	return *v.VpcId
}

// destroyVPC deletes what is deleted and waits as the provider does.
func (f *tf) destroyVPC(id string) {
	f.t.Helper()
	must(f.c.DeleteVpc(f.ctx, &ec2.DeleteVpcInput{VpcId: &id}))(f.t)
	if _, err := f.c.DescribeVpcs(f.ctx, &ec2.DescribeVpcsInput{VpcIds: []string{id}}); !hasCode(err, "InvalidVpcID.NotFound") {
		f.t.Errorf("describe a deleted VPC: %v", err)
	}
}

func (f *tf) subnetIn(vpc, cidr, zone string) string {
	f.t.Helper()
	s := must(f.c.CreateSubnet(f.ctx, &ec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: &cidr, AvailabilityZone: &zone, TagSpecifications: tags(types.ResourceTypeSubnet)}))(f.t).Subnet
	got := must(f.c.DescribeSubnets(f.ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{*s.SubnetId}}))(f.t).Subnets
	if got[0].State != types.SubnetStateAvailable || *got[0].AvailableIpAddressCount < 200 {
		f.t.Errorf("subnet = %+v", got[0])
	}
	return *s.SubnetId
}

// group is aws_security_group: the egress rule that AWS adds is revoked first.
func (f *tf) group(vpc string) string {
	c, ctx, t := f.c, f.ctx, f.t
	t.Helper()
	id := must(c.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("tf"), Description: aws.String("Managed by Terraform"), VpcId: &vpc, TagSpecifications: tags(types.ResourceTypeSecurityGroup)}))(t).GroupId
	all := types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}
	must(c.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: id, IpPermissions: []types.IpPermission{all}}))(t)
	six := types.IpPermission{IpProtocol: aws.String("-1"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: aws.String("::/0")}}}
	if _, err := c.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: id, IpPermissions: []types.IpPermission{six}}); !hasCode(err, "InvalidPermission.NotFound") {
		t.Errorf("revoke what is not there: %v", err)
	}
	vxlan := types.IpPermission{IpProtocol: aws.String("udp"), FromPort: aws.Int32(4789), ToPort: aws.Int32(4789), IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/8"), Description: aws.String("mirrors")}}}
	rule := must(c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: id, IpPermissions: []types.IpPermission{vxlan}}))(t).SecurityGroupRules[0]
	if _, err := c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: id, IpPermissions: []types.IpPermission{vxlan}}); !hasCode(err, "InvalidPermission.Duplicate") {
		t.Errorf("authorize again: %v", err)
	}
	rules := must(c.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{*rule.SecurityGroupRuleId}}))(t).SecurityGroupRules
	if len(rules) != 1 || *rules[0].CidrIpv4 != "10.0.0.0/8" || *rules[0].IsEgress {
		t.Errorf("rules = %+v", rules)
	}
	g := must(c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{*id}}))(t).SecurityGroups[0]
	if len(g.IpPermissions) != 1 || len(g.IpPermissionsEgress) != 0 || *g.IpPermissions[0].IpRanges[0].Description != "mirrors" {
		t.Errorf("group = %+v", g)
	}
	return *id
}

// instance is aws_instance.
func (f *tf) instance(subnet, group string) *types.Instance {
	c, ctx, t := f.c, f.ctx, f.t
	t.Helper()
	images := must(c.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"}, Filters: []types.Filter{
		{Name: aws.String("name"), Values: []string{"amzn2-ami-minimal-hvm-*"}}, {Name: aws.String("root-device-type"), Values: []string{"ebs"}}, {Name: aws.String("architecture"), Values: []string{"x86_64"}},
	}}))(t).Images
	if len(images) == 0 {
		t.Fatal("no image")
	}
	id := must(c.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: images[0].ImageId, InstanceType: types.InstanceTypeM5Large, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet, SecurityGroupIds: []string{group}, TagSpecifications: tags(types.ResourceTypeInstance)}))(t).Instances[0].InstanceId
	if err := ec2.NewInstanceRunningWaiter(c).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{*id}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	i := must(c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{*id}}))(t).Reservations[0].Instances[0]
	must(c.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{i.InstanceType}}))(t)
	for _, a := range []types.InstanceAttributeName{types.InstanceAttributeNameDisableApiTermination, types.InstanceAttributeNameDisableApiStop, types.InstanceAttributeNameUserData, types.InstanceAttributeNameInstanceInitiatedShutdownBehavior} {
		must(c.DescribeInstanceAttribute(ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: id, Attribute: a}))(t)
	}
	must(c.DescribeInstanceCreditSpecifications(ctx, &ec2.DescribeInstanceCreditSpecificationsInput{InstanceIds: []string{*id}}))(t)
	vols := must(c.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{*i.BlockDeviceMappings[0].Ebs.VolumeId}}))(t).Volumes
	if *vols[0].Attachments[0].InstanceId != *id || *i.RootDeviceName != *i.BlockDeviceMappings[0].DeviceName {
		t.Errorf("root volume = %+v", vols[0])
	}
	must(c.DescribeTags(ctx, &ec2.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("resource-id"), Values: []string{*id}}}}))(t)
	return &i
}

func (f *tf) destroyInstance(id string) {
	f.t.Helper()
	must(f.c.TerminateInstances(f.ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}))(f.t)
	if err := ec2.NewInstanceTerminatedWaiter(f.c).Wait(f.ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}}, time.Minute); err != nil {
		f.t.Fatal(err)
	}
}

// TestTerraformSession is the configuration of the acceptance test of
// aws_ec2_traffic_mirror_session: everything made, read, changed and destroyed.
func TestTerraformSession(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	for _, pre := range []func() error{
		func() error {
			_, err := c.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{})
			return err
		},
		func() error {
			_, err := c.DescribeTrafficMirrorTargets(ctx, &ec2.DescribeTrafficMirrorTargetsInput{})
			return err
		},
		func() error {
			_, err := c.DescribeTrafficMirrorFilters(ctx, &ec2.DescribeTrafficMirrorFiltersInput{})
			return err
		},
	} {
		if err := pre(); err != nil {
			t.Fatal(err)
		}
	}
	zones := must(c.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{Filters: []types.Filter{{Name: aws.String("state"), Values: []string{"available"}}, {Name: aws.String("opt-in-status"), Values: []string{"opt-in-not-required"}}}}))(t).AvailabilityZones
	vpc := f.vpc()
	sub1, sub2 := f.subnetIn(vpc, "10.7.1.0/24", *zones[0].ZoneName), f.subnetIn(vpc, "10.7.2.0/24", *zones[1].ZoneName)
	group := f.group(vpc)
	i := f.instance(sub1, group)
	nlb, tg := f.balancer(vpc, sub1, sub2)

	filter := must(c.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{TagSpecifications: tags(types.ResourceTypeTrafficMirrorFilter)}))(t).TrafficMirrorFilter
	target := must(c.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkLoadBalancerArn: &nlb}))(t).TrafficMirrorTarget
	s := must(c.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: i.NetworkInterfaces[0].NetworkInterfaceId, TrafficMirrorFilterId: filter.TrafficMirrorFilterId, TrafficMirrorTargetId: target.TrafficMirrorTargetId, SessionNumber: aws.Int32(7), TagSpecifications: tags(types.ResourceTypeTrafficMirrorSession)}))(t).TrafficMirrorSession
	read := func() types.TrafficMirrorSession {
		t.Helper()
		out := must(c.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{TrafficMirrorSessionIds: []string{*s.TrafficMirrorSessionId}}))(t).TrafficMirrorSessions
		if len(out) != 1 {
			t.Fatalf("%d sessions", len(out))
		}
		return out[0]
	}
	if got := read(); got.PacketLength == nil || *got.PacketLength != 8500 || got.VirtualNetworkId == nil || *got.VirtualNetworkId < 1 || !regexp.MustCompile(`^tms-[0-9a-f]{17}$`).MatchString(*got.TrafficMirrorSessionId) || len(got.Tags) != 1 {
		t.Errorf("session = %+v", got)
	}
	other := f.eniTarget(f.eniIn(sub1))
	must(c.ModifyTrafficMirrorSession(ctx, &ec2.ModifyTrafficMirrorSessionInput{TrafficMirrorSessionId: s.TrafficMirrorSessionId, TrafficMirrorTargetId: &other, PacketLength: aws.Int32(20), VirtualNetworkId: aws.Int32(9), Description: aws.String("d"), SessionNumber: aws.Int32(8)}))(t)
	if got := read(); *got.TrafficMirrorTargetId != other || *got.PacketLength != 20 || *got.VirtualNetworkId != 9 || *got.SessionNumber != 8 {
		t.Errorf("changed session = %+v", got)
	}
	must(c.ModifyTrafficMirrorSession(ctx, &ec2.ModifyTrafficMirrorSessionInput{TrafficMirrorSessionId: s.TrafficMirrorSessionId, RemoveFields: []types.TrafficMirrorSessionField{types.TrafficMirrorSessionFieldPacketLength, types.TrafficMirrorSessionFieldDescription, types.TrafficMirrorSessionFieldVirtualNetworkId}}))(t)
	if got := read(); got.PacketLength != nil || got.Description != nil || *got.VirtualNetworkId == 9 {
		t.Errorf("session with fields removed = %+v", got)
	}
	must(c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{*s.TrafficMirrorSessionId}, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
	must(c.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{*s.TrafficMirrorSessionId}, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("tf-acc-test")}}}))(t)
	if got := read(); len(got.Tags) != 1 || *got.Tags[0].Key != "k" {
		t.Errorf("tags = %+v", got.Tags)
	}

	if _, err := c.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: &other}); !hasCode(err, "TrafficMirrorTargetInUse") {
		t.Errorf("delete the target in use: %v", err)
	}
	must(c.DeleteTrafficMirrorSession(ctx, &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: s.TrafficMirrorSessionId}))(t)
	if _, err := c.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{TrafficMirrorSessionIds: []string{*s.TrafficMirrorSessionId}}); !hasCode(err, "InvalidTrafficMirrorSessionId.NotFound") {
		t.Errorf("describe a deleted session: %v", err)
	}
	for _, id := range []string{other, *target.TrafficMirrorTargetId} {
		must(c.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: &id}))(t)
	}
	must(c.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: filter.TrafficMirrorFilterId}))(t)
	f.destroyBalancer(nlb, tg)
	f.destroyInstance(*i.InstanceId)
	f.destroyENIs(vpc)
	must(c.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &group}))(t)
	for _, id := range []string{sub1, sub2} {
		must(c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &id}))(t)
	}
	f.destroyVPC(vpc)
}

func (f *tf) eniIn(subnet string) string {
	f.t.Helper()
	return *must(f.c.CreateNetworkInterface(f.ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, TagSpecifications: tags(types.ResourceTypeNetworkInterface)}))(f.t).NetworkInterface.NetworkInterfaceId
}

func (f *tf) destroyENIs(vpc string) {
	f.t.Helper()
	for _, e := range must(f.c.DescribeNetworkInterfaces(f.ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpc}}}}))(f.t).NetworkInterfaces {
		must(f.c.DeleteNetworkInterface(f.ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterfaceId}))(f.t)
	}
}

// balancer is aws_lb with aws_lb_target_group, aws_lb_listener and
// aws_lb_target_group_attachment.
func (f *tf) balancer(vpc string, subnets ...string) (lb, tg string) {
	ctx, t := f.ctx, f.t
	t.Helper()
	lb = *must(f.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("tf-lb"), Type: elbtypes.LoadBalancerTypeEnumNetwork, Scheme: elbtypes.LoadBalancerSchemeEnumInternal, Subnets: subnets, Tags: []elbtypes.Tag{{Key: aws.String("Name"), Value: aws.String("x")}}}))(t).LoadBalancers[0].LoadBalancerArn
	if err := elb.NewLoadBalancerAvailableWaiter(f.elb).Wait(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	attr := func(k, v string) elbtypes.LoadBalancerAttribute {
		return elbtypes.LoadBalancerAttribute{Key: &k, Value: &v}
	}
	must(f.elb.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &lb, Attributes: []elbtypes.LoadBalancerAttribute{
		attr("access_logs.s3.enabled", "false"), attr("deletion_protection.enabled", "false"), attr("load_balancing.cross_zone.enabled", "true"), attr("dns_record.client_routing_policy", "any_availability_zone"),
	}}))(t)
	_, err := f.elb.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &lb, Attributes: []elbtypes.LoadBalancerAttribute{attr("colour", "red")}})
	if !hasCode(err, "ValidationError") || !regexp.MustCompile(`attribute key ('|")?([^'" ]+)('|")? is not (recognized|supported)`).MatchString(err.Error()) {
		t.Errorf("unknown attribute: %v", err)
	}
	must(f.elb.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &lb}))(t)
	if r := must(f.elb.DescribeCapacityReservation(ctx, &elb.DescribeCapacityReservationInput{LoadBalancerArn: &lb}))(t); r.MinimumLoadBalancerCapacity != nil {
		t.Errorf("reserved capacity: %+v", r.MinimumLoadBalancerCapacity)
	}
	if n := len(must(f.elb.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{lb}}))(t).TagDescriptions[0].Tags); n != 1 {
		t.Errorf("%d tags", n)
	}
	tg = *must(f.elb.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: aws.String("tf-tg"), Protocol: elbtypes.ProtocolEnumUdp, Port: aws.Int32(4789), VpcId: &vpc, TargetType: elbtypes.TargetTypeEnumIp, HealthCheckProtocol: elbtypes.ProtocolEnumHttp, HealthCheckPath: aws.String("/api/2.0/status"), HealthCheckPort: aws.String("80")}))(t).TargetGroups[0].TargetGroupArn
	got := must(f.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{tg}}))(t).TargetGroups[0]
	if *got.HealthCheckPath != "/api/2.0/status" || *got.HealthCheckPort != "80" || *got.HealthCheckIntervalSeconds != 30 || *got.Matcher.HttpCode != "200-399" {
		t.Errorf("target group = %+v", got)
	}
	must(f.elb.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: &tg, Attributes: []elbtypes.TargetGroupAttribute{{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("0")}, {Key: aws.String("stickiness.enabled"), Value: aws.String("false")}, {Key: aws.String("stickiness.type"), Value: aws.String("source_ip")}}}))(t)
	must(f.elb.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &tg}))(t)
	forward := []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: &tg}}
	l := must(f.elb.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: &lb, Protocol: elbtypes.ProtocolEnumUdp, Port: aws.Int32(4789), DefaultActions: forward}))(t).Listeners[0]
	must(f.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{*l.ListenerArn}}))(t)
	must(f.elb.DescribeListenerAttributes(ctx, &elb.DescribeListenerAttributesInput{ListenerArn: l.ListenerArn}))(t)
	target := []elbtypes.TargetDescription{{Id: aws.String("10.7.1.250")}}
	must(f.elb.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &tg, Targets: target}))(t)
	must(f.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &tg, Targets: target}))(t)
	must(f.elb.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &tg, Targets: target}))(t)
	return lb, tg
}

// destroyBalancer waits, as the provider does, until the load balancer's interfaces have gone.
func (f *tf) destroyBalancer(lb, tg string) {
	ctx, t := f.ctx, f.t
	t.Helper()
	if _, err := f.elb.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &tg}); !hasCode(err, "ResourceInUse") {
		t.Errorf("delete a target group in use: %v", err)
	}
	for _, l := range must(f.elb.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &lb}))(t).Listeners {
		must(f.elb.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: l.ListenerArn}))(t)
	}
	must(f.elb.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &tg}))(t)
	byName := &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{
		{Name: aws.String("attachment.instance-owner-id"), Values: []string{"amazon-aws"}}, {Name: aws.String("description"), Values: []string{"ELB " + regexp.MustCompile(`net/.*$`).FindString(lb)}},
	}}
	if n := len(must(f.c.DescribeNetworkInterfaces(ctx, byName))(t).NetworkInterfaces); n != 2 {
		t.Errorf("%d interfaces of the load balancer, want 2", n)
	}
	must(f.elb.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &lb}))(t)
	if _, err := f.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{lb}}); !hasCode(err, "LoadBalancerNotFound") {
		t.Errorf("describe a deleted load balancer: %v", err)
	}
	if n := len(must(f.c.DescribeNetworkInterfaces(ctx, byName))(t).NetworkInterfaces); n != 0 {
		t.Errorf("%d interfaces of the deleted load balancer", n)
	}
}

// TestTerraformFilterRule is aws_ec2_traffic_mirror_filter with its rule, which the
// provider reads through the filter.
func TestTerraformFilterRule(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	filter := must(c.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{Description: aws.String("test filter")}))(t).TrafficMirrorFilter.TrafficMirrorFilterId
	must(c.ModifyTrafficMirrorFilterNetworkServices(ctx, &ec2.ModifyTrafficMirrorFilterNetworkServicesInput{TrafficMirrorFilterId: filter, AddNetworkServices: []types.TrafficMirrorNetworkService{"amazon-dns"}}))(t)
	rule := must(c.CreateTrafficMirrorFilterRule(ctx, &ec2.CreateTrafficMirrorFilterRuleInput{TrafficMirrorFilterId: filter, DestinationCidrBlock: aws.String("10.0.0.0/8"), RuleAction: "accept", RuleNumber: aws.Int32(1), SourceCidrBlock: aws.String("0.0.0.0/0"), TrafficDirection: "ingress"}))(t).TrafficMirrorFilterRule
	read := func(ctx context.Context) *types.TrafficMirrorFilterRule {
		t.Helper()
		out := must(c.DescribeTrafficMirrorFilters(ctx, &ec2.DescribeTrafficMirrorFiltersInput{TrafficMirrorFilterIds: []string{*filter}}))(t).TrafficMirrorFilters[0]
		for _, r := range append(out.IngressFilterRules, out.EgressFilterRules...) {
			if *r.TrafficMirrorFilterRuleId == *rule.TrafficMirrorFilterRuleId {
				return &r
			}
		}
		return nil
	}
	if r := read(ctx); r == nil || r.Protocol != nil || r.DestinationPortRange != nil {
		t.Errorf("rule = %+v", r)
	}
	ports := &types.TrafficMirrorPortRangeRequest{FromPort: aws.Int32(22), ToPort: aws.Int32(53)}
	if _, err := c.ModifyTrafficMirrorFilterRule(ctx, &ec2.ModifyTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: rule.TrafficMirrorFilterRuleId, DestinationPortRange: ports}); err == nil {
		t.Error("a port range without a protocol in the request was taken")
	}
	must(c.ModifyTrafficMirrorFilterRule(ctx, &ec2.ModifyTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: rule.TrafficMirrorFilterRuleId, Protocol: aws.Int32(6), DestinationPortRange: ports, SourcePortRange: ports, RuleNumber: aws.Int32(2), RuleAction: "reject", TrafficDirection: "egress", Description: aws.String("d")}))(t)
	if r := read(ctx); *r.Protocol != 6 || *r.DestinationPortRange.ToPort != 53 || r.TrafficDirection != "egress" || *r.RuleNumber != 2 {
		t.Errorf("changed rule = %+v", r)
	}
	must(c.ModifyTrafficMirrorFilterRule(ctx, &ec2.ModifyTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: rule.TrafficMirrorFilterRuleId, RemoveFields: []types.TrafficMirrorFilterRuleField{"protocol", "description", "destination-port-range", "source-port-range"}}))(t)
	if r := read(ctx); r.Protocol != nil || r.DestinationPortRange != nil || r.SourcePortRange != nil || r.Description != nil {
		t.Errorf("rule with fields removed = %+v", r)
	}
	must(c.ModifyTrafficMirrorFilterNetworkServices(ctx, &ec2.ModifyTrafficMirrorFilterNetworkServicesInput{TrafficMirrorFilterId: filter, RemoveNetworkServices: []types.TrafficMirrorNetworkService{"amazon-dns"}}))(t)
	must(c.DeleteTrafficMirrorFilterRule(ctx, &ec2.DeleteTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: rule.TrafficMirrorFilterRuleId}))(t)
	if r := read(ctx); r != nil {
		t.Errorf("deleted rule = %+v", r)
	}
	must(c.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: filter}))(t)
	if _, err := c.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: filter}); !hasCode(err, "InvalidTrafficMirrorFilterId.NotFound") {
		t.Errorf("delete twice: %v", err)
	}
}

// TestTerraformGateway is the target behind a Gateway Load Balancer: aws_lb,
// aws_vpc_endpoint_service, aws_vpc_endpoint, aws_ec2_traffic_mirror_target.
func TestTerraformGateway(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	vpc := f.vpc()
	subnet := f.subnetIn(vpc, "10.7.1.0/24", "us-east-1a")
	lb := must(f.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("gw"), Type: elbtypes.LoadBalancerTypeEnumGateway, Subnets: []string{subnet}}))(t).LoadBalancers[0].LoadBalancerArn
	svc := must(c.CreateVpcEndpointServiceConfiguration(ctx, &ec2.CreateVpcEndpointServiceConfigurationInput{AcceptanceRequired: aws.Bool(false), GatewayLoadBalancerArns: []string{*lb}, TagSpecifications: tags(types.ResourceTypeVpcEndpointService)}))(t).ServiceConfiguration
	must(c.ModifyVpcEndpointServicePermissions(ctx, &ec2.ModifyVpcEndpointServicePermissionsInput{ServiceId: svc.ServiceId, AddAllowedPrincipals: []string{"arn:aws:iam::123456789012:root"}}))(t)
	got := must(c.DescribeVpcEndpointServiceConfigurations(ctx, &ec2.DescribeVpcEndpointServiceConfigurationsInput{ServiceIds: []string{*svc.ServiceId}}))(t).ServiceConfigurations[0]
	if got.ServiceState != types.ServiceStateAvailable || got.ServiceType[0].ServiceType != types.ServiceTypeGatewayLoadBalancer {
		t.Errorf("service = %+v", got)
	}
	if n := len(must(c.DescribeVpcEndpointServicePermissions(ctx, &ec2.DescribeVpcEndpointServicePermissionsInput{ServiceId: svc.ServiceId}))(t).AllowedPrincipals); n != 1 {
		t.Errorf("%d principals", n)
	}
	e := must(c.CreateVpcEndpoint(ctx, &ec2.CreateVpcEndpointInput{VpcId: &vpc, ServiceName: svc.ServiceName, VpcEndpointType: types.VpcEndpointTypeGatewayLoadBalancer, SubnetIds: []string{subnet}}))(t).VpcEndpoint
	now := must(c.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId}}))(t).VpcEndpoints[0]
	if now.State != "available" || len(now.NetworkInterfaceIds) != 1 {
		t.Errorf("endpoint = %+v", now)
	}
	target := must(c.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{GatewayLoadBalancerEndpointId: e.VpcEndpointId}))(t).TrafficMirrorTarget
	if target.Type != types.TrafficMirrorTargetTypeGatewayLoadBalancerEndpoint {
		t.Errorf("target = %+v", target)
	}
	if _, err := c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet}); !hasCode(err, "DependencyViolation") {
		t.Errorf("delete a subnet in use: %v", err)
	}
	must(c.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: target.TrafficMirrorTargetId}))(t)
	if u := must(c.DeleteVpcEndpoints(ctx, &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId}}))(t).Unsuccessful; len(u) != 0 {
		t.Errorf("unsuccessful = %+v", u)
	}
	if _, err := c.DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: []string{*e.VpcEndpointId}}); !hasCode(err, "InvalidVpcEndpointId.NotFound") {
		t.Errorf("describe a deleted endpoint: %v", err)
	}
	must(c.DeleteVpcEndpointServiceConfigurations(ctx, &ec2.DeleteVpcEndpointServiceConfigurationsInput{ServiceIds: []string{*svc.ServiceId}}))(t)
	must(f.elb.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: lb}))(t)
	must(c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet}))(t)
	f.destroyVPC(vpc)
}

// TestTerraformInterface is aws_network_interface and its attachment.
func TestTerraformInterface(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	vpc := f.vpc()
	subnet, far := f.subnetIn(vpc, "10.7.1.0/24", "us-east-1a"), f.subnetIn(vpc, "10.7.2.0/24", "us-east-1b")
	i := f.instance(subnet, f.group(vpc))
	e := must(c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, PrivateIpAddress: aws.String("10.7.1.100"), Description: aws.String("traffic"), TagSpecifications: tags(types.ResourceTypeNetworkInterface)}))(t).NetworkInterface
	if e.Status != "pending" || *e.PrivateIpAddress != "10.7.1.100" {
		t.Errorf("interface = %+v", e)
	}
	if err := ec2.NewNetworkInterfaceAvailableWaiter(c).Wait(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{*e.NetworkInterfaceId}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	other := f.eniIn(far)
	if _, err := c.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: &other, InstanceId: i.InstanceId, DeviceIndex: aws.Int32(2)}); !hasCode(err, "InvalidParameterCombination") {
		t.Errorf("attach across zones: %v", err)
	}
	at := must(c.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterfaceId, InstanceId: i.InstanceId, DeviceIndex: aws.Int32(1)}))(t).AttachmentId
	got := must(c.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{{Name: aws.String("attachment.attachment-id"), Values: []string{*at}}}}))(t).NetworkInterfaces
	if len(got) != 1 || got[0].Status != types.NetworkInterfaceStatusInUse || got[0].Attachment.Status != types.AttachmentStatusAttached {
		t.Errorf("attached interface = %+v", got)
	}
	must(c.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: e.NetworkInterfaceId, SourceDestCheck: &types.AttributeBooleanValue{Value: aws.Bool(false)}}))(t)
	third := f.eniIn(subnet)
	must(c.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: &third, InstanceId: i.InstanceId, DeviceIndex: aws.Int32(2)}))(t)
	fourth := f.eniIn(subnet)
	if _, err := c.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: &fourth, InstanceId: i.InstanceId, DeviceIndex: aws.Int32(3)}); !hasCode(err, "AttachmentLimitExceeded") {
		t.Errorf("a fourth interface on m5.large: %v", err)
	}
	if _, err := c.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterfaceId}); !hasCode(err, "InvalidNetworkInterface.InUse") {
		t.Errorf("delete an attached interface: %v", err)
	}
	must(c.DetachNetworkInterface(ctx, &ec2.DetachNetworkInterfaceInput{AttachmentId: at, Force: aws.Bool(true)}))(t)
	must(c.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterfaceId}))(t)
	if _, err := c.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{*e.NetworkInterfaceId}}); !hasCode(err, "InvalidNetworkInterfaceID.NotFound") {
		t.Errorf("describe a deleted interface: %v", err)
	}
}
