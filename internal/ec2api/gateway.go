package ec2api

func gatewayActions() []action {
	const gateway = "InvalidInternetGatewayID.NotFound"
	return []action{
		write("CreateInternetGateway", (*call).createGateway),
		write("DeleteInternetGateway", (*call).deleteGateway, gateway, "DependencyViolation"),
		read("DescribeInternetGateways", (*call).describeGateways, gateway, "InvalidPaginationToken"),
		write("AttachInternetGateway", (*call).attachGateway, gateway, "InvalidVpcID.NotFound", "Resource.AlreadyAssociated", "InvalidParameterValue"),
		write("DetachInternetGateway", (*call).detachGateway, gateway, "Gateway.NotAttached", "DependencyViolation"),
	}
}

func (c *call) gateway(id string) (*InternetGateway, *Error) {
	if g := c.s.gateways.get(id); g != nil {
		return g, nil
	}
	return nil, errorf("InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist", clip(id))
}

func (c *call) writeGateway(g *InternetGateway) {
	c.x.str("internetGatewayId", g.ID)
	c.x.str("ownerId", g.OwnerID)
	var at []string
	if g.VPC != "" {
		at = []string{g.VPC}
	}
	eachXML(c.x, "attachmentSet", at, func(vpc string) {
		c.x.str("vpcId", vpc)
		c.x.str("state", "available")
	})
	c.writeTags(g.Tags)
}

func (c *call) createGateway() *Error {
	tags, err := c.specTags("internet-gateway")
	if err != nil {
		return err
	}
	g := &InternetGateway{Resource: c.s.res(c.s.newID("igw-"), c.now, tags)}
	c.s.gateways.put(g)
	c.x.group("internetGateway", func() { c.writeGateway(g) })
	return nil
}

func (c *call) deleteGateway() *Error {
	g, err := c.gateway(c.in.str("InternetGatewayId"))
	if err != nil {
		return err
	}
	if g.VPC != "" {
		return errorf("DependencyViolation", "The internetGateway '%s' has dependencies and cannot be deleted.", g.ID)
	}
	c.s.gateways.del(g.ID)
	c.x.yes("return", true)
	return nil
}

func (c *call) describeGateways() *Error {
	by := ids{param: "InternetGatewayId", prefix: "igw-", notFound: "InvalidInternetGatewayID.NotFound", what: "internetGateway"}
	return describe(c, c.s.gateways, by, func(g *InternetGateway, name string) ([]string, bool) {
		switch name {
		case "attachment.state":
			if g.VPC == "" {
				return nil, true
			}
			return one("available"), true
		case "attachment.vpc-id":
			return one(g.VPC), true
		case "internet-gateway-id":
			return one(g.ID), true
		case "owner-id":
			return one(g.OwnerID), true
		}
		return nil, false
	}, "internetGatewaySet", c.writeGateway)
}

func (c *call) attachGateway() *Error {
	old, err := c.gateway(c.in.str("InternetGatewayId"))
	if err != nil {
		return err
	}
	v, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	if old.VPC != "" {
		return errorf("Resource.AlreadyAssociated", "resource %s is already attached to network %s", old.ID, old.VPC)
	}
	for _, g := range c.s.gateways.all() {
		if g.VPC == v.ID {
			return errorf("InvalidParameterValue", "Network %s already has an internet gateway attached", v.ID)
		}
	}
	g := *old
	g.VPC = v.ID
	c.s.gateways.put(&g)
	c.x.yes("return", true)
	return nil
}

func (c *call) detachGateway() *Error {
	old, err := c.gateway(c.in.str("InternetGatewayId"))
	if err != nil {
		return err
	}
	if id := c.in.str("VpcId"); old.VPC == "" || old.VPC != id {
		return errorf("Gateway.NotAttached", "resource %s is not attached to network %s", old.ID, clip(id))
	}
	for _, e := range c.s.enis.all() {
		if e.VPC == old.VPC && e.PublicIP != "" {
			return errorf("DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", old.VPC)
		}
	}
	g := *old
	g.VPC = ""
	c.s.gateways.put(&g)
	c.x.yes("return", true)
	return nil
}
