package ec2api

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"mirador/internal/mirror"
)

// Snapshot is all that the endpoint knows at one moment. It and everything in it is
// immutable; snapshots share what did not change between them.
type Snapshot struct {
	Generation uint64 // grows with each change
	Region     string
	AccountID  string

	VPCs             map[string]*VPC              // by id
	Subnets          map[string]*Subnet           // by id
	SecurityGroups   map[string]*SecurityGroup    // by id
	NetworkACLs      map[string]*NetworkACL       // by id
	RouteTables      map[string]*RouteTable       // by id
	InternetGateways map[string]*InternetGateway  // by id
	Interfaces       map[string]*NetworkInterface // by id
	Instances        map[string]*Instance         // by id
	LoadBalancers    map[string]*LoadBalancer     // by ARN
	TargetGroups     map[string]*TargetGroup      // by ARN
	Listeners        map[string]*Listener         // by ARN
	EndpointServices map[string]*EndpointService  // by id
	VPCEndpoints     map[string]*VPCEndpoint      // by id
	Peerings         map[string]*Peering          // by id
	PrefixLists      mirror.PrefixLists
	Mirroring        mirror.BookState
}

// snapshot takes the mirroring part from the one before if that has not changed since.
func (s *state) snapshot(before *Snapshot) *Snapshot {
	var book mirror.BookState
	if before != nil && before.Generation >= s.bookGen {
		book = before.Mirroring
	} else {
		book = s.book.State()
	}
	out := &Snapshot{Generation: s.gen, Region: s.meta.Region, AccountID: s.meta.AccountID, Mirroring: book}
	var old Snapshot
	if before != nil {
		old = *before
	}
	out.VPCs = share(s.vpcs, old.VPCs, before)
	out.Subnets = share(s.subnets, old.Subnets, before)
	out.SecurityGroups = share(s.groups, old.SecurityGroups, before)
	out.NetworkACLs = share(s.acls, old.NetworkACLs, before)
	out.RouteTables = share(s.routeTables, old.RouteTables, before)
	out.InternetGateways = share(s.gateways, old.InternetGateways, before)
	out.Interfaces = share(s.enis, old.Interfaces, before)
	out.Instances = share(s.instances, old.Instances, before)
	out.LoadBalancers = share(s.balancers, old.LoadBalancers, before)
	out.TargetGroups = share(s.targetGroups, old.TargetGroups, before)
	out.Listeners = share(s.listeners, old.Listeners, before)
	out.EndpointServices = share(s.services, old.EndpointServices, before)
	out.VPCEndpoints = share(s.endpoints, old.VPCEndpoints, before)
	out.Peerings = share(s.peerings, old.Peerings, before)
	out.PrefixLists = s.prefixLists()
	return out
}

// share returns the map of a table: the one that the snapshot before has when the table
// has not changed since, else a copy. Maps of snapshots never change.
func share[T any, P interface {
	*T
	resource() *Resource
}](t *table[T, P], old map[string]*T, before *Snapshot) map[string]*T {
	if before != nil && t.shown == t.edition {
		return old
	}
	t.shown = t.edition
	return maps.Clone(t.m)
}

// RouteTableOf returns the route table that a subnet uses: its own, else the main one
// of the VPC.
func (s *Snapshot) RouteTableOf(subnet string) *RouteTable {
	var main *RouteTable
	sub := s.Subnets[subnet]
	if sub == nil {
		return nil
	}
	for _, t := range s.RouteTables {
		if t.VPC != sub.VPC {
			continue
		}
		for _, a := range t.Associations {
			if a.Subnet == subnet {
				return t
			}
			if a.Main {
				main = t
			}
		}
	}
	return main
}

// ACLOf returns the network ACL of a subnet.
func (s *Snapshot) ACLOf(subnet string) *NetworkACL {
	for _, a := range s.NetworkACLs {
		if slices.ContainsFunc(a.Associations, func(x Association) bool { return x.Subnet == subnet }) {
			return a
		}
	}
	return nil
}

// MirrorInterface gives an interface in the terms of the mirroring model.
func (s *Snapshot) MirrorInterface(id string) (mirror.Interface, bool) {
	e := s.Interfaces[id]
	if e == nil {
		return mirror.Interface{}, false
	}
	m := e.mirror()
	if v := s.VPCs[e.VPC]; v != nil {
		m.VPCCIDRs = v.prefixes()
	}
	if i := s.Instances[m.InstanceID]; i != nil {
		m.InstanceType = i.Type
	}
	return m, true
}

func (e *NetworkInterface) mirror() mirror.Interface {
	m := mirror.Interface{
		ID: e.ID, Kind: e.Kind, OwnerID: e.OwnerID, VPC: e.VPC, Subnet: e.Subnet, AZ: e.Zone, MAC: e.MAC,
		Addrs: append(slices.Clone(e.Addrs), e.IPv6...), MTU: e.MTU,
	}
	if e.Attachment != nil {
		m.InstanceID = e.Attachment.InstanceID
	}
	return m
}

func (v *VPC) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, a := range v.CIDRs {
		out = append(out, a.CIDR)
	}
	for _, a := range v.IPv6 {
		out = append(out, a.CIDR)
	}
	return out
}

// Mirror gives a group in the terms of the mirroring model.
func (g *SecurityGroup) Mirror() mirror.SecurityGroup {
	out := mirror.SecurityGroup{ID: g.ID}
	for _, r := range g.Rules {
		m := mirror.GroupRule{
			ID: r.ID, Protocol: ProtocolNumber(r.Protocol), From: r.From, To: r.To,
			CIDR: r.CIDR, GroupID: r.GroupID, PrefixListID: r.PrefixListID,
		}
		if r.Egress {
			out.Egress = append(out.Egress, m)
		} else {
			out.Ingress = append(out.Ingress, m)
		}
	}
	return out
}

// Mirror gives a network ACL in the terms of the mirroring model.
func (a *NetworkACL) Mirror() mirror.NetworkACL {
	out := mirror.NetworkACL{ID: a.ID}
	for _, e := range a.Entries {
		r := mirror.ACLRule{Number: e.Number, Egress: e.Egress, Allow: e.Allow, Protocol: e.Protocol, CIDR: e.CIDR, Ports: e.Ports, ICMPType: -1, ICMPCode: -1}
		if e.ICMPType != nil {
			r.ICMPType = *e.ICMPType
		}
		if e.ICMPCode != nil {
			r.ICMPCode = *e.ICMPCode
		}
		out.Entries = append(out.Entries, r)
	}
	return out
}

// Mirror gives a route table in the terms of the mirroring model. blackhole tells, for
// the target of a route, whether it is gone.
func (t *RouteTable) Mirror(blackhole func(target string) bool) mirror.RouteTable {
	out := mirror.RouteTable{ID: t.ID}
	for _, r := range t.Routes {
		out.Routes = append(out.Routes, mirror.Route{
			Destination: r.CIDR, PrefixListID: r.PrefixListID, Target: r.Target,
			Blackhole: r.Gone || r.Target != "local" && blackhole(r.Target), Propagated: r.Origin == "EnableVgwRoutePropagation",
		})
	}
	return out
}

// ProtocolNumber gives the IANA number of a security group rule's protocol.
func ProtocolNumber(name string) int {
	switch name {
	case "tcp":
		return 6
	case "udp":
		return 17
	case "icmp":
		return 1
	case "icmpv6":
		return 58
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		return mirror.AnyProtocol
	}
	return n
}
