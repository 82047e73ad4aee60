package ec2api

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"mirador/internal/mirror"
)

func eniActions() []action {
	const eni, addr = "InvalidNetworkInterfaceID.NotFound", "InvalidParameterValue"
	return []action{
		write("CreateNetworkInterface", (*call).createENI, "InvalidSubnetID.NotFound", "InvalidGroup.NotFound", "InvalidIPAddress.InUse", "InsufficientFreeAddressesInSubnet", "IdempotentParameterMismatch"),
		write("DeleteNetworkInterface", (*call).deleteENI, eni, "InvalidNetworkInterface.InUse", "OperationNotPermitted"),
		read("DescribeNetworkInterfaces", (*call).describeENIs, eni, "InvalidNetworkInterfaceId.Malformed", "InvalidPaginationToken"),
		write("AttachNetworkInterface", (*call).attachENI, eni, "InvalidInstanceID.NotFound", "AttachmentLimitExceeded", "InvalidNetworkInterface.InUse", "IncorrectState"),
		write("DetachNetworkInterface", (*call).detachENI, "InvalidAttachmentID.NotFound", "OperationNotPermitted"),
		write("ModifyNetworkInterfaceAttribute", (*call).modifyENI, eni, "InvalidGroup.NotFound", "InvalidAttachmentID.NotFound"),
		read("DescribeNetworkInterfaceAttribute", (*call).describeENIAttribute, eni),
		write("AssignPrivateIpAddresses", (*call).assignIPv4, eni, "InvalidIPAddress.InUse", "InsufficientFreeAddressesInSubnet", "PrivateIpAddressLimitExceeded"),
		write("UnassignPrivateIpAddresses", (*call).unassignIPv4, eni),
		write("AssignIpv6Addresses", (*call).assignIPv6, eni, "InvalidIPAddress.InUse"),
		write("UnassignIpv6Addresses", (*call).unassignIPv6, eni),
	}
}

// interfaceMTU is the MTU that interfaces of present instance types have.
const interfaceMTU = 9001

func eniIDs() ids {
	return ids{param: "NetworkInterfaceId", prefix: "eni-", notFound: "InvalidNetworkInterfaceID.NotFound", malform: "InvalidNetworkInterfaceId.Malformed", what: "networkInterface"}
}

func (c *call) eni(id string) (*NetworkInterface, *Error) {
	if e := c.s.enis.get(id); e != nil {
		return e, nil
	}
	if !validID("eni-", id) {
		return nil, malformed("InvalidNetworkInterfaceId.Malformed", id)
	}
	return nil, notFound("InvalidNetworkInterfaceID.NotFound", "networkInterface", id)
}

// newENI makes an interface with a free address, for instances and load balancers.
func (s *state) newENI(now time.Time, sub *Subnet, kind, description string, groups []string) (*NetworkInterface, *Error) {
	a, err := s.freeAddr(sub)
	if err != nil {
		return nil, err
	}
	return &NetworkInterface{
		Resource: s.res(s.newID("eni-"), now, nil), Kind: kind, VPC: sub.VPC, Subnet: sub.ID, Zone: sub.Zone, Description: description,
		MAC: s.newMAC(), Addrs: []netip.Addr{a}, Groups: groups, SourceDestCheck: true, MTU: interfaceMTU,
	}, nil
}

// eniSpec reads what CreateNetworkInterface and the interfaces of RunInstances have in
// common. The interface is not yet known to the state.
func (c *call) eniSpec(n *node, sub *Subnet) (*NetworkInterface, *Error) {
	groups, err := c.groupsFor(n.strs("SecurityGroupId"), sub.VPC)
	if err != nil {
		return nil, err
	}
	e := &NetworkInterface{
		Resource: c.s.res(c.s.newID("eni-"), c.now, nil), Kind: KindInterface, VPC: sub.VPC, Subnet: sub.ID, Zone: sub.Zone,
		Description: n.str("Description"), MAC: c.s.newMAC(), Groups: groups, SourceDestCheck: true, MTU: interfaceMTU,
	}
	switch t := n.str("InterfaceType"); t {
	case "", KindInterface:
	case "efa", "efa-only", "branch", "trunk":
		e.Kind = t
	default:
		return nil, errorf("InvalidParameterValue", "Value (%s) for parameter interfaceType is invalid.", clip(t))
	}
	primary := n.str("PrivateIpAddress")
	var others []string
	for _, p := range n.list("PrivateIpAddresses") {
		if p.yes("Primary") {
			if primary != "" && primary != p.str("PrivateIpAddress") {
				return nil, errorf("InvalidParameterCombination", "Only one private IP address can be the primary one")
			}
			primary = p.str("PrivateIpAddress")
		} else {
			others = append(others, p.str("PrivateIpAddress"))
		}
	}
	if primary != "" {
		others = append([]string{primary}, others...)
	} else if !sub.IPv6Native {
		if err := c.addFree(e, sub, 1); err != nil {
			return nil, err
		}
	}
	if err := c.addWanted(e, sub, others); err != nil {
		return nil, err
	}
	if err := c.addFree(e, sub, n.num("SecondaryPrivateIpAddressCount", 0)); err != nil {
		return nil, err
	}
	var six []string
	for _, p := range n.list("Ipv6Addresses") {
		six = append(six, p.str("Ipv6Address"))
	}
	count := n.num("Ipv6AddressCount", 0)
	if (sub.AssignIPv6 || sub.IPv6Native) && count == 0 && len(six) == 0 {
		count = 1
	}
	return e, c.addIPv6(e, sub, six, count)
}

