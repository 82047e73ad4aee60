package awscloud

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// Do makes one change.
func (c *Client) Do(ctx context.Context, call setup.Call) (setup.Result, error) {
	var r setup.Result
	var err error
	if call.Action().Service == "ec2" {
		r, err = c.doEC2(ctx, call, nil)
	} else {
		r, err = c.doELB(ctx, call)
	}
	return r, explain(call.Action(), err)
}

// DryRun asks whether the caller may make a change.
func (c *Client) DryRun(ctx context.Context, call setup.Call) error {
	if call.Action().Service != "ec2" {
		return setup.ErrNoDryRun
	}
	_, err := c.doEC2(ctx, call, aws.Bool(true))
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "DryRunOperation" {
		return nil
	}
	if err == nil {
		return &setup.CloudError{Op: call.Action(), Message: "the endpoint made the call although it was a dry run"}
	}
	return explain(call.Action(), err)
}

func tagSpec(kind types.ResourceType, t setup.Tags) []types.TagSpecification {
	if len(t) == 0 {
		return nil
	}
	return []types.TagSpecification{{ResourceType: kind, Tags: ec2Tags(t)}}
}

func ec2Tags(t setup.Tags) []types.Tag {
	var out []types.Tag
	for k, v := range t {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	sort.Slice(out, func(i, j int) bool { return *out[i].Key < *out[j].Key })
	return out
}

// doEC2 makes a call of EC2. A dry run goes the same way.
func (c *Client) doEC2(ctx context.Context, call setup.Call, dry *bool) (setup.Result, error) {
	switch x := call.(type) {
	case setup.CreateGroup:
		out, err := c.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: &x.Name, Description: &x.Description, VpcId: &x.VPC,
			TagSpecifications: tagSpec(types.ResourceTypeSecurityGroup, x.Tags), DryRun: dry})
		if err != nil {
			return setup.Result{}, err
		}
		return setup.Result{ID: text(out.GroupId)}, nil
	case setup.Authorize:
		var err error
		if x.Egress {
			_, err = c.ec2.AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &x.Group, IpPermissions: ipPermissions(x.Rules), DryRun: dry})
		} else {
			_, err = c.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &x.Group, IpPermissions: ipPermissions(x.Rules), DryRun: dry})
		}
		return setup.Result{}, err
	case setup.Revoke:
		var err error
		if x.Egress {
			_, err = c.ec2.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &x.Group, IpPermissions: ipPermissions(x.Rules), DryRun: dry})
		} else {
			_, err = c.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &x.Group, IpPermissions: ipPermissions(x.Rules), DryRun: dry})
		}
		return setup.Result{}, err
	case setup.DeleteGroup:
		_, err := c.ec2.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &x.Group, DryRun: dry})
		return setup.Result{}, err
	case setup.SetTags:
		_, err := c.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{x.Resource}, Tags: ec2Tags(x.Tags), DryRun: dry})
		return setup.Result{}, err
	case setup.CreateService:
		out, err := c.ec2.CreateVpcEndpointServiceConfiguration(ctx, &ec2.CreateVpcEndpointServiceConfigurationInput{AcceptanceRequired: aws.Bool(false),
			GatewayLoadBalancerArns: []string{x.Balancer}, ClientToken: optional(x.Token), TagSpecifications: tagSpec(types.ResourceTypeVpcEndpointService, x.Tags), DryRun: dry})
		if err != nil {
			return setup.Result{}, err
		}
		return setup.Result{ID: text(out.ServiceConfiguration.ServiceId), Name: text(out.ServiceConfiguration.ServiceName)}, nil
	case setup.DeleteService:
		out, err := c.ec2.DeleteVpcEndpointServiceConfigurations(ctx, &ec2.DeleteVpcEndpointServiceConfigurationsInput{ServiceIds: []string{x.Service}, DryRun: dry})
		if err != nil {
			return setup.Result{}, err
		}
		return setup.Result{}, unsuccessful(out.Unsuccessful)
	case setup.CreateEndpoint:
		out, err := c.ec2.CreateVpcEndpoint(ctx, &ec2.CreateVpcEndpointInput{VpcId: &x.VPC, SubnetIds: []string{x.Subnet}, ServiceName: &x.Service,
			VpcEndpointType: types.VpcEndpointTypeGatewayLoadBalancer, ClientToken: optional(x.Token), TagSpecifications: tagSpec(types.ResourceTypeVpcEndpoint, x.Tags), DryRun: dry})
		if err != nil {
			return setup.Result{}, err
		}
		return setup.Result{ID: text(out.VpcEndpoint.VpcEndpointId)}, nil
	case setup.DeleteEndpoint:
		out, err := c.ec2.DeleteVpcEndpoints(ctx, &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{x.Endpoint}, DryRun: dry})
		if err != nil {
			return setup.Result{}, err
		}
		return setup.Result{}, unsuccessful(out.Unsuccessful)
	}
	if r, ok, err := c.doInterface(ctx, call, dry); ok {
		return r, err
	}
	return c.doMirror(ctx, call, dry)
}

