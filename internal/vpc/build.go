package vpc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/ec2api"
	"mirador/internal/mirror"
)

// buildOptions say whose objects are made.
type buildOptions struct {
	Region, AccountID string
}

// Built are the objects of a topology.
type Built struct {
	Objects *ec2api.Snapshot
	Devices map[string]string       // existing devices, by interface id
	Names   map[string][]netip.Addr // more names for the resolver
	Groups  map[string]string       // security groups named "default" in the file, by VPC
}

// Build makes the objects of t for an endpoint of this region and account. The ids of
// things without one are made of their names, so that they are the same each time.
func (t *Topology) Build(region, account string) (*Built, error) {
	return t.build(buildOptions{region, account})
}

// builder is one run of build.
type builder struct {
	t    *Topology
	o    buildOptions
	out  *ec2api.Snapshot
	res  *Built
	errs []error

	names map[string]map[string]string // kind -> name -> id
	taken map[string]string            // id -> what has it
	kinds map[string]string            // id -> kind
	used  map[string]map[netip.Addr]bool
	enis  map[string]string // "web/eth0" -> interface id
	ids   map[*Topo]string  // ids of things, chosen or given
	late  []func()          // what needs all addresses that are given
}

// maxProblems bounds the problems that are reported together.
const maxProblems = 50

func (t *Topology) build(o buildOptions) (*Built, error) {
	b := &builder{t: t, o: o, names: map[string]map[string]string{}, taken: map[string]string{}, kinds: map[string]string{}, used: map[string]map[netip.Addr]bool{}, enis: map[string]string{}, ids: map[*Topo]string{}}
	b.out = &ec2api.Snapshot{
		Region: o.Region, AccountID: o.AccountID, VPCs: map[string]*ec2api.VPC{}, Subnets: map[string]*ec2api.Subnet{},
		SecurityGroups: map[string]*ec2api.SecurityGroup{}, NetworkACLs: map[string]*ec2api.NetworkACL{}, RouteTables: map[string]*ec2api.RouteTable{},
		InternetGateways: map[string]*ec2api.InternetGateway{}, Interfaces: map[string]*ec2api.NetworkInterface{}, Instances: map[string]*ec2api.Instance{},
		LoadBalancers: map[string]*ec2api.LoadBalancer{}, TargetGroups: map[string]*ec2api.TargetGroup{}, Listeners: map[string]*ec2api.Listener{},
		EndpointServices: map[string]*ec2api.EndpointService{}, VPCEndpoints: map[string]*ec2api.VPCEndpoint{},
	}
	b.res = &Built{Objects: b.out, Devices: map[string]string{}, Names: map[string][]netip.Addr{}, Groups: map[string]string{}}
	if len(t.VPCs) == 0 {
		b.bad("", "no vpcs")
	}
	for i := range t.VPCs {
		b.vpc(&t.VPCs[i], fmt.Sprintf("vpcs[%d]", i))
	}
	for i := range t.VPCs {
		b.within(&t.VPCs[i], fmt.Sprintf("vpcs[%d]", i))
	}
	for _, f := range b.late {
		f()
	}
	b.balancing()
	b.mirroring()
	for i := range t.VPCs { // routes may lead to interfaces and endpoints
		b.routes(&t.VPCs[i], fmt.Sprintf("vpcs[%d]", i))
	}
	for name, a := range t.Names {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			b.bad("names."+name, "%q is no address", a)
			continue
		}
		b.res.Names[name] = []netip.Addr{addr}
	}
	if len(b.errs) > maxProblems {
		b.errs = append(b.errs[:maxProblems:maxProblems], fmt.Errorf("and %d more problems", len(b.errs)-maxProblems))
	}
	return b.res, errors.Join(b.errs...)
}

func (b *builder) bad(path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + ": " + text
	}
	b.errs = append(b.errs, fmt.Errorf("%s: %s", b.t.at(path), text))
}

