package ec2api

import (
	"cmp"
	"slices"
	"strings"

	"mirador/internal/mirror"
)

func endpointActions() []action {
	const service, endpoint = "InvalidVpcEndpointServiceId.NotFound", "InvalidVpcEndpointId.NotFound"
	return []action{
		write("CreateVpcEndpointServiceConfiguration", (*call).createService, "InvalidParameter", "IdempotentParameterMismatch"),
		write("DeleteVpcEndpointServiceConfigurations", (*call).deleteServices, service, "ExistingVpcEndpointConnections"),
		read("DescribeVpcEndpointServiceConfigurations", (*call).describeServices, service, "InvalidPaginationToken"),
		write("ModifyVpcEndpointServiceConfiguration", (*call).modifyService, service, "InvalidParameter"),
		read("DescribeVpcEndpointServicePermissions", (*call).servicePermissions, service),
		write("ModifyVpcEndpointServicePermissions", (*call).modifyPermissions, service),
		read("DescribeVpcEndpointServices", (*call).describeOffers, "InvalidServiceName"),
		write("CreateVpcEndpoint", (*call).createEndpoint, "InvalidServiceName", "InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidParameter", "DuplicateSubnetsInSameZone", "IdempotentParameterMismatch"),
		write("DeleteVpcEndpoints", (*call).deleteEndpoints, "InvalidVpcEndpoint.NotFound"),
		read("DescribeVpcEndpoints", (*call).describeEndpoints, endpoint, "InvalidPaginationToken"),
		write("ModifyVpcEndpoint", (*call).modifyEndpoint, endpoint, "InvalidSubnetID.NotFound", "InvalidRouteTableID.NotFound"),
		read("DescribeVpcEndpointConnections", (*call).describeConnections),
		write("AcceptVpcEndpointConnections", func(c *call) *Error { return c.decideConnections("available") }, service),
		write("RejectVpcEndpointConnections", func(c *call) *Error { return c.decideConnections("rejected") }, service),
	}
}

const (
	endpointInterface = "Interface"
	endpointGateway   = "Gateway"
	endpointGWLB      = "GatewayLoadBalancer"
)

func (c *call) service(id string) (*EndpointService, *Error) {
	if s := c.s.services.get(id); s != nil {
		return s, nil
	}
	return nil, errorf("InvalidVpcEndpointServiceId.NotFound", "The VpcEndpointService Id '%s' does not exist", clip(id))
}

// serviceBalancers checks the load balancers of a service: all of one kind.
func (c *call) serviceBalancers(gateways, networks []string) (kind string, arns []string, err *Error) {
	if (len(gateways) > 0) == (len(networks) > 0) {
		return "", nil, errorf("InvalidParameter", "Either Network Load Balancers or Gateway Load Balancers have to be given")
	}
	kind, want, arns := endpointInterface, BalancerNetwork, networks
	if len(gateways) > 0 {
		kind, want, arns = endpointGWLB, BalancerGateway, gateways
	}
	for _, a := range arns {
		if b := c.s.balancers.get(a); b == nil || b.Type != want {
			return "", nil, errorf("InvalidParameter", "The load balancer '%s' does not exist or is of another type", clip(a))
		}
	}
	return kind, arns, nil
}

func (c *call) createService() *Error {
	s, err := create(c, c.s.services, "vpc-endpoint-service", func(tags []mirror.Tag) (*EndpointService, *Error) {
		kind, arns, err := c.serviceBalancers(c.in.strs("GatewayLoadBalancerArn"), c.in.strs("NetworkLoadBalancerArn"))
		if err != nil {
			return nil, err
		}
		s := &EndpointService{
			Resource: c.s.res(c.s.newID("vpce-svc-"), c.now, tags), LoadBalancers: arns, Type: kind, AcceptanceRequired: c.in.yesOr("AcceptanceRequired", true),
			PrivateDNSName: c.in.str("PrivateDnsName"), AddrTypes: c.in.strs("SupportedIpAddressType"),
		}
		if len(s.AddrTypes) == 0 {
			s.AddrTypes = []string{"ipv4"}
		}
		s.Name = "com.amazonaws.vpce." + c.s.meta.Region + "." + s.ID
		return s, nil
	})
	if err != nil {
		return err
	}
	c.x.group("serviceConfiguration", func() { c.writeService(s) })
	c.token()
	return nil
}

