package setup

import (
	"fmt"
	"strings"
)

// preset gives resources names that people read.
func (x *exporter) preset(names map[string]string) {
	for k, n := range names {
		x.names[k], x.taken[n] = n, true
	}
}

// placeNames returns the names of the parts of the sensor's stack, by key.
func placeNames() map[string]string {
	m := map[string]string{
		key(keyGroup, placeVPC):                           "TrafficInterfaceSecurityGroup",
		key(keyInterface, placeSensor, "1"):               "TrafficInterface",
		key(keyInterface, placeSensor, "1", "attachment"): "TrafficInterfaceAttachment",
		keyBalancer:                      "LoadBalancer",
		keyTargets:                       "TargetGroup",
		keyListener:                      "Listener",
		key(keyTarget, placeSensor, "1"): "InterfaceMirrorTarget",
		key(keyTarget, TargetNLB):        "LoadBalancerMirrorTarget",
		keyFilter:                        "MirrorFilter",
	}
	for n := 1; n <= templateSources; n++ {
		m[key(keySession, placeSession(n))] = "MirrorSession" + itoa(n)
	}
	return m
}

// placeResources returns the resources of a kind with parameters in place of ids.
func placeResources(kind string) (object, error) {
	p, err := placePlan(kind, templateSources)
	if err != nil {
		return nil, err
	}
	x, err := newExporter(p)
	if err != nil {
		return nil, err
	}
	x.preset(placeNames())
	c := &cloudFormation{x}
	c.all()
	v, err := plain(x.out)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{placeVPC: "VpcId", placeSubnet: "SubnetId", placeSensor: "Sensor", placeSource: "SourceCidr", placeHealth: "HealthCidr"}
	for n := 1; n <= templateSources; n++ {
		refs[placeSession(n)] = "MirrorSource" + itoa(n)
	}
	return replace(v, func(s string) any {
		if r := refs[s]; r != "" {
			return object{"Ref": r}
		}
		t := strings.ReplaceAll(s, placeName, "${AWS::StackName}")
		for id, r := range refs {
			t = strings.ReplaceAll(t, id, "${"+r+"}")
		}
		if t != s {
			return object{"Fn::Sub": t}
		}
		return s
	}).(object), nil
}

func cfnIf(cond string, yes, no any) object { return object{"Fn::If": []any{cond, yes, no}} }

func cfnRef(name string) object { return object{"Ref": name} }

func cfnGet(name, attribute string) object { return object{"Fn::GetAtt": []any{name, attribute}} }

func noValue() object { return cfnRef("AWS::NoValue") }

// sensorTemplate returns the CloudFormation template of a sensor.
func sensorTemplate(o DeployOptions) (object, error) {
	res, err := placeResources(TargetENI)
	if err != nil {
		return nil, err
	}
	nlb, err := placeResources(TargetNLB)
	if err != nil {
		return nil, err
	}
	props := func(m object, name string) object { return m[name].(object)["Properties"].(object) }
	for name, r := range nlb {
		if _, both := res[name]; !both {
			r.(object)["Condition"] = "UseLoadBalancer"
			res[name] = r
		}
	}
	// The load balancer's health checks come from its nodes, not from the sources.
	group := props(res, "TrafficInterfaceSecurityGroup")
	ingress := group["SecurityGroupIngress"].([]any)
	for _, r := range props(nlb, "TrafficInterfaceSecurityGroup")["SecurityGroupIngress"].([]any)[len(ingress):] {
		ingress = append(ingress, cfnIf("UseLoadBalancer", r, noValue()))
	}
	group["SecurityGroupIngress"] = ingress
	res["InterfaceMirrorTarget"].(object)["Condition"] = "UseInterface"
	// Names of load balancers are 32 characters, those of stacks up to 128.
	delete(props(res, "LoadBalancer"), "Name")
	delete(props(res, "TargetGroup"), "Name")
	props(res, "LoadBalancer")["Subnets"] = cfnIf("HasBalancerSubnets", cfnRef("BalancerSubnetIds"), []any{cfnRef("SubnetId")})
	for n := 1; n <= templateSources; n++ {
		r := res["MirrorSession"+itoa(n)].(object)
		r["Condition"] = "HasSource" + itoa(n)
		p := r["Properties"].(object)
		p["TrafficMirrorTargetId"] = cfnIf("UseLoadBalancer", cfnRef("LoadBalancerMirrorTarget"), cfnRef("InterfaceMirrorTarget"))
		p["VirtualNetworkId"] = cfnRef("VirtualNetworkId")
		p["SessionNumber"] = cfnRef("SessionNumber")
		p["PacketLength"] = cfnIf("HasPacketLength", cfnRef("PacketLength"), noValue())
	}
	if err := addSensor(res, o); err != nil {
		return nil, err
	}
	return object{
		"AWSTemplateFormatVersion": "2010-09-09",
		"Description":              "Mirador: a sensor for mirrored VPC traffic, with traffic mirroring to it",
		"Metadata":                 object{"AWS::CloudFormation::Interface": object{"ParameterGroups": templateGroups()}},
		"Parameters":               templateParameters(),
		"Conditions":               templateConditions(),
		"Resources":                res,
		"Outputs":                  templateOutputs(),
	}, nil
}

