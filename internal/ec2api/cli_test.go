package ec2api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mirador/internal/ec2api"
)

// cli is the AWS CLI set up for an endpoint. Where its modules can be imported, one
// interpreter makes all calls; else each call starts the program.
type cli struct {
	t    *testing.T
	env  []string
	base string
	in   io.Writer // of the interpreter; nil without one
	out  *json.Decoder
}

func newCLI(t *testing.T, o ec2api.Options) *cli {
	t.Helper()
	o.Keys = map[string]string{testKey: testSecret}
	_, base := newServer(t, o)
	return cliOf(t, base, testKey)
}

// cliOf is the AWS CLI of somebody with a key whose secret is testSecret.
func cliOf(t *testing.T, base, key string) *cli {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no AWS CLI here (Debian: awscli)")
	}
	c := &cli{t: t, base: base, env: []string{
		"PATH=" + filepath.Dir(path) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + testSecret,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "LC_ALL=C.UTF-8",
	}}
	if exec.Command("python3", "-c", "import awscli.clidriver").Run() != nil {
		return c
	}
	cmd := exec.Command("python3", "testdata/aws.py")
	cmd.Env = append(os.Environ(), c.env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	c.in, c.out = in, json.NewDecoder(out)
	return c
}

// call runs the CLI once.
func (c *cli) call(args []string) (out, errs string, code int) {
	c.t.Helper()
	if c.in != nil {
		var r struct {
			Code     int
			Out, Err string
		}
		if err := json.NewEncoder(c.in).Encode(args); err != nil {
			c.t.Fatal(err)
		}
		if err := c.out.Decode(&r); err != nil {
			c.t.Fatalf("the CLI's interpreter ended at %q: %v", args, err)
		}
		return r.Out, r.Err, r.Code
	}
	cmd := exec.CommandContext(c.t.Context(), "aws", args...)
	cmd.Env = c.env
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if cmd.Run() != nil {
		code = 1
	}
	return o.String(), e.String(), code
}

// run calls the CLI: words are split at spaces, more are added as they are.
func (c *cli) run(words string, more ...string) (map[string]any, string, error) {
	c.t.Helper()
	args := append([]string{"--endpoint-url", c.base, "--output", "json"}, strings.Fields(words)...)
	out, errs, code := c.call(append(args, more...))
	v := map[string]any{}
	if out != "" {
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			c.t.Fatalf("aws %s printed %s", words, out)
		}
	}
	if code != 0 {
		return v, errs, fmt.Errorf("exit code %d", code)
	}
	return v, errs, nil
}

func (c *cli) do(words string, more ...string) map[string]any {
	c.t.Helper()
	v, errs, err := c.run(words, more...)
	if err != nil {
		c.t.Fatalf("aws %s %q: %v %s", words, more, err, errs)
	}
	return v
}

func (c *cli) refuse(code, words string, more ...string) {
	c.t.Helper()
	if _, errs, err := c.run(words, more...); err == nil || !strings.Contains(errs, "("+code+")") {
		c.t.Errorf("aws %s: %v %s, want %s", words, err, errs, code)
	}
}

// at finds a text in nested answers: at(v, "Vpc", "VpcId").
func (c *cli) at(v any, path ...any) string {
	c.t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				c.t.Fatalf("no item %d at %v", p, path)
			}
			v = l[p]
		}
	}
	s, ok := v.(string)
	if !ok {
		c.t.Fatalf("%v is %v", path, v)
	}
	return s
}

