package awscloud

import (
	"context"
	"fmt"
	"sort"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"mirador/internal/setup"
)

func elbTagList(t setup.Tags) []types.Tag {
	var out []types.Tag
	for k, v := range t {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	sort.Slice(out, func(i, j int) bool { return *out[i].Key < *out[j].Key })
	return out
}

func targets(ids []string) []types.TargetDescription {
	var out []types.TargetDescription
	for _, id := range ids {
		out = append(out, types.TargetDescription{Id: aws.String(id)})
	}
	return out
}

func forward(group string) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(group)}}
}

// doELB makes a call of Elastic Load Balancing.
func (c *Client) doELB(ctx context.Context, call setup.Call) (r setup.Result, err error) {
	switch x := call.(type) {
	case setup.CreateBalancer:
		out, err := c.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &x.Name, Type: types.LoadBalancerTypeEnum(x.Type),
			Scheme: types.LoadBalancerSchemeEnum(x.Scheme), Subnets: x.Subnets, SecurityGroups: x.Groups, Tags: elbTagList(x.Tags)})
		if err != nil {
			return r, err
		}
		if len(out.LoadBalancers) == 0 {
			return r, fmt.Errorf("no load balancer in the answer")
		}
		return setup.Result{ID: text(out.LoadBalancers[0].LoadBalancerArn)}, nil
	case setup.ModifyBalancer:
		in := &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &x.Balancer}
		for _, t := range elbTagList(x.Attributes) {
			in.Attributes = append(in.Attributes, types.LoadBalancerAttribute{Key: t.Key, Value: t.Value})
		}
		_, err = c.elb.ModifyLoadBalancerAttributes(ctx, in)
	case setup.DeleteBalancer:
		_, err = c.elb.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &x.Balancer})
	case setup.CreateTargetGroup:
		in := &elb.CreateTargetGroupInput{Name: &x.Name, Protocol: types.ProtocolEnum(x.Protocol), Port: int32p(x.Port), VpcId: &x.VPC, TargetType: types.TargetTypeEnum(x.Type),
			HealthCheckProtocol: types.ProtocolEnum(x.Health.Protocol), HealthCheckPort: &x.Health.Port, HealthCheckPath: optional(x.Health.Path),
			HealthCheckIntervalSeconds: int32p(x.Health.Interval), HealthyThresholdCount: int32p(x.Health.Healthy), UnhealthyThresholdCount: int32p(x.Health.Unhealthy),
			Tags: elbTagList(x.Tags)}
		out, err := c.elb.CreateTargetGroup(ctx, in)
		if err != nil {
			return r, err
		}
		if len(out.TargetGroups) == 0 {
			return r, fmt.Errorf("no target group in the answer")
		}
		return setup.Result{ID: text(out.TargetGroups[0].TargetGroupArn)}, nil
	case setup.ModifyTargetGroup:
		_, err = c.elb.ModifyTargetGroup(ctx, &elb.ModifyTargetGroupInput{TargetGroupArn: &x.TargetGroup, HealthCheckProtocol: types.ProtocolEnum(x.Health.Protocol),
			HealthCheckPort: &x.Health.Port, HealthCheckPath: optional(x.Health.Path), HealthCheckIntervalSeconds: int32p(x.Health.Interval),
			HealthyThresholdCount: int32p(x.Health.Healthy), UnhealthyThresholdCount: int32p(x.Health.Unhealthy)})
	case setup.ModifyTargetGroupAttributes:
		in := &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: &x.TargetGroup}
		for _, t := range elbTagList(x.Attributes) {
			in.Attributes = append(in.Attributes, types.TargetGroupAttribute{Key: t.Key, Value: t.Value})
		}
		_, err = c.elb.ModifyTargetGroupAttributes(ctx, in)
	case setup.DeleteTargetGroup:
		_, err = c.elb.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &x.TargetGroup})
	case setup.RegisterTargets:
		_, err = c.elb.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &x.TargetGroup, Targets: targets(x.Targets)})
	case setup.DeregisterTargets:
		_, err = c.elb.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &x.TargetGroup, Targets: targets(x.Targets)})
	case setup.CreateListener:
		in := &elb.CreateListenerInput{LoadBalancerArn: &x.Balancer, Protocol: types.ProtocolEnum(x.Protocol), DefaultActions: forward(x.TargetGroup), Tags: elbTagList(x.Tags)}
		if x.Port > 0 {
			in.Port = int32p(x.Port)
		}
		out, err := c.elb.CreateListener(ctx, in)
		if err != nil {
			return r, err
		}
		if len(out.Listeners) == 0 {
			return r, fmt.Errorf("no listener in the answer")
		}
		return setup.Result{ID: text(out.Listeners[0].ListenerArn)}, nil
	case setup.ModifyListener:
		_, err = c.elb.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: &x.Listener, DefaultActions: forward(x.TargetGroup)})
	case setup.DeleteListener:
		_, err = c.elb.DeleteListener(ctx, &elb.DeleteListenerInput{ListenerArn: &x.Listener})
	case setup.SetBalancerTags:
		_, err = c.elb.AddTags(ctx, &elb.AddTagsInput{ResourceArns: []string{x.Resource}, Tags: elbTagList(x.Tags)})
	default:
		return r, fmt.Errorf("call %T is not known", call)
	}
	return r, err
}
