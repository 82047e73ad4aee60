package detect

import "sync"

// tag is a tagged flow or host: its packets are logged for a while.
type tag struct {
	spec  *tagSpec
	start int64
	count uint64 // packets or bytes so far
}

type tagShard struct {
	mu sync.Mutex // guards m
	m  map[hostKey][]tag
}

// setTags tags flow or host after an alert of s.
func (w *Worker) setTags(s *sig) {
	now := w.p.P.Time
	for _, sp := range s.tags {
		t := tag{spec: sp, start: now}
		if !sp.host {
			if f := w.p.Flow; f != nil {
				m := f.more()
				switch {
				case hasTag(m.tags, sp):
				case len(m.tags) >= maxFlowTags:
					w.s.full.tags.Add(1)
				default:
					m.tags = append(m.tags, t)
				}
			}
			continue
		}
		k := hostKey{w.p.Tenant, w.p.P.IPVersion, w.p.P.Src}
		if sp.dst {
			k.addr = w.p.P.Dst
		}
		sh := &w.s.tags[(k.hash()>>16)%shards]
		sh.mu.Lock()
		if sh.m == nil {
			sh.m = make(map[hostKey][]tag)
		}
		list, ok := sh.m[k]
		switch {
		case hasTag(list, sp):
		case !ok && len(sh.m) >= w.s.maxTags || len(list) >= maxFlowTags:
			w.s.full.tags.Add(1)
		default:
			sh.m[k] = append(list, t)
			w.s.tagged.Store(true)
		}
		sh.mu.Unlock()
	}
}

func hasTag(list []tag, sp *tagSpec) bool {
	for i := range list {
		if list[i].spec == sp {
			return true
		}
	}
	return false
}

// countTags counts the packet for the tags that hold and says whether it is to be
// logged as tagged.
func (w *Worker) countTags() bool {
	hit := false
	if f := w.p.Flow; f != nil && f.state != nil && len(f.state.tags) > 0 {
		f.state.tags, hit = w.advance(f.state.tags)
	}
	if !w.s.tagged.Load() {
		return hit
	}
	for i := range 2 {
		k := hostKey{w.p.Tenant, w.p.P.IPVersion, w.p.P.Src}
		if i == 1 {
			k.addr = w.p.P.Dst
		}
		sh := &w.s.tags[(k.hash()>>16)%shards]
		sh.mu.Lock()
		if list, ok := sh.m[k]; ok {
			rest, h := w.advance(list)
			hit = hit || h
			if len(rest) == 0 {
				delete(sh.m, k)
			} else {
				sh.m[k] = rest
			}
		}
		sh.mu.Unlock()
	}
	return hit
}

// advance counts the packet in list and drops the tags that are over.
func (w *Worker) advance(list []tag) (rest []tag, hit bool) {
	rest = list[:0]
	for _, t := range list {
		switch t.spec.metric {
		case tagPackets:
			if t.count >= uint64(t.spec.count) {
				continue
			}
			t.count++
		case tagBytes:
			if t.count >= uint64(t.spec.count) {
				continue
			}
			t.count += uint64(len(w.p.P.Data))
		case tagSeconds:
			if w.p.P.Time-t.start > int64(t.spec.count)*1e9 {
				continue
			}
		}
		hit = true
		rest = append(rest, t)
	}
	return rest, hit
}