// digest makes hexadecimal digits of what names a thing.
func (b *builder) digest(n int, parts ...string) string {
	h := sha256.Sum256([]byte(b.o.Region + "\x00" + b.o.AccountID + "\x00" + strings.Join(parts, "\x00")))
	return hex.EncodeToString(h[:])[:n]
}

// made is when things of a topology came to be: the same each time.
func made() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// resource takes the name and id of a thing of a kind, whose ids begin with prefix.
func (b *builder) resource(kind, prefix, path string, t *Topo) ec2api.Resource {
	id := t.ID
	switch {
	case t.Name == "" && id == "":
		b.bad(path, "a name is needed")
	case id == "":
		id = prefix + b.digest(17, kind, t.Name)
	case !strings.HasPrefix(id, prefix):
		b.bad(path+".id", "%q: ids of this kind begin with %q", id, prefix)
	}
	if t.Name != "" {
		if b.names[kind] == nil {
			b.names[kind] = map[string]string{}
		}
		if other, ok := b.names[kind][t.Name]; ok {
			if other == id {
				b.bad(path+".name", "another %s is called %q", kind, t.Name)
			} else {
				b.names[kind][t.Name] = "" // with ids, names need not be unique; they name nothing then
			}
		} else {
			b.names[kind][t.Name] = id
		}
	}
	if what, ok := b.taken[id]; ok && t.ID != "" {
		b.bad(path, "the id %q belongs to %s too", id, what)
	}
	b.taken[id], b.kinds[id] = path, kind
	b.ids[t] = id
	r := ec2api.Resource{ID: id, Created: made(), OwnerID: b.o.AccountID}
	if t.Name != "" {
		r.Tags = append(r.Tags, mirror.Tag{Key: "Name", Value: t.Name})
	}
	for _, k := range slices.Sorted(maps.Keys(t.Tags)) {
		if k != "Name" || t.Name == "" {
			r.Tags = append(r.Tags, mirror.Tag{Key: k, Value: t.Tags[k]})
		}
	}
	return r
}

// ref finds the thing of a kind that is called, or has the id, name.
func (b *builder) ref(kind, path, name string) string {
	if id := b.names[kind][name]; id != "" {
		return id
	}
	if name != "" && b.kinds[name] == kind {
		return name
	}
	b.bad(path, "no %s is called %q", kind, name)
	return ""
}

func (b *builder) prefix(path, text string, six bool) netip.Prefix {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is6() != six {
		b.bad(path, "%q is no %s block", text, map[bool]string{false: "IPv4", true: "IPv6"}[six])
		return netip.Prefix{}
	}
	if p != p.Masked() {
		b.bad(path, "%q has host bits: %s is meant?", text, p.Masked())
	}
	return p.Masked()
}

// vpc makes a VPC and what comes with it, and takes the names of what is in it.
func (b *builder) vpc(v *TopoVPC, path string) {
	x := &ec2api.VPC{Resource: b.resource("vpc", "vpc-", path, &v.Topo), Tenancy: "default", DNSSupport: !v.NoDNS, DNSHostnames: true, DHCPOptions: "dopt-" + (b.o.AccountID + "00000")[:17]}
	add := func(at, cidr string) {
		if p := b.prefix(at, cidr, false); p.IsValid() {
			if p.Bits() < 16 || p.Bits() > 28 {
				b.bad(at, "%s: a VPC has blocks from /16 to /28", p)
			}
			x.CIDRs = append(x.CIDRs, ec2api.CIDRAssociation{ID: "vpc-cidr-assoc-" + b.digest(17, x.ID, cidr), CIDR: p})
		}
	}
	add(path+".cidr", v.CIDR)
	for i, c := range v.MoreCIDRs {
		add(fmt.Sprintf("%s.more-cidrs[%d]", path, i), c)
	}
	if v.IPv6 != "" {
		if p := b.prefix(path+".ipv6", v.IPv6, true); p.IsValid() {
			x.IPv6 = []ec2api.CIDRAssociation{{ID: "vpc-cidr-assoc-" + b.digest(17, x.ID, v.IPv6), CIDR: p}}
		}
	}
	b.out.VPCs[x.ID] = x
	if v.InternetGateway {
		g := &ec2api.InternetGateway{Resource: b.resource("internet gateway", "igw-", path, &Topo{Name: v.Name + "-igw"}), VPC: x.ID}
		b.out.InternetGateways[g.ID] = g
	}
	b.groups(v, x, path)
	b.acls(v, x, path)
	b.routeTables(v, x, path)
	for i := range v.Subnets {
		b.subnet(v, x, &v.Subnets[i], fmt.Sprintf("%s.subnets[%d]", path, i))
	}
}

