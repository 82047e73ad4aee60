package ec2api

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/mirror"
)

func groupActions() []action {
	const group, exists = "InvalidGroup.NotFound", "InvalidPermission.Duplicate"
	return []action{
		write("CreateSecurityGroup", (*call).createGroup, "InvalidGroup.Duplicate", "InvalidVpcID.NotFound", "VPCIdNotSpecified"),
		write("DeleteSecurityGroup", (*call).deleteGroup, group, "DependencyViolation", "CannotDelete"),
		read("DescribeSecurityGroups", (*call).describeGroups, group, "InvalidGroupId.Malformed", "InvalidPaginationToken"),
		read("GetSecurityGroupsForVpc", (*call).groupsForVPC, "InvalidVpcID.NotFound", "InvalidPaginationToken"),
		read("DescribeSecurityGroupReferences", (*call).describeReferences, "InvalidGroup.NotFound"),
		read("DescribeSecurityGroupRules", (*call).describeGroupRules, "InvalidSecurityGroupRuleId.NotFound", "InvalidPaginationToken"),
		write("AuthorizeSecurityGroupIngress", func(c *call) *Error { return c.authorize(false) }, group, exists, "RulesPerSecurityGroupLimitExceeded", "InvalidPermission.Malformed"),
		write("AuthorizeSecurityGroupEgress", func(c *call) *Error { return c.authorize(true) }, group, exists, "RulesPerSecurityGroupLimitExceeded", "InvalidPermission.Malformed"),
		write("RevokeSecurityGroupIngress", func(c *call) *Error { return c.revoke(false) }, group, "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"),
		write("RevokeSecurityGroupEgress", func(c *call) *Error { return c.revoke(true) }, group, "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"),
		write("ModifySecurityGroupRules", (*call).modifyGroupRules, group, "InvalidSecurityGroupRuleId.NotFound", exists),
		write("UpdateSecurityGroupRuleDescriptionsIngress", func(c *call) *Error { return c.redescribe(false) }, group, "InvalidPermission.NotFound"),
		write("UpdateSecurityGroupRuleDescriptionsEgress", func(c *call) *Error { return c.redescribe(true) }, group, "InvalidPermission.NotFound"),
	}
}

// maxGroupRules is AWS's default quota of rules per direction of a group, doubled by
// nobody here.
const maxGroupRules = 60

func groupIDs() ids {
	return ids{param: "GroupId", prefix: "sg-", notFound: "InvalidGroup.NotFound", malform: "InvalidGroupId.Malformed", what: "security group"}
}

func (c *call) group(id string) (*SecurityGroup, *Error) {
	if g := c.s.groups.get(id); g != nil {
		return g, nil
	}
	if !validID("sg-", id) {
		return nil, errorf("InvalidGroupId.Malformed", "Invalid id: \"%s\" (expecting \"sg-...\")", clip(id))
	}
	return nil, errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", clip(id))
}

// groupOf returns the group that GroupId, or GroupName in the default VPC, names.
func (c *call) groupOf() (*SecurityGroup, *Error) {
	if id := c.in.str("GroupId"); id != "" {
		return c.group(id)
	}
	name := c.in.str("GroupName")
	if name == "" {
		return nil, errorf("MissingParameter", "The request must contain the parameter groupName or groupId")
	}
	for _, g := range c.s.groups.all() {
		if v := c.s.vpcs.get(g.VPC); g.Name == name && v != nil && v.Default {
			return g, nil
		}
	}
	return nil, errorf("InvalidGroup.NotFound", "The security group '%s' does not exist in default VPC", clip(name))
}

// newGroup makes a group with the rules that AWS gives it: all egress, and in a default
// group all from itself.
func (s *state) newGroup(now time.Time, v *VPC, name, description string, tags []mirror.Tag) *SecurityGroup {
	g := &SecurityGroup{Resource: s.res(s.newID("sg-"), now, tags), Name: name, Description: description, VPC: v.ID}
	if name == "default" {
		g.Rules = append(g.Rules, GroupRule{ID: s.newID("sgr-"), Protocol: "-1", From: -1, To: -1, GroupID: g.ID, GroupOwner: s.meta.AccountID})
	}
	g.Rules = append(g.Rules, GroupRule{ID: s.newID("sgr-"), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: anyIPv4()})
	if len(v.IPv6) > 0 {
		g.Rules = append(g.Rules, GroupRule{ID: s.newID("sgr-"), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: anyIPv6()})
	}
	s.groups.put(g)
	return g
}

