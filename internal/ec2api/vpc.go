package ec2api

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mirador/internal/mirror"
)

func vpcActions() []action {
	return []action{
		write("CreateVpc", (*call).createVPC, "InvalidVpc.Range", "TagLimitExceeded"),
		write("CreateDefaultVpc", (*call).createDefault, "DefaultVpcAlreadyExists"),
		write("DeleteVpc", (*call).deleteVPC, "DependencyViolation", "InvalidVpcID.NotFound"),
		read("DescribeVpcs", (*call).describeVPCs, "InvalidVpcID.NotFound", "InvalidPaginationToken"),
		read("DescribeVpcAttribute", (*call).describeVPCAttribute, "InvalidVpcID.NotFound"),
		write("ModifyVpcAttribute", (*call).modifyVPCAttribute, "InvalidVpcID.NotFound"),
		write("AssociateVpcCidrBlock", (*call).associateVPC, "InvalidVpcID.NotFound", "InvalidVpc.Range", "CidrConflict"),
		write("DisassociateVpcCidrBlock", (*call).disassociateVPC, "InvalidVpcCidrBlockAssociationID.NotFound", "OperationNotPermitted"),
	}
}

func vpcIDs() ids {
	return ids{param: "VpcId", prefix: "vpc-", notFound: "InvalidVpcID.NotFound", what: "vpc"}
}

// vpc returns the VPC that the parameter names.
func (c *call) vpc(id string) (*VPC, *Error) { return find(c.s.vpcs, id, vpcIDs()) }

// network4 reads an IPv4 block and clears its host bits, as EC2 does.
func network4(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return p, false
	}
	return p.Masked(), true
}

func (s *state) dhcpOptions() string { return "dopt-" + (s.meta.AccountID + "00000")[:17] }

// newVPC makes a VPC and what comes with it: main route table, default network ACL,
// default security group.
func (s *state) newVPC(now time.Time, cidr netip.Prefix, tags []mirror.Tag) *VPC {
	v := &VPC{
		Resource: s.res(s.newID("vpc-"), now, tags), Tenancy: "default", DNSSupport: true, DHCPOptions: s.dhcpOptions(),
		CIDRs: []CIDRAssociation{{ID: s.newID("vpc-cidr-assoc-"), CIDR: cidr}},
	}
	s.vpcs.put(v)
	s.routeTables.put(&RouteTable{
		Resource: s.res(s.newID("rtb-"), now, nil), VPC: v.ID, Routes: []Route{{CIDR: cidr, Target: "local", Origin: "CreateRouteTable"}},
		Associations: []Association{{ID: s.newID("rtbassoc-"), Main: true}},
	})
	acl := &NetworkACL{Resource: s.res(s.newID("acl-"), now, nil), VPC: v.ID, Default: true}
	acl.Entries = append([]ACLEntry{
		{Number: 100, Egress: true, Allow: true, Protocol: -1, CIDR: anyIPv4()},
		{Number: 100, Allow: true, Protocol: -1, CIDR: anyIPv4()},
	}, lastEntries()...)
	s.acls.put(acl)
	s.newGroup(now, v, "default", "default VPC security group", nil)
	return v
}

func anyIPv4() netip.Prefix { return netip.PrefixFrom(netip.IPv4Unspecified(), 0) }
func anyIPv6() netip.Prefix { return netip.PrefixFrom(netip.IPv6Unspecified(), 0) }