// groups makes the security groups of a VPC without their rules, which may name each
// other.
func (b *builder) groups(v *TopoVPC, x *ec2api.VPC, path string) {
	hasDefault := false
	for i := range v.SecurityGroups {
		g := &v.SecurityGroups[i]
		at := fmt.Sprintf("%s.security-groups[%d]", path, i)
		name := g.Name
		topo := g.Topo
		if name == "default" { // each VPC has one
			hasDefault = true
			topo.Name = ""
			if topo.ID == "" {
				topo.ID = "sg-" + b.digest(17, x.ID, "default")
			}
		}
		y := &ec2api.SecurityGroup{Resource: b.resource("security group", "sg-", at, &topo), Name: name, Description: g.Description, VPC: x.ID}
		if y.Name == "" {
			y.Name = y.ID
		}
		if y.Description == "" {
			y.Description = y.Name
		}
		b.ids[&g.Topo] = y.ID
		b.out.SecurityGroups[y.ID] = y
		if name == "default" {
			b.res.Groups[x.ID] = y.ID
		}
	}
	if hasDefault {
		return
	}
	r := b.resource("security group", "sg-", path, &Topo{ID: "sg-" + b.digest(17, x.ID, "default")})
	y := &ec2api.SecurityGroup{Resource: r, Name: "default", Description: "default VPC security group", VPC: x.ID}
	y.Rules = []ec2api.GroupRule{{ID: "sgr-" + b.digest(17, r.ID, "in"), Protocol: "-1", From: -1, To: -1, GroupID: r.ID, GroupOwner: b.o.AccountID}, b.openOut(r.ID)}
	b.out.SecurityGroups[y.ID] = y
	b.res.Groups[x.ID] = y.ID
}

func (b *builder) openOut(group string) ec2api.GroupRule {
	return ec2api.GroupRule{ID: "sgr-" + b.digest(17, group, "out"), Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
}

func (b *builder) groupRules(g *TopoGroup, path string) {
	id := b.ids[&g.Topo]
	y := *b.out.SecurityGroups[id]
	add := func(list []TopoGroupRule, key string, out bool) {
		for i := range list {
			at := fmt.Sprintf("%s.%s[%d]", path, key, i)
			r := &list[i]
			proto, from, to := b.protocol(at, r.Protocol, r.Ports)
			if len(r.Peers) == 0 {
				b.bad(at, "no peers")
			}
			for k, peer := range r.Peers {
				x := ec2api.GroupRule{ID: "sgr-" + b.digest(17, id, key, strconv.Itoa(i), peer), Egress: out, Protocol: proto, From: from, To: to, Description: r.Description}
				switch p, err := netip.ParsePrefix(peer); {
				case err == nil:
					x.CIDR = p.Masked()
				case strings.HasPrefix(peer, "pl-"):
					x.PrefixListID = peer
				case peer == "default":
					x.GroupID, x.GroupOwner = b.res.Groups[y.VPC], b.o.AccountID
				default:
					x.GroupID, x.GroupOwner = b.ref("security group", fmt.Sprintf("%s.peers[%d]", at, k), peer), b.o.AccountID
				}
				y.Rules = append(y.Rules, x)
			}
		}
	}
	add(g.Ingress, "ingress", false)
	add(g.Egress, "egress", true)
	if len(g.Egress) == 0 && !g.NoEgress {
		y.Rules = append(y.Rules, b.openOut(y.ID))
	}
	b.out.SecurityGroups[y.ID] = &y
}

// protocol reads a protocol and its ports, as security groups have them.
func (b *builder) protocol(path, proto, ports string) (name string, from, to int) {
	from, to = -1, -1
	name = strings.ToLower(proto)
	switch name {
	case "", "all", "-1":
		name = "-1"
	case "tcp", "udp", "icmp", "icmpv6":
	case "6", "17", "1", "58":
		name = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}[name]
	default:
		if n, err := strconv.Atoi(name); err != nil || n < 0 || n > 255 {
			b.bad(path+".protocol", "%q: want tcp, udp, icmp, icmpv6, a number, or nothing for all", proto)
		}
	}
	if ports != "" {
		if name == "-1" {
			b.bad(path+".ports", "ports without a protocol")
		}
		from, to = b.ports(path+".ports", ports)
		if strings.HasPrefix(name, "icmp") && !strings.Contains(ports, "-") {
			to = -1
		}
	} else if name == "tcp" || name == "udp" {
		from, to = 0, 65535
	}
	return name, from, to
}

