package ec2api_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirador/internal/ec2api"
)

// story is a client that plays through a set-up and remembers all answers.
type story struct {
	t    *testing.T
	base string
	log  []answer
}

type answer struct {
	Service string `json:"service"`
	Action  string `json:"action"`
	Status  int    `json:"status"`
	Type    string `json:"type"`
	Body    []byte `json:"body"`
}

var versions = map[string]string{"ec2": "2016-11-15", "elbv2": "2015-12-01", "sts": "2011-06-15", "cloudwatch": "2010-08-01", "sqs": "2012-11-05", "autoscaling": "2011-01-01", "iam": "2010-05-08"}

// send makes an unsigned call. action has the service before it when it is not EC2.
func (s *story) send(action string, params ...string) (int, string) {
	s.t.Helper()
	service := "ec2"
	if head, rest, ok := strings.Cut(action, ":"); ok {
		service, action = head, rest
	}
	form := url.Values{"Action": {action}, "Version": {versions[service]}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	r, err := http.Post(s.base+"/", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = append(s.log, answer{service, action, r.StatusCode, r.Header.Get("Content-Type"), b})
	return r.StatusCode, string(b)
}

// do makes a call that has to succeed.
func (s *story) do(action string, params ...string) string {
	s.t.Helper()
	code, body := s.send(action, params...)
	if code != 200 {
		s.t.Fatalf("%s %v = %d %s", action, params, code, body)
	}
	return body
}

// json makes a call in a JSON protocol. target is X-Amz-Target, or the action of SQS.
func (s *story) json(target, body string) map[string]any {
	s.t.Helper()
	prefix, action, _ := strings.Cut(target, ".")
	service := map[string]string{"AmazonSQS": "sqs", "AWSEvents": "events"}[prefix]
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+"/", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	return s.answer(service, action, r)
}

// rest makes a call whose action is in its path, signed by name only.
func (s *story) rest(service, action, method, path, body, key string) map[string]any {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	now := time.Now().UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", now)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+cmp.Or(key, "any")+"/"+now[:8]+"/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	return s.answer(service, action, r)
}

func (s *story) answer(service, action string, r *http.Request) map[string]any {
	s.t.Helper()
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != 200 {
		s.t.Fatalf("%s = %d %s %v", action, a.StatusCode, b, err)
	}
	s.log = append(s.log, answer{service, action, a.StatusCode, a.Header.Get("Content-Type"), b})
	out := map[string]any{}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &out); err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

// refuse makes a call that has to fail with this code.
func (s *story) refuse(want, action string, params ...string) {
	s.t.Helper()
	code, body := s.send(action, params...)
	if got := element(body, "Code"); code < 400 || got != want {
		s.t.Errorf("%s %v = %d %s, want %s", action, params, code, body, want)
	}
}

// element returns the text of the first element with this name.
func element(body, name string) string {
	m := regexp.MustCompile(`<` + name + `>([^<]*)</` + name + `>`).FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return m[1]
}

// id is element, for what has to be there.
func (s *story) id(body, name string) string {
	s.t.Helper()
	v := element(body, name)
	if v == "" {
		s.t.Fatalf("no %s in %s", name, body)
	}
	return v
}

// playAll calls every action once at least.
func (s *story) playAll() {
	vpc, subnet, subnet2, group := s.playNetwork()
	instance, eni := s.playInstances(subnet, group)
	nlb, endpoint := s.playBalancers(vpc, subnet, subnet2)
	s.playMirroring(instance, eni, nlb, endpoint)
	s.playOthers()
	s.playEvents()
	s.playAround(vpc, subnet, instance)
	s.playSharing()
	s.playScaling(subnet, subnet2)
	s.playScalingOptions(subnet, vpc)
	s.playOptions(vpc, subnet, group)
	s.playDeletes(vpc)
}

func (s *story) playNetwork() (vpc, subnet, subnet2, group string) {
	vpc = s.id(s.do("CreateVpc", "CidrBlock", "10.0.0.0/16", "AmazonProvidedIpv6CidrBlock", "true", "TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "a<b>&"), "vpcId")
	s.do("ModifyVpcAttribute", "VpcId", vpc, "EnableDnsHostnames.Value", "true")
	s.do("DescribeVpcAttribute", "VpcId", vpc, "Attribute", "enableDnsHostnames")
	block := s.id(s.do("AssociateVpcCidrBlock", "VpcId", vpc, "CidrBlock", "10.1.0.0/16"), "associationId")
	v := s.do("DescribeVpcs", "VpcId.1", vpc)
	six := strings.TrimSuffix(s.id(v, "ipv6CidrBlock"), "/56")
	s.do("DisassociateVpcCidrBlock", "AssociationId", block)
	s.do("DescribeDhcpOptions")
	subnet = s.id(s.do("CreateSubnet", "VpcId", vpc, "CidrBlock", "10.0.1.0/24", "AvailabilityZone", "us-east-1a"), "subnetId")
	subnet2 = s.id(s.do("CreateSubnet", "VpcId", vpc, "CidrBlock", "10.0.2.0/24", "AvailabilityZone", "us-east-1b"), "subnetId")
	assoc := s.id(s.do("AssociateSubnetCidrBlock", "SubnetId", subnet, "Ipv6CidrBlock", six+"/64"), "associationId")
	s.do("ModifySubnetAttribute", "SubnetId", subnet, "MapPublicIpOnLaunch.Value", "true")
	s.do("DescribeSubnets", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc)
	s.do("DisassociateSubnetCidrBlock", "AssociationId", assoc)

	gw := s.id(s.do("CreateInternetGateway"), "internetGatewayId")
	s.do("AttachInternetGateway", "InternetGatewayId", gw, "VpcId", vpc)
	s.do("DescribeInternetGateways", "Filter.1.Name", "attachment.vpc-id", "Filter.1.Value.1", vpc)
	table := s.id(s.do("CreateRouteTable", "VpcId", vpc), "routeTableId")
	s.do("CreateRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gw)
	s.do("ReplaceRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0", "GatewayId", gw)
	at := s.id(s.do("AssociateRouteTable", "RouteTableId", table, "SubnetId", subnet), "associationId")
	s.do("DescribeRouteTables", "RouteTableId.1", table)
	main := s.id(s.do("DescribeRouteTables", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc, "Filter.2.Name", "association.main", "Filter.2.Value.1", "true"), "routeTableId")
	at = s.id(s.do("ReplaceRouteTableAssociation", "AssociationId", at, "RouteTableId", main), "newAssociationId")
	s.do("DisassociateRouteTable", "AssociationId", at)
	s.do("DeleteRoute", "RouteTableId", table, "DestinationCidrBlock", "0.0.0.0/0")
	s.do("DeleteRouteTable", "RouteTableId", table)

	acl := s.id(s.do("CreateNetworkAcl", "VpcId", vpc), "networkAclId")
	s.do("CreateNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "100", "Protocol", "17", "RuleAction", "allow", "Egress", "false", "CidrBlock", "10.0.0.0/8", "PortRange.From", "4789", "PortRange.To", "4789")
	s.do("CreateNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "110", "Protocol", "1", "RuleAction", "allow", "Egress", "false", "CidrBlock", "10.0.0.0/8", "Icmp.Type", "-1", "Icmp.Code", "-1")
	s.do("ReplaceNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "100", "Protocol", "-1", "RuleAction", "deny", "Egress", "false", "Ipv6CidrBlock", "::/0")
	old := s.id(s.do("DescribeNetworkAcls", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", subnet), "networkAclAssociationId")
	was := element(s.do("DescribeNetworkAcls", "Filter.1.Name", "association.subnet-id", "Filter.1.Value.1", subnet), "networkAclId")
	// The first association of the ACL may be another subnet's; moving any there and back will do.
	moved := s.id(s.do("ReplaceNetworkAclAssociation", "AssociationId", old, "NetworkAclId", acl), "newAssociationId")
	s.do("ReplaceNetworkAclAssociation", "AssociationId", moved, "NetworkAclId", was)
	s.do("DeleteNetworkAclEntry", "NetworkAclId", acl, "RuleNumber", "100", "Egress", "false")
	s.do("DeleteNetworkAcl", "NetworkAclId", acl)

	group = s.id(s.do("CreateSecurityGroup", "GroupName", "traffic", "GroupDescription", "traffic interface", "VpcId", vpc), "groupId")
	rule := s.id(s.do("AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "udp", "IpPermissions.1.FromPort", "4789", "IpPermissions.1.ToPort", "4789", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/16", "IpPermissions.1.IpRanges.1.Description", "mirrors",
		"IpPermissions.2.IpProtocol", "tcp", "IpPermissions.2.FromPort", "80", "IpPermissions.2.ToPort", "80", "IpPermissions.2.Groups.1.GroupId", group, "IpPermissions.3.IpProtocol", "-1", "IpPermissions.3.Ipv6Ranges.1.CidrIpv6", "::/0"), "securityGroupRuleId")
	s.do("AuthorizeSecurityGroupEgress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "443", "IpPermissions.1.ToPort", "443", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/16")
	s.do("UpdateSecurityGroupRuleDescriptionsIngress", "GroupId", group, "SecurityGroupRuleDescription.1.SecurityGroupRuleId", rule, "SecurityGroupRuleDescription.1.Description", "all mirrors")
	s.do("UpdateSecurityGroupRuleDescriptionsEgress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "443", "IpPermissions.1.ToPort", "443", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/16", "IpPermissions.1.IpRanges.1.Description", "x")
	s.do("ModifySecurityGroupRules", "GroupId", group, "SecurityGroupRule.1.SecurityGroupRuleId", rule, "SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "udp", "SecurityGroupRule.1.SecurityGroupRule.FromPort", "4789", "SecurityGroupRule.1.SecurityGroupRule.ToPort", "4789", "SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "10.0.0.0/8")
	s.do("DescribeSecurityGroups", "GroupId.1", group)
	s.do("DescribeSecurityGroupRules", "Filter.1.Name", "group-id", "Filter.1.Value.1", group)
	s.do("RevokeSecurityGroupIngress", "GroupId", group, "SecurityGroupRuleId.1", rule)
	s.do("RevokeSecurityGroupEgress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "443", "IpPermissions.1.ToPort", "443", "IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/16")
	return vpc, subnet, subnet2, group
}

func (s *story) playInstances(subnet, group string) (instance, eni string) {
	s.do("ImportKeyPair", "KeyName", "k1", "PublicKeyMaterial", base64.StdEncoding.EncodeToString([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS me")))
	s.do("CreateKeyPair", "KeyName", "k2", "KeyType", "ed25519")
	s.do("DescribeKeyPairs", "IncludePublicKey", "true")
	s.do("DeleteKeyPair", "KeyName", "k2")
	image := s.id(s.do("DescribeImages", "Owner.1", "amazon", "Filter.1.Name", "name", "Filter.1.Value.1", "al2023-ami-2023*x86_64"), "imageId")
	run := s.do("RunInstances", "ImageId", image, "InstanceType", "t3.large", "MinCount", "2", "MaxCount", "2", "SubnetId", subnet, "SecurityGroupId.1", group, "KeyName", "k1", "ClientToken", "once",
		"IamInstanceProfile.Name", "sensor", "BlockDeviceMapping.1.DeviceName", "/dev/xvda", "BlockDeviceMapping.1.Ebs.VolumeSize", "100", "TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "web")
	instance = s.id(run, "instanceId")
	s.do("DescribeInstances", "InstanceId.1", instance)
	s.do("DescribeInstanceStatus", "InstanceId.1", instance)
	for _, a := range []string{"instanceType", "userData", "disableApiTermination", "disableApiStop", "instanceInitiatedShutdownBehavior", "rootDeviceName", "blockDeviceMapping", "sourceDestCheck", "groupSet", "ebsOptimized", "productCodes", "enaSupport", "enclaveOptions", "kernel"} {
		s.do("DescribeInstanceAttribute", "InstanceId", instance, "Attribute", a)
	}
	s.do("ModifyInstanceAttribute", "InstanceId", instance, "DisableApiTermination.Value", "false")
	s.do("ModifyInstanceMetadataOptions", "InstanceId", instance, "HttpTokens", "optional")
	s.do("DescribeInstanceCreditSpecifications", "InstanceId.1", instance)
	s.do("ModifyInstanceCreditSpecification", "InstanceCreditSpecification.1.InstanceId", instance, "InstanceCreditSpecification.1.CpuCredits", "standard")
	s.do("MonitorInstances", "InstanceId.1", instance)
	s.do("UnmonitorInstances", "InstanceId.1", instance)
	s.do("StopInstances", "InstanceId.1", instance)
	s.do("StartInstances", "InstanceId.1", instance)
	s.do("RebootInstances", "InstanceId.1", instance)
	s.do("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", instance)
	s.do("DescribeInstanceTypes", "InstanceType.1", "m5.xlarge", "InstanceType.2", "c5.metal", "InstanceType.3", "t4g.nano")
	s.do("DescribeInstanceTypeOfferings", "LocationType", "availability-zone", "Filter.1.Name", "instance-type", "Filter.1.Value.1", "m5.*")

	eni = s.id(s.do("CreateNetworkInterface", "SubnetId", subnet, "SecurityGroupId.1", group, "Description", "traffic", "ClientToken", "eni-1"), "networkInterfaceId")
	at := s.id(s.do("AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", instance, "DeviceIndex", "1"), "attachmentId")
	s.do("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attachment.AttachmentId", at, "Attachment.DeleteOnTermination", "true")
	s.do("DescribeNetworkInterfaces", "NetworkInterfaceId.1", eni)
	for _, a := range []string{"description", "groupSet", "sourceDestCheck", "attachment", "associatePublicIpAddress"} {
		s.do("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Attribute", a)
	}
	more := s.id(s.do("AssignPrivateIpAddresses", "NetworkInterfaceId", eni, "SecondaryPrivateIpAddressCount", "1"), "privateIpAddress")
	s.do("UnassignPrivateIpAddresses", "NetworkInterfaceId", eni, "PrivateIpAddress.1", more)
	s.do("DetachNetworkInterface", "AttachmentId", at)
	s.do("DeleteNetworkInterface", "NetworkInterfaceId", s.id(s.do("CreateNetworkInterface", "SubnetId", subnet), "networkInterfaceId"))
	vpc := s.id(s.do("DescribeSubnets", "SubnetId.1", subnet), "vpcId")
	block := s.id(s.do("DescribeVpcs", "VpcId.1", vpc), "ipv6CidrBlock")
	s.do("AssociateSubnetCidrBlock", "SubnetId", subnet, "Ipv6CidrBlock", strings.TrimSuffix(block, "56")+"64")
	six := s.id(strings.Replace(s.do("AssignIpv6Addresses", "NetworkInterfaceId", eni, "Ipv6AddressCount", "1"), "<item>", "<six>", 1), "networkInterfaceId")
	addr := s.id(s.do("DescribeNetworkInterfaces", "NetworkInterfaceId.1", six), "ipv6Address")
	s.do("UnassignIpv6Addresses", "NetworkInterfaceId", eni, "Ipv6Addresses.1", addr)
	return instance, eni
}

func (s *story) playBalancers(vpc, subnet, subnet2 string) (nlb, endpoint string) {
	nlb = s.id(s.do("elbv2:CreateLoadBalancer", "Name", "mirrors", "Type", "network", "Scheme", "internal", "Subnets.member.1", subnet, "Subnets.member.2", subnet2, "Tags.member.1.Key", "a", "Tags.member.1.Value", "b"), "LoadBalancerArn")
	group := s.id(s.do("DescribeSecurityGroups", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc), "groupId")
	grouped := s.id(s.do("elbv2:CreateLoadBalancer", "Name", "grouped", "Type", "network", "Scheme", "internal", "SubnetMappings.member.1.SubnetId", subnet, "SecurityGroups.member.1", group), "LoadBalancerArn")
	s.do("elbv2:SetSecurityGroups", "LoadBalancerArn", grouped, "SecurityGroups.member.1", group)
	s.do("elbv2:SetSubnets", "LoadBalancerArn", grouped, "Subnets.member.1", subnet, "Subnets.member.2", subnet2)
	s.do("elbv2:SetIpAddressType", "LoadBalancerArn", grouped, "IpAddressType", "ipv4")
	s.do("elbv2:DescribeLoadBalancers", "LoadBalancerArns.member.1", nlb)
	s.do("elbv2:DescribeCapacityReservation", "LoadBalancerArn", nlb)
	s.do("elbv2:DescribeLoadBalancerAttributes", "LoadBalancerArn", nlb)
	s.do("elbv2:ModifyLoadBalancerAttributes", "LoadBalancerArn", nlb, "Attributes.member.1.Key", "load_balancing.cross_zone.enabled", "Attributes.member.1.Value", "true")
	tg := s.id(s.do("elbv2:CreateTargetGroup", "Name", "sensors", "Protocol", "UDP", "Port", "4789", "VpcId", vpc, "TargetType", "ip", "HealthCheckProtocol", "HTTP", "HealthCheckPath", "/api/2.0/status", "HealthCheckPort", "80", "Matcher.HttpCode", "200-399"), "TargetGroupArn")
	s.do("elbv2:ModifyTargetGroup", "TargetGroupArn", tg, "HealthCheckIntervalSeconds", "10")
	s.do("elbv2:DescribeTargetGroups", "Names.member.1", "sensors")
	s.do("elbv2:DescribeTargetGroupAttributes", "TargetGroupArn", tg)
	s.do("elbv2:ModifyTargetGroupAttributes", "TargetGroupArn", tg, "Attributes.member.1.Key", "stickiness.enabled", "Attributes.member.1.Value", "true")
	l := s.id(s.do("elbv2:CreateListener", "LoadBalancerArn", nlb, "Protocol", "UDP", "Port", "4789", "DefaultActions.member.1.Type", "forward", "DefaultActions.member.1.TargetGroupArn", tg), "ListenerArn")
	s.do("elbv2:ModifyListener", "ListenerArn", l, "Port", "4790")
	s.do("elbv2:ModifyListener", "ListenerArn", l, "Port", "4789")
	s.do("elbv2:DescribeListeners", "LoadBalancerArn", nlb)
	s.do("elbv2:DescribeListenerAttributes", "ListenerArn", l)
	tcp := s.id(s.do("elbv2:CreateTargetGroup", "Name", "tcp", "Protocol", "TCP", "Port", "80", "VpcId", vpc), "TargetGroupArn")
	tcpListener := s.id(s.do("elbv2:CreateListener", "LoadBalancerArn", nlb, "Protocol", "TCP", "Port", "80", "DefaultActions.member.1.Type", "forward", "DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn", tcp), "ListenerArn")
	s.do("elbv2:ModifyListenerAttributes", "ListenerArn", tcpListener, "Attributes.member.1.Key", "tcp.idle_timeout.seconds", "Attributes.member.1.Value", "600")
	s.do("elbv2:DescribeListenerCertificates", "ListenerArn", l)
	s.refuse("OperationNotPermitted", "elbv2:DeleteRule", "RuleArn", s.id(s.do("elbv2:DescribeRules", "ListenerArn", l), "RuleArn"))
	s.refuse("InvalidConfigurationRequest", "elbv2:CreateRule", "ListenerArn", l, "Priority", "1", "Conditions.member.1.Field", "path-pattern", "Actions.member.1.Type", "forward")
	s.do("elbv2:DescribeAccountLimits")
	s.do("elbv2:RegisterTargets", "TargetGroupArn", tg, "Targets.member.1.Id", "10.0.1.200")
	s.do("elbv2:DescribeTargetHealth", "TargetGroupArn", tg)
	s.do("elbv2:DeregisterTargets", "TargetGroupArn", tg, "Targets.member.1.Id", "10.0.1.200")
	s.do("elbv2:AddTags", "ResourceArns.member.1", tg, "Tags.member.1.Key", "x", "Tags.member.1.Value", "y")
	s.do("elbv2:DescribeTags", "ResourceArns.member.1", tg, "ResourceArns.member.2", nlb)
	s.do("elbv2:RemoveTags", "ResourceArns.member.1", tg, "TagKeys.member.1", "x")
	s.do("elbv2:DeleteListener", "ListenerArn", l)
	s.do("elbv2:DeleteTargetGroup", "TargetGroupArn", tg)
	s.do("elbv2:DeleteLoadBalancer", "LoadBalancerArn", grouped)

	gwlb := s.id(s.do("elbv2:CreateLoadBalancer", "Name", "pool", "Type", "gateway", "Subnets.member.1", subnet), "LoadBalancerArn")
	geneve := s.id(s.do("elbv2:CreateTargetGroup", "Name", "appliances", "Protocol", "GENEVE", "Port", "6081", "VpcId", vpc, "TargetType", "ip"), "TargetGroupArn")
	s.do("elbv2:CreateListener", "LoadBalancerArn", gwlb, "DefaultActions.member.1.Type", "forward", "DefaultActions.member.1.TargetGroupArn", geneve)
	svc := s.do("CreateVpcEndpointServiceConfiguration", "GatewayLoadBalancerArn.1", gwlb, "AcceptanceRequired", "true")
	service, name := s.id(svc, "serviceId"), s.id(svc, "serviceName")
	s.do("ModifyVpcEndpointServicePermissions", "ServiceId", service, "AddAllowedPrincipals.1", "arn:aws:iam::123456789012:root")
	s.do("DescribeVpcEndpointServicePermissions", "ServiceId", service)
	s.do("DescribeVpcEndpointServiceConfigurations", "ServiceId.1", service)
	s.do("DescribeVpcEndpointServices")
	endpoint = s.id(s.do("CreateVpcEndpoint", "VpcId", vpc, "ServiceName", name, "VpcEndpointType", "GatewayLoadBalancer", "SubnetId.1", subnet), "vpcEndpointId")
	s.do("DescribeVpcEndpointConnections", "Filter.1.Name", "service-id", "Filter.1.Value.1", service)
	s.do("AcceptVpcEndpointConnections", "ServiceId", service, "VpcEndpointId.1", endpoint)
	s.do("RejectVpcEndpointConnections", "ServiceId", service, "VpcEndpointId.1", "vpce-00000000000000000")
	s.do("ModifyVpcEndpointServiceConfiguration", "ServiceId", service, "AcceptanceRequired", "false")
	s.do("DescribeVpcEndpoints", "VpcEndpointId.1", endpoint)
	iface := s.id(s.do("CreateVpcEndpoint", "VpcId", vpc, "ServiceName", "com.amazonaws.us-east-1.ec2", "VpcEndpointType", "Interface", "SubnetId.1", subnet), "vpcEndpointId")
	s.do("ModifyVpcEndpoint", "VpcEndpointId", iface, "AddSubnetId.1", subnet2)
	s.do("DescribeVpcEndpoints", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc)
	s.do("DeleteVpcEndpointServiceConfigurations", "ServiceId.1", service)
	s.do("DeleteVpcEndpoints", "VpcEndpointId.1", iface)
	lists := s.do("DescribeManagedPrefixLists")
	s.do("DescribePrefixLists")
	s.do("GetManagedPrefixListEntries", "PrefixListId", s.id(lists, "prefixListId"))
	return nlb, endpoint
}

func (s *story) playMirroring(instance, eni, nlb, endpoint string) {
	source := s.id(s.do("DescribeNetworkInterfaces", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", instance), "networkInterfaceId")
	target := s.id(s.do("CreateTrafficMirrorTarget", "NetworkInterfaceId", eni, "Description", "sensor", "ClientToken", "t1", "TagSpecification.1.ResourceType", "traffic-mirror-target", "TagSpecification.1.Tag.1.Key", "Name", "TagSpecification.1.Tag.1.Value", "sensor"), "trafficMirrorTargetId")
	behind := s.id(s.do("CreateTrafficMirrorTarget", "NetworkLoadBalancerArn", nlb), "trafficMirrorTargetId")
	s.do("CreateTrafficMirrorTarget", "GatewayLoadBalancerEndpointId", endpoint)
	filter := s.id(s.do("CreateTrafficMirrorFilter", "Description", "all"), "trafficMirrorFilterId")
	s.do("ModifyTrafficMirrorFilterNetworkServices", "TrafficMirrorFilterId", filter, "AddNetworkService.1", "amazon-dns")
	rule := s.id(s.do("CreateTrafficMirrorFilterRule", "TrafficMirrorFilterId", filter, "TrafficDirection", "ingress", "RuleNumber", "100", "RuleAction", "accept", "SourceCidrBlock", "0.0.0.0/0", "DestinationCidrBlock", "0.0.0.0/0", "Protocol", "17",
		"DestinationPortRange.FromPort", "53", "DestinationPortRange.ToPort", "53", "SourcePortRange.FromPort", "1", "SourcePortRange.ToPort", "65535", "Description", "dns"), "trafficMirrorFilterRuleId")
	s.do("ModifyTrafficMirrorFilterRule", "TrafficMirrorFilterRuleId", rule, "RuleNumber", "110", "RemoveField.1", "source-port-range")
	s.do("DescribeTrafficMirrorFilterRules", "TrafficMirrorFilterId", filter)
	s.do("DescribeTrafficMirrorFilters", "TrafficMirrorFilterId.1", filter)
	s.do("DescribeTrafficMirrorTargets")
	session := s.id(s.do("CreateTrafficMirrorSession", "NetworkInterfaceId", source, "TrafficMirrorTargetId", target, "TrafficMirrorFilterId", filter, "SessionNumber", "1", "VirtualNetworkId", "1169", "PacketLength", "200", "Description", "web"), "trafficMirrorSessionId")
	s.do("ModifyTrafficMirrorSession", "TrafficMirrorSessionId", session, "TrafficMirrorTargetId", behind, "RemoveField.1", "packet-length", "RemoveField.2", "description")
	s.do("DescribeTrafficMirrorSessions", "Filter.1.Name", "virtual-network-id", "Filter.1.Value.1", "1169")
	s.do("CreateTags", "ResourceId.1", session, "ResourceId.2", instance, "Tag.1.Key", "managed-by", "Tag.1.Value", "mirador")
	s.do("DescribeTags", "Filter.1.Name", "resource-id", "Filter.1.Value.1", session)
	s.do("DeleteTags", "ResourceId.1", session, "Tag.1.Key", "managed-by")
	s.do("DeleteTrafficMirrorSession", "TrafficMirrorSessionId", session)
	s.do("DeleteTrafficMirrorFilterRule", "TrafficMirrorFilterRuleId", rule)
	s.do("DeleteTrafficMirrorFilter", "TrafficMirrorFilterId", filter)
	s.do("DeleteTrafficMirrorTarget", "TrafficMirrorTargetId", target)
}

func (s *story) playOthers() {
	for _, a := range []string{
		"DescribeAvailabilityZones", "DescribeRegions", "DescribeAccountAttributes", "DescribeTransitGatewayVpcAttachments",
		"DescribeTransitGateways", "DescribeVpnGateways", "DescribeFlowLogs", "DescribeVpcClassicLink", "DescribeVpcClassicLinkDnsSupport", "GetEbsDefaultKmsKeyId",
		"GetEbsEncryptionByDefault", "DescribeIamInstanceProfileAssociations",
		"sts:GetCallerIdentity", "sts:GetSessionToken", "cloudwatch:ListMetrics",
	} {
		s.do(a)
	}
	s.do("sts:AssumeRole", "RoleArn", "arn:aws:iam::123456789012:role/setup", "RoleSessionName", "test")
	s.do("cloudwatch:GetMetricData", "StartTime", "2026-11-01T00:00:00Z", "EndTime", "2026-11-01T01:00:00Z", "MetricDataQueries.member.1.Id", "m1", "MetricDataQueries.member.1.MetricStat.Metric.Namespace", "AWS/EC2",
		"MetricDataQueries.member.1.MetricStat.Metric.MetricName", "NetworkMirrorOut", "MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name", "InstanceId", "MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value", "i-1",
		"MetricDataQueries.member.1.MetricStat.Period", "300", "MetricDataQueries.member.1.MetricStat.Stat", "Sum")
	s.do("cloudwatch:GetMetricStatistics", "StartTime", "2026-11-01T00:00:00Z", "EndTime", "2026-11-01T01:00:00Z", "Namespace", "AWS/EC2", "MetricName", "NetworkMirrorOut", "Period", "300", "Statistics.member.1", "Sum", "Statistics.member.2", "Maximum")
	s.do("sts:GetAccessKeyInfo", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE")
	s.refuse("InvalidAuthorizationMessageException", "sts:DecodeAuthorizationMessage", "EncodedMessage", "x")
	s.refuse("InvalidConfigurationRequest", "elbv2:ModifyRule", "RuleArn", "arn:x")
	s.refuse("InvalidConfigurationRequest", "elbv2:DeleteRule", "RuleArn", "arn:x")
	s.refuse("InvalidAction", "ModifyEverything")
}

// playSharing calls Resource Access Manager. The second account is that of the key other.
func (s *story) playSharing() {
	target := "arn:aws:ec2:us-east-1:123456789012:traffic-mirror-target/" + s.id(s.do("DescribeTrafficMirrorTargets"), "trafficMirrorTargetId")
	key := ""
	ram := func(action, body string) map[string]any {
		s.t.Helper()
		method, path := http.MethodPost, "/"+strings.ToLower(action)
		if action == "DeleteResourceShare" {
			method, path, body = http.MethodDelete, path+"?"+body, ""
		}
		return s.rest("ram", action, method, path, body, key)
	}
	share, _ := ram("CreateResourceShare", `{"name":"mirrors","resourceArns":["`+target+`"],"principals":["210987654321"],"tags":[{"key":"a","value":"b"}],"clientToken":"t"}`)["resourceShare"].(map[string]any)
	arn, _ := share["resourceShareArn"].(string)
	id := `"resourceShareArn":"` + arn + `"`
	ram("UpdateResourceShare", `{`+id+`,"name":"mirror targets"}`)
	ram("TagResource", `{`+id+`,"tags":[{"key":"c","value":"d"}]}`)
	ram("UntagResource", `{`+id+`,"tagKeys":["c"]}`)
	ram("GetResourceShares", `{"resourceOwner":"SELF","maxResults":1}`)
	ram("ListResourceSharePermissions", `{`+id+`}`)
	ram("ListResourceTypes", `{}`)
	key = "other"
	list, _ := ram("GetResourceShareInvitations", `{}`)["resourceShareInvitations"].([]any)
	if len(list) != 1 {
		s.t.Fatalf("invitations: %v", list)
	}
	ram("AcceptResourceShareInvitation", `{"resourceShareInvitationArn":"`+list[0].(map[string]any)["resourceShareInvitationArn"].(string)+`"}`)
	ram("ListResources", `{"resourceOwner":"OTHER-ACCOUNTS"}`)
	ram("ListPrincipals", `{"resourceOwner":"OTHER-ACCOUNTS"}`)
	key = ""
	ram("GetResourceShareAssociations", `{"associationType":"PRINCIPAL"}`)
	ram("DisassociateResourceShare", `{`+id+`,"principals":["210987654321"]}`)
	ram("AssociateResourceShare", `{`+id+`,"principals":["210987654321"]}`)
	key = "other"
	list, _ = ram("GetResourceShareInvitations", `{"resourceShareArns":["`+arn+`"]}`)["resourceShareInvitations"].([]any)
	ram("RejectResourceShareInvitation", `{"resourceShareInvitationArn":"`+list[0].(map[string]any)["resourceShareInvitationArn"].(string)+`"}`)
	key = ""
	ram("EnableSharingWithAwsOrganization", `{}`)
	ram("DeleteResourceShare", "resourceShareArn="+url.QueryEscape(arn))
}

// playAround calls what is around the network: addresses, gateways, peerings, templates.
func (s *story) playAround(vpc, subnet, instance string) {
	spec := func(kind string) []string {
		return []string{"TagSpecification.1.ResourceType", kind, "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b"}
	}
	address := s.id(s.do("AllocateAddress", append(spec("elastic-ip"), "Domain", "vpc")...), "allocationId")
	eni := s.id(s.do("CreateNetworkInterface", "SubnetId", subnet), "networkInterfaceId")
	at := s.id(s.do("AssociateAddress", "AllocationId", address, "NetworkInterfaceId", eni), "associationId")
	s.do("DescribeAddresses", "AllocationId.1", address)
	s.do("DescribeAddressesAttribute", "AllocationId.1", address, "Attribute", "domain-name")
	s.do("DescribeNetworkInterfaces", "Filter.1.Name", "association.allocation-id", "Filter.1.Value.1", address)
	s.do("DisassociateAddress", "AssociationId", at)
	nat := s.id(s.do("CreateNatGateway", append(spec("natgateway"), "SubnetId", subnet, "AllocationId", address)...), "natGatewayId")
	s.do("DescribeNatGateways", "NatGatewayId.1", nat)
	s.do("DescribeNetworkInterfaces", "Filter.1.Name", "interface-type", "Filter.1.Value.1", "nat_gateway")
	s.do("DeleteNatGateway", "NatGatewayId", nat)
	s.do("ReleaseAddress", "AllocationId", address)
	s.do("DescribeNatGateways")

	other := s.id(s.do("CreateVpc", "CidrBlock", "10.44.0.0/16"), "vpcId")
	peer := func() string {
		return s.id(s.do("CreateVpcPeeringConnection", append(spec("vpc-peering-connection"), "VpcId", vpc, "PeerVpcId", other)...), "vpcPeeringConnectionId")
	}
	s.do("RejectVpcPeeringConnection", "VpcPeeringConnectionId", peer())
	p := peer()
	s.do("AcceptVpcPeeringConnection", "VpcPeeringConnectionId", p)
	s.do("ModifyVpcPeeringConnectionOptions", "VpcPeeringConnectionId", p, "RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "true", "AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "false")
	s.do("DescribeVpcPeeringConnections")
	s.do("DeleteVpcPeeringConnection", "VpcPeeringConnectionId", p)
	out := s.id(s.do("CreateEgressOnlyInternetGateway", append(spec("egress-only-internet-gateway"), "VpcId", vpc)...), "egressOnlyInternetGatewayId")
	s.do("DescribeEgressOnlyInternetGateways")
	s.do("DeleteEgressOnlyInternetGateway", "EgressOnlyInternetGatewayId", out)
	d := s.id(s.do("CreateDhcpOptions", append(spec("dhcp-options"), "DhcpConfiguration.1.Key", "domain-name", "DhcpConfiguration.1.Value.1", "x.test")...), "dhcpOptionsId")
	s.do("AssociateDhcpOptions", "DhcpOptionsId", d, "VpcId", other)
	s.refuse("DependencyViolation", "DeleteDhcpOptions", "DhcpOptionsId", d)
	s.do("AssociateDhcpOptions", "DhcpOptionsId", "default", "VpcId", other)
	s.do("DescribeDhcpOptions", "DhcpOptionsId.1", d)
	s.do("DeleteDhcpOptions", "DhcpOptionsId", d)
	l := s.id(s.do("CreateManagedPrefixList", append(spec("prefix-list"), "PrefixListName", "mine", "AddressFamily", "IPv4", "MaxEntries", "5", "Entry.1.Cidr", "10.0.0.0/8", "Entry.1.Description", "x")...), "prefixListId")
	s.do("ModifyManagedPrefixList", "PrefixListId", l, "CurrentVersion", "1", "AddEntry.1.Cidr", "10.9.0.0/16", "RemoveEntry.1.Cidr", "10.0.0.0/8")
	s.do("DescribeManagedPrefixLists", "PrefixListId.1", l)
	s.do("GetManagedPrefixListEntries", "PrefixListId", l)
	s.do("GetManagedPrefixListAssociations", "PrefixListId", l)
	s.do("DeleteManagedPrefixList", "PrefixListId", l)
	s.do("DescribeIamInstanceProfileAssociations", "Filter.1.Name", "instance-id", "Filter.1.Value.1", instance)
}

// playScaling calls launch templates and Auto Scaling groups.
func (s *story) playScaling(subnet, subnet2 string) {
	t := s.id(s.do("CreateLaunchTemplate", "LaunchTemplateName", "sources", "VersionDescription", "first", "LaunchTemplateData.ImageId", "ami-0123456789abcdef0", "LaunchTemplateData.InstanceType", "m5.large", "LaunchTemplateData.UserData", "YQ==",
		"LaunchTemplateData.NetworkInterface.1.DeviceIndex", "0", "LaunchTemplateData.NetworkInterface.1.AssociatePublicIpAddress", "false", "LaunchTemplateData.NetworkInterface.1.DeleteOnTermination", "true",
		"LaunchTemplateData.BlockDeviceMapping.1.DeviceName", "/dev/xvda", "LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize", "9", "LaunchTemplateData.Monitoring.Enabled", "true", "LaunchTemplateData.MetadataOptions.HttpTokens", "required",
		"LaunchTemplateData.TagSpecification.1.ResourceType", "instance", "LaunchTemplateData.TagSpecification.1.Tag.1.Key", "role", "LaunchTemplateData.TagSpecification.1.Tag.1.Value", "source",
		"TagSpecification.1.ResourceType", "launch-template", "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b"), "launchTemplateId")
	s.do("CreateLaunchTemplateVersion", "LaunchTemplateId", t, "SourceVersion", "1", "LaunchTemplateData.InstanceType", "m5.xlarge")
	s.do("CreateLaunchTemplateVersion", "LaunchTemplateName", "sources", "SourceVersion", "$Latest", "LaunchTemplateData.SecurityGroupId.1", "sg-00000000")
	s.do("ModifyLaunchTemplate", "LaunchTemplateId", t, "SetDefaultVersion", "2")
	s.do("DescribeLaunchTemplates", "LaunchTemplateName.1", "sources")
	s.do("DescribeLaunchTemplateVersions", "LaunchTemplateId", t, "LaunchTemplateVersion.1", "$Default", "LaunchTemplateVersion.2", "1")
	s.do("DeleteLaunchTemplateVersions", "LaunchTemplateId", t, "LaunchTemplateVersion.1", "3", "LaunchTemplateVersion.2", "2", "LaunchTemplateVersion.3", "77")
	s.do("RunInstances", "MinCount", "1", "MaxCount", "1", "LaunchTemplate.LaunchTemplateId", t)
	s.do("autoscaling:CreateAutoScalingGroup", "AutoScalingGroupName", "g", "MinSize", "1", "MaxSize", "3", "DesiredCapacity", "2", "LaunchTemplate.LaunchTemplateName", "sources", "LaunchTemplate.Version", "$Latest", "VPCZoneIdentifier", subnet+","+subnet2,
		"Tags.member.1.Key", "team", "Tags.member.1.Value", "net", "Tags.member.1.PropagateAtLaunch", "true")
	s.do("autoscaling:SetDesiredCapacity", "AutoScalingGroupName", "g", "DesiredCapacity", "3")
	s.do("autoscaling:UpdateAutoScalingGroup", "AutoScalingGroupName", "g", "MaxSize", "2")
	s.do("autoscaling:DescribeAutoScalingInstances")
	s.do("autoscaling:CreateOrUpdateTags", "Tags.member.1.ResourceId", "g", "Tags.member.1.ResourceType", "auto-scaling-group", "Tags.member.1.Key", "x", "Tags.member.1.Value", "y", "Tags.member.1.PropagateAtLaunch", "false")
	s.do("autoscaling:DeleteTags", "Tags.member.1.ResourceId", "g", "Tags.member.1.ResourceType", "auto-scaling-group", "Tags.member.1.Key", "x")
	s.do("autoscaling:DescribeTags", "Filters.member.1.Name", "auto-scaling-group", "Filters.member.1.Values.member.1", "g")
	all := s.do("autoscaling:DescribeAutoScalingGroups", "AutoScalingGroupNames.member.1", "g")
	s.do("autoscaling:TerminateInstanceInAutoScalingGroup", "InstanceId", s.id(all, "InstanceId"), "ShouldDecrementDesiredCapacity", "false")
	s.do("autoscaling:DescribeScalingActivities", "AutoScalingGroupName", "g")
	s.refuse("ResourceInUse", "autoscaling:DeleteAutoScalingGroup", "AutoScalingGroupName", "g")
	s.do("autoscaling:DeleteAutoScalingGroup", "AutoScalingGroupName", "g", "ForceDelete", "true")
	s.do("DeleteLaunchTemplate", "LaunchTemplateId", t)
}

func (s *story) playEvents() {
	u, _ := s.json("AmazonSQS.CreateQueue", `{"QueueName":"q","tags":{"a":"b"}}`)["QueueUrl"].(string)
	q := func(action, rest string) map[string]any {
		return s.json("AmazonSQS."+action, `{"QueueUrl":"`+u+`"`+rest+`}`)
	}
	s.json("AmazonSQS.GetQueueUrl", `{"QueueName":"q"}`)
	s.json("AmazonSQS.ListQueues", `{}`)
	q("SetQueueAttributes", `,"Attributes":{"VisibilityTimeout":"10"}`)
	q("GetQueueAttributes", `,"AttributeNames":["All"]`)
	q("SendMessage", `,"MessageBody":"a","MessageAttributes":{"x":{"DataType":"String","StringValue":"y"}}`)
	q("SendMessageBatch", `,"Entries":[{"Id":"1","MessageBody":"b"},{"Id":"2","MessageBody":"c"},{"Id":"3","MessageBody":"d"}]`)
	got, _ := q("ReceiveMessage", `,"MaxNumberOfMessages":4,"MessageAttributeNames":["All"],"AttributeNames":["All"]`)["Messages"].([]any)
	if len(got) != 4 {
		s.t.Fatalf("%d messages, want 4", len(got))
	}
	handle := func(i int) string {
		return `"ReceiptHandle":"` + got[i].(map[string]any)["ReceiptHandle"].(string) + `"`
	}
	q("ChangeMessageVisibility", `,"VisibilityTimeout":5,`+handle(0))
	q("ChangeMessageVisibilityBatch", `,"Entries":[{"Id":"1","VisibilityTimeout":5,`+handle(1)+`},{"Id":"2","VisibilityTimeout":5,"ReceiptHandle":"?"}]`)
	q("DeleteMessage", `,`+handle(2))
	q("DeleteMessageBatch", `,"Entries":[{"Id":"1",`+handle(3)+`}]`)
	q("TagQueue", `,"Tags":{"c":"d"}`)
	q("UntagQueue", `,"TagKeys":["a"]`)
	q("ListQueueTags", ``)
	q("PurgeQueue", ``)
	rule := s.json("AWSEvents.PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"x\"]}","Tags":[{"Key":"a","Value":"b"}]}`)["RuleArn"].(string)
	for _, c := range [][2]string{
		{"PutTargets", `{"Rule":"r","Targets":[{"Id":"1","Arn":"arn:aws:sqs:us-east-1:123456789012:q","InputPath":"$.detail"}]}`}, {"DescribeRule", `{"Name":"r"}`}, {"ListRules", `{}`},
		{"DisableRule", `{"Name":"r"}`}, {"EnableRule", `{"Name":"r"}`}, {"ListTargetsByRule", `{"Rule":"r"}`}, {"ListRuleNamesByTarget", `{"TargetArn":"arn:aws:sqs:us-east-1:123456789012:q"}`},
		{"PutEvents", `{"Entries":[{"Source":"x","DetailType":"t","Detail":"{\"a\":1}"}]}`}, {"TestEventPattern", `{"EventPattern":"{\"a\":[1]}","Event":"{}"}`},
		{"ListEventBuses", `{}`}, {"DescribeEventBus", `{}`}, {"ListTagsForResource", `{"ResourceARN":"` + rule + `"}`}, {"TagResource", `{"ResourceARN":"` + rule + `","Tags":[{"Key":"c","Value":"d"}]}`},
		{"UntagResource", `{"ResourceARN":"` + rule + `","TagKeys":["c"]}`}, {"RemoveTargets", `{"Rule":"r","Ids":["1","2"]}`}, {"DeleteRule", `{"Name":"r"}`},
	} {
		s.json("AWSEvents."+c[0], c[1])
	}
	if got, _ := q("ReceiveMessage", ``)["Messages"].([]any); len(got) != 1 || got[0].(map[string]any)["Body"] != `{"a":1}` {
		s.t.Errorf("delivered %v", got)
	}
	q("DeleteQueue", ``)
}

func (s *story) playDeletes(vpc string) {
	s.do("DeleteSubnet", "SubnetId", s.id(s.do("CreateSubnet", "VpcId", vpc, "CidrBlock", "10.0.77.0/24"), "subnetId"))
	s.do("DeleteSecurityGroup", "GroupId", s.id(s.do("CreateSecurityGroup", "GroupName", "gone", "GroupDescription", "gone", "VpcId", vpc), "groupId"))
	gw := s.id(s.do("DescribeInternetGateways", "Filter.1.Name", "attachment.vpc-id", "Filter.1.Value.1", vpc), "internetGatewayId")
	list := s.do("DescribeInstances", "Filter.1.Name", "vpc-id", "Filter.1.Value.1", vpc)
	params := []string{}
	for i, m := range regexp.MustCompile(`<instanceId>(i-[0-9a-f]+)<`).FindAllStringSubmatch(list, -1) {
		params = append(params, "InstanceId."+strconv.Itoa(i+1), m[1])
	}
	s.do("TerminateInstances", params...)
	s.do("DescribeInstances", "Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "terminated")
	s.do("DetachInternetGateway", "InternetGatewayId", gw, "VpcId", vpc)
	s.do("DeleteInternetGateway", "InternetGatewayId", gw)
	s.do("DeleteVpc", "VpcId", s.id(s.do("CreateVpc", "CidrBlock", "10.9.0.0/16"), "vpcId"))
	std := s.id(s.do("DescribeVpcs", "Filter.1.Name", "isDefault", "Filter.1.Value.1", "true"), "vpcId")
	s.refuse("DependencyViolation", "DeleteVpc", "VpcId", std)
	s.refuse("DefaultVpcAlreadyExists", "CreateDefaultVpc")
}

// TestAnswersParse plays through every action and gives all answers to botocore's parsers
// and models: no element that they do not know, none twice, no value of the wrong type.
func TestAnswersParse(t *testing.T) {
	metrics := fakeMetrics{}
	_, base := newServer(t, ec2api.Options{Metrics: metrics, Accounts: map[string]string{"other": "210987654321"}})
	s := &story{t: t, base: base}
	s.playAll()
	_, bare := newServer(t, ec2api.Options{NoDefaultVPC: true})
	b := &story{t: t, base: bare}
	b.do("CreateDefaultVpc")
	s.log = append(s.log, b.log...)

	called := map[string]bool{}
	for _, a := range s.log {
		if a.Status == 200 {
			called[a.Service+" "+a.Action] = true
		}
	}
	list, err := os.ReadFile("actions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"elbv2 CreateRule", "elbv2 ModifyRule", "elbv2 DeleteRule", "sts DecodeAuthorizationMessage", "autoscaling CancelInstanceRefresh"} {
		called[a] = true // always refused
	}
	for _, a := range strings.Split(strings.TrimSpace(string(list)), "\n") {
		if !called[a] {
			t.Errorf("the story does not call %s", a)
		}
	}
	parseWithBotocore(t, s.log)
}

func parseWithBotocore(t *testing.T, log []answer) {
	t.Helper()
	if err := exec.Command("python3", "-c", "import botocore.parsers").Run(); err != nil {
		t.Skipf("botocore cannot be imported (Debian: python3-botocore): %v", err)
	}
	var in bytes.Buffer
	for _, a := range log {
		if err := json.NewEncoder(&in).Encode(a); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("python3", "testdata/parse.py")
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	if want := "ok " + strconv.Itoa(len(log)); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("botocore: %v\n%s", err, out)
	}
}
