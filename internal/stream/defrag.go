package stream

import (
	"encoding/binary"
	"fmt"

	"mirador/internal/packet"
)

// Bounds and defaults of Defrag, those of Suricata's stock configuration.
const (
	DefaultDefragMemcap   = 32 << 20 // defrag.memcap, bytes
	DefaultDefragTrackers = 65535    // defrag.trackers
	DefaultDefragMaxFrags = 65535    // defrag.max-frags, over all trackers
	DefaultDefragTimeout  = 60 * int64(1e9)
	// maxDatagram is the largest IP packet (RFC 791), without the IPv6 header.
	maxDatagram = 65535
	// maxFragHeader bounds the kept headers of a first fragment: link headers, IP
	// header, extension headers before the fragment header. Longer link headers are
	// left out; longer IP headers make the fragment ignored.
	maxFragHeader = 512
	// trackerCost is what a tracker counts beside its pages.
	trackerCost = 512
	// maxOut bounds the reassembled packets that are out at one time: one per
	// nested tunnel.
	maxOut = packet.MaxLayers
)

// DefragOptions configures a Defrag. Start from DefaultDefragOptions.
type DefragOptions struct {
	Memcap   uint64 // defrag.memcap, bytes
	Trackers int    // defrag.trackers
	MaxFrags int    // defrag.max-frags
	Timeout  int64  // defrag.timeout, nanoseconds
	// HostTimeouts is defrag.host-config: networks with another timeout.
	HostTimeouts []HostTimeout
	// HostOS is host-os-policy; OSDefault is the policy of other hosts.
	HostOS    []HostPolicy
	OSDefault Policy
	// IgnoreVLAN leaves VLAN ids out of the key (vlan.use-for-tracking: no).
	IgnoreVLAN bool
}

// HostTimeout gives the hosts of a network (see HostPolicy) a timeout in
// nanoseconds.
type HostTimeout struct {
	Addr    packet.Addr
	Bits    int
	Timeout int64
}

// DefaultDefragOptions returns the stock values.
func DefaultDefragOptions() DefragOptions {
	return DefragOptions{Memcap: DefaultDefragMemcap, Trackers: DefaultDefragTrackers,
		MaxFrags: DefaultDefragMaxFrags, Timeout: DefaultDefragTimeout, OSDefault: PolicyBSD}
}

// Validate tells what is impossible in o.
func (o DefragOptions) Validate() error {
	switch {
	case o.Trackers < 1 || o.Trackers > 1<<24:
		return fmt.Errorf("defrag.trackers %d: not in 1 to %d", o.Trackers, 1<<24)
	case o.MaxFrags < 1:
		return fmt.Errorf("defrag.max-frags %d: must be at least 1", o.MaxFrags)
	case o.Timeout < 0:
		return fmt.Errorf("defrag.timeout %d: negative", o.Timeout)
	case o.Memcap < 1<<20:
		return fmt.Errorf("defrag.memcap %d: less than a MiB", o.Memcap)
	case o.OSDefault >= NumPolicy:
		return fmt.Errorf("unknown host policy %d", o.OSDefault)
	}
	return nil
}

// DefragCounters are what Defrag did, in the words of Suricata's stats.defrag; the
// index is 0 for IPv4 and 1 for IPv6.
type DefragCounters struct {
	Fragments       [2]uint64 // defrag.ipv4.fragments, defrag.ipv6.fragments
	Reassembled     [2]uint64 // defrag.ipv4.reassembled
	Timeouts        uint64    // defrag.mgr.tracker_timeout
	SoftReuse       uint64    // defrag.tracker_soft_reuse: a silent tracker's key came back
	HardReuse       uint64    // defrag.tracker_hard_reuse: a live tracker gave way
	MaxTrackers     uint64    // defrag.max_trackers_reached
	MaxFrags        uint64    // defrag.max_frags_reached
	Overlap         uint64
	OverlapDiffData uint64
	Ignored         uint64 // fragments not taken, for any reason
	Memuse          uint64 // defrag.memuse, bytes
	Trackers        uint64 // live ones
	Steps           uint64 // for the complexity test
}

// fragKey names the datagram a fragment is of.
type fragKey struct {
	src, dst packet.Addr
	id       uint32
	tenant   uint32
	proto    uint8
	version  uint8
	level    uint8
	vlan     [packet.MaxVLAN]uint16
}