func (b *builder) ports(path, text string) (from, to int) {
	a, z, ok := strings.Cut(text, "-")
	if !ok {
		z = a
	}
	from, errA := strconv.Atoi(strings.TrimSpace(a))
	to, errZ := strconv.Atoi(strings.TrimSpace(z))
	if errA != nil || errZ != nil || from < 0 || to > 65535 || from > to {
		b.bad(path, "%q: want a port, or two with - between", text)
		return 0, 0
	}
	return from, to
}

func (b *builder) acls(v *TopoVPC, x *ec2api.VPC, path string) {
	hasDefault := false
	for i := range v.NetworkACLs {
		a := &v.NetworkACLs[i]
		at := fmt.Sprintf("%s.network-acls[%d]", path, i)
		y := &ec2api.NetworkACL{Resource: b.resource("network ACL", "acl-", at, &a.Topo), VPC: x.ID, Default: a.Default}
		hasDefault = hasDefault || a.Default
		y.Entries = append(b.entries(a.Ingress, at+".ingress", false), b.entries(a.Egress, at+".egress", true)...)
		y.Entries = append(y.Entries, lastEntries(len(x.IPv6) > 0)...)
		b.out.NetworkACLs[y.ID] = y
	}
	if hasDefault {
		return
	}
	y := &ec2api.NetworkACL{Resource: b.resource("network ACL", "acl-", path, &Topo{ID: "acl-" + b.digest(17, x.ID, "default")}), VPC: x.ID, Default: true}
	for _, out := range []bool{true, false} {
		y.Entries = append(y.Entries, ec2api.ACLEntry{Number: 100, Egress: out, Allow: true, Protocol: -1, CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0)})
		if len(x.IPv6) > 0 {
			y.Entries = append(y.Entries, ec2api.ACLEntry{Number: 101, Egress: out, Allow: true, Protocol: -1, CIDR: netip.PrefixFrom(netip.IPv6Unspecified(), 0)})
		}
	}
	y.Entries = append(y.Entries, lastEntries(len(x.IPv6) > 0)...)
	b.out.NetworkACLs[y.ID] = y
}

// lastEntries are the entries "*" that deny the rest.
func lastEntries(six bool) []ec2api.ACLEntry {
	var out []ec2api.ACLEntry
	for _, egress := range []bool{true, false} {
		out = append(out, ec2api.ACLEntry{Number: mirror.ACLLast, Egress: egress, Protocol: -1, CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0)})
		if six {
			out = append(out, ec2api.ACLEntry{Number: mirror.ACLLast + 1, Egress: egress, Protocol: -1, CIDR: netip.PrefixFrom(netip.IPv6Unspecified(), 0)})
		}
	}
	return out
}