// unsuccessful makes an error of what a call of several things could not do.
func unsuccessful(list []types.UnsuccessfulItem) error {
	for _, u := range list {
		if u.Error != nil {
			return &smithy.GenericAPIError{Code: text(u.Error.Code), Message: text(u.Error.Message)}
		}
	}
	return nil
}

func ipPermissions(list []setup.Permission) []types.IpPermission {
	var out []types.IpPermission
	for _, p := range list {
		x := types.IpPermission{IpProtocol: aws.String(p.Protocol)}
		if p.Protocol != "-1" {
			x.FromPort, x.ToPort = int32p(p.From), int32p(p.To)
		}
		switch {
		case p.Group != "":
			x.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: aws.String(p.Group), Description: optional(p.Why)}}
		case p.List != "":
			x.PrefixListIds = []types.PrefixListId{{PrefixListId: aws.String(p.List), Description: optional(p.Why)}}
		case prefix(&p.CIDR).Addr().Is6():
			x.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String(p.CIDR), Description: optional(p.Why)}}
		default:
			x.IpRanges = []types.IpRange{{CidrIp: aws.String(p.CIDR), Description: optional(p.Why)}}
		}
		out = append(out, x)
	}
	return out
}

// doInterface makes a call about network interfaces; ok tells that it is one.
func (c *Client) doInterface(ctx context.Context, call setup.Call, dry *bool) (r setup.Result, ok bool, err error) {
	switch x := call.(type) {
	case setup.CreateInterface:
		out, err := c.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &x.Subnet, Groups: x.Groups, Description: optional(x.Description),
			ClientToken: optional(x.Token), TagSpecifications: tagSpec(types.ResourceTypeNetworkInterface, x.Tags), DryRun: dry})
		if err != nil {
			return r, true, err
		}
		return setup.Result{ID: text(out.NetworkInterface.NetworkInterfaceId), Name: text(out.NetworkInterface.PrivateIpAddress)}, true, nil
	case setup.AttachInterface:
		out, err := c.ec2.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: &x.Interface, InstanceId: &x.Instance, DeviceIndex: int32p(x.Index), DryRun: dry})
		if err != nil {
			return r, true, err
		}
		return setup.Result{ID: text(out.AttachmentId)}, true, nil
	case setup.DeleteWithInstance:
		_, err = c.ec2.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &x.Interface,
			Attachment: &types.NetworkInterfaceAttachmentChanges{AttachmentId: &x.Attachment, DeleteOnTermination: aws.Bool(true)}, DryRun: dry})
	case setup.ModifyInterfaceGroups:
		_, err = c.ec2.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &x.Interface, Groups: x.Groups, DryRun: dry})
	case setup.ModifyInterfaceDescription:
		_, err = c.ec2.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{NetworkInterfaceId: &x.Interface,
			Description: &types.AttributeValue{Value: &x.Description}, DryRun: dry})
	case setup.DetachInterface:
		_, err = c.ec2.DetachNetworkInterface(ctx, &ec2.DetachNetworkInterfaceInput{AttachmentId: &x.Attachment, DryRun: dry})
	case setup.DeleteInterface:
		_, err = c.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &x.Interface, DryRun: dry})
	default:
		return r, false, nil
	}
	return r, true, err
}

// doMirror makes a call about mirroring.
func (c *Client) doMirror(ctx context.Context, call setup.Call, dry *bool) (r setup.Result, err error) {
	switch x := call.(type) {
	case setup.CreateTarget:
		out, err := c.ec2.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: optional(x.Interface), NetworkLoadBalancerArn: optional(x.Balancer),
			GatewayLoadBalancerEndpointId: optional(x.Endpoint), Description: optional(x.Description), ClientToken: optional(x.Token),
			TagSpecifications: tagSpec(types.ResourceTypeTrafficMirrorTarget, x.Tags), DryRun: dry})
		if err != nil {
			return r, err
		}
		return setup.Result{ID: text(out.TrafficMirrorTarget.TrafficMirrorTargetId)}, nil
	case setup.DeleteTarget:
		_, err = c.ec2.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: &x.Target, DryRun: dry})
	case setup.CreateFilter:
		out, err := c.ec2.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{Description: optional(x.Description), ClientToken: optional(x.Token),
			TagSpecifications: tagSpec(types.ResourceTypeTrafficMirrorFilter, x.Tags), DryRun: dry})
		if err != nil {
			return r, err
		}
		return setup.Result{ID: text(out.TrafficMirrorFilter.TrafficMirrorFilterId)}, nil
	case setup.ModifyFilterServices:
		_, err = c.ec2.ModifyTrafficMirrorFilterNetworkServices(ctx, &ec2.ModifyTrafficMirrorFilterNetworkServicesInput{TrafficMirrorFilterId: &x.Filter,
			AddNetworkServices: services(x.Add), RemoveNetworkServices: services(x.Remove), DryRun: dry})
	case setup.DeleteFilter:
		_, err = c.ec2.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: &x.Filter, DryRun: dry})
	case setup.CreateRule:
		return c.createRule(ctx, x, dry)
	case setup.ModifyRule:
		_, err = c.ec2.ModifyTrafficMirrorFilterRule(ctx, modifyRule(x, dry))
	case setup.DeleteRule:
		_, err = c.ec2.DeleteTrafficMirrorFilterRule(ctx, &ec2.DeleteTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: &x.Rule, DryRun: dry})
	case setup.CreateSession:
		in := &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &x.Interface, TrafficMirrorTargetId: &x.Target, TrafficMirrorFilterId: &x.Filter,
			SessionNumber: int32p(x.Number), VirtualNetworkId: aws.Int32(int32(x.VNI)), Description: optional(x.Description), ClientToken: optional(x.Token),
			TagSpecifications: tagSpec(types.ResourceTypeTrafficMirrorSession, x.Tags), DryRun: dry}
		if x.PacketLength > 0 {
			in.PacketLength = int32p(x.PacketLength)
		}
		out, err := c.ec2.CreateTrafficMirrorSession(ctx, in)
		if err != nil {
			return r, err
		}
		return setup.Result{ID: text(out.TrafficMirrorSession.TrafficMirrorSessionId)}, nil
	case setup.ModifySession:
		_, err = c.ec2.ModifyTrafficMirrorSession(ctx, modifySession(x, dry))
	case setup.DeleteSession:
		_, err = c.ec2.DeleteTrafficMirrorSession(ctx, &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: &x.Session, DryRun: dry})
	default:
		return r, fmt.Errorf("call %T is not known", call)
	}
	return r, err
}

