package ec2api

import (
	"slices"
	"strings"
	"time"

	"mirador/internal/mirror"
)

func peeringActions() []action {
	const pcx = "InvalidVpcPeeringConnectionID.NotFound"
	return []action{
		write("CreateVpcPeeringConnection", (*call).createPeering, "InvalidVpcID.NotFound", "VpcPeeringConnectionAlreadyExists", "OperationNotPermitted"),
		write("AcceptVpcPeeringConnection", func(c *call) *Error { return c.answerPeering("active") }, pcx, "InvalidStateTransition"),
		write("RejectVpcPeeringConnection", func(c *call) *Error { return c.answerPeering("rejected") }, pcx, "InvalidStateTransition"),
		write("DeleteVpcPeeringConnection", func(c *call) *Error { return c.answerPeering("deleted") }, pcx, "InvalidStateTransition"),
		write("ModifyVpcPeeringConnectionOptions", (*call).modifyPeering, pcx, "OperationNotPermitted"),
		read("DescribeVpcPeeringConnections", (*call).describePeerings, pcx, "InvalidPaginationToken"),
		write("CreateEgressOnlyInternetGateway", (*call).createEgressGateway, "InvalidVpcID.NotFound", "IdempotentParameterMismatch"),
		write("DeleteEgressOnlyInternetGateway", (*call).deleteEgressGateway, "InvalidGatewayID.NotFound"),
		read("DescribeEgressOnlyInternetGateways", (*call).describeEgressGateways, "InvalidGatewayID.NotFound", "InvalidPaginationToken"),
		write("CreateDhcpOptions", (*call).createDHCP, "InvalidParameterValue"),
		write("AssociateDhcpOptions", (*call).associateDHCP, "InvalidDhcpOptionsID.NotFound", "InvalidVpcID.NotFound"),
		write("DeleteDhcpOptions", (*call).deleteDHCP, "InvalidDhcpOptionsID.NotFound", "DependencyViolation"),
		read("DescribeDhcpOptions", (*call).describeDHCP, "InvalidDhcpOptionsID.NotFound"),
	}
}

// Peering connects two VPCs.
type Peering struct {
	Resource
	Requester string `json:"requester"` // VPC
	Accepter  string `json:"accepter"`
	// AccepterOwner is the account of Accepter; OwnerID is that of Requester.
	AccepterOwner string    `json:"accepterOwner"`
	State         string    `json:"state"` // pending-acceptance, active, rejected, deleted, failed
	StateAt       time.Time `json:"stateAt"`
	// DNS of the one side answers the other.
	RequesterDNS bool `json:"requesterDns,omitempty"`
	AccepterDNS  bool `json:"accepterDns,omitempty"`
}

// Other returns the VPC on the other side of vpc, or empty when p does not connect it.
func (p *Peering) Other(vpc string) string {
	switch {
	case p.State != "active":
	case p.Requester == vpc:
		return p.Accepter
	case p.Accepter == vpc:
		return p.Requester
	}
	return ""
}

// EgressGateway is an egress-only internet gateway.
type EgressGateway struct {
	Resource
	VPC string `json:"vpc"`
}

// DHCPOption is one option and its values.
type DHCPOption struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// DHCPOptions is a set of DHCP options.
type DHCPOptions struct {
	Resource
	Options []DHCPOption `json:"options"`
}

func peeringIDs() ids {
	return ids{param: "VpcPeeringConnectionId", prefix: "pcx-", notFound: "InvalidVpcPeeringConnectionID.NotFound", malform: "InvalidVpcPeeringConnectionId.Malformed", what: "vpcPeeringConnection"}
}

