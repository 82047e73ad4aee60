package setup

import (
	"io"
	"strings"

	"mirador/internal/mirror"
)

// WriteTerraform writes the resources of p as a Terraform module in JSON syntax, a file
// *.tf.json. Its variable enable_traffic_mirroring takes all of them away when it is false.
func (p *Plan) WriteTerraform(w io.Writer) error {
	x, err := newExporter(p)
	if err != nil {
		return err
	}
	t := &terraform{x}
	t.all()
	return writeIndented(w, object{
		"//": "Traffic mirroring: stack " + x.d.Spec.Name + " of Mirador",
		"terraform": object{
			"required_version":   ">= 1.3",
			"required_providers": object{"aws": object{"source": "hashicorp/aws", "version": ">= 5.0"}},
		},
		"variable": object{"enable_traffic_mirroring": object{"type": "bool", "default": true, "description": "Enable Traffic Mirroring"}},
		"resource": x.out,
	})
}

type terraform struct{ *exporter }

// all adds every resource of the plan.
func (t *terraform) all() {
	for _, f := range []func(){t.groups, t.interfaces, t.balancer, t.endpoints, t.targets, t.filter, t.sessions} {
		f()
	}
}

// The types of resources by the kind of their key. AWS provider, version 5.
func terraformType(k string) string {
	switch keyKind(k) {
	case keyGroup:
		return "aws_security_group"
	case keyInterface:
		return "aws_network_interface"
	case keyBalancer:
		return "aws_lb"
	case keyTargets:
		return "aws_lb_target_group"
	case keyListener:
		return "aws_lb_listener"
	case keyService:
		return "aws_vpc_endpoint_service"
	case keyEndpoint:
		return "aws_vpc_endpoint"
	case keyTarget:
		return "aws_ec2_traffic_mirror_target"
	case keyFilter:
		return "aws_ec2_traffic_mirror_filter"
	case keyRule:
		return "aws_ec2_traffic_mirror_filter_rule"
	}
	return "aws_ec2_traffic_mirror_session"
}

// attr refers to an attribute of the resource with a key.
func (t *terraform) attr(k, attribute string) string {
	return "${" + terraformType(k) + "." + t.name(k, snake) + "[0]." + attribute + "}"
}

func (t *terraform) ref(s string) string {
	if k, ok := strings.CutPrefix(s, "@"); ok {
		return t.attr(k, "id")
	}
	return s
}

// literal keeps Terraform from reading a template in words of people.
func literal(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}

func (t *terraform) tags(tags Tags) any {
	out := object{}
	for k, v := range exportTags(tags) {
		out[k] = literal(v)
	}
	return out
}

// add adds a resource; empty arguments are left out.
func (t *terraform) add(kind, k string, args object, after ...string) {
	for name, v := range args {
		if v == "" || v == nil {
			delete(args, name)
		}
	}
	args["count"] = "${var.enable_traffic_mirroring ? 1 : 0}"
	if len(after) > 0 {
		args["depends_on"] = after
	}
	if t.out[kind] == nil {
		t.out[kind] = object{}
	}
	t.out[kind][t.name(k, snake)] = args
}

// whole names the resource with a key, for depends_on.
func (t *terraform) whole(k string) string { return terraformType(k) + "." + t.name(k, snake) }

func (t *terraform) groups() {
	for i := range t.d.Groups {
		g := &t.d.Groups[i]
		t.add(terraformType(g.Key), g.Key, object{"name": g.Name, "description": literal(g.Description), "vpc_id": g.VPC, "tags": t.tags(g.Tags)})
		for dir, list := range map[string][]Permission{"ingress": g.Ingress, "egress": g.Egress} {
			for n, p := range list {
				r := object{"security_group_id": t.attr(g.Key, "id"), "ip_protocol": p.Protocol, "description": literal(p.Why)}
				if p.Protocol != "-1" {
					r["from_port"], r["to_port"] = p.From, p.To
				}
				switch {
				case p.Group != "":
					r["referenced_security_group_id"] = p.Group
				case p.List != "":
					r["prefix_list_id"] = p.List
				case strings.Contains(p.CIDR, ":"):
					r["cidr_ipv6"] = p.CIDR
				default:
					r["cidr_ipv4"] = p.CIDR
				}
				t.add("aws_vpc_security_group_"+dir+"_rule", g.Key+"/"+dir+"/"+itoa(n+1), r)
			}
		}
	}
}

func (t *terraform) interfaces() {
	s := t.d.Spec
	index := t.indexes()
	for i := range t.d.Seats {
		seat := &t.d.Seats[i]
		if seat.Key == "" {
			continue
		}
		tags := s.tags(seat.Key, s.trafficName(), s.Traffic.Tags)
		t.add(terraformType(seat.Key), seat.Key, object{"subnet_id": seat.Subnet, "security_groups": []string{t.attr(seat.Group, "id")},
			"description": literal(s.trafficDescription()), "tags": t.tags(tags)})
		t.add("aws_network_interface_attachment", seat.Key+"/attachment", object{"instance_id": seat.Instance.ID, "network_interface_id": t.attr(seat.Key, "id"),
			"device_index": index[seat.Key]})
	}
}