// groupText tells whether s may stand in the name or description of a group.
func groupText(s string) bool {
	if len(s) > 255 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", r) {
			return false
		}
	}
	return true
}

func (c *call) createGroup() *Error {
	tags, err := c.specTags("security-group")
	if err != nil {
		return err
	}
	name, description := c.in.str("GroupName"), c.in.str("GroupDescription")
	switch {
	case !groupText(name):
		return errorf("InvalidParameterValue", "Value (%s) for parameter GroupName is invalid. Character sets beyond ASCII are not supported.", clip(name))
	case !groupText(description):
		return errorf("InvalidParameterValue", "Value (%s) for parameter GroupDescription is invalid. Character sets beyond ASCII are not supported.", clip(description))
	case strings.HasPrefix(name, "sg-"):
		return errorf("InvalidParameterValue", "Value (%s) for parameter GroupName is invalid. Group names may not be in the format sg-*.", clip(name))
	case name == "default":
		return errorf("InvalidParameterValue", "Cannot use reserved security group name: default")
	}
	var v *VPC
	if id := c.in.str("VpcId"); id != "" {
		if v, err = c.vpc(id); err != nil {
			return err
		}
	} else if v = c.s.defaultVPC(); v == nil {
		return errorf("VPCIdNotSpecified", "No default VPC for this user")
	}
	for _, g := range c.s.groups.all() {
		if g.VPC == v.ID && g.Name == name {
			return errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", clip(name), v.ID)
		}
	}
	g := c.s.newGroup(c.now, v, name, description, tags)
	c.x.str("groupId", g.ID)
	c.x.str("securityGroupArn", c.arn("security-group/"+g.ID))
	c.writeTags(g.Tags)
	return nil
}

func (s *state) defaultVPC() *VPC {
	for _, v := range s.vpcs.all() {
		if v.Default {
			return v
		}
	}
	return nil
}

// defaultGroup is the group of a VPC that interfaces get when none is named.
func (s *state) defaultGroup(vpc string) *SecurityGroup {
	for _, g := range s.groups.all() {
		if g.VPC == vpc && g.Name == "default" {
			return g
		}
	}
	return nil
}

