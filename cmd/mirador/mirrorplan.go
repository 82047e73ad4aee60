package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"mirador/internal/agent"
	"mirador/internal/mirror"
	"mirador/internal/setup"
)

// mirrorCloud is what a software mirror asks of AWS.
type mirrorCloud interface {
	Sessions(ctx context.Context, q setup.Query) ([]mirror.Session, error)
	Filters(ctx context.Context, q setup.Query) ([]mirror.Filter, error)
	Targets(ctx context.Context, q setup.Query) ([]mirror.Target, error)
	Interfaces(ctx context.Context, q setup.Query) ([]setup.Interface, error)
	VPCs(ctx context.Context, q setup.Query) ([]setup.VPC, error)
}

// mirrorWant is what is to be mirrored, wherever that was told: data only, so that two
// can be compared.
type mirrorWant struct {
	Iface    mirror.Interface // ID is the source of Sessions
	Sessions []mirror.Session
	Filters  []mirror.Filter
	Targets  map[string]mirrorTarget // by id
	Switches mirror.Switches
	// From AWS: not known on this host.
	cloud bool
}

// mirrorTarget is where a target is.
type mirrorTarget struct {
	Addrs []netip.Addr // several: flows are spread
	Port  uint16
	MTU   int
	Why   string // it has no address: why
}

// Ids of what flags tell.
const (
	flagSession = "command-line"
	flagSource  = "interface"
	flagTarget  = "target"
	flagFilter  = "filter"
)

// isSpecFile tells files from presets and ids.
func isSpecFile(s string) bool {
	switch s {
	case setup.PresetAll, setup.PresetInternet, setup.PresetDNS, setup.PresetNoBackup:
		return false
	}
	return !strings.HasPrefix(s, "tmf-")
}

// want finds out what is to be mirrored. cloud is nil unless an id was given.
func (f *mirrorFlags) want(ctx context.Context, cloud mirrorCloud) (*mirrorWant, error) {
	w := &mirrorWant{Targets: map[string]mirrorTarget{}}
	var err error
	if w.Iface.VPCCIDRs, err = f.cidrs(); err != nil {
		return nil, err
	}
	switch {
	case len(f.session) > 0:
		err = w.sessions(ctx, cloud, f.session)
	case strings.HasPrefix(f.filter, "tmf-"):
		w.cloud = true
		if w.Filters, err = cloud.Filters(ctx, setup.Query{IDs: []string{f.filter}}); err == nil && len(w.Filters) != 1 {
			err = fmt.Errorf("filter %s is not there", f.filter)
		}
	case isSpecFile(f.filter):
		err = w.file(f.filter, f.source)
	default:
		err = w.preset(f.filter)
	}
	if err != nil {
		return nil, err
	}
	to, err := f.targets()
	if err != nil {
		return nil, err
	}
	if len(w.Sessions) == 0 && len(f.session) == 0 {
		if len(to) == 0 {
			return nil, fail(exitUsage, "--to 10.0.9.5", "%s has no sessions, and no target is named", f.filter)
		}
		w.Iface.ID = flagSource
		w.Sessions = []mirror.Session{{ID: flagSession, NetworkInterfaceID: flagSource, TargetID: flagTarget, FilterID: w.Filters[0].ID, Number: 1, VNI: f.vni, PacketLength: f.length}}
		w.Targets[flagTarget] = mirrorTarget{Why: "not set"}
	}
	for id, t := range w.Targets {
		if len(to) > 0 {
			t.Addrs, t.Port, t.Why = nil, to[0].Port(), ""
			for _, a := range to {
				t.Addrs = append(t.Addrs, a.Addr())
			}
		}
		if f.mtu > 0 {
			t.MTU = f.mtu
		}
		w.Targets[id] = t
	}
	return w, nil
}

// preset makes the filter of a preset.
func (w *mirrorWant) preset(name string) error {
	if name == setup.PresetInternet && len(w.Iface.VPCCIDRs) == 0 {
		return fail(exitUsage, "--vpc-cidr 10.0.0.0/16", "the preset %s needs the CIDRs of the VPC", name)
	}
	list, err := setup.CompileFilter(&setup.FilterSpec{Preset: name}, w.Iface.VPCCIDRs)
	if err != nil {
		return fmt.Errorf("filter %s: %w", name, err)
	}
	for i := range list {
		list[i].ID, list[i].FilterID = fmt.Sprintf("%s-%s-%d", name, list[i].Direction, list[i].Number), flagFilter
	}
	w.Filters = []mirror.Filter{{ID: flagFilter, Rules: list, NetworkServices: []string{mirror.AmazonDNS}}}
	return nil
}

