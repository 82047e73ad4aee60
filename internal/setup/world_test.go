package setup_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/awscloud"
	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

// world is an account at an endpoint in this process: one VPC, two zones, a sensor in each,
// and sources.
type world struct {
	t        *testing.T
	api      *ec2api.Server
	url      string
	ec2      *ec2.Client // of the people in the account, not of setup
	clock    *clock
	vpc      string
	subnets  []string // of zones a and b
	sensors  []string
	sources  []string // instances
	sourceIf []string // their first interfaces
	plain    *awscloud.Client
}

// clock is the time of an endpoint; pauses of the reconciler move it on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// pause moves the clock instead of waiting.
func (c *clock) pause(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// newWorld makes an account with n sources, in turn in both zones.
func newWorld(t *testing.T, n int, o ec2api.Options) *world {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	for _, k := range []string{"AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_ENDPOINT_URL"} {
		t.Setenv(k, "") // to have it back afterwards
		os.Unsetenv(k)
	}
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	w := &world{t: t, clock: &clock{now: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}}
	o.Now, o.NoDefaultVPC = w.clock.Now, true
	api, err := ec2api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.api = api
	srv := httptest.NewServer(api)
	t.Cleanup(func() { srv.Close(); api.Close() })
	w.url = srv.URL
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")))
	if err != nil {
		t.Fatal(err)
	}
	w.ec2 = ec2.NewFromConfig(cfg, func(x *ec2.Options) { x.BaseEndpoint = &w.url })
	vpc, err := w.ec2.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	w.ok(err)
	w.vpc = *vpc.Vpc.VpcId
	for i, z := range []string{"us-east-1a", "us-east-1b"} {
		s, err := w.ec2.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: &w.vpc, CidrBlock: aws.String(fmt.Sprintf("10.0.%d.0/20", 16*i)), AvailabilityZone: aws.String(z)})
		w.ok(err)
		w.subnets = append(w.subnets, *s.Subnet.SubnetId)
	}
	for i := range 2 {
		w.sensors = append(w.sensors, w.run(w.subnets[i], "m5.xlarge", 1, "sensor-"+string(rune('a'+i)), nil)...)
	}
	if n > 0 {
		w.sources = append(w.run(w.subnets[0], "m5.large", (n+1)/2, "web", map[string]string{"Mirror": "true"}), w.run(w.subnets[1], "m5.large", n/2, "db", map[string]string{"Mirror": "true"})...)
	}
	w.ok(w.clock.pause(t.Context(), 2*o.Lag))
	for _, id := range w.sources {
		w.sourceIf = append(w.sourceIf, w.interfaces(id)[0])
	}
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// run starts n instances and returns their ids.
func (w *world) run(subnet, typ string, n int, name string, tags map[string]string) []string {
	w.t.Helper()
	if n == 0 {
		return nil
	}
	spec := types.TagSpecification{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Name"), Value: &name}}}
	for k, v := range tags {
		spec.Tags = append(spec.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	var ids []string
	for n > 0 {
		k := min(n, 500)
		out, err := w.ec2.RunInstances(w.t.Context(), &ec2.RunInstancesInput{ImageId: aws.String("ami-12345678"), InstanceType: types.InstanceType(typ), SubnetId: &subnet,
			MinCount: aws.Int32(int32(k)), MaxCount: aws.Int32(int32(k)), TagSpecifications: []types.TagSpecification{spec}})
		w.ok(err)
		for _, i := range out.Instances {
			ids = append(ids, *i.InstanceId)
		}
		n -= k
	}
	return ids
}

// interfaces returns the interfaces of an instance.
func (w *world) interfaces(instance string) []string {
	w.t.Helper()
	out, err := w.ec2.DescribeNetworkInterfaces(w.t.Context(), &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{{Name: aws.String("attachment.instance-id"), Values: []string{instance}}}})
	w.ok(err)
	var ids []string
	for _, e := range out.NetworkInterfaces {
		ids = append(ids, *e.NetworkInterfaceId)
	}
	return ids
}

// spec returns a description: name and sensors of the world, and more text.
func (w *world) spec(more string) *setup.Spec {
	w.t.Helper()
	text := "name: prod\nsensors:\n"
	for _, s := range w.sensors {
		text += "  - instance: " + s + "\n"
	}
	s, err := setup.ParseSpec([]byte(text+more), "mirror.yaml")
	w.ok(err)
	return s
}

// tagged is the usual selection of sources.
const tagged = "sources:\n  include:\n    - tags: {Mirror: true}\n"

// cloud returns a client of setup; transport may be nil.
func (w *world) cloud(transport http.RoundTripper) *awscloud.Client {
	w.t.Helper()
	o := awscloud.Options{EndpointURL: w.url, Attempts: 4, Backoff: func(int, error) (time.Duration, error) { return 0, nil }}
	if transport != nil {
		o.HTTP = &http.Client{Transport: transport}
	}
	c, err := awscloud.New(w.t.Context(), o)
	w.ok(err)
	return c
}

// client returns a client that nothing happens to.
func (w *world) client() *awscloud.Client {
	if w.plain == nil {
		w.plain = w.cloud(nil)
	}
	return w.plain
}

// observe looks at the account.
func (w *world) observe(s *setup.Spec) *setup.Observed {
	w.t.Helper()
	o, err := setup.Observe(w.t.Context(), w.client(), setup.ObserveOptions{Stack: "prod", Spec: s, Path: true})
	w.ok(err)
	return o
}

// plan returns the plan for s.
func (w *world) plan(s *setup.Spec) *setup.Plan {
	w.t.Helper()
	r, err := setup.DefaultRates("us-east-1")
	w.ok(err)
	p, err := setup.NewPlan(s, w.observe(s), r)
	w.ok(err)
	return p
}

// apply carries out the plan for s and checks that nothing is left to do.
func (w *world) apply(s *setup.Spec) *setup.Plan {
	w.t.Helper()
	p := w.plan(s)
	out := setup.Apply(w.t.Context(), w.client(), p, setup.ApplyOptions{Run: "test", Pause: w.clock.pause, Parallel: 4})
	w.ok(out.Err())
	w.settled(s)
	return p
}

// settled checks that there is nothing to do for s.
func (w *world) settled(s *setup.Spec) {
	w.t.Helper()
	if again := w.plan(s); len(again.Changes) > 0 {
		for _, c := range again.Changes {
			w.t.Errorf("still to do: %s %s %s %s %q %v", c.Mark, c.Kind, c.ID, c.Key, c.Why, c.Detail)
		}
		w.t.FailNow()
	}
}

// actionOf returns the action of a request.
func actionOf(body string) string {
	v, err := url.ParseQuery(body)
	if err != nil {
		return ""
	}
	return v.Get("Action")
}
