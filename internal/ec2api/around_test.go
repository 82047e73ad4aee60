package ec2api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
)

// The tests in this file go through what Terraform's provider does for resources around
// the mirrored network: create, wait, read, change, delete, and read that it is gone.

// gateway gives a VPC an internet gateway.
func (f *tf) gateway(vpc string) string {
	f.t.Helper()
	id := must(f.c.CreateInternetGateway(f.ctx, &ec2.CreateInternetGatewayInput{}))(f.t).InternetGateway.InternetGatewayId
	must(f.c.AttachInternetGateway(f.ctx, &ec2.AttachInternetGatewayInput{InternetGatewayId: id, VpcId: &vpc}))(f.t)
	return *id
}

// TestTerraformAddress is aws_eip, aws_eip_association and aws_nat_gateway.
func TestTerraformAddress(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	vpc := f.vpc()
	subnet := f.subnetIn(vpc, "10.7.1.0/24", "us-east-1a")
	a := must(c.AllocateAddress(ctx, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc, TagSpecifications: tags(types.ResourceTypeElasticIp)}))(t)
	read := func() types.Address {
		t.Helper()
		return must(c.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId}}))(t).Addresses[0]
	}
	if got := read(); *got.PublicIp != *a.PublicIp || got.AssociationId != nil || *got.Tags[0].Value != "tf-acc-test" {
		t.Errorf("address = %+v", got)
	}
	if at := must(c.DescribeAddressesAttribute(ctx, &ec2.DescribeAddressesAttributeInput{AllocationIds: []string{*a.AllocationId}, Attribute: types.AddressAttributeNameDomainName}))(t).Addresses; len(at) != 1 || at[0].PtrRecord != nil {
		t.Errorf("attributes = %+v", at)
	}
	eni := must(c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet}))(t).NetworkInterface.NetworkInterfaceId
	associate := func() (string, error) {
		out, err := c.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: a.AllocationId, NetworkInterfaceId: eni, AllowReassociation: aws.Bool(false)})
		if err != nil {
			return "", err
		}
		return *out.AssociationId, nil
	}
	_, err := associate()
	wantCode(t, "without a gateway", err, "Gateway.NotAttached")
	gateway := f.gateway(vpc)
	at := must(associate())(t)
	if got := read(); *got.AssociationId != at || *got.NetworkInterfaceId != *eni || *got.PrivateIpAddress == "" {
		t.Errorf("associated = %+v", got)
	}
	if e := must(c.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{*eni}}))(t).NetworkInterfaces[0]; *e.Association.AllocationId != *a.AllocationId ||
		*e.Association.AssociationId != at || *e.Association.IpOwnerId != "123456789012" || *e.PrivateIpAddresses[0].Association.PublicIp != *a.PublicIp {
		t.Errorf("interface = %+v", e.Association)
	}
	_, err = c.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: a.AllocationId})
	wantCode(t, "release what is in use", err, "InvalidIPAddress.InUse")
	_, err = c.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpc})
	wantCode(t, "detach the gateway", err, "DependencyViolation")
	must(c.DisassociateAddress(ctx, &ec2.DisassociateAddressInput{AssociationId: &at}))(t)
	_, err = c.DisassociateAddress(ctx, &ec2.DisassociateAddressInput{AssociationId: &at})
	wantCode(t, "disassociate again", err, "InvalidAssociationID.NotFound")
	// An interface that goes frees its address.
	must(associate())(t)
	must(c.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: eni}))(t)
	if got := read(); got.AssociationId != nil || got.NetworkInterfaceId != nil {
		t.Errorf("after its interface went: %+v", got)
	}

	nat := must(c.CreateNatGateway(ctx, &ec2.CreateNatGatewayInput{SubnetId: &subnet, AllocationId: a.AllocationId, TagSpecifications: tags(types.ResourceTypeNatgateway)}))(t).NatGateway
	if nat.State != types.NatGatewayStatePending {
		t.Errorf("state = %s", nat.State)
	}
	one := &ec2.DescribeNatGatewaysInput{NatGatewayIds: []string{*nat.NatGatewayId}}
	if err := ec2.NewNatGatewayAvailableWaiter(c).Wait(ctx, one, time.Minute); err != nil {
		t.Fatal(err)
	}
	got := must(c.DescribeNatGateways(ctx, one))(t).NatGateways[0]
	if n := got.NatGatewayAddresses[0]; *n.AllocationId != *a.AllocationId || *n.PublicIp != *a.PublicIp || *n.NetworkInterfaceId == "" || got.ConnectivityType != types.ConnectivityTypePublic {
		t.Errorf("NAT gateway = %+v", got)
	}
	_, err = c.CreateNatGateway(ctx, &ec2.CreateNatGatewayInput{SubnetId: &subnet, AllocationId: a.AllocationId})
	wantCode(t, "its address again", err, "Resource.AlreadyAssociated")
	table := must(c.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: &vpc}))(t).RouteTable.RouteTableId
	must(c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: aws.String("0.0.0.0/0"), NatGatewayId: nat.NatGatewayId}))(t)
	state := func() types.RouteState {
		t.Helper()
		for _, r := range must(c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{RouteTableIds: []string{*table}}))(t).RouteTables[0].Routes {
			if *r.DestinationCidrBlock == "0.0.0.0/0" {
				return r.State
			}
		}
		return ""
	}
	if s := state(); s != types.RouteStateActive {
		t.Errorf("route is %s", s)
	}
	_, err = c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet})
	wantCode(t, "delete its subnet", err, "DependencyViolation")
	must(c.DeleteNatGateway(ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: nat.NatGatewayId}))(t)
	if err := ec2.NewNatGatewayDeletedWaiter(c).Wait(ctx, one, time.Minute); err != nil {
		t.Fatal(err)
	}
	if s := state(); s != types.RouteStateBlackhole {
		t.Errorf("route is %s", s)
	}
	_, err = c.CreateRoute(ctx, &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: aws.String("9.0.0.0/8"), NatGatewayId: nat.NatGatewayId})
	wantCode(t, "route to a deleted gateway", err, "InvalidNatGatewayID.NotFound")
	must(c.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: a.AllocationId}))(t)
	_, err = c.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{*a.AllocationId}})
	wantCode(t, "released", err, "InvalidAllocationID.NotFound")
	must(c.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: table}))(t)
	must(c.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &vpc}))(t)
	must(c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet}))(t)
	f.destroyVPC(vpc)
}

