package vpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mirador/internal/ec2api"
)

// Network makes the objects of an endpoint real: namespaces, devices, and a Fabric
// between them that is always as the endpoint says.
type Network struct {
	o      Options
	log    *slog.Logger
	owner  *owner
	hub    *namespace // where the network's ends of the veth pairs are
	fabric *Fabric
	loop   *Loop

	// follow's goroutine has what is from here to mu for itself.
	live   *live
	spaces map[string]*namespace // by instance id, and by interface id of balancer nodes
	plugs  map[string]*plugged   // by interface id
	failed map[string]string     // interface id: why it could not be plugged, said once
	seq    int
	health *checker
	series *series
	http   *http.Server
	served chan struct{}

	insides     map[string]*inside // by instance id
	metadataKey []byte             // of tokens; made when the first instance comes

	mu   sync.Mutex // mu guards snap, plan and the ports of plugs for Stats
	snap *ec2api.Snapshot
	plan *plan

	ready chan struct{} // closed when the first snapshot is real
	ended chan struct{}
	stop  context.CancelFunc
}

// plugged is an interface with a device.
type plugged struct {
	spec    deviceSpec
	space   string // key in spaces; empty for an existing device
	hubName string
	port    *Port
	live    *eniLive
}

// Start begins a run. It removes what crashed runs have left, makes what the endpoint
// has, and follows the endpoint until ctx ends or Close is called; then it removes
// everything. It needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN.
func Start(ctx context.Context, o Options) (*Network, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if !ValidName(o.Name) {
		return nil, fmt.Errorf("name %q: want up to 16 of a-z, 0-9 and _", o.Name)
	}
	if o.Server == nil {
		return nil, errors.New("no endpoint to follow")
	}
	n := &Network{
		o: o, log: o.Log, fabric: NewFabric(), live: newLive(), plan: &plan{},
		spaces: map[string]*namespace{}, insides: map[string]*inside{}, plugs: map[string]*plugged{}, failed: map[string]string{},
		ready: make(chan struct{}), ended: make(chan struct{}),
	}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	removed, err := Clean()
	if len(removed) > 0 {
		n.log.Info("removed what a crashed run has left", "namespaces", strings.Join(removed, " "))
	}
	if err != nil {
		return nil, fmt.Errorf("remove what a crashed run has left: %w", err)
	}
	if n.owner, err = claim(o.Name); err != nil {
		return nil, err
	}
	if _, err = sweepNames(o.Name); err == nil {
		n.hub, err = newNamespace(prefix + o.Name + "-net")
	}
	if err != nil {
		n.owner.release()
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	if n.loop, err = NewLoop(n.fabric); err != nil {
		n.hub.remove()
		n.owner.release()
		return nil, err
	}
	ctx, n.stop = context.WithCancel(ctx)
	n.health = newChecker(o, n.log)
	n.series = newSeries()
	if err := n.serveStats(); err != nil {
		n.log.Warn("nobody can ask for counters", "error", err)
	}
	o.Server.SetHealth(n.health)
	o.Server.SetMetrics(n)
	go n.follow(ctx)
	return n, nil
}

// Ready is closed when what the endpoint had at the start is real.
func (n *Network) Ready() <-chan struct{} { return n.ready }

// Close ends the run and removes what it has made.
func (n *Network) Close() {
	n.stop()
	<-n.ended
}

// follow makes each snapshot real, until ctx ends.
func (n *Network) follow(ctx context.Context) {
	defer close(n.ended)
	defer n.teardown()
	ready := n.ready
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		n.mu.Lock()
		n.snap = n.o.Server.Snapshot()
		n.mu.Unlock()
		n.adopt()
		// Frames are already judged by the new plan. Devices take longer, and must not
		// hold up the next change.
		if n.plumb(ctx) {
			n.checkHealth() // nodes that were just made can look at their targets
			n.writeRun()
			if ready != nil {
				close(ready)
				ready = nil
			}
			if !n.rest(ctx, tick.C) {
				return
			}
		} else if ctx.Err() != nil {
			return
		}
	}
}

// sampleEvery is how often counters are read into the minutes of CloudWatch's metrics.
const sampleEvery = 5 * time.Second

// rest waits for a change of the endpoint; false means that ctx has ended.
func (n *Network) rest(ctx context.Context, tick <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-n.o.Server.Changed():
			return true
		case <-tick:
			n.sample()
		}
	}
}

