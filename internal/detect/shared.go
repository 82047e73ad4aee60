package detect

import (
	"sync"
	"sync/atomic"

	"mirador/internal/packet"
	"mirador/internal/rule"
)

// SharedOptions bounds a Shared; zero fields take the defaults of limits.go.
type SharedOptions struct {
	Thresholds int // entries
	Bits       int // xbits and hostbits
}

// Shared is what all workers have in common and what outlives an engine: threshold
// counters, bits of hosts, datasets, and the ids of names. It is safe for concurrent
// use: each table is split over locks, and only rules with such a keyword touch it.
type Shared struct {
	names nameTable

	limits [shards]limitShard
	bits   [shards]bitShard
	tags   [shards]tagShard

	tagged atomic.Bool // some host is tagged

	maxLimits, maxBits, maxTags int // per shard

	full fullCounts

	setsMu sync.Mutex // guards sets and fresh
	sets   map[string]*dataset
	fresh  map[string]bool // loaded by the compile in work
}

// NewShared returns an empty Shared.
func NewShared(o SharedOptions) *Shared {
	if o.Thresholds <= 0 {
		o.Thresholds = DefaultThresholds
	}
	if o.Bits <= 0 {
		o.Bits = DefaultBits
	}
	return &Shared{
		maxLimits: max(o.Thresholds/shards, 1), maxBits: max(o.Bits/shards, 1), maxTags: max(maxTags/shards, 1),
		sets: map[string]*dataset{}, fresh: map[string]bool{},
	}
}

// beginLoad and endLoad stand around a compile: sets that are only read are loaded
// anew by it.
func (s *Shared) beginLoad() {
	s.setsMu.Lock()
	clear(s.fresh)
	s.setsMu.Unlock()
}

func (s *Shared) endLoad() {}

// TableFull counts what found no room in the tables that all workers share.
type TableFull struct {
	Thresholds uint64 // matches that alerted because their counter could not be kept
	Bits       uint64 // xbits and hostbits not set
	Tags       uint64 // hosts and flows not tagged
	Datasets   uint64 // values not put into a dataset
}

// Full returns what found no room so far. It is safe for concurrent use.
func (s *Shared) Full() TableFull {
	return TableFull{s.full.thresholds.Load(), s.full.bits.Load(), s.full.tags.Load(), s.full.datasets.Load()}
}

type fullCounts struct{ thresholds, bits, tags, datasets atomic.Uint64 }

// hostKey names an address of a tenant.
type hostKey struct {
	tenant uint32
	ver    uint8
	addr   packet.Addr
}

func (k *hostKey) hash() uint32 {
	h := hashBytes(k.addr[:])
	return (h ^ k.tenant) * 16777619
}

// limit is a threshold, a detection_filter or a rate_filter.
type limit struct {
	kind       rule.LimitType
	track      rule.Track
	filter     bool // detection_filter
	count      uint32
	seconds    int64
	multiplier uint32
	unique     uniqueOn
	// rate_filter
	rate    bool
	timeout int64
	action  rule.Action
	id      uint32 // to tell several of one rule apart
}

// uniqueOn is the field whose different values a detection_filter counts.
type uniqueOn uint8

const (
	uniqueNone uniqueOn = iota
	uniqueSrcPort
	uniqueDstPort
)

// limitKey names one counter.
type limitKey struct {
	sid, gid uint32
	id       uint32
	tenant   uint32
	ver      uint8
	a, b     packet.Addr
}

// limitState is one counter.
type limitState struct {
	start   int64 // Unix nanoseconds
	count   uint32
	next    uint32              // backoff
	until   int64               // rate_filter: new action until
	expire  int64               // may be dropped from then on
	uniques map[uint16]struct{} // detection_filter unique_on; at most 65536
}

type limitShard struct {
	mu sync.Mutex // guards m
	m  map[limitKey]*limitState
}

// flowLimit is a counter that belongs to a flow (track by_flow).
type flowLimit struct {
	sid, gid, id uint32
	limitState
}

// maxFlowLimits bounds the counters of one flow.
const maxFlowLimits = 64

// limitOutcome is what a limit says of a match.
type limitOutcome uint8

const (
	limitPass     limitOutcome = iota // alert
	limitSuppress                     // no alert
	limitAction                       // alert, with the action of a rate_filter
)

