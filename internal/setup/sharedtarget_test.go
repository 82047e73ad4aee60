package setup_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"mirador/internal/ec2api"
	"mirador/internal/setup"
)

const ownerKey, ownerAccount = "AKIDOWNER", "210987654321"

// ram makes a call of Resource Access Manager as the owner.
func (w *world) ram(path string, body any) map[string]any {
	w.t.Helper()
	b, err := json.Marshal(body)
	w.ok(err)
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, bytes.NewReader(b))
	w.ok(err)
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(b)
	w.ok(v4.NewSigner().SignHTTP(w.t.Context(), aws.Credentials{AccessKeyID: ownerKey, SecretAccessKey: "secret"}, r, hex.EncodeToString(sum[:]), "ram", "us-east-1", time.Now()))
	a, err := http.DefaultClient.Do(r)
	w.ok(err)
	defer a.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil || a.StatusCode != 200 {
		w.t.Fatalf("%s: %s %v %v", path, a.Status, out, err)
	}
	return out
}

// owner is a client of the account with the sensors.
func (w *world) owner() *ec2.Client {
	return ec2.New(ec2.Options{Region: "us-east-1", BaseEndpoint: &w.url, Credentials: credentials.NewStaticCredentialsProvider(ownerKey, "secret", "")})
}

// offer makes n targets in the other account and shares them.
func (w *world) offer(n int) (targets []string) {
	w.t.Helper()
	c, ctx := w.owner(), w.t.Context()
	vpc, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16")})
	w.ok(err)
	sub, err := c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.9.0.0/24")})
	w.ok(err)
	var arns []string
	for range n {
		e, err := c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: sub.Subnet.SubnetId})
		w.ok(err)
		x, err := c.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: e.NetworkInterface.NetworkInterfaceId, Description: aws.String("of the security team"),
			TagSpecifications: []types.TagSpecification{{ResourceType: "traffic-mirror-target", Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("sec")}}}}})
		w.ok(err)
		targets = append(targets, *x.TrafficMirrorTarget.TrafficMirrorTargetId)
		arns = append(arns, "arn:aws:ec2:us-east-1:"+ownerAccount+":traffic-mirror-target/"+targets[len(targets)-1])
	}
	w.ram("/enablesharingwithawsorganization", map[string]any{})
	w.ram("/createresourceshare", map[string]any{"name": "mirrors", "principals": []string{"123456789012"}, "resourceArns": arns, "allowExternalPrincipals": false})
	slices.Sort(targets)
	return targets
}

