package setup

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mirador/internal/mirror"
)

// WriteCLI writes the plan as a shell script of AWS CLI commands that do the same: the clicks
// of the console, as text. extra are options for each command (--region, ...).
func (p *Plan) WriteCLI(w io.Writer, extra string) error {
	s := &script{w: w, extra: extra, p: p}
	s.line("#!/bin/sh")
	add, change, destroy := p.Count()
	s.line("# Stack %s in %s of account %s: %d to add, %d to change, %d to destroy.", p.Stack, p.Identity.Region, p.Identity.Account, add, change, destroy)
	s.line("# Unlike mirador aws apply it knows nothing of what a broken run has done: run it once.")
	s.line("set -eu")
	for _, c := range p.Changes {
		s.line("")
		s.line("# %s %s %s: %s", c.Mark, c.Kind, or(c.ID, c.Name), c.Why)
		for _, step := range c.Steps {
			s.step(step)
		}
	}
	return s.err
}

type script struct {
	w     io.Writer
	extra string
	p     *Plan
	err   error
}

func (s *script) line(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.w, format+"\n", args...)
	}
}

// step writes one command.
func (s *script) step(x Step) {
	if w, ok := x.Call.(Wait); ok {
		s.wait(w)
		return
	}
	args := s.args(x.Call)
	cmd := "aws" + pad(s.extra) + " " + command(x.Call.Action()) + " " + strings.Join(args, " ")
	if x.Result == "" {
		s.line("%s >/dev/null", cmd)
		return
	}
	s.line("%s=$(%s --query %s --output text)", variable(x.Result), cmd, quote(resultPath(x.Call)))
	switch x.Call.(type) {
	case CreateInterface:
		s.line("%s=$(aws%s ec2 describe-network-interfaces --network-interface-ids \"$%s\" --query 'NetworkInterfaces[0].PrivateIpAddress' --output text)",
			variable(x.Result+"#address"), pad(s.extra), variable(x.Result))
	case CreateService:
		s.line("%s=$(aws%s ec2 describe-vpc-endpoint-service-configurations --service-ids \"$%s\" --query 'ServiceConfigurations[0].ServiceName' --output text)",
			variable(x.Result+"#name"), pad(s.extra), variable(x.Result))
	}
}

func pad(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

func (s *script) wait(w Wait) {
	id := s.value(w.ID)
	switch w.For {
	case WaitBalancerActive:
		s.line("aws%s elbv2 wait load-balancer-available --load-balancer-arns %s", pad(s.extra), id)
	case WaitBalancerGone:
		s.line("aws%s elbv2 wait load-balancers-deleted --load-balancer-arns %s", pad(s.extra), id)
	case WaitInterfaceAvailable:
		s.line("aws%s ec2 wait network-interface-available --network-interface-ids %s", pad(s.extra), id)
	case WaitInterfaceAttached:
		s.until("ec2 describe-network-interfaces --network-interface-ids "+id+" --query 'NetworkInterfaces[0].Status'", "in-use")
	case WaitEndpointAvailable:
		s.until("ec2 describe-vpc-endpoints --vpc-endpoint-ids "+id+" --query 'VpcEndpoints[0].State'", "available")
	case WaitEndpointGone:
		s.line("while aws%s ec2 describe-vpc-endpoints --vpc-endpoint-ids %s >/dev/null 2>&1; do sleep 5; done", pad(s.extra), id)
	}
}

func (s *script) until(cmd, state string) {
	s.line("until [ \"$(aws%s %s --output text)\" = %s ]; do sleep 5; done", pad(s.extra), cmd, state)
}

// command returns the command of an action: "ec2 create-traffic-mirror-session".
func command(a Action) string {
	service := a.Service
	if service == "elasticloadbalancing" {
		service = "elbv2"
	}
	return service + " " + kebab(a.Name)
}

func kebab(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// resultPath returns where the answer of a call has the id.
func resultPath(c Call) string {
	switch c.(type) {
	case CreateGroup:
		return "GroupId"
	case CreateInterface:
		return "NetworkInterface.NetworkInterfaceId"
	case AttachInterface:
		return "AttachmentId"
	case CreateTarget:
		return "TrafficMirrorTarget.TrafficMirrorTargetId"
	case CreateFilter:
		return "TrafficMirrorFilter.TrafficMirrorFilterId"
	case CreateSession:
		return "TrafficMirrorSession.TrafficMirrorSessionId"
	case CreateBalancer:
		return "LoadBalancers[0].LoadBalancerArn"
	case CreateTargetGroup:
		return "TargetGroups[0].TargetGroupArn"
	case CreateListener:
		return "Listeners[0].ListenerArn"
	case CreateService:
		return "ServiceConfiguration.ServiceId"
	case CreateEndpoint:
		return "VpcEndpoint.VpcEndpointId"
	}
	return "@"
}

// variable returns the shell variable of a reference.
func variable(ref string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, ref)
}

// quote quotes a word for the shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=@") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// value writes a text that may be a reference.
func (s *script) value(v string) string {
	if !strings.HasPrefix(v, "@") {
		return quote(v)
	}
	return `"$` + variable(v[1:]) + `"`
}

// args writes the parameters of a call, by the tags "cli" of its fields.
func (s *script) args(c Call) []string {
	var out []string
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		flag, mode, _ := strings.Cut(f.Tag.Get("cli"), ",")
		x := v.Field(i)
		if flag == "" || x.IsZero() && (mode == "omitempty" || x.Kind() != reflect.Int && x.Kind() != reflect.Uint32) {
			continue
		}
		out = append(out, s.arg(flag, f.Name, x)...)
	}
	switch x := c.(type) {
	case CreateService:
		out = append(out, "--no-acceptance-required")
	case CreateEndpoint:
		out = append(out, "--vpc-endpoint-type", "GatewayLoadBalancer")
	case ModifyRule:
		out = append([]string{"--traffic-mirror-filter-rule-id", quote(x.Rule.ID)}, out...)
	}
	return out
}

