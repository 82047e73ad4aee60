package vpc_test

import (
	"strings"
	"testing"

	"mirador/internal/vpc"
)

// An account in which most things refer to things that are not there still makes a
// topology, and every one of them is reported.
func TestImportDangling(t *testing.T) {
	var m vpc.Importer
	for name, text := range map[string]string{
		"vpcs":    `{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]}`,
		"subnets": `{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a"}, {"SubnetId": "subnet-6", "VpcId": "vpc-1", "Ipv6Native": true}]}`,
		"instances": `{"Reservations": [{"Instances": [{"InstanceId": "i-1", "VpcId": "vpc-1", "State": {"Name": "running"}, "NetworkInterfaces": [
			{"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.1.9", "Attachment": {"DeviceIndex": 0}, "Groups": [{"GroupId": "sg-9"}]}]}]}]}`,
		"routes":   `{"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "10.9.0.0/16", "NetworkInterfaceId": "eni-9"}, {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}, {"CoreNetworkArn": "x"}]}]}`,
		"lbs":      `{"LoadBalancers": [{"LoadBalancerArn": "arn:a:loadbalancer/app/x/1", "LoadBalancerName": "x", "Type": "application"}, {"LoadBalancerArn": "arn:a:loadbalancer/net/n/1", "LoadBalancerName": "n", "Type": "network", "AvailabilityZones": [{"SubnetId": "subnet-9"}]}]}`,
		"groups":   `{"TargetGroups": [{"TargetGroupArn": "arn:tg/h", "TargetGroupName": "h", "Protocol": "HTTP"}, {"TargetGroupArn": "arn:tg/u", "TargetGroupName": "u", "Protocol": "UDP", "Port": 4789, "VpcId": "vpc-9"}]}`,
		"mystery":  `{"TargetHealthDescriptions": [{"Target": {"Id": "10.0.1.9", "Port": 80}}], "Attributes": []}`,
		"endpoint": `{"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway"}, {"VpcEndpointId": "vpce-2", "VpcEndpointType": "GatewayLoadBalancer", "ServiceName": "s"}]}`,
		"mirror":   `{"TrafficMirrorTargets": [{"TrafficMirrorTargetId": "tmt-1", "NetworkInterfaceId": "eni-9"}], "TrafficMirrorSessions": [{"TrafficMirrorSessionId": "tms-1", "NetworkInterfaceId": "eni-1", "TrafficMirrorTargetId": "tmt-1", "TrafficMirrorFilterId": "tmf-1", "SessionNumber": 1}]}`,
		"page":     `{"Subnets": [], "NextToken": "abc"}`,
	} {
		if err := m.Add(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	topo, err := m.Topology()
	if err != nil {
		t.Fatal(err)
	}
	text, err := topo.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vpc.ParseTopology(text, "t"); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	report := strings.Join(m.Report(), "\n")
	for _, want := range []string{
		"subnet-6: an IPv6-only subnet", "eni-1: its security group sg-9", "rtb-1: the route to 10.9.0.0/16 is by eni-9", "rtb-1: a route to \"\" is of a kind",
		"x: load balancer of type application", "none of its subnets", "h: target group of protocol HTTP", "arn:tg/u: its VPC vpc-9", "mystery: ",
		"vpce-1: endpoint of type Gateway", "vpce-2: its service s", "tmt-1: what it points at, eni-9", "tms-1: its target tmt-1", "page: the output has more pages",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("not reported: %s\nreport:\n%s", want, report)
		}
	}
	if !strings.Contains(string(text), "via: nat-1") {
		t.Error("the route to a NAT gateway is lost")
	}
}

// No file makes the importer panic, and what it makes can be written and read.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}], "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a"}],
		"RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]}],
		"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "g", "VpcId": "vpc-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}]}`))
	f.Add([]byte("Vpcs:\n- VpcId: vpc-1\n  CidrBlock: 10.0.0.0/16\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m vpc.Importer
		if m.Add("f.json", data) != nil {
			return
		}
		topo, err := m.Topology()
		if err != nil {
			return
		}
		text, err := topo.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		vpc.ParseTopology(text, "t.yaml") // may say what does not fit together
	})
}