// TestTerraformPeering is aws_vpc_peering_connection with auto_accept and its options,
// aws_egress_only_internet_gateway, and aws_vpc_dhcp_options with its association.
func TestTerraformPeering(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	vpc := f.vpc()
	peer := must(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.8.0.0/16"), AmazonProvidedIpv6CidrBlock: aws.Bool(true)}))(t).Vpc.VpcId
	same := must(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/24")}))(t).Vpc.VpcId
	made := must(c.CreateVpcPeeringConnection(ctx, &ec2.CreateVpcPeeringConnectionInput{VpcId: &vpc, PeerVpcId: peer, TagSpecifications: tags(types.ResourceTypeVpcPeeringConnection)}))(t).VpcPeeringConnection
	id := made.VpcPeeringConnectionId
	read := func() types.VpcPeeringConnection {
		t.Helper()
		return must(c.DescribeVpcPeeringConnections(ctx, &ec2.DescribeVpcPeeringConnectionsInput{VpcPeeringConnectionIds: []string{*id}}))(t).VpcPeeringConnections[0]
	}
	if made.Status.Code != "initiating-request" || read().Status.Code != "pending-acceptance" {
		t.Errorf("status = %s, then %s", made.Status.Code, read().Status.Code)
	}
	must(c.AcceptVpcPeeringConnection(ctx, &ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id}))(t)
	must(c.ModifyVpcPeeringConnectionOptions(ctx, &ec2.ModifyVpcPeeringConnectionOptionsInput{VpcPeeringConnectionId: id, RequesterPeeringConnectionOptions: &types.PeeringConnectionOptionsRequest{AllowDnsResolutionFromRemoteVpc: aws.Bool(true)}}))(t)
	got := read()
	if got.Status.Code != "active" || !*got.RequesterVpcInfo.PeeringOptions.AllowDnsResolutionFromRemoteVpc || *got.AccepterVpcInfo.PeeringOptions.AllowDnsResolutionFromRemoteVpc ||
		*got.AccepterVpcInfo.CidrBlock != "10.8.0.0/16" || len(got.AccepterVpcInfo.Ipv6CidrBlockSet) != 1 {
		t.Errorf("peering = %+v", got)
	}
	_, err := c.AcceptVpcPeeringConnection(ctx, &ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id})
	wantCode(t, "accept again", err, "InvalidStateTransition")
	failed := must(c.CreateVpcPeeringConnection(ctx, &ec2.CreateVpcPeeringConnectionInput{VpcId: &vpc, PeerVpcId: same}))(t).VpcPeeringConnection.VpcPeeringConnectionId
	if s := must(c.DescribeVpcPeeringConnections(ctx, &ec2.DescribeVpcPeeringConnectionsInput{VpcPeeringConnectionIds: []string{*failed}}))(t).VpcPeeringConnections[0].Status.Code; s != "failed" {
		t.Errorf("overlapping VPCs: %s", s)
	}
	must(c.DeleteVpcPeeringConnection(ctx, &ec2.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: id}))(t)
	if s := read().Status.Code; s != "deleted" {
		t.Errorf("status = %s", s)
	}

	eg := must(c.CreateEgressOnlyInternetGateway(ctx, &ec2.CreateEgressOnlyInternetGatewayInput{VpcId: peer, TagSpecifications: tags(types.ResourceTypeEgressOnlyInternetGateway)}))(t).EgressOnlyInternetGateway
	if out := must(c.DescribeEgressOnlyInternetGateways(ctx, &ec2.DescribeEgressOnlyInternetGatewaysInput{EgressOnlyInternetGatewayIds: []string{*eg.EgressOnlyInternetGatewayId}}))(t).EgressOnlyInternetGateways; len(out) != 1 || out[0].Attachments[0].State != types.AttachmentStatusAttached {
		t.Errorf("egress-only gateways = %+v", out)
	}
	if out := must(c.DeleteEgressOnlyInternetGateway(ctx, &ec2.DeleteEgressOnlyInternetGatewayInput{EgressOnlyInternetGatewayId: eg.EgressOnlyInternetGatewayId}))(t); !*out.ReturnCode {
		t.Error("return code is false")
	}
	_, err = c.DescribeEgressOnlyInternetGateways(ctx, &ec2.DescribeEgressOnlyInternetGatewaysInput{EgressOnlyInternetGatewayIds: []string{*eg.EgressOnlyInternetGatewayId}})
	wantCode(t, "deleted egress-only gateway", err, "InvalidGatewayID.NotFound")

	d := must(c.CreateDhcpOptions(ctx, &ec2.CreateDhcpOptionsInput{DhcpConfigurations: []types.NewDhcpConfiguration{{Key: aws.String("domain-name-servers"), Values: []string{"10.7.0.2", "10.7.0.3"}}}, TagSpecifications: tags(types.ResourceTypeDhcpOptions)}))(t).DhcpOptions.DhcpOptionsId
	must(c.AssociateDhcpOptions(ctx, &ec2.AssociateDhcpOptionsInput{DhcpOptionsId: d, VpcId: &vpc}))(t)
	if v := must(c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{vpc}}))(t).Vpcs[0]; *v.DhcpOptionsId != *d {
		t.Errorf("DHCP options of the VPC: %s", *v.DhcpOptionsId)
	}
	if out := must(c.DescribeDhcpOptions(ctx, &ec2.DescribeDhcpOptionsInput{DhcpOptionsIds: []string{*d}}))(t).DhcpOptions[0].DhcpConfigurations; len(out) != 1 || len(out[0].Values) != 2 || *out[0].Values[1].Value != "10.7.0.3" {
		t.Errorf("options = %+v", out)
	}
	must(c.AssociateDhcpOptions(ctx, &ec2.AssociateDhcpOptionsInput{DhcpOptionsId: aws.String("default"), VpcId: &vpc}))(t)
	must(c.DeleteDhcpOptions(ctx, &ec2.DeleteDhcpOptionsInput{DhcpOptionsId: d}))(t)
	_, err = c.DescribeDhcpOptions(ctx, &ec2.DescribeDhcpOptionsInput{DhcpOptionsIds: []string{*d}})
	wantCode(t, "deleted options", err, "InvalidDhcpOptionsID.NotFound")
	f.destroyVPC(vpc)
}

