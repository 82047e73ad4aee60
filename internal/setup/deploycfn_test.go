package setup_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"mirador/internal/ec2api"
)

// cfnProperties are the properties of resource types as CloudFormation knows them, of those
// that are used here. AWS: CloudFormation template reference, read 2026-09.
var cfnProperties = map[string]string{
	"AWS::EC2::SecurityGroup":                   "GroupName GroupDescription VpcId SecurityGroupIngress SecurityGroupEgress Tags",
	"AWS::EC2::NetworkInterface":                "SubnetId GroupSet Description Tags SourceDestCheck PrivateIpAddress",
	"AWS::EC2::NetworkInterfaceAttachment":      "InstanceId NetworkInterfaceId DeviceIndex DeleteOnTermination",
	"AWS::EC2::TrafficMirrorTarget":             "Description NetworkInterfaceId NetworkLoadBalancerArn GatewayLoadBalancerEndpointId Tags",
	"AWS::EC2::TrafficMirrorFilter":             "Description NetworkServices Tags",
	"AWS::EC2::TrafficMirrorFilterRule":         "TrafficMirrorFilterId TrafficDirection RuleNumber RuleAction SourceCidrBlock DestinationCidrBlock Protocol SourcePortRange DestinationPortRange Description Tags",
	"AWS::EC2::TrafficMirrorSession":            "NetworkInterfaceId TrafficMirrorTargetId TrafficMirrorFilterId SessionNumber VirtualNetworkId PacketLength Description Tags",
	"AWS::EC2::VPCEndpointService":              "AcceptanceRequired GatewayLoadBalancerArns Tags",
	"AWS::EC2::VPCEndpoint":                     "VpcEndpointType VpcId SubnetIds ServiceName Tags",
	"AWS::EC2::Instance":                        "ImageId InstanceType LaunchTemplate KeyName IamInstanceProfile DisableApiTermination NetworkInterfaces BlockDeviceMappings UserData Tags",
	"AWS::EC2::LaunchTemplate":                  "LaunchTemplateName LaunchTemplateData TagSpecifications",
	"AWS::IAM::Role":                            "Description AssumeRolePolicyDocument Policies ManagedPolicyArns Tags",
	"AWS::IAM::InstanceProfile":                 "Roles InstanceProfileName",
	"AWS::ElasticLoadBalancingV2::LoadBalancer": "Name Type Scheme Subnets LoadBalancerAttributes SecurityGroups Tags",
	"AWS::ElasticLoadBalancingV2::TargetGroup":  "Name Protocol Port VpcId TargetType Targets TargetGroupAttributes HealthCheckProtocol HealthCheckPort HealthCheckPath HealthCheckIntervalSeconds HealthyThresholdCount UnhealthyThresholdCount Tags",
	"AWS::ElasticLoadBalancingV2::Listener":     "LoadBalancerArn Protocol Port DefaultActions",
}

// cfnAttributes are what Fn::GetAtt may ask for.
var cfnAttributes = map[string]string{
	"AWS::EC2::SecurityGroup": "GroupId", "AWS::EC2::NetworkInterface": "PrimaryPrivateIpAddress", "AWS::EC2::Instance": "PrivateIp", "AWS::EC2::LaunchTemplate": "LatestVersionNumber",
}

// template is a CloudFormation template that is being carried out.
type template struct {
	*builder
	v      map[string]any
	params map[string]any
	done   map[string]made
}

func section(v map[string]any, name string) map[string]any {
	m, _ := v[name].(map[string]any)
	return m
}

