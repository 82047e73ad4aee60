package setup_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"mirador/internal/ec2api"
)

// tfType says what a resource type of the AWS provider is for CloudFormation, and how its
// arguments are called there. AWS provider 5, documentation of the resources, read 2026-09.
type tfType struct {
	kind string
	args map[string]string
}

// arguments makes the table from "argument=Property" pairs.
func arguments(s string) map[string]string {
	m := map[string]string{}
	for _, f := range strings.Fields(s) {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return m
}

const (
	tfRule = "security_group_id=GroupId ip_protocol=IpProtocol from_port=FromPort to_port=ToPort cidr_ipv4=CidrIp cidr_ipv6=CidrIpv6 description=Description "
	tfTags = " tags=Tags"
)

var tfTypes = map[string]tfType{
	"aws_security_group":                  {"EC2::SecurityGroup", arguments("name=GroupName description=GroupDescription vpc_id=VpcId" + tfTags)},
	"aws_vpc_security_group_ingress_rule": {"EC2::SecurityGroupIngress", arguments(tfRule + "referenced_security_group_id=SourceSecurityGroupId prefix_list_id=SourcePrefixListId")},
	"aws_vpc_security_group_egress_rule":  {"EC2::SecurityGroupEgress", arguments(tfRule + "referenced_security_group_id=DestinationSecurityGroupId prefix_list_id=DestinationPrefixListId")},
	"aws_network_interface":               {"EC2::NetworkInterface", arguments("subnet_id=SubnetId security_groups=GroupSet description=Description" + tfTags)},
	"aws_network_interface_attachment":    {"EC2::NetworkInterfaceAttachment", arguments("instance_id=InstanceId network_interface_id=NetworkInterfaceId device_index=DeviceIndex")},
	"aws_ec2_traffic_mirror_target":       {"EC2::TrafficMirrorTarget", arguments("description=Description network_interface_id=NetworkInterfaceId network_load_balancer_arn=NetworkLoadBalancerArn gateway_load_balancer_endpoint_id=GatewayLoadBalancerEndpointId" + tfTags)},
	"aws_ec2_traffic_mirror_filter":       {"EC2::TrafficMirrorFilter", arguments("description=Description network_services=NetworkServices" + tfTags)},
	"aws_ec2_traffic_mirror_filter_rule": {"EC2::TrafficMirrorFilterRule", arguments("traffic_mirror_filter_id=TrafficMirrorFilterId traffic_direction=TrafficDirection rule_number=RuleNumber rule_action=RuleAction source_cidr_block=SourceCidrBlock " +
		"destination_cidr_block=DestinationCidrBlock protocol=Protocol description=Description source_port_range=SourcePortRange destination_port_range=DestinationPortRange from_port=FromPort to_port=ToPort")},
	"aws_ec2_traffic_mirror_session": {"EC2::TrafficMirrorSession", arguments("network_interface_id=NetworkInterfaceId traffic_mirror_target_id=TrafficMirrorTargetId traffic_mirror_filter_id=TrafficMirrorFilterId session_number=SessionNumber virtual_network_id=VirtualNetworkId packet_length=PacketLength description=Description" + tfTags)},
	"aws_lb":                         {"ElasticLoadBalancingV2::LoadBalancer", arguments("name=Name load_balancer_type=Type internal=Internal subnets=Subnets enable_cross_zone_load_balancing=CrossZone" + tfTags)},
	"aws_lb_target_group": {"ElasticLoadBalancingV2::TargetGroup", arguments("name=Name protocol=Protocol port=Port vpc_id=VpcId target_type=TargetType health_check=Health stickiness=Sticky interval=HealthCheckIntervalSeconds healthy_threshold=HealthyThresholdCount " +
		"unhealthy_threshold=UnhealthyThresholdCount path=HealthCheckPath enabled=Enabled type=StickyType" + tfTags)},
	"aws_lb_target_group_attachment": {"ElasticLoadBalancingV2::TargetGroupAttachment", arguments("target_group_arn=TargetGroupArn target_id=Id port=Port")},
	"aws_lb_listener":                {"ElasticLoadBalancingV2::Listener", arguments("load_balancer_arn=LoadBalancerArn protocol=Protocol port=Port default_action=DefaultActions type=Type target_group_arn=TargetGroupArn" + tfTags)},
	"aws_vpc_endpoint_service":       {"EC2::VPCEndpointService", arguments("acceptance_required=AcceptanceRequired gateway_load_balancer_arns=GatewayLoadBalancerArns" + tfTags)},
	"aws_vpc_endpoint":               {"EC2::VPCEndpoint", arguments("vpc_endpoint_type=VpcEndpointType vpc_id=VpcId subnet_ids=SubnetIds service_name=ServiceName" + tfTags)},
	"aws_instance": {"EC2::Instance", arguments("ami=ImageId instance_type=InstanceType subnet_id=SubnetId vpc_security_group_ids=Groups key_name=KeyName associate_public_ip_address=Public disable_api_termination=DisableApiTermination " +
		"iam_instance_profile=IamInstanceProfile user_data=UserData metadata_options=Metadata http_tokens=Tokens http_put_response_hop_limit=Hops root_block_device=Root volume_type=VolumeType volume_size=VolumeSize encrypted=Encrypted" + tfTags)},
	"aws_iam_role":             {"IAM::Role", arguments("name_prefix=Prefix description=Description assume_role_policy=AssumeRolePolicyDocument" + tfTags)},
	"aws_iam_role_policy":      {"IAM::RolePolicy", arguments("name=Name role=Role policy=PolicyDocument")},
	"aws_iam_instance_profile": {"IAM::InstanceProfile", arguments("name_prefix=Prefix role=Roles" + tfTags)},
}

// module is a Terraform module that is being carried out.
type module struct {
	*builder
	vars, locals map[string]hcl.Expression
	given        map[string]cty.Value
	res          map[string]*tfResource
	outputs      map[string]hcl.Expression
	files        map[string]string
}

// tfResource is a resource block.
type tfResource struct {
	kind, name string
	args       map[string]hcl.Expression
	blocks     map[string][]*hclsyntax.Body
	isData     bool
	busy       bool
	value      *cty.Value
}

func (m *module) diag(d hcl.Diagnostics) {
	m.t.Helper()
	if d.HasErrors() {
		m.t.Fatal(d)
	}
}

// load reads files of a module: *.tf and *.tf.json.
func load(b *builder, files map[string]string) *module {
	b.t.Helper()
	m := &module{builder: b, vars: map[string]hcl.Expression{}, locals: map[string]hcl.Expression{}, given: map[string]cty.Value{}, res: map[string]*tfResource{}, outputs: map[string]hcl.Expression{}, files: files}
	p := hclparse.NewParser()
	schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "terraform"}, {Type: "locals"}, {Type: "variable", LabelNames: []string{"name"}}, {Type: "output", LabelNames: []string{"name"}},
		{Type: "resource", LabelNames: []string{"type", "name"}}, {Type: "data", LabelNames: []string{"type", "name"}}}, Attributes: []hcl.AttributeSchema{{Name: "//"}}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var f *hcl.File
		var d hcl.Diagnostics
		switch {
		case strings.HasSuffix(name, ".tf.json"):
			f, d = p.ParseJSON([]byte(files[name]), name)
		case strings.HasSuffix(name, ".tf"):
			f, d = p.ParseHCL([]byte(files[name]), name)
			if got := string(hclwrite.Format([]byte(files[name]))); got != files[name] {
				b.t.Errorf("%s is not as terraform fmt has it:\n%s", name, got)
			}
		default:
			continue
		}
		m.diag(d)
		c, d := f.Body.Content(schema)
		m.diag(d)
		for _, blk := range c.Blocks {
			args, blocks := m.body(blk.Body)
			switch blk.Type {
			case "locals":
				maps.Copy(m.locals, args)
			case "variable":
				m.vars[blk.Labels[0]] = args["default"]
			case "output":
				m.outputs[blk.Labels[0]] = args["value"]
			case "resource", "data":
				k := strings.Join(blk.Labels, ".")
				r := &tfResource{kind: blk.Labels[0], name: k, args: args, blocks: blocks, isData: blk.Type == "data"}
				if r.isData {
					k = "data." + k
				}
				if m.res[k] != nil {
					b.t.Errorf("%s is there twice", k)
				}
				m.res[k] = r
			}
		}
	}
	return m
}