func services(list []string) []types.TrafficMirrorNetworkService {
	var out []types.TrafficMirrorNetworkService
	for _, s := range list {
		out = append(out, types.TrafficMirrorNetworkService(s))
	}
	return out
}

func ports(p *mirror.PortRange) *types.TrafficMirrorPortRangeRequest {
	if p == nil {
		return nil
	}
	return &types.TrafficMirrorPortRangeRequest{FromPort: int32p(p.From), ToPort: int32p(p.To)}
}

// protocol returns the number of a protocol; all of them have none.
func protocol(n int) *int32 {
	if n == mirror.AnyProtocol {
		return nil
	}
	return int32p(n)
}

func (c *Client) createRule(ctx context.Context, x setup.CreateRule, dry *bool) (setup.Result, error) {
	out, err := c.ec2.CreateTrafficMirrorFilterRule(ctx, &ec2.CreateTrafficMirrorFilterRuleInput{
		TrafficMirrorFilterId: &x.Filter, TrafficDirection: types.TrafficDirection(x.Rule.Direction.String()), RuleNumber: int32p(x.Rule.Number),
		RuleAction: types.TrafficMirrorRuleAction(x.Rule.Action), Protocol: protocol(x.Rule.Protocol), SourceCidrBlock: aws.String(x.Rule.SourceCIDR.String()),
		DestinationCidrBlock: aws.String(x.Rule.DestinationCIDR.String()), SourcePortRange: ports(x.Rule.SourcePorts), DestinationPortRange: ports(x.Rule.DestinationPorts),
		Description: optional(x.Rule.Description), ClientToken: optional(x.Token), TagSpecifications: tagSpec(types.ResourceTypeTrafficMirrorFilterRule, x.Tags), DryRun: dry,
	})
	if err != nil {
		return setup.Result{}, err
	}
	return setup.Result{ID: text(out.TrafficMirrorFilterRule.TrafficMirrorFilterRuleId)}, nil
}

func modifyRule(x setup.ModifyRule, dry *bool) *ec2.ModifyTrafficMirrorFilterRuleInput {
	in := &ec2.ModifyTrafficMirrorFilterRuleInput{
		TrafficMirrorFilterRuleId: &x.Rule.ID, RuleAction: types.TrafficMirrorRuleAction(x.Rule.Action), Protocol: protocol(x.Rule.Protocol),
		SourceCidrBlock: aws.String(x.Rule.SourceCIDR.String()), DestinationCidrBlock: aws.String(x.Rule.DestinationCIDR.String()),
		SourcePortRange: ports(x.Rule.SourcePorts), DestinationPortRange: ports(x.Rule.DestinationPorts), Description: optional(x.Rule.Description), DryRun: dry,
	}
	for _, f := range x.Remove {
		in.RemoveFields = append(in.RemoveFields, types.TrafficMirrorFilterRuleField(f))
	}
	return in
}

func modifySession(x setup.ModifySession, dry *bool) *ec2.ModifyTrafficMirrorSessionInput {
	in := &ec2.ModifyTrafficMirrorSessionInput{TrafficMirrorSessionId: &x.Session, TrafficMirrorTargetId: optional(x.Target), TrafficMirrorFilterId: optional(x.Filter),
		Description: optional(x.Description), DryRun: dry}
	if x.Number > 0 {
		in.SessionNumber = int32p(x.Number)
	}
	if x.VNI != nil {
		in.VirtualNetworkId = aws.Int32(int32(*x.VNI))
	}
	if x.PacketLength > 0 {
		in.PacketLength = int32p(x.PacketLength)
	}
	for _, f := range x.Remove {
		in.RemoveFields = append(in.RemoveFields, types.TrafficMirrorSessionField(f))
	}
	return in
}