// file reads a mirroring file.
func (w *mirrorWant) file(path, source string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fail(permissionOr(err, exitFailed), "a preset is all, internet-only, dns-only or no-backup; files are read as the user of --user", "read the filter: %w", err)
	}
	s, err := mirror.ParseSpec(b, path)
	if err != nil {
		return err
	}
	if len(s.Filters) == 0 {
		return fmt.Errorf("%s has no filter", path)
	}
	w.Filters, w.Switches = s.FiltersOnly(), s.Switches
	if len(s.Sessions) == 0 {
		if len(w.Filters) > 1 {
			return fmt.Errorf("%s has %d filters and no sessions: which is meant?", path, len(w.Filters))
		}
		return nil
	}
	if source == "" {
		source = s.Sessions[0].NetworkInterfaceID
		if slices.ContainsFunc(s.Sessions, func(x mirror.Session) bool { return x.NetworkInterfaceID != source }) {
			return fail(exitUsage, "name one with --source", "%s has sessions of several sources", path)
		}
	}
	iface, ok := s.Interface(source)
	if !ok {
		return fail(exitUsage, "", "%s has no interface %q", path, source)
	}
	if len(w.Iface.VPCCIDRs) > 0 {
		iface.VPCCIDRs = w.Iface.VPCCIDRs
	}
	w.Iface = iface
	for _, x := range s.Sessions {
		if x.NetworkInterfaceID == iface.ID {
			w.Sessions = append(w.Sessions, x)
		}
	}
	for _, t := range s.Targets {
		x := mirrorTarget{MTU: t.MTU, Why: "the file has no address for it"}
		if t.Addr.IsValid() {
			x.Addrs, x.Why = []netip.Addr{t.Addr}, ""
		}
		w.Targets[t.ID] = x
	}
	return nil
}

// sessions fetches sessions and what belongs to them. Those that are gone mirror nothing.
func (w *mirrorWant) sessions(ctx context.Context, cloud mirrorCloud, ids []string) error {
	w.cloud = true
	for _, id := range ids {
		list, err := cloud.Sessions(ctx, setup.Query{IDs: []string{id}})
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		w.Sessions = append(w.Sessions, list...)
	}
	for i := range w.Sessions {
		s := &w.Sessions[i]
		if w.Iface.ID == "" {
			w.Iface.ID = s.NetworkInterfaceID
		}
		if s.NetworkInterfaceID != w.Iface.ID {
			return fmt.Errorf("session %s is of %s, the others are of %s", s.ID, s.NetworkInterfaceID, w.Iface.ID)
		}
		if !slices.ContainsFunc(w.Filters, func(f mirror.Filter) bool { return f.ID == s.FilterID }) {
			list, err := cloud.Filters(ctx, setup.Query{IDs: []string{s.FilterID}})
			if err != nil {
				return err
			}
			w.Filters = append(w.Filters, list...)
		}
		if _, ok := w.Targets[s.TargetID]; !ok {
			t, err := findTarget(ctx, cloud, s.TargetID)
			if err != nil {
				return err
			}
			w.Targets[s.TargetID] = t
		}
	}
	if len(w.Sessions) == 0 {
		return nil
	}
	own, err := cloud.Interfaces(ctx, setup.Query{IDs: []string{w.Iface.ID}})
	if gone(err) || err == nil && len(own) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	w.Iface.Addrs = append(slices.Clone(own[0].Private), own[0].IPv6...)
	vpcs, err := cloud.VPCs(ctx, setup.Query{IDs: []string{own[0].VPC}})
	if err != nil && !gone(err) {
		return err
	}
	for _, v := range vpcs {
		w.Iface.VPCCIDRs = append(w.Iface.VPCCIDRs, v.CIDRs...)
	}
	return nil
}

// gone tells that what a call names is not there.
func gone(err error) bool {
	var e *setup.CloudError
	return errors.As(err, &e) && e.Kind == setup.KindNotFound
}

