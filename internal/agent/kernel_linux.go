package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"mirador/internal/capture"
	"mirador/internal/mirror"
)

// Kernel mirrors the packets of one interface within the kernel: programs at tcx do what
// a Mirror does, without a copy of a frame ever coming here. Its plans send through the
// network of the host whatever their Senders are.
//
//	interface -> decide, a clone -> stage: cut to wire size, checksums -> wrap -> next hop
type Kernel struct {
	opts   Options
	stage  *stage
	maps   maps
	decide [2]*ebpf.Program // what is received, what is sent
	hops   *hops
	links  [3]link.Link // of decide, and of the stage
	last   atomic.Pointer[error]
	counts counts

	// mu guards what follows.
	mu      sync.Mutex
	closed  bool
	plan    *Plan
	loaded  *kplan
	banks   [2]*ebpf.Map
	bank    int // where the next plan goes
	slots   map[*sessionCounts]uint32
	ifindex int
	replugs uint64
	final   *Counters // after Close
	running atomic.Bool
	done    chan struct{}
}

// kSlots bounds the sessions with counters: those that are kept, and those of a new plan
// while the old one is in use.
const kSlots = maxSessionCounts + 2*kSessions

// NewKernel loads the programs and attaches them to the interface, in the network
// namespace of the calling thread. It needs CAP_BPF and CAP_NET_ADMIN, which nothing needs
// later on, /dev/net/tun, and Linux 6.6. The error is an *ErrUnsuited when the plan or
// the options ask for something that only a Mirror does.
func NewKernel(o Options, p *Plan) (k *Kernel, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	switch {
	case o.Iface == "":
		return nil, unsuited("frames of a reader")
	case o.Limit.BitsPerSecond > 0 || o.Limit.PacketsPerSecond > 0:
		return nil, unsuited("a limit")
	}
	if o.Mark == 0 {
		o.Mark = DefaultMark
	}
	k = &Kernel{opts: o, slots: map[*sessionCounts]uint32{}, done: make(chan struct{})}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	if k.hops, err = newHops(); err != nil {
		return k, err
	}
	if err = k.makeMaps(); err != nil {
		return k, fmt.Errorf("make maps: %w", err)
	}
	if k.stage, err = newStage(); err != nil {
		return k, err
	}
	if err = k.load(); err != nil {
		return k, err
	}
	if err = k.use(p, false); err != nil {
		return k, err
	}
	return k, k.attach()
}

// Engine returns "ebpf".
func (k *Kernel) Engine() (name, why string) { return EngineEBPF, "" }

func (k *Kernel) makeMaps() (err error) {
	inner := &ebpf.MapSpec{Name: "mirador_plan1", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(kplan{})), MaxEntries: 1}
	for _, x := range []struct {
		to   **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&k.banks[0], *inner}, {&k.banks[1], *inner},
		{&k.maps.plan, ebpf.MapSpec{Name: "mirador_plan", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, InnerMap: inner}},
		{&k.maps.state, ebpf.MapSpec{Name: "mirador_state", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(kstate{})), MaxEntries: 1}},
		{&k.maps.sessions, ebpf.MapSpec{Name: "mirador_session", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(sessionTally{})), MaxEntries: kSlots}},
	} {
		if *x.to, err = ebpf.NewMap(&x.spec); err != nil {
			return err
		}
	}
	return nil
}

// load loads the programs and attaches that of the stage.
func (k *Kernel) load() (err error) {
	for i, d := range []mirror.Direction{mirror.Ingress, mirror.Egress} {
		if k.opts.OtherEnd {
			d = mirror.Ingress + mirror.Egress - d
		}
		k.decide[i], err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "mirador_decide", Type: ebpf.SchedCLS, License: "GPL",
			Instructions: decideProgram(&k.maps, d, k.opts.Mark, k.stage)})
		if err != nil {
			return fmt.Errorf("load program: %w", err)
		}
	}
	w, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "mirador_wrap", Type: ebpf.SchedCLS, License: "GPL", Instructions: wrapProgram(&k.maps, k.opts.Mark)})
	if err != nil {
		return fmt.Errorf("load program: %w", err)
	}
	defer w.Close() // the link keeps it
	k.links[2], err = link.AttachTCX(link.TCXOptions{Interface: k.stage.port, Program: w, Attach: ebpf.AttachTCXEgress})
	return err
}

