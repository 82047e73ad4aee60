package ec2api

import (
	"cmp"
	"slices"
	"time"
)

// scalingOptionActions are those of Auto Scaling about what is around a group: load
// balancers, processes, hooks, protection, refreshes. Hooks are kept and hold nothing up;
// metrics are kept as asked for, and a refresh replaces all instances at once.
func scalingOptionActions() []action {
	const none = "ValidationError"
	return []action{
		write("AttachLoadBalancerTargetGroups", func(c *call) *Error { return c.attachTargets(c.in.strs("TargetGroupARNs")) }, none),
		write("DetachLoadBalancerTargetGroups", func(c *call) *Error { return c.detachTargets(c.in.strs("TargetGroupARNs")) }, none),
		read("DescribeLoadBalancerTargetGroups", (*call).describeScalingTargets, none, "InvalidNextToken"),
		write("AttachTrafficSources", (*call).attachSources, none),
		write("DetachTrafficSources", (*call).detachSources, none),
		read("DescribeTrafficSources", (*call).describeSources, none, "InvalidNextToken"),
		write("SuspendProcesses", (*call).suspend, none),
		write("ResumeProcesses", (*call).resume, none),
		write("EnableMetricsCollection", (*call).enableMetrics, none),
		write("DisableMetricsCollection", (*call).disableMetrics, none),
		write("PutLifecycleHook", (*call).putHook, none, "LimitExceeded"),
		write("DeleteLifecycleHook", (*call).deleteHook, none),
		read("DescribeLifecycleHooks", (*call).describeHooks, none),
		write("SetInstanceProtection", (*call).protect, none),
		write("SetInstanceHealth", (*call).setHealth, none),
		write("StartInstanceRefresh", (*call).refresh, none),
		read("DescribeInstanceRefreshes", (*call).describeRefreshes, none, "InvalidNextToken"),
		write("CancelInstanceRefresh", (*call).cancelRefresh, none, "ActiveInstanceRefreshNotFound"),
		read("DescribePolicies", func(c *call) *Error { return c.noneOfGroup("ScalingPolicies") }, "InvalidNextToken"),
		read("DescribeLoadBalancers", func(c *call) *Error { return c.noneOfGroup("LoadBalancers") }, none, "InvalidNextToken"),
		read("DescribeScheduledActions", func(c *call) *Error { return c.noneOfGroup("ScheduledUpdateGroupActions") }, "InvalidNextToken"),
		read("DescribeNotificationConfigurations", func(c *call) *Error { return c.noneOfGroup("NotificationConfigurations") }, "InvalidNextToken"),
		read("DescribeLaunchConfigurations", func(c *call) *Error { return c.noneOfGroup("LaunchConfigurations") }, "InvalidNextToken"),
		read("DescribeWarmPool", func(c *call) *Error { return c.noneOfGroup("Instances") }, none, "InvalidNextToken"),
	}
}

const (
	// maxHooks is how many lifecycle hooks a group has (AWS: Auto Scaling quotas).
	maxHooks = 50
	// maxRefreshes is how many refreshes of a group are remembered.
	maxRefreshes = 20
	// maxScalingTargets is how many target groups a group has (AWS: Auto Scaling quotas).
	maxScalingTargets = 50
)

// LifecycleHook is a hook of an Auto Scaling group.
type LifecycleHook struct {
	Name       string `json:"name"`
	Transition string `json:"transition"`
	Role       string `json:"role,omitempty"`
	Target     string `json:"target,omitempty"`
	Metadata   string `json:"metadata,omitempty"`
	Heartbeat  int    `json:"heartbeat"` // seconds
	Result     string `json:"result"`    // CONTINUE, ABANDON
}

// InstanceRefresh is a replacement of all instances of a group.
type InstanceRefresh struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Instances int       `json:"instances"`
}

// scalingProcesses are the processes of a group. AWS: Suspend-resume processes.
func scalingProcesses() []string {
	return []string{"AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh", "Launch", "ReplaceUnhealthy", "ScheduledActions", "Terminate"}
}