// tracker collects the fragments of one datagram.
type tracker struct {
	key        fragKey
	list       pieceList
	dir        pageDir
	hdr        []byte // of the first fragment: link headers, IP header
	l3         int    // where in hdr the IP header is
	have       int    // bytes present
	right      int    // end of the last byte present
	frags      int
	last       int64 // time of the last fragment
	timeout    int64
	seenLast   bool
	policy     Policy
	next, prev uint32
	live       bool
}

// Defrag puts IP fragments together. One worker owns it.
type Defrag struct {
	Counters DefragCounters

	opt      DefragOptions
	pool     pool
	index    map[fragKey]uint32
	trackers []*tracker // trackers[0] heads the list: next is the oldest
	free     []uint32
	frags    int
	out      [][]byte
}

// NewDefrag makes a Defrag.
func NewDefrag(o DefragOptions) (*Defrag, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	d := &Defrag{opt: o, index: make(map[fragKey]uint32), trackers: []*tracker{{}}}
	d.pool.limit = o.Memcap
	return d, nil
}

// Add takes the fragment p of tenant. When p completes its datagram, Add returns
// the whole packet, with the link headers of the first fragment before the IP header
// at l3, and ok; its bytes are valid until Free. Events (overlap, too large,
// ignored) are added to p. p itself is not kept.
func (d *Defrag) Add(p *packet.Parsed, tenant uint32) (whole []byte, l3 int, ok bool) {
	f, good := fragmentOf(p)
	if !good {
		d.Counters.Ignored++
		return nil, 0, false
	}
	v := 0
	if p.IPVersion == 6 {
		v = 1
	}
	d.Counters.Fragments[v]++
	if f.total() > maxDatagram {
		p.AddEvent([2]packet.Event{packet.IPv4FragPktTooLarge, packet.IPv6FragPktTooLarge}[v])
		d.Counters.Ignored++
		return nil, 0, false
	}
	t, i := d.tracker(p, &f, tenant)
	if !d.insert(t, i, p, &f) {
		p.AddEvent([2]packet.Event{packet.IPv4FragIgnored, packet.IPv6FragIgnored}[v])
		d.Counters.Ignored++
		return nil, 0, false
	}
	if !t.seenLast || t.have != t.right || t.hdr == nil {
		return nil, 0, false
	}
	whole, l3 = d.join(t)
	d.drop(i)
	if whole == nil {
		d.Counters.Ignored++
		return nil, 0, false
	}
	d.Counters.Reassembled[v]++
	return whole, l3, true
}

// Free gives the bytes of a packet that Add returned back.
func (d *Defrag) Free(whole []byte) {
	if cap(whole) > 0 && len(d.out) < maxOut {
		d.out = append(d.out, whole[:0])
	}
}

// fragment is the part of a Parsed that defragmentation needs.
type fragment struct {
	link, ip []byte // link headers; IP header (IPv6: up to the fragment header)
	data     []byte
	off      int
	next     uint8 // protocol of the data
	more     bool
	patch    int // IPv6: offset in ip of the byte that gets next
}

// total returns the size of the datagram the fragment lies in, at least.
func (f *fragment) total() int {
	if f.ip[0]>>4 == 4 {
		return len(f.ip) + f.off + len(f.data)
	}
	return len(f.ip) - 40 + f.off + len(f.data)
}

// fragmentOf finds the parts of p. A fragment that is cut short, or that is said by
// its decoder to have an impossible length, is not good.
func fragmentOf(p *packet.Parsed) (f fragment, good bool) {
	if !p.Fragment || p.Depth < packet.DepthNet || p.Truncated || p.L3 < 0 || p.L3 > len(p.Data) || p.IPEnd > len(p.Data) || p.IPEnd < p.L3 {
		return f, false
	}
	f.link = p.Data[:p.L3]
	f.off, f.more = int(p.FragOffset), p.MoreFrags
	b := p.Data[p.L3:p.IPEnd]
	switch p.IPVersion {
	case 4:
		if len(b) < 20 {
			return f, false
		}
		n := int(b[0]&15) * 4
		if n < 20 || n > len(b) {
			return f, false
		}
		f.ip, f.data, f.next = b[:n], b[n:], b[9]
	case 6:
		at := p.FragHdr - p.L3
		f.patch = p.FragNext - p.L3
		if at < 40 || at+8 > len(b) || f.patch < 0 || f.patch >= at || p.HasEvent(packet.IPv6FragInvalidLength) {
			return f, false
		}
		f.ip, f.data, f.next = b[:at], b[at+8:], b[at]
	default:
		return f, false
	}
	if len(f.data) == 0 || len(f.ip) > maxFragHeader {
		return f, false
	}
	if len(f.link)+len(f.ip) > maxFragHeader {
		f.link = nil
	}
	return f, true
}

