package setup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

const (
	balanced = tagged + "target: {kind: nlb}\n"
	gateway  = tagged + "target: {kind: gwlb}\n"
)

// counted is what CloudWatch says of each instance: the sum of each metric.
type counted map[string]map[string]float64

func (c counted) Metric(q ec2api.MetricQuery) []ec2api.Datapoint {
	v, ok := c[q.Dimensions["InstanceId"]][q.Name]
	if !ok || q.Namespace != "AWS/EC2" || q.Statistic != "Sum" {
		return nil
	}
	return []ec2api.Datapoint{{Time: q.Start, Value: v / 2}, {Time: q.Start.Add(q.Period), Value: v / 2}}
}

func (counted) MetricNames() []ec2api.MetricName { return nil }

// ill is a health port that holds no target for healthy.
type ill struct{}

func (ill) TargetHealth(string, ec2api.TargetID) (ec2api.TargetHealth, bool) {
	return ec2api.TargetHealth{State: "unhealthy", Reason: "Target.ResponseCodeMismatch", Description: "Health checks failed with these codes: [503]"}, true
}

// verify verifies s.
func (w *world) verify(s *setup.Spec, o setup.VerifyOptions) *setup.Verification {
	w.t.Helper()
	o.Start, o.End = w.clock.Now().Add(-time.Hour), w.clock.Now()
	if o.Tolerance == 0 {
		o.Tolerance = 0.05
	}
	v, err := setup.Verify(w.t.Context(), w.client(), s, o)
	w.ok(err)
	return v
}

