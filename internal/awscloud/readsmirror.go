package awscloud

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// Targets reads traffic mirror targets.
func (c *Client) Targets(ctx context.Context, q setup.Query) ([]mirror.Target, error) {
	var out []mirror.Target
	p := ec2.NewDescribeTrafficMirrorTargetsPaginator(c.ec2, &ec2.DescribeTrafficMirrorTargetsInput{TrafficMirrorTargetIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeTrafficMirrorTargets"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.TrafficMirrorTargets {
			out = append(out, mirror.Target{ID: text(x.TrafficMirrorTargetId), NetworkInterfaceID: text(x.NetworkInterfaceId), NetworkLoadBalancerARN: text(x.NetworkLoadBalancerArn),
				GatewayLoadBalancerEndpointID: text(x.GatewayLoadBalancerEndpointId), Description: text(x.Description), OwnerID: text(x.OwnerId), Tags: mirrorTags(x.Tags)})
		}
		return nil
	})
	return out, err
}

// Filters reads traffic mirror filters with their rules.
func (c *Client) Filters(ctx context.Context, q setup.Query) ([]mirror.Filter, error) {
	var out []mirror.Filter
	p := ec2.NewDescribeTrafficMirrorFiltersPaginator(c.ec2, &ec2.DescribeTrafficMirrorFiltersInput{TrafficMirrorFilterIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeTrafficMirrorFilters"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.TrafficMirrorFilters {
			f := mirror.Filter{ID: text(x.TrafficMirrorFilterId), Description: text(x.Description), Tags: mirrorTags(x.Tags)}
			for _, s := range x.NetworkServices {
				f.NetworkServices = append(f.NetworkServices, string(s))
			}
			for _, list := range [][]types.TrafficMirrorFilterRule{x.IngressFilterRules, x.EgressFilterRules} {
				for i := range list {
					f.Rules = append(f.Rules, filterRule(&list[i]))
				}
			}
			slices.SortStableFunc(f.Rules, func(a, b mirror.FilterRule) int {
				return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Number, b.Number))
			})
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

func filterRule(x *types.TrafficMirrorFilterRule) mirror.FilterRule {
	r := mirror.FilterRule{ID: text(x.TrafficMirrorFilterRuleId), FilterID: text(x.TrafficMirrorFilterId), Direction: mirror.Ingress, Number: number(x.RuleNumber),
		Action: mirror.Action(x.RuleAction), Protocol: mirror.AnyProtocol, SourceCIDR: prefix(x.SourceCidrBlock), DestinationCIDR: prefix(x.DestinationCidrBlock),
		SourcePorts: portRange(x.SourcePortRange), DestinationPorts: portRange(x.DestinationPortRange), Description: text(x.Description), Tags: mirrorTags(x.Tags)}
	if x.TrafficDirection == types.TrafficDirectionEgress {
		r.Direction = mirror.Egress
	}
	if x.Protocol != nil {
		r.Protocol = int(*x.Protocol)
	}
	return r
}

func portRange(x *types.TrafficMirrorPortRange) *mirror.PortRange {
	if x == nil || x.FromPort == nil {
		return nil
	}
	return &mirror.PortRange{From: number(x.FromPort), To: number(x.ToPort)}
}

// Sessions reads traffic mirror sessions.
func (c *Client) Sessions(ctx context.Context, q setup.Query) ([]mirror.Session, error) {
	var out []mirror.Session
	p := ec2.NewDescribeTrafficMirrorSessionsPaginator(c.ec2, &ec2.DescribeTrafficMirrorSessionsInput{TrafficMirrorSessionIds: q.IDs, Filters: filters(q, "vpc-id"), MaxResults: size(q)})
	err := pages(action("DescribeTrafficMirrorSessions"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.TrafficMirrorSessions {
			out = append(out, mirror.Session{ID: text(x.TrafficMirrorSessionId), NetworkInterfaceID: text(x.NetworkInterfaceId), TargetID: text(x.TrafficMirrorTargetId),
				FilterID: text(x.TrafficMirrorFilterId), OwnerID: text(x.OwnerId), Number: number(x.SessionNumber), VNI: uint32(aws.ToInt32(x.VirtualNetworkId)),
				PacketLength: number(x.PacketLength), Description: text(x.Description), Tags: mirrorTags(x.Tags)})
		}
		return nil
	})
	return out, err
}