// adopt compiles the snapshot and gives it to the fabric.
func (n *Network) adopt() {
	p, problems := compile(n.snap, n.live, compileOptions{
		switches: n.o.Switches, wide: n.o.WideHash, names: n.o.Names, mirrorBps: n.o.MirrorBitsPerSecond,
	})
	for _, err := range problems {
		n.log.Warn("left out of the data plane", "error", err)
	}
	n.mu.Lock()
	n.plan = p
	n.mu.Unlock()
	n.fabric.adopt(p)
	n.loop.nudge()
	n.checkHealth()
}

func (n *Network) checkHealth() {
	n.health.follow(n.snap, n.plan, func(eni string) *namespace { return n.spaces[eni] })
}

// wanted returns the devices that the snapshot wants, and in which space.
func (n *Network) wanted() (specs map[string]deviceSpec, spaces map[string]string) {
	specs, spaces = map[string]deviceSpec{}, map[string]string{}
	for id, e := range n.plan.enis {
		ni := n.snap.Interfaces[id]
		if !e.hasPort {
			continue
		}
		d := deviceSpec{eni: id, mac: e.mac, mtu: e.mtu, routers: e.subnet.router, device: n.o.Devices[id]}
		for _, a := range e.addrs {
			bits := a.BitLen()
			for _, c := range e.subnet.cidrs {
				if c.Contains(a) {
					bits = c.Bits()
				}
			}
			d.addrs = append(d.addrs, netip.PrefixFrom(a, bits))
		}
		space := e.instance
		switch {
		case d.device != "":
			space = ""
		case e.node != nil:
			space = id
		case ni.Attachment != nil:
			d.index = ni.Attachment.DeviceIndex
		}
		specs[id], spaces[id] = d, space
	}
	return specs, spaces
}

// plumb makes the devices that the snapshot wants, and removes those it does not. It
// stops when the endpoint has changed meanwhile, and then returns false.
func (n *Network) plumb(ctx context.Context) (done bool) {
	specs, where := n.wanted()
	for id, p := range n.plugs {
		if s, ok := specs[id]; !ok || !p.spec.same(&s) || where[id] != p.space {
			n.unplug(id)
		}
	}
	used := map[string]bool{}
	for _, s := range where {
		used[s] = true
	}
	for id, i := range n.snap.Instances {
		if i.State == ec2api.Running || i.State == ec2api.Pending {
			used[id] = true
		}
	}
	for key, ns := range n.spaces {
		if !used[key] {
			if x := n.insides[key]; x != nil {
				x.close()
				delete(n.insides, key)
			}
			if err := ns.remove(); err != nil {
				n.log.Warn("remove network namespace", "namespace", ns.name, "error", err)
			}
			delete(n.spaces, key)
		}
	}
	ids := make([]string, 0, len(specs))
	for id := range specs {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return specs[a].index - specs[b].index })
	for _, id := range ids {
		s := specs[id]
		if p := n.plugs[id]; p != nil {
			n.readdress(p, &s)
			continue
		}
		n.plugIn(s, where[id])
		select {
		case <-ctx.Done():
			return false
		case <-n.o.Server.Changed():
			return false
		default:
		}
	}
	return true
}

// same tells whether o needs no other device than d.
func (d *deviceSpec) same(o *deviceSpec) bool {
	return d.index == o.index && d.device == o.device && d.mac == o.mac && d.mtu == o.mtu
}

// space returns the namespace of an instance or balancer node, made if need be.
func (n *Network) space(key string) (*namespace, error) {
	if ns := n.spaces[key]; ns != nil {
		return ns, nil
	}
	ns, err := newNamespace(prefix + n.o.Name + "-" + key)
	if err != nil {
		return nil, err
	}
	n.spaces[key] = ns
	if n.snap.Instances[key] != nil {
		n.openInside(key, ns)
	}
	return ns, nil
}

