package ec2api

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

func aclActions() []action {
	const acl = "InvalidNetworkAclID.NotFound"
	return []action{
		write("CreateNetworkAcl", (*call).createACL, "InvalidVpcID.NotFound", "IdempotentParameterMismatch"),
		write("DeleteNetworkAcl", (*call).deleteACL, acl, "DependencyViolation"),
		read("DescribeNetworkAcls", (*call).describeACLs, acl, "InvalidPaginationToken"),
		write("CreateNetworkAclEntry", func(c *call) *Error { return c.setEntry(false) }, acl, "NetworkAclEntryAlreadyExists", "NetworkAclEntryLimitExceeded"),
		write("ReplaceNetworkAclEntry", func(c *call) *Error { return c.setEntry(true) }, acl, "InvalidNetworkAclEntry.NotFound"),
		write("DeleteNetworkAclEntry", (*call).deleteEntry, acl, "InvalidNetworkAclEntry.NotFound"),
		write("ReplaceNetworkAclAssociation", (*call).replaceACL, acl, "InvalidAssociationID.NotFound"),
	}
}

// maxEntries is AWS's highest quota of entries of a network ACL per direction.
const maxEntries = 40

// lastIPv6 is the number of the entry "*" for IPv6, in VPCs that have it.
const lastIPv6 = mirror.ACLLast + 1

// lastEntries are the entries "*", which deny what no other decided.
func lastEntries() []ACLEntry {
	return []ACLEntry{
		{Number: mirror.ACLLast, Egress: true, Protocol: -1, CIDR: anyIPv4()},
		{Number: mirror.ACLLast, Protocol: -1, CIDR: anyIPv4()},
	}
}

func (c *call) acl(id string) (*NetworkACL, *Error) {
	if a := c.s.acls.get(id); a != nil {
		return a, nil
	}
	return nil, errorf("InvalidNetworkAclID.NotFound", "The networkAcl ID '%s' does not exist", clip(id))
}

func (c *call) createACL() *Error {
	a, err := create(c, c.s.acls, "network-acl", func(tags []mirror.Tag) (*NetworkACL, *Error) {
		v, err := c.vpc(c.in.str("VpcId"))
		if err != nil {
			return nil, err
		}
		a := &NetworkACL{Resource: c.s.res(c.s.newID("acl-"), c.now, tags), VPC: v.ID, Entries: lastEntries()}
		if len(v.IPv6) > 0 {
			for _, egress := range []bool{true, false} {
				a.Entries = append(a.Entries, ACLEntry{Number: lastIPv6, Egress: egress, Protocol: -1, CIDR: anyIPv6()})
			}
			sortEntries(a.Entries)
		}
		return a, nil
	})
	if err != nil {
		return err
	}
	c.x.group("networkAcl", func() { c.writeACL(a) })
	c.token()
	return nil
}

func (c *call) deleteACL() *Error {
	a, err := c.acl(c.in.str("NetworkAclId"))
	if err != nil {
		return err
	}
	if a.Default {
		return errorf("InvalidParameterValue", "cannot delete default network ACL %s", a.ID)
	}
	if len(a.Associations) > 0 {
		return errorf("DependencyViolation", "The networkAcl '%s' has dependencies and cannot be deleted.", a.ID)
	}
	c.s.acls.del(a.ID)
	c.x.yes("return", true)
	return nil
}

func (c *call) writeACL(a *NetworkACL) {
	x := c.x
	x.str("networkAclId", a.ID)
	x.str("vpcId", a.VPC)
	x.yes("default", a.Default)
	x.str("ownerId", a.OwnerID)
	eachXML(x, "entrySet", a.Entries, func(e ACLEntry) {
		x.num("ruleNumber", e.Number)
		x.str("protocol", strconv.Itoa(e.Protocol))
		x.str("ruleAction", e.action())
		x.yes("egress", e.Egress)
		if e.CIDR.Addr().Is4() {
			x.str("cidrBlock", e.CIDR.String())
		} else {
			x.str("ipv6CidrBlock", e.CIDR.String())
		}
		if e.Ports != nil {
			x.group("portRange", func() { x.num("from", e.Ports.From); x.num("to", e.Ports.To) })
		}
		if e.ICMPType != nil {
			x.group("icmpTypeCode", func() { x.num("code", *e.ICMPCode); x.num("type", *e.ICMPType) })
		}
	})
	eachXML(x, "associationSet", a.Associations, func(s Association) {
		x.str("networkAclAssociationId", s.ID)
		x.str("networkAclId", a.ID)
		x.str("subnetId", s.Subnet)
	})
	c.writeTags(a.Tags)
}

