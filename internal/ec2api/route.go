package ec2api

import (
	"net/netip"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

func routeActions() []action {
	const table = "InvalidRouteTableID.NotFound"
	return []action{
		write("CreateRouteTable", (*call).createTable, "InvalidVpcID.NotFound", "IdempotentParameterMismatch"),
		write("DeleteRouteTable", (*call).deleteTable, table, "DependencyViolation"),
		read("DescribeRouteTables", (*call).describeTables, table, "InvalidPaginationToken"),
		write("CreateRoute", func(c *call) *Error { return c.setRoute(false) }, table, "RouteAlreadyExists", "InvalidGatewayID.NotFound", "InvalidNetworkInterfaceID.NotFound"),
		write("ReplaceRoute", func(c *call) *Error { return c.setRoute(true) }, table, "InvalidParameterValue"),
		write("DeleteRoute", (*call).deleteRoute, table, "InvalidRoute.NotFound"),
		write("AssociateRouteTable", (*call).associateTable, table, "InvalidSubnetID.NotFound", "Resource.AlreadyAssociated"),
		write("DisassociateRouteTable", (*call).disassociateTable, "InvalidAssociationID.NotFound"),
		write("ReplaceRouteTableAssociation", (*call).replaceTable, table, "InvalidAssociationID.NotFound"),
	}
}

// maxRoutes is AWS's quota of routes that are not propagated, raised to its maximum.
const maxRoutes = 1000

func (t *RouteTable) main() bool {
	return slices.ContainsFunc(t.Associations, func(a Association) bool { return a.Main })
}

func (s *state) mainTable(vpc string) *RouteTable {
	for _, t := range s.routeTables.all() {
		if t.VPC == vpc && t.main() {
			return t
		}
	}
	return nil
}

func (c *call) table(id string) (*RouteTable, *Error) {
	if t := c.s.routeTables.get(id); t != nil {
		return t, nil
	}
	return nil, errorf("InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", clip(id))
}

func (c *call) createTable() *Error {
	t, err := create(c, c.s.routeTables, "route-table", func(tags []mirror.Tag) (*RouteTable, *Error) {
		v, err := c.vpc(c.in.str("VpcId"))
		if err != nil {
			return nil, err
		}
		t := &RouteTable{Resource: c.s.res(c.s.newID("rtb-"), c.now, tags), VPC: v.ID}
		for _, p := range v.prefixes() {
			t.Routes = append(t.Routes, Route{CIDR: p, Target: "local", Origin: "CreateRouteTable"})
		}
		return t, nil
	})
	if err != nil {
		return err
	}
	c.x.group("routeTable", func() { c.writeTable(t) })
	c.token()
	return nil
}

func (c *call) deleteTable() *Error {
	t, err := c.table(c.in.str("RouteTableId"))
	if err != nil {
		return err
	}
	used := len(t.Associations) > 0 || slices.ContainsFunc(c.s.endpoints.all(), func(e *VPCEndpoint) bool { return slices.Contains(e.RouteTables, t.ID) })
	if used {
		return errorf("DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted.", t.ID)
	}
	c.s.routeTables.del(t.ID)
	c.x.yes("return", true)
	return nil
}

// blackhole tells whether the target of a route is gone. Gateways that this endpoint does
// not keep are taken to be there.
func (s *state) blackhole(target string) bool {
	switch {
	case strings.HasPrefix(target, "igw-"):
		g := s.gateways.get(target)
		return g == nil || g.VPC == ""
	case strings.HasPrefix(target, "eni-"):
		e := s.enis.get(target)
		return e == nil || e.Attachment == nil && e.ManagedBy == ""
	case strings.HasPrefix(target, "vpce-"):
		return s.endpoints.get(target) == nil
	}
	return false
}

func (c *call) writeTable(t *RouteTable) {
	x := c.x
	x.str("routeTableId", t.ID)
	x.str("vpcId", t.VPC)
	x.str("ownerId", t.OwnerID)
	eachXML(x, "routeSet", t.Routes, func(r Route) {
		switch {
		case r.PrefixListID != "":
			x.str("destinationPrefixListId", r.PrefixListID)
		case r.CIDR.Addr().Is4():
			x.str("destinationCidrBlock", r.CIDR.String())
		default:
			x.str("destinationIpv6CidrBlock", r.CIDR.String())
		}
		x.str(targetField(r.Target), r.Target)
		if r.InstanceID != "" {
			x.str("instanceId", r.InstanceID)
			x.str("instanceOwnerId", t.OwnerID)
		}
		x.str("origin", r.Origin)
		if r.Gone || c.s.blackhole(r.Target) {
			x.str("state", "blackhole")
		} else {
			x.str("state", "active")
		}
	})
	eachXML(x, "associationSet", t.Associations, func(a Association) {
		x.str("routeTableAssociationId", a.ID)
		x.str("routeTableId", t.ID)
		x.opt("subnetId", a.Subnet)
		x.yes("main", a.Main)
		x.group("associationState", func() { x.str("state", "associated") })
	})
	eachXML(x, "propagatingVgwSet", []string(nil), func(string) {})
	c.writeTags(t.Tags)
}

// targetField is the element that a route shows a target of this kind in.
func targetField(target string) string {
	prefix, _, _ := strings.Cut(target, "-")
	switch prefix {
	case "eni":
		return "networkInterfaceId"
	case "nat":
		return "natGatewayId"
	case "tgw":
		return "transitGatewayId"
	case "pcx":
		return "vpcPeeringConnectionId"
	case "eigw":
		return "egressOnlyInternetGatewayId"
	case "lgw":
		return "localGatewayId"
	case "cagw":
		return "carrierGatewayId"
	}
	return "gatewayId" // local, igw, vgw, vpce
}

func (c *call) describeTables() *Error {
	by := ids{param: "RouteTableId", prefix: "rtb-", notFound: "InvalidRouteTableID.NotFound", what: "routeTable"}
	return describe(c, c.s.routeTables, by, c.tableAttribute, "routeTableSet", c.writeTable)
}

func (c *call) tableAttribute(t *RouteTable, name string) ([]string, bool) {
	switch name {
	case "owner-id":
		return one(t.OwnerID), true
	case "route-table-id", "association.route-table-id":
		return one(t.ID), true
	case "vpc-id":
		return one(t.VPC), true
	}
	if field, ok := strings.CutPrefix(name, "association."); ok {
		var out []string
		for _, a := range t.Associations {
			switch field {
			case "main":
				out = append(out, yesno(a.Main)...)
			case "route-table-association-id":
				out = append(out, a.ID)
			case "subnet-id":
				out = append(out, one(a.Subnet)...)
			case "gateway-id":
			default:
				return nil, false
			}
		}
		if field == "main" && len(out) == 0 {
			out = yesno(false)
		}
		return out, true
	}
	field, ok := strings.CutPrefix(name, "route.")
	if !ok {
		return nil, false
	}
	var out []string
	for _, r := range t.Routes {
		switch field {
		case "destination-cidr-block", "destination-ipv6-cidr-block":
			if r.CIDR.IsValid() && r.CIDR.Addr().Is4() == (field == "destination-cidr-block") {
				out = append(out, r.CIDR.String())
			}
		case "destination-prefix-list-id":
			out = append(out, one(r.PrefixListID)...)
		case "instance-id":
			out = append(out, one(r.InstanceID)...)
		case "origin":
			out = append(out, r.Origin)
		case "state":
			out = append(out, map[bool]string{true: "blackhole", false: "active"}[r.Gone || c.s.blackhole(r.Target)])
		default:
			if kebab(targetField(r.Target)) == field {
				out = append(out, r.Target)
			}
		}
	}
	return out, true
}

// destination reads which route a call is about.
func (c *call) destination() (Route, *Error) {
	var r Route
	set := 0
	if s := c.in.str("DestinationCidrBlock"); s != "" {
		p, ok := network4(s)
		if !ok {
			return r, errorf("InvalidParameterValue", "Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", clip(s))
		}
		r.CIDR = p
		set++
	}
	if s := c.in.str("DestinationIpv6CidrBlock"); s != "" {
		p, err := netip.ParsePrefix(s)
		if err != nil || !p.Addr().Is6() {
			return r, errorf("InvalidParameterValue", "Value (%s) for parameter destinationIpv6CidrBlock is invalid. This is not a valid CIDR block.", clip(s))
		}
		r.CIDR = p.Masked()
		set++
	}
	if s := c.in.str("DestinationPrefixListId"); s != "" {
		if c.s.prefixLists()[s] == nil {
			return r, notFound("InvalidPrefixListID.NotFound", "prefix list", s)
		}
		r.PrefixListID = s
		set++
	}
	if set != 1 {
		return r, errorf("InvalidParameterCombination", "Exactly one of destinationCidrBlock, destinationIpv6CidrBlock and destinationPrefixListId has to be given")
	}
	return r, nil
}

// target reads where a route leads to.
func (c *call) target(r *Route, vpc string) *Error {
	set := 0
	for _, name := range []string{"GatewayId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "EgressOnlyInternetGatewayId", "LocalGatewayId", "CarrierGatewayId", "VpcEndpointId", "NetworkInterfaceId"} {
		if v := c.in.str(name); v != "" {
			r.Target = v
			set++
		}
	}
	if id := c.in.str("InstanceId"); id != "" {
		i, err := c.instance(id)
		if err != nil {
			return err
		}
		nics := c.s.interfacesOf(i.ID)
		if len(nics) != 1 {
			return errorf("InvalidInstanceID", "There are multiple interfaces attached to instance '%s'. Please specify an interface ID for the operation instead.", i.ID)
		}
		r.Target, r.InstanceID = nics[0].ID, i.ID
		set++
	}
	if c.in.yes("LocalTarget") {
		r.Target = "local"
		set++
	}
	if set != 1 {
		return errorf("MissingParameter", "The request must contain exactly one target of the route")
	}
	switch {
	case strings.HasPrefix(r.Target, "igw-"):
		g := c.s.gateways.get(r.Target)
		if g == nil {
			return notFound("InvalidInternetGatewayID.NotFound", "gateway", r.Target)
		}
		if g.VPC != vpc {
			return errorf("InvalidParameterValue", "route table and network gateway %s belong to different networks", r.Target)
		}
	case strings.HasPrefix(r.Target, "eni-"):
		e, err := c.eni(r.Target)
		if err != nil {
			return err
		}
		if e.VPC != vpc {
			return errorf("InvalidParameterValue", "route table and interface %s belong to different networks", r.Target)
		}
		if e.Attachment != nil {
			r.InstanceID = e.Attachment.InstanceID
		}
	case strings.HasPrefix(r.Target, "vpce-"):
		if c.s.endpoints.get(r.Target) == nil {
			return notFound("InvalidVpcEndpointId.NotFound", "VpcEndpoint", r.Target)
		}
	case r.Target == "local" || strings.Contains(r.Target, "-") && len(r.Target) < 64:
		return c.checkFarTarget(r.Target, vpc)
	default:
		return errorf("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", clip(r.Target))
	}
	return nil
}

func (c *call) setRoute(replace bool) *Error {
	old, err := c.table(c.in.str("RouteTableId"))
	if err != nil {
		return err
	}
	r, err := c.destination()
	if err != nil {
		return err
	}
	if err := c.target(&r, old.VPC); err != nil {
		return err
	}
	r.Origin = "CreateRoute"
	t := *old
	t.Routes = slices.Clone(old.Routes)
	i := slices.IndexFunc(t.Routes, func(o Route) bool { return o.CIDR == r.CIDR && o.PrefixListID == r.PrefixListID })
	switch {
	case replace && i < 0:
		return errorf("InvalidParameterValue", "There is no route defined for '%s' in the route table. Use CreateRoute instead.", destinationText(&r))
	case replace:
		t.Routes[i] = r
	case i >= 0:
		if t.Routes[i].Target == r.Target {
			c.x.yes("return", true)
			return nil
		}
		return errorf("RouteAlreadyExists", "The route identified by %s already exists.", destinationText(&r))
	case len(t.Routes) >= maxRoutes:
		return errorf("RouteLimitExceeded", "The maximum number of routes has been reached.")
	default:
		t.Routes = append(t.Routes, r)
	}
	c.s.routeTables.put(&t)
	c.x.yes("return", true)
	return nil
}

func destinationText(r *Route) string {
	if r.PrefixListID != "" {
		return r.PrefixListID
	}
	return r.CIDR.String()
}

func (c *call) deleteRoute() *Error {
	old, err := c.table(c.in.str("RouteTableId"))
	if err != nil {
		return err
	}
	r, err := c.destination()
	if err != nil {
		return err
	}
	t := *old
	i := slices.IndexFunc(t.Routes, func(o Route) bool { return o.CIDR == r.CIDR && o.PrefixListID == r.PrefixListID })
	if i < 0 {
		return errorf("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", destinationText(&r), t.ID)
	}
	if t.Routes[i].Target == "local" {
		return errorf("InvalidParameterValue", "cannot remove local route %s in route table %s", destinationText(&r), t.ID)
	}
	t.Routes = slices.Delete(slices.Clone(t.Routes), i, i+1)
	c.s.routeTables.put(&t)
	c.x.yes("return", true)
	return nil
}

func (c *call) associateTable() *Error {
	old, err := c.table(c.in.str("RouteTableId"))
	if err != nil {
		return err
	}
	if c.in.str("SubnetId") == "" {
		return errorf("InvalidParameterValue", "Only associations with subnets are supported by this endpoint")
	}
	sub, err := c.subnet(c.in.str("SubnetId"))
	if err != nil {
		return err
	}
	if sub.VPC != old.VPC {
		return errorf("InvalidParameterValue", "Route table %s and subnet %s belong to different networks", old.ID, sub.ID)
	}
	for _, t := range c.s.routeTables.all() {
		for _, a := range t.Associations {
			if a.Subnet == sub.ID && t.ID != old.ID {
				return errorf("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", old.ID)
			}
			if a.Subnet == sub.ID {
				c.writeAssociated("associationId", a.ID)
				return nil
			}
		}
	}
	t := *old
	a := Association{ID: c.s.newID("rtbassoc-"), Subnet: sub.ID}
	t.Associations = append(slices.Clone(old.Associations), a)
	c.s.routeTables.put(&t)
	c.writeAssociated("associationId", a.ID)
	return nil
}

func (c *call) writeAssociated(name, id string) {
	c.x.str(name, id)
	c.x.group("associationState", func() { c.x.str("state", "associated") })
}

// takeAssociation removes an association from the table that has it.
func (c *call) takeAssociation(id string, main bool) (Association, *Error) {
	for _, old := range c.s.routeTables.all() {
		i := slices.IndexFunc(old.Associations, func(a Association) bool { return a.ID == id })
		if i < 0 {
			continue
		}
		a := old.Associations[i]
		if a.Main && !main {
			return a, errorf("InvalidParameterValue", "cannot disassociate the main route table association %s", id)
		}
		t := *old
		t.Associations = slices.Delete(slices.Clone(old.Associations), i, i+1)
		c.s.routeTables.put(&t)
		return a, nil
	}
	return Association{}, errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", clip(id))
}

func (c *call) disassociateTable() *Error {
	if _, err := c.takeAssociation(c.in.str("AssociationId"), false); err != nil {
		return err
	}
	c.x.yes("return", true)
	return nil
}

func (c *call) replaceTable() *Error {
	id := c.in.str("RouteTableId")
	if _, err := c.table(id); err != nil {
		return err
	}
	a, err := c.takeAssociation(c.in.str("AssociationId"), true)
	if err != nil {
		return err
	}
	t := *c.s.routeTables.get(id)
	a.ID = c.s.newID("rtbassoc-")
	t.Associations = append(slices.Clone(t.Associations), a)
	c.s.routeTables.put(&t)
	c.writeAssociated("newAssociationId", a.ID)
	return nil
}

// prefixLists are those of AWS's gateway endpoints; their entries are of the ranges for
// documentation, since nothing of AWS can be reached from here.