func (w *world) balancing() *elb.Client {
	return elb.New(elb.Options{Region: "us-east-1", BaseEndpoint: &w.url, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
}

// TestVerifyNamesTheHop breaks the way of sessions at one hop after the other.
func TestVerifyNamesTheHop(t *testing.T) {
	entry := func(w *world, subnet string, egress bool) {
		acls, err := w.ec2.DescribeNetworkAcls(w.t.Context(), &ec2.DescribeNetworkAclsInput{Filters: []types.Filter{{Name: aws.String("association.subnet-id"), Values: []string{subnet}}}})
		w.ok(err)
		_, err = w.ec2.CreateNetworkAclEntry(w.t.Context(), &ec2.CreateNetworkAclEntryInput{NetworkAclId: acls.NetworkAcls[0].NetworkAclId, RuleNumber: aws.Int32(1), Egress: &egress,
			Protocol: aws.String("17"), RuleAction: types.RuleActionDeny, CidrBlock: aws.String("0.0.0.0/0"), PortRange: &types.PortRange{From: aws.Int32(4789), To: aws.Int32(4789)}})
		w.ok(err)
	}
	revoke := func(w *world, o *setup.Observed, port int32) {
		for i := range o.Groups {
			g := &o.Groups[i]
			if g.Tags[setup.TagStack] != "prod" {
				continue
			}
			for _, p := range g.Ingress {
				if p.From == int(port) {
					_, err := w.ec2.RevokeSecurityGroupIngress(w.t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: &g.ID, IpPermissions: []types.IpPermission{{
						IpProtocol: &p.Protocol, FromPort: &port, ToPort: &port, IpRanges: []types.IpRange{{CidrIp: aws.String(p.CIDR)}}}}})
					w.ok(err)
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		spec   string
		broken int // sessions of 2
		hop    setup.Hop
		text   string
		do     func(w *world, o *setup.Observed)
	}{
		{"session deleted", tagged, 1, setup.HopSession, "there is no session", func(w *world, o *setup.Observed) {
			_, err := w.ec2.DeleteTrafficMirrorSession(w.t.Context(), &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: &o.Sessions[0].ID})
			w.ok(err)
		}},
		{"filter rejects", tagged, 2, setup.HopRule, "rejects all", func(w *world, o *setup.Observed) {
			for _, d := range []types.TrafficDirection{"ingress", "egress"} {
				for _, any := range []string{"0.0.0.0/0", "::/0"} {
					_, err := w.ec2.CreateTrafficMirrorFilterRule(w.t.Context(), &ec2.CreateTrafficMirrorFilterRuleInput{TrafficMirrorFilterId: &o.Filters[0].ID, TrafficDirection: d,
						RuleNumber: aws.Int32(int32(1 + strings.Count(any, ":"))), RuleAction: "reject", SourceCidrBlock: &any, DestinationCidrBlock: &any})
					w.ok(err)
				}
			}
		}},
		{"filter without rules", tagged, 2, setup.HopRule, "no rule that accepts", func(w *world, o *setup.Observed) {
			for _, r := range o.Filters[0].Rules {
				_, err := w.ec2.DeleteTrafficMirrorFilterRule(w.t.Context(), &ec2.DeleteTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: &r.ID})
				w.ok(err)
			}
		}},
		{"group revoked", tagged, 2, setup.HopGroup, "admits", func(w *world, o *setup.Observed) { revoke(w, o, 4789) }},
		{"sensor stopped", tagged, 1, setup.HopTarget, "is stop", func(w *world, _ *setup.Observed) {
			_, err := w.ec2.StopInstances(w.t.Context(), &ec2.StopInstancesInput{InstanceIds: w.sensors[:1]})
			w.ok(err)
		}},
		{"traffic interface detached", tagged, 1, setup.HopTarget, "attached to no instance", func(w *world, o *setup.Observed) {
			for i := range o.Interfaces {
				if e := &o.Interfaces[i]; e.Tags[setup.TagStack] == "prod" && e.InstanceID == w.sensors[0] {
					_, err := w.ec2.DetachNetworkInterface(w.t.Context(), &ec2.DetachNetworkInterfaceInput{AttachmentId: &e.AttachmentID})
					w.ok(err)
				}
			}
		}},
		{"listener deleted", balanced, 2, setup.HopListener, "no listener", func(w *world, o *setup.Observed) {
			_, err := w.balancing().DeleteListener(w.t.Context(), &elb.DeleteListenerInput{ListenerArn: &o.Listeners[0].ARN})
			w.ok(err)
		}},
		{"targets unhealthy", balanced, 2, setup.HopHealth, "503", func(w *world, _ *setup.Observed) { w.api.SetHealth(ill{}) }},
		{"one zone without a healthy target", balanced, 1, setup.HopHealth, "no healthy target in us-east-1b", func(w *world, _ *setup.Observed) {
			_, err := w.ec2.StopInstances(w.t.Context(), &ec2.StopInstancesInput{InstanceIds: w.sensors[1:]})
			w.ok(err)
		}},
		{"targets deregistered", balanced, 2, setup.HopHealth, "no targets", func(w *world, o *setup.Observed) {
			var list []elbtypes.TargetDescription
			for i := range o.TargetGroups[0].Targets {
				list = append(list, elbtypes.TargetDescription{Id: &o.TargetGroups[0].Targets[i]})
			}
			_, err := w.balancing().DeregisterTargets(w.t.Context(), &elb.DeregisterTargetsInput{TargetGroupArn: &o.TargetGroups[0].ARN, Targets: list})
			w.ok(err)
		}},
		{"group of the balanced sensors revoked", balanced, 2, setup.HopGroup, "udp 4789", func(w *world, o *setup.Observed) { revoke(w, o, 4789) }},
		{"health check kept out", balanced, 2, setup.HopGroup, "health checks do not get through", func(w *world, o *setup.Observed) {
			revoke(w, o, 80)
			w.api.SetHealth(ill{})
		}},
		{"gateway: listener deleted", gateway, 2, setup.HopListener, "no listener", func(w *world, o *setup.Observed) {
			_, err := w.balancing().DeleteListener(w.t.Context(), &elb.DeleteListenerInput{ListenerArn: &o.Listeners[0].ARN})
			w.ok(err)
		}},
		{"gateway: targets unhealthy", gateway, 2, setup.HopHealth, "503", func(w *world, _ *setup.Observed) { w.api.SetHealth(ill{}) }},
		{"gateway: one zone without a healthy target", gateway, 1, setup.HopHealth, "no healthy target in us-east-1b", func(w *world, _ *setup.Observed) {
			_, err := w.ec2.StopInstances(w.t.Context(), &ec2.StopInstancesInput{InstanceIds: w.sensors[1:]})
			w.ok(err)
		}},
		{"gateway: group revoked", gateway, 2, setup.HopGroup, "udp 6081", func(w *world, o *setup.Observed) { revoke(w, o, 6081) }},
		{"gateway: endpoint deleted", gateway, 1, setup.HopTarget, "is gone", func(w *world, o *setup.Observed) {
			_, err := w.ec2.DeleteVpcEndpoints(w.t.Context(), &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{o.Endpoints[0].ID}})
			w.ok(err)
		}},
		{"gateway: endpoint rejected", gateway, 1, setup.HopTarget, "rejected", func(w *world, o *setup.Observed) {
			_, err := w.ec2.RejectVpcEndpointConnections(w.t.Context(), &ec2.RejectVpcEndpointConnectionsInput{ServiceId: &o.Services[0].ID, VpcEndpointIds: []string{o.Endpoints[0].ID}})
			w.ok(err)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 2, ec2api.Options{})
			s := w.spec(c.spec)
			w.apply(s)
			if v := w.verify(s, setup.VerifyOptions{}); v.Worst() != setup.OK {
				t.Fatalf("before: %+v", v)
			}
			c.do(w, w.observe(s))
			v := w.verify(s, setup.VerifyOptions{})
			w.named(v, c.broken, c.hop, c.text)
		})
	}
	t.Run("acl", func(t *testing.T) {
		w := newWorld(t, 2, ec2api.Options{})
		// The second sensor is the only one: what the first zone mirrors crosses subnets.
		w.sensors = w.sensors[1:]
		s := w.spec(tagged)
		w.apply(s)
		entry(w, w.subnets[1], false)
		w.named(w.verify(s, setup.VerifyOptions{}), 1, setup.HopACL, "denies udp 4789")
	})
}