// body returns arguments and blocks. In JSON syntax all are arguments.
func (m *module) body(b hcl.Body) (map[string]hcl.Expression, map[string][]*hclsyntax.Body) {
	args, blocks := map[string]hcl.Expression{}, map[string][]*hclsyntax.Body{}
	if n, ok := b.(*hclsyntax.Body); ok {
		for k, a := range n.Attributes {
			args[k] = a.Expr
		}
		for _, x := range n.Blocks {
			blocks[x.Type] = append(blocks[x.Type], x.Body)
		}
		return args, blocks
	}
	attrs, d := b.JustAttributes()
	m.diag(d)
	for k, a := range attrs {
		args[k] = a.Expr
	}
	return args, blocks
}

// check checks that all references lead somewhere and all arguments are known.
func (m *module) check() {
	m.t.Helper()
	used := map[string]bool{}
	lead := func(where string, e hcl.Expression) {
		for _, tr := range e.Variables() {
			parts := []string{tr.RootName()}
			for _, step := range tr[1:] {
				if a, ok := step.(hcl.TraverseAttr); ok {
					parts = append(parts, a.Name)
				}
			}
			two := func(n int) string { return strings.Join(parts[:min(n, len(parts))], ".") }
			used[two(2)] = true
			switch parts[0] {
			case "var":
				if _, ok := m.vars[parts[1]]; !ok {
					m.t.Errorf("%s: there is no %s", where, two(2))
				}
			case "local":
				if m.locals[parts[1]] == nil {
					m.t.Errorf("%s: there is no %s", where, two(2))
				}
			case "each", "path":
			case "data":
				if m.res[two(3)] == nil {
					m.t.Errorf("%s: there is no %s", where, two(3))
				}
			default:
				if m.res[two(2)] == nil {
					m.t.Errorf("%s: there is no %s", where, two(2))
				}
			}
		}
	}
	for k, e := range m.locals {
		lead("local "+k, e)
	}
	for k, e := range m.outputs {
		lead("output "+k, e)
	}
	for k, r := range m.res {
		if r.isData {
			continue
		}
		typ, ok := tfTypes[r.kind]
		if !ok {
			m.t.Errorf("%s: resource type is not known", k)
		}
		known := func(where, arg string) {
			if _, ok := typ.args[arg]; !ok {
				m.t.Errorf("%s has no argument %s", where, arg)
			}
		}
		for a, e := range r.args {
			lead(k+"."+a, e)
			if a != "count" && a != "for_each" && a != "depends_on" {
				known(k, a)
			}
		}
		var walk func(name string, b *hclsyntax.Body)
		walk = func(name string, b *hclsyntax.Body) {
			for a, x := range b.Attributes {
				if name != "lifecycle" && name != "precondition" {
					known(k+"."+name, a)
				}
				if a != "ignore_changes" {
					lead(k+"."+a, x.Expr)
				}
			}
			for _, x := range b.Blocks {
				walk(x.Type, x.Body)
			}
		}
		for name, list := range r.blocks {
			if name != "lifecycle" {
				known(k, name)
			}
			for _, b := range list {
				walk(name, b)
			}
		}
	}
	for v := range m.vars {
		if !used["var."+v] {
			m.t.Errorf("variable %s is not used", v)
		}
	}
}

