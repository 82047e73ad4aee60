package ec2api

import "slices"

// groupsForVPC lists the groups that interfaces of a VPC can have: its own, as groups of
// other VPCs are not associated with it.
func (c *call) groupsForVPC() *Error {
	v, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	list, err := filter(c, c.s.groups.all(), func(g *SecurityGroup, name string) ([]string, bool) {
		if name == "primary-vpc-id" {
			return one(g.VPC), true
		}
		if values, ok := g.filterTags(name); ok {
			return values, true
		}
		return groupAttributes(g, name)
	})
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(g *SecurityGroup) bool { return g.VPC != v.ID })
	list, next, err := page(c, list, func(g *SecurityGroup) uint64 { return g.Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "securityGroupForVpcSet", list, func(g *SecurityGroup) {
		c.x.str("groupId", g.ID)
		c.x.str("groupName", g.Name)
		c.x.str("description", g.Description)
		c.x.str("ownerId", g.OwnerID)
		c.x.str("primaryVpcId", g.VPC)
		c.writeTags(g.Tags)
	})
	c.x.opt("nextToken", next)
	return nil
}

// describeReferences shows which VPCs have rules about groups of other VPCs.
func (c *call) describeReferences() *Error {
	type reference struct{ group, vpc, peering string }
	var out []reference
	for _, id := range c.in.strs("GroupId") {
		g, err := find(c.s.groups, id, groupIDs())
		if err != nil {
			return err
		}
		for _, p := range c.s.peerings.all() {
			other := p.Other(g.VPC)
			if other != "" && slices.ContainsFunc(c.s.groups.all(), func(o *SecurityGroup) bool {
				return o.VPC == other && slices.ContainsFunc(o.Rules, func(r GroupRule) bool { return r.GroupID == g.ID })
			}) {
				out = append(out, reference{g.ID, other, p.ID})
			}
		}
	}
	eachXML(c.x, "securityGroupReferenceSet", out, func(r reference) {
		c.x.str("groupId", r.group)
		c.x.str("referencingVpcId", r.vpc)
		c.x.str("vpcPeeringConnectionId", r.peering)
	})
	return nil
}