// serviceZones are the zones that the load balancers of a service are in.
func (c *call) serviceZones(s *EndpointService) []string {
	var out []string
	for _, arn := range s.LoadBalancers {
		if b := c.s.balancers.get(arn); b != nil {
			for _, n := range b.Subnets {
				if !slices.Contains(out, n.Zone) {
					out = append(out, n.Zone)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func (c *call) writeService(s *EndpointService) {
	x := c.x
	x.group("serviceType", func() { x.group("item", func() { x.str("serviceType", s.Type) }) })
	x.str("serviceId", s.ID)
	x.str("serviceName", s.Name)
	x.str("serviceState", "Available")
	zones := c.serviceZones(s)
	x.strs("availabilityZoneSet", zones)
	x.yes("acceptanceRequired", s.AcceptanceRequired)
	x.yes("managesVpcEndpoints", false)
	if s.Type == endpointGWLB {
		x.strs("gatewayLoadBalancerArnSet", s.LoadBalancers)
	} else {
		x.strs("networkLoadBalancerArnSet", s.LoadBalancers)
		x.strs("baseEndpointDnsNameSet", []string{s.ID + "." + c.s.meta.Region + ".vpce.amazonaws.com"})
	}
	x.strs("supportedIpAddressTypeSet", s.AddrTypes)
	x.opt("privateDnsName", s.PrivateDNSName)
	c.writeTags(s.Tags)
}

// failures writes the list of what a call could not do.
func (c *call) failures(list map[string]*Error, order []string) {
	var failed []string
	for _, id := range order {
		if list[id] != nil {
			failed = append(failed, id)
		}
	}
	eachXML(c.x, "unsuccessful", failed, func(id string) {
		c.x.group("error", func() {
			c.x.str("code", list[id].Code)
			c.x.str("message", list[id].Message)
		})
		c.x.str("resourceId", id)
	})
}

func (c *call) deleteServices() *Error {
	failed := map[string]*Error{}
	want := c.in.strs("ServiceId")
	for _, id := range want {
		s, err := c.service(id)
		if err != nil {
			failed[id] = err
			continue
		}
		if slices.ContainsFunc(c.s.endpoints.all(), func(e *VPCEndpoint) bool { return e.Service == s.Name && e.State != "rejected" }) {
			failed[id] = errorf("ExistingVpcEndpointConnections", "Service %s has existing active VPC Endpoint connections!", id)
			continue
		}
		c.s.services.del(id)
	}
	c.failures(failed, want)
	return nil
}

func (c *call) describeServices() *Error {
	by := ids{param: "ServiceId", prefix: "vpce-svc-", notFound: "InvalidVpcEndpointServiceId.NotFound", what: "VpcEndpointService"}
	return describe(c, c.s.services, by, func(s *EndpointService, name string) ([]string, bool) {
		switch name {
		case "service-id":
			return one(s.ID), true
		case "service-name":
			return one(s.Name), true
		case "service-state":
			return one("Available"), true
		case "supported-ip-address-types":
			return s.AddrTypes, true
		}
		return nil, false
	}, "serviceConfigurationSet", c.writeService)
}

func (c *call) modifyService() *Error {
	old, err := c.service(c.in.str("ServiceId"))
	if err != nil {
		return err
	}
	s := *old
	s.AcceptanceRequired = c.in.yesOr("AcceptanceRequired", s.AcceptanceRequired)
	s.PrivateDNSName = c.in.or("PrivateDnsName", s.PrivateDNSName)
	if c.in.yes("RemovePrivateDnsName") {
		s.PrivateDNSName = ""
	}
	drop := append(c.in.strs("RemoveGatewayLoadBalancerArn"), c.in.strs("RemoveNetworkLoadBalancerArn")...)
	s.LoadBalancers = slices.DeleteFunc(slices.Clone(s.LoadBalancers), func(a string) bool { return slices.Contains(drop, a) })
	for _, a := range append(c.in.strs("AddGatewayLoadBalancerArn"), c.in.strs("AddNetworkLoadBalancerArn")...) {
		if !slices.Contains(s.LoadBalancers, a) {
			s.LoadBalancers = append(s.LoadBalancers, a)
		}
	}
	gateways, networks := s.LoadBalancers, []string(nil)
	if s.Type == endpointInterface {
		gateways, networks = networks, gateways
	}
	if _, _, err := c.serviceBalancers(gateways, networks); err != nil {
		return err
	}
	removeTypes := c.in.strs("RemoveSupportedIpAddressType")
	s.AddrTypes = slices.DeleteFunc(append(slices.Clone(s.AddrTypes), c.in.strs("AddSupportedIpAddressType")...), func(t string) bool { return slices.Contains(removeTypes, t) })
	c.s.services.put(&s)
	c.x.yes("return", true)
	return nil
}

func principalType(p string) string {
	switch {
	case p == "*":
		return "All"
	case strings.HasSuffix(p, ":root"):
		return "Account"
	case strings.Contains(p, ":role/"):
		return "Role"
	case strings.Contains(p, ":user/"):
		return "User"
	}
	return "Service"
}

func (c *call) writePrincipal(s *EndpointService, p string) {
	c.x.str("principalType", principalType(p))
	c.x.str("principal", p)
	c.x.str("servicePermissionId", nameID("vpce-svc-perm-", s.ID+p))
	c.x.str("serviceId", s.ID)
}

func (c *call) servicePermissions() *Error {
	s, err := c.service(c.in.str("ServiceId"))
	if err != nil {
		return err
	}
	list := make([]*string, len(s.Principals))
	for i := range s.Principals {
		list[i] = &s.Principals[i]
	}
	list, err = filter(c, list, func(p *string, name string) ([]string, bool) {
		switch name {
		case "principal":
			return one(*p), true
		case "principal-type":
			return one(principalType(*p)), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	eachXML(c.x, "allowedPrincipals", list, func(p *string) { c.writePrincipal(s, *p) })
	return nil
}

func (c *call) modifyPermissions() *Error {
	old, err := c.service(c.in.str("ServiceId"))
	if err != nil {
		return err
	}
	s := *old
	drop, add := c.in.strs("RemoveAllowedPrincipals"), c.in.strs("AddAllowedPrincipals")
	s.Principals = slices.DeleteFunc(slices.Clone(s.Principals), func(p string) bool { return slices.Contains(drop, p) })
	for _, p := range add {
		if !slices.Contains(s.Principals, p) {
			s.Principals = append(s.Principals, p)
		}
	}
	c.s.services.put(&s)
	eachXML(c.x, "addedPrincipalSet", add, func(p string) { c.writePrincipal(&s, p) })
	c.x.yes("return", true)
	return nil
}

// offer is a service that endpoints can be made of.
type offer struct {
	name, id, owner string
	kinds           []string
	zones           []string
	accept          bool
	private         string
	tags            []mirror.Tag
}

// awsOffers are services of AWS that can be named; nothing is behind their endpoints.
func awsOffers() map[string][]string {
	return map[string][]string{
		"s3": {endpointGateway, endpointInterface}, "dynamodb": {endpointGateway}, "ec2": {endpointInterface}, "sts": {endpointInterface}, "ssm": {endpointInterface},
		"logs": {endpointInterface}, "monitoring": {endpointInterface}, "elasticloadbalancing": {endpointInterface}, "sqs": {endpointInterface},
	}
}

func (c *call) offers() []*offer {
	var out []*offer
	var zones []string
	for _, z := range c.s.zones() {
		zones = append(zones, z.name)
	}
	for short, kinds := range awsOffers() {
		name := "com.amazonaws." + c.s.meta.Region + "." + short
		out = append(out, &offer{name: name, id: nameID("vpce-svc-", name), owner: "amazon", kinds: kinds, zones: zones})
	}
	slices.SortFunc(out, func(a, b *offer) int { return cmp.Compare(a.name, b.name) })
	for _, s := range c.s.services.all() {
		out = append(out, &offer{name: s.Name, id: s.ID, owner: s.OwnerID, kinds: []string{s.Type}, zones: c.serviceZones(s), accept: s.AcceptanceRequired, private: s.PrivateDNSName, tags: s.Tags})
	}
	return out
}

func (c *call) offer(name string) *offer {
	list := c.offers()
	i := slices.IndexFunc(list, func(o *offer) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return list[i]
}

func (c *call) describeOffers() *Error {
	list := c.offers()
	if want := c.in.strs("ServiceName"); len(want) > 0 {
		for _, w := range want {
			if c.offer(w) == nil {
				return errorf("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", clip(w))
			}
		}
		list = slices.DeleteFunc(list, func(o *offer) bool { return !slices.Contains(want, o.name) })
	}
	list, err := filter(c, list, func(o *offer, name string) ([]string, bool) {
		switch name {
		case "owner":
			return one(o.owner), true
		case "service-name":
			return one(o.name), true
		case "service-region":
			return one(c.s.meta.Region), true
		case "service-type":
			return o.kinds, true
		case "supported-ip-address-types":
			return one("ipv4"), true
		}
		return filterTags(o.tags, name)
	})
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "serviceNameSet", list, func(o *offer) { x.b = appendEscaped(x.b, o.name) })
	eachXML(x, "serviceDetailSet", list, func(o *offer) {
		x.str("serviceName", o.name)
		x.str("serviceId", o.id)
		eachXML(x, "serviceType", o.kinds, func(k string) { x.str("serviceType", k) })
		x.str("serviceRegion", c.s.meta.Region)
		x.strs("availabilityZoneSet", o.zones)
		x.str("owner", o.owner)
		x.strs("baseEndpointDnsNameSet", []string{o.id + "." + c.s.meta.Region + ".vpce.amazonaws.com"})
		x.opt("privateDnsName", o.private)
		x.yes("vpcEndpointPolicySupported", o.owner == "amazon")
		x.yes("acceptanceRequired", o.accept)
		x.yes("managesVpcEndpoints", false)
		x.strs("supportedIpAddressTypeSet", []string{"ipv4"})
		c.writeTags(o.tags)
	})
	return nil
}

func (c *call) createEndpoint() *Error {
	e, err := create(c, c.s.endpoints, "vpc-endpoint", c.newEndpoint)
	if err != nil {
		return err
	}
	state := e.State
	if state == "available" && e.Type != endpointGateway {
		state = "pending"
	}
	c.x.group("vpcEndpoint", func() { c.writeEndpoint(e, state) })
	c.token()
	return nil
}

func (c *call) newEndpoint(tags []mirror.Tag) (*VPCEndpoint, *Error) {
	v, err := c.vpc(c.in.str("VpcId"))
	if err != nil {
		return nil, err
	}
	e := &VPCEndpoint{
		Resource: c.s.res(c.s.newID("vpce-"), c.now, tags), VPC: v.ID, Service: c.in.str("ServiceName"), Type: c.in.or("VpcEndpointType", endpointGateway),
		State: "available", Policy: c.in.str("PolicyDocument"), PrivateDNS: c.in.yes("PrivateDnsEnabled"), AddrType: c.in.or("IpAddressType", "ipv4"),
	}
	o := c.offer(e.Service)
	if o == nil {
		return nil, errorf("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", clip(e.Service))
	}
	if !slices.Contains(o.kinds, e.Type) {
		return nil, errorf("InvalidParameter", "Endpoint type (%s) does not match available service types ([%s]).", e.Type, strings.Join(o.kinds, ", "))
	}
	if o.accept {
		e.State = "pendingAcceptance"
	}
	if len(e.Policy) > 20_480 {
		return nil, errorf("InvalidPolicyDocument", "The policy is too long")
	}
	if e.Type == endpointGateway {
		return e, c.endpointTables(e, c.in.strs("RouteTableId"))
	}
	groups := c.in.strs("SecurityGroupId")
	if e.Type == endpointGWLB {
		if len(groups) > 0 {
			return nil, errorf("InvalidParameter", "Security groups are not supported for endpoints of type GatewayLoadBalancer")
		}
		if len(c.in.strs("SubnetId")) != 1 {
			return nil, errorf("InvalidParameter", "VPC endpoints of this type have exactly one subnet")
		}
	} else if e.Groups, err = c.groupsFor(groups, v.ID); err != nil {
		return nil, err
	}
	for _, id := range c.in.strs("SubnetId") {
		if err := c.endpointSubnet(e, o, id); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (c *call) endpointTables(e *VPCEndpoint, tables []string) *Error {
	for _, id := range tables {
		t, err := c.table(id)
		if err != nil {
			return err
		}
		if t.VPC != e.VPC {
			return errorf("InvalidParameter", "Route table %s is of another VPC", id)
		}
		if !slices.Contains(e.RouteTables, id) {
			e.RouteTables = append(slices.Clone(e.RouteTables), id)
		}
		for _, l := range c.s.managedLists() {
			if l.Name == e.Service {
				n := *t
				n.Routes = append(slices.Clone(t.Routes), Route{PrefixListID: l.ID, Target: e.ID, Origin: "CreateRoute"})
				c.s.routeTables.put(&n)
			}
		}
	}
	return nil
}

// endpointSubnet gives an endpoint an interface in a subnet.
func (c *call) endpointSubnet(e *VPCEndpoint, o *offer, id string) *Error {
	sub, err := c.subnet(id)
	if err != nil {
		return err
	}
	switch {
	case sub.VPC != e.VPC:
		return errorf("InvalidParameter", "The subnet '%s' is of another VPC", id)
	case !slices.Contains(o.zones, sub.Zone):
		return errorf("InvalidParameter", "The VPC endpoint service %s does not support the availability zone of the subnet: %s.", e.Service, id)
	}
	for _, other := range e.Subnets {
		if c.s.subnets.get(other).Zone == sub.Zone {
			return errorf("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s.", id)
		}
	}
	kind := KindVPCEndpoint
	if e.Type == endpointGWLB {
		kind = KindGWLBEndpoint
	}
	nic, err := c.s.newENI(c.now, sub, kind, "VPC Endpoint Interface "+e.ID, slices.Clone(e.Groups))
	if err != nil {
		return err
	}
	nic.RequesterManaged, nic.RequesterID, nic.ManagedBy, nic.SourceDestCheck = true, "727180483921", e.ID, false
	nic.Attachment = &Attachment{ID: c.s.newID("ela-attach-"), InstanceOwner: "amazon-aws", DeviceIndex: 1, At: c.stamp()}
	nic.MTU = mirror.MTULoadBalancer
	c.s.putENI(nic)
	e.Subnets = append(slices.Clone(e.Subnets), id)
	e.Interfaces = append(slices.Clone(e.Interfaces), nic.ID)
	return nil
}

func (c *call) endpoint(id string) (*VPCEndpoint, *Error) {
	if e := c.s.endpoints.get(id); e != nil {
		return e, nil
	}
	if !validID("vpce-", id) {
		return nil, errorf("InvalidVpcEndpointId.Malformed", "The Vpc Endpoint Id '%s' is malformed", clip(id))
	}
	return nil, errorf("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", clip(id))
}

func (c *call) writeEndpoint(e *VPCEndpoint, state string) {
	x := c.x
	x.str("vpcEndpointId", e.ID)
	x.str("vpcEndpointType", e.Type)
	x.str("vpcId", e.VPC)
	x.str("serviceName", e.Service)
	x.str("state", state)
	policy := e.Policy
	if policy == "" && e.Type != endpointGWLB {
		policy = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	}
	x.opt("policyDocument", policy)
	x.strs("routeTableIdSet", e.RouteTables)
	x.strs("subnetIdSet", e.Subnets)
	c.writeGroups(e.Groups)
	if e.Type != endpointGateway {
		x.str("ipAddressType", e.AddrType)
	}
	x.yes("privateDnsEnabled", e.PrivateDNS)
	x.yes("requesterManaged", false)
	x.strs("networkInterfaceIdSet", e.Interfaces)
	c.writeEndpointNames(e)
	x.time("creationTimestamp", e.Created)
	x.str("ownerId", e.OwnerID)
	x.str("serviceRegion", c.s.meta.Region)
	c.writeTags(e.Tags)
}

func (c *call) writeEndpointNames(e *VPCEndpoint) {
	var names []string
	if e.Type == endpointInterface {
		names = []string{e.ID + "." + e.Service[strings.LastIndexByte(e.Service, '.')+1:] + "." + c.s.meta.Region + ".vpce.amazonaws.com"}
	}
	eachXML(c.x, "dnsEntrySet", names, func(n string) {
		c.x.str("dnsName", n)
		c.x.str("hostedZoneId", "Z7HUB22UULQXV")
	})
}

func (c *call) describeEndpoints() *Error {
	by := ids{param: "VpcEndpointId", prefix: "vpce-", notFound: "InvalidVpcEndpointId.NotFound", malform: "InvalidVpcEndpointId.Malformed", what: "VpcEndpoint"}
	return describe(c, c.s.endpoints, by, func(e *VPCEndpoint, name string) ([]string, bool) {
		switch name {
		case "ip-address-type":
			return one(e.AddrType), true
		case "service-name":
			return one(e.Service), true
		case "service-region":
			return one(c.s.meta.Region), true
		case "vpc-endpoint-id":
			return one(e.ID), true
		case "vpc-endpoint-state":
			return one(e.State), true
		case "vpc-endpoint-type":
			return one(e.Type), true
		case "vpc-id":
			return one(e.VPC), true
		}
		return nil, false
	}, "vpcEndpointSet", func(e *VPCEndpoint) { c.writeEndpoint(e, e.State) })
}

func (c *call) deleteEndpoints() *Error {
	failed := map[string]*Error{}
	want := c.in.strs("VpcEndpointId")
	for _, id := range want {
		e := c.s.endpoints.get(id)
		if e == nil {
			failed[id] = errorf("InvalidVpcEndpoint.NotFound", "The VpcEndPoint Id '%s' does not exist", clip(id))
			continue
		}
		for _, nic := range e.Interfaces {
			c.s.delENI(nic)
		}
		c.s.dropPrefixRoutes(e, e.RouteTables)
		c.s.endpoints.del(id)
	}
	c.failures(failed, want)
	return nil
}

// dropPrefixRoutes removes the routes to a gateway endpoint from tables.
func (s *state) dropPrefixRoutes(e *VPCEndpoint, tables []string) {
	for _, id := range tables {
		t := s.routeTables.get(id)
		if t == nil {
			continue
		}
		n := *t
		n.Routes = slices.DeleteFunc(slices.Clone(t.Routes), func(r Route) bool { return r.PrefixListID != "" && r.Target == e.ID })
		s.routeTables.put(&n)
	}
}

func (c *call) modifyEndpoint() *Error {
	old, err := c.endpoint(c.in.str("VpcEndpointId"))
	if err != nil {
		return err
	}
	e := *old
	e.Policy = c.in.or("PolicyDocument", e.Policy)
	if c.in.yes("ResetPolicy") {
		e.Policy = ""
	}
	e.PrivateDNS = c.in.yesOr("PrivateDnsEnabled", e.PrivateDNS)
	e.AddrType = c.in.or("IpAddressType", e.AddrType)
	if drop := c.in.strs("RemoveRouteTableId"); len(drop) > 0 {
		e.RouteTables = slices.DeleteFunc(slices.Clone(e.RouteTables), func(id string) bool { return slices.Contains(drop, id) })
		c.s.dropPrefixRoutes(&e, drop)
	}
	if err := c.endpointTables(&e, c.in.strs("AddRouteTableId")); err != nil {
		return err
	}
	for _, id := range c.in.strs("RemoveSubnetId") {
		if i := slices.Index(e.Subnets, id); i >= 0 {
			c.s.delENI(e.Interfaces[i])
			e.Subnets = slices.Delete(slices.Clone(e.Subnets), i, i+1)
			e.Interfaces = slices.Delete(slices.Clone(e.Interfaces), i, i+1)
		}
	}
	if add := c.in.strs("AddSubnetId"); len(add) > 0 {
		o := c.offer(e.Service)
		if e.Type == endpointGateway || e.Type == endpointGWLB || o == nil {
			return errorf("InvalidParameter", "Subnets cannot be added to this endpoint")
		}
		for _, id := range add {
			if err := c.endpointSubnet(&e, o, id); err != nil {
				return err
			}
		}
	}
	drop := c.in.strs("RemoveSecurityGroupId")
	groups := slices.DeleteFunc(slices.Clone(e.Groups), func(id string) bool { return slices.Contains(drop, id) })
	if groups = append(groups, c.in.strs("AddSecurityGroupId")...); !slices.Equal(groups, e.Groups) {
		if e.Groups, err = c.groupsFor(groups, e.VPC); err != nil {
			return err
		}
		for _, id := range e.Interfaces {
			nic := *c.s.enis.get(id)
			nic.Groups = slices.Clone(e.Groups)
			c.s.putENI(&nic)
		}
	}
	c.s.endpoints.put(&e)
	c.x.yes("return", true)
	return nil
}

// connection is an endpoint as the owner of its service sees it.
type connection struct {
	s *EndpointService
	e *VPCEndpoint
}

func (c *call) describeConnections() *Error {
	var list []*connection
	for _, e := range c.s.endpoints.all() {
		for _, s := range c.s.services.all() {
			if s.Name == e.Service {
				list = append(list, &connection{s, e})
			}
		}
	}
	list, err := filter(c, list, func(n *connection, name string) ([]string, bool) {
		switch name {
		case "ip-address-type":
			return one(n.e.AddrType), true
		case "service-id":
			return one(n.s.ID), true
		case "vpc-endpoint-id":
			return one(n.e.ID), true
		case "vpc-endpoint-owner":
			return one(n.e.OwnerID), true
		case "vpc-endpoint-region":
			return one(c.s.meta.Region), true
		case "vpc-endpoint-state":
			return one(n.e.State), true
		}
		return nil, false
	})
	if err != nil {
		return err
	}
	list, next, err := page(c, list, func(n *connection) uint64 { return n.e.Seq })
	if err != nil {
		return err
	}
	x := c.x
	eachXML(x, "vpcEndpointConnectionSet", list, func(n *connection) {
		x.str("serviceId", n.s.ID)
		x.str("vpcEndpointId", n.e.ID)
		x.str("vpcEndpointOwner", n.e.OwnerID)
		x.str("vpcEndpointState", n.e.State)
		x.time("creationTimestamp", n.e.Created)
		c.writeEndpointNames(n.e)
		if n.s.Type == endpointGWLB {
			x.strs("gatewayLoadBalancerArnSet", n.s.LoadBalancers)
		} else {
			x.strs("networkLoadBalancerArnSet", n.s.LoadBalancers)
		}
		x.str("ipAddressType", n.e.AddrType)
		x.str("vpcEndpointConnectionId", nameID("vpce-svc-conn-", n.e.ID))
		c.writeTags(nil)
		x.str("vpcEndpointRegion", c.s.meta.Region)
	})
	x.opt("nextToken", next)
	return nil
}

func (c *call) decideConnections(state string) *Error {
	s, err := c.service(c.in.str("ServiceId"))
	if err != nil {
		return err
	}
	failed := map[string]*Error{}
	want := c.in.strs("VpcEndpointId")
	for _, id := range want {
		old := c.s.endpoints.get(id)
		if old == nil || old.Service != s.Name {
			failed[id] = errorf("InvalidVpcEndpoint.NotFound", "The VpcEndPoint Id '%s' does not exist", clip(id))
			continue
		}
		e := *old
		e.State = state
		c.s.endpoints.put(&e)
	}
	c.failures(failed, want)
	return nil
}
