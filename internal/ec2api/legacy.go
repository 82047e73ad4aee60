package ec2api

// legacyActions are calls that set-up tools make out of habit, and that have one answer.
func legacyActions() []action {
	return []action{
		read("DescribeVpcClassicLink", (*call).describeClassicLink, "InvalidVpcID.NotFound"),
		read("DescribeVpcClassicLinkDnsSupport", (*call).describeClassicLinkDNS, "InvalidVpcID.NotFound"),
		read("DescribeVpcBlockPublicAccessOptions", (*call).describePublicAccess),
		read("GetEbsDefaultKmsKeyId", func(c *call) *Error { c.x.str("kmsKeyId", "alias/aws/ebs"); return nil }),
		read("GetEbsEncryptionByDefault", func(c *call) *Error {
			c.x.yes("ebsEncryptionByDefault", false)
			c.x.str("sseType", "none")
			return nil
		}),
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

// describePublicAccess says that nothing is blocked, as in an account that never asked for it.
func (c *call) describePublicAccess() *Error {
	c.x.group("vpcBlockPublicAccessOptions", func() {
		c.x.str("awsAccountId", c.s.meta.AccountID)
		c.x.str("awsRegion", c.s.meta.Region)
		c.x.str("state", "default-state")
		c.x.str("internetGatewayBlockMode", "off")
		c.x.str("managedBy", "account")
		c.x.str("exclusionsAllowed", "allowed")
	})
	return nil
}
