package setup

import (
	"fmt"
	"slices"
	"strings"
)

// balancer compares load balancer, target group, listener and endpoint service.
func (n *planner) balancer(d *Desired) {
	b := d.Balancer
	if b == nil {
		return
	}
	kind, typ, scheme := kindNLB, "network", "internal"
	if b.Kind == TargetGWLB {
		kind, typ, scheme = kindGWLB, "gateway", ""
	}
	at := best(n.w.Balancers, func(x *Balancer) int {
		if !n.ours(x.Tags, keyBalancer) || x.Type != typ || !nameFits(x.Name, b.Name) || x.State == "failed" || !slices.Equal(sorted(x.Subnets), b.Subnets) {
			return -1
		}
		return 0
	})
	c := &Change{Mark: Create, Kind: kind, Key: keyBalancer, Name: b.Name, phase: phaseBalancer, Why: "target.kind is " + b.Kind}
	ref := "@" + keyBalancer
	if at < 0 {
		name := b.Name
		if old := n.former(keyBalancer, kind); old != "" {
			c.Mark, c.Why = Replace, "its subnets or its kind change ("+old+" goes last)"
			name = n.freeName(name, func(s string) bool {
				return slices.ContainsFunc(n.w.Balancers, func(x Balancer) bool { return x.Name == s })
			})
		}
		c.Detail = append(c.Detail, "subnets "+strings.Join(b.Subnets, " "))
		c.Steps = append(c.Steps, Step{CreateBalancer{Name: name, Type: typ, Scheme: scheme, Subnets: b.Subnets, Tags: b.Tags}, keyBalancer},
			Step{Call: ModifyBalancer{Balancer: ref, Attributes: b.Attributes}},
			Step{Call: Wait{For: WaitBalancerActive, ID: ref}})
	} else {
		x := &n.w.Balancers[at]
		c.Mark, c.ID, c.Why, ref = Update, x.ARN, "differs", x.ARN
		n.have(keyBalancer, x.ARN)
		if miss := missingTags(x.Attributes, b.Attributes); len(miss) > 0 {
			for _, k := range sortedTagKeys(miss) {
				c.Detail = append(c.Detail, k+": "+quoteOld(x.Attributes, k)+" -> "+miss[k])
			}
			c.Steps = append(c.Steps, Step{Call: ModifyBalancer{Balancer: x.ARN, Attributes: miss}})
		}
		if x.State == "provisioning" {
			c.Detail = append(c.Detail, "is not active yet")
			c.Steps = append(c.Steps, Step{Call: Wait{For: WaitBalancerActive, ID: ref}})
		}
		retag(c, x.ARN, x.Tags, b.Tags, true)
	}
	n.addIfAny(c)
	tg := n.targetGroup(d)
	n.listener(d, ref, tg)
	if b.Kind == TargetGWLB {
		n.service(d, ref)
	}
}

// nameFits tells whether have is the name want or one that freeName made of it.
func nameFits(have, want string) bool {
	if have == want {
		return true
	}
	i := strings.LastIndexByte(have, '-')
	if i < 0 || strings.Trim(have[i+1:], "0123456789") != "" || len(have[i+1:]) == 0 {
		return false
	}
	return have[:i] == want[:min(len(want), 32-len(have[i:]))]
}

// freeName returns name, or name with the first number that makes it free.
func (n *planner) freeName(name string, taken func(string) bool) string {
	free := name
	for i := 2; taken(free); i++ {
		tail := "-" + itoa(i)
		free = name[:min(len(name), 32-len(tail))] + tail
	}
	return free
}

