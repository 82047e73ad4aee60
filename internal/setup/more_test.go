package setup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/goccy/go-yaml"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// The commands that a plan prints for the AWS CLI do what apply does: run by the AWS CLI,
// they leave nothing to do. Each command costs most of a second, so that it is the kind
// with the most services of AWS unless MIRADOR_AWS_CLI=all asks for the others.
func TestCommandsForTheAWSCLI(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	for _, kind := range kinds {
		if kind.name != "nlb" && os.Getenv("MIRADOR_AWS_CLI") != "all" {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			w := newWorld(t, 1, ec2api.Options{})
			w.sensors = w.sensors[:1]
			s := w.spec(kind.more + "security_group: {egress: none}\nsession: {packet_length: 300, name: \"it's {name} $HOME\"}\nfilter: {rules: [{protocol: tcp, destination_ports: 443, description: \"a 'b' \\\"c\\\"\"}]}\n")
			var script bytes.Buffer
			w.ok(w.plan(s).WriteCLI(&script, "--endpoint-url "+w.url+" --region us-east-1"))
			cmd := exec.CommandContext(t.Context(), "sh")
			cmd.Stdin = &script
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(cli)+":"+os.Getenv("PATH"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w.settled(s)
		})
	}
}

// The text of every plan is a script that a shell can read.
func TestCommandsAreShell(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	w.apply(w.spec(tagged))
	var script bytes.Buffer
	w.ok(w.plan(w.spec(tagged+"target: {kind: nlb, description: \"x'y\"}\nfilter: {preset: dns-only}\nsession: {vni: unique}\n")).WriteCLI(&script, ""))
	for _, want := range []string{"modify-traffic-mirror-session", "delete-traffic-mirror-target", "elbv2 wait load-balancer-available", "modify-traffic-mirror-filter-rule", `'Sensors of'`} {
		if want[0] != '\'' && !strings.Contains(script.String(), want) {
			t.Errorf("no %s in\n%s", want, script.String())
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = &script
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// What init writes is a description that can be read, checked and applied.
func TestInitSpec(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	o := w.observe(nil)
	for _, opt := range []setup.InitOptions{
		{},
		{Name: "x", Sensors: w.sensors, Select: []string{"tag:Mirror=true"}},
		{Sensors: []string{"asg:sensors"}, VPC: w.vpc, Target: "nlb"},
		{Select: []string{"vpc:" + w.vpc, "subnet:" + w.subnets[0], "instance:" + w.sources[0], "eni:" + w.sourceIf[0], "asg:web"}},
	} {
		text, err := setup.InitSpec(o, opt)
		w.ok(err)
		s, err := setup.ParseSpec([]byte(text), "init")
		if err != nil {
			t.Fatalf("%+v: %v\n%s", opt, err, text)
		}
		if len(opt.Sensors) == 0 && (len(s.Sensors) != 2 || s.Sensors[0].Instance != w.sensors[0] && s.Sensors[0].Instance != w.sensors[1]) {
			t.Errorf("sensors = %v", s.Sensors)
		}
	}
	for _, opt := range []setup.InitOptions{{VPC: "vpc-none"}, {Sensors: []string{"i-none"}}, {Select: []string{"name:x"}}, {Select: []string{"tag:x"}}} {
		if _, err := setup.InitSpec(o, opt); err == nil {
			t.Errorf("%+v: no error", opt)
		}
	}
}

// The sources file is what the sensor reads, and knows the source of each session.
func TestSourcesFile(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	_, err := w.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: w.sources[:1], Tags: []types.Tag{{Key: aws.String("odd: \"key\""), Value: aws.String("#x\ny")}}})
	w.ok(err)
	s := w.spec(tagged)
	w.apply(s)
	list := setup.SourceEntries(w.observe(s), "prod", nil)
	table, err := mirror.ParseSources([]byte(setup.SourcesYAML(list)), "sources.yaml")
	w.ok(err)
	asJSON, err := json.Marshal(map[string]any{"sources": list})
	w.ok(err)
	if _, err := mirror.ParseSources(asJSON, "sources.json"); err != nil {
		t.Error(err)
	}
	if table.Len() != 3 || len(list) != 3 {
		t.Errorf("%d sources", table.Len())
	}
	found := false
	for _, e := range list {
		if e.InstanceID == w.sources[0] {
			found = e.ENI == w.sourceIf[0] && e.Name == "web" && e.Tags["odd: \"key\""] == "#x\ny" && e.VPC == w.vpc && e.SourceIP != "" && e.MAC != ""
		}
	}
	if !found {
		t.Errorf("entries %+v", list)
	}
	if got := setup.SourceEntries(w.observe(s), "other", nil); len(got) != 0 {
		t.Errorf("sources of another stack: %v", got)
	}
	if _, err := mirror.ParseSources([]byte(setup.SourcesYAML(nil)), "empty"); err != nil {
		t.Error(err)
	}
}

// Two runs at a time are one too many; a journal of another stack is not overwritten; a
// line that was cut off is no line.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "j")
	who := setup.Identity{Account: "123456789012", Region: "us-east-1"}
	name := func() string { return "r1" }
	j, err := setup.OpenJournal(path, "prod", who, name)
	if err != nil || j.Resume || j.Run != "r1" {
		t.Fatalf("%+v, %v", j, err)
	}
	if _, err := setup.OpenJournal(path, "prod", who, name); !errors.Is(err, setup.ErrLocked) {
		t.Errorf("second run: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"made":"filter","id":"tmf-1"}` + "\n" + `{"made":"targ`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := setup.OpenJournal(path, "other", who, name); err == nil || !strings.Contains(err.Error(), `of stack "prod"`) {
		t.Errorf("journal of another stack: %v", err)
	}
	j, err = setup.OpenJournal(path, "prod", who, func() string { return "r2" })
	if err != nil || !j.Resume || j.Run != "r1" || j.Made["filter"] != "tmf-1" || len(j.Made) != 1 {
		t.Fatalf("%+v, %v", j, err)
	}
	if got := j.Unseen(&setup.Observed{}); len(got) != 1 || got[0] != "tmf-1" {
		t.Errorf("unseen = %v", got)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the journal is still there: %v", err)
	}
	if err := os.WriteFile(path, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := setup.OpenJournal(path, "prod", who, name); err == nil {
		t.Error("nonsense is taken for a journal")
	}
}

// A run that was broken off is finished without its journal too.
func TestCrashWithoutJournal(t *testing.T) {
	w := newWorld(t, 3, ec2api.Options{})
	s := w.spec(tagged)
	l := w.line()
	calls, err := l.process(0, false, func(ctx context.Context, c setup.Cloud) error { return w.applyOnce(ctx, c, s, "", 0) })
	w.ok(err)
	want := w.inventory()
	for i := range calls {
		if !changing(calls[i]) {
			continue
		}
		w.ok(w.destroyOnce(t.Context(), w.client(), s))
		if _, err := l.process(i+1, true, func(ctx context.Context, c setup.Cloud) error { return w.applyOnce(ctx, c, s, "", 2*i+1) }); err == nil {
			t.Fatalf("no error at call %d", i+1)
		}
		w.ok(w.applyOnce(t.Context(), w.client(), s, "", 2*i+2))
		w.settled(s)
		if got := w.inventory(); got != want {
			t.Fatalf("after a death at call %d (%s): %s\nwant %s", i+1, calls[i], got, want)
		}
	}
}

// What was made twice goes back to one, and it is the one in use that stays.
func TestMadeTwice(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	s := w.spec(tagged)
	w.apply(s)
	want := w.inventory()
	o := w.observe(s)
	var tags []types.Tag
	for _, x := range o.Filters[0].Tags {
		tags = append(tags, types.Tag{Key: aws.String(x.Key), Value: aws.String(x.Value)})
	}
	_, err := w.ec2.CreateTrafficMirrorFilter(t.Context(), &ec2.CreateTrafficMirrorFilterInput{Description: aws.String(o.Filters[0].Description),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeTrafficMirrorFilter, Tags: tags}}})
	w.ok(err)
	p := w.plan(s)
	if len(p.Changes) != 1 || p.Changes[0].Mark != setup.Delete || p.Changes[0].ID == o.Filters[0].ID || !strings.Contains(p.Changes[0].Why, "made twice") {
		t.Errorf("changes %+v", p.Changes[0])
	}
	w.apply(s)
	if got := w.inventory(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// An Auto Scaling group of sensors: those that run are targets; one that comes gets an
// interface, and what was for one that goes is taken away.
func TestAutoScalingGroup(t *testing.T) {
	w := newWorld(t, 4, ec2api.Options{})
	text := "name: prod\nsensors: [{auto_scaling_group: sensors}]\n" + tagged
	s, err := setup.ParseSpec([]byte(text), "x")
	w.ok(err)
	asg := grouped{w.client(), map[string]bool{w.sensors[0]: true}}
	apply := func() {
		t.Helper()
		o, err := setup.Observe(t.Context(), asg, setup.ObserveOptions{Stack: "prod", Spec: s})
		w.ok(err)
		p, err := setup.NewPlan(s, o, nil)
		w.ok(err)
		w.ok(setup.Apply(t.Context(), asg, p, setup.ApplyOptions{Pause: w.clock.pause}).Err())
	}
	apply()
	asg.members[w.sensors[1]] = true
	apply()
	if n := len(w.api.Snapshot().Mirroring.Targets); n != 2 {
		t.Errorf("%d targets", n)
	}
	_, err = w.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: w.sensors[:1]})
	w.ok(err)
	apply()
	m := w.api.Snapshot().Mirroring
	if len(m.Targets) != 1 || len(m.Sessions) != 4 {
		t.Errorf("%d targets, %d sessions", len(m.Targets), len(m.Sessions))
	}
	for _, x := range m.Sessions {
		if x.TargetID != m.Targets[0].ID {
			t.Errorf("session %s sends to %s", x.ID, x.TargetID)
		}
	}
}

// grouped is an account in which some instances are of the Auto Scaling group "sensors": the
// tag cannot be set by people.
type grouped struct {
	setup.Cloud
	members map[string]bool
}

func (c grouped) Instances(ctx context.Context, q setup.Query) ([]setup.Instance, error) {
	list, err := c.Cloud.Instances(ctx, q)
	for i := range list {
		if c.members[list[i].ID] {
			list[i].Tags["aws:autoscaling:groupName"] = "sensors"
		}
	}
	return list, err
}

// A saved plan says what may be done: a run of it can be finished, other changes cannot
// slip in.
func TestSavedPlan(t *testing.T) {
	w := newWorld(t, 2, ec2api.Options{})
	s := w.spec(tagged)
	p := w.plan(s)
	b, err := json.Marshal(p.Save("mirror.yaml", "text"))
	w.ok(err)
	saved, err := setup.ReadSaved(bytes.NewReader(b))
	w.ok(err)
	if saved.Summary.Add != len(p.Changes) || saved.Spec != "text" || len(saved.Sources) != 4 {
		t.Errorf("saved %+v", saved.Summary)
	}
	if more := saved.Beyond(p); len(more) != 0 {
		t.Errorf("beyond itself: %v", more)
	}
	line := &refusing{status: 400, code: "InvalidParameterValue", seen: map[string]int{}, only: func(a string) bool { return a == "AuthorizeSecurityGroupIngress" }}
	setup.Apply(t.Context(), w.cloud(line), p, setup.ApplyOptions{Pause: w.clock.pause})
	if more := saved.Beyond(w.plan(s)); len(more) != 0 {
		t.Errorf("the rest of a broken run is refused: %+v", more[0])
	}
	w.run(w.subnets[0], "m5.large", 1, "new", map[string]string{"Mirror": "true"})
	if more := saved.Beyond(w.plan(s)); len(more) != 1 || more[0].Kind != "traffic mirror session" {
		t.Errorf("beyond: %v", more)
	}
	for _, bad := range []string{"", "{}", `{"format":2,"stack":"x"}`, "[]"} {
		if _, err := setup.ReadSaved(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken for a plan", bad)
		}
	}
}

// The user data of the software mirror is YAML, and its mirroring file has the rules of the
// filter.
func TestUserData(t *testing.T) {
	w := newWorld(t, 1, ec2api.Options{})
	w.run(w.subnets[0], "t2.micro", 1, "old\nname", map[string]string{"Mirror": "true"})
	s := w.spec(tagged + "filter: {preset: dns-only}\n")
	w.apply(s)
	var out strings.Builder
	w.ok(w.plan(s).WriteUserData(&out))
	var doc struct {
		WriteFiles []struct{ Path, Content string } `yaml:"write_files"`
		RunCmd     [][]string                       `yaml:"runcmd"`
	}
	if err := yaml.Unmarshal([]byte(out.String()), &doc); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	spec, err := mirror.ParseSpec([]byte(doc.WriteFiles[0].Content), "file")
	if err != nil {
		t.Fatalf("%v\n%s", err, doc.WriteFiles[0].Content)
	}
	if len(spec.Filters) != 1 || len(spec.Filters[0].Rules) != 8 || len(spec.Interfaces) != 1 || spec.Interfaces[0].Addrs[0].String()[:5] != "10.0." {
		t.Errorf("file %+v", spec)
	}
	if unit := doc.WriteFiles[1].Content; !strings.Contains(unit, "--vni 1169") || !strings.Contains(unit, "--to 10.0.") {
		t.Errorf("unit\n%s", unit)
	}
	if len(doc.RunCmd) != 2 {
		t.Errorf("runcmd %v", doc.RunCmd)
	}
}