// parameter is one parameter of the template.
type parameter struct {
	name, group, kind, text string
	def                     any // nil: must be given
	more                    object
}

func templateParameterList() []parameter {
	list := []parameter{
		{"NodeName", "Sensor", "String", "Name of the sensor, in its events and its Name tag", "mirador-sensor", object{"AllowedPattern": "[A-Za-z0-9._-]{1,63}"}},
		{"VpcId", "Sensor", "AWS::EC2::VPC::Id", "VPC of the sensor", nil, nil},
		{"SubnetId", "Sensor", "AWS::EC2::Subnet::Id", "Subnet of the sensor and its traffic interface; it does not decide what is mirrored", nil, nil},
		{"InstanceType", "Sensor", "String", "Instance type; empty: m5.xlarge with traffic mirroring, m5.large without", "", nil},
		{"ImageId", "Sensor", "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Image, as a public parameter", "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", nil},
		{"VolumeSize", "Sensor", "Number", "Size of the volume in GiB", 100, object{"MinValue": 8, "MaxValue": 16384}},
		{"BinaryUrl", "Sensor", "String", "https address of the program mirador for Linux", nil, object{"AllowedPattern": "https://[A-Za-z0-9./_~%?&=+:@-]+"}},
		{"BinarySha256", "Sensor", "String", "SHA-256 of the program", nil, object{"AllowedPattern": "[0-9a-f]{64}"}},
		{"APITermination", "Sensor", "String", "Protect the sensor from being terminated", "true", boolean()},
		{"PublicIP", "Access", "String", "Give the sensor a public address", "false", boolean()},
		{"KeyName", "Access", "String", "Key pair for SSH; empty: none", "", nil},
		{"SSHLocation", "Access", "String", "CIDR that may use SSH; empty: nobody", "", object{"AllowedPattern": "(|[0-9.]+/[0-9]{1,2})"}},
		{"EnableTrafficMirroring", "Traffic mirroring", "String", "Enable Traffic Mirroring: a traffic interface, a mirror target, a filter, and sessions", "true", boolean()},
		{"TargetKind", "Traffic mirroring", "String", "What sessions send to: the traffic interface (eni, 10 sources) or a network load balancer (nlb)", TargetENI, object{"AllowedValues": []string{TargetENI, TargetNLB}}},
		{"SourceCidr", "Traffic mirroring", "String", "CIDR that mirrored traffic comes from: the subnets of the sources", "10.0.0.0/8", object{"AllowedPattern": "[0-9.]+/[0-9]{1,2}"}},
		{"HealthCidr", "Traffic mirroring", "String", "nlb: CIDR of the subnets of the load balancer, for its health checks", "10.0.0.0/8", object{"AllowedPattern": "[0-9.]+/[0-9]{1,2}"}},
		{"BalancerSubnetIds", "Traffic mirroring", "CommaDelimitedList", "nlb: subnets of the load balancer, one in each zone; empty: that of the sensor", "", nil},
		{"VirtualNetworkId", "Traffic mirroring", "Number", "VXLAN network identifier of the sessions", 1169, object{"MinValue": 1, "MaxValue": 16777215}},
		{"SessionNumber", "Traffic mirroring", "Number", "Number of the sessions; a source takes packets to its lowest first", 1, object{"MinValue": 1, "MaxValue": 32766}},
		{"PacketLength", "Traffic mirroring", "Number", "Bytes of a frame that are mirrored; 0: all", 0, object{"MinValue": 0, "MaxValue": 8500}},
	}
	for n := 1; n <= templateSources; n++ {
		list = append(list, parameter{"MirrorSource" + itoa(n), "Traffic mirroring", "String", fmt.Sprintf("Network interface %d to mirror (eni-...); empty: none", n), "", object{"AllowedPattern": "(|eni-[0-9a-f]{8,17})"}})
	}
	return list
}

func boolean() object { return object{"AllowedValues": []string{"true", "false"}} }

func templateParameters() object {
	out := object{}
	for _, p := range templateParameterList() {
		m := object{"Type": p.kind, "Description": p.text}
		if p.def != nil {
			m["Default"] = p.def
		}
		for k, v := range p.more {
			m[k] = v
		}
		out[p.name] = m
	}
	return out
}

func templateGroups() []any {
	var out []any
	byLabel := map[string]object{}
	for _, p := range templateParameterList() {
		g := byLabel[p.group]
		if g == nil {
			g = object{"Label": object{"default": p.group}, "Parameters": []any{}}
			byLabel[p.group] = g
			out = append(out, g)
		}
		g["Parameters"] = append(g["Parameters"].([]any), p.name)
	}
	return out
}