func (c *call) createPeering() *Error {
	tags, err := c.specTags("vpc-peering-connection")
	if err != nil {
		return err
	}
	from, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	if c.in.str("PeerVpcId") == "" {
		return errorf("MissingParameter", "The request must contain the parameter peerVpcId")
	}
	if r := c.in.or("PeerRegion", c.s.meta.Region); r != c.s.meta.Region {
		return errorf("InvalidParameterValue", "This endpoint has no region but %s", c.s.meta.Region)
	}
	other := c.v.account(c.in.or("PeerOwnerId", c.s.meta.AccountID))
	if other == nil {
		return errorf("InvalidParameterValue", "This endpoint has no account %s", clip(c.in.str("PeerOwnerId")))
	}
	to, err := find(other.s.vpcs, c.in.str("PeerVpcId"), vpcIDs())
	if err != nil {
		return err
	}
	if to.ID == from.ID {
		return errorf("OperationNotPermitted", "A VPC cannot be peered with itself")
	}
	for _, o := range c.s.peerings.all() {
		if (o.State == "active" || o.State == "pending-acceptance") && (o.Requester == from.ID && o.Accepter == to.ID || o.Requester == to.ID && o.Accepter == from.ID) {
			if o.State == "pending-acceptance" && o.Requester == from.ID {
				c.x.group("vpcPeeringConnection", func() { c.writePeering(o, o.State) })
				return nil
			}
			return errorf("VpcPeeringConnectionAlreadyExists", "A VPC peering connection between %s and %s exists: %s", from.ID, to.ID, o.ID)
		}
	}
	p := &Peering{Resource: c.s.res(c.s.newID("pcx-"), c.now, tags), Requester: from.ID, Accepter: to.ID, AccepterOwner: to.OwnerID, State: "pending-acceptance", StateAt: c.stamp()}
	for _, a := range from.prefixes() {
		for _, b := range to.prefixes() {
			if a.Overlaps(b) {
				p.State = "failed"
			}
		}
	}
	c.s.peerings.put(p)
	if other.s != c.s { // each side has the connection, with its own tags
		twin := *p
		twin.Tags = nil
		other.s.seq++
		twin.Seq = other.s.seq
		other.s.peerings.put(&twin)
	}
	c.x.group("vpcPeeringConnection", func() { c.writePeering(p, "initiating-request") })
	return nil
}

// answerPeering brings a connection into a state that it may go to.
func (c *call) answerPeering(to string) *Error {
	old, err := find(c.s.peerings, c.in.str("VpcPeeringConnectionId"), peeringIDs())
	if err != nil {
		return err
	}
	if other := old.OwnerID != c.s.meta.AccountID; to == "active" && !other && old.AccepterOwner != c.s.meta.AccountID {
		return errorf("OperationNotPermitted", "User %s cannot accept peering %s", c.s.meta.AccountID, old.ID)
	}
	ok := old.State == "pending-acceptance" || to == "deleted" && (old.State == "active" || old.State == "deleted")
	if !ok {
		return errorf("InvalidStateTransition", "Invalid state transition for %s, attempted to transition from %s to %s", old.ID, old.State, to)
	}
	p := *old
	if p.State != to {
		p.State, p.StateAt = to, c.stamp()
		c.putPeering(&p)
	}
	if to == "active" {
		c.x.group("vpcPeeringConnection", func() { c.writePeering(&p, "provisioning") })
		return nil
	}
	c.x.yes("return", true)
	return nil
}

// putPeering changes a connection on both sides, and the routes to one that is deleted.
func (c *call) putPeering(p *Peering) {
	for _, id := range []string{p.OwnerID, p.AccepterOwner} {
		a := c.v.account(id)
		if a == nil || a.s.peerings.get(p.ID) == nil {
			continue
		}
		side := *p
		had := a.s.peerings.get(p.ID).Resource
		side.Resource = had
		a.s.peerings.put(&side)
		if p.State == "deleted" {
			a.s.routesGone(p.ID)
		}
	}
}

func peeringMessage(state string) string {
	switch state {
	case "initiating-request":
		return "Initiating Request to "
	case "pending-acceptance":
		return "Pending Acceptance by "
	case "active":
		return "Active"
	case "provisioning":
		return "Provisioning"
	case "rejected":
		return "Rejected by "
	case "deleted":
		return "Deleted by "
	}
	return "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"
}

func (c *call) writePeering(p *Peering, state string) {
	x := c.x
	x.str("vpcPeeringConnectionId", p.ID)
	for _, side := range []struct {
		name, vpc, owner string
		dns              bool
	}{{"requesterVpcInfo", p.Requester, p.OwnerID, p.RequesterDNS}, {"accepterVpcInfo", p.Accepter, p.AccepterOwner, p.AccepterDNS}} {
		x.group(side.name, func() {
			x.str("ownerId", side.owner)
			x.str("vpcId", side.vpc)
			x.str("region", c.s.meta.Region)
			if v := c.anyVPC(side.vpc); v != nil {
				x.str("cidrBlock", v.CIDRs[0].CIDR.String())
				eachXML(x, "cidrBlockSet", v.CIDRs, func(a CIDRAssociation) { x.str("cidrBlock", a.CIDR.String()) })
				if len(v.IPv6) > 0 {
					eachXML(x, "ipv6CidrBlockSet", v.IPv6, func(a CIDRAssociation) { x.str("ipv6CidrBlock", a.CIDR.String()) })
				}
			}
			x.group("peeringOptions", func() { c.writePeeringOptions(side.dns) })
		})
	}
	message := peeringMessage(state)
	if strings.HasSuffix(message, " ") {
		message += map[bool]string{true: c.s.meta.AccountID, false: p.AccepterOwner}[state == "deleted"]
	}
	x.group("status", func() { x.str("code", state); x.str("message", message) })
	if p.State == "pending-acceptance" {
		x.time("expirationTime", p.Created.Add(7*24*time.Hour))
	}
	c.writeTags(p.Tags)
}