func (c *call) deleteGroup() *Error {
	g, err := c.groupOf()
	if err != nil {
		return err
	}
	if g.Name == "default" {
		return errorf("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.ID)
	}
	used := slices.ContainsFunc(c.s.enis.all(), func(e *NetworkInterface) bool { return slices.Contains(e.Groups, g.ID) }) ||
		slices.ContainsFunc(c.s.balancers.all(), func(b *LoadBalancer) bool { return slices.Contains(b.Groups, g.ID) }) ||
		slices.ContainsFunc(c.s.groups.all(), func(o *SecurityGroup) bool {
			return o.ID != g.ID && slices.ContainsFunc(o.Rules, func(r GroupRule) bool { return r.GroupID == g.ID })
		})
	if used {
		return errorf("DependencyViolation", "resource %s has a dependent object", g.ID)
	}
	c.s.groups.del(g.ID)
	c.x.yes("return", true)
	c.x.str("groupId", g.ID)
	return nil
}

// permission is rules of one protocol and port range, as IpPermissions has them.
type permission struct {
	protocol string
	from, to int
	rules    []GroupRule
}

func permissions(rules []GroupRule, egress bool) []*permission {
	var out []*permission
	for _, r := range rules {
		if r.Egress != egress {
			continue
		}
		i := slices.IndexFunc(out, func(p *permission) bool { return p.protocol == r.Protocol && p.from == r.From && p.to == r.To })
		if i < 0 {
			i = len(out)
			out = append(out, &permission{protocol: r.Protocol, from: r.From, to: r.To})
		}
		out[i].rules = append(out[i].rules, r)
	}
	return out
}

func (c *call) writeGroup(g *SecurityGroup) {
	x := c.x
	x.str("ownerId", g.OwnerID)
	x.str("groupId", g.ID)
	x.str("groupName", g.Name)
	x.str("groupDescription", g.Description)
	x.str("vpcId", g.VPC)
	x.str("securityGroupArn", c.arn("security-group/"+g.ID))
	eachXML(x, "ipPermissions", permissions(g.Rules, false), c.writePermission)
	eachXML(x, "ipPermissionsEgress", permissions(g.Rules, true), c.writePermission)
	c.writeTags(g.Tags)
}

func (c *call) writePermission(p *permission) {
	x := c.x
	x.str("ipProtocol", p.protocol)
	if p.protocol != "-1" {
		x.num("fromPort", p.from)
		x.num("toPort", p.to)
	}
	only := func(keep func(*GroupRule) bool) []GroupRule {
		return slices.DeleteFunc(slices.Clone(p.rules), func(r GroupRule) bool { return !keep(&r) })
	}
	eachXML(x, "groups", only(func(r *GroupRule) bool { return r.GroupID != "" }), func(r GroupRule) {
		x.str("userId", r.GroupOwner)
		x.str("groupId", r.GroupID)
		x.opt("description", r.Description)
	})
	eachXML(x, "ipRanges", only(func(r *GroupRule) bool { return r.CIDR.IsValid() && r.CIDR.Addr().Is4() }), func(r GroupRule) {
		x.str("cidrIp", r.CIDR.String())
		x.opt("description", r.Description)
	})
	eachXML(x, "ipv6Ranges", only(func(r *GroupRule) bool { return r.CIDR.IsValid() && r.CIDR.Addr().Is6() }), func(r GroupRule) {
		x.str("cidrIpv6", r.CIDR.String())
		x.opt("description", r.Description)
	})
	eachXML(x, "prefixListIds", only(func(r *GroupRule) bool { return r.PrefixListID != "" }), func(r GroupRule) {
		x.str("prefixListId", r.PrefixListID)
		x.opt("description", r.Description)
	})
}

func (c *call) describeGroups() *Error {
	for _, name := range c.in.strs("GroupName") {
		if !slices.ContainsFunc(c.s.groups.all(), func(g *SecurityGroup) bool { return g.Name == name }) {
			return errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", clip(name))
		}
	}
	names := c.in.strs("GroupName")
	list, err := pick(c, c.s.groups, groupIDs(), groupAttributes)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(g *SecurityGroup) bool { return !slices.Contains(names, g.Name) })
	}
	list, next, err := page(c, list, func(g *SecurityGroup) uint64 { return g.Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "securityGroupInfo", list, c.writeGroup)
	c.x.opt("nextToken", next)
	return nil
}

func groupAttributes(g *SecurityGroup, name string) ([]string, bool) {
	switch name {
	case "description":
		return []string{g.Description}, true
	case "group-id":
		return one(g.ID), true
	case "group-name":
		return one(g.Name), true
	case "owner-id":
		return one(g.OwnerID), true
	case "vpc-id":
		return one(g.VPC), true
	}
	egress, field := false, strings.TrimPrefix(name, "ip-permission.")
	if rest, ok := strings.CutPrefix(name, "egress.ip-permission."); ok {
		egress, field = true, rest
	} else if field == name {
		return nil, false
	}
	var out []string
	for _, r := range g.Rules {
		if r.Egress == egress {
			v, ok := r.attribute(field)
			if !ok {
				return nil, false
			}
			out = append(out, v...)
		}
	}
	return out, true
}

func (r *GroupRule) attribute(field string) ([]string, bool) {
	switch field {
	case "cidr":
		if r.CIDR.IsValid() && r.CIDR.Addr().Is4() {
			return one(r.CIDR.String()), true
		}
		return nil, true
	case "ipv6-cidr":
		if r.CIDR.IsValid() && r.CIDR.Addr().Is6() {
			return one(r.CIDR.String()), true
		}
		return nil, true
	case "from-port":
		return number(r.From), true
	case "to-port":
		return number(r.To), true
	case "protocol":
		return one(r.Protocol), true
	case "group-id":
		return one(r.GroupID), true
	case "group-name":
		return nil, true
	case "prefix-list-id":
		return one(r.PrefixListID), true
	case "user-id":
		return one(r.GroupOwner), true
	}
	return nil, false
}

