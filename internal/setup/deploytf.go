package setup

import "strings"

// moduleNames returns the names of the parts of the sensor's stack in the module, by key.
func moduleNames() map[string]string {
	return map[string]string{
		key(keyGroup, placeVPC):                              "traffic",
		key(keyInterface, placeSensor, "1"):                  "traffic",
		key(keyInterface, placeSensor, "1", "attachment"):    "traffic",
		key(keyGroup, placeVPC, "ingress", "1"):              "vxlan",
		key(keyGroup, placeVPC, "ingress", "2"):              "health",
		key(keyGroup, placeVPC, "egress", "1"):               "traffic",
		key(keyTargets, key(keyInterface, placeSensor, "1")): "mirror",
		keyBalancer:                      "mirror",
		keyTargets:                       "mirror",
		keyListener:                      "mirror",
		key(keyTarget, placeSensor, "1"): "interface",
		key(keyTarget, TargetNLB):        "balancer",
		keyFilter:                        "mirror",
		key(keySession, placeSession(1)): "source",
	}
}

// moduleResources returns the resources of a kind, by type and name, with variables in place
// of ids. They have one session, which stands for all.
func moduleResources(kind string) (object, error) {
	p, err := placePlan(kind, 1)
	if err != nil {
		return nil, err
	}
	x, err := newExporter(p)
	if err != nil {
		return nil, err
	}
	for k, n := range moduleNames() {
		x.names[k] = n // names of different types may be equal
	}
	t := &terraform{x}
	t.all()
	v, err := plain(x.out)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{placeVPC: "${var.vpc_id}", placeSubnet: "${var.subnet_id}", placeSensor: "${aws_instance.sensor.id}", placeSource: "${var.source_cidr}", placeHealth: "${var.health_cidr}",
		placeSession(1): "${each.value}", placeName: "${var.name}"}
	return replace(v, func(s string) any {
		for id, r := range vars {
			s = strings.ReplaceAll(s, id, r)
		}
		return s
	}).(object), nil
}

// blockArguments are the arguments of the resources here that are blocks. AWS provider,
// version 5.
func blockArguments() map[string]bool {
	return map[string]bool{"health_check": true, "stickiness": true, "default_action": true, "source_port_range": true, "destination_port_range": true}
}

// whenOn is the number of a resource that mirroring needs, and whenNLB that of one that only a
// load balancer needs.
const (
	whenOn  = hclExpr("local.mirroring ? 1 : 0")
	whenENI = hclExpr("local.mirroring && !local.balancer ? 1 : 0")
	whenNLB = hclExpr("local.balancer ? 1 : 0")
)

