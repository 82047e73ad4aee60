package ec2api

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"mirador/internal/mirror"
)

func addressActions() []action {
	const alloc = "InvalidAllocationID.NotFound"
	return []action{
		write("AllocateAddress", (*call).allocateAddress, "AddressLimitExceeded"),
		write("ReleaseAddress", (*call).releaseAddress, alloc, "InvalidIPAddress.InUse"),
		write("AssociateAddress", (*call).associateAddress, alloc, "InvalidNetworkInterfaceID.NotFound", "InvalidInstanceID.NotFound", "Resource.AlreadyAssociated", "Gateway.NotAttached"),
		write("DisassociateAddress", (*call).disassociateAddress, "InvalidAssociationID.NotFound"),
		read("DescribeAddresses", (*call).describeAddresses, alloc, "InvalidAddress.NotFound"),
		read("DescribeAddressesAttribute", (*call).describeAddressAttributes, alloc),
		write("CreateNatGateway", (*call).createNAT, "InvalidSubnetID.NotFound", alloc, "Resource.AlreadyAssociated", "IdempotentParameterMismatch"),
		write("DeleteNatGateway", (*call).deleteNAT, "NatGatewayNotFound"),
		read("DescribeNatGateways", (*call).describeNATs, "NatGatewayNotFound", "InvalidPaginationToken"),
	}
}

// Address is an elastic address of the account.
type Address struct {
	Resource
	IP          string     `json:"ip"`
	Association string     `json:"association,omitempty"` // eipassoc-...
	Interface   string     `json:"interface,omitempty"`
	Private     netip.Addr `json:"private,omitzero"`
}

// NATGateway is a NAT gateway. It translates nothing: what it is sent ends there.
type NATGateway struct {
	Resource
	VPC        string    `json:"vpc"`
	Subnet     string    `json:"subnet"`
	Interface  string    `json:"interface"`
	Private    string    `json:"private"`
	Public     string    `json:"public,omitempty"`
	Allocation string    `json:"allocation,omitempty"`
	Assoc      string    `json:"association,omitempty"`
	Kind       string    `json:"kind"` // public, private
	Deleted    time.Time `json:"deleted,omitzero"`
}

// KindNAT is the kind of the interfaces of NAT gateways.
const KindNAT = "nat_gateway"

func addressIDs() ids {
	return ids{param: "AllocationId", prefix: "eipalloc-", notFound: "InvalidAllocationID.NotFound", what: "allocation"}
}

// address finds an elastic address by allocation or, where allocation is empty, by IP.
func (c *call) address(allocation, ip string) (*Address, *Error) {
	if allocation != "" {
		if a := c.s.addresses.get(allocation); a != nil {
			return a, nil
		}
		return nil, errorf("InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist", clip(allocation))
	}
	if ip == "" {
		return nil, errorf("MissingParameter", "Either public IP or allocation id must be specified")
	}
	for _, a := range c.s.addresses.all() {
		if a.IP == ip {
			return a, nil
		}
	}
	return nil, errorf("InvalidAddress.NotFound", "Address '%s' not found.", clip(ip))
}

func (c *call) allocateAddress() *Error {
	tags, err := c.specTags("elastic-ip")
	if err != nil {
		return err
	}
	if d := c.in.or("Domain", "vpc"); d != "vpc" {
		return errorf("InvalidParameterValue", "Invalid value '%s' for domain.", clip(d))
	}
	a := &Address{Resource: c.s.res(c.s.newID("eipalloc-"), c.now, tags), IP: c.s.publicIP()}
	if want := c.in.str("Address"); want != "" {
		if ip, err := netip.ParseAddr(want); err != nil || !ip.Is4() {
			return errorf("InvalidAddress.Malformed", "Invalid address: '%s'", clip(want))
		}
		a.IP = want
	}
	for _, o := range c.s.addresses.all() {
		if o.IP == a.IP {
			return errorf("InvalidAddress.NotFound", "The address '%s' is not available.", a.IP)
		}
	}
	c.s.addresses.put(a)
	c.x.str("publicIp", a.IP)
	c.x.str("allocationId", a.ID)
	c.x.str("publicIpv4Pool", "amazon")
	c.x.str("networkBorderGroup", c.s.meta.Region)
	c.x.str("domain", "vpc")
	return nil
}

