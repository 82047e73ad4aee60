package ec2api

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/mirror"
)

// autoscalingActions are those of EC2 Auto Scaling that make, change and show groups.
// Groups have the size they want at once, and keep it when instances are terminated.
func autoscalingActions() []action {
	const none = "ValidationError"
	return []action{
		write("CreateAutoScalingGroup", (*call).createScaling, "AlreadyExists", none),
		write("UpdateAutoScalingGroup", (*call).updateScaling, none),
		write("SetDesiredCapacity", (*call).setCapacity, none),
		write("DeleteAutoScalingGroup", (*call).deleteScaling, none, "ResourceInUse"),
		read("DescribeAutoScalingGroups", (*call).describeScaling, "InvalidNextToken"),
		read("DescribeAutoScalingInstances", (*call).describeScalingInstances, "InvalidNextToken"),
		read("DescribeScalingActivities", (*call).describeActivities, "InvalidNextToken"),
		write("TerminateInstanceInAutoScalingGroup", (*call).terminateInScaling, none),
		write("CreateOrUpdateTags", (*call).tagScaling, none),
		write("DeleteTags", (*call).untagScaling, none),
		read("DescribeTags", (*call).describeScalingTags, "InvalidNextToken"),
	}
}

// groupTag is the tag that instances of an Auto Scaling group have.
const groupTag = "aws:autoscaling:groupName"

// ScalingGroup is an Auto Scaling group; its ID is its ARN.
type ScalingGroup struct {
	Resource
	Name      string            `json:"name"`
	Min       int               `json:"min"`
	Max       int               `json:"max"`
	Desired   int               `json:"desired"`
	Cooldown  int               `json:"cooldown"`
	Subnets   []string          `json:"subnets"`
	Template  string            `json:"template,omitempty"`
	Version   string            `json:"version,omitempty"` // as given: a number, $Latest, $Default
	Data      map[string]string `json:"data,omitempty"`    // without a template: of an instance
	Check     string            `json:"check"`             // EC2, ELB
	Grace     int               `json:"grace"`
	Groups    []string          `json:"targetGroups,omitempty"`
	Protected bool              `json:"protected,omitempty"`
	// Unlike are the instances whose protection from scale-in is not Protected.
	Unlike      []string          `json:"unlike,omitempty"`
	Suspended   []string          `json:"suspended,omitempty"` // processes
	Metrics     []string          `json:"metrics,omitempty"`
	Termination []string          `json:"terminationPolicies,omitempty"`
	Warmup      *int              `json:"warmup,omitempty"`   // seconds
	Lifetime    *int              `json:"lifetime,omitempty"` // seconds
	Rebalance   bool              `json:"rebalance,omitempty"`
	Role        string            `json:"role,omitempty"`
	Hooks       []LifecycleHook   `json:"hooks,omitempty"`
	Refreshes   []InstanceRefresh `json:"refreshes,omitempty"` // newest first
	Propagated  []ScalingTag      `json:"scalingTags,omitempty"`
	Activities  []ScalingActivity `json:"activities,omitempty"` // newest first
}

// ScalingTag is a tag of a group.
type ScalingTag struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	Propagate bool   `json:"propagate"` // to new instances
}

// ScalingActivity is something that a group did.
type ScalingActivity struct {
	ID          string    `json:"id"`
	Description string    `json:"description"`
	Cause       string    `json:"cause"`
	At          time.Time `json:"at"`
}

const (
	// maxActivities is how many activities of a group are kept.
	maxActivities = 100
	// maxGroupSize bounds a group as maxInstancesPerRun bounds a call.
	maxGroupSize = 1_000
)

var scalingName = regexp.MustCompile(`^[^:\x00-\x1f]{1,255}$`)

func scalingMissing(name string) *Error {
	return errorf("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup '%s' not found", clip(name))
}

func (s *state) scalingGroup(name string) *ScalingGroup {
	for _, g := range s.scaling.all() {
		if g.Name == name {
			return g
		}
	}
	return nil
}

func (c *call) scalingGroup() (*ScalingGroup, *Error) {
	name := c.in.str("AutoScalingGroupName")
	if g := c.s.scalingGroup(name); g != nil {
		return g, nil
	}
	return nil, scalingMissing(name)
}

// members are the instances of a group, oldest first.
func (s *state) members(group string) []*Instance {
	var out []*Instance
	for _, i := range s.instances.all() {
		if name, ok := i.Tag(groupTag); ok && name == group && i.State != Terminated {
			out = append(out, i)
		}
	}
	return out
}