func (b *builder) entries(list []TopoACLEntry, path string, out bool) []ec2api.ACLEntry {
	var es []ec2api.ACLEntry
	seen := map[int]bool{}
	for i, e := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		name, from, to := b.protocol(at, e.Protocol, e.Ports)
		x := ec2api.ACLEntry{Number: e.Number, Egress: out, Allow: e.Action == "allow", Protocol: ec2api.ProtocolNumber(name)}
		p, err := netip.ParsePrefix(e.CIDR)
		if err != nil {
			b.bad(at+".cidr", "%q is no block", e.CIDR)
		}
		x.CIDR = p.Masked()
		switch {
		case e.Action != "allow" && e.Action != "deny":
			b.bad(at+".action", "%q: want allow or deny", e.Action)
		case e.Number < 1 || e.Number > 32766:
			b.bad(at+".number", "%d: want 1 to 32766", e.Number)
		case seen[e.Number]:
			b.bad(at+".number", "%d is there twice", e.Number)
		}
		seen[e.Number] = true
		switch {
		case x.Protocol == 1 || x.Protocol == 58:
			x.ICMPType, x.ICMPCode = &from, &to
		case e.Ports != "":
			x.Ports = &mirror.PortRange{From: from, To: to}
		}
		es = append(es, x)
	}
	return es
}

func (b *builder) routeTables(v *TopoVPC, x *ec2api.VPC, path string) {
	main := ""
	for i := range v.RouteTables {
		r := &v.RouteTables[i]
		at := fmt.Sprintf("%s.route-tables[%d]", path, i)
		y := &ec2api.RouteTable{Resource: b.resource("route table", "rtb-", at, &r.Topo), VPC: x.ID}
		if r.Main {
			if main != "" {
				b.bad(at+".main", "the VPC has a main route table already")
			}
			main = y.ID
		}
		b.out.RouteTables[y.ID] = y
	}
	if main == "" {
		y := &ec2api.RouteTable{Resource: b.resource("route table", "rtb-", path, &Topo{ID: "rtb-" + b.digest(17, x.ID, "main")}), VPC: x.ID}
		b.out.RouteTables[y.ID], main = y, y.ID
		if v.InternetGateway {
			b.late = append(b.late, func() {
				y.Routes = append(y.Routes, ec2api.Route{CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Target: b.gateway(x.ID), Origin: "CreateRoute"})
			})
		}
	}
	for _, y := range b.out.RouteTables {
		if y.VPC != x.ID {
			continue
		}
		for _, c := range append(slices.Clone(x.CIDRs), x.IPv6...) {
			y.Routes = append(y.Routes, ec2api.Route{CIDR: c.CIDR, Target: "local", Origin: "CreateRouteTable"})
		}
		if y.ID == main {
			y.Associations = append(y.Associations, ec2api.Association{ID: "rtbassoc-" + b.digest(17, y.ID, "main"), Main: true})
		}
	}
}

func (b *builder) gateway(vpc string) string {
	for id, g := range b.out.InternetGateways {
		if g.VPC == vpc {
			return id
		}
	}
	return ""
}

func (b *builder) routes(v *TopoVPC, path string) {
	for i := range v.RouteTables {
		t := b.out.RouteTables[b.ids[&v.RouteTables[i].Topo]]
		if t == nil {
			continue
		}
		for k, r := range v.RouteTables[i].Routes {
			at := fmt.Sprintf("%s.route-tables[%d].routes[%d]", path, i, k)
			x := ec2api.Route{Origin: "CreateRoute"}
			if strings.HasPrefix(r.To, "pl-") {
				x.PrefixListID = r.To
			} else if p, err := netip.ParsePrefix(r.To); err == nil {
				x.CIDR = p.Masked()
			} else {
				b.bad(at+".to", "%q is no block", r.To)
			}
			kind, _, _ := strings.Cut(r.Via, "-")
			switch {
			case r.Via == "internet-gateway":
				if x.Target = b.gateway(b.ids[&v.Topo]); x.Target == "" {
					b.bad(at+".via", "the VPC has no internet gateway")
				}
			case slices.Contains([]string{"igw", "nat", "pcx", "tgw", "vgw", "eigw", "lgw", "cagw"}, kind):
				x.Target = r.Via
			case b.names["endpoint"][r.Via] != "":
				x.Target = b.names["endpoint"][r.Via]
			case kind == "vpce":
				x.Target = r.Via
			default:
				if x.Target = b.iface(at+".via", r.Via); x.Target != "" {
					if a := b.out.Interfaces[x.Target].Attachment; a != nil {
						x.InstanceID = a.InstanceID
					}
				}
			}
			t.Routes = append(t.Routes, x)
		}
	}
}

