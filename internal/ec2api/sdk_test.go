package ec2api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"mirador/internal/ec2api"
)

const testKey, testSecret = "AKIAMIRADORTEST", "a/secret+with=signs"

// sdkConfig is how the Go SDK talks to an endpoint: signed, without repeats.
func sdkConfig(base, key, secret, token string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(base), Credentials: credentials.NewStaticCredentialsProvider(key, secret, token),
		Retryer:    func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient: &http.Client{Transport: calm{http.DefaultTransport.(*http.Transport).Clone()}},
	}
}

// calm keeps the transport from taking the second Close of a request's body, which the
// SDK's body answers with io.EOF, for a failed write: see room awscloud.
type calm struct{ http.RoundTripper }

func (c calm) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = calmBody{r.Body}
	}
	return c.RoundTripper.RoundTrip(r)
}

type calmBody struct{ io.ReadCloser }

func (b calmBody) Close() error {
	b.ReadCloser.Close()
	return nil
}

// sdkServer is an endpoint that checks signatures, and a client of it.
func sdkServer(t *testing.T, o ec2api.Options) (*ec2.Client, aws.Config) {
	t.Helper()
	o.Keys = map[string]string{testKey: testSecret}
	_, base := newServer(t, o)
	c := sdkConfig(base, testKey, testSecret, "")
	return ec2.NewFromConfig(c), c
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// must takes the result of a call that has to succeed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// lab is what the mirroring tests need around them.
type lab struct {
	t      *testing.T
	c      *ec2.Client
	cfg    aws.Config
	ctx    context.Context
	vpc    string
	subnet string
	nlb    string
}

func newLab(t *testing.T, o ec2api.Options) *lab {
	l := &lab{t: t, ctx: t.Context()}
	l.c, l.cfg = sdkServer(t, o)
	l.vpc = *must(l.c.CreateVpc(l.ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")}))(t).Vpc.VpcId
	l.subnet = *must(l.c.CreateSubnet(l.ctx, &ec2.CreateSubnetInput{VpcId: &l.vpc, CidrBlock: aws.String("10.0.0.0/20")}))(t).Subnet.SubnetId
	out := must(elb.NewFromConfig(l.cfg).CreateLoadBalancer(l.ctx, &elb.CreateLoadBalancerInput{Name: aws.String("lb"), Type: elbtypes.LoadBalancerTypeEnumNetwork, Scheme: elbtypes.LoadBalancerSchemeEnumInternal, Subnets: []string{l.subnet}}))(t)
	l.nlb = *out.LoadBalancers[0].LoadBalancerArn
	return l
}

// instances starts n instances of a type and returns their primary interfaces.
func (l *lab) instances(typ types.InstanceType, n int) []string {
	l.t.Helper()
	r := must(l.c.RunInstances(l.ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: typ, MinCount: aws.Int32(int32(n)), MaxCount: aws.Int32(int32(n)), SubnetId: &l.subnet}))(l.t)
	var out []string
	for _, i := range r.Instances {
		out = append(out, *i.NetworkInterfaces[0].NetworkInterfaceId)
	}
	return out
}

func (l *lab) eni() string {
	l.t.Helper()
	return *must(l.c.CreateNetworkInterface(l.ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &l.subnet}))(l.t).NetworkInterface.NetworkInterfaceId
}

func (l *lab) eniTarget(eni string) string {
	l.t.Helper()
	return *must(l.c.CreateTrafficMirrorTarget(l.ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: &eni}))(l.t).TrafficMirrorTarget.TrafficMirrorTargetId
}

func (l *lab) filter() string {
	l.t.Helper()
	return *must(l.c.CreateTrafficMirrorFilter(l.ctx, &ec2.CreateTrafficMirrorFilterInput{}))(l.t).TrafficMirrorFilter.TrafficMirrorFilterId
}

func (l *lab) session(eni, target, filter string, number int32) (*types.TrafficMirrorSession, error) {
	out, err := l.c.CreateTrafficMirrorSession(l.ctx, &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &eni, TrafficMirrorTargetId: &target, TrafficMirrorFilterId: &filter, SessionNumber: &number})
	if err != nil {
		return nil, err
	}
	return out.TrafficMirrorSession, nil
}