// TestCLIMirroring drives the 15 actions with the AWS CLI, and the refusals that people
// meet most.
func TestCLIMirroring(t *testing.T) {
	if testing.Short() {
		t.Skip("the AWS CLI takes its time")
	}
	c := newCLI(t, ec2api.Options{})
	if got := c.at(c.do("sts get-caller-identity"), "Account"); got != "123456789012" {
		t.Errorf("account = %s", got)
	}
	subnet := c.at(c.do("ec2 describe-subnets --filters Name=availability-zone,Values=us-east-1a"), "Subnets", 0, "SubnetId")
	run := c.do("ec2 run-instances --image-id ami-0123456789abcdef0 --instance-type m5.large --count 2 --subnet-id", subnet, "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=web}]")
	source := c.at(run, "Instances", 0, "NetworkInterfaces", 0, "NetworkInterfaceId")
	sensor := c.at(run, "Instances", 1, "InstanceId")
	c.do("ec2 wait instance-running --instance-ids", sensor)
	eni := c.at(c.do("ec2 create-network-interface --description traffic --subnet-id", subnet), "NetworkInterface", "NetworkInterfaceId")
	c.do("ec2 attach-network-interface --device-index 1 --instance-id", sensor, "--network-interface-id", eni)

	target := c.at(c.do("ec2 create-traffic-mirror-target --description sensor --network-interface-id", eni), "TrafficMirrorTarget", "TrafficMirrorTargetId")
	c.do("ec2 describe-traffic-mirror-targets --filters Name=network-interface-id,Values=" + eni)
	filter := c.at(c.do("ec2 create-traffic-mirror-filter --description all --tag-specifications ResourceType=traffic-mirror-filter,Tags=[{Key=a,Value=b}]"), "TrafficMirrorFilter", "TrafficMirrorFilterId")
	c.do("ec2 modify-traffic-mirror-filter-network-services --add-network-services amazon-dns --traffic-mirror-filter-id", filter)
	rule := c.at(c.do("ec2 create-traffic-mirror-filter-rule --traffic-direction ingress --rule-number 100 --rule-action accept --protocol 17 --destination-port-range FromPort=53,ToPort=53 --source-cidr-block 0.0.0.0/0 --destination-cidr-block 0.0.0.0/0 --traffic-mirror-filter-id", filter), "TrafficMirrorFilterRule", "TrafficMirrorFilterRuleId")
	c.do("ec2 modify-traffic-mirror-filter-rule --rule-number 200 --remove-fields destination-port-range --traffic-mirror-filter-rule-id", rule)
	c.do("ec2 describe-traffic-mirror-filter-rules --traffic-mirror-filter-id", filter)
	if got := c.at(c.do("ec2 describe-traffic-mirror-filters --traffic-mirror-filter-ids", filter), "TrafficMirrorFilters", 0, "NetworkServices", 0); got != "amazon-dns" {
		t.Errorf("network service = %s", got)
	}
	session := c.at(c.do("ec2 create-traffic-mirror-session --session-number 1 --virtual-network-id 1169 --network-interface-id "+source+" --traffic-mirror-target-id "+target+" --traffic-mirror-filter-id "+filter), "TrafficMirrorSession", "TrafficMirrorSessionId")
	c.do("ec2 modify-traffic-mirror-session --packet-length 100 --traffic-mirror-session-id", session)
	if got := c.at(c.do("ec2 describe-traffic-mirror-sessions --max-items 1"), "TrafficMirrorSessions", 0, "NetworkInterfaceId"); got != source {
		t.Errorf("source = %s, want %s", got, source)
	}
	c.do("ec2 create-tags --tags Key=x,Value=y --resources", session)
	if got := c.at(c.do("ec2 describe-tags --filters Name=resource-id,Values="+session), "Tags", 0, "ResourceType"); got != "traffic-mirror-session" {
		t.Errorf("resource type = %s", got)
	}

	c.refuse("TrafficMirrorTargetInUse", "ec2 delete-traffic-mirror-target --traffic-mirror-target-id", target)
	c.refuse("TrafficMirrorFilterInUse", "ec2 delete-traffic-mirror-filter --traffic-mirror-filter-id", filter)
	c.refuse("DryRunOperation", "ec2 delete-traffic-mirror-session --dry-run --traffic-mirror-session-id", session)
	c.refuse("InvalidTrafficMirrorSessionId.NotFound", "ec2 delete-traffic-mirror-session --traffic-mirror-session-id tms-0123456789abcdef0")
	c.refuse("InvalidTrafficMirrorTarget", "ec2 create-traffic-mirror-target --network-interface-id eni-0123456789abcdef0")

	c.do("ec2 delete-traffic-mirror-session --traffic-mirror-session-id", session)
	c.do("ec2 delete-traffic-mirror-filter-rule --traffic-mirror-filter-rule-id", rule)
	c.do("ec2 delete-traffic-mirror-filter --traffic-mirror-filter-id", filter)
	c.do("ec2 delete-traffic-mirror-target --traffic-mirror-target-id", target)
}

// TestCLIBalancer makes a load balancer as the set-up does and waits as people do.
func TestCLIBalancer(t *testing.T) {
	if testing.Short() {
		t.Skip("the AWS CLI takes its time")
	}
	c := newCLI(t, ec2api.Options{Metrics: fakeMetrics{}})
	subnets := c.do("ec2 describe-subnets")
	vpc := c.at(subnets, "Subnets", 0, "VpcId")
	lb := c.at(c.do("elbv2 create-load-balancer --name mirrors --type network --scheme internal --subnets "+c.at(subnets, "Subnets", 0, "SubnetId")+" "+c.at(subnets, "Subnets", 1, "SubnetId")), "LoadBalancers", 0, "LoadBalancerArn")
	c.do("elbv2 wait load-balancer-available --load-balancer-arns", lb)
	tg := c.at(c.do("elbv2 create-target-group --name sensors --protocol UDP --port 4789 --target-type ip --health-check-protocol HTTP --health-check-path /api/2.0/status --health-check-port 80 --vpc-id", vpc), "TargetGroups", 0, "TargetGroupArn")
	c.do("elbv2 create-listener --protocol UDP --port 4789 --load-balancer-arn "+lb+" --default-actions", "Type=forward,TargetGroupArn="+tg)
	run := c.do("ec2 run-instances --image-id ami-0123456789abcdef0 --count 1 --instance-type m5.xlarge")
	c.do("elbv2 register-targets --target-group-arn "+tg+" --targets", "Id="+c.at(run, "Instances", 0, "PrivateIpAddress"))
	c.do("elbv2 wait target-in-service --target-group-arn", tg)
	if got := c.at(c.do("cloudwatch get-metric-statistics --namespace AWS/EC2 --metric-name NetworkMirrorOut --period 300 --statistics Sum --start-time 2026-11-01T00:00:00Z --end-time 2026-11-01T00:10:00Z"), "Label"); got != "NetworkMirrorOut" {
		t.Errorf("label = %s", got)
	}
	c.refuse("ResourceInUse", "elbv2 delete-target-group --target-group-arn", tg)
}