// TestTerraformPrefixList is aws_ec2_managed_prefix_list and a rule that refers to it.
func TestTerraformPrefixList(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	l := must(c.CreateManagedPrefixList(ctx, &ec2.CreateManagedPrefixListInput{
		PrefixListName: aws.String("sources"), AddressFamily: aws.String("IPv4"), MaxEntries: aws.Int32(2), Entries: []types.AddPrefixListEntry{{Cidr: aws.String("10.7.0.0/16"), Description: aws.String("a")}}, TagSpecifications: tags(types.ResourceTypePrefixList),
	}))(t).PrefixList
	read := func() types.ManagedPrefixList {
		t.Helper()
		return must(c.DescribeManagedPrefixLists(ctx, &ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{*l.PrefixListId}}))(t).PrefixLists[0]
	}
	if got := read(); got.State != types.PrefixListStateCreateComplete || *got.Version != 1 || *got.MaxEntries != 2 {
		t.Errorf("list = %+v", got)
	}
	must(c.ModifyManagedPrefixList(ctx, &ec2.ModifyManagedPrefixListInput{PrefixListId: l.PrefixListId, CurrentVersion: aws.Int64(1), AddEntries: []types.AddPrefixListEntry{{Cidr: aws.String("10.8.0.0/16")}}}))(t)
	if got := read(); got.State != types.PrefixListStateModifyComplete || *got.Version != 2 {
		t.Errorf("list = %+v", got)
	}
	_, err := c.ModifyManagedPrefixList(ctx, &ec2.ModifyManagedPrefixListInput{PrefixListId: l.PrefixListId, CurrentVersion: aws.Int64(1), AddEntries: []types.AddPrefixListEntry{{Cidr: aws.String("10.9.0.0/16")}}})
	wantCode(t, "an old version", err, "PrefixListVersionMismatch")
	_, err = c.ModifyManagedPrefixList(ctx, &ec2.ModifyManagedPrefixListInput{PrefixListId: l.PrefixListId, CurrentVersion: aws.Int64(2), AddEntries: []types.AddPrefixListEntry{{Cidr: aws.String("10.9.0.0/16")}}})
	wantCode(t, "too many entries", err, "PrefixListMaxEntriesExceeded")
	if e := must(c.GetManagedPrefixListEntries(ctx, &ec2.GetManagedPrefixListEntriesInput{PrefixListId: l.PrefixListId, TargetVersion: aws.Int64(2)}))(t).Entries; len(e) != 2 || *e[0].Description != "a" {
		t.Errorf("entries = %+v", e)
	}
	vpc := f.vpc()
	group := f.group(vpc)
	must(c.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []types.IpPermission{{IpProtocol: aws.String("udp"), FromPort: aws.Int32(4789), ToPort: aws.Int32(4789), PrefixListIds: []types.PrefixListId{{PrefixListId: l.PrefixListId}}}}}))(t)
	if users := must(c.GetManagedPrefixListAssociations(ctx, &ec2.GetManagedPrefixListAssociationsInput{PrefixListId: l.PrefixListId}))(t).PrefixListAssociations; len(users) != 1 || *users[0].ResourceId != group {
		t.Errorf("users = %+v", users)
	}
	_, err = c.DeleteManagedPrefixList(ctx, &ec2.DeleteManagedPrefixListInput{PrefixListId: l.PrefixListId})
	wantCode(t, "delete a list in use", err, "DependencyViolation")
	must(c.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &group}))(t)
	must(c.DeleteManagedPrefixList(ctx, &ec2.DeleteManagedPrefixListInput{PrefixListId: l.PrefixListId}))(t)
	_, err = c.DescribeManagedPrefixLists(ctx, &ec2.DescribeManagedPrefixListsInput{PrefixListIds: []string{*l.PrefixListId}})
	wantCode(t, "deleted list", err, "InvalidPrefixListID.NotFound")
}