func (e *ACLEntry) action() string {
	if e.Allow {
		return "allow"
	}
	return "deny"
}

func (c *call) describeACLs() *Error {
	by := ids{param: "NetworkAclId", prefix: "acl-", notFound: "InvalidNetworkAclID.NotFound", what: "networkAcl"}
	return describe(c, c.s.acls, by, aclAttribute, "networkAclSet", c.writeACL)
}

func aclAttribute(a *NetworkACL, name string) ([]string, bool) {
	switch name {
	case "default":
		return yesno(a.Default), true
	case "network-acl-id", "association.network-acl-id":
		return one(a.ID), true
	case "owner-id":
		return one(a.OwnerID), true
	case "vpc-id":
		return one(a.VPC), true
	}
	var out []string
	if field, ok := strings.CutPrefix(name, "association."); ok {
		for _, s := range a.Associations {
			switch field {
			case "association-id":
				out = append(out, s.ID)
			case "subnet-id":
				out = append(out, s.Subnet)
			default:
				return nil, false
			}
		}
		return out, true
	}
	field, ok := strings.CutPrefix(name, "entry.")
	if !ok {
		return nil, false
	}
	for _, e := range a.Entries {
		switch field {
		case "cidr", "ipv6-cidr":
			if e.CIDR.Addr().Is4() == (field == "cidr") {
				out = append(out, e.CIDR.String())
			}
		case "egress":
			out = append(out, yesno(e.Egress)...)
		case "protocol":
			out = append(out, strconv.Itoa(e.Protocol))
		case "rule-action":
			out = append(out, e.action())
		case "rule-number":
			out = append(out, strconv.Itoa(e.Number))
		case "port-range.from", "port-range.to":
			if e.Ports != nil && field == "port-range.from" {
				out = append(out, strconv.Itoa(e.Ports.From))
			} else if e.Ports != nil {
				out = append(out, strconv.Itoa(e.Ports.To))
			}
		case "icmp.code", "icmp.type":
			if e.ICMPType != nil && field == "icmp.type" {
				out = append(out, strconv.Itoa(*e.ICMPType))
			} else if e.ICMPCode != nil {
				out = append(out, strconv.Itoa(*e.ICMPCode))
			}
		default:
			return nil, false
		}
	}
	return out, true
}

// entry reads the entry that a call wants.
func (c *call) entry() (ACLEntry, *Error) {
	in := c.in
	e := ACLEntry{Number: in.num("RuleNumber", 0), Egress: in.yes("Egress"), Allow: in.str("RuleAction") == "allow"}
	if e.Number < 1 || e.Number > 32766 {
		return e, errorf("InvalidParameterValue", "Invalid value '%d' for rule number. Valid rule numbers are 1 to 32766", e.Number)
	}
	protocol, err := parseProtocol(in.str("Protocol"))
	if err != nil {
		return e, errorf("InvalidParameterValue", "Invalid value '%s' for IP protocol. Unknown protocol.", clip(in.str("Protocol")))
	}
	e.Protocol = ProtocolNumber(protocol)
	switch {
	case in.has("CidrBlock") && in.has("Ipv6CidrBlock"):
		return e, errorf("InvalidParameterCombination", "Only one of cidrBlock and ipv6CidrBlock can be given")
	case in.has("Ipv6CidrBlock"):
		p, bad := netip.ParsePrefix(in.str("Ipv6CidrBlock"))
		if bad != nil || !p.Addr().Is6() {
			return e, errorf("InvalidParameterValue", "Value (%s) for parameter ipv6CidrBlock is invalid. This is not a valid CIDR block.", clip(in.str("Ipv6CidrBlock")))
		}
		e.CIDR = p.Masked()
	case in.has("CidrBlock"):
		p, ok := network4(in.str("CidrBlock"))
		if !ok {
			return e, errorf("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", clip(in.str("CidrBlock")))
		}
		e.CIDR = p
	default:
		return e, errorf("MissingParameter", "Either 'cidrBlock' or 'ipv6CidrBlock' must be defined")
	}
	switch e.Protocol {
	case 6, 17:
		from, to := in.numPtr("PortRange.From"), in.numPtr("PortRange.To")
		if from == nil || to == nil {
			return e, errorf("MissingParameter", "The request must contain the parameter portRange")
		}
		if *from < 0 || *to > 65535 || *from > *to {
			return e, errorf("InvalidParameterValue", "Invalid port range %d-%d", *from, *to)
		}
		e.Ports = &mirror.PortRange{From: *from, To: *to}
	case 1, 58:
		typ, code := in.num("Icmp.Type", -1), in.num("Icmp.Code", -1)
		if typ < -1 || typ > 255 || code < -1 || code > 255 {
			return e, errorf("InvalidParameterValue", "Invalid ICMP type or code")
		}
		e.ICMPType, e.ICMPCode = &typ, &code
	}
	return e, nil
}

