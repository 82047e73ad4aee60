package setup_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// check returns what preflight finds but what is fine.
func (w *world) check(s *setup.Spec) []string {
	w.t.Helper()
	before := w.inventory()
	list, err := setup.Preflight(w.t.Context(), w.client(), s)
	w.ok(err)
	if got := w.inventory(); got != before {
		w.t.Errorf("preflight changed the account: %s, was %s", got, before)
	}
	var out []string
	for _, f := range list {
		if f.Level != setup.OK {
			out = append(out, fmt.Sprintf("%s %s", f.Level, f.Code))
			if f.Level == setup.Error && f.Remedy == "" && f.Code != "description" {
				w.t.Errorf("no remedy: %+v", f)
			}
		}
	}
	return out
}

func TestPreflight(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(w *world) string // returns more of the description
		want  string
	}{
		{"fine", func(*world) string { return tagged }, ""},
		{"fine with load balancer", func(*world) string { return tagged + "target: {kind: nlb}\n" }, ""},
		{"fine with gateway load balancer", func(*world) string { return tagged + "target: {kind: gwlb}\n" }, ""},
		{"small sensor", func(w *world) string {
			w.sensors = w.run(w.subnets[0], "m5.large", 1, "small", nil)
			return tagged
		}, "error sensor-size, warning cross-zone"},
		{"unsupported source", func(w *world) string {
			w.run(w.subnets[0], "t2.micro", 1, "old", map[string]string{"Mirror": "true"})
			return tagged
		}, "warning source-type"},
		{"unknown type", func(w *world) string {
			w.run(w.subnets[0], "m8g.large", 1, "new", map[string]string{"Mirror": "true"})
			return tagged
		}, "warning source-type"},
		{"no source", func(*world) string { return "sources: {include: [{tags: {nobody: x}}]}\n" }, "warning sources"},
		{"network ACL", func(w *world) string {
			acl, err := w.ec2.CreateNetworkAcl(w.t.Context(), &ec2.CreateNetworkAclInput{VpcId: &w.vpc})
			w.ok(err)
			w.useACL(*acl.NetworkAcl.NetworkAclId, w.subnets[0])
			return tagged
		}, "error acl, error acl"},
		{"group of an interface that is there", func(w *world) string {
			g, err := w.ec2.CreateSecurityGroup(w.t.Context(), &ec2.CreateSecurityGroupInput{VpcId: &w.vpc, GroupName: aws.String("closed"), Description: aws.String("closed")})
			w.ok(err)
			e, err := w.ec2.CreateNetworkInterface(w.t.Context(), &ec2.CreateNetworkInterfaceInput{SubnetId: &w.subnets[0], Groups: []string{*g.GroupId}})
			w.ok(err)
			return tagged + "#" + *e.NetworkInterface.NetworkInterfaceId
		}, "error group, error group, warning cross-zone"},
		{"route to nowhere", func(w *world) string {
			vpc, err := w.ec2.CreateVpc(w.t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16")})
			w.ok(err)
			n, err := w.ec2.CreateSubnet(w.t.Context(), &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.9.1.0/24"), AvailabilityZone: aws.String("us-east-1a")})
			w.ok(err)
			w.run(*n.Subnet.SubnetId, "m5.large", 1, "far", map[string]string{"Mirror": "true"})
			return tagged
		}, "error route, error route"},
		{"stopped sensor", func(w *world) string {
			_, err := w.ec2.StopInstances(w.t.Context(), &ec2.StopInstancesInput{InstanceIds: w.sensors[:1]})
			w.ok(err)
			return tagged
		}, "warning sensor-state"},
		{"stopped source", func(w *world) string {
			_, err := w.ec2.StopInstances(w.t.Context(), &ec2.StopInstancesInput{InstanceIds: w.sources[:1]})
			w.ok(err)
			return tagged
		}, "warning source-state"},
		{"too many interfaces", func(w *world) string {
			for range 3 {
				e, err := w.ec2.CreateNetworkInterface(w.t.Context(), &ec2.CreateNetworkInterfaceInput{SubnetId: &w.subnets[0]})
				w.ok(err)
				_, err = w.ec2.AttachNetworkInterface(w.t.Context(), &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: e.NetworkInterface.NetworkInterfaceId, InstanceId: &w.sensors[0],
					DeviceIndex: aws.Int32(int32(len(w.interfaces(w.sensors[0]))))})
				w.ok(err)
			}
			return tagged
		}, "error interface-slot"},
		{"sensor in another zone than its subnet", func(w *world) string {
			w.sensors = nil
			return tagged + "#zone"
		}, "error description"},
		{"three sessions of others", func(w *world) string {
			f, err := w.ec2.CreateTrafficMirrorFilter(w.t.Context(), &ec2.CreateTrafficMirrorFilterInput{})
			w.ok(err)
			tg, err := w.ec2.CreateTrafficMirrorTarget(w.t.Context(), &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: aws.String(w.interfaces(w.sensors[0])[0])})
			w.ok(err)
			for i := range 3 {
				_, err := w.ec2.CreateTrafficMirrorSession(w.t.Context(), &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &w.sourceIf[0], SessionNumber: aws.Int32(int32(i + 1)),
					TrafficMirrorFilterId: f.TrafficMirrorFilter.TrafficMirrorFilterId, TrafficMirrorTargetId: tg.TrafficMirrorTarget.TrafficMirrorTargetId})
				w.ok(err)
			}
			return tagged
		}, "error sessions-of-others"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 2, ec2api.Options{})
			sensors := append([]string(nil), w.sensors...)
			more := c.spoil(w)
			var s *setup.Spec
			switch head, tail, _ := strings.Cut(more, "#"); {
			case strings.HasPrefix(tail, "eni-"):
				p, err := setup.ParseSpec([]byte("name: prod\nsensors:\n  - interface: "+tail+"\n"+head), "mirror.yaml")
				w.ok(err)
				s = p
			case tail == "zone":
				p, err := setup.ParseSpec([]byte("name: prod\nsensors:\n  - {instance: "+sensors[0]+", subnet: "+w.subnets[1]+"}\n"+head), "mirror.yaml")
				w.ok(err)
				s = p
			default:
				s = w.spec(more)
			}
			if got := strings.Join(w.check(s), ", "); got != c.want {
				list, _ := setup.Preflight(t.Context(), w.client(), s)
				t.Errorf("findings %q, want %q\n%+v", got, c.want, list)
			}
		})
	}
}

