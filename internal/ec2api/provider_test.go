package ec2api_test

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mirador/internal/ec2api"
)

// The tests in this file make the calls that providers of Terraform, consoles and scripts
// make beside those that their resources need: they must find a working answer.

// want looks for texts in an answer.
func (s *story) want(body string, texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if !strings.Contains(body, text) {
			s.t.Errorf("no %s in %s", text, body)
		}
	}
}

// playOptions calls what changes volumes and instances, and what there is none of.
func (s *story) playOptions(vpc, subnet, group string) {
	i := s.id(s.do("RunInstances", "ImageId", "ami-0123456789abcdef0", "InstanceType", "m5.xlarge", "MinCount", "1", "MaxCount", "1", "SubnetId", subnet, "CapacityReservationSpecification.CapacityReservationPreference", "none",
		"PrivateDnsNameOptions.HostnameType", "resource-name", "PrivateDnsNameOptions.EnableResourceNameDnsARecord", "true"), "instanceId")
	s.playVolumes(i)
	s.playInstanceOptions(i)
	s.want(s.do("GetSecurityGroupsForVpc", "VpcId", vpc), "<groupId>"+group+"<", "<primaryVpcId>"+vpc+"<")
	s.refuse("InvalidVpcID.NotFound", "GetSecurityGroupsForVpc", "VpcId", "vpc-0123456789abcdef0")
	other := s.id(s.do("CreateVpc", "CidrBlock", "10.45.0.0/16"), "vpcId")
	there := s.id(s.do("CreateSecurityGroup", "GroupName", "there", "GroupDescription", "there", "VpcId", other), "groupId")
	if body := s.do("GetSecurityGroupsForVpc", "VpcId", vpc); strings.Contains(body, there) {
		s.t.Errorf("group of another VPC in %s", body)
	}
	p := s.id(s.do("CreateVpcPeeringConnection", "VpcId", vpc, "PeerVpcId", other), "vpcPeeringConnectionId")
	s.do("AcceptVpcPeeringConnection", "VpcPeeringConnectionId", p)
	if body := s.do("DescribeSecurityGroupReferences", "GroupId.1", there); strings.Contains(body, "<item>") {
		s.t.Errorf("references without a rule: %s", body)
	}
	s.do("AuthorizeSecurityGroupIngress", "GroupId", group, "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", "22", "IpPermissions.1.ToPort", "22", "IpPermissions.1.Groups.1.GroupId", there)
	s.want(s.do("DescribeSecurityGroupReferences", "GroupId.1", there), "<referencingVpcId>"+vpc+"<", "<vpcPeeringConnectionId>"+p+"<")
	s.want(s.do("DescribeVpcBlockPublicAccessOptions"), "<internetGatewayBlockMode>off<")
	s.playNothing(subnet)
	s.do("TerminateInstances", "InstanceId.1", i)
}