// createDefaultVPC makes the VPC that every account has: 172.31.0.0/16 with a subnet in
// each zone, an internet gateway and a route to it.
func (s *state) createDefaultVPC(now time.Time) *VPC {
	v := *s.newVPC(now, netip.MustParsePrefix("172.31.0.0/16"), nil)
	v.Default, v.DNSHostnames = true, true
	s.vpcs.put(&v)
	gw := &InternetGateway{Resource: s.res(s.newID("igw-"), now, nil), VPC: v.ID}
	s.gateways.put(gw)
	t := *s.mainTable(v.ID)
	t.Routes = append(slices.Clone(t.Routes), Route{CIDR: anyIPv4(), Target: gw.ID, Origin: "CreateRoute"})
	s.routeTables.put(&t)
	for i, z := range s.zones() {
		sub := s.newSubnet(now, &v, netip.MustParsePrefix(fmt.Sprintf("172.31.%d.0/20", 16*i)), z.name, nil)
		sub.DefaultForAZ, sub.MapPublicIP = true, true
		s.putSubnet(sub)
	}
	return &v
}

func (c *call) createVPC() *Error {
	tags, err := c.specTags("vpc")
	if err != nil {
		return err
	}
	text := c.in.str("CidrBlock")
	if text == "" {
		return errorf("MissingParameter", "The request must contain the parameter cidrBlock")
	}
	cidr, err := vpcRange(text)
	if err != nil {
		return err
	}
	v := *c.s.newVPC(c.now, cidr, tags)
	v.Tenancy = c.in.or("InstanceTenancy", "default")
	if c.in.yes("AmazonProvidedIpv6CidrBlock") {
		v.IPv6 = []CIDRAssociation{c.s.amazonIPv6()}
		c.s.openIPv6(&v)
	}
	c.s.vpcs.put(&v)
	c.x.group("vpc", func() { c.writeVPC(&v, "pending") })
	return nil
}

// amazonIPv6 makes up a /56 of the documentation's range.
func (s *state) amazonIPv6() CIDRAssociation {
	a := netip.MustParseAddr("2001:db8::").As16()
	s.rand(a[4:7])
	return CIDRAssociation{ID: s.newID("vpc-cidr-assoc-"), CIDR: netip.PrefixFrom(netip.AddrFrom16(a), 56)}
}

// openIPv6 does what AWS does when a VPC gets an IPv6 block: a local route, entries for IPv6
// in its network ACLs, and all IPv6 egress in groups that let all IPv4 out.
func (s *state) openIPv6(v *VPC) {
	s.addLocalRoute(v.ID, v.IPv6[0].CIDR)
	for _, old := range s.acls.all() {
		if old.VPC != v.ID || slices.ContainsFunc(old.Entries, func(e ACLEntry) bool { return e.Number == lastIPv6 }) {
			continue
		}
		a := *old
		a.Entries = slices.Clone(old.Entries)
		for _, egress := range []bool{true, false} {
			taken := slices.ContainsFunc(a.Entries, func(e ACLEntry) bool { return e.Number == 101 && e.Egress == egress })
			if a.Default && !taken {
				a.Entries = append(a.Entries, ACLEntry{Number: 101, Egress: egress, Allow: true, Protocol: -1, CIDR: anyIPv6()})
			}
			a.Entries = append(a.Entries, ACLEntry{Number: lastIPv6, Egress: egress, Protocol: -1, CIDR: anyIPv6()})
		}
		sortEntries(a.Entries)
		s.acls.put(&a)
	}
	for _, old := range s.groups.all() {
		open4 := slices.ContainsFunc(old.Rules, func(r GroupRule) bool { return r.Egress && r.Protocol == "-1" && r.CIDR == anyIPv4() })
		open6 := slices.ContainsFunc(old.Rules, func(r GroupRule) bool { return r.Egress && r.Protocol == "-1" && r.CIDR == anyIPv6() })
		if old.VPC == v.ID && open4 && !open6 {
			g := *old
			g.Rules = append(slices.Clone(old.Rules), GroupRule{ID: s.newID("sgr-"), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: anyIPv6()})
			s.groups.put(&g)
		}
	}
}

// addLocalRoute adds a route inside a VPC to all its tables.
func (s *state) addLocalRoute(vpc string, cidr netip.Prefix) {
	for _, t := range s.routeTables.all() {
		if t.VPC == vpc {
			n := *t
			n.Routes = append(slices.Clone(t.Routes), Route{CIDR: cidr, Target: "local", Origin: "CreateRouteTable"})
			s.routeTables.put(&n)
		}
	}
}