// targetGroup compares the target group and its targets, and returns its ARN or
// reference.
func (n *planner) targetGroup(d *Desired) string {
	b := d.Balancer
	var want []string
	for i := range d.Seats {
		ref := n.resolve(d.Seats[i].ref())
		if a := n.p.addrs[ref]; a != "" {
			want = append(want, a)
		} else {
			want = append(want, ref+"#address")
		}
	}
	slices.Sort(want)
	c := &Change{Mark: Create, Kind: kindTargets, Key: keyTargets, Name: b.Name, phase: phaseBalancer, Why: "the load balancer needs one"}
	at := best(n.w.TargetGroups, func(x *TargetGroup) int {
		if !n.ours(x.Tags, keyTargets) || x.Protocol != b.Protocol || x.Port != b.Port || x.VPC != b.VPC || x.TargetType != "ip" {
			return -1
		}
		return len(x.Balancers)
	})
	if at < 0 {
		name := b.Name
		if old := n.former(keyTargets, kindTargets); old != "" {
			c.Mark, c.Why = Replace, "its protocol or VPC changes ("+old+" goes last)"
			name = n.freeName(name, func(s string) bool {
				return slices.ContainsFunc(n.w.TargetGroups, func(x TargetGroup) bool { return x.Name == s })
			})
		}
		ref := "@" + keyTargets
		c.Steps = append(c.Steps, Step{CreateTargetGroup{Name: name, Protocol: b.Protocol, Port: b.Port, VPC: b.VPC, Type: "ip", Health: b.Health, Tags: b.GroupTags}, keyTargets})
		if len(b.GroupAttributes) > 0 {
			c.Steps = append(c.Steps, Step{Call: ModifyTargetGroupAttributes{TargetGroup: ref, Attributes: b.GroupAttributes}})
		}
		c.Steps = append(c.Steps, Step{Call: RegisterTargets{TargetGroup: ref, Targets: want}})
		c.Detail = append(c.Detail, fmt.Sprintf("%s %d, type ip, health %s :%s%s", b.Protocol, b.Port, b.Health.Protocol, b.Health.Port, b.Health.Path),
			"targets "+strings.Join(want, " "))
		n.add(c)
		return ref
	}
	x := &n.w.TargetGroups[at]
	n.have(keyTargets, x.ARN)
	c.Mark, c.ID, c.Why = Update, x.ARN, "differs"
	if x.Health != b.Health {
		c.Detail = append(c.Detail, fmt.Sprintf("health check: %s :%s%s every %d s -> %s :%s%s every %d s",
			x.Health.Protocol, x.Health.Port, x.Health.Path, x.Health.Interval, b.Health.Protocol, b.Health.Port, b.Health.Path, b.Health.Interval))
		c.Steps = append(c.Steps, Step{Call: ModifyTargetGroup{TargetGroup: x.ARN, Health: b.Health}})
	}
	if miss := missingTags(x.Attributes, b.GroupAttributes); len(miss) > 0 {
		for _, k := range sortedTagKeys(miss) {
			c.Detail = append(c.Detail, k+": "+quoteOld(x.Attributes, k)+" -> "+miss[k])
		}
		c.Steps = append(c.Steps, Step{Call: ModifyTargetGroupAttributes{TargetGroup: x.ARN, Attributes: miss}})
	}
	var come, gone []string
	for _, t := range want {
		if !slices.Contains(x.Targets, t) {
			come = append(come, t)
		}
	}
	for _, t := range x.Targets {
		if !slices.Contains(want, t) {
			gone = append(gone, t)
		}
	}
	if len(come) > 0 {
		c.Detail = append(c.Detail, "+ targets "+strings.Join(come, " "))
		c.Steps = append(c.Steps, Step{Call: RegisterTargets{TargetGroup: x.ARN, Targets: come}})
	}
	if len(gone) > 0 {
		c.Detail = append(c.Detail, "- targets "+strings.Join(gone, " "))
		c.Steps = append(c.Steps, Step{Call: DeregisterTargets{TargetGroup: x.ARN, Targets: gone}})
	}
	retag(c, x.ARN, x.Tags, b.GroupTags, true)
	n.addIfAny(c)
	return x.ARN
}