func (s *script) arg(flag, name string, x reflect.Value) []string {
	switch flag {
	case "permissions":
		return []string{"--ip-permissions", quote(permissionsJSON(x.Interface().([]Permission)))}
	case "attachment":
		a := x.String()
		if !strings.HasPrefix(a, "@") {
			return []string{"--attachment", "AttachmentId=" + quote(a) + ",DeleteOnTermination=true"}
		}
		return []string{"--attachment", `"AttachmentId=$` + variable(a[1:]) + `,DeleteOnTermination=true"`}
	case "rule":
		return ruleArgs(x.Interface().(mirror.FilterRule))
	case "health":
		h := x.Interface().(Health)
		return []string{"--health-check-protocol", h.Protocol, "--health-check-port", h.Port, "--health-check-path", quote(h.Path),
			"--health-check-interval-seconds", strconv.Itoa(h.Interval), "--healthy-threshold-count", strconv.Itoa(h.Healthy), "--unhealthy-threshold-count", strconv.Itoa(h.Unhealthy)}
	case "forward":
		if v := x.String(); strings.HasPrefix(v, "@") {
			return []string{"--default-actions", `"Type=forward,TargetGroupArn=$` + variable(v[1:]) + `"`}
		}
		return []string{"--default-actions", quote("Type=forward,TargetGroupArn=" + x.String())}
	}
	if kind, ok := strings.CutPrefix(flag, "tags:"); ok {
		return []string{"--tag-specifications", quote(`[{"ResourceType":"` + kind + `","Tags":` + tagsJSON(x.Interface().(Tags)) + "}]")}
	}
	switch v := x.Interface().(type) {
	case Tags:
		return []string{flag, quote(tagsJSON(v))}
	case string:
		if name == "Description" || name == "Name" {
			return []string{flag, quote(v)}
		}
		return []string{flag, s.value(v)}
	case []string:
		out := []string{flag}
		for _, e := range v {
			switch {
			case name == "Targets" && strings.HasPrefix(e, "@"):
				out = append(out, `"Id=$`+variable(e[1:])+`"`)
			case name == "Targets":
				out = append(out, "Id="+quote(e))
			default:
				out = append(out, s.value(e))
			}
		}
		return out
	case *uint32:
		return []string{flag, strconv.FormatUint(uint64(*v), 10)}
	}
	return []string{flag, fmt.Sprint(x.Interface())}
}

func ruleArgs(r mirror.FilterRule) []string {
	out := []string{"--traffic-direction", r.Direction.String(), "--rule-number", itoa(r.Number), "--rule-action", string(r.Action)}
	if r.Protocol != mirror.AnyProtocol {
		out = append(out, "--protocol", itoa(r.Protocol))
	}
	out = append(out, "--source-cidr-block", r.SourceCIDR.String(), "--destination-cidr-block", r.DestinationCIDR.String())
	for _, p := range []struct {
		flag  string
		ports *mirror.PortRange
	}{{"--source-port-range", r.SourcePorts}, {"--destination-port-range", r.DestinationPorts}} {
		if p.ports != nil {
			out = append(out, p.flag, fmt.Sprintf("FromPort=%d,ToPort=%d", p.ports.From, p.ports.To))
		}
	}
	if r.Description != "" {
		out = append(out, "--description", quote(r.Description))
	}
	return out
}

// tagsJSON writes tags as the AWS CLI reads them.
func tagsJSON(t Tags) string {
	type kv struct{ Key, Value string }
	var list []kv
	for _, k := range sortedTagKeys(t) {
		list = append(list, kv{k, t[k]})
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic("setup: tags that are no JSON: " + err.Error()) // texts are
	}
	return string(b)
}

// permissionsJSON writes permissions as the AWS CLI reads them.
func permissionsJSON(list []Permission) string {
	var out []map[string]any
	for _, p := range list {
		m := map[string]any{"IpProtocol": p.Protocol}
		if p.Protocol != "-1" {
			m["FromPort"], m["ToPort"] = p.From, p.To
		}
		peer := map[string]any{}
		if p.Why != "" {
			peer["Description"] = p.Why
		}
		switch {
		case p.Group != "":
			peer["GroupId"] = p.Group
			m["UserIdGroupPairs"] = []any{peer}
		case p.List != "":
			peer["PrefixListId"] = p.List
			m["PrefixListIds"] = []any{peer}
		case slices.Contains([]byte(p.CIDR), ':'):
			peer["CidrIpv6"] = p.CIDR
			m["Ipv6Ranges"] = []any{peer}
		default:
			peer["CidrIp"] = p.CIDR
			m["IpRanges"] = []any{peer}
		}
		out = append(out, m)
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic("setup: permissions that are no JSON: " + err.Error()) // texts and numbers are
	}
	return string(b)
}