func vpcRange(text string) (netip.Prefix, *Error) {
	cidr, ok := network4(text)
	if !ok {
		return cidr, errorf("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", clip(text))
	}
	if cidr.Bits() < 16 || cidr.Bits() > 28 {
		return cidr, errorf("InvalidVpc.Range", "The CIDR '%s' is invalid.", cidr)
	}
	return cidr, nil
}

func (c *call) createDefault() *Error {
	for _, v := range c.s.vpcs.all() {
		if v.Default {
			return errorf("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
		}
	}
	v := c.s.createDefaultVPC(c.now)
	c.x.group("vpc", func() { c.writeVPC(v, "pending") })
	return nil
}

func (c *call) writeVPC(v *VPC, state string) {
	x := c.x
	x.str("vpcId", v.ID)
	x.str("ownerId", v.OwnerID)
	x.str("state", state)
	x.str("cidrBlock", v.CIDRs[0].CIDR.String())
	eachXML(x, "cidrBlockAssociationSet", v.CIDRs, func(a CIDRAssociation) { c.writeAssociation("cidrBlock", "cidrBlockState", a) })
	if len(v.IPv6) > 0 {
		eachXML(x, "ipv6CidrBlockAssociationSet", v.IPv6, func(a CIDRAssociation) {
			c.writeAssociation("ipv6CidrBlock", "ipv6CidrBlockState", a)
			x.str("networkBorderGroup", c.s.meta.Region)
			x.str("ipv6Pool", "Amazon")
		})
	}
	x.str("dhcpOptionsId", v.DHCPOptions)
	x.str("instanceTenancy", v.Tenancy)
	x.yes("isDefault", v.Default)
	c.writeTags(v.Tags)
}

func (c *call) writeAssociation(block, state string, a CIDRAssociation) {
	c.x.str("associationId", a.ID)
	c.x.str(block, a.CIDR.String())
	c.x.group(state, func() { c.x.str("state", "associated") })
}

// deleteVPC removes a VPC that only has what came with it.
func (c *call) deleteVPC() *Error {
	v, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	if c.s.vpcInUse(v.ID) {
		return errorf("DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted.", v.ID)
	}
	for _, t := range c.s.routeTables.all() {
		if t.VPC == v.ID {
			c.s.routeTables.del(t.ID)
		}
	}
	for _, a := range c.s.acls.all() {
		if a.VPC == v.ID {
			c.s.acls.del(a.ID)
		}
	}
	for _, g := range c.s.groups.all() {
		if g.VPC == v.ID {
			c.s.groups.del(g.ID)
		}
	}
	for _, p := range c.s.peerings.all() {
		if (p.Requester == v.ID || p.Accepter == v.ID) && p.State != "deleted" {
			n := *p
			n.State, n.StateAt = "deleted", c.stamp()
			c.putPeering(&n)
		}
	}
	c.s.vpcs.del(v.ID)
	c.x.yes("return", true)
	return nil
}

func (s *state) vpcInUse(id string) bool {
	in := func(vpc string) bool { return vpc == id }
	return slices.ContainsFunc(s.subnets.all(), func(o *Subnet) bool { return in(o.VPC) }) ||
		slices.ContainsFunc(s.gateways.all(), func(o *InternetGateway) bool { return in(o.VPC) }) ||
		slices.ContainsFunc(s.groups.all(), func(o *SecurityGroup) bool { return in(o.VPC) && o.Name != "default" }) ||
		slices.ContainsFunc(s.acls.all(), func(o *NetworkACL) bool { return in(o.VPC) && !o.Default }) ||
		slices.ContainsFunc(s.routeTables.all(), func(o *RouteTable) bool { return in(o.VPC) && !o.main() }) ||
		slices.ContainsFunc(s.endpoints.all(), func(o *VPCEndpoint) bool { return in(o.VPC) }) ||
		slices.ContainsFunc(s.egressGateways.all(), func(o *EgressGateway) bool { return in(o.VPC) }) ||
		slices.ContainsFunc(s.enis.all(), func(o *NetworkInterface) bool { return in(o.VPC) })
}

func (c *call) describeVPCs() *Error {
	return describe(c, c.s.vpcs, vpcIDs(), func(v *VPC, name string) ([]string, bool) {
		switch name {
		case "cidr":
			return one(v.CIDRs[0].CIDR.String()), true
		case "cidr-block-association.cidr-block":
			return cidrs(v.CIDRs), true
		case "cidr-block-association.association-id":
			return associationIDs(v.CIDRs), true
		case "cidr-block-association.state":
			return one("associated"), true
		case "ipv6-cidr-block-association.ipv6-cidr-block":
			return cidrs(v.IPv6), true
		case "ipv6-cidr-block-association.association-id":
			return associationIDs(v.IPv6), true
		case "ipv6-cidr-block-association.ipv6-pool":
			if len(v.IPv6) > 0 {
				return one("Amazon"), true
			}
			return nil, true
		case "ipv6-cidr-block-association.state":
			if len(v.IPv6) > 0 {
				return one("associated"), true
			}
			return nil, true
		case "dhcp-options-id":
			return one(v.DHCPOptions), true
		case "is-default":
			return yesno(v.Default), true
		case "owner-id":
			return one(v.OwnerID), true
		case "state":
			return one("available"), true
		case "vpc-id":
			return one(v.ID), true
		}
		return nil, false
	}, "vpcSet", func(v *VPC) { c.writeVPC(v, "available") })
}

func cidrs(list []CIDRAssociation) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.CIDR.String())
	}
	return out
}

