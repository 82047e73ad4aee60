package ec2api

import (
	"net/netip"
	"slices"
	"time"

	"mirador/internal/mirror"
)

func subnetActions() []action {
	return []action{
		write("CreateSubnet", (*call).createSubnet, "InvalidVpcID.NotFound", "InvalidSubnet.Range", "InvalidSubnet.Conflict"),
		write("DeleteSubnet", (*call).deleteSubnet, "InvalidSubnetID.NotFound", "DependencyViolation"),
		read("DescribeSubnets", (*call).describeSubnets, "InvalidSubnetID.NotFound", "InvalidPaginationToken"),
		write("ModifySubnetAttribute", (*call).modifySubnet, "InvalidSubnetID.NotFound"),
		write("AssociateSubnetCidrBlock", (*call).associateSubnet, "InvalidSubnetID.NotFound", "InvalidSubnet.Range", "InvalidSubnet.Conflict"),
		write("DisassociateSubnetCidrBlock", (*call).disassociateSubnet, "InvalidSubnetCidrBlockAssociationID.NotFound"),
	}
}

func subnetIDs() ids {
	return ids{param: "SubnetId", prefix: "subnet-", notFound: "InvalidSubnetID.NotFound", what: "subnet"}
}

func (c *call) subnet(id string) (*Subnet, *Error) {
	if s := c.s.subnets.get(id); s != nil {
		return s, nil
	}
	return nil, errorf("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", clip(id))
}

// newSubnet starts a subnet; putSubnet makes it known.
func (s *state) newSubnet(now time.Time, v *VPC, cidr netip.Prefix, zone string, tags []mirror.Tag) *Subnet {
	return &Subnet{Resource: s.res(s.newID("subnet-"), now, tags), VPC: v.ID, Zone: zone, CIDR: cidr, HostnameType: "ip-name"}
}

// putSubnet adds a new subnet and gives it the default network ACL of its VPC.
func (s *state) putSubnet(sub *Subnet) {
	s.subnets.put(sub)
	for _, a := range s.acls.all() {
		if a.VPC == sub.VPC && a.Default {
			n := *a
			n.Associations = append(slices.Clone(a.Associations), Association{ID: s.newID("aclassoc-"), Subnet: sub.ID})
			s.acls.put(&n)
			return
		}
	}
}

