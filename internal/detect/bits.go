package detect

import "sync"

// bitKey names an xbit or hostbit of a host or a pair of hosts.
type bitKey struct {
	id   uint32
	host bool
	a, b hostKey // b is zero unless a pair is meant
}

type bitShard struct {
	mu sync.Mutex       // guards m
	m  map[bitKey]int64 // when it ends, Unix nanoseconds
}

// bitKey returns the key an xbit is about.
func (w *Worker) bitKey(x *xbit) bitKey {
	p := w.p.P
	src := hostKey{w.p.Tenant, p.IPVersion, p.Src}
	dst := hostKey{w.p.Tenant, p.IPVersion, p.Dst}
	k := bitKey{id: x.id, host: x.host, a: src}
	switch x.track {
	case trackDst:
		k.a = dst
	case trackPair:
		// A pair is the same in both directions.
		k.a, k.b = src, dst
		if less(&dst.addr, &src.addr) {
			k.a, k.b = dst, src
		}
	}
	return k
}

func (s *Shared) bitShard(k *bitKey) *bitShard {
	h := k.a.hash() ^ k.b.hash() ^ k.id
	return &s.bits[((h*16777619)>>16)%shards]
}

func (w *Worker) hasXbit(x *xbit) bool {
	if x.track == trackTx {
		return w.hasTxBit(x.id)
	}
	k := w.bitKey(x)
	sh := w.s.bitShard(&k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	end, ok := sh.m[k]
	if ok && end < w.p.P.Time {
		delete(sh.m, k)
		ok = false
	}
	return ok
}

func (w *Worker) changeXbit(x *xbit) {
	if x.track == trackTx {
		w.changeTxBit(x.id, x.cmd)
		return
	}
	k := w.bitKey(x)
	w.s.changeBit(&k, x, w.p.P.Time)
}

func (s *Shared) changeBit(k *bitKey, x *xbit, now int64) {
	sh := s.bitShard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	end, ok := sh.m[*k]
	set := ok && end >= now
	if x.cmd == bitUnset || x.cmd == bitToggle && set {
		delete(sh.m, *k)
		return
	}
	if !ok && len(sh.m) >= s.maxBits && !sh.prune(now) {
		s.full.bits.Add(1)
		return
	}
	if sh.m == nil {
		sh.m = make(map[bitKey]int64)
	}
	sh.m[*k] = now + x.expire*1e9
}

// pruneLook is how many bits prune looks at: a full shard must not make every set cost
// a walk over all of it. Maps are walked from a random place, so that the next call
// looks at others.
const pruneLook = 256

// prune drops bits whose time is over, and tells whether there were any.
func (sh *bitShard) prune(now int64) bool {
	n, looked := len(sh.m), 0
	for k, end := range sh.m {
		if end < now {
			delete(sh.m, k)
		}
		if looked++; looked == pruneLook {
			break
		}
	}
	return len(sh.m) < n
}