// TestTerraformTemplate is aws_launch_template and an instance of it.
func TestTerraformTemplate(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	vpc := f.vpc()
	subnet, group := f.subnetIn(vpc, "10.7.1.0/24", "us-east-1a"), f.group(vpc)
	data := &types.RequestLaunchTemplateData{
		ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeM5Large,
		NetworkInterfaces:   []types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{{DeviceIndex: aws.Int32(0), SubnetId: &subnet, Groups: []string{group}, DeleteOnTermination: aws.Bool(true)}},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(20)}}},
		TagSpecifications:   []types.LaunchTemplateTagSpecificationRequest{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("role"), Value: aws.String("source")}}}},
		MetadataOptions:     &types.LaunchTemplateInstanceMetadataOptionsRequest{HttpPutResponseHopLimit: aws.Int32(3)},
	}
	l := must(c.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("tf-sources"), LaunchTemplateData: data, TagSpecifications: tags(types.ResourceTypeLaunchTemplate)}))(t).LaunchTemplate
	_, err := c.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("tf-sources"), LaunchTemplateData: data})
	wantCode(t, "the name again", err, "InvalidLaunchTemplateName.AlreadyExistsException")
	v := must(c.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: l.LaunchTemplateId, Versions: []string{"1"}}))(t).LaunchTemplateVersions[0]
	if d := v.LaunchTemplateData; !*v.DefaultVersion || d.InstanceType != types.InstanceTypeM5Large || d.NetworkInterfaces[0].Groups[0] != group || *d.BlockDeviceMappings[0].Ebs.VolumeSize != 20 || *d.TagSpecifications[0].Tags[0].Value != "source" || *d.MetadataOptions.HttpPutResponseHopLimit != 3 {
		t.Errorf("version = %+v", v)
	}
	two := must(c.CreateLaunchTemplateVersion(ctx, &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: l.LaunchTemplateId, SourceVersion: aws.String("1"), LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeM5Xlarge}}))(t).LaunchTemplateVersion
	if *two.VersionNumber != 2 || two.LaunchTemplateData.InstanceType != types.InstanceTypeM5Xlarge || len(two.LaunchTemplateData.NetworkInterfaces) != 1 {
		t.Errorf("second version = %+v", two)
	}
	must(c.ModifyLaunchTemplate(ctx, &ec2.ModifyLaunchTemplateInput{LaunchTemplateId: l.LaunchTemplateId, DefaultVersion: aws.String("2")}))(t)
	if got := must(c.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{*l.LaunchTemplateId}}))(t).LaunchTemplates[0]; *got.DefaultVersionNumber != 2 || *got.LatestVersionNumber != 2 {
		t.Errorf("template = %+v", got)
	}
	i := must(c.RunInstances(ctx, &ec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("tf-sources"), Version: aws.String("$Latest")}, InstanceType: types.InstanceTypeM5Large}))(t).Instances[0]
	if i.InstanceType != types.InstanceTypeM5Large || *i.SubnetId != subnet || *i.SecurityGroups[0].GroupId != group || !slices.ContainsFunc(i.Tags, func(t types.Tag) bool { return *t.Key == "role" }) ||
		!slices.ContainsFunc(i.Tags, func(t types.Tag) bool { return *t.Key == "aws:ec2launchtemplate:version" && *t.Value == "2" }) {
		t.Errorf("instance = %+v", i)
	}
	must(c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{*i.InstanceId}}))(t)
	must(c.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: l.LaunchTemplateId}))(t)
	_, err = c.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{*l.LaunchTemplateId}})
	wantCode(t, "deleted template", err, "InvalidLaunchTemplateId.NotFound")
	_, err = c.RunInstances(ctx, &ec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("tf-sources")}})
	wantCode(t, "run a deleted template", err, "InvalidLaunchTemplateName.NotFoundException")
}