func (c *call) createScaling() *Error {
	in := c.in
	name := in.str("AutoScalingGroupName")
	switch {
	case !scalingName.MatchString(name):
		return errorf("ValidationError", "The name of the group is not valid")
	case c.s.scalingGroup(name) != nil:
		return &Error{Code: "AlreadyExists", Message: "AutoScalingGroup by this name already exists - A group with the name " + name + " already exists"}
	case in.has("LaunchConfigurationName"):
		return errorf("ValidationError", "Launch configuration name not found - this endpoint has launch templates only")
	case in.has("MixedInstancesPolicy"):
		return errorf("ValidationError", "Mixed instances policies are not supported by this endpoint")
	}
	g := &ScalingGroup{
		Name: name, Min: in.num("MinSize", 0), Max: in.num("MaxSize", 0), Cooldown: in.num("DefaultCooldown", 300), Check: in.or("HealthCheckType", "EC2"), Grace: in.num("HealthCheckGracePeriod", 0),
		Groups: in.strs("TargetGroupARNs"), Protected: in.yes("NewInstancesProtectedFromScaleIn"),
	}
	g.Desired = in.num("DesiredCapacity", g.Min)
	g.Resource = c.s.res(c.s.arn("autoscaling", c.s.meta.AccountID, "autoScalingGroup:"+c.v.requestID()+":autoScalingGroupName/"+name), c.now, nil)
	if err := c.scalingSource(g); err != nil {
		return err
	}
	if err := c.scalingPlace(g); err != nil {
		return err
	}
	for _, n := range in.list("Tags") {
		g.setTag(n)
	}
	for _, n := range in.list("LifecycleHookSpecificationList") {
		if err := g.setHook(n); err != nil {
			return err
		}
	}
	c.scalingOptions(g)
	more, err := c.sources()
	if err != nil {
		return err
	}
	g.Groups = append(g.Groups, without(more, g.Groups)...)
	for _, arn := range g.Groups {
		if c.s.targetGroups.get(arn) == nil {
			return errorf("ValidationError", "Provided Target Groups may not be valid. Please ensure they exist and try again.")
		}
	}
	return c.scaleTo(g, "At "+c.now.UTC().Format(time.RFC3339)+" a user request created an AutoScalingGroup changing the desired capacity from 0 to "+strconv.Itoa(g.Desired)+".")
}