// TestSDKMirroring drives the 15 actions with the Go SDK, signed.
func TestSDKMirroring(t *testing.T) {
	l := newLab(t, ec2api.Options{})
	c, ctx := l.c, l.ctx
	source := l.instances("m5.large", 1)[0]
	eni := l.eni()
	made := must(c.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: &eni, Description: aws.String("sensor <1>"), TagSpecifications: []types.TagSpecification{
		{ResourceType: types.ResourceTypeTrafficMirrorTarget, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("sensor")}}},
	}}))(t)
	target := made.TrafficMirrorTarget
	if target.Type != types.TrafficMirrorTargetTypeNetworkInterface || *target.Description != "sensor <1>" || len(target.Tags) != 1 || *target.OwnerId != "123456789012" || made.ClientToken == nil {
		t.Errorf("target = %+v", target)
	}
	nlbTarget := must(c.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkLoadBalancerArn: &l.nlb}))(t).TrafficMirrorTarget
	filter := must(c.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{Description: aws.String("all")}))(t).TrafficMirrorFilter
	if len(filter.IngressFilterRules)+len(filter.EgressFilterRules)+len(filter.NetworkServices) != 0 {
		t.Errorf("new filter = %+v, want it empty", filter)
	}
	withDNS := must(c.ModifyTrafficMirrorFilterNetworkServices(ctx, &ec2.ModifyTrafficMirrorFilterNetworkServicesInput{TrafficMirrorFilterId: filter.TrafficMirrorFilterId, AddNetworkServices: []types.TrafficMirrorNetworkService{types.TrafficMirrorNetworkServiceAmazonDns}}))(t)
	if !slices.Equal(withDNS.TrafficMirrorFilter.NetworkServices, []types.TrafficMirrorNetworkService{types.TrafficMirrorNetworkServiceAmazonDns}) {
		t.Errorf("network services = %v", withDNS.TrafficMirrorFilter.NetworkServices)
	}
	rule := must(c.CreateTrafficMirrorFilterRule(ctx, &ec2.CreateTrafficMirrorFilterRuleInput{
		TrafficMirrorFilterId: filter.TrafficMirrorFilterId, TrafficDirection: types.TrafficDirectionIngress, RuleNumber: aws.Int32(100), RuleAction: types.TrafficMirrorRuleActionAccept,
		SourceCidrBlock: aws.String("0.0.0.0/0"), DestinationCidrBlock: aws.String("10.0.0.0/8"), Protocol: aws.Int32(6),
		DestinationPortRange: &types.TrafficMirrorPortRangeRequest{FromPort: aws.Int32(80), ToPort: aws.Int32(81)},
	}))(t).TrafficMirrorFilterRule
	changed := must(c.ModifyTrafficMirrorFilterRule(ctx, &ec2.ModifyTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: rule.TrafficMirrorFilterRuleId, RuleAction: types.TrafficMirrorRuleActionReject, RemoveFields: []types.TrafficMirrorFilterRuleField{types.TrafficMirrorFilterRuleFieldDestinationPortRange, types.TrafficMirrorFilterRuleFieldProtocol}}))(t).TrafficMirrorFilterRule
	if changed.RuleAction != types.TrafficMirrorRuleActionReject || changed.DestinationPortRange != nil || changed.Protocol != nil {
		t.Errorf("changed rule = %+v", changed)
	}
	got := must(c.DescribeTrafficMirrorFilters(ctx, &ec2.DescribeTrafficMirrorFiltersInput{TrafficMirrorFilterIds: []string{*filter.TrafficMirrorFilterId}}))(t).TrafficMirrorFilters
	if len(got) != 1 || len(got[0].IngressFilterRules) != 1 || *got[0].IngressFilterRules[0].TrafficMirrorFilterRuleId != *rule.TrafficMirrorFilterRuleId {
		t.Errorf("filters = %+v", got)
	}
	rules := must(c.DescribeTrafficMirrorFilterRules(ctx, &ec2.DescribeTrafficMirrorFilterRulesInput{Filters: []types.Filter{{Name: aws.String("rule-action"), Values: []string{"reject"}}}}))(t).TrafficMirrorFilterRules
	if len(rules) != 1 {
		t.Errorf("rules = %+v", rules)
	}
	s := must(l.session(source, *target.TrafficMirrorTargetId, *filter.TrafficMirrorFilterId, 1))(t)
	if s.VirtualNetworkId == nil || s.PacketLength != nil {
		t.Errorf("session = %+v, want a VNI and no packet length", s)
	}
	moved := must(c.ModifyTrafficMirrorSession(ctx, &ec2.ModifyTrafficMirrorSessionInput{TrafficMirrorSessionId: s.TrafficMirrorSessionId, VirtualNetworkId: aws.Int32(1169), Description: aws.String("d")}))(t).TrafficMirrorSession
	if *moved.VirtualNetworkId != 1169 || *moved.Description != "d" {
		t.Errorf("changed session = %+v", moved)
	}
	viaNLB := must(l.session(source, *nlbTarget.TrafficMirrorTargetId, *filter.TrafficMirrorFilterId, 2))(t)
	if viaNLB.PacketLength == nil || *viaNLB.PacketLength != 8500 {
		t.Errorf("packet length of a session to a load balancer = %v, want 8500", viaNLB.PacketLength)
	}
	list := must(c.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{Filters: []types.Filter{{Name: aws.String("session-number"), Values: []string{"2"}}}}))(t).TrafficMirrorSessions
	if len(list) != 1 || *list[0].TrafficMirrorSessionId != *viaNLB.TrafficMirrorSessionId {
		t.Errorf("sessions = %+v", list)
	}
	if n := len(must(c.DescribeTrafficMirrorTargets(ctx, &ec2.DescribeTrafficMirrorTargetsInput{}))(t).TrafficMirrorTargets); n != 2 {
		t.Errorf("%d targets, want 2", n)
	}
	_, err := c.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: target.TrafficMirrorTargetId})
	wantCode(t, "delete a used target", err, "TrafficMirrorTargetInUse")
	_, err = c.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: filter.TrafficMirrorFilterId})
	wantCode(t, "delete a used filter", err, "TrafficMirrorFilterInUse")
	for _, id := range []*string{s.TrafficMirrorSessionId, viaNLB.TrafficMirrorSessionId} {
		must(c.DeleteTrafficMirrorSession(ctx, &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: id}))(t)
	}
	must(c.DeleteTrafficMirrorFilterRule(ctx, &ec2.DeleteTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: rule.TrafficMirrorFilterRuleId}))(t)
	must(c.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: filter.TrafficMirrorFilterId}))(t)
	must(c.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: target.TrafficMirrorTargetId}))(t)
}