func (c *call) releaseAddress() *Error {
	a, err := c.address(c.in.str("AllocationId"), c.in.str("PublicIp"))
	if err != nil {
		return err
	}
	if a.Association != "" {
		return errorf("InvalidIPAddress.InUse", "Address %s is in use.", a.IP)
	}
	c.s.addresses.del(a.ID)
	c.x.yes("return", true)
	return nil
}

// attachAddress ties an address to an interface, and frees both of what they had.
func (s *state) attachAddress(old *Address, e *NetworkInterface, private netip.Addr) *Address {
	s.detachAddress(old)
	if had := s.addresses.get(e.Allocation); had != nil {
		s.detachAddress(had)
	}
	a := *s.addresses.get(old.ID)
	a.Association, a.Interface, a.Private = s.newID("eipassoc-"), e.ID, private
	s.addresses.put(&a)
	n := *s.enis.get(e.ID)
	n.PublicIP, n.Allocation = a.IP, a.ID
	s.putENI(&n)
	return &a
}

// detachAddress frees an address and the interface that has it.
func (s *state) detachAddress(old *Address) {
	if old.Association == "" {
		return
	}
	if e := s.enis.get(old.Interface); e != nil && e.Allocation == old.ID {
		n := *e
		n.PublicIP, n.Allocation = "", ""
		s.putENI(&n)
	}
	a := *old
	a.Association, a.Interface, a.Private = "", "", netip.Addr{}
	s.addresses.put(&a)
}

func (c *call) associateAddress() *Error {
	a, err := c.address(c.in.str("AllocationId"), c.in.str("PublicIp"))
	if err != nil {
		return err
	}
	var e *NetworkInterface
	switch id, inst := c.in.str("NetworkInterfaceId"), c.in.str("InstanceId"); {
	case id != "":
		if e, err = c.eni(id); err != nil {
			return err
		}
	case inst != "":
		i, err := c.instance(inst)
		if err != nil {
			return err
		}
		nics := c.s.interfacesOf(i.ID)
		switch {
		case i.State == Terminated:
			return errorf("InvalidInstanceID", "The instance '%s' is not in a valid state for this operation.", i.ID)
		case len(nics) == 0 || len(nics) > 1:
			return errorf("InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.", i.ID)
		}
		e = nics[0]
	default:
		return errorf("MissingParameter", "Either instance ID or network interface id must be specified")
	}
	if len(e.Addrs) == 0 {
		return errorf("InvalidParameterValue", "The network interface %s has no private IPv4 address", e.ID)
	}
	private := e.Addrs[0]
	if text := c.in.str("PrivateIpAddress"); text != "" {
		i := slices.IndexFunc(e.Addrs, func(a netip.Addr) bool { return a.String() == text })
		if i < 0 {
			return errorf("InvalidParameterValue", "The private IP address %s is not assigned to interface %s", clip(text), e.ID)
		}
		private = e.Addrs[i]
	}
	again := c.in.yesOr("AllowReassociation", true)
	switch {
	case a.Association != "" && a.Interface == e.ID && a.Private == private:
		c.x.str("associationId", a.Association)
		return nil
	case a.Association != "" && !again:
		return errorf("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", a.ID, a.Association)
	case e.Allocation != "" && !again:
		return errorf("Resource.AlreadyAssociated", "resource %s is already associated with an address", e.ID)
	case !slices.ContainsFunc(c.s.gateways.all(), func(g *InternetGateway) bool { return g.VPC == e.VPC }):
		return errorf("Gateway.NotAttached", "Network %s is not attached to any internet gateway", e.VPC)
	}
	a = c.s.attachAddress(a, e, private)
	c.x.str("associationId", a.Association)
	return nil
}

func (c *call) disassociateAddress() *Error {
	id, ip := c.in.str("AssociationId"), c.in.str("PublicIp")
	if id == "" && ip == "" {
		return errorf("MissingParameter", "Either association ID or public IP must be specified")
	}
	for _, a := range c.s.addresses.all() {
		if a.Association != "" && (a.Association == id || id == "" && a.IP == ip) {
			if e := c.s.enis.get(a.Interface); e != nil && e.RequesterManaged {
				return errorf("AuthFailure", "You do not have permission to access the specified resource.")
			}
			c.s.detachAddress(a)
			c.x.yes("return", true)
			return nil
		}
	}
	if id == "" {
		return errorf("InvalidAddress.NotFound", "Address '%s' not found.", clip(ip))
	}
	return errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", clip(id))
}