// scalingMetrics are the metrics of a group. AWS: EnableMetricsCollection.
func scalingMetrics() []string {
	return []string{
		"GroupAndWarmPoolDesiredCapacity", "GroupAndWarmPoolTotalCapacity", "GroupDesiredCapacity", "GroupInServiceCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize",
		"GroupPendingCapacity", "GroupPendingInstances", "GroupStandbyCapacity", "GroupStandbyInstances", "GroupTerminatingCapacity", "GroupTerminatingInstances", "GroupTotalCapacity",
		"GroupTotalInstances", "WarmPoolDesiredCapacity", "WarmPoolMinSize", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity", "WarmPoolTotalCapacity", "WarmPoolWarmedCapacity",
	}
}

func (g *ScalingGroup) suspended(process string) bool { return slices.Contains(g.Suspended, process) }

// guarded tells whether an instance is kept when its group gets smaller.
func (g *ScalingGroup) guarded(id string) bool { return g.Protected != slices.Contains(g.Unlike, id) }

// scalingOptions reads what CreateAutoScalingGroup and UpdateAutoScalingGroup have in
// common beside sizes and places.
func (c *call) scalingOptions(g *ScalingGroup) {
	in := c.in
	if p := in.strs("TerminationPolicies"); len(p) > 0 {
		g.Termination = p
	}
	g.Warmup = cmp.Or(in.numPtr("DefaultInstanceWarmup"), g.Warmup)
	g.Lifetime = cmp.Or(in.numPtr("MaxInstanceLifetime"), g.Lifetime)
	g.Rebalance = in.yesOr("CapacityRebalance", g.Rebalance)
	g.Role = in.or("ServiceLinkedRoleARN", g.Role)
}

// changeScaling gives f a copy of the group that the call names, and keeps it.
func (c *call) changeScaling(f func(g *ScalingGroup) *Error) *Error {
	old, err := c.scalingGroup()
	if err != nil {
		return err
	}
	g := *old
	if err := f(&g); err != nil {
		return err
	}
	c.s.scaling.put(&g)
	return nil
}

func (c *call) attachTargets(arns []string) *Error {
	return c.changeScaling(func(g *ScalingGroup) *Error {
		g.Groups = slices.Clone(g.Groups)
		for _, arn := range arns {
			if c.s.targetGroups.get(arn) == nil {
				return errorf("ValidationError", "Provided Target Groups may not be valid. Please ensure they exist and try again.")
			}
			if slices.Contains(g.Groups, arn) {
				continue
			}
			if g.Groups = append(g.Groups, arn); len(g.Groups) > maxScalingTargets {
				return errorf("ValidationError", "A group has at most %d target groups", maxScalingTargets)
			}
			for _, i := range c.s.members(g.Name) {
				c.addTarget(arn, i.ID)
			}
		}
		return nil
	})
}

func (c *call) detachTargets(arns []string) *Error {
	return c.changeScaling(func(g *ScalingGroup) *Error {
		for _, arn := range arns {
			if !slices.Contains(g.Groups, arn) {
				return errorf("ValidationError", "Trying to remove Target Groups that are not part of the group")
			}
			for _, i := range c.s.members(g.Name) {
				c.removeTarget(arn, i.ID)
			}
		}
		g.Groups = slices.DeleteFunc(slices.Clone(g.Groups), func(arn string) bool { return slices.Contains(arns, arn) })
		return nil
	})
}

// sources are the target groups that the traffic sources of the call name.
func (c *call) sources() ([]string, *Error) {
	var out []string
	for _, n := range c.in.list("TrafficSources") {
		if kind := n.or("Type", "elbv2"); kind != "elbv2" {
			return nil, errorf("ValidationError", "Traffic sources of the type %s are not supported by this endpoint", clip(kind))
		}
		out = append(out, n.str("Identifier"))
	}
	return out, nil
}

func (c *call) attachSources() *Error {
	arns, err := c.sources()
	if err != nil {
		return err
	}
	return c.attachTargets(arns)
}

func (c *call) detachSources() *Error {
	arns, err := c.sources()
	if err != nil {
		return err
	}
	return c.detachTargets(arns)
}