func (n *Network) plugIn(s deviceSpec, space string) {
	p := &plugged{spec: s, space: space, live: n.live.enis[s.eni]}
	err := func() error {
		if s.device != "" {
			port, err := openPort(s.eni, s.device)
			p.port = port
			return err
		}
		ns, err := n.space(space)
		if err != nil {
			return err
		}
		n.seq++
		p.hubName = fmt.Sprintf("p%d", n.seq)
		p.port, err = plug(n.hub, p.hubName, ns, &s)
		return err
	}()
	if err == nil {
		err = n.loop.Add(p.port, p.live)
	}
	if err != nil {
		if n.failed[s.eni] != err.Error() {
			n.failed[s.eni] = err.Error()
			n.log.Error("interface has no device", "eni", s.eni, "error", err)
		}
		return
	}
	delete(n.failed, s.eni)
	n.mu.Lock()
	n.plugs[s.eni] = p
	n.mu.Unlock()
	n.log.Info("interface plugged in", "eni", s.eni, "instance", space, "device", s.deviceName())
}

func (d *deviceSpec) deviceName() string {
	if d.device != "" {
		return d.device
	}
	return d.name()
}

func (n *Network) unplug(id string) {
	p := n.plugs[id]
	n.mu.Lock()
	delete(n.plugs, id)
	n.mu.Unlock()
	delete(n.failed, id)
	n.loop.Remove(p.port, p.live)
	if p.hubName != "" {
		if l, err := n.hub.nl.LinkByName(p.hubName); err == nil {
			n.hub.nl.LinkDel(l)
		}
	}
	n.log.Info("interface unplugged", "eni", id)
}

// readdress gives the device of p the addresses of s.
func (n *Network) readdress(p *plugged, s *deviceSpec) {
	if slices.Equal(p.spec.addrs, s.addrs) || s.device != "" {
		return
	}
	ns := n.spaces[p.space]
	if ns == nil {
		return
	}
	if err := p.spec.readdress(ns, s); err != nil {
		n.log.Error("change addresses", "eni", s.eni, "error", err)
	}
	p.spec = *s
}

// writeRun writes down what is there.
func (n *Network) writeRun() {
	r := &RunFile{Name: n.o.Name, PID: os.Getpid(), Endpoint: n.o.Endpoint, Region: n.o.Server.Region()}
	for key, ns := range n.spaces {
		i := n.snap.Instances[key]
		if i == nil {
			continue
		}
		x := RunInstance{ID: key, Type: i.Type, Namespace: ns.name, Domain: internalDomain(n.snap.Region)}
		x.Name, _ = i.Tag("Name")
		if v := n.plan.vpcs[i.VPC]; v != nil && len(v.resolver) > 0 {
			x.Resolver = v.resolver[0].String()
		}
		for id, p := range n.plugs {
			if p.space == key {
				var addrs []string
				for _, a := range p.spec.addrs {
					addrs = append(addrs, a.Addr().String())
				}
				x.Devices = append(x.Devices, p.spec.name()+" "+id+" "+strings.Join(addrs, " "))
			}
		}
		slices.Sort(x.Devices)
		if err := writeResolver(n.o.Name, &x); err != nil {
			n.log.Warn("write the resolver file", "instance", key, "error", err)
		}
		r.Instances = append(r.Instances, x)
	}
	slices.SortFunc(r.Instances, func(a, b RunInstance) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) })
	if err := n.owner.write(r); err != nil {
		n.log.Warn("write the file of the run", "error", err)
	}
}

// teardown removes everything.
func (n *Network) teardown() {
	n.health.close()
	if n.http != nil {
		n.http.Close()
		<-n.served
	}
	n.loop.Close()
	for _, x := range n.insides {
		x.close()
	}
	for _, ns := range n.spaces {
		if err := ns.remove(); err != nil {
			n.log.Warn("remove network namespace", "namespace", ns.name, "error", err)
		}
	}
	if err := n.hub.remove(); err != nil {
		n.log.Warn("remove network namespace", "namespace", n.hub.name, "error", err)
	}
	n.owner.release()
}

// Permitted tells why this process cannot make a network; nil when it can.
func Permitted() error {
	var h unix.CapUserHeader
	var d [2]unix.CapUserData
	h.Version = unix.LINUX_CAPABILITY_VERSION_3
	if err := unix.Capget(&h, &d[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	for _, c := range []struct {
		name string
		bit  uint
	}{{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}, {"CAP_NET_RAW", unix.CAP_NET_RAW}, {"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN}} {
		if d[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			return fmt.Errorf("no %s: %w", c.name, unix.EPERM)
		}
	}
	return nil
}