// findTarget finds the addresses of a target.
func findTarget(ctx context.Context, cloud mirrorCloud, id string) (mirrorTarget, error) {
	list, err := cloud.Targets(ctx, setup.Query{IDs: []string{id}})
	if gone(err) || err == nil && len(list) == 0 {
		return mirrorTarget{Why: "the target is gone"}, nil
	}
	if err != nil {
		return mirrorTarget{}, err
	}
	t := &list[0]
	var q setup.Query
	out := mirrorTarget{}
	switch t.Type() {
	case mirror.TargetInterface:
		q.IDs = []string{t.NetworkInterfaceID}
	case mirror.TargetNLB:
		// The interfaces of a load balancer name it: "ELB net/NAME/ID".
		_, name, _ := strings.Cut(t.NetworkLoadBalancerARN, ":loadbalancer/")
		q.Filter = map[string][]string{"description": {"ELB " + name}}
	default:
		return mirrorTarget{Why: "the address of a Gateway Load Balancer endpoint has to be given with --to"}, nil
	}
	ifaces, err := cloud.Interfaces(ctx, q)
	if err != nil && !gone(err) {
		return mirrorTarget{}, err
	}
	for i := range ifaces {
		if a := ifaces[i].Primary(); a.IsValid() {
			out.Addrs = append(out.Addrs, a)
		}
	}
	slices.SortFunc(out.Addrs, netip.Addr.Compare)
	if len(out.Addrs) == 0 {
		out.Why = "the target has no address"
	}
	return out, nil
}

// same tells whether two wants mirror the same.
func (w *mirrorWant) same(o *mirrorWant) bool { return o != nil && reflect.DeepEqual(w, o) }

// plan makes the plan of one interface of this host.
func (f *mirrorFlags) plan(w *mirrorWant, name string, sender agent.Sender) (*agent.Plan, []string, error) {
	host, err := net.InterfaceByName(name)
	if err != nil {
		return nil, nil, fmt.Errorf("interface %q: %w", name, err)
	}
	iface := w.Iface
	if len(host.HardwareAddr) == 6 && !f.otherEnd {
		iface.MAC = [6]byte(host.HardwareAddr)
	}
	local := hostAddrs(host)
	if !w.cloud && !f.otherEnd {
		iface.Addrs = local
	}
	o := mirror.CompileOptions{Switches: w.Switches, TargetMTU: map[string]int{}}
	if f.wide {
		o.Port = mirror.PortWide
	}
	var notes []string
	for id, t := range w.Targets {
		o.Tunnels = append(o.Tunnels, t.Addrs...)
		mtu := t.MTU
		for _, a := range t.Addrs {
			o.Outer6 = o.Outer6 || a.Is6()
			m := agent.PathMTU(a)
			if m == 0 && runtime.GOOS == "linux" {
				notes = append(notes, fmt.Sprintf("no way leads to target %s", a))
			}
			if m > 0 && (mtu == 0 || m < mtu) {
				mtu = m
			}
		}
		if f.encap == encapGENEVE && mtu > 0 {
			mtu = max(mtu-mirror.OverheadGWLB, 1)
		}
		o.TargetMTU[id] = mtu
	}
	g, err := mirror.Compile(iface, w.Sessions, w.Filters, o)
	if err != nil {
		return nil, nil, err
	}
	p := &agent.Plan{Program: g}
	for _, s := range g.Sessions() {
		t := w.Targets[s.Session.TargetID]
		r := agent.Route{Port: t.Port}
		if len(t.Addrs) == 0 {
			notes = append(notes, fmt.Sprintf("session %s: target %s: %s", s.Session.ID, s.Session.TargetID, t.Why))
			p.Routes = append(p.Routes, r)
			continue
		}
		r.Dst, r.Spread, r.Sender = t.Addrs[0], t.Addrs[1:], sender
		if r.Src, err = f.sourceAddr(name, local, r.Dst); err != nil {
			return nil, nil, err
		}
		if f.encap == encapGENEVE {
			id, err := f.endpointID()
			if err != nil {
				return nil, nil, err
			}
			r.GWLB = &agent.GWLB{Src: r.Src, Dst: r.Dst, Endpoint: id}
		}
		p.Routes = append(p.Routes, r)
	}
	return p, notes, nil
}

// sourceAddr chooses the outer source address.
func (f *mirrorFlags) sourceAddr(name string, local []netip.Addr, dst netip.Addr) (netip.Addr, error) {
	if f.local != "" {
		a, err := netip.ParseAddr(f.local)
		return a.Unmap(), err
	}
	for _, a := range local {
		if a.Is4() == dst.Is4() && (!a.IsLinkLocalUnicast() || dst.IsLinkLocalUnicast()) {
			return a, nil
		}
	}
	// A mirrored bridge port or the host's end of a pair has none: that of the way there.
	if c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(dst, 4789))); err == nil {
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
	}
	return netip.Addr{}, fail(exitFailed, "name one with --source-address", "interface %q has no address to send from to %v", name, dst)
}

func hostAddrs(i *net.Interface) (out []netip.Addr) {
	list, _ := i.Addrs()
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, ip.Unmap())
			}
		}
	}
	return out
}