func templateConditions() object {
	given := func(name string) object {
		return object{"Fn::Not": []any{object{"Fn::Equals": []any{cfnRef(name), ""}}}}
	}
	mirroring := object{"Condition": "Mirroring"}
	isNLB := object{"Fn::Equals": []any{cfnRef("TargetKind"), TargetNLB}}
	out := object{
		"Mirroring":       object{"Fn::Equals": []any{cfnRef("EnableTrafficMirroring"), "true"}},
		"UseLoadBalancer": object{"Fn::And": []any{mirroring, isNLB}},
		"UseInterface":    object{"Fn::And": []any{mirroring, object{"Fn::Not": []any{isNLB}}}},
		"HasBalancerSubnets": object{"Fn::Not": []any{object{"Fn::Equals": []any{
			object{"Fn::Join": []any{"", cfnRef("BalancerSubnetIds")}}, ""}}}},
		"HasPacketLength": object{"Fn::Not": []any{object{"Fn::Equals": []any{cfnRef("PacketLength"), "0"}}}},
		"HasInstanceType": given("InstanceType"),
		"HasKey":          given("KeyName"),
		"HasSSH":          given("SSHLocation"),
	}
	for n := 1; n <= templateSources; n++ {
		out["HasSource"+itoa(n)] = object{"Fn::And": []any{mirroring, given("MirrorSource" + itoa(n))}}
	}
	return out
}

func templateOutputs() object {
	out := object{}
	add := func(name, text, cond string, v any) {
		m := object{"Description": text, "Value": v}
		if cond != "" {
			m["Condition"] = cond
		}
		out[name] = m
	}
	add("SensorInstanceId", "The sensor", "", cfnRef("Sensor"))
	add("SensorAddress", "Private address of the sensor", "", cfnGet("Sensor", "PrivateIp"))
	add("TrafficInterfaceId", "Its traffic interface", "Mirroring", cfnRef("TrafficInterface"))
	add("TrafficMirrorTargetId", "Target for more sessions", "Mirroring", cfnIf("UseLoadBalancer", cfnRef("LoadBalancerMirrorTarget"), cfnRef("InterfaceMirrorTarget")))
	add("TrafficMirrorFilterId", "Filter for more sessions", "Mirroring", cfnRef("MirrorFilter"))
	return out
}

// addSensor adds the instance and what it needs beside mirroring.
func addSensor(res object, o DeployOptions) error {
	policy, err := sensorPolicy()
	if err != nil {
		return err
	}
	named := []any{object{"Key": "Name", "Value": cfnRef("NodeName")}}
	put := func(name, kind string, props object) {
		res[name] = object{"Type": "AWS::" + kind, "Properties": props}
	}
	put("SensorRole", "IAM::Role", object{
		"Description": "What a sensor may look at",
		"AssumeRolePolicyDocument": object{"Version": "2012-10-17", "Statement": []any{object{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": object{"Service": object{"Fn::Sub": "ec2.${AWS::URLSuffix}"}}}}},
		"Policies": []any{object{"PolicyName": "look", "PolicyDocument": policy}},
	})
	put("SensorProfile", "IAM::InstanceProfile", object{"Roles": []any{cfnRef("SensorRole")}})
	ssh := object{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": cfnRef("SSHLocation"), "Description": "SSH"}
	put("SensorSecurityGroup", "EC2::SecurityGroup", object{
		"GroupDescription": object{"Fn::Sub": "Management of the sensor of ${AWS::StackName}"}, "VpcId": cfnRef("VpcId"),
		"SecurityGroupIngress": cfnIf("HasSSH", []any{ssh}, noValue()), "Tags": named,
	})
	// An instance has no property for the metadata service, its launch template does.
	put("SensorLaunchTemplate", "EC2::LaunchTemplate", object{"LaunchTemplateData": object{
		"MetadataOptions": object{"HttpTokens": "required", "HttpPutResponseHopLimit": 1}}})
	data := "#cloud-config\n" + o.userData(initWords{name: "${NodeName}", url: "${BinaryUrl}", sum: "${BinarySha256}",
		escape: func(s string) string { return strings.ReplaceAll(s, "${", "${!") }})
	put("Sensor", "EC2::Instance", object{
		"ImageId":        cfnRef("ImageId"),
		"InstanceType":   cfnIf("HasInstanceType", cfnRef("InstanceType"), cfnIf("Mirroring", "m5.xlarge", "m5.large")),
		"LaunchTemplate": object{"LaunchTemplateId": cfnRef("SensorLaunchTemplate"), "Version": cfnGet("SensorLaunchTemplate", "LatestVersionNumber")},
		"KeyName":        cfnIf("HasKey", cfnRef("KeyName"), noValue()), "IamInstanceProfile": cfnRef("SensorProfile"),
		"DisableApiTermination": cfnRef("APITermination"),
		"NetworkInterfaces": []any{object{"DeviceIndex": "0", "SubnetId": cfnRef("SubnetId"), "AssociatePublicIpAddress": cfnRef("PublicIP"),
			"GroupSet": []any{cfnGet("SensorSecurityGroup", "GroupId")}, "DeleteOnTermination": true}},
		"BlockDeviceMappings": []any{object{"DeviceName": "/dev/xvda", "Ebs": object{
			"VolumeType": "gp3", "VolumeSize": cfnRef("VolumeSize"), "Encrypted": true, "DeleteOnTermination": true}}},
		"UserData": object{"Fn::Base64": object{"Fn::Sub": data}}, "Tags": named,
	})
	return nil
}