// pickAddresses are the addresses that AllocationId.N, PublicIp.N and the filters name.
func (c *call) pickAddresses() ([]*Address, *Error) {
	list, err := pick(c, c.s.addresses, addressIDs(), func(a *Address, name string) ([]string, bool) {
		switch name {
		case "allocation-id":
			return one(a.ID), true
		case "association-id":
			return one(a.Association), true
		case "domain":
			return one("vpc"), true
		case "instance-id":
			return one(c.s.instanceAt(a.Interface)), true
		case "network-border-group":
			return one(c.s.meta.Region), true
		case "network-interface-id":
			return one(a.Interface), true
		case "network-interface-owner-id":
			if a.Interface == "" {
				return nil, true
			}
			return one(a.OwnerID), true
		case "private-ip-address":
			if !a.Private.IsValid() {
				return nil, true
			}
			return one(a.Private.String()), true
		case "public-ip":
			return one(a.IP), true
		}
		return nil, false
	})
	if want := c.in.strs("PublicIp"); err == nil && len(want) > 0 {
		for _, ip := range want {
			if _, err := c.address("", ip); err != nil {
				return nil, err
			}
		}
		list = slices.DeleteFunc(slices.Clone(list), func(a *Address) bool { return !slices.Contains(want, a.IP) })
	}
	return list, err
}

// instanceAt is the instance that an interface is attached to, or empty.
func (s *state) instanceAt(eni string) string {
	if e := s.enis.get(eni); e != nil && e.Attachment != nil {
		return e.Attachment.InstanceID
	}
	return ""
}

func (c *call) describeAddresses() *Error {
	list, err := c.pickAddresses()
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "addressesSet", list, func(a *Address) {
		x.str("publicIp", a.IP)
		x.str("allocationId", a.ID)
		x.str("domain", "vpc")
		x.str("publicIpv4Pool", "amazon")
		x.str("networkBorderGroup", c.s.meta.Region)
		if a.Association != "" {
			x.str("associationId", a.Association)
			x.opt("instanceId", c.s.instanceAt(a.Interface))
			x.str("networkInterfaceId", a.Interface)
			x.str("networkInterfaceOwnerId", a.OwnerID)
			x.str("privateIpAddress", a.Private.String())
		}
		c.writeTags(a.Tags)
	})
	return nil
}

func (c *call) describeAddressAttributes() *Error {
	x := c.x
	return describe(c, c.s.addresses, addressIDs(), func(*Address, string) ([]string, bool) { return nil, false }, "addressSet", func(a *Address) {
		x.str("publicIp", a.IP)
		x.str("allocationId", a.ID)
	})
}

func (c *call) createNAT() *Error {
	g, err := create(c, c.s.nats, "natgateway", c.newNAT)
	if err != nil {
		return err
	}
	c.x.group("natGateway", func() { c.writeNAT(g, "pending") })
	c.token()
	return nil
}

func (c *call) newNAT(tags []mirror.Tag) (*NATGateway, *Error) {
	sub, err := c.subnet(c.in.str("SubnetId"))
	if err != nil {
		return nil, err
	}
	kind := c.in.or("ConnectivityType", "public")
	var address *Address
	switch alloc := c.in.str("AllocationId"); {
	case kind == "private" && alloc != "":
		return nil, errorf("InvalidParameterCombination", "AllocationId cannot be used with a private NAT gateway")
	case kind == "public" && alloc == "":
		return nil, errorf("MissingParameter", "The request must include the AllocationId parameter. Add the required parameter and retry the request.")
	case kind == "public":
		if address, err = c.address(alloc, ""); err != nil {
			return nil, err
		}
		if address.Association != "" {
			return nil, errorf("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", alloc)
		}
	}
	g := &NATGateway{Resource: c.s.res(c.s.newID("nat-"), c.now, tags), VPC: sub.VPC, Subnet: sub.ID, Kind: kind}
	e, err := c.s.newENI(c.now, sub, KindNAT, "Interface for NAT Gateway "+g.ID, nil)
	if err != nil {
		return nil, err
	}
	if text := c.in.str("PrivateIpAddress"); text != "" {
		a, err := c.s.wantAddr(sub, text)
		if err != nil {
			return nil, err
		}
		e.Addrs = []netip.Addr{a}
	}
	e.RequesterManaged, e.RequesterID, e.ManagedBy, e.SourceDestCheck = true, "amazon-nat", g.ID, false
	e.Attachment = &Attachment{ID: c.s.newID("ela-attach-"), InstanceOwner: "amazon-aws", DeviceIndex: 1, At: c.stamp()}
	c.s.putENI(e)
	g.Interface, g.Private = e.ID, e.Addrs[0].String()
	if address != nil {
		address = c.s.attachAddress(address, e, e.Addrs[0])
		g.Allocation, g.Public, g.Assoc = address.ID, address.IP, address.Association
	}
	return g, nil
}