func (b *builder) subnet(v *TopoVPC, x *ec2api.VPC, s *TopoSubnet, path string) {
	y := &ec2api.Subnet{Resource: b.resource("subnet", "subnet-", path, &s.Topo), VPC: x.ID, CIDR: b.prefix(path+".cidr", s.CIDR, false)}
	if y.CIDR.IsValid() {
		if !slices.ContainsFunc(x.CIDRs, func(c ec2api.CIDRAssociation) bool {
			return c.CIDR.Overlaps(y.CIDR) && c.CIDR.Bits() <= y.CIDR.Bits()
		}) {
			b.bad(path+".cidr", "%s is not within the VPC", y.CIDR)
		}
		for _, o := range b.out.Subnets {
			if o.VPC == x.ID && o.CIDR.IsValid() && o.CIDR.Overlaps(y.CIDR) {
				b.bad(path+".cidr", "%s overlaps with %s of %s", y.CIDR, o.CIDR, o.ID)
			}
		}
	}
	if s.IPv6 != "" {
		if p := b.prefix(path+".ipv6", s.IPv6, true); p.IsValid() {
			y.IPv6 = []ec2api.CIDRAssociation{{ID: "subnet-cidr-assoc-" + b.digest(17, y.ID, s.IPv6), CIDR: p}}
		}
	}
	switch {
	case s.Zone == "":
		y.Zone = b.o.Region + "a"
	case len(s.Zone) == 1:
		y.Zone = b.o.Region + s.Zone
	default:
		y.Zone = s.Zone
	}
	b.out.Subnets[y.ID] = y
	acl := ""
	if s.NetworkACL != "" {
		acl = b.ref("network ACL", path+".network-acl", s.NetworkACL)
	} else {
		for id, a := range b.out.NetworkACLs {
			if a.VPC == x.ID && a.Default {
				acl = id
			}
		}
	}
	if a := b.out.NetworkACLs[acl]; a != nil {
		a.Associations = append(a.Associations, ec2api.Association{ID: "aclassoc-" + b.digest(17, acl, y.ID), Subnet: y.ID})
	}
	if s.RouteTable != "" {
		if t := b.out.RouteTables[b.ref("route table", path+".route-table", s.RouteTable)]; t != nil {
			t.Associations = append(t.Associations, ec2api.Association{ID: "rtbassoc-" + b.digest(17, t.ID, y.ID), Subnet: y.ID})
		}
	}
}

// within makes the rules of groups, the instances and their interfaces.
func (b *builder) within(v *TopoVPC, path string) {
	for i := range v.SecurityGroups {
		b.groupRules(&v.SecurityGroups[i], fmt.Sprintf("%s.security-groups[%d]", path, i))
	}
	for i := range v.Instances {
		b.instance(v, &v.Instances[i], fmt.Sprintf("%s.instances[%d]", path, i))
	}
	for i := range v.Interfaces {
		n := &v.Interfaces[i]
		at := fmt.Sprintf("%s.interfaces[%d]", path, i)
		e := b.newInterface(v, &n.TopoInterfaceSpec, b.resource("interface", "eni-", at, &n.Topo), at)
		e.Description = n.Description
		if n.Kind != "" {
			e.Kind, e.RequesterManaged = n.Kind, n.Kind != ec2api.KindInterface
		}
		if n.Name != "" {
			b.enis[n.Name] = e.ID
		}
	}
}