// scalingSource says what instances of a group are made of: a launch template, or what an
// instance is made of.
func (c *call) scalingSource(g *ScalingGroup) *Error {
	spec, id := c.in.get("LaunchTemplate"), c.in.str("InstanceId")
	switch {
	case spec != nil && id != "":
		return errorf("ValidationError", "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	case spec != nil:
		return c.scalingTemplate(g, spec)
	case id != "":
		i := c.s.instances.get(id)
		if i == nil || i.State == Terminated {
			return errorf("ValidationError", "The instance %s does not exist", clip(id))
		}
		g.Template, g.Data = "", map[string]string{"ImageId": i.Image, "InstanceType": i.Type}
		for k, v := range map[string]string{"KeyName": i.KeyName, "UserData": i.UserData, "IamInstanceProfile.Arn": i.Profile} {
			if v != "" {
				g.Data[k] = v
			}
		}
		if nics := c.s.interfacesOf(i.ID); len(nics) > 0 {
			for n, group := range nics[0].Groups {
				g.Data["SecurityGroupId."+strconv.Itoa(n+1)] = group
			}
		}
		g.Subnets = []string{i.Subnet}
	case g.Template == "" && g.Data == nil:
		return errorf("ValidationError", "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	}
	return nil
}

// scalingTemplate has a group made of a launch template.
func (c *call) scalingTemplate(g *ScalingGroup, spec *node) *Error {
	t, err := c.template(spec.str("LaunchTemplateId"), spec.str("LaunchTemplateName"))
	if err == nil {
		_, err = t.version(spec.str("Version"))
	}
	if err != nil {
		return errorf("ValidationError", "You must use a valid fully-formed launch template. %s", err.Message)
	}
	g.Template, g.Version, g.Data = t.ID, spec.str("Version"), nil
	return nil
}

// scalingPlace says where instances of a group are, and checks its sizes.
func (c *call) scalingPlace(g *ScalingGroup) *Error {
	if text := c.in.str("VPCZoneIdentifier"); text != "" {
		g.Subnets = nil
		for id := range strings.SplitSeq(text, ",") {
			id = strings.TrimSpace(id)
			if c.s.subnets.get(id) == nil {
				return errorf("ValidationError", "The subnet ID '%s' does not exist", clip(id))
			}
			g.Subnets = append(g.Subnets, id)
		}
	} else if zones := c.in.strs("AvailabilityZones"); len(zones) > 0 {
		g.Subnets = nil
		for _, s := range c.s.subnets.all() {
			if s.DefaultForAZ && slices.Contains(zones, s.Zone) {
				g.Subnets = append(g.Subnets, s.ID)
			}
		}
	}
	switch {
	case len(g.Subnets) == 0:
		return errorf("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
	case g.Min < 0 || g.Max < 0 || g.Max > maxGroupSize:
		return errorf("ValidationError", "Min and max size of a group are from 0 to %d", maxGroupSize)
	case g.Min > g.Max:
		return errorf("ValidationError", "Max bound, %d, must be greater than or equal to min bound, %d", g.Max, g.Min)
	case g.Desired < g.Min || g.Desired > g.Max:
		return errorf("ValidationError", "Desired capacity:%d must be between the specified min size:%d and max size:%d", g.Desired, g.Min, g.Max)
	}
	return nil
}

func (g *ScalingGroup) setTag(n *node) {
	t := ScalingTag{n.str("Key"), n.str("Value"), n.yesOr("PropagateAtLaunch", true)}
	if i := slices.IndexFunc(g.Propagated, func(o ScalingTag) bool { return o.Key == t.Key }); i >= 0 {
		g.Propagated[i] = t
	} else {
		g.Propagated = append(g.Propagated, t)
	}
}

func (g *ScalingGroup) did(c *call, what, cause string) {
	g.Activities = append([]ScalingActivity{{ID: c.v.requestID(), Description: what, Cause: cause, At: c.stamp()}}, g.Activities...)
	g.Activities = g.Activities[:min(len(g.Activities), maxActivities)]
}

// scaleTo gives a group the instances it wants, and keeps it. g is no longer shared.
func (c *call) scaleTo(g *ScalingGroup, cause string) *Error {
	have := c.s.members(g.Name)
	for len(have) > g.Desired && !g.suspended("Terminate") {
		at := slices.IndexFunc(have, func(i *Instance) bool { return !g.guarded(i.ID) })
		if at < 0 {
			break // all that is left is protected from scale-in
		}
		gone := have[at]
		have = slices.Delete(slices.Clone(have), at, at+1)
		c.terminateOne(gone)
		c.dropTarget(g, gone.ID)
		g.did(c, "Terminating EC2 instance: "+gone.ID, cause)
	}
	for len(have) < g.Desired && !g.suspended("Launch") {
		i, err := c.launchMember(g, have)
		if err != nil {
			return errorf("ValidationError", "%s", err.Message)
		}
		have = append(have, i)
		g.did(c, "Launching a new EC2 instance: "+i.ID, cause)
		if !g.suspended("AddToLoadBalancer") {
			for _, arn := range g.Groups {
				c.addTarget(arn, i.ID)
			}
		}
	}
	// What is gone is no longer protected, nor not protected.
	g.Unlike = slices.DeleteFunc(slices.Clone(g.Unlike), func(id string) bool {
		return !slices.ContainsFunc(have, func(i *Instance) bool { return i.ID == id })
	})
	c.s.scaling.put(g)
	return nil
}

// dropTarget takes an instance out of the target groups of its group.
func (c *call) dropTarget(g *ScalingGroup, id string) {
	for _, arn := range g.Groups {
		c.removeTarget(arn, id)
	}
}

func (c *call) addTarget(arn, id string) {
	if old := c.s.targetGroups.get(arn); old != nil {
		t := *old
		t.Targets = append(slices.Clone(old.Targets), RegisteredTarget{TargetID: TargetID{ID: id, Port: t.Port}, At: c.stamp()})
		c.s.targetGroups.put(&t)
	}
}

func (c *call) removeTarget(arn, id string) {
	if old := c.s.targetGroups.get(arn); old != nil {
		t := *old
		t.Targets = slices.DeleteFunc(slices.Clone(old.Targets), func(r RegisteredTarget) bool { return r.ID == id })
		c.s.targetGroups.put(&t)
	}
}

// launchMember starts one instance of a group, in the subnet that has the fewest.
func (c *call) launchMember(g *ScalingGroup, have []*Instance) (*Instance, *Error) {
	count := map[string]int{}
	for _, i := range have {
		count[i.Subnet]++
	}
	subnet := slices.MinFunc(g.Subnets, func(a, b string) int { return cmp.Compare(count[a], count[b]) })
	data, tags := maps.Clone(g.Data), []mirror.Tag{{Key: groupTag, Value: g.Name}}
	if g.Template != "" {
		t, err := c.template(g.Template, "")
		if err != nil {
			return nil, err
		}
		v, err := t.version(g.Version)
		if err != nil {
			return nil, err
		}
		data = maps.Clone(v.Data)
		tags = append(tags, mirror.Tag{Key: "aws:ec2launchtemplate:id", Value: t.ID}, mirror.Tag{Key: "aws:ec2launchtemplate:version", Value: strconv.Itoa(v.Number)})
	}
	for _, t := range g.Propagated {
		if t.Propagate {
			tags = append(tags, mirror.Tag{Key: t.Key, Value: t.Value})
		}
	}
	run := c.v.actions[serviceEC2]["RunInstances"]
	data["MinCount"], data["MaxCount"] = "1", "1"
	in := unflatten(run.wire.in, data)
	if nics := in.list("NetworkInterface"); len(nics) > 0 {
		for at, n := range nics {
			if !n.has("SubnetId") && !n.has("NetworkInterfaceId") {
				n.set("SubnetId", subnet)
			}
			if !n.has("DeviceIndex") {
				n.set("DeviceIndex", strconv.Itoa(at))
			}
		}
	} else {
		in.set("SubnetId", subnet)
	}
	if err := in.check(""); err != nil {
		return nil, err
	}
	sub := &call{v: c.v, s: c.s, in: in, x: &xmlWriter{item: "item"}, now: c.now, act: run, who: c.who, q: c.q}
	l, err := sub.launch()
	if err != nil {
		return nil, err
	}
	if l.tags, err = mergeTags(l.tags, tags); err != nil {
		return nil, err
	}
	i, err := sub.launchOne(l, c.s.newID("r-"), 0)
	if err == nil {
		c.stateChanged(i.ID, Pending, Running)
	}
	return i, err
}

// heal gives the groups of terminated instances new ones. A group that cannot have any
// stays smaller than it wants to be.
func (c *call) heal(gone []*Instance) {
	names := map[string]bool{}
	for _, i := range gone {
		if name, ok := i.Tag(groupTag); ok {
			names[name] = true
		}
	}
	for _, name := range sortedKeys(names) {
		if old := c.s.scalingGroup(name); old != nil && !old.suspended("HealthCheck") && !old.suspended("ReplaceUnhealthy") {
			g := *old
			g.Activities = slices.Clone(old.Activities)
			for _, i := range gone {
				c.dropTarget(&g, i.ID)
			}
			steps, events := len(c.s.undo), len(c.events)
			if err := c.scaleTo(&g, "An instance was taken out of service in response to an EC2 health check that indicated it has been terminated or stopped."); err != nil {
				c.s.rollbackTo(steps)
				c.events = c.events[:events]
			}
		}
	}
}

func (c *call) updateScaling() *Error {
	old, err := c.scalingGroup()
	if err != nil {
		return err
	}
	in, g := c.in, *old
	g.Min, g.Max, g.Cooldown = in.num("MinSize", g.Min), in.num("MaxSize", g.Max), in.num("DefaultCooldown", g.Cooldown)
	c.scalingOptions(&g)
	g.Check, g.Grace = in.or("HealthCheckType", g.Check), in.num("HealthCheckGracePeriod", g.Grace)
	if on := in.yesOr("NewInstancesProtectedFromScaleIn", g.Protected); on != g.Protected {
		// It is about instances to come: those that are there stay as they are.
		var stay []string
		for _, i := range c.s.members(g.Name) {
			if g.guarded(i.ID) != on {
				stay = append(stay, i.ID)
			}
		}
		g.Protected, g.Unlike = on, stay
	}
	// A group whose bounds change keeps within them.
	g.Desired = in.num("DesiredCapacity", min(max(g.Desired, g.Min), g.Max))
	if err := c.scalingSource(&g); err != nil {
		return err
	}
	if err := c.scalingPlace(&g); err != nil {
		return err
	}
	return c.scaleTo(&g, "A user request update of AutoScalingGroup constraints to min: "+strconv.Itoa(g.Min)+", max: "+strconv.Itoa(g.Max)+", desired: "+strconv.Itoa(g.Desired)+".")
}

func (c *call) setCapacity() *Error {
	old, err := c.scalingGroup()
	if err != nil {
		return err
	}
	g, want := *old, c.in.num("DesiredCapacity", 0)
	switch {
	case want > g.Max:
		return errorf("ValidationError", "New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", want, g.Max)
	case want < g.Min:
		return errorf("ValidationError", "New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", want, g.Min)
	}
	g.Desired = want
	return c.scaleTo(&g, "A user request explicitly set group desired capacity changing the desired capacity from "+strconv.Itoa(old.Desired)+" to "+strconv.Itoa(want)+".")
}

func (c *call) deleteScaling() *Error {
	old, err := c.scalingGroup()
	if err != nil {
		return err
	}
	if len(c.s.members(old.Name)) > 0 && !c.in.yes("ForceDelete") {
		return &Error{Code: "ResourceInUse", Message: "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group."}
	}
	g := *old
	g.Desired, g.Protected, g.Unlike, g.Suspended = 0, false, nil, nil
	if err := c.scaleTo(&g, "A user request force-deleted the AutoScalingGroup."); err != nil {
		return err
	}
	c.s.scaling.del(g.ID)
	return nil
}

func (c *call) terminateInScaling() *Error {
	i, old, err := c.scalingMember(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	g := *old
	if c.in.yes("ShouldDecrementDesiredCapacity") {
		if g.Desired--; g.Desired < g.Min {
			return errorf("ValidationError", "Terminating instance without replacement will violate group's min size constraint.")
		}
	}
	const cause = "An instance was taken out of service in response to a user request."
	c.terminateOne(i)
	c.dropTarget(&g, i.ID)
	g.did(c, "Terminating EC2 instance: "+i.ID, cause)
	at := g.Activities[0]
	if err := c.scaleTo(&g, cause); err != nil {
		return err
	}
	c.result = object{{"Activity", g.show(at)}}
	return nil
}

// show is an activity as answers have it.
func (g *ScalingGroup) show(a ScalingActivity) object {
	return object{
		{"ActivityId", a.ID}, {"AutoScalingGroupName", g.Name}, {"Description", a.Description}, {"Cause", a.Cause}, {"StartTime", a.At}, {"EndTime", a.At},
		{"StatusCode", "Successful"}, {"Progress", 100}, {"Details", "{}"}, {"AutoScalingGroupARN", g.ID},
	}
}

// templateOf is the launch template of a group as answers have it.
func (c *call) templateOf(g *ScalingGroup) object {
	o := object{{"LaunchTemplateId", g.Template}}
	if t := c.s.templates.get(g.Template); t != nil {
		o = append(o, field{"LaunchTemplateName", t.Name})
	}
	return append(o, field{"Version", cmp.Or(g.Version, "$Default")})
}

func (c *call) member(g *ScalingGroup, i *Instance) object {
	o := object{
		{"InstanceId", i.ID}, {"InstanceType", i.Type}, {"AvailabilityZone", i.Zone}, {"LifecycleState", "InService"}, {"HealthStatus", "Healthy"}, {"ProtectedFromScaleIn", g.guarded(i.ID)},
	}
	if g.Template != "" {
		return append(o, field{"LaunchTemplate", c.templateOf(g)})
	}
	return append(o, field{"LaunchConfigurationName", g.Name})
}

func (c *call) scalingFields(g *ScalingGroup) object {
	zones, instances, tags := []any{}, []any{}, []any{}
	for _, id := range g.Subnets {
		if s := c.s.subnets.get(id); s != nil && !slices.Contains(zones, any(s.Zone)) {
			zones = append(zones, s.Zone)
		}
	}
	for _, i := range c.s.members(g.Name) {
		instances = append(instances, c.member(g, i))
	}
	for _, t := range g.Propagated {
		tags = append(tags, g.showTag(t))
	}
	o := object{
		{"AutoScalingGroupName", g.Name}, {"AutoScalingGroupARN", g.ID}, {"MinSize", g.Min}, {"MaxSize", g.Max}, {"DesiredCapacity", g.Desired}, {"DefaultCooldown", g.Cooldown},
		{"AvailabilityZones", zones}, {"LoadBalancerNames", []any{}}, {"TargetGroupARNs", anys(g.Groups)}, {"HealthCheckType", g.Check}, {"HealthCheckGracePeriod", g.Grace},
		{"Instances", instances}, {"CreatedTime", g.Created}, {"VPCZoneIdentifier", strings.Join(g.Subnets, ",")},
		{"Tags", tags}, {"NewInstancesProtectedFromScaleIn", g.Protected},
	}
	o = append(o, g.options()...)
	if g.Template != "" {
		return append(o, field{"LaunchTemplate", c.templateOf(g)})
	}
	return append(o, field{"LaunchConfigurationName", g.Name})
}

func anys(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func (g *ScalingGroup) showTag(t ScalingTag) object {
	return object{{"ResourceId", g.Name}, {"ResourceType", "auto-scaling-group"}, {"Key", t.Key}, {"Value", t.Value}, {"PropagateAtLaunch", t.Propagate}}
}

// scalingFilter tells whether the filters of the call let through what has these values.
func (c *call) scalingFilter(values func(name string) []string) bool {
	for _, f := range c.in.list("Filters") {
		have := values(f.str("Name"))
		if !slices.ContainsFunc(f.strs("Values"), func(v string) bool { return slices.Contains(have, v) }) {
			return false
		}
	}
	return true
}

func (c *call) describeScaling() *Error {
	var list []*ScalingGroup
	want := c.in.strs("AutoScalingGroupNames")
	for _, g := range c.s.scaling.all() {
		if len(want) > 0 && !slices.Contains(want, g.Name) {
			continue
		}
		if c.scalingFilter(func(name string) (out []string) {
			for _, t := range g.Propagated {
				switch {
				case name == "tag-key":
					out = append(out, t.Key)
				case name == "tag-value", name == "tag:"+t.Key:
					out = append(out, t.Value)
				}
			}
			return out
		}) {
			list = append(list, g)
		}
	}
	return pageOf(c, "AutoScalingGroups", "MaxRecords", list, func(g *ScalingGroup) any { return c.scalingFields(g) })
}

func (c *call) describeScalingInstances() *Error {
	type row struct {
		g *ScalingGroup
		i *Instance
	}
	var list []row
	want := c.in.strs("InstanceIds")
	for _, g := range c.s.scaling.all() {
		for _, i := range c.s.members(g.Name) {
			if len(want) == 0 || slices.Contains(want, i.ID) {
				list = append(list, row{g, i})
			}
		}
	}
	return pageOf(c, "AutoScalingInstances", "MaxRecords", list, func(r row) any {
		return append(c.member(r.g, r.i), field{"AutoScalingGroupName", r.g.Name})
	})
}

func (c *call) describeActivities() *Error {
	type row struct {
		g *ScalingGroup
		a ScalingActivity
	}
	var list []row
	name, want := c.in.str("AutoScalingGroupName"), c.in.strs("ActivityIds")
	for _, g := range c.s.scaling.all() {
		for _, a := range g.Activities {
			if (name == "" || g.Name == name) && (len(want) == 0 || slices.Contains(want, a.ID)) {
				list = append(list, row{g, a})
			}
		}
	}
	return pageOf(c, "Activities", "MaxRecords", list, func(r row) any { return r.g.show(r.a) })
}

// changeTags does something with each of the tags that the call names, in its group.
func (c *call) changeTags(do func(g *ScalingGroup, n *node)) *Error {
	for _, n := range c.in.list("Tags") {
		old := c.s.scalingGroup(n.str("ResourceId"))
		if old == nil {
			return scalingMissing(n.str("ResourceId"))
		}
		g := *old
		g.Propagated = slices.Clone(old.Propagated)
		do(&g, n)
		if len(g.Propagated) > maxTags {
			return errorf("ValidationError", "A group has at most %d tags", maxTags)
		}
		c.s.scaling.put(&g)
	}
	return nil
}

func (c *call) tagScaling() *Error { return c.changeTags((*ScalingGroup).setTag) }

func (c *call) untagScaling() *Error {
	return c.changeTags(func(g *ScalingGroup, n *node) {
		g.Propagated = slices.DeleteFunc(g.Propagated, func(t ScalingTag) bool { return t.Key == n.str("Key") })
	})
}

func (c *call) describeScalingTags() *Error {
	var list []any
	for _, g := range c.s.scaling.all() {
		for _, t := range g.Propagated {
			if c.scalingFilter(func(name string) []string {
				return map[string][]string{"auto-scaling-group": {g.Name}, "key": {t.Key}, "value": {t.Value}, "propagate-at-launch": yesno(t.Propagate)}[name]
			}) {
				list = append(list, g.showTag(t))
			}
		}
	}
	return pageOf(c, "Tags", "MaxRecords", list, func(o any) any { return o })
}