func (g *NATGateway) state() string {
	if !g.Deleted.IsZero() {
		return "deleted"
	}
	return "available"
}

func (c *call) writeNAT(g *NATGateway, state string) {
	x := c.x
	x.str("natGatewayId", g.ID)
	x.str("state", state)
	x.str("subnetId", g.Subnet)
	x.str("vpcId", g.VPC)
	x.str("connectivityType", g.Kind)
	x.time("createTime", g.Created)
	x.time("deleteTime", g.Deleted)
	x.str("availabilityMode", "zonal")
	eachXML(x, "natGatewayAddressSet", []*NATGateway{g}, func(g *NATGateway) {
		x.opt("allocationId", g.Allocation)
		x.opt("associationId", g.Assoc)
		x.str("networkInterfaceId", g.Interface)
		x.str("privateIp", g.Private)
		x.opt("publicIp", g.Public)
		x.yes("isPrimary", true)
		x.str("status", "succeeded")
	})
	c.writeTags(g.Tags)
}

func natIDs() ids {
	return ids{param: "NatGatewayId", prefix: "nat-", notFound: "NatGatewayNotFound", what: "NatGateway"}
}

func (c *call) deleteNAT() *Error {
	g, err := find(c.s.nats, c.in.str("NatGatewayId"), natIDs())
	if err != nil {
		return errorf("NatGatewayNotFound", "The Nat Gateway %s was not found", clip(c.in.str("NatGatewayId")))
	}
	if g.Deleted.IsZero() {
		c.s.delENI(g.Interface)
		c.s.routesGone(g.ID)
		n := *g
		n.Deleted = c.stamp()
		c.s.nats.put(&n)
	}
	c.x.str("natGatewayId", g.ID)
	return nil
}

func (c *call) describeNATs() *Error {
	return describe(c, c.s.nats, natIDs(), func(g *NATGateway, name string) ([]string, bool) {
		switch name {
		case "nat-gateway-id":
			return one(g.ID), true
		case "state":
			return one(g.state()), true
		case "subnet-id":
			return one(g.Subnet), true
		case "vpc-id":
			return one(g.VPC), true
		}
		return nil, false
	}, "natGatewaySet", func(g *NATGateway) { c.writeNAT(g, g.state()) })
}

// routesGone makes the routes to a target that is deleted black holes.
func (s *state) routesGone(target string) {
	for _, t := range s.routeTables.all() {
		if !slices.ContainsFunc(t.Routes, func(r Route) bool { return r.Target == target && !r.Gone }) {
			continue
		}
		n := *t
		n.Routes = slices.Clone(t.Routes)
		for i := range n.Routes {
			n.Routes[i].Gone = n.Routes[i].Gone || n.Routes[i].Target == target
		}
		s.routeTables.put(&n)
	}
}

// checkFarTarget tells whether the target of a new route is there.
func (c *call) checkFarTarget(target, vpc string) *Error {
	kind, _, _ := strings.Cut(target, "-")
	switch kind {
	case "nat":
		if g := c.s.nats.get(target); g == nil || !g.Deleted.IsZero() {
			return errorf("InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", clip(target))
		}
	case "pcx":
		p := c.s.peerings.get(target)
		if p == nil {
			return errorf("InvalidVpcPeeringConnectionID.NotFound", "The vpcPeeringConnection ID '%s' does not exist", clip(target))
		}
		if p.Requester != vpc && p.Accepter != vpc {
			return errorf("InvalidParameterValue", "route table and vpc peering connection %s belong to different networks", target)
		}
	case "eigw":
		g := c.s.egressGateways.get(target)
		if g == nil {
			return errorf("InvalidGatewayID.NotFound", "The eigw ID '%s' does not exist", clip(target))
		}
		if g.VPC != vpc {
			return errorf("InvalidParameterValue", "route table and network gateway %s belong to different networks", target)
		}
	}
	return nil
}