func (c *call) createSubnet() *Error {
	tags, err := c.specTags("subnet")
	if err != nil {
		return err
	}
	v, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	zone, err := c.pickZone()
	if err != nil {
		return err
	}
	text, native := c.in.str("CidrBlock"), c.in.yes("Ipv6Native")
	var cidr netip.Prefix
	switch {
	case native && text != "":
		return errorf("InvalidParameterCombination", "You cannot specify an IPv4 CIDR block for an IPv6-only subnet")
	case native && c.in.str("Ipv6CidrBlock") == "":
		return errorf("MissingParameter", "Either 'ipv6CidrBlock' or 'ipv6IpamPoolId' should be provided.")
	case native:
	case text == "":
		return errorf("MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
	default:
		var ok bool
		if cidr, ok = network4(text); !ok {
			return errorf("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", clip(text))
		}
		if err := c.s.subnetFits(v, v.CIDRs, cidr, 16, 28); err != nil {
			return err
		}
	}
	sub := c.s.newSubnet(c.now, v, cidr, zone, tags)
	if native {
		sub.IPv6Native, sub.AssignIPv6, sub.HostnameType = true, true, "resource-name"
	}
	if text := c.in.str("Ipv6CidrBlock"); text != "" {
		a, err := c.s.subnetIPv6(v, text)
		if err != nil {
			return err
		}
		sub.IPv6 = []CIDRAssociation{a}
	}
	c.s.putSubnet(sub)
	c.x.group("subnet", func() { c.writeSubnet(sub, c.s.freeIn(sub)) })
	return nil
}

func (c *call) pickZone() (string, *Error) {
	zones := c.s.zones()
	name, id := c.in.str("AvailabilityZone"), c.in.str("AvailabilityZoneId")
	if name == "" && id == "" {
		return zones[0].name, nil
	}
	for _, z := range zones {
		if z.name == name || name == "" && z.id == id {
			return z.name, nil
		}
	}
	if name == "" {
		name = id
	}
	return "", errorf("InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s, %s, %s.", clip(name), zones[0].name, zones[1].name, zones[2].name)
}

// subnetFits tells whether cidr can be a subnet: in a block of the VPC, of a size that is
// allowed, and beside the others.
func (s *state) subnetFits(v *VPC, blocks []CIDRAssociation, cidr netip.Prefix, least, most int) *Error {
	inside := slices.ContainsFunc(blocks, func(a CIDRAssociation) bool {
		return a.CIDR.Bits() <= cidr.Bits() && a.CIDR.Contains(cidr.Addr())
	})
	if !inside || cidr.Bits() < least || cidr.Bits() > most {
		return errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	for _, o := range s.subnets.all() {
		if o.VPC != v.ID {
			continue
		}
		if o.CIDR.Overlaps(cidr) || slices.ContainsFunc(o.IPv6, func(a CIDRAssociation) bool { return a.CIDR.Overlaps(cidr) }) {
			return errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
	}
	return nil
}

func (s *state) subnetIPv6(v *VPC, text string) (CIDRAssociation, *Error) {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is6() {
		return CIDRAssociation{}, errorf("InvalidParameterValue", "Value (%s) for parameter ipv6CidrBlock is invalid. This is not a valid IPv6 CIDR block.", clip(text))
	}
	p = p.Masked()
	if err := s.subnetFits(v, v.IPv6, p, 44, 64); err != nil {
		return CIDRAssociation{}, err
	}
	return CIDRAssociation{ID: s.newID("subnet-cidr-assoc-"), CIDR: p}, nil
}

// freeIn is how many IPv4 addresses are left: the first four and the last are AWS's.
func (s *state) freeIn(sub *Subnet) int {
	used := 0
	for a := range s.addrs[sub.ID] {
		if a.Is4() {
			used++
		}
	}
	if !sub.CIDR.IsValid() {
		return 0
	}
	return 1<<(32-sub.CIDR.Bits()) - 5 - used
}

func (c *call) writeSubnet(s *Subnet, free int) {
	x := c.x
	x.str("subnetId", s.ID)
	x.str("subnetArn", c.arn("subnet/"+s.ID))
	x.str("state", "available")
	x.str("vpcId", s.VPC)
	if s.CIDR.IsValid() {
		x.str("cidrBlock", s.CIDR.String())
	}
	eachXML(x, "ipv6CidrBlockAssociationSet", s.IPv6, func(a CIDRAssociation) { c.writeAssociation("ipv6CidrBlock", "ipv6CidrBlockState", a) })
	x.num("availableIpAddressCount", free)
	x.str("availabilityZone", s.Zone)
	x.str("availabilityZoneId", c.s.zoneID(s.Zone))
	x.str("ownerId", s.OwnerID)
	x.yes("defaultForAz", s.DefaultForAZ)
	x.yes("mapPublicIpOnLaunch", s.MapPublicIP)
	x.yes("mapCustomerOwnedIpOnLaunch", s.CustomerOwnedIP)
	x.yes("assignIpv6AddressOnCreation", s.AssignIPv6)
	x.yes("enableDns64", s.DNS64)
	x.yes("ipv6Native", s.IPv6Native)
	x.group("privateDnsNameOptionsOnLaunch", func() {
		x.str("hostnameType", s.HostnameType)
		x.yes("enableResourceNameDnsARecord", s.DNSARecord)
		x.yes("enableResourceNameDnsAAAARecord", s.DNSAAAARecord)
	})
	c.writeTags(s.Tags)
}

// arn is the ARN of an EC2 resource.
func (c *call) arn(what string) string {
	return "arn:aws:ec2:" + c.s.meta.Region + ":" + c.s.meta.AccountID + ":" + what
}

func (c *call) deleteSubnet() *Error {
	sub, err := c.subnet(c.in.str("SubnetId"))
	if err != nil {
		return err
	}
	for _, e := range c.s.enis.all() {
		if e.Subnet == sub.ID {
			return errorf("DependencyViolation", "The subnet '%s' has dependencies and cannot be deleted.", sub.ID)
		}
	}
	c.s.leaveSubnet(sub.ID)
	c.s.subnets.del(sub.ID)
	c.x.yes("return", true)
	return nil
}

// leaveSubnet takes a subnet from its network ACL and route table.
func (s *state) leaveSubnet(id string) {
	ours := func(a Association) bool { return a.Subnet == id }
	for _, a := range s.acls.all() {
		if slices.ContainsFunc(a.Associations, ours) {
			n := *a
			n.Associations = slices.DeleteFunc(slices.Clone(a.Associations), ours)
			s.acls.put(&n)
		}
	}
	for _, t := range s.routeTables.all() {
		if slices.ContainsFunc(t.Associations, ours) {
			n := *t
			n.Associations = slices.DeleteFunc(slices.Clone(t.Associations), ours)
			s.routeTables.put(&n)
		}
	}
}

func (c *call) describeSubnets() *Error {
	return describe(c, c.s.subnets, subnetIDs(), func(s *Subnet, name string) ([]string, bool) {
		switch name {
		case "availability-zone", "availabilityZone":
			return one(s.Zone), true
		case "availability-zone-id", "availabilityZoneId":
			return one(c.s.zoneID(s.Zone)), true
		case "available-ip-address-count":
			return number(c.s.freeIn(s)), true
		case "cidr-block", "cidr", "cidrBlock":
			if !s.CIDR.IsValid() {
				return nil, true
			}
			return one(s.CIDR.String()), true
		case "default-for-az", "defaultForAz":
			return yesno(s.DefaultForAZ), true
		case "enable-dns64":
			return yesno(s.DNS64), true
		case "enable-lni-at-device-index":
			return number(s.LNIAtDeviceIdx), true
		case "ipv6-cidr-block-association.ipv6-cidr-block":
			return cidrs(s.IPv6), true
		case "ipv6-cidr-block-association.association-id":
			return associationIDs(s.IPv6), true
		case "ipv6-cidr-block-association.state":
			if len(s.IPv6) > 0 {
				return one("associated"), true
			}
			return nil, true
		case "ipv6-native":
			return yesno(s.IPv6Native), true
		case "map-customer-owned-ip-on-launch":
			return yesno(s.CustomerOwnedIP), true
		case "map-public-ip-on-launch":
			return yesno(s.MapPublicIP), true
		case "owner-id":
			return one(s.OwnerID), true
		case "private-dns-name-options-on-launch.hostname-type":
			return one(s.HostnameType), true
		case "private-dns-name-options-on-launch.enable-resource-name-dns-a-record":
			return yesno(s.DNSARecord), true
		case "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record":
			return yesno(s.DNSAAAARecord), true
		case "state":
			return one("available"), true
		case "subnet-arn":
			return one(c.arn("subnet/" + s.ID)), true
		case "subnet-id":
			return one(s.ID), true
		case "vpc-id":
			return one(s.VPC), true
		case "customer-owned-ipv4-pool", "outpost-arn":
			return nil, true
		}
		return nil, false
	}, "subnetSet", func(s *Subnet) { c.writeSubnet(s, c.s.freeIn(s)) })
}

func (c *call) modifySubnet() *Error {
	old, err := c.subnet(c.in.str("SubnetId"))
	if err != nil {
		return err
	}
	s, set := *old, 0
	for name, field := range map[string]*bool{
		"MapPublicIpOnLaunch": &s.MapPublicIP, "AssignIpv6AddressOnCreation": &s.AssignIPv6, "EnableDns64": &s.DNS64,
		"EnableResourceNameDnsARecordOnLaunch": &s.DNSARecord, "EnableResourceNameDnsAAAARecordOnLaunch": &s.DNSAAAARecord,
		"MapCustomerOwnedIpOnLaunch": &s.CustomerOwnedIP,
	} {
		if c.in.has(name) {
			*field = c.in.yes(name + ".Value")
			set++
		}
	}
	if v := c.in.str("PrivateDnsHostnameTypeOnLaunch"); v != "" {
		s.HostnameType = v
		set++
	}
	if c.in.has("EnableLniAtDeviceIndex") || c.in.yes("DisableLniAtDeviceIndex.Value") {
		s.LNIAtDeviceIdx = c.in.num("EnableLniAtDeviceIndex", 0)
		set++
	}
	if set != 1 {
		return errorf("InvalidParameterCombination", "Exactly one attribute can be modified in a call")
	}
	if s.AssignIPv6 && len(s.IPv6) == 0 {
		return errorf("InvalidParameterValue", "Invalid value 'true' for assignIpv6AddressOnCreation. The subnet %s has no IPv6 CIDR block", s.ID)
	}
	c.s.subnets.put(&s)
	c.x.yes("return", true)
	return nil
}

func (c *call) associateSubnet() *Error {
	old, err := c.subnet(c.in.str("SubnetId"))
	if err != nil {
		return err
	}
	s := *old
	if len(s.IPv6) > 0 {
		return errorf("InvalidParameterValue", "The subnet %s has an IPv6 CIDR block", s.ID)
	}
	a, err := c.s.subnetIPv6(c.s.vpcs.get(s.VPC), c.in.str("Ipv6CidrBlock"))
	if err != nil {
		return err
	}
	s.IPv6 = []CIDRAssociation{a}
	c.s.subnets.put(&s)
	c.writeSubnetAssociation(&s, a, "associating")
	return nil
}

func (c *call) writeSubnetAssociation(s *Subnet, a CIDRAssociation, state string) {
	c.x.str("subnetId", s.ID)
	c.x.group("ipv6CidrBlockAssociation", func() {
		c.x.str("associationId", a.ID)
		c.x.str("ipv6CidrBlock", a.CIDR.String())
		c.x.group("ipv6CidrBlockState", func() { c.x.str("state", state) })
	})
}

func (c *call) disassociateSubnet() *Error {
	id := c.in.str("AssociationId")
	for _, old := range c.s.subnets.all() {
		i := slices.IndexFunc(old.IPv6, func(a CIDRAssociation) bool { return a.ID == id })
		if i < 0 {
			continue
		}
		s, a := *old, old.IPv6[i]
		for addr := range c.s.addrs[s.ID] {
			if a.CIDR.Contains(addr) {
				return errorf("InvalidCidrBlock.InUse", "The subnet %s has addresses of %s in use", s.ID, a.CIDR)
			}
		}
		s.IPv6 = slices.Delete(slices.Clone(s.IPv6), i, i+1)
		s.AssignIPv6 = false
		c.s.subnets.put(&s)
		c.writeSubnetAssociation(&s, a, "disassociating")
		return nil
	}
	return notFound("InvalidSubnetCidrBlockAssociationID.NotFound", "subnet CIDR block association", id)
}
