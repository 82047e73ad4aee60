package sensor

import (
	"mirador/internal/mirror"
	"mirador/internal/packet"
)

// MaxSources bounds the sources (outer address, VNI, endpoint) that a worker accounts for
// one by one; what comes from further ones is counted in one common row. A VPC account
// may have 10,000 sessions.
const MaxSources = 16384

// sourceKey tells sources apart. The endpoint is that of a Gateway Load Balancer, 0
// without one: VPCs may have the same addresses, and sessions the same VNI.
type sourceKey struct {
	addr     packet.Addr
	vni      uint32
	endpoint uint64
}

// source is what a worker knows of one mirror source: who it is, and what came.
type source struct {
	key    sourceKey
	id     uint32
	known  *mirror.Source // nil when the sources file does not name it
	tenant uint32
	fixed  bool // the tenant is from the sources file
	parent *source

	packets, bytes, truncated, dups uint64
	alerts                          uint64
	first, last                     int64

	probe   mirror.ProbeToken // the last one
	probes  uint64
	probeAt int64
}

// root returns the source that stands for s's tenant.
func (s *source) root() *source {
	for s.parent != nil {
		s = s.parent
	}
	return s
}

// sources is a worker's table of mirror sources.
type sources struct {
	table *mirror.SourceTable
	byKey map[sourceKey]*source
	list  []*source
	last  *source
	// over takes what comes from sources beyond MaxSources.
	over *source
}

func newSources(t *mirror.SourceTable) *sources {
	return &sources{table: t, byKey: map[sourceKey]*source{}}
}

// get returns the source for k, making it when new.
func (s *sources) get(k sourceKey, now int64) *source {
	if s.last != nil && s.last.key == k {
		return s.last
	}
	src := s.byKey[k]
	if src == nil {
		src = s.add(k, now)
	}
	s.last = src
	return src
}

func (s *sources) add(k sourceKey, now int64) *source {
	if len(s.list) >= MaxSources {
		if s.over == nil {
			s.over = &source{id: MaxSources + 1, tenant: 1 << 30, first: now}
		}
		return s.over
	}
	src := &source{key: k, id: uint32(len(s.list) + 1), first: now}
	s.byKey[k] = src
	s.list = append(s.list, src)
	s.identify(src)
	return src
}

// identify looks src up in the sources file. A source without a tenant of its
// own belongs to the tenant of its VNI.
func (s *sources) identify(src *source) {
	src.known, src.fixed, src.tenant = nil, false, 1+src.key.vni
	if s.table == nil {
		return
	}
	if known, ok := s.table.Lookup(src.key.addr, src.key.vni); ok {
		src.known = known
		if t := known.TenantID; t != 0 {
			src.fixed, src.tenant = true, 1<<31|t
		}
	}
}

// swap takes a new sources file.
func (s *sources) swap(t *mirror.SourceTable) {
	s.table = t
	for _, src := range s.list {
		s.identify(src)
	}
}