func associationIDs(list []CIDRAssociation) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

func (c *call) describeVPCAttribute() *Error {
	v, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	c.x.str("vpcId", v.ID)
	name := c.in.str("Attribute")
	value, ok := map[string]bool{
		"enableDnsSupport": v.DNSSupport, "enableDnsHostnames": v.DNSHostnames, "enableNetworkAddressUsageMetrics": v.UsageMetrics,
	}[name]
	if !ok {
		return errorf("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.", clip(name))
	}
	c.x.group(name, func() { c.x.yes("value", value) })
	return nil
}

func (c *call) modifyVPCAttribute() *Error {
	old, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	v, set := *old, 0
	for name, field := range map[string]*bool{
		"EnableDnsSupport": &v.DNSSupport, "EnableDnsHostnames": &v.DNSHostnames, "EnableNetworkAddressUsageMetrics": &v.UsageMetrics,
	} {
		if c.in.has(name) {
			*field = c.in.yes(name + ".Value")
			set++
		}
	}
	if set != 1 {
		return errorf("InvalidParameterCombination", "Exactly one attribute can be modified in a call")
	}
	c.s.vpcs.put(&v)
	c.x.yes("return", true)
	return nil
}

func (c *call) associateVPC() *Error {
	old, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	v := *old
	c.x.str("vpcId", v.ID)
	if c.in.yes("AmazonProvidedIpv6CidrBlock") {
		if len(v.IPv6) > 0 {
			return errorf("InvalidParameterValue", "The VPC %s has the maximum of Amazon-provided IPv6 CIDR blocks", v.ID)
		}
		a := c.s.amazonIPv6()
		v.IPv6 = []CIDRAssociation{a}
		c.s.vpcs.put(&v)
		c.s.openIPv6(&v)
		c.x.group("ipv6CidrBlockAssociation", func() {
			c.x.str("associationId", a.ID)
			c.x.str("ipv6CidrBlock", a.CIDR.String())
			c.x.group("ipv6CidrBlockState", func() { c.x.str("state", "associating") })
			c.x.str("ipv6Pool", "Amazon")
			c.x.str("networkBorderGroup", c.s.meta.Region)
		})
		return nil
	}
	if !c.in.has("CidrBlock") {
		return errorf("MissingParameter", "Either 'cidrBlock' or 'amazonProvidedIpv6CidrBlock' should be provided.")
	}
	cidr, err := vpcRange(c.in.str("CidrBlock"))
	if err != nil {
		return err
	}
	for _, a := range v.CIDRs {
		if a.CIDR.Overlaps(cidr) {
			return errorf("CidrConflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
	}
	a := CIDRAssociation{ID: c.s.newID("vpc-cidr-assoc-"), CIDR: cidr}
	v.CIDRs = append(slices.Clone(v.CIDRs), a)
	c.s.vpcs.put(&v)
	c.s.addLocalRoute(v.ID, cidr)
	c.x.group("cidrBlockAssociation", func() {
		c.x.str("associationId", a.ID)
		c.x.str("cidrBlock", cidr.String())
		c.x.group("cidrBlockState", func() { c.x.str("state", "associating") })
	})
	return nil
}

func (c *call) disassociateVPC() *Error {
	id := c.in.str("AssociationId")
	same := func(a CIDRAssociation) bool { return a.ID == id }
	for _, old := range c.s.vpcs.all() {
		v := *old
		for _, family := range []*[]CIDRAssociation{&v.CIDRs, &v.IPv6} {
			i := slices.IndexFunc(*family, same)
			if i < 0 {
				continue
			}
			a := (*family)[i]
			if family == &v.CIDRs && i == 0 {
				return errorf("OperationNotPermitted", "The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", id)
			}
			for _, sub := range c.s.subnets.all() {
				if sub.VPC == v.ID && (a.CIDR.Overlaps(sub.CIDR) || slices.ContainsFunc(sub.IPv6, func(b CIDRAssociation) bool { return a.CIDR.Overlaps(b.CIDR) })) {
					return errorf("InvalidCidrBlock.InUse", "The vpc %s currently has a subnet within CIDR block %s", v.ID, a.CIDR)
				}
			}
			*family = slices.Delete(slices.Clone(*family), i, i+1)
			c.s.vpcs.put(&v)
			c.s.dropLocalRoute(v.ID, a.CIDR)
			c.x.str("vpcId", v.ID)
			name, block, state := "cidrBlockAssociation", "cidrBlock", "cidrBlockState"
			if a.CIDR.Addr().Is6() {
				name, block, state = "ipv6CidrBlockAssociation", "ipv6CidrBlock", "ipv6CidrBlockState"
			}
			c.x.group(name, func() {
				c.x.str("associationId", a.ID)
				c.x.str(block, a.CIDR.String())
				c.x.group(state, func() { c.x.str("state", "disassociating") })
			})
			return nil
		}
	}
	return notFound("InvalidVpcCidrBlockAssociationID.NotFound", "vpc CIDR block association", id)
}

func (s *state) dropLocalRoute(vpc string, cidr netip.Prefix) {
	for _, t := range s.routeTables.all() {
		if t.VPC == vpc {
			n := *t
			n.Routes = slices.DeleteFunc(slices.Clone(t.Routes), func(r Route) bool { return r.Target == "local" && r.CIDR == cidr })
			s.routeTables.put(&n)
		}
	}
}

// describeDHCP shows the one set of options that there is.
// zone is an availability zone.
type zone struct{ name, id string }

// zones are those of the region: a, b and c.
func (s *state) zones() []zone {
	r := s.meta.Region
	short := strings.NewReplacer("north", "n", "south", "s", "east", "e", "west", "w", "central", "c", "-", "").Replace(r)
	var out []zone
	for i, letter := range "abc" {
		out = append(out, zone{name: r + string(letter), id: fmt.Sprintf("%s-az%d", short, i+1)})
	}
	return out
}

func (s *state) zoneID(name string) string {
	for _, z := range s.zones() {
		if z.name == name {
			return z.id
		}
	}
	return ""
}
