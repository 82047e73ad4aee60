package detect

import "sync"

// bitKey names an xbit or hostbit of a host or a pair of hosts.
type bitKey struct {
	id   uint32
	host bool
	a, b hostKey // b is zero unless a pair is meant
}

type bitShard struct {
	mu   sync.Mutex       // guards m
	m    map[bitKey]int64 // when it ends, Unix nanoseconds
	full uint64
}

// bitKeys returns the keys an xbit is about: one, or two for hostbits of both sides.
func (w *Worker) bitKeys(x *xbit) (k [2]bitKey, n int) {
	p := w.p.P
	src := hostKey{w.p.Tenant, p.IPVersion, p.Src}
	dst := hostKey{w.p.Tenant, p.IPVersion, p.Dst}
	k[0] = bitKey{id: x.id, host: x.host, a: src}
	switch x.track {
	case trackDst:
		k[0].a = dst
	case trackPair:
		// A pair is the same in both directions.
		k[0].a, k[0].b = src, dst
		if less(&dst.addr, &src.addr) {
			k[0].a, k[0].b = dst, src
		}
	case trackHostBoth:
		k[1] = bitKey{id: x.id, host: x.host, a: dst}
		return k, 2
	}
	return k, 1
}

func (s *Shared) bitShard(k *bitKey) *bitShard {
	h := k.a.hash() ^ k.b.hash() ^ k.id
	return &s.bits[((h*16777619)>>16)%shards]
}

func (w *Worker) hasXbit(x *xbit) bool {
	if x.track == trackTx {
		return w.hasTxBit(x.id)
	}
	keys, n := w.bitKeys(x)
	for i := range keys[:n] {
		sh := w.s.bitShard(&keys[i])
		sh.mu.Lock()
		end, ok := sh.m[keys[i]]
		if ok && end < w.p.P.Time {
			delete(sh.m, keys[i])
			ok = false
		}
		sh.mu.Unlock()
		if ok {
			return true
		}
	}
	return false
}

func (w *Worker) changeXbit(x *xbit) {
	if x.track == trackTx {
		w.changeTxBit(x.id, x.cmd)
		return
	}
	keys, n := w.bitKeys(x)
	for i := range keys[:n] {
		w.s.changeBit(&keys[i], x, w.p.P.Time)
	}
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
		sh.full++
		return
	}
	if sh.m == nil {
		sh.m = make(map[bitKey]int64)
	}
	sh.m[*k] = now + x.expire*1e9
}

// prune drops bits whose time is over.
func (sh *bitShard) prune(now int64) bool {
	n, looked := len(sh.m), 0
	for k, end := range sh.m {
		if end < now {
			delete(sh.m, k)
		}
		if looked++; looked == 256 && len(sh.m) < n {
			break
		}
	}
	return len(sh.m) < n
}