// checkForm checks what cfn-lint would: references, conditions, types, properties.
func checkForm(t *testing.T, v map[string]any) {
	t.Helper()
	res, params, conds := section(v, "Resources"), section(v, "Parameters"), section(v, "Conditions")
	pseudo := []string{"AWS::NoValue", "AWS::StackName", "AWS::Region", "AWS::URLSuffix", "AWS::Partition", "AWS::AccountId"}
	used := map[string]bool{}
	lead := func(name any) {
		n := fmt.Sprint(name)
		used[n] = true
		if res[n] == nil && params[n] == nil && !slices.Contains(pseudo, n) {
			t.Errorf("%q leads nowhere", n)
		}
	}
	cond := func(name any) {
		n := fmt.Sprint(name)
		used["condition "+n] = true
		if conds[n] == nil {
			t.Errorf("condition %q is not defined", n)
		}
	}
	sub := regexp.MustCompile(`\$\{([^!}][^}]*)\}`)
	each(v, func(x any) {
		m, ok := x.(map[string]any)
		if !ok {
			return
		}
		if r, ok := m["Ref"]; ok {
			lead(r)
		}
		if g, ok := m["Fn::GetAtt"].([]any); ok {
			lead(g[0])
			kind := fmt.Sprint(section(res, g[0].(string))["Type"])
			if !slices.Contains(strings.Fields(cfnAttributes[kind]), g[1].(string)) {
				t.Errorf("%s has no attribute %v", kind, g[1])
			}
		}
		if s, ok := m["Fn::Sub"].(string); ok {
			for _, r := range sub.FindAllStringSubmatch(s, -1) {
				lead(r[1])
			}
		}
		if c, ok := m["Condition"].(string); ok {
			cond(c)
		}
		if list, ok := m["Fn::If"].([]any); ok {
			cond(list[0])
			if len(list) != 3 {
				t.Errorf("Fn::If of %d", len(list))
			}
		}
	})
	for name, x := range res {
		r := x.(map[string]any)
		kind := fmt.Sprint(r["Type"])
		known := strings.Fields(cfnProperties[kind])
		for p := range section(r, "Properties") {
			if !slices.Contains(known, p) {
				t.Errorf("%s: %s has no property %s", name, kind, p)
			}
		}
		for k := range r {
			if !slices.Contains([]string{"Type", "Properties", "Condition", "DependsOn", "DeletionPolicy"}, k) {
				t.Errorf("%s: attribute %s", name, k)
			}
		}
		list, _ := r["DependsOn"].([]any)
		for _, d := range list {
			lead(d)
			if res[fmt.Sprint(d)] == nil {
				t.Errorf("%s depends on %v, which is no resource", name, d)
			}
		}
	}
	for name := range params {
		if !used[name] {
			t.Errorf("parameter %s is not used", name)
		}
	}
	for name := range conds {
		if !used["condition "+name] {
			t.Errorf("condition %s is not used", name)
		}
	}
}

// run makes all resources of a template whose conditions hold.
func (x *template) run() {
	x.t.Helper()
	for name, p := range section(x.v, "Parameters") {
		m := p.(map[string]any)
		if _, ok := x.params[name]; !ok {
			if m["Default"] == nil {
				x.t.Fatalf("parameter %s has no value", name)
			}
			x.params[name] = m["Default"]
			if m["Type"] == "CommaDelimitedList" && m["Default"] == "" {
				x.params[name] = []any{}
			}
		}
		if pat, ok := m["AllowedPattern"].(string); ok && !regexp.MustCompile("^(?:"+pat+")$").MatchString(fmt.Sprint(x.params[name])) {
			x.t.Errorf("parameter %s: %v is not of the form %s", name, x.params[name], pat)
		}
	}
	for name := range section(x.v, "Resources") {
		x.need(name)
	}
}

func (x *template) holds(name string) bool {
	return fmt.Sprint(x.eval(section(x.v, "Conditions")[name])) == "true"
}

// need makes a resource when it is not there yet, after those that it depends on.
func (x *template) need(name string) made {
	x.t.Helper()
	if m, ok := x.done[name]; ok {
		return m
	}
	x.done[name] = nil
	r := section(section(x.v, "Resources"), name)
	if c, ok := r["Condition"].(string); ok && !x.holds(c) {
		return nil
	}
	list, _ := r["DependsOn"].([]any)
	for _, d := range list {
		x.need(d.(string))
	}
	p, _ := x.eval(section(r, "Properties")).(map[string]any)
	if _, ok := p["GroupName"]; !ok && r["Type"] == "AWS::EC2::SecurityGroup" {
		p["Anonymous"] = name
	}
	x.done[name] = x.build(r["Type"].(string), p)
	return x.done[name]
}

type none struct{} // the value of AWS::NoValue

func (x *template) ref(name string) any {
	switch name {
	case "AWS::NoValue":
		return none{}
	case "AWS::StackName":
		return "prod"
	case "AWS::Region":
		return "us-east-1"
	case "AWS::URLSuffix":
		return "amazonaws.com"
	}
	if v, ok := x.params[name]; ok {
		return v
	}
	m := x.need(name)
	if m == nil {
		x.t.Fatalf("%s is referred to and not made", name)
	}
	return m["Ref"]
}