// named checks that n sessions are lost at hop, each with a remedy, and the others clear.
func (w *world) named(v *setup.Verification, n int, hop setup.Hop, text string) {
	w.t.Helper()
	lost := 0
	for _, r := range v.Sessions {
		switch {
		case r.State == setup.StateLost && r.Hop == hop && strings.Contains(r.Text, text) && r.Remedy != "":
			lost++
		case r.State != setup.StateClear:
			w.t.Errorf("%s %s: %s at %s: %s (try: %s)", r.Session, r.Interface, r.State, r.Hop, r.Text, r.Remedy)
		}
	}
	if lost != n || v.Worst() != setup.Error {
		w.t.Errorf("%d sessions lost at %s with %q, want %d: %+v", lost, hop, text, n, v.Sessions)
	}
	var b strings.Builder
	w.ok(v.WriteText(&b))
	if !strings.Contains(b.String(), "lost at "+string(hop)) || !strings.Contains(b.String(), "try: ") {
		w.t.Errorf("text:\n%s", &b)
	}
}

// TestVerifyRoute has sources in a VPC that reaches the sensors over an appliance.
func TestVerifyRoute(t *testing.T) {
	w := newWorld(t, 0, ec2api.Options{})
	vpc, err := w.ec2.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16")})
	w.ok(err)
	sub, err := w.ec2.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.9.0.0/24"), AvailabilityZone: aws.String("us-east-1a")})
	w.ok(err)
	far := w.run(*sub.Subnet.SubnetId, "m5.large", 1, "far", map[string]string{"Mirror": "true"})
	gate := w.interfaces(w.run(*sub.Subnet.SubnetId, "m5.large", 1, "gate", nil)[0])[0]
	tables, err := w.ec2.DescribeRouteTables(t.Context(), &ec2.DescribeRouteTablesInput{Filters: []types.Filter{{Name: aws.String("vpc-id"), Values: []string{*vpc.Vpc.VpcId}}}})
	w.ok(err)
	table := tables.RouteTables[0].RouteTableId
	to := aws.String("10.0.0.0/16")
	_, err = w.ec2.CreateRoute(t.Context(), &ec2.CreateRouteInput{RouteTableId: table, DestinationCidrBlock: to, NetworkInterfaceId: &gate})
	w.ok(err)
	s := w.spec(tagged)
	w.apply(s)
	if v := w.verify(s, setup.VerifyOptions{}); v.Worst() != setup.OK || len(v.Sessions) != 1 || v.Sessions[0].Instance != far[0] {
		t.Fatalf("before: %+v", v)
	}
	_, err = w.ec2.DeleteRoute(t.Context(), &ec2.DeleteRouteInput{RouteTableId: table, DestinationCidrBlock: to})
	w.ok(err)
	w.named(w.verify(s, setup.VerifyOptions{}), 1, setup.HopRoute, "has no route to 10.0.")
}