// functions are those of Terraform that the modules use.
func (m *module) functions() map[string]function.Function {
	one := function.New(&function.Spec{Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}}, Type: func([]cty.Value) (cty.Type, error) { return cty.DynamicPseudoType, nil },
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			if a[0].LengthInt() == 0 {
				return cty.NullVal(cty.String), nil
			}
			return a[0].Index(cty.NumberIntVal(0)), nil
		}})
	file := function.New(&function.Spec{Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}}, Type: function.StaticReturnType(cty.String),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			name := strings.TrimPrefix(a[0].AsString(), "./")
			e, d := hclsyntax.ParseTemplate([]byte(m.files[name]), name, hcl.InitialPos)
			if d.HasErrors() {
				return cty.NilVal, d
			}
			v, d := e.Value(&hcl.EvalContext{Variables: a[1].AsValueMap()})
			if d.HasErrors() {
				return cty.NilVal, d
			}
			return v, nil
		}})
	return map[string]function.Function{"one": one, "templatefile": file, "jsonencode": stdlib.JSONEncodeFunc, "length": stdlib.LengthFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "can": tryfunc.CanFunc, "regex": stdlib.RegexFunc}
}

// value works an expression out, and makes the resources that it refers to before.
func (m *module) value(e hcl.Expression, each map[string]cty.Value) cty.Value {
	m.t.Helper()
	vars, locals := map[string]cty.Value{}, map[string]cty.Value{}
	ctx := &hcl.EvalContext{Functions: m.functions(), Variables: map[string]cty.Value{"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(".")})}}
	kinds, datas := map[string]map[string]cty.Value{}, map[string]map[string]cty.Value{}
	for _, tr := range e.Variables() {
		name := ""
		if len(tr) > 1 {
			name = tr[1].(hcl.TraverseAttr).Name
		}
		switch root := tr.RootName(); root {
		case "var":
			v, ok := m.given[name]
			if !ok {
				if m.vars[name] == nil {
					m.t.Fatalf("variable %s has no value", name)
				}
				v = m.value(m.vars[name], nil)
			}
			vars[name] = v
		case "local":
			locals[name] = m.value(m.locals[name], nil)
		case "each", "path":
		case "data":
			kind, at := name, tr[2].(hcl.TraverseAttr).Name
			if datas[kind] == nil {
				datas[kind] = map[string]cty.Value{}
			}
			datas[kind][at] = m.need("data." + kind + "." + at)
		default:
			if kinds[root] == nil {
				kinds[root] = map[string]cty.Value{}
			}
			kinds[root][name] = m.need(root + "." + name)
		}
	}
	object := func(name string, v map[string]cty.Value) {
		if len(v) > 0 {
			ctx.Variables[name] = cty.ObjectVal(v)
		}
	}
	object("var", vars)
	object("local", locals)
	object("each", each)
	for k, v := range kinds {
		object(k, v)
	}
	all := map[string]cty.Value{}
	for k, v := range datas {
		all[k] = cty.ObjectVal(v)
	}
	object("data", all)
	v, d := e.Value(ctx)
	m.diag(d)
	return v
}

// need makes a resource, all of its instances, and returns its value.
func (m *module) need(k string) cty.Value {
	m.t.Helper()
	r := m.res[k]
	switch {
	case r == nil:
		m.t.Fatalf("there is no %s", k)
	case r.value != nil:
		return *r.value
	case r.busy:
		m.t.Fatalf("%s needs itself", k)
	}
	r.busy = true
	if e := r.args["depends_on"]; e != nil {
		list, d := hcl.ExprList(e)
		m.diag(d)
		for _, x := range list {
			tr, d := hcl.AbsTraversalForExpr(x)
			m.diag(d)
			m.need(tr.RootName() + "." + tr[1].(hcl.TraverseAttr).Name)
		}
	}
	var v cty.Value
	switch {
	case r.args["for_each"] != nil:
		out := map[string]cty.Value{}
		set := m.value(r.args["for_each"], nil)
		for key, x := range set.AsValueMap() {
			out[key] = m.make(r, map[string]cty.Value{"key": cty.StringVal(key), "value": x})
		}
		v = cty.ObjectVal(out)
	case r.args["count"] != nil:
		n, _ := m.value(r.args["count"], nil).AsBigFloat().Int64()
		var list []cty.Value
		for range n {
			list = append(list, m.make(r, nil))
		}
		v = cty.TupleVal(list)
	default:
		v = m.make(r, nil)
	}
	r.value = &v
	return v
}

// make makes one instance of a resource.
func (m *module) make(r *tfResource, each map[string]cty.Value) cty.Value {
	m.t.Helper()
	if r.isData {
		return cty.ObjectVal(map[string]cty.Value{"insecure_value": cty.StringVal("ami-12345678")})
	}
	table := tfTypes[r.kind].args
	p := props{}
	for a, e := range r.args {
		if a == "count" || a == "for_each" || a == "depends_on" {
			continue
		}
		if v := plainValue(m.value(e, each), table); v != nil {
			p[table[a]] = v
		}
	}
	for name, list := range r.blocks {
		if name == "lifecycle" {
			for _, b := range list {
				for _, c := range b.Blocks {
					if !m.value(c.Body.Attributes["condition"].Expr, each).True() {
						m.t.Fatalf("%s: %s", r.name, m.value(c.Body.Attributes["error_message"].Expr, each).AsString())
					}
				}
			}
			continue
		}
		var out []any
		for _, b := range list {
			x := map[string]any{}
			for a, e := range b.Attributes {
				x[a] = plainValue(m.value(e.Expr, each), nil)
			}
			out = append(out, rename(x, table))
		}
		p[table[name]] = out
	}
	if tags, ok := p["Tags"].(map[string]any); ok {
		var list []any
		for k, v := range tags {
			list = append(list, map[string]any{"Key": k, "Value": v})
		}
		p["Tags"] = list
	}
	done := m.build("AWS::"+tfTypes[r.kind].kind, m.lower(r.kind, p))
	out := map[string]cty.Value{}
	for attr, name := range map[string]string{"id": "Ref", "arn": "Ref", "name": "Name", "private_ip": "PrimaryPrivateIpAddress", "service_name": "ServiceName"} {
		if v, ok := done[name]; ok {
			out[attr] = cty.StringVal(fmt.Sprint(v))
		}
	}
	if v, ok := done["PrivateIp"]; ok {
		out["private_ip"] = cty.StringVal(fmt.Sprint(v))
	}
	return cty.ObjectVal(out)
}

// lower brings what the provider does on its own into CloudFormation's properties.
func (m *module) lower(kind string, p props) props {
	switch kind {
	case "aws_security_group":
		p["SecurityGroupEgress"] = []any{} // the provider takes the rule that lets everything out away
	case "aws_network_interface_attachment":
		p["DeleteOnTermination"] = true // this is not what the provider does; see the how-to
	case "aws_lb":
		if p.str("Internal") == "true" {
			p["Scheme"] = "internal"
		}
		p["LoadBalancerAttributes"] = []any{map[string]any{"Key": "load_balancing.cross_zone.enabled", "Value": p.str("CrossZone")}}
	case "aws_lb_target_group":
		for _, h := range p.sub("Health") {
			for k, v := range h {
				switch k {
				case "Protocol":
					k = "HealthCheckProtocol"
				case "Port":
					k = "HealthCheckPort"
				}
				p[k] = v
			}
		}
		for _, s := range p.sub("Sticky") {
			p["TargetGroupAttributes"] = []any{map[string]any{"Key": "stickiness.enabled", "Value": s.str("Enabled")}, map[string]any{"Key": "stickiness.type", "Value": s.str("StickyType")}}
		}
	}
	return p
}

func rename(x map[string]any, table map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range x {
		if n := table[k]; n != "" {
			k = n
		}
		out[k] = v
	}
	return out
}

// plainValue brings a value of HCL into plain Go; blocks in JSON syntax are lists of objects
// whose keys are renamed.
func plainValue(v cty.Value, table map[string]string) any {
	switch {
	case v.IsNull():
		return nil
	case v.Type().IsPrimitiveType():
		s, err := convert.Convert(v, cty.String)
		if err != nil {
			panic(err)
		}
		return s.AsString()
	case v.Type().IsObjectType() || v.Type().IsMapType():
		out := map[string]any{}
		for k, x := range v.AsValueMap() {
			out[k] = plainValue(x, table)
		}
		return out
	}
	out := []any{}
	for _, x := range v.AsValueSlice() {
		y := plainValue(x, table)
		if m, ok := y.(map[string]any); ok {
			y = rename(m, table)
		}
		out = append(out, y)
	}
	return out
}

// run makes everything, and works the outputs out.
func (m *module) run() {
	m.t.Helper()
	for _, k := range slices.Sorted(maps.Keys(m.res)) {
		m.need(k)
	}
	for _, e := range m.outputs {
		m.value(e, nil)
	}
}

// What Terraform makes of an export is what apply makes.
func TestTerraformMakesTheSame(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			w, _, _, _, text := exports(t, k.more+filterText)
			m := load(newBuilder(w), map[string]string{"mirroring.tf.json": text})
			m.check()
			m.run()
			same(t, w.account(true), applied(t, k.more+filterText, true))
			off := load(newBuilder(newWorld(t, 3, ec2api.Options{})), map[string]string{"mirroring.tf.json": text})
			off.given["enable_traffic_mirroring"] = cty.False
			off.run()
			if a := off.account(true); a != "" {
				t.Errorf("with mirroring off there is\n%s", a)
			}
		})
	}
}

