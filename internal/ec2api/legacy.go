package ec2api

import "time"

// legacyActions are calls that set-up tools make out of habit, and that have one answer.
func legacyActions() []action {
	return []action{
		read("DescribeVpcClassicLink", (*call).describeClassicLink, "InvalidVpcID.NotFound"),
		read("DescribeVpcClassicLinkDnsSupport", (*call).describeClassicLinkDNS, "InvalidVpcID.NotFound"),
		read("GetEbsDefaultKmsKeyId", func(c *call) *Error { c.x.str("kmsKeyId", "alias/aws/ebs"); return nil }),
		read("GetEbsEncryptionByDefault", func(c *call) *Error {
			c.x.yes("ebsEncryptionByDefault", false)
			c.x.str("sseType", "none")
			return nil
		}),
		read("DescribeIamInstanceProfileAssociations", (*call).describeProfiles, "InvalidPaginationToken"),
	}
}

// wantedVPCs are those that VpcId.N or, in another form of the parameter, VpcIds.N names.
func (c *call) wantedVPCs(param string) ([]*VPC, *Error) {
	by := vpcIDs()
	by.param = param
	return pick(c, c.s.vpcs, by, func(*VPC, string) ([]string, bool) { return nil, false })
}

func (c *call) describeClassicLink() *Error {
	list, err := c.wantedVPCs("VpcId")
	if err != nil {
		return err
	}
	eachXML(c.x, "vpcSet", list, func(v *VPC) {
		c.x.yes("classicLinkEnabled", false)
		c.x.str("vpcId", v.ID)
		c.writeTags(v.Tags)
	})
	return nil
}

func (c *call) describeClassicLinkDNS() *Error {
	list, err := c.wantedVPCs("VpcIds")
	if err != nil {
		return err
	}
	eachXML(c.x, "vpcs", list, func(v *VPC) {
		c.x.yes("classicLinkDnsSupported", false)
		c.x.str("vpcId", v.ID)
	})
	return nil
}

func (c *call) describeProfiles() *Error {
	var list []*Instance
	for _, i := range c.s.instances.all() {
		if i.Profile != "" && i.State != Terminated {
			list = append(list, i)
		}
	}
	association := func(i *Instance) string { return nameID("iip-assoc-", i.ID) }
	want := c.in.strs("AssociationId")
	list, err := filter(c, list, func(i *Instance, name string) ([]string, bool) {
		switch name {
		case "instance-id":
			return one(i.ID), true
		case "state":
			return one("associated"), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	c.x.open("iamInstanceProfileAssociationSet")
	for _, i := range list {
		found := len(want) == 0
		for _, id := range want {
			found = found || id == association(i)
		}
		if !found {
			continue
		}
		c.x.group("item", func() {
			c.x.str("associationId", association(i))
			c.x.str("instanceId", i.ID)
			c.x.group("iamInstanceProfile", func() { c.writeProfile(i) })
			c.x.str("state", "associated")
			c.x.time("timestamp", i.Created.Truncate(time.Second))
		})
	}
	c.x.close("iamInstanceProfileAssociationSet")
	return nil
}
