package ec2api

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

// elbActions are those of load balancers; target groups and listeners have their own
// files.
func elbActions() []action {
	const balancer = "LoadBalancerNotFound"
	list := []action{
		write("CreateLoadBalancer", (*call).createBalancer, "DuplicateLoadBalancerName", "SubnetNotFound", "InvalidSubnet", "InvalidSecurityGroup", "InvalidConfigurationRequest"),
		write("DeleteLoadBalancer", (*call).deleteBalancer, "OperationNotPermitted", "ResourceInUse"),
		read("DescribeLoadBalancers", (*call).describeBalancers, balancer),
		read("DescribeCapacityReservation", (*call).balancerCapacity, balancer),
		read("DescribeLoadBalancerAttributes", (*call).balancerAttributes, balancer),
		write("ModifyLoadBalancerAttributes", (*call).modifyBalancer, balancer, "InvalidConfigurationRequest"),
		write("SetSecurityGroups", (*call).setGroups, balancer, "InvalidSecurityGroup", "InvalidConfigurationRequest"),
		write("SetSubnets", (*call).setSubnets, balancer, "SubnetNotFound", "InvalidSubnet"),
		write("SetIpAddressType", (*call).setAddrType, balancer),
		read("DescribeAccountLimits", (*call).elbLimits),
		write("AddTags", (*call).elbAddTags, balancer, "TargetGroupNotFound", "ListenerNotFound", "TooManyTags", "DuplicateTagKeys"),
		write("RemoveTags", (*call).elbRemoveTags, balancer, "TargetGroupNotFound", "ListenerNotFound"),
		read("DescribeTags", (*call).elbTags, balancer, "TargetGroupNotFound", "ListenerNotFound"),
	}
	return append(append(list, targetGroupActions()...), listenerActions()...)
}

// elbName is the form of names of load balancers and target groups.
var elbName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

func (c *call) elbARN(what string) string {
	return "arn:aws:elasticloadbalancing:" + c.s.meta.Region + ":" + c.s.meta.AccountID + ":" + what
}

// elbPage is page with the names that ELB has for its parameters.
func elbPage[T any](c *call, list []T, seq func(T) uint64) ([]T, string, *Error) {
	if tok := c.in.str("Marker"); tok != "" {
		after, ok := c.openToken(tok)
		if !ok {
			return nil, "", errorf("ValidationError", "The marker is not valid")
		}
		list = slices.DeleteFunc(slices.Clone(list), func(o T) bool { return seq(o) <= after })
	}
	most := c.in.num("PageSize", 400)
	if len(list) <= most {
		return list, "", nil
	}
	return list[:most], c.sealToken(seq(list[most-1])), nil
}

// elbSpecTags reads Tags.member.N.
func (c *call) elbSpecTags() ([]mirror.Tag, *Error) {
	tags, err := parseTags(c.in.list("Tags"))
	if err != nil {
		if err.Code == "TagLimitExceeded" {
			return nil, errorf("TooManyTags", "%s", err.Message)
		}
		return nil, errorf("ValidationError", "%s", err.Message)
	}
	return tags, nil
}

func (c *call) balancer(arn string) (*LoadBalancer, *Error) {
	if b := c.s.balancers.get(arn); b != nil {
		return b, nil
	}
	if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":loadbalancer/") {
		return nil, errorf("ValidationError", "'%s' is not a valid load balancer ARN", clip(arn))
	}
	return nil, errorf("LoadBalancerNotFound", "One or more load balancers not found")
}

// wantedSubnet is a subnet that a load balancer is to be in, and the address wanted there.
type wantedSubnet struct {
	sub  *Subnet
	addr string
}