// TestSDKErrors has a row for each kind of refusal.
func TestSDKErrors(t *testing.T) {
	l := newLab(t, ec2api.Options{})
	c, ctx := l.c, l.ctx
	src := l.instances("m5.large", 12)
	old := l.instances("t2.micro", 1)[0]
	eni := l.eni()
	target, filter := l.eniTarget(eni), l.filter()
	none := func(prefix string) *string { return aws.String(prefix + "0123456789abcdef0") }
	createTarget := func(p ec2.CreateTrafficMirrorTargetInput) error {
		_, err := c.CreateTrafficMirrorTarget(ctx, &p)
		return err
	}
	createSession := func(p ec2.CreateTrafficMirrorSessionInput) error {
		def := func(v **string, d string) {
			if *v == nil {
				*v = &d
			}
		}
		def(&p.NetworkInterfaceId, src[0])
		def(&p.TrafficMirrorTargetId, target)
		def(&p.TrafficMirrorFilterId, filter)
		if p.SessionNumber == nil {
			p.SessionNumber = aws.Int32(1)
		}
		_, err := c.CreateTrafficMirrorSession(ctx, &p)
		return err
	}
	createRule := func(p ec2.CreateTrafficMirrorFilterRuleInput) error {
		p.TrafficMirrorFilterId = &filter
		if p.RuleNumber == nil {
			p.RuleNumber = aws.Int32(1)
		}
		p.TrafficDirection, p.RuleAction = types.TrafficDirectionIngress, types.TrafficMirrorRuleActionAccept
		if p.SourceCidrBlock == nil {
			p.SourceCidrBlock = aws.String("0.0.0.0/0")
		}
		if p.DestinationCidrBlock == nil {
			p.DestinationCidrBlock = aws.String("0.0.0.0/0")
		}
		_, err := c.CreateTrafficMirrorFilterRule(ctx, &p)
		return err
	}
	last := func(errs ...error) error { return errs[len(errs)-1] }
	for _, row := range []struct {
		what, code string
		err        error
	}{
		{"target: unknown interface", "InvalidTrafficMirrorTarget", createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: none("eni-")})},
		{"target: no interface id", "InvalidNetworkInterfaceId.Malformed", createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: aws.String("eni-xyz")})},
		{"target: malformed ARN", "InvalidNetworkLoadBalancerArn.Malformed", createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkLoadBalancerArn: aws.String("nlb")})},
		{"target: unknown ARN", "InvalidNetworkLoadBalancerArn.NotFound", createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkLoadBalancerArn: aws.String("arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/x/0123456789abcdef")})},
		{"target: unknown endpoint", "InvalidVpcEndpointId.NotFound", createTarget(ec2.CreateTrafficMirrorTargetInput{GatewayLoadBalancerEndpointId: none("vpce-")})},
		{"target: malformed endpoint", "InvalidVpcEndpointId.Malformed", createTarget(ec2.CreateTrafficMirrorTargetInput{GatewayLoadBalancerEndpointId: aws.String("vpce-")})},
		{"target: two kinds", "InvalidParameterCombination", createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: &eni, NetworkLoadBalancerArn: &l.nlb})},
		{"session: unknown source", "InvalidNetworkInterfaceID.NotFound", createSession(ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: none("eni-")})},
		{"session: unknown target", "InvalidTrafficMirrorTargetId.NotFound", createSession(ec2.CreateTrafficMirrorSessionInput{TrafficMirrorTargetId: none("tmt-")})},
		{"session: unknown filter", "InvalidTrafficMirrorFilterId.NotFound", createSession(ec2.CreateTrafficMirrorSessionInput{TrafficMirrorFilterId: none("tmf-")})},
		{"session: t2", "NetworkInterfaceNotSupported", createSession(ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &old})},
		{"session: number 0", "InvalidParameterValue", createSession(ec2.CreateTrafficMirrorSessionInput{SessionNumber: aws.Int32(0)})},
		{"session: number 32767", "InvalidParameterValue", createSession(ec2.CreateTrafficMirrorSessionInput{SessionNumber: aws.Int32(32767)})},
		{"session: packet length", "InvalidParameterValue", createSession(ec2.CreateTrafficMirrorSessionInput{PacketLength: aws.Int32(8501)})},
		{"session: VNI", "InvalidParameterValue", createSession(ec2.CreateTrafficMirrorSessionInput{VirtualNetworkId: aws.Int32(16777216)})},
		{"rule: mixed families", "InvalidParameterCombination", createRule(ec2.CreateTrafficMirrorFilterRuleInput{SourceCidrBlock: aws.String("::/0")})},
		{"rule: ports without protocol", "InvalidParameterCombination", createRule(ec2.CreateTrafficMirrorFilterRuleInput{SourcePortRange: &types.TrafficMirrorPortRangeRequest{FromPort: aws.Int32(1), ToPort: aws.Int32(2)}})},
		{"rule: same number", "TrafficMirrorFilterRuleAlreadyExists", last(createRule(ec2.CreateTrafficMirrorFilterRuleInput{}), createRule(ec2.CreateTrafficMirrorFilterRuleInput{}))},
		{"rule: eleventh", "TrafficMirrorFilterRuleLimitExceeded", func() (err error) {
			for n := int32(2); n < 12 && err == nil; n++ {
				err = createRule(ec2.CreateTrafficMirrorFilterRuleInput{RuleNumber: aws.Int32(n)})
			}
			return err
		}()},
		{"session: fourth of a source", "TrafficMirrorSessionsPerInterfaceLimitExceeded", func() (err error) {
			t2 := l.eniTarget(l.eni())
			for n := int32(1); n < 5 && err == nil; n++ {
				err = createSession(ec2.CreateTrafficMirrorSessionInput{SessionNumber: aws.Int32(n), TrafficMirrorTargetId: &t2})
			}
			return err
		}()},
		{"session: eleventh source of a target", "TrafficMirrorSourcesPerTargetLimitExceeded", func() (err error) {
			for _, s := range src[1:] {
				if err == nil {
					err = createSession(ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: &s})
				}
			}
			return err
		}()},
		{"describe: unknown filter name", "InvalidParameterValue", func() error {
			_, err := c.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{Filters: []types.Filter{{Name: aws.String("colour"), Values: []string{"x"}}}})
			return err
		}()},
		{"describe: MaxResults", "InvalidParameterValue", func() error {
			_, err := c.DescribeTrafficMirrorTargets(ctx, &ec2.DescribeTrafficMirrorTargetsInput{MaxResults: aws.Int32(4)})
			return err
		}()},
		{"describe: token", "InvalidPaginationToken", func() error {
			_, err := c.DescribeTrafficMirrorTargets(ctx, &ec2.DescribeTrafficMirrorTargetsInput{NextToken: aws.String("x")})
			return err
		}()},
		{"dry run", "DryRunOperation", createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: &eni, DryRun: aws.Bool(true)})},
		{"token reuse", "IdempotentParameterMismatch", last(
			createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkLoadBalancerArn: &l.nlb, ClientToken: aws.String("k")}),
			createTarget(ec2.CreateTrafficMirrorTargetInput{NetworkLoadBalancerArn: &l.nlb, ClientToken: aws.String("k"), Description: aws.String("other")}))},
	} {
		wantCode(t, row.what, row.err, row.code)
	}
	for prefix, f := range map[string]func(*string) error{
		"tmt-": func(id *string) error {
			_, err := c.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: id})
			return err
		},
		"tmf-": func(id *string) error {
			_, err := c.DeleteTrafficMirrorFilter(ctx, &ec2.DeleteTrafficMirrorFilterInput{TrafficMirrorFilterId: id})
			return err
		},
		"tmfr-": func(id *string) error {
			_, err := c.DeleteTrafficMirrorFilterRule(ctx, &ec2.DeleteTrafficMirrorFilterRuleInput{TrafficMirrorFilterRuleId: id})
			return err
		},
		"tms-": func(id *string) error {
			_, err := c.DeleteTrafficMirrorSession(ctx, &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: id})
			return err
		},
	} {
		name := map[string]string{"tmt-": "Target", "tmf-": "Filter", "tmfr-": "FilterRule", "tms-": "Session"}[prefix]
		wantCode(t, "delete "+prefix, f(none(prefix)), "InvalidTrafficMirror"+name+"Id.NotFound")
	}
}