// maxAddrs is how many addresses of a family an interface has at most: the largest
// instance types have 50.
const maxAddrs = 50

func (c *call) addWanted(e *NetworkInterface, sub *Subnet, texts []string) *Error {
	for _, text := range texts {
		a, err := c.s.wantAddr(sub, text)
		if err != nil {
			return err
		}
		if slices.Contains(e.Addrs, a) {
			return errorf("InvalidParameterValue", "Address %s is given twice", a)
		}
		if e.Addrs = append(e.Addrs, a); len(e.Addrs) > maxAddrs {
			return errorf("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
		}
	}
	return nil
}

// addFree gives e n free addresses. They are marked as used at once, so that the search
// for the next does not find them again; putENI does it for good.
func (c *call) addFree(e *NetworkInterface, sub *Subnet, n int) *Error {
	if n < 0 || len(e.Addrs)+n > maxAddrs {
		return errorf("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
	}
	for range n {
		a, err := c.s.freeAddr(sub)
		for err == nil && slices.Contains(e.Addrs, a) {
			a, err = c.s.freeAddr(sub)
		}
		if err != nil {
			return err
		}
		e.Addrs = append(e.Addrs, a)
	}
	return nil
}

func (c *call) addIPv6(e *NetworkInterface, sub *Subnet, texts []string, n int) *Error {
	if n < 0 || len(e.IPv6)+len(texts)+n > maxAddrs {
		return errorf("InvalidParameterValue", "Number of IPv6 addresses will exceed limit.")
	}
	for _, text := range texts {
		a, err := c.s.wantIPv6(sub, text)
		if err != nil {
			return err
		}
		e.IPv6 = append(e.IPv6, a)
	}
	for range n {
		a, err := c.s.freeIPv6(sub)
		if err != nil {
			return err
		}
		e.IPv6 = append(e.IPv6, a)
	}
	return nil
}

// groupsFor checks the groups of an interface; none means the default one.
func (c *call) groupsFor(list []string, vpc string) ([]string, *Error) {
	if len(list) == 0 {
		if g := c.s.defaultGroup(vpc); g != nil {
			return []string{g.ID}, nil
		}
		return nil, nil
	}
	var out []string
	for _, id := range list {
		g, err := c.group(id)
		if err != nil {
			return nil, err
		}
		if g.VPC != vpc {
			return nil, errorf("InvalidGroup.NotFound", "The security group '%s' does not exist in VPC '%s'", id, vpc)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if len(out) > 16 {
		return nil, errorf("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
	}
	return out, nil
}

func (c *call) createENI() *Error {
	e, err := create(c, c.s.enis, "network-interface", func(tags []mirror.Tag) (*NetworkInterface, *Error) {
		sub, err := c.subnet(c.in.str("SubnetId"))
		if err != nil {
			return nil, err
		}
		if c.s.enis.count() >= maxResources {
			return nil, errorf("NetworkInterfaceLimitExceeded", "The maximum number of network interfaces has been reached.")
		}
		e, err := c.eniSpec(c.in, sub)
		if err != nil {
			return nil, err
		}
		e.Tags = tags
		c.s.putENI(e)
		return e, nil
	})
	if err != nil {
		return err
	}
	c.x.group("networkInterface", func() { c.writeENI(e, "pending") })
	c.token()
	return nil
}

// status is what DescribeNetworkInterfaces says of the use of an interface.
func (e *NetworkInterface) status() string {
	if e.Attachment != nil || e.ManagedBy != "" {
		return "in-use"
	}
	return "available"
}

// privateName is the DNS name of an address inside the VPC.
func (s *state) privateName(a netip.Addr) string {
	suffix := s.meta.Region + ".compute.internal"
	if s.meta.Region == "us-east-1" {
		suffix = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(a.String(), ".", "-") + "." + suffix
}

func (s *state) publicName(ip string) string {
	suffix := s.meta.Region + ".compute.amazonaws.com"
	if s.meta.Region == "us-east-1" {
		suffix = "compute-1.amazonaws.com"
	}
	return "ec2-" + strings.ReplaceAll(ip, ".", "-") + "." + suffix
}

func (c *call) writeGroups(ids []string) {
	eachXML(c.x, "groupSet", ids, func(id string) {
		c.x.str("groupId", id)
		if g := c.s.groups.get(id); g != nil {
			c.x.str("groupName", g.Name)
		}
	})
}

// writeAddrs writes what interfaces have alike where they are listed and inside their
// instance.
func (c *call) writeAddrs(e *NetworkInterface) {
	x := c.x
	x.str("networkInterfaceId", e.ID)
	x.str("subnetId", e.Subnet)
	x.str("vpcId", e.VPC)
	x.str("description", e.Description)
	x.str("ownerId", e.OwnerID)
	x.str("macAddress", macText(e.MAC))
	x.yes("sourceDestCheck", e.SourceDestCheck)
	x.str("interfaceType", e.Kind)
	if len(e.Addrs) > 0 {
		x.str("privateIpAddress", e.Addrs[0].String())
		x.str("privateDnsName", c.s.privateName(e.Addrs[0]))
	}
	c.writeGroups(e.Groups)
	if e.PublicIP != "" && len(e.Addrs) > 0 && c.s.publicAt(e) == e.Addrs[0] {
		c.writePublic(e)
	}
	primary := true
	eachXML(x, "privateIpAddressesSet", e.Addrs, func(a netip.Addr) {
		x.str("privateIpAddress", a.String())
		x.str("privateDnsName", c.s.privateName(a))
		x.yes("primary", primary)
		if e.PublicIP != "" && c.s.publicAt(e) == a {
			c.writePublic(e)
		}
		primary = false
	})
	eachXML(x, "ipv6AddressesSet", e.IPv6, func(a netip.Addr) { x.str("ipv6Address", a.String()) })
}

// publicAt is the private address that the public one of an interface belongs to.
func (s *state) publicAt(e *NetworkInterface) netip.Addr {
	if a := s.addresses.get(e.Allocation); a != nil {
		return a.Private
	}
	return e.Addrs[0]
}

func (c *call) writePublic(e *NetworkInterface) {
	c.x.group("association", func() {
		owner := "amazon"
		if a := c.s.addresses.get(e.Allocation); a != nil {
			owner = a.OwnerID
			c.x.str("allocationId", a.ID)
			c.x.str("associationId", a.Association)
		}
		c.x.str("publicIp", e.PublicIP)
		c.x.str("publicDnsName", c.s.publicName(e.PublicIP))
		c.x.str("ipOwnerId", owner)
	})
}

func macText(m [6]byte) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 17)
	for i, v := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[v>>4], digits[v&15])
	}
	return string(b)
}

func (c *call) writeENI(e *NetworkInterface, status string) {
	x := c.x
	c.writeAddrs(e)
	x.str("availabilityZone", e.Zone)
	x.str("availabilityZoneId", c.s.zoneID(e.Zone))
	x.yes("requesterManaged", e.RequesterManaged)
	x.opt("requesterId", e.RequesterID)
	x.str("status", status)
	c.writeAttachment(e.Attachment)
	c.writeTags(e.Tags)
}

// writeAttachment writes an attachment where there is one.
func (c *call) writeAttachment(a *Attachment) {
	if a == nil {
		return
	}
	x := c.x
	x.group("attachment", func() {
		x.str("attachmentId", a.ID)
		x.opt("instanceId", a.InstanceID)
		x.str("instanceOwnerId", a.InstanceOwner)
		x.num("deviceIndex", a.DeviceIndex)
		x.num("networkCardIndex", a.NetworkCard)
		x.str("status", "attached")
		x.time("attachTime", a.At)
		x.yes("deleteOnTermination", a.DeleteOnTermination)
	})
}

func (c *call) deleteENI() *Error {
	e, err := c.eni(c.in.str("NetworkInterfaceId"))
	if err != nil {
		return err
	}
	switch {
	case e.RequesterManaged || e.ManagedBy != "":
		return errorf("OperationNotPermitted", "You are not allowed to manage '%s' network interface.", e.ID)
	case e.Attachment != nil:
		return errorf("InvalidNetworkInterface.InUse", "Network interface '%s' is currently in use.", e.ID)
	}
	c.s.delENI(e.ID)
	c.x.yes("return", true)
	return nil
}

func (c *call) describeENIs() *Error {
	return describe(c, c.s.enis, eniIDs(), func(e *NetworkInterface, name string) ([]string, bool) { return c.eniAttribute(e, name) },
		"networkInterfaceSet", func(e *NetworkInterface) { c.writeENI(e, e.status()) })
}

func addrTexts(list []netip.Addr) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return out
}

func (c *call) eniAttribute(e *NetworkInterface, name string) ([]string, bool) {
	switch name {
	case "addresses.private-ip-address":
		return addrTexts(e.Addrs), true
	case "addresses.primary":
		return []string{"true"}, true
	case "addresses.association.public-ip", "association.public-ip":
		return one(e.PublicIP), true
	case "association.public-dns-name":
		if e.PublicIP == "" {
			return nil, true
		}
		return one(c.s.publicName(e.PublicIP)), true
	case "association.ip-owner-id", "addresses.association.owner-id":
		if e.PublicIP == "" {
			return nil, true
		}
		if a := c.s.addresses.get(e.Allocation); a != nil {
			return one(a.OwnerID), true
		}
		return one("amazon"), true
	case "association.allocation-id":
		return one(e.Allocation), true
	case "association.association-id":
		if a := c.s.addresses.get(e.Allocation); a != nil {
			return one(a.Association), true
		}
		return nil, true
	case "operator.principal":
		return nil, true
	case "operator.managed":
		return yesno(false), true
	case "availability-zone":
		return one(e.Zone), true
	case "availability-zone-id":
		return one(c.s.zoneID(e.Zone)), true
	case "description":
		return []string{e.Description}, true
	case "group-id":
		return e.Groups, true
	case "group-name":
		var out []string
		for _, id := range e.Groups {
			if g := c.s.groups.get(id); g != nil {
				out = append(out, g.Name)
			}
		}
		return out, true
	case "interface-type":
		return one(e.Kind), true
	case "ipv6-addresses.ipv6-address":
		return addrTexts(e.IPv6), true
	case "mac-address":
		return one(macText(e.MAC)), true
	case "network-interface-id":
		return one(e.ID), true
	case "owner-id":
		return one(e.OwnerID), true
	case "private-dns-name":
		if len(e.Addrs) == 0 {
			return nil, true
		}
		return one(c.s.privateName(e.Addrs[0])), true
	case "private-ip-address":
		if len(e.Addrs) == 0 {
			return nil, true
		}
		return one(e.Addrs[0].String()), true
	case "requester-id":
		return one(e.RequesterID), true
	case "requester-managed":
		return yesno(e.RequesterManaged), true
	case "source-dest-check":
		return yesno(e.SourceDestCheck), true
	case "status":
		return one(e.status()), true
	case "subnet-id":
		return one(e.Subnet), true
	case "vpc-id":
		return one(e.VPC), true
	}
	if field, ok := strings.CutPrefix(name, "attachment."); ok {
		return e.Attachment.attribute(field)
	}
	return nil, false
}

// attribute answers filters about an attachment; a may be nil.
func (a *Attachment) attribute(field string) ([]string, bool) {
	if a == nil {
		return nil, true
	}
	switch field {
	case "attach-time":
		return one(a.At.Format("2006-01-02T15:04:05.000Z")), true
	case "attachment-id":
		return one(a.ID), true
	case "delete-on-termination":
		return yesno(a.DeleteOnTermination), true
	case "device-index":
		return number(a.DeviceIndex), true
	case "network-card-index":
		return number(a.NetworkCard), true
	case "instance-id":
		return one(a.InstanceID), true
	case "instance-owner-id":
		return one(a.InstanceOwner), true
	case "status":
		return one("attached"), true
	}
	return nil, false
}

// interfacesOf returns the interfaces of an instance by device index.
func (s *state) interfacesOf(instance string) []*NetworkInterface {
	out := slices.Clone(s.atInstance[instance])
	slices.SortFunc(out, func(a, b *NetworkInterface) int {
		return (a.Attachment.NetworkCard-b.Attachment.NetworkCard)*1000 + a.Attachment.DeviceIndex - b.Attachment.DeviceIndex
	})
	return out
}

func (c *call) attachENI() *Error {
	old, err := c.eni(c.in.str("NetworkInterfaceId"))
	if err != nil {
		return err
	}
	i, err := c.instance(c.in.str("InstanceId"))
	if err != nil {
		return err
	}
	index := c.in.num("DeviceIndex", 0)
	switch {
	case old.RequesterManaged || old.ManagedBy != "":
		return errorf("OperationNotPermitted", "You are not allowed to manage '%s' network interface.", old.ID)
	case old.Attachment != nil:
		return errorf("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", old.ID)
	case i.State == Terminated:
		return errorf("IncorrectState", "Instance '%s' is not in a valid state to attach an interface", i.ID)
	case old.Zone != i.Zone:
		return errorf("InvalidParameterCombination", "You may not attach a network interface to an instance if they are not in the same availability zone")
	case index < 0:
		return errorf("InvalidParameterValue", "Invalid value '%d' for deviceIndex.", index)
	}
	have := c.s.interfacesOf(i.ID)
	t := typeInfo(i.Type)
	if len(have) >= t.enis {
		return errorf("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", len(have)+1, i.Type)
	}
	card := c.in.num("NetworkCardIndex", 0)
	if card < 0 || card >= t.cards {
		return errorf("InvalidParameterValue", "Invalid value '%d' for networkCardIndex. The instance type has %d network cards", card, t.cards)
	}
	for _, e := range have {
		if e.Attachment.DeviceIndex == index && e.Attachment.NetworkCard == card {
			return errorf("InvalidParameterValue", "Instance '%s' already has an interface attached at device index '%d'.", i.ID, index)
		}
	}
	e := *old
	e.Attachment = &Attachment{ID: c.s.newID("eni-attach-"), InstanceID: i.ID, InstanceOwner: i.OwnerID, DeviceIndex: index, NetworkCard: card, At: c.stamp()}
	c.s.putENI(&e)
	c.x.str("attachmentId", e.Attachment.ID)
	c.x.num("networkCardIndex", card)
	return nil
}

// stamp is the time of the call as the state keeps times.
func (c *call) stamp() time.Time { return c.now.UTC().Truncate(time.Millisecond) }

func (c *call) detachENI() *Error {
	id := c.in.str("AttachmentId")
	for _, old := range c.s.enis.all() {
		if old.Attachment == nil || old.Attachment.ID != id {
			continue
		}
		if old.RequesterManaged || old.Attachment.DeviceIndex == 0 && old.Attachment.NetworkCard == 0 {
			return errorf("OperationNotPermitted", "The network interface at device index 0 and networkCard index 0 cannot be detached.")
		}
		e := *old
		e.Attachment = nil
		c.s.putENI(&e)
		c.x.yes("return", true)
		return nil
	}
	return notFound("InvalidAttachmentID.NotFound", "attachment", id)
}

func (c *call) modifyENI() *Error {
	old, err := c.eni(c.in.str("NetworkInterfaceId"))
	if err != nil {
		return err
	}
	if old.RequesterManaged {
		return errorf("OperationNotPermitted", "You are not allowed to manage '%s' network interface.", old.ID)
	}
	e, set := *old, 0
	if c.in.has("Description") {
		e.Description = c.in.str("Description.Value")
		set++
	}
	if c.in.has("SourceDestCheck") {
		e.SourceDestCheck = c.in.yes("SourceDestCheck.Value")
		set++
	}
	if groups := c.in.strs("SecurityGroupId"); len(groups) > 0 {
		if e.Groups, err = c.groupsFor(groups, e.VPC); err != nil {
			return err
		}
		set++
	}
	if a := c.in.get("Attachment"); a != nil {
		if e.Attachment == nil || e.Attachment.ID != a.str("AttachmentId") {
			return notFound("InvalidAttachmentID.NotFound", "attachment", a.str("AttachmentId"))
		}
		n := *e.Attachment
		n.DeleteOnTermination = a.yesOr("DeleteOnTermination", n.DeleteOnTermination)
		e.Attachment = &n
		set++
	}
	for _, other := range []string{"ConnectionTrackingSpecification", "EnaSrdSpecification", "EnablePrimaryIpv6", "AssociatePublicIpAddress", "AssociatedSubnetId"} {
		if c.in.has(other) {
			set++
		}
	}
	if set != 1 {
		return errorf("InvalidParameterCombination", "Exactly one attribute can be modified in a call")
	}
	c.s.putENI(&e)
	c.x.yes("return", true)
	return nil
}

func (c *call) describeENIAttribute() *Error {
	e, err := c.eni(c.in.str("NetworkInterfaceId"))
	if err != nil {
		return err
	}
	x := c.x
	x.str("networkInterfaceId", e.ID)
	switch c.in.str("Attribute") {
	case "description":
		x.group("description", func() { x.str("value", e.Description) })
	case "sourceDestCheck":
		x.group("sourceDestCheck", func() { x.yes("value", e.SourceDestCheck) })
	case "groupSet":
		c.writeGroups(e.Groups)
	case "attachment":
		c.writeAttachment(e.Attachment)
	case "associatePublicIpAddress":
		x.yes("associatePublicIpAddress", e.PublicIP != "")
	default:
		return errorf("InvalidParameterCombination", "No attributes specified.")
	}
	return nil
}

// changeAddrs lets f change the addresses of a copy of an interface.
func (c *call) changeAddrs(f func(*NetworkInterface, *Subnet) *Error) *Error {
	old, err := c.eni(c.in.str("NetworkInterfaceId"))
	if err != nil {
		return err
	}
	e := *old
	e.Addrs, e.IPv6 = slices.Clone(old.Addrs), slices.Clone(old.IPv6)
	if err := f(&e, c.s.subnets.get(e.Subnet)); err != nil {
		return err
	}
	c.s.putENI(&e)
	return nil
}

func (c *call) assignIPv4() *Error {
	return c.changeAddrs(func(e *NetworkInterface, sub *Subnet) *Error {
		n := len(e.Addrs)
		if err := c.addWanted(e, sub, c.in.strs("PrivateIpAddress")); err != nil {
			return err
		}
		if err := c.addFree(e, sub, c.in.num("SecondaryPrivateIpAddressCount", 0)); err != nil {
			return err
		}
		if len(e.Addrs) == n {
			return errorf("MissingParameter", "Either privateIpAddress or secondaryPrivateIpAddressCount has to be given")
		}
		c.x.str("networkInterfaceId", e.ID)
		eachXML(c.x, "assignedPrivateIpAddressesSet", e.Addrs[n:], func(a netip.Addr) { c.x.str("privateIpAddress", a.String()) })
		return nil
	})
}

func (c *call) unassignIPv4() *Error {
	return c.changeAddrs(func(e *NetworkInterface, _ *Subnet) *Error {
		for _, text := range c.in.strs("PrivateIpAddress") {
			a, err := netip.ParseAddr(text)
			i := slices.Index(e.Addrs, a)
			if err != nil || i < 1 { // the primary address stays
				return errorf("InvalidParameterValue", "Some of the specified addresses are not assigned to interface %s: %s", e.ID, clip(text))
			}
			e.Addrs = slices.Delete(e.Addrs, i, i+1)
		}
		c.x.yes("return", true)
		return nil
	})
}

func (c *call) assignIPv6() *Error {
	return c.changeAddrs(func(e *NetworkInterface, sub *Subnet) *Error {
		n := len(e.IPv6)
		if err := c.addIPv6(e, sub, c.in.strs("Ipv6Addresses"), c.in.num("Ipv6AddressCount", 0)); err != nil {
			return err
		}
		c.x.str("networkInterfaceId", e.ID)
		c.x.strs("assignedIpv6Addresses", addrTexts(e.IPv6[n:]))
		return nil
	})
}

func (c *call) unassignIPv6() *Error {
	return c.changeAddrs(func(e *NetworkInterface, _ *Subnet) *Error {
		var gone []string
		for _, text := range c.in.strs("Ipv6Addresses") {
			a, err := netip.ParseAddr(text)
			i := slices.Index(e.IPv6, a)
			if err != nil || i < 0 {
				return errorf("InvalidParameterValue", "Some of the specified addresses are not assigned to interface %s: %s", e.ID, clip(text))
			}
			e.IPv6 = slices.Delete(e.IPv6, i, i+1)
			gone = append(gone, a.String())
		}
		c.x.str("networkInterfaceId", e.ID)
		c.x.strs("unassignedIpv6Addresses", gone)
		return nil
	})
}