// Sessions go to targets that another account shares. Nothing of that account is made, changed
// or deleted, and none of it is an alarm.
func TestSharedTargets(t *testing.T) {
	w := newWorld(t, 5, ec2api.Options{Accounts: map[string]string{ownerKey: ownerAccount}})
	spec := func(list string) *setup.Spec {
		t.Helper()
		s, err := setup.ParseSpec([]byte("name: prod\ntarget: {kind: shared, targets: ["+list+"]}\n"+tagged), "mirror.yaml")
		w.ok(err)
		return s
	}
	theirs := func() string {
		out, err := w.owner().DescribeTrafficMirrorTargets(t.Context(), &ec2.DescribeTrafficMirrorTargetsInput{})
		w.ok(err)
		b, err := json.Marshal(out.TrafficMirrorTargets)
		w.ok(err)
		return string(b)
	}
	if _, err := setup.NewDesired(spec("tmt-0123456789abcdef0"), w.observe(nil)); err == nil || !strings.Contains(err.Error(), "accept-resource-share-invitation") {
		t.Errorf("a target that nobody shares: %v", err)
	}
	targets := w.offer(2)
	s := spec(strings.Join(targets, ", "))
	before := theirs()
	list, err := setup.Preflight(t.Context(), w.client(), s)
	w.ok(err)
	for _, f := range list {
		if f.Level == setup.Error || f.Code == "permission" && strings.Contains(f.Text, "0 of 0") {
			t.Errorf("%+v", f)
		}
	}
	for _, c := range w.apply(s).Changes {
		if c.Kind != "traffic mirror filter" && c.Kind != "traffic mirror session" {
			t.Errorf("%s %s %s", c.Mark, c.Kind, c.ID)
		}
	}
	o := w.observe(s)
	load := map[string]int{}
	for i := range o.Sessions {
		load[o.Sessions[i].TargetID]++
	}
	if len(o.Sessions) != 5 || load[targets[0]] < 2 || load[targets[1]] < 2 || len(o.Groups) > 1 {
		t.Errorf("sessions %v, %d groups", load, len(o.Groups))
	}
	// One that is there keeps its target when another is added, and moves when its own is not named
	// any more.
	w.apply(spec(targets[0]))
	for _, x := range w.observe(s).Sessions {
		if x.TargetID != targets[0] {
			t.Errorf("%s leads to %s", x.ID, x.TargetID)
		}
	}
	w.settled(s)

	if v := w.verify(s, setup.VerifyOptions{}); v.Worst() != setup.OK || len(v.Sessions) != 5 || v.Sessions[0].State != setup.StateClear || !strings.Contains(v.Sessions[0].Findings[0].Text, ownerAccount) {
		t.Errorf("%+v", v)
	}
	r := w.watcher(s, w.client(), nil).Round(t.Context(), "test")
	w.ok(r.Err)
	if len(r.Alarms) > 0 || len(r.Done) > 0 || r.Drift > 0 {
		t.Errorf("round %+v", r)
	}
	// Of a description that does not name them they are an alarm.
	other, err := setup.ParseSpec([]byte("name: other\ntarget: {kind: shared, targets: ["+targets[1]+"]}\n"), "mirror.yaml")
	w.ok(err)
	r = w.watcher(other, w.client(), nil).Round(t.Context(), "test")
	w.ok(r.Err)
	if len(r.Alarms) != 5 || r.Alarms[0].Code != "foreign-target" {
		t.Errorf("alarms %+v", r.Alarms)
	}

	// What stands can be imported.
	bare := w.observe(nil)
	for i := range bare.Sessions {
		bare.Sessions[i].Tags = nil
	}
	im, err := setup.Import(t.Context(), w.client(), bare, setup.ImportOptions{})
	w.ok(err)
	is, err := setup.ParseSpec([]byte(im.Spec), "mirror.yaml")
	w.ok(err)
	if is.Target.Kind != setup.TargetShared || !slices.Equal(is.Target.Shared, targets[:1]) {
		t.Errorf("%s", im.Spec)
	}
	for _, c := range im.Adopt {
		if strings.HasPrefix(c.Resource, "tmt-") {
			t.Errorf("import tags %s, which is of another account", c.Resource)
		}
	}
	var cfn, tf strings.Builder
	p := w.plan(s)
	w.ok(p.WriteCloudFormation(&cfn, false))
	w.ok(p.WriteTerraform(&tf))
	for _, text := range []string{cfn.String(), tf.String()} {
		if !strings.Contains(text, `"`+targets[0]+`"`) || strings.Contains(text, "TrafficMirrorTarget\"") || strings.Contains(text, "aws_ec2_traffic_mirror_target") {
			t.Errorf("export\n%s", text)
		}
	}
	pol, err := setup.NewPolicy("apply", setup.PolicyOptions{Spec: s, Account: "123456789012"})
	w.ok(err)
	j, err := json.Marshal(pol)
	w.ok(err)
	if !strings.Contains(string(j), "arn:aws:ec2:*:*:traffic-mirror-target/"+targets[0]) || pol.Allows("ec2:CreateTrafficMirrorTarget") || pol.Allows("ec2:CreateNetworkInterface") || pol.Allows("elasticloadbalancing:CreateLoadBalancer") {
		t.Errorf("policy %s", j)
	}

	out := setup.Apply(t.Context(), w.client(), setup.NewDestroyPlan("prod", w.observe(nil)), setup.ApplyOptions{Run: "away", Pause: w.clock.pause})
	w.ok(out.Err())
	if after := theirs(); after != before {
		t.Errorf("of the owner there is\n%s\nwas\n%s", after, before)
	}
	if n := len(w.sessionsOn()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