// peer is what a rule is about, for comparing.
func (r *GroupRule) same(o *GroupRule) bool {
	return r.Egress == o.Egress && r.Protocol == o.Protocol && r.From == o.From && r.To == o.To &&
		r.CIDR == o.CIDR && r.GroupID == o.GroupID && r.PrefixListID == o.PrefixListID
}

func (r *GroupRule) words() string {
	peer := r.GroupID + r.PrefixListID
	if r.CIDR.IsValid() {
		peer = r.CIDR.String()
	}
	return "peer: " + peer + ", " + strings.ToUpper(strings.Replace(r.Protocol, "-1", "ALL", 1)) + ", from port: " + strconv.Itoa(r.From) + ", to port: " + strconv.Itoa(r.To) + ", ALLOW"
}

// parseProtocol gives a protocol of a rule the form that EC2 shows it in.
func parseProtocol(s string) (string, *Error) {
	switch l := strings.ToLower(s); l {
	case "tcp", "6":
		return "tcp", nil
	case "udp", "17":
		return "udp", nil
	case "icmp", "1":
		return "icmp", nil
	case "icmpv6", "58":
		return "icmpv6", nil
	case "-1", "all":
		return "-1", nil
	default:
		if n, err := strconv.Atoi(l); err == nil && n >= 0 && n <= 255 {
			return strconv.Itoa(n), nil
		}
	}
	return "", errorf("InvalidPermission.Malformed", "Unsupported IP protocol \"%s\"  - supported: [tcp, udp, icmp, all]", clip(s))
}

// parsePorts reads the ports of a permission, or ICMP's type and code.
func parsePorts(protocol string, n *node) (from, to int, err *Error) {
	f, t := n.numPtr("FromPort"), n.numPtr("ToPort")
	switch protocol {
	case "tcp", "udp":
		if f == nil || t == nil {
			return 0, 0, errorf("MissingParameter", "The request must contain the parameter fromPort and toPort")
		}
		if *f == -1 && *t == -1 {
			return 0, 65535, nil
		}
		if *f < 0 || *t > 65535 || *f > *t {
			return 0, 0, errorf("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP. (%d to %d)", *f, *t)
		}
		return *f, *t, nil
	case "icmp", "icmpv6":
		from, to = -1, -1
		if f != nil {
			from = *f
		}
		if t != nil {
			to = *t
		}
		if from < -1 || from > 255 || to < -1 || to > 255 || from == -1 && to != -1 {
			return 0, 0, errorf("InvalidParameterValue", "ICMP code (%d) out of range", to)
		}
		return from, to, nil
	}
	return -1, -1, nil
}

// rulesOf reads the rules that an authorize or revoke names by their content.
func (c *call) rulesOf(g *SecurityGroup, egress bool) ([]GroupRule, *Error) {
	var out []GroupRule
	perms := c.in.list("IpPermissions")
	if len(perms) == 0 && (c.in.has("IpProtocol") || c.in.has("CidrIp") || c.in.has("SourceSecurityGroupName")) {
		return c.plainRules(g, egress)
	}
	for _, p := range perms {
		rules, err := c.permissionRules(p, egress)
		if err != nil {
			return nil, err
		}
		out = append(out, rules...)
	}
	return out, nil
}

// plainRules reads the old form of one rule as parameters of the action.
func (c *call) plainRules(g *SecurityGroup, egress bool) ([]GroupRule, *Error) {
	protocol, err := parseProtocol(c.in.or("IpProtocol", "-1"))
	if err != nil {
		return nil, err
	}
	r := GroupRule{Egress: egress, Protocol: protocol}
	if r.From, r.To, err = parsePorts(protocol, c.in); err != nil {
		return nil, err
	}
	if name := c.in.str("SourceSecurityGroupName"); name != "" {
		for _, o := range c.s.groups.all() {
			if o.VPC == g.VPC && (o.Name == name || o.ID == name) {
				r.GroupID, r.GroupOwner = o.ID, o.OwnerID
				return []GroupRule{r}, nil
			}
		}
		return nil, errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", clip(name))
	}
	cidr, ok := network4(c.in.str("CidrIp"))
	if !ok {
		return nil, errorf("InvalidParameterValue", "CIDR block %s is malformed", clip(c.in.str("CidrIp")))
	}
	r.CIDR = cidr
	return []GroupRule{r}, nil
}