// tracker finds or makes the tracker of f and moves it to the end of the list.
func (d *Defrag) tracker(p *packet.Parsed, f *fragment, tenant uint32) (*tracker, uint32) {
	k := fragKey{src: p.Src, dst: p.Dst, id: p.IPID, tenant: tenant, proto: f.next, version: p.IPVersion, level: p.Recursion}
	if !d.opt.IgnoreVLAN {
		k.vlan = p.VLAN
	}
	if i, ok := d.index[k]; ok {
		t := d.trackers[i]
		if p.Time-t.last <= t.timeout {
			d.unlink(i)
			d.link(i)
			t.last = max(t.last, p.Time)
			return t, i
		}
		d.Counters.SoftReuse++
		d.drop(i)
	}
	if len(d.index) >= d.opt.Trackers {
		d.Counters.MaxTrackers++
		d.Counters.HardReuse++
		d.drop(d.trackers[0].next)
	}
	var i uint32
	if n := len(d.free); n > 0 {
		i = d.free[n-1]
		d.free = d.free[:n-1]
	} else {
		i = uint32(len(d.trackers))
		d.trackers = append(d.trackers, new(tracker))
	}
	t := d.trackers[i]
	o := Options{HostOS: d.opt.HostOS, OSDefault: d.opt.OSDefault}
	t.key, t.last, t.live = k, p.Time, true
	t.policy = o.policyOf(&p.Dst).fragment()
	t.timeout = d.timeoutOf(&p.Dst)
	d.pool.mem += trackerCost
	d.index[k] = i
	d.link(i)
	return t, i
}

func (d *Defrag) timeoutOf(a *packet.Addr) int64 {
	best, v := -1, d.opt.Timeout
	for i := range d.opt.HostTimeouts {
		h := &d.opt.HostTimeouts[i]
		if h.Bits > best && samePrefix(a, &h.Addr, h.Bits) {
			best, v = h.Bits, h.Timeout
		}
	}
	return v
}

// insert stores f in t. It is false when that is not possible.
func (d *Defrag) insert(t *tracker, i uint32, p *packet.Parsed, f *fragment) bool {
	if d.frags >= d.opt.MaxFrags {
		d.Counters.MaxFrags++
		if !d.makeRoom(i) {
			return false
		}
	}
	// Worst case of memory: the pages, two blocks of pieces, the header.
	need := uint64(len(f.data)) + 2*pageSize + 3*partBytes + 2*leafBytes + maxFragHeader
	for d.pool.mem+need > d.pool.limit {
		if !d.makeRoom(i) {
			return false
		}
	}
	if f.off == 0 && t.hdr == nil {
		t.hdr = d.pool.get(maxFragHeader)[:0]
		t.hdr = append(append(t.hdr, f.link...), f.ip...)
		t.l3 = len(f.link)
		if p.IPVersion == 6 {
			t.hdr[t.l3+f.patch] = f.next
		}
	}
	d.frags++
	t.frags++
	if !f.more {
		t.seenLast = true
	}
	overlap, differs := t.put(&d.pool, uint64(f.off), f.data)
	if overlap {
		d.Counters.Overlap++
		if p.IPVersion == 6 {
			p.AddEvent(packet.IPv6FragOverlap)
		} else {
			p.AddEvent(packet.IPv4FragOverlap)
		}
	}
	if differs {
		d.Counters.OverlapDiffData++
	}
	return true
}

// makeRoom drops the oldest tracker, unless that is the one in use.
func (d *Defrag) makeRoom(inUse uint32) bool {
	i := d.trackers[0].next
	if i == 0 || i == inUse {
		return false
	}
	d.Counters.HardReuse++
	d.drop(i)
	return true
}

