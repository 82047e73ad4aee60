package setup

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mirador/internal/mirror"
)

// hop is where mirrored packets go to.
type hop struct {
	name   string
	subnet string
	addr   netip.Addr
	groups []mirror.SecurityGroup // nil: there are none to pass
	port   int
}

// addressIn returns the address of an interface, or one that it may get in the subnet.
func (f *preflight) addressIn(id, subnet string) netip.Addr {
	if e := f.w.Interface(id); e != nil && e.Primary().IsValid() {
		return e.Primary()
	}
	n := f.w.Subnet(subnet)
	if n == nil || !n.CIDR.IsValid() {
		return netip.Addr{}
	}
	a := n.CIDR.Addr()
	for range 10 { // AWS keeps the first four
		a = a.Next()
	}
	return a
}

// hops returns where packets go to: the traffic interfaces, or the load balancer.
func (f *preflight) hops() []hop {
	var out []hop
	for i := range f.d.Seats {
		s := &f.d.Seats[i]
		id := s.Existing
		h := hop{name: "sensor " + seatName(s), subnet: s.Subnet, port: 4789}
		if s.Key != "" {
			if e := pickInterface(f.w, f.s.Name, s); e != nil {
				id = e.ID
			}
			for j := range f.d.Groups {
				if f.d.Groups[j].Key == s.Group {
					h.groups = append(h.groups, groupOf(s.Group, f.d.Groups[j].Ingress, f.d.Groups[j].Egress))
				}
			}
		} else if e := f.w.Interface(id); e != nil {
			h.groups = []mirror.SecurityGroup{}
			for j := range f.w.Groups {
				if slices.Contains(e.Groups, f.w.Groups[j].ID) {
					h.groups = append(h.groups, groupOf(f.w.Groups[j].ID, f.w.Groups[j].Ingress, f.w.Groups[j].Egress))
				}
			}
		}
		h.addr = f.addressIn(id, s.Subnet)
		out = append(out, h)
	}
	return out
}

// groupOf turns a security group into the form that mirror judges.
func groupOf(id string, in, out []Permission) mirror.SecurityGroup {
	g := mirror.SecurityGroup{ID: id}
	conv := func(list []Permission) []mirror.GroupRule {
		var rules []mirror.GroupRule
		for _, p := range list {
			r := mirror.GroupRule{Protocol: mirror.AnyProtocol, From: p.From, To: p.To, GroupID: p.Group, PrefixListID: p.List}
			if n, err := mirror.ParseProtocol(p.Protocol); err == nil {
				r.Protocol = n
			}
			if n, err := netip.ParsePrefix(p.CIDR); err == nil {
				r.CIDR = n
			}
			rules = append(rules, r)
		}
		return rules
	}
	g.Ingress, g.Egress = conv(in), conv(out)
	return g
}

// aclOf returns the network ACL of a subnet, or nil.
func (w *Observed) aclOf(subnet string) *mirror.NetworkACL {
	for i := range w.NetworkACLs {
		x := &w.NetworkACLs[i]
		if !slices.Contains(x.Subnets, subnet) {
			continue
		}
		out := &mirror.NetworkACL{ID: x.ID}
		for _, e := range x.Entries {
			r := mirror.ACLRule{Number: e.Number, Egress: e.Egress, Allow: e.Allow, Protocol: e.Protocol, CIDR: e.CIDR, ICMPType: -1, ICMPCode: -1}
			if e.From != AnyPort {
				r.Ports = &mirror.PortRange{From: e.From, To: e.To}
			}
			out.Entries = append(out.Entries, r)
		}
		return out
	}
	return nil
}

// routesOf returns the route table that a subnet uses: its own, or the main one of its
// VPC.
func (w *Observed) routesOf(n *Subnet) *mirror.RouteTable {
	var use *RouteTable
	for i := range w.RouteTables {
		t := &w.RouteTables[i]
		if t.VPC != n.VPC {
			continue
		}
		if slices.Contains(t.Subnets, n.ID) {
			use = t
			break
		}
		if t.Main {
			use = t
		}
	}
	if use == nil {
		return nil
	}
	out := &mirror.RouteTable{ID: use.ID}
	for _, r := range use.Routes {
		out.Routes = append(out.Routes, mirror.Route{Destination: r.Destination, PrefixListID: r.List, Target: r.Via, Blackhole: r.Blackhole})
	}
	return out
}

// paths judges the way from each subnet with sources to each place packets go to: route,
// network ACLs on both sides, security groups.
func (f *preflight) paths() {
	subnets := map[string]*Source{}
	for _, x := range f.d.picked(Selected) {
		if subnets[x.Interface.Subnet] == nil {
			subnets[x.Interface.Subnet] = x
		}
	}
	var ids []string
	for id := range subnets {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	hops := f.hops()
	good := 0
	for _, id := range ids {
		from, x := f.w.Subnet(id), subnets[id]
		if from == nil || !x.Interface.Primary().IsValid() {
			continue
		}
		for i := range hops {
			good += b2i(f.path(from, x, &hops[i]))
		}
	}
	if n := len(ids) * len(hops); n > 0 && good == n {
		f.add(OK, "route", strconv.Itoa(n)+" paths", "routes, network ACLs and security groups let mirrored packets through", "")
	}
}

// path judges one way and tells whether it is free.
func (f *preflight) path(from *Subnet, x *Source, h *hop) bool {
	if !h.addr.IsValid() {
		return true
	}
	ok := true
	bad := func(code, text, remedy string) {
		ok = false
		f.add(Error, code, from.ID+" to "+h.name, text, remedy)
	}
	p := mirror.MirrorProbe(x.Interface.Primary(), h.addr)
	to := f.w.Subnet(h.subnet)
	if t := f.w.routesOf(from); t != nil {
		if v := mirror.LookupRoute(t, h.addr, f.w.PrefixLists); !v.Found {
			bad("route", v.Why, "add a route to "+t.ID+" that leads to "+h.addr.String()+" (VPC peering or a transit gateway)")
		} else if strings.HasPrefix(v.Target, "igw-") || strings.HasPrefix(v.Target, "nat-") {
			bad("route", v.Why+", which does not lead to the sensor", "connect the VPCs by peering or a transit gateway")
		}
	}
	if f.s.kind() == TargetGWLB {
		return ok // packets reach the endpoint in the subnet itself, then AWS's own network
	}
	if to == nil || to.ID != from.ID {
		if a := f.w.aclOf(from.ID); a != nil {
			if v := mirror.ACLAdmits(a, mirror.Egress, p); !v.Admitted {
				bad("acl", v.Why, fmt.Sprintf("allow UDP %d to %s in outbound rules of %s", h.port, h.addr, a.ID))
			}
		}
		if a := f.w.aclOf(h.subnet); a != nil {
			if v := mirror.ACLAdmits(a, mirror.Ingress, p); !v.Admitted {
				bad("acl", v.Why, fmt.Sprintf("allow UDP %d from %s in inbound rules of %s", h.port, from.CIDR, a.ID))
			}
		}
	}
	if h.groups != nil {
		if v := mirror.GroupsAdmit(h.groups, mirror.Ingress, p, x.Interface.Groups, f.w.PrefixLists); !v.Admitted {
			bad("group", v.Why, fmt.Sprintf("let UDP %d in from %s: security_group.sources", h.port, from.CIDR))
		}
	}
	return ok
}
