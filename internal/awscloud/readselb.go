package awscloud

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"mirador/internal/setup"
)

const (
	elbPerPage  = 400 // the most that Elastic Load Balancing gives
	arnsPerCall = 20  // of DescribeTags
)

func elbAction(name string) setup.Action {
	return setup.Action{Service: "elasticloadbalancing", Name: name}
}

// elbTags reads the tags of resources of Elastic Load Balancing, by ARN.
func (c *Client) elbTags(ctx context.Context, arns []string) (map[string]setup.Tags, error) {
	out := map[string]setup.Tags{}
	for part := range slices.Chunk(arns, arnsPerCall) {
		r, err := c.elb.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: part})
		if err != nil {
			return nil, explain(elbAction("DescribeTags"), err)
		}
		for _, d := range r.TagDescriptions {
			t := setup.Tags{}
			for _, x := range d.Tags {
				t[text(x.Key)] = text(x.Value)
			}
			out[text(d.ResourceArn)] = t
		}
	}
	return out, nil
}

// Balancers reads network and gateway load balancers.
func (c *Client) Balancers(ctx context.Context) ([]setup.Balancer, error) {
	var out []setup.Balancer
	p := elb.NewDescribeLoadBalancersPaginator(c.elb, &elb.DescribeLoadBalancersInput{PageSize: int32p(elbPerPage)})
	err := pages(elbAction("DescribeLoadBalancers"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.LoadBalancers {
			if x.Type != types.LoadBalancerTypeEnumNetwork && x.Type != types.LoadBalancerTypeEnumGateway {
				continue
			}
			b := setup.Balancer{ARN: text(x.LoadBalancerArn), Name: text(x.LoadBalancerName), Type: string(x.Type), Scheme: string(x.Scheme),
				DNSName: text(x.DNSName), VPC: text(x.VpcId), Groups: x.SecurityGroups}
			if x.State != nil {
				b.State = string(x.State.Code)
			}
			for _, z := range x.AvailabilityZones {
				b.Subnets = append(b.Subnets, text(z.SubnetId))
			}
			out = append(out, b)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return labelled(ctx, c, out, func(x *setup.Balancer) (string, *setup.Tags) { return x.ARN, &x.Tags })
}

// labelled gives each of list its tags, which take a call of their own.
func labelled[T any](ctx context.Context, c *Client, list []T, of func(*T) (arn string, tags *setup.Tags)) ([]T, error) {
	arns := make([]string, len(list))
	for i := range list {
		arns[i], _ = of(&list[i])
	}
	all, err := c.elbTags(ctx, arns)
	if err != nil {
		return nil, err
	}
	for i := range list {
		_, tags := of(&list[i])
		*tags = all[arns[i]]
	}
	return list, nil
}

// TargetGroups reads target groups for UDP and GENEVE.
func (c *Client) TargetGroups(ctx context.Context) ([]setup.TargetGroup, error) {
	var out []setup.TargetGroup
	p := elb.NewDescribeTargetGroupsPaginator(c.elb, &elb.DescribeTargetGroupsInput{PageSize: int32p(elbPerPage)})
	err := pages(elbAction("DescribeTargetGroups"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.TargetGroups {
			if x.Protocol != types.ProtocolEnumUdp && x.Protocol != types.ProtocolEnumGeneve && x.Protocol != types.ProtocolEnumTcpUdp {
				continue
			}
			g := setup.TargetGroup{ARN: text(x.TargetGroupArn), Name: text(x.TargetGroupName), Protocol: string(x.Protocol), Port: number(x.Port), VPC: text(x.VpcId),
				TargetType: string(x.TargetType), Balancers: x.LoadBalancerArns, Health: setup.Health{
					Protocol: string(x.HealthCheckProtocol), Port: text(x.HealthCheckPort), Path: text(x.HealthCheckPath), Interval: number(x.HealthCheckIntervalSeconds),
					Healthy: number(x.HealthyThresholdCount), Unhealthy: number(x.UnhealthyThresholdCount),
				}}
			out = append(out, g)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return labelled(ctx, c, out, func(x *setup.TargetGroup) (string, *setup.Tags) { return x.ARN, &x.Tags })
}

// Listeners reads the listeners of a load balancer.
func (c *Client) Listeners(ctx context.Context, balancer string) ([]setup.Listener, error) {
	var out []setup.Listener
	p := elb.NewDescribeListenersPaginator(c.elb, &elb.DescribeListenersInput{LoadBalancerArn: aws.String(balancer)})
	err := pages(elbAction("DescribeListeners"), p.HasMorePages, func() error {
		page, err := p.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, x := range page.Listeners {
			l := setup.Listener{ARN: text(x.ListenerArn), Balancer: text(x.LoadBalancerArn), Protocol: string(x.Protocol), Port: number(x.Port)}
			for _, a := range x.DefaultActions {
				if a.TargetGroupArn != nil {
					l.TargetGroup = *a.TargetGroupArn
				} else if a.ForwardConfig != nil && len(a.ForwardConfig.TargetGroups) > 0 {
					l.TargetGroup = text(a.ForwardConfig.TargetGroups[0].TargetGroupArn)
				}
			}
			out = append(out, l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return labelled(ctx, c, out, func(x *setup.Listener) (string, *setup.Tags) { return x.ARN, &x.Tags })
}

// BalancerAttributes reads the attributes of a load balancer.
func (c *Client) BalancerAttributes(ctx context.Context, balancer string) (setup.Tags, error) {
	r, err := c.elb.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: aws.String(balancer)})
	if err != nil {
		return nil, explain(elbAction("DescribeLoadBalancerAttributes"), err)
	}
	t := setup.Tags{}
	for _, a := range r.Attributes {
		t[text(a.Key)] = text(a.Value)
	}
	return t, nil
}

// TargetGroupAttributes reads the attributes of a target group.
func (c *Client) TargetGroupAttributes(ctx context.Context, group string) (setup.Tags, error) {
	r, err := c.elb.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(group)})
	if err != nil {
		return nil, explain(elbAction("DescribeTargetGroupAttributes"), err)
	}
	t := setup.Tags{}
	for _, a := range r.Attributes {
		t[text(a.Key)] = text(a.Value)
	}
	return t, nil
}

// TargetHealth reads how the targets of a target group are.
func (c *Client) TargetHealth(ctx context.Context, group string) ([]setup.TargetHealth, error) {
	r, err := c.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(group)})
	if err != nil {
		return nil, explain(elbAction("DescribeTargetHealth"), err)
	}
	var out []setup.TargetHealth
	for _, d := range r.TargetHealthDescriptions {
		if d.Target == nil {
			continue
		}
		h := setup.TargetHealth{ID: text(d.Target.Id), Port: number(d.Target.Port), AZ: text(d.Target.AvailabilityZone)}
		if d.TargetHealth != nil {
			h.State, h.Reason, h.Description = string(d.TargetHealth.State), string(d.TargetHealth.Reason), text(d.TargetHealth.Description)
		}
		out = append(out, h)
	}
	return out, nil
}