// attach attaches the programs to the interface as it is now. They see what arrives
// before others do, and what is sent after them.
func (k *Kernel) attach() error {
	i, err := net.InterfaceByName(k.opts.Iface)
	if err != nil {
		return fmt.Errorf("interface %q: %w", k.opts.Iface, err)
	}
	if len(i.HardwareAddr) != 6 {
		return unsuited("%s is not Ethernet", k.opts.Iface)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || i.Index == k.ifindex {
		return nil
	}
	k.detach()
	for n, x := range []struct {
		at     ebpf.AttachType
		anchor link.Anchor
	}{{ebpf.AttachTCXIngress, link.Head()}, {ebpf.AttachTCXEgress, link.Tail()}} {
		if k.links[n], err = link.AttachTCX(link.TCXOptions{Interface: i.Index, Program: k.decide[n], Attach: x.at, Anchor: x.anchor}); err != nil {
			k.detach()
			return fmt.Errorf("attach to %s: %w", k.opts.Iface, err)
		}
	}
	if k.ifindex > 0 {
		k.replugs++
	}
	k.ifindex = i.Index
	return nil
}

// detach ends mirroring. It is called with mu held.
func (k *Kernel) detach() {
	for n := range 2 {
		if k.links[n] != nil {
			k.links[n].Close()
			k.links[n] = nil
		}
	}
}

// Swap makes p the plan; no packet is lost. With an error the old plan stays.
func (k *Kernel) Swap(p *Plan) error { return k.use(p, true) }

// use gives p to the programs.
func (k *Kernel) use(p *Plan, swap bool) error {
	if err := p.check(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return capture.ErrClosed
	}
	c := &compiled{}
	var last error
	way := func(src, dst netip.Addr) khop {
		h, err := k.way(src, dst)
		if err != nil {
			last = fmt.Errorf("way to %v: %w", dst, err)
		}
		return h
	}
	plan, err := p.encode(func(s *mirror.Session) int {
		x := k.counts.session(s)
		c.lanes = append(c.lanes, lane{count: x})
		return k.slot(x)
	}, way)
	if err != nil {
		return err
	}
	if errors.Is(last, errNoEthernet) {
		return unsuited("%v", last)
	}
	if err := k.put(plan); err != nil {
		return err
	}
	k.plan = p
	k.note(last)
	k.counts.use(c, swap)
	k.freeSlots()
	return nil
}

// put makes plan the one that the programs use. There are two maps for plans in turn,
// so that it takes no new one: the call that replaces one waits for the programs that look
// at it.
func (k *Kernel) put(plan *kplan) error {
	if k.loaded != nil && *k.loaded == *plan {
		return nil
	}
	m := k.banks[k.bank]
	if err := m.Put(uint32(0), plan.bytes()); err != nil {
		return fmt.Errorf("store plan: %w", err)
	}
	if err := k.maps.plan.Put(uint32(0), m); err != nil {
		return fmt.Errorf("store plan: %w", err)
	}
	k.loaded, k.bank = plan, 1-k.bank
	return nil
}

func (k *Kernel) note(err error) {
	if err != nil {
		k.last.Store(&err)
	}
}

// way finds the way to dst. One that is not there yet is looked for again when the
// network changes.
func (k *Kernel) way(src, dst netip.Addr) (h khop, err error) {
	attrs, next, err := k.hops.route(src, dst)
	if err != nil {
		return khop{}, err
	}
	a, ok := netip.AddrFromSlice(next)
	if !ok {
		return khop{}, errNoEthernet
	}
	h.mtu, h.ifindex = uint32(attrs.MTU), uint32(attrs.Index)
	h.setNext(a.Unmap())
	return h, nil
}

// slot returns where the counters of x are. It is called with mu held, and so is
// freeSlots.
func (k *Kernel) slot(x *sessionCounts) int {
	if s, ok := k.slots[x]; ok {
		return int(s)
	}
	var used [kSlots]bool
	for _, s := range k.slots {
		used[s] = true
	}
	s := slices.Index(used[:], false) // there is one: see kSlots
	k.slots[x] = uint32(s)
	zero := make([]sessionWords, ebpf.MustPossibleCPU())
	k.maps.sessions.Put(uint32(s), zero)
	return s
}

// freeSlots frees those of sessions whose counters are not kept.
func (k *Kernel) freeSlots() {
	k.counts.mu.Lock()
	defer k.counts.mu.Unlock()
	for x := range k.slots {
		if !slices.Contains(k.counts.sessions, x) {
			delete(k.slots, x)
		}
	}
}

// Run keeps the programs attached while the interface goes away and comes back, and
// follows routes, until ctx is done or the Kernel is closed. It must be called once, in the
// network namespace of the interface.
func (k *Kernel) Run(ctx context.Context) error {
	if k.running.Swap(true) {
		return errors.New("agent: runs already")
	}
	defer k.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.done:
			return nil
		case <-k.hops.changed:
			k.follow()
		}
	}
}