func (c *call) describeScalingTargets() *Error {
	g, err := c.scalingGroup()
	if err != nil {
		return err
	}
	return pageOf(c, "LoadBalancerTargetGroups", "MaxRecords", g.Groups, func(arn string) any {
		return object{{"LoadBalancerTargetGroupARN", arn}, {"State", g.targetState()}}
	})
}

func (c *call) describeSources() *Error {
	g, err := c.scalingGroup()
	if err != nil {
		return err
	}
	list := g.Groups
	if kind := c.in.or("TrafficSourceType", "elbv2"); kind != "elbv2" {
		list = nil
	}
	return pageOf(c, "TrafficSources", "MaxRecords", list, func(arn string) any {
		return object{{"TrafficSource", arn}, {"State", g.targetState()}, {"Identifier", arn}, {"Type", "elbv2"}}
	})
}

// targetState is InService when the health of the target group counts. AWS:
// LoadBalancerTargetGroupState.
func (g *ScalingGroup) targetState() string {
	if g.Check == "ELB" {
		return "InService"
	}
	return "Added"
}

// named is the list of a parameter, which has to be of those that there are; all of them
// when there is none.
func (c *call) named(param string, all []string) ([]string, *Error) {
	list := c.in.strs(param)
	for _, name := range list {
		if !slices.Contains(all, name) {
			return nil, errorf("ValidationError", "1 validation error detected: %s is not one of %q", clip(name), all)
		}
	}
	if len(list) == 0 {
		return all, nil
	}
	return list, nil
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func (c *call) suspend() *Error {
	list, err := c.named("ScalingProcesses", scalingProcesses())
	if err != nil {
		return err
	}
	return c.changeScaling(func(g *ScalingGroup) *Error { g.Suspended = union(g.Suspended, list); return nil })
}

// resume lets a group catch up with what it did not do.
func (c *call) resume() *Error {
	list, err := c.named("ScalingProcesses", scalingProcesses())
	if err != nil {
		return err
	}
	return c.changeScaling(func(g *ScalingGroup) *Error {
		g.Suspended = without(g.Suspended, list)
		return c.scaleTo(g, "A user request resumed processes of the group.")
	})
}

func (c *call) enableMetrics() *Error {
	list, err := c.named("Metrics", scalingMetrics())
	if err != nil {
		return err
	}
	if c.in.str("Granularity") != "1Minute" {
		return errorf("ValidationError", "Granularity must be 1Minute")
	}
	return c.changeScaling(func(g *ScalingGroup) *Error { g.Metrics = union(g.Metrics, list); return nil })
}

func (c *call) disableMetrics() *Error {
	list, err := c.named("Metrics", scalingMetrics())
	if err != nil {
		return err
	}
	return c.changeScaling(func(g *ScalingGroup) *Error { g.Metrics = without(g.Metrics, list); return nil })
}

// readHook reads a hook from the parameters of a call, or of one entry of its list.
func readHook(n *node, old LifecycleHook) (LifecycleHook, *Error) {
	h := LifecycleHook{
		Name: n.str("LifecycleHookName"), Transition: n.or("LifecycleTransition", old.Transition), Role: n.or("RoleARN", old.Role), Target: n.or("NotificationTargetARN", old.Target),
		Metadata: n.or("NotificationMetadata", old.Metadata), Heartbeat: n.num("HeartbeatTimeout", cmp.Or(old.Heartbeat, 3600)), Result: n.or("DefaultResult", cmp.Or(old.Result, "ABANDON")),
	}
	switch {
	case h.Transition != "autoscaling:EC2_INSTANCE_LAUNCHING" && h.Transition != "autoscaling:EC2_INSTANCE_TERMINATING":
		return h, errorf("ValidationError", "LifecycleTransition must be autoscaling:EC2_INSTANCE_LAUNCHING or autoscaling:EC2_INSTANCE_TERMINATING")
	case h.Result != "CONTINUE" && h.Result != "ABANDON":
		return h, errorf("ValidationError", "DefaultResult must be CONTINUE or ABANDON")
	case h.Heartbeat < 30 || h.Heartbeat > 7200:
		return h, errorf("ValidationError", "HeartbeatTimeout must be 30 to 7200 seconds")
	}
	return h, nil
}

// setHook adds a hook to a group that is no longer shared, or changes one.
func (g *ScalingGroup) setHook(n *node) *Error {
	name := n.str("LifecycleHookName")
	at := slices.IndexFunc(g.Hooks, func(h LifecycleHook) bool { return h.Name == name })
	var old LifecycleHook
	if at >= 0 {
		old = g.Hooks[at]
	}
	h, err := readHook(n, old)
	if err != nil {
		return err
	}
	g.Hooks = slices.Clone(g.Hooks)
	if at >= 0 {
		g.Hooks[at] = h
		return nil
	}
	if g.Hooks = append(g.Hooks, h); len(g.Hooks) > maxHooks {
		return &Error{Code: "LimitExceeded", Message: "A group has at most 50 lifecycle hooks"}
	}
	return nil
}

func (c *call) putHook() *Error {
	return c.changeScaling(func(g *ScalingGroup) *Error { return g.setHook(c.in) })
}

func (c *call) deleteHook() *Error {
	return c.changeScaling(func(g *ScalingGroup) *Error {
		name, n := c.in.str("LifecycleHookName"), len(g.Hooks)
		g.Hooks = slices.DeleteFunc(slices.Clone(g.Hooks), func(h LifecycleHook) bool { return h.Name == name })
		if len(g.Hooks) == n {
			return errorf("ValidationError", "No Lifecycle Hook found with name: %s", clip(name))
		}
		return nil
	})
}

func (c *call) describeHooks() *Error {
	g, err := c.scalingGroup()
	if err != nil {
		return err
	}
	want, shown := c.in.strs("LifecycleHookNames"), []any{}
	for _, h := range g.Hooks {
		if len(want) > 0 && !slices.Contains(want, h.Name) {
			continue
		}
		o := object{
			{"LifecycleHookName", h.Name}, {"AutoScalingGroupName", g.Name}, {"LifecycleTransition", h.Transition},
			{"HeartbeatTimeout", h.Heartbeat}, {"GlobalTimeout", min(100*h.Heartbeat, 48*3600)}, {"DefaultResult", h.Result},
		}
		for _, f := range []field{{"NotificationTargetARN", h.Target}, {"RoleARN", h.Role}, {"NotificationMetadata", h.Metadata}} {
			if f.value != "" {
				o = append(o, f)
			}
		}
		shown = append(shown, o)
	}
	c.result = object{{"LifecycleHooks", shown}}
	return nil
}

// scalingMember returns an instance of a group that is there.
func (c *call) scalingMember(id string) (*Instance, *ScalingGroup, *Error) {
	if i := c.s.instances.get(id); i != nil && i.State != Terminated {
		name, _ := i.Tag(groupTag)
		if g := c.s.scalingGroup(name); g != nil {
			return i, g, nil
		}
	}
	return nil, nil, errorf("ValidationError", "Instance Id not found - No managed instance found for instance ID: %s", clip(id))
}

func (c *call) protect() *Error {
	on := c.in.yes("ProtectedFromScaleIn")
	return c.changeScaling(func(g *ScalingGroup) *Error {
		for _, id := range c.in.strs("InstanceIds") {
			_, of, err := c.scalingMember(id)
			if err != nil {
				return err
			}
			if of.Name != g.Name {
				return errorf("ValidationError", "The instance %s is not part of Auto Scaling group %s.", clip(id), g.Name)
			}
			if g.Unlike = without(g.Unlike, []string{id}); on != g.Protected {
				g.Unlike = append(g.Unlike, id)
			}
		}
		return nil
	})
}

// setHealth replaces an instance that is said to be unhealthy.
func (c *call) setHealth() *Error {
	i, old, err := c.scalingMember(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	switch c.in.str("HealthStatus") {
	case "Healthy":
		return nil
	case "Unhealthy":
	default:
		return errorf("ValidationError", "HealthStatus must be Healthy or Unhealthy")
	}
	if old.suspended("ReplaceUnhealthy") {
		return nil
	}
	g := *old
	return c.replaceMembers(&g, []*Instance{i}, "An instance was taken out of service in response to a user health-check.")
}

// replaceMembers ends instances of a group and starts others. g is no longer shared.
func (c *call) replaceMembers(g *ScalingGroup, gone []*Instance, cause string) *Error {
	for _, i := range gone {
		c.terminateOne(i)
		c.dropTarget(g, i.ID)
		g.did(c, "Terminating EC2 instance: "+i.ID, cause)
	}
	return c.scaleTo(g, cause)
}

func (c *call) refresh() *Error {
	return c.changeScaling(func(g *ScalingGroup) *Error {
		if spec := c.in.get("DesiredConfiguration.LaunchTemplate"); spec != nil {
			if err := c.scalingTemplate(g, spec); err != nil {
				return err
			}
		}
		members := c.s.members(g.Name)
		r := InstanceRefresh{ID: c.v.requestID(), At: c.stamp(), Instances: len(members)}
		g.Refreshes = append([]InstanceRefresh{r}, g.Refreshes...)
		g.Refreshes = g.Refreshes[:min(len(g.Refreshes), maxRefreshes)]
		c.result = object{{"InstanceRefreshId", r.ID}}
		return c.replaceMembers(g, members, "An instance was taken out of service in response to an instance refresh.")
	})
}

func (c *call) describeRefreshes() *Error {
	g, err := c.scalingGroup()
	if err != nil {
		return err
	}
	list, want := g.Refreshes, c.in.strs("InstanceRefreshIds")
	if len(want) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(r InstanceRefresh) bool { return !slices.Contains(want, r.ID) })
	}
	return pageOf(c, "InstanceRefreshes", "MaxRecords", list, func(r InstanceRefresh) any {
		return object{
			{"InstanceRefreshId", r.ID}, {"AutoScalingGroupName", g.Name}, {"Status", "Successful"}, {"StartTime", r.At}, {"EndTime", r.At},
			{"PercentageComplete", 100}, {"InstancesToUpdate", 0}, {"Strategy", "Rolling"},
		}
	})
}