func (c *call) writePeeringOptions(dns bool) {
	c.x.yes("allowDnsResolutionFromRemoteVpc", dns)
	c.x.yes("allowEgressFromLocalClassicLinkToRemoteVpc", false)
	c.x.yes("allowEgressFromLocalVpcToRemoteClassicLink", false)
}

func (c *call) modifyPeering() *Error {
	old, err := find(c.s.peerings, c.in.str("VpcPeeringConnectionId"), peeringIDs())
	if err != nil {
		return err
	}
	if old.State != "active" {
		return errorf("OperationNotPermitted", "Peering connection %s is not active", old.ID)
	}
	p := *old
	for name, dns := range map[string]*bool{"RequesterPeeringConnectionOptions": &p.RequesterDNS, "AccepterPeeringConnectionOptions": &p.AccepterDNS} {
		if n := c.in.get(name); n != nil {
			*dns = n.yesOr("AllowDnsResolutionFromRemoteVpc", *dns)
		}
	}
	c.putPeering(&p)
	if c.in.has("AccepterPeeringConnectionOptions") {
		c.x.group("accepterPeeringConnectionOptions", func() { c.writePeeringOptions(p.AccepterDNS) })
	}
	if c.in.has("RequesterPeeringConnectionOptions") {
		c.x.group("requesterPeeringConnectionOptions", func() { c.writePeeringOptions(p.RequesterDNS) })
	}
	return nil
}

func (c *call) describePeerings() *Error {
	return describe(c, c.s.peerings, peeringIDs(), func(p *Peering, name string) ([]string, bool) {
		switch name {
		case "status-code":
			return one(p.State), true
		case "status-message":
			return one(peeringMessage(p.State)), true
		case "vpc-peering-connection-id":
			return one(p.ID), true
		}
		side, field, _ := strings.Cut(name, "-vpc-info.")
		id := map[string]string{"requester": p.Requester, "accepter": p.Accepter}[side]
		switch v := c.anyVPC(id); field {
		case "vpc-id":
			return one(id), true
		case "owner-id":
			return one(map[string]string{"requester": p.OwnerID, "accepter": p.AccepterOwner}[side]), true
		case "cidr-block":
			if v == nil {
				return nil, true
			}
			return cidrs(v.CIDRs), true
		}
		return nil, false
	}, "vpcPeeringConnectionSet", func(p *Peering) { c.writePeering(p, p.State) })
}

func egressIDs() ids {
	return ids{param: "EgressOnlyInternetGatewayId", prefix: "eigw-", notFound: "InvalidGatewayID.NotFound", what: "egressOnlyInternetGateway"}
}

func (c *call) writeEgressGateway(g *EgressGateway) {
	c.x.str("egressOnlyInternetGatewayId", g.ID)
	eachXML(c.x, "attachmentSet", []string{g.VPC}, func(vpc string) {
		c.x.str("state", "attached")
		c.x.str("vpcId", vpc)
	})
	c.writeTags(g.Tags)
}

func (c *call) createEgressGateway() *Error {
	g, err := create(c, c.s.egressGateways, "egress-only-internet-gateway", func(tags []mirror.Tag) (*EgressGateway, *Error) {
		v, err := c.vpc(c.in.str("VpcId"))
		if err != nil {
			return nil, err
		}
		return &EgressGateway{Resource: c.s.res(c.s.newID("eigw-"), c.now, tags), VPC: v.ID}, nil
	})
	if err != nil {
		return err
	}
	c.x.group("egressOnlyInternetGateway", func() { c.writeEgressGateway(g) })
	c.token()
	return nil
}

func (c *call) deleteEgressGateway() *Error {
	g, err := find(c.s.egressGateways, c.in.str("EgressOnlyInternetGatewayId"), egressIDs())
	if err != nil {
		return err
	}
	c.s.routesGone(g.ID)
	c.s.egressGateways.del(g.ID)
	c.x.yes("returnCode", true)
	return nil
}

func (c *call) describeEgressGateways() *Error {
	return describe(c, c.s.egressGateways, egressIDs(), func(*EgressGateway, string) ([]string, bool) { return nil, false }, "egressOnlyInternetGatewaySet", c.writeEgressGateway)
}