// eval works out a value; a property that is none is left out.
func (x *template) eval(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			if y := x.eval(e); y != (none{}) {
				out = append(out, y)
			}
		}
		return out
	case map[string]any:
		if len(v) == 1 {
			for f, arg := range v {
				if strings.HasPrefix(f, "Fn::") || f == "Ref" || f == "Condition" {
					return x.call(f, arg)
				}
			}
		}
		out := map[string]any{}
		for k, e := range v {
			if y := x.eval(e); y != (none{}) {
				out[k] = y
			}
		}
		return out
	}
	return v
}

func (x *template) call(f string, arg any) any {
	list, _ := arg.([]any)
	switch f {
	case "Ref":
		return x.ref(arg.(string))
	case "Condition":
		return x.holds(arg.(string))
	case "Fn::GetAtt":
		return x.need(list[0].(string))[list[1].(string)]
	case "Fn::If":
		if x.holds(list[0].(string)) {
			return x.eval(list[1])
		}
		return x.eval(list[2])
	case "Fn::Equals":
		return fmt.Sprint(x.eval(list[0])) == fmt.Sprint(x.eval(list[1]))
	case "Fn::Not":
		return fmt.Sprint(x.eval(list[0])) != "true"
	case "Fn::And":
		for _, c := range list {
			if fmt.Sprint(x.eval(c)) != "true" {
				return false
			}
		}
		return true
	case "Fn::Join":
		var parts []string
		for _, e := range x.eval(list[1]).([]any) {
			parts = append(parts, fmt.Sprint(e))
		}
		return strings.Join(parts, list[0].(string))
	case "Fn::Base64":
		s := base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(x.eval(arg))))
		b, err := base64.StdEncoding.DecodeString(s)
		x.ok(err)
		return string(b)
	case "Fn::Sub":
		s := regexp.MustCompile(`\$\{[^!}][^}]*\}`).ReplaceAllStringFunc(arg.(string), func(r string) string { return fmt.Sprint(x.ref(r[2 : len(r)-1])) })
		return strings.ReplaceAll(s, "${!", "${")
	}
	x.t.Fatalf("function %s is not known", f)
	return nil
}

// same compares two accounts.
func same(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, l := range g {
		if !slices.Contains(w, l) {
			t.Errorf("only by the other tool: %s", l)
		}
	}
	for _, l := range w {
		if !slices.Contains(g, l) {
			t.Errorf("only by apply:          %s", l)
		}
	}
	if !t.Failed() {
		t.Errorf("numbers differ:\n%s\nwant\n%s", got, want)
	}
}

// applied returns the account that apply makes.
func applied(t *testing.T, more string, names bool) string {
	w := newWorld(t, 3, ec2api.Options{})
	w.apply(w.spec(more))
	return w.account(names)
}

// What CloudFormation makes of an export is what apply makes.
func TestCloudFormationMakesTheSame(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			w, _, text, _, _ := exports(t, k.more+filterText)
			v := decode(t, text)
			checkForm(t, v)
			x := &template{newBuilder(w), v, map[string]any{}, map[string]made{}}
			x.run()
			same(t, w.account(true), applied(t, k.more+filterText, true))
			off := &template{newBuilder(newWorld(t, 3, ec2api.Options{})), v, map[string]any{"EnableTrafficMirroring": "false"}, map[string]made{}}
			off.run()
			if a := off.account(true); a != "" {
				t.Errorf("with mirroring off there is\n%s", a)
			}
		})
	}
}

func sensorFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ownSensor is what the description of the stack says that the template and the module make.
const ownSensor = `security_group: {sources: [10.0.0.0/16], health_sources: %s}
target: {kind: %s}
session: {name: "%s", description: "%s to sensors of {stack}", vni: 77, number: 3, packet_length: %s}
`

// appliedSensor returns the account that apply makes with a sensor as the template's.
func appliedSensor(t *testing.T, kind, name, length string) string {
	w := newWorld(t, 3, ec2api.Options{})
	w.terminate(w.sensors...)
	w.sensors = w.run(w.subnets[0], "m5.xlarge", 1, "mirador-sensor", nil)
	health := "[]"
	if kind == "nlb" {
		health = "[10.0.0.0/20]"
	}
	w.apply(w.spec(tagged + fmt.Sprintf(ownSensor, health, kind, name, name, length)))
	return w.account(false)
}

