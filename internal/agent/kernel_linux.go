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
	*Loaded
	opts   Options
	hops   *hops
	links  [2]link.Link // of what is received, what is sent
	last   atomic.Pointer[error]
	counts counts

	// mu guards what follows.
	mu      sync.Mutex
	closed  bool
	plan    *Plan
	current *kplan
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

// NewKernel attaches the programs to the interface, in the network namespace of the
// calling thread. It needs the privileges of Load, unless that was called before
// (Options.Loaded), and nothing needs any later on. The error is an *ErrUnsuited when the
// plan or the options ask for something that only a Mirror does.
func NewKernel(o Options, p *Plan) (k *Kernel, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	switch {
	case o.Iface == "":
		return nil, unsuited("frames of a reader")
	case o.NotLoaded != "":
		return nil, unsuited("%s", o.NotLoaded)
	}
	k = &Kernel{opts: o, Loaded: o.Loaded, slots: map[*sessionCounts]uint32{}, done: make(chan struct{})}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	if k.Loaded == nil {
		if k.Loaded, err = Load(o); err != nil {
			return k, err
		}
	}
	if k.hops, err = newHops(); err != nil {
		return k, err
	}
	if err = k.use(p, false); err != nil {
		return k, err
	}
	return k, k.attach()
}

// Engine returns "ebpf".
func (k *Kernel) Engine() (name, why string) { return EngineEBPF, "" }

// ethernet finds the interface with this name, which is to be Ethernet.
func ethernet(name string) (*net.Interface, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", name, err)
	}
	if len(i.HardwareAddr) != 6 {
		return nil, unsuited("%s is not Ethernet", name)
	}
	return i, nil
}

// attach attaches the programs to the interface as it is now. They see what arrives
// before others do, and what is sent after them.
func (k *Kernel) attach() error {
	i, err := ethernet(k.opts.Iface)
	if err != nil {
		return err
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
	if k.current != nil && *k.current == *plan {
		return nil
	}
	m := k.banks[k.bank]
	if err := m.Put(uint32(0), plan.bytes()); err != nil {
		return fmt.Errorf("store plan: %w", err)
	}
	if err := k.maps.plan.Put(uint32(0), m); err != nil {
		return fmt.Errorf("store plan: %w", err)
	}
	k.current, k.bank = plan, 1-k.bank
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
	if k.Loaded != nil {
		c := k.counters()
		k.final = &c
		k.Loaded.Close()
	}
	if k.hops != nil {
		k.hops.close()
	}
	return nil
}