// TestVerifyTraffic compares what CloudWatch says with what a sensor says.
func TestVerifyTraffic(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	inst, addr := w.sources[0], w.observe(s).Interface(w.sourceIf[0]).Primary().String()
	stats := func(packets, cut, kernel, dropped, uptime int, ok bool) *setup.SensorStats {
		t.Helper()
		st, err := setup.ParseSensorStats(fmt.Appendf(nil, `{"uptime_seconds":%d,"status":{"ok":%v,"state":"ready"},"ledger":{"received":%d,"dropped":%d,"kernel_drops":%d},
			"sources":[{"outer":"%s","vni":%d,"packets":%d,"truncated":%d},{"outer":"192.0.2.1","vni":9,"packets":3}],"source_count":2}`,
			uptime, ok, packets, dropped, kernel, addr, setup.DefaultVNI, packets, cut), "stats")
		w.ok(err)
		return st
	}
	busy := map[string]float64{"NetworkIn": 5e6, "NetworkOut": 5e6, "NetworkPacketsMirrorIn": 600, "NetworkPacketsMirrorOut": 400, "NetworkMirrorIn": 5e5}
	zero := stats(0, 0, 0, 0, 1, true)
	for _, c := range []struct {
		name  string
		aws   map[string]float64
		now   *setup.SensorStats
		first *setup.SensorStats
		state setup.VerdictState
		hop   setup.Hop
		level setup.Level
	}{
		{"all arrives", busy, stats(1000, 0, 0, 0, 9, true), zero, setup.StateOK, "", setup.OK},
		{"a little is counted elsewhere", busy, stats(970, 0, 0, 0, 9, true), zero, setup.StateOK, "", setup.OK},
		{"a third is lost", busy, stats(670, 0, 0, 0, 9, true), zero, setup.StateLost, setup.HopSensor, setup.Error},
		{"the kernel loses a third", busy, stats(670, 0, 330, 0, 9, true), zero, setup.StateLost, setup.HopKernel, setup.Error},
		{"the engine drops", busy, stats(670, 0, 0, 330, 9, true), zero, setup.StateLost, setup.HopEngine, setup.Error},
		{"nothing arrives", busy, stats(0, 0, 0, 0, 9, true), nil, setup.StateLost, setup.HopSensor, setup.Error},
		{"the sensor is not ready", busy, stats(0, 0, 0, 0, 9, false), nil, setup.StateLost, setup.HopEngine, setup.Error},
		{"nothing since the first look", busy, stats(500, 0, 0, 0, 9, true), stats(500, 0, 0, 0, 1, true), setup.StateLost, setup.HopSensor, setup.Error},
		{"without a first look no share is told", busy, stats(10, 0, 0, 0, 9, true), nil, setup.StateOK, "", setup.OK},
		{"cut", busy, stats(1000, 40, 0, 0, 9, true), zero, setup.StateTruncated, setup.HopMTU, setup.Error},
		{"idle", map[string]float64{"NetworkIn": 0, "NetworkOut": 0, "NetworkMirrorIn": 0}, stats(0, 0, 0, 0, 9, true), nil, setup.StateSilent, setup.HopSource, setup.OK},
		{"the filter takes none", map[string]float64{"NetworkIn": 900, "NetworkOut": 0, "NetworkMirrorIn": 0}, stats(0, 0, 0, 0, 9, true), nil, setup.StateSilent, setup.HopRule, setup.Warning},
		{"skipped", map[string]float64{"NetworkIn": 900, "NetworkMirrorIn": 0, "NetworkSkipMirrorOut": 800}, stats(0, 0, 0, 0, 9, true), nil, setup.StateSilent, setup.HopSource, setup.Error},
		{"nobody knows", nil, stats(0, 0, 0, 0, 9, true), nil, setup.StateSilent, "", setup.Warning},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.api.SetMetrics(counted{inst: c.aws})
			v := w.verify(s, setup.VerifyOptions{Metrics: w.client(), Sensors: []setup.Sample{{Name: "s", Now: c.now, Before: c.first}}})
			if len(v.Sessions) != 1 {
				t.Fatalf("%+v", v.Sessions)
			}
			r := v.Sessions[0]
			if r.State != c.state || r.Hop != c.hop || v.Worst() != c.level {
				t.Errorf("%s at %q (%s), worst %s; want %s at %q, %s: %+v", r.State, r.Hop, r.Text, v.Worst(), c.state, c.hop, c.level, v.Findings)
			}
			if c.aws != nil && (r.Sent == nil || r.Sent.MirrorPkts != c.aws["NetworkPacketsMirrorIn"]+c.aws["NetworkPacketsMirrorOut"] || r.Sent.Out != c.aws["NetworkOut"]) {
				t.Errorf("sent %+v of %v", r.Sent, c.aws)
			}
			if r.State != setup.StateOK && c.level != setup.OK && r.Remedy == "" {
				t.Error("no remedy")
			}
		})
	}
}