// onlyIPv6 is an account in which the first subnet has IPv6 only.
type onlyIPv6 struct {
	setup.Cloud
	subnet string
}

func (c onlyIPv6) Subnets(ctx context.Context, q setup.Query) ([]setup.Subnet, error) {
	list, err := c.Cloud.Subnets(ctx, q)
	for i := range list {
		list[i].OnlyIPv6 = list[i].ID == c.subnet
	}
	return list, err
}

// AWS mirrors nothing of subnets that have IPv6 only, and nothing can be sent to them.
func TestPreflightOfIPv6OnlySubnet(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	sensor := w.sensors
	w.sensors = sensor[1:]
	list, err := setup.Preflight(t.Context(), onlyIPv6{w.client(), w.subnets[0]}, w.spec(tagged))
	w.ok(err)
	if f := list[0]; f.Code != "subnet-ipv6" || f.Level != setup.Warning || !strings.Contains(f.Subject, w.sourceIf[0]) {
		t.Errorf("findings %+v", list)
	}
	w.sensors = sensor[:1]
	list, err = setup.Preflight(t.Context(), onlyIPv6{w.client(), w.subnets[0]}, w.spec(tagged))
	w.ok(err)
	if f := list[0]; f.Level != setup.Error || !strings.Contains(f.Text, "IPv6 only") {
		t.Errorf("findings %+v", list)
	}
}

// useACL makes a subnet use a network ACL.
func (w *world) useACL(acl, subnet string) {
	w.t.Helper()
	out, err := w.ec2.DescribeNetworkAcls(w.t.Context(), &ec2.DescribeNetworkAclsInput{Filters: []types.Filter{{Name: aws.String("association.subnet-id"), Values: []string{subnet}}}})
	w.ok(err)
	for _, a := range out.NetworkAcls[0].Associations {
		if *a.SubnetId == subnet {
			_, err := w.ec2.ReplaceNetworkAclAssociation(w.t.Context(), &ec2.ReplaceNetworkAclAssociationInput{AssociationId: a.NetworkAclAssociationId, NetworkAclId: &acl})
			w.ok(err)
		}
	}
}