// The module of a sensor makes what apply makes, with its variable on and with a load
// balancer, and only the sensor with it off.
func TestSensorModule(t *testing.T) {
	files := map[string]string{}
	for _, f := range []string{"main.tf", "outputs.tf", "variables.tf", "versions.tf", "user-data.yaml.tftpl"} {
		files[f] = string(sensorFile(t, "terraform/"+f))
	}
	run := func(t *testing.T, more map[string]cty.Value) *module {
		w := newWorld(t, 3, ec2api.Options{})
		w.terminate(w.sensors...)
		w.sensors = nil
		m := load(newBuilder(w), files)
		m.check()
		sources := map[string]cty.Value{}
		for i, e := range w.sourceIf {
			sources[fmt.Sprintf("SOURCE%d", i)] = cty.StringVal(e)
		}
		maps.Copy(m.given, map[string]cty.Value{"name": cty.StringVal("prod"), "vpc_id": cty.StringVal(w.vpc), "subnet_id": cty.StringVal(w.subnets[0]), "binary_url": cty.StringVal("https://example.com/mirador"), "binary_sha256": cty.StringVal(strings.Repeat("a", 64)),
			"source_cidr": cty.StringVal("10.0.0.0/16"), "health_cidr": cty.StringVal("10.0.0.0/20"), "virtual_network_id": cty.NumberIntVal(77), "session_number": cty.NumberIntVal(3),
			"mirror_sources": cty.MapVal(sources)})
		maps.Copy(m.given, more)
		m.run()
		return m
	}
	for _, kind := range []string{"eni", "nlb"} {
		t.Run(kind, func(t *testing.T) {
			m := run(t, map[string]cty.Value{"target_kind": cty.StringVal(kind), "packet_length": cty.NumberIntVal(200)})
			same(t, m.account(false), appliedSensor(t, kind, "{interface}", "200"))
		})
	}
	t.Run("off", func(t *testing.T) {
		m := run(t, map[string]cty.Value{"enable_traffic_mirroring": cty.False})
		if a := m.account(false); a != "" || len(m.sensors) != 1 {
			t.Errorf("%d sensors, and\n%s", len(m.sensors), a)
		}
	})
}
