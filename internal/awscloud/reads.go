package awscloud

import (
	"context"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// perPage is how many things a page of EC2 holds at most.
const perPage = 1000

// typesPerCall is how many instance types one call takes.
const typesPerCall = 100

// filters makes the filters of a query; vpc names the filter for VPCs.
func filters(q setup.Query, vpc string) []types.Filter {
	var out []types.Filter
	if len(q.VPCs) > 0 {
		out = append(out, types.Filter{Name: aws.String(vpc), Values: q.VPCs})
	}
	for k, v := range q.Tags {
		out = append(out, types.Filter{Name: aws.String("tag:" + k), Values: []string{v}})
	}
	for k, v := range q.Filter {
		out = append(out, types.Filter{Name: aws.String(k), Values: v})
	}
	sort.Slice(out, func(i, j int) bool { return *out[i].Name < *out[j].Name })
	return out
}

// size returns the page size of a query: it cannot stand beside ids.
func size(q setup.Query) *int32 {
	if len(q.IDs) > 0 {
		return nil
	}
	return int32p(perPage)
}

func tags(list []types.Tag) setup.Tags {
	t := make(setup.Tags, len(list))
	for _, x := range list {
		t[text(x.Key)] = text(x.Value)
	}
	return t
}

func mirrorTags(list []types.Tag) []mirror.Tag {
	var out []mirror.Tag
	for _, x := range list {
		out = append(out, mirror.Tag{Key: text(x.Key), Value: text(x.Value)})
	}
	return out
}

func addr(s *string) netip.Addr {
	a, _ := netip.ParseAddr(text(s))
	return a
}

func prefix(s *string) netip.Prefix {
	p, _ := netip.ParsePrefix(text(s))
	return p
}

func action(name string) setup.Action { return setup.Action{Service: "ec2", Name: name} }

// Instances reads instances.
func (c *Client) Instances(ctx context.Context, q setup.Query) ([]setup.Instance, error) {
	var out []setup.Instance
	p := ec2.NewDescribeInstancesPaginator(c.ec2, &ec2.DescribeInstancesInput{InstanceIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeInstances"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, r := range page.Reservations {
			for _, x := range r.Instances {
				i := setup.Instance{ID: text(x.InstanceId), Type: string(x.InstanceType), VPC: text(x.VpcId), Subnet: text(x.SubnetId), Tags: tags(x.Tags)}
				if x.State != nil {
					i.State = string(x.State.Name)
				}
				if x.Placement != nil {
					i.AZ = text(x.Placement.AvailabilityZone)
				}
				out = append(out, i)
			}
		}
		return nil
	})
	return out, err
}

