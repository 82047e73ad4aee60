package vpc

import (
	"net/netip"
	"slices"
	"strings"
)

// dangling takes out, and reports, what refers to things that are not in the files: the
// rest is still of use.
func (m *Importer) dangling(t *Topology) {
	groups, subnets := map[string]bool{}, map[string]bool{}
	for _, v := range t.VPCs {
		for _, g := range v.SecurityGroups {
			groups[g.ID] = true
		}
		for _, s := range v.Subnets {
			subnets[s.ID] = true
		}
	}
	enis := map[string]bool{}
	for i := range t.VPCs {
		m.keepInterfaces(&t.VPCs[i], subnets, groups, enis)
	}
	for i := range t.VPCs {
		m.keepRules(&t.VPCs[i], groups, enis, t)
	}
	t.LoadBalancers = keepIf(t.LoadBalancers, func(b *TopoBalancer) bool {
		b.Groups = m.known(b.ID, "security group", b.Groups, groups)
		b.Subnets = m.known(b.ID, "subnet", b.Subnets, subnets)
		if len(b.Subnets) == 0 {
			m.say("%s: none of its subnets is in the files", b.ID)
		}
		return len(b.Subnets) > 0
	})
	for i := range t.TargetGroups {
		g := &t.TargetGroups[i]
		g.Targets = slices.DeleteFunc(g.Targets, func(id string) bool {
			_, err := netip.ParseAddr(id)
			gone := err != nil && !enis[id+"/eth0"]
			if gone {
				m.say("%s: its target %s is not in the files", g.ID, id)
			}
			return gone
		})
	}
	t.TargetGroups = keepIf(t.TargetGroups, func(g *TopoTargetGroup) bool {
		ok := slices.ContainsFunc(t.VPCs, func(v TopoVPC) bool { return v.ID == g.VPC })
		if !ok {
			m.say("%s: its VPC %s is not in the files", g.ID, g.VPC)
		}
		return ok
	})
	t.Endpoints = keepIf(t.Endpoints, func(e *TopoEndpoint) bool {
		if !subnets[e.Subnet] {
			m.say("%s: its subnet %s is not in the files", e.ID, e.Subnet)
		}
		return subnets[e.Subnet]
	})
	m.keepMirroring(t, enis)
}

func keepIf[T any](list []T, keep func(*T) bool) []T {
	var out []T
	for i := range list {
		if keep(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}

// known takes out of ids, which belong to what has the id of, those that are not there.
func (m *Importer) known(of, kind string, ids []string, there map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		if !there[id] {
			m.say("%s: its %s %s is not in the files", of, kind, id)
		}
		return !there[id]
	})
}

func (m *Importer) keepInterfaces(v *TopoVPC, subnets, groups, enis map[string]bool) {
	fine := func(id string, s *TopoInterfaceSpec) bool {
		if !subnets[s.Subnet] {
			m.say("%s: its subnet %s is not in the files, or was not imported", id, s.Subnet)
			return false
		}
		s.Groups = m.known(id, "security group", s.Groups, groups)
		enis[id] = true
		return true
	}
	v.Instances = keepIf(v.Instances, func(i *TopoInstance) bool {
		if i.InterfaceID == "" {
			m.say("%s: its first interface is not in the files", i.ID)
			return false
		}
		if !fine(i.InterfaceID, &i.TopoInterfaceSpec) {
			return false
		}
		enis[i.ID+"/eth0"] = true
		i.Interfaces = keepIf(i.Interfaces, func(e *TopoInterface) bool { return fine(e.ID, &e.TopoInterfaceSpec) })
		return true
	})
	v.Interfaces = keepIf(v.Interfaces, func(e *TopoInterface) bool { return fine(e.ID, &e.TopoInterfaceSpec) })
}

func (m *Importer) keepRules(v *TopoVPC, groups, enis map[string]bool, t *Topology) {
	for i := range v.SecurityGroups {
		g := &v.SecurityGroups[i]
		for _, list := range []*[]TopoGroupRule{&g.Ingress, &g.Egress} {
			*list = keepIf(*list, func(r *TopoGroupRule) bool {
				r.Peers = slices.DeleteFunc(slices.Clone(r.Peers), func(p string) bool {
					gone := strings.HasPrefix(p, "sg-") && !groups[p]
					if gone {
						m.say("%s: a rule names the group %s, which is not in the files", g.ID, p)
					}
					return gone
				})
				return len(r.Peers) > 0
			})
		}
	}
	for i := range v.RouteTables {
		r := &v.RouteTables[i]
		r.Routes = keepIf(r.Routes, func(x *TopoRoute) bool {
			gone := strings.HasPrefix(x.Via, "eni-") && !enis[x.Via] || strings.HasPrefix(x.Via, "i-") && !enis[x.Via+"/eth0"]
			if gone {
				m.say("%s: the route to %s is by %s, which is not in the files", r.ID, x.To, x.Via)
			}
			return !gone
		})
	}
}

func (m *Importer) keepMirroring(t *Topology, enis map[string]bool) {
	balancers, endpoints, targets, filters := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, b := range t.LoadBalancers {
		balancers[b.ID] = true
	}
	for _, e := range t.Endpoints {
		endpoints[e.ID] = true
	}
	t.Mirroring.Targets = keepIf(t.Mirroring.Targets, func(x *TopoTarget) bool {
		ok := enis[x.Interface] || balancers[x.LoadBalancer] || endpoints[x.Endpoint]
		if !ok {
			m.say("%s: what it points at, %s, is not in the files", x.ID, x.Interface+x.LoadBalancer+x.Endpoint)
		}
		targets[x.ID] = ok
		return ok
	})
	for _, f := range t.Mirroring.Filters {
		filters[f.ID] = true
	}
	t.Mirroring.Sessions = keepIf(t.Mirroring.Sessions, func(x *TopoSession) bool {
		for _, c := range []struct {
			what, id string
			ok       bool
		}{{"source", x.Source, enis[x.Source]}, {"target", x.Target, targets[x.Target]}, {"filter", x.Filter, filters[x.Filter]}} {
			if !c.ok {
				m.say("%s: its %s %s is not in the files, or of another account", x.ID, c.what, c.id)
				return false
			}
		}
		return true
	})
}