func (b *builder) instance(v *TopoVPC, i *TopoInstance, path string) {
	x := &ec2api.Instance{
		Resource: b.resource("instance", "i-", path, &i.Topo), Image: "ami-" + b.digest(17, "image"), Type: i.Type, VPC: b.ids[&v.Topo], State: ec2api.Running,
		StateAt: made(), Launched: made(), Tenancy: "default", Shutdown: "stop", MetadataTokens: "required", MetadataEndpoint: "disabled", MetadataHops: 2,
		MetadataIPv6: "disabled", MetadataTags: "disabled", Recovery: "default",
	}
	x.Reservation = "r-" + b.digest(17, x.ID)
	if x.Type == "" {
		x.Type = "m5.large"
	}
	switch i.State {
	case "", "running":
	case "stopped":
		x.State = ec2api.Stopped
	default:
		b.bad(path+".state", "%q: want running or stopped", i.State)
	}
	name := i.Name
	if name == "" {
		name = x.ID
	}
	first := i.TopoInterfaceSpec
	at := path
	var all []*ec2api.NetworkInterface
	add := func(spec *TopoInterfaceSpec, topo *Topo, index int, at string) *ec2api.NetworkInterface {
		if topo.ID == "" {
			topo.ID = "eni-" + b.digest(17, x.ID, "eth"+strconv.Itoa(index))
		}
		e := b.newInterface(v, spec, b.resource("interface", "eni-", at, topo), at)
		for _, o := range all {
			if o.Attachment.DeviceIndex == index {
				b.bad(at, "device index %d is there twice", index)
			}
		}
		e.Attachment = &ec2api.Attachment{
			ID: "eni-attach-" + b.digest(17, e.ID, x.ID), InstanceID: x.ID, InstanceOwner: b.o.AccountID, DeviceIndex: index, DeleteOnTermination: true, At: made(),
		}
		all = append(all, e)
		for _, n := range []string{name, x.ID} {
			b.enis[n+"/eth"+strconv.Itoa(index)] = e.ID
		}
		if topo.Name != "" {
			b.enis[topo.Name] = e.ID
		}
		return e
	}
	e := add(&first, &Topo{ID: first.InterfaceID}, 0, at)
	x.Subnet, x.Zone = e.Subnet, e.Zone
	next := 1
	for k := range i.Interfaces {
		n := &i.Interfaces[k]
		index := n.Index
		if index == 0 {
			index = next
		}
		next = max(next, index) + 1
		e := add(&n.TopoInterfaceSpec, &n.Topo, index, fmt.Sprintf("%s.interfaces[%d]", path, k))
		e.Description = n.Description
	}
	b.out.Instances[x.ID] = x
}