// follow looks at the interface and the routes again.
func (k *Kernel) follow() {
	if err := k.attach(); err != nil {
		k.note(err)
	}
	k.mu.Lock()
	p := k.plan
	k.mu.Unlock()
	if err := k.use(p, false); err != nil { // the same plan over other routes is no swap
		k.note(err)
	}
}

// LastError returns what was last wrong with the interface or the way to a target.
func (k *Kernel) LastError() error {
	if e := k.last.Load(); e != nil {
		return *e
	}
	return nil
}

// Counters returns what the programs have counted.
func (k *Kernel) Counters() Counters {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.final != nil {
		return *k.final
	}
	return k.counters()
}

// inFlight bounds the frames of one processor that have been counted as mirrored and not
// yet as seen: the segments of one.
const inFlight = 64

// counters is Counters with mu held.
func (k *Kernel) counters() Counters {
	var sum tally
	var states []stateWords
	if k.maps.state.Lookup(uint32(0), &states) == nil {
		for i := range states {
			s := (*kstate)(unsafe.Pointer(&states[i]))
			addWords(unsafe.Slice((*uint64)(unsafe.Pointer(&sum)), unsafe.Sizeof(sum)/8), unsafe.Slice((*uint64)(unsafe.Pointer(&s.tally)), unsafe.Sizeof(sum)/8))
		}
	}
	sessions := map[*sessionCounts]sessionTally{}
	for x, slot := range k.slots {
		var words []sessionWords
		if k.maps.sessions.Lookup(slot, &words) != nil {
			continue
		}
		var total sessionWords
		for i := range words {
			addWords(total[:], words[i][:])
		}
		sessions[x] = *(*sessionTally)(unsafe.Pointer(&total))
	}
	k.counts.set(&sum, sessions)
	c := k.counts.snapshot(capture.Stats{Replugs: k.replugs})
	// The counters were read while frames were under way.
	if n := c.Imbalance(); n >= -inFlight*int64(len(states)) && n <= inFlight*int64(len(states)) {
		c.Frames -= uint64(n)
	}
	return c
}

func addWords(sum, w []uint64) {
	for i := range sum {
		sum[i] += w[i]
	}
}

// Close ends mirroring and frees everything.
func (k *Kernel) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	close(k.done)
	k.detach()
	if k.maps.sessions != nil {
		c := k.counters()
		k.final = &c
	}
	if k.links[2] != nil {
		k.links[2].Close()
	}
	for _, p := range k.decide {
		p.Close()
	}
	if k.stage != nil {
		k.stage.close()
	}
	for _, m := range []*ebpf.Map{k.maps.plan, k.maps.state, k.maps.sessions, k.banks[0], k.banks[1]} {
		m.Close()
	}
	if k.hops != nil {
		k.hops.close()
	}
	return nil
}