func (s *story) playVolumes(instance string) {
	v := s.id(s.do("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "10", "ClientToken", "v", "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b"), "volumeId")
	if again := s.id(s.do("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "10", "ClientToken", "v", "TagSpecification.1.ResourceType", "volume", "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b"), "volumeId"); again != v {
		s.t.Errorf("the same token made %s and %s", v, again)
	}
	s.want(s.do("DescribeVolumes", "VolumeId.1", v), "<volumeType>gp2<", "<iops>100<", "<status>available<")
	s.refuse("InvalidVolumeModification.NotFound", "DescribeVolumesModifications", "VolumeId.1", v)
	s.refuse("InvalidParameterValue", "ModifyVolume", "VolumeId", v, "Size", "9")
	s.want(s.do("ModifyVolume", "VolumeId", v, "Size", "20", "VolumeType", "gp3"), "<targetSize>20<", "<originalSize>10<", "<targetIops>3000<", "<modificationState>modifying<")
	s.want(s.do("DescribeVolumesModifications", "VolumeId.1", v), "<modificationState>completed<", "<progress>100<")
	s.do("AttachVolume", "VolumeId", v, "InstanceId", instance, "Device", "/dev/sdf")
	s.refuse("VolumeInUse", "AttachVolume", "VolumeId", v, "InstanceId", instance, "Device", "/dev/sdg")
	s.refuse("VolumeInUse", "DeleteVolume", "VolumeId", v)
	s.want(s.do("DescribeInstanceAttribute", "InstanceId", instance, "Attribute", "blockDeviceMapping"), "<deviceName>/dev/sdf<", "<volumeId>"+v+"<")
	s.want(s.do("DescribeVolumeStatus", "VolumeId.1", v), "<status>ok<")
	s.want(s.do("DescribeVolumeAttribute", "VolumeId", v, "Attribute", "autoEnableIO"), "<value>false<")
	s.refuse("InvalidAttachment.NotFound", "DetachVolume", "VolumeId", v, "Device", "/dev/sdz")
	s.do("DetachVolume", "VolumeId", v)
	s.refuse("IncorrectState", "DetachVolume", "VolumeId", v)
	s.do("DeleteVolume", "VolumeId", v)
	s.refuse("InvalidVolume.NotFound", "DescribeVolumes", "VolumeId.1", v)
	far := s.id(s.do("CreateVolume", "AvailabilityZoneId", "use1-az2", "Size", "1"), "volumeId")
	s.refuse("InvalidVolume.ZoneMismatch", "AttachVolume", "VolumeId", far, "InstanceId", instance, "Device", "/dev/sdf")
	root := s.id(s.do("DescribeVolumes", "Filter.1.Name", "attachment.instance-id", "Filter.1.Value.1", instance), "volumeId")
	s.refuse("OperationNotPermitted", "DetachVolume", "VolumeId", root)
	s.refuse("InvalidZone.NotFound", "CreateVolume", "AvailabilityZone", "us-east-1z", "Size", "1")
	s.refuse("InvalidParameterValue", "CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "0")
	s.refuse("InvalidSnapshot.NotFound", "CreateVolume", "AvailabilityZone", "us-east-1a", "SnapshotId", "snap-0123456789abcdef0")
}

func (s *story) playInstanceOptions(i string) {
	s.want(s.do("DescribeInstances", "InstanceId.1", i), "<capacityReservationPreference>none<", "<hostnameType>resource-name<", "<enableResourceNameDnsARecord>true<", "<bandwidthWeighting>default<")
	s.want(s.do("ModifyInstanceMaintenanceOptions", "InstanceId", i, "AutoRecovery", "disabled"), "<autoRecovery>disabled<")
	s.do("ModifyPrivateDnsNameOptions", "InstanceId", i, "EnableResourceNameDnsARecord", "false")
	for _, c := range [][]string{
		{"ModifyInstanceCapacityReservationAttributes", "CapacityReservationSpecification.CapacityReservationPreference", "open"}, {"ModifyInstanceCpuOptions", "CoreCount", "1", "ThreadsPerCore", "1"},
		{"ModifyInstancePlacement", "Tenancy", "dedicated"}, {"ModifyInstanceNetworkPerformanceOptions", "BandwidthWeighting", "vpc-1"}, {"ModifyPrivateDnsNameOptions", "PrivateDnsHostnameType", "ip-name"},
	} {
		s.refuse("IncorrectInstanceState", c[0], append(c[1:], "InstanceId", i)...)
		s.do("StopInstances", "InstanceId.1", i)
		s.do(c[0], append(c[1:], "InstanceId", i)...)
		s.do("StartInstances", "InstanceId.1", i)
	}
	s.want(s.do("DescribeInstances", "InstanceId.1", i), "<autoRecovery>disabled<", "<capacityReservationPreference>open<", "<hostnameType>ip-name<", "<enableResourceNameDnsARecord>false<",
		"<coreCount>1<", "<threadsPerCore>1<", "<tenancy>dedicated<", "<bandwidthWeighting>vpc-1<")
	a := s.id(s.do("AssociateIamInstanceProfile", "InstanceId", i, "IamInstanceProfile.Name", "one"), "associationId")
	s.refuse("IncorrectState", "AssociateIamInstanceProfile", "InstanceId", i, "IamInstanceProfile.Name", "two")
	b := s.id(s.do("ReplaceIamInstanceProfileAssociation", "AssociationId", a, "IamInstanceProfile.Name", "two"), "associationId")
	s.want(s.do("DescribeIamInstanceProfileAssociations", "AssociationId.1", b), "instance-profile/two<")
	s.refuse("NoSuchAssociation", "DisassociateIamInstanceProfile", "AssociationId", a)
	s.do("DisassociateIamInstanceProfile", "AssociationId", b)
	if body := s.do("DescribeInstances", "InstanceId.1", i); strings.Contains(body, "iamInstanceProfile") {
		s.t.Errorf("profile is still there: %s", body)
	}
	s.want(s.do("GetPasswordData", "InstanceId", i), "<instanceId>"+i+"<")
	s.want(s.do("GetConsoleOutput", "InstanceId", i), "<instanceId>"+i+"<")
	s.want(s.do("GetDefaultCreditSpecification", "InstanceFamily", "t2"), "<cpuCredits>standard<")
	s.do("GetInstanceMetadataDefaults")
}

// playNothing asks for what there is none of: lists are empty, ids are unknown.
func (s *story) playNothing(subnet string) {
	s.do("GetSubnetCidrReservations", "SubnetId", subnet)
	for _, c := range []struct{ action, param, id, code string }{
		{"DescribeTransitGatewayAttachments", "TransitGatewayAttachmentIds.1", "tgw-attach-0", "InvalidTransitGatewayAttachmentID.NotFound"}, {"DescribeTransitGatewayPeeringAttachments", "", "", ""},
		{"DescribeTransitGatewayRouteTables", "", "", ""}, {"DescribeVpnConnections", "", "", ""}, {"DescribeCustomerGateways", "CustomerGatewayId.1", "cgw-0", "InvalidCustomerGatewayID.NotFound"},
		{"DescribeCarrierGateways", "", "", ""}, {"DescribeSnapshots", "SnapshotId.1", "snap-0", "InvalidSnapshot.NotFound"}, {"DescribePlacementGroups", "GroupName.1", "g", "InvalidPlacementGroup.Unknown"},
		{"DescribeCapacityReservations", "", "", ""}, {"DescribeHosts", "HostId.1", "h-0", "InvalidHostID.NotFound"}, {"DescribeFleets", "", "", ""}, {"DescribeReservedInstances", "", "", ""},
		{"DescribeSpotInstanceRequests", "", "", ""}, {"DescribeSpotPriceHistory", "", "", ""}, {"DescribeInstanceEventWindows", "", "", ""}, {"DescribeInstanceConnectEndpoints", "", "", ""},
		{"DescribeNetworkInterfacePermissions", "", "", ""}, {"DescribeNetworkInsightsPaths", "", "", ""}, {"DescribeSecurityGroupVpcAssociations", "", "", ""}, {"DescribeVpcBlockPublicAccessExclusions", "", "", ""},
		{"DescribeVpcEncryptionControls", "", "", ""}, {"DescribeVpcEndpointAssociations", "", "", ""}, {"DescribeVpcEndpointConnectionNotifications", "", "", ""}, {"DescribeIpams", "", "", ""}, {"DescribeIpamPools", "", "", ""},
		{"DescribeIpv6Pools", "", "", ""}, {"DescribePublicIpv4Pools", "", "", ""}, {"DescribeAddressTransfers", "", "", ""},
	} {
		s.do(c.action)
		if c.param != "" {
			s.refuse(c.code, c.action, c.param, c.id)
		}
	}
	s.do("DescribeStaleSecurityGroups", "VpcId", "vpc-0123456789abcdef0")
}

// playScalingOptions calls what is around an Auto Scaling group. It leaves nothing.
func (s *story) playScalingOptions(subnet, vpc string) {
	tg := s.id(s.do("elbv2:CreateTargetGroup", "Name", "fleet", "Protocol", "UDP", "Port", "4789", "VpcId", vpc, "TargetType", "instance"), "TargetGroupArn")
	t := s.id(s.do("CreateLaunchTemplate", "LaunchTemplateName", "fleet", "LaunchTemplateData.ImageId", "ami-0123456789abcdef0", "LaunchTemplateData.InstanceType", "m5.large"), "launchTemplateId")
	at := []string{"AutoScalingGroupName", "fleet"}
	do := func(action string, params ...string) string {
		s.t.Helper()
		return s.do("autoscaling:"+action, append(params, at...)...)
	}
	group := func() string {
		s.t.Helper()
		return s.do("autoscaling:DescribeAutoScalingGroups", "AutoScalingGroupNames.member.1", "fleet")
	}
	members := func() (ids []string) {
		for _, m := range regexp.MustCompile(`<InstanceId>(i-[0-9a-f]+)<`).FindAllStringSubmatch(group(), -1) {
			ids = append(ids, m[1])
		}
		return ids
	}
	targets := func() int {
		return strings.Count(s.do("elbv2:DescribeTargetHealth", "TargetGroupArn", tg), "<Target>")
	}
	do("CreateAutoScalingGroup", "MinSize", "0", "MaxSize", "5", "DesiredCapacity", "2", "LaunchTemplate.LaunchTemplateId", t, "VPCZoneIdentifier", subnet, "TerminationPolicies.member.1", "OldestInstance", "DefaultInstanceWarmup", "30",
		"MaxInstanceLifetime", "86400", "CapacityRebalance", "true", "LifecycleHookSpecificationList.member.1.LifecycleHookName", "first", "LifecycleHookSpecificationList.member.1.LifecycleTransition", "autoscaling:EC2_INSTANCE_LAUNCHING")
	s.want(group(), "<TerminationPolicies><member>OldestInstance<", "<DefaultInstanceWarmup>30<", "<MaxInstanceLifetime>86400<", "<CapacityRebalance>true<")

	do("AttachLoadBalancerTargetGroups", "TargetGroupARNs.member.1", tg)
	s.want(do("DescribeLoadBalancerTargetGroups"), tg, "<State>Added<")
	if n := targets(); n != 2 {
		s.t.Errorf("%d targets, want 2", n)
	}
	do("DetachTrafficSources", "TrafficSources.member.1.Identifier", tg)
	s.refuse("ValidationError", "autoscaling:DetachLoadBalancerTargetGroups", append(at, "TargetGroupARNs.member.1", tg)...)
	if n := targets(); n != 0 {
		s.t.Errorf("%d targets, want none", n)
	}
	do("AttachTrafficSources", "TrafficSources.member.1.Identifier", tg, "TrafficSources.member.1.Type", "elbv2")
	s.want(do("DescribeTrafficSources"), "<Identifier>"+tg)
	do("DetachLoadBalancerTargetGroups", "TargetGroupARNs.member.1", tg)
	do("AttachLoadBalancerTargetGroups", "TargetGroupARNs.member.1", tg)

	do("SuspendProcesses", "ScalingProcesses.member.1", "Launch")
	do("SetDesiredCapacity", "DesiredCapacity", "3")
	if n := len(members()); n != 2 {
		s.t.Errorf("%d instances while launches are suspended, want 2", n)
	}
	s.want(group(), "<ProcessName>Launch<")
	do("ResumeProcesses")
	if n := len(members()); n != 3 || targets() != 3 {
		s.t.Errorf("%d instances, %d targets after resuming, want 3", n, targets())
	}
	s.refuse("ValidationError", "autoscaling:SuspendProcesses", append(at, "ScalingProcesses.member.1", "Everything")...)
	do("EnableMetricsCollection", "Granularity", "1Minute")
	s.want(group(), "<Metric>GroupInServiceInstances<")
	do("DisableMetricsCollection")
	if strings.Contains(group(), "<Metric>") {
		s.t.Error("metrics are still there")
	}

	do("PutLifecycleHook", "LifecycleHookName", "second", "LifecycleTransition", "autoscaling:EC2_INSTANCE_TERMINATING", "DefaultResult", "CONTINUE", "NotificationMetadata", "x")
	do("PutLifecycleHook", "LifecycleHookName", "second", "HeartbeatTimeout", "60")
	s.want(do("DescribeLifecycleHooks", "LifecycleHookNames.member.1", "second"), "<HeartbeatTimeout>60<", "<GlobalTimeout>6000<", "<DefaultResult>CONTINUE<", "<NotificationMetadata>x<")
	s.want(do("DescribeLifecycleHooks"), "<LifecycleHookName>first<", "<LifecycleHookName>second<")
	do("DeleteLifecycleHook", "LifecycleHookName", "second")
	s.refuse("ValidationError", "autoscaling:DeleteLifecycleHook", append(at, "LifecycleHookName", "second")...)

	old := members()
	do("SetInstanceProtection", "InstanceIds.member.1", old[0], "ProtectedFromScaleIn", "true")
	do("SetDesiredCapacity", "DesiredCapacity", "1")
	if got := members(); len(got) != 1 || got[0] != old[0] {
		s.t.Errorf("left %v, want the protected %s", got, old[0])
	}
	do("SetDesiredCapacity", "DesiredCapacity", "0")
	if got := members(); len(got) != 1 {
		s.t.Errorf("the protected instance is gone")
	}
	do("SetDesiredCapacity", "DesiredCapacity", "2")
	s.do("autoscaling:SetInstanceHealth", "InstanceId", old[0], "HealthStatus", "Unhealthy")
	if got := members(); len(got) != 2 || got[0] == old[0] || got[1] == old[0] {
		s.t.Errorf("after %s is unhealthy: %v", old[0], got)
	}
	before := members()
	s.want(do("DescribeInstanceRefreshes", "InstanceRefreshIds.member.1", s.id(do("StartInstanceRefresh"), "InstanceRefreshId")), "<Status>Successful<")
	for _, id := range members() {
		if id == before[0] || id == before[1] {
			s.t.Errorf("%s is still there after a refresh", id)
		}
	}
	s.refuse("ActiveInstanceRefreshNotFound", "autoscaling:CancelInstanceRefresh", at...)
	for _, action := range []string{"DescribePolicies", "DescribeLoadBalancers", "DescribeScheduledActions", "DescribeWarmPool"} {
		do(action)
	}
	s.do("autoscaling:DescribeNotificationConfigurations")
	s.do("autoscaling:DescribeLaunchConfigurations")
	do("DeleteAutoScalingGroup", "ForceDelete", "true")
	if n := targets(); n != 0 {
		s.t.Errorf("%d targets of a group that is gone", n)
	}
	s.do("DeleteLaunchTemplate", "LaunchTemplateId", t)
	s.do("elbv2:DeleteTargetGroup", "TargetGroupArn", tg)
}

// TestScalingLimits has a group reach how many hooks it may have.
func TestScalingLimits(t *testing.T) {
	_, base := newServer(t, ec2api.Options{})
	s := &story{t: t, base: base}
	subnet := s.id(s.do("DescribeSubnets"), "subnetId")
	i := s.id(s.do("RunInstances", "ImageId", "ami-0123456789abcdef0", "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1", "SubnetId", subnet), "instanceId")
	s.do("autoscaling:CreateAutoScalingGroup", "AutoScalingGroupName", "g", "MinSize", "0", "MaxSize", "0", "InstanceId", i)
	hook := func(n int) []string {
		return []string{"AutoScalingGroupName", "g", "LifecycleHookName", strconv.Itoa(n), "LifecycleTransition", "autoscaling:EC2_INSTANCE_LAUNCHING"}
	}
	for n := range 50 {
		s.do("autoscaling:PutLifecycleHook", hook(n)...)
	}
	s.refuse("LimitExceeded", "autoscaling:PutLifecycleHook", hook(50)...)
	for range 25 {
		s.do("autoscaling:StartInstanceRefresh", "AutoScalingGroupName", "g")
	}
	if n := strings.Count(s.do("autoscaling:DescribeInstanceRefreshes", "AutoScalingGroupName", "g"), "<InstanceRefreshId>"); n != 20 {
		t.Errorf("%d refreshes are remembered, want 20", n)
	}
	for n := range 27 {
		v := s.id(s.do("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"), "volumeId")
		s.do("AttachVolume", "VolumeId", v, "InstanceId", i, "Device", "/dev/sd"+string(rune('a'+n%26))+strconv.Itoa(n))
	}
	v := s.id(s.do("CreateVolume", "AvailabilityZone", "us-east-1a", "Size", "1"), "volumeId")
	s.refuse("AttachmentLimitExceeded", "AttachVolume", "VolumeId", v, "InstanceId", i, "Device", "/dev/xvdz")
}

// TestPagesOfBalancers reads load balancers, target groups and listeners page by page,
// while some of what was read is deleted.
func TestPagesOfBalancers(t *testing.T) {
	_, base := newServer(t, ec2api.Options{})
	s := &story{t: t, base: base}
	subnet := s.do("DescribeSubnets")
	vpc := s.id(subnet, "vpcId")
	var lb string
	for n := range 5 {
		lb = s.id(s.do("elbv2:CreateLoadBalancer", "Name", "nlb"+strconv.Itoa(n), "Type", "network", "Subnets.member.1", s.id(subnet, "subnetId")), "LoadBalancerArn")
		s.do("elbv2:CreateTargetGroup", "Name", "tg"+strconv.Itoa(n), "Protocol", "UDP", "Port", "4789", "VpcId", vpc)
	}
	tg := s.id(s.do("elbv2:DescribeTargetGroups"), "TargetGroupArn")
	for n := range 5 {
		s.do("elbv2:CreateListener", "LoadBalancerArn", lb, "Protocol", "UDP", "Port", strconv.Itoa(4789+n), "DefaultActions.member.1.Type", "forward", "DefaultActions.member.1.TargetGroupArn", tg)
	}
	for _, c := range []struct {
		describe, id, remove string
		params               []string
	}{
		{"DescribeListeners", "ListenerArn", "DeleteListener", []string{"LoadBalancerArn", lb}},
		{"DescribeTargetGroups", "TargetGroupArn", "DeleteTargetGroup", nil},
		{"DescribeLoadBalancers", "LoadBalancerArn", "DeleteLoadBalancer", nil},
	} {
		seen, pages, params := map[string]bool{}, 0, append(c.params, "PageSize", "2")
		for {
			body := s.do("elbv2:"+c.describe, params...)
			pages++
			var got string
			for _, m := range regexp.MustCompile(`<`+c.id+`>([^<]+)<`).FindAllStringSubmatch(body, -1) {
				if c.id != "LoadBalancerArn" || strings.Contains(m[1], ":loadbalancer/") {
					seen[m[1]], got = true, m[1]
				}
			}
			next := element(body, "NextMarker")
			if next == "" || pages > 5 {
				break
			}
			s.do("elbv2:"+c.remove, c.id, got)
			params = append(c.params, "PageSize", "2", "Marker", next)
		}
		if len(seen) != 5 || pages != 3 {
			t.Errorf("%s: %d of 5 in %d pages of 2", c.describe, len(seen), pages)
		}
	}
	s.refuse("ValidationError", "elbv2:DescribeTargetGroups", "Marker", "nothing")
}

// TestUnknownActions are refused in the words of each protocol.
func TestUnknownActions(t *testing.T) {
	_, base := newServer(t, ec2api.Options{})
	for _, c := range []struct{ name, target, kind, body, want string }{
		{"EC2", "", "application/x-www-form-urlencoded", "Action=No&Version=2016-11-15", "<Code>InvalidAction</Code>"},
		{"classic load balancers", "", "application/x-www-form-urlencoded", "Action=DescribeLoadBalancers&Version=2012-06-01", "<Code>InvalidAction</Code>"},
		{"SQS", "AmazonSQS.No", "application/x-amz-json-1.0", "{}", `"__type":"com.amazon.coral.service#UnknownOperationException"`},
		{"EventBridge", "AWSEvents.No", "application/x-amz-json-1.1", "{}", `"__type":"com.amazon.coral.service#UnknownOperationException"`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.kind)
		if c.target != "" {
			r.Header.Set("X-Amz-Target", c.target)
		} else {
			r.Host = "elasticloadbalancing.us-east-1.amazonaws.com"
			if c.name == "EC2" {
				r.Host = "ec2.us-east-1.amazonaws.com"
			}
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil || a.StatusCode != 400 || !strings.Contains(string(b), c.want) {
			t.Errorf("%s: %d %s %v, want %s", c.name, a.StatusCode, b, err, c.want)
		}
	}
}

// TestSameInterface lets 50 clients make and end sessions of one interface, and tag it: its
// limits hold at every moment, and what was answered is what there is at the end.
func TestSameInterface(t *testing.T) {
	v, base := newServer(t, ec2api.Options{StateDir: t.TempDir()})
	s := &story{t: t, base: base}
	subnet := s.id(s.do("DescribeSubnets"), "subnetId")
	i := s.do("RunInstances", "ImageId", "ami-0123456789abcdef0", "InstanceType", "m5.large", "MinCount", "1", "MaxCount", "1", "SubnetId", subnet)
	source := s.id(i, "networkInterfaceId")
	target := s.id(s.do("CreateTrafficMirrorTarget", "NetworkInterfaceId", s.id(s.do("CreateNetworkInterface", "SubnetId", subnet), "networkInterfaceId")), "trafficMirrorTargetId")
	filter := s.id(s.do("CreateTrafficMirrorFilter"), "trafficMirrorFilterId")
	var made, ended, tagged, refused atomic.Int64
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			s := &story{t: t, base: base}
			for k := range 6 {
				code, body := s.send("CreateTrafficMirrorSession", "NetworkInterfaceId", source, "TrafficMirrorTargetId", target, "TrafficMirrorFilterId", filter, "SessionNumber", strconv.Itoa(n*10+k+1))
				switch {
				case code == 200:
					made.Add(1)
				case element(body, "Code") != "TrafficMirrorSessionsPerInterfaceLimitExceeded":
					t.Errorf("%d %s", code, body)
				}
				if got := strings.Count(s.do("DescribeTrafficMirrorSessions"), "<trafficMirrorSessionId>"); got > 3 {
					t.Errorf("%d sessions at once", got)
				}
				if code == 200 && k%2 == 0 {
					s.do("DeleteTrafficMirrorSession", "TrafficMirrorSessionId", s.id(body, "trafficMirrorSessionId"))
					ended.Add(1)
				}
				code, body = s.send("CreateTags", "ResourceId.1", source, "Tag.1.Key", strconv.Itoa(n)+"-"+strconv.Itoa(k%2), "Tag.1.Value", "x")
				switch {
				case code == 200:
					tagged.Add(1)
				case element(body, "Code") == "TagLimitExceeded":
					refused.Add(1)
				default:
					t.Errorf("%d %s", code, body)
				}
			}
		})
	}
	wg.Wait()
	if got := int64(strings.Count(s.do("DescribeTrafficMirrorSessions"), "<trafficMirrorSessionId>")); got != made.Load()-ended.Load() || got > 3 {
		t.Errorf("%d sessions; %d made, %d ended", got, made.Load(), ended.Load())
	}
	for _, e := range v.Snapshot().Interfaces {
		if e.ID == source && (len(e.Tags) != 50 || refused.Load() == 0 || tagged.Load() < 50) {
			t.Errorf("%d tags; %d were taken, %d refused", len(e.Tags), tagged.Load(), refused.Load())
		}
	}
}