// TestOnlyIPv6 makes a subnet without IPv4: its interfaces cannot be mirrored, nor be
// mirrored to, as on AWS.
func TestOnlyIPv6(t *testing.T) {
	f := newTF(t)
	c, ctx := f.c, f.ctx
	v := must(c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.7.0.0/16"), AmazonProvidedIpv6CidrBlock: aws.Bool(true)}))(t).Vpc
	block := must(c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*v.VpcId}}))(t).Vpcs[0].Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock
	six := aws.String(strings.TrimSuffix(*block, "56") + "64")
	_, err := c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: v.VpcId, Ipv6Native: aws.Bool(true)})
	wantCode(t, "without a block", err, "MissingParameter")
	_, err = c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: v.VpcId, Ipv6Native: aws.Bool(true), Ipv6CidrBlock: six, CidrBlock: aws.String("10.7.1.0/24")})
	wantCode(t, "with an IPv4 block", err, "InvalidParameterCombination")
	s := must(c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: v.VpcId, Ipv6Native: aws.Bool(true), Ipv6CidrBlock: six}))(t).Subnet
	if !*s.Ipv6Native || s.CidrBlock != nil || *s.AvailableIpAddressCount != 0 || *s.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock != *six {
		t.Errorf("subnet = %+v", s)
	}
	if n := len(must(c.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: aws.String("ipv6-native"), Values: []string{"true"}}}}))(t).Subnets); n != 1 {
		t.Errorf("%d subnets with IPv6 only", n)
	}
	e := must(c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: s.SubnetId}))(t).NetworkInterface
	if e.PrivateIpAddress != nil || len(e.PrivateIpAddresses) != 0 || len(e.Ipv6Addresses) != 1 {
		t.Errorf("interface = %+v", e)
	}
	_, err = c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: s.SubnetId, SecondaryPrivateIpAddressCount: aws.Int32(1)})
	wantCode(t, "IPv4 addresses", err, "InvalidParameterCombination")
	i := must(c.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeM5Large, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: s.SubnetId}))(t).Instances[0]
	if i.PrivateIpAddress != nil || i.Ipv6Address == nil {
		t.Errorf("instance = %+v", i)
	}
	subnet := f.subnetIn(*v.VpcId, "10.7.1.0/24", "us-east-1a")
	sensor := must(c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet}))(t).NetworkInterface.NetworkInterfaceId
	target := must(c.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: sensor}))(t).TrafficMirrorTarget.TrafficMirrorTargetId
	filter := must(c.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{}))(t).TrafficMirrorFilter.TrafficMirrorFilterId
	_, err = c.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: i.NetworkInterfaces[0].NetworkInterfaceId, TrafficMirrorTargetId: target, TrafficMirrorFilterId: filter, SessionNumber: aws.Int32(1)})
	wantCode(t, "mirror an interface with IPv6 only", err, "NetworkInterfaceNotSupported")
}