// newInterface makes an interface. Its address, if the file has none, is chosen when all
// given ones are known.
func (b *builder) newInterface(v *TopoVPC, s *TopoInterfaceSpec, r ec2api.Resource, path string) *ec2api.NetworkInterface {
	vpc, subnet := b.ids[&v.Topo], s.Subnet
	e := &ec2api.NetworkInterface{Resource: r, Kind: ec2api.KindInterface, VPC: vpc, SourceDestCheck: !s.NoSourceDestCheck, MTU: 9001}
	b.out.Interfaces[r.ID] = e
	if subnet == "" {
		if len(v.Subnets) != 1 {
			b.bad(path, "a subnet is needed")
			return e
		}
		subnet = b.ids[&v.Subnets[0].Topo]
	}
	sub := b.out.Subnets[b.ref("subnet", path+".subnet", subnet)]
	if sub == nil {
		return e
	}
	if sub.VPC != vpc {
		b.bad(path+".subnet", "%q is in another VPC", s.Subnet)
	}
	e.Subnet, e.Zone = sub.ID, sub.Zone
	switch {
	case s.MTU == 0:
	case s.MTU < 576 || s.MTU > 9001:
		b.bad(path+".mtu", "%d: want 576 to 9001", s.MTU)
	default:
		e.MTU = s.MTU
	}
	for i, g := range s.Groups {
		if g == "default" {
			e.Groups = append(e.Groups, b.res.Groups[vpc])
		} else if id := b.ref("security group", fmt.Sprintf("%s.groups[%d]", path, i), g); id != "" {
			e.Groups = append(e.Groups, id)
		}
	}
	if len(s.Groups) == 0 {
		e.Groups = []string{b.res.Groups[vpc]}
	}
	e.MAC = b.mac(path, e.ID, s.MAC)
	if s.Device != "" {
		b.res.Devices[e.ID] = s.Device
	}
	for i, a := range append([]string{s.Address}, s.MoreAddresses...) {
		at := path + ".address"
		if i > 0 {
			at = fmt.Sprintf("%s.more-addresses[%d]", path, i-1)
		}
		if a == "" {
			e.Addrs = append(e.Addrs, netip.Addr{})
			b.late = append(b.late, func() { e.Addrs[0] = b.free(sub, path) })
			continue
		}
		if p, ok := b.addr(at, a, sub.ID, sub.CIDR); ok {
			e.Addrs = append(e.Addrs, p)
		}
	}
	for i, a := range s.IPv6 {
		if len(sub.IPv6) == 0 {
			b.bad(path+".ipv6", "the subnet has no IPv6 block")
			break
		}
		if p, ok := b.addr(fmt.Sprintf("%s.ipv6[%d]", path, i), a, sub.ID, sub.IPv6[0].CIDR); ok {
			e.IPv6 = append(e.IPv6, p)
		}
	}
	return e
}

// mac reads a hardware address, or makes one of the interface's id.
func (b *builder) mac(path, id, text string) [6]byte {
	if text != "" {
		m, err := net.ParseMAC(text)
		if err == nil && len(m) == 6 {
			return [6]byte(m)
		}
		b.bad(path+".mac", "%q is no Ethernet address", text)
	}
	raw, _ := hex.DecodeString(b.digest(10, id, "mac"))
	return [6]byte{0x02, raw[0], raw[1], raw[2], raw[3], raw[4]}
}

// addr takes an address of a subnet.
func (b *builder) addr(path, text, subnet string, cidr netip.Prefix) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		b.bad(path, "%q is no address", text)
	case !cidr.Contains(a):
		b.bad(path, "%s is not in the subnet", a)
	case reserved(cidr, a):
		b.bad(path, "%s is one of the subnet's first four or its last address, which AWS keeps", a)
	case b.used[subnet][a]:
		b.bad(path, "%s is there twice", a)
	default:
		b.use(subnet, a)
		return a, true
	}
	return a, false
}

func (b *builder) use(subnet string, a netip.Addr) {
	if b.used[subnet] == nil {
		b.used[subnet] = map[netip.Addr]bool{}
	}
	b.used[subnet][a] = true
}

// reserved tells whether AWS keeps the address a of a subnet for itself.
func reserved(cidr netip.Prefix, a netip.Addr) bool {
	for n := range 4 {
		if nth(cidr, n) == a {
			return true
		}
	}
	return a.Is4() && !cidr.Contains(a.Next())
}

// free takes the first free address of a subnet.
func (b *builder) free(s *ec2api.Subnet, path string) netip.Addr {
	if !s.CIDR.IsValid() {
		return netip.Addr{}
	}
	for a := nth(s.CIDR, 4); s.CIDR.Contains(a.Next()); a = a.Next() {
		if !b.used[s.ID][a] {
			b.use(s.ID, a)
			return a
		}
	}
	b.bad(path, "%s has no free address", s.CIDR)
	return netip.Addr{}
}

// iface finds an interface: "web/eth1", "web" for its first one, a name or an id.
func (b *builder) iface(path, name string) string {
	for _, n := range []string{name, name + "/eth0"} {
		if id := b.enis[n]; id != "" {
			return id
		}
	}
	if b.out.Interfaces[name] != nil {
		return name
	}
	b.bad(path, "no interface is called %q", name)
	return ""
}