func (c *call) permissionRules(p *node, egress bool) ([]GroupRule, *Error) {
	if p.str("IpProtocol") == "" {
		return nil, errorf("MissingParameter", "The request must contain the parameter ipProtocol")
	}
	protocol, err := parseProtocol(p.str("IpProtocol"))
	if err != nil {
		return nil, err
	}
	base := GroupRule{Egress: egress, Protocol: protocol}
	if base.From, base.To, err = parsePorts(protocol, p); err != nil {
		return nil, err
	}
	var out []GroupRule
	add := func(n *node, fill func(*GroupRule) *Error) *Error {
		r := base
		r.Description = n.str("Description")
		if !groupText(r.Description) {
			return errorf("InvalidParameterValue", "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
		}
		if err := fill(&r); err != nil {
			return err
		}
		out = append(out, r)
		return nil
	}
	for _, n := range p.list("IpRanges") {
		if err := add(n, func(r *GroupRule) *Error {
			cidr, ok := network4(n.str("CidrIp"))
			if !ok {
				return errorf("InvalidParameterValue", "CIDR block %s is malformed", clip(n.str("CidrIp")))
			}
			r.CIDR = cidr
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, n := range p.list("Ipv6Ranges") {
		if err := add(n, func(r *GroupRule) *Error {
			cidr, bad := netip.ParsePrefix(n.str("CidrIpv6"))
			if bad != nil || !cidr.Addr().Is6() {
				return errorf("InvalidParameterValue", "CIDR block %s is malformed", clip(n.str("CidrIpv6")))
			}
			r.CIDR = cidr.Masked()
			return nil
		}); err != nil {
			return nil, err
		}
	}
	for _, n := range p.list("Groups") {
		if err := add(n, func(r *GroupRule) *Error { return c.peerGroup(n, r) }); err != nil {
			return nil, err
		}
	}
	for _, n := range p.list("PrefixListIds") {
		if err := add(n, func(r *GroupRule) *Error {
			r.PrefixListID = n.str("PrefixListId")
			if c.s.prefixLists()[r.PrefixListID] == nil {
				return notFound("InvalidPrefixListID.NotFound", "prefix list", r.PrefixListID)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// peerGroup reads the group at the other end of a rule. Groups of other accounts are
// taken on trust, as peered VPCs have them.
func (c *call) peerGroup(n *node, r *GroupRule) *Error {
	id := n.str("GroupId")
	if id == "" {
		for _, o := range c.s.groups.all() {
			if v := c.s.vpcs.get(o.VPC); o.Name == n.str("GroupName") && v != nil && v.Default {
				id = o.ID
			}
		}
	}
	r.GroupID, r.GroupOwner = id, n.or("UserId", c.s.meta.AccountID)
	if r.GroupOwner == c.s.meta.AccountID {
		_, err := c.group(id)
		return err
	}
	return nil
}

func (c *call) authorize(egress bool) *Error {
	tags, err := c.specTags("security-group-rule")
	if err != nil {
		return err
	}
	old, err := c.groupOf()
	if err != nil {
		return err
	}
	add, err := c.rulesOf(old, egress)
	if err != nil {
		return err
	}
	if len(add) == 0 {
		return errorf("MissingParameter", "The request must contain the parameter ipPermissions")
	}
	g := *old
	g.Rules = slices.Clone(old.Rules)
	for i := range add {
		r := &add[i]
		if slices.ContainsFunc(g.Rules, func(o GroupRule) bool { return o.same(r) }) {
			return errorf("InvalidPermission.Duplicate", "the specified rule \"%s\" already exists", r.words())
		}
		r.ID, r.Tags = c.s.newID("sgr-"), tags
		g.Rules = append(g.Rules, *r)
	}
	if n := countRules(g.Rules, egress); n > maxGroupRules {
		return errorf("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	c.s.groups.put(&g)
	c.x.yes("return", true)
	eachXML(c.x, "securityGroupRuleSet", add, func(r GroupRule) { c.writeGroupRule(&g, &r) })
	return nil
}

func countRules(rules []GroupRule, egress bool) int {
	n := 0
	for _, r := range rules {
		if r.Egress == egress {
			n++
		}
	}
	return n
}

func (c *call) writeGroupRule(g *SecurityGroup, r *GroupRule) {
	x := c.x
	x.str("securityGroupRuleId", r.ID)
	x.str("securityGroupRuleArn", c.arn("security-group-rule/"+r.ID))
	x.str("groupId", g.ID)
	x.str("groupOwnerId", g.OwnerID)
	x.yes("isEgress", r.Egress)
	x.str("ipProtocol", r.Protocol)
	x.num("fromPort", r.From)
	x.num("toPort", r.To)
	switch {
	case r.CIDR.IsValid() && r.CIDR.Addr().Is4():
		x.str("cidrIpv4", r.CIDR.String())
	case r.CIDR.IsValid():
		x.str("cidrIpv6", r.CIDR.String())
	case r.PrefixListID != "":
		x.str("prefixListId", r.PrefixListID)
	default:
		x.group("referencedGroupInfo", func() {
			x.str("groupId", r.GroupID)
			x.str("userId", r.GroupOwner)
			if o := c.s.groups.get(r.GroupID); o != nil {
				x.str("vpcId", o.VPC)
			}
		})
	}
	x.opt("description", r.Description)
	c.writeTags(r.Tags)
}

func (c *call) revoke(egress bool) *Error {
	old, err := c.groupOf()
	if err != nil {
		return err
	}
	g := *old
	g.Rules = slices.Clone(old.Rules)
	var gone []GroupRule
	take := func(match func(GroupRule) bool) bool {
		i := slices.IndexFunc(g.Rules, match)
		if i < 0 {
			return false
		}
		gone = append(gone, g.Rules[i])
		g.Rules = slices.Delete(g.Rules, i, i+1)
		return true
	}
	for _, id := range c.in.strs("SecurityGroupRuleId") {
		if !take(func(r GroupRule) bool { return r.ID == id && r.Egress == egress }) {
			return errorf("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", clip(id))
		}
	}
	rules, err := c.rulesOf(old, egress)
	if err != nil {
		return err
	}
	for i := range rules {
		if !take(func(o GroupRule) bool { return o.same(&rules[i]) }) {
			return errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
	}
	if len(gone) == 0 {
		return errorf("MissingParameter", "The request must contain the parameter ipPermissions")
	}
	c.s.groups.put(&g)
	c.x.yes("return", true)
	eachXML(c.x, "revokedSecurityGroupRuleSet", gone, func(r GroupRule) {
		x := c.x
		x.str("securityGroupRuleId", r.ID)
		x.str("groupId", g.ID)
		x.yes("isEgress", r.Egress)
		x.str("ipProtocol", r.Protocol)
		x.num("fromPort", r.From)
		x.num("toPort", r.To)
		if r.CIDR.IsValid() && r.CIDR.Addr().Is4() {
			x.str("cidrIpv4", r.CIDR.String())
		} else if r.CIDR.IsValid() {
			x.str("cidrIpv6", r.CIDR.String())
		}
		x.opt("prefixListId", r.PrefixListID)
		x.opt("referencedGroupId", r.GroupID)
		x.opt("description", r.Description)
	})
	return nil
}

// groupRuleRow is a rule with its group, for describes of rules.
type groupRuleRow struct {
	g   *SecurityGroup
	r   *GroupRule
	seq uint64
}

func (c *call) describeGroupRules() *Error {
	var rows []*groupRuleRow
	for _, g := range c.s.groups.all() {
		for i := range g.Rules {
			rows = append(rows, &groupRuleRow{g: g, r: &g.Rules[i], seq: uint64(len(rows) + 1)})
		}
	}
	if want := c.in.strs("SecurityGroupRuleId"); len(want) > 0 {
		byID := map[string]*groupRuleRow{}
		for _, r := range rows {
			byID[r.r.ID] = r
		}
		keep := map[string]bool{}
		for _, id := range want {
			if byID[id] == nil {
				return errorf("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", clip(id))
			}
			keep[id] = true
		}
		rows = slices.DeleteFunc(rows, func(r *groupRuleRow) bool { return !keep[r.r.ID] })
	}
	rows, err := filter(c, rows, func(r *groupRuleRow, name string) ([]string, bool) {
		switch name {
		case "group-id":
			return one(r.g.ID), true
		case "security-group-rule-id":
			return one(r.r.ID), true
		}
		return filterTags(r.r.Tags, name)
	})
	if err != nil {
		return err
	}
	rows, next, err := page(c, rows, func(r *groupRuleRow) uint64 { return r.seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "securityGroupRuleSet", rows, func(r *groupRuleRow) { c.writeGroupRule(r.g, r.r) })
	c.x.opt("nextToken", next)
	return nil
}

func (c *call) modifyGroupRules() *Error {
	old, err := c.groupOf()
	if err != nil {
		return err
	}
	g := *old
	g.Rules = slices.Clone(old.Rules)
	for _, n := range c.in.list("SecurityGroupRule") {
		id := n.str("SecurityGroupRuleId")
		i := slices.IndexFunc(g.Rules, func(r GroupRule) bool { return r.ID == id })
		if i < 0 {
			return errorf("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", clip(id))
		}
		r, err := c.ruleRequest(n.get("SecurityGroupRule"), g.Rules[i])
		if err != nil {
			return err
		}
		for j := range g.Rules {
			if j != i && g.Rules[j].same(&r) {
				return errorf("InvalidPermission.Duplicate", "the specified rule \"%s\" already exists", r.words())
			}
		}
		g.Rules[i] = r
	}
	c.s.groups.put(&g)
	c.x.yes("return", true)
	return nil
}

// ruleRequest reads the new content of a rule; its direction, id and tags stay.
func (c *call) ruleRequest(n *node, old GroupRule) (GroupRule, *Error) {
	r := GroupRule{ID: old.ID, Egress: old.Egress, Tags: old.Tags, Description: n.str("Description")}
	var err *Error
	if r.Protocol, err = parseProtocol(n.or("IpProtocol", "-1")); err != nil {
		return r, err
	}
	if r.From, r.To, err = parsePorts(r.Protocol, n); err != nil {
		return r, err
	}
	switch {
	case n.has("CidrIpv4"):
		cidr, ok := network4(n.str("CidrIpv4"))
		if !ok {
			return r, errorf("InvalidParameterValue", "CIDR block %s is malformed", clip(n.str("CidrIpv4")))
		}
		r.CIDR = cidr
	case n.has("CidrIpv6"):
		cidr, bad := netip.ParsePrefix(n.str("CidrIpv6"))
		if bad != nil || !cidr.Addr().Is6() {
			return r, errorf("InvalidParameterValue", "CIDR block %s is malformed", clip(n.str("CidrIpv6")))
		}
		r.CIDR = cidr.Masked()
	case n.has("PrefixListId"):
		r.PrefixListID = n.str("PrefixListId")
	case n.has("ReferencedGroupId"):
		r.GroupID, r.GroupOwner = n.str("ReferencedGroupId"), c.s.meta.AccountID
		if _, err := c.group(r.GroupID); err != nil {
			return r, err
		}
	default:
		return r, errorf("MissingParameter", "A rule must have one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId")
	}
	return r, nil
}

// redescribe changes only the descriptions of rules.
func (c *call) redescribe(egress bool) *Error {
	old, err := c.groupOf()
	if err != nil {
		return err
	}
	g := *old
	g.Rules = slices.Clone(old.Rules)
	for _, n := range c.in.list("SecurityGroupRuleDescription") {
		i := slices.IndexFunc(g.Rules, func(r GroupRule) bool { return r.ID == n.str("SecurityGroupRuleId") })
		if i < 0 {
			return errorf("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", clip(n.str("SecurityGroupRuleId")))
		}
		g.Rules[i].Description = n.str("Description")
	}
	rules, err := c.rulesOf(old, egress)
	if err != nil {
		return err
	}
	for k := range rules {
		i := slices.IndexFunc(g.Rules, func(o GroupRule) bool { return o.same(&rules[k]) })
		if i < 0 {
			return errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		g.Rules[i].Description = rules[k].Description
	}
	c.s.groups.put(&g)
	c.x.yes("return", true)
	return nil
}