func (c *call) setEntry(replace bool) *Error {
	old, err := c.acl(c.in.str("NetworkAclId"))
	if err != nil {
		return err
	}
	e, err := c.entry()
	if err != nil {
		return err
	}
	a := *old
	a.Entries = slices.Clone(old.Entries)
	i := slices.IndexFunc(a.Entries, func(o ACLEntry) bool { return o.Number == e.Number && o.Egress == e.Egress })
	switch {
	case replace && i < 0:
		return errorf("InvalidNetworkAclEntry.NotFound", "The network acl entry identified by %d does not exist.", e.Number)
	case replace:
		a.Entries[i] = e
	case i >= 0:
		return errorf("NetworkAclEntryAlreadyExists", "The network acl entry identified by %d already exists.", e.Number)
	default:
		n := 0
		for _, o := range a.Entries {
			if o.Egress == e.Egress {
				n++
			}
		}
		if n > maxEntries {
			return errorf("NetworkAclEntryLimitExceeded", "The maximum number of entries of the network ACL has been reached.")
		}
		a.Entries = append(a.Entries, e)
		sortEntries(a.Entries)
	}
	c.s.acls.put(&a)
	c.x.yes("return", true)
	return nil
}

// sortEntries orders entries as AWS lists them: egress first, then by number.
func sortEntries(list []ACLEntry) {
	slices.SortStableFunc(list, func(x, y ACLEntry) int {
		if x.Egress != y.Egress {
			if x.Egress {
				return -1
			}
			return 1
		}
		return x.Number - y.Number
	})
}

func (c *call) deleteEntry() *Error {
	old, err := c.acl(c.in.str("NetworkAclId"))
	if err != nil {
		return err
	}
	number, egress := c.in.num("RuleNumber", 0), c.in.yes("Egress")
	i := slices.IndexFunc(old.Entries, func(o ACLEntry) bool { return o.Number == number && o.Egress == egress })
	if i < 0 || number >= mirror.ACLLast {
		return errorf("InvalidNetworkAclEntry.NotFound", "The network acl entry identified by %d does not exist.", number)
	}
	a := *old
	a.Entries = slices.Delete(slices.Clone(old.Entries), i, i+1)
	c.s.acls.put(&a)
	c.x.yes("return", true)
	return nil
}

func (c *call) replaceACL() *Error {
	to, err := c.acl(c.in.str("NetworkAclId"))
	if err != nil {
		return err
	}
	id := c.in.str("AssociationId")
	for _, old := range c.s.acls.all() {
		i := slices.IndexFunc(old.Associations, func(a Association) bool { return a.ID == id })
		if i < 0 {
			continue
		}
		if old.VPC != to.VPC {
			return errorf("InvalidParameterValue", "The network ACL %s is in another VPC", to.ID)
		}
		moved := Association{ID: c.s.newID("aclassoc-"), Subnet: old.Associations[i].Subnet}
		from := *old
		from.Associations = slices.Delete(slices.Clone(old.Associations), i, i+1)
		c.s.acls.put(&from)
		n := *c.s.acls.get(to.ID)
		n.Associations = append(slices.Clone(n.Associations), moved)
		c.s.acls.put(&n)
		c.x.str("newAssociationId", moved.ID)
		return nil
	}
	return errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", clip(id))
}