func (c *call) wantedSubnets() ([]wantedSubnet, *Error) {
	var out []wantedSubnet
	add := func(id, addr string) *Error {
		sub := c.s.subnets.get(id)
		if sub == nil {
			return errorf("SubnetNotFound", "The subnet ID '%s' does not exist", clip(id))
		}
		for _, o := range out {
			switch {
			case o.sub.ID == id:
				return errorf("InvalidConfigurationRequest", "The subnet '%s' is given twice", id)
			case o.sub.Zone == sub.Zone:
				return errorf("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
			case o.sub.VPC != sub.VPC:
				return errorf("InvalidConfigurationRequest", "The subnets are of different VPCs")
			}
		}
		out = append(out, wantedSubnet{sub, addr})
		return nil
	}
	if len(c.in.list("Subnets")) > 0 && len(c.in.list("SubnetMappings")) > 0 {
		return nil, errorf("ValidationError", "You can specify either subnets or subnet mappings, not both")
	}
	for _, id := range c.in.strs("Subnets") {
		if err := add(id, ""); err != nil {
			return nil, err
		}
	}
	for _, m := range c.in.list("SubnetMappings") {
		if err := add(m.str("SubnetId"), m.str("PrivateIPv4Address")); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, errorf("ValidationError", "A load balancer needs at least one subnet")
	}
	return out, nil
}

func (c *call) balancerGroups(list []string, vpc string) ([]string, *Error) {
	for _, id := range list {
		if g := c.s.groups.get(id); g == nil || g.VPC != vpc {
			return nil, errorf("InvalidConfigurationRequest", "One or more security groups are invalid: %s", clip(id))
		}
	}
	return list, nil
}

func (c *call) createBalancer() *Error {
	tags, err := c.elbSpecTags()
	if err != nil {
		return err
	}
	name, kind := c.in.str("Name"), c.in.or("Type", "application")
	switch {
	case !elbName.MatchString(name) || strings.HasPrefix(name, "internal-"):
		return errorf("ValidationError", "The load balancer name '%s' must have at most 32 letters, digits and hyphens, must not begin or end with a hyphen, nor begin with internal-", clip(name))
	case kind == "application":
		return errorf("OperationNotPermitted", "This endpoint has load balancers of type network and gateway only")
	}
	subs, err := c.wantedSubnets()
	if err != nil {
		return err
	}
	groups, err := c.balancerGroups(c.in.strs("SecurityGroups"), subs[0].sub.VPC)
	if err != nil {
		return err
	}
	scheme := c.in.or("Scheme", "internet-facing")
	if kind == BalancerGateway {
		scheme = ""
		if len(groups) > 0 {
			return errorf("InvalidConfigurationRequest", "Security groups are not supported for load balancers with type 'gateway'")
		}
	}
	for _, b := range c.s.balancers.all() {
		if b.Name != name {
			continue
		}
		same := b.Type == kind && b.Scheme == scheme && slices.Equal(b.Groups, groups) && len(b.Subnets) == len(subs)
		for i := range subs {
			same = same && b.Subnets[i].Subnet == subs[i].sub.ID
		}
		if !same {
			return errorf("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", name)
		}
		eachXML(c.x, "LoadBalancers", []*LoadBalancer{b}, func(b *LoadBalancer) { c.writeBalancer(b, "active") })
		return nil
	}
	short := map[string]string{BalancerNetwork: "net", BalancerGateway: "gwy"}[kind]
	hex := c.s.hex(16)
	b := &LoadBalancer{
		Resource: c.s.res(c.elbARN("loadbalancer/"+short+"/"+name+"/"+hex), c.now, tags), Name: name, Type: kind, Scheme: scheme, VPC: subs[0].sub.VPC,
		Groups: groups, NoGroups: len(groups) == 0, AddrType: c.in.or("IpAddressType", "ipv4"),
	}
	if kind == BalancerNetwork {
		b.DNSName = name + "-" + hex + ".elb." + c.s.meta.Region + ".amazonaws.com"
	}
	for _, w := range subs {
		node, err := c.newNode(b, w)
		if err != nil {
			return err
		}
		b.Subnets = append(b.Subnets, node)
	}
	c.s.balancers.put(b)
	eachXML(c.x, "LoadBalancers", []*LoadBalancer{b}, func(b *LoadBalancer) { c.writeBalancer(b, "provisioning") })
	return nil
}

// newNode makes the interface of a load balancer in a subnet.
func (c *call) newNode(b *LoadBalancer, w wantedSubnet) (BalancerSubnet, *Error) {
	kind := KindNLB
	if b.Type == BalancerGateway {
		kind = KindGWLB
	}
	_, path, _ := strings.Cut(b.ID, ":loadbalancer/")
	e, err := c.s.newENI(c.now, w.sub, kind, "ELB "+path, slices.Clone(b.Groups))
	if err != nil {
		return BalancerSubnet{}, errorf("InvalidSubnet", "Not enough IP space available in %s", w.sub.ID)
	}
	if w.addr != "" {
		a, err := c.s.wantAddr(w.sub, w.addr)
		if err != nil {
			return BalancerSubnet{}, errorf("InvalidConfigurationRequest", "%s", err.Message)
		}
		e.Addrs = []netip.Addr{a}
	}
	e.RequesterManaged, e.RequesterID, e.ManagedBy, e.SourceDestCheck = true, "amazon-elb", b.ID, false
	e.Attachment = &Attachment{ID: c.s.newID("ela-attach-"), InstanceOwner: "amazon-aws", DeviceIndex: 1, DeleteOnTermination: false, At: c.stamp()}
	if b.Type == BalancerGateway {
		e.MTU = mirror.MTULoadBalancer
	}
	if b.Scheme == "internet-facing" {
		e.PublicIP = c.s.publicIP()
	}
	c.s.putENI(e)
	return BalancerSubnet{Subnet: w.sub.ID, Zone: w.sub.Zone, Interface: e.ID, Addr: e.Addrs[0]}, nil
}

func (c *call) writeBalancer(b *LoadBalancer, state string) {
	x := c.x
	x.str("LoadBalancerArn", b.ID)
	x.opt("DNSName", b.DNSName)
	if b.Type == BalancerNetwork {
		x.str("CanonicalHostedZoneId", "Z26RNL4JYFTOTI")
	}
	x.time("CreatedTime", b.Created)
	x.str("LoadBalancerName", b.Name)
	x.opt("Scheme", b.Scheme)
	x.str("VpcId", b.VPC)
	x.group("State", func() { x.str("Code", state) })
	x.str("Type", b.Type)
	c.writeZones(b)
	if len(b.Groups) > 0 {
		x.strs("SecurityGroups", b.Groups)
		x.opt("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic", b.Attributes["enforce"])
	}
	x.str("IpAddressType", b.AddrType)
}

func (c *call) writeZones(b *LoadBalancer) {
	eachXML(c.x, "AvailabilityZones", b.Subnets, func(s BalancerSubnet) {
		c.x.str("ZoneName", s.Zone)
		c.x.str("SubnetId", s.Subnet)
		c.x.strs("LoadBalancerAddresses", nil)
	})
}

func (c *call) deleteBalancer() *Error {
	arn := c.in.str("LoadBalancerArn")
	b := c.s.balancers.get(arn)
	if b == nil {
		return nil // it succeeds for what is gone
	}
	if b.Attributes["deletion_protection.enabled"] == "true" {
		return errorf("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", arn)
	}
	for _, s := range c.s.services.all() {
		if slices.Contains(s.LoadBalancers, arn) {
			return errorf("ResourceInUse", "Load balancer '%s' cannot be deleted because it is currently associated with another service", arn)
		}
	}
	for _, l := range c.s.listeners.all() {
		if l.LoadBalancer == arn {
			c.s.listeners.del(l.ID)
		}
	}
	for _, s := range b.Subnets {
		c.s.delENI(s.Interface)
	}
	c.s.balancers.del(arn)
	return nil
}

func (c *call) describeBalancers() *Error {
	list := c.s.balancers.all()
	if arns := c.in.strs("LoadBalancerArns"); len(arns) > 0 {
		for _, a := range arns {
			if _, err := c.balancer(a); err != nil {
				return err
			}
		}
		list = slices.DeleteFunc(slices.Clone(list), func(b *LoadBalancer) bool { return !slices.Contains(arns, b.ID) })
	}
	if names := c.in.strs("Names"); len(names) > 0 {
		for _, n := range names {
			if !slices.ContainsFunc(list, func(b *LoadBalancer) bool { return b.Name == n }) {
				return errorf("LoadBalancerNotFound", "Load balancers '[%s]' not found", clip(n))
			}
		}
		list = slices.DeleteFunc(slices.Clone(list), func(b *LoadBalancer) bool { return !slices.Contains(names, b.Name) })
	}
	list, next, err := elbPage(c, list, func(b *LoadBalancer) uint64 { return b.Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "LoadBalancers", list, func(b *LoadBalancer) { c.writeBalancer(b, "active") })
	c.x.opt("NextMarker", next)
	return nil
}

// balancerDefaults are the attributes that a load balancer of a type has.
func balancerDefaults(kind string) map[string]string {
	if kind == BalancerGateway {
		return map[string]string{"deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "false"}
	}
	return map[string]string{
		"access_logs.s3.enabled": "false", "access_logs.s3.bucket": "", "access_logs.s3.prefix": "", "deletion_protection.enabled": "false",
		"dns_record.client_routing_policy": "any_availability_zone", "ipv6.deny_all_igw_traffic": "false", "load_balancing.cross_zone.enabled": "false",
		"secondary_ips.auto_assigned.per_subnet": "0", "zonal_shift.config.enabled": "false",
	}
}

// writeAttributes writes the defaults with what was changed.
func (c *call) writeAttributes(defaults, set map[string]string) {
	all := maps.Clone(defaults)
	maps.Copy(all, set)
	eachXML(c.x, "Attributes", slices.Sorted(maps.Keys(all)), func(k string) {
		c.x.str("Key", k)
		c.x.str("Value", all[k])
	})
}

// readAttributes adds the attributes of a call to old ones. Only those that have a
// default exist.
func (c *call) readAttributes(what string, defaults, old map[string]string) (map[string]string, *Error) {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	for _, a := range c.in.list("Attributes") {
		k, v := a.str("Key"), a.str("Value")
		def, ok := defaults[k]
		if !ok {
			return nil, errorf("ValidationError", "%s attribute key '%s' is not recognized", what, clip(k))
		}
		if (def == "true" || def == "false") && v != "true" && v != "false" && k != "load_balancing.cross_zone.enabled" {
			return nil, errorf("ValidationError", "%s attribute value '%s' for key '%s' is not valid", what, clip(v), k)
		}
		if _, err := strconv.Atoi(def); err == nil {
			if n, err := strconv.Atoi(v); (err != nil || n < 0 || n > 7200) && v != "off" {
				return nil, errorf("ValidationError", "%s attribute value '%s' for key '%s' is not valid", what, clip(v), k)
			}
		}
		if len(v) > 1024 {
			return nil, errorf("ValidationError", "%s attribute value for key '%s' is too long", what, k)
		}
		out[k] = v
	}
	return out, nil
}

// balancerCapacity says that no capacity is reserved.
func (c *call) balancerCapacity() *Error {
	if _, err := c.balancer(c.in.str("LoadBalancerArn")); err != nil {
		return err
	}
	c.result = object{{"DecreaseRequestsRemaining", 2}, {"CapacityReservationState", []any{}}}
	return nil
}

func (c *call) balancerAttributes() *Error {
	b, err := c.balancer(c.in.str("LoadBalancerArn"))
	if err != nil {
		return err
	}
	c.writeAttributes(balancerDefaults(b.Type), b.visible())
	return nil
}

// visible are the attributes that clients see.
func (l *LoadBalancer) visible() map[string]string {
	m := maps.Clone(l.Attributes)
	delete(m, "enforce")
	return m
}

func (c *call) modifyBalancer() *Error {
	old, err := c.balancer(c.in.str("LoadBalancerArn"))
	if err != nil {
		return err
	}
	b := *old
	if b.Attributes, err = c.readAttributes("Load balancer", balancerDefaults(b.Type), old.Attributes); err != nil {
		return err
	}
	c.s.balancers.put(&b)
	c.writeAttributes(balancerDefaults(b.Type), b.visible())
	return nil
}

func (c *call) setGroups() *Error {
	old, err := c.balancer(c.in.str("LoadBalancerArn"))
	if err != nil {
		return err
	}
	b := *old
	switch {
	case b.Type == BalancerGateway:
		return errorf("InvalidConfigurationRequest", "Security groups are not supported for load balancers with type 'gateway'")
	case b.NoGroups:
		return errorf("InvalidConfigurationRequest", "You cannot set security groups on a Network Load Balancer that was created without any")
	}
	if b.Groups, err = c.balancerGroups(c.in.strs("SecurityGroups"), b.VPC); err != nil {
		return err
	}
	if v := c.in.str("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"); v != "" {
		b.Attributes = maps.Clone(b.Attributes)
		if b.Attributes == nil {
			b.Attributes = map[string]string{}
		}
		b.Attributes["enforce"] = v
	}
	c.s.balancers.put(&b)
	for _, s := range b.Subnets {
		if e := c.s.enis.get(s.Interface); e != nil {
			n := *e
			n.Groups = slices.Clone(b.Groups)
			c.s.putENI(&n)
		}
	}
	c.x.strs("SecurityGroupIds", b.Groups)
	return nil
}

func (c *call) setSubnets() *Error {
	old, err := c.balancer(c.in.str("LoadBalancerArn"))
	if err != nil {
		return err
	}
	subs, err := c.wantedSubnets()
	if err != nil {
		return err
	}
	b := *old
	b.Subnets = nil
	for _, w := range subs {
		if w.sub.VPC != b.VPC {
			return errorf("InvalidConfigurationRequest", "The subnet '%s' is of another VPC", w.sub.ID)
		}
		i := slices.IndexFunc(old.Subnets, func(s BalancerSubnet) bool { return s.Subnet == w.sub.ID })
		if i >= 0 {
			b.Subnets = append(b.Subnets, old.Subnets[i])
			continue
		}
		node, err := c.newNode(&b, w)
		if err != nil {
			return err
		}
		b.Subnets = append(b.Subnets, node)
	}
	for _, s := range old.Subnets {
		if !slices.Contains(b.Subnets, s) {
			c.s.delENI(s.Interface)
		}
	}
	if t := c.in.str("IpAddressType"); t != "" {
		b.AddrType = t
	}
	c.s.balancers.put(&b)
	c.writeZones(&b)
	c.x.str("IpAddressType", b.AddrType)
	return nil
}

func (c *call) setAddrType() *Error {
	old, err := c.balancer(c.in.str("LoadBalancerArn"))
	if err != nil {
		return err
	}
	b := *old
	b.AddrType = c.in.str("IpAddressType")
	c.s.balancers.put(&b)
	c.x.str("IpAddressType", b.AddrType)
	return nil
}

func (c *call) elbLimits() *Error {
	eachXML(c.x, "Limits", [][2]string{
		{"network-load-balancers", "50"}, {"gateway-load-balancers", "100"}, {"target-groups", "3000"}, {"listeners-per-network-load-balancer", "50"},
		{"targets-per-network-load-balancer", "3000"}, {"targets-per-availability-zone-per-network-load-balancer", "500"}, {"targets-per-target-group", strconv.Itoa(maxTargets)},
	}, func(l [2]string) {
		c.x.str("Name", l[0])
		c.x.str("Max", l[1])
	})
	return nil
}

// elbResource finds what an ARN of ELB names.
func (c *call) elbResource(arn string) (tabler, *Resource, *Error) {
	for _, t := range []tabler{c.s.balancers, c.s.targetGroups, c.s.listeners} {
		if r, ok := t.tagged(arn); ok {
			return t, r, nil
		}
	}
	switch {
	case strings.Contains(arn, ":targetgroup/"):
		return nil, nil, errorf("TargetGroupNotFound", "One or more target groups not found")
	case strings.Contains(arn, ":listener/"):
		return nil, nil, errorf("ListenerNotFound", "One or more listeners not found")
	case strings.Contains(arn, ":loadbalancer/"):
		return nil, nil, errorf("LoadBalancerNotFound", "One or more load balancers not found")
	}
	return nil, nil, errorf("ValidationError", "'%s' is not a valid ARN", clip(arn))
}

func (c *call) elbRetag(change func([]mirror.Tag) ([]mirror.Tag, *Error)) *Error {
	arns := c.in.strs("ResourceArns")
	if len(arns) == 0 {
		return errorf("ValidationError", "At least one resource ARN is needed")
	}
	for _, arn := range arns {
		t, r, err := c.elbResource(arn)
		if err != nil {
			return err
		}
		tags, err := change(r.Tags)
		if err != nil {
			return err
		}
		t.setTags(arn, tags)
	}
	return nil
}

func (c *call) elbAddTags() *Error {
	tags, err := c.elbSpecTags()
	if err != nil {
		return err
	}
	return c.elbRetag(func(old []mirror.Tag) ([]mirror.Tag, *Error) {
		out, err := mergeTags(old, tags)
		if err != nil {
			return nil, errorf("TooManyTags", "%s", err.Message)
		}
		return out, nil
	})
}

func (c *call) elbRemoveTags() *Error {
	keys := c.in.strs("TagKeys")
	return c.elbRetag(func(old []mirror.Tag) ([]mirror.Tag, *Error) {
		return slices.DeleteFunc(slices.Clone(old), func(t mirror.Tag) bool { return slices.Contains(keys, t.Key) }), nil
	})
}

func (c *call) elbTags() *Error {
	arns := c.in.strs("ResourceArns")
	if len(arns) > 20 {
		return errorf("ValidationError", "At most 20 resources can be described")
	}
	var list []*Resource
	for _, arn := range arns {
		_, r, err := c.elbResource(arn)
		if err != nil {
			return err
		}
		list = append(list, r)
	}
	eachXML(c.x, "TagDescriptions", list, func(r *Resource) {
		c.x.str("ResourceArn", r.ID)
		eachXML(c.x, "Tags", r.Tags, func(t mirror.Tag) {
			c.x.str("Key", t.Key)
			c.x.str("Value", t.Value)
		})
	})
	return nil
}

// hexTail is the last part of an ARN.
func hexTail(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// listenerARN makes the ARN of a new listener.
func (c *call) listenerARN(b *LoadBalancer) string {
	_, path, _ := strings.Cut(b.ID, ":loadbalancer/")
	return c.elbARN(fmt.Sprintf("listener/%s/%s", path, c.s.hex(16)))
}