// check counts a match of the rule at time now and says whether it alerts.
func (w *Worker) checkLimit(l *limit, s *sig, now int64) limitOutcome {
	p := w.p.P
	if l.track == rule.TrackFlow {
		if w.p.Flow == nil {
			return limitPass
		}
		st := w.flowLimit(w.p.Flow, l, s)
		if st == nil {
			return limitPass
		}
		return l.count1(st, now, p)
	}
	k := limitKey{sid: s.rule.SID, gid: s.rule.GID, id: l.id, tenant: w.p.Tenant, ver: p.IPVersion}
	switch l.track {
	case rule.TrackSrc:
		k.a = p.Src
	case rule.TrackDst:
		k.a = p.Dst
	case rule.TrackBoth:
		k.a, k.b = p.Src, p.Dst
		if less(&k.b, &k.a) {
			k.a, k.b = k.b, k.a
		}
	}
	h := (hashBytes(k.a[:]) ^ hashBytes(k.b[:]) ^ k.sid ^ k.tenant) * 16777619
	sh := &w.s.limits[(h>>16)%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sh.m[k]
	if st == nil {
		if len(sh.m) >= w.s.maxLimits && !sh.prune(now) {
			w.s.full.thresholds.Add(1)
			return limitPass
		}
		if sh.m == nil {
			sh.m = make(map[limitKey]*limitState)
		}
		st = &limitState{}
		sh.m[k] = st
	}
	out := l.count1(st, now, p)
	st.expire = max(st.start+l.seconds*1e9, st.until)
	return out
}

func less(a, b *packet.Addr) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// prune drops counters whose time is over. It returns false when there were none.
func (sh *limitShard) prune(now int64) bool {
	n := len(sh.m)
	looked := 0
	for k, st := range sh.m {
		if st.expire < now {
			delete(sh.m, k)
		}
		if looked++; looked == pruneLook {
			break
		}
	}
	return len(sh.m) < n
}

// flowLimit returns the flow's counter of l, nil when it has too many: then the match
// alerts.
func (w *Worker) flowLimit(f *Flow, l *limit, s *sig) *limitState {
	m := f.more()
	for i := range m.limits {
		x := &m.limits[i]
		if x.sid == s.rule.SID && x.gid == s.rule.GID && x.id == l.id {
			return &x.limitState
		}
	}
	if len(m.limits) == maxFlowLimits {
		w.Counters.FlowBitsFull++
		return nil
	}
	m.limits = append(m.limits, flowLimit{sid: s.rule.SID, gid: s.rule.GID, id: l.id})
	return &m.limits[len(m.limits)-1].limitState
}

// count1 counts one match in st. Suricata 8 rules/thresholding.
func (l *limit) count1(st *limitState, now int64, p *packet.Parsed) limitOutcome {
	if l.kind == rule.LimitBackoff {
		if st.next == 0 {
			st.next = l.count
		}
		if st.count < ^uint32(0) {
			st.count++
		}
		if st.count != st.next {
			return limitSuppress
		}
		next := uint64(st.next) * uint64(l.multiplier)
		st.next = uint32(min(next, uint64(^uint32(0))))
		if l.multiplier == 1 {
			st.next = st.count + l.count
		}
		return limitPass
	}
	fresh := st.count == 0 || now > st.start+l.seconds*1e9
	if l.rate {
		return l.countRate(st, now, fresh)
	}
	if fresh {
		st.start, st.count = now, 1
		if l.unique != uniqueNone {
			st.uniques = nil
			st.addUnique(l, p)
		}
	} else if l.unique != uniqueNone {
		st.addUnique(l, p)
	} else if st.count < ^uint32(0) {
		st.count++
	}
	var alert bool
	switch {
	case l.filter:
		alert = st.count > l.count
	case l.kind == rule.LimitLimit:
		alert = st.count <= l.count
	case l.kind == rule.LimitThreshold:
		if alert = st.count >= l.count; alert {
			st.count = 0
			if l.count > 1 {
				// The window goes on; the next match counts from one.
				return limitPass
			}
		}
	case l.kind == rule.LimitBoth:
		alert = st.count == l.count
	}
	if alert {
		return limitPass
	}
	return limitSuppress
}

func (st *limitState) addUnique(l *limit, p *packet.Parsed) {
	port := p.SrcPort
	if l.unique == uniqueDstPort {
		port = p.DstPort
	}
	if st.uniques == nil {
		st.uniques = make(map[uint16]struct{})
	}
	st.uniques[port] = struct{}{}
	st.count = uint32(len(st.uniques))
}

// countRate is rate_filter: when count is passed within seconds, the new action holds
// for timeout.
func (l *limit) countRate(st *limitState, now int64, fresh bool) limitOutcome {
	if st.until != 0 {
		if now <= st.until || l.timeout == 0 {
			return limitAction
		}
		st.until = 0
		fresh = true
	}
	if fresh {
		st.start, st.count = now, 1
		return limitPass
	}
	st.count++
	if st.count > l.count {
		st.until = now + l.timeout*1e9
		return limitAction
	}
	return limitPass
}