// sensorModule returns the files of the Terraform module of a sensor.
func sensorModule(o DeployOptions) ([]File, error) {
	res, err := moduleResources(TargetENI)
	if err != nil {
		return nil, err
	}
	nlb, err := moduleResources(TargetNLB)
	if err != nil {
		return nil, err
	}
	forms := func(m object, count hclExpr) {
		for k, v := range m {
			if list, ok := v.([]any); ok && blockArguments()[k] {
				blocks := hclBlocks{}
				for _, x := range list {
					blocks = append(blocks, x.(object))
				}
				m[k] = blocks
			}
		}
		m["count"] = count
		if after, ok := m["depends_on"].([]any); ok {
			for i := range after {
				after[i] = hclExpr(after[i].(string))
			}
		}
	}
	for _, byName := range res {
		for _, m := range byName.(object) {
			forms(m.(object), whenOn)
		}
	}
	for kind, byName := range nlb {
		for name, m := range byName.(object) {
			if res[kind] == nil {
				res[kind] = object{}
			}
			if _, both := res[kind].(object)[name]; !both {
				forms(m.(object), whenNLB)
				res[kind].(object)[name] = m
			}
		}
	}
	at := func(kind, name string) object { return res[kind].(object)[name].(object) }
	at("aws_ec2_traffic_mirror_target", "interface")["count"] = whenENI
	for _, name := range []string{"interface", "balancer"} {
		// Sessions move to the other target before this one goes: AWS keeps one that is in use.
		at("aws_ec2_traffic_mirror_target", name)["lifecycle"] = hclBlocks{{"create_before_destroy": true}}
	}
	at("aws_lb", "mirror")["subnets"] = hclExpr("length(var.balancer_subnet_ids) > 0 ? var.balancer_subnet_ids : [var.subnet_id]")
	s := at("aws_ec2_traffic_mirror_session", "source")
	delete(s, "count")
	s["for_each"] = hclExpr("local.mirroring ? var.mirror_sources : {}")
	s["traffic_mirror_target_id"] = hclExpr("local.balancer ? aws_ec2_traffic_mirror_target.balancer[0].id : aws_ec2_traffic_mirror_target.interface[0].id")
	s["session_number"], s["virtual_network_id"] = hclExpr("var.session_number"), hclExpr("var.virtual_network_id")
	s["packet_length"] = hclExpr("var.packet_length > 0 ? var.packet_length : null")
	s["description"] = "${each.key} to sensors of ${var.name}"
	s["tags"].(object)[tagName] = "${each.key}"
	s["lifecycle"] = hclBlocks{{"precondition": hclBlocks{{
		"condition":     hclExpr("local.balancer || length(var.mirror_sources) <= " + itoa(templateSources)),
		"error_message": "An interface takes " + itoa(templateSources) + " sources: use target_kind nlb.",
	}}}}
	if err := moduleSensor(res); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(hclBlock("locals", nil, object{
		"mirroring": hclExpr("var.enable_traffic_mirroring"), "balancer": hclExpr(`var.enable_traffic_mirroring && var.target_kind == "nlb"`)}))
	b.WriteString("\n" + hclBlock("data", []string{"aws_ssm_parameter", "image"}, object{
		"count": hclExpr(`var.image_id == "" ? 1 : 0`), "name": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"}))
	for _, kind := range sortedKeys(res) {
		for _, name := range sortedKeys(res[kind].(object)) {
			b.WriteString("\n" + hclBlock("resource", []string{kind, name}, at(kind, name)))
		}
	}
	const head = "# A sensor with traffic mirroring. Made by: mirador aws deploy\n\n"
	data := "#cloud-config\n" + o.userData(initWords{name: "${name}", url: "${binary_url}", sum: "${binary_sha256}",
		escape: func(s string) string { return literal(s) }})
	return []File{
		{"terraform/main.tf", []byte(head + b.String())},
		{"terraform/outputs.tf", []byte(head + moduleOutputs())},
		{"terraform/user-data.yaml.tftpl", []byte(data)},
		{"terraform/variables.tf", []byte(head + moduleVariables())},
		{"terraform/versions.tf", []byte(head + hclBlock("terraform", nil, object{"required_version": ">= 1.3",
			"required_providers": hclBlocks{{"aws": object{"source": "hashicorp/aws", "version": ">= 5.0"}}}}))},
	}, nil
}

// moduleSensor adds the instance and what it needs beside mirroring.
func moduleSensor(res object) error {
	policy, err := sensorPolicy()
	if err != nil {
		return err
	}
	j, err := plain(policy)
	if err != nil {
		return err
	}
	put := func(kind, name string, m object) {
		if res[kind] == nil {
			res[kind] = object{}
		}
		res[kind].(object)[name] = m
	}
	named := object{"Name": "${var.name}"}
	trust := object{"Version": "2012-10-17", "Statement": []any{object{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": object{"Service": "ec2.amazonaws.com"}}}}
	put("aws_iam_role", "sensor", object{"name_prefix": "${var.name}-sensor-", "description": "What a sensor may look at", "assume_role_policy": hclCall("jsonencode", trust)})
	put("aws_iam_role_policy", "look", object{"name": "look", "role": "${aws_iam_role.sensor.id}", "policy": hclCall("jsonencode", j)})
	put("aws_iam_instance_profile", "sensor", object{"name_prefix": "${var.name}-sensor-", "role": "${aws_iam_role.sensor.name}"})
	put("aws_security_group", "sensor", object{"name": "mirador-${var.name}-sensor", "description": "Management of the sensor of ${var.name}", "vpc_id": "${var.vpc_id}", "tags": named})
	put("aws_vpc_security_group_ingress_rule", "ssh", object{"count": hclExpr(`var.ssh_cidr == "" ? 0 : 1`), "security_group_id": "${aws_security_group.sensor.id}",
		"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "${var.ssh_cidr}", "description": "SSH"})
	put("aws_vpc_security_group_egress_rule", "sensor", object{"security_group_id": "${aws_security_group.sensor.id}", "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"})
	put("aws_instance", "sensor", object{
		"ami":           hclExpr(`var.image_id != "" ? var.image_id : data.aws_ssm_parameter.image[0].insecure_value`),
		"instance_type": hclExpr(`var.instance_type != "" ? var.instance_type : (local.mirroring ? "m5.xlarge" : "m5.large")`),
		"subnet_id":     "${var.subnet_id}", "vpc_security_group_ids": []any{"${aws_security_group.sensor.id}"}, "key_name": hclExpr(`var.key_name != "" ? var.key_name : null`),
		"associate_public_ip_address": "${var.public_ip}", "disable_api_termination": "${var.api_termination_protection}", "iam_instance_profile": "${aws_iam_instance_profile.sensor.name}",
		"user_data": hclExpr("templatefile(\"${path.module}/user-data.yaml.tftpl\", {\n  name          = var.name\n  binary_url    = var.binary_url\n  binary_sha256 = var.binary_sha256\n})"),
		"tags":      named, "metadata_options": hclBlocks{{"http_tokens": "required", "http_put_response_hop_limit": 1}},
		"root_block_device": hclBlocks{{"volume_type": "gp3", "volume_size": "${var.volume_size}", "encrypted": true}},
		// A newer image must not replace a sensor that runs.
		"lifecycle": hclBlocks{{"ignore_changes": hclExpr("[ami]")}},
	})
	return nil
}

// hclCall writes a call of a function with one value.
func hclCall(f string, v any) hclExpr { return hclExpr(f + "(" + hclValue(v, "") + ")") }

func moduleVariables() string {
	var b strings.Builder
	add := func(name, kind, text string, def any, checks ...string) {
		m := object{"type": hclExpr(kind), "description": text}
		if def != nil {
			m["default"] = def
		}
		if len(checks) == 2 {
			m["validation"] = hclBlocks{{"condition": hclExpr(checks[0]), "error_message": checks[1]}}
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		b.WriteString(hclBlock("variable", []string{name}, m))
	}
	add("name", "string", "Name of the sensor and part of the names of what is made", "sensor", `can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))`, "Small letters, digits and dashes, at most 20.")
	add("vpc_id", "string", "VPC of the sensor", nil)
	add("subnet_id", "string", "Subnet of the sensor and its traffic interface; it does not decide what is mirrored", nil)
	add("instance_type", "string", "Instance type; empty: m5.xlarge with traffic mirroring, m5.large without", "")
	add("image_id", "string", "Image; empty: Amazon Linux 2023", "")
	add("volume_size", "number", "Size of the volume in GiB", 100)
	add("binary_url", "string", "https address of the program mirador for Linux", nil, `can(regex("^https://[A-Za-z0-9./_~%?&=+:@-]+$", var.binary_url))`, "An https address.")
	add("binary_sha256", "string", "SHA-256 of the program", nil, `can(regex("^[0-9a-f]{64}$", var.binary_sha256))`, "64 hexadecimal digits.")
	add("api_termination_protection", "bool", "Protect the sensor from being terminated", true)
	add("public_ip", "bool", "Give the sensor a public address", false)
	add("key_name", "string", "Key pair for SSH; empty: none", "")
	add("ssh_cidr", "string", "CIDR that may use SSH; empty: nobody", "")
	add("enable_traffic_mirroring", "bool", "Enable Traffic Mirroring: a traffic interface, a mirror target, a filter, and sessions", true)
	add("target_kind", "string", "What sessions send to: the traffic interface (eni, 10 sources) or a network load balancer (nlb)", TargetENI, `contains(["eni", "nlb"], var.target_kind)`, "eni or nlb.")
	add("source_cidr", "string", "CIDR that mirrored traffic comes from: the subnets of the sources", "10.0.0.0/8")
	add("health_cidr", "string", "nlb: CIDR of the subnets of the load balancer, for its health checks", "10.0.0.0/8")
	add("balancer_subnet_ids", "list(string)", "nlb: subnets of the load balancer, one in each zone; empty: that of the sensor", hclExpr("[]"))
	add("virtual_network_id", "number", "VXLAN network identifier of the sessions", 1169)
	add("session_number", "number", "Number of the sessions; a source takes packets to its lowest first", 1)
	add("packet_length", "number", "Bytes of a frame that are mirrored; 0: all", 0)
	add("mirror_sources", "map(string)", "Network interfaces to mirror (eni-...), by a name of your choice", hclExpr("{}"))
	return b.String()
}

func moduleOutputs() string {
	var b strings.Builder
	add := func(name, text string, v hclExpr) {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		b.WriteString(hclBlock("output", []string{name}, object{"description": text, "value": v}))
	}
	add("sensor_instance_id", "The sensor", "aws_instance.sensor.id")
	add("sensor_address", "Private address of the sensor", "aws_instance.sensor.private_ip")
	add("traffic_interface_id", "Its traffic interface", "one(aws_network_interface.traffic[*].id)")
	add("traffic_mirror_target_id", "Target for more sessions", "one(concat(aws_ec2_traffic_mirror_target.interface[*].id, aws_ec2_traffic_mirror_target.balancer[*].id))")
	add("traffic_mirror_filter_id", "Filter for more sessions", "one(aws_ec2_traffic_mirror_filter.mirror[*].id)")
	return b.String()
}