// The template of a sensor makes what apply makes, with its parameter on and with a load
// balancer, and only the sensor with it off.
func TestSensorTemplate(t *testing.T) {
	j, err := yaml.YAMLToJSON(sensorFile(t, "cloudformation/sensor.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	v := decode(t, string(j))
	checkForm(t, v)
	if n := len(sensorFile(t, "cloudformation/sensor.yaml")); n > 51200 {
		t.Errorf("a template of %d bytes has to be uploaded before it is used", n)
	}
	grouped := map[any]bool{}
	for _, g := range section(section(v, "Metadata"), "AWS::CloudFormation::Interface")["ParameterGroups"].([]any) {
		for _, p := range g.(map[string]any)["Parameters"].([]any) {
			grouped[p] = true
		}
	}
	if len(grouped) != len(section(v, "Parameters")) {
		t.Errorf("%d parameters in groups, of %d", len(grouped), len(section(v, "Parameters")))
	}
	run := func(t *testing.T, more map[string]any) *template {
		w := newWorld(t, 3, ec2api.Options{})
		w.terminate(w.sensors...)
		w.sensors = nil
		x := &template{newBuilder(w), decode(t, string(j)), map[string]any{"VpcId": w.vpc, "SubnetId": w.subnets[0], "BinaryUrl": "https://example.com/mirador", "BinarySha256": strings.Repeat("a", 64),
			"SourceCidr": "10.0.0.0/16", "HealthCidr": "10.0.0.0/20", "VirtualNetworkId": 77, "SessionNumber": 3}, map[string]made{}}
		for i, e := range w.sourceIf {
			x.params[fmt.Sprintf("MirrorSource%d", i+1)] = e
		}
		for k, v := range more {
			x.params[k] = v
		}
		x.run()
		return x
	}
	for _, kind := range []string{"eni", "nlb"} {
		t.Run(kind, func(t *testing.T) {
			x := run(t, map[string]any{"TargetKind": kind, "PacketLength": 200})
			same(t, x.account(false), appliedSensor(t, kind, "{interface}", "200"))
			for _, o := range section(x.v, "Outputs") {
				m := o.(map[string]any)
				if c, ok := m["Condition"].(string); (!ok || x.holds(c)) && fmt.Sprint(x.eval(m["Value"])) == "" {
					t.Errorf("output %v is empty", m)
				}
			}
		})
	}
	t.Run("off", func(t *testing.T) {
		x := run(t, map[string]any{"EnableTrafficMirroring": "false"})
		if a := x.account(false); a != "" || len(x.sensors) != 1 {
			t.Errorf("%d sensors, and\n%s", len(x.sensors), a)
		}
	})
}

// The stand-alone user data is YAML that says what is written and run.
func TestSensorUserData(t *testing.T) {
	b := sensorFile(t, "cloud-init/sensor.yaml")
	if !bytes.HasPrefix(b, []byte("#cloud-config\n")) || len(b) > 16<<10 {
		t.Errorf("%d bytes, begins %q", len(b), b[:20])
	}
	var v struct {
		Files []struct{ Path, Permissions, Content string } `yaml:"write_files"`
		Run   [][]string                                    `yaml:"runcmd"`
		More  map[string]any                                `yaml:"updates"`
	}
	if err := yaml.UnmarshalWithOptions(b, &v, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range v.Files {
		paths = append(paths, f.Path)
		unit := f.Path[strings.LastIndexByte(f.Path, '/')+1:]
		if want, err := os.ReadFile("../../deploy/" + unit); err == nil {
			var keep []string
			for _, l := range strings.Split(strings.TrimSpace(string(want)), "\n") {
				if !strings.HasPrefix(l, "#") {
					keep = append(keep, l)
				}
			}
			if strings.TrimSpace(f.Content) != strings.Join(keep, "\n") {
				t.Errorf("%s differs from deploy/%s", f.Path, unit)
			}
		}
	}
	want := []string{"/etc/mirador/mirador.yaml", "/etc/mirador/local.rules", "/etc/sysctl.d/90-mirador.conf", "/etc/systemd/system/mirador.service", "/etc/systemd/system/mirador.socket", "/usr/local/sbin/install-mirador"}
	if !slices.Equal(paths, want) || len(v.Run) != 4 {
		t.Errorf("files %v, commands %v", paths, v.Run)
	}
}