// TestSDKIdempotent repeats a creation with its token: the same object comes back, and
// there is one of it.
func TestSDKIdempotent(t *testing.T) {
	l := newLab(t, ec2api.Options{})
	p := &ec2.CreateTrafficMirrorFilterInput{ClientToken: aws.String("same"), Description: aws.String("d")}
	a := must(l.c.CreateTrafficMirrorFilter(l.ctx, p))(t)
	b := must(l.c.CreateTrafficMirrorFilter(l.ctx, p))(t)
	if *a.TrafficMirrorFilter.TrafficMirrorFilterId != *b.TrafficMirrorFilter.TrafficMirrorFilterId || *b.ClientToken != "same" {
		t.Errorf("second answer %+v, first %+v", b.TrafficMirrorFilter, a.TrafficMirrorFilter)
	}
	run := &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &l.subnet, ClientToken: aws.String("r")}
	x, y := must(l.c.RunInstances(l.ctx, run))(t), must(l.c.RunInstances(l.ctx, run))(t)
	if *x.Instances[0].InstanceId != *y.Instances[0].InstanceId {
		t.Error("the same token started two instances")
	}
}

// TestSDKPages walks through pages with the SDK's paginators.
func TestSDKPages(t *testing.T) {
	l := newLab(t, ec2api.Options{})
	want := map[string]bool{}
	for range 23 {
		want[l.filter()] = true
	}
	pages := 0
	for p := ec2.NewDescribeTrafficMirrorFiltersPaginator(l.c, &ec2.DescribeTrafficMirrorFiltersInput{MaxResults: aws.Int32(5)}); p.HasMorePages(); pages++ {
		for _, f := range must(p.NextPage(l.ctx))(t).TrafficMirrorFilters {
			if !want[*f.TrafficMirrorFilterId] {
				t.Errorf("%s is unknown or came twice", *f.TrafficMirrorFilterId)
			}
			delete(want, *f.TrafficMirrorFilterId)
		}
	}
	if pages != 5 || len(want) != 0 {
		t.Errorf("%d pages, %d left out; want 5 and 0", pages, len(want))
	}
	first := must(l.c.DescribeTrafficMirrorFilters(l.ctx, &ec2.DescribeTrafficMirrorFiltersInput{MaxResults: aws.Int32(5)}))(t)
	_, err := l.c.DescribeTrafficMirrorFilters(l.ctx, &ec2.DescribeTrafficMirrorFiltersInput{NextToken: first.NextToken, Filters: []types.Filter{{Name: aws.String("description"), Values: []string{"x"}}}})
	wantCode(t, "a token with other filters", err, "InvalidPaginationToken")
}