func (c *call) cancelRefresh() *Error {
	if _, err := c.scalingGroup(); err != nil {
		return err
	}
	return &Error{Code: "ActiveInstanceRefreshNotFound", Message: "No in progress or pending Instance Refresh found for Auto Scaling group " + c.in.str("AutoScalingGroupName")}
}

// noneOfGroup says that a group, when it is there, has none of what is asked for.
func (c *call) noneOfGroup(set string) *Error {
	if c.in.has("AutoScalingGroupName") {
		if _, err := c.scalingGroup(); err != nil {
			return err
		}
	}
	return pageOf(c, set, "MaxRecords", []string(nil), func(string) any { return nil })
}

// options are the parts of an answer about a group that scalingOptionActions change.
func (g *ScalingGroup) options() object {
	suspended, metrics := []any{}, []any{}
	for _, p := range g.Suspended {
		suspended = append(suspended, object{{"ProcessName", p}, {"SuspensionReason", "User suspended"}})
	}
	for _, m := range g.Metrics {
		metrics = append(metrics, object{{"Metric", m}, {"Granularity", "1Minute"}})
	}
	policies, sources := g.Termination, []any{}
	if len(policies) == 0 {
		policies = []string{"Default"}
	}
	for _, arn := range g.Groups {
		sources = append(sources, object{{"Identifier", arn}, {"Type", "elbv2"}})
	}
	role := cmp.Or(g.Role, "arn:aws:iam::"+g.OwnerID+":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
	o := object{
		{"SuspendedProcesses", suspended}, {"EnabledMetrics", metrics}, {"TerminationPolicies", anys(policies)}, {"TrafficSources", sources},
		{"CapacityRebalance", g.Rebalance}, {"ServiceLinkedRoleARN", role},
	}
	if g.Warmup != nil {
		o = append(o, field{"DefaultInstanceWarmup", *g.Warmup})
	}
	if g.Lifetime != nil && *g.Lifetime > 0 {
		o = append(o, field{"MaxInstanceLifetime", *g.Lifetime})
	}
	return o
}