// dhcpSets are the sets of options: the one that AWS makes for each region, and those of
// the account.
func (s *state) dhcpSets() []*DHCPOptions {
	name := s.meta.Region + ".compute.internal"
	if s.meta.Region == "us-east-1" {
		name = "ec2.internal"
	}
	std := &DHCPOptions{
		Resource: Resource{ID: s.dhcpOptions(), OwnerID: s.meta.AccountID},
		Options:  []DHCPOption{{"domain-name", []string{name}}, {"domain-name-servers", []string{"AmazonProvidedDNS"}}},
	}
	return append([]*DHCPOptions{std}, s.dhcp.all()...)
}

func (c *call) writeDHCP(d *DHCPOptions) {
	c.x.str("dhcpOptionsId", d.ID)
	c.x.str("ownerId", d.OwnerID)
	eachXML(c.x, "dhcpConfigurationSet", d.Options, func(o DHCPOption) {
		c.x.str("key", o.Key)
		eachXML(c.x, "valueSet", o.Values, func(v string) { c.x.str("value", v) })
	})
	c.writeTags(d.Tags)
}

func (c *call) createDHCP() *Error {
	tags, err := c.specTags("dhcp-options")
	if err != nil {
		return err
	}
	d := &DHCPOptions{Resource: c.s.res(c.s.newID("dopt-"), c.now, tags)}
	for _, n := range c.in.list("DhcpConfiguration") {
		o := DHCPOption{Key: n.str("Key"), Values: n.strs("Value")}
		if !slices.Contains([]string{"domain-name", "domain-name-servers", "ntp-servers", "netbios-name-servers", "netbios-node-type", "ipv6-address-preferred-lease-time"}, o.Key) || len(o.Values) == 0 {
			return errorf("InvalidParameterValue", "Value (%s) for parameter key is invalid. Unknown DHCP option.", clip(o.Key))
		}
		d.Options = append(d.Options, o)
	}
	if len(d.Options) == 0 {
		return errorf("MissingParameter", "The request must contain the parameter dhcpConfigurations")
	}
	c.s.dhcp.put(d)
	c.x.group("dhcpOptions", func() { c.writeDHCP(d) })
	return nil
}

func (c *call) dhcpSet(id string) (*DHCPOptions, *Error) {
	for _, d := range c.s.dhcpSets() {
		if d.ID == id {
			return d, nil
		}
	}
	return nil, errorf("InvalidDhcpOptionsID.NotFound", "The dhcpOptions ID '%s' does not exist", clip(id))
}

func (c *call) associateDHCP() *Error {
	id := c.in.str("DhcpOptionsId")
	if id != "default" {
		if _, err := c.dhcpSet(id); err != nil {
			return err
		}
	}
	old, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return err
	}
	v := *old
	v.DHCPOptions = id
	c.s.vpcs.put(&v)
	c.x.yes("return", true)
	return nil
}

func (c *call) deleteDHCP() *Error {
	d, err := c.dhcpSet(c.in.str("DhcpOptionsId"))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(c.s.vpcs.all(), func(v *VPC) bool { return v.DHCPOptions == d.ID }) || d.ID == c.s.dhcpOptions() {
		return errorf("DependencyViolation", "The dhcpOptions '%s' has dependencies and cannot be deleted.", d.ID)
	}
	c.s.dhcp.del(d.ID)
	c.x.yes("return", true)
	return nil
}

func (c *call) describeDHCP() *Error {
	list := c.s.dhcpSets()
	if want := c.in.strs("DhcpOptionsId"); len(want) > 0 {
		for _, id := range want {
			if _, err := c.dhcpSet(id); err != nil {
				return err
			}
		}
		list = slices.DeleteFunc(list, func(d *DHCPOptions) bool { return !slices.Contains(want, d.ID) })
	}
	list, err := filter(c, list, func(d *DHCPOptions, f string) ([]string, bool) {
		var out []string
		switch f {
		case "dhcp-options-id":
			return one(d.ID), true
		case "owner-id":
			return one(d.OwnerID), true
		case "key":
			for _, o := range d.Options {
				out = append(out, o.Key)
			}
			return out, true
		case "value":
			for _, o := range d.Options {
				out = append(out, o.Values...)
			}
			return out, true
		}
		return d.filterTags(f)
	})
	if err != nil {
		return err
	}
	list, next, err := page(c, list, func(d *DHCPOptions) uint64 { return d.Seq })
	if err != nil {
		return err
	}
	eachXML(c.x, "dhcpOptionsSet", list, c.writeDHCP)
	c.x.opt("nextToken", next)
	return nil
}