// listener compares the listener of the load balancer.
func (n *planner) listener(d *Desired, lb, tg string) {
	b := d.Balancer
	proto, port := b.Protocol, b.Port
	if b.Kind == TargetGWLB {
		proto, port = "", 0
	}
	for i := range n.w.Listeners {
		x := &n.w.Listeners[i]
		if x.Balancer != lb || x.Port != port && b.Kind != TargetGWLB || x.Protocol != proto && b.Kind != TargetGWLB {
			continue
		}
		n.have(keyListener, x.ARN)
		c := &Change{Mark: Update, Kind: kindListener, Key: keyListener, ID: x.ARN, Name: b.Name, phase: phaseBalancer, Why: "differs"}
		if x.TargetGroup != tg {
			c.Detail = append(c.Detail, "forwards to "+x.TargetGroup+" -> "+tg)
			c.Steps = append(c.Steps, Step{Call: ModifyListener{Listener: x.ARN, TargetGroup: tg}})
		}
		n.addIfAny(c)
		return
	}
	detail := "UDP 4789"
	if b.Kind == TargetGWLB {
		detail = "all packets"
	}
	n.add(&Change{
		Mark: Create, Kind: kindListener, Key: keyListener, Name: b.Name, phase: phaseBalancer, Why: "without one everything is dropped silently", Detail: []string{detail},
		Steps: []Step{{CreateListener{Balancer: lb, Protocol: proto, Port: port, TargetGroup: tg, Tags: b.ListenerTags}, keyListener}},
	})
}

// service compares the endpoint service of a gateway load balancer.
func (n *planner) service(d *Desired, lb string) {
	for i := range n.w.Services {
		x := &n.w.Services[i]
		if !n.ours(x.Tags, keyService) || !slices.Contains(x.Balancers, lb) {
			continue
		}
		n.have(keyService, x.ID)
		n.p.ids[keyService+"#name"] = x.Name
		c := &Change{Mark: Update, Kind: kindService, Key: keyService, ID: x.ID, Name: d.Balancer.Name, phase: phaseBalancer, Why: "tags differ"}
		retag(c, x.ID, x.Tags, d.Balancer.ServiceTags, false)
		n.addIfAny(c)
		return
	}
	n.add(&Change{
		Mark: Create, Kind: kindService, Key: keyService, Name: d.Balancer.Name, phase: phaseBalancer, Why: "endpoints need one",
		Steps: []Step{{CreateService{Balancer: lb, Tags: d.Balancer.ServiceTags}, keyService}},
	})
}

// endpoints compares gateway load balancer endpoints.
func (n *planner) endpoints(d *Desired) {
	service := n.resolve("@" + keyService + "#name")
	for i := range d.Endpoints {
		e := &d.Endpoints[i]
		at := best(n.w.Endpoints, func(x *Endpoint) int {
			if !n.ours(x.Tags, e.Key) || x.Service != service || !slices.Equal(x.Subnets, []string{e.Subnet}) || endpointGone(x) {
				return -1
			}
			return 0
		})
		if at >= 0 {
			x := &n.w.Endpoints[at]
			n.have(e.Key, x.ID)
			c := &Change{Mark: Update, Kind: kindEndpoint, Key: e.Key, ID: x.ID, Name: e.Tags[tagName], phase: phaseEndpoints, Why: "differs"}
			if !strings.EqualFold(x.State, "available") {
				c.Detail = append(c.Detail, "is "+x.State)
				c.Steps = append(c.Steps, Step{Call: Wait{For: WaitEndpointAvailable, ID: x.ID}})
			}
			retag(c, x.ID, x.Tags, e.Tags, false)
			n.addIfAny(c)
			continue
		}
		n.add(&Change{
			Mark: Create, Kind: kindEndpoint, Key: e.Key, Name: e.Tags[tagName], phase: phaseEndpoints,
			Why: "sources in " + e.VPC + " " + e.AZ + " send to it", Detail: []string{"subnet " + e.Subnet},
			Steps: []Step{{CreateEndpoint{VPC: e.VPC, Subnet: e.Subnet, Service: service, Tags: e.Tags}, e.Key},
				{Call: Wait{For: WaitEndpointAvailable, ID: "@" + e.Key}}},
		})
	}
}

func endpointGone(e *Endpoint) bool {
	switch strings.ToLower(e.State) {
	case "deleted", "deleting", "failed", "expired", "rejected":
		return true
	}
	return false
}