func (t *terraform) balancer() {
	b := t.d.Balancer
	if b == nil {
		return
	}
	lb := object{"name": b.Name, "load_balancer_type": "network", "internal": true, "subnets": b.Subnets, "enable_cross_zone_load_balancing": b.CrossZone, "tags": t.tags(b.Tags)}
	listener := object{"load_balancer_arn": t.attr(keyBalancer, "arn"), "default_action": []object{{"type": "forward", "target_group_arn": t.attr(keyTargets, "arn")}}, "tags": t.tags(b.ListenerTags)}
	if b.Kind == TargetGWLB {
		lb["load_balancer_type"] = "gateway"
		delete(lb, "internal")
	} else {
		listener["protocol"], listener["port"] = b.Protocol, b.Port
	}
	t.add(terraformType(keyBalancer), keyBalancer, lb)
	health := object{"protocol": b.Health.Protocol, "port": b.Health.Port, "interval": b.Health.Interval, "healthy_threshold": b.Health.Healthy, "unhealthy_threshold": b.Health.Unhealthy}
	if b.Health.Path != "" {
		health["path"] = b.Health.Path
	}
	tg := object{"name": b.Name, "protocol": b.Protocol, "port": b.Port, "vpc_id": b.VPC, "target_type": "ip", "health_check": []object{health}, "tags": t.tags(b.GroupTags)}
	if kind := b.GroupAttributes["stickiness.type"]; kind != "" {
		tg["stickiness"] = []object{{"enabled": b.GroupAttributes["stickiness.enabled"] == "true", "type": kind}}
	}
	t.add(terraformType(keyTargets), keyTargets, tg)
	for i := range t.d.Seats {
		s := &t.d.Seats[i]
		id, k := "", s.Key
		if s.Key != "" {
			id = t.attr(s.Key, "private_ip")
		} else if e := t.w.Interface(s.Existing); e != nil {
			id, k = e.Primary().String(), s.Existing
		}
		t.add("aws_lb_target_group_attachment", keyTargets+"/"+k, object{"target_group_arn": t.attr(keyTargets, "arn"), "target_id": id, "port": b.Port})
	}
	t.add(terraformType(keyListener), keyListener, listener)
	if b.Kind == TargetGWLB {
		t.add(terraformType(keyService), keyService, object{"acceptance_required": false, "gateway_load_balancer_arns": []string{t.attr(keyBalancer, "arn")}, "tags": t.tags(b.ServiceTags)})
	}
}

func (t *terraform) endpoints() {
	for i := range t.d.Endpoints {
		e := &t.d.Endpoints[i]
		t.add(terraformType(e.Key), e.Key, object{"vpc_endpoint_type": "GatewayLoadBalancer", "vpc_id": e.VPC, "subnet_ids": []string{e.Subnet},
			"service_name": t.attr(keyService, "service_name"), "tags": t.tags(e.Tags)}, t.whole(keyListener))
	}
}

func (t *terraform) targets() {
	for i := range t.d.Targets {
		x := &t.d.Targets[i]
		if x.Existing != "" {
			continue
		}
		args := object{"description": literal(x.Description), "tags": t.tags(x.Tags)}
		var after []string
		switch {
		case x.Balancer != "":
			args["network_load_balancer_arn"], after = t.attr(keyBalancer, "arn"), []string{t.whole(keyListener)}
		case x.Endpoint != "":
			args["gateway_load_balancer_endpoint_id"] = t.ref(x.Endpoint)
		default:
			args["network_interface_id"] = t.ref(x.Interface)
			if k, ok := strings.CutPrefix(x.Interface, "@"); ok {
				after = []string{"aws_network_interface_attachment." + t.name(k+"/attachment", snake)}
			}
		}
		t.add(terraformType(x.Key), x.Key, args, after...)
	}
}

func (t *terraform) filter() {
	f := &t.d.Filter
	args := object{"description": literal(f.Description), "tags": t.tags(f.Tags)}
	if len(f.Services) > 0 {
		args["network_services"] = f.Services
	}
	t.add(terraformType(f.Key), f.Key, args)
	for i := range f.Rules {
		r := &f.Rules[i]
		rule := object{"traffic_mirror_filter_id": t.attr(f.Key, "id"), "traffic_direction": r.Direction.String(), "rule_number": r.Number, "rule_action": string(r.Action),
			"source_cidr_block": r.SourceCIDR.String(), "destination_cidr_block": r.DestinationCIDR.String(), "description": literal(r.Description)}
		if r.Protocol != mirror.AnyProtocol {
			rule["protocol"] = r.Protocol
		}
		for side, ports := range map[string]*mirror.PortRange{"source_port_range": r.SourcePorts, "destination_port_range": r.DestinationPorts} {
			if ports != nil {
				rule[side] = []object{{"from_port": ports.From, "to_port": ports.To}}
			}
		}
		t.add(terraformType(t.ruleKey(r)), t.ruleKey(r), rule)
	}
}

func (t *terraform) sessions() {
	var after []string // no session before all rules: what it would mirror is not meant
	for i := range t.d.Filter.Rules {
		after = append(after, t.whole(t.ruleKey(&t.d.Filter.Rules[i])))
	}
	for i := range t.d.Sessions {
		s := &t.d.Sessions[i]
		args := object{"network_interface_id": s.Source.Interface.ID, "traffic_mirror_target_id": t.ref(or(t.existing(s.Target), "@"+s.Target)), "traffic_mirror_filter_id": t.attr(t.d.Filter.Key, "id"),
			"session_number": s.Number, "virtual_network_id": s.VNI, "description": literal(s.Description), "tags": t.tags(s.Tags)}
		if s.PacketLength > 0 {
			args["packet_length"] = s.PacketLength
		}
		t.add(terraformType(s.Key), s.Key, args, after...)
	}
}