// put stores data at off; memory was seen to.
func (t *tracker) put(pl *pool, off uint64, data []byte) (overlap, differs bool) {
	end := off + uint64(len(data))
	if !t.dir.reserve(pl, off, end) {
		return false, false
	}
	at := off
	c := t.list.find(at)
	for at < end {
		if !t.list.ok(c) || t.list.at(c).off > at {
			stop := end
			if t.list.ok(c) {
				stop = min(stop, t.list.at(c).off)
			}
			var ok bool
			if c, ok = t.list.insert(pl, c, mkPiece(at, stop, off, end)); !ok {
				return overlap, differs
			}
			t.dir.write(at, data[at-off:stop-off])
			c = t.list.next(c)
			t.have += int(stop - at)
			t.right = max(t.right, int(stop))
			at = stop
			continue
		}
		q := t.list.at(c)
		stop := min(end, q.off+uint64(q.n))
		overlap = true
		differs = differs || !t.dir.equal(at, data[at-off:stop-off])
		if t.policy.takesFragment(off, end, q.start(), q.end()) {
			t.dir.write(at, data[at-off:stop-off])
			c = t.list.own(pl, c, at, stop, off, end)
		}
		at = stop
		if q = t.list.at(c); q.off+uint64(q.n) <= at {
			c = t.list.next(c)
		}
	}
	return overlap, differs
}

// join writes the whole packet of t.
func (d *Defrag) join(t *tracker) (whole []byte, l3 int) {
	n := len(t.hdr) + t.right
	var b []byte
	if k := len(d.out); k > 0 {
		b = d.out[k-1]
		d.out = d.out[:k-1]
	}
	if cap(b) < n {
		b = make([]byte, 0, maxFragHeader+maxDatagram)
	}
	b = append(b[:0], t.hdr...)
	b = b[:n]
	t.dir.read(b[len(t.hdr):], 0)
	ip := b[t.l3:]
	hl := len(t.hdr) - t.l3
	if ip[0]>>4 == 4 {
		if hl+t.right > maxDatagram {
			return nil, 0
		}
		binary.BigEndian.PutUint16(ip[2:], uint16(hl+t.right))
		ip[6], ip[7] = 0, 0
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], packet.InternetChecksum(ip[:hl]))
		return b, t.l3
	}
	if hl-40+t.right > maxDatagram {
		return nil, 0
	}
	binary.BigEndian.PutUint16(ip[4:], uint16(hl-40+t.right))
	return b, t.l3
}

// Expire forgets the datagrams whose last fragment is too old at time now.
func (d *Defrag) Expire(now int64) {
	for i := d.trackers[0].next; i != 0; {
		t := d.trackers[i]
		if now-t.last <= t.timeout {
			return
		}
		i = t.next
		d.Counters.Timeouts++
		d.drop(d.trackers[0].next)
	}
}

// Stats returns the counters with the present sizes filled in.
func (d *Defrag) Stats() DefragCounters {
	c := d.Counters
	c.Memuse, c.Trackers = d.pool.mem, uint64(len(d.index))
	return c
}

func (d *Defrag) drop(i uint32) {
	t := d.trackers[i]
	d.unlink(i)
	delete(d.index, t.key)
	d.frags -= t.frags
	d.Counters.Steps += t.list.steps
	t.list.clear(&d.pool)
	t.dir.clear(&d.pool)
	d.pool.put(t.hdr)
	d.pool.mem -= trackerCost
	*t = tracker{list: pieceList{parts: spare(t.list.parts)}, dir: pageDir{leaf: spare(t.dir.leaf)}}
	d.free = append(d.free, i)
}

// link puts tracker i at the end of the list.
func (d *Defrag) link(i uint32) {
	head, t := d.trackers[0], d.trackers[i]
	t.prev, t.next = head.prev, 0
	d.trackers[head.prev].next = i
	head.prev = i
}

func (d *Defrag) unlink(i uint32) {
	t := d.trackers[i]
	d.trackers[t.prev].next = t.next
	d.trackers[t.next].prev = t.prev
}

// fragment returns the defragmentation policy of a host with policy p: the stacks
// fall into other groups there than for TCP (Novak, "Target-Based Fragmentation
// Reassembly", 2005).
func (p Policy) fragment() Policy {
	switch p {
	case PolicyHPUX10, PolicyIRIX:
		return PolicyBSD
	case PolicyOldLinux:
		return PolicyLinux
	case PolicyOldSolaris, PolicyHPUX11, PolicyMacOS:
		return PolicyFirst
	case PolicyVista, PolicyWindows2k3:
		return PolicyWindows
	}
	return p
}

// takesFragment tells whether bytes of a new fragment [s, e) replace those of an
// old one [os, oe) where both overlap. p is one that fragment returns.
func (p Policy) takesFragment(s, e, os, oe uint64) bool {
	switch p {
	case PolicyLast:
		return true
	case PolicyFirst:
		return false
	case PolicyLinux:
		return s <= os
	case PolicyBSDRight:
		return s >= os
	case PolicySolaris:
		return s < os && e >= oe
	case PolicyWindows:
		return s < os && e > oe
	}
	return s < os // BSD
}