// TestSDKAuth checks signatures and what each service says of wrong ones.
func TestSDKAuth(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	_, cfg := sdkServer(t, ec2api.Options{Now: clock})
	ctx, base := t.Context(), *cfg.BaseEndpoint
	ask := func(key, secret, token string) (ec2err, stserr error) {
		c := sdkConfig(base, key, secret, token)
		_, ec2err = ec2.NewFromConfig(c).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
		_, stserr = sts.NewFromConfig(c).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return ec2err, stserr
	}
	for _, row := range []struct{ what, key, secret, ec2, sts string }{
		{"unknown key", "AKIANOBODY", testSecret, "AuthFailure", "InvalidClientTokenId"},
		{"wrong secret", testKey, "wrong", "AuthFailure", "SignatureDoesNotMatch"},
	} {
		e, s := ask(row.key, row.secret, "")
		wantCode(t, row.what, e, row.ec2)
		wantCode(t, row.what, s, row.sts)
	}
	now = now.Add(16 * time.Minute)
	e, s := ask(testKey, testSecret, "")
	wantCode(t, "late", e, "RequestExpired")
	wantCode(t, "late", s, "SignatureDoesNotMatch")
	now = now.Add(-32 * time.Minute)
	e, _ = ask(testKey, testSecret, "")
	wantCode(t, "early", e, "RequestExpired")
	now = time.Now()

	role := must(sts.NewFromConfig(cfg).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/path/setup"), RoleSessionName: aws.String("me")}))(t).Credentials
	if e, s := ask(*role.AccessKeyId, *role.SecretAccessKey, *role.SessionToken); e != nil || s != nil {
		t.Errorf("with the credentials of a role: %v, %v", e, s)
	}
	id := must(sts.NewFromConfig(sdkConfig(base, *role.AccessKeyId, *role.SecretAccessKey, *role.SessionToken)).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	if *id.Arn != "arn:aws:sts::123456789012:assumed-role/setup/me" {
		t.Errorf("caller = %s", *id.Arn)
	}
	_, s = ask(*role.AccessKeyId, *role.SecretAccessKey, "other")
	wantCode(t, "wrong session token", s, "InvalidClientTokenId")
	now = now.Add(2 * time.Hour)
	if _, s = ask(*role.AccessKeyId, *role.SecretAccessKey, *role.SessionToken); s == nil {
		t.Error("credentials of a role that are over were taken")
	}
	now = time.Now()

	signed := must(sts.NewPresignClient(sts.NewFromConfig(cfg)).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
	if code, body := get(t, signed.URL); code != 200 || !strings.Contains(body, ":user/mirador") {
		t.Errorf("presigned = %d %s", code, body)
	}
	if code, body := get(t, strings.Replace(signed.URL, "GetCallerIdentity", "GetSessionToken", 1)); code != 403 || element(body, "Code") != "SignatureDoesNotMatch" {
		t.Errorf("presigned and changed = %d %s", code, body)
	}
	if code, body := post(t, base, "DescribeVpcs"); code != 403 || element(body, "Code") != "MissingAuthenticationToken" {
		t.Errorf("unsigned = %d %s", code, body)
	}
}

// TestSDKCloudWatch asks for metrics in the protocol of the SDK, which is CBOR.
func TestSDKCloudWatch(t *testing.T) {
	_, cfg := sdkServer(t, ec2api.Options{Metrics: fakeMetrics{}})
	c := cloudwatch.NewFromConfig(cfg)
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: aws.Time(start.Add(15 * time.Minute)), MetricDataQueries: []cwtypes.MetricDataQuery{{Id: aws.String("m"), MetricStat: &cwtypes.MetricStat{
		Metric: &cwtypes.Metric{Namespace: aws.String("AWS/EC2"), MetricName: aws.String("NetworkMirrorOut"), Dimensions: []cwtypes.Dimension{{Name: aws.String("InstanceId"), Value: aws.String("i-1")}}},
		Period: aws.Int32(300), Stat: aws.String("Sum"),
	}}}}
	out := must(c.GetMetricData(t.Context(), in))(t).MetricDataResults
	if len(out) != 1 || !slices.Equal(out[0].Values, []float64{3, 2, 1}) || !out[0].Timestamps[2].Equal(start) {
		t.Errorf("results = %+v", out)
	}
	in.EndTime = &start
	_, err := c.GetMetricData(t.Context(), in)
	wantCode(t, "end before start", err, "ValidationError")
	if n := len(must(c.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{}))(t).Metrics); n != 1 {
		t.Errorf("%d metrics, want 1", n)
	}
}