// InstanceTypes reads instance types.
func (c *Client) InstanceTypes(ctx context.Context, names []string) ([]setup.InstanceType, error) {
	var out []setup.InstanceType
	for part := range slices.Chunk(names, typesPerCall) {
		in := &ec2.DescribeInstanceTypesInput{}
		for _, n := range part {
			in.InstanceTypes = append(in.InstanceTypes, types.InstanceType(n))
		}
		p := ec2.NewDescribeInstanceTypesPaginator(c.ec2, in)
		err := pages(action("DescribeInstanceTypes"), p.HasMorePages, func() error {
			page, err := p.NextPage(ctx)
			if err != nil {
				return err
			}
			for i := range page.InstanceTypes {
				out = append(out, instanceType(&page.InstanceTypes[i]))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func instanceType(x *types.InstanceTypeInfo) setup.InstanceType {
	t := setup.InstanceType{Name: string(x.InstanceType), Hypervisor: string(x.Hypervisor), BareMetal: isTrue(x.BareMetal)}
	if x.VCpuInfo != nil {
		t.VCPUs = number(x.VCpuInfo.DefaultVCpus)
	}
	if x.MemoryInfo != nil {
		t.MemoryMiB = int(aws.ToInt64(x.MemoryInfo.SizeInMiB))
	}
	if n := x.NetworkInfo; n != nil {
		t.MaxInterfaces = number(n.MaximumNetworkInterfaces)
		for _, card := range n.NetworkCards {
			t.BaselineGbps += aws.ToFloat64(card.BaselineBandwidthInGbps)
			t.PeakGbps += aws.ToFloat64(card.PeakBandwidthInGbps)
		}
	}
	return t
}

// Interfaces reads network interfaces.
func (c *Client) Interfaces(ctx context.Context, q setup.Query) ([]setup.Interface, error) {
	var out []setup.Interface
	p := ec2.NewDescribeNetworkInterfacesPaginator(c.ec2, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeNetworkInterfaces"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for i := range page.NetworkInterfaces {
			out = append(out, networkInterface(&page.NetworkInterfaces[i]))
		}
		return nil
	})
	return out, err
}

func networkInterface(x *types.NetworkInterface) setup.Interface {
	e := setup.Interface{
		ID: text(x.NetworkInterfaceId), Kind: string(x.InterfaceType), Status: string(x.Status), Description: text(x.Description),
		VPC: text(x.VpcId), Subnet: text(x.SubnetId), AZ: text(x.AvailabilityZone), OwnerID: text(x.OwnerId), MAC: text(x.MacAddress),
		RequesterManaged: isTrue(x.RequesterManaged), RequesterID: text(x.RequesterId), Tags: tags(x.TagSet),
	}
	for _, a := range x.PrivateIpAddresses {
		if isTrue(a.Primary) {
			e.Private = append([]netip.Addr{addr(a.PrivateIpAddress)}, e.Private...)
		} else {
			e.Private = append(e.Private, addr(a.PrivateIpAddress))
		}
	}
	if len(e.Private) == 0 && x.PrivateIpAddress != nil {
		e.Private = []netip.Addr{addr(x.PrivateIpAddress)}
	}
	for _, a := range x.Ipv6Addresses {
		e.IPv6 = append(e.IPv6, addr(a.Ipv6Address))
	}
	for _, g := range x.Groups {
		e.Groups = append(e.Groups, text(g.GroupId))
	}
	if a := x.Attachment; a != nil && a.Status != types.AttachmentStatusDetached {
		e.InstanceID, e.AttachmentID, e.DeviceIndex, e.DeleteWithOwner = text(a.InstanceId), text(a.AttachmentId), number(a.DeviceIndex), isTrue(a.DeleteOnTermination)
	}
	return e
}

// Subnets reads subnets.
func (c *Client) Subnets(ctx context.Context, q setup.Query) ([]setup.Subnet, error) {
	var out []setup.Subnet
	p := ec2.NewDescribeSubnetsPaginator(c.ec2, &ec2.DescribeSubnetsInput{SubnetIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeSubnets"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.Subnets {
			s := setup.Subnet{ID: text(x.SubnetId), VPC: text(x.VpcId), AZ: text(x.AvailabilityZone), CIDR: prefix(x.CidrBlock),
				OnlyIPv6: isTrue(x.Ipv6Native), Free: number(x.AvailableIpAddressCount), Tags: tags(x.Tags)}
			for _, a := range x.Ipv6CidrBlockAssociationSet {
				if n := prefix(a.Ipv6CidrBlock); n.IsValid() {
					s.IPv6 = append(s.IPv6, n)
				}
			}
			out = append(out, s)
		}
		return nil
	})
	return out, err
}

// VPCs reads VPCs.
func (c *Client) VPCs(ctx context.Context, q setup.Query) ([]setup.VPC, error) {
	var out []setup.VPC
	p := ec2.NewDescribeVpcsPaginator(c.ec2, &ec2.DescribeVpcsInput{VpcIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeVpcs"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.Vpcs {
			v := setup.VPC{ID: text(x.VpcId), Tags: tags(x.Tags)}
			for _, a := range x.CidrBlockAssociationSet {
				if n := prefix(a.CidrBlock); n.IsValid() && (a.CidrBlockState == nil || a.CidrBlockState.State == types.VpcCidrBlockStateCodeAssociated) {
					v.CIDRs = append(v.CIDRs, n)
				}
			}
			if n := prefix(x.CidrBlock); len(v.CIDRs) == 0 && n.IsValid() {
				v.CIDRs = append(v.CIDRs, n)
			}
			for _, a := range x.Ipv6CidrBlockAssociationSet {
				if n := prefix(a.Ipv6CidrBlock); n.IsValid() {
					v.IPv6 = append(v.IPv6, n)
				}
			}
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// PrefixLists reads the entries of managed prefix lists.
func (c *Client) PrefixLists(ctx context.Context, ids []string) (mirror.PrefixLists, error) {
	out := mirror.PrefixLists{}
	for _, id := range ids {
		var list []netip.Prefix
		p := ec2.NewGetManagedPrefixListEntriesPaginator(c.ec2, &ec2.GetManagedPrefixListEntriesInput{PrefixListId: &id, MaxResults: int32p(100)})
		err := pages(action("GetManagedPrefixListEntries"), p.HasMorePages, func() error {
			page, err := p.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, e := range page.Entries {
				if n := prefix(e.Cidr); n.IsValid() {
					list = append(list, n)
				}
			}
			return nil
		})
		switch setup.KindOf(err) {
		case setup.KindNotFound: // of another account, and not shared with this one
			continue
		default:
			if err != nil {
				return nil, err
			}
		}
		out[id] = list
	}
	return out, nil
}

// RouteTables reads route tables.
func (c *Client) RouteTables(ctx context.Context, q setup.Query) ([]setup.RouteTable, error) {
	var out []setup.RouteTable
	in := &ec2.DescribeRouteTablesInput{RouteTableIds: q.IDs, Filters: filters(q, "vpc-id")}
	if len(q.IDs) == 0 {
		in.MaxResults = int32p(100) // the most that this call takes
	}
	p := ec2.NewDescribeRouteTablesPaginator(c.ec2, in)
	err := pages(action("DescribeRouteTables"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.RouteTables {
			t := setup.RouteTable{ID: text(x.RouteTableId), VPC: text(x.VpcId)}
			for _, a := range x.Associations {
				t.Main = t.Main || isTrue(a.Main)
				if a.SubnetId != nil {
					t.Subnets = append(t.Subnets, *a.SubnetId)
				}
			}
			for i := range x.Routes {
				t.Routes = append(t.Routes, route(&x.Routes[i]))
			}
			out = append(out, t)
		}
		return nil
	})
	return out, err
}

func route(x *types.Route) setup.Route {
	r := setup.Route{Destination: prefix(x.DestinationCidrBlock), List: text(x.DestinationPrefixListId), Blackhole: x.State == types.RouteStateBlackhole}
	if x.DestinationIpv6CidrBlock != nil {
		r.Destination = prefix(x.DestinationIpv6CidrBlock)
	}
	for _, v := range []*string{x.GatewayId, x.NatGatewayId, x.TransitGatewayId, x.VpcPeeringConnectionId, x.NetworkInterfaceId, x.EgressOnlyInternetGatewayId,
		x.LocalGatewayId, x.CarrierGatewayId, x.CoreNetworkArn, x.InstanceId} {
		if text(v) != "" {
			r.Via = *v
			break
		}
	}
	return r
}

// NetworkACLs reads network ACLs.
func (c *Client) NetworkACLs(ctx context.Context, q setup.Query) ([]setup.NetworkACL, error) {
	var out []setup.NetworkACL
	p := ec2.NewDescribeNetworkAclsPaginator(c.ec2, &ec2.DescribeNetworkAclsInput{NetworkAclIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeNetworkAcls"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.NetworkAcls {
			n := setup.NetworkACL{ID: text(x.NetworkAclId), VPC: text(x.VpcId), Default: isTrue(x.IsDefault)}
			for _, a := range x.Associations {
				n.Subnets = append(n.Subnets, text(a.SubnetId))
			}
			for _, e := range x.Entries {
				n.Entries = append(n.Entries, aclEntry(&e))
			}
			out = append(out, n)
		}
		return nil
	})
	return out, err
}

func aclEntry(x *types.NetworkAclEntry) setup.ACLEntry {
	e := setup.ACLEntry{Number: number(x.RuleNumber), Egress: isTrue(x.Egress), Allow: x.RuleAction == types.RuleActionAllow,
		CIDR: prefix(x.CidrBlock), From: setup.AnyPort, To: setup.AnyPort, Protocol: mirror.AnyProtocol}
	if x.Ipv6CidrBlock != nil {
		e.CIDR = prefix(x.Ipv6CidrBlock)
	}
	if n, err := strconv.Atoi(text(x.Protocol)); err == nil {
		e.Protocol = n
	}
	if x.PortRange != nil {
		e.From, e.To = number(x.PortRange.From), number(x.PortRange.To)
	}
	return e
}

// SecurityGroups reads security groups.
func (c *Client) SecurityGroups(ctx context.Context, q setup.Query) ([]setup.SecurityGroup, error) {
	var out []setup.SecurityGroup
	p := ec2.NewDescribeSecurityGroupsPaginator(c.ec2, &ec2.DescribeSecurityGroupsInput{GroupIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeSecurityGroups"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.SecurityGroups {
			out = append(out, setup.SecurityGroup{ID: text(x.GroupId), Name: text(x.GroupName), Description: text(x.Description), VPC: text(x.VpcId),
				Ingress: permissions(x.IpPermissions), Egress: permissions(x.IpPermissionsEgress), Tags: tags(x.Tags)})
		}
		return nil
	})
	return out, err
}

// permissions takes permissions apart: one peer each.
func permissions(list []types.IpPermission) []setup.Permission {
	var out []setup.Permission
	for _, x := range list {
		p := setup.Permission{Protocol: text(x.IpProtocol), From: setup.AnyPort, To: setup.AnyPort}
		if x.FromPort != nil && p.Protocol != "-1" {
			p.From = number(x.FromPort)
		}
		if x.ToPort != nil && p.Protocol != "-1" {
			p.To = number(x.ToPort)
		}
		for _, r := range x.IpRanges {
			q := p
			q.CIDR, q.Why = text(r.CidrIp), text(r.Description)
			out = append(out, q)
		}
		for _, r := range x.Ipv6Ranges {
			q := p
			q.CIDR, q.Why = text(r.CidrIpv6), text(r.Description)
			out = append(out, q)
		}
		for _, r := range x.UserIdGroupPairs {
			q := p
			q.Group, q.Why = text(r.GroupId), text(r.Description)
			out = append(out, q)
		}
		for _, r := range x.PrefixListIds {
			q := p
			q.List, q.Why = text(r.PrefixListId), text(r.Description)
			out = append(out, q)
		}
	}
	return out
}

// EndpointServices reads endpoint services of the account.
func (c *Client) EndpointServices(ctx context.Context, q setup.Query) ([]setup.EndpointService, error) {
	var out []setup.EndpointService
	p := ec2.NewDescribeVpcEndpointServiceConfigurationsPaginator(c.ec2, &ec2.DescribeVpcEndpointServiceConfigurationsInput{ServiceIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeVpcEndpointServiceConfigurations"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.ServiceConfigurations {
			out = append(out, setup.EndpointService{ID: text(x.ServiceId), Name: text(x.ServiceName), State: string(x.ServiceState),
				Balancers: x.GatewayLoadBalancerArns, Tags: tags(x.Tags)})
		}
		return nil
	})
	return out, err
}

// Endpoints reads VPC endpoints.
func (c *Client) Endpoints(ctx context.Context, q setup.Query) ([]setup.Endpoint, error) {
	var out []setup.Endpoint
	p := ec2.NewDescribeVpcEndpointsPaginator(c.ec2, &ec2.DescribeVpcEndpointsInput{VpcEndpointIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeVpcEndpoints"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.VpcEndpoints {
			out = append(out, setup.Endpoint{ID: text(x.VpcEndpointId), Kind: string(x.VpcEndpointType), State: strings.ToLower(string(x.State)), VPC: text(x.VpcId),
				Subnets: x.SubnetIds, Service: text(x.ServiceName), Interfaces: x.NetworkInterfaceIds, Tags: tags(x.Tags)})
		}
		return nil
	})
	return out, err
}