// TestScalingGroup keeps a group at its size, spreads it, and takes instances out.
func TestScalingGroup(t *testing.T) {
	_, base := newServer(t, ec2api.Options{})
	s := &story{t: t, base: base}
	subnets := s.do("DescribeSubnets")
	one := s.id(subnets, "subnetId")
	two := s.id(subnets[strings.Index(subnets, one)+len(one)+40:], "subnetId")
	s.do("CreateLaunchTemplate", "LaunchTemplateName", "src", "LaunchTemplateData.ImageId", "ami-0123456789abcdef0", "LaunchTemplateData.InstanceType", "m5.large")
	s.refuse("ValidationError", "autoscaling:CreateAutoScalingGroup", "AutoScalingGroupName", "g", "MinSize", "1", "MaxSize", "4", "VPCZoneIdentifier", one)
	s.refuse("ValidationError", "autoscaling:CreateAutoScalingGroup", "AutoScalingGroupName", "g", "MinSize", "1", "MaxSize", "4", "VPCZoneIdentifier", one, "LaunchTemplate.LaunchTemplateName", "none")
	s.refuse("ValidationError", "autoscaling:CreateAutoScalingGroup", "AutoScalingGroupName", "g", "MinSize", "5", "MaxSize", "4", "VPCZoneIdentifier", one, "LaunchTemplate.LaunchTemplateName", "src")
	s.do("autoscaling:CreateAutoScalingGroup", "AutoScalingGroupName", "g", "MinSize", "1", "MaxSize", "4", "DesiredCapacity", "4", "VPCZoneIdentifier", one+","+two, "LaunchTemplate.LaunchTemplateName", "src",
		"Tags.member.1.Key", "role", "Tags.member.1.Value", "source", "Tags.member.2.Key", "own", "Tags.member.2.Value", "x", "Tags.member.2.PropagateAtLaunch", "false")
	s.refuse("AlreadyExists", "autoscaling:CreateAutoScalingGroup", "AutoScalingGroupName", "g", "MinSize", "1", "MaxSize", "4", "VPCZoneIdentifier", one, "LaunchTemplate.LaunchTemplateName", "src")
	running := func(more ...string) string {
		t.Helper()
		return s.do("DescribeInstances", append([]string{"Filter.1.Name", "tag:aws:autoscaling:groupName", "Filter.1.Value.1", "g", "Filter.2.Name", "instance-state-name", "Filter.2.Value.1", "running"}, more...)...)
	}
	count := func(body string) int { return strings.Count(body, "<instanceState>") }
	if a, b := count(running("Filter.3.Name", "subnet-id", "Filter.3.Value.1", one)), count(running("Filter.3.Name", "subnet-id", "Filter.3.Value.1", two)); a != 2 || b != 2 {
		t.Errorf("%d and %d instances in the subnets", a, b)
	}
	if n := count(running("Filter.3.Name", "tag:role", "Filter.3.Value.1", "source")); n != 4 {
		t.Errorf("%d instances have the group's tag", n)
	}
	if n := count(running("Filter.3.Name", "tag-key", "Filter.3.Value.1", "own")); n != 0 {
		t.Errorf("%d instances have a tag that is the group's alone", n)
	}
	first := s.id(running(), "instanceId")
	s.do("TerminateInstances", "InstanceId.1", first)
	if all := running(); count(all) != 4 || strings.Contains(all, first) {
		t.Errorf("after a termination there are %d", count(all))
	}
	s.do("autoscaling:SetDesiredCapacity", "AutoScalingGroupName", "g", "DesiredCapacity", "2")
	if n := count(running()); n != 2 {
		t.Errorf("%d instances, want 2", n)
	}
	s.refuse("ValidationError", "autoscaling:SetDesiredCapacity", "AutoScalingGroupName", "g", "DesiredCapacity", "9")
	s.do("autoscaling:TerminateInstanceInAutoScalingGroup", "InstanceId", s.id(running(), "instanceId"), "ShouldDecrementDesiredCapacity", "true")
	s.refuse("ValidationError", "autoscaling:TerminateInstanceInAutoScalingGroup", "InstanceId", s.id(running(), "instanceId"), "ShouldDecrementDesiredCapacity", "true")
	if d := element(s.do("autoscaling:DescribeAutoScalingGroups"), "DesiredCapacity"); d != "1" || count(running()) != 1 {
		t.Errorf("desired %s, there are %d", d, count(running()))
	}
	// The template is gone: what is lost cannot be replaced, and terminating still works.
	s.do("DeleteLaunchTemplate", "LaunchTemplateName", "src")
	s.do("TerminateInstances", "InstanceId.1", s.id(running(), "instanceId"))
	if n := count(running()); n != 0 {
		t.Errorf("%d instances of a template that is gone", n)
	}
	s.do("autoscaling:DeleteAutoScalingGroup", "AutoScalingGroupName", "g")
	if out := s.do("autoscaling:DescribeAutoScalingGroups", "AutoScalingGroupNames.member.1", "g"); strings.Contains(out, "<AutoScalingGroupName>") {
		t.Errorf("a deleted group is there: %s", out)
	}
	s.refuse("ValidationError", "autoscaling:UpdateAutoScalingGroup", "AutoScalingGroupName", "g", "MaxSize", "1")
	if code, body := s.send("iam:GetRole"); code != 400 || element(body, "Code") != "InvalidAction" {
		t.Errorf("IAM: %d %s", code, body)
	}
}
